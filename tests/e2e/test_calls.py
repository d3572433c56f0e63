"""A->B with SIPp on both configurations: answered, refused in every way, cancelled, lost and repeated messages, re-INVITEs."""
import pytest
from sipp import (ANSWERED, ECHO, Sipp, ack, bye, bye_from_b, invite, pause, recv, register_as, reply, request, sdp, send, uas_answer)
from tandem import free_port

pytestmark = pytest.mark.leaks


def a_calls(sw, to, after, user="1000", args=(), **kw):
    return Sipp(sw, invite(user, sw.passwords[user], to, domain=sw.domain, **kw) + after, args=args)




def b_answers(sw, user="1001", after=None, **kw):
    port = free_port()
    register_as(sw, user, port)
    return Sipp(sw, uas_answer(**kw) + (after or [recv(request="BYE"), reply(200, "OK", tag="")]), port=port).ready()


def test_answered_and_caller_hangs_up(switch):
    b = b_answers(switch)
    a = a_calls(switch, "1001", ANSWERED + [send(ack("1000", "1001"), retrans=0), pause(300), send(bye("1000", "1001")), recv(200)])
    a.wait()
    b.wait()
    switch.wait_calls(0)


def test_answered_and_callee_hangs_up(switch):
    b = b_answers(switch, keeps_peer=True, after=[pause(300), send(bye_from_b()), recv(200)])
    a = a_calls(switch, "1001", ANSWERED + [send(ack("1000", "1001"), retrans=0), recv(request="BYE"), reply(200, "OK", tag="")])
    a.wait()
    b.wait()
    switch.wait_calls(0)


FAILURES = [  # what B says, what A hears on conf/ (the stock configuration goes on to voicemail)
    (486, "Busy Here", 486),
    (603, "Decline", 603),
    (404, "Not Found", 404),
    (503, "Service Unavailable", 503),
    (480, "Temporarily Unavailable", 480),
]


@pytest.mark.parametrize("code,reason,heard", FAILURES)
def test_refused(tandem, code, reason, heard):
    port = free_port()
    register_as(tandem, "1001", port)
    b = Sipp(tandem, [recv(request="INVITE"), reply(code, reason), recv(request="ACK")], port=port).ready()
    a = a_calls(tandem, "1001", [recv(100, optional=True), recv(180, optional=True), recv(heard),
                                 send(ack("1000", "1001", back=4), retrans=0)])
    a.wait()
    b.wait()
    tandem.wait_calls(0)


def test_unregistered_480(tandem):
    a = a_calls(tandem, "1019", [recv(100, optional=True), recv(480), send(ack("1000", "1019", back=3), retrans=0)])
    a.wait()
    tandem.wait_calls(0)


def test_unknown_number_404(tandem):
    a = a_calls(tandem, "55555", [recv(100, optional=True), recv(404), send(ack("1000", "55555", back=3), retrans=0)])
    a.wait()
    tandem.wait_calls(0)


def test_wrong_password_403(switch):
    s = Sipp(switch, invite("1000", "wrong", "1001") + [recv(100, optional=True), recv(403),
                                                        send(ack("1000", "1001", back=3), retrans=0)])
    s.wait()
    switch.wait_calls(0)


def test_no_answer(tandem):
    """B rings; call_timeout passes: B is cancelled, A hears a final answer. (91001: 1001 with a timeout of two seconds.)"""
    port = free_port()
    register_as(tandem, "1001", port)
    b = Sipp(tandem, [recv(request="INVITE"), reply(180, "Ringing"), recv(request="CANCEL"), reply(200, "OK", tag=""),
                      *_487_to_invite()], port=port).ready()
    a = a_calls(tandem, "91001", [recv(100, optional=True), recv(183, optional=True), recv(180, optional=True), recv(480),
                                  send(ack("1000", "91001", back=5), retrans=0)])
    a.wait()
    b.wait()
    tandem.wait_calls(0)


def _487_to_invite():
    """The answer to the INVITE after SIPp answered the CANCEL: its Via is the CANCEL's, which is the INVITE's (RFC 3261 9.1)."""
    text = ("SIP/2.0 487 Request Terminated\n[last_Via:]\n[last_From:]\n[last_To:];tag=[call_number]uas\n[last_Call-ID:]\n"
            "CSeq: [$cseq] INVITE\nContent-Length: 0\n").replace("[$cseq]", "[last_cseq_number]")
    return [send(text, retrans=0), recv(request="ACK")]


def test_cancelled_by_caller(switch):
    port = free_port()
    register_as(switch, "1001", port)
    b = Sipp(switch, [recv(request="INVITE"), reply(180, "Ringing"), recv(request="CANCEL"), reply(200, "OK", tag=""),
                      *_487_to_invite()], port=port).ready()
    cancel = ("CANCEL sip:1001@127.0.0.1 SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-5]\n"
              "From: <sip:1000@127.0.0.1>;tag=[call_number]1000\nTo: <sip:1001@127.0.0.1>\nCall-ID: [call_id]\n"
              "CSeq: 2 CANCEL\nMax-Forwards: 70\nContent-Length: 0\n")
    a = a_calls(switch, "1001", [recv(100, optional=True), recv(183, optional=True, extra='next="1"'), recv(180), '<label id="1"/>',
                                 pause(200), send(cancel), recv(200), recv(487), send(ack("1000", "1001", back=8), retrans=0)])
    a.wait()
    b.wait()
    switch.wait_calls(0)


def test_codec_mismatch_488(switch):
    a = a_calls(switch, "9196", [recv(100, optional=True), recv(488), send(ack("1000", "9196", back=3), retrans=0)],
                body=sdp(formats=(18,)))
    a.wait()
    switch.wait_calls(0)


