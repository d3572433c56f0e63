"""Holes that systems of this kind had, each with the test that would show it here. The table is checked: a test that is gone, or a
hole without one, is a failure. Not applicable until the media is encrypted: DTLS certificates that are not compared with the SDP's
fingerprint, hellos that anybody may send, ICE checks without integrity, SRTP packets that end a call."""
import re
import socket
from pathlib import Path
from urllib.parse import quote

import pytest

import tandem as t
from http_client import Door
from strangers import is_closed, rss_kb
from test_udp_floods import request, udp
from wire import Phone

pytestmark = pytest.mark.leaks

HERE = Path(__file__).parent
TOP = HERE.parents[2]
# hole: file below tests/ and a test in it
KNOWN = {
    "MESSAGE reaches the commands without a login": ("e2e/security/test_known_holes.py", "test_a_message_runs_nothing"),
    "an HTTP body overflows before the login": ("e2e/security/test_known_holes.py", "test_http_bodies_are_bounded_before_login"),
    "a WebSocket frame's length is believed": ("fuzz/net/fuzz_ws.c", "LLVMFuzzerTestOneInput"),
    "Content-Length of the event socket overflows": ("e2e/security/test_known_holes.py", "test_event_socket_lengths"),
    "Content-Length in our own client": ("fuzz/text/fuzz_stanza_reply.c", "LLVMFuzzerTestOneInput"),
    "deeply nested JSON": ("e2e/security/test_known_holes.py", "test_deep_json"),
    "escaping is off by one; a slice of a variable reads past it": ("e2e/security/test_known_holes.py", "test_slices_and_escapes_at_their_bounds"),
    "the event socket's default password is open to the world": ("e2e/security/test_known_holes.py", "test_default_password_opens_loopback_only"),
    "a stranger's challenge is answered": ("e2e/test_gateway_realm.py", ""),
    "REGISTER floods exhaust memory": ("e2e/security/test_floods.py", "test_a_phone_is_served_in_a_flood"),
    "MESSAGE and SUBSCRIBE need no password": ("e2e/security/test_known_holes.py", "test_requests_need_a_password_by_default"),
    "RTP of anybody is relayed or heard": ("e2e/security/test_rtp_source.py", ""),
    "parsers of SIP overflow": ("fuzz/sip_msg/fuzz_msg.c", "LLVMFuzzerTestOneInput"),
    "parsers of SDP overflow": ("fuzz/sdp/fuzz_sdp.c", "LLVMFuzzerTestOneInput"),
    "parsers of DNS overflow": ("fuzz/net/fuzz_dns.c", "LLVMFuzzerTestOneInput"),
    "the digest overflows": ("fuzz/sip/fuzz_digest_header.c", "LLVMFuzzerTestOneInput"),
    "sequences of messages crash transactions": ("fuzz/sip/fuzz_stack.c", "LLVMFuzzerTestOneInput"),
    "INVITE over TCP crashes": ("e2e/security/test_known_holes.py", "test_tcp_invites_and_notifies_that_end_early"),
    "headers pass a filter by their compact or folded form": ("e2e/security/test_known_holes.py", "test_filters_know_all_forms"),
    "a filter of guesses bans the honest": ("e2e/security/test_bans.py", "test_challenges_are_no_failures"),
    "or misses a known user with a wrong password": ("e2e/security/test_bans.py", "test_a_user_is_banned_where_he_guesses"),
    "an unknown user is told from a wrong password": ("e2e/security/test_known_holes.py", "test_unknown_users_and_wrong_passwords_look_alike"),
}


@pytest.mark.parametrize("hole", KNOWN)
def test_each_has_its_test(hole):
    name, what = KNOWN[hole]
    path = TOP / "tests" / name
    assert path.exists(), name
    text = path.read_text()
    assert re.search(rf"\b{what}\(" if what else r"^def test_\w+\(", text, re.M), (name, what)


def ask(sw, text):
    with udp("127.0.0.1") as s:
        s.sendto(text, ("127.0.0.1", sw.sip_port))
        return s.recv(65536).decode()


