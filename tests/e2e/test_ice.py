"""ICE with a real peer (aioice): calls both ways, a restart, late candidates, role conflict, and whom we are not talked into knocking at."""
import re
import socket
import struct
import subprocess
import time

import pytest
from calls import extension, write_extensions
from ice_peer import IcePeer
from phones import Baresip, read_wav, tone_level
from rtpengine import Rtpengine
from talk import Talker
from wire import sdp

pytestmark = pytest.mark.leaks
FRAGMENT = re.compile(r"a=ice-ufrag:(\S+)")


def make(tmp_path_factory, name, acl, host="127.0.0.1", *more):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp(name) / "instance")
    s.env["TANDEM_IP"] = s.domain = host
    p = s.root / "conf/sip_profiles/internal.xml"
    p.write_text(p.read_text().replace("<settings>", f'<settings>\n<param name="apply-candidate-acl" value="{acl}"/>', 1))
    write_extensions(s, [extension("7800", "answer", "echo"), extension("7801", "set ice_lite=true", "answer", "echo"),
                         extension("7802", "set ignore_sdp_ice=true", "answer", "echo"), extension("7803", "bridge user/1001"),
                         extension("7804", "set fire_rtcp_events=true", "answer", "echo"),
                         extension("7805", "set codec_string=PCMU,VP8", "answer", "echo"), *more])
    return s.start()


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = make(tmp_path_factory, "ice", "loopback.auto")
    yield s
    s.stop()


@pytest.fixture(scope="module")
def sw_wan(tmp_path_factory):
    s = make(tmp_path_factory, "ice_wan", "wan.auto")
    yield s
    s.stop()


@pytest.fixture
def peers():
    made = []

    def one(p, controlling, **how):
        made.append(IcePeer(p, controlling, **how))
        return made[-1]
    yield one
    for p in made:
        p.close()


def offer(p, ice, extra="", version=1, port=None, host="127.0.0.1"):
    return sdp(port or p.rtp_port, version=version, host=host) + (ice.attributes() if ice else "") + extra


def talk(p, ice, hz):
    p.remote_rtp = ice.port
    if not p.talk:
        p.talk = Talker(p, hz)



def wait_var(sw, uuid, name, want, timeout=10):
    until = time.monotonic() + timeout
    while (got := sw.api(f"uuid_getvar {uuid} {name}").strip()) not in want:
        assert time.monotonic() < until, (name, got)
        time.sleep(0.05)  # what is asked for has no event
    return got


def only_uuid(sw):
    rows = [r for r in sw.api("show channels").splitlines() if re.match(r"[0-9a-f]{8}-", r)]
    assert len(rows) == 1, rows
    return rows[0].split(",")[0]


@pytest.mark.parametrize("number", ["7800", "7801"], ids=["full", "lite"])
def test_a_caller(sw, phone, peers, number):
    """It hears itself by the pair that was found; a stranger's packets are not heard; ours come from the signalled candidate."""
    a = phone("1000")
    ice = peers(a, True)
    a.invite(number, offer(a, ice))
    ok = a.answered()
    assert "a=rtcp-mux" in ok.body and re.search(r"a=candidate:1 1 udp \d+ 127.0.0.1 \d+ typ host", ok.body)
    assert ("a=ice-lite" in ok.body) == (number == "7801")
    port = a.remote_rtp
    # before anybody proved an address: nothing is taken, and nothing is sent to the address of the SDP
    for i in range(200):
        a.media.sendto(struct.pack("!BBHII", 0x80, 0, i, i * 160, 5) + bytes(160), ("127.0.0.1", port))
    a.media.settimeout(0.3)
    with pytest.raises((socket.timeout, TimeoutError)):
        a.media.recv(2000)
    ice.connect(ok.body)
    talk(a, ice, 700)
    a.talk.hears(700)
    uuid = only_uuid(sw)
    wait_var(sw, uuid, "rtp_ice_state", ["completed"])
    local, remote = ice.pair()
    assert remote.port == port
    assert sw.api(f"uuid_getvar {uuid} remote_media_port").strip() == str(local.port)
    a.bye()


def test_no_ice_where_it_is_not_wanted(sw, phone, peers):
    a = phone("1000")
    ice = peers(a, True)
    a.invite("7802", offer(a, ice))
    assert "ice-" not in a.answered().body
    a.talk = Talker(a, 700)
    a.talk.hears(700)
    a.bye()
    a2 = phone("1002")
    a2.invite("7800")
    assert "ice-" not in a2.answered().body
    a2.bye()


