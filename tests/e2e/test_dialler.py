"""mod_dialler with scripted phones: agents and customers, each mode, surveys, do-not-call lists, retries, trunks; nothing is called that
must not be."""
import re

import pytest
import tandem as t
from calls import accept, ended, extension, is_pair, talks
from dialler import agent, all_done, campaign, configure, dialler, events, lab, load, report, results, retry, run, state, told, until  # noqa: F401 (events, run: fixtures)

pytestmark = pytest.mark.leaks
NO_RETRY = retry("default", 3600, 0)
SHARED = """<trunks><trunk name="phones" dial="user/${number}@127.0.0.1"/>
<trunk name="lab" dial="loopback/${number}/lab" max-calls="200"/>
<trunk name="narrow" dial="loopback/${number}/lab" max-calls="2"/></trunks>
<limits><limit prefix="1900" max-calls="0"/></limits>
<caller-ids><caller-id pool="p" number="5550001"/><caller-id pool="p" number="5550002"/><caller-id pool="p" prefix="88" number="5558800"/></caller-ids>"""
ASK = ('<question name="stars" sound="tone_stream://%(300,0,700)" digits="12345" tries="2" timeout="2"/>'
       '<question name="year" sound="tone_stream://%(300,0,900)" min="4" max="4" timeout="2"/>')
OWN = [agent("ann", "user/1001@127.0.0.1"), agent("bob", "user/1002@127.0.0.1")]


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("dialler") / "instance")
    configure(s, [
        campaign("prog", *OWN, NO_RETRY, trunks="phones", wrap_up_time=0, caller_id_pool="p"),
        campaign("prev", *OWN, NO_RETRY, mode="preview", trunks="phones", wrap_up_time=0),
        campaign("pred", agent("ann", "user/1001@127.0.0.1"), retry("abandoned", 3600), mode="predictive", trunks="phones", wrap_up_time=0,
                 abandon_after=0.3, wait_max=0.6, abandon_sound="tone_stream://%(400,0,1200)"),
        campaign("bulk", *(agent(f"a{i}", f"null/a{i}") for i in range(8)), NO_RETRY, mode="predictive", trunks="lab", lines=100,
                 wrap_up_time=0, abandon_after=0.2, wait_max=0.2, abandon_max=3, agent_sound=""),
        campaign("ask", ASK, mode="survey", trunks="phones", lines=5, greeting="tone_stream://%(200,0,500)", thanks="tone_stream://%(200,0,1500)"),
        campaign("menu", NO_RETRY, mode="survey", trunks="lab", extension="7500", context="default"),
        campaign("again", retry("busy", 0, 3), retry("no-answer", 1000, 5), retry("bad-number", 0, 0), mode="survey", trunks="lab",
                 extension="7500", ring_time=3),
        campaign("narrow", NO_RETRY, mode="survey", trunks="narrow", extension="7501"),
        campaign("machine", ASK, NO_RETRY, mode="survey", trunks="phones", answering_machine="hangup"),
        campaign("lists", mode="survey", extension="7500", trunks="lab")],
        SHARED, '<param name="country-code" value="86"/>')
    lab(s, extension("861(.*)", "answer", "park"), extension("862(.*)", "hangup USER_BUSY"), extension("863(.*)", "hangup UNALLOCATED_NUMBER"),
        extension("864(.*)", "ring_ready", "park"), extension("865(.*)", "answer", "sleep 300", "hangup"))
    (s.root / "conf/dialplan/default/tests.xml").write_text("\n".join(["<include>",
        extension("7500", "dialler_answer likes ${dialler_field_colour}", "sleep 50", "hangup"), extension("7501", "sleep 400", "hangup"),
        extension("7502", "dialler_agent prog ann"), "</include>"]))
    s.start()
    yield s
    s.stop()


def login(sw, name, *phones):
    for who, p in phones:
        dialler(sw, f"agent {name} login {who}")
        accept(p, p.expect(method="INVITE"))
        until(lambda: f"{who}|free" in sw.api(f"dialler agents {name}"))


