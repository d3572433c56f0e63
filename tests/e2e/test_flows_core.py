"""How a call's end, holds, recordings, hooks and transfers are told in variables, events and records: as FreeSWITCH tells them. Scripted
phones; the values were recorded from the real thing."""
import re
import time
import wave

import pytest
from calls import call, ended, extension, rtp, write_extensions
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("flows") / "instance")
    s.file = s.root / "said.wav"
    write_extensions(s, [
        extension("7300", "set hangup_after_bridge=true", "bridge user/1001"),
        extension("7301", "bridge user/1001", "park"),
        extension("7302", "answer", "bridge user/1001"),
        extension("7303", "answer", f"record {s.file} 60"),
        extension("7304", "set execute_on_answer=push order=1", "set execute_on_answer_2=push order=2",
                  "set execute_on_pre_answer=push order=p", "set execute_on_media=push order=m", "pre_answer", "answer", "sleep 200", "park"),
        extension("7305", "answer", "park"),
        extension("7306", "set execute_on_post_bridge=push order=1", "set execute_on_post_bridge_2=${caller_id_number} x",
                  "set park_after_bridge=true", "bridge user/1001"),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def finished(sw):
    """Waits for the end of a leg, by what its record says: its variables."""
    events = sw.esl()
    events.subscribe("CHANNEL_HANGUP_COMPLETE CHANNEL_HOLD CHANNEL_UNHOLD CHANNEL_CALLSTATE CHANNEL_PARK")

    def wait(**match):
        e = events.wait_event("CHANNEL_HANGUP_COMPLETE", **match)
        return lambda name: e.get(f"variable_{name}")
    wait.events = events
    yield wait
    events.close()


def test_a_cause_beyond_q850_counts_as_normal(sw, phone, finished):
    a, b = phone("1000"), phone("1001")
    a.invite("7301")
    b.expect(method="INVITE")
    a.cancel()
    var = finished(**{"Call-Direction": "inbound"})
    assert (var("hangup_cause"), var("hangup_cause_q850")) == ("ORIGINATOR_CANCEL", "16")


def test_the_called_partys_cause_is_the_callers(sw, phone, finished):
    a, b = phone("1000"), phone("1001")
    a.invite("7300")
    b.take()
    a.answered()
    b.own_request("BYE", extra='Reason: Q.850;cause=17;text="lab"\n')
    b.expect(200)
    ended(a)
    var = finished(**{"Call-Direction": "inbound"})
    assert var("hangup_cause") == "USER_BUSY"


def test_who_rings_still_is_cancelled(sw, phone, finished):
    """An answered caller hangs up while the called one gives early media."""
    a, b = phone("1000"), phone("1001")
    call(a, "7302")
    invite = b.expect(method="INVITE")
    b.reply(invite, 183, "Session Progress", sdp(b.rtp_port))
    sw.wait_log("Pre-Answer")
    a.bye()
    cancel = b.expect(method="CANCEL")
    b.reply(cancel, 200, "OK")
    b.reply(invite, 487, "Request Terminated")
    b.expect(method="ACK")
    var = finished(**{"Call-Direction": "outbound"})
    assert var("hangup_cause") == "ORIGINATOR_CANCEL"


@pytest.mark.parametrize("who", ["kill", "caller", "called"])
def test_bridge_hangup_cause(sw, phone, finished, who):
    a, b = phone("1000"), phone("1001")
    a.invite("7300")
    b.take()
    a.answered()
    legs = {row["direction"]: row["uuid"] for row in _channels(sw)}
    if who == "kill":
        sw.api(f"uuid_kill {legs['inbound']} USER_BUSY")
        ended(a)
        ended(b)
    elif who == "caller":
        a.bye()
        ended(b)
    else:
        b.own_request("BYE")
        b.expect(200)
        ended(a)
    causes = {}
    while len(causes) < 2:
        e = finished.events.wait_event("CHANNEL_HANGUP_COMPLETE")
        causes[e["Call-Direction"]] = e.get("variable_bridge_hangup_cause")
    assert causes == {"kill": {"inbound": "NORMAL_CLEARING", "outbound": "USER_BUSY"},
                      "caller": {"inbound": "NORMAL_CLEARING", "outbound": "NORMAL_CLEARING"},
                      "called": {"inbound": "NORMAL_CLEARING", "outbound": None}}[who]


def _channels(sw):
    import json
    return json.loads(sw.api("show channels as json")).get("rows", [])


def test_holds_are_in_the_records(sw, phone, finished):
    a, b = phone("1000"), phone("1001")
    a.invite("7300")
    b.take()
    a.answered()
    uuid = next(row["uuid"] for row in _channels(sw) if row["direction"] == "inbound")
    peer = next(row["uuid"] for row in _channels(sw) if row["direction"] == "outbound")
    seen = []
    for direction in ("sendonly", "sendrecv", "sendonly"):
        a.request("INVITE", body=sdp(a.rtp_port, direction=direction, version=len(seen) + 2))
        ok = a.expect(200)
        a.request("ACK", cseq=int(ok.get("CSeq").split()[0]))
        name = "CHANNEL_UNHOLD" if direction == "sendrecv" else "CHANNEL_HOLD"
        seen.append(finished.events.wait_event(name, **{"Unique-ID": uuid}))
    assert [e["Channel-Call-State"] for e in seen] == ["HELD", "UNHELD", "HELD"]
    a.bye()  # on hold: that hold is over now
    assert finished.events.wait_event("CHANNEL_UNHOLD", **{"Unique-ID": uuid})["Answer-State"] == "answered"
    ended(b)
    var = finished(**{"Unique-ID": uuid})
    holds = re.fullmatch(r"\{\{(\d+),(\d+)\},\{(\d+),(\d+)\}\}", var("hold_events"))
    on = [int(x) for x in holds.groups()]
    assert on == sorted(on) and on[0] < on[1] and on[2] < on[3]
    total = on[1] - on[0] + on[3] - on[2]
    assert abs(int(var("hold_accum_usec")) - total) < 10000
    file = next(iter(sw.root.glob(f"log/xml_cdr/*{uuid}*.xml")), None) or _wait_file(sw, uuid)
    record = file.read_text()
    assert re.findall(r'<hold on="(\d+)" off="(\d+)" bridged-to="([^"]+)">', record) == [
        (holds[1], holds[2], peer), (holds[3], holds[4], peer)]


def _wait_file(sw, uuid):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for file in sw.root.rglob(f"*{uuid}*.xml"):
            return file
        time.sleep(0.05)
    raise AssertionError("no record")


def test_a_recording_that_the_hang_up_ends_has_its_length(sw, phone, finished):
    a = phone("1000")
    call(a, "7303")
    deadline = time.monotonic() + 1.2
    seq = 0
    while time.monotonic() < deadline:
        a.media.sendto(rtp(seq), ("127.0.0.1", a.remote_rtp))
        seq += 1
        time.sleep(0.02)
    a.bye()
    var = finished(**{"Call-Direction": "inbound"})
    with wave.open(str(sw.file)) as f:
        frames = f.getnframes()
    assert frames > 4000
    assert int(var("record_samples")) == frames
    assert int(var("record_ms")) == frames // 8
    assert int(var("record_file_size")) == sw.file.stat().st_size


def test_hooks_run_in_the_order_in_which_they_were_set(sw, phone, finished):
    a = phone("1000")
    call(a, "7304")
    e = finished.events.wait_event("CHANNEL_PARK")
    assert e["variable_order"] == "ARRAY::p|:m|:1|:2"
    a.bye()


def test_a_hook_that_is_refused_keeps_none_of_the_others(sw, phone, finished):
    """The last one is named by what the caller says: what comes after the bridge waits for the one before it."""
    a, b = phone("1000"), phone("1001")
    a.invite("7306")
    b.take()
    a.answered()
    b.own_request("BYE")
    b.expect(200)
    e = finished.events.wait_event("CHANNEL_PARK")
    assert e["variable_order"] == "1"
    sw.wait_log("named from outside")
    a.bye()


def test_where_a_transferred_leg_came_from(sw, phone, finished):
    a = phone("1000")
    call(a, "7305")
    uuid = finished.events.wait_event("CHANNEL_PARK")["Unique-ID"]
    for number in ("7305", "7305"):
        assert sw.api(f"uuid_transfer {uuid} {number}").startswith("+OK")
        e = finished.events.wait_event("CHANNEL_PARK", **{"Unique-ID": uuid})
    one = r"\d{10}:[0-9a-f-]{36}:bl_xfer:7305/default/XML"
    assert re.fullmatch(one, e["Caller-Transfer-Source"])
    assert e["variable_transfer_source"] == e["Caller-Transfer-Source"]
    assert re.fullmatch(rf"ARRAY::{one}\|:{one}", e["variable_transfer_history"])
    assert e["Caller-RDNIS"] == "7305"
    a.bye()


def test_where_legs_joined_from_outside_came_from(sw, phone, finished):
    a, b = phone("1000"), phone("1001")
    uuids = []
    for p in (a, b):
        call(p, "7305")
        uuids.append(finished.events.wait_event("CHANNEL_PARK")["Unique-ID"])
    assert sw.api(f"uuid_bridge {uuids[0]} {uuids[1]}").startswith("+OK")
    a.bye()
    ended(b)
    ends = [finished.events.wait_event("CHANNEL_HANGUP_COMPLETE") for _ in uuids]  # in any order
    sources = {e["Unique-ID"]: e["variable_transfer_source"] for e in ends}
    for uuid, other in (uuids, uuids[::-1]):
        assert re.fullmatch(rf"\d{{10}}:[0-9a-f-]{{36}}:uuid_br:{other}", sources[uuid])
