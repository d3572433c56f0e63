"""Subscriptions as a way to look into others' affairs, to fill the memory, to make the switch send to somebody else."""
import socket
import sys
import time
from pathlib import Path

import pytest
import tandem as t

sys.path.insert(0, str(Path(__file__).parent.parent))
from strangers import rss_kb  # noqa: E402
from watch import Subscription, publish, pidf, subscribe  # noqa: E402
from wire import Phone  # noqa: E402

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("subs") / "instance")
    p = s.root / "conf/sip_profiles/internal.xml"
    text = p.read_text()
    for name in ("force-register-domain", "force-register-db-domain"):
        text = text.replace(f'<param name="{name}"', f'<param name="x-{name}"')
    p.write_text(text.replace("<settings>", '<settings>\n<param name="max-subscriptions-per-user" value="20"/>', 1))
    (s.root / "conf/directory/other.xml").write_text(
        '<include><domain name="other.example"><groups><group name="x"><users><user id="2000"><params>'
        '<param name="password" value="pw2000"/></params></user></users></group></groups></domain></include>\n')
    s.start()
    yield s
    s.stop()


def test_who_has_not_logged_in_sees_nothing(sw, phone):
    p = phone("1002", register=False)
    s = Subscription.__new__(Subscription)
    s.phone, s.event, s.cseq = p, "dialog", 0
    s.uri, s.to, s.call_id, s.tag = "sip:1001@127.0.0.1", "<sip:1001@127.0.0.1>", "stranger", "t1"
    s.send(300)
    assert s.answer().code == 407
    p.expect_nothing("NOTIFY", 0.3)


def test_another_domain_is_not_shown(sw, phone):
    p = phone("1002")
    subscribe(p, "2000", "dialog", host="other.example", code=403)
    subscribe(p, "2000", "message-summary", host="other.example", code=403)
    assert publish(p, pidf("open"), user="2000", host="other.example").code == 403
    # a name that is nobody's domain means the phone's own
    s = subscribe(p, "1001", "dialog", host="pbx.example")
    assert 'entity="sip:1001@pbx.example"' in s.notify().body
    s.end()


def test_another_account_cannot_take_a_subscription(sw, phone):
    a, b = phone("1002"), phone("1003")
    s = subscribe(a, "1001", "dialog")
    s.notify()
    s.phone = b  # knows all of the dialog
    b.queue = []
    assert s.ask(0).code == 403
    s.phone = a
    sw.api("presence in 1001@127.0.0.1 away x")
    s.notify()  # it is there still
    sw.api("presence in 1001@127.0.0.1 unknown Available")
    s.notify()
    s.end()


def test_an_account_has_so_many(sw, phone):
    p = phone("1004")
    subs = [subscribe(p, f"10{i:02}", "presence") for i in range(20)]
    r = subscribe(p, "1001", "presence", code=503).response
    assert r.get("Retry-After")
    subs.pop().end()
    subs.append(subscribe(p, "1001", "presence"))
    subscribe(phone("1005"), "1001", "presence").end()  # others are not in its way
    for s in subs:
        s.end()


def test_requests_of_no_dialog(sw, phone):
    p = phone("1002")
    p.request("NOTIFY", "sip:1002@127.0.0.1", "<sip:1002@127.0.0.1>;tag=x", "none", extra="Event: dialog\nSubscription-State: active\n")
    assert p.expect(481)
    p.request("SUBSCRIBE", "sip:1001@127.0.0.1", "<sip:1001@127.0.0.1>;tag=x", "none2", extra="Event: dialog\nExpires: 60\n")
    assert p.expect(481)


@pytest.mark.parametrize("user", ["1001%0d%0aX-Evil:%201", "%22%3e%3cevil/%3e", "a" * 129, "conf+%26amp"])
def test_names_stay_names(sw, phone, user):
    p = phone("1002")
    if len(user) > 128:
        subscribe(p, user, "dialog", code=404)
        return
    s = subscribe(p, user, "dialog")
    m = s.notify()
    assert "X-Evil" not in [line.split(":")[0] for line in m.lines] and "<evil" not in m.body
    s.end()


def test_names_of_callers_stay_text(sw, phone):
    """What a caller is called goes into documents as text, whatever it is."""
    w, b, a = phone("1002"), phone("1001"), phone("1000")
    s = subscribe(w, "1001", "dialog")
    s.notify()
    sw.api("bgapi originate {origination_caller_id_name='</display><evil x=\"1\">',origination_caller_id_number='66\"><x>'}user/1001 &park")
    b.take()
    m = s.until(lambda m: "confirmed" in m.body)
    import xml.etree.ElementTree as ET
    assert not list(ET.fromstring(m.body).iter("evil")) and "<evil" not in m.body
    sw.api("hupall")
    b.reply(b.expect(method="BYE"), 200)
    del a
    s.until(lambda m: "terminated" in m.body)
    s.end()


def test_a_flood_of_strangers_costs_nothing(sw):
    """SUBSCRIBEs without a login are answered and forgotten; an honest phone is served meanwhile."""
    phone = Phone(sw, "1003")
    phone.register()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    before = None
    for i in range(6000):
        s.sendto((f"SUBSCRIBE sip:1001@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{s.getsockname()[1]};branch=z9hG4bKf{i}\r\n"
                  f"Max-Forwards: 70\r\nFrom: <sip:u{i}@127.0.0.1>;tag={i}\r\nTo: <sip:1001@127.0.0.1>\r\nCall-ID: flood{i}\r\n"
                  f"CSeq: 1 SUBSCRIBE\r\nContact: <sip:x@127.0.0.1:9>\r\nEvent: dialog\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n"
                  ).encode(), ("127.0.0.1", sw.sip_port))
        if i == 1000:
            before = rss_kb(sw)
        if i % 500 == 499:
            subscribe(phone, "1001", "dialog").end()
    assert t.IS_SANITIZED or rss_kb(sw) - before < 4096  # a sanitizer keeps what was freed
    s.close(), phone.close()
    assert time.monotonic()
