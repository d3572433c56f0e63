"""Transfers as phones ask for them: REFER by either side, attended with Replaces, INVITE with Replaces, and what is refused."""
import re
from urllib.parse import quote

import pytest
from calls import arrives, ended, refer, replaces_of, second_line
from wire import Phone, sdp

pytestmark = pytest.mark.leaks


def call(phone, a, b):
    a.invite(b.user)
    b.take()
    return a.answered()


def test_blind_by_the_caller(tandem, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    call(phone, a, b)
    notify = refer(a, "<sip:1002@127.0.0.1>")
    assert notify.body == "SIP/2.0 200 OK\r\n"
    invite = c.expect(method="INVITE")
    assert invite.get("Referred-By") == "<sip:1000@127.0.0.1>"
    assert "sip:1001@" in invite.get("From"), invite.get("From")
    assert "NORMAL_CLEARING" in ended(a).get("Reason")
    c.reply(invite, 180, "Ringing")
    c.reply(invite, 200, "OK", sdp(c.rtp_port))
    c.expect(method="ACK")
    c.enter(invite)
    assert arrives(b, c) and arrives(c, b)
    uuid = [l for l in tandem.api("show channels as delim |").split("\n") if "/1001" in l][0].split("|")[0]
    assert tandem.api(f"uuid_getvar {uuid} sip_refer_to") == "<sip:1002@127.0.0.1>"
    c.own_request("BYE")
    c.expect(200)
    ended(b)
    tandem.wait_calls(0)


def test_blind_by_the_callee(tandem, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    call(phone, a, b)
    assert refer(b, "<sip:1002@127.0.0.1>", by_callee=True).body == "SIP/2.0 200 OK\r\n"
    ended(b)
    invite = c.take()
    assert invite.get("Referred-By") == "<sip:1001@127.0.0.1>" and "sip:1000@" in invite.get("From")
    assert arrives(a, c) and arrives(c, a)
    a.bye()
    ended(c)
    tandem.wait_calls(0)


def test_attended(tandem, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    call(phone, a, b)
    line = second_line(tandem, a, c)
    notify = refer(a, f"<sip:1002@127.0.0.1?Replaces={quote(replaces_of(line), safe='')}>")
    assert notify.body == "SIP/2.0 200 OK\r\n"
    ended(line)
    ended(a)
    assert arrives(b, c) and arrives(c, b)
    tandem.wait_calls(2)
    c.own_request("BYE")
    c.expect(200)
    ended(b)
    tandem.wait_calls(0)
    line.close()


def test_attended_of_two_calls_that_came(tandem, phone):
    """The transferring phone is the callee of both."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    call(phone, b, a)
    first = (a.call_id, a.target, a.peer_to, a._from)
    call(phone, c, a)
    second_id, second_to, second_from = a.call_id, a.peer_to, a._from
    a.call_id, a.target, a.peer_to, a._from = first
    a.cseq = 200
    our = re.search("tag=([^;]+)", second_to).group(1)
    replaces = f"{second_id};to-tag={our};from-tag={a.tag}"
    assert second_from
    assert refer(a, f"<sip:1002@127.0.0.1?Replaces={quote(replaces, safe='')}>", by_callee=True).body == "SIP/2.0 200 OK\r\n"
    ended(a)
    ended(a)
    assert arrives(b, c) and arrives(c, b)
    b.bye()
    ended(c)
    tandem.wait_calls(0)


def test_attended_while_it_still_rings(tandem, phone):
    """The second call is not answered yet: B is sent to its number, the ringing one is given up."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    call(phone, a, b)
    line = Phone(tandem, "1000")
    line.invite("1002")
    first = c.expect(method="INVITE")
    c.reply(first, 180, "Ringing")
    line.peer_to = line.expect(183).get("To")
    notify = refer(a, f"<sip:1002@127.0.0.1?Replaces={quote(replaces_of(line), safe='')}>")
    assert notify.body == "SIP/2.0 200 OK\r\n"
    ended(a)
    cancel = c.expect(method="CANCEL")
    c.reply(cancel, 200, "OK", tag=False)
    c.reply(first, 487, "Request Terminated")
    c.expect(method="ACK")
    line.ack_failure(next(m for m in (line._read(8) for _ in range(5)) if m.code >= 300))
    c.take()
    assert arrives(b, c) and arrives(c, b)
    b.bye()
    ended(c)
    tandem.wait_calls(0)
    line.close()


def test_invite_with_replaces(tandem, phone):
    """A third phone takes A's place in the call with B."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    call(phone, a, b)
    c.invite("1001", extra=f"Replaces: {replaces_of(a)}\n")
    c.answered()
    ended(a)
    assert arrives(b, c) and arrives(c, b)
    c.bye()
    ended(b)
    tandem.wait_calls(0)


def test_invite_that_replaces_nothing(tandem, phone):
    c = phone("1002")
    c.invite("1001", extra="Replaces: nosuch;to-tag=a;from-tag=b\n")
    c.ack_failure(c.expect(481))
    c.invite("1001", extra="Replaces: nosuch\n")
    c.ack_failure(c.expect(400))
    tandem.wait_calls(0)


def test_refused(tandem, phone):
    a, b = phone("1000"), phone("1001")
    call(phone, a, b)
    for bad in ("<http://example.com>", "nonsense <", "<sip:127.0.0.1>"):
        refer(a, bad, code=400)
    assert arrives(a, b)
    a.bye()
    ended(b)
    # nobody to transfer: the call goes on
    a.invite("9196")
    a.answered()
    assert refer(a, "<sip:1001@127.0.0.1>").body == "SIP/2.0 403 Forbidden\r\n"
    assert arrives(a, a)
    a.bye()
    tandem.wait_calls(0)


def test_a_stranger_cannot_refer(tandem, phone):
    """Outside of a dialog the answer is a challenge; inside of none of ours too."""
    a, b = phone("1000"), phone("1001")
    call(phone, a, b)
    stranger = Phone(tandem, "1005")
    stranger.request("REFER", "sip:1001@127.0.0.1", "<sip:1001@127.0.0.1>", "unknown", extra="Refer-To: <sip:1002@127.0.0.1>\n")
    stranger.expect(407)
    stranger.request("REFER", a.target, a.peer_to, a.call_id, extra="Refer-To: <sip:1002@127.0.0.1>\n")
    stranger.expect(407)
    stranger.close()
    assert arrives(a, b)
    a.bye()
    ended(b)
