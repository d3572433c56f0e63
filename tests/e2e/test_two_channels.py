"""Sound of two channels: left stays left and right stays right where a file is played to a phone that takes two, where a phone that sends two is
recorded or hears itself, and between two phones of different codecs that both have two. Everybody else gets one, mixed down."""

import subprocess
import wave

import numpy as np
import pytest
from calls import ended, extension, write_extensions
from codec_phone import Coder, CodecTalker, TwoChannels, body
from phones import read_sides, read_wav, tone_level
from test_codecs import joined

pytestmark = pytest.mark.leaks
LEFT, RIGHT, LEVEL = 440, 1000, 8000
PHONES = {"opus": lambda right=RIGHT: TwoChannels(right), "L16": lambda right=RIGHT: TwoChannels(right, name="L16-two")}


def write_wav(path, *tones, rate=48000, seconds=3):
    """A channel for each of the tones."""
    t = np.arange(rate * seconds) / rate
    with wave.open(str(path), "wb") as f:
        f.setnchannels(len(tones))
        f.setsampwidth(2)
        f.setframerate(rate)
        f.writeframes(np.stack([LEVEL * np.sin(2 * np.pi * hz * t) for hz in tones], 1).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    sw = t.Tandem(tmp_path_factory.mktemp("two") / "instance", "conf")
    path = sw.root / "conf/sip_profiles/internal.xml"
    prefs = "PCMU,OPUS,L16@48000h@10i@2c"
    path.write_text(path.read_text().replace("$${global_codec_prefs}", prefs).replace("$${outbound_codec_prefs}", prefs))
    d = sw.root
    write_wav(d / "two.wav", LEFT, RIGHT)
    write_wav(d / "slow.wav", LEFT, RIGHT, rate=16000)
    write_wav(d / "one.wav", LEFT)
    write_wav(d / "long.wav", LEFT, RIGHT, seconds=70)  # read piece by piece
    for ext in ("flac", "ogg"):
        subprocess.run(["ffmpeg", "-v", "error", "-i", d / "two.wav", d / f"two.{ext}"], check=True)
    plays = {"8880": "two.wav", "8881": "two.flac", "8882": "two.ogg", "8883": "slow.wav", "8884": "one.wav", "8885": "long.wav"}
    write_extensions(sw, [
        *(extension(n, "answer", f"playback {d}/{f}", "hangup") for n, f in plays.items()),
        extension("8886", "answer", f"playback file_string://{d}/one.wav!{d}/two.wav", "hangup"),
        extension("8890", "answer", f"record {d}/heard.wav 2", "hangup"),
        extension("8891", "answer", "echo"),
        extension("8892", "answer", f"record {d}/again.wav 2", f"playback {d}/again.wav", "hangup"),
        extension("8893", "answer", "set RECORD_STEREO=true", f"record_session {d}/sides.wav", "echo"),
        extension("8894", "answer", f"record_session {d}/session.wav", "echo"),
        extension("8895", "set jitterbuffer_msec=60:200", "answer", f"record {d}/waited.wav 3", "hangup"),
        extension("8896", "bridge {absolute_codec_string=L16@48000h@10i@2c}user/1001"),
        extension("8897", "bridge {absolute_codec_string=PCMU}user/1001"),
        extension("8898", "answer", "delay_echo 300"),
        extension("8899", "answer", "set RECORD_READ_ONLY=true", f"record_session {d}/turned.wav", f"playback {d}/long.wav"),
        extension("8900", "answer", f"playback {d}/two.wav", f"playback {d}/two.wav", "hangup"),
        extension("8901", "answer", f"playback tone_stream://v=-13;%(10000,0,{LEFT})"),
        extension("8902", "answer", "playback local_stream://both"),
        extension("8903", "answer", "playback local_stream://two")])
    (d / "music").mkdir()
    write_wav(d / "music/two.wav", LEFT, RIGHT)
    (d / "conf/autoload_configs/local_stream.conf.xml").write_text(
        f'<configuration name="local_stream.conf"><directory name="both" path="{d}/music"/>'
        f'<directory name="two" path="{d}/music"><param name="channels" value="2"/></directory></configuration>')
    sw.start()
    yield sw
    sw.stop()


class Lossy:
    """A coder whose every 20th packet is not sent."""

    def __init__(self, coder):
        self.coder, self.count = coder, 0

    def __getattr__(self, name):
        return getattr(self.coder, name)

    def encode(self, samples):
        self.count += 1
        return [x if self.count % 20 else None for x in self.coder.encode(samples)]


def calling(p, coder, number):
    """p calls number and talks in its codec; the answer, and what comes to p from now on."""
    p.invite(number, body(p, [coder], 10 if coder.name == "L16-two" else 20))
    answer = p.answered().body
    p.talk = CodecTalker(p, coder, p.hz or LEFT, sdp=answer)
    return answer, listening(p)


def listening(p):
    got, decode = [], p.talk.coder.decode
    p.talk.coder.decode = lambda x: (got.append(x), decode(x))[1]
    return got


def stopped(*phones):
    for p in phones:
        p.talk.stop()
        p.talk = None


def levels(x, rate):
    return [np.median(tone_level(x, rate, hz)) for hz in (LEFT, RIGHT)]


def are_apart(sides, rate, level=LEVEL, within_db=3):
    """Each tone is in its channel at that level, and at least 20 dB softer in the other."""
    left, right = (levels(x, rate) for x in sides)
    print("left", left, "right", right)
    for its, others in ((left[0], right[0]), (right[1], left[1])):
        assert abs(20 * np.log10(its / level)) < within_db, (left, right)
        assert its > 10 * others, (left, right)


def said_of_two(text):
    """What a body says of two channels."""
    line = next(x for x in text.splitlines() if x.startswith("a=fmtp:") and "0-15" not in x)
    return {x for x in line.split(" ", 1)[1].replace(" ", "").split(";") if "stereo" in x}


def has_two(packet):
    """An Opus packet of two channels (RFC 6716 section 3.1)."""
    return bool(packet[0] & 4)


# ---- a file is played
@pytest.mark.parametrize("kind,number", [("opus", "8880"), ("opus", "8881"), ("opus", "8882"), ("opus", "8883"), ("opus", "8885"),
                                         ("L16", "8880"), ("L16", "8883"), ("L16", "8885")])
def test_playback(sw, phone, kind, number):
    p, coder = phone("1000"), PHONES[kind]()
    answer, got = calling(p, coder, number)
    if kind == "opus":
        assert said_of_two(answer) == {"stereo=1", "sprop-stereo=1"}
    p.talk.wait(1.5)
    frames = int(1 / (coder.frame / coder.rate))
    are_apart(coder.sides(got[10:frames]), 48000)
    assert kind != "opus" or all(map(has_two, got[:frames]))


def test_playback_to_others(sw, phone):
    """The same file to phones that take one channel, before and after one that takes two: each is told from the other."""
    for coder in (Coder("PCMU"), Coder("opus"), PHONES["opus"](), Coder("opus"), Coder("PCMU"), PHONES["opus"]()):
        p = phone("1000")
        answer, got = calling(p, coder, "8880")
        p.talk.wait(1)
        if isinstance(coder, TwoChannels):
            are_apart(coder.sides(got[10:48]), 48000)
        else:
            assert coder.name != "opus" or not said_of_two(answer) and not any(map(has_two, got))
            x = p.talk.samples()[coder.rate // 4:]
            assert all(abs(20 * np.log10(y / (LEVEL / 2))) < 3 for y in levels(x, coder.rate)), levels(x, coder.rate)
        p.talk.stop()
        p.talk = None
        p.bye()


def test_one_channel_to_who_takes_two(sw, phone):
    """Of a file of one nothing more is coded than for anybody."""
    p, coder = phone("1000"), PHONES["opus"]()
    _, got = calling(p, coder, "8884")
    p.talk.wait(1)
    assert len(got) > 40 and not any(map(has_two, got))
    assert all(levels(x, 48000)[0] > LEVEL * 0.7 for x in coder.sides(got[10:48]))


def test_one_channel_then_two(sw, phone):
    p, coder = phone("1000"), PHONES["opus"]()
    _, got = calling(p, coder, "8886")
    p.talk.wait(5)
    first, then = coder.sides(got[10:110]), coder.sides(got[170:240])
    assert all(levels(x, 48000)[0] > LEVEL * 0.7 for x in first), [levels(x, 48000) for x in first]
    are_apart(then, 48000)


def test_louder_and_faster(sw, phone):
    p, coder = phone("1000"), PHONES["opus"]()
    _, got = calling(p, coder, "8885")
    uuid = sw.api("show channels").splitlines()[1].split(",")[0]
    sw.api(f"uuid_fileman {uuid} volume:-2")
    sw.api(f"uuid_fileman {uuid} speed:1")
    p.talk.wait(0.4)
    at = len(got)
    p.talk.wait(1.2)
    left, right = coder.sides(got[at:at + 55])
    hz, level = [f * 4 / 3 for f in (LEFT, RIGHT)], [np.median(tone_level(x[9600:], 48000, f * 4 / 3)) for x in (left, right) for f in (LEFT, RIGHT)]
    print(hz, level)
    assert min(level[0], level[3]) > 10 * max(level[1], level[2]) and max(level) < LEVEL * 0.9, level


# ---- a phone is recorded
@pytest.mark.parametrize("kind", PHONES)
def test_record(sw, phone, kind):
    p = phone("1000")
    answer, _ = calling(p, PHONES[kind](), "8890")
    assert kind != "opus" or "stereo=1" in said_of_two(answer)
    ended(p)
    stopped(p)
    sides, rate = read_sides(sw.root / "heard.wav")
    assert rate == 48000 and len(sides) == 2 and sides.shape[1] > 1.8 * rate
    are_apart(sides[:, rate // 2:], rate)


@pytest.mark.parametrize("kind", PHONES)
def test_record_behind_a_jitter_buffer(sw, phone, kind):
    """What is lost is made up on its side."""
    p, coder = phone("1000"), PHONES[kind]()
    calling(p, Lossy(coder), "8895")
    ended(p, timeout=12)
    stopped(p)
    sides, rate = read_sides(sw.root / "waited.wav")
    assert len(sides) == 2
    are_apart(sides[:, rate:-rate // 5], rate)


def test_record_of_one(sw, phone):
    """A phone that says nothing of two channels is recorded in one, whatever it sends."""
    p = phone("1000")
    calling(p, TwoChannels(RIGHT, "useinbandfec=1"), "8890")
    ended(p)
    stopped(p)
    sides, rate = read_sides(sw.root / "heard.wav")
    assert len(sides) == 1 and all(y > 3000 for y in levels(sides[0][rate // 2:], rate))


@pytest.mark.parametrize("kind", PHONES)
def test_record_and_play(sw, phone, kind):
    p, coder = phone("1000"), PHONES[kind]()
    _, got = calling(p, coder, "8892")
    ended(p, timeout=12)
    stopped(p)
    frames = int(1 / (coder.frame / coder.rate))
    are_apart(coder.sides(got[-3 * frames // 2:-frames // 2]), 48000)


@pytest.mark.parametrize("kind", PHONES)
def test_record_session(sw, phone, kind):
    """Both sides of the call, each on both channels."""
    p = phone("1000")
    calling(p, PHONES[kind](), "8894")
    p.talk.wait(1.5)
    stopped(p)
    p.bye()
    sw.wait_calls(0)
    sides, rate = read_sides(sw.root / "session.wav")
    assert len(sides) == 2
    left, right = (levels(x[-rate:-rate // 5], rate) for x in sides)
    assert left[0] > 10 * left[1] > 0 and right[1] > 10 * right[0], (left, right)


def test_record_session_stereo(sw, phone):
    """RECORD_STEREO: one channel is what comes, the other what goes, each mixed down."""
    p = phone("1000")
    calling(p, PHONES["opus"](), "8893")
    p.talk.wait(1.5)
    stopped(p)
    p.bye()
    sw.wait_calls(0)
    sides, rate = read_sides(sw.root / "sides.wav")
    assert len(sides) == 2
    for x in sides:
        assert all(y > 3000 for y in levels(x[-rate:-rate // 5], rate)), levels(x[-rate:-rate // 5], rate)


# ---- echo, bridges
@pytest.mark.parametrize("kind,number", [(k, n) for k in PHONES for n in ("8891", "8898")])
def test_echo(sw, phone, kind, number):
    p, coder = phone("1000"), PHONES[kind]()
    answer, got = calling(p, coder, number)
    assert kind != "opus" or said_of_two(answer) == {"stereo=1", "sprop-stereo=1"}
    p.talk.wait(1.5)
    frames = int(1 / (coder.frame / coder.rate))
    are_apart(coder.sides(got[frames // 3:frames]), 48000)


def test_bridge(sw, phone):
    """Opus in stereo and L16 of two channels: left and right are kept both ways."""
    a, b = phone("1000", LEFT), phone("1001", LEFT)
    ca, cb = PHONES["opus"](), PHONES["L16"]()
    _, answer = joined(a, b, ca, cb, number="8896", ptime=(20, 10))
    assert said_of_two(answer) == {"stereo=1", "sprop-stereo=1"}
    to_a, to_b = listening(a), listening(b)
    a.talk.wait(1.5)
    are_apart(ca.sides(to_a[15:60]), 48000)
    are_apart(cb.sides(to_b[30:120]), 48000)


def test_bridge_to_one(sw, phone):
    """The other phone has one channel: nothing is promised, and nothing but one is coded."""
    a, b = phone("1000", LEFT), phone("1001", 700)
    _, answer = joined(a, b, PHONES["opus"](), Coder("PCMU"), number="8897")
    assert not said_of_two(answer)
    got = listening(a)
    for hz in (LEFT, RIGHT):
        b.talk.hears(hz, level=LEVEL / 2)
    a.talk.wait(0.5)
    assert got and not any(map(has_two, got))


def test_configured_mono(sw, phone):
    """opus.conf's mono: as if nobody had ever said stereo."""
    path = sw.root / "conf/autoload_configs/opus.conf.xml"
    text = path.read_text()
    path.write_text(text.replace('name="mono" value="false"', 'name="mono" value="true"'))
    sw.api("reloadxml")
    try:
        p, coder = phone("1000"), PHONES["opus"]()
        answer, got = calling(p, coder, "8880")
        assert not said_of_two(answer)
        p.talk.wait(1)
        assert len(got) > 40 and not any(map(has_two, got))
    finally:
        path.write_text(text)
        sw.api("reloadxml")


# ---- codecs that change, what has one channel at its source
def turns(p, coder):
    """The phone offers that codec alone, and speaks it; what it hears from then on."""
    stopped(p)
    p.request("INVITE", body=body(p, [coder], 10 if coder.name == "L16-two" else 20).replace("o=- 1 1 ", "o=- 1 2 "))
    p.talk = CodecTalker(p, coder, LEFT, sdp=p.answered().body)
    return listening(p)


@pytest.mark.parametrize("kind", PHONES)
def test_to_one_and_on(sw, phone, kind):
    """While a file of two plays and the phone is recorded in two it comes to PCMU: both go on, in one, mixed down."""
    p, one = phone("1000"), Coder("PCMU")
    calling(p, PHONES[kind](), "8899")
    p.talk.wait(1)
    turns(p, one)
    p.talk.wait(1)
    x = p.talk.samples()[2000:]
    assert all(abs(20 * np.log10(y / (LEVEL / 2))) < 3 for y in levels(x, 8000)), levels(x, 8000)
    stopped(p)
    p.bye()
    sw.wait_calls(0)
    sides, rate = read_sides(sw.root / "turned.wav")
    assert len(sides) == 2
    are_apart(sides[:, rate // 2:rate], rate)
    assert all(abs(20 * np.log10(levels(x[-rate // 2:-rate // 5], rate)[0] / LEVEL)) < 3 for x in sides)


def test_from_one_on(sw, phone):
    """The other way round: what plays for one goes on in one, the next play has two."""
    p, coder = phone("1000"), PHONES["opus"]()
    calling(p, Coder("PCMU"), "8900")
    p.talk.wait(1)
    got = turns(p, coder)
    p.talk.wait(0.5)
    assert got and not any(map(has_two, got))
    p.talk.wait(3.5)
    assert has_two(got[-30])
    are_apart(coder.sides(got[-60:-10]), 48000)


@pytest.mark.parametrize("number", ["8901", "8902"])
def test_one_channel_on_both(sw, phone, number):
    """A tone, a local stream: to L16 of two channels the same on both."""
    p, coder = phone("1000"), PHONES["L16"]()
    _, got = calling(p, coder, number)
    p.talk.wait(1)
    left, right = coder.sides(got[-60:])
    assert np.array_equal(left, right) and levels(left, 48000)[0] > 1500, levels(left, 48000)


@pytest.mark.parametrize("kind", PHONES)
def test_local_stream_of_two(sw, phone, kind):
    """With channels=2 who takes two hears two, and who takes one hears both at the same time."""
    p, q, coder = phone("1000"), phone("1001"), PHONES[kind]()
    one = Coder("PCMU")
    _, got_one = calling(q, one, "8903")
    _, got = calling(p, coder, "8903")
    p.talk.wait(1.2)
    are_apart(coder.sides(got[-50:]), 48000)
    assert all(x > LEVEL / 4 for x in levels(np.concatenate([one.decode(x) for x in got_one[-40:]]), 8000))


@pytest.mark.parametrize("kind", PHONES)
def test_displaced_and_tapped(sw, phone, kind):
    """What works on samples has one channel: a displaced side, a changed level; without it there are two again."""
    p, coder = phone("1000"), PHONES[kind]()
    _, got = calling(p, coder, "8891")
    p.talk.wait(0.5)
    uuid = sw.api("show channels").splitlines()[1].split(",")[0]
    frames = int(0.5 / (coder.frame / coder.rate))
    for on, off in ((f"uuid_displace {uuid} start {sw.root}/long.wav 0 w", f"uuid_displace {uuid} stop {sw.root}/long.wav"),
                    (f"uuid_audio {uuid} start write level -2", f"uuid_audio {uuid} stop")):
        assert sw.api(on).startswith("+OK")
        p.talk.wait(1)
        left, right = (levels(x, 48000) for x in coder.sides(got[-frames:]))
        assert all(abs(x / y - 1) < 0.1 and x > 300 for x, y in zip(left, right)), (left, right)
        assert sw.api(off).startswith("+OK")
        p.talk.wait(1)
        are_apart(coder.sides(got[-frames:]), 48000)
