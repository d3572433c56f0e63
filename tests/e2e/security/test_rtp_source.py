"""A stranger who guesses a media port sends RTP to it before the phone does, or while it moves or holds: the switch takes him for the
phone, plays the call to him, puts his sound and his digits into it, and the phone is deaf and mute for good. Or he sends so much that
the phone's own packets are lost. And the other way round: a phone that moves must be followed, one behind a translator be found."""
import contextlib
import ctypes
import os
import re
import socket
import struct
import threading
import time
import traceback
import wave

import numpy as np
import pytest
from calls import bridged, call, ended, extension, is_pair, talks, write_extensions
from talk import Talker, amplitude, ulaw
from tandem import Tandem
from wire import Phone, sdp

pytestmark = pytest.mark.leaks

ELSEWHERE, SAME_HOST = "127.0.0.66", "127.0.0.1"
HIDDEN = "10.99.0.7"  # nothing here has it: the phone's address in its own network
NAT = "127.0.0.3"     # what the world sees of it


class Stranger:
    """A socket of somebody who was never signalled."""

    def __init__(self, host=ELSEWHERE):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((host, 0))
        self.s.setblocking(False)
        self.seq, self.hz, self.host = 0, 2500, host

    def send(self, port, count=1, every=0.002, pt=0, payload=None, ssrc=77, host="127.0.0.1"):
        """In sequence, with the SSRC that the phones of talk.py have."""
        tone = ulaw(8000 * np.sin(2 * np.pi * self.hz * np.arange(160) / 8000)) if payload is None else payload
        for _ in range(count):
            self.seq += 1
            with contextlib.suppress(BlockingIOError):
                self.s.sendto(struct.pack("!BBHII", 0x80, pt, self.seq & 65535, self.seq * 160 & 0xffffffff, ssrc) + tone, (host, port))
            if every:
                time.sleep(every)

    def press(self, port, digit, host="127.0.0.1"):
        for end in (0, 0, 0x80, 0x80, 0x80):
            self.send(port, 1, pt=101, payload=struct.pack("!BBH", int(digit), 10 | end, 800), host=host)

    def got(self):
        n = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                self.s.recv(2000)
                n += 1
        return n

    def close(self):
        self.s.close()


@pytest.fixture
def stranger():
    made = []

    def make(host=ELSEWHERE):
        made.append(Stranger(host))
        return made[-1]
    yield make
    for x in made:
        x.close()


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = Tandem(tmp_path_factory.mktemp("rtp_source") / "instance")
    write_extensions(s, [
        extension("7001", "answer", f"record_session {s.root}/taken.wav", "echo"),
        extension("7002", "answer", "playback tone_stream://%(100000,0,500)"),
        extension("7003", "set rtp_source=strict", "answer", "echo"),
        extension("7004", "set rtp_source=off", "answer", "echo"),
        extension("7005", "set disable_rtp_auto_adjust=true", "answer", "echo"),
        extension("7006", "set bypass_media=true", "bridge user/1001@$${domain}"),
    ])
    s.start()
    yield s
    s.stop()


def move_media(p, host=SAME_HOST):
    """Another socket for the phone's media; the old one."""
    was, p.media = p.media, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    p.media.bind((host, 0))
    p.media.settimeout(3)
    p.rtp_port = p.media.getsockname()[1]
    return was


def echoed(p):
    p.talk.hears(p.hz)


def hears_nothing_early(x):
    """Before the phone speaks. Of its own host a port that goes on for half a second may be learned until then; on a slow machine that is
    no matter of how many packets."""
    got = x.got()
    assert got == 0 or x.host == SAME_HOST


def only_hears(p, q, x):
    """Each the other, and, from then on, nobody the stranger, who hears nothing."""
    is_pair(p, q)
    x.got()
    p.talk.hears(q.hz, absent=(x.hz,))
    q.talk.hears(p.hz, absent=(x.hz,))
    assert x.got() == 0


# ---- attacks
@pytest.mark.parametrize("count", [5, 50, 500])
@pytest.mark.parametrize("host", [ELSEWHERE, SAME_HOST])
def test_before_the_first_packet(sw, phone, stranger, host, count):
    a, x = call(phone("1000", hz=700), "9196"), stranger(host)
    x.send(a.remote_rtp, count)
    hears_nothing_early(x)
    talks(a)
    echoed(a)
    x.got()
    x.send(a.remote_rtp, 100)
    a.talk.hears(a.hz, absent=(x.hz,))
    assert x.got() == 0


