"""A browser (Chromium, JsSIP) with sound: it calls a SIP phone over secure WebSocket, holds, and is called; each hears the other."""
import shutil
import subprocess
from pathlib import Path

import pytest
from browser_sound import Lines, browser_switch, hears_beeps
from calls import extension
from talk import Talker

HERE = Path(__file__).parent
pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = browser_switch(tmp_path_factory.mktemp("browser") / "instance", extension("1001", "bridge user/1001"), extension("1003", "bridge user/1003"))
    yield s
    s.stop()


def test_browser_call(sw, modules, phone, tmp_path):
    browser = shutil.which("chromium")
    if not browser:
        pytest.skip("chromium is not installed")
    for script in ("chromium.mjs", "browser_call.mjs"):
        shutil.copy(HERE / script, modules)
    b = phone("1001")
    proc = subprocess.Popen(["node", "browser_call.mjs", browser, "https://pages.example/", f"wss://127.0.0.1:{sw.wss_port}", sw.domain, "1003",
                             sw.passwords["1003"], "1001", "1000", str(tmp_path / "profile")], cwd=modules, stdout=subprocess.PIPE, text=True)
    try:
        said = Lines(proc)
        said.wait("registered")
        req = b.expect(method="INVITE", timeout=20)
        assert "RTP/AVP" in req.body and "fingerprint" not in req.body
        b.reply(req, 180, "Ringing")
        from wire import sdp
        b.reply(req, 200, "OK", sdp(b.rtp_port))
        b.expect(method="ACK")
        b.enter(req)
        b.talk = Talker(b, 1000)
        hears_beeps(b.talk)
        b.reply(b.expect(method="BYE", timeout=40), 200, "OK")
        b.talk.stop()
        b.talk = None
        said.wait("ready")
        b.invite("1003")
        b.answered()
        b.talk = Talker(b, 1000)
        hears_beeps(b.talk)
        said.wait("heard")
        b.bye()
        result = said.wait("result")
        assert result["out"]["dtls"] == result["back"]["dtls"] == "connected", result
    finally:
        proc.terminate()
        proc.wait(20)
        proc.stdout.close()
