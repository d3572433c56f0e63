"""Phones that are to answer by themselves: what they are sent, and what a caller's wish for it becomes."""
import pytest
from calls import ended, extension, uuid_of, write_extensions
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module", autouse=True)
def extensions(tandem):
    write_extensions(tandem, [
        extension("7811", "export nolocal:sip_auto_answer=true", "bridge user/1001@$${domain}"),
        extension("7812", "export nolocal:sip_auto_answer=true", "export nolocal:sip_auto_answer_suppress_notify=true", "bridge user/1001@$${domain}"),
        extension("7813", "export nolocal:alert_info=Ring Answer", "export nolocal:sip_h_Call-Info=<sip:x>;answer-after=2", "bridge user/1001@$${domain}")],
        name="auto_answer")
    assert "+OK" in tandem.api("reloadxml")


def test_the_phone_is_asked_in_three_ways(tandem, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("7811")
    invite = b.expect(method="INVITE")
    assert invite.first.split()[1].endswith(";intercom=true") and invite.get("Call-Info") == "<sip:127.0.0.1>;answer-after=0"
    b.reply(invite, 180, "Ringing")
    notify = b.expect(method="NOTIFY")
    b.reply(notify, 200, "OK")
    assert (notify.get("Event"), notify.get("Subscription-State")) == ("talk", "terminated;reason=noresource")
    assert notify.get("To").endswith(f"tag={b.tag}") and int(notify.get("CSeq").split()[0]) > int(invite.get("CSeq").split()[0])
    b.reply(invite, 180, "Ringing")
    b.expect_nothing("NOTIFY", 0.2)
    b.reply(invite, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    a.answered()
    a.bye()
    ended(b)


def test_without_the_notify(tandem, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("7812")
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, "Ringing")
    b.expect_nothing("NOTIFY", 0.2)
    b.reply(invite, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    a.answered()
    a.bye()
    ended(b)


def test_by_headers_of_the_dialplan(tandem, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("7813")
    invite = b.take()
    assert invite.get("Alert-Info") == "Ring Answer" and invite.get("Call-Info") == "<sip:x>;answer-after=2"
    a.answered()
    a.bye()
    ended(b)


@pytest.mark.parametrize("extra, is_asked", [
    ("Call-Info: <sip:127.0.0.1>;answer-after=0\n", True), ("Call-Info: <sip:a>;x=1, <sip:b>;Answer-After=0\n", True),
    ("Alert-Info: <http://x/>;info=alert-autoanswer\n", True), ("Alert-Info: Auto Answer\n", True), ("Alert-Info: <x>;info=alert-external\n", False),
    ("Call-Info: <sip:a>;purpose=info\n", False), ("", False)])
def test_a_callers_wish(tandem, phone, extra, is_asked):
    """It is told to the dialplan and goes no further by itself."""
    a, b = phone("1000"), phone("1001")
    a.invite("1001", extra=extra)
    invite = b.take()
    a.answered()
    got = tandem.api(f"uuid_getvar {uuid_of(tandem, '1000')} sip_auto_answer_detected")
    assert got == ("true" if is_asked else "_undef_")
    assert not invite.get("Call-Info") and not invite.get("Alert-Info") and "intercom" not in invite.first
    a.bye()
    ended(b)
