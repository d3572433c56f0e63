"""A small AMQP 0-9-1 client: declares a queue, binds it, gets, publishes. Enough to see what a broker has."""
import socket
import struct


def short(text):
    b = text.encode()
    return bytes([len(b)]) + b


class Peer:
    def __init__(self, port, user="guest", password="guest"):
        self.sock = socket.create_connection(("127.0.0.1", port), 20)
        self.sock.sendall(b"AMQP\0\0\x09\x01")
        self.expect(10, 10)
        auth = f"\0{user}\0{password}".encode()
        self.method(0, 10, 11, struct.pack(">I", 0) + short("PLAIN") + struct.pack(">I", len(auth)) + auth + short("en_US"))
        self.expect(10, 30)
        self.method(0, 10, 31, struct.pack(">HIH", 2047, 131072, 0))
        self.method(0, 10, 40, short("/") + b"\0\0")
        self.expect(10, 41)
        self.method(1, 20, 10, b"\0")
        self.expect(20, 11)

    def read(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def frame(self):
        kind, channel, size = struct.unpack(">BHI", self.read(7))
        data = self.read(size)
        assert self.read(1) == b"\xce"
        return kind, data

    def method(self, channel, cls, number, args):
        data = struct.pack(">HH", cls, number) + args
        self.sock.sendall(struct.pack(">BHI", 1, channel, len(data)) + data + b"\xce")

    def expect(self, *ids):
        """The arguments of the method class, number (or one of several numbers)."""
        while True:
            kind, data = self.frame()
            if kind == 8:
                continue
            cls, number = struct.unpack(">HH", data[:4])
            assert cls == ids[0] and number in ids[1:], (cls, number, data)
            return number, data[4:]

    def exchange(self, name):
        self.method(1, 40, 10, b"\0\0" + short(name) + short("topic") + b"\x02" + struct.pack(">I", 0))
        self.expect(40, 11)

    def queue(self, name, exchange=None, key="#", durable=True):
        self.method(1, 50, 10, b"\0\0" + short(name) + (b"\x02" if durable else b"\0") + struct.pack(">I", 0))
        self.expect(50, 11)
        if exchange:
            self.method(1, 50, 20, b"\0\0" + short(name) + short(exchange) + short(key) + b"\0" + struct.pack(">I", 0))
            self.expect(50, 21)

    def get(self, queue):
        """(routing key, properties' raw bytes, body), or None."""
        self.method(1, 60, 70, b"\0\0" + short(queue) + b"\x01")
        number, args = self.expect(60, 71, 72)
        if number == 72:
            return None
        at = 9
        at += 1 + args[at]
        key = args[at + 1:at + 1 + args[at]].decode()
        kind, head = self.frame()
        size = struct.unpack(">Q", head[4:12])[0]
        body = b""
        while len(body) < size:
            body += self.frame()[1]
        return key, head[12:], body

    def publish(self, exchange, key, body, reply_to="", correlation=""):
        self.method(1, 60, 40, b"\0\0" + short(exchange) + short(key) + b"\0")
        flags = (0x0400 if correlation else 0) | (0x0200 if reply_to else 0)
        props = struct.pack(">H", flags) + (short(correlation) if correlation else b"") + (short(reply_to) if reply_to else b"")
        head = struct.pack(">HHQ", 60, 0, len(body)) + props
        for kind, data in ((2, head), (3, body))[:2 if body else 1]:
            self.sock.sendall(struct.pack(">BHI", kind, 1, len(data)) + data + b"\xce")

    def close(self):
        self.sock.close()
