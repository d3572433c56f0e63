"""An event-socket user who may run two commands runs any by sendmsg execute, ends calls of others and forges events of the switch.
Everything such a client may send is tried with and without the parameter that allows it."""
import re
import socket

import pytest

from tandem import Esl, Tandem
from wire import Phone

OWN = "global_setvar owned=yes"
RUN = "${global_setvar(owned=yes)}"
USERS = {
    "1000": {"esl-allowed-api": "show status", "esl-allowed-events": "HEARTBEAT"},
    "1001": {"esl-allowed-api": "show uuid_setvar uuid_getvar uuid_transfer uuid_broadcast originate bgapi expand",
             "esl-allowed-sendmsg": "execute hangup", "esl-allowed-applications": "playback set park hangup lua", "esl-allowed-log": "true",
             "esl-allowed-sendevent": "tests::mine, sofia::none"},
    "1002": {"esl-allowed-sendmsg": "all", "esl-allowed-applications": "all", "esl-allowed-legs": "all", "esl-allowed-sendevent": "all"},
    "1003": {"esl-allowed-api": "all", "esl-allowed-sendmsg": "execute", "esl-allowed-applications": "all", "esl-allowed-legs": "all"},
    "1004": {"esl-allowed-sendmsg": "hangup", "esl-allowed-legs": "domain"},
    "1005": {}}


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = Tandem(tmp_path_factory.mktemp("limits") / "instance")
    path = sw.root / "conf/directory/default.xml"
    text = path.read_text()
    for user, params in USERS.items():
        lines = "".join(f'<param name="{k}" value="{v}"/>' for k, v in {"esl-password": "pw", **params}.items())
        text, n = re.subn(rf'(<user id="{user}">\s*<params>)', rf"\1{lines}", text)
        assert n == 1, user
    path.write_text(text)
    sw.start()
    yield sw
    sw.stop()


class Limited(Esl):
    """A client that logged in as a user of the directory."""

    def __init__(self, sw, user):
        self.sock = socket.create_connection(("127.0.0.1", sw.esl_port), 20)
        self.buf, self.events, self.user = b"", [], user
        self.read()
        assert self.say(f"userauth {user}@{sw.domain}:pw").startswith("+OK"), user

    def say(self, text, body=None):
        """The line of a reply."""
        head, reply = self.command(text)
        return reply or head["Reply-Text"]

    def sendmsg(self, uuid, verb, *lines):
        return self.say("\n".join([f"sendmsg {uuid}", f"call-command: {verb}", *lines]))

    def execute(self, uuid, app, arg="", *lines):
        return self.sendmsg(uuid, "execute", f"execute-app-name: {app}", f"execute-app-arg: {arg}", *lines)


@pytest.fixture
def client(sw):
    made = []

    def make(user):
        made.append(Limited(sw, user))
        return made[-1]
    yield make
    for c in made:
        c.close()


@pytest.fixture
def call(sw):
    """A leg that is nobody's of the directory."""
    sw.api("global_setvar owned=no")
    uuid = sw.api("originate null/x &park").split()[1]
    yield uuid
    sw.api("hupall")
    sw.wait_calls(0)
    assert sw.api("global_getvar owned") == "no"


DENIED = "-ERR permission denied"


def settled(sw, uuid):
    """What the leg was asked to run has run."""
    e = sw.esl()
    e.subscribe("CHANNEL_EXECUTE_COMPLETE")
    e.command(f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: eval\nexecute-app-arg: barrier")
    e.wait_event("CHANNEL_EXECUTE_COMPLETE", Unique_ID=uuid, Application_Data="barrier")
    e.close()


@pytest.mark.parametrize("user", ["1000", "1005"])
def test_without_permission_nothing(sw, client, call, user):
    c = client(user)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0)
    for app, arg in (("set", f"foo={RUN}"), ("socket", f"127.0.0.1:{listener.getsockname()[1]} async full"), ("hangup", ""), ("set_global", "owned=yes"),
                     ("lua", "x.lua"), ("park", ""), ("eval", RUN)):
        assert c.execute(call, app, arg) == DENIED
        assert c.execute(call, app, arg, "event-lock: true", "async: true") == DENIED
    for verb in ("hangup", "xferext", "nomedia", "unicast", "HANGUP", "", "none"):
        assert c.sendmsg(call, verb, "application: set_global owned=yes") == DENIED, verb
        assert c.sendmsg("", verb) == DENIED == c.sendmsg("nobody", verb)  # whether there is such a leg is not told
    assert c.say(f"sendmsg {call}\ncall-command: execute\nexecute-app-name: set\ncontent-type: text/plain\ncontent-length: 3\n\na=b") == DENIED
    settled(sw, call)
    assert sw.api(f"uuid_exists {call}") == "true"
    with pytest.raises(BlockingIOError):
        listener.accept()
    listener.close()


