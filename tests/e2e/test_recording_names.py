"""What a recording is called: parameters in braces before its path, extensions, none, and tags."""
import json
import os
import subprocess
import wave

import judge
import numpy as np
import pytest
from calls import call, ended, extension, uuid_of, write_extensions

pytestmark = pytest.mark.leaks


def wav(path, samples, rate=8000):
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1), w.setsampwidth(2), w.setframerate(rate)
        w.writeframes(np.asarray(samples).astype("<i2").tobytes())


# number: (what stands before the path, the path below the folder)
SESSIONS = {
    "7000": ("{record_write_only=true}", "write.wav"),
    "7001": ("{RECORD_STEREO=true,samplerate=16000}", "stereo.wav"),
    "7002": ("{ab=16,cbr=true}", "small.mp3"),
    "7003": ("{ab=48,cbr=true}", "large.mp3"),
    "7006": ("{ab=8}", "small.opus"),
    "7007": ("{ab=64,samplerate=48000}", "large.opus"),
    "7004": ("{force_channels=2}", "twice.wav"),
    "7005": ("{record_sample_rate=16000}{RECORD_TITLE='one,two'}", "wide.wav"),
}
NATIVE = {"G726-32": 4000, "AAL2-G726-16": 2000, "DVI4": 4160, "L16": 16000, "LPC": 300, "gsm": 1650, "PCMU": 8000}


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    d = tmp_path_factory.mktemp("names")
    s = t.Tandem(d / "instance")
    s.files = d
    wav(d / "tone.wav", judge.tone(600, 1.5, level=4000))
    wav(d / "short.wav", judge.tone(600, 0.3, level=4000))
    play, short = (f"playback {d}/{name}.wav" for name in ("tone", "short"))
    wanted = [extension(number, "answer", f"record_session {before}{d}/{name}", play, f"stop_record_session {before}{d}/{name}",
                        "hangup") for number, (before, name) in SESSIONS.items()]
    wanted += [
        extension("7020", "answer", "set RECORD_ARTIST=who", "set record_comment=what", f"record {{samplerate=16000,RECORD_TITLE=said}}{d}/said.wav 1", "hangup"),
        extension("7021", "answer", f"record {d}/plain 1", "hangup"),
        extension("7022", "answer", f"record_session {d}/both", play, f"stop_record_session {d}/both", "hangup"),
        extension("7023", "answer", *[f"set RECORD_{k}={k.lower()}" for k in
                                      ("TITLE", "ARTIST", "COMMENT", "COPYRIGHT", "SOFTWARE")], "set RECORD_DATE=2026",
                  f"record_session {d}/tags.wav", play, "set left=[${RECORD_TITLE}${RECORD_DATE}]", "hangup"),
        extension("7024", "answer", f"record_session {d}/odd.xyz", short, "hangup"),
        extension("7025", "answer", f"record_session {{ab=32{d}/open.mp3", short, "hangup"),
        extension("7026", "answer", f"record_session {d}/${{sip_h_X-Name}}.wav", short, "hangup"),
        extension("7027", "answer", f"record_session {{RECORD_TITLE=${{sip_h_X-Name}}}}{d}/of-caller.wav", short, "hangup"),
        extension("7028", "answer", f"record {d}/${{sip_h_X-Name}}.wav 1", "hangup"),
    ]
    for i, name in enumerate(NATIVE):
        wanted += [extension(f"71{i:02}", "answer", f"record_session {d}/native.{name}", play, f"stop_record_session {d}/native.{name}", "hangup"),
                   extension(f"72{i:02}", "answer", f"playback {d}/native.{name}", "set heard=${playback_ms}", "hangup")]
    write_extensions(s, wanted)
    s.start()
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("RECORD_START RECORD_STOP PLAYBACK_STOP CHANNEL_HANGUP_COMPLETE")
    yield e
    e.close()


def over(sw, phone, events, number, files=0):
    """So many recordings have been closed by then."""
    p = phone("1000")
    call(p, number)
    uuid = uuid_of(sw, "1000")
    for _ in range(files):
        events.wait_event("RECORD_STOP", timeout=20, Unique_ID=uuid)
    done = events.wait_event("CHANNEL_HANGUP_COMPLETE", timeout=20, Unique_ID=uuid)
    ended(p)
    return uuid, done


