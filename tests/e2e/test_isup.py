"""SIP-I: ISUP beside SIP goes from trunk to trunk as it came, or is read and written where the gateway says so. The peers write every
byte; Q.763's are made here by hand."""
import re
import uuid

import pytest
import tandem as t
from calls import extension, write_extensions
from security.sayer import Sayer
from wire import Message, sdp

pytestmark = pytest.mark.leaks
TYPE = "application/isup;version=itu-t92+;base=itu-t92+"
SIGNAL = "signal;handling=required"


def number(code, digits, nature=4, second=0x10):
    """A parameter (code None: the mandatory one, without it)."""
    bcd = bytes(int(a, 16) | int(b, 16) << 4 for a, b in zip(digits[::2], (digits + "0" * (len(digits) % 2))[1::2]))
    body = bytes([nature | (len(digits) % 2) << 7, second]) + bcd
    return (bytes([code]) if code is not None else b"") + bytes([len(body)]) + body


def iam(called, calling=None, category=0x0a, redirecting=None, reason=1, forward=b"\x20\x01"):
    fixed = b"\x01\x00" + forward + bytes([category, 0])
    mandatory = number(None, called)
    optional = number(0x0a, calling, second=0x13) if calling else b""
    if redirecting:
        optional += number(0x0b, redirecting) + bytes([0x13, 2, reason << 4 | 3, reason << 4 | 1])
    return fixed + b"\x02" + bytes([len(mandatory) + 1]) + mandatory + optional + b"\x39\x03\x3d\xc0\x31\x00"  # one that nobody reads


def rel(cause, location=4):
    return b"\x0c\x02\x00\x02" + bytes([0x80 | location, 0x80 | cause])


ACM, CPG, ANM = b"\x06\x16\x04\x00", b"\x2c\x01\x00", b"\x09\x00"


class Trunk(Sayer):
    """A SIP-I side: bodies are bytes, kept as latin-1."""

    def __init__(self, sw, name):
        super().__init__(sw, name, sw.ext_port)

    def _read(self, timeout):
        self.s.settimeout(timeout)
        return Message(self.s.recv(65536).decode("latin-1"))

    def own_request(self, method, body="", extra="", ctype=TYPE):
        """A request of the called side."""
        self.cseq += 1
        text = (f"{method} {self.target} SIP/2.0\nVia: {self.via()}\nMax-Forwards: 70\nFrom: {self._from}\nTo: {self.peer_to}\n"
                f"Call-ID: {self.call_id}\nCSeq: {self.cseq} {method}\nContact: {self.contact()}\n{extra}"
                + (f"Content-Type: {ctype}\n" if body else "") + f"Content-Length: {len(body)}\n\n")
        self.s.sendall(text.replace("\n", "\r\n").encode() + body.encode("latin-1"))

    def both(self, isup, ctype=TYPE):
        """SDP and ISUP as one body."""
        return (f"--cut\r\nContent-Type: application/sdp\r\n\r\n{sdp(self.rtp_port)}\r\n--cut\r\nContent-Type: {ctype}\r\n"
                f"Content-Disposition: {SIGNAL}\r\n\r\n{isup.decode('latin-1')}\r\n--cut--\r\n")

    def call(self, number_, isup=None, gw=None):
        self.call_id = uuid.uuid4().hex
        self.uri = f"sip:{number_}@127.0.0.1:{self.sw.ext_port}" + (f";gw={gw}" if gw else "")
        self.to = f"<{self.uri}>"
        body, ctype = (self.both(isup), "multipart/mixed;boundary=cut") if isup else (sdp(self.rtp_port), "application/sdp")
        self.request("INVITE", self.uri, self.to, body=body, ctype=ctype, extra="MIME-Version: 1.0\n")
        self.invite_branch, self.invite_cseq = self.last_branch, self.cseq

    def say(self, req, code, isup=None, has_sdp=False):
        body = self.both(isup) if isup and has_sdp else isup.decode("latin-1") if isup else sdp(self.rtp_port) if has_sdp else ""
        ctype = "multipart/mixed;boundary=cut" if isup and has_sdp else TYPE if isup else "application/sdp"
        text = (f"SIP/2.0 {code} x\n" + "".join(f"Via: {v}\n" for v in req.all("Via")) + f"From: {req.get('From')}\n"
                f"To: {req.get('To')}{'' if 'tag=' in req.get('To') else ';tag=' + self.tag}\nCall-ID: {req.get('Call-ID')}\n"
                f"CSeq: {req.get('CSeq')}\nContact: {self.contact()}\n" + (f"Content-Type: {ctype}\n" if body else "")
                + (f"Content-Disposition: {SIGNAL}\n" if isup and not has_sdp else "") + f"Content-Length: {len(body)}\n\n")
        self.s.sendall(text.replace("\n", "\r\n").encode() + body.encode("latin-1"))


