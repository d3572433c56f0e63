"""Queues of callers: waiting and leaving, consumers, priorities, members that are rung, the command, what a restart keeps, lamps."""
import math
import struct
import wave

import pytest
import tandem as t
from watch import states, subscribe
from calls import accept, call_and_talk, cancelled, ended, extension, is_pair, write_extensions

pytestmark = pytest.mark.leaks
MUSIC = "tone_stream://%(10000,0,1600);loops=-1"
Q = "desk@127.0.0.1"


def chime(root):
    """A second of 900 Hz as a file: the list's separator is the comma, which a tone has."""
    path = root / "chime.wav"
    with wave.open(str(path), "wb") as f:
        f.setnchannels(1), f.setsampwidth(2), f.setframerate(8000)
        f.writeframes(struct.pack("<8000h", *(int(8000 * math.sin(2 * math.pi * 900 * i / 8000)) for i in range(8000))))
    return path


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("fifo") / "instance")
    extensions = [
        extension("7000", f"set fifo_music={MUSIC}", f"fifo {Q} in", "set went=past", "park"),
        extension("7001", "answer", f"fifo {Q} out wait", "set went=past", "park"),
        extension("7002", "answer", f"fifo {Q} out nowait", "set went=past", "park"),
        extension("7003", f"fifo {Q} in tone_stream://%(600,0,900) {MUSIC}", "park"),
        extension("7004", "set fifo_priority=3", f"fifo {Q} in undef {MUSIC}", "park"),
        extension("7005", "set fifo_caller_exit_key=15", "set fifo_orbit_exten=orbit:100", f"fifo {Q} in undef {MUSIC}", "set went=left", "park"),
        extension("7006", "set fifo_caller_exit_key=1", "set fifo_caller_exit_to_orbit=true", "set fifo_orbit_exten=orbit:100",
                  f"fifo {Q} in undef {MUSIC}", "park"),
        extension("7007", "set fifo_orbit_exten=orbit:1", f"fifo {Q} in", "park"),
        extension("7008", f"set fifo_chime_list={chime(s.root)}", "set fifo_chime_freq=1", f"fifo {Q} in undef {MUSIC}", "park"),
        extension("orbit", "set went=orbit", "park"),
        extension("7010", "answer", "fifo low@127.0.0.1,high@127.0.0.1!5 out nowait", "park"),
        extension("7011", "fifo low@127.0.0.1 in", "park"),
        extension("7012", "fifo high@127.0.0.1 in", "park"),
        extension("7013", "fifo nothing"),
        extension("5900", f"set fifo_music={MUSIC}", "fifo 5900@${domain_name} in"),
        extension("5901", "answer", "fifo 5900@${domain_name} out nowait"),
    ]
    write_extensions(s, extensions)
    s.start()
    yield s
    s.stop()


@pytest.fixture(autouse=True)
def empty(sw):
    yield
    sw.api("hupall")
    sw.wait_calls(0)
    for m in ("1000", "1001", "1002"):
        sw.api(f"fifo_member del {Q} {member(m)}")
    assert sw.api(f"fifo count {Q}") in (f"{Q}:0:0:0:0:0\n", "none\n")


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("CHANNEL_PARK CHANNEL_BRIDGE CHANNEL_HIBERNATE PRESENCE_IN CUSTOM fifo::info")
    yield e
    e.close()


def member(user):
    return "{fifo_member_wait=nowait}user/" + user + "@127.0.0.1"


def told(events, action, **more):
    return events.wait_event("CUSTOM", Event_Subclass="fifo::info", FIFO_Action=action, **more)


