"""An operator's HTTP token runs what only an admin may: by a variable that names a command, an application that reaches everything,
a dial string, a nested command. Each way in is tried, what operators do all day is tried beside it, and a read token changes nothing."""
import json
import re
import socket
import threading

import pytest

from http_client import Door
from tandem import Tandem
from wire import Phone

OWN = "global_setvar owned=yes"
RUN = "${global_setvar(owned=yes)}"
EXTENSION = "".join(f'<extension name="{name}"><condition field="destination_number" expression="^{number}$">'
                    f'<action application="answer"/><action application="{app}"/></condition></extension>\n'
                    for name, number, app in [("parks", "9701", "park"), ("echoes", "9702", "echo")])


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = Tandem(tmp_path_factory.mktemp("roles") / "instance")
    (sw.root / "conf/dialplan/default/roles.xml").write_text(f"<include>\n{EXTENSION}</include>\n")
    sw.start()
    yield sw
    sw.stop()


def token(sw, name, role):
    got = sw.api(f"http token add {name} {role}")
    return Door(sw, got.split()[1]) if got.startswith("+OK") else None


@pytest.fixture(scope="module")
def doors(sw):
    return {role: token(sw, role, role) for role in ("operator", "read")}


class Trap:
    """What an attack would leave behind: a global variable, a token, a connection, a file; no second call either."""

    def __init__(self, sw, tmp_path):
        self.sw, self.dir = sw, tmp_path
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(0)
        self.port = self.listener.getsockname()[1]
        (tmp_path / "own.lua").write_text('freeswitch.API():execute("global_setvar", "owned=yes")\n')
        self.file = tmp_path / "outside.wav"
        sw.api("global_setvar owned=no")
        self.tokens = sw.api("http token list")

    def fill(self, text):
        for name, value in (("port", self.port), ("dir", self.dir), ("file", self.file), ("conf", self.sw.root / "conf")):
            text = text.replace("{%s}" % name, str(value))
        return text

    def check(self):
        """Everything that was planned for an end has its end."""
        self.sw.api("hupall")
        self.sw.wait_calls(0)
        assert self.sw.api("global_getvar owned") == "no"
        assert self.sw.api("http token list") == self.tokens
        assert not self.file.exists()
        with pytest.raises(BlockingIOError):
            self.listener.accept()

    def close(self):
        self.listener.close()


@pytest.fixture
def trap(sw, tmp_path):
    trap = Trap(sw, tmp_path)
    yield trap
    trap.close()


@pytest.fixture
def op(doors):
    return doors["operator"]


def call(door, target="loopback/9702", application="park", **more):
    status, _, got = door.call("POST", "/v1/originate", {"target": target, "application": application, "timeout_s": 5, **more})
    return (status, got.get("uuid") if isinstance(got, dict) else got)


def run(door, name, args):
    """The reply; "" when the door said no."""
    status, _, got = door.call("POST", f"/v1/commands/{name}", {"args": args})
    assert status in (200, 403), got
    return got["reply"] if status == 200 else ""


def ask(door, uuid, command, args):
    return door.call("POST", f"/v1/channels/{uuid}/commands", {"command": command, "args": args})


HOOKS = ["api_on_answer", "api_on_ring", "api_on_media", "api_on_originate", "api_on_post_originate", "api_on_pre_answer", "api_hangup_hook",
         "api_on_answer_1", "api_on_record_start", "record_post_process_exec_api"]
APPS = ["execute_on_answer", "execute_on_ring", "execute_on_media", "execute_on_originate", "execute_on_post_originate",
        "execute_on_answer_2", "exec_after_bridge_app", "record_post_process_exec_app", "execute_on_record_start"]


