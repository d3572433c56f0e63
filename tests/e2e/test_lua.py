"""mod_lua: scripts that talk to calls, run commands and follow events; scripts that spin, hog and fail. Real calls; a script tells
what it saw by the event lua::test."""
import re
import time

import pytest
from calls import call, ended, extension, heard_ms, listen, press
from phones import write_tone

pytestmark = [pytest.mark.leaks, pytest.mark.quiet]

# What every script begins with: tell(text) reaches the test.
TELL = """local function tell(text, ...)
  local e = freeswitch.Event("CUSTOM", "lua::test")
  e:addHeader("Text", string.format(text, ...))
  e:fire()
end
"""
SCRIPTS = {
    "ivr.lua": """
session:answer()
session:setVariable("greeted", "yes")
session:streamFile("{short}")
local digits = session:read(2, 4, "{ask}", 3000, "#")
tell("read %s %s", digits, session:getVariable("read_terminator_used"))
digits = session:playAndGetDigits(2, 3, 2, 3000, "#", "{ask}", "{short}", "^12\\\\d$", "pin", 1000)
tell("pagd %s %s %s", digits, session:getVariable("pin"), session:getVariable("pin_invalid"))
digits = session:getDigits(3, "*", 3000, 1000)
tell("get %s", digits)
session:execute("set", "copy=${{greeted}}-${{destination_number}}")
tell("%s %s %s %s %s", session:getVariable("copy"), tostring(session:ready()), tostring(session:answered()), session.uuid, argv[1])
session:hangup("USER_BUSY")
tell("%s %s", tostring(session:ready()), session:hangupCause())
""",
    "callback.lua": """
session:answer()
function on_input(s, kind, obj, arg)
  if kind == "event" then
    tell("event %s %s", obj:getHeader("What"), tostring(arg))
    return
  end
  tell("%s %s %s %s", kind, obj.digit, tostring(obj.duration > 0), tostring(arg))
  if obj.digit == "9" then return "restart" end
  if obj.digit == "8" then return "pause" end
  if obj.digit == "7" then return "seek:+59000" end
  if obj.digit == "0" then error("the callback failed") end
  return obj.digit == "5" and "break" or "true"
end
session:setInputCallback("on_input", "an argument")
tell("played %d", session:streamFile("{long}"))
tell("sought %d", session:streamFile("{long}"))
tell("slept %d", session:sleep(20000))
local e = freeswitch.Event("NOTIFY")
e:addHeader("What", "told")
session:sendEvent(e)
session:sleep(1)
tell("recording")
tell("recorded %d", session:recordFile("{record}", 20))
session:unsetInputCallback()
session:sleep(1)
tell("kept %s", session:getDigits(1, "", 5000))
session:setInputCallback("on_input")
local ok, why = pcall(function() session:streamFile("{long}") end)
tell("%s %s", tostring(ok), why:match(":%d+: the callback failed"))
session:setAutoHangup(true)
""",
    "norecord.lua": "session:answer()\ntell('recorded %d', session:recordFile('/dev/null/x.wav', 5))\n",
    "hook.lua": """
function hook(s, status, arg)
  s:setVariable("hooked", status)
  tell("hook %s %s %s %s", status, tostring(arg), s:hangupCause(), tostring(s == session))
  return arg == "leave" and "exit" or nil
end
session:setHangupHook("hook", argv[2])
session:answer()
tell("waiting")
if argv[1] == "play" then session:streamFile("{long}")
elseif argv[1] == "endless" then session:execute("endless_playback", "{long}")
elseif argv[1] == "sleep" then session:sleep(60000)
elseif argv[1] == "record" then session:recordFile("{record}", 60)
elseif argv[1] == "digits" then session:getDigits(5, "", 60000)
elseif argv[1] == "read" then session:read(1, 5, "{long}", 60000, "#")
elseif argv[1] == "pagd" then session:playAndGetDigits(1, 5, 3, 60000, "#", "{long}", "", "")
elseif argv[1] == "collect" then session:collectDigits(60000)
elseif argv[1] == "pop" then freeswitch.EventConsumer("CUSTOM", "never::fired"):pop(1)
elseif argv[1] == "dial" then freeswitch.Session("user/1001", session)
elseif argv[1] == "bridge" then session:execute("bridge", "user/1001")
elseif argv[1] == "transfer" then session:transfer("7999", "XML", "default")
elseif argv[1] == "msleep" then while session:ready() do freeswitch.msleep(20) end
end
tell("over %s", tostring(session:ready()))
""",
    "bridge.lua": """
session:answer()
local other = freeswitch.Session("{{lua_made=yes}}user/1001", session)
tell("made %s %s %s", tostring(other:ready()), other:getVariable("lua_made"), tostring(other:answered()))
other:streamFile("{short}")
freeswitch.bridge(session, other)
tell("bridged %s %s %s", tostring(session:ready()), tostring(other:ready()), other:hangupCause())
other = freeswitch.Session("user/nobody")
tell("none %s %s", tostring(other:ready()), other:hangupCause())
other = freeswitch.Session()
tell("empty %s %d", tostring(other:ready()), other:originate(session, "user/1001", 20))
other:sleep(50)
tell("again %s", other:getState())
other:destroy()
""",
    "other.lua": """
local s = freeswitch.Session(argv[1])
tell("found %s", tostring(s:ready()))
s:setVariable("by_lua", "yes")
s:streamFile("{short}")
tell("played %s", s:getVariable("by_lua"))
if argv[2] == "keep" then s:setAutoHangup(false) else s:setAutoHangup(true) end
""",
    "spin.lua": "local x = 0\nwhile true do\n  x = x + 1\nend\n",
    "stubborn.lua": "while true do\n  pcall(function() while true do end end)\nend\n",
    "backtrack.lua": "local text = ('a'):rep(100)\nlocal at = text:find(('a*'):rep(20) .. 'b')\n",
    "inner.lua": "local co = coroutine.wrap(function()\n  freeswitch.msleep(1)\n  while true do end\nend)\npcall(co)\nwhile true do end\n",
    "hog.lua": "local t = {{}}\nfor i = 1, 1e9 do\n  t[i] = 'item ' .. i\nend\n",
    "deep.lua": """
local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end
stream:write(f(5000), " ")
local function g(x) return (("a"):gsub("a", function() return g(x) end)) end
stream:write(select(2, pcall(g, 1)):match("C stack overflow") or "no", " ")
local m = setmetatable({{}}, {{}})
getmetatable(m).__index = function(t, k) return t[k + 1] end
stream:write(select(2, pcall(function() return m[1] end)):match("stack overflow") or "no", " ")
stream:write(load(("("):rep(300) .. "1") and "no" or "overflow")
""",
    "lib/tools.lua": "local M = {{}}\nfunction M.twice(x) return 2 * x end\nreturn M\n",
    "args.lua": """
stream:write(string.format("%s %d [%s] [%s] %d", argv[0], #argv, argv[1], argv[2], require("lib.tools").twice(21)))
package.path = package.path .. ";/nowhere/?.lua"
local ok, why = pcall(require, "no.such")
stream:write(" ", tostring(why:find("no file '/nowhere/no/such.lua'", 1, true) ~= nil))
""",
    "hooked.lua": "tell('hook of %s: %s', event:getHeader('Event-Subclass'), event:getHeader('Number'))\n",
    "startup.lua": """
local con = freeswitch.EventConsumer("CUSTOM", "lua::ping")
while true do
  local e = con:pop(1)
  tell("pong %s", e:getHeader("Number"))
end
""",
    "many.lua": """
local finish = freeswitch.EventConsumer("CUSTOM", "lua::finish")
session:answer()
session:streamFile("{short}")
session:sleep(200)
session:execute("set", "done=" .. session:getVariable("caller_id_number"))
tell("done")
finish:pop(1, 60000)
""",
    "route.lua": """
ACTIONS = {{ {{"set", "routed=" .. session:getVariable("destination_number")}}, "answer", {{"park"}} }}
""",
    "say.lua": """
session:answer()
session:setInputCallback(function(s, kind, obj) return obj.digit == "5" and "break" or "true" end)
tell("said %d", session:say("12", "en", "number", "pronounced"))
tell("counting %d", session:say("1234567", "en", "number", "iterated"))
tell("phrase %d", session:sayPhrase("nosuch_macro", "x"))
tell("over")
session:getDigits(1, "#", 30000)
""",
    "files.lua": """
local name = argv[1] .. "/lua-file.txt"
local f = assert(io.open(name, "w"))
assert(f:write("one\\n", 2, "\\nthree\\nrest of it") == f)
assert(f:close() and io.type(f) == "closed file")
f = io.open(name)
stream:write(f:read(), f:read("n"), f:read("L"), f:read(3), f:read("*a"), tostring(f:read("l")), f:read("a"), "|")
stream:write(f:seek("set", 4), f:read("l"), f:seek("end"), "|")
f = nil
for line in io.lines(name) do stream:write(line, ",") end
assert(os.rename(name, name .. "2"))
local ok, why, code = io.open(name)
stream:write("|", tostring(ok), why:match("No such file"), code, tostring(os.remove(name .. "2")))
stream:write("|", io.popen("echo from the shell"):read("a"), tostring(os.execute("exit 3")), select(3, os.execute("exit 3")))
""",
    "sql.lua": """
local dbh = freeswitch.Dbh("sqlite://lua_test")
stream:write(tostring(dbh:connected()))
assert(dbh:test_reactive("select name, n from t", "drop table if exists t", "create table t (name text, n integer)"))
assert(dbh:query("insert into t values ('a', 1), ('b', 2), ('c', null)"))
stream:write(dbh:affected_rows())
assert(dbh:query("select * from t order by name", function(row) stream:write("[", row.name, row.n, "]") return row.name == "b" and 1 or 0 end))
stream:write(dbh:first_value("select count(*) from t"), dbh:first_row("select * from t").name, tostring(dbh:first_row("select * from t where n = 9")))
stream:write(tostring(dbh:query("select x from nowhere")), dbh:last_error())
local ok, why = pcall(dbh.query, dbh, "select 1", function() error("in a row") end)
stream:write(tostring(ok), why:match("in a row"), tostring(dbh:release()), tostring(dbh:query("select 1")))
stream:write(tostring(pcall(freeswitch.Dbh, "pgsql://x")), tostring(pcall(freeswitch.Dbh, "sqlite://../x")))
""",
    "broken.lua": "local x = 1\nlocal y = = 2\n",
}


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("lua") / "instance")
    sounds = {"short": s.root / "short.wav", "ask": s.root / "ask.wav", "long": s.root / "long.wav",
              "record": s.root / "recordings/lua.wav"}
    for name, seconds in ("short", 0.3), ("ask", 3), ("long", 60):
        write_tone(sounds[name], 523, seconds=seconds)
    for name, text in SCRIPTS.items():
        path = s.root / "scripts" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text((TELL if "tell(" in text else "") + text.format(**sounds))
    (s.root / "conf/dialplan/default/lua.xml").write_text("\n".join([
        "<include>",
        extension("7301", "lua ivr.lua one", "park"), extension("7302", "lua callback.lua", "park"),
        extension("7303", "lua bridge.lua", "set after=lua", "park"), extension("7304", "lua many.lua"),
        extension("7305", "answer", "park"), extension("7306", "lua spin.lua"), extension("7307", "lua ~session:answer() x = nil + 1"),
        extension("7308", "answer", "lua ~local x = nil + 1", "set after=inline ${lua(~stream:write(session:getVariable('destination_number')))}", "park"),
        extension("7330", "lua say.lua"), extension("7309", "transfer 7309 LUA route.lua"), extension("7999", "set went=there", "park"),
        extension("7399", "lua norecord.lua", "sleep 5000"),
        *(extension(f"731{i}", f"lua hook.lua {how} {arg}") for i, (how, arg) in enumerate(HANGS)),
        *(extension(f"732{i}", f"lua hook.lua {how} {arg}") for i, (how, arg) in enumerate(HANGS[10:])),
        "</include>"]))
    (s.root / "conf/autoload_configs/lua.conf.xml").write_text("""<configuration name="lua.conf"><settings>
<param name="memory-limit" value="1"/><param name="instruction-limit" value="30000000"/>
<param name="startup-script" value="startup.lua"/>
<hook event="CUSTOM" subclass="lua::hooked" script="hooked.lua"/></settings></configuration>""")
    s.start()
    yield s
    s.stop()


