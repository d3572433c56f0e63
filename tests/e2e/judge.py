"""An audio judge: what was sent, what arrived, and how well. Signals, an impaired sender, a checker of RTP's continuity, measurements.

Nothing here knows of a codec but PCMU (talk.py): samples are float arrays at a rate. All of it is deterministic for a seed.

The score (score()) is our own: it is no PESQ and is not to be compared with one. Both signals are aligned by their delay, cut into frames
of 32 ms (half overlapped), and their power in 18 bands of about one Bark each is turned into decibels over a floor. The mean difference of
the bands of a frame (bounded by 40 dB), weighed by how loud the reference is there, averaged over all frames with sound, is the distance D;
frames where the reference is silent and the other is not count with a quarter. score = 1 + 3.5 * exp(-D / 8): 4.5 for the same signal,
about 4.2 for G.711, under 2 for something else.
"""
import math
import random
import struct
import threading
import time
from dataclasses import dataclass, field

import numpy as np
from talk import ULAW, amplitude, ulaw

BARK = [100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700]
FLOOR_DB = 30.0


# ---- signals
def tone(hz, seconds, level=8000, rate=8000):
    return level * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)


def speech(seconds, rate=8000, seed=1):
    """Something like speech: syllables of harmonics under moving formants, with pauses between the words."""
    rng, out, n = random.Random(seed), [], 0
    while n < seconds * rate:
        for _ in range(rng.randint(2, 4)):
            m = int(rate * rng.uniform(0.12, 0.25))
            t = np.arange(m) / rate
            f0 = rng.uniform(95, 180) * (1 + 0.1 * np.sin(2 * np.pi * 3 * t))
            phase = 2 * np.pi * np.cumsum(f0) / rate
            f1, f2 = rng.uniform(300, 800), rng.uniform(900, 2200)
            x = np.zeros(m)
            for h in range(1, 24):
                hz = h * float(np.mean(f0))
                if hz < rate * 0.45:
                    x += (1 / (1 + ((hz - f1) / 150) ** 2) + 0.5 / (1 + ((hz - f2) / 200) ** 2)) * np.sin(h * phase)
            x *= np.hanning(m) * 9000 / (np.abs(x).max() + 1e-9)
            out.append(x)
            n += m
        pause = int(rate * rng.uniform(0.1, 0.3))
        out.append(np.zeros(pause))
        n += pause
    return np.concatenate(out)[:int(seconds * rate)]


# ---- the way there
@dataclass
class Network:
    """What a network does to packets. burst: mean length of a loss; jitter: the most a packet is late (uniform); reorder: share of packets
    that come 25 ms later than the others; skew: the sender's clock is fast by so many millionths."""
    loss: float = 0.0
    burst: float = 1.0
    jitter_ms: float = 0.0
    reorder: float = 0.0
    twice: float = 0.0
    skew_ppm: float = 0.0
    seed: int = 1

    def schedule(self, count, interval=0.02):
        """[(seconds after the start, packet number)], in the order of sending."""
        rng, out, is_lost = random.Random(self.seed), [], False
        step = interval / (1 + self.skew_ppm * 1e-6)
        leave = 1 / max(self.burst, 1)
        enter = self.loss * leave / (1 - self.loss) if self.loss < 1 else 1
        for i in range(count):
            is_lost = rng.random() >= leave if is_lost else rng.random() < enter
            late = rng.uniform(0, self.jitter_ms / 1000) + (0.025 if rng.random() < self.reorder else 0)
            if not is_lost:
                out.append((i * step + late, i))
                if rng.random() < self.twice:
                    out.append((i * step + late + 0.003, i))
        return sorted(out)


def rtp(payload, seq, ts, ssrc=0x5ca1e, pt=0, marked=False):
    return struct.pack("!BBHII", 0x80, pt | (0x80 if marked else 0), seq & 0xffff, ts & 0xffffffff, ssrc) + payload


def frames(samples, encode=ulaw, frame=160):
    return [encode(samples[i:i + frame]) for i in range(0, len(samples) - frame + 1, frame)]


class Sender:
    """Sends packets over a socket at their scheduled times, in a thread of its own; how late it was itself is in late_max (seconds)."""

    def __init__(self, sock, dest, packets, network=None, interval=0.02):
        self.sock, self.dest, self.packets = sock, dest, packets
        self.plan = (network or Network()).schedule(len(packets), interval)
        self.sent, self.late_max = len(self.plan), 0.0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        begin = time.monotonic() + 0.02
        for at, i in self.plan:
            left = begin + at - time.monotonic()
            if left > 0:
                time.sleep(left)
            self.late_max = max(self.late_max, -left)
            try:
                self.sock.sendto(self.packets[i], self.dest)
            except OSError:  # the phone is closed
                return

    def join(self):
        self.thread.join()


