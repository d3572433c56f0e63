"""SIP over WebSocket (RFC 7118): the opening, frames, keep-alive, calls to a browser's contact, and a browser itself."""
import json
import re
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest
from streams import StreamPhone, WsSocket, context, make_switch
from wire import Message, Phone, sdp

pytestmark = pytest.mark.leaks

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = make_switch(tmp_path_factory.mktemp("ws") / "instance", tcp_unreg_on_socket_close="true", ws_origins="https://pages.example,http://localhost").start()
    yield sw
    sw.stop()


@pytest.fixture
def ws_phone(sw, phone):
    def make(user="1000", kind="ws", **kw):
        return phone(user, kind=lambda s, u, **k: StreamPhone(s, u, kind, **k), **kw)
    return make


def opened(sw, **kw):
    sock = socket.create_connection(("127.0.0.1", sw.ws_port), 5)
    sock.settimeout(5)
    return WsSocket(sock, sw.ws_port, **kw)


def raw(sw, text):
    with socket.create_connection(("127.0.0.1", sw.ws_port), 5) as s:
        s.settimeout(5)
        s.sendall(text)
        got = b""
        while data := s.recv(65536):
            got += data
        return got


# ---- opening ----

def test_opening(sw):
    w = opened(sw, protocol="chat, sip", origin="https://pages.example")
    assert w.status == 101 and b"Sec-WebSocket-Protocol: sip" in w.head
    w.close()


@pytest.mark.parametrize("kw,status", [({"protocol": "chat"}, 400), ({"protocol": None}, 400), ({"origin": "https://elsewhere.example"}, 403)])
def test_opening_refused(sw, kw, status):
    w = opened(sw, **kw)
    assert w.status == status, w.head
    assert w.sock.recv(100) in (b"", w.buf)


HEAD = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: sip\r\n"


@pytest.mark.parametrize("text,status", [
    ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"426"),
    ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"405"),
    ("GET / HTTP/1.1\r\n\r\n", b"400"),
    (HEAD + "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", b"426"),
    (HEAD + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n\r\n", b"426"),
    ("GET / HTTP/1.1\r\nHost: x\r\nX: " + "y" * 40000 + "\r\n\r\n", b"431"),
    ("OPTIONS sip:x SIP/2.0\r\n\r\n", b"400")])
def test_no_websocket(sw, text, status):
    got = raw(sw, text.encode())
    assert got.startswith(b"HTTP/1.1 " + status), got[:200]


# ---- messages ----

def options(p, sw, extra=""):
    return (f"OPTIONS sip:{sw.domain} SIP/2.0\r\nVia: {p.via()}\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:{sw.domain}>\r\nCall-ID: {time.monotonic_ns()}\r\n"
            f"CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n{extra}\r\n").encode()


def test_text_binary_fragments_and_no_length(sw, ws_phone):
    p = ws_phone(register=False)
    p.s.frame(options(p, sw, "Content-Length: 0\r\n"))
    assert p.expect(200)
    p.s.frame(options(p, sw), opcode=2)  # binary, and Content-Length is not needed here
    assert p.expect(200)
    text = options(p, sw)
    p.s.frame(text[:50], fin=False)
    p.s.frame(b"in between", opcode=9)
    p.s.frame(text[50:], opcode=0)
    assert p.expect(200)
    assert p.s.pongs == 1
    p.s.frame(b"\r\n\r\n")
    p.s.settimeout(5)
    assert p.s.recv() == b"\r\n"


def test_stun_in_a_message(sw, ws_phone):
    """RFC 5626's STUN is for datagrams: in a WebSocket message it is one that is malformed."""
    stun = struct.pack("!HHI12s", 1, 0, 0x2112A442, b"0123456789ab")
    p = ws_phone(register=False)
    p.s.frame(stun, opcode=2)
    p.s.frame(options(p, sw))
    assert p.expect(200)


def test_close_codes(sw):
    def code(w):
        while True:
            got = w.read()
            if not got:
                return None
            if got[0] == 8:
                return struct.unpack("!H", got[1][:2])[0]
    w = opened(sw)
    w.frame(struct.pack("!H", 1000) + b"bye", opcode=8)
    assert code(w) == 1000 and not w.read()
    w = opened(sw)
    w.frame(b"\xff\xfe", opcode=1)
    assert code(w) == 1007
    w = opened(sw)
    w.frame(b"x", mask=False)
    assert code(w) in (1002, None)
    w = opened(sw)
    w.sock.sendall(b"\x82\xff" + struct.pack("!Q", 1 << 40) + b"\0\0\0\0xxxx")
    assert code(w) == 1009


def test_broken_message_costs_nothing_else(sw, ws_phone):
    p = ws_phone(register=False)
    p.s.frame(b"this is no SIP")
    p.s.frame(options(p, sw))
    assert p.expect(200)


