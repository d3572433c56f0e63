"""mod_dialler and what may go wrong: text from outside in every field, a database that stalls, a switch that is killed again and again,
a campaign that goes while it talks; PostgreSQL as its store."""
import re
import sqlite3

import pytest
import tandem as t
from calls import extension
from database_servers import Postgres
from dialler import campaign, configure, dialler, lab, load, ready, report, results, retry, state, until, write
from security.hostile import Hostile, Sink

NO_RETRY = retry("default", 3600, 0)


@pytest.fixture
def make(tmp_path):
    made = []

    def start(campaigns, shared, settings="", modules=("mod_amd", "mod_dialler")):
        s = t.Tandem(tmp_path / "instance")
        made.append(s)
        configure(s, campaigns, shared, settings, modules)
        return s
    yield start
    for s in made:
        if s.proc and s.proc.poll() is None:
            s.stop()


def test_words_of_a_list_are_data(tmp_path):
    """The dialplan that uses what callers write in every way there is, and the caller's words come out of a CSV file: nothing runs."""
    h = Hostile(tmp_path)
    try:
        text = (h.sw.root / "conf/dialplan/public/hostile.xml").read_text()
        cases = re.findall(r'<extension name="([a-z_]+)">', text)
        text = text.replace("sip_h_X-A", "dialler_field_a").replace("sip_h_X-B", "dialler_field_b").replace("caller_id_name", "dialler_name")
        text = text.replace("sip_h_X-Case", "dialler_field_case")
        (h.sw.root / "conf/dialplan/public/hostile.xml").write_text(text)
        h.sw.api("reloadxml")
        write(h.sw, [campaign("evil", NO_RETRY, mode="survey", trunks="lab", lines=20, extension="1000", context="public")],
              '<trunks><trunk name="lab" dial="loopback/${number}/answers"/></trunks>')
        (h.sw.root / "conf/dialplan/answers.xml").write_text('<include><context name="answers">' + extension(".*", "answer", "sleep 800", "hangup") +
                                                             "</context></include>")
        h.sw.api("reloadxml")
        assert h.sw.api("load mod_dialler").startswith("+OK")
        words = [w for w in h.payloads() if all(ord(c) >= 32 and ord(c) != 127 and c != "\xff" for c in w)]
        rows = ["number,name,case,a,b"]
        for i, case in enumerate(cases):
            for k in range(4):
                w, v = words[(i * 29 + k * 37) % len(words)], words[(i * 31 + k * 41 + 7) % len(words)]
                rows.append(",".join('"' + x.replace('"', '""') + '"' for x in (f"77{i:03}{k}", w, case, w, v)))
        until(lambda: "evil" in h.sw.api("dialler list"))
        until(lambda: load(h.sw, "evil", "\n".join(rows) + "\n")[0] == f"+OK {len(rows) - 1} imported, 0 duplicates, 0 bad lines")
        h.check()  # what the test itself asked for
        h.COMMANDS = h.COMMANDS | {"dialler"}
        ready(h.sw, "evil")

        def are_done():
            h.sw.api("hupall")  # some park or play for ever
            return state(h.sw, "evil")["done"] == len(rows) - 1
        until(are_done, 60, every=1)
        found = [f for f in h.check() if not f.startswith("context answers: ")]  # the customers of this test
        assert not found, found
        assert {"set", "bridge", "eval", "playback", "transfer", "lua", "system"} <= h.ran, h.ran
    finally:
        h.stop()


def test_numbers_are_digits_before_they_are_dialled(make):
    """Whatever a number's cell says: it is digits, or its line is told."""
    sw = make([campaign("n", mode="survey", trunks="lab", extension="1")], '<trunks><trunk name="lab" dial="loopback/${number}/lab"/></trunks>')
    sw.start()
    bad = ["1000,sofia/external/x@127.0.0.1", "1000|user/1001", "${global_setvar(x=1)}", "1000@127.0.0.1", "1000\x1a\xa41", "user/1000", "1000&", "1000;a=b", "１２３４",
           "1000:_:1001", "{a=b}1000", "[a]1000", "<a>1000", "1e5", "-", "+", "0x12345", "123\u00a0456", "1000'"]
    reply = load(sw, "n", "number\n" + "".join('"' + b + '"\n' for b in bad))
    assert reply[0] == f"+OK 0 imported, 0 duplicates, {len(bad)} bad lines", reply
    for b in bad:
        if b.isprintable() and " " not in b and "'" not in b:
            assert sw.api(f"dialler add n {b}").startswith("-ERR"), b
    assert dialler(sw, "add n +86(10)1234-5 Li Si") == "+OK 86101234" + "5\n"
    assert sw.api("dialler add n 8610.12345").startswith("-ERR the campaign has this number already")
    assert state(sw, "n") == {"new": 1, "retry": 0, "dialling": 0, "done": 0, "due": 1}


