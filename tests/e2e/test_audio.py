"""What arrives, measured: calls between every two codecs that can be transcoded, over networks that lose, delay and reorder, with silence that is
not sent and clocks that differ. audio_lab.py says what is measured and how. Here each codec is met on a good network and each network by some
codecs; ./dev soak measures every pair on every network, and writes docs/audio-table.md where TANDEM_AUDIO_TABLE names the file."""
import contextlib
import itertools
import os
import re

import audio_lab as lab
import audio_table
import pytest
import tandem as t
from audio_lab import Way
from calls import extension, write_extensions
from codec_phone import Coder, body
from judge import Network
from test_codecs import wanted
from trunk import Trunk, add_profile

JUDGED = ["PCMU", "PCMA", "L16-8", "L16", "L16-48", "G722", "G726-16", "G726-24", "G726-32", "G726-40", "AAL2-G726-32", "GSM", "opus", "speex-8",
          "speex", "speex-32", "AMR", "AMR-WB", "G729", "DVI4", "DVI4-16", "LPC", "CODEC2"]
MODULE = t.BUILD / "modules/g729/mod_g729.so"
WAYS = {
    "clean": Way(Network(), 0.93, 0.85, has_buffer=False),
    "loss 5 %": Way(Network(loss=0.05), 0.75, 0.5),
    "loss 10 %": Way(Network(loss=0.1), 0.6, 0.4),
    "loss 20 %": Way(Network(loss=0.2), 0.45, 0.25),
    "loss 20 %, in bursts of 3": Way(Network(loss=0.2, burst=3), 0.3, 0.2),
    "jitter up to 50 ms": Way(Network(jitter_ms=50), 0.85, 0.7),
    "jitter up to 100 ms": Way(Network(jitter_ms=100), 0.8, 0.6),
    "every fifth packet 25 ms later": Way(Network(reorder=0.2, jitter_ms=10), 0.85, 0.7),
    "silence is not sent (DTX)": Way(Network(), 0.85, 0.7, is_dtx=True),
    "clock 200 ppm fast": Way(Network(skew_ppm=200), 0.85, 0.7),
    "clock 200 ppm slow": Way(Network(skew_ppm=-200), 0.85, 0.7),
}
AT_ONCE = 40


def codec_string(name):
    return wanted(name) + (f"@{int(1000 * lab.PTIME[name])}i" if name in lab.PTIME else "")


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("audio") / "instance")
    s.judged = [n for n in JUDGED if n != "G729" or MODULE.exists()]
    s.at = {}  # a profile has room for 20 codecs
    for half, names in (("one", s.judged[:12]), ("two", s.judged[12:])):
        prefs = ",".join(map(codec_string, names))
        s.at.update(dict.fromkeys(names, add_profile(s, half, inbound_codec_prefs=prefs, outbound_codec_prefs=prefs)))
    rows = []
    for i, n in enumerate(s.judged):
        to = "sofia/one/svc@127.0.0.1:${sip_h_X-Port}"
        rows += [extension(f"87{i:02}", f"bridge {{absolute_codec_string='{codec_string(n)}'}}{to}"),
                 extension(f"88{i:02}", "set jitterbuffer_msec=60:300",
                           f"bridge {{absolute_codec_string='{codec_string(n)}',jitterbuffer_msec=60:300}}{to}")]
    write_extensions(s, rows)
    if MODULE.exists():
        (s.root / "mod").mkdir(exist_ok=True)
        (s.root / "mod" / MODULE.name).write_bytes(MODULE.read_bytes())
    s.start()
    if MODULE.exists():
        assert s.api("load mod_g729").endswith("+OK\n")
    for thread in os.listdir(f"/proc/{s.proc.pid}/task"):
        with contextlib.suppress(OSError):  # what a busy machine holds up is not the switch's
            os.setpriority(os.PRIO_PROCESS, int(thread), -10)
    yield s
    s.stop()


def number_of(coder, sdp):
    return int(re.search(rf"a=rtpmap:(\d+) {re.escape(coder.rtpmap)}", sdp, re.I).group(1))


def joined(sw, made, first, second, has_buffer):
    a, b = Trunk(sw, "ext", at=sw.at[first]), Trunk(sw, "svc", at=sw.at[JUDGED[0]])
    made += [a, b]
    ca, cb = (Coder(n, lab.PTIME.get(n, 0.02)) for n in (first, second))
    ptimes = [int(1000 * lab.PTIME.get(n, 0.02)) for n in (first, second)]
    a.invite(f"{88 if has_buffer else 87}{sw.judged.index(second):02}", body(a, [ca], ptimes[0]), extra=f"X-Port: {b.port}\n")
    offer = b.take(body(b, [cb], ptimes[1])).body
    answer = a.answered().body
    return lab.End(a, first, ca.pt, number_of(ca, answer)), lab.End(b, second, cb.pt, number_of(cb, offer))


