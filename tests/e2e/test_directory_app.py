"""Dial by name: a caller spells a name on the keys, hears who fits and is put through."""
import pathlib
import re
import wave

import numpy as np
import pytest
import tandem as t
from calls import call_and_talk, extension, write_extensions

pytestmark = pytest.mark.leaks
NAMES = {"1001": "Alice Lab", "1002": "Bob Labor", "1003": "Carol Labs"}


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("names") / "instance")
    write_extensions(s, [
        extension("7100", "answer", "directory default 127.0.0.1 XML names", "set went=past", "park"),
        extension("7101", "answer", "directory nosuch 127.0.0.1", "park")])
    (s.root / "conf/dialplan/names.xml").write_text(
        f'<include><context name="names">{extension("(100[123])", "set went=$1", "park")}</context></include>')
    for user, name in NAMES.items():
        path = next(p for p in s.root.rglob("conf/directory/**/*.xml") if f'id="{user}"' in p.read_text())
        text = path.read_text()
        more = f'<variable name="directory_full_name" value="{name}"/>'
        where = re.search(rf'<user id="{user}"[^>]*>.*?<variables>', text, re.S)
        assert where, path
        path.write_text(text[:where.end()] + more + text[where.end():])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def parked(sw):
    e = sw.esl()
    e.subscribe("CHANNEL_PARK PLAYBACK_START")
    yield lambda: e.wait_event("CHANNEL_PARK")
    e.close()


@pytest.mark.parametrize("keys,whom", [
    ("522#1", "1001"),       # LAB, the first
    ("522#61", "1002"),      # the next
    ("522#66641", "1002"),   # to the last, which stays the last, and back
    ("5226#1", "1002"),      # LABO
    ("*25423#1", "1001"),    # by first name: ALICE
    ("522#3522#661", "1003"),  # a new search
    ("52#522#1", "1001"),    # too few keys, then enough
    ("999#522#1", "1001"),   # nobody, then somebody
])
def test_by_keys(sw, phone, parked, keys, whom):
    a = phone("1000", 400)
    call_and_talk(a, "7100")
    a.talk.press(keys)
    assert parked()["variable_went"] == whom
    a.bye()
    sw.wait_calls(0)


def test_nobody_after_all_attempts(sw, phone, parked):
    a = phone("1000", 400)
    call_and_talk(a, "7100")
    a.talk.press("999#999#999#")
    assert parked()["variable_went"] == "past"


def test_no_such_profile(sw, phone, parked):
    a = phone("1000", 400)
    call_and_talk(a, "7101")
    assert "variable_directory_extension" not in parked()


def test_a_recorded_name(sw, phone, parked, tmp_path):
    """Who recorded his name for his mailbox is heard himself; without the file, or a record, the name is spelled."""
    rate, seconds = 8000, 1.5
    at = np.arange(int(rate * seconds))
    with wave.open(str(tmp_path / "name.wav"), "wb") as f:
        f.setparams((1, 2, rate, 0, "NONE", ""))
        f.writeframes((8000 * np.sin(2 * np.pi * 1900 * at / rate)).astype("<i2").tobytes())
    for user in ("1001", "1002"):
        assert sw.api(f"vm_fsdb_pref_recname_set default 127.0.0.1 {user} {tmp_path}/name.wav") == "-OK\n"
    heard, gone = [sw.api(f"vm_prefs default/{user}@127.0.0.1|name_path") for user in ("1001", "1002")]
    pathlib.Path(gone).unlink()
    esl = sw.esl()
    esl.subscribe("PLAYBACK_START")
    a = phone("1000", 400)
    call_and_talk(a, "7100")
    a.talk.press("522#")
    a.talk.hears(1900)
    a.talk.press("6")  # to the one whose file is gone
    while esl.wait_event("PLAYBACK_START")["Playback-File-Path"] != heard:
        pass
    assert esl.wait_event("PLAYBACK_START")["Playback-File-Path"] != gone  # something else is said
    a.talk.press("1")
    assert parked()["variable_went"] == "1002"
    esl.close()
