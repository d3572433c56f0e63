"""A registrar that challenges with another realm than the gateway's configuration names (existing installations have this): answered where
the challenge comes from the gateway's own proxy or registrar, and from nowhere else."""
import hashlib
import re
import socket

import pytest
import tandem as t
from calls import extension
from wire import Phone, sdp

pytestmark = pytest.mark.leaks

USER, SECRET, OTHER = "gwuser", "gwsecret", "its.own.realm"


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def is_right(line, method, realm=OTHER, nonce="n1"):
    """The answer to our challenge was made with the gateway's password."""
    f = dict(re.findall(r'(\w+)="?([^",]+)"?', line))
    ha1 = md5(f"{USER}:{realm}:{SECRET}")
    ha2 = md5(f"{method}:{f['uri']}")
    return f["realm"] == realm and f["response"] == md5(f"{ha1}:{nonce}:{f['nc']}:{f['cnonce']}:auth:{ha2}")


class Far(Phone):
    """Somebody at an address of his own who answers by hand."""

    def __init__(self, sw, name):
        super().__init__(sw, name)
        self.s.close()
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", 0))
        self.s.connect(("127.0.0.1", sw.ext_port))
        self.port = self.s.getsockname()[1]

    def challenge(self, req, realm=OTHER, code=407):
        name = "WWW-Authenticate" if code == 401 else "Proxy-Authenticate"
        self.reply(req, code, "Who", extra=f'{name}: Digest realm="{realm}", nonce="n1", algorithm=MD5, qop="auth"\n')
        if req.method == "INVITE":
            self.expect(method="ACK")

    def redirect(self, req, to):
        self.contact = to.contact
        self.reply(req, 302, "There")
        self.expect(method="ACK")


@pytest.fixture
def far(sw):
    made = []

    def make(name):
        made.append(Far(sw, name))
        return made[-1]
    yield make
    for p in made:
        p.close()


@pytest.fixture
def gateway(sw):
    """gateway(name, port, **parameters): made and loaded; gone at the end."""
    made = []

    def make(name, port, **params):
        p = {"username": USER, "password": SECRET, "proxy": f"127.0.0.1:{port}", "realm": "configured.realm", "register": "false", **params}
        text = "".join(f'<param name="{k.replace("_", "-")}" value="{v}"/>' for k, v in p.items() if v is not None)
        path = sw.root / f"conf/sip_profiles/external/{name}.xml"
        path.write_text(f'<include><gateway name="{name}">{text}</gateway></include>')
        made.append((name, path))
        sw.api("sofia profile external rescan")
    yield make
    for name, path in made:
        path.unlink()
        sw.api(f"sofia profile external killgw {name}")
    sw.api("hupall")
    sw.wait_calls(0)


@pytest.fixture
def refused(sw):
    e = sw.esl()
    e.subscribe("CUSTOM sofia::gateway_invalid_digest_req")
    yield lambda: e.wait_event("CUSTOM")["realm"]
    e.close()


def test_the_registrar(sw, far, gateway):
    r = far("registrar")
    gateway("gr1", r.port, register="true", expire_seconds="600")
    req = r.expect(method="REGISTER")
    r.challenge(req, code=401)
    again = r.expect(method="REGISTER")
    assert is_right(again.get("Authorization"), "REGISTER")
    r.reply(again, 200, "OK", extra="Expires: 600\n")
    deadline_states(sw, "gr1", "REGED")
    # its calls are challenged with that realm as well, and so is their end
    sw.api("bgapi originate sofia/gateway/gr1/1 &park")
    r.challenge(r.expect(method="INVITE"))
    invite = r.expect(method="INVITE")
    assert is_right(invite.get("Proxy-Authorization"), "INVITE")
    r.reply(invite, 200, "OK", sdp(r.rtp_port))
    r.expect(method="ACK")
    sw.api("bgapi hupall")
    r.challenge(r.expect(method="BYE"))
    bye = r.expect(method="BYE")
    assert is_right(bye.get("Proxy-Authorization"), "BYE")
    r.reply(bye, 200, "OK")


def deadline_states(sw, name, state):
    import time
    end = time.monotonic() + 10
    while f"State   \t{state}" not in sw.api(f"sofia status gateway {name}") and state not in sw.api(f"sofia status gateway {name}"):
        assert time.monotonic() < end, sw.api(f"sofia status gateway {name}")
        time.sleep(0.02)


def test_another_registrar_than_the_proxy(sw, far, gateway):
    proxy, registrar = far("proxy"), far("registrar")
    gateway("gr2", proxy.port, register="true", register_proxy=f"127.0.0.1:{registrar.port}")
    registrar.challenge(registrar.expect(method="REGISTER"), code=401)
    assert is_right(registrar.expect(method="REGISTER").get("Authorization"), "REGISTER")


