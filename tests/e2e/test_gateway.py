"""A gateway to Debian's Kamailio, a registrar with digest and a trunk: registers, calls out, is called, and comes back; and what
gateways are without one."""
import re
import socket
import time
import uuid

import kamailio
import pytest
import tandem as t
from calls import ended
from wire import Phone, sdp

pytestmark = pytest.mark.leaks
REALM = "trunk.test"

CONFIG = """#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=2
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.1:%(port)d
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "min_expires", %(min_expires)d)
modparam("auth", "nonce_expire", 300)

request_route {
    if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
    if (has_totag()) { loose_route(); t_relay(); exit; }
    if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
    if (is_method("REGISTER")) {
        if (!pv_www_authenticate("%(realm)s", "gwsecret", "0")) { www_challenge("%(realm)s", "1"); exit; }
        save("location");
        exit;
    }
    if (!is_method("INVITE")) exit;
    record_route();
    if ($fU == "gwuser") {
        if (!pv_proxy_authenticate("%(realm)s", "gwsecret", "0")) { proxy_challenge("%(realm)s", "1"); exit; }
        consume_credentials();
        $du = "sip:127.0.0.1:%(far)d";
        t_relay();
        exit;
    }
    if (!lookup("location", "sip:gwuser@127.0.0.1")) { sl_send_reply("404", "Not Found"); exit; }
    t_relay();
}
"""


class Kamailio(kamailio.Daemon):
    """Its route: whoever proves to be gwuser is called out to the far phone, everybody else reaches gwuser's contacts."""

    def __init__(self, root, min_expires=5):
        self.sip_port = t.free_port()
        self.domain = "127.0.0.1"
        self.far = Phone(self, "far")
        super().__init__(root, CONFIG % {"port": self.sip_port, "far": self.far.port, "realm": REALM, "min_expires": min_expires})

    def start(self):
        super().start(self.sip_port)
        return self


def gateway(name, port, **params):
    p = {"username": "gwuser", "password": "gwsecret", "proxy": f"127.0.0.1:{port}", "realm": REALM, "from-domain": "127.0.0.1",
         "extension": "auto_to_user", "retry-seconds": "5", "expire-seconds": "600", **params}
    text = "".join(f'<param name="{k.replace("_", "-")}" value="{v}"/>' for k, v in p.items() if v is not None)
    return f'<include>\n<gateway name="{name}">{text}<variables><variable name="in_var" value="one" direction="inbound"/>' \
           f'<variable name="out_var" value="two" direction="outbound"/></variables></gateway>\n</include>\n'


@pytest.fixture(scope="module")
def trunk(tmp_path_factory):
    if not kamailio.is_here():
        pytest.fail("Debian's kamailio is missing: ./dev test installs it")
    k = Kamailio(tmp_path_factory.mktemp("kamailio")).start()
    yield k
    if k.proc.poll() is None:
        k.stop()


@pytest.fixture(scope="module")
def sw(trunk, tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("gateway") / "instance", "conf")
    conf = s.root / "conf"
    external = conf / "sip_profiles/external.xml"
    external.write_text(external.read_text().replace("<settings>", '<settings><param name="timer-T1X64" value="2000"/>'))
    (conf / "sip_profiles/external/gw1.xml").write_text(gateway("gw1", trunk.sip_port, ping=5))
    (conf / "dialplan/default/trunk.xml").write_text(
        '<include>\n<extension name="out"><condition field="destination_number" expression="^0(\\d+)$">'
        '<action application="bridge" data="sofia/gateway/gw1/$1"/></condition></extension>\n</include>\n')
    (conf / "dialplan/public/did.xml").write_text(
        '<include>\n<extension name="did"><condition field="destination_number" expression="^861055551234$">'
        '<action application="set" data="seen=${in_var},${sip_gateway}"/>'
        '<action application="transfer" data="1000 XML default"/></condition></extension>\n</include>\n')
    s.start()
    yield s
    s.stop()


def wait_state(sw, name, state, timeout=20):
    deadline = time.monotonic() + timeout
    while True:
        text = sw.api(f"sofia status gateway {name}")
        if re.search(rf"^State   \t{state}$", text, re.M):
            return text
        assert time.monotonic() < deadline, text
        time.sleep(0.05)


