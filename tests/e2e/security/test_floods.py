"""Floods of one method over one transport, from strangers: what the switch keeps of them is bounded, and a phone that was there is
served meanwhile. Short here; `./dev soak` floods for 90 s each and says how long the phone waits."""
import select
import socket
import ssl
import struct
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tandem as t  # noqa: E402
from streams import StreamPhone, WsSocket, context, make_switch  # noqa: E402
from strangers import rss_kb  # noqa: E402
from test_udp_floods import SDP, request, udp  # noqa: E402
from wire import Phone, sdp  # noqa: E402

METHODS = ["REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE"]
SECONDS, SOAK_SECONDS = 1, 90
SOURCES = 8
# kB that the switch may keep for one source while it floods: what waits for it unread (stranger_queue_bytes, 64), what came behind a
# whole message (READ_BYTES, 64), TLS records not yet read (IN_MAX_BYTES, 128), and the SSL of it. However long it floods.
SOURCE_MAX_KB = 64 + 64 + 128 + 32
WAITS_S = 8  # a phone does


class UdpFlood:
    def __init__(self, sw):
        self.at = ("127.0.0.1", sw.sip_port)
        self.socks = [udp(f"127.0.10.{i}") for i in range(2, 10)]

    def send(self, i, method):
        s = self.socks[i % 8]
        s.sendto(request(method, f"u{i}", f"127.0.10.{2 + i % 8}", body=SDP if method == "INVITE" else ""), self.at)
        return True

    def close(self):
        for s in self.socks:
            s.close()


class StreamFlood:
    """Connections that send and hardly read; one that is closed on them is made anew."""
    net, via = 11, b"TCP"

    def __init__(self, sw):
        self.at = ("127.0.0.1", self.port(sw))
        self.socks, self.out = [None] * SOURCES, [b""] * SOURCES

    def port(self, sw):
        return sw.sip_port

    def opened(self, sock):
        return sock

    def frame(self, text):
        return text

    def send(self, i, method):
        """True: one more is under way."""
        k, is_sent = i % SOURCES, False
        try:
            if not self.socks[k]:
                self.socks[k] = self.opened(socket.create_connection(self.at, 5, (f"127.0.{self.net}.{2 + k}", 0)))
                self.socks[k].setblocking(False)
                self.out[k] = b""
            if len(self.out[k]) > 65536:  # the switch does not read so fast
                select.select([], [self.socks[k]], [], 0.01)
                self.out[k] = self.out[k][self.socks[k].send(self.out[k]):]
                self.socks[k].recv(65536)
                return False
            text = request(method, f"t{i}", f"127.0.{self.net}.{2 + k}", body=SDP if method == "INVITE" else "")
            self.out[k] += self.frame(text.replace(b"SIP/2.0/UDP", b"SIP/2.0/" + self.via))
            is_sent = True
            self.out[k] = self.out[k][self.socks[k].send(self.out[k]):]
            if i % (8 * SOURCES) < SOURCES:
                self.socks[k].recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            self.socks[k].close() if self.socks[k] else None
            self.socks[k] = None
        return is_sent

    def close(self):
        for s in self.socks:
            if s:
                s.close()


class TlsFlood(StreamFlood):
    net, via = 12, b"TLS"

    def port(self, sw):
        return sw.tls_port

    def opened(self, sock):
        return context().wrap_socket(sock)


class WsFlood(StreamFlood):
    net, via = 13, b"WS"

    def port(self, sw):
        return sw.ws_port

    def opened(self, sock):
        assert WsSocket(sock, self.at[1]).status == 101
        return sock

    def frame(self, text):
        return struct.pack("!BBHI", 0x81, 0xfe, len(text), 0) + text  # masked by zeros


class WssFlood(WsFlood):
    net, via = 14, b"WSS"

    def port(self, sw):
        return sw.wss_port

    def opened(self, sock):
        return super().opened(context().wrap_socket(sock))


TRANSPORTS = {"udp": UdpFlood, "tcp": StreamFlood, "tls": TlsFlood, "ws": WsFlood, "wss": WssFlood}


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = make_switch(tmp_path_factory.mktemp("floods") / "instance").start()
    yield sw
    sw.stop()


