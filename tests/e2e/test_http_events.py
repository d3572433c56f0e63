"""Events over HTTP: server-sent events and WebSocket, filters, replay, gaps, readers that are slow or vanish."""
import base64
import http.client
import json
import os
import re
import socket
import time

import pytest

from http_client import Door, settings


@pytest.fixture
def door(tandem):
    return Door(tandem)


def fire(sw, n, subclass="test::x", body=""):
    """A CUSTOM event that carries a number."""
    sw._esl.sock.sendall(f"sendevent CUSTOM\nEvent-Subclass: {subclass}\nN: {n}\nContent-Length: {len(body)}\n\n{body}".encode())
    headers, _ = sw._esl._reply()
    assert headers["Reply-Text"].startswith("+OK")


# ---- server-sent events ------------------------------------------------------------------------------------------
def test_events_of_a_call(tandem, door):
    calls, custom = door.events("?events=CHANNEL_CREATE,CHANNEL_HANGUP_COMPLETE"), door.events("?events=test::x")
    uuid = door.post("/v1/originate", {"target": "loopback/9196", "application": "park"}, 201)["uuid"]
    one = door.events(f"?uuid={uuid}")
    created = calls.wait("CHANNEL_CREATE", Unique_ID=uuid)
    assert re.fullmatch(r"[0-9a-f]{8}\.\d+", created["id"])
    assert created["id"].split(".")[1] == created["data"]["Event-Sequence"]
    fire(tandem, 1)
    fire(tandem, 2, "test::y")
    fire(tandem, 3)
    assert [custom.next()["data"]["N"] for _ in range(2)] == ["1", "3"]
    door.call("DELETE", f"/v1/channels/{uuid}")
    assert calls.wait("CHANNEL_HANGUP_COMPLETE", Unique_ID=uuid)["data"]["Hangup-Cause"] == "NORMAL_CLEARING"
    assert one.wait("CHANNEL_HANGUP_COMPLETE")["data"]["Unique-ID"] == uuid
    clients = json.loads(tandem.api("event stats clients as json"))["rows"]
    assert sorted(int(r["delivered"]) for r in clients if r["door"] == "http")[-1] >= 2
    for e in (calls, custom, one):
        e.close()
    tandem.wait_calls(0)


def test_replay(tandem, door):
    """What came while the client was away comes when it is back, once and in order; by id, by number, by header."""
    e = door.events("?events=test::x")
    for n in range(3):
        fire(tandem, n)
    first = [e.next() for _ in range(3)]
    e.close()
    for n in range(3, 8):
        fire(tandem, n)
    for query, headers in (("&since=" + first[2]["id"], None), ("&since=" + first[2]["data"]["Event-Sequence"], None),
                           ("", {"Last-Event-ID": first[2]["id"]}), ("&since=0", {"Last-Event-ID": first[2]["id"]})):
        e = door.events("?events=test::x" + query, headers)
        assert [e.next()["data"]["N"] for _ in range(5)] == ["3", "4", "5", "6", "7"]
        e.close()
    e = door.events("?events=test::x&since=" + first[0]["id"])
    fire(tandem, 8)  # and what comes now follows
    assert [e.next()["data"]["N"] for _ in range(8)] == [str(n) for n in range(1, 9)]
    e.close()


def test_gap_not_recorded(fresh):
    """What nobody read was not recorded: said so, with its numbers."""
    fresh.start()
    door = Door(fresh)
    before = door.get("/v1/status")["event_sequence"]
    fire(fresh, 1, "test::never")
    e = door.events(f"?events=NOTIFY_IN&since={before}")
    gap = e.next()
    assert gap["event"] == "gap" and gap["data"]["reason"] == "not recorded"
    assert gap["data"]["from"] == before + 1 and gap["data"]["to"] >= before + 1
    assert gap["id"].endswith("." + str(gap["data"]["to"]))
    e.close()


