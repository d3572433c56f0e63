"""What is said: numbers and dates out of recordings, phrase macros, text to speech, and prompts nobody recorded. Real calls; sound is
listened to, events tell what was played."""
import re
import select
import shutil
import threading
import time

import numpy as np
import pytest
from calls import call, ended, extension, heard_ms, press, rtp, write_extensions
from phones import read_wav, write_tone
from talk import ULAW

pytestmark = pytest.mark.leaks
PHRASES = """
<macro name="pattern" pause="0"><input pattern="^(\\d+)-(\\d+)$" break_on_match="true"><match>
  <action function="say" data="$1" method="pronounced" type="items"/><action function="play-file" data="digits/$2.wav"/>
  <action function="execute" data="set(ran=$2 ${destination_number})"/></match>
  <nomatch><action function="play-file" data="digits/0.wav"/><action function="break"/></nomatch></input>
 <input pattern="^never$"><match><action function="play-file" data="digits/9.wav"/></match></input></macro>
<macro name="again" pause="0"><input pattern=".*"><match><action function="phrase" phrase="again" data="x"/></match></input></macro>
<macro name="spoken" pause="0"><input pattern="(.*)"><match><action function="speak-text" data="hello $1"/></match></input></macro>
<macro name="nothing"><input pattern="^x$"><match/></input></macro>
"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("say") / "instance", env={"PATH": "/nonexistent"})  # no espeak-ng in it
    en = s.root / "conf/lang/en/en.xml"
    en.write_text(en.read_text().replace("<macros>", "<macros>" + PHRASES, 1))
    own = s.root / "sounds/own"
    for rate, hz in ((8000, 523), (16000, 700)):
        (own / f"ivr/{rate}").mkdir(parents=True)
        write_tone(own / f"ivr/{rate}/ivr-hello.wav", hz, seconds=0.6)
    write_tone(own / "ivr/plain.wav", 880, seconds=0.6)
    extensions = [
        extension("7201", "answer", "say en NUMBER pronounced 142", "hangup"),
        extension("7202", "answer", "playback ivr/ivr-this_prompt_is_new.wav", "hangup"),
        extension("7203", "answer", "playback phrase:pattern:12-3", "park"),
        extension("7204", "answer", "phrase pattern,no", "park"),
        extension("7205", "answer", "phrase again,x", "park"),
        extension("7206", "answer", "speak flite|rms|This is a test of speech.", "set tts_voice=slt",
                  "playback say:And this is another one.", "hangup"),
        extension("7207", "answer", "set language=zh", "say zh CURRENCY pronounced 12.50", "hangup"),
        extension("7208", "answer", f"set sound_prefix={own}", "playback ivr/ivr-hello.wav", "playback ivr/plain", "hangup"),
        extension("7209", "answer", "playback file_string://digits/1.wav!nosuch.wav!silence_stream://200!digits/2.wav", "hangup"),
        extension("7210", "answer", "set playback_delimiter=!", "set playback_sleep_val=50", "playback digits/1.wav!digits/2.wav", "hangup"),
        extension("7211", "answer", "say en NUMBER pronounced twelve", "say fr NUMBER pronounced 1", "say en NUMBER", "phrase nosuch",
                  "set after=here", "park"),
        extension("7212", "answer", "playback phrase:you_entered:1234567890", "set went=on", "park"),
        extension("7213", "answer", "read 1 2 phrase:you_entered:12345678 got 3000 #", "park"),
        extension("7214", "answer", "phrase spoken,world", "phrase nothing,y", "park"),
        extension("7215", "answer", "say en NAME_SPELLED pronounced a " + "1" * 130, "park"),
        extension("7217", "answer", "set timezone=Asia/Shanghai", "set there=${say_string(en en current_time pronounced 1795264245)}",
                  "set timezone=-3600", "set west=${say_string(en en current_time pronounced 1795264245)}", "playback phrase:nosuch",
                  "phrase valet_announce_ext,lot:7", "park"),
        extension("7216", "answer", "playback ivr/ivr-never_asked_for_before_in_a_long_sentence_of_many_words_that_takes_a_while.wav", "park"),
    ]
    write_extensions(s, extensions)
    s.start()
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("PLAYBACK_START PLAYBACK_STOP CHANNEL_PARK CHANNEL_EXECUTE_COMPLETE")
    yield e
    e.close()


def hear(p, timeout=30, enough=lambda x: False):
    """What arrives until the other side hangs up (or it is enough), decoded; silence is sent meanwhile."""
    out, end, n = [], time.monotonic() + timeout, 0

    def packet(wait_s):
        p.media.settimeout(wait_s)
        try:
            packet = p.media.recv(2000)
        except (TimeoutError, BlockingIOError):
            return False
        if packet[1] & 127 == 0:
            out.append(ULAW[np.frombuffer(packet[12:], np.uint8)])
        return True

    while time.monotonic() < end:
        p.media.sendto(rtp(n, payload=b"\xff" * 160), ("127.0.0.1", p.remote_rtp))
        n += 1
        packet(0.02)
        if select.select([p.s], [], [], 0)[0]:
            while packet(0):
                pass  # what was sent before the BYE
            ended(p)
            return np.concatenate(out) if out else np.zeros(160)
        if out and enough(out):
            return np.concatenate(out)
    raise AssertionError("it did not end")


def voiced_s(x):
    """Seconds with a voice in them."""
    frames = x[:len(x) // 160 * 160].reshape(-1, 160)
    return float((np.sqrt((frames ** 2).mean(axis=1)) > 200).sum()) * 0.02


def started(events):
    return events.wait_event("PLAYBACK_START")["Playback-File-Path"]


def cache(sw):
    d = sw.root / "cache/speech"
    return {f.name: f.stat().st_mtime_ns for f in d.glob("*.wav")} if d.exists() else {}


def test_number_out_of_recordings(sw, phone, events):
    a = call(phone(), "7201")
    x = hear(a)
    assert started(events) == "file_string://digits/1.wav!digits/hundred.wav!digits/40.wav!digits/2.wav"
    stop = events.wait_event("PLAYBACK_STOP")
    assert stop["Playback-Status"] == "done"
    want = sum(len(read_wav(f"/usr/share/asterisk/sounds/en_US_f_Allison/digits/{n}.wav")[0]) / 8000
               for n in ("1", "hundred", "40", "2"))
    assert abs(int(stop["variable_playback_ms"]) / 1000 - want) < 0.1
    assert voiced_s(x) > want / 3
    assert not cache(sw)  # all of them are recorded


def test_missing_prompt_is_spoken_once(sw, phone, events):
    x = hear(call(phone(), "7202"))
    assert 0.7 < voiced_s(x) < 4
    kept = cache(sw)
    assert len(kept) == 1
    y = hear(call(phone("1001"), "7202"))
    assert abs(len(y) - len(x)) < 1600
    assert cache(sw) == kept  # the second time it was there
    sw.wait_log("ivr-this_prompt_is_new.wav: spoken by flite")
    assert sw.log_text.count("ivr-this_prompt_is_new.wav: spoken by flite") == 1
    assert started(events).endswith("/ivr/ivr-this_prompt_is_new.wav")


def test_many_wait_for_one_prompt(sw, phone):
    before = cache(sw)
    calls = [phone(u) for u in ("1002", "1003", "1004")]
    results = []
    for p in calls:
        call(p, "7216")
    threads = [threading.Thread(target=lambda p=p: results.append(
        voiced_s(hear(p, enough=lambda out: voiced_s(np.concatenate(out)) > 1)))) for p in calls]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(results) == 3 and min(results) > 1
    assert len(set(cache(sw)) - set(before)) == 1
    sw.wait_log("takes_a_while.wav: spoken by flite")
    assert sw.log_text.count("takes_a_while.wav: spoken by flite") == 1


def test_hang_up_while_it_is_spoken(sw, phone, events):
    """The call is gone at once, whatever the engine still does; the sound is kept for the next one."""
    sw.api("originate {ignore_early_media=true}loopback/9196 &playback(ivr/ivr-a_text_that_nobody_waits_for.wav)")
    assert started(events).endswith("nobody_waits_for.wav")
    sw.api("hupall")
    sw.wait_calls(0)


def test_phrase_with_groups_and_execute(sw, phone, events):
    a = call(phone(), "7203")
    assert started(events) == "file_string://digits/12.wav"
    assert started(events).endswith("/digits/3.wav")
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    assert sw.api(f"uuid_getvar {uuid} ran") == "3 7203"
    assert sw.api(f"uuid_getvar {uuid} sound_prefix") == sw.api("global_getvar sound_prefix")
    a.bye()


def test_phrase_that_does_not_match(sw, phone, events):
    a = call(phone(), "7204")
    assert started(events).endswith("/digits/0.wav")
    done = events.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="phrase")
    assert done["Application-Response"] == "PHRASE PLAYED"
    events.wait_event("CHANNEL_PARK")
    a.bye()


def test_phrase_within_itself_ends(sw, phone, events):
    a = call(phone(), "7205")
    assert events.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="phrase")["Application-Response"] == "UNKNOWN ERROR"
    events.wait_event("CHANNEL_PARK")
    a.bye()
    sw.wait_log("macros within macros")


def test_phrase_that_speaks(sw, phone, events):
    a = call(phone(), "7214")
    assert started(events) == "tts://flite|slt|hello world"
    events.wait_event("CHANNEL_PARK")
    a.bye()
    sw.wait_log("Macro [nothing]: 'y' did not match any patterns")


def test_key_ends_a_whole_phrase(sw, phone, events):
    a = call(phone(), "7212")
    started(events)
    press(a, "*")
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    assert sw.api(f"uuid_getvar {uuid} playback_terminator_used") == "*"
    assert not any(e["Event-Name"] == "PLAYBACK_START" for e in events.events)
    a.bye()


def test_digits_into_a_phrase(sw, phone, events):
    """read's prompt is a phrase: the first key stops it and counts."""
    a = call(phone(), "7213")
    started(events)
    press(a, "42")
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    assert sw.api(f"uuid_getvar {uuid} got") == "42"
    a.bye()


