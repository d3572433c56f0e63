"""PostgreSQL: scripts, rows of tables, voicemail; stalled, killed, restarted, answering rubbish."""
import socket
import threading
import time

import pytest
from database_servers import postgres  # noqa: F401
from test_store import await_true, rows
from wire import Phone


def set_param(sw, file, name, value):
    p = sw.root / "conf/autoload_configs" / file
    text = p.read_text()
    value = value.replace("&", "&amp;").replace('"', "&quot;")
    p.write_text(text.replace("<settings>", f'<settings>\n<param name="{name}" value="{value}"/>', 1))


@pytest.fixture(scope="module")
def sw(postgres, tmp_path_factory):  # noqa: F811
    import tandem
    sw = tandem.Tandem(tmp_path_factory.mktemp("conf") / "instance", "conf")
    set_param(sw, "switch.conf.xml", "core-db-dsn", postgres.dsn)
    (sw.root / "scripts").mkdir(exist_ok=True)
    sw.start()
    yield sw
    sw.stop()


def lua(sw, text, name="t"):
    (sw.root / f"scripts/{name}.lua").write_text(text)
    return sw.api(f"lua {name}.lua")


ASK = """local d = freeswitch.Dbh([==[%s]==])
local function say(...) stream:write(table.concat({...}, " ") .. "\\n") end
%s
d:release()"""


def ask(sw, dsn, body, name="t"):
    return lua(sw, ASK % (dsn, body), name)


def test_dbh(sw, postgres):  # noqa: F811
    """Statements, rows, NULL, changes, errors, several statements, by both forms of the name."""
    said = ask(sw, postgres.dsn, """
assert(d:connected())
assert(d:query("CREATE TABLE t (a integer, b text); INSERT INTO t VALUES (1, 'one;''$1'), (2, NULL)"))
d:query("SELECT a, b FROM t ORDER BY a", function(r) say(r.a, "[" .. r.b .. "]") end)
d:query("UPDATE t SET b='x'") say("changed", d:affected_rows())
say("bad", tostring(d:query("SELECT nonsense FROM t")), d:last_error())
d:query("BEGIN") d:query("DELETE FROM t") d:query("ROLLBACK")
say("count", d:first_row("SELECT count(*) AS n FROM t").n)
say("test_reactive", tostring(d:test_reactive("SELECT * FROM t2", "DROP TABLE IF EXISTS t2", "CREATE TABLE t2 (x text)")))
""")
    assert said.split("\n")[:3] == ["1 [one;'$1]", "2 []", "changed 2"]
    assert 'bad false ERROR:  column "nonsense" does not exist' in said
    assert "count 2\n" in said and "test_reactive true" in said
    assert postgres.psql("SELECT count(*) FROM t2") == "0"
    assert ask(sw, postgres.uri, 'd:query("SELECT 40+2 AS n", function(r) say(r.n) end)') == "42\n"
    assert "sesame" not in sw.log_text and "sesame" not in sw.console()


def test_a_script_forgets(sw, postgres):  # noqa: F811
    """What a script leaves open (a transaction, a temporary table, a setting) is not the next one's, who gets the same connection."""
    first = ask(sw, postgres.dsn, """d:query("CREATE TEMP TABLE mine (a int)") d:query("SET search_path=public,nowhere") d:query("BEGIN")
d:query("CREATE TABLE half (a int)") d:query("SELECT pg_backend_pid() AS p", function(r) say(r.p) end)""")
    pid = first.split("\n")[0]
    # cleaned, and set up anew: then it is the next one's, being the last that came back
    await_true(lambda: postgres.psql(f"SELECT state || query FROM pg_stat_activity WHERE pid={pid}").startswith("idleSET statement_timeout"))
    said = ask(sw, postgres.dsn, """d:query("SELECT pg_backend_pid() AS p", function(r) say(r.p) end)
say(tostring(d:query("SELECT * FROM mine")), tostring(d:query("SELECT * FROM half")))
d:query("SHOW search_path", function(r) say(r.search_path) end) d:query("SHOW statement_timeout", function(r) say(r.statement_timeout) end)""")
    assert said.split("\n")[:4] == [pid, "false false", '"$user", public', "10s"]


