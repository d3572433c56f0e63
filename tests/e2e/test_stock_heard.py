"""Rows of the stock dialplan that say, ring or meet, dialled by a phone: what was begun is seen as events."""
import pytest
import tandem as t
from calls import call, call_and_talk, is_pair
from srtp_phone import line, new_key
from wire import sdp

pytestmark = pytest.mark.skipif(t.VANILLA.parent != t.SHARED, reason=t.NO_SHARED)
CONF = "conference::maintenance"


@pytest.fixture(scope="module")
def sw(tandem_vanilla):
    return tandem_vanilla


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe(f"CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_PROGRESS CHANNEL_HANGUP CUSTOM {CONF}")
    yield e
    e.close()


@pytest.mark.parametrize("number, room, profile", [("3600", "3600", "video-mcu-stereo-720"), ("3700", "3700", "video-mcu-stereo-480"),
                                                   ("3800", "3800", "video-mcu-stereo-320")])
def test_rooms_of_a_size(sw, phone, events, number, room, profile):
    """Without video they are rooms like others."""
    a, b = phone("1000", 400), phone("1001", 500)
    call_and_talk(a, number)
    name = events.wait_event("CUSTOM", Event_Subclass=CONF, Action="add-member")["Conference-Name"]
    assert name == room and sw.api(f"conference {name} get profile_name") == profile
    call_and_talk(b, number)
    events.wait_event("CUSTOM", Event_Subclass=CONF, Action="add-member", Conference_Size="2")
    is_pair(a, b)


@pytest.mark.parametrize("number, application, data", [
    ("5000", "ivr", "demo_ivr"), ("9170", "say", "en CURRENT_TIME"), ("9171", "say", "en CURRENT_DATE"),
    ("9172", "say", "en CURRENT_DATE_TIME"), ("9386", "playback", "phrase:funny_prompts"), ("4000", "voicemail", "check default")])
def test_what_speaks(sw, phone, events, number, application, data):
    a = call(phone("1000"), number)
    e = events.wait_event("CHANNEL_EXECUTE", Application=application)
    assert e["Application-Data"].startswith(data)
    a.bye()
    assert events.wait_event("CHANNEL_HANGUP")["Hangup-Cause"] == "NORMAL_CLEARING"


def test_ringing_only(sw, phone, events):
    a = phone("1000")
    a.invite("9180")
    assert events.wait_event("CHANNEL_EXECUTE", Application="ring_ready")
    events.wait_event("CHANNEL_PROGRESS")
    a.cancel()
    events.wait_event("CHANNEL_HANGUP")


def test_music_for_who_is_encrypted(sw, phone, events):
    """9664 asks is_secure first, which says nothing: the keys came over UDP."""
    a = phone("1000")
    suite = "AES_CM_128_HMAC_SHA1_80"
    a.invite("9664", sdp(a.rtp_port).replace("RTP/AVP", "RTP/SAVP") + line(1, suite, new_key(suite)) + "\r\n")
    assert "RTP/SAVP" in a.answered().body
    names = []
    while not names or names[-1] != "playback":
        e = events.wait_event("CHANNEL_EXECUTE")
        names.append(e["Application"])
        if names[-1] in ("set", "execute_extension"):
            names[-1] += " " + e["Application-Data"]
    assert "set rtp_secure_media=true" in names
    assert names[-3:] == ["answer", "execute_extension is_secure XML features", "playback"]
    a.bye()
