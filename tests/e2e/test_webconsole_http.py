"""What the switch grants the web console: sessions, roles, cross-site requests, guessing, files; all without a browser."""
import concurrent.futures
import http.client
import json
import re
import socket
import time

import pytest
import web_console
from calls import bridged, ended
from http_client import Door, read_response
from web_console import Session

import tandem as t

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    (folder / "assets").mkdir()
    (folder / "index.html").write_text("<!doctype html><title>x</title>")
    (folder / "assets/a-1.js").write_text("1;" * 1000)
    (folder / "assets/a-1.js.gz").write_bytes(b"\x1f\x8bpacked")
    (folder / "assets/secret").symlink_to("/etc/passwd")
    (folder / "assets/out.js").symlink_to("/etc/passwd")
    s = t.Tandem(tmp_path_factory.mktemp("console") / "instance")
    web_console.roles_write(s)
    web_console.console_dir_write(s, folder)
    s.folder = folder
    s.start()
    yield s
    s.stop()


def test_sign_in_and_out(sw):
    s = Session(sw, "1001")
    assert (s.who["user"], s.who["domain"], s.who["role"]) == ("1001", sw.domain, "operator")
    assert s.get("/v1/session")["role"] == "operator" and s.get("/v1/status")["version"]
    nobody = Door(sw, "")
    for body in ({"user": "1001", "password": "wrong"}, {"user": "1004", "password": sw.passwords["1004"]},  # he has no role
                 {"user": "nobody", "password": "x"}):
        assert nobody.call("POST", "/v1/session", body)[0] == 401
    for body in ({}, {"user": "1001"}, {"user": "", "password": "x"}, {"user": "x" * 500, "password": "y"}, {"user": "1001", "password": "y" * 5000}, {"user": 1, "password": 2}):
        assert nobody.call("POST", "/v1/session", body)[0] == 400, body
    raw = nobody.raw()  # nothing long is read of who is nobody yet
    raw.sendall(b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n")
    assert read_response(raw)[0] == 413
    raw.close()
    raw = nobody.raw()
    raw.sendall(b"POST /v1/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert read_response(raw)[0] == 413
    raw.close()
    assert s.call("DELETE", "/v1/session")[0] == 204
    assert s.call("GET", "/v1/session")[0] == 401
    token = Session.__new__(Session)
    Door.__init__(token, sw, "")
    token.cookie = None
    status, headers, token.who = token.call("POST", "/v1/session", {"token": Door(sw).token})
    assert status == 201 and token.who["role"] == "admin" and token.who["user"] == ""
    token.cookie = headers["Set-Cookie"].split(";")[0]
    assert token.command("version")["status"] == "ok"
    assert token.call("POST", "/v1/dial", {"number": "9196"})[0] == 400  # no phone of his own


def routes(sw):
    got = Door(sw).get("/openapi.json")["paths"]
    return [(m.upper(), re.sub(r"\{\w+\}", "version", path)) for path, methods in got.items() for m in methods if m in ("get", "post", "delete")]


def test_nothing_without_a_session(sw):
    nobody = Door(sw, "")
    all_routes = routes(sw)
    assert len(all_routes) > 30
    for method, path in all_routes:
        if path in ("/healthz", "/readyz") or (method, path) == ("POST", "/v1/session"):
            continue
        assert nobody.call(method, path)[0] == 401, (method, path)
    assert nobody.call("GET", "/v1/status", headers={"Cookie": f"tandem_session_{sw.http_port}={'x' * 43}"})[0] == 401


@pytest.mark.parametrize("user,allowed,refused", [
    ("1000", [("GET", "/v1/log"), ("POST", "/v1/config/check"), ("POST", "/v1/commands/reloadxml"), ("GET", "/v1/recordings"), ("GET", "/v1/records")], []),
    ("1001", [("GET", "/v1/log"), ("GET", "/v1/recordings"), ("GET", "/v1/explain?context=default&number=9196"), ("GET", "/v1/mailbox?box=1000@127.0.0.1")],
     [("POST", "/v1/config/check"), ("POST", "/v1/commands/reloadxml"), ("POST", "/v1/commands/http")]),
    ("1002", [("GET", "/v1/phones"), ("GET", "/v1/channels"), ("GET", "/v1/mailbox"), ("GET", "/v1/parking")],
     [("GET", "/v1/log"), ("GET", "/v1/recordings"), ("GET", "/v1/records"), ("GET", "/v1/explain?context=default&number=1"), ("GET", "/v1/mailbox?box=1000@127.0.0.1"),
      ("POST", "/v1/commands/originate"), ("POST", "/v1/commands/uuid_kill"), ("POST", "/v1/config/check")]),
    ("1003", [("GET", "/v1/phones"), ("GET", "/v1/channels"), ("GET", "/metrics"), ("GET", "/v1/conferences")],
     [("GET", "/v1/log"), ("GET", "/v1/mailbox"), ("GET", "/v1/recordings"), ("POST", "/v1/dial"), ("POST", "/v1/commands/uuid_kill"), ("POST", "/v1/commands/originate"),
      ("POST", "/v1/config/check"), ("DELETE", "/v1/channels/x")]),
])
def test_roles(sw, user, allowed, refused):
    s = Session(sw, user)
    for method, path in allowed:
        assert s.call(method, path)[0] == 200, (method, path)
    for method, path in refused:
        body = {"number": "1"} if path == "/v1/dial" else None
        assert s.call(method, path, body)[0] == 403, (method, path)


def test_an_agent_has_his_own_calls_only(sw, phone):
    agent, boss = Session(sw, "1002"), Session(sw, "1001")
    a, b, c, d = phone("1002", hz=500), phone("1004", hz=600), phone("1005", hz=700), phone("1006", hz=800)
    bridged(a, b, "1004")
    bridged(c, d, "1006")
    legs = {r["name"].split("/")[2].split("@")[0]: r["uuid"] for r in boss.get("/v1/channels")["rows"]}
    for user in ("1005", "1006"):
        assert agent.call("DELETE", f"/v1/channels/{legs[user]}")[0] == 403
        assert agent.call("POST", f"/v1/channels/{legs[user]}/commands", {"command": "transfer", "args": "9196"})[0] == 403
    assert agent.call("POST", f"/v1/channels/{legs['1002']}/commands", {"command": "setvar", "args": "a b"})[0] == 403
    assert agent.call("POST", "/v1/dial", {"number": "9196", "phone": "1004"})[0] == 403
    assert agent.call("DELETE", f"/v1/channels/{legs['1004']}")[0] == 204  # whom his phone talks to
    ended(a), ended(b)
    assert boss.call("DELETE", f"/v1/channels/{legs['1005']}")[0] == 204
    ended(c), ended(d)


def test_cross_site(sw):
    s = Session(sw, "1000")
    own = f"http://127.0.0.1:{sw.http_port}"
    assert s.call("POST", "/v1/commands/version", csrf=False)[0] == 403
    assert s.call("POST", "/v1/commands/version", csrf=False, headers={"X-Tandem-CSRF": "x" * 32})[0] == 403
    assert s.call("POST", "/v1/commands/version", headers={"Origin": "http://evil.example"})[0] == 403
    assert s.call("POST", "/v1/commands/version", headers={"Origin": "null"})[0] == 403
    assert s.call("POST", "/v1/commands/version", headers={"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert s.call("GET", "/v1/channels", headers={"Sec-Fetch-Site": "same-site"})[0] == 403
    assert s.call("POST", "/v1/commands/version", headers={"Origin": own, "Sec-Fetch-Site": "same-origin"})[0] == 200
    # a form of another page cannot sign anybody in
    assert s.call("POST", "/v1/session", {"user": "1000", "password": sw.passwords["1000"]}, headers={"Origin": "http://evil.example"})[0] == 403
    c = http.client.HTTPConnection("127.0.0.1", sw.http_port, timeout=10)
    c.request("POST", "/v1/session", '{"user":"1000","password":"x"}', {"Content-Type": "text/plain"})
    assert c.getresponse().status == 415
    c.close()


def ws_status(sw, cookie, origin):
    with socket.create_connection(("127.0.0.1", sw.http_port), 10) as s:
        s.sendall((f"GET /v1/events/ws HTTP/1.1\r\nHost: 127.0.0.1:{sw.http_port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{cookie}{origin}\r\n").encode())
        return read_response(s, has_body=False)[0]


def test_websocket_origin(sw):
    s = Session(sw, "1003")
    cookie = f"Cookie: {s.cookie}\r\n"
    assert ws_status(sw, cookie, f"Origin: http://127.0.0.1:{sw.http_port}\r\n") == 101
    assert ws_status(sw, cookie, "Origin: http://evil.example\r\n") == 403
    assert ws_status(sw, cookie, "Origin: null\r\n") == 403
    assert ws_status(sw, cookie, f"Origin: http://127.0.0.1:{sw.http_port + 1}\r\n") == 403
    assert ws_status(sw, "", f"Origin: http://127.0.0.1:{sw.http_port}\r\n") == 401


def test_the_stream_ends_with_the_session(sw):
    s = Session(sw, "1003")
    raw = socket.create_connection(("127.0.0.1", sw.http_port), 10)
    raw.sendall(f"GET /v1/events?events=HEARTBEAT HTTP/1.1\r\nHost: x\r\nCookie: {s.cookie}\r\n\r\n".encode())
    assert b"200" in raw.recv(12)
    assert s.call("DELETE", "/v1/session")[0] == 204
    while raw.recv(4096):  # until it is closed
        pass
    raw.close()


def attempt(sw, address, user, password):
    """The status; 0 when the address is not let in at all."""
    try:
        c = http.client.HTTPConnection("127.0.0.1", sw.http_port, timeout=30, source_address=(address, 0))
        c.request("POST", "/v1/session", json.dumps({"user": user, "password": password}), {"Content-Type": "application/json"})
        status = c.getresponse().status
        c.close()
        return status
    except (OSError, http.client.HTTPException):
        return 0


def test_a_thousand_guesses(sw):
    """They lock their own address, even for the right password, and nobody else's."""
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        wrong = [pool.submit(attempt, sw, "127.0.0.9", "1000", f"guess{i}") for i in range(1000)]
        while sum(f.done() for f in wrong) < 500:
            assert time.monotonic() - start < 30
            time.sleep(0.01)
        right = attempt(sw, "127.0.0.9", "1000", sw.passwords["1000"])
        assert attempt(sw, "127.0.0.1", "1000", sw.passwords["1000"]) == 201
        got = [f.result() for f in wrong]
    assert right == 429
    assert set(got) <= {401, 429} and got.count(401) <= 60 and got.count(429) >= 940, (got.count(401), got.count(429))


def test_a_ban_closes_the_door(tmp_path_factory):
    """guard's part: an address outside ban.conf's allow is not let in any more."""
    s = t.Tandem(tmp_path_factory.mktemp("banned") / "instance")
    web_console.roles_write(s)
    p = s.root / "conf/autoload_configs/ban.conf.xml"
    p.write_text(re.sub(r'name="allow" value="[^"]*"', 'name="allow" value="127.0.0.1/32"', p.read_text()))
    s.start()
    try:
        got = [attempt(s, "127.0.0.9", "1000", "x") for _ in range(6)]
        assert got[:5] == [401] * 5 and attempt(s, "127.0.0.9", "1000", s.passwords["1000"]) in (0, 401, 429), got
        assert attempt(s, "127.0.0.1", "1000", s.passwords["1000"]) == 201
    finally:
        s.stop()


def test_files(sw):
    d = Door(sw, "")
    status, headers, body = d.call("GET", "/")
    assert status == 200 and headers["Content-Type"].startswith("text/html") and headers["Cache-Control"] == "no-cache"
    policy = headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert d.call("GET", "/", headers={"If-None-Match": headers["ETag"]})[0] == 304
    status, headers, body = d.call("GET", "/assets/a-1.js")
    assert status == 200 and body == b"1;" * 1000 and "immutable" in headers["Cache-Control"] and headers["X-Content-Type-Options"] == "nosniff"
    status, headers, body = d.call("GET", "/assets/a-1.js", headers={"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip" and body == b"\x1f\x8bpacked"
    for path in ("/assets/secret", "/assets/out.js", "/assets/../index.html", "/assets/%2e%2e%2findex.html", "/assets/..%2f..%2fetc%2fpasswd", "/../../etc/passwd", "/assets/",
                 "/assets/a-1.js.gz", "/index.html/../x", "/assets/%00", "//etc/passwd"):
        got = d.call("GET", path)
        assert got[0] in (400, 404) and b"root:" not in (got[2] if isinstance(got[2], bytes) else b""), (path, got)
    (sw.folder / "assets/b-2.css").write_text("a{}")
    assert d.call("GET", "/assets/b-2.css")[0] == 404
    assert sw.api("http console reload").startswith("+OK 3 file(s)")
    assert d.call("GET", "/assets/b-2.css")[2] == b"a{}"


def test_not_built(tandem):
    status, headers, body = Door(tandem, "").call("GET", "/")
    assert status == 503 and "The web console is not built." in body.decode() and "尚未构建" in body.decode()


def test_recordings_lie_below(sw):
    s = Session(sw, "1001")
    (sw.root / "recordings/a.wav").write_bytes(b"RIFF" + bytes(range(96)))
    (sw.root / "recordings/link.wav").symlink_to("/etc/passwd")
    (sw.root / "recordings/a.txt").write_text("no sound")
    status, headers, body = s.call("GET", "/v1/recordings/file?path=a.wav")
    assert status == 200 and headers["Content-Type"] == "audio/wav" and len(body) == 100
    status, headers, body = s.call("GET", "/v1/recordings/file?path=a.wav", headers={"Range": "bytes=4-7"})
    assert status == 206 and body == bytes(range(4)) and headers["Content-Range"] == "bytes 4-7/100"
    for path in ("link.wav", "a.txt", "../conf/vars.xml", "/etc/passwd", "../db/http_admin_token", "a.wav%00", "..%2f..%2fetc%2fpasswd", ""):
        assert s.call("GET", f"/v1/recordings/file?path={path}")[0] in (400, 404), path


def test_the_configuration_is_checked(sw):
    s = Session(sw, "1000")
    assert s.post("/v1/config/check") == {"starts": True, "text": f"{sw.root}/conf/freeswitch.xml: nothing wrong\n"}
    p = sw.root / "conf/dialplan/default/broken.xml"
    p.write_text("<include>\n<extension name='x'>\n</include>")
    got = s.post("/v1/config/check")
    assert re.search(r"default/broken\.xml:\d", got["text"]), got
    p.unlink()


def is_out(s, timeout=10):
    until = time.monotonic() + timeout
    while s.call("GET", "/v1/session")[0] == 200:
        assert time.monotonic() < until
        time.sleep(0.05)  # nothing tells of it
    return True


def test_who_changes_is_signed_out(sw):
    """After a reload the directory is asked what became of each."""
    reader, boss = Session(sw, "1003"), Session(sw, "1001")
    raw = socket.create_connection(("127.0.0.1", sw.http_port), 10)
    raw.sendall(f"GET /v1/events?events=HEARTBEAT HTTP/1.1\r\nHost: x\r\nCookie: {reader.cookie}\r\n\r\n".encode())
    assert b"200" in raw.recv(12)
    web_console.roles_write(sw, {"1003": "none"})
    assert sw.api("reloadxml").startswith("+OK")
    assert is_out(reader) and boss.get("/v1/session")
    while raw.recv(4096):  # his stream, too
        pass
    raw.close()
    web_console.roles_write(sw, {"1003": "read-only"})
    sw.api("reloadxml")
    assert Session(sw, "1003") and boss.get("/v1/session")


def test_a_revoked_token_ends_its_session(sw):
    token = sw.api("http token add gone operator").split()[1]
    by_token = Door(sw, "")
    status, headers, who = by_token.call("POST", "/v1/session", {"token": token})
    cookie = {"Cookie": headers["Set-Cookie"].split(";")[0]}
    assert by_token.call("GET", "/v1/session", headers=cookie)[0] == 200
    sw.api("http token revoke gone")
    assert by_token.call("GET", "/v1/session", headers=cookie)[0] == 401
    assert sw.api("http token add @x read").startswith("-ERR")


def test_click_to_dial(sw, phone):
    boss = Session(sw, "1001")
    p = phone("1005")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        got = pool.submit(boss.call, "POST", "/v1/dial", {"number": "9196", "phone": "1005"})
        p.take(ring=False)
        assert got.result(20)[0] == 201
    p.bye()
    other = phone("1003")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        got = pool.submit(boss.call, "POST", "/v1/dial", {"number": "1003", "phone": "1005"})
        p.take(ring=False)
        assert got.result(20)[0] == 201
    rings = other.expect(method="INVITE")
    assert "1005" in rings.get("From") and "sip:1003@" not in rings.get("From"), rings.get("From")
    other.reply(rings, 486, "Busy Here")
    for number in ("", "1 2", "9196 XML other", "${x}", "a'b", "{a=b}1", "1;2", 5):
        assert boss.call("POST", "/v1/dial", {"number": number, "phone": "1005"})[0] == 400, number
    assert boss.call("POST", "/v1/dial", {"number": "1", "phone": "1005,1006"})[0] == 400


def test_versions_are_locked():
    """Exact versions, each with its sum, and no address: any registry will do."""
    wanted = json.loads((t.TOP / "web/package.json").read_text())
    lock = json.loads((t.TOP / "web/package-lock.json").read_text())
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version) and lock["packages"][f"node_modules/{name}"]["version"] == version, name
    for name, p in lock["packages"].items():
        assert not name or ("integrity" in p and "resolved" not in p), name
