"""detect_speech and play_and_detect_speech with an engine that is an HTTP server of the test's: it says how long the tone was."""
import http.server
import io
import json
import threading
import wave

import judge
import numpy as np
import pytest
from calls import call, ended, extension, uuid_of, write_extensions
from wire import sdp

pytestmark = pytest.mark.leaks


class Engine:
    def __init__(self):
        self.asked, self.answer, self.may_go = [], {"text": "two & two", "confidence": 0.87}, threading.Event()
        self.may_go.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                data = self.rfile.read(int(self.headers["Content-Length"]))
                with wave.open(io.BytesIO(data)) as w:
                    outer.asked.append((self.headers["X-Grammar"], w.getframerate(), w.getnframes() / w.getframerate()))
                outer.may_go.wait(20)
                body = outer.answer if isinstance(outer.answer, bytes) else json.dumps(outer.answer).encode()
                try:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def engine():
    e = Engine()
    yield e
    e.may_go.set()
    e.http.shutdown()
    e.http.server_close()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, engine):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("speech") / "instance")
    (s.root / "conf/autoload_configs/http_asr.conf.xml").write_text(
        f'<configuration name="http_asr.conf"><settings><param name="url" value="http://127.0.0.1:{engine.http.server_address[1]}/hear"/>'
        '<param name="timeout" value="1500"/></settings></configuration>')
    tone, short = "tone_stream://%(20000,0,400)", "tone_stream://%(200,0,400)"
    response = "set {}=${{current_application_response}}".format
    write_extensions(s, [
        extension("7910", "answer", f"play_and_detect_speech {tone} detect:http {{no-input-timeout=3000}}numbers", "hangup"),
        extension("7911", "answer", "play_and_detect_speech tone_stream://%(200,0,400) detect:http {no-input-timeout=600}numbers", "hangup"),
        extension("7912", "answer", "detect_speech http menu", "park"),
        extension("7914", "answer", "detect_speech http menu", "detect_speech param no-input-timeout 400", "detect_speech grammar other",
                  "detect_speech start_input_timers", "detect_speech start-input-timers", "detect_speech param volume 3", "park"),
        extension("7915", "answer", "play_and_detect_speech tone_stream://%(200,0,400) detect:${sip_h_X-E} x",
                  "play_and_detect_speech tone_stream://%(200,0,400) detect:http {no-input-timeout=600}${sip_h_X-G}", "hangup"),
        extension("7913", "answer", "detect_speech nobody menu", f"play_and_detect_speech {short} detect:http {{x=1,no-input-timeout=300}}g",
                  response("one"), f"play_and_detect_speech {short} detect:nobody g", response("two"), f"play_and_detect_speech {short}", response("three"),
                  f"play_and_detect_speech {short} detect:http {{x=1 g", response("four"), "play_and_detect_speech nothing.wav detect:http g",
                  response("five"), "hangup"),
        extension("7916", "answer", f"play_and_detect_speech {short} detect:http {{no-input-timeout=200}}g", "detect_speech http {no-input-timeout=300}h", "park"),
        extension("7917", "answer", "set play_and_detect_speech_close_asr=true", f"play_and_detect_speech {short} detect:http {{no-input-timeout=200}}g", "park"),
        extension("7918", "answer", "detect_speech init http", "detect_speech param no-input-timeout 300", "detect_speech init nobody", "park"),
        extension("7919", "answer", "set asr_intercept_dtmf=true", "detect_speech http menu", "play_and_get_digits 8 8 1 15000 C silence none keys .*", "park"),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("DETECTED_SPEECH CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE_COMPLETE")
    yield e
    e.close()


def says(p, *parts):
    sound = np.concatenate([x if isinstance(x, np.ndarray) else np.zeros(int(x * 8000)) for x in parts])
    return judge.Sender(p.media, ("127.0.0.1", p.remote_rtp), [judge.rtp(f, i, 160 * i) for i, f in enumerate(judge.frames(sound))])


def result_of(events, uuid):
    done = events.wait_event("CHANNEL_HANGUP_COMPLETE", Unique_ID=uuid)
    return done["variable_detect_speech_cause"], done.get("variable_detect_speech_result")


def test_said_into_the_prompt(sw, engine, phone, events):
    p = phone("1000")
    call(p, "7910")
    uuid = uuid_of(sw, "1000")
    s = says(p, 0.5, judge.speech(1.0), 1.0)
    events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="begin-speaking")
    e = events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="detected-speech")
    assert e["Completion-Cause"] == "000"
    cause, xml = result_of(events, uuid)
    assert cause == "000" and "two &amp; two</input>" in xml and 'grammar="numbers" confidence="87"' in xml
    grammar, rate, seconds = engine.asked[-1]
    assert (grammar, rate) == ("numbers", 8000) and 1.0 < seconds < 2.3
    ended(p)
    s.join()


