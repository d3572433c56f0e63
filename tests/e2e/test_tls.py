"""SIP over TLS: certificates and their policies judged by openssl, phones that register and call over their connection,
certificates read again while connections stand."""
import re
import socket
import ssl
import stat
import threading
import time

import pytest
from phones import Baresip, Linphone
from streams import Authority, StreamPhone, context, make_switch, s_client, subject
from wire import Phone, sdp


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = make_switch(tmp_path_factory.mktemp("tls") / "instance", tcp_unreg_on_socket_close="true").start()
    yield sw
    sw.stop()


@pytest.fixture
def tls_phone(sw, phone):
    def make(user="1000", kind="tls", **kw):
        return phone(user, kind=lambda s, u, **k: StreamPhone(s, u, kind, **k), **kw)
    return make


# ---- certificates ----

def test_own_certificate_at_first_start(sw):
    for name in ("tls.pem", "wss.pem"):
        path = sw.certs / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "BEGIN PRIVATE KEY" in path.read_text() and "BEGIN CERTIFICATE" in path.read_text()
    assert "RSA" in sw.log_text and str(sw.certs / "tls.pem") in sw.log_text
    out = s_client(sw.tls_port, "-CAfile", sw.certs / "tls.pem", "-verify_ip", "127.0.0.1")
    assert "Verify return code: 0 (ok)" in out and "verify error" not in out
    out = s_client(sw.wss_port, "-CAfile", sw.certs / "wss.pem", "-verify_ip", "127.0.0.1")
    assert "Verify return code: 0 (ok)" in out and "Peer signature type: ECDSA" in out


