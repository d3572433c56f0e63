"""What test_lossy_signalling.py runs in a network namespace of its own (unshare -n): a switch, SIPp on both sides, and a network that
loses. Prints what came of it as JSON. Arguments: the scene, an empty directory."""
import json
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import tandem as t  # noqa: E402
from calls import extension  # noqa: E402

CALLS, HOLE_CALLS = 20, 50


def run(*args, check=True, **kw):
    return subprocess.run(args, check=check, capture_output=True, text=True, **kw)


def nft(rules):
    run("nft", "-f", "-", input="table inet lossy {\nchain in {\ntype filter hook input priority 0;\n" + rules + "\n}\n}\n")


def switch(where, *rows, patience_ms=32000):
    """patience_ms: how long a request is repeated."""
    sw = t.Tandem(Path(where) / "instance", "conf")
    path = sw.root / "conf/sip_profiles/external.xml"
    path.write_text(path.read_text().replace("<settings>", '<settings>\n<param name="timer-T1X64" value="%d"/>' % patience_ms, 1))
    (sw.root / "conf/dialplan/public").mkdir(exist_ok=True)
    (sw.root / "conf/dialplan/public/lossy.xml").write_text("\n".join(["<include>", *rows, "</include>"]))
    return sw.start()


def counts(sw):
    """Sessions since the start."""
    return int(re.search(r"(\d+) session\(s\) since startup", sw.api("status")).group(1))


def sipp(where, name, *args):
    return subprocess.Popen(["sipp", "-nostdin", "-i", "127.0.0.1", "-timeout", "90", "-timeout_error", *args],
                            cwd=where, stdout=open(f"{where}/{name}.txt", "w"), stderr=subprocess.STDOUT)


def sipp_calls(sw, where, port, uas_port):
    """Calls through the switch from SIPp to SIPp; (exit codes, sessions)."""
    before = counts(sw)
    uas = sipp(where, "uas", "-sn", "uas", "-p", str(uas_port), "-m", str(CALLS))
    uac = sipp(where, "uac", "-sn", "uac", "-s", "77", "-p", str(t.free_port(2)), "-m", str(CALLS), "-r", "10", "-d", "300",
               f"127.0.0.1:{port}")
    codes = [uac.wait(120)]
    try:
        codes.append(uas.wait(60))
    except subprocess.TimeoutExpired:
        uas.kill()
        codes.append(uas.wait())
    sw.wait_calls(0, timeout=60)
    return {"codes": codes, "sessions": counts(sw) - before}


def scene_loss(where):
    """A fifth of all datagrams is lost, each way."""
    uas_port = t.free_port(2)
    sw = switch(where, extension("77", f"bridge sofia/external/svc@127.0.0.1:{uas_port}"))
    nft(f"udp dport {{ {sw.ext_port}, 10000-32767 }} numgen inc mod 5 == 0 counter drop")
    result = sipp_calls(sw, where, sw.ext_port, uas_port)
    result["dropped"] = int(re.search(r"counter packets (\d+)", run("nft", "list", "ruleset").stdout).group(1))
    sw.stop()
    return result


def scene_black_hole(where):
    """One peer answers nothing, not even that it is not there: calls to it end in time, others do not wait."""
    uas_port, hole = t.free_port(2), t.free_port()
    sw = switch(where, extension("77", f"bridge sofia/external/svc@127.0.0.1:{uas_port}"),
                extension("78", f"bridge sofia/external/svc@127.0.0.1:{hole}"), patience_ms=12000)
    nft(f"udp dport {hole} drop")
    for _ in range(HOLE_CALLS):
        sw.api(f"bgapi originate sofia/external/x@127.0.0.1:{hole} &park")
    result = sipp_calls(sw, where, sw.ext_port, uas_port)
    sw.wait_calls(0, timeout=60)
    sw.stop()
    return result


def main():
    run("ip", "link", "set", "lo", "up")
    print(json.dumps({"loss": scene_loss, "black_hole": scene_black_hole}[sys.argv[1]](sys.argv[2])))


if __name__ == "__main__":
    main()
