"""A phone whose every message the test writes: for what SIPp cannot be made to say. UDP or TCP, one socket."""
import hashlib
import re
import socket
import time
import uuid


class Message:
    def __init__(self, text):
        head, _, self.body = text.partition("\r\n\r\n")
        self.first, *lines = head.split("\r\n")
        self.lines = lines

    def all(self, name):
        return [l.split(":", 1)[1].strip() for l in self.lines if l.split(":", 1)[0].strip().lower() == name.lower()]

    def get(self, name):
        return (self.all(name) or [""])[0]

    @property
    def code(self):
        return int(self.first.split(" ")[1]) if self.first.startswith("SIP/2.0") else 0

    @property
    def method(self):
        return "" if self.code else self.first.split(" ")[0]

    def __repr__(self):
        return f"<{self.first} {self.get('CSeq')}>"


def sdp(port=4000, formats=(0, 101), direction="sendrecv", version=1, host="127.0.0.1"):
    maps = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 18: "G729/8000", 101: "telephone-event/8000", 96: "opus/48000/2"}
    lines = ["v=0", f"o=- 1 {version} IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0",
             f"m=audio {port} RTP/AVP {' '.join(map(str, formats))}", *(f"a=rtpmap:{f} {maps[f]}" for f in formats), "a=ptime:20",
             f"a={direction}", ""]
    return "\r\n".join(lines)


