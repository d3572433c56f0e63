"""mod_xml_curl beyond users and routes: configuration at the start and at reloadxml, menus and phrases by call, gateways, the cache, limits,
methods, credentials, dynamic URLs."""
import re
import threading
import time

import pytest
import tandem as t
from calls import call, extension, talks, write_extensions
from test_xml_curl import configure, golden_posts, web_phone
from web_server import NOT_FOUND, WebServer, document, user

MENU = ('<menus><menu name="web_menu" greet-long="tone_stream://%(2000,0,400)" timeout="3000" digit-len="1"><entry action="menu-exec-app" digits="1" '
        'param="set pressed=one"/><entry action="menu-exit" digits="1"/></menu></menus>')
PHRASE = ('<language name="en" say-module="en" sound-prefix="/nowhere"><phrases><macros><macro name="web_macro"><input pattern="(.*)"><match>'
          '<action function="play-file" data="tone_stream://%(2000,0,600)"/></match></input></macro></macros></phrases></language>')


class Pages:
    """Answers by section; acl is what acl.conf says."""

    def __init__(self):
        self.acl = "10.0.0.0/8"

    def __call__(self, r):
        s, name = r["section"], r["key_value"]
        if s == "configuration" and name == "acl.conf":
            return 200, "text/xml", document(s, '<configuration name="acl.conf"><network-lists><list name="of_web" default="deny">'
                                                f'<node type="allow" cidr="{self.acl}"/></list></network-lists></configuration>')
        if s == "configuration" and name == "ivr.conf" and r["Menu-Name"] == "web_menu":
            return 200, "text/xml", document(s, f'<configuration name="ivr.conf">{MENU}</configuration>')
        if s == "configuration" and name == "valet_parking.conf":
            return 500, "text/plain", "no"
        if s == "languages" and r["macro_name"] == "web_macro":
            return 200, "text/xml", document(s, PHRASE)
        if s == "directory" and r["purpose"] == "gateways":
            return 200, "text/xml", document(s, '<domain name="127.0.0.1"><user id="8100"><gateways><gateway name="of_web"><param name="realm" '
                                                'value="127.0.0.1:1"/><param name="register" value="false"/></gateway></gateways></user></domain>')
        if s == "directory" and (r["user"] or "").startswith("80"):
            return 200, "text/xml", user(r["user"], r["domain"])
        return 200, "text/xml", NOT_FOUND


@pytest.fixture(scope="module")
def pages():
    return Pages()


@pytest.fixture(scope="module")
def web(pages):
    s = WebServer(pages)
    yield s
    s.stop()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, web):
    s = t.Tandem(tmp_path_factory.mktemp("xmlconf") / "instance")
    configure(s, web, '<param name="cache-ttl" value="60"/><param name="cache-stale-if-error" value="600"/><param name="breaker-failures" '
              'value="4"/><param name="breaker-cooldown" value="1"/><param name="cache-key" value="user domain purpose Menu-Name macro_name lang"/>',
              bindings="configuration|directory|phrases")
    write_extensions(s, [extension("7801", "answer", "ivr web_menu", "park"), extension("7802", "answer", "playback phrase:web_macro", "park")])
    s.start()
    yield s
    s.stop()


@pytest.fixture(autouse=True)
def fresh(sw, web, pages):
    web.answer = pages
    web.may_go.set()
    sw.api("xml_flush_cache")
    sw.api("xml_curl flush")
    del web.requests[:]


def test_configuration_is_asked_for(sw, web, pages):
    assert sw.api("acl 10.1.2.3 of_web") == "true" and sw.api("acl 192.0.2.1 of_web") == "false"
    pages.acl = "192.0.2.0/24"
    assert sw.api("reloadxml").startswith("+OK")
    assert sw.api("acl 10.1.2.3 of_web") == "false" and sw.api("acl 192.0.2.1 of_web") == "true"
    asked = [r for r in web.requests if r["section"] == "configuration"]
    assert {"acl.conf", "sofia.conf", "voicemail.conf"} <= {r["key_value"] for r in asked}
    assert not {"modules.conf", "xml_curl.conf"} & {r["key_value"] for r in asked}
    names, fields = next((n, f) for n, f in golden_posts("xml_curl-startup.txt") if f["section"] == "configuration")
    assert [k for k, _ in asked[0].pairs] == names
    # the server away: what is known stays
    sw.api("xml_curl flush")
    web.answer = lambda r: (500, "text/plain", "no")
    assert sw.api("reloadxml").startswith("+OK")
    assert sw.api("acl 192.0.2.1 of_web") == "true"
    sw.wait_log("were not answered for")


def test_menu_and_phrase_by_call(sw, web, phone):
    a = call(phone("1000"), "7801")
    talks(a)
    web.wait(lambda r: r["Menu-Name"] == "web_menu")
    a.talk.hears(400)
    a.talk.press("1")
    uuid = sw.api("show channels").split("\n")[1].split(",")[0]
    deadline = time.monotonic() + 5
    while sw.api(f"uuid_getvar {uuid} pressed") != "one":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    a.bye()
    a = call(phone("1001"), "7802")
    talks(a)
    a.talk.hears(600)
    r = web.wait(lambda r: r["section"] == "languages")[0]
    recorded = next(n for n, f in golden_posts("xml_curl-directory.txt") if f["section"] == "languages")
    got = [k for k, _ in r.pairs if not k.startswith("variable_")]
    assert got == [n for n in recorded if not n.startswith("variable_")]
    a.bye()


