"""mod_xml_curl: a web server is asked for the directory and the dialplan."""
import re
import threading

import pytest
import tandem as t
from calls import call
from phones import write_tone
from wire import Phone
from web_server import NOT_FOUND, WebServer, document, route, user

GOLDEN = t.SHARED / "golden/http"


def answer(r):
    if r["section"] == "directory" and r["tag_name"] == "domain":
        name = r["user"] or ""
        if name.startswith("80"):
            return 200, "text/xml", user(name, r["domain"])
    if r["section"] == "dialplan":
        number = r["Hunt-Destination-Number"] or ""
        if number == "7701":
            return 200, "text/xml", route("(7701)", "set made=by the web $1", "answer", "park")
        if number.startswith("80"):
            return 200, "text/xml", route("(80..)", "bridge user/$1@127.0.0.1")
    return 200, "text/xml", NOT_FOUND


def configure(sw, server, extra="", bindings="dialplan|directory"):
    (sw.root / "conf/autoload_configs/xml_curl.conf.xml").write_text(
        f'<configuration name="xml_curl.conf"><bindings><binding name="web"><param name="gateway-url" value="{server.url}/xml_curl" '
        f'bindings="{bindings}"/><param name="timeout" value="3"/>{extra}</binding></bindings></configuration>\n')
    modules = sw.root / "conf/autoload_configs/modules.conf.xml"
    text = modules.read_text()
    if "mod_xml_curl" not in text:
        modules.write_text(text.replace("<modules>", '<modules>\n<load module="mod_xml_curl"/>', 1))


@pytest.fixture(scope="module")
def web():
    s = WebServer(answer)
    yield s
    s.stop()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, web):
    s = t.Tandem(tmp_path_factory.mktemp("xmlcurl") / "instance")
    configure(s, web)
    s.start()
    yield s
    s.stop()


@pytest.fixture(autouse=True)
def fresh(web):
    web.answer = answer
    web.may_go.set()
    del web.requests[:]


def web_phone(sw, phone, name, **kw):
    sw.passwords[name] = "pw" + name
    return phone(name, **kw)


def test_registration_and_call(sw, web, phone):
    a, b = web_phone(sw, phone, "8001"), web_phone(sw, phone, "8002")
    assert "8001" in sw.api("show registrations")
    a.invite("8002")
    b.take()
    a.answered()
    a.bye()
    a = call(a, "7701")
    uuid = sw.api("show channels").split("\n")[1].split(",")[0]
    assert sw.api(f"uuid_getvar {uuid} made") == "by the web 7701"
    assert sw.api(f"uuid_getvar {uuid} of_web") == "8001"
    a.bye()
    # a user of the files, and one of nowhere, are asked for as well
    phone("1000")
    assert "SUBSCRIBER_ABSENT" in sw.api("originate user/9999@127.0.0.1 &park")
    kinds = {(r["section"], r["user"], r["action"]) for r in web.requests if r["section"] == "directory"}
    assert {("directory", "8001", "sip_auth"), ("directory", "1000", "sip_auth"), ("directory", "9999", "user_call")} <= kinds


def test_mailbox_of_a_user_of_the_web(sw, web):
    """A message is left for one who is nowhere in the files, and counts."""
    web.answer = lambda r: (200, "text/xml", user(r["user"], r["domain"], params='<param name="vm-password" value="4321"/>')
                            if r["section"] == "directory" and (r["user"] or "").startswith("80") else NOT_FOUND)
    write_tone(sw.root / "in.wav", 440, 2)
    assert sw.api(f"voicemail_inject 8005@127.0.0.1 {sw.root}/in.wav").strip() == "+OK"
    for _ in range(100):
        if sw.api("vm_boxcount 8005@127.0.0.1") == "1":
            break
        threading.Event().wait(0.05)
    assert sw.api("vm_boxcount 8005@127.0.0.1") == "1"
    assert any(r["user"] == "8005" for r in web.requests)


def golden_posts(name):
    if not GOLDEN.exists():
        pytest.skip(t.NO_SHARED)
    for body in re.findall(r"^hostname=.*$", (GOLDEN / name).read_text(), re.M):
        yield [p.partition("=")[0] for p in body.split("&")], dict(p.partition("=")[::2] for p in body.split("&"))