HANGS = [("play", "a"), ("endless", "a"), ("sleep", "leave"), ("record", "a"), ("digits", "a"), ("read", "a"), ("pagd", "a"), ("collect", "a"),
         ("pop", "a"), ("dial", "a"), ("bridge", "a"), ("msleep", "a"), ("transfer", "t")]


@pytest.fixture
def told(sw):
    esl = sw.esl()
    esl.command("event plain CUSTOM lua::test")

    def wait(text=None):
        e = esl.wait_event("CUSTOM", **{"Event_Subclass": "lua::test"})
        if text is not None:
            assert re.fullmatch(text, e["Text"]), (e["Text"], text, sw.log_text[-3000:])
        return e["Text"]
    yield wait
    esl.close()


def fire(sw, subclass, number):
    esl = sw.esl()
    esl.command(f"sendevent CUSTOM\nEvent-Subclass: {subclass}\nNumber: {number}")
    esl.close()


# ---- the command

def test_command(sw):
    assert sw.api('lua ~stream:write("hi")') == "hi"
    assert sw.api("lua") == "-ERR no reply\n"
    assert sw.api("luarun") == "-ERR no args specified!\n"
    assert sw.api("lua args.lua 'a b' c") == "args.lua 2 [a b] [c] 42 true"
    assert sw.api('lua ~stream:write(freeswitch.API():execute("expr", "6*7"), freeswitch.API():executeString("global_getvar domain"))') \
        == "42" + sw.domain
    assert sw.api('lua ~freeswitch.setGlobalVariable("from_lua", "x") stream:write(freeswitch.getGlobalVariable("from_lua"))') == "x"
    assert sw.api("""lua ~local co = coroutine.wrap(function() freeswitch.msleep(9) coroutine.yield("in ") freeswitch.msleep(9) return "out" end) """
                  "stream:write(co(), co())") == "in out"
    assert sw.api("lua ~freeswitch.msleep(30) stream:write(#tostring(freeswitch.API():getTime()))") == "13"


