"""A wall clock of one's own for a program under test, by libfaketime (Debian package faketime): an offset to the real one, the same for
the program and whatever it starts. Deadlines are not touched: they count on the monotonic clock."""
import functools
import os
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

WHY_NOT = "libfaketime (Debian package faketime) is not here"


@functools.cache
def library():
    return next((str(p) for p in sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def real_s():
    """The real time, also in a process whose clock is set."""
    return time.time() - float(os.environ.get("FAKETIME", "0").rstrip("s"))


def environment(when, zone=None, env=os.environ):
    """What a program's environment needs that its clock shows `when` ("2027-03-28 01:59:50") now, in that zone (the machine's if None)."""
    assert library(), WHY_NOT
    then = datetime.fromisoformat(when)
    then = then.replace(tzinfo=ZoneInfo(zone)) if zone else then.astimezone()
    preload = ":".join([library(), *(p for p in env.get("LD_PRELOAD", "").split(":") if p and p != library())])
    out = {"LD_PRELOAD": preload, "FAKETIME": f"{then.timestamp() - real_s():+.0f}s", "DONT_FAKE_MONOTONIC": "1",
           "FAKETIME_DONT_FAKE_MONOTONIC": "1",
           "ASAN_OPTIONS": ":".join(filter(None, (env.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))}
    return dict(out, TZ=zone) if zone else out
