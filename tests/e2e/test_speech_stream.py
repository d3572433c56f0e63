"""detect_speech and play_and_detect_speech with an engine that gets the sound as it is said, over WebSocket: a server of the test's."""
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import judge
import pytest
from calls import call, ended, extension, uuid_of, write_extensions
from test_bots import Program
from test_speech import events, result_of, says  # noqa: F401 (a fixture)

pytestmark = pytest.mark.leaks

ANSWER = {"text": "two & two", "confidence": 0.87}


class Engine(Program):
    """Says parts while it hears, and the whole at the end; answer: what, None: nothing ever."""
    def __init__(self):
        self.answer, self.when, self.part = ANSWER, "end", None
        super().__init__(self.hear)

    async def hear(self, ws, message):
        if not isinstance(message, str):
            if self.when == "early" and len(ws.sound) > 16000:
                self.when = "end"
                await self.say(ws, self.answer)
            return
        if json.loads(message)["type"] == "end":
            if self.part:
                await self.say(ws, self.part)
            if self.answer == "close":
                await ws.close()
            elif self.answer:
                await self.say(ws, self.answer)

    async def say(self, ws, what):
        await ws.send(what if isinstance(what, str) else json.dumps(what))

    def types(self, ws):
        return [json.loads(w)["type"] for w in ws.words]


@pytest.fixture(scope="module")
def engine():
    e = Engine()
    yield e
    e.loop.call_soon_threadsafe(e.loop.stop)
    e.thread.join(10)


@pytest.fixture(autouse=True)
def fresh(engine):
    engine.answer, engine.when, engine.part = ANSWER, "end", None
    engine.connections.clear()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, engine):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("speech") / "instance")
    (s.root / "conf/autoload_configs/http_asr.conf.xml").write_text(
        f'<configuration name="http_asr.conf"><settings><param name="stream-url" value="ws://127.0.0.1:{engine.port}/hear?x=1"/>'
        '<param name="timeout" value="1500"/><param name="authorization" value="Bearer abc"/></settings></configuration>')
    tone = "tone_stream://%(20000,0,400)"
    write_extensions(s, [
        extension("7920", "answer", f"play_and_detect_speech {tone} detect:ws {{no-input-timeout=3000}}numbers", "hangup"),
        extension("7921", "answer", "play_and_detect_speech tone_stream://%(200,0,400) detect:ws {no-input-timeout=600}numbers", "hangup"),
        extension("7922", "answer", "detect_speech ws menu", "park"),
        extension("7923", "answer", f"play_and_detect_speech {tone} detect:http numbers", "hangup"),
    ])
    s.start()
    yield s
    s.stop()


def test_heard_as_it_is_said(sw, engine, phone, events):  # noqa: F811
    """The program gets who asks and for what, the sound, and where it ends; a part of the result is told before the whole."""
    engine.part = {"text": "two", "final": False}
    p = phone("1000")
    call(p, "7920")
    uuid = uuid_of(sw, "1000")
    s = says(p, 0.5, judge.speech(1.0), 1.0)
    events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="begin-speaking")
    part = events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="detected-partial-speech")
    assert '<input mode="speech">two</input>' in part["_body"]
    events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="detected-speech")
    cause, xml = result_of(events, uuid)
    assert cause == "000" and "two &amp; two</input>" in xml and 'grammar="numbers" confidence="87"' in xml
    ws, = engine.connections
    assert json.loads(ws.words[0]) == {"type": "start", "utterance": 1, "uuid": uuid, "grammar": "numbers", "rate": 8000}
    assert engine.types(ws)[:2] == ["start", "end"]
    assert len(ws.sound) > 1.2 * 16000 and ws.headers["Authorization"] == "Bearer abc" and ws.asked == "/hear?x=1"
    ended(p)
    s.join()


def test_the_program_is_first(sw, engine, phone, events):  # noqa: F811
    """It needs no end of ours to know what was said."""
    engine.when = "early"
    p = phone("1000")
    call(p, "7920")
    uuid = uuid_of(sw, "1000")
    s = says(p, 0.2, judge.speech(3.0))
    assert result_of(events, uuid)[0] == "000"
    assert "end" not in engine.types(engine.connections[0])
    ended(p)
    s.join()


def test_nothing_said(sw, engine, phone, events):  # noqa: F811
    p = phone("1000")
    call(p, "7921")
    assert result_of(events, uuid_of(sw, "1000")) == ("002", None)
    ended(p)


@pytest.mark.parametrize("answer, cause", [({"text": ""}, "001"), ({"error": "no ear"}, "006"), ({"text": 5}, "006"), ("close", "006"), (None, "006")],
                         ids=["no-match", "error", "strange", "gone", "never"])
