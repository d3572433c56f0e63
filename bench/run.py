#!/usr/bin/python3
"""`./dev bench [row ...]`: measures all rows on a real Tandem and writes a table (Markdown on standard output) and bench.json
in the build directory. The switch runs pinned to the first core, all load to the second; the load is our own (bench/load),
offered by the clock, and every row tells how busy the generator was. docs/performance.md says how to read the table."""
import json
import os
import select
import signal
import statistics
import subprocess
import sys
import time

import callcenter
import conference
import http_directory
import instructions
import radius
import records
import storm
import tls_phones
from yardstick import Kamailio
from switch import BUILD, CORES, LOAD_CORE, SWITCH_CORE, TOP, Switch, note, pinned
from tandem import SHARED
STEP_S = 4          # of load at one rate
P99_MAX_MS = 500    # slower is not clean
OWN_CPU_MAX = 0.9   # a generator busier than this measures itself
OTHERS_CPU_MAX = 0.1
HELD_CALLS = 1000
EVENT_RATES = (50000, 70000, 90000)
WATCHED_RATE = 500
OVERLOAD = (2, 4)       # times what it can do
OVERLOAD_P99_MAX_MS = 200
INSTRUCTIONS_MAX = 1_100_000
GIVEN_BACK_S = 45   # the transactions of ended calls live 32 s (RFC 3261)
MEDIA_CALLS = (500, 1000)
WATCHERS = 5000
SERVICE_RATE = 100
WATCHERS_DELAY_MAX_MS = 5
# FreeSWITCH 1.11.3-dev, one core, measured 2026-11-20 on the kind of machine docs/performance.md names
FREESWITCH = {"a": "700/s", "b": "275/s", "c": "110 to 120/s", "d": "-", "e": "18 / 50 ms at 200 calls",
              "f": "760 kB", "g": "2.2 s, 43 MB, 1.6 %", "h": "-", "i": "-", "j": "-", "k": "-", "l": "-", "r": "-",
              "tls": "-", "tls-calls": "-", "tls-memory": "-", "tls-return": "-", "p": "-", "codecs": "-", "deck": "-", "billing": "-", "prepaid": "-", "prepaid-faults": "-", "srtp": "-", "dtls": "-", "kernel": "-",
              "http-directory": "-", "radius": "-", "conf": "74 to 104 us, two threads a member", "services": "-", "records": "-", "conf-load": "-", "cc": "-"}


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


def row_a():
    """registrations"""
    return rate_row("a", "REGISTER with digest (401, 200), 20 users", "register", 40000)


def row_radius():
    """Registrations whose passwords a RADIUS server knows."""
    return rate_row("radius", "REGISTER with digest, a RADIUS server (freeradius) asked for each", "register", 1000, **radius.OPTIONS)


def row_http_directory():
    """registrations of accounts that a web server has"""
    return rate_row("http-directory", f"REGISTER with digest of {http_directory.USERS} users of a web server, its answers cached", "register", 1000,
                    **http_directory.OPTIONS)


def row_b():
    """calls answered by the switch"""
    return rate_row("b", "answered and hung-up calls, UDP, no authentication", "call", 7000)


def row_c():
    """calls bridged to a second phone"""
    return rate_row("c", "bridged calls A->B2BUA->B, no media", "bridge", 3500)


def row_k():
    """Kamailio as registrar and as stateful proxy, then the switch, in turns"""
    found = {}
    for mode, goal in (("register", 16000), ("bridge", 2000)):
        for make in (Kamailio, Switch):
            found[make.__name__, mode] = climb(mode, goal, make=make)
    ratios = {mode: found["Switch", mode]["rate"] / max(found["Kamailio", mode]["rate"], 1) for mode in ("register", "bridge")}
    value = "; ".join(f"{what} {found['Switch', mode]['rate']:,.0f}/s against {found['Kamailio', mode]['rate']:,.0f}/s: {ratios[mode]:.2f} x"
                      for mode, what in (("register", "REGISTER"), ("bridge", "calls")))
    steps = [r for f in found.values() for r in f["steps"]]
    return {"key": "k", "what": "against Debian's Kamailio (registrar with digest; stateful proxy) on the same core", "value": value + disturbed(steps),
            "goal": "1 x", "met": min(ratios.values()) >= 1, "data": {f"{who} {mode}": f for (who, mode), f in found.items()}}


