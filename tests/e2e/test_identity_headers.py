"""Who calls and who redirected a call, in and out: which headers are read of whom, what they become, and what goes to the next side;
and why a call ended (Reason). The peers are at the external profile."""
import uuid

import pytest
import tandem as t
from calls import extension
from test_gateway_params import Peer
from wire import sdp

pytestmark = pytest.mark.leaks
DIVERSION = "Diversion: <sip:2001@lab.example>;reason=user-busy;counter=1\n"
HISTORY = "History-Info: <sip:2003@lab.example?Reason=SIP%3Bcause%3D408>;index=1, <sip:2004@lab.example>;index=1.1\n"
ASSERTED = 'P-Asserted-Identity: "Pat" <sip:5551212@lab.example>\n'


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("identity") / "instance", "conf")
    external = s.root / "conf/sip_profiles/external.xml"
    s.external = external.read_text()
    s.plain = external
    s.peer_port = t.free_port()
    (s.root / "conf/sip_profiles/external/peer.xml").write_text(
        f'<include><gateway name="peer"><param name="username" value="lab"/><param name="proxy" value="127.0.0.1:{s.peer_port}"/>'
        f'<param name="register" value="false"/><param name="caller-id-in-from" value="true"/><param name="extension" value="auto"/></gateway></include>')
    parked = extension("7001", "park")
    (s.root / "conf/dialplan/public/tests.xml").write_text("<include>" + parked + extension("72(\\d+)", "bridge sofia/gateway/peer/$1") + extension(
        "73(\\d+)", "transfer 72$1 XML public") + extension("74(\\d+)", "set sip_copy_headers=History-Info", "transfer 72$1 XML public")
        + extension("75", "ring_ready", "sleep 20", "pre_answer", "park") + "</include>")
    s.start()
    yield s
    s.stop()


def settings(sw, **params):
    """The external profile with these besides, until it is called again."""
    text = "".join(f'<param name="{k.replace("_", "-")}" value="{v}"/>' for k, v in params.items())
    sw.plain.write_text(sw.external.replace("<settings>", f"<settings>{text}"))
    assert sw.api("sofia profile external rescan") == "Reload XML [Success]\n+OK scan complete\n"


@pytest.fixture
def set_profile(sw):
    yield lambda **params: settings(sw, **params)
    settings(sw)


@pytest.fixture
def far(sw):
    """The gateway's far side."""
    p = Peer(sw)
    p.move(port=sw.peer_port)
    yield p
    sw.api("hupall")
    sw.wait_calls(0)
    p.close()


@pytest.fixture
def ext(sw):
    p = Peer(sw, "ext")
    yield p
    sw.api("hupall")
    sw.wait_calls(0)
    p.close()


def call(p, number, extra="", uri_params=""):
    p.call_id = uuid.uuid4().hex
    p.uri = f"sip:{number}@127.0.0.1:{p.sw.ext_port}{uri_params}"
    p.to = f"<{p.uri}>"
    p.request("INVITE", p.uri, p.to, body=sdp(p.rtp_port), extra=extra)
    p.invite_branch, p.invite_cseq = p.last_branch, p.cseq


def dump(sw):
    uuid_ = sw.api("show channels as delim |").split("\n")[1].split("|")[0]
    return dict(line.split(": ", 1) for line in sw.api(f"uuid_dump {uuid_}").split("\n") if ": " in line)


def read(sw, p, parked, extra, uri_params=""):
    """The leg's headers and variables for an INVITE with these lines."""
    call(p, "7001", extra, uri_params)
    parked()
    got = dump(sw)
    sw.api("hupall")
    p.ack_failure(p.final())
    sw.wait_calls(0)
    return got


def out(sw, p, dialled="sofia/gateway/peer/1", **variables):
    """The INVITE of a call with these variables; it is refused."""
    text = ",".join(f"{k}={v}" for k, v in {"origination_caller_id_name": "Ann", "origination_caller_id_number": "4711", **variables}.items())
    sw.api(f"bgapi originate {{{text}}}{dialled} &park")
    invite = p.expect(method="INVITE")
    refuse(p, invite)
    return invite


