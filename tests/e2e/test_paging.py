"""Paging to a group by auto-answer, intercom and group pick-up: the example dialplan, what phones are sent, who hears whom, how it ends."""
import pytest
import tandem as t
from calls import call, cancelled, ended, is_pair, talks
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("paging") / "instance")
    path = s.root / "conf/dialplan/default.xml"
    text = path.read_text()
    mark = '<context name="default">\n'
    assert text.count(mark) == 1
    path.write_text(text.replace(mark, mark + '<X-PRE-PROCESS cmd="include" data="examples/paging.inc"/>\n'))
    s.start()
    yield s
    s.stop()


def asked(invite):
    """To answer by itself, in the ways that phones know."""
    return (invite.first.split()[1].endswith(";intercom=true"), invite.get("Call-Info"), invite.get("Alert-Info")) == \
        (True, "<sip:127.0.0.1>;answer-after=0", "<http://localhost>;info=alert-autoanswer")


def answers(p):
    invite = p.expect(method="INVITE")
    assert asked(invite), invite
    p.reply(invite, 200, "OK", sdp(p.rtp_port))
    p.expect(method="ACK")
    p.enter(invite)
    talks(p)
    return invite


def test_a_page(sw, phone):
    """All hear the pager and nobody else, he hears nobody; who is busy, or is not there, is in nobody's way; it ends with him."""
    a, b, c, d = [phone(u, hz=hz) for u, hz in (("1000", 400), ("1001", 700), ("1002", 1100), ("1003", 1500))]
    call(a, "*47")
    talks(a)
    invite = answers(b)
    assert '"Page" <sip:1000@' in invite.get("From")
    answers(c)
    busy = d.expect(method="INVITE")
    d.reply(busy, 486, "Busy Here")
    d.expect(method="ACK")
    b.talk.hears(400, absent=(1100,))
    c.talk.hears(400, absent=(700,))
    a.talk.hears_nothing()
    a.expect_nothing("INVITE", 0.2)  # his own phone is left out
    a.bye()
    ended(b)
    ended(c)
    sw.wait_calls(0)


def test_one_of_them_goes(sw, phone):
    """The page goes on for the others."""
    a, b, c = [phone(u, hz=hz) for u, hz in (("1000", 400), ("1001", 700), ("1002", 1100))]
    call(a, "*47")
    talks(a)
    answers(b)
    answers(c)
    b.talk.hears(400)
    b.bye()
    c.talk.hears(400)
    a.bye()
    ended(c)
    sw.wait_calls(0)


def test_nobody_is_there(sw, phone):
    """The caller is alone, until he hangs up."""
    a = phone("1000", hz=400)
    call(a, "*47")
    a.bye()
    sw.wait_calls(0)


def test_intercom(sw, phone):
    a, b = phone("1000", hz=400), phone("1001", hz=700)
    a.invite("*481001")
    answers(b)
    a.answered()
    talks(a)
    is_pair(a, b)
    a.bye()
    ended(b)


def test_group_pickup(sw, phone):
    a, b, c = phone("1000", hz=400), phone("1001", hz=700), phone("1002", hz=1100)
    a.invite("1001")
    ring = b.expect(method="INVITE")
    b.reply(ring, 180, "Ringing")
    a.expect(183)
    call(c, "*8")
    cancelled(b, ring)
    a.answered()
    talks(a, c)
    is_pair(a, c)
    a.bye()
    ended(c)


def test_nothing_to_pick_up(sw, phone):
    c = phone("1002")
    c.invite("*8")
    c.ack_failure(c.expect(404))
