"""Plain relays in the kernel (docs/kernel-relay.md): phone A - switch - phone B, each phone in a network namespace of its own.
Every packet arrives once, in one sequence, while relays go to the kernel and come back."""
import contextlib
import json
import os
import re
import select
import struct
import threading
import time

import pytest
from calls import ended, extension, uuid_of, write_extensions
from netns import ETHTOOL_SGRO, Network, ethtool, ip, poll_arriving
from wire import Phone, sdp

PT_EVENT = 101


class FarPhone(Phone):
    """Signalling on the loopback, media in a network of its own."""

    def __init__(self, sw, user, net=None):
        super().__init__(sw, user)
        self.net = net
        self.media.close()
        self.media = net.udp()
        while self.media.getsockname()[1] % 2:  # the port after it gets RTCP, and must be nobody's
            self.media.close()
            self.media = net.udp()
        self.rtp_port = self.media.getsockname()[1]

    def body(self, direction="sendrecv", version=1):
        return sdp(self.rtp_port, direction=direction, version=version, host=self.net.address)


class Traffic:
    """Every phone says numbered frames, 50 a second; all that arrives is kept: (pt, seq, ts, ssrc, who, number)."""

    def __init__(self, phones, to):
        self.phones, self.to = phones, to
        self.got = {id(p): [] for p in phones}
        self.seq = dict.fromkeys(self.got, 0)
        self.number = dict.fromkeys(self.got, 0)
        self.frames, self.events, self.lock = 0, [], threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        for p in phones:
            p.media.setblocking(False)
        self._thread.start()

    def _put(self, i, p, pt, ts, body, marked=False):
        n = self.seq[id(p)]
        self.seq[id(p)] = n + 1
        head = struct.pack("!BBHII", 0x80, pt | marked << 7, (65000 + n) & 65535, ts & 0xffffffff, 100 + i)
        p.media.sendto(head + body, (self.to, p.remote_rtp))

    def _say(self):
        with self.lock:
            event = self.events.pop(0) if self.events else None
        for i, p in enumerate(self.phones):
            ts = 4294900000 + self.frames * 160
            if event and event[0] is p:
                self._put(i, p, PT_EVENT, event[1], event[2], event[3])
                continue
            k = self.number[id(p)]
            self.number[id(p)] = k + 1
            self._put(i, p, 0, ts, struct.pack("!HI", i, k) + b"\x55" * 154)
        self.frames += 1

    def press(self, p, digit):
        """Five packets in place of audio, then three ends (RFC 4733)."""
        ts = 4294900000 + self.frames * 160 + 320
        with self.lock:
            for k in range(8):
                self.events.append((p, ts, struct.pack("!BBH", digit, (0x80 if k > 4 else 0) | 10, 160 * min(k + 1, 6)), k == 0))

    def _run(self):
        by_socket = {p.media: p for p in self.phones}
        due = time.monotonic()
        while not self._stop.is_set():
            if due <= time.monotonic():
                self._say()
                due += 0.02
            for s in select.select(list(by_socket), [], [], max(0, due - time.monotonic()))[0]:
                self._take(by_socket[s])

    def _take(self, p):
        while True:
            try:
                b = p.media.recv(2000)
            except BlockingIOError:
                return
            who = struct.unpack("!HI", b[12:18]) if len(b) == 172 else (None, None)
            with self.lock:
                self.got[id(p)].append((b[1] & 127, *struct.unpack("!HII", b[2:12]), *who))

    def of(self, p):
        with self.lock:
            return list(self.got[id(p)])

    def wait(self, fn, why, timeout=15):
        deadline = time.monotonic() + timeout
        while not fn():
            assert time.monotonic() < deadline, why
            time.sleep(0.02)

    def more(self, frames=25):
        at = self.frames
        self.wait(lambda: self.frames >= at + frames, "the traffic stands still")

    def stop(self):
        if self._stop.is_set():
            return
        self.more(3)
        self._stop.set()
        self._thread.join()
        time.sleep(0.05)
        for p in self.phones:
            self._take(p)


