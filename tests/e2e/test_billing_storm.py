"""The ledger under random calls while the switch, the database, or both are killed: every call is charged by the deck for the seconds
it was charged for, once; no second is charged that was not talked; what is free is less than what was reserved; no account is below its
limit. A driver of the real ledger (tests/unit/billing/storm.c) talks its seconds at once."""
import json
import random
import signal
import sqlite3
import subprocess
import time

import pytest
import tandem as t
from database_servers import Postgres

STORM = t.BUILD / "tests/unit/billing/billing_storm"
PARALLEL, PIECE_S, MARGIN_S = 24, 60, 5
# prefix: a minute, connection, minimum, increment, free, tax in millionths; the longest counts
DECKS = {("plain", "80"): (600000, 0, 0, 1, 0, 0), ("plain", "81"): (6000000, 50000, 10, 10, 0, 0), ("plain", "82"): (600000, 0, 60, 60, 0, 0),
         ("plain", "83"): (0, 0, 0, 1, 0, 0), ("plain", "84"): (777777, 12345, 7, 6, 30, 190000), ("plain", "845"): (100001, 0, 0, 1, 0, 70000),
         ("dear", "8"): (1234567, 1, 30, 6, 0, 190000)}


class Sqlite:
    def __init__(self, folder):
        self.dsn, self.path = "billing", folder / "billing.db"

    def run(self, text):
        c = sqlite3.connect(self.path, timeout=30)
        try:
            rows = c.execute(text).fetchall()
            c.commit()
            return rows
        finally:
            c.close()

    def many(self, table, rows):
        c = sqlite3.connect(self.path, timeout=30)
        c.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)
        c.commit()
        c.close()

    def kill(self):
        return False

    def end(self):
        pass


class Pg(Sqlite):
    def __init__(self, folder):
        self.server = Postgres()
        self.dsn = self.server.dsn

    def run(self, text):
        out = self.server.psql(text)
        return [tuple(int(c) if c.lstrip("-").isdigit() else c for c in line.split("|")) for line in out.split("\n")] if out else []

    def many(self, table, rows):
        for begin in range(0, len(rows), 500):
            self.server.psql(f"INSERT INTO {table} VALUES " + ",".join(
                "(" + ",".join(str(c) if isinstance(c, int) else f"'{c}'" for c in row) + ")" for row in rows[begin:begin + 500]))

    def kill(self):
        self.server.kill()
        return True

    def end(self):
        self.server.end()


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request, tmp_path):
    d = {"sqlite": Sqlite, "postgresql": Pg}[request.param](tmp_path)
    yield d
    d.end()