@pytest.mark.parametrize("name", HOOKS + APPS)
def test_variables_that_run(trap, op, name):
    sep = ":" if name == "record_post_process_exec_api" else " "
    value = OWN.replace(" ", sep, 1) if name in HOOKS else "set_global owned=yes"
    call(op, variables={name: value})
    status, uuid = call(op)
    assert status == 201, uuid
    ask(op, uuid, "setvar", f"{name} {value}")
    ask(op, uuid, "setvar", f"'{name}' '{value}'")
    ask(op, uuid, "setvar_multi", f"a=b;{name}={value};c=d")
    ask(op, uuid, "record", "start owned_test.wav")
    ask(op, uuid, "record", "stop owned_test.wav")
    op.call("DELETE", f"/v1/channels/{uuid}")
    trap.check()


def test_variables_are_refused_in_words(trap, op):
    """Who sets such a variable is told, and not that all is well."""
    uuid = call(op)[1]
    status, _, got = ask(op, uuid, "setvar", "api_hangup_hook reloadxml")
    assert status == 403 and "variable names what is run" in got["detail"]
    assert call(op, variables={"api_on_answer": "reloadxml"})[0] == 403
    trap.check()


APPLICATIONS = [("socket", "127.0.0.1:{port} async full"), ("lua", "{dir}/own.lua"), ("system", "touch {file}"), ("bgsystem", "touch {file}"),
                ("set_global", "owned=yes"), ("eval", RUN), ("set", "x=" + RUN), ("export", "x=" + RUN), ("set", "api_hangup_hook=" + OWN),
                ("export", "nolocal:api_on_answer=" + OWN), ("multiset", "^^;a=1;api_hangup_hook=" + OWN),
                ("push", "api_hangup_hook=" + OWN), ("execute_extension", "set_global:owned=yes inline"),
                ("transfer", "set_global:owned=yes inline"), ("transfer", "'m:^:set_global:owned=yes^park' inline default"),
                ("bind_meta_app", "1 a s set_global::owned=yes"), ("bind_digit_action", "x,1,exec:set_global,owned=yes"),
                ("limit_execute", "hash a b 5 set_global owned=yes"), ("sched_broadcast", "+0 set_global::owned=yes"),
                ("sched_transfer", "+0 set_global:owned=yes inline"), ("event", "Event-Name=CUSTOM"), ("playback", "{conf}/vars.xml"),
                ("record", "{file}"), ("record_session", "{file}"), ("bridge", "loopback/app=set_global:owned=yes"),
                ("bridge", "[api_on_answer=" + OWN + "]loopback/9702"), ("bridge", "loopback/set_global:owned=yes/default/inline"),
                ("playback", "say:" + RUN), ("playback", "{api_hangup_hook=" + OWN + "}silence_stream://10"), ("mkdir", "{file}"),
                ("rename", "{conf}/vars.xml {file}"), ("db", "insert/a/b/" + RUN), ("hash", "insert/a/b/" + RUN), ("log", "INFO " + RUN),
                ("tone_detect", "a 1000 r +5 set_global owned=yes"), ("set_profile_var", "dialplan=inline"), ("capture", "x|y|" + RUN),
                ("play_and_get_digits", "1 1 1 100 # silence_stream://10 x y z 100 'set_global:owned=yes inline'"),
                ("read", "0 1 " + RUN + " x 100 #"), ("sleep", RUN), ("hangup", RUN), ("info", RUN), ("privacy", RUN),
                ("%[api_hangup_hook=reloadxml]park", ""), ("set", "%[api_hangup_hook=" + OWN + "]a=b"), ("park", RUN)]


@pytest.mark.parametrize("app,data", APPLICATIONS, ids=[f"{i}_{a}" for i, (a, _) in enumerate(APPLICATIONS)])
def test_applications_that_reach_everything(sw, trap, op, app, data):
    data = trap.fill(data)
    call(op, application=app, data=data.replace(")", ""))
    run(op, "originate", f"loopback/9702 &{app}({data})") if "'" not in data and ")" not in data else None
    uuid = call(op)[1]
    ask(op, uuid, "broadcast", f"'{app}::{data}'".replace("'", "") if "'" in data else f"{app}::{data}")
    op.call("POST", f"/v1/channels/{uuid}/commands", {"command": "broadcast", "args": f"'{app}::{data}' both"})
    ask(op, uuid, "send_dtmf", "1")
    trap.check()