def test_gap_of_another_run(fresh):
    settings(fresh, event_ring_always="CUSTOM")
    fresh.start()
    door = Door(fresh)
    fire(fresh, 1)
    e = door.events("?events=CUSTOM&since=0")
    assert e.next()["data"]["N"] == "1"  # recorded without a reader
    fire(fresh, 2)
    last = e.next()["id"]
    e.close()
    fresh.stop()
    fresh.start()
    fire(fresh, 3)
    e = door.events("?events=CUSTOM", {"Last-Event-ID": last})
    gap = e.next()
    assert gap["event"] == "gap" and gap["data"]["reason"] == "restarted"
    assert e.next()["data"]["N"] == "3"
    e.close()


@pytest.mark.leaks
def test_slow_reader(fresh):
    """A reader that stops holds nobody up; it is told what it missed and goes on. The ring is small here."""
    settings(fresh, event_ring_events="200", event_ring_bytes="1000000")
    fresh.start()
    door = Door(fresh)
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(20)
        s.connect(("127.0.0.1", fresh.http_port))
        s.sendall(f"GET /v1/events?events=test::x HTTP/1.0\r\nAuthorization: Bearer {door.token}\r\n\r\n".encode())
        f = s.makefile("rb")
        while f.readline() != b"retry: 2000\n":
            pass
        quick = door.events("?events=test::x")
        fill = "x" * 20000
        for n in range(400):
            fire(fresh, n, body=fill)
            assert quick.next()["data"]["N"] == str(n)
        quick.close()
        got, gaps, name = [], [], None
        while not got or got[-1] != 399:
            line = f.readline()
            assert line, (got, gaps)
            if line.startswith(b"event: "):
                name = line[7:].strip()
            elif line.startswith(b"data: ") and name == b"gap":
                gaps.append(json.loads(line[6:]))
            elif line.startswith(b"data: "):
                got.append(int(json.loads(line[6:])["N"]))
    assert len(gaps) == 1 and gaps[0]["reason"] == "slow", gaps
    assert got == sorted(set(got))
    missed = 400 - len(got)
    assert missed > 100 and gaps[0]["to"] - gaps[0]["from"] + 1 >= missed
    rows = json.loads(fresh.api("event stats names as json"))["rows"]
    assert int(next(r for r in rows if r["event"] == "CUSTOM")["dropped"]) == missed


def test_too_old(fresh):
    settings(fresh, event_ring_events="20")
    fresh.start()
    door = Door(fresh)
    e = door.events("?events=test::x")
    for n in range(50):
        fire(fresh, n)
        last = e.next()
        if n == 5:
            early = last
    back = door.events("?events=test::x&since=" + early["id"])
    gap = back.next()
    assert gap["data"]["reason"] == "too old" and gap["data"]["from"] == int(early["data"]["Event-Sequence"]) + 1
    assert [back.next()["data"]["N"] for _ in range(20)] == [str(n) for n in range(30, 50)]
    e.close()
    back.close()


def test_a_reader_that_never_reads_is_closed(fresh):
    settings(fresh, write_timeout="1", event_ring_events="100")
    fresh.start()
    door = Door(fresh)
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", fresh.http_port))
    s.sendall(f"GET /v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {door.token}\r\n\r\n".encode())
    s.settimeout(10)
    s.recv(10)
    listener = fresh.esl()
    listener.subscribe("HEARTBEAT")
    for n in range(300):  # more than the kernel and our queue hold
        fire(fresh, n, body="x" * 20000)
    deadline = time.monotonic() + 15
    while "tandem_event_clients{door=\"http\"} 0\n" not in door.get("/metrics").decode():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    fresh.wait_log("does not read: closed")
    s.close()


def test_quiet_streams_are_kept(fresh):
    settings(fresh, event_keep_alive="1")
    fresh.start()
    e = Door(fresh).events("?events=test::x")
    start = time.monotonic()
    assert e.response.readline() == b": still here\n" and time.monotonic() - start > 0.9
    e.close()


def test_too_many_readers(fresh):
    settings(fresh, max_event_clients="2")
    fresh.start()
    door = Door(fresh)
    held = [door.events(), door.events()]
    status, headers, problem = door.call("GET", "/v1/events")
    assert status == 503 and headers["Retry-After"] and problem["detail"] == "too many event clients"
    assert door.call("HEAD", "/v1/events")[0] == 200
    for e in held:
        e.close()


