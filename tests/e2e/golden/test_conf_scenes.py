"""The recorded scenes of conferences, played again: see scenes.py."""
import re
import time

import pytest
import scenes
from recordings import GOLDEN, needs_recordings

pytestmark = needs_recordings
REASONS = [
    (r"conf-talk", r"[-+](seconds: #|milliseconds: #|samples: #|Action: (play-file-done|unlock)|File: PATHconf-is-locked\.wav)",
     "the sound of the lock ends before the next command, as long as it is; there some 0.4 s later"),
    (r"conf-talk", r"\+(CUSTOM \[conference::maintenance\] leg=-|Conference-.*|a: b|seconds: #|milliseconds: #|samples: #|Action: play-file-done|File: local_stream://moh|Async: true)",
     "endconf-grace-time: the room lasts so long, and its music begins and ends (docs/differences.md)"),
    (r"conf-(pins|max-members)", r"\+(CUSTOM \[conference::maintenance\] leg=-|Conference-.*|seconds: #|milliseconds: #|samples: #|Action: play-file-done|File: local_stream://moh|Async: true)",
     "the music for one alone begins at once; there a moment later, when the other was there or he had left"),
    (r"conf-max-members", r"-(MESSAGE_WAITING leg=-|MWI-.*|Sofia-Profile: X|Call-ID: CALLID)",
     "a phone that registers, its box empty, is told nothing (docs/differences.md)"),
    (r"conf-(max-members|locked)", r"[-+](Action: (floor-change|play-file-done)|(Old|New)-ID: none|seconds: #|milliseconds: #|samples: #|File: (tone_stream.*|PATHconf-is-unlocked\.wav))",
     "whether a sound ends before the last one leaves: it is as long as it is; there some 0.4 s longer"),
    (r"conf2-commands", r"[-+][-+](ERR \(play\) File: nosuch\.wav not found\.|OK \(play\) Playing file nosuch\.wav)",
     "whether a file is there shows when it is opened, off the loop"),
    (r"conf2-commands", r"[-+][-+](OK Pause|OK seek to position #|OK volume changed|ERR no reply|ERR no file is playing)",
     "nothing plays any more: a file that is not there holds nobody up"),
    (r"conf2-commands", r"[-+](\+OK Record file \S+|Stopped recording file PATH)", "recording start without a file (docs/differences.md)"),
    (r"conf2-dial", r"[-+](\+OK Conference labnew .*|#;sofiaPATH:#;UUID;Outbound Call;.*)",
     "rooms are listed in the order of their making; there as they lie in a hash"),
]


def members(play, room="lab1"):
    return {found[2]: found[1] for found in re.finditer(r"(?m)^(\d+);sofia/internal/(\d+)@", play.sw.api(f"conference {room} list"))}


def ready(play, *users):
    for user in users:
        play.phone(user)


def auto_outcall(play):
    ready(play, "1000", "1001")
    play.call("1000", "9738")
    play.hangup("1000", most=2.5)


def hangup_control(play):
    ready(play, "1001")
    play.call("1001", "9730")
    play.dial("1001", "#", most=1.5)


def locked(play):
    ready(play, "1001", "1002")
    play.call("1001", "9730")
    play.upto(lambda i: not isinstance(i, str) and "Action: lock" in i.lines, 1)
    play.sw.api("conference lab1 lock")
    play.call("1002", "9730", wait=False)
    play.command("conference lab1 unlock", "unlock", most=2)
    play.hangup("1001")


def max_members(play):
    users = ["1000", "1001", "1002", "1003", "1004"]
    ready(play, *users[:4])
    play.listen()
    ready(play, "1004")
    for user in users:
        play.call(user, "9730", wait=user != "1004", most=0.6)
    for user in users[:4]:
        play.hangup(user, most=2)


def member_flags(play):
    ready(play, "1002")
    play.call("1002", "9734")
    play.title("json", most=1)
    play.hangup("1002")


def no_such_profile(play):
    ready(play, "1002")
    play.call("1002", "9736", hz=440)
    play.hangup("1002", most=1.5)


def pins(play):
    ready(play, "1000", "1001")
    play.call("1001", "9732")
    play.dial("1001", "11111#", most=1.5)
    play.dial("1001", "12345#", most=2.5)
    play.title("list", most=1.5)
    play.call("1000", "9732")
    play.dial("1000", "54321#", most=1.5)
    play.title("list", most=1.5)  # both had pressed #, which ends a call, behind a pin that was complete