DIALS = ["loopback/app=set_global:owned=yes", "loopback/app=eval:" + RUN, "{api_on_answer=" + OWN + "}loopback/9702",
         "[api_on_answer=" + OWN + "]loopback/9702", "<api_on_answer=" + OWN + ">loopback/9702", "error/x|loopback/app=set_global:owned=yes",
         "error/x:_:loopback/app=set_global:owned=yes", "loopback/set_global:owned=yes/default/inline", "loopback/own/default/lua:{dir}/own.lua",
         "loopback/9702,[execute_on_answer=set_global owned=yes]loopback/9702", "{^^;a=b;api_hangup_hook=" + OWN + "}loopback/9702",
         "{api_hangup_hook='" + OWN + "'}loopback/9702", "{execute_on_answer='lua {dir}/own.lua'}loopback/9702",
         "loopback/" + RUN, "user/" + RUN, "{a=" + RUN + "}loopback/9702", "{group_confirm_key=exec,group_confirm_file='set_global owned=yes'}loopback/9702",
         "null/x{api_on_answer=" + OWN + "}", "LOOPBACK/APP=set_global:owned=yes", " loopback/ app=set_global:owned=yes",
         "loopback/app%3Dset_global:owned=yes", "group/" + RUN, "sofia/internal/" + RUN + "@127.0.0.1"]


@pytest.mark.parametrize("target", DIALS, ids=[str(i) for i in range(len(DIALS))])
def test_dial_strings(trap, op, target):
    target = trap.fill(target)
    call(op, target)
    call(op, variables={"x": "y"}, target=target)
    run(op, "originate", f'{target.replace(" ", "")} &park() XML default a b 2') if "'" not in target else None
    op.post("/v1/jobs", {"command": "originate", "args": f"{target} &park() XML default a b 2"}, 202)
    trap.check()


PLACES = [("set_global:owned=yes", "inline", ""), ("set_global:owned=yes", "INLINE", "default"), ("own", "lua:own.lua", "default"),
          ("x", "XML,inline", "default"), ("set_global:owned=yes", "'inline'", "default"), (RUN, "XML", "default"), ("9702", "XML", RUN),
          ("9702", RUN, "default"), ("m:^:set_global:owned=yes^park", "inline", ""), ("-bleg", "set_global:owned=yes", "inline")]


@pytest.mark.parametrize("exten,dialplan,context", PLACES, ids=[str(i) for i in range(len(PLACES))])
def test_places(trap, op, exten, dialplan, context):
    call(op, application="", extension=exten, dialplan=dialplan.strip("'"), context=context or "default")
    for command, args in [("transfer", f"{exten} {dialplan} {context}"), ("transfer", f"-both {exten} {dialplan} {context}"),
                          ("dual_transfer", f"{exten}/{dialplan}/{context} 9702"), ("dual_transfer", f"9702 {exten}/{dialplan}/{context}")]:
        uuid = call(op)[1]
        ask(op, uuid, command, args)
    uuid = call(op)[1]
    op.call("POST", "/v1/commands/sched_transfer", {"args": f"+0 {uuid} {exten} {dialplan} {context}"})
    run(op, "originate", f"loopback/9702 {exten} {dialplan} {context}")
    sw_wait(trap.sw)
    trap.check()


def sw_wait(sw):
    """What is planned for now has run."""
    e = sw.esl()
    e.subscribe("DEL_SCHEDULE")
    assert e.api("sched_api +1 barrier echo x").startswith("+OK")
    e.wait_event("DEL_SCHEDULE", Task_Group="barrier")
    e.close()


def test_files(sw, trap, op):
    """Sound goes into the directory of recordings and comes from there or from the prompts, whatever path is said."""
    uuid = call(op)[1]
    outside = [str(trap.file), f"{sw.root}/recordings/../outside.wav", "../../outside.wav", f"{sw.root}/conf/outside.wav",
               f"file_string://{trap.file}", f"{{x=y}}{trap.file}", f"/{sw.root}/../{trap.file}", f"tone_stream://path={trap.file}"]
    for path in outside:
        assert ask(op, uuid, "record", f"start {path}")[0] == 403, path
        assert ask(op, uuid, "displace", f"start {path}")[0] == 403, path
        assert ask(op, uuid, "broadcast", path)[0] == 403, path
    assert ask(op, uuid, "record", f"start {sw.root}/recordings/in.wav 20 {{record_post_process_exec_api=reloadxml}}")[0] == 403
    trap.check()