def row_d():
    """the media room's relays against a bare loop"""
    out = subprocess.run([str(BUILD / "bench/relay/bench_relay"), "1000", "4", "2"], stdout=subprocess.PIPE, text=True, check=True)
    r = json.loads(out.stdout)
    note("  " + out.stdout.strip())
    value = (f"{r['ratio']:.2f} ({r['room']['cpu_ns_per_packet']:.0f} ns against {r['bare']['cpu_ns_per_packet']:.0f} ns a packet, "
             f"{r['streams']} streams, {r['packets_per_s']:,} packets/s)")
    return {"key": "d", "what": "CPU per relayed RTP packet, ratio to a bare loop", "value": value, "goal": "1.6",
            "met": r["ratio"] <= 1.6, "data": r}


def row_e():
    """RTP through bridged calls of the whole switch"""
    s = Switch().start()
    results = []
    try:
        for calls in MEDIA_CALLS:
            r = s.load("media", calls=calls, rate=200, seconds=6)
            s.settle()
            r["calls"] = calls
            r["lost"] = 1 - r["media_received"] / max(r["media_sent"], 1)
            r["cpu_us_per_packet"] = r["switch_cpu"] * r["seconds"] * 1e6 / max(r["media_received"], 1)
            results.append(r)
            note(f"  {calls} calls: p50 {r['delay_p50_ms']:.3f} p99 {r['delay_p99_ms']:.3f} max {r['delay_max_ms']:.1f} ms, lost {100 * r['lost']:.3f} %, "
                 f"switch {100 * r['switch_cpu']:.0f} %, load {100 * r['own_cpu']:.0f} %, failed {r['failed']} {r['codes'] or ''}")
    finally:
        s.end()
    value = "; ".join(f"{r['calls']} calls: {r['delay_p50_ms']:.2f} / {r['delay_p99_ms']:.2f} ms, {100 * r['lost']:.2f} % lost, "
                      f"switch {100 * r['switch_cpu']:.0f} %" for r in results) + disturbed(results)
    first = results[0]
    return {"key": "e", "what": "delay of a relayed packet, p50 / p99", "value": value, "goal": "p99 < 3 ms at 500 calls",
            "met": first["failed"] == 0 and first["delay_p99_ms"] < 3 and first["lost"] < 0.001, "data": results}


def row_f():
    """memory of held calls"""
    s = Switch().start()
    try:
        s.load("bridge", rate=100, seconds=0.5)  # what is made once is no call's memory
        before = s.memory_kb()
        p = s.load_begin("bridge", rate=200, calls=HELD_CALLS, keep=True)
        ready, _, _ = select.select([p.stdout], [], [], 60)
        up = int(p.stdout.readline().split()[1]) if ready else 0
        time.sleep(1)  # sockets are open, timers of the set-up are over
        during = s.memory_kb()
        out, _ = p.communicate("hang up\n", timeout=60)
        load = json.loads(out)
        s.wait_calls(0)
        time.sleep(GIVEN_BACK_S)
        after = s.memory_kb()
    finally:
        s.end()
    each = (during[0] - before[0]) / max(up, 1)
    kept = (after[0] - before[0]) / max(up, 1)
    note(f"  {up} calls held: RSS {before[0]} -> {during[0]} -> {after[0]} kB, PSS {before[1]} -> {during[1]} -> {after[1]} kB")
    value = f"{each:.1f} kB ({up} calls held: {before[0] / 1024:.1f} -> {during[0] / 1024:.1f} MB; {GIVEN_BACK_S} s after hang-up {after[0] / 1024:.1f} MB, {kept:.1f} kB a call not given back)"
    return {"key": "f", "what": "memory per bridged call (two legs)", "value": value, "goal": "25 kB", "met": up == HELD_CALLS and each <= 25,
            "data": {"up": up, "before_kb": before, "during_kb": during, "after_kb": after, "load": load}}


def start_once(flavour):
    """Seconds from exec to the line that says ready."""
    s = Switch(flavour)
    args = [str(s.binary), "-nonat", "-nf", "-base", str(s.root)]
    begin = time.monotonic()
    s.proc = pinned(SWITCH_CORE, lambda: subprocess.Popen(args, env=s.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                                         stderr=subprocess.STDOUT))
    seen = b""
    while b" is ready" not in seen:
        data = os.read(s.proc.stdout.fileno(), 65536)
        if not data or time.monotonic() - begin > 20:
            s.proc.kill()
            s.proc.wait()
            raise AssertionError(f"tandem did not become ready:\n{seen.decode(errors='replace')[-2000:]}")
        seen += data
    return s, time.monotonic() - begin


