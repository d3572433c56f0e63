"""proxy_media and inbound-proxy-media: the phones agree with each other, hear our address, and their packets go through us as they are."""
import re
import socket
import struct

import pytest
from calls import ended, extension, write_extensions
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("proxy") / "instance")
    s.plain = add_profile(s, "plain", inbound_late_negotiation="true")
    s.zrtp = add_profile(s, "zrtp", inbound_late_negotiation="true", inbound_zrtp_passthru="true")
    s.proxied = add_profile(s, "proxied", inbound_proxy_media="true")
    s.bypassed = add_profile(s, "bypassed", inbound_bypass_media="true")
    to_svc = "bridge sofia/plain/svc@127.0.0.1:${sip_h_X-Port}"
    write_extensions(s, [extension("7701", "set proxy_media=true", to_svc), extension("7702", to_svc), extension("7703", "set zrtp_passthru=true", to_svc),
                          extension("7704", "set zrtp_passthru=false", to_svc)])
    s.start()
    yield s
    s.stop()


def description(p, extra="", formats="97 101", conn="127.0.0.1"):
    """Of codecs that nobody here knows."""
    return (f"v=0\r\no=- 7 {extra.count('x') + 1} IN IP4 127.0.0.1\r\ns=lab\r\nc=IN IP4 {conn}\r\nt=0 0\r\nm=audio {p.rtp_port} RTP/AVP {formats}\r\n"
            f"a=rtpmap:97 FOO/16000\r\na=fmtp:97 mode=3\r\na=rtpmap:101 telephone-event/8000\r\n{extra}")


def port_of(text):
    return int(re.search(r"m=audio (\d+)", text).group(1))


def lines_but_address(text):
    return [re.sub(r"m=audio \d+", "m=audio", l) for l in text.split("\r\n") if l[:2] not in ("o=", "c=")]


def pair(sw, phone, number="7701", at=None, extra=""):
    a = phone("ext", register=False, kind=Trunk, at=at or sw.plain)
    b = phone("svc", register=False, kind=Trunk, at=sw.plain)
    a.invite(number, body=description(a, extra), extra=f"X-Port: {b.port}\n")
    offer = b.expect(method="INVITE")
    b.reply(offer, 200, "OK", description(b))
    b.expect(method="ACK")
    b.enter(offer)
    ok = a.answered()
    return a, b, offer, ok


def packet(pt, seq, ts, ssrc, payload):
    return struct.pack("!BBHII", 0x80, pt, seq, ts, ssrc) + payload


def passes(a, b):
    """Whole packets, whatever their type, either way, once the two are joined."""
    for x, y in ((a, b), (b, a)):
        first = packet(97, 6999, 123456789, 0xdeadbeef, b"first")
        y.media.settimeout(0.05)
        for _ in range(200):
            x.media.sendto(first, ("127.0.0.1", x.remote_rtp))
            try:
                if y.media.recv(2048) == first:
                    break
            except TimeoutError:
                pass
        y.media.settimeout(0.3)
        try:
            while y.media.recv(2048) == first:
                pass
        except TimeoutError:
            pass
        y.media.settimeout(3)
        for pt, seq in ((97, 7000), (101, 7001), (12, 7002)):
            p = packet(pt, seq, 123456789, 0xdeadbeef, bytes(range(40)))
            x.media.sendto(p, ("127.0.0.1", x.remote_rtp))
            assert y.media.recv(2048) == p


@pytest.mark.parametrize("number,profile", [("7701", "plain"), ("7702", "proxied")])
def test_passed_with_our_address(sw, phone, number, profile):
    a, b, offer, ok = pair(sw, phone, number, getattr(sw, profile))
    assert lines_but_address(offer.body) == lines_but_address(description(a))
    assert lines_but_address(ok.body) == lines_but_address(description(b))
    assert port_of(offer.body) not in (a.rtp_port, b.rtp_port) and port_of(ok.body) not in (a.rtp_port, b.rtp_port)
    passes(a, b)
    a.bye()
    ended(b)


def test_what_would_lead_past_us_is_left_out(sw, phone):
    extra = ("a=candidate:1 1 UDP 1 192.0.2.9 4000 typ host\r\na=ice-ufrag:x\r\na=rtcp:9 IN IP4 192.0.2.9\r\na=crypto:1 k inline:abc\r\n"
             "m=video 4444 RTP/AVP 31\r\nc=IN IP4 192.0.2.9\r\n")
    a, b, offer, ok = pair(sw, phone, extra=extra)
    assert "192.0.2.9" not in offer.body and "ice" not in offer.body and "m=video 0 RTP/AVP 31" in offer.body
    assert "a=crypto:1 k inline:abc" in offer.body
    a.bye()
    ended(b)