def test_commands_within_commands(sw, trap, op):
    """Every command an operator may run, with texts in which others are named."""
    uuid = call(op)[1]
    listed = json.loads(sw.api("show api as json"))["rows"]
    names = {r["name"] for r in listed}
    mine = sorted(n for n in names if n.startswith("uuid_") or n in
                  "status show version uptime event break sched_hangup sched_del sofia_contact sofia_count_reg user_exists user_data "
                  "list_users limit_usage originate".split())
    assert len(mine) > 40
    for name in mine:
        for args in (RUN, f"{uuid} {RUN}", f"{uuid} {RUN} {RUN}", f"{uuid} start {RUN}", f"'{RUN}' '{uuid}'", "$'{global_setvar owned=yes}",
                     f"{uuid}\n{OWN}", f"api {OWN}", f"{uuid} ;; {OWN}"):
            op.call("POST", f"/v1/commands/{name}", {"args": args})
    for name in ("bgapi", "expand", "eval", "sched_api", "console_execute", "xml_wrap", "json", "lua", "luarun", "system", "http", "reloadxml",
                 "global_setvar", "fsctl", "load", "sched_broadcast", "UUID_KILL ", "status;", "alias", "hash"):
        assert op.call("POST", f"/v1/commands/{name.replace(' ', '%20')}", {"args": OWN})[0] in (403, 404), name
        assert op.call("POST", "/v1/jobs", {"command": name, "args": OWN})[0] in (403, 404), name
    trap.check()


def test_what_is_listed_runs_what_is_listed(tmp_path):
    """bgapi and its like may stand in a list; they reach what else stands there. What was planned goes by what the token may when it is due."""
    sw = Tandem(tmp_path / "instance")
    listed = "status bgapi expand sched_api xml_wrap console_execute eval json echo hash global_setvar http"
    conf = sw.root / "conf/autoload_configs/http.conf.xml"
    conf.write_text(conf.read_text().replace("<settings>", f'<settings><param name="operator-commands" value="{listed}"/>'))
    sw.start()
    op = token(sw, "op", "operator")
    other = "db insert/owned/x/yes"  # stands in no list
    for name, args in [("bgapi", other), ("expand", other), ("sched_api", f"+0 x {other}"), ("xml_wrap", other), ("console_execute", other),
                       ("bgapi", f"bgapi {other}"), ("expand", f"expand {other}"), ("expand", "echo ${db(insert/owned/x/yes)}"),
                       ("sched_api", f"+0 x bgapi {other}"), ("sched_api", f"+0 x sched_api +0 x {other}"), ("eval", "${db(insert/owned/x/yes)}"),
                       ("expand", "${db(insert/owned/x/yes)}"), ("expand", f"uuid:x {other}"), ("xml_wrap", f"expand {other}"),
                       ("console_execute", f"console_execute {other}"),
                       ("json", json.dumps({"command": "fsapi", "data": {"cmd": "db", "arg": "insert/owned/x/yes"}}))]:
        op.call("POST", f"/v1/commands/{name}", {"args": args})
        op.call("POST", "/v1/jobs", {"command": name, "args": args})
    sw_wait(sw)
    assert sw.api("db select/owned/x").startswith("-ERR no reply")
    assert op.command("bgapi", "echo x")["reply"].startswith("+OK Job-UUID")
    assert op.command("expand", "echo ${x}")["reply"] == "${x}"
    assert op.command("xml_wrap", "status")["reply"].startswith("<result>")
    # a value he stored is data for whoever reads it
    assert op.command("hash", "insert/a/b/${global_setvar(owned=yes)}")["reply"] == "+OK\n"
    assert op.command("global_setvar", "mine=${global_setvar(owned=yes)}")["reply"] == "+OK"
    sw.api("expand echo ${hash(select/a/b)} ${mine} $${mine}")
    assert sw.api("global_getvar owned").startswith("-ERR no reply")
    # planned while he could, due when he cannot any more
    e = sw.esl()
    e.subscribe("DEL_SCHEDULE")
    assert op.command("sched_api", "+1 x global_setvar owned=yes")["reply"].startswith("+OK Added")
    sw.api("http token revoke op")
    e.wait_event("DEL_SCHEDULE", Task_Group="x")
    sw.api("msleep 50")
    assert sw.api("global_getvar owned").startswith("-ERR no reply")
    e.close()
    sw.stop()


