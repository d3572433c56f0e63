"""Answering machines: who answered (mod_amd), beeps (mod_avmd, mod_vmd). What the phone says is sent as fast as a phone does."""
import judge
import numpy as np
import pytest
from calls import call, ended, extension, uuid_of, write_extensions

pytestmark = pytest.mark.leaks
WORDS = ("inbound_channel=1,outbound_channel=0,report_status=1,debug=0,fast_math=0,require_continuous_streak=1,sample_n_continuous_streak=5,"
         "sample_n_to_skip=0,require_continuous_streak_amp=1,sample_n_continuous_streak_amp=5,simplified_estimation=1,detection_mode=2,detectors_n=36,"
         "detectors_lagged_n=1")


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("amd") / "instance")
    write_extensions(s, [
        extension("7960", "answer", "amd initial_silence=2000,total_analysis_time=6000", "waitforresult", "playback silence_stream://200", "hangup"),
        extension("7961", "set execute_on_amd_machine=set who=machine", "answer", "amd", "waitforresult", "sleep 200", "hangup"),
        extension("7962", "set execute_on_avmd_beep=hangup NORMAL_CLEARING", "answer", "avmd_start min_duration=100", "park"),
        extension("7963", "answer", "avmd_start", "vmd start", "park"),
        extension("7965", "answer", "avmd_start " + WORDS, "set execute_on_avmd_beep=hangup NORMAL_CLEARING", "park"),
        extension("7964", "answer", "amd greeting=0", "amd no_such=5", "avmd_start outbound_channel=0", "avmd_start detectors_n=256", "avmd_start no_such=1", "avmd_start min_frequency=99999", "park"),
    ])
    s.start()
    assert s.api("load mod_vmd").startswith("+OK")
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE MEDIA_BUG_START MEDIA_BUG_STOP CUSTOM amd::info avmd::start avmd::stop avmd::beep vmd::beep")
    yield e
    e.close()


def custom(events, subclass, uuid):
    return events.wait_event("CUSTOM", Event_Subclass=subclass, Unique_ID=uuid)


def says(p, *parts):
    """A part is an array, or seconds of silence."""
    sound = np.concatenate([x if isinstance(x, np.ndarray) else np.zeros(int(x * 8000)) for x in parts])
    return judge.Sender(p.media, ("127.0.0.1", p.remote_rtp), [judge.rtp(f, i, 160 * i) for i, f in enumerate(judge.frames(sound))])


def test_person(sw, phone, events):
    p = phone("1000")
    call(p, "7960")
    uuid = uuid_of(sw, "1000")
    s = says(p, 0.3, judge.speech(0.7), 1.5)
    e = custom(events, "amd::info", uuid)
    assert (e["AMD-Result"], e["AMD-Cause"]) == ("HUMAN", "SILENCEAFTERGREETING")
    done = events.wait_event("CHANNEL_HANGUP_COMPLETE", Unique_ID=uuid)
    assert (done["variable_amd_result"], done["variable_amd_cause"], done["variable_amd_status"]) == ("HUMAN", "SILENCEAFTERGREETING", "done")
    ended(p)
    s.join()


def test_machine(sw, phone, events):
    p = phone("1000")
    call(p, "7961")
    uuid = uuid_of(sw, "1000")
    s = says(p, 0.3, judge.speech(5.0, seed=3))
    e = custom(events, "amd::info", uuid)
    assert e["AMD-Result"] == "MACHINE" and e["AMD-Cause"] in ("MAXWORDS", "LONGGREETING")
    assert events.wait_event("CHANNEL_HANGUP_COMPLETE", Unique_ID=uuid)["variable_who"] == "machine"
    ended(p)
    s.join()


