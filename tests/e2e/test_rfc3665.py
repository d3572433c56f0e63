"""The flows of RFC 3665 (SIP basic call flow examples): registrations, sessions that are set up and that are not, with the switch in the
place of the RFC's proxies and registrar, directly and with Debian's Kamailio as the proxy on both sides of it."""
import re

import pytest
from calls import cancelled, ended, extension, is_pair, talks, write_extensions
from kamailio import is_here
from proxy import Kamailio
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks
needs_kamailio = pytest.mark.skipif(not is_here(), reason="Debian's kamailio is not here")


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    folder = tmp_path_factory.mktemp("rfc3665")
    s = t.Tandem(folder / "instance")
    s.at = add_profile(s, "trunk")
    s.slow = add_profile(s, "fast_timers", timer_T1="50", timer_T1X64="4000")
    to = "sofia/{}/svc@127.0.0.1:${{sip_h_X-Port}}".format
    write_extensions(s, [
        extension("7801", "bridge " + to("trunk")), extension("7802", "set call_timeout=1", "bridge " + to("trunk")),
        extension("7803", "set call_timeout=1", "bridge " + to("fast_timers")),
        extension("7804", "set continue_on_fail=true", f"bridge [leg_timeout=1]sofia/fast_timers/dead@127.0.0.1:{t.free_port()}|" + to("trunk")),
        extension("7810", "bridge " + to("trunk") + ";fs_path=sip:127.0.0.1:${sip_h_X-Proxy};lr")])
    s.start()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def proxy(sw, tmp_path_factory):
    k = Kamailio(tmp_path_factory.mktemp("kamailio"), sw.at)
    yield k
    k.stop()


# ---- 2: registration

def bindings(ok):
    return sorted(re.search("<([^>]+)>", c).group(1) for line in ok.all("Contact") for c in line.split(","))


def registers(p, contact=None, expires=300, extra=""):
    """Through the challenge; contact "" asks only."""
    uri, to = f"sip:{p.sw.domain}", f"<sip:{p.user}@{p.sw.domain}>"
    own = p.contact
    p.contact = lambda: contact if contact else own()

    def say(more):
        text = f"Expires: {expires}\n{extra}{more}"
        if contact == "":
            p.cseq += 1
            p.send(f"REGISTER {uri} SIP/2.0\nVia: {p.via()}\nMax-Forwards: 70\nFrom: {to};tag={p.tag}\nTo: {to}\nCall-ID: r-{p.tag}\n"
                   f"CSeq: {p.cseq} REGISTER\n{more}Content-Length: 0\n\n")
        else:
            p.request("REGISTER", uri, to, f"r-{p.tag}", extra=text)
    say("")
    challenge = p.expect(401)
    assert "Digest" in challenge.get("WWW-Authenticate")
    say(p.authorization(challenge, "REGISTER", uri))
    p.contact = own


def test_2_1_to_2_4_registrations(sw, phone):
    p = phone("1002", register=False)
    registers(p)
    mine = re.search("<(.*)>", p.contact()).group(1)
    assert [b.split(";")[0] for b in bindings(p.expect(200))] == [mine], "2.1 new"
    registers(p, "")
    assert len(bindings(p.expect(200))) == 1, "2.3 asked for"
    moved = f"<sip:{p.user}@127.0.0.1:{p.port};x=moved>"
    registers(p, moved)
    assert any("moved" in b for b in bindings(p.expect(200))), "2.2 updated"
    registers(p, "*", expires=0)
    assert not p.expect(200).all("Contact"), "2.4 cancelled"
    registers(p, "")
    assert not p.expect(200).all("Contact")


def test_2_5_a_wrong_password(sw, phone):
    p = phone("1003", register=False)
    right = dict(sw.passwords)
    sw.passwords["1003"] = "wrong"
    try:
        registers(p)
        assert p._read(5).code in (401, 403)
    finally:
        sw.passwords.update(right)
    assert "1003," not in sw.api("show registrations")


