"""What a profile lets through: methods and headers by lists, scanners by name, calls by address and user, loops; and that nothing of
one side's addresses is told to the other unless somebody asked for it."""
import re
import socket
import time

import dns_server
import pytest
import tandem as t
from calls import extension
from http_client import Door
from sayer import sayers, set_params
from strangers import message
from wire import Message, sdp

INNER = "10.77.1.2"  # an address of the caller's network that nobody outside is to see


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("border") / "instance", "conf")
    sw.svc_port = t.free_port()
    rows = [extension("77", f"bridge sofia/external/svc@127.0.0.1:{sw.svc_port}"), extension("7999", "answer", "park"),
            extension("66", f"bridge sofia/external/66@127.0.0.1:{sw.ext_port}"),
            extension(r"(00\d+|0900\d+)", f"bridge sofia/external/$1@127.0.0.1:{sw.svc_port}")]
    for context in ("public", "default"):
        (sw.root / f"conf/dialplan/{context}").mkdir(exist_ok=True)
        (sw.root / f"conf/dialplan/{context}/border.xml").write_text("\n".join(["<include>", *rows, "</include>"]))
    acl = sw.root / "conf/autoload_configs/acl.conf.xml"
    acl.write_text(acl.read_text().replace("</network-lists>", '<list name="by-name" default="deny"><node type="allow" host="pbx.test"/>'
                                           '<node type="deny" host="bad.test"/></list>\n</network-lists>'))
    sw.names = dns_server.use(sw, {"pbx.test": "127.0.8.1", "bad.test": "silent"})
    sw.start()
    yield sw
    sw.stop()
    sw.names.close()


@pytest.fixture
def pair(sw):
    with sayers(sw) as make:
        a, b = make("ext", sw.ext_port), make("svc", sw.ext_port)
        b.move(port=sw.svc_port)
        yield a, b


def ask(sw, method="OPTIONS", source="127.0.0.1", port=None, extra="", timeout=3):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((source, 0))
        s.settimeout(timeout)
        call_id = f"{method}{time.monotonic_ns()}"
        s.sendto(message(method, call_id=call_id, extra=extra + "Contact: <sip:x@127.0.0.1:9>\r\n",
                         via=f"UDP {source}:9;rport"), ("127.0.0.1", port or sw.ext_port))
        try:
            return Message(s.recv(65536).decode())
        except socket.timeout:
            return None


# ---- lists
def test_methods_by_list(sw, pair):
    a, _ = pair
    set_params(sw, "external", deny_methods_in="OPT*,MESSAGE")
    assert ask(sw, "OPTIONS").code == 405
    assert ask(sw, "SUBSCRIBE").code != 405
    set_params(sw, "external", deny_methods_in=None, allow_methods_in="INVITE")
    assert ask(sw, "OPTIONS").code == 405
    a.call("7999")  # INVITE is allowed, and what belongs to it always is
    a.answered()
    a.bye()
    set_params(sw, "external", allow_methods_in=None)
    assert ask(sw, "OPTIONS").code == 200


def test_methods_out_by_list(sw, pair):
    a, b = pair
    set_params(sw, "external", deny_methods_out="INV?TE")
    a.call("77")
    assert a.refused() >= 400
    b.expect_nothing("INVITE", 0.3)
    set_params(sw, "external", deny_methods_out=None)
    a.call("77")
    b.take()
    a.answered()
    a.bye()


def test_headers_by_list(sw, pair):
    a, b = pair
    extra = "X-Good: 1\nX-Bad-One: 2\nX-Bad-Two: 3\n  folded: 4\ns: hello\n"
    set_params(sw, "external", deny_headers_in="X-Bad-*")
    a.call("77", extra=extra)
    got = b.take()
    assert got.get("X-Good") == "1" and not got.get("X-Bad-One") and not got.get("X-Bad-Two") and "folded" not in str(got.lines)
    a.answered()
    a.bye()
    set_params(sw, "external", deny_headers_in=None, deny_headers_out="User-Agent,X-FS-*,X-Bad-*,Via,From")
    a.call("77", extra=extra)
    got = b.take()
    assert got.get("Via") and got.get("From")  # what makes it a message stays
    assert got.get("X-Good") == "1" and not any(got.get(n) for n in ("User-Agent", "X-Bad-One", "X-FS-Support"))
    ok = a.answered()
    assert not ok.get("User-Agent")
    a.bye()
    set_params(sw, "external", deny_headers_out=None, allow_headers_out="X-Good")
    a.call("77", extra=extra)
    got = b.take()
    assert got.get("X-Good") == "1" and not any(got.get(n) for n in ("User-Agent", "X-Bad-One", "X-FS-Support", "Allow", "Supported"))
    a.answered()
    a.bye()
    set_params(sw, "external", allow_headers_out=None)


