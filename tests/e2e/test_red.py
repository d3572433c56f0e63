"""Redundant audio (RED, RFC 2198): agreed to where the variable rtp_audio_red asks for it, taken apart for who has none, put together for who
has, passed whole between two that have; a lossy leg is heard better with it. That of T.140 is in test_video.py."""
import random
import re

import judge
import numpy as np
import pytest
from audio_lab import said, speech_score
from calls import ended, extension, write_extensions
from codec_phone import Coder
from phones import read_wav, tone_level
from srtp_phone import Srtp, line, lines_of, new_key
from talk import ULAW, ulaw

pytestmark = pytest.mark.leaks
RED = 63
SUITE = "AES_CM_128_HMAC_SHA1_80"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("red") / "instance", "conf")
    path = s.root / "conf/sip_profiles/internal.xml"
    path.write_text(path.read_text().replace("$${global_codec_prefs}", "PCMU,OPUS").replace("$${outbound_codec_prefs}", "PCMU,OPUS"))
    write_extensions(s, [extension("8870", "set rtp_audio_red=true", "bridge user/1001"),
                         extension("8871", "bridge {rtp_audio_red=true}user/1001"),
                         extension("8872", "export rtp_audio_red=true", "bridge user/1001"),
                         extension("8873", "bridge user/1001"),
                         extension("8874", "export rtp_audio_red=true", "bridge {absolute_codec_string=OPUS}user/1001"),
                         *(extension(f"888{i}", *(["set rtp_audio_red=true"] if i else []), "set jitterbuffer_msec=60:200", "answer",
                                     f"record {s.root}/red-{i}.wav 6") for i in range(2))])
    s.start()
    yield s
    s.stop()


def body(phone, coder, red=RED, is_red_first=True):
    pts = [red, coder.pt] if is_red_first else [coder.pt, red]
    pts = [p for p in pts if p is not None]
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", f"m=audio {phone.rtp_port} RTP/AVP {' '.join(map(str, pts))} 101",
             f"a=rtpmap:{coder.pt} {coder.rtpmap}", *([f"a=fmtp:{coder.pt} {coder.fmtp}"] if coder.fmtp else []),
             "a=rtpmap:101 telephone-event/8000"]
    if red is not None:
        lines += [f"a=rtpmap:{red} red/{coder.rtpmap.split('/', 1)[1]}", f"a=fmtp:{red} {coder.pt}/{coder.pt}"]
    return "\r\n".join([*lines, "a=ptime:20", ""])


def number_of(sdp):
    """Of RED in an offer or answer; None: there is none."""
    m = re.search(r"a=rtpmap:(\d+) red/", sdp, re.I)
    return m and int(m[1])


def call(sw, phone, number, red=(RED, RED), codec="PCMU"):
    """a calls b, which both say RED by these numbers: the phones, what each was told, listeners at both."""
    a, b = phone("1000"), phone("1001")
    ca, cb = Coder("PCMU"), Coder(codec)
    a.invite(number, body(a, ca, red[0]))
    offer = b.take(body(b, cb, red[1])).body
    answer = a.answered().body
    return a, b, number_of(answer), number_of(offer), judge.Listener(a.media), judge.Listener(b.media)


def blocks(payload):
    """[(payload type, offset, bytes)], the newest last."""
    heads, at = [], 0
    while payload[at] & 128:
        word = int.from_bytes(payload[at:at + 4], "big")
        heads.append((word >> 24 & 127, word >> 10 & 16383, word & 1023))
        at += 4
    heads.append((payload[at], 0, None))
    at, out = at + 1, []
    for pt, offset, n in heads:
        n = len(payload) - at if n is None else n
        out.append((pt, offset, payload[at:at + n]))
        at += n
    return out


def redundant(parts, pt, step=160, depth=1):
    """Payloads of RED: each with so many of those before."""
    out = []
    for i, p in enumerate(parts):
        old = [(pt, step * d, parts[i - d]) for d in range(min(depth, i), 0, -1)]
        heads = b"".join((1 << 31 | t << 24 | o << 10 | len(x)).to_bytes(4, "big") for t, o, x in old)
        out.append(heads + bytes([pt]) + b"".join(x for *_, x in old) + p)
    return out


def frames(count):
    """Of PCMU, each different."""
    return [bytes([i] * 160) for i in range(count)]


def send(phone, payloads, pt, leave_out=(), step=160):
    for i, x in enumerate(payloads):
        if i not in leave_out:
            phone.media.sendto(judge.rtp(x, 100 + i, 5000 + step * i, pt=pt, marked=i == 0), ("127.0.0.1", phone.remote_rtp))


def finish(a, b, *listeners):
    for x in listeners:
        x.stop()
    a.bye()
    ended(b)


