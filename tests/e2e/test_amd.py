"""Answering machines: who answered (mod_amd), beeps (mod_avmd, mod_vmd). What the phone says is sent as fast as a phone does."""
import judge
import numpy as np
import pytest
from calls import call, ended, extension, uuid_of, write_extensions

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("amd") / "instance")
    write_extensions(s, [
        extension("7960", "answer", "amd initial_silence=2000,total_analysis_time=6000", "waitforresult", "playback silence_stream://200", "hangup"),
        extension("7961", "set execute_on_amd_machine=set who=machine", "answer", "amd", "waitforresult", "sleep 200", "hangup"),
        extension("7962", "set execute_on_avmd_beep=hangup NORMAL_CLEARING", "answer", "avmd_start min_duration=100", "park"),
        extension("7963", "answer", "avmd_start", "vmd start", "park"),
        extension("7964", "answer", "amd greeting=0", "amd no_such=5", "avmd_start inbound_channel=0", "avmd_start min_frequency=99999", "park"),
    ])
    s.start()
    assert s.api("load mod_vmd").startswith("+OK")
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("CHANNEL_HANGUP_COMPLETE MEDIA_BUG_START MEDIA_BUG_STOP CUSTOM amd::info avmd::start avmd::stop avmd::beep vmd::beep")
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
    assert custom(events, "avmd::stop", uuid)["Beep-Status"] == "DETECTED"
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
    sw.wait_log("avmd: min_frequency is no option")
    assert sw.api(f"uuid_buglist {uuid}") == "<media-bugs>\n</media-bugs>\n"
    p.bye()
