"""Calls between a phone with PCMU and one with each codec: both hear the other's tone, coded by FFmpeg at the far end. Packet times and
payload numbers of each side's own, what is passed through as it is, what works on samples."""
import re

import numpy as np
import pytest
from calls import extension, write_extensions
from codec_phone import CODECS, Coder, CodecTalker, body
from phones import Baresip, assert_hears, read_wav, tone_level

pytestmark = [pytest.mark.leaks]
# a number for each: an offer has room for so many
NUMBERS = {n: f"887{i:02}" for i, n in enumerate(CODECS)}


def wanted(name):
    """A codec as codec strings name it."""
    rtpmap, *_, fmtp = CODECS[name]
    word, clock = rtpmap.split("/")[:2]
    return f"{word}{'~' + fmtp if name in ('AMR-OA', 'CODEC2') else ''}@{clock}h"


ALL = "PCMU,PCMA,OPUS,G722,G726-16,G726-24,G726-32,G726-40,AAL2-G726-32,GSM,AMR,AMR-WB,speex@8000h,speex@16000h,L16@16000h,CODEC2"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    sw = t.Tandem(tmp_path_factory.mktemp("codecs") / "instance", "conf")
    for name in ("internal",):
        path = sw.root / f"conf/sip_profiles/{name}.xml"
        path.write_text(path.read_text().replace("$${global_codec_prefs}", ALL).replace("$${outbound_codec_prefs}", ALL))
    write_extensions(sw, [*(extension(NUMBERS[n], f"bridge {{absolute_codec_string={wanted(n)}}}user/1001") for n in CODECS), extension("8801", "answer", "record_session " + str(sw.root / "heard.wav"), "bridge user/1001"),
                          extension("8802", "answer", "echo"),
                          extension("8803", "answer", "playback tone_stream://%(60000,0,700)")])
    sw.start()
    yield sw
    sw.stop()


def joined(a, b, ca, cb, number="1001", ptime=(20, 20), maxptime=(None, None)):
    """a calls b, each with the codec of its coder; the two answers' texts."""
    a.invite(number, body(a, [ca], ptime[0], maxptime[0]))
    offer = b.take(body(b, [cb], ptime[1], maxptime[1]))
    answer = a.answered()
    a.talk, b.talk = CodecTalker(a, ca, a.hz, sdp=answer.body), CodecTalker(b, cb, b.hz, sdp=offer.body)
    return offer.body, answer.body


# G726-40: FFmpeg's differs from spandsp's, which phones have (test_baresip_g726)
@pytest.mark.parametrize("name", ["G722", "G726-16", "G726-24", "G726-32", "AAL2-G726-32", "GSM", "opus", "speex", "L16"])
def test_pcmu_with(sw, phone, name):
    a, b = phone("1000", 440), phone("1001", 900)
    offer, _ = joined(a, b, Coder("PCMU"), Coder(name), number=NUMBERS[name])
    assert CODECS[name][0].lower() in offer.lower()
    print(name, "to it:", b.talk.hears(440, snr_db=8 if "-16" in name else 12), "from it:", a.talk.hears(900, snr_db=8 if "-16" in name else 12))


@pytest.mark.parametrize("name", ["AMR", "AMR-OA", "AMR-WB"])
def test_pcmu_with_amr(sw, phone, name):
    """What we send is decoded by FFmpeg after the test's own unpacking; a request for a lower mode is followed."""
    a, b = phone("1000", 440), phone("1001", 900)
    coder = Coder(name)
    joined(a, b, Coder("PCMU"), coder, number=NUMBERS[name])
    most = 7 if coder.rate == 8000 else 8
    print(name, b.talk.hears(440, snr_db=12))
    assert set(coder.modes) == {most}
    coder.cmr = 1
    del coder.modes[:]
    b.talk.wait(0.5)
    assert coder.modes[-5:] == [1] * 5
    b.talk.hears(440)


