"""What a phone's display shows in a call: by the phone's make, once for each change; what a phone or a trunk says of itself goes to the other."""
import re

import pytest
from calls import arrives, ended, refer, uuid_of
from wire import sdp

pytestmark = pytest.mark.leaks
ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO\n"


def pair(phone, extra="", ok_extra=""):
    a, b = phone("1000"), phone("1001")
    a.invite("1001", extra=extra)
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, "Ringing")
    b.reply(invite, 200, "OK", sdp(b.rtp_port), extra=ok_extra)
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    return a, b


def over(a, b):
    a.bye()
    ended(b)


@pytest.mark.parametrize("agent", ["PolycomVVX-VVX_400-UA/5.9.0", "Yealink SIP-T46S 66.84", "Aastra 6739i/3.3.1", "Cisco/SPA504G-7.5.2", "Fanvil X5S",
                                   "Grandstream GXP2170", "Mitel 6869", "Panasonic_KX-HDV230"])
def test_by_update(tandem, phone, agent):
    a, b = pair(phone, extra=f"User-Agent: {agent}\n{ALLOW}")
    assert tandem.api(f"uuid_display {uuid_of(tandem, '1000')} Carol Lab|5557777") == "+OK Success\n"
    update = a.expect(method="UPDATE")
    a.reply(update, 200, "OK")
    assert update.get("P-Asserted-Identity") == '"Carol Lab" <sip:5557777@127.0.0.1>' and not update.body
    tandem.api(f"uuid_display {uuid_of(tandem, '1000')} Carol Lab|5557777")
    a.expect_nothing("UPDATE", 0.2)
    over(a, b)


def test_by_reinvite_where_update_is_not_allowed(tandem, phone):
    a, b = pair(phone, extra="User-Agent: Yealink SIP-T19\nAllow: INVITE, ACK, BYE, CANCEL\n")
    tandem.api(f"uuid_display {uuid_of(tandem, '1000')} Carol|5557777")
    again = a.expect(method="INVITE")
    a.reply(again, 200, "OK", sdp(a.rtp_port, version=2))
    a.expect(method="ACK")
    assert again.get("P-Asserted-Identity") == '"Carol" <sip:5557777@127.0.0.1>' and "a=sendonly" not in again.body
    assert arrives(a, b) and arrives(b, a)
    over(a, b)


@pytest.mark.parametrize("agent, body", [("snom360/8.4.35", 'From: "Carol" 5557777\r\nTo:\r\n'), ("snom370/7.1.30", 'From:\r\nTo: "Carol" 5557777\r\n')])
def test_snom(tandem, phone, agent, body):
    a, b = pair(phone, extra=f"User-Agent: {agent}\n{ALLOW}")
    tandem.api(f"uuid_display {uuid_of(tandem, '1000')} Carol|5557777")
    info = a.expect(method="INFO")
    a.reply(info, 200, "OK")
    assert info.get("Content-Type") == "message/sipfrag" and info.body == body
    over(a, b)


def test_another_switch(tandem, phone):
    a, b = pair(phone, extra=f"X-FS-Support: update_display,send_info\n{ALLOW}")
    tandem.api(f"uuid_display {uuid_of(tandem, '1000')} Carol|5557777")
    info = a.expect(method="INFO")
    a.reply(info, 200, "OK")
    assert info.get("Content-Type") == "message/update_display"
    assert (info.get("X-FS-Display-Name"), info.get("X-FS-Display-Number")) == ("Carol", "5557777")
    over(a, b)


