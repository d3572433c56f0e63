"""Commands of the operating system by the commands system, bg_system, spawn, bg_spawn, spawn_stream: off unless allowed."""
import time

import pytest

pytestmark = pytest.mark.leaks
OFF = "-ERR system commands are off (switch.conf: system-commands)\n"


def test_off_and_usage(tandem):
    for name in "system", "bg_system", "spawn", "bg_spawn", "spawn_stream":
        assert tandem.api(name) == "-USAGE: <command>\n"
        assert tandem.api(f"{name} touch {tandem.root}/touched") == OFF
    assert not (tandem.root / "touched").exists()


def test_on(fresh):
    conf = fresh.root / "conf/autoload_configs/switch.conf.xml"
    text = conf.read_text().replace('name="system-commands" value="false"', 'name="system-commands" value="true"')
    conf.write_text(text.replace("<settings>", '<settings><param name="system-command-timeout" value="1"/>'))
    fresh.start()
    assert fresh.api("system echo one; echo two >&2") == "one\ntwo\n"
    assert fresh.api("system exit 3") == "-ERR no reply\n"
    assert fresh.api("system sleep 30") == "-ERR timed out\n"
    assert fresh.api("spawn_stream echo '$HOME;' x") == "$HOME; x\n"
    assert fresh.api("spawn true") == "+OK\n"
    assert fresh.api("spawn /nowhere/nosuch").startswith("-ERR ")
    for name in "bg_system", "bg_spawn":
        assert fresh.api(f"{name} touch {fresh.root}/{name}") == "+OK\n"
        deadline = time.monotonic() + 10
        while not (fresh.root / name).exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    fresh.stop()