def test_a_transaction_that_fails_is_over(sw, postgres):  # noqa: F811
    """A text that is a transaction, with one statement that cannot: what the connection is asked next is not in it."""
    said = ask(sw, postgres.dsn, """d:query("CREATE TEMP TABLE tx (a int)")
say(tostring(d:query("BEGIN;INSERT INTO tx VALUES (1);SELECT nosuch;COMMIT")))
say(tostring(d:query("INSERT INTO tx VALUES (2)")))
d:query("SELECT count(*) AS n FROM tx", function(row) say(row.n) end)""")
    assert said == "false\ntrue\n1\n"


def test_rows_of_tables(sw, postgres):  # noqa: F811
    """Registrations, values, groups: kept, found again after a restart, in order."""
    p = Phone(sw, "1000")
    p.register()
    for i in range(3):
        sw.api(f"db insert/r/k{i}/v{i}")
    sw.api("db insert/r/k0/v0new")
    sw.api("group insert:g:sofia/a")
    await_true(lambda: postgres.psql("SELECT count(*) FROM db_data WHERE realm='r'") == "3")
    await_true(lambda: postgres.psql("SELECT sip_user FROM sip_registrations") == "1000")
    sw.stop()
    sw.start()
    assert sw.api("db select/r/k0") == "v0new" and sw.api("db select/r/k2") == "v2"
    assert [r[0] for r in rows(sw)] == ["1000"]
    sw.api("db delete/r/k1")
    await_true(lambda: postgres.psql("SELECT count(*) FROM db_data WHERE realm='r'") == "2")
    p.register(0)
    p.close()
    await_true(lambda: postgres.psql("SELECT count(*) FROM sip_registrations") == "0")
    assert {p.name for p in (sw.root / "db").glob("*.db")} <= {"features.db"}  # features.conf names it


def test_a_bad_row_costs_only_itself(sw, postgres):  # noqa: F811
    """A key too long for the index and bytes that are no UTF-8, in one crowd with good rows."""
    import os
    e = sw.esl()
    e.sock.sendall(b"".join(b"api db insert/s/k%d/v\n\n" % i for i in range(50)) + b"api db insert/s/" + os.urandom(4000).hex().encode() + b"/v\n\n"
                   + b"api db insert/s/odd/\xff\xfe!\n\n" + b"".join(b"api db insert/s/l%d/v\n\n" % i for i in range(50)))
    await_true(lambda: postgres.psql("SELECT count(*) FROM db_data WHERE realm='s'") == "101")
    assert postgres.psql("SELECT * FROM db_data WHERE data_key='odd'").endswith("!") or "odd" in postgres.psql("SELECT * FROM db_data WHERE realm='s'")
    sw.wait_log("rows are not kept")
    e.close()


def test_voicemail(sw, postgres):  # noqa: F811
    """Its tables are made by its migrations; a message goes in, is counted, read, deleted."""
    await_true(lambda: postgres.psql("SELECT to_regclass('voicemail_prefs')") == "voicemail_prefs")
    wav = sw.root / "m.wav"
    import wave
    with wave.open(str(wav), "wb") as w:
        w.setnchannels(1), w.setsampwidth(2), w.setframerate(8000)
        w.writeframes(b"\1\0" * 16000)
    assert sw.api(f"voicemail_inject 1001@{sw.domain} {wav} 5550000 {'Caller'}").startswith("+OK")
    await_true(lambda: sw.api(f"vm_boxcount 1001@{sw.domain}") == "1")
    assert postgres.psql("SELECT username, in_folder FROM voicemail_msgs") == "1001|inbox"
    listed = sw.api(f"vm_list 1001@{sw.domain}")
    uuid = postgres.psql("SELECT uuid FROM voicemail_msgs")
    assert uuid in listed
    assert sw.api(f"vm_read 1001@{sw.domain} read").startswith("+OK")
    assert postgres.psql("SELECT read_epoch > 0 FROM voicemail_msgs") == "t"
    assert sw.api(f"vm_boxcount 1001@{sw.domain}|all") == "0:1:0:0"
    assert sw.api(f"vm_delete 1001@{sw.domain} {uuid}").startswith("+OK")
    assert postgres.psql("SELECT count(*) FROM voicemail_msgs") == "0"


