"""What every request must have (RFC 3261 8.1.1, 20): without it the answer is a 400 that says what is missing. And Allow says the truth:
what it does not list gets 405, in a call and outside of one."""
import re
import socket
import uuid

import pytest
from calls import bridged, ended, is_pair
from wire import Message, sdp

pytestmark = pytest.mark.leaks

METHODS = ["INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "MESSAGE", "REFER", "PUBLISH", "NOTIFY", "INFO"]


@pytest.fixture
def wire(sw):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    s.connect(("127.0.0.1", sw.sip_port))
    s.settimeout(5)
    yield s
    s.close()


def lines(sw, wire, method, body=""):
    port, user = wire.getsockname()[1], "1000"
    out = {
        "Via": f"SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{uuid.uuid4().hex};rport",
        "Max-Forwards": "70",
        "From": f"<sip:{user}@{sw.domain}>;tag=a",
        "To": f"<sip:9196@{sw.domain}>",
        "Call-ID": uuid.uuid4().hex,
        "CSeq": f"1 {method}",
        "Contact": f"<sip:{user}@127.0.0.1:{port}>",
    }
    if body:
        out["Content-Type"] = "application/sdp"
    out["Content-Length"] = str(len(body))
    return out


def ask(sw, wire, method, without=None, body="", **other):
    headers = lines(sw, wire, method, body)
    headers.update({k.replace("_", "-"): v for k, v in other.items()})
    headers.pop(without, None)
    text = f"{method} sip:9196@{sw.domain} SIP/2.0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n" + body
    wire.send(text.encode())
    while True:
        m = Message(wire.recv(65536).decode())
        if m.code >= 200:
            return m


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq"])
def test_without_one_that_all_have(sw, wire, method, name):
    m = ask(sw, wire, method, name, sdp() if method == "INVITE" else "")
    assert m.code == 400 and name in m.first, m.first


def test_an_invite_without_contact(sw, wire):
    m = ask(sw, wire, "INVITE", "Contact", sdp())
    assert m.code == 400 and "Contact" in m.first


def test_an_invite_with_a_broken_contact(sw, wire):
    assert ask(sw, wire, "INVITE", body=sdp(), Contact="<sip:@@>").code == 400


@pytest.mark.parametrize("name,value", [("CSeq", "1 OPTIONS"), ("Max-Forwards", "many")])
def test_with_a_broken_one(sw, wire, name, value):
    assert ask(sw, wire, "INVITE", body=sdp(), **{name.replace("-", "_"): value}).code == 400


def test_a_notify_without_its_event(sw, wire):
    m = ask(sw, wire, "NOTIFY")
    assert m.code == 400 and "Event" in m.first


@pytest.mark.parametrize("method", ["SUBSCRIBE", "PUBLISH"])
def test_others_without_their_event(sw, phone, method):
    """Who asks is asked first who he is."""
    a = phone("1000")
    uri, to, cid = f"sip:1001@{sw.domain}", f"<sip:1001@{sw.domain}>", uuid.uuid4().hex
    a.request(method, uri, to, cid)
    challenge = a.expect(407)
    a.request(method, uri, to, cid, extra=a.authorization(challenge, method, uri))
    assert "Event" in a.expect(400).first


def test_without_max_forwards(sw, wire):
    """RFC 3261 16.3: the check is passed."""
    assert ask(sw, wire, "INVITE", "Max-Forwards", sdp()).code == 407


def test_a_refer_to_nowhere(sw, phone):
    a, b = bridged(phone("1000", hz=500), phone("1001", hz=900), "1001")
    a.request("REFER")
    assert a.expect(400)
    is_pair(a, b)
    a.bye()
    ended(b)


# ---- Allow
def allowed(m):
    return set(re.split(r"[,\s]+", m.get("Allow")))


def test_allow_lists_what_there_is(sw, wire):
    m = ask(sw, wire, "OPTIONS")
    assert allowed(m) == {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "MESSAGE", "INFO", "UPDATE", "REGISTER", "REFER", "NOTIFY"}


def test_message_outside_of_a_call(sw, phone):
    a = phone("1000")
    uri, to, cid = f"sip:1001@{sw.domain}", f"<sip:1001@{sw.domain}>", uuid.uuid4().hex
    a.request("MESSAGE", uri, to, cid, body="hi", ctype="text/plain")
    challenge = a.expect(407)
    a.request("MESSAGE", uri, to, cid, body="hi", ctype="text/plain", extra=a.authorization(challenge, "MESSAGE", uri))
    assert "MESSAGE" in allowed(a.expect(202))


@pytest.mark.parametrize("method", ["PUBLISH"])
def test_in_a_call(sw, phone, method):
    a, b = bridged(phone("1000", hz=500), phone("1001", hz=900), "1001")
    a.request(method, body="hi", ctype="text/plain")
    no = a.expect(405)
    assert method not in allowed(no)
    b.own_request(method, body="hi", ctype="text/plain")
    assert method not in allowed(b.expect(405))
    is_pair(a, b)
    a.bye()
    ended(b)


def test_our_own_invite_says_the_same(sw, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("1001")
    invite = b.take()
    assert "MESSAGE" in allowed(invite) and "MESSAGE" in allowed(a.answered())
    a.bye()
    ended(b)