def test_secrets(sw, trap, op):
    """A password is no call's."""
    for args in ("1000 param password", "1000@127.0.0.1 param esl-password", "1000 param a1-hash", "1000 param vm-password"):
        assert op.call("POST", "/v1/commands/user_data", {"args": args})[0] == 403
    uuid = call(op)[1]
    sw.api("global_setvar default_password=hidden")
    assert "hidden" not in json.dumps(ask(op, uuid, "getvar", "default_password"))
    trap.check()


def test_a_token_is_not_told_to_all(sw):
    """A reply in the background is an event, which every reader sees."""
    e = sw.esl()
    e.subscribe("BACKGROUND_JOB")
    e.command("bgapi http token add leaked admin")
    assert e.wait_event("BACKGROUND_JOB", Job_Command="http")["_body"].startswith("-ERR")
    assert "leaked" not in sw.api("http token list")
    e.close()


def test_read_changes_nothing(sw, trap, doors):
    read = doors["read"]
    sw.api("originate loopback/9702 &park")
    uuid = re.findall(r"^([0-9a-f-]{36}),", sw.api("show channels"), re.M)[0]
    mine = {"status", "show", "version", "uptime", "event", "sofia_contact"}
    for row in json.loads(sw.api("show api as json"))["rows"]:
        for args in (uuid, f"{uuid} NORMAL_CLEARING", OWN):
            status, _, got = read.call("POST", f"/v1/commands/{row['name']}", {"args": args})
            assert status == (200 if row["name"] in mine else 403), (row["name"], got)
            if row["name"] not in mine:
                assert read.call("POST", "/v1/jobs", {"command": row["name"], "args": args})[0] == 403
                break
    for name in ("status", "show", "version", "event", "sofia_contact"):
        for args in (RUN, f"channels {RUN}", "help;reloadxml", f"stats\n{OWN}"):
            read.call("POST", f"/v1/commands/{name}", {"args": args})
    assert read.call("DELETE", f"/v1/channels/{uuid}")[0] == 403
    assert ask(read, uuid, "kill", "")[0] == 403
    assert call(read)[0] == 403
    assert sw.api(f"uuid_exists {uuid}") == "true"
    trap.check()