def continuous(got):
    """One SSRC, each sequence number once and in order, audio's timestamp a frame a packet; the count of packets."""
    audio = [g for g in got if g[0] != PT_EVENT]
    assert len({g[3] for g in got}) == 1, {g[3] for g in got}
    steps = [(b[1] - a[1]) & 65535 for a, b in zip(got, got[1:])]
    assert all(n == 1 for n in steps), [(i, n) for i, n in enumerate(steps) if n != 1][:10]
    for a, b in zip(audio, audio[1:]):
        assert (b[2] - a[2]) & 0xffffffff in (160, 160 * 9), (a, b)
    return len(got)


def unbroken(got, who):
    """Numbers of that phone, without one missing."""
    numbers = [g[5] for g in got if g[4] == who]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), numbers
    return numbers


def kernel_streams(sw):
    return sum(int(r["kernel_streams"]) for r in json.loads(sw.api("show media as json"))["rows"])


def kernel_packets(sw, column="kernel_packets"):
    return sum(int(r[column]) for r in json.loads(sw.api("show media as json"))["rows"])


def wait_kernel(sw, count, timeout=10):
    deadline = time.monotonic() + timeout
    while (n := kernel_streams(sw)) != count:
        assert time.monotonic() < deadline, f"{n} streams in the kernel, not {count}"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def nets():
    if os.geteuid():
        pytest.skip("network namespaces take root")
    net, made = 64 + os.getpid() % 128, []
    try:
        for side, name in enumerate("ab"):
            n = Network(f"tk{os.getpid()}{name}", net, side + 1)
            made.append(n)
            with n.inside():
                poll_arriving("eth0")  # frames by XDP are taken there
        yield made
    finally:
        for n in made:
            n.close()


def switch_at(root, address, interfaces="auto", mode="auto"):
    import tandem as t
    s = t.Tandem(root)
    for name, old, new in (("autoload_configs/switch.conf.xml", '"media-kernel-relay" value="false"', '"media-kernel-relay" value="true"'),
                           ("autoload_configs/switch.conf.xml", '"media-kernel-interfaces" value="auto"', f'"media-kernel-interfaces" value="{interfaces}"'),
                           ("autoload_configs/switch.conf.xml", '"media-kernel-mode" value="auto"', f'"media-kernel-mode" value="{mode}"'),
                           ("sip_profiles/internal.xml", 'name="rtp-ip" value="$${local_ip_v4}"', f'name="rtp-ip" value="{address}"')):
        p = s.root / "conf" / name
        assert old in p.read_text()
        p.write_text(p.read_text().replace(old, new))
    write_extensions(s, [extension("7501", "answer", "playback tone_stream://%(400,100,600);loops=-1"),
                         extension("7502", "answer", "echo")])
    s.start()
    return s


@pytest.fixture(scope="module", params=["tc", "xdp", "auto"])
def sw(request, nets, tmp_path_factory):
    """Relays by tc only, by XDP only, and by XDP with tc behind it; .by_xdp tells."""
    s = switch_at(tmp_path_factory.mktemp("kernel") / "instance", nets[0].here, mode=request.param)
    said = s.log_text + s.console()
    m = re.search("no relay in the kernel.*", said)
    if m or (request.param != "tc" and "on 0 of them by XDP" in said):
        s.stop()
        pytest.skip(f"the switch says: {m.group(0) if m else 'no XDP on a veth'}")
    s.by_xdp = request.param != "tc"
    yield s
    s.stop()


