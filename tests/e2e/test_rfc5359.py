"""RFC 5359's service examples with scripted phones (its numbers in the names): hold, consultation hold, music on hold, unattended and
attended transfer are here in short (test_rfc5589.py has all of them), call forwarding, three-way calls, find-me, screening of incoming and
outgoing calls, park, pickup, automatic redial, click to dial. Message waiting and single line extension are test_register's and forks'."""
import re
from urllib.parse import quote

import pytest
from calls import arrives, call, ended, extension, originate, refer, replaces_of, second_line, uuid_of, write_extensions
from talk import Talker
from wire import sdp

pytestmark = pytest.mark.leaks
USER = "user/{}@$${{domain}}".format


@pytest.fixture(scope="module", autouse=True)
def services(tandem):
    write_extensions(tandem, [
        # forwarding by the switch: unconditional, busy, no answer
        extension("7821", "transfer 1002"),
        extension("7822", "set continue_on_fail=USER_BUSY", f"bridge {USER(1001)}", f"bridge {USER(1002)}"),
        extension("7823", "set call_timeout=1", "set continue_on_fail=NO_ANSWER", f"bridge {USER(1001)}", "set call_timeout=30", f"bridge {USER(1002)}"),
        # find-me: one after the other, and all at once
        extension("7824", f"bridge [leg_timeout=1]{USER(1001)}|[leg_timeout=1]{USER(1002)}|{USER(1003)}"),
        extension("7825", f"bridge {USER(1001)},{USER(1002)},{USER(1003)}"),
        # screening: the called one accepts by a key; numbers that may not be called
        extension("7826", "set group_confirm_key=1", "set group_confirm_file=tone_stream://%(300,0,660)", f"bridge {USER(1001)}"),
        extension("7827(900\\d+)", "respond 403 Not Allowed"),
        # automatic redial: until he is free
        extension("7828", f"bridge {{originate_retries=3,originate_retry_sleep_ms=100}}{USER(1001)}"),
        extension("7829", "answer", "set hold_music=tone_stream://%(1000,0,850);loops=-1", f"bridge {USER(1001)}")], name="rfc5359")
    assert "+OK" in tandem.api("reloadxml")


def up(a, b, number=None):
    a.invite(number or b.user)
    b.take()
    return a.answered()


def over(a, b):
    a.bye()
    ended(b)


def change(p, direction, by_callee=False, version=2):
    """A re-INVITE that holds or resumes; what the answer says."""
    body = sdp(p.rtp_port, direction=direction, version=version)
    (p.own_request if by_callee else p.request)("INVITE", body=body)
    cseq = p.cseq
    ok = p.expect(200)
    (p.own_request if by_callee else p.request)("ACK", cseq=cseq)
    return ok.body


@pytest.mark.parametrize("by_callee", [False, True], ids=["caller", "callee"])
def test_2_1_hold(tandem, phone, by_callee):
    a, b = phone("1000"), phone("1001")
    up(a, b)
    who = b if by_callee else a
    assert "a=recvonly" in change(who, "sendonly", by_callee)
    assert "HELD" in tandem.api("show calls") or "HELD" in tandem.api("show channels")
    back = change(who, "sendrecv", by_callee, 3)
    assert "a=recvonly" not in back and "a=inactive" not in back
    assert arrives(a, b) and arrives(b, a)
    over(a, b)


