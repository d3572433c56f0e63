"""Video's redundancy by parity (RED with ULPFEC, RFC 5109): agreed to where rtp_video_red asks for it; what is lost on the way from one phone
is whole at the other; our own parity for who tells that he loses packets."""
import random
import struct
import time

import parity
import pytest
from calls import ended, extension, write_extensions
from trunk import add_profile
from video_phone import VideoPhone, feedback, is_nack

pytestmark = pytest.mark.leaks
VP8, RED, FEC = 96, 116, 117
WITH = {VP8: ("VP8/90000", ""), RED: ("red/90000", ""), FEC: ("ulpfec/90000", "")}
ALONE = {VP8: ("VP8/90000", "")}
ABS = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
TURN = "urn:3gpp:video-orientation"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("fec") / "instance")
    s.at = add_profile(s, "parity", inbound_codec_prefs="PCMU,VP8", outbound_codec_prefs="PCMU,VP8")
    to_b = "sofia/parity/svc@127.0.0.1:${sip_h_X-Port}"
    write_extensions(s, [extension("7801", "bridge " + to_b), extension("7802", "set rtp_video_red=true", "bridge " + to_b),
                         extension("7803", "bridge {rtp_video_red=true}" + to_b), extension("7804", "export rtp_video_red=true", "bridge " + to_b)])
    s.start()
    yield s
    s.stop()


class Peer(VideoPhone):
    """Its video is kept as it comes, by number: what it is in RED is unwrapped; parity apart."""

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.seen, self.order, self.parity, self.red_pt = {}, [], [], None

    def gather(self, until, timeout=8):
        """Until that holds."""
        end = time.monotonic() + timeout
        while not until():
            assert time.monotonic() < end, (len(self.seen), self.order[-5:])
            self.v.settimeout(0.2)
            try:
                p = self.v.recv(4096)
            except TimeoutError:
                continue
            if 192 <= p[1] <= 223:
                self.kept = p
                continue
            seq, pt = parity.seq_of(p), p[1] & 127
            self.order.append((seq, pt))
            if pt == self.red_pt:
                pt, p = parity.unred(p)
            if pt == self.fec_pt:
                self.parity.append(p[12:])
            else:
                assert seq not in self.seen, f"{seq} twice"
                self.seen[seq] = p


def bridged(sw, phone, number, a=WITH, b=ALONE, exts=None, fb=("nack", "nack pli", "goog-remb", "transport-cc")):
    """The two, and where the call begins to be passed: the first number at b, and a's packet number that it was."""
    a = phone("ext", register=False, kind=Peer, at=sw.at, video=a, exts=exts, fb=fb)
    b = phone("svc", register=False, kind=Peer, at=sw.at, video=b, exts=exts, fb=fb, ssrc=0x2000)
    a.invite(number, body=a.description(), extra=f"X-Port: {b.port}\n")
    a.events = sw.esl()
    a.events.subscribe("CHANNEL_HANGUP_COMPLETE")
    a.offer = b.expect(method="INVITE")
    b.learn(a.offer.body)
    b.reply(a.offer, 200, "OK", b.description())
    b.expect(method="ACK")
    b.enter(a.offer)
    a.answer = a.answered()
    a.learn(a.answer.body)
    b.red_pt, b.fec_pt = (RED, FEC) if RED in b.video else (None, None)
    for _ in range(100):  # once the two are joined
        a.show(payload=b"first", pt=VP8)
        try:
            first = b.sees(0.05)
            break
        except TimeoutError:
            pass
    return a, b, first


def finish(a, b):
    a.bye()
    ended(b)
    end = a.events.wait_event("CHANNEL_HANGUP_COMPLETE", timeout=10)
    while end["Channel-Name"].startswith("sofia/parity/svc"):
        end = a.events.wait_event("CHANNEL_HANGUP_COMPLETE", timeout=10)
    a.events.close()
    return {k.removeprefix("variable_rtp_video_"): int(v) for k, v in end.items()
            if k.startswith("variable_rtp_video_") and k.endswith("_count")}


