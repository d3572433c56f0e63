"""Who was reached, as the called side says it in 180, 183 and 200: the caller is told, records and events have it; of whom is not believed it
counts for nothing."""
import pytest
import tandem as t
from calls import ended, extension, write_extensions
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks
ASSERTED, RPID = 'P-Asserted-Identity: "%s" <sip:%s@lab>\n', 'Remote-Party-ID: "%s" <sip:%s@lab>;party=called\n'


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("callee") / "instance")
    s.free = add_profile(s, "free")
    s.wary = add_profile(s, "wary", apply_identity_acl="10.9.0.0/16")
    s.silent = add_profile(s, "silent", send_display_update="false")
    write_extensions(s, [extension(f"77{i}(\\d+)", f"bridge {more}sofia/{p}/svc@127.0.0.1:$1") for i, (p, more) in enumerate(
        [("free", ""), ("wary", ""), ("silent", ""), ("free", "{sip_ignore_remote_cid=true}"), ("free", "{ignore_display_updates=true}")])])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def pair(sw, phone):
    return tuple(phone(name, register=False, kind=Trunk, at=sw.free) for name in "ab")


def told(m):
    return m.get("Remote-Party-ID").split(";")[0]


@pytest.mark.parametrize("header", [ASSERTED, RPID])
def test_the_caller_is_told(sw, pair, header):
    a, b = pair
    events = sw.esl()
    events.subscribe("CALL_UPDATE")
    a.invite(f"770{b.port}")
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, extra=header % ("First One", "2001"))
    assert told(a.expect(180)) == '"First One" <sip:2001@127.0.0.1>'
    b.reply(invite, 183, body=sdp(b.rtp_port), extra=header % ("First One", "2001"))
    assert told(a.expect(183)) == '"First One" <sip:2001@127.0.0.1>'
    b.reply(invite, 200, body=sdp(b.rtp_port), extra=header % ("Sec\\\"ond", "2%3002"))
    b.expect(method="ACK")
    b.enter(invite)
    assert told(a.answered()) == '"Sec\\"ond" <sip:2002@127.0.0.1>'
    e = events.wait_event("CALL_UPDATE", **{"Call-Direction": "inbound"})
    assert (e["Direction"], e["Sent-Callee-ID-Name"], e["Sent-Callee-ID-Number"]) == ("SEND", "First One", "2001")  # the two are joined by the 183
    events.close()
    a.bye()
    ended(b)


def test_a_number_alone_leaves_the_name(sw, pair):
    a, b = pair
    a.invite(f"770{b.port}")
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, extra="P-Asserted-Identity: <sip:2001@lab>\n")
    assert told(a.expect(180)) == '"Outbound Call" <sip:2001@127.0.0.1>'
    b.reply(invite, 486)
    b.expect(method="ACK")
    a.ack_failure(a.expect(486))


@pytest.mark.parametrize("number,profile", [("771", "wary"), ("772", "silent"), ("773", "free"), ("774", "free")])
def test_where_it_counts_for_nothing(sw, phone, number, profile):
    a, b = phone("a", register=False, kind=Trunk, at=sw.free), phone("b", register=False, kind=Trunk, at=getattr(sw, profile))
    a.invite(f"{number}{b.port}")
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, extra=ASSERTED % ("The Bank", "2001") + "X-FS-Display-Number: 2002\n")
    assert told(a.expect(180)) == '"Outbound Call" <sip:svc@127.0.0.1>'
    b.reply(invite, 486)
    b.expect(method="ACK")
    a.ack_failure(a.expect(486))


@pytest.mark.parametrize("name", ["${global_setvar(callee_was=here)}", "set::callee_was=1", "global_setvar callee_was=here", "x' callee_was=1,y='", "|:ARRAY::a"])
def test_a_name_is_data(sw, pair, name):
    a, b = pair
    events = sw.esl()
    events.subscribe("CHANNEL_ANSWER CHANNEL_EXECUTE_COMPLETE")
    a.invite(f"770{b.port}")
    invite = b.expect(method="INVITE")
    b.reply(invite, 200, body=sdp(b.rtp_port), extra=ASSERTED % (name, "2001%24%7bexpr(6*7)%7d"))
    b.expect(method="ACK")
    b.enter(invite)
    assert told(a.answered()).startswith(f'"{name}" <sip:2001')
    uuid = events.wait_event("CHANNEL_ANSWER", **{"Call-Direction": "outbound"})["Unique-ID"]
    for app, data in (("set", "shown=${callee_id_name}"), ("set", "again=${shown}"), ("eval", "${again}"), ("eval", "${callee_id_number}"),
                      ("set", "number=${callee_id_number}"), ("set", "execute_on_tone_detect=${callee_id_name}"), ("multiset", "a=1 b=${callee_id_name}")):
        assert sw.api(f"uuid_broadcast {uuid} {app}::{data} aleg").startswith("+OK")
        e = events.wait_event("CHANNEL_EXECUTE_COMPLETE", **{"Unique-ID": uuid, "Application": app})
    assert e["variable_shown"] == e["variable_again"] == name
    assert e["variable_number"] == "2001${expr(6*7)}" and "variable_callee_was" not in e
    assert sw.api("global_getvar callee_was") == "-ERR no reply\n"
    events.close()
    a.bye()
    ended(b)
