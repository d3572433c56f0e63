"""Real phones watch: baresip the presence of its contacts and its mailbox; linphone its friends."""
import shutil

import pytest
from phones import Baresip, Linphone
from watch import pidf, publish


def shown(p):
    """What baresip's list of contacts says of the first one."""
    e = p.ask("contacts")
    return "Online" if "Online" in e["data"] else "Offline" if "Offline" in e["data"] else "Unknown"


@pytest.mark.skipif(not shutil.which("baresip"), reason="baresip is not here")
def test_baresip(sw, phone, tmp_path):
    b = phone("1001")
    esl = sw.esl()
    p = Baresip(tmp_path, sw, "1002", watches=["1001"])
    try:
        until_shown(sw, p, "Online")
        publish(b, pidf("closed"))
        until_shown(sw, p, "Offline")
        esl.command("sendevent MESSAGE_WAITING\nMWI-Messages-Waiting: yes\nMWI-Message-Account: 1002@127.0.0.1\nMWI-Voice-Message: 2/1")
        for _ in range(100):
            if "Voice-Message: 2/1" in p.text():
                break
            sw.api("msleep 50")
        assert "Voice-Message: 2/1" in p.text()
    finally:
        p.close()
        esl.close()


def until_shown(sw, p, what):
    """baresip tells nobody when it has taken a NOTIFY; it is asked again."""
    for _ in range(600):
        if shown(p) == what:
            return
        sw.api("msleep 50")
    raise AssertionError(f"baresip does not show {what}")


@pytest.mark.skipif(not shutil.which("linphonec"), reason="linphone is not here")
def test_linphone(sw, phone, tmp_path):
    b = phone("1003")
    p = Linphone(tmp_path, sw, "1004", watches=["1003"])
    try:
        p.wait("Friend .* is Online")
        publish(b, pidf("closed"))
        p.wait("Friend .* is Offline")
        sw.api("presence in 1003@127.0.0.1 unknown Available")
        p.wait("Friend .* is Online")
    finally:
        p.close()
