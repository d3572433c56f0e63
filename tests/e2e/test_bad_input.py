"""What the open internet sends: malformed, truncated, huge and mutated messages, from datagrams and streams. The switch answers
with an error or not at all, does not fall, loses no memory, and the next good call works."""
import random
import re
import socket

import pytest
from sipp import ANSWERED, Sipp, ack, bye, invite, pause, recv, send, sdp

pytestmark = pytest.mark.leaks

INVITE = """INVITE sip:9196@127.0.0.1 SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{n};rport\r
From: "Mallory" <sip:1000@127.0.0.1>;tag=x{n}\r
To: <sip:9196@127.0.0.1>\r
Call-ID: bad-{n}@127.0.0.1\r
CSeq: 1 INVITE\r
Contact: <sip:1000@127.0.0.1:{port}>\r
Max-Forwards: 70\r
Content-Type: application/sdp\r
Content-Length: {length}\r
\r
{body}"""
REGISTER = """REGISTER sip:127.0.0.1 SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKr{n}\r
From: <sip:1000@127.0.0.1>;tag=r{n}\r
To: <sip:1000@127.0.0.1>\r
Call-ID: reg-{n}@127.0.0.1\r
CSeq: 1 REGISTER\r
Contact: <sip:1000@127.0.0.1:{port};transport=udp>;q=0.7;expires=60\r
Authorization: Digest username="1000", realm="127.0.0.1", nonce="abc", uri="sip:127.0.0.1", response="00000000000000000000000000000000", algorithm=MD5, cnonce="x", qop=auth, nc=00000001\r
Expires: 60\r
Max-Forwards: 70\r
Content-Length: 0\r
\r
"""
BODY = sdp().replace("[auto_media_port]", "4000").replace("\n", "\r\n")


def good_call(sw):
    Sipp(sw, invite("1000", sw.passwords["1000"], "9196") + ANSWERED +
         [send(ack("1000", "9196"), retrans=0), pause(100), send(bye("1000", "9196")), recv(200)]).wait()
    sw.wait_calls(0)


def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    s.settimeout(2)
    return s


def valid(n, port):
    body = BODY
    return [INVITE.format(n=n, port=port, length=len(body), body=body), REGISTER.format(n=n, port=port),
            INVITE.format(n=n, port=port, length=len(body), body=body).replace("INVITE sip", "OPTIONS sip").replace("1 INVITE", "1 OPTIONS")]


def test_wrong_content_length(tandem):
    s = udp()
    port = s.getsockname()[1]
    for length in (-1, 99999999999999999999, 5000, "abc"):
        s.sendto(INVITE.format(n=f"l{length}", port=port, length=length, body=BODY).encode(), ("127.0.0.1", tandem.sip_port))
        answer = s.recvfrom(65536)[0]
        assert answer.startswith(b"SIP/2.0 400"), answer[:200]
    # shorter than what came: the rest of a datagram is not the message's (RFC 3261 18.3)
    s.sendto(INVITE.format(n="short", port=port, length=0, body="x" * 100).encode(), ("127.0.0.1", tandem.sip_port))
    assert re.match(rb"SIP/2.0 (100|407|401)", s.recvfrom(65536)[0])
    good_call(tandem)


def test_truncated_datagrams(tandem):
    s = udp()
    for text in valid("t", s.getsockname()[1]):
        raw = text.encode()
        for n in range(0, len(raw), 7):
            s.sendto(raw[:n], ("127.0.0.1", tandem.sip_port))
    good_call(tandem)


def test_huge_headers(tandem):
    s = udp()
    port = s.getsockname()[1]
    base = valid("h", port)[0]
    for extra in ("X-Long: " + "a" * 60000, "\r\n".join(f"X-{i}: y" for i in range(3000)), "Via: " + ",".join(
            ["SIP/2.0/UDP 1.2.3.4;branch=z9hG4bK"] * 1000), "From: " + '"' * 30000, "X: " + "\r\n " * 20000):
        s.sendto(base.replace("Max-Forwards", extra + "\r\nMax-Forwards").encode()[:65000], ("127.0.0.1", tandem.sip_port))
    good_call(tandem)


