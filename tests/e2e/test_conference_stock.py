"""The numbers of the stock dialplan that are conferences: 30NN to 33NN, 35NN, 0911 to 0913, 5001's form, and the key that takes a call into one."""
import pytest
from calls import bridged, call_and_talk, ended, is_pair, talks

CONF = "conference::maintenance"


@pytest.fixture(scope="module")
def sw(tandem_vanilla):
    return tandem_vanilla


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe(f"CUSTOM {CONF}")
    yield e
    e.close()


def told(events, action, **more):
    return events.wait_event("CUSTOM", Event_Subclass=CONF, Action=action, **more)


@pytest.mark.parametrize("number, rate, profile", [("3012", 8000, "default"), ("3112", 16000, "wideband"), ("3212", 32000, "ultrawideband"),
                                                   ("3312", 48000, "cdquality"), ("3512", 48000, "video-mcu-stereo")])
def test_rooms(sw, phone, events, number, rate, profile):
    a, b = phone("1000", 400), phone("1001", 500)
    call_and_talk(a, number)
    room = told(events, "add-member")["Conference-Name"]
    assert room.startswith(number) and sw.api(f"conference {room} get rate") == str(rate)
    assert sw.api(f"conference {room} get profile_name") == profile
    call_and_talk(b, number)
    told(events, "add-member", Conference_Size="2")
    is_pair(a, b)
    a.bye()
    b.bye()
    told(events, "conference-destroy")


def test_key_3_takes_both_into_a_room(sw, phone, events):
    """The called phone presses *3: both are in 30NN of its number."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 650)
    bridged(a, b, "1001")
    b.talk.press("*3")
    told(events, "add-member", Conference_Size="2")
    is_pair(a, b)
    call_and_talk(c, "3001")
    told(events, "add-member", Conference_Size="3")
    for p in (a, b):
        p.talk.hears(650)


def test_mad_boss(sw, phone, events):
    """0911 calls the group; who is called is muted, hears the boss, and is sent home when he goes."""
    boss = phone("1002", 400)
    staff = phone("1000", 500)  # of the group sales
    call_and_talk(boss, "0911")
    assert told(events, "add-member")["Hear"] == "false"
    staff.take(ring=False)
    talks(staff)
    assert told(events, "bgdial-result")["Result"] == "SUCCESS"
    assert told(events, "add-member", Conference_Size="2")["Speak"] == "false"
    staff.talk.hears(400)
    boss.bye()
    ended(staff)


@pytest.mark.parametrize("number", ["0912", "0913"])
def test_boss_and_music(sw, phone, events, number):
    """They call a loopback leg that plays music."""
    boss = phone("1002", 400)
    call_and_talk(boss, number)
    told(events, "add-member")
    assert told(events, "bgdial-result")["Result"] == "SUCCESS"
    told(events, "add-member", Conference_Size="2")
