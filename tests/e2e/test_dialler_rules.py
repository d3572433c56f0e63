"""mod_dialler and the clock, the disk and the call centre: windows by the number's zone, what an end without warning leaves, queues."""
import sqlite3

import callcenter as cc
import pytest
import tandem as t
from calls import accept, ended, extension, is_pair
from dialler import all_done, campaign, configure, dialler, lab, load, ready, report, results, retry, state, told, until

SHARED = """<zones><zone prefix="86" name="Asia/Shanghai"/><zone prefix="1" name="America/New_York"/><zone prefix="1808" name="Pacific/Honolulu"/></zones>
<trunks><trunk name="lab" dial="loopback/${number}/lab"/><trunk name="phones" dial="user/${number}@127.0.0.1"/></trunks>"""


@pytest.fixture
def make(tmp_path):
    made = []

    def start(campaigns, **how):
        s = t.Tandem(tmp_path / "instance", **how)
        made.append(s)
        configure(s, campaigns, SHARED)
        lab(s, extension("(.*)0", "answer", "sleep 50", "hangup"), extension("(.*)1", "answer", "park"), extension("(.*)2", "ring_ready", "park"))
        (s.root / "conf/dialplan/default/tests.xml").write_text("<include>" + extension("7500", "sleep 50", "hangup") + "</include>")
        return s
    yield start
    for s in made:
        if s.proc and s.proc.poll() is None:
            s.stop()


SURVEY = dict(mode="survey", extension="7500", trunks="lab")


@pytest.mark.clock
def test_windows_are_those_of_the_number(make):
    """Monday 14:30 UTC: late in China, morning in New York, night in Hawaii; a list's own zone wins; at the next opening it is put off to."""
    sw = make([campaign("w", retry("default", 3600, 0), windows="mon-fri 09:00-20:00", **SURVEY)], now="2026-11-23 14:30:00", zone="UTC").start()
    load(sw, "w", "number,zone\n8613900,\n12125550,\n18085550,\n8613910,Europe/Berlin\n39550,\n")
    ready(sw, "w")
    until(lambda: state(sw, "w")["done"] == 3)
    assert {r["number"] for r in report(sw, "results w")["rows"]} == {"12125550", "8613910", "39550"}
    until(lambda: state(sw, "w")["due"] == 0)
    db = sqlite3.connect(sw.root / "db/dialler.db")
    later = dict(db.execute("SELECT number,next_s FROM dialler_numbers WHERE state='new'"))
    db.close()
    # Tuesday 09:00 in Shanghai is 01:00 UTC, Monday 09:00 in Honolulu is 19:00 UTC
    assert later == {"8613900": 1795482000, "18085550": 1795460400}, later
    assert "no number is due (or its window is closed)" in sw.api("dialler explain w")


@pytest.mark.leaks
def test_an_end_without_warning_calls_nobody_twice(make):
    """kill -9 while one talks, one rings and others wait: the first two are not called again before their retry, the rest are called."""
    sw = make([campaign("k", retry("default", 3600, 3), lines=2, **SURVEY)])
    (sw.root / "conf/dialplan/default/tests.xml").write_text("<include>" + extension("7500", "park") + "</include>")
    sw.start()
    load(sw, "k", "number,priority\n86101,9\n86102,8\n86100,1\n86110,1\n")
    ready(sw, "k")
    until(lambda: (lambda c: c["talking"] == 1 and c["ringing"] == 1)(report(sw, "show k")))
    sw.kill()
    (sw.root / "conf/dialplan/default/tests.xml").write_text("<include>" + extension("7500", "sleep 50", "hangup") + "</include>")
    sw.start()
    until(lambda: report(sw, "list")["row_count"] == 1)
    n = until(lambda: (lambda s: s["done"] == 2 and s)(state(sw, "k")))  # it runs on by itself
    assert (n["retry"], n["dialling"], n["due"], n["new"]) == (2, 0, 0, 0)
    rows = report(sw, "results k")["rows"]
    assert sorted((r["number"], r["result"]) for r in rows) == [("86100", "completed"), ("86101", "interrupted"), ("86102", "interrupted"),
                                                                ("86110", "completed")]
    assert report(sw, "show k")["day"]["dialled"] == 4
    dialler(sw, "pause k")
    sw.kill()
    sw.start()
    assert until(lambda: report(sw, "show k")["state"] == "paused")


