"""Attack: text of a caller (number, name, headers, with escaped CR, LF, quotes, brackets) goes through the dialplan into a message that
the switch composes: there it ends its line, its quotes or its brackets and adds a header, a parameter or an address of its own."""
import re
import socket

import pytest
import tandem as t
from calls import extension
from sayer import sayers

# What a destination number decodes to: ${x} of the dialplan below. Each %XX is one byte.
EVIL = {
    "crlf": "a%0d%0aX-Evil%3a%201%0d%0aVia%3a%20x", "cr": "a%0dX-Evil%3a%201", "lf": "a%0aX-Evil%3a%201", "nul": "a%00X-Evil%3a%201", "mark": "a%01b%02c",
    "quote": "a%22%20%3csip%3aevil%40x%3e,%20%22b", "bracket": "a%3e;evil=1,%3csip%3aevil%40x", "backslash": "a%5c", "semicolon": "a;evil=1",
    "at": "a%40evil.test", "blank": "a%20b%09c", "headers": "a?X-Evil=1", "comma": "a,%3csip%3aevil%40x%3e", "del": "a%7fb", "utf8": "a%c3%a9",
}
# extension: the dialplan's actions before the call goes to the phone `far`; $1 is what the caller dialled behind the number
SINKS = {
    "7200": ("set effective_caller_id_name=$1", "set effective_caller_id_number=$1"),
    "7201": ("export nolocal:sip_h_X-Sink=$1",),
    "7202": ("export nolocal:sip_from_display=$1", "export nolocal:sip_to_display=$1"),
    "7203": ("export nolocal:sip_invite_domain=$1",),
    "7204": ("export nolocal:sip_from_host=$1",),
    "7205": ("export nolocal:sip_contact_user=$1",),
    "7206": ("export nolocal:sip_invite_params=x=$1",),
    "7207": ("export nolocal:sip_invite_to_params=x=$1", "export nolocal:sip_invite_from_params=x=$1"),
    "7208": ("export nolocal:alert_info=$1",),
    "7209": ("export nolocal:sip_cid_type=pid", "set effective_caller_id_name=$1", "set effective_caller_id_number=$1"),
    "7210": ("set effective_callee_id_name=$1", "set effective_callee_id_number=$1"),
    "7211": ("export nolocal:sip_from_uri=sip:$1@lab.test",),
    "7212": ("export nolocal:sip_invite_full_from=$1 <sip:x@lab.test>",),
    "7213": ("set sip_rh_X-Sink=$1", "set sip_ph_X-Sink=$1"),
    "7214": ("set sip_reason=$1",),
}
# these fail as a whole where the text does not fit: no call is better than another call
MAY_FAIL = {"export nolocal:sip_invite_contact_params=x=$1": "7220", "export nolocal:sip_invite_contact_params=~x=$1": "7221",
            "export nolocal:sip_route_uri=sip:$1@127.0.0.1;lr": "7222", "export nolocal:sip_invite_call_id=$1": "7223",
            "export nolocal:sip_invite_req_uri=sip:$1@127.0.0.1": "7224"}
HEADERS = {"Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact", "User-Agent", "Allow", "Supported", "Content-Type",
           "Content-Disposition", "Content-Length", "X-FS-Support", "Remote-Party-ID", "P-Asserted-Identity", "Privacy", "X-Sink", "Alert-Info",
           "Reason", "Accept", "Route", "Record-Route", "Session-Expires", "Require", "Refer-To", "Referred-By", "Retry-After"}
