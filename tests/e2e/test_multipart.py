"""Bodies of several parts (RFC 5621): the session description among them counts wherever it stands, what else there is is left out; a
body that we do not know is refused with what we do (RFC 3261 8.2.3)."""
import pytest
from calls import bridged, ended, is_pair
from talk import Talker
from wire import sdp

pytestmark = pytest.mark.leaks

SDP = "Content-Type: application/sdp"
ISUP = "Content-Type: application/isup;version=itu-t92+;base=itu-t92+\r\nContent-Disposition: signal;handling=optional"
LOCATION = "Content-Type: application/pidf+xml\r\nContent-ID: <target@lab>"
METADATA = "Content-Type: application/rs-metadata+xml\r\nContent-Disposition: recording-session"
PNG = "Content-Type: image/png"


def parts(*pairs, boundary="cut", nl="\r\n"):
    """The body of these parts."""
    return "".join(f"--{boundary}{nl}{head.replace(chr(13) + chr(10), nl)}{nl}{nl}{text}{nl}" for head, text in pairs) + f"--{boundary}--{nl}"


def offers(p):
    s = sdp(p.rtp_port)
    inner = parts((LOCATION, "<presence/>"), (SDP, s), boundary="in")
    return {
        "ISUP behind": ("multipart/mixed;boundary=cut", parts((SDP, s), (ISUP, "\x01\x02"))),
        "location before, quoted boundary": ('multipart/mixed; boundary="b 1"', parts((LOCATION, "<presence/>"), (SDP, s), boundary="b 1")),
        "metadata": ("Multipart/Mixed; boundary=cut", "a preamble\r\n" + parts((SDP, s), (METADATA, "<recording/>")) + "an epilogue"),
        "in another": ("multipart/mixed;boundary=cut", parts((PNG, "x"), ("Content-Type: multipart/related;boundary=in", inner))),
        "alternatives": ("multipart/alternative;boundary=cut", parts((SDP, sdp(9, formats=(18,))), (SDP, s), ("Content-Type: text/x", "y"))),
        "bare line feeds": ("multipart/mixed;boundary=cut", parts((SDP, s), (ISUP, "\x01"), nl="\n")),
        "an early session": ("multipart/mixed;boundary=cut",
                             parts((SDP + "\r\nContent-Disposition: early-session", sdp(9, formats=(18,))), (SDP, s))),
    }


class Dressed:
    """A phone whose INVITE has a body of that type."""

    def __init__(self, p, ctype):
        self.p, self.ctype, self.was = p, ctype, p.request
        p.request = self

    def __call__(self, method, *args, body="", **kw):
        if body and method == "INVITE":
            kw["ctype"] = self.ctype
        return self.was(method, *args, body=body, **kw)


@pytest.mark.parametrize("name", offers(type("P", (), {"rtp_port": 1})))
def test_an_offer_among_parts(sw, phone, name):
    a = phone("1000", hz=700)
    ctype, body = offers(a)[name]
    Dressed(a, ctype)
    a.invite("9196", body, extra="MIME-Version: 1.0\n")
    a.answered()
    a.talk = Talker(a, a.hz)
    a.talk.hears(700)
    a.bye()


@pytest.mark.parametrize("code", [183, 200])
def test_an_answer_among_parts(sw, phone, code):
    a, b = phone("1000", hz=500), phone("1001", hz=900)
    a.invite("1001")
    invite = b.expect(method="INVITE")
    s = sdp(b.rtp_port)
    body = parts((ISUP, "\x01"), (SDP, s), boundary="z")
    if code == 183:
        reply(b, invite, 183, body)
        a.expect(183)
        b.reply(invite, 200, "OK", s)
    else:
        reply(b, invite, 200, body)
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    a.talk, b.talk = Talker(a, a.hz), Talker(b, b.hz)
    is_pair(a, b)
    a.bye()
    ended(b)


def reply(p, req, code, body, ctype="multipart/mixed;boundary=z"):
    text = (f"SIP/2.0 {code} x\n" + "".join(f"Via: {v}\n" for v in req.all("Via"))
            + f"From: {req.get('From')}\nTo: {req.get('To')};tag={p.tag}\nCall-ID: {req.get('Call-ID')}\nCSeq: {req.get('CSeq')}\n"
            f"Contact: {p.contact()}\nContent-Type: {ctype}\nContent-Length: {len(body)}\n\n")
    p.s.sendall(text.replace("\n", "\r\n").encode() + body.encode())


def test_a_reinvite_and_an_update_among_parts(sw, phone):
    a, b = bridged(phone("1000", hz=500), phone("1001", hz=900), "1001")
    body = parts((LOCATION, "<presence/>"), (SDP, sdp(a.rtp_port, version=2)))
    for method in ("INVITE", "UPDATE"):
        a.request(method, body=body, ctype="multipart/mixed;boundary=cut")
        ok = a.expect(200)
        assert "m=audio" in ok.body
        if method == "INVITE":
            a.request("ACK", cseq=a.cseq)
        is_pair(a, b)
    a.bye()
    ended(b)


UNKNOWN = {"application/foo": "v=0\r\n", "multipart/mixed;boundary=cut": parts((PNG, "x")), "multipart/mixed": "--x--\r\n",
           "application/isup;version=x": "\x01"}


@pytest.mark.parametrize("ctype", UNKNOWN)
def test_what_is_not_known_is_415(sw, phone, ctype):
    a = phone("1000")
    Dressed(a, ctype)
    a.invite("9196", UNKNOWN[ctype])
    no = a.expect(415)
    a.ack_failure(no)
    assert "application/sdp" in no.get("Accept") and "multipart/mixed" in no.get("Accept")
    b, c = bridged(phone("1001", hz=500), phone("1002", hz=900), "1002")
    for method in ("INVITE", "UPDATE"):
        b.request(method, body=UNKNOWN[ctype], ctype=ctype)
        no = b.expect(415)
        assert "application/sdp" in no.get("Accept")
        if method == "INVITE":
            b.request("ACK", cseq=b.cseq)
    is_pair(b, c)  # the session stands
    b.bye()
    ended(c)


def test_an_encoded_body_is_415(sw, phone):
    a = phone("1000")
    a.invite("9196", extra="Content-Encoding: gzip\n")
    no = a.expect(415)
    a.ack_failure(no)
    assert no.get("Accept-Encoding") == "identity"


def test_what_may_be_left_out_is(sw, phone):
    """No session description at all, but nothing that had to be understood: an INVITE without offer."""
    a = phone("1000", hz=700)
    Dressed(a, "application/isup")
    a.invite("9196", "\x01", extra="Content-Disposition: signal;handling=optional\n")
    ok = a.expect(200)
    assert "m=audio" in ok.body
    a.peer_to, a.target = ok.get("To"), ok.get("Contact").strip("<>")
    a.remote_rtp = int(ok.body.split("m=audio ")[1].split()[0])
    a.request("ACK", cseq=int(ok.get("CSeq").split()[0]), body=sdp(a.rtp_port))
    a.talk = Talker(a, a.hz)
    a.talk.hears(700)
    a.bye()