def test_gateways_of_the_directory(sw, web):
    sw.api("sofia profile external rescan")
    web.wait(lambda r: r["purpose"] == "gateways" and r["profile"] == "external")
    deadline = time.monotonic() + 5
    while "of_web" not in sw.api("sofia status"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def counts(sw):
    return {k: int(v) for k, v in re.findall(r"(\w+): (\d+)", sw.api("xml_curl status"))}


def test_cache_stale_and_breaker(sw, web, phone):
    web_phone(sw, phone, "8020")
    asked = counts(sw)["asked"]
    sw.api("xml_flush_cache")
    web_phone(sw, phone, "8020")
    assert counts(sw)["asked"] == asked and counts(sw)["cached"] > 0
    # old answers serve while the server fails; the breaker closes after four failures and tries again
    web.answer = lambda r: (500, "text/plain", "no")
    before = len(web.requests)
    for i in range(20):
        sw.api(f"user_exists id 80{i + 30} 127.0.0.1")
    assert len(web.requests) - before <= 5 and counts(sw)["refused"] >= 15, counts(sw)
    assert "left alone" in sw.api("xml_curl status")
    web.answer = lambda r: (200, "text/xml", user(r["user"], "127.0.0.1")) if r["user"] else (200, "text/xml", NOT_FOUND)
    deadline = time.monotonic() + 10
    while sw.api("user_exists id 8090 127.0.0.1") != "true":
        assert time.monotonic() < deadline, sw.api("xml_curl status")
        sw.api("xml_flush_cache")
        time.sleep(0.05)
    sw.wait_log("answers again after")


def test_many_at_once_wait_for_a_few(sw, web):
    """A hundred questions, fifty at a time: nobody is lost, the loop goes on."""
    web.may_go.clear()
    done = []
    clients = [sw.esl() for _ in range(60)]
    threads = [threading.Thread(target=lambda c=c, i=i: done.append(c.api(f"user_exists id 80{i + 100} 127.0.0.1"))) for i, c in enumerate(clients)]
    for x in threads:
        x.start()
    web.wait(lambda r: True, count=50)
    assert counts(sw)["running"] == 50 and sw.api("version")
    web.may_go.set()
    for x in threads:
        x.join(20)
    assert done == ["true"] * 60
    for c in clients:
        c.close()


def test_debug(sw, web):
    assert sw.api("xml_curl debug_on") == "OK\n"
    sw.api("user_exists id 8099 127.0.0.1")
    sw.wait_log("XML response is in ")
    path = re.search(r"XML response is in (\S+)", sw.log_text).group(1)
    deadline = time.monotonic() + 5
    while True:
        try:
            assert "8099" in open(path).read()
            break
        except FileNotFoundError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert sw.api("xml_curl debug_off") == "OK\n" and sw.api("xml_curl").startswith("-USAGE")


def test_url_method_and_credentials(sw, web, tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("xmlget") / "instance")
    (s.root / "conf/autoload_configs/xml_curl.conf.xml").write_text(
        '<configuration name="xml_curl.conf"><bindings><binding name="first"><param name="gateway-url" value="' + web.url + '/one/${section}/${user}" '
        'bindings="directory"/><param name="method" value="GET"/><param name="use-dynamic-url" value="true"/><param name="gateway-credentials" '
        'value="me:secret"/><param name="enable-post-var" value="user"/><param name="enable-post-var" value="domain"/></binding>'
        '<binding name="bad"><param name="gateway-url" value="http://${domain}/x" bindings="directory"/><param name="use-dynamic-url" value="true"/>'
        '</binding><binding name="second"><param name="gateway-url" value="' + web.url + '/two" bindings="directory"/></binding></bindings>'
        '</configuration>')
    modules = s.root / "conf/autoload_configs/modules.conf.xml"
    modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_xml_curl"/></modules>', 1))
    s.start()
    try:
        web.answer = lambda r: (200, "text/xml", user("8001", "127.0.0.1") if r.path.startswith("/two") and r["user"] == "8001" else NOT_FOUND)
        assert s.api("user_exists id 8001 127.0.0.1") == "true" and s.api("user_exists id ../8/x?y 127.0.0.1") == "false"
        del web.requests[:-4]
        one, two = web.requests[0], web.requests[1]
        assert one.method == "GET" and one.headers["Authorization"] == "Basic bWU6c2VjcmV0" and one.path.startswith("/one/directory/8001?hostname=")
        assert [k for k, _ in one.pairs] == ["hostname", "section", "tag_name", "key_name", "key_value", "user", "domain"]
        assert two.method == "POST" and two.path == "/two" and two.headers["Authorization"] is None
        assert web.requests[2].path.startswith("/one/directory/../8/x%3Fy?".replace("../8/x", "..%2F8%2Fx")) or "x%3Fy" in web.requests[2].path
        s.wait_log("the host of a dynamic url is not taken from a question")
    finally:
        s.stop()
