"""The call centre beyond mod_callcenter: skills, the agent of last time, overflow, opening hours, call-backs, wrap-up codes and pause reasons,
supervisors, figures and history, web hooks, screen pops."""
import csv
import datetime
import io
import json

import pytest
import tandem as t
from callcenter import MUSIC, agent, agents, becomes_quiet, caller, config, configure, members, queue, told
from calls import accept, call_and_talk, cancelled, ended, extension, is_pair, write_extensions
from http_client import Door

pytestmark = pytest.mark.leaks
AROUND = "; ".join((datetime.date.today() + datetime.timedelta(days=d)).isoformat() for d in range(-2, 4))  # whenever this runs
BACK = dict(moh_sound=MUSIC, callback_key="1", callback_contact="user/${cc_callback_number}@127.0.0.1", discard_abandoned_after=0)
QUEUES = {"desk": dict(moh_sound=MUSIC, discard_abandoned_after=0),
          "skilled": dict(discard_abandoned_after=0, skills_relax_every=1),
          "strict": dict(discard_abandoned_after=0, skills="english:2"),
          "sticky": dict(discard_abandoned_after=0, sticky_agent="true", sticky_wait=1),
          "over": dict(discard_abandoned_after=0, overflow_after=1, overflow_to="queue:desk@t"),
          "out": dict(discard_abandoned_after=0, overflow_after=1, overflow_to="7200 XML default"),
          "full": dict(discard_abandoned_after=0, overflow_waiting=1, overflow_to="7200"),
          "shut": dict(discard_abandoned_after=0, holidays=AROUND, closed_to="queue:desk@t"),
          "dark": dict(discard_abandoned_after=0, holidays=AROUND, time_zone="Asia/Shanghai"),
          "back": dict(BACK, callback_tries=2, callback_retry_after=1, callback_ring_time=1),
          "backs": dict(BACK, holidays=AROUND),
          "codes": dict(discard_abandoned_after=0, wrap_up_codes="sold,lost", wrap_up_code_time=600,
                        screen_pop="https://crm.example/f?tel={number}&amp;n={name}&amp;c={var:case_id}&amp;q={queue}&amp;a={agent}")}
NUMBER = {name: f"7{i:03}" for i, name in enumerate(QUEUES)}
SETTINGS = '<param name="history" value="true"/><param name="pause-reasons" value="lunch,team talk"/>'


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("beyond") / "instance")
    configure(s, [queue(f"{name}@t", **params) for name, params in QUEUES.items()], settings=SETTINGS)
    write_extensions(s, [extension(NUMBER[name], "answer", "set hangup_after_bridge=false", f"callcenter {name}@t", "set went=past", "park")
                         for name in QUEUES] + [extension("7200", "answer", "set went=over", "park")])
    s.start()
    yield s
    s.stop()


@pytest.fixture(autouse=True)
def empty(sw):
    yield
    for q in ("back@t", "backs@t"):
        for line in sw.api(f"callcenter_config queue callbacks {q}").splitlines()[1:-1]:
            sw.api(f"callcenter_config queue callback_del {line.split('|')[1]}")
    sw.api("hupall")
    sw.wait_calls(0)
    becomes_quiet(sw, *(f"{name}@t" for name in QUEUES))
    for name in agents(sw):
        config(sw, f"agent del {name}")


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("CHANNEL_PARK CUSTOM callcenter::info")
    yield e
    e.close()


def user(number):
    return f"user/{number}@127.0.0.1"


def ring(p):
    invite = p.expect(method="INVITE")
    p.reply(invite, 180, "Ringing")
    return invite


def report(sw, words):
    return json.loads(sw.api(f"callcenter_report {words}"))


def offered_to(events, uuid):
    return told(events, "agent-offering", CC_Member_Session_UUID=uuid)["CC-Agent"]


