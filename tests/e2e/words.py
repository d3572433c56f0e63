"""Which words are heard: what arrives at a phone is held against the sound files that should be said, by normalised correlation, one
after the other. A file that is not said, or said before its turn, is not found: two different words of one voice are alike to 0.3 or so."""
import re
import time
from pathlib import Path

import numpy as np
from phones import read_wav

RECORDED = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
# Names of the stock package and of Debian's recordings, where they differ; digits/ and time/ are all in digits/.
SAME = {"voicemail/vm-person": "vm-theperson", "voicemail/vm-not_available": "vm-isunavail", "conference/conf-alone": "conf-onlyperson",
        "voicemail/vm-goodbye": "vm-goodbye", "voicemail/vm-press": "vm-press", "ivr/ivr-that_was_an_invalid_entry": "pm-invalid-option"}
ALIKE = 0.75


def at_8k(path):
    x, rate = read_wav(path)
    x = np.asarray(x, float).reshape(-1)
    if rate == 8000:
        return x
    n = len(x) * 8000 // int(rate)
    return np.fft.irfft(np.fft.rfft(x)[:n // 2 + 1], n) * n / len(x)


def loud(x):
    """Without the silence around it."""
    at = np.flatnonzero(np.abs(x) > 0.05 * np.abs(x).max())
    return x[at[0]:at[-1] + 1]


def likeness(piece, whole):
    """(best normalised correlation of piece with a part of whole, where the first that is as good begins)."""
    if len(whole) <= len(piece):
        return 0.0, 0
    n, m = 1 << (len(whole) + len(piece)).bit_length(), len(piece)
    found = np.fft.irfft(np.fft.rfft(whole, n) * np.conj(np.fft.rfft(piece, n)), n)[:len(whole) - m]
    sums = np.cumsum(np.concatenate(([0], whole * whole)))
    energy = sums[m:len(whole)] - sums[:len(whole) - m]
    share = found / np.sqrt(energy * (piece @ piece) + 1e6)
    best = float(share.max())
    return best, int(np.flatnonzero(share >= min(best, max(0.9 * best, ALIKE)))[0])


def timeline(got):
    """What a Talker kept, each packet at its time; silence in holes."""
    if not got:
        return np.zeros(0)
    first = got[0][1]
    places = [((ts - first) & 0xffffffff, x) for _, ts, x in got]
    out = np.zeros(max((at + len(x) for at, x in places if at < 1 << 24), default=0))
    for at, x in places:
        if at < 1 << 24:
            out[at:at + len(x)] = x
    return out


def notch(x, hz):
    """Without a steady tone (music of a test) that lies under the words."""
    f = np.fft.rfft(x)
    at, width = int(round(hz * len(x) / 8000)), max(len(x) // 2000, 1)
    f[max(at - width, 0):at + width + 1] = 0
    return np.fft.irfft(f, len(x))


def file_of(sw, name):
    """Where the words of that prompt are: recorded, or what the switch says it spoke them into; None: not spoken yet."""
    base = name.split("/", 1)[1] if name.startswith(("digits/", "time/")) else None
    recorded = RECORDED / (f"digits/{base}.wav" if base else f"{SAME.get(name, name)}.wav")
    if recorded.exists():
        return recorded
    m = re.search(rf"/{re.escape(name)}\.wav: spoken by \S+, kept in (\S+)", sw.log_text)
    return Path(m.group(1)) if m else None


def hears_words(sw, p, names, timeout=30, without=None):
    """Until p has heard these prompts, each after the one before, whatever is between them."""
    deadline, at, left, best = time.monotonic() + timeout, 0, list(names), 0.0
    while left:
        with p.talk.lock:
            x = timeline(p.talk.got)
        path = file_of(sw, left[0])
        if path:
            piece = loud(at_8k(path))
            if without and len(x):
                x, piece = notch(x, without), notch(piece, without)
            share, begin = likeness(piece, x[at:])
            best = max(best, share)
            if share > ALIKE:
                at, best = at + begin + len(piece) // 2, 0.0
                left.pop(0)
                continue
        assert time.monotonic() < deadline, f"{p.user}: {left[0]} of {names} is not heard ({path}, likeness {best:.2f}, {len(x) / 8000:.1f} s)"
        time.sleep(0.2)
