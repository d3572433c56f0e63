"""Keys that do something: bind_digit_action with realms, expressions, timeouts, either side's keys; bind_meta_app's sides and flags."""
import pytest
from calls import bridged, call_and_talk, ended, extension, talks, write_extensions

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("digits") / "instance")
    extensions = [
        extension("7401", "answer", "set bind_digit_digit_timeout=400", "bind_digit_action r,11,exec:set,one=yes",
                  "bind_digit_action r,12,exec[i]:set,two=yes", "bind_digit_action r,~^7\\\\d$,api:expr,1+1",
                  "bind_digit_action r,0,Told,value", "park"),
        extension("7402", "answer", "bind_digit_action a,1,exec:set,realm=a",
                  "bind_digit_action a,3,exec:clear_digit_action,a", "bind_digit_action b,1,exec:set,realm=b",
                  "bind_digit_action b,2,exec:digit_action_set_realm,a", "bind_digit_action b,3,exec:clear_digit_action,all",
                  "sleep 60000"),
        extension("7403", "answer", "bind_digit_action r,1,exec:set,got=bound", "read 2 4 silence_stream://100 keys 5000 #", "park"),
        extension("7404", "set bind_digit_digit_timeout=400", "bind_digit_action r,*1,exec:set,mine=yes",
                  "bind_digit_action r,*2,exec:set,theirs=yes,self,peer", "bind_digit_action q,*3,exec:set,from=bleg,peer,self",
                  "bind_digit_action q,*4,exec:set,both=yes,peer,both", "bridge user/1001"),
        extension("7405", "bind_meta_app 1 ab s set::same=yes", "bind_meta_app 2 ab o set::other=yes", "bind_meta_app 3 a b set::on_b=yes",
                  "bind_meta_app 4 b i set::on_a=yes", "bind_meta_app 5 a s1 set::once=${expr(${once}+1)}",
                  "bind_meta_app 6 a s unbind_meta_app::1", "bridge user/1001"),
        extension("bad", "bind_meta_app 1 a so set::x=1", "bind_digit_action r,1", "bind_digit_action r,~(,exec:set,x=1", "answer", "park"),
    ]
    write_extensions(s, extensions)
    s.start()
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("CHANNEL_ANSWER CHANNEL_PARK CHANNEL_DATA CHANNEL_EXECUTE_COMPLETE DTMF CHANNEL_BRIDGE")
    yield e
    e.close()


def executed(events, what):
    return events.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="set", Application_Data=what)


def test_what_a_match_does(sw, phone, events):
    a = phone("1000")
    call_and_talk(a, "7401")
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    a.talk.press("11")
    told = events.wait_event("CHANNEL_DATA", digits="11")
    assert (told["set"], told["execute"], told["Unique-ID"]) == ("one=yes", "non-blocking", uuid)
    executed(events, "one=yes")
    a.talk.press("12")
    assert events.wait_event("CHANNEL_DATA", digits="12")["execute"] == "blocking"
    executed(events, "two=yes")
    a.talk.press("0")
    assert events.wait_event("CHANNEL_DATA", digits="0")["Told"] == "value"
    assert sw.api(f"uuid_getvar {uuid} last_matching_digits") == "0"
    a.talk.press("74")
    assert events.wait_event("CHANNEL_DATA", digits="74")["expr"] == "1+1"
    assert sw.api(f"uuid_getvar {uuid} bind_digit_action_api_result") == "2"
    a.talk.press("13")  # nobody's: a regular expression may still want it, so time decides
    assert "execute" not in events.wait_event("CHANNEL_DATA", digits="13")
    assert [events.wait_event("DTMF")["DTMF-Digit"] for _ in range(2)] == ["1", "3"]
    assert sw.api(f"uuid_getvar {uuid} last_non_matching_digits") == "13"


def test_realms(sw, phone, events):
    a = phone("1000")
    call_and_talk(a, "7402")
    a.talk.press("1")
    executed(events, "realm=b")
    a.talk.press("2")
    events.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="digit_action_set_realm")
    a.talk.press("1")
    executed(events, "realm=a")
    a.talk.press("3")
    events.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="clear_digit_action")
    a.talk.press("19")  # nothing is active: they are ordinary keys, which sleep leaves queued
    a.bye()
    sw.wait_calls(0)


def test_beside_an_application(sw, phone, events):
    """Bound keys never reach the application that collects; others do."""
    a = phone("1000")
    call_and_talk(a, "7403")
    a.talk.press("2131#")
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    assert sw.api(f"uuid_getvar {uuid} keys") == "23"
    assert sw.api(f"uuid_getvar {uuid} got") == "bound"


def test_in_a_bridge(sw, phone, events):
    """Own keys and the other side's; where the action runs; what nobody binds goes on."""
    a, b = phone("1000", 400), phone("1001", 500)
    bridged(a, b, "7404")
    pair = events.wait_event("CHANNEL_BRIDGE")
    a_uuid, b_uuid = pair["Bridge-A-Unique-ID"], pair["Bridge-B-Unique-ID"]
    a.talk.press("*1")
    assert executed(events, "mine=yes")["Unique-ID"] == a_uuid
    a.talk.press("*2")
    assert executed(events, "theirs=yes")["Unique-ID"] == b_uuid
    b.talk.press("*3")
    assert executed(events, "from=bleg")["Unique-ID"] == b_uuid
    b.talk.press("*4")
    assert {executed(events, "both=yes")["Unique-ID"] for _ in range(2)} == {a_uuid, b_uuid}
    assert a.talk.digits() == b.talk.digits() == ""
    b.talk.press("*1")
    a.talk.wait_digits("*1")
    a.talk.press("5")
    b.talk.wait_digits("5")
    a.bye()
    ended(b)


def test_meta_sides(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    bridged(a, b, "7405")
    pair = events.wait_event("CHANNEL_BRIDGE")
    a_uuid, b_uuid = pair["Bridge-A-Unique-ID"], pair["Bridge-B-Unique-ID"]
    for who, keys, what, where in ((a, "*1", "same=yes", a_uuid), (b, "*1", "same=yes", b_uuid), (a, "*2", "other=yes", b_uuid),
                                   (b, "*2", "other=yes", a_uuid), (a, "*3", "on_b=yes", b_uuid), (b, "*4", "on_a=yes", a_uuid)):
        who.talk.press(keys)
        assert executed(events, what)["Unique-ID"] == where, keys
    a.talk.press("*5*5*6")
    events.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="unbind_meta_app")
    assert sw.api(f"uuid_getvar {a_uuid} once") == "1"
    a.talk.press("*1*2")
    assert executed(events, "other=yes")["Unique-ID"] == b_uuid
    assert a.talk.digits() == b.talk.digits() == ""
    talks(a, b)


def test_wrong_use(sw, phone, events):
    a = phone("1000")
    call_and_talk(a, "bad")
    events.wait_event("CHANNEL_PARK")
    sw.wait_log("USAGE <realm>,<digits|~regex>,<string>")
    sw.wait_log("bind_digit_action: ~(:")
    sw.wait_log("Cannot bind execute to multiple legs")
