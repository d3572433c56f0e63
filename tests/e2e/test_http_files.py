"""Sound files of web servers: played, kept, joined, refused."""
import base64
import hashlib
import hmac
import http.server
import io
import threading
import wave

import judge
import numpy as np
import pytest
from calls import call, ended, extension, uuid_of, write_extensions
from test_sound_files import heard, hz_of

pytestmark = pytest.mark.leaks


def wav_bytes(samples):
    b = io.BytesIO()
    with wave.open(b, "wb") as w:
        w.setnchannels(1), w.setsampwidth(2), w.setframerate(8000)
        w.writeframes(np.asarray(samples).astype("<i2").tobytes())
    return b.getvalue()


class Server:
    """Serves tones; counts; holds answers back until it may go."""

    def __init__(self):
        self.asked, self.may_go, self.age, self.is_broken = [], threading.Event(), "max-age=1000", False
        self.may_go.set()
        self.put, self.answer, self.heads = [], 201, {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                outer.heads[self.path] = self.headers
                outer.may_go.wait(20)
                data = wav_bytes(judge.tone(1200 if "high" in self.path else 500, 1.0))
                if outer.is_broken or "none" in self.path:
                    data = b""
                self.send_response(200 if data else 404)
                self.send_header("Cache-Control", outer.age)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_PUT(self):
                outer.may_go.wait(20)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.put.append((self.path, self.headers, body))
                self.send_response(outer.answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.where = f"127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def server():
    s = Server()
    yield s
    s.http.shutdown()
    s.http.server_close()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, server):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("http_files") / "instance")
    w = server.where
    write_extensions(s, [
        extension("7980", "answer", f"playback http://{w}/high.wav", "hangup"),
        extension("7981", "answer", f"playback http_cache://{w}/low.wav@@4000", "playback http_cache://http://" + w + "/low.wav", "hangup"),
        extension("7982", "answer", f"playback http://{w}/none.wav", "playback tone_stream://%(200,0,500)", "hangup"),
        extension("7983", "answer", f"playback http://{w}/joined.wav", "hangup"),
        extension("7984", "answer", f"playback http://{w}/old.wav", "hangup"),
        extension("7985", "answer", "playback http://${sip_h_X-Phone}/x.wav", f"playback http://{w}/${{sip_h_X-Phone}}.wav", "hangup"),
        extension("7987", "answer", f"playback {{refresh=true}}http://{w}/fresh.wav",
                  "playback file_string://{refresh=true}http_cache://" + w + "/fresh.wav!http://" + w + "/fresh.wav", "hangup"),
        extension("7986", "answer", f"record http://{w}/up.wav 1", f"playback http://{w}/up.wav", "hangup"),
        extension("7996", "answer", f"record {{samplerate=16000}}http://{w}/q.wav?x=1 1", "hangup"),
        extension("7988", "answer", "record_session {profile=plain}http_cache://" + w + "/session.wav", "playback tone_stream://%(800,0,500)", "hangup"),
        extension("7989", "answer", f"record http://{w}/named-${{sip_h_X-Phone}}.wav 1", "record_session {profile=${sip_h_X-Phone}}http://" + w + "/x.wav",
                  "set RECORD_APPEND=true", f"record_session http://{w}/more.wav", "record http://${sip_h_X-Phone}/x.wav 1", "hangup"),
        extension("7990", "http_put {profile=s3}http://" + w + f"/b/${{sip_h_X-Phone}}.txt {s.root}/note.txt",
                  "set first=${http_put_result}", f"http_put http://{w}/b.txt {s.root}/${{sip_h_X-Phone}}", "info", "answer",
                  f"http_put http://{w}/b.txt {s.root}/nowhere", "hangup"),
        extension("7991", "answer", f"record http://{w}/stays.wav 1", "hangup"),
    ])
    (s.root / "note.txt").write_text("a note")
    (s.root / "conf/autoload_configs/http_cache.conf.xml").write_text(f"""<configuration name="http_cache.conf"><settings/><profiles>
      <profile name="plain"><default><header name="X-Token"> secret one </header></default></profile>
      <profile name="s3"><aws-s3><access-key-id><![CDATA[AKID]]></access-key-id><secret-access-key>SECRET</secret-access-key>
        <base-domain>127.0.0.1</base-domain></aws-s3></profile>
      <profile name="s4"><aws-s3><access-key-id>AKID</access-key-id><secret-access-key>SECRET</secret-access-key>
        <region>eu-1</region></aws-s3></profile>
      <profile name="azure"><azure-blob><secret-access-key>c2VjcmV0</secret-access-key><base-domain>0.0.1</base-domain></azure-blob></profile>
      <profile name="broken"><aws-s3><access-key-id>AKID</access-key-id></aws-s3></profile>
      <profile name="named"><default><header name="X-Host">yes</header></default><domains><domain name="localhost"/></domains></profile>
    </profiles></configuration>""")
    s.start()
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("PLAYBACK_START PLAYBACK_STOP RECORD_STOP CHANNEL_HANGUP_COMPLETE")
    e.subscribe("CUSTOM http_cache::upload")
    yield e
    e.close()


