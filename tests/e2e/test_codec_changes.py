"""A phone comes to a codec of another sampling rate by a re-INVITE, and back: what is recorded has both sides on, what it hears goes on where
it was, and the application that plays goes on."""
import re
import wave

import judge
import numpy as np
import pytest
from calls import ended, extension, uuid_of, write_extensions
from codec_phone import Coder, CodecTalker, body
from talk import amplitude

pytestmark = pytest.mark.leaks
PREFS = "PCMU,PCMA,OPUS,G722,L16@16000h"
PIECE_S = 0.25
WIDE = ["G722", "opus", "L16"]


def wav(path, samples, rate=8000):
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1), w.setsampwidth(2), w.setframerate(rate)
        w.writeframes(np.asarray(samples).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    d = tmp_path_factory.mktemp("codec_changes")
    s = t.Tandem(d / "instance")
    s.files = d
    profile = s.root / "conf/sip_profiles/internal.xml"
    profile.write_text(profile.read_text().replace("$${global_codec_prefs}", PREFS).replace("$${outbound_codec_prefs}", PREFS))
    (d / "music").mkdir()
    wav(d / "music/one.wav", judge.tone(1500, 60, level=4000))
    wav(d / "ten.wav", judge.tone(1500, 10, level=4000))
    wav(d / "five.wav", judge.tone(1500, 5, level=4000))
    wav(d / "long.wav", judge.tone(1500, 70, level=4000))
    (s.root / "conf/autoload_configs/local_stream.conf.xml").write_text(
        f'<configuration name="local_stream.conf"><directory name="steady" path="{d}/music"/></configuration>')
    records = ["set RECORD_STEREO=true", f"record_session {d}/stereo.wav", "set RECORD_STEREO=false", f"record_session {d}/mono.wav"]
    after = "playback tone_stream://v=-13;%(60000,0,2100)"
    write_extensions(s, [
        extension("7501", *records, "bridge user/1001"),
        extension("7502", "answer", *records, "park"),
        extension("7503", "bridge {absolute_codec_string=PCMU}user/1001"),
        extension("7504", "bridge {absolute_codec_string=G722}user/1001"),
        extension("7505", "answer", f"record {d}/app.wav 60", "hangup"),
        extension("7511", "answer", f"playback {d}/ten.wav", after),
        extension("7512", "answer", "playback tone_stream://v=-13;%(10000,0,1500)", after),
        extension("7513", "answer", f"playback file_string://{d}/five.wav!{d}/five.wav", after),
        extension("7521", "answer", f"playback {d}/long.wav", after),
        extension("7522", "answer", "playback tone_stream://v=-13;%(400,0,1500);loops=-1", after),
        extension("7523", "answer", "playback local_stream://steady", after),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("PLAYBACK_START PLAYBACK_STOP RECORD_START RECORD_STOP")
    yield e
    e.close()


def begins(p, number, name="PCMU"):
    coder = Coder(name)
    p.version = 1
    p.invite(number, body(p, [coder]))
    return coder


def talks(p, coder, answer):
    p.talk = CodecTalker(p, coder, p.hz, sdp=answer)


def call(p, number, name="PCMU"):
    coder = begins(p, number, name)
    talks(p, coder, p.answered().body)


def pair(phone, number, name="PCMU", other="PCMU"):
    a, b = phone("1000", 440), phone("1001", 900)
    coder, far = begins(a, number, name), Coder(other)
    offer = b.take(body(b, [far])).body
    b.version = 1
    talks(a, coder, a.answered().body)
    talks(b, far, offer)
    return a, b


def becomes(p, name, is_called=False):
    """The phone offers that codec alone, and speaks it."""
    coder = Coder(name)
    p.talk.stop()
    p.version += 1
    text = body(p, [coder]).replace("o=- 1 1 ", f"o=- 1 {p.version} ")
    if is_called:
        p.own_request("INVITE", body=text)
        ok = p.expect(200)
        p.own_request("ACK", cseq=int(ok.get("CSeq").split()[0]))
    else:
        p.request("INVITE", body=text)
        ok = p.answered()
    assert re.search(rf"m=audio \d+ \S+ {coder.pt}\b", ok.body), ok.body
    talks(p, coder, ok.body)


def channels(path):
    with wave.open(str(path)) as w:
        return w.getframerate(), np.frombuffer(w.readframes(w.getnframes()), "<i2").astype(float).reshape(-1, w.getnchannels()).T


def whole(x, rate, hz, seconds, least=3000, changes=3):
    """The tone is there from its beginning to the end of the file; a piece may be short of it where a phone has changed over."""
    n = int(PIECE_S * rate)
    there = [amplitude(x[i:i + n], hz, rate) > least for i in range(0, len(x) - n + 1, n)]
    assert any(there), f"{hz} Hz is nowhere"
    there = there[there.index(True):]
    assert len(there) * PIECE_S > seconds and sum(not t for t in there[:-1]) <= changes, f"{hz} Hz: {there}"


def recorded(sw, events, seconds, here=440, there=900):
    for _ in range(2):
        events.wait_event("RECORD_STOP")
    rate, sides = channels(sw.files / "stereo.wav")
    assert len(sides) == 2
    whole(sides[0], rate, here, seconds)
    whole(sides[1], rate, there, seconds)
    rate, (mix,) = channels(sw.files / "mono.wav")
    whole(mix, rate, here, seconds)
    whole(mix, rate, there, seconds)
    return rate


# ---- what is recorded
@pytest.mark.parametrize("who", ["caller", "called"])
@pytest.mark.parametrize("name", WIDE)
def test_a_recorded_bridge(sw, phone, events, name, who):
    a, b = pair(phone, "7501")
    p = a if who == "caller" else b
    a.talk.hears(900), b.talk.hears(440)
    a.talk.wait(0.5)
    for now in (name, "PCMU"):
        becomes(p, now, who == "called")
        a.talk.hears(900), b.talk.hears(440)
        a.talk.wait(1.2)
    a.bye()
    ended(b)
    assert recorded(sw, events, 2.5) == 8000


def test_a_recorded_phone_that_is_wide_first(sw, phone, events):
    a, b = pair(phone, "7501", "G722")
    a.talk.hears(900), b.talk.hears(440)
    for now in ("PCMU", "G722"):
        becomes(a, now)
        a.talk.hears(900), b.talk.hears(440)
        a.talk.wait(1)
    a.bye()
    ended(b)
    assert recorded(sw, events, 2) == 16000


@pytest.mark.parametrize("name,number,other", [("PCMU", "7504", "G722"), ("opus", "7503", "PCMU"), ("opus", "7504", "G722")])
def test_recorded_and_then_bridged_to_another_rate(sw, phone, events, name, number, other):
    """opus codes at its partner's rate, where nobody works with its samples."""
    a, b = phone("1000", 440), phone("1001", 900)
    call(a, "7502", name)
    events.wait_event("RECORD_START"), events.wait_event("RECORD_START")
    assert sw.api(f"uuid_transfer {uuid_of(sw, '1000')} {number}").startswith("+OK")
    far = Coder(other)
    offer = b.take(body(b, [far])).body
    talks(b, far, offer)
    a.talk.hears(900), b.talk.hears(440)
    a.talk.wait(1.2)
    becomes(a, "L16")
    a.talk.hears(900), b.talk.hears(440)
    a.talk.wait(1.2)
    a.bye()
    ended(b)
    recorded(sw, events, 1.5)


@pytest.mark.parametrize("name", WIDE)
def test_the_application_record(sw, phone, events, name):
    """The phone is sent quiet packets meanwhile, and goes on to be."""
    p = phone("1000", 440)
    call(p, "7505")
    events.wait_event("RECORD_START")
    p.talk.wait(0.8)
    for now in (name, "PCMU"):
        becomes(p, now)
        p.talk.wait(1)
    p.bye()
    events.wait_event("RECORD_STOP")
    rate, (x,) = channels(sw.files / "app.wav")
    assert rate == 8000
    whole(x, rate, 440, 2.2)


# ---- what is heard
def at_us(e):
    return int(e["Event-Date-Timestamp"])


@pytest.mark.parametrize("name,number", [*((n, "7511") for n in WIDE), ("G722", "7512"), ("G722", "7513")])
def test_a_playback_ends_when_it_would_have(sw, phone, events, name, number):
    p = phone("1000")
    call(p, number)
    start = events.wait_event("PLAYBACK_START")
    p.talk.hears(1500, level=4000)
    for now in (name, "PCMU"):
        becomes(p, now)
        p.talk.hears(1500, level=4000, snr_db=12)
    uuid = uuid_of(sw, "1000")
    assert sw.api(f"uuid_getvar {uuid} current_application_data") == start["variable_current_application_data"]
    stop = events.wait_event("PLAYBACK_STOP")
    assert stop["Playback-Status"] == "done" and at_us(stop) - at_us(start) > 9.5e6
    assert sw.api(f"uuid_getvar {uuid} playback_ms") == "10000"
    p.talk.hears(2100, level=7000, within_db=6)
    p.bye()


@pytest.mark.parametrize("number", ["7521", "7522", "7523"])
@pytest.mark.parametrize("first,then", [("PCMU", "G722"), ("opus", "PCMU")])
def test_what_has_no_end(sw, phone, events, number, first, then):
    """From a worker's ring, which is filled up meanwhile; over and over; what everybody hears."""
    p = phone("1000")
    call(p, number, first)
    events.wait_event("PLAYBACK_START")
    for now in (None, then, first, then):
        if now:
            becomes(p, now)
        p.talk.hears(1500, level=4000)
    p.talk.wait(5)
    p.talk.hears(1500, level=4000)
    assert not [e for e in events.events if e.get("Event-Name") == "PLAYBACK_STOP"]
    p.bye()


def test_it_keeps_its_volume_and_its_pause(sw, phone, events):
    p = phone("1000")
    call(p, "7521")
    events.wait_event("PLAYBACK_START")
    uuid = uuid_of(sw, "1000")
    p.talk.hears(1500, level=4000)
    assert sw.api(f"uuid_fileman {uuid} volume:-2").startswith("+OK")
    p.talk.hears(1500, level=2400)
    becomes(p, "G722")
    p.talk.hears(1500, level=2400, within_db=1.5)
    assert sw.api(f"uuid_fileman {uuid} pause").startswith("+OK")
    while np.abs(p.talk.wait(0.2)).max() > 100:
        pass
    becomes(p, "PCMU")
    assert np.abs(p.talk.wait(0.3)).max() < 100
    assert sw.api(f"uuid_fileman {uuid} pause").startswith("+OK")
    p.talk.hears(1500, level=2400, within_db=1.5)
    p.bye()


# ---- sound in place of another
@pytest.mark.parametrize("how", ["mux", ""])
@pytest.mark.parametrize("name", WIDE)
def test_a_displaced_side(sw, phone, name, how):
    tone = "tone_stream://v=-13;%(60000,0,1500)"
    a, b = pair(phone, "7503")
    uuid = uuid_of(sw, "1000")
    a.talk.hears(900), b.talk.hears(440)
    assert sw.api(f"uuid_displace {uuid} start {tone} 0 {how}").startswith("+OK")
    for now in (None, name, "PCMU"):
        if now:
            becomes(a, now)
        a.talk.hears(1500, level=7000, within_db=6)
        if how:
            a.talk.hears(900), b.talk.hears(440)
    assert sw.api(f"uuid_displace {uuid} stop {tone}").startswith("+OK")
    a.talk.hears(900), b.talk.hears(440)
    a.bye()
    ended(b)
