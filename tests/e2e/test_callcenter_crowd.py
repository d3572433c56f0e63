"""A crowd at the call centre that does whatever it likes, with all that is beyond mod_callcenter too: what must hold holds after each step, and in
the end nobody is left. The long run: ./dev soak -k crowd, or with TANDEM_BUILD=build-asan."""
import json
import os

import pytest
import tandem as t
from callcenter import agents, becomes_quiet, config, configure, members, queue, table
from test_callcenter_order import CONTACTS, STRATEGIES, Life

pytestmark = pytest.mark.leaks
MANY = int(os.environ.get("TANDEM_CC_CROWD", "10000"))
SKILLS = ("english", "german", "billing")


def queues():
    out = []
    for i, name in enumerate(STRATEGIES):
        params = dict(strategy=name, ring_progressively_delay=1, discard_abandoned_after=0, callback_tries=2, callback_retry_after=1,
                      callback_contact="{null_auto_answer_delay=20}null/${cc_callback_number}", sticky_agent="true", sticky_wait=1, skills_relax_every=1)
        if i % 3 == 0:
            params.update(overflow_after=2, overflow_to=f"queue:{STRATEGIES[(i + 1) % len(STRATEGIES)]}@t")
        if i % 3 == 1:
            params.update(overflow_waiting=40, overflow_to=f"queue:{STRATEGIES[(i + 1) % len(STRATEGIES)]}@t", wrap_up_code_time=1)
        out.append(queue(f"{name}@t", **params))
    return out


@pytest.fixture
def sw(tmp_path):
    s = t.Tandem(tmp_path / "instance")
    configure(s, queues(), settings='<param name="agent-originate-timeout" value="2"/><param name="history" value="true"/>')
    s.start()
    s.api("fsctl sps 100000")
    yield s
    s.stop()


class Crowd(Life):
    FIGURES = ("answered", "abandoned", "callback_failed", "overflow", "missed")

    def __init__(self, sw, seed):
        super().__init__(sw, seed)
        self.gone = dict.fromkeys(self.FIGURES, 0)  # with queues that were unloaded

    def figures(self, queue=""):
        live = json.loads(self.sw.api(f"callcenter_report live {queue}"))
        return {k: sum(q[k] for q in live) for k in self.FIGURES}

    def upset(self):
        q = self.queue()
        for k, n in self.figures(q).items():
            self.gone[k] += n
        self.sw.api(f"callcenter_config queue unload {q}")
        self.sw.api(f"callcenter_config queue load {q}")

    def join(self):
        need = self.chance.choice(("", "", "english", "english:3", "german:2,billing"))
        extra = f",cc_skills='{need}'".replace(",billing", "\\,billing") if need else ""
        extra += self.chance.choice(("", "", f",cc_sticky_agent={self.agent()}"))
        reply = self.sw.api("originate {origination_callee_id_number=%d%s}null/c &callcenter(%s)" % (1000 + self.chance.randrange(50), extra, self.queue()))
        self.callers += [reply.split()[1]] if reply.startswith("+OK ") else []
        self.joined += 1

    def beyond(self):
        a, q = self.agent(), self.queue()
        self.sw.api("callcenter_config " + self.chance.choice((
            f"agent skill {a} {self.chance.choice(SKILLS)} {self.chance.randrange(4)}", f"agent pause {a} lunch", f"agent resume {a}",
            f"agent wrapup {a} done a note", f"queue callback {q} {2000 + self.chance.randrange(50)} Back", f"queue callback {q} {2000 + self.chance.randrange(50)}")))

    def staff(self):
        """One more comes to work."""
        a = self.agent()
        for words in (f"agent add {a} callback", f"agent set contact {a} {self.chance.choice(CONTACTS)}", *(f"tier add {q} {a} 1 1" for q in self.chance.sample(self.queues, 4)),
                      f"agent skill {a} {self.chance.choice(SKILLS)} 3", f"agent resume {a}"):
            self.sw.api("callcenter_config " + words)

    def recall(self):
        back = json.loads(self.sw.api("callcenter_report callbacks"))
        if back:
            self.sw.api(f"callcenter_config queue callback_del {self.chance.choice(back)['uuid']}")

    def hold(self):
        q = self.queue()
        rows = members(self.sw, q) if "|" in self.sw.api(f"callcenter_config queue list members {q}") else []
        here = [m["session_uuid"] for m in rows if m["session_uuid"]]
        assert len(here) == len(set(here)) and len({m["uuid"] for m in rows}) == len(rows), rows
        for m in rows:
            assert m["state"] in ("Waiting", "Trying", "Answered", "Abandoned"), m
            assert m["session_uuid"] or m["state"] != "Answered", m
            assert m["serving_agent"] or m["state"] in ("Waiting", "Abandoned"), m
        live = json.loads(self.sw.api(f"callcenter_report live {q}"))
        for one in live:  # of one moment
            assert one["waiting"] >= 0 and one["agents_free"] <= one["agents_available"], one
        everybody = {a["name"]: a for a in table(self.sw, "agent list")} if "|" in self.sw.api("callcenter_config agent list") else {}
        for a in everybody.values():
            assert a["state"] in ("Waiting", "Idle", "Receiving", "In a queue call", "Reserved"), a
        tiers = [(r["queue"], r["agent"]) for r in table(self.sw, "tier list")] if "|" in self.sw.api("callcenter_config tier list") else []
        assert len(tiers) == len(set(tiers)) and all(r[0] in self.queues for r in tiers)


def crowd(sw, seed, count):
    life = Crowd(sw, seed)
    for i in range(15):
        for words in (f"agent add r{i} callback", f"agent set contact r{i} {CONTACTS[i % len(CONTACTS)]}", f"agent set status r{i} Available",
                      f"agent skill r{i} {SKILLS[i % 3]} {1 + i % 3}"):
            config(sw, words)
        for q in life.chance.sample(life.queues, 3):
            config(sw, f"tier add {q} r{i} {i % 3} {i % 2}")
    while life.joined < count:
        life.chance.choices((life.join, life.leave, life.command, life.beyond, life.staff, life.recall, life.upset), (10, 5, 2, 4, 6, 0.5, 0.05))[0]()
        life.hold()
    # it was no sham: callers were let in, answered, gave up, were called back
    done = {k: n + life.gone[k] for k, n in life.figures().items()}
    print(done)
    # fifteen agents, whose calls take their time however many callers come in it
    assert done["answered"] > min(count // 100, 60) and done["abandoned"] and done["missed"], done
    # the end: everybody goes, and nobody is left
    for q in life.queues:
        sw.api(f"callcenter_config queue unload {q}")
    sw.api("hupall")
    sw.wait_calls(0)
    for q in life.queues:
        sw.api(f"callcenter_config queue load {q}")
    becomes_quiet(sw, *life.queues)
    assert json.loads(sw.api("callcenter_report callbacks")) == []
    assert all(not members(sw, q) for q in life.queues)
    for name in agents(sw):
        config(sw, f"agent del {name}")
    for _ in range(100):  # no coroutine of it is left
        if sw.api("unload mod_callcenter").startswith("+OK"):
            break
        sw.api("msleep 50")
    else:
        pytest.fail("the module cannot be unloaded: somebody is left")


def test_a_crowd(sw):
    crowd(sw, "crowd", 200)


@pytest.mark.soak
def test_a_crowd_of_ten_thousand(sw):
    crowd(sw, "ten thousand", MANY)