def measure(sw, calls, times=1):
    """calls: [(first, second, way)], all at once: what both sides of each heard."""
    made = []
    try:
        ends = [joined(sw, made, x, y, way.has_buffer) for x, y, way in calls]
        return lab.measured(ends, [way for *_, way in calls], times)[0]
    finally:
        for p in made[::2]:
            if p.target:
                p.bye()
        sw.wait_calls(0)
        for p in made:
            p.close()


def flaws(h, way):
    """Why this is not good enough, as text."""
    is_vocoder = h.first in lab.PHASELESS or h.second in lab.PHASELESS
    alone, is_clean = lab.alone(h.first, h.second), way is WAYS["clean"]
    least = 1 + (alone - 1) * (way.least_vocoder if is_vocoder else way.least)
    out = []
    if h.score < least:
        out.append(f"score {h.score:.2f}, not {least:.2f} ({alone:.2f} without a switch)")
    if h.faults:
        out.append(f"faults {h.faults[:3]}")
    if is_clean and not is_vocoder:
        if abs(h.level) > 2:
            out.append(f"level {h.level:.1f} dB")
        if abs(h.hz - lab.TONE_HZ) > 2 or h.snr < 14:
            out.append(f"tone {h.hz:.1f} Hz, {h.snr:.1f} dB over the rest")
        if h.gap > 10:
            out.append(f"a hole of {h.gap:.0f} ms")
        if h.delay > 80:
            out.append(f"delay {h.delay:.0f} ms")
    return out and f"{h.first} to {h.second}: " + "; ".join(out)


def judged(sw, calls, times=1):
    """All calls, at most so many at once. What is not good enough is measured again, twice: a machine that was busy is so once."""
    found, left = {}, list(range(len(calls)))
    lab.alone_all([p for a, b, _ in calls for p in ((a, b), (b, a))])
    for _ in range(3):
        for i in range(0, len(left), AT_ONCE):
            part = left[i:i + AT_ONCE]
            found.update(zip(part, measure(sw, [calls[n] for n in part], times)))
        left = [n for n in left if any(flaws(h, calls[n][2]) for h in found[n])]
        if not left:
            break
    bad = [text for n in left for h in found[n] if (text := flaws(h, calls[n][2]))]
    return [found[n] for n in range(len(calls))], bad


def test_every_codec(sw):
    """Each with two others, on a network without faults and without a jitter buffer."""
    _, bad = judged(sw, [(a, b, WAYS["clean"]) for a, b in zip(sw.judged, sw.judged[1:] + sw.judged[:1])])
    assert not bad, "\n".join(bad)


def test_every_network(sw):
    pairs = [("PCMU", "opus"), ("G722", "AMR-WB")]
    _, bad = judged(sw, [(a, b, way) for way in WAYS.values() for a, b in pairs])
    assert not bad, "\n".join(bad)


@pytest.mark.soak
def test_every_pair_on_every_network(sw):
    pairs, table, bad = list(itertools.combinations(sw.judged, 2)), {}, []
    for name, way in WAYS.items():
        found, flawed = judged(sw, [(a, b, way) for a, b in pairs])
        table[name] = [h for both in found for h in both]
        bad += [f"{name}: {text}" for text in flawed]
        print(name, len(flawed), "flaws", flush=True)
    if os.environ.get("TANDEM_AUDIO_TABLE"):
        audio_table.write(os.environ["TANDEM_AUDIO_TABLE"], sw.judged, table, bad)
    assert not bad, "\n".join(bad)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["clock 200 ppm fast", "clock 200 ppm slow"])
def test_clocks_that_differ_for_minutes(sw, name):
    """200 ppm are 36 ms in three minutes: more than a packet is too much or too little by then, and nobody hears it."""
    way = WAYS[name]
    found, bad = judged(sw, [(a, "opus" if a != "opus" else "G722", way) for a in ("PCMU", "G722", "GSM", "opus", "AMR")], times=30)
    late = [f"{h.first} to {h.second}: delay {h.delay:.0f} ms" for both in found for h in both if h.delay > 160]
    assert not bad + late, "\n".join(bad + late)
