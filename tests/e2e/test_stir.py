"""STIR/SHAKEN: calls signed and verified, with certificates that openssl makes and an HTTPS server that is not always kind."""
import base64
import json
import re
import socket
import time

import certs
import pytest
import tandem as t
from wire import Phone, sdp

pytestmark = pytest.mark.leaks

CALLER, CALLED = "12155550100", "12155550199"


class World:
    pass


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    w = World()
    root = tmp_path_factory.mktemp("stir")
    w.ca, w.other = certs.Authority(root / "ca"), certs.Authority(root / "other")
    w.tls = certs.Authority(root / "tls", "tls")
    w.server = certs.HttpsServer(*w.tls.server())
    w.key, good = w.ca.caller("good", spc="709J")
    w.own_key, own = w.ca.caller("own", numbers=[CALLED], ranges=[("12155550100", 10)])
    w.number_key, number = w.ca.caller("number", numbers=["12155559999"])
    w.unlisted_key, unlisted = w.ca.caller("unlisted")
    w.alien_key, alien = w.other.caller("alien", spc="666")
    w.curve_key, curve = w.ca.caller("curve", spc="709J", curve="P-384")
    w.files = w.server.files
    for name, pem in (("good", good), ("own", own), ("number", number), ("unlisted", unlisted), ("alien", alien), ("curve", curve)):
        w.files[f"/{name}.pem"] = pem.read_bytes()
    w.files["/junk.pem"] = b"<html>no certificate</html>"
    w.files["/stall.pem"], w.files["/huge.pem"], w.files["/moved.pem"] = w.server.stall, w.server.huge, w.server.redirect
    (root / "cas").mkdir()
    (root / "cas/ca.pem").write_bytes(w.ca.pem.read_bytes())
    w.cas = root / "cas"
    yield w
    w.server.close()


def configure(sw, w, allow_inside="true"):
    conf = sw.root / "conf"
    sofia = conf / "autoload_configs/sofia.conf.xml"
    params = {"stir-shaken-as-key": w.own_key, "stir-shaken-as-url": w.server.url + "/own.pem", "stir-shaken-vs-ca-dir": w.cas,
              "stir-shaken-vs-tls-ca-file": w.tls.pem, "stir-shaken-vs-allow-inside": allow_inside}
    sofia.write_text(sofia.read_text().replace("</global_settings>", "".join(
        f'<param name="{k}" value="{v}"/>\n' for k, v in params.items()) + "</global_settings>"))
    external = conf / "sip_profiles/external.xml"
    text = external.read_text()
    strict_port = sw.ext_port + 1
    external.write_text(text.replace("<settings>", '<settings>\n<param name="stir-shaken-verify" value="mark"/>\n'
                                     '<param name="stir-shaken-verify-timeout" value="1500"/>\n<param name="caller-id-type" value="pid"/>', 1))
    strict = re.sub(r"<gateways>.*?</gateways>", "", text, flags=re.S).replace('name="external"', 'name="strict"')
    strict = strict.replace("$${external_sip_port}", str(strict_port)).replace(
        "<settings>", '<settings>\n<param name="stir-shaken-verify" value="require"/>', 1)
    (conf / "sip_profiles/strict.xml").write_text(strict)
    (conf / "dialplan/public/stir.xml").write_text(
        '<include>\n<extension name="diverted"><condition field="destination_number" expression="^12155550108$">'
        '<action application="set" data="sip_copy_headers=Identity"/><action application="set" data="hangup_after_bridge=true"/>'
        f'<action application="bridge" data="{{sip_stir_shaken_attest=B}}sofia/external/${{sip_h_X-To}}@127.0.0.1:${{sip_h_X-Port}}"/></condition></extension>\n'
        '<extension name="app"><condition field="destination_number" expression="^12155550777$">'
        '<action application="set" data="sip_stir_shaken_vs_hangup_on_fail=true"/><action application="sofia_stir_shaken_vs"/>'
        '<action application="park"/></condition></extension>\n'
        '<extension name="in"><condition field="destination_number" expression="^1215555[0-9]{4}$">'
        '<action application="bridge" data="user/1001@$${domain}"/></condition></extension>\n</include>\n')
    (conf / "dialplan/default/stir.xml").write_text(
        '<include>\n<extension name="out"><condition field="destination_number" expression="^8([0-9]{11})([0-9]{5})$">'
        f'<action application="set" data="effective_caller_id_number={CALLER}"/>'
        '<action application="bridge" data="{sip_stir_shaken_attest=B}sofia/external/$1@127.0.0.1:$2"/>'
        '</condition></extension>\n</include>\n')
    return strict_port


