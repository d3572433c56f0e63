"""What test_browser_fec.py runs: a switch that agrees to RED with ULPFEC and two browsers that see each other, where a share of the
datagrams is lost (then in a network namespace of its own). Prints what came of it as JSON. Arguments: per cent, an empty directory, node modules."""
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from browser_sound import Lines, browser_switch  # noqa: E402
from calls import extension  # noqa: E402
from lossy_scene import nft, run  # noqa: E402


def main(loss, where, modules):
    if loss:
        run("ip", "link", "set", "lo", "up")
    sw = browser_switch(Path(where) / "instance", extension("7800", "export rtp_video_red=true", "export rtp_audio_red=true", "bridge user/1001"),
                        extension("7801", "export rtp_video_red=true", "set rtp_audio_red=true", "bridge user/1001"), codecs="OPUS,PCMU,VP8")
    for script in ("chromium.mjs", "browser_video.mjs"):
        shutil.copy(HERE / script, modules)
    if loss:  # of what the browsers send to the switch's ports
        nft(f"udp dport 10000-32767 udp length > 90 numgen random mod 100 < {loss} counter drop")
    events = sw.esl()
    events.subscribe("CHANNEL_HANGUP_COMPLETE")
    proc = subprocess.Popen(["node", "browser_video.mjs", shutil.which("chromium"), "https://pages.example/", f"wss://127.0.0.1:{sw.wss_port}", sw.domain,
                             "1003", sw.passwords["1003"], "1001", sw.passwords["1001"], "VP8,red,ulpfec" + ",-nack" * bool(loss), "balanced", f"{where}/profile",
                             *(("7801", "2") if loss else ("7800", "0"))], cwd=modules, stdout=subprocess.PIPE, text=True)
    try:
        result = Lines(proc).wait("result", 90)
        ends = [events.wait_event("CHANNEL_HANGUP_COMPLETE", timeout=10) for _ in range(2)]
        result["legs"] = [{k.removeprefix("variable_rtp_"): v for k, v in e.items() if re.match("variable_rtp_(video|audio)_", k)} for e in ends]
        sw.wait_calls(0)
    finally:
        proc.terminate()
        proc.wait(20)
        proc.stdout.close()
    if loss:
        result["dropped"] = int(re.search(r"counter packets (\d+)", run("nft", "list", "ruleset").stdout).group(1))
    sw.stop()
    print(json.dumps(result))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
