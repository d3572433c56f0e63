"""Hot-desking: a user logs in on another phone, which rings and calls for him; pins are bounded; a restart keeps it."""
import pytest
import tandem as t
from calls import accept, call_and_talk, ended, extension, write_extensions

pytestmark = pytest.mark.leaks
D = "@127.0.0.1"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("hotdesk") / "instance")
    write_extensions(s, [
        extension("7400", "answer", "hotdesk login", "park"),
        extension("7401", "answer", "hotdesk logout", "park"),
        extension("7402", "hotdesk apply", "park"),
        extension("74(100[0-9])", "feature_incoming $1", "set hangup_after_bridge=true", "bridge ${feature_dial}")])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def parked(sw):
    e = sw.esl()
    e.subscribe("CHANNEL_PARK")
    yield lambda: e.wait_event("CHANNEL_PARK")
    e.close()
    sw.api("hupall")
    sw.wait_calls(0)


def test_login_rings_and_calls(sw, phone, parked):
    assert sw.api(f"features set 1005{D} lock-pin 4711") == "+OK\n"
    a, b = phone("1000", 400), phone("1001", 500)
    call_and_talk(a, "7400")
    a.talk.press("1005#0000#4711#")
    assert parked()["variable_feature_result"] == "done"
    a.bye()
    assert sw.api(f"hotdesk show 1005{D}") == "at,1000\nuser,\n" and sw.api(f"hotdesk show 1000{D}") == "at,\nuser,1005\n"
    b.invite("741005")
    accept(a, a.expect(method="INVITE"))
    b.answered()
    b.bye()
    ended(a)
    a.invite("7402")
    e = parked()
    assert (e["variable_user_name"], e["variable_hotdesk_user"], e["variable_hotdesk_device"]) == ("1005", f"1005{D}", f"1000{D}")
    sw.api("hupall")
    sw.stop()
    sw.start()
    assert sw.api(f"hotdesk show 1005{D}") == "at,1000\nuser,\n"


def test_logout_by_phone_and_command(sw, phone, parked):
    a = phone("1000", 400)
    assert sw.api(f"hotdesk login 1000{D} 1006") == "+OK\n"
    call_and_talk(a, "7401")
    assert parked()["variable_feature_result"] == "done"
    assert sw.api(f"hotdesk show 1006{D}") == "at,\nuser,\n"
    sw.api(f"hotdesk login 1000{D} 1006")
    sw.api(f"hotdesk login 1001{D} 1006")  # he leaves the first phone
    assert sw.api(f"hotdesk show 1000{D}") == "at,\nuser,\n" and sw.api(f"hotdesk show 1006{D}") == "at,1001\nuser,\n"
    assert sw.api(f"hotdesk logout 1001{D}") == "+OK\n" and sw.api(f"hotdesk show 1006{D}") == "at,\nuser,\n"
    assert sw.api(f"hotdesk login nobody{D} 1006").startswith("-ERR")


def test_pins_are_bounded(sw, phone, parked):
    sw.api(f"features set 1007{D} lock-pin 1234")
    a = phone("1000", 400)
    for keys in ("1007#1#2#3#", "1007#4#5#1234#", "1007#1234#1234#1234#"):
        call_and_talk(a, "7400")
        a.talk.press(keys)
        assert parked()["variable_feature_result"] == "wrong"
        a.bye()
        sw.wait_calls(0)
    assert sw.api(f"hotdesk show 1007{D}") == "at,\nuser,\n"
