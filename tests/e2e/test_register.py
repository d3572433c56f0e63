"""Registration with SIPp: challenge, wrong password, unknown user, expiry, fetch, removal, TCP, restart."""
import hashlib
import re
import socket
import time

from sipp import Sipp, register, register_as
from tandem import free_port


def test_challenge_then_200(switch):
    s = Sipp(switch, register("1000", switch.passwords["1000"]))
    s.wait()
    rows = switch.api("show registrations")
    assert re.search(rf"^1000,127\.0\.0\.1,.*sip:1000@127\.0\.0\.1:{s.port}", rows, re.M), rows


def test_wrong_password_403(switch):
    Sipp(switch, register("1001", "wrong", final=403)).wait()
    assert "1001," not in switch.api("show registrations")


def test_unknown_user_403(switch):
    Sipp(switch, register("4711", "wrong", final=403)).wait()


def test_expires_is_honoured(tandem_vanilla):
    sw = tandem_vanilla
    Sipp(sw, register("1002", sw.passwords["1002"], expires=2)).wait()
    assert "1002," in sw.api("show registrations")
    deadline = time.monotonic() + 20
    while "1002," in sw.api("show registrations"):
        assert time.monotonic() < deadline, "the registration did not expire"
        time.sleep(0.2)


def test_min_expires_423(tandem):
    s = Sipp(tandem, register("1003", tandem.passwords["1003"], expires=10, final=423))
    s.wait()
    assert "Min-Expires: 60" in s.messages()


def test_unregister(switch):
    port = free_port()
    register_as(switch, "1004", port)
    Sipp(switch, register("1004", switch.passwords["1004"], expires=0), port=port).wait()
    assert "1004," not in switch.api("show registrations")


def test_star_removes_all(tandem):
    register_as(tandem, "1005", free_port())
    Sipp(tandem, register("1005", tandem.passwords["1005"], expires=0, contact="*")).wait()
    assert "1005," not in tandem.api("show registrations")


def test_several_contacts_and_fetch(tandem):
    ports = [free_port(), free_port()]
    for p in ports:
        Sipp(tandem, register("1006", tandem.passwords["1006"]), port=p).wait()
    fetch = [s.replace("Contact: ", "X-None: ").replace("Expires: 300\n", "") if s.startswith("<send") else s
             for s in register("1006", tandem.passwords["1006"])]
    s = Sipp(tandem, fetch)
    s.wait()
    answer = s.messages().rsplit("SIP/2.0 200", 1)[1]
    for p in ports:
        assert f"sip:1006@127.0.0.1:{p}" in answer, answer


def test_over_tcp(switch):
    s = Sipp(switch, register("1007", switch.passwords["1007"]), transport="t1")
    s.wait()
    assert re.search(r"^1007,.*tcp", switch.api("show registrations"), re.M | re.I)


class Raw:
    """REGISTER by hand: what SIPp does not let one choose."""

    def __init__(self, sw, user):
        self.sw, self.user, self.cseq = sw, user, 0
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", 0))
        self.s.settimeout(5)

    def register(self, authorization=""):
        self.cseq += 1
        port = self.s.getsockname()[1]
        text = (f"REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{port}x{self.cseq}\r\n"
                f"From: <sip:{self.user}@127.0.0.1>;tag=r\r\nTo: <sip:{self.user}@127.0.0.1>\r\nCall-ID: raw-{port}\r\n"
                f"CSeq: {self.cseq} REGISTER\r\nContact: <sip:{self.user}@127.0.0.1:{port}>\r\nExpires: 300\r\n"
                f"Max-Forwards: 70\r\n{authorization}Content-Length: 0\r\n\r\n")
        self.s.sendto(text.encode(), ("127.0.0.1", self.sw.sip_port))
        answer = self.s.recv(65536).decode()
        return int(answer.split(" ")[1]), answer

    def answer_to(self, challenge, nc=1, algorithm="MD5"):
        line = next(l for l in challenge.split("\r\n") if l.startswith("WWW-Authenticate") and f"algorithm={algorithm}" in l)
        nonce, realm = re.search('nonce="([^"]+)"', line).group(1), re.search('realm="([^"]+)"', line).group(1)
        h = lambda t: (hashlib.md5 if algorithm == "MD5" else hashlib.sha256)(t.encode()).hexdigest()  # noqa: E731
        ha1 = h(f"{self.user}:{realm}:{self.sw.passwords[self.user]}")
        response = h(f"{ha1}:{nonce}:{nc:08x}:abc:auth:{h('REGISTER:sip:127.0.0.1')}")
        return (f'Authorization: Digest username="{self.user}", realm="{realm}", nonce="{nonce}", uri="sip:127.0.0.1", '
                f'response="{response}", algorithm={algorithm}, cnonce="abc", qop=auth, nc={nc:08x}\r\n')


def test_replayed_answer_is_challenged_again(tandem):
    raw = Raw(tandem, "1008")
    _, challenge = raw.register()
    first = raw.answer_to(challenge)
    assert raw.register(first)[0] == 200
    assert raw.register(first)[0] == 401, "the same nonce count was taken twice"
    assert raw.register(raw.answer_to(challenge, nc=2))[0] == 200


def test_forged_nonce_is_challenged(tandem):
    raw = Raw(tandem, "1008")
    _, challenge = raw.register()
    forged = re.sub('nonce="........', 'nonce="ffffffff', challenge)
    code, answer = raw.register(raw.answer_to(forged))
    assert code == 401, answer


def test_sha256(fresh):
    p = fresh.root / "conf/sip_profiles/internal.xml"
    p.write_text(p.read_text().replace('"rfc8760-auth-algorithms" value="MD5"', '"rfc8760-auth-algorithms" value="MD5,SHA-256"'))
    fresh.start()
    raw = Raw(fresh, "1000")
    _, challenge = raw.register()
    assert raw.register(raw.answer_to(challenge, algorithm="SHA-256"))[0] == 200
    fresh.stop()


def test_passwords_and_registrations_survive_a_restart(fresh):
    fresh.start()
    port = free_port()
    register_as(fresh, "1000", port)
    password = fresh.passwords["1000"]
    fresh.stop()
    fresh.start()
    assert re.search(rf"^1000,.*:{port}", fresh.api("show registrations"), re.M), fresh.api("show registrations")
    Sipp(fresh, register("1000", password)).wait()
    fresh.stop()
