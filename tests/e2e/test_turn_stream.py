"""TURN over TCP and TLS (coturn), in networks where no UDP comes through to the server: media both ways by the relay; certificates that are not to be
believed; servers that accept and say nothing, talk nonsense, stop reading, or go away in the middle of a call."""
import contextlib
import re
import select
import socket
import threading

import pytest
from calls import extension, uuid_of, write_extensions
from certs import Authority
from coturn import Coturn, networks  # noqa: F401 (a fixture)
from ice_peer import IcePeer
from netns import ip
from test_ice import offer, talk, wait_var
from test_turn import FarPeer, relayed
from trunk import Trunk, add_profile

pytestmark = pytest.mark.leaks


class Silent:
    """Accepts; says what it was given, if anything, and nothing else."""

    def __init__(self, host, word=b""):
        self.listener, self.word, self.held = socket.create_server((host, 0)), word, []
        self.port = self.listener.getsockname()[1]
        self.asked = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.listener.accept()
                self.held.append(c)
                c.sendall(self.word)
                self.asked.set()

    def close(self):
        self.listener.close()
        for c in self.held:
            c.close()


class Middle:
    """Between the switch and the server: passes bytes on, until it is told to stop reading or to cut."""

    def __init__(self, host, to):
        self.listener, self.to, self.pairs = socket.create_server((host, 0)), to, []
        self.port = self.listener.getsockname()[1]
        self.passed = {}
        self.may_read = threading.Event()
        self.may_read.set()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                a, _ = self.listener.accept()
                b = socket.create_connection(self.to)
                self.pairs.append((a, b))
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, a, b):
        with contextlib.suppress(OSError), contextlib.ExitStack() as end:
            end.callback(lambda: (self.pairs.remove((a, b)), a.close(), b.close()))
            while True:
                self.may_read.wait()
                for s in select.select([a, b], [], [], 0.1)[0]:
                    data = s.recv(65536)
                    if not data:
                        return
                    (b if s is a else a).sendall(data)
                    self.passed[a] = self.passed.get(a, 0) + len(data)

    def cut_busiest(self):
        there = max((a for a, _ in self.pairs), key=lambda a: self.passed.get(a, 0))
        there.shutdown(socket.SHUT_RDWR)  # its thread closes the pair

    def cut(self):
        for s in (self.listener, *(s for pair in list(self.pairs) for s in pair)):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def turn(tmp_path_factory, networks, ca):
    _, server = networks
    t = Coturn(tmp_path_factory.mktemp("coturn"), server, tls=ca.issue("turn", f"subjectAltName=IP:{server.address}\n"))
    for here in (n.here for n in networks):  # no UDP between the switch and the server, in neither direction
        ip("-n", server.name, "rule", "add", "to", f"{here}/32", "ipproto", "udp", "blackhole")
    yield t
    t.close()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, networks, turn, ca):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("turn") / "instance")
    far, server = networks
    other = Authority(tmp_path_factory.mktemp("other"), "other")
    s.middle, s.stopped, s.broken = (Middle(far.here, (turn.address, turn.PORT)) for _ in range(3))
    s.silent, s.nonsense = Silent(far.here), Silent(far.here, b"SSH-2.0-OpenSSH_9.2p1\r\n")
    common = {"rtp_ip": far.here, "apply_candidate_acl": "rfc1918.auto", "turn_username": Coturn.USER, "turn_password": Coturn.PASSWORD}
    tls = {"turn_server": f"turns:{turn.address}", "turn_ca_file": str(ca.pem)}
    for name, how in {"tcp": {"turn_server": f"turn:{turn.address}?transport=tcp", "turn_ready": 2}, "tls": {**tls, "turn_ready": 2},
                      "cut": {"turn_server": f"turn:{far.here}:{s.middle.port}?transport=tcp", "turn_ready": 2},
                      "broken": {"turn_server": f"turn:{far.here}:{s.broken.port}?transport=tcp", "turn_ready": 2},
                      "slow": {"turn_server": f"turn:{far.here}:{s.stopped.port}?transport=tcp", "turn_ready": 1},
                      "silent": {"turn_server": f"turn:{far.here}:{s.silent.port}?transport=tcp"},
                      "deaf": {"turn_server": f"turns:{far.here}:{s.silent.port}", "turn_ca_file": str(ca.pem)},
                      "nonsense": {"turn_server": f"turn:{far.here}:{s.nonsense.port}?transport=tcp"},
                      "refused": {"turn_server": f"turn:{far.here}:9?transport=tcp"},
                      "stranger": {**tls, "turn_ca_file": str(other.pem)}, "system": {**tls, "turn_ca_file": ""},
                      "nofile": {**tls, "turn_ca_file": "/nowhere/ca.pem"},
                      "udp": {"turn_server": turn.address}}.items():
        setattr(s, f"at_{name}", add_profile(s, name, **common, **how))
    write_extensions(s, [extension("7800", "answer", "echo"), extension("7801", "set ice_restart=false", "answer", "echo")])
    s.start()
    yield s
    s.stop()
    for x in (s.silent, s.nonsense):
        x.close()
    for x in (s.middle, s.stopped, s.broken):
        x.cut()


