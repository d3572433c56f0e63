"""Sound of calls to programs over WebSocket and back: a server of the websockets package, phones that hear and speak."""
import asyncio
import json
import re
import ssl
import subprocess
import threading
import time

import coders
import numpy as np
import pytest
import tandem as t
import websockets
from calls import call, press
from talk import Talker, amplitude

pytestmark = pytest.mark.leaks


class Program:
    """A server; `connections` in the order they came, each with .sound (int16 bytes heard), .words (texts), .headers, .path."""

    def __init__(self, handler=None, certs=None, port=0):
        self.loop = asyncio.new_event_loop()
        self.connections, self.handler, self.port = [], handler, port
        self.ready = threading.Event()
        self.context = None
        if certs:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certs)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.ready.wait(10)

    def _run(self):
        asyncio.set_event_loop(self.loop)

        async def start():
            self.server = await websockets.serve(self._serve, "127.0.0.1", self.port, ssl=self.context, max_size=None, compression=None)
            self.port = self.server.sockets[0].getsockname()[1]
        self.loop.run_until_complete(start())
        self.ready.set()
        self.loop.run_forever()

    async def _serve(self, ws, path=None):
        ws.sound, ws.words, ws.is_over = bytearray(), [], False
        ws.asked = getattr(ws, "path", path)
        ws.headers = getattr(ws, "request_headers", None) or ws.request.headers
        self.connections.append(ws)
        try:
            async for message in ws:
                if isinstance(message, str):
                    ws.words.append(message)
                else:
                    ws.sound += message
                if self.handler:
                    await self.handler(ws, message)
        except websockets.ConnectionClosed:
            pass
        ws.is_over = True

    def do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def say(self, what, n=-1):
        self.do(self.connections[n].send(what if isinstance(what, (str, bytes)) else json.dumps(what)))

    def wait(self, fn, seconds=15):
        deadline = time.monotonic() + seconds
        while not (got := fn()):
            assert time.monotonic() < deadline, [(len(c.sound), c.words) for c in self.connections]
            time.sleep(0.02)
        return got

    def close(self):
        async def end():
            self.server.close()
            await self.server.wait_closed()
        self.do(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


def tone(hz, seconds, rate=8000, level=8000):
    return (level * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)).astype("<i2").tobytes()