def test_others_are_told_nothing(tandem, phone):
    events = tandem.esl()
    a, b = pair(phone, extra=f"User-Agent: lab-ua\n{ALLOW}")
    events.subscribe("CALL_UPDATE")
    assert tandem.api(f"uuid_display {uuid_of(tandem, '1000')} Carol|5557777") == "+OK Success\n"
    e = events.wait_event("CALL_UPDATE")
    assert (e["Direction"], e["Sent-Callee-ID-Name"], e["Sent-Callee-ID-Number"]) == ("SEND", "Carol", "5557777") and e["Bridged-To"]
    for method in ("UPDATE", "INFO", "INVITE"):
        a.expect_nothing(method, 0.1)
    tandem.api(f"uuid_setvar {uuid_of(tandem, '1000')} update_ignore_ua true")
    tandem.api(f"uuid_display {uuid_of(tandem, '1000')} Dave|5558888")
    a.reply(a.expect(method="UPDATE"), 200, "OK")
    tandem.api(f"uuid_setvar {uuid_of(tandem, '1000')} ignore_display_updates true")
    tandem.api(f"uuid_display {uuid_of(tandem, '1000')} Erin|5559999")
    a.expect_nothing("UPDATE", 0.2)
    events.close()
    over(a, b)


def test_the_texts_end_no_line(tandem, phone):
    a, b = pair(phone, extra=f"X-FS-Support: update_display\n{ALLOW}")
    tandem.api(f'uuid_display {uuid_of(tandem, "1000")} a"<sip:x>|55"5')
    info = a.expect(method="INFO")
    a.reply(info, 200, "OK")
    assert info.get("X-FS-Display-Name") == 'a"<sip:x>' and len(info.all("X-FS-Display-Number")) == 1
    over(a, b)


@pytest.mark.parametrize("how", ["update", "info", "reinvite"])
def test_what_the_called_side_says_goes_to_the_caller(tandem, phone, how):
    events = tandem.esl()
    a, b = pair(phone, extra=f"User-Agent: Yealink T46\n{ALLOW}", ok_extra=ALLOW)
    events.subscribe("CALL_UPDATE")
    if how == "update":
        b.own_request("UPDATE", extra='P-Asserted-Identity: "New One" <sip:2222@127.0.0.1>\n')
    elif how == "info":
        b.own_request("INFO", extra="X-FS-Display-Name: New One\nX-FS-Display-Number: 2222\n", ctype="message/update_display", body="x")
    else:
        b.own_request("INVITE", extra='Remote-Party-ID: "New One" <sip:2222@127.0.0.1>;party=calling\n', body=sdp(b.rtp_port, version=2))
    b.expect(200)
    if how == "reinvite":
        b.own_request("ACK", cseq=b.cseq)
    shown = a.expect(method="UPDATE")
    a.reply(shown, 200, "OK")
    assert shown.get("P-Asserted-Identity") == '"New One" <sip:2222@127.0.0.1>'
    e = events.wait_event("CALL_UPDATE")
    assert e["Direction"] == "RECV" and e["Caller-Callee-ID-Number"] == "2222", e
    events.close()
    over(a, b)


def test_an_account_is_not_somebody_else(tandem, phone):
    """The stock profile believes no account's identity but its own: not in a call that stands either."""
    a, b = pair(phone, ok_extra=f"User-Agent: Yealink T46\n{ALLOW}")
    a.request("UPDATE", extra='P-Asserted-Identity: "The Boss" <sip:1005@127.0.0.1>\n')
    a.expect(200)
    b.expect_nothing("UPDATE", 0.3)
    assert not re.search(r"\b1005\b", tandem.api(f"uuid_dump {uuid_of(tandem, '1000')}"))  # a port may have these digits
    over(a, b)


def test_a_transfer_shows_the_new_one(tandem, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("1001", extra=f"User-Agent: Yealink T46\n{ALLOW}")
    b.take()
    a.answered()
    assert refer(b, "<sip:1002@127.0.0.1>", by_callee=True).body == "SIP/2.0 200 OK\r\n"
    ended(b)
    c.take()
    shown = a.expect(method="UPDATE")
    a.reply(shown, 200, "OK")
    assert "sip:1002@127.0.0.1" in shown.get("P-Asserted-Identity")
    a.bye()
    ended(c)
    tandem.wait_calls(0)