def test_the_proxy_of_its_calls(sw, far, gateway):
    """Of a gateway that does not register."""
    p = far("proxy")
    gateway("gr3", p.port)
    sw.api("bgapi originate sofia/gateway/gr3/1 &park")
    p.challenge(p.expect(method="INVITE"))
    assert is_right(p.expect(method="INVITE").get("Proxy-Authorization"), "INVITE")


def test_a_call_that_names_the_gateway(sw, far, gateway, refused, phone):
    """sip_use_gateway: its account for its realm, whoever is called; not for another realm, and a caller names none."""
    there, proxy = far("there"), far("proxy")
    gateway("gr9", proxy.port)

    def ask(realm, dial, call=None):
        sw.api(f"bgapi originate {dial} &park")
        there.challenge(there.expect(method="INVITE"), realm=realm)
    ask("configured.realm", f"{{sip_use_gateway=gr9}}sofia/external/1@127.0.0.1:{there.port}")
    again = there.expect(method="INVITE")
    assert is_right(again.get("Proxy-Authorization"), "INVITE", realm="configured.realm")
    there.reply(again, 486, "Busy")
    there.expect(method="ACK")
    ask("a.trap", f"{{sip_use_gateway=gr9}}sofia/external/1@127.0.0.1:{there.port}")
    assert refused() == "a.trap"
    a = phone("1000")
    (sw.root / "conf/dialplan/default/gr9.xml").write_text("<include>" + extension(
        "7810(\\d+)", "bridge {sip_use_gateway=${sip_h_X-Gateway}}sofia/external/1@127.0.0.1:$1") + "</include>")
    sw.api("reloadxml")
    a.invite(f"7810{there.port}", extra="X-Gateway: gr9\n")
    there.challenge(there.expect(method="INVITE"), realm="configured.realm")
    a.ack_failure(a.expect(407))
    (sw.root / "conf/dialplan/default/gr9.xml").unlink()
    sw.api("reloadxml")


def test_a_call_that_went_elsewhere(sw, far, gateway, refused):
    """The proxy sends it to somebody else, who asks for a password."""
    p, stranger = far("proxy"), far("stranger")
    gateway("gr4", p.port)
    sw.api("bgapi originate sofia/gateway/gr4/1 &park")
    p.redirect(p.expect(method="INVITE"), stranger)
    stranger.challenge(stranger.expect(method="INVITE"))
    assert refused() == OTHER
    stranger.expect_nothing("INVITE", 0.3)


def test_the_configured_realm_is_answered_there(sw, far, gateway):
    """As ever: it is what the configuration names."""
    p, other = far("proxy"), far("other")
    gateway("gr5", p.port)
    sw.api("bgapi originate sofia/gateway/gr5/1 &park")
    p.redirect(p.expect(method="INVITE"), other)
    other.challenge(other.expect(method="INVITE"), realm="configured.realm")
    assert is_right(other.expect(method="INVITE").get("Proxy-Authorization"), "INVITE", "configured.realm")


def test_an_answer_from_another_address(sw, far, gateway, refused):
    """The response to our INVITE comes from a port that is not the proxy's."""
    p, stranger = far("proxy"), far("stranger")
    gateway("gr6", p.port)
    sw.api("bgapi originate sofia/gateway/gr6/1 &park")
    invite = p.expect(method="INVITE")
    stranger.reply(invite, 407, "Who", extra=f'Proxy-Authenticate: Digest realm="{OTHER}", nonce="n1", algorithm=MD5, qop="auth"\n')
    assert refused() == OTHER
    p.expect_nothing("INVITE", 0.3)


def test_in_the_call_from_whom_it_leads_to(sw, far, gateway, refused):
    """The realm was the proxy's; the phone behind it, to which the BYE goes, is not believed to be in it."""
    p, behind = far("proxy"), far("behind")
    gateway("gr7", p.port)
    sw.api("bgapi originate sofia/gateway/gr7/1 &park")
    p.challenge(p.expect(method="INVITE"))
    invite = p.expect(method="INVITE")
    contact, p.contact = p.contact, behind.contact
    p.reply(invite, 200, "OK", sdp(p.rtp_port))
    p.contact = contact
    behind.expect(method="ACK")
    uuid = [r.split(",")[0] for r in sw.api("show channels").splitlines() if ",outbound," in r][0]
    sw.api(f"uuid_send_info {uuid} hello")
    info = behind.expect(method="INFO")
    behind.challenge(info)
    assert refused() == OTHER
    behind.expect_nothing("INFO", 0.3)
    sw.api("bgapi hupall")
    bye = behind.expect(method="BYE")
    behind.challenge(bye)
    behind.expect_nothing("BYE", 0.3)


def test_a_wrong_password_ends(sw, far, gateway):
    """The same realm again is not answered a second time."""
    p = far("proxy")
    gateway("gr8", p.port)
    sw.api("bgapi originate sofia/gateway/gr8/1 &park")
    p.challenge(p.expect(method="INVITE"))
    p.challenge(p.expect(method="INVITE"))
    p.expect_nothing("INVITE", 0.3)


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("realm") / "instance")
    s.start()
    yield s
    s.stop()