def read_again(phone, text):
    """What comes next; over UDP what was sent is sent again meanwhile, as phones do (RFC 3261, timers A and E)."""
    end, interval = time.monotonic() + WAITS_S, WAITS_S if phone.tcp else 0.5
    while True:
        try:
            return phone._read(min(interval, max(end - time.monotonic(), 0.01)))
        except TimeoutError:
            assert time.monotonic() < end, f"no answer to {text.splitlines()[0]}"
            phone.s.send(text.encode())
            interval = min(2 * interval, 4)


def heard(phone, text, code):
    m = read_again(phone, text)
    while m.code != code:
        m = read_again(phone, text)
    return m


def register(phone):
    uri, to, call_id = f"sip:{phone.sw.domain}", f"<sip:{phone.user}@{phone.sw.domain}>", f"reg-{phone.port}-{phone.tag}"
    phone.queue.clear()
    challenge = heard(phone, phone.request("REGISTER", uri, to, call_id, extra="Expires: 300\n"), 401)
    more = "Expires: 300\n" + phone.authorization(challenge, "REGISTER", uri)
    heard(phone, phone.request("REGISTER", uri, to, call_id, extra=more), 200)


def asked(phone, codes, extra=""):
    """The final answer to an INVITE, which is one of these or a refusal with a Retry-After, acknowledged."""
    text = phone.request("INVITE", phone.uri, phone.to, body=sdp(phone.rtp_port), extra=extra)
    m = read_again(phone, text)
    while m.code not in (*codes, 503) or not m.get("CSeq").startswith(f"{phone.cseq} "):
        m = read_again(phone, text)
    if m.code == 503:
        assert m.get("Retry-After")
    if m.code >= 300:
        phone.ack_failure(m)
    else:
        phone.queue.append(m)
    return m


def call(phone):
    """A call. While what the flood left is read it may be refused; each refusal is the event to ask again."""
    end = time.monotonic() + WAITS_S
    while time.monotonic() < end:
        phone.call_id, phone.uri = f"call-{time.monotonic_ns()}", f"sip:9196@{phone.sw.domain}"
        phone.to = f"<{phone.uri}>"
        m = asked(phone, [407])
        if m.code == 407 and asked(phone, [200], phone.authorization(m, "INVITE", phone.uri)).code == 200:
            phone.answered()
            phone.bye()
            return
    raise AssertionError("refused to the end")


def flood_for(sw, transport, method, seconds):
    """(requests sent, seconds that each of the phone's rounds took, kB that the process grew)"""
    phone = StreamPhone(sw, "1000", transport) if transport in ("tls", "ws", "wss") else Phone(sw, "1000", tcp=transport == "tcp")
    phone.register()
    call(phone)
    flood, stop, sent, waits = TRANSPORTS[transport](sw), threading.Event(), [0], []
    turn = [0]

    def run():
        while not stop.is_set():
            turn[0] += 1
            sent[0] += flood.send(turn[0], method)
    before = rss_kb(sw)
    while sent[0] < 2000:  # what tables and buffers take once
        turn[0] += 1
        sent[0] += flood.send(turn[0], method)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.monotonic()
            register(phone)
            waits.append(time.monotonic() - begin)
            stop.wait(0.05)
    finally:
        stop.set()
        thread.join()
    phone.queue.clear()
    call(phone)
    grown = rss_kb(sw) - before
    flood.close()
    phone.close()
    return sent[0], waits, grown


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("method", METHODS)
def test_a_phone_is_served_in_a_flood(sw, transport, method):
    sent, waits, grown = flood_for(sw, transport, method, SECONDS)
    assert waits and sent > 2000
    assert t.IS_SANITIZED or grown < SOURCES * SOURCE_MAX_KB, f"{sent} requests, {grown} kB"  # a sanitizer keeps what was freed


@pytest.mark.soak
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("method", METHODS)
def test_a_flood_of_90_seconds(sw, transport, method):
    sent, waits, grown = flood_for(sw, transport, method, SOAK_SECONDS)
    waits.sort()
    p50, p99 = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
    print(f"{method} over {transport}: {sent / SOAK_SECONDS:.0f}/s, a phone's 401 and 200: p50 {1000 * p50:.1f} p99 {1000 * p99:.1f} ms, "
          f"{grown} kB more")
    assert grown < SOURCES * SOURCE_MAX_KB and p99 < 0.2
