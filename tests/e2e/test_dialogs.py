"""What happens in and around a dialog, message by message: forks, early media, UPDATE, INFO, glare, codec change, TCP, limits."""
import re
import time

import pytest
from calls import ended, rtp
from wire import sdp

pytestmark = pytest.mark.leaks


def test_two_contacts_ring_and_the_loser_is_told(tandem, phone):
    a, b1, b2 = phone("1000"), phone("1001"), phone("1001")
    a.invite("1001")
    i1, i2 = b1.expect(method="INVITE"), b2.expect(method="INVITE")
    b1.reply(i1, 180, "Ringing")
    b2.reply(i2, 180, "Ringing")
    b2.reply(i2, 200, "OK", sdp(b2.rtp_port))
    b2.expect(method="ACK")
    cancel = b1.expect(method="CANCEL")
    assert "Call completed elsewhere" in cancel.get("Reason"), cancel.lines
    b1.reply(cancel, 200, "OK", tag=False)
    b1.reply(i1, 487, "Request Terminated")
    b1.expect(method="ACK")
    a.answered()
    a.bye()
    ended(b2)


def test_two_answer_at_once(tandem, phone):
    """Both contacts answer in the same moment: one call, the other is acknowledged and ended."""
    a, b1, b2 = phone("1000"), phone("1001"), phone("1001")
    a.invite("1001")
    i1, i2 = b1.expect(method="INVITE"), b2.expect(method="INVITE")
    b1.reply(i1, 200, "OK", sdp(b1.rtp_port))
    b2.reply(i2, 200, "OK", sdp(b2.rtp_port))
    b1.expect(method="ACK")
    b2.expect(method="ACK")
    a.answered()
    byes = []
    for b in (b1, b2):
        try:
            b.reply(b.expect(method="BYE", timeout=1.5), 200, "OK")
            byes.append(b)
        except AssertionError:
            pass
    assert len(byes) == 1
    a.bye()
    (b1 if byes == [b2] else b2).expect(method="BYE")


def test_early_media_passes(tandem, phone):
    """B's 183 with sound: A gets 183 and hears it before anybody answers."""
    a, b = phone("1000"), phone("1001")
    a.invite("1001")
    invite = b.expect(method="INVITE")
    b.reply(invite, 183, "Session Progress", sdp(b.rtp_port))
    progress = a.expect(183)
    port = int(re.search(r"m=audio (\d+)", progress.body).group(1))
    to_b = int(re.search(r"m=audio (\d+)", invite.body).group(1))
    a.media.sendto(rtp(1), ("127.0.0.1", port))
    a.media.settimeout(0.02)
    heard = b""
    for n in range(200):
        b.media.sendto(rtp(n, payload=b"\x2a" * 160), ("127.0.0.1", to_b))
        try:
            packet = a.media.recv(2000)
        except TimeoutError:
            continue
        if packet[12:] == b"\x2a" * 160:
            heard = packet
            break
    assert heard, "early media did not arrive"
    b.reply(invite, 486, "Busy Here")
    b.expect(method="ACK")
    a.ack_failure(a.expect(486))


def _call(tandem, phone, **kw):
    a, b = phone("1000", **kw), phone("1001", **kw)
    a.invite("1001")
    b.take()
    a.answered()
    return a, b


def test_codec_change_by_reinvite(tandem, phone):
    a, b = _call(tandem, phone)
    a.request("INVITE", body=sdp(a.rtp_port, formats=(8, 101), version=2))
    ok = a.answered()
    assert re.search(r"m=audio \d+ RTP/AVP 8 101", ok.body), ok.body
    # what A sends as PCMA now arrives at B as PCMU
    b.media.settimeout(0.02)
    good = False
    for n in range(100):
        a.media.sendto(rtp(n, payload=b"\xd5" * 160, pt=8), ("127.0.0.1", a.remote_rtp))
        try:
            packet = b.media.recv(2000)
        except TimeoutError:
            continue
        if packet[1] & 127 == 0 and set(packet[12:]) <= {0xff, 0x7f, 0xfe, 0x7e}:
            good = True
            break
    assert good, "no silence in PCMU arrived"
    a.bye()
    ended(b)


def test_reinvite_nothing_fits_488_and_the_call_goes_on(tandem, phone):
    a, b = _call(tandem, phone)
    a.request("INVITE", body=sdp(a.rtp_port, formats=(18,), version=2))
    refused = a.expect(488)
    a.uri = a.target
    a.ack_failure(refused)
    a.request("OPTIONS")
    assert a.expect(200).get("CSeq").endswith("OPTIONS")
    assert "2 total" in tandem.api("show channels count")
    a.bye()
    ended(b)


def test_hold_by_the_callee(tandem, phone):
    a, b = _call(tandem, phone)
    events = tandem.esl()
    events.subscribe("CHANNEL_HOLD CHANNEL_UNHOLD")
    b.own_request("INVITE", body=sdp(b.rtp_port, direction="sendonly", version=2))
    ok = b.expect(200)
    assert "a=recvonly" in ok.body or "a=inactive" in ok.body, ok.body
    b.own_request("ACK", cseq=int(ok.get("CSeq").split()[0]))
    events.wait_event("CHANNEL_HOLD")
    b.own_request("INVITE", body=sdp(b.rtp_port, version=3))
    ok = b.expect(200)
    b.own_request("ACK", cseq=int(ok.get("CSeq").split()[0]))
    events.wait_event("CHANNEL_UNHOLD")
    events.close()
    a.bye()
    ended(b)


