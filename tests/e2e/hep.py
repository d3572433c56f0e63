"""A HEP version 3 collector of the tests: UDP and TCP, its own decoder."""
import json
import socket
import struct
import threading
import time

NAMES = {1: "family", 2: "protocol", 3: "src", 4: "dst", 5: "src", 6: "dst", 7: "src_port", 8: "dst_port", 9: "s", 10: "us", 11: "type",
         12: "capture_id", 14: "password", 15: "payload", 17: "correlation", 19: "node"}


def decode(packet):
    magic, length = struct.unpack("!4sH", packet[:6])
    assert magic == b"HEP3" and length == len(packet), (magic, length, len(packet))
    out, at = {}, 6
    while at < length:
        vendor, kind, n = struct.unpack("!HHH", packet[at:at + 6])
        assert n >= 6 and at + n <= length and vendor == 0, (vendor, kind, n)
        value, at = packet[at + 6:at + n], at + n
        name = NAMES[kind]
        assert name not in out, f"chunk {kind} twice"
        if kind in (3, 4):
            value = socket.inet_ntop(socket.AF_INET, value)
        elif kind in (5, 6):
            value = socket.inet_ntop(socket.AF_INET6, value)
        elif kind in (14, 15, 17, 19):
            value = value.decode()
        else:
            value = int.from_bytes(value, "big")
        out[name] = value
    assert {"family", "protocol", "src", "dst", "src_port", "dst_port", "s", "us", "type", "capture_id", "payload"} <= set(out), out
    return out


class Collector:
    def __init__(self, tcp=False, port=0):
        self.tcp = tcp
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", port))
        self.port = self.sock.getsockname()[1]
        self.packets, self.raw, self.errors = [], [], []
        self.new = threading.Condition()
        self.conn = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _take(self, packet):
        with self.new:
            try:
                self.packets.append(decode(packet))
                self.raw.append(packet)
            except Exception as e:  # told by whoever waits
                self.errors.append(repr(e))
            self.new.notify_all()

    def _run(self):
        try:
            if not self.tcp:
                while True:
                    self._take(self.sock.recv(65536))
            self.sock.listen()
            while True:
                self.conn, _ = self.sock.accept()
                buf = b""
                while data := self.conn.recv(65536):
                    buf += data
                    while len(buf) >= 6 and len(buf) >= (n := struct.unpack("!H", buf[4:6])[0]):
                        self._take(buf[:n])
                        buf = buf[n:]
        except OSError:
            pass

    def wait(self, fits, timeout=10):
        """The first packet for which fits(packet)."""
        deadline = time.monotonic() + timeout
        with self.new:
            while True:
                assert not self.errors, self.errors
                for p in self.packets:
                    if fits(p):
                        return p
                left = deadline - time.monotonic()
                assert left > 0, f"not among {len(self.packets)} packets: {[(p['type'], p['payload'][:40]) for p in self.packets[-30:]]}"
                self.new.wait(left)

    def of(self, call_id):
        return [p for p in self.packets if p["type"] == 1 and f"Call-ID: {call_id}\r\n" in p["payload"]]

    def close(self):
        for s in (self.conn, self.sock):
            if s:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                s.close()


def rtcp_of(packet):
    return json.loads(packet["payload"])
