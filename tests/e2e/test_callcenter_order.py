"""Whom each strategy offers, on calls that are up, against its definition; and what holds whatever agents and callers do. The
decision itself has a test of its own (tests/unit/callcenter) with 20 agents and 200 callers for each strategy."""
import os
import random
import re

import pytest
import tandem as t
from callcenter import agent, agents, becomes_quiet, caller, config, configure, members, queue, table, told

pytestmark = pytest.mark.leaks
STRATEGIES = ("ring-all", "longest-idle-agent", "round-robin", "top-down", "agent-with-least-talk-time", "agent-with-fewest-calls",
              "sequentially-by-agent-order", "random", "ring-progressively")
# name: level, position
PLACES = {"a": (1, 2), "b": (1, 1), "c": (2, 1), "d": (1, 2), "e": (2, 2)}
CALLERS = int(os.environ.get("TANDEM_CC_CALLERS", "250"))


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("order") / "instance")
    configure(s, [queue(f"{name}@t", strategy=name, ring_progressively_delay=1, discard_abandoned_after=0) for name in STRATEGIES],
              settings='<param name="agent-originate-timeout" value="2"/>')
    s.start()
    s.api("fsctl sps 100000")
    yield s
    s.stop()


@pytest.fixture(autouse=True)
def empty(sw):
    yield
    sw.api("hupall")
    sw.wait_calls(0)
    becomes_quiet(sw, *(f"{name}@t" for name in STRATEGIES))
    for name in agents(sw):
        config(sw, f"agent del {name}")


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("CUSTOM callcenter::info")
    yield e
    e.close()


class Model:
    """The definition, from what happened."""
    def __init__(self, strategy):
        self.strategy, self.clock, self.turn = strategy, 0, None
        self.free, self.ended, self.offered, self.calls = dict.fromkeys(PLACES, True), {}, {}, dict.fromkeys(PLACES, 0)

    def rank(self, name, talk):
        level, position = PLACES[name]
        first = {"longest-idle-agent": self.ended.get(name, 0), "agent-with-least-talk-time": talk[name],
                 "agent-with-fewest-calls": self.calls[name]}.get(self.strategy)
        serial = list(PLACES).index(name)
        return (level, position, self.offered.get(name, 0), serial) if first is None else (level, first, position, serial)

    def next(self, talk):
        """Whom it may be: one, but for random."""
        free = [n for n in PLACES if self.free[n]]
        if self.strategy == "random":
            return {n for n in free if PLACES[n][0] == min(PLACES[m][0] for m in free)}
        if self.strategy == "round-robin" and self.turn:
            behind = [n for n in free if PLACES[n][0] == self.turn[0] and PLACES[n][1] > self.turn[1]]
            free = behind or free
        return {min(free, key=lambda n: self.rank(n, talk))}

    def took(self, name):
        self.clock += 1
        self.offered[name], self.free[name], self.turn = self.clock, False, PLACES[name]
        self.calls[name] += 1

    def over(self, name):
        self.clock += 1
        self.ended[name], self.free[name] = self.clock, True


@pytest.mark.parametrize("strategy", [s for s in STRATEGIES if s != "ring-all"])
def test_order(sw, events, strategy):
    chance = random.Random(strategy)
    model, talking = Model(strategy), {}
    for name, (level, position) in PLACES.items():
        agent(sw, name, "null/x", f"{strategy}@t", level, position)
    for _ in range(24):
        if talking and (len(talking) == len(PLACES) or chance.random() < 0.4):
            name = chance.choice(sorted(talking))
            sw.api(f"uuid_kill {talking.pop(name)}")
            told(events, "agent-state-change", CC_Agent=name, CC_Agent_State="Waiting")
            model.over(name)
            continue
        may_be = model.next({n: int(a["talk_time"]) for n, a in agents(sw).items()})
        uuid = caller(sw, f"{strategy}@t")
        name = told(events, "agent-offering", CC_Member_Session_UUID=uuid)["CC-Agent"]
        assert name in may_be, (strategy, model.free)
        told(events, "agent-state-change", CC_Agent=name, CC_Agent_State="In a queue call")
        model.took(name)
        talking[name] = uuid


def test_top_down_goes_down(sw, events):
    """Who was refused is offered further down, not to the same again."""
    for name, (level, position) in {"a": (1, 1), "b": (1, 2), "c": (1, 3)}.items():
        agent(sw, name, "{null_hangup_cause=USER_BUSY}null/x" if name != "c" else "null/x", "top-down@t", level, position, busy_delay_time=1)
    caller(sw, "top-down@t")
    assert [told(events, "agent-offering")["CC-Agent"] for _ in range(3)] == ["a", "b", "c"]
    caller(sw, "top-down@t")
    assert told(events, "agent-offering")["CC-Agent"] in ("a", "b")  # the next caller begins at the top, with who is free