def test_taken_apart_for_who_has_none(sw, phone):
    """The relay's far side has the lost packets too, each once, in order; one that comes late after all is not sent again."""
    a, b, red_a, red_b, la, lb = call(sw, phone, "8870", (RED, None))
    assert red_a == RED and red_b is None
    parts = frames(30)
    whole = redundant(parts, 0, depth=2)
    events = sw.esl()
    events.subscribe("CHANNEL_HANGUP_COMPLETE")
    for i in range(30):
        if i not in (5, 10, 11, 20):
            a.media.sendto(judge.rtp(whole[i], 100 + i, 5000 + 160 * i, pt=RED), ("127.0.0.1", a.remote_rtp))
        if i == 21:
            a.media.sendto(judge.rtp(whole[20], 120, 5000 + 160 * 20, pt=RED), ("127.0.0.1", a.remote_rtp))
    lb.wait(30)
    got = [p for p in lb.packets if p.pt == 0]
    assert [p.payload[0] for p in got] == list(range(30)) and all(len(p.payload) == 160 for p in got)
    assert [(p.seq - got[0].seq) & 0xffff for p in got] == list(range(30)) and [p.ts - got[0].ts for p in got] == [160 * i for i in range(30)]
    finish(a, b, la, lb)
    end = events.wait_event("CHANNEL_HANGUP_COMPLETE", timeout=10)
    while end["Channel-Name"].startswith("sofia/internal/1001"):
        end = events.wait_event("CHANNEL_HANGUP_COMPLETE", timeout=10)
    assert end["variable_rtp_audio_in_recovered_packet_count"] == "4", end.get("variable_rtp_audio_in_recovered_packet_count")
    events.close()


def test_put_together_for_who_has(sw, phone):
    a, b, red_a, red_b, la, lb = call(sw, phone, "8871", (None, 120))
    assert red_a is None and red_b
    parts = frames(20)
    send(a, parts, 0, leave_out=(12,))
    lb.wait(19)
    got = [p for p in lb.packets if p.pt == 120]
    assert [blocks(p.payload)[-1] for p in got] == [(0, 0, parts[i]) for i in range(20) if i != 12]
    for i, p in enumerate(got):
        old = blocks(p.payload)[:-1]
        assert old == ([] if i in (0, 12) else [(0, 160, blocks(got[i - 1].payload)[-1][2])]), i  # it does not have what was lost
    assert not judge.faults([p for p in got if p.seq <= got[11].seq], audio=(120,))
    finish(a, b, la, lb)


def test_passed_whole_between_two_that_have(sw, phone):
    """With the numbers of the other side inside; the redundancy is the sender's own (here of two packets)."""
    a, b, red_a, red_b, la, lb = call(sw, phone, "8872", (RED, 120))
    assert red_a == RED and red_b
    whole = redundant(frames(20), 0, depth=2)
    send(a, whole, RED, leave_out=(7,))
    lb.wait(19)
    got = [p for p in lb.packets if p.pt == 120]
    assert [p.payload for p in got] == [whole[i] for i in range(20) if i != 7]
    finish(a, b, la, lb)


def test_coded_for_opus(sw, phone):
    """PCMU by RED, decoded, coded as Opus, in RED: what was lost on the one leg is in the sound of the other."""
    a, b, red_a, red_b, la, lb = call(sw, phone, "8874", (RED, 120), "opus")
    assert red_a == RED and red_b
    parts = [ulaw(x) for x in np.split(judge.tone(440, 2), 100)]
    way = judge.Network(loss=0.2, seed=2)
    judge.Sender(a.media, ("127.0.0.1", a.remote_rtp),
                 [judge.rtp(x, 9 + i, 160 * i, pt=RED, marked=i == 0) for i, x in enumerate(redundant(parts, 0, depth=3))], way).join()
    lb.wait(95)
    got = [p for p in lb.packets if p.pt == 120]
    pt = Coder("opus").pt
    for x, y in zip(got, got[1:]):
        if (y.seq - x.seq) & 0xffff == 1 and y.ts - x.ts == 960:
            assert blocks(y.payload)[:-1] == [(pt, 960, blocks(x.payload)[-1][2])]
    coder = Coder("opus")
    sound = np.concatenate([coder.decode(blocks(p.payload)[-1][2]) for p in got])
    assert not judge.gaps(sound[4800:-4800], 48000, level=300), judge.gaps(sound[4800:-4800], 48000, level=300)
    finish(a, b, la, lb)


