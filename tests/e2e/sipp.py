"""SIPp scenarios written as Python lists, and SIPp processes.

A scenario is a list of steps: send(...), recv(...), pause(...). SIPp's exit code says whether every message came in order.
"""
import subprocess
import tempfile
import time
from pathlib import Path

from tandem import free_port

SDP = """v=0
o=user1 53655765 {version} IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio [auto_media_port] RTP/AVP {formats}
{maps}a=ptime:20
a={direction}
"""
MAPS = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 18: "G729/8000", 101: "telephone-event/8000"}


def sdp(formats=(0, 101), direction="sendrecv", version=1):
    maps = "".join(f"a=rtpmap:{f} {MAPS[f]}\n" for f in formats)
    return SDP.format(formats=" ".join(map(str, formats)), maps=maps, direction=direction, version=version)


def send(text, retrans=500, start_txn=None, next_=None, extra=""):
    body = text.strip("\n")
    r = f' retrans="{retrans}"' if retrans else ""
    return f"<send{r} {extra}><![CDATA[\n\n{body}\n\n]]></send>"


def recv(response=None, request=None, optional=False, auth=False, rrs=True, extra="", action=""):
    what = f'response="{response}"' if response else f'request="{request}"'
    opt = ' optional="true"' if optional else ""
    a = ' auth="true"' if auth else ""
    rr = ' rrs="true"' if rrs else ""
    return f"<recv {what}{opt}{a}{rr} {extra}>{action}</recv>"


def pause(ms):
    return f'<pause milliseconds="{ms}"/>'


def nop(action):
    return f"<nop><action>{action}</action></nop>"


HEAD = """Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:{user}@{domain}>;tag=[call_number]{user}
To: <sip:{to}@{domain}>{totag}
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
{extra}"""


# what a caller whose call is answered receives
ANSWERED = [recv(100, optional=True), recv(180, optional=True), recv(183, optional=True), recv(200)]


def request(method, user, to, domain="127.0.0.1", cseq=1, body="", extra="", totag="", uri=None):
    head = HEAD.format(user=user, to=to, domain=domain, cseq=cseq, method=method, extra=extra, totag=totag)
    tail = f"Content-Type: application/sdp\nContent-Length: [len]\n\n{body}" if body else "Content-Length: 0\n"
    return f"{method} {uri or f'sip:{to}@{domain}'} SIP/2.0\n{head}{tail}"


AUTH = "[authentication username={user} password={password}]\n"


def invite(user, password, to, body=None, domain="127.0.0.1", extra=""):
    """INVITE, the challenge, INVITE with the answer. What follows is the caller's."""
    body = sdp() if body is None else body
    return [
        send(request("INVITE", user, to, domain, 1, body, extra)),
        recv(100, optional=True),
        recv(407, auth=True),
        send(ack(user, to, domain, 1, back=3), retrans=0),
        send(request("INVITE", user, to, domain, 2, body, AUTH.format(user=user, password=password) + extra)),
    ]


def ack(user, to, domain="127.0.0.1", cseq=2, back=0):
    """ACK of a 2xx; with back, of another final response to the INVITE that stands so many messages before."""
    uri = f"sip:{to}@{domain}" if back else "[next_url]"
    text = request("ACK", user, to, domain, cseq, totag="[peer_tag_param]", uri=uri)
    return text.replace("[branch]", f"[branch-{back}]") if back else text.replace("Max-Forwards", "[routes]\nMax-Forwards")


def bye(user, to, domain="127.0.0.1", cseq=3):
    return request("BYE", user, to, domain, cseq, totag="[peer_tag_param]", uri="[next_url]").replace(
        "Max-Forwards", "[routes]\nMax-Forwards")


def register(user, password, domain="127.0.0.1", expires=300, final=200, contact=None, challenge=True, extra=""):
    def one(cseq, more=""):
        c = contact or f"<sip:{user}@[local_ip]:[local_port];transport=[transport]>"
        return (f"REGISTER sip:{domain} SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
                f"From: <sip:{user}@{domain}>;tag=[call_number]r\nTo: <sip:{user}@{domain}>\nCall-ID: [call_id]\n"
                f"CSeq: {cseq} REGISTER\nContact: {c}\nExpires: {expires}\nMax-Forwards: 70\nUser-Agent: sipp\n{extra}{more}"
                "Content-Length: 0\n")
    steps = [send(one(1))]
    if challenge:
        steps += [recv(401, auth=True), send(one(2, AUTH.format(user=user, password=password)))]
    return steps + [recv(final)]


