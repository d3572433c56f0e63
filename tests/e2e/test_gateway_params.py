"""What each parameter of a <gateway> does, seen from a peer that answers by hand; test_gateway.py has a whole trunk."""
import re
import socket
import uuid

import pytest
from security.sayer import Sayer
from wire import Message, sdp

pytestmark = pytest.mark.leaks


class Peer(Sayer):
    """The gateway's far side: a registrar without digest, and whatever else the test says."""

    def __init__(self, sw, name="peer"):
        super().__init__(sw, name, sw.ext_port)

    def grant(self, code=200, reason="OK", expires=60, extra=""):
        req = self.expect(method="REGISTER")
        self.reply(req, code, reason, extra=f"Contact: {req.get('Contact')};expires={expires}\n{extra}" if code == 200 else extra)
        return req

    def reply(self, req, code, reason="x", body="", extra="", tag=True, ctype="application/sdp"):
        to = req.get("To")
        if tag and "tag=" not in to:
            to += f";tag={self.tag}"
        contact = "" if "Contact:" in extra else f"Contact: {self.contact()}\n"
        text = (f"SIP/2.0 {code} {reason}\n" + "".join(f"Via: {v}\n" for v in req.all("Via"))
                + "".join(f"Record-Route: {r}\n" for r in req.all("Record-Route"))
                + f"From: {req.get('From')}\nTo: {to}\nCall-ID: {req.get('Call-ID')}\nCSeq: {req.get('CSeq')}\n{contact}{extra}"
                + (f"Content-Type: {ctype}\n" if body else "") + f"Content-Length: {len(body)}\n\n")
        self.s.sendall(text.replace("\n", "\r\n").encode() + body.encode())


@pytest.fixture
def peer(sw):
    p = Peer(sw)
    yield p
    p.close()


@pytest.fixture
def gateway(sw, peer):
    """gateway(name=value ...): a gateway to the peer; at the end it is gone. inner: what stands in it besides."""
    made = []

    def make(inner="", name=None, **params):
        name = name or f"g{len(made)}{uuid.uuid4().hex[:6]}"
        p = {"username": "lab", "password": "secret", "proxy": f"127.0.0.1:{peer.port}", "register": "false", **params}
        text = "".join(f'<param name="{k.replace("_", "-")}" value="{v}"/>' for k, v in p.items() if v is not None)
        path = sw.root / f"conf/sip_profiles/external/{name}.xml"
        path.write_text(f'<include>\n<gateway name="{name}">{text}{inner}</gateway>\n</include>\n')
        made.append((name, path))
        assert sw.api("sofia profile external rescan") == "Reload XML [Success]\n+OK scan complete\n"
        return name
    yield make
    for name, path in made:
        path.unlink(missing_ok=True)
        sw.api(f"sofia profile external killgw {name}")
    sw.api("hupall")
    sw.wait_calls(0)


def row(sw, name, label):
    return re.search(rf"^{label} *\t(.*)$", sw.api(f"sofia status gateway {name}"), re.M).group(1)


def dial(sw, peer, name, extra=""):
    """A call by the gateway, which the peer refuses; its INVITE."""
    sw.api(f"bgapi originate {{origination_caller_id_name=Ann,origination_caller_id_number=4711{extra}}}sofia/gateway/{name}/123 &park")
    invite = peer.expect(method="INVITE")
    peer.reply(invite, 486, "Busy Here")
    peer.expect(method="ACK")
    return invite


def test_addresses(sw, peer, gateway):
    """From and To are of the proxy unless from-user, from-domain say otherwise; realm is of digest only."""
    at = f"127.0.0.1:{peer.port}"
    name = gateway(register="true", realm="lab.example", expire_seconds="60")
    req = peer.grant(expires=30)
    assert req.first == f"REGISTER sip:{at};transport=udp SIP/2.0"
    assert req.get("From").startswith(f"<sip:lab@{at}>;tag=") and req.get("To") == f"<sip:lab@{at}>" and req.get("Expires") == "60"
    assert req.get("Contact") == f"<sip:gw+{name}@127.0.0.1:{sw.ext_port};transport=udp;gw={name}>"
    assert (row(sw, name, "Realm"), row(sw, name, "To"), row(sw, name, "Expires")) == ("lab.example", f"sip:lab@{at}", "60")

    name = gateway(register="true", from_user="fu", from_domain="fd.example")
    req = peer.grant()
    assert req.get("From").startswith("<sip:fu@fd.example>;") and req.get("To") == "<sip:fu@fd.example>"
    assert row(sw, name, "To") == f"sip:lab@{at}" and row(sw, name, "From") == "<sip:fu@fd.example>"
    invite = dial(sw, peer, name)
    assert "<sip:fu@fd.example>" in invite.get("From") and "<sip:4711@fd.example>" in invite.get("Remote-Party-ID")

    gateway(register="true", from_user="fu", from_domain="fd.example", distinct_to="true")
    assert peer.grant().get("To") == f"<sip:lab@{at}>"


