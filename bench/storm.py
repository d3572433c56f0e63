"""Row r: everybody comes back at once. Twenty thousand phones are registered, the switch restarts, and all of them register again
while calls come in beside them: how long until the last one is back, and what the calls feel of it."""
import json
import re
import time

from switch import Switch, free_port, note

USERS, FIRST, RATE, CALLS_PER_S = 20000, 100000, 4000, 100


def directory(s):
    users = "".join(f'<user id="{FIRST + i}"><params><param name="password" value="benchword"/></params></user>\n' for i in range(USERS))
    p = s.root / "conf/directory/default/storm.xml"
    p.parent.mkdir(exist_ok=True)
    p.write_text(f"<include>\n{users}</include>\n")


def registered(s):
    return int(re.search(r"^Registrations? +\t(\d+)$|^REGISTRATIONS +\t(\d+)$", s.api("sofia status profile internal"), re.M | re.I)
               .group(0).split("\t")[1])


def measure():
    s = Switch()
    directory(s)
    s.start()
    try:
        # the same phones each time: a contact that differs would be another phone of the account
        once = dict(rate=RATE, seconds=USERS / RATE + 0.01, users=USERS, first_user=FIRST, uac_port=free_port())
        for _ in range(3):  # on a machine with other work the first round may lose a few
            s.load("register", **once)
            before = registered(s)
            if before == USERS:
                break
        note(f"  {before} are registered")
        s.end()
        s.start()
        deadline = time.monotonic() + 30
        while registered(s) < before and time.monotonic() < deadline:
            time.sleep(0.05)
        restored = registered(s)
        quiet = s.load("call", rate=CALLS_PER_S, seconds=5)
        begin = time.monotonic()
        calls = s.load_begin("call", rate=CALLS_PER_S, seconds=USERS / RATE + 2, uas_port=free_port())
        again = s.load("register", **once)
        took_s = time.monotonic() - begin
        out, _ = calls.communicate(timeout=60)
        r = {"before": before, "restored": restored, "after": registered(s), "took_s": took_s, "again": again, "calls": json.loads(out),
             "quiet": quiet, "others_cpu": again["others_cpu"]}
        s.settle()
        note(f"  restored {restored}, again {again['ok']} ok {again['failed']} failed in {took_s:.1f} s, p99 {again['setup_p99_ms']:.1f} ms, "
             f"switch {100 * again['switch_cpu']:.0f} %; calls p99 {r['calls']['setup_p99_ms']:.1f} ms, failed {r['calls']['failed']}")
        return r
    finally:
        s.end()