def test_registers(sw, trunk):
    text = wait_state(sw, "gw1", "REGED")
    assert "Status  \tUP" in text and "Username\tgwuser" in text and "Password\tyes" in text
    assert f"Contact \t<sip:gw+gw1@127.0.0.1:{sw.ext_port};transport=udp;gw=gw1>" in text
    row = [l for l in sw.api("sofia status").split("\n") if "external::gw1" in l]
    to = f"sip:gwuser@127.0.0.1:{trunk.sip_port}"
    assert row == [f"{'external::gw1':>25}\tgateway\t{to:>42}\tREGED"]
    listing = sw.api("sofia status gateway").split("\n")
    assert re.fullmatch(rf"{'external::gw1':>25}\t{to:>32}\tREGED\t *\d+\.\d\d\t0/0\t0/0", listing[2]), listing
    assert listing[4].startswith("1 gateway: Inbound(Failed/Total): 0/0,")
    assert "<state>REGED</state>" in sw.api("sofia xmlstatus gateway")
    assert sw.api("sofia profile external gwlist") == "gw1 "
    assert sw.api("sofia_gateway_data gw1 ivar in_var") == "one" and sw.api("sofia_gateway_data gw1 ovar out_var") == "two"


def test_registers_again_when_asked(sw, trunk):
    e = sw.esl()
    e.subscribe("CUSTOM sofia::gateway_state")
    assert sw.api("sofia profile external unregister gw1") == "+OK\n"
    got = e.wait_event("CUSTOM")
    assert (got["Gateway"], got["State"], got["Ping-Status"]) == ("gw1", "DOWN", "DOWN")
    assert sw.api("sofia profile external register gw1") == "+OK\n"
    for state in ("TRYING", "REGISTER", "REGED"):
        got = e.wait_event("CUSTOM", State=state)
        assert got["Event-Subclass"] == "sofia::gateway_state"
        assert state != "REGISTER" or (got["Status"], got["Ping-Status"]) == ("200", "DOWN")
    e.close()
    assert sw.api("sofia profile external register nosuch") == "Invalid gateway!\n"
    assert sw.api("sofia profile external register") == "No gateway name provided!\n"


def test_dials_out(sw, trunk, phone):
    wait_state(sw, "gw1", "REGED")
    a, far = phone("1000"), trunk.far
    a.invite("0123456")
    invite = far.expect(method="INVITE")
    assert invite.first.startswith("INVITE sip:123456@127.0.0.1:"), invite.first
    assert "<sip:gwuser@127.0.0.1>" in invite.get("From"), invite.get("From")
    assert "gw=gw1" in invite.get("Contact")
    far.reply(invite, 180, "Ringing")
    a.expect(180)
    far.reply(invite, 200, "OK", sdp(far.rtp_port))
    far.expect(method="ACK")
    far.enter(invite)
    a.answered()
    uuid_b = [l for l in sw.api("show channels as delim |").split("\n") if "sofia/external/123456" in l][0].split("|")[0]
    assert sw.api(f"uuid_getvar {uuid_b} sip_gateway_name") == "gw1" and sw.api(f"uuid_getvar {uuid_b} out_var") == "two"
    # heard both ways
    for here, there in ((a, far), (far, a)):
        there.media.settimeout(0.02)
        for n in range(200):
            here.media.sendto(bytes((0x80, 0, 0, n, 0, 0, n, 0, 0, 0, 0, 1)) + b"\x2a" * 160, ("127.0.0.1", here.remote_rtp))
            try:
                if there.media.recv(2000)[12:] == b"\x2a" * 160:
                    break
            except TimeoutError:
                pass
        else:
            raise AssertionError("nothing was heard")
    far.own_request("BYE")
    far.expect(200)
    ended(a)
    sw.wait_calls(0)
    assert "CallsOUT\t1" in sw.api("sofia status gateway gw1")


def call_in(trunk, number):
    far = trunk.far
    far.call_id = uuid.uuid4().hex
    far.uri = f"sip:{number}@127.0.0.1:{trunk.sip_port}"
    far.to = f"<{far.uri}>"
    far.request("INVITE", far.uri, far.to, body=sdp(far.rtp_port))


def test_is_called_by_did(sw, trunk, phone):
    wait_state(sw, "gw1", "REGED")
    a, far = phone("1000"), trunk.far
    call_in(trunk, "861055551234")
    a.take()
    far.answered()
    uuid_in = sw.api("show channels as delim |").split("\n")[1].split("|")[0]
    assert sw.api(f"uuid_getvar {uuid_in} seen") == "one,gw1"
    far.bye()
    ended(a)
    sw.wait_calls(0)
    text = sw.api("sofia status gateway gw1")
    assert "CallsIN \t1" in text and "FailedCallsIN\t0" in text


