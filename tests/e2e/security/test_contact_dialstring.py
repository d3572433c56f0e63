"""Attack: a phone registers a Contact whose user part is a piece of a dial string (q,loopback/app=..., a$b, it's), which is pasted into
the dial string of whoever calls that extension: further legs, applications, other hosts. A 302 does the same to ${sip_redirect_dialstring}."""
import re
import socket
import sqlite3
from urllib.parse import unquote

import pytest
import tandem as t
from calls import extension
from sayer import addr_of, sayers
from wire import sdp

MEANS = re.compile(r"[,|\[\]{}<>\\$'\"\s^#\x00-\x1f\x7f-\xff]|:_:")
HOSTILE = ["q,sofia/external/victim", "q,loopback/app=answer,sofia/internal/x", "q,%7bapi_on_answer=global_setvar%20pwned=1%7dsofia/external/x",
           "a$b", "a'b", "a%2Cb", "a%7c%5bx%5d", "%5e%5e:a", "a;b=c", "a&park()", "a=b+c", "a/b?c!d~e*f", "q,error/busy", "a#b", "%0d%0aX"]
REFUSED = ["<sip:1000@127.0.0.1:PORT;x=$y>", "<sip:1000@127.0.0.1:PORT;x='y'>", "<sip:1000@127.0.0.1:PORT;x=[y]>",
           "<sip:1000@127.0.0.1:PORT;x=:_:sofia/external/v>", "<sip:_:5060>", "<sip:_:x@127.0.0.1:PORT>", "<tel:+4930>", "<sip:1000@a,b>",
           "<sip:1000@a|b>", "<sip:10 00@127.0.0.1:PORT>", "<sip:10{}00@127.0.0.1:PORT>", "<sip:1000@127.0.0.1:PORT;a,b>", "<sip:a|b@127.0.0.1:PORT>",
           "<sip:1000@127.0.0.1:PORT>>", "<sip:1000@[::1>", "<sip:1000@127.0.0.1:PORT;a=\"b\">", "<sip:a%zz@127.0.0.1:PORT>", "<sip:a\\b@127.0.0.1:PORT>"]


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("contact") / "instance", "conf")
    sw.far_port = t.free_port()
    rows = [extension("7100", "set continue_on_fail=true",
                      f"bridge {{outbound_redirect_fatal=true}}sofia/external/svc@127.0.0.1:{sw.far_port}", "set seen=${sip_redirect_dialstring}", "bridge ${sip_redirect_dialstring}")]
    (sw.root / "conf/dialplan/public/tests.xml").write_text("\n".join(["<include>", *rows, "</include>"]))
    sw.start()
    yield sw
    sw.stop()


@pytest.fixture
def phones(sw):
    with sayers(sw) as make:
        yield make
    sw.api("sofia profile internal flush_inbound_reg")


@pytest.mark.parametrize("user", HOSTILE)
def test_stays_one_address(sw, phones, user):
    a, b = phones("1000"), phones("1001")
    assert a.register_as("<sip:1000@127.0.0.1>", contact=f"<sip:{user}@127.0.0.1:{a.port}>").code == 200
    for text in (sw.api("sofia_contact 1000@127.0.0.1"), sw.api("sofia_contact */1000@127.0.0.1")):
        assert text.startswith("sofia/internal/sip:") and text.count("sofia/internal/sip:") == 1 and not MEANS.search(text), text
    b.call_id, b.uri, b.to = f"c{b.port}", "sip:1000@127.0.0.1", "<sip:1000@127.0.0.1>"
    events = sw.esl()
    events.subscribe("CHANNEL_OUTGOING CHANNEL_HANGUP_COMPLETE")
    b.request("INVITE", b.uri, b.to, body=sdp(b.rtp_port))
    challenge = b.final()
    b.ack_failure(challenge)
    b.request("INVITE", b.uri, b.to, body=sdp(b.rtp_port), extra=b.authorization(challenge, "INVITE", b.uri))
    invite = a.expect(method="INVITE")
    got = invite.first.split(" ")[1]
    assert unquote(got, "latin-1") == unquote(f"sip:{user}@127.0.0.1:{a.port}".encode().decode("latin-1"), "latin-1")
    a.reply(invite, 486, "Busy")
    a.expect(method="ACK")
    b.refused()
    dialled, e = [], {}
    while (e.get("Event-Name"), e.get("Call-Direction")) != ("CHANNEL_HANGUP_COMPLETE", "inbound"):
        e = events.parse(events.read()[1])
        dialled += [e] if e["Event-Name"] == "CHANNEL_OUTGOING" else []
    events.close()
    assert [e["Channel-Name"].split("/")[:2] for e in dialled] == [["sofia", "internal"]]
    assert "1" not in sw.api("global_getvar pwned")


