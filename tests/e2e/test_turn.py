"""Relayed addresses of a TURN server (coturn), where a phone cannot be reached otherwise: two networks whose direct way is cut, media both
ways; servers that are dead, or that do not know us, hold up nobody."""
import re

import pytest
from calls import extension, uuid_of, write_extensions
from coturn import Coturn, networks  # noqa: F401 (a fixture)
from ice_peer import IcePeer
from talk import Talker
from test_ice import offer, talk, wait_var
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks


class FarPeer(IcePeer):
    """In its own network."""
    def __init__(self, phone, controlling, network):
        self.network = network
        super().__init__(phone, controlling, host=network.address)

    async def _gather(self):
        self.network.enter()  # the loop's own thread
        await super()._gather()


@pytest.fixture(scope="module")
def turn(tmp_path_factory, networks):
    t = Coturn(tmp_path_factory.mktemp("coturn"), networks[1])
    yield t
    t.close()


@pytest.fixture(scope="module")
def sharing(tmp_path_factory, networks):
    """A server whose users are whoever knows its secret."""
    t = Coturn(tmp_path_factory.mktemp("sharing"), networks[1], port=3479, secret="a-shared-one")
    yield t
    t.close()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, networks, turn, sharing):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("turn") / "instance")
    far, _ = networks
    common = {"rtp_ip": far.here, "apply_candidate_acl": "rfc1918.auto", "turn_username": Coturn.USER}
    s.turned = add_profile(s, "turned", turn_server=turn.address, turn_password=Coturn.PASSWORD, turn_ready=2, **common)
    s.plain = add_profile(s, "plain")
    at = f"{sharing.address}:{sharing.port}"
    plain = {k: v for k, v in common.items() if k != "turn_username"}
    s.shared = add_profile(s, "shared", turn_server=at, turn_secret="a-shared-one", turn_ready=1, **common)
    s.nameless = add_profile(s, "nameless", turn_server=at, turn_secret="a-shared-one", turn_ready=1, **plain)
    s.guess = add_profile(s, "guess", turn_server=at, turn_secret="a-guessed-one", **common)
    s.none = add_profile(s, "none", turn_server=at, **plain)
    s.dead = add_profile(s, "dead", turn_server=f"{far.here}:9", turn_password=Coturn.PASSWORD, **common)
    s.wrong = add_profile(s, "wrong", turn_server=f"turn:{turn.address}:3478?transport=udp", turn_password="another", **common)
    s.bad = add_profile(s, "bad", turn_server="turns:x?transport=sctp", turn_password="another", **common)
    write_extensions(s, [extension("7800", "answer", "echo"), extension("7801", "set ice_relay=false", "answer", "echo"),
                         extension("7803", "bridge {add_ice_candidates=true}sofia/turned/svc@127.0.0.1:${sip_h_X-Port}")])
    s.start()
    yield s
    s.stop()