@pytest.fixture
def talk(sw, nets, phone):
    """talk(count): so many bridged calls from network A to network B, all speaking; (traffic, [(a, b)])."""
    made = []

    def make(count=1):
        pairs = []
        for i in range(count):
            a, b = (phone(str(u), kind=FarPhone, net=n) for u, n in ((1000, nets[0]), (1001, nets[1])))
            a.invite("1001", a.body())
            b.take(b.body())
            a.answered()
            pairs.append((a, b))
        made.append(Traffic([p for pair in pairs for p in pair], nets[0].here))
        return made[-1], pairs
    yield make
    for t in made:
        t.stop()


def test_goes_to_the_kernel_and_back(sw, talk):
    """Packets are continuous by number, timestamp and SSRC; a record takes the flow back, and it goes again afterwards."""
    t, [(a, b)] = talk()
    wait_kernel(sw, 2)
    before = kernel_packets(sw)
    t.more(60)
    t.wait(lambda: kernel_packets(sw) >= before + 100, "the kernel counts no packets")
    by_xdp, by_both = kernel_packets(sw, "xdp_packets"), kernel_packets(sw)
    assert by_xdp > by_both * 0.9 if sw.by_xdp else by_xdp == 0, (by_xdp, by_both)
    uuid = uuid_of(sw, "1000")
    path = sw.root / "recordings/kernel.wav"
    assert sw.api(f"uuid_record {uuid} start {path}").startswith("+OK")
    wait_kernel(sw, 0)
    t.more(50)
    assert sw.api(f"uuid_record {uuid} stop {path}").startswith("+OK")
    wait_kernel(sw, 2)
    t.more(50)
    t.stop()
    assert path.stat().st_size > 44 + 16000 * 0.8
    for p, other in ((a, 1), (b, 0)):
        got = t.of(p)
        assert continuous(got) > 150
        unbroken(got, other)


def test_hold_playback_and_the_counters(sw, talk):
    """A hold, a playback into the call and the end: numbers go on, and the statistics count the kernel's packets."""
    events = sw.esl()
    events.subscribe("CHANNEL_HANGUP_COMPLETE")
    t, [(a, b)] = talk()
    wait_kernel(sw, 2)
    t.more(30)
    a.request("INVITE", body=a.body("sendonly", version=2))
    ok = a.expect(200)
    a.request("ACK", cseq=int(ok.get("CSeq").split()[0]))
    wait_kernel(sw, 0)
    t.more(30)
    a.request("INVITE", body=a.body(version=3))
    ok = a.expect(200)
    a.request("ACK", cseq=int(ok.get("CSeq").split()[0]))
    wait_kernel(sw, 2)
    assert "OK" in sw.api(f"uuid_broadcast {uuid_of(sw, '1000')} tone_stream://%(1500,0,500) aleg")
    wait_kernel(sw, 0)
    wait_kernel(sw, 2)
    t.more(30)
    t.stop()
    a.bye()
    ended(b)
    for _ in range(2):
        e = events.wait_event("CHANNEL_HANGUP_COMPLETE", **{"Caller-Destination-Number": "1001"})
        p = a if e["Call-Direction"] == "inbound" else b
        unheard = t.of(b if p is a else a)[0][5]  # before the leg knew where it speaks: no matter of the kernel's
        assert unheard <= 1
        sent = t.seq[id(p)] - unheard
        assert int(e["variable_rtp_audio_in_packet_count"]) == sent
        assert int(e["variable_rtp_audio_in_raw_bytes"]) == sent * 172
        got = t.of(p)
        assert int(e["variable_rtp_audio_out_packet_count"]) == len(got)
        assert len({g[3] for g in got}) == 1
        steps = [(y[1] - x[1]) & 65535 for x, y in zip(got, got[1:])]
        assert all(n == 1 for n in steps), steps
    events.close()


