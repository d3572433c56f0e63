"""Attack: a phone logs in as 1001 and writes 1000 into its From (or into an identity header): the callee, the dialplan and the records
take it for 1000. Where the profile says so (our own conf/ does) From is the account's, and variables tell it in any case."""
import uuid

import pytest
import tandem as t
from sayer import sayers, set_params
from wire import sdp

KNOB = "inbound_call_force_matching_username"
OTHERS = [  # From and further headers that are not 1001's
    ('"Boss" <sip:1000@127.0.0.1>', ""),
    ("<sip:+4930123@127.0.0.1>", ""),
    ("<sip:%31000@127.0.0.1>", ""),
    ("<sip:1001@tenant.example>", ""),
    ("<sip:1001@127.0.0.1>", 'P-Asserted-Identity: "Boss" <sip:1000@127.0.0.1>\n'),
    ("<sip:1001@127.0.0.1>", "P-Asserted-Identity: <tel:+4930123>\n"),
    ("<sip:1001@127.0.0.1>", 'P-Preferred-Identity: "Boss" <sip:1000@127.0.0.1>\n'),
    ("<sip:1001@127.0.0.1>", 'Remote-Party-ID: "Boss" <sip:1000@127.0.0.1>;party=calling\n'),
]
OWN = [
    ("<sip:1001@127.0.0.1>", ""),
    ('"Me" <sip:1001@pbx.office.test>', ""),
    ("<sip:100%31@127.0.0.1>", ""),
    ("<sip:4711@127.0.0.1>", ""),  # the account's outbound_caller_id_number
    ("<sip:1001@127.0.0.1>", "P-Asserted-Identity: <sip:1001@carrier.test>\n"),
]


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("from") / "instance", "conf")
    users = sw.root / "conf/directory/default.xml"
    text = users.read_text().replace('<variable name="effective_caller_id_number" value="1001"/>',
                                     '<variable name="effective_caller_id_number" value="1001"/>'
                                     '<variable name="outbound_caller_id_number" value="4711"/>')
    assert "4711" in text
    users.write_text(text)
    (sw.root / "conf/directory/tenant.xml").write_text('<include>\n<domain name="tenant.example"><groups/></domain>\n</include>\n')
    (sw.root / "conf/dialplan/default/park.xml").write_text(
        '<include>\n<extension name="park"><condition field="destination_number" expression="^9000$">'
        '<action application="answer"/><action application="park"/></condition></extension>\n</include>\n')
    sw.start()
    yield sw
    sw.stop()


@pytest.fixture
def caller(sw):
    with sayers(sw) as make:
        yield lambda frm: make("1001", frm=frm)


def dial(p, extra=""):
    """Through the challenge."""
    p.call_id, p.uri = uuid.uuid4().hex, "sip:9000@127.0.0.1"
    p.to = f"<{p.uri}>"
    p.request("INVITE", p.uri, p.to, body=sdp(p.rtp_port), extra=extra)
    challenge = p.final()
    p.ack_failure(challenge)
    p.request("INVITE", p.uri, p.to, body=sdp(p.rtp_port), extra=extra + p.authorization(challenge, "INVITE", p.uri))


def told(sw, p, extra=""):
    """The parked leg's identity."""
    events = sw.esl()
    events.subscribe("CHANNEL_PARK")
    dial(p, extra)
    p.answered()
    e = events.wait_event("CHANNEL_PARK")
    events.close()
    p.bye()
    return e


@pytest.mark.parametrize("frm,extra", OTHERS)
def test_is_replaced_by_default(sw, caller, frm, extra):
    e = told(sw, caller(frm), extra)
    assert (e["Caller-Caller-ID-Number"], e["Caller-Caller-ID-Name"], e["Caller-ANI"], e["Caller-Username"]) \
        == ("1001", "Extension 1001", "1001", "1001")
    assert (e["variable_sip_from_is_account"], e["variable_sip_auth_username"]) == ("false", "1001")
    assert e["variable_presence_id"] == "1001@127.0.0.1"


@pytest.mark.parametrize("frm,extra", OWN)
def test_its_own_stays(sw, caller, frm, extra):
    e = told(sw, caller(frm), extra)
    assert e["variable_sip_from_is_account"] == "true"
    assert e["Caller-Caller-ID-Number"] == ("4711" if "4711" in frm else "1001")


def test_who_hides_is_the_account_all_the_same(sw, caller):
    """RFC 3323's anonymous From is a wish, not another identity."""
    for value in ("replace", "reject"):
        set_params(sw, **{KNOB: value})
        e = told(sw, caller('"Anonymous" <sip:anonymous@anonymous.invalid>'))
        assert (e["Caller-Caller-ID-Number"], e["Caller-Privacy-Hide-Number"], e["Caller-Privacy-Hide-Name"]) == ("1001", "true", "true")
    set_params(sw, **{KNOB: "replace"})


@pytest.mark.parametrize("value", ["reject", "true"])
def test_is_refused(sw, caller, value):
    set_params(sw, **{KNOB: value})
    try:
        for frm, extra in OTHERS:
            p = caller(frm)
            dial(p, extra)
            assert p.refused() == 403, (frm, extra)
        sw.wait_log("a call of account 1001@127.0.0.1 is refused: it calls itself 1000@127.0.0.1")
        for frm, extra in OWN:
            assert told(sw, caller(frm), extra)["variable_sip_from_is_account"] == "true"
    finally:
        set_params(sw, **{KNOB: "replace"})


def test_off_tells_it(sw, caller):
    """As in FreeSWITCH's stock configuration: the call goes on as it came, and the dialplan can see it."""
    set_params(sw, **{KNOB: None})
    try:
        e = told(sw, caller('"Boss" <sip:1000@127.0.0.1>'))
        assert (e["Caller-Caller-ID-Number"], e["variable_sip_from_is_account"], e["variable_sip_auth_username"]) == ("1000", "false", "1001")
    finally:
        set_params(sw, **{KNOB: "replace"})


def test_the_called_phone_sees_the_account(sw, caller, phone):
    b = phone("1002")
    p = caller('"Boss" <sip:1000@127.0.0.1>')
    p.call_id, p.uri = uuid.uuid4().hex, "sip:1002@127.0.0.1"
    p.to = f"<{p.uri}>"
    p.request("INVITE", p.uri, p.to, body=sdp(p.rtp_port))
    challenge = p.final()
    p.ack_failure(challenge)
    p.request("INVITE", p.uri, p.to, body=sdp(p.rtp_port), extra=p.authorization(challenge, "INVITE", p.uri))
    invite = b.expect(method="INVITE")
    assert "Boss" not in str(invite.lines) and "sip:1000@" not in str(invite.lines)
    assert invite.get("From").startswith('"Extension 1001" <sip:1001@127.0.0.1>')
    b.reply(invite, 486, "Busy")
    b.expect(method="ACK")
    p.refused()