QUOTED = r'"(?:[^"\\]|\\.)*"'
NAME_ADDR = rf'(?:{QUOTED} )?<sips?:[^<>"\s@]*@?[^<>"\s@]+>'
PARAMS = rf'(?:;[\w.!%*_+`\'~-]+(?:=(?:[\w.!%*_+`\'~:\[\]$&()/,-]+|{QUOTED}))?)*'


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("compose") / "instance", "conf")
    sw.far_port = t.free_port()
    far = f"bridge sofia/external/svc@127.0.0.1:{sw.far_port}"
    rows = [extension(n, *actions, far) for n, actions in SINKS.items()] + [extension(n, action, far) for action, n in MAY_FAIL.items()]
    rows += [extension("7230", "redirect sip:$1@127.0.0.1"), extension("7231", "redirect $1"), extension("7232", "answer", "deflect sip:$1@127.0.0.1"),
             extension("7233", "respond 480 $1"), extension("7234", "answer", "set sip_bye_h_X-Sink=$1", "sleep 300", "hangup"),
             extension("7235", "answer", "set sip_h_Via=x", "park"), extension("7236", "answer", "send_display $1|$1", "sleep 200", "hangup"),
             extension("7237", "export nolocal:sip_h_Content-Length=0", "export nolocal:sip_h_l=0", "export nolocal:sip_h_Via=x", "export nolocal:sip_h_f=x",
                       "export nolocal:sip_h_Contact=x", "export nolocal:sip_h_CSeq=x", "export nolocal:sip_h_X-Sink=kept", far)]
    rows = [re.sub(r'data="([^"]*)"', lambda m: m.group(0).replace("<", "&lt;").replace(">", "&gt;"), r) for r in rows]
    rows = [r.replace('$"', '(?s:(.*))$"', 1) for r in rows]  # the rest of the number is $1
    (sw.root / "conf/dialplan/public/tests.xml").write_text("\n".join(["<include>", *rows, "</include>"]))
    sw.start()
    yield sw
    sw.stop()


@pytest.fixture
def pair(sw):
    with sayers(sw) as make:
        a, b = make("ext", sw.ext_port), make("svc", sw.ext_port)
        b.move(port=sw.far_port)
        yield a, b


def is_sound(m, also=()):
    """A message of the switch: only headers it writes, each once, each of the form it should have, and no bytes that are none."""
    names = [l.split(":", 1)[0] for l in m.lines]
    assert all(re.fullmatch(r"[\w-]+", n) and ": " in l for n, l in zip(names, m.lines)), m.lines
    assert set(names) <= HEADERS | set(also), m.lines
    for once in HEADERS - {"Via", "Route", "Record-Route"}:
        assert names.count(once) <= 1, m.lines
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", "".join(m.lines) + m.first), m.lines
    for name in ("From", "To", "Remote-Party-ID", "P-Asserted-Identity", "P-Preferred-Identity", "Refer-To", "Referred-By"):
        value = m.get(name)
        assert not value or re.fullmatch(NAME_ADDR + PARAMS, value), (name, value)
    contact = m.get("Contact")
    assert not contact or re.fullmatch(NAME_ADDR + PARAMS, contact), contact
    assert re.fullmatch(r"[A-Z]+ sip:[^\s<>\"?]+ SIP/2\.0|SIP/2\.0 \d{3} [^\r\n]*", m.first), m.first
    assert len(m.body) == int(m.get("Content-Length"))


def refuse(a, b, invite):
    b.reply(invite, 180, "Ringing")
    b.reply(invite, 486, "Busy")
    b.expect(method="ACK")


def finish(a):
    """All that the caller hears, to the end of the call."""
    m = a.final()
    if m.code >= 300:
        a.ack_failure(m)
    return [x for x in a.queue if x.code] + [m]


@pytest.mark.parametrize("number", SINKS)
def test_into_an_invite(sw, pair, number):
    a, b = pair
    for evil in EVIL.values():
        a.queue.clear()
        a.call(number + evil)
        invite = b.expect(method="INVITE")
        is_sound(invite)
        refuse(a, b, invite)
        for m in finish(a):
            assert m.get("From").startswith("<sip:ext@")
            m.lines = [l for l in m.lines if not l.startswith(("From:", "To:"))]  # the caller's own words
            is_sound(m)


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("number", MAY_FAIL.values())
def test_where_it_has_to_fit(sw, pair, number, evil):
    a, b = pair
    a.call(number + EVIL[evil])
    while True:  # the call fails, or an INVITE comes that is sound
        try:
            invite = b._read(0.05)
        except (socket.timeout, TimeoutError):
            invite = None
        if invite and invite.method == "INVITE":
            is_sound(invite)
            assert "evil=1" not in invite.get("Contact").partition(">")[2].partition("x=")[0]
            sw.api("hupall")
            break
        a.s.settimeout(0.05)
        try:
            m = a._read(0.05)
        except (socket.timeout, TimeoutError):
            continue
        if m.code >= 300:
            a.ack_failure(m)
            break
    sw.api("hupall")


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("number", ["7230", "7231", "7233"])
def test_into_a_refusal(sw, pair, number, evil):
    a, _ = pair
    a.call(number + EVIL[evil])
    m = finish(a)[-1]
    m.lines = [l for l in m.lines if not l.startswith(("From:", "To:"))]
    if number == "7231" and m.code == 302:  # several may be meant there
        value = m.get("Contact")
        assert re.fullmatch(rf'({QUOTED} )?<[^<>"\s]*>(;q=[\d.]+)?(, ({QUOTED} )?<[^<>"\s]*>(;q=[\d.]+)?)*', value), value
        m.lines = [l for l in m.lines if not l.startswith("Contact:")]
    is_sound(m)
    assert "X-Evil" not in "".join(l.split(":")[0] for l in m.lines)


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("number", ["7232", "7234", "7236"])
def test_into_what_follows_the_answer(sw, pair, number, evil):
    a, _ = pair
    a.call(number + EVIL[evil])
    a.answered()
    while True:
        m = a._read(8)
        if not m.method:
            continue
        m.lines = [l for l in m.lines if not l.startswith(("From:", "To:"))]
        is_sound(m, also=("Refer-To", "X-FS-Display-Name", "X-FS-Display-Number"))
        a.reply(m, 200 if m.method != "REFER" else 603, "OK")
        if m.method in ("BYE", "REFER"):
            break


