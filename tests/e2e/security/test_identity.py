"""Attack: a caller who asks to be hidden is shown, or the number that the dialplan put in his place leaks beside it; and a stranger's
Call-Info or Alert-Info makes the called phone answer by itself, so that he listens in. Every identity header, in and out."""
import re

import pytest
import tandem as t
from calls import extension
from sayer import sayers, set_params

NAMES = ("From", "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Privacy", "Diversion", "History-Info", "Call-Info",
         "Alert-Info", "Referred-By", "Reason", "Identity", "User-to-User", "P-Charging-Vector", "P-Early-Media", "X-Lab")
BASE = {"From": '"ext" <sip:ext@127.0.0.1>', "Remote-Party-ID": '"ext" <sip:ext@127.0.0.1>;party=calling;screen=yes;privacy=off'}
PAI = 'P-Asserted-Identity: "Pai" <sip:31@lab.test>\n'
RPID = 'Remote-Party-ID: "R p" <sip:32@lab.test>;party=calling;screen=yes;privacy='
HIDDEN = '"Anonymous" <sip:anonymous@127.0.0.1>'


def rpid(name, number, privacy="off", screen="yes"):
    return f'"{name}" <sip:{number}@127.0.0.1>;party=calling;screen={screen};privacy={privacy}'


def pid(name, number, privacy="none", header="P-Asserted-Identity", frm=None):
    return {"From": frm or f'"{name}" <sip:{number}@127.0.0.1>', header: f'"{name}" <sip:{number}@127.0.0.1>', "Privacy": privacy}