def test_a_number_nobody_has(sw, trunk):
    wait_state(sw, "gw1", "REGED")
    call_in(trunk, "404404")
    trunk.far.ack_failure(trunk.far.expect(404))
    sw.wait_calls(0)


def test_rescan_adds_without_touching_calls(sw, trunk, phone):
    wait_state(sw, "gw1", "REGED")
    a, b = phone("1000"), phone("1001")
    a.invite("1001")
    b.take()
    a.answered()
    path = sw.root / "conf/sip_profiles/external/gw2.xml"
    path.write_text(gateway("gw2", trunk.sip_port, register="false", caller_id_in_from="true", extension="4000"))
    e = sw.esl()
    e.subscribe("CUSTOM sofia::gateway_add sofia::gateway_delete")
    assert sw.api("sofia profile external rescan") == "Reload XML [Success]\n+OK scan complete\n"
    got = e.wait_event("CUSTOM")
    assert (got["Event-Subclass"], got["Gateway"], got["profile-name"]) == ("sofia::gateway_add", "gw2", "external")
    assert "State   \tNOREG" in sw.api("sofia status gateway external::gw2") and "REGED" in sw.api("sofia status gateway gw1")
    assert "2 total." in sw.api("show channels count")
    path.unlink()
    assert sw.api("sofia profile external killgw gw2") == "+OK gateway marked for deletion.\n"
    assert e.wait_event("CUSTOM")["Event-Subclass"] == "sofia::gateway_delete"
    assert sw.api("sofia status gateway gw2") == "Invalid Gateway!\n"
    e.close()
    a.bye()
    ended(b)


def test_no_such_gateway_and_one_that_is_down(sw, trunk):
    assert sw.api("originate sofia/gateway/nosuch/1 &park") == "-ERR INVALID_GATEWAY\n"
    path = sw.root / "conf/sip_profiles/external/gw3.xml"
    path.write_text(gateway("gw3", trunk.sip_port, password="wrong"))
    sw.api("sofia profile external rescan")
    text = wait_state(sw, "gw3", "FAIL_WAIT")
    assert "Status  \tDOWN" in text
    assert sw.api("originate sofia/gateway/gw3/1 &park") == "-ERR GATEWAY_DOWN\n"
    path.unlink()
    sw.api("sofia profile external killgw gw3")


def test_a_strangers_challenge_is_not_answered(sw, trunk):
    """RFC 2617's Digest is given to nobody but the realm it was configured for, and the gateway's own proxy (test_gateway_realm.py)."""
    stranger = Phone(sw, "stranger")
    stranger.s.close()
    stranger.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.s.bind(("127.0.0.1", 0))
    stranger.s.connect(("127.0.0.1", sw.ext_port))
    stranger.port = stranger.s.getsockname()[1]
    path = sw.root / "conf/sip_profiles/external/gw4.xml"
    path.write_text(gateway("gw4", trunk.sip_port, register="false"))
    e = sw.esl()
    e.subscribe("CUSTOM sofia::gateway_invalid_digest_req")
    sw.api("sofia profile external rescan")
    sw.api(f"bgapi originate {{sip_invite_req_uri=sip:1@127.0.0.1:{stranger.port}}}sofia/gateway/gw4/1 &park")
    invite = stranger.expect(method="INVITE")
    stranger.uri, stranger.to = "sip:x@127.0.0.1", invite.get("To")
    stranger.reply(invite, 407, "Who", extra='Proxy-Authenticate: Digest realm="elsewhere.test", nonce="a", algorithm=MD5, qop="auth"\n')
    stranger.expect(method="ACK")
    assert e.wait_event("CUSTOM")["realm"] == "elsewhere.test"
    stranger.expect_nothing("INVITE", 0.3)
    e.close()
    path.unlink()
    sw.api("sofia profile external killgw gw4")
    stranger.close()
    sw.wait_calls(0)


