"""UPDATE (RFC 3311), both roles: before the answer and after it, with an offer and without, met by another one, and what it leaves alone."""
import pytest
from calls import ended, extension, is_pair, talks, write_extensions
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("update") / "instance")
    s.at = add_profile(s, "plain")
    s.rel = add_profile(s, "rel", enable_100rel="true")
    write_extensions(s, [extension("7971", "pre_answer", "park"), extension("7972", "ring_ready", "park"),
                         extension("7973", "bridge sofia/plain/svc@127.0.0.1:${sip_h_X-Port}")])
    s.start()
    yield s
    s.stop()


def pair(sw, phone):
    a = phone("ext", register=False, kind=Trunk, at=sw.at, hz=500)
    b = phone("svc", register=False, kind=Trunk, at=sw.at, hz=900)
    a.invite("7973", extra=f"X-Port: {b.port}\n")
    invite = b.expect(method="INVITE")
    b.reply(invite, 200, "OK", sdp(b.rtp_port), extra="Allow: INVITE, ACK, BYE, CANCEL, UPDATE\nX-FS-Support: update_display\n")
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    return a, b


def test_hold_and_resume_by_update(sw, phone):
    a, b = pair(sw, phone)
    a.request("UPDATE", body=sdp(a.rtp_port, direction="sendonly", version=2))
    assert "a=recvonly" in a.expect(200).body
    assert "HELD" in sw.api("show channels")
    a.request("UPDATE", body=sdp(a.rtp_port, version=3))
    a.expect(200)
    assert "HELD" not in sw.api("show channels")
    talks(a, b)
    is_pair(a, b)
    b.own_request("UPDATE", body=sdp(b.rtp_port, formats=(8, 101), version=2))
    assert "RTP/AVP 8 101" in b.expect(200).body
    a.bye()
    ended(b)


def test_without_an_offer(sw, phone):
    a, b = pair(sw, phone)
    a.request("UPDATE")
    assert not a.expect(200).body
    a.bye()
    ended(b)


def test_one_that_does_not_fit_changes_nothing(sw, phone):
    a, b = pair(sw, phone)
    a.request("UPDATE", body=sdp(a.rtp_port, formats=(18,), version=2))
    a.expect(488)
    a.request("UPDATE", body="<x/>", ctype="application/unknown")
    a.expect(415)
    talks(a, b)
    is_pair(a, b)
    a.bye()
    ended(b)


def test_one_that_meets_an_offer_of_ours(sw, phone):
    a, b = pair(sw, phone)
    uuid = [r.split(",")[0] for r in sw.api("show channels").splitlines() if ",outbound," in r][0]
    sw.api(f"uuid_hold {uuid}")
    hold = b.expect(method="INVITE")
    b.own_request("UPDATE", body=sdp(b.rtp_port, version=2))
    b.expect(491)
    b.own_request("UPDATE")
    b.expect(200)  # without an offer nothing collides
    b.reply(hold, 491, "Request Pending")
    b.expect(method="ACK")
    again = b.expect(method="INVITE")  # RFC 3261 14.1: after a while
    b.reply(again, 200, "OK", sdp(b.rtp_port, direction="recvonly", version=2))
    b.expect(method="ACK")
    a.bye()
    ended(b)


def test_before_the_answer(sw, phone):
    p = phone("ext", register=False, kind=Trunk, at=sw.rel)
    p.invite("7971", extra="Require: 100rel\n")
    early = p.expect(183)
    p.prack(early)
    p.request("UPDATE", body=sdp(p.rtp_port, formats=(8, 101), version=2))
    assert "RTP/AVP 8 101" in p.expect(200).body
    p.cancel()
    p.ack_failure(p.expect(487))


def test_before_the_answer_to_the_first_offer(sw, phone):
    """RFC 3311 5.2: 500 and when to come again."""
    p = phone("ext", register=False, kind=Trunk, at=sw.rel)
    p.invite("7972", extra="Require: 100rel\n")
    ring = p.expect(180)
    p.prack(ring)
    p.request("UPDATE", body=sdp(p.rtp_port, version=2))
    refused = p.expect(500)
    assert 0 <= int(refused.get("Retry-After")) <= 10
    p.cancel()
    p.ack_failure(p.expect(487))


def test_outside_of_a_call(sw, phone):
    p = phone("ext", register=False, kind=Trunk, at=sw.at)
    p.call_id, p.target, p.peer_to = "none", f"sip:x@{sw.domain}", f"<sip:x@{sw.domain}>;tag=none"
    p.request("UPDATE")
    p.expect(481)