def row_g():
    """start and idling"""
    flavour = "vanilla" if (SHARED / "vanilla").is_dir() else "conf"
    if flavour == "conf":
        note("  the stock configuration is not there (../shared/vanilla): measuring with conf/")
    starts = []
    for i in range(3):
        s, seconds = start_once(flavour)
        starts.append(seconds)
        if i < 2:
            quit_switch(s)
    # from here on somebody must read what it prints
    log = open(s.root / "console.txt", "wb")
    pump = pinned(LOAD_CORE, lambda: subprocess.Popen(["cat"], stdin=s.proc.stdout, stdout=log))
    time.sleep(5)
    rss, pss = s.memory_kb()
    cpu, begin = s.cpu_s(), time.monotonic()
    time.sleep(20)
    cpu = (s.cpu_s() - cpu) / (time.monotonic() - begin)
    threads = len(os.listdir(f"/proc/{s.proc.pid}/task"))
    quit_switch(s)
    pump.wait()
    ready = statistics.median(starts)
    note(f"  starts {', '.join(f'{x:.3f}' for x in starts)} s; RSS {rss} kB, PSS {pss} kB, CPU {100 * cpu:.2f} %, {threads} threads")
    value = f"{ready:.2f} s; {rss / 1024:.1f} MB; {100 * cpu:.2f} % ({threads} threads; {'stock configuration' if flavour == 'vanilla' else 'conf/, no stock configuration at hand'})"
    return {"key": "g", "what": "start to ready; idle memory; idle CPU", "value": value, "goal": "0.5 s; 18 MB; 0.2 %",
            "met": ready <= 0.5 and rss <= 18 * 1024 and cpu <= 0.002,
            "data": {"flavour": flavour, "starts_s": starts, "rss_kb": rss, "pss_kb": pss, "cpu": cpu, "threads": threads}}


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


def row_j():
    """instructions by callgrind"""
    results = {}
    for mode in ("bridge", "call"):
        r = results[mode] = instructions.measure(Switch(), BUILD, mode, BUILD / f"callgrind.{mode}")
        note(f"  {mode}: {r['each']:,.0f} each, {r['idle_per_s']:,.0f}/s without calls, at {r['rate']} calls/s, again {r['load']['retransmissions']}")
    each = {mode: r["each"] / 1e6 for mode, r in results.items()}
    return {"key": "j", "what": "instructions a bridged call (and one that is answered here), all threads, callgrind",
            "value": f"{each['bridge']:.2f} M ({each['call']:.2f} M)", "goal": f"{INSTRUCTIONS_MAX / 1e6:.1f} M",
            "met": results["bridge"]["each"] <= INSTRUCTIONS_MAX, "data": results}


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


def row_tls():
    """registrations over kept TLS connections"""
    r = climb("tls", 20000, make=tls_phones.TlsSwitch, conns=tls_phones.RATE_CONNS)
    b = r.get("best")
    if not b:
        return {"key": "tls", "what": "REGISTER with digest over kept TLS connections", "value": "no clean rate found", "goal": "20,000/s", "met": False, "data": r}
    value = (f"{r['rate']:,.0f}/s ({r['cpu_us']:.0f} us CPU each, 401 and 200; {tls_phones.RATE_CONNS} connections; p50 {b['setup_p50_ms']:.1f} ms, "
             f"p99 {b['setup_p99_ms']:.1f} ms, switch {100 * b['switch_cpu']:.0f} %, load {100 * b['own_cpu']:.0f} %)")
    if r["is_load_saturated"]:
        value += ", **the generator was saturated**"
    return {"key": "tls", "what": "REGISTER with digest over kept TLS connections", "value": value + disturbed(r["steps"]), "goal": "20,000/s",
            "met": r["rate"] >= 20000, "data": r}