def test_after_one_of_its_host_that_counts_ahead(sw, phone, stranger):
    """He was learned, with the phone's SSRC and higher numbers: the phone's packets are no late ones of his."""
    a, x = call(phone("1000", hz=700), "9196"), stranger(SAME_HOST)
    x.seq = 250
    for _ in range(20):
        x.send(a.remote_rtp, 50, every=0.005)
        if x.got():
            break
    else:
        raise AssertionError("he was not learned")
    talks(a)
    echoed(a)


@pytest.mark.parametrize("host", [ELSEWHERE, SAME_HOST])
def test_while_it_rings_and_before_both_speak(sw, phone, stranger, host):
    a, b, x = phone("1000", hz=500), phone("1001", hz=900), stranger(host)
    a.invite("1001")
    invite = b.expect(method="INVITE")
    to_b = int(re.search(r"m=audio (\d+)", invite.body).group(1))
    x.send(to_b, 100)
    b.reply(invite, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    for port in (to_b, a.remote_rtp):
        x.send(port, 50)
    hears_nothing_early(x)
    talks(a, b)
    only_hears(a, b, x)


@pytest.mark.parametrize("host", [ELSEWHERE, SAME_HOST])
def test_in_the_middle_on_hold_and_after(sw, phone, stranger, host):
    a, b = bridged(phone("1000", hz=500), phone("1001", hz=900), "1001")
    x = stranger(host)
    for port in (a.remote_rtp, b.remote_rtp):
        x.send(port, 200)
    only_hears(a, b, x)
    a.request("INVITE", body=sdp(a.rtp_port, direction="sendonly", version=2))
    a.answered()
    for port in (a.remote_rtp, b.remote_rtp):
        x.send(port, 200)
    assert x.got() == 0
    a.request("INVITE", body=sdp(a.rtp_port, version=3))
    a.answered()
    for port in (a.remote_rtp, b.remote_rtp):
        x.send(port, 200)
    only_hears(a, b, x)


@pytest.mark.parametrize("host", [ELSEWHERE, SAME_HOST])
@pytest.mark.parametrize("count", [5, 100])
def test_while_a_phone_moves(sw, phone, stranger, host, count):
    """Between the re-INVITE and the first packet from the new port."""
    a, b = bridged(phone("1000", hz=500), phone("1001", hz=900), "1001")
    x = stranger(host)
    a.talk.stop()
    old = move_media(a)
    a.request("INVITE", body=sdp(a.rtp_port, version=2))
    a.answered()
    x.send(a.remote_rtp, count)
    hears_nothing_early(x)
    a.talk = Talker(a, a.hz)
    x.send(a.remote_rtp, count)
    only_hears(a, b, x)
    old.close()


def test_after_a_bypass(sw, phone, stranger):
    """Media that comes back to the switch begins anew, and so does the attack."""
    a, b, x = phone("1000", hz=500), phone("1001", hz=900), stranger(SAME_HOST)
    a.invite("7006")
    invite = b.take()
    a.answered()
    assert f"m=audio {a.rtp_port} " in invite.body
    uuid = sw.api("show channels").split("\n")[1].split(",")[0]
    assert sw.api(f"uuid_media {uuid}").startswith("+OK")
    for p in (a, b):
        again = p.expect(method="INVITE")
        p.reply(again, 200, "OK", sdp(p.rtp_port, version=2))
        p.expect(method="ACK")
        p.remote_rtp = int(re.search(r"m=audio (\d+)", again.body).group(1))
    for p in (a, b):
        x.send(p.remote_rtp, 100)
    talks(a, b)
    only_hears(a, b, x)


def test_played_and_recorded(sw, phone, stranger):
    a, x = call(phone("1000", hz=700), "7002"), stranger(SAME_HOST)
    x.send(a.remote_rtp, 100)
    talks(a)
    a.talk.say(0.1)
    a.talk.hears(500)
    x.got()
    x.send(a.remote_rtp, 100)
    assert x.got() == 0
    a.bye()
    b = call(phone("1001", hz=700), "7001")
    x.send(b.remote_rtp, 20)
    talks(b)
    echoed(b)
    x.got()
    x.send(b.remote_rtp, 100)
    echoed(b)
    assert x.got() == 0
    b.bye()
    sw.wait_calls(0)
    with wave.open(str(sw.root / "taken.wav")) as f:
        sound = np.frombuffer(f.readframes(f.getnframes()), np.int16).reshape(-1, f.getnchannels())[:, 0].astype(float)
    assert amplitude(sound, b.hz) > 200 and amplitude(sound, x.hz) < 20


def test_a_strangers_digits(sw, phone, stranger):
    events = sw.esl()
    events.subscribe("DTMF")
    a, xs = call(phone("1000", hz=700), "9196"), [stranger(ELSEWHERE), stranger(SAME_HOST)]
    for x in xs:
        x.send(a.remote_rtp, 20 if x.host == ELSEWHERE else 4)  # one more, and a slow machine could take it for the phone
        x.press(a.remote_rtp, 5)
    talks(a)
    echoed(a)
    for x in xs:
        x.press(a.remote_rtp, 6)
    a.talk.press("7")
    assert events.wait_event("DTMF")["DTMF-Digit"] == "7"
    events.close()


def sender_report(ssrc, packets):
    return struct.pack("!BBHIQIII", 0x80, 200, 6, ssrc, 1 << 40, 0, packets, packets)


def test_rtcp(sw, phone, stranger):
    """A stranger's reports count for nothing, before and after the phone's; ours go where the phone's RTCP is."""
    events = sw.esl()
    events.subscribe("CHANNEL_HANGUP_COMPLETE")
    a, xs = phone("1000", hz=700), [stranger(ELSEWHERE), stranger(SAME_HOST)]
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.bind((SAME_HOST, 0))
    own.settimeout(10)
    a.invite("9196", sdp(a.rtp_port) + f"a=rtcp:{own.getsockname()[1]}\r\n")
    a.answered()
    for x in xs:
        for _ in range(100):
            x.s.sendto(sender_report(77, 1), ("127.0.0.1", a.remote_rtp + 1))
            x.s.sendto(os.urandom(60), ("127.0.0.1", a.remote_rtp + 1))
    talks(a)
    echoed(a)
    own.sendto(sender_report(77, 4711), ("127.0.0.1", a.remote_rtp + 1))
    assert own.recv(2000)[1] in (200, 201)
    for x in xs:
        for _ in range(100):
            x.s.sendto(sender_report(88, 1), ("127.0.0.1", a.remote_rtp + 1))
        assert x.got() == 0
    echoed(a)
    a.bye()
    assert events.wait_event("CHANNEL_HANGUP_COMPLETE")["variable_rtp_audio_rtcp_packet_count"] == "4711"
    own.close()
    events.close()


@pytest.mark.parametrize("media_from", ["signalled", SAME_HOST, NAT])
@pytest.mark.parametrize("host", [ELSEWHERE, SAME_HOST])
def test_a_flood(sw, phone, stranger, host, media_from):
    """From before the first packet on, to both ports of both phones, as fast as it goes; also where the phone is behind a translator
    and its address was learned."""
    a, b = phone("1000", hz=500), phone("1001", hz=900)
    if media_from == "signalled":
        a.invite("1001")
    else:
        move_media(a, media_from)
        a.invite("1001", sdp(4000, host=HIDDEN))
    b.take()
    a.answered()
    is_over = threading.Event()

    def flood():
        x = stranger(host)
        while not is_over.is_set():
            for port in (a.remote_rtp, b.remote_rtp):
                for ssrc in range(20):
                    x.send(port, 1, every=0, ssrc=ssrc)  # nobody would learn it
                    x.send(port + 1, 1, every=0)
            time.sleep(0.0005)  # the phones' threads live in this process, too
    t = threading.Thread(target=flood)
    t.start()
    try:
        talks(a, b)
        is_pair(a, b)
        before, sent = [len(p.talk.got) for p in (a, b)], [p.talk._seq for p in (a, b)]
        a.talk.say(3)
        said = [p.talk._seq - n for p, n in zip((a, b), sent)]  # these have had the time to arrive
        got = [len(p.talk.got) - n for p, n in zip((a, b), before)]
    finally:
        is_over.set()
        t.join()
    assert got[0] > 0.95 * said[1] and got[1] > 0.95 * said[0], (got, said)


# ---- phones that move
@pytest.mark.parametrize("overlap", [0, 0.15, 0.4])
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_phone_moves_while_its_old_stream_goes_on(sw, phone, who, overlap):
    """The newest signalled address wins, whatever still comes from the one before."""
    a, b = bridged(phone("1000", hz=500), phone("1001", hz=900), "1001")
    p, q = (a, b) if who == "caller" else (b, a)
    old = move_media(p)
    new, p.media = p.media, old  # the old stream
    if who == "caller":
        p.request("INVITE", body=sdp(p.rtp_port, version=2))
        p.answered()
    else:
        p.own_request("INVITE", sdp(p.rtp_port, version=2))
        ok = p.expect(200)
        p.own_request("ACK", cseq=int(ok.get("CSeq").split()[0]))
    p.talk.say(overlap)
    p.talk.stop()
    p.media = new
    p.talk = Talker(p, p.hz)
    is_pair(p, q)
    old.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            old.recv(2000)
    is_pair(p, q)
    with pytest.raises(BlockingIOError):
        old.recv(2000)
    old.close()


def test_the_old_port_is_never_learned(sw, phone):
    """It goes on for ever; the new one only listens, and then speaks once more."""
    a, b = bridged(phone("1000", hz=500), phone("1001", hz=900), "1001")
    old = move_media(a)
    new, a.media = a.media, old
    a.request("INVITE", body=sdp(a.rtp_port, version=2))
    a.answered()
    a.talk.say(4)  # longer than it is still heard
    with contextlib.suppress(TimeoutError):
        new.settimeout(0.5)
        assert new.recv(2000)
    assert len(b.talk.got) > 0
    a.talk.stop()
    a.media = new
    a.talk = Talker(a, a.hz)
    is_pair(a, b)
    old.close()


@pytest.mark.parametrize("overlap", [0, 0.15, 0.4])
def test_early_media_from_one_port_the_answer_from_another(sw, phone, overlap):
    a, b = phone("1000", hz=500), phone("1001", hz=900)
    a.invite("1001")
    invite = b.expect(method="INVITE")
    b.remote_rtp = int(re.search(r"m=audio (\d+)", invite.body).group(1))
    b.reply(invite, 183, "Session Progress", sdp(b.rtp_port))
    progress = a.expect(183)
    a.remote_rtp = int(re.search(r"m=audio (\d+)", progress.body).group(1))
    talks(a, b)
    is_pair(a, b)
    old = move_media(b)
    new, b.media = b.media, old
    b.reply(invite, 200, "OK", sdp(b.rtp_port, version=2))
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    b.talk.say(overlap)
    b.talk.stop()
    b.media = new
    b.talk = Talker(b, b.hz)
    is_pair(a, b)
    old.close()


# ---- phones behind a translator
def hidden_call(p, number, media_host, host=HIDDEN, version=1):
    move_media(p, media_host)
    p.invite(number, sdp(4000, host=host, version=version))
    p.answered()
    return p


def test_a_phone_behind_nat_is_found(sw, phone):
    """Its SDP names an address of its own network; its media comes from where its signalling comes from."""
    a = hidden_call(phone("1000", hz=700), "9196", SAME_HOST)
    talks(a)
    echoed(a)


def test_a_phone_behind_a_proxy_and_nat_is_found(sw, phone):
    """Signalling comes from the proxy, media from an address that nobody named."""
    a = hidden_call(phone("1000", hz=700), "9196", NAT)
    talks(a)
    echoed(a)


def test_as_callee(sw, phone):
    a, b = phone("1000", hz=500), phone("1001", hz=900)
    move_media(b, NAT)
    a.invite("1001")
    b.take(sdp(4000, host=HIDDEN))
    a.answered()
    talks(a, b)
    is_pair(a, b)


@pytest.mark.parametrize("count", [5, 50, 500])
def test_a_stranger_before_a_phone_behind_nat(sw, phone, stranger, count):
    """The host that signalling came from is better than any stranger's."""
    a, x = hidden_call(phone("1000", hz=700), "9196", SAME_HOST), stranger()
    x.send(a.remote_rtp, count)
    talks(a)
    echoed(a)
    x.got()
    x.send(a.remote_rtp, count)
    a.talk.hears(a.hz, absent=(x.hz,))
    assert x.got() == 0


@pytest.mark.parametrize("count", [5, 500])
def test_a_stranger_before_a_phone_behind_a_proxy(sw, phone, stranger, count):
    """Nobody can tell the two apart; but he has to go on, and five packets lock nobody out."""
    a, x = hidden_call(phone("1000", hz=700), "9196", NAT), stranger()
    x.send(a.remote_rtp, count)
    talks(a)
    echoed(a)
    x.got()
    x.send(a.remote_rtp, 50)
    a.talk.hears(a.hz, absent=(x.hz,))
    assert x.got() == 0


def test_other_payload_types_teach_nothing(sw, phone, stranger):
    a, x = hidden_call(phone("1000", hz=700), "9196", NAT), stranger()
    x.send(a.remote_rtp, 100, pt=8)
    x.press(a.remote_rtp, 5)
    x.send(a.remote_rtp, 1)
    assert x.got() == 0
    talks(a)
    echoed(a)


def test_a_proxy_that_names_the_phones_address(sw, phone, stranger):
    """received= of the phone's own Via: then it is better than a stranger's that speaks first and goes on."""
    a, x = phone("1000", hz=700), stranger()
    move_media(a, NAT)
    via = a.via
    a.via = lambda branch=None: f"{via(branch)}\nVia: SIP/2.0/UDP {HIDDEN}:5060;branch=z9hG4bKphone;received={NAT};rport=5071"
    a.invite("9196", sdp(4000, host=HIDDEN))
    a.answered()
    a.via = via
    is_over = threading.Event()

    def go_on():
        while not is_over.is_set():
            x.send(a.remote_rtp, 1, every=0.02)
    t = threading.Thread(target=go_on)
    t.start()
    try:
        deadline = time.monotonic() + 5
        while not x.got():  # it is heard
            assert time.monotonic() < deadline
            time.sleep(0.02)
        talks(a)
        a.talk.hears(a.hz, absent=(x.hz,))
        x.got()
        a.talk.hears(a.hz, absent=(x.hz,))
        assert x.got() == 0
    finally:
        is_over.set()
        t.join()


def test_a_phone_behind_nat_holds_and_moves(sw, phone, stranger):
    a, b = phone("1000", hz=500), phone("1001", hz=900)
    move_media(a, NAT)
    a.invite("1001", sdp(4000, host=HIDDEN))
    b.take()
    a.answered()
    talks(a, b)
    is_pair(a, b)
    x = stranger()
    for version, host, direction in ((2, "0.0.0.0", "inactive"), (3, HIDDEN, "sendrecv")):
        a.request("INVITE", body=sdp(4000, host=host, direction=direction, version=version))
        a.answered()
    is_pair(a, b)
    a.talk.stop()
    old = move_media(a, NAT)
    a.request("INVITE", body=sdp(4002, host=HIDDEN, version=4))
    a.answered()
    a.talk = Talker(a, a.hz)
    is_pair(a, b)
    assert x.got() == 0
    old.close()


# ---- the setting
@pytest.mark.parametrize("number", ["7003", "7005"])
def test_strict_takes_the_signalled_address_only(sw, phone, stranger, number):
    a = hidden_call(phone("1000", hz=700), number, SAME_HOST)
    talks(a)
    a.talk.say(1)
    assert not a.talk.got
    a.talk.stop()
    a.talk = None
    a.bye()
    b, x = call(phone("1001", hz=700), number), stranger(SAME_HOST)
    x.send(b.remote_rtp, 500)
    assert x.got() == 0
    talks(b)
    echoed(b)


def test_off_takes_any_host(sw, phone):
    """As FreeSWITCH does it; still the signalled address wins when it speaks."""
    a = phone("1000", hz=700)
    first = move_media(a, NAT)
    a.invite("7004", sdp(first.getsockname()[1]))
    a.answered()
    talks(a)
    echoed(a)
    a.talk.stop()
    a.media.close()
    a.media = first
    a.talk = Talker(a, a.hz)
    echoed(a)


@pytest.mark.parametrize("params, is_found", [('<param name="rtp-source" value="strict"/>', False),
                                              ('<param name="rtp-source" value="streng"/>', False),  # said in the log
                                              ('<param name="disable-rtp-auto-adjust" value="true"/>', False),
                                              ('<param name="rtp-source" value="nat"/>', True),
                                              ('<param name="rtp-autofix-timing" value="false"/>', True)])
def test_a_profile_says_it(fresh, params, is_found):
    p = fresh.root / "conf/sip_profiles/internal.xml"
    text = re.sub(r'\n *<param name="rtp-source"[^\n]*', "", p.read_text())
    p.write_text(text.replace("<settings>", "<settings>" + params))
    fresh.start()
    a = Phone(fresh, "1000")
    a.register()
    a.hz = 700
    hidden_call(a, "9196", SAME_HOST)
    talk = Talker(a, a.hz)
    if is_found:
        talk.hears(a.hz)
    else:
        talk.say(1)
        assert not talk.got
    if "streng" in params:
        fresh.wait_log('rtp-source "streng" is none of strict, nat, off')
    talk.stop()
    a.bye()
    a.close()


# ---- with addresses as the Internet has them
SWITCH, PROXY, HOME, PUBLIC = "198.51.100.1", "203.0.113.5", "203.0.113.77", "192.0.2.66"
INSIDE = "10.1.0.5"  # a proxy of the site's own network: apply-nat-acl tells that its phones are not


def in_namespace(fn, *args):
    """fn in a process and a network namespace of its own, which has these addresses and no other network."""
    pid = os.fork()
    if pid:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code == 77:
            pytest.skip("no network namespace may be made here")
        assert code == 0
        return
    code = 1
    try:
        libc, uid, gid = ctypes.CDLL(None, use_errno=True), os.getuid(), os.getgid()
        if libc.unshare(0x40000000 | (0 if uid == 0 else 0x10000000)):
            os._exit(77)
        if uid:
            for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
                with open(f"/proc/self/{name}", "w") as f:
                    f.write(text)
        if os.system("ip link set lo up && " + " && ".join(f"ip addr add {a}/32 dev lo" for a in (SWITCH, PROXY, HOME, PUBLIC, INSIDE))):
            os._exit(77)
        fn(*args)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


class FarPhone(Phone):
    """Its SIP comes from the proxy's address."""

    def __init__(self, sw, user, host):
        super().__init__(sw, user)
        self.s.close()
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((host, 0))
        self.s.connect((SWITCH, sw.sip_port))
        self.port, self.host = self.s.getsockname()[1], host

    def via(self, branch=None):
        return super().via(branch).replace("127.0.0.1", self.host)

    def contact(self):
        return super().contact().replace("127.0.0.1", "192.168.7.20")


def far_calls(root, sip_from, media_from, strangers_packets):
    sw = Tandem(root)
    sw.domain = SWITCH
    sw.env["TANDEM_IP"] = SWITCH
    sw.start()
    a = FarPhone(sw, "1000", sip_from)
    a.register()
    a.hz = 700
    move_media(a, media_from)
    a.invite("9196", sdp(4000, host="192.168.7.20"))
    a.answered()
    x = Stranger(PUBLIC)
    x.send(a.remote_rtp, strangers_packets, host=SWITCH)

    class Far(Talker):
        def _put(self, payload, pt, ts, marked=False):
            head = struct.pack("!BBHII", 0x80, pt | (0x80 if marked else 0), self._seq & 65535, ts & 0xffffffff, 77)
            self._seq += 1
            self.phone.media.sendto(head + payload, (SWITCH, self.phone.remote_rtp))
    talk = Far(a, a.hz)
    talk.hears(a.hz)
    x.got()
    x.send(a.remote_rtp, 100, host=SWITCH)
    talk.hears(a.hz, absent=(x.hz,))
    assert x.got() == 0
    talk.stop()
    a.bye()
    sw.stop()


@pytest.mark.parametrize("count", [0, 5, 500])
@pytest.mark.parametrize("sip_from, media_from", [(HOME, HOME), (PROXY, HOME), (PROXY, PROXY), (INSIDE, HOME)])
def test_public_and_private_addresses(tmp_path, sip_from, media_from, count):
    """A phone in a home network, alone and behind a proxy, and a proxy that relays the media without saying so."""
    in_namespace(far_calls, tmp_path / "instance", sip_from, media_from, count)


def test_ended_by_the_other_side(sw, phone, stranger):
    """And with the call the port is closed to everybody."""
    a, b = bridged(phone("1000", hz=500), phone("1001", hz=900), "1001")
    port, x = a.remote_rtp, stranger()
    a.bye()
    ended(b)
    sw.wait_calls(0)
    x.s.connect(("127.0.0.1", port))
    with pytest.raises(ConnectionRefusedError):
        for _ in range(100):
            x.s.send(b"x" * 20)
            time.sleep(0.01)