def media(a, rng, marked, ext=None):
    a.ts += 3000 if marked else 0
    return a.packet(payload=rng.randbytes(rng.randint(1, 1100)), marked=marked, pt=VP8, ext=ext)


def parity_packet(a, packets, is_long=False):
    return parity.red(a.packet(payload=parity.protect(packets, is_long), pt=FEC), RED)


def send(a, p):
    a.v.sendto(p, ("127.0.0.1", a.remote_video))


@pytest.mark.parametrize("is_long", [False, True])
def test_what_parity_covers_is_made_good(sw, phone, is_long):
    """A twentieth of the packets is lost. Of each group of ten (or thirty) with its parity one loss is made good, two are not; all that comes to the
    other phone is what was sent, byte for byte, in one sequence without the numbers of parity, under the marker and timestamp it had."""
    a, b, first = bridged(sw, phone, "7802")
    assert "red/90000" in a.answer.body and "ulpfec/90000" in a.answer.body and "red/90000" not in a.offer.body
    rng, size = random.Random(5), 30 if is_long else 10
    sent, wanted, covered, position = [], [], 0, 0
    at_b = first.seq  # b's number of what a sent last
    for group in range(1200 // size):
        packets = [media(a, rng, i % 5 == 4) for i in range(size)]
        lost = [i for i in range(size) if rng.random() < 0.05]
        for i, p in enumerate(packets):
            if i not in lost:
                send(a, parity.red(p, RED))
            position += 1
            if i not in lost or len(lost) == 1:
                wanted.append((position, p))
        covered += len(lost) == 1
        send(a, parity_packet(a, packets, is_long))
        sent += packets
        b.gather(lambda: len(b.seen) >= len(wanted))
    assert covered > 8
    got = sorted(b.seen.items(), key=lambda x: x[0] - at_b & 65535)
    assert [(s - got[0][0] & 65535) for s, _ in got] == [n - wanted[0][0] for n, _ in wanted]
    for (_, have), (_, want) in zip(got, wanted):
        assert have[12:] == want[12:] and have[1] == want[1], "another payload, marker or type"
    first_ts = struct.unpack("!I", got[0][1][4:8])[0] - struct.unpack("!I", wanted[0][1][4:8])[0]
    for (_, have), (_, want) in zip(got, wanted):
        assert struct.unpack("!I", have[4:8])[0] - struct.unpack("!I", want[4:8])[0] & 0xffffffff == first_ts & 0xffffffff
    counts = finish(a, b)
    assert counts["in_recovered_packet_count"] == covered and counts["in_fec_packet_count"] == 1200 // size, counts
    assert counts["in_skip_packet_count"] == 0


def test_late_and_twice(sw, phone):
    """What was made good and comes after all is not sent again; parity that comes before what it needs, or of two losses of which one comes late, is of use then."""
    a, b, first = bridged(sw, phone, "7802")
    rng = random.Random(6)
    one = [media(a, rng, False) for _ in range(4)]
    p1 = parity_packet(a, one)
    two = [media(a, rng, True) for _ in range(4)]
    p2 = parity_packet(a, two)
    for p in (one[0], one[1], one[3]):
        send(a, parity.red(p, RED))
    send(a, p1)
    b.gather(lambda: len(b.seen) == 4)
    send(a, parity.red(one[2], RED))
    send(a, p1)
    send(a, p2)  # nothing of it is here
    for p in (two[3], two[1]):
        send(a, parity.red(p, RED))
    b.gather(lambda: len(b.seen) == 6)
    send(a, parity.red(two[0], RED))  # and with it two[2]
    b.gather(lambda: len(b.seen) == 8)
    send(a, parity.red(two[2], RED))
    send(a, parity.red(media(a, rng, True), RED))
    b.gather(lambda: len(b.seen) == 9)
    got = [p[12:] for _, p in sorted(b.seen.items())]
    assert got[:8] == [p[12:] for p in one + two]
    assert finish(a, b)["in_recovered_packet_count"] == 2


def test_what_was_made_good_is_not_asked_for(sw, phone):
    """NACK: the numbers of the source, with parity counted again; of what was made good it is not told, and gets it once more from here."""
    a, b, first = bridged(sw, phone, "7802")
    rng = random.Random(7)
    for _ in range(3):  # numbers shift by one each
        group = [media(a, rng, False) for _ in range(4)]
        for p in group[:1] + group[2:]:
            send(a, parity.red(p, RED))
        send(a, parity_packet(a, group))
    b.gather(lambda: len(b.seen) == 12)
    lost = media(a, rng, False)  # nothing covers it
    send(a, parity.red(media(a, rng, False), RED))
    b.gather(lambda: len(b.seen) == 13)
    newest = max(b.seen)
    made_good = newest - 1 - 3  # the second of the last group
    again = b.seen.pop(made_good)
    ssrc = struct.unpack("!I", again[8:12])[0]
    b.rtcp(feedback(205, 1, b.ssrc, ssrc, struct.pack("!HH", made_good, 1 << 2)))  # it, and the lost one three on
    _, one = a.hears(is_nack)
    assert one[12:] == struct.pack("!HH", parity.seq_of(lost), 0), one[12:].hex()
    b.gather(lambda: made_good in b.seen)
    assert b.seen[made_good] == again
    send(a, parity.red(lost, RED))
    b.gather(lambda: newest - 1 in b.seen)
    assert b.seen[newest - 1][12:] == lost[12:]
    # what came here and was lost behind us is asked for, and goes once more
    there = b.seen.pop(newest)
    b.rtcp(feedback(205, 1, b.ssrc, ssrc, struct.pack("!HH", newest, 0)))
    _, one = a.hears(is_nack)
    assert one[12:] == struct.pack("!HH", parity.seq_of(lost) + 1, 0)
    send(a, parity.red(a.packet(payload=there[12:], pt=VP8, seq=parity.seq_of(lost) + 1), RED))
    b.gather(lambda: newest in b.seen)
    assert b.seen[newest] == there
    # of what was made good the sender is asked when it did not help
    for _ in range(2):
        b.seen.pop(made_good)
        b.rtcp(feedback(205, 1, b.ssrc, ssrc, struct.pack("!HH", made_good, 0)))
        b.gather(lambda: made_good in b.seen)
    b.rtcp(feedback(205, 1, b.ssrc, ssrc, struct.pack("!HH", made_good, 0)))
    _, one = a.hears(is_nack)
    assert one[12:] == struct.pack("!HH", parity.seq_of(group[1]), 0)
    finish(a, b)


def test_header_extensions_are_protected_as_browsers_do(sw, phone):
    """Times are written last, so parity is over zeros there; what is made good has none, and the other extensions."""
    exts = {2: ABS, 4: TURN, 5: TCC}
    a, b, first = bridged(sw, phone, "7802", exts=exts)
    # transport-cc would tell packets of parity as lost: not with parity, on either side
    assert ABS in a.answer.body and TURN in a.answer.body and "transport-" not in a.answer.body and "transport-" not in a.offer.body
    rng, group, still = random.Random(8), [], []
    for i in range(5):
        turn = bytes([0x40, i]) if i % 2 else b""
        seq = a.seq
        group.append(media(a, rng, False, ext=bytes([0x22]) + rng.randbytes(3) + turn))
        still.append(a.packet(payload=group[-1][12 + 4 + (8 if turn else 4):], pt=VP8, ext=bytes([0x22, 0, 0, 0]) + turn, seq=seq))
    for i in (0, 1, 2, 4):
        send(a, parity.red(group[i], RED))
    send(a, parity_packet(a, still))
    b.gather(lambda: len(b.seen) == 5)
    got = [p for _, p in sorted(b.seen.items())]
    for i, p in enumerate(got):
        if i != 3:
            assert p[12:] == group[i][12:]
    assert got[3][12:24] == b"\xbe\xde\0\2" + bytes([0, 0, 0, 0, 0x40, 3, 0, 0]) and got[3][24:] == group[3][24:], got[3][12:24].hex()
    finish(a, b)


def report(b, source, fraction):
    return struct.pack("!BBHI", 0x81, 201, 7, b.ssrc) + struct.pack("!IBxxxIIII", source, fraction, 0, 0, 0, 0)


def test_own_parity_for_who_loses(sw, phone):
    """Nothing but RED while all arrives; then parity, over what went: any one of a group can be made of it and the others. NACK of it is told to nobody."""
    a, b, first = bridged(sw, phone, "7803", a=ALONE, b=WITH)
    assert "red/90000" not in a.answer.body and "ulpfec/90000" in a.offer.body
    rng = random.Random(9)
    sent = [media(a, rng, i % 3 == 2) for i in range(20)]
    for p in sent:
        send(a, p)
    b.gather(lambda: len(b.seen) == 20)
    assert not b.parity and {pt for _, pt in b.order} == {RED}
    ssrc = struct.unpack("!I", next(iter(b.seen.values()))[8:12])[0]
    b.rtcp(report(b, ssrc, 13))  # a twentieth
    for n in range(40, 400):
        sent.append(media(a, rng, n % 3 == 2))
        send(a, sent[-1])
        b.gather(lambda: len(b.seen) == len(sent))
        if len(b.parity) == 4:
            break
    b.gather(lambda: len(b.parity) == 4)
    assert [p[12:] for _, p in sorted(b.seen.items())] == [p[12:] for p in sent]
    for p in b.parity:
        numbers = parity.covers(p)
        assert 3 <= len(numbers) <= 7
        for n in numbers:
            assert parity.recover(p, {k: v for k, v in b.seen.items() if k != n}, ssrc) == b.seen[n]
    numbers = sorted(s for s, _ in b.order)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))  # media and parity are one sequence
    own = [s for s in numbers if s not in b.seen]
    lost = max(b.seen)
    b.rtcp(feedback(205, 1, b.ssrc, ssrc, struct.pack("!HHHH", own[1], 0, lost, 0)))
    _, one = a.hears(is_nack)
    assert one[12:] == struct.pack("!HH", parity.seq_of(sent[-1]), 0)
    for _ in range(30):  # and no more when nothing is lost
        b.rtcp(report(b, ssrc, 0))
    b.rtcp(feedback(205, 1, b.ssrc, ssrc, struct.pack("!HH", lost, 0)))  # behind them: they were read when it arrives
    a.hears(is_nack)
    count = len(b.parity)
    for n in range(30):
        sent.append(media(a, rng, n % 3 == 2))
        send(a, sent[-1])
    b.gather(lambda: len(b.seen) == len(sent))
    assert len(b.parity) == count
    finish(a, b)


