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
from talk import Talker
from wire import sdp

pytestmark = pytest.mark.leaks


RESPONSE = "set response=${current_application_response}"


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
    wav(d / "one.wav", judge.tone(500, 1.1))
    (d / "bare.PCMU").write_bytes(b"\xff" * 4000)
    (d / "only.al").write_bytes(b"\xd5" * 2400)
    for name, ms in (("bare", 100), ("only", 200)):
        wav(d / f"{name}.wav", np.zeros(ms * 8))
    wav(d / "long.wav", np.concatenate([judge.tone(500, 100.0, level=4000), judge.tone(1200, 60.0, level=4000)]))
    wav(d / "steady.wav", judge.tone(600, 20.0, level=2000))
    write_extensions(s, [
        extension("7970", "answer", f"playback {d}/two.wav@@8000", "hangup"),
        extension("7971", "answer", f"playback {d}/long.wav@@800000", "hangup"),
        extension("7972", "answer", f"playback {d}/steady.wav", "hangup"),
        extension("7973", "answer", f"record {d}/cut.wav 20", "hangup"),
        extension("7974", "answer", f"playback file_string://{d}/two.wav@@12000!{d}/two.wav@@99999999!{d}/two.wav@@x", "hangup"),
        extension("7985", "answer", f"playback {d}/bare", f"playback {d}/only", f"playback {d}/nothing", RESPONSE, "hangup"),
        extension("7986", "answer", "set native_backup_extension=al", f"playback {d}/only", "set native_backup_extension=../x", f"playback {d}/only", "hangup"),
        extension("7987", "answer", f"record {d}/two.wav/x.wav 2", "set went=on", "sleep 5000"),
        extension("7988", "answer", "playback silence_stream://200,1400;loops=3", RESPONSE, "hangup"),
        extension("7980", "set playback_timeout_sec=2", "set playback_delimiter=!", "answer", f"playback {d}/steady.wav!{d}/one.wav", RESPONSE, "hangup"),
        extension("7981", "set playback_timeout_sec_cumulative=6", "set playback_timeout_as_success=true", "answer", f"playback {d}/two.wav",
                  "set left=${playback_timeout_sec_cumulative}", f"playback {d}/steady.wav", RESPONSE, "hangup"),
        extension("7982", "set playback_timeout_sec=1", "answer", f"playback {d}/two.wav", RESPONSE, "hangup"),
        extension("7983", "set playback_timeout_sec=2", "answer", f"loop_playback +2 {d}/one.wav", f"endless_playback {d}/steady.wav", RESPONSE, "hangup"),
        extension("7984", "answer", f"playback {d}/steady.wav", RESPONSE, "hangup"),
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


# ---- no extension
def files(events, count):
    """What is told of the next files: name and samples."""
    stops = [events.wait_event("PLAYBACK_STOP") for _ in range(count)]
    return [(e["Playback-File-Path"].split("/")[-1], e["variable_playback_samples"]) for e in stops]


def test_without_extension_in_the_codec(phone, events):
    """The codec's own file first, then a wav; of PCMA there is no file."""
    for formats, first in (((0, 101), ("bare.PCMU", "4000")), ((8, 101), ("bare.wav", "800"))):
        p = phone("1000")
        p.invite("7985", sdp(p.rtp_port, formats=formats))
        p.answered()
        assert files(events, 2) == [first, ("only.wav", "1600")]
        ended(p)
        assert events.wait_event("CHANNEL_HANGUP_COMPLETE")["variable_response"] == "FILE NOT FOUND"


def test_without_extension_backup(phone, events):
    """The variable's; what is no extension is refused, and wav it is."""
    p = phone("1000")
    call(p, "7986")
    assert files(events, 2) == [("only.al", "2400"), ("only.wav", "1600")]
    ended(p)


# ---- playback_timeout_sec
def played(phone, events, number, key=None):
    """The PLAYBACK_STOP of the first file, and the call's last event."""
    p = phone("1000")
    call(p, number)
    if key:
        p.talk = Talker(p)
        events.wait_event("PLAYBACK_START")
        p.talk.press(key)
    ended(p, timeout=15)
    return events.wait_event("PLAYBACK_STOP"), events.wait_event("CHANNEL_HANGUP_COMPLETE")


def test_playback_ends_in_time(phone, events):
    """It is no success then, and what stands behind it in the list is not played."""
    stop, e = played(phone, events, "7980")
    assert stop["Playback-Status"] == "done" and e["variable_response"] == "PLAYBACK ERROR"
    assert 1900 <= int(e["variable_playback_ms"]) < 10000
    assert int(e["variable_playback_last_offset_pos"]) == int(e["variable_playback_samples"]) >= 15200


def test_playback_time_is_for_all(phone, events):
    _, e = played(phone, events, "7981")
    left = int(e["variable_left"])
    assert 2 <= left <= 4
    assert e["variable_response"] == "FILE PLAYED"
    assert left * 1000 - 100 <= int(e["variable_playback_ms"]) < 10000
    assert e["variable_playback_timeout_sec_cumulative"] == str(left)


def test_a_second_is_no_bound(phone, events):
    _, e = played(phone, events, "7982")
    assert (e["variable_response"], e["variable_playback_samples"]) == ("FILE PLAYED", "16000")


def test_each_loop_has_the_time(phone, events):
    """Twice 1.1 s is more than two seconds, but neither of them is."""
    p = phone("1000")
    call(p, "7983")
    for _ in range(2):
        e = events.wait_event("PLAYBACK_STOP")
        assert e["Playback-File-Path"].endswith("one.wav") and e["variable_playback_samples"] == "8800"
    ended(p, timeout=15)
    e = events.wait_event("CHANNEL_HANGUP_COMPLETE")
    assert e["variable_response"] == "PLAYBACK ERROR" and int(e["variable_playback_ms"]) < 10000


def test_a_key_tells_how_far_it_came(phone, events):
    _, e = played(phone, events, "7984", key="*")
    assert (e["variable_response"], e["variable_playback_terminator_used"]) == ("FILE PLAYED", "*")
    assert 0 < int(e["variable_playback_samples"]) < 160000


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


def test_nothing_to_record_to(phone, events):
    """As in FreeSWITCH the call is over."""
    p = phone("1000")
    call(p, "7987")
    ended(p)
    e = events.wait_event("CHANNEL_HANGUP_COMPLETE")
    assert e["Hangup-Cause"] == "DESTINATION_OUT_OF_ORDER" and "variable_went" not in e
    assert e["variable_record_completion_cause"] == "failure"


def test_silence_with_more_behind_it(phone, events):
    e = played(phone, events, "7988")[1]
    assert (e["variable_response"], e["variable_playback_samples"]) == ("FILE PLAYED", "1600")


def test_show_file(sw):
    """All that can be read or written, of the table that decides it, and the schemes, under the modules that FreeSWITCH has them of."""
    rows = [row.split(",") for row in sw.api("show file").splitlines() if row.count(",") == 2][1:]
    by_module = {}
    for kind, name, module in rows:
        assert kind == "file"
        by_module.setdefault(module, set()).add(name)
    assert by_module["mod_tone_stream"] == {"tone_stream", "silence_stream"} and by_module["mod_local_stream"] == {"local_stream"}
    assert by_module["mod_http_cache"] == {"http", "https", "http_cache"} and "file_string" in by_module["mod_dptools"]
    table = set(re.findall(r'^\tX\("([\w-]+)"', (t.TOP / "src/file/format.c").read_text(), re.M))
    assert len(table) > 30 and by_module["mod_sndfile"] == table
    assert {"mp3", "G726-32", "L16"} <= table
    assert [sw.api(f"module_exists {name}") for name in ("mod_native_file", "mod_shout")] == ["true", "true"]


def test_record_from_outside(sw, phone, events):
    """A caller's text is a part of the file's name, and leads nowhere else."""
    before = {f.name for f in sw.files.iterdir()}
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
    assert not list(sw.files.parent.glob("up*")) and not os.path.exists("/up.PCMU") and not list(sw.root.glob("**/x.wav"))
    assert {f.name for f in sw.files.iterdir()} == before | {"who-x.wav", "up"}