def test_errors_name_their_line(sw):
    for line, says in [("broken.lua", r"broken\.lua:2: unexpected symbol near '='"), ("nosuch.lua", "nosuch.lua: No such file or directory"),
                       ("../x.lua", "a script lies in the script directory"), ("~error('boom')", r'\[string "line"\]:1: boom'),
                       ("~os.exit()", "os.exit is not available in scripts: a script ends by returning"),
                       ("~io.open('/etc/passwd')", "io.open: system commands are off"), ("~io.read()", "io.read is not available in scripts"),
                       ("~os.execute('true')", "system-commands"), ("~os.remove('/x')", "system-commands"),
                       ("~setmetatable({}, {__gc = print})", "__gc is not available"),
                       ("~load(string.dump(print))", "unable to dump"),
                       ("~local f = load(string.dump(function() end)) f()", "nil value"),
                       ("~session:answer()", "nil value")]:
        seen = len(sw.log_text)
        assert sw.api("lua " + line) == "-ERR Cannot execute script\n", line
        wait_log(sw, says, seen)


def wait_log(sw, pattern, since=0):
    deadline = time.monotonic() + 10
    while not re.search(pattern, sw.log_text[since:]):
        assert time.monotonic() < deadline, (pattern, sw.log_text[since:][-2000:])
        time.sleep(0.02)


