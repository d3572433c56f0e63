"""A record of a call whose media thread does not run for a while: sample for sample what was sent, each side in its place, to the last packet before
BYE; and of what the switch played every frame."""
import contextlib
import os
import threading
import time
import wave

import judge
import numpy as np
import pytest
import stall
import tandem as t
from calls import extension, write_extensions
from talk import ULAW
from wire import Phone, sdp

pytestmark = pytest.mark.leaks
LATE_S = 0.035  # what a record makes good of a phone that is late itself
FRAME = 160


@pytest.fixture
def sw_gate(tmp_path):
    sw = t.Tandem(tmp_path / "instance")
    noise = np.random.default_rng(3).integers(1000, 20000, 8 * 8000).astype("<i2")
    (tmp_path / "noise.r8").write_bytes(noise.tobytes())
    write_extensions(sw, [extension("7990", "set RECORD_STEREO=true", f"record_session {tmp_path}/both.wav", "bridge user/1005"),
                          extension("7992", "set jitterbuffer_msec=100:1000", "set RECORD_STEREO=true", f"record_session {tmp_path}/both.wav",
                                    "bridge {jitterbuffer_msec=100:1000}user/1005"),
                          extension("7991", "set RECORD_WRITE_ONLY=true", "answer", f"record_session {tmp_path}/played.wav",
                                    f"playback {tmp_path}/noise.r8")])
    with stall.Gate(sw, tmp_path, "stall_media.c") as gate:
        sw.start()
        yield sw, gate
        gate.open()
        sw.stop()


class Sender(judge.Sender):
    """Before others on a busy machine, where that is allowed."""
    def _run(self):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -15)
        super()._run()


def codes(seed, frames):
    """Loud noise as PCMU: no frame of it is like another, none is silent."""
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 64, frames * FRAME) + 128 * rng.integers(0, 2, frames * FRAME)).astype(np.uint8)


def packets_of(x):
    return [judge.rtp(x[i:i + FRAME].tobytes(), n, FRAME * n, marked=not n) for n, i in enumerate(range(0, len(x), FRAME))]


def samples(path):
    with wave.open(str(path)) as w:
        return np.frombuffer(w.readframes(w.getnframes()), "<i2").reshape(-1, w.getnchannels())


def wrong_frames(got, sent):
    """The frames of sent that do not lie where its first says, and what lies behind the last."""
    want = ULAW[sent].astype(np.int64)
    first = [k for k in np.flatnonzero(got == want[0]) if np.array_equal(got[k:k + FRAME], want[:FRAME])]
    assert first, "the first frame is not there"
    at = first[0]
    return [n for n in range(len(want) // FRAME) if not np.array_equal(got[at + n * FRAME:at + (n + 1) * FRAME], want[n * FRAME:(n + 1) * FRAME])], \
        len(got) - at - len(want)


def both_sides(*how):
    """A phone of ours that was late itself leaves a hole that is nobody's fault."""
    for _ in range(5):
        found, late = one_call(*how)
        if late < LATE_S:
            return found
    pytest.skip(f"this machine is too busy: our own phones were {late:.3f} s late")


def one_call(tmp_path, sw, gate, phone_of, stalls, last, number="7990"):
    """stalls: seconds each; last: one that holds over BYE. -> wrong frames of each side, samples behind, how late our phones were."""
    a, b = phone_of(sw, "1001"), phone_of(sw, "1005")
    a.invite(number)
    b.take(sdp(b.rtp_port))
    a.answered()
    total = int((sum(stalls) + 0.4 * len(stalls) + last + 0.6) * 50)
    sent = [codes(seed, total) for seed in (1, 2)]
    heard = judge.Listener(b.media)
    senders = [Sender(p.media, ("127.0.0.1", p.remote_rtp), packets_of(x)) for p, x in zip((a, b), sent)]
    heard.wait(20)
    for s in stalls:
        gate.shut()
        time.sleep(s)  # the fault itself
        gate.open()
        n = heard.count()
        heard.wait(n + 15)
    if last:
        gate.shut()
    for s in senders:
        s.join()
    if not last:
        heard.wait(total)
    a.bye()
    gate.open()
    sw.wait_calls(0)
    heard.stop()
    got = samples(tmp_path / "both.wav")
    found = [wrong_frames(got[:, side], x) for side, x in enumerate(sent)]
    return found, max(s.late_max for s in senders)


@pytest.mark.parametrize("stalls, last", [((0.1, 0.2, 0.2), 0), ((1.2,), 0), ((), 0.6), ((0.2,), 0.9)], ids=["short", "long", "bye", "long-bye"])
def test_both_sides_are_whole(tmp_path, sw_gate, phone_of, stalls, last):
    sw, gate = sw_gate
    found = both_sides(tmp_path, sw, gate, phone_of, stalls, last)
    for side, (wrong, behind) in enumerate(found):
        assert not wrong, (side, wrong)
        assert 0 <= behind < 8000, (side, behind)
    assert abs(found[0][1] - found[1][1]) < 8000 * 0.1  # both began at the same time


def test_with_a_jitter_buffer(tmp_path, sw_gate, phone_of):
    """What it holds back comes in time for the record."""
    sw, gate = sw_gate
    found = both_sides(tmp_path, sw, gate, phone_of, (0.2, 0.4), 0, "7992")
    assert not found[0][0][:-6], found  # BYE comes before the buffer gave the last ones
    assert not found[1][0], found


def test_what_is_played_is_there(tmp_path, sw_gate, phone_of):
    """It is sent late, and lies late in the record: every frame, in order."""
    sw, gate = sw_gate
    a = phone_of(sw, "1002")
    heard = judge.Listener(a.media)
    a.invite("7991")
    a.answered()
    heard.wait(50)
    for s in (0.2, 0.5):
        gate.shut()
        time.sleep(s)  # the fault itself
        gate.open()
        n = heard.count()
        heard.wait(n + 50)
    a.bye()
    sw.wait_calls(0)
    got = samples(tmp_path / "played.wav")[:, 0]
    sound = got[got != 0]
    sent = np.concatenate([ULAW[np.frombuffer(p.payload, np.uint8)] for p in heard.stop()]).astype(np.int64)
    sent = sent[sent != 0]
    n = min(len(sound), len(sent)) - FRAME
    assert n > 100 * FRAME and np.array_equal(sound[:n], sent[:n]), (len(sound), len(sent), np.flatnonzero(sound[:n] != sent[:n])[:3])
    assert len(sound) >= len(sent) - 2 * FRAME
