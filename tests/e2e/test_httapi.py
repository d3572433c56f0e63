"""mod_httapi: a web page says what is done with a call; what it may not do is refused."""
import re
import threading

import pytest
import tandem as t
from calls import call, extension, talks, write_extensions
from web_server import WebServer

GOLDEN = t.SHARED / "golden/http"
TONE = "tone_stream://%({ms},0,440)"
PERMISSIONS = """<permission name="set-params" value="true"/><permission name="set-vars" value="true"><variable-list default="deny">
<variable name="page_var"/></variable-list></permission><permission name="get-vars" value="true"><variable-list default="deny">
<variable name="caller_id_number"/></variable-list></permission><permission name="execute-apps" value="true">
<application-list default="deny"><application name="set"/><application name="info"/></application-list></permission>"""
CONF = """<configuration name="httapi.conf"><settings><param name="debug" value="false"/></settings><profiles>
<profile name="default"><conference><param name="default-profile" value="default"/></conference><dial><param name="context" value="default"/>
<param name="dialplan" value="XML"/></dial><permissions>{default}</permissions><params><param name="gateway-url" value="{url}/page"/>
<param name="gateway-credentials" value="muser:mypass"/><param name="timeout" value="2"/></params></profile>
<profile name="closed"><permissions><permission name="none" value="true"/></permissions><params><param name="gateway-url" value="{url}/page"/></params></profile>
<profile name="open"><permissions><permission name="all" value="true"/></permissions><params><param name="gateway-url" value="{url}/page"/>
<param name="method" value="post"/></params></profile>
<profile name="unread"><permissions><permission name="conference" value="true"/><permission name="conference-set-profile" value="true"/>
<permission name="voicemail" value="true"/><permission name="dial" value="true"/><permission name="dial-full-originate" value="true"/>
</permissions><params><param name="gateway-url" value="{url}/page"/></params></profile></profiles></configuration>"""


def doc(work, before=""):
    return f'<?xml version="1.0"?>\n<document type="xml/freeswitch-httapi">{before}<work>{work}</work></document>\n'


class Pages:
    """Documents one after the other; what is asked beyond them is a break."""

    def __init__(self):
        self.left, self.lock = [], threading.Lock()

    def __call__(self, r):
        with self.lock:
            work = self.left.pop(0) if self.left and not r["exiting"] else doc("<break/>")
        return work if isinstance(work, tuple) else (200, "text/xml", work)


@pytest.fixture(scope="module")
def web():
    s = WebServer()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, web):
    s = t.Tandem(tmp_path_factory.mktemp("httapi") / "instance")
    (s.root / "conf/autoload_configs/httapi.conf.xml").write_text(CONF.format(default=PERMISSIONS, url=web.url))
    modules = s.root / "conf/autoload_configs/modules.conf.xml"
    modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_httapi"/>\n</modules>', 1))
    write_extensions(s, [
        extension("9770", "answer", "httapi {url=" + web.url + "/httapi,lab=1}", "log NOTICE AFTER HTTAPI", "hangup"),
        extension("9771", "answer", "httapi", "log NOTICE AFTER PROFILE", "park"),
        extension("9772", "answer", "set httapi_profile=closed", "httapi", "log NOTICE AFTER CLOSED", "hangup"),
        extension("9773", "answer", "set httapi_profile=open", "httapi", "hangup"),
        extension("9776", "set_profile_var caller_id_name=${url_decode(${sip_h_X-A})}", "answer", "set httapi_profile=open", "httapi", "hangup"),
        extension("9775", "answer", "set httapi_profile=unread", "httapi", "hangup"),
        extension("9774", "set dialled=by the page", "answer", "park")])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def pages(web):
    del web.requests[:]
    web.may_go.set()
    web.answer = Pages()
    return web.answer


def golden_requests():
    """The query fields of each recorded request."""
    if not GOLDEN.exists():
        pytest.skip(t.NO_SHARED)
    text = (GOLDEN / "httapi-session.txt").read_text()
    return [[p.partition("=")[0] for p in q.split("&")] for q in re.findall(r"^GET /httapi\?(\S+) HTTP", text, re.M)]


