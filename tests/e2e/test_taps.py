"""What looks into or changes the sound of a running call: digits kept from the other side, spies, displaced sound, levels, recordings,
detectors. Scripted phones that say tones and measure what they hear."""
import time

import pytest
from calls import bridged, call_and_talk, ended, extension, uuid_of, write_extensions
from talk import amplitude

pytestmark = [pytest.mark.leaks, pytest.mark.quiet]


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("taps") / "instance")
    extensions = [
        extension("7200", "bind_meta_app 1 a s set::was_bound=yes", "bridge user/1001"),
        extension("7201", "answer", "eavesdrop ${hash(select/spied/uuid)}", "set after_eavesdrop=yes", "park"),
        extension("7202", "answer", "set eavesdrop_whisper_bleg=true", "set eavesdrop_enable_dtmf=false",
                  "eavesdrop ${hash(select/spied/uuid)}"),
        extension("7203", "answer", "three_way ${hash(select/spied/uuid)}"),
        extension("7204", "answer", "set eavesdrop_indicate_new=tone_stream://v=-9.1;%(300,0,1750)",
                  "set eavesdrop_require_group=sales", "eavesdrop all"),
        extension("7205", "answer", "eavesdrop nosuch", "set after_eavesdrop=yes", "park"),
        extension("7206", "answer", "tone_detect t1 1000 r +20 set heard=one", "tone_detect t2 480,620 r +20 set heard=two", "park"),
        extension("7207", "answer", "wait_for_silence 300 10 5 8000", "set went=silence", "park"),
        extension("7208", "answer", "detect_audio 300 5 8000", "set went=audio", "detect_silence 300 5 8000", "set went=both", "park"),
        extension("7209", "answer", "wait_for_silence 300 10 5 400", "detect_audio 30000 5 200", "park"),
        extension("7210", "answer", "start_dtmf", "read 1 4 silence_stream://200 got 5000 #", "park"),
        extension("7211", "set RECORD_STEREO=true", f"record_session {s.root}/rec1.wav", "set_audio_level read 2", "bridge user/1001"),
        extension("7212", "answer", "set_mute read true", "displace_session tone_stream://v=-9.1;%(60000,0,1750)", "echo"),
        extension("7213", "block_dtmf", "bridge user/1001"),
        extension("7214", "answer", f"record_session {s.root}/silence.wav +30 {{RECORD_INITIAL_TIMEOUT_MS=2000,"
                                    f"RECORD_FINAL_TIMEOUT_MS=400,who=me}}", "park"),
        extension("7215", "answer", f"record_session {s.root}/short.wav +30 {{RECORD_MIN_SEC=5}}", "park"),
        extension("7216", f"record_session {s.root}/bridge.wav +30 {{RECORD_BRIDGE_REQ=true}}", "answer", "sleep 700",
                  "bridge user/1001"),
        extension("7218", "answer", f"record {s.root}/message.wav +20 300 1", "park"),
        extension("7217", "start_dtmf_generate", "bridge user/1001"),
    ]
    write_extensions(s, extensions)
    s.start()
    yield s
    s.stop()


def test_bound_keys_stay_here(sw, phone):
    """*1 is a's binding: b sees neither key, but every other, with its length; b's own keys go through as they come."""
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE_COMPLETE DTMF")
    a, b = bridged(phone("1000", 440), phone("1001", 700), "7200")
    a.talk.press("*1")
    done = events.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="set")
    assert done["variable_was_bound"] == "yes"
    a.talk.press("5", ms=240)
    b.talk.wait_digits("5")
    assert 1800 <= b.talk.events[0][2] <= 2100
    a.talk.press("**7")  # a second * is meant for the other side
    b.talk.wait_digits("5*7")
    a.talk.press("*89")  # nothing is bound to 8
    b.talk.wait_digits("5*79")
    b.talk.press("*1")
    a.talk.wait_digits("*1")
    a.talk.hears(700)
    b.talk.hears(440)
    events.close()
    a.bye()


def direct(sw, uuid):
    """Nothing is left on the leg."""
    assert sw.api(f"uuid_buglist {uuid}") == "<media-bugs>\n</media-bugs>\n"


@pytest.fixture
def spied(sw, phone):
    """1000 and 1001 talk; 1002 may listen in on 1000's leg."""
    a, b = bridged(phone("1000", 440), phone("1001", 700), "1001")
    uuid = uuid_of(sw, "1000")
    sw.api(f"hash insert/spied/uuid/{uuid}")
    return a, b, phone("1002", 1000), uuid


