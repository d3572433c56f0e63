"""Media past us (bypass_media, proxy_media, uuid_media) when one of the phones says no, has more lines than the other, or is encrypted."""
import re
import socket
import time

import pytest
import tandem as t
from calls import arrives, ended, extension, uuid_of, write_extensions
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
    """uuid_media once the streams there were are closed; what each phone is offered."""
    deadline = time.monotonic() + 10
    while not sw.api(f"uuid_media {leg}").startswith("+OK"):
        assert time.monotonic() < deadline
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
