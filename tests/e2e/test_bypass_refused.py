"""Media past us (bypass_media, proxy_media, uuid_media) when one of the phones says no, has more lines than the other, or is encrypted."""
import re
import socket

import pytest
import tandem as t
from calls import arrives, ended, extension, uuid_of, write_extensions
from srtp_phone import Srtp, line, new_key
from srtp_phone import lines_of as keys_of
from talk import Talker
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks

VIDEO = "m=video 4444 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("bypass-refused") / "instance")
    s.at = add_profile(s, "plain", inbound_late_negotiation="true")
    to_svc = "bridge sofia/plain/svc@127.0.0.1:${sip_h_X-Port}"
    write_extensions(s, [
        extension("7951", to_svc),
        extension("7952", "set proxy_media=true", to_svc),
        extension("7953", "set bypass_media=true", to_svc),
        extension("7954", "answer", "echo"),
        extension("7955", "set bypass_media=true", "set rtp_secure_media=mandatory", to_svc),
        extension("7958", to_svc.replace("bridge ", "bridge {rtp_use_dtls=true}")),
    ])
    s.start()
    yield s
    s.stop()


def pair(sw, phone, number, body=sdp, answer=sdp):
    """A call of two phones that say what body and answer make of their ports."""
    a = phone("ext", register=False, kind=Trunk, at=sw.at)
    b = phone("svc", register=False, kind=Trunk, at=sw.at)
    a.invite(number, body=body(a.rtp_port), extra=f"X-Port: {b.port}\n")
    b.take(answer(b.rtp_port))
    a.answered()
    return a, b


def media_port(text):
    return int(re.search(r"m=audio (\d+)", text).group(1))


def refuses(a, b, body):
    """a's re-INVITE with that body is refused by b."""
    a.request("INVITE", body=body)
    b.reply(b.expect(method="INVITE"), 488, "No")
    b.expect(method="ACK")
    a.ack_failure(a.expect(488))


# ---- a re-INVITE that the other phone refuses

def test_proxied_media_stays_where_it_was(sw, phone):
    a, b = pair(sw, phone, "7952")
    assert arrives(b, a)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        refuses(a, b, sdp(other.getsockname()[1], version=2))
        assert arrives(b, a)
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.recv(2000)
    a.bye()
    ended(b)


def test_a_refused_description_is_not_told(sw, phone):
    """Neither in variables nor in a refresh of the other phone's session; one that is taken is."""
    a, b = pair(sw, phone, "7953")
    near, far = uuid_of(sw, "ext"), uuid_of(sw, "svc")
    refuses(a, b, sdp(9876, version=2))
    assert media_port(sw.api(f"uuid_getvar {near} switch_r_sdp")) == a.rtp_port
    assert media_port(sw.api(f"uuid_getvar {far} rtp_local_sdp_str")) == a.rtp_port
    a.request("INVITE", body=sdp(9878, version=3))
    b.reply(b.expect(method="INVITE"), 200, "OK", sdp(b.rtp_port, version=2))
    b.expect(method="ACK")
    a.answered()
    assert media_port(sw.api(f"uuid_getvar {near} switch_r_sdp")) == 9878
    assert media_port(sw.api(f"uuid_getvar {far} rtp_local_sdp_str")) == 9878
    a.bye()
    ended(b)


# ---- lines (RFC 3264, section 8: they never become fewer)

def lines_of(text):
    return [(m.split()[0][2:], m.split()[1] != "0") for m in text.splitlines() if m.startswith("m=")]


def told(p, extra="", version=2):
    """Takes a re-INVITE; the lines it has."""
    req = p.expect(method="INVITE")
    closed = "".join(f"m={kind} 0 RTP/AVP 19\r\n" for kind, _ in lines_of(req.body)[1 + bool(extra):])
    p.reply(req, 200, "OK", sdp(p.rtp_port, version=version) + extra + closed)
    p.expect(method="ACK")
    p.remote_rtp = media_port(req.body)
    return lines_of(req.body)


def comes_back(sw, leg, *phones):
    """uuid_media, which waits until the streams there were are closed; what each phone is offered."""
    assert sw.api(f"uuid_media {leg}").startswith("+OK")
    return [told(p) for p in phones]


def test_back_with_the_lines_of_the_phones(sw, phone):
    def body(port):
        return sdp(port) + VIDEO
    a, b = pair(sw, phone, "7953", body, body)
    want = [("audio", True), ("video", False)]
    assert comes_back(sw, uuid_of(sw, "ext"), a, b) == [want, want]
    assert arrives(a, b) and arrives(b, a)
    assert sw.api(f"uuid_media off {uuid_of(sw, 'ext')}").startswith("+OK")
    assert [told(a), told(b)] == [want, want]
    a.bye()
    ended(b)


def test_away_with_the_lines_there_were(sw, phone):
    """The caller offered video, which was refused; the called phone never heard of it."""
    a, b = pair(sw, phone, "7951", lambda port: sdp(port) + VIDEO)
    leg = uuid_of(sw, "ext")
    want = [("audio", True), ("video", False)]
    assert sw.api(f"uuid_media off {leg}").startswith("+OK")
    assert [told(a), told(b)] == [want, want]
    assert comes_back(sw, leg, a, b) == [want, want]
    assert arrives(a, b) and arrives(b, a)
    a.bye()
    ended(b)