def test_scanners_hear_nothing(sw):
    set_params(sw, "external", drop_user_agents="scanners,Bad Phone*")
    for agent in ("friendly-scanner", "sipvicious 0.3", "SIPCLI/v1.8", "bad phone 7"):
        assert ask(sw, extra=f"User-Agent: {agent}\r\n", timeout=0.4) is None, agent
    assert ask(sw, extra="User-Agent: Good Phone\r\n").code == 200
    set_params(sw, "external", drop_user_agents=None)
    assert ask(sw, extra="User-Agent: friendly-scanner\r\n").code == 200  # only if asked


def test_agents_that_may_register(sw, phone):
    set_params(sw, "internal", user_agent_filter="^Lab")
    p = phone("1000", register=False)
    p.request("REGISTER", f"sip:{sw.domain}", f"<sip:1000@{sw.domain}>", "ua-1", extra="User-Agent: Other\n")
    assert p.expect(403)
    p.register(extra="User-Agent: Lab 7\n")
    set_params(sw, "internal", user_agent_filter=None)


# ---- how much
def test_calls_at_a_time_by_address_and_user(sw, phone, pair):
    a, _ = pair
    events = sw.esl()
    events.subscribe("CUSTOM tandem::limit")
    set_params(sw, "external", max_calls_per_address=1)
    a.call("7999")
    a.answered()
    with sayers(sw) as make:
        c, d = make("c", sw.ext_port), make("d", sw.ext_port, host="127.0.8.7")
        c.call("7999")
        assert c.refused() == 486
        e = events.wait_event("CUSTOM", What="calls of an address")
        assert e["Who"] == "127.0.0.1"
        d.call("7999")  # another address
        d.answered()
        d.bye()
        assert "calls of an address,127.0.0.1,1,1,1" in sw.api("rates")
        a.bye()
        sw.wait_calls(0)
        c.call("7999")
        c.answered()
        c.bye()
    set_params(sw, "external", max_calls_per_address=None)
    set_params(sw, "internal", max_calls_per_user=1)
    p, q = phone("1000"), phone("1000")
    p.invite("7999")
    p.answered()
    q.invite("7999")
    q.ack_failure(q.expect(486))
    other = phone("1001")  # from the same address
    other.invite("7999")
    other.answered()
    refused = re.search(r"tandem_rates_refused_total (\d+)", Door(sw).call("GET", "/metrics")[2].decode())
    assert int(refused.group(1)) == 2
    set_params(sw, "internal", max_calls_per_user=None)
    events.close()


def test_calls_within_a_minute(sw):
    set_params(sw, "external", max_call_rate_per_address=3)
    with sayers(sw) as make:
        p = make("fast", sw.ext_port, host="127.0.8.8")
        for _ in range(3):
            p.call("7999")
            p.answered()
            p.bye()
        p.call("7999")
        assert p.refused() == 486
    set_params(sw, "external", max_call_rate_per_address=None)


# ---- loops
def test_a_loop_through_ourselves_ends(sw, pair):
    a, _ = pair
    a.call("66", extra="")
    legs = 0
    while True:
        m = a._read(10)
        legs = max(legs, int(re.search(r"(\d+) total", sw.api("show channels count")).group(1)))
        if m.code >= 300:
            break
    a.ack_failure(m)
    assert m.code == 483, m
    sw.wait_calls(0)
    assert legs <= 2 * 70
    assert ask(sw, extra="").code == 200