def test_caller_id_in_from_and_a_fixed_extension(sw, trunk, phone):
    """The caller's number in the From; and the other way a fixed extension in the gateway's context."""
    peer = Phone(trunk, "peer")  # no proxy between: the gateway's far side itself
    peer.s.close()
    peer.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.s.bind(("127.0.0.1", 0))
    peer.s.connect(("127.0.0.1", sw.ext_port))
    peer.port = peer.s.getsockname()[1]
    path = sw.root / "conf/sip_profiles/external/gw5.xml"
    path.write_text(gateway("gw5", peer.port, register="false", caller_id_in_from="true", extension="1000", context="default",
                            extension_in_contact="true", contact_params="ob", destination_prefix="99"))
    sw.api("sofia profile external rescan")
    assert "Contact \t<sip:1000@127.0.0.1:%d;ob;transport=udp;gw=gw5>" % sw.ext_port in sw.api("sofia status gateway gw5")
    sw.api("bgapi originate {origination_caller_id_number=4711}sofia/gateway/external::gw5/123 &park")
    invite = peer.expect(method="INVITE")
    assert invite.first.startswith("INVITE sip:99123@127.0.0.1:") and "<sip:4711@127.0.0.1>" in invite.get("From")
    peer.reply(invite, 486, "Busy Here")
    peer.expect(method="ACK")
    sw.wait_calls(0)
    assert "FailedCallsOUT\t1" in sw.api("sofia status gateway gw5")
    a = phone("1000")
    peer.call_id, peer.uri = uuid.uuid4().hex, f"sip:whatever@127.0.0.1:{sw.ext_port};gw=gw5"
    peer.to = f"<{peer.uri}>"
    peer.request("INVITE", peer.uri, peer.to, body=sdp(peer.rtp_port))
    a.take()
    peer.answered()
    peer.bye()
    ended(a)
    path.unlink()
    sw.api("sofia profile external killgw gw5")
    peer.close()


def test_a_gateway_of_a_directory_user(sw, trunk):
    path = sw.root / "conf/directory/default.xml"
    text = path.read_text()
    node = gateway("usergw", trunk.sip_port).replace("<include>\n", "").replace("</include>\n", "").strip()
    path.write_text(text.replace('<user id="1001">', f'<user id="1001"><gateways>{node}</gateways>', 1))
    sw.api("sofia profile external rescan")
    wait_state(sw, "usergw", "REGED")
    path.write_text(text)
    assert sw.api("sofia profile external killgw usergw") == "+OK gateway marked for deletion.\n"
    assert sw.api("sofia profile external rescan") == "Reload XML [Success]\n+OK scan complete\n"
    assert sw.api("sofia status gateway usergw") == "Invalid Gateway!\n"


def test_the_peer_restarts_and_is_found_again(sw, trunk, phone):
    wait_state(sw, "gw1", "REGED")
    trunk.stop()
    text = wait_state(sw, "gw1", "(FAIL_WAIT|TRYING)", timeout=25)
    assert "Status  \tDOWN" in text
    assert sw.api("originate sofia/gateway/gw1/1 &park") == "-ERR GATEWAY_DOWN\n"
    trunk.start()
    assert "Status  \tUP" in wait_state(sw, "gw1", "REGED", timeout=25)
    a, far = phone("1000"), trunk.far
    call_in(trunk, "861055551234")
    a.take()
    far.answered()
    far.bye()
    ended(a)


GOLDEN = ["sofia-status-gateway.txt", "sofia-status-gateway-example-com.txt", "sofia-status-gateway-nosuch.txt",
          "sofia-xmlstatus-gateway.txt", "sofia-gateway-data.txt", "sofia-gateway-data-example-com-ivar-a.txt",
          "sofia-gateway-data-example-com-var-foo.txt", "sofia-profile-external-gwlist.txt", "sofia-status.txt",
          "sofia-profile-internal-gwlist-up.txt", "sofia-profile-internal-rescan.txt"]


@pytest.mark.skipif(not (t.SHARED / "golden").exists(), reason=t.NO_SHARED)
@pytest.mark.parametrize("name", GOLDEN)
def test_recorded_texts(tandem_vanilla, name):
    head, want = (t.SHARED / "golden/api" / name).read_text().split("\n", 1)
    got = tandem_vanilla.api(re.search("-x '(.*)'", head).group(1))

    def masked(text):
        text = text.replace(f":{tandem_vanilla.ext_port}", ":5080").replace(f":{tandem_vanilla.sip_port}", ":5060")
        text = re.sub(r"\t\d+s$", "\tNs", re.sub("usec>\\d+<", "usec>N<", text), flags=re.M)
        text = text.replace("-ERR no reply", "").strip()
        text = re.sub(r"^.*\(WSS?\)\n", "", text, flags=re.M)  # of WebSocket doors theirs has no lines
        return re.sub(" +", " ", text) if name == "sofia-status.txt" else text  # a port of five digits moves its columns
    assert masked(got) == masked(want)
