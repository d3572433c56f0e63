"""What one side of a call says at its end, or before its beginning, and the other side and the records learn of it: Reason, X- headers,
causes, statuses."""
import re

import pytest
import tandem as t
from calls import ended, extension, write_extensions
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("ends") / "instance", "conf")
    write_extensions(sw, [
        extension("8001", "bridge user/1001"),
        extension("8002", "set hangup_after_bridge=true", "bridge user/1001"),
        extension("8003", "set sip_copy_custom_headers=false", "bridge user/1001"),
        extension("8004", "set sip_bye_h_X-Bye=b", "export nolocal:sip_bye_h_X-BByE=bb", "bridge user/1001"),
        extension("8005", "answer", "bridge {ignore_early_media=true}user/1001"),
        extension("8006", "set continue_on_fail=true", "bridge user/1001", "bridge user/1002"),
        extension("8007", "hangup USER_BUSY"),
        extension("8008", "answer", "park"),
    ])
    sw.start()
    yield sw
    sw.stop()


@pytest.fixture
def events(sw):
    esl = sw.esl()
    esl.subscribe("CHANNEL_HANGUP_COMPLETE")
    yield esl
    esl.close()


def records(events, *directions):
    """Of the legs of one call, in whatever order they end."""
    got = {}
    for _ in directions:
        e = events.wait_event("CHANNEL_HANGUP_COMPLETE")
        got[e["Call-Direction"]] = e
    return [got[d] for d in directions]


REASONS = ['Q.850;cause=17;text="lab"', 'Q.850;cause=38', "Q.850;cause=102", 'SIP;cause=200;text="Call completed elsewhere"',
           'SIP;cause=603;text="declined, \\"really\\""']


# ---- Reason
@pytest.mark.parametrize("number", ["8001", "8002"])
@pytest.mark.parametrize("reason", REASONS)
def test_the_reason_of_a_bye_travels(sw, phone, events, number, reason):
    a, b = phone("1000"), phone("1001")
    a.invite(number)
    b.take()
    a.answered()
    b.own_request("BYE", extra=f"Reason: {reason}\n")
    b.expect(200)
    assert ended(a).all("Reason") == [reason]
    called, caller = records(events, "outbound", "inbound")
    assert called["variable_sip_reason"] == caller["variable_sip_reason"] == reason
    if number == "8002":
        assert caller["Hangup-Cause"] == called["Hangup-Cause"]


def test_the_reason_of_the_callers_bye_travels(sw, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("8001")
    b.take()
    a.answered()
    a.request("BYE", extra=f"Reason: {REASONS[0]}\n")
    a.expect(200)
    assert ended(b).all("Reason") == [REASONS[0]]


def test_the_reason_of_a_cancel_travels(sw, phone, events):
    a, b = phone("1000"), phone("1001")
    a.invite("8001")
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, "Ringing")
    a.expect(180)
    reason = 'SIP;cause=200;text="Call completed elsewhere"'
    a.request("CANCEL", a.uri, a.to, cseq=a.invite_cseq, branch=a.invite_branch, extra=f"Reason: {reason}\n")
    cancel = b.expect(method="CANCEL")
    b.reply(cancel, 200, "OK", tag=False)
    b.reply(invite, 487, "Request Terminated")
    b.expect(method="ACK")
    a.ack_failure(a.expect(487))
    assert cancel.all("Reason") == [reason]
    caller, = records(events, "inbound")
    assert (caller["variable_sip_invite_failure_status"], caller["variable_sip_invite_failure_phrase"]) == ("487", "CANCEL")


def test_what_is_no_header_value_goes_nowhere(sw, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("8001")
    b.take()
    a.answered()
    b.s.sendall((f"BYE {b.target} SIP/2.0\r\nVia: {b.via()}\r\nMax-Forwards: 70\r\nFrom: {b._from}\r\nTo: {b.peer_to}\r\nCall-ID: {b.call_id}\r\n"
                 f"CSeq: 900 BYE\r\nReason: Q.850;cause=16\x01;x\r\nX-Bad: a\x02b\r\nContent-Length: 0\r\n\r\n").encode())
    b.expect(200)
    bye = ended(a)
    assert "\x01" not in "\n".join(bye.lines) and "\x02" not in "\n".join(bye.lines)


# ---- X- headers
@pytest.mark.parametrize("number", ["8001", "8003"])
def test_headers_of_the_called_come_to_the_caller(sw, phone, number):
    a, b = phone("1000"), phone("1001")
    a.invite(number)
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, "Ringing", extra="X-Ring: 1\nX-FS-Lab: no\nP-Lab: no\nP-Asserted-Identity: <sip:secret@lab>\n")
    ringing = a.expect(180)
    b.reply(invite, 200, "OK", sdp(b.rtp_port), extra="X-Ok: 2\nx-lower: 3\n")
    b.expect(method="ACK")
    b.enter(invite)
    ok = a.answered()
    goes = number == "8001"
    assert (ringing.get("X-Ring"), ok.get("X-Ok"), ok.get("x-lower")) == (("1", "2", "3") if goes else ("", "", ""))
    assert not ok.get("X-Ring") and "Lab" not in "\n".join(ringing.lines + ok.lines)
    for m in (ringing, ok):  # who answers is told in our words, the called one's header stays here
        assert not m.get("P-Asserted-Identity") and "@lab" not in "\n".join(m.lines)
    a.bye()
    ended(b)


