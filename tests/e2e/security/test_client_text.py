"""What a client of the event socket or of HTTP was told of a call and says again in a command about that call is the caller's text still: a
program that copies a display name into a variable of the call or into an application's data runs nothing by it."""
import pytest
from calls import extension, write_extensions
from trunk import Trunk, add_profile
from wire import sdp

import tandem as t

RUN = "${global_setvar(hit=1)}"
NAMES = [RUN, f"Ann {RUN} of the upper floor", f"x,{RUN},set:hit=1"]


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("client_text") / "instance")
    s.at = add_profile(s, "plain")
    write_extensions(s, [extension("7970", "answer", "park"), extension("7971", "bridge sofia/plain/svc@127.0.0.1:${sip_h_X-Port}"),
                         extension("7972", "set got=a${x}b", "set again=${got}", "eval ${again}${y}${z}", "set went=1", "park")])
    s.start()
    s.api("global_setvar hit=no")
    yield s
    s.stop()


def leg(sw, direction):
    return next(r.split(",")[0] for r in sw.api("show channels").splitlines() if f",{direction}," in r)


def name_of(sw, uuid):
    """As an event tells it."""
    return sw.api(f"uuid_getvar {uuid} caller_id_name")[:200]


def use(sw, uuid, name):
    """Everything that clients in the field do with a name."""
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE")
    cut, low = name[:len(name) - 1], name.lower()
    for x in (name, low, cut):
        sw.api(f"uuid_setvar {uuid} x {x}")
        sw.api(f"uuid_setvar_multi {uuid} y={x};z=Mr {x}")
        sw.api(f"uuid_broadcast {uuid} eval::{x} aleg")
        sw.api(f"sched_broadcast +0 {uuid} eval::{x} aleg")
        sw.api(f"uuid_transfer {uuid} 'set:a={x},eval:${{a}}{x},park' inline")
        events.wait_event("CHANNEL_EXECUTE", Application="park")
        sw.api(f"uuid_transfer {uuid} 7972 XML default")
        events.wait_event("CHANNEL_EXECUTE", Application="set", Application_Data="went=1")
    events.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_said_again(sw, phone, name):
    a = phone("ext", register=False, kind=Trunk, at=sw.at)
    a.frm = f'"{name}" <sip:ext@127.0.0.1>'
    a.invite("7970")
    a.answered()
    u = leg(sw, "inbound")
    assert "global_setvar" in name_of(sw, u)
    use(sw, u, name_of(sw, u))
    assert sw.api("global_getvar hit") == "no"
    a.bye()
    sw.wait_calls(0)


def test_the_callers_name_on_the_other_leg(sw, phone):
    a, b = phone("ext", register=False, kind=Trunk, at=sw.at), phone("svc", register=False, kind=Trunk, at=sw.at)
    a.frm = f'"{RUN}" <sip:ext@127.0.0.1>'
    a.invite("7971", extra=f"X-Port: {b.port}\n")
    invite = b.expect(method="INVITE")
    b.reply(invite, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    u = leg(sw, "outbound")
    sw.api(f"uuid_setvar {u} x {RUN}")
    sw.api(f"uuid_setvar {u} mine ${{uuid}}")  # the client's own words mean what they say
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE")
    sw.api(f"uuid_transfer {u} 7972 XML default")
    events.wait_event("CHANNEL_EXECUTE", Application="set", Application_Data="went=1")
    assert sw.api("global_getvar hit") == "no"
    assert sw.api(f"uuid_getvar {u} got") == f"a{RUN}b"
    sw.api(f"uuid_broadcast {u} set::mine2=${{mine}} aleg")
    events.wait_event("CHANNEL_EXECUTE", Application="set", Application_Data=f"mine2={u}")
    events.close()
    sw.api("hupall")
    sw.wait_calls(0)


def test_a_command_that_names_no_call(sw, phone):
    """An agent is called for a waiting caller whose name is said; a list keeps the name."""
    a = phone("ext", register=False, kind=Trunk, at=sw.at)
    a.frm = f'"{RUN}" <sip:ext@127.0.0.1>'
    a.invite("7970")
    a.answered()
    name = name_of(sw, leg(sw, "inbound"))
    assert sw.api(f"originate {{x='{name}',y={name}}}loopback/7970 'set:z={name},eval:${{x}}{name},park' inline").startswith("+OK")
    assert sw.api(f"originate {{x='for {name}'}}loopback/7970 7972").startswith("+OK")
    sw.api(f"hash insert/names/1/{name}")
    sw.api("expand eval ${hash(select/names/1)}")
    sw.api(f"expand eval {name}")
    assert sw.api("global_getvar hit") == "no"
    assert sw.api("expand eval ${global_getvar(hit)}") == "no"  # the client's own words mean what they say
    sw.api("hupall")
    sw.wait_calls(0)


def test_a_number_that_names_a_dialplan(sw, phone):
    """Who dials "1000 XML default" or a list of applications is sent back to what he dialled: to that number, wherever it may lead."""
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE")
    for dialled in ("set_global:hit=1 inline", "7972 XML default"):
        a = phone("ext", register=False, kind=Trunk, at=sw.at)
        a.invite("7970", extra=f"X-Number: {dialled}\n")
        a.answered()
        u = leg(sw, "inbound")
        assert sw.api(f"uuid_getvar {u} sip_h_X-Number") == dialled
        sw.api(f"uuid_setvar {u} went 0")
        assert sw.api(f"uuid_transfer {u} {dialled}").startswith(("+OK", "-ERR"))
        sw.api(f"uuid_transfer {u} 7970")
        events.wait_event("CHANNEL_EXECUTE", Application="park")
        sw.api(f"uuid_kill {u}")
        sw.wait_calls(0)
        assert sw.api("global_getvar hit") == "no"
        assert all(e.get("Application-Data") != "went=1" for e in events.events)
    events.close()