@pytest.mark.parametrize("contact", REFUSED)
def test_is_refused(sw, phones, contact):
    a = phones("1000")
    answer = a.register_as("<sip:1000@127.0.0.1>", contact=contact.replace("PORT", str(a.port)))
    assert answer.code == 400, answer
    assert sw.api("sofia_contact 1000@127.0.0.1") == "error/user_not_registered"


def test_a_refusal_says_why(sw, phones):
    a = phones("1000")
    answer = a.register_as("<sip:1000@127.0.0.1>", contact=f"<sip:1000@127.0.0.1:{a.port};x=$y>")
    assert answer.get("Warning") == '399 127.0.0.1 "a parameter with characters that need escaping"'
    sw.wait_log("a Contact of 1000@127.0.0.1 from 127.0.0.1 is refused: a parameter with characters that need escaping")


def test_our_own_parameters_are_ours(sw, phones):
    """fs_path in a Contact is not followed, and one address of several that is bad binds none."""
    a, b = phones("1000"), phones("1001")
    assert a.register_as("<sip:1000@127.0.0.1>", contact=f"<sip:1000@127.0.0.1:{a.port};fs_path=sip%3A127.0.0.1%3A{b.port};ob?X-H=1>").code == 200
    assert sw.api("sofia_contact 1000@127.0.0.1") == f"sofia/internal/sip:1000@127.0.0.1:{a.port};ob"
    assert a.register_as("<sip:1000@127.0.0.1>", contact="<sip:1000@127.0.0.1:1>, <sip:1000@127.0.0.1:2;x=$>").code == 400
    assert ":1;" not in sw.api("sofia_contact 1000@127.0.0.1")


def test_a_path_and_an_address_behind_nat(sw, phones):
    """The way to a phone is its text too: it stands there wholly escaped."""
    a = phones("1000")
    assert a.register_as("<sip:1000@127.0.0.1>", contact="<sip:it's,$me@0.0.0.0>").code == 200
    text = sw.api("sofia_contact 1000@127.0.0.1")
    assert not MEANS.search(text) and f"fs_path=sip%3Ait%27s%2C%24me%40127.0.0.1%3A{a.port}" in text, text
    sw.api("sofia profile internal flush_inbound_reg")
    assert a.register_as("<sip:1000@127.0.0.1>", extra="Path: <sip:it's,$p@127.0.0.1;lr>\n").code == 200
    text = sw.api("sofia_contact 1000@127.0.0.1")
    assert not MEANS.search(text) and "fs_path=sip%3Ait%27s%2C%24p%40127.0.0.1%3Blr" in text, text


def test_after_a_restart(sw, phones):
    """What is kept on disk of a time before is looked at again."""
    a = phones("1000")
    assert a.register_as("<sip:1000@127.0.0.1>").code == 200
    assert a.register_as("<sip:1000@127.0.0.1>", contact="<sip:1000@127.0.0.1:9>").code == 200
    sw.stop()
    with sqlite3.connect(sw.root / "db/sofia_reg.db") as db:
        assert db.execute("update sip_registrations set target='sip:q,loopback/app=answer@127.0.0.1' where contact like '%:9'").rowcount == 1
    db.close()
    sw.start()
    assert sw.api("sofia_contact 1000@127.0.0.1") == f"sofia/internal/sip:1000@127.0.0.1:{a.port}"


def test_a_redirection(sw, phones):
    """Its Contacts in the dial string that the dialplan may use: one address each."""
    a, far = phones("ext", sw.ext_port), phones("svc", sw.ext_port)
    far.s.close()
    far.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    far.s.bind(("127.0.0.1", sw.far_port))
    far.s.connect(("127.0.0.1", sw.ext_port))
    far.port = sw.far_port
    events = sw.esl()
    events.subscribe("CHANNEL_HANGUP_COMPLETE")
    a.call("7100")
    invite = far.expect(method="INVITE")
    far.reply(invite, 302, "Moved", extra=f"Contact: <sip:q,sofia/external/evil@127.0.0.1:{sw.far_port}>, <sip:x@h;y=$z>\n")
    far.expect(method="ACK")
    for wanted in (f"sip:svc@127.0.0.1:{sw.far_port}", f"sip:q%2Csofia/external/evil@127.0.0.1:{sw.far_port}"):  # its own Contact, then that
        again = far.expect(method="INVITE")
        assert addr_of(again.get("To")) == wanted
        far.reply(again, 486, "Busy")
        far.expect(method="ACK")
    a.refused()
    far.expect_nothing("INVITE", 0.2)
    e = events.wait_event("CHANNEL_HANGUP_COMPLETE", Call_Direction="inbound")
    # %2C stays as it is in events, so their reader has it undone
    assert e["variable_seen"].replace("q,", "q%2C") == "|".join(f"sofia/external/sip:{u}@127.0.0.1:{sw.far_port}" for u in ("svc", "q%2Csofia/external/evil"))
    events.close()
