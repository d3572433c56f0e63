#!/usr/bin/python3
"""An event client for the bench, one role a process:
    events.py count PORT PASSWORD NAMES            reads and counts until its standard input ends
    events.py stall PORT PASSWORD NAMES            reads nothing until a line comes, then what there is, and counts
    events.py send PORT PASSWORD RATE SECONDS      makes RATE events a second by sendevent, by the clock
Each says "ready", and at its end one line of JSON. Frames are counted by their headers, not parsed: this is not what is measured."""
import json
import select
import socket
import sys
import time

FRAME, GAP = b"Content-Type: text/event-plain\n\n", b"tandem%3A%3Agap"
BATCH = 100
EVENT = (b"sendevent NOTIFY\n" + b"".join(b"Bench-Header-%d: a value of some length, as channel headers have\n" % i for i in range(10)) + b"\n")


def connect(port, password):
    s = socket.create_connection(("127.0.0.1", int(port)))
    s.sendall(f"auth {password}\n\n".encode())
    data = b""
    while b"+OK accepted\n\n" not in data:
        data += s.recv(4096)
    return s


class Counter:
    def __init__(self):
        self.events = self.gaps = self.bytes = 0
        self.tail = b""

    def add(self, data):
        whole = self.tail + data
        keep = max(len(FRAME), len(GAP)) - 1
        old = self.tail
        self.events += whole.count(FRAME) - old.count(FRAME)
        self.gaps += whole.count(GAP) - old.count(GAP)
        self.bytes += len(data)
        self.tail = whole[-keep:]


def subscribe(port, password, names, buffer=None):
    s = connect(port, password)
    if buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    s.sendall(f"event plain {names}\n\n".encode())
    data = b""
    while b"+OK event listener enabled plain\n\n" not in data:
        data += s.recv(1)
    print("ready", flush=True)
    return s


def drain(s, counter, idle_s):
    """Reads until nothing came for idle_s."""
    s.settimeout(idle_s)
    try:
        while data := s.recv(1 << 20):
            counter.add(data)
    except (socket.timeout, TimeoutError):
        pass


def count(port, password, names):
    s, counter = subscribe(port, password, names, 1 << 22), Counter()
    while True:
        ready, _, _ = select.select([s, sys.stdin], [], [])
        if s in ready:
            counter.add(s.recv(1 << 20))
        elif sys.stdin in ready:
            break
    drain(s, counter, 1)
    return vars(counter)


def stall(port, password, names):
    s, counter = subscribe(port, password, names, 65536), Counter()
    sys.stdin.readline()
    drain(s, counter, 5)
    return vars(counter)


def send(port, password, rate, seconds):
    s = connect(port, password)
    print("ready", flush=True)
    rate, total, sent, replied, rest = float(rate), int(float(rate) * float(seconds)), 0, 0, b""
    batch = EVENT * BATCH
    begin, own = time.monotonic(), time.process_time()
    while replied < total:
        due = min(total, int((time.monotonic() - begin) * rate))
        if sent + BATCH <= due or sent < due == total:
            n = min(BATCH, due - sent)
            s.sendall(batch if n == BATCH else EVENT * n)
            sent += n
        wait = 0 if sent + BATCH <= due else 0.001
        if select.select([s], [], [], wait)[0]:
            data = rest + s.recv(1 << 18)
            replied += data.count(b"\n\n")
            rest = b"\n" if data.endswith(b"\n") and not data.endswith(b"\n\n") else b""
    return {"sent": sent, "seconds": time.monotonic() - begin, "own_cpu": (time.process_time() - own) / (time.monotonic() - begin)}


if __name__ == "__main__":
    result = {"count": count, "stall": stall, "send": send}[sys.argv[1]](*sys.argv[2:])
    result.pop("tail", None)
    print(json.dumps(result), flush=True)