def test_update_with_an_offer(tandem, phone):
    a, b = _call(tandem, phone)
    a.request("UPDATE", body=sdp(a.rtp_port, direction="sendonly", version=2))
    ok = a.expect(200)
    assert "a=recvonly" in ok.body, ok.body
    a.bye()
    ended(b)


def test_glare_491(tandem, phone):
    """A re-INVITE that meets ours: 491, and both sides still stand."""
    a, b = _call(tandem, phone)
    uuid_a = re.search(r"^([0-9a-f-]{36}),inbound", tandem.api("show channels"), re.M).group(1)
    tandem.api(f"uuid_hold {uuid_a}")
    ours = a.expect(method="INVITE")
    a.request("INVITE", body=sdp(a.rtp_port, version=2))
    a.uri = a.target
    a.ack_failure(a.expect(491))
    a.reply(ours, 200, "OK", sdp(a.rtp_port, direction="recvonly", version=2))
    a.expect(method="ACK")
    assert "2 total" in tandem.api("show channels count")
    a.bye()
    ended(b)


def test_info_digit(tandem, phone):
    a, b = _call(tandem, phone)
    events = tandem.esl()
    events.subscribe("DTMF")
    a.request("INFO", body="Signal=7\r\nDuration=160\r\n", ctype="application/dtmf-relay")
    a.expect(200)
    assert events.wait_event("DTMF")["DTMF-Digit"] == "7"
    events.close()
    a.bye()
    ended(b)


def test_calls_over_tcp(tandem, phone):
    a, b = _call(tandem, phone, tcp=True)
    assert "2 total" in tandem.api("show channels count")
    b.own_request("BYE")
    b.expect(200)
    ended(a)


def test_requests_after_the_end_are_481(tandem, phone):
    a, b = _call(tandem, phone)
    a.bye()
    ended(b)
    tandem.wait_calls(0)
    a.request("BYE")
    a.expect(481)
    a.request("INVITE", body=sdp(a.rtp_port))
    a.uri = a.target
    a.ack_failure(a.expect(481))


def test_bye_from_a_stranger_ends_nothing(tandem, phone):
    """Right Call-ID and tags from another address pass as FreeSWITCH lets them; a wrong tag does not."""
    a, b = _call(tandem, phone)
    stranger = phone("1002", register=False)
    stranger.call_id, stranger.target, stranger.peer_to = a.call_id, a.target, a.peer_to
    stranger.request("BYE")
    stranger.expect(481)
    assert "2 total" in tandem.api("show channels count")
    a.bye()
    ended(b)


def test_no_ack_ends_the_call(tandem, phone):
    """The ACK never comes: after 64*T1 the call is ended with BYE."""
    a = phone("1000")
    a.invite("9196")
    ok = a.expect(200)
    a.peer_to = ok.get("To")
    bye = a.expect(method="BYE", timeout=40)
    a.reply(bye, 200, "OK")


def test_session_limits_give_503(tandem, phone):
    a, c = phone("1000"), phone("1002")
    c.invite("9196")
    c.answered()
    tandem.api("fsctl max_sessions 1")
    try:
        a.invite("9196")
        refused = a.expect(503)
        assert refused.get("Retry-After"), refused.lines
        a.ack_failure(refused)
    finally:
        tandem.api("fsctl max_sessions 1000")
    c.bye()
    tandem.wait_calls(0)
    tandem.api("fsctl pause inbound")
    try:
        a.invite("9196")
        a.ack_failure(a.expect(503))
    finally:
        tandem.api("fsctl resume inbound")
    a.invite("9196")
    a.answered()
    a.bye()


def test_options_without_a_dialog(tandem, phone):
    a = phone("1000", register=False)
    a.call_id = "options"
    a.request("OPTIONS", f"sip:{tandem.domain}", f"<sip:{tandem.domain}>")
    ok = a.expect(200)
    assert "INVITE" in ok.get("Allow")


def test_unknown_method(tandem, phone):
    a = phone("1000", register=False)
    a.call_id = "odd"
    a.request("FOOBAR", f"sip:{tandem.domain}", f"<sip:{tandem.domain}>")
    m = a._read(5)
    assert m.code in (405, 501), m


def test_unsupported_extension_420(tandem, phone):
    a = phone("1000", register=False)
    a.call_id = "require"
    a.request("OPTIONS", f"sip:{tandem.domain}", f"<sip:{tandem.domain}>", extra="Require: teleport\n")
    assert a.expect(420).get("Unsupported") == "teleport"


def test_rtp_from_elsewhere_is_not_heard(tandem, phone):
    """Sound injected from an address that was neither signalled nor learned does not reach the far phone."""
    a, b = _call(tandem, phone)
    a.media.settimeout(0.02)
    b.media.settimeout(0.02)
    for n in range(20):  # the right ones first: the source is locked
        a.media.sendto(rtp(n), ("127.0.0.1", a.remote_rtp))
        time.sleep(0.005)
    evil = phone("1002", register=False)
    for n in range(50):
        evil.media.sendto(rtp(n, payload=b"\x11" * 160, ssrc=9), ("127.0.0.1", a.remote_rtp))
        a.media.sendto(rtp(20 + n), ("127.0.0.1", a.remote_rtp))
        time.sleep(0.002)
    seen = []
    while True:
        try:
            seen.append(b.media.recv(2000)[12:])
        except TimeoutError:
            break
    assert len(seen) > 30 and b"\x11" * 160 not in seen
    a.bye()
    ended(b)
