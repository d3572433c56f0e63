"""A call's ladder: from any of its ends, while it lasts and after; as text and over HTTP; secrets for who may see them."""
import re

import pytest
from http_client import Door


@pytest.fixture(scope="module")
def call(sw, tmp_path_factory):
    """A bridged call that is over."""
    from wire import Phone
    a, b = Phone(sw, "1000"), Phone(sw, "1001")
    a.register(), b.register()
    events = sw.esl()
    events.subscribe("CHANNEL_HANGUP_COMPLETE")
    a.invite("1001")
    b.take()
    a.answered()
    during = sw.api(f"sofia ladder {a.call_id}")
    a.bye()
    b.expect(method="BYE")
    b_call = b.call_id
    uuids = {}
    sw.api("hupall")
    for _ in range(2):
        e = events.wait_event("CHANNEL_HANGUP_COMPLETE")
        uuids[e["Call-Direction"]] = e["Unique-ID"]
    events.close()
    yield {"a": a, "b": b, "uuids": uuids, "during": during, "b_call": b_call}
    a.close(), b.close()


def messages(text):
    return [l for l in text.splitlines() if re.match(r"\d\d:\d\d:\d\d\.\d{3}", l)]


def test_text_from_any_end(sw, call):
    assert "INVITE (sdp)" in call["during"]
    texts = [sw.api(f"sofia ladder {k}") for k in (*call["uuids"].values(), call["a"].call_id, call["b_call"])]
    for text in texts:
        assert f"Call-ID: {call['a'].call_id}\n" in text and f"Call-ID: {call['b_call']}\n" in text
    text = texts[0]
    head = next(l for l in text.splitlines() if "Tandem" in l)
    assert re.search(rf"127.0.0.1:{call['a'].port}/udp +Tandem +127.0.0.1:{call['b'].port}/udp", head)
    lines = messages(text)
    for want in ("INVITE (sdp)", "407 Proxy", "100 Trying (INVITE)", "180 Ringing (INVITE)", "200 OK (INVITE) sdp", "ACK", "BYE"):
        assert any(want in l for l in lines), (want, text)
    assert any(re.search(r"\|INVITE|\|-INVITE \(sdp\)-*>\|", l) for l in lines), text
    assert any("<" in l for l in lines)


def test_json(sw, call):
    door = Door(sw)
    got = door.get(f"/v1/calls/{call['uuids']['inbound']}/ladder")
    assert set(got["call_ids"]) == {call["a"].call_id, call["b_call"]} and got["has_more"] is False
    assert got["parties"] == [f"127.0.0.1:{call['a'].port}/udp", "Tandem", f"127.0.0.1:{call['b'].port}/udp"]
    times = [m["time_us"] for m in got["messages"]]
    assert times == sorted(times) and len(times) >= 14
    first = got["messages"][0]
    assert first["direction"] == "in" and first["from"].endswith(f":{call['a'].port}") and first["to"].endswith(f":{sw.sip_port}")
    assert first["summary"] == "INVITE (sdp)" and first["text"].startswith("INVITE sip:1001@")
    assert got["hides_secrets"] is False and any("response=" in m["text"] for m in got["messages"])
    assert door.call("GET", "/v1/calls/nobody/ladder")[0] == 404


def test_secrets_are_for_the_admin(sw, call):
    token = re.search(r"\S{20,}", sw.api("http token add looker read")).group(0)
    got = Door(sw, token).get(f"/v1/calls/{call['uuids']['outbound']}/ladder")
    assert got["hides_secrets"] is True and len(got["messages"]) >= 14
    assert not any("response=" in m["text"] for m in got["messages"])
    assert any("Proxy-Authorization: (left out)" in m["text"] for m in got["messages"])
    assert Door(sw, "wrong").call("GET", f"/v1/calls/{call['uuids']['outbound']}/ladder")[0] == 401


def test_commands(sw, call):
    assert sw.api("sofia ladder").startswith("-ERR Usage")
    assert sw.api("sofia ladder nobody").startswith("-ERR nothing")
    import json
    got = json.loads(sw.api(f"sofia ladder {call['a'].call_id} json"))
    assert got["hides_secrets"] is False


def test_registration(sw, call):
    """A dialog that is no call is found by its Call-ID."""
    text = sw.api(f"sofia ladder reg-{call['a'].port}-{call['a'].tag}")
    assert "REGISTER" in text and "401 Unauthorized" in text and "200 OK (REGISTER)" in text