def test_names_of_headers_that_are_the_stacks(sw, pair):
    a, b = pair
    a.call("7237")
    invite = b.expect(method="INVITE")
    is_sound(invite)
    assert invite.get("X-Sink") == "kept" and len(invite.body) > 100
    refuse(a, b, invite)
    a.refused()


@pytest.mark.parametrize("display", [r'"a\"> <sip:evil@x>, \"b"', r'"a\\"', '"\\\x07\\\x01\\\x7f"', '"x;y=<z>"', '"' + "\u00c3\u00a9" + '"', 'plain words'])
def test_a_display_name(sw, pair, display):
    """RFC 4475's strange but sound ones as well: control bytes within quotes."""
    a, b = pair
    a.frm = f"{display} <sip:x%0d%0aX-Evil%3a1@1.2.3.4>"
    a.call("7201")
    invite = b.expect(method="INVITE")
    is_sound(invite)
    assert invite.get("From").count("<") == 1 + display.count("<"), invite.get("From")
    refuse(a, b, invite)
    a.refused()


def test_the_stacks_own_mark(sw, pair):
    """A byte 1 of a header was replaced by the switch's address on its way out."""
    a, b = pair
    a.call("7201", extra="X-Mark: a\x01b\n")
    invite = b.expect(method="INVITE")
    assert invite.get("X-Mark") == "a b"
    refuse(a, b, invite)
    a.refused()


def test_by_commands_and_events(sw, pair):
    """What an operator's text composes: a phone event, requests by events."""
    a, b = pair
    a.call("7235")
    a.answered()
    uuid = re.search(r"^([0-9a-f-]{36}),", sw.api("show channels"), re.M).group(1)
    sw.api(f"uuid_phone_event {uuid} talk;x=<y>,z")  # known words only: it is "talk" or nothing
    while True:
        try:
            m = a.expect(method="NOTIFY", timeout=0.2)
        except AssertionError:
            break
        assert m.get("Event") in ("talk", "hold")
        a.reply(m, 200, "OK")
    esl = sw.esl()
    for bad in ("sip:x@h>;evil=1", "<sip:x@h>, <sip:evil@x>;tag=1\x01", 'a"b <sip:x@h>'):
        esl.command(f"sendevent NOTIFY\nprofile: external\nevent-string: x\ncontent-type: a/b\nto-uri: {bad}\nfrom-uri: sip:me@h\n"
                    f"contact-uri: sip:svc@127.0.0.1:{sw.far_port}")
    esl.command(f"sendevent NOTIFY\nprofile: external\nevent-string: good\ncontent-type: a/b\nto-uri: sip:x@h\nfrom-uri: sip:me@h\n"
                f"contact-uri: sip:svc@127.0.0.1:{sw.far_port}\ncontent-length: 2\n\nok")
    m = b.expect(method="NOTIFY")
    assert m.get("Event") == "good" and m.get("To") == "<sip:x@h>"
    b.reply(m, 200, "OK")
    esl.close()
    a.bye()
