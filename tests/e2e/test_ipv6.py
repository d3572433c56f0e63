"""IPv6 beside IPv4: a second profile on ::1; registrations, access lists, Via, Contact, SDP; calls within and between the families with
sound both ways; real phones; the stock internal-ipv6.xml."""
import re
import shutil
import socket
import time

import pytest
import tandem as t
from phones import Baresip, Linphone, assert_hears
from talk import Talker
from wire import Phone, sdp


class Phone6(Phone):
    """A scripted phone on ::1."""

    def __init__(self, sw, user, tcp=False):
        super().__init__(sw, user)
        self.s.close()
        self.media.close()
        self.tcp = tcp
        self.s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        if not tcp:
            self.s.bind(("::1", 0))
        self.s.connect(("::1", sw.port6))
        self.port = self.s.getsockname()[1]
        self.media = Media6(socket.AF_INET6, socket.SOCK_DGRAM)
        self.media.bind(("::1", 0))
        self.rtp_port = self.media.getsockname()[1]

    def via(self, branch=None):
        return super().via(branch).replace("127.0.0.1", "[::1]")

    def contact(self):
        return super().contact().replace("127.0.0.1", "[::1]")

    def sdp(self):
        return sdp(self.rtp_port, host="::1").replace("IP4", "IP6")


class Media6(socket.socket):
    """What a Talker sends to 127.0.0.1 goes to ::1."""

    def sendto(self, data, where):
        return super().sendto(data, ("::1", where[1]))


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("v6") / "instance")
    s.port6 = t.free_port(count=2)
    profiles = s.root / "conf/sip_profiles"
    text = (profiles / "internal.xml").read_text()
    text = text.replace('name="internal"', 'name="internal-ipv6"').replace('alias="true"', 'alias="false"')
    for name in ("sip-ip", "rtp-ip"):
        text = re.sub(f'"{name}" value="[^"]*"', f'"{name}" value="::1"', text)
    text = re.sub('"sip-port" value="[^"]*"', f'"sip-port" value="{s.port6}"', text)
    (profiles / "internal-ipv6.xml").write_text(text.replace(
        '<settings>', '<settings><param name="apply-register-acl" value="six"/>'))
    acl = s.root / "conf/autoload_configs/acl.conf.xml"
    acl.write_text(acl.read_text().replace("<network-lists>", '<network-lists><list name="six" default="deny">'
                                           '<node type="allow" cidr="::1/128"/></list>'
                                           '<list name="others" default="deny"><node type="allow" cidr="2001:db8::/32"/></list>'))
    s.start()
    yield s
    s.stop()


def registered(sw, user):
    return [l for l in sw.api("show registrations").split("\n") if l.startswith(user + ",")]


def test_profile_says_where_it_listens(sw):
    text = sw.api("sofia status profile internal-ipv6")
    assert re.search(rf"^URL +\tsip:mod_sofia@\[::1\]:{sw.port6}$", text, re.M), text
    assert re.search(rf"^BIND-URL +\tsip:mod_sofia@\[::1\]:{sw.port6};transport=udp,tcp$", text, re.M), text
    assert f"sip:mod_sofia@[::1]:{sw.port6}" in sw.api("sofia status")


@pytest.mark.parametrize("tcp", [False, True])
def test_registers(sw, phone, tcp):
    p = phone("1000", kind=Phone6, tcp=tcp)
    row = next(r for r in registered(sw, "1000") if f"sip:1000@[::1]:{p.port}" in r)
    assert f",::1,{p.port},{'tcp' if tcp else 'udp'}," in row, row
    assert f"sofia/internal-ipv6/sip:1000@[::1]:{p.port}" in sw.api("sofia_contact internal-ipv6/1000@127.0.0.1")
    ok = p.register()
    via = ok.get("Via")
    assert "received=::1" in via and f"rport={p.port}" in via, via
    assert any(f"<sip:1000@[::1]:{p.port}" in c for c in ok.all("Contact"))


def test_access_lists(sw):
    assert sw.api("acl ::1 six") == "true" and sw.api("acl 2001:db8::7 six") == "false"
    assert sw.api("acl 2001:db8::7 others") == "true" and sw.api("acl ::1 loopback.auto") == "true"
    assert sw.api("acl 192.0.2.1 others") == "false"


