"""Opus on the wire: forward error correction both ways, silence that is not sent, the bit rates and bandwidths that a phone asks for, two channels."""

import av
import judge
import numpy as np
import pytest
from audio_lab import said, speech_score
from calls import ended, extension, write_extensions
from codec_phone import Coder, TwoChannels, body
from phones import read_sides, read_wav, tone_level
from test_codecs import joined

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    sw = t.Tandem(tmp_path_factory.mktemp("opus") / "instance", "conf")
    path = sw.root / "conf/sip_profiles/internal.xml"
    path.write_text(path.read_text().replace("$${global_codec_prefs}", "PCMU,OPUS").replace("$${outbound_codec_prefs}", "PCMU,OPUS"))
    write_extensions(sw, [extension("8860", "bridge {absolute_codec_string=OPUS}user/1001"),
                          extension("8861", "bridge {absolute_codec_string=PCMU}user/1001"),
                          extension("8862", f"record_session {sw.root}/stereo.wav", "bridge user/1001"),
                          extension("8863", "bridge user/1001"),
                          *(extension(f"887{i}", "set jitterbuffer_msec=60:200", "answer", f"record {sw.root}/fec-{i}.wav 6") for i in range(2))])
    sw.start()
    yield sw
    sw.stop()


def coder(fmtp="useinbandfec=1", **options):
    """An Opus phone that says fmtp; options: its encoder's."""
    c = Coder("opus")
    c.fmtp = fmtp
    if options:
        layout = "stereo" if options.pop("channels", 1) == 2 else "mono"
        c.enc = av.CodecContext.create("libopus", "w")
        c.enc.sample_rate, c.enc.layout, c.enc.format, c.enc.bit_rate = 48000, layout, "s16", 32000
        c.enc.options = {"frame_duration": "20", **options}
    return c


# ---- a lost packet is in the next one
def heard_with(sw, phone, fec):
    """The score of what is recorded of words behind a network that loses a quarter."""
    c = coder(application="voip", fec=str(fec), packet_loss="25", vbr="off")
    packets = [p for n in range(0, len(said(48000)) - 959, 960) for p in c.encode(said(48000)[n:n + 960])]
    p = phone(f"100{fec}")
    p.invite(f"887{fec}", body(p, [c]))
    p.answered()
    lost = judge.Network(loss=0.25, seed=3)
    judge.Sender(p.media, ("127.0.0.1", p.remote_rtp), [judge.rtp(x, 9 + n, 960 * n, pt=c.pt, marked=n == 0) for n, x in enumerate(packets)], lost).join()
    ended(p, timeout=12)
    x, rate = read_wav(sw.root / f"fec-{fec}.wav")
    return speech_score(np.asarray(x, float).reshape(-1), int(rate), 8000)[0]


def test_fec_is_used(sw, phone):
    """The same losses, once from a phone that puts each frame into the next packet as well, once from one that does not. What a busy machine
    holds up is not the network's: up to three times."""
    for _ in range(3):
        without, with_it = heard_with(sw, phone, 0), heard_with(sw, phone, 1)
        print("without", without, "with", with_it)
        if with_it > without + 0.4:
            return
    raise AssertionError(f"{with_it} with, {without} without")


def has_lbrr(payload):
    """Does a mono packet of 20 ms carry the frame before once more (RFC 6716 4.2.3: behind the flag of voice)?"""
    return payload[0] >> 3 < 16 and bool(payload[1] & 0x40)


def payloads(talk):
    """What comes to the phone, as bytes."""
    got, decode = [], talk.coder.decode
    talk.coder.decode = lambda p: (got.append(p), decode(p))[1]
    return got


class Words(Coder):
    """Says words, again and again, whatever it is given."""
    at = 0

    def encode(self, samples):
        self.at += len(samples)
        return super().encode(np.roll(said(self.rate), -self.at)[:len(samples)])


