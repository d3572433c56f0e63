"""The pytest end of tools/run-tests, loaded with -p: tells what was collected, runs a part of it, notes each test as it ends.

TESTRUN_COLLECT=FILE  write what was collected to FILE, one JSON object a line
TESTRUN_IDS=FILE      run only the tests whose ids are FILE's lines
TESTRUN_RESULTS=FILE  append each test's end to FILE as it happens: a run that is cut off has its results up to there
"""
import json
import os
from pathlib import Path

import pytest

_total = {}  # id -> {"outcome", "seconds", "why"} of the test under way


def _write(path, *lines):
    with open(path, "a") as f:
        f.writelines(json.dumps(line) + "\n" for line in lines)


def _why(report):
    if isinstance(report.longrepr, tuple):  # a skip: (file, line, reason)
        return report.longrepr[2].removeprefix("Skipped: ")
    return ""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    ids = os.environ.get("TESTRUN_IDS")
    if ids:
        wanted = set(Path(ids).read_text().split("\n"))
        items[:] = [i for i in items if i.nodeid in wanted]


def pytest_collection_finish(session):
    out = os.environ.get("TESTRUN_COLLECT")
    if out:
        _write(out, *({"id": i.nodeid, "marks": sorted({m.name for m in i.iter_markers()}), "fixtures": i.fixturenames} for i in session.items))


def pytest_collectreport(report):
    out = os.environ.get("TESTRUN_COLLECT")
    if out and report.outcome != "passed":
        _write(out, {"id": report.nodeid, "outcome": report.outcome, "why": _why(report) or str(report.longrepr)})


def pytest_runtest_logstart(nodeid):
    if os.environ.get("TESTRUN_RESULTS"):
        _total[nodeid] = {"outcome": "passed", "seconds": 0, "why": ""}


def pytest_runtest_logreport(report):
    if report.nodeid not in _total:
        return
    t = _total[report.nodeid]
    t["seconds"] += report.duration
    if report.failed:
        t["outcome"] = "failed"
    elif report.skipped and t["outcome"] == "passed":
        t["outcome"], t["why"] = "skipped", _why(report)


def pytest_runtest_logfinish(nodeid):
    out = os.environ.get("TESTRUN_RESULTS")
    if out:
        t = _total.pop(nodeid)
        _write(out, {"id": nodeid, "outcome": t["outcome"], "seconds": round(t["seconds"], 2), "why": t["why"]})
