"""What records and events tell of a call beside its end: who was dialled in vain, who was transferred, re-INVITEs, what plays and what
cannot, whose presence a leg is."""
import re
import time
import xml.etree.ElementTree as ET

import pytest
import tandem as t
from calls import ended, extension, refer, uuid_of, write_extensions
from wire import Phone, sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("records") / "instance", "conf")
    conf = sw.root / "conf/autoload_configs/xml_cdr.conf.xml"
    assert '"prefix-a-leg" value="true"' in conf.read_text()
    conf.write_text(conf.read_text().replace('"log-b-leg" value="false"', '"log-b-leg" value="true"'))
    profile = sw.root / "conf/sip_profiles/internal.xml"
    assert '<param name="manage-presence" value="true"/>' in profile.read_text()
    write_extensions(sw, [
        extension("8001", "bridge user/1001|user/1002"),
        extension("8002", "set continue_on_fail=true", "bridge user/1001,user/1002", "hangup USER_BUSY"),
        extension("8003", "answer", "playback nosuch.wav", "playback silence_stream://100", "park"),
        extension("8004", "answer", "bridge user/1001"),
        extension("8006", "answer", "queue_dtmf 77#", "read 1 5 silence_stream://2000 got 1000 #", "park"),
        extension("8005", "bridge user/1001"),
    ])
    sw.start()
    yield sw
    sw.stop()


@pytest.fixture
def events(sw):
    esl = sw.esl()
    esl.subscribe("ALL")
    yield esl
    esl.close()


def record(sw, uuid, prefix):
    """The XML of a leg's record, as soon as it is there whole."""
    path = sw.root / f"log/xml_cdr/{prefix}{uuid}.cdr.xml"
    deadline = time.monotonic() + 15
    while not path.exists():
        assert time.monotonic() < deadline, [p.name for p in path.parent.glob("*")]
        time.sleep(0.02)
    return ET.fromstring(path.read_text())


def called(tree, kind):
    return [p.findtext("destination_number") for p in tree.findall(f"callflow/caller_profile/{kind}/{kind}_caller_profile")]


def refuse(p, code=486):
    invite = p.expect(method="INVITE")
    p.reply(invite, code, "No")
    p.expect(method="ACK")


