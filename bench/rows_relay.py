"""Rows of the media room that bench/relay measures in one process: prompts, transcoding, what two media threads share."""
import json
import os
import re
import subprocess

from rowkit import Row
from switch import BUILD, note

FRAMES_PER_S = 50
SENT_MIN = 0.97  # a load that was kept from sending measures something else
PROMPT_CALLERS = 1000
TRANSCODED = (("G722", 400), ("opus", 200))  # streams, so that a core is a third busy
THREAD_STREAMS = 1000
TRACED_STREAMS = 100


def relay_bench(name, *args, under=()):
    r = json.loads(subprocess.run([*under, str(BUILD / f"bench/relay/bench_{name}"), *map(str, args)], stdout=subprocess.PIPE, text=True, check=True).stdout)
    note("  " + json.dumps(r))
    return r


def held_back(sent, expected):
    """What to say when the load could not send what it should have sent, as others had its core."""
    return "" if sent >= SENT_MIN * expected else f", **disturbed: only {100 * sent / expected:.0f} % of the packets were offered**"


def seconds(default):
    return int(os.environ.get("TANDEM_BENCH_SECONDS", default))


def row_prompt():
    """a prompt to 1,000 callers against the sends alone"""
    s, rounds = seconds(4), 8  # the sends alone differ by a fifth from round to round
    r = relay_bench("prompt", PROMPT_CALLERS, s, rounds)
    value = (f"{r['ratio']:.2f} ({r['room']['cpu_ns_per_packet']:.0f} ns against {r['bare']['cpu_ns_per_packet']:.0f} ns a packet)"
             + held_back(r["room"]["sent"], r["expected"]))
    return {"key": "prompt", "what": f"one prompt played to {PROMPT_CALLERS:,} callers in one codec: the media thread's CPU per packet, ratio to the sends alone",
            "value": value, "goal": "1.2", "met": r["ratio"] <= 1.2 and r["room"]["sent"] >= SENT_MIN * r["expected"], "data": r}


def row_transcode():
    """PCMU to G.722 and Opus and back, against the codecs alone and a plain relay"""
    s, rounds = seconds(6), 2
    found = [relay_bench("transcode", codec, streams, s, rounds) for codec, streams in TRANSCODED]
    sent = min(x["sent"] / (r["streams"] * FRAMES_PER_S * s * rounds) for r in found for x in (r["plain"], r["transcoded"]))
    kept = min(r["transcoded"]["received"] / max(r["transcoded"]["sent"], 1) for r in found)
    value = "; ".join(f"PCMU<->{r['codec']}: {r['ratio']:.2f} ({r['transcoded']['cpu_ns_per_packet'] / 1000:.1f} us a packet; codecs alone {r['codecs_ns'] / 1000:.1f} us, "
                      f"plain relay {r['plain']['cpu_ns_per_packet'] / 1000:.1f} us)" for r in found) + held_back(sent, 1)
    return {"key": "transcode", "what": "CPU per packet relayed between two codecs, ratio to plain relay plus the codecs alone", "value": value, "goal": "1.25",
            "met": all(r["ratio"] <= 1.25 for r in found) and kept > 0.999 and sent >= SENT_MIN, "data": found}


def futex_calls(path, stretch):
    """Of a stretch's media threads."""
    count = 0
    for line in path.read_text().splitlines():
        m = re.match(r"(\d+)\s+([\d.]+) futex", line)
        count += bool(m and int(m[1]) in stretch["ids"] and stretch["begin"] <= float(m[2]) <= stretch["end"])
    return count


def row_threads():
    """what two media threads share on the way of a packet"""
    s = seconds(5)
    r = relay_bench("threads", THREAD_STREAMS, s)
    # traced once more with a few streams: tracing slows all system calls, but what is shared is asked for with every packet
    trace = BUILD / "bench-threads.strace"
    traced = relay_bench("threads", TRACED_STREAMS, 2, under=("strace", "-f", "--seccomp-bpf", "-e", "trace=futex", "-ttt", "-o", str(trace)))
    calls, packets = (sum(f(traced[name]) for name in ("two", "two_flat")) for f in (lambda x: futex_calls(trace, x), lambda x: x["received"]))
    r["traced"], r["futex_calls"] = traced, calls
    flat = r["two_flat"]
    value = (f"{calls} futex calls for {packets:,} packets; flat out two gave up the core {flat['waits_per_s']:.1f} times a second (busy {100 * flat['cpu_share']:.0f} %; "
             f"one {r['one_flat']['waits_per_s']:.1f}, {100 * r['one_flat']['cpu_share']:.0f} %); CPU per packet with two {r['cpu_ratio']:.2f} x that with one ({r['two']['cpu_ns_per_packet']:.0f} and "
             f"{r['one']['cpu_ns_per_packet']:.0f} ns at {r['one']['per_s']:,.0f} packets/s); flat out {r['two_flat']['per_s']:,.0f} packets/s with two, "
             f"{r['one_flat']['per_s']:,.0f} with one: {r['throughput_ratio']:.2f} x")
    apart = r["relay_cores"] == 2
    if not apart:
        value += " (both threads on one core, as there are less than four: 1 is the most)"
    value += held_back(r["two"]["sent"], THREAD_STREAMS * FRAMES_PER_S * s)
    return {"key": "threads", "what": "two media threads: whether one waits for the other on the way of packets, and what the second one adds", "value": value,
            "goal": "no futex call a packet" + ("; flat out 1.8 x" if apart else ""),
            "met": calls < packets / 1000 and (not apart or r["throughput_ratio"] >= 1.8), "data": r}


ROWS = [
    Row("prompt", row_prompt, by_name=True),
    Row("transcode", row_transcode, by_name=True),
    Row("threads", row_threads, by_name=True),
]
