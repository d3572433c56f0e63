"""A re-INVITE without SDP: we offer in the 200, the answer comes in the ACK (RFC 3261 14.1, RFC 3264 6, RFC 6337 2.2). Call managers and
border elements resume, move and transfer so, from either side of a call; in bypass the two phones agree through us."""
import re
import socket

import pytest
from calls import bridged, ended, extension, is_pair, uuid_of, write_extensions
from talk import Talker
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("offerless") / "instance")
    write_extensions(s, [extension("7301", "set bypass_media=true", "bridge user/1001@$${domain}")])
    s.start()
    yield s
    s.stop()


class Side:
    """One phone of a call, whichever side it is on."""

    def __init__(self, p, is_caller):
        self.p, self.ask = p, p.request if is_caller else p.own_request

    def reinvite(self, body=""):
        self.ask("INVITE", body=body)
        return self.p.expect(200)

    def ack(self, ok, body=""):
        self.ask("ACK", cseq=int(ok.get("CSeq").split()[0]), body=body)
        if "m=audio" in ok.body:
            self.p.remote_rtp = port_of(ok.body)

    def move(self):
        """Its media goes to another port from now on."""
        self.p.talk.stop()
        self.p.media.close()
        self.p.media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.p.media.bind(("127.0.0.1", 0))
        self.p.rtp_port = self.p.media.getsockname()[1]
        self.p.talk = Talker(self.p, self.p.hz)


def port_of(text):
    return int(re.search(r"m=audio (\d+)", text).group(1))


def sides(phone):
    a, b = bridged(phone("1000", hz=500), phone("1001", hz=900), "1001")
    return a, b, {"caller": Side(a, True), "callee": Side(b, False)}


@pytest.mark.parametrize("who", ["caller", "callee"])
@pytest.mark.parametrize("before", [None, "sendonly", "inactive"])
@pytest.mark.parametrize("moves", [False, True])
def test_the_answer_in_the_ack_is_in_force(sw, phone, who, before, moves):
    a, b, both = sides(phone)
    x = both[who]
    uuid = uuid_of(sw, x.p.user, "inbound" if who == "caller" else None) if who == "caller" else \
        [r.split(",")[0] for r in sw.api("show channels").splitlines() if ",outbound," in r][0]
    if before:
        x.ack(x.reinvite(sdp(x.p.rtp_port, direction=before, version=2)))
        assert "HELD" in sw.api("show channels")
    ok = x.reinvite()
    assert "m=audio" in ok.body and "a=sendonly" not in ok.body and "a=inactive" not in ok.body
    if moves:
        x.move()
    x.ack(ok, sdp(x.p.rtp_port, version=9))
    is_pair(a, b)
    assert sw.api(f"uuid_getvar {uuid} remote_media_port") == str(x.p.rtp_port)
    assert "HELD" not in sw.api("show channels")
    a.bye()
    ended(b)


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_held_by_the_answer_in_the_ack(sw, phone, who):
    a, b, both = sides(phone)
    x = both[who]
    x.ack(x.reinvite(), sdp(x.p.rtp_port, direction="inactive", version=2))
    x.ack(x.reinvite(), sdp(x.p.rtp_port, direction="inactive", version=2))
    assert sw.api("show channels").count("HELD") == 1
    x.ack(x.reinvite(), sdp(x.p.rtp_port, version=3))
    is_pair(a, b)
    assert "HELD" not in sw.api("show channels")
    a.bye()
    ended(b)


@pytest.mark.parametrize("who", ["caller", "callee"])
@pytest.mark.parametrize("answer", ["", "v=0\r\nnothing\r\n", "g729"])
def test_no_answer_or_one_that_does_not_fit(sw, phone, who, answer):
    """The session stays as it was."""
    a, b, both = sides(phone)
    x = both[who]
    x.ack(x.reinvite(), sdp(x.p.rtp_port, formats=(18,), version=2) if answer == "g729" else answer)
    is_pair(a, b)
    x.ack(x.reinvite(), sdp(x.p.rtp_port, version=3))
    is_pair(a, b)
    a.bye()
    ended(b)


def test_our_hold_stays(sw, phone):
    """What we hold is offered sendonly; the phone's question does not end the hold."""
    a, b, both = sides(phone)
    uuid = [r.split(",")[0] for r in sw.api("show channels").splitlines() if ",outbound," in r][0]
    sw.api(f"uuid_hold {uuid}")
    hold = b.expect(method="INVITE")
    assert "a=sendonly" in hold.body
    b.reply(hold, 200, "OK", sdp(b.rtp_port, direction="recvonly", version=2))
    b.expect(method="ACK")
    ok = both["callee"].reinvite()
    assert "a=sendonly" in ok.body
    both["callee"].ack(ok, sdp(b.rtp_port, direction="recvonly", version=3))
    sw.api(f"uuid_hold off {uuid}")
    resume = b.expect(method="INVITE")
    assert "a=sendonly" not in resume.body
    b.reply(resume, 200, "OK", sdp(b.rtp_port, version=4))
    b.expect(method="ACK")
    is_pair(a, b)
    a.bye()
    ended(b)


# ---- bypass: offer and answer travel through us
def in_bypass(phone):
    a, b = phone("1000"), phone("1001")
    a.invite("7301")
    b.take()
    a.answered()
    return a, b, {"caller": (Side(a, True), Side(b, False)), "callee": (Side(b, False), Side(a, True))}


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_bypass_asks_the_other_phone(sw, phone, who):
    a, b, both = in_bypass(phone)
    x, y = both[who]
    x.ask("INVITE")
    asked = y.p.expect(method="INVITE")
    assert not asked.body and "Content-Type" not in "\n".join(asked.lines)
    y.p.reply(asked, 200, "OK", sdp(9440, formats=(0, 8, 18, 101), version=2))
    ok = x.p.expect(200)
    assert port_of(ok.body) == 9440 and "18" in ok.body
    y.p.expect_nothing("ACK", 0.2)  # it waits for the answer
    x.ack(ok, sdp(9444, formats=(18,), version=3))
    assert port_of(y.p.expect(method="ACK").body) == 9444
    # and again, from the other side
    y.ask("INVITE")
    asked = x.p.expect(method="INVITE")
    assert not asked.body
    x.p.reply(asked, 200, "OK", sdp(9444, version=4))
    y.ack(y.p.expect(200), sdp(9440, version=4))
    assert port_of(x.p.expect(method="ACK").body) == 9440
    a.bye()
    ended(b)


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_bypass_refused_by_the_other_phone(sw, phone, who):
    a, b, both = in_bypass(phone)
    x, y = both[who]
    x.ask("INVITE")
    y.p.reply(y.p.expect(method="INVITE"), 488, "No")
    no = x.p.expect(488)
    x.ask("ACK", cseq=int(no.get("CSeq").split()[0]))
    a.bye()
    ended(b)


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_bypass_and_the_asker_never_acknowledges(sw, phone, who):
    """He hangs up instead: the other's 200 is acknowledged, then its call ends."""
    a, b, both = in_bypass(phone)
    x, y = both[who]
    x.ask("INVITE")
    asked = y.p.expect(method="INVITE")
    y.p.reply(asked, 200, "OK", sdp(9440, version=2))
    x.p.expect(200)
    x.ask("BYE")
    y.p.expect(method="ACK")
    ended(y.p)
    sw.wait_calls(0)