def test_played_and_kept(sw, server, phone, events):
    for _ in range(2):
        p = phone("1000")
        call(p, "7980")
        assert abs(hz_of(heard(p, 20)) - 1200) < 20
        ended(p)
    assert server.asked.count("/high.wav") == 1
    path = sw.api(f"http_tryget http://{server.where}/high.wav")
    assert path.endswith(".wav") and open(path, "rb").read(4) == b"RIFF"
    assert sw.api(f"http_get http://{server.where}/high.wav") == path
    assert sw.api(f"http_remove_cache http://{server.where}/high.wav") == "+OK\n"
    assert sw.api(f"http_tryget http://{server.where}/high.wav").startswith("-ERR")


def test_http_cache_names(sw, server, phone, events):
    p = phone("1000")
    call(p, "7981")
    uuid = uuid_of(sw, "1000")
    assert events.wait_event("PLAYBACK_STOP", Unique_ID=uuid)["variable_playback_samples"] == "4000"
    assert events.wait_event("PLAYBACK_STOP", Unique_ID=uuid)["variable_playback_samples"] == "8000"
    ended(p)
    assert server.asked.count("/low.wav") == 1


def test_not_there(sw, server, phone, events):
    p = phone("1000")
    call(p, "7982")
    assert abs(hz_of(heard(p, 8)) - 500) < 30
    ended(p)


def test_joined(sw, server, phone, events):
    """Two calls want the file that is on its way: one request."""
    server.may_go.clear()
    p, q = phone("1000"), phone("1001")
    call(p, "7983"), call(q, "7983")
    sw.api(f"bgapi http_prefetch http://{server.where}/joined.wav")
    server.may_go.set()
    for x in (p, q):
        assert events.wait_event("PLAYBACK_STOP")["variable_playback_samples"] == "8000"
    ended(p), ended(q)
    assert server.asked.count("/joined.wav") == 1


def test_old(sw, server, phone, events):
    """What may be kept for no time is asked for each time, and played on when its server fails."""
    server.age = "max-age=0"
    for broken in (False, False, True):
        server.is_broken = broken
        p = phone("1000")
        call(p, "7984")
        assert abs(hz_of(heard(p, 20)) - 500) < 20
        ended(p)
    assert server.asked.count("/old.wav") == 3
    server.is_broken, server.age = False, "max-age=1000"
    assert "stale: 1" in sw.api("http_cache_status")


def test_from_outside(sw, server, phone, events):
    """A phone names no server, and nothing elsewhere on it."""
    for given in (server.where, "../up", "a/../b", "x?y=z", "a%2f"):
        p = phone("1000")
        before = len(server.asked)
        p.invite("7985", extra=f"X-Phone: {given}\r\n")
        p.answered()
        ended(p)
        assert "/x.wav" not in server.asked
        assert len(server.asked) == before + (given == server.where), given  # below the server it is a name as any
    p = phone("1000")
    p.invite("7985", extra="X-Phone: high-7\r\n")
    p.answered()
    assert abs(hz_of(heard(p, 20)) - 1200) < 20
    ended(p)


def test_refreshed(sw, server, phone, events):
    """{refresh=true} asks anew, in commands and in sources; what means nothing is told, and nothing more."""
    url = f"http://{server.where}/fresh.wav"
    path = sw.api(f"http_get {url}")
    assert sw.api(f"http_get {{refresh=false,profile=none,wrong=x}}{url}") == path
    sw.wait_log("{wrong=...} means nothing")
    new = sw.api("http_get {refresh=true}http_cache://" + url)
    assert new != path and open(new, "rb").read(4) == b"RIFF" and server.asked.count("/fresh.wav") == 2
    assert sw.api(f"http_tryget {{refresh=true}}{url}") == "-ERR download\n" and sw.api(f"http_tryget {url}") == "-ERR download\n"
    assert sw.api(f"http_prefetch {{refresh=true}}{url}") == "+OK\n" and sw.api(f"http_get {url}").endswith(".wav")
    assert server.asked.count("/fresh.wav") == 3
    p = phone("1000")
    call(p, "7987")
    for _ in range(2):
        events.wait_event("PLAYBACK_STOP")
    ended(p)
    assert server.asked.count("/fresh.wav") == 5
    assert sw.api(f"http_remove_cache {{x=y}}{url}") == "+OK\n"
    for bad in ("{refresh=true", "{refresh=true}", "{a=b}file.wav", "http://a/b c"):
        assert sw.api(f"http_get {bad}").startswith("-ERR"), bad


