"""Rows of events: how many a subscriber is told, and what calls feel of subscribers and watchers."""
import json
import statistics
import subprocess
import sys
import time

from rowkit import STEP_S, Row, clean, disturbed, tell
from switch import LOAD_CORE, TOP, Switch, note, pinned

EVENT_RATES = (50000, 70000, 90000)
WATCHED_RATE = 500
WATCHERS = 5000
WATCHERS_DELAY_MAX_MS = 5


def event_client(s, role, *args):
    """A bench/events.py that has said it is ready."""
    p = pinned(LOAD_CORE, lambda: subprocess.Popen([sys.executable, TOP / "bench/events.py", role, str(s.esl_port), s.esl_password, *map(str, args)],
                                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    assert p.stdout.readline() == "ready\n"
    return p


def result_of(p, say=None):
    out, _ = p.communicate(say, timeout=120)
    return json.loads(out)


def row_h():
    """events to one plain subscriber"""
    s = Switch().start()
    tried = []
    try:
        for rate in EVENT_RATES:
            counter = event_client(s, "count", "NOTIFY")
            sender = event_client(s, "send", rate, STEP_S)
            cpu, begin = s.cpu_s(), time.monotonic()
            sent = result_of(sender)
            cpu = (s.cpu_s() - cpu) / (time.monotonic() - begin)
            got = result_of(counter)
            r = {"rate": rate, "real": sent["sent"] / sent["seconds"], "lost": sent["sent"] - got["events"], "gaps": got["gaps"],
                 "cpu_us": cpu * sent["seconds"] * 1e6 / sent["sent"], "bytes": got["bytes"] / max(got["events"], 1), **sent}
            tried.append(r)
            note(f"  {rate}/s: {r['real']:,.0f}/s made, {r['lost']} lost, {r['gaps']} gaps, {r['cpu_us']:.1f} us each, {r['bytes']:.0f} bytes each, "
                 f"sender {100 * sent['own_cpu']:.0f} %")
            if r["lost"] or r["real"] < 0.97 * rate:
                break
    finally:
        s.end()
    good = [r for r in tried if not r["lost"] and r["real"] >= 0.97 * r["rate"]]
    best = max(good, key=lambda r: r["rate"], default=None)
    value = (f"{best['real']:,.0f}/s, none lost ({best['cpu_us']:.1f} us CPU each with its sendevent, {best['bytes']:.0f} bytes)" if best
             else f"{tried[0]['real']:,.0f}/s, {tried[0]['lost']} lost")
    return {"key": "h", "what": "events made by sendevent, read by one plain subscriber", "value": value, "goal": f"{EVENT_RATES[0]:,}/s",
            "met": best is not None, "data": tried}


def row_i():
    """calls while an event subscriber reads, and while it has stopped"""
    s, results = Switch().start(), {}
    try:
        s.load("call", rate=WATCHED_RATE / 10, seconds=1)
        for kind in ("none", "count", "stall"):
            p = event_client(s, kind, "ALL") if kind != "none" else None
            r = s.load("call", rate=WATCHED_RATE, seconds=STEP_S * 2)
            s.settle()
            r["watcher"] = result_of(p, "go on\n" if kind == "stall" else None) if p else None
            results[kind] = r
            tell(r)
            note(f"    {kind}: {r['watcher']}")
    finally:
        s.end()
    alone, reads, stopped = results["none"], results["count"], results["stall"]
    lost = stopped["watcher"]["gaps"]
    value = "; ".join(f"{name} {r['ok'] / r['seconds']:.0f}/s, {r['failed']} failed, p99 {r['setup_p99_ms']:.1f} ms, switch {100 * r['switch_cpu']:.0f} %"
                      for name, r in (("nobody subscribed", alone), ("ALL read", reads), ("ALL not read", stopped)))
    value += f"; the one that read got {reads['watcher']['events']:,} events and {reads['watcher']['gaps']} gaps, the other {lost} gap mark"
    value += disturbed(list(results.values()))
    met = (all(clean(r) for r in results.values()) and stopped["ok"] == alone["ok"] == reads["ok"] and reads["watcher"]["gaps"] == 0 and lost == 1)
    return {"key": "i", "what": f"{WATCHED_RATE} calls/s beside an event subscriber", "value": value,
            "goal": "same rate, no failures; one gap mark", "met": met, "data": results}


def row_p():
    """watchers of one extension"""
    s = Switch().start()
    try:
        s.load("call", rate=WATCHED_RATE / 10, seconds=1)
        before = s.memory_kb()[0]
        p = pinned(LOAD_CORE, lambda: subprocess.Popen([sys.executable, TOP / "bench/watchers.py", str(s.sip_port), str(WATCHERS)],
                                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert p.stdout.readline() == "ready\n"
        time.sleep(8)  # the transactions of the first NOTIFYs are over
        each_kb = (s.memory_kb()[0] - before) / WATCHERS
        alone = s.load("call", rate=50, seconds=STEP_S)
        s.settle()

        def so_far():
            p.stdin.write("?\n")
            p.stdin.flush()
            return json.loads(p.stdout.readline())

        rates = []
        for i in range(3):
            so_far()
            s.api(f"presence in 1001@127.0.0.1 away{'y' * i} x")
            time.sleep(1.5)
            rates.append(so_far())
        load = s.load_begin("call", rate=50, seconds=STEP_S)
        end = time.monotonic() + STEP_S
        changes = 0
        while time.monotonic() < end:
            s.api(f"presence in 1001@127.0.0.1 away x{changes}")
            changes += 1
            time.sleep(1)
        told = json.loads(load.communicate(timeout=60)[0])
        p.stdin.close()
        p.wait(20)
    finally:
        s.end()
    told_all = min(r["told"] for r in rates)
    per_s = statistics.median(r["told"] / max(r["seconds"], 0.001) for r in rates)
    delay = told["setup_p50_ms"] - alone["setup_p50_ms"], told["setup_p99_ms"] - alone["setup_p99_ms"]
    note(f"  {told_all} told, {per_s:,.0f}/s; alone p50 {alone['setup_p50_ms']:.2f} p99 {alone['setup_p99_ms']:.2f} ms; told p50 "
         f"{told['setup_p50_ms']:.2f} p99 {told['setup_p99_ms']:.2f} ms, failed {told['failed']}, {changes} changes")
    value = (f"{per_s:,.0f} NOTIFYs/s; a call's set-up {delay[0]:+.2f} ms (p50), {delay[1]:+.2f} ms (p99) while {WATCHERS} are told each second; "
             f"{each_kb:.1f} kB a subscription")
    met = told_all == WATCHERS and told["failed"] == 0 and delay[1] < WATCHERS_DELAY_MAX_MS
    return {"key": "p", "what": f"a change told to {WATCHERS} watchers", "value": value,
            "goal": f"all told, a call delayed by less than {WATCHERS_DELAY_MAX_MS} ms", "met": met,
            "data": {"rates": rates, "alone": alone, "told": told, "each_kb": each_kb}}


ROWS = [
    Row("h", row_h),
    Row("i", row_i),
    Row("p", row_p, by_name=True),
]
