"""Mailboxes: what a caller hears and leaves, what its owner hears and does, what stands on the disk and in the database, who is told. Prompts
are tones, one frequency each, so that what is heard is known."""
import json
import os
import re
import shutil
import sqlite3
import time

import numpy as np
import pytest
import tandem as t
from calls import call, ended, extension, talks, write_extensions
from http_client import Door
from phones import write_tone
from stall import Gate
from talk import amplitude
from test_full_disk import Disk
from wire import Phone
from watch import subscribe

pytestmark = pytest.mark.leaks
PROMPTS = {name: 500 + 45 * i for i, name in enumerate(
    "person not_available record_message listen_to_recording press save_recording rerecord message saved mark-urgent continue marked-urgent "
    "goodbye enter_id enter_pass fail_auth abort you_have new urgent-new messages message_number listen_new listen_saved advanced to_exit "
    "delete_recording return_call to_forward deleted too-small mailbox_full to_record_greeting choose_greeting record_name2 change_password "
    "main_menu record_greeting choose_greeting_choose choose_greeting_fail greeting selected password_has_been_changed forward_add_intro "
    "send_message_now forward_enter_ext followed_by that_was_an_invalid_ext emailed record_name1 forward_to_email".split())}
VOICE, INJECTED, OWN = 440, 3050, 3200  # Hz: who leaves a message; a file put into a box; its owner
BOX = "7001"  # leaves for 1001; 7101 hears 1001's


def prompts(sw):
    sounds = sw.root / "prompts"
    path = sw.root / "conf/vars.xml"
    text = re.sub(r"sound_prefix=[^\"]*", f"sound_prefix={sounds}", path.read_text())
    assert str(sounds) in text
    path.write_text(text)
    for path in (sw.root / "conf/lang/en/vm").glob("*.xml"):  # no pauses
        path.write_text(path.read_text().replace('<macro name="voicemail_', '<macro pause="1" name="voicemail_').replace("sleep(100)", "sleep(10)"))
    for name, hz in PROMPTS.items():
        path = sounds / f"voicemail/8000/vm-{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_tone(path, hz, 0.16)
    for name in [f"digits/{i}" for i in (*range(21), 30, 40, 50)] + [f"ascii/{i}" for i in range(32, 127)] + \
            [f"phonetic-ascii/{i}" for i in range(32, 127)] + ["time/today", "time/at", "time/a-m", "time/p-m", "time/yesterday", "digits/oh"]:
        path = sounds / f"{name.split('/')[0]}/8000/{name.split('/')[1]}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_tone(path, 3400, 0.04)


def param(sw, user, *pairs):
    """The directory's user gets parameters."""
    path = sw.root / "conf/directory/default.xml"
    text = path.read_text()
    xml = "".join(f'<param name="{k}" value="{v}"/>' for k, v in pairs)
    new = re.sub(rf'(<user id="{user}">\s*<params>)', rf"\1{xml}", text)
    assert new != text
    path.write_text(new)


def prepare(sw, settings=""):
    prompts(sw)
    for n in range(1000, 1010):
        param(sw, n, ("vm-password", n))
    path = sw.root / "conf/autoload_configs/voicemail.conf.xml"
    path.write_text(path.read_text().replace("<email>", '<param name="tone-spec" value="%(60, 0, 640)"/><param name="min-record-len" value="1"/>'
                                             '<param name="record-silence-hits" value="0"/><param name="operator-key" value="9"/>'
                                             '<param name="operator-extension" value="7999 XML default"/>' + settings + "<email>", 1))
    d = "$${domain}"
    write_extensions(sw, [extension("70(0[0-9])", "answer", f"voicemail default {d} 10$1", "hangup"),
                          extension("71(0[0-9])", "answer", f"voicemail check default {d} 10$1", "hangup"),
                          extension("7200", "answer", f"voicemail check default {d}", "hangup"),
                          extension("7201", "answer", "set skip_greeting=true", "set skip_instructions=true", f"voicemail default {d} 1003", "hangup"),
                          extension("7202", f"voicemail default {d} ${{sip_h_X-Box}}", "hangup"),
                          extension("7203", "answer", f"voicemail auth_only default {d} 1001", "set in=yes", "park"),
                          extension("7204", "answer", "set skip_greeting=true", "set skip_instructions=true",
                                    "set vm_cc=1006,${sip_h_X-Copy},${sip_h_X-Group},do${sip_h_X-Rest}", f"voicemail default {d} 1003", "hangup"),
                          extension("7205", f"set x=${{vm_fsdb_msg_forward(default {d} 1003 ${{sip_h_X-Message}} {d} ${{sip_h_X-Group}})}}", "answer", "park"),
                          extension("7999", "answer", "park")])


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("vm") / "instance")
    prepare(s)
    s.start()
    yield s
    s.stop()