@pytest.fixture
def peer_at(networks):
    made = []

    def one(p, kind=FarPeer):
        made.append(FarPeer(p, True, networks[0]) if kind is FarPeer else IcePeer(p, True, host=networks[0].here))
        return made[-1]
    yield one
    for p in made:
        p.close()


def wait_ready(sw, how, count=1):
    sw.wait_log(re.compile(rf"TURN server \S+ gives relayed addresses, \S+, over {how}"), count)


@pytest.mark.parametrize("name", ["tcp", "tls"])
def test_no_other_way(sw, phone, turn, peer_at, name):
    wait_ready(sw, name.upper())
    a = phone("ext", register=False, kind=Trunk, at=getattr(sw, f"at_{name}"))
    peer = peer_at(a)
    a.invite("7800", offer(a, peer))
    body = a.answered().body
    (host, _), = relayed(body)
    assert host == turn.address
    peer.connect(body)
    talk(a, peer, 440)
    a.talk.hears(440, timeout=15)
    assert peer.pair()[1].type == "relay"
    turn.wait("CHANNEL_BIND processed, success")
    a.talk.hears(440)
    wait_var(sw, uuid_of(sw, "ext"), "rtp_ice_state", ("connected", "completed"))
    assert sw.api(f"uuid_getvar {uuid_of(sw, 'ext')} rtp_ice_candidate_type").strip() in ("host", "prflx")
    a.bye()
    sw.wait_calls(0)


def test_udp_does_not_come_through(sw, phone, peer_at):
    """What the others have, this one has not: the way is closed."""
    a = phone("ext", register=False, kind=Trunk, at=sw.at_udp)
    a.invite("7800", offer(a, peer_at(a)))
    assert not relayed(a.answered().body)
    a.bye()


def test_it_goes_away_in_the_middle(sw, phone, peer_at):
    """Of two calls the one that has another way goes on; the other ends as one from which nothing comes; the next has no relayed candidate."""
    wait_ready(sw, "TCP", 2)
    a = phone("ext", register=False, kind=Trunk, at=sw.at_cut)
    peer = peer_at(a, IcePeer)
    a.invite("7800", offer(a, peer))
    body = a.answered().body
    assert relayed(body)
    peer.connect(body)
    talk(a, peer, 440)
    a.talk.hears(440, timeout=15)
    assert peer.pair()[1].type == "host"
    sw.middle.cut()
    sw.wait_log(f"TURN server {peer.host}: it closed the connection")
    a.talk.hears(440)
    b = phone("svc", register=False, kind=Trunk, at=sw.at_cut)
    other = peer_at(b, IcePeer)
    b.invite("7800", offer(b, other))
    body = b.answered().body
    assert "typ host" in body and not relayed(body)
    other.connect(body)
    talk(b, other, 900)
    b.talk.hears(900, timeout=15)
    a.talk.hears(440)
    a.bye()
    b.bye()
    sw.wait_calls(0)