def test_a_caller_waits_and_is_served(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    call_and_talk(a, "7000")
    a.talk.hears(1600)
    caller = told(events, "push", FIFO_Name=Q, FIFO_Slot="0")["Unique-ID"]
    assert sw.api(f"fifo count {Q}") == f"{Q}:0:1:0:0:0\n"
    assert f'<caller uuid="{caller}" status="WAITING"' in sw.api(f"fifo list {Q}")
    call_and_talk(b, "7001")
    consumer = told(events, "consumer_start")["Unique-ID"]
    told(events, "caller_pop", Unique_ID=caller)
    told(events, "consumer_pop", Unique_ID=consumer, FIFO_Caller_UUID=caller)
    told(events, "bridge-caller-start", Unique_ID=caller)
    bridge = events.wait_event("CHANNEL_BRIDGE")
    assert (bridge["Bridge-A-Unique-ID"], bridge["Bridge-B-Unique-ID"]) == (consumer, caller)
    is_pair(a, b)
    assert sw.api(f"fifo_check_bridge {caller}") == "true" and sw.api("fifo_check_bridge nosuch") == "false"
    assert f'target="{caller}"' in sw.api(f"fifo list {Q}")
    assert sw.api(f"uuid_getvar {caller} fifo_serviced_by") == consumer
    a.bye()
    stop = told(events, "channel-consumer-stop", Unique_ID=consumer)
    assert int(stop["FIFO-Consumer-Talk-Time-us"]) > 0
    told(events, "bridge-caller-stop", Unique_ID=caller)
    told(events, "consumer_wrapup", Unique_ID=consumer)
    # the consumer waits for the next one
    c = phone("1002", 700)
    call_and_talk(c, "7000")
    is_pair(c, b)
    b.bye()
    ended(c)
    told(events, "consumer_stop", Unique_ID=consumer)


def test_nobody_is_there(sw, phone, events):
    b = phone("1001", 500)
    call_and_talk(b, "7002")
    told(events, "consumer_start")
    told(events, "consumer_stop")
    assert events.wait_event("CHANNEL_PARK")["variable_went"] == "past"


def test_announcement_before_the_bridge(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    call_and_talk(a, "7003")
    a.talk.hears(1600)
    call_and_talk(b, "7002")
    a.talk.hears(900)
    is_pair(a, b)
    a.bye()
    assert events.wait_event("CHANNEL_PARK")["variable_went"] == "past"


def test_lower_slots_first(sw, phone, events):
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    call_and_talk(a, "7004")
    told(events, "push", FIFO_Slot="3")
    call_and_talk(c, "7000")
    told(events, "push", FIFO_Slot="0")
    report = sw.api(f"fifo list {Q}")
    assert report.index('slot="0"') < report.index('slot="3"')
    call_and_talk(b, "7002")
    is_pair(b, c)
    c.bye()
    a.bye()


def test_importance(sw, phone, events):
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    call_and_talk(a, "7011")
    told(events, "push", FIFO_Name="low@127.0.0.1")
    call_and_talk(c, "7012")
    told(events, "push", FIFO_Name="high@127.0.0.1")
    call_and_talk(b, "7010")
    is_pair(b, c)
    assert sw.api("fifo importance high@127.0.0.1") == "importance: 5\n"


@pytest.mark.parametrize("number,key,went,action", [("7005", "95", "left", "abort"), ("7006", "1", "orbit", "abort"), ("7007", "", "orbit", "timeout")])
def test_leaving(sw, phone, events, number, key, went, action):
    a = phone("1000", 400)
    call_and_talk(a, number)
    told(events, "push")
    a.talk.press(key)
    told(events, action)
    assert events.wait_event("CHANNEL_PARK")["variable_went"] == went


def test_chimes(sw, phone):
    a = phone("1000", 400)
    call_and_talk(a, "7008")
    for hz in (1600, 900, 1600, 900):
        a.talk.hears(hz)


def test_a_consumer_leaves_by_key(sw, phone, events):
    b = phone("1001", 500)
    call_and_talk(b, "7001")
    told(events, "consumer_start")
    b.talk.press("*")
    told(events, "consumer_stop")
    assert events.wait_event("CHANNEL_PARK")["variable_went"] == "past"


def test_a_caller_gives_up(sw, phone, events):
    a = phone("1000", 400)
    call_and_talk(a, "7000")
    told(events, "push")
    lamp = events.wait_event("PRESENCE_IN", login=Q)
    assert (lamp["proto"], lamp["force-status"], lamp["answer-state"]) == ("queue", "Active (1 waiting)", "confirmed")
    a.bye()
    told(events, "abort")
    lamp = events.wait_event("PRESENCE_IN", login=Q)
    assert (lamp["force-status"], lamp["answer-state"]) == ("Idle", "terminated")


def test_a_member_is_rung(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    assert sw.api(f"fifo_member add {Q} {member('1001')} 1 20 2") == "+OK\n"
    assert sw.api(f"fifo has_outbound {Q}") == f"{Q}:1\n"
    call_and_talk(a, "7000")
    pre = told(events, "pre-dial")
    assert pre["outbound-strategy"] == "ringall" and pre["originate_string"].endswith(member("1001"))
    accept(b, b.expect(method="INVITE"))
    post = told(events, "post-dial", result="success")
    assert post["FIFO-Outbound-UUID"] == pre["FIFO-Outbound-UUID-List"]
    start = told(events, "channel-consumer-start")
    assert (start["FIFO-Consumer-Outbound-ID"], start["FIFO-Consumer-Use-Count"]) == (post["FIFO-Outbound-UUID"], "1")
    is_pair(a, b)
    a.bye()
    told(events, "channel-consumer-stop", FIFO_Consumer_Use_Count="0")
    told(events, "consumer_stop")
    ended(b)


def test_all_members_ring_and_one_answers(sw, phone, events):
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    for m in ("1001", "1002"):
        assert sw.api(f"fifo_member add {Q} {member(m)} 1 20 0") == "+OK\n"
    call_and_talk(a, "7000")
    first, second = b.expect(method="INVITE"), c.expect(method="INVITE")
    b.reply(first, 180, "Ringing")
    accept(c, second)
    is_pair(a, c)
    cancelled(b, first)
    a.bye()
    ended(c)


def test_ringing_ends_with_the_caller(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 500)
    sw.api(f"fifo_member add {Q} {member('1001')} 1 20 0")
    call_and_talk(a, "7000")
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, "Ringing")
    a.bye()
    cancelled(b, invite)
    assert told(events, "post-dial", result="failure")["acceptable"] == "true"


def test_bad_words(sw, phone):
    a = phone("1000", 400)
    assert sw.api("fifo_member add") == "-ERR Invalid!\n" and sw.api("fifo importance nosuch 3") == "no fifo by that name\n"
    assert sw.api("fifo nosuch").startswith("-ERR Usage: list|") and sw.api("fifo list nosuch") == "<fifo_report></fifo_report>\n\n"
    a.invite("7013")
    a.ack_failure(a.expect(480))


def test_members_outlive_a_restart(sw):
    sw.api(f"fifo_member add kept@127.0.0.1 {member('1001')} 3 20 7")
    sw.stop()
    sw.start()
    report = sw.api("fifo list kept@127.0.0.1")
    assert f">{member('1001')}</member>" in report and 'simo="3"' in report and 'lag="7"' in report
    sw.api(f"fifo_member del kept@127.0.0.1 {member('1001')}")


def test_calls_aside_count(sw, phone, events):
    a = phone("1000", 400)
    sw.api(f"fifo_member add {Q} {member('1001')} 1 20 0")
    a.invite("7000")
    a.answered()
    uuid = told(events, "pre-dial")["FIFO-Outbound-UUID-List"]
    a.bye()
    sw.wait_calls(0)
    sw.api(f"bgapi originate user/1000 '&fifo_track_call({uuid})'")
    a.take()
    assert told(events, "channel-consumer-start", FIFO_Name="manual_calls")["FIFO-Consumer-Use-Count"] == "1"
    assert told(events, "channel-consumer-stop", FIFO_Name="manual_calls")["FIFO-Consumer-Use-Count"] == "0"
    report = sw.api(f"fifo list {Q}")
    assert 'use_count="0"' in report and 'manual-calls-in-count="1"' in report


def test_stock_park_numbers(sw, phone, events):
    """5900 and 5901, as the stock dialplan has them."""
    a, b = phone("1000", 400), phone("1001", 500)
    call_and_talk(a, "5900")
    a.talk.hears(1600)
    assert told(events, "push")["FIFO-Name"] == "5900@127.0.0.1"
    call_and_talk(b, "5901")
    is_pair(a, b)


def test_a_lamp_is_lit(sw, phone):
    w, a = phone("1002"), phone("1000", 400)
    lamps = [subscribe(w, f"{kind}+desk", "dialog") for kind in ("park", "fifo")]
    for lamp in lamps:
        lamp.notify()
    call_and_talk(a, "7000")
    for lamp in lamps:
        assert lamp.until(lambda m: states(m) == ["confirmed"])
    a.bye()
    for lamp in lamps:
        assert lamp.until(lambda m: states(m) == ["terminated"])
        lamp.end()


def test_a_reload_knows_who_rings(sw, phone, events):
    """fifo.conf read again: who is rung stays rung, once; who is no longer named goes when it is over, a new one is there."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 650)
    path = sw.root / "conf/autoload_configs/fifo.conf.xml"
    was = path.read_text()

    def configure(*users):
        members = "".join(f'<member timeout="20" lag="0">{member(u)}</member>' for u in users)
        path.write_text(was.replace("<fifos>", f'<fifos><fifo name="{Q}" outbound_per_cycle="0">{members}</fifo>'))
        assert "+OK" in sw.api("reloadxml")
        assert sw.api("fifo reparse").startswith("+OK")

    configure("1001")
    try:
        a.invite("7000")
        invite = b.expect(method="INVITE")
        b.reply(invite, 180, "Ringing")
        assert 'ring-count="1"' in sw.api(f"fifo list {Q}")
        configure("1001", "1002")
        report = sw.api(f"fifo list {Q}")
        assert report.count('ring-count="1"') == 1 and report.count('ring-count="0"') == 1
        b.expect_nothing("INVITE", 0.3)
        accept(b, invite)
        a.answered()
        b.bye()
        ended(a)
        assert 'outbound-call-count="1"' in sw.api(f"fifo list {Q}")
        configure("1002")
        report = sw.api(f"fifo list {Q}")
        assert report.count("<member ") == 1 and "user/1002@" in report
    finally:
        path.write_text(was)
        sw.api("reloadxml")
        sw.api("fifo reparse")
