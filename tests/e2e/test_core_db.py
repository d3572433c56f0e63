"""mod_core_db: what is running, as FreeSWITCH's core tables; on sqlite and on PostgreSQL; the database stalled, killed, restarted."""
import json
import re
import sqlite3

import pytest
import tandem as t
from calls import call, ended, extension, write_extensions
from database_servers import Postgres
from test_store import await_true
from wire import Phone

# FreeSWITCH's, in its order
LAYOUT = {
    "channels": "uuid direction created created_epoch name state cid_name cid_num ip_addr dest application application_data dialplan context read_codec "
                "read_rate read_bit_rate write_codec write_rate write_bit_rate secure hostname presence_id presence_data accountcode callstate "
                "callee_name callee_num callee_direction call_uuid sent_callee_name sent_callee_num initial_cid_name initial_cid_num initial_ip_addr "
                "initial_dest initial_dialplan initial_context",
    "calls": "call_uuid call_created call_created_epoch caller_uuid callee_uuid hostname",
    "registrations": "reg_user realm token url expires network_ip network_port network_proto hostname metadata",
    "tasks": "task_id task_desc task_group task_runtime task_sql_manager hostname",
    "interfaces": "type name description ikey filename syntax hostname",
    "aliases": "sticky alias command hostname",
    "complete": "sticky a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 hostname",
    "nat": "sticky port proto hostname",
    "recovery": "runtime_uuid technology profile_name hostname uuid metadata",
}


class Sqlite:
    def __init__(self, sw):
        self.path = sw.root / "db/core.db"

    def rows(self, sql):
        db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        db.row_factory = sqlite3.Row
        try:
            return [{k: "" if r[k] is None else str(r[k]) for k in r.keys()} for r in db.execute(sql)]
        finally:
            db.close()


class Pg:
    def __init__(self, server):
        self.server = server

    def rows(self, sql):
        text = self.server.psql(f"SELECT coalesce(json_agg(x), '[]') FROM ({sql}) x")
        return [{k: "" if v is None else str(v) for k, v in r.items()} for r in json.loads(text)]


@pytest.fixture(scope="module")
def pg():
    s = Postgres()
    yield s
    s.end()


@pytest.fixture(scope="module", params=["sqlite", "pgsql"])
def sw(request, tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("conf") / "instance", "conf")
    write_extensions(sw, [extension("9100", "answer", "park"), extension("9101", "set_profile_var caller_id_name=O'Br\\ien; DROP TABLE calls",
                                                                          "export presence_data=" + "x" * 5000, "answer", "park")])
    dsn, db = None, Sqlite(sw)
    if request.param == "pgsql":
        server = request.getfixturevalue("pg")
        dsn, db = server.dsn, Pg(server)
    settings = f'<param name="dsn" value="{dsn}"/>' if dsn else ""
    (sw.root / "conf/autoload_configs/core_db.conf.xml").write_text(
        f'<configuration name="core_db.conf"><settings>{settings}<param name="interval-ms" value="50"/></settings></configuration>')
    sw.start()
    assert sw.api("load mod_core_db").startswith("+OK")
    await_true(lambda: "state: ok" in sw.api("core_db"))
    await_true(lambda: db.rows("SELECT * FROM interfaces"))
    sw.db = db
    yield sw
    sw.stop()


def shown(sw, what):
    return json.loads(sw.api(f"show {what} as json")).get("rows", [])


def number(sw, name):
    return int(re.search(rf"{name}: (\d+)", sw.api("core_db"))[1])


def key(r):
    return r["uuid"]


def test_layout(sw):
    db = sw.db
    for table, columns in LAYOUT.items():
        found = db.rows("SELECT * FROM (SELECT 1 AS one) one_row LEFT JOIN %s ON 1=0" % table)
        assert list(found[0])[1:] == columns.split(), table


def test_channels_and_calls(sw, phone):
    """The rows of `show channels` and of `show calls`, at each state; none is left."""
    db = sw.db
    a, b = phone("1000"), phone("1001")
    call(a, "9100")
    await_true(lambda: db.rows("SELECT * FROM channels") == shown(sw, "channels"))
    rows = db.rows("SELECT * FROM channels")
    assert rows[0]["callstate"] == "ACTIVE" and rows[0]["application"] == "park" and not db.rows("SELECT * FROM calls")
    a.bye()
    await_true(lambda: not db.rows("SELECT * FROM channels"))
    a.invite("1001")
    b.take()
    a.answered()
    await_true(lambda: sorted(db.rows("SELECT * FROM channels"), key=key) == sorted(shown(sw, "channels"), key=key))
    legs = {r["direction"]: r for r in db.rows("SELECT * FROM channels")}
    calls = db.rows("SELECT * FROM calls")
    assert len(calls) == 1 and calls[0]["caller_uuid"] == legs["inbound"]["uuid"] and calls[0]["callee_uuid"] == legs["outbound"]["uuid"]
    assert calls[0]["call_uuid"] == legs["inbound"]["call_uuid"]
    assert db.rows("SELECT * FROM basic_calls") == shown(sw, "calls")
    assert db.rows("SELECT * FROM detailed_calls") == shown(sw, "detailed_calls")
    a.bye()
    ended(b)
    await_true(lambda: not db.rows("SELECT * FROM channels") and not db.rows("SELECT * FROM calls"))