def test_strangers_are_dropped(sw, nets, talk):
    """From another port, another host, or the right one with another payload type: not heard; a new SSRC is."""
    t, [(a, b)] = talk()
    wait_kernel(sw, 2)
    strangers = [nets[0].udp(), nets[1].udp()]
    for k in range(100):
        for s in strangers:
            s.sendto(struct.pack("!BBHII", 0x80, 0, (65000 + t.seq[id(a)]) & 65535, k, 100) + b"strange!" * 20, (nets[0].here, a.remote_rtp))
    t.more(20)
    assert kernel_streams(sw) == 2
    t.stop()
    for s in strangers:
        s.close()
    got = t.of(b)
    continuous(got)
    unbroken(got, 0)
    assert all(g[4] == 0 for g in got)


def test_digits_are_reported(sw, talk):
    """A telephone-event comes up, is told and relayed; the audio stays in the kernel."""
    events = sw.esl()
    events.subscribe("DTMF")
    t, [(a, b)] = talk()
    wait_kernel(sw, 2)
    for digit in (5, 11):
        t.press(a, digit)
        e = events.wait_event("DTMF")
        assert e["DTMF-Digit"] == "0123456789*#"[digit]
        t.more(20)
    assert kernel_streams(sw) == 2
    t.stop()
    got = t.of(b)
    continuous(got)
    unbroken(got, 0)
    assert len([g for g in got if g[0] == PT_EVENT]) == 16
    events.close()


def test_on_and_off_under_load(sw, talk):
    """Fifty calls go to the kernel and back, again and again: no packet is lost, twice, or out of order."""
    t, pairs = talk(50)
    wait_kernel(sw, 100)
    uuids = [r["uuid"] for r in json.loads(sw.api("show channels as json"))["rows"] if r["direction"] == "inbound"]
    assert len(uuids) == 50
    for _ in range(3):
        for u in uuids:
            assert sw.api(f"uuid_record {u} start {sw.root}/recordings/{u}.wav").startswith("+OK")
        wait_kernel(sw, 0)
        for u in uuids:
            assert sw.api(f"uuid_record {u} stop all").startswith("+OK")
        wait_kernel(sw, 100)
    before = kernel_packets(sw)
    t.more(60)
    assert kernel_packets(sw) > before
    t.stop()
    for i, (a, b) in enumerate(pairs):
        for p, other in ((a, 2 * i + 1), (b, 2 * i)):
            got = t.of(p)
            continuous(got)
            assert unbroken(got, other)[-1] == t.number[id(pairs[i][other % 2])] - 1


def test_a_killed_switch_relays_nothing(sw, nets, tmp_path):
    """What it leaves behind ends by itself, and the next one takes its place. Where another's XDP program is, it relays by tc."""
    s = switch_at(tmp_path / "instance", nets[0].here)
    if "no relay in the kernel" in s.log_text + s.console():
        s.stop()
        pytest.skip("no relay in the kernel here")
    a, b = FarPhone(s, "1000", nets[0]), FarPhone(s, "1001", nets[1])
    for p in (a, b):
        p.register()
    a.invite("1001", a.body())
    b.take(b.body())
    a.answered()
    t = Traffic([a, b], nets[0].here)
    try:
        wait_kernel(s, 2)
        assert ("another XDP program is there" in s.log_text + s.console()) == sw.by_xdp
        t.more(60)
        t.wait(lambda: kernel_packets(s) >= 60, "the kernel counts no packets")
        assert (kernel_packets(s, "xdp_packets") == 0) == sw.by_xdp
        s.kill()
        t.more(10)
        t.wait(lambda: (n := len(t.of(b)), t.more(50), len(t.of(b)))[2] == n, "it goes on for ever")
    finally:
        t.stop()
    for p in (a, b):
        p.close()
    again = switch_at(tmp_path / "again", nets[0].here)
    again.stop()