class Carrier(Phone):
    """A phone at a profile where nobody logs in."""

    def __init__(self, sw, port, user=CALLER):
        class At:
            sip_port, domain = port, "127.0.0.1"
        super().__init__(At, user)

    def call(self, number=CALLED, extra=""):
        self.call_id = f"stir-{time.monotonic_ns()}"
        self.uri = f"sip:{number}@127.0.0.1"
        self.to = f"<{self.uri}>"
        self.request("INVITE", self.uri, self.to, body=sdp(self.rtp_port), extra=extra)
        self.invite_branch, self.invite_cseq = self.last_branch, self.cseq

    def refused(self, code):
        m = self.expect(code)
        self.ack_failure(m)
        return m


@pytest.fixture(scope="module")
def sw(tmp_path_factory, world):
    sw = t.Tandem(tmp_path_factory.mktemp("stir-sw") / "instance")
    sw.strict_port = configure(sw, world)
    sw.start()
    yield sw
    world.server.release.set()
    sw.stop()


def verdict(sw, world, extra, phone, number=CALLED, user=CALLER, port=None, host=None):
    """The call comes to 1001; what was found, and what its phone is told."""
    carrier = Carrier(sw, port or sw.ext_port, user)
    if host:
        carrier.s.close()
        carrier.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        carrier.s.bind((host, 0))
        carrier.s.connect(("127.0.0.1", port or sw.ext_port))
        carrier.port = carrier.s.getsockname()[1]
    callee = phone.callee = getattr(phone, "callee", None) or phone("1001")
    carrier.call(number, extra)
    invite = callee.expect(method="INVITE")
    rows = json.loads(sw.api("show channels as json"))["rows"]
    a = next(r["uuid"] for r in rows if r["direction"] == "inbound")
    got = {name: sw.api(f"uuid_getvar {a} sip_verstat{name}") for name in ("", "_detailed", "_reason", "_attest")}
    callee.reply(invite, 486, "Busy")
    callee.expect(method="ACK")
    carrier.refused(486)
    carrier.close()
    return got, invite


def test_valid_identity_is_told_to_the_called_phone(sw, world, phone):
    got, invite = verdict(sw, world, certs.identity(world.key, world.server.url + "/good.pem", CALLER, CALLED), phone)
    assert got == {"": "TN-Validation-Passed", "_detailed": "TN-Validation-Passed-A", "_reason": "_undef_", "_attest": "A"}
    assert f"sip:{CALLER};verstat=TN-Validation-Passed@" in invite.get("From")
    asserted = invite.get("P-Asserted-Identity") or invite.get("Remote-Party-ID")
    assert f"sip:{CALLER};verstat=TN-Validation-Passed@" in asserted
    assert not invite.get("Identity")


def test_certificate_is_kept(sw, world, phone):
    asked = world.server.asked.count("/own.pem")
    for _ in range(2):
        got, _ = verdict(sw, world, certs.identity(world.own_key, world.server.url + "/own.pem", CALLER, CALLED, attest="C"), phone)
        assert got["_detailed"] == "TN-Validation-Passed-C"
    assert world.server.asked.count("/own.pem") == asked + 1