def test_a_called_one(sw, phone, peers):
    """Our offer has ICE, ours is the controlling side; both controlling: one gives in (487)."""
    for controlling in (False, True):
        b = phone("1001")
        b.register()
        sw.api("bgapi originate {add_ice_candidates=true}user/1001 &echo")
        req = b.expect(method="INVITE")
        assert "a=ice-ufrag" in req.body and "a=rtcp-mux" in req.body
        ice = peers(b, controlling)
        b.reply(req, 200, "OK", offer(b, ice))
        b.expect(method="ACK")
        b.enter(req)
        ice.connect(req.body)
        talk(b, ice, 900)
        b.talk.hears(900)
        wait_var(sw, only_uuid(sw), "rtp_ice_state", ["completed"])
        b.own_request("BYE")
        b.expect(200)
        b.talk.stop()
        b.talk = None
        sw.wait_calls(0)


def test_offered_and_not_answered(sw, phone):
    """A phone without ICE is spoken to as ever."""
    b = phone("1001")
    b.register()
    sw.api("bgapi originate {add_ice_candidates=true}user/1001 &echo")
    req = b.take()
    assert "a=ice-ufrag" in req.body
    b.talk = Talker(b, 900)
    b.talk.hears(900)
    b.own_request("BYE")
    b.expect(200)


def test_rtcp_mux_alone(sw, phone):
    """Offered by the variable and taken: reports come to the port of the RTP."""
    b = phone("1001")
    sw.api("bgapi originate {rtcp_mux=true}user/1001 &echo")
    req = b.expect(method="INVITE")
    assert "a=rtcp-mux" in req.body and "ice-" not in req.body
    b.reply(req, 200, "OK", sdp(b.rtp_port) + "a=rtcp-mux\r\n")
    b.expect(method="ACK")
    b.enter(req)
    until = time.monotonic() + 12
    b.media.settimeout(0.2)
    kinds, n = set(), 0
    while not kinds & {200, 201}:
        assert time.monotonic() < until, kinds
        n += 1
        b.media.sendto(struct.pack("!BBHII", 0x80, 0, n, n * 160, 5) + bytes(160), ("127.0.0.1", b.remote_rtp))
        try:
            kinds.add(b.media.recv(2000)[1])
        except (socket.timeout, TimeoutError):
            pass  # its call is not answered yet
    b.own_request("BYE")
    b.expect(200)


def test_ice_to_plain(sw, phone, peers):
    """One side of a bridge with ICE, the other without; both are heard."""
    a, b = phone("1000"), phone("1001")
    b.register()
    ice = peers(a, True)
    a.invite("7803", offer(a, ice))
    b.take()
    ok = a.answered()
    ice.connect(ok.body)
    talk(a, ice, 440)
    b.talk = Talker(b, 1000)
    a.talk.hears(1000)
    b.talk.hears(440)
    a.bye()


def echoed(phone, peers):
    """A phone that hears itself by ICE; (it, its peer, our answer)."""
    a = phone("1000")
    ice = peers(a, True)
    a.invite("7800", offer(a, ice))
    ok = a.answered()
    ice.connect(ok.body)
    talk(a, ice, 700)
    a.talk.hears(700)
    return a, ice, ok


def test_restart(sw, phone, peers):
    """A re-INVITE with another fragment: new credentials of ours too, media by a new pair; the old one is of no use any more."""
    a, old, first = echoed(phone, peers)
    new = peers(a, True)
    a.request("INVITE", body=offer(a, new, version=2))
    ok = a.answered()
    assert FRAGMENT.search(ok.body).group(1) != FRAGMENT.search(first.body).group(1)
    before = new.heard
    new.connect(ok.body)
    a.remote_rtp = new.port
    a.talk.hears(700, since=a.talk.mark())
    assert new.heard > before
    assert sw.api(f"uuid_getvar {only_uuid(sw)} remote_media_port").strip() == str(new.pair()[0].port)
    # the same fragment again is no restart
    a.request("INVITE", body=offer(a, new, version=3))
    assert FRAGMENT.search(a.answered().body).group(1) == FRAGMENT.search(ok.body).group(1)
    a.remote_rtp = new.port
    a.talk.hears(700, since=a.talk.mark())
    a.bye()


def test_a_restart_that_is_refused(sw, phone, peers):
    """Theirs, in an offer that we cannot answer: nothing happened. The next one, which we can, is a restart as any other."""
    a, old, first = echoed(phone, peers)
    uuid = only_uuid(sw)
    wait_var(sw, uuid, "rtp_ice_state", ["completed"])
    new = peers(a, True)
    for version in (2, 3):
        a.request("INVITE", body=sdp(a.rtp_port, formats=(18,), version=version) + peers(a, True).attributes())
        a.expect(488)
    a.talk.hears(700, seconds=1.0, since=a.talk.mark())
    assert sw.api(f"uuid_getvar {uuid} rtp_ice_state").strip() == "completed"
    a.request("INVITE", body=offer(a, old, version=4))  # nor do we say anything new
    assert FRAGMENT.search(a.answered().body).group(1) == FRAGMENT.search(first.body).group(1)
    a.request("INVITE", body=offer(a, new, version=5))
    ok = a.answered()
    assert FRAGMENT.search(ok.body).group(1) != FRAGMENT.search(first.body).group(1)
    before = new.heard
    new.connect(ok.body)
    a.remote_rtp = new.port
    a.talk.hears(700, since=a.talk.mark())
    assert new.heard > before
    a.bye()