class Caller:
    def __init__(self, sw, user="1000", hz=VOICE, number=None, extra=""):
        self.sw, self.phone = sw, Phone(sw, user)
        self.phone.hz, self.phone.talk, self.at = hz, None, 0
        self.esl = sw.esl()
        self.esl.command("event plain DTMF RECORD_START RECORD_STOP CHANNEL_PARK PLAYBACK_START MESSAGE_WAITING CUSTOM vm::maintenance")
        if number:
            self.phone.invite(number, extra=extra)
            self.phone.answered()
            talks(self.phone)

    def hears(self, *names, timeout=15):
        """The prompts, each after the one before."""
        for n in names:
            self._finds(n, PROMPTS[n] if n in PROMPTS else n, time.monotonic() + timeout)

    def _finds(self, name, hz, deadline):
        """From where the last one was found: 100 ms of it."""
        talk = self.phone.talk
        while True:
            if talk.mark() < self.at + 5:
                assert time.monotonic() < deadline, f"{self.phone.user}: {name} ({hz} Hz) is not heard"
                talk.say(0.02)
                continue
            with talk.lock:
                x = np.concatenate([s for _, _, s in talk.got[self.at:self.at + 5]])
            self.at += 1
            if amplitude(x, hz) > 2500:
                self.at += 4
                return

    def press(self, keys):
        self.phone.talk.press(keys)

    def does(self, action, **match):
        return self.esl.wait_event("CUSTOM", **{"VM-Action": action}, **match)

    def leaves(self, keys="#2#", seconds=1.4):
        """Talks so long once the tone has come, then presses."""
        self.esl.wait_event("RECORD_START")
        self.phone.talk.say(seconds)
        self.press(keys[0])
        self.esl.wait_event("RECORD_STOP")
        for k in keys[1:]:
            self.hears("save_recording" if k == keys[1] else "mark-urgent")
            self.press(k)
        return self.does("leave-message")

    def bye(self):
        self.phone.bye()
        self.close()

    def ends(self):
        ended(self.phone, 20)
        self.close()

    def close(self):
        if self.phone.talk:
            self.phone.talk.stop()
        self.esl.close()
        self.phone.close()


def rows(sw, user, columns="uuid,cid_name,cid_number,file_path,message_len,flags,read_flags,read_epoch"):
    db = sqlite3.connect(f"file:{sw.root}/db/voicemail_default.db?mode=ro", uri=True)
    try:
        return db.execute(f"select {columns} from voicemail_msgs where username=? order by created_epoch,rowid", (user,)).fetchall()
    finally:
        db.close()


def box_dir(sw, user):
    return sw.root / f"storage/voicemail/default/127.0.0.1/{user}"


def inject(sw, user, hz=INJECTED, seconds=2, cid="5551234 Bob"):
    path = sw.root / f"in-{hz}.wav"
    write_tone(path, hz, seconds)
    assert sw.api(f"voicemail_inject {user}@127.0.0.1 {path} {cid}").strip() == "+OK"