def test_speech(sw, phone, events):
    x = hear(call(phone(), "7206"))
    assert started(events) == "tts://flite|rms|This is a test of speech."
    assert started(events) == "tts://|slt|And this is another one."
    assert 2 < voiced_s(x) < 8


def test_chinese_is_not_silent(sw, phone, events):
    """Without recordings and without espeak-ng it is said in English, and the log says how to get better."""
    x = hear(call(phone(), "7207"))
    assert started(events) == "file_string://digits/10.wav!digits/2.wav!currency/yuan.wav!digits/5.wav!currency/jiao.wav!digits/0.wav!currency/fen.wav"
    assert voiced_s(x) > 1.2
    sw.wait_log("install the package espeak-ng")
    assert sw.log_text.count("install the package espeak-ng") == 1


@pytest.mark.parametrize("line", ["cp {tone} ${{file}}; echo ${{text}} > {seen}", "cp {tone} '${{file}}'; echo \"said ${{text}}.\" > '{seen}'"])
def test_what_is_spoken_is_data_to_the_shell(fresh, phone, tmp_path, line):
    """Whatever quotes the configuration's line has around it."""
    from xml.sax.saxutils import quoteattr
    said, seen = "it's $(touch {0}/a) `touch {0}/b` \" ; touch {0}/c".format(tmp_path), tmp_path / "seen"
    write_tone(tmp_path / "tone.wav", 700, 1)
    (fresh.root / "conf/dialplan/default/say.xml").write_text(
        "<include>\n" + extension("7301", "answer", "speak SAID", "hangup").replace('"SAID"', quoteattr("tts_commandline|any|" + said))
        + "\n</include>")
    (fresh.root / "conf/autoload_configs/tts_commandline.conf.xml").write_text(
        '<include>\n<configuration name="tts_commandline.conf"><settings><param name="command" value='
        f'{quoteattr(line.format(tone=tmp_path / "tone.wav", seen=seen))}/></settings></configuration>\n</include>')
    fresh.start()
    x = hear(call(phone("1000", switch=fresh), "7301"))
    assert heard_ms(x, 700, 3000) > 400, fresh.log_text
    assert said in seen.read_text()
    assert not [n for n in "abc" if (tmp_path / n).exists()]


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_chinese_by_espeak(fresh, phone):
    actions = ["answer", "say zh:zh NUMBER pronounced 15", "speak espeak-ng|cmn|\u4f60\u597d", "speak tts_commandline|cmn|it\'s $(x)", "hangup"]
    (fresh.root / "conf/dialplan/default/say.xml").write_text(f"<include>\n{extension('7301', *actions)}\n</include>")
    (fresh.root / "conf/autoload_configs/tts_commandline.conf.xml").write_text(
        '<include>\n<configuration name="tts_commandline.conf"><settings><param name="command" '
        'value="espeak-ng -v ${voice} -w ${file} -- ${text}"/></settings></configuration>\n</include>')
    fresh.start()
    e = fresh.esl()
    e.subscribe("PLAYBACK_START")
    x = hear(call(phone("1000", switch=fresh), "7301"))
    assert started(e) == "file_string://digits/10.wav!digits/5.wav"
    assert voiced_s(x) > 1.5
    fresh.wait_log(re.compile(r"zh/cn/sinmei/digits/[0-9]+\.wav: spoken by a child process"), count=2)
    log = fresh.log_text
    assert len(re.findall(r"zh/cn/sinmei/digits/[0-9]+\.wav: spoken by a child process", log)) == 2, log
    assert "cannot be spoken" not in log and "flite" not in re.findall("spoken by (.*?),", log)
    assert len(cache(fresh)) == 4
    e.close()