class Storm:
    def __init__(self, db, folder, calls, accounts, seed):
        self.db, self.folder, self.calls, self.accounts, self.r = db, folder, calls, accounts, random.Random(seed)
        self.file, self.read_to, self.over = folder / "known", 0, 0
        self.run(0)
        money = [self.r.choice([0, 5000, 300000, 20000000, 500000000]) for _ in range(accounts)]
        db.many("billing_rates", [(deck, prefix, 127, 0, 1440, 0, 0, *rate) for (deck, prefix), rate in DECKS.items()])
        db.many("billing_accounts (id,kind,currency,deck,balance,credit_limit,max_calls,max_hour)",
                [(f"a{i}", "postpaid" if i % 7 == 0 else "prepaid", "EUR", "dear" if i % 5 == 0 else "plain", money[i], 1000000 if i % 7 == 0 else 0,
                  3 if i % 11 == 0 else 0, 50000000 if i % 13 == 0 else 0) for i in range(accounts)])
        db.many("billing_entries (id,account,at_us,kind,amount,balance)", [(f"topup:{i}", f"a{i}", 1, "topup", money[i], money[i]) for i in range(accounts) if money[i]])

    def start(self, calls):
        self.p = subprocess.Popen([STORM, self.db.dsn, self.folder, "node", self.file, str(self.r.randrange(1 << 60)), str(calls), str(PARALLEL), str(self.accounts)],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return self.p

    def run(self, calls):
        out, _ = (p := self.start(calls)).communicate(timeout=1200)
        assert p.returncode == 0
        return json.loads(out)

    def begun(self):
        """Of calls that are over, by what the driver wrote; reads on from where it was."""
        with open(self.file, "rb") as f:
            f.seek(self.read_to)
            text = f.read()
        text = text[:text.rfind(b"\n") + 1]
        self.read_to += len(text)
        self.over += sum(line.startswith(b"D") for line in text.splitlines())
        return self.over

    def crash(self, kills):
        """Kills the driver, the database or both so often, in the course of the calls."""
        p = self.start(self.calls)
        for i in range(kills):
            whom = "both" if i == 0 else self.r.choice(["switch", "database", "both"])
            until, end = self.begun() + self.r.randrange(self.calls // (2 * kills)), time.monotonic() + 60
            while self.begun() < until and p.poll() is None and time.monotonic() < end:
                time.sleep(0.01)
            time.sleep(self.r.random() * 0.05)
            is_switch = whom != "database" or not hasattr(self.db, "server")
            if is_switch and self.r.random() < 0.5:
                p.send_signal(signal.SIGKILL)
            is_away = whom != "switch" and self.db.kill()
            if is_switch:
                p.send_signal(signal.SIGKILL)
                p.wait()
                p.stdout.close()
            if is_away:
                self.db.server.start()
            if is_switch:
                p = self.start(self.calls)
        out, _ = p.communicate(timeout=1200)
        assert p.returncode == 0
        return json.loads(out)


def cost(rate, seconds):
    per_minute, connect, minimum, increment, free, tax = rate
    if not seconds:
        return 0
    counted = minimum if seconds <= minimum else minimum + -(-(seconds - minimum) // increment) * increment
    net = connect + -(-per_minute * max(0, counted - free) // 60)
    return net + -(-net * tax // 1000000)


def rate_of(deck, number):
    return next(DECKS[deck, number[:n]] for n in range(len(number), 0, -1) if (deck, number[:n]) in DECKS)


def check(db, file):
    """Everything adds up; how many calls, how many of them a dead process left, what those had for nothing."""
    calls = db.run("SELECT id,account,deck,number,seconds,cost,state FROM billing_calls WHERE state<>'void'")
    assert not db.run("SELECT id FROM billing_calls WHERE state='void' AND (cost<>0 OR reserved<>0)")
    known, lost = {}, 0
    for line in file.read_text().splitlines():
        kind, call, a, b = line.split()
        known.setdefault(call, []).append((kind, int(a), int(b)))
    spent = {}
    for call, account, deck, number, seconds, charged, state in calls:
        assert state == "done", call
        rate = rate_of(deck, str(number))
        assert charged == cost(rate, seconds), call
        spent[account] = spent.get(account, 0) + charged
        facts = known.get(call, [("U", 0, 0)])
        talked = max(a for kind, a, _ in facts if kind in "US")
        if any(kind == "D" for kind, _, _ in facts):
            assert seconds == talked, call
        elif seconds != talked:
            lost += 1
            assert seconds < talked, call
            assert not rate[0] or talked - seconds <= PIECE_S + rate[3] + MARGIN_S, (call, seconds, talked)
            assert cost(rate, talked) - charged <= max(b for kind, _, b in facts if kind == "U"), call
    assert {call for call, facts in known.items() if any(f[0] == "D" and facts[0][0] == "U" for f in facts)} <= {c[0] for c in calls}
    entries = db.run("SELECT account,id,amount,call_id FROM billing_entries")
    sums = {}
    for account, name, amount, call in entries:
        sums[account] = sums.get(account, 0) + amount
    booked = [call for _, _, _, call in entries if call]
    assert len(booked) == len(set(booked)) == sum(1 for c in calls if c[5])
    refs = {name for _, name, _, _ in entries}
    assert {call for call, facts in known.items() if facts[0][0] == "T"} <= refs
    for account, balance, limit, reserved in db.run("SELECT id,balance,credit_limit,reserved FROM billing_accounts"):
        topups = sum(amount for a, name, amount, _ in entries if a == account and not name.startswith("call:")) if account in spent and len(calls) < 5000 else None
        assert balance == sums.get(account, 0) and reserved == 0 and balance + limit >= 0, account
        assert topups is None or balance == topups - spent[account], account
    assert sum(sums.values()) == sum(a for _, name, a, _ in entries if not name.startswith("call:")) - sum(spent.values())
    return len(calls), lost


def storm(db, folder, calls, accounts, kills, seed=11):
    s = Storm(db, folder, calls, accounts, seed)
    try:
        s.crash(kills)
    finally:
        s.p.kill()
    below = db.run("SELECT id FROM billing_accounts WHERE balance+credit_limit-reserved<0")
    assert not below
    count, lost = check(db, s.file)
    assert count >= calls
    return count, lost


def reconciled(db, folder, tmp_path_factory):
    """The command finds nothing."""
    import billing_lab
    sw = billing_lab.make(tmp_path_factory.mktemp("reconcile") / "instance", db.dsn if hasattr(db, "server") else f"sqlite://{folder}/billing.db")
    try:
        billing_lab.start(sw, deck=False)
        reply = sw.api("billing reconcile")
        assert reply.startswith("+OK") and reply.endswith(" 0 differences\n"), reply
        return reply
    finally:
        sw.stop()


def test_random_calls_and_crashes(db, tmp_path, tmp_path_factory):
    storm(db, tmp_path, 1500, 100, 5)
    reconciled(db, tmp_path, tmp_path_factory)


@pytest.mark.soak
def test_a_hundred_thousand_calls(db, tmp_path, tmp_path_factory):
    began = time.monotonic()
    count, lost = storm(db, tmp_path, 100000, 1000, 60)
    print(f"\n{count} calls in {time.monotonic() - began:.0f} s, {lost} ended with a process; {reconciled(db, tmp_path, tmp_path_factory)}")