def test_leave_and_hear(sw):
    c = Caller(sw, number=BOX)
    c.hears("person", "not_available", "record_message")
    e = c.leaves()
    assert e["VM-User"] == "1001" and e["VM-Flags"] == "B_NORMAL" and e["VM-Caller-ID-Number"] == "1000"
    waiting = c.esl.wait_event("MESSAGE_WAITING")
    assert (waiting["MWI-Message-Account"], waiting["MWI-Voice-Message"], waiting["Update-Reason"]) == ("1001@127.0.0.1", "1/0", "NEW")
    c.hears("goodbye")
    c.ends()
    (row,) = rows(sw, "1001")
    assert row[1:3] == ("Extension 1000", "1000") and row[4] >= 1 and row[6] == "B_NORMAL" and row[7] == 0
    assert t.Path(row[3]) == box_dir(sw, "1001") / t.Path(row[3]).name and t.Path(row[3]).exists()
    assert sw.api("vm_boxcount 1001@127.0.0.1|all") == "1:0:0:0"
    o = Caller(sw, "1001", hz=0, number="7101")
    o.hears("enter_pass")
    o.press("1001#")
    assert o.does("authentication")["VM-Auth-Result"] == "success"
    assert o.does("folder-summary")["VM-Total-New-Messages"] == "1"
    o.hears("you_have", "new", "message_number", VOICE, "listen_to_recording")
    o.press("2")
    o.hears("saved", "you_have")
    assert o.does("mwi-update")["VM-Total-Saved"] == "1"
    o.hears("listen_new")
    o.press("2")
    o.hears("message_number", VOICE)
    o.press("7")
    o.hears("deleted")
    assert o.does("mwi-update")["VM-Total-Saved"] == "0"
    assert rows(sw, "1001") == [] and not t.Path(row[3]).exists()
    o.hears("listen_new")
    o.press("#")
    o.hears("goodbye")
    o.ends()


def test_urgent_comes_first_and_is_undeleted(sw):
    inject(sw, "1002")
    c = Caller(sw, number="7002")
    c.hears("person")
    c.press("#")
    assert c.leaves("#2*")["VM-Flags"] == "A_URGENT"
    c.hears("marked-urgent", "goodbye")
    c.ends()
    o = Caller(sw, "1001", hz=0, number="7102")
    o.hears("enter_pass")
    o.press("1002#")
    o.hears("urgent-new", VOICE, "delete_recording")
    o.press("7")
    o.hears("deleted", INJECTED)
    o.press("1")  # back to the one that was deleted
    o.hears(VOICE, "delete_recording")
    o.press("8")
    o.hears("saved", VOICE)
    o.press("#")
    assert o.does("mwi-update")["VM-Total-Saved-Urgent"] == "1"
    o.bye()
    assert [r[5] for r in rows(sw, "1002")] == ["", "save"]
    assert sw.api("vm_delete 1002@127.0.0.1").strip() == "+OK"


def test_hang_up_while_talking(sw):
    """Long enough: it is listed. Too short: nothing is, and no file is left."""
    c = Caller(sw, number="7003")
    c.hears("record_message")
    c.esl.wait_event("RECORD_START")
    c.phone.talk.say(1.4)
    c.phone.bye()
    c.does("leave-message")
    c.close()
    (row,) = rows(sw, "1003")
    assert [p.name for p in box_dir(sw, "1003").iterdir()] == [t.Path(row[3]).name]
    sw.wait_calls(0)
    sw.api("vm_delete 1003@127.0.0.1")
    c = Caller(sw, number="7201")
    c.esl.wait_event("RECORD_START")
    c.phone.talk.say(0.2)
    assert [p.name[:5] for p in box_dir(sw, "1003").iterdir()] == [".msg_"]
    c.phone.bye()
    c.esl.wait_event("RECORD_STOP")
    c.close()
    sw.wait_calls(0)
    assert rows(sw, "1003") == [] and list(box_dir(sw, "1003").iterdir()) == []


def test_review_and_operator(sw):
    c = Caller(sw, number="7004")
    c.hears("person")
    c.press("#")
    c.esl.wait_event("RECORD_START")
    c.phone.talk.say(0.3)
    c.press("#")
    c.hears("too-small", "record_message")
    c.esl.wait_event("RECORD_START")
    c.phone.talk.say(1.3)
    c.press("#")
    c.hears("listen_to_recording")
    c.press("1")
    c.hears(VOICE, "listen_to_recording")
    c.press("3")
    c.hears("record_message")
    c.esl.wait_event("RECORD_START")
    c.phone.talk.say(1.3)
    c.press("9")  # the operator, with the message left
    c.does("leave-message")
    assert c.esl.wait_event("CHANNEL_PARK")["Caller-Destination-Number"] == "7999"
    c.bye()
    c = Caller(sw, number="7004")
    c.hears("person")
    c.press("9")
    assert c.esl.wait_event("CHANNEL_PARK")["Caller-Destination-Number"] == "7999"
    c.bye()
    assert len(rows(sw, "1004")) == 1