def test_the_recorded_session(sw, web, pages, phone):
    pages.left = [
        doc(f'<playback file="{TONE.format(ms=300)}" name="digits_a" error-file="{TONE.format(ms=100)}" input-timeout="2500" digit-timeout="900">'
            '<bind strip="#">~\\d+\\#</bind></playback>', "<params><lab_p>one</lab_p></params><variables><lab_v>x</lab_v></variables>"),
        doc(f'<record file="../../lab.wav" name="rec_a" limit="1" beep-file="{TONE.format(ms=100)}"><bind>#</bind></record>'),
        doc('<pause milliseconds="200"/><log level="notice">hello log</log>'),
        doc('<getVariable name="caller_id_number"/>'),
        doc('<execute application="set" data="page_set=yes"/><getVar name="caller_id_number" permanent="true"/>'),
        doc('<execute application="playback" data="denied"/>')]
    a = call(phone("1000"), "9770")
    web.wait(lambda r: True)
    talks(a)
    a.talk.press("123#")
    got = web.wait(lambda r: r["exiting"] == "true", timeout=20)
    reqs = web.requests
    golden = golden_requests()
    assert [k for k, _ in reqs[0].pairs] == golden[0]
    assert [k for k, _ in reqs[1].pairs] == golden[1] and (reqs[1]["digits_a"], reqs[1]["input_type"]) == ("123", "dtmf")
    assert reqs[0].headers["User-Agent"] == "mod_httapi/1.0" and reqs[0].headers["Cookie"] == "" and reqs[0]["lab"] == "1"
    form = reqs[2]
    assert form.method == "POST" and form.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    text = form.body.decode("latin1")
    assert re.findall(r'name="([^"]+)"', text)[:4] == golden[0][:4]
    assert re.search(r'name="rec_a"; filename="[0-9a-f-]{36}_______lab\.wav"\r\nContent-Type: application/octet-stream\r\n\r\nRIFF', text)
    assert len(form.body) > 8000
    assert [k for k, _ in reqs[3].pairs] == golden[2]
    assert reqs[4]["caller_id_number"] == "1000" and reqs[5]["caller_id_number"] == "1000"
    assert [k for k, _ in got[0].pairs][-1] == "exiting"
    sw.wait_log("hello log")
    sw.wait_log("<execute>: Permission Denied!")
    a.expect(method="BYE")
    assert not list(sw.root.rglob("*lab.wav"))  # posted and gone


def steps(sw, web, pages, phone, number, *works, before=""):
    pages.left = [doc(w, before if i == 0 else "") for i, w in enumerate(works)]
    return call(phone("1000"), number)


def test_variables_dial_and_credentials(sw, web, pages, phone):
    a = steps(sw, web, pages, phone, "9771", "<continue/>", "<dial>9774</dial>",
              before="<variables><page_var>of the page</page_var><other>no</other></variables>")
    uuid = re.search(r"^([0-9a-f-]{36}),", sw.api("show channels"), re.M).group(1)
    sw.wait_log("variable other permission denied!")
    got = web.wait(lambda r: r["exiting"] == "true")
    assert got[0]["session_id"] == uuid
    assert all(r.headers["Authorization"].startswith("Basic ") for r in web.requests)
    for _ in range(100):
        if sw.api(f"uuid_getvar {uuid} dialled") == "by the page":
            break
        threading.Event().wait(0.02)
    assert sw.api(f"uuid_getvar {uuid} dialled") == "by the page"
    assert sw.api(f"uuid_getvar {uuid} page_var") == "of the page" and sw.api(f"uuid_getvar {uuid} other") == "_undef_"
    a.bye()


def test_another_server_gets_no_password(sw, web, pages, phone):
    other = WebServer(lambda r: (200, "text/xml", doc("<break/>")))
    try:
        a = steps(sw, web, pages, phone, "9771", f'<continue temp-action="{other.url}/next"/>')
        got = other.wait(lambda r: True)
        assert got[0].headers["Authorization"] is None and got[0]["session_id"]
        sw.wait_log("AFTER PROFILE")
        a.bye()
    finally:
        other.stop()


@pytest.mark.parametrize("work,why", [
    ("<execute application='set' data='a=b'/>", "<execute>"), ("<conference>x</conference>", "<conference>"), ("<dial>9774</dial>", "<dial>"),
    ("<record file='a.wav'/>", "<record>"), ("<recordCall/>", "<recordCall>"), ("<sms to='1001'>x</sms>", "<sms>"),
    ("<voicemail check='true'/>", "<voicemail>"), ("<getVariable name='uuid'/>", "<getVariable>")])
def test_a_closed_profile_refuses(sw, web, pages, phone, work, why):
    count = sw.log_text.count(f"httapi: {why}: Permission Denied!")
    a = steps(sw, web, pages, phone, "9772", work)
    a.expect(method="BYE")
    sw.wait_log(f"httapi: {why}: Permission Denied!", count + 1)
    web.wait(lambda r: r["exiting"] == "true")


def test_expansion_needs_its_permission(sw, web, pages, phone):
    a = steps(sw, web, pages, phone, "9770", '<execute application="set" data="x=${uuid}"/>')
    a.expect(method="BYE")
    sw.wait_log("Expand Variables: Permission Denied!")
    a = steps(sw, web, pages, phone, "9773", '<execute application="set" data="seen=${caller_id_number}"/><getVar name="seen"/>')
    r = web.wait(lambda r: r["seen"])[0]
    assert r["seen"] == "1000" and r.method == "POST" and r["Unique-ID"]  # extended-data, method post
    a.expect(method="BYE")


def test_keys_lead_on(sw, web, pages, phone):
    """A wrong key plays the error file and asks again; the bind's action is the next page."""
    a = steps(sw, web, pages, phone, "9770",
              f'<playback file="{TONE.format(ms=200)}" name="d" error-file="{TONE.format(ms=50)}" input-timeout="3000" digit-timeout="300" '
              f'loops="3"><bind>1</bind><bind action="{web.url}/two">22</bind></playback>')
    talks(a)
    web.wait(lambda r: True)
    a.talk.press("9")
    a.talk.said_all()
    a.talk.press("22")
    r = web.wait(lambda r: r.path.startswith("/two"))[0]
    assert r["d"] == "22" and r["input_type"] == "dtmf"
    a.expect(method="BYE")