EFFECTIVE = ("set effective_caller_id_name=Eff Name", "set effective_caller_id_number=5550001")
# id: what the caller says, what the dialplan does first, {variables} of the dial string, what the called hears, what he must not
TABLE = {
    "nothing": ("", (), "", BASE, ()),
    "pai": (PAI, (), "", pid("Pai", 31), ("lab.test",)),
    "pai-without-a-name": ("P-Asserted-Identity: <sip:31@lab.test>\n", (), "", pid("ext", 31), ()),
    "pai-tel": ("P-Asserted-Identity: <tel:+4930123>\n", (), "", pid("ext", "+4930123"), ()),
    "pai-two": ('P-Asserted-Identity: "Pai" <sip:31@lab.test>, <tel:+4930>\n', (), "", pid("Pai", 31), ("4930",)),
    "ppi": ('P-Preferred-Identity: "Pref" <sip:33@lab.test>\n', (), "", pid("Pref", 33), ("lab.test",)),
    "rpid": (RPID + "off\n", (), "", {"From": '"R p" <sip:32@127.0.0.1>', "Remote-Party-ID": rpid("R p", 32)}, ("lab.test",)),
    "rpid-of-the-called": ('Remote-Party-ID: "R p" <sip:32@lab.test>;party=called\n', (), "", BASE, ("R p",)),
    "rpid-not-screened": ('Remote-Party-ID: "R p" <sip:32@lab.test>;screen=no\n', (), "",
                          {"From": '"R p" <sip:32@127.0.0.1>', "Remote-Party-ID": rpid("R p", 32, screen="no")}, ()),
    # hidden: the number is for those who are trusted with it, From for everybody
    "pai-privacy": (PAI + "Privacy: id\n", (), "", pid("Pai", 31, "id", frm=HIDDEN), ()),
    "pai-privacy-several": (PAI + "Privacy: header;user;critical\n", (), "", pid("Pai", 31, "id", frm=HIDDEN), ()),
    "pai-privacy-none": (PAI + "Privacy: none\n", (), "", pid("Pai", 31), ()),
    "from-privacy": ("Privacy: id\n", (), "", {"From": HIDDEN, "Remote-Party-ID": rpid("ext", "ext", "full")}, ()),
    "rpid-full": (RPID + "full\n", (), "", {"From": HIDDEN, "Remote-Party-ID": rpid("R p", 32, "full")}, ()),
    "rpid-name": (RPID + "name\n", (), "", {"From": '"Anonymous" <sip:32@127.0.0.1>', "Remote-Party-ID": rpid("R p", 32, "name")}, ()),
    "rpid-uri": (RPID + "uri\n", (), "", {"From": '"R p" <sip:anonymous@127.0.0.1>', "Remote-Party-ID": rpid("R p", 32, "full")}, ()),
    "rpid-and-privacy": (RPID + "off\nPrivacy: id\n", (), "", {"From": HIDDEN, "Remote-Party-ID": rpid("R p", 32, "full")}, ()),
    "pai-and-rpid-full": (PAI + RPID + "full\n", (), "", pid("Pai", 31, "id", frm=HIDDEN), ("R p", "sip:32")),
    "privacy-by-the-dialplan": (PAI, ("privacy full",), "", pid("Pai", 31, "id", frm=HIDDEN), ()),
    "privacy-taken-back": (PAI + "Privacy: id\n", ("privacy off",), "", pid("Pai", 31), ()),
    "hidden-and-replaced": (PAI + "Privacy: id\n", EFFECTIVE, "", pid("Eff Name", 5550001, "id", frm=HIDDEN), ("Pai", "sip:31")),
    # what the dialplan says of the identity is the only one
    "replaced": (PAI, EFFECTIVE, "", pid("Eff Name", 5550001), ("Pai", "sip:31", "lab.test")),
    "replaced-rpid": (RPID + "off\n", EFFECTIVE, "",
                      {"From": '"Eff Name" <sip:5550001@127.0.0.1>', "Remote-Party-ID": rpid("Eff Name", 5550001)}, ("R p", "sip:32")),
    "replaced-ppi": ('P-Preferred-Identity: "Pref" <sip:33@lab.test>\n', EFFECTIVE, "", pid("Eff Name", 5550001), ("Pref", "sip:33")),
    "origination": (PAI, (), "{origination_caller_id_number=777,origination_caller_id_name=Seven}", pid("Seven", 777), ("Pai", "sip:31")),
    "by-profile-var": (PAI, ("set_profile_var caller_id_number=778", "set_profile_var caller_id_name=Eight"), "", pid("Eight", 778),
                       ("Pai", "sip:31")),
    "type-none": (PAI, (), "{sip_cid_type=none}", {"From": '"Pai" <sip:31@127.0.0.1>'}, ("lab.test",)),
    "type-rpid": (PAI, (), "{sip_cid_type=rpid}", {"From": '"Pai" <sip:31@127.0.0.1>', "Remote-Party-ID": rpid("Pai", 31)}, ("lab.test",)),
    "type-pid": ("", (), "{sip_cid_type=pid}", pid("ext", "ext"), ()),
    "type-pid-quiet": ("", (), "{sip_cid_type=pid,sip_cid_suppress_privacy_none=true}",
                       {k: v for k, v in pid("ext", "ext").items() if k != "Privacy"}, ()),
    "not-screened": ("", (), "{sip_cid_type=pid,origination_privacy=x}", pid("ext", "ext", header="P-Preferred-Identity"), ()),
    "origination-privacy": ("", (), "{origination_privacy=hide_name:hide_number}",
                            {"From": HIDDEN, "Remote-Party-ID": rpid("ext", "ext", "full", "no")}, ()),
    "from-uri": ("", (), "{sip_from_uri=sip:from@lab.example,sip_from_display=From Disp}",
                 {"From": '"From Disp" <sip:from@lab.example>',
                  "Remote-Party-ID": '"ext" <sip:ext@lab.example>;party=calling;screen=yes;privacy=off'}, ()),
    # the rest
    "diversion": ("Diversion: <sip:2001@lab.test>;reason=unconditional\n", (), "", {**BASE, "Diversion": "<sip:2001@lab.test>;reason=unconditional"}, ()),
    "alarms": ("Call-Info: <sip:a>;answer-after=0\nAlert-Info: <x>;info=alert-autoanswer\n", (), "", BASE, ("answer",)),
    "p-headers": ("P-Charging-Vector: icid-value=1\nP-Early-Media: supported\nX-Lab: kept\n", (), "", {**BASE, "X-Lab": "kept"}, ("icid",)),
    "history": ("History-Info: <sip:2003@lab.test>;index=1\nIdentity: abc;info=<x>\nReason: Q.850;cause=16\nReferred-By: <sip:99@lab.test>\n", (), "",
                BASE, ("lab.test", "abc")),
    "user-to-user": ("User-to-User: 56a3;encoding=hex\n", (), "", {**BASE, "User-to-User": "56a3;encoding=hex"}, ()),
    "nothing-copied": ("X-Lab: kept\nUser-to-User: 56a3\n", ("set sip_copy_custom_headers=false",), "", BASE, ("kept", "56a3")),
    # and when the dialplan wants it
    "named": ("P-Charging-Vector: icid-value=1\nP-Early-Media: supported\nAlert-Info: <x>\n",
              ("set sip_copy_headers=p-charging-vector, Alert-Info",), "", {**BASE, "P-Charging-Vector": "icid-value=1", "Alert-Info": "<x>"}, ("supported",)),
    "all-p": ("P-Charging-Vector: icid-value=1\nP-Early-Media: supported\nCall-Info: <x>\n" + PAI, ("set sip_copy_headers=P-*",), "",
              {**pid("Pai", 31), "P-Charging-Vector": "icid-value=1", "P-Early-Media": "supported"}, ("lab.test", "Call-Info")),
    "set-anew": ("P-Charging-Vector: icid-value=1\n", ("set sip_h_P-Charging-Vector=icid-value=2",), "", {**BASE, "P-Charging-Vector": "icid-value=2"}, ()),
    "set-again": ("P-Charging-Vector: icid-value=1\n", ("set sip_h_P-Charging-Vector=${sip_h_P-Charging-Vector}",), "",
                  {**BASE, "P-Charging-Vector": "icid-value=1"}, ()),
    "exported": ("", ("export nolocal:sip_h_Call-Info=<sip:me>;answer-after=0", "export alert_info=<mine>"), "",
                 {**BASE, "Call-Info": "<sip:me>;answer-after=0", "Alert-Info": "<mine>"}, ()),
    "auto-answer": ("", (), "{sip_auto_answer=true}", {**BASE, "Call-Info": "<sip:127.0.0.1>;answer-after=0"}, ()),
    "own-pai": (PAI, (), "{sip_h_P-Asserted-Identity=<sip:x@lab.example>,sip_cid_type=rpid}",
                {"From": '"Pai" <sip:31@127.0.0.1>', "P-Asserted-Identity": "<sip:x@lab.example>", "Remote-Party-ID": rpid("Pai", 31)}, ("lab.test",)),
}


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("identity") / "instance", "conf")
    sw.svc_port = t.free_port()
    target = f"sofia/external/svc@127.0.0.1:{sw.svc_port}"
    rows = [extension(str(7000 + i), *row[1], f"bridge {row[2]}{target}") for i, row in enumerate(TABLE.values())]
    rows += [extension("7999", "answer", "park"), extension("7998", "bridge loopback/7000/public"),
             extension("7997", "set effective_callee_id_name=Callee X", "set effective_callee_id_number=42", f"bridge {target}"),
             extension("7996", "export nolocal:origination_callee_id_name=OCN", "export nolocal:origination_callee_id_number=808", f"bridge {target}"),
             extension("7995", "set sip_callee_id_name=Sip", "set initial_callee_id_name=Init", "answer", "park"),
             extension("7994", "set effective_callee_id_name=Eff", "set effective_callee_id_number=43", "answer", "park")]
    rows = [re.sub(r'data="([^"]*)"', lambda m: m.group(0).replace("<", "&lt;").replace(">", "&gt;"), r) for r in rows]
    (sw.root / "conf/dialplan/public/tests.xml").write_text("\n".join(["<include>", *rows, "</include>"]))
    sw.start()
    yield sw
    sw.stop()