@pytest.mark.parametrize("why,make", [
    ("the signature is wrong", lambda w, u: certs.identity(w.alien_key, u + "/good.pem", CALLER, CALLED)),
    ("the certificate does not hold", lambda w, u: certs.identity(w.alien_key, u + "/alien.pem", CALLER, CALLED)),
    ("the certificate is not for this number", lambda w, u: certs.identity(w.number_key, u + "/number.pem", CALLER, CALLED)),
    ("the certificate is not for this number", lambda w, u: certs.identity(w.unlisted_key, u + "/unlisted.pem", CALLER, CALLED)),
    ("not of the curve P-256", lambda w, u: certs.identity(w.key, u + "/curve.pem", CALLER, CALLED)),
    ("another caller", lambda w, u: certs.identity(w.key, u + "/good.pem", "12155550111", CALLED)),
    ("another number called", lambda w, u: certs.identity(w.key, u + "/good.pem", CALLER, "12155550111")),
    ("the token is stale", lambda w, u: certs.identity(w.key, u + "/good.pem", CALLER, CALLED, iat=int(time.time()) - 3600)),
    ("the token is stale", lambda w, u: certs.identity(w.key, u + "/good.pem", CALLER, CALLED, iat=int(time.time()) + 3600)),
    ("the Date is stale", lambda w, u: "Date: Thu, 01 Jan 2015 00:00:00 GMT\n" + certs.identity(w.key, u + "/good.pem", CALLER, CALLED)),
    ("alg is not ES256", lambda w, u: certs.identity(w.key, u + "/good.pem", CALLER, CALLED, header={"alg": "none"})),
    ("info and x5u are not the same", lambda w, u: certs.identity(w.key, u + "/good.pem", CALLER, CALLED).replace("info=<", "info=<x")),
    ("cannot be read", lambda w, u: "Identity: \x7f;;;\n"),
    ("not of three parts", lambda w, u: "Identity: abc;info=<https://127.0.0.1/>\n"),
    ("too many Identity", lambda w, u: certs.identity(w.key, u + "/good.pem", CALLER, CALLED) * 6),
    ("the server answers 404", lambda w, u: certs.identity(w.key, u + "/none.pem", CALLER, CALLED)),
    ("the server answers 302", lambda w, u: certs.identity(w.key, u + "/moved.pem", CALLER, CALLED)),
    ("no certificate in PEM", lambda w, u: certs.identity(w.key, u + "/junk.pem", CALLER, CALLED)),
    ("the answer is too long", lambda w, u: certs.identity(w.key, u + "/huge.pem", CALLER, CALLED)),
    ("its address may not be asked", lambda w, u: certs.identity(w.key, u.replace("https", "http") + "/good.pem", CALLER, CALLED)),
    ("its address is none", lambda w, u: certs.identity(w.key, "file:///etc/passwd", CALLER, CALLED)),
    ("did not come in time", lambda w, u: certs.identity(w.key, u + "/stall.pem", CALLER, CALLED)),
])
def test_what_fails(sw, world, phone, why, make):
    got, invite = verdict(sw, world, make(world, world.server.url), phone)
    assert got[""] == "TN-Validation-Failed" and why in got["_reason"], got
    assert ";verstat=TN-Validation-Failed@" in invite.get("From")


def test_nothing_signed(sw, world, phone):
    got, invite = verdict(sw, world, "", phone)
    assert got[""] == "No-TN-Validation"
    assert ";verstat=No-TN-Validation@" in invite.get("From")


def test_a_strangers_verstat_is_cut_off(sw, world, phone):
    got, invite = verdict(sw, world, f"P-Asserted-Identity: <sip:{CALLER};verstat=TN-Validation-Passed@127.0.0.1>\n", phone,
                          user=f"{CALLER};verstat=TN-Validation-Passed")
    assert got[""] == "No-TN-Validation"
    assert "Passed" not in repr(invite.lines)


def test_diversion(sw, world, phone):
    """Signed for another number, which its owner diverted to the one that is called (RFC 8946)."""
    shaken = certs.identity(world.key, world.server.url + "/good.pem", CALLER, "12155550105")
    div = certs.identity(world.own_key, world.server.url + "/own.pem", CALLER, CALLED, ppt="div", claims={"div": {"tn": "12155550105"}})
    assert verdict(sw, world, shaken + div, phone)[0][""] == "TN-Validation-Passed"
    other = certs.identity(world.own_key, world.server.url + "/own.pem", CALLER, CALLED, ppt="div", claims={"div": {"tn": "12155550106"}})
    assert "another number called" in verdict(sw, world, shaken + other, phone)[0]["_reason"]
    forged = certs.identity(world.number_key, world.server.url + "/number.pem", CALLER, CALLED, ppt="div", claims={"div": {"tn": "12155550105"}})
    assert "not for this number" in verdict(sw, world, shaken + forged, phone)[0]["_reason"]


