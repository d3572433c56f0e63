"""Web hooks of the call centre: signed, in the journal until the server takes them, never in the way of a call; and what a restart keeps of
skills, call-backs, agents of last time and today's figures."""
import hashlib
import hmac
import json

import pytest
import tandem as t
from callcenter import agent, agents, caller, config, configure, members, queue, told
from tandem import until
from web_server import WebServer

SECRET = "s3cret"
QUEUES = {"desk": dict(discard_abandoned_after=0, screen_pop="https://crm.example/?t={number}", sticky_agent="true"),
          "still": dict(discard_abandoned_after=0, web_hook="false"),
          "back": dict(discard_abandoned_after=0, callback_contact="{null_enable_auto_answer=false}null/${cc_callback_number}", callback_ring_time=600)}


class Crm(WebServer):
    def __init__(self):
        self.code = 200
        super().__init__(lambda r: (self.code, "text/plain", "so"))

    def seen(self, sw, count, timeout_ms=15000):
        """The hooks that were taken, in the order of their ids' first coming."""
        for _ in range(timeout_ms // 50):
            if len(self.taken()) >= count:
                break
            sw.api("msleep 50")
        return self.taken()

    def taken(self):
        out = {}
        for r in list(self.requests):
            out.setdefault(r.headers["X-Tandem-Id"], json.loads(r.body))
        return list(out.values())


@pytest.fixture
def crm():
    c = Crm()
    yield c
    c.stop()


@pytest.fixture
def sw(tmp_path, crm):
    s = t.Tandem(tmp_path / "instance")
    configure(s, [queue(f"{name}@t", **params) for name, params in QUEUES.items()],
              settings=f'<param name="web-hook-url" value="http://127.0.0.1:{crm.port}/hook"/><param name="web-hook-secret" value="{SECRET}"/>'
                       '<param name="history" value="true"/>')
    s.start()
    yield s
    if s.proc and s.proc.poll() is None:
        s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("CUSTOM callcenter::info")
    yield e
    e.close()


def talk(sw, events, name="desk@t", number="5000", vars=""):
    uuid = caller(sw, name, number, vars)
    told(events, "agent-state-change", CC_Agent_State="In a queue call")
    sw.api(f"uuid_kill {uuid}")
    told(events, "agent-state-change", CC_Agent_State="Waiting")
    return uuid


def is_signed(r):
    want = hmac.new(SECRET.encode(), r.headers["X-Tandem-Timestamp"].encode() + b"." + r.body, hashlib.sha256).hexdigest()
    return r.headers["X-Tandem-Signature"] == f"sha256={want}"


def test_a_call_is_told(sw, crm, events):
    agent(sw, "ann", "null/x", "desk@t")
    uuid = talk(sw, events, number="+49/30", vars='origination_callee_id_name=Eve<"x>')
    config(sw, "agent wrapup ann sold all of it")
    hooks = {h["event"]: h for h in crm.seen(sw, 4)}
    assert set(hooks) == {"offered", "answered", "ended", "wrapped"}
    assert all(is_signed(r) and r.method == "POST" and r.path == "/hook" and r.headers["Content-Type"] == "application/json" for r in crm.requests)
    assert hooks["offered"]["session"] == uuid and hooks["offered"]["screen_pop"] == "https://crm.example/?t=%2B49%2F30"
    assert (hooks["answered"]["agent"], hooks["answered"]["caller_number"], hooks["answered"]["caller_name"]) == ("ann", "+49/30", 'Eve<"x>')
    assert hooks["ended"]["outcome"] == "answered" and hooks["ended"]["talked"] >= 0 and hooks["ended"]["waited"] >= 0
    assert (hooks["wrapped"]["code"], hooks["wrapped"]["note"], hooks["wrapped"]["call"]) == ("sold", "all of it", hooks["ended"]["call"])
    config(sw, "agent pause ann")
    gone = caller(sw, "desk@t")
    sw.api(f"uuid_kill {gone}")
    assert crm.seen(sw, 5)[4]["outcome"] == "abandoned"
    agent(sw, "bob", "null/x", "still@t")
    talk(sw, events, "still@t")
    assert len(crm.taken()) == 5  # that queue has none


def test_a_server_that_is_away(sw, crm, events):
    """Its hooks wait, over a restart; calls go on meanwhile."""
    crm.code = 500
    agent(sw, "ann", "null/x", "desk@t")
    first = talk(sw, events)
    crm.seen(sw, 1)
    crm.may_go.clear()  # now it does not even answer
    second = talk(sw, events)
    events.close()
    assert "callcenter_hook" in sw.api("cdr status")
    crm.may_go.set()
    sw.stop()
    crm.code = 200
    crm.requests.clear()
    sw.start()
    hooks = crm.seen(sw, 6)
    assert {(h["event"], h["session"]) for h in hooks} >= {(e, u) for e in ("offered", "answered", "ended") for u in (first, second)}
    assert all(is_signed(r) for r in crm.requests)


def agents_told(sw):
    return {a["agent"]: a for a in json.loads(sw.api("callcenter_report agents"))}


def test_what_a_restart_keeps(sw, crm, events):
    for name in ("ann", "bob"):
        agent(sw, name, "null/x", "desk@t")
    config(sw, "agent skill ann english 3")
    talk(sw, events, number="5551")
    had = next(h["agent"] for h in crm.seen(sw, 2) if h["event"] == "answered")
    config(sw, "agent pause bob lunch")
    assert sw.api("callcenter_config queue callback back@t 1000 Eve").startswith("+OK ")
    events.close()
    sw.stop()
    sw.start()
    # rows are read while the switch already serves; the sums of the history come last
    got = until(lambda: (now := agents_told(sw)) and now[had]["answered"] and now)
    assert (got["ann"]["skills"], got["bob"]["status"], got["bob"]["reason"], got[had]["answered"]) == ("english:3", "On Break", "lunch", 1)
    back = json.loads(sw.api("callcenter_report callbacks"))
    assert [(b["number"], b["name"], b["state"], b["place"]) for b in back] == [("1000", "Eve", "waiting", 1)]
    live = {q["queue"]: q for q in json.loads(sw.api("callcenter_report live"))}
    assert (live["desk@t"]["answered"], live["desk@t"]["service_level"]) == (1, 100)
    # the number has its agent again
    config(sw, "agent resume bob")
    again = sw.esl()
    again.subscribe("CUSTOM callcenter::info")
    caller(sw, "desk@t", "5551")
    assert told(again, "agent-offering")["CC-Agent"] == had
    again.close()
    # and the one who is called back his agent
    agent(sw, "cid", "null/x", "back@t")
    assert agents(sw)["cid"]["state"] == "Reserved"
    assert [m["serving_agent"] for m in members(sw, "back@t")] == ["cid"]
    sw.api("callcenter_config queue callback_del " + back[0]["uuid"])
    assert agents(sw)["cid"]["state"] == "Waiting" and members(sw, "back@t") == []
