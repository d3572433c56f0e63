"""Where requests go by RFC 3263: NAPTR, SRV with priorities and weights, addresses; the next place when one is silent, refuses the
connection or says 503; dead places left aside; name servers that lie, cut their answers or are silent."""
import re
import socket
import time

import dns_server
import pytest
import tandem as t
from wire import Message, Phone, sdp

pytestmark = pytest.mark.leaks

PLAN = r"""<include>
<extension name="out"><condition field="destination_number" expression="^95(.+)$">
  <action application="set" data="continue_on_fail=true"/>
  <action application="bridge" data="sofia/external/sip:callee@$1"/>
  <action application="respond" data="486"/></condition></extension>
<extension name="port"><condition field="destination_number" expression="^96(\d+)$">
  <action application="bridge" data="sofia/external/sip:callee@127.0.0.1:$1"/></condition></extension>
</include>
"""


class Place(Phone):
    """Where a name may lead to: a socket that takes requests, UDP at an address and port of its own."""

    def __init__(self, sw, host="127.0.0.1", port=None):
        super().__init__(sw, "callee")
        self.s.close()
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((host, port or t.free_port()))
        self.host, self.port = self.s.getsockname()
        self.seen = []

    def _read(self, timeout):
        self.s.settimeout(timeout)
        data, self.peer = self.s.recvfrom(65536)
        m = Message(data.decode())
        self.seen.append(m)
        return m

    def contact(self):
        return f"<sip:callee@{self.host}:{self.port}>"

    def reply(self, req, *a, **kw):
        self.s.connect(self.peer)
        super().reply(req, *a, **kw)

    def is_silent(self):
        self.s.settimeout(0.05)
        try:
            self.s.recv(65536)
        except (TimeoutError, BlockingIOError, socket.timeout):
            return True
        return False


RULES = {}


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("srv") / "instance")
    (s.root / "conf/dialplan/default/srv.xml").write_text(PLAN)
    for name in ("external", "internal"):
        p = s.root / f"conf/sip_profiles/{name}.xml"
        p.write_text(p.read_text().replace("<settings>", '<settings><param name="timer-T1" value="50"/>'
                                           '<param name="timer-T1X64" value="3200"/>'))
    dns = dns_server.use(s, RULES)
    s.dns = dns
    s.start()
    yield s
    s.stop()
    dns.close()


@pytest.fixture
def caller(sw, phone):
    return phone("1000")


def hang_up(caller, place, invite):
    place.enter(invite)
    caller.answered()
    caller.bye()
    bye = place.expect(method="BYE")
    place.reply(bye, 200)


def take(place):
    """The call arrives there and is answered."""
    invite = place.expect(method="INVITE")
    place.reply(invite, 200, "OK", sdp(place.rtp_port))
    place.expect(method="ACK")
    return invite


def test_naptr_chooses_the_transport_and_srv_the_port(sw, caller):
    s = socket.create_server(("127.0.0.1", t.free_port()))
    port = s.getsockname()[1]
    RULES.update({"=naptr.test": {"NAPTR": [(20, 1, "s", "SIP+D2U", "_sip._udp.naptr.test"), (10, 5, "S", "SIP+D2T", "tcp.naptr.test"),
                                            (5, 1, "s", "SIP+D2X", "x.naptr.test"), (6, 1, "u", "E2U+sip", "", "!^.*$!sip:x@y!")]},
                  "=tcp.naptr.test": {"SRV": [(1, 1, port, "host.naptr.test")]}, "=host.naptr.test": "127.0.0.1"})
    caller.invite("95naptr.test")
    s.settimeout(8)
    conn, _ = s.accept()
    text = conn.recv(65536).decode()
    assert text.startswith("INVITE sip:callee@naptr.test SIP/2.0") and "Via: SIP/2.0/TCP" in text
    conn.sendall(("SIP/2.0 404 no\r\n" + "".join(l + "\r\n" for l in text.split("\r\n")
                                                  if re.match("(Via|From|To|Call-ID|CSeq):", l)) + "Content-Length: 0\r\n\r\n").encode())
    caller.ack_failure(caller.expect(486))
    assert ("naptr.test", 35) in sw.dns.asked and ("tcp.naptr.test", 33) in sw.dns.asked
    s.close()


