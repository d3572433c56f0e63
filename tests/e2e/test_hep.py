"""HEP to a capture server: every message, ours included, with its addresses and time; UDP and TCP; a dead one costs nothing."""
import re
import time

import pytest
import tandem as t
from hep import Collector
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def collector():
    c = Collector()
    yield c
    c.close()


def server_set(sw, text):
    sofia = sw.root / "conf/autoload_configs/sofia.conf.xml"
    sofia.write_text(sofia.read_text().replace("</global_settings>", f'<param name="capture-server" value="{text}"/></global_settings>'))


@pytest.fixture(scope="module")
def sw(tmp_path_factory, collector):
    sw = t.Tandem(tmp_path_factory.mktemp("hep") / "instance")
    server_set(sw, f"udp:127.0.0.1:{collector.port};hep=3;capture_id=2001;capture_password=pw;node=here")
    internal = sw.root / "conf/sip_profiles/internal.xml"
    internal.write_text(internal.read_text().replace("<settings>", '<settings>\n<param name="sip-capture" value="yes"/>', 1))
    sw.start()
    yield sw
    sw.stop()


def first_lines(packets):
    return [p["payload"].split("\r\n")[0] for p in packets]


def test_every_message_of_a_call(sw, collector, phone):
    before = time.time()
    a, b = phone("1000"), phone("1001")
    a.invite("1001")
    b.take()
    a.answered()
    a.bye()
    b.expect(method="BYE")
    packet = collector.wait(lambda p: p["payload"].startswith("SIP/2.0 200") and f"Call-ID: {a.call_id}\r\n" in p["payload"]
                            and re.search("CSeq: [0-9]+ BYE", p["payload"]))
    assert packet["capture_id"] == 2001 and packet["password"] == "pw" and packet["node"] == "here" and packet["protocol"] == 17
    packets = collector.of(a.call_id)
    lines = first_lines(packets)
    for want in ("INVITE ", "SIP/2.0 407", "ACK ", "SIP/2.0 100", "SIP/2.0 200", "BYE "):
        assert any(l.startswith(want) for l in lines), (want, lines)
    assert sum(l.startswith("ACK ") for l in lines) == 2 and sum(l.startswith("INVITE ") for l in lines) == 2
    for p in packets:
        ours, theirs = ("127.0.0.1", sw.sip_port), ("127.0.0.1", a.port)
        is_theirs = p["payload"].startswith(("INVITE", "ACK", "BYE"))
        assert (p["src"], p["src_port"]) == (theirs if is_theirs else ours)
        assert (p["dst"], p["dst_port"]) == (ours if is_theirs else theirs)
        assert before - 1 < p["s"] + p["us"] / 1e6 < time.time() + 1
    out = collector.wait(lambda p: p["payload"].startswith("INVITE") and p["dst_port"] == b.port)
    assert out["src_port"] == sw.sip_port
    b_id = re.search("Call-ID: (.*)\r", out["payload"]).group(1)
    collector.wait(lambda p: len(collector.of(b_id)) >= 5)


def test_stateless_and_retransmitted(sw, collector, phone):
    """Requests that no transaction is kept for, and the same request twice: both are seen, and so are both answers."""
    p = phone("1000", register=False)
    p.call_id = "options-twice"
    text = p.request("OPTIONS", f"sip:{sw.domain}", f"<sip:{sw.domain}>")
    p.expect(200)
    p.s.sendall(text.encode())
    p.expect(200)
    collector.wait(lambda _: len(collector.of("options-twice")) == 4)
    p.send("GARBAGE sip:x SIP/2.0\nCall-ID: not-a-message\n\n")
    collector.wait(lambda q: q["payload"].startswith("GARBAGE"))


def test_on_and_off(sw, collector, phone):
    p = phone("1000", register=False)

    def ask(call_id):
        p.call_id = call_id
        p.request("OPTIONS", f"sip:{sw.domain}", f"<sip:{sw.domain}>")
        p.expect(200)
    assert sw.api("sofia profile internal capture off") == "Disabled sip capturing on internal"
    ask("while-off")
    assert sw.api("sofia global capture on") == "+OK Global capture on"
    ask("by-global")
    collector.wait(lambda _: len(collector.of("by-global")) == 2)
    assert not collector.of("while-off")
    assert sw.api("sofia global capture off") == "+OK Global capture off"
    assert sw.api("sofia profile internal capture on") == "Enabled sip capturing on internal"


def test_tcp_collector_that_comes_late_and_dies(fresh, phone):
    port = t.free_port()
    server_set(fresh, f"tcp:127.0.0.1:{port};hep=3;capture_id=7")
    fresh.start()
    fresh.api("sofia global capture on")
    p = phone("1000", register=False, switch=fresh)

    def ask(call_id):
        p.call_id = call_id
        p.request("OPTIONS", f"sip:{fresh.domain}", f"<sip:{fresh.domain}>")
        p.expect(200)
    ask("nobody-there")
    fresh.wait_log("the capture server 127.0.0.1")
    c = Collector(tcp=True, port=port)

    def until_seen(call_id):
        deadline = time.monotonic() + 20
        while not c.of(call_id):
            assert time.monotonic() < deadline and not c.errors, c.errors
            ask(call_id)
    until_seen("there-now")
    assert c.packets[-1]["capture_id"] == 7 and c.packets[-1]["node"]
    c.close()
    for i in range(20):
        ask(f"gone-{i}")
    c = Collector(tcp=True, port=port)
    until_seen("there-again")
    c.close()


@pytest.mark.parametrize("text,why", [("udp:nowhere", "it has no port"), ("http://x:1", "it begins with neither"),
                                      ("udp:127.0.0.1:1;hep=1", "only hep=3"),
                                      ("udp:127.0.0.1:1;capture_password=geheim;x=1", "it has an unknown parameter")])
def test_what_is_wrong_is_told(fresh, text, why):
    """With its place, and without the password that it may hold."""
    server_set(fresh, text)
    fresh.start()
    fresh.wait_log(f"capture-server: {why}")
    log = fresh.log_text
    assert re.search(rf"sofia\.conf\.xml:\d+: capture-server: {why}", log) and "geheim" not in log