def refuse(p, invite, code=486, reason="Busy Here", extra=""):
    p.reply(invite, code, reason, extra=extra)
    p.expect(method="ACK")


# ---- in

def test_asserted_id_parse(sw, ext, parked, set_profile):
    for how, want in (("default", "5551212"), ("user-only", "5551212"), ("user-domain", "5551212%40lab.example"),
                      ("verbatim", "%22Pat%22%20%3Csip%3A5551212%40lab.example%3E")):
        set_profile(p_asserted_id_parse=how)
        got = read(sw, ext, parked, ASSERTED)
        assert (got["variable_sip_P-Asserted-Identity"], got["Caller-Caller-ID-Number"], got["Caller-Caller-ID-Name"]) == (want, "5551212", "Pat")


def test_who_is_believed(sw, ext, far, parked, set_profile):
    """apply-identity-acl: of others only From counts, and Privacy, which asks for less; a gateway's far side is believed."""
    rpid = 'Remote-Party-ID: "Rpi" <sip:5551214@lab.example>;party=calling;privacy=off;screen=yes\n'
    set_profile(apply_identity_acl="none-of-ours", redirecting_headers="both")
    for extra in (ASSERTED, rpid, ASSERTED.replace("Asserted", "Preferred"), DIVERSION, HISTORY):
        got = read(sw, ext, parked, extra)
        assert got["Caller-Caller-ID-Number"] == "ext" and "variable_sip_cid_type" not in got and "Caller-RDNIS" not in got
        assert "variable_sip_P-Asserted-Identity" not in got and "variable_sip_Remote-Party-ID" not in got
    assert read(sw, ext, parked, "Privacy: id\n")["Caller-Privacy-Hide-Number"] == "true"
    got = read(sw, far, parked, ASSERTED + DIVERSION, ";gw=peer")
    assert (got["variable_sip_gateway"], got["Caller-Caller-ID-Number"], got["Caller-RDNIS"]) == ("peer", "5551212", "2001")
    set_profile(apply_identity_acl="loopback.auto")
    assert read(sw, ext, parked, ASSERTED)["Caller-Caller-ID-Number"] == "5551212"


def test_the_redirecting_number(sw, ext, parked, set_profile):
    assert "Caller-RDNIS" not in read(sw, ext, parked, DIVERSION + HISTORY)  # FreeSWITCH's
    set_profile(redirecting_headers="diversion")
    two = DIVERSION + "Diversion: <sip:2002@lab.example>;reason=unconditional\n"
    got = read(sw, ext, parked, two + HISTORY)
    assert (got["Caller-RDNIS"], got["variable_sip_redirecting_reason"]) == ("2001", "user-busy")
    set_profile(redirecting_headers="history-info")
    got = read(sw, ext, parked, DIVERSION + HISTORY)
    assert (got["Caller-RDNIS"], got["variable_sip_redirecting_reason"]) == ("2003", "no-answer")
    set_profile(redirecting_headers="both")
    for broken in ("Diversion: <>\n", "Diversion: <sip:lab.example>\n", "History-Info: <sip:1@a>;index=1\n", "History-Info: <<\n"):
        assert "Caller-RDNIS" not in read(sw, ext, parked, broken)
    assert read(sw, ext, parked, "Diversion: " + "<sip:1@a>," * 500 + "x\n")["Caller-RDNIS"] == "1"


def test_params_of_addresses(sw, ext, parked):
    got = read(sw, ext, parked, "", ";user=phone;x=1")
    assert got["variable_sip_req_params"] == got["variable_sip_to_params"] == "user%3Dphone%3Bx%3D1"


def test_identity_before_the_answer(sw, ext, parked, set_profile):
    def first(code):
        call(ext, "75")
        got = ext.expect(180), ext.expect(183)
        parked()
        sw.api("hupall")
        ext.ack_failure(ext.final())
        sw.wait_calls(0)
        return [bool(m.get("Remote-Party-ID")) for m in got]
    assert first(180) == [True, True]
    set_profile(cid_in_1xx="false")
    assert first(180) == [False, False]


# ---- out

