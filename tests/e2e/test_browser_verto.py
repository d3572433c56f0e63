"""A client of mod_verto that others wrote (vertojs of npm), in Chromium with sound: it calls a SIP phone, holds, and is called; each hears the other."""
import shutil
import subprocess
from pathlib import Path

import pytest
from browser_sound import Lines, hears_beeps
from calls import accept, cancelled, talks
from test_verto import sw  # noqa: F401

HERE = Path(__file__).parent
pytestmark = pytest.mark.leaks


def test_vertojs(sw, modules, phone, tmp_path):  # noqa: F811
    browser = shutil.which("chromium")
    if not browser:
        pytest.skip("chromium is not installed")
    for script in ("chromium.mjs", "browser_verto.mjs"):
        shutil.copy(HERE / script, modules)
    a = phone("1000", hz=1000)
    proc = subprocess.Popen(["node", "browser_verto.mjs", browser, "https://pages.example/", f"wss://127.0.0.1:{sw.wss}/", "1010@127.0.0.1",
                             sw.passwords["1010"], "9100", "1000", str(tmp_path / "profile")], cwd=modules, stdout=subprocess.PIPE, text=True)
    try:
        said = Lines(proc)
        assert said.wait("in")  # and a wrong password was refused
        accept(a, a.expect(method="INVITE", timeout=20))
        hears_beeps(a.talk)
        said.wait("spoken")
        hears_beeps(a.talk)
        a.bye()
        a.talk.stop()
        a.talk = None
        invite = a.expect(method="INVITE", timeout=20)
        a.reply(invite, 180, "Ringing")
        cancelled(a, invite)  # given up by the page
        said.wait("ready")
        a.invite("9101")
        a.answered()
        talks(a)
        hears_beeps(a.talk)
        said.wait("heard")
        a.bye()
        assert said.wait("result") == {"from": "1000"}
    finally:
        proc.terminate()
        proc.wait(20)
        proc.stdout.close()