def test_greetings_name_password(sw):
    o = Caller(sw, "1005", hz=OWN, number="7105")
    o.hears("enter_pass")
    o.press("1005#")
    o.hears("you_have", "listen_new")
    o.press("5")
    o.hears("to_record_greeting")
    o.press("1")
    o.hears("choose_greeting_choose")
    o.press("3")
    o.esl.wait_event("RECORD_START")
    o.phone.talk.say(1.2)
    o.press("#")
    o.hears("save_recording")
    o.press("2")
    path = o.does("record-greeting")["VM-Greeting-Path"]
    assert path == str(box_dir(sw, "1005") / "greeting_3.wav") == sw.api("vm_prefs 1005@127.0.0.1")
    o.press("2")
    o.hears("choose_greeting_choose")
    o.press("8")
    o.hears("choose_greeting_fail")
    o.press("6")
    o.hears("enter_pass")
    o.press("4321#")
    o.does("change-password")
    o.press("0#")
    o.ends()
    assert sw.api("vm_fsdb_auth_login default 127.0.0.1 1005 4321") == "-OK"
    assert sw.api("vm_fsdb_auth_login default 127.0.0.1 1005 4322") == "-ERR"
    c = Caller(sw, number="7005")
    c.hears(OWN)
    c.bye()


def test_forward_with_introduction(sw):
    inject(sw, "1006")
    o = Caller(sw, "1005", hz=OWN, number="7106")
    o.hears("enter_pass")
    o.press("1006#")
    o.hears(INJECTED, "to_forward")
    o.press("8")
    o.hears("forward_add_intro")
    o.press("1")
    o.esl.wait_event("RECORD_START")
    o.phone.talk.say(1.2)
    o.press("#")
    o.hears("save_recording")
    o.press("2")
    o.hears("forward_enter_ext")
    o.press("8888#")
    o.hears("that_was_an_invalid_ext", "forward_enter_ext")
    o.press("1007#")
    o.does("leave-message", **{"VM-User": "1007"})
    o.hears("saved")
    o.bye()
    o = Caller(sw, "1007", hz=0, number="7107")
    o.hears("enter_pass")
    o.press("1007#")
    o.hears(OWN, INJECTED)
    o.bye()
    assert rows(sw, "1007", "forwarded_by")[0][0] == "1006@127.0.0.1"


def test_passwords_are_guessed_slowly(sw):
    c = Caller(sw, number="7200")
    c.hears("enter_id")
    c.press("1008#")
    for _ in range(3):
        c.hears("enter_pass")
        c.press("11#")
        assert c.does("authentication")["VM-Auth-Result"] == "fail"
        c.hears("fail_auth")
        c.press("1008#")
    c.ends()
    c = Caller(sw, number="7108")
    c.hears("enter_pass")
    begun = time.monotonic()
    c.press("1008#")
    assert c.does("authentication")["VM-Auth-Result"] == "success" and time.monotonic() - begun > 0.9  # the right one waits, too
    c.bye()


def test_auth_only(sw):
    c = Caller(sw, number="7203")
    c.hears("enter_pass")
    c.press("1001#")
    e = c.esl.wait_event("CHANNEL_PARK")
    assert e["variable_user_pin_authenticated"] == "true" and e["variable_in"] == "yes"
    c.bye()


def test_box_from_outside_is_a_name_only(sw):
    """Neither a path nor a profile nor "check" comes out of a caller's words."""
    for box in ("../../../1001", "check default", "1001'; drop table voicemail_msgs--", "${uuid}"):
        p = Phone(sw, "1000")
        p.invite("7202", extra=f"X-Box: {box}\n")
        p.ack_failure(p.expect(480, timeout=15))
        p.close()
    assert not list((sw.root / "storage/voicemail").glob("1001")) and sw.api("vm_boxcount 1001@127.0.0.1") == "0"


def test_a_callers_copy_goes_to_one_box(sw, phone):
    """What a caller writes into a list of boxes is one box: no list of its own, no group and no domain."""
    boxes = [f"10{n:02}" for n in range(10)]
    for box in boxes:
        sw.api(f"vm_delete {box}@127.0.0.1")
    c = Caller(sw, number="7204", extra="X-Copy: 1007,1008\nX-Group: domain=127.0.0.1\nX-Rest: main=127.0.0.1\n")
    c.esl.wait_event("RECORD_START")
    c.phone.talk.say(1.4)
    c.bye()
    t.until(lambda: rows(sw, "1003"))
    assert {b for b in boxes if rows(sw, b)} == {"1003", "1006"}
    p = phone("1000")
    p.invite("7205", extra=f"X-Message: {rows(sw, '1003')[0][0]}\nX-Group: group=default\n")
    p.answered()
    assert {b for b in boxes if rows(sw, b)} == {"1003", "1006"}
    p.bye()
    for box in ("1003", "1006"):
        sw.api(f"vm_delete {box}@127.0.0.1")


