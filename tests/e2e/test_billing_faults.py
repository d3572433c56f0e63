"""Prepaid calls while their PostgreSQL is silent, dead, or back: only who needs its answer waits or is refused; others' calls go on, and
afterwards everything adds up by itself."""
import os
import re
import signal

import billing_lab as lab
import pytest
from billing_lab import dial, until
from calls import extension, write_extensions
from database_servers import Postgres

PARAMS = {"reserve-seconds": "30", "warn-seconds": "25"}  # asks for more from the third second on, and has 27 more to get it


@pytest.fixture(scope="module")
def pg():
    p = Postgres()
    yield p
    p.end()


@pytest.fixture(scope="module")
def sw(pg, tmp_path_factory):
    s = lab.make(tmp_path_factory.mktemp("faults") / "instance", pg.dsn, PARAMS.items())
    write_extensions(s, [extension("50", "answer", "park")], "faults")
    lab.start(s)
    yield s
    s.stop()


def account(s, name):
    assert s.api(f"billing account {name} create prepaid EUR retail") == "+OK\n"
    assert s.api(f"billing topup {name} 100000").startswith("+OK")


def field(pg, name, what):
    return pg.psql(f"SELECT {what} FROM billing_calls WHERE account='{name}' AND state<>'void'")


def others(s, count=40):
    """Calls that nobody charges: set up and ended."""
    for _ in range(count):
        reply = dial(s, "50")
        assert reply.startswith("+OK"), reply
        assert s.api(f"uuid_kill {reply.split()[1]}").startswith("+OK")


def begin(e, numbers):
    """In the background; what to collect the replies by."""
    return [e.command(f"bgapi originate loopback/{n}/default &park()")[0]["Job-UUID"] for n in numbers]


def replies(e, jobs):
    got = {}
    while len(got) < len(jobs):
        event = e.wait_event("BACKGROUND_JOB", timeout=60)
        got[event["Job-UUID"]] = event["_body"]
    return [got[job] for job in jobs]


def adds_up(s, pg):
    """Nothing stays open, without anybody's help; then the command finds nothing either."""
    assert s.api("hupall").startswith("+OK")
    s.wait_calls(0)
    until(lambda: s.api("billing calls") in ("-ERR no reply\n", ""), 60)
    until(lambda: pg.psql("SELECT count(*) FROM billing_calls WHERE state='open'") == "0", 60)
    assert pg.psql("SELECT count(*) FROM billing_accounts WHERE reserved<>0") == "0"
    reply = s.api("billing reconcile")
    assert reply.startswith("+OK") and reply.endswith(" 0 differences\n"), reply
    assert pg.psql("SELECT count(*) FROM billing_calls WHERE state='void' AND (cost<>0 OR reserved<>0)") == "0"


def test_silent(sw, pg):
    account(sw, "a")
    account(sw, "b")
    assert dial(sw, "80a").startswith("+OK")
    e = sw.esl()
    e.subscribe("BACKGROUND_JOB")
    pg.stall()
    try:
        jobs = begin(e, ["80b"] * 6)
        others(sw)
        assert set(replies(e, jobs)) == {"-ERR CALL_REJECTED\n"}  # each when its time is over
        others(sw)
    finally:
        pg.go_on()
        e.close()
    until(lambda: dial(sw, "80b").startswith("+OK"), 60)
    until(lambda: int(field(pg, "a", "reserved")) > 300 * 10000, 60)  # the one that ran goes on
    adds_up(sw, pg)
    assert field(pg, "b", "count(*)") != "0" and int(field(pg, "b", "sum(seconds)")) >= 1


def test_killed_and_back(sw, pg):
    account(sw, "c")
    account(sw, "d")
    assert dial(sw, "80c").startswith("+OK")
    pg.kill()
    assert [dial(sw, "80d") for _ in range(5)] == ["-ERR CALL_REJECTED\n"] * 5
    others(sw)
    pg.start()
    until(lambda: dial(sw, "80d").startswith("+OK"), 60)
    until(lambda: int(field(pg, "c", "reserved")) > 300 * 10000, 60)
    adds_up(sw, pg)
    seconds, cost = map(int, field(pg, "c", "seconds,cost").split("|"))
    assert seconds >= 3 and cost == seconds * 100000


def test_killed_in_the_middle(sw, pg):
    """While calls come and go: what was refused is charged nothing, what was let in is charged once."""
    names = [f"m{i}" for i in range(8)]
    for name in names:
        account(sw, name)
    e = sw.esl()
    e.subscribe("BACKGROUND_JOB")
    jobs = []
    for turn in range(4):
        jobs += begin(e, [f"80{name}" for name in names] + ["50"])
        if turn % 2:
            pg.start()
        else:
            pg.kill()
        sw.api("hupall")
    said = replies(e, jobs)
    e.close()
    assert all(re.match(r"\+OK |-ERR (CALL_REJECTED|MANAGER_REQUEST|NORMAL_CLEARING)", r) for r in said), set(said)
    until(lambda: dial(sw, "80m0").startswith("+OK"), 60)
    adds_up(sw, pg)
    for name in names:
        assert pg.psql(f"SELECT a.balance=1000000000-(SELECT coalesce(sum(cost),0) FROM billing_calls c WHERE c.account=a.id) FROM billing_accounts a WHERE id='{name}'") == "t"


def connections(pg):
    """The processes that serve the switch's connections."""
    return [int(line) for line in pg.psql("SELECT pid FROM pg_stat_activity WHERE datname='switch' AND pid<>pg_backend_pid()").splitlines()]


def test_a_reservation_that_is_run_too_late(sw, pg):
    """It lies before a server's process that is stopped; the switch gives up and settles it by another; then the first goes on."""
    account(sw, "late")
    assert dial(sw, "80late").startswith("+OK")  # what is known of the account is enough to reserve at once
    sw.api("hupall")
    until(lambda: field(pg, "late", "state") == "done")
    stopped = connections(pg)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert dial(sw, "80late") == "-ERR CALL_REJECTED\n"
        until(lambda: pg.psql("SELECT count(*) FROM billing_calls WHERE account='late' AND state='void'") == "1", 60)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    until(lambda: set(stopped) - set(connections(pg)), 60)  # it has read what there was to read, and that nobody is there
    assert pg.psql("SELECT state FROM billing_calls WHERE account='late' ORDER BY state") == "done\nvoid"
    assert pg.psql("SELECT reserved FROM billing_accounts WHERE id='late'") == "0"
    adds_up(sw, pg)
