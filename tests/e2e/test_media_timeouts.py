"""Calls from which no RTP comes any more: media_timeout and its older names, as variables and of a profile, in a call and on hold."""
import time

import pytest
from calls import bridged, call_and_talk, ended, extension, is_pair, write_extensions
from talk import Talker
from wire import sdp

pytestmark = pytest.mark.leaks

VARIABLES = [("media_timeout", "1000"), ("media_timeout_audio", "1000"), ("rtp_timeout_sec", "1")]
HOLD = [("media_hold_timeout", "1000"), ("rtp_hold_timeout_sec", "1"), ("media_hold_timeout_audio", "1000")]
PROFILE = [("media_timeout", "2000"), ("media-timeout", "2000"), ("rtp-timeout-sec", "2"), ("rtp_timeout_sec", "2")]


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("timeouts") / "instance")
    write_extensions(s, [
        *[extension(f"771{i}", f"set {n}={v}", "answer", "park") for i, (n, v) in enumerate(VARIABLES)],
        *[extension(f"772{i}", "set media_timeout=60000", f"set {n}={v}", "answer", "park") for i, (n, v) in enumerate(HOLD)],
        extension("7730", "bridge {media_timeout=1000}user/1001@$${domain}"),
        extension("7731", "set media_timeout=1000", "pre_answer", "sleep 2500", "answer", "park"),
        extension("7732", "set media_timeout=1000", "answer", "park"),
        extension("7733", "set media_timeout=junk", "answer", "park"),
        extension("7734", "answer", "park"),
        extension("7735", "set media_timeout=200", "set media_hold_timeout=0", "answer", "park"),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def hangups(sw):
    e = sw.esl()
    e.subscribe("CHANNEL_HANGUP_COMPLETE")
    yield e
    e.close()


def silent(p):
    p.talk.stop()
    p.talk = None


def is_timeout(p, hangups):
    bye = ended(p, timeout=15)
    assert "MEDIA_TIMEOUT" in bye.get("Reason")
    assert hangups.wait_event("CHANNEL_HANGUP_COMPLETE")["Hangup-Cause"] == "MEDIA_TIMEOUT"


@pytest.mark.parametrize("i", range(len(VARIABLES)), ids=[n for n, _ in VARIABLES])
def test_a_variable(sw, phone, hangups, i):
    a = call_and_talk(phone("1000", hz=700), f"771{i}")
    a.talk.say(2.5)  # it lives while there is sound
    silent(a)
    is_timeout(a, hangups)


def test_a_call_that_never_had_any(sw, phone, hangups):
    a = phone("1000")
    a.invite("7732")
    a.answered()
    is_timeout(a, hangups)


@pytest.mark.parametrize("i", range(len(HOLD)), ids=[n for n, _ in HOLD])
@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_on_hold(sw, phone, hangups, i, direction):
    a = call_and_talk(phone("1000", hz=700), f"772{i}")
    a.request("INVITE", body=sdp(a.rtp_port, direction=direction, version=2))
    a.answered()
    silent(a)
    is_timeout(a, hangups)


def test_on_hold_ten_times_as_long(sw, phone, hangups):
    """Where the hold has no limit of its own, as in FreeSWITCH."""
    a = call_and_talk(phone("1000", hz=700), "7735")
    a.request("INVITE", body=sdp(a.rtp_port, direction="inactive", version=2))
    a.answered()
    began = time.monotonic()
    silent(a)
    is_timeout(a, hangups)
    assert time.monotonic() - began > 1.5, "not the 0.2 s of a call"


def test_of_the_leg_that_is_dialled(sw, phone, hangups):
    a, b = bridged(phone("1000", hz=500), phone("1001", hz=900), "7730")
    silent(b)
    is_timeout(b, hangups)
    ended(a)


def test_a_phone_that_has_not_answered_need_not_send(sw, phone, hangups):
    """Early media for longer than the time: it counts from the answer on."""
    a = phone("1000", hz=700)
    a.invite("7731")
    a.expect(183)
    a.answered()
    a.talk = Talker(a, a.hz)
    a.talk.say(2)
    a.bye()
    assert hangups.wait_event("CHANNEL_HANGUP_COMPLETE")["Hangup-Cause"] == "NORMAL_CLEARING"


def test_what_is_no_number(sw, phone):
    a = call_and_talk(phone("1000", hz=700), "7733")
    sw.wait_log('media_timeout: "junk" is no number')
    a.bye()


@pytest.mark.parametrize("name,value", PROFILE, ids=[n for n, _ in PROFILE])
def test_a_profile_parameter(fresh, phone, name, value):
    internal = fresh.root / "conf/sip_profiles/internal.xml"
    internal.write_text(internal.read_text().replace("</settings>", f'<param name="{name}" value="{value}"/></settings>', 1))
    write_extensions(fresh, [extension("7734", "answer", "park")])
    fresh.start()
    e = fresh.esl()
    e.subscribe("CHANNEL_HANGUP_COMPLETE")
    a = call_and_talk(phone("1000", hz=700, switch=fresh), "7734")
    silent(a)
    is_timeout(a, e)
    e.close()
