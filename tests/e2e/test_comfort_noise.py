"""Comfort noise (RFC 3389) and silence: what a phone that fell silent is heard as, what is sent to one while there is nothing to say."""
import struct
import time

import numpy as np
import pytest
from calls import extension, uuid_of, write_extensions
from talk import ULAW, Talker, amplitude, ulaw
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks
NOISE = bytes([40])  # -40 dBov: an RMS of 328


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("comfort") / "instance")
    s.speaks = add_profile(s, "speaks", suppress_cng="false")
    s.saves = add_profile(s, "saves", suppress_cng="false", vad="out")
    s.mute = add_profile(s, "mute", suppress_cng="true")
    at = "@127.0.0.1:${sip_h_X-Port}"
    write_extensions(s, [
        extension("7801", f"bridge sofia/mute/svc{at}"),
        extension("7802", f"bridge [absolute_codec_string=PCMA]sofia/mute/svc{at}"),
        extension("7803", f"bridge sofia/speaks/svc{at}"),
        extension("7804", "answer", "record /tmp/none.wav"),
        extension("7805", "set bridge_generate_comfort_noise=100", f"bridge sofia/mute/svc{at}"),
        extension("7806", "answer", "set send_silence_when_idle=100", "sleep 60000"),
        extension("7807", "answer", "set send_silence_when_idle=-1", "park"),
        extension("7808", "answer", "playback tone_stream://%(1000,0,440);%(3000,0,0)", "playback tone_stream://%(4000,0,880)"),
        extension("7809", "set suppress_cng=true", "answer", "park"),
        extension("7810", "set bridge_generate_comfort_noise=-1", f"bridge sofia/mute/svc{at}"),
    ])
    s.start()
    yield s
    s.stop()


def offer(p, has_cn=True):
    text = sdp(p.rtp_port, formats=(0,))
    return text.replace("RTP/AVP 0", "RTP/AVP 0 13").replace("a=ptime", "a=rtpmap:13 CN/8000\r\na=ptime") if has_cn else text


def call(sw, phone, number, at, answer=None, has_cn=True):
    a = phone("ext", register=False, kind=Trunk, at=at)
    b = phone("svc", register=False, kind=Trunk, at=sw.speaks if number == "7803" else sw.mute)
    a.invite(number, body=offer(a, has_cn), extra=f"X-Port: {b.port}\n")
    b.invited = b.take(answer(b) if answer else sdp(b.rtp_port, formats=(0,)))
    a.said = a.answered().body
    return a, b


class Line:
    """The calling phone's own packets, number by number."""
    def __init__(self, p):
        self.p, self.seq, self.ts = p, 1000, 5000

    def put(self, pt, payload, ticks=160):
        self.p.media.sendto(struct.pack("!BBHII", 0x80, pt, self.seq, self.ts, 99) + payload, ("127.0.0.1", self.p.remote_rtp))
        self.seq += 1
        self.ts += ticks

    def opens(self, far):
        """Until the far side hears: the two are joined a moment after the answer."""
        for _ in range(100):
            self.tone(1)
            if packets(far, 0.03):
                return
        raise AssertionError(f"{far.user} hears nothing")

    def tone(self, frames, hz=440):
        for i in range(frames):
            t = np.arange(160) + 160 * i
            self.put(0, ulaw(8000 * np.sin(2 * np.pi * hz * t / 8000)))
            time.sleep(0.02)


def packets(p, seconds):
    """(type, timestamp, number, payload) of what comes in so long."""
    out, until = [], time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        p.media.settimeout(left)
        try:
            d = p.media.recv(2000)
        except TimeoutError:
            break
        out.append((d[1] & 127, struct.unpack("!I", d[4:8])[0], struct.unpack("!H", d[2:4])[0], d[12:]))
    return out


def at_least(p, count, seconds=10):
    """So many packets, however late they are."""
    out, end = [], time.monotonic() + seconds
    while len(out) < count:
        assert time.monotonic() < end, f"{p.user}: only {len(out)} packets"
        out += packets(p, 0.1)
    return out


def loudest_tone(got):
    """Of eight packets in a row near the end, as the very end of what a busy phone says may be half noise."""
    got = got[-16:]
    return max(amplitude(ULAW[np.frombuffer(b"".join(x[3] for x in got[i:i + 8]), np.uint8)], 440) for i in range(max(1, len(got) - 7)))


def until(p, test, seconds=5):
    """Packets until one of them fits; all of them."""
    got, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        got += packets(p, 0.1)
        if any(test(x) for x in got):
            return got
    raise AssertionError(f"{p.user}: {[(x[0], len(x[3])) for x in got[-20:]]}")


def alaw_loud(payload):
    return float(np.abs(np.frombuffer(payload, np.uint8).astype(int) ^ 0x55).astype(float).mean())


def rms(payload):
    return float(np.sqrt(np.mean(ULAW[np.frombuffer(payload, np.uint8)] ** 2)))


def in_a_row(got):
    """The numbers of what was sent have no hole, and time goes on."""
    for x, y in zip(got, got[1:]):
        assert (y[2] - x[2]) & 65535 == 1, (x[:3], y[:3])
        assert 0 < (y[1] - x[1]) & 0xffffffff < 80000, (x[:3], y[:3])


def test_offered_and_answered(sw, phone):
    a, b = call(sw, phone, "7803", sw.speaks)
    assert "a=rtpmap:13 CN/8000" in a.said and "a=rtpmap:13 CN/8000" in b.invited.body
    a.bye()
    a, b = call(sw, phone, "7801", sw.speaks)
    assert "CN/8000" in a.said and "CN/8000" not in b.invited.body
    a.bye()
    c = phone("ext", register=False, kind=Trunk, at=sw.speaks)
    c.invite("7809", body=offer(c))
    assert "CN/8000" not in c.answered().body
    c.bye()