def test_pause_resume_reload(make):
    sw = make([campaign("p", retry("default", 3600, 0), **SURVEY)]).start()
    load(sw, "p", "number\n86100\n")
    assert sw.api("dialler resume p").startswith("-ERR it is not paused")
    ready(sw, "p")
    all_done(sw, "p")
    dialler(sw, "pause p")
    load(sw, "p", "number\n86110\n")
    assert report(sw, "show p")["state"] == "paused" and "nobody is called: the campaign is paused" in sw.api("dialler explain p")
    import dialler as d
    d.write(sw, [campaign("p", **SURVEY), campaign("new", **SURVEY), campaign("bad", mode="loud", **{"windows": "always"})], SHARED)
    sw.api("reloadxml")
    dialler(sw, "reload")
    assert {r["name"] for r in report(sw, "list")["rows"]} == {"p", "new"}
    sw.wait_log('mode="loud" is none that there is')
    assert state(sw, "p")["new"] == 1
    dialler(sw, "resume p")
    all_done(sw, "p")
    d.write(sw, [campaign("new", **SURVEY)], SHARED)
    sw.api("reloadxml")
    dialler(sw, "reload")
    assert sw.api("dialler show p").startswith("-ERR no such campaign")


@pytest.mark.leaks
def test_a_queue_has_the_agents(make, tmp_path):
    """Progressive by mod_callcenter's agents: as many calls as are free, not more; who is offered to nobody in time is abandoned."""
    from wire import Phone
    sw = make([campaign("q", retry("default", 3600, 0), mode="progressive", queue="desk@t", trunks="phones", abandon_after=5, wait_max=0.5),
               campaign("prev", retry("default", 3600, 0), mode="preview", queue="desk@t", trunks="phones")])
    cc.configure(sw, [cc.queue("desk@t", moh_sound=cc.MUSIC)])
    sw.start()
    events = sw.esl()
    events.subscribe("CUSTOM dialler::info")
    a, c1, c2 = phones = [Phone(sw, n) for n in ("1001", "1003", "1004")]
    for p, hz in zip(phones, (400, 500, 600)):
        p.talk, p.hz = None, hz
        p.register()
    load(sw, "q", "number,priority\n1003,2\n1004,1\n")
    ready(sw, "q")
    c1.expect_nothing("INVITE", 0.7)  # nobody is there
    cc.agent(sw, "ann", "user/1001@127.0.0.1", "desk@t", wrap_up_time=0)
    accept(c1, c1.expect(method="INVITE"))
    accept(a, a.expect(method="INVITE"))
    is_pair(a, c1)
    told(events, "call-connected", Dialler_Number="1003")
    c2.expect_nothing("INVITE", 0.7)
    c1.bye()
    ended(a)
    i2 = c2.expect(method="INVITE")
    cc.config(sw, "agent set status ann 'On Break'")
    accept(c2, i2)
    ended(c2)
    told(events, "call-abandoned", Dialler_Number="1004")
    assert results(sw, "q") == {"answered": 1, "abandoned": 1} or until(lambda: results(sw, "q") == {"answered": 1, "abandoned": 1})
    dialler(sw, "stop q")
    load(sw, "prev", "number\n1003\n")
    ready(sw, "prev")
    assert until(lambda: sw.api("dialler agent prev next ann").startswith("+OK"))
    dialler(sw, "agent prev dial ann")
    accept(a, a.expect(method="INVITE"))
    accept(c1, c1.expect(method="INVITE"))
    told(events, "call-connected", Dialler_Number="1003")
    c1.talk.hears(400)
    c1.bye()
    dialler(sw, "agent prev logout ann")
    ended(a)
    for p in phones:
        p.talk.stop()
    sw.wait_calls(0)
    for p in phones:
        p.close()
    events.close()


def test_in_the_order_of_the_list(make):
    """One line at a time: by priority, then as the list has it, a later list behind an earlier one."""
    sw = make([campaign("o", retry("default", 3600, 0), lines=1, **SURVEY)]).start()
    load(sw, "o", "number,priority\n86990,0\n86110,0\n86550,0\n86770,5\n")
    load(sw, "o", "number\n86010\n")
    ready(sw, "o")
    until(lambda: state(sw, "o")["done"] == 5)
    rows = report(sw, "results o")["rows"]
    assert [r["number"] for r in reversed(rows)] == ["86770", "86990", "86110", "86550", "86010"], rows
