"""Scripted phones over TLS, WebSocket and secure WebSocket (wire.Phone over another socket), certificates made by an
authority of the tests, and a switch with those doors."""
import base64
import hashlib
import os
import re
import socket
import ssl
import struct
import subprocess
import time
from pathlib import Path

import tandem as t
from wire import Message, Phone

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def run(*args, **kw):
    got = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=30, **kw)
    assert got.returncode == 0, (args, got.stdout, got.stderr)
    return got.stdout


class Authority:
    """A certificate authority in a folder; EC keys, as they are quickly made."""

    def __init__(self, folder, name="Test Authority"):
        self.dir = Path(folder)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.cert, self.key = self.dir / "ca.pem", self.dir / "ca.key"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key, "-out", self.cert,
            "-days", "3650", "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE")

    def issue(self, name, path=None, alt=None, days=3000):
        """Key and certificate for name in one PEM file. days < 0: it is over since then."""
        path = Path(path or self.dir / f"{name}.pem")
        key, csr, crt, ext = (self.dir / f"{name}.{e}" for e in ("key", "csr", "crt", "ext"))
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", csr, "-subj", f"/CN={name}")
        ext.write_text(f"subjectAltName={alt or 'DNS:' + name}\n")
        config = self.dir / "ca.conf"
        (self.dir / "index.txt").touch()
        config.write_text(f"[ca]\ndefault_ca=c\n[c]\ndatabase={self.dir}/index.txt\nnew_certs_dir={self.dir}\nrand_serial=yes\ndefault_md=sha256\n"
                          "policy=p\nunique_subject=no\ncopy_extensions=none\n[p]\ncommonName=supplied\n")
        def day(n):
            return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + n * 86400))
        run("openssl", "ca", "-batch", "-notext", "-config", config, "-cert", self.cert, "-keyfile", self.key, "-in", csr, "-out", crt, "-extfile", ext,
            "-startdate", day(min(days, 0) - 10), "-enddate", day(days))
        path.write_text(key.read_text() + crt.read_text() + self.cert.read_text())
        path.chmod(0o600)
        return path


def params(**kw):
    return "".join(f'<param name="{k.replace("_", "-")}" value="{v}"/>' for k, v in kw.items())


def make_switch(root, profile="internal", env=None, **kw):
    """An instance whose profile has all doors: sw.tls_port, sw.ws_port, sw.wss_port; not started. kw: further parameters."""
    sw = t.Tandem(root, env=env)
    sw.tls_port, sw.ws_port, sw.wss_port = t.free_port(), t.free_port(), t.free_port()
    sw.certs = sw.root / "certs"
    path = sw.root / f"conf/sip_profiles/{profile}.xml"
    text = path.read_text()
    doors = dict(tls="true", tls_sip_port=sw.tls_port, ws_binding=f":{sw.ws_port}", wss_binding=f"127.0.0.1:{sw.wss_port}")
    sw.profile_path, sw.profile_text = path, text
    path.write_text(text.replace("<settings>", "<settings>" + params(**{**doors, **kw}), 1))
    return sw


