"""Real phones: baresip and linphone register, call each other both ways, hear each other, send digits, hold, hang up."""
import time
from pathlib import Path

import numpy as np
import pytest
from phones import Baresip, Linphone, assert_hears, read_wav, tone_level

pytestmark = [pytest.mark.leaks, pytest.mark.quiet]
MUSIC = Path("/usr/share/asterisk/moh")  # what conf/ plays
TALK_S = 2.0  # how long sound must flow before it is judged


@pytest.fixture(scope="module")
def phones(switch, tmp_path_factory):
    root = tmp_path_factory.mktemp("phones")
    made = [Baresip(root, switch, "1000", hz=440), Linphone(root, switch, "1001", hz=620), Baresip(root, switch, "1002", hz=850)]
    yield made
    for p in made:
        p.close()


def test_baresip_calls_baresip(switch, phones):
    a, _, b = phones
    a.dial("1002")
    b.answer()
    a.wait("CALL_ESTABLISHED")
    b.wait("CALL_ESTABLISHED")
    time.sleep(TALK_S)
    a.hangup()
    b.wait("CALL_CLOSED")
    switch.wait_calls(0)
    assert_hears(b.heard(), 440)
    assert_hears(a.heard(), 850)


def test_callee_hangs_up(switch, phones):
    a, _, b = phones
    b.dial("1000")
    a.answer()
    b.wait("CALL_ESTABLISHED")
    a.wait("CALL_ESTABLISHED")
    a.hangup()
    b.wait("CALL_CLOSED")
    switch.wait_calls(0)


def test_baresip_calls_linphone(switch, phones):
    a, lin, _ = phones
    a.dial("1001")
    lin.answer()
    a.wait("CALL_ESTABLISHED")
    lin.established()
    time.sleep(TALK_S)
    a.hangup()
    lin.ended()
    switch.wait_calls(0)
    assert_hears(a.heard(), 620)
    assert_hears(lin.heard(), 440)


def test_linphone_calls_baresip(switch, phones):
    a, lin, _ = phones
    lin.dial("1000")
    a.answer()
    lin.established()
    a.wait("CALL_ESTABLISHED")
    time.sleep(TALK_S)
    lin.hangup()
    a.wait("CALL_CLOSED")
    switch.wait_calls(0)
    assert_hears(a.heard(), 620)
    assert_hears(lin.heard(), 440)


def test_digits_arrive(switch, phones):
    a, _, b = phones
    events = switch.esl()
    events.subscribe("DTMF")
    a.dial("1002")
    b.answer()
    a.wait("CALL_ESTABLISHED")
    b.wait("CALL_ESTABLISHED")
    a.digits("159#")
    got = [events.wait_event("DTMF")["DTMF-Digit"] for _ in range(4)]
    assert "".join(got) == "159#"
    for d in "159#":  # and at the other phone
        assert b.wait("CALL_DTMF_START")["param"] == d
    a.hangup()
    b.wait("CALL_CLOSED")
    events.close()
    switch.wait_calls(0)


def test_hold_and_resume(switch, phones):
    a, _, b = phones
    events = switch.esl()
    events.subscribe("CHANNEL_HOLD CHANNEL_UNHOLD")
    a.dial("1002")
    b.answer()
    a.wait("CALL_ESTABLISHED")
    b.wait("CALL_ESTABLISHED")
    time.sleep(0.5)
    a.hold()
    events.wait_event("CHANNEL_HOLD")
    time.sleep(0.3)
    before, rate = read_wav(b.heard())
    time.sleep(1.0)
    held, _ = read_wav(b.heard())
    held = held[len(before) + rate // 5:]  # what was on its way has arrived
    levels = tone_level(held, rate, 440)
    assert not len(levels) or np.median(levels) < 1600, "the held phone still hears the other"
    if switch.flavour == "conf":
        assert np.abs(held).max() > 500, "no music on hold"
    a.resume()
    events.wait_event("CHANNEL_UNHOLD")
    time.sleep(TALK_S)
    a.hangup()
    b.wait("CALL_CLOSED")
    switch.wait_calls(0)
    x, rate = read_wav(b.heard())
    tail = tone_level(x[-rate:], rate, 440)
    assert (tail > 4000).mean() > 0.9, "no sound after resume"


def test_echo_is_heard(switch, phones):
    a = phones[0]
    a.dial("9196")
    a.wait("CALL_ESTABLISHED")
    time.sleep(TALK_S)
    a.hangup()
    switch.wait_calls(0)
    assert_hears(a.heard(), 440)


def assert_hears_music(path, seconds=2.0):
    """What was heard is found in one of the music files, and it goes on for a while."""
    x, rate = read_wav(path)
    loud = np.flatnonzero(np.abs(x) > 50)
    assert len(loud), f"{path}: silence, {len(x) / rate:.1f} s"
    x = x[loud[0]:loud[-1] + 1]
    assert len(x) >= seconds * rate, f"{path}: only {len(x) / rate:.2f} s of sound"
    best = 0
    for start in (len(x) // 4, len(x) // 2, len(x) * 3 // 4):  # a phone's jitter buffer may cut one of them
        for name in MUSIC.glob("*.wav"):
            best = max(best, likeness(x[start:start + rate // 4], read_wav(name)[0]))
        if best > 0.9:
            return
    raise AssertionError(f"{path}: not the music, likeness {best:.2f}")


def likeness(piece, whole):
    """The best normalised correlation of piece with any part of whole."""
    n, m = 1 << (len(whole) + len(piece)).bit_length(), len(piece)
    found = np.fft.irfft(np.fft.rfft(whole, n) * np.conj(np.fft.rfft(piece, n)), n)[:len(whole) - m]
    sums = np.cumsum(np.concatenate(([0], whole * whole)))
    energy = sums[m:len(whole)] - sums[:len(whole) - m]
    return (found / np.sqrt(energy * (piece @ piece) + 1e6)).max()


def listen_to_music(switch, a):
    a.dial("9664")
    a.wait("CALL_ESTABLISHED")
    time.sleep(TALK_S + (3 if switch.flavour == "vanilla" else 1))  # there two seconds of silence come first
    a.hangup()
    switch.wait_calls(0)
    assert_hears_music(a.heard())


def test_music_is_heard(switch, phones):
    """By the first caller at once. The stock configuration names a folder that a fresh installation does not have."""
    a = phones[0]
    if switch.flavour == "vanilla":
        a.dial("9664")
        a.wait("CALL_CLOSED")
        switch.wait_calls(0)
        switch.wait_log("cannot play local_stream://moh")
        folder = switch.root / "sounds/music"
        folder.mkdir(parents=True)
        (folder / "8000").symlink_to(MUSIC)
    listen_to_music(switch, a)
    assert "cannot play local_stream" not in switch.log_text.rsplit("New Channel", 1)[-1]


def test_milliwatt_is_heard(switch, phones):
    a = phones[0]
    a.dial("9197")
    a.wait("CALL_ESTABLISHED")
    time.sleep(TALK_S)
    a.hangup()
    switch.wait_calls(0)
    x, rate = read_wav(a.heard())
    levels = tone_level(x, rate, 1004)
    assert (levels > 1000).sum() * 0.02 > 1.0, f"1004 Hz is not heard: {levels.max(initial=0):.0f}"
