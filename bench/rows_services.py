"""Rows of services: menus and mailboxes, the call centre, records, prices, servers around the switch."""
import json
import subprocess

import bots
import callcenter
import conference
import outside
import records
from rowkit import Row, climb, disturbed
from switch import BUILD, SWITCH_CORE, note, pinned

SERVICE_RATE = 100
BOTS = 1000


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


def row_bots():
    """1,000 voice bots over WebSocket, both ways"""
    r = bots.streams(BOTS)
    return {"key": "bots", "what": f"{BOTS:,} calls whose sound goes to a program over WebSocket and comes back, 8 kHz; the whole switch on one core",
            "value": f"{r['streams']:,} streams: {100 * r['switch_cpu']:.0f} % of the core ({r['us_per_frame']:.1f} us per stream and frame), {r['kb_each']:.0f} kB each; {100 * r['heard']:.2f} % of the frames came back; "
                     f"{r['late']} ticks late (at most {r['late_max_ms']:.1f} ms)" + disturbed([r]),
            "goal": f"{BOTS:,} on one core", "met": r["streams"] == BOTS and r["failed"] == 0 and r["heard"] > 0.995 and r["bot"]["connections"] == BOTS and not r["bot"]["dropped"], "data": r}


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


def row_records():
    """call records to PostgreSQL"""
    r = records.row()
    return {"key": "records", "what": f"{r['legs']:,} legs end at once: rows in PostgreSQL, behind the journal",
            "value": f"{r['per_s']:,.0f} records/s ({r['cpu_us']:.0f} us CPU each, the leg's end included)", "goal": "1,000/s",
            "met": r["rows"] == r["legs"] and r["per_s"] >= 1000, "data": r}


def row_outside():
    """200 calls/s while each server around the switch fails in turn"""
    r = outside.row()
    quiet, worst = r["quiet"], max(r["faults"].values(), key=lambda x: x["setup_p99_ms"])
    failed = sum(x["failed"] + x["started"] - x["ok"] for x in r["faults"].values())
    calls = sum(x["started"] for x in r["faults"].values())
    ratio = worst["setup_p99_ms"] / max(quiet["setup_p99_ms"], 1)
    return {"key": "outside", "what": f"{outside.RATE} calls/s that ask nobody while PostgreSQL, RabbitMQ, Redis, FreeRADIUS, slapd and a web server fail in turn",
            "value": f"{failed} of {calls:,} failed; set-up p99 {worst['setup_p99_ms']:.1f} ms at the worst server, {quiet['setup_p99_ms']:.1f} ms without faults; "
                     f"{len(r['slow'])} slow handlers", "goal": "none failed, p99 as without", "met": not failed and ratio < 2 and not r["slow"], "data": r}


ROWS = [
    Row("deck", row_deck),
    Row("billing", row_billing),
    Row("services", row_services, by_name=True),
    Row("cc", row_cc, by_name=True),
    Row("prepaid", row_prepaid, by_name=True),
    Row("prepaid-faults", row_prepaid_faults, by_name=True),
    Row("bots", row_bots, by_name=True),
    Row("records", row_records, by_name=True),
    Row("outside", row_outside, by_name=True),
]