def test_what_a_caller_says_is_a_value(sw, phone):
    db = sw.db
    a = phone("1000")
    call(a, "9101")
    await_true(lambda: [r["cid_name"] for r in db.rows("SELECT cid_name FROM channels")] == ["O'Br\\ien; DROP TABLE calls"])
    await_true(lambda: [len(r["presence_data"]) for r in db.rows("SELECT presence_data FROM channels")] == [4096])
    a.bye()
    await_true(lambda: not db.rows("SELECT * FROM channels") and db.rows("SELECT 1 FROM interfaces"))


def test_registrations(sw):
    db = sw.db
    p = Phone(sw, "1002")
    p.register()
    await_true(lambda: [r for r in db.rows("SELECT * FROM registrations") if r["reg_user"] == "1002"]
            == [r for r in shown(sw, "registrations") if r["reg_user"] == "1002"] != [])
    p.register(0)
    p.close()
    await_true(lambda: not db.rows("SELECT * FROM registrations WHERE reg_user='1002'"))


def test_small_tables(sw):
    """Tasks, aliases and words to complete come and go; interfaces are those of `show`."""
    db = sw.db
    sw.api("sched_api +1000 lab status")
    sw.api("alias add statusalias status")
    sw.api("complete add one two three")
    by_id = {"key": lambda r: int(r["task_id"])}
    await_true(lambda: sorted(db.rows("SELECT * FROM tasks"), **by_id) == sorted(shown(sw, "tasks"), **by_id) != [])
    await_true(lambda: [r["command"] for r in db.rows("SELECT * FROM aliases WHERE alias='statusalias'")] == ["status"])
    await_true(lambda: db.rows("SELECT a1, a2, a3, a4 FROM complete WHERE a1='one'") == [{"a1": "one", "a2": "two", "a3": "three", "a4": ""}])
    sw.api("sched_del lab")
    sw.api("alias del statusalias")
    await_true(lambda: not db.rows("SELECT * FROM tasks WHERE task_group='lab'") and not db.rows("SELECT * FROM aliases WHERE alias='statusalias'"))
    known = {(r["type"], r["name"], r["ikey"]) for r in shown(sw, "interfaces")}
    assert {(r["type"], r["name"], r["ikey"]) for r in db.rows("SELECT * FROM interfaces")} == known


def test_another_switchs_rows_are_his(sw):
    """One database, two switches: each has its rows alone, also when one begins anew. What is gone leaves none behind."""
    db = sw.db
    insert = "INSERT INTO calls VALUES ('u', 'x', 1, 'a', 'b', 'other.example')"
    if isinstance(db, Pg):
        db.server.psql(insert)
    else:
        c = sqlite3.connect(db.path, 20)
        c.execute(insert)
        c.commit()
        c.close()
    assert sw.api("unload mod_core_db").startswith("+OK")
    await_true(lambda: not db.rows("SELECT 1 FROM interfaces"))
    assert sw.api("load mod_core_db").startswith("+OK")
    await_true(lambda: db.rows("SELECT 1 FROM interfaces"))
    assert [r["hostname"] for r in db.rows("SELECT * FROM calls")] == ["other.example"]


@pytest.mark.parametrize("how", ["stalled", "killed"])
def test_away(sw, phone, how):
    """Calls go on; nothing gathers; when it is back the tables say what is, not what was."""
    db = sw.db
    if not isinstance(db, Pg):
        pytest.skip("a server's affair")
    a = phone("1000")
    call(a, "9100")
    await_true(lambda: len(db.rows("SELECT * FROM channels")) == 1)
    getattr(db.server, "stall" if how == "stalled" else "kill")()
    a.bye()
    for _ in range(20):
        call(a, "9100")
        a.bye()
    call(a, "9100")
    failures = number(sw, "failures")
    if how == "killed":
        await_true(lambda: number(sw, "failures") > failures)
        db.server.start()
    else:
        db.server.go_on()
    await_true(lambda: db.rows("SELECT * FROM channels") == shown(sw, "channels"))
    a.bye()
    await_true(lambda: not db.rows("SELECT * FROM channels"))
    assert "state: ok" in sw.api("core_db")
