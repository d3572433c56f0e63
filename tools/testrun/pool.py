"""Runs parts side by side and tells what became of them.

The longest begin first. How many run at once depends on the processor time they are known to use, for most of their time is waiting: the
sum stays under what the machine has, and under six tenths of it while a part marked `quiet` runs. Each part has a cell (cell.py), a log in
BUILD/test-logs and a directory for temporary files, which stays when it failed.

A few end-to-end tests that failed get a second look when all others are through, alone on the machine: was it the program or the crowd?
One that passes then counts as passed, and is told as unsteady with what it printed at first: something to mend, not to forget. There is no
second look where a sanitizer spoke, the switch died or a test did not end, none at tests of words of their own making (what they found
once is found, though another seed would miss it), nor when more than SECOND_LOOKS failed.
"""
import dataclasses
import fcntl
import json
import os
import re
import shutil
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import cell
import clock
import plan

LOAD, LOAD_QUIET = 0.85, 0.6  # of the processors
MANY = 4  # parts for each processor, however idle they are
LEAST_CPUS, STARTING_CPUS = 0.1, 0.4
SECOND_LOOKS = 6  # tests
NO_SECOND_LOOK = re.compile(r"Sanitizer|runtime error:|ended by itself|SIGSEGV|SIGABRT|core dumped|slow handler|TANDEM_FUZZ_SEED=")


class Result:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.reasons = {}   # of a skip -> how many
        self.slow = []      # (seconds, what)
        self.failures = []
        self.unsteady = []  # failed beside others, passed alone

    def add(self, outcome, test, why=""):
        setattr(self, outcome, getattr(self, outcome) + 1)
        if outcome == "skipped":
            self.reasons[why] = self.reasons.get(why, 0) + 1
        elif outcome == "failed":
            self.failures.append(test)


def lock():
    """Held while we run: the logs and times of a second run at the same time go elsewhere and nowhere."""
    f = open(plan.TOP / "build/test-lock", "w")
    try:
        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        f.close()
        return None
    return f


def told(count):
    return ", ".join(f"{count[what]} {what}" for what in ("passed", "failed", "skipped") if count[what])


def interrupt(signum, frame):
    raise KeyboardInterrupt


