"""Instructions a bridged call takes, counted by callgrind: a figure that is nearly the same on a busy machine, so that tests can
bound it. Counted are all threads of the switch, from one moment without calls to the next; what it does without calls is taken off.

measure() runs the switch under valgrind, offers some calls first so that what is made once is made, and reads two dumps of the
counters. When a message had to be sent again (the machine was too slow for valgrind) the calls are offered again, more slowly."""
import json
import re
import signal
import subprocess
import time

WARM_CALLS = 20
OFFERS = ((40, 120), (20, 100), (8, 60), (3, 30))   # calls a second, calls: the first that needs no retransmission counts
IDLE_S = 2


class Counter:
    """callgrind's counters of a running switch."""

    def __init__(self, switch):
        self.switch, self.prefix = switch, switch.root / "callgrind.out"
        wrapper = switch.root / "counted"
        wrapper.write_text(f'#!/bin/sh\nexec valgrind --tool=callgrind --quiet --callgrind-out-file={self.prefix} {switch.binary} "$@"\n')
        wrapper.chmod(0o755)
        switch.binary = wrapper

    def dump(self):
        """Instructions since the last dump, and the file that says where."""
        before = set(self.prefix.parent.glob(self.prefix.name + ".*"))
        subprocess.run(["callgrind_control", "--dump", str(self.switch.proc.pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       check=True)
        (new,) = set(self.prefix.parent.glob(self.prefix.name + ".*")) - before
        return int(re.search(r"^(?:totals|summary): (\d+)", new.read_text(errors="replace"), re.M).group(1)), new


def load(switch, build, calls, rate, mode):
    args = [build / "bench/load/bench_load", mode, "--to", switch.ext_port, "--number", "6" if mode == "bridge" else "5000",
            "--uas-port", switch.uas_port, "--rate", rate, "--seconds", calls / rate]
    p = subprocess.run([str(a) for a in args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    switch.wait_calls(0, 60)
    return json.loads(p.stdout)


def measure(switch, build, mode="bridge", profile=None):
    """{"each", "idle_per_s", "rate", "load"} of a switch that has not been started; it is started and stopped. profile: where the
    counters by function go (callgrind_annotate reads them)."""
    counter = Counter(switch)
    switch.start_anywhere(120)
    try:
        for rate, calls in OFFERS:
            load(switch, build, WARM_CALLS, rate * 2, mode)
            time.sleep(IDLE_S)  # the malloc of the warm calls is given back, their last datagrams are over
            counter.dump()
            begin = time.monotonic()
            result = load(switch, build, calls, rate, mode)
            seconds = time.monotonic() - begin
            count, where = counter.dump()
            time.sleep(IDLE_S)
            idle = counter.dump()[0] / IDLE_S
            if result["failed"] == 0 and result["ok"] == calls and result["retransmissions"] == 0:
                break
        if profile:
            profile.write_bytes(where.read_bytes())
        return {"each": (count - idle * seconds) / calls, "idle_per_s": idle, "rate": rate, "calls": calls, "load": result}
    finally:
        switch.proc.send_signal(signal.SIGTERM)
        switch.proc.wait(60)
        switch.out.close()
