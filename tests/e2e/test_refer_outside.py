"""REFER outside of a call: refused unless the profile takes it; then of accounts only, about their own calls (RFC 4538) and phones."""
import re
import uuid

import pytest
import tandem as t
from calls import arrives, ended
from wire import Phone

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("refer") / "instance")
    profile = sw.root / "conf/sip_profiles/internal.xml"
    profile.write_text(profile.read_text().replace("<settings>", '<settings><param name="refer-outside-of-calls" value="true"/>', 1))
    sw.start()
    yield sw
    sw.stop()


def refer(p, to, refer_to, extra="", auth=True):
    """Its final response; the dialog it makes is p.cid's."""
    uri, p.cid = f"sip:{to}@127.0.0.1", f"refer-{uuid.uuid4().hex}"
    extra = f"Refer-To: {refer_to}\n{extra}"
    p.request("REFER", uri, f"<{uri}>", p.cid, extra=extra)
    if not auth:
        return None
    challenge = p.expect(407)
    p.request("REFER", uri, f"<{uri}>", p.cid, extra=extra + p.authorization(challenge, "REFER", uri))
    m = p._read(8)
    while not m.get("CSeq").endswith("REFER"):
        p.queue.append(m)
        m = p._read(8)
    return m


def told(p, answer):
    notify = p.expect(method="NOTIFY")
    p.reply(notify, 200, "OK")
    tag = re.search("tag=([^;]+)", answer.get("To")).group(1)
    assert notify.get("Call-ID") == p.cid and notify.get("From").endswith(f"tag={tag}") and notify.get("To").endswith(f"tag={p.tag}")
    assert notify.get("Event") == f"refer;id={answer.get('CSeq').split()[0]}"
    assert notify.get("Subscription-State") == "terminated;reason=noresource"
    return notify.body


def target(p):
    """The dialog of p's call as p names it."""
    return f"Target-Dialog: {p.call_id};local-tag={p.tag};remote-tag={re.search('tag=([^;]+)', p.peer_to).group(1)}\n"


def up(a, b):
    a.invite(b.user)
    b.take()
    a.answered()


def test_refused_unless_taken(tandem, phone):
    assert refer(phone("1000"), "1001", "<sip:1002@127.0.0.1>").code == 403


def test_strangers(sw, phone):
    stranger, b = Phone(sw, "1000"), phone("1001")
    refer(stranger, "1000", "<sip:1001@127.0.0.1>", auth=False)
    stranger.expect(407)
    b.expect_nothing("INVITE", 0.2)
    stranger.close()


def test_about_ones_own_call(sw, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    up(a, b)
    line = Phone(sw, "1000")  # from another socket of the account
    answer = refer(line, "1001", "<sip:1002@127.0.0.1>", target(a))
    assert answer.code == 202 and answer.get("Contact")
    assert told(line, answer) == "SIP/2.0 200 OK\r\n"
    ended(a)
    c.take()
    assert arrives(b, c) and arrives(c, b)
    c.own_request("BYE")
    c.expect(200)
    ended(b)
    sw.wait_calls(0)
    line.close()


def test_about_another_ones_call(sw, phone):
    a, b, d = phone("1000"), phone("1001"), phone("1003")
    up(a, b)
    assert refer(d, "1001", "<sip:1003@127.0.0.1>", target(a)).code == 481
    assert refer(d, "1001", "<sip:1003@127.0.0.1>", "Target-Dialog: nosuch;local-tag=a;remote-tag=b\n").code == 481
    assert refer(d, "1001", "<sip:1003@127.0.0.1>", "Target-Dialog: nosuch\n").code == 481
    assert arrives(a, b)
    a.bye()
    ended(b)


def test_click_to_dial(sw, phone):
    """One's own phone rings, and calls from there."""
    a, c, pc = phone("1000"), phone("1002"), Phone(sw, "1000")
    answer = refer(pc, "1000", "<sip:1002@127.0.0.1>")
    assert answer.code == 202
    a.take()
    c.take()
    assert told(pc, answer) == "SIP/2.0 200 OK\r\n"
    assert arrives(a, c) and arrives(c, a)
    a.own_request("BYE")
    a.expect(200)
    ended(c)
    answer = refer(pc, "1000", "<sip:1002@127.0.0.1>", "Refer-Sub: false\n")
    assert answer.code == 202 and answer.get("Refer-Sub") == "false"
    invite = a.expect(method="INVITE")
    a.reply(invite, 486, "Busy Here")
    a.expect(method="ACK")
    pc.expect_nothing("NOTIFY", 0.3)
    answer = refer(pc, "1000", "<sip:1002@127.0.0.1>")
    a.reply(a.expect(method="INVITE"), 486, "Busy Here")
    a.expect(method="ACK")
    assert told(pc, answer).startswith("SIP/2.0 480")
    sw.wait_calls(0)
    pc.close()


@pytest.mark.parametrize("to, refer_to, code", [
    ("1001", "<sip:1002@127.0.0.1>", 403), ("1000", "<sip:1002%20%26park%20x@127.0.0.1>", 403), ("1000", "<sip:a%2Cb%7D%5B@127.0.0.1>", 403),
    ("1000", "<sip:%26hangup@127.0.0.1>", 403), ("1000", "<http://x>", 400), ("1000", "<sip:127.0.0.1>", 400)])
def test_what_is_no_number_of_its_own(sw, phone, to, refer_to, code):
    a = phone("1000")
    assert refer(a, to, refer_to).code == code
    a.expect_nothing("INVITE", 0.15)
    sw.wait_calls(0)
