"""mod_spandsp's applications that listen: keys, a fax's tone, tones with a rhythm. What the phone says is made here."""
import judge
import numpy as np
import pytest
from calls import call, ended, extension, uuid_of, write_extensions
from talk import Talker
from test_amd import says

pytestmark = pytest.mark.leaks
WRONG = """<descriptor name="bad-min"><tone name="A"><element freq1="500" max="9"/></tone></descriptor>
<descriptor name="bad-hz"><tone name="A"><element freq1="50" min="100"/></tone></descriptor>
<descriptor name="bad-name"><tone><element freq1="500" min="100"/></tone></descriptor>
<descriptor name="empty"/>"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("spandsp") / "instance")
    conf = s.root / "conf/autoload_configs/spandsp.conf.xml"
    conf.write_text(conf.read_text().replace("</descriptors>", WRONG + "</descriptors>"))
    write_extensions(s, [
        extension("7970", "answer", "spandsp_start_dtmf", "park"),
        extension("7971", "answer", "set execute_on_fax_detect=set fax=heard", "spandsp_start_fax_detect transfer 7979 10", "park"),
        extension("7972", "answer", "spandsp_start_fax_detect transfer 7979 10 ced", "park"),
        extension("7973", "answer", "spandsp_start_fax_detect transfer 7979", "spandsp_stop_fax_detect", "spandsp_start_fax_detect alone",
                  "spandsp_stop_dtmf", "video_refresh", "video_refresh manual", "clear_speech_cache", "set went=on", "park"),
        extension("7974", "answer", "spandsp_start_tone_detect 1", "set said=${current_application_response}", "park"),
        extension("7975", "answer", "spandsp_start_tone_detect", "set none=${current_application_response}", "spandsp_start_tone_detect 4711",
                  "set said=${current_application_response}", "spandsp_start_fax_detect ${sip_h_X-App} x", "park"),
        extension("7979", "set arrived=fax", "hangup NORMAL_CLEARING"),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("DTMF DETECTED_TONE CHANNEL_HANGUP_COMPLETE")
    yield e
    e.close()


def busy(times, on=0.5, off=0.5):
    one = judge.tone(480, on, 4000) + judge.tone(620, on, 4000)
    return [x for _ in range(times) for x in (one, off)]


def test_keys(sw, phone, events):
    p = phone("1000")
    call(p, "7970")
    assert "inband_dtmf" in sw.api(f"uuid_buglist {uuid_of(sw, '1000')}")
    says(p, 0.2, judge.tone(770, 0.2, 6000) + judge.tone(1336, 0.2, 6000), 0.3).join()
    assert events.wait_event("DTMF")["DTMF-Digit"] == "5"
    p.bye()


@pytest.mark.parametrize("number, hz, variables", [("7971", 1100, {"fax": "heard"}), ("7972", 2100, {})])
def test_a_fax(sw, phone, events, number, hz, variables):
    p = phone("1000")
    call(p, number)
    uuid = uuid_of(sw, "1000")
    assert "fax_tone_detect" in sw.api(f"uuid_buglist {uuid}")
    s = says(p, 0.3, judge.tone(1700, 0.5), 0.2, judge.tone(hz, 1.0))
    e = events.wait_event("DETECTED_TONE", Unique_ID=uuid)
    assert e["Detected-Fax-Tone"] == "true" and "Detected-Tone" not in e
    done = events.wait_event("CHANNEL_HANGUP_COMPLETE", Unique_ID=uuid)
    assert done["variable_arrived"] == "fax" and all(done[f"variable_{k}"] == v for k, v in variables.items())
    ended(p)
    s.join()


def test_what_ends_and_what_does_nothing(sw, phone):
    p = phone("1000")
    call(p, "7973")
    uuid = uuid_of(sw, "1000")
    sw.wait_log("spandsp_start_fax_detect: <app> <arg>")
    assert sw.api(f"uuid_getvar {uuid} went") == "on"
    assert sw.api(f"uuid_buglist {uuid}") == "<media-bugs>\n</media-bugs>\n"
    p.bye()


@pytest.mark.parametrize("sound, tone", [
    ([x for hz in (950, 1400, 1800) for x in [judge.tone(hz, 0.33)]] + [0.5], "SIT"), (busy(4), "BUSY_TONE"), (busy(6, 0.25, 0.25), "REORDER_TONE"),
    ([judge.tone(440, 2, 4000) + judge.tone(480, 2, 4000), 0.5], "RING_TONE")])
def test_tones_with_a_rhythm(sw, phone, events, sound, tone):
    p = phone("1000")
    call(p, "7974")
    uuid = uuid_of(sw, "1000")
    assert sw.api(f"uuid_getvar {uuid} said") == "+OK started"
    says(p, judge.speech(1.0), 0.3, *sound).join()
    assert events.wait_event("DETECTED_TONE", Unique_ID=uuid)["Detected-Tone"] == tone
    assert sw.api(f"spandsp_start_tone_detect {uuid} 1") == "-ERR failed to start tone detector\n"  # it listens
    assert "spandsp_tone_detect" in sw.api(f"uuid_buglist {uuid}")
    assert sw.api(f"spandsp_stop_tone_detect {uuid}") == "+OK stopped\n"
    assert sw.api(f"uuid_buglist {uuid}") == "<media-bugs>\n</media-bugs>\n"
    assert sw.api(f"spandsp_start_tone_detect {uuid} 1") == "+OK started\n"
    p.bye()


def test_wrong_words(sw, phone):
    p = phone("1000")
    p.invite("7975", extra="X-App: transfer\n")
    p.answered()
    uuid = uuid_of(sw, "1000")
    sw.wait_log('there is no descriptor "4711"')
    assert sw.api(f"uuid_getvar {uuid} none") == "-ERR missing descriptor name"
    assert sw.api(f"uuid_getvar {uuid} said") == "-ERR failed to start tone detector"
    p.talk = Talker(p, 1100)  # a fax: the application that its caller named is not run
    sw.wait_log("named from outside", timeout=10)
    for name in ("bad-min", "bad-hz", "bad-name", "empty"):
        assert sw.api(f"spandsp_start_tone_detect {uuid} {name}") == "-ERR failed to start tone detector\n"
        sw.wait_log(f'spandsp.conf: descriptor "{name}"')
    for line, reply in (("start", "-ERR missing uuid\n"), (f"start {uuid}", "-ERR missing descriptor name\n"), ("start nobody 1", "-ERR Cannot locate session\n"),
                        ("stop", "-ERR missing session UUID\n"), ("stop nobody", "-ERR Cannot locate session\n")):
        assert sw.api("spandsp_{}_tone_detect {}".format(*(line + " ").split(" ", 1)).strip()) == reply
    p.talk.stop()
    p.bye()