class Phone:
    host = "127.0.0.1"

    def __init__(self, sw, user, tcp=False):
        self.sw, self.user, self.tcp = sw, user, tcp
        if tcp:
            self.s = socket.create_connection(("127.0.0.1", sw.sip_port))
        else:
            self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.s.bind((self.host, 0))
            self.s.connect(("127.0.0.1", sw.sip_port))
        self.port = self.s.getsockname()[1]
        self.media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.media.bind((self.host, 0))
        self.media.settimeout(3)
        self.rtp_port = self.media.getsockname()[1]
        self.buf = b""
        self.queue = []
        self.cseq = 0
        self.tag = uuid.uuid4().hex[:8]
        self.target = self.peer_to = None  # set by a dialog

    # ---- bytes
    def send(self, text):
        self.s.sendall(text.replace("\r\n", "\n").replace("\n", "\r\n").encode())

    def _read(self, timeout):
        self.s.settimeout(timeout)
        if not self.tcp:
            return Message(self.s.recv(65536).decode())
        while True:
            head, sep, rest = self.buf.partition(b"\r\n\r\n")
            n = re.search(rb"Content-Length:\s*(\d+)", head, re.I)
            if sep and n and len(rest) >= int(n.group(1)):
                self.buf = rest[int(n.group(1)):]
                return Message((head + sep + rest[:int(n.group(1))]).decode())
            data = self.s.recv(65536)
            assert data, "the connection was closed"
            self.buf += data

    def expect(self, code=None, method=None, timeout=8):
        """The next message that is this response or request; others are kept."""
        def fits(m):
            return (code and m.code == code) or (method and m.method == method)
        for i, m in enumerate(self.queue):
            if fits(m):
                return self.queue.pop(i)
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            try:
                m = self._read(max(left, 0.01))
            except (socket.timeout, TimeoutError):
                raise AssertionError(f"{self.user}: no {code or method}; have {self.queue}")
            if fits(m):
                return m
            self.queue.append(m)

    def expect_nothing(self, method, seconds):
        try:
            m = self.expect(method=method, timeout=seconds)
        except AssertionError:
            return
        raise AssertionError(f"{self.user}: got {m}")

    # ---- requests
    def via(self, branch=None):
        return f"SIP/2.0/{'TCP' if self.tcp else 'UDP'} {self.host}:{self.port};branch={branch or 'z9hG4bK' + uuid.uuid4().hex};rport"

    def contact(self):
        return f"<sip:{self.user}@{self.host}:{self.port}{';transport=tcp' if self.tcp else ''}>"

    def request(self, method, uri=None, to=None, call_id=None, body="", extra="", cseq=None, branch=None, ctype="application/sdp"):
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        self.last_branch = branch or "z9hG4bK" + uuid.uuid4().hex
        text = (f"{method} {uri or self.target} SIP/2.0\nVia: {self.via(self.last_branch)}\nMax-Forwards: 70\n"
                f"From: <sip:{self.user}@{self.sw.domain}>;tag={self.tag}\nTo: {to or self.peer_to}\n"
                f"Call-ID: {call_id or self.call_id}\nCSeq: {cseq} {method}\nContact: {self.contact()}\n{extra}"
                + (f"Content-Type: {ctype}\n" if body else "") + f"Content-Length: {len(body)}\n\n")
        text = text.replace("\n", "\r\n") + body
        self.s.sendall(text.encode())
        return text

    def authorization(self, challenge, method, uri):
        name = "Proxy-Authorization" if challenge.code == 407 else "Authorization"
        line = challenge.get("Proxy-Authenticate" if challenge.code == 407 else "WWW-Authenticate")
        nonce, realm = re.search('nonce="([^"]+)"', line).group(1), re.search('realm="([^"]+)"', line).group(1)
        h = lambda t: hashlib.md5(t.encode()).hexdigest()  # noqa: E731
        ha1 = h(f"{self.user}:{realm}:{self.sw.passwords[self.user]}")
        response = h(f"{ha1}:{nonce}:00000001:abc:auth:{h(f'{method}:{uri}')}")
        return (f'{name}: Digest username="{self.user}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}", '
                f'algorithm=MD5, cnonce="abc", qop=auth, nc=00000001\n')

    def register(self, expires=300, extra=""):
        uri, to, cid = f"sip:{self.sw.domain}", f"<sip:{self.user}@{self.sw.domain}>", f"reg-{self.port}-{self.tag}"
        more = f"Expires: {expires}\n{extra}"
        self.request("REGISTER", uri, to, cid, extra=more)
        challenge = self.expect(401)
        self.request("REGISTER", uri, to, cid, extra=more + self.authorization(challenge, "REGISTER", uri))
        return self.expect(200)

    def invite(self, number, body=None, extra=""):
        """Through the challenge; what comes next is the caller's to expect."""
        self.call_id = f"call-{uuid.uuid4().hex}"
        self.uri = f"sip:{number}@{self.sw.domain}"
        self.to = f"<{self.uri}>"
        body = sdp(self.rtp_port) if body is None else body
        self.request("INVITE", self.uri, self.to, body=body, extra=extra)
        challenge = self.expect(407)
        self.ack_failure(challenge)
        self.request("INVITE", self.uri, self.to, body=body, extra=extra + self.authorization(challenge, "INVITE", self.uri))
        self.invite_branch = self.last_branch
        self.invite_cseq = self.cseq

    def ack_failure(self, response):
        cseq = int(response.get("CSeq").split()[0])
        branch = re.search("branch=([^;]+)", response.get("Via")).group(1)
        self.request("ACK", self.uri, response.get("To"), cseq=cseq, branch=branch)

    def answered(self, code=200):
        """Expects the 200, acknowledges it; the dialog is then this phone's."""
        ok = self.expect(code)
        self.peer_to = ok.get("To")
        self.target = re.search("<([^>]+)>", ok.get("Contact")).group(1)
        self.request("ACK", cseq=int(ok.get("CSeq").split()[0]))
        m = re.search(r"m=audio (\d+)", ok.body)
        self.remote_rtp = int(m.group(1)) if m else 0
        return ok

    def cancel(self):
        self.request("CANCEL", self.uri, self.to, cseq=self.invite_cseq, branch=self.invite_branch)

    def bye(self):
        self.request("BYE")
        return self.expect(200)

    # ---- responses
    def reply(self, req, code, reason="x", body="", extra="", tag=True):
        to = req.get("To")
        if tag and "tag=" not in to:
            to += f";tag={self.tag}"
        text = (f"SIP/2.0 {code} {reason}\n" + "".join(f"Via: {v}\n" for v in req.all("Via"))
                + "".join(f"Record-Route: {r}\n" for r in req.all("Record-Route"))
                + f"From: {req.get('From')}\nTo: {to}\nCall-ID: {req.get('Call-ID')}\nCSeq: {req.get('CSeq')}\n"
                f"Contact: {self.contact()}\n{extra}" + ("Content-Type: application/sdp\n" if body else "")
                + f"Content-Length: {len(body)}\n\n")
        self.s.sendall(text.replace("\n", "\r\n").encode() + body.encode())

    def take(self, body=None, ring=True):
        """Expects an INVITE, rings and answers it; the dialog is then this phone's."""
        req = self.expect(method="INVITE")
        if ring:
            self.reply(req, 180, "Ringing")
        self.reply(req, 200, "OK", body or sdp(self.rtp_port))
        self.expect(method="ACK")
        self.enter(req)
        return req

    def enter(self, req):
        """The dialog of an incoming INVITE seen from here: for requests of our own in it."""
        self.call_id = req.get("Call-ID")
        self.target = re.search("<([^>]+)>", req.get("Contact")).group(1)
        self.peer_to = req.get("From")
        self.cseq = 100
        m = re.search(r"m=audio (\d+)", req.body)
        self.remote_rtp = int(m.group(1)) if m else 0
        self._from = req.get("To") + f";tag={self.tag}"

    def own_request(self, method, body="", extra="", ctype="application/sdp", cseq=None):
        """A request of the called side."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        text = (f"{method} {self.target} SIP/2.0\nVia: {self.via()}\nMax-Forwards: 70\nFrom: {self._from}\nTo: {self.peer_to}\n"
                f"Call-ID: {self.call_id}\nCSeq: {cseq} {method}\nContact: {self.contact()}\n{extra}"
                + (f"Content-Type: {ctype}\n" if body else "") + f"Content-Length: {len(body)}\n\n")
        self.s.sendall(text.replace("\n", "\r\n").encode() + body.encode())

    def close(self):
        self.s.close()
        self.media.close()
