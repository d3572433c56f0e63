"""INVITEs without SDP (RFC 3261 13.2.1, RFC 3725) in the modes of enable-3pcc, in and out, bridged with media here and past us."""
import re

import pytest
from calls import ended, extension, is_pair, talks, write_extensions
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("3pcc") / "instance")
    s.offer = add_profile(s, "offer", enable_3pcc="true")
    s.proxy = add_profile(s, "proxy", enable_3pcc="proxy", enable_100rel="true")
    s.refuse = add_profile(s, "refuse", enable_3pcc="false")
    s.default = add_profile(s, "default")
    to_svc = "bridge sofia/proxy/svc@127.0.0.1:${sip_h_X-Port}"
    write_extensions(s, [
        extension("7601", "answer", "echo"), extension("7602", to_svc), extension("7603", "set bypass_media=true", to_svc),
        extension("7604", "ring_ready", "sleep 200", "answer", "playback tone_stream://%(60000,0,440)"),
        extension("7605", "pre_answer", "sleep 200", "respond 486"),
        extension("7606", "hangup USER_BUSY"),
    ])
    s.start()
    yield s
    s.stop()


def caller(sw, phone, mode, hz=500):
    return phone("ext", register=False, kind=Trunk, at=getattr(sw, mode), hz=hz)


def callee(sw, phone, hz=900):
    return phone("svc", register=False, kind=Trunk, at=sw.proxy, hz=hz)


def acks(p, body, code=200):
    ok = p.expect(code)
    p.early(ok)
    p.request("ACK", cseq=int(ok.get("CSeq").split()[0]), body=body)
    m = re.search(r"m=audio (\d+)", ok.body)
    p.remote_rtp = int(m.group(1)) if m else 0
    return ok


@pytest.mark.parametrize("mode", ["offer", "default"])
def test_offered_at_once(sw, phone, mode):
    p = caller(sw, phone, mode)
    p.invite("7601", body="")
    ok = acks(p, sdp(p.rtp_port))
    assert "RTP/AVP 0 8 101" in ok.body
    talks(p)
    p.talk.hears(p.hz)
    p.bye()


def test_refused(sw, phone):
    p = caller(sw, phone, "refuse")
    p.invite("7601", body="")
    p.ack_failure(p.expect(480))
    p.invite("7601")
    p.answered()
    p.bye()


@pytest.mark.parametrize("mode", ["offer", "proxy"])
def test_an_ack_without_an_answer_ends_the_call(sw, phone, mode):
    p = caller(sw, phone, mode)
    p.invite("7601", body="")
    acks(p, "")
    ended(p)


def test_the_dialplan_runs_first(sw, phone):
    p = caller(sw, phone, "proxy")
    p.invite("7604", body="")
    assert not p.expect(180).body
    ok = acks(p, sdp(p.rtp_port))
    assert "RTP/AVP 0 8 101" in ok.body
    talks(p)
    p.talk.hears(440)
    p.bye()


def test_no_offer_before_the_answer(sw, phone):
    p = caller(sw, phone, "proxy")
    p.invite("7605", body="")
    assert not p.expect(183).body
    p.ack_failure(p.expect(486))


def test_refused_by_the_dialplan(sw, phone):
    p = caller(sw, phone, "proxy")
    p.invite("7606", body="")
    p.ack_failure(p.expect(486))


@pytest.mark.parametrize("answer", [(0, 101), (8, 101)])
def test_bridged(sw, phone, answer):
    a, b = caller(sw, phone, "proxy"), callee(sw, phone)
    a.invite("7602", body="", extra=f"X-Port: {b.port}\n")
    offer = b.expect(method="INVITE")
    assert "m=audio" in offer.body
    b.reply(offer, 180, "Ringing")
    a.expect(180)
    b.reply(offer, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    b.enter(offer)
    ok = acks(a, sdp(a.rtp_port, formats=answer))
    assert "RTP/AVP 0 8 101" in ok.body
    if answer[0] == 0:
        talks(a, b)
        is_pair(a, b)
    a.bye()
    ended(b)


def test_early_media_of_the_called_is_not_offered(sw, phone):
    a, b = caller(sw, phone, "proxy"), callee(sw, phone)
    a.invite("7602", body="", extra=f"X-Port: {b.port}\n")
    offer = b.expect(method="INVITE")
    b.reply(offer, 183, "Session Progress", sdp(b.rtp_port))
    assert not a.expect(183).body
    b.reply(offer, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    b.enter(offer)
    acks(a, sdp(a.rtp_port))
    talks(a, b)
    is_pair(a, b)
    a.bye()
    ended(b)


def bypass(sw, phone):
    a, b = caller(sw, phone, "proxy"), callee(sw, phone)
    a.invite("7603", body="", extra=f"X-Port: {b.port}\n")
    ask = b.expect(method="INVITE")
    assert not ask.body
    assert "100rel" not in ask.get("Supported"), "an offer in a reliable response could not be answered in time"
    b.reply(ask, 200, "OK", sdp(b.rtp_port))
    b.expect_nothing("ACK", 0.3)
    return a, b, ask


def test_bypassed(sw, phone):
    a, b, ask = bypass(sw, phone)
    ok = acks(a, sdp(a.rtp_port, formats=(0,)))
    assert f"m=audio {b.rtp_port} " in ok.body
    ack = b.expect(method="ACK")
    assert f"m=audio {a.rtp_port} " in ack.body
    b.enter(ask)
    a.request("INVITE", body=sdp(a.rtp_port, direction="sendonly", version=2))
    hold = b.expect(method="INVITE")
    assert f"m=audio {a.rtp_port} " in hold.body and "a=sendonly" in hold.body
    b.reply(hold, 200, "OK", sdp(b.rtp_port, direction="recvonly", version=2))
    b.expect(method="ACK")
    held = acks(a, "")
    assert "a=recvonly" in held.body
    a.bye()
    ended(b)


def test_bypassed_and_hung_up_before_the_ack(sw, phone):
    a, b, ask = bypass(sw, phone)
    ok = a.expect(200)
    a.early(ok)
    a.bye()
    b.expect(method="ACK")
    ended(b)


def test_bypassed_and_the_called_hangs_up_before_the_ack(sw, phone):
    a, b, ask = bypass(sw, phone)
    ok = a.expect(200)
    b.enter(ask)
    b.own_request("BYE")
    b.expect(200)
    a.early(ok)
    a.request("ACK", cseq=int(ok.get("CSeq").split()[0]), body=sdp(a.rtp_port))
    ended(a)


def test_bypassed_and_no_answer_in_the_ack(sw, phone):
    a, b, ask = bypass(sw, phone)
    acks(a, "")
    b.expect(method="ACK")
    ended(a)
    ended(b)
