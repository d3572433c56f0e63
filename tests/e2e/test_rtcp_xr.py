"""RTCP XR (RFC 3611): VoIP metrics are asked for and told, and what the far side tells is in the leg's variables."""
import socket
import struct
import time

import pytest
from calls import extension, uuid_of, write_extensions
from talk import Talker
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks
XR = "a=rtcp-xr:rcvr-rtt=all voip-metrics\r\n"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("xr") / "instance")
    s.plain = add_profile(s, "plain")
    write_extensions(s, [extension("7830", "set rtcp_audio_interval_msec=1000", "answer", "echo"),
                         extension("7831", "set rtcp_xr=false", "answer", "echo"),
                         extension("7832", "bridge {rtcp_xr=true}sofia/plain/svc@127.0.0.1:${sip_h_X-Port}")])
    s.start()
    yield s
    s.stop()


def rtcp_socket(p):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", p.rtp_port + 1))
    s.settimeout(5)
    return s


def packets_of(data):
    out = []
    while data:
        n = 4 * (struct.unpack("!H", data[2:4])[0] + 1)
        out.append((data[1], data[4:n]))
        data = data[n:]
    return out


def metrics_of(data, kind=207):
    return [b for t, b in packets_of(data) if t == kind]


def block(ssrc, loss=64, mos=37, words=8):
    return (struct.pack("!BBHI4B4H", 7, 0, words, ssrc, loss, 5, 255, 0, 40, 900, 33, 60) + bytes([127, 127, 127, 16, 80, 127, 38, mos, 0xf0, 0])
            + struct.pack("!HHH", 40, 80, 200))


def test_told_and_heard(sw, phone):
    a = phone("ext", register=False, kind=Trunk, at=sw.plain)
    rtcp = rtcp_socket(a)
    a.invite("7830", sdp(a.rtp_port) + XR)
    assert "a=rtcp-xr:voip-metrics\r\n" in a.answered().body
    a.talk = Talker(a, 440)
    a.talk.hears(440)
    while not (xr := metrics_of(rtcp.recv(2000))):
        pass
    ours, = struct.unpack("!I", xr[0][:4])
    kind, _, words, about, loss = struct.unpack("!BBHIB", xr[0][4:13])
    assert (kind, words, about, loss) == (7, 8, 77, 0) and len(xr[0]) == 40
    r, ext, lq, cq = xr[0][28:32]
    assert 85 <= r <= 94 and ext == 127 and 40 <= lq <= 45 and 40 <= cq <= 45
    uuid = uuid_of(sw, "ext")
    to = ("127.0.0.1", a.remote_rtp + 1)
    rr = struct.pack("!BBHI", 0x80, 201, 1, 77)

    def tell(body):
        rtcp.sendto(rr + struct.pack("!BBHI", 0x80, 207, 1 + len(body) // 4, 77) + body, to)
    tell(block(ours, words=60) + bytes(0))         # longer than it is
    tell(block(12345, loss=200))                   # of somebody else
    tell(struct.pack("!BBHI", 4, 0, 1, 0) + block(ours))  # behind a block of another kind
    until = time.monotonic() + 5
    while sw.api(f"uuid_getvar {uuid} rtp_xr_mos_cq") != "3.70":
        assert time.monotonic() < until
        sw.api(f"uuid_set_media_stats {uuid}")
    got = {n: sw.api(f"uuid_getvar {uuid} rtp_xr_{n}") for n in ("loss_percentage", "discard_percentage", "round_trip_ms", "r_factor", "mos_lq", "jb_max_ms")}
    assert got == {"loss_percentage": "25.00", "discard_percentage": "1.95", "round_trip_ms": "33", "r_factor": "80", "mos_lq": "3.80", "jb_max_ms": "80"}
    a.bye()
    rtcp.close()


def test_not_wanted(sw, phone):
    a = phone("ext", register=False, kind=Trunk, at=sw.plain)
    a.invite("7831", sdp(a.rtp_port) + XR)
    assert "rtcp-xr" not in a.answered().body
    a.bye()
    a.invite("7830", sdp(a.rtp_port))
    assert "rtcp-xr" not in a.answered().body
    a.bye()


def test_offered(sw, phone):
    a = phone("ext", register=False, kind=Trunk, at=sw.plain)
    b = phone("svc", register=False, kind=Trunk, at=sw.plain)
    a.invite("7832", extra=f"X-Port: {b.port}\n")
    assert "a=rtcp-xr:voip-metrics\r\n" in b.take(sdp(b.rtp_port) + XR).body
    assert "rtcp-xr" not in a.answered().body
    a.bye()
