"""Small ways in and out at the doors: HTTP requests hidden behind a bare line feed, a WebSocket opened by somebody else's web
page, guessing of passwords at full speed, and no descriptors left, which is to be said as overload."""
import os
import resource
import socket
import threading
import time

import pytest

import tandem as t
from http_client import Door, read_response, settings
from strangers import connect
from wire import Phone


@pytest.fixture
def door(sw):
    return Door(sw)


# ---- line ends
def status_of(door, raw):
    s = door.raw()
    s.sendall(raw)
    status = read_response(s)[0]
    s.close()
    return status


def test_line_ends(door):
    auth = f"Host: h\r\nAuthorization: Bearer {door.token}\r\nContent-Type: application/json\r\n"
    post = f"POST /v1/commands/status HTTP/1.1\r\n{auth}"
    chunked = post + "Transfer-Encoding: chunked\r\n\r\n"
    assert status_of(door, (post + "Content-Length: 2\r\n\r\n{}").encode()) == 200
    assert status_of(door, (chunked + "2\r\n{}\r\n0\r\n\r\n").encode()) == 200
    assert status_of(door, (chunked + "1;a=b\r\n{\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n").encode()) == 200
    bad = {
        "all bare": (post + "Content-Length: 2\r\n\r\n{}").replace("\r\n", "\n"),
        "one header": post.replace("Host: h\r\n", "Host: h\n") + "Content-Length: 2\r\n\r\n{}",
        "request line": post.replace("1.1\r\n", "1.1\n") + "Content-Length: 2\r\n\r\n{}",
        "empty line": post + "Content-Length: 2\r\n\n{}",
        "before": "\n" + post + "Content-Length: 2\r\n\r\n{}",
        "bare CR": post + "X: a\rb\r\nContent-Length: 2\r\n\r\n{}",
        "chunk extension": chunked + "2;a=\n{}\r\n0\r\n\r\n",
        "chunk size": chunked + "2\n{}\r\n0\r\n\r\n",
        "chunk end": chunked + "2\r\n{}\n0\r\n\r\n",
        "chunk blank": chunked + "2 \r\n{}\r\n0\r\n\r\n",
        "chunk 0x": chunked + "0x2\r\n{}\r\n0\r\n\r\n",
        "chunk huge": chunked + "FFFFFFFFFFFFFFFFF\r\n",
        "trailer": chunked + "2\r\n{}\r\n0\r\nX: y\n\r\n",
        "both lengths": post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "two lengths": post + "Content-Length: 2\r\nContent-Length: 4\r\n\r\n{}xx",
        "signed length": post + "Content-Length: +2\r\n\r\n{}",
        "list of lengths": post + "Content-Length: 2, 2\r\n\r\n{}",
        "blank before colon": post + "Content-Length : 2\r\n\r\n{}",
        "folded": post + "X: a\r\n Content-Length: 2\r\n\r\n",
        "NUL": post + "X: a\0b\r\nContent-Length: 2\r\n\r\n{}",
        "two hosts": post + "Host: y\r\nContent-Length: 2\r\n\r\n{}",
    }
    got = {name: status_of(door, text.encode()) for name, text in bad.items()}
    assert {n: s for n, s in got.items() if not 400 <= s < 500} == {}
    # the same, byte by byte
    s = door.raw()
    for c in bad["chunk extension"]:
        s.sendall(c.encode())
    assert read_response(s)[0] == 400
    s.close()


