"""Peers over TLS and WebSocket that stall, half-open, dribble and never read cost nobody else anything: an honest phone registers
beside them, and what they take is bounded."""
import re
import socket
import ssl
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from streams import StreamPhone, WsSocket, context, make_switch  # noqa: E402


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = make_switch(tmp_path_factory.mktemp("floods") / "instance", tcp_max_connections="20000", tcp_max_connections_per_address="6000").start()
    yield sw
    sw.stop()


@pytest.fixture
def honest(sw):
    """Registers over each door; whether it can is what is asked here, how soon is the bench's to say."""
    def register():
        for kind in ("tls", "ws", "wss"):
            p = StreamPhone(sw, "1000", kind, source="127.0.0.9")
            p.register()
            p.close()
    return register


def memory(sw):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{sw.proc.pid}/status").read_text()).group(1)) << 10


def hello():
    """A ClientHello of OpenSSL's."""
    inside, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    c = context().wrap_bio(inside, out)
    with pytest.raises(ssl.SSLWantReadError):
        c.do_handshake()
    return out.read()


def connect(port, source="127.0.0.1"):
    s = socket.socket()
    s.bind((source, 0))
    s.connect(("127.0.0.1", port))
    return s


def test_half_open(sw, honest):
    """Five thousand connections that say nothing."""
    before = memory(sw)
    socks = []
    try:
        for i in range(5000):
            socks.append(connect(sw.tls_port, f"127.0.1.{1 + i % 200}"))
        honest()
        assert memory(sw) - before < 5000 * 8192
    finally:
        for s in socks:
            s.close()


def test_stall_in_the_handshake(sw, honest):
    """A hello, and nothing after the answer: more of them than may be under way, of one host and of many."""
    text = hello()
    socks = []
    try:
        for i in range(600):
            s = connect(sw.tls_port if i % 2 else sw.wss_port, f"127.0.2.{1 + i % 5}")
            s.sendall(text)
            socks.append(s)
        honest()
    finally:
        for s in socks:
            s.close()


def test_dribbled_hello(sw, honest):
    text = hello()
    socks = []
    try:
        for i in range(300):
            s = connect(sw.tls_port)
            s.sendall(text[:20 + i % 100])
            socks.append(s)
        for n in range(3):
            for s in socks:
                s.sendall(text[120 + n:121 + n])
        honest()
    finally:
        for s in socks:
            s.close()


@pytest.mark.parametrize("junk", [b"\x16\x03\x01\xff\xff" + b"x" * 20000, b"\x16\x03\x01\x40\x00" + b"\x01" * 16384, b"GET / HTTP/1.1\r\n\r\n",
                                  b"\x80\x2e\x01\x00\x02" + b"\0" * 60, b"\x16\x03\x01\x00\x00" * 200], ids=range(5))
def test_junk(sw, honest, junk):
    for _ in range(50):
        with connect(sw.tls_port) as s:
            s.settimeout(15)
            try:
                s.sendall(junk)
                while s.recv(4096):
                    pass
            except ConnectionError:
                pass
    honest()


@pytest.mark.parametrize("kind", ["tls", "ws", "wss"])
def test_never_reads(sw, honest, kind):
    """Requests without end, and no answer read: what waits for it is bounded, the rest of its answers are lost."""
    port = {"tls": sw.tls_port, "ws": sw.ws_port, "wss": sw.wss_port}[kind]
    before = memory(sw)
    raw = socket.create_connection(("127.0.0.1", port), 10)
    raw.settimeout(10)
    s = context().wrap_socket(raw) if kind != "ws" else raw
    if kind != "tls":
        s = WsSocket(s, port)
    request = ("OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 1.2.3.4;branch=z9hG4bK%d\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:127.0.0.1>\r\n"
               "Call-ID: never\r\nCSeq: %d OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n")
    for i in range(20000):
        s.sendall((request % (i, i + 1)).encode())
    honest()
    assert memory(sw) - before < 64 << 20
    s.close()


def test_frames_without_end(sw, honest):
    """A message in fragments that never ends, pings between them."""
    before = memory(sw)
    s = socket.create_connection(("127.0.0.1", sw.ws_port), 10)
    s.settimeout(20)
    w = WsSocket(s, sw.ws_port)
    with pytest.raises(OSError):
        for i in range(100000):
            w.frame(b"x" * 1000, opcode=1 if not i else 0, fin=False)
            w.frame(b"p", opcode=9)
            assert memory(sw) - before < 64 << 20
            if i % 100 == 0:
                s.setblocking(False)
                try:
                    while s.recv(65536):
                        pass
                    raise ConnectionError("closed")
                except BlockingIOError:
                    pass
                s.setblocking(True)
                s.settimeout(20)
    honest()


