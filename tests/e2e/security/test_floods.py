"""Floods of one method over one transport, from strangers: what the switch keeps of them is bounded, and a phone that was there is
served meanwhile. Short here; `./dev soak` floods for 90 s each and says how long the phone waits."""
import socket
import threading
import time

import pytest

import tandem as t
from strangers import rss_kb
from test_udp_floods import SDP, request, udp
from wire import Phone, sdp

METHODS = ["REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE"]
SECONDS, SOAK_SECONDS = 1.5, 90
# kB that a flood may leave: buffers of sockets and tables that grow to their bound once
GROWTH_MAX_KB = 30000


class UdpFlood:
    def __init__(self, sw):
        self.at = ("127.0.0.1", sw.sip_port)
        self.socks = [udp(f"127.0.10.{i}") for i in range(2, 10)]

    def send(self, i, method):
        s = self.socks[i % 8]
        s.sendto(request(method, f"u{i}", f"127.0.10.{2 + i % 8}", body=SDP if method == "INVITE" else ""), self.at)

    def close(self):
        for s in self.socks:
            s.close()


class TcpFlood:
    """Connections that send and hardly read; one that is closed on them is made anew."""

    def __init__(self, sw):
        self.at = ("127.0.0.1", sw.sip_port)
        self.socks = [None] * 8

    def send(self, i, method):
        k = i % 8
        try:
            if not self.socks[k]:
                self.socks[k] = socket.create_connection(self.at, 5, (f"127.0.11.{2 + k}", 0))
                self.socks[k].setblocking(False)
            text = request(method, f"t{i}", f"127.0.11.{2 + k}", body=SDP if method == "INVITE" else "")
            self.socks[k].sendall(text.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"))
            if i % 64 < 8:
                self.socks[k].recv(65536)
        except BlockingIOError:
            time.sleep(0.001)
        except OSError:
            self.socks[k].close() if self.socks[k] else None
            self.socks[k] = None

    def close(self):
        for s in self.socks:
            if s:
                s.close()


TRANSPORTS = {"udp": UdpFlood, "tcp": TcpFlood}


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("floods") / "instance", "conf").start()
    sw.events = sw.esl()
    sw.events.subscribe("CUSTOM tandem::overload")
    yield sw
    sw.events.close()
    sw.stop()


def heard(phone, text, code, timeout=8):
    """The answer to what was sent; over UDP it is sent again, as phones do (RFC 3261, timer E)."""
    end, interval = time.monotonic() + timeout, 0.5
    while True:
        try:
            return phone.expect(code, timeout=min(interval, end - time.monotonic()))
        except AssertionError:
            if phone.tcp or time.monotonic() >= end - 0.01:
                raise
            phone.s.send(text.encode())
            interval = min(2 * interval, 4)


def register(phone):
    uri, to, call_id = f"sip:{phone.sw.domain}", f"<sip:{phone.user}@{phone.sw.domain}>", f"reg-{phone.port}-{phone.tag}"
    phone.queue.clear()
    challenge = heard(phone, phone.request("REGISTER", uri, to, call_id, extra="Expires: 300\n"), 401)
    more = "Expires: 300\n" + phone.authorization(challenge, "REGISTER", uri)
    heard(phone, phone.request("REGISTER", uri, to, call_id, extra=more), 200)


def call(phone):
    """A call, which may be asked to come again while what the flood left is read."""
    for _ in range(6):
        phone.call_id, phone.uri = f"call-{time.monotonic_ns()}", f"sip:9196@{phone.sw.domain}"
        phone.to = f"<{phone.uri}>"
        text = phone.request("INVITE", phone.uri, phone.to, body=sdp(phone.rtp_port))
        m = None
        while not m or m.code not in (407, 503):
            m = phone._read(8)
        phone.ack_failure(m)
        if m.code == 407:
            phone.request("INVITE", phone.uri, phone.to, body=sdp(phone.rtp_port), extra=phone.authorization(m, "INVITE", phone.uri))
            phone.answered()
            phone.bye()
            return
        assert m.get("Retry-After")
        time.sleep(1)
    raise AssertionError(f"refused to the end: {text.splitlines()[0]}")


def flood_for(sw, transport, method, seconds):
    """(requests sent, seconds that each of the phone's rounds took, kB that the process grew)"""
    phone = Phone(sw, "1000", tcp=transport == "tcp")
    phone.register()
    flood, stop, sent, waits = TRANSPORTS[transport](sw), threading.Event(), [0], []

    def run():
        while not stop.is_set():
            flood.send(sent[0], method)
            sent[0] += 1
    for i in range(2000):  # what tables and buffers take once
        flood.send(i, method)
    sent[0] = 2000
    before = rss_kb(sw)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.monotonic()
            register(phone)
            waits.append(time.monotonic() - begin)
            time.sleep(0.05)
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
    assert t.IS_SANITIZED or grown < GROWTH_MAX_KB, f"{sent} requests, {grown} kB"  # a sanitizer keeps what was freed


@pytest.mark.soak
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("method", METHODS)
def test_a_flood_of_90_seconds(sw, transport, method):
    sent, waits, grown = flood_for(sw, transport, method, SOAK_SECONDS)
    waits.sort()
    p50, p99 = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
    print(f"{method} over {transport}: {sent / SOAK_SECONDS:.0f}/s, a phone's 401 and 200: p50 {1000 * p50:.1f} p99 {1000 * p99:.1f} ms, "
          f"{grown} kB more")
    assert grown < GROWTH_MAX_KB and p99 < 0.2