def test_answers_of_no_use(sw, engine, phone, events, answer, cause):  # noqa: F811
    engine.answer = answer
    p = phone("1000")
    call(p, "7920")
    uuid = uuid_of(sw, "1000")
    s = says(p, 0.3, judge.speech(0.5), 0.8)
    assert result_of(events, uuid) == (cause, None)
    ended(p)
    s.join()


@pytest.mark.parametrize("text, kept", [("</input>,park<a b='${global_getvar(hostname)}'>", False), ("a; park, hangup' \"<b>", True)])
def test_what_is_heard_is_data(sw, engine, phone, events, text, kept):  # noqa: F811
    """Marked up as text; what would be read as an expansion is no variable."""
    engine.answer = {"text": text}
    p = phone("1000")
    call(p, "7920")
    uuid = uuid_of(sw, "1000")
    s = says(p, 0.3, judge.speech(0.5), 0.8)
    body = events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="detected-speech")["_body"]
    assert ElementTree.fromstring(body).findtext("input") == text
    cause, xml = result_of(events, uuid)
    assert cause == "000" and xml == (body if kept else None)
    ended(p)
    s.join()


@pytest.mark.parametrize("strange", ["no json", '{"type":"dtmf","digits":"1"}', '{"type":"disconnect"', "[1]"])
def test_words_that_are_no_answer(sw, engine, phone, events, strange):  # noqa: F811
    """They change nothing, and press no keys."""
    engine.part = strange
    p = phone("1000")
    call(p, "7920")
    uuid = uuid_of(sw, "1000")
    s = says(p, 0.3, judge.speech(0.5), 0.8)
    assert result_of(events, uuid)[0] == "000"
    ended(p)
    s.join()


def test_again_and_again(sw, engine, phone, events):  # noqa: F811
    """One connection for all utterances of a detect_speech; between them nothing is sent."""
    p = phone("1000")
    call(p, "7922")
    uuid = uuid_of(sw, "1000")
    engine.wait(lambda: engine.connections and engine.connections[0].words)
    for verb in ("stop", "pause", "send_text x"):  # it is none of the streams that these commands make
        assert "there is no such stream" in sw.api(f"uuid_audio_stream {uuid} {verb}")
    for text in ("one", "two"):
        engine.answer = {"text": text}
        s = says(p, 0.2, judge.speech(0.5), 0.8)
        e = events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="detected-speech")
        assert f">{text}</input>" in e["_body"]
        s.join()
        sw.api(f"uuid_broadcast {uuid} detect_speech::resume")
        events.wait_event("CHANNEL_EXECUTE_COMPLETE", Unique_ID=uuid, Application="detect_speech")
    ws, = engine.connections
    assert engine.wait(lambda: len(ws.words) > 4 and engine.types(ws)[:5]) == ["start", "end", "start", "end", "start"]
    p.bye()


def test_no_url(sw, phone, events):  # noqa: F811
    p = phone("1000")
    call(p, "7923")
    assert events.wait_event("CHANNEL_HANGUP_COMPLETE").get("variable_detect_speech_cause") is None
    sw.wait_log("play_and_detect_speech: there is no engine")
    ended(p)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """A switch with both examples as its engines."""
    import tandem as t
    servers = [subprocess.Popen([sys.executable, Path(__file__).parents[2] / "examples/asr" / name, "--port", "0"], stdout=subprocess.PIPE, text=True)
               for name in ("post_server.py", "stream_server.py")]
    urls = [p.stdout.readline().strip() for p in servers]
    s = t.Tandem(tmp_path_factory.mktemp("speech") / "instance")
    (s.root / "conf/autoload_configs/http_asr.conf.xml").write_text(
        f'<configuration name="http_asr.conf"><settings><param name="url" value="{urls[0]}"/><param name="stream-url" value="{urls[1]}"/></settings></configuration>')
    write_extensions(s, [extension(f"793{i}", "answer", f"play_and_detect_speech tone_stream://%(20000,0,400) detect:{name} numbers", "hangup")
                         for i, name in enumerate(("http", "ws"))])
    s.start()
    yield s
    s.stop()
    for p in servers:
        p.terminate()
        p.wait(10)
        p.stdout.close()


@pytest.mark.parametrize("number", ["7930", "7931"], ids=["post", "stream"])
def test_examples(examples, phone, number):
    e = examples.esl()
    e.subscribe("DETECTED_SPEECH CHANNEL_HANGUP_COMPLETE")
    p = phone("1000", switch=examples)
    call(p, number)
    uuid = uuid_of(examples, "1000")
    s = says(p, 0.3, judge.speech(1.0), 1.0)
    cause, xml = result_of(e, uuid)
    assert cause == "000" and 0.3 < float(re.search(r">([0-9.]+) seconds</input>", xml).group(1)) < 3
    ended(p)
    s.join()
    e.close()
