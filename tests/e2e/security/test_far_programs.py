"""What a caller wrote, in what a dialplan says to programs elsewhere: a value of their JSON, a value or a segment of their URLs, and never
a member, a parameter or another path of theirs."""
import json
import sys
from pathlib import Path
from xml.etree import ElementTree
from urllib.parse import parse_qs, urlsplit

import pytest
import tandem as t
from calls import extension, write_extensions
from trunk import Trunk, add_profile

sys.path.insert(0, str(Path(__file__).parent.parent))
from test_bots import Program  # noqa: E402
from web_server import WebServer  # noqa: E402

START = "${uuid_audio_stream(${uuid} start ws://127.0.0.1:PORT/call/${sip_h_X-A}?n=${sip_h_X-A}&role=user mono 8k {~name~:~${sip_h_X-A}~,~role~:~user~})}"
SAYS = "${uuid_audio_stream(${uuid} send_text {~said~:~${sip_h_X-A}~,~role~:~user~})}"
SENT = {"94": "form post a=${sip_h_X-A}&b=1%202", "95": "form post a=${url_encode(${sip_h_X-A})}&b=1%202",
        "96": "json content-type application/json post {~a~:~${sip_h_X-A}~,~b~:~1%202~}",
        "97": "json post {~a~:~${url_encode(${sip_h_X-A})}~,~b~:~1%202~}",
        "99": "xml content-type text/xml post <x><a>${sip_h_X-A}</a><b>1%202</b></x>",
        "98": "text content-type text/plain post 1%202${sip_h_X-A}"}


@pytest.fixture(scope="module")
def program():
    p = Program()
    yield p
    p.close()


@pytest.fixture(scope="module")
def web():
    w = WebServer()
    yield w
    w.stop()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, program, web):
    s = t.Tandem(tmp_path_factory.mktemp("far_programs") / "instance")
    s.at = add_profile(s, "plain")
    modules = s.root / "conf/autoload_configs/modules.conf.xml"
    if "mod_curl" not in modules.read_text():
        modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_curl"/></modules>'))
    write_extensions(s, [extension("90", "answer", f"set started={START}".replace("PORT", str(program.port)), "park").replace("~", "&quot;"),
                         extension("91", f"set said={SAYS}", "park").replace("~", "&quot;"),
                         extension("92", f"curl {web.url}/a/b/${{sip_h_X-A}}/c?n=${{sip_h_X-A}}", "answer", "park"),
                         extension("93", f"curl {web.url}/a?n=${{url_encode(${{sip_h_X-A}})}}&r=user", "park").replace("&r", "&amp;r"),
                         *[extension(number, f"curl {web.url}/{data}", "park").replace("&b", "&amp;b").replace("~", "&quot;").replace("<x><a>", "&lt;x>&lt;a>").replace("</a><b>", "&lt;/a>&lt;b>").replace("</b></x>", "&lt;/b>&lt;/x>")
                           for number, data in SENT.items()]])
    s.start()
    yield s
    s.stop()


def parked(sw, phone, number, text):
    a = phone("ext", register=False, kind=Trunk, at=sw.at)
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE")
    a.invite(number, extra=f"X-A: {text}\n")
    uuid = events.wait_event("CHANNEL_EXECUTE", Application="park")["Unique-ID"]
    events.close()
    return uuid


@pytest.mark.parametrize("text", ['x","role":"admin', '"}', "a\\", "x&role=admin", "a/../../b", "plain", "中 文"])
def test_words_and_address_of_a_bot(sw, phone, program, text):
    before = len(program.connections)
    uuid = parked(sw, phone, "90", text.encode().decode("latin-1"))
    program.wait(lambda: len(program.connections) > before and program.connections[-1].words)
    c = program.connections[-1]
    assert json.loads(c.words[0]) == {"name": text, "role": "user"}
    path, _, query = c.asked.partition("?")
    assert path.count("/") == 2 and query.count("&") == 1 and query.endswith("&role=user"), c.asked
    sw.api(f"uuid_transfer {uuid} 91 XML default")
    program.wait(lambda: len(c.words) > 1)
    assert json.loads(c.words[1]) == {"said": text, "role": "user"}
    sw.api("hupall")
    sw.wait_calls(0)


@pytest.mark.parametrize("text, path", [("x&y=1", "/a/b/x%26y%3D1/c?n=x%26y%3D1"), ("..", None), (".", None)])
def test_a_segment_of_curls(sw, phone, web, text, path):
    before = len(web.requests)
    parked(sw, phone, "92", text)
    assert [r.path for r in web.requests[before:]] == ([path] if path else [])
    sw.api("hupall")
    sw.wait_calls(0)


FIELDS = ["x&b=2", 'x","b":"2', "x%22,%22b%22:%222", "%26b=2", "a+b", "plain", "two words", "100 %", "%41", "中", "</a><b>2</b><a>"]


@pytest.mark.parametrize("text", FIELDS)
def test_a_value_that_a_dialplan_has_coded(sw, phone, web, text):
    before = len(web.requests)
    parked(sw, phone, "93", text.encode().decode("latin-1"))
    (asked,) = web.requests[before:]
    assert parse_qs(urlsplit(asked.path).query, keep_blank_values=True) == {"n": [text], "r": ["user"]}, asked.path
    sw.api("hupall")
    sw.wait_calls(0)


@pytest.mark.parametrize("text", FIELDS)
@pytest.mark.parametrize("number", SENT)
def test_a_value_that_curl_sends(sw, phone, web, number, text):
    before = len(web.requests)
    parked(sw, phone, number, text.encode().decode("latin-1"))
    (asked,) = web.requests[before:]
    body = asked.body if isinstance(asked.body, str) else asked.body.decode()
    if asked.path == "/form":
        assert parse_qs(body, keep_blank_values=True) == {"a": [text], "b": ["1 2"]}, body
    elif asked.path == "/json":
        assert json.loads(body) == {"a": text, "b": "1 2"}, body
    elif asked.path == "/xml":
        assert [(e.tag, e.text) for e in ElementTree.fromstring(body)] == [("a", text), ("b", "1 2")], body
    else:
        assert body == "1 2" + text
    sw.api("hupall")
    sw.wait_calls(0)
