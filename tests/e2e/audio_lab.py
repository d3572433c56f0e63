"""Calls between two codecs that are measured: both ends send the same sound, coded beforehand, over a network of judge.py's, keep what comes,
and what came is compared with what was said. Many calls at once: one thread sends all their packets at their times, one keeps all that arrives.

What is said: 4 s of judge.speech(), a pause, 1.2 s of a tone of 440 Hz, a pause. What is measured of each direction (struct Heard):

  score     judge.score_of_words() of the speech, at the lower of the two codecs' sampling rates
  lost      how much of it the way through the switch cost: the score of the same two codecs one after the other, by the phones' own coders and
            without a switch or a network (alone()), less the score
  level     of the speech against what was said, dB
  hz, snr   of the tone (not of PHASELESS codecs, which make no tone)
  gap       the longest hole in the tone, ms
  delay     from a sample's sending to its arrival, ms: the coders' look-ahead and the packet's own length are in it
  wander    how far the words' delays lie apart, ms: what a jitter buffer has moved
  faults    what is not continuous in the RTP (judge.faults())
"""
import functools
import gc
import multiprocessing
import os
import selectors
import struct
import threading
import time
from dataclasses import dataclass, field

import judge
import numpy as np
from codec_phone import CODECS, Coder

PTIME = {"LPC": 0.09}
SPEECH_S, PAUSE_S, TONE_S, END_S, TONE_HZ = 4.0, 0.3, 1.2, 0.7, 440
PHASELESS = ("LPC", "CODEC2")  # they keep the sound and not its waves: nothing to correlate, and no tone