@pytest.mark.parametrize("version,works", [("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_versions(sw, version, works):
    out = s_client(sw.tls_port, version, "-cipher", "ALL:@SECLEVEL=0")
    assert ("BEGIN CERTIFICATE" in out) == works, out


@pytest.mark.parametrize("cipher,works", [("AES256-GCM-SHA384", False), ("ECDHE-RSA-AES256-SHA384", False), ("ADH-AES256-GCM-SHA384", False),
                                          ("ECDHE-RSA-AES128-GCM-SHA256", True), ("ECDHE-RSA-CHACHA20-POLY1305", True)])
def test_ciphers(sw, cipher, works):
    out = s_client(sw.tls_port, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert (f"Cipher is {cipher}" in out) == works, out


def test_renegotiation_is_refused(sw):
    out = s_client(sw.tls_port, "-tls1_2", text="R\n")
    assert "RENEGOTIATING" in out and re.search("no renegotiation|handshake failure", out), out


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_session_is_taken_up_again(sw, version):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    if version == "-tls1_2":
        ctx.maximum_version = ssl.TLSVersion.TLSv1_2
    session = None
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", sw.tls_port)) as s, ctx.wrap_socket(s, session=session) as c:
            c.sendall(b"\r\n\r\n")
            assert c.recv(10) == b"\r\n"  # the ticket of TLS 1.3 came before it
            was_reused, session = c.session_reused, c.session
    assert was_reused


def test_plain_text_is_turned_away(sw):
    deadline = time.monotonic() + 10
    while "that is no TLS" not in sw.log_text:  # a few lines a second are told
        assert time.monotonic() < deadline
        with socket.create_connection(("127.0.0.1", sw.tls_port)) as s:
            s.settimeout(5)
            s.sendall(b"OPTIONS sip:127.0.0.1 SIP/2.0\r\n\r\n")
            assert s.recv(100) == b""


# ---- phones ----

def test_register_and_status(sw, tls_phone):
    p = tls_phone("1000", register=False)
    ok = p.register(extra="User-Agent: Deskphone TLS/1.0\n")
    assert ok.get("Via").startswith("SIP/2.0/TLS ")
    status = sw.api("sofia status profile internal reg 1000")
    assert "Registered(TLS)(unknown)" in status and "Deskphone TLS/1.0" in status, status
    assert f"Port:       \t{p.port}\n" in status
    assert ",tls," in sw.api("show registrations")
    assert f"TLS-URL          \tsip:mod_sofia@127.0.0.1:{sw.tls_port}\n" in sw.api("sofia status profile internal")
    assert "RUNNING (0) (TLS)" in sw.api("sofia status")
    assert f"<tls-url>sip:mod_sofia@127.0.0.1:{sw.tls_port}</tls-url>" in sw.api("sofia xmlstatus profile internal")


@pytest.mark.parametrize("a_kind,b_kind", [("tls", "tls"), ("udp", "tls"), ("tls", "udp")])
def test_call_goes_down_the_connection(sw, phone, tls_phone, a_kind, b_kind):
    make = {"tls": tls_phone, "udp": phone}
    a, b = make[a_kind]("1000"), make[b_kind]("1001")
    a.invite("1001")
    req = b.expect(method="INVITE")
    if b_kind == "tls":
        assert req.get("Via").startswith(f"SIP/2.0/TLS 127.0.0.1:{sw.tls_port};")
        assert f"127.0.0.1:{sw.tls_port};transport=tls" in req.get("Contact")
    b.reply(req, 180, "Ringing")
    a.expect(183)  # the dialplan's ringback
    uuids = [l.split(",")[0] for l in sw.api("show channels").splitlines()[1:3]]
    seen = {sw.api(f"uuid_getvar {u} sip_via_protocol").strip() for u in uuids}
    assert a_kind in seen
    b.reply(req, 200, "OK", sdp(b.rtp_port))
    ok = a.answered()
    if a_kind == "tls":
        assert f"127.0.0.1:{sw.tls_port};transport=tls" in ok.get("Contact")
    b.expect(method="ACK")
    b.enter(req)
    b.own_request("BYE")
    b.expect(200)
    a.reply(a.expect(method="BYE"), 200, "OK")


def test_registration_goes_with_its_connection(sw, tls_phone):
    events = sw.esl()
    events.subscribe("CUSTOM sofia::expire")
    p = tls_phone("1002")
    assert "1002," in sw.api("show registrations")
    p.s.close()
    assert events.wait_event("CUSTOM")["user"] == "1002"
    assert "1002," not in sw.api("show registrations")
    events.close()


def test_sips_uri_has_a_sips_contact(sw, tls_phone):
    p = tls_phone("1003", register=False)
    p.call_id = "sips-call"
    p.request("OPTIONS", f"sips:ping@127.0.0.1:{sw.tls_port}", f"<sips:ping@127.0.0.1:{sw.tls_port}>")
    assert p.expect(200)
    p.uri = f"sips:9196@{sw.domain}"
    p.to = f"<{p.uri}>"
    p.request("INVITE", p.uri, p.to, body=sdp(p.rtp_port))
    challenge = p.expect(407)
    p.ack_failure(challenge)
    p.request("INVITE", p.uri, p.to, body=sdp(p.rtp_port), extra=p.authorization(challenge, "INVITE", p.uri))
    ok = p.answered()
    assert ok.get("Contact").startswith("<sips:"), ok.get("Contact")
    p.bye()


def test_keepalive_and_split_records(sw, tls_phone):
    p = tls_phone("1004")
    p.s.sendall(b"\r\n\r\n")
    p.s.settimeout(5)
    assert p.s.recv(2) == b"\r\n"
    p.cseq += 1
    text = (f"OPTIONS sip:{sw.domain} SIP/2.0\r\nVia: {p.via()}\r\nFrom: <sip:1004@x>;tag=1\r\nTo: <sip:{sw.domain}>\r\nCall-ID: split\r\n"
            "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode()
    for b in text[:40]:
        p.s.sendall(bytes([b]))  # a record each
    p.s.sendall(text[40:] * 1)
    assert p.expect(200)
    # and a thousand records in one go
    p.s.sendall(b"\r\n\r\n" * 2000)
    got = b""
    p.s.settimeout(5)
    while len(got) < 2:
        got += p.s.recv(65536)


# ---- policies, names, reloading ----

@pytest.fixture(scope="module")
def strict(tmp_path_factory, ca):
    """A switch with certificates of the authority that wants them of who connects."""
    sw = make_switch(tmp_path_factory.mktemp("strict") / "instance", tls_verify_policy="subjects_in", tls_verify_in_subjects="good.example|other.example")
    sw.certs.mkdir(exist_ok=True)
    ca.issue("sip.example", sw.certs / "agent.pem", "DNS:sip.example,IP:127.0.0.1")
    ca.issue("wss.example", sw.certs / "wss.pem")
    (sw.certs / "sni").mkdir()
    ca.issue("second.example", sw.certs / "sni/second.example.pem", "DNS:second.example,DNS:*.third.example")
    (sw.certs / "cafile.pem").write_text(ca.cert.read_text())
    sw.start()
    yield sw
    sw.stop()


def pings(sw, **kw):
    """Whether the connection carries a message."""
    try:
        with socket.create_connection(("127.0.0.1", sw.tls_port), 5) as s, context(**kw).wrap_socket(s) as c:
            c.settimeout(5)
            c.sendall(b"\r\n\r\n")
            return c.recv(2) == b"\r\n"
    except (ssl.SSLError, ConnectionError):
        return False


def test_client_certificates(strict, ca, tmp_path):
    stranger = Authority(tmp_path / "stranger", "Stranger")
    assert pings(strict, ca=ca.cert, cert=ca.issue("good.example"))
    assert pings(strict, cert=ca.issue("uri", alt="URI:sip:other.example"))
    assert not pings(strict)
    assert not pings(strict, cert=ca.issue("bad.example"))
    assert not pings(strict, cert=stranger.issue("good.example"))
    assert not pings(strict, cert=ca.issue("good.example", tmp_path / "over.pem", days=-2))
    strict.wait_log("certificate has expired")
    strict.wait_log("none of tls-verify-in-subjects")


class Carrier(threading.Thread):
    """A TLS server that says what the first request is, or None where the handshake failed."""

    def __init__(self, cert):
        super().__init__(daemon=True)
        self.ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ctx.load_cert_chain(cert)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.first = self.listener.getsockname()[1], None
        self.start()

    def run(self):
        try:
            with self.listener, self.listener.accept()[0] as s:
                s.settimeout(10)
                with self.ctx.wrap_socket(s, server_side=True) as c:
                    self.first = c.recv(7) or None
        except (OSError, ssl.SSLError):
            pass


@pytest.fixture(scope="module")
def careful(tmp_path_factory, ca):
    """A switch that wants to see the name it dials in the certificate."""
    sw = make_switch(tmp_path_factory.mktemp("careful") / "instance", tls_verify_policy="subjects_out")
    sw.certs.mkdir(exist_ok=True)
    (sw.certs / "cafile.pem").write_text(ca.cert.read_text())
    sw.start()
    yield sw
    sw.stop()


@pytest.mark.parametrize("host,alt,is_good", [
    ("localhost", "DNS:localhost", True), ("localhost", "DNS:elsewhere.example", False), ("localhost", "IP:127.0.0.1", False),
    ("127.0.0.1", "IP:127.0.0.1", True), ("127.0.0.1", "DNS:elsewhere.example", False)])
def test_the_host_that_was_dialled(careful, ca, tmp_path, host, alt, is_good):
    carrier = Carrier(ca.issue("carrier", tmp_path / "carrier.pem", alt))
    careful.api(f"bgapi originate {{originate_timeout=8}}sofia/internal/sip:x@{host}:{carrier.port};transport=tls &park")
    carrier.join(15)
    assert not carrier.is_alive() and carrier.first == (b"INVITE " if is_good else None)


def test_names_by_sni(strict):
    assert subject(strict.tls_port) == "sip.example"
    assert subject(strict.tls_port, "nobody.example") == "sip.example"
    assert subject(strict.tls_port, "second.example") == "second.example"
    assert subject(strict.tls_port, "a.third.example") == "second.example"
    assert subject(strict.wss_port) == "wss.example"


def test_reloadcert_keeps_connections(strict, ca, tmp_path):
    good = ca.issue("good.example")
    old = socket.create_connection(("127.0.0.1", strict.tls_port), 5)
    old = context(cert=good).wrap_socket(old)
    old.sendall(b"\r\n\r\n")
    assert old.recv(2) == b"\r\n"
    ca.issue("fresh.example", strict.certs / "agent.pem")
    assert strict.api("reloadcert") == "+OK cert reload event sent\n"
    strict.wait_log("the certificates are read again")
    assert subject(strict.tls_port) == "fresh.example"
    old.sendall(b"\r\n\r\n")
    assert old.recv(2) == b"\r\n"
    # what cannot be read leaves what is there
    (strict.certs / "agent.pem").write_text("no certificate\n")
    strict.api("reloadcert")
    strict.wait_log("what it had before stays")
    assert f"certificate {strict.certs}/agent.pem" in strict.log_text
    assert subject(strict.tls_port) == "fresh.example"
    old.sendall(b"\r\n\r\n")
    assert old.recv(2) == b"\r\n"
    old.close()
    ca.issue("sip.example", strict.certs / "agent.pem", "DNS:sip.example,IP:127.0.0.1")
    strict.api("reloadcert")
    strict.wait_log("the certificates are read again", 3)


@pytest.mark.parametrize("change,why", [({"tls_version": "ssl9"}, "tls-version: ssl9 is none of"), ({"tls_ciphers": "NOSUCH"}, "tls-ciphers: NOSUCH"),
                                        ({"tls_verify_policy": "some"}, "tls-verify-policy is none of"), ({"tls_verify_policy": "in"}, "cafile.pem is not there"),
                                        ({"tls_verify_policy": "subjects_in"}, "tls-verify-in-subjects names none")])
def test_bad_configuration_is_told(tmp_path, change, why):
    sw = make_switch(tmp_path / "instance", **change).start()
    try:
        sw.wait_log(why)
        assert sw.api("sofia status").count("(TLS)") == 0
        Phone(sw, "1000").register()  # the rest of the profile works
    finally:
        sw.stop()


def test_tls_only(tmp_path):
    sw = make_switch(tmp_path / "instance", tls_only="true").start()
    try:
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", sw.sip_port), 5)
        p = StreamPhone(sw, "1000")
        p.register()
        p.close()
    finally:
        sw.stop()


def test_profile_restarts_with_its_doors(tmp_path):
    sw = make_switch(tmp_path / "instance").start()
    try:
        sw.api("sofia profile internal restart")
        sw.wait_log(f"TLS on 127.0.0.1:{sw.tls_port}", 2)
        sw.wait_log(f"WSS on 127.0.0.1:{sw.wss_port}", 2)
        for kind in ("tls", "ws", "wss"):
            p = StreamPhone(sw, "1000", kind)
            p.register()
            p.close()
        sw.api("reloadcert")
        sw.api("sofia profile internal stop")  # while they are read
        assert "1 profile" in sw.api("sofia status")
    finally:
        sw.stop()


# ---- real phones ----

class TlsBaresip(Baresip):
    def __init__(self, root, sw, user, **kw):
        self.tls_port = sw.tls_port
        super().__init__(root, sw, user, transport="tls", port=sw.tls_port, **kw)

    def dial(self, number):
        with self.more:
            self.events.clear()
        self.command("dial", f"sip:{number}@127.0.0.1:{self.tls_port};transport=tls")


def test_baresip_and_linphone(sw, tmp_path):
    b = TlsBaresip(tmp_path, sw, "1005")
    li = Linphone(tmp_path, sw, "1006", transport="tls", port=sw.tls_port)
    try:
        regs = sw.api("sofia status profile internal reg")
        assert regs.count("Registered(TLS") == 2, regs
        b.dial("1006")
        li.answer()
        b.wait("CALL_ESTABLISHED")
        li.established()
        rows = sw.api("show channels")
        assert rows.count("sofia/internal/") >= 2
        b.hangup()
        li.ended()
        sw.wait_calls(0)
        li.dial("1005")
        b.answer()
        li.established()
        li.hangup()
        b.wait("CALL_CLOSED")
        sw.wait_calls(0)
    finally:
        b.close()
        li.close()