@pytest.mark.parametrize("kind,name,privacy", [("pid", "P-Asserted-Identity", "none"), ("rpid", "Remote-Party-ID", "")])
def test_the_identity_header(sw, far, kind, name, privacy):
    invite = out(sw, far, sip_cid_type=kind)
    assert '"Ann" <sip:4711@127.0.0.1>' in invite.get(name) and invite.get("Privacy") == privacy
    hidden = out(sw, far, sip_cid_type=kind, origination_privacy="screen+hide_name+hide_number")
    assert "<sip:anonymous@" in hidden.get("From") and "4711" in hidden.get(name)
    if kind == "pid":
        assert hidden.get("Privacy") == "id"
    else:
        assert "privacy=full" in hidden.get(name)


def test_variables_of_an_invite(sw, far):
    invite = out(sw, far, sip_invite_from_uri="sip:fu@from.example", sip_invite_to_uri="sip:tu@to.example", sip_invite_params="a=1",
                 sip_invite_from_params="b=2", sip_invite_to_params="c=3", sip_invite_call_id="own-call-id", sip_invite_cseq="77",
                 sip_from_display="Disp", sip_to_display="To", **{"sip_h_X-Own": "v"})
    assert invite.first.split()[1].endswith(";a=1") and invite.get("From").startswith('"Disp" <sip:fu@from.example;b=2>;tag=')
    assert invite.get("To") == '"To" <sip:tu@to.example;c=3>' and invite.get("Call-ID") == "own-call-id"
    assert invite.get("CSeq") == "77 INVITE" and invite.get("X-Own") == "v"
    invite = out(sw, far, sip_invite_domain="dom.example", sip_invite_req_uri=f"sip:req@127.0.0.1:{far.port}")
    assert "<sip:4711@dom.example>" in invite.get("From") and invite.first.startswith("INVITE sip:req@127.0.0.1")
    invite = out(sw, far, sip_invite_full_from="'X <sip:no@x.example>'", sip_force_full_from="'Forced <sip:f@forced.example>'",
                 sip_force_full_to="<sip:t@forced.example>")
    assert invite.get("From").startswith("Forced <sip:f@forced.example>;") or '"Forced" <sip:f@forced.example>;' in invite.get("From")
    assert invite.get("To") == "<sip:t@forced.example>"
    invite = out(sw, far, dialled=f"sofia/external/1@127.0.0.1:{far.port}", sip_invite_route_uri=f"<sip:127.0.0.1:{far.port};lr>",
                 sip_invite_contact_params="~x=1")
    assert invite.get("Route") == f"<sip:127.0.0.1:{far.port};lr>" and invite.get("Contact").endswith(">;x=1")


def test_what_is_no_header_stays_out(sw, far):
    """Values with line breaks or of other forms than addresses do not get into the message."""
    invite = out(sw, far, sip_force_full_from="<sip:a@b", sip_invite_params="'a>x'", sip_redirecting_headers="diversion",
                 sip_redirecting_reason="bad;x=1")
    assert "<sip:4711@127.0.0.1>" in invite.get("From") and invite.first == f"INVITE sip:1@127.0.0.1:{far.port} SIP/2.0"


# ---- redirected calls

def forwarded(far, ext, number, extra=""):
    call(ext, number, extra)
    invite = far.expect(method="INVITE")
    refuse(far, invite)
    ext.ack_failure(ext.expect(486))
    return invite


def test_a_forwarded_call_says_so(sw, far, ext, set_profile):
    """none: what came goes on, as FreeSWITCH does; else who redirected it here, in the form that is asked for."""
    plain = forwarded(far, ext, "731", DIVERSION + HISTORY)
    assert plain.all("Diversion") == [DIVERSION[11:-1]] and not plain.get("History-Info")
    set_profile(redirecting_headers="diversion")
    ours = forwarded(far, ext, "731", DIVERSION)
    assert ours.all("Diversion") == ["<sip:731@127.0.0.1>;reason=user-busy;counter=1;privacy=off", DIVERSION[11:-1]]
    once = forwarded(far, ext, "721", DIVERSION)  # bridged, not redirected again
    assert once.all("Diversion") == [DIVERSION[11:-1]]
    none = forwarded(far, ext, "721")
    assert not none.get("Diversion")
    set_profile(redirecting_headers="history-info")
    ours = forwarded(far, ext, "731", "Privacy: id\n")
    target = f"<sip:1@127.0.0.1:{far.port}>"
    assert ours.get("History-Info") == f"<sip:731@127.0.0.1?Reason=SIP%3Bcause%3D302>;index=1, {target};index=1.1;mp=1"
    longer = forwarded(far, ext, "721", HISTORY)
    assert longer.get("History-Info") == f"{HISTORY[14:-1]}, {target};index=1.1.1;mp=1.1"
    copied = forwarded(far, ext, "741", HISTORY)  # the dialplan's word goes before
    assert copied.all("History-Info") == [HISTORY[14:-1]]
    set_profile(redirecting_headers="both")
    broken = forwarded(far, ext, "731", "History-Info: <sip:1@a>;index=x\n")
    assert broken.get("Diversion") and broken.get("History-Info").startswith("<sip:731@")


