"""What surrounds the switch fails (outside_lab.py) while others call: PostgreSQL, Redis, RabbitMQ, FreeRADIUS, slapd, a web server, each silent,
answering rubbish, too late, stopped, killed and restarted. A call that needs the answer ends as it should when there is none; whoever does
not need it gets through, all of them; no handler of the switch is slow (looked for at its end); and what was to be told to the server
arrives afterwards. How much it costs the others is measured by bench/outside.py."""
import re
import signal

import amqp_peer
import pytest
import tandem as t
from outside_lab import FAULTS, KNOWN, NAMES, NOBODY, UNKNOWN, Lab
from sipp import ANSWERED, Sipp, ack, bye, recv, request, sdp, send
from test_call_records import status
from test_store import await_true
from wire import Phone

RATE = 20   # of the others' calls in a second; enough that some begin, live and end in each fault
ASKERS = 4  # at once


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def sw(lab, tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("switch") / "instance", "conf")
    lab.configure(sw)
    profile = sw.root / "conf/sip_profiles/external.xml"  # a machine that is busy with other things refuses no call here
    profile.write_text(profile.read_text().replace("<settings>", '<settings><param name="overload-delay" value="0"/>', 1))
    sw.start()
    yield sw
    lab.open()
    sw.stop()


class Others:
    """Callers who have to do with none of it, until they are told to end; each call is answered, and hung up by its caller."""

    def __init__(self, sw):
        steps = [send(request("INVITE", "trunk", "9300", body=sdp())), *ANSWERED, send(ack("trunk", "9300", cseq=1), retrans=0),
                 '<pause milliseconds="300"/>', send(bye("trunk", "9300", cseq=2)), recv(200)]
        self.sipp = Sipp(sw, steps, 1000000, RATE, target=f"127.0.0.1:{sw.ext_port}", timeout=600)
        self.sw = sw

    def finish(self):
        self.sipp.proc.send_signal(signal.SIGUSR1)  # no new ones; those that are up end
        self.sipp.wait(60)


def begun(sw):
    return int(re.search(r"(\d+) session\(s\) since startup", sw.api("status")).group(1))


class Outside(Phone):
    """A caller of the external profile, whom nobody asks for a password."""

    def __init__(self, sw, user):
        super().__init__(sw, user)
        self.s.close()
        self.s = t.socket.socket(t.socket.AF_INET, t.socket.SOCK_DGRAM)
        self.s.bind((self.host, 0))
        self.s.connect(("127.0.0.1", sw.ext_port))
        self.port = self.s.getsockname()[1]

    def dial(self, number):
        self.call_id, self.uri = f"ask-{self.tag}-{self.cseq}", f"sip:{number}@127.0.0.1"
        self.to = f"<{self.uri}>"
        self.request("INVITE", self.uri, self.to, body="v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio "
                     f"{self.rtp_port} RTP/AVP 0\r\n")

    def final(self):
        """The code of the answer that ends it."""
        while True:
            m = self._read(40)
            if m.code >= 200 and f"{self.cseq} INVITE" in m.get("CSeq"):
                self.ack_failure(m)
                return m.code


def ask(lab, askers, name):
    """The codes of calls that need that server, all at once."""
    number = lab.number(name)
    if name == "slapd":
        askers[0].sw.api("xml_flush_cache")
    for p in askers if number else ():
        p.dial(number)
    return {p.final() for p in askers} if number else set()


@pytest.fixture(scope="module")
def askers(sw):
    made = [Outside(sw, f"asker{i}") for i in range(ASKERS)]
    yield made
    for p in made:
        p.close()


@pytest.mark.parametrize("name", NAMES)
def test_others_do_not_feel_it(lab, sw, askers, name):
    good, bad = ({KNOWN}, {NOBODY if name == "radius" else UNKNOWN}) if lab.number(name) else (set(), set())
    assert ask(lab, askers, name) == good
    others = Others(sw)
    try:
        for what in FAULTS:
            end, before = lab.fault(name, what), begun(sw)
            try:
                assert ask(lab, askers, name) == bad, what
                await_true(lambda: begun(sw) > before + RATE, 30)
                if what in lab.lines[name][0].asked:
                    await_true(lambda: all(line.asked[what] for line in lab.lines[name]), 60)
            finally:
                end()
            await_true(lambda: ask(lab, askers, name) == good, 60)
    finally:
        others.finish()
    sw.wait_calls(0)


def test_nothing_is_lost(lab, sw):
    """Every record is where it was to go, and RADIUS has a Stop of every call."""
    if not begun(sw):  # alone
        others = Others(sw)
        await_true(lambda: begun(sw) > RATE, 30)
        others.finish()
        sw.wait_calls(0)
    count = begun(sw)
    assert count
    await_true(lambda: len((sw.root / "log/cdr-csv/Master.csv").read_text().splitlines()) == count, 60)
    await_true(lambda: all(x["waiting"] == 0 for x in status(sw).values()), 120)
    assert lab.servers["postgres"].psql("SELECT count(DISTINCT uuid) FROM cdr") == str(count)
    posts = {q.path for q in lab.servers["web"].requests if "uuid=" in q.path}
    assert len(posts) == count
    stops = lambda: (lab.servers["radius"].dir / "detail").read_text().count("Acct-Status-Type = Stop")  # noqa: E731
    await_true(lambda: stops() >= count, 120)
    peer = amqp_peer.Peer(lab.servers["rabbit"].port)
    try:
        seen = set()
        while len(seen) < count:
            m = peer.get("records")
            assert m, (len(seen), count)
            seen.add(re.search(rb"\x24([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})", m[1])[1])  # message-id; a time may have that byte, too
    finally:
        peer.close()
