"""Debian's freeradius, started by a test in a folder of its own on loopback, ended by its process; and a RADIUS peer in Python
for what no proper server does: wrong, forged and late answers."""
import hashlib
import hmac
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

SECRET = "s3cr3t-of-the-lab"
CONF = """
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {dir}
run_dir = {dir}
raddbdir = {dir}
pidfile = {dir}/radiusd.pid
max_request_time = 30
cleanup_delay = 1
max_requests = 16384
log {{ destination = files
  file = {dir}/radius.log
  auth = no
}}
security {{ max_attributes = 200
  reject_delay = 0
  status_server = yes
}}
thread pool {{ start_servers = 2
  max_servers = 4
  min_spare_servers = 1
  max_spare_servers = 2
  max_requests_per_server = 0
}}
client lab {{ ipaddr = 127.0.0.1
  secret = {secret}
  require_message_authenticator = yes
}}
modules {{
  files {{
    usersfile = {dir}/users
  }}
  digest {{
  }}
  pap {{
  }}
  detail {{ filename = {dir}/detail
    permissions = 0644
    header = "%t"
  }}
  always ok {{
    rcode = ok
  }}
}}
server default {{
  listen {{ type = auth
    ipaddr = 127.0.0.1
    port = {auth}
  }}
  listen {{ type = acct
    ipaddr = 127.0.0.1
    port = {acct}
  }}
  authorize {{
    digest
    files
    pap
  }}
  authenticate {{
    Auth-Type PAP {{
      pap
    }}
    digest
  }}
  preacct {{
    ok
  }}
  accounting {{
    detail
  }}
  post-auth {{
    update reply {{
      Message-Authenticator := 0x00
    }}
    Post-Auth-Type REJECT {{
      update reply {{
        Message-Authenticator := 0x00
      }}
    }}
  }}
}}
"""


def free_ports(n):
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class FreeRadius:
    def __init__(self, folder, users, secret=SECRET):
        if not shutil.which("freeradius", path="/usr/sbin:/usr/bin"):
            pytest.skip("freeradius is not installed")
        self.dir, self.proc, self.secret = Path(folder), None, secret
        self.dir.mkdir(parents=True, exist_ok=True)
        self.auth, self.acct = free_ports(2)
        (self.dir / "dictionary").write_text("$INCLUDE /usr/share/freeradius/dictionary\n")
        (self.dir / "users").write_text(users)
        (self.dir / "radiusd.conf").write_text(CONF.format(dir=self.dir, secret=secret, auth=self.auth, acct=self.acct))

    def start(self):
        self.proc = subprocess.Popen(["/usr/sbin/freeradius", "-f", "-d", str(self.dir), "-D", str(self.dir)], stdin=subprocess.DEVNULL,
                                     stdout=open(self.dir / "out", "wb"), stderr=subprocess.STDOUT)
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(0.1)
        deadline = time.monotonic() + 20
        while True:  # Status-Server until it answers
            s.sendto(request(12, 1, b"", self.secret, os.urandom(16)), ("127.0.0.1", self.auth))
            try:
                s.recv(4096)
                s.close()
                return self
            except OSError:
                assert self.proc.poll() is None and time.monotonic() < deadline, (self.dir / "out").read_text() + self.log()

    def log(self):
        p = self.dir / "radius.log"
        return p.read_text() if p.exists() else ""

    def stop(self):
        if self.proc:
            self.proc.kill()
            self.proc.wait()
            self.proc = None

    def records(self):
        """The detail file: a dictionary of each record; a repeated attribute is a list."""
        p, out = self.dir / "detail", []
        for block in (p.read_text() if p.exists() else "").split("\n\n"):
            r = {}
            for name, value in re.findall(r"^\t(\S+) = (.*)$", block, re.M):
                value = value.strip('"')
                r[name] = (r[name] if isinstance(r[name], list) else [r[name]]) + [value] if name in r else value
            if r:
                out.append(r)
        return out

    def wait_records(self, want, timeout=20):
        deadline = time.monotonic() + timeout
        while not want(self.records()):
            assert time.monotonic() < deadline, (self.records(), self.log())
            time.sleep(0.02)
        return self.records()


# ---- packets ----
def attr(type_, value):
    value = value.encode() if isinstance(value, str) else struct.pack(">I", value) if isinstance(value, int) else value
    return bytes([type_, len(value) + 2]) + value


def attributes(packet):
    at, out = 20, []
    while at < len(packet):
        out.append((packet[at], packet[at + 2:at + packet[at + 1]]))
        at += packet[at + 1]
    return out


def request(code, ident, attrs, secret, authenticator=None, mac=True):
    """A request; without an authenticator it is computed as in accounting."""
    zero = authenticator or bytes(16)
    attrs = (attr(80, bytes(16)) if mac else b"") + attrs
    head = struct.pack(">BBH", code, ident, 20 + len(attrs))
    if mac:
        attrs = attr(80, hmac.new(secret.encode(), head + zero + attrs, "md5").digest()) + attrs[18:]
    if not authenticator:
        authenticator = hashlib.md5(head + bytes(16) + attrs + secret.encode()).digest()
    return head + authenticator + attrs


def answer(code, asked, attrs, secret, mac=True):
    attrs = (attr(80, bytes(16)) if mac else b"") + attrs
    head = struct.pack(">BBH", code, asked[1], 20 + len(attrs))
    if mac:
        attrs = attr(80, hmac.new(secret.encode(), head + asked[4:20] + attrs, "md5").digest()) + attrs[18:]
    return head + hashlib.md5(head + asked[4:20] + attrs + secret.encode()).digest() + attrs


class Peer:
    """A server that answers as the test says: behave(packet, send) on a thread of its own."""

    def __init__(self, behave, host="127.0.0.1"):
        self.host = host
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, 0))
        self.port, self.behave, self.got = self.sock.getsockname()[1], behave, []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            packet, src = self.sock.recvfrom(4096)
            if packet == b"end":
                return
            self.got.append(packet)
            self.behave(packet, lambda p: self.sock.sendto(p, src))

    def stop(self):
        self.sock.sendto(b"end", (self.host, self.port))
        self.thread.join(5)
        self.sock.close()


def disconnect(port, session, secret, code=40, stamp=None, extra=b"", mac=True, packet=None, timeout=5):
    """Sends a Disconnect- or CoA-Request; (code, Error-Cause or None, the packet sent), code None: no answer."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(timeout)
    attrs = (attr(44, session) if session else b"") + (attr(55, int(time.time()) if stamp is None else stamp) if stamp != 0 else b"") + extra
    packet = packet or request(code, os.urandom(1)[0], attrs, secret, mac=mac)
    s.sendto(packet, ("127.0.0.1", port))
    try:
        got = s.recv(4096)
    except OSError:
        return None, None, packet
    finally:
        s.close()
    assert got == answer(got[0], packet, got[20 + 18:], secret)  # its authenticators are right
    return got[0], next((struct.unpack(">I", v)[0] for t, v in attributes(got) if t == 101), None), packet