def test_killed_and_restarted(sw, postgres):  # noqa: F811
    """Rows written meanwhile are there when it is back; a script is told at once; it is told once."""
    downs = sw.log_text.count("it is tried again")
    postgres.kill()
    sw.api("db insert/q/a/1")
    said = [ask(sw, postgres.dsn, "say(tostring(d:connected()))") for _ in range(3)]
    assert said == ["false\n"] * 3
    began = time.monotonic()
    assert ask(sw, postgres.dsn, "say(tostring(d:connected()))") == "false\n" and time.monotonic() - began < 5
    for i in range(20):
        sw.api(f"db insert/q/b{i}/2")
    postgres.start()
    await_true(lambda: postgres.psql("SELECT count(*) FROM db_data WHERE realm='q'") == "21", 30)
    sw.wait_log("is back after")
    assert sw.log_text.count("it is tried again") == downs + 1
    assert ask(sw, postgres.dsn, "say(tostring(d:connected()))") == "true\n"


def test_stalled(sw, postgres):  # noqa: F811
    """A server that is silent: the script that asks waits for its deadline, everything else goes on."""
    answers = []
    postgres.stall()
    try:
        t = threading.Thread(target=lambda: answers.append(sw.esl().api("lua stalled.lua")))
        (sw.root / "scripts/stalled.lua").write_text(ASK % (postgres.dsn, 'say(tostring(d:connected()))'))
        t.start()
        sw.api("db insert/z/a/1")
        assert sw.api("db select/z/a") == "1"
        p = Phone(sw, "1000")
        p.register()
        p.close()
        t.join(20)
    finally:
        postgres.go_on()
    assert answers == ["false\n"]
    await_true(lambda: postgres.psql("SELECT count(*) FROM db_data WHERE realm='z'") == "1", 30)
    await_true(lambda: postgres.psql("SELECT sip_user FROM sip_registrations") == "1000", 30)


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"N" + b"\x00" * 64, b"R\xff\xff\xff\xff" * 100,
                                  b"R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05ID\x7f\xff\xff\xff" + b"x" * 100])
def test_rubbish(sw, says):
    """Something else is at the port."""
    s = socket.create_server(("127.0.0.1", 0))
    live = threading.Event()

    def serve():
        while not live.is_set():
            try:
                c, _ = s.accept()
                c.settimeout(5)
                c.recv(1000)
                c.sendall(says)
                c.close()
            except OSError:
                pass
    t = threading.Thread(target=serve, daemon=True)
    t.start()
    said = ask(sw, f"pgsql://hostaddr=127.0.0.1 port={s.getsockname()[1]} user=u password=sesame sslmode=disable dbname=d", "say(tostring(d:connected()))")
    live.set()
    s.close()
    assert said == "false\n" and "sesame" not in sw.log_text
    assert sw.api("status").startswith("UP")


def test_too_large_and_too_long(sw, postgres):  # noqa: F811
    said = ask(sw, postgres.dsn, """say(tostring(d:query("SELECT repeat('x', 1000000) FROM generate_series(1, 30)", function() end)), d:last_error())
say(tostring(d:query("SELECT 1", function() end)))""")
    assert said.split("\n")[0] == "false the result is over 16 MiB" and said.split("\n")[1] == "true"