def row_tls_calls():
    """calls bridged between phones on kept TLS connections"""
    what = "bridged calls between phones on kept TLS connections"
    r = climb("tls", 2500, make=tls_phones.CallTlsSwitch, conns=tls_phones.RATE_CONNS, users=tls_phones.RATE_CONNS, first_user=tls_phones.FIRST)
    b = r.get("best")
    if not b:
        return {"key": "tls-calls", "what": what, "value": "no clean rate found" + disturbed(r["steps"]), "goal": "2,500/s", "met": False, "data": r}
    value = (f"{r['rate']:,.0f}/s ({r['cpu_us']:.0f} us CPU each; {tls_phones.RATE_CONNS} connections; p50 {b['setup_p50_ms']:.1f} ms, "
             f"p99 {b['setup_p99_ms']:.1f} ms, switch {100 * b['switch_cpu']:.0f} %, load {100 * b['own_cpu']:.0f} %)")
    return {"key": "tls-calls", "what": what, "value": value + disturbed(r["steps"]), "goal": "2,500/s", "met": r["rate"] >= 2500, "data": r}


def row_tls_memory():
    """memory of a phone registered over TLS, with two subscriptions"""
    return {"key": "tls-memory", "what": "memory per phone registered over TLS and subscribed (mailbox, another phone)", **tls_phones.row_memory()}


def row_tls_return():
    """TLS phones that come back after a restart"""
    return {"key": "tls-return", "what": f"{tls_phones.PHONES} TLS phones registered again after a restart", **tls_phones.row_return()}


def row_l():
    """many more calls than can be done"""
    s, results = Switch().start(), []
    try:
        s.load("bridge", rate=100, seconds=1)
        # what it can do: so much is set up of what is far too much
        capacity = (lambda r: r["ok"] / r["seconds"])(s.load("bridge", rate=5000, seconds=STEP_S))
        s.settle()
        for times in OVERLOAD:
            r = s.load("bridge", rate=int(capacity * times), seconds=STEP_S * 2)
            s.settle()
            r["times"], r["refused"] = times, r["codes"].get("503", 0)
            results.append(r)
            tell(r)
    finally:
        s.end()
    value = f"can do {capacity:,.0f}/s; " + "; ".join(
        f"{r['times']} times that: {r['ok'] / r['seconds']:,.0f}/s set up, p99 {r['setup_p99_ms']:.0f} ms, {100 * r['refused'] / r['started']:.0f} % refused, "
        f"{100 * r['ok'] / max(r['ok'] + r['failed'] - r['refused'], 1):.2f} % of the accepted answered and ended" for r in results) + disturbed(results)
    r = results[0]  # the goal is that of twice; what is beyond is told
    met = r["setup_p99_ms"] < OVERLOAD_P99_MAX_MS and r["failed"] == r["refused"] and r["ok"] / r["seconds"] > 0.75 * capacity
    return {"key": "l", "what": "bridged calls offered beyond what can be done", "value": value,
            "goal": f"at twice: p99 of the accepted < {OVERLOAD_P99_MAX_MS} ms, all of them end well, the rest 503 at once", "met": met, "data": results}


def row_r():
    """20,000 phones registering again after a restart"""
    r = storm.measure()
    calls, quiet = r["calls"], r["quiet"]
    met = (r["before"] == r["restored"] == r["after"] == storm.USERS and not r["again"]["failed"] and r["took_s"] < 60
           and not calls["failed"] and calls["setup_p99_ms"] < 200)
    value = (f"all back in {r['took_s']:.1f} s (offered {storm.RATE:,}/s; switch {100 * r['again']['switch_cpu']:.0f} %, p99 {r['again']['setup_p99_ms']:.1f} ms); "
             f"{storm.CALLS_PER_S} calls/s beside them: {calls['failed']} failed, p99 {calls['setup_p99_ms']:.1f} ms (without: {quiet['setup_p99_ms']:.1f} ms)")
    return {"key": "r", "what": "20,000 phones registering again after a restart", "value": value + disturbed([r]),
            "goal": "60 s; calls p99 < 200 ms, none fails", "met": met, "data": r}


def row_srtp():
    """relays with SRTP on both legs, against plain ones and the primitives alone"""
    out = subprocess.run([str(BUILD / "bench/relay/bench_relay"), "1000", "4", "2", "srtp"], stdout=subprocess.PIPE, text=True, check=True)
    r = json.loads(out.stdout)
    note("  " + out.stdout.strip())
    value = (f"{r['srtp_ratio']:.2f} ({r['srtp']['cpu_ns_per_packet']:.0f} ns a packet; plain {r['room']['cpu_ns_per_packet']:.0f} ns, opening and sealing "
             f"{r['primitives_ns']:.0f} ns; {r['srtp']['received']:,} of {r['srtp']['sent']:,} packets)")
    return {"key": "srtp", "what": "CPU per packet relayed with SRTP on both legs, ratio to plain relay plus primitives", "value": value, "goal": "1.25",
            "met": r["srtp_ratio"] <= 1.25 and r["srtp"]["received"] >= 0.999 * r["srtp"]["sent"], "data": r}


