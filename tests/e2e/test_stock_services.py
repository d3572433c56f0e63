"""Services of the stock dialplan (../shared/vanilla or tests/data/stock) as its users dial them: pickup of a ringing phone (886, *8, **NNN), parking (6000,
60NN), and the attended transfer of key *4. Scripted phones that say tones and measure what they hear."""
import pytest
from calls import ELSEWHERE, accept, bridged, cancelled, ended, is_pair, talks



@pytest.fixture(scope="module")
def sw(tandem_vanilla):
    return tandem_vanilla


@pytest.mark.parametrize("number", ["886", "*8", "**1001"])
def test_pickup(sw, phone, number):
    """1000 calls 1001, which rings; 1002 of the same group takes the call."""
    a, b, c = phone("1000", 400), phone("1001"), phone("1002", 700)
    a.invite("1001")
    ring = b.expect(method="INVITE")
    b.reply(ring, 180, "Ringing")
    a.expect(183)
    c.invite(number)
    c.answered()
    assert cancelled(b, ring).get("Reason") == ELSEWHERE
    a.answered()
    talks(a, c)
    is_pair(a, c)
    sw.wait_calls(2)
    a.bye()
    ended(c)
    sw.wait_calls(0)


def test_park(sw, phone):
    """Into slot 6001, out by dialling it; 6000 asks for the slot."""
    a, b = phone("1000", 400), phone("1001", 500)
    a.invite("6001")
    a.answered()
    talks(a)
    for number, keys in (("6001", ""), ("6000", "6002")):
        if keys:
            a.invite(keys)
            a.answered()
            a.talk.stop()
            a.talk = None
            talks(a)
        b.invite(number)
        b.answered()
        b.talk = None
        talks(b)
        if keys:
            b.talk.press(keys + "#")
        is_pair(a, b)
        b.bye()
        ended(a)
        b.talk.stop()
        sw.wait_calls(0)


def test_attended_transfer(sw, phone):
    """The called phone presses *4 and 1002, talks, and hangs up: caller and 1002 talk."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    bridged(a, b, "1001")
    b.talk.press("*4")
    b.talk.hears(350, 440, level=None, share=0.05)
    b.talk.press("1002")
    invite = c.expect(method="INVITE")
    c.reply(invite, 180, "Ringing")
    accept(c, invite)
    is_pair(b, c)
    b.own_request("BYE")
    b.expect(200)
    is_pair(a, c)
    a.bye()
    ended(c)
    sw.wait_calls(0)