ECHO = "[last_Via:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n[last_CSeq:]\n[last_Record-Route:]\n"


def reply(code, reason, body="", tag=";tag=[call_number]uas", extra="", retrans=0):
    head = ECHO.format(tag=tag) + f"Contact: <sip:uas@[local_ip]:[local_port];transport=[transport]>\n{extra}"
    tail = f"Content-Type: application/sdp\nContent-Length: [len]\n\n{body}" if body else "Content-Length: 0\n"
    return send(f"SIP/2.0 {code} {reason}\n{head}{tail}", retrans=retrans)


def uas_answer(ring_ms=100, body=None, keeps_peer=False):
    """Rings, answers, waits for the ACK. keeps_peer: remembers who called, for bye_from_b."""
    peer = ('<action><ereg regexp=".*" search_in="hdr" header="From:" assign_to="peer"/></action>' if keeps_peer else "")
    return [recv(request="INVITE", action=peer), reply(180, "Ringing"), pause(ring_ms), reply(200, "OK", body or sdp(), retrans=500),
            recv(request="ACK")]


def bye_from_b():
    return ("BYE [next_url] SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
            "From: <sip:uas@127.0.0.1>;tag=[call_number]uas\nTo:[$peer]\nCall-ID: [call_id]\nCSeq: 1 BYE\n"
            "Max-Forwards: 70\nContent-Length: 0\n")


class Sipp:
    def __init__(self, switch, steps, calls=1, rate=10, transport="u1", port=None, args=(), target=None, limit=None, timeout=20):
        self.dir = Path(tempfile.mkdtemp(prefix="sipp-", dir=switch.root))
        name = self.dir / "scenario.xml"
        name.write_text('<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="s">\n' + "\n".join(steps) + "\n</scenario>\n")
        self.port = port or free_port()
        self.media_port = free_port(count=4)
        uac = "<send" in steps[0]
        cmd = ["sipp", "-sf", str(name), "-i", "127.0.0.1", "-p", str(self.port), "-mp", str(self.media_port), "-t", transport,
               "-m", str(calls), "-r", str(rate), "-l", str(limit or 1000), "-timeout", str(timeout), "-timeout_error", "-nostdin",
               "-trace_err", "-trace_msg", "-error_file", str(self.dir / "errors.log"), "-message_file", str(self.dir / "messages.log"),
               "-fd", "1", "-bg" if False else "-nd", *map(str, args)]
        if uac:
            cmd.append(target or f"127.0.0.1:{switch.sip_port}")
        self.cmd = cmd
        self.proc = subprocess.Popen(cmd, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=open(self.dir / "out.txt", "wb"),
                                     stderr=subprocess.STDOUT)

    def tell(self):
        parts = []
        for n in ("errors.log", "messages.log"):
            p = self.dir / n
            if p.exists():
                parts.append(p.read_text(errors="replace")[-6000:])
        return f"{' '.join(self.cmd)}\n" + "\n".join(parts)

    def wait(self, timeout=40):
        try:
            code = self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            raise AssertionError(f"sipp did not end\n{self.tell()}")
        assert code == 0, f"sipp exit {code}\n{self.tell()}"

    def messages(self):
        return (self.dir / "messages.log").read_text(errors="replace")

    def ready(self):
        """For a UAS: until its port is bound."""
        deadline = time.monotonic() + 5
        want = f":{self.port:04X}"
        while time.monotonic() < deadline:
            text = Path("/proc/net/udp").read_text() + Path("/proc/net/tcp").read_text()
            if any(want in line.split()[1] for line in text.split("\n")[1:] if line.strip() and ":" in line.split()[1]):
                return self
            time.sleep(0.02)
        raise AssertionError("sipp did not bind its port\n" + self.tell())


def register_as(switch, user, port, expires=300, transport="u1"):
    """Registers user from a port that a UAS will take next, and from nowhere else."""
    Sipp(switch, register(user, switch.passwords[user], switch.domain, 0, contact="*"), port=port, transport=transport).wait()
    Sipp(switch, register(user, switch.passwords[user], switch.domain, expires), port=port, transport=transport).wait()
    switch.wait_registered(user)