def row_codecs():
    """what codecs cost through our hooks, against their bare libraries"""
    r = json.loads(pinned(SWITCH_CORE, lambda: subprocess.run([BUILD / "bench/codec/bench_codec"], check=True, capture_output=True, text=True).stdout))
    with_bare = {k: v for k, v in r.items() if "ratio" in v}
    worst = max(with_bare, key=lambda k: with_bare[k]["ratio"])
    value = "; ".join(f"{k} {v['encode_ns'] / 1000:.1f} + {v['decode_ns'] / 1000:.1f} us, {v['ratio']:.2f} x" for k, v in with_bare.items())
    return {"key": "codecs", "what": "encode + decode of 20 ms through our hooks, against the bare library in the same run", "value": value,
            "goal": f"1.25 x (worst: {worst})", "met": with_bare[worst]["ratio"] <= 1.25, "data": r}


def row_deck():
    """carriers' prices of a number, from a deck in memory"""
    r = json.loads(pinned(SWITCH_CORE, lambda: subprocess.run([BUILD / "bench/deck/bench_deck"], check=True, capture_output=True, text=True).stdout))
    return {"key": "deck", "what": f"{r['rates']} rates of {r['carriers']} carriers in memory: one look-up",
            "value": f"{r['look_up_us']:.2f} us for {r['found']:.1f} rates; the deck is made in {r['made_ms']} ms",
            "goal": "10 us", "met": r["look_up_us"] <= 10, "data": r}


def row_billing():
    """the price of a call, from a deck in memory"""
    r = json.loads(pinned(SWITCH_CORE, lambda: subprocess.run([BUILD / "bench/billing/bench_billing"], check=True, capture_output=True, text=True).stdout))
    return {"key": "billing", "what": f"{r['rates']} rates in memory: rating of one call",
            "value": f"{r['rating_us']:.2f} us; the deck is made in {r['made_ms']} ms", "goal": "20 us", "met": r["rating_us"] <= 20, "data": r}


def row_prepaid():
    """prepaid calls, charged on PostgreSQL"""
    import billing
    goal = 500
    r = climb("call", goal, make=billing.PrepaidSwitch, number="7400", hold_ms=billing.HOLD_MS)
    b = r.get("best")
    value = (f"{r['rate']:,.0f}/s ({r['cpu_us']:.0f} us CPU each; p50 {b['setup_p50_ms']:.1f} ms, p99 {b['setup_p99_ms']:.1f} ms, switch {100 * b['switch_cpu']:.0f} %)"
             if b else "no clean rate found")
    return {"key": "prepaid", "what": f"prepaid calls of {billing.HOLD_MS / 1000} s on {billing.ACCOUNTS} accounts: reserved before they ring and settled, in PostgreSQL beside the load",
            "value": value + disturbed(r["steps"]), "goal": f"{goal}/s", "met": r["rate"] >= goal, "data": r}


def row_prepaid_faults():
    """others' calls while the prepaid ones' PostgreSQL is silent, killed, started again"""
    import billing
    seen = billing.faults()
    value = "; ".join(f"{what}: {r['failed']} failed, p99 {r['setup_p99_ms']:.1f} ms" for what, r in seen.items()) + disturbed(list(seen.values()))
    return {"key": "prepaid-faults", "what": f"{billing.OTHERS_RATE} calls/s that nobody charges, beside prepaid ones whose PostgreSQL fails", "value": value,
            "goal": "none fails, p99 < 20 ms", "met": all(r["failed"] == 0 and r["setup_p99_ms"] < 20 for r in seen.values()), "data": seen}


def row_dtls():
    """handshakes of DTLS-SRTP, and what an association holds"""
    r = json.loads(pinned(SWITCH_CORE, lambda: subprocess.run([BUILD / "bench/dtls/bench_dtls"], check=True, capture_output=True, text=True).stdout))
    value = f"{r['server_per_s']:,}/s as server, {r['client_per_s']:,}/s as client, {r['bytes_up'] / 1000:.0f} kB held"
    return {"key": "dtls", "what": "DTLS-SRTP handshakes of one core (P-256, one end's CPU); memory of an association that is up", "value": value,
            "goal": "300/s; 60 kB", "met": min(r["server_per_s"], r["client_per_s"]) >= 300 and r["bytes_up"] <= 60000, "data": r}