def test_lamp(sw, phone):
    p = phone("1008")
    s = subscribe(p, "1008", "message-summary")
    bodies = [s.notify().body]
    while "0/0 (0/0)" not in bodies[-1]:
        bodies.append(s.notify().body)
    inject(sw, "1008")
    assert "Messages-Waiting: yes" in s.notify().body
    assert sw.api("vm_read 1008@127.0.0.1 read").strip() == "+OK"
    assert "0/1" in s.notify().body
    s.end()


def test_commands(sw):
    inject(sw, "1009")
    line = sw.api("vm_list 1009@127.0.0.1").strip().split(":")
    assert line[2:5] == ["1009", "127.0.0.1", "inbox"] and line[7:] == ["Bob", "5551234", "2"]
    got = json.loads(sw.api(f"vm_fsdb_msg_get json default 127.0.0.1 1009 {line[6]}"))
    assert got["VM-Message-UUID"] == line[6] and got["VM-Message-Duration"] == "2"
    assert sw.api(f"vm_fsdb_msg_delete default 127.0.0.1 1009 {line[6]}") == "-OK\n"
    assert sw.api(f"vm_fsdb_msg_undelete default 127.0.0.1 1009 {line[6]}") == "-OK\n"
    assert "<cid-name>Bob</cid-name>" in sw.api("vm_list 1009@127.0.0.1 xml")
    assert re.search(r"<item>.*Bob.*</item>", sw.api("voicemail rss localhost 8080 /domains/this/vm 1009 127.0.0.1"))
    assert sw.api("vm_list nobody@127.0.0.1").strip() in ("", "-ERR no reply")
    assert sw.api("voicemail nosuch").startswith("Error: rss")
    assert sw.api("vm_delete 1009@127.0.0.1").strip() == "+OK" and sw.api("vm_list 1009@127.0.0.1").strip() in ("", "-ERR no reply")


def test_mailbox_of_freeswitch(tmp_path, fresh):
    """A mailbox that FreeSWITCH made is opened, heard, a message deleted; its tables are what they were."""
    golden = t.SHARED / "golden/vm/mailbox"
    if not golden.exists():
        pytest.skip(t.NO_SHARED)
    prepare(fresh)
    shutil.copytree(golden / "voicemail", fresh.root / "storage/voicemail", dirs_exist_ok=True)
    path = fresh.root / "db/voicemail_default.db"
    shutil.copy(golden / "voicemail_default.db", path)
    path.chmod(0o644)
    db = sqlite3.connect(path)
    for table, column in (("msgs", "file_path"), ("prefs", "name_path"), ("prefs", "greeting_path")):
        db.execute(f"update voicemail_{table} set {column}=replace({column},'STORAGE',?)", (str(fresh.root / "storage"),))
    db.commit()
    schema = db.execute("select type,name,sql from sqlite_master order by name").fetchall()
    db.close()
    fresh.start()
    assert fresh.api("vm_boxcount 1006@127.0.0.1|all") == "2:0:0:0"
    o = Caller(fresh, "1000", hz=0, number="7106")
    o.hears("enter_pass")
    o.press("1006#")
    o.hears("message_number")
    played = [o.esl.wait_event("PLAYBACK_START") for _ in range(1)]
    while "msg_" not in played[-1]["Playback-File-Path"]:
        played.append(o.esl.wait_event("PLAYBACK_START"))
    o.press("7")
    o.hears("deleted", "message_number")
    o.press("#")
    assert o.does("mwi-update")["VM-Total-New"] == "1"
    o.bye()
    assert not t.Path(played[-1]["Playback-File-Path"]).exists()
    c = Caller(fresh, number="7005")
    assert c.esl.wait_event("PLAYBACK_START")["Playback-File-Path"].endswith("1005/greeting_1.wav")
    c.bye()
    fresh.stop()
    db = sqlite3.connect(path)
    assert db.execute("select type,name,sql from sqlite_master order by name").fetchall() == schema
    assert db.execute("select count(*) from voicemail_msgs").fetchone() == (1,)
    db.close()