# ---- what arrives
@dataclass
class Packet:
    at: float
    pt: int
    marked: bool
    seq: int
    ts: int
    ssrc: int
    payload: bytes = field(repr=False)


def parse(data, at=0.0):
    b0, b1, seq, ts, ssrc = struct.unpack("!BBHII", data[:12])
    return Packet(at, b1 & 127, bool(b1 & 128), seq, ts, ssrc, data[12 + 4 * (b0 & 15):])


class Listener:
    """Keeps every RTP packet that comes to a socket, with its time."""

    def __init__(self, sock):
        self.sock, self.packets, self._stop = sock, [], threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        self.sock.settimeout(0.05)
        while not self._stop.is_set():
            try:
                data = self.sock.recv(2048)
            except OSError:
                continue
            if len(data) >= 12 and not 200 <= data[1] <= 207:
                self.packets.append(parse(data, time.monotonic()))

    def count(self):
        return len(self.packets)

    def wait(self, count, timeout=20):
        deadline = time.monotonic() + timeout
        while len(self.packets) < count:
            assert time.monotonic() < deadline, f"{len(self.packets)} packets, not {count}"
            time.sleep(0.01)

    def stop(self):
        self._stop.set()
        self.thread.join()
        return self.packets


def faults(packets, clock=8000, frame=160, audio=(0,), slack=0.25):
    """What of a stream is not continuous, as text; RFC 3550: one SSRC; numbers in a row, each once; timestamps that go on by a frame, or by
    as much as the clock did (within slack seconds) and then with a marker; the same timestamp only within a telephone-event."""
    out = []
    for a, b in zip(packets, packets[1:]):
        where = f"at {b.seq} (ts {b.ts}, pt {b.pt})"
        if b.ssrc != a.ssrc:
            out.append(f"SSRC {a.ssrc:x} becomes {b.ssrc:x} {where}")
        if (b.seq - a.seq) & 0xffff != 1:
            out.append(f"number {a.seq} then {b.seq}")
        d = (b.ts - a.ts + 0x80000000 & 0xffffffff) - 0x80000000
        is_event = b.pt not in audio or a.pt not in audio
        if d < 0 or (d == 0 and not is_event):
            out.append(f"timestamp goes back by {-d} {where}")
        elif d != frame and not is_event:
            if not b.marked:
                out.append(f"timestamp jumps by {d} without a marker {where}")
            if abs(d / clock - (b.at - a.at)) > slack:
                out.append(f"timestamp goes on by {d / clock:.3f} s, the clock by {b.at - a.at:.3f} s {where}")
    return out


def sound(packets, decode=lambda p: ULAW[np.frombuffer(p, np.uint8)], rate=8000, clock=8000, pt=0):
    """The samples on their timeline; what is missing is zeros."""
    audio = [p for p in packets if p.pt == pt]
    if not audio:
        return np.zeros(0)
    first, parts = audio[0].ts, []
    for p in audio:
        at = ((p.ts - first + 0x80000000 & 0xffffffff) - 0x80000000) * rate // clock
        if at >= 0:
            parts.append((at, decode(p.payload)))
    x = np.zeros(max(at + len(s) for at, s in parts))
    for at, s in parts:
        x[at:at + len(s)] = s
    return x


# ---- measurements
def level_db(x):
    """RMS over full scale of a sine."""
    return 20 * math.log10(float(np.sqrt(np.mean(np.square(x)))) * math.sqrt(2) / 32768 + 1e-9) if len(x) else -180.0


def frequency(x, rate=8000):
    """The strongest one, by parabola between bins."""
    w = np.abs(np.fft.rfft(x * np.hanning(len(x))))
    i = int(np.argmax(w[1:-1])) + 1
    a, b, c = np.log(w[i - 1:i + 2] + 1e-9)
    return (i + (a - c) / (2 * (a - 2 * b + c) or 1)) * rate / len(x)


def snr_db(x, hz, rate=8000, block=0.1):
    """Of a tone against all else, in blocks, so that a phase that moves does not count as noise; the median."""
    n, out = int(block * rate), []
    t = np.arange(n) / rate
    base = np.stack([np.sin(2 * np.pi * hz * t), np.cos(2 * np.pi * hz * t)])
    for i in range(0, len(x) - n + 1, n):
        s = x[i:i + n]
        k, *_ = np.linalg.lstsq(base.T, s, rcond=None)
        fit = k @ base
        out.append(10 * math.log10((float(np.sum(fit ** 2)) + 1e-9) / (float(np.sum((s - fit) ** 2)) + 1e-9)))
    return float(np.median(out)) if out else -180.0


def gaps(x, rate=8000, least=0.01, level=50):
    """[(start, length)] in seconds of stretches without sound, between the first sound and the last."""
    loud = np.flatnonzero(np.abs(x) > level)
    if not len(loud):
        return [(0.0, len(x) / rate)]
    holes = np.flatnonzero(np.diff(loud) > least * rate)
    return [(loud[i] / rate, (loud[i + 1] - loud[i]) / rate) for i in holes]