@pytest.mark.parametrize("first,second", [("opus", "G722"), ("GSM", "G726-32"), ("G722", "speex"), ("opus", "GSM")])
def test_two_codecs(sw, phone, first, second):
    a, b = phone("1000", 440), phone("1001", 900)
    joined(a, b, Coder(first), Coder(second), number=NUMBERS[second])
    a.talk.hears(900, snr_db=10)
    b.talk.hears(440, snr_db=10)


def test_the_same_codec_is_passed(sw, phone):
    """Opus on both sides, other payload numbers: the bytes that come are those that were sent."""
    a, b = phone("1000", 440), phone("1001", 900)
    ca, cb = Coder("opus"), Coder("opus")
    cb.pt = 104
    sent = []
    encode = ca.encode

    def kept(samples):
        out = encode(samples)
        sent.extend(out)
        return out
    ca.encode = kept
    raw, decode = [], cb.decode
    cb.decode = lambda p: (raw.append(p), decode(p))[1]
    joined(a, b, ca, cb)
    b.talk.wait(1)
    assert len(raw) > 20 and set(raw) <= set(sent)
    assert b.talk.pts == {104}


@pytest.mark.parametrize("name,ptime", [("PCMU", 30), ("PCMU", 10), ("PCMU", 60), ("GSM", 40), ("G722", 30), ("opus", 60)])
def test_packet_times(sw, phone, name, ptime):
    """Each is sent packets of the length it asked for, whatever the other sends; nothing is lost on the way."""
    a, b = phone("1000", 440), phone("1001", 900)
    ca, cb = Coder("PCMU"), Coder(name, ptime / 1000)
    joined(a, b, ca, cb, ptime=(20, ptime), number=NUMBERS[name])
    b.talk.hears(440, snr_db=12)
    a.talk.hears(900, snr_db=12)
    assert set(b.talk.sizes[5:30]) == {cb.rate * ptime // 1000} or name == "opus", b.talk.sizes[:30]
    assert set(a.talk.sizes[5:30]) == {160}
    seqs, stamps = zip(*b.talk.stamps[5:30])
    assert all((y - x) & 65535 == 1 for x, y in zip(seqs, seqs[1:]))
    assert {(y - x) & 0xffffffff for x, y in zip(stamps, stamps[1:])} == {cb.clock * ptime // 1000}


def test_maxptime(sw, phone):
    a, b = phone("1000", 440), phone("1001", 900)
    _, answer = joined(a, b, Coder("PCMU"), Coder("GSM", 0.02), ptime=(20, 60), maxptime=(None, 20), number=NUMBERS["GSM"])
    b.talk.hears(440, snr_db=12)
    assert set(b.talk.sizes[5:20]) == {160}


def test_play_and_echo(sw, phone):
    for number, hz in (("8803", 700), ("8802", 440)):
        a = phone("1000", 440)
        c = Coder("opus")
        a.invite(number, body(a, [c]))
        a.answered()
        a.talk = CodecTalker(a, c, 440)
        a.talk.hears(hz, level=None if hz == 440 else 10000, within_db=9) if hz == 700 else a.talk.hears(hz)
        a.talk.stop()
        a.talk = None
        a.bye()


def ended_has_both(sw, a, b):
    """The call's record, when it has ended: 440 and 900 Hz."""
    a.talk.stop()
    b.talk.stop()
    a.talk = b.talk = None
    a.bye()
    b.expect(method="BYE")
    sw.wait_calls(0)
    x, rate = read_wav(sw.root / "heard.wav")
    x = np.asarray(x, float).reshape(-1)[-int(rate):]
    assert np.median(tone_level(x, rate, 440)) > 1000 and np.median(tone_level(x, rate, 900)) > 1000


def test_record(sw, phone):
    """A record of a call between two codecs that are decoded for it."""
    a, b = phone("1000", 440), phone("1001", 900)
    joined(a, b, Coder("G722"), Coder("G722"), number="8801")
    a.talk.hears(900, snr_db=20)
    b.talk.wait(2)
    ended_has_both(sw, a, b)


def test_fmtp(sw, phone):
    """What we say of codecs in an offer, and in an answer to AMR's framing."""
    a, b = phone("1000", 440), phone("1001", 900)
    a.invite("8802", body(a, [Coder("AMR-OA")]))
    answer = a.answered()
    a.bye()
    a.invite(NUMBERS["opus"], body(a, [Coder("PCMU")]))
    offer = b.take(body(b, [Coder("opus")]))
    a.answered()
    opus = re.search(r"a=rtpmap:(\d+) opus/48000/2", offer.body).group(1)
    assert f"a=fmtp:{opus} useinbandfec=1; minptime=10" in offer.body
    assert re.search(r"a=rtpmap:112 AMR/8000\r\na=fmtp:112 octet-align=1", answer.body)


def test_show_codec(sw):
    rows = sw.api("show codec").splitlines()
    for want in ("codec,G.722,mod_spandsp", "codec,G.726 40k (AAL2),mod_spandsp", "codec,OPUS (STANDARD),mod_opus", "codec,Speex,CORE_SPEEX_MODULE",
                 "codec,LPC-10,mod_spandsp", "codec,ADPCM (IMA),mod_spandsp", "codec,G.723.1 6.3k,mod_g723_1"):
        assert want in rows, rows


def test_damaged(sw, phone):
    """Cut and random payloads on a call that is decoded: it goes on."""
    rng = np.random.default_rng(7)
    a, b = phone("1000", 440), phone("1001", 900)
    ca, cb = Coder("PCMU"), Coder("opus")
    joined(a, b, ca, cb, number=NUMBERS["opus"])
    a.talk.hears(900)
    encode = cb.encode
    cb.encode = lambda s: [rng.bytes(int(rng.integers(1, 1300))) if rng.random() < 0.5 else p for p in encode(s)]
    b.talk.wait(1)
    cb.encode = encode
    a.talk.hears(900, snr_db=12)


@pytest.mark.parametrize("codec", ["opus", "G722/16000/1", "GSM"])
def test_baresip(sw, phone, tmp_path, codec):
    talks_to_pcmu(sw, phone("1001", 900), tmp_path, codec)


@pytest.fixture(scope="module")
def sw_aal2(tmp_path_factory):
    """bitpacking=aal2: this baresip packs G.726 in I.366.2's order under RFC 3551's names."""
    import tandem as t
    sw = t.Tandem(tmp_path_factory.mktemp("aal2") / "instance", "conf")
    path = sw.root / "conf/sip_profiles/internal.xml"
    text = path.read_text().replace("$${global_codec_prefs}", ALL).replace("$${outbound_codec_prefs}", ALL)
    path.write_text(text.replace("<settings>", '<settings><param name="bitpacking" value="aal2"/>'))
    sw.start()
    yield sw
    sw.stop()


@pytest.mark.parametrize("bits", ["16", "24", "32", "40"])
def test_baresip_g726(sw_aal2, phone_of, tmp_path, bits):
    b = phone_of(sw_aal2, "1001")
    talks_to_pcmu(sw_aal2, b, tmp_path, f"G726-{bits}")


def talks_to_pcmu(sw, b, tmp_path, codec):
    """baresip calls b; each hears the other's tone."""
    p = Baresip(tmp_path, sw, "1002", hz=440, codecs=codec)
    try:
        p.dial("1001")
        c = Coder("PCMU")
        b.take(body(b, [c]))
        b.talk = CodecTalker(b, c, 900)
        p.wait("CALL_ESTABLISHED")
        b.talk.hears(440, within_db=4, snr_db=8)
        b.talk.wait(1.5)
        p.hangup()
        b.expect(method="BYE")
        b.talk.stop()
        b.talk = None
        sw.wait_calls(0)
        assert_hears(p.heard(), 900)
    finally:
        p.close()
