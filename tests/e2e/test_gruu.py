"""GRUU (RFC 5627): what a phone is told, that calls and messages to it reach that phone only, that the public one survives a restart and
the temporary one tells nothing and ends with its Call-ID."""
import re

import pytest
import tandem as t
from calls import ended
from test_outbound import URN, FlowPhone
from wire import sdp


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("gruu") / "instance")
    p = s.root / "conf/sip_profiles/internal.xml"
    p.write_text(p.read_text().replace("<settings>", '<settings><param name="multiple-registrations" value="contact"/>'))
    s.start()
    yield s
    s.stop()


@pytest.fixture
def desk(sw, phone):
    """Two phones of 1001, one of them asking for GRUUs, and a caller."""
    def make(user, **kw):
        return phone(user, hz=0, register=False, kind=FlowPhone, reg_id=0, supported="path, gruu", **kw)
    first, second, caller = make("1001", instance=1), make("1001", instance=2), phone("1000")
    return first, second, caller


def gruus(p, ok=None):
    """(public, temporary) of its answer."""
    ok = ok or p.register()
    mine = [c for c in ok.all("Contact") if URN % p.instance in c and f":{p.port}" in c]
    return re.search(r';pub-gruu="([^"]+)"', mine[0]).group(1), re.search(r';temp-gruu="([^"]+)"', mine[0]).group(1)


def call(p, uri):
    p.call_id, p.uri, p.to = f"gruu-{p.tag}-{p.cseq}", uri, f"<{uri}>"
    p.request("INVITE", uri, p.to, body=sdp(p.rtp_port))
    no = p.expect(407)
    p.invite_branch, p.invite_cseq = p.last_branch, p.cseq
    p.ack_failure(no)
    p.request("INVITE", uri, p.to, body=sdp(p.rtp_port), extra=p.authorization(no, "INVITE", uri))
    p.invite_branch, p.invite_cseq = p.last_branch, p.cseq


def test_what_is_told(sw, desk):
    first, second, _ = desk
    public, temporary = gruus(first)
    assert public == f"sip:1001@{sw.domain};gr={URN % 1}"
    assert re.fullmatch(rf"sip:tgruu\.[0-9a-f]{{48}}@{re.escape(sw.domain)};gr", temporary)
    again = gruus(first)
    assert again[0] == public and again[1] != temporary, "each temporary one is another"
    assert again[1][:16] != temporary[:16]
    second.supported = "path"
    assert not [c for c in second.register().all("Contact") if "gruu" in c]


@pytest.mark.parametrize("which", [0, 1])
def test_a_call_reaches_that_phone_only(sw, desk, which):
    first, second, caller = desk
    uri = gruus(first)[which]
    second.register()
    for target, other in ((first, second), (second, first)):
        call(caller, gruus(target)[which])
        target.take()
        other.expect_nothing("INVITE", 0.3)
        caller.answered()
        caller.bye()
        ended(target)
    assert uri


def test_who_is_gone_and_what_is_forged(sw, desk):
    first, second, caller = desk
    public, temporary = gruus(first)
    second.register()
    first.register(expires=0)
    forged = temporary.replace("tgruu." + temporary[10:14], "tgruu." + ("0000" if temporary[10:14] != "0000" else "1111"))
    for uri, code in ((public, 480), (temporary, 404), (forged, 404), (f"sip:tgruu.x@{sw.domain};gr", 404),
                      (f"sip:1001@{sw.domain};gr={URN % 99}", 480)):
        call(caller, uri)
        no = caller.expect(code)
        caller.ack_failure(no)
    second.expect_nothing("INVITE", 0.2)


def test_a_message_reaches_that_phone_only(sw, desk):
    first, second, caller = desk
    second.register()
    for uri in gruus(first):
        caller.request("MESSAGE", uri, f"<{uri}>", "m-" + uri[-20:-4], body="hello", ctype="text/plain")
        no = caller.expect(407)
        caller.request("MESSAGE", uri, f"<{uri}>", "m-" + uri[-20:-4], body="hello", ctype="text/plain",
                       extra=caller.authorization(no, "MESSAGE", uri))
        got = first.expect(method="MESSAGE")
        assert got.body == "hello"
        first.reply(got, 200)
        caller.expect(202)
    second.expect_nothing("MESSAGE", 0.3)


def test_a_phone_whose_contact_is_its_gruu(sw, desk):
    """Requests inside the call go to the phone, not to the address: that is the switch."""
    first, _, caller = desk
    public, _ = gruus(first)
    registered = first.contact
    first.contact = lambda: f"<{public}>"
    call(caller, f"sip:1001@{sw.domain}")
    first.take()
    caller.answered()
    caller.bye()
    ended(first)
    call(first, f"sip:1000@{sw.domain}")
    caller.take()
    first.answered()
    caller.bye()
    ended(first)
    first.contact = registered


def test_over_a_restart(sw, desk):
    first, second, caller = desk
    public, temporary = gruus(first)
    second.register()
    sw.stop()
    sw.start()
    call(caller, temporary)
    caller.ack_failure(caller.expect(404))
    call(caller, public)
    first.take()
    second.expect_nothing("INVITE", 0.3)
    caller.answered()
    caller.bye()
    ended(first)


def test_a_new_call_id_ends_the_temporary_one(sw, desk):
    first, _, caller = desk
    public, temporary = gruus(first)
    first.tag = "x" + first.tag  # of which the Call-ID of its REGISTER is made
    gruus(first)
    call(caller, temporary)
    caller.ack_failure(caller.expect(404))
    call(caller, public)
    first.take()
    caller.answered()
    caller.bye()
    ended(first)