# ---- who takes whom
def test_skills(sw, events):
    agent(sw, "ann", "null/x", "skilled@t", position=1)
    agent(sw, "bob", "null/x", "skilled@t", position=2)
    config(sw, "agent skill ann english 1")
    config(sw, "agent skill bob english 3")
    config(sw, "agent skill bob billing 1")
    assert sw.api("callcenter_config agent skills bob") == "skills\nenglish:3,billing:1\n+OK\n"
    assert offered_to(events, caller(sw, "skilled@t", vars="cc_skills=billing")) == "bob"
    assert offered_to(events, caller(sw, "skilled@t", vars="cc_skills=english")) == "ann"
    for words in ("agent skill bob english 101", "agent skill bob", "agent skill nobody english 1", "agent skill bob a:b 1", "agent skill bob english x"):
        assert sw.api(f"callcenter_config {words}").startswith("-ERR"), words


def test_a_need_is_relaxed_and_holds_up_nobody(sw, events):
    agent(sw, "ann", "null/x", "skilled@t")
    config(sw, "agent skill ann english 1")
    demanding = caller(sw, "skilled@t", vars="cc_skills=english:2")
    easy = caller(sw, "skilled@t")
    assert offered_to(events, easy) == "ann"  # who came later, while nobody is there for the first
    told(events, "agent-state-change", CC_Agent_State="In a queue call")
    sw.api(f"uuid_kill {easy}")
    assert offered_to(events, demanding) == "ann"  # a level less will do now


def test_the_queue_says_what_is_needed(sw, events):
    agent(sw, "ann", "null/x", "strict@t")
    waits = caller(sw, "strict@t")
    assert [m["state"] for m in members(sw, "strict@t")] == ["Waiting"]
    config(sw, "agent skill ann english 2")  # he learned it
    assert offered_to(events, waits) == "ann"


def test_the_agent_of_last_time(sw, events):
    for name in ("ann", "bob"):
        agent(sw, name, "null/x", "sticky@t")
    number = "5551234"
    first = caller(sw, "sticky@t", number)
    mine = offered_to(events, first)
    told(events, "agent-state-change", CC_Agent_State="In a queue call")
    sw.api(f"uuid_kill {first}")
    told(events, "agent-state-change", CC_Agent=mine, CC_Agent_State="Waiting")
    again = caller(sw, "sticky@t", number)
    assert offered_to(events, again) == mine  # though the other is idle longer
    told(events, "agent-state-change", CC_Agent_State="In a queue call")
    third = caller(sw, "sticky@t", number)  # he talks: a second, then any
    joined = told(events, "member-queue-start", CC_Member_Session_UUID=third)
    offer = told(events, "agent-offering", CC_Member_Session_UUID=third)
    assert offer["CC-Agent"] != mine
    assert int(offer["Event-Date-Timestamp"]) - int(joined["Event-Date-Timestamp"]) >= 990000
    for uuid in (again, third):
        sw.api(f"uuid_kill {uuid}")
    named = caller(sw, "sticky@t", vars="cc_sticky_agent=bob")
    assert offered_to(events, named) == "bob"


# ---- where he goes
def test_overflow_to_a_queue(sw, events):
    agent(sw, "ann", "null/x", "desk@t")
    uuid = caller(sw, "over@t", vars="cc_base_score=5")
    assert told(events, "member-queue-end", CC_Queue="over@t")["CC-Cancel-Reason"] == "OVERFLOW"
    assert told(events, "agent-offering", CC_Queue="desk@t")["CC-Member-Session-UUID"] == uuid
    row = members(sw, "desk@t")[0]
    assert int(row["base_score"]) >= 6  # what he has waited counts
    assert report(sw, "live over@t")[0]["overflow"] >= 1


def test_overflow_to_an_extension(sw, phone, events):
    call_and_talk(phone("1000", 400), NUMBER["out"])
    parked = events.wait_event("CHANNEL_PARK")
    assert (parked["variable_went"], parked["variable_cc_cancel_reason"]) == ("over", "OVERFLOW")