def test_hops_are_counted(sw, pair):
    a, b = pair
    for said, passed in ((70, "69"), (5, "4"), (2, "1")):
        a.call_id, a.uri, a.to = f"hops{said}", "sip:77@127.0.0.1", "<sip:77@127.0.0.1>"
        text = (f"INVITE {a.uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{a.port};branch=z9hG4bKhops{said};rport\r\nMax-Forwards: {said}\r\n"
                f"From: {a.frm};tag=h{said}\r\nTo: {a.to}\r\nCall-ID: {a.call_id}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@127.0.0.1:{a.port}>\r\n"
                f"Content-Type: application/sdp\r\nContent-Length: {len(sdp(a.rtp_port))}\r\n\r\n{sdp(a.rtp_port)}")
        a.tag = f"h{said}"
        a.s.sendall(text.encode())
        assert b.take().get("Max-Forwards") == passed
        a.answered()
        a.cseq = 1
        a.bye()
        b.expect(method="BYE")


# ---- topology
def test_nothing_of_one_side_reaches_the_other(sw, pair):
    """Via, Record-Route, Call-ID, Contact, agents, warnings, the session's names and addresses, P- headers: each side sees the switch."""
    a, b = pair
    offer = sdp(a.rtp_port).replace("o=- 1 1 IN IP4 127.0.0.1", f"o=inner 77 1 IN IP4 {INNER}").replace(
        "s=-", "s=inner session\r\ni=inner info\r\nu=http://inner/\r\ne=inner@inner").replace("t=0 0", "t=0 0\r\na=inner:1")
    a.call_id = f"inner-{INNER}"
    a.uri, a.to = "sip:77@127.0.0.1", "<sip:77@127.0.0.1>"
    a.request("INVITE", a.uri, a.to, body=offer, contact=f"<sip:inner@{INNER}:9>",
              extra=f"Record-Route: <sip:{INNER};lr>\nUser-Agent: inner\nServer: inner\nWarning: 399 inner \"inner\"\nOrganization: inner\n"
                    f"Call-Info: <http://inner/>\nAlert-Info: <http://inner/>\nP-Charging-Vector: icid-value=inner\nP-Access-Network-Info: inner\n"
                    f"Reply-To: <sip:inner@{INNER}>\nIn-Reply-To: inner\nHistory-Info: <sip:inner@{INNER}>\nGeolocation: <http://inner/>\n"
                    f"Subject: inner\nSession-ID: inner\nRemote-Party-ID: <sip:77@{INNER}>;party=calling\n")
    got = b.expect(method="INVITE")
    for what in (INNER, "inner"):
        assert what not in str(got.lines) + got.body, [x for x in got.lines + got.body.split("\r\n") if what in x]
    assert got.get("Call-ID") != a.call_id and len(got.all("Via")) == 1 and not got.all("Record-Route")
    b.reply(got, 180, "Ringing", extra="Server: inner\nWarning: 399 inner \"x\"\nOrganization: inner\n")
    ringing = a.expect(180)
    answer = sdp(b.rtp_port).replace("o=- 1 1 IN IP4 127.0.0.1", f"o=inner 9 1 IN IP4 {INNER}").replace("s=-", "s=inner")
    b.reply(got, 200, "inner phrase", body=answer, extra="Server: inner\nOrganization: inner\nP-Charging-Vector: icid-value=inner\n"
            "Call-Info: <http://inner/>\n")
    b.expect(method="ACK")
    ok = a.expect(200)
    for m in (ringing, ok):
        lines = [x for x in m.lines if not x.lower().startswith(("call-id", "record-route", "via"))]
        for what in (INNER, "inner"):
            assert what not in str(lines) + m.body + m.first, [x for x in lines + m.body.split("\r\n") if what in x]
    a.peer_to, a.target = ok.get("To"), re.search("<([^>]+)>", ok.get("Contact")).group(1)
    a.request("ACK", cseq=a.cseq)
    b.enter(got)
    b.own_request("BYE", extra="Reason: SIP;cause=200;text=\"inner\"\nServer: inner\n")
    b.expect(200)


# ---- lists of addresses
def test_access_lists_by_name(sw):
    deadline = time.monotonic() + 10
    while sw.api("acl 127.0.8.1 by-name") != "true":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert sw.api("acl 127.0.8.2 by-name") == "false"
    sw.names.rules["pbx.test"] = "127.0.8.2"  # a name that is asked again after a reload; the other one never answers
    acl = sw.root / "conf/autoload_configs/acl.conf.xml"
    acl.write_text(acl.read_text().replace('host="pbx.test"', 'host="new.pbx.test"'))
    begin = time.monotonic()
    assert sw.api("reloadacl").startswith("+OK")
    assert time.monotonic() - begin < 8  # nothing waits for the silent one
    while sw.api("acl 127.0.8.2 by-name") != "true":
        assert time.monotonic() < deadline + 10
        time.sleep(0.05)
    assert sw.api("acl 127.0.8.1 by-name") == "false"


