"""Session timers (RFC 4028): what is agreed on in either direction, who refreshes, what a refresh is, 422 both ways, and that only a far
side that does not answer any more loses its call. The switch's clock runs twenty times as fast as ours."""
import re

import clock
import pytest
from calls import ended, extension, write_extensions
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.skipif(not clock.library(), reason="libfaketime (Debian package faketime) is not here")
PARK = "answer", "park"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    fast = {**clock.environment("2026-11-22 12:00:00", "UTC"), "FAKETIME": "+0 x20"}
    fast.pop("DONT_FAKE_MONOTONIC"), fast.pop("FAKETIME_DONT_FAKE_MONOTONIC")
    s = t.Tandem(tmp_path_factory.mktemp("timers") / "instance", env=fast)
    # its T1 is what it is for us
    slow = {"timer_T1": "10000", "timer_T1X64": "600000", "timer_T2": "80000"}
    s.rel = add_profile(s, "rel", session_timeout="120", minimum_session_expires="90", **slow)
    s.none = add_profile(s, "none", **slow)
    s.off = add_profile(s, "off", enable_timer="false", session_timeout="120", **slow)
    write_extensions(s, [
        extension("7501", *PARK),
        extension("7502", "set sip_require_timer=false", *PARK),
        extension("7503", "set sip_session_timeout=300", *PARK),
        *(extension(f"751{i}", f"bridge {opts}sofia/{p}/svc@127.0.0.1:${{sip_h_X-Port}}") for i, (p, opts) in enumerate(
            (("rel", ""), ("none", ""), ("off", ""), ("none", "{sip_session_timeout=200}"), ("rel", "{sip_update_refresher=true}")))),
        extension("7520", "set bypass_media=true", "bridge sofia/rel/svc@127.0.0.1:${sip_h_X-Port}"),
    ])
    s.start()
    yield s
    s.stop(may_be_slow=True)


def far(sw, phone, at=None):
    return phone("ext", register=False, kind=Trunk, at=at or sw.rel)


def timer_of(m):
    return m.get("Session-Expires"), "timer" in m.get("Require")


@pytest.mark.parametrize("said,number,expires,is_required", [
    ("Session-Expires: 120;refresher=uas\nSupported: timer\n", "7501", "120;refresher=uas", False),
    ("Session-Expires: 120\nSupported: timer\n", "7501", "120;refresher=uac", True),
    ("x: 120;refresher=uac\nRequire: timer\n", "7501", "120;refresher=uac", True),
    ("Supported: timer\n", "7501", "120;refresher=uac", True),
    ("", "7501", "", False),
    ("Session-Expires: 3600\n", "7501", "", False),  # it does not say that it supports them
    ("Session-Expires: 3600\nSupported: timer\n", "7501", "120;refresher=uac", True),
    ("Session-Expires: 3600\nMin-SE: 600\nSupported: timer\n", "7501", "600;refresher=uac", True),
    ("Session-Expires: 100\nMin-SE: 600\nSupported: timer\n", "7501", "100;refresher=uac", True),
    ("Session-Expires: 4294967295\nSupported: timer\n", "7501", "120;refresher=uac", True),
    ("Session-Expires: 99999999999\nSupported: timer\n", "7501", "120;refresher=uac", True),
    ("Session-Expires: -1\nSupported: timer\n", "7501", "120;refresher=uac", True),
    ("Supported: timer\n", "7502", "120;refresher=uac", False),
    ("Supported: timer\n", "7503", "300;refresher=uac", True)])
def test_what_we_agree_on(sw, phone, said, number, expires, is_required):
    p = far(sw, phone)
    p.invite(number, extra=said)
    assert timer_of(p.answered()) == (expires, is_required)
    p.bye()


def test_without_a_wish_of_ours(sw, phone):
    p = far(sw, phone, sw.none)
    p.invite("7501", extra="Supported: timer\n")
    assert timer_of(p.answered()) == ("", False)
    p.bye()
    p.invite("7501", extra="Supported: timer\nSession-Expires: 1800;refresher=uac\n")
    assert timer_of(p.answered()) == ("1800;refresher=uac", True)
    p.bye()


def test_too_short(sw, phone):
    p = far(sw, phone)
    p.invite("7501", extra="Session-Expires: 60\nSupported: timer\n")
    refused = p.expect(422)
    assert refused.get("Min-SE") == "90"
    p.ack_failure(refused)
    p.invite("7501", extra="Session-Expires: 120\nSupported: timer\n")
    p.answered()
    for method in ("INVITE", "UPDATE"):  # inside the call as well, which goes on as it was
        p.request(method, body=sdp(p.rtp_port) if method == "INVITE" else "", extra="Session-Expires: 30\nSupported: timer\n")
        refused = p.expect(422)
        assert refused.get("Min-SE") == "90"
        if method == "INVITE":
            p.uri = p.target
            p.ack_failure(refused)
    p.bye()