# ---- what operators do all day ------------------------------------------------------------------------------------
def test_operators_work(sw, trap, op):
    e = sw.esl()
    e.subscribe("ALL")
    status, uuid = call(op, caller_id_name="O'Brien \\ & Co", caller_id_number="77", variables={"ticket": "17", "sip_h_X-Case": "a;b,c d"})
    assert status == 201
    channel = op.get(f"/v1/channels/{uuid}")
    assert channel["variable_ticket"] == "17" and channel["variable_sip_h_X-Case"] == "a;b,c d"
    assert channel["Caller-Callee-ID-Name"] == "O'Brien \\ & Co"
    done = lambda command, args="": ask(op, uuid, command, args)  # noqa: E731

    def fine(command, args=""):
        status, _, got = done(command, args)
        assert status == 200 and got["status"] == "ok", (command, args, got)
        return got["reply"]

    fine("setvar", "mood good ${day}")
    assert sw.api(f"uuid_getvar {uuid} mood") == "good ${day}" == fine("getvar", "mood")
    fine("setvar_multi", "a=1;b=two words")
    assert sw.api(f"uuid_getvar {uuid} b") == "two words"
    fine("hold"), fine("hold", "off")
    fine("record", f"start {sw.root}/recordings/abs.wav 20"), e.wait_event("RECORD_START", Record_File_Path=f"{sw.root}/recordings/abs.wav")
    fine("record", f"stop {sw.root}/recordings/abs.wav")
    fine("record", "start rel.wav"), e.wait_event("RECORD_START", Record_File_Path=f"{sw.root}/recordings/rel.wav")
    fine("broadcast", "tone_stream://%(100,0,440) aleg"), e.wait_event("PLAYBACK_STOP")  # an empty recording would go away
    fine("record", "mask rel.wav"), fine("record", "stop rel.wav")
    fine("broadcast", f"{sw.root}/recordings/rel.wav aleg"), e.wait_event("PLAYBACK_START", Playback_File_Path=f"{sw.root}/recordings/rel.wav")
    e.wait_event("PLAYBACK_STOP")
    fine("broadcast", "playback::silence_stream://20"), e.wait_event("PLAYBACK_STOP")
    fine("send_dtmf", "12#"), fine("recv_dtmf", "5")
    fine("transfer", "9702 XML default"), e.wait_event("CHANNEL_EXECUTE", Unique_ID=uuid, Application="echo")
    fine("park"), e.wait_event("CHANNEL_PARK", Unique_ID=uuid)
    fine("transfer", "9701")
    assert op.command("sched_hangup", f"+600 {uuid}")["reply"] == "+OK\n"
    assert op.command("sched_transfer", f"+0 {uuid} 9702 XML default")["status"] == "ok"
    e.wait_event("CHANNEL_EXECUTE", Unique_ID=uuid, Application="echo")
    assert op.call("DELETE", f"/v1/channels/{uuid}?cause=NORMAL_CLEARING")[0] == 204
    trap.check()
    e.close()


@pytest.mark.parametrize("body", [
    {"target": "user/1001", "application": "park"}, {"target": "sofia/gateway/none/123", "application": "park"},
    {"target": "{a=1,b='x, y'}[c=2]loopback/9702|loopback/9701", "application": "playback", "data": "silence_stream://100"},
    {"target": "error/x|loopback/9702", "extension": "9701"}, {"target": "loopback/9702/default/XML", "extension": "9701", "context": "default"},
    {"target": "loopback/9702,loopback/9701", "application": "bridge", "data": "{x=1}loopback/9702"},
    {"target": "loopback/9702", "application": "set", "data": "mood=good"}, {"target": "loopback/9702", "application": "transfer", "data": "9701 XML default"},
    {"target": "loopback/9702", "application": "record_session", "data": "op.wav"}, {"target": "loopback/9702", "application": "eavesdrop", "data": "all"},
    {"target": "error/x:_:loopback/9702", "application": "echo"}])
def test_operators_originate(sw, trap, op, body):
    status, _, got = op.call("POST", "/v1/originate", {**body, "timeout_s": 5})
    assert status == (422 if "/1001" in body["target"] or "none" in body["target"] else 201), got
    if status == 422:
        assert "USER_NOT_REGISTERED" in got["detail"] or "INVALID" in got["detail"] or "DOWN" in got["detail"], got
    trap.check()


def test_operators_reach_phones(sw, trap, op):
    """The phone sees who calls; an operator's variables are its call's."""
    phone, got = Phone(sw, "1001"), []
    phone.register()
    t = threading.Thread(target=lambda: got.append(call(op, "user/1001", caller_id_name="Desk", caller_id_number="42", variables={"sip_h_X-Case": "17"})))
    t.start()
    req = phone.take()
    assert '"Desk" <sip:42@' in req.get("From") and req.get("X-Case") == "17", req.lines
    t.join(10)
    assert got and got[0][0] == 201
    assert ask(op, got[0][1], "transfer", "9702 XML default")[0] == 200
    assert op.call("DELETE", f"/v1/channels/{got[0][1]}")[0] == 204
    phone.expect(method="BYE")
    phone.close()
    trap.check()
