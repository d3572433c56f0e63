"""The event socket of a running switch: commands in order while one waits, nobody else held up, login by directory user, the
default password."""
import json
import random
import re
import socket
import struct
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "golden"))
from ua import Ua  # noqa: E402


def read_frames(sock, count, timeout=10):
    sock.settimeout(timeout)
    data, frames = b"", []
    while len(frames) < count:
        while b"\n\n" in data:
            head, rest = data.split(b"\n\n", 1)
            m = re.search(rb"^Content-Length: (\d+)", head, re.M)
            n = int(m.group(1)) if m else 0
            if len(rest) < n:
                break
            frames.append((head.decode(), rest[:n].decode()))
            data = rest[n:]
        if len(frames) < count:
            more = sock.recv(65536)
            assert more, (frames, data)
            data += more
    return frames


def test_commands_wait_in_order(tandem):
    """Commands sent ahead run in order though the first waits; another client is served meanwhile."""
    phone = Ua(tandem, "1000", answer=None).register()
    with socket.create_connection(("127.0.0.1", tandem.esl_port)) as s:
        s.sendall(f"auth {tandem.esl_password}\n\napi originate {{originate_timeout=1}}user/1000 &park\n\napi echo two\n\nexit\n\n".encode())
        read_frames(s, 2)
        start = time.monotonic()
        for i in range(20):
            assert tandem.api(f"echo {i}") == str(i)
        assert time.monotonic() - start < 0.5
        assert "1 total" in tandem.api("show channels count")
        frames = read_frames(s, 4)
        assert [f[1] for f in frames[:2]] == ["-ERR NO_ANSWER\n", "two"]
        assert "Reply-Text: +OK bye" in frames[2][0] and "text/disconnect-notice" in frames[3][0]
        assert s.recv(10) == b""
    phone.close()
    tandem.wait_calls(0)


def test_client_leaves_while_its_command_waits(tandem):
    phone = Ua(tandem, "1000", answer=None).register()
    with socket.create_connection(("127.0.0.1", tandem.esl_port)) as s:
        s.sendall(f"auth {tandem.esl_password}\n\napi originate {{originate_timeout=1}}user/1000 &park\n\n".encode())
        read_frames(s, 2)
    tandem.wait_calls(0)
    phone.close()


