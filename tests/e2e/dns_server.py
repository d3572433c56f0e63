"""A name server on loopback that does what a test says: answers, refuses, is slow or silent, or lies. And a switch that asks it."""
import os
import shutil
import socket
import struct
import subprocess
import threading

A, CNAME, AAAA = 1, 5, 28


def name_of(packet):
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode())
        at += packet[at] + 1
    return ".".join(labels).lower(), at + 1


class DnsServer:
    """rules: the end of a name -> an IPv4 or IPv6 address, or one of "silent", "nx", "fail", "huge", "wrong id", "wrong question",
    "loop", "garbage", ("slow", seconds, address). What has no rule does not exist. asked: every (name, type) that came."""

    def __init__(self, rules, host="127.0.0.1", port=0):
        self.rules, self.asked = rules, []
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((host, port))
        self.at = "%s:%d" % self.s.getsockname()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def close(self):
        self.s.close()

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
            rule = next((r for tail, r in self.rules.items() if name == tail or name.endswith("." + tail)), "nx")
            if isinstance(rule, tuple):
                threading.Timer(rule[1], self._answer, (packet, peer, end + 4, kind, rule[2])).start()
            elif rule != "silent":
                self._answer(packet, peer, end + 4, kind, rule)

    def _answer(self, packet, peer, end, kind, rule):
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