def test_who_is_called_after_a_302_hears_who_sent_it(sw, far, ext, set_profile):
    set_profile(redirecting_headers="diversion")
    call(ext, "721")
    first = far.expect(method="INVITE")
    other = Peer(sw, "other")
    other.move("127.0.0.2")  # an address that is not the switch's
    far.reply(first, 302, "Moved", extra=f"Contact: <sip:9@127.0.0.2:{other.port}>\n")
    far.expect(method="ACK")
    invite = other.expect(method="INVITE")
    assert invite.get("Diversion") == "<sip:1@127.0.0.1>;reason=deflection;counter=1;privacy=off"
    refuse(other, invite)
    ext.ack_failure(ext.expect(486))
    other.close()


# ---- causes

@pytest.mark.parametrize("code,reason,cause", [
    (486, "", "USER_BUSY"), (480, 'Q.850;cause=20;text="x"', "SUBSCRIBER_ABSENT"),
    (500, 'SIP;cause=500;text="a, b", Q.850;cause=34', "NORMAL_CIRCUIT_CONGESTION"), (500, "FreeSWITCH;cause=806", "USER_NOT_REGISTERED"),
    (404, "Q.850;cause=x", "UNALLOCATED_NUMBER"), (404, "Q.850", "UNALLOCATED_NUMBER"), (503, "X;cause=17", "NORMAL_TEMPORARY_FAILURE")])
def test_the_cause_of_a_refusal(sw, far, code, reason, cause):
    e = sw.esl()
    e.subscribe("CHANNEL_HANGUP_COMPLETE")
    sw.api("bgapi originate sofia/gateway/peer/1 &park")
    refuse(far, far.expect(method="INVITE"), code, "No", f"Reason: {reason}\n" if reason else "")
    got = e.wait_event("CHANNEL_HANGUP_COMPLETE")
    assert (got["Hangup-Cause"], got["variable_proto_specific_hangup_cause"]) == (cause, f"sip:{code}")
    assert got["variable_sip_hangup_disposition"] == "recv_refuse" and got["variable_sip_term_status"] == str(code)
    e.close()


def test_reasons_are_ignored_or_left_out_where_asked(sw, far):
    e = sw.esl()
    e.subscribe("CHANNEL_HANGUP_COMPLETE")
    sw.api("bgapi originate {ignore_q850_reason=true}sofia/gateway/peer/1 &park")
    refuse(far, far.expect(method="INVITE"), 480, "No", "Reason: Q.850;cause=17\n")
    assert e.wait_event("CHANNEL_HANGUP_COMPLETE")["Hangup-Cause"] == "NO_USER_RESPONSE"
    for variables, has in (("", True), ("{disable_q850_reason=true}", False)):
        sw.api(f"bgapi originate {variables}sofia/gateway/peer/1 &park")
        invite = far.expect(method="INVITE")
        far.reply(invite, 180, "Ringing")
        far.reply(invite, 200, "OK", sdp(far.rtp_port))
        far.expect(method="ACK")
        sw.api("hupall USER_BUSY")
        bye = far.expect(method="BYE")
        far.reply(bye, 200)
        assert bye.get("Reason") == ('Q.850;cause=17;text="USER_BUSY"' if has else "")
        sw.wait_calls(0)
    e.close()