def test_eavesdrop_and_its_keys(sw, spied):
    """The spy hears both; key 1 speaks to the other side, 2 to the target, 3 to both, 0 to nobody; * leaves."""
    a, b, c, uuid = spied
    events = sw.esl()
    events.subscribe("MEDIA_BUG_START MEDIA_BUG_STOP CHANNEL_PARK")
    call_and_talk(c, "7201")
    started = events.wait_event("MEDIA_BUG_START")
    assert (started["Media-Bug-Function"], started["Media-Bug-Target"], started["Unique-ID"]) == ("eavesdrop", uuid, uuid)
    assert "<function>eavesdrop</function>" in sw.api(f"uuid_buglist {uuid}")
    c.talk.hears(440, 700, absent=[1000])
    a.talk.hears(700, absent=[1000])
    b.talk.hears(440, absent=[1000])
    c.talk.press("1")
    b.talk.hears(440, 1000)
    a.talk.hears(700, absent=[1000])
    c.talk.press("2")
    a.talk.hears(700, 1000)
    b.talk.hears(440, absent=[1000])
    c.talk.press("3")
    a.talk.hears(700, 1000)
    b.talk.hears(440, 1000)
    c.talk.hears(440, 700, absent=[1000])  # never himself
    a.talk.press("5")  # keys between the two still work while sound is changed
    b.talk.wait_digits("5")
    c.talk.press("0")
    a.talk.hears(700, absent=[1000])
    b.talk.hears(440, absent=[1000])
    c.talk.press("*")
    assert events.wait_event("MEDIA_BUG_STOP")["Media-Bug-Function"] == "eavesdrop"
    parked = events.wait_event("CHANNEL_PARK")
    assert sw.api(f"uuid_getvar {parked['Unique-ID']} after_eavesdrop") == "yes"
    c.talk.hears_nothing()
    direct(sw, uuid)
    events.close()
    c.bye()
    a.bye()


def test_two_spies_and_the_end_of_the_call(sw, spied, phone):
    a, b, c, uuid = spied
    d = phone("1003", 1300)
    call_and_talk(c, "7201")
    call_and_talk(d, "7202")  # whispers to the target from the start; keys are not his
    c.talk.hears(440, 700)
    d.talk.hears(440, 700)
    a.talk.hears(700, 1300, absent=[1000])
    d.talk.press("1")
    b.talk.hears(440, absent=[1300])
    a.talk.hears(700, 1300)
    a.bye()  # the second one's list ends here, the first one's goes on
    ended(d)
    sw.wait_calls(1)
    c.bye()


def test_three_way(sw, spied, phone):
    """Everybody hears everybody else; a fourth may join."""
    a, b, c, uuid = spied
    call_and_talk(c, "7203")
    a.talk.hears(700, 1000)
    b.talk.hears(440, 1000)
    c.talk.hears(440, 700, absent=[1000])
    d = phone("1003", 1300)
    call_and_talk(d, "7203")
    d.talk.hears(440, 700, 1000, absent=[1300])
    c.talk.hears(440, 700, 1300, absent=[1000])
    a.talk.hears(700, 1000, 1300, absent=[440])
    d.bye()
    c.bye()
    a.talk.hears(700, absent=[1000, 1300])
    direct(sw, uuid)
    a.bye()


def test_eavesdrop_all(sw, spied):
    """Only legs of the group; a tone before each; * goes on to the next, here the same again."""
    a, b, c, uuid = spied
    sw.api(f"uuid_setvar {uuid} eavesdrop_group support,sales")
    call_and_talk(c, "7204")
    c.talk.hears(1750, absent=[440], since=0)
    c.talk.hears(440, 700)
    before = c.talk.mark()
    c.talk.press("*")
    c.talk.hears(1750, absent=[440], since=before)
    c.talk.hears(440, 700)
    c.bye()
    a.bye()


def test_eavesdrop_on_nobody(sw, phone):
    events = sw.esl()
    events.subscribe("CHANNEL_PARK")
    c = phone("1002", 1000)
    call_and_talk(c, "7205")
    parked = events.wait_event("CHANNEL_PARK")
    assert sw.api(f"uuid_getvar {parked['Unique-ID']} after_eavesdrop") == "yes"
    events.close()
    c.bye()


