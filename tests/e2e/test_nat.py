"""Phones and switches behind translators: rport, what is told of our address and when it changes, contacts that are not where packets
come from, keep-alives over streams, and a router that maps ports (UPnP and NAT-PMP)."""
import http.server
import os
import re
import socket
import struct
import subprocess
import threading
import time
import uuid

import dns_server
import pytest
import tandem as t
from test_gateway import wait_state
from wire import Message, Phone, sdp

pytestmark = pytest.mark.leaks

RULES = {"=ext.test": {"A": ["198.51.100.7"], "ttl": 1}}


class Stun:
    """Says what a test wants."""

    def __init__(self, says):
        self.says = says
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", 0))
        self.at = "127.0.0.1:%d" % self.s.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                p, peer = self.s.recvfrom(2000)
            except OSError:
                return
            if not self.says:
                continue
            host = struct.unpack("!I", socket.inet_aton(self.says))[0] ^ 0x2112a442
            self.s.sendto(struct.pack("!HH", 0x101, 12) + p[4:20] + struct.pack("!HHHHI", 0x20, 8, 1, 4000 ^ 0x2112, host), peer)

    def close(self):
        self.s.close()


class Registrar:
    """Takes every REGISTER."""

    def __init__(self):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", 0))
        self.port, self.contacts, self.more = self.s.getsockname()[1], [], threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            data, peer = self.s.recvfrom(65536)
            m = Message(data.decode())
            text = "SIP/2.0 200 OK\r\n" + "".join(f"{n}: {m.get(n)}\r\n" for n in ("Via", "From", "To", "Call-ID", "CSeq", "Contact"))
            self.s.sendto((text + "Expires: 600\r\nContent-Length: 0\r\n\r\n").encode(), peer)
            with self.more:
                self.contacts.append(m.get("Contact"))
                self.more.notify_all()

    def wait_contact(self, part):
        with self.more:
            assert self.more.wait_for(lambda: any(part in c for c in self.contacts), 20), self.contacts


def profile_text(text, name, port, **params):
    text = text.replace('name="internal"', f'name="{name}"').replace('alias="true"', 'alias="false"')
    text = re.sub('"sip-port" value="[^"]*"', f'"sip-port" value="{port}"', text)
    return text.replace("<settings>", "<settings>" + "".join(
        f'<param name="{k.replace("_", "-")}" value="{v}"/>' for k, v in params.items()), 1)


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("nat") / "instance")
    s.stun = Stun("198.51.100.8")
    s.dns = dns_server.use(s, RULES)
    s.registrar = Registrar()
    profiles = s.root / "conf/sip_profiles"
    own = (profiles / "internal.xml").read_text()
    s.ports = {n: t.free_port(count=2) for n in ("ext", "all", "never", "alive")}
    ext = profile_text(own.replace('"localnet.auto"', '"none"'), "ext", s.ports["ext"],
                       ext_sip_ip="host:ext.test", ext_rtp_ip=f"stun:{s.stun.at}", ext_address_refresh=1)
    gateway = ('<gateways><gateway name="trunk"><param name="username" value="u"/><param name="password" value="p"/>'
               f'<param name="proxy" value="127.0.0.1:{s.registrar.port}"/></gateway></gateways>')
    (profiles / "ext.xml").write_text(re.sub(r"<gateways>\s*</gateways>", gateway, ext))
    outside = own.replace('"local-network-acl" value="localnet.auto"', '"local-network-acl" value="none"')
    (profiles / "all.xml").write_text(profile_text(outside, "all", s.ports["all"], NDLB_force_rport="true", aggressive_nat_detection="true",
                                                   **{"NDLB-broken-auth-hash": "true", "NDLB-received-in-nat-reg-contact": "true", "NDLB-expires-in-register-response": "true"}))
    (profiles / "never.xml").write_text(profile_text(own, "never", s.ports["never"], NDLB_force_rport="disabled"))
    (profiles / "alive.xml").write_text(profile_text(own, "alive", s.ports["alive"], tcp_keepalive=150, tcp_pingpong=300,
                                                     tcp_unreg_on_socket_close="true"))
    s.start()
    yield s
    s.stop()
    s.stun.close()
    s.dns.close()


class At:
    """The switch as a phone of that profile sees it."""

    def __init__(self, sw, name):
        self.sip_port, self.domain, self.passwords = sw.ports[name], sw.domain, sw.passwords


