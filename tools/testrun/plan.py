"""What is to run: the collected tests as parts, each the work of one pytest.

A file is one part; one that takes longer than PART_S is cut into several of consecutive tests, each with module fixtures of its own.
How long a test takes and how much processor a file uses is remembered in the build directory (test-times.json); what has not run yet is
guessed. Nothing but the order of the run depends on these.
"""
import json
import os
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

import cell

TOP = Path(__file__).resolve().parents[2]
PYTEST = ["/usr/bin/python3", "-m", "pytest", f"--rootdir={TOP}", "-q", "-rs", "-p", "no:cacheprovider", "-p", "plugin"]
VALUED = {"-k", "-m", "-p", "-c", "-o", "-W", "--ignore", "--ignore-glob", "--deselect", "--tb", "--maxfail", "--durations"}
PART_S, COLLECT_S = 40, 120
UNKNOWN_TEST_S, UNKNOWN_CPUS, START_S = 1.2, 0.2, 2.0
QUIET = "quiet"
# a working hour, a weekend that ends, a leap day that ends, both changes of summer time
CLOCKS = [("2026-11-26 11:00:00", "UTC"), ("2026-11-28 23:59:56", "UTC"), ("2028-02-29 23:59:56", "UTC"),
          ("2027-03-28 01:59:56", "Europe/Berlin"), ("2027-10-31 02:59:56", "Europe/Berlin")]


@dataclass
class Part:
    name: str                # test_http.py, test_http.py (2/3), unit tests
    build: str
    ids: list = field(default_factory=list)
    seconds: float = 0       # expected
    cpus: float = UNKNOWN_CPUS   # expected use of processors
    is_quiet: bool = False
    is_unit: bool = False
    clock: tuple = None      # (what the wall clock shows at its beginning, zone)

    @property
    def whole(self):
        """The file that this is a part of."""
        return self.name.split(" (")[0]

    @property
    def log_name(self):
        return re.sub(r"[^\w.]+", "-", self.name.replace(".py", "")).strip("-") + ".txt"


class Times:
    """What earlier runs took."""
    def __init__(self, build):
        self.path = TOP / build / "test-times.json"
        try:
            known = json.loads(self.path.read_text())
        except (OSError, ValueError):
            known = {}
        self.tests, self.cpus = known.get("tests", {}), known.get("cpus", {})

    def of(self, test):
        return self.tests.get(test, UNKNOWN_TEST_S)

    def save(self):
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"tests": self.tests, "cpus": self.cpus}, indent=0, sort_keys=True))
        new.replace(self.path)


def environment(build, **more):
    path = os.pathsep.join(p for p in (str(Path(__file__).parent), os.environ.get("PYTHONPATH")) if p)
    return dict(os.environ, TANDEM_BUILD=str(TOP / build), PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1", **more)


def names_paths(arguments):
    """Those of pytest's arguments that say where tests are."""
    return [a for before, a in zip(["", *arguments], arguments)
            if before not in VALUED and not a.startswith("-") and (TOP / a.split("::")[0]).exists()]


def collect(build, arguments, directory, hide=None):
    """(tests, problems): [{"id", "marks", "fixtures"}] in the order they run, [{"id", "outcome", "why"}] of what was not collected."""
    out = Path(directory) / "collected"
    out.write_text("")
    paths = names_paths(arguments)
    rest = [a for a in arguments if a not in paths]
    log = Path(directory) / "log"
    keeper = cell.start([*PYTEST, "--collect-only", *rest, *(paths or ["tests/e2e"])], environment(build, TESTRUN_COLLECT=str(out)), TOP, log,
                        COLLECT_S, bool(hide), hide)
    code = os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1])
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    problems = [line for line in lines if "outcome" in line]
    if code not in (0, 5) and not any(p["outcome"] == "failed" for p in problems):
        problems.append({"id": "collection", "outcome": "failed", "why": log.read_text()})
    return [line for line in lines if "marks" in line], problems


def cut(ids, times):
    """ids in runs of about equal time, none much longer than PART_S."""
    total = sum(times.of(i) for i in ids)
    count = max(1, round(total / PART_S))
    runs, run, used = [], [], 0
    for i in ids:
        run.append(i)
        used += times.of(i)
        if used >= total * (len(runs) + 1) / count and len(runs) + 1 < count:
            runs.append(run)
            run = []
    return [r for r in (*runs, run) if r]


def clock_part(tests, build, times, clock):
    ids = [t["id"] for t in tests]
    name = f"tests of time at {clock[0]}"
    return Part(name, build, ids, START_S + sum(map(times.of, ids)), times.cpus.get(name, UNKNOWN_CPUS), clock=clock)


def parts_of(tests, build, times):
    files = {}
    for test in tests:
        files.setdefault(test["id"].split("::")[0], []).append(test)
    parts = []
    for path, members in files.items():
        runs = cut([m["id"] for m in members], times)
        name = str(Path(path).relative_to("tests/e2e")) if path.startswith("tests/e2e/") else path
        marks = {m["id"]: m["marks"] for m in members}
        for n, ids in enumerate(runs, 1):
            parts.append(Part(name + (f" ({n}/{len(runs)})" if len(runs) > 1 else ""), build, ids, START_S + sum(map(times.of, ids)),
                              times.cpus.get(name, UNKNOWN_CPUS), any(QUIET in marks[i] for i in ids)))
    return parts


def unit_part(build, times):
    return Part("unit tests", build, seconds=60, cpus=times.cpus.get("unit tests", UNKNOWN_CPUS), is_quiet=True, is_unit=True)


def unit_command(build):
    return ["meson", "test", "-C", build, "--print-errorlogs", "--no-rebuild", "--num-processes", "2", "--timeout-multiplier", "3"]


def unit_results(build):
    """[(name, outcome, why skipped)] of the last `meson test` of that build."""
    path = TOP / build / "meson-logs/testlog.junit.xml"
    out = []
    # meson writes what a test printed as it is, and fuzzers print anything
    text = re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd]", "?", path.read_text(errors="replace")) if path.exists() else "<none/>"
    for suite in ET.fromstring(text).iter("testsuite"):
        reasons = {number: why for why, number in re.findall(r"^# (.*)\nok (\d+) .*# SKIP$", suite.findtext("system-out") or "", re.M)}
        for case in suite.iter("testcase"):
            is_failed = case.find("failure") is not None or case.find("error") is not None
            outcome = "failed" if is_failed else "skipped" if case.find("skipped") is not None else "passed"
            out.append((f"{suite.get('name')} {case.get('name')}", outcome, reasons.get(case.get("name").split(" ")[0], "")))
    return out