@pytest.fixture
def pair(sw):
    with sayers(sw) as make:
        a, b = make("ext", sw.ext_port, frm='"ext" <sip:ext@127.0.0.1>'), make("svc", sw.ext_port)
        b.move(port=sw.svc_port)
        yield a, b


def said(m):
    got = {n: ", ".join(m.all(n)) for n in NAMES if m.all(n)}
    got["From"] = got["From"].partition(";tag=")[0]
    return got


@pytest.mark.parametrize("row", TABLE)
def test_row(sw, pair, row):
    says, _, _, wanted, hidden = TABLE[row]
    a, b = pair
    a.call(str(7000 + list(TABLE).index(row)), extra=says)
    invite = b.expect(method="INVITE")
    assert said(invite) == wanted
    for text in hidden:
        assert text not in "\n".join(invite.lines), invite.lines
    b.reply(invite, 180, "Ringing")
    ringing = a.expect(180)
    b.reply(invite, 486, "Busy")
    b.expect(method="ACK")
    a.refused()
    # the caller hears of the called in his own way, without a word on privacy
    is_pid = "P-Asserted" in says or "P-Preferred" in says
    answered = said(ringing)
    assert set(answered) == {"From", "P-Asserted-Identity" if is_pid else "Remote-Party-ID"}