def test_sendmsg(tandem):
    phone = Ua(tandem, "1000").register()
    uuid = tandem.api("originate user/1000 &park")[4:].strip()
    e = tandem.esl()
    e.subscribe("CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP")
    headers, _ = e.command(f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: set\nexecute-app-arg: lab=1\nEvent-UUID: my-1")
    assert headers["Reply-Text"] == "+OK"
    done = e.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="set")
    assert done["Application-UUID"] == "my-1" and done["Application-Data"] == "lab=1"
    assert tandem.api(f"uuid_getvar {uuid} lab") == "1"
    # the argument as a body
    e.sock.sendall(f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: log\nContent-Type: text/plain\nContent-Length: 10\n\nINFO hello".encode())
    assert e._reply()[0]["Reply-Text"] == "+OK"
    assert e.wait_event("CHANNEL_EXECUTE", Application="log")["Application-Data"] == "INFO hello"
    headers, _ = e.command(f"sendmsg {uuid}\ncall-command: hangup\nhangup-cause: USER_BUSY")
    assert headers["Reply-Text"] == "+OK"
    assert e.wait_event("CHANNEL_HANGUP")["Hangup-Cause"] == "USER_BUSY"
    assert phone.down.wait(5)
    phone.close()
    tandem.wait_calls(0)


def test_default_password_binds_loopback_only(tmp_path_factory):
    import tandem as t
    sw = t.Tandem(tmp_path_factory.mktemp("default") / "instance", "vanilla")
    conf = sw.root / "conf/autoload_configs/event_socket.conf.xml"
    conf.write_text(conf.read_text().replace('name="listen-ip" value="127.0.0.1"', 'name="listen-ip" value="0.0.0.0"'))
    sw.start()
    try:
        port = f":{sw.esl_port:04X}"
        bound = [line.split()[1] for line in Path("/proc/net/tcp").read_text().split("\n")[1:] if port in line and line.split()[3] == "0A"]
        assert bound == [f"0100007F{port}"]
        assert "default password" in sw.api("status") and "default password" in sw.console() + sw.log_text
    finally:
        sw.stop()


@pytest.mark.leaks
def test_a_reader_that_stops_costs_the_calls_nothing(fresh):
    """Calls are placed while a subscriber to everything does not read: as many succeed, as fast, and it gets one gap mark."""
    p = fresh.root / "conf/autoload_configs/event_socket.conf.xml"
    text = p.read_text()
    assert "</settings>" in text
    p.write_text(text.replace("</settings>", '<param name="max-queue-bytes" value="262144"/>\n</settings>'))
    fresh.start()

    def calls(count):
        start = time.monotonic()
        for _ in range(count):
            got = fresh.api(f"originate {{n={'x' * 2000}}}user/1000 &hangup")
            assert got.startswith("+OK"), got
        fresh.wait_calls(0)
        return time.monotonic() - start

    phone = Ua(fresh, "1000").register()
    calls(10)
    alone = calls(60)
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(("127.0.0.1", fresh.esl_port))
        s.sendall(f"auth {fresh.esl_password}\n\nevent plain ALL\n\n".encode())
        read_frames(s, 3)
        watched = calls(60)
        assert watched < alone * 2 + 0.5, (alone, watched)
        s.settimeout(5)
        data = b""
        fresh.api("bgapi status")
        end = time.monotonic() + 10
        while b"tandem%3A%3Agap" not in data and b"tandem::gap" not in data and time.monotonic() < end:
            data = data[-200:] + s.recv(1 << 16)
        rest = data
        s.settimeout(1)
        try:
            while True:
                rest += s.recv(1 << 16)
        except (socket.timeout, TimeoutError):
            pass
        gaps = len(re.findall(rb"Event-Subclass: tandem(?:%3A%3A|::)gap", rest))
        missed = int(re.search(rb"Missed-Count: (\d+)", rest).group(1))
        assert gaps == 1 and missed > 10
        rows = json.loads(fresh.api("event stats names as json"))["rows"]
        assert sum(int(r["dropped"]) for r in rows) == missed
    phone.close()
    fresh.stop()


@pytest.mark.leaks
def test_connections_cut_anywhere(tandem):
    """Ten thousand connections that end at a random byte of a conversation: the next is served, nothing stays."""
    rng = random.Random(4)
    talk = (f"auth {tandem.esl_password}\n\nevent plain ALL\n\nfilter Event-Name HEARTBEAT\n\nlog 7\n\nbgapi status\n\napi show channels\n\n"
            "sendevent NOTIFY\nContent-Length: 5\n\nhello" "api msleep 5\n\nexit\n\n").encode()
    held = []
    for i in range(10000):
        s = socket.create_connection(("127.0.0.1", tandem.esl_port))
        try:
            s.sendall(talk[:rng.randrange(len(talk) + 1)])
            if rng.random() < 0.2:
                s.recv(100)
            if rng.random() < 0.3:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        held.append(s)
        if len(held) > 20:
            held.pop(rng.randrange(len(held))).close()
    for s in held:
        s.close()
    fds = lambda: len(list(Path(f"/proc/{tandem.proc.pid}/fd").iterdir()))  # noqa: E731
    deadline = time.monotonic() + 15
    while fds() > 60:
        assert time.monotonic() < deadline, fds()
        time.sleep(0.05)
    assert "is ready" in tandem.api("status")


def test_session_heartbeat(tandem):
    phone = Ua(tandem, "1000").register()
    uuid = tandem.api("originate user/1000 &park")[4:].strip()
    e = tandem.esl()
    e.subscribe("SESSION_HEARTBEAT")
    usage = "uuid_session_heartbeat <uuid> [sched] [0|<seconds>]\n"
    assert tandem.api("uuid_session_heartbeat") == "-USAGE: " + usage
    assert tandem.api("uuid_session_heartbeat nosuch 10") == "-ERR Cannot locate session. USAGE: " + usage
    assert tandem.api(f"uuid_session_heartbeat {uuid} 1") == "+OK\n"
    for _ in range(2):
        assert e.wait_event("SESSION_HEARTBEAT", timeout=4)["Unique-ID"] == uuid
    assert tandem.api(f"uuid_session_heartbeat {uuid} 0") == "+OK\n"
    tandem.api(f"uuid_session_heartbeat {uuid} sched 1")
    tandem.api(f"uuid_kill {uuid}")
    assert phone.down.wait(5)
    phone.close()
    tandem.wait_calls(0)
    e.close()


def login(sw, line):
    """A connection logged in by line, and the headers of the reply."""
    s = socket.create_connection(("127.0.0.1", sw.esl_port))
    s.sendall(f"{line}\n\n".encode())
    return s, read_frames(s, 2)[1][0]


def ask(s, text):
    s.sendall(f"{text}\n\n".encode())
    head, body = read_frames(s, 1)[0]
    return body if body else re.search(r"Reply-Text: (.*)", head).group(1)


def test_users_of_the_directory(fresh):
    """userauth: what the user's entry allows of commands, events and log lines, and no more; the domain's entry stands in."""
    p = fresh.root / "conf/directory/default.xml"
    p.write_text(p.read_text().replace('<user id="1000">\n            <params>', '<user id="1000">\n            <params>\n'
                 '<param name="esl-password" value="ops"/><param name="esl-allowed-api" value="show echo bgapi sched_api"/>'
                 '<param name="esl-allowed-events" value="HEARTBEAT tests::mine CUSTOM"/><param name="esl-allowed-log" value="false"/>', 1))
    fresh.start()
    for line in ("userauth 1000@127.0.0.1:wrong", "userauth nobody@127.0.0.1:ops", "userauth 1001@127.0.0.1:", "userauth x"):
        s, head = login(fresh, line)
        assert "-ERR invalid" in head
        s.close()
    s, head = login(fresh, "userauth 1000@127.0.0.1:ops")
    assert head == ("Content-Type: command/reply\nReply-Text: +OK accepted\nAllowed-Events: HEARTBEAT tests::mine CUSTOM\n"
                    "Allowed-API: show echo bgapi sched_api\nAllowed-LOG: false")
    assert ask(s, "api echo hi") == "hi"
    for line in ("api version", "api bgapi version", "bgapi version", "api sched_api +1 none version", "api console_execute version",
                 "api echo hi\nconsole_execute: true"):
        got = ask(s, line)
        assert got == ("hi" if line.startswith("api echo") else "-ERR permission denied"), (line, got)
    assert ask(s, "api bgapi echo x").startswith("+OK Job-UUID") and ask(s, "api sched_api +60 none echo x").startswith("+OK Added")
    assert ask(s, "log 7") == "-ERR permission denied"
    assert ask(s, "event plain ALL").startswith("+OK")
    other = fresh.esl()
    for name in ("tests::theirs", "tests::mine"):
        other.command(f"sendevent CUSTOM\nEvent-Subclass: {name}")
    head, body = read_frames(s, 1)[0]
    assert "tests%3A%3Amine" in body or "tests::mine" in body
    s.close()
    s, head = login(fresh, "userauth 1000:ops@127.0.0.1")  # the older order of words
    assert "+OK accepted" in head
    s.close(), other.close()
    fresh.stop()


def test_clients_are_counted(tandem):
    e = tandem.esl()
    e.subscribe("CUSTOM tests::counted")
    for i in range(3):
        e.command(f"sendevent CUSTOM\nEvent-Subclass: tests::counted\nTurn: {i}")
    assert e.wait_event("CUSTOM", Turn="2")
    me = f"127.0.0.1:{e.sock.getsockname()[1]}"
    rows = [line.split(",") for line in tandem.api("event stats clients").split("\n")]
    assert rows[0] == ["door", "client", "delivered", "dropped", "waiting_bytes"]
    assert ["event_socket", me, "3", "0", "0"] in rows
    e.close()