def broken_call(sw, phone, peer_at, number):
    """A call whose only way breaks."""
    wait_ready(sw, "TCP", 2)
    a = phone("ext", register=False, kind=Trunk, at=sw.at_broken)
    peer = peer_at(a)
    a.invite(number, offer(a, peer))
    body = a.answered().body
    peer.connect(body)
    talk(a, peer, 440)
    a.talk.hears(440, timeout=15)
    assert peer.pair()[1].type == "relay"
    sw.broken.cut_busiest()
    return a, body


def test_it_breaks_and_another_is_offered(sw, phone, peer_at):
    """The only way breaks: a restart is offered at once, with other credentials and another relayed address, and the call is heard again."""
    a, before = broken_call(sw, phone, peer_at, "7800")
    again = a.expect(method="INVITE", timeout=20)  # the direct pair is given up before
    for what in (r"a=ice-ufrag:(\S+)", r"a=ice-pwd:(\S+)"):
        assert re.search(what, again.body).group(1) != re.search(what, before).group(1)
    assert relayed(again.body) and relayed(again.body) != relayed(before)
    new = peer_at(a)
    a.reply(again, 200, "OK", offer(a, new, version=2))
    a.expect(method="ACK")
    new.connect(again.body)
    a.remote_rtp = new.port
    a.talk.hears(440, since=a.talk.mark(), timeout=15)
    assert new.pair()[1].type == "relay"
    wait_var(sw, uuid_of(sw, "ext"), "rtp_ice_state", ("connected", "completed"))
    a.bye()
    sw.wait_calls(0)


@pytest.mark.parametrize("number", ["7800", "7801"], ids=["refused", "not-wanted"])
def test_it_breaks_and_no_restart_comes(sw, phone, peer_at, number):
    """Refused, or not offered: the call stays as it is, silent, until somebody ends it."""
    a, _ = broken_call(sw, phone, peer_at, number)
    uuid = uuid_of(sw, "ext")
    if number == "7800":
        again = a.expect(method="INVITE", timeout=20)
        a.reply(again, 488, "Not Acceptable Here")
        a.expect(method="ACK")
    else:
        wait_var(sw, uuid, "rtp_ice_state", ("lost",), 20)
        a.expect_nothing("INVITE", 0.3)
    assert sw.api(f"uuid_exists {uuid}").strip() == "true"
    a.bye()
    sw.wait_calls(0)


def test_it_stops_reading(sw, phone, peer_at):
    """Nothing is queued without bound meanwhile, and when it reads again the call is heard as before."""
    wait_ready(sw, "TCP", 3)
    a = phone("ext", register=False, kind=Trunk, at=sw.at_slow)
    peer = peer_at(a)
    a.invite("7800", offer(a, peer))
    body = a.answered().body
    peer.connect(body)
    talk(a, peer, 440)
    a.talk.hears(440, timeout=15)
    sw.stopped.may_read.clear()
    heard = peer.heard
    assert sw.api("status")
    sw.stopped.may_read.set()
    a.talk.hears(440, timeout=15)
    assert peer.heard > heard
    a.bye()
    sw.wait_calls(0)


@pytest.mark.parametrize("name, why", [("silent", None), ("deaf", None), ("nonsense", "what it sends is not TURN"), ("refused", "connect: Connection refused"),
                                       ("stranger", "TLS: unable to get local issuer certificate"),
                                       ("system", "TLS: unable to get local issuer certificate"),
                                       ("nofile", "the file of turn-ca-file is not there, or holds no certificate")])
def test_a_server_that_is_of_no_use(sw, phone, peer_at, name, why):
    """The call comes at once, without a relayed candidate; the log says why there is none."""
    if name in ("silent", "deaf"):
        assert sw.silent.asked.wait(10)
    a = phone("ext", register=False, kind=Trunk, at=getattr(sw, f"at_{name}"))
    a.invite("7800", offer(a, peer_at(a)))
    body = a.answered().body
    assert "typ host" in body and not relayed(body)
    a.bye()
    if why:
        sw.wait_log(f"{why}; offers have no relayed candidate meanwhile")