def test_real_recordings_win_by_rate(sw, phone):
    x = hear(call(phone(), "7208"))
    assert heard_ms(x, 523, 3000) > 400 and heard_ms(x, 880, 3000) > 400
    assert heard_ms(x, 700, 3000) < 60  # of the other rate


def test_a_row_goes_on_without_what_is_missing(sw, phone, events):
    x = hear(call(phone(), "7209"))
    assert started(events) == "file_string://digits/1.wav!nosuch.wav!silence_stream://200!digits/2.wav"
    assert events.wait_event("PLAYBACK_STOP")["Playback-Status"] == "done"
    assert voiced_s(x) > 0.4


def test_playback_delimiter(sw, phone, events):
    hear(call(phone(), "7210"))
    assert [started(events).rsplit("/", 1)[1], started(events).rsplit("/", 1)[1]] == ["1.wav", "2.wav"]


def test_more_than_fits_one_row(sw, phone, events):
    a = call(phone(), "7215")
    assert started(events).count("!") == 119
    a.bye()


def test_errors_go_on_with_the_dialplan(sw, phone, events):
    a = call(phone(), "7211")
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    assert sw.api(f"uuid_getvar {uuid} after") == "here"
    a.bye()
    for text in ("say: 'twelve' is no NUMBER", "Can't find language fr.", "Usage: <module_name>[:<lang>]", "Can't find macro nosuch."):
        sw.wait_log(text)


