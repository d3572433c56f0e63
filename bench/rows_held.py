"""Rows of calls that are held: how many one media core carries without loss, plain and encrypted, and ten minutes of most of them."""
import json
import os
import subprocess
import time

from rowkit import OWN_CPU_MAX, Row, disturbed
from switch import BUILD, LOAD_CORE, SWITCH_CORE, Switch, core_busy_s, core_stolen_s, cpu_of, note, pinned

HELD_GOAL = 1800
BARE_SHARE = 0.85     # or so much of what the bare loop can do
SRTP_GOAL = 1500
STEP_S = 6            # of media at one number of calls
SET_UP_PER_S = 250
LATE_MS = 10          # bench_load's PACKET_LATE_US
PACKETS_PER_S = 100   # of a call, both ways
CALLS_MAX = 5000      # the switch's ports
STEADY_S = 600
STEADY_SHARE = 0.8
found = {}            # of the rows before, for steady


class HeldSwitch(Switch):
    """One media thread, which is what the core is for. 7 and a number: the second leg has SRTP, as the first has."""

    def raise_limits(self):
        super().raise_limits()
        self.env["TANDEM_RTP_START"] = "2000"  # a pair rests 30 s after use: there must be enough for this step and the one before
        conf = self.root / "conf"
        p = conf / "autoload_configs/switch.conf.xml"
        p.write_text(p.read_text().replace('name="media-threads" value="auto"', 'name="media-threads" value="1"'))
        (conf / "dialplan/public/bench_srtp.xml").write_text(f"""<include>
  <extension name="bench_srtp">
    <condition field="destination_number" expression="^7(\\d+)$">
      <action application="bridge" data="{{rtp_secure_media=mandatory:AES_CM_128_HMAC_SHA1_80}}sofia/external/sip:$1@127.0.0.1:{self.uas_port}"/>
    </condition>
  </extension>
</include>
""")


def offered(r):
    """The share of the packets of its calls that the generator came to send."""
    return r["media_sent"] / max(r["calls"] * PACKETS_PER_S * r["seconds"], 1)


def media_clean(r):
    return r["failed"] == 0 and offered(r) > 0.98 and r["media_received"] == r["media_sent"] and r["delay_p99_ms"] < LATE_MS


def tell_media(what, r):
    note(f"  {what} {r['calls']} calls  {'clean' if media_clean(r) else 'NOT CLEAN'}  lost {r['media_sent'] - r['media_received']} of {r['media_sent']}, late {r['media_late']} (not known of {r['media_unjudged']}), "
         f"p50 {r['delay_p50_ms']:.2f} p99 {r['delay_p99_ms']:.2f} max {r['delay_max_ms']:.1f} ms  {what} {100 * r['switch_cpu']:.0f} %  "
         f"load {100 * r['own_cpu']:.0f} % ({100 * offered(r):.0f} % offered, behind by {r['lag_max_ms']:.1f} ms at most)  failed {r['failed']} {r['codes'] or ''}  others on its core {100 * r['others_cpu']:.0f} %")


