"""What all rows share: what a row is, when a load was clean, and the climb to the highest rate that is."""
import statistics
from collections import namedtuple

from switch import Switch, note

STEP_S = 4          # of load at one rate
P99_MAX_MS = 500    # slower is not clean
OWN_CPU_MAX = 0.9   # a generator busier than this measures itself
OTHERS_CPU_MAX = 0.1
# freeswitch: FreeSWITCH 1.11.3-dev, one core, measured 2026-11-20 on the kind of machine docs/performance.md names;
# by_name: it takes long, or needs what not every machine has: only measured when it is asked for
Row = namedtuple("Row", "key measure freeswitch by_name", defaults=("-", False))


def disturbed(results):
    """What to say when the switch did not have its core for itself."""
    most = max(r["others_cpu"] for r in results)
    return f", **disturbed: other work took {100 * most:.0f} % of its core**" if most > OTHERS_CPU_MAX else ""


def clean(r):
    return r["failed"] == 0 and r["started"] == r["ok"] and r["setup_p99_ms"] < P99_MAX_MS


def tell(r):
    note(f"  {r['offered_per_s']:8.0f}/s  {'clean' if clean(r) else 'NOT CLEAN'}  p50 {r['setup_p50_ms']:.1f} p99 {r['setup_p99_ms']:.1f} ms  "
         f"switch {100 * r['switch_cpu']:.0f} % ({r['switch_us_per_ok']:.0f} us each)  load {100 * r['own_cpu']:.0f} %  "
         f"failed {r['failed']} {r['codes'] or ''} again {r['retransmissions']}"
         + (f"  others on its core {100 * r['others_cpu']:.0f} %" if r["others_cpu"] > OTHERS_CPU_MAX else ""))


def climb(mode, goal, make=Switch, **options):
    """The highest rate that is clean: from half the goal up by steps of a third, then two halvings between clean and not clean."""
    s = make().start()
    try:
        s.load(mode, rate=goal / 10, seconds=1, **options)  # warm: pages, regexes, registrations
        tried = []

        def run(rate):
            r = s.load(mode, rate=int(rate), seconds=STEP_S, **options)
            s.settle()
            r["rss_kb"] = s.memory_kb()[0]
            tried.append(r)
            tell(r)
            return clean(r) and r["own_cpu"] < OWN_CPU_MAX

        low, high = 0, None
        rate = goal / 2
        while high is None and len(tried) < 14:
            if run(rate) or run(rate):  # once more: one bad moment of the machine is not a limit
                low, rate = rate, rate * 4 / 3
            else:
                high = rate
        while low == 0 and len(tried) < 12:
            rate /= 2
            if run(rate):
                low = rate
            else:
                high = rate
        for _ in range(2):
            if low and high:
                rate = (low + high) / 2
                if run(rate):
                    low = rate
                else:
                    high = rate
        good = [r for r in tried if clean(r)]
        if not good:
            return {"rate": 0, "steps": tried}
        best = max(good, key=lambda r: r["offered_per_s"])
        return {"rate": best["offered_per_s"], "best": best, "steps": tried,
                "cpu_us": statistics.median(r["switch_us_per_ok"] for r in good),
                "is_load_saturated": any(r["own_cpu"] >= OWN_CPU_MAX for r in tried)}
    finally:
        s.end()


def rate_row(key, what, mode, goal, **options):
    r = climb(mode, goal, **options)
    if not r["rate"]:
        return {"key": key, "what": what, "value": "no clean rate found", "goal": f"{goal:,}/s", "met": False, "data": r}
    b = r["best"]
    text = (f"{r['rate']:,.0f}/s ({r['cpu_us']:.0f} us CPU each; at that rate p50 {b['setup_p50_ms']:.1f} ms, p99 {b['setup_p99_ms']:.1f} ms, "
            f"switch {100 * b['switch_cpu']:.0f} %, load {100 * b['own_cpu']:.0f} %)")
    if r["is_load_saturated"]:
        text += ", **the generator was saturated**"
    text += disturbed(r["steps"])
    return {"key": key, "what": what, "value": text, "goal": f"{goal:,}/s", "met": r["rate"] >= goal, "data": r}