def test_a_message_runs_nothing(sw):
    events = sw.esl()
    events.subscribe("API")
    for body in ("api status", "bgapi hupall", "/status", "sofia status"):
        text = request("MESSAGE", f"m{len(body)}", "127.0.0.1").replace(b"Content-Length: 0\r\n\r\n", (
            f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
        assert ask(sw, text).startswith("SIP/2.0 407")
    sw.api("version")
    assert events.wait_event("API")["API-Command"] == "version"  # the first command that was run is ours
    events.close()


def test_requests_need_a_password_by_default(sw):
    for method in ("INVITE", "MESSAGE", "SUBSCRIBE", "PUBLISH", "REFER", "REGISTER"):
        code = ask(sw, request(method, f"d{method}", "127.0.0.1").replace(b"Contact", b"Event: presence\r\nRefer-To: <sip:1@a>\r\nContact"))
        assert code.startswith(("SIP/2.0 401", "SIP/2.0 407")), (method, code)


def test_http_bodies_are_bounded_before_login(sw):
    for head in ("Content-Length: 18446744073709551615", "Content-Length: 4294967297", "Content-Length: -1", "Content-Length: 99999999999",
                 "Content-Length: 5\r\nContent-Length: 6", "Transfer-Encoding: chunked\r\nContent-Length: 5"):
        with socket.create_connection(("127.0.0.1", sw.http_port), 5) as s:
            s.sendall(f"POST /v1/command HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n\r\n{'A' * 4096}".encode())
            s.settimeout(5)
            try:
                data = s.recv(65536)
            except ConnectionResetError:
                continue
            assert re.match(rb"HTTP/1.1 4\d\d", data), (head, data[:80])
    assert Door(sw).call("GET", "/metrics")[0] == 200


def test_event_socket_lengths(sw):
    for length in ("18446744073709551615", "4294967296", "-1", "16777217", "99999999999999999999"):
        with socket.create_connection(("127.0.0.1", sw.esl_port), 5) as s:
            s.settimeout(5)
            s.recv(1000)
            s.sendall(f"auth x\nContent-Length: {length}\n\n".encode() + b"A" * 2000)
            assert is_closed(s, 5), length
    with socket.create_connection(("127.0.0.1", sw.esl_port), 5) as s:  # and after the login
        s.settimeout(5)
        s.recv(1000)
        s.sendall(f"auth {sw.esl_password}\n\n".encode())
        s.recv(1000)
        s.sendall(b"sendevent NOTIFY\nContent-Length: 4294967297\n\nx")
        assert is_closed(s, 5)
    assert "UP" in sw.api("status")


def test_deep_json(sw):
    for text in ("[" * 20000, '{"a":' * 20000, '{"command":' + "[" * 10000 + "]" * 10000 + "}"):
        with socket.create_connection(("127.0.0.1", sw.http_port), 5) as s:
            token = (sw.root / "db/http_admin_token").read_text().strip()
            s.settimeout(10)
            s.sendall(f"POST /v1/originate HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
                      f"Content-Length: {len(text)}\r\n\r\n".encode() + text.encode())
            status = int(s.recv(65536).split(b" ")[1])
        assert status == 400, status
    assert "ERR" in sw.api("json " + "[" * 5000) or sw.api("json " + '{"a":' * 5000)
    assert "UP" in sw.api("status")


def test_slices_and_escapes_at_their_bounds(sw):
    values = ["a", "ab", "&", "&&", "<&>", "&" * 255, "&" * 256, "x" * 1023 + "&", "é&"]
    for value in values:
        sw.api(f"global_setvar hole={value}")
        assert sw.api("expand echo [${hole}]") == f"[{value}]"
        n = len(value.encode())
        for cut in ("0:1", f"{n}:1", f"{n - 1}:5", f"-{n}:2", f"-{n + 1}:2", f"0:{n + 1}", "1000000:1", "-1000000:3", "0:1000000", ":", "a:b"):
            got = sw.api(f"expand echo [${{hole:{cut}}}]")
            assert len(got.encode(errors="replace")) <= 3 * n + 2 and "\0" not in got, (value, cut, got)
    sw.api("global_setvar hole=")
    events = sw.esl()
    events.command("event xml CUSTOM hole::test")
    for value in values:
        sw._esl.command(f"sendevent CUSTOM\nEvent-Subclass: hole::test\nHole: {value}")
        while "text/event-xml" not in (reply := events.read())[0]["Content-Type"]:
            pass
        want = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        assert f"<Hole>{want}</Hole>" in reply[1] or f"<Hole>{quote(value)}</Hole>" in reply[1], reply[1][-len(want) - 200:]
    events.close()


def test_default_password_opens_loopback_only(fresh):
    sw = fresh
    path = sw.root / "conf/autoload_configs/event_socket.conf.xml"
    text = re.sub(r'name="listen-ip" value="[^"]*"', 'name="listen-ip" value="0.0.0.0"', path.read_text())
    path.write_text(re.sub(r'name="password" value="[^"]*"', 'name="password" value="ClueCon"', text))
    sw.esl_password = "ClueCon"
    sw.start()
    rows = [line.split() for line in open("/proc/net/tcp")][1:]
    at = {r[1].split(":")[0] for r in rows if r[3] == "0A" and int(r[1].split(":")[1], 16) == sw.esl_port}
    assert at == {"0100007F"}, at


def test_tcp_invites_and_notifies_that_end_early(sw):
    """Framing and transactions of connections that break at every place of an INVITE or a NOTIFY."""
    for method in ("INVITE", "NOTIFY"):
        text = request(method, "early", "127.0.0.1").replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
        for cut in range(1, len(text), 29):
            with socket.create_connection(("127.0.0.1", sw.sip_port), 5) as s:
                s.sendall(text[:cut])
        for whole in range(3):
            with socket.create_connection(("127.0.0.1", sw.sip_port), 5) as s:
                s.sendall(text * (whole + 1) + text[:100])
    p = Phone(sw, "1000", tcp=True)
    p.register()
    p.invite("9196")
    p.answered()
    p.bye()
    p.close()
    assert t.IS_SANITIZED or rss_kb(sw) < 200000


def test_filters_know_all_forms(fresh):
    """Compact names, blanks before the colon, folds, any case: one parser and one filter for all."""
    path = fresh.root / "conf/sip_profiles/external.xml"
    path.write_text(path.read_text().replace("<settings>", '<settings>\n<param name="deny-headers-in" value="Subject,X-Secret"/>', 1))
    (fresh.root / "conf/dialplan/public").mkdir(exist_ok=True)
    (fresh.root / "conf/dialplan/public/holes.xml").write_text(
        '<include><extension name="x"><condition field="destination_number" expression="^77$"><action application="park"/></condition>'
        '</extension></include>')
    sw = fresh.start()
    events = sw.esl()
    events.subscribe("CHANNEL_PARK")
    for i, line in enumerate(("Subject: s", "s: s", "S : s", "sUBJECT:s\r\n more", "X-Secret: s", "x-secret:\r\n s", "X-SECRET\t: s")):
        with udp("127.0.0.1") as s:
            text = request("INVITE", f"f{i}", "127.0.0.1", number="77",
                           body="v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n")
            s.sendto(text.replace(b"Contact:", line.encode() + b"\r\nX-Seen: yes\r\nContact:"), ("127.0.0.1", sw.ext_port))
            e = events.wait_event("CHANNEL_PARK")
            assert e["variable_sip_h_X-Seen"] == "yes"
            assert not e.get("variable_sip_subject") and not any(k.lower() == "variable_sip_h_x-secret" for k in e), (line, e)
            sw.api(f"uuid_kill {e['Unique-ID']}")
    events.close()


def test_unknown_users_and_wrong_passwords_look_alike(sw):
    """The same answer, and (tests/unit/endpoint_sip/test_register.c) the same work for it."""
    def answer(user):
        first = ask(sw, request("REGISTER", f"c{user}", "127.0.0.1", user=user))
        nonce = re.search('nonce="([^"]+)"', first).group(1)
        realm = re.search('realm="([^"]+)"', first).group(1)
        line = (f'Authorization: Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="sip:{realm}", algorithm=MD5, qop=auth, '
                f'nc=00000001, cnonce="c", response="{"0" * 32}"\r\nContact')
        text = ask(sw, request("REGISTER", f"r{user}", "127.0.0.1", user=user).replace(b"Contact", line.encode()))
        return re.sub(r"(branch|tag)=[^;\r]+|rport=\d+|Call-ID: \S+", "", text.replace(user, "USER"))
    assert answer("1000") == answer("4711")
