"""The command and application curl, curl_sendfile: answers as recorded from FreeSWITCH."""
import json
import re

import pytest
import tandem as t
from calls import call, extension, uuid_of, write_extensions
from web_server import WebServer, dead_port


def answer(r):
    if r.path.startswith("/nosuch"):
        return 404, "text/plain", "not found"
    if r.path.startswith("/moved"):
        return 302, "text/plain", "", {"Location": "/curl"}
    return 200, "text/plain", "echo:" + r.body.decode("latin1") + "\nline2\n"


@pytest.fixture(scope="module")
def web():
    s = WebServer(answer)
    yield s
    s.stop()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, web):
    s = t.Tandem(tmp_path_factory.mktemp("curl") / "instance")
    modules = s.root / "conf/autoload_configs/modules.conf.xml"
    modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_curl"/>\n</modules>', 1))
    write_extensions(s, [extension("9780", "curl " + web.url + "/curl?n=${caller_id_number}&x=${odd} json", "answer", "park"),
                         extension("9781", "curl http://${caller_id_number}/x", "answer", "park"),
                         extension("9782", "set d=${curl(" + web.url + "/curl?n=${caller_id_number})}", "answer", "park")])
    s.start()
    yield s
    s.stop()


@pytest.fixture(autouse=True)
def fresh(web):
    del web.requests[:]


def test_replies(sw, web):
    def curl(words):
        return sw.api(f"curl {web.url}{words}")
    assert sw.api("curl").startswith("-ERR\ncurl url [headers|json|content-type <mime-type>|")
    assert curl("/curl") == "echo:\nline2\n"
    assert web.requests[0].method == "GET" and web.requests[0].headers["User-Agent"] == "freeswitch-curl/1.0"
    assert re.fullmatch(r"HTTP/1.1 200 OK\nServer: .*\nDate: .*\nContent-Type: text/plain\nContent-Length: 12\n\n\necho:\nline2\n", curl("/curl headers"))
    got = json.loads(curl("/curl json"))
    assert list(got) == ["exit_code", "status_code", "body", "version", "phrase", "headers"]
    assert (got["exit_code"], got["status_code"], got["body"], got["version"], got["phrase"]) == ("0", "200", "echo:\nline2\n", "HTTP/1.1", "OK")
    assert {"key": "Content-Length", "value": "12"} in got["headers"]
    assert curl("/curl post a=1&b=x%20y") == "echo:a=1&b=x y\nline2\n"
    assert web.requests[-1].headers["Content-Type"] == "application/x-www-form-urlencoded" and web.requests[-1].method == "POST"
    assert curl('/curl headers post {"a":1} content-type application/json').endswith('echo:{"a":1}\nline2\n')
    assert web.requests[-1].headers["Content-Type"] == "application/json"
    assert curl("/curl put abc") == "echo:abc\nline2\n" and web.requests[-1].method == "PUT"
    assert curl("/curl delete") == "echo:\nline2\n" and web.requests[-1].method == "DELETE"
    assert web.requests[-1].headers["Content-Length"] == "0"
    assert curl("/curl head") == "-ERR no reply\n" and web.requests[-1].method == "HEAD"
    assert curl("/curl append_headers X-Lab:1") and web.requests[-1].headers["X-Lab"] == "1"
    assert curl("/nosuch") == "not found" and json.loads(curl("/nosuch json"))["status_code"] == "404"
    assert curl("/moved") == "echo:\nline2\n"
    assert sw.api(f"curl http://127.0.0.1:{dead_port()}/x") == "-ERR no reply\n"
    assert sw.api(f"curl {web.url}/x nosuchword").startswith("-ERR")
    assert sw.api("curl ftp://127.0.0.1/x") == "-ERR no reply\n"


def test_a_file_is_sent(sw, web, tmp_path):
    (tmp_path / "a.txt").write_text("of the file")
    assert sw.api("curl_sendfile").startswith("-USAGE\n<url> <filenameParamName=filepath>")
    e = sw.esl()
    e.subscribe("CUSTOM curl_sendfile::ack")
    assert sw.api(f"curl_sendfile {web.url}/up doc={tmp_path}/a.txt p=1&q=x%20y both me") == "+200 Ok\n"
    body = web.requests[-1].body.decode()
    assert 'name="q"\r\n\r\nx y\r\n' in body and 'name="doc"; filename="a.txt"' in body and "of the file" in body
    ack = e.wait_event("CUSTOM")
    assert (ack["Command-Execution-Identifier"], ack["File-Access"], ack["REST-HTTP-Code"]) == ("me", "Success", "200")
    assert sw.api(f"curl_sendfile {web.url}/up doc={tmp_path}/none.txt").startswith("-0 Err")
    e.close()


def test_in_a_call(sw, web, phone):
    a = call(phone("1000"), "9780")
    uuid = uuid_of(sw, "1000")
    assert web.requests[0].path == "/curl?n=1000&x="
    assert json.loads(sw.api(f"uuid_getvar {uuid} curl_response_data"))["status_code"] == "200"
    assert sw.api(f"uuid_getvar {uuid} curl_response_code") == "200"
    a.bye()
    a = call(phone("1001"), "9781")
    sw.wait_log("a server named from outside is not called")
    a.bye()
    a = call(phone("1002"), "9782")
    assert sw.api(f"uuid_getvar {uuid_of(sw, '1002')} d") == "echo:\nline2\n" and web.requests[-1].path == "/curl?n=1002"
    a.bye()