def row_kernel():
    """relays in the kernel against sockets (needs root and a build with -Dbpf=true: TANDEM_BUILD)"""
    import kernel_relay
    return kernel_relay.row()


def row_conf():
    """rooms: all talking, 5 talkers of 1,000, 100 rooms of 10"""
    results = [conference.members(*scene) for scene in ((100, 1, 100), (1000, 1, 5), (1000, 100, 3))]
    value = "; ".join(f"{r['members']} in {r['rooms']}, {r['talkers']} talk in each: {r['us_per_frame']:.1f} us, {r['kb_each']:.0f} kB, {r['late']} late ticks"
                      for r in results) + disturbed(results)
    met = (results[0]["us_per_frame"] <= 8 and results[1]["kb_each"] <= 30 and not any(r["late"] or r["failed"] for r in results))
    return {"key": "conf", "what": "a conference member's CPU per 20 ms frame with packets, and memory; one media thread", "value": value,
            "goal": "8 us, 30 kB, no late tick", "met": met, "data": results}


def row_services():
    """the most menus and mailbox calls a second"""
    found = {what: climb("call", 4 * SERVICE_RATE, make=conference.ConferenceSwitch, number=number, hold_ms=1000)
             for what, number in (("menus", "81"), ("mailbox calls", "91"))}
    parts = []
    for what, r in found.items():
        b = r.get("best")
        parts.append(f"{what}: no clean rate found" if not b else
                     f"{what}: {r['rate']:,.0f}/s ({r['cpu_us']:.0f} us CPU each; at that rate p50 {b['setup_p50_ms']:.1f} ms, p99 {b['setup_p99_ms']:.1f} ms, "
                     f"switch {100 * b['switch_cpu']:.0f} %)")
    return {"key": "services", "what": "the most calls of 1 s a second into a menu, and into a mailbox; one media thread",
            "value": "; ".join(parts) + disturbed([x for r in found.values() for x in r["steps"]]), "goal": f"{SERVICE_RATE}/s",
            "met": all(r["rate"] >= SERVICE_RATE for r in found.values()), "data": found}


def room_bench(*args):
    r = json.loads(subprocess.run([str(BUILD / "bench/room/bench_room"), *map(str, args)], stdout=subprocess.PIPE, text=True, check=True).stdout)
    note(f"  {r['members']} members, {r['rooms']} rooms, {r['talkers']} talk, the others {r['others']}, {r['threads']} threads: "
         f"{r['cpu_us_per_member_frame']:.2f} us, {100 * r['share']:.0f} % of a core, {r['late']} of {r['ticks']} frames late, at most {r['late_max_ms']:.1f} ms, "
         f"{100 * r['received_share']:.2f} % received, {r['kb_per_member']:.1f} kB, load {100 * r['load_share']:.0f} %")
    return r


