"""The HTTP door: commands, views, calls, tokens and roles, health, and what it does to requests that are wrong, slow or cut."""
import json
import random
import re
import shutil
import socket
import stat
import struct
import subprocess
import time

import pytest

import tandem as t
from http_client import Door, read_response, settings
from wire import Phone


@pytest.fixture
def door(tandem):
    return Door(tandem)


# ---- commands and jobs -------------------------------------------------------------------------------------------
def test_commands(door):
    got = door.command("echo", "hello world")
    assert got == {"command": "echo", "status": "ok", "reply": "hello world", "error": None}
    got = door.command("uuid_kill", "nobody")
    assert got["status"] == "error" and got["error"] == "No such channel!" and got["reply"] == "-ERR No such channel!\n"
    assert door.post("/v1/commands/status")["reply"].startswith("UP ")  # no body: no arguments
    start = time.monotonic()
    door.command("msleep", "300")  # one that waits
    assert time.monotonic() - start >= 0.3
    problem = door.post("/v1/commands/nosuch", {"args": ""}, 404)
    assert problem == {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is no command nosuch"}
    assert door.post("/v1/commands/echo", {"args": 5}, 400)["detail"] == "args must be a string"


def test_commands_run_side_by_side(door):
    """A slow command holds its own connection only."""
    s = door.raw()
    body = b'{"args": "1500"}'
    s.sendall(b"POST /v1/commands/msleep HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + door.token.encode() +
              b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    start = time.monotonic()
    door.command("echo", "x")
    assert time.monotonic() - start < 1.2
    assert read_response(s)[0] == 200
    s.close()


def test_jobs(tandem, door):
    e = tandem.esl()
    e.subscribe("BACKGROUND_JOB")
    status, headers, job = door.call("POST", "/v1/jobs", {"command": "msleep", "args": "200"})
    assert status == 202 and headers["Location"] == f"/v1/jobs/{job['job']}" and job["state"] == "running"
    e.wait_event("BACKGROUND_JOB", Job_UUID=job["job"], Job_Command="msleep")
    got = door.get(headers["Location"])
    assert got["state"] == "done" and got["status"] == "ok" and got["ended_us"] - got["begun_us"] >= 200000
    assert job["job"] in [r["job"] for r in door.get("/v1/jobs")["rows"]]
    door.get("/v1/jobs/none", 404)
    door.post("/v1/jobs", {"command": "nosuch"}, 404)
    door.post("/v1/jobs", {}, 400)


# ---- calls and views ---------------------------------------------------------------------------------------------
def test_a_call_over_http(tandem, door):
    got = door.post("/v1/originate", {"target": "loopback/9196", "application": "park", "caller_id_name": "O'Brien \\ & Co",
                                      "caller_id_number": "77", "variables": {"x_a": "1,2|3 four", "x_b": "é"}}, 201)
    uuid = got["uuid"]
    channel = door.get(f"/v1/channels/{uuid}")
    assert channel["variable_x_a"] == "1,2|3 four" and channel["variable_x_b"] == "é"
    assert (channel["Caller-Callee-ID-Name"], channel["Caller-Callee-ID-Number"]) == ("O'Brien \\ & Co", "77"), channel
    rows = door.get("/v1/channels")
    assert rows["row_count"] == len(rows["rows"]) and uuid in [r["uuid"] for r in rows["rows"]]
    assert uuid in json.dumps(door.get("/v1/calls"))
    got = door.post(f"/v1/channels/{uuid}/commands", {"command": "setvar", "args": "x_c over http"})
    assert got["status"] == "ok" and got["command"] == "uuid_setvar"
    assert tandem.api(f"uuid_getvar {uuid} x_c") == "over http"
    assert door.post(f"/v1/channels/{uuid}/commands", {"command": "hold", "args": "off"})["command"] == "uuid_hold"
    door.post(f"/v1/channels/{uuid}/commands", {"command": "nosuch"}, 404)
    door.post("/v1/channels/nobody/commands", {"command": "hold"}, 404)
    assert door.call("DELETE", f"/v1/channels/{uuid}?cause=NOT_A_CAUSE")[0] == 400
    e = tandem.esl()
    e.subscribe("CHANNEL_HANGUP_COMPLETE")
    assert door.call("DELETE", f"/v1/channels/{uuid}?cause=USER_BUSY")[0] == 204
    assert e.wait_event("CHANNEL_HANGUP_COMPLETE", Unique_ID=uuid)["Hangup-Cause"] == "USER_BUSY"
    tandem.wait_calls(0)
    door.get(f"/v1/channels/{uuid}", 404)
    assert door.get("/v1/channels") == {"row_count": 0, "rows": []}


@pytest.mark.parametrize("body,says", [
    ({}, "target is needed"),
    ({"target": 5}, "target must be a string"),
    ({"target": "a\nb", "extension": "1"}, "target has a control character"),
    ({"target": "loopback/1"}, "either extension or application is needed"),
    ({"target": "loopback/1", "extension": "1", "application": "park"}, "either extension or application is needed"),
    ({"target": "loopback/1", "application": "park", "data": "x)"}, "no closing parenthesis"),
    ({"target": "loopback/1", "extension": "1", "timeout_s": 0}, "timeout_s must be"),
    ({"target": "loopback/1", "extension": "1", "variables": {"a": "}b"}}, "the variable a must be"),
    ({"target": "loopback/1", "extension": "1", "variables": {"a=b": "c"}}, "the variable a=b must be"),
    ({"target": "loopback/1", "extension": "1", "variables": {"a": "|;~!#@"}}, "one must be left"),
])
def test_originate_refuses(door, body, says):
    assert says in door.post("/v1/originate", body, 400)["detail"]


def test_originate_fails(door):
    problem = door.post("/v1/originate", {"target": "user/nobody", "extension": "9196"}, 422)
    assert problem["detail"].startswith("the call was not answered: ")


def test_views(tandem, door):
    status = door.get("/v1/status")
    assert status["sessions"]["limit"] > 0 and status["core_uuid"] and not status["is_shutting_down"]
    names = {r["name"] for r in door.get("/v1/profiles")["rows"]}
    assert {"internal", "external"} <= names
    assert door.get("/v1/gateways")["rows"] == []
    assert set(door.get("/v1/registrations")) == {"row_count", "rows"}


# ---- tokens and roles --------------------------------------------------------------------------------------------
def test_tokens(tandem, door):
    token_file, admin_file = tandem.root / "db/http_tokens.json", tandem.root / "db/http_admin_token"
    for p in (token_file, admin_file):
        assert stat.S_IMODE(p.stat().st_mode) == 0o600
    assert door.token not in token_file.read_text() and len(door.token) == 40
    nobody = Door(tandem, "")
    status, headers, problem = nobody.call("GET", "/v1/status")
    assert status == 401 and headers["WWW-Authenticate"].startswith("Bearer") and problem["detail"] == "a bearer token is needed"
    assert Door(tandem, door.token[:-1]).call("GET", "/v1/status")[0] == 401
    assert nobody.call("GET", f"/v1/status?access_token={door.token}")[0] == 401  # only where headers cannot be set
    for path in ("/healthz", "/readyz"):
        assert nobody.call("GET", path)[0] == 200
    assert nobody.call("GET", "/metrics")[0] == 401

    reader = Door(tandem, tandem.api("http token add watch read")[4:].strip())
    operator = Door(tandem, tandem.api("http token add desk operator")[4:].strip())
    assert "-ERR that name is taken" in tandem.api("http token add watch admin")
    assert "-ERR" in tandem.api("http token add x nosuchrole") and tandem.api("http token").startswith("-USAGE: ")
    assert re.search(r"^watch,read,\d+$", tandem.api("http token list"), re.M)
    assert reader.get("/v1/channels")["row_count"] == 0
    assert reader.command("status")["status"] == "ok"
    for method, path, body in (("POST", "/v1/commands/originate", {"args": "x"}), ("POST", "/v1/originate", {"target": "x"}),
                               ("POST", "/v1/jobs", {"command": "reloadxml"}), ("POST", "/v1/commands/http", {"args": "token list"})):
        assert reader.call(method, path, body)[0] == 403, path
    assert operator.post("/v1/originate", {"target": "user/nobody", "extension": "1"}, 422)
    for name in ("global_setvar", "reloadxml", "bgapi", "expand", "http", "fsctl"):
        assert operator.call("POST", f"/v1/commands/{name}", {"args": ""})[0] == 403, name
    events = reader.events()
    assert tandem.api("http token revoke watch") == "+OK\n"
    with pytest.raises(EOFError):  # its streams end, too
        while True:
            events.next()
    events.close()
    assert reader.call("GET", "/v1/status")[0] == 401
    assert "-ERR no such token" in tandem.api("http token revoke watch")


def test_tokens_outlive_a_restart(fresh):
    fresh.start()
    door = Door(fresh)
    other = Door(fresh, fresh.api("http token add ci operator")[4:].strip())
    fresh.stop()
    fresh.start()
    assert Door(fresh).token == door.token
    assert door.call("GET", "/v1/status")[0] == 200 and other.call("GET", "/v1/status")[0] == 200
    fresh.api("unload mod_http_api")
    with pytest.raises(OSError):
        door.call("GET", "/healthz")
    assert fresh.api("load mod_http_api").startswith("+OK")
    assert other.call("GET", "/v1/status")[0] == 200
    assert other.call("POST", "/v1/commands/load", {"args": "mod_x"})[0] == 403
    assert fresh.api("http status").startswith(f"listening on 127.0.0.1:{fresh.http_port}\n")


def test_open_to_others_warns(fresh):
    settings(fresh, listen_ip="0.0.0.0", metrics_without_token="true")
    fresh.start()
    fresh.wait_log("open to other machines without encryption")
    assert Door(fresh, "").call("GET", "/metrics")[0] == 200  # from loopback
    assert Door(fresh, "").call("GET", "/v1/status")[0] == 401


# ---- the protocol ------------------------------------------------------------------------------------------------
def test_keep_alive_and_pipelining(door):
    s = door.raw()
    auth = f"Host: h\r\nAuthorization: Bearer {door.token}\r\n"
    one = '{"args":"300"}'
    s.sendall((f"POST /v1/commands/msleep HTTP/1.1\r\n{auth}Content-Length: {len(one)}\r\n\r\n{one}"
               f"HEAD /v1/status HTTP/1.1\r\n{auth}\r\n"
               f"POST /v1/commands/echo HTTP/1.1\r\n{auth}Transfer-Encoding: chunked\r\n\r\n"
               "8\r\n{\"args\":\r\n6\r\n\"last\"\r\n1\r\n}\r\n0\r\n\r\n"
               f"GET /nix HTTP/1.1\r\n{auth}Connection: close\r\n\r\n").encode())
    assert json.loads(read_response(s)[2])["command"] == "msleep"  # answers keep their order
    status, headers, _ = read_response(s, has_body=False)
    assert status == 200 and int(headers["content-length"]) > 100
    assert json.loads(read_response(s)[2])["reply"] == "last"
    status, headers, _ = read_response(s)
    assert status == 404 and headers["connection"] == "close"
    assert s.recv(1) == b""
    s.close()


def test_http10(door):
    s = door.raw()
    s.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert read_response(s)[2] == b'{"status":"ok"}' and s.recv(1) == b""
    s.close()


def test_expect_continue(door):
    s = door.raw()
    head = f"POST /v1/commands/echo HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {door.token}\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n"
    s.sendall(head.encode())
    assert read_response(s)[0] == 100
    s.sendall(b'{"args":"x"}')
    assert json.loads(read_response(s)[2])["reply"] == "x"
    # who may not send it is told before the body
    s.sendall(head.replace(door.token, "wrong").encode())
    assert read_response(s)[0] == 401 and s.recv(1) == b""
    s.close()


@pytest.mark.parametrize("request_text,status", [
    ("GET /v1/status HTTP/1.1\r\n\r\n", 400),
    ("GET /v1/status HTTP/3.1\r\nHost: h\r\n\r\n", 505),
    ("\x16\x03\x01\x02\x00\r\n\r\n", 400),
    ("GET /" + "a" * 9000 + " HTTP/1.1\r\nHost: h\r\n\r\n", 414),
    ("GET / HTTP/1.1\r\nHost: h\r\nX: " + "a" * 40000 + "\r\n\r\n", 431),
    ("GET / HTTP/1.1\r\nHost: h\r\n" + "X: y\r\n" * 70 + "\r\n", 431),
    ("POST /v1/originate HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n", 413),
    ("POST /v1/originate HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /v1/originate HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ("POST /v1/originate HTTP/1.1\r\nHost: h\r\nAUTH\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi", 415),
    ("POST /v1/originate HTTP/1.1\r\nHost: h\r\nAUTH\r\nContent-Length: 2\r\n\r\nhi", 400),
    ("POST /v1/originate HTTP/1.1\r\nHost: h\r\nAUTH\r\nContent-Length: 2\r\n\r\n[]", 400),
    ("POST /v1/originate HTTP/1.1\r\nHost: h\r\nAUTH\r\n\r\n", 400),
    ("GET /v1/status HTTP/1.1\r\nHost: h\r\nAUTH\r\nContent-Length: 2\r\n\r\nhi", 400),
    ("PUT /v1/status HTTP/1.1\r\nHost: h\r\nAUTH\r\n\r\n", 405),
    ("GET /v1/channels/a/b/c HTTP/1.1\r\nHost: h\r\n\r\n", 404),
    ("GET /v1/events/ws HTTP/1.1\r\nHost: h\r\nAUTH\r\n\r\n", 426),
    ("GET /v1/events?events=NO_SUCH HTTP/1.1\r\nHost: h\r\nAUTH\r\n\r\n", 400),
    ("GET /v1/events?since=x HTTP/1.1\r\nHost: h\r\nAUTH\r\n\r\n", 400),
])
def test_refusals_have_one_shape(door, request_text, status):
    s = door.raw()
    s.sendall(request_text.replace("AUTH", f"Authorization: Bearer {door.token}").encode("latin-1"))
    got, headers, body = read_response(s)
    s.close()
    assert got == status, body
    assert headers["content-type"] == "application/problem+json"
    problem = json.loads(body)
    assert problem["status"] == status and problem["title"] and problem["detail"]
    if status == 405:
        assert headers["allow"] == "GET, HEAD, OPTIONS"


def test_options_and_cors(fresh):
    settings(fresh, cors_origins="https://panel.example.com")
    fresh.start()
    door = Door(fresh)
    status, headers, _ = Door(fresh, "").call("OPTIONS", "/v1/jobs", headers={"Origin": "https://panel.example.com"})
    assert status == 204 and headers["Allow"] == "GET, HEAD, POST, OPTIONS"
    assert headers["Access-Control-Allow-Origin"] == "https://panel.example.com" and "Authorization" in headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Origin" not in door.call("GET", "/v1/status", headers={"Origin": "https://evil.example.com"})[1]
    assert door.call("GET", "/v1/status", headers={"Origin": "https://panel.example.com"})[1]["Vary"] == "Origin"


def test_slow_and_silent_clients(fresh):
    """Neither a head that trickles nor a body nor silence holds a connection longer than it may."""
    settings(fresh, head_timeout="1", body_timeout="1", idle_timeout="1")
    fresh.start()
    door = Door(fresh)
    s = door.raw()
    start = time.monotonic()
    got = b""
    s.settimeout(0.1)
    for byte in b"GET /healthz HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 200:
        try:
            s.sendall(bytes([byte]))
            got = s.recv(1000)
            break
        except socket.timeout:
            continue
    assert got.startswith(b"HTTP/1.1 408 ") and 0.9 < time.monotonic() - start < 8
    s.close()
    s = door.raw()
    s.sendall(f"POST /v1/commands/echo HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {door.token}\r\nContent-Length: 100\r\n\r\n{{".encode())
    assert read_response(s)[0] == 408
    s.close()
    s = door.raw()
    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
    assert read_response(s)[0] == 200
    assert s.recv(1) == b""  # idle
    s.close()


def test_connection_bounds(fresh):
    settings(fresh, max_connections_per_address="5")
    fresh.start()
    door = Door(fresh)
    held = [door.raw() for _ in range(5)]
    for s in held:  # known to be counted when they are answered
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_response(s)[0] == 200
    s = door.raw()
    status, headers, body = read_response(s)
    assert status == 503 and json.loads(body)["detail"] == "too many connections" and headers["retry-after"]
    for s in held:
        s.close()
    deadline = time.monotonic() + 10
    while door_status(door) != 200:
        assert time.monotonic() < deadline
    fresh.wait_log("too many connections")


def door_status(door):
    s = door.raw()
    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    status = read_response(s)[0]
    s.close()
    return status


@pytest.mark.leaks
def test_connections_cut_anywhere(tandem, door):
    """Ten thousand connections that end at a random byte of a conversation: the next is served, nothing stays."""
    rng = random.Random(11)
    auth = f"Host: h\r\nAuthorization: Bearer {door.token}\r\n"
    echo = '{"args":"5"}'
    talks = [(f"GET /v1/status HTTP/1.1\r\n{auth}\r\nPOST /v1/commands/msleep HTTP/1.1\r\n{auth}Content-Length: {len(echo)}\r\n\r\n{echo}"
              f"GET /v1/channels HTTP/1.1\r\n{auth}\r\nGET /v1/events?events=ALL&since=0 HTTP/1.1\r\n{auth}\r\n").encode(),
             (f"GET /v1/events/ws HTTP/1.1\r\n{auth}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode() +
             b"\x81\x94\0\0\0\0" + b'{"type":"subscribe"}' + b"\x88\x80\0\0\0\0"]
    held = []
    for i in range(10000):
        s = door.raw()
        talk = talks[rng.random() < 0.3]
        try:
            s.sendall(talk[:rng.randrange(len(talk) + 1)])
            if rng.random() < 0.1:
                s.settimeout(0.01)
                s.recv(100)
        except OSError:
            pass
        if rng.random() < 0.3:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        held.append(s)
        if len(held) > 20:
            held.pop(rng.randrange(len(held))).close()
    for s in held:
        s.close()
    deadline = time.monotonic() + 20
    names = ("tandem_http_connections", "tandem_http_commands_running", "tandem_event_clients")
    while True:
        text = door.get("/metrics").decode()
        left = [max(float(v) for v in re.findall(rf"^{n}(?:{{door=\"http\"}})? (\S+)$", text, re.M)) for n in names]
        if left == [1, 0, 0]:  # the connection that asks
            break
        assert time.monotonic() < deadline, dict(zip(names, left))
        time.sleep(0.05)
    assert door.command("echo", "still here")["reply"] == "still here"


# ---- health, metrics, description --------------------------------------------------------------------------------
def test_draining(fresh):
    fresh.start()
    door = Door(fresh)
    assert door.get("/readyz")["status"] == "ready"
    fresh.api("sofia profile external stop")
    got = door.get("/readyz", 503)
    assert got["status"] == "not ready" and got["reason"] == "SIP profile external does not run" and got["module"] == "mod_sofia"
    fresh.api("sofia profile external start")
    assert door.get("/readyz")["status"] == "ready"
    uuid = door.post("/v1/originate", {"target": "loopback/9196", "application": "park"}, 201)["uuid"]
    fresh.api("fsctl pause inbound")
    got = door.get("/readyz", 503)
    assert got["status"] == "draining" and "fsctl pause" in got["reason"] and got["calls_left"] == 2
    fresh.api("fsctl resume inbound")
    assert door.get("/readyz")["status"] == "ready"
    fresh.api("fsctl shutdown elegant")
    got = door.get("/readyz", 503)
    assert got["status"] == "draining" and "elegant" in got["reason"] and got["calls_left"] == 2
    assert door.get("/healthz") == {"status": "ok"}
    assert door.call("DELETE", f"/v1/channels/{uuid}")[0] == 204
    assert fresh.proc.wait(20) == 0


def test_metrics(tandem, door):
    parser = pytest.importorskip("prometheus_client.parser")
    uuid = door.post("/v1/originate", {"target": "loopback/9196", "application": "park"}, 201)["uuid"]
    status, headers, text = door.call("GET", "/metrics")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = {f.name: f for f in parser.text_string_to_metric_families(text.decode())}
    samples = {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families.values() for s in f.samples}
    lines = [line.rsplit(" ", 1)[0] for line in text.decode().splitlines() if not line.startswith("#")]
    assert len(samples) > 200 and sorted(lines) == sorted(set(lines)), {line for line in lines if lines.count(line) > 1}
    value = lambda name, **labels: samples[(name, tuple(sorted(labels.items())))]  # noqa: E731
    assert value("tandem_sessions") == 2 and value("tandem_calls") in (0, 1) and value("tandem_draining") == 0
    assert value("tandem_sip_profile_up", profile="internal") == 1
    assert value("tandem_memory_bytes", room="core/registry") > 0
    assert value("tandem_loop_handler_runs_total", handler="tcp") > 0
    assert value("tandem_ring_slots", ring="log") == 4096 and value("tandem_ring_slots", ring="http events") == 10000
    assert value("tandem_loop_lateness_seconds_bucket", le="+Inf") == value("tandem_loop_lateness_seconds_count") > 0
    assert value("tandem_media_streams", thread="0") >= 0 and value("tandem_rtp_lost_packets_total") >= 0
    assert families["tandem_rtp_jitter_seconds"].type == "histogram" and families["tandem_sessions"].type == "gauge"
    assert door.call("DELETE", f"/v1/channels/{uuid}")[0] == 204
    tandem.wait_calls(0)


def test_openapi(tandem, door, modules, tmp_path):
    text = door.get("/openapi.json")
    (tmp_path / "openapi.json").write_text(json.dumps(text))
    script = ("import {Validator} from '@seriousme/openapi-schema-validator';"
              "import fs from 'fs';"
              "const v = new Validator(); const r = await v.validate(JSON.parse(fs.readFileSync(process.argv[2])));"
              "console.log(JSON.stringify({valid: r.valid, version: v.version, errors: r.errors}));")
    (modules / "check_openapi.mjs").write_text(script)
    got = subprocess.run(["node", "check_openapi.mjs", str(tmp_path / "openapi.json")], cwd=modules, capture_output=True, text=True, timeout=60)
    assert got.returncode == 0, got.stderr
    result = json.loads(got.stdout)
    assert result["valid"] and result["version"] == "3.1", result
    # one path for each command, with its syntax; and every path that is told answers
    commands = {r["name"]: r for r in json.loads(tandem.api("show api as json"))["rows"]}
    told = {p.rsplit("/", 1)[1] for p in text["paths"] if p.startswith("/v1/commands/")}
    assert told == {n for n in commands if not n.startswith(".")}
    assert text["paths"]["/v1/commands/originate"]["post"]["description"].startswith("`originate <call url>")
    ids = [op["operationId"] for p in text["paths"].values() for op in p.values()]
    assert len(ids) == len(set(ids))
    for path, methods in text["paths"].items():
        for method in methods:
            if not path.startswith("/v1/commands/"):
                status = Door(tandem, "").call(method.upper(), path.replace("{uuid}", "x").replace("{id}", "x"))[0]
                want = 200 if path in ("/healthz", "/readyz") else 400 if (method, path) == ("post", "/v1/session") else 401  # signing in without a body
                assert status == want, (method, path, status)


def test_docs_curl(tandem, door, tmp_path):
    """Every curl line of docs/http.md does what it says there."""
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    doc = (t.TOP / "docs/http.md").read_text()
    examples = re.findall(r"^\$ (curl (?:.*\\\n)*.*)\n((?:(?!\$ |```).*\n)*)", doc, re.M)
    assert len(examples) >= 8
    names = {}
    for command, says in examples:
        command = command.replace("127.0.0.1:8090", f"127.0.0.1:{tandem.http_port}").replace("instance/", f"{tandem.root}/")
        for k, v in names.items():
            command = command.replace(k, v)
        stream = "/v1/events" in command
        got = subprocess.run(["bash", "-c", command.replace("curl ", "curl -sS -m 3 " if stream else "curl -sS -m 20 ", 1)],
                             capture_output=True, text=True, timeout=30)
        assert got.returncode == (28 if stream else 0), (command, got)
        want = says.strip()
        pattern = re.escape(want).replace(re.escape("..."), "(.*)")
        found = re.search(pattern, got.stdout, re.S)
        assert found or not want, (command, want, got.stdout)
        for key in ("uuid", "job"):
            m = re.search(rf'"{key}":"([0-9a-f-]{{36}})"', got.stdout)
            if m and f"{key.upper()}" in doc:
                names[key.upper()] = m.group(1)
    tandem.wait_calls(0)


def test_commands_are_bounded(fresh):
    """More commands than may run are told to come again; and those outside the access list are not talked to."""
    settings(fresh, max_running_commands="2")
    fresh.start()
    door = Door(fresh)
    jobs = [door.post("/v1/jobs", {"command": "msleep", "args": "60000"}, 202)["job"] for _ in range(2)]
    for path, body in (("/v1/commands/echo", {"args": "x"}), ("/v1/jobs", {"command": "echo"})):
        status, headers, _ = door.call("POST", path, body)
        assert status == 503 and headers["Retry-After"] == "1", path
    assert door.get(f"/v1/jobs/{jobs[0]}")["state"] == "running"


def test_access_list(fresh):
    settings(fresh, apply_inbound_acl="rfc1918.auto")
    fresh.start()
    s = Door(fresh).raw()
    assert s.recv(1) == b""
    s.close()
    assert "1 refused" in fresh.api("http status")


def test_rtp_loss_in_metrics(tandem, door):
    """A phone sends 20 packets to echo and leaves out 5: so many are counted as missed when the call is over."""
    def counted(name):
        return float(re.search(rf"^{name} (\S+)$", door.get("/metrics").decode(), re.M).group(1))
    before = counted("tandem_rtp_lost_packets_total"), counted("tandem_rtp_received_packets_total"), counted("tandem_rtp_jitter_seconds_count")
    phone = Phone(tandem, "1000")
    phone.register()
    phone.invite("9196")
    phone.answered()
    for seq in [*range(10), *range(15, 25)]:
        phone.media.sendto(struct.pack("!BBHII", 0x80, 0, seq, seq * 160, 7) + b"\xff" * 160, ("127.0.0.1", phone.remote_rtp))
        phone.media.recv(2000)  # heard again: it was taken in
    assert 'tandem_sip_profile_calls{profile="internal"} 1\n' in door.get("/metrics").decode()
    phone.bye()
    tandem.wait_calls(0)
    after = counted("tandem_rtp_lost_packets_total"), counted("tandem_rtp_received_packets_total"), counted("tandem_rtp_jitter_seconds_count")
    assert after == (before[0] + 5, before[1] + 20, before[2] + 1)
    phone.close()
