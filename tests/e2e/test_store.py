"""What is kept and who keeps it: registrations are asked of their registrar, rows go through the store's driver, a DSN names one."""
import sqlite3
import time

import pytest
from wire import Phone


def rows(sw):
    """user, call-id and url of each registration."""
    table = sw.api("show registrations").split("\n\n")[0].split("\n")[1:]
    return [(c[0], c[2], c[3]) for c in (line.split(",") for line in table)]


def await_true(check, seconds=10):
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_contacts_of_one_call(fresh):
    """One REGISTER binds two addresses; each has its row, and the end of one leaves the other's."""
    fresh.start()
    p = Phone(fresh, "1000")
    second = f"sip:1000@127.0.0.1:{p.port};line=2"
    p.register(extra=f"Contact: <{second}>\n")
    assert len(rows(fresh)) == 2 and len({r[1] for r in rows(fresh)}) == 1
    assert [r for r in rows(fresh) if "line=2" in r[2]]
    assert fresh.api(f"reg_url 1000@{fresh.domain}").startswith("sofia/internal/sip:1000@")
    p.register(extra=f"Contact: <{second}>;expires=0\n")
    assert len(rows(fresh)) == 1 and "line=2" not in rows(fresh)[0][2]
    assert fresh.api(f"reg_url 1000@{fresh.domain}") == rows(fresh)[0][2]
    assert fresh.api("show registrations count").strip().startswith("1 ")
    assert fresh.api(f"reg_url nobody@{fresh.domain}") == "error/user_not_registered"
    p.register(0)
    p.close()


def test_what_is_over_goes(fresh):
    """A row whose time passed while the switch was off is neither shown nor kept."""
    fresh.start()
    p = Phone(fresh, "1000")
    p.register(3600)
    p.close()
    fresh.stop()
    path = fresh.root / "db/sofia_reg.db"
    db = sqlite3.connect(path)
    other = {"sip_user": "'old'", "expires": "1000"}
    names = [r[1] for r in db.execute("pragma table_info(sip_registrations)")]
    assert set(other) < set(names)
    db.execute(f"insert into sip_registrations select {', '.join(other.get(n, n) for n in names)} from sip_registrations")
    db.commit()
    db.close()
    fresh.start()
    await_true(lambda: fresh.api("fsctl ready_check").strip() == "true")
    assert [r[0] for r in rows(fresh)] == ["1000"]
    fresh.stop()
    db = sqlite3.connect(path)
    assert db.execute("select sip_user from sip_registrations").fetchall() == [("1000",)]
    db.close()


def test_reload_reads_its_last_writes(fresh):
    """mod_db is loaded anew while thousands of its writes are still on their way to the disk."""
    fresh.start()
    count = 5000
    e = fresh.esl()
    e.sock.sendall(b"".join(f"api db insert/r/k{i}/v{i}\n\n".encode() for i in range(count)) + b"api reload mod_db\n\n")
    await_true(lambda: fresh.api("db count/r").strip() == str(count), 30)
    await_true(lambda: fresh.api(f"db select/r/k{count - 1}") == f"v{count - 1}")
    fresh.stop()
    db = sqlite3.connect(fresh.root / "db/call_db.db")
    assert db.execute("select count(*) from db_data where realm = 'r'").fetchone() == (count,)
    db.close()


@pytest.mark.parametrize("dsn, scheme", [("oracle://host=db password=sesame", "oracle"), ("Ingres://Server=db;Pwd=sesame", "Ingres")])
def test_dsn_of_no_driver(tandem, dsn, scheme):
    """The error names the scheme and the drivers there are; the password is in neither the error nor the log."""
    (tandem.root / "scripts").mkdir(exist_ok=True)
    (tandem.root / "scripts/dsn.lua").write_text(f'local ok, why = pcall(freeswitch.Dbh, "{dsn}")\nstream:write(tostring(ok), " ", why)\n')
    said = tandem.api("lua dsn.lua")
    assert said.startswith("false ") and f"there is no database driver '{scheme}' (there are: sqlite" in said
    assert "sesame" not in said and "sesame" not in tandem.log_text and not list((tandem.root / "db").glob("*sesame*"))