def heard(sound, hz, rate=8000, channels=1, channel=0):
    x = np.frombuffer(bytes(sound[:len(sound) // 2 * 2]), "<i2").astype(float)[channel::channels]
    return amplitude(x[-rate // 4:], hz, rate) if len(x) >= rate // 4 else 0


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("bots") / "instance")
    s.start()
    yield s
    s.stop()


@pytest.fixture
def program():
    p = Program()
    yield p
    p.close()


@pytest.fixture
def parked(sw, phone):
    """A phone in a call that waits; (phone, uuid)."""
    from calls import extension
    p = phone("1000", hz=500)
    (sw.root / "conf/dialplan/default/bots.xml").write_text(f'<include>{extension("7900", "answer", "park")}</include>')
    sw.api("reloadxml")
    call(p, "7900")
    p.talk = Talker(p, p.hz)
    uuid = [r.split(",")[0] for r in sw.api("show channels").splitlines() if ",1000," in r][0]
    return p, uuid


def start(sw, uuid, program, rest="mono 8k", scheme="ws", cmd="uuid_audio_stream"):
    assert sw.api(f"{cmd} {uuid} start {scheme}://127.0.0.1:{program.port}/call?x=1 {rest}") == "+OK Success\n"
    program.wait(lambda: program.connections)
    return program.connections[-1]


def test_it_hears_and_speaks(sw, parked, program):
    p, uuid = parked
    esl = sw.esl()
    esl.command("event plain CUSTOM mod_audio_stream::connect mod_audio_stream::json mod_audio_stream::disconnect")
    c = start(sw, uuid, program, 'mono 8k {"call":"a b"}')
    e = esl.wait_event("CUSTOM")
    assert e["Event-Subclass"] == "mod_audio_stream::connect" and e["Unique-ID"] == uuid
    program.wait(lambda: c.words)
    assert json.loads(c.words[0]) == {"call": "a b"} and c.asked == "/call?x=1"
    program.wait(lambda: heard(c.sound, 500) > 3000)
    program.say(tone(900, 1.5))
    p.talk.hears(900)
    program.say({"type": "hello", "n": 1})
    e = esl.wait_event("CUSTOM")
    assert e["Event-Subclass"] == "mod_audio_stream::json" and json.loads(e["_body"]) == {"type": "hello", "n": 1}
    assert sw.api(f"uuid_audio_stream {uuid} send_text some words here") == "+OK Success\n"
    program.wait(lambda: "some words here" in c.words)
    assert uuid in sw.api("audio_streams")
    assert sw.api(f'uuid_audio_stream {uuid} stop {{"bye":1}}') == "+OK Success\n"
    program.wait(lambda: c.is_over)
    assert json.loads(c.words[-1]) == {"bye": 1}
    assert esl.wait_event("CUSTOM")["Event-Subclass"] == "mod_audio_stream::disconnect"
    esl.close()


@pytest.mark.parametrize("rate", [16000, 24000])
def test_other_rates_and_both_sides(sw, parked, program, rate):
    p, uuid = parked
    c = start(sw, uuid, program, f"stereo {rate // 1000}k")
    program.say(tone(1100, 3, rate))
    program.wait(lambda: heard(c.sound, 500, rate, 2, 0) > 3000 and heard(c.sound, 1100, rate, 2, 1) > 3000)
    assert heard(c.sound, 1100, rate, 2, 0) < 500 and heard(c.sound, 500, rate, 2, 1) < 500
    p.talk.hears(1100)


@pytest.mark.parametrize("rate, ms", [(8000, 20), (16000, 40), (48000, 20)])
def test_opus(sw, parked, rate, ms):
    """A packet a message, both ways; what is no packet is passed over."""
    p, uuid = parked
    coder, sound, sizes = coders.Opus(rate), [], []

    async def hear(ws, message):
        if isinstance(message, bytes):
            sound.append(coder.decode(message))
            sizes.append((len(message), len(sound[-1])))
    program = Program(hear)
    sw.api(f"uuid_setvar {uuid} STREAM_CODEC opus")
    sw.api(f"uuid_setvar {uuid} STREAM_BUFFER_SIZE {ms}")
    start(sw, uuid, program, f"mono {rate // 1000}k")
    program.wait(lambda: sum(map(len, sound)) > rate and amplitude(np.concatenate(sound)[-rate // 4:], 500, rate) > 3000)
    assert {n for _, n in sizes} == {rate * ms // 1000} and max(n for n, _ in sizes) < rate * ms // 1000
    program.say(b"no packet at all, is it?" * 90)
    x = np.frombuffer(tone(900, 3, rate), "<i2")
    for i in range(0, len(x), rate // 50):
        program.say(coder.encode(x[i:i + rate // 50]))
    p.talk.hears(900)
    program.close()


def memory_kb(sw, what):
    return int(re.search(rf"{what}:\s+(\d+)", open(f"/proc/{sw.proc.pid}/status").read()).group(1))


def test_opus_of_one_byte(sw, parked, program):
    """A packet of a byte is 60 ms of silence: of a program that sends four hours of them at once some minutes are kept."""
    p, uuid = parked
    sw.api(f"uuid_setvar {uuid} STREAM_CODEC opus")
    c = start(sw, uuid, program, "mono 48k")
    open(f"/proc/{sw.proc.pid}/clear_refs", "w").write("5")  # VmHWM begins anew
    before = memory_kb(sw, "VmRSS")
    mark = json.dumps({"type": "mark", "name": "begun"}).encode()
    messages = bytes([0x81, len(mark)]) + mark + bytes([0x82, 1, 0x18]) * 240000  # as they are on the wire
    program.loop.call_soon_threadsafe(c.transport.write, messages)
    program.wait(lambda: c.words)
    sw.api(f"uuid_audio_stream {uuid} stop")
    program.wait(lambda: c.is_over)
    assert memory_kb(sw, "VmHWM") - before < (80000 if "asan" in t.BUILD.name else 30000)


@pytest.mark.parametrize("is_heard", [True, False], ids=["with-clears", "heard-by-nobody"])
def test_a_program_that_is_too_fast_costs_only_itself(sw, phone, parked, is_heard):
    """Hours of sound in little, heard by nobody or cleared again and again: the others' streams lose nothing."""
    p, uuid = parked
    fast, honest, q = Program(), Program(), phone("1001", hz=500)
    try:
        call(q, "7900")
        q.talk = Talker(q, q.hz)
        other = [r.split(",")[0] for r in sw.api("show channels").splitlines() if ",1001," in r][0]
        c = start(sw, other, honest)
        sw.api(f"uuid_setvar {uuid} STREAM_CODEC opus")
        sw.api(f"uuid_setvar {uuid} STREAM_PLAYBACK {str(is_heard).lower()}")
        f = start(sw, uuid, fast, "mono 48k")
        honest.wait(lambda: heard(c.sound, 500) > 3000)
        packets = bytes([0x82, 3, 0x1b, 0x02, 0x00]) * 500  # each of 120 ms
        clear = json.dumps({"type": "clear"}).encode()
        fast.loop.call_soon_threadsafe(f.transport.write, (packets + bytes([0x81, len(clear)]) + clear) * 200)
        before = len(c.sound)
        honest.wait(lambda: len(c.sound) > before + 4 * 16000)  # four seconds of its own
        row = next(r for r in sw.api("audio_streams").splitlines() if other in r)
        assert row.split(",")[-1] == "0", row
        assert sw.api(f"uuid_audio_stream {uuid} stop") == "+OK Success\n"
    finally:
        fast.close()
        honest.close()


def test_names_that_are_taken(sw, parked, program):
    p, uuid = parked
    assert "no name for a stream" in sw.api(f"uuid_audio_fork {uuid} start ws://127.0.0.1:{program.port}/ mono 8k detect_speech")
    assert "there is no such stream" in sw.api(f"uuid_audio_fork {uuid} stop detect_speech")


@pytest.mark.parametrize("words, name, said", [("one false", "one", None), ('one {"a":1} false', "one", '{"a":1}'),
                                               ('{"a":1} false', "audio", '{"a":1}')])
def test_a_fork_that_is_not_heard(sw, parked, program, words, name, said):
    """The last word says so, whatever stands before it."""
    p, uuid = parked
    c = start(sw, uuid, program, f"mono 8k {words}", cmd="uuid_audio_fork")
    program.wait(lambda: len(c.sound) > 8000)
    assert c.words == ([said] if said else [])
    program.say(tone(1100, 1))
    program.say({"type": "mark", "name": "m"})
    assert json.loads(program.wait(lambda: [w for w in c.words if "mark" in w])[0])["played_ms"] == 0
    assert sw.api(f"uuid_audio_fork {uuid} stop {name if name != 'audio' else ''}") == "+OK Success\n"


def test_opus_that_is_none(sw, parked, program):
    p, uuid = parked
    for codec, rest in (("opus", "mono 32k"), ("opus", "stereo 16k"), ("speex", "mono 8k")):
        sw.api(f"uuid_setvar {uuid} STREAM_CODEC {codec}")
        assert "STREAM_CODEC is L16, or opus" in sw.api(f"uuid_audio_stream {uuid} start ws://127.0.0.1:{program.port}/ {rest}")


def test_marks_and_barge_in(sw, parked, program):
    """A mark is answered when what stood before it was said; a clear drops the rest, and a mark behind it says so."""
    p, uuid = parked
    c = start(sw, uuid, program)
    program.say(tone(700, 0.4))
    program.say({"type": "mark", "name": "one"})
    mark = json.loads(program.wait(lambda: c.words)[0])
    assert mark["name"] == "one" and mark["status"] == "played" and 400 <= mark["played_ms"] <= 480
    program.say(tone(1300, 30))
    program.say({"type": "mark", "name": "two"})
    p.talk.hears(1300)
    program.say({"type": "clear"})
    mark = json.loads(program.wait(lambda: len(c.words) > 1 and c.words)[1])
    assert mark["name"] == "two" and mark["status"] == "cleared" and mark["played_ms"] < 20000
    p.talk.hears_nothing()
    program.say(tone(900, 0.5))
    p.talk.hears(900)


def test_keys_both_ways(sw, parked, program):
    p, uuid = parked
    c = start(sw, uuid, program)
    program.wait(lambda: c.sound)  # keys that came before it was open are nobody's
    press(p, "7#")
    program.wait(lambda: [json.loads(w)["digit"] for w in c.words] == ["7", "#"])
    program.say({"type": "dtmf", "digits": "42"})
    p.talk.wait_digits("42")
    program.say({"type": "dtmf", "digits": "4;uuid_kill"})
    program.say({"type": "mark", "name": "after"})
    program.wait(lambda: any("after" in w for w in c.words))
    assert p.talk.digits() == "42"


def test_pause_and_resume(sw, parked, program):
    p, uuid = parked
    c = start(sw, uuid, program)
    program.wait(lambda: len(c.sound) > 3200)
    assert sw.api(f"uuid_audio_stream {uuid} pause") == "+OK Success\n"
    press(p, "1")
    program.wait(lambda: c.words)  # the connection is there
    n = len(c.sound)
    press(p, "2", start=2000)
    program.wait(lambda: len(c.words) > 1)
    assert len(c.sound) - n <= 3200
    assert sw.api(f"uuid_audio_stream {uuid} resume") == "+OK Success\n"
    program.wait(lambda: len(c.sound) > n + 8000)


def test_it_connects_again(sw, parked, program):
    p, uuid = parked
    esl = sw.esl()
    esl.command("event plain CUSTOM mod_audio_stream::connect mod_audio_stream::disconnect")
    c = start(sw, uuid, program)
    assert esl.wait_event("CUSTOM")["Event-Subclass"] == "mod_audio_stream::connect"
    program.do(c.close(1001, "restart"))
    assert esl.wait_event("CUSTOM")["Event-Subclass"] == "mod_audio_stream::disconnect"
    program.wait(lambda: len(program.connections) == 2)
    program.wait(lambda: heard(program.connections[1].sound, 500) > 3000)
    esl.close()


def test_nobody_there_and_a_server_of_another_kind(sw, parked):
    import http.server
    p, uuid = parked
    esl = sw.esl()
    esl.command("event plain CUSTOM mod_audio_stream::error")
    sw.api(f"uuid_setvar {uuid} STREAM_NO_RECONNECT true")
    port = t.free_port()
    assert sw.api(f"uuid_audio_stream {uuid} start ws://127.0.0.1:{port}/ mono 8k") == "+OK Success\n"
    assert "refused" in json.loads(esl.wait_event("CUSTOM")["_body"])["message"]["error"]
    web = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    assert sw.api(f"uuid_audio_stream {uuid} start ws://127.0.0.1:{web.server_port}/ mono 8k") == "+OK Success\n"
    body = json.loads(esl.wait_event("CUSTOM")["_body"])
    assert body["status"] == "error" and "in place of 101" in body["message"]["error"] or "no WebSocket" in body["message"]["error"]
    web.shutdown()
    web.server_close()
    assert sw.api(f"uuid_audio_stream {uuid} stop").startswith("-ERR Operation failed: there is no such stream")
    esl.close()


def test_the_call_ends(sw, parked, program):
    p, uuid = parked
    c = start(sw, uuid, program)
    program.wait(lambda: c.sound)
    p.bye()
    program.wait(lambda: c.is_over)
    assert json.loads(c.words[-1]) == {"type": "hangup"}
    program.wait(lambda: sw.api("audio_streams").count("\n") == 1)


def test_a_program_that_stops_reading_costs_only_itself(sw, parked, program):
    """It is told; the call and its sound go on, and other streams are served."""
    p, uuid = parked
    import socket
    esl = sw.esl()
    esl.command("event plain CUSTOM mod_audio_stream::error")
    door = socket.create_server(("127.0.0.1", 0))
    door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    assert sw.api(f"uuid_audio_fork {uuid} start ws://127.0.0.1:{door.getsockname()[1]}/ stereo 48k deaf") == "+OK Success\n"
    s, _ = door.accept()
    key = [l for l in s.recv(4096).split(b"\r\n") if l.startswith(b"Sec-WebSocket-Key")][0].split(b": ")[1]
    import base64
    import hashlib
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    s.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    c = start(sw, uuid, program, "mono 8k")
    program.wait(lambda: heard(c.sound, 500) > 3000)
    sw.wait_log("audio stream deaf: the program does not read", timeout=40)
    n = len(c.sound)
    program.wait(lambda: len(c.sound) > n + 16000)
    assert heard(c.sound, 500) > 3000
    assert sw.api(f"uuid_audio_fork {uuid} stop deaf") == "+OK Success\n"
    s.close()
    door.close()
    esl.close()


def test_tls_and_headers(tmp_path, program):
    """wss:// by our own authority; a certificate of another name is refused."""
    from streams import Authority
    from wire import Phone
    ca = Authority(tmp_path / "ca") if not (tmp_path / "ca").mkdir() else None
    good, bad = tmp_path / "good.pem", tmp_path / "bad.pem"
    ca.issue("localhost", good, "DNS:localhost,IP:127.0.0.1")
    ca.issue("elsewhere.example", bad, "DNS:elsewhere.example")
    s = t.Tandem(tmp_path / "instance")
    conf = s.root / "conf/autoload_configs/audio_stream.conf.xml"
    conf.write_text(conf.read_text().replace("<settings>", f'<settings><param name="tls-ca-file" value="{ca.cert}"/>'))
    s.start()
    servers = [Program(certs=(good,)), Program(certs=(bad,))]
    try:
        esl = s.esl()
        esl.command("event plain CUSTOM mod_audio_stream::error")
        p = Phone(s, "1000")
        p.register()
        call(p, "9196")
        talk = Talker(p, 500)
        uuid = [r.split(",")[0] for r in s.api("show channels").splitlines() if ",1000," in r][0]
        s.api(f'uuid_setvar {uuid} STREAM_EXTRA_HEADERS {{"Authorization":"Bearer x","Host":"evil","A B":"c","Sec-WebSocket-Key":"x"}}')
        c = start(s, uuid, servers[0], scheme="wss")
        assert c.headers["Authorization"] == "Bearer x" and c.headers["Host"].startswith("127.0.0.1")
        servers[0].wait(lambda: heard(c.sound, 500) > 3000)
        servers[0].say(tone(1200, 1))
        talk.hears(1200)
        s.api(f"uuid_audio_stream {uuid} stop")
        assert s.api(f"uuid_audio_stream {uuid} start wss://127.0.0.1:{servers[1].port}/ mono 8k") == "+OK Success\n"
        assert "TLS" in json.loads(esl.wait_event("CUSTOM")["_body"])["message"]["error"]
        assert not servers[1].connections
        talk.stop()
        p.bye()
        p.close()
        esl.close()
    finally:
        for x in servers:
            x.close()
        s.stop()


def test_a_name_in_a_header_is_no_header(sw, phone, program):
    """STREAM_EXTRA_HEADERS of the configuration with a caller's name in it."""
    from calls import extension
    url = f"ws://127.0.0.1:{program.port}/"
    headers = "{'X-Name':'${sip_h_X-A}','X-Kind':'a'}".replace("'", "&quot;")
    (sw.root / "conf/dialplan/default/bots.xml").write_text("<include>" + extension(
        "7901", f"set STREAM_EXTRA_HEADERS={headers}", "answer", f"eval ${{uuid_audio_stream(${{uuid}} start {url} mono 8k)}}", "park").replace("&amp;quot;", "&quot;")
        + "</include>")
    sw.api("reloadxml")
    p = phone("1000")
    name = 'a","Authorization":"Bearer x","X-B":"{y}[z]:, \\\\'
    p.invite("7901", extra=f"X-A: {name}\n")
    p.answered()
    program.wait(lambda: program.connections)
    got = program.connections[-1].headers
    assert got["X-Name"] == name and got["X-Kind"] == "a" and "Authorization" not in got
    p.bye()


def test_sound_in_words(sw, parked, program):
    """streamAudio of mod_audio_stream's servers: base64 in JSON, at a rate of its own."""
    import base64
    p, uuid = parked
    c = start(sw, uuid, program)
    program.say({"type": "streamAudio", "data": {"audioDataType": "raw", "sampleRate": 16000, "audioData": base64.b64encode(tone(1000, 1, 16000)).decode()}})
    program.say({"type": "mark", "name": "m"})
    p.talk.hears(1000)
    mark = json.loads(program.wait(lambda: c.words)[0])
    assert 950 <= mark["played_ms"] <= 1100


@pytest.mark.parametrize("text, says", [
    ("start http://127.0.0.1/ mono 8k", "ws://"), ("start ws://127.0.0.1:99999/ mono 8k", "ws://"), ("start ws://a_b/ mono 8k", "ws://"),
    ("start ws://127.0.0.1/ quadro 8k", "mono, mixed or stereo"), ("start ws://127.0.0.1/ mono 11k", "the rate"), ("stop", "no such stream"),
    ("nonsense", "USAGE")])
def test_what_it_refuses(sw, parked, text, says):
    assert says in sw.api(f"uuid_audio_stream {parked[1]} {text}")
    assert sw.api("uuid_audio_stream nosuch stop") == "-ERR No such channel!\n"


def test_a_bridge_is_relayed_on(sw, phone, program):
    """Both phones hear each other and the program hears one of them; what it says goes to that one only."""
    a, b = phone("1000", hz=500), phone("1001", hz=800)
    a.invite("1001")
    b.take()
    a.answered()
    a.talk, b.talk = Talker(a, a.hz), Talker(b, b.hz)
    uuid = [r.split(",")[0] for r in sw.api("show channels").splitlines() if ",inbound," in r][0]
    c = start(sw, uuid, program, "mixed 8k")
    program.wait(lambda: heard(c.sound, 500) > 2000 and heard(c.sound, 800) > 2000)
    program.say(tone(1400, 2))
    a.talk.hears(1400, 800)
    b.talk.hears(500, absent=(1400,))


def test_the_example(sw, parked):
    """examples/bot/echo_bot.py greets, says back what was said, and falls silent when it is interrupted."""
    port = t.free_port()
    bot = subprocess.Popen(["/usr/bin/python3", t.TOP / "examples/bot/echo_bot.py", str(port)], stdout=subprocess.PIPE, text=True)
    try:
        assert "listening" in bot.stdout.readline()
        p, uuid = parked
        p.talk.hz = 0
        assert sw.api(f"uuid_audio_stream {uuid} start ws://127.0.0.1:{port}/ mono 8k") == "+OK Success\n"
        p.talk.hears(440)
        p.talk.hears_nothing()
        p.talk.say(2, 700)
        p.talk.hz = 0
        p.talk.hears(700)
        p.talk.say(0.5, 900)  # while it speaks
        p.talk.hears_nothing()
        p.talk.hz = 0
        p.talk.hears(900)
    finally:
        bot.terminate()
        bot.wait(10)
        bot.stdout.close()
