#!/usr/bin/python3
"""`./dev bench [row ...]`: measures rows on a real Tandem and writes a table (Markdown on standard output) and bench.json
in the build directory. The switch runs pinned to the first core, all load to the second; the load is our own (bench/load),
offered by the clock, and every row tells how busy the generator was. The rows are in rows_*.py; without arguments all are measured
that are not by name only, `all` measures those, too. docs/performance.md says how to read the table."""
import json
import os
import subprocess
import sys
import time

import rows_calls
import rows_dtls
import rows_events
import rows_held
import rows_media
import rows_relay
import rows_services
from switch import BUILD, CORES, LOAD_CORE, SWITCH_CORE, note

ROWS = {row.key: row for module in (rows_calls, rows_events, rows_media, rows_held, rows_relay, rows_dtls, rows_services) for row in module.ROWS}


def table(rows):
    lines = ["| row | what | Tandem | goal | met | FreeSWITCH 1.11.3-dev, 2026-11-20 |", "|---|---|---|---|---|---|"]
    for r in rows:
        lines.append(f"| {r['key']} | {r['what']} | {r['value']} | {r['goal']} | {'yes' if r['met'] else '**no**'} | {ROWS[r['key']].freeswitch} |")
    return "\n".join(lines)


def main():
    wanted = sys.argv[1:] or [k for k, row in ROWS.items() if not row.by_name]
    if wanted == ["all"]:
        wanted = list(ROWS)
    unknown = [k for k in wanted if k not in ROWS]
    if unknown:
        sys.exit(f"bench: no such row: {' '.join(unknown)} (rows: {' '.join(k for k, row in ROWS.items() if not row.by_name)}; "
                 f"only by name, or with all: {' '.join(k for k, row in ROWS.items() if row.by_name)})")
    if SWITCH_CORE == LOAD_CORE:
        note("only one core: switch and load share it, the figures mean little")
    rows = []
    for key in wanted:
        note(f"row {key}: {ROWS[key].measure.__doc__}")
        try:
            rows.append(ROWS[key].measure())
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