def counted(sink):
    """number -> INVITEs that came; repeats of one are one."""
    got = {}
    for m in sink.taken():
        got.setdefault(re.search(r"sip:(\d+)@", m.first).group(1), set()).add(m.get("Call-ID"))
    return got


def test_killed_again_and_again(make):
    """kill -9 four times while a list runs: who was called is not called again, and nobody is left out."""
    sink = Sink()
    try:
        sw = make([campaign("k", retry("default", 3600, 3), mode="survey", lines=5, extension="1", trunks="far")],
                  f'<trunks><trunk name="far" dial="sofia/external/${{number}}@127.0.0.1:{sink.port}" calls-per-second="40"/></trunks>')
        sw.start()
        numbers = {f"7700{i:03}" for i in range(120)}
        load(sw, "k", "number\n" + "\n".join(sorted(numbers)) + "\n")
        ready(sw, "k")
        for want in (15, 40, 65, 90):
            until(lambda: len({m.get("Call-ID") for m in sink.messages}) >= want, 60)
            sw.kill()
            sw.start()
        until(lambda: sw.api("dialler list").startswith("k|") and state(sw, "k")["new"] == 0 and state(sw, "k")["dialling"] == 0, 60)
        rows = report(sw, "results k 500")["rows"]
        assert sorted(r["number"] for r in rows) == sorted(numbers)  # one call each
        assert {r["result"] for r in rows} <= {"busy", "interrupted"}
        called = counted(sink)
        assert all(len(ids) == 1 for ids in called.values()), {n: ids for n, ids in called.items() if len(ids) > 1}
        # who has no INVITE was claimed by a switch that died before it could send it
        assert numbers - set(called) <= {r["number"] for r in rows if r["result"] == "interrupted"}
        assert state(sw, "k")["retry"] == len(numbers)
    finally:
        sink.close()


def test_a_database_that_stalls(make):
    """While it is locked nobody new is called, what ends is written when it answers again, and nobody is called twice."""
    sink = Sink()
    try:
        sw = make([campaign("s", retry("default", 3600, 3), mode="survey", lines=3, extension="1", trunks="far")],
                  f'<trunks><trunk name="far" dial="sofia/external/${{number}}@127.0.0.1:{sink.port}" calls-per-second="20"/></trunks>')
        sw.start()
        numbers = {f"7700{i:03}" for i in range(40)}
        load(sw, "s", "number\n" + "\n".join(sorted(numbers)) + "\n")
        ready(sw, "s")
        until(lambda: len(sink.messages) >= 8)
        db = sqlite3.connect(sw.root / "db/dialler.db", isolation_level=None, timeout=20)
        db.execute("BEGIN EXCLUSIVE")
        assert sw.api("status")  # the switch does not wait for it
        before = len({m.get("Call-ID") for m in sink.messages})
        until(lambda: "the database:" in sw.log_text or "dialler: the database" in sw.log_text, 40)
        assert len({m.get("Call-ID") for m in sink.messages}) <= before + 6  # those whose claim was in before
        db.execute("ROLLBACK")
        db.close()
        until(lambda: (lambda n: not n["new"] and not n["dialling"])(state(sw, "s")), 60)
        called = counted(sink)
        assert all(len(ids) == 1 for ids in called.values()), called
        rows = report(sw, "results s 500")["rows"]
        assert sorted(r["number"] for r in rows) == sorted(numbers) and {r["result"] for r in rows} <= {"busy", "interrupted"}
        assert numbers - set(called) <= {r["number"] for r in rows if r["result"] == "interrupted"}
    finally:
        sink.close()