def test_consent_is_lost(sw, phone, peers):
    """The phone's network is gone: when it has answered no check for half a minute a restart is offered, after a refusal another, and by its
    new network the call goes on."""
    a, old, first = echoed(phone, peers)
    uuid = only_uuid(sw)
    old.leave()
    refused = a.expect(method="INVITE", timeout=50)
    a.reply(refused, 488, "No")
    a.expect(method="ACK")
    assert FRAGMENT.search(first.body).group(0) in sw.api(f"uuid_getvar {uuid} rtp_local_sdp_str")  # what a refresh would say
    again = a.expect(method="INVITE", timeout=15)
    said = [FRAGMENT.search(m.body).group(1) for m in (first, refused, again)]
    assert len(set(said)) == 3
    assert sw.api(f"uuid_getvar {uuid} rtp_ice_state").strip() == "lost"
    new = peers(a, False)
    a.reply(again, 200, "OK", offer(a, new, version=2))
    a.expect(method="ACK")
    new.connect(again.body)
    a.remote_rtp = new.port
    a.talk.hears(700, since=a.talk.mark())
    wait_var(sw, uuid, "rtp_ice_state", ["connected", "completed"])
    a.bye()


def test_one_line_is_lost(sw, phone, peers):
    """The video's way is gone: a restart of both lines is offered, and when it is refused the audio goes on by the way it has."""
    a, b = phone("1000"), phone("1002")  # the other one's socket is where the video comes
    sound, picture = peers(a, True), peers(b, True)
    video = f"m=video {b.rtp_port} RTP/AVP 97\r\na=rtpmap:97 VP8/90000\r\n"
    a.invite("7805", offer(a, sound, video + picture.attributes()))
    ok = a.answered().body
    assert "m=video 0" not in ok
    sound.connect(ok[:ok.index("m=video")])
    picture.connect(ok[ok.index("m=video"):])
    talk(a, sound, 700)
    a.talk.hears(700)
    uuid = only_uuid(sw)
    wait_var(sw, uuid, "rtp_ice_state", ["completed"])
    picture.leave()
    again = a.expect(method="INVITE", timeout=50)
    assert set(FRAGMENT.findall(again.body)).isdisjoint(FRAGMENT.findall(ok)) and len(FRAGMENT.findall(again.body)) == 2
    a.reply(again, 488, "No")
    a.expect(method="ACK")
    a.talk.hears(700, seconds=0.5, since=a.talk.mark())
    assert sw.api(f"uuid_getvar {uuid} rtp_ice_state").strip() == "completed"
    a.bye()


def test_reports_by_another_pair(sw, phone, peers):
    """A phone of two addresses, both proven, sends RTCP by the one that we do not send to: it counts (a browser's wish for a picture does)."""
    a = phone("1000")
    ice = peers(a, True, more_hosts=("127.0.0.2",))
    events = sw.esl()
    events.subscribe("RECV_RTCP_MESSAGE")
    a.invite("7804", offer(a, ice))
    ok = a.answered()
    port = a.remote_rtp
    ice.connect(ok.body)
    talk(a, ice, 700)
    a.talk.hears(700)
    uuid = only_uuid(sw)
    wait_var(sw, uuid, "rtp_ice_state", ["completed"])
    other, = {"127.0.0.1", "127.0.0.2"} - {sw.api(f"uuid_getvar {uuid} remote_media_ip").strip()}
    until = time.monotonic() + 10
    while True:  # our check of that address may be under way
        ice.send_by(other, struct.pack("!BBHI", 0x80, 201, 1, 0x5ca1e), port)
        try:
            assert events.wait_event("RECV_RTCP_MESSAGE", timeout=0.2)["SSRC"] == "0005ca1e"
            break
        except AssertionError:
            if time.monotonic() > until:
                raise
    events.close()
    a.bye()


class Knocked:
    """A socket that only listens: who sends checks to it?"""

    def __init__(self, host):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((host, 0))
        self.host, self.port = self.s.getsockname()
        self.candidate = f"9 1 udp 2130706431 {self.host} {self.port} typ host"

    def heard(self, timeout):
        self.s.settimeout(timeout)
        try:
            return self.s.recv(2000)
        except (socket.timeout, TimeoutError):
            return None


