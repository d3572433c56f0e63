"""A stranger sends a head of twenty thousand short lines at once and then the body byte by byte: each byte makes the switch
read the head again, and 4 kB/s take its control thread. Framing must look at each byte once, at every door."""
import time

import pytest

from http_client import Door, read_response
from strangers import connect, cpu_s, is_closed, message, send_all

CONNECTIONS, ROUNDS = 10, 150


def cost_us(sw, head, tail=b"a", port=None):
    """CPU of the whole switch for a byte dribbled behind head; None when the connections were closed for it."""
    socks = [connect(port or sw.sip_port) for _ in range(CONNECTIONS)]
    for s in socks:
        send_all(s, head)
    if is_closed(socks[0], 1):
        return None
    start, sent = cpu_s(sw), 0
    for _ in range(ROUNDS):
        for s in socks:
            sent += send_all(s, tail)
        time.sleep(0.004)  # so that every byte comes by itself: what the attack does
    sw.api("status")
    used = cpu_s(sw) - start
    for s in socks:
        s.close()
    return 1e6 * used / sent


@pytest.fixture(scope="module")
def small_us(sw):
    return max(cost_us(sw, message("MESSAGE", 60000)), 20)


def test_many_short_lines(sw, small_us):
    head = message("MESSAGE", 60000).replace(b"\r\n\r\n", b"\r\n")
    head += b"i:\n" * ((64000 - len(head)) // 3) + b"\r\n"
    cost = cost_us(sw, head)
    assert cost is None or cost < 4 * small_us, f"{cost:.0f} us a byte, {small_us:.0f} with a small head"


def test_a_head_that_does_not_end(sw, small_us):
    head = message("MESSAGE", 60000)[:-2] + b"X: " + b"h" * 60000
    cost = cost_us(sw, head)
    assert cost is None or cost < 4 * small_us, f"{cost:.0f} us a byte, {small_us:.0f} with a small head"


def test_lines_are_bounded_while_they_come(sw):
    s = connect(sw.sip_port)
    assert send_all(s, message()[:-2] + b"i: x\r\n" * 400)
    assert not is_closed(s, 0.3)
    send_all(s, b"i: x\r\n" * 200)
    assert is_closed(s, 5)


def test_many_small_commands_at_once(sw):
    """Event socket and HTTP: sixty kilobytes of the smallest requests in one piece; `slow handler` is looked for at the end."""
    s = connect(sw.esl_port)
    send_all(s, b"\n" * 30000 + b"a\n\n" * 10000)
    assert is_closed(s, 15)
    s = connect(sw.http_port)
    request = b"GET /healthz HTTP/1.1\r\nHost:h\r\n\r\n"
    s.sendall(request * 2000)
    for _ in range(2000):
        assert read_response(s)[0] == 200
    s.close()


def test_small_commands_of_an_administrator(sw):
    e = sw.esl()
    e.sock.sendall(b"api echo x\n\n" * 5000)
    for _ in range(5000):
        assert e.read()[1] == "x"
    e.close()
    assert Door(sw).call("GET", "/v1/status")[0] == 200
