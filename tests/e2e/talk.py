"""What a scripted phone says and hears: a thread sends a tone (or silence) and digits in one RTP sequence, and keeps what arrives.

Tests ask for what must be heard by now or soon (until a deadline), never for what is heard at a given moment.
"""
import socket
import struct
import threading
import time

import numpy as np

FRAME = 160


def _ulaw_table():
    def one(code):
        u = ~code & 255
        v = (((u & 15) << 3) + 132 << ((u & 112) >> 4)) - 132
        return -v if u & 128 else v
    return np.array([one(i) for i in range(256)], float)


ULAW = _ulaw_table()
_SORTED = np.argsort(ULAW, kind="stable")


def ulaw(samples):
    """Samples as PCMU bytes: the nearest code of each."""
    at = np.clip(np.searchsorted(ULAW[_SORTED], samples), 1, 255)
    low, high = _SORTED[at - 1], _SORTED[at]
    return np.where(np.abs(ULAW[low] - samples) <= np.abs(ULAW[high] - samples), low, high).astype(np.uint8).tobytes()


def amplitude(x, hz, rate=8000):
    """Of hz in x, as the peak of a sine."""
    if len(x) < FRAME:
        return 0.0
    t = np.arange(len(x)) / rate
    w = np.hanning(len(x))
    return float(2 * np.abs(np.sum(x * w * np.exp(-2j * np.pi * hz * t))) / np.sum(w))


