"""Debian's Kamailio as a peer over TLS and WebSocket: gateways register there and call over it, it sends to us; both sides look at
each other's certificates."""
import re
import time

import kamailio
import pytest
from streams import Authority, make_switch, params
from tandem import free_port
from wire import Phone

CONFIG = """#!KAMAILIO
debug=2
log_stderror=yes
children=1
tcp_children=2
disable_core_dump=yes
enable_tls=yes
tcp_accept_no_cl=yes
listen=tls:127.0.0.1:{tls}
listen=tcp:127.0.0.1:{ws}
listen=udp:127.0.0.1:{udp}
loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xhttp.so"
loadmodule "websocket.so"
loadmodule "nathelper.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "maxfwd.so"
modparam("tls", "config", "{dir}/tls.cfg")
modparam("usrloc", "db_mode", 0)
modparam("registrar", "received_avp", "$avp(rcv)")
modparam("nathelper", "received_avp", "$avp(rcv)")
request_route {{
    force_rport();
    if (is_method("ACK")) exit;
    if (is_method("REGISTER")) {{
        fix_nated_register();
        save("location");
        exit;
    }}
    if (is_method("INVITE")) {{
        append_to_reply("X-Transport: $proto\\r\\n");
        sl_send_reply("486", "Busy Here");
        exit;
    }}
    if ($rU == "door") $du = "sip:127.0.0.1:{tandem_tls};transport=tls";
    else if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
    t_relay();
}}
event_route[xhttp:request] {{
    if ($hdr(Upgrade) =~ "websocket" && ws_handle_handshake()) exit;
    xhttp_reply("404", "Not Found", "", "");
}}
"""


class Kamailio(kamailio.Daemon):
    def __init__(self, folder, ca, tandem_tls):
        self.dir = folder
        self.dir.mkdir()
        self.tls, self.ws, self.udp = free_port(), free_port(), free_port()
        cert = ca.issue("kamailio.example", self.dir / "cert.pem", "DNS:kamailio.example,IP:127.0.0.1")
        common = f"method = TLSv1.2+\ncertificate = {cert}\nprivate_key = {cert}\nca_list = {ca.cert}\nverify_certificate = yes\nrequire_certificate = yes\n"
        (self.dir / "tls.cfg").write_text(f"[server:default]\n{common}[client:default]\n{common}")
        super().__init__(self.dir, CONFIG.format(tls=self.tls, ws=self.ws, udp=self.udp, dir=self.dir, tandem_tls=tandem_tls), shared_mb=64, own_mb=8)
        self.start()


@pytest.fixture(scope="module")
def peers(tmp_path_factory):
    if not kamailio.is_here():
        pytest.skip("kamailio is not installed")
    root = tmp_path_factory.mktemp("kamailio")
    ca = Authority(root / "ca")
    sw = make_switch(root / "instance", profile="external", tls_verify_policy="all")
    kam = Kamailio(root / "kam", ca, sw.tls_port)
    sw.certs.mkdir(exist_ok=True)
    ca.issue("sip.example", sw.certs / "agent.pem", "DNS:sip.example,IP:127.0.0.1")
    ca.issue("wss.example", sw.certs / "wss.pem")
    (sw.certs / "cafile.pem").write_text(ca.cert.read_text())

    def gateway(name, port, transport):
        return (f'<gateway name="{name}">' + params(username=name, password="x", proxy=f"127.0.0.1:{port}", register="true", register_transport=transport,
                                                    retry_seconds="5") + "</gateway>")
    (sw.root / "conf/sip_profiles/external/kamailio.xml").write_text(
        f"<include>{gateway('kamtls', kam.tls, 'tls')}{gateway('kamws', kam.ws, 'ws')}</include>")
    (sw.root / "conf/dialplan/default/kamailio.xml").write_text(
        '<include><extension name="kamailio"><condition field="destination_number" expression="^7(tls|ws)$">'
        '<action application="bridge" data="sofia/gateway/kam$1/busy"/></condition></extension></include>')
    sw.start()
    yield sw, kam
    sw.stop()
    kam.stop()


def wait_state(sw, name, want="REGED", timeout=20):
    deadline = time.monotonic() + timeout
    while True:
        text = sw.api(f"sofia status gateway {name}")
        if re.search(rf"State\s+{want}\b", text):
            return text
        assert time.monotonic() < deadline, text
        time.sleep(0.05)


@pytest.mark.parametrize("kind", ["tls", "ws"])
def test_gateway_registers_and_calls(peers, kind):
    sw, kam = peers
    text = wait_state(sw, f"kam{kind}")
    assert f"transport={kind}" in text, text
    events = sw.esl()
    events.subscribe("CHANNEL_HANGUP_COMPLETE")
    a = Phone(sw, "1000")
    a.register()
    a.invite(f"7{kind}")
    got = a.expect(486)
    a.ack_failure(got)
    assert "USER_BUSY" in got.get("Reason"), got.lines
    b = events.wait_event("CHANNEL_HANGUP_COMPLETE", Call_Direction="outbound")
    assert b["variable_sip_rh_X-Transport"] == kind, [k for k in b if "ransport" in k]
    events.close()
    a.close()


def test_kamailio_sends_to_us_over_tls(peers):
    sw, kam = peers
    wait_state(sw, "kamtls")
    p = Phone(sw, "1001")
    p.s.connect(("127.0.0.1", kam.udp))
    p.call_id = "through"
    p.request("OPTIONS", f"sip:door@127.0.0.1:{kam.udp}", f"<sip:door@127.0.0.1:{kam.udp}>")
    assert p.expect(200).get("Allow")
    p.close()


@pytest.mark.parametrize("kind", ["tls", "ws"])
def test_kamailio_finds_us_by_our_registration(peers, kind):
    """Over the connection that we opened: a WebSocket client cannot be connected to."""
    sw, kam = peers
    wait_state(sw, f"kam{kind}")
    p = Phone(sw, "1001")
    p.s.connect(("127.0.0.1", kam.udp))
    p.call_id = f"found-{kind}"
    p.request("OPTIONS", f"sip:kam{kind}@127.0.0.1:{kam.udp}", f"<sip:kam{kind}@127.0.0.1:{kam.udp}>")
    assert p.expect(200).get("Allow"), kam.text()[-3000:]
    p.close()
