"""Valet parking: in and out of slots, by number, automatically, asked for, by transfers of phones, over time. Scripted phones that say
tones and measure what they hear."""
import time

import pytest
from urllib.parse import quote
from calls import bridged, call_and_talk, ended, extension, is_pair, refer, replaces_of, write_extensions
from wire import Phone

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("valet") / "instance")
    music = "tone_stream://%(10000,0,1600);loops=-1"
    common = ["answer", f"set valet_hold_music={music}"]
    extensions = [
        extension(r"(61\d\d)", *common, "valet_park lot $1", "set went=past", "park"),
        extension("6200", *common, "set valet_announce_slot=false", "valet_park many auto in 701 702", "set went=full", "park"),
        extension("6201", "answer", "valet_park many auto out 701 702", "set went=empty", "park"),
        extension("6300", "answer", "valet_park lot ask 4 4 3000 silence_stream://100", "park"),
        extension(r"(64\d\d)", *common, "set valet_parking_timeout=1", "set valet_parking_orbit_exten=orbit", "valet_park lot $1"),
        extension("(65..)", *common, "set valet_parking_orbit_exten=orbit", "set valet_parking_orbit_exit_key=0", "valet_park lot $1"),
        extension("orbit", "set went=orbit", "park"),
        extension("6600", f"export valet_hold_music={music}", "export valet_announce_slot=false",
                  "bind_meta_app 7 b s valet_park::many auto in 711 712", "bridge user/1001"),
        extension("6700", "valet_park nolot"),
    ]
    write_extensions(s, extensions)
    s.start()
    yield s
    s.stop()


@pytest.fixture(autouse=True)
def empty_lots(sw):
    """At the end, when the phones are gone."""
    yield
    assert "<extension" not in sw.api("valet_info")


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("CHANNEL_PARK CHANNEL_BRIDGE PRESENCE_IN CUSTOM valet_parking::info")
    yield e
    e.close()


def told(events, action, ext, **more):
    return events.wait_event("CUSTOM", Event_Subclass="valet_parking::info", Action=action, Valet_Extension=ext, **more)