@pytest.mark.clock
def test_zones_and_shipped_macros(sw, phone, events):
    a = call(phone(), "7217")
    done = events.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="playback")
    assert done["Application-Response"] == "PLAYBACK ERROR"
    assert started(events) == "file_string://digits/7.wav"
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    assert sw.api(f"uuid_getvar {uuid} there") == "file_string://digits/8.wav!digits/30.wav!time/p-m.wav"
    assert sw.api(f"uuid_getvar {uuid} west") == "file_string://digits/11.wav!digits/30.wav!time/a-m.wav"
    a.bye()


def test_say_string(sw):
    assert sw.api("say_string en en number pronounced 42") == "file_string://digits/40.wav!digits/2.wav"
    assert sw.api("say_string en.gsm en number pronounced ~42") == "digits/40.gsm!digits/2.gsm"
    assert sw.api("say_string en en current_date pronounced 2011-03-08") == (
        "file_string://time/day-2.wav!time/mon-2.wav!digits/h-8.wav!digits/2.wav!digits/thousand.wav!digits/11.wav")
    assert sw.api("say_string zh zh number pronounced 10000") == "file_string://digits/1.wav!digits/10000.wav"
    usage = "-ERR Usage: <module_name>[.<ext>] <lang>[.<ext>] <say_type> <say_method> [<say_gender>] <text>\n"
    for wrong in ("", " en en number", " en xx number pronounced 1", " en en number pronounced x", " en en nosuch pronounced 1"):
        assert sw.api("say_string" + wrong) == usage
    assert sw.api("expand echo <${say_string(en en items pronounced 3)}>") == "<file_string://digits/3.wav>"
    assert {"say,en,mod_say_en", "say,zh,mod_say_zh", "say,zh_CN,mod_say_zh"} <= set(sw.api("show say").split("\n"))
    assert "say,say,<module_name>[:<lang>] <say_type> <say_method> [<say_gender>] <text>,mod_dptools" in sw.api("show application")