def test_displace_and_levels_by_command(sw, phone):
    a, b = bridged(phone("1000", 440), phone("1001", 700), "1001")
    uuid = uuid_of(sw, "1000")
    tone = "tone_stream://v=-9.1;%(60000,0,1750)"
    assert sw.api(f"uuid_displace {uuid} start {tone} 0 mux") == "+OK Success\n"
    a.talk.hears(700, 1750)
    b.talk.hears(440, absent=[1750])
    assert sw.api(f"uuid_displace {uuid} start {tone} 0 mux") == "-ERR Cannot displace session!\n"
    assert f"<target>{tone}</target>" in sw.api(f"uuid_buglist {uuid}")
    assert sw.api(f"uuid_displace {uuid} stop {tone}") == "+OK Success\n"
    assert sw.api(f"uuid_displace {uuid} stop {tone}") == "-ERR Cannot stop displace session!\n"
    assert sw.api(f"uuid_displace {uuid} start {tone} 1") == "+OK Success\n"  # a second, in place of the other
    a.talk.hears(1750, absent=[700])
    a.talk.hears(700, absent=[1750])
    direct(sw, uuid)
    for step, factor in ((4, 4.3), (1, 1.3), (-3, 0.4)):
        a.talk.level = 4000
        assert sw.api(f"uuid_audio {uuid} start read level {step}") == "+OK\n"
        b.talk.hears(440, level=4000 * factor)
    assert sw.api(f"uuid_audio {uuid} start write mute 1") == "+OK\n"
    a.talk.hears_nothing()
    assert "<function>audio</function>" in sw.api(f"uuid_buglist {uuid}")
    assert sw.api(f"uuid_audio {uuid} stop") == "+OK\n"
    a.talk.hears(700)
    b.talk.hears(440, level=4000)
    direct(sw, uuid)
    assert sw.api(f"uuid_audio {uuid} start sideways mute 1").startswith("-USAGE: <uuid> [start")
    a.bye()


def test_displace_and_mute_by_dialplan(sw, phone):
    """Without 'm' the other side falls silent: nothing is echoed; the phone hears the tone alone."""
    a = phone("1000", 440)
    call_and_talk(a, "7212")
    a.talk.hears(1750, absent=[440])
    a.bye()


def test_recording(sw, phone):
    """Both sides on a channel each, the level after the tap; masked it is silent; stop removes the bug."""
    import numpy as np
    from phones import tone_level
    events = sw.esl()
    events.subscribe("RECORD_START RECORD_STOP")
    a, b = bridged(phone("1000", 440), phone("1001", 700), "7211")
    path = str(sw.root / "rec1.wav")
    started = events.wait_event("RECORD_START")
    assert started["Record-File-Path"] == path
    uuid = started["Unique-ID"]
    assert "<function>session_record</function>" in sw.api(f"uuid_buglist {uuid}")
    b.talk.last(0.6)
    assert sw.api(f"uuid_record {uuid} mask {path}") == "+OK Success\n"
    b.talk.last(0.6)
    assert sw.api(f"uuid_record {uuid} unmask {path}") == "+OK Success\n"
    assert sw.api(f"uuid_record {uuid} pause {path}") == "+OK Success\n"
    b.talk.last(0.4)
    assert sw.api(f"uuid_record {uuid} resume {path}") == "+OK Success\n"
    b.talk.last(0.6)
    assert sw.api(f"uuid_record {uuid} stop {path}") == "+OK Success\n"
    stopped = events.wait_event("RECORD_STOP")
    assert (stopped["Record-File-Path"], stopped["Record-Completion-Cause"]) == (path, "success-maxtime")
    assert 1500 < int(stopped["variable_record_ms"]) < 4000
    assert sw.api(f"uuid_record {uuid} mask {path}") == "-ERR Cannot mask recording session!\n"
    assert sw.api(f"uuid_record {uuid} stop all") == "-ERR Cannot stop record session!\n"
    raw = open(path, "rb").read()
    x = np.frombuffer(raw[raw.find(b"data") + 8:], "<i2").astype(float).reshape(-1, 2)
    left, right = (tone_level(x[:, i], 8000, hz) for i, hz in ((0, 440), (1, 700)))
    assert tone_level(x[:, 0], 8000, 700).max() < 1500 and tone_level(x[:, 1], 8000, 440).max() < 1500
    loud = left > 6000
    first, last = np.flatnonzero(loud)[[0, -1]]
    silent = np.flatnonzero(~loud[first:last]) + first
    assert 20 < len(silent) < 60 and (right[silent[2:-2]] < 100).all()  # about 0.6 s, both sides at once
    events.close()
    a.bye()


