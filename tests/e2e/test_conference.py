"""Conferences: who hears whom, what keys and commands do, what is told, how members and rooms end. Scripted phones that say tones and
measure what they hear."""
import json
import re
import xml.etree.ElementTree as ET

import pytest
from calls import call_and_talk, ended, extension, talks, write_extensions
from talk import _until as until

pytestmark = pytest.mark.leaks
MAINTENANCE = "conference::maintenance"
CONF = """<configuration name="conference.conf">
 <advertise><room name="lamp@127.0.0.1" status="Ready"/></advertise>
 <caller-controls>
  <group name="default"><control action="mute" digits="0"/><control action="deaf mute" digits="*"/><control action="hangup" digits="#"/>
   <control action="lock" digits="1"/><control action="vol talk up" digits="3"/><control action="energy up" digits="9"/>
   <control action="event" digits="77" data="x"/><control action="event" digits="7" data="short"/>
   <control action="execute_application" digits="5" data="set ran=yes"/><control action="transfer" digits="6" data="7490 XML default"/></group>
  <group name="chief"><control action="lock" digits="0"/></group>
 </caller-controls>
 <profiles>
  <profile name="quiet"><param name="domain" value="127.0.0.1"/><param name="energy-level" value="100"/><param name="cdr-log-dir" value="auto"/>
   <param name="moderator-controls" value="chief"/><param name="confvar_colour" value="red"/></profile>
  <profile name="pins"><param name="pin" value="1234"/><param name="moderator-pin" value="4321"/><param name="pin-retries" value="2"/>
   <param name="pin-sound" value="tone_stream://%(60,0,350)"/><param name="bad-pin-sound" value="tone_stream://%(60,0,250)"/></profile>
  <profile name="small"><param name="max-members" value="1"/><param name="locked-sound" value="tone_stream://%(60,0,300)"/></profile>
  <profile name="music"><param name="moh-sound" value="tone_stream://%(10000,0,1600);loops=-1"/><param name="energy-level" value="100"/></profile>
  <profile name="mod"><param name="moh-sound" value="tone_stream://%(10000,0,1600);loops=-1"/><param name="conference-flags" value="wait-mod"/></profile>
  <profile name="end"><param name="endconf-grace-time" value="0"/></profile>
 </profiles></configuration>
"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("conference") / "instance")
    (s.root / "conf/autoload_configs/conference.conf.xml").write_text(CONF)
    modules = s.root / "conf/autoload_configs/modules.conf.xml"
    if "mod_conference" not in modules.read_text():
        modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_conference"/></modules>'))
    write_extensions(s, [
        extension("7400", "answer", "conference talk@quiet", "park"),
        extension("7401", "answer", "conference talk@quiet+flags{moderator}", "park"),
        extension("7402", "answer", "conference secret@pins", "park"),
        extension("7403", "answer", "conference one@small", "park"),
        extension("7404", "answer", "conference music@music", "park"),
        extension("7405", "answer", "conference mod@mod", "park"),
        extension("7406", "answer", "conference mod@mod+flags{moderator}", "park"),
        extension("7407", "answer", "conference end@end", "park"),
        extension("7408", "answer", "conference end@end+flags{endconf}", "park"),
        extension("7409", "answer", "conference arg@quiet+99", "park"),
        extension("7410", "answer", "conference bridge:pair@quiet:user/1001", "park"),
        extension("7411", "answer", "set conference_auto_outcall_skip_member_beep=true", "conference_set_auto_outcall user/1001",
                  "conference auto@quiet", "park"),
        extension("7440", "answer", "set conference_auto_outcall_skip_member_beep=true", "conference_set_auto_outcall user/1001",
                  "conference ${sip_h_X-Room}@quiet", "park"),
        extension("7441", "answer", "conference bridge:${sip_h_X-Room}@quiet:user/1001", "park"),
        extension("7442", "answer", "set conference_member_flags=${sip_h_X-Room}", "conference flagged@quiet", "park"),
        extension("7412", "answer", "conference digits@quiet+flags{dist-dtmf}", "park"),
        extension("7413", "answer", "conference ${sip_h_X-Room}", "park"),
        extension("7414", "answer", "conference two@quiet+flags{mintwo}", "park"),
        extension("7415", "answer", "conference ghost@quiet+flags{ghost}", "park"),
        extension("7490", "answer", "park"),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture(autouse=True)
def empty(sw):
    """At the end, when the phones are gone, there is no room."""
    yield
    until(lambda: "No active" in sw.api("conference list"), 10, lambda: "rooms are left")


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("CHANNEL_PARK CUSTOM conference::maintenance conference::cdr")
    yield e
    e.close()


def told(events, action, **more):
    return events.wait_event("CUSTOM", Event_Subclass=MAINTENANCE, Action=action, **more)


def rows(sw, room):
    return [r.split(";") for r in sw.api(f"conference {room} list").splitlines() if r.count(";") > 7]


def id_of(sw, room, user):
    return next(r[0] for r in rows(sw, room) if r[4] == user)


def join(sw, events, p, number):
    call_and_talk(p, number)
    return told(events, "add-member", Caller_Caller_ID_Number=p.user)["Member-ID"]


def test_three_hear_each_other_and_not_themselves(sw, phone, events):
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 650)
    for p in (a, b, c):
        join(sw, events, p, "7400")
    for p, others in ((a, (b, c)), (b, (a, c)), (c, (a, b))):
        for o in others:
            p.talk.hears(o.hz)
        p.talk.hears(absent=(p.hz,))


def test_mute_by_key_and_by_command(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    join(sw, events, a, "7400"), join(sw, events, b, "7400")
    a.talk.hears(500)
    b.talk.press("0")
    told(events, "mute-member", Caller_Caller_ID_Number="1001", Speak="false")
    a.talk.hears(absent=(500,))
    b.talk.press("0")
    told(events, "unmute-member", Caller_Caller_ID_Number="1001", Speak="true")
    a.talk.hears(500)
    m = id_of(sw, "talk", "1001")
    assert sw.api(f"conference talk mute {m}") == f"+OK mute {m}\n"
    a.talk.hears(absent=(500,))
    assert sw.api("conference talk unmute all").count("+OK unmute") == 2
    a.talk.hears(500)
    assert sw.api(f"conference talk deaf {m}") == f"+OK deaf {m}\n"
    b.talk.hears(absent=(400,))
    a.talk.hears(500)


def test_keys(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    join(sw, events, a, "7400"), join(sw, events, b, "7400")
    a.talk.press("3")
    told(events, "volume-level", New_Level="1")
    a.talk.press("9")
    told(events, "energy-level", New_Level="300")
    a.talk.press("77")  # the longer of two that begin alike
    told(events, "dtmf", DTMF_Key="77", Data="x")
    a.talk.press("7")   # the shorter when no key follows
    told(events, "dtmf", DTMF_Key="7", Data="short")
    a.talk.press("5")
    told(events, "execute_app", Application="set ran=yes")
    a.talk.press("1")
    told(events, "lock")
    assert "locked" in sw.api("conference list summary")
    a.talk.press("6")
    told(events, "del-member", Caller_Caller_ID_Number="1000")
    assert events.wait_event("CHANNEL_PARK", Caller_Destination_Number="7490")["variable_ran"] == "yes"
    b.talk.press("#")
    told(events, "del-member", Caller_Caller_ID_Number="1001")
    events.wait_event("CHANNEL_PARK", Caller_Caller_ID_Number="1001")
    told(events, "conference-destroy")


def test_moderator_has_keys_of_his_own(sw, phone, events):
    a = phone("1000", 400)
    join(sw, events, a, "7401")
    a.talk.press("0")
    told(events, "lock")
    assert rows(sw, "talk")[0][5].endswith("floor|moderator")


@pytest.mark.parametrize("keys, ends", [(("1234",), "member"), (("4321",), "moderator"), (("1111", "1234"), "member"), (("1111", "2222"), None)])
def test_pins(sw, phone, events, keys, ends):
    a = phone("1000")
    e = sw.esl()
    e.subscribe("PLAYBACK_STOP")
    call_and_talk(a, "7402")
    for k in keys:
        e.wait_event("PLAYBACK_STOP", Playback_File_Path="tone_stream://%(60,0,350)")
        a.talk.press(k)
    if ends:
        assert told(events, "add-member")["Member-Type"] == ends
    else:
        events.wait_event("CHANNEL_PARK")
        assert "not found" in sw.api("conference secret list") or not rows(sw, "secret")
    e.close()


def test_pin_of_the_argument(sw, phone, events):
    a = phone("1000")
    call_and_talk(a, "7409")
    told(events, "conference-create")
    a.talk.press("99")
    told(events, "add-member")


def test_full_and_locked(sw, phone, events):
    a, b = phone("1000"), phone("1001")
    join(sw, events, a, "7403")
    call_and_talk(b, "7403")
    events.wait_event("CHANNEL_PARK", Caller_Caller_ID_Number="1001")
    assert len(rows(sw, "one")) == 1
    assert sw.api("conference one set max_members 5") == "1"
    assert sw.api("conference one lock") == "+OK one locked\n"


def test_music_while_alone(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    join(sw, events, a, "7404")
    a.talk.hears(1600)
    join(sw, events, b, "7404")
    told(events, "play-file-done", Async="true")
    a.talk.hears(500)
    a.talk.hears(absent=(1600,))


def test_wait_for_the_moderator(sw, phone, events):
    a, b, m = phone("1000", 400), phone("1001", 500), phone("1002", 650)
    join(sw, events, a, "7405"), join(sw, events, b, "7405")
    a.talk.hears(1600)
    a.talk.hears(absent=(500,))
    join(sw, events, m, "7406")
    a.talk.hears(500)
    b.talk.hears(650)


def test_the_last_endconf_member_ends_it(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    join(sw, events, a, "7407"), join(sw, events, b, "7408")
    b.bye()
    ended(a)
    told(events, "conference-destroy")


def test_two_at_least(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    join(sw, events, a, "7414"), join(sw, events, b, "7414")
    b.bye()
    ended(a)


def test_ghosts_do_not_count(sw, phone, events):
    a = phone("1000", 400)
    assert told_ghost(join_event(sw, events, a, "7415")) == "true"
    assert sw.api("conference ghost get count") == "0"
    assert sw.api("conference ghost get count_ghosts") == "1"


def join_event(sw, events, p, number):
    call_and_talk(p, number)
    return told(events, "add-member")


def told_ghost(e):
    return e["Member-Ghost"]


def test_kick_hup_and_transfer(sw, phone, events):
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 650)
    ids = [join(sw, events, p, "7400") for p in (a, b, c)]
    assert sw.api(f"conference talk kick {ids[0]}") == f"+OK kicked {ids[0]}\n"
    told(events, "kick-member", Member_ID=ids[0])
    events.wait_event("CHANNEL_PARK", Caller_Caller_ID_Number="1000")
    assert sw.api(f"conference talk hup {ids[1]}") == f"+OK hup {ids[1]}\n"
    told(events, "hup-member", Member_ID=ids[1])
    assert sw.api(f"conference talk transfer other@quiet {ids[2]}") == f"+OK Member '{ids[2]}' sent to conference other@quiet.\n"
    told(events, "transfer", New_Conference_Name="other@quiet")
    assert told(events, "add-member", Conference_Name="other")["Unique-ID"]
    assert sw.api("conference talk transfer other 999") in ("-ERR No Member 999 in conference talk.\n", "-ERR Conference talk not found\n")


def test_lists_are_well_formed(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    join(sw, events, a, "7400"), join(sw, events, b, "7401")
    sw.api("conference talk setvar shade 'a<b&\"c'")
    one, = json.loads(sw.api("conference talk json_list"))
    assert one["member_count"] == 2 and one["variables"] == {"colour": "red", "shade": 'a<b&"c'}
    assert [m["flags"]["is_moderator"] for m in one["members"]] == [True, False]
    assert json.loads(sw.api("conference json_list compact")) [0]["conference_name"] == "talk"
    root = ET.fromstring(sw.api("conference xml_list"))
    assert [m.findtext("caller_id_number") for m in root.iter("member")] == ["1001", "1000"]
    assert {v.get("name"): v.get("value") for v in root.iter("variable")}["shade"] == 'a<b&"c'
    assert sw.api("conference talk get count") == "2"
    assert sw.api("conference nosuch list") == "-ERR Conference nosuch not found\n"


def test_dial_bgdial_and_calls_that_fail(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    join(sw, events, a, "7400")
    assert "Job-UUID" in sw.api("conference talk bgdial user/1001 555 Caller")
    b.take()
    talks(b)
    assert told(events, "bgdial-result")["Result"] == "SUCCESS"
    told(events, "add-member", Conference_Size="2")
    a.talk.hears(500)
    assert re.fullmatch(r"\+OK Call Requested: result: \[\w+\]\n", sw.api("conference talk dial nosuch/x"))
    assert sw.api("conference talk dial").startswith("-ERR Bad Args")


def test_a_call_that_rings_while_the_room_goes(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    join(sw, events, a, "7400")
    sw.api("conference talk bgdial user/1001")
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, "Ringing")
    a.bye()
    told(events, "del-member")
    b.reply(invite, 486, "Busy Here")
    b.expect(method="ACK")
    told(events, "conference-destroy")


def test_bridge_form(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    a.invite("7410")
    b.take()
    a.answered()
    talks(a, b)
    a.talk.hears(500)
    b.talk.hears(400)
    b.bye()
    ended(a)


def test_auto_outcall(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    call_and_talk(a, "7411")
    b.take()
    talks(b)
    assert told(events, "bgdial-result")["Result"] == "SUCCESS"
    b.talk.hears(400)


@pytest.mark.parametrize("number", ["7440", "7441"])
def test_a_room_named_by_the_caller(sw, phone, events, number):
    """Whoever is called into it comes into that room; the name stays a name."""
    a, b = phone("1000", 400), phone("1001", 500)
    a.invite(number, extra="X-Room: x+flags{moderator}\n")
    if number == "7440":
        a.answered()
        talks(a)
    b.take()
    talks(b)
    if number == "7441":
        a.answered()
        talks(a)
    b.talk.hears(400)
    a.talk.hears(500)
    assert {told(events, "add-member")["Member-Type"] for _ in range(2)} == {"member"}
    a.bye()


def test_flags_by_the_caller(sw, phone, events):
    a = phone("1000", 400)
    a.invite("7442", extra="X-Room: moderator\n")
    a.answered()
    assert told(events, "add-member")["Member-Type"] == "member"
    sw.wait_log("conference_member_flags: flags are not from outside")
    a.bye()


def test_a_room_that_ends_while_it_records(sw, phone, events, tmp_path):
    a = phone("1000", 400)
    join(sw, events, a, "7400")
    path = tmp_path / "last.wav"
    assert sw.api(f"conference talk record {path}").startswith("+OK")
    told(events, "start-recording")
    a.talk.hears()
    a.bye()
    assert int(told(events, "stop-recording", Path=str(path))["Record-File-Size"]) > 44


def test_digits_go_to_all(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    join(sw, events, a, "7412"), join(sw, events, b, "7412")
    a.talk.press("4")
    told(events, "dtmf", DTMF_Key="4")
    b.talk.wait_digits("4")


def test_play_say_and_records(sw, phone, events, tmp_path):
    a, b = phone("1000", 400), phone("1001", 500)
    join(sw, events, a, "7400")
    m = join(sw, events, b, "7400")
    assert sw.api("conference talk play tone_stream://%(1000,0,1600)").startswith("+OK (play)")
    a.talk.hears(1600)
    told(events, "play-file-done")
    sw.api(f"conference talk play tone_stream://%(1000,0,1800) {m}")
    b.talk.hears(1800)
    a.talk.hears(absent=(1800,))
    assert sw.api("conference talk play nosuch.wav") == "-ERR (play) File: nosuch.wav not found.\n"
    path = tmp_path / "room.wav"
    assert sw.api(f"conference talk record {path}") == f"+OK Record file {path}\n"
    assert "already being used" in sw.api(f"conference talk record {path}")
    told(events, "start-recording", Path=str(path))
    assert sw.api(f"conference talk recording pause {path}") == f"+OK Pause recording file {path}\n"
    assert sw.api(f"conference talk recording resume {path}") == f"+OK Resume recording file {path}\n"
    a.talk.hears(500)
    sw.api("conference talk norecord all")
    assert int(told(events, "stop-recording", Path=str(path))["Record-File-Size"]) == path.stat().st_size > 44


def test_record_of_the_conference(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    join(sw, events, a, "7400")
    m = join(sw, events, b, "7401")
    uuid = sw.api("conference talk get uuid")
    sw.api(f"conference talk kick {m}")
    told(events, "del-member", Member_ID=m)
    a.bye()
    told(events, "conference-destroy")
    path = sw.root / f"log/conference_cdr/{uuid}.cdr.xml"
    until(path.exists, 10, lambda: f"no {path}")
    members = ET.parse(path).getroot().findall("conference/members/member")
    assert [m.findtext("flags/was_kicked") for m in members] == ["true", "false"]


@pytest.mark.parametrize("name, is_room", [("room+flags{moderator}", True), ("a@mod", True), ("x" * 300, False), ("${hangup()}", False), ("", False)])
def test_a_name_from_outside_is_a_name(sw, phone, events, name, is_room):
    a = phone("1000", 400)
    a.invite("7413", extra=f"X-Room: {name}\n")
    a.answered()
    if is_room:
        e = told(events, "add-member")
        assert e["Conference-Name"] == name and e["Member-Type"] == "member" and e["Conference-Profile-Name"] in ("none", "default")
    else:
        events.wait_event("CHANNEL_PARK")


def test_reloadxml_leaves_rooms_alone(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    join(sw, events, a, "7400")
    sw.api("reloadxml")
    join(sw, events, b, "7400")
    a.talk.hears(500)
    b.talk.press("#")
    told(events, "del-member")


def test_a_thousand_rooms(sw):
    """Each has a leg of its own."""
    sw.api("fsctl max_sessions 2000"), sw.api("fsctl sps 100000")
    for i in range(0, 1000, 50):
        for n in range(i, i + 50):
            sw.api(f"bgapi originate null/{n} &conference(many{n}@quiet)")
    sw.wait_calls(1000, timeout=60)
    assert sw.api("conference list summary").count("+OK Conference many") == 1000
    sw.api("hupall")
    sw.wait_calls(0, timeout=60)
