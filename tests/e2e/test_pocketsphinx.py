"""pocketsphinx by the module of its own (modules/pocketsphinx): what espeak-ng says over a call of 8 kHz is recognised by a JSGF grammar or by
the language model; grammars that are missing, broken or no names fail, and are told in the log. The module alone: tests/unit/recogniser."""
import re
import shutil
import subprocess
from pathlib import Path

import judge
import numpy as np
import pytest
import tandem as t
from calls import call, ended, extension, uuid_of, write_extensions

pytestmark = pytest.mark.leaks
MODULE = t.BUILD / "modules/pocketsphinx/mod_pocketsphinx.so"
MODEL = Path("/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict")
MAN, WOMAN = "en-us", "en-us+f3"  # the second is understood better in free speech
TONE = "tone_stream://%(20000,0,400)"
GRAMMARS = {"numbers": "sales | support | operator", "broken": "sales | xyzzyq", "changing": "xyzzyq"}


def grammar_write(directory, name, words):
    (directory / f"{name}.gram").write_text(f"#JSGF V1.0;\ngrammar {name};\npublic <n> = {words};\n")


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    if not MODULE.exists():
        pytest.skip("mod_pocketsphinx.so is not built: libpocketsphinx-dev is missing, or -Dpocketsphinx=disabled")
    if not MODEL.exists() or not shutil.which("espeak-ng"):
        pytest.skip("pocketsphinx-en-us or espeak-ng is not installed")
    s = t.Tandem(tmp_path_factory.mktemp("pocketsphinx") / "instance")
    (s.root / "mod").mkdir(exist_ok=True)
    shutil.copy(MODULE, s.root / "mod")
    write_extensions(s, [
        *(extension(f"795{i}", "set jitterbuffer_msec=200:400", "answer", f"play_and_detect_speech {TONE} detect:pocketsphinx {{no-input-timeout=5000}}{grammar}", "hangup")
          for i, grammar in enumerate(("numbers", "default", "nowhere", "broken", "../grammar/numbers", "changing"))),
        extension("7960", "answer", "detect_speech pocketsphinx numbers", "park")])
    s.start()
    assert s.api("load mod_pocketsphinx").endswith("+OK\n")
    directory = Path(s.api("global_getvar grammar_dir").strip())
    directory.mkdir(exist_ok=True)
    for name, words in GRAMMARS.items():
        grammar_write(directory, name, words)
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("DETECTED_SPEECH CHANNEL_HANGUP_COMPLETE")
    yield e
    e.close()


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """Words as samples of 8 kHz."""
    def by(words, voice=MAN):
        wav = tmp_path_factory.mktemp("spoken") / "x.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-s", "130", "-w", wav, words], check=True)
        raw = subprocess.run(["ffmpeg", "-loglevel", "error", "-i", wav, "-ar", "8000", "-ac", "1", "-f", "s16le", "-"], check=True,
                             stdout=subprocess.PIPE).stdout
        return np.frombuffer(raw, "<i2").astype(float)
    return by


def says(p, sound):
    sound = np.concatenate([np.zeros(4000), sound, np.zeros(12000)])
    return judge.Sender(p.media, ("127.0.0.1", p.remote_rtp), [judge.rtp(f, i, 160 * i) for i, f in enumerate(judge.frames(sound))])


def heard(sw, phone, events, number, sound):
    """Calls, says it: the cause and the result at the end. Words that came torn apart (a busy machine) are said again."""
    p = phone("1000")
    for _ in range(3):
        call(p, number)
        uuid = uuid_of(sw, "1000")
        s = says(p, sound)
        done = events.wait_event("CHANNEL_HANGUP_COMPLETE", Unique_ID=uuid)
        ended(p)
        s.join()
        if s.late_max < 0.15:
            break
    return done["variable_detect_speech_cause"], done.get("variable_detect_speech_result")


def test_it_is_there_and_stays(sw):
    assert "asr,pocketsphinx,mod_pocketsphinx," in sw.api("show modules mod_pocketsphinx")
    assert "it brought a recogniser of speech, which stays until the program ends" in sw.api("unload mod_pocketsphinx")
    assert "it brought a recogniser of speech" in sw.api("reload mod_pocketsphinx")
    assert sw.api("module_exists mod_pocketsphinx") == "true"
    maps = Path(f"/proc/{sw.proc.pid}/maps").read_text()
    assert "libpocketsphinx" in maps and "/en-us/" not in maps  # the model waits for somebody who speaks


@pytest.mark.parametrize("word", ["sales", "support", "operator"])
def test_word_of_a_grammar(sw, phone, events, spoken, word):
    cause, xml = heard(sw, phone, events, "7950", spoken(word))
    assert cause == "000" and f'<input mode="speech">{word}</input>' in xml and 'grammar="numbers"' in xml


def test_another_word(sw, phone, events, spoken):
    assert heard(sw, phone, events, "7950", spoken("elephant")) == ("001", None)


def test_free_speech(sw, phone, events, spoken):
    """Which words it takes them for is the model's business (a synthetic voice, a telephone); here it is words that no grammar has."""
    cause, xml = heard(sw, phone, events, "7951", spoken("good morning", WOMAN))
    words = re.search(r'grammar="default".*<input mode="speech">([a-z\' ]+)</input>', xml, re.S)
    assert cause == "000" and words and words[1] not in GRAMMARS["numbers"].split(" | "), xml


@pytest.mark.parametrize("number,line", [("7952", "/nowhere.gram: No such file"), ("7953", "/broken.gram: The word 'xyzzyq' is missing in the dictionary"),
                                         ("7954", "'../grammar/numbers' is no name of a grammar")])
def test_grammar_that_cannot_be(sw, phone, events, spoken, number, line):
    assert heard(sw, phone, events, number, spoken("sales")) == ("006", None)
    sw.wait_log(line)
    assert heard(sw, phone, events, "7950", spoken("sales"))[0] == "000"  # and others go on


def test_changed_grammar(sw, phone, events, spoken):
    assert heard(sw, phone, events, "7955", spoken("sales")) == ("006", None)
    grammar_write(Path(sw.api("global_getvar grammar_dir").strip()), "changing", "sales | elephant")
    cause, xml = heard(sw, phone, events, "7955", spoken("sales"))
    assert cause == "000" and ">sales</input>" in xml


def test_detect_speech(sw, phone, events, spoken):
    p = phone("1000")
    call(p, "7960")
    uuid = uuid_of(sw, "1000")
    s = says(p, spoken("operator"))
    events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="begin-speaking")
    e = events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="detected-speech")
    assert e["Completion-Cause"] == "000"
    assert ">operator</input>" in sw.api(f"uuid_getvar {uuid} detect_speech_result")
    s.join()
    p.bye()
    events.wait_event("DETECTED_SPEECH", Unique_ID=uuid, Speech_Type="closed")