def relayed(body):
    return re.findall(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ relay", body)


@pytest.fixture
def far_peer(networks):
    made = []

    def one(p, controlling):
        made.append(FarPeer(p, controlling, networks[0]))
        return made[-1]
    yield one
    for p in made:
        p.close()


def test_through_the_relay(sw, phone, turn, far_peer):
    turn.wait("ALLOCATE processed, success", 2)
    a = phone("ext", register=False, kind=Trunk, at=sw.turned)
    peer = far_peer(a, True)
    a.invite("7800", offer(a, peer))
    body = a.answered().body
    (host, port), = relayed(body)
    assert host == turn.address
    peer.connect(body)
    talk(a, peer, 440)
    a.talk.hears(440, timeout=15)
    assert peer.pair()[1].type == "relay"
    turn.wait("CREATE_PERMISSION processed, success")
    turn.wait("CHANNEL_BIND processed, success")
    a.talk.hears(440)
    wait_var(sw, uuid_of(sw, "ext"), "rtp_ice_state", ("connected", "completed"))
    a.bye()
    turn.wait("lifetime=0")  # given back


@pytest.mark.parametrize("profile", ["shared", "nameless"])
def test_with_a_secret(sw, phone, sharing, far_peer, profile):
    """Credentials that end, made of what is shared with the server."""
    sharing.wait_match(rf"user <\d{{10}}{':lab' if profile == 'shared' else ''}>: incoming packet ALLOCATE processed, success")
    a = phone("ext", register=False, kind=Trunk, at=getattr(sw, profile))
    peer = far_peer(a, True)
    a.invite("7800", offer(a, peer))
    body = a.answered().body
    assert relayed(body)[0][0] == sharing.address
    peer.connect(body)
    talk(a, peer, 440)
    a.talk.hears(440, timeout=15)
    a.bye()


def test_called_through_the_relay(sw, phone, turn, far_peer):
    turn.wait("ALLOCATE processed, success", 3)
    a = phone("ext", register=False, kind=Trunk, at=sw.plain)
    b = phone("svc", register=False, kind=Trunk, at=sw.turned)
    peer = far_peer(b, False)
    a.invite("7803", extra=f"X-Port: {b.port}\n")
    invite = b.expect(method="INVITE")
    assert relayed(invite.body)
    b.reply(invite, 200, "OK", offer(b, peer))
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    peer.connect(invite.body)
    talk(b, peer, 900)
    a.talk = Talker(a, 440)
    b.talk.hears(440, timeout=15)
    a.talk.hears(900)
    a.bye()


def test_many_restarts(sw, phone, far_peer):
    """Each names addresses of its own, and each of them is let through by the server, the last restart's too."""
    a = phone("ext", register=False, kind=Trunk, at=sw.turned)
    peer = far_peer(a, True)
    a.invite("7800", offer(a, peer))
    peer.connect(a.answered().body)
    talk(a, peer, 440)
    a.talk.hears(440, timeout=15)
    for n in range(2, 14):
        lines = [f"a=ice-ufrag:frag{n:02}", f"a=ice-pwd:{'p' * 24}", "a=rtcp-mux"]
        lines += [f"a=candidate:{i} 1 udp {2130706431 - i} {peer.host} {1000 * n + i} typ host" for i in range(4)]
        a.request("INVITE", body=sdp(a.rtp_port, version=n) + "\r\n".join(lines) + "\r\n")
        a.answered()
    new = far_peer(a, True)
    a.request("INVITE", body=offer(a, new, version=20))
    new.connect(a.answered().body)
    a.remote_rtp = new.port
    a.talk.hears(440, since=a.talk.mark(), timeout=15)
    assert new.heard and new.pair()[1].type == "relay"
    assert "no row for" not in sw.log_text
    a.bye()


def test_not_for_this_leg(sw, phone, far_peer):
    a = phone("ext", register=False, kind=Trunk, at=sw.turned)
    a.invite("7801", offer(a, far_peer(a, True)))
    body = a.answered().body
    assert "a=candidate" in body and not relayed(body)
    a.bye()


@pytest.mark.parametrize("profile", ["dead", "wrong", "guess", "none", "bad"])
def test_a_server_that_is_of_no_use(sw, phone, far_peer, profile):
    """The call comes at once, without a relayed candidate; the log says why there is none."""
    a = phone("ext", register=False, kind=Trunk, at=getattr(sw, profile))
    a.invite("7800", offer(a, far_peer(a, True)))
    body = a.answered().body
    assert "typ host" in body and not relayed(body)
    a.bye()
    if profile in ("wrong", "guess"):
        sw.wait_log("user name or password are wrong (401)")
    elif profile == "none":
        sw.wait_log("turn-username and turn-password, or turn-secret, are needed")
    elif profile == "bad":
        sw.wait_log('bad: turn-server "turns:x?transport=sctp": TURN is spoken over UDP, TCP (?transport=tcp), TLS (turns:) and DTLS')