def test_recordings_that_end_themselves(sw, phone):
    events = sw.esl()
    events.subscribe("RECORD_START RECORD_STOP")
    a = phone("1000", 440)
    call_and_talk(a, "7214")
    started = events.wait_event("RECORD_START")
    assert started["Recording-Variable-who"] == "me"
    a.talk.say(0.4)
    a.talk.hz = 0
    stopped = events.wait_event("RECORD_STOP")
    assert stopped["Record-Completion-Cause"] == "success-silence"
    a.bye()
    b = phone("1001", 440)
    call_and_talk(b, "7215")
    path = events.wait_event("RECORD_START")["Record-File-Path"]
    b.talk.say(0.5)
    b.bye()
    stopped = events.wait_event("RECORD_STOP", Record_File_Path=path)
    assert (stopped["Record-Completion-Cause"], stopped["variable_RECORD_DISCARDED"]) == ("input-too-short", "true")
    import os
    assert not os.path.exists(path)
    events.close()


def test_recording_only_while_bridged(sw, phone):
    events = sw.esl()
    events.subscribe("RECORD_STOP")
    a, b = phone("1000", 440), phone("1001", 700)
    start = time.monotonic()
    bridged(a, b, "7216")
    b.talk.last(0.5)
    a.bye()
    took = time.monotonic() - start
    stopped = events.wait_event("RECORD_STOP")
    assert stopped["Record-Completion-Cause"] == "success-silence"
    assert int(stopped["variable_record_ms"]) > 300
    from phones import read_wav, tone_level
    x, rate = read_wav(stopped["Record-File-Path"])
    assert (tone_level(x, rate, 700) > 3000).sum() > 20
    assert len(x) / rate < took - 0.5  # no time from before the bridge
    events.close()


def test_tone_detect(sw, phone):
    events = sw.esl()
    events.subscribe("DETECTED_TONE CHANNEL_EXECUTE_COMPLETE CHANNEL_PARK")
    a = phone("1000")
    call_and_talk(a, "7206")
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    assert sw.api(f"uuid_buglist {uuid}").count("<function>tone_detect</function>") == 1
    a.talk.hz = 1000
    tone = events.wait_event("DETECTED_TONE")
    assert (tone["Detected-Tone"], tone["Unique-ID"]) == ("t1", uuid)
    done = events.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="set")
    assert done["variable_heard"] == "one"
    reply = sw.api(f"tone_detect {uuid} t3 500,900 r +20")
    assert reply == "+OK Enabling tone detection 't3' '500,900' 'r'\n"
    assert sw.api("tone_detect nosuch a 1") == "-ERR Cannot locate session!\n"
    events.close()
    a.bye()


def test_silence_and_sound(sw, phone):
    events = sw.esl()
    events.subscribe("CHANNEL_PARK")
    a = phone("1000", 440)
    call_and_talk(a, "7207")
    a.talk.say(0.4)
    a.talk.hz = 0
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    var = lambda name: sw.api(f"uuid_getvar {uuid} {name}")  # noqa: E731
    assert (var("went"), var("wait_for_silence_timeout")) == ("silence", "false")
    assert int(var("wait_for_silence_listenhits")) > 5
    a.bye()
    b = phone("1001")
    call_and_talk(b, "7208")
    b.talk.say(0.3)
    b.talk.say(0.5, hz=700)
    b.talk.hz = 0
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    assert (var("went"), var("detect_audio_timeout"), var("detect_silence_timeout")) == ("both", "false", "false")
    b.bye()
    c = phone("1002", 440)
    call_and_talk(c, "7209")
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    assert (var("wait_for_silence_timeout"), var("detect_audio_timeout")) == ("true", "true")
    assert var("wait_for_silence_silence_hits") == "10"
    events.close()
    c.bye()


def test_keys_in_the_sound(sw, phone):
    """start_dtmf hears keys played as tones; start_dtmf_generate turns telephone-events into tones."""
    events = sw.esl()
    events.subscribe("CHANNEL_PARK DTMF")
    a = phone("1000")
    call_and_talk(a, "7210")
    a.talk.tones("27#")
    dtmf = events.wait_event("DTMF")
    assert (dtmf["DTMF-Digit"], dtmf["DTMF-Source"]) == ("2", "INBAND_AUDIO")
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    assert sw.api(f"uuid_getvar {uuid} got") == "27"
    a.bye()
    events.close()


def test_keys_become_tones(sw, phone):
    a, b = bridged(phone("1000", 440), phone("1001", 700), "7217")
    a.talk.press("5", ms=400)
    b.talk.hears(770, 1336, seconds=0.1, share=0.1)
    b.talk.hears(440, absent=[770])
    assert b.talk.digits() == ""
    a.bye()