def test_a_list_is_read_and_what_is_wrong_is_told_by_line(sw):
    text = 'Number,name,Zone,priority,colour\n+86 13-900,"Wang, ""W"" Li",Asia/Shanghai,5,red\n0139-00,,,,\n86 13 900x,,,,\n12,,,,\n' \
           '8613901,a,Mars/Base,,\n8613902,b,,high,\n8613903,,,,,,\n"8613904,never closed\n'
    reply = load(sw, "lists", text)
    assert reply[0] == "+OK 1 imported, 1 duplicates, 6 bad lines", reply
    assert reply[1:] == ["line 3: the number is in line 2 too", "line 4: not a number", "line 5: the number is too short",
                         "line 7: priority is no number from -1000000 to 1000000", "line 8: more values than columns",
                         "line 9: a quote is not closed", "line 6: there is no such time zone"] or sorted(reply[1:]) == sorted([
                             "line 3: the number is in line 2 too", "line 4: not a number", "line 5: the number is too short",
                             "line 7: priority is no number from -1000000 to 1000000", "line 8: more values than columns",
                             "line 9: a control character in a value", "line 6: there is no such time zone"])
    assert load(sw, "lists", text)[0] == "+OK 0 imported, 2 duplicates, 6 bad lines"
    assert load(sw, "lists", "name,phone\nx,861\n") == ["-ERR 0 imported, 0 duplicates, 1 bad lines: the first line is bad",
                                                        'line 1: there is no column "number"']
    assert state(sw, "lists")["new"] == 1
    assert sw.api("dialler import lists /nowhere.csv").startswith("-ERR 0 imported")
    assert sw.api("dialler import nosuch x").startswith("-ERR no such campaign")


def test_progressive(sw, phone, events, run):
    """Two agents, two calls; the list's words are variables of the leg, and no more; a customer hears his agent."""
    ann, bob, c1, c2, c3 = (phone(str(1001 + i), 400 + 100 * i) for i in range(5))
    login(sw, "prog", ("ann", ann), ("bob", bob))
    load(sw, "prog", 'number,name,colour,priority\n1003,"${system(touch x)},sofia/a",red|[x=y],9\n1004,two,,8\n1005,three,,7\n')
    run("prog")
    i1, i2 = c1.expect(method="INVITE"), c2.expect(method="INVITE")
    assert {re.search(r"5550001|5550002", i.get("From")).group(0) for i in (i1, i2)} == {"5550001", "5550002"}
    c3.expect_nothing("INVITE", 0.7)
    c1.reply(i1, 180, "Ringing")
    accept(c1, i1)
    e = told(events, "call-connected")
    uuid, who = e["Unique-ID"], e["Dialler-Agent"]
    mine, other = (ann, bob) if who == "ann" else (bob, ann)
    is_pair(c1, mine)
    assert sw.api(f"uuid_getvar {uuid} dialler_name") == "${system(touch x)},sofia/a"
    assert sw.api(f"uuid_getvar {uuid} dialler_field_colour") == "red|[x=y]"
    assert not (sw.root / "x").exists()
    c2.reply(i2, 486, "Busy")
    c2.expect(method="ACK")
    i3 = c3.expect(method="INVITE")  # for the agent who is free again
    accept(c3, i3)
    is_pair(c3, other)
    c1.bye()
    other.bye()
    ended(c3)
    until(lambda: f"{who}|free|1" in sw.api("dialler agents prog"))
    all_done(sw, "prog")
    assert results(sw, "prog") == {"answered": 2, "busy": 1}
    rows = report(sw, "results prog")["rows"]
    assert {(r["number"], r["result"], r["cause"]) for r in rows} == {("1003", "answered", "NORMAL_CLEARING"), ("1004", "busy", "USER_BUSY"),
                                                                      ("1005", "answered", "NORMAL_CLEARING")}
    said = sw.api("dialler explain prog")
    assert said.startswith("campaign prog: progressive, running\ndial 1 (lines 1, ") and "one call for each free agent" in said
    assert "no number is due" in said


def test_an_agent_may_call_in(sw, phone, events, run):
    ann, c = phone("1001", 400), phone("1006", 600)
    ann.invite("7502")
    ann.answered()
    talks(ann)
    until(lambda: "ann|free" in sw.api("dialler agents prog"))
    load(sw, "prog", "number\n1006\n")
    run("prog")
    accept(c, c.expect(method="INVITE"))
    is_pair(ann, c)
    ann.bye()  # the agent leaves in the middle
    ended(c)
    until(lambda: "ann|out" in sw.api("dialler agents prog"))


