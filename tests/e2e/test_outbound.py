"""How phones stay reachable: RFC 5626 flows (instance and reg-id, several, failover, the end of a stream, 430, 439, STUN and CRLF
keep-alives), Path (RFC 3327), OPTIONS pings; and what of it survives a restart."""
import re
import socket
import struct
import time
import uuid

import pytest
import tandem as t
from wire import Phone

URN = "urn:uuid:00000000-0000-1000-8000-0000000000%02x"


class FlowPhone(Phone):
    """One flow of an instance."""

    def __init__(self, sw, user, instance=1, reg_id=1, tcp=False, supported="path, outbound", **more):
        super().__init__(sw, user, tcp=tcp)
        self.instance, self.reg_id, self.supported = instance, reg_id, supported
        self.path = more.get("path", "")

    def contact(self):
        more = f';+sip.instance="<{URN % self.instance}>"' + (f";reg-id={self.reg_id}" if self.reg_id else "")
        return super().contact() + more

    def ask(self, expires=300, extra="", via=""):
        """A REGISTER through the challenge; its last answer, whatever it is."""
        uri, to, cid = f"sip:{self.sw.domain}", f"<sip:{self.user}@{self.sw.domain}>", f"reg-{self.port}-{self.tag}"
        more = f"{via}Supported: {self.supported}\nExpires: {expires}\n{extra}"
        self.request("REGISTER", uri, to, cid, extra=more)
        challenge = self.expect(401)
        self.request("REGISTER", uri, to, cid, extra=more + self.authorization(challenge, "REGISTER", uri))
        while True:
            m = self._read(8)
            if m.code > 100:
                return m

    def register(self, expires=300, extra=""):
        ok = self.ask(expires, extra)
        assert ok.code == 200, ok
        return ok


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("outbound") / "instance")
    p = s.root / "conf/sip_profiles/internal.xml"
    p.write_text(p.read_text().replace("<settings>", '<settings><param name="timer-T1" value="50"/>'
                                       '<param name="timer-T1X64" value="1600"/>'))
    s.start()
    yield s
    s.stop()


def rows(sw, user):
    return [l for l in sw.api("show registrations").split("\n") if l.startswith(user + ",")]


def wait_rows(sw, user, count):
    deadline = time.monotonic() + 10
    while len(rows(sw, user)) != count:
        assert time.monotonic() < deadline, rows(sw, user)
        time.sleep(0.02)


def test_a_flow_is_told_and_kept_by_instance_and_reg_id(sw, phone):
    a = phone("1000", kind=FlowPhone, instance=1)
    ok = a.register()
    assert ok.get("Require") == "outbound" and ok.get("Flow-Timer") == "120", ok.lines
    assert f'+sip.instance="<{URN % 1}>";reg-id=1' in ok.get("Contact")
    again = phone("1000", kind=FlowPhone, instance=1)  # restarted: another port, the same flow
    assert len(rows(sw, "1000")) == 1 and f":{again.port}" in rows(sw, "1000")[0]
    other = phone("1000", kind=FlowPhone, instance=2)
    assert len(rows(sw, "1000")) == 2
    second = phone("1000", kind=FlowPhone, instance=1, reg_id=2)
    assert len(rows(sw, "1000")) == 3
    # a phone rings once, by the flow that was refreshed last
    contacts = sw.api("sofia_contact 1000@127.0.0.1").split(",")
    assert len(contacts) == 2 and any(f":{second.port}" in c for c in contacts) and any(f":{other.port}" in c for c in contacts), contacts
    for p in (again, other, second):
        p.register(expires=0)
    wait_rows(sw, "1000", 0)


@pytest.mark.parametrize("how", ["silent", "430", "closed"])
def test_a_call_goes_by_another_flow_when_one_fails(sw, phone, how):
    first = phone("1001", kind=FlowPhone, instance=3, reg_id=1)
    second = phone("1001", kind=FlowPhone, instance=3, reg_id=2, tcp=how == "closed")
    caller = phone("1002")
    if how == "closed":
        second.s.close()
        wait_rows(sw, "1001", 1)
    caller.invite("1001")
    if how == "430":
        second.reply(second.expect(method="INVITE"), 430, "Flow Failed")
    first.take()
    caller.answered()
    caller.bye()
    first.reply(first.expect(method="BYE"), 200)
    assert len(rows(sw, "1001")) == 1, "the flow that failed is forgotten"
    first.register(expires=0)