# ---- 3: sessions

def ends(sw, phone, number="7801", at=None, hz=(500, 900), extra="", body=None, port=None):
    """Caller and called of a call that has just begun."""
    a = phone("ext", register=False, kind=Trunk, at=at or sw.at, hz=hz[0])
    b = phone("svc", register=False, kind=Trunk, at=port or sw.at, hz=hz[1])
    a.invite(number, body=body, extra=f"X-Port: {b.port}\n{extra}")
    return a, b


def accepts(a, b, invite):
    b.reply(invite, 180, "Ringing")
    assert a.expect(180).get("To").count("tag=") == 1
    b.reply(invite, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    b.enter(invite)


def test_3_1_directly(sw, phone):
    a, b = ends(sw, phone)
    invite = b.expect(method="INVITE")
    accepts(a, b, invite)
    a.answered()
    talks(a, b)
    is_pair(a, b)
    b.own_request("BYE")
    b.expect(200)
    ended(a)


class ByProxy(Trunk):
    """Its requests inside a dialog follow the route set."""
    def routed(self, response):
        self.routes = "".join(f"Route: {r}\n" for r in reversed(response.all("Record-Route")))

    def ack(self, ok):
        self.routed(ok)
        self.early(ok)
        self.request("ACK", cseq=int(ok.get("CSeq").split()[0]), extra=self.routes)
        m = re.search(r"m=audio (\d+)", ok.body)
        self.remote_rtp = int(m.group(1))


def through(sw, phone, proxy, extra="", hz=(500, 900)):
    a = phone("ext", register=False, kind=ByProxy, at=proxy.port, hz=hz[0])
    b = phone("svc", register=False, kind=Trunk, at=proxy.port, hz=hz[1])
    a.invite("7810", extra=f"X-Port: {b.port}\nX-Proxy: {proxy.port}\n{extra}")
    return a, b


@needs_kamailio
def test_3_2_through_proxies(sw, phone, proxy):
    a, b = through(sw, phone, proxy)
    invite = b.expect(method="INVITE")
    assert len(invite.all("Via")) == 2 and str(proxy.port) in invite.get("Record-Route")
    accepts(a, b, invite)
    ok = a.expect(200)
    assert str(proxy.port) in ok.get("Record-Route")
    a.ack(ok)
    talks(a, b)
    is_pair(a, b)
    a.request("BYE", extra=a.routes)
    a.expect(200)
    bye = ended(b)
    assert len(bye.all("Via")) == 2, "the BYE to the called went by the proxy too"


@needs_kamailio
def test_3_3_each_proxy_asks(sw, phone, tmp_path):
    """Kamailio for one realm, the switch for another."""
    k = Kamailio(tmp_path, sw.sip_port, asks=True)
    try:
        a = phone("1001", register=False, kind=ByProxy, at=k.port)
        b = phone("1002", register=False)
        b.register()
        a.invite("1002")
        first = a.expect(407)
        assert 'realm="atlanta.example.com"' in first.get("Proxy-Authenticate")
        a.ack_failure(first)
        own, a.password = a.password, "lab1234"
        answer = a.authorization(first, "INVITE", a.uri)
        a.password = own
        a.request("INVITE", a.uri, a.to, body=sdp(a.rtp_port), extra=answer)
        second = a.expect(407)
        assert "atlanta" not in second.get("Proxy-Authenticate")
        a.ack_failure(second)
        a.request("INVITE", a.uri, a.to, body=sdp(a.rtp_port), extra=answer + a.authorization(second, "INVITE", a.uri))
        invite = b.expect(method="INVITE")
        b.reply(invite, 200, "OK", sdp(b.rtp_port))
        b.expect(method="ACK")
        ok = a.expect(200)
        a.ack(ok)
        a.request("BYE", extra=a.routes)
        a.expect(200)
        ended(b)
    finally:
        k.stop()


def test_3_4_a_proxy_that_is_dead(sw, phone):
    a, b = ends(sw, phone, "7804")
    invite = b.expect(method="INVITE")
    accepts(a, b, invite)
    a.answered()
    a.bye()
    ended(b)


def test_3_5_an_alg_that_rewrites_addresses(sw, phone):
    """Between the phones stands somebody whose address is in the session description: media comes from there."""
    a, b = ends(sw, phone, body=sdp(40000, host="127.0.0.9"))
    invite = b.expect(method="INVITE")
    accepts(a, b, invite)
    ok = a.expect(200)
    assert "c=IN IP4 127.0.0.1" in ok.body
    a.early(ok)
    a.request("ACK", cseq=int(ok.get("CSeq").split()[0]))
    a.bye()
    ended(b)


def test_3_6_redirected_and_sdp_in_the_ack(sw, phone):
    a, b = ends(sw, phone, body="")
    first = a.expect(200)  # our offer
    a.early(first)
    a.request("ACK", cseq=int(first.get("CSeq").split()[0]), body=sdp(a.rtp_port))
    c = phone("moved", register=False, kind=Trunk, at=sw.at)
    c.move("127.0.0.9")  # not of our own domain
    c.contact = lambda: f"<sip:moved@127.0.0.9:{c.port}>"
    invite = b.expect(method="INVITE")
    b.contact = lambda: f"<sip:moved@127.0.0.9:{c.port}>"
    b.reply(invite, 302, "Moved Temporarily")
    b.expect(method="ACK")
    again = c.expect(method="INVITE")
    c.reply(again, 200, "OK", sdp(c.rtp_port))
    c.expect(method="ACK")
    c.enter(again)
    a.bye()
    ended(c)


def test_3_7_a_reinvite_with_another_address(sw, phone):
    a, b = ends(sw, phone)
    invite = b.expect(method="INVITE")
    accepts(a, b, invite)
    a.answered()
    a.request("INVITE", body=sdp(a.rtp_port, version=2), extra="Subject: moved\n")
    a.answered()
    talks(a, b)
    is_pair(a, b)
    a.bye()
    ended(b)


def test_3_8_no_answer(sw, phone):
    """Cancelled by the caller, and by the switch when its time is over."""
    a, b = ends(sw, phone)
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, "Ringing")
    a.expect(180)
    a.cancel()
    a.expect(200)
    a.ack_failure(a.expect(487))
    cancelled(b, invite)
    a, b = ends(sw, phone, "7802")
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, "Ringing")
    cancelled(b, invite)
    assert a.expect(480)


@needs_kamailio
def test_3_8_through_proxies(sw, phone, proxy):
    a, b = through(sw, phone, proxy)
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, "Ringing")
    a.expect(180)
    a.cancel()
    a.expect(200)
    a.ack_failure(a.expect(487))
    cancelled(b, invite)


@pytest.mark.parametrize("code,phrase", [(486, "Busy Here"), (480, "Temporarily Unavailable"), (404, "Not Found")])
def test_3_9_and_3_11_refused(sw, phone, code, phrase):
    a, b = ends(sw, phone)
    invite = b.expect(method="INVITE")
    b.reply(invite, code, phrase)
    b.expect(method="ACK")
    a.ack_failure(a.expect(code))


@needs_kamailio
def test_3_9_busy_through_proxies(sw, phone, proxy):
    a, b = through(sw, phone, proxy)
    invite = b.expect(method="INVITE")
    b.reply(invite, 486, "Busy Here")
    b.expect(method="ACK")
    a.ack_failure(a.expect(486))


def test_3_10_no_response(sw, phone):
    a, b = ends(sw, phone, "7803", port=sw.slow)
    assert b.expect(method="INVITE") and b.expect(method="INVITE"), "it is sent again"
    refused = a.expect(480)
    a.ack_failure(refused)