def test_preview(sw, phone, events, run):
    """Nothing is called before the agent says so; what he skips comes later; he is called first when he is not on line."""
    ann, c = phone("1001", 400), phone("1003", 600)
    load(sw, "prev", "number,name,note,priority\n1004,skipped,,9\n1003,Li,<b>,1\n")
    assert sw.api("dialler agent prev next ann").startswith("-ERR")
    run("prev")
    c.expect_nothing("INVITE", 0.6)
    shown = until(lambda: report(sw, "agent prev next ann"))
    assert shown["number"]["number"] == "1004"
    assert report(sw, "agent prev next ann")["number"]["number"] == "1004"
    assert sw.api("dialler agent prev next bob") != sw.api("dialler agent prev next ann")
    dialler(sw, "agent prev skip ann")
    dialler(sw, "agent prev skip bob")
    assert sw.api("dialler agent prev next ann").startswith("-ERR no number is due")
    assert load(sw, "prev", "number,name,note\n1005,Wu,<i>\n")[0].startswith("+OK 1")
    c5 = phone("1005", 700)
    assert until(lambda: report(sw, "agent prev next ann"))["number"] == {
        "number": "1005", "name": "Wu", "zone": "", "attempt": 1, "last_result": "", "fields": {"note": "<i>"}}
    dialler(sw, "agent prev dial ann")
    accept(ann, ann.expect(method="INVITE"))
    accept(c5, c5.expect(method="INVITE"))
    is_pair(ann, c5)
    assert told(events, "call-connected")["Dialler-Agent"] == "ann"
    c5.bye()
    until(lambda: "ann|free|1" in sw.api("dialler agents prev"))
    assert sw.api("dialler agent prev dial nobody").startswith("-ERR no such agent")


def test_who_has_no_agent_in_time_is_abandoned(sw, phone, events, run):
    """Two customers answer, one agent: the other hears why and is hung up on; it counts once, and for ever."""
    ann, c1, c2 = phone("1001", 400), phone("1003", 500), phone("1004", 600)
    login(sw, "pred", ("ann", ann))
    load(sw, "pred", "number\n1003\n")
    run("pred")
    accept(c1, c1.expect(method="INVITE"))
    is_pair(ann, c1)
    c1.bye()
    until(lambda: "ann|free" in sw.api("dialler agents pred"))
    load(sw, "pred", "number\n1004\n")
    i2 = c2.expect(method="INVITE")
    dialler(sw, "agent pred pause ann")
    accept(c2, i2)
    c2.talk.hears(1200, timeout=5)
    ended(c2)
    told(events, "call-abandoned", Dialler_Number="1004")
    assert told(events, "call-end", Dialler_Number="1004")["Dialler-Result"] == "abandoned"
    day = report(sw, "show pred")["day"]
    assert (day["dialled"], day["answered"], day["abandoned"]) == (2, 2, 1)
    assert "no agent is free" in sw.api("dialler explain pred")
    dialler(sw, "agent pred ready ann")
    assert "too few answers yet to dial ahead" in sw.api("dialler explain pred")


def test_predictive_in_bulk(sw, run):
    """Hundreds of answers by eight agents: the share is kept by the program's own count, and the count is true."""
    for i in range(8):
        dialler(sw, f"agent bulk login a{i}")
    load(sw, "bulk", "number\n" + "".join(f"8650{i:04}\n" if i % 3 else f"8620{i:04}\n" for i in range(400)))
    run("bulk")
    all_done(sw, "bulk", 60)
    r, day = results(sw, "bulk"), report(sw, "show bulk")["day"]
    assert r["busy"] == 134 and r["answered"] + r.get("abandoned", 0) + r.get("hangup", 0) == 266, r
    assert day["abandoned"] <= 0.03 * day["answered"] + 1, day
    rows = [x for p in range(0, 400, 100) for x in report(sw, f"results bulk 100 {p}")["rows"]]
    assert len({x["number"] for x in rows}) == len(rows) == 400  # nobody twice
    sw.wait_calls(8)
    for i in range(8):
        dialler(sw, f"agent bulk logout a{i}")
    sw.wait_calls(0)


