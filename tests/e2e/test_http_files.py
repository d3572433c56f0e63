"""Sound files of web servers: played, kept, joined, refused."""
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
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                outer.may_go.wait(20)
                data = wav_bytes(judge.tone(1200 if "high" in self.path else 500, 1.0))
                if outer.is_broken or "none" in self.path:
                    data = b""
                self.send_response(200 if data else 404)
                self.send_header("Cache-Control", outer.age)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

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
        extension("7986", "answer", f"record http://{w}/up.wav 1", "record_session http_cache://" + w + "/up.wav", "playback tone_stream://%(200,0,500)", "hangup"),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("PLAYBACK_START PLAYBACK_STOP CHANNEL_HANGUP_COMPLETE")
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


def test_nothing_sends_it(sw, server, phone, events):
    """A recording to a URL is refused, and no file of that name lies about."""
    p = phone("1000")
    call(p, "7986")
    assert abs(hz_of(heard(p, 8)) - 500) < 30
    ended(p)
    assert not [f for f in sw.root.rglob("*up.wav*")]
    assert sw.log_text.count("cannot record to http") == 2


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