def wrong_pin(play):
    ready(play, "1001")
    play.call("1001", "9732")
    for _ in range(2):
        play.dial("1001", "99999#", most=2)


def talk(play):
    ready(play, "1000", "1001")
    play.call("1000", "9731")
    play.call("1001", "9730", most=1.5)
    play.title("1001 talks", most=1.2)
    play.phones["1001"].talker.say(1, hz=440)
    play.phones["1001"].talker.hz = 0
    play.title("1000 talks", most=1.5)
    play.phones["1000"].talker.say(1, hz=440)
    play.phones["1000"].talker.hz = 0
    play.title("list", most=1.5)
    who = members(play)
    for title in [i for i in play.recording.items if isinstance(i, str) and i.startswith("conference lab1 ")]:
        play.title(title, most=0.45)
        words = title.replace("/opt/fs-lab/run/tmp", str(play.sw.root))
        play.sw.api(re.sub(r"\b1[67]\b(?!\.)", lambda m: who["1000" if m[0] == "16" else "1001"], words))
    for digit in "00**987321654":
        play.dial("1001", digit, most=0.6)
    play.title("kick", most=0.6)
    play.sw.api(f"conference lab1 kick {who['1001']}")
    play.call("1001", "9730", most=1.5)
    play.hangup("1000", most=1.2)
    play.heard.wait(lambda events: sum("Action: conference-destroy" in e.lines for e in events) >= 1, 6)


def joined(play):
    """1000 (moderator, endconf) and 1001 in lab1, each once the other is there."""
    ready(play, "1000", "1001")
    for count, (user, number) in enumerate((("1000", "9731"), ("1001", "9730")), 1):
        play.phones[user].call(number)
        wait(lambda: len(members(play)) == count and "floor" in play.sw.api("conference lab1 list"))


def wait(is_so, seconds=5):
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)


def lists(play):
    ready(play, "1002")
    joined(play)
    play.phones["1002"].call("9734")
    wait(lambda: "floor" in play.sw.api("conference lab3 list"))
    play.ask("conf2-lists")


def commands(play):
    joined(play)
    who = members(play)
    assert (who["1000"], who["1001"]) == ("1", "2"), "the recording's numbers: a room's first members on a new switch"
    play.ask("conf2-commands", (r"/opt/fs-lab/run/tmp", str(play.sw.root)), before=lambda command: time.sleep(0.05))


def dial(play):
    ready(play, "1001", "1002", "1003")
    play.phones["1001"].call("9730")
    wait(lambda: members(play))
    asked = []

    def before(command):
        asked.append(command)
        if command == "conference lab1 dial user/1003" and asked.count(command) == 2:
            play.phones["1003"].answer = 486
        if command == "conference lab1 bgdial":
            play.phones["1003"].answer = 200
        if asked[-2:-1] == ["conference lab1 bgdial user/1002 5552222 BgName"]:
            wait(lambda: "1002" in members(play))
        if asked[-2:-1] in (["conference lab1 transfer labother all"], ["conference list"]):
            time.sleep(0.5)

    play.ask("conf2-dial", before=before)


def member_dump(play):
    ready(play, "1001")
    play.phones["1001"].call("9731")
    wait(lambda: members(play))
    uuid = play.sw.api("conference lab1 list").split(";")[2]
    play.ask("conf2-member-uuid_dump", (r"(?<=uuid_dump )\S+", uuid))


REPLIES = {"conf2-commands": commands, "conf2-lists": lists, "conf2-dial": dial, "conf2-member-uuid_dump": member_dump}
SCENES = {"conf-talk": talk, "conf-wrong-pin": wrong_pin, "conf-pins": pins, "conf-max-members": max_members, "conf-locked": locked,
          "conf-auto-outcall": auto_outcall, "conf-hangup-control": hangup_control, "conf-member-flags": member_flags,
          "conf-no-such-profile": no_such_profile}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    assert {p.stem for p in GOLDEN.glob("order/conf-*.txt")} == set(SCENES)
    return scenes.play_all(tmp_path_factory.mktemp("conf"), REPLIES | SCENES)


@pytest.mark.parametrize("scene", SCENES | REPLIES)
def test_scene(results, scene):
    scenes.check(results, scene, REASONS)


def test_enough_is_equal(results):
    scenes.check_all(results, REASONS)