def bare_run(calls, seconds=STEP_S):
    """The bare loop under the same load."""
    args = [str(BUILD / "bench/load/bench_load"), "bare", "--calls", str(calls), "--seconds", str(seconds)]
    relay = load = None
    try:
        # the loop's process must be known to the load, which tells its ports first: so the load learns it from what it is given
        load = pinned(LOAD_CORE, lambda: subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        ports = load.stdout.readline().split()[1:]
        relay = pinned(SWITCH_CORE, lambda: subprocess.Popen([str(BUILD / "bench/load/bench_bare"), *ports, str(calls)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        lines = "".join(relay.stdout.readline() for _ in range(calls))
        begin, core, own = time.monotonic(), core_busy_s(SWITCH_CORE), cpu_of(relay.pid)
        r = json.loads(load.communicate(lines, timeout=60 + seconds)[0])
        took = time.monotonic() - begin
        own = cpu_of(relay.pid) - own
        r["calls"] = calls
        r["switch_cpu"] = own / (1 + seconds)  # a second of settling is not measured
        r["others_cpu"] = max(0, core_busy_s(SWITCH_CORE) - core - own) / took
        return r
    finally:
        for p in (load, relay):
            if p:
                p.stdin.close()
                p.wait(10)


def climb_calls(run, first):
    """The most calls that are clean: up by thirds, then twice between clean and not clean. run tells whether they were."""
    low, high, n = 0, None, first
    while high is None and n <= CALLS_MAX:
        if run(n) or run(n):  # once more: one bad moment of the machine is not a limit
            low, n = n, n * 4 // 3
        else:
            high = n
    while low == 0 and n > first // 16:
        n //= 2
        if run(n) or run(n):
            low = n
        else:
            high = n
    for _ in range(2 if low and high else 0):
        n = (low + high) // 2
        if run(n) or run(n):
            low = n
        else:
            high = n
    return low


def climb_bare(first):
    steps = []

    def run(calls):
        r = bare_run(calls)
        steps.append(r)
        tell_media("bare loop", r)
        return media_clean(r)
    return climb_calls(run, first), steps


def climb_switch(first, **options):
    steps = []
    s = HeldSwitch().start()
    try:
        s.load("media", calls=50, rate=50, seconds=1, **options)

        def run(calls):
            r = s.load("media", calls=calls, rate=SET_UP_PER_S, seconds=STEP_S, **options)
            s.settle()
            r["calls"] = calls
            steps.append(r)
            tell_media("switch", r)
            return media_clean(r)
        return climb_calls(run, first), steps
    finally:
        s.end()


def said_of(n, steps):
    """What the row says of the number of calls, and what else is to be known of it."""
    mine = [r for r in steps if r["calls"] == n and media_clean(r)]
    text = f"{n:,}"
    if mine:
        r = mine[-1]
        text += f" (p50 {r['delay_p50_ms']:.2f}, p99 {r['delay_p99_ms']:.2f} ms, {100 * r['switch_cpu']:.0f} % of its core, load {100 * r['own_cpu']:.0f} %)"
    if any(r["own_cpu"] >= OWN_CPU_MAX for r in steps if r["calls"] >= n):
        text += ", **the generator was saturated: perhaps more**"
    return text + disturbed(steps)


def row_held():
    """bridged PCMU calls held on one media core, and the bare loop's"""
    bare, bare_steps = climb_bare(HELD_GOAL * 2 // 3)
    calls, steps = climb_switch(HELD_GOAL * 2 // 3)
    goal = min(HELD_GOAL, int(BARE_SHARE * bare))
    found["held"] = calls
    return {"key": "held", "what": "bridged PCMU calls held on one media core, nothing lost, p99 of the delay under 10 ms",
            "value": f"{said_of(calls, steps)}; the bare loop {said_of(bare, bare_steps)}", "goal": f"{HELD_GOAL:,} or {100 * BARE_SHARE:.0f} % of the bare loop's: {goal:,}",
            "met": 0 < goal <= calls, "data": {"calls": calls, "bare": bare, "steps": steps, "bare_steps": bare_steps}}


def row_steady():
    """ten minutes at 80 % of what was held (TANDEM_BENCH_CALLS, TANDEM_BENCH_SECONDS: others)"""
    calls, seconds = int(os.environ.get("TANDEM_BENCH_CALLS", 0)), int(os.environ.get("TANDEM_BENCH_SECONDS", STEADY_S))
    if not calls:
        if "held" not in found:
            row_held()
        calls = int(STEADY_SHARE * found["held"])
    assert calls, "no number of calls was held: give one as TANDEM_BENCH_CALLS"
    stolen = [core_stolen_s(SWITCH_CORE)]
    s = HeldSwitch().start()
    try:
        r = s.load("media", calls=calls, rate=SET_UP_PER_S, seconds=seconds)
        s.settle()
    finally:
        s.end()
    stolen.append(core_stolen_s(SWITCH_CORE))
    r["calls"] = calls
    tell_media("switch", r)
    bare = bare_run(int(calls / BARE_SHARE), seconds)  # so much of what it can do, too: the machine is not equally fast for ten minutes
    stolen.append(core_stolen_s(SWITCH_CORE))
    for result, begin, end in zip((r, bare), stolen, stolen[1:]):
        result["stolen_ms"] = 1000 * (end - begin)
    tell_media("bare loop", bare)

    def said(r):
        return (f"{r['media_sent'] - r['media_received']} lost, {r['media_late']} late of {r['media_sent']:,}, within {r['media_late_seconds']} s (p99 {r['delay_p99_ms']:.2f}, at most {r['delay_max_ms']:.1f} ms; "
                f"not known of {r['media_unjudged']}, which the generator was kept from sending; it was behind by {r['lag_max_ms']:.1f} ms at most; "
                f"core {100 * r['switch_cpu']:.0f} %, generator {100 * r['own_cpu']:.0f} %; the hypervisor took {r['stolen_ms']:.0f} ms)" + disturbed([r]))
    return {"key": "steady", "what": f"{seconds} s of {calls:,} bridged PCMU calls: frames lost, and over {LATE_MS} ms late",
            "value": f"{said(r)}; the bare loop with {bare['calls']:,} afterwards: {said(bare)}", "goal": "0",
            "met": r["failed"] == 0 and offered(r) > 0.98 and r["media_sent"] == r["media_received"] and r["media_late"] == 0, "data": {"switch": r, "bare": bare}}


def lossless(steps):
    """The step with the most calls of which nothing was lost, whatever the delay."""
    return max((r for r in steps if r["failed"] == 0 and offered(r) > 0.98 and r["media_received"] == r["media_sent"]), key=lambda r: r["calls"], default=None)


def row_srtp_calls():
    """bridged calls with SDES on both sides, held"""
    calls, steps = climb_switch(SRTP_GOAL, srtp=True, number="7")
    most = lossless(steps)
    value = said_of(calls, steps)
    if most and most["calls"] > calls:
        value += f"; without loss {most['calls']:,} (p50 {most['delay_p50_ms']:.1f}, p99 {most['delay_p99_ms']:.0f} ms; {100 * most['switch_cpu']:.0f} % of its core)"
    return {"key": "srtp-calls", "what": "bridged PCMU calls with SDES on both sides held on one media core, nothing lost, p99 of the delay under 10 ms; and nothing lost",
            "value": value, "goal": f"{SRTP_GOAL:,} without loss", "met": bool(most) and most["calls"] >= SRTP_GOAL, "data": {"calls": calls, "steps": steps}}


ROWS = [
    Row("held", row_held, by_name=True),
    Row("steady", row_steady, by_name=True),
    Row("srtp-calls", row_srtp_calls, by_name=True),
]