def test_block_dtmf(sw, phone):
    a, b = bridged(phone("1000", 440), phone("1001", 700), "7213")
    uuid = uuid_of(sw, "1000")
    a.talk.press("1")
    b.talk.press("2")
    a.talk.hears(700)
    b.talk.hears(440)
    assert a.talk.digits() == b.talk.digits() == ""
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE_COMPLETE")
    sw.api(f"uuid_broadcast {uuid} unblock_dtmf:: aleg")
    events.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="unblock_dtmf")
    a.talk.press("3")
    b.talk.wait_digits("3")
    events.close()
    a.bye()


def test_record_ends_in_silence(sw, phone):
    """The application: after a second of silence it goes on, and says so."""
    events = sw.esl()
    events.subscribe("CHANNEL_PARK")
    a = phone("1000", 440)
    call_and_talk(a, "7218")
    a.talk.say(0.6)
    a.talk.hz = 0
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    assert sw.api(f"uuid_getvar {uuid} silence_hits_exhausted") == "true"
    assert 1400 < int(sw.api(f"uuid_getvar {uuid} record_ms")) < 3000
    events.close()
    a.bye()


def wav_channels(path):
    import numpy as np
    raw = open(path, "rb").read()
    n = int.from_bytes(raw[raw.find(b"fmt ") + 10:][:2], "little")
    return np.frombuffer(raw[raw.find(b"data") + 8:], "<i2").astype(float).reshape(-1, n).T


def test_several_recordings_at_once(sw, phone):
    """Four of one call, two legs: each side alone, both swapped, appended to."""
    events = sw.esl()
    events.subscribe("RECORD_STOP")
    a, b = bridged(phone("1000", 440), phone("1001", 700), "1001")
    leg, other = uuid_of(sw, "1000"), uuid_of(sw, "1001")
    name = lambda n: f"{sw.root}/several-{n}.wav"  # noqa: E731

    def start(uuid, n, variables):
        assert sw.api(f"uuid_record {uuid} start {name(n)} 0 {{{variables}}}") == "+OK Success\n"

    def stop(uuid, n):
        assert sw.api(f"uuid_record {uuid} stop {name(n)}") == "+OK Success\n"
        return int(events.wait_event("RECORD_STOP", Record_File_Path=name(n))["variable_record_ms"])

    def heard(samples):
        mid = samples[len(samples) // 4:]
        return {hz for hz in (440, 700) if amplitude(mid, hz) > 4000}

    start(leg, "read", "RECORD_READ_ONLY=true")
    start(leg, "write", "RECORD_WRITE_ONLY=true")
    start(leg, "swap", "RECORD_STEREO_SWAP=true")
    start(other, "other", "RECORD_STEREO=true")
    assert sw.api(f"uuid_buglist {leg}").count("<function>session_record</function>") == 3
    assert sw.api(f"uuid_record {leg} start {name('read')} 0 {{RECORD_TOGGLE_ON_REPEAT=false}}") == "+OK Success\n"  # goes on
    a.talk.last(0.8)
    first = stop(leg, "read")
    stop(other, "other")
    assert sw.api(f"uuid_record {leg} stop all") == "+OK Success\n"
    # in whichever order their files are finished
    assert {events.wait_event("RECORD_STOP")["Record-File-Path"] for _ in range(2)} == {name("write"), name("swap")}
    direct(sw, leg)
    assert [heard(c) for c in wav_channels(name("read"))] == [{440}]
    assert [heard(c) for c in wav_channels(name("write"))] == [{700}]
    assert [heard(c) for c in wav_channels(name("swap"))] == [{700}, {440}]
    assert [heard(c) for c in wav_channels(name("other"))] == [{700}, {440}]
    start(leg, "read", "RECORD_READ_ONLY=true,RECORD_APPEND=true")
    a.talk.last(0.5)
    second = stop(leg, "read")
    total = wav_channels(name("read")).shape[1] / 8
    assert abs(total - first - second) < 5
    # A disk that refuses is told at once: the recording ends by itself.
    assert sw.api(f"uuid_record {leg} start /proc/nowhere/x.wav") == "+OK Success\n"
    stopped = events.wait_event("RECORD_STOP", Record_File_Path="/proc/nowhere/x.wav")
    assert stopped["Record-Completion-Cause"] == "uri-failure"
    direct(sw, leg)
    events.close()
    a.bye()
