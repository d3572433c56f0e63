"""A wall clock of one's own for programs under test, by libfaketime (Debian package faketime): an offset to the real one, the same for
the program and whatever it starts. Deadlines are not touched: they count on the monotonic clock.

TANDEM_CLOCK="2027-03-28 01:59:50" and TANDEM_TZ=Europe/Berlin set it for everything that the tests start, from the moment they begin;
`./dev test --clock ... --tz ...` does that. pytest itself keeps the real clock: now_s() is what the others' clocks show."""
import functools
import os
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo


@functools.cache
def library():
    return next((str(p) for p in sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def environment(when, zone=None, env=os.environ):
    """What a program's environment needs that its clock shows `when` now, in that zone (the tests' own if None)."""
    assert library(), "libfaketime (Debian package faketime) is not here"
    then = datetime.fromisoformat(when)
    then = then.replace(tzinfo=ZoneInfo(zone)) if zone else then.astimezone()
    preload = ":".join([library(), *(p for p in env.get("LD_PRELOAD", "").split(":") if p and p != library())])
    out = {"LD_PRELOAD": preload, "FAKETIME": f"{then.timestamp() - time.time():+.3f}s", "DONT_FAKE_MONOTONIC": "1",
           "FAKETIME_DONT_FAKE_MONOTONIC": "1",
           "ASAN_OPTIONS": ":".join(filter(None, (env.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))}
    return dict(out, TZ=zone) if zone else out


def set_for_all():
    """As the environment says, for everything that is started from here on."""
    when, zone = os.environ.get("TANDEM_CLOCK"), os.environ.get("TANDEM_TZ")
    if zone:
        os.environ["TZ"] = zone
        time.tzset()
    if when:
        os.environ.update(environment(when, zone))


def real(env):
    """The environment without a clock of its own."""
    ours = ("LD_PRELOAD", "FAKETIME", "DONT_FAKE_MONOTONIC", "TANDEM_CLOCK", "TANDEM_TZ")
    return {k: v for k, v in env.items() if not k.startswith(ours)}


def now_s(env=os.environ):
    """What the clock of a program with that environment shows."""
    return time.time() + float(env.get("FAKETIME", "0").rstrip("s"))
