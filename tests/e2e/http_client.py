"""A client of the HTTP door for tests: requests with a token, server-sent events, raw connections."""
import http.client
import json
import re
import socket
import time


class Door:
    def __init__(self, sw, token=None):
        self.port = sw.http_port
        self.token = token if token is not None else (sw.root / "db/http_admin_token").read_text().strip()

    def raw(self, timeout=10):
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def call(self, method, path, body=None, headers=None, timeout=20):
        """(status, headers, body): JSON when it is."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        h = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            h["Content-Type"] = "application/json"
            body = json.dumps(body)
        c.request(method, path, body, {**h, **(headers or {})})
        r = c.getresponse()
        data = r.read()
        c.close()
        if "json" in (r.getheader("Content-Type") or "") and data:
            data = json.loads(data)
        return r.status, dict(r.getheaders()), data

    def get(self, path, status=200, **kw):
        got = self.call("GET", path, **kw)
        assert got[0] == status, got
        return got[2]

    def post(self, path, body=None, status=200, **kw):
        got = self.call("POST", path, body, **kw)
        assert got[0] == status, got
        return got[2]

    def command(self, name, args=""):
        return self.post(f"/v1/commands/{name}", {"args": args})

    def events(self, query="", headers=None):
        return Events(self, query, headers)


class Events:
    """GET /v1/events, read event by event."""

    def __init__(self, door, query="", headers=None):
        self.conn = http.client.HTTPConnection("127.0.0.1", door.port, timeout=20)
        self.conn.request("GET", "/v1/events" + query, headers={"Authorization": f"Bearer {door.token}", **(headers or {})})
        self.response = self.conn.getresponse()
        assert self.response.status == 200, self.response.read()
        assert self.response.getheader("Content-Type") == "text/event-stream"
        assert self.response.readline() == b"retry: 2000\n" and self.response.readline() == b"\n"

    def next(self):
        """{id, event, data}; comments are passed over."""
        got = {}
        while True:
            line = self.response.readline().decode()
            if not line:
                raise EOFError("the stream ended")
            line = line.rstrip("\n")
            if not line and got:
                got["data"] = json.loads(got["data"])
                return got
            if line and not line.startswith(":"):
                k, _, v = line.partition(": ")
                got[k] = v

    def wait(self, name, timeout=15, **match):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            e = self.next()
            if e["event"] == name and all(e["data"].get(k.replace("_", "-")) == v for k, v in match.items()):
                return e
        raise AssertionError(f"no {name} {match}")

    def close(self):
        # the response holds the socket, too
        self.response.close()
        self.conn.close()


def read_response(s, has_body=True):
    """(status, headers, body) from a raw socket; b"" at its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        got = s.recv(1)
        if not got:
            return 0, {}, data
        data += got
    lines = data.decode().split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:] if line)}
    body = b""
    n = int(headers.get("content-length", 0)) if has_body else 0
    while len(body) < n:
        got = s.recv(n - len(body))
        if not got:
            break
        body += got
    return int(lines[0].split()[1]), headers, body


def settings(sw, **params):
    """Params of http.conf replaced before the start."""
    p = sw.root / "conf/autoload_configs/http.conf.xml"
    text = p.read_text()
    for name, value in params.items():
        name = name.replace("_", "-")
        text, n = re.subn(rf'<param name="{name}" value="[^"]*"/>', f'<param name="{name}" value="{value}"/>', text)
        assert n == 1, name
    p.write_text(text)