def call(sw, a, b, number, hz_a, hz_b):
    """a calls, both hear each other; what a was told and what b was sent."""
    a.invite(number, body=a.sdp() if isinstance(a, Phone6) else None)
    invite = b.take(b.sdp() if isinstance(b, Phone6) else None)
    ok = a.answered()
    talks = [Talker(p, hz) for p, hz in ((a, hz_a), (b, hz_b))]
    try:
        for talk, hz in zip(talks, (hz_b, hz_a)):
            talk.hears(hz)
    finally:
        for talk in talks:
            talk.stop()
    a.bye()
    b.reply(b.expect(method="BYE"), 200)
    sw.wait_calls(0)
    return ok, invite


def test_calls_within_the_family(sw, phone):
    a, b = phone("1000", kind=Phone6), phone("1001", kind=Phone6)
    ok, invite = call(sw, a, b, "1001", 440, 620)
    assert re.search(r"^c=IN IP6 ::1\r?$", ok.body, re.M) and re.search(r"^o=\S+ \d+ \d+ IN IP6 ::1\r?$", ok.body, re.M), ok.body
    assert "c=IN IP6 ::1" in invite.body
    assert re.search(rf"@\[::1\]:{sw.port6}", ok.get("Contact")) and f"[::1]:{sw.port6}" in invite.get("Via")
    assert re.search(rf"<sip:\w+@\[::1\]:{sw.port6}", invite.get("Contact")), invite.get("Contact")
    assert invite.first == f"INVITE sip:1001@[::1]:{b.port} SIP/2.0"
    assert re.search(r"<sip:1000@(\[::1\]|127\.0\.0\.1)>", invite.get("From")), invite.get("From")


@pytest.mark.parametrize("tcp", [False, True])
def test_calls_between_the_families(sw, phone, tcp):
    six, four = phone("1000", kind=Phone6, tcp=tcp), phone("1001")
    ok, invite = call(sw, six, four, "1001", 440, 620)
    assert "c=IN IP6 ::1" in ok.body and "c=IN IP4 127.0.0.1" in invite.body and "IP6" not in invite.body
    assert "::1" not in invite.get("Contact") and "::1" not in invite.get("Via")
    ok, invite = call(sw, four, six, "1000", 620, 440)
    assert "c=IN IP4 127.0.0.1" in ok.body and "c=IN IP6 ::1" in invite.body and "IP4" not in invite.body
    assert f"[::1]:{sw.port6}" in invite.get("Contact")


def test_real_phones(sw, tmp_path):
    made = [Baresip(tmp_path, sw, "1002", hz=440, host="::1", port=sw.port6), Linphone(tmp_path, sw, "1003", hz=620, host="::1", port=sw.port6),
            Baresip(tmp_path, sw, "1004", hz=850)]
    bare, lin, four = made
    try:
        assert "[::1]" in registered(sw, "1002")[0] and "::1" in registered(sw, "1003")[0]
        bare.dial("1003")
        lin.answer()
        bare.wait("CALL_ESTABLISHED")
        lin.established()
        time.sleep(2)
        bare.hangup()
        lin.ended()
        sw.wait_calls(0)
        assert_hears(bare.heard(), 620)
        assert_hears(lin.heard(), 440)
        four.dial("1002")
        bare.answer()
        four.wait("CALL_ESTABLISHED")
        bare.wait("CALL_ESTABLISHED")
        time.sleep(2)
        four.hangup()
        bare.wait("CALL_CLOSED")
        sw.wait_calls(0)
        assert_hears(bare.heard(), 850)
        assert_hears(four.heard(), 440)
    finally:
        for p in made:
            p.close()


def test_stock_profile(tmp_path):
    """FreeSWITCH's own internal-ipv6.xml, with the address as the only thing that is ours."""
    if t.VANILLA.parent != t.SHARED:
        pytest.skip(t.NO_SHARED)
    sw = t.Tandem(tmp_path / "instance", "vanilla")
    conf = sw.root / "conf"
    sw.port6 = sw.sip_port
    for name in ("internal-ipv6.xml", "external-ipv6.xml"):
        shutil.copy(t.VANILLA / "sip_profiles" / name, conf / "sip_profiles" / name)
    vars_xml = conf / "vars.xml"
    vars_xml.write_text(vars_xml.read_text().replace("<include>", '<include>\n<X-PRE-PROCESS cmd="set" data="local_ip_v6=::1"/>', 1))
    sw.start()
    try:
        assert f"sip:mod_sofia@[::1]:{sw.sip_port}" in sw.api("sofia status")
        a, b = Phone6(sw, "1000"), Phone6(sw, "1001")
        a.register(), b.register()
        call(sw, a, b, "1001", 440, 620)
        a.close(), b.close()
    finally:
        sw.stop()
