"""What a restart keeps of the call centre, and that an end without warning leaves no ghosts; the module is unloaded and loaded."""
import sqlite3

import pytest
import tandem as t
from callcenter import agent, agents, caller, config, configure, is_quiet, members, queue, table, told


@pytest.fixture
def sw(tmp_path):
    s = t.Tandem(tmp_path / "instance")
    configure(s, [queue("desk@t", discard_abandoned_after=60)],
              agents='<agent name="filed" type="callback" contact="null/x" wrap-up-time="0"/>', tiers='<tier agent="filed" queue="desk@t"/>')
    s.start()
    yield s
    if s.proc and s.proc.poll() is None:
        s.stop()


def talk(sw, events, count=1):
    for _ in range(count):
        uuid = caller(sw, "desk@t")
        told(events, "agent-state-change", CC_Agent_State="In a queue call")
        sw.api(f"uuid_kill {uuid}")
        told(events, "agent-state-change", CC_Agent_State="Waiting")


def test_a_restart_keeps_agents_tiers_and_counts(sw):
    events = sw.esl()
    events.subscribe("CUSTOM callcenter::info")
    agent(sw, "added", "null/y", "desk@t", level=2, position=3, wrap_up_time=0, max_no_answer=7)
    config(sw, "agent set status filed Available")
    talk(sw, events, 2)
    before = agents(sw)
    events.close()
    sw.stop()
    sw.start()
    after = agents(sw)
    assert after == before and sum(int(a["calls_answered"]) for a in after.values()) == 2
    assert {(r["agent"], r["level"], r["position"]) for r in table(sw, "tier list")} == {("filed", "1", "1"), ("added", "2", "3")}
    config(sw, "agent del added")
    sw.stop()
    sw.start()
    assert set(agents(sw)) == {"filed"}


def rows(sw, what):
    db = sqlite3.connect(sw.root / "db/callcenter.db")
    try:
        return db.execute(f"SELECT * FROM {what}").fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        db.close()


def test_an_end_without_warning(sw):
    events = sw.esl()
    events.subscribe("CUSTOM callcenter::info")
    agent(sw, "added", "null/y", "desk@t")
    caller(sw, "desk@t")
    told(events, "agent-state-change", CC_Agent_State="In a queue call")
    caller(sw, "desk@t", "6000")
    states = {m["state"] for m in members(sw, "desk@t")}
    assert states == {"Answered", "Waiting"}
    for _ in range(200):  # written behind
        if len(rows(sw, "members")) == 2 and any("In a queue call" in r for r in rows(sw, "agents")):
            break
        sw.api("msleep 20")
    events.close()
    sw.kill()
    sw.start()
    is_quiet(sw, "desk@t")
    assert [m["state"] for m in members(sw, "desk@t")] == ["Abandoned"] * 2
    assert agents(sw)["added"]["calls_answered"] == "1"
    # who was waiting and comes back by his uuid has his place
    lost = next(m for m in members(sw, "desk@t") if m["cid_number"] == "6000")
    events = sw.esl()
    events.subscribe("CUSTOM callcenter::info")
    caller(sw, "desk@t", "7777", vars=f"cc_member_uuid={lost['uuid']}")
    assert told(events, "member-queue-resume")["CC-Member-UUID"] == lost["uuid"]
    told(events, "agent-state-change", CC_Agent_State="In a queue call")
    events.close()


def test_the_module_goes_and_comes(sw):
    events = sw.esl()
    events.subscribe("CUSTOM callcenter::info")
    config(sw, "agent set status filed Available")
    uuid = caller(sw, "desk@t")
    told(events, "agent-state-change", CC_Agent_State="In a queue call")
    assert sw.api("unload mod_callcenter").startswith("-ERR")  # somebody talks
    for _ in range(200):  # written behind
        if any(r[17] == "1" for r in rows(sw, "agents")):
            break
        sw.api("msleep 20")
    waits = caller(sw, "desk@t")
    sw.api(f"uuid_kill {uuid}")
    told(events, "bridge-agent-end")
    sw.api(f"uuid_kill {waits}")
    sw.wait_calls(0)
    for _ in range(3):
        assert sw.api("unload mod_callcenter").startswith("+OK")
        assert sw.api("callcenter_config agent list").startswith("-ERR")
        assert sw.api("load mod_callcenter").startswith("+OK")
    for _ in range(200):
        if agents(sw)["filed"]["calls_answered"] != "0":
            break
        sw.api("msleep 10")
    assert int(agents(sw)["filed"]["calls_answered"]) >= 1
    config(sw, "agent set status filed 'On Break'")
    config(sw, "agent set status filed Available")
    talk(sw, events)
    events.close()
