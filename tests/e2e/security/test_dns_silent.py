"""A name server that says nothing and ten gateways by name (or INVITEs of a stranger whose Contacts are such names) held every worker:
no sound, no reloadxml, no end on SIGTERM. And a stranger's Contact made the switch ask name servers of the stranger's choice."""
import contextlib
import re
import signal
import socket
import time
import uuid

import dns_server
import tandem as t
from phones import write_tone
from wire import Message, sdp

GATEWAY = ('<include>\n<gateway name="gw%d"><param name="username" value="u"/><param name="password" value="p"/><param name="proxy" '
           'value="gw%d.silent.test"/><param name="register" value="true"/><param name="retry-seconds" value="5"/></gateway>\n</include>\n')
PLAN = """<include>
<extension name="tone"><condition field="destination_number" expression="^9600$"><action application="answer"/>
  <action application="playback" data="%(tone)s"/></condition></extension>
<extension name="end"><condition field="destination_number" expression="^9601$"><action application="answer"/>
  <action application="sleep" data="500"/><action application="hangup"/></condition></extension>
<extension name="out"><condition field="destination_number" expression="^9602$">
  <action application="bridge" data="sofia/external/1@$${out_name}"/></condition></extension>
</include>
"""


class Stranger:
    """A caller of the external profile, by a socket and nothing else."""

    def __init__(self, sw, contact_host=None):
        self.sw = sw
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", 0))
        self.s.settimeout(8)
        self.media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.media.bind(("127.0.0.1", 0))
        self.port, self.call_id, self.tag = self.s.getsockname()[1], uuid.uuid4().hex, uuid.uuid4().hex[:8]
        self.contact = contact_host or f"127.0.0.1:{self.port}"

    def send(self, method, number, to_tag="", cseq=1, body="", extra=""):
        uri = f"sip:{number}@127.0.0.1:{self.sw.ext_port}"
        text = (f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{self.port};rport;branch=z9hG4bK{uuid.uuid4().hex}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:x@127.0.0.1>;tag={self.tag}\r\nTo: <{uri}>{to_tag}\r\nCall-ID: {self.call_id}\r\n"
                f"CSeq: {cseq} {method}\r\nContact: <sip:x@{self.contact}>\r\n{extra}"
                + ("Content-Type: application/sdp\r\n" if body else "") + f"Content-Length: {len(body)}\r\n\r\n{body}")
        self.s.sendto(text.encode(), ("127.0.0.1", self.sw.ext_port))

    def expect(self, what, timeout=8):
        deadline = time.monotonic() + timeout
        while True:
            self.s.settimeout(max(deadline - time.monotonic(), 0.01))
            m = Message(self.s.recv(65536).decode())
            if m.code == what or m.method == what:
                return m

    def call(self, number, extra=""):
        self.send("INVITE", number, body=sdp(self.media.getsockname()[1], formats=(0,)), extra=extra)
        ok = self.expect(200)
        self.to_tag = ";tag=" + re.search("tag=([^;>]+)", ok.get("To")).group(1)
        self.send("ACK", number, self.to_tag)
        return ok

    def sound_s(self, timeout=12):
        """How long until the third packet of sound."""
        begin = time.monotonic()
        self.media.settimeout(timeout)
        for _ in range(3):
            self.media.recv(2000)
        return time.monotonic() - begin

    def ok(self, request):
        text = "SIP/2.0 200 OK\r\n" + "".join(f"Via: {v}\r\n" for v in request.all("Via")) + "".join(
            f"{n}: {request.get(n)}\r\n" for n in ("From", "To", "Call-ID", "CSeq")) + "Content-Length: 0\r\n\r\n"
        self.s.sendto(text.encode(), ("127.0.0.1", self.sw.ext_port))


def switch(root, rules, gateways=0):
    sw = t.Tandem(root / "instance")
    tone = root / "tone.wav"
    write_tone(tone, 440, 10)
    (sw.root / "conf/dialplan/public/dns.xml").write_text(PLAN % {"tone": tone})
    vars_xml = sw.root / "conf/vars.xml"
    vars_xml.write_text(vars_xml.read_text().replace(
        "<include>", '<include>\n<X-PRE-PROCESS cmd="set" data="out_name=out.silent.test"/>', 1))
    for i in range(gateways):
        (sw.root / f"conf/sip_profiles/external/gw{i}.xml").write_text(GATEWAY % (i, i))
    server = dns_server.use(sw, rules)
    return sw.start(), server


def end_s(sw):
    """How long SIGTERM takes."""
    begin = time.monotonic()
    sw.proc.send_signal(signal.SIGTERM)
    sw.proc.wait(40)
    took = time.monotonic() - begin
    assert sw.proc.returncode == 0, sw.console()[-3000:]
    return took


def records(sw):
    p = sw.root / "log/cdr-csv/Master.csv"
    return p.read_text() if p.exists() else ""