def test_a_silent_place_and_one_that_says_503_are_passed_by(sw, caller):
    silent, busy, good = Place(sw), Place(sw), Place(sw)
    RULES.update({"=_sip._udp.fail.test": {"SRV": [(30, 0, good.port, "c.fail.test"), (10, 0, silent.port, "a.fail.test"),
                                                   (20, 0, busy.port, "b.fail.test")]},
                  "fail.test": {"A": ["127.0.0.1"]}})
    caller.invite("95fail.test")
    first = busy.expect(method="INVITE")
    busy.reply(first, 503, "Busy", extra="Retry-After: 60\n")
    invite = take(good)
    branches = {re.search("branch=([^;]+)", m.get("Via")).group(1) for m in (silent.expect(method="INVITE"), first, invite)}
    assert len(branches) == 3, "each try is a transaction of its own"
    assert len({m.get("Call-ID") for m in (first, invite)}) == 1 and first.get("CSeq") == invite.get("CSeq")
    busy.expect(method="ACK")
    hang_up(caller, good, invite)
    # both are known to be dead: the next call asks neither
    caller.invite("95fail.test")
    silent.seen.clear()
    invite = take(good)
    hang_up(caller, good, invite)
    while True:  # what was sent again before
        try:
            late = silent._read(0.05)
        except (TimeoutError, socket.timeout):
            break
        assert late.get("Call-ID") != invite.get("Call-ID"), late
    assert busy.is_silent()


def test_when_all_refuse_the_caller_hears_the_last_answer(sw, caller):
    one, two = Place(sw), Place(sw)
    RULES.update({"=_sip._udp.none.test": {"SRV": [(1, 0, one.port, "h.none.test"), (2, 0, two.port, "h.none.test")]},
                  "none.test": {"A": ["127.0.0.1"]}})
    caller.invite("95none.test")
    for p in (one, two):
        p.reply(p.expect(method="INVITE"), 503, "Busy")
        p.expect(method="ACK")
    caller.ack_failure(caller.expect(486))
    # places that are dead are still tried when there are no others
    caller.invite("95none.test")
    p = one
    p.reply(p.expect(method="INVITE"), 404, "No")
    caller.ack_failure(caller.expect(486))
    assert two.is_silent()


def test_weights_share_the_calls(sw):
    RULES.update({"=_sip._udp.weight.test": {"SRV": [(1, 90, 6001, "h.weight.test"), (1, 10, 6002, "h.weight.test"),
                                                     (2, 5, 6003, "h.weight.test")]}, "weight.test": {"A": ["127.0.0.1"]}})
    firsts = []
    for _ in range(60):
        rows = [r.split() for r in sw.api("sofia_dig sip:weight.test").split("\n")[2:] if r]
        assert [r[0] for r in rows] == ["1", "1", "2"] and rows[2][3] == "6003", rows
        firsts.append(rows[0][3])
        assert {r[3]: r[1] for r in rows} == {"6001": "0.900", "6002": "0.100", "6003": "1.000"}, rows
    assert 40 < firsts.count("6001") < 60 and firsts.count("6002") > 0, firsts


def test_dig_prints_what_freeswitch_prints(sw):
    line = "=" * 80
    head = f"Preference\t    Weight\t Transport\t      Port\t   Address\n{line}\n"
    udp, tcp = "         1\t     1.000\t       udp\t      5060\t 127.0.0.1\n", "         2\t     1.000\t       tcp\t      5060\t 127.0.0.1\n"
    assert sw.api("sofia_dig") == "usage: sofia_dig [OPTIONS] [@dnsserver] uri\n"
    assert sw.api("sofia_dig 127.0.0.1") == head + udp + tcp == sw.api("sofia_dig -p udp 127.0.0.1")
    assert sw.api("sofia_dig sip:127.0.0.1:5062;transport=tcp") == head + tcp.replace("5060", "5062").replace("         2", "         1")
    assert sw.api("sofia_dig xml sip:[::1];transport=udp") == (
        "<routes>\n <route>\n  <preference>1</preference>\n  <weight>1.000</weight>\n  <transport>udp</transport>\n"
        "  <port>5060</port>\n  <address>::1</address>\n </route>\n</routes>\n")
    assert "-ERR lab.invalid" in sw.api("sofia_dig lab.invalid")


