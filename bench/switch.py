"""The switch that the bench measures: an instance of conf/ whose limits are raised, pinned to the first core, with the load on the last."""
import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
os.environ.setdefault("TANDEM_BUILD", str(TOP / "build"))
sys.path.insert(0, str(TOP / "tests" / "e2e"))
from tandem import BUILD, Tandem, free_port  # noqa: E402

CORES = sorted(os.sched_getaffinity(0))
SWITCH_CORE, LOAD_CORE = CORES[0], CORES[-1]


def note(text):
    print(text, file=sys.stderr, flush=True)


def pinned(core, call):
    """Runs call with this process (and so what it starts) on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        return call()
    finally:
        os.sched_setaffinity(0, before)


def core_s(core, *fields):
    line = re.search(rf"^cpu{core} (.*)$", Path("/proc/stat").read_text(), re.M).group(1).split()
    return sum(int(line[i]) for i in fields) / os.sysconf("SC_CLK_TCK")


def core_busy_s(core):
    """Seconds a core has worked, the hypervisor's theft included."""
    return core_s(core, 0, 1, 2, 5, 6, 7)


def core_stolen_s(core):
    """Seconds in which the hypervisor let a core not run that had work."""
    return core_s(core, 7)


def cpu_of(pid):
    """Seconds of CPU a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Switch(Tandem):
    """An instance for load: limits raised, two numbers that need no password, one password for all accounts."""

    def __init__(self, flavour="conf"):
        self.uas_port = free_port()
        self.where = tempfile.mkdtemp(prefix="tandem-bench-")
        # at the very end: ext4 without a journal makes new files next to freshly deleted ones very slowly
        if "TANDEM_BENCH_KEEP" not in os.environ:
            atexit.register(shutil.rmtree, self.where, True)
        super().__init__(Path(self.where) / "instance", flavour)
        if flavour == "conf":
            self.raise_limits()

    def raise_limits(self):
        conf = self.root / "conf"
        p = conf / "autoload_configs/switch.conf.xml"
        text = re.sub(r'(name="max-sessions" value=)"\d+"', r'\1"100000"', p.read_text())
        p.write_text(re.sub(r'(name="sessions-per-second" value=)"\d+"', r'\1"100000"', text))
        p = conf / "passwords.xml"
        p.write_text(re.sub(r"(password_\d+)=[^\"]+", r"\1=benchword", p.read_text()))
        (conf / "dialplan/public").mkdir(exist_ok=True)
        (conf / "dialplan/public/bench.xml").write_text(f"""<include>
  <extension name="bench_answer">
    <condition field="destination_number" expression="^5000$">
      <action application="answer"/>
      <action application="park"/>
    </condition>
  </extension>
  <extension name="bench_bridge">
    <condition field="destination_number" expression="^6(\\d+)$">
      <action application="bridge" data="sofia/external/sip:$1@127.0.0.1:{self.uas_port}"/>
    </condition>
  </extension>
</include>
""")
        self.env.update(TANDEM_RTP_START="10000", TANDEM_RTP_END="32000")

    def start(self, timeout=20):
        pinned(SWITCH_CORE, lambda: super(Switch, self).start(timeout))
        return self

    def start_anywhere(self, timeout=20):
        return super().start(timeout)

    def load(self, mode, **options):
        """Runs the generator to its end and returns what it reports, and what others took of the switch's core meanwhile."""
        begin, core, own = time.monotonic(), core_busy_s(SWITCH_CORE), self.cpu_s()
        p = self.load_begin(mode, **options)
        out, _ = p.communicate(timeout=120 + options.get("seconds", 0))
        r = json.loads(out)
        r["others_cpu"] = max(0, core_busy_s(SWITCH_CORE) - core - (self.cpu_s() - own)) / (time.monotonic() - begin)
        return r

    def load_begin(self, mode, **options):
        port = self.sip_port if mode == "register" else self.ext_port
        number = options.pop("number", "5000" if mode == "call" else "6")
        args = [str(BUILD / "bench/load/bench_load"), mode, "--to", str(port), "--pid", str(self.proc.pid), "--number", number,
                "--uas-port", str(self.uas_port), "--password", "benchword"]
        for name, value in options.items():
            args += ["--" + name.replace("_", "-")] + ([] if value is True else [str(value)])
        return pinned(LOAD_CORE, lambda: subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))

    def memory_kb(self):
        """Resident and proportional set size."""
        text = Path(f"/proc/{self.proc.pid}/smaps_rollup").read_text()
        return tuple(int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M).group(1)) for name in ("Rss", "Pss"))

    def settle(self):
        """No call is left of the step before; after one that was too much the rest is hung up."""
        try:
            self.wait_calls(0)
        except AssertionError as e:
            note(f"  left over: {str(e).split(':')[0]}")
            self.api("hupall")
            self.wait_calls(0)

    def cpu_s(self):
        return cpu_of(self.proc.pid)

    def end(self):
        self.stop(check=False)
        slow = [line for line in (self.console() + self.log_text).split("\n") if "slow handler" in line]
        if slow:
            note(f"  {len(slow)} slow-handler reports, the first: {slow[0]}")