def test_headers_of_a_refusal(sw, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("8001")
    invite = b.expect(method="INVITE")
    b.reply(invite, 486, "Busy Here", extra="X-Busy: 5\n")
    b.expect(method="ACK")
    busy = a.expect(486)
    a.ack_failure(busy)
    assert busy.get("X-Busy") == "5"


def test_headers_of_who_did_not_answer_are_not_the_answers(sw, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("8006")
    invite = b.expect(method="INVITE")
    b.reply(invite, 486, "Busy Here", extra="X-Busy: 5\n")
    b.expect(method="ACK")
    invite = c.expect(method="INVITE")
    c.reply(invite, 200, "OK", sdp(c.rtp_port), extra="X-Ok: 6\n")
    c.expect(method="ACK")
    c.enter(invite)
    ok = a.answered()
    assert (ok.get("X-Ok"), ok.get("X-Busy")) == ("6", "")
    a.bye()
    ended(c)


def test_headers_of_a_bye_are_in_the_other_one(sw, phone):
    a, b = phone("1000"), phone("1001")
    for by_caller in (True, False):
        a.invite("8001")
        b.take()
        a.answered()
        if by_caller:
            a.request("BYE", extra="X-Last: word\nX-FS-Last: no\n")
            a.expect(200)
            bye = ended(b)
        else:
            b.own_request("BYE", extra="X-Last: word\nX-FS-Last: no\n")
            b.expect(200)
            bye = ended(a)
        assert bye.get("X-Last") == "word" and not bye.get("X-FS-Last")


def test_headers_of_our_bye_on_both_sides(sw, phone):
    """Of the caller by set, of the called by export: in the 200 to the leg's own BYE, in the BYE to its phone, and in the other's."""
    a, b = phone("1000"), phone("1001")
    a.invite("8004")
    b.take()
    a.answered()
    ok = a.bye()
    bye = ended(b)
    assert (ok.get("X-Bye"), bye.get("X-Bye"), bye.get("X-BByE")) == ("b", "b", "bb")
    a.invite("8004")
    b.take()
    a.answered()
    b.own_request("BYE")
    ok = b.expect(200)
    bye = ended(a)
    assert (ok.get("X-BByE"), ok.get("X-Bye"), bye.get("X-Bye"), bye.get("X-BByE")) == ("bb", "", "b", "bb")
    sw.wait_calls(0)
    a.invite("8004")
    b.take()
    a.answered()
    sw.api("uuid_kill " + re.search(r"^([0-9a-f-]{36}),inbound", sw.api("show channels"), re.M).group(1))
    assert ended(a).get("X-Bye") == "b"
    bye = ended(b)
    assert (bye.get("X-Bye"), bye.get("X-BByE")) == ("b", "bb")


# ---- causes and statuses
def test_who_is_refused_by_us_was_told_nothing(sw, phone, events):
    """Statuses in records are what the far side said."""
    a, b = phone("1000"), phone("1001")
    a.invite("8007")
    a.ack_failure(a.expect(486))
    caller, = records(events, "inbound")
    told = ("sip_term_status", "sip_term_cause", "proto_specific_hangup_cause")
    assert [caller.get(f"variable_{n}") for n in told] == [None] * 3
    a.invite("8001")
    invite = b.expect(method="INVITE")
    b.reply(invite, 486, "Busy Here")
    b.expect(method="ACK")
    a.ack_failure(a.expect(486))
    called, caller = records(events, "outbound", "inbound")
    assert [caller.get(f"variable_{n}") for n in told] == [None] * 3
    assert caller["variable_last_bridge_proto_specific_hangup_cause"] == "sip:486"
    assert [called.get(f"variable_{n}") for n in told] == ["486", "17", "sip:486"]


def test_no_room(sw, phone):
    a = phone("1000")
    phone("1001")
    sw.api("fsctl pause outbound")
    try:
        for target in ("user/1001", "sofia/internal/x@127.0.0.1:9", "loopback/8008", "null/x"):
            assert sw.api(f"originate {target} &park") == "-ERR DESTINATION_OUT_OF_ORDER\n", target
        a.invite("8001")
        a.ack_failure(a.expect(502))
    finally:
        sw.api("fsctl resume outbound")
    a.invite("8008")
    a.answered()
    sw.api("fsctl max_sessions 1")
    try:
        assert sw.api("originate user/1001 &park") == "-ERR DESTINATION_OUT_OF_ORDER\n"
    finally:
        sw.api("fsctl max_sessions 1000")
    a.bye()


@pytest.mark.parametrize("code,phrase", [(428, "Use Identity Header"), (438, "Invalid Identity Header"), (500, "Internal Server Error"),
                                         (504, "Gateway Time-out")])
def test_phrases(sw, phone, code, phrase):
    a, b = phone("1000"), phone("1001")
    a.invite("8001")
    invite = b.expect(method="INVITE")
    b.reply(invite, code, "Something Else")
    b.expect(method="ACK")
    refused = a.expect(code)
    a.ack_failure(refused)
    assert refused.first == f"SIP/2.0 {code} {phrase}"


# ---- outside of calls
def test_keep_alive(sw, phone):
    p = phone("1003", register=False)
    for event, code in (("keep-alive", 200), ("Keep-Alive;x=1", 200), ("dialog", 481), ("keep-alives", 481)):
        p.request("NOTIFY", f"sip:{sw.domain}", f"<sip:{sw.domain}>", f"ka-{event}-{p.port}".replace(";", ""), extra=f"Event: {event}\n")
        assert p.expect(code)


def test_a_register_without_any_expiry(sw, phone):
    p = phone("1003", register=False)
    uri, to = f"sip:{sw.domain}", f"<sip:1003@{sw.domain}>"
    p.request("REGISTER", uri, to, "reg-none")
    challenge = p.expect(401)
    p.request("REGISTER", uri, to, "reg-none", extra=p.authorization(challenge, "REGISTER", uri))
    assert re.search(r"expires=(\d+)", p.expect(200).get("Contact")).group(1) == "300"