def test_a_campaign_goes_while_it_talks(make):
    """Out of the configuration, back again: its call talks on and keeps its own result; the module stays while it lasts."""
    trunks = '<trunks><trunk name="lab" dial="loopback/${number}/lab"/></trunks>'
    one = campaign("g", retry("default", 0, 3), mode="survey", trunks="lab", extension="7500")
    sw = make([one], trunks)
    lab(sw, extension(".*", "answer", "park"))
    (sw.root / "conf/dialplan/default/tests.xml").write_text("<include>" + extension("7500", "park") + "</include>")
    sw.start()
    load(sw, "g", "number\n86100\n")
    ready(sw, "g")
    until(lambda: report(sw, "show g")["talking"] == 1)
    write(sw, [], trunks)
    sw.api("reloadxml")
    dialler(sw, "reload")
    assert report(sw, "list")["row_count"] == 0
    assert sw.api("unload mod_dialler").startswith("-ERR")
    write(sw, [one], trunks)
    sw.api("reloadxml")
    dialler(sw, "reload")
    assert dialler(sw, "start g") == "+OK as soon as its figures are back from the database\n"
    assert state(sw, "g")["dialling"] == 1
    sw.api("hupall")
    until(lambda: report(sw, "show g")["state"] == "running")
    until(lambda: results(sw, "g") == {"completed": 1})
    assert state(sw, "g")["done"] == 1
    dialler(sw, "stop g")
    until(lambda: sw.api("unload mod_dialler").startswith("+OK"))


def test_numbers_without_room_keep_nobody_behind_them(make):
    """Hundreds at the list's head that may not be called, or one at a time only: the rest is called meanwhile."""
    sw = make([campaign("h", NO_RETRY, mode="survey", trunks="lab", lines=20, extension="7500")],
              '<trunks><trunk name="lab" dial="loopback/${number}/lab"/></trunks><limits><limit prefix="19" max-calls="0"/>'
              '<limit prefix="18" max-calls="1"/></limits>')
    lab(sw, extension("18.*", "answer", "park"), extension(".*", "answer", "sleep 50", "hangup"))
    (sw.root / "conf/dialplan/default/tests.xml").write_text("<include>" + extension("7500", "park") + "</include>")
    sw.start()
    load(sw, "h", "number,priority\n" + "".join(f"19{i:05},9\n18{i:05},8\n" for i in range(300)) + "".join(f"20{i:05},1\n" for i in range(20)))
    ready(sw, "h")
    until(lambda: state(sw, "h")["done"] == 20)
    assert report(sw, "show h")["talking"] == 1
    assert "no room for 300 numbers: nobody may call their prefix" in sw.api("dialler explain h")
    dialler(sw, "stop h")
    sw.api("hupall")


@pytest.fixture(scope="module")
def postgres():
    p = Postgres()
    yield p
    p.end()


def test_postgres(make, postgres):
    """The same with PostgreSQL: a list, claims, answers, do-not-call, recycle, figures after a restart."""
    sw = make([campaign("p", retry("default", 3600, 2), mode="survey", trunks="lab", extension="7500", lines=4)],
              '<trunks><trunk name="lab" dial="loopback/${number}/lab"/></trunks>', f'<param name="dsn" value="{postgres.dsn}"/>')
    lab(sw, extension("862.*", "hangup USER_BUSY"), extension(".*", "answer", "park"))
    (sw.root / "conf/dialplan/default/tests.xml").write_text("<include>" + extension("7500", "dialler_answer likes ${dialler_field_colour}", "hangup") + "</include>")
    sw.start()
    until(lambda: load(sw, "p", "number,name,colour\n86100,Li,it's $1 \\ ;--\n86200,,x\n86101,,y\n86100,,z\n")[0] == "+OK 3 imported, 1 duplicates, 0 bad lines")
    assert load(sw, "p", "number\n86101\n")[1] == "line 2: the campaign has this number already"
    dialler(sw, "dnc add 86101 p no more")
    ready(sw, "p")
    until(lambda: (lambda n: (n["done"], n["retry"]) == (2, 1))(state(sw, "p")))
    rows = report(sw, "results p")["rows"]
    assert sorted((r["number"], r["result"]) for r in rows) == [("86100", "completed"), ("86200", "busy")]
    assert next(r for r in rows if r["number"] == "86100")["answers"] == {"likes": "it's $1 \\ ;--"}
    assert report(sw, "answers p")["rows"] == [{"question": "likes", "answer": "it's $1 \\ ;--", "count": 1}]
    sw.kill()
    sw.start()
    until(lambda: sw.api("dialler list").startswith("p|"))
    until(lambda: report(sw, "show p")["day"]["dialled"] == 2)
    assert until(lambda: report(sw, "show p")["state"] == "running")
    assert dialler(sw, "recycle p completed") == "+OK 1 numbers\n"
    assert dialler(sw, "add p 86103 Wu").startswith("+OK 86103")
    until(lambda: results(sw, "p").get("completed") == 2)
