"""Call records to web servers and databases: each reaches each target at least once, whatever that does meanwhile."""
import base64
import http.server
import json
import re
import sqlite3
import threading
import time
import urllib.parse
import xml.etree.ElementTree as ET
from datetime import datetime

import pytest
import tandem as t
from calls import call, ended, extension, write_extensions
from database_servers import Postgres
from test_store import await_true
from wire import Phone

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
PG_FIELDS = ["local_ip_v4", "caller_id_name", "caller_id_number", "destination_number", "context", "start_stamp", "answer_stamp", "end_stamp",
             "duration", "billsec", "hangup_cause", "uuid", "bleg_uuid", "accountcode", "read_codec", "write_codec"]


class Web:
    """Takes POSTs; answers what code says; may be held."""

    def __init__(self):
        self.posts, self.code, self.may_go = [], 200, threading.Event()
        self.may_go.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.may_go.wait(60)
                outer.posts.append((self.path, dict(self.headers), body))
                self.send_response(outer.code)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *args):
                pass
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/cdr"

    def close(self):
        self.may_go.set()
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def fresh(fresh):
    write_extensions(fresh, EXTENSIONS, "records")
    return fresh


@pytest.fixture
def web():
    w = Web()
    yield w
    w.close()


def conf(sw, name, params, rest=""):
    body = "".join(f'<param name="{k}" value="{v}"/>' for k, v in params)
    (sw.root / f"conf/autoload_configs/{name}.conf.xml").write_text(f'<configuration name="{name}.conf"><settings>{body}</settings>{rest}</configuration>')


def esc(text):
    return text.replace("&", "&amp;").replace('"', "&quot;")


PG_SCHEMA = "<schema>" + "".join(f'<field var="{f}"{" quote=" + chr(34) + "false" + chr(34) if f in ("duration", "billsec") else ""}/>'
                                 for f in PG_FIELDS) + "</schema>"
PG_TABLE = ("CREATE TABLE cdr (" + ",".join(f"{f} {'integer' if f in ('duration', 'billsec') else 'timestamp' if f.endswith('stamp') else 'text'}"
                                            for f in PG_FIELDS) + ", UNIQUE (uuid))")


WILD = "5'),(';--"  # a caller who would like to write SQL
EXTENSIONS = [extension("9100", "set_profile_var caller_id_name=O'Brien", "answer", "park"),
              extension("9101", "set_profile_var caller_id_number=666", "answer", "park"),
              extension("9102", f"set_profile_var caller_id_name={WILD}", "answer", "park")]


def call_over(sw, number="9100"):
    """One short call of a phone; its uuid."""
    if not hasattr(sw, "caller") or sw.caller[0] is not sw.proc:
        sw.caller = (sw.proc, Phone(sw, "1000"))
        sw.caller[1].register()
    p = sw.caller[1]
    call(p, number)
    uuid = re.search(UUID, sw.api("show channels")).group(0)
    sw.api(f"uuid_kill {uuid}")
    ended(p)
    sw.wait_calls(0)
    return uuid


def seconds(a, b):
    """Between two stamps, as records count: by the clock's whole seconds. A short call may be 1 s long."""
    return int((datetime.fromisoformat(b) - datetime.fromisoformat(a)).total_seconds())


def status(sw):
    return {x["target"]: x for x in json.loads(sw.api("cdr status json"))["targets"]}


@pytest.mark.parametrize("encode, ctype", [("true", "application/x-www-form-urlencoded"), ("base64", "application/x-www-form-base64-encoded"),
                                           ("false", "application/x-www-form-plaintext"), ("textxml", "text/xml")])
def test_xml_post(fresh, web, encode, ctype):
    """The recorded form of the requests; the record within is that of the file."""
    conf(fresh, "xml_cdr", [("url", web.url), ("encode", encode), ("prefix-a-leg", "true"), ("log-b-leg", "false"), ("log-http-and-disk", "true"),
                            ("cred", "user:sesame"), ("log-dir", "")])
    fresh.start()
    uuid = call_over(fresh)
    await_true(lambda: web.posts)
    path, headers, body = next(p for p in web.posts if uuid in p[0])
    assert path == f"/cdr?uuid=a_{uuid}" and headers["Content-Type"] == ctype and headers["User-Agent"] == "freeswitch-xml/1.0"
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"user:sesame").decode() and "Expect" not in headers
    if encode != "textxml":
        assert body.startswith(b"cdr=")
        body = body[4:]
    text = urllib.parse.unquote_to_bytes(body) if encode == "true" else base64.b64decode(body) if encode == "base64" else body
    file = fresh.root / f"log/xml_cdr/a_{uuid}.cdr.xml"
    await_true(file.exists)
    assert file.read_bytes() == text and ET.fromstring(text).tag == "cdr"
    fresh.stop()
    golden = t.SHARED / f"golden/http/xml_cdr-post-encode-{encode}.txt"
    if golden.exists():
        want = golden.read_text(errors="replace").split("---- request 1\n")[1].split("\n\n")[0].split("\n")
        ours = {k.lower(): v for k, v in headers.items()}
        for line in want[1:]:
            name, value = line.split(": ", 1)
            if name not in ("Host", "Content-Length"):
                assert ours[name.lower()] == value