def test_nothing_said(sw, engine, phone, events):
    before = len(engine.asked)
    p = phone("1000")
    call(p, "7911")
    uuid = uuid_of(sw, "1000")
    assert result_of(events, uuid) == ("002", None)
    assert len(engine.asked) == before
    ended(p)


@pytest.mark.parametrize("answer, cause", [({"text": ""}, "001"), (b"no json", "006"), ({"words": 1}, "006"), (b"[" * 5000, "006")])
def test_strange_answers(sw, engine, phone, events, answer, cause):
    engine.answer = answer
    p = phone("1000")
    call(p, "7910")
    uuid = uuid_of(sw, "1000")
    s = says(p, 0.3, judge.speech(0.5), 0.8)
    assert result_of(events, uuid) == (cause, None)
    engine.answer = {"text": "yes"}
    ended(p)
    s.join()


def test_an_engine_that_never_answers(sw, engine, phone, events):
    """Costs its call the timeout; another call is not held up."""
    engine.may_go.clear()
    p = phone("1000")
    call(p, "7910")
    uuid = uuid_of(sw, "1000")
    s = says(p, 0.3, judge.speech(0.5), 0.8)
    events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="begin-speaking")
    q = phone("1001")
    call(q, "7911")
    assert result_of(events, uuid_of(sw, "1001"))[0] == "002"
    ended(q)
    assert result_of(events, uuid)[0] == "006"
    ended(p)
    s.join()
    r = phone("1000")
    call(r, "7910")  # and one that hangs up meanwhile leaves nothing
    s = says(r, 0.3, judge.speech(0.5), 0.8)
    s.join()
    r.bye()
    engine.may_go.set()


def test_paused_and_resumed(sw, engine, phone, events):
    engine.answer = {"text": "one"}
    p = phone("1000")
    call(p, "7912")
    uuid = uuid_of(sw, "1000")
    says(p, 0.3, judge.speech(0.5), 0.8).join()
    e = events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="detected-speech")
    assert e["Completion-Cause"] == "000"
    asked = len(engine.asked)
    says(p, judge.speech(0.5), 0.8).join()  # nobody listens until it is resumed
    assert len(engine.asked) == asked
    events.command(f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: detect_speech\nexecute-app-arg: resume\nevent-lock: true")
    events.api("msleep 200")
    engine.answer = {"text": "two"}
    says(p, judge.speech(0.5), 0.8).join()
    events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="detected-speech")
    assert "two" in sw.api(f"uuid_getvar {uuid} detect_speech_result")
    p.bye()
    events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="closed")


def test_a_part_is_the_whole(sw, engine, phone, events):
    """There is one answer to an utterance by POST: "final" means nothing."""
    engine.answer = {"text": "six", "final": False}
    p = phone("1000")
    call(p, "7910")
    uuid = uuid_of(sw, "1000")
    s = says(p, 0.3, judge.speech(0.5), 0.8)
    cause, xml = result_of(events, uuid)
    assert cause == "000" and "six</input>" in xml
    engine.answer = {"text": "yes"}
    ended(p)
    s.join()


