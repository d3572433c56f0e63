"""Call records to NATS (Debian's nats-server) and Kafka (librdkafka's broker, kafka_broker.c): the broker stalled, killed, restarted,
not there at the start, full, answering rubbish; nothing is lost, and calls do not feel it."""
import base64
import json
import shutil
import socket
import subprocess
import threading

import pytest
import tandem as t
from calls import write_extensions
from database_servers import Server, answers
from test_call_records import EXTENSIONS, call_over, status
from test_store import await_true


class NatsPeer:
    """As much of the protocol as asking JetStream needs."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.file = self.sock.makefile("rb")
        self.file.readline()
        self.sock.sendall(b'CONNECT {"verbose":false,"headers":true,"user":"u","pass":"sesame"}\r\nSUB answer 1\r\n')

    def ask(self, subject, **what):
        body = json.dumps(what).encode() if what else b""
        self.sock.sendall(b"PUB %s answer %d\r\n%s\r\n" % (subject.encode(), len(body), body))
        while True:
            line = self.file.readline().split()
            assert line, "the server hung up"
            if line[0] == b"PING":
                self.sock.sendall(b"PONG\r\n")
            elif line[0] in (b"MSG", b"HMSG"):
                return json.loads(self.file.read(int(line[-1]) + 2)[int(line[-2]) if line[0] == b"HMSG" else 0:])

    def close(self):
        self.file.close()
        self.sock.close()


class Nats(Server):
    kind = "nats"

    def __init__(self):
        if not shutil.which("nats-server"):
            pytest.skip("nats-server is not installed")
        super().__init__()
        (self.folder / "conf").write_text(f'listen: "127.0.0.1:{self.port}"\njetstream {{ store_dir: "{self.folder}/js" }}\nmax_payload: 65536\n'
                                          "authorization { user: u, password: sesame }\n")
        self.start()
        self.make_stream()

    def start(self):
        self.launch("nats-server", "-c", self.folder / "conf")
        self.wait_ready(lambda: answers(self.port))

    def ask(self, subject, **what):
        p = NatsPeer(self.port)
        try:
            return p.ask(subject, **what)
        finally:
            p.close()

    def make_stream(self, **more):
        said = self.ask("$JS.API.STREAM.CREATE.CDR", name="CDR", subjects=["cdr.lab"], storage="file", retention="limits", num_replicas=1, **more)
        assert "error" not in said, said

    def records(self):
        """(id, record) of each message."""
        state, found = self.ask("$JS.API.STREAM.INFO.CDR")["state"], []
        for seq in range(state["first_seq"], state["last_seq"] + 1):
            m = self.ask("$JS.API.STREAM.MSG.GET.CDR", seq=seq).get("message")
            if m:
                headers = dict(h.split(": ", 1) for h in base64.b64decode(m["hdrs"]).decode().split("\r\n")[1:] if h)
                found.append((headers["Nats-Msg-Id"], json.loads(base64.b64decode(m["data"]))))
        return found

    def conf(self):
        other = t.free_port()  # nobody is there: the second is taken
        return {"servers": f"nats://127.0.0.1:{other},nats://127.0.0.1:{self.port}", "username": "u", "password": "sesame", "subject": "cdr.lab", "timeout-ms": "1000"}


class Kafka(Server):
    """It keeps its messages in memory alone: what it was given is read from what it wrote down."""
    kind = "kafka"

    def __init__(self):
        super().__init__()
        self.program = self.folder / "broker"
        if subprocess.run(["pkg-config", "--exists", "rdkafka"]).returncode:
            pytest.skip("librdkafka-dev is not installed")
        subprocess.run(["cc", "-O1", "-rdynamic", "-o", self.program, t.TOP / "tests/e2e/kafka_broker.c", "-lrdkafka"], check=True)
        self.start()

    def start(self):
        self.launch("sh", "-c", f"exec {self.program} {self.port} cdr >> {self.folder}/messages")
        self.wait_ready(lambda: answers(self.port))

    def records(self):
        found = []
        for line in (self.folder / "messages").read_text().splitlines():
            key, id_, body = line.split(" ", 2)
            assert key == id_
            found.append((id_, json.loads(body)))
        return found

    def conf(self):
        return {"bootstrap-servers": f"127.0.0.1:{t.free_port()},127.0.0.1:{self.port}", "topic": "cdr", "message-timeout-ms": "1000"}


def write_conf(sw, kind, params, name="lab", more=""):
    (sw.root / f"conf/autoload_configs/{kind}.conf.xml").write_text(
        f'<configuration name="{kind}.conf"><profiles><profile name="{name}">' + "".join(f'<param name="{k}" value="{v}"/>' for k, v in params.items())
        + f"{more}</profile></profiles></configuration>")


@pytest.fixture(scope="module", params=[Nats, Kafka], ids=lambda k: k.kind)
def broker(request):
    b = request.param()
    yield b
    b.end()


@pytest.fixture(scope="module")
def sw(broker, tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("conf") / "instance", "conf")
    write_extensions(sw, EXTENSIONS, "records")
    write_conf(sw, broker.kind, {**broker.conf(), "log-b-leg": "false"})
    sw.start()
    if not sw.api(f"load mod_{broker.kind}").startswith("+OK"):
        sw.stop()
        pytest.skip("its library was not at the build")
    sw.target = f"{broker.kind}/lab"
    yield sw
    sw.stop()
    assert "sesame" not in sw.log_text and "sesame" not in sw.console()


def again(sw, broker):
    """With what its configuration says now."""
    sw.api("reloadxml")
    for verb in "unload", "load":
        assert sw.api(f"{verb} mod_{broker.kind}").startswith("+OK")


def arrived(sw, broker, uuids, seconds=30):
    """The broker has them, and has said so."""
    await_true(lambda: set(uuids) <= {id_ for id_, _ in broker.records()}, seconds)
    await_true(lambda: status(sw)[sw.target]["waiting"] == 0, seconds)


def test_a_record_arrives(sw, broker):
    """With its uuid as what tells doubles apart; counted in `cdr status` and in the module's own command."""
    uuid = call_over(sw)
    arrived(sw, broker, [uuid])
    record = dict(broker.records())[uuid]
    assert record["variables"]["uuid"] == uuid and record["variables"]["hangup_cause"] == "NORMAL_CLEARING"
    await_true(lambda: status(sw)[sw.target]["sent"] >= 1 and status(sw)[sw.target]["waiting"] == 0)
    assert status(sw)[sw.target]["state"] == "ok"
    assert sw.api(broker.kind).split("\n")[1].startswith(f"{sw.target},cdr")