def test_a_survey_asks_and_keeps_the_answers(sw, phone, events, run):
    c = phone("1003", 0)
    load(sw, "ask", "number\n1003\n")
    run("ask")
    accept(c, c.expect(method="INVITE"))
    c.talk.hears(500)
    c.talk.hears(700)
    c.talk.press("9")  # none of the answers: it is asked again
    c.talk.hears(700)
    c.talk.press("4")
    assert told(events, "answer")["Dialler-Answer"] == "4"
    c.talk.hears(900)
    c.talk.press("1987")
    assert told(events, "answer")["Dialler-Question"] == "year"
    c.talk.hears(1500)
    ended(c)
    assert told(events, "call-end")["Dialler-Result"] == "completed"
    assert report(sw, "answers ask")["rows"] == [{"question": "stars", "answer": "4", "count": 1}, {"question": "year", "answer": "1987", "count": 1}]
    assert state(sw, "ask")["done"] == 1


def test_who_hangs_up_in_a_survey_has_answered_in_part(sw, phone, events, run):
    c = phone("1004", 0)
    load(sw, "ask", "number\n1004\n")
    run("ask")
    accept(c, c.expect(method="INVITE"))
    c.talk.hears(700)
    c.talk.press("5")
    told(events, "answer")
    c.bye()
    assert told(events, "call-end")["Dialler-Result"] == "partial"


def test_a_survey_by_the_dialplan(sw, run):
    load(sw, "menu", "number,colour\n8611001,blue ${x} '\n8611002,blue ${x} '\n")
    run("menu")
    all_done(sw, "menu")
    assert report(sw, "answers menu")["rows"] == [{"question": "likes", "answer": "blue ${x} '", "count": 2}]
    assert results(sw, "menu") == {"completed": 2}


def test_a_machine_is_hung_up_on(sw, phone, events, run):
    c = phone("1003", 300)
    load(sw, "machine", "number\n1003\n")
    run("machine")
    accept(c, c.expect(method="INVITE"))  # a tone without a pause is nobody's hello
    ended(c, timeout=10)
    assert told(events, "call-end")["Dialler-Result"] == "machine"


def test_rules_of_retry(sw, events, run):
    """busy: at once, three in all; unknown: never; no answer: later."""
    load(sw, "again", "number,priority\n8621,1\n8631,2\n8641,3\n")
    run("again")
    n = until(lambda: (lambda s: s["done"] == 2 and s["retry"] == 1 and s)(state(sw, "again")), 30)
    assert n["due"] == 0
    got = {}
    for r in report(sw, "results again")["rows"]:
        got.setdefault(r["number"], []).append((r["attempt"], r["result"]))
    assert got == {"8621": [(3, "busy"), (2, "busy"), (1, "busy")], "8631": [(1, "bad-number")], "8641": [(1, "no-answer")]}
    assert dialler(sw, "recycle again bad-number") == "+OK 1 numbers\n"
    until(lambda: results(sw, "again").get("bad-number") == 2)


def test_a_narrow_trunk(sw, run):
    """Two calls at once at most; a prefix that nobody may call is not called."""
    load(sw, "narrow", "number\n" + "".join(f"86113{i:03}\n" for i in range(8)) + "1900123\n")
    most = 0
    run("narrow")

    def look():
        nonlocal most
        now = report(sw, "show narrow")
        most = max(most, now["talking"] + now["ringing"])
        return state(sw, "narrow")["done"] == 8
    until(look)
    assert 0 < most <= 2
    assert state(sw, "narrow")["new"] == 1 and "no room" in sw.api("dialler explain narrow")


def test_do_not_call(sw, events, run):
    """One number for all campaigns, one for this; what is put there while the list runs counts too."""
    dialler(sw, "dnc add 8611101 all asked us to")
    dialler(sw, "dnc add 8611102 menu")
    dialler(sw, "dnc add 8611103 lists")
    path = sw.root / "dnc.csv"
    path.write_text("number\n8611104\n8611104\n12\n")
    assert sw.api(f"dialler dnc import {path} menu").splitlines() == [
        "+OK 1 imported, 1 duplicates, 1 bad lines", "line 3: the number is in line 2 too", "line 4: the number is too short"]
    before = results(sw, "menu").get("completed", 0)
    load(sw, "menu", "number\n8611101\n8611102\n8611103\n8611104\n")
    run("menu")
    all_done(sw, "menu")
    assert results(sw, "menu")["completed"] == before + 1
    assert {r["number"] for r in report(sw, "results menu")["rows"]} & {"8611101", "8611102", "8611104"} == set()
    assert report(sw, "dnc list 8611101")["rows"][0]["reason"] == "asked us to"
    dialler(sw, "dnc del 8611101")
    assert sw.api("dialler dnc del 8611101").startswith("-ERR no such number")