class Pool:
    def __init__(self, is_isolated, times, deadline_s, hide=None):
        self.is_isolated, self.times, self.deadline_s, self.hide = is_isolated, times, deadline_s, hide
        self.result = Result()
        self.cpus = len(os.sched_getaffinity(0))
        self.begun = 0
        self.running = {}  # keeper -> (part, begun, directory)
        self.files = {}    # (build, file) -> [seconds, cpu seconds]
        self.suspects = []  # (part, those of its tests that failed), for a second look
        self.lock = lock()
        self.tmp = self.make_directory()

    def make_directory(self):
        """For the parts' files. Those of the run before, kept when something failed, go."""
        new, last = Path(tempfile.mkdtemp(prefix="tandem-")), plan.TOP / "build/test-files"
        if self.lock:
            if last.is_symlink():
                shutil.rmtree(last.readlink(), ignore_errors=True)
                last.unlink()
            last.symlink_to(new)
        return new

    # ---- one part
    def log_path(self, part):
        return (plan.TOP / part.build if self.lock else self.tmp) / "test-logs" / part.log_name

    def begin(self, part, arguments):
        self.begun += 1
        directory = self.tmp / str(self.begun)  # short: sockets and what some programs write have bounded paths
        directory.mkdir()
        (directory / "tmp").mkdir()
        log = self.log_path(part)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        env = plan.environment(part.build, TESTRUN_IDS=str(directory / "ids"), TESTRUN_RESULTS=str(directory / "results"))
        if part.clock and part.is_unit:
            # libfaketime's lock and the sanitizer's way to names of functions do not go together
            env.update(clock.environment(*part.clock, env))
            env["ASAN_OPTIONS"] += ":symbolize=0"
        elif part.clock:
            env.update(TANDEM_CLOCK=part.clock[0], TANDEM_TZ=part.clock[1] or "")
        if part.is_unit:
            env["PATH"] = "/usr/bin:" + env["PATH"]
            (plan.TOP / part.build / "meson-logs/testlog.junit.xml").unlink(missing_ok=True)
            command = plan.unit_command(part.build)
        else:
            env["TMPDIR"] = str(directory / "tmp")
            (directory / "ids").write_text("\n".join(part.ids))
            command = [*plan.PYTEST, f"--basetemp={directory / 't'}", *arguments, *sorted({i.split("::")[0] for i in part.ids})]
        keeper = cell.start(command, env, plan.TOP, log, self.deadline_s, self.is_isolated, self.hide)
        self.running[keeper] = (part, time.monotonic(), directory)

    def end(self, keeper, status, usage):
        part, begun, directory = self.running.pop(keeper)
        seconds, code = time.monotonic() - begun, os.waitstatus_to_exitcode(status)
        cpu = usage.ru_utime + usage.ru_stime
        before = self.result.failed
        counts = (self.add_unit if part.is_unit else self.add_e2e)(part, directory, code)
        is_failed = self.result.failed > before
        whole = self.files.setdefault((part.build, part.whole), [0, 0])
        whole[0] += seconds
        whole[1] += cpu
        self.result.slow.append((seconds, f"{part.name} ({part.build})"))
        print(f"{'FAILED' if is_failed else 'ok':6} {part.name + ' (' + part.build + ')':48} {counts:30} {seconds:6.1f} s {cpu:6.1f} s cpu", flush=True)
        if is_failed:
            self.show(part, code, directory)
        else:
            shutil.rmtree(directory, ignore_errors=True)

    def show(self, part, code, directory):
        text = self.log_path(part).read_text(errors="replace")
        print(f"---- {os.path.relpath(self.log_path(part), plan.TOP)} (exit {code}; its files: {directory})\n{text[-20000:]}\n----", flush=True)

    def add_unit(self, part, directory, code):
        cases = plan.unit_results(part.build)
        for name, outcome, why in cases:
            self.result.add(outcome, name, why)
        count = Counter(outcome for _, outcome, _ in cases)
        if not cases or code and not count["failed"]:
            self.result.add("failed", f"{part.name}: exit {code}")
            count["failed"] += 1
        return told(count)

    def add_e2e(self, part, directory, code):
        try:
            lines = [json.loads(line) for line in (directory / "results").read_text().splitlines()]
        except OSError:
            lines = []
        ended = {x["id"]: x for x in lines}
        count = Counter()
        for test, x in ended.items():
            self.result.add(x["outcome"], test, x["why"])
            count[x["outcome"]] += 1
            self.times[part.build].tests[test] = x["seconds"]
        missing = [test for test in part.ids if test not in ended]
        if count["failed"] and not missing and not NO_SECOND_LOOK.search(self.log_path(part).read_text(errors="replace")):
            self.suspects.append((part, [test for test, x in ended.items() if x["outcome"] == "failed"]))
        if missing:
            self.result.failed += len(missing)
            count["failed"] += len(missing)
            self.result.failures.append(f"{part.name}: {len(missing)} tests did not end; the first: {missing[0]}")
        if code and not count["failed"]:
            self.result.add("failed", f"{part.name}: exit {code}")
            count["failed"] += 1
        return told(count)

    # ---- all of them
    def use_of(self, part, begun):
        """Of processors, at present: a part that has just begun is busy with its start."""
        return STARTING_CPUS if time.monotonic() - begun < plan.START_S else max(part.cpus, LEAST_CPUS)

    def fits(self, part):
        if not self.running:
            return True
        if not self.is_isolated or len(self.running) >= MANY * self.cpus:
            return False
        is_quiet = part.is_quiet or any(p.is_quiet for p, _, _ in self.running.values())
        used = sum(self.use_of(p, begun) for p, begun, _ in self.running.values())
        return used + STARTING_CPUS <= self.cpus * (LOAD_QUIET if is_quiet else LOAD)

    def wait(self, has_more):
        """Until a part has ended; while others wait and one has just begun, only for a moment."""
        if has_more and any(time.monotonic() - begun < plan.START_S for _, begun, _ in self.running.values()):
            time.sleep(0.1)
            pid, *ended = os.wait4(-1, os.WNOHANG)
            if pid:
                self.end(pid, *ended)
        else:
            self.end(*os.wait4(-1, 0))

    def run(self, parts, arguments):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, interrupt)
        waiting = sorted(parts, key=lambda p: (not p.is_quiet, -p.seconds))
        try:
            while waiting or self.running:
                part = next((p for p in waiting if self.fits(p)), None)
                if part:
                    waiting.remove(part)
                    self.begin(part, arguments)
                else:
                    self.wait(bool(waiting))
            self.second_look(arguments)
        except KeyboardInterrupt:
            self.stop(waiting)
        self.remember()
        try:
            self.tmp.rmdir()
        except OSError:
            pass  # what failed is kept
        return self.result

    def second_look(self, arguments):
        suspects, self.suspects = self.suspects, []
        count = sum(len(tests) for _, tests in suspects)
        if not count or count > SECOND_LOOKS or count != len(self.result.failures):
            return
        self.result.failures, self.result.failed = [], self.result.failed - count
        for part, tests in suspects:
            before = len(self.result.failures)
            self.begin(dataclasses.replace(part, name=f"{part.whole} (alone)", ids=tests), arguments)
            self.wait(False)
            self.result.unsteady += [f"{test} ({part.build})" for test in tests if test not in self.result.failures[before:]]

    def stop(self, waiting):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for keeper in self.running:
            os.kill(keeper, signal.SIGTERM)
        while self.running:
            self.end(*os.wait4(-1, 0))
        for part in waiting:
            self.result.failed += max(1, len(part.ids))
        self.result.failures.append(f"interrupted; {len(waiting)} parts did not run")

    def remember(self):
        for (build, name), (seconds, cpu) in self.files.items():
            if seconds > 5:
                self.times[build].cpus[name] = round(cpu / seconds, 3)
        for times in self.times.values() if self.lock else ():
            times.save()
