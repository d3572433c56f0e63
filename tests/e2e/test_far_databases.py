"""MariaDB and, by ODBC, PostgreSQL: scripts, rows of tables, stalled and killed; sqlite beside them goes on."""
import time
from pathlib import Path

import pytest
import tandem as t
from database_servers import Mariadb, Postgres
from test_pgsql import ask, set_param
from test_store import await_true, rows
from wire import Phone

PSQLODBC = next(iter(Path("/usr/lib").glob("*/odbc/psqlodbcw.so")), None)


@pytest.fixture(scope="module", params=["mariadb", "odbc"])
def far(request, tmp_path_factory):
    """A switch whose rows lie in that database; (switch, server, DSN, ask of the server)."""
    env = {}
    if request.param == "mariadb":
        server = Mariadb()
        dsn, sql = server.dsn, server.sql
    else:
        if not PSQLODBC:
            pytest.skip("odbc-postgresql is not installed")
        server = Postgres()
        sql = server.psql
        ini = tmp_path_factory.mktemp("odbc") / "odbc.ini"
        ini.write_text(f"[lab]\nDriver={PSQLODBC}\nServername=127.0.0.1\nPort={server.port}\nDatabase=switch\n")
        env = {"ODBCINI": str(ini)}
        dsn = "odbc://lab:tandem:sesame's"
    sw = t.Tandem(tmp_path_factory.mktemp("conf") / "instance", "conf", env=env)
    set_param(sw, "switch.conf.xml", "core-db-dsn", dsn)
    (sw.root / "scripts").mkdir(exist_ok=True)
    sw.start()
    if "there is no database driver" in sw.log_text:
        sw.stop()
        server.end()
        pytest.skip(f"{request.param} was not at the build")
    yield sw, server, dsn, sql
    sw.stop()
    server.end()


def test_dbh(far):
    sw, server, dsn, _ = far
    said = ask(sw, dsn, """
assert(d:connected())
assert(d:query("CREATE TABLE t (a integer, b varchar(50))"))
assert(d:query("INSERT INTO t VALUES (1, 'one;''$1'); INSERT INTO t VALUES (2, NULL)"))
d:query("SELECT a, b FROM t ORDER BY a", function(r) say(r.a, "[" .. r.b .. "]") end)
d:query("UPDATE t SET b='x'") say("changed", d:affected_rows())
say("bad", tostring(d:query("SELECT nonsense FROM t")), d:last_error())
say("big", tostring(d:query("SELECT a.n FROM (SELECT 1 AS n) a", function() end)))
""")
    assert said.split("\n")[:3] == ["1 [one;'$1]", "2 []", "changed 2"], said
    assert "bad false" in said and "nonsense" in said and "big true" in said
    assert "sesame" not in sw.log_text and "sesame" not in sw.console()


def test_rows_of_tables(far):
    sw, server, dsn, sql = far
    p = Phone(sw, "1000")
    p.register()
    for i in range(3):
        sw.api(f"db insert/r/k{i}/v{i}")
    sw.api("db insert/r/k0/it's \\ new")
    long = "x" * 300
    sw.api(f"db insert/r/{long}/refused")
    sw.api("db insert/r/K0/other case")
    await_true(lambda: sql("SELECT count(*) FROM db_data WHERE realm='r'") in ("4", "5"))
    sw.stop()
    sw.start()
    assert sw.api("db select/r/k0") == "it's \\ new" and sw.api("db select/r/k2") == "v2" and sw.api("db select/r/K0") == "other case"
    assert [r[0] for r in rows(sw)] == ["1000"]
    sw.api("db delete/r/k1")
    await_true(lambda: sql("SELECT count(*) FROM db_data WHERE data_key='k1'") == "0")
    p.register(0)
    p.close()


def test_voicemail(far):
    sw, server, dsn, sql = far
    import wave
    wav = sw.root / "m.wav"
    with wave.open(str(wav), "wb") as w:
        w.setnchannels(1), w.setsampwidth(2), w.setframerate(8000)
        w.writeframes(b"\1\0" * 16000)
    await_true(lambda: sw.api(f"voicemail_inject 1001@{sw.domain} {wav} 5550000 Caller").startswith("+OK"))
    await_true(lambda: sw.api(f"vm_boxcount 1001@{sw.domain}") == "1")
    assert sw.api(f"vm_read 1001@{sw.domain} read").startswith("+OK")
    assert sw.api(f"vm_boxcount 1001@{sw.domain}|all") == "0:1:0:0"
    assert sw.api(f"vm_delete 1001@{sw.domain}").startswith("+OK")
    assert sql("SELECT count(*) FROM voicemail_msgs") == "0"


@pytest.mark.parametrize("how", ["killed", "stalled"])
def test_away(far, how):
    """Scripts are told; sqlite's go on meanwhile; rows written meanwhile arrive."""
    sw, server, dsn, sql = far
    getattr(server, "kill" if how == "killed" else "stall")()
    sw.api(f"db insert/{how}/a/1")
    began = time.monotonic()
    assert ask(sw, "here", 'say(tostring(d:query("SELECT 1", function() end)))', "lite") == "true\n"
    assert time.monotonic() - began < 5
    if how == "killed":
        assert ask(sw, dsn, "say(tostring(d:connected()))") == "false\n"
        server.start()
    else:
        server.go_on()
    await_true(lambda: sql(f"SELECT count(*) FROM db_data WHERE realm='{how}'") == "1", 30)