def test_silent_server(tmp_path):
    """Ten gateways, five strangers' calls to a name, twenty of strangers whose Contacts are names: the rest goes on as ever."""
    sw, server = switch(tmp_path, {"test": "silent"}, gateways=10)
    try:
        sw.api("fsctl sps 1000")
        for i in range(5):
            Stranger(sw).send("INVITE", "9602", body=sdp(4000))
        for i in range(20):
            Stranger(sw, f"c{i}.silent.test").call("9601")
        caller = Stranger(sw)
        caller.call("9600")
        assert caller.sound_s() < 1.5
        caller.send("BYE", "9600", caller.to_tag, 2)
        caller.expect(200)
        begin = time.monotonic()
        assert sw.api("reloadxml").startswith("+OK")
        assert time.monotonic() - begin < 3
        begin = time.monotonic()
        while "9600" not in records(sw):
            assert time.monotonic() - begin < 5, "no call record"
            time.sleep(0.02)
        assert any(n.startswith("gw") for n in server.names()), server.names()
    finally:
        took = end_s(sw)
        server.close()
    assert took < 4, f"SIGTERM took {took:.1f} s"


def test_strangers_names_are_not_asked(tmp_path):
    """Requests to a stranger go to where its own came from, whatever Contact, Record-Route and Via name."""
    sw, server = switch(tmp_path, {"test": "silent"})
    try:
        caller = Stranger(sw, "contact.evil.test")
        caller.call("9601", "Record-Route: <sip:route.evil.test;lr>\r\n")
        bye = caller.expect("BYE")  # at the socket that called
        assert bye.first.startswith("BYE sip:x@contact.evil.test") and "route.evil.test" in bye.get("Route")
        caller.ok(bye)
        sw.wait_calls(0)
        assert not [n for n in server.names() if "evil" in n], server.names()
    finally:
        sw.stop()
        server.close()


def test_answers_and_lies(tmp_path):
    """What is true is used and kept; what is not, or never comes, is an error in bounded time."""
    rules = {"good.test": "127.0.0.1", "six.test": "::1", "slow.test": ("slow", 0.5, "127.0.0.2"), "nx.test": "nx", "fail.test": "fail",
             "id.test": "wrong id", "question.test": "wrong question", "loop.test": "loop", "huge.test": "huge", "garbage.test": "garbage"}
    sw, server = switch(tmp_path, rules)
    try:
        begin = time.monotonic()
        assert sw.api("host_lookup a.good.test").strip() == "127.0.0.1"
        assert sw.api("host_lookup a.slow.test").strip() == "127.0.0.2"
        assert time.monotonic() - begin < 3
        asked = len(server.asked)
        assert sw.api("host_lookup A.GOOD.test").strip() == "127.0.0.1"
        assert len(server.asked) == asked
        for lie in ("six", "nx", "fail", "loop", "huge", "garbage", "id", "question"):
            begin = time.monotonic()
            assert sw.api(f"host_lookup {lie}.test").strip() == "!err!", lie
            assert time.monotonic() - begin < 7, lie
        assert sw.api("host_lookup localhost").strip() == "127.0.0.1"
        for bad in ("a..b", "127.1", "x" * 300, "a" * 64 + ".test", "..", "-"):
            assert sw.api(f"host_lookup {bad}").strip() == "!err!", bad
    finally:
        sw.stop()
        server.close()


def test_end_waits_for_no_peer(tmp_path):
    """SIGTERM while a name server, a STUN server, an HTTP client and a child process are silent."""
    sw = t.Tandem(tmp_path / "instance")
    conf = sw.root / "conf/autoload_configs/switch.conf.xml"
    conf.write_text(conf.read_text().replace('name="system-commands" value="false"', 'name="system-commands" value="true"'))
    server = dns_server.use(sw, {"test": "silent"})
    sw.start()
    stun = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stun.bind(("127.0.0.1", 0))
    http = socket.create_connection(("127.0.0.1", sw.http_port))
    http.sendall(b"POST /api/v1/commands HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    helpers = []
    for command in ("host_lookup a.silent.test", f"stun 127.0.0.1:{stun.getsockname()[1]}", "stun b.silent.test", "system sleep 100"):
        e = sw.esl()
        e.sock.sendall(f"api {command}\n\n".encode())
        helpers.append(e)
    stun.settimeout(5)
    data, helper = stun.recvfrom(100)
    assert data[:2] == b"\0\1"
    for _ in range(100):
        stun.sendto(b"\1\1\0\0" + bytes(16), helper)  # another question's answer
    deadline = time.monotonic() + 5
    while not {"a.silent.test", "b.silent.test"} <= server.names():
        assert time.monotonic() < deadline, server.names()
        time.sleep(0.02)
    took = end_s(sw)
    server.close()
    assert took < 3, f"SIGTERM took {took:.1f} s"
    stun.setblocking(False)
    asked = 0
    with contextlib.suppress(BlockingIOError):
        while stun.recv(100):
            asked += 1
    assert asked < 10, "neither the end nor others' answers make it ask all the faster"