def test_proxies_tell_who_asked_them(sw, phone):
    """Only who is on apply-proxy-acl is believed about X-AUTH-IP."""
    def code(source, claimed):
        with sayers(sw) as make:
            p = make("x", sw.sip_port, host=source)
            p.call("7999", extra=f"X-AUTH-IP: {claimed}\n" if claimed else "")
            m = p.final()
            if m.code >= 300:
                p.ack_failure(m)
            else:
                p.peer_to, p.target = m.get("To"), re.search("<([^>]+)>", m.get("Contact")).group(1)
                p.request("ACK", cseq=p.cseq)
                p.bye()
            return m.code
    set_params(sw, "internal", apply_inbound_acl="127.0.8.50/32", apply_proxy_acl="127.0.8.51/32")
    assert code("127.0.8.50", None) == 200
    assert code("127.0.8.51", None) == 407
    assert code("127.0.8.51", "127.0.8.50") == 200
    assert code("127.0.8.51", "127.0.8.52") == 407
    assert code("127.0.8.52", "127.0.8.50") == 407
    set_params(sw, "internal", apply_inbound_acl="domains", apply_proxy_acl=None)


# ---- expensive destinations
def fraud_conf(sw, **values):
    values = {"enabled": "true", "night": "", **{k.replace("_", "-"): v for k, v in values.items()}}
    lines = "".join(f'<param name="{k}" value="{v}"/>' for k, v in values.items())
    (sw.root / "conf/autoload_configs/fraud.conf.xml").write_text(
        f'<configuration name="fraud.conf"><settings>{lines}</settings><rules><rule name="abroad" prefixes="00" except="0049" '
        'calls="2" minutes="30"/><rule name="premium" prefixes="0900" calls="1"/></rules></configuration>')


def test_expensive_calls_are_bounded(fresh):
    sw = fresh
    sw.svc_port = t.free_port()
    fraud_conf(sw)
    (sw.root / "conf/dialplan/default/border.xml").write_text("<include>" + extension(
        r"(00\d+|0900\d+)", f"bridge sofia/external/$1@127.0.0.1:{sw.svc_port}") + "</include>")
    sw.start()
    assert sw.api("fraud check 0044123").strip() == "abroad" and sw.api("fraud check 004930").strip() == "no rule"
    events = sw.esl()
    events.subscribe("CUSTOM tandem::fraud")
    with sayers(sw) as make:
        trunk = make("svc", sw.ext_port)
        trunk.move(port=sw.svc_port)

        def dial(user, number):
            """True when it reaches the trunk."""
            p = make(user)
            p.invite(number)
            try:
                req = trunk.expect(method="INVITE", timeout=2)
            except AssertionError:
                p.ack_failure(p.final())
                return False
            trunk.reply(req, 200, "OK", sdp(trunk.rtp_port))
            trunk.expect(method="ACK")
            p.answered()
            p.bye()
            trunk.reply(trunk.expect(method="BYE"), 200, "OK")
            return True
        assert dial("1000", "0044123") and dial("1000", "0044124")
        assert not dial("1000", "0044125")
        e = events.wait_event("CUSTOM", Action="block")
        assert (e["Account"], e["Rule"], e["Number"]) == ("1000@127.0.0.1", "abroad", "0044125")
        assert dial("1000", "004930")       # no rule is about it
        assert dial("1001", "0044123")      # another account
        assert not dial("1000", "0900123")  # a blocked account makes no expensive call at all
        sw.wait_calls(0)
        sw.stop()
        sw.start()
        deadline = time.monotonic() + 10
        while "1000@127.0.0.1,2" not in sw.api("fraud list"):  # the block is back
            assert time.monotonic() < deadline, sw.api("fraud list")
            time.sleep(0.05)
        assert "1001@127.0.0.1,abroad,0,1,2" in sw.api("fraud list")  # and the hour
        assert not dial("1000", "0044123")
        assert sw.api("fraud release 1000@127.0.0.1").startswith("+OK 1")
        assert dial("1000", "0044123")
        assert dial("1001", "0044124") and not dial("1001", "0044125")
        assert sw.api("fraud release all").startswith("+OK 1")
    events.close()