def test_deep_recursion(sw):
    assert sw.api("lua deep.lua") == "5000 C stack overflow stack overflow overflow"


@pytest.mark.parametrize("script,place", [("spin.lua", "spin.lua:3: stopped: it neither waits nor ends"),
                                          ("stubborn.lua", "stubborn.lua:2: stopped: it neither waits nor ends"),
                                          ("backtrack.lua", "backtrack.lua:2: stopped: it neither waits nor ends"),
                                          ("inner.lua", "inner.lua:6: stopped: it neither waits nor ends"),
                                          ("hog.lua", "hog.lua:3: stopped: out of memory")])
def test_a_script_out_of_bounds_is_stopped(sw, script, place):
    """... and meanwhile others are served."""
    seen = len(sw.log_text)
    other = sw.esl()
    assert sw.api("luarun " + script) == "+OK\n"
    while not re.search(re.escape(place), sw.log_text[seen:]):
        begin = time.monotonic()
        assert other.api("lua ~stream:write(1)") == "1"
        assert time.monotonic() - begin < 5
    other.close()


def test_files_and_commands_where_allowed(fresh):
    path = fresh.root / "scripts/files.lua"
    path.write_text(SCRIPTS["files.lua"])
    conf = fresh.root / "conf/autoload_configs/switch.conf.xml"
    conf.write_text(conf.read_text().replace('name="system-commands" value="false"', 'name="system-commands" value="true"'))
    fresh.start()
    assert fresh.api(f"lua files.lua {fresh.root}") == \
        "one2\nthree\nrest of itnil|42" "22|one,2,three,rest of it,|nilNo such file2true|from the shell\nnil3"
    fresh.stop()


def test_sql(sw):
    assert sw.api("lua sql.lua") == ("true3[a1][b2]3anilfalseno such table: nowhere" "falsein a rowtruefalsefalsefalse")
    assert (sw.root / "db/lua_test.db").exists()