def test_nobody(sw, phone, events):
    """A machine that says nothing, and one that sends nothing."""
    p = phone("1000")
    call(p, "7960")
    uuid = uuid_of(sw, "1000")
    s = says(p, 2.5)
    assert custom(events, "amd::info", uuid)["AMD-Cause"] == "INITIALSILENCE"
    ended(p)
    s.join()
    call(p := phone("1001"), "7960")
    assert custom(events, "amd::info", uuid_of(sw, "1001"))["AMD-Cause"] == "INITIALSILENCE"
    ended(p)


def test_hung_up_before(sw, phone, events):
    p = phone("1000")
    call(p, "7960")
    uuid = uuid_of(sw, "1000")
    events.wait_event("MEDIA_BUG_START", Unique_ID=uuid, Media_Bug_Function="amd")
    p.bye()
    e = custom(events, "amd::info", uuid)
    assert (e["AMD-Result"], e["AMD-Cause"]) == ("NOTSURE", "STOPPED")


def test_beep(sw, phone, events):
    p = phone("1000")
    call(p, "7962")
    uuid = uuid_of(sw, "1000")
    custom(events, "avmd::start", uuid)
    assert "avmd" in sw.api(f"uuid_buglist {uuid}")
    s = says(p, 0.2, judge.speech(1.5), 0.2, judge.tone(1000, 0.4), 0.3)
    e = custom(events, "avmd::beep", uuid)
    assert e["Beep-Status"] == "DETECTED" and abs(float(e["Frequency"]) - 1000) < 5 and float(e["Frequency-variance"]) < 20
    assert e["Call-command"] == "avmd" and 5000 < float(e["Amplitude"]) < 11000 and float(e["Amplitude-variance"]) < 4000000
    assert (e["Detector-resolution"], e["Detector-offset"], e["Detector-index"]) == ("1", "0", "0")
    stop = custom(events, "avmd::stop", uuid)
    assert stop["Beep-Status"] == "DETECTED" and int(stop["Total-time"]) > 0
    done = events.wait_event("CHANNEL_HANGUP_COMPLETE", Unique_ID=uuid)
    assert done["variable_avmd_detect"] == "TRUE"
    ended(p)
    s.join()


def test_no_beep(sw, phone, events):
    p = phone("1000")
    call(p, "7963")
    uuid = uuid_of(sw, "1000")
    s = says(p, judge.speech(1.0))
    s.join()
    assert sw.api(f"avmd {uuid} start") .startswith("-ERR")
    assert sw.api(f"avmd {uuid} stop").startswith("+OK")
    assert custom(events, "avmd::stop", uuid)["Beep-Status"] == "NOTDETECTED"
    assert sw.api(f"uuid_getvar {uuid} avmd_detect") == "FALSE"
    s = says(p, judge.tone(800, 0.5))
    assert custom(events, "vmd::beep", uuid)["call-command"] == "vmd"
    s.join()
    assert sw.api(f"avmd {uuid} start min_frequency=5").startswith("-ERR min_frequency is no option")
    assert sw.api("avmd nobody start").startswith("-ERR No such channel")
    assert sw.api(f"uuid_amd_detect {uuid} start greeting=800").startswith("+OK")
    assert sw.api(f"uuid_amd_detect {uuid} stop").startswith("+OK")
    p.bye()


def test_wrong_words(sw, phone, events):
    p = phone("1000")
    call(p, "7964")
    uuid = uuid_of(sw, "1000")
    sw.wait_log("amd: greeting is no parameter")
    sw.wait_log("amd: no_such is no parameter")
    sw.wait_log("avmd: outbound_channel=0 with inbound_channel=0 is no option")
    for word in ("min_frequency", "detectors_n", "no_such"):
        sw.wait_log(f"avmd: {word} is no option")
    assert sw.api(f"uuid_buglist {uuid}") == "<media-bugs>\n</media-bugs>\n"
    p.bye()