def clicks(x, hz, level, rate=8000):
    """Steps from sample to sample that a tone of that level cannot have."""
    most = level * 2 * math.pi * hz / rate * 1.6 + 300
    return int(np.sum(np.abs(np.diff(x)) > most))


def delay(ref, x, rate=8000, most=2.0):
    """Seconds by which x is later than ref, by correlation."""
    n = 1 << (len(ref) + len(x)).bit_length()
    c = np.fft.irfft(np.fft.rfft(x, n) * np.conj(np.fft.rfft(ref, n)), n)
    k = int(most * rate)
    c = np.concatenate([c[-k:], c[:k]])
    return (int(np.argmax(c)) - k) / rate


def _bands(x, rate):
    n, hop = int(rate * 0.032), int(rate * 0.016)
    if len(x) < n:
        return np.zeros((0, len(BARK) + 1))
    f = np.stack([x[i:i + n] * np.hanning(n) for i in range(0, len(x) - n + 1, hop)])
    p = np.abs(np.fft.rfft(f, axis=1)) ** 2 / n
    edges = [0, *[int(b * n / rate) for b in BARK], p.shape[1]]
    b = np.stack([p[:, lo:max(hi, lo + 1)].mean(axis=1) for lo, hi in zip(edges, edges[1:])], axis=1)
    return np.maximum(10 * np.log10(b + 1e-9), FLOOR_DB)


def score(ref, x, rate=8000):
    """1..4.5, as the head of this file says."""
    d = int(delay(ref, x, rate) * rate)
    ref, x = (ref, x[d:]) if d >= 0 else (ref[-d:], x)
    return _score(ref, x, rate)


def _score(ref, x, rate):
    n = min(len(ref), len(x))
    a, b = _bands(ref[:n], rate), _bands(x[:n], rate)
    if not len(a):
        return 1.0
    differ = np.minimum(np.abs(a - b), 40)
    weight = (a - FLOOR_DB + 3)
    of_frame = np.sum(differ * weight, axis=1) / np.sum(weight, axis=1)
    counts = np.where(a.max(axis=1) > FLOOR_DB + 10, 1.0, np.where(b.max(axis=1) > FLOOR_DB + 10, 0.25, 0.0))
    if not counts.sum():
        return 1.0
    return 1 + 3.5 * math.exp(-float(np.sum(of_frame * counts) / counts.sum()) / 8)


def words(ref, rate, pause=0.08, level=50):
    """[(first, end)] of the stretches of sound that pauses part."""
    loud = np.flatnonzero(np.abs(ref) > level)
    if not len(loud):
        return []
    cuts = np.flatnonzero(np.diff(loud) > pause * rate)
    spans = zip(loud[np.r_[0, cuts + 1]], loud[np.r_[cuts, len(loud) - 1]] + 1)
    return [w for w in spans if w[1] - w[0] > 0.03 * rate]


def score_of_words(ref, x, rate=8000, reach=0.12, most=2.0):
    """(score, wander): the score where each word is judged wherever it came, as a listener does: jitter buffers move words against each other by
    lengthening and shortening what is between them. wander: how far the words' delays lie apart, s. most: how late it may begin, s."""
    d = int(delay(ref, x, rate, most) * rate)
    k = int(reach * rate)
    x = np.concatenate([np.zeros(k + max(-d, 0)), x[max(d, 0):], np.zeros(k + len(ref))])  # x[k + i] is ref[i]
    out, shifts, before = np.zeros(len(ref)), [], 0
    at = 0
    for first, end in words(ref, rate):
        here, n = x[first:end + 2 * k], end - first
        size = 1 << int(len(here) + n).bit_length()
        c = np.fft.irfft(np.fft.rfft(here, size) * np.conj(np.fft.rfft(ref[first:end], size)), size)[:2 * k + 1]
        total = np.concatenate([[0.0], np.cumsum(here ** 2)])
        energy = np.maximum(total[n:] - total[:-n], 0)
        shift = int(np.argmax(c / np.sqrt(energy + 1e3)))
        shifts.append(shift)
        out[at:first] = x[at + shift:first + shift]
        out[first:end] = x[first + shift:end + shift]
        at, before = end, shift
    out[at:] = x[at + before:len(ref) + before]
    return _score(ref, out, rate), (max(shifts) - min(shifts)) / rate if shifts else 0.0


__all__ = ["Network", "Sender", "Listener", "Packet", "amplitude", "clicks", "delay", "faults", "frames", "frequency", "gaps", "level_db",
           "parse", "rtp", "score", "score_of_words", "snr_db", "sound", "speech", "tone", "words"]