def options(sw, name, via_port, rport=False, agent=""):
    """OPTIONS from one socket whose Via names another: which of the two is answered, and the answer's Via."""
    a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for s in (a, b):
        s.bind(("127.0.0.1", 0))
        s.settimeout(0.05)
    named = b.getsockname()[1]
    text = (f"OPTIONS sip:127.0.0.1:{sw.ports[name]} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{named};branch=z9hG4bK{uuid.uuid4().hex}"
            f"{';rport' if rport else ''}\r\nMax-Forwards: 70\r\nFrom: <sip:x@127.0.0.1>;tag=1\r\nTo: <sip:y@127.0.0.1>\r\n"
            f"Call-ID: {uuid.uuid4().hex}\r\nCSeq: 1 OPTIONS\r\n{agent}Content-Length: 0\r\n\r\n")
    a.sendto(text.encode(), ("127.0.0.1", sw.ports[name]))
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:
        for which, s in (("source", a), ("via", b)):
            try:
                return which, Message(s.recv(65536).decode()).get("Via"), a.getsockname()[1]
            except (socket.timeout, TimeoutError):
                pass
    raise AssertionError("no answer")


def test_rport(sw):
    which, via, port = options(sw, "ext", 0)
    assert which == "via" and "rport" not in via, "RFC 3261: where the Via says"
    which, via, port = options(sw, "ext", 0, rport=True)
    assert which == "source" and f"rport={port}" in via and "received=127.0.0.1" in via
    which, via, port = options(sw, "all", 0)
    assert which == "source" and f"rport={port}" in via and "received=127.0.0.1" in via, "NDLB-force-rport"
    which, via, port = options(sw, "never", 0, rport=True)
    assert which == "via" and f"rport={port}" not in via


def test_our_own_rport(sw):
    for name, wanted in (("all", True), ("never", False)):
        p = Phone(At(sw, name), "1000")
        p.register()
        sw.api("sofia profile %s check_sync 1000@127.0.0.1" % name)
        assert ("rport" in p.expect(method="NOTIFY").get("Via")) == wanted
        p.close()


def test_a_phone_behind_a_translator(sw):
    p = Phone(At(sw, "all"), "1001")
    p.contact = lambda: "<sip:1001@192.168.7.7:5062>"
    ok = p.register()
    assert ok.get("Expires") == "300"
    row = next(r for r in sw.api("show registrations").split("\n") if "192.168.7.7" in r)
    assert f";received=127.0.0.1:{p.port};fs_nat=yes;fs_path=sip%3A1001%40127.0.0.1%3A{p.port}" in row, row
    sw.api("sofia profile all check_sync 1001@127.0.0.1")
    assert p.expect(method="NOTIFY").first.startswith("NOTIFY sip:1001@192.168.7.7:5062")
    q = Phone(At(sw, "all"), "1002")  # only its Via differs: aggressive-nat-detection
    q.via = lambda branch=None: f"SIP/2.0/UDP 10.1.2.3:5060;branch={branch or 'z9hG4bK' + uuid.uuid4().hex};rport"
    q.contact = lambda: "<sip:1002@10.1.2.3:5060>"
    q.register()
    assert "UDP-NAT" in sw.api("sofia status profile all reg 1002@127.0.0.1")
    p.close(), q.close()


def test_a_phone_that_hashes_the_wrong_method(sw):
    for name, refused in (("ext", True), ("all", False)):
        p = Phone(At(sw, name), "1007")
        uri, call_id = "sip:1008@127.0.0.1", uuid.uuid4().hex
        extra = "Event: presence\nExpires: 60\n"
        p.request("SUBSCRIBE", uri, f"<{uri}>", call_id, extra=extra)
        challenge = p.expect(407)
        p.request("SUBSCRIBE", uri, f"<{uri}>", call_id, extra=extra + p.authorization(challenge, "INVITE", uri))
        assert (p._read(8).code == 403) == refused, name
        p.close()


def wait_status(sw, pattern, timeout=10):
    deadline = time.monotonic() + timeout
    while not re.search(pattern, sw.api("sofia status profile ext"), re.M):
        assert time.monotonic() < deadline, sw.api("sofia status profile ext")
        time.sleep(0.05)


