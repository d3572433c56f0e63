"""TURN servers that a domain names (RFC 5928): NAPTR and SRV records, the next place when one is dead, the certificate for the domain all the
same; domains without such records, and those that say that they have none. And DTLS, by such records and by name."""
import re
import socket
import threading

import dns_server
import pytest
from calls import extension, write_extensions
from certs import Authority
from coturn import Coturn, networks  # noqa: F401 (a fixture)
from test_ice import offer, talk
from test_turn import FarPeer, relayed
from trunk import Trunk, add_profile

pytestmark = pytest.mark.leaks

SILENT_S = 60  # a server that says nothing over UDP is given up after some 24 s
UDP, TCP, TLS, DTLS = "_turn._udp.", "_turn._tcp.", "_turns._tcp.", "_turns._udp."


class Lossy:
    """Between the switch and the server, over UDP: of each connection the first datagram of either side is lost, and an empty
    one goes before each of the server's."""

    def __init__(self, host, to):
        self.s, self.to, self.ways = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), to, {}
        self.s.bind((host, 0))
        self.host, self.port = self.s.getsockname()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        lost = {}
        while True:
            try:
                data, peer = self.s.recvfrom(4000)
            except OSError:
                return
            if peer not in self.ways:
                self.ways[peer] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self.ways[peer].connect(self.to)
                threading.Thread(target=self._back, args=(peer,), daemon=True).start()
            lost[peer] = lost.get(peer, 0) + 1
            if lost[peer] > 1:
                self.ways[peer].send(data)

    def _back(self, peer):
        count = 0
        while True:
            try:
                data = self.ways[peer].recv(4000)
            except OSError:
                return
            count += 1
            self.s.sendto(b"", peer)
            if count > 1:
                self.s.sendto(data, peer)

    def close(self):
        for s in (self.s, *self.ways.values()):
            s.close()


def rules(at, dead):
    """What the name server says. at, dead: addresses with a server, and without one."""
    def srv(*targets):
        return {"SRV": list(targets)}

    def naptr(*rows):
        return {"NAPTR": list(rows)}
    on, off = (10, 0, Coturn.PORT, "on.test"), (5, 0, 9, "off.test")
    return {
        "on.test": {"A": [at]}, "off.test": {"A": [dead]}, "lossy.test": {"A": [dead]},
        # SRV of each transport
        UDP + "one.test": srv(on), "one.test": {},
        TCP + "two.test": srv(on), "two.test": {},
        UDP + "both.test": srv((10, 0, 9, "off.test")), TCP + "both.test": srv(on), "both.test": {},
        UDP + "said.test": srv(off), TCP + "said.test": srv(on), "said.test": naptr((1, 1, "s", "RELAY:turn.udp", UDP + "said.test")),
        TLS + "safe.test": srv((10, 0, Coturn.TLS_PORT, "on.test")), "safe.test": {},
        TLS + "other.test": srv((10, 0, Coturn.TLS_PORT, "on.test")), "other.test": {},
        DTLS + "quick.test": srv((10, 0, Coturn.TLS_PORT, "on.test")), "quick.test": naptr((1, 1, "s", "RELAY:turn.dtls", DTLS + "quick.test")),
        # by priority; what has no address is passed over
        UDP + "many.test": srv(on, off, (7, 0, 9, "nowhere.test")), "many.test": {},
        # NAPTR: by order and preference; of others' services nothing; a host; on to another domain, which leads back here
        UDP + "order.test": srv(on), TCP + "order.test": srv(on),
        "order.test": naptr((20, 1, "s", "RELAY:turn.udp", UDP + "order.test"), (10, 2, "s", "RELAY:turn.tcp", TCP + "order.test"),
                            (10, 1, "s", "RELAY:turn.tls:turn.sctp", TLS + "order.test"), (1, 1, "s", "SIP+D2U", "_sip._udp.order.test")),
        "host.test": naptr((1, 1, "a", "RELAY:turn.tcp:turn.udp", "on.test")),
        "first.test": naptr((1, 1, "", "RELAY:turn.tcp", "next.test")),
        "next.test": naptr((1, 1, "", "RELAY:turn.tcp", "next.test"), (2, 1, "s", "RELAY:turn.tcp", TCP + "order.test")),
        # nothing of it
        "plain.test": {"A": [at]},
        UDP + "none.test": srv((0, 0, 0, "")), "none.test": {"A": [at]},
        "port.test": {"A": [at], "SRV": [off]},
    }


