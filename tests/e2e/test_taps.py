"""What looks into or changes the sound of a running call: digits kept from the other side, spies, displaced sound, levels, recordings,
detectors. Scripted phones that say tones and measure what they hear."""
import pytest
from talk import Talker
from test_dialplan_apps import extension
from wire import Phone

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("taps") / "instance")
    extensions = [
        extension("7200", "bind_meta_app 1 a s set::was_bound=yes", "bridge user/1001"),
    ]
    (s.root / "conf/dialplan/default/taps.xml").write_text("\n".join(["<include>", *extensions, "</include>"]))
    s.start()
    yield s
    s.stop()


@pytest.fixture
def phone(sw):
    """phone(user): registered; everything it started is over at the end, and no port is left in use."""
    made = []

    def make(user, hz=0):
        p = Phone(sw, user)
        p.register()
        p.talk = None
        p.hz = hz
        made.append(p)
        return p
    yield make
    for p in made:
        if p.talk:
            p.talk.stop()
        p.close()
        sw.api(f"sofia profile internal flush_inbound_reg {p.user}@{sw.domain}")
    sw.api("hupall")
    sw.wait_calls(0)


def call(p, number):
    p.invite(number)
    p.answered()
    p.talk = Talker(p, p.hz)


def bridged(a, b, number):
    """a calls number, which rings b; both talk."""
    a.invite(number)
    b.take()
    a.answered()
    a.talk, b.talk = Talker(a, a.hz), Talker(b, b.hz)
    a.talk.hears(b.hz)
    b.talk.hears(a.hz)
    return a, b


def test_bound_keys_stay_here(sw, phone):
    """*1 is a's binding: b sees neither key, but every other, with its length; b's own keys go through as they come."""
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE_COMPLETE DTMF")
    a, b = bridged(phone("1000", 440), phone("1001", 700), "7200")
    a.talk.press("*1")
    done = events.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="set")
    assert done["variable_was_bound"] == "yes"
    a.talk.press("5", ms=240)
    b.talk.wait_digits("5")
    assert 1800 <= b.talk.events[0][2] <= 2100
    a.talk.press("**7")  # a second * is meant for the other side
    b.talk.wait_digits("5*7")
    a.talk.press("*89")  # nothing is bound to 8
    b.talk.wait_digits("5*79")
    b.talk.press("*1")
    a.talk.wait_digits("*1")
    a.talk.hears(700)
    b.talk.hears(440)
    events.close()
    a.bye()