def test_switched_off(sw, phone):
    p = far(sw, phone, sw.off)
    p.invite("7501", extra="Session-Expires: 60\nSupported: timer\n")
    ok = p.answered()
    assert timer_of(ok) == ("", False) and "timer" not in ok.get("Supported")
    p.bye()
    p.invite("7501", extra="Require: timer\n")
    refused = p.expect(420)
    assert refused.get("Unsupported") == "timer"
    p.ack_failure(refused)


def refresh(p, timeout=12):
    """Our refresh as the phone hears it."""
    m = p.expect(method="INVITE", timeout=timeout)
    assert "m=audio" in m.body
    return m


def accepts(p, m, extra=""):
    p.reply(m, 200, "OK", sdp(p.rtp_port) if m.method == "INVITE" else "", extra=extra)
    if m.method == "INVITE":
        p.expect(method="ACK")


def test_we_refresh_an_incoming_call(sw, phone):
    p = far(sw, phone)
    p.invite("7501", extra="Session-Expires: 90;refresher=uas\nSupported: timer\n")
    first = p.answered()
    for _ in range(2):
        m = refresh(p)
        assert m.get("Session-Expires") == "90;refresher=uac" and m.get("Min-SE") == "90"
        assert re.search(r"^o=.*$", m.body, re.M).group(0) == re.search(r"^o=.*$", first.body, re.M).group(0), "nothing has changed"
        accepts(p, m, "Require: timer\nSession-Expires: 90;refresher=uac\n")
    sw.wait_calls(1)
    p.bye()


def test_they_refresh(sw, phone):
    p = far(sw, phone)
    p.invite("7501", extra="Session-Expires: 90;refresher=uac\nSupported: timer\n")
    p.answered()
    for method in ("INVITE", "UPDATE"):
        p.expect_nothing("INVITE", 2.7)  # of ours: 45 s
        p.request(method, body=sdp(p.rtp_port) if method == "INVITE" else "",
                  extra="Session-Expires: 90;refresher=uac\nSupported: timer\n")
        ok = p.expect(200)
        assert timer_of(ok) == ("90;refresher=uac", True)
        if method == "INVITE":
            p.request("ACK", cseq=int(ok.get("CSeq").split()[0]))
    p.bye()


def test_one_who_forgets_to_refresh_is_asked(sw, phone):
    """And keeps its call, whatever it answers."""
    p = far(sw, phone)
    p.invite("7501", extra="Session-Expires: 90;refresher=uac\nSupported: timer\n")
    p.answered()
    m = refresh(p)
    assert m.get("Session-Expires") == "90;refresher=uas"
    p.reply(m, 488, "Not Acceptable Here")
    p.expect(method="ACK")
    m = refresh(p)
    accepts(p, m)  # it does not want timers any more
    p.expect_nothing("INVITE", 4)
    p.expect_nothing("BYE", 0.5)
    p.bye()


def test_one_who_is_gone_loses_its_call(sw, phone):
    p = far(sw, phone)
    events = sw.esl()
    events.subscribe("CHANNEL_HANGUP")
    p.invite("7501", extra="Session-Expires: 90;refresher=uac\nSupported: timer\n")
    p.answered()
    refresh(p)
    p.expect(method="BYE", timeout=8)
    assert events.wait_event("CHANNEL_HANGUP")["Hangup-Cause"] == "RECOVERY_ON_TIMER_EXPIRE"
    events.close()


def test_one_without_timers_is_left_alone(sw, phone):
    p = far(sw, phone)
    p.invite("7501")
    p.answered()
    p.expect_nothing("INVITE", 5)
    p.expect_nothing("BYE", 0.5)
    p.bye()


# ---- we call

def called(sw, phone, number, by="rel", extra_caller=""):
    a = far(sw, phone, sw.off)
    b = phone("svc", register=False, kind=Trunk, at=getattr(sw, by))
    a.invite(number, extra=f"X-Port: {b.port}\n{extra_caller}")
    return a, b, b.expect(method="INVITE")


def up(a, b, invite, extra=""):
    b.reply(invite, 200, "OK", sdp(b.rtp_port), extra=extra)
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()


def over(a, b):
    a.bye()
    ended(b)


@pytest.mark.parametrize("number,by,expires,min_se", [
    ("7510", "rel", "120;refresher=uac", "90"), ("7511", "none", "", ""), ("7512", "off", "", ""),
    ("7513", "none", "200;refresher=uac", "120")])
def test_what_we_ask_for(sw, phone, number, by, expires, min_se):
    a, b, invite = called(sw, phone, number, by)
    assert (invite.get("Session-Expires"), invite.get("Min-SE")) == (expires, min_se)
    assert ("timer" in invite.get("Supported")) == (number != "7512")
    up(a, b, invite)
    over(a, b)


