"""Phones for attacks by SIP: each writes any From it likes, from any address, with or without an account."""
import contextlib
import re
import socket
import uuid

from wire import Phone, sdp


class Sayer(Phone):
    """A phone at a port of the switch, internal or external; frm is its From without the tag, password its account's."""
    def __init__(self, sw, user, port=None, frm=None, host="127.0.0.1", password=None):
        super().__init__(sw, user)
        self.at = port or sw.sip_port
        self.move(host)
        self.frm = frm or f"<sip:{user}@{sw.domain}>"
        self.password = password or sw.passwords.get(user)

    def move(self, host="127.0.0.1", port=0):
        """To another address of its own."""
        self.s.close()
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((host, port))
        self.s.connect(("127.0.0.1", self.at))
        self.port, self.host = self.s.getsockname()[1], host

    def request(self, method, uri=None, to=None, call_id=None, body="", extra="", cseq=None, branch=None, ctype="application/sdp",
                contact=None):
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        self.last_branch = branch or "z9hG4bK" + uuid.uuid4().hex
        text = (f"{method} {uri or self.target} SIP/2.0\nVia: SIP/2.0/UDP {self.host}:{self.port};branch={self.last_branch};rport\n"
                f"Max-Forwards: 70\nFrom: {self.frm};tag={self.tag}\nTo: {to or self.peer_to}\nCall-ID: {call_id or self.call_id}\n"
                f"CSeq: {cseq} {method}\nContact: {contact or f'<sip:{self.user}@{self.host}:{self.port}>'}\n{extra}"
                + (f"Content-Type: {ctype}\n" if body else "") + f"Content-Length: {len(body)}\n\n")
        self.s.sendall((text.replace("\n", "\r\n") + body).encode("latin-1"))

    def authorization(self, challenge, method, uri):
        kept = self.sw.passwords.get(self.user)
        self.sw.passwords[self.user] = self.password
        try:
            return super().authorization(challenge, method, uri)
        finally:
            if kept:
                self.sw.passwords[self.user] = kept
            else:
                del self.sw.passwords[self.user]

    def final(self):
        while True:
            m = self._read(8)
            if m.code >= 200:
                return m
            self.queue.append(m)

    def register_as(self, to, contact=None, expires=300, call_id=None, extra=""):
        """REGISTER of any address of record, through the challenge; the final answer."""
        uri, call_id = f"sip:{self.sw.domain}", call_id or uuid.uuid4().hex
        more = f"Expires: {expires}\n{extra}"
        self.request("REGISTER", uri, to, call_id, extra=more, contact=contact)
        challenge = self.final()
        if challenge.code != 401:
            return challenge
        self.request("REGISTER", uri, to, call_id, extra=more + self.authorization(challenge, "REGISTER", uri), contact=contact)
        return self.final()

    def call(self, number, extra="", uri=None):
        """An INVITE without an account; what comes is the caller's to expect."""
        self.call_id = uuid.uuid4().hex
        self.uri = uri or f"sip:{number}@127.0.0.1"
        self.to = f"<sip:{number}@127.0.0.1>"
        self.request("INVITE", self.uri, self.to, body=sdp(self.rtp_port), extra=extra)
        self.invite_branch, self.invite_cseq = self.last_branch, self.cseq

    def refused(self):
        """Expects a final refusal, acknowledges it; its code."""
        m = self.final()
        assert m.code >= 300, m
        self.ack_failure(m)
        return m.code


@contextlib.contextmanager
def sayers(sw):
    """A maker of them; at the end their calls and they themselves are gone."""
    made = []

    def make(*args, **kw):
        made.append(Sayer(sw, *args, **kw))
        return made[-1]
    yield make
    sw.api("hupall")
    sw.wait_calls(0)
    for p in made:
        p.close()


def addr_of(header):
    """What stands in the brackets of a name-addr."""
    return re.search("<([^>]*)>", header).group(1)


def set_params(sw, profile="internal", **params):
    """Parameters of a profile of a running switch (a_b=value), None takes one out; by rescan."""
    path = sw.root / f"conf/sip_profiles/{profile}.xml"
    text = path.read_text()
    for name, value in params.items():
        name = name.replace("_", "-")
        text = re.sub(rf' *<param name="{name}"[^>]*/>\n', "", text)
        if value is not None:
            text = text.replace("<settings>\n", f'<settings>\n    <param name="{name}" value="{value}"/>\n')
    path.write_text(text)
    reply = sw.api(f"sofia profile {profile} rescan")
    assert "scan complete" in reply, reply
