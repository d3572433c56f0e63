"""More numbers of the stock dialplan that are conferences: 35NN, 0911 to 0913 (30NN to 33NN: test_conference_conf.py)."""
import pytest
import tandem as t
from calls import call_and_talk, ended, talks
from wire import Phone

pytestmark = pytest.mark.skipif(t.VANILLA.parent != t.SHARED, reason=t.NO_SHARED)
CONF = "conference::maintenance"


class Elsewhere(Phone):
    host = "127.0.0.2"


@pytest.fixture(scope="module")
def sw(tandem_vanilla):
    return tandem_vanilla


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe(f"CUSTOM {CONF}")
    yield e
    e.close()


def told(events, action, **more):
    return events.wait_event("CUSTOM", Event_Subclass=CONF, Action=action, **more)


def test_room_with_video(sw, phone, events):
    """Without it, a room as another."""
    a = phone("1000", 400)
    call_and_talk(a, "3512")
    room = told(events, "add-member")["Conference-Name"]
    assert sw.api(f"conference {room} get rate") == "48000" and sw.api(f"conference {room} get profile_name") == "video-mcu-stereo"
    a.bye()
    told(events, "conference-destroy")


def test_mad_boss(sw, phone, events):
    """0911 calls the group; who is called is muted, hears the boss, and is sent home when he goes."""
    boss = phone("1002", 400)
    same = phone("1003", 700)  # at the boss's address: sip_exclude_contact
    staff = phone("1000", 500, kind=Elsewhere)  # of the group sales
    call_and_talk(boss, "0911")
    assert told(events, "add-member")["Hear"] == "false"
    staff.take(ring=False)
    talks(staff)
    assert told(events, "bgdial-result")["Result"] == "SUCCESS"
    assert told(events, "add-member", Conference_Size="2")["Speak"] == "false"
    staff.talk.hears(400)
    same.expect_nothing("INVITE", 0.2)
    boss.bye()
    ended(staff)


@pytest.mark.parametrize("number", ["0912", "0913"])
def test_boss_and_music(sw, phone, events, number):
    """They call a loopback leg that plays music."""
    boss = phone("1002", 400)
    call_and_talk(boss, number)
    told(events, "add-member")
    assert told(events, "bgdial-result")["Result"] == "SUCCESS"
    told(events, "add-member", Conference_Size="2")
