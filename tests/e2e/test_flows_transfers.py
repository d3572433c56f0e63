"""Where a transferred call came from, who sent it there, and what becomes of the one who did: by events, variables and records."""
import re
from urllib.parse import quote

import pytest
import tandem as t
from calls import bridged, call_and_talk, ended, extension, is_pair, refer, replaces_of, second_line, talks, uuid_of, write_extensions
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("transfers") / "instance", "conf")
    write_extensions(sw, [
        extension("8001", "bridge user/1001", "set feedback=asked", "hangup"),
        extension("8002", "set hangup_after_bridge=true", "bridge user/1001", "set feedback=asked", "hangup"),
        extension("8003", "bridge loopback/app=park"),
        extension("8004", "bridge loopback/app=set:got=it:whole^~"),
        extension("8005", "bridge loopback/8006"),
        extension("8006", "answer", "park"),
        extension("8007", "bind_meta_app 1 b s att_xfer::user/1002", "bridge user/1001"),
    ])
    sw.start()
    yield sw
    sw.stop()


@pytest.fixture
def events(sw):
    esl = sw.esl()
    esl.subscribe("CHANNEL_HANGUP_COMPLETE CHANNEL_CREATE CHANNEL_BRIDGE")
    yield esl
    esl.close()


def record(events, uuid):
    """Of that leg, whichever ended first."""
    kept = events.__dict__.setdefault("records", {})
    while uuid not in kept:
        e = events.wait_event("CHANNEL_HANGUP_COMPLETE")
        kept[e["Unique-ID"]] = e
    return kept[uuid]


def history(e):
    """Its transfers without the times and the uuids of the records."""
    text = e.get("variable_transfer_history", "")
    rows = text.removeprefix("ARRAY::").split("|:") if text else []
    assert all(re.fullmatch(r"\d{10}:[0-9a-f-]{36}:(bl_xfer|att_xfer|uuid_br):.+", r) for r in rows), rows
    return [r.split(":", 2)[2] for r in rows]


# ---- blind
@pytest.mark.parametrize("number,goes_on", [("8001", True), ("8002", False)])
def test_blind_by_the_caller(sw, phone, events, number, goes_on):
    """Its bridge ends and its dialplan goes on, unless hangup_after_bridge."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite(number)
    b.take()
    a.answered()
    ids = {u: uuid_of(sw, u) for u in ("1000", "1001")}
    assert refer(a, "<sip:1002@127.0.0.1>").body == "SIP/2.0 200 OK\r\n"
    ended(a)
    e = record(events, ids["1000"])
    assert (e.get("variable_feedback"), e["variable_last_app"]) == (("asked", "hangup") if goes_on else (None, "bridge"))
    assert (e["variable_endpoint_disposition"], e["variable_transfer_to"], e["variable_transfer_destination"]) == (
        "BLIND_TRANSFER", f"blind:{ids['1001']}", "blind:1002")
    assert e["variable_transfer_fallback_extension"] == "1000"
    c.take()
    c.own_request("BYE")
    c.expect(200)
    ended(b)
    e = record(events, ids["1001"])
    assert history(e) == ["bl_xfer:1002/default/XML"] and e["Caller-Transfer-Source"].endswith(":bl_xfer:1002/default/XML")
    assert "variable_transfer_fallback_extension" not in e


def test_blind_by_the_called(sw, phone, events):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("8001")
    b.take()
    a.answered()
    ids = {u: uuid_of(sw, u) for u in ("1000", "1001")}
    refer(b, "<sip:1002@127.0.0.1>", by_callee=True)
    ended(b)
    e = record(events, ids["1001"])
    assert (e["Hangup-Cause"], e["variable_transfer_to"]) == ("NORMAL_CLEARING", f"blind:{ids['1000']}")
    c.take()
    a.bye()
    ended(c)
    e = record(events, ids["1000"])
    assert history(e) == ["bl_xfer:1002/default/XML"] and e["Caller-RDNIS"] == "8001"
    assert "variable_feedback" not in e


# ---- attended
def test_attended_by_the_caller(sw, phone, events):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("1001")
    b.take()
    a.answered()
    line = second_line(sw, a, c)
    ids = {u: uuid_of(sw, u) for u in ("1001", "1002")}
    own = {m.group(1) for m in re.finditer(r"^([0-9a-f-]{36}),inbound", sw.api("show channels"), re.M)}
    refer(a, f"<sip:1002@127.0.0.1?Replaces={quote(replaces_of(line), safe='')}>")
    assert {ended(line).get("Reason"), ended(a).get("Reason")} == {'Q.850;cause=16;text="NORMAL_CLEARING"'}
    first = [record(events, u) for u in sorted(own)]
    assert {e.get("variable_transfer_to") for e in first} == {None, f"att:{ids['1002']}"}
    b.own_request("BYE")
    b.expect(200)
    ended(c)
    for user, other in (("1001", "1000"), ("1002", "1000")):
        got = history(record(events, ids[user]))
        assert got[0] == f"att_xfer:{other}@127.0.0.1/{user}@127.0.0.1" and got[1].startswith("uuid_br:"), got
    line.close()


def test_attended_by_the_called(sw, phone, events):
    """A calls B, B calls C and joins the two."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("8001")
    b.take()
    a.answered()
    line = second_line(sw, b, c)
    ids = {"1000": uuid_of(sw, "1000"), "1002": uuid_of(sw, "1002"), "1001": uuid_of(sw, "1001", "outbound"),
           "line": uuid_of(sw, "1001", "inbound")}
    refer(b, f"<sip:1002@127.0.0.1?Replaces={quote(replaces_of(line), safe='')}>", by_callee=True)
    assert ended(line).get("Reason") == 'SIP;cause=801;text="ATTENDED_TRANSFER"'
    ended(b)
    assert record(events, ids["line"])["Hangup-Cause"] == "ATTENDED_TRANSFER"
    talks(a, c)
    a.bye()
    ended(c)
    called, caller = record(events, ids["1002"]), None
    assert (called["Caller-Caller-ID-Number"], called["Caller-Callee-ID-Number"]) == ("1000", "1002")
    assert history(called)[0] == "att_xfer:1001@127.0.0.1/1002@127.0.0.1"
    line.close()