def test_contact(sw, peer, gateway):
    name = gateway(register="true", extension="77", extension_in_contact="true", contact_params="lab=1", contact_host="c.example")
    assert peer.grant().get("Contact") == f"<sip:77@c.example:{sw.ext_port};lab=1;transport=udp;gw={name}>"
    name = gateway(register="true", contact_host="sip-ip")
    assert peer.grant().get("Contact") == f"<sip:gw+{name}@127.0.0.1:{sw.ext_port};transport=udp;gw={name}>"


def test_flows(sw, peer, gateway):
    """rfc-5626: reg-id and an instance that outlives the gateway."""
    def instance(**more):
        name = gateway(name="flow", register="true", rfc_5626="true", **more)
        req = peer.grant()
        assert "outbound" in ",".join(req.all("Supported"))
        sw.api(f"sofia profile external killgw {name}")
        peer.grant(expires=0)
        return re.search(r'>;reg-id=(\d+);\+sip.instance="<urn:uuid:([0-9a-f-]{36})>"$', req.get("Contact")).groups()
    first, second = instance(reg_id="3"), instance()
    assert first == ("3", second[1]) and second[0] == "1"
    gateway(register="true", rfc_5626="true")
    assert second[1] not in peer.grant().get("Contact")


def test_proxies(sw, peer, gateway):
    """register-proxy for REGISTER, outbound-proxy for calls; the request URI stays the proxy's."""
    name = gateway(register="true", proxy="far.example", register_proxy="127.0.0.1", register_proxy_port=str(peer.port),
                   outbound_proxy=f"sip:127.0.0.1:{peer.port}")
    assert peer.grant().first == "REGISTER sip:far.example;transport=udp SIP/2.0"
    assert dial(sw, peer, name).first == "INVITE sip:123@far.example SIP/2.0"