@pytest.mark.parametrize("fmtp,is_there", [("useinbandfec=1", True), ("useinbandfec=0", False), ("", False)])
def test_fec_is_sent_to_who_wants_it(sw, phone, fmtp, is_there):
    a, b = phone("1000", 440), phone("1001", 900)
    joined(a, b, Words("PCMU"), coder(fmtp), number="8860")
    got = payloads(b.talk)
    b.talk.wait(3)
    count = sum(map(has_lbrr, got))
    assert len(got) > 100 and (count > len(got) // 4 if is_there else not count), (count, len(got))


# ---- what a phone asks for
@pytest.mark.parametrize("fmtp", ["usedtx=1", "usedtx=0"])
def test_dtx(sw, phone, fmtp):
    a, b = phone("1000", 440), phone("1001", 900)
    joined(a, b, Coder("PCMU"), coder(fmtp), number="8860")
    b.talk.hears(440, snr_db=12)
    a.talk.level = 0
    a.talk.wait(1)  # until it has noticed the silence
    before, start = len(b.talk.stamps), len(a.talk.samples())
    while len(a.talk.samples()) < start + 2 * 8000:
        a.talk.wait(0.1)
    sent = len(b.talk.stamps) - before
    assert (sent < 20) if fmtp == "usedtx=1" else (sent > 80), sent
    a.talk.level = 8000
    b.talk.hears(440, snr_db=12)
    seqs = [s for s, _ in b.talk.stamps]
    assert all((y - x) & 65535 == 1 for x, y in zip(seqs, seqs[1:]))  # silence is no loss


def test_cbr_and_bit_rate(sw, phone):
    rates = {}
    for fmtp in ("cbr=1; maxaveragebitrate=20000", "maxaveragebitrate=10000", ""):
        a, b = phone("1000", 440), phone("1001", 900)
        joined(a, b, Coder("PCMU"), coder(fmtp), number="8860")
        b.talk.hears(440)
        del b.talk.payloads[:]
        b.talk.wait(1)
        sizes = b.talk.payloads[:]
        rates[fmtp] = sum(sizes) * 8 * 50 / len(sizes)
        assert not fmtp.startswith("cbr") or len(set(sizes)) == 1, sizes
        for p in (a, b):
            p.talk.stop()
            p.talk = None
        a.bye()
        ended(b)
    print(rates)
    assert rates["maxaveragebitrate=10000"] < 11500 < rates[""] and rates["cbr=1; maxaveragebitrate=20000"] <= 20000


def test_bandwidth(sw, phone):
    """No more than 8 kHz are coded for who plays no more, though the other side has 16."""
    a, b = phone("1000", 440), phone("1001", 900)
    joined(a, b, Coder("PCMU"), coder("maxplaybackrate=8000"), number="8860")
    got = payloads(b.talk)
    b.talk.hears(440, snr_db=12)
    assert {p[0] >> 3 for p in got} <= {0, 1, 2, 3, 16, 17, 18, 19}, {p[0] >> 3 for p in got}


# ---- two channels
def test_two_channels_pass(sw, phone):
    """Two phones that speak in stereo: each is told of the other's, and hears left and right as they are."""
    a, b = phone("1000", 440), phone("1001", 600)
    ca, cb = TwoChannels(900), TwoChannels(1200)
    offer, answer = joined(a, b, ca, cb, number="8863")
    for text in (offer, answer):
        line = next(x for x in text.splitlines() if x.startswith("a=fmtp:") and "0-15" not in x)
        said_so = line.split(" ", 1)[1].replace(" ", "").split(";")
        assert {"stereo=1", "sprop-stereo=1", "useinbandfec=1"} <= set(said_so), text
    got = payloads(b.talk)
    b.talk.wait(1.5)
    left, right = cb.sides(got[10:60])
    assert np.median(tone_level(left[4800:], 48000, 440)) > 5000 > 500 > np.median(tone_level(left[4800:], 48000, 900))
    assert np.median(tone_level(right[4800:], 48000, 900)) > 5000 > 500 > np.median(tone_level(right[4800:], 48000, 440))


def test_two_channels_are_recorded(sw, phone):
    """In two: both phones' left on the left, their right on the right; the call's sound is what it is."""
    a, b = phone("1000", 440), phone("1001", 600)
    joined(a, b, TwoChannels(900), TwoChannels(1200), number="8862")
    b.talk.wait(2)
    for p in (a, b):
        p.talk.stop()
        p.talk = None
    a.bye()
    ended(b)
    sw.wait_calls(0)
    sides, rate = read_sides(sw.root / "stereo.wav")
    assert len(sides) == 2
    for one, its, others in ((sides[0], (440, 600), (900, 1200)), (sides[1], (900, 1200), (440, 600))):
        for hz in its:
            assert np.median(tone_level(one[-rate:], rate, hz)) > 4000, hz
        for hz in others:
            assert np.median(tone_level(one[-rate:], rate, hz)) < 400, hz


def test_one_of_two_channels(sw, phone):
    """A phone that says nothing of stereo: the other is not told of any; it may be sent stereo all the same, which it mixes down."""
    a, b = phone("1000", 440), phone("1001", 600)
    _, answer = joined(a, b, TwoChannels(900), coder(), number="8863")
    assert "stereo" not in answer
    b.talk.hears(440, level=4000, within_db=4)


def test_two_channels_to_one(sw, phone):
    """Decoded for a phone of another codec, both are heard."""
    a, b = phone("1000", 440), phone("1001", 600)
    joined(a, b, TwoChannels(900), Coder("PCMU"), number="8861")
    b.talk.hears(440, level=4000)
    b.talk.hears(900, level=4000)