def test_events_are_the_switchs(sw, client, call):
    full = sw.esl()
    full.subscribe("ALL")
    full.subscribe("CUSTOM sofia::register tests::mine sofia::none")
    forged = [("CHANNEL_ANSWER", ""), ("NOTIFY", "profile: internal\nuser: 1001"), ("CUSTOM", "Event-Subclass: sofia::register"), ("SHUTDOWN", ""),
              ("CUSTOM", ""), ("HEARTBEAT", ""), ("none", ""), ("", ""), ("SEND_MESSAGE", "uuid: " + call), ("MESSAGE", "x: y"), ("ALL", ""),
              ("RELOADXML", ""), ("BACKGROUND_JOB", "Job-UUID: x"), ("CLONE", ""),
              ("CUSTOM", "event-subclass: sofia::register\nEvent-Subclass: tests::mine\nEvent-Name: SHUTDOWN")]
    for user in ("1000", "1001", "1002", "1005"):
        c = client(user)
        for name, headers in forged:
            if "tests::mine" in headers and user == "1001":
                continue
            assert c.say(f"sendevent {name}\n{headers}".strip()) == DENIED, (user, name, headers)
    c = client("1001")
    for more in (f"Unique-ID: {call}", "Core-UUID: x", "Event-Date-Timestamp: 1", "Event-Sequence: 7", "FreeSWITCH-Hostname: x"):
        assert c.say(f"sendevent CUSTOM\nEvent-Subclass: tests::mine\nForged: yes\n{more}") == DENIED, more
    assert c.say("sendevent CUSTOM\nEvent-Subclass: tests::mine\nTurn: 1").startswith("+OK")
    e = full.wait_event("CUSTOM", Turn="1")
    assert e["Event-Subclass"] == "tests::mine"
    full.command("sendevent CUSTOM\nEvent-Subclass: sofia::register\nTurn: 2")  # who has the password still may
    assert full.wait_event("CUSTOM", Turn="2")["Event-Subclass"] == "sofia::register"
    full.close()


def test_only_what_is_allowed_is_heard(sw, client, call):
    c = client("1000")
    assert c.say("log 7") == DENIED and c.say("log") == DENIED
    assert c.say("myevents " + call) == DENIED
    assert c.say("event plain ALL").startswith("+OK")
    full = sw.esl()
    full.command("sendevent CUSTOM\nEvent-Subclass: tests::theirs")
    full.command("sendevent HEARTBEAT\nTurn: 1")
    while c.wait_event("HEARTBEAT").get("Turn") != "1":  # the first event it gets is one it may
        pass
    for line in ("linger", "divert_events on", "getvar x", "resume", "connect"):
        assert c.say(line).startswith("-ERR"), line
    full.close()
    assert client("1001").say("log 7").startswith("+OK") and client("1005").say("log 7") == DENIED


@pytest.mark.parametrize("line", [
    f"{OWN}", f"bgapi {OWN}", f"expand {OWN}", f"sched_api +0 x {OWN}", f"eval {RUN}", f"show {RUN}", f"status {RUN}", f"show\t{OWN}",
    f"xml_wrap {OWN}", f"console_execute {OWN}", "SHOW calls count", f"show ;; {OWN}", f"show channels\nconsole_execute: true\nx: {OWN}",
    f"json {{\"command\":\"fsapi\",\"data\":{{\"cmd\":\"global_setvar\",\"arg\":\"owned=yes\"}}}}", f"status\n\napi {OWN}", f"alias add show {OWN}"])
def test_commands(sw, client, call, line):
    for c in (client("1000"), client("1001"), client("1005")):
        c.sock.sendall(f"api {line}\n\n".encode()), c.sock.sendall(f"bgapi {line}\n\n".encode())
        for _ in range(2 + 2 * line.count("\n\n")):
            c.read()
        assert "is ready" in sw.api("status")
        assert c.say("exit").startswith("+OK")


def test_commands_that_are_allowed_reach_no_others(sw, client, call):
    c = client("1001")
    for line in (f"uuid_setvar {call} api_hangup_hook {OWN}", f"uuid_setvar {call} execute_on_answer set_global owned=yes",
                 f"uuid_transfer {call} set_global:owned=yes inline", f"uuid_broadcast {call} set_global::owned=yes",
                 "originate {api_on_answer='" + OWN + "'}null/x &park", "originate null/x &set_global(owned=yes)",
                 "originate loopback/app=set_global:owned=yes &park", f"expand uuid_setvar {call} api_hangup_hook {OWN}",
                 f"expand originate null/x &set_global(owned=yes)"):
        assert c.say(f"api {line}").startswith(DENIED), line
    assert c.say(f"api uuid_setvar {call} mood {RUN}") == "+OK\n"
    assert sw.api(f"uuid_getvar {call} mood") == RUN
    assert c.say("api originate {x=y}null/x &park").startswith("+OK ")
    settled(sw, call)