def test_a_queue_is_full(sw, phone, events):
    caller(sw, "full@t")
    told(events, "member-queue-start")
    call_and_talk(phone("1000", 400), NUMBER["full"])
    parked = events.wait_event("CHANNEL_PARK")
    assert (parked["variable_went"], parked["variable_cc_cancel_reason"]) == ("over", "FULL")
    assert len(members(sw, "full@t")) == 1


def test_opening_hours(sw, phone, events):
    assert [sw.api(f"callcenter_config queue is_open {q}") for q in ("shut@t", "desk@t", "no@t")] == [
        "false\n", "true\n", "-ERR Invalid Queue not found!\n"]
    agent(sw, "ann", "null/x", "desk@t")
    uuid = caller(sw, "shut@t")
    assert told(events, "agent-offering", CC_Queue="desk@t")["CC-Member-Session-UUID"] == uuid
    call_and_talk(phone("1000", 400), NUMBER["dark"])  # no closed-to: on in the extension
    parked = events.wait_event("CHANNEL_PARK")
    assert parked["variable_cc_cancel_reason"] == "CLOSED"
    assert report(sw, "live dark@t")[0]["closed"] == 1


# ---- call-backs
def asked(sw, q="back@t"):
    return report(sw, f"callbacks {q}")


def ask(sw, a, events):
    """The caller presses the key, is told, and hangs up."""
    call_and_talk(a, NUMBER["back"])
    uuid = told(events, "member-queue-start")["CC-Member-UUID"]
    a.talk.hears(1600)
    a.talk.press("1")
    assert told(events, "member-queue-end")["CC-Cancel-Reason"] == "CALLBACK"
    told(events, "callback-queued")
    assert events.wait_event("CHANNEL_PARK")["variable_went"] == "past"
    a.bye()
    a.talk.stop()
    a.talk = None
    return uuid


