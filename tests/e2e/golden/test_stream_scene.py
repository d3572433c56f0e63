"""The recorded scene of phones over TCP and TLS, played again as in test_presence_scenes.py: registration, a call each way, the address that
sofia_contact tells. At least 95 % of the recorded lines are equal; what is not is in REASONS."""
import re
import ssl

import pytest
import tandem as t
from recordings import GOLDEN, THEN, needs_recordings
from test_lamps import lines, step_of
from test_presence_scenes import CODECS, HEADERS, At, Played
from wire import Phone

pytestmark = needs_recordings
LEAST = 0.95
REASONS = [
    HEADERS, CODECS,
    (r"^[-+]To: <sip:1008@127.0.0.1:\d+(;transport=t..)?>", "To has no transport: RFC 3261 19.1.1"),
]
# The phone that answers at once: whether its 180 is passed on first is a matter of time.
EARLY = "SIP/2.0 183"


class TlsPhone(Phone):
    def __init__(self, sw, user):
        super().__init__(sw, user, tcp=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.s = context.wrap_socket(self.s)


class Streams(Played):
    def __init__(self, sw):
        self.sw, self.scene = sw, "sipx-tcp-tls"
        self.all, self.phones, self.differ, self.equal, self.total = [], {}, [], 0, 0
        self.words = {"127.0.0.1:5060": f"127.0.0.1:{sw.sip_port}", "127.0.0.1:5061": f"127.0.0.1:{sw.tls}"}
        text, away = (GOLDEN / "sip/sipx-tcp-tls.txt").read_text(), set()
        for section in re.split(r"^==== ", text, flags=re.M):
            self.all.append(section.split("\n", 1)[0])
            for frm, to, user, way, over, body in re.findall(
                    r"^---- +\S+ s +127.0.0.1:(\d+) -> 127.0.0.1:(\d+) +\(UA-(\w+) (\w+)(?: over (\w+))?\) \d+ bytes\n(.*?)(?=^---- |\Z)", section, re.M | re.S):
                s = step_of(user + over, way, body)
                if "Event: message-summary" in body:  # see test_presence_scenes.py
                    away.add(s.key)
                if s.key not in away:
                    self.all.append(s)
                    self.phone(s.user, frm if way == "sends" else to)
        self.steps = [s for s in self.all if not isinstance(s, str)]

    def phone(self, name, port):
        if name in self.phones:
            return
        user, over = name[:4], name[4:]
        phone = TlsPhone(At(self.sw, self.sw.tls), user) if over == "TLS" else Phone(self.sw, user, tcp=over == "TCP")
        self.phones[name] = phone
        self.words[f"127.0.0.1:{port}"] = f"127.0.0.1:{phone.port}"
        self.words[f"rport={port}"] = f"rport={phone.port}"
        self.words[f"m=audio {8000 + int(user) - 1000} "] = f"m=audio {phone.rtp_port} "
        if not over:
            phone.register()

    def receive(self, step):
        phone = self.phones[step.user]
        got = super().receive(step)
        phone.queue[:] = [m for m in phone.queue if not m.first.startswith(EARLY)]
        if got and got.first.startswith(EARLY) and not step.message.first.startswith(EARLY):
            return self.receive(step)
        return got

    def command(self, title):
        found = re.match(r"sofia_contact -> (.*)", title)
        if found:
            # over TLS the way back is the phone's own connection, which the target then says
            got = self.sw.api("sofia_contact 1008@127.0.0.1").strip().split(";fs_nat=yes;fs_path=")
            assert got[0] == self.now(found.group(1))
            assert len(got) == 1 or "transport%3Dtls" in got[1]


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("streams") / "instance", "vanilla", **THEN)
    sw.tls = t.free_port()
    conf = sw.root / "conf/vars.xml"
    text = re.sub(r"internal_ssl_enable=false", "internal_ssl_enable=true", conf.read_text())
    conf.write_text(re.sub(r"internal_tls_port=\d+", f"internal_tls_port={sw.tls}", text))
    (sw.root / "conf/dialplan/default/00_echo.xml").write_text(
        '<include><extension name="echo"><condition field="destination_number" expression="^9780$"><action application="answer"/>'
        '<action application="echo"/></condition></extension></include>')
    sw.start()
    yield sw
    sw.stop()


def test_tcp_and_tls(sw):
    play = Streams(sw)
    try:
        play.play()
    finally:
        play.close()
        sw.api("hupall")
        sw.wait_calls(0)
    print(f"{play.equal} of {play.total} lines equal")
    unexplained = [d for d in play.differ if not any(re.search(p, d[1]) for p, _ in REASONS)]
    assert not unexplained, "\n".join(map(str, unexplained))
    assert play.total > 300 and play.equal >= LEAST * play.total, "\n".join(map(str, play.differ))
