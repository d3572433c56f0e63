"""Gateways against the recordings sipx-gateways and sipx-gateway-pings of ../shared/golden: the same configuration, a registrar that
behaves as theirs did, the same commands; replies are compared line by line, events gateway by gateway."""
import difflib
import re
import socket
import threading
from urllib.parse import unquote

import pytest
import tandem as t
from recordings import GOLDEN, THEN, needs_recordings
from wire import Message, sdp

pytestmark = needs_recordings
REGISTRAR = 7005

GATEWAYS = {
    "dead": {"username": "lab", "password": "secret-pw", "realm": "127.0.0.1", "proxy": "127.0.0.1:9", "register": "true",
             "retry-seconds": "5", "expire-seconds": "60"},
    "live": {"username": "lab", "password": "secret-pw", "realm": "lab.example", "proxy": f"127.0.0.1:{REGISTRAR}", "register": "true",
             "retry-seconds": "5", "expire-seconds": "60", "ping": "2", "ping-max": "2", "caller-id-in-from": "true", "extension": "9124"},
    "noreg": {"username": "lab2", "password": "x", "proxy": f"127.0.0.1:{REGISTRAR}", "register": "false", "from-user": "fu",
              "from-domain": "fd.example", "extension-in-contact": "true", "contact-params": "lab=1"},
}

# ---- what legitimately differs: lines that only one side has, with the reason
DIFFERS = [
    (r"\(TLS\)", "no TLS there"),
    (r"^State +\t(TRYING|FAIL_WAIT|FAILED)$|<state>(TRYING|FAIL_WAIT)<|.state.:\s+.(TRYING|FAIL_WAIT)|<retry>|external::dead",
     "an ICMP error is no answer here: a dead registrar is TRYING until the timer; and FAILED is a state that passes at once, not after a second"),
]


class Registrar:
    """Registers with digest, or says 403; answers calls."""

    def __init__(self):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        self.mode = "auth"
        threading.Thread(target=self.run, daemon=True).start()

    def say(self, m, a, code, reason, extra="", body=""):
        tag = "" if "tag=" in m.get("To") or code == 100 else ";tag=r1"
        head = (f"SIP/2.0 {code} {reason}\r\n" + "".join(f"Via: {v}\r\n" for v in m.all("Via")) + f"From: {m.get('From')}\r\nTo: {m.get('To')}{tag}\r\n"
                f"Call-ID: {m.get('Call-ID')}\r\nCSeq: {m.get('CSeq')}\r\n{extra}" + ("Content-Type: application/sdp\r\n" if body else "")
                + f"Content-Length: {len(body)}\r\n\r\n")
        self.s.sendto((head + body).encode(), a)

    def run(self):
        while True:
            try:
                data, a = self.s.recvfrom(65536)
            except OSError:
                return
            m = Message(data.decode())
            if m.method == "REGISTER" and self.mode == "403":
                self.say(m, a, 403, "Forbidden")
            elif m.method == "REGISTER" and not m.get("Authorization"):
                self.say(m, a, 401, "Unauthorized", 'WWW-Authenticate: Digest realm="lab.example", nonce="abc123", algorithm=MD5, qop="auth"\r\n')
            elif m.method == "REGISTER":
                expires = "30" if m.get("Expires") != "0" else "0"
                self.say(m, a, 200, "OK", f"Contact: {m.get('Contact')};expires={expires}\r\n")
            elif m.method == "OPTIONS" and self.mode in ("auth", "503"):
                self.say(m, a, *((200, "OK") if self.mode == "auth" else (503, "Service Unavailable")))
            elif m.method == "INVITE":
                self.say(m, a, 200, "OK", f"Contact: <sip:reg@127.0.0.1:{self.port}>\r\n", sdp(9005))
            elif m.method == "BYE":
                self.say(m, a, 200, "OK")


def replies(name):
    parts = re.split(r"(?m)^\$ fs_cli -x '(.*)'\n", (GOLDEN / f"api/{name}.txt").read_text())
    return [(parts[i], parts[i + 1]) for i in range(1, len(parts), 2)]


def recorded_events(name):
    """{gateway: [(subclass, {header: value})]}"""
    out = {}
    for frame in re.findall(r"^Event-Subclass: .*?(?=\n\n)", (GOLDEN / f"esl/{name}.txt").read_text(), re.M | re.S):
        headers = dict(line.split(": ", 1) for line in frame.split("\n"))
        add(out, {k: unquote(v) for k, v in headers.items()})
    return out


