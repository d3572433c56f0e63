"""What a client or a script says of a call, and what commands answer of calls and phones, may be a stranger's text: wherever it comes back
into the switch, nothing in it runs. Ways that name the call otherwise than test_client_text.py's commands."""
import json

import pytest
from calls import extension, write_extensions
from test_outbound_socket import Server
from trunk import Trunk, add_profile
from wire import sdp

import tandem as t

RUN = "${global_setvar(hit=1)}"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("program_text") / "instance")
    s.at = add_profile(s, "plain")
    (s.root / "scripts").mkdir(exist_ok=True)
    (s.root / "scripts/says.lua").write_text('stream:write("Mr " .. session:getVariable("caller_id_name"))\n')
    (s.root / "scripts/routes.lua").write_text("""
        local name = session:getVariable("caller_id_name")
        ACTIONS = {{"set", "who=" .. name}, {"eval", name}, {"eval", "${who}"}, {"set", "went=1"}, "park"}
    """)
    (s.root / "scripts/keeps.lua").write_text('freeswitch.setGlobalVariable("last_caller", "Mr " .. session:getVariable("caller_id_name"))\n')
    (s.root / "scripts/fails.lua").write_text("""
        session:answer()
        session:playAndGetDigits(1, 1, 1, 1, "#", "silence_stream://1", "", "1", "d", 1, session:getVariable("caller_id_name"))
    """)
    answers = {"79801": "global_getvar()", "79802": "xml_wrap(global_getvar last_name)", "79803": "console_execute(global_getvar last_name)",
               "79804": "valet_info()", "79805": "audio_streams()",
               "79806": "db(list/told)", "79807": "hash_dump(db)", "79808": "hash_dump(limit)"}
    write_extensions(s, [
        *(extension(number, f"set x=${{{command}}}", "log NOTICE ANSWER ${x}", "eval ${x}", "set went=1", "answer", "park") for number, command in answers.items()),
        extension("79800", "set_global last_name=${caller_id_name}", "db insert/told/${caller_id_name}/1",
                  "hash insert/told/${caller_id_name}/1", "limit hash told ${caller_id_name} 100", "answer",
                  "eval ${uuid_audio_fork(${uuid} start ws://127.0.0.1:1/ mono 8k ${caller_id_name})}", "valet_park lot ${caller_id_name}"),
        extension("7980", "answer", "park"),
        extension("7981", "set effective_caller_id_name=Office", "bridge sofia/plain/svc@127.0.0.1:${sip_h_X-Port}"),
        extension("7982", "set x=${lua(says.lua)}", "eval ${x}", "set went=1", "answer", "park"),
        extension("7986", "lua keeps.lua", "eval ${last_caller}", "set went=1", "answer", "park"),
        extension("7987", "lua fails.lua"),
        extension("7988", "set went=1", "answer", "park"),
        extension("7989", "socket 127.0.0.1:SOCKET async full"),
        extension("7983", "transfer 7983 LUA routes.lua"),
        extension("7984", "set x=${sofia(status profile internal reg)}", "eval ${x}", "set went=1", "answer", "park"),
        extension("7985", "set x=${sofia_presence_data(user_agent internal/1000@${domain})}", "eval ${x}", "set went=1", "answer", "park"),
    ])
    more = s.root / "conf/dialplan/default/tests.xml"
    s.server = Server()
    more.write_text(more.read_text().replace("SOCKET", str(s.server.port)))
    s.start()
    yield s
    s.stop()
    s.server.close()


@pytest.fixture(autouse=True)
def none_ran(sw):
    sw.api("global_setvar hit=no")
    yield
    sw.api("hupall")
    sw.wait_calls(0)
    assert sw.api("global_getvar hit") == "no"


def leg(sw, direction="inbound"):
    return next(r.split(",")[0] for r in sw.api("show channels").splitlines() if f",{direction}," in r)


def call(sw, phone, number, extra=""):
    a = phone("ext", register=False, kind=Trunk, at=sw.at)
    a.frm = f'"{RUN}" <sip:ext@127.0.0.1>'
    a.invite(number, extra=extra)
    return a


