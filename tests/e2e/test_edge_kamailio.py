"""Debian's Kamailio in front of the switch, as an edge proxy: phones register through it (Path, RFC 3327; with outbound flows, RFC 5626),
calls both ways go through it (Record-Route, Route), over UDP and TCP, and when it restarts."""
import time

import kamailio
import pytest
import tandem as t
from phones import Baresip, assert_hears
from wire import Phone

CONFIG = """#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=2
tcp_children=2
auto_aliases=no
listen=udp:127.0.0.1:%(port)d
listen=tcp:127.0.0.1:%(port)d
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "path.so"
loadmodule "outbound.so"
loadmodule "textops.so"
loadmodule "siputils.so"
modparam("path", "use_received", 1)
modparam("rr", "append_fromtag", 1)

request_route {
    if (is_method("OPTIONS") && $fU == "probe") { sl_send_reply("200", "OK"); exit; }
    if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
    if (has_totag()) {
        if (!loose_route()) { if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; } sl_send_reply("404", "No Route"); exit; }
        t_relay();
        exit;
    }
    force_rport();
    if (is_method("REGISTER")) {
        add_path_received();
        $du = "sip:127.0.0.1:%(far)d";
        t_relay();
        exit;
    }
    if ($si == "127.0.0.1" && $sp == %(far)d) {  # from the switch: by the Route that it took from Path
        loose_route();
        record_route();
        t_relay();
        exit;
    }
    record_route();
    $du = "sip:127.0.0.1:%(far)d";
    t_relay();
}
"""


class Edge(kamailio.Daemon):
    """Where phones register: as a switch to the phones of wire.py and phones.py."""

    def __init__(self, root, sw):
        self.sw = sw
        self.sip_port, self.domain, self.passwords = t.free_port(count=2), sw.domain, sw.passwords
        super().__init__(root, CONFIG % {"port": self.sip_port, "far": sw.sip_port})
        self.wait_registered = sw.wait_registered

    def start(self):
        super().start(self.sip_port)
        return self


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("edge") / "instance")
    p = s.root / "conf/sip_profiles/internal.xml"
    p.write_text(p.read_text().replace("<settings>", '<settings><param name="timer-T1X64" value="3000"/>'))
    s.start()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def edge(sw, tmp_path_factory):
    if not kamailio.is_here():
        pytest.fail("Debian's kamailio is missing: ./dev test installs it")
    e = Edge(tmp_path_factory.mktemp("kamailio"), sw).start()
    yield e
    if e.proc.poll() is None:
        e.stop()


def row(sw, user):
    return next((l for l in sw.api("show registrations").split("\n") if l.startswith(user + ",")), "")


@pytest.mark.parametrize("tcp", [False, True])
def test_registers_and_is_called_through_it(sw, edge, tcp):
    p = Phone(edge, "1000", tcp=tcp)
    ok = p.register(extra="Supported: path\n")
    path = ok.get("Path")
    assert f"@127.0.0.1:{edge.sip_port};lr" in path or f"<sip:127.0.0.1:{edge.sip_port};lr" in path, path
    assert "fs_path=sip%3A" in row(sw, "1000") and f"{edge.sip_port}" in row(sw, "1000")
    caller = Phone(sw, "1001")
    caller.register()
    caller.invite("1000")
    invite = p.expect(method="INVITE")
    vias = invite.all("Via")
    assert f"127.0.0.1:{edge.sip_port}" in vias[0] and f"127.0.0.1:{sw.sip_port}" in ",".join(vias), vias
    assert f":{edge.sip_port}" in invite.get("Record-Route"), invite.lines
    p.reply(invite, 180)
    p.reply(invite, 200, "OK", p_sdp(p))
    caller.answered()
    p.expect(method="ACK")
    caller.bye()
    bye = p.expect(method="BYE")
    assert f":{edge.sip_port}" in bye.get("Via")
    p.reply(bye, 200)
    sw.wait_calls(0)
    p.register(expires=0)
    p.close(), caller.close()


def p_sdp(p):
    from wire import sdp
    return sdp(p.rtp_port)


def test_calls_out_through_it(sw, edge):
    p, called = Phone(edge, "1002"), Phone(sw, "1003")
    p.register(), called.register()
    p.invite("1003")
    called.take()
    ok = p.answered()
    assert f":{edge.sip_port}" in ok.get("Record-Route")
    called.own_request("BYE")
    p.reply(p.expect(method="BYE"), 200)
    called.expect(200)
    sw.wait_calls(0)
    p.close(), called.close()


def test_flows_through_it(sw, edge):
    """It writes ;ob for a phone that wants outbound: its flow is kept, and calls come by it."""
    p = Phone(edge, "1004")
    p.contact = lambda: (f"<sip:1004@127.0.0.1:{p.port};ob>;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000a95a0e128>\";reg-id=1")
    ok = p.register(extra="Supported: path, outbound\n")
    assert ";ob" in ok.get("Path") and ok.get("Require") == "outbound" and "reg-id=1" in ok.get("Contact"), ok.lines
    caller = Phone(sw, "1005")
    caller.register()
    caller.invite("1004")
    invite = p.expect(method="INVITE")
    p.reply(invite, 486)
    caller.ack_failure(caller.expect(486))
    p.close(), caller.close()


def test_real_phones_behind_it(sw, edge, tmp_path):
    made = [Baresip(tmp_path, edge, "1006", hz=440), Baresip(tmp_path, edge, "1007", hz=850)]
    a, b = made
    try:
        assert "fs_path" in row(sw, "1006")
        a.dial("1007")
        b.answer()
        a.wait("CALL_ESTABLISHED")
        b.wait("CALL_ESTABLISHED")
        time.sleep(2)
        b.hangup()
        a.wait("CALL_CLOSED")
        sw.wait_calls(0)
        assert_hears(a.heard(), 850)
        assert_hears(b.heard(), 440)
    finally:
        for p in made:
            p.close()


def test_it_restarts(sw, edge):
    p = Phone(edge, "1008")
    p.register()
    edge.stop()
    edge.start()
    caller = Phone(sw, "1009")
    caller.register()
    caller.invite("1008")
    p.reply(p.expect(method="INVITE"), 486)
    caller.ack_failure(caller.expect(486))
    p.close(), caller.close()
