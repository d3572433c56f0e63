"""Codecs that nobody here decodes go from one phone to the other as they are: payload, ptime and format parameters kept."""
import struct

import pytest
from calls import ended, extension, write_extensions
from trunk import Trunk, add_profile

pytestmark = pytest.mark.leaks
CODECS = {  # rtpmap, payload type, fmtp, ptime, bytes of a packet
    "G729": ("G729/8000", 18, "annexb=no", 20, 20), "G723": ("G723/8000", 4, "", 30, 24), "iLBC": ("iLBC/8000", 97, "mode=30", 30, 50),
    "G7221": ("G7221/16000", 98, "bitrate=32000", 20, 80), "G7221-32": ("G7221/32000", 99, "bitrate=48000", 20, 120),
}


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("pass") / "instance")
    prefs = "G729,G723,iLBC,G7221@32000h,G7221@16000h,PCMU"
    s.plain = add_profile(s, "plain", inbound_codec_prefs=prefs, outbound_codec_prefs=prefs, inbound_late_negotiation="true")
    write_extensions(s, [extension("7840", "bridge sofia/plain/svc@127.0.0.1:${sip_h_X-Port}")])
    s.start()
    yield s
    s.stop()


def description(p, codec):
    name, pt, fmtp, ptime, _ = CODECS[codec]
    return (f"v=0\r\no=- 7 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {p.rtp_port} RTP/AVP {pt}\r\n"
            f"a=rtpmap:{pt} {name}\r\n" + (f"a=fmtp:{pt} {fmtp}\r\n" if fmtp else "") + f"a=ptime:{ptime}\r\n")


@pytest.mark.parametrize("codec", CODECS)
def test_passed(sw, phone, codec):
    name, pt, fmtp, ptime, size = CODECS[codec]
    a = phone("ext", register=False, kind=Trunk, at=sw.plain)
    b = phone("svc", register=False, kind=Trunk, at=sw.plain)
    a.invite("7840", description(a, codec), extra=f"X-Port: {b.port}\n")
    offer = b.take(description(b, codec)).body
    answer = a.answered().body
    for text in (offer, answer):
        assert f"a=rtpmap:{pt} {name}" in text and (not fmtp or f"a=fmtp:{pt} {fmtp}" in text), text
    for x, y in ((a, b), (b, a)):
        y.media.settimeout(0.05)
        got = []
        for i in range(60):
            payload = bytes([i, pt]) * (size // 2)
            x.media.sendto(struct.pack("!BBHII", 0x80, pt, 500 + i, i * 8 * ptime, 5) + payload, ("127.0.0.1", x.remote_rtp))
            try:
                d = y.media.recv(2000)
            except TimeoutError:
                continue
            got.append((d[1] & 127, d[12:] == payload))
            if len(got) == 5:
                break
        assert got == [(pt, True)] * 5
    a.bye()
    ended(b)
