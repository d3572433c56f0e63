"""The call centre on the wire: a caller waits, agents are rung, heard both ways, events in their order; every ending leaves nothing behind."""
import json
import re

import pytest
import tandem as t
from callcenter import MUSIC, agent, agents, becomes_quiet, caller, config, configure, members, queue, table, told
from calls import accept, call_and_talk, cancelled, ended, extension, is_pair, write_extensions

pytestmark = pytest.mark.leaks
QUEUES = {"desk": dict(moh_sound=MUSIC, discard_abandoned_after=60),
          "all": dict(strategy="ring-all", moh_sound=MUSIC, discard_abandoned_after=0),
          "prog": dict(strategy="ring-progressively", ring_progressively_delay=1, moh_sound=MUSIC, discard_abandoned_after=0),
          "brief": dict(moh_sound=MUSIC, max_wait_time=1, discard_abandoned_after=0),
          "nobody": dict(moh_sound=MUSIC, max_wait_time_with_no_agent=1, max_wait_time_with_no_agent_time_reached=0, discard_abandoned_after=0),
          "again": dict(moh_sound=MUSIC, abandoned_resume_allowed="true"),
          "said": dict(moh_sound=MUSIC, announce_sound="tone_stream://%(300,0,900)", announce_frequency=1, discard_abandoned_after=0),
          "tiers": dict(moh_sound=MUSIC, tier_rules_apply="true", tier_rule_wait_second=1, discard_abandoned_after=0),
          "taped": dict(moh_sound=MUSIC, record_template="$${recordings_dir}/cc.${uuid}.wav", discard_abandoned_after=0)}


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("callcenter") / "instance")
    configure(s, [queue(f"{name}@t", **params) for name, params in QUEUES.items()])
    write_extensions(s, [extension(f"7{i:03}", "answer", "set hangup_after_bridge=false", f"callcenter {name}@t", "set went=past", "park")
                         for i, name in enumerate(QUEUES)] + [
        extension("7100", "answer", "set cc_exit_keys=*5", "callcenter desk@t", "set went=past", "park"),
        extension("7101", "answer", "set cc_export_vars=colour,size", "set colour=red", "set cc_outbound_cid_name_prefix=Q-",
                  "set cc_outbound_announce=tone_stream://%(700,0,1000)", "set cc_moh_override=tone_stream://%(10000,0,1300);loops=-1", "callcenter desk@t"),
        extension("7102", "answer", "callcenter nosuch@t", "set went=past", "park"),
        extension("7103", "answer", "callcenter_track a1", "park"),
        extension("7104", "answer", "park"),
        extension("7105", "answer", "eavesdrop all")])
    s.start()
    yield s
    s.stop()


NUMBER = {name: f"7{i:03}" for i, name in enumerate(QUEUES)}


@pytest.fixture(autouse=True)
def empty(sw):
    yield
    sw.api("hupall")
    sw.wait_calls(0)
    becomes_quiet(sw, *(f"{name}@t" for name in QUEUES))
    for name in agents(sw):
        config(sw, f"agent del {name}")
    assert not table(sw, "tier list")


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("CHANNEL_PARK CHANNEL_BRIDGE PRESENCE_IN RECORD_START CUSTOM callcenter::info")
    yield e
    e.close()


def user(number, leg=""):
    return f"{leg}user/{number}@127.0.0.1"


def ring(p):
    """Its next INVITE, which it answers by ringing."""
    invite = p.expect(method="INVITE")
    p.reply(invite, 180, "Ringing")
    return invite


def steps(events, until):
    """The actions told up to that one, with what matters of each."""
    out = []
    while not out or out[-1].split()[0] != until:
        e = events.wait_event("CUSTOM", Event_Subclass="callcenter::info")
        out.append(" ".join(x for x in (e["CC-Action"], e.get("CC-Agent-State") or e.get("CC-Count") or e.get("CC-Cause")) if x))
    return out