# ---- what is sent
def uploaded(events, path):
    e = events.wait_event("CUSTOM", URL=path)
    return e["Result"], e["HTTP-Code"], e["File"]


def is_sound(data, seconds):
    with wave.open(io.BytesIO(data)) as f:
        return abs(f.getnframes() / f.getframerate() - seconds) < 0.2


def unsent(sw):
    return [f for f in (sw.root / "cache").rglob("put-*")]


def test_record(sw, server, phone, events):
    """What is recorded to a URL goes there, is heard from the cache before it has arrived, and leaves nothing behind."""
    server.may_go.clear()
    p = phone("1000")
    call(p, "7986")
    uuid = uuid_of(sw, "1000")
    e = events.wait_event("RECORD_STOP", Unique_ID=uuid)
    assert e["Record-File-Path"] == f"http://{server.where}/up.wav" and e["variable_record_completion_cause"] == "success"
    assert events.wait_event("PLAYBACK_STOP", Unique_ID=uuid)["variable_playback_samples"] in ("8000", "8160")
    ended(p)
    server.may_go.set()
    assert uploaded(events, f"http://{server.where}/up.wav")[:2] == ("sent", "201")
    path, headers, body = server.put[-1]
    assert path == "/up.wav" and headers["Content-Type"] == "audio/wav" and is_sound(body, 1) and "/up.wav" not in server.asked
    assert not [f for f in sw.root.rglob("*up.wav*")]


def test_record_with_a_query(sw, server, phone, events):
    """The format is told by what stands before it; a parameter of the file is none of the cache's."""
    p = phone("1000")
    call(p, "7996")
    ended(p)
    assert uploaded(events, f"http://{server.where}/q.wav?x=1")[0] == "sent"
    path, _, body = server.put[-1]
    assert path == "/q.wav?x=1" and int.from_bytes(body[24:28], "little") == 16000
    assert "samplerate" not in "".join(line for line in sw.log_text.splitlines() if "means nothing" in line)


def test_record_session(sw, server, phone, events):
    """The server is slow: the call ends meanwhile. The profile's header lines are sent."""
    server.may_go.clear()
    p = phone("1000")
    call(p, "7988")
    e = events.wait_event("RECORD_STOP")
    assert e["Record-File-Path"] == "{profile=plain}http_cache://" + server.where + "/session.wav"
    ended(p)
    events.wait_event("CHANNEL_HANGUP_COMPLETE")
    assert "sending: 1\n" in sw.api("http_cache_status")
    server.may_go.set()
    assert uploaded(events, f"http://{server.where}/session.wav")[0] == "sent"
    path, headers, body = server.put[-1]
    assert path == "/session.wav" and headers["X-Token"] == "secret one" and is_sound(body, 0.8)
    sw.wait_log("is sent to")


def test_record_stays(sw, server, phone, events):
    """What the server refuses stays as a file, is told, and can be sent by hand."""
    server.answer = 403
    p = phone("1000")
    call(p, "7991")
    ended(p)
    url = f"http://{server.where}/stays.wav"
    result, code, path = uploaded(events, url)
    assert (result, code) == ("the server answers 403", "403") and [path] == list(map(str, unsent(sw)))
    sw.wait_log(f"{url}: the server answers 403; the file stays: {path}")
    assert is_sound(open(path, "rb").read(), 1)
    assert sw.api(f"http_put {url} {path}") == "-ERR 403\n"
    server.answer = 200
    assert sw.api(f"http_put {url} {path}") == "+OK 200\n" and is_sound(server.put[-1][2], 1)
    assert uploaded(events, url)[0] == "the server answers 403" and uploaded(events, url)[0] == "sent"
    unsent(sw)[0].unlink()
    assert sw.api(f"http_put {url} {path}") == "-ERR 0\n"
    assert sw.api(f"http_put {url}").startswith("-USAGE") and sw.api("http_put file.wav /x").startswith("-ERR")
    server.answer = 201


