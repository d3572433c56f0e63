"""Call records to PostgreSQL: so many legs end at once; how soon each has its row, and what that costs the switch."""
import sys
import time

from switch import LOAD_CORE, Switch, cpu_of, note, pinned
from test_call_records import PG_SCHEMA, PG_TABLE, conf, esc
from database_servers import Postgres

LEGS = 5000


def row():
    pg = pinned(LOAD_CORE, Postgres)
    try:
        pg.psql(PG_TABLE)
        s = Switch()
        conf(s, "cdr_pg_csv", [("db-info", esc(pg.dsn.split("://")[1]))], PG_SCHEMA)
        s.start()
        assert s.api("load mod_cdr_pg_csv").startswith("+OK")
        e = s.esl()
        e.sock.settimeout(120)
        for begin in range(0, LEGS, 500):
            e.sock.sendall(b"".join(b"api originate null/x%d &park\n\n" % i for i in range(begin, begin + 500)))
            for _ in range(500):
                assert e.read()[1].startswith("+OK")
        before = cpu_of(s.proc.pid)
        began = time.monotonic()
        s.api("hupall")
        while int(pg.psql("SELECT count(*) FROM cdr")) < LEGS and time.monotonic() - began < 60:
            time.sleep(0.05)
        seconds = time.monotonic() - began
        rows = int(pg.psql("SELECT count(*) FROM cdr"))
        cpu = cpu_of(s.proc.pid) - before
        s.wait_calls(0)
        e.close()
        s.stop(may_be_slow=True)
    finally:
        pg.end()
    note(f"  {rows} rows in {seconds:.2f} s, {1e6 * cpu / LEGS:.0f} us of the switch's CPU each, ending the leg included")
    return {"rows": rows, "seconds": seconds, "per_s": rows / seconds, "cpu_us": 1e6 * cpu / LEGS, "legs": LEGS}


if __name__ == "__main__":
    print(row(), file=sys.stderr)
