"""Recording a conference onto a disk that is full, and onto a file system that does not answer: the room talks on, only the record is hurt."""
import pytest
import tandem as t
from calls import call_and_talk, is_pair
from stall import Gate
from test_full_disk import Disk
from wire import Phone

CONF = "conference::maintenance"
pytestmark = pytest.mark.leaks


def told(events, action, **more):
    return events.wait_event("CUSTOM", Event_Subclass=CONF, Action=action, **more)


def pair(sw, made):
    events = sw.esl()
    events.subscribe(f"CUSTOM {CONF}")
    phones = []
    for user, hz in (("1000", 400), ("1001", 500)):
        p = Phone(sw, user)
        made.append(p)
        p.talk, p.hz = None, hz
        p.register()
        phones.append(call_and_talk(p, "3000"))
    room = told(events, "add-member", Conference_Size="2")["Conference-Name"]
    is_pair(*phones)
    return events, room, phones


def test_full_disk(tmp_path):
    sw, made = t.Tandem(tmp_path / "instance", binary=tmp_path / "tandem.sh"), []
    records = sw.root / "records"
    records.mkdir()
    disk = Disk(records, "256k", tmp_path / "tandem.sh")
    try:
        sw.start()
        events, room, (a, b) = pair(sw, made)
        assert sw.api(f"conference {room} record {records}/talk.wav").startswith("+OK")
        told(events, "start-recording")
        disk.fill()
        told(events, "stop-recording")  # by itself: there is no room for more
        is_pair(a, b)
        a.bye()
        b.bye()
        told(events, "conference-destroy")
        sw.stop()
    finally:
        for p in made:
            p.close()
        if sw.proc and sw.proc.poll() is None:
            sw.stop(check=False)
        disk.close()


def test_stalled_file_system(tmp_path):
    """The instance's end looks for slow handlers."""
    sw, made = t.Tandem(tmp_path / "instance"), []
    records = sw.root / "records"
    records.mkdir()
    with Gate(sw, tmp_path) as gate:
        sw.start()
        try:
            events, room, (a, b) = pair(sw, made)
            assert sw.api(f"conference {room} record {records}/talk.wav").startswith("+OK")
            told(events, "start-recording")
            gate.shut("records")
            is_pair(a, b)
            c = Phone(sw, "1002")
            made.append(c)
            c.talk, c.hz = None, 650
            c.register()
            call_and_talk(c, "3000")  # others come in meanwhile
            a.talk.hears(650)
            sw.api(f"conference {room} norecord all")
            is_pair(a, b)
            gate.open()
            told(events, "stop-recording")
            for p in (a, b, c):
                p.bye()
            told(events, "conference-destroy")
        finally:
            for p in made:
                p.close()
            gate.open()
            sw.stop()
    assert (records / "talk.wav").stat().st_size > 44
