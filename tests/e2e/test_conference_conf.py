"""The rooms of our own conf/ and of the stock configuration: 30NN to 33NN with their profiles, the default keys, and *3 that takes a call into a
room."""
import pytest
import tandem as t
from calls import bridged, call_and_talk, is_pair

CONF = "conference::maintenance"


@pytest.fixture(scope="module", params=["tandem", pytest.param(
    "tandem_vanilla", marks=pytest.mark.skipif(t.VANILLA.parent != t.SHARED, reason=t.NO_SHARED))])
def sw(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe(f"CUSTOM {CONF}")
    yield e
    e.close()


def told(events, action, **more):
    return events.wait_event("CUSTOM", Event_Subclass=CONF, Action=action, **more)


@pytest.mark.parametrize("number, rate, profile", [("3000", 8000, "default"), ("3112", 16000, "wideband"), ("3299", 32000, "ultrawideband"),
                                                   ("3312", 48000, "cdquality")])
def test_rooms(sw, phone, events, number, rate, profile):
    a, b = phone("1000", 400), phone("1001", 500)
    call_and_talk(a, number)
    room = told(events, "add-member")["Conference-Name"]
    assert room.startswith(number + "-")
    assert sw.api(f"conference {room} get rate") == str(rate)
    assert sw.api(f"conference {room} get profile_name") == profile
    call_and_talk(b, number)
    told(events, "add-member", Conference_Size="2")
    is_pair(a, b)
    a.talk.press("0")
    told(events, "mute-member")
    b.talk.press("#")
    told(events, "del-member", Conference_Size="1")
    a.bye()
    told(events, "conference-destroy")


def test_key_3_takes_both_into_a_room(sw, phone, events):
    """The called phone presses it: both are in 30NN of its number."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 650)
    bridged(a, b, "1001")
    b.talk.press("*3")
    told(events, "add-member", Conference_Size="2")
    is_pair(a, b)
    call_and_talk(c, "3001")
    told(events, "add-member", Conference_Size="3")
    for p in (a, b):
        p.talk.hears(650)