# ---- WebSocket ---------------------------------------------------------------------------------------------------
class Ws:
    """A client by the library python3-websockets, driven without asyncio around the test."""

    def __init__(self, door, path="/v1/events/ws", token_in_query=False):
        import asyncio
        import websockets
        self.loop = asyncio.new_event_loop()
        headers = {} if token_in_query else {"Authorization": f"Bearer {door.token}"}
        url = f"ws://127.0.0.1:{door.port}{path}" + (f"?access_token={door.token}" if token_in_query else "")

        async def connect():  # the library wants a running loop
            return await websockets.connect(url, extra_headers=headers, max_size=None)
        self.ws = self.run(connect())

    def run(self, co):
        import asyncio
        return self.loop.run_until_complete(asyncio.wait_for(co, 15))

    def send(self, **message):
        self.run(self.ws.send(json.dumps(message)))

    def next(self):
        return json.loads(self.run(self.ws.recv()))

    def ask(self, **message):
        self.send(**message)
        return self.next()

    def close(self):
        self.run(self.ws.close())
        self.loop.close()


@pytest.fixture
def ws(door):
    pytest.importorskip("websockets")
    w = Ws(door)
    yield w
    w.close()


def test_websocket(tandem, door, ws):
    assert ws.ask(type="ping")["type"] == "pong"
    assert ws.ask(type="subscribe", events=["test::x"])["type"] == "subscribed"
    fire(tandem, 1, "test::other")
    fire(tandem, 2)
    got = ws.next()
    assert got["type"] == "event" and got["event"]["N"] == "2" and got["id"].endswith("." + got["event"]["Event-Sequence"])
    assert ws.ask(type="unsubscribe")["type"] == "unsubscribed"
    fire(tandem, 3)
    fire(tandem, 4)
    assert ws.ask(type="subscribe", events=["CUSTOM"], since=got["id"])["type"] == "subscribed"
    assert [ws.next()["event"]["N"] for _ in range(2)] == ["3", "4"]
    assert ws.ask(type="subscribe", events=["NO_SUCH"]) | {"sequence": 0} == {"type": "error", "detail": "NO_SUCH is no event (or there are too many)", "sequence": 0}
    assert ws.ask(type="subscribe", events="x")["type"] == "error"
    assert ws.ask(type="subscribe", since=-1)["type"] == "error"
    assert ws.ask(type="nosuch")["type"] == "error"
    ws.run(ws.ws.send("[1]"))
    assert ws.next()["detail"] == "a message must be a JSON object"
    ws.run(ws.ws.send(b"\x00\x01"))
    assert ws.next()["type"] == "error"
    big = ws.ask(type="subscribe", events=["test::x"])
    fire(tandem, 5, body="y" * 200000)
    assert big["type"] == "subscribed" and ws.next()["event"]["_body"] == "y" * 200000  # in more than one piece


def test_websocket_ends(tandem, door):
    websockets = pytest.importorskip("websockets")
    w = Ws(door, token_in_query=True)
    w.run(w.ws.send("x" * 70000))  # longer than a message may be
    with pytest.raises(websockets.ConnectionClosed) as e:
        w.next()
    assert e.value.code == 1009
    w.close()
    other = Door(tandem, tandem.api("http token add passing read")[4:].strip())
    w = Ws(other)
    assert w.ask(type="ping")["type"] == "pong"
    assert tandem.api("http token revoke passing") == "+OK\n"
    with pytest.raises(websockets.ConnectionClosed) as e:
        w.next()
    assert e.value.code == 1008
    w.close()


def test_websocket_handshake_refused(door):
    for headers in ({}, {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "8", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="},
                    {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "short"}):
        status, got, problem = door.call("GET", "/v1/events/ws", headers=headers)
        assert status == 426 and got["Sec-WebSocket-Version"] == "13" and problem["status"] == 426
    c = http.client.HTTPConnection("127.0.0.1", door.port, timeout=10)
    c.request("GET", "/v1/events/ws", headers={"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                                               "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode()})
    assert c.getresponse().status == 401
    c.close()
