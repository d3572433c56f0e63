"""Moving over from FreeSWITCH: what its Lua scripts use beside the objects of test_lua.py. Hooks with env and session, the remaining
methods, JSON, and the XML handler that whole systems are built on."""
import json
import re

import pytest
import tandem as t
from calls import call, ended, extension, write_extensions

HANDLER = r"""
local function tell(name, ...)
  freeswitch.consoleLog("notice", name .. " " .. table.concat({...}, "|") .. "\n")
end
local r = XML_REQUEST
if r.section == "dialplan" then
  local number, context = params:getHeader("Hunt-Destination-Number"), params:getHeader("Hunt-Context")
  tell("DIALPLAN", r.tag_name, r.key_name, r.key_value, number, context, params:getHeader("Caller-Caller-ID-Number"),
       tostring(params:getHeader("variable_sip_from_user")), argv[1], params:getType())
  if number == "7601" then
    XML_STRING = '<document type="freeswitch/xml"><section name="dialplan"><context name="' .. context ..
      '"><extension name="made"><condition field="destination_number" expression="^(7601)$">' ..
      '<action application="set" data="made=by the handler $1"/><action application="set" data="a=<b>&c"/>' ..
      '<action application="answer"/><action application="park"/></condition></extension></context></section></document>'
  elseif number == "7602" then
    XML_STRING = '<document><section name="dialplan"><context></section></document>'
  elseif number == "7603" then
    error("the handler failed")
  elseif number:match("^7604") then
    -- what a careless script does: what the caller sent stands in the text
    XML_STRING = '<document><section name="dialplan"><context name="default"><extension name="careless">' ..
      '<condition field="${cond(1 == 1 ? ' .. number .. ' : b)}" expression="^7604"><action application="set" data="inline=' .. number ..
      '" inline="true"/><action application="set" data="careless=' .. number ..
      '"/><action application="answer"/><action application="park"/></condition></extension></context></section></document>'
  elseif number then
    XML_STRING = '<document><section name="result"><result status="not found"/></section></document>'
  end
elseif r.section == "directory" then
  local user, domain = params:getHeader("user"), params:getHeader("domain")
  tell("DIRECTORY", r.tag_name, r.key_name, r.key_value, user, domain, tostring(params:getHeader("action")),
       tostring(params:getHeader("sip_auth_method")), tostring(params:getHeader("sip_profile")), tostring(params:getHeader("key")))
  if user and user:match("^80") then
    XML_STRING = '<document type="freeswitch/xml"><section name="directory"><domain name="' .. domain .. '">' ..
      '<params><param name="dial-string" value="${sofia_contact(*/${dialed_user}@${dialed_domain})}"/></params>' ..
      '<groups><group name="default"><users><user id="' .. user .. '"><params><param name="password" value="pass' .. user .. '"/></params>' ..
      '<variables><variable name="user_context" value="default"/><variable name="of_handler" value="yes"/></variables></user>' ..
      '</users></group></groups></domain></section></document>'
  end
end
"""
METHODS = r"""
session:answer()
local e = freeswitch.Event("CUSTOM", "lua::data")
session:setEventData(e)
session:setVariable("told", table.concat({e:getHeader("Unique-ID") == session.uuid and "same" or "other", e:getHeader("variable_mark"),
  session:getXMLCDR():match("<cdr core%-uuid=") and "cdr" or "none", session:getXMLCDR():match("<mark>(.-)</mark>")}, " "))
session:consoleLog2("notice", "some.lua", "f", 12, "LOGGED of the session")
freeswitch.consoleLog2("notice", "some.lua", "f", 13, "LOGGED of freeswitch")
session:check_hangup_hook()
session:execute("park")
"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("lua") / "instance")
    scripts = s.root / "scripts"
    scripts.mkdir(exist_ok=True)
    (scripts / "handler.lua").write_text(HANDLER)
    (scripts / "methods.lua").write_text(METHODS)
    (scripts / "hook.lua").write_text(
        'freeswitch.consoleLog("notice", string.format("HOOK %s %s %s %s %s\\n", argv[1], type(env), tostring(env and env:getHeader("hangup_cause")),'
        ' tostring(env and env:getHeader("Unique-ID")), session and tostring(session:ready()) .. session:getVariable("mark") or "none"))\n')
    conf = s.root / "conf/autoload_configs/lua.conf.xml"
    conf.write_text(conf.read_text().replace("<settings>", '<settings>\n<param name="xml-handler-script" value="handler.lua xml_handler"/>\n'
                                             '<param name="xml-handler-bindings" value="dialplan|directory"/>', 1))
    write_extensions(s, [
        extension("7501", "set mark=here", "set api_hangup_hook=lua hook.lua plain", "answer", "park"),
        extension("7502", "set mark=here", "set session_in_hangup_hook=true", "set api_hangup_hook=lua hook.lua with", "answer", "park"),
        extension("7503", "set mark=here", "set session_in_hangup_hook=true", "set api_reporting_hook=lua hook.lua reporting", "answer", "park"),
        extension("7504", "set mark=there", "lua methods.lua"), extension("7602", "answer", "park"), extension("7603", "answer", "park")])
    s.start()
    yield s
    s.stop()


def only_uuid(sw):
    return json.loads(sw.api("show channels as json"))["rows"][0]["uuid"]


@pytest.mark.parametrize("number,kind,session", [("7501", "plain", "none"), ("7502", "with", "falsehere"), ("7503", "reporting", "falsehere")])
def test_hooks_have_env_and_session(sw, phone, number, kind, session):
    a = call(phone("1000"), number)
    uuid = only_uuid(sw)
    a.bye()
    sw.wait_log(f"HOOK {kind} userdata NORMAL_CLEARING {uuid} {session}")


def test_a_command_has_no_env(sw):
    assert sw.api("lua ~stream:write(type(env), type(session))") == "nilnil"


def test_methods(sw, phone):
    a = call(phone("1000"), "7504")
    uuid = only_uuid(sw)
    sw.wait_log("some.lua:12 f LOGGED of the session")
    sw.wait_log("some.lua:13 f LOGGED of freeswitch")
    assert sw.api(f"uuid_getvar {uuid} told") == "same there cdr there"
    a.bye()


def test_json(sw):
    def lua(code):
        return sw.api(f"lua ~local j = freeswitch.JSON() {code}")
    assert lua("stream:write(j:encode({a={1,2.5,'x'}, }))") == '{"a":[1,2.5,"x"]}'
    assert lua("stream:write(j:encode({}), j:encode({[1]=true,[2]=false}))") == "[][true,false]"
    assert lua("j:encode_empty_tables_as_object(true) stream:write(j:encode({}))") == "{}"
    assert lua("j:return_unformatted_json(false) stream:write(j:encode({a=1}))") == '{\n\t"a":\t1\n}'
    assert lua("""local d = j:decode('{"a": [1, {"b": "c"}, null, true, 1.5]}') stream:write(#d.a, d.a[1], d.a[2].b, tostring(d.a[3]), d.a[5])""") == "51cnil1.5"
    assert lua("stream:write(tostring(j:decode('{\"a\": ')))") == "nil"
    assert lua("local t = {} t.t = t stream:write(tostring(pcall(j.encode, j, t)))") == "false"
    assert lua("stream:write(j:execute({command='status', data=''}).response.systemStatus)") == "ready"
    assert json.loads(lua("stream:write(j:execute2('{\"command\": \"status\", \"data\": \"\"}'))"))["response"]["systemStatus"] == "ready"


def test_what_is_not_there_says_so(sw):
    for code in ("freeswitch.email('a')", "freeswitch.Session():insertFile('a')"):
        assert sw.api(f"lua ~local ok, why = pcall(function() {code} end) stream:write(why)").endswith("is not available here"), code


# ---- the XML handler

def test_dialplan_of_the_handler(sw, phone):
    a = call(phone("1000"), "7601")
    uuid = only_uuid(sw)
    assert sw.api(f"uuid_getvar {uuid} made") == "by the handler 7601"
    assert sw.api(f"uuid_getvar {uuid} a") == "<b>&c"  # read as leniently as a file
    sw.wait_log("DIALPLAN |||7601|default|1000|1000|xml_handler|REQUEST_PARAMS")
    a.bye()


def test_files_have_what_the_handler_has_not(sw, phone):
    for number, log in ("7504", None), ("7602", "mismatched tag"), ("7603", "the handler failed"):
        a = call(phone("1000"), number)
        if log:
            sw.wait_log(log)
        a.bye()
        sw.wait_calls(0)


def test_a_careless_handler_lets_nothing_in(sw, phone):
    """What the caller sent is in the text that the script composed: it stays data."""
    a = phone("1000")
    a.invite("7604%24%7Bglobal_setvar(broken=yes)%7D")
    a.answered()
    for name in ("careless", "inline"):
        assert sw.api(f"uuid_getvar {only_uuid(sw)} {name}") == "7604${global_setvar(broken=yes)}"
    assert sw.api("global_getvar broken") != "yes"
    a.bye()


def test_users_of_the_handler(sw, phone):
    """They log in, call and are called; the files' users too; who is nobody's is refused."""
    for user in ("8001", "8002"):
        sw.passwords[user] = f"pass{user}"
    b = phone("8001")
    sw.wait_log(re.compile(r"DIRECTORY domain\|name\|127\.0\.0\.1\|8001\|127\.0\.0\.1\|sip_auth\|REGISTER\|internal\|id"))
    a = phone("8002")
    assert {"8001", "8002"} <= {r["reg_user"] for r in json.loads(sw.api("show registrations as json"))["rows"]}
    a.invite("7601")
    a.answered()
    assert sw.api(f"uuid_getvar {only_uuid(sw)} of_handler") == "yes"
    a.bye()
    sw.wait_calls(0)
    assert sw.api("user_data 8001@127.0.0.1 var of_handler") == "yes"
    assert sw.api("user_exists id 8003 127.0.0.1") == "true"
    assert sw.api("user_exists id 9003 127.0.0.1") == "false"
    assert sw.api("user_exists id 1000 127.0.0.1") == "true"
    sw.esl().command("bgapi originate user/8001@127.0.0.1 &park()")
    b.take()
    sw.wait_calls(1)
    b.bye()
    sw.wait_calls(0)


def test_a_wrong_password_is_refused(sw, phone):
    sw.passwords["8009"] = "wrong"
    p = phone("8009", register=False)
    with pytest.raises(Exception):
        p.register()
    assert "8009," not in sw.api("show registrations")