def test_both_flows_dead_end_the_call(sw, phone):
    phone("1001", kind=FlowPhone, instance=4, reg_id=1)
    phone("1001", kind=FlowPhone, instance=4, reg_id=2)
    caller = phone("1002")
    caller.invite("1001")
    deadline = time.monotonic() + 12
    while rows(sw, "1001"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    sw.wait_calls(0)


def test_another_account_takes_no_flow(sw, phone):
    phone("1003", kind=FlowPhone, instance=5)
    thief = phone("1004", kind=FlowPhone, instance=5)  # the same instance, another user: his own
    assert len(rows(sw, "1003")) == 1 and len(rows(sw, "1004")) == 1
    thief.register(expires=0)
    assert len(rows(sw, "1003")) == 1


def test_what_is_no_flow(sw, phone):
    p = phone("1005", kind=FlowPhone, instance=6, supported="path")
    assert "reg-id" not in p.register().get("Contact")
    assert p.register().get("Require") == ""
    via = "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx\n"
    q = phone("1005", kind=FlowPhone, instance=7, register=False)
    assert q.ask(via=via).code == 439
    assert q.ask(via=via, extra="Path: <sip:192.0.2.1;lr;ob>\n").code == 200
    z = phone("1005", kind=FlowPhone, instance=8, reg_id=0x80000000, register=False)
    assert z.ask().code == 400
    for path in ("x", "<tel:1>", ", ".join("<sip:h%d;lr>" % i for i in range(9)), "<sip:" + "x" * 1100 + ";lr>"):
        assert p.ask(extra=f"Path: {path}\n").code == 400, path


def test_path_is_the_route(sw, phone):
    """Two proxies on the way: both stand in Route, and the nearest gets the call."""
    proxy = phone("1006", register=False)
    p = phone("1006", kind=FlowPhone, instance=9, reg_id=0, register=False)
    one, two = f"<sip:127.0.0.1:{proxy.port};lr>", "<sip:edge.invalid:5070;lr;token=a%3bb>"
    ok = p.ask(extra=f"Path: {one}, {two}\n")
    assert ok.code == 200 and ok.all("Path") == [one, two], ok.lines
    caller = phone("1007")
    caller.invite("1006")
    invite = proxy.expect(method="INVITE")
    assert re.sub(r"\s", "", invite.get("Route")) == f"{one},{two}", invite.get("Route")
    assert invite.first == f"INVITE sip:1006@127.0.0.1:{p.port} SIP/2.0"
    proxy.reply(invite, 486)
    proxy.expect(method="ACK")
    ok = p.ask(extra=f"Path: {one}\n")
    caller.invite("1006")
    invite = proxy.expect(method="INVITE")
    assert invite.get("Route") == one
    proxy.reply(invite, 486)


def test_stun_on_the_socket_of_sip(sw):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.connect(("127.0.0.1", sw.sip_port))
    ident = uuid.uuid4().bytes[:12]
    s.send(struct.pack("!HHI", 1, 0, 0x2112a442) + ident)
    p = s.recv(2000)
    kind, n, cookie = struct.unpack("!HHI", p[:8])
    assert (kind, n, cookie, p[8:20]) == (0x101, 12, 0x2112a442, ident)
    attribute, length, family, port, host = struct.unpack("!HHHHI", p[20:32])
    assert (attribute, length, family) == (0x20, 8, 1)
    assert port ^ 0x2112 == s.getsockname()[1] and host ^ 0x2112a442 == struct.unpack("!I", socket.inet_aton("127.0.0.1"))[0]
    for bad in (struct.pack("!HHI", 1, 4, 0x2112a442) + ident, struct.pack("!HHI", 0x101, 0, 0x2112a442) + ident):
        s.send(bad)
    s.send(struct.pack("!HHI", 1, 0, 0x2112a442) + b"x" * 12)
    assert s.recv(2000)[8:20] == b"x" * 12, "only the good one is answered"


def test_crlf_both_ways(sw):
    s = socket.create_connection(("127.0.0.1", sw.sip_port))
    s.settimeout(5)
    s.sendall(b"\r\n\r\n")
    assert s.recv(10) == b"\r\n"
    s.close()


def test_survives_a_restart(sw, phone):
    p = phone("1008", kind=FlowPhone, instance=10)
    sw.stop()
    sw.start()
    wait_rows(sw, "1008", 1)
    again = phone("1008", kind=FlowPhone, instance=10)
    assert len(rows(sw, "1008")) == 1 and f":{again.port}" in rows(sw, "1008")[0], "the instance and reg-id came back"
    p.close()


@pytest.fixture
def pinging(tmp_path):
    s = t.Tandem(tmp_path / "instance")
    p = s.root / "conf/sip_profiles/internal.xml"
    p.write_text(p.read_text().replace("<settings>", "<settings>" + "".join(f'<param name="{n}" value="{v}"/>' for n, v in (
        ("all-reg-options-ping", "true"), ("ping-mean-interval", 1), ("sip-user-ping-max", 2), ("sip-user-ping-min", 1),
        ("unregister-on-options-fail", "true"), ("timer-T1", 50), ("timer-T1X64", 400)))))
    s.start()
    yield s
    s.stop()


def test_pings_tell_who_is_there(pinging):
    sw = pinging
    here, gone = Phone(sw, "1000"), Phone(sw, "1001")
    here.register(), gone.register()
    esl = sw.esl()
    esl.subscribe("CUSTOM sofia::sip_user_state sofia::expire")
    for _ in range(2):
        here.reply(here.expect(method="OPTIONS"), 200)
    assert gone.expect(method="OPTIONS").get("To") == "<sip:1001@127.0.0.1>"
    e = esl.wait_event("CUSTOM", Ping_Status="Unreachable")
    assert e["sip_user"] == "1001" and e["Event-Subclass"] == "sofia::sip_user_state" and e["Status"] == "408"
    esl.wait_event("CUSTOM", Event_Subclass="sofia::expire", user="1001")
    text = sw.api("sofia status profile internal reg")
    assert "1001@" not in text and re.search(r"Ping-Status:\tReachable\nPing-Time:\t\d+\.\d\d\n", text), text
    here.close(), gone.close()