@pytest.mark.parametrize("code,make", [
    (428, lambda w, u: ""),
    (438, lambda w, u: certs.identity(w.alien_key, u + "/good.pem", CALLER, CALLED)),
    (437, lambda w, u: certs.identity(w.alien_key, u + "/alien.pem", CALLER, CALLED)),
    (436, lambda w, u: certs.identity(w.key, u + "/none.pem", CALLER, CALLED)),
    (403, lambda w, u: certs.identity(w.key, u + "/good.pem", CALLER, CALLED, iat=1)),
])
def test_a_strict_profile_refuses(sw, world, code, make):
    carrier = Carrier(sw, sw.strict_port)
    carrier.call(extra=make(world, world.server.url))
    carrier.refused(code)
    carrier.close()


def test_a_strict_profile_lets_the_valid_in(sw, world, phone):
    got, _ = verdict(sw, world, certs.identity(world.key, world.server.url + "/good.pem", CALLER, CALLED), phone, port=sw.strict_port)
    assert got[""] == "TN-Validation-Passed"


def test_cancelled_while_it_waits(sw, world):
    carrier = Carrier(sw, sw.strict_port)
    carrier.call(extra=certs.identity(world.key, world.server.url + "/stall.pem?cancelled", CALLER, CALLED))
    carrier.expect(100)
    carrier.cancel()
    carrier.refused(487)
    carrier.close()
    sw.wait_calls(0)


def test_application(sw, world, parked):
    carrier = Carrier(sw, sw.ext_port)
    carrier.call("12155550777", certs.identity(world.key, world.server.url + "/good.pem", CALLER, "12155550777"))
    assert parked()("sip_verstat_detailed") == "TN-Validation-Passed-A"
    carrier.cancel()
    carrier.refused(487)
    carrier.call("12155550777", certs.identity(world.alien_key, world.server.url + "/good.pem", CALLER, "12155550777"))
    carrier.refused(438)
    carrier.close()


