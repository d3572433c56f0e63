"""Attack: a stranger writes ;gw=NAME (or the user gw+NAME) into the URI of his INVITE, and his call is taken for one that the gateway
NAME brings: its context, its extension, its variables. The name is in every Contact the switch sends, so it is no secret."""
import re

import pytest
import tandem as t
from sayer import sayers
from wire import sdp

GATEWAY = """<include>
<gateway name="{name}"><param name="username" value="u"/><param name="password" value="p"/><param name="proxy" value="{proxy}"/>
<param name="register" value="false"/><param name="context" value="trunk"/><param name="extension" value="auto"/>{more}
<variables><variable name="in_var" value="of {name}" direction="inbound"/></variables></gateway>
</include>
"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("gwparam") / "instance", "conf")
    park = '<action application="set" data="seen=${in_var}/${sip_gateway}"/><action application="answer"/><action application="park"/>'
    for context in ("trunk", "public"):
        where = sw.root / f"conf/dialplan/{'public/any' if context == 'public' else context}.xml"
        rule = f'<extension name="{context}"><condition field="destination_number" expression="^(.*)$">{park}</condition></extension>'
        where.write_text(f"<include>\n{rule if context == 'public' else f'<context name=%s>{rule}</context>' % repr(context)}\n</include>\n")
    sw.proxy = t.free_port()
    more = {"acl": '<param name="gw-auth-acl" value="127.0.0.7/32"/>',
            "named": '<param name="ping" value="5"/>',
            "out": f'<param name="outbound-proxy" value="127.0.0.8:{sw.proxy}"/>'}
    for name in ("fixed", "acl", "named", "out"):
        host = "localhost" if name == "named" else "192.0.2.77" if name in ("acl", "out") else "127.0.0.1"
        (sw.root / f"conf/sip_profiles/external/{name}.xml").write_text(
            GATEWAY.format(name=name, proxy=f"{host}:{sw.proxy}", more=more.get(name, "")))
    sw.start()
    yield sw
    sw.stop()


@pytest.fixture
def caller(sw):
    with sayers(sw) as make:
        def at(host="127.0.0.1", port=0):
            p = make("mallory", sw.ext_port)
            p.move(host, port)
            return p
        yield at


def lands_in(sw, p, uri):
    """(context, what the gateway's variables say) of a call with that request URI."""
    events = sw.esl()
    events.subscribe("CHANNEL_PARK")
    p.call("9196", uri=uri)
    p.answered()
    e = events.wait_event("CHANNEL_PARK")
    events.close()
    p.bye()
    return e["Caller-Context"], e.get("variable_seen")


def forms(sw, name):
    at = f"127.0.0.1:{sw.ext_port}"
    return [f"sip:9196@{at};gw={name}", f"sip:gw+{name}@{at};transport=udp;gw={name}", f"sip:gw+{name}@{at}",
            f"sip:9196@{at};GW={name.upper()}"]


@pytest.mark.parametrize("name", ["fixed", "acl", "named", "out"])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
def test_a_stranger(sw, caller, name, host):
    p = caller(host)
    for uri in forms(sw, name):
        assert lands_in(sw, p, uri) == ("public", "/"), uri
    assert "CallsIN \t0" in sw.api(f"sofia status gateway {name}")
    sw.wait_log(f"names gateway {name}, whose host it is not")


def test_the_proxy_itself(sw, caller):
    p = caller(port=sw.proxy)
    assert lands_in(sw, p, forms(sw, "fixed")[0]) == ("trunk", "of fixed/fixed")
    assert lands_in(sw, p, forms(sw, "fixed")[1]) == ("trunk", "of fixed/fixed")


def test_the_outbound_proxy(sw, caller):
    assert lands_in(sw, caller("127.0.0.8", sw.proxy), forms(sw, "out")[0]) == ("trunk", "of out/out")


def test_its_acl(sw, caller):
    assert lands_in(sw, caller("127.0.0.7"), forms(sw, "acl")[0]) == ("trunk", "of acl/acl")
    assert lands_in(sw, caller("127.0.0.6"), forms(sw, "acl")[0]) == ("public", "/")


def test_an_address_it_was_found_at(sw, caller):
    """A proxy by name is believed once it has answered us: here a call; pings and registrations are the same."""
    p = caller(port=sw.proxy)
    assert lands_in(sw, p, forms(sw, "named")[0]) == ("public", "/")
    sw.api("bgapi originate sofia/gateway/named/123 &park")
    invite = p.expect(method="INVITE", timeout=15)
    p.reply(invite, 180, "Ringing")
    p.reply(invite, 486, "Busy")
    p.expect(method="ACK")
    assert lands_in(sw, p, forms(sw, "named")[0]) == ("trunk", "of named/named")
    assert lands_in(sw, caller(), forms(sw, "named")[0]) == ("public", "/")


def test_where_a_call_was_sent_to_is_not_the_gateway(sw, caller):
    """A number with a host in it, or a redirection, takes the call elsewhere: nothing is learned of that."""
    p, q = caller(), caller(port=sw.proxy)
    sw.api(f"bgapi originate sofia/gateway/fixed/123@127.0.0.1:{p.port} &park")
    invite = p.expect(method="INVITE")
    p.reply(invite, 180, "Ringing")
    p.reply(invite, 486, "Busy")
    p.expect(method="ACK")
    sw.api("bgapi originate sofia/gateway/fixed/124 &park")
    invite = q.expect(method="INVITE")
    q.send(re.sub(r"\n +", "\n", f"""SIP/2.0 302 Moved
        Via: {invite.get('Via')}
        From: {invite.get('From')}
        To: {invite.get('To')};tag=x
        Call-ID: {invite.get('Call-ID')}
        CSeq: {invite.get('CSeq')}
        Contact: <sip:124@127.0.0.1:{p.port}>
        Content-Length: 0

        """).rstrip(" "))
    invite = p.expect(method="INVITE")
    p.reply(invite, 200, "OK", sdp(p.rtp_port))
    p.expect(method="ACK")
    sw.api("hupall")
    p.reply(p.expect(method="BYE"), 200, "OK")
    sw.wait_calls(0)
    assert lands_in(sw, p, forms(sw, "fixed")[0]) == ("public", "/")