def test_a_first_call(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    agent(sw, "a1", user("1001"), "desk@t")
    told(events, "agent-status-change", CC_Agent_Status="Available")
    call_and_talk(a, NUMBER["desk"])
    a.talk.hears(1600)
    invite = b.expect(method="INVITE")
    assert agents(sw)["a1"]["state"] == "Receiving"
    assert [(m["state"], m["serving_agent"]) for m in members(sw, "desk@t")] == [("Trying", "a1")]
    accept(b, invite)
    is_pair(a, b)
    assert steps(events, "agent-state-change")[:3] == ["member-queue-start", "members-count 1", "agent-state-change Receiving"]
    assert steps(events, "agent-state-change") == ["agent-offering", "bridge-agent-start", "members-count 1", "agent-state-change In a queue call"]
    row, mine = members(sw, "desk@t")[0], agents(sw)["a1"]
    assert (row["state"], row["serving_agent"], row["serving_system"]) == ("Answered", "a1", "single_box")
    assert (mine["calls_answered"], mine["no_answer_count"]) == ("1", "0")
    assert table(sw, "tier list")[0]["state"] == "Active Inbound"
    leg = mine["uuid"]
    assert [sw.api(f"uuid_getvar {row['session_uuid']} {v}") for v in ("cc_agent", "cc_agent_uuid", "cc_side", "cc_cause")] == ["a1", leg, "member", "answered"]
    assert [sw.api(f"uuid_getvar {leg} {v}") for v in ("cc_agent", "cc_side", "cc_member_session_uuid", "cc_agent_bridged")] == [
        "a1", "agent", row["session_uuid"], "true"]
    a.bye()
    ended(b)
    assert steps(events, "agent-state-change") == ["bridge-agent-end", "member-queue-end Terminated", "agent-state-change Waiting"]
    assert members(sw, "desk@t") == []


def test_the_extension_goes_on_when_the_agent_hangs_up(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    agent(sw, "a1", user("1001"), "desk@t")
    call_and_talk(a, NUMBER["desk"])
    accept(b, b.expect(method="INVITE"))
    is_pair(a, b)
    b.bye()
    parked = events.wait_event("CHANNEL_PARK")
    assert (parked["variable_went"], parked["variable_cc_cause"]) == ("past", "answered")
    told(events, "agent-state-change", CC_Agent_State="Waiting")
    a.bye()


def test_a_caller_gives_up(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    call_and_talk(a, NUMBER["desk"])
    lamp = events.wait_event("PRESENCE_IN", login="desk@t")
    assert (lamp["proto"], lamp["force-status"], lamp["answer-state"]) == ("callcenter", "Active (1 waiting)", "confirmed")
    a.talk.hears(1600)
    a.bye()
    end = told(events, "member-queue-end")
    assert (end["CC-Cause"], end["CC-Cancel-Reason"]) == ("Cancel", "BREAK_OUT")
    assert events.wait_event("PRESENCE_IN", login="desk@t")["force-status"] == "Idle"
    assert [m["state"] for m in members(sw, "desk@t")] == ["Abandoned"]
    # while he rings an agent
    agent(sw, "a1", user("1001"), "desk@t")
    call_and_talk(a, NUMBER["desk"])
    invite = ring(b)
    a.bye()
    cancelled(b, invite)
    assert told(events, "bridge-agent-fail")["CC-Hangup-Cause"] == "ORIGINATOR_CANCEL"
    told(events, "agent-state-change", CC_Agent_State="Waiting")
    assert agents(sw)["a1"]["no_answer_count"] == "0"


@pytest.mark.parametrize("code,cause,field", [(486, "USER_BUSY", "busy_delay_time"), (603, "CALL_REJECTED", "reject_delay_time")])
def test_an_agent_refuses(sw, phone, events, code, cause, field):
    a, b = phone("1000", 400), phone("1001", 500)
    agent(sw, "a1", user("1001"), "desk@t", **{field: 1})
    call_and_talk(a, NUMBER["desk"])
    invite = b.expect(method="INVITE")
    b.reply(invite, code, "No")
    b.expect(method="ACK")
    assert told(events, "bridge-agent-fail")["CC-Hangup-Cause"] == cause
    assert [m["state"] for m in members(sw, "desk@t") if m["state"] != "Abandoned"] == ["Waiting"]
    accept(b, b.expect(method="INVITE"))  # when he has rested
    is_pair(a, b)
    a.bye()
    ended(b)


def test_nobody_answers(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    agent(sw, "a1", user("1001", "[leg_timeout=1]"), "desk@t", max_no_answer=2)
    call_and_talk(a, NUMBER["desk"])
    for _ in range(2):
        cancelled(b, ring(b))
    assert told(events, "agent-max-no-answer")["CC-Agent-No-Answer-Count"] == "2"
    assert told(events, "agent-status-change")["CC-Agent-Status"] == "On Break"
    assert told(events, "bridge-agent-fail")["CC-Hangup-Cause"] == "NO_ANSWER"
    told(events, "agent-state-change", CC_Agent_State="Waiting")
    assert table(sw, "tier list")[0]["state"] == "No Answer"
    config(sw, "agent set status a1 Available")
    accept(b, b.expect(method="INVITE"))
    is_pair(a, b)
    a.bye()
    ended(b)


@pytest.mark.parametrize("name,reason", [("brief", "TIMEOUT"), ("nobody", "NO_AGENT_TIMEOUT")])
def test_waiting_is_over(sw, phone, events, name, reason):
    a = phone("1000", 400)
    call_and_talk(a, NUMBER[name])
    assert told(events, "member-queue-end")["CC-Cancel-Reason"] == reason
    parked = events.wait_event("CHANNEL_PARK")
    assert (parked["variable_went"], parked["variable_cc_cause"], parked["variable_cc_cancel_reason"]) == ("past", "cancel", reason)


def test_who_is_rung_for_is_not_sent_away(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    agent(sw, "a1", user("1001", "[leg_timeout=2]"), "brief@t", no_answer_delay_time=60)
    call_and_talk(a, NUMBER["brief"])
    cancelled(b, ring(b))
    assert told(events, "member-queue-end")["CC-Cancel-Reason"] == "TIMEOUT"


def test_exit_keys(sw, phone, events):
    a = phone("1000", 400)
    call_and_talk(a, "7100")
    told(events, "member-queue-start")
    a.talk.press("15")
    assert told(events, "member-queue-end")["CC-Cancel-Reason"] == "EXIT_WITH_KEY"
    parked = events.wait_event("CHANNEL_PARK")
    assert (parked["variable_went"], parked["variable_cc_exit_key"]) == ("past", "5")


def test_an_unknown_queue(sw, phone, events):
    call_and_talk(phone("1000", 400), "7102")
    assert events.wait_event("CHANNEL_PARK")["variable_went"] == "past"


def test_an_agent_logs_out_while_he_rings(sw, phone, events):
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    agent(sw, "a1", user("1001"), "desk@t")
    call_and_talk(a, NUMBER["desk"])
    invite = ring(b)
    config(sw, "agent set status a1 'Logged Out'")
    cancelled(b, invite)
    assert told(events, "bridge-agent-fail")["CC-Hangup-Cause"] == "ORIGINATOR_CANCEL"
    # and one who is deleted
    agent(sw, "a2", user("1002"), "desk@t")
    invite = ring(c)
    config(sw, "agent del a2")
    cancelled(c, invite)
    told(events, "bridge-agent-fail", CC_Agent="a2")
    assert [m["state"] for m in members(sw, "desk@t") if m["state"] != "Abandoned"] == ["Waiting"]
    config(sw, "agent set status a1 Available")
    accept(b, b.expect(method="INVITE"))
    is_pair(a, b)
    # logging out does not end the call he has
    config(sw, "agent set status a1 'Logged Out'")
    is_pair(a, b)
    a.bye()
    ended(b)


def test_a_queue_is_unloaded(sw, phone, events):
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    agent(sw, "a1", user("1001"), "desk@t")
    call_and_talk(a, NUMBER["desk"])
    accept(b, b.expect(method="INVITE"))
    is_pair(a, b)
    call_and_talk(c, NUMBER["desk"])
    c.talk.hears(1600)
    config(sw, "queue unload desk@t")
    parked = events.wait_event("CHANNEL_PARK")
    assert (parked["variable_went"], parked["variable_cc_cancel_reason"]) == ("past", "BREAK_OUT")
    assert not any("desk@t" in line for line in sw.api("callcenter_config queue list").splitlines())
    is_pair(a, b)  # who talks talks on
    a.bye()
    ended(b)
    told(events, "agent-state-change", CC_Agent_State="Waiting")
    config(sw, "queue load desk@t")
    assert members(sw, "desk@t") == []
    # a caller who is rung for; the agent's place came back with the queue
    a.talk.stop()
    a.talk = None
    call_and_talk(a, NUMBER["desk"])
    invite = ring(b)
    config(sw, "queue unload desk@t")
    cancelled(b, invite)
    told(events, "agent-state-change", CC_Agent_State="Waiting")
    config(sw, "queue load desk@t")


def test_ring_all(sw, phone, events):
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    agent(sw, "a1", user("1001"), "all@t")
    agent(sw, "a2", user("1002"), "all@t")
    call_and_talk(a, NUMBER["all"])
    rings = ring(b)
    accept(c, c.expect(method="INVITE"))
    cancelled(b, rings)
    is_pair(a, c)
    assert told(events, "bridge-agent-start")["CC-Agent"] == "a2"
    lost = told(events, "bridge-agent-fail")
    assert (lost["CC-Agent"], lost["CC-Hangup-Cause"]) == ("a1", "LOSE_RACE")
    assert {r["agent"]: r["state"] for r in table(sw, "tier list")} == {"a1": "Ready", "a2": "Active Inbound"}
    a.bye()
    ended(c)


def test_ring_progressively(sw, phone, events):
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    agent(sw, "a1", user("1001"), "prog@t", position=1)
    agent(sw, "a2", user("1002"), "prog@t", position=2)
    call_and_talk(a, NUMBER["prog"])
    first = told(events, "agent-offering")
    second = told(events, "agent-offering")
    assert (first["CC-Agent"], second["CC-Agent"]) == ("a1", "a2")
    assert int(second["Event-Date-Timestamp"]) - int(first["Event-Date-Timestamp"]) >= 1000000
    rings = ring(c)
    accept(b, b.expect(method="INVITE"))
    cancelled(c, rings)
    is_pair(a, b)
    a.bye()
    ended(b)


def test_an_agent_with_an_open_line(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    call_and_talk(b, "7104")
    line = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    agent(sw, "a1", None, "desk@t", kind="uuid-standby", uuid=line)
    call_and_talk(a, NUMBER["desk"])
    is_pair(a, b)
    start = told(events, "bridge-agent-start")
    assert (start["CC-Agent-UUID"], start["CC-Agent-Called-Time"]) == (line, "0")
    b.bye()
    told(events, "agent-state-change", CC_Agent_State="Waiting")
    # his line is gone: he is logged out, the caller waits
    caller(sw, "desk@t")
    assert told(events, "agent-status-change")["CC-Agent-Status"] == "Logged Out"
    assert told(events, "bridge-agent-fail")["CC-Hangup-Cause"] == "NONE"
    assert agents(sw)["a1"]["uuid"] == ""


def test_on_demand(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    agent(sw, "a1", user("1001"), "desk@t")
    config(sw, "agent set status a1 'Available (On Demand)'")
    call_and_talk(a, NUMBER["desk"])
    accept(b, b.expect(method="INVITE"))
    is_pair(a, b)
    a.bye()
    ended(b)
    told(events, "agent-state-change", CC_Agent_State="Idle")


def test_wrap_up(sw, events):
    agent(sw, "a1", "null/x", "desk@t", wrap_up_time=1)
    first = caller(sw, "desk@t")
    told(events, "agent-state-change", CC_Agent_State="In a queue call")
    sw.api(f"uuid_kill {first}")
    end = told(events, "bridge-agent-end")
    caller(sw, "desk@t")
    offer = told(events, "agent-offering")
    assert int(offer["Event-Date-Timestamp"]) - int(end["Event-Date-Timestamp"]) >= 990000


def test_tiers_are_waited_for(sw, events):
    agent(sw, "busy", "{null_enable_auto_answer=false}null/x", "tiers@t", level=1)
    agent(sw, "next", "null/x", "tiers@t", level=2)
    caller(sw, "tiers@t")
    assert told(events, "agent-offering")["CC-Agent"] == "busy"
    second = caller(sw, "tiers@t")
    joined = told(events, "member-queue-start", CC_Member_Session_UUID=second)
    offer = told(events, "agent-offering", CC_Agent="next")
    assert offer["CC-Member-Session-UUID"] == second
    assert int(offer["Event-Date-Timestamp"]) - int(joined["Event-Date-Timestamp"]) >= 990000


def test_scores(sw, events):
    agent(sw, "a1", "null/x", "desk@t")
    config(sw, "agent set status a1 'On Break'")
    plain, vip = caller(sw, "desk@t"), caller(sw, "desk@t", vars="cc_base_score=100")
    waiting = {m["session_uuid"]: int(m["score"]) for m in members(sw, "desk@t") if m["state"] == "Waiting"}
    assert waiting[vip] >= waiting[plain] + 99
    config(sw, "agent set status a1 Available")
    assert told(events, "agent-offering")["CC-Member-Session-UUID"] == vip


def test_who_calls_again_has_his_place(sw, phone, events):
    a = phone("1000", 400)
    call_and_talk(a, NUMBER["again"])
    uuid = told(events, "member-queue-start")["CC-Member-UUID"]
    a.talk.hears(1600)
    a.bye()
    told(events, "member-queue-end")
    a.talk.stop()
    a.talk = None
    call_and_talk(a, NUMBER["again"])
    assert told(events, "member-queue-resume")["CC-Member-UUID"] == uuid
    assert len(members(sw, "again@t")) == 1


def test_announcements(sw, phone):
    a = phone("1000", 400)
    call_and_talk(a, NUMBER["said"])
    for hz in (1600, 900, 1600, 900):
        a.talk.hears(hz)


def test_what_the_agent_sees_and_hears(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    agent(sw, "a1", user("1001"), "desk@t")
    call_and_talk(a, "7101")
    invite = b.expect(method="INVITE")
    assert re.match(r'"?Q-', invite.get("From"))
    accept(b, invite)
    b.talk.hears(1000)
    a.talk.hears(1300)
    is_pair(a, b)
    assert sw.api(f"uuid_getvar {agents(sw)['a1']['uuid']} colour") == "red"
    a.bye()
    ended(b)


def test_a_call_is_recorded(sw, events):
    agent(sw, "a1", "null/x", "taped@t")
    uuid = caller(sw, "taped@t")
    assert events.wait_event("RECORD_START")["Record-File-Path"].endswith(f"/cc.{uuid}.wav")


def test_tracked_calls(sw, phone, events):
    agent(sw, "a1", "null/x", "desk@t")
    a = phone("1000", 400)
    call_and_talk(a, "7103")
    events.wait_event("CHANNEL_PARK")
    assert agents(sw)["a1"]["external_calls_count"] == "1"
    waiting = caller(sw, "desk@t")
    assert [m["state"] for m in members(sw, "desk@t") if m["state"] != "Abandoned"] == ["Waiting"]
    a.bye()
    assert told(events, "agent-offering")["CC-Member-Session-UUID"] == waiting


def test_a_supervisor_listens(sw, phone, events):
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    agent(sw, "a1", user("1001"), "desk@t")
    call_and_talk(a, NUMBER["desk"])
    accept(b, b.expect(method="INVITE"))
    is_pair(a, b)
    call_and_talk(c, "7105")
    c.talk.hears(400, 500)
    a.bye()
    ended(b)


def test_an_agent_hands_the_call_on(sw, phone, events):
    """His leg goes elsewhere: he is free."""
    agent(sw, "a1", "null/x", "desk@t")
    uuid = caller(sw, "desk@t")
    told(events, "agent-state-change", CC_Agent_State="In a queue call")
    sw.api(f"uuid_transfer {uuid} 7104")  # the caller leaves
    told(events, "bridge-agent-end")
    told(events, "agent-state-change", CC_Agent_State="Waiting")
    caller(sw, "desk@t")
    told(events, "agent-state-change", CC_Agent_State="In a queue call")
    leg = agents(sw)["a1"]["uuid"]
    assert sw.api(f"callcenter_break agent {leg}") == "+OK\n"
    told(events, "agent-state-change", CC_Agent_State="Waiting")
    assert sw.api(f"uuid_exists {leg}") == "true"


def test_names_from_outside_are_data(sw, phone, events):
    """A caller's name makes no row, no event and no dial string of its own."""
    a, b = phone("1000", 400), phone("1001", 500)
    evil = "x|y, [a=b]user/1002,${reloadxml}|"
    uuid = caller(sw, "desk@t", vars=f"origination_caller_id_name='{evil.replace(',', chr(92) + ',')}'")
    rows = [m for m in members(sw, "desk@t") if m["session_uuid"] == uuid]
    assert len(rows) == 1 and rows[0]["state"] == "Waiting" and "|" not in rows[0]["cid_name"]
    agent(sw, "a1", user("1001"), "desk@t")
    b.expect(method="INVITE")
    sw.api("hupall")
    assert a


def test_json(sw):
    agent(sw, "a1", "null/x", "desk@t")

    def ask(**data):
        return json.loads(sw.api("json " + json.dumps({"command": "callcenter_config", "data": data})))
    assert [x["name"] for x in ask(arguments="agent list")["response"]] == ["a1"]
    assert ask(arguments="queue list tiers", queue_name="desk@t")["response"][0]["agent"] == "a1"
    assert {q["name"] for q in ask(arguments="queue list")["response"]} == {f"{name}@t" for name in QUEUES}
    assert ask(arguments="nosuch")["status"] == "error" and ask()["response"] is None
