"""RabbitMQ: events under keys, commands, log lines, call records; the broker stalled and killed."""
import json
import time

import pytest
import tandem as t
from amqp_peer import Peer
from calls import write_extensions
from database_servers import Rabbit
from test_call_records import EXTENSIONS, call_over, status
from test_store import await_true


def profile(port, params):
    other = t.free_port()  # the first connection is dead: the second is taken
    connections = "".join(f'<connection name="c{p}"><param name="hostname" value="127.0.0.1"/><param name="port" value="{p}"/></connection>'
                          for p in (other, port))
    return (f'<profile name="default"><connections>{connections}</connections><params>'
            + "".join(f'<param name="{k}" value="{v}"/>' for k, v in params) + "</params></profile>")


@pytest.fixture(scope="module")
def broker():
    r = Rabbit()
    yield r
    r.end()


@pytest.fixture(scope="module")
def sw(broker, tmp_path_factory):
    peer = Peer(broker.port)
    for exchange, queue in (("TAP.Events", "events"), ("TAP.Logging", "lines"), ("TAP.Records", "records")):
        peer.exchange(exchange)
        peer.queue(queue, exchange)
    peer.queue("replies")
    peer.close()
    sw = t.Tandem(tmp_path_factory.mktemp("conf") / "instance", "conf")
    write_extensions(sw, EXTENSIONS, "records")
    fast = ("reconnect_interval_ms", "200")
    (sw.root / "conf/autoload_configs/amqp.conf.xml").write_text('<configuration name="amqp.conf">'
        "<producers>" + profile(broker.port, [fast, ("event_filter", "SWITCH_EVENT_CHANNEL_HANGUP,SWITCH_EVENT_CUSTOM^lab::x"),
                                              ("enable_fallback_format_fields", "1"), ("circuit_breaker_ms", "200"),
                                              ("format_fields", "#FreeSWITCH,Nothing|#none,Event-Name,Caller-Channel-Name")]) + "</producers>"
        "<commands>" + profile(broker.port, [fast]) + "</commands><logging>" + profile(broker.port, [fast, ("log-levels", "warning")]) + "</logging>"
        "<cdrs>" + profile(broker.port, [fast, ("log-b-leg", "false"), ("routing-key", "cdr.lab")]) + "</cdrs></configuration>")
    sw.start()
    if not sw.api("load mod_amqp").startswith("+OK"):
        sw.stop()
        pytest.skip("librabbitmq was not at the build")
    await_true(lambda: sw.api("amqp status").count(",up,") == 4)
    yield sw
    sw.stop()


@pytest.fixture
def peer(broker):
    p = Peer(broker.port)
    yield p
    p.close()


def get(peer, queue, seconds=10):
    deadline = time.monotonic() + seconds
    while True:
        m = peer.get(queue)
        if m:
            return m
        assert time.monotonic() < deadline, queue
        time.sleep(0.05)


def test_events(sw, peer):
    uuid = call_over(sw)
    key, _, body = get(peer, "events")
    e = json.loads(body)
    assert e["Event-Name"] == "CHANNEL_HANGUP" and e["Unique-ID"] == uuid
    assert key.startswith("FreeSWITCH.none.CHANNEL_HANGUP.sofia%2Finternal%2F1000%40127%2E0%2E0%2E1")
    sw.esl().command("sendevent CUSTOM\nEvent-Subclass: lab::x\nThing: 1")
    e = json.loads(get(peer, "events")[2])
    assert e["Event-Subclass"] == "lab::x" and e["Thing"] == "1"


def test_commands(sw, peer):
    peer.publish("TAP.Commands", "commandBindingKey", b"expr 40+2", "replies", "id-1")
    _, props, body = get(peer, "replies")
    assert json.loads(body) == {"output": "42.000000" if b"42.0" in body else "42", "command": "expr 40+2", "status": "success"} and b"id-1" in props
    peer.publish("TAP.Commands", "commandBindingKey", b"nosuch command", "replies", "id-2")
    assert json.loads(get(peer, "replies")[2])["output"].startswith("-ERR")
    peer.publish("TAP.Commands", "commandBindingKey", b"x" * 70000)
    peer.publish("TAP.Commands", "commandBindingKey", b"")
    peer.publish("TAP.Commands", "commandBindingKey", b"status", "replies", "id-3")
    assert "UP" in json.loads(get(peer, "replies")[2])["output"]


def test_log_lines(sw, peer):
    sw.api("log WARNING lines for the broker")
    while True:
        key, _, body = get(peer, "lines")
        line = json.loads(body)
        if line["content"].endswith("lines for the broker"):
            break
    assert key.endswith(".WARNING") and line["level"] == "WARNING"


@pytest.mark.parametrize("how", ["stalled", "killed"])
def test_away(sw, broker, how):
    """Calls go on; each record is in the queue afterwards, with its uuid as message-id."""
    peer = Peer(broker.port)
    while peer.get("records"):
        pass
    peer.close()
    getattr(broker, "stall" if how == "stalled" else "kill")()
    began = time.monotonic()
    uuids = {call_over(sw) for _ in range(20)}
    assert time.monotonic() - began < 10
    await_true(lambda: status(sw)["amqp/cdr/default"]["waiting"] == 20)
    if how == "stalled":
        broker.go_on()
    else:
        broker.start()
    await_true(lambda: status(sw)["amqp/cdr/default"]["waiting"] == 0, 60)
    peer = Peer(broker.port)
    got = {}
    while not uuids <= set(got):
        key, props, body = get(peer, "records")
        record = json.loads(body)
        got[record["variables"]["uuid"]] = record
        assert key == "cdr.lab" and record["variables"]["uuid"].encode() in props
    peer.close()


def test_unload_while_stalled(sw, broker):
    """The module goes at once, whatever the broker does; what it had not got comes with the next load."""
    broker.stall()
    uuid = call_over(sw)
    began = time.monotonic()
    assert sw.api("unload mod_amqp").startswith("+OK") and time.monotonic() - began < 2
    broker.go_on()
    assert sw.api("load mod_amqp").startswith("+OK")
    peer = Peer(broker.port)
    while json.loads(get(peer, "records", 20)[2])["variables"]["uuid"] != uuid:
        pass
    peer.close()