def test_tcp(sw, gateway):
    """register-transport tcp: the peer is a TCP server."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(8)
    port = server.getsockname()[1]
    name = gateway(register="true", proxy=f"127.0.0.1:{port}", register_transport="tcp")
    conn, _ = server.accept()
    conn.settimeout(8)

    def take(method):
        data = b""
        while b"\r\n\r\n" not in data:
            data += conn.recv(65536)
        m = Message(data.decode())
        assert m.method == method, m
        return m

    def say(m, code, extra=""):
        conn.sendall((f"SIP/2.0 {code} x\r\n" + "".join(f"Via: {v}\r\n" for v in m.all("Via")) + f"From: {m.get('From')}\r\nTo: {m.get('To')};tag=1\r\n"
                      f"Call-ID: {m.get('Call-ID')}\r\nCSeq: {m.get('CSeq')}\r\n{extra}Content-Length: 0\r\n\r\n").encode())
    m = take("REGISTER")
    assert m.first == f"REGISTER sip:127.0.0.1:{port};transport=tcp SIP/2.0" and "SIP/2.0/TCP" in m.get("Via")
    assert m.get("From").startswith(f"<sip:lab@127.0.0.1:{port};transport=tcp>") and ";transport=tcp;gw=" in m.get("Contact")
    say(m, 200, f"Contact: {m.get('Contact')};expires=60\r\n")
    sw.api(f"bgapi originate sofia/gateway/{name}/123 &park")
    m = take("INVITE")
    assert m.first == f"INVITE sip:123@127.0.0.1:{port};transport=tcp SIP/2.0"
    say(m, 486)
    assert take("ACK")
    conn.close()
    server.close()


@pytest.mark.parametrize("value,header", [("pid", "P-Asserted-Identity"), ("rpid", "Remote-Party-ID"), ("none", None)])
def test_cid_type(sw, peer, gateway, value, header):
    invite = dial(sw, peer, gateway(cid_type=value))
    for name in ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"):
        assert bool(invite.get(name)) == (name == header), invite.lines


def test_caller_id_in_from_and_prefix(sw, peer, gateway):
    name = gateway(caller_id_in_from="true", destination_prefix="00", inner='<variables><variable name="sip_h_X-Out" value="1" '
                   'direction="outbound"/><variable name="sip_h_X-In" value="1" direction="inbound"/></variables>')
    invite = dial(sw, peer, name)
    assert invite.first.startswith("INVITE sip:00123@") and '"Ann" <sip:4711@' in invite.get("From")
    assert invite.get("X-Out") == "1" and not invite.get("X-In")


def events_of(sw, *names):
    e = sw.esl()
    e.subscribe("CUSTOM " + " ".join(names))
    return e


def test_states_and_waits(sw, peer, gateway):
    """REGED, FAIL_WAIT with retry-seconds; UNREGED when the time is there."""
    e = events_of(sw, "sofia::gateway_state")
    name = gateway(register="true", retry_seconds="5")

    def told():
        got = e.wait_event("CUSTOM", Gateway=name)
        return [got.get(k) for k in ("State", "Ping-Status", "Status", "Phrase", "Register-Network-Port")]
    port = str(peer.port)
    assert told() == ["TRYING", "DOWN", None, None, None]
    peer.grant(403, "Forbidden")
    assert told() == ["FAILED", "DOWN", "403", "Forbidden", port] and told() == ["FAIL_WAIT", "DOWN", None, None, port]
    assert int(re.search(r"\(retry: (\d+)s\)", sw.api("sofia status")).group(1)) <= 5
    assert int(re.search(r"<retry>(\d+)s</retry>", sw.api(f"sofia xmlstatus gateway {name}")).group(1)) <= 5
    sw.api(f"sofia profile external register {name}")
    peer.grant(503, "Busy")
    sw.wait_log(f"gateway {name} failed to register [503]; tried again in 5 seconds")
    [told() for _ in range(3)]
    assert told()[0] == "UNREGED" and told()[0] == "TRYING"  # after the five seconds
    peer.grant()
    assert told() == ["REGISTER", "DOWN", "200", "OK", port] and told() == ["REGED", "UP", None, None, port]
    assert sw.api(f"sofia profile external unregister {name}") == "+OK\n"
    assert peer.grant(expires=0).get("Expires") == "0"
    assert told() == ["DOWN", "DOWN", None, None, port] and row(sw, name, "State") == "DOWN"
    assert sw.api(f"originate sofia/gateway/{name}/1 &park") == "-ERR GATEWAY_DOWN\n"
    e.close()


def test_killgw_and_startgw(sw, peer, gateway):
    name = gateway(register="true")
    peer.grant()
    assert row(sw, name, "State") == "REGED"
    e = events_of(sw, "sofia::gateway_state", "sofia::gateway_delete", "sofia::gateway_add")
    assert sw.api(f"sofia profile external killgw {name}") == "+OK gateway marked for deletion.\n"
    assert e.wait_event("CUSTOM", Gateway=name)["State"] == "DOWN"
    assert e.wait_event("CUSTOM", Gateway=name)["Event-Subclass"] == "sofia::gateway_delete"
    assert peer.grant(expires=0).get("Expires") == "0"
    assert sw.api(f"sofia profile external startgw {name}") == "+OK gateway started\n"
    assert e.wait_event("CUSTOM", Gateway=name)["Event-Subclass"] == "sofia::gateway_add"
    peer.grant()
    e.close()


def test_register_all_leaves_those_alone_that_do_not_register(sw, peer, gateway):
    one, other = gateway(register="true"), gateway()
    peer.grant()
    assert sw.api("sofia profile external register all") == "+OK\n"
    assert f"gw={one}>" in peer.grant().get("Contact")
    assert row(sw, other, "State") == "NOREG"
    peer.expect_nothing("REGISTER", 0.3)
    assert sw.api("sofia profile external gwlist up").split()[:2] == [other, one]  # the latest first


def test_pings(sw, peer, gateway):
    """ping, ping-max, ping-min, ping-user-agent, contact-in-ping, ping-monitoring; a gateway that is down gets no call."""
    e = events_of(sw, "sofia::gateway_state")
    name = gateway(ping="5", ping_max="2", ping_min="1", ping_user_agent="pinger", contact_in_ping="true", ping_monitoring="true",
                   from_domain="fd.example")

    def ping(code, reason):
        m = peer.expect(method="OPTIONS")
        assert m.first == f"OPTIONS sip:127.0.0.1:{peer.port};transport=udp SIP/2.0" and m.get("User-Agent") == "pinger"
        assert m.get("From").startswith("<sip:fd.example>") and m.get("To") == "<sip:fd.example>" and f"gw={name}" in m.get("Contact")
        peer.reply(m, code, reason)
        got = e.wait_event("CUSTOM", Gateway=name, Status=str(code))
        assert got["Phrase"] == reason and got["State"] == "NOREG"
        return row(sw, name, "PingState"), row(sw, name, "Status")
    assert ping(200, "OK") == ("1/1/2", "UP")
    assert ping(503, "Service Unavailable") == ("1/0/2", "DOWN")
    assert sw.api(f"originate sofia/gateway/{name}/1 &park") == "-ERR GATEWAY_DOWN\n"
    e.close()


def test_too_short_a_ping_is_none(sw, gateway):
    name = gateway(ping="2", ping_max="2")
    assert (row(sw, name, "PingFreq"), row(sw, name, "PingState")) == ("0", "0/0/0")


def test_a_subscription(sw, peer, gateway):
    """SUBSCRIBE once it is registered; NOTIFY is told; refreshed in its dialog; begun anew when it ends; ended with the gateway."""
    name = gateway(register="true", inner='<subscriptions><subscription event="message-summary" '
                   'content-type="application/simple-message-summary" expires="20" retry-seconds="5"/></subscriptions>')
    peer.grant()
    e = sw.esl()
    e.subscribe("NOTIFY_IN")
    sub = peer.expect(method="SUBSCRIBE")
    assert sub.first == f"SUBSCRIBE sip:127.0.0.1:{peer.port};transport=udp SIP/2.0"
    assert (sub.get("Event"), sub.get("Expires"), sub.get("Accept")) == ("message-summary", "20", "application/simple-message-summary")
    peer.reply(sub, 200, "OK", extra="Expires: 5\n")
    target = re.search("<([^>]+)>", sub.get("Contact")).group(1)

    def notify(state, body="", cseq=None, event="message-summary", call_id=None):
        peer.frm = sub.get("To")
        peer.request("NOTIFY", target, sub.get("From"), call_id or sub.get("Call-ID"), body, f"Event: {event}\nSubscription-State: {state}\n", cseq,
                     ctype="application/simple-message-summary")
        return peer.final().code
    assert notify("active;expires=5", "Messages-Waiting: yes\r\n", 7) == 200
    got = e.wait_event("NOTIFY_IN")
    assert (got["event"], got["gateway_name"], got["pl_data"]) == ("message-summary", name, "Messages-Waiting: yes\r\n")
    assert got["sip_content_type"] == "application/simple-message-summary" and got["profile_name"] == "external"
    assert notify("active", cseq=7) == 500 and notify("active", cseq=8, event="dialog") == 489
    assert notify("active", cseq=9, call_id="someone-elses") == 481
    again = peer.expect(method="SUBSCRIBE")  # three seconds later
    assert again.get("To") == f"{sub.get('To')};tag={peer.tag}" and again.get("Call-ID") == sub.get("Call-ID")
    assert again.first.startswith(f"SUBSCRIBE sip:peer@127.0.0.1:{peer.port} ")
    peer.reply(again, 200, "OK", extra="Expires: 20\n")
    assert notify("terminated;reason=deactivated", cseq=20) == 200
    sub = peer.expect(method="SUBSCRIBE", timeout=10)
    assert "tag=" not in sub.get("To") and sub.get("Call-ID") != again.get("Call-ID")
    peer.reply(sub, 200, "OK")
    assert row(sw, name, "State") == "REGED"
    sw.api(f"sofia profile external killgw {name}")
    end = peer.expect(method="SUBSCRIBE")
    assert end.get("Expires") == "0" and end.get("Call-ID") == sub.get("Call-ID")
    e.close()


def test_extension_auto_to_user(sw, peer, gateway, parked):
    name = gateway(extension="auto_to_user", inner='<variables><variable name="inbound_only" value="yes" direction="inbound"/></variables>')
    (sw.root / "conf/dialplan/public/dids.xml").write_text('<include><extension name="did"><condition field="destination_number" '
                                                           'expression="^5551234$"><action application="park"/></condition></extension></include>')
    sw.api("reloadxml")
    peer.call_id = uuid.uuid4().hex
    peer.uri = f"sip:gw+{name}@127.0.0.1:{sw.ext_port};gw={name}"
    peer.request("INVITE", peer.uri, f"<sip:5551234@127.0.0.1:{peer.port}>", body=sdp(peer.rtp_port))
    of = parked()
    assert of("sip_gateway") == name and of("inbound_only") == "yes" and of("sip_req_params") == f"gw={name}"


def test_bad_words_are_told(sw, gateway):
    gateway(name="bad1", reg_id="x", rfc_5626="true", contact_params="&lt;&gt;", ping="9", ping_min="3", ping_max="2",
            inner='<subscriptions><subscription event="not a token"/></subscriptions>')
    for text in ("gateway bad1: reg-id x is no number", "contact-params &lt;&gt; is no list".replace("&lt;", "<").replace("&gt;", ">"),
                 "ping-min 3 is above ping-max 2", "a subscription ("):
        sw.wait_log(text)
