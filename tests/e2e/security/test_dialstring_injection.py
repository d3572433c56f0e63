"""What a caller dials, or writes in a header, is pasted into the dial string of a bridge. Commas, brackets and quotes in it bring further
legs and variables such as api_on_answer."""
import pytest
import tandem as t
from hostile import Sink

DIAL = {
    "number": 'sofia/external/$1@127.0.0.1:SINK',
    "name": "{a='${caller_id_name}'}sofia/external/svc@127.0.0.1:SINK",
    "header": "[a='${sip_h_X-A}',b=${sip_h_X-A}]sofia/external/svc@127.0.0.1:SINK",
}
ROWS = [("number", w, "", "") for w in (
    "1,sofia/external/evil@127.0.0.1:ELSE", "1|sofia/external/evil@127.0.0.1:ELSE", "1:_:sofia/external/evil@127.0.0.1:ELSE",
    "[api_on_answer=global_setvar hit=yes]q", "{api_on_answer='global_setvar hit=yes'}q", "1,[api_on_answer=global_setvar hit=yes]sofia/external/svc",
    "1,loopback/app=answer,sofia/external/svc", "evil@127.0.0.1:ELSE", "evil@127.0.0.1:ELSE;x=", "1;fs_path=sip:127.0.0.1:ELSE", "<sip_h_X-Evil=1>1",
    "1?X-Evil=1", "'1", "1\\,sofia/external/evil@127.0.0.1:ELSE")] + [
    ("name", "1000", w, "") for w in ("x',sip_h_X-Evil='1", "x',api_on_answer='global_setvar hit=yes',y='", "x}loopback/app=answer,{a=", "x'}[sip_h_X-Evil=1]")] + [
    ("header", "1000", "", w) for w in ("x',sip_h_X-Evil='1", "x,sip_h_X-Evil=1", "x]sofia/external/evil@127.0.0.1:ELSE,[a=", "^^:sip_h_X-Evil=1")]


@pytest.fixture(scope="module")
def ends():
    sink, elsewhere = Sink(), Sink(answers=False)
    yield sink, elsewhere
    sink.close()
    elsewhere.close()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, ends):
    s = t.Tandem(tmp_path_factory.mktemp("dialstring") / "instance")
    (s.root / "conf/dialplan/public").mkdir(exist_ok=True)
    (s.root / "conf/dialplan/public/dial.xml").write_text("<include>" + "".join(
        f'<extension name="{n}"><condition field="${{sip_h_X-Case}}" expression="^{n}$"/><condition field="destination_number" expression="^(.+)$">'
        f'<action application="bridge" data="{d.replace("SINK", str(ends[0].port))}"/></condition></extension>' for n, d in DIAL.items()) + "</include>")
    s.start()
    yield s
    s.stop()


@pytest.mark.parametrize("case,dialled,name,header", ROWS)
def test_one_leg_and_nothing_else(sw, ends, case, dialled, name, header):
    sink, elsewhere = ends
    port = str(elsewhere.port)
    events = sw.esl()
    events.subscribe("CHANNEL_CREATE")
    sw.api("global_setvar hit=no")
    sink.taken()
    final = sink.stranger(sw, case, dialled.replace("ELSE", port), header.replace("ELSE", port), name, "", True)
    assert final and final.code == 486  # the far end's own answer: it was called, once
    sw.wait_calls(0)
    invites = [m for m in sink.taken() if m.method == "INVITE"]
    assert len(invites) == 1 and not invites[0].get("X-Evil") and elsewhere.taken() == []
    assert invites[0].first.split()[1].endswith(f"@127.0.0.1:{sink.port}")
    assert sw.api("global_getvar hit") == "no"
    events.api("status")  # what came before its reply has been told
    legs = [e for e in events.events if e["Call-Direction"] == "outbound"]
    assert len(legs) == 1, [e["Channel-Name"] for e in legs]
    events.close()