def test_fields_of_a_login_are_the_recorded_ones(sw, web, phone):
    names, _ = next(golden_posts("xml_curl-directory.txt"))
    web_phone(sw, phone, "8003")
    r = web.wait(lambda r: r["user"] == "8003")[0]
    assert r.method == "POST" and r.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert r.headers["User-Agent"] == "freeswitch-xml/1.0" and list(r.headers)[:3] == ["Host", "User-Agent", "Accept"]
    got = [k for k, _ in r.pairs]
    assert got == [n for n in names if n in got or n != "sip_user_agent"]  # wire's phone names no agent
    assert r["sip_auth_method"] == "REGISTER" and r["sip_via_protocol"] == "udp" and r["Event-Name"] == "REQUEST_PARAMS"
    assert int(r["Event-Sequence"]) > 0


def test_fields_of_a_call_are_the_recorded_ones(sw, web, phone):
    recorded = [n for n, f in golden_posts("xml_curl-dialplan.txt") if f["section"] == "dialplan"][0]
    a = phone("1000")
    a.invite("7799")
    a.ack_failure(a.expect(code=404))
    r = web.wait(lambda r: r["section"] == "dialplan")[0]
    got = [k for k, _ in r.pairs]

    def shape(names):
        return [n for n in names if not n.startswith("variable_")]
    assert shape(got) == shape(recorded)
    assert got.index("variable_direction") > got.index("Caller-Privacy-Hide-Number")
    assert [n for n in got if n.startswith("Hunt-")] == got[-len([n for n in got if n.startswith("Hunt-")]):]


@pytest.mark.parametrize("fault", ["stalled", "dead", "rubbish", "late", "huge", "loop", "error", "entities", "half"])
def test_a_bad_server_costs_only_who_needs_it(sw, web, phone, fault):
    """A user of the web hears 503, one of the files goes on, a call stands; when the server is back all is well, told once."""
    phone("1000")
    b = call(phone("1001"), "7701")
    sw.api("xml_flush_cache")
    told = sw.log_text.count("told once until it answers again")
    entities = '<!DOCTYPE a [<!ENTITY x "' + "y" * 1000 + '"><!ENTITY z "&x;&x;&x;&x;&x;&x;&x;&x;">]><document>&z;&z;&z;</document>'
    bad = {"rubbish": (200, "text/xml", b"\xff\xfe\x00nonsense"), "huge": (200, "text/xml", b"<document>" + b" " * (3 << 20)),
           "loop": (302, "text/plain", "", {"Location": "/xml_curl"}), "error": (500, "text/plain", "no"),
           "entities": (200, "text/xml", entities), "half": (200, "text/xml", "<document><section name='directory'><domain")}.get(fault)
    if bad:
        web.answer = lambda r: bad
    elif fault == "dead":
        web.stop()
    else:
        web.may_go.clear()
    if fault == "late":
        threading.Timer(3.5, web.may_go.set).start()  # the binding's timeout is 3 s
    try:
        a = Phone(sw, "8010")
        sw.passwords["8010"] = "pw8010"
        uri, to, cid = f"sip:{sw.domain}", f"<sip:8010@{sw.domain}>", f"reg-{a.port}"
        a.request("REGISTER", uri, to, cid, extra="Expires: 60\n")
        a.request("REGISTER", uri, to, cid, extra="Expires: 60\n" + a.authorization(a.expect(401), "REGISTER", uri))
        assert sw.api("status").startswith("UP")
        assert a.expect(503, timeout=8).get("Retry-After")
        assert sw.log_text.count("told once until it answers again") <= told + 1
        phone("1002")  # of the files
    finally:
        web.answer = answer
        web.may_go.set()
        if not web.http:
            web.start()
    a.close()
    for _ in range(100):
        sw.api("xml_flush_cache")
        if sw.api("user_exists id 8011 127.0.0.1") == "true":
            break
        threading.Event().wait(0.1)
    web_phone(sw, phone, "8011")
    b.bye()
