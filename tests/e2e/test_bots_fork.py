"""uuid_audio_fork as programs for mod_audio_fork call it, and as whom a stream comes: its words by their place, Basic
authentication, authorities and certificates of the leg's own."""
import base64
import json
import ssl

import pytest
import tandem as t
from calls import call, extension
from talk import Talker
from test_bots import Program, heard, start, tone

pytestmark = pytest.mark.leaks
USER, PASSWORD = "MOD_AUDIO_BASIC_AUTH_USERNAME", "MOD_AUDIO_BASIC_AUTH_PASSWORD"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("fork") / "instance")
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
    p = phone("1000", hz=500)
    (sw.root / "conf/dialplan/default/fork.xml").write_text(f'<include>{extension("7900", "answer", "park")}</include>')
    sw.api("reloadxml")
    call(p, "7900")
    p.talk = Talker(p, p.hz)
    return p, next(r.split(",")[0] for r in sw.api("show channels").splitlines() if ",1000," in r)


def fork(sw, uuid, program, rest, scheme="ws"):
    return start(sw, uuid, program, rest, scheme, "uuid_audio_fork")


@pytest.mark.parametrize("words, name, said", [
    ("bot null true true 8000", "bot", None), ("bot {} true true 8000", "bot", "{}"), ("bot '' true true", "bot", None),
    ("bot undefined true", "bot", None), ("'' null true", "audio", None), ("bot null", "bot", None), ('{"a":1} true true 8000', "audio", '{"a":1}'),
    ('bot \'{"a": "b c"}\' true true 0', "bot", '{"a": "b c"}')])
def test_words_by_their_place(sw, parked, program, words, name, said):
    """What stands behind the metadata is no part of it, and a metadata that is none is not said."""
    p, uuid = parked
    c = fork(sw, uuid, program, f"mono 8000 {words}")
    program.say(tone(900, 1))
    p.talk.hears(900)
    assert c.words == ([said] if said else [])
    assert sw.api(f"uuid_audio_fork {uuid} stop {name}") == "+OK Success\n"
    program.wait(lambda: c.is_over)


def test_rate_of_what_is_said(sw, parked, program):
    """What comes back has its own rate: 16000 of a stream of 8000."""
    p, uuid = parked
    c = fork(sw, uuid, program, "mono 8000 bot null true true 16000")
    program.say(tone(1000, 1, 16000))
    program.say({"type": "mark", "data": {"name": "m"}})
    p.talk.hears(1000, absent=(500, 2000))
    mark = json.loads(program.wait(lambda: c.words)[0])
    assert mark["name"] == "m" and 950 <= mark["played_ms"] <= 1100
    assert heard(c.sound, 500) > 3000


def test_words_only(sw, parked, program):
    """A third word false: binary messages are nobody's, streamAudio is heard."""
    p, uuid = parked
    c = fork(sw, uuid, program, "mono 8000 bot null true false 8000")
    program.say(tone(1100, 5))
    program.say({"type": "playAudio", "data": {"audioContentType": "raw", "sampleRate": "8000", "audioContent": base64.b64encode(tone(1300, 1)).decode()}})
    program.say({"type": "mark", "name": "m"})
    p.talk.hears(1300, absent=(1100,))
    assert 950 <= json.loads(program.wait(lambda: c.words)[0])["played_ms"] <= 1100


@pytest.mark.parametrize("rate", [48000, 64000])
def test_high_rates(sw, parked, program, rate):
    p, uuid = parked
    c = fork(sw, uuid, program, f"stereo {rate} bot")
    program.say(tone(1100, 3, rate))
    program.wait(lambda: heard(c.sound, 500, rate, 2, 0) > 3000 and heard(c.sound, 1100, rate, 2, 1) > 3000)
    p.talk.hears(1100)


def test_stop_play(sw, parked, program):
    p, uuid = parked
    c = fork(sw, uuid, program, "mono 8000 bot")
    program.say(tone(1300, 30))
    program.say({"type": "mark", "name": "end"})
    p.talk.hears(1300)
    assert sw.api(f"uuid_audio_fork {uuid} stop_play bot") == "+OK Success\n"
    mark = json.loads(program.wait(lambda: c.words)[0])
    assert mark["status"] == "cleared" and mark["played_ms"] < 20000
    p.talk.hears_nothing()
    assert "no such stream" in sw.api(f"uuid_audio_fork {uuid} stop_play other")


@pytest.mark.parametrize("rest", ["mono 8000 bot null yes", "mono 8000 bot null true maybe", "mono 8000 bot null true true 11k",
                                  "mono 8000 bot null true true 8000 more", "mono 72000 bot"])
def test_words_that_are_none(sw, parked, program, rest):
    said = sw.api(f"uuid_audio_fork {parked[1]} start ws://127.0.0.1:{program.port}/ {rest}")
    assert said.startswith("-ERR Operation failed: ") and ("their rate" in said or "the rate is" in said)
    assert sw.api("audio_streams").count("\n") == 1


def test_basic_authentication(sw, parked, program):
    p, uuid = parked
    sw.api(f"uuid_setvar {uuid} {USER} bot")
    sw.api(f"uuid_setvar {uuid} {PASSWORD} s3cret:中")
    c = fork(sw, uuid, program, "mono 8000 one")
    assert c.headers["Authorization"] == "Basic " + base64.b64encode("bot:s3cret:中".encode()).decode()
    sw.api(f'uuid_setvar {uuid} STREAM_EXTRA_HEADERS {{"authorization":"Bearer x"}}')
    assert sw.api(f"uuid_audio_fork {uuid} start ws://127.0.0.1:{program.port}/ mono 8000 two") == "+OK Success\n"
    program.wait(lambda: len(program.connections) == 2)
    assert program.connections[1].headers.get_all("Authorization") == ["Bearer x"]  # it was said outright
    sw.api(f"uuid_setvar {uuid} STREAM_EXTRA_HEADERS")
    sw.api(f"uuid_setvar {uuid} {USER} a:b")
    assert "make no sense" in sw.api(f"uuid_audio_fork {uuid} start ws://127.0.0.1:{program.port}/ mono 8000 three")
    log = "\n".join(line for line in sw.log_text.splitlines() if "uuid_setvar" not in line)
    assert base64.b64encode("bot:s3cret:中".encode()).decode() not in log