# ---- records
def test_the_record_lists_who_was_dialled(sw, phone):
    """In turn, the first refuses: both were dialled, the second answered (user/ is a call within the call: told twice)."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("8001")
    refuse(b)
    c.take()
    a.answered()
    ids = {u: uuid_of(sw, u) for u in ("1000", "1002")}
    a.bye()
    ended(c)
    tree = record(sw, ids["1000"], "a_")
    assert called(tree, "origination") == ["1002", "1002", "1001"] and called(tree, "originatee") == ["1002", "1002"]
    assert "clone-of" not in tree.find("callflow").attrib
    tree = record(sw, ids["1002"], "")
    assert tree.find("callflow").attrib["clone-of"] == ids["1000"] and not called(tree, "origination")


def test_the_record_lists_who_was_dialled_in_vain(sw, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("8002")
    uuid = uuid_of(sw, "1000")
    refuse(b)
    refuse(c)
    a.ack_failure(a.expect(486))
    tree = record(sw, uuid, "a_")
    assert sorted(called(tree, "origination")) == ["1001", "1002"] and not called(tree, "originatee")


def test_a_called_leg_that_was_transferred_is_nobodys(sw, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("8005")
    b.take()
    a.answered()
    uuid = uuid_of(sw, "1001")
    refer(a, "<sip:1002@127.0.0.1>")
    ended(a)
    c.take()
    c.own_request("BYE")
    c.expect(200)
    ended(b)
    tree = record(sw, uuid, "a_")
    assert [f.attrib.get("clone-of") is not None for f in tree.findall("callflow")] == [True, True]
    assert called(tree, "originatee")[0] == "1002"


# ---- events
def test_a_reinvite_is_told(sw, phone):
    a, b = phone("1000"), phone("1001")
    esl = sw.esl()
    esl.command("event plain CUSTOM sofia::reinvite")
    a.invite("8005")
    b.take()
    a.answered()
    uuid = uuid_of(sw, "1000")
    a.request("INVITE", body=sdp(a.rtp_port, direction="sendonly", version=2))
    a.answered()
    e = esl.wait_event("CUSTOM", Event_Subclass="sofia::reinvite")
    assert e["Unique-ID"] == uuid and e["profile-name"] == "internal"
    esl.close()
    a.bye()
    ended(b)


def test_what_cannot_be_played_does_not_play(sw, phone, events):
    a = phone("1000")
    a.invite("8003")
    a.answered()
    e = events.wait_event("PLAYBACK_START")
    assert e["Playback-File-Path"] == "silence_stream://100"
    assert events.wait_event("PLAYBACK_STOP")["Playback-File-Path"] == "silence_stream://100"
    a.bye()


def test_keys_that_wait_end_what_plays(sw, phone, events):
    """It begins all the same, and no key is lost."""
    a = phone("1000")
    a.invite("8006")
    a.answered()
    assert events.wait_event("PLAYBACK_START")["Playback-File-Path"] == "silence_stream://2000"
    assert events.wait_event("PLAYBACK_STOP")["Playback-Status"] == "break"
    assert events.wait_event("CHANNEL_PARK")["variable_got"] == "77"
    a.bye()


@pytest.mark.parametrize("answers", [True, False])
def test_an_answered_leg_that_dials_waits(sw, phone, events, answers):
    a, b = phone("1000"), phone("1001")
    a.invite("8004")
    a.answered()
    uuid = uuid_of(sw, "1000")
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, "Ringing")
    e = events.wait_event("CHANNEL_CALLSTATE", Unique_ID=uuid, Channel_Call_State="RING_WAIT")
    assert e["Original-Channel-Call-State"] == "ACTIVE"
    if answers:
        b.reply(invite, 200, "OK", sdp(b.rtp_port))
        b.expect(method="ACK")
        b.enter(invite)
        e = events.wait_event("CHANNEL_CALLSTATE", Unique_ID=uuid, Channel_Call_State="ACTIVE")
        assert e["Original-Channel-Call-State"] == "RING_WAIT"
        a.bye()
        ended(b)
    else:
        a.bye()
        cancel = b.expect(method="CANCEL")
        b.reply(cancel, 200, "OK", tag=False)
        b.reply(invite, 487, "Request Terminated")
        b.expect(method="ACK")


def test_a_leg_that_leaves_its_partner_is_its_own_caller(sw, phone, events):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("8005")
    b.take()
    a.answered()
    uuid = uuid_of(sw, "1001")
    refer(a, "<sip:1002@127.0.0.1>")
    ended(a)
    e = events.wait_event("CALL_UPDATE", Unique_ID=uuid, Direction="RECV")
    assert (e["Caller-Caller-ID-Number"], e["Caller-Callee-ID-Number"]) == ("1001", "1000")
    c.take()
    b.own_request("BYE")
    b.expect(200)
    ended(c)


def test_presence_is_of_profiles_that_have_it(sw, phone, events):
    a = phone("1000")
    a.invite("8003")
    assert events.wait_event("CHANNEL_CREATE")["variable_presence_id"] == "1000@127.0.0.1"
    a.answered()
    a.bye()
    stranger = Phone(sw, "ext")
    stranger.s.connect(("127.0.0.1", sw.ext_port))
    stranger.call_id, stranger.uri, stranger.to = "stranger", "sip:8009@127.0.0.1", "<sip:8009@127.0.0.1>"
    stranger.request("INVITE", stranger.uri, stranger.to, body=sdp(stranger.rtp_port))
    e = events.wait_event("CHANNEL_CREATE")
    assert e["variable_sofia_profile_name"] == "external"
    assert "variable_presence_id" not in e and "Channel-Presence-ID" not in e
    stranger.ack_failure(next(m for m in (stranger._read(8) for _ in range(5)) if m.code >= 300))
    stranger.close()


# ---- INFO
RELAY = "application/dtmf-relay"
INFOS = {"relay": (RELAY, "Signal=5\r\nDuration=250\r\n", "5", "2000"), "relay-without-duration": (RELAY, "Signal=6\r\n", "6", "2000"),
         "relay-short": (RELAY, "Signal= 7\r\nDuration= 100\r\n", "7", "800"), "digit": ("application/dtmf", "8", "8", "2000"),
         "other": ("application/x-lab", "some text", None, None), "empty": ("", "", None, None)}


@pytest.mark.parametrize("row", INFOS)
def test_each_info_is_told(sw, phone, events, row):
    ctype, body, digit, duration = INFOS[row]
    a = phone("1000")
    a.invite("8003")
    a.answered()
    a.request("INFO", body=body, ctype=ctype)
    e = events.wait_event("RECV_INFO")
    names = ("Content-Type", "From-User", "From-Host", "To-User", "To-Host", "Contact-User", "Contact-Host")
    assert [e.get(f"SIP-{n}") for n in names] == [ctype or None, "1000", "127.0.0.1", "8003", "127.0.0.1", "1000", "127.0.0.1"]
    assert e["_body"] == body and e["Channel-Name"] == "sofia/internal/1000@127.0.0.1"
    if digit:
        e = events.wait_event("DTMF")
        assert (e["DTMF-Digit"], e["DTMF-Duration"]) == (digit, duration)
    a.bye()