def context(ca=None, cert=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_REQUIRED if ca else ssl.CERT_NONE
    if ca:
        c.load_verify_locations(ca)
    if cert:
        c.load_cert_chain(cert)
    return c


class WsSocket:
    """A client's end of a WebSocket after its opening: sendall sends one message, recv gives the next one whole."""

    def __init__(self, sock, port, protocol="sip", origin=None, path="/"):
        self.sock, self.buf = sock, b""
        self.pongs = 0
        key = base64.b64encode(os.urandom(16)).decode()
        sock.sendall((f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
                      f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                      + (f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else "") + (f"Origin: {origin}\r\n" if origin else "")
                      + "\r\n").encode())
        while b"\r\n\r\n" not in self.buf:
            data = sock.recv(65536)
            if not data:
                break
            self.buf += data
        self.head, _, self.buf = self.buf.partition(b"\r\n\r\n")
        self.status = int(self.head.split(b" ")[1])
        if self.status == 101:
            accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest())
            assert b"Sec-WebSocket-Accept: " + accept in self.head, self.head

    def frame(self, payload, opcode=1, fin=True, mask=True):
        n = len(payload)
        size = struct.pack("!B", n | 0x80 * mask) if n < 126 else struct.pack("!BH", 126 | 0x80 * mask, n) if n < 65536 else struct.pack("!BQ", 127 | 0x80 * mask, n)
        key = os.urandom(4) if mask else b""
        body = bytes(b ^ key[i % 4] for i, b in enumerate(payload)) if mask else payload
        self.sock.sendall(bytes([0x80 * fin | opcode]) + size + key + body)

    def sendall(self, data):
        self.frame(data)

    def read(self):
        """(opcode, payload) of the next frame; None at the end of the stream."""
        while True:
            if len(self.buf) >= 2:
                n, at = self.buf[1] & 0x7f, 2
                if n == 126 and len(self.buf) >= 4:
                    n, at = struct.unpack("!H", self.buf[2:4])[0], 4
                elif n == 127 and len(self.buf) >= 10:
                    n, at = struct.unpack("!Q", self.buf[2:10])[0], 10
                if (self.buf[1] & 0x7f < 126 or at > 2) and len(self.buf) >= at + n:
                    opcode, payload = self.buf[0] & 15, self.buf[at:at + n]
                    assert not self.buf[1] & 0x80, "a server does not mask"
                    self.buf = self.buf[at + n:]
                    return opcode, payload
            data = self.sock.recv(65536)
            if not data:
                return None
            self.buf += data

    def recv(self, _=0):
        while True:
            got = self.read()
            if not got or got[0] == 8:
                return b""
            if got[0] == 9:
                self.frame(got[1], 10)
            elif got[0] == 10:
                self.pongs += 1
            else:
                return got[1]

    def settimeout(self, seconds):
        self.sock.settimeout(seconds)

    def getsockname(self):
        return self.sock.getsockname()

    def close(self):
        self.sock.close()


class StreamPhone(Phone):
    """kind: tls, ws or wss."""

    def __init__(self, sw, user, kind="tls", ctx=None, server_name=None, source="127.0.0.1", origin=None):
        self.kind = kind
        self.sw, self.user, self.tcp = sw, user, True
        port = {"tls": sw.tls_port, "ws": sw.ws_port, "wss": sw.wss_port}[kind]
        self.s = socket.create_connection(("127.0.0.1", port), 10, (source, 0))
        if kind != "ws":
            self.s = (ctx or context()).wrap_socket(self.s, server_hostname=server_name)
        if kind != "tls":
            self.s = WsSocket(self.s, port, origin=origin)
            assert self.s.status == 101, self.s.head
        self.port = self.s.getsockname()[1]
        self.invalid = f"{os.urandom(6).hex()}.invalid"
        self.media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.media.bind(("127.0.0.1", 0))
        self.media.settimeout(3)
        self.rtp_port = self.media.getsockname()[1]
        self.buf, self.queue, self.cseq = b"", [], 0
        self.tag = os.urandom(4).hex()
        self.target = self.peer_to = None

    def send(self, text):
        self.s.sendall(text.replace("\r\n", "\n").replace("\n", "\r\n").encode())

    def _read(self, timeout):
        if self.kind == "tls":
            return super()._read(timeout)
        self.s.settimeout(timeout)
        data = self.s.recv()
        assert data, "the connection was closed"
        return Message(data.decode())

    def via(self, branch=None):
        host = f"127.0.0.1:{self.port}" if self.kind == "tls" else self.invalid
        return f"SIP/2.0/{self.kind.upper()} {host};branch={branch or 'z9hG4bK' + os.urandom(16).hex()};rport"

    def contact(self):
        if self.kind == "tls":
            return f"<sip:{self.user}@127.0.0.1:{self.port};transport=tls>"
        return f"<sip:{self.user}@{self.invalid};transport=ws>"


def s_client(port, *args, text="", timeout=10, host="127.0.0.1"):
    """What openssl s_client tells."""
    got = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", *map(str, args)], input=text, capture_output=True, text=True, timeout=timeout)
    return got.stdout + got.stderr


def subject(port, name=None):
    out = s_client(port, *(["-servername", name] if name else ["-noservername"]))
    return re.search(r"subject=CN = (.*)", out).group(1)