def test_killed_while_somebody_talks(fresh):
    prepare(fresh)
    fresh.start()
    inject(fresh, "1001")
    c = Caller(fresh, number=BOX)
    c.hears("person")
    c.press("#")
    c.esl.wait_event("RECORD_START")
    c.phone.talk.say(1.5)
    fresh.kill()
    c.close()
    fresh.start()
    assert len(rows(fresh, "1001")) == 1 and fresh.api("vm_boxcount 1001@127.0.0.1|all") == "1:0:0:0"
    names = [p.name for p in box_dir(fresh, "1001").iterdir()]
    assert len([n for n in names if n.startswith("msg_")]) == 1


def test_whole_and_in_no_list(fresh):
    """A message that has its file and no row (the process died between the two) is a new one when its box is opened; once, and no other file is."""
    prepare(fresh)
    fresh.start()
    inject(fresh, "1001"), inject(fresh, "1001")
    fresh.stop()
    path = box_dir(fresh, "1001") / "msg_2f1c6a0e-1111-4111-8111-111111111111.wav"
    shutil.copy(next(box_dir(fresh, "1001").glob("msg_*")), path)
    then = int(time.time()) - 600
    os.utime(path, (then, then))
    old, empty = path.with_name("msg_old.wav"), path.with_name("msg_empty.wav")
    shutil.copy(path, old)
    os.utime(old, (then - 30 * 86400,) * 2)
    empty.touch()
    os.utime(empty, (then, then))
    fresh.start()
    assert fresh.api("vm_boxcount 1001@127.0.0.1|all") == "2:0:0:0"
    for _ in range(2):
        o = Caller(fresh, "1001", hz=0, number="7101")
        o.hears("enter_pass")
        o.press("1001#")
        assert o.does("folder-summary")["VM-Total-New-Messages"] == "3"
        o.bye()
    got = fresh.api("vm_list 1001@127.0.0.1").splitlines()
    assert [g for g in got if str(path) in g and g.startswith(f"{then}:0:1001:127.0.0.1:inbox:") and ":Unknown:0000000000:" in g], got
    assert len(got) == 3 and old.exists() and empty.exists()


def test_full_disk_is_told(tmp_path):
    sw = t.Tandem(tmp_path / "instance", binary=tmp_path / "tandem.sh")
    prepare(sw)
    storage = sw.root / "storage/voicemail"
    storage.mkdir()
    disk = Disk(storage, "256k", tmp_path / "tandem.sh")
    try:
        sw.start()
        c = Caller(sw, number=BOX)
        c.hears("person")
        disk.fill()
        c.press("#")
        c.hears("mailbox_full", timeout=25)
        c.bye()
        assert rows(sw, "1001") == []
        sw.stop()
    finally:
        if sw.proc and sw.proc.poll() is None:
            sw.stop(check=False)
        disk.close()


def test_stalled_files_hold_only_their_callers(tmp_path, fresh):
    """While the boxes' file system does not answer: another call, counts, lamps; then the caller goes on."""
    prepare(fresh)
    with Gate(fresh, tmp_path) as gate:
        fresh.start()
        c = Caller(fresh, number=BOX)
        c.hears("person")
        gate.shut("storage/voicemail")
        c.press("#")
        c.esl.wait_event("DTMF")
        other = Caller(fresh, "1002", number="7999")
        assert other.esl.wait_event("CHANNEL_PARK") and fresh.api("vm_boxcount 1001@127.0.0.1|all") == "0:0:0:0"
        other.bye()
        gate.open()
        assert c.leaves()["VM-User"] == "1001"
        c.bye()


