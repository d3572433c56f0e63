"""A stranger opens many TCP connections and sends on each a head and nearly all of a long body, never the end. What is
buffered of half messages, before anybody has logged in, takes the switch's memory."""
import time

import pytest

from strangers import connect, is_closed, message, params, rss_kb, send_all
from wire import Phone

PROFILE = "sip_profiles/internal.xml"


@pytest.fixture
def sw(fresh):
    params(fresh, PROFILE, tcp_message_timeout=2, tcp_max_bytes_per_address=4 << 20, tcp_max_bytes=8 << 20)
    return fresh.start()


def test_a_long_body_is_not_taken_before_login(sw):
    before = rss_kb(sw)
    held = []
    for i in range(200):
        s = connect(sw.sip_port)
        send_all(s, message("MESSAGE", 1000000) + b"a" * 900000)
        held.append(s)
    assert all(is_closed(s, 5) for s in held)
    assert rss_kb(sw) - before < 20000


def test_budgets_of_bytes(sw):
    """120 kB on each connection, which is allowed: the address's budget ends the oldest, and a phone of that address is served."""
    before = rss_kb(sw)
    head = message("MESSAGE", 60000, extra="".join(f"X-{i}: {'h' * 500}\r\n" for i in range(100)))
    held = [connect(sw.sip_port) for _ in range(200)]
    for s in held:
        send_all(s, head + b"a" * 59000)
    phone = Phone(sw, "1000", tcp=True)
    assert phone.register().code == 200
    assert rss_kb(sw) - before < 30000
    assert is_closed(held[0], 5)
    phone.close()


def test_a_message_has_to_end_in_time(sw):
    """Also one on a connection that has spoken, and of a phone that is registered."""
    stranger = connect(sw.sip_port)
    stranger.sendall(message())
    assert b"SIP/2.0 200" in stranger.recv(65536)
    phone = Phone(sw, "1000", tcp=True)
    phone.register()
    start = time.monotonic()
    for s in (stranger, phone.s):
        s.sendall(message("MESSAGE", 100) + b"a")
    assert is_closed(stranger, 8) and is_closed(phone.s, 8)
    assert time.monotonic() - start > 1
    phone.close()


def test_a_phone_that_logged_in_may_send_more(sw):
    phone = Phone(sw, "1000", tcp=True)
    phone.register()
    phone.s.sendall(message("OPTIONS", 300000) + b"a" * 300000)
    assert phone.expect(200)
    phone.close()
