"""Attack: an account of one domain logs in with its own password and registers the same user of another domain, or another user, as
its own phone; from then on that one's calls ring at the attacker. Or it takes the other's registration away (Contact: *)."""
import uuid

import pytest
import tandem as t
from sayer import sayers, set_params
from wire import sdp

DIRECTORY = """<include>
<domain name="{0}"><params><param name="dial-string" value="${{sofia_contact(*/${{dialed_user}}@${{dialed_domain}})}}"/></params>
<groups><group name="d"><users>
<user id="2000"><params><param name="password" value="pw{0}"/></params>
<variables><variable name="user_context" value="tenant_{0}"/></variables></user>
<user id="2001"><params><param name="password" value="pw1{0}"/></params></user>
</users></group></groups></domain>
</include>
"""
PLAIN = {"force_register_domain": None, "force_register_db_domain": None, "challenge_realm": "auto_from", "multiple_registrations": "contact",
         "inbound_reg_force_matching_username": "true"}


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("tenants") / "instance", "conf")
    for domain in ("a.example", "b.example"):
        (sw.root / f"conf/directory/{domain}.xml").write_text(DIRECTORY.format(domain))
    (sw.root / "conf/dialplan/tenants.xml").write_text(
        '<include>\n<context name="tenant_a.example"><extension name="p"><condition field="destination_number" expression="^9000$">'
        '<action application="answer"/><action application="park"/></condition></extension></context>\n</include>\n')
    sw.start()
    yield sw
    sw.stop()


@pytest.fixture
def people(sw):
    """The victim, 2000 of b.example, is registered; the attacker is 2000 of a.example."""
    set_params(sw, **PLAIN)
    with sayers(sw) as make:
        yield lambda user, domain, **kw: make(user, frm=f"<sip:{user}@{domain}>", password=("pw" if user == "2000" else "pw1") + domain, **kw)
    sw.api("sofia profile internal flush_inbound_reg")


def contacts(sw, who):
    return [c.split("/", 2)[2] for c in sw.api(f"sofia_contact {who}").split(",") if c.startswith("sofia/")]


def rings(p, sw, who):
    sw.api(f"bgapi originate user/{who} &park")
    p.reply(p.expect(method="INVITE"), 486, "Busy")
    p.expect(method="ACK")


@pytest.mark.parametrize("to", ["<sip:2000@b.example>", "<sip:2000@B.Example>", '"x" <sip:2000@b.example;a=b>', "<sip:2000@b.example:5060>",
                                "<sip:2001@b.example>"])
def test_of_another_domain(sw, people, to):
    a, b = people("2000", "a.example"), people("2000", "b.example")
    assert b.register_as("<sip:2000@b.example>").code == 200
    assert a.register_as(to).code == 403
    assert contacts(sw, "2000@b.example") == [f"sip:2000@127.0.0.1:{b.port}"] and not contacts(sw, "2001@b.example")
    rings(b, sw, "2000@b.example")
    a.expect_nothing("INVITE", 0.2)


def test_its_own(sw, people):
    a = people("2000", "a.example")
    assert a.register_as("<sip:2000@a.example>").code == 200
    rings(a, sw, "2000@a.example")
    assert a.register_as("<sip:2000@a.example>", contact="*", expires=0).code == 200
    assert not contacts(sw, "2000@a.example")


def test_by_an_address_of_ours(sw, people):
    """A host in To that is no domain of the directory (127.0.0.1 is one here): the binding is the login's all the same."""
    a = people("2000", "a.example")
    assert a.register_as("<sip:2000@127.0.0.1>").code == 403
    assert a.register_as("<sip:2000@pbx.elsewhere.test>").code == 200
    assert contacts(sw, "2000@a.example") == [f"sip:2000@127.0.0.1:{a.port}"]


@pytest.mark.parametrize("contact,expires", [("*", 0), ("own", 0)])
def test_takes_nobody_elses_away(sw, people, contact, expires):
    a, b = people("2000", "a.example"), people("2000", "b.example")
    mine = f"<sip:2000@127.0.0.1:{b.port}>"
    assert b.register_as("<sip:2000@b.example>").code == 200
    assert a.register_as("<sip:2000@b.example>", contact="*" if contact == "*" else mine, expires=expires).code == 403
    assert a.register_as("<sip:2000@a.example>", contact="*" if contact == "*" else mine, expires=expires).code == 200
    assert contacts(sw, "2000@b.example") == [mine[1:-1]]