def test_what_was_heard_before_is_not_the_result(sw, engine, phone, events):
    """A text that no variable takes leaves none: not the one before."""
    engine.answer = {"text": "one"}
    p = phone("1000")
    call(p, "7912")
    uuid = uuid_of(sw, "1000")
    for text, kept in (("one", True), ("${two}", False)):
        engine.answer = {"text": text}
        says(p, 0.3, judge.speech(0.5), 0.8).join()
        e = events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="detected-speech")
        assert e["Completion-Cause"] == "000"
        assert ("one" in sw.api(f"uuid_getvar {uuid} detect_speech_result")) == kept
        events.command(f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: detect_speech\nexecute-app-arg: resume\nevent-lock: true")
        events.wait_event("CHANNEL_EXECUTE_COMPLETE", Unique_ID=uuid, Application="detect_speech", Application_Data="resume")
    engine.answer = {"text": "yes"}
    p.bye()


def test_parameters_and_grammars_while_it_listens(sw, engine, phone, events):
    p = phone("1000")
    call(p, "7914")
    uuid = uuid_of(sw, "1000")
    assert events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="detected-speech")["Completion-Cause"] == "002"
    sw.wait_log("detect_speech: volume: no such parameter, or a value that it cannot have")
    assert "detect_speech: it listens already" not in sw.log_text
    events.command(f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: detect_speech\nexecute-app-arg: resume\nevent-lock: true")
    events.command(f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: detect_speech\nexecute-app-arg: param no-input-timeout 0\nevent-lock: true")
    events.wait_event("CHANNEL_EXECUTE_COMPLETE", Unique_ID=uuid, Application_Data="param no-input-timeout 0")
    says(p, 0.3, judge.speech(0.5), 0.8).join()
    events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="detected-speech", Completion_Cause="000")
    assert engine.asked[-1][0] == "other"
    p.bye()


def test_words_from_outside(sw, engine, phone, events):
    """They may be the grammar's name; not the engine, nor parameters."""
    p = phone("1000")
    p.invite("7915", sdp(p.rtp_port), extra="X-E: http\nX-G: {no-input-timeout=0}g\n")
    p.answered()
    uuid = uuid_of(sw, "1000")
    sw.wait_log("an engine that is named from outside is not used")
    assert result_of(events, uuid)[0] == "002"
    ended(p)


def test_wrong_words(sw, phone, events):
    p = phone("1000")
    call(p, "7913")
    uuid = uuid_of(sw, "1000")
    sw.wait_log("detect_speech: there is no engine (http with a url, ws with a stream-url in http_asr.conf, or a module's) nobody")
    ended(p, timeout=15)
    e = events.wait_event("CHANNEL_HANGUP_COMPLETE", Unique_ID=uuid)
    assert [e["variable_" + n] for n in ("one", "two", "three", "four", "five")] == ["DONE", "ASR INIT ERROR", "USAGE ERROR", "GRAMMAR ERROR", "ERROR"]
    assert e["variable_detect_speech_cause"] == "002"
    sw.wait_log("play_and_detect_speech: x: no such parameter, or a value that it cannot have: left out")


def do(events, uuid, data):
    events.command(f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: detect_speech\nexecute-app-arg: {data}\nevent-lock: true")
    events.wait_event("CHANNEL_EXECUTE_COMPLETE", Unique_ID=uuid, Application="detect_speech", Application_Data=data)


def test_the_recogniser_is_kept(sw, phone, events):
    """It rests behind play_and_detect_speech, and the next one has it, with its own grammar; it is closed with the call."""
    p = phone("1000")
    call(p, "7916")
    uuid = uuid_of(sw, "1000")
    told = [events.wait_event("DETECTED_SPEECH", Unique_ID=uuid) for _ in range(2)]
    assert [(e["Speech-Type"], e["Completion-Cause"]) for e in told] == [("detected-speech", "002")] * 2
    p.bye()
    assert events.wait_event("DETECTED_SPEECH", Unique_ID=uuid)["Speech-Type"] == "closed"


def test_the_recogniser_is_closed(sw, phone, events):
    p = phone("1000")
    call(p, "7917")
    uuid = uuid_of(sw, "1000")
    told = [events.wait_event("DETECTED_SPEECH", Unique_ID=uuid)["Speech-Type"] for _ in range(2)]
    assert told == ["detected-speech", "closed"]
    p.bye()


def test_opened_without_a_grammar(sw, engine, phone, events):
    """init: the silence counts, and what is said is heard, once there is a grammar; a second one changes nothing."""
    engine.answer = {"text": "yes"}
    p = phone("1000")
    call(p, "7918")
    uuid = uuid_of(sw, "1000")
    events.wait_event("CHANNEL_EXECUTE_COMPLETE", Unique_ID=uuid, Application_Data="init nobody")
    asked = len(engine.asked)
    says(p, judge.speech(0.5), 0.8).join()  # longer than no-input-timeout
    do(events, uuid, "param no-input-timeout 0")
    do(events, uuid, "grammar later")
    says(p, 0.2, judge.speech(0.5), 0.8).join()
    assert [events.wait_event("DETECTED_SPEECH", Unique_ID=uuid)["Speech-Type"] for _ in range(2)] == ["begin-speaking", "detected-speech"]
    assert [a[0] for a in engine.asked[asked:]] == ["later"]
    p.bye()


def test_spoken_keys(sw, engine, phone, events):
    """asr_intercept_dtmf: it goes on listening after each result; words are no keys."""
    events.subscribe("DTMF")
    p = phone("1000")
    call(p, "7919")
    uuid = uuid_of(sw, "1000")
    for text in ("call 1 and 2,", "a star pound 47 asterisk, faded"):
        engine.answer = {"text": text}
        says(p, 0.3, judge.speech(0.5), 0.8).join()
        events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="detected-speech")
    engine.answer = {"text": "yes"}
    done = events.wait_event("CHANNEL_EXECUTE_COMPLETE", Unique_ID=uuid, Application="play_and_get_digits")
    assert done["variable_keys"] == "12A*#47*"
    p.bye()