def test_what_is_told_outside_is_asked_for_and_asked_again(sw):
    esl = sw.esl()
    esl.subscribe("TRAP")
    wait_status(sw, r"^Ext-SIP-IP +\t198\.51\.100\.7$")
    wait_status(sw, r"^Ext-RTP-IP +\t198\.51\.100\.8$")
    assert re.search(rf"^URL +\tsip:mod_sofia@198\.51\.100\.7:{sw.ports['ext']}$", sw.api("sofia status profile ext"), re.M)
    wait_state(sw, "trunk", "REGED")
    sw.registrar.wait_contact("@198.51.100.7:")
    a, b = Phone(At(sw, "ext"), "1003"), Phone(At(sw, "ext"), "1004")
    a.register(), b.register()
    a.invite("1004")
    invite = b.take()
    ok = a.answered()
    for m in (invite, ok):
        assert f"@198.51.100.7:{sw.ports['ext']}" in m.get("Contact") and "c=IN IP4 198.51.100.8" in m.body, m.lines
    assert invite.get("Via").startswith(f"SIP/2.0/UDP 198.51.100.7:{sw.ports['ext']}")
    RULES["=ext.test"] = {"A": ["198.51.100.17"], "ttl": 1}
    sw.stun.says = "198.51.100.18"
    e = esl.wait_event("TRAP", condition="network-external-address-change")
    wait_status(sw, r"^Ext-SIP-IP +\t198\.51\.100\.17$")
    wait_status(sw, r"^Ext-RTP-IP +\t198\.51\.100\.18$")
    assert e["network-external-address-previous"].startswith("198.51.100.")
    sw.registrar.wait_contact("@198.51.100.17:")  # gateways register with what is true now
    a.target = a.target.replace("198.51.100.7", "127.0.0.1")
    a.bye()  # the call goes on meanwhile
    b.reply(b.expect(method="BYE"), 200)
    sw.stun.says = None  # nobody answers: what was known stays
    a.invite("1004")
    assert "c=IN IP4 198.51.100.18" in b.take().body
    a.answered()
    sw.api("hupall")
    sw.wait_calls(0)
    esl.close(), a.close(), b.close()


def test_who_is_on_our_network_is_told_the_local_address(tmp_path):
    s = t.Tandem(tmp_path / "instance")
    p = s.root / "conf/sip_profiles/internal.xml"
    acl = s.root / "conf/autoload_configs/acl.conf.xml"
    acl.write_text(acl.read_text().replace("<network-lists>", '<network-lists><list name="mine" default="deny">'
                                           '<node type="allow" cidr="127.0.0.1/32"/></list>'))
    p.write_text(p.read_text().replace('"local-network-acl" value="localnet.auto"', '"local-network-acl" value="mine"').replace(
        "<settings>", '<settings><param name="ext-sip-ip" value="198.51.100.7"/><param name="ext-rtp-ip" value="198.51.100.8"/>'))
    s.start()
    a = Phone(s, "1000")
    a.register()
    a.invite("9196")
    ok = a.answered()
    assert f"@127.0.0.1:{s.sip_port}" in ok.get("Contact") and "c=IN IP4 127.0.0.1" in ok.body, ok.lines
    a.bye()
    a.close()
    s.stop()