def test_servers_that_lie_cost_only_their_own_call(sw, caller, phone):
    lies = ["silent", "fail", "loop", "garbage", "huge", "wrong id", "wrong question"]
    RULES.update({f"bad{i}.test": rule for i, rule in enumerate(lies)})
    esl = sw.esl()
    esl.subscribe("BACKGROUND_JOB")
    jobs = {esl.command(f"bgapi originate {{originate_timeout=30}}sofia/external/sip:x@a.bad{i}.test &park")[0]["Job-UUID"]: rule
            for i, rule in enumerate(lies)}
    other = phone("1001")  # meanwhile others call
    caller.invite("1001")
    other.take()
    caller.answered()
    caller.bye()
    other.reply(other.expect(method="BYE"), 200)
    while jobs:
        e = esl.wait_event("BACKGROUND_JOB", timeout=20)
        rule = jobs.pop(e["Job-UUID"], None)
        assert rule is None or e["_body"].startswith("-ERR"), (rule, e["_body"])
    esl.close()


def test_an_answer_that_is_cut_is_fetched_over_tcp(sw, caller):
    place = Place(sw)
    many = [(5, 0, 9, f"h{i}.big.test") for i in range(10)]
    RULES.update({"=_sip._udp.big.test": {"SRV": [(1, 0, place.port, "h.big.test")] + many, "tcp": True},
                  "big.test": {"A": ["127.0.0.1"]}})
    caller.invite("95big.test")
    hang_up(caller, place, take(place))
    assert ("_sip._udp.big.test", 33) in sw.dns.tcp_asked


def test_a_service_that_is_said_not_to_be_there_is_not_looked_for_elsewhere(sw, caller):
    RULES.update({"=_sip._udp.dot.test": {"SRV": [(0, 0, 0, ".")]}, "dot.test": {"A": ["127.0.0.1"]}})
    assert "-ERR" in sw.api("sofia_dig sip:dot.test")
    caller.invite("95dot.test")
    caller.ack_failure(caller.expect(486))


def test_a_request_in_the_dialog_goes_to_the_next_place_too(sw, caller):
    """The called side's Contact is a name with two places, of which the first has gone."""
    call, gone, there = Place(sw), Place(sw), Place(sw)
    gone.s.close()
    RULES.update({"=_sip._udp.far.test": {"SRV": [(1, 0, gone.port, "h.far.test"), (2, 0, there.port, "h.far.test")]},
                  "far.test": {"A": ["127.0.0.1"]}})
    call.contact = lambda: "<sip:callee@far.test>"
    caller.invite(f"96{call.port}")
    invite = call.expect(method="INVITE")
    call.reply(invite, 200, "OK", sdp(call.rtp_port))
    caller.answered()
    caller.bye()
    bye = there.expect(method="BYE")
    assert bye.get("Call-ID") == invite.get("Call-ID")
    there.reply(bye, 200)


def test_kept_by_their_ttl_and_what_is_missing_too(sw):
    RULES.update({"=_sip._udp.kept.test": {"SRV": [(1, 0, 6005, "h.kept.test")], "ttl": 3000}, "kept.test": {"A": ["127.0.0.1"]}})
    for _ in range(3):
        assert "6005" in sw.api("sofia_dig sip:kept.test")
    asked = [a for a in sw.dns.asked if a[0].endswith("kept.test")]
    assert len(asked) == len(set(asked)), asked


def test_over_tcp_when_too_long_for_a_datagram(sw, caller):
    """RFC 3261 18.1.1; and UDP again where no TCP is."""
    udp = Place(sw)
    tcp = socket.create_server(("127.0.0.1", udp.port))
    tcp.settimeout(8)
    extra = "X-Long: " + "x" * 1500 + "\n"
    caller.invite(f"96{udp.port}", extra=extra)
    conn, _ = tcp.accept()
    text = conn.recv(65536).decode()
    assert "Via: SIP/2.0/TCP" in text and "X-Long" in text, text
    conn.close()
    tcp.close()
    invite = take(udp)  # the connection broke before an answer: UDP
    assert "SIP/2.0/UDP" in invite.get("Via")
    hang_up(caller, udp, invite)
    begin = time.monotonic()
    caller.invite(f"96{udp.port}", extra=extra)
    invite = take(udp)
    assert time.monotonic() - begin < 5
    hang_up(caller, udp, invite)
