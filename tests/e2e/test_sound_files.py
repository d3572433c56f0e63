"""What plays and records: where a file begins (@@), and what uuid_fileman does to it."""
import os
import re
import subprocess
import wave

import judge
import numpy as np
import pytest
import tandem as t
from calls import call, ended, extension, uuid_of, write_extensions

pytestmark = pytest.mark.leaks


def wav(path, samples, rate=8000):
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1), w.setsampwidth(2), w.setframerate(rate)
        w.writeframes(np.asarray(samples).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    d = tmp_path_factory.mktemp("sound_files")
    s = t.Tandem(d / "instance")
    s.files = d
    wav(d / "two.wav", np.concatenate([judge.tone(500, 1.0), judge.tone(1200, 1.0)]))
    wav(d / "long.wav", np.concatenate([judge.tone(500, 100.0, level=4000), judge.tone(1200, 60.0, level=4000)]))
    wav(d / "steady.wav", judge.tone(600, 20.0, level=2000))
    write_extensions(s, [
        extension("7970", "answer", f"playback {d}/two.wav@@8000", "hangup"),
        extension("7971", "answer", f"playback {d}/long.wav@@800000", "hangup"),
        extension("7972", "answer", f"playback {d}/steady.wav", "hangup"),
        extension("7973", "answer", f"record {d}/cut.wav 20", "hangup"),
        extension("7974", "answer", f"playback file_string://{d}/two.wav@@12000!{d}/two.wav@@99999999!{d}/two.wav@@x", "hangup"),
        extension("7975", "answer", f"record {d}/${{sip_h_X-Name}}-x.wav 1", "hangup"),
        extension("7976", "answer", "record ${sip_h_X-Name} 1", f"record {d}/${{sip_h_X-Name}}/y.wav 1", "hangup"),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("PLAYBACK_START PLAYBACK_STOP RECORD_STOP CHANNEL_HANGUP_COMPLETE")
    yield e
    e.close()



def hz_of(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * 8000 / len(samples)


def heard(p, frames):
    """That many frames from now on, after those that wait."""
    p.media.setblocking(False)
    try:
        while True:
            p.media.recv(2000)
    except BlockingIOError:
        pass
    p.media.settimeout(3)
    return np.concatenate([np.array([judge.ULAW[b] for b in p.media.recv(2000)[12:]], dtype=float) for _ in range(frames)])


def test_begins_in_the_middle(sw, phone, events):
    p = phone("1000")
    call(p, "7970")
    uuid = uuid_of(sw, "1000")
    assert abs(hz_of(heard(p, 20)) - 1200) < 20
    e = events.wait_event("PLAYBACK_STOP", Unique_ID=uuid)
    assert e["Playback-Status"] == "done" and e["variable_playback_samples"] == "8000"
    ended(p)
    call(p := phone("1001"), "7971")  # too long to be kept whole
    assert abs(hz_of(heard(p, 20)) - 1200) < 20
    p.bye()


def test_begins_in_a_row(sw, phone, events):
    """Half a second; nothing of what begins behind its end; no file of that name."""
    p = phone("1000")
    call(p, "7974")
    uuid = uuid_of(sw, "1000")
    assert events.wait_event("PLAYBACK_STOP", Unique_ID=uuid)["variable_playback_samples"] == "4000"
    ended(p)


def test_volume_and_speed(sw, phone, events):
    p = phone("1000")
    call(p, "7972")
    uuid = uuid_of(sw, "1000")
    events.wait_event("PLAYBACK_START", Unique_ID=uuid)
    before = heard(p, 20)
    assert abs(hz_of(before) - 600) < 20
    for words, factor in (("volume:+", 1.3), ("volume:4", 4.3), ("volume:-8", 0.2), ("volume", 1.0)):
        assert sw.api(f"uuid_fileman {uuid} {words}") == "+OK\n"
        heard(p, 3)
        got = np.abs(heard(p, 20)).mean() / np.abs(before).mean()
        assert factor * 0.85 < got < factor * 1.25, (words, got)
    for words, hz in (("speed:+1", 800), ("speed:+", 1200), ("speed:+", 1200), ("speed:-4", 400), ("speed:0", 600)):
        assert sw.api(f"uuid_fileman {uuid} {words}") == "+OK\n"
        heard(p, 3)
        assert abs(hz_of(heard(p, 20)) - hz) < 25, words
    assert sw.api(f"uuid_fileman {uuid} stop") == "+OK\n"
    assert events.wait_event("PLAYBACK_STOP", Unique_ID=uuid)["Playback-Status"] == "break"
    ended(p)


def test_record_is_truncated(sw, phone, events):
    """The first tone is thrown away, the second stays; ffmpeg reads it."""
    p = phone("1000")
    call(p, "7973")
    uuid = uuid_of(sw, "1000")
    judge.Sender(p.media, ("127.0.0.1", p.remote_rtp), [judge.rtp(f, i, 160 * i) for i, f in enumerate(judge.frames(judge.tone(500, 1.0)))]).join()
    assert sw.api(f"uuid_fileman {uuid} truncate") == "+OK\n"
    assert sw.api(f"uuid_fileman {uuid} seek:0") == "-ERR No file handle!\n"
    judge.Sender(p.media, ("127.0.0.1", p.remote_rtp), [judge.rtp(f, 50 + i, 160 * (50 + i)) for i, f in enumerate(judge.frames(judge.tone(1200, 1.0)))]).join()
    assert sw.api(f"uuid_fileman {uuid} stop") == "+OK\n"
    events.wait_event("RECORD_STOP", Unique_ID=uuid)
    ended(p)
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", str(sw.files / "cut.wav"), "-f", "s16le", "-"], stdout=subprocess.PIPE, check=True).stdout
    samples = np.frombuffer(raw, "<i2").astype(float)
    assert 0.8 < len(samples) / 8000 < 1.5
    assert abs(hz_of(samples[4000:]) - 1200) < 20


def test_show_file(sw):
    """All that can be read or written, of the table that decides it, and the schemes, under the modules that FreeSWITCH has them of."""
    rows = [row.split(",") for row in sw.api("show file").splitlines() if row.count(",") == 2][1:]
    by_module = {}
    for kind, name, module in rows:
        assert kind == "file"
        by_module.setdefault(module, set()).add(name)
    assert by_module["mod_tone_stream"] == {"tone_stream", "silence_stream"} and by_module["mod_local_stream"] == {"local_stream"}
    assert by_module["mod_http_cache"] == {"http", "https", "http_cache"} and "file_string" in by_module["mod_dptools"]
    table = set(re.findall(r'^\tX\("(\w+)"', (t.TOP / "src/file/format.c").read_text(), re.M))
    assert len(table) > 30 and by_module["mod_sndfile"] == table
    assert sw.api("module_exists mod_native_file") == "true"


def test_record_from_outside(sw, phone, events):
    """A caller's text is a part of the file's name, and leads nowhere else."""
    p = phone("1000")
    p.invite("7975", extra="X-Name: who\r\n")
    p.answered()
    ended(p)
    assert (sw.files / "who-x.wav").exists()
    for given in ("/up", "../up", "http://127.0.0.1/x.wav"):
        p = phone("1000")
        p.invite("7976", extra=f"X-Name: {given}\r\n")
        p.answered()
        ended(p)
    assert not (sw.files.parent / "up").exists() and not os.path.exists("/up") and not list(sw.root.glob("**/x.wav"))
    assert {f.name for f in sw.files.iterdir()} <= {"up", "two.wav", "long.wav", "steady.wav", "cut.wav", "who-x.wav", "instance"}
