"""RFC 5589's transfers with scripted phones: 6.1 blind transfer (successful, refused, unanswered), with the outcome told at once as
FreeSWITCH does and with confirm_blind_transfer; 7.1 to 7.7 attended ones; and what a transferred leg carries."""
import re
import wave
from urllib.parse import quote

import pytest
from calls import arrives, ended, extension, refer, replaces_of, second_line, uuid_of, write_extensions
from talk import Talker, amplitude
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module", autouse=True)
def confirming(tandem):
    """7801: dials 1001, and a REFER of either side is answered by its outcome. 79XX: places to be transferred to."""
    write_extensions(tandem, [
        extension("7801", "export confirm_blind_transfer=true", "bridge user/1001@$${domain}"),
        extension("7901", "set continue_on_fail=true", "bridge user/1002@$${domain}", "blind_transfer_ack false"),
        extension("7902", "blind_transfer_ack true", "playback tone_stream://%(10000,0,440)"),
        extension("7903", "bridge user/1002@$${domain}")], name="rfc5589")
    assert "+OK" in tandem.api("reloadxml")


def established(a, b, number=None):
    a.invite(number or b.user)
    b.take()
    return a.answered()


def asked(p, to, by_callee=False, extra=""):
    """A REFER whose outcome is waited for: the NOTIFY of 100 first."""
    (p.own_request if by_callee else p.request)("REFER", extra=f"Refer-To: {to}\nReferred-By: <sip:{p.user}@127.0.0.1>\n{extra}")
    p.expect(202)
    return told(p, "active;expires=60", "SIP/2.0 100 Trying\r\n")


def told(p, state, body):
    notify = p.expect(method="NOTIFY")
    p.reply(notify, 200, "OK")
    assert notify.get("Subscription-State") == state and notify.body == body, (notify.lines, notify.body)
    assert notify.get("Event").startswith("refer;id=") and notify.get("Content-Type") == "message/sipfrag;version=2.0"
    return notify


TERMINATED = "terminated;reason=noresource"


@pytest.mark.parametrize("by_callee", [False, True], ids=["caller", "callee"])
def test_blind_told_by_its_outcome(tandem, phone, by_callee):
    """6.1: REFER, 202, NOTIFY 100, the new call, NOTIFY 200 when it is answered, BYE."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    established(a, b, "7801")
    who, other = (b, a) if by_callee else (a, b)
    asked(who, "<sip:7903@127.0.0.1>", by_callee)
    invite = c.expect(method="INVITE")
    assert invite.get("Referred-By") == f"<sip:{who.user}@127.0.0.1>"
    c.reply(invite, 180, "Ringing")
    who.expect_nothing("NOTIFY", 0.2)
    c.reply(invite, 200, "OK", sdp(c.rtp_port))
    c.expect(method="ACK")
    c.enter(invite)
    told(who, TERMINATED, "SIP/2.0 200 OK\r\n")
    ended(who)
    assert arrives(other, c) and arrives(c, other)
    c.own_request("BYE")
    c.expect(200)
    ended(other)
    tandem.wait_calls(0)


@pytest.mark.parametrize("number", ["7903", "7901"], ids=["the call ends", "the dialplan says so"])
@pytest.mark.parametrize("by_callee", [False, True], ids=["caller", "callee"])
def test_blind_refused_comes_back(tandem, phone, number, by_callee):
    """6.2: the target is busy: NOTIFY says so, and the two are together again."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    established(a, b, "7801")
    who, other = (b, a) if by_callee else (a, b)
    asked(who, f"<sip:{number}@127.0.0.1>", by_callee)
    invite = c.expect(method="INVITE")
    c.reply(invite, 486, "Busy Here")
    c.expect(method="ACK")
    told(who, TERMINATED, "SIP/2.0 486 Busy Here\r\n")
    assert arrives(who, other) and arrives(other, who)
    if by_callee:
        who.own_request("BYE")
        who.expect(200)
    else:
        who.bye()
    ended(other)
    tandem.wait_calls(0)


def test_blind_to_where_no_call_is_made(tandem, phone):
    """The destination is no phone: the dialplan says that it was reached."""
    a, b = phone("1000"), phone("1001")
    established(a, b, "7801")
    asked(a, "<sip:7902@127.0.0.1>")
    told(a, TERMINATED, "SIP/2.0 200 OK\r\n")
    ended(a)
    b.own_request("BYE")
    b.expect(200)
    tandem.wait_calls(0)