def test_a_changed_file_is_read_again(sw):
    path = sw.root / "scripts/changing.lua"
    for i in range(3):
        path.write_text(f"stream:write('version {'x' * i}')")
        assert sw.api("lua changing.lua") == f"version {'x' * i}"


def test_events(sw, told):
    fire(sw, "lua::hooked", 7)
    told("hook of lua::hooked: 7")
    fire(sw, "lua::ping", 1)
    fire(sw, "lua::ping", 2)
    told("pong 1")
    told("pong 2")
    out = sw.api("""lua ~local c = freeswitch.EventConsumer() c:bind("CUSTOM", "a::b")
for i = 1, 3 do local e = freeswitch.Event("CUSTOM", "a::b") e:addHeader("N", tostring(i)) e:addBody("body") e:fire() end
local e = c:pop() stream:write(e:getHeader("N"), e:getBody(), e:getType(), c:pop(1, 1000):getHeader("N"), c:pop(0):getHeader("N"))
stream:write(tostring(c:pop(1, 20)), tostring(c:pop())) e:delHeader("N") stream:write(tostring(e:getHeader("N")), e:serialize("json"))"""
                 .replace("\n", " "))
    assert out.startswith("1bodyCUSTOM23nilnilnil{") and '"Event-Subclass":"a::b"' in out, out


# ---- calls

def test_ivr(sw, phone, told):
    a = phone("1000")
    call(a, "7301")
    listen(a, 1.0)
    press(a, "12#")
    told("read 12 #")
    press(a, "99#", start=2000)
    listen(a, 0.6)
    press(a, "123", start=3000)
    told("pagd 123 123 99")
    press(a, "45*", start=4000)
    told("get 45")
    told(r"yes-7301 true true [0-9a-f-]{36} one")
    ended(a)
    told("false USER_BUSY")
    sw.wait_calls(0)


def test_input_callback(sw, phone, told):
    a = phone("1000")
    call(a, "7302")
    press(a, "1")
    told("dtmf 1 true an argument")
    press(a, "9", start=2000)
    told("dtmf 9 true an argument")
    listen(a, 0.2)
    assert heard_ms(listen(a, 0.5), 523) > 200  # begun again
    press(a, "8", start=2200)
    told("dtmf 8 true an argument")
    listen(a, 0.2)
    assert heard_ms(listen(a, 0.5), 523) < 100  # paused
    press(a, "8", start=2400)
    told("dtmf 8 true an argument")
    listen(a, 0.2)
    assert heard_ms(listen(a, 0.5), 523) > 200
    press(a, "5", start=3000)
    told("dtmf 5 true an argument")
    told("played 0")
    press(a, "7", start=3500)
    told("dtmf 7 true an argument")
    told("sought 0")  # of its minute nothing was left
    press(a, "25", start=4000)
    told("dtmf 2 true an argument")
    told("dtmf 5 true an argument")
    told("slept 0")
    told("event told an argument")
    told("recording")
    press(a, "5", start=5000)
    told("dtmf 5 true an argument")
    told("recorded .")
    press(a, "7", start=6000)
    told("kept 7")
    press(a, "0", start=7000)
    told("dtmf 0 true nil")
    told("false :[0-9]+: the callback failed")
    a.reply(a.expect(method="BYE"), 200, "OK")  # though the dialplan has more


def test_nothing_to_record_to(sw, phone, told):
    """As the application record the call is over then."""
    a = phone("1000")
    call(a, "7399")
    told("recorded .")
    assert "DESTINATION_OUT_OF_ORDER" in ended(a).get("Reason")


@pytest.mark.parametrize("index", range(len(HANGS) - 1), ids=[h[0] for h in HANGS[:-1]])
def test_hang_up_in(sw, phone, told, index):
    """The phone hangs up while the script waits: the wait ends, the hook runs, nothing stays."""
    how, arg = HANGS[index]
    a = phone("1000")
    b = phone("1001") if how in ("dial", "bridge") else None
    call(a, f"73{10 + index}")
    told("waiting")
    if b:
        invite = b.expect(method="INVITE")
        b.reply(invite, 180, "Ringing")
    listen(a, 0.1)
    a.bye()
    if b:
        b.reply(b.expect(method="CANCEL"), 200, "OK")
        b.reply(invite, 487, "Request Terminated")
        b.expect(method="ACK")
    told(f"hook hangup {arg} NORMAL_CLEARING true")
    if arg != "leave":
        told("over false")
    sw.wait_calls(0)