def test_failing_post(fresh, web):
    """A server that answers 500: so many tries, then a file; the others' records go on."""
    web.code = 500
    conf(fresh, "xml_cdr", [("url", web.url), ("retries", "2"), ("delay", "1"), ("err-log-dir", fresh.root / "log/xml_err"), ("log-b-leg", "false")])
    fresh.start()
    uuid = call_over(fresh)
    file = fresh.root / f"log/xml_err/{uuid}.cdr.xml"
    await_true(file.exists, 20)
    assert len([p for p in web.posts if uuid in p[0]]) == 3
    assert not list((fresh.root / "log/xml_cdr").glob("*")) if (fresh.root / "log/xml_cdr").exists() else True
    fresh.stop()


def test_urls_in_turn(fresh, web):
    """The first is dead, the second takes it; the next record goes to the second at once."""
    dead = f"http://127.0.0.1:{t.free_port()}/x"
    conf(fresh, "json_cdr", [("url", dead), ("url", web.url), ("retries", "3"), ("delay", "1"), ("encode", "false"), ("log-b-leg", "false")])
    fresh.start()
    assert fresh.api("load mod_json_cdr").startswith("+OK")
    uuid = call_over(fresh)
    await_true(lambda: web.posts)
    path, headers, body = web.posts[0]
    assert path == f"/cdr?uuid={uuid}" and headers["Content-Type"] == "application/json"
    record = json.loads(body)
    assert record["variables"]["uuid"] == uuid and record["core-uuid"] and record["channel_data"]["state"] == "CS_REPORTING"
    assert record["variables"]["hangup_cause"] == "NORMAL_CLEARING" and record["callflow"][0]["caller_profile"]["uuid"] == uuid
    assert record["callflow"][0]["times"]["hangup_time"] != "0"
    await_true(lambda: status(fresh)["json_cdr"]["waiting"] == 0)
    retries = status(fresh)["json_cdr"]["retries"]
    second = call_over(fresh)
    await_true(lambda: any(second in p[0] for p in web.posts))
    assert retries >= 1 and status(fresh)["json_cdr"]["retries"] == retries
    fresh.stop()


def test_over_a_crash(fresh, web):
    """What no server took yet is posted by the next start, whatever killed the last; once, by its id."""
    web.may_go.clear()
    profile = '<profiles><profile name="p"><settings>' + "".join(
        f'<param name="{k}" value="{v}"/>' for k, v in [("format", "json"), ("url", web.url), ("retries", "-1"), ("delay", "1"), ("log-b-leg", "false"),
                                                        ("encode", "false"), ("timeout", "30")]) + "</settings></profile></profiles>"
    conf(fresh, "format_cdr", [], profile)
    p = fresh.root / "conf/autoload_configs/modules.conf.xml"
    p.write_text(p.read_text().replace("</modules>", '<load module="mod_format_cdr"/></modules>'))
    fresh.start()
    uuids = {call_over(fresh) for _ in range(30)}
    await_true(lambda: status(fresh)["format_cdr/p"]["waiting"] == 30)
    assert fresh.api("cdr status").split("\n")[2].startswith("format_cdr/p,30,")
    fresh.kill()
    web.posts.clear()
    web.may_go.set()
    fresh.start()
    await_true(lambda: uuids <= {UUID.search(p[0])[0] for p in web.posts}, 30)
    await_true(lambda: status(fresh)["format_cdr/p"]["waiting"] == 0)
    fresh.stop()
    assert not list((fresh.root / "db").glob("cdr.journal.*"))


def test_sqlite(fresh):
    """The recorded layout, and a caller who would like to write SQL."""
    conf(fresh, "cdr_sqlite", [("legs", "ab")])
    fresh.start()
    assert fresh.api("load mod_cdr_sqlite").startswith("+OK")
    uuid = call_over(fresh, "9102")
    path = fresh.root / "db/cdr.db"

    def rows():
        db = sqlite3.connect(path)
        try:
            return db.execute("select * from cdr where uuid=?", (uuid,)).fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            db.close()
    await_true(rows)
    row = rows()[0]
    assert row[9] == "NORMAL_CLEARING" and row[0] == WILD
    assert row[7] == seconds(row[4], row[6]) and row[8] == seconds(row[5], row[6])
    db = sqlite3.connect(path)
    got = "".join(f"    {r[1]} {r[2]}\n" for r in db.execute("pragma table_info(cdr)"))
    db.close()
    fresh.stop()
    golden = t.SHARED / "golden/cdr/cdr_sqlite-and-pg_csv.txt"
    if golden.exists():
        assert "table cdr\n" + got in golden.read_text()