def test_signing(sw, world, phone):
    """What goes out is a PASSporT that openssl verifies, and that comes back in as passed."""
    far, a = Carrier(sw, sw.ext_port, "far"), phone("1000")
    a.invite(f"8{CALLED}{far.port:05}")
    far.s.close()
    far.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    far.s.bind(("127.0.0.1", far.port))
    far.s.settimeout(5)
    data, peer = far.s.recvfrom(65536)
    far.s.connect(peer)
    from wire import Message
    invite = Message(data.decode())
    assert invite.method == "INVITE" and invite.get("Date").endswith("GMT")
    identity = invite.get("Identity")
    token, *params = identity.split(";")
    assert params == [f"info=<{world.server.url}/own.pem>", "alg=ES256", "ppt=shaken"]
    parts = [base64.urlsafe_b64decode(p + "=" * (-len(p) % 4)) for p in token.split(".")]
    assert json.loads(parts[0]) == {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": f"{world.server.url}/own.pem"}
    claims = json.loads(parts[1])
    assert list(claims) == ["attest", "dest", "iat", "orig", "origid"]
    assert claims["attest"] == "B" and claims["dest"] == {"tn": [CALLED]} and claims["orig"] == {"tn": CALLER}
    r, s = (int.from_bytes(parts[2][i:i + 32], "big") for i in (0, 32))
    root = world.ca.root
    conf = root / "sig.cnf"
    conf.write_text(f"asn1=SEQUENCE:s\n[s]\nr=INTEGER:{r:#x}\ns=INTEGER:{s:#x}\n")
    certs.openssl("asn1parse", "-genconf", conf, "-noout", "-out", root / "sig.der")
    (root / "pub.pem").write_bytes(certs.openssl("pkey", "-in", world.own_key, "-pubout"))
    out = certs.openssl("dgst", "-sha256", "-verify", root / "pub.pem", "-signature", root / "sig.der",
                        data=token.rsplit(".", 1)[0].encode())
    assert out.strip() == b"Verified OK"
    far.reply(invite, 486, "Busy")
    far.expect(method="ACK")
    a.expect(486)
    far.close()
    got, _ = verdict(sw, world, f"Date: {invite.get('Date')}\nIdentity: {identity}\n", phone)
    assert got["_detailed"] == "TN-Validation-Passed-B"


def identities(invite):
    return [(h, h.split("ppt=")[1]) for h in invite.all("Identity")]


def diverted(sw, extra, number, user=CALLER):
    """Comes to 12155550108, which sends it on to that number; what goes out."""
    far, carrier = Carrier(sw, sw.ext_port, "far"), Carrier(sw, sw.ext_port, user)
    carrier.call("12155550108", f"X-To: {number}\nX-Port: {far.port}\n{extra}")
    invite = far.expect(method="INVITE")
    far.reply(invite, 486, "Busy")
    far.expect(method="ACK")
    carrier.refused(486)
    far.close()
    carrier.close()
    return invite


def test_a_diverted_call_is_signed_so(sw, world, phone):
    shaken = certs.identity(world.key, world.server.url + "/good.pem", CALLER, "12155550108")
    invite = diverted(sw, shaken, CALLED)
    came, own = identities(invite)
    assert came == (shaken.split(": ", 1)[1].strip(), "shaken") and own[1] == "div"
    claims = json.loads(base64.urlsafe_b64decode(own[0].split(".")[1] + "=="))
    assert list(claims) == ["dest", "div", "iat", "orig"]
    assert (claims["dest"], claims["div"], claims["orig"]) == ({"tn": [CALLED]}, {"tn": "12155550108"}, {"tn": CALLER})
    got, _ = verdict(sw, world, f"Date: {invite.get('Date')}\n" + "".join(f"Identity: {h}\n" for h, _ in (came, own)), phone)
    assert got["_detailed"] == "TN-Validation-Passed-A", got


def test_what_is_not_diverted_or_not_right_is_signed_as_ever(sw, world):
    wrong = certs.identity(world.alien_key, world.server.url + "/good.pem", CALLER, "12155550108")
    right = certs.identity(world.key, world.server.url + "/good.pem", CALLER, "12155550108")
    for extra, number, kinds in ((wrong, CALLED, ["shaken", "shaken"]), (right, "12155550108", ["shaken", "shaken"]),
                                 ("", CALLED, ["shaken"])):
        assert [kind for _, kind in identities(diverted(sw, extra, number))] == kinds, number


def test_a_token_that_was_copied(sw, world, phone):
    """In another call from another host; not the same host's, not for another number, not one that never passed."""
    def token(key=world.key):
        return certs.identity(key, world.server.url + "/good.pem", CALLER, CALLED)
    it, bad = token(), token(world.alien_key)
    for _ in range(2):
        assert verdict(sw, world, it, phone)[0][""] == "TN-Validation-Passed"
    got, invite = verdict(sw, world, it, phone, host="127.0.0.2")
    assert (got[""], got["_reason"]) == ("TN-Validation-Failed", "the token was used in another call")
    assert ";verstat=TN-Validation-Failed@" in invite.get("From")
    assert verdict(sw, world, it, phone)[0][""] == "TN-Validation-Passed"
    thief = Carrier(sw, sw.strict_port)
    thief.s.close()
    thief.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    thief.s.bind(("127.0.0.3", 0))
    thief.s.connect(("127.0.0.1", sw.strict_port))
    thief.port = thief.s.getsockname()[1]
    thief.call(extra=it)
    thief.refused(403)
    thief.close()
    assert "signature" in verdict(sw, world, bad, phone)[0]["_reason"]
    assert "signature" in verdict(sw, world, bad, phone, host="127.0.0.2")[0]["_reason"]


def test_nothing_inside_is_asked(fresh, world):
    """Without leave no certificate is fetched from this machine or a private network, whatever a caller writes."""
    strict_port = configure(fresh, world, "false")
    fresh.start()
    asked = len(world.server.asked)
    for url in (world.server.url, world.server.url.replace("127.0.0.1", "localhost"), "https://10.0.0.1", "https://[::ffff:127.0.0.1]:1"):
        carrier = Carrier(fresh, strict_port)
        carrier.call(extra=certs.identity(world.key, url + "/good.pem", CALLER, CALLED))
        carrier.refused(436)
        carrier.close()
    assert len(world.server.asked) == asked