def add(out, headers):
    keep = {k: v for k, v in headers.items() if k in ("State", "Ping-Status", "Phrase", "Status", "Register-Network-IP", "profile-name")}
    keep["has port"] = "Register-Network-Port" in headers
    out.setdefault(headers["Gateway"], []).append((headers["Event-Subclass"], keep))


def masked(text):
    text = text.replace("-ERR no reply", "")
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UUID", text)
    return [re.sub(r"[ \t]+", " ", re.sub(r"\d+(\.\d+)*", "#", line)).strip() for line in text.split("\n") if line.strip()]


class Play:
    def __init__(self, tmp, name, gateways, profiles):
        self.registrar = Registrar()
        self.sw = t.Tandem(tmp / "instance", "vanilla", **THEN)
        for profile in profiles:  # of other scenes, which `sofia status` showed
            (self.sw.root / f"conf/sip_profiles/{profile}.xml").write_text(
                f'<profile name="{profile}"><settings><param name="sip-ip" value="127.0.0.1"/><param name="rtp-ip" value="127.0.0.1"/>'
                f'<param name="sip-port" value="{t.free_port()}"/></settings></profile>')
        self.sw.start()
        self.events, self.same, self.total, self.rest = {}, 0, 0, []
        self.esl = self.sw.esl()
        self.esl.subscribe("CUSTOM sofia::gateway_state sofia::gateway_add sofia::gateway_delete")
        text = "".join(f'<gateway name="{g}">' + "".join(f'<param name="{k}" value="{v}"/>' for k, v in p.items()) + "</gateway>"
                       for g, p in gateways.items()).replace(str(REGISTRAR), str(self.registrar.port))
        self.path = self.sw.root / "conf/sip_profiles/external/lab.xml"
        self.path.write_text(f"<include>{text}</include>")
        self.recorded = replies(name)

    def close(self):
        self.esl.close()
        self.sw.stop()
        self.registrar.s.close()

    def take(self, count=None, until=None):
        """So many events, or to the one that fits."""
        while count is None or count > 0:
            e = self.esl.wait_event("CUSTOM", timeout=40)
            add(self.events, e)
            count = None if count is None else count - 1
            if until and until.items() <= e.items():
                return

    def run(self, command, only=None):
        """The next recorded command, which is this one; its reply is compared."""
        recorded, want = self.recorded.pop(0)
        assert recorded == command, (recorded, command)
        got = self.sw.api(command)
        a, b = masked(want), masked(got)
        if command == "sofia status":  # profiles are listed by name, theirs as chance had it
            a, b = sorted(a), sorted(b)
        if only:
            a, b = only(a), only(b)
        match = difflib.SequenceMatcher(None, a, b, autojunk=False)
        for op, i, j, k, l in match.get_opcodes():
            if op == "equal":
                self.same += j - i
                self.total += j - i
                continue
            for line in a[i:j] + b[k:l]:
                raw = [x for x in (want + "\n" + got).split("\n") if masked(x) == [line]]
                why = next((r for p, r in DIFFERS if any(re.search(p, x) for x in raw)), None)
                self.total += 1
                self.rest.append((command, line, why))


def of_gateways(lines):
    """Of jsonstatus the block of the gateways."""
    begin = lines.index('"gateways": {')
    return lines[begin:lines.index("},", lines.index('"example.com": {', begin))]


def judge(play, least=0.95):
    unknown = [r for r in play.rest if not r[2]]
    assert not unknown, "\n".join(map(str, unknown))
    print(f"{play.same} of {play.total} lines are equal", *play.rest, sep="\n")
    assert play.same / play.total >= least, f"{play.same} of {play.total}:\n" + "\n".join(map(str, play.rest))


def test_gateways(tmp_path):
    play = Play(tmp_path, "sipx-gateways", GATEWAYS, ("pres", "pcc", "rel"))
    try:
        gateways_scene(play)
    finally:
        play.close()
    judge(play)
    want = recorded_events("sipx-gateways")
    live = [e for e in play.events["live"] if e[1].get("State") != "FAIL_WAIT"]  # theirs was registered anew before
    theirs = [e for e in want["live"]]
    for i, (subclass, headers) in enumerate(theirs):  # registered, unregistered, registered anew, refused, registered, deleted
        if i == 7 and live[i][1].get("State") == "REGED":  # ours passes REGISTER at once, theirs was asked again within that second
            live.pop(i)
        got = dict(live[i][1])
        if headers.get("State") in ("TRYING", "REGISTER") and got.get("State") == headers["State"]:
            got["Ping-Status"] = headers["Ping-Status"]  # UP while a registered one registers anew
        assert (live[i][0], got) == (subclass, headers), (i, live, theirs)
    assert play.events["noreg"] == want["noreg"]
    assert [e for e in play.events["dead"] if e[1].get("State") == "TRYING"][0] == next(e for e in want["dead"] if e[1].get("State") == "TRYING")