def resample(x, a, b):
    """From a Hz to b Hz, all at once by Fourier."""
    if a == b:
        return x
    m = int(round(len(x) * b / a))
    have, want = np.fft.rfft(x), np.zeros(m // 2 + 1, complex)
    k = min(len(have), len(want))
    want[:k] = have[:k]
    return np.fft.irfft(want, m) * m / len(x)


# A forked process never frees what it was born with (gc.freeze): FFmpeg's filters would wait for threads that it does not have.


@functools.lru_cache(None)
def said(rate):
    """What every phone says. Short of a codec's upper edge, so that a resampler's own does not count."""
    if rate != 48000:
        return resample(said(48000), 48000, rate)
    x = np.concatenate([judge.speech(SPEECH_S, rate), np.zeros(int(PAUSE_S * rate)), judge.tone(TONE_HZ, TONE_S, rate=rate), np.zeros(int(END_S * rate))])
    spectrum = np.fft.rfft(x)
    spectrum[int(3400 * len(x) / rate):] = 0
    return np.fft.irfft(spectrum, len(x))


def clock_of(name):
    return int(CODECS[name][0].split("/")[1])


def coded(coder, x):
    return [p for i in range(0, len(x) - coder.frame + 1, coder.frame) for p in coder.encode(x[i:i + coder.frame])]


@functools.lru_cache(None)
def packets_of(name):
    """Payloads, and which of them are silence."""
    c = Coder(name, PTIME.get(name, 0.02))
    x = said(c.rate)
    silent = [np.abs(x[i:i + c.frame]).max() < 20 for i in range(0, len(x) - c.frame + 1, c.frame)]
    return coded(c, x), silent


def judged_rate(first, second):
    return min(CODECS[first][2], CODECS[second][2], 16000)


_alone = {}


def alone(first, second):
    """The score of both codecs one after the other, without a switch."""
    if (first, second) not in _alone:
        _alone[first, second] = alone_now((first, second))
    return _alone[first, second]


def alone_all(pairs):
    """Many at once."""
    pairs = [p for p in dict.fromkeys(pairs) if p not in _alone]
    for name in {n for p in pairs for n in p}:
        packets_of(name)
    with multiprocessing.get_context("fork").Pool(2, gc.freeze) as pool:
        _alone.update(zip(pairs, pool.map(alone_now, pairs, chunksize=2)))


def alone_now(pair):
    first, second = pair
    a, b = (Coder(n, PTIME.get(n, 0.02)) for n in (first, second))
    there = resample(np.concatenate([a.decode(p) for p in packets_of(first)[0]]), a.rate, b.rate)
    scores = []
    for begin in range(0, b.frame, b.frame // 4) if second in PHASELESS else (0,):  # a vocoder's depends on where its frames begin
        b = Coder(second, PTIME.get(second, 0.02))
        scores.append(speech_score(np.concatenate([b.decode(p) for p in coded(b, there[begin:])]), b.rate, judged_rate(first, second))[0])
    return min(scores)


def speech_score(x, rate, judged):
    """(score, delay of x in s, level in dB, wander in s) of the speech in x."""
    ref, x = said(judged)[:int((SPEECH_S + PAUSE_S) * judged)], resample(x, rate, judged)
    d = judge.delay(ref, x, judged)
    cut = x[max(int(d * judged), 0):][:len(ref)]
    level = judge.level_db(cut) - judge.level_db(ref[:len(cut)])
    score, wander = judge.score_of_words(ref, x, judged)
    return score, d, level, wander


def envelope_delay(x, rate):
    """By the loudness alone."""
    def loud(y):
        return np.convolve(np.abs(y), np.ones(160) / 160, "same")
    ref = said(8000)[:int(SPEECH_S * 8000)]
    return judge.delay(loud(ref) - loud(ref).mean(), loud(resample(x, rate, 8000))[:len(ref) + 8000] - loud(ref).mean(), 8000)


# ---- the wire
@dataclass
class End:
    """One phone of a call: what it sends and what came to it."""
    phone: object
    name: str
    pt: int       # by which the codec comes
    pt_send: int  # and goes, as the other side said
    got: list = field(default_factory=list)


class Exchange:
    """All ends send what they say, once or times after another, each over its network; late_max: how late the sending was, s."""

    def __init__(self, ends, networks, times=1):
        self.ends, self.late_max, plan = ends, 0.0, []
        for n, (e, way) in enumerate(zip(ends, networks)):
            ptime, clock = PTIME.get(e.name, 0.02), clock_of(e.name)
            payloads, silent = packets_of(e.name)
            payloads, silent = payloads * times, silent * times
            network = judge.Network(**{**way.network.__dict__, "seed": way.network.seed + n})
            due = {}
            for at, i in network.schedule(len(payloads), ptime):
                due.setdefault(i, []).append(at)
            number, quiet, was_sent = 100, 0, False
            for i, p in enumerate(payloads):
                quiet = quiet + 1 if i < len(silent) and silent[i] else 0
                is_sent = not way.is_dtx or quiet <= 3
                if is_sent:
                    data = judge.rtp(p, number, 4000 + i * int(clock * ptime), ssrc=0x1000 + n, pt=e.pt_send, marked=not was_sent)
                    plan += [(at, n, data) for at in due.get(i, ())]
                    number += 1
                was_sent = is_sent
        self.plan = sorted(plan, key=lambda p: p[0])
        self.stop = threading.Event()

    def run(self):
        """A process of its own sends, so that what this one does with what arrives holds nothing up."""
        self.begin = time.monotonic() + 0.1
        come, go = os.pipe()
        child = os.fork()
        if not child:
            gc.freeze()
            try:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
            except OSError:
                pass
            try:
                os.write(go, struct.pack("d", self._send()))
            finally:
                os._exit(0)
        os.close(go)
        keeper = threading.Thread(target=self._keep, daemon=True)
        keeper.start()
        with open(come, "rb") as f:
            self.late_max = struct.unpack("d", f.read(8))[0]
        os.waitpid(child, 0)
        time.sleep(0.6)  # what the jitter buffers still hold
        self.stop.set()
        keeper.join()
        return self

    def _send(self):
        late = 0.0
        for at, n, data in self.plan:
            left = self.begin + at - time.monotonic()
            if left > 0.0005:
                time.sleep(left)
            late = max(late, -left)
            e = self.ends[n]
            try:
                e.phone.media.sendto(data, ("127.0.0.1", e.phone.remote_rtp))
            except OSError:
                pass
        return late

    def _keep(self):
        s = selectors.DefaultSelector()
        for e in self.ends:
            e.phone.media.setblocking(False)
            s.register(e.phone.media, selectors.EVENT_READ, e)
        while not self.stop.is_set():
            for key, _ in s.select(0.05):
                try:
                    data = key.data.phone.media.recv(4096)
                except OSError:
                    continue
                if len(data) > 12 and not 200 <= data[1] <= 207:
                    key.data.got.append(judge.parse(data, time.monotonic()))
        s.close()


# ---- what came
@dataclass
class Heard:
    first: str
    second: str
    score: float = 1.0
    level: float = -99.0
    hz: float = 0.0
    snr: float = -99.0
    gap: float = 9999.0
    delay: float = 9999.0
    wander: float = 9999.0
    faults: list = field(default_factory=list)


def heard(end, far, begin, times=1):
    """Of one direction: far said it, end heard it. Of several times the last is measured."""
    c = Coder(end.name, PTIME.get(end.name, 0.02))
    out = Heard(far.name, end.name)
    got = [p for p in end.got if p.pt == end.pt]
    if len(got) < 20:
        return out
    out.faults = judge.faults(got, c.clock, int(c.clock * PTIME.get(end.name, 0.02)), (end.pt,))
    x = judge.sound(got, c.decode, c.rate, c.clock, end.pt)
    before = (times - 1) * len(packets_of(far.name)[0]) * PTIME.get(far.name, 0.02)
    x = x[int(before * c.rate):]
    out.score, d, out.level, wander = speech_score(x, c.rate, judged_rate(far.name, end.name))
    out.wander = 1000 * wander
    if end.name in PHASELESS or far.name in PHASELESS:
        d = envelope_delay(x, c.rate)
    out.delay = 1000 * (d + got[0].at - begin)
    at = int((d + SPEECH_S + PAUSE_S + 0.1) * c.rate)
    tone = x[max(at, 0):at + int((TONE_S - 0.2) * c.rate)]
    if len(tone) > c.rate // 2:
        out.hz, out.snr = judge.frequency(tone, c.rate), judge.snr_db(tone, TONE_HZ, c.rate)
        out.gap = max([1000 * g[1] for g in judge.gaps(tone, c.rate, level=300)], default=0.0)
    return out


@dataclass
class Way:
    """What lies between, and what of the score (above 1) without it must be left: least, and least_vocoder where a codec keeps no waves."""
    network: judge.Network
    least: float
    least_vocoder: float
    is_dtx: bool = False
    has_buffer: bool = True


def measured(pairs, ways, times=1):
    """pairs: [(End, End)] of calls that are up, ways: of each. ([Heard, Heard] of each, how late the sender was)."""
    ends = [e for p in pairs for e in p]
    x = Exchange(ends, [w for w in ways for _ in "ab"], times).run()
    jobs = [(ends[i ^ 1], ends[i]) for i in range(len(ends))]
    with multiprocessing.get_context("fork").Pool(2, _work_on, (jobs, x.begin, times)) as pool:
        found = pool.map(_one, range(len(jobs)), chunksize=4)
    return list(zip(found[::2], found[1::2])), x.late_max


_work = None


def _work_on(jobs, begin, times):
    global _work
    gc.freeze()
    _work = jobs, begin, times


def _one(i):
    jobs, begin, times = _work
    return heard(*jobs[i], begin, times)