def test_both_have_it(sw, phone):
    """Each leg its own: parity of the one is used up, the other's packets go in RED under its numbers."""
    a, b, first = bridged(sw, phone, "7804", b={100: ("VP8/90000", ""), RED: ("red/90000", ""), FEC: ("ulpfec/90000", "")})
    rng = random.Random(10)
    group = [media(a, rng, i == 5) for i in range(6)]
    for p in group[:2] + group[3:]:
        send(a, parity.red(p, RED))
    send(a, parity_packet(a, group))
    b.gather(lambda: len(b.seen) == 6)
    assert {pt for _, pt in b.order} == {RED} and not b.parity
    assert [(p[1] & 127, p[12:]) for _, p in sorted(b.seen.items())] == [(100, p[12:]) for p in group]
    finish(a, b)


def test_held_and_resumed(sw, phone):
    """Agreed to again under the same numbers; what was kept and how it is numbered goes on, and is made good."""
    a, b, first = bridged(sw, phone, "7804", b=WITH)
    rng = random.Random(12)

    def lossy(count):
        group = [media(a, rng, False) for _ in range(4)]
        for p in group[1:]:
            send(a, parity.red(p, RED))
        send(a, parity_packet(a, group))
        b.gather(lambda: len(b.seen) == count)
        return [p[12:] for p in group]
    sent = lossy(4)
    for version, way in ((2, "sendonly"), (3, "sendrecv")):
        a.request("INVITE", body=a.description(version=version, dir=way))
        ok = a.expect(200)
        a.request("ACK", cseq=int(ok.get("CSeq").split()[0]))
        assert f"a=rtpmap:{RED} red/90000" in ok.body and f"a=rtpmap:{FEC} ulpfec/90000" in ok.body
        a.learn(ok.body)
        sent += lossy(len(sent) + 4)
    got = sorted(b.seen.items())
    assert [p[12:] for _, p in got] == sent and [s - got[0][0] for s, _ in got] == list(range(12))
    assert finish(a, b)["in_recovered_packet_count"] == 3