def test_in_and_out(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    call_and_talk(a, "6101")
    a.talk.hears(1600)
    hold = told(events, "hold", "6101", Valet_Lot_Name="lot")
    assert sw.api("valet_info lot") == (
        f'<lots>\n  <lot name="lot">\n    <extension uuid="{hold["Unique-ID"]}">6101</extension>\n  </lot>\n</lots>\n')
    assert sw.api("valet_info nosuch") == "<lots>\n</lots>\n"
    presence = [events.wait_event("PRESENCE_IN") for _ in range(2)]
    assert [(p["login"], p["force-status"], p["answer-state"]) for p in presence] == [
        ("lot", "Active (1 caller)", "confirmed"), ("6101", "Holding", "confirmed")]
    call_and_talk(b, "6101")
    is_pair(a, b)
    assert told(events, "bridge", "6101", Unique_ID=hold["Unique-ID"])["Bridge-To-UUID"]
    told(events, "exit", "6101", Unique_ID=hold["Unique-ID"])
    assert events.wait_event("CHANNEL_BRIDGE")["Bridge-A-Unique-ID"] == hold["Unique-ID"]
    assert "<extension" not in sw.api("valet_info")
    a.bye()
    ended(b)
    sw.wait_calls(0)


def test_leaving(sw, phone, events):
    """Who waits hangs up, the slot is free for the next; # goes on in the dialplan; with an exit key to the orbit."""
    a, b = phone("1000", 400), phone("1001", 500)
    call_and_talk(a, "6102")
    told(events, "hold", "6102")
    a.bye()
    told(events, "exit", "6102")
    call_and_talk(b, "6102")
    told(events, "hold", "6102")
    b.talk.press("5#")
    assert events.wait_event("CHANNEL_PARK")["variable_went"] == "past"
    b.bye()
    call_and_talk(a, "6501")
    a.talk.press("#0")
    told(events, "exit", "6501")
    assert events.wait_event("CHANNEL_PARK")["variable_went"] == "orbit"


def test_time_is_over(sw, phone, events):
    a = phone("1000", 400)
    call_and_talk(a, "6401")
    told(events, "hold", "6401")
    start = time.monotonic()
    assert events.wait_event("CHANNEL_PARK")["variable_went"] == "orbit"
    assert time.monotonic() - start > 0.5


def test_automatic(sw, phone, events):
    """The lowest slot first; a third finds the lot full; out takes who waits longest, then the lot is empty."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    call_and_talk(a, "6200")
    told(events, "hold", "701")
    call_and_talk(b, "6200")
    told(events, "hold", "702")
    call_and_talk(c, "6200")
    assert events.wait_event("CHANNEL_PARK")["variable_went"] == "full"
    c.bye()
    call_and_talk(c, "6201")
    is_pair(a, c)
    c.bye()
    ended(a)
    call_and_talk(c, "6201")
    is_pair(b, c)
    c.bye()
    ended(b)
    call_and_talk(c, "6201")
    assert events.wait_event("CHANNEL_PARK")["variable_went"] == "empty"


def test_asked_for(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    call_and_talk(a, "6300")
    a.talk.press("6103")
    told(events, "hold", "6103")
    call_and_talk(b, "6103")
    is_pair(a, b)
    b.bye()
    ended(a)


def test_parked_by_blind_transfer(sw, phone, events):
    """A phone's REFER to the slot; anybody fetches it."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    bridged(a, b, "1001")
    refer(a, "<sip:6104@127.0.0.1>")
    ended(a)
    told(events, "hold", "6104")
    b.talk.hears(1600)
    call_and_talk(c, "6104")
    is_pair(b, c)
    c.bye()
    ended(b)


def test_parked_by_attended_transfer(sw, phone, events):
    """The phone listens to the slot first and then completes: the call takes the phone's place there."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    bridged(a, b, "1001")
    line = Phone(sw, "1000")
    line.invite("6105")
    line.answered()
    first = told(events, "hold", "6105")
    refer(a, f"<sip:6105@127.0.0.1?Replaces={quote(replaces_of(line), safe='')}>")
    ended(line)
    ended(a)
    assert told(events, "hold", "6105")["Unique-ID"] != first["Unique-ID"]
    b.talk.hears(1600)
    sw.wait_calls(1)
    call_and_talk(c, "6105")
    is_pair(b, c)
    c.bye()
    ended(b)
    line.close()


def test_parked_by_a_key(sw, phone, events):
    """A bound key parks the other side; who pressed it is released."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    bridged(a, b, "6600")
    b.talk.press("*7")
    ended(b)
    told(events, "hold", "711")
    a.talk.hears(1600)
    sw.wait_calls(1)
    a.bye()
    told(events, "exit", "711")


def test_wrong_use(sw, phone):
    a = phone("1000")
    a.invite("6700")
    a.ack_failure(a.expect(480))
    sw.wait_log("valet_park: usage: <lotname>")


def test_what_a_restart_forgets(sw, phone, events):
    """Lots, hash and limits live while the switch runs (db and groups longer: test_dialplan_apps)."""
    a = phone("1000")
    a.invite("6110")
    a.answered()
    uuid = told(events, "hold", "6110")["Unique-ID"]
    sw.api("hash insert/tests/kept/no")
    assert sw.api(f"uuid_limit {uuid} db tests one 5").startswith("+OK")
    assert sw.api("limit_usage db tests one") == "1"
    sw.stop()
    ended(a)
    sw.start()
    assert sw.api("valet_info") == "<lots>\n</lots>\n"
    assert sw.api("hash select/tests/kept").strip() in ("", "-ERR no reply")
    assert sw.api("limit_usage db tests one") == "0"
