"""Number portability: by a web server and by the name system, in decks and calls; servers that are away, slow, or lie cost only who asks."""
import json
import time

import dns_server
import pytest
import routing_lab
from calls import extension, uuid_of, write_extensions
from test_routing import values
from web_server import WebServer

pytestmark = pytest.mark.leaks

RULES = {"=3.2.1.5.5.5.1.np.test": {"NAPTR": [(10, 5, "u", "E2U+email", "", "!^.*$!mailto:x@y!"),
                                                (10, 10, "u", "E2U+pstn:tel", "", r"!^(.*)$!tel:\1;npdi;rn=+4930123;spn=Lab!")]},
         "=4.2.1.5.5.5.1.np.test": {"NAPTR": [(10, 10, "u", "E2U+pstn:tel", "", r"!^(.*)$!tel:\1;npdi!")]},
         "=5.2.1.5.5.5.1.np.test": {"NAPTR": [(10, 10, "u", "E2U+pstn:tel", "", r"!^(.*)$!tel:\1;rn=${hupall()}!")]},
         "=6.2.1.5.5.5.1.np.test": "silent",
         "=1.1.1.1.1.2.1.e164.test": {"NAPTR": [(1, 1, "u", "E2U+SIP", "", "!^.*$!sip:own@lab.example!")]}}


@pytest.fixture(scope="module")
def web():
    w = WebServer()
    yield w
    w.stop()


@pytest.fixture(scope="module")
def dns():
    d = dns_server.DnsServer(RULES)
    yield d
    d.close()


def conf(sw, **params):
    text = "".join(f'<param name="{k.replace("_", "-")}" value="{v}"/>' for k, v in params.items())
    (sw.root / "conf/autoload_configs/portability.conf.xml").write_text(f'<configuration name="portability.conf"><settings>{text}</settings></configuration>')


@pytest.fixture(scope="module")
def sw(tmp_path_factory, web, dns):
    names = routing_lab.Names()
    s, other = routing_lab.make(tmp_path_factory.mktemp("portability") / "instance", names, {})
    c = s.root / "conf/autoload_configs"
    lcr = (c / "lcr.conf.xml").read_text()
    (c / "lcr.conf.xml").write_text(lcr.replace('<profile name="default">', '<profile name="ported"><param name="portability" value="true"/></profile>'
                                                '<profile name="deck"><param name="portability" value="true"/><param name="source" value="memory"/></profile>'
                                                '<profile name="default">', 1))
    enum = (c / "enum.conf.xml").read_text()
    (c / "enum.conf.xml").write_text(enum.replace("</settings>", f'<param name="nameserver" value="127.0.0.1:1"/><param name="use-server" value="{dns.at}"/>'
                                                  '<param name="nameserver" value="no.address"/></settings>').replace('value="500"', 'value="8000"'))
    modules = c / "modules.conf.xml"
    modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_portability"/></modules>'))
    write_extensions(s, [extension("81(\\d+)", "portability $1", "lcr $1", "answer", "park"), extension("82(\\d+)", "lcr $1 ported", "answer", "park"),
                         extension("83", "answer", "park")])
    conf(s, url=f"{web.url}/np?n=${{number}}&amp;k=1", http_header="X-Key: sesame", timeout_ms=600, field="rn", operator_field="who", max_failures=3, retry_seconds=1,
         prefixes="1555,1777")
    s.start()
    yield s
    s.stop()
    other.close()
    names.close()


@pytest.fixture
def ask(sw, web):
    """Sets what the web server says; everything is forgotten."""
    def set(code=200, body=None, **members):
        web.requests.clear()
        web.answer = lambda r: (code, "application/json", json.dumps(members) if body is None else body)
        assert sw.api("portability flush") == "+OK\n"
    set()
    yield set
    web.may_go.set()


def parked(sw, phone, number):
    p = phone("1000")
    p.invite(number)
    p.answered()
    return p, uuid_of(sw, "1000")


def test_by_http(sw, web, ask):
    ask(rn="+49 30 123", who="Lab ${x}")
    assert sw.api("portability +1-555-1230000") == "ported 4930123 Lab ${x} (asked)\n"
    assert sw.api("portability 15551230000") == "ported 4930123 Lab ${x} (cache)\n"
    assert [(r.path, r.headers["X-Key"]) for r in web.requests] == [("/np?n=15551230000&k=1", "sesame")]
    ask(rn=None)
    assert sw.api("portability 15551230000") == "not ported (asked)\n" == sw.api("portability 15551230001")
    ask(404)
    assert sw.api("portability 15551230000") == "not ported (asked)\n"
    assert sw.api("portability 4930") == "unknown (not asked for)\n" and len(web.requests) == 1
    assert "kept: 1\n" in sw.api("portability status") and sw.api("portability") == "-USAGE: portability <number>|status|flush\n"


@pytest.mark.parametrize("body", ["", "{", "[]", '{"rn": 4930}', '{"rn": "49${hupall()}"}', '{"rn": "12"}', '{"rn": "' + "9" * 21 + '"}', "x" * 20000])
def test_what_lies_is_no_answer(sw, ask, body):
    ask(body=body)
    assert sw.api("portability 15551230000") == "unknown (no answer)\n"