def test_what_an_inbound_call_hears(sw, phone, events):
    """FreeSWITCH's words, all of them: on an inbound call with inbound_channel it is what is said to the phone that counts."""
    p = phone("1000")
    call(p, "7965")
    uuid = uuid_of(sw, "1000")
    custom(events, "avmd::start", uuid)
    says(p, judge.tone(1000, 0.6)).join()  # its own beep is none
    assert sw.api(f"uuid_getvar {uuid} avmd_detect") == "FALSE"
    sw.wait_log("avmd: debug [0], report_status [1]")
    assert sw.api(f"uuid_broadcast {uuid} tone_stream://%(600,0,1200) aleg").startswith("+OK")
    assert abs(float(custom(events, "avmd::beep", uuid)["Frequency"]) - 1200) < 10
    ended(p)


def test_what_an_outbound_call_hears(sw, phone, events):
    p = phone("1000")
    sw.api("bgapi originate {ignore_early_media=true}user/1000 &park")
    p.take()
    uuid = uuid_of(sw, "1000")
    events.wait_event("CHANNEL_ANSWER", Unique_ID=uuid)
    assert sw.api(f"avmd {uuid} start {WORDS.replace('inbound_channel=1', 'inbound_channel=0').replace('outbound_channel=0', 'outbound_channel=1')}") \
        .startswith(f"+OK\n [{uuid}] [sofia/")
    assert "already started" in sw.api(f"avmd {uuid} start")
    assert "sessions                       \t1\n" in sw.api("avmd show")
    says(p, judge.tone(900, 0.6)).join()
    assert abs(float(custom(events, "avmd::beep", uuid)["Frequency"]) - 900) < 10
    assert sw.api(f"avmd {uuid} stop").startswith("-ERR, avmd does not listen")
    assert sw.api(f"avmd {uuid} start side=write").startswith("+OK")
    sw.api(f"uuid_broadcast {uuid} tone_stream://%(600,0,700) aleg")
    assert abs(float(custom(events, "avmd::beep", uuid)["Frequency"]) - 700) < 10
    p.bye()
    assert "sessions                       \t0\n" in sw.api("avmd show")


def shown(sw):
    return {k.strip(): v for k, _, v in (line.partition("\t") for line in sw.api("avmd show").splitlines()) if v}


def test_settings(sw):
    """show, set, load, reload; what the configuration says comes back with reload and with reloadxml."""
    assert sw.api("avmd show").endswith("+OK\n show\n\n")
    before = shown(sw)
    assert before["inbound channel"] == "0" and before["outbound channel"] == "1" and before["detectors n"] == "36" and before["min duration"] == "120"
    assert sw.api("avmd set inbound") == "+OK\n inbound XML configuration loaded\n\n"
    assert (shown(sw)["inbound channel"], shown(sw)["outbound channel"]) == ("1", "0")
    assert sw.api("avmd reload") == "+OK\n XML reloaded\n\n" and shown(sw) == before
    assert sw.api("avmd load inbound") == "+OK\n inbound XML configuration loaded\n\n" and shown(sw)["inbound channel"] == "1"
    assert sw.api("avmd set outbound") == "+OK\n outbound XML configuration loaded\n\n" and shown(sw) == before
    conf = sw.root / "conf/autoload_configs/avmd.conf.xml"
    conf.write_text(conf.read_text().replace("</settings>", '<param name="detection_mode" value="1"/><param name="detectors_n" value="999"/></settings>'))
    sw.api("reloadxml")
    sw.wait_log("avmd.conf: detectors_n has a value that it cannot have")
    assert shown(sw)["detection mode"] == "1" and shown(sw)["detectors n"] == "36"
    assert sw.api("avmd set default") == "+OK\n reset to factory settings\n\n" and shown(sw)["detection mode"] == "2"
    assert sw.api("avmd load outbound") == "+OK\n outbound XML configuration loaded\n\n" and shown(sw)["detection mode"] == "1"
    for line in ("set", "set sideways", "load", "load default"):
        assert sw.api(f"avmd {line}").startswith(f"-ERR, {line.split()[0]} command"), line
    assert sw.api("avmd").startswith("-USAGE")
