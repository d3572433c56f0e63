"""One lab of the recordings (../shared/golden/rec): the configuration they were made on, a switch on it, and some scenes played. Runs in
a network namespace of its own, as the ports are those of the recording.
    callcenter_lab.py LAB RECORDER BINARY GROUP WORD..."""
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import clock  # noqa: E402

lab, recorder, binary, group, words = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:]
env = dict(clock.real(os.environ), LAB=lab)
os.makedirs(lab)
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run([sys.executable, f"{recorder}/make_lab.py"], env=env, check=True, stdout=subprocess.DEVNULL)
# the stock dialplan does more on weekdays from 9 to 18; the recording is of a Thursday
then = dict(env, SWITCH_BIN=binary, **clock.environment("2026-11-26 11:16:41", "UTC", env))
switch = subprocess.Popen([f"{lab}/run/start.sh"], env=then)
try:
    deadline, log = time.monotonic() + 20, Path(f"{lab}/run/stdout")
    while not log.exists() or "is ready" not in log.read_text():
        assert time.monotonic() < deadline and switch.poll() is None, "the switch does not start"
        time.sleep(0.05)
    subprocess.run([sys.executable, f"{recorder}/compare.py", "-v", group, *words], env=env, check=True)
finally:
    switch.terminate()
    switch.wait(20)