def test_the_caller_of_an_attended_transfer_knows_whom_it_reached(sw, phone, events):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("8001")
    b.take()
    a.answered()
    line = second_line(sw, b, c)
    ids = {"1000": uuid_of(sw, "1000"), "1002": uuid_of(sw, "1002")}
    refer(b, f"<sip:1002@127.0.0.1?Replaces={quote(replaces_of(line), safe='')}>", by_callee=True)
    ended(line)
    ended(b)
    assert sw.api(f"uuid_getvar {ids['1000']} bleg_uuid") == ids["1002"]
    a.bye()
    ended(c)
    e = record(events, ids["1000"])
    assert e["variable_bridge_uuid"] == e["variable_signal_bond"] == ids["1002"]
    assert e["Caller-Callee-ID-Number"] == "1002"
    line.close()


def test_att_xfer_by_a_key(sw, phone, events):
    a, b, c = phone("1000", 440), phone("1001", 620), phone("1002", 850)
    bridged(a, b, "8007")
    b.talk.press("*1")
    invite = c.expect(method="INVITE")
    c.reply(invite, 200, "OK", sdp(c.rtp_port))
    c.expect(method="ACK")
    c.enter(invite)
    talks(c)
    is_pair(b, c)
    ids = {u: uuid_of(sw, u) for u in ("1000", "1002")}
    b.talk.stop()
    b.talk = None
    b.own_request("BYE")
    b.expect(200)
    is_pair(a, c)
    a.bye()
    ended(c)
    for user, other in (("1002", "1000"), ("1000", "1002")):
        e = record(events, ids[user])
        assert history(e)[-1] == f"uuid_br:{ids[other]}"
        shown = "Caller-Callee-ID-Number" if user == "1000" else "Caller-Caller-ID-Number"
        assert e[shown] == other


def test_uuid_bridge_shows_the_new_partner(sw, phone, events):
    a, b, c, d = phone("1000", 440), phone("1001"), phone("1002"), phone("1003")
    for p, q in ((a, b), (c, d)):
        p.invite(q.user)
        q.take()
        p.answered()
    ids = {u: uuid_of(sw, u) for u in ("1000", "1003")}
    sw.api(f"uuid_bridge {ids['1000']} {ids['1003']}")
    events.wait_event("CHANNEL_BRIDGE", Bridge_A_Unique_ID=ids["1000"], Bridge_B_Unique_ID=ids["1003"])
    a.bye()
    ended(d)
    assert record(events, ids["1000"])["Caller-Callee-ID-Number"] == "1003"
    assert record(events, ids["1003"])["Caller-Caller-ID-Number"] == "1000"


# ---- loopback
@pytest.mark.parametrize("number,name", [("8003", "park"), ("8005", "8006")])
def test_loopback_is_named_as_what_it_runs(sw, phone, events, number, name):
    a = phone("1000")
    a.invite(number)
    a.expect(183 if name == "park" else 200)
    made = [events.wait_event("CHANNEL_CREATE") for _ in range(3)][1:]
    assert [e["Channel-Name"] for e in made] == [f"loopback/{name}-a", f"loopback/{name}-b"]
    assert [e["Caller-Destination-Number"] for e in made] == [name, name]


def test_loopback_gives_an_application_its_arguments_whole(sw, phone):
    esl = sw.esl()
    esl.subscribe("CHANNEL_EXECUTE")
    a = phone("1000")
    a.invite("8004")
    e = esl.wait_event("CHANNEL_EXECUTE", Application="set")
    assert e["Application-Data"] == "got=it:whole^~" and e["Channel-Name"] == "loopback/set-b"
    assert e["variable_loopback_leg"] == "B" and e["Caller-Destination-Number"] == "set"
    esl.close()