def isup_of(m):
    """(the ISUP of a message, its type and disposition); (None, ...) without."""
    kind = m.get("Content-Type")
    if kind.startswith("application/isup"):
        return m.body.encode("latin-1"), kind, m.get("Content-Disposition")
    cut = re.match(r"multipart/mixed;boundary=(\w+)$", kind)
    if not cut:
        return None, "", ""
    assert m.get("MIME-Version") == "1.0"
    for part in m.body.split(f"--{cut.group(1)}")[1:-1]:
        head, _, body = part[2:].partition("\r\n\r\n")
        if "application/isup" in head:
            return body[:-2].encode("latin-1"), *(re.search(rf"{k}: (.*)", head).group(1).strip() for k in ("Content-Type", "Content-Disposition"))
    raise AssertionError(m.body)


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("isup") / "instance", "conf")
    s.trunk_ports = t.free_port(), t.free_port()
    for mode in ("pass", "map", "none"):
        for side, port in zip("ab", s.trunk_ports):
            (s.root / f"conf/sip_profiles/external/{mode}_{side}.xml").write_text(
                f'<include><gateway name="{mode}_{side}"><param name="username" value="lab"/><param name="proxy" value="127.0.0.1:{port}"/>'
                f'<param name="register" value="false"/><param name="extension" value="auto"/><param name="caller-id-in-from" value="true"/>'
                f'<param name="context" value="default"/>' + (f'<param name="isup" value="{mode}"/>' if mode != "pass" else "")
                + '</gateway></include>')
    write_extensions(s, [
        extension("61(\\d+)", "set hangup_after_bridge=true", "bridge sofia/gateway/pass_b/$1"),
        extension("62(\\d+)", "set hangup_after_bridge=true", "bridge sofia/gateway/map_b/$1"),
        extension("63(\\d+)", "bridge {sip_copy_multipart=false}sofia/gateway/pass_b/$1"),
        extension("64(\\d+)", "bridge sofia/gateway/none_b/$1"),
        extension("65(\\d+)", "set continue_on_fail=true", "bridge sofia/gateway/pass_b/$1|sofia/gateway/pass_b/9$1"),
        extension("66(\\d+)", "ring_ready", "park"),
        extension("67", "pre_answer", "sleep 10", "answer", "park"),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def trunks(sw):
    a, b = Trunk(sw, "a"), Trunk(sw, "b")
    for side, port in zip((a, b), sw.trunk_ports):
        side.move(port=port)
    a.call("9999999", gw="pass_a")  # its address has shown that it gets our answers: they need not be short
    a.ack_failure(a.expect(404))
    yield a, b
    sw.api("hupall")
    sw.wait_calls(0)
    a.close()
    b.close()


def test_both_ways_as_it_came(sw, trunks):
    a, b = trunks
    came = iam("441234567", "33123456789")
    a.call("61555", came, "pass_a")
    invite = b.expect(method="INVITE")
    assert isup_of(invite) == (came, TYPE, SIGNAL) and "m=audio" in invite.body
    b.say(invite, 180, ACM)
    assert isup_of(a.expect(180)) == (ACM, TYPE, SIGNAL)
    b.say(invite, 183, CPG, has_sdp=True)
    early = a.expect(183)
    assert isup_of(early) == (CPG, TYPE, SIGNAL) and "m=audio" in early.body
    b.say(invite, 200, ANM, has_sdp=True)
    b.expect(method="ACK")
    b.enter(invite)
    answered = a.answered()
    assert isup_of(answered) == (ANM, TYPE, SIGNAL) and "m=audio" in answered.body
    for here, there, data in ((a, b, b"\x2a\x01\x02"), (b, a, b"\x20\x00")):  # of types that nobody reads, by INFO
        (here.request if here is a else here.own_request)("INFO", body=data.decode("latin-1"), ctype=TYPE, extra=f"Content-Disposition: {SIGNAL}\n")
        here.expect(200)
        info = there.expect(method="INFO")
        assert isup_of(info) == (data, TYPE, SIGNAL)
        there.reply(info, 200)
    a.request("BYE", body=rel(31).decode("latin-1"), ctype=TYPE, extra=f"Content-Disposition: {SIGNAL}\n")
    a.expect(200)
    bye = b.expect(method="BYE")
    assert isup_of(bye) == (rel(31), TYPE, SIGNAL)
    b.reply(bye, 200)


def test_a_refusal(sw, trunks):
    a, b = trunks
    a.call("61555", iam("441234567"), "pass_a")
    invite = b.expect(method="INVITE")
    b.say(invite, 486, rel(17))
    b.expect(method="ACK")
    no = a.expect(486)
    assert isup_of(no) == (rel(17), TYPE, SIGNAL)
    a.ack_failure(no)


def test_the_rel_of_one_tried_before_is_not_the_answer_of_the_next(sw, trunks):
    a, b = trunks
    a.call("65555", iam("441234567"), "pass_a")
    b.say(b.expect(method="INVITE"), 503, rel(34))
    b.expect(method="ACK")
    invite = b.expect(method="INVITE")
    b.say(invite, 200, has_sdp=True)
    b.expect(method="ACK")
    b.enter(invite)
    assert isup_of(a.answered())[0] is None


@pytest.mark.parametrize("number_", ["63555", "64555"])
def test_where_it_may_not_go(sw, trunks, number_):
    a, b = trunks
    a.call(number_, iam("441234567"), "pass_a")
    invite = b.expect(method="INVITE")
    assert isup_of(invite)[0] is None and "m=audio" in invite.body
    b.say(invite, 486)
    b.expect(method="ACK")
    a.ack_failure(a.expect(486))


def test_a_strangers_or_a_phones_isup_goes_nowhere(sw, trunks, phone):
    a, b = trunks
    p = phone("1000")
    was = p.request

    def dressed(method, *args, body="", **kw):
        if body:
            kw["ctype"] = "multipart/mixed;boundary=cut"
            body = a.both(iam("441234567", "15550000"))
        return was(method, *args, body=body, **kw)
    p.request = dressed
    p.invite("61555")
    invite = b.expect(method="INVITE")
    assert isup_of(invite)[0] is None
    b.say(invite, 486)
    b.expect(method="ACK")
    p.ack_failure(p.expect(486))


def test_mapped_in(sw, trunks, parked):
    a, _ = trunks
    a.call("66555", iam("441234567", "33123456789", category=0x0f, redirecting="4930999", reason=2), "map_a")
    ringing, of = a.expect(180), parked()
    assert (of("isup_calling_party_category"), of("sip_redirecting_reason")) == ("payphone", "no-answer")
    uuid_ = sw.api("show channels as delim |").split("\n")[1].split("|")[0]
    assert "Caller-RDNIS: %2B4930999\n" in sw.api(f"uuid_dump {uuid_}")
    assert isup_of(ringing)[0] == b"\x06\x16\x01\x00"  # ACM of our own: free
    sw.api(f"uuid_kill {uuid_} USER_BUSY")
    no = a.expect(486)
    assert isup_of(no)[0] == rel(17, 10) and no.get("Reason").startswith("Q.850;cause=17")
    a.ack_failure(no)


def test_mapped_in_answered(sw, trunks, parked):
    a, _ = trunks
    a.call("67", iam("441234567"), "map_a")
    assert isup_of(a.expect(183))[0] == b"\x06\x12\x01\x00"
    assert isup_of(a.answered())[0] == b"\x09\x00"
    parked()
    sw.api("hupall NORMAL_CLEARING")
    bye = a.expect(method="BYE")
    assert isup_of(bye)[0] == rel(16, 10)
    a.reply(bye, 200)


def test_mapped_out(sw, trunks, phone):
    """A phone's call by a SIP-I trunk: an IAM is written; the REL's cause counts before the status."""
    _, b = trunks
    p = phone("1000")
    p.invite("62441234567")
    invite = b.expect(method="INVITE")
    data, ctype, disposition = isup_of(invite)
    assert data[0] == 1 and ctype == "application/isup;version=itu-t92+" and disposition == "signal;handling=optional"
    assert number(None, "441234567", nature=3) in data and number(0x0a, "1000", nature=3, second=0x13) in data
    b.say(invite, 500, rel(38))
    b.expect(method="ACK")
    p.ack_failure(p.expect(500))
    sw.wait_calls(0)
    e = sw.esl()
    e.subscribe("CHANNEL_HANGUP_COMPLETE")
    p.invite("62441234567")
    b.say(b.expect(method="INVITE"), 500, rel(20))
    b.expect(method="ACK")
    p.ack_failure(p.expect(500))
    got = e.wait_event("CHANNEL_HANGUP_COMPLETE", **{"Call-Direction": "outbound"})
    assert (got["Hangup-Cause"], got["variable_isup_cause"], got["variable_isup_cause_location"]) == ("SUBSCRIBER_ABSENT", "20", "4")
    e.close()


def test_mapped_through(sw, trunks):
    """An IAM that came goes on with whom the dialplan calls; what nobody reads stays in it, and the redirecting number does."""
    a, b = trunks
    a.call("62777", iam("441234567", "33123456789", category=0x0b, redirecting="4930999"), "map_a")
    invite = b.expect(method="INVITE")
    data = isup_of(invite)[0]
    assert number(None, "777", nature=3) in data and b"\x39\x03\x3d\xc0\x31\x00" in data and data[4] == 0x0b
    assert number(0x0b, "4930999") in data and bytes([0x13, 2, 0x13, 0x12]) in data
    b.say(invite, 180)
    assert isup_of(a.expect(180))[0] == b"\x06\x16\x01\x00"
    b.say(invite, 200, has_sdp=True)
    b.expect(method="ACK")
    b.enter(invite)
    assert isup_of(a.answered())[0] == b"\x09\x00"
    b.own_request("BYE", body=rel(16).decode("latin-1"), ctype=TYPE)
    b.expect(200)
    bye = a.expect(method="BYE")
    assert isup_of(bye)[0] == rel(16)
    a.reply(bye, 200)


HOSTILE = [b"", b"\x01", b"\x01\x00\x20\x01\x0a\x00\x02\x00", b"\xff" * 900, b"\x0c\x7f\x7f\x7f", bytes(range(256)) * 5, b"\x01\x00\x20\x01\x0a\x00\x02\x0a\x7f\x04"]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("mode", ["pass", "map"])
def test_hostile_isup(sw, trunks, mode, data):
    """The call goes on as if it were not there; over 1,024 bytes it does not travel."""
    a, b = trunks
    a.call("61555", data, f"{mode}_a")
    invite = b.expect(method="INVITE")
    if len(data) > 1024 or not data:
        assert isup_of(invite)[0] in (None, data)
    else:
        assert isup_of(invite)[0] == data
    b.say(invite, 200, data, has_sdp=True)
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    a.request("BYE", body=data.decode("latin-1"), ctype=TYPE)
    a.expect(200)
    b.reply(b.expect(method="BYE"), 200)
