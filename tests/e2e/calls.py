"""What tests do on calls and ask of them, one way each: extensions, dialling, digits, sound, who ended what, transfers. The phones are
wire.Phone, made by the fixture phone (conftest.py)."""
import re
import struct
import threading
import time

import numpy as np
from phones import tone_level
from talk import ULAW, Talker
from wire import Phone, sdp

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


# ---- the dialplan
def extension(number, *actions):
    """The XML of an extension; an action is its application and, behind a space, the arguments."""
    xml = "".join(f'<action application="{a.split(" ", 1)[0]}" data="{a.partition(" ")[2].replace("&", "&amp;")}"/>' for a in actions)
    return f'<extension name="{number}"><condition field="destination_number" expression="^{number}$">{xml}</condition></extension>'


def write_extensions(sw, extensions, name="tests"):
    """In the default context."""
    (sw.root / f"conf/dialplan/default/{name}.xml").write_text("\n".join(["<include>", *extensions, "</include>"]))


# ---- calls
def call(p, number):
    p.invite(number)
    p.answered()
    return p


def talks(*phones):
    """Each begins to say its tone."""
    for p in phones:
        if not p.talk:
            p.talk = Talker(p, p.hz)


def call_and_talk(p, number):
    talks(call(p, number))
    return p


def is_pair(p, q):
    """Each hears the other."""
    p.talk.hears(q.hz)
    q.talk.hears(p.hz)


def bridged(a, b, number):
    """a calls number, which rings b; both talk."""
    a.invite(number)
    b.take()
    a.answered()
    talks(a, b)
    is_pair(a, b)
    return a, b


def accept(p, invite):
    p.reply(invite, 200, "OK", sdp(p.rtp_port))
    p.expect(method="ACK")
    p.enter(invite)
    talks(p)


def ended(p, timeout=8):
    """Expects the BYE and answers it; the BYE."""
    bye = p.expect(method="BYE", timeout=timeout)
    p.reply(bye, 200, "OK")
    return bye


def cancelled(p, invite):
    """Expects the CANCEL of that INVITE and plays its part; the CANCEL."""
    cancel = p.expect(method="CANCEL")
    p.reply(cancel, 200, "OK", tag=False)
    p.reply(invite, 487, "Request Terminated")
    p.expect(method="ACK")
    return cancel


def uuid_of(sw, user, direction=None):
    """Of the leg whose name says this user."""
    text = sw.api("show channels as delim |")
    names, *rows = [r.split("|") for r in text.splitlines()]
    for row in rows:
        d = dict(zip(names, row))
        if f"/{user}@" in d.get("name", "") and direction in (None, d["direction"]):
            return d["uuid"]
    raise AssertionError(text)


def originate(sw, text):
    """The reply when it comes."""
    esl = sw.esl()
    box = []
    t = threading.Thread(target=lambda: (box.append(esl.api("originate " + text)), esl.close()))
    t.start()
    return lambda: (t.join(20), box[0])[1]


# ---- sound
def rtp(seq, payload=b"\xd5" * 160, pt=0, ssrc=7, ts=None):
    return struct.pack("!BBHII", 0x80, pt, seq, (ts if ts is not None else seq * 160) & 0xffffffff, ssrc) + payload


def press(p, digits, start=1000, **source):
    """Telephone-events of 100 ms each (RFC 4733). source: ssrc=..."""
    seq = start
    for n, d in enumerate(digits):
        event, ts = "0123456789*#".index(d), (start + n * 20) * 160
        for duration, end in ((160, 0), (480, 0), (800, 0x80), (800, 0x80), (800, 0x80)):
            p.media.sendto(rtp(seq, struct.pack("!BBH", event, end | 10, duration), 101, ts=ts, **source), ("127.0.0.1", p.remote_rtp))
            seq += 1


def listen(p, seconds):
    """What arrives at p's port, decoded; silence is sent meanwhile."""
    out, end, n = [], time.monotonic() + seconds, 0
    p.media.settimeout(0.02)
    while time.monotonic() < end:
        p.media.sendto(rtp(n, payload=b"\xff" * 160), ("127.0.0.1", p.remote_rtp))
        n += 1
        try:
            packet = p.media.recv(2000)
        except TimeoutError:
            continue
        if packet[1] & 127 == 0:
            out.append(ULAW[np.frombuffer(packet[12:], np.uint8)])
    return np.concatenate(out) if out else np.zeros(160)


def heard_ms(x, hz, level=2000):
    return int((tone_level(x, 8000, hz) > level).sum() * 20)


def arrives(here, there):
    """Whether what here says arrives there as it is."""
    there.media.settimeout(0.02)
    while True:
        try:
            there.media.recv(2000)
        except TimeoutError:
            break
    for n in range(200):
        here.media.sendto(rtp(n, payload=b"\x2a" * 160, ssrc=1), ("127.0.0.1", here.remote_rtp))
        try:
            if there.media.recv(2000)[12:] == b"\x2a" * 160:
                return True
        except TimeoutError:
            pass
    return False


# ---- transfers
def refer(p, to, by_callee=False, code=202):
    text = f"Refer-To: {to}\nReferred-By: <sip:{p.user}@127.0.0.1>\n"
    (p.own_request if by_callee else p.request)("REFER", extra=text)
    cseq = p.cseq
    answer = p.expect(code)
    if code != 202:
        return answer
    assert answer.get("Expires") == "60" and answer.get("Contact")
    notify = p.expect(method="NOTIFY")
    p.reply(notify, 200, "OK")
    assert notify.get("Event") == f"refer;id={cseq}"
    assert notify.get("Subscription-State") == "terminated;reason=noresource"
    assert notify.get("Content-Type") == "message/sipfrag;version=2.0"
    return notify


def second_line(sw, a, c):
    """A second call of the same phone, to c: a socket of its own is a line of its own."""
    line = Phone(sw, a.user)
    line.invite(c.user)
    c.take()
    line.answered()
    return line


def replaces_of(line):
    to_tag = re.search("tag=([^;]+)", line.peer_to).group(1)
    return f"{line.call_id};to-tag={to_tag};from-tag={line.tag}"