def test_trickle(sw, phone, peers):
    """Candidates in an INFO are asked; with another fragment they are refused; what is none of ours is passed over."""
    a = phone("1000")
    ice, late = peers(a, True), Knocked("127.0.0.7")
    body = sdp(9, host="0.0.0.0") + ice.attributes(candidates=False) + "a=ice-options:trickle\r\n"
    a.invite("7800", body)
    ok = a.answered()
    assert "a=ice-options:trickle" in ok.body
    junk = ["1 1 tcp 2130706431 127.0.0.1 9 typ host tcptype active", "1 1 udp 2130706431 3f2a.local 5000 typ host", "x"]
    a.request("INFO", body=ice.fragment(*junk, late.candidate), ctype="application/trickle-ice-sdpfrag")
    a.expect(200)
    got = late.heard(8)
    assert got and got[:2] == b"\0\1" and ice.conn.local_username.encode() in got
    a.request("INFO", body=ice.fragment(late.candidate).replace("ice-ufrag:", "ice-ufrag:other"),
              ctype="application/trickle-ice-sdpfrag")
    a.expect(400)
    ice.connect(ok.body)  # his own checks make a pair, though no candidate of his was named
    talk(a, ice, 700)
    a.talk.hears(700)
    assert sw.api(f"uuid_getvar {only_uuid(sw)} rtp_ice_candidate_type").strip() == "prflx"
    a.bye()


def test_a_list_of_strangers(sw_wan, phone, peers):
    """The default asks nobody in private networks, whoever names them; the caller himself is found by his checks."""
    a = phone("1000", switch=sw_wan)
    ice, inner = peers(a, True), Knocked("127.0.0.8")
    a.invite("7800", offer(a, ice, f"a=candidate:{inner.candidate}\r\n"))
    ok = a.answered()
    ice.connect(ok.body)
    talk(a, ice, 700)
    a.talk.hears(700)
    assert inner.heard(0.3) is None
    a.bye()


def tone_seconds(path, hz):
    try:
        x, rate = read_wav(path)
    except (EOFError, ValueError, AssertionError):
        return 0  # its head is not written yet
    return float((tone_level(x, rate, hz) > 4000).sum()) * 0.02


def test_rtpengine(sw, phone, tmp_path):
    """A phone without ICE behind rtpengine, which speaks it for him."""
    engine = Rtpengine(tmp_path)
    try:
        a = phone("1000")
        call = {"call-id": "c1", "from-tag": "a", "rtcp-mux": ["offer", "require"], "replace": ["origin"]}
        there = engine.ask({**call, "command": "offer", "sdp": sdp(a.rtp_port), "ICE": "force"})["sdp"]
        assert "a=candidate" in there
        a.invite("7800", there)
        ok = a.answered()
        back = engine.ask({**call, "command": "answer", "to-tag": "b", "sdp": ok.body, "ICE": "remove"})["sdp"]
        a.remote_rtp = int(re.search(r"m=audio (\d+)", back).group(1))
        a.talk = Talker(a, 700)
        a.talk.hears(700)
        wait_var(sw, only_uuid(sw), "rtp_ice_state", ["completed"])
        a.bye()
    finally:
        engine.close()


def own_address():
    """baresip gathers no candidate on loopback."""
    for line in subprocess.run(["ip", "-4", "-o", "addr"], capture_output=True, text=True).stdout.splitlines():
        found = re.search(r"inet (\d+\.\d+\.\d+\.\d+)/", line)
        if found and not found.group(1).startswith("127."):
            return found.group(1)
    return None


def test_baresip(tmp_path_factory):
    """Two phones that people have, both with ICE: a calls b, tones both ways by what ICE found."""
    host = own_address()
    if not host:
        pytest.skip("no address but loopback here")
    s = make(tmp_path_factory, "ice_baresip", "rfc1918.auto", host,
             extension("7810", "bridge {add_ice_candidates=true}user/1001"))
    phones = []
    try:
        for user, hz in (("1000", 440), ("1001", 1000)):
            phones.append(Baresip(s.root, s, user, hz=hz, host=host, params=";medianat=ice", extra_modules=("ice",), has_rtcp_mux=True))
        a, b = phones
        a.dial("7810")
        b.answer()
        a.wait("CALL_ESTABLISHED")
        uuids = re.findall(r"^[0-9a-f-]{36}(?=,)", s.api("show channels"), re.M)
        assert len(uuids) == 2
        for uuid in uuids:
            wait_var(s, uuid, "rtp_ice_state", ["completed"], 15)
        heard = lambda x: tone_seconds(x.heard(), 1000 if x is a else 440) >= 1  # noqa: E731
        until = time.monotonic() + 15
        while not (heard(a) and heard(b)):
            assert time.monotonic() < until
            time.sleep(0.1)  # a file that grows
        a.hangup()
        s.wait_calls(0)
    finally:
        for x in phones:
            x.close()
        s.stop()