# ---- encryption

SUITE = "AES_CM_128_HMAC_SHA1_80"


def secured(port, key, version=1):
    return sdp(port, version=version).replace("RTP/AVP", "RTP/SAVP") + line(7, SUITE, key) + "\r\n"


@pytest.mark.parametrize("more", ["m=text 4446 RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\n", "m=image 4448 udptl t38\r\n", "m=application 9 UDP/BFCP *\r\n"])
def test_any_plain_line_is_not_bypassed(sw, phone, more):
    """Encryption is demanded: an offer with such a line stays here, where the line is refused; in the call it is refused with 488."""
    a, b = phone("ext", register=False, kind=Trunk, at=sw.at), phone("svc", register=False, kind=Trunk, at=sw.at)
    key = new_key(SUITE)
    a.invite("7955", body=secured(a.rtp_port, key) + more, extra=f"X-Port: {b.port}\n")
    offer = b.take(sdp(b.rtp_port))
    assert media_port(offer.body) != a.rtp_port and "4446" not in offer.body and "udptl" not in offer.body
    assert lines_of(a.answered().body)[1][1] is False
    a.bye()
    ended(b)
    sw.wait_calls(0)
    a.invite("7955", body=secured(a.rtp_port, key), extra=f"X-Port: {b.port}\n")
    assert media_port(b.take(secured(b.rtp_port, new_key(SUITE))).body) == a.rtp_port
    a.answered()
    a.request("INVITE", body=secured(a.rtp_port, key, 2) + more)
    a.ack_failure(a.expect(488))
    b.expect_nothing("INVITE", 0.3)
    a.bye()
    ended(b)


@pytest.mark.parametrize("how", ["UDP/TLS/UDPTL t38", "TCP/TLS/MSRP *", "UDP/DTLS/SCTP webrtc-datachannel"])
def test_sealed_lines_are_bypassed(sw, phone, how):
    a, b = phone("ext", register=False, kind=Trunk, at=sw.at), phone("svc", register=False, kind=Trunk, at=sw.at)
    a.invite("7955", body=secured(a.rtp_port, new_key(SUITE)) + f"m=application 4446 {how}\r\n", extra=f"X-Port: {b.port}\n")
    offer = b.expect(method="INVITE")
    assert media_port(offer.body) == a.rtp_port and "m=application 4446" in offer.body
    b.reply(offer, 486, "Busy")
    b.expect(method="ACK")
    a.ack_failure(a.expect(486))


def test_keys_are_not_talked_away(sw, phone):
    """Agreed on by choice, not by demand: a plain re-INVITE is refused, a plain answer to ours is not taken; media goes on sealed."""
    a = phone("ext", register=False, kind=Trunk, at=sw.at, hz=440)
    key = new_key(SUITE)
    a.invite("7954", body=secured(a.rtp_port, key))
    ours = line_key(a.answered().body)
    leg = uuid_of(sw, "ext")
    a.media = Srtp(a.media, SUITE, key, ours)
    a.talk = Talker(a, 440)
    a.talk.hears(440)
    a.request("INVITE", body=sdp(a.rtp_port, version=2))
    a.ack_failure(a.expect(488))
    sw.api(f"uuid_media_reneg {leg}")
    ask = a.expect(method="INVITE")
    assert "RTP/SAVP" in ask.body
    a.reply(ask, 200, "OK", sdp(a.rtp_port, version=3))
    a.expect(method="ACK")
    assert sw.api(f"uuid_getvar {leg} rtp_secure_media_confirmed") == "true"
    a.talk.hears(440)
    a.talk.stop()
    assert not a.media.refused
    a.bye()


def line_key(text):
    (_, _, keys), = keys_of(text)
    return keys[7][1]


def test_dtls_and_ice_are_there_after_bypass(sw, phone):
    """The caller came with both, the called one was offered DTLS: what comes back says no less, under the line's name."""
    def body(port, setup="actpass", more=""):
        text = sdp(port).replace("RTP/AVP", "UDP/TLS/RTP/SAVPF") + f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\na=setup:{setup}\r\na=rtcp-mux\r\n"
        return text + more
    ice = "a=mid:sound\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n"
    a, b = pair(sw, phone, "7958", lambda port: body(port, more=ice), lambda port: body(port, "passive"))
    leg = uuid_of(sw, "ext")
    assert sw.api(f"uuid_media off {leg}").startswith("+OK")
    for p, more in ((a, ice), (b, "")):
        req = p.expect(method="INVITE")
        p.reply(req, 200, "OK", body(p.rtp_port, "active", more))
        p.expect(method="ACK")
    assert sw.api(f"uuid_media {leg}").startswith("+OK")
    for p in (a, b):
        req = p.expect(method="INVITE")
        assert re.search(r"m=audio \d+ UDP/TLS/RTP/SAVPF", req.body) and "a=fingerprint:" in req.body and "a=setup:actpass" in req.body
        assert ("a=ice-ufrag:" in req.body and "a=mid:sound" in req.body) == (p is a)
        p.reply(req, 200, "OK", body(p.rtp_port, "active", ice if p is a else ""))
        p.expect(method="ACK")
    assert sw.api(f"uuid_exists {leg}").startswith("true")
    a.bye()
    ended(b)
