"""Shared line appearances: all phones of a line see which appearance is seized, rings, speaks, is held, and is free again."""
import re

import pytest
import tandem as t
from http_client import Door
from watch import Two, dialogs, states, subscribe
from wire import sdp

IDLE = "<sip:127.0.0.1>;appearance-index=*;appearance-state=idle"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("shared") / "instance")
    p = s.root / "conf/sip_profiles/internal.xml"
    p.write_text(p.read_text().replace("<settings>", '<settings>\n<param name="manage-shared-appearance" value="true"/>\n'
                                       '<param name="multiple-registrations" value="contact"/>\n'
                                       '<param name="presence-dialog-partial" value="true"/>\n<param name="presence-proto-lookup" value="true"/>\n<param name="tcp-always-nat" value="true"/>', 1))
    (s.root / "conf/autoload_configs/presence_map.conf.xml").write_text(
        '<configuration name="presence_map.conf"><domains><domain name="127.0.0.1"><exten regex="^3\\d+$" proto="conf"/></domain></domains>'
        '</configuration>')
    s.start()
    yield s
    s.stop()


def lines(m):
    """{index: (state, the rest)} of Call-Info."""
    assert m.all("Call-Info")[-1] == IDLE
    found = [re.match(r"<sip:127.0.0.1>;appearance-index=(\d+);appearance-state=(\w+)(.*)", v) for v in m.all("Call-Info")[:-1]]
    return {int(f.group(1)): (f.group(2), f.group(3)) for f in found}


def seize(phone, user, index, **how):
    return subscribe(phone, user, "line-seize", expires=15, extra=f"Call-Info: <sip:127.0.0.1>;appearance-index={index}\n", **how)


def test_seized_called_held_and_free(sw, phone):
    one, two = phone("1006"), phone("1006")
    a, b = subscribe(one, "1006", "call-info"), subscribe(two, "1006", "call-info")
    assert lines(a.notify()) == lines(b.notify()) == {}
    s = seize(one, "1006", 1)
    mine = s.until(lambda m: m.get("Event") == "line-seize")
    assert mine.get("Call-Info") == "<sip:127.0.0.1>;appearance-index=1" and mine.get("Expires") == "15"
    assert lines(b.notify()) == lines(a.notify()) == {1: ("seized", "")}
    assert seize(two, "1006", 1, code=480).response.code == 480  # it has its owner
    other = phone("1007")
    one.invite("1007", extra="Call-Info: <sip:127.0.0.1>;appearance-index=1\n")
    req = other.expect(method="INVITE")
    assert lines(b.until(lambda m: "progressing" in m.get("Call-Info"))) == {
        1: ("progressing", ';appearance-uri="\\"1007\\" <sip:1007@127.0.0.1>"')}
    assert s.notify().get("Subscription-State") == "terminated;reason=noresource"  # the seizure became the call
    other.reply(req, 200, "OK", sdp(other.rtp_port))
    other.expect(method="ACK")
    other.enter(req)
    one.answered()
    assert lines(b.until(lambda m: "active" in m.get("Call-Info")))[1][0] == "active"
    one.request("INVITE", body=sdp(one.rtp_port, direction="sendonly", version=2))
    ok = one.expect(200)
    one.request("ACK", cseq=int(ok.get("CSeq").split()[0]))
    assert lines(b.until(lambda m: "held" in m.get("Call-Info")))[1][0] == "held"
    one.bye()
    other.reply(other.expect(method="BYE"), 200)
    assert lines(b.until(lambda m: len(m.all("Call-Info")) == 1)) == {}
    a.end(), b.end()


def test_given_up(sw, phone):
    one, two = phone("1006"), phone("1006")
    a = subscribe(two, "1006", "call-info")
    a.notify()
    s = seize(one, "1006", 2)
    s.notify()
    assert lines(a.until(lambda m: len(m.all("Call-Info")) == 2)) == {2: ("seized", "")}
    assert s.ask(0).code == 202
    s.notify()
    assert lines(a.until(lambda m: len(m.all("Call-Info")) == 1)) == {}
    seize(one, "1006", 0, code=480)
    a.end()


def test_called_lines_are_numbered(sw, phone):
    b = phone("1006")
    a = subscribe(b, "1006", "call-info")
    a.notify()
    call = Two(sw, phone, "1007", "1006")
    call.b = b
    call.ring().answer()
    assert lines(a.until(lambda m: "active" in m.get("Call-Info")))[1][0] == "active"
    call.bye()
    a.until(lambda m: len(m.all("Call-Info")) == 1)
    a.end()


def test_partial_after_the_first(sw, phone):
    """presence-dialog-partial: what changed, and nothing else."""
    w, call = phone("1002"), Two(sw, phone)
    s = subscribe(w, "1001", "dialog")
    assert 'state="full"' in s.notify().body
    call.ring()
    early = s.until(lambda m: states(m) == ["early"])
    assert 'state="partial"' in early.body
    call.answer().bye()
    assert 'state="partial"' in s.until(lambda m: states(m) == ["terminated"]).body
    s.ask(200)
    assert 'state="full"' in s.notify().body  # a refresh shows all
    s.end()


def test_a_number_that_is_a_room(sw, phone):
    """presence_map.conf: 3005 is the room, and is called 3005 by who watches it."""
    w = phone("1002")
    s = subscribe(w, "3005", "dialog")
    assert dialogs(s.notify()) == [("3005", "initiator", "terminated")]
    esl = sw.esl()
    esl.command("sendevent PRESENCE_IN\nproto: conf\nlogin: 3005\nfrom: 3005@127.0.0.1\nunique-id: 3005\nforce-status: Active (1 caller)\n"
                "answer-state: confirmed\nchannel-state: CS_ROUTING\npresence-call-direction: outbound")
    m = s.until(lambda m: states(m) == ["confirmed"])
    assert 'entity="sip:3005@127.0.0.1"' in m.body
    s.end(), esl.close()


def watched(sw):
    text = Door(sw).call("GET", "/metrics")[2].decode()
    return int(re.search(r'tandem_sip_subscriptions\{profile="internal"\} (\d+)', text).group(1))


def test_a_connection_takes_its_subscriptions_along(sw, phone):
    """Of a phone that is reached over its connection only (tcp-always-nat)."""
    w, stays = phone("1002", tcp=True), phone("1003")
    before = watched(sw)
    s, other = subscribe(w, "1001", "dialog"), subscribe(stays, "1001", "dialog")
    s.notify(), other.notify()
    subscribe(w, "1001", "presence").notify()
    assert watched(sw) == before + 3
    w.s.close()
    for _ in range(100):
        if watched(sw) == before + 1:
            break
        sw.api("msleep 20")
    assert watched(sw) == before + 1
    other.end()