def test_call_is_recorded_and_posted_at_its_end(sw, web, pages, phone):
    a = steps(sw, web, pages, phone, "9771", '<recordCall name="whole" limit="20"/>')
    web.wait(lambda r: r["exiting"] == "true")
    talks(a)
    a.talk.say(0.3, 500)
    a.bye()
    r = web.wait(lambda r: r.method == "POST" and b'name="whole"' in r.body)[0]
    assert b"RIFF" in r.body and b'name="exiting"' in r.body


@pytest.mark.parametrize("fault", ["stalled", "rubbish", "huge", "loop", "error", "deep"])
def test_a_bad_page_ends_httapi_only(sw, web, pages, phone, fault):
    b = call(phone("1001"), "9774")  # another call goes on
    page = {"rubbish": (200, "text/xml", b"\xff\x00<document><work"), "huge": (200, "text/xml", b"<a>" + b"x" * (2 << 20)),
            "loop": (302, "text/plain", "", {"Location": "/page"}), "error": (500, "text/plain", "no"),
            "deep": (200, "text/xml", "<a>" * 500)}.get(fault)
    if page:
        web.answer = lambda r: page
    else:
        web.may_go.clear()
    count = sw.log_text.count("AFTER HTTAPI")
    sw.api("version")
    a = call(phone("1000"), "9770")
    if fault == "stalled":
        web.wait(lambda r: True)
        a.bye()  # nobody waits for the page
        sw.wait_calls(1, timeout=1.5)
        web.may_go.set()
    else:
        sw.wait_log("AFTER HTTAPI", count + 1)
        a.expect(method="BYE")
    sw.wait_calls(1)
    b.bye()


def test_a_page_gets_no_file_of_ours(sw, web, pages, phone):
    """Files are attached by recording only, whatever a page names its parameters and variables."""
    name = "attach_file:a:b"
    a = steps(sw, web, pages, phone, "9773", f'<getVar name="{name}"/><getVar name="{name}" permanent="true"/>', "<continue/>",
              before=f"<params><{name}>/etc/passwd</{name}></params><variables><{name}>/etc/passwd</{name}></variables>")
    a.expect(method="BYE")
    web.wait(lambda r: r["exiting"] == "true" or b"exiting" in r.body)
    assert len(web.requests) >= 3 and not any(b"root:" in r.body or b"multipart" in (r.headers["Content-Type"] or "").encode() for r in web.requests)

RUN = "${global_setvar(hit=1)}"
CODED = "%24%7Bglobal_setvar(hit=1)%7D"


@pytest.mark.parametrize("work", [
    '<execute application="eval">${url_decode(${sip_h_X-A})}</execute>',
    '<execute application="set">x=${url_decode(${sip_h_X-A})}</execute><execute application="eval" data="${x}"/>',
    "<dial>{x=${url_decode(${sip_h_X-A})}}error/USER_BUSY</dial>",
    "<conference>${url_decode(${sip_h_X-A})}</conference>"])
def test_what_a_body_expands_to_is_data(sw, web, pages, phone, work):
    """A page that may expand pastes the caller's words, decoded, into what is read again."""
    sw.api("global_setvar hit=no")
    pages.left = [doc(work)]
    a = phone("1000")
    a.invite("9773", extra=f"X-A: {CODED}\n")
    a.answered()
    web.wait(lambda r: True)
    sw.api("hupall") if "conference" in work else a.expect(method="BYE")
    assert sw.api("global_getvar hit") == "no"


@pytest.mark.parametrize("work", [
    f'<conference profile="{RUN}">room</conference>', f'<conference profile="default">{RUN}</conference>',
    f'<voicemail profile="{RUN}" domain="d" id="1000"/>', f"<dial>loopback/{RUN}</dial>"])
def test_nothing_is_expanded_without_leave(sw, web, pages, phone, work):
    """A page that may do everything but expand variables."""
    sw.api("global_setvar hit=no")
    a = steps(sw, web, pages, phone, "9775", work)
    web.wait(lambda r: r["exiting"] == "true" or True)
    threading.Event().wait(0.3)
    sw.api("hupall")
    sw.wait_calls(0)
    assert sw.api("global_getvar hit") == "no"
    a.close()


def test_a_variable_of_the_page_has_the_callers_name(sw, web, pages, phone):
    """The page may expand, and writes what it was told: that stays data, its own references do not."""
    sw.api("global_setvar hit=no")
    pages.left = [doc('<execute application="eval" data="${v}${own}"/><execute application="set_global" data="seen=${v} ${own}"/>',
                      f"<variables><v>Mr {RUN}</v><own>${{caller_id_number}}</own></variables>")]
    a = phone("1000")
    a.invite("9776", extra=f"X-A: {CODED}\n")
    a.answered()
    a.expect(method="BYE")
    assert sw.api("global_getvar hit") == "no" and sw.api("global_getvar seen") == f"Mr {RUN} 1000"