def test_thousand_boxes_at_once(fresh):
    """Asked for and counted at once, with no slow handler (the instance's end looks for those)."""
    prepare(fresh)
    users = "".join(f'<user id="{n}"><params><param name="vm-password" value="{n}"/></params></user>' for n in range(3000, 4000))
    path = fresh.root / "conf/directory/default.xml"
    path.write_text(path.read_text().replace("</users>", users + "</users>", 1))
    fresh.start()
    write_tone(fresh.root / "in.wav", 700, 1)
    assert fresh.api(f"voicemail_inject 3500@127.0.0.1 {fresh.root}/in.wav").strip() == "+OK"
    esl = fresh.esl()
    esl.command("event plain BACKGROUND_JOB MESSAGE_WAITING")
    for n in range(3000, 4000):
        esl.command(f"bgapi vm_boxcount {n}@127.0.0.1")
    for n in range(3000, 4000):
        esl.command(f"sendevent MESSAGE_QUERY\nMessage-Account: sip:{n}@127.0.0.1")
    waiting, counts = {}, []
    while len(waiting) < 1000 or len(counts) < 1000:
        e = esl.next_event(30)
        if e["Event-Name"] == "MESSAGE_WAITING":
            waiting[e["MWI-Message-Account"]] = e["MWI-Messages-Waiting"]
        else:
            counts.append(e["_body"].strip())
    assert sorted(counts)[-2:] == ["0", "1"] and [a for a, w in waiting.items() if w == "yes"] == ["sip:3500@127.0.0.1"]
    esl.close()


@pytest.mark.skipif(t.VANILLA.parent != t.SHARED, reason=t.NO_SHARED)
def test_stock_dialplan(tmp_path):
    """Nobody is at 1003: its box takes a message; its owner hears it at 4000 and at *98."""
    sw = t.Tandem(tmp_path / "instance", "vanilla")
    prompts(sw)
    sw.start()
    c = Caller(sw, number="1003")
    c.hears("person", "not_available", "record_message")
    c.esl.wait_event("RECORD_START")
    c.phone.talk.say(3.5)
    c.press("#")
    c.hears("save_recording")
    c.press("2")
    c.hears("mark-urgent")
    c.press("#")
    assert c.does("leave-message")["VM-User"] == "1003"
    c.close()
    sw.api("hupall")
    sw.wait_calls(0)
    for number, kind in (("4000", "new"), ("*98", "saved")):
        o = Caller(sw, "1001", hz=0, number=number)
        o.hears("enter_id")
        o.press("1003#")
        o.hears("enter_pass")
        o.press("1003#")
        if kind == "saved":
            o.hears("listen_new")
            o.press("2")
        o.hears("message_number", VOICE, "save_recording")
        o.press("2")
        o.does("mwi-update")
        o.bye()
    sw.wait_calls(0)
    sw.stop()


def test_over_http(sw):
    """A portal's way to a box: the list, a message's sound as it was put in, its removal; for admins, and nothing but what the list names."""
    assert sw.api("vm_delete 1007@127.0.0.1").startswith("+OK")  # of other tests
    inject(sw, "1007", cid="5559876 Eve")
    door = Door(sw)
    got = door.get("/v1/voicemail/1007@127.0.0.1")
    assert got["row_count"] == 1
    row = got["rows"][0]
    assert (row["username"], row["cid-name"], row["cid-number"], row["read_epoch"]) == ("1007", "Eve", "5559876", "0")
    status, headers, body = door.call("GET", f"/v1/voicemail/1007@127.0.0.1/sound?uuid={row['uuid']}")
    assert status == 200 and headers["Content-Type"] == "audio/wav" and body == (sw.root / f"in-{INJECTED}.wav").read_bytes()
    assert door.get("/v1/voicemail/nobody@127.0.0.1", 404)["detail"] == "there is no such box"
    assert door.get("/v1/voicemail/1007@127.0.0.1/sound?uuid=nosuch", 404)["detail"] == "there is no such message"
    for path in ("/v1/voicemail/1007", "/v1/voicemail/1007@127.0.0.1/sound", "/v1/voicemail/1007@127.0.0.1/sound?uuid=../x",
                 "/v1/voicemail/'1007@127.0.0.1"):
        door.get(path, 400)
    reader = sw.api("http token add listener read").split()[-1]
    status, _, _ = Door(sw, reader).call("GET", "/v1/voicemail/1007@127.0.0.1")
    assert status == 403
    assert door.call("DELETE", "/v1/voicemail/1007@127.0.0.1")[0] == 400 and sw.api("vm_boxcount 1007@127.0.0.1") == "1"
    assert door.call("DELETE", f"/v1/voicemail/1007@127.0.0.1?uuid={row['uuid']}")[0] == 204
    assert door.get("/v1/voicemail/1007@127.0.0.1") == {"row_count": 0, "rows": []} and sw.api("vm_boxcount 1007@127.0.0.1") == "0"