def test_transfer_out_of_a_script(sw, phone, told):
    a = phone("1000")
    call(a, "7322")
    told("waiting")
    told("hook transfer t NONE true")
    told("over false")
    esl = sw.esl()
    deadline = time.monotonic() + 10
    while "CS_EXECUTE,1000" not in sw.api("show channels") and ",park," not in sw.api("show channels"):
        assert time.monotonic() < deadline, sw.api("show channels")
    uuid = sw.api("show channels").split("\n")[1].split(",")[0]
    assert sw.api(f"uuid_getvar {uuid} went") == "there"
    esl.close()
    a.bye()


def test_bridge(sw, phone, told):
    a, b = phone("1000"), phone("1001")
    a.invite("7303")
    a.answered()
    b.take()
    told("made true yes true")
    assert heard_ms(listen(b, 0.5), 523) > 100
    a.media.sendto(b"", ("127.0.0.1", a.remote_rtp))
    deadline = time.monotonic() + 10
    while "0 total" in sw.api("show bridged_calls"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    b.own_request("BYE")
    b.expect(200)
    told("bridged true false NORMAL_CLEARING")
    told("none false (USER_NOT_REGISTERED|SUBSCRIBER_ABSENT|DESTINATION_OUT_OF_ORDER|NO_USER_RESPONSE|UNALLOCATED_NUMBER)")
    b.take()
    told("empty false 0")
    told("again CS_(CONSUME_MEDIA|EXECUTE|SOFT_EXECUTE|EXCHANGE_MEDIA)")
    ended(b)
    uuid = sw.api("show channels").split("\n")[1].split(",")[0]
    deadline = time.monotonic() + 10
    while sw.api(f"uuid_getvar {uuid} after") != "lua":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    a.bye()


def test_say(sw, phone, told):
    a = phone("1000")
    call(a, "7330")
    assert (abs(listen(a, 0.8)) > 1000).sum() > 800  # a voice
    told("said 0")
    press(a, "5")
    told("counting 0")
    told("phrase 1")
    told("over")
    a.bye()


def test_another_call_is_used(sw, phone, told):
    a = phone("1000")
    call(a, "7305")
    deadline = time.monotonic() + 10
    while ",park," not in sw.api("show channels"):
        assert time.monotonic() < deadline, sw.api("show channels")
    uuid = sw.api("show channels").split("\n")[1].split(",")[0]
    assert sw.api(f"luarun other.lua {uuid} keep") == "+OK\n"
    told("found true")
    assert heard_ms(listen(a, 0.6), 523) > 100
    told("played yes")
    assert sw.api(f"uuid_exists {uuid}") == "true"
    assert sw.api(f"luarun other.lua {uuid} hangup") == "+OK\n"
    told("found true")
    ended(a)


def test_failing_scripts_end_their_call(sw, phone):
    for number, says in ("7306", "spin.lua:3: stopped"), ("7307", "attempt to perform arithmetic on a nil value"):
        seen = len(sw.log_text)
        a = phone("1000")
        a.invite(number)
        if number == "7307":
            a.answered()
            ended(a)
        else:
            a.ack_failure(a.expect(480, timeout=20))
        wait_log(sw, re.escape(says), seen)
        sw.wait_calls(0)


def test_inline_code_and_dialplan(sw, phone):
    for number, var, value in ("7308", "after", "inline 7308"), ("7309", "routed", "7309"):
        a = phone("1000")
        call(a, number)
        uuid = sw.api("show channels").split("\n")[1].split(",")[0]
        deadline = time.monotonic() + 10
        while sw.api(f"uuid_getvar {uuid} {var}") != value:
            assert time.monotonic() < deadline, sw.api(f"uuid_dump {uuid}")
            time.sleep(0.02)
        a.bye()
        sw.wait_calls(0)


def test_a_hundred_calls(sw, told):
    """Loopback legs, each with a script of its own that plays, sleeps, sets and waits."""
    for i in range(50):
        assert sw.api(f"bgapi originate {{origination_caller_id_number={i}}}loopback/7304/default 7304 XML default").startswith("+OK")
    for _ in range(100):
        told("done")
    assert int(sw.api("lua ~stream:write(1)")) == 1
    fire(sw, "lua::finish", 1)
    sw.wait_calls(0)


def test_unload(sw):
    assert sw.api("unload mod_lua") == "-ERR [module in use]\n"  # the start-up script runs
