"""A name server on loopback that does what a test says: answers, refuses, is slow or silent, or lies. And a switch that asks it."""
import os
import shutil
import socket
import struct
import subprocess
import threading

A, CNAME, AAAA, SRV, NAPTR = 1, 5, 28, 33, 35
KINDS = {"A": A, "AAAA": AAAA, "SRV": SRV, "NAPTR": NAPTR}


def name_of(packet):
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode())
        at += packet[at] + 1
    return ".".join(labels).lower(), at + 1


def wire_name(name):
    return b"".join(bytes([len(l)]) + l.encode() for l in name.split(".") if l) + b"\0"


def record_data(kind, v):
    if kind == "SRV":  # (priority, weight, port, target)
        return struct.pack("!HHH", *v[:3]) + wire_name(v[3])
    if kind == "NAPTR":  # (order, preference, flags, service, replacement[, regexp])
        text = b"".join(bytes([len(t)]) + t.encode() for t in (v[2], v[3], v[5] if len(v) > 5 else ""))
        return struct.pack("!HH", *v[:2]) + text + wire_name(v[4])
    return socket.inet_pton(socket.AF_INET6 if kind == "AAAA" else socket.AF_INET, v)


class DnsServer:
    """rules: the end of a name -> an IPv4 or IPv6 address, or one of "silent", "nx", "fail", "huge", "wrong id", "wrong question",
    "loop", "garbage", ("slow", seconds, address), or {"A": [...], "SRV": [...], "NAPTR": [...], "tcp": True, "ttl": seconds}, whose
    types that are absent have no records; tcp: over UDP the answer is cut. What has no rule does not exist; "=name" is that name
    alone. asked: every (name, type) that came."""

    def __init__(self, rules, host="127.0.0.1", port=0):
        self.rules, self.asked = rules, []
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((host, port))
        self.at = "%s:%d" % self.s.getsockname()
        self.stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.stream.bind(self.s.getsockname())
        self.stream.listen(20)
        self.tcp_asked = []
        for run in (self._run, self._run_tcp):
            threading.Thread(target=run, daemon=True).start()

    def close(self):
        self.s.close()
        self.stream.close()

    def names(self):
        return {name for name, _ in self.asked}

    def _run(self):
        while True:
            try:
                packet, peer = self.s.recvfrom(2000)
            except OSError:
                return
            name, end = name_of(packet)
            kind = struct.unpack("!H", packet[end:end + 2])[0]
            self.asked.append((name, kind))
            rule = self._rule(name)
            if isinstance(rule, tuple):
                threading.Timer(rule[1], self._answer, (packet, peer, end + 4, kind, rule[2])).start()
            elif rule != "silent":
                self._answer(packet, peer, end + 4, kind, rule)

    def _rule(self, name):
        if "=" + name in self.rules:
            return self.rules["=" + name]
        return next((r for tail, r in self.rules.items() if name == tail or name.endswith("." + tail)), "nx")

    def _run_tcp(self):
        while True:
            try:
                s, _ = self.stream.accept()
            except OSError:
                return
            with s:
                s.settimeout(5)
                packet = s.recv(2000)[2:]
                name, end = name_of(packet)
                kind = struct.unpack("!H", packet[end:end + 2])[0]
                self.tcp_asked.append((name, kind))
                rule = self._rule(name)
                if not isinstance(rule, dict):
                    continue
                out = self._records(packet, end + 4, kind, rule)
                s.sendall(struct.pack("!H", len(out)) + out)

    @staticmethod
    def _records(packet, end, kind, rule, cut=False):
        word = next((k for k, n in KINDS.items() if n == kind), None)
        values = rule.get(word, [])[:0 if cut else None]
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, rule.get("ttl", 60), len(d)) + d
                        for d in (record_data(word, v) for v in values))
        return packet[:2] + struct.pack("!HHHHH", 0x8380 if cut else 0x8180, 1, len(values), 0, 0) + packet[12:end] + body

    def _answer(self, packet, peer, end, kind, rule):
        if isinstance(rule, dict):
            self.s.sendto(self._records(packet, end, kind, rule, rule.get("tcp")), peer)
            return
        question, ident, flags, records = packet[12:end], packet[:2], 0x8180, []
        if rule == "wrong id":
            ident, rule = bytes([ident[0] ^ 1, ident[1]]), "127.0.0.1"
        elif rule == "wrong question":
            question, rule = bytes([question[0], question[1] ^ 1]) + question[2:], "127.0.0.1"
        if rule in ("nx", "fail"):
            flags |= 3 if rule == "nx" else 2
        elif rule == "loop":
            records = [(CNAME, b"\xc0\x0c")]
        elif rule == "huge":
            records = [(A, bytes([127, 0, i >> 8, i & 255])) for i in range(3000)]
        elif rule == "garbage":
            records = [(A, b"\x7f" * 40000)] * 1
        elif ":" in rule and kind == AAAA:
            records = [(AAAA, socket.inet_pton(socket.AF_INET6, rule))]
        elif "." in rule and kind == A:
            records = [(A, socket.inet_aton(rule))]
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", t, 1, 60, len(data)) + data for t, data in records)
        out = ident + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + question + body
        try:
            self.s.sendto(out[:65000], peer)
        except OSError:
            pass


def use(sw, rules):
    """The switch asks a server of ours and no other, as its machine's own where this user may arrange that (an own mount of
    resolv.conf, port 53), else by the environment that is there for tests."""
    host = "127.%d.%d.53" % (64 + os.getpid() % 64, os.getpid() // 64 % 250 + 1)
    if os.geteuid() == 0 and shutil.which("unshare"):
        resolv = sw.root / "resolv.conf"
        resolv.write_text(f"nameserver {host}\n")
        script = sw.root / "with-resolv-conf"
        script.write_text(f'#!/bin/sh\nexec unshare -m sh -c \'mount --bind "{resolv}" /etc/resolv.conf && exec "$0" "$@"\' '
                          f'"{sw.binary}" "$@"\n')
        script.chmod(0o755)
        probe = subprocess.run(["unshare", "-m", "mount", "--bind", resolv, "/etc/resolv.conf"], capture_output=True)
        if probe.returncode == 0:
            try:
                server = DnsServer(rules, host, 53)
                sw.binary = script
                return server
            except OSError:
                pass
    server = DnsServer(rules)
    sw.env["TANDEM_DNS_SERVERS"] = server.at
    return server
