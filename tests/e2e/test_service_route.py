"""A gateway's registrar names the proxies for calls (Service-Route, RFC 3608); what is no such list is not followed."""
import socket

import pytest
import tandem as t
from test_gateway import wait_state
from wire import Message, Phone, sdp


class Registrar(Phone):
    def __init__(self, sw):
        super().__init__(sw, "registrar")
        self.s.close()
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]

    def _read(self, timeout):
        self.s.settimeout(timeout)
        data, peer = self.s.recvfrom(65536)
        self.s.connect(peer)
        return Message(data.decode())

    def registered(self, extra):
        req = self.expect(method="REGISTER")
        self.contact = lambda: req.get("Contact")
        self.reply(req, 200, "OK", extra=f"Expires: 600\n{extra}")


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("route") / "instance")
    s.registrar, s.proxy = Registrar(s), Registrar(s)
    (s.root / "conf/sip_profiles/external/sr.xml").write_text(
        '<include><gateway name="sr"><param name="username" value="u"/><param name="password" value="p"/>'
        f'<param name="proxy" value="127.0.0.1:{s.registrar.port}"/></gateway></include>')
    (s.root / "conf/dialplan/default/sr.xml").write_text(
        '<include><extension name="sr"><condition field="destination_number" expression="^94$">'
        '<action application="bridge" data="sofia/gateway/sr/777"/></condition></extension></include>')
    s.start()
    yield s
    s.stop()


def test_calls_go_by_the_service_route(sw, phone):
    one, two = f"<sip:127.0.0.1:{sw.proxy.port};lr>", "<sip:orig@scscf.test;lr>"
    sw.registrar.registered(f"Service-Route: {one}, {two}\n")
    wait_state(sw, "sr", "REGED")
    caller = phone("1000")
    caller.invite("94")
    invite = sw.proxy.expect(method="INVITE")
    assert invite.get("Route").replace(" ", "") == f"{one},{two}" and invite.first.startswith(f"INVITE sip:777@127.0.0.1:{sw.registrar.port}")
    sw.proxy.reply(invite, 200, "OK", sdp(sw.proxy.rtp_port))
    caller.answered()
    caller.bye()
    sw.proxy.expect(method="ACK")
    for bad in ("<sip:broken", '"broken', "<tel:1>", ", ".join(f"<sip:h{i};lr>" for i in range(9)), ""):
        sw.api("sofia profile external register sr")
        sw.registrar.registered(f"Service-Route: {bad}\n" if bad else "")
        wait_state(sw, "sr", "REGED")
        caller.invite("94")
        invite = sw.registrar.expect(method="INVITE")
        assert invite.get("Route") == "", invite.lines
        sw.registrar.reply(invite, 404)
        sw.registrar.expect(method="ACK")
        sw.wait_calls(0)