def gateways_scene(play):
    sw, registrar = play.sw, play.registrar
    play.run("sofia profile external rescan")
    play.take(until={"Gateway": "live", "State": "REGED"})
    for command in ("sofia status", "sofia status gateway", "sofia status gateway live", "sofia status gateway dead", "sofia status gateway noreg",
                    "sofia xmlstatus gateway", "sofia xmlstatus gateway live"):
        play.run(command)
    play.run("sofia jsonstatus gateway", of_gateways)
    for command in ("sofia status gateway down", "sofia status gateway up", "sofia gateway", "sofia gateway live", "sofia profile external gwlist",
                    "sofia profile external gwlist up", "sofia profile external gwlist down", "sofia_gateway_data",
                    "sofia_gateway_data live ivar extension", "sofia_gateway_data live param extension", "sofia_gateway_data live var x",
                    "sofia_gateway_data nosuch var x", "originate sofia/gateway/dead/123 &park", "originate sofia/gateway/noreg/123 &park"):
        play.run(command)
    sw.api("hupall")
    sw.wait_calls(0)
    play.run("originate {origination_caller_id_number=99}sofia/gateway/live/555 &park")
    sw.api("hupall")
    sw.wait_calls(0)
    play.run("sofia profile external unregister live")
    play.take(until={"Gateway": "live", "State": "DOWN"})
    play.run("sofia status gateway live")
    play.run("sofia profile external register live")
    play.take(until={"Gateway": "live", "State": "REGED"})
    registrar.mode = "403"
    play.run("sofia profile external register live")
    play.take(until={"Gateway": "live", "State": "FAIL_WAIT"})
    play.run("sofia status gateway live")
    registrar.mode = "noping"
    play.run("sofia profile external register live")
    play.take(until={"Gateway": "live", "State": "REGED"})
    play.run("sofia status gateway live")
    play.run("originate sofia/gateway/live/555 &park")
    sw.api("hupall")
    sw.wait_calls(0)
    registrar.mode = "auth"
    play.run("sofia status gateway live")
    play.run("sofia profile external register nosuch")
    before = {g: len(e) for g, e in play.events.items()}
    play.run("sofia profile external register all")
    play.take(until={"Gateway": "live", "State": "REGED"})
    for g in play.events:  # theirs were marked for deletion before they did anything
        play.events[g][before.get(g, 0):] = []
    for command in ("sofia profile external killgw", "sofia profile external killgw nosuch", "sofia profile external killgw live",
                    "sofia status gateway live", "sofia profile external killgw dead", "sofia profile external killgw noreg",
                    "sofia profile external killgw _all_", "sofia status"):
        play.run(command)
    play.take(until={"Gateway": "noreg", "Event-Subclass": "sofia::gateway_delete"})
    assert not play.recorded


def test_pings(tmp_path):
    """Answered, refused, answered again, with the recorded five seconds between them."""
    name = "sipx-gateway-pings"
    play = Play(tmp_path, name, {"pinged": {"username": "lab", "password": "x", "proxy": f"127.0.0.1:{REGISTRAR}", "register": "false", "ping": "5",
                                            "ping-min": "1", "ping-max": "2"}}, ("sla", "pres", "pcc", "rel"))
    try:
        pings_scene(play)
    finally:
        play.close()
    judge(play)
    assert play.events["pinged"] == recorded_events(name)["pinged"]


def pinged(sw, state):
    while f"PingState\t{state}\n" not in sw.api("sofia status gateway pinged"):
        threading.Event().wait(0.05)


def pings_scene(play):
    sw, registrar = play.sw, play.registrar
    sw.api("sofia profile external rescan")
    pinged(sw, "1/2/2")
    play.run("sofia status gateway pinged")
    registrar.mode = "503"
    play.take(until={"Gateway": "pinged", "Ping-Status": "DOWN"})
    for command in ("sofia status gateway pinged", "sofia status", "originate sofia/gateway/pinged/1 &park", "sofia status gateway pinged"):
        play.run(command)
    registrar.mode = "auth"
    play.take(until={"Gateway": "pinged", "Ping-Status": "UP"})
    pinged(sw, "1/2/2")
    play.run("sofia status gateway pinged")
    play.run("sofia profile external killgw pinged")
    play.take(until={"Gateway": "pinged", "Event-Subclass": "sofia::gateway_delete"})
    assert not play.recorded