def test_pg_spool_as_recorded(fresh):
    """No server, spool-format csv: a line as FreeSWITCH writes it."""
    conf(fresh, "cdr_pg_csv", [("db-info", f"host=127.0.0.1 port={t.free_port()} dbname=cdr password=sesame"), ("spool-format", "csv")], PG_SCHEMA)
    fresh.start()
    assert fresh.api("load mod_cdr_pg_csv").startswith("+OK")
    uuid = call_over(fresh)
    file = fresh.root / "log/cdr-pg-csv/cdr-spool.csv"
    await_true(file.exists, 15)
    await_true(lambda: uuid in file.read_text())
    line = file.read_text().split("\n")[0]

    def shape(line):
        return re.sub(r"'[^']*'|null", "'x'", line.replace("''", ""))
    m = re.search(r"'([^',]*)','([^',]*)','([^',]*)',(\d+),(\d+),'NORMAL_CLEARING','" + uuid, line)
    assert m and "O''Brien" in line, line
    assert int(m[4]) == seconds(m[1], m[3]) and int(m[5]) == seconds(m[2], m[3]), line
    fresh.stop()
    assert "sesame" not in fresh.log_text and "sesame" not in fresh.console()
    golden = t.SHARED / "golden/cdr/cdr_sqlite-and-pg_csv.txt"
    if golden.exists():
        want = golden.read_text().split("cdr-spool.csv\n")[1].split("\n")[0]
        assert re.sub(r"\d+", "1", shape(line)) == re.sub(r"\d+", "1", shape(want))


@pytest.fixture(scope="module")
def pg_switch(tmp_path_factory):
    pg = Postgres()
    pg.psql(PG_TABLE)
    sw = t.Tandem(tmp_path_factory.mktemp("conf") / "instance", "conf")
    write_extensions(sw, EXTENSIONS, "records")
    conf(sw, "cdr_pg_csv", [("db-info", esc(pg.dsn.split("://")[1]))], PG_SCHEMA)
    p = sw.root / "conf/autoload_configs/modules.conf.xml"
    p.write_text(p.read_text().replace("</modules>", '<load module="mod_cdr_pg_csv"/></modules>'))
    sw.start()
    yield sw, pg
    sw.stop()
    pg.end()


def test_pg_rows(pg_switch):
    sw, pg = pg_switch
    uuid = call_over(sw)
    await_true(lambda: pg.psql(f"SELECT count(*) FROM cdr WHERE uuid='{uuid}'") == "1")
    row = dict(zip(PG_FIELDS, pg.psql(f"SELECT * FROM cdr WHERE uuid='{uuid}'").split("|")))
    assert row["caller_id_name"] == "O'Brien" and row["hangup_cause"] == "NORMAL_CLEARING"
    assert int(row["duration"]) == seconds(row["start_stamp"], row["end_stamp"])
    assert row["local_ip_v4"] == "127.0.0.1" and row["answer_stamp"].startswith("20")


def test_pg_refused_row(pg_switch):
    """A row the table refuses goes into the spool file; those beside it are kept."""
    sw, pg = pg_switch
    pg.psql("ALTER TABLE cdr ADD CONSTRAINT c CHECK (caller_id_number <> '666')")
    pg.stall()
    uuids = [call_over(sw, "9101" if i == 3 else "9100") for i in range(6)]
    pg.go_on()
    await_true(lambda: pg.psql(f"SELECT count(*) FROM cdr WHERE uuid IN ({','.join(repr(u) for u in uuids)})") == "5", 30)
    file = sw.root / "log/cdr-pg-csv/cdr-spool.sql"
    await_true(file.exists)
    await_true(lambda: uuids[3] in file.read_text())
    assert file.read_text().count("INSERT") == 1


@pytest.mark.parametrize("how", ["stalled", "killed"])
def test_pg_away(pg_switch, how):
    """While it is away calls go on as ever and the records wait; when it is back each is there, once."""
    sw, pg = pg_switch
    before = sw.log_text.count("does not take call records")
    getattr(pg, "stall" if how == "stalled" else "kill")()
    began = time.monotonic()
    uuids = [call_over(sw) for _ in range(20)]
    assert time.monotonic() - began < 15
    sw.wait_log("does not take call records", before + 1, 30)
    uuids += [call_over(sw) for _ in range(5)]
    await_true(lambda: status(sw)["cdr_pg_csv"]["waiting"] == 25)
    assert status(sw)["cdr_pg_csv"]["state"] == "away"
    if how == "killed":
        pg.start()
    else:
        pg.go_on()
    await_true(lambda: pg.psql(f"SELECT count(*) FROM cdr WHERE uuid IN ({','.join(repr(u) for u in uuids)})") == "25", 40)
    await_true(lambda: status(sw)["cdr_pg_csv"]["waiting"] == 0)
    assert sw.log_text.count("does not take call records") == before + 1
