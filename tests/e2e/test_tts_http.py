"""The speech engine http: the test is the server. What it was asked, what the phone hears, what is kept, and what its failures cost."""
import http.server
import json
import shutil
import subprocess
import sys
import threading

import pytest
import tandem as t
from calls import call, ended, extension, heard_ms, originate, write_extensions
from phones import write_tone
from test_say import hear, started, voiced_s

pytestmark = pytest.mark.leaks
TIMEOUT_MS = 2000
STRANGE = "{x} $(id) \"q\" 'a' \\n \\ a|b!c {language=fr}d \u4f60\u597d \U0001f600 <&> @@8000"


class Server:
    """Answers by the text: a tone unless told otherwise; "never...": when it may."""

    def __init__(self, tmp):
        self.tmp, self.asked, self.answers = tmp, [], {}
        self.changed, self.may_go = threading.Condition(), threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = json.loads(body.decode())
                with outer.changed:
                    outer.asked.append((self.path, self.headers, request))
                    outer.changed.notify_all()
                if request["text"].startswith("never"):
                    outer.may_go.wait(30)
                code, ctype, sound = outer.answers.get(request["text"]) or (200, "audio/wav", outer.tone(440))
                try:
                    self.send_response(code)
                    if code == 302:
                        self.send_header("Location", "/elsewhere")
                    if ctype:
                        self.send_header("Content-Type", ctype)
                    self.send_header("Content-Length", str(len(sound)))
                    self.end_headers()
                    self.wfile.write(sound)
                except OSError:
                    pass

            def log_message(self, *args):
                pass

        class Http(http.server.ThreadingHTTPServer):
            request_queue_size = 128

        self.http = Http(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/speak"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def tone(self, hz, ext="wav"):
        wav, file = self.tmp / f"tone{hz}.wav", self.tmp / f"tone{hz}.{ext}"
        if not wav.exists():
            write_tone(wav, hz, 0.8)
        if not file.exists():
            subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", wav, file], check=True)
        return file.read_bytes()

    def texts(self):
        return [request["text"] for _, _, request in self.asked]

    def wait_asked(self, text, timeout=10):
        with self.changed:
            assert self.changed.wait_for(lambda: text in self.texts(), timeout), self.texts()

    def stop(self):
        self.may_go.set()
        self.http.shutdown()
        self.http.server_close()


def configure(sw, url, timeout_ms=TIMEOUT_MS):
    (sw.root / "conf/autoload_configs/tts_http.conf.xml").write_text(
        f'<configuration name="tts_http.conf"><settings><param name="url" value="{url}"/><param name="timeout" value="{timeout_ms}"/>'
        '<param name="authorization" value="Bearer abc"/></settings></configuration>')


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    s = Server(tmp_path_factory.mktemp("tones"))
    yield s
    s.stop()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, server):
    s = t.Tandem(tmp_path_factory.mktemp("tts") / "instance")
    configure(s, server.url)
    write_extensions(s, [
        extension("7801", "answer", "speak http|alice|hello there", "hangup"),
        extension("7802", "answer", "set tts_engine=http", "set tts_voice=bob", "set language=zh", "playback say:first", "speak second",
                  "playback tts://http|carol|third", "hangup"),
        extension("7803", "answer", "speak http|alice|${sip_h_X-Text}", "park"),
        extension("7804", "answer", "speak http|alice|${sip_h_X-Text}", "hangup"),
        extension("7807", "answer", "speak http|alice|${sip_h_X-Dollar}${sip_h_X-Text}", "hangup"),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("PLAYBACK_START CHANNEL_PARK")
    yield e
    e.close()


def speaks(p, number, text):
    """The text comes with the call: from outside."""
    p.invite(number, extra=f"X-Text: {text}\n")
    p.answered()
    return p


def cache(sw):
    """With what is half made."""
    d = sw.root / "cache/speech"
    return {f.name for f in d.iterdir()} if d.exists() else set()


def test_heard_and_kept(sw, server, phone):
    server.answers["hello there"] = (200, "audio/wav", server.tone(523))
    before = cache(sw)
    assert heard_ms(hear(call(phone("1000"), "7801")), 523) > 600
    (path, headers, request), = [a for a in server.asked if a[2]["text"] == "hello there"]
    assert request == {"text": "hello there", "voice": "alice", "language": "en"} and path == "/speak"
    assert headers["Content-Type"] == "application/json" and headers["Authorization"] == "Bearer abc"
    assert headers["Accept"] == "audio/wav, audio/mpeg, audio/ogg"
    kept, = cache(sw) - before
    assert kept.endswith(".wav") and (sw.root / "cache/speech" / kept).read_bytes() == server.tone(523)
    assert heard_ms(hear(call(phone("1001"), "7801")), 523) > 600
    assert server.texts().count("hello there") == 1
    assert "+OK" in sw.api("reloadxml")  # what memory knows of it is looked for again: on the disk
    assert heard_ms(hear(call(phone("1002"), "7801")), 523) > 600
    assert server.texts().count("hello there") == 1


def test_every_way_to_say_it(sw, server, phone, events):
    hear(call(phone(), "7802"))
    asked = {r["text"]: r for _, _, r in server.asked}
    assert asked["first"] == {"text": "first", "voice": "bob", "language": "zh"}
    assert asked["second"] == {"text": "second", "voice": "bob", "language": "zh"}
    assert asked["third"] == {"text": "third", "voice": "carol", "language": ""}
    assert [started(events) for _ in range(3)] == ["tts://http:zh|bob|first", "tts://http:zh|bob|second", "tts://http|carol|third"]


@pytest.mark.parametrize("ext, ctype", [("mp3", "audio/mpeg"), ("ogg", "Audio/OGG; codecs=vorbis"), ("wav", "audio/x-wav")])
def test_formats(sw, server, phone, ext, ctype):
    server.answers[f"as {ext}"] = (200, ctype, server.tone(660, ext))
    before = cache(sw)
    for _ in range(2):
        assert heard_ms(hear(speaks(phone(), "7804", f"as {ext}")), 660) > 500
    kept, = cache(sw) - before
    assert kept.endswith(f".{ext}") and server.texts().count(f"as {ext}") == 1


def test_strange_text_is_data(sw, server, phone):
    p = phone()
    p.invite("7807", extra=f"X-Dollar: $\nX-Text: {STRANGE}\n")
    p.answered()
    hear(p)
    assert "$" + STRANGE in server.texts()
    assert {path for path, _, _ in server.asked} == {"/speak"}


NO_SOUND = "not 200 with a sound"
FAILURES = [
    ("refused", (500, "text/html", b"<h1>no</h1>"), f"answers 500 with text/html, 11 bytes, {NO_SOUND}"),
    ("a page", (200, "text/html", b"<h1>hm</h1>"), f"answers 200 with text/html, 11 bytes, {NO_SOUND}"),
    ("a page that lies", (200, "audio/wav", b"<h1>a page of more than a header</h1>" * 9),
     "sent as wav (333 bytes) is no sound file that can be read"),
    ("empty", (200, "audio/wav", b""), f"answers 200 with audio/wav, 0 bytes, {NO_SOUND}"),
    ("no type", (200, None, b"RIFF"), f"answers 200 with no Content-Type, 4 bytes, {NO_SOUND}"),
    ("strange type", (200, "audio/\x1b[2J", b"RIFF"), f"answers 200 with audio/?[2J, 4 bytes, {NO_SOUND}"),
    ("elsewhere", (302, "audio/wav", b"RIFF"), f"answers 302 with audio/wav, 4 bytes, {NO_SOUND}"),
    ("too much", (200, "audio/wav", bytes((10 << 20) + 1)), "answers with more than 10 MB"),
]


@pytest.mark.parametrize("text, answer, told", FAILURES, ids=[f[0] for f in FAILURES])
def test_what_is_no_sound(sw, server, phone, events, text, answer, told):
    """The call goes on, the log has one line, nothing is kept: the next call asks anew."""
    server.answers[text] = answer
    before, lines = cache(sw), sw.log_text.count("cannot be spoken")
    p = speaks(phone(), "7803", text)
    events.wait_event("CHANNEL_PARK")
    sw.wait_log(told)
    assert sw.log_text.count("cannot be spoken") == lines + 1
    assert cache(sw) == before
    p.bye()
    server.answers[text] = (200, "audio/wav", server.tone(700))
    assert heard_ms(hear(speaks(phone("1001"), "7804", text)), 700) > 600


def test_one_that_never_answers(sw, server, phone, events):
    """Costs its call the timeout; another call, and who hangs up, wait for nothing."""
    server.may_go.clear()
    before = cache(sw)
    p = speaks(phone("1000"), "7803", "never one")
    server.wait_asked("never one")
    assert heard_ms(hear(speaks(phone("1001"), "7804", "meanwhile")), 440) > 600
    q = speaks(phone("1002"), "7804", "never two")
    server.wait_asked("never two")
    q.bye()
    events.wait_event("CHANNEL_PARK")
    p.bye()
    sw.wait_log(f"gave no answer in time (its timeout: {TIMEOUT_MS} ms)", count=2)
    assert len(cache(sw) - before) == 1  # of meanwhile
    server.may_go.set()


def test_more_than_are_asked_at_once(sw, server):
    """All of them within the one timeout: the row is as old as who is first in it."""
    server.may_go.clear()
    count, lines = 80, sw.log_text.count("a text cannot be spoken")
    sw.api("fsctl sps 1000")
    waiting = [originate(sw, f"null/x '&speak(http|alice|never {i} of many)'") for i in range(count)]
    for reply in waiting:
        assert reply().startswith("+OK")
    sw.wait_log("a text cannot be spoken", count=lines + count)
    assert sum(text.endswith("of many") for text in server.texts()) <= count
    server.may_go.set()
    sw.wait_calls(0)


def test_many_wait_for_one_text(sw, server, phone, events):
    server.may_go.clear()
    events.subscribe("CHANNEL_EXECUTE")
    phones = [phone(user) for user in ("1000", "1001", "1002")]
    for p in phones:
        speaks(p, "7804", "never alone")
    for _ in phones:
        events.wait_event("CHANNEL_EXECUTE", Application="speak")
    server.wait_asked("never alone")
    server.may_go.set()
    heard = []
    threads = [threading.Thread(target=lambda p=p: heard.append(heard_ms(hear(p), 440))) for p in phones]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heard) == 3 and min(heard) > 400
    assert server.texts().count("never alone") == 1


def test_unloaded_and_stopped_while_it_is_asked(fresh, server):
    """Who waits is told at once, and not when the server feels like it."""
    configure(fresh, server.url, 600000)
    fresh.start()
    server.may_go.clear()
    waiting = originate(fresh, "null/x '&speak(http|alice|never unloaded)'")
    server.wait_asked("never unloaded")
    assert "+OK" in fresh.api("reload mod_tts_http")
    assert "+OK" in fresh.api("reload mod_dptools")
    waiting()
    fresh.wait_calls(0)
    originate(fresh, "null/x '&speak(http|alice|never stopped)'")
    server.wait_asked("never stopped")
    fresh.stop()
    assert not cache(fresh)
    server.may_go.set()


def test_without_a_url(fresh, phone):
    write_extensions(fresh, [extension("7801", "answer", "speak http|slt|hello there", "hangup")])
    fresh.start()
    assert voiced_s(hear(call(phone("1000", switch=fresh), "7801"))) > 0.3
    fresh.wait_log("there is no url in tts_http.conf for the speech engine http")
    fresh.wait_log("there is no speech engine http:en[slt]; flite speaks")


def test_a_header_that_cannot_be_sent(fresh, server, phone):
    configure(fresh, server.url)
    conf = fresh.root / "conf/autoload_configs/tts_http.conf.xml"
    conf.write_text(conf.read_text().replace("Bearer abc", "a&#13;&#10;X-Evil: 1"))
    fresh.start()
    fresh.api("originate null/x '&speak(http|alice|with a header)'")
    fresh.wait_log("a text cannot be spoken: url or authorization in tts_http.conf cannot be used")
    assert "with a header" not in server.texts()


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_the_example_server(fresh, phone):
    example = subprocess.Popen([sys.executable, t.TOP / "examples/tts/espeak_server.py", "0"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    try:
        configure(fresh, example.stdout.readline().strip(), 10000)
        write_extensions(fresh, [extension("7805", "answer", "speak http|cmn|\u4f60\u597d", "speak http||--help; it's $(id)", "hangup"),
                                 extension("7806", "answer", "speak http|nosuch|a text", "hangup")])
        fresh.start()
        assert voiced_s(hear(call(phone("1000", switch=fresh), "7805"))) > 1.2
        assert len(cache(fresh)) == 2 and "cannot be spoken" not in fresh.log_text
        ended(call(phone("1001", switch=fresh), "7806"))
        fresh.wait_log("the server of tts_http.conf answers 500 with text/plain")
    finally:
        example.terminate()
        example.wait()
