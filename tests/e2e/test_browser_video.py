"""Two browsers (Chromium, JsSIP) with their fake cameras call each other through the switch: each decodes the other's pictures, and hears it."""
import shutil
import subprocess

import pytest
from browser_sound import Lines, browser_switch
from calls import extension
from test_browser_call import HERE

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = browser_switch(tmp_path_factory.mktemp("browservideo") / "instance", extension("1001", "bridge user/1001"), extension("1003", "bridge user/1003"),
                       codecs="PCMU,PCMA,OPUS,G722,VP8,VP9,H264")
    yield s
    s.stop()


@pytest.mark.parametrize("codec,policy", [("VP8", "balanced"), ("H264", "max-bundle")])
def test_two_browsers_see_each_other(sw, modules, tmp_path, codec, policy):
    browser = shutil.which("chromium")
    if not browser:
        pytest.skip("chromium is not installed")
    for script in ("chromium.mjs", "browser_video.mjs"):
        shutil.copy(HERE / script, modules)
    proc = subprocess.Popen(["node", "browser_video.mjs", browser, "https://pages.example/", f"wss://127.0.0.1:{sw.wss_port}", sw.domain, "1003",
                             sw.passwords["1003"], "1001", sw.passwords["1001"], codec, policy, str(tmp_path / "profile")],
                            cwd=modules, stdout=subprocess.PIPE, text=True)
    try:
        result = Lines(proc).wait("result", 80)
        for one in result["seen"] + result["after"]:
            assert one["codec"] == f"video/{codec}" and one["width"] and set(one["dtls"]) == {"connected"}, result
        sw.wait_calls(0)
    finally:
        proc.terminate()
        proc.wait(20)
        proc.stdout.close()
