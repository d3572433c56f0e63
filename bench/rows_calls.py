"""Rows of signalling: registrations, calls, overload, TLS, start and memory."""
import json
import os
import select
import signal
import statistics
import subprocess
import time

import http_directory
import instructions
import radius
import storm
import tls_phones
from rowkit import STEP_S, Row, climb, disturbed, rate_row, tell
from switch import BUILD, LOAD_CORE, SWITCH_CORE, Switch, note, pinned
from tandem import SHARED
from yardstick import Kamailio

HELD_CALLS = 2000  # as many as one core carries, about
OVERLOAD = (2, 4)       # times what it can do
OVERLOAD_P99_MAX_MS = 200
INSTRUCTIONS_MAX = 1_100_000
GIVEN_BACK_S = 45   # the transactions of ended calls live 32 s (RFC 3261)


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


def quit_switch(s):
    s.proc.send_signal(signal.SIGTERM)
    s.proc.wait(30)
    s.proc.stdout.close()


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


ROWS = [
    Row("a", row_a, freeswitch="700/s"),
    Row("b", row_b, freeswitch="275/s"),
    Row("c", row_c, freeswitch="110 to 120/s"),
    Row("f", row_f, freeswitch="760 kB"),
    Row("g", row_g, freeswitch="2.2 s, 43 MB, 1.6 %"),
    Row("j", row_j),
    Row("l", row_l),
    Row("k", row_k, by_name=True),
    Row("r", row_r, by_name=True),
    Row("http-directory", row_http_directory, by_name=True),
    Row("radius", row_radius, by_name=True),
    Row("tls", row_tls, by_name=True),
    Row("tls-calls", row_tls_calls, by_name=True),
    Row("tls-memory", row_tls_memory, by_name=True),
    Row("tls-return", row_tls_return, by_name=True),
]
