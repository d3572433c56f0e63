"""A small SIP phone in Python for the recordings' situations: registers, answers or refuses, calls, hangs up. UDP, PCMU,
one call at a time; media is not sent. Runs on a thread of its own."""
import hashlib
import re
import socket
import threading
import uuid


ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, REFER, NOTIFY, MESSAGE, UPDATE"


class Ua:
    def __init__(self, switch, user, answer=200):
        self.switch, self.user, self.answer = switch, user, answer
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.proxy = ("127.0.0.1", switch.sip_port)
        self.cseq = 0
        self.waiting = {}
        self.up = threading.Event()
        self.down = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    # ---- messages
    @staticmethod
    def _header(text, name):
        m = re.search(rf"^{name}:\s*(.*?)\r?$", text, re.M | re.I)
        return m.group(1) if m else ""

    def _sdp(self):
        return (f"v=0\r\no=- {self.port} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                f"m=audio {self.port + 1 & ~1} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
                "a=ptime:20\r\n")

    def _send(self, text):
        self.sock.sendto(text.replace("\n", "\r\n").replace("\r\r\n", "\r\n").encode(), self.proxy)

    def _request(self, method, uri, call_id, to, body="", extra="", cseq=None, branch=None):
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        return (f"{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:{self.port};rport;branch={branch or 'z9hG4bK' + uuid.uuid4().hex}\n"
                f"Max-Forwards: 70\nFrom: \"{self.user}\" <sip:{self.user}@{self.switch.domain}>;tag={call_id[:8]}\nTo: {to}\n"
                f"Call-ID: {call_id}\nCSeq: {cseq} {method}\nContact: <sip:{self.user}@127.0.0.1:{self.port}>\n"
                f"User-Agent: lab-ua\n{extra}" + (f"{ALLOW}\nContent-Type: application/sdp\n" if body else "")
                + f"Content-Length: {len(body)}\n\n{body}")

    def _reply(self, request, code, reason, body="", tag=True):
        vias = re.findall(r"^Via:.*?$", request, re.M | re.I)
        routes = re.findall(r"^Record-Route:.*?$", request, re.M | re.I)
        to = self._header(request, "To")
        if tag and "tag=" not in to:
            to += f";tag=ua{self.port}"
        lines = [f"SIP/2.0 {code} {reason}", *(v.strip() for v in vias), *(r.strip() for r in routes),
                 f"From: {self._header(request, 'From')}", f"To: {to}", f"Call-ID: {self._header(request, 'Call-ID')}",
                 f"CSeq: {self._header(request, 'CSeq')}"]
        if not 300 <= code < 400:  # the recorded phones' 302 names no place to go
            lines.append(f"Contact: <sip:{self.user}@127.0.0.1:{self.port}>")
        lines.append("User-Agent: lab-ua")
        if body:
            lines += [ALLOW, "Content-Type: application/sdp"]
        self._send("\n".join(lines) + f"\nContent-Length: {len(body)}\n\n{body}")

    def _authorization(self, challenge, method, uri):
        p = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
        h = lambda s: hashlib.md5(s.encode()).hexdigest()  # noqa: E731
        ha1 = h(f"{self.user}:{p['realm']}:{self.switch.passwords[self.user]}")
        nc, cnonce = "00000001", uuid.uuid4().hex[:8]
        response = h(f"{ha1}:{p['nonce']}:{nc}:{cnonce}:auth:{h(f'{method}:{uri}')}")
        return (f'Digest username="{self.user}", realm="{p["realm"]}", nonce="{p["nonce"]}", uri="{uri}", '
                f'response="{response}", algorithm=MD5, qop=auth, nc={nc}, cnonce="{cnonce}"')

    # ---- in
    def _run(self):
        while True:
            try:
                text = self.sock.recv(65536).decode(errors="replace")
                self._on_message(text)
            except OSError:  # closed
                return

    def _on_message(self, text):
        if text.startswith("SIP/2.0 "):
            entry = self.waiting.get(self._header(text, "CSeq"))
            code = int(text.split()[1])
            if entry and code >= 200:
                entry["reply"] = text
                entry["event"].set()
            return
        method = text.split(" ", 1)[0]
        if method == "INVITE":
            self._on_invite(text)
        elif method == "BYE":
            self._reply(text, 200, "OK")
            self.down.set()
        elif method == "CANCEL":
            self._reply(text, 200, "OK")
            self._reply(self.invite, 487, "Request Terminated")
        elif method != "ACK":
            self._reply(text, 200, "OK")

    def _on_invite(self, text):
        self.invite = text
        self._reply(text, 100, "Trying", tag=False)
        if "tag=" not in self._header(text, "To"):
            self._reply(text, 180, "Ringing")
        if self.answer == 200:
            self._reply(text, 200, "OK", self._sdp())
            self.up.set()
        elif self.answer:
            self._reply(text, self.answer, "Refused")

    # ---- out
    def _ask(self, method, uri, call_id, to, body="", timeout=10):
        extra = ""
        for _ in range(2):
            event = {"event": threading.Event()}
            self.cseq += 1
            self.waiting[f"{self.cseq} {method}"] = event
            branch = "z9hG4bK" + uuid.uuid4().hex
            for _ in range(6):
                self._send(self._request(method, uri, call_id, to, body, extra, self.cseq, branch))
                if event["event"].wait(0.5 if method != "INVITE" else timeout):
                    break
            assert "reply" in event, f"no reply to {method}"
            reply = event["reply"]
            code = int(reply.split()[1])
            if method == "INVITE":
                self._send(self._request("ACK", uri if code >= 300 else self._target(reply), call_id, self._header(reply, "To"),
                                         cseq=self.cseq, branch=branch if code >= 300 else None))
            if code not in (401, 407):
                return code, reply
            name = "WWW-Authenticate" if code == 401 else "Proxy-Authenticate"
            send_as = "Authorization" if code == 401 else "Proxy-Authorization"
            extra = f"{send_as}: {self._authorization(self._header(reply, name), method, uri)}\n"
        return code, reply

    def _target(self, reply):
        m = re.search(r"<([^>]+)>", self._header(reply, "Contact"))
        return m.group(1) if m else f"sip:127.0.0.1:{self.switch.sip_port}"

    def register(self, expires=3600):
        uri = f"sip:{self.switch.domain}"
        me = f"<sip:{self.user}@{self.switch.domain}>"
        self.cseq += 1
        code, _ = self._ask("REGISTER", uri, uuid.uuid4().hex + "@lab", me)
        assert code == 200, code
        self.switch.wait_registered(self.user)
        return self

    def call(self, number):
        self.call_id = uuid.uuid4().hex + "@lab"
        code, reply = self._ask("INVITE", f"sip:{number}@{self.switch.domain}", self.call_id, f"<sip:{number}@{self.switch.domain}>", self._sdp())
        self.remote, self.to = self._target(reply) if code == 200 else None, self._header(reply, "To")
        return code

    def hangup(self):
        code, _ = self._ask("BYE", self.remote, self.call_id, self.to)
        return code

    def close(self):
        self.sock.close()