@contextlib.contextmanager
def own_call(root, sides, polled, mode):
    """A switch and a call between two networks of their own; (switch, traffic, networks, phones)."""
    if os.geteuid():
        pytest.skip("network namespaces take root")
    with contextlib.ExitStack() as stack:
        pair = []
        for side in sides:
            n = Network(f"tk{os.getpid()}{side}", 64 + os.getpid() % 128, side)
            stack.callback(n.close)
            pair.append(n)
            if side in polled:
                with n.inside():
                    poll_arriving("eth0")
        s = switch_at(root, pair[0].here, interfaces=",".join(n.link for n in pair), mode=mode)
        stack.callback(s.stop)
        if "on 2 of them by XDP" not in s.log_text + s.console():
            pytest.skip("no relay by XDP here")
        phones = [FarPhone(s, user, n) for user, n in zip(("1000", "1001"), pair)]
        a, b = phones
        for p in phones:
            stack.callback(p.close)
            p.register()
        a.invite("1001", a.body())
        b.take(b.body())
        a.answered()
        t = Traffic(phones, pair[0].here)
        stack.callback(t.stop)
        wait_kernel(s, 2)
        yield s, t, pair, phones


def test_an_other_end_that_takes_no_frames(tmp_path):
    """A veth whose other end has GRO off takes no frames: that way goes by tc, and by XDP as soon as it does; nothing is lost."""
    with own_call(tmp_path / "instance", (3, 4), polled=(3,), mode="auto") as (s, t, pair, phones):
        def ways(frames):
            """Packets by XDP and by tc while so many frames are said."""
            xdp, both = kernel_packets(s, "xdp_packets"), kernel_packets(s)
            t.more(frames)
            xdp, both = kernel_packets(s, "xdp_packets") - xdp, kernel_packets(s) - both
            return xdp, both - xdp
        by_xdp, by_tc = ways(150)
        assert by_xdp > 40 and by_tc > 40, (by_xdp, by_tc)
        with pair[1].inside():
            ethtool("eth0", ETHTOOL_SGRO, 1)
        t.wait(lambda: (w := ways(75))[0] and w[1] < 5, "the way that takes frames now is not used")
        assert kernel_streams(s) == 2
        t.stop()
        for p, other in zip(phones, (1, 0)):
            continuous(t.of(p))
            unbroken(t.of(p), other)


def test_a_neighbour_that_moves(tmp_path):
    """A phone whose hardware address changes is reached by XDP again within seconds."""
    with own_call(tmp_path / "instance", (5, 6), polled=(5, 6), mode="xdp") as (s, t, pair, phones):
        mac = "02:00:00:00:00:77"
        ip("-n", pair[1].name, "link", "set", "eth0", "address", mac)
        ip("neigh", "replace", pair[1].address, "lladdr", mac, "dev", pair[1].link, "nud", "reachable")
        heard = len(t.of(phones[1]))
        t.wait(lambda: len(t.of(phones[1])) > heard + 100, "it is not reached any more")
        before = kernel_packets(s, "xdp_packets")
        t.wait(lambda: kernel_packets(s, "xdp_packets") > before + 50, "XDP relays no more")


def test_modes_that_cannot_be(nets, tmp_path):
    """Only XDP, where the interface has none; and a word that is no mode."""
    s = switch_at(tmp_path / "instance", nets[0].here, interfaces="lo", mode="xdp")
    try:
        said = s.console() + s.log_text
        assert "no relay in the kernel, packets are relayed by sockets" in said
        assert "interface lo: no XDP" in said or "built without" in said or "CAP_BPF" in said
    finally:
        s.stop()
    s = switch_at(tmp_path / "other", nets[0].here, mode="fast")
    try:
        said = s.console() + s.log_text
        assert 'media-kernel-mode is auto, xdp or tc, not "fast"' in said or "built without" in said
    finally:
        s.stop()


def test_without_an_interface(nets, tmp_path):
    """It says why, once, and relays as ever."""
    s = switch_at(tmp_path / "instance", nets[0].here, interfaces="nosuch0")
    try:
        said = s.console() + s.log_text
        assert "no relay in the kernel, packets are relayed by sockets" in said
        assert 'media-kernel-interfaces: no interface is named "nosuch0"' in said or "built without" in said
        assert kernel_streams(s) == 0
    finally:
        s.stop()
