"""Rows of the stock dialplan that say, ring or meet, dialled by a phone: what was begun is seen as events."""
import pytest
from calls import call, call_and_talk, is_pair

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
