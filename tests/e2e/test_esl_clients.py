"""Real clients drive Tandem over its event socket: modesl and esl from npm, inbound and outbound, and one in Perl written by the
documented wire format alone. Each connects, originates to a registered phone, plays, hangs up."""
import json
import math
import shutil
import struct
import subprocess
import sys
import wave
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "golden"))
import tandem as t  # noqa: E402
from ua import Ua  # noqa: E402

HERE = Path(__file__).parent


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1), w.setsampwidth(2), w.setframerate(8000)
        w.writeframes(b"".join(struct.pack("<h", int(8000 * math.sin(2 * math.pi * 440 * i / 8000))) for i in range(4000)))
    return path


def test_modesl(tandem, modules, sound):
    phone = Ua(tandem, "1000").register()
    try:
        shutil.copy(HERE / "esl_modesl.js", modules)
        got = subprocess.run(["node", "esl_modesl.js", str(tandem.esl_port), tandem.esl_password, "1000", str(sound)], cwd=modules,
                             capture_output=True, text=True, timeout=40)
        assert got.returncode == 0, got.stderr
        result = json.loads(got.stdout.strip().split("\n")[-1])
        assert "error" not in result, result
        assert phone.up.is_set() and phone.down.wait(5)
        assert "is ready" in result["status"]
        names = [n for n, _, uuid in result["events"] if uuid == result["uuid"]]
        for name in ("CHANNEL_CREATE", "CHANNEL_ANSWER", "PLAYBACK_START", "PLAYBACK_STOP", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE"):
            assert name in names, (name, result["events"])
        assert names.index("CHANNEL_CREATE") < names.index("CHANNEL_ANSWER") < names.index("PLAYBACK_START") < names.index("PLAYBACK_STOP")
        assert ["CHANNEL_EXECUTE", "playback", result["uuid"]] in result["events"]
        assert result["cause"] == "NORMAL_CLEARING"
        tandem.wait_calls(0)
    finally:
        phone.close()


def test_modesl_server(tandem, modules):
    """modesl's server holds a call that the application `socket` gave it."""
    port = t.free_port()
    phone = Ua(tandem, "1000").register()
    shutil.copy(HERE / "esl_modesl_server.js", modules)
    node = subprocess.Popen(["node", "esl_modesl_server.js", str(port)], cwd=modules, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert node.stdout.readline() == "ready\n"
        uuid = tandem.api(f"originate user/1000 '&socket(127.0.0.1:{port} async full)'")[4:].strip()
        out, err = node.communicate(timeout=40)
        result = json.loads(out.strip().split("\n")[-1])
        assert "error" not in result, (result, err)
        assert result["info"] == uuid and result["response"] == "FILE PLAYED"
        assert "CHANNEL_EXECUTE" in result["events"] and "CHANNEL_HANGUP" in result["events"]
        assert phone.down.wait(5)
        tandem.wait_calls(0)
    finally:
        node.kill()
        phone.close()


def test_esl(tandem, modules, sound):
    phone = Ua(tandem, "1000").register()
    try:
        shutil.copy(HERE / "esl_client.mjs", modules)
        got = subprocess.run(["node", "esl_client.mjs", str(tandem.esl_port), tandem.esl_password, "1000", str(sound)], cwd=modules,
                             capture_output=True, text=True, timeout=40)
        result = json.loads(got.stdout.strip().split("\n")[-1])
        assert "error" not in result, (result, got.stderr)
        assert phone.up.is_set() and phone.down.wait(5)
        assert "is ready" in str(result["status"])
        assert (result["response"], result["digit"], result["cause"]) == ("FILE PLAYED", "7", "USER_BUSY"), result
        names = [n for n, _, uuid in result["events"] if uuid == result["uuid"]]
        order = [names.index(n) for n in ("CHANNEL_CREATE", "CHANNEL_ANSWER", "PLAYBACK_START", "PLAYBACK_STOP", "DTMF", "CHANNEL_HANGUP")]
        assert order == sorted(order), names
        tandem.wait_calls(0)
    finally:
        phone.close()


def test_esl_server(tandem, modules):
    port = t.free_port()
    phone = Ua(tandem, "1000").register()
    shutil.copy(HERE / "esl_server.mjs", modules)
    node = subprocess.Popen(["node", "esl_server.mjs", str(port)], cwd=modules, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert node.stdout.readline() == "ready\n"
        uuid = tandem.api(f"originate user/1000 '&socket(127.0.0.1:{port} async full)'")[4:].strip()
        out, err = node.communicate(timeout=40)
        result = json.loads(out.strip().split("\n")[-1])
        assert "error" not in result, (result, err)
        assert (result["uuid"], result["response"], result["cause"]) == (uuid, "FILE PLAYED", "USER_BUSY"), result
        assert "1" in str(result["exists"])
        assert phone.down.wait(5)
        tandem.wait_calls(0)
    finally:
        node.kill()
        phone.close()


def test_perl(tandem):
    phone = Ua(tandem, "1000").register()
    try:
        got = subprocess.run(["perl", HERE / "esl_client.pl", str(tandem.esl_port), tandem.esl_password, "1000"], capture_output=True,
                             text=True, timeout=40)
        assert got.returncode == 0, (got.stdout, got.stderr)
        told = dict(line.split(" ", 1) for line in got.stdout.strip().split("\n"))
        assert told == {"auth": "+OK accepted", "event": "+OK event listener enabled plain", "api": tandem.api("version short").strip(),
                        "missing": "-ERR nosuch Command not found!", "job": "perl-1", "sendevent": "ok", "custom": "a b%", "execute": "+OK",
                        "dtmf": "5", "hangup": "+OK", "cause": "CALL_REJECTED", "exit": "+OK bye", "notice": "text/disconnect-notice",
                        "end": "closed"}
        assert phone.down.wait(5)
        tandem.wait_calls(0)
    finally:
        phone.close()