# ---- origins
def ws_status(door, *headers):
    s = door.raw()
    lines = "".join(h + "\r\n" for h in headers)
    s.sendall((f"GET /v1/events/ws HTTP/1.1\r\nAuthorization: Bearer {door.token}\r\n{lines}Upgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
    status = int(s.recv(100).split(b" ")[1])
    s.close()
    return status


def test_websocket_origin(fresh):
    settings(fresh, cors_origins="https://good.example")
    fresh.start()
    door = Door(fresh)
    me = f"127.0.0.1:{fresh.http_port}"
    assert ws_status(door, f"Host: {me}") == 101  # no browser
    assert ws_status(door, f"Host: {me}", f"Origin: http://{me}") == 101
    assert ws_status(door, "Host: localhost:8090", "Origin: http://localhost:8090") == 101
    assert ws_status(door, f"Host: {me}", "Origin: https://good.example") == 101
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"http://{me}.evil.example", f"ftp://{me}", "https://good.example.evil",
                   "http://good.example", ""):
        assert ws_status(door, f"Host: {me}", f"Origin: {origin}") == 403, origin
    assert ws_status(door, f"Host: {me}", f"Origin: http://{me}", "Origin: http://evil.example") == 403
    # a name that an attacker points at us is not ours because he says so twice
    assert ws_status(door, "Host: evil.example", "Origin: http://evil.example") == 403


# ---- guessing
def guess(sw, password, source="127.0.0.1"):
    """(answer, seconds)."""
    s = connect(sw.esl_port, source)
    s.settimeout(30)
    start, got = time.monotonic(), b""
    s.sendall(f"auth {password}\n\n".encode())
    while b"Reply-Text" not in got:
        got += s.recv(65536)
    s.close()
    return ("+OK" if b"+OK" in got else "-ERR"), time.monotonic() - start


def test_guessing_at_the_event_socket(fresh):
    fresh.start()
    got = [guess(fresh, f"wrong{i}") for i in range(8)]
    assert all(a == "-ERR" for a, _ in got)
    assert max(s for _, s in got[:3]) < 1  # a slip of the finger costs nothing
    assert sum(s for _, s in got[3:]) > 4 and got[-1][1] > got[4][1]
    # another address is not concerned, nor is who is in already
    answer, seconds = guess(fresh, fresh.esl_password, "127.0.0.2")
    assert answer == "+OK" and seconds < 1
    start = time.monotonic()
    assert fresh.api("status").startswith("UP") and time.monotonic() - start < 1
    # the right password of that address waits like a wrong one, and is then right
    answer, seconds = guess(fresh, fresh.esl_password)
    assert answer == "+OK" and seconds > 1
    fresh.wait_log("wrong password from 127.0.0.1", count=8)


def test_guessing_on_many_connections(fresh):
    fresh.start()
    for i in range(5):
        guess(fresh, f"wrong{i}")
    answers = []

    def one(i):
        answers.append((guess(fresh, f"many{i}"), i))
    threads = [threading.Thread(target=one, args=(i,)) for i in range(40)]
    start = time.monotonic()
    for th in threads:
        th.start()
    for th in threads:
        th.join()
    assert all(a == "-ERR" for (a, _), _ in answers)
    looked_at = fresh.log_text.count("wrong password from 127.0.0.1")
    assert looked_at <= 5 + 2 + (time.monotonic() - start) / 0.5, "they take turns; most are not looked at"
    assert guess(fresh, fresh.esl_password, "127.0.0.2")[0] == "+OK"


def test_guessing_tokens(fresh):
    fresh.start()
    wrong = Door(fresh, "x" * 40)
    right = Door(fresh)
    times = []
    for _ in range(7):
        start = time.monotonic()
        assert wrong.call("GET", "/v1/status")[0] == 401
        times.append(time.monotonic() - start)
    assert max(times[:2]) < 1 and sum(times) > 2
    start = time.monotonic()
    assert right.call("GET", "/v1/status")[0] == 200  # everybody may come by one proxy
    assert time.monotonic() - start < 1
    # a body is not read for one, nor is the delay a way to hold memory
    s = wrong.raw()
    s.sendall(b"POST /v1/originate HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer nobody\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 300000)
    s.settimeout(20)
    assert s.recv(20).startswith(b"HTTP/1.1 4")
    s.close()


# ---- descriptors
def test_no_descriptors_left(fresh):
    fresh.start()
    phone = Phone(fresh, "1000")
    phone.register()
    pid = fresh.proc.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # no descriptor is free below the limit
    highest = max(map(int, os.listdir(f"/proc/{pid}/fd")))
    free = highest + 1 - len(os.listdir(f"/proc/{pid}/fd"))
    fillers = [connect(fresh.http_port) for _ in range(free + 5)]  # silent ones: they can make room
    deadline = time.monotonic() + 20
    while len(os.listdir(f"/proc/{pid}/fd")) < highest + 1 + 5:  # all of them are accepted
        assert time.monotonic() < deadline
        time.sleep(0.1)
        fillers.append(connect(fresh.http_port))  # one that the start had open has been closed: more are free than it seemed
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 1, hard))
    try:
        phone.invite("9196")
        refused = phone.expect(503)
        phone.ack_failure(refused)
        assert int(refused.get("Retry-After")) > 0
        assert fresh.api("status").startswith("UP")
        # a new client gets in: a silent connection makes room, where there is one
        e = t.Esl(fresh.esl_port, fresh.esl_password)
        assert e.api("status").startswith("UP")
        e.close()
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    for s in fillers:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
    phone.invite("9196")
    phone.answered()
    phone.bye()
    phone.close()