class Talker:
    """A phone's media side while its call lasts; PCMU, telephone-event 101."""

    def __init__(self, phone, hz=0, level=8000):
        self.phone, self.hz, self.level = phone, hz, level
        self.lock = threading.Lock()
        self.got = []      # (timestamp, samples) of audio
        self.events = []   # (timestamp, digit, duration), once an event, at its end
        self._digits = []
        self._frames = []  # samples to be said instead of the tone
        self._seq = self._ts = 0
        self._phase = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    # ---- the thread
    def _put(self, payload, pt, ts, marked=False):
        head = struct.pack("!BBHII", 0x80, pt | (0x80 if marked else 0), self._seq & 65535, ts & 0xffffffff, 77)
        self._seq += 1
        try:
            self.phone.media.sendto(head + payload, ("127.0.0.1", self.phone.remote_rtp))
        except OSError:
            pass

    def _digit(self, digit, ms):
        """One digit's packets at their pace, in place of audio."""
        event, frames, ts = "0123456789*#ABCD".index(digit), max(ms // 20, 2), self._ts
        for i in range(1, frames + 1):
            self._put(struct.pack("!BBH", event, 10, i * FRAME), 101, ts, i == 1)
            self._pace()
        for _ in range(3):
            self._put(struct.pack("!BBH", event, 10 | 0x80, frames * FRAME), 101, ts)
        self._pace()

    def _pace(self):
        """To the end of this frame, taking what comes meanwhile."""
        self._due += 0.02
        self._ts += FRAME
        while not self._stop.is_set():
            left = self._due - time.monotonic()
            if left <= 0:
                return
            self.phone.media.settimeout(left)
            try:
                self._take(self.phone.media.recv(2000))
            except (TimeoutError, socket.timeout):
                return
            except OSError:
                time.sleep(left)

    def _take(self, p):
        pt, ts = p[1] & 127, struct.unpack("!I", p[4:8])[0]
        with self.lock:
            if pt == 0:
                self.got.append((time.monotonic(), ts, ULAW[np.frombuffer(p[12:], np.uint8)]))
            elif pt == 101 and p[13] & 0x80 and not any(e[0] == ts for e in self.events):
                self.events.append((ts, "0123456789*#ABCD"[p[12]], struct.unpack("!H", p[14:16])[0]))

    def _run(self):
        self._due = time.monotonic()
        while not self._stop.is_set():
            if self._digits:
                self._digit(*self._digits.pop(0))
                continue
            if self._frames:
                self._put(ulaw(self._frames.pop(0)), 0, self._ts)
                self._pace()
                continue
            t = np.arange(FRAME)
            w = 2 * np.pi * self.hz / 8000
            tone = self.level * np.sin(self._phase + w * t) if self.hz else np.zeros(FRAME)
            self._phase = (self._phase + w * FRAME) % (2 * np.pi)
            self._put(ulaw(tone), 0, self._ts)
            self._pace()

    def stop(self):
        self._stop.set()
        self._thread.join()

    # ---- what tests do and ask
    def press(self, digits, ms=100):
        self._digits += [(d, ms) for d in digits]

    def say(self, seconds, hz=None):
        """Until so much more was said, of another tone when one is given."""
        if hz is not None:
            self.hz = hz
        end = self._ts + int(seconds * 8000)
        _until(lambda: self._ts >= end, 5 + seconds, lambda: "nothing is sent")

    def tones(self, digits, ms=120, gap=120):
        """Digits as sound."""
        rows, columns = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
        for d in digits:
            at = "123A456B789C*0#D".index(d)
            t = np.arange(ms * 8) / 8000
            x = 6000 * (np.sin(2 * np.pi * rows[at // 4] * t) + np.sin(2 * np.pi * columns[at % 4] * t))
            x = np.concatenate([x, np.zeros(gap * 8)])
            self._frames += list(x.reshape(-1, FRAME))

    def said_all(self):
        """Until what tones() was given is said."""
        _until(lambda: not self._frames, 20, lambda: f"{len(self._frames)} frames are not said")
        self.say(0.06)

    def digits(self):
        with self.lock:
            return "".join(d for _, d, _ in self.events)

    def wait_digits(self, want, timeout=10):
        _until(lambda: self.digits() == want, timeout, lambda: f"digits {self.digits()!r}, not {want!r}")

    def last(self, seconds=0.2):
        """The newest audio, at least that much, from now on."""
        n = int(seconds * 50)
        with self.lock:
            start = len(self.got)
        _until(lambda: len(self.got) >= start + n, 5, lambda: f"no sound: {len(self.got) - start} of {n} packets")
        with self.lock:
            return np.concatenate([s for _, _, s in self.got[start:start + n]])

    def mark(self):
        """Where we are, for hears(since=)."""
        with self.lock:
            return len(self.got)

    def hears(self, *present, absent=(), seconds=0.2, timeout=10, level=None, share=0.35, since=None):
        """Until a stretch of that length, of what came since the mark or comes from now on, has each of the tones present (at least
        share of a talker's level, or level within 1 dB) and none of those absent."""
        deadline = time.monotonic() + timeout
        n, start = int(seconds * 50), self.mark() if since is None else since
        while True:
            _until(lambda: self.mark() >= start + n, 5, lambda: f"no sound: {self.mark() - start} of {n} packets")
            with self.lock:
                x = np.concatenate([s for _, _, s in self.got[start:start + n]])
            start += 1
            found = {hz: amplitude(x, hz) for hz in (*present, *absent)}
            good = all(found[hz] < self.level * 0.03 for hz in absent)
            for hz in present:
                good &= found[hz] > self.level * share if level is None else abs(20 * np.log10((found[hz] + 1e-9) / level)) < 1
            if good:
                return x
            assert time.monotonic() < deadline, f"{self.phone.user}: heard {found}, not {present} without {absent}"

    def hears_nothing(self, seconds=0.3, timeout=10):
        """Until a stretch without any sound, or without packets."""
        deadline = time.monotonic() + timeout
        while True:
            with self.lock:
                start = len(self.got)
            time.sleep(seconds)
            with self.lock:
                new = [s for _, _, s in self.got[start:]]
            if all(np.abs(s).max() < 100 for s in new):
                return
            assert time.monotonic() < deadline, f"{self.phone.user}: still hears something"


def _until(fn, timeout, why):
    deadline = time.monotonic() + timeout
    while not fn():
        assert time.monotonic() < deadline, why()
        time.sleep(0.01)
