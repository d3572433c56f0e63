"""Camping on: the caller of a busy phone waits to music until it is free, presses the key, or is sent elsewhere."""
import pytest
import tandem as t
from calls import accept, ended, extension, is_pair, talks, write_extensions

pytestmark = pytest.mark.leaks
MUSIC = "tone_stream://%(10000,0,1600);loops=-1"
CAMP = ("set hangup_after_bridge=true", "set continue_on_fail=true", "set campon=true", f"set campon_hold_music={MUSIC}", "set campon_sleep=1")


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("campon") / "instance")
    write_extensions(s, [
        extension("7200", *CAMP, "answer", "bridge user/1001", "set went=past", "park"),
        extension("7201", *CAMP, "answer", "set campon_retries=1", "set campon_fallback_exten=elsewhere", "bridge user/1001", "park"),
        extension("7202", *CAMP, "answer", "set campon_sleep=100", "set campon_stop_key=#", "bridge user/1001", "set went=past", "park"),
        extension("7203", *CAMP, "answer", "set campon_stop_key=#", "set campon_fallback_exten=elsewhere", "bridge user/1001", "park"),
        extension("elsewhere", "set went=elsewhere", "park")])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def parked(sw):
    e = sw.esl()
    e.subscribe("CHANNEL_PARK")
    yield lambda: e.wait_event("CHANNEL_PARK")["variable_went"]
    e.close()
    sw.api("hupall")
    sw.wait_calls(0)


def busy(p):
    invite = p.expect(method="INVITE")
    p.reply(invite, 486, "Busy Here")
    p.expect(method="ACK")


def caller(phone, number):
    a, b = phone("1000", 400), phone("1001", 500)
    a.invite(number)
    a.answered()
    talks(a)
    busy(b)
    return a, b


def test_tried_until_it_is_free(phone, parked):
    a, b = caller(phone, "7200")
    a.talk.hears(1600)
    busy(b)
    a.talk.hears(1600)
    accept(b, b.expect(method="INVITE"))
    is_pair(a, b)
    b.bye()
    ended(a)


def test_elsewhere_after_the_last_try(phone, parked):
    a, b = caller(phone, "7201")
    busy(b)
    assert parked() == "elsewhere"


def test_the_key_between_two_tries(phone, parked):
    a, _ = caller(phone, "7202")
    a.talk.hears(1600)
    a.talk.press("5#")
    assert parked() == "past"


def test_the_key_while_it_rings(phone, parked):
    a, b = caller(phone, "7203")
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, "Ringing")
    a.talk.hears(1600)
    a.talk.press("#")
    b.expect(method="CANCEL")
    assert parked() == "elsewhere"


def test_the_caller_hangs_up(sw, phone, parked):
    a, _ = caller(phone, "7202")
    a.bye()
    sw.wait_calls(0)