@pytest.mark.parametrize("kind", ["contact", "call-id", "false"])
def test_a_shared_table(sw, people, kind):
    """force-register-db-domain keeps both domains' users under one name: each is found as its own domain's, and keeps its place."""
    set_params(sw, force_register_db_domain="shared", multiple_registrations=kind)
    a, b = people("2000", "a.example"), people("2000", "b.example")
    call_id = uuid.uuid4().hex
    assert b.register_as("<sip:2000@b.example>", call_id=call_id).code == 200
    assert a.register_as("<sip:2000@a.example>", call_id=call_id).code == 200
    assert contacts(sw, "2000@b.example") == [f"sip:2000@127.0.0.1:{b.port}"]
    assert contacts(sw, "2000@a.example") == [f"sip:2000@127.0.0.1:{a.port}"]
    answer = a.register_as("<sip:2000@a.example>")
    assert answer.code == 200 and str(b.port) not in answer.get("Contact")
    assert a.register_as("<sip:2000@a.example>", contact="*", expires=0).code == 200
    assert a.register_as("<sip:2000@a.example>", contact=f"<sip:2000@127.0.0.1:{b.port}>").code == 403
    assert contacts(sw, "2000@b.example") == [f"sip:2000@127.0.0.1:{b.port}"]


def test_a_forced_name_that_is_anothers(sw, people):
    set_params(sw, force_register_db_domain="b.example")
    a = people("2000", "a.example")
    assert a.register_as("<sip:2000@a.example>").code == 200
    assert not contacts(sw, "2000@b.example") and contacts(sw, "2000@a.example") == [f"sip:2000@127.0.0.1:{a.port}"]


def test_a_realm_of_ones_choice(sw, people):
    """With force-register-domain all log in there; a From of another domain does not make it that one's login."""
    set_params(sw, force_register_domain="a.example")
    a = people("2000", "b.example")
    a.password = "pwa.example"
    events = sw.esl()
    events.subscribe("CUSTOM sofia::register")
    assert a.register_as("<sip:2000@b.example>").code == 200
    assert not contacts(sw, "2000@b.example") and contacts(sw, "2000@a.example")
    e = events.wait_event("CUSTOM")
    assert (e["realm"], e["domain_name"], e["sip_auth_realm"]) == ("a.example",) * 3
    events.close()


def test_another_user_where_that_is_allowed(sw, people):
    """inbound-reg-force-matching-username off: an account may register others' addresses, but takes nobody's phone away."""
    set_params(sw, inbound_reg_force_matching_username="false", multiple_registrations="false")
    victim, other = people("2000", "a.example"), people("2001", "a.example")
    theirs = f"<sip:2000@127.0.0.1:{victim.port}>"
    assert victim.register_as("<sip:2000@a.example>").code == 200
    assert other.register_as("<sip:2000@a.example>").code == 200
    assert other.register_as("<sip:2000@a.example>", contact=theirs).code == 403
    assert other.register_as("<sip:2000@a.example>", contact=theirs, expires=0).code == 200
    assert other.register_as("<sip:2000@a.example>", contact="*", expires=0).code == 200
    assert contacts(sw, "2000@a.example") == [theirs[1:-1]]
    set_params(sw, inbound_reg_force_matching_username="true")
    assert other.register_as("<sip:2000@a.example>").code == 403


def test_a_call_is_in_the_logins_domain(sw, people, parked):
    """domain_name and user_context are the account's, whatever the request says of another domain."""
    a = people("2000", "a.example")
    a.call_id, a.uri, a.to = uuid.uuid4().hex, "sip:9000@b.example", "<sip:9000@b.example>"
    a.request("INVITE", a.uri, a.to, body="", extra="")
    challenge = a.final()
    a.ack_failure(challenge)
    a.request("INVITE", a.uri, a.to, body=sdp(a.rtp_port), extra=a.authorization(challenge, "INVITE", a.uri))
    a.answered()
    var = parked()
    assert (var("domain_name"), var("user_context"), var("user_name")) == ("a.example", "tenant_a.example", "2000")
    a.bye()