def test_called_back_at_his_turn(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    uuid = ask(sw, a, events)
    later = caller(sw, "back@t")  # stands behind him
    assert [(c["number"], c["place"], c["state"]) for c in asked(sw)] == [("1000", 1, "waiting")]
    agent(sw, "ann", user("1001"), "back@t")
    rings = ring(a)
    assert agents(sw)["ann"]["state"] == "Reserved"
    accept(a, rings)
    assert told(events, "member-queue-resume")["CC-Member-UUID"] == uuid
    accept(b, b.expect(method="INVITE"))
    is_pair(a, b)
    row = next(m for m in members(sw, "back@t") if m["uuid"] == uuid)
    assert (row["state"], row["serving_agent"], row["cid_number"]) == ("Answered", "ann", "1000")
    b.bye()
    told(events, "bridge-agent-end")
    assert asked(sw) == []
    assert told(events, "agent-offering")["CC-Member-Session-UUID"] == later


def test_he_does_not_answer(sw, phone, events):
    a = phone("1000", 400)
    agent(sw, "ann", "null/x", "back@t")
    config(sw, "agent pause ann lunch")
    ask(sw, a, events)
    config(sw, "agent resume ann")
    cancelled(a, ring(a))
    told(events, "callback-unanswered")
    told(events, "agent-state-change", CC_Agent_State="Waiting")
    other = caller(sw, "back@t")  # others are served meanwhile
    assert offered_to(events, other) == "ann"
    told(events, "agent-state-change", CC_Agent_State="In a queue call")
    sw.api(f"uuid_kill {other}")
    cancelled(a, ring(a))
    assert told(events, "callback-failed")["CC-Callback-Tries"] == "2"
    told(events, "agent-state-change", CC_Agent_State="Waiting")
    assert asked(sw) == [] and members(sw, "back@t") == []
    assert report(sw, "live back@t")[0]["callback_failed"] == 1


def test_he_hangs_up_again(sw, phone, events):
    """At once, and while he waits: nobody stays, the agent is free."""
    a = phone("1000", 400)
    agent(sw, "ann", "{null_enable_auto_answer=false}null/x", "back@t")
    config(sw, "agent pause ann lunch")
    ask(sw, a, events)
    config(sw, "agent resume ann")
    accept(a, a.expect(method="INVITE"))
    told(events, "agent-offering")
    a.bye()
    told(events, "member-queue-end", CC_Cancel_Reason="BREAK_OUT")
    told(events, "bridge-agent-fail")
    told(events, "agent-state-change", CC_Agent_State="Waiting")
    assert asked(sw) == []


def test_asked_for_by_others(sw, phone, events):
    a = phone("1000", 400)
    for number in ("12;reloadxml", "${x}", "anonymous", "1", "9" * 33, "sofia/x"):
        assert sw.api(f"callcenter_config queue callback back@t '{number}'").startswith("-ERR"), number
    assert sw.api("callcenter_config queue callback desk@t 1000").startswith("-ERR")  # it has no callback-contact
    door = Door(sw)
    got = door.post("/v1/callcenter/callbacks", {"queue": "back@t", "number": "1000", "name": "<b>Eve</b>"}, status=201)
    rows = door.get("/v1/callcenter/callbacks?queue=back@t")["rows"]
    assert [(r["uuid"], r["name"]) for r in rows] == [(got["uuid"], "<b>Eve</b>")]
    assert door.call("DELETE", f"/v1/callcenter/callbacks/{got['uuid']}")[0] == 204
    assert door.call("DELETE", f"/v1/callcenter/callbacks/{got['uuid']}")[0] == 422
    assert asked(sw) == []
    # a closed queue calls nobody; its call-backs outlive the queue's time, and go with it
    config(sw, "queue load backs@t")
    agent(sw, "ann", "null/x", "backs@t")
    assert sw.api("callcenter_config queue callback backs@t 1000").startswith("+OK ")
    assert agents(sw)["ann"]["state"] == "Waiting" and len(asked(sw, "backs@t")) == 1
    config(sw, "queue unload backs@t")
    config(sw, "queue load backs@t")
    assert asked(sw, "backs@t") == []
    # an agent's phone that is rung, and the queue goes
    agent(sw, "bob", "null/x", "back@t")
    assert sw.api("callcenter_config queue callback back@t 1000").startswith("+OK ")
    rings = ring(a)
    config(sw, "queue unload back@t")
    told(events, "agent-state-change", CC_Agent="bob", CC_Agent_State="Waiting")
    cancelled(a, rings)
    config(sw, "queue load back@t")


# ---- agents
def test_wrap_up_codes(sw, events):
    agent(sw, "ann", "null/x", "codes@t")
    assert sw.api("callcenter_config agent wrapup ann sold") == "-ERR Agent has no call to wrap up!\n"
    first = caller(sw, "codes@t")
    told(events, "agent-state-change", CC_Agent_State="In a queue call")
    sw.api(f"uuid_kill {first}")
    told(events, "agent-state-change", CC_Agent_State="Waiting")
    second = caller(sw, "codes@t")
    assert [m["state"] for m in members(sw, "codes@t")] == ["Waiting"]  # ann rests until she told it
    assert sw.api("callcenter_config agent wrapup ann nonsense") == "-ERR Invalid Wrap-Up Code!\n"
    config(sw, "agent wrapup ann sold two%20tables, red")
    assert told(events, "agent-wrap-up")["CC-Wrap-Up-Code"] == "sold"
    assert offered_to(events, second) == "ann"
    assert sw.api("callcenter_config agent wrapup ann sold").startswith("-ERR")
    row = [r for r in report(sw, "history calls 0 99999999999 codes@t") if r["session"] == first]
    assert [(r["code"], r["note"], r["agent"], r["outcome"]) for r in row] == [("sold", "two tables, red", "ann", "answered")]


def test_pause_reasons(sw, events):
    agent(sw, "ann", "null/x", "desk@t")
    assert sw.api("callcenter_config agent pause ann holidays") == "-ERR Invalid Pause Reason!\n"
    config(sw, "agent pause ann 'team talk'")
    assert told(events, "agent-pause")["CC-Agent-Pause-Reason"] == "team talk"
    mine = report(sw, "agents desk@t")[0]
    assert (mine["status"], mine["reason"]) == ("On Break", "team talk")
    config(sw, "agent resume ann")
    assert report(sw, "agents desk@t")[0]["reason"] == ""


def test_screen_pop(sw, events):
    agent(sw, "ann", "{null_enable_auto_answer=false}null/x", "codes@t")
    caller(sw, "codes@t", "+49/30", vars="case_id=7&8,origination_callee_id_name=Eve?x=1#<")
    pop = told(events, "agent-offering")["CC-Screen-Pop"]
    assert pop == "https://crm.example/f?tel=+49_30&n=Eve_x_1__&c=7_8&q=codes@t&a=ann"  # after the reader took FreeSWITCH's coding away
    pop = report(sw, "agents codes@t")[0]["screen_pop"]
    assert pop == "https://crm.example/f?tel=%2B49%2F30&n=Eve%3Fx%3D1%23%3C&c=7%268&q=codes%40t&a=ann"
    sw.api("hupall")
    told(events, "bridge-agent-fail")
    assert report(sw, "agents codes@t")[0]["screen_pop"] == ""


def test_supervisors(sw, phone, events):
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    agent(sw, "ann", user("1001"), "desk@t")
    assert sw.api(f"callcenter_config agent monitor ann {user('1002')}") == "-ERR Agent has no call!\n"
    call_and_talk(a, NUMBER["desk"])
    accept(b, b.expect(method="INVITE"))
    is_pair(a, b)
    assert sw.api(f"callcenter_config agent monitor ann {user('1002')} shout").startswith("-ERR")
    for mode, heard_by in (("listen", ()), ("whisper", (b,)), ("barge", (a, b))):
        config(sw, f"agent monitor ann {user('1002')} {mode}")
        accept(c, c.expect(method="INVITE"))
        c.talk.hears(400, 500)
        for p, q in ((a, b), (b, a)):
            p.talk.hears(q.hz, *((700,) if p in heard_by else ()), absent=() if p in heard_by else (700,))
        c.bye()
        c.talk.stop()
        c.talk = None
        a.talk.hears(500, absent=(400, 700))
    Door(sw).post("/v1/callcenter/agents/ann/monitor", {"user": "1002", "mode": "whisper"}, status=204)
    # the domain of the switch is where 1002 is a user
    accept(c, c.expect(method="INVITE"))
    b.talk.hears(400, 700)
    a.bye()
    ended(b)
    ended(c)  # it ends with the call


# ---- figures
def test_figures_and_history(sw, events):
    agent(sw, "ann", "null/x", "skilled@t")
    before = report(sw, "live skilled@t")[0]
    talked = caller(sw, "skilled@t", "+4930", vars="origination_callee_id_name='=1+1|\"x'")
    told(events, "agent-state-change", CC_Agent_State="In a queue call")
    gave_up = caller(sw, "skilled@t")
    now = report(sw, "live skilled@t")[0]
    assert (now["waiting"], now["talking"], now["agents_available"], now["agents_free"]) == (1, 1, 1, 0)
    sw.api(f"uuid_kill {gave_up}")
    told(events, "member-queue-end", CC_Cause="Cancel")
    sw.api(f"uuid_kill {talked}")
    told(events, "agent-state-change", CC_Agent_State="Waiting")
    now = report(sw, "live skilled@t")[0]
    assert (now["answered"] - before["answered"], now["abandoned"] - before["abandoned"], now["calls"] - before["calls"]) == (1, 1, 2)
    assert now["service_level"] == 100
    door = Door(sw)
    rows = door.get("/v1/callcenter/history?by=calls&from=0&to=99999999999&queue=skilled@t")["rows"]
    mine = {r["session"]: r for r in rows}
    assert (mine[talked]["outcome"], mine[talked]["agent"], mine[talked]["number"]) == ("answered", "ann", "+4930")
    assert mine[gave_up]["outcome"] == "abandoned"
    status, headers, body = door.call("GET", "/v1/callcenter/history?by=calls&from=0&to=99999999999&queue=skilled@t&format=csv")
    assert status == 200 and headers["Content-Type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(body.decode())))
    assert next(x for x in lines if x["session"] == talked)["name"] == "'=1+1|\"x"  # no formula for a spreadsheet
    by_queue = next(r for r in report(sw, "history queue 0 99999999999") if r["queue"] == "skilled@t")
    assert by_queue["calls"] == len([r for r in rows if r["outcome"] != "callback"]) and by_queue["service_level"] == 100
    assert [r["agent"] for r in report(sw, "history agent 0 99999999999 skilled@t") if r["agent"] == "ann"] == ["ann"]
    assert all(r["hour"] % 3600 == 0 for r in report(sw, "history hour 0 99999999999 skilled@t"))
    assert report(sw, "history calls 2000-01-01 2000-01-02T10:00") == []
    for words in ("history", "history nonsense 0 1", "history queue yesterday 1", "nonsense", "live no@t"):
        assert sw.api(f"callcenter_report {words}")[0] == "-", words
    assert door.get("/v1/callcenter/live")["row_count"] >= len(QUEUES) - 1
    assert door.call("GET", "/v1/callcenter/history?by=calls&from=0&to=1&queue=x'y")[0] == 400


def test_roles(sw):
    admin = Door(sw)
    tokens = {}
    for role in ("read", "operator"):
        reply = sw.api(f"http token add cc{role} {role}")
        tokens[role] = reply.split()[1]
    read, operator, nobody = Door(sw, tokens["read"]), Door(sw, tokens["operator"]), Door(sw, "")
    assert read.call("GET", "/v1/callcenter/live")[0] == 200
    assert read.call("GET", "/v1/callcenter/history?by=queue&from=0&to=1")[0] == 403
    assert read.call("POST", "/v1/callcenter/callbacks", {"queue": "back@t", "number": "1000"})[0] == 403
    assert read.call("POST", "/v1/callcenter/agents/ann", {"action": "available"})[0] == 403
    assert nobody.call("GET", "/v1/callcenter/live")[0] == 401
    leg = sw.api("originate null/caller &park").split()[1]
    assert read.call("POST", "/v1/callcenter/calls", {"queue": "desk@t", "uuid": leg})[0] == 403
    for body in ({"queue": "desk@t"}, {"queue": "d' x", "uuid": leg}, {"queue": "desk@t", "uuid": "x 'y"}, {"queue": "desk@t", "uuid": ["x"]}):
        assert operator.call("POST", "/v1/callcenter/calls", body)[0] == 400, body
    assert operator.call("POST", "/v1/callcenter/calls", {"queue": "no@t", "uuid": leg})[0] == 422
    assert operator.call("POST", "/v1/callcenter/calls", {"queue": "desk@t", "uuid": "not-there"})[0] == 422
    assert members(sw, "desk@t") == []
    assert operator.call("POST", "/v1/callcenter/calls", {"queue": "desk@t", "uuid": leg})[0] == 204
    t.until(lambda: [m["session_uuid"] for m in members(sw, "desk@t")] == [leg])
    sw.api(f"uuid_kill {leg}")
    agent(sw, "ann", "null/x", "desk@t")
    assert operator.call("POST", "/v1/callcenter/agents/ann", {"action": "break", "reason": "lunch"})[0] == 204
    assert agents(sw)["ann"]["status"] == "On Break"
    assert operator.call("POST", "/v1/callcenter/agents/ann", {"action": "break", "reason": "x' y"})[0] == 400
    assert operator.call("POST", "/v1/callcenter/agents/ann'%20x/monitor", {"user": "1000"})[0] == 400
    assert operator.call("POST", "/v1/callcenter/agents/ann/monitor", {"user": "1000/x"})[0] == 400
    assert admin.call("POST", "/v1/callcenter/agents/nobody", {"action": "logout"})[0] == 422
    for role in tokens:
        sw.api(f"http token revoke cc{role}")