def row_conf_load():
    """conferences at 80 % of what a media thread can do"""
    results = []
    for each, talkers in ((10, 10), (1000, 5)):
        for _ in range(3):  # once more: one bad moment of the machine is not a limit
            first = room_bench(1000, 1000 // each, talkers, "silent", 1)
            members = int(0.8 / first["share"] * 1000)
            r = room_bench(members, members // 10 if each == 10 else 1, talkers, "silent", 1, 10)
            if not r["late"]:
                break
        results.append(r)
    two = room_bench(1000, 1, 5, "silent", 2)
    value = "; ".join(f"{r['rooms']} of {r['members'] // r['rooms']:,}: {100 * r['share']:.0f} %, {r['late']} of {r['ticks']:,} frames late (at most {r['late_max_ms']:.1f} ms), "
                      f"{100 * r['received_share']:.2f} % received"
                      + (f", **disturbed: it waited {100 * r['waited_share']:.0f} % of the time for its core**" if r["waited_share"] > OTHERS_CPU_MAX else "")
                      for r in results)
    value += f"; one of 1,000 on two media threads: {100 * two['received_share']:.2f} % received, {two['late']} of {two['ticks']} late"
    met = all(r["late"] == 0 and r["received_share"] > 0.995 for r in results)
    return {"key": "conf-load", "what": "conferences of 10 (all talk), and one large (5 talk), at about 80 % of one media core", "value": value,
            "goal": "no frame over 10 ms late", "met": met, "data": results + [two]}


def row_records():
    """call records to PostgreSQL"""
    r = records.row()
    return {"key": "records", "what": f"{r['legs']:,} legs end at once: rows in PostgreSQL, behind the journal",
            "value": f"{r['per_s']:,.0f} records/s ({r['cpu_us']:.0f} us CPU each, the leg's end included)", "goal": "1,000/s",
            "met": r["rows"] == r["legs"] and r["per_s"] >= 1000, "data": r}


def row_cc():
    """calls through a queue of the call centre with 1,000 agents; a decision among 5,000 agents"""
    goal = 300
    r = climb("call", goal, make=callcenter.CallcenterSwitch, number="7300", hold_ms=callcenter.HOLD_MS)
    d = callcenter.decision()
    note(f"  decision {d['decision_us']:.2f} us, p99 {d['p99_us']:.0f} us")
    b = r.get("best")
    value = (f"{r['rate']:,.0f}/s ({r['cpu_us']:.0f} us CPU each, two legs; p99 {b['setup_p99_ms']:.1f} ms, switch {100 * b['switch_cpu']:.0f} %); "
             if b else "no clean rate found; ") + f"a decision among 5,000 agents and 10,000 callers: {d['decision_us']:.1f} us (the slowest strategy), p99 {d['p99_us']:.0f} us; when only the last agent has the skills {d['skilled_us']:.0f} us"
    return {"key": "cc", "what": f"calls of {callcenter.HOLD_MS / 1000} s through a queue with {callcenter.AGENTS:,} agents; an offer decision",
            "value": value + disturbed(r["steps"]), "goal": f"{goal}/s; 1 ms", "met": r["rate"] >= goal and d["p99_us"] < 1000 and d["skilled_us"] < 1000, "data": {"calls": r, "decision": d}}


def quit_switch(s):
    s.proc.send_signal(signal.SIGTERM)
    s.proc.wait(30)
    s.proc.stdout.close()


ROWS = {"a": row_a, "http-directory": row_http_directory, "radius": row_radius, "b": row_b, "c": row_c, "d": row_d, "e": row_e, "f": row_f, "g": row_g, "h": row_h, "i": row_i, "j": row_j, "k": row_k, "l": row_l, "r": row_r,
        "tls": row_tls, "tls-calls": row_tls_calls, "tls-memory": row_tls_memory, "tls-return": row_tls_return, "p": row_p, "codecs": row_codecs, "deck": row_deck, "billing": row_billing, "prepaid": row_prepaid, "prepaid-faults": row_prepaid_faults, "srtp": row_srtp, "dtls": row_dtls, "kernel": row_kernel, "conf": row_conf, "services": row_services,
        "conf-load": row_conf_load, "cc": row_cc, "records": row_records}


def table(rows):
    lines = ["| row | what | Tandem | goal | met | FreeSWITCH 1.11.3-dev, 2026-11-20 |", "|---|---|---|---|---|---|"]
    for r in rows:
        lines.append(f"| {r['key']} | {r['what']} | {r['value']} | {r['goal']} | {'yes' if r['met'] else '**no**'} | {FREESWITCH[r['key']]} |")
    return "\n".join(lines)


def main():
    wanted = sys.argv[1:] or list(ROWS)
    unknown = [k for k in wanted if k not in ROWS]
    if unknown:
        sys.exit(f"bench: no such row: {' '.join(unknown)} (rows: {' '.join(ROWS)})")
    if SWITCH_CORE == LOAD_CORE:
        note("only one core: switch and load share it, the figures mean little")
    rows = []
    for key in wanted:
        note(f"row {key}: {ROWS[key].__doc__}")
        try:
            rows.append(ROWS[key]())
        except (AssertionError, OSError, ValueError, subprocess.SubprocessError) as e:
            note(f"  failed: {e}")
            rows.append({"key": key, "what": "(the row could not be measured)", "value": str(e).split("\n")[0][:120], "goal": "", "met": False, "data": None})
    load = os.getloadavg()[0]
    (BUILD / "bench.json").write_text(json.dumps({"date": time.strftime("%Y-%m-%d"), "cores": len(CORES), "rows": rows}, indent=1) + "\n")
    print(table(rows))
    note(f"load average at the end {load:.1f}; details in {os.path.relpath(BUILD / 'bench.json')}")
    sys.exit(0 if all(r["met"] for r in rows) else 1)


if __name__ == "__main__":
    main()