def test_we_refresh_an_outgoing_call(sw, phone):
    a, b, invite = called(sw, phone, "7510")
    up(a, b, invite, "Session-Expires: 90;refresher=uac\nRequire: timer\n")
    m = refresh(b)
    assert m.get("Session-Expires") == "90;refresher=uac"
    accepts(b, m, "Session-Expires: 90;refresher=uac\nRequire: timer\n")
    over(a, b)


def test_refreshed_by_update(sw, phone):
    a, b, invite = called(sw, phone, "7514")
    up(a, b, invite, "Session-Expires: 90;refresher=uac\nRequire: timer\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE\n")
    m = b.expect(method="UPDATE", timeout=12)
    assert m.get("Session-Expires") == "90;refresher=uac" and not m.body
    accepts(b, m, "Session-Expires: 90;refresher=uas\nRequire: timer\n")  # from now on it is theirs
    m = b.expect(method="UPDATE", timeout=12)
    assert m.get("Session-Expires") == "90;refresher=uas"
    b.reply(m, 501, "Not Implemented")
    b.expect_nothing("BYE", 1)
    over(a, b)


def test_no_update_to_who_does_not_take_it(sw, phone):
    a, b, invite = called(sw, phone, "7514")
    up(a, b, invite, "Session-Expires: 90;refresher=uac\nRequire: timer\nAllow: INVITE, ACK, BYE, CANCEL\n")
    accepts(b, refresh(b))
    over(a, b)


def test_called_without_timers(sw, phone):
    a, b, invite = called(sw, phone, "7510")
    up(a, b, invite)
    b.expect_nothing("INVITE", 5)
    over(a, b)


def test_longer_when_they_say_so(sw, phone):
    a, b, invite = called(sw, phone, "7510")
    b.reply(invite, 422, "Session Interval Too Small", extra="Min-SE: 300\n")
    b.expect(method="ACK")
    again = b.expect(method="INVITE")
    assert (again.get("Session-Expires"), again.get("Min-SE")) == ("300;refresher=uac", "300")
    assert again.get("Call-ID") == invite.get("Call-ID") and again.get("From") == invite.get("From")
    assert int(again.get("CSeq").split()[0]) == int(invite.get("CSeq").split()[0]) + 1
    up(a, b, again)
    over(a, b)


@pytest.mark.parametrize("min_se", ["", "Min-SE: 60\n", "Min-SE: 4000000000\n", "Min-SE: x\n"])
def test_a_422_without_a_way_out(sw, phone, min_se):
    a, b, invite = called(sw, phone, "7510")
    b.reply(invite, 422, "Session Interval Too Small", extra=min_se)
    b.expect(method="ACK")
    if min_se == "Min-SE: 60\n":
        again = b.expect(method="INVITE")
        b.reply(again, 422, "Session Interval Too Small", extra=min_se)
        b.expect(method="ACK")
    a.expect(422)


def test_422_for_a_refresh(sw, phone):
    a, b, invite = called(sw, phone, "7510")
    up(a, b, invite, "Session-Expires: 90;refresher=uac\nRequire: timer\n")
    b.reply(refresh(b), 422, "Session Interval Too Small", extra="Min-SE: 180\n")
    b.expect(method="ACK")
    m = refresh(b)
    assert (m.get("Session-Expires"), m.get("Min-SE")) == ("180;refresher=uac", "180")
    accepts(b, m, "Session-Expires: 180;refresher=uac\nRequire: timer\n")
    over(a, b)


def test_a_hold_refreshes_too(sw, phone):
    a, b, invite = called(sw, phone, "7510")
    up(a, b, invite, "Session-Expires: 90;refresher=uas\nRequire: timer\n")
    uuid = [r.split(",")[0] for r in sw.api("show channels").splitlines() if ",outbound," in r][0]
    sw.api(f"uuid_hold {uuid}")
    m = b.expect(method="INVITE")
    assert "a=sendonly" in m.body and m.get("Session-Expires") == "90;refresher=uas"
    b.reply(m, 200, "OK", sdp(b.rtp_port, direction="recvonly", version=2), extra="Session-Expires: 90;refresher=uac\nRequire: timer\n")
    b.expect(method="ACK")
    m = refresh(b)
    assert "a=sendonly" in m.body, "a refresh leaves the hold alone"
    b.reply(m, 200, "OK", sdp(b.rtp_port, direction="recvonly", version=2))
    b.expect(method="ACK")
    over(a, b)


def test_in_bypass(sw, phone):
    a, b, invite = called(sw, phone, "7520")
    up(a, b, invite, "Session-Expires: 90;refresher=uac\nRequire: timer\n")
    m = refresh(b)
    assert f"m=audio {a.rtp_port} " in m.body
    accepts(b, m, "Session-Expires: 90;refresher=uac\nRequire: timer\n")
    over(a, b)