@pytest.mark.parametrize("number,pt", [("7801", 0), ("7802", 8)])
def test_noise_for_who_does_not_speak_it(sw, phone, number, pt):
    """In the same codec, and in another: noise at the level that was told, without a hole, then the voice again."""
    a, b = call(sw, phone, number, sw.speaks, answer=lambda p: sdp(p.rtp_port, formats=(pt,)))
    line = Line(a)
    line.opens(b)
    line.tone(5)
    packets(b, 0.1)
    line.put(13, NOISE)
    got = at_least(b, 21)
    assert {x[0] for x in got} == {pt}
    in_a_row(got)
    if pt == 0:
        level = np.sqrt(np.mean([rms(x[3]) ** 2 for x in got[5:]]))
        assert 200 < level < 500, level
    line.ts += 160 * 30
    line.tone(20)
    after = packets(b, 0.2)
    in_a_row(got + after)
    if pt == 0:
        assert loudest_tone(after) > 5000
    quiet = packets(b, 0.3)
    assert len(quiet) < 3, "it speaks: no noise is made any more"
    a.bye()


def test_passed_to_who_speaks_it(sw, phone):
    a, b = call(sw, phone, "7803", sw.speaks, answer=lambda p: offer(p))
    line = Line(a)
    line.opens(b)
    line.put(13, bytes([55, 127, 120]))
    got = until(b, lambda x: x[0] == 13)
    assert [x[3] for x in got if x[0] == 13] == [bytes([55, 127, 120])]
    assert len(packets(b, 0.3)) == 0, "and no noise is made of it besides"
    a.bye()


def test_no_jitter_is_made_of_it(sw, phone):
    """Packets of noise come when there is something to tell; a clock that stood still meanwhile is no jitter of the network's."""
    a, b = call(sw, phone, "7801", sw.speaks)
    line = Line(a)
    line.opens(b)
    uuid = uuid_of(sw, "ext")
    for _ in range(5):
        line.tone(2)
        time.sleep(0.15)
        line.put(13, NOISE, ticks=0)  # stamped with the moment when silence began
        line.ts += 160 * 7
    line.tone(3)
    sw.api(f"uuid_set_media_stats {uuid}")
    deadline = time.monotonic() + 5
    while (n := sw.api(f"uuid_getvar {uuid} rtp_audio_in_cng_packet_count")) != "5":
        assert time.monotonic() < deadline, n
        sw.api(f"uuid_set_media_stats {uuid}")
    assert sw.api(f"uuid_getvar {uuid} rtp_audio_in_skip_packet_count") == "0"
    a.bye()


@pytest.mark.parametrize("number,lo,hi", [("7805", 20, 3000), ("7810", 0, 8)])
def test_a_bridge_is_filled_in(sw, phone, number, lo, hi):
    """bridge_generate_comfort_noise: a phone that sends nothing is heard as noise, or as digital silence."""
    a, b = call(sw, phone, number, sw.mute, has_cn=False)
    got = until(b, lambda x: True) + packets(b, 0.5)
    assert len(got) > 15
    in_a_row(got)
    assert all(lo <= rms(x[3]) <= hi for x in got[3:]), [rms(x[3]) for x in got]
    line = Line(a)
    line.tone(25)
    heard = packets(b, 0.1)
    assert loudest_tone(heard) > 5000
    a.bye()


@pytest.mark.parametrize("number,lo,hi", [("7806", 20, 3000), ("7807", 0, 8)])
def test_silence_when_idle(sw, phone, number, lo, hi):
    a = phone("ext", register=False, kind=Trunk, at=sw.mute)
    a.invite(number, body=offer(a, False))
    a.answered()
    got = until(a, lambda x: True) + packets(a, 0.4)
    in_a_row(got)
    assert len(got) > 12 and all(lo <= rms(x[3]) <= hi for x in got[2:])
    a.bye()


def test_silence_is_not_sent(sw, phone):
    """vad=out: instead of silence a packet of comfort noise; the next word comes whole, its numbers go on."""
    a = phone("ext", register=False, kind=Trunk, at=sw.saves)
    a.invite("7808", body=offer(a))
    assert "CN/8000" in a.answered().body
    got = until(a, lambda x: x[0] == 0 and rms(x[3]) > 2000)
    got += until(a, lambda x: x[0] == 13)
    assert sum(x[0] == 0 for x in got) < 90, "the second of the tone, and half a second after it"
    silent = packets(a, 1.0)
    assert len(silent) <= 8 and all(x[0] == 13 for x in silent), [x[0] for x in silent]
    after = until(a, lambda x: x[0] == 0 and rms(x[3]) > 2000) + packets(a, 0.3)
    in_a_row(got + silent + after)
    first = next(x for x in after if x[0] == 0)
    assert rms(first[3]) > 500, "its beginning is not cut"
    a.bye()


def test_a_damaged_packet_of_noise(sw, phone):
    """Empty, of the longest, of nonsense: the call goes on."""
    a, b = call(sw, phone, "7801", sw.speaks)
    line = Line(a)
    for payload in (b"", bytes(1400), bytes([255] * 40), bytes([0] + [0, 255] * 6)):
        line.put(13, payload)
        packets(b, 0.1)
    a.talk, b.talk = Talker(a, 440), Talker(b, 900)
    a.talk.hears(900)
    b.talk.hears(440)
    a.bye()