def test_the_transferred_one_hangs_up_meanwhile(tandem, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    established(a, b, "7801")
    asked(a, "<sip:7903@127.0.0.1>")
    invite = c.expect(method="INVITE")
    c.reply(invite, 180, "Ringing")
    b.own_request("BYE")
    b.expect(200)
    cancel = c.expect(method="CANCEL")
    c.reply(cancel, 200, "OK", tag=False)
    c.reply(invite, 487, "Request Terminated")
    c.expect(method="ACK")
    notify = a.expect(method="NOTIFY")
    a.reply(notify, 200, "OK")
    assert notify.body.startswith("SIP/2.0 4") and notify.get("Subscription-State") == TERMINATED
    ended(a)
    tandem.wait_calls(0)


def test_who_asked_hangs_up_meanwhile(tandem, phone):
    """6.1, the transferor does not wait: the transfer goes on."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    established(a, b, "7801")
    asked(a, "<sip:7903@127.0.0.1>")
    invite = c.expect(method="INVITE")
    a.bye()
    c.reply(invite, 200, "OK", sdp(c.rtp_port))
    c.expect(method="ACK")
    c.enter(invite)
    assert arrives(b, c) and arrives(c, b)
    c.own_request("BYE")
    c.expect(200)
    ended(b)
    tandem.wait_calls(0)


def test_an_unanswered_target(tandem, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    established(a, b, "7801")
    asked(a, "<sip:7903@127.0.0.1>")
    invite = c.expect(method="INVITE")
    c.reply(invite, 480, "Temporarily Unavailable")
    c.expect(method="ACK")
    told(a, TERMINATED, "SIP/2.0 480 Temporarily Unavailable\r\n")
    assert arrives(a, b)
    a.bye()
    ended(b)


def test_two_refers_at_once(tandem, phone):
    """The second goes without waiting, since the first one has the leg."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    established(a, b, "7801")
    asked(a, "<sip:7903@127.0.0.1>")
    c.expect(method="INVITE")
    a.request("REFER", extra="Refer-To: <sip:7903@127.0.0.1>\n")
    a.expect(202)
    notify = a.expect(method="NOTIFY")
    a.reply(notify, 200, "OK")
    assert notify.body == "SIP/2.0 403 Forbidden\r\n"
    a.bye()
    b.own_request("BYE")
    b.expect(200)


def test_refused_by_the_profile_or_the_leg(tandem, phone):
    a, b = phone("1000"), phone("1001")
    established(a, b)
    tandem.api(f"uuid_setvar {uuid_of(tandem, '1000')} deny_refer_requests true")
    refer(a, "<sip:1002@127.0.0.1>", code=403)
    assert arrives(a, b)
    a.bye()
    ended(b)


# ---- attended (7.)
def consult(tandem, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    established(a, b)
    return a, b, c, second_line(tandem, a, c)


def joined(b, c):
    assert arrives(b, c) and arrives(c, b)
    c.own_request("BYE")
    c.expect(200)
    ended(b)


@pytest.mark.parametrize("form", ["<sip:1002@127.0.0.1?Replaces={}>", "<sip:1002@127.0.0.1?Require=replaces&Replaces={}>",
                                  "<sip:1002@127.0.0.1:1;transport=udp?Replaces={}>"])
def test_attended(tandem, phone, form):
    """7.3: consultation, REFER with Replaces to the transferee, NOTIFY 200, both calls of the transferor end."""
    a, b, c, line = consult(tandem, phone)
    assert refer(a, form.format(quote(replaces_of(line), safe=""))).body == "SIP/2.0 200 OK\r\n"
    ended(line)
    ended(a)
    joined(b, c)
    tandem.wait_calls(0)
    line.close()


def test_attended_that_names_a_call_of_another_switch(tandem, phone):
    """The dialog is not ours: the new call brings Replaces along."""
    a, b, c, line = consult(tandem, phone)
    refer(a, f"<sip:1003@127.0.0.1?Replaces={quote('elsewhere@x;to-tag=1;from-tag=2', safe='')}>")
    d = phone("1003")
    ended(a)
    c.own_request("BYE")
    c.expect(200)
    ended(line)
    try:
        invite = d.expect(method="INVITE", timeout=2)
        assert invite.get("Replaces") == "elsewhere@x;to-tag=1;from-tag=2"
        d.reply(invite, 603, "Decline")
        d.expect(method="ACK")
    except AssertionError:
        pass  # it registered too late to be called
    ended(b)
    line.close()
    tandem.wait_calls(0)


def test_the_consultation_is_left_and_the_first_call_taken_again(tandem, phone):
    """7.2: the target does not want: the consultation ends, the first call is there as before."""
    a, b, c, line = consult(tandem, phone)
    c.own_request("BYE")
    c.expect(200)
    ended(line)
    assert arrives(a, b) and arrives(b, a)
    a.bye()
    ended(b)
    line.close()


# ---- what a transfer carries
def test_what_the_transferred_leg_carries(tandem, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    established(a, b)
    leg = uuid_of(tandem, "1001")
    tandem.api(f"uuid_setvar {leg} lab_carried yes")
    refer(a, "<sip:1002@127.0.0.1>")
    ended(a)
    invite = c.expect(method="INVITE")
    assert invite.get("Referred-By") == "<sip:1000@127.0.0.1>"
    c.reply(invite, 200, "OK", sdp(c.rtp_port))
    c.expect(method="ACK")
    c.enter(invite)
    get = lambda name: tandem.api(f"uuid_getvar {leg} {name}")  # noqa: E731
    assert get("lab_carried") == "yes" and get("sip_refer_to") == "<sip:1002@127.0.0.1>"
    assert get("sip_referred_by_user") == "1000" and get("sip_referred_by_host") == "127.0.0.1"
    assert re.match(r"\d+:[0-9a-f-]{36}:bl_xfer:1002/default/XML$", get("transfer_source")), get("transfer_source")
    assert get("transfer_history") == get("transfer_source")
    assert get("signal_bond") != "_undef_" and get("signal_bond") == uuid_of(tandem, "1002")
    c.own_request("BYE")
    c.expect(200)
    ended(b)
    tandem.wait_calls(0)


def wav_parts(path, hz):
    """How many of its tenths of a second have that tone."""
    with wave.open(str(path)) as w:
        data, rate, channels = w.readframes(w.getnframes()), w.getframerate(), w.getnchannels()
    x = [int.from_bytes(data[i:i + 2], "little", signed=True) for i in range(0, len(data), 2 * channels)]
    step = rate // 10
    return sum(amplitude(x[i:i + step], hz, rate) > 500 for i in range(0, len(x) - step, step))


@pytest.mark.parametrize("kind", ["blind", "attended"])
def test_a_recording_follows(tandem, phone, kind):
    """recording_follow_transfer: what was recorded of the transferor goes on in the same file with whom he left."""
    path = tandem.root / f"recordings/follow-{kind}.wav"
    path.parent.mkdir(exist_ok=True)
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    events = tandem.esl()
    established(a, b)
    leg = uuid_of(tandem, "1000")
    tandem.api(f"uuid_setvar {leg} recording_follow_transfer true")
    assert tandem.api(f"uuid_record {leg} start {path}").startswith("+OK")
    talkers = [Talker(b, 700)]
    try:
        talkers[0].said_all()
        talkers[0].say(0.6)
        talkers[0].said_all()
        events.subscribe("RECORD_START RECORD_STOP")
        if kind == "blind":
            refer(a, "<sip:1002@127.0.0.1>")
            ended(a)
            c.take()
        else:
            line = second_line(tandem, a, c)
            refer(a, f"<sip:1002@127.0.0.1?Replaces={quote(replaces_of(line), safe='')}>")
            ended(a)
            ended(line)
            line.close()
        e = events.wait_event("RECORD_START")
        assert e["Record-File-Path"] == str(path) and e["Unique-ID"] != leg
        talkers.append(Talker(c, 1100))
        talkers[0].hears(1100)
        talkers[1].hears(700)
        talkers[1].say(0.6)
        talkers[1].said_all()
    finally:
        for x in talkers:
            x.stop()
    c.own_request("BYE")
    c.expect(200)
    ended(b)
    events.wait_event("RECORD_STOP", **{"Unique-ID": e["Unique-ID"]})
    events.close()
    assert wav_parts(path, 700) >= 3 and wav_parts(path, 1100) >= 2
    tandem.wait_calls(0)