def test_streams_are_kept_alive(sw):
    p = Phone(At(sw, "alive"), "1005", tcp=True)
    p.register()
    p.s.settimeout(5)
    for _ in range(3):
        assert p.s.recv(100) == b"\r\n\r\n"
        p.s.sendall(b"\r\n")
    assert "1005," in sw.api("show registrations")
    while True:  # who does not answer is closed, and gone (tcp-unreg-on-socket-close)
        data = p.s.recv(100)
        if not data:
            break
        assert data == b"\r\n\r\n"
    deadline = time.monotonic() + 8
    while "1005," in sw.api("show registrations"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    p.close()


# ---- a router, in a network of the test's own ----

class Router(threading.Thread):
    """In the namespace of the tests' process: UPnP and NAT-PMP on that address."""

    def __init__(self, host, upnp):
        super().__init__(daemon=True)
        self.host, self.mapped, self.leases = host, {}, {}
        if upnp:
            self._upnp()
        else:
            self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.s.bind((host, 5351))
        self.start()

    def _upnp(self):
        router = self

        class Web(http.server.BaseHTTPRequestHandler):
            def log_message(self, *a):
                pass

            def answer(self, text, code=200):
                body = text.encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", "text/xml")
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                kind = "urn:schemas-upnp-org:%s:1"
                self.answer(f'<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceType>'
                            f'{kind % "device:InternetGatewayDevice"}</deviceType><deviceList><device><deviceType>{kind % "device:WANDevice"}'
                            f'</deviceType><serviceList><service><serviceType>{kind % "service:WANCommonInterfaceConfig"}</serviceType>'
                            f'<serviceId>urn:c</serviceId><controlURL>/cic</controlURL><eventSubURL>/e</eventSubURL><SCPDURL>/s</SCPDURL>'
                            f'</service></serviceList><deviceList><device><deviceType>{kind % "device:WANConnectionDevice"}</deviceType><serviceList>'
                            f'<service><serviceType>{kind % "service:WANIPConnection"}</serviceType><serviceId>urn:x</serviceId>'
                            f'<controlURL>/ctl</controlURL><eventSubURL>/evt</eventSubURL><SCPDURL>/scpd</SCPDURL></service></serviceList>'
                            f'</device></deviceList></device></deviceList></device></root>')

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                action = re.search(r"<u:(\w+)", body).group(1)
                value = lambda n: (re.search(f"<{n}>([^<]*)", body) or [0, ""])[1]  # noqa: E731
                key = (value("NewExternalPort"), value("NewProtocol"))
                out = ""
                if action == "GetStatusInfo":
                    out = "<NewConnectionStatus>Connected</NewConnectionStatus><NewUptime>9</NewUptime>"
                elif action == "GetExternalIPAddress":
                    out = "<NewExternalIPAddress>203.0.113.9</NewExternalIPAddress>"
                elif action == "AddPortMapping":
                    router.mapped[key] = value("NewInternalClient") + ":" + value("NewInternalPort")
                elif action == "DeletePortMapping":
                    router.mapped.pop(key, None)
                self.answer(f'<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
                            f'<u:{action}Response xmlns:u="urn:x">{out}</u:{action}Response></s:Body></s:Envelope>')

        self.web = http.server.ThreadingHTTPServer((self.host, 0), Web)
        threading.Thread(target=self.web.serve_forever, daemon=True).start()
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind(("", 1900))
        self.s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.255.255.250") + socket.inet_aton(self.host))

    def run(self):
        try:
            while True:
                self.answer(*self.s.recvfrom(2000))
        except OSError:
            pass  # closed

    def answer(self, p, peer):
        if p.startswith(b"M-SEARCH"):
            kind = re.search(rb"ST: *(\S+)", p).group(1).decode()
            self.s.sendto((f"HTTP/1.1 200 OK\r\nST: {kind}\r\nUSN: uuid:1::{kind}\r\nCACHE-CONTROL: max-age=60\r\n"
                           f"LOCATION: http://{self.host}:{self.web.server_port}/d.xml\r\n\r\n").encode(), peer)
        elif p == b"\0\0":
            self.s.sendto(struct.pack("!BBHI", 0, 128, 0, 1) + socket.inet_aton("203.0.113.9"), peer)
        elif len(p) == 12:
            _, op, _, inner, outer, lease = struct.unpack("!BBHHHI", p)
            key = (str(inner), "UDP" if op == 1 else "TCP")
            if lease:
                self.mapped[key] = f"{peer[0]}:{inner}"
            else:
                self.mapped.pop(key, None)
            self.s.sendto(struct.pack("!BBHIHHI", 0, 128 + op, 0, 2, inner, outer, lease), peer)

    def close(self):
        self.s.close()
        if hasattr(self, "web"):
            self.web.shutdown()


@pytest.fixture
def network():
    """A namespace of a switch behind the router at 10.77.0.1: a command that enters it. It ends with the process that holds it."""
    own = os.readlink("/proc/self/ns/net")
    holder = subprocess.Popen(["unshare", "-n", "sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 5
        while holder.poll() is None and os.readlink(f"/proc/{holder.pid}/ns/net") == own and time.monotonic() < deadline:
            time.sleep(0.01)
        enter = ["nsenter", "-t", str(holder.pid), "-n"]
        steps = [["ip", "link", "add", "nat0", "type", "veth", "peer", "name", "nat1", "netns", str(holder.pid)],
                 ["ip", "addr", "add", "10.77.0.1/24", "dev", "nat0"], ["ip", "link", "set", "nat0", "up"],
                 enter + ["ip", "addr", "add", "10.77.0.2/24", "dev", "nat1"], enter + ["ip", "link", "set", "nat1", "up"],
                 enter + ["ip", "link", "set", "lo", "up"], enter + ["ip", "route", "add", "default", "via", "10.77.0.1"]]
        if holder.poll() is not None or not all(subprocess.run(s, capture_output=True).returncode == 0 for s in steps):
            pytest.skip("a network namespace cannot be made here")
        yield enter
    finally:
        holder.kill()
        holder.wait()


class Behind(t.Tandem):
    """A switch in that namespace, with its look for a router; its socket of events by the bridge between the two."""

    def __init__(self, root, enter):
        super().__init__(root)
        self.env["TANDEM_IP"] = "10.77.0.2"
        p = self.root / "conf/sip_profiles/internal.xml"
        p.write_text(p.read_text().replace("<settings>", '<settings><param name="ext-sip-ip" value="auto-nat"/>'
                                           '<param name="ext-rtp-ip" value="auto-nat"/><param name="ext-address-refresh" value="1"/>'))
        script = self.root / "behind"
        script.write_text(f'#!/bin/sh\nfor a; do shift; [ "$a" = -nonat ] || set -- "$@" "$a"; done\n'
                          f'exec {" ".join(enter)} "{self.binary}" "$@"\n')
        script.chmod(0o755)
        self.binary = script
        self.enter = enter

    def cli(self, command):
        out = subprocess.run(self.enter + [t.BUILD / "tandem-cli", "-H", "127.0.0.1", "-P", str(self.esl_port),
                              "-p", self.esl_password, "-x", command], capture_output=True, text=True, timeout=30)
        return out.stdout


@pytest.mark.parametrize("kind", ["UPNP", "NAT-PMP"])
def test_a_router_maps_ports(network, tmp_path, kind):
    router = Router("10.77.0.1", kind == "UPNP")
    sw = Behind(tmp_path / "instance", network)
    log = open(tmp_path / "out", "wb")
    proc = subprocess.Popen([sw.binary, "-nf", "-base", str(sw.root)], env=sw.env, cwd=sw.root, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        def until(command, fits, timeout=20):
            deadline = time.monotonic() + timeout
            while True:
                text = sw.cli(command)
                if fits(text):
                    return text
                assert time.monotonic() < deadline and proc.poll() is None, (command, text, (tmp_path / "out").read_text()[-2000:])
                time.sleep(0.1)
        text = until("nat_map status", lambda x: x.startswith("Nat Type"))
        assert text.startswith(f"Nat Type: {kind}, ExtIP: 203.0.113.9\n"), text
        until("sofia status profile internal", lambda x: re.search(r"^Ext-SIP-IP +\t203\.0\.113\.9$", x, re.M)
              and re.search(r"^Ext-RTP-IP +\t203\.0\.113\.9$", x, re.M))
        until("show nat_map", lambda x: f"{sw.sip_port},udp,0,1" in x and f"{sw.sip_port},tcp,1,1" in x)
        assert sw.cli("nat_map add 5099 udp").strip() == "true"
        assert router.mapped[("5099", "UDP")] == "10.77.0.2:5099" and router.mapped[(str(sw.sip_port), "TCP")] == f"10.77.0.2:{sw.sip_port}"
        assert "5099,udp,0,0" in sw.cli("nat_map status")
        router.mapped.clear()
        assert sw.cli("nat_map republish").strip() == "true"
        until("nat_map", lambda x: ("5099", "UDP") in router.mapped)
        assert sw.cli("nat_map del 5099 udp").strip() == "true" and ("5099", "UDP") not in router.mapped
        assert sw.cli("nat_map del 5099 udp").strip() == "false" and sw.cli("nat_map add 99999 udp").strip() == "false"
        router.mapped.clear()
        assert sw.cli("nat_map reinit").strip() == "true"
        until("nat_map", lambda x: (str(sw.sip_port), "UDP") in router.mapped and (str(sw.sip_port), "TCP") in router.mapped)
        sw.cli("sofia profile internal stop")  # and its ports are closed again
        until("show nat_map", lambda x: str(sw.sip_port) not in x and not router.mapped)
    finally:
        router.close()
        proc.terminate()
        proc.wait(20)
        log.close()


def test_without_a_router_all_is_false(sw):
    for command in ("nat_map", "nat_map status", "nat_map add 5060 udp", "nat_map reinit", "nat_map republish"):
        assert sw.api(command) == "false", command
    assert sw.api("show nat_map") == "\n0 total.\n"