@pytest.mark.parametrize("how", ["stalled", "killed"])
def test_away(sw, broker, how):
    """Calls go on; the lag is told, in the log once; each record is there afterwards."""
    told = sw.log_text.count(f"{sw.target} does not take call records")
    getattr(broker, "stall" if how == "stalled" else "kill")()
    uuids = {call_over(sw) for _ in range(20)}
    await_true(lambda: status(sw)[sw.target]["state"] == "away", 20)
    await_true(lambda: status(sw)[sw.target]["waiting"] == 20)
    if how == "stalled":
        broker.go_on()
    else:
        broker.start()
    arrived(sw, broker, uuids)
    assert sw.log_text.count(f"{sw.target} does not take call records") == told + 1
    if broker.kind == "nats":  # the stream drops the second of one id
        ids = [id_ for id_, _ in broker.records()]
        assert len(ids) == len(set(ids))


def test_unload_while_stalled(sw, broker):
    """The module goes at once; what it had not got comes with the next load."""
    broker.stall()
    uuid = call_over(sw)
    assert sw.api(f"unload mod_{broker.kind}").startswith("+OK")
    await_true(lambda: status(sw)[sw.target]["state"] == "unloaded")
    broker.go_on()
    assert sw.api(f"load mod_{broker.kind}").startswith("+OK")
    arrived(sw, broker, [uuid])