def test_missing_and_doubled_headers(tandem):
    s = udp()
    port = s.getsockname()[1]
    for name in ("From", "To", "Call-ID", "CSeq"):
        text = re.sub(rf"^{name}:.*\r\n", "", valid(f"m{name}", port)[0], flags=re.M)
        s.sendto(text.encode(), ("127.0.0.1", tandem.sip_port))
        assert s.recvfrom(65536)[0].startswith(b"SIP/2.0 400"), name
    text = valid("twice", port)[0].replace("Call-ID", "Call-ID: other\r\nCall-ID", 1)
    s.sendto(text.encode(), ("127.0.0.1", tandem.sip_port))
    assert s.recvfrom(65536)[0].startswith(b"SIP/2.0 400")
    good_call(tandem)


def mutate(rng, raw):
    b = bytearray(raw)
    for _ in range(rng.randint(1, 8)):
        kind = rng.randrange(6)
        i = rng.randrange(len(b)) if b else 0
        if kind == 0 and b:
            b[i] = rng.randrange(256)
        elif kind == 1:
            b[i:i] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 40)))
        elif kind == 2:
            del b[i:i + rng.randint(1, 60)]
        elif kind == 3:
            j = rng.randrange(len(b)) if b else 0
            b[i:i] = b[j:j + rng.randint(1, 200)]
        elif kind == 4:
            b[i:i] = rng.choice([b"\r\n", b"\r\n\r\n", b"\0", b"%00", b"\xff" * 9, b'"', b"<", b";", b"=" * 50, b"4294967296", b"-1"])
        else:
            b = b[:i]
    return bytes(b)


def test_ten_thousand_mutations(tandem):
    rng = random.Random(20261121)
    s = udp()
    port = s.getsockname()[1]
    rss = []
    for n in range(10000):
        s.sendto(mutate(rng, rng.choice(valid(n, port)).encode()), ("127.0.0.1", tandem.sip_port))
        if n % 100 == 0:
            tandem.api("version")  # answered: alive and not behind
        if n in (5000, 9999):
            rss.append(int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{tandem.proc.pid}/status").read()).group(1)))
    good_call(tandem)
    tandem.wait_calls(0, timeout=60)


def test_streams(tandem):
    """TCP: a byte at a time, two messages in one write, garbage, a header without end, an early close."""
    text = valid("tcp", 5060)[2].replace("UDP", "TCP").encode()
    with socket.create_connection(("127.0.0.1", tandem.sip_port)) as s:
        s.settimeout(5)
        for i in range(len(text)):
            s.send(text[i:i + 1])
        assert s.recv(65536).startswith(b"SIP/2.0 ")
        two = valid("tcp1", 5060)[2].replace("UDP", "TCP").encode() + valid("tcp2", 5060)[2].replace("UDP", "TCP").encode()
        s.sendall(two)
        got = b""
        while got.count(b"SIP/2.0 200") < 2:
            got += s.recv(65536)
    for junk in (b"\0" * 5000, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"INVITE sip:x SIP/2.0\r\n" + b"X: y\r\n" * 200000,
                 text[:100]):
        with socket.create_connection(("127.0.0.1", tandem.sip_port)) as s:
            try:
                s.sendall(junk)
            except OSError:
                pass  # cut off while sending: what it should do with a header that has no end
    good_call(tandem)


def test_message_reaches_no_command(tandem):
    """MESSAGE, SUBSCRIBE, REFER, PUBLISH, NOTIFY from strangers: challenged or refused."""
    s = udp()
    port = s.getsockname()[1]
    for method in ("MESSAGE", "SUBSCRIBE", "REFER", "PUBLISH", "NOTIFY"):
        text = valid(method, port)[2].replace("OPTIONS", method)
        s.sendto(text.encode(), ("127.0.0.1", tandem.sip_port))
        code = int(s.recvfrom(65536)[0].split(b" ")[1])
        assert 400 <= code < 600, (method, code)


def test_max_forwards_zero_is_483(tandem):
    s = udp()
    s.sendto(valid("mf", s.getsockname()[1])[0].replace("Max-Forwards: 70", "Max-Forwards: 0").encode(), ("127.0.0.1", tandem.sip_port))
    assert s.recvfrom(65536)[0].startswith(b"SIP/2.0 483")