def test_nobody_asked(sw, phone):
    a, b, first = bridged(sw, phone, "7801", b=WITH)
    assert not any(word in body for word in ("red/90000", "ulpfec") for body in (a.answer.body, a.offer.body))
    assert "transport-cc" in a.answer.body and "transport-cc" in a.offer.body
    counts = finish(a, b)
    assert "in_recovered_packet_count" not in counts


def test_red_alone_is_of_no_use(sw, phone):
    """Without ulpfec beside it, it is not agreed to."""
    a, b, first = bridged(sw, phone, "7804", a={VP8: ("VP8/90000", ""), RED: ("red/90000", "")}, b={VP8: ("VP8/90000", ""), FEC: ("ulpfec/90000", "")})
    assert "red/90000" not in a.answer.body and "ulpfec" not in a.answer.body and "red/90000" in a.offer.body
    b.red_pt = b.fec_pt = None
    send(a, media(a, random.Random(1), True))
    b.gather(lambda: len(b.seen) == 1)
    assert {pt for _, pt in b.order} == {VP8}
    finish(a, b)


def test_hostile(sw, phone):
    """Cut off, protecting itself, what is far, or a packet of another type: nothing but good packets comes out, and what follows is made good."""
    a, b, first = bridged(sw, phone, "7802")
    rng = random.Random(11)
    group = [media(a, rng, False) for _ in range(4)]
    for p in group:
        send(a, parity.red(p, RED))
    good = parity.protect(group)
    itself = struct.pack("!BBHIHHH", 0, VP8, a.seq, 0, 4, 4, 0x8000) + b"abcd"
    far = struct.pack("!BBHIHHH", 0, VP8, a.seq + 30000 & 65535, 0, 4, 4, 0x8000) + b"abcd"
    other = struct.pack("!BBHIHHH", 0, FEC, a.seq + 20, 0, 4, 4, 0x8000) + b"abcd"
    for x in (b"", good[:9], good[:13], good[:-1], b"\x80" + good[1:], b"\x40" + good[1:], good[:10] + b"\xff\xff" + good[12:], itself, far, other, b"\xff" * 1400,
              rng.randbytes(1200)):
        send(a, parity.red(a.packet(payload=x, pt=FEC), RED))
    for x in (b"", b"\x80", bytes([RED]) + b"abc", b"\xff" * 60, bytes([101]) + b"digit"):
        send(a, a.packet(payload=x, pt=RED))
    group = [media(a, rng, False) for _ in range(4)]
    for p in group[1:]:
        send(a, parity.red(p, RED))
    send(a, parity_packet(a, group))
    b.gather(lambda: any(p[12:] == group[0][12:] for p in b.seen.values()))
    assert [p[12:] for _, p in sorted(b.seen.items())][-4:] == [p[12:] for p in group]
    assert len(b.seen) == 8
    finish(a, b)