def test_the_switch_dies(sw, broker):
    """kill -9 while the broker is away: the next start sends what waits."""
    broker.kill()
    uuids = {call_over(sw) for _ in range(5)}
    await_true(lambda: status(sw)[sw.target]["waiting"] == 5)
    sw.kill()
    broker.start()
    sw.start()
    assert sw.api(f"load mod_{broker.kind}").startswith("+OK")
    arrived(sw, broker, uuids)


@pytest.mark.parametrize("broker", [Nats], ids=["nats"], indirect=True)
def test_no_stream_takes_it(sw, broker):
    """NATS forgets what nobody listens to: that is no success. When the stream is there again, the record is in it."""
    broker.ask("$JS.API.STREAM.DELETE.CDR")
    uuid = call_over(sw)
    sw.wait_log("no stream takes its subject")
    broker.make_stream(max_msgs=100)
    arrived(sw, broker, [uuid])


def test_refused(sw, broker):
    """Longer than the broker takes: it goes into a file, and holds up nobody."""
    write_conf(sw, broker.kind, broker.conf(), more='<librdkafka><param name="message.max.bytes" value="40000"/></librdkafka>')
    again(sw, broker)
    e = sw.esl()
    uuid = e.api("originate null/x &park").split()[1]
    for i in range(8):
        assert e.api(f"uuid_setvar {uuid} long{i} {'x' * 9000}").startswith("+OK")
    e.api(f"uuid_kill {uuid}")
    e.close()
    sw.wait_calls(0)
    after = call_over(sw)
    arrived(sw, broker, [after])
    file = sw.root / f"log/{sw.target}/refused.json"
    await_true(file.exists)
    await_true(lambda: uuid in file.read_text())
    assert uuid not in dict(broker.records()) and status(sw)[sw.target]["waiting"] == 0


@pytest.mark.parametrize("broker", [Kafka], ids=["kafka"], indirect=True)
def test_bad_parameter(sw, broker):
    write_conf(sw, "kafka", broker.conf(), more='<librdkafka><param name="no.such.thing" value="1"/></librdkafka>')
    again(sw, broker)
    sw.wait_log('No such configuration property: "no.such.thing"')
    assert "kafka.conf.xml:1: kafka: No such configuration property" in sw.log_text or "freeswitch.xml" in sw.log_text
    write_conf(sw, "kafka", broker.conf())
    again(sw, broker)
    arrived(sw, broker, [call_over(sw)])


@pytest.mark.parametrize("says", [b"", b"\x7f\xff\xff\xff" * 64, b'INFO {"max_payload":1048576,"headers":true}\r\nMSG _INBOX.x 1 999999999\r\nx\r\n' * 3],
                         ids=["nothing", "bytes", "huge"])
def test_rubbish(sw, broker, says):
    """Something else is at the port: the record waits, calls go on, and it gets there when the broker is back."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        end = threading.Event()

        def serve():
            while not end.is_set():
                try:
                    c, _ = s.accept()
                    c.sendall(says)
                    c.settimeout(1)
                    c.recv(1000)
                    c.sendall(says)
                    c.close()
                except OSError:
                    pass
        threading.Thread(target=serve, daemon=True).start()
        good = broker.conf()
        key = "servers" if broker.kind == "nats" else "bootstrap-servers"
        write_conf(sw, broker.kind, {**good, key: ("nats://" if broker.kind == "nats" else "") + f"127.0.0.1:{s.getsockname()[1]}"})
        again(sw, broker)
        uuid = call_over(sw)
        await_true(lambda: status(sw)[sw.target]["state"] == "away", 20)
        end.set()
    write_conf(sw, broker.kind, good)
    again(sw, broker)
    arrived(sw, broker, [uuid])
