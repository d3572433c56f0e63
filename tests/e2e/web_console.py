"""The web console under test: a switch whose users have roles, and a browser that does what it is told."""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import npm_modules
import tandem as t
from http_client import Door

HERE = Path(__file__).resolve().parent
OUT = t.TOP / "build/console"
ROLES = {"1000": "admin", "1001": "supervisor", "1002": "agent", "1003": "read-only"}


def built():
    """The folder of the built console; skips where it cannot be built."""
    got = subprocess.run([t.TOP / "tools/build-console", OUT], capture_output=True, text=True)
    if not (OUT / "index.html").exists():
        pytest.skip(f"the web console is not built here: {got.stderr.strip()}")
    return OUT


def roles_write(sw, roles=None):
    p = sw.root / "conf/directory/default.xml"
    text = p.read_text()
    for user, role in (ROLES if roles is None else roles).items():
        text, n = re.subn(rf'(<user id="{user}">\s*<params>)(\s*<param name="console-role"[^>]*>)?', rf'\1<param name="console-role" value="{role}"/>', text)
        assert n == 1, user
    p.write_text(text)


def console_dir_write(sw, folder):
    setting_write(sw, "console-dir", folder)


def setting_write(sw, name, value):
    p = sw.root / "conf/autoload_configs/http.conf.xml"
    p.write_text(p.read_text().replace("<settings>", f'<settings><param name="{name}" value="{value}"/>', 1))


def phone_write(sw):
    """The browser phone, at sw.ws_port."""
    p = sw.root / "conf/sip_profiles/internal.xml"
    p.write_text(p.read_text().replace("<settings>", '<settings>\n<param name="apply-candidate-acl" value="loopback.auto"/>'
                                       f'\n<param name="ws-binding" value=":{sw.ws_port}"/>', 1))
    setting_write(sw, "phone-url", f"ws://127.0.0.1:{sw.ws_port}")


class Session(Door):
    """One who signed in."""

    def __init__(self, sw, user, password=None):
        super().__init__(sw, "")
        self.cookie = None
        status, headers, self.who = self.call("POST", "/v1/session", {"user": user, "password": password or sw.passwords[user]})
        assert status == 201, self.who
        self.cookie, *attributes = [p.strip() for p in headers["Set-Cookie"].split(";")]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)

    def call(self, method, path, body=None, headers=None, timeout=20, csrf=True):
        h = {}
        if getattr(self, "cookie", None):
            h["Cookie"] = self.cookie
            if csrf and method != "GET":
                h["X-Tandem-CSRF"] = self.who["csrf"]
        return super().call(method, path, body, {**h, **(headers or {})}, timeout)


class Page:
    def __init__(self, sw, folder):
        browser = shutil.which("chromium")
        if not browser or not shutil.which("node"):
            pytest.skip("chromium and node are not installed")
        why = npm_modules.install()
        if why:
            pytest.skip(why)
        folder.mkdir()
        (folder / "node_modules").symlink_to(npm_modules.CACHE / "node_modules")
        for script in ("chromium.mjs", "web_page.mjs"):
            shutil.copy(HERE / script, folder)
        self.proc = subprocess.Popen(["node", "web_page.mjs", browser, f"http://127.0.0.1:{sw.http_port}", str(folder / "profile")], cwd=folder,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._read()["ok"] == "ready"

    def _read(self):
        line = self.proc.stdout.readline()
        assert line, "the browser ended"
        return json.loads(line)

    def do(self, op, **how):
        self.proc.stdin.write(json.dumps({"op": op, **how}) + "\n")
        self.proc.stdin.flush()
        got = self._read()
        assert "ok" in got, (op, how, got)
        return got["ok"]

    def __getattr__(self, op):
        return lambda **how: self.do(op, **how)

    def sign_in(self, user, password):
        self.goto(path="/")
        self.wait(at="input[name=user]")
        self.fill(at="input[name=user]", text=user)
        self.fill(at="input[name=password]", text=password)
        self.click(at=".sign-in button:not(.quiet)")

    def sign_out(self):
        self.click(at="button[name=signout]")
        self.wait(at="input[name=user]")

    def shot_keep(self, name):
        """Kept beside the build, as an artefact of the run."""
        folder = Path(os.environ.get("TANDEM_SHOTS", t.TOP / "build/screenshots"))
        folder.mkdir(parents=True, exist_ok=True)
        self.shot(file=str(folder / f"{name}.png"))

    def close(self):
        self.proc.stdin.close()
        try:
            self.proc.wait(20)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
        self.proc.stdout.close()