def test_transcoding_between_pcmu_and_pcma(switch):
    b = b_answers(switch, body=sdp(formats=(8, 101)))
    a = a_calls(switch, "1001", ANSWERED + [send(ack("1000", "1001"), retrans=0), pause(300), send(bye("1000", "1001")), recv(200)],
                body=sdp(formats=(0, 101)))
    a.wait()
    b.wait()
    switch.wait_calls(0)


def _reinvite(direction, cseq, version):
    return request("INVITE", "1000", "1001", cseq=cseq, body=sdp(direction=direction, version=version), totag="[peer_tag_param]",
                   uri="[next_url]")


def test_hold_and_resume_by_reinvite(switch):
    b = b_answers(switch, after=[recv(request="BYE"), reply(200, "OK", tag="")])
    events = switch.esl()
    events.subscribe("CHANNEL_HOLD CHANNEL_UNHOLD")
    a = a_calls(switch, "1001", ANSWERED + [
        send(ack("1000", "1001"), retrans=0), pause(200),
        send(_reinvite("sendonly", 3, 2)), recv(100, optional=True), recv(200, action=_sdp_must_say("a=(recvonly|inactive)")),
        send(ack("1000", "1001", cseq=3), retrans=0), pause(200),
        send(_reinvite("sendrecv", 4, 3)), recv(100, optional=True), recv(200, action=_sdp_must_say("0-15[[:space:]]+a=(ptime|sendrecv)")),
        send(ack("1000", "1001", cseq=4), retrans=0), pause(200),
        send(bye("1000", "1001", cseq=5)), recv(200), '<Reference variables="found"/>'])
    events.wait_event("CHANNEL_HOLD")
    events.wait_event("CHANNEL_UNHOLD")
    events.close()
    a.wait()
    b.wait()
    switch.wait_calls(0)


def _sdp_must_say(regexp):
    return f'<action><ereg regexp="{regexp}" search_in="body" check_it="true" assign_to="found"/></action>'


def test_lost_ack_is_repaired(tandem):
    """A's first ACK never comes: the 200 is sent again, the second is acknowledged, and the call lives."""
    b = b_answers(tandem)
    a = a_calls(tandem, "1001", ANSWERED + [recv(200), send(ack("1000", "1001"), retrans=0), pause(500),
                                            send(bye("1000", "1001")), recv(200)], args=["-nr"])
    a.wait()
    b.wait()
    tandem.wait_calls(0)


def test_lost_200_is_repeated_by_the_callee(tandem):
    """B repeats its 200 (as if the first had been lost): it is acknowledged again and the call goes on."""
    port = free_port()
    register_as(tandem, "1001", port)
    ok = reply(200, "OK", sdp())
    via = '<action><ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/></action>'
    b = Sipp(tandem, [recv(request="INVITE", action=via), reply(180, "Ringing"), ok, recv(request="ACK"), _again(), recv(request="ACK"),
                      recv(request="BYE"), reply(200, "OK", tag="")], port=port, args=["-nr"]).ready()
    a = a_calls(tandem, "1001", ANSWERED + [send(ack("1000", "1001"), retrans=0), pause(1200), send(bye("1000", "1001")), recv(200)])
    a.wait()
    b.wait()
    tandem.wait_calls(0)


def _again():
    """The same 200 after the ACK, with the INVITE's Via."""
    text = ECHO.format(tag="").replace("[last_CSeq:]", "CSeq: [last_cseq_number] INVITE").replace("[last_Via:]", "Via:[$via]")
    return send("SIP/2.0 200 OK\n" + text + "Contact: <sip:uas@[local_ip]:[local_port]>\nContent-Type: application/sdp\n"
                "Content-Length: [len]\n\n" + sdp(), retrans=0)


def test_retransmitted_invite_makes_one_call(tandem):
    """The same INVITE twice: one call, one leg towards B."""
    port = free_port()
    register_as(tandem, "1001", port)
    b = Sipp(tandem, uas_answer(ring_ms=400) + [recv(request="BYE"), reply(200, "OK", tag="")], port=port).ready()
    steps = invite("1000", tandem.passwords["1000"], "1001")
    twice = steps[-1].replace("[branch]", "z9hG4bK-same-[call_id]")
    a = Sipp(tandem, steps[:-1] + [twice, twice] + ANSWERED +
             [send(ack("1000", "1001"), retrans=0), pause(200), send(bye("1000", "1001")), recv(200)], args=["-nr"])
    a.wait()
    b.wait()
    tandem.wait_calls(0)


@pytest.mark.parametrize("number", ["9196", "9195", "9197", "9192", "9664"])
def test_numbers_of_the_default_dialplan(switch, number):
    after = ANSWERED + [send(ack("1000", number), retrans=0)]
    if number == "9192":
        after += [recv(request="BYE"), reply(200, "OK", tag="")]
    else:
        after += [pause(500), send(bye("1000", number)), recv(200)]
    a_calls(switch, number, after).wait()
    switch.wait_calls(0)


def test_two_hundred_calls_leave_nothing(tandem):
    port = free_port()
    register_as(tandem, "1001", port)
    b = Sipp(tandem, uas_answer(ring_ms=10) + [recv(request="BYE"), reply(200, "OK", tag="")], port=port, calls=200).ready()
    a = Sipp(tandem, invite("1000", tandem.passwords["1000"], "1001") + ANSWERED +
             [send(ack("1000", "1001"), retrans=0), pause(100), send(bye("1000", "1001")), recv(200)], calls=200, rate=50)
    a.wait(60)
    b.wait(60)
    tandem.wait_calls(0)
    assert "0 total" in tandem.api("show calls count")