def told(path):
    """ffprobe's words on a file."""
    out = subprocess.run(["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(path)],
                         capture_output=True, text=True, check=True).stdout
    return json.loads(out)


def stream(path):
    return told(path)["streams"][0]


def samples(path):
    with wave.open(str(path)) as w:
        return np.frombuffer(w.readframes(w.getnframes()), "<i2").reshape(-1, w.getnchannels()), w.getframerate()


@pytest.mark.parametrize("number", SESSIONS)
def test_parameters(sw, phone, events, number):
    name = SESSIONS[number][1]
    over(sw, phone, events, number, files=1)
    path = sw.files / name
    assert path.exists() and not [f for f in os.listdir(sw.files) if f.startswith("{")]
    s = stream(path)
    if number == "7000":
        loud, _ = samples(path)
        assert np.abs(loud).max() > 1000, "what is played is written"
    if number == "7001":
        both, hz = samples(path)
        assert hz == 16000 and both.shape[1] == 2
        assert np.abs(both[:, 1]).max() > 1000 > np.abs(both[:, 0]).max(), "the tone on the right, the phone's silence on the left"
    if number in ("7002", "7003"):
        assert s["codec_name"] == "mp3" and int(s["bit_rate"]) == {"7002": 16000, "7003": 48000}[number]
    if number in ("7006", "7007"):
        bits = path.stat().st_size * 8 / float(told(path)["format"]["duration"]) / 1000
        assert s["codec_name"] == "opus" and (5 < bits < 14 if number == "7006" else 30 < bits < 80), bits
    if number == "7004":
        both, _ = samples(path)
        assert both.shape[1] == 2 and (both[:, 0] == both[:, 1]).all() and np.abs(both).max() > 1000
    if number == "7005":
        assert s["sample_rate"] == "16000" and told(path)["format"]["tags"]["title"] == "one,two"
    assert 1.2 < float(s["duration"]) < 2.2


def test_events_tell_what_was_given(sw, phone, events):
    before, name = SESSIONS["7001"]
    p = phone("1000")
    call(p, "7001")
    start = events.wait_event("RECORD_START", Unique_ID=uuid_of(sw, "1000"))
    stop = events.wait_event("RECORD_STOP", Unique_ID=start["Unique-ID"])
    assert start["Record-File-Path"] == stop["Record-File-Path"] == f"{before}{sw.files}/{name}"
    events.wait_event("CHANNEL_HANGUP_COMPLETE", Unique_ID=start["Unique-ID"])
    ended(p)


def test_record(sw, phone, events):
    over(sw, phone, events, "7020", files=1)
    s = told(sw.files / "said.wav")
    assert s["streams"][0]["sample_rate"] == "16000" and [s["format"]["tags"][k] for k in ("title", "artist", "comment")] == ["said", "who", "what"]
    assert 0.8 < float(s["streams"][0]["duration"]) < 1.3


def test_without_an_extension(sw, phone, events):
    """The codec's own name: its packets, as in FreeSWITCH; both ways are two files."""
    over(sw, phone, events, "7021", files=1)
    assert 6400 <= (sw.files / "plain.PCMU").stat().st_size <= 9600
    over(sw, phone, events, "7022", files=2)
    said, heard = (sw.files / f"both-{side}.PCMU" for side in ("in", "out"))
    assert 9600 < heard.stat().st_size < 16000 and said.exists()
    mulaw = np.frombuffer(heard.read_bytes(), np.uint8)
    assert len(np.unique(mulaw)) > 10, "a tone"
    assert not (sw.files / "both").exists() and not (sw.files / "plain").exists()


def test_tags(sw, phone, events):
    _, done = over(sw, phone, events, "7023", files=1)
    tags = told(sw.files / "tags.wav")["format"]["tags"]
    assert {k: v for k, v in tags.items() if k in ("title", "artist", "comment", "copyright", "date")} == {
        "title": "title", "artist": "artist", "comment": "comment", "copyright": "copyright", "date": "2026"}
    assert tags["encoder"].startswith("software"), "and libsndfile's name behind it"
    assert done["variable_left"] == "[]", "they are for one recording"


@pytest.mark.parametrize("number, word", [("7024", "no file format has this extension"), ("7025", "braces")])
def test_refused(sw, phone, events, number, word):
    before = set(os.listdir(sw.files))
    _, done = over(sw, phone, events, number)
    assert done["Hangup-Cause"] == "NORMAL_CLEARING", "the call goes on"
    assert word in sw.log_text
    assert set(os.listdir(sw.files)) == before, "no file of some odd name"


@pytest.mark.parametrize("number", [f"71{i:02}" for i in range(len(NATIVE))])
def test_native(sw, phone, events, number):
    """A second and a half of the codec's frames, which play again."""
    name, per_s = list(NATIVE.items())[int(number) - 7100]
    over(sw, phone, events, number, files=1)
    size = (sw.files / f"native.{name}").stat().st_size
    assert 1.3 * per_s < size < 2.2 * per_s
    _, done = over(sw, phone, events, f"72{number[2:]}")
    assert 1300 < int(done["variable_heard"]) < 2200


@pytest.mark.parametrize("name", ["{RECORD_READ_ONLY=true}x", "a},RECORD_APPEND=true,{b", "../up", "{samplerate=16000}../../x"])
@pytest.mark.parametrize("number", ["7026", "7027", "7028"])
def test_a_caller_names_no_parameter(sw, phone, events, number, name):
    """His braces are part of a file's name, or of a tag."""
    p = phone("1000")
    p.invite(number, extra=f"X-Name: {name}\r\n")
    p.answered()
    done = events.wait_event("CHANNEL_HANGUP_COMPLETE", timeout=20, Caller_Destination_Number=number)
    ended(p)
    assert not (sw.files.parent / "up.wav").exists() and not (sw.files.parent / "x.wav").exists()
    if number == "7027":
        path = sw.files / "of-caller.wav"
        assert told(path)["format"]["tags"]["title"] == name and stream(path)["sample_rate"] == "8000"
        path.unlink()
    elif ".." in name:
        assert not (sw.files / f"{name}.wav").exists()
    else:
        path = sw.files / f"{name}.wav"
        assert path.exists() and stream(path)["sample_rate"] == "8000"
        path.unlink()
    assert "variable_RECORD_APPEND" not in done