def test_http(sw, phone):
    """The console's routes: what commands say, by roles."""
    from http_client import Door
    door = Door(sw)
    rows = door.get("/v1/campaigns")["rows"]
    assert {"prog", "prev", "ask"} <= {r["name"] for r in rows} and rows[0]["numbers"]["new"] >= 0
    assert door.post("/v1/campaigns/lists/list", {"csv": "number,name\n1234,\"x\ny\"\n5678,\u738b\n5678,\n", "list": "spring.csv"}) == {
        "imported": 1, "duplicates": 1, "bad": 1,
        "errors": [{"line": 2, "why": "a control character in a value"}, {"line": 5, "why": "the number is in line 4 too"}]}
    for action, state_of in (("start", "running"), ("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        assert door.post("/v1/campaigns/prev", {"action": action})["status"] == "ok"
        one = door.get("/v1/campaigns/prev")
        assert one["state"] == state_of and one["agent_rows"][0]["name"] == "ann" and one["explain"].startswith("campaign prev")
    assert door.post("/v1/campaigns/prev", {"action": "recycle", "results": ["answered"]})["reply"].endswith("numbers")
    assert [r["name"] for r in door.get("/v1/campaigns/prev/agents")["rows"]] == ["ann", "bob"]
    assert door.get("/v1/campaigns/again/results?limit=2")["row_count"] == 2
    assert door.get("/v1/campaigns/ask/answers")["row_count"] >= 0
    assert door.post("/v1/dnc", {"number": "777777", "reason": "asked <b>us</b>"})["status"] == "ok"
    assert door.get("/v1/dnc?number=777777")["rows"][0]["reason"] == "asked <b>us</b>"
    assert door.call("DELETE", "/v1/dnc/777777?campaign=a%20b")[0] == 404  # not taken for "all"
    assert door.call("DELETE", "/v1/dnc/777777?campaign=nosuch")[0] == 404
    assert door.call("DELETE", "/v1/dnc/777777")[0] == 204
    assert door.call("DELETE", "/v1/dnc/777777")[0] == 404
    for method, path, body, status in [
            ("GET", "/v1/campaigns/nosuch", None, 404), ("POST", "/v1/campaigns/prev", {"action": "import /etc/passwd"}, 400),
            ("POST", "/v1/campaigns/prev", {"action": "resume"}, 422), ("POST", "/v1/campaigns/prev/list", {"csv": 1}, 400),
            ("POST", "/v1/campaigns/prev/list", {"csv": "x"}, 422), ("POST", "/v1/campaigns/prev/list", {"csv": "number\n1", "list": "a b"}, 400),
            ("POST", "/v1/campaigns/prev%20x/list", {"csv": "number\n1"}, 404), ("POST", "/v1/dnc", {"number": "1 2"}, 400),
            ("POST", "/v1/dnc", {"number": "777777", "campaign": "nosuch"}, 404),
            ("POST", "/v1/campaigns/prev/agents", {"agent": "ann\nx", "action": "login"}, 400),
            ("POST", "/v1/campaigns/prev/agents", {"agent": "nobody", "action": "login"}, 404)]:
        assert door.call(method, path, body)[0] == status, (method, path, body)
    reader, helper = (Door(sw, sw.api(f"http token add {r}1 {r}").split()[1]) for r in ("read", "agent"))
    assert reader.call("GET", "/v1/campaigns")[0] == 403
    assert helper.call("POST", "/v1/campaigns/prev", {"action": "start"})[0] == 403
    assert helper.call("GET", "/v1/campaigns/prev/agents")[0] == 200
    assert helper.call("POST", "/v1/campaigns/prev/agents", {"agent": "ann", "action": "login"})[0] == 403
    assert Door(sw, "").call("GET", "/v1/campaigns")[0] == 401