def test_record_from_outside(sw, server, phone, events):
    """A caller names no server and no profile; below the server he may name the file. Nothing is appended to a URL."""
    before = len(server.put)
    p = phone("1000")
    p.invite("7989", extra=f"X-Phone: {server.where}\r\n")
    p.answered()
    ended(p)
    assert uploaded(events, f"http://{server.where}/named-{server.where}.wav")[0] == "sent"
    assert [x[0] for x in server.put[before:]] == [f"/named-{server.where}.wav"]
    sw.wait_log("not a URL to record to, or one that comes from outside", 2)
    sw.wait_log("nothing can be added to what a server has")


def test_profiles(sw, server, events):
    """Requests are signed, those that fetch, too; a profile without its key sends nothing."""
    host = server.where
    note = sw.root / "note.txt"
    assert sw.api(f"http_put {{profile=s3}}http://{host}/bucket/a.txt {note}") == "+OK 201\n"
    path, h, body = server.put[-1]
    text = f"PUT\n\ntext/plain\n{h['Date']}\n/bucket/a.txt".encode()
    mac = base64.b64encode(hmac.new(b"SECRET", text, hashlib.sha1).digest()).decode()
    assert (path, body, h["Authorization"]) == ("/bucket/a.txt", b"a note", f"AWS AKID:{mac}")
    assert sw.api(f"http_put {{profile=s4}}http://{host}/a.txt {note}") == "+OK 201\n"
    h, now = server.put[-1][1], server.put[-1][1]["x-amz-date"]
    names = "host;x-amz-content-sha256;x-amz-date"
    asked = f"PUT\n/a.txt\n\nhost:{h['Host']}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{now}\n\n{names}\nUNSIGNED-PAYLOAD"
    text = f"AWS4-HMAC-SHA256\n{now}\n{now[:8]}/eu-1/s3/aws4_request\n{hashlib.sha256(asked.encode()).hexdigest()}"
    key = b"AWS4SECRET"
    for part in (now[:8], "eu-1", "s3", "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    assert h["Authorization"] == f"AWS4-HMAC-SHA256 Credential=AKID/{now[:8]}/eu-1/s3/aws4_request,SignedHeaders={names},Signature={key.hex()}"
    assert sw.api(f"http_put {{profile=azure}}http://{host}/c/a.txt {note}") == "+OK 201\n"
    h = server.put[-1][1]
    text = (f"PUT\n\n\n6\n\ntext/plain\n\n\n\n\n\n\nx-ms-blob-type:BlockBlob\nx-ms-date:{h['x-ms-date']}\n"
            f"x-ms-version:{h['x-ms-version']}\n/127/c/a.txt").encode()
    assert h["Authorization"] == "SharedKey 127:" + base64.b64encode(hmac.new(b"secret", text, hashlib.sha256).digest()).decode()
    count = len(server.put)
    assert sw.api(f"http_put {{profile=broken}}http://{host}/a.txt {note}") == "-ERR 0\n" and len(server.put) == count
    sw.wait_log("cannot be signed: a key is missing")
    assert sw.api(f"http_put {{profile=none}}http://localhost:{host.split(':')[1]}/a.txt {note}") == "+OK 201\n"
    assert server.put[-1][1]["X-Host"] == "yes"
    sw.wait_log('there is no profile "none"')
    assert sw.api(f"http_get {{profile=plain}}http://{host}/signed.wav").endswith(".wav") and server.heads["/signed.wav"]["X-Token"] == "secret one"


def test_application(sw, server, phone, events):
    p = phone("1000")
    p.invite("7990", extra="X-Phone: ../note.txt\r\n")
    p.answered()
    ended(p)
    e = events.wait_event("CHANNEL_HANGUP_COMPLETE")
    assert e["variable_http_put_result"] == "-ERR 0"
    sw.wait_log("http_put: ")
    p = phone("1000")
    p.invite("7990", extra="X-Phone: note.txt\r\n")
    p.answered()
    ended(p)
    e = events.wait_event("CHANNEL_HANGUP_COMPLETE")
    assert e["variable_first"] == "+OK 201" and [x[0] for x in server.put[-2:]] == ["/b/note.txt.txt", "/b.txt"]


def test_unloaded(sw, server, phone, events):
    """Without the module nothing sends it: a recording to a URL is refused, and no file of that name lies about."""
    assert sw.api("unload mod_http_cache").startswith("+OK")
    before = sw.log_text.count("nothing sends it there")
    p = phone("1000")
    call(p, "7988")
    assert abs(hz_of(heard(p, 8)) - 500) < 30
    ended(p)
    assert sw.log_text.count("nothing sends it there") == before + 1 and not unsent(sw)
    assert not [f for f in sw.root.rglob("*session.wav*")]
    assert sw.api("load mod_http_cache").startswith("+OK")
