"""The recorded scenes of voicemail, played again: see scenes.py."""
import sqlite3

import pytest
import lab
import scenes
from recordings import GOLDEN, needs_recordings

pytestmark = needs_recordings
REASONS = [
    (r"vm-(check-messages|vmain-4000|leave-operator-key)", r"-(CUSTOM \[filestring::(open|close)\] leg=-|File: .*)",
     "a row of files that is broken off: its parts are told when it has ended"),
    (r"vm-(leave|config|no-answer).*", r"[-+](Record-File-Path|PLAYBACK_ST(ART|OP) leg=#):? PATH.*(msg_UUID|greeting_#|recorded_name)\.wav.*",
     "while it is recorded a message has a hidden name (docs/differences.md)"),
    (r"vm-leave-.*", r"\+record_completion_cause: .*", "told here, too"),
    (r"vm-leave-.*", r"-(record_record_file_size: X|sound_prefix: PATH)", "variables by which the recorded program keeps what happens within"),
    (r"vm-leave-message", r"-RECORD_.*", "tags of a file that is played do not become variables"),
    (r"vm-leave-with-greeting", r"[-+]Hangup-Cause: NORMAL_CLEARING", "its place among the headers"),
    (r"vm-leave-operator-key", r"[-+]CHANNEL_CALLSTATE leg=# CS_EXECUTE ACTIVE", "a call is active before the other leg is told of"),
    (r"vm-config-menu", r"-(key: id|user: #|domain: #|ip: #)", "parameters of the recorded program for a look-up outside; here there is none"),
    (r"vm-no-answer-before", r"[-+]CHANNEL_EXECUTE leg=# voicemail\(default # #\)", "the application makes the early media itself"),
    (r"vm-commands", r"-\+OK|\+Error: \[group=.*", "a file that is not there is told"),
]
BOX = "1005@127.0.0.1"
TALK = 440


def box(play, new=0, saved=0, is_urgent=False, greeting=None, time=None):
    """The mailbox as the scene found it: so many messages (the first is urgent), and a greeting."""
    sw = play.sw
    sw.api(f"vm_delete {BOX}")
    for _ in range(saved + new):
        assert sw.api(f"voicemail_inject {BOX} {sw.root}/sounds/long.wav 1000 'Extension 1000'").startswith("+OK")
    messages = [line.split(":")[6] for line in sw.api(f"vm_list {BOX}").split("\n") if line.count(":") > 8]
    assert len(messages) == saved + new
    for message in messages[:saved]:
        sw.api(f"vm_read {BOX} read {message}")
    sw.api("unload mod_voicemail")
    with sqlite3.connect(sw.root / "db/voicemail_default.db") as db:
        if is_urgent:
            db.execute("UPDATE voicemail_msgs SET read_flags='A_URGENT' WHERE uuid=?", [messages[0]])
        if time:  # of the day
            db.execute("UPDATE voicemail_msgs SET created_epoch=strftime('%s', ?)", [f"{lab.NOW['now'][:10]} {time}"])
        db.execute("DELETE FROM voicemail_prefs")
        path = sw.root / "storage/voicemail/default/127.0.0.1/1005/greeting_1.wav"
        path.unlink(missing_ok=True)
        if greeting:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((sw.root / "sounds/long.wav").read_bytes())
            db.execute("INSERT INTO voicemail_prefs (username, domain, greeting_path) VALUES ('1005', '127.0.0.1', ?)", [str(path)])
    db.close()
    assert sw.api("load mod_voicemail").startswith("+OK")


def leave(play):
    play.phone("1000")
    box(play, new=0)
    play.call("1000", "9775", hz=TALK)
    play.dial("1000", "#", most=6)
    for digit in "12#":
        play.dial("1000", digit, most=2)


def leave_urgent(play):
    play.phone("1000")
    box(play, new=1)
    play.call("1000", "9775", hz=TALK)
    play.dial("1000", "#", most=6)
    for digit in "2*":
        play.dial("1000", digit, most=1)


def leave_short(play):
    play.phone("1000")
    box(play)
    play.call("1000", "9775", hz=TALK)
    play.dial("1000", "#", most=1.5)
    play.hangup("1000", most=3)


def early(play):
    play.phone("1000")
    play.call("1000", "97750", hz=TALK, wait=False)


def operator(play):
    for user in ("1000", "1001"):
        play.phone(user)
    play.call("1000", "9775")
    play.dial("1000", "9", most=1)
    play.hangup("1000", most=3)