def went(sw, events):
    return events.wait_event("CHANNEL_EXECUTE", Application="set", Application_Data="went=1")


def told(sw):
    e = sw.esl()
    e.subscribe("CHANNEL_EXECUTE")
    return e


def test_json_execute(sw, phone):
    a = call(sw, phone, "7980")
    a.answered()
    events = told(sw)
    u = leg(sw)
    for app, arg in (("eval", RUN), ("set", f"x={RUN}"), ("eval", "${x}"), ("set", "went=1")):
        assert "success" in sw.api("json " + json.dumps({"command": "execute", "data": {"uuid": u, "app": app, "arg": arg}}))
    went(sw, events)


def test_eval_of_a_call(sw, phone):
    a = call(sw, phone, "7980")
    a.answered()
    u = leg(sw)
    assert sw.api(f"eval uuid:{u} Mr {RUN} ${{Unique-ID}}") == f"Mr {RUN} {u}"
    assert sw.api(f"expand uuid:{u} echo Mr {RUN} ${{Unique-ID}}") == f"Mr {RUN} {u}"


def test_what_a_leg_was_told_of_its_partner(sw, phone):
    b = phone("svc", register=False, kind=Trunk, at=sw.at)
    a = call(sw, phone, "7981", extra=f"X-Port: {b.port}\n")
    invite = b.expect(method="INVITE")
    b.reply(invite, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    events = told(sw)
    u = leg(sw, "outbound")
    c = sw.esl()
    for app, arg in (("eval", RUN), ("set", f"x={RUN}"), ("eval", "${x}"), ("set", "went=1")):
        headers, _ = c.command(f"sendmsg {u}\ncall-command: execute\nexecute-app-name: {app}\nexecute-app-arg: {arg}")
        assert headers["Reply-Text"] == "+OK"
    went(sw, events)
    c.close()


@pytest.mark.parametrize("number", ["7982", "7983", "7986"])
def test_lua(sw, phone, number):
    events = told(sw)
    call(sw, phone, number)
    went(sw, events)


def test_where_lua_sends_a_caller_without_digits(sw, phone):
    """playAndGetDigits: a place that a caller wrote is an extension, in the dialplan where he is."""
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE CHANNEL_DESTROY")
    back = f"eval:{RUN} inline"
    a = phone("ext", register=False, kind=Trunk, at=sw.at)
    a.frm = f'"{back}" <sip:ext@127.0.0.1>'
    a.invite("7987")
    a.answered()
    assert events.wait_event("CHANNEL_DESTROY")["Caller-Destination-Number"] == back
    events.close()


@pytest.mark.parametrize("api", ["api", "bgapi"])
def test_commands_of_a_server_that_has_the_call(sw, phone, api):
    """Commands in which it names no call."""
    call(sw, phone, "7989")
    link = sw.server.link()
    link.ask("connect")
    events = told(sw)
    name = f"Mr {RUN}"
    for line in (f"eval {name}", f"expand echo {name}", f"global_setvar last={name}", "eval ${last}",
                 f"originate {{x='{name}'}}loopback/7988/default &park", f"originate loopback/7988/default 'eval:{name},park' inline"):
        link.ask(f"{api} {line}")
    went(sw, events)
    went(sw, events)
    link.close()


@pytest.mark.parametrize("number", ["7984", "7985"])
def test_what_a_phone_calls_itself(sw, phone, number):
    phone("1000").register(extra=f"User-Agent: {RUN}\n")
    assert RUN in sw.api("sofia status profile internal reg")
    events = told(sw)
    call(sw, phone, number)
    went(sw, events)


@pytest.mark.parametrize("number", ["79801", "79802", "79803", "79804", "79805", "79806", "79807", "79808"])
def test_what_commands_tell_of_another_call(sw, phone, number):
    events = told(sw)
    a = call(sw, phone, "79800")
    a.answered()
    events.wait_event("CHANNEL_EXECUTE", Application="valet_park")
    b = phone("ext", register=False, kind=Trunk, at=sw.at)
    b.invite(number)
    went(sw, events)
    assert RUN in sw.log_text