def test_2_2_consultation_hold(tandem, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    up(a, b)
    change(a, "sendonly")
    line = second_line(tandem, a, c)
    assert arrives(line, c)
    line.bye()
    ended(c)
    change(a, "sendrecv", version=3)
    assert arrives(a, b) and arrives(b, a)
    over(a, b)
    line.close()


def test_2_3_music_on_hold(tandem, phone):
    a, b = phone("1000"), phone("1001")
    up(a, b, "7829")
    talk = Talker(b, 500)
    try:
        change(a, "sendonly")
        talk.hears(850)
        change(a, "sendrecv", version=3)
        talk.hears_nothing()
    finally:
        talk.stop()
    over(a, b)


def test_2_4_unattended_transfer(tandem, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    up(a, b)
    assert refer(b, "<sip:1002@127.0.0.1>", by_callee=True).body == "SIP/2.0 200 OK\r\n"
    ended(b)
    c.take()
    assert arrives(a, c) and arrives(c, a)
    over(a, c)


def test_2_5_attended_transfer(tandem, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    up(a, b)
    line = second_line(tandem, a, c)
    refer(a, f"<sip:1002@127.0.0.1?Replaces={quote(replaces_of(line), safe='')}>")
    ended(a)
    ended(line)
    assert arrives(b, c) and arrives(c, b)
    c.own_request("BYE")
    c.expect(200)
    ended(b)
    line.close()


def test_2_8_forward_unconditional(tandem, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    up(a, c, "7821")
    b.expect_nothing("INVITE", 0.1)
    over(a, c)


def test_2_8_forward_unconditional_by_the_phone(tandem, phone):
    """302 of the called one."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("1001")
    invite = b.expect(method="INVITE")
    moved = (f"SIP/2.0 302 Moved Temporarily\nVia: {invite.get('Via')}\nFrom: {invite.get('From')}\nTo: {invite.get('To')};tag={b.tag}\n"
             f"Call-ID: {invite.get('Call-ID')}\nCSeq: {invite.get('CSeq')}\nContact: <sip:1002@127.0.0.1>\nContent-Length: 0\n\n")
    b.send(moved)
    b.expect(method="ACK")
    c.take()
    a.answered()
    assert arrives(a, c) and arrives(c, a)
    over(a, c)


def test_2_9_forward_busy(tandem, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("7822")
    invite = b.expect(method="INVITE")
    b.reply(invite, 486, "Busy Here")
    b.expect(method="ACK")
    c.take()
    a.answered()
    assert arrives(a, c)
    over(a, c)


def test_2_10_forward_no_answer(tandem, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("7823")
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, "Ringing")
    b.reply(b.expect(method="CANCEL"), 200, "OK", tag=False)
    b.reply(invite, 487, "x")
    b.expect(method="ACK")
    c.take()
    a.answered()
    assert arrives(a, c)
    over(a, c)


@pytest.mark.parametrize("who", ["the third joins", "the third is added"])
def test_2_11_2_12_three_way(tandem, phone, who):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    up(a, b)
    talkers = []
    leg = uuid_of(tandem, "1000")
    if who == "the third joins":
        originate(tandem, f"user/1002@{tandem.domain} 'three_way:{leg}' inline")
    else:
        originate(tandem, f"user/1002@{tandem.domain} 'answer,three_way:{leg}' inline")
    c.take()
    try:
        talkers = [Talker(a, 400), Talker(b, 700), Talker(c, 1100)]
        talkers[0].hears(700, 1100)
        talkers[1].hears(400, 1100)
        talkers[2].hears(400, 700)
    finally:
        for x in talkers:
            x.stop()
    c.own_request("BYE")
    c.expect(200)
    assert arrives(a, b)
    over(a, b)


def test_2_13_find_me_one_after_the_other(tandem, phone):
    a, b, c, d = (phone(u) for u in ("1000", "1001", "1002", "1003"))
    a.invite("7824")
    for p in (b, c):
        invite = p.expect(method="INVITE")
        p.reply(invite, 180, "Ringing")
        p.reply(p.expect(method="CANCEL"), 200, "OK", tag=False)
        p.reply(invite, 487, "x")
        p.expect(method="ACK")
    d.take()
    a.answered()
    assert arrives(a, d)
    over(a, d)


def test_2_13_find_me_all_at_once(tandem, phone):
    a, b, c, d = (phone(u) for u in ("1000", "1001", "1002", "1003"))
    a.invite("7825")
    invites = {p: p.expect(method="INVITE") for p in (b, c, d)}
    for p in invites:
        p.reply(invites[p], 180, "Ringing")
    c.reply(invites[c], 200, "OK", sdp(c.rtp_port))
    c.expect(method="ACK")
    c.enter(invites[c])
    for p in (b, d):
        p.reply(p.expect(method="CANCEL"), 200, "OK", tag=False)
        p.reply(invites[p], 487, "x")
        p.expect(method="ACK")
    a.answered()
    assert arrives(a, c)
    over(a, c)


@pytest.mark.parametrize("key", ["1", None], ids=["accepted", "declined"])
def test_2_14_screening_of_incoming_calls(tandem, phone, key):
    """Who is called hears it and takes the call by a key, or does not."""
    a, b = phone("1000"), phone("1001")
    a.invite("7826")
    b.take()
    talk = Talker(b, 500)
    try:
        talk.hears(660)
        if key:
            talk.press(key)
            a.answered()
            assert arrives(a, b)
            over(a, b)
        else:
            b.own_request("BYE")
            b.expect(200)
            a.ack_failure(next(m for m in (a._read(8) for _ in range(6)) if m.code >= 300))
    finally:
        talk.stop()
    tandem.wait_calls(0)


def test_2_15_screening_of_outgoing_calls(tandem, phone):
    a = phone("1000")
    a.invite("7827900123")
    refusal = a.expect(403)
    a.ack_failure(refusal)
    assert refusal.first == "SIP/2.0 403 Not Allowed"
    tandem.wait_calls(0)


def test_2_16_park(tandem, phone):
    """The call is sent to the lot, and taken there from another phone."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    write_extensions(tandem, [extension("7830", "answer", "valet_park rfc5359 7001")], name="rfc5359_park")
    tandem.api("reloadxml")
    up(a, b)
    events = tandem.esl()
    events.subscribe("CUSTOM valet_parking::info")
    refer(b, "<sip:7830@127.0.0.1>", by_callee=True)
    ended(b)
    events.wait_event("CUSTOM", Action="hold")
    events.close()
    call(c, "7830")
    assert arrives(a, c) and arrives(c, a)
    over(c, a)


def test_2_17_pickup(tandem, phone):
    """Another phone takes the ringing call by its dialog (RFC 3891), as a lamp's key does."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("1001")
    first = b.expect(method="INVITE")
    b.reply(first, 180, "Ringing")
    ours = re.search("tag=([^;]+)", first.get("From")).group(1)
    c.invite("1001", extra=f"Replaces: {first.get('Call-ID')};to-tag={b.tag};from-tag={ours};early-only\n")
    c.answered()
    b.reply(b.expect(method="CANCEL"), 200, "OK", tag=False)
    b.reply(first, 487, "x")
    b.expect(method="ACK")
    a.answered()
    assert arrives(a, c) and arrives(c, a)
    over(c, a)


def test_2_18_automatic_redial(tandem, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("7828")
    for _ in range(2):
        invite = b.expect(method="INVITE")
        b.reply(invite, 486, "Busy Here")
        b.expect(method="ACK")
    b.take()
    a.answered()
    assert arrives(a, b)
    over(a, b)


def test_2_19_click_to_dial(tandem, phone):
    """A program rings one's own phone, and calls from there."""
    b, c = phone("1001"), phone("1002")
    job = tandem.esl()
    job.command(f"bgapi originate {{origination_caller_id_number=1002}}user/1001@{tandem.domain} 1002 XML default")
    b.take()
    c.take()
    assert arrives(b, c) and arrives(c, b)
    b.own_request("BYE")
    b.expect(200)
    ended(c)
    job.close()
    tandem.wait_calls(0)
