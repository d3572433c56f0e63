"""The store of recordings: where record_store puts one, the index and how it is asked, deletion, age and size, conversion."""
import json
import os
import re
import subprocess
import time

import pytest
import tandem as t
from calls import call, extension, write_extensions
from talk import Talker
from wire import Phone

pytestmark = pytest.mark.leaks


def make(root, **params):
    s = t.Tandem(root)
    path = s.root / "conf/autoload_configs/recordings.conf.xml"
    text = path.read_text()
    for name, value in params.items():
        name = name.replace("_", "-")
        text = re.sub(f'\\s*<param name="{name}"[^>]*>', "", text).replace("<settings>", f'<settings>\n<param name="{name}" value="{value}"/>', 1)
    path.write_text(text)
    write_extensions(s, [extension("7801", "answer", "record_store stereo", "echo"), extension("7802", "answer", "record_store", "echo"),
                         extension("7803", "answer", f"record_session {s.root}/elsewhere.wav", "echo")])
    return s.start()


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = make(tmp_path_factory.mktemp("recordings") / "instance")
    yield s
    s.stop()


def recorded(phone, number="7802", seconds=0.5, hz=440):
    """A call of so many seconds with a tone, recorded; the file."""
    sw = phone.sw
    esl = sw.esl()
    esl.command("event plain RECORD_START RECORD_STOP")
    call(phone, number)
    path = esl.wait_event("RECORD_START")["Record-File-Path"]
    talk = Talker(phone, hz)
    talk.say(seconds)
    talk.said_all()
    phone.bye()
    esl.wait_event("RECORD_STOP")
    talk.stop()
    esl.close()
    return path


def search(sw, *words):
    return json.loads(sw.api(" ".join(["recordings search", *words, "json"])))


def wait(fn, seconds=15):
    deadline = time.monotonic() + seconds
    while not (got := fn()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return got


def row_of(sw, path):
    return wait(lambda: [r for r in search(sw) if r["path"] == path])[0]


def test_a_call_is_recorded_where_the_layout_says_and_found(sw, phone):
    before = int(time.time())
    path = recorded(phone("1000"), "7801")
    assert re.fullmatch(re.escape(f"{sw.root}/recordings/") + r"\d{4}/\d\d/\d\d/\d{6}-1000-[0-9a-f-]{36}\.wav", path), path
    row = row_of(sw, path)
    assert row["caller_number"] == "1000" and row["callee_number"] == "7801" and row["uuid"] in path
    assert int(row["ms"]) >= 400 and int(row["bytes"]) > 44 + 8 * 2 * 2 * 400 and before - 2 <= int(row["started"]) <= time.time() + 1
    info = subprocess.run(["soxi", path], capture_output=True, text=True, check=True).stdout
    assert "Channels       : 2" in info
    assert search(sw, "number=100", f"uuid={row['uuid'][:8]}") == [row]
    assert search(sw, "number=1%0") == [] and search(sw, "number=_000") == []
    assert search(sw, f"from={before - 3600}", "to=2020-01-01") == []
    assert search(sw, "queue=sales") == []
    assert "files: " in sw.api("recordings status")


def test_what_lies_elsewhere_is_not_its_affair(sw, phone):
    path = recorded(phone("1000"), "7803")
    known = recorded(phone("1001"))
    row_of(sw, known)
    assert path not in [r["path"] for r in search(sw)]
    assert sw.api(f"recordings delete {path}").startswith("-ERR no recording")
    assert sw.api(f"recordings delete {sw.root}/recordings/../elsewhere.wav").startswith("-ERR no recording")
    subprocess.run(["test", "-f", path], check=True)


@pytest.mark.parametrize("words", ["from=yesterday", "limit=0", "limit=100000", "nonsense", "x=1"])
def test_a_question_it_does_not_know(sw, words):
    assert sw.api(f"recordings search {words}").startswith(f'-ERR "{words}"')


def test_deleted_by_command(sw, phone):
    esl = sw.esl()
    esl.command("event plain CUSTOM recordings::deleted")
    path = recorded(phone("1000"))
    row_of(sw, path)
    assert sw.api(f"recordings delete {path[len(str(sw.root)) + len('/recordings/'):]}") == "+OK\n"
    e = esl.wait_event("CUSTOM")
    assert e["Record-File-Path"] == path and e["Reason"] == "command"
    assert path not in [r["path"] for r in search(sw)]
    assert subprocess.run(["test", "-e", path]).returncode
    esl.close()


@pytest.mark.parametrize("ext", ["mp3", "opus", "flac"])
def test_converted(tmp_path, ext):
    s = make(tmp_path / "instance", convert=ext, convert_after=0)
    try:
        p = Phone(s, "1000")
        p.register()
        path = recorded(p, "7801", seconds=1)
        row = wait(lambda: [r for r in search(s) if r["path"].endswith("." + ext)])[0]
        assert row["path"] == path[:-3] + ext and row["caller_number"] == "1000"
        assert subprocess.run(["test", "-e", path]).returncode
        wav = tmp_path / "back.wav"
        subprocess.run(["ffmpeg", "-loglevel", "error", "-i", row["path"], wav], check=True)
        stat = subprocess.run(["sox", wav, "-n", "remix", "1", "stat"], capture_output=True, text=True, check=True).stderr
        length = float(re.search(r"Length \(seconds\):\s+([\d.]+)", stat).group(1))
        hz = float(re.search(r"Rough\s+frequency:\s+(\d+)", stat).group(1))
        assert abs(length - int(row["ms"]) / 1000) < 0.3 and 350 < hz < 550, stat
        assert int(row["bytes"]) == os.path.getsize(row["path"])
        p.close()
    finally:
        s.stop()


def test_age_and_size(tmp_path):
    """What is older than keep-days goes, then the oldest beyond max-size: here 1 MB of files of 0.4 MB."""
    s = make(tmp_path / "instance", keep_days=30, max_size=1)
    try:
        p = Phone(s, "1000")
        p.register()
        now = recorded(p)
        row_of(s, now)
        folder = s.root / "recordings"
        rows = {"old": 40 * 86400, "fresh1": 3000, "fresh2": 2000, "fresh3": 1000}
        sql = ""
        for name, age in rows.items():
            (folder / f"{name}.wav").write_bytes(b"x" * 400000)
            sql += f"INSERT INTO recordings VALUES('{folder}/{name}.wav','{int(time.time()) - age}','0','1','400000','u','1','n','2','','','');"
        db = next((s.root / "db").glob("recordings*.db"))
        subprocess.run(["/usr/bin/python3", "-c", "import sqlite3,sys; c=sqlite3.connect(sys.argv[1],timeout=10); c.executescript(sys.argv[2]); c.commit()", db, sql], check=True)
        assert s.api("recordings clean") == "+OK\n"
        left = wait(lambda: (got := sorted(f.name for f in folder.glob("*.wav"))) == ["fresh2.wav", "fresh3.wav"] and got)
        assert left
        wait(lambda: len(search(s)) == 3)
        s.wait_log("old.wav is deleted (keep-days)")
        s.wait_log("fresh1.wav is deleted (max-size)")
        p.close()
    finally:
        s.stop()


def test_a_layout_or_ending_that_is_none(tmp_path):
    s = make(tmp_path / "instance", convert="docx", keep_days="many")
    try:
        s.wait_log('convert: "docx" is no format that can be written')
        s.wait_log('keep-days: "many" is no number')
        assert "convert: no" in s.api("recordings status")
    finally:
        s.stop()