@pytest.mark.parametrize("codec", ["PCMU", "opus"])
def test_a_fifth_is_lost_of_srtp(sw, phone, codec):
    """Keys in SDP, RED inside of the encryption; each packet has the two before. Of random losses all but those of three in a row are made good:
    PCMU byte for byte, Opus (as browsers have it, 48000/2) as a tone without gaps in the far side's PCMU."""
    a, b, coder = phone("1000"), phone("1001"), Coder(codec)
    key = new_key(SUITE)
    a.invite("8870", body(a, coder).replace("RTP/AVP", "RTP/SAVP").replace("a=ptime", f"{line(1, SUITE, key)}\r\na=ptime"))
    b.take(body(b, Coder("PCMU"), None))
    answer = a.answered().body
    (proto, _, keys), = lines_of(answer)
    assert proto == "RTP/SAVP" and number_of(answer) == RED
    secured, lb = Srtp(a.media, SUITE, key, keys[1][1]), judge.Listener(b.media)
    events = sw.esl()
    events.subscribe("CHANNEL_HANGUP_COMPLETE")
    rate = 8000 if codec == "PCMU" else 48000
    sound = [np.asarray(x) for x in np.split(judge.tone(440, 6, rate=rate), 300)]
    parts = [ulaw(x) if codec == "PCMU" else b"".join(coder.encode(x)) for x in sound]
    step, rng = rate // 50, random.Random(4)
    lost = {i for i in range(1, 297) if rng.random() < 0.2}
    gone = {i for i in lost if {i + 1, i + 2} <= lost}
    assert len(lost) > 45 and gone
    for i, x in enumerate(redundant(parts, coder.pt, step, depth=2)):
        if i not in lost:
            before = lb.count()
            secured.sendto(judge.rtp(x, 100 + i, 5000 + step * i, pt=RED, marked=i == 0), ("127.0.0.1", a.remote_rtp))
            lb.wait(before + 1)
    lb.wait(300 - len(gone))
    got = [p for p in lb.packets if p.pt == 0]
    if codec == "PCMU":
        assert [p.payload for p in got] == [x for i, x in enumerate(parts) if i not in gone]
        assert [(p.ts - got[0].ts) // 160 for p in got] == [i for i in range(300) if i not in gone]
    else:
        heard = np.concatenate([ULAW[np.frombuffer(p.payload, np.uint8)] for p in got])
        assert not judge.gaps(heard[1600:-1600], 8000, level=300)
        assert np.median(tone_level(heard, 8000, 440)) > 6000
    finish(a, b, lb)
    end = events.wait_event("CHANNEL_HANGUP_COMPLETE", timeout=10)
    while end["Channel-Name"].startswith("sofia/internal/1001"):
        end = events.wait_event("CHANNEL_HANGUP_COMPLETE", timeout=10)
    assert int(end["variable_rtp_audio_in_recovered_packet_count"]) == len(lost) - len(gone)
    assert int(end["variable_rtp_audio_in_flaw_total"]) == len(lost)
    events.close()


def test_nobody_asked(sw, phone):
    a, b, red_a, red_b, la, lb = call(sw, phone, "8873")
    assert red_a is None and red_b is None
    send(a, redundant(frames(5), 0), RED)
    send(a, frames(10), 0)
    lb.wait(10)
    assert {p.pt for p in lb.packets} == {0} and len(lb.packets) == 10
    finish(a, b, la, lb)


def test_hostile(sw, phone):
    """Cut off, longer than the packet, of other types, nested: dropped, and what follows is heard."""
    a, b, red_a, red_b, la, lb = call(sw, phone, "8870", (RED, None))
    for i, x in enumerate([b"", b"\x80", b"\x80\x00\x03\xff\x00", b"\xff" * 60, bytes([0x80 | RED, 0, 0, 2, RED]) + b"abcd", bytes([101]) + b"x" * 160,
                           bytes([0x80, 255, 255, 255, 0]) + b"y" * 1200, b"\x80\x00\x00\x00" * 7 + b"\x00", bytes([RED]) + b"z" * 160]):
        a.media.sendto(judge.rtp(x, 1 + 300 * i, 5000 + 48000 * i, pt=RED), ("127.0.0.1", a.remote_rtp))
    whole = redundant(frames(10), 0)
    for i, x in enumerate(whole):
        a.media.sendto(judge.rtp(x, 40000 + i, 900000 + 160 * i, pt=RED, ssrc=7), ("127.0.0.1", a.remote_rtp))
    lb.wait(13)  # three of the others can be read: a digit, a block that is shorter than it might be, an empty one
    assert [p.payload[0] for p in lb.packets if len(p.payload) == 160][-10:] == list(range(10))
    finish(a, b, la, lb)


def heard_with(sw, phone, number):
    """The score of what is recorded by that extension: words behind a network that loses a quarter."""
    p = phone(f"100{number}")
    p.invite(f"888{number}", body(p, Coder("PCMU")))
    assert number_of(p.answered().body) == (RED if number else None)
    parts = [ulaw(x) for x in np.split(said(8000)[:len(said(8000)) // 160 * 160], len(said(8000)) // 160)]
    parts, pt = (redundant(parts, 0, depth=2), RED) if number else (parts, 0)
    judge.Sender(p.media, ("127.0.0.1", p.remote_rtp), [judge.rtp(x, 9 + n, 160 * n, pt=pt, marked=n == 0) for n, x in enumerate(parts)],
                 judge.Network(loss=0.25, seed=3)).join()
    ended(p, timeout=12)
    x, rate = read_wav(sw.root / f"red-{number}.wav")
    return speech_score(np.asarray(x, float).reshape(-1), int(rate), 8000)[0]


def test_heard_better(sw, phone):
    """The same losses, once without and once with it. What a busy machine holds up is not the network's: up to three times."""
    for _ in range(3):
        without, with_it = heard_with(sw, phone, 0), heard_with(sw, phone, 1)
        print("without", without, "with", with_it)
        if with_it > without + 0.3:
            return
    raise AssertionError(f"{with_it} with, {without} without")