def test_a_call_knows(sw, phone, ask):
    ask(rn="4930123", who="Lab")
    p, uuid = parked(sw, phone, "8115559998877")
    assert values(sw, uuid, "portability_") == {"portability_result": "ported", "portability_source": "asked", "portability_operator": "Lab"}
    assert sw.api(f"uuid_getvar {uuid} lrn") == "4930123"
    assert sw.api(f"uuid_getvar {uuid} lcr_carrier_1") == "carrierB" and sw.api(f"uuid_getvar {uuid} lcr_rate_1") == "0.50000"
    p.bye()
    sw.wait_calls(0)
    ask(rn=None)
    p, uuid = parked(sw, phone, "8115559998877")
    assert sw.api(f"uuid_getvar {uuid} lrn") == "_undef_" and sw.api(f"uuid_getvar {uuid} lcr_rate_1") != "0.50000"
    p.bye()
    sw.wait_calls(0)


@pytest.mark.parametrize("profile", ["ported", "deck"])
def test_decks_ask_for_it(sw, ask, web, profile):
    ask(rn="4930123", who="Lab")
    assert "0.50000" in sw.api(f"lcr 15559998877 {profile}") and "0.50000" not in sw.api("lcr 15559998877")
    text = sw.api(f"route explain 15559998877 {profile}")
    assert "portability: ported to 4930123 Lab (cache)\n" in text and "1. 4930 carrierB 0.50000" in text
    assert sw.api(f"lcr 15559998877 {profile} 1 lrn 44").count("0.50000") == 0 and len(web.requests) == 1  # said is said
    ask(rn=None)
    assert "portability: not ported (asked)\n" in sw.api(f"route explain 15559998877 {profile}")


# ---- servers that do not
def test_a_silent_server_costs_who_asks_his_deadline(sw, web, ask, phone):
    ask(rn="4930123")
    web.may_go.clear()
    p = phone("1000")
    p.invite("8215559998877")
    web.wait(lambda r: "15559998877" in r.path)
    other = phone("1001")
    other.invite("83")
    other.answered()  # while the first one waits
    other.bye()
    p.answered()  # goes on without an answer
    assert sw.api(f"uuid_getvar {uuid_of(sw, '1000')} lcr_route_count") != "0"
    p.bye()
    sw.wait_calls(0)


def test_a_server_that_fails_is_left_alone_and_tried_again(sw, web, ask):
    ask(500)
    port = web.port
    for i in range(3):
        assert sw.api(f"portability 1555000000{i}") == "unknown (no answer)\n"
    assert sw.api("portability 15550000009") == "unknown (the server fails)\n" and len(web.requests) == 3
    web.stop()
    sw.wait_log("portability: 15550000002: ")
    end = time.monotonic() + 20
    while sw.api("portability 15550000009") != "unknown (no answer)\n":  # one tries it
        assert time.monotonic() < end
    assert sw.api("portability 15550000009") == "unknown (the server fails)\n"
    web.port = port
    web.start()
    web.answer = lambda r: (200, "application/json", '{"rn": "4930"}')
    while sw.api("portability 15550000009") != "ported 4930 (asked)\n":
        assert time.monotonic() < end
    sw.wait_log("portability: the server answers again")
    assert sw.log_text.count("the server is left alone for a while") == 1
    assert sw.api("portability 15550000010").startswith("ported")


def test_only_so_many_ask(sw, web, ask):
    conf(sw, url=f"{web.url}/np?n=${{number}}", timeout_ms=20000, max_asking=2)
    sw.api("reloadxml")
    ask(body="4930\n")
    web.may_go.clear()
    esls = [sw.esl() for _ in range(2)]
    for i, e in enumerate(esls):
        e.command(f"bgapi portability 1555000001{i}")
    web.wait(lambda r: True, 2)
    assert sw.api("portability 15550000019") == "unknown (too many are asking)\n"
    web.may_go.set()
    for e in esls:
        e.close()
    end = time.monotonic() + 20
    while sw.api("portability 15550000019") != "ported 4930 (asked)\n":
        assert time.monotonic() < end


# ---- by the name system
def test_by_names(sw, dns, ask):
    conf(sw, source="enum", root="np.test", nameserver=dns.at, timeout_ms=400)
    sw.api("reloadxml")
    ask()
    assert sw.api("portability 1555123") == "ported 4930123 Lab (asked)\n"
    assert sw.api("portability 1555124") == "not ported (asked)\n" == sw.api("portability 1555129")
    assert sw.api("portability 1555125") == "unknown (no answer)\n"  # it lies
    assert sw.api("portability 1555126") == "unknown (no answer)\n"  # it is silent
    assert "3.2.1.5.5.5.1.np.test" in dns.names()


def test_enum_asks_the_servers_that_it_has(sw, dns):
    assert sw.api("enum_auto 12111110") == "-ERR no reply\n"
    assert sw.api("enum_auto 1211111") == "sofia/external/own@lab.example;transport=udp"
    assert "1.1.1.1.1.2.1.e164.test" in dns.names()
    sw.wait_log('nameserver "no.address" is no address of a name server')