@pytest.mark.parametrize("name", [USER, PASSWORD, "STREAM_TLS_CA_FILE", "STREAM_TLS_CERT_FILE", "MOD_AUDIO_FORK_ALLOW_SELFSIGNED",
                                  "STREAM_TLS_DISABLE_HOSTNAME_VALIDATION"])
def test_a_caller_sets_none_of_it(sw, phone, program, name):
    """A dialplan that puts a caller's header into one of these: no stream, and the log names the variable."""
    (sw.root / "conf/dialplan/default/fork.xml").write_text("<include>" + extension(
        "7901", f"set {USER}=bot", f"set {name}=${{sip_h_X-A}}", "answer",
        f"set started=${{uuid_audio_fork(${{uuid}} start ws://127.0.0.1:{program.port}/ mono 8k)}}", "park") + "</include>")
    sw.api("reloadxml")
    p = phone("1000")
    p.invite("7901", extra="X-A: true\n")
    p.answered()
    sw.wait_log(f"{name} has text from outside: no stream")
    uuid = next(r.split(",")[0] for r in sw.api("show channels").splitlines() if ",1000," in r)
    assert "is from outside" in sw.api(f"uuid_getvar {uuid} started")
    assert sw.api("audio_streams").count("\n") == 1 and not program.connections
    p.bye()


def test_certificates_of_a_leg(sw, parked, tmp_path):
    """An authority of its own, our certificate for a server that asks for one, and what of the server's may be wrong."""
    from streams import Authority
    p, uuid = parked
    ca = Authority(tmp_path / "ca")
    good, ours, other, over = (ca.issue(*a, **k) for a, k in ((("localhost", None, "IP:127.0.0.1"), {}), (("ours.example",), {}), (("other.example",), {}),
                                                             (("over.example", None, "IP:127.0.0.1"), {"days": -1})))
    asks = Program(certs=(good,))
    open_to = {"other": Program(certs=(other,)), "over": Program(certs=(over,))}
    asks.context.load_verify_locations(str(ca.cert))
    asks.context.verify_mode = ssl.CERT_REQUIRED
    esl = sw.esl()
    esl.command("event plain CUSTOM mod_audio_fork::connect mod_audio_fork::connect_failed")

    def tries(server, name, **variables):
        for key, value in variables.items():
            sw.api(f"uuid_setvar {uuid} {key} {value}")
        assert sw.api(f"uuid_audio_fork {uuid} start wss://127.0.0.1:{server.port}/ mono 8000 {name}") == "+OK Success\n"
        e = esl.wait_event("CUSTOM")
        assert e["Audio-Stream-Name"] == name
        for key in variables:
            sw.api(f"uuid_setvar {uuid} {key}")
        sw.api(f"uuid_audio_fork {uuid} stop {name}")
        return e["Event-Subclass"].split("::")[1], e["_body"]
    sw.api(f"uuid_setvar {uuid} STREAM_NO_RECONNECT true")
    try:
        cert = {"STREAM_TLS_CERT_FILE": ours, "STREAM_TLS_KEY_FILE": ours}
        assert tries(asks, "a", STREAM_TLS_CA_FILE=ca.cert, **cert)[0] == "connect"
        asks.wait(lambda: asks.connections)
        assert asks.connections[-1].transport.get_extra_info("peercert")["subject"] == ((("commonName", "ours.example"),),)
        assert tries(asks, "b", **cert) == ("connect_failed", tries(asks, "b", STREAM_TLS_CA_FILE="SYSTEM", **cert)[1])  # who signed it is unknown
        assert tries(asks, "c", STREAM_TLS_CA_FILE="NONE", **cert)[0] == "connect"
        assert "cannot be read" in tries(asks, "d", STREAM_TLS_CA_FILE=tmp_path / "none.pem")[1]
        assert "cannot be read" in tries(asks, "e", STREAM_TLS_CA_FILE=ca.cert, STREAM_TLS_CERT_FILE=ours, STREAM_TLS_KEY_FILE=good)[1]
        for wrong, cures in (("other", ("STREAM_TLS_DISABLE_HOSTNAME_VALIDATION", "MOD_AUDIO_FORK_SKIP_SERVER_CERT_HOSTNAME_CHECK")),
                             ("over", ("MOD_AUDIO_FORK_ALLOW_EXPIRED",))):
            assert tries(open_to[wrong], "f", STREAM_TLS_CA_FILE=ca.cert)[0] == "connect_failed"
            for cure in cures:
                assert tries(open_to[wrong], "g", STREAM_TLS_CA_FILE=ca.cert, **{cure: "true"})[0] == "connect"
                assert tries(open_to[wrong], "h", **{cure: "true"})[0] == "connect_failed"  # nobody trusted signed it
            assert tries(open_to[wrong], "i", MOD_AUDIO_FORK_ALLOW_SELFSIGNED="true")[0] == "connect"
        sw.api(f"uuid_setvar {uuid} STREAM_TLS_KEY_FILE {ours}")
        assert "make no sense" in sw.api(f"uuid_audio_fork {uuid} start wss://127.0.0.1:{asks.port}/ mono 8000 j")
    finally:
        for s in (asks, *open_to.values()):
            s.close()
        esl.close()