def test_ring_all_rings_all(sw, events):
    for name, (level, position) in PLACES.items():
        agent(sw, name, "{null_enable_auto_answer=false}null/x", "ring-all@t", level, position)
    first = caller(sw, "ring-all@t")
    assert {told(events, "agent-offering", CC_Member_Session_UUID=first)["CC-Agent"] for _ in PLACES} == set(PLACES)
    assert len([m for m in members(sw, "ring-all@t") if m["serving_agent"] == "ring-all"]) == 1
    agent(sw, "late", "null/x", "ring-all@t")  # who comes later is rung too, and answers
    assert {told(events, "bridge-agent-fail", CC_Hangup_Cause="LOSE_RACE")["CC-Agent"] for _ in PLACES} == set(PLACES)


def test_the_caller_who_counts_most_has_the_agent_of_several_queues(sw, events):
    names = [f"{s}@t" for s in ("longest-idle-agent", "round-robin", "random")]
    agent(sw, "a", "null/x", None)
    config(sw, "agent set status a 'On Break'")
    for name in names:
        config(sw, f"tier add {name} a")
    waiting = [caller(sw, name, vars=f"cc_base_score={score}") for name, score in zip(names, (10, 500, 90))]
    config(sw, "agent set status a Available")
    order = []
    for _ in names:
        order.append(waiting.index(told(events, "agent-offering")["CC-Member-Session-UUID"]))
        told(events, "agent-state-change", CC_Agent_State="In a queue call")
        sw.api(f"uuid_kill {waiting[order[-1]]}")
    assert order == [1, 2, 0]


# ---- whatever they do
CONTACTS = ("null/x", "{null_auto_answer_delay=30}null/x", "{null_hangup_cause=USER_BUSY}null/x", "{null_hangup_cause=CALL_REJECTED}null/x",
            "[leg_timeout=1,null_enable_auto_answer=false]null/x", "nosuch/x")


class Life:
    def __init__(self, sw, seed):
        self.sw, self.chance, self.callers, self.joined = sw, random.Random(seed), [], 0
        self.queues = [f"{s}@t" for s in STRATEGIES]

    def agent(self):
        return f"r{self.chance.randrange(15)}"

    def queue(self):
        return self.chance.choice(self.queues)

    def join(self):
        vars = "".join(f",{v}" for v in (self.chance.choice(("", "cc_base_score=9")),) if v)
        reply = self.sw.api("originate {origination_caller_id_number=%d%s}null/c &callcenter(%s)" % (self.chance.randrange(50), vars, self.queue()))
        self.callers += re.findall(r"\+OK (\S+)", reply)
        self.joined += 1

    def leave(self):
        if self.callers:
            uuid = self.callers.pop(self.chance.randrange(len(self.callers)))
            self.sw.api(self.chance.choice(("uuid_kill", "uuid_break", "uuid_park", "uuid_hold")) + " " + uuid)

    def command(self):
        a, q = self.agent(), self.queue()
        self.sw.api("callcenter_config " + self.chance.choice((
            f"agent add {a} callback", f"agent set contact {a} {self.chance.choice(CONTACTS)}", f"agent set status {a} Available",
            f"agent set status {a} 'On Break'", f"agent set status {a} 'Logged Out'", f"agent set status {a} 'Available (On Demand)'",
            f"agent set state {a} Waiting", f"agent set max_no_answer {a} 2", f"tier add {q} {a} {self.chance.randrange(3)} {self.chance.randrange(3)}",
            f"tier set level {q} {a} 2", f"tier del {q} {a}", f"queue reload {q}", f"agent del {a}")))

    def upset(self):
        q = self.queue()
        self.sw.api(f"callcenter_config queue unload {q}")
        self.sw.api(f"callcenter_config queue load {q}")

    def hold(self):
        """What must be true after each step; each report is of one moment."""
        q = self.queue()
        rows = members(self.sw, q) if "|" in self.sw.api(f"callcenter_config queue list members {q}") else []
        here = [m["session_uuid"] for m in rows if m["session_uuid"]]
        assert len(here) == len(set(here)), rows
        for m in rows:
            assert m["state"] in ("Waiting", "Trying", "Answered", "Abandoned"), m
            assert (m["state"] == "Abandoned") == (m["session_uuid"] == ""), m
            assert m["serving_agent"] or m["state"] in ("Waiting", "Abandoned"), m
        busy = [m["serving_agent"] for m in rows if m["state"] == "Answered"]
        assert len(busy) >= len(set(busy))
        tiers = [(r["queue"], r["agent"]) for r in table(self.sw, "tier list")] if "|" in self.sw.api("callcenter_config tier list") else []
        assert len(tiers) == len(set(tiers))
        for r in tiers:
            assert r[0] in self.queues


def test_whatever_they_do(sw):
    life = Life(sw, "life")
    for i in range(15):
        for words in (f"agent add r{i} callback", f"agent set contact r{i} {CONTACTS[i % len(CONTACTS)]}", f"agent set status r{i} Available"):
            config(sw, words)
        for q in life.chance.sample(life.queues, 3):
            config(sw, f"tier add {q} r{i} {i % 3} {i % 2}")
    while life.joined < CALLERS:
        life.chance.choices((life.join, life.leave, life.command, life.upset), (10, 8, 5, 0.3))[0]()
        life.hold()