@pytest.mark.parametrize("kind", ["ws", "wss"])
def test_register_and_status(sw, ws_phone, kind):
    p = ws_phone("1000", kind, register=False)
    ok = p.register(extra="User-Agent: Browser/1\n")
    assert ok.get("Via").startswith(f"SIP/2.0/{kind.upper()} ")
    status = sw.api("sofia status profile internal reg 1000")
    assert f"Registered({kind.upper()}-NAT)(unknown)" in status and "Browser/1" in status, status
    assert f"transport=ws;fs_nat=yes;fs_path=sip%3A1000%40127.0.0.1%3A{p.port}%3Btransport%3D{kind}" in status
    assert f",{kind}," in sw.api("show registrations")
    text = sw.api("sofia status profile internal")
    assert f"WS-BIND-URL     \tsip:mod_sofia@127.0.0.1:{sw.ws_port};transport=ws\n" in text
    assert f"WSS-BIND-URL     \tsips:mod_sofia@127.0.0.1:{sw.wss_port};transport=wss\n" in text
    assert "(WS)" in sw.api("sofia xmlstatus") and "(WSS)" in sw.api("sofia xmlstatus") and "(WS" not in sw.api("sofia status")


@pytest.mark.parametrize("a_kind,b_kind", [("ws", "wss"), ("udp", "ws"), ("wss", "udp"), ("ws", "tls")])
def test_calls(sw, phone, ws_phone, a_kind, b_kind):
    def make(user, kind):
        return phone(user) if kind == "udp" else ws_phone(user, kind)
    a, b = make("1000", a_kind), make("1001", b_kind)
    a.invite("1001")
    req = b.expect(method="INVITE")
    if b_kind != "udp":
        assert req.get("Via").startswith(f"SIP/2.0/{b_kind.upper()} ")
        assert f"transport={b_kind}" in req.get("Contact"), req.get("Contact")
    is_browser = b_kind in ("ws", "wss")  # media_webrtc by itself
    assert ("a=ice-ufrag" in req.body) == ("a=group:BUNDLE 0" in req.body) == ("a=rtcp-mux" in req.body) == is_browser, req.body
    assert ("a=fingerprint:sha-256 " in req.body) == ("UDP/TLS/RTP/SAVPF" in req.body) == is_browser, req.body
    b.reply(req, 180, "Ringing")
    # a handshake is not waited for here: any certificate will do; an answer without ICE is as good
    secure = "a=rtcp-mux\r\na=setup:active\r\na=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\n"
    b.reply(req, 200, "OK", sdp(b.rtp_port).replace("RTP/AVP", "UDP/TLS/RTP/SAVPF") + secure if is_browser else sdp(b.rtp_port))
    a.answered()
    b.expect(method="ACK")
    b.enter(req)
    b.own_request("BYE")
    b.expect(200)
    a.reply(a.expect(method="BYE"), 200, "OK")


def test_browser_that_is_gone_is_not_called(sw, phone, ws_phone, tmp_path):
    events = sw.esl()
    events.subscribe("CUSTOM sofia::expire")
    b = ws_phone("1001")
    b.s.close()
    assert events.wait_event("CUSTOM")["user"] == "1001"
    events.close()
    a = phone("1000")
    a.invite("1001")
    got = a.expect(480, timeout=15)
    a.ack_failure(got)


def test_a_request_to_one_that_is_gone_ends_no_call(sw, ws_phone):
    """It may come back with a connection of its own; a re-INVITE that nobody can answer would be the call's end."""
    events = sw.esl()
    events.subscribe("CUSTOM sofia::expire")
    a = ws_phone("1000")
    a.invite("9196")
    a.answered()
    uuid = next(r for r in sw.api("show channels").splitlines() if "9196" in r).split(",")[0]
    a.s.close()
    assert events.wait_event("CUSTOM")["user"] == "1000"
    events.close()
    assert sw.api(f"uuid_media_reneg {uuid}") == "-ERR Operation Failed\n"
    assert sw.api(f"uuid_exists {uuid}").strip() == "true"
    sw.api(f"uuid_kill {uuid}")
    sw.wait_calls(0)


# ---- a browser ----

@pytest.mark.parametrize("kind", ["wss", "ws"])
def test_browser(sw, modules, kind, tmp_path):
    browser = shutil.which("chromium")
    if not browser:
        pytest.skip("chromium is not installed")
    shutil.copy(HERE / "browser_phone.mjs", modules)
    port = sw.wss_port if kind == "wss" else sw.ws_port
    got = subprocess.run(["node", "browser_phone.mjs", browser, "https://pages.example/" if kind == "wss" else "http://localhost/", f"{kind}://127.0.0.1:{port}", sw.domain, "1003", sw.passwords["1003"], "1004",
                          sw.passwords["1004"], str(tmp_path / "profile")], cwd=modules, capture_output=True, text=True, timeout=60)
    assert got.returncode == 0, got.stderr
    result = json.loads(got.stdout.strip().split("\n")[-1])
    assert "error" not in result, (result, sw.log_text[-3000:])
    assert result["from"] == "1003" and result["via"].startswith(f"SIP/2.0/{kind.upper()} "), result
    assert result["cause"] == "Busy" and result["cancelled"] == "Canceled", result