def test_variables(sw, pair, parked):
    """As FreeSWITCH has them: none of them goes on by itself."""
    a, _ = pair
    a.call("7999", extra=PAI + "Privacy: id\nCall-Info: <sip:a>;x=1\nAlert-Info: <y>\nHistory-Info: <sip:2003@lab.test>;index=1\nSubject: lab subject\n"
                                "Identity: x;info=<y>\nGeolocation: <cid:x>\nP-Early-Media: supported\nUser-to-User: 56a3\n")
    a.answered()
    var = parked()
    wanted = {"sip_P-Asserted-Identity": "31", "sip_cid_type": "pid", "sip_Privacy": "id", "sip_call_info": "<sip:a>;x=1", "sip_alert_info": "<y>",
              "sip_history_info": "<sip:2003@lab.test>;index=1", "sip_subject": "lab subject", "sip_identity": "x;info=<y>",
              "sip_h_identity": "x;info=<y>", "sip_geolocation": "<cid:x>", "sip_h_P-Early-Media": "supported", "sip_h_User-to-User": "56a3",
              "sip_h_P-Asserted-Identity": "_undef_", "sip_h_Call-Info": "_undef_", "sip_h_Alert-Info": "_undef_",
              "caller_id_number": "31", "ani": "31", "username": "31", "privacy_hide_number": "true", "privacy_hide_name": "true"}
    assert {name: var(name) for name in wanted} == wanted
    a.bye()


def test_the_profile_may_let_headers_through(sw, pair):
    set_params(sw, "external", inbound_copy_headers="P-Early-Media,Call-Info")
    try:
        a, b = pair
        a.call("7000", extra="P-Early-Media: supported\nP-Charging-Vector: icid-value=1\nCall-Info: <x>\nAlert-Info: <y>\n")
        invite = b.expect(method="INVITE")
        assert said(invite) == {**BASE, "P-Early-Media": "supported", "Call-Info": "<x>"}
        b.reply(invite, 486, "Busy")
        b.expect(method="ACK")
        a.refused()
    finally:
        set_params(sw, "external", inbound_copy_headers=None)


def test_a_profile_that_tells_nobody(sw, pair):
    set_params(sw, "external", caller_id_type="none")
    try:
        a, b = pair
        a.call("7000", extra=PAI + "Privacy: id\n")
        invite = b.expect(method="INVITE")
        assert said(invite) == {"From": HIDDEN} and "sip:31" not in "\n".join(invite.lines)
        b.reply(invite, 486, "Busy")
        b.expect(method="ACK")
        a.refused()
    finally:
        set_params(sw, "external", caller_id_type=None)


def test_through_a_loopback(sw, pair):
    """Nothing of the caller's P- headers comes along, the wish to be hidden does."""
    a, b = pair
    a.call("7998", extra=PAI + "Privacy: id\nP-Early-Media: supported\nCall-Info: <x>\n")
    invite = b.expect(method="INVITE")
    got = said(invite)
    assert got["From"] == HIDDEN and ("privacy=full" in got.get("Remote-Party-ID", "") or got.get("Privacy") == "id")
    assert "Call-Info" not in got and "P-Early-Media" not in got
    b.reply(invite, 486, "Busy")
    b.expect(method="ACK")
    a.refused()


@pytest.mark.parametrize("number,name,shown", [("7997", "Callee X", "42"), ("7996", "OCN", "808"), ("7000", "Outbound Call", "svc")])
def test_who_is_called(sw, pair, number, name, shown):
    """The caller is told from the ringing on, and the records after a failure."""
    a, b = pair
    events = sw.esl()
    events.subscribe("CHANNEL_PROGRESS CHANNEL_HANGUP_COMPLETE")
    a.call(number)
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, "Ringing")
    wanted = f'"{name}" <sip:{shown}@127.0.0.1>;party=calling;privacy=off;screen=no'
    assert a.expect(180).get("Remote-Party-ID") == wanted
    e = events.wait_event("CHANNEL_PROGRESS", Call_Direction="inbound")
    assert (e["Caller-Callee-ID-Name"], e["Caller-Callee-ID-Number"]) == (name, shown)
    b.reply(invite, 486, "Busy")
    b.expect(method="ACK")
    a.refused()
    e = events.wait_event("CHANNEL_HANGUP_COMPLETE", Call_Direction="inbound")
    assert (e["Caller-Callee-ID-Name"], e["Caller-Callee-ID-Number"]) == (name, shown)
    events.close()


def test_the_name_before_anybody_is_called(sw, pair):
    a, _ = pair
    for number, wanted in (("7995", '"Init" <sip:7995@127.0.0.1>'), ("7994", '"Eff" <sip:43@127.0.0.1>')):
        a.call(number)
        assert a.answered().get("Remote-Party-ID").startswith(wanted)
        a.bye()
