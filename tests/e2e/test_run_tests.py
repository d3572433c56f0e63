"""The runner of the tests itself: what it counts, that files have the machine to themselves, and that nothing is left of a file that hangs,
leaves processes behind or is interrupted."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import clock
import pytest
import tandem as t

PORT = """
import socket
def test_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 5060))
        s.listen()
        %s
"""
MEET = """
        import pathlib, time
        here = pathlib.Path({dir!r})
        (here / {me!r}).touch()
        deadline = time.monotonic() + 20
        while not (here / {other!r}).exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
"""
LEAVES = """
import pathlib, subprocess, sys
def test_leaves():
    p = subprocess.Popen([sys.executable, "-c", "import os, time; os.setsid(); time.sleep(1000)"])
    pathlib.Path({file!r}).write_text(str(p.pid))
"""
HANGS = """
import pathlib, subprocess, threading
def test_good():
    pass
def test_hangs():
    p = subprocess.Popen(["sleep", "1000"])
    pathlib.Path({file!r}).write_text("up")
    threading.Event().wait()
def test_after():
    pass
"""


@pytest.fixture
def run():
    """run(files, env): starts the runner on files of these texts, within the tree."""
    procs = []
    inside = Path(tempfile.mkdtemp(prefix="run-tests-", dir=t.BUILD))

    def start(env=None, **files):
        for name, text in files.items():
            (inside / f"test_{name}.py").write_text(text)
        paths = [str(inside / f"test_{name}.py") for name in files]
        # what the runner around us told our pytest is not for the one within
        clean = {k: v for k, v in clock.real(os.environ).items() if not k.startswith("TESTRUN_")}
        p = subprocess.Popen([t.TOP / "tools/run-tests", "--e2e", t.BUILD.name, "--", *paths], cwd=t.TOP, env=dict(clean, **(env or {})),
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        procs.append(p)
        return p
    yield start
    for p in procs:
        if p.poll() is None:
            p.terminate()
            p.wait()
        p.stdout.close()
    shutil.rmtree(inside)


def is_alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_counts(run):
    p = run(one="import pytest\ndef test_a(): pass\n@pytest.mark.skip(reason='no moon')\ndef test_b(): pass\n",
            two="def test_c(): pass\ndef test_d(): assert not 'this is the log'\n", three="import nosuchmodule\n")
    text = p.communicate(timeout=60)[0]
    assert p.returncode == 1
    assert text.rstrip().split("\n")[-1] == "2 passed, 2 failed, 1 skipped", text
    assert "skipped 1: no moon\n" in text and "this is the log" in text and "nosuchmodule" in text
    assert re.search(r"^FAILED \S*test_two\.py::test_d$", text, re.M), text


def test_files_have_the_machine_to_themselves(run, tmp_path):
    """Two files listen on one port at the same time."""
    p = run(**{me: PORT % MEET.format(dir=str(tmp_path), me=me, other=other) for me, other in (("here", "there"), ("there", "here"))})
    text = p.communicate(timeout=60)[0]
    if "no network namespace can be made here" in text:
        pytest.skip("no network namespace can be made here")
    assert text.rstrip().endswith("2 passed, 0 failed"), text


def test_what_is_left_behind_ends(run, tmp_path):
    p = run(leaves=LEAVES.format(file=str(tmp_path / "pid")))
    assert p.communicate(timeout=60)[0].rstrip().endswith("1 passed, 0 failed")
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_a_file_that_hangs(run, tmp_path):
    """It is ended after its deadline; it is told where it hung; what it finished counts, the rest has failed."""
    p = run(hangs=HANGS.format(file=str(tmp_path / "up")), good="def test_x(): pass\n", env={"TANDEM_TEST_DEADLINE_S": "3"})
    text = p.communicate(timeout=60)[0]
    assert text.rstrip().split("\n")[-1] == "2 passed, 2 failed", text
    assert "not over after 3 s" in text and "in test_hangs" in text and re.search(r"left behind, ended: \d+ sleep 1000", text), text
    assert re.search(r"^FAILED \S*test_hangs\.py: 2 tests did not end; the first: \S*::test_hangs$", text, re.M), text


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(run, tmp_path, how):
    p = run(hangs=HANGS.format(file=str(tmp_path / "up")))
    deadline = time.monotonic() + 30
    while not (tmp_path / "up").exists():
        assert time.monotonic() < deadline and p.poll() is None
        time.sleep(0.02)
    keepers = Path(f"/proc/{p.pid}/task/{p.pid}/children").read_text().split()
    below = [c for k in keepers for c in Path(f"/proc/{k}/task/{k}/children").read_text().split()]
    assert keepers and below
    p.send_signal(how)
    text = p.communicate(timeout=30)[0]
    assert p.returncode and text.rstrip().split("\n")[-1] == "1 passed, 2 failed", text
    assert not any(map(is_alive, keepers + below)), text


def test_runner_killed(run, tmp_path):
    """kill -9 of the runner: the keepers end what they keep."""
    p = run(hangs=HANGS.format(file=str(tmp_path / "up")))
    deadline = time.monotonic() + 30
    while not (tmp_path / "up").exists():
        assert time.monotonic() < deadline and p.poll() is None
        time.sleep(0.02)
    keepers = Path(f"/proc/{p.pid}/task/{p.pid}/children").read_text().split()
    below = [c for k in keepers for c in Path(f"/proc/{k}/task/{k}/children").read_text().split()]
    p.kill()
    p.wait()
    deadline = time.monotonic() + 20
    while any(map(is_alive, keepers + below)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_clock():
    """--clock: pytest's children see that time, pytest the real one."""
    text = subprocess.run([sys.executable, "-c", """import datetime, os, sys
sys.path.insert(0, 'tests/e2e')
import clock, subprocess
os.environ.update(TANDEM_CLOCK='2028-02-29 12:00:00', TANDEM_TZ='Asia/Tokyo')
clock.set_for_all()
print(subprocess.run(['date', '+%F %H %Z'], capture_output=True, text=True).stdout.strip())
print(abs(clock.now_s() - datetime.datetime.fromisoformat('2028-02-29T12:00:00+09:00').timestamp()) < 60)
"""], cwd=t.TOP, env=clock.real(os.environ), capture_output=True, text=True, timeout=30).stdout
    assert text == "2028-02-29 12 JST\nTrue\n"
