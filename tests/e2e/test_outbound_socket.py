"""The outbound event socket: a server of the test's own, called by the application `socket`, holds a call."""
import queue
import socket
import sys
import threading
import time
from pathlib import Path
from urllib.parse import unquote

import pytest

sys.path.insert(0, str(Path(__file__).parent / "golden"))
import tandem as t  # noqa: E402
from ua import Ua  # noqa: E402
from wire import Phone  # noqa: E402

GOLDEN = t.SHARED / "golden/esl"


class Link:
    """One connection from the switch."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(10)
        self.buf = b""
        self.events = []

    def frame(self):
        while b"\n\n" not in self.buf:
            self._fill()
        head, self.buf = self.buf.split(b"\n\n", 1)
        headers = dict(line.split(": ", 1) for line in head.decode().split("\n") if ": " in line)
        n = int(headers.get("Content-Length", 0))
        while len(self.buf) < n:
            self._fill()
        body, self.buf = self.buf[:n].decode(), self.buf[n:]
        return headers, body

    def _fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("closed")
        self.buf += data

    def send(self, text):
        self.sock.sendall(text.encode() + b"\n\n")

    def reply(self):
        while True:
            headers, body = self.frame()
            if headers["Content-Type"] in ("command/reply", "api/response"):
                return headers, body
            self.events.append((headers, body))

    def ask(self, text):
        self.send(text)
        headers, body = self.reply()
        return headers.get("Reply-Text", body)

    def execute(self, app, arg="", **more):
        lines = [f"sendmsg\ncall-command: execute\nexecute-app-name: {app}"]
        if arg:
            lines.append(f"execute-app-arg: {arg}")
        return self.ask("\n".join(lines + [f"{k.replace('_', '-')}: {v}" for k, v in more.items()]))

    def next_event(self):
        """The next frame that is no reply: an event's headers, or a notice's."""
        headers, body = self.events.pop(0) if self.events else self.frame()
        if headers["Content-Type"] == "text/event-plain":
            return {k: unquote(v) for k, v in (line.split(": ", 1) for line in body.split("\n\n")[0].split("\n"))}
        return headers

    def until(self, name, **match):
        seen = []
        while True:
            e = self.next_event()
            seen.append(e.get("Event-Name", e.get("Content-Type")))
            if e.get("Event-Name") == name and all(e.get(k.replace("_", "-")) == v for k, v in match.items()):
                return e, seen

    def rest(self):
        """Everything to the end of the connection, as names and notices."""
        seen = []
        try:
            while True:
                e = self.next_event()
                seen.append(e.get("Event-Name") or e.get("Content-Disposition") or e["Content-Type"])
        except (EOFError, ConnectionResetError):
            return seen

    def close(self):
        self.sock.close()


class Server:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.links = queue.Queue()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                self.links.put(Link(self.listener.accept()[0]))
            except OSError:
                return

    def link(self):
        return self.links.get(timeout=10)

    def close(self):
        self.listener.close()


@pytest.fixture
def server():
    s = Server()
    yield s
    s.close()


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("outbound") / "instance").start()
    yield sw
    sw.stop()


@pytest.fixture(scope="module")
def registered(sw):
    p = Ua(sw, "1000").register()
    yield p
    p.close()


@pytest.fixture
def phone(sw, registered):
    registered.up.clear()
    registered.down.clear()
    yield registered
    sw.wait_calls(0)


def route(sw, *actions):
    """Extension 9700 runs these."""
    xml = "".join(f'<action application="{app}" data="{data}"/>' for app, data in actions)
    (sw.root / "conf/dialplan/default/00_outbound.xml").write_text(
        f'<include>\n<extension name="outbound"><condition field="destination_number" expression="^9700$">{xml}</condition></extension>\n</include>\n')
    assert "+OK" in sw.api("reloadxml")


def call(sw, *actions):
    """A caller at 9700."""
    route(sw, *actions)
    caller = Phone(sw, "1001")
    caller.invite("9700")
    return caller


def originate(sw, actions):
    """The called phone runs these."""
    got = sw.api(f"originate user/1000 '{actions}' inline")
    assert got.startswith("+OK"), got
    return got[4:].strip()


def greeting(link):
    link.send("connect")
    return link.frame()[0]


def golden_headers(name):
    text = (GOLDEN / name).read_text().split("<<<< server sends\n", 1)[1].split("\n\n", 1)[0]
    return [line.split(": ", 1)[0] for line in text.split("\n")]


def test_greeting_has_the_recorded_headers(sw, server):
    caller = call(sw, ("socket", f"127.0.0.1:{server.port} async full"))
    link = server.link()
    link.send("connect")
    while b"\n\n" not in link.buf:
        link._fill()
    head = link.buf.split(b"\n\n")[0].decode()
    names = [line.split(": ", 1)[0] for line in head.split("\n")]
    fixed = [n for n in names if not n.startswith("variable_")]
    if GOLDEN.exists():
        want = golden_headers("outbound-async-full.txt")
        # the recording's caller showed a name and a number of its own
        assert [n for n in fixed if n != "FreeSWITCH-IPv6"] == [n for n in want if not n.startswith("variable_") and n != "FreeSWITCH-IPv6"]
    assert head.endswith("Content-Type: command/reply\nReply-Text: %2BOK%0A\nSocket-Mode: async\nControl: full")
    for line in ("Event-Name: CHANNEL_DATA", "Channel-Destination-Number: 9700", "Answer-State: ringing", "variable_socket_host: 127.0.0.1",
                 "variable_current_application: socket", "variable_direction: inbound"):
        assert line in head.split("\n"), line
    link.buf = b""
    link.ask("exit")
    link.rest()
    sw.wait_calls(0)
    caller.close()


def test_async_full_walk(sw, server):
    """The recorded conversation: myevents, answer, playback, variables, hang-up, lingering, the notices."""
    caller = call(sw, ("socket", f"127.0.0.1:{server.port} async full"))
    link = server.link()
    uuid = greeting(link)["Unique-ID"]
    assert link.ask("myevents") == "+OK Events Enabled"
    assert link.ask("linger 1") == "+OK will linger 1 seconds"
    assert link.execute("answer") == "+OK"
    seen = link.until("CHANNEL_EXECUTE_COMPLETE", Application="answer")[1]
    assert seen == ["CHANNEL_PARK", "CHANNEL_EXECUTE", "CHANNEL_ANSWER", "CHANNEL_EXECUTE_COMPLETE"]
    caller.answered()
    assert link.execute("playback", "tone_stream://%(200,100,440)", event_lock="true") == "+OK"
    e, _ = link.until("CHANNEL_EXECUTE_COMPLETE", Application="playback")
    assert e["Application-Response"] == "FILE PLAYED" and e["variable_current_loop"] == "1"
    assert link.ask("api uuid_dump x") == "-ERR No such channel!\n"
    assert link.ask("getvar caller_id_number") == "1001"
    assert link.execute("set", "foo=bar") == "+OK"
    link.until("CHANNEL_EXECUTE_COMPLETE", Application="set")
    assert link.ask("getvar foo") == "bar"
    assert link.ask("sendmsg\ncall-command: hangup\nhangup-cause: NORMAL_CLEARING") == "+OK"
    seen, notices = [], []
    start = time.monotonic()
    try:
        while True:
            e = link.next_event()
            if "Event-Name" in e:
                seen.append(e["Event-Name"])
            else:
                notices.append((e, len(seen)))
    except EOFError:
        pass
    assert 0.9 < time.monotonic() - start < 4
    assert seen[:6] == ["CHANNEL_HANGUP", "CHANNEL_UNPARK", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_STATE", "CHANNEL_STATE", "CHANNEL_HANGUP_COMPLETE"]
    (first, at), (last, _) = notices
    assert at >= 6 and list(first)[:5] == ["Content-Type", "Controlled-Session-UUID", "Content-Disposition", "Channel-Name", "Linger-Time"]
    assert first["Controlled-Session-UUID"] == uuid and first["Content-Disposition"] == "linger" and first["Linger-Time"] == "1"
    assert last["Content-Disposition"] == "disconnect" and last["Controlled-Session-UUID"] == uuid
    sw.wait_calls(0)
    caller.close()


def test_caller_hangs_up_without_linger(sw, server):
    caller = call(sw, ("socket", f"127.0.0.1:{server.port} async full"))
    link = server.link()
    greeting(link)
    link.ask("myevents")
    link.execute("answer")
    caller.answered()
    link.until("CHANNEL_EXECUTE_COMPLETE", Application="answer")
    caller.bye()
    seen = link.rest()
    assert seen == ["CHANNEL_HANGUP", "CHANNEL_UNPARK", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_STATE", "CHANNEL_STATE", "disconnect"]
    sw.wait_calls(0)
    caller.close()


def test_sync_replies_when_done(sw, server, phone):
    originate(sw, f"socket:127.0.0.1:{server.port} full")
    link = server.link()
    hello = greeting(link)
    assert hello["Socket-Mode"] == "static" and hello["Control"] == "full"
    link.ask("myevents")
    start = time.monotonic()
    assert link.execute("sleep", "400") == "+OK"
    assert 0.38 < time.monotonic() - start < 2
    assert not link.events  # what happened meanwhile comes behind the reply
    assert link.until("CHANNEL_EXECUTE_COMPLETE", Application="sleep")[1] == ["CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE"]
    start = time.monotonic()
    assert link.execute("sleep", "300", **{"async": "true"}) == "+OK"
    assert time.monotonic() - start < 0.2
    # hung up while an application runs: the reply still comes, and the end
    link.send("sendmsg\ncall-command: execute\nexecute-app-name: sleep\nexecute-app-arg: 20000")
    link.send("getvar caller_id_number")
    sw.api("hupall")
    assert link.reply()[0]["Reply-Text"] == "+OK"
    assert link.rest()[-1] == "disconnect"


def test_without_full_only_its_own_leg(sw, server, phone):
    originate(sw, f"socket:127.0.0.1:{server.port} async")
    link = server.link()
    assert greeting(link)["Control"] == "single-channel"
    for line in ("api status", "bgapi status", "event plain ALL", "log debug", "sendevent NOTIFY", "nonsense"):
        assert link.ask(line) == "-ERR command not found", line
    assert link.ask("myevents") == "+OK Events Enabled"
    assert link.ask("divert_events on") == "+OK events diverted"
    assert link.ask("nolinger") == "+OK will not linger" and link.ask("linger") == "+OK will linger"
    for verb in ("nomedia", "unicast"):
        assert link.ask(f"sendmsg\ncall-command: {verb}").startswith("-ERR")
    link.ask("nolinger")
    assert link.ask("exit") == "+OK bye"
    assert link.rest()[-1] == "disconnect"
    assert phone.down.wait(5)


@pytest.mark.parametrize("how", ["resume", "variable"])
def test_resume_goes_on_with_the_dialplan(sw, server, phone, how):
    first = "set:socket_resume=true," if how == "variable" else ""
    uuid = originate(sw, f"{first}socket:127.0.0.1:{server.port} async full,set:came=on,park:")
    link = server.link()
    greeting(link)
    if how == "resume":
        assert link.ask("resume") == "+OK"
    link.close()
    deadline = time.monotonic() + 5
    while sw.api(f"uuid_getvar {uuid} came") != "on":
        assert time.monotonic() < deadline
    sw.api(f"uuid_kill {uuid}")


def test_a_server_that_dies_takes_the_call_along(sw, server, phone):
    originate(sw, f"socket:127.0.0.1:{server.port} async full,park:")
    link = server.link()
    greeting(link)
    link.close()
    assert phone.down.wait(5)


def test_a_server_that_dies_at_once(sw, server, phone):
    originate(sw, f"socket:127.0.0.1:{server.port} async full,park:")
    server.link().close()
    assert phone.down.wait(5)


def test_nobody_listens_the_dialplan_goes_on(sw, phone):
    port = t.free_port()
    uuid = originate(sw, f"socket:127.0.0.1:{port} async full,set:came=on,park:")
    deadline = time.monotonic() + 5
    while sw.api(f"uuid_getvar {uuid} came") != "on":
        assert time.monotonic() < deadline
    sw.api(f"uuid_kill {uuid}")


def test_addresses_in_turn_and_names(sw, server, phone):
    port = t.free_port()
    originate(sw, f"socket:127.0.0.1:{port}|localhost:{server.port} async full")
    link = server.link()
    assert greeting(link)["variable_socket_host"] == "localhost"
    link.ask("exit")
    assert phone.down.wait(5)


def test_hangup_while_the_server_is_silent(sw, server, phone):
    uuid = originate(sw, f"socket:127.0.0.1:{server.port} async full")
    link = server.link()
    assert link.ask("nolinger") == "+OK will not linger"
    sw.api(f"uuid_kill {uuid}")
    assert link.rest() == ["disconnect"]


def test_bridge_by_the_server_and_transfer(sw, server, phone):
    other = Ua(sw, "1001").register()
    uuid = originate(sw, f"socket:127.0.0.1:{server.port} async full")
    link = server.link()
    greeting(link)
    link.ask("myevents")
    assert link.execute("bridge", "user/1001") == "+OK"
    link.until("CHANNEL_BRIDGE")
    assert other.up.wait(5)
    # the socket's leg goes elsewhere: the server may leave without harm
    assert sw.api(f"uuid_transfer {uuid} park inline").startswith("+OK")
    link.until("CHANNEL_EXECUTE", Application="park")
    link.close()
    assert sw.api(f"uuid_exists {uuid}") == "true"
    time.sleep(0.2)
    assert sw.api(f"uuid_exists {uuid}") == "true"
    sw.api("hupall")
    other.close()


def test_xferext_and_own_events(sw, server, phone):
    uuid = originate(sw, f"socket:127.0.0.1:{server.port} async full")
    link = server.link()
    greeting(link)
    link.ask("divert_events on")
    inbound = sw.esl()
    inbound.subscribe("NOTIFY")
    assert inbound.command(f"sendevent NOTIFY\nUnique-ID: {uuid}\nmine: yes")[0]["Reply-Text"].startswith("+OK ")
    e = link.next_event()
    assert e["Event-Name"] == "NOTIFY" and e["mine"] == "yes"
    inbound.command("sendevent NOTIFY\nmine: no")
    assert inbound.wait_event("NOTIFY")["mine"] == "no"  # the leg's own was not sent round
    link.ask("myevents")
    assert link.ask("sendmsg\ncall-command: xferext\napplication: set came=far\napplication: park") == "+OK"
    link.until("CHANNEL_EXECUTE", Application="park")
    assert sw.api(f"uuid_getvar {uuid} came") == "far"
    sw.api("hupall")
    assert link.rest()[-1] == "disconnect"
    inbound.close()


@pytest.mark.leaks
def test_servers_that_come_and_go_leave_nothing(sw, server, phone):
    """Connections cut at every point of a conversation: no call stays."""
    cuts = [lambda l: l.close(), lambda l: (l.send("connect"), l.close()), lambda l: (greeting(l), l.close()),
            lambda l: (greeting(l), l.send("myevents"), l.send("sendmsg\ncall-command: execute\nexecute-app-name: sleep\nexecute-app-arg: 500"),
                       l.close()), lambda l: (greeting(l), l.ask("resume"), l.close())]
    for i in range(40):
        uuid = originate(sw, f"socket:127.0.0.1:{server.port} {'async ' if i % 3 else ''}full")
        link = server.link()
        if i % 7 == 6:
            sw.api(f"uuid_kill {uuid}")
        try:
            cuts[i % len(cuts)](link)
        except (OSError, EOFError):  # the killed call's connection may be closed already
            pass
        link.close()
        sw.wait_calls(0)
