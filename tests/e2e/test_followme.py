"""Follow me: a user's list of numbers, in order or at once, confirmed by a key."""
import pytest
import tandem as t
from calls import accept, cancelled, ended, extension, is_pair, talks, write_extensions

pytestmark = pytest.mark.leaks
USER = "1000@127.0.0.1"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("followme") / "instance")
    write_extensions(s, [
        extension("7300", "set hangup_after_bridge=true", "set continue_on_fail=true", f"followme {USER}", "set went=past", "park"),
        extension("5(100[12])", "bridge user/$1")])
    s.start()
    yield s
    s.stop()


@pytest.fixture(autouse=True)
def clean(sw):
    yield
    sw.api("hupall")
    sw.wait_calls(0)
    for name in ("followme:1", "followme:2", "followme-at-once", "followme-confirm", "followme-time", "followme-after:2"):
        sw.api(f"features clear {USER} {name}")


def put(sw, **values):
    for name, value in values.items():
        name = name.replace("__", ":").replace("_", "-")
        assert sw.api(f"features set {USER} {name} {value}") == "+OK\n", name


def ring(p):
    invite = p.expect(method="INVITE")
    p.reply(invite, 180, "Ringing")
    return invite


def test_in_order(sw, phone):
    put(sw, followme__1="51001", followme__2="51002", followme_time="5", followme_confirm="false")
    a, b, c = phone("1003", 400), phone("1001", 500), phone("1002", 700)
    a.invite("7300")
    first = ring(b)
    cancelled(b, first)
    accept(c, c.expect(method="INVITE"))
    a.answered()
    talks(a)
    is_pair(a, c)
    c.bye()
    ended(a)


def test_at_once_with_a_key(sw, phone):
    put(sw, followme__1="51001", followme__2="51002", followme_at_once="true")
    a, b, c = phone("1003", 400), phone("1001", 500), phone("1002", 700)
    a.invite("7300")
    first, second = ring(b), ring(c)
    accept(c, second)
    c.talk.hears(600)
    c.talk.press("1")
    cancelled(b, first)
    a.answered()
    talks(a)
    is_pair(a, c)
    a.bye()
    ended(c)


def test_nothing_is_set(sw, phone):
    e = sw.esl()
    e.subscribe("CHANNEL_PARK")
    a = phone("1003", 400)
    a.invite("7300")
    parked = e.wait_event("CHANNEL_PARK")
    assert (parked["variable_went"], parked["variable_feature_result"]) == ("past", "empty")
    e.close()