def test_macros_are_checked(fresh):
    import subprocess
    en = fresh.root / "conf/lang/en/en.xml"
    en.write_text(en.read_text().replace("<macros>", """<macros>
<macro name="bad"><input pattern="^(x$"><match><action function="plya-file" data="x"/>
<action function="say" type="nosuch" method="pronounced" data="1"/></match></input></macro>""", 1))
    r = subprocess.run([fresh.binary, "-check-config", "-base", fresh.root], env=fresh.env, capture_output=True, text=True)
    told = r.stdout + r.stderr
    assert r.returncode == 0 and "a phrase has no function 'plya-file'" in told and "say has no type 'nosuch'" in told
    assert len(re.findall(r"lang/en/en\.xml:\d+:\d+: ", told)) == 3, told


# ---- the stock configuration --------------------------------------------------------------------------------------------

CLOCK = {"9170": r"file_string://digits/\d+\.wav!.*!time/[ap]-m\.wav", "9171": r"file_string://time/day-\d\.wav!time/mon-\d+\.wav!.*",
         "9172": r"file_string://time/day-\d\.wav!.*!time/at\.wav!.*!time/[ap]-m\.wav"}


@pytest.mark.parametrize("number", CLOCK)
def test_stock_talking_clock(tandem_vanilla, phone, number):
    e = tandem_vanilla.esl()
    e.subscribe("PLAYBACK_START PLAYBACK_STOP")
    a = phone("1000", switch=tandem_vanilla)
    is_whole = number == "9170"
    x = hear(call(a, number), enough=lambda out: not is_whole and voiced_s(np.concatenate(out)) > 1)
    assert re.fullmatch(CLOCK[number], started(e))
    if is_whole:
        stop = e.wait_event("PLAYBACK_STOP")
        assert stop["Playback-Status"] == "done" and 1000 < int(stop["variable_playback_ms"]) < 8000
        assert not any(v["Event-Name"] == "PLAYBACK_START" for v in e.events)  # one for the whole row
    else:
        a.bye()
    assert voiced_s(x) > 0.7
    e.close()


def test_stock_funny_prompts(tandem_vanilla, phone):
    e = tandem_vanilla.esl()
    e.subscribe("PLAYBACK_START")
    a = call(phone("1000", switch=tandem_vanilla), "9386")
    x = hear(a, enough=lambda out: voiced_s(np.concatenate(out)) > 1.5)
    assert voiced_s(x) > 1.5
    assert [started(e).rsplit("/", 2)[1:] for _ in range(2)] == [["ivr", "ivr-wakey_wakey_sunshine.wav"], ["ivr", "ivr-no_no_no.wav"]]
    a.bye()
    e.close()