@pytest.fixture(scope="module")
def sw(tmp_path_factory, networks):
    import tandem as t
    far, server = networks
    ca = Authority(tmp_path_factory.mktemp("ca"))
    turn = Coturn(tmp_path_factory.mktemp("coturn"), server, tls=ca.issue("turn", "subjectAltName=DNS:safe.test,DNS:quick.test,DNS:lossy.test,DNS:on.test\n"),
                  has_dtls=True)
    s_lossy = Lossy(far.here, (server.address, Coturn.TLS_PORT))
    s = t.Tandem(tmp_path_factory.mktemp("turn") / "instance")
    s.turn = turn
    s.dns = dns_server.use(s, rules(server.address, far.here))
    common = {"rtp_ip": far.here, "apply_candidate_acl": "rfc1918.auto", "turn_username": Coturn.USER, "turn_password": Coturn.PASSWORD,
              "turn_ready": 1, "turn_ca_file": str(ca.pem)}
    for name in ("one", "two", "both", "said", "many", "order", "host", "first", "plain", "none"):
        add_profile(s, name, turn_server=f"{name}.test", **common)
    s.lossy = s_lossy
    s.at_dtls = add_profile(s, "dtls", turn_server=f"turns:on.test:{Coturn.TLS_PORT}?transport=udp", **common)
    add_profile(s, "quick", turn_server="turns:quick.test", **common)
    add_profile(s, "mistaken", turn_server=f"turns:{server.address}:{Coturn.TLS_PORT}?transport=udp", **common)
    add_profile(s, "refused", turn_server=f"turns:{far.here}:9?transport=udp", **common)
    add_profile(s, "lossy", turn_server=f"turns:lossy.test:{s.lossy.port}?transport=udp", **common)
    s.at_one = add_profile(s, "called", turn_server="turn:ONE.test", **common)
    add_profile(s, "asked", turn_server="turn:order.test?transport=udp", **common)
    add_profile(s, "port", turn_server=f"turn:port.test:{Coturn.PORT}", **common)
    add_profile(s, "safe", turn_server="turns:safe.test", **common)
    add_profile(s, "other", turn_server="turns:other.test", **common)
    write_extensions(s, [extension("7800", "answer", "echo")])
    s.start()
    yield s
    s.stop()
    s.dns.close()
    s.lossy.close()
    turn.close()


@pytest.mark.parametrize("domain,over", [("one", "UDP"), ("two", "TCP"), ("both", "TCP"), ("said", "UDP|TCP"), ("many", "UDP"), ("order", "TCP"),
                                         ("host", "TCP"), ("first", "TCP"), ("plain", "UDP"), ("safe", "TLS"), ("port", "UDP"),
                                         ("quick", "DTLS")])
def test_found(sw, domain, over):
    if domain == "said":  # who says where it is means no other way, and that one is dead
        sw.wait_log(re.compile(r"TURN server said\.test: off\.test: .*; offers have no relayed candidate meanwhile"), timeout=SILENT_S)
        assert "TURN server said.test gives" not in sw.log_text
        return
    sw.wait_log(re.compile(rf"TURN server {domain}\.test gives relayed addresses, {re.escape(sw.turn.address)}:\d+, over {over}"), timeout=SILENT_S)


def test_a_transport_that_is_asked_for(sw):
    sw.wait_log(re.compile(r"TURN server order\.test gives relayed addresses, \S+, over UDP"))


def test_the_next_place(sw):
    """Those that are dead are told of; who says nothing else is asked nothing else."""
    for text in ("both.test: off.test: ", "many.test: off.test: ", "many.test: nowhere.test: "):
        sw.wait_log(re.compile(rf"TURN server {re.escape(text)}.*; another of its places is tried"), timeout=SILENT_S)
    asked = sw.dns.names()
    assert TCP + "one.test" in asked  # all transports are, where it does not say which
    assert not {n for n in asked if n.endswith("port.test") and n != "port.test"}
    assert not {n for n in asked if n in (UDP + "safe.test", TCP + "safe.test", UDP + "host.test")}


def test_a_domain_that_has_none(sw):
    sw.wait_log("TURN server none.test: the domain says that it has none; offers have no relayed candidate meanwhile")


def test_the_certificate_is_for_the_domain(sw):
    """Not for where its records lead to: anybody can have a certificate for that."""
    sw.wait_log(re.compile(r"TURN server other\.test: on\.test: TLS: .*mismatch.*; offers"))


def test_dtls_of_others(sw):
    """A certificate of another name, and nobody there; and one to whom not every datagram comes."""
    sw.wait_log(re.compile(rf"TURN server {re.escape(sw.turn.address)}: TLS: IP address mismatch; offers"))
    sw.wait_log(re.compile(r"TURN server \S+: TLS: the connection broke; offers"))
    sw.wait_log(re.compile(r"TURN server lossy\.test gives relayed addresses, \S+, over DTLS"))


@pytest.mark.parametrize("way", ["one", "dtls"])
def test_a_call(sw, phone, networks, way):
    a = phone("ext", register=False, kind=Trunk, at=getattr(sw, f"at_{way}"))
    sw.wait_log(re.compile({"one": r"TURN server ONE\.test gives relayed addresses", "dtls": r"TURN server on\.test gives .* over DTLS"}[way]))
    peer = FarPeer(a, True, networks[0])
    a.invite("7800", offer(a, peer))
    body = a.answered().body
    (host, _), = relayed(body)
    assert host == sw.turn.address
    peer.connect(body)
    talk(a, peer, 440)
    a.talk.hears(440, timeout=15)
    a.bye()
    sw.wait_calls(0)
    peer.close()
