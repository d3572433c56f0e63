"""The application respond: what it says goes out at once, a final code ends the call with FreeSWITCH's cause for it, provisional ones do
not; 401 and 407 ask for a password."""
import re

import pytest
from calls import extension, write_extensions

pytestmark = pytest.mark.leaks

# (what respond is given, the code and phrase on the wire, hangup cause and its number)
FINAL = [
    ("400 Bad", 400, "Bad", "NORMAL_TEMPORARY_FAILURE", 41),
    ("403", 403, "Forbidden", "CALL_REJECTED", 21),
    ("404", 404, "Not Found", "UNALLOCATED_NUMBER", 1),
    ("410", 410, "Gone", "NUMBER_CHANGED", 22),
    ("480", 480, "Temporarily Unavailable", "NO_USER_RESPONSE", 18),
    ("484", 484, "Address Incomplete", "INVALID_NUMBER_FORMAT", 28),
    ("486 Not now, thank you", 486, "Not now, thank you", "USER_BUSY", 17),
    ("488", 488, "Not Acceptable Here", "INCOMPATIBLE_DESTINATION", 88),
    ("499 Own", 499, "Own", "NORMAL_UNSPECIFIED", 31),
    ("502", 502, "Bad Gateway", "NETWORK_OUT_OF_ORDER", 38),
    ("503 Full", 503, "Full", "NORMAL_TEMPORARY_FAILURE", 41),
    ("603", 603, "Decline", "CALL_REJECTED", 21),
    ("604", 604, None, "NO_ROUTE_DESTINATION", 3),
    ("699 Last", 699, "Last", "NORMAL_UNSPECIFIED", 31),
    ("999", 500, None, "NORMAL_TEMPORARY_FAILURE", 41),
    ("99", 500, None, "NORMAL_TEMPORARY_FAILURE", 41),
    ("abc", 488, "Not Acceptable Here", "INCOMPATIBLE_DESTINATION", 88),
]


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("respond") / "instance")
    write_extensions(s, [
        *[extension(f"75{i:02}", f"respond {what}", "set after=true", "answer", "park") for i, (what, *_) in enumerate(FINAL)],
        extension("7600", "respond 182 Queued", "sleep 300", "respond 180", "sleep 300", "respond 486"),
        extension("7601", "pre_answer", "respond 181", "sleep 200", "respond 603"),
        extension("7602", "answer", "respond 486", "park"),
        extension("7603", "respond 200", "park"),
        extension("7604", "respond 407", "answer"),
        extension("7610", "answer", "park"),  # where whoever has logged in is served
        extension("7605", "set sip_rh_X-Why=because", "respond 403"),
    ])
    (s.root / "conf/dialplan/public/asks.xml").write_text(
        '<include><extension name="asks"><condition field="destination_number" expression="^7610$"/>'
        '<condition field="${sip_authorized}" expression="^true$"><action application="answer"/><action application="park"/>'
        '<anti-action application="respond" data="401"/></condition></extension></include>')
    s.start()
    yield s
    s.stop()


def ends(sw, e):
    return e.wait_event("CHANNEL_HANGUP_COMPLETE")


@pytest.fixture
def hangups(sw):
    e = sw.esl()
    e.subscribe("CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_PROGRESS CHANNEL_PARK")
    yield e
    e.close()


@pytest.mark.parametrize("i", range(len(FINAL)), ids=[what for what, *_ in FINAL])
def test_a_final_code_ends_the_call(sw, phone, hangups, i):
    what, code, phrase, cause, number = FINAL[i]
    a = phone("1000")
    a.invite(f"75{i:02}")
    no = a.expect(code)
    a.ack_failure(no)
    assert phrase is None or no.first == f"SIP/2.0 {code} {phrase}"
    assert no.get("Reason") == f'Q.850;cause={number};text="{cause}"'
    e = ends(sw, hangups)
    assert e["variable_hangup_cause"] == cause and e["Hangup-Cause"] == cause
    assert "variable_after" not in e, "what stands behind it does not run"


def test_provisional_codes_and_then_a_final_one(sw, phone, hangups):
    a = phone("1000")
    a.invite("7600")
    assert a.expect(182).first == "SIP/2.0 182 Queued"
    ringing = a.expect(180)
    assert not ringing.body and "tag=" in ringing.get("To")
    hangups.wait_event("CHANNEL_PROGRESS")
    a.ack_failure(a.expect(486))
    assert ends(sw, hangups)["Hangup-Cause"] == "USER_BUSY"


def test_after_early_media(sw, phone, hangups):
    a = phone("1000")
    a.invite("7601")
    assert "m=audio" in a.expect(183).body
    a.expect(181)
    a.ack_failure(a.expect(603))
    assert ends(sw, hangups)["Hangup-Cause"] == "CALL_REJECTED"


def test_an_answered_caller_is_past_it(sw, phone, hangups):
    """The dialplan goes on; the log says why."""
    a = phone("1000")
    a.invite("7602")
    a.answered()
    hangups.wait_event("CHANNEL_PARK")
    sw.wait_log("respond: only a caller who is not answered yet can be told 486")
    a.bye()


def test_200_answers(sw, phone, hangups):
    a = phone("1000")
    a.invite("7603")
    a.answered()
    hangups.wait_event("CHANNEL_PARK")
    a.bye()


def test_its_headers_go_along(sw, phone):
    a = phone("1000")
    a.invite("7605")
    no = a.expect(403)
    a.ack_failure(no)
    assert no.get("X-Why") == "because"


def test_407_is_a_challenge(sw, phone, hangups):
    a = phone("1000")
    a.invite("7604")
    no = a.expect(407)
    a.ack_failure(no)
    line = no.get("Proxy-Authenticate")
    assert re.search(f'realm="{sw.domain}"', line) and "nonce=" in line
    assert ends(sw, hangups)["Hangup-Cause"] == "USER_CHALLENGE"


def outside(sw, make, number):
    """An INVITE from 1000 to the profile that asks nobody."""
    import socket
    p = make("1000")
    p.s.close()
    p.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    p.s.bind(("127.0.0.1", 0))
    p.s.connect(("127.0.0.1", sw.ext_port))
    p.port = p.s.getsockname()[1]
    p.uri, p.call_id = f"sip:{number}@{sw.domain}", f"ask-{p.port}"
    p.to = f"<{p.uri}>"
    return p


def invite_outside(p, sw, extra=""):
    from wire import sdp
    p.request("INVITE", p.uri, p.to, body=sdp(p.rtp_port), extra=extra)


def test_whoever_answers_the_challenge_is_known(sw, phone, hangups):
    """On a profile that asks nobody by itself: sip_authorized is what the dialplan goes by."""
    p = outside(sw, phone, "7610")
    invite_outside(p, sw)
    no = p.expect(407)
    p.ack_failure(no)
    invite_outside(p, sw, p.authorization(no, "INVITE", p.uri))
    p.answered()
    hangups.wait_event("CHANNEL_PARK")
    p.bye()


def test_a_wrong_password_is_refused(sw, phone, hangups):
    p = outside(sw, phone, "7610")
    invite_outside(p, sw)
    no = p.expect(407)
    p.ack_failure(no)
    was, sw.passwords = sw.passwords, {**sw.passwords, "1000": "wrong"}
    invite_outside(p, sw, p.authorization(no, "INVITE", p.uri))
    sw.passwords = was
    p.ack_failure(p.expect(403))
