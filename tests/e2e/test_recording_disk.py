"""Recordings and disks that stall or are full: nothing is lost in five seconds, the call goes on, it is told once and counted. What was
recorded is opened by ffmpeg and sox in every format."""
import subprocess

import judge
import numpy as np
import pytest
import stall
import tandem as t
from calls import call, extension, uuid_of, write_extensions
from test_full_disk import Disk
from test_sound_files import hz_of

pytestmark = pytest.mark.leaks


def says(p, seconds, hz=700, start=0):
    n = int(seconds * 50)
    frames = judge.frames(judge.tone(hz, seconds))
    return judge.Sender(p.media, ("127.0.0.1", p.remote_rtp), [judge.rtp(frames[i], start + i, 160 * (start + i)) for i in range(n)])


def samples_of(path):
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), "-f", "s16le", "-ar", "8000", "-ac", "1", "-"], stdout=subprocess.PIPE, check=True).stdout
    return np.frombuffer(raw, "<i2").astype(float)


def test_stalled_for_five_seconds(tmp_path, phone_of):
    sw = t.Tandem(tmp_path / "instance")
    write_extensions(sw, [extension("7990", "answer", "set RECORD_READ_ONLY=true", f"record_session {tmp_path}/kept.wav", "park")])
    with stall.Gate(sw, tmp_path) as gate:
        sw.start()
        p = phone_of(sw, "1000")
        events = sw.esl()
        events.subscribe("RECORD_STOP")
        call(p, "7990")
        uuid = uuid_of(sw, "1000")
        s = says(p, 7.5)
        events.api("msleep 1000")
        gate.shut("kept.wav")
        events.api("msleep 5000")
        gate.open()
        s.join()
        sw.api(f"uuid_record {uuid} stop all")
        stop = events.wait_event("RECORD_STOP")
        p.bye()
        x = samples_of(tmp_path / "kept.wav")
        loud = np.abs(x[:len(x) // 80 * 80].reshape(-1, 80)).mean(axis=1) > 1000  # by 10 ms
        assert stop["Record-File-Path"].endswith("kept.wav")
        first, last = np.flatnonzero(loud)[[0, -1]]  # its edges are the phone's and the stop's: the last packets may be on their way
        assert loud[first:last + 1].all() and last - first >= 735
        assert "samples are lost" not in sw.log_text and "are lost, the disk" not in sw.log_text
        events.close()
        p.close()
        sw.stop()


def test_full(tmp_path, phone_of):
    sw = t.Tandem(tmp_path / "instance", binary=tmp_path / "tandem.sh")
    (sw.root / "records").mkdir()
    write_extensions(sw, [extension("7991", "answer", f"record_session {sw.root}/records/full.wav", "park")])
    d = Disk(sw.root / "records", "256k", tmp_path / "tandem.sh")
    sw.start()
    p = phone_of(sw, "1000")
    d.fill()
    events = sw.esl()
    events.subscribe("RECORD_STOP CHANNEL_HANGUP")
    call(p, "7991")
    uuid = uuid_of(sw, "1000")
    s = says(p, 2.5)
    events.wait_event("RECORD_STOP", Unique_ID=uuid)
    assert sw.api(f"uuid_exists {uuid}") == "true"
    s.join()
    assert sw.api(f"uuid_exists {uuid}") == "true"
    assert sw.log_text.count("full.wav") <= 4
    p.bye()
    events.close()
    p.close()
    sw.stop(check=False)
    d.close()


@pytest.mark.parametrize("ext", ["wav", "mp3", "opus", "ogg", "flac", "gsm", "au", "PCMU"])
def test_others_open_it(sw_open, phone_of, ext):
    sw, where = sw_open
    p = phone_of(sw, "1000")
    events = sw.esl()
    events.subscribe("RECORD_STOP")
    call(p, "7992" + ext)
    uuid = uuid_of(sw, "1000")
    says(p, 1.5).join()
    sw.api(f"uuid_record {uuid} stop all")
    events.wait_event("RECORD_STOP", Unique_ID=uuid)
    p.bye()
    path = where / f"x.{ext}"
    if ext == "PCMU":
        raw = subprocess.run(["sox", "-t", "ul", "-r", "8000", "-c", "1", path, "-t", "raw", "-e", "signed", "-b", "16", "-"], stdout=subprocess.PIPE, check=True).stdout
        x = np.frombuffer(raw, "<i2").astype(float)
    else:
        x = samples_of(path)
    assert 1.3 < len(x) / 8000 < 3.5
    assert abs(hz_of(x[4000:10000]) - 700) < 15
    events.close()
    p.close()


@pytest.fixture(scope="module")
def sw_open(tmp_path_factory):
    d = tmp_path_factory.mktemp("recorded")
    sw = t.Tandem(d / "instance")
    write_extensions(sw, [f'<extension name="r"><condition field="destination_number" expression="^7992(\\w+)$"><action application="answer"/>'
                          f'<action application="set" data="RECORD_READ_ONLY=true"/><action application="set" data="RECORD_PRE_BUFFER_FRAMES=5"/>'
                          f'<action application="record_session" data="{d}/x.$1"/><action application="park"/></condition></extension>'])
    sw.start()
    yield sw, d
    sw.stop()


@pytest.fixture
def phone_of():
    from wire import Phone
    return lambda sw, user: Phone(sw, user)