def test_reinvites_are_passed(sw, phone):
    a, b, *_ = pair(sw, phone)
    for conn, direction in (("127.0.0.1", "a=sendonly\r\n"), ("0.0.0.0", ""), ("127.0.0.1", "a=x\r\n")):
        a.request("INVITE", body=description(a, direction, conn=conn))
        hold = b.expect(method="INVITE")
        assert lines_but_address(hold.body) == lines_but_address(description(a, direction))
        assert f"c=IN IP4 {conn}" in hold.body and port_of(hold.body) != a.rtp_port
        b.reply(hold, 200, "OK", description(b, "a=recvonly\r\n"))
        b.expect(method="ACK")
        ok = a.answered()
        assert "a=recvonly" in ok.body and port_of(ok.body) == a.remote_rtp
    passes(a, b)
    a.bye()
    ended(b)


def test_a_reinvite_that_is_refused(sw, phone):
    a, b, *_ = pair(sw, phone)
    b.own_request("INVITE", body=description(b, formats="97"))
    ask = a.expect(method="INVITE")
    a.reply(ask, 488, "Not Acceptable Here")
    a.expect(method="ACK")
    b.expect(488)
    passes(a, b)
    a.bye()
    ended(b)


def test_bypass_of_a_profile(sw, phone):
    a, b, offer, ok = pair(sw, phone, "7702", sw.bypassed)
    assert port_of(offer.body) == a.rtp_port and port_of(ok.body) == b.rtp_port
    a.bye()
    ended(b)


def test_handshakes_are_passed(sw, phone):
    """DTLS and ZRTP on the port of RTP, and SRTCP, whose sealed part nobody here can read."""
    a, b, *_ = pair(sw, phone)
    passes(a, b)
    dtls = bytes([22, 254, 253]) + bytes(range(60))
    zrtp = bytes([0x10, 0]) + struct.pack("!H", 7) + b"ZRTP" + bytes(range(48))
    for x, y in ((a, b), (b, a)):
        for p in (dtls, zrtp):
            x.media.sendto(p, ("127.0.0.1", x.remote_rtp))
            assert y.media.recv(2048) == p
    srtcp = struct.pack("!BBHI", 0x80, 200, 6, 0xdeadbeef) + bytes([255] * 40)
    rtcp = []
    for p in (a, b):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("127.0.0.1", p.rtp_port + 1))
        s.settimeout(3)
        rtcp.append(s)
    for x, y, s, r in ((a, b, *rtcp), (b, a, *rtcp[::-1])):
        s.sendto(srtcp, ("127.0.0.1", x.remote_rtp + 1))
        assert r.recv(2048) == srtcp
    for s in rtcp:
        s.close()
    a.bye()
    ended(b)


# number, the caller's profile, whether its phone speaks of ZRTP, whether its packets stay as they are
ZRTP = [("7703", "plain", True, True), ("7703", "plain", False, False), ("7702", "zrtp", True, True), ("7704", "zrtp", True, False)]


@pytest.mark.parametrize("number, profile, has_hash, is_passed", ZRTP)
def test_zrtp_passthru(sw, phone, number, profile, has_hash, is_passed):
    """Only where the caller's phone speaks of ZRTP; who does not has an ordinary call. The variable goes before inbound-zrtp-passthru."""
    hash_line = "a=zrtp-hash:1.10 fe30efd02423cb054e50efd0248742ac7a52c8f91bc2df881ae642c371ba46df\r\n"
    a = phone("ext", register=False, kind=Trunk, at=getattr(sw, profile))
    b = phone("svc", register=False, kind=Trunk, at=sw.plain)
    a.invite(number, sdp(a.rtp_port) + (hash_line if has_hash else ""), extra=f"X-Port: {b.port}\n")
    b.take()
    a.answered()
    zrtp = bytes([0x10, 0]) + struct.pack("!H", 7) + b"ZRTP" + bytes(range(48))
    sealed = packet(0, 7000, 160, 0xdeadbeef, bytes(170))
    a.media.sendto(sealed, ("127.0.0.1", a.remote_rtp))
    for _ in range(100):  # the two are joined a moment after the answer
        try:
            b.media.settimeout(0.05)
            came = b.media.recv(2048)
            break
        except TimeoutError:
            a.media.sendto(sealed, ("127.0.0.1", a.remote_rtp))
    assert (came == sealed) == is_passed
    a.media.sendto(zrtp, ("127.0.0.1", a.remote_rtp))
    b.media.settimeout(1)
    got = []
    try:
        while zrtp not in got:
            got.append(b.media.recv(2048))
    except TimeoutError:
        pass
    assert (zrtp in got) == is_passed
    a.bye()
    ended(b)
