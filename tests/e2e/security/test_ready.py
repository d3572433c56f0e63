"""A balancer or a script that asks right after a start (kill -9, restart) was told "ready" while registrations were not read back yet, so
its first calls met USER_NOT_REGISTERED. Readiness comes with the last of them, by every door that tells it."""
import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import tandem as t
from wire import Phone

COUNT = 3000
FAKETIME = [p for p in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1")
            if Path(p).exists()]


def fill(sw, count):
    """So many registrations, copies of the one that is there, straight into the store's file: read back at the next start."""
    import sqlite3
    db = sqlite3.connect(sw.root / "db/sofia_reg.db")
    columns = [r[1] for r in db.execute("pragma table_info(sip_registrations)")]
    row = dict(zip(columns, db.execute(f"select {','.join(columns)} from sip_registrations limit 1").fetchone()))
    for i in range(count):
        row.update(sip_user=f"u{i}", contact=f"sip:u{i}@127.0.0.1:{10000 + i}", target=f"sip:u{i}@127.0.0.1:{10000 + i}", call_id=f"filled-{i}")
        db.execute(f"insert into sip_registrations ({','.join(columns)}) values ({','.join('?' * len(columns))})", [row[c] for c in columns])
    db.commit()
    db.close()


def launch(sw, env=None):
    """Starts it and does not wait for anything."""
    sw.proc = subprocess.Popen([str(sw.binary), "-nonat", "-nf", "-base", str(sw.root)], env=dict(sw.env, **(env or {})),
                               stdin=subprocess.DEVNULL, stdout=sw.out, stderr=sw.out)


def ask(sw, *commands):
    """The answers of one connection as early as there is one."""
    deadline = time.monotonic() + 20
    while True:
        try:
            sw._esl = t.Esl(sw.esl_port, sw.esl_password)
            return [sw._esl.api(c) for c in commands]
        except (OSError, EOFError):
            assert time.monotonic() < deadline and sw.proc.poll() is None, sw.console()[-3000:]
            time.sleep(0.001)


def readyz(sw):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{sw.http_port}/readyz", timeout=5) as r:
            return r.status, json.load(r)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)


def registered(text):
    return int(text.strip().split("\n")[-1].split(" ")[0])


@pytest.fixture
def filled(fresh):
    fresh.start()
    p = Phone(fresh, "1001")
    p.register(3600)
    p.close()
    fresh.stop()
    fill(fresh, COUNT)
    fresh.out = open(fresh.root / "console.txt", "ab")
    return fresh


def test_kill_and_restart(filled):
    """Asked from the first moment on, many times over: whoever is told ready finds all of them."""
    sw = filled
    for _ in range(3):
        launch(sw)
        deadline = time.monotonic() + 20
        while True:
            ready, status, count = ask(sw, "fsctl ready_check", "status", "show registrations count")
            if ready.strip() == "true":
                break
            assert time.monotonic() < deadline
            sw._esl.close()
        assert registered(count) == COUNT + 1 and " is ready\n" in status
        assert registered(sw.api("show registrations count")) == COUNT + 1
        assert readyz(sw)[0] == 200
        sw.kill()
    launch(sw)
    ask(sw, "status")


def test_while_it_is_read(filled):
    """The store's file is locked by another process: not ready, by every door and with the reason, and ready once it is read."""
    import sqlite3
    sw = filled
    db = sqlite3.connect(sw.root / "db/sofia_reg.db", isolation_level=None)
    db.execute("pragma locking_mode=exclusive")
    db.execute("begin exclusive")
    launch(sw)
    ready, status, count = ask(sw, "fsctl ready_check", "status", "show registrations count")
    assert ready.strip() == "false" and " is not ready\n" in status and registered(count) == 0
    code, body = readyz(sw)
    assert code == 503 and body["status"] == "not ready" and "registrations" in body["reason"]
    db.execute("rollback")
    db.close()
    deadline = time.monotonic() + 20
    while sw.api("fsctl ready_check").strip() != "true":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert registered(sw.api("show registrations count")) == COUNT + 1
    assert readyz(sw)[0] == 200


def test_broken_store(fresh):
    """What cannot be read is an error in the log, and no reason to be never ready."""
    (fresh.root / "db").mkdir(exist_ok=True)
    (fresh.root / "db/sofia_reg.db").write_bytes(b"this is no database" * 1000)
    fresh.start()
    assert fresh.api("fsctl ready_check").strip() == "true"


@pytest.mark.skipif(not FAKETIME, reason="libfaketime is not installed")
def test_clock_steps(fresh, tmp_path):
    """The wall clock a day on, a day back, and right again, while a phone is registered: it stays so, and new ones can register."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    fresh.env.update(LD_PRELOAD=FAKETIME[0], FAKETIME_TIMESTAMP_FILE=str(clock), FAKETIME_NO_CACHE="1", FAKETIME_DONT_FAKE_MONOTONIC="1",
                     DONT_FAKE_MONOTONIC="1", ASAN_OPTIONS=fresh.env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
    fresh.start()
    first = Phone(fresh, "1000")
    first.register(300)
    for n, step in enumerate(("+1d", "-1d", "+0")):
        clock.write_text(step)
        p = Phone(fresh, f"100{n + 1}")
        p.register(300)
        p.close()
        assert registered(fresh.api("show registrations count")) == n + 2
        assert fresh.api("fsctl ready_check").strip() == "true" and "UP 0 years, 0 days, 0 hours" in fresh.api("status")
    first.close()
