"""Row outside: 200 calls/s that ask nobody, while each server around the switch (tests/e2e/outside_lab.py) is silent, answers rubbish or too
late, is stopped, killed and restarted, and four calls at a time ask it. Against the same without a fault and without askers."""
import json
import sys
import threading
import time
from pathlib import Path

from switch import LOAD_CORE, TOP, Switch, note, pinned

sys.path.insert(0, str(TOP / "tests" / "e2e"))
from outside_lab import FAULTS, NAMES, Lab  # noqa: E402
from test_outside_faults import ASKERS, Outside  # noqa: E402

RATE, FAULT_S, HOLD_MS = 200, 3, 300


class Asker(threading.Thread):
    """One call after the other that needs the server."""

    def __init__(self, s, number, i):
        super().__init__(daemon=True)
        self.phone, self.number, self.codes, self.is_over = Outside(s, f"asker{i}"), number, {}, False
        self.start()

    def run(self):
        while not self.is_over:
            self.phone.dial(self.number)
            code = self.phone.final()
            self.codes[code] = self.codes.get(code, 0) + 1
            time.sleep(0.05)

    def end(self):
        self.is_over = True
        self.join(60)
        self.phone.close()


def load(s, seconds, meanwhile=None):
    p = s.load_begin("call", rate=RATE, seconds=seconds, hold_ms=HOLD_MS, number="9300")
    if meanwhile:
        meanwhile()
    out, _ = p.communicate(timeout=seconds + 120)
    return json.loads(out)


def faults(s, lab, name):
    askers = [Asker(s, lab.number(name), i) for i in range(ASKERS)] if lab.number(name) else []

    def all_of_them():
        for what in FAULTS:
            end = lab.fault(name, what)
            time.sleep(FAULT_S)
            pinned(LOAD_CORE, end)
    # a killed server takes a while to start again
    r = load(s, FAULT_S * len(FAULTS) + (10 if name == "rabbit" else 3), all_of_them)
    for a in askers:
        a.end()
    codes = {}
    for a in askers:
        for code, n in a.codes.items():
            codes[code] = codes.get(code, 0) + n
    r["asked"] = codes
    s.settle()
    return r


def tell(name, r):
    note(f"  {name:9} {r['ok']:6} of {r['started']} answered, failed {r['failed']}, again {r['retransmissions']}, p50 {r['setup_p50_ms']:.1f} "
         f"p99 {r['setup_p99_ms']:.1f} ms" + (f"; askers {r['asked']}" if r.get("asked") else ""))


def row():
    s = Switch()
    lab = pinned(LOAD_CORE, lambda: Lab(Path(s.where)))
    try:
        lab.configure(s)
        profile = s.root / "conf/sip_profiles/external.xml"  # what is measured is not how it refuses calls
        profile.write_text(profile.read_text().replace("<settings>", '<settings><param name="overload-delay" value="0"/>', 1))
        s.start()
        load(s, 2)
        quiet = load(s, FAULT_S * len(FAULTS))
        tell("no fault", quiet)
        results = {}
        for name in NAMES:
            results[name] = faults(s, lab, name)
            tell(name, results[name])
        slow = [line for line in s.log_text.splitlines() if "slow handler" in line]
        for line in slow:
            note("  " + line)
        lab.open()
        s.settle()
        s.stop(may_be_slow=True)
    finally:
        lab.close()
    return {"quiet": quiet, "faults": results, "slow": slow}


if __name__ == "__main__":
    print(json.dumps(row()))
