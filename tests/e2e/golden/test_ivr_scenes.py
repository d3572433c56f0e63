"""The recorded scenes of menus, `play_and_get_digits` and `read`, played again: see scenes.py. Each recording says itself what was done."""
import re

import pytest
import scenes
from recordings import GOLDEN, needs_recordings

pytestmark = needs_recordings
REASONS = []
# the longest first
SCENES = ["ivr-demo-main", "ivr-submenu-timeouts", "ivr-submenus", "ivr-no-input", "ivr-exec-play-exit", "ivr-pin-wrong", "ivr-pagd-invalid",
          "ivr-pagd-timeout", "ivr-invalid-input", "ivr-pagd-too-few", "ivr-max-timeouts-exec", "ivr-pagd-transfer", "ivr-pin-ok",
          "ivr-four-digits", "ivr-read-too-few", "ivr-read-timeout", "ivr-exec-unknown-app", "ivr-pagd-valid", "ivr-pagd-max",
          "ivr-read-terminator", "ivr-no-such-menu"]


def as_titled(play):
    play.phone("1000")
    for title in [i for i in play.recording.items if isinstance(i, str)]:
        what = re.match(r"1000 calls (\d+)|dial (\S+)|(caller hangs up)", title)
        if what.group(1):
            play.call("1000", what.group(1))
        elif what.group(2):
            play.dial("1000", what.group(2), most=4)
        else:
            play.hangup("1000", most=1)


def read_variables(play):
    """The applications on a parked call, and the variables that they leave."""
    phone = play.phone("1000")
    text = (GOLDEN / "api/read-variables.txt").read_text()
    for app, data, digits, lines in re.findall(r"^# (\w+)\((.*)\), dialled '(.*)'\n((?:variable_.*\n)*)", text, re.M):
        phone.call("9702")
        uuid = play.sw.api("show channels").split("\n")[1].split(",")[0]
        esl = play.sw.esl()
        esl.subscribe("CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE PLAYBACK_STOP")
        esl.command(f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: {app}\nexecute-app-arg: {data}")
        if digits:
            esl.wait_event("PLAYBACK_STOP")
            phone.talker.press(digits, ms=120)
        esl.wait_event("CHANNEL_EXECUTE_COMPLETE", Application=app)
        esl.close()
        names = re.findall(r"^(variable_\w+)", lines, re.M)
        got = [x for x in play.sw.api(f"uuid_dump {uuid}").split("\n") if x.split(":")[0] in names]
        play.replies.append(("read-variables", f"uuid_dump after {app} {data} {digits}", lines, "\n".join(got)))
        phone.hangup()
        play.sw.wait_calls(0)


REPLIES = {"read-variables": read_variables}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    assert {p.stem for p in GOLDEN.glob("order/ivr-*.txt")} == set(SCENES)
    return scenes.play_all(tmp_path_factory.mktemp("ivr"), dict.fromkeys(SCENES[:1], as_titled) | REPLIES | dict.fromkeys(SCENES[1:], as_titled))


@pytest.mark.parametrize("scene", SCENES + list(REPLIES))
def test_scene(results, scene):
    scenes.check(results, scene, REASONS)


def test_enough_is_equal(results):
    scenes.check_all(results, REASONS)