def no_box(play):
    play.phone("1000")
    play.call("1000", "9779")


def check(play):
    play.phone("1000")
    box(play, new=3, is_urgent=True)
    play.call("1000", "9776")
    for digits in ("1005#", "1", "2", "7", "0", "2", "0", "#"):
        play.dial("1000", digits, most=2)


def check_two(play):
    play.phone("1000")
    play.listen()
    play.sw.api(f"vm_delete {BOX}")
    for who in ("5551234 Bob", "5551235 Carol"):
        play.sw.api(f"voicemail_inject {BOX} {play.sw.root}/sounds/tone.wav {who}")
    play.call("1000", "9776")
    for digits in ("1005#", "2", "7", "1", "2", "7", "#"):
        play.dial("1000", digits, most=2)


def config(play):
    play.phone("1000")
    box(play, saved=2, is_urgent=True)
    play.call("1000", "9776", hz=TALK)
    for digits in ("1005#", "5", "1", "1", "#", "2", "2", "1", "2", "9", "3", "#", "2", "6", "1005#", "0", "#"):
        play.dial("1000", digits, most=5 if digits == "#" else 2)


def greeted(play):
    play.phone("1000")
    box(play, saved=2, is_urgent=True, greeting=1)
    play.call("1000", "9775", hz=TALK)
    play.dial("1000", "#", most=3)
    play.hangup("1000", most=5)


def wrong_password(play):
    play.phone("1000")
    play.call("1000", "9776")
    for _ in range(3):
        play.dial("1000", "9999#", most=2)


def vmain(play):
    play.phone("1000")
    box(play, new=1, saved=2, is_urgent=True, time="10:30:00")
    play.call("1000", "4000")
    play.dial("1000", "1005#", most=3)
    play.dial("1000", "1005#", most=3)
    play.hangup("1000", most=4)


def mwi(play):
    phone = play.phone("1005")
    box(play, new=3, saved=2, is_urgent=True)
    play.listen()
    phone.subscribe("message-summary")
    play.sw.api(f"voicemail_inject {BOX} {play.sw.root}/sounds/long.wav 5551234 Bob")
    play.command(f"vm_read {BOX} read", "vm_read")
    play.command(f"vm_delete {BOX}", "vm_delete")


def commands(play):
    """The commands with the uuids of the messages, as they stood in the recording's first list."""
    sw = play.sw
    box(play, greeting=1)
    for who in (" 5551234 Bob", " 5551235 Carol", ""):
        assert sw.api(f"voicemail_inject {BOX} {sw.root}/sounds/long.wav{who}").startswith("+OK")
    there, here = ([line.split(":")[6] for line in text.split("\n") if line.count(":") > 8]
                   for text in (scenes.replies("vm-commands-2")[0][1], sw.api(f"vm_list {BOX}")))
    play.ask("vm-commands-2", ("/opt/fs-lab/long.wav", f"{sw.root}/sounds/long.wav"), *zip(there, here))


def commands_of_files(play):
    """The commands with the uuids of the files' names, which are no message's: answered, and nothing is done."""
    box(play, new=1, saved=2, is_urgent=True, greeting=1)
    play.ask("vm-commands", ("/opt/fs-lab/run/tmp/in.wav", f"{play.sw.root}/sounds/long.wav"))


REPLIES = {"vm-commands-2": commands, "vm-commands": commands_of_files}
SCENES = {"vm-check-two-new": check_two, "vm-check-messages": check, "vm-config-menu": config, "vm-leave-message": leave,
          "vm-leave-urgent": leave_urgent, "vm-wrong-password": wrong_password, "vm-no-answer-before": early, "vm-vmain-4000": vmain,
          "vm-leave-with-greeting": greeted, "vm-leave-too-short": leave_short, "vm-leave-operator-key": operator, "vm-mwi": mwi,
          "vm-no-such-box": no_box}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    assert {p.stem for p in GOLDEN.glob("order/vm-*.txt")} == set(SCENES)
    return scenes.play_all(tmp_path_factory.mktemp("vm"), SCENES | REPLIES, may_be_slow=True)


@pytest.mark.parametrize("scene", SCENES | REPLIES)
def test_scene(results, scene):
    scenes.check(results, scene, REASONS)


def test_enough_is_equal(results):
    scenes.check_all(results, REASONS)