def test_sendmsg_with_permission(sw, client, call):
    """His own calls, with the applications of his list, whose data is data."""
    c = client("1001")
    assert c.execute(call, "park") == DENIED and c.sendmsg(call, "hangup") == DENIED  # somebody else's
    phone = Phone(sw, "1001")
    phone.register()
    phone.invite("9196")
    phone.answered()
    mine = re.findall(r"^([0-9a-f-]{36}),inbound", sw.api("show channels"), re.M)[0]
    full = sw.esl()
    full.subscribe("CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP")
    assert c.execute(mine, "set", f"mood={RUN}") == "+OK"
    full.wait_event("CHANNEL_EXECUTE_COMPLETE", Unique_ID=mine, Application="set")
    assert sw.api(f"uuid_getvar {mine} mood") == RUN
    assert c.execute(mine, "playback", "silence_stream://20") == "+OK"
    full.wait_event("CHANNEL_EXECUTE_COMPLETE", Unique_ID=mine, Application="playback")
    for app, arg in (("set", f"api_hangup_hook={OWN}"), ("playback", "/etc/passwd"), ("lua", "x.lua"), ("eval", RUN), ("bridge", "null/x"), ("PARKS", ""),
                     ("%[a=b]park", "")):
        assert c.execute(mine, app, arg).startswith(DENIED), app
    assert c.sendmsg(mine, "xferext", "application: park") == DENIED
    assert c.sendmsg(mine, "hangup", "hangup-cause: CALL_REJECTED") == "+OK"
    assert full.wait_event("CHANNEL_HANGUP", Unique_ID=mine)["Hangup-Cause"] == "CALL_REJECTED"
    phone.expect(method="BYE")
    phone.close()
    full.close()


def test_whose_calls(sw, client, call):
    assert client("1004").sendmsg(call, "hangup") == DENIED
    phone = Phone(sw, "1002")
    phone.invite("9196")
    phone.answered()
    theirs = re.findall(r"^([0-9a-f-]{36}),inbound", sw.api("show channels"), re.M)[0]
    assert client("1001").sendmsg(theirs, "hangup") == DENIED  # of another user
    assert client("1004").sendmsg(theirs, "execute", "execute-app-name: park") == DENIED
    assert client("1004").sendmsg(theirs, "hangup") == "+OK"  # of the domain
    phone.expect(method="BYE")
    phone.close()
    c = client("1002")  # everybody's, with every application that is safe
    assert c.execute(call, "set", "a=b") == "+OK"
    for app, arg in (("socket", "127.0.0.1:9 async full"), ("lua", "x"), ("set_global", "owned=yes"), ("set", f"api_hangup_hook={OWN}")):
        assert c.execute(call, app, arg).startswith(DENIED), app
    assert c.sendmsg(call, "xferext", "application: set_global owned=yes", "application: park").startswith(DENIED)
    assert c.sendmsg(call, "xferext", "application: park", "application: lua x").startswith(DENIED)
    settled(sw, call)
    assert c.sendmsg(call, "xferext", "application: park") == "+OK"


def test_everything_is_everything(sw, client, call):
    """Who may run every command may give a leg every application, when that is said too; and the password keeps all."""
    c = client("1003")
    assert c.execute(call, "set", "by=${uuid_exists(x)}") == "+OK"
    settled(sw, call)
    assert sw.api(f"uuid_getvar {call} by") == "false"
    assert c.say("api expand echo ${uuid_exists(x)}") == "false"
    assert c.sendmsg(call, "hangup") == DENIED  # not in the list
    full = sw.esl()
    assert full.command(f"sendmsg {call}\ncall-command: execute\nexecute-app-name: set\nexecute-app-arg: by=${{uuid_exists({call})}}")[0]["Reply-Text"] == "+OK"
    settled(sw, call)
    assert sw.api(f"uuid_getvar {call} by") == "true"
    full.close()


def test_a_second_login_brings_no_more(sw, client, call):
    """userauth as another user is that user, no more."""
    c = client("1000")
    c.say("userauth 1005@127.0.0.1:pw")
    assert c.say("api status") == DENIED
    assert c.sendmsg(call, "hangup") == DENIED
