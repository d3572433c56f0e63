"""What a dialplan asks for beyond answering and playing: digits, extensions within extensions, arrays, users, tasks for later, loopback
legs, limits, the database. Real calls; digits are telephone-events; sound is listened to."""
import time

import pytest
from calls import call, ended, extension, heard_ms, listen, originate, press, rtp, write_extensions
from phones import write_tone
from wire import Phone, sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("dialplan_apps") / "instance")
    ask, bad, music = s.root / "ask.wav", s.root / "bad.wav", s.root / "music.wav"
    write_tone(ask, 523, seconds=3)
    write_tone(bad, 700, seconds=0.3)
    write_tone(music, 880, seconds=2)
    extensions = [
        extension("7101", "answer", f"read 2 4 {ask} got 1500 # 700", "park"),
        extension("7102", "answer", f"play_and_get_digits 2 3 2 1000 # {ask} {bad} pin ^12\\d$ 800 'failed XML default'", "park"),
        extension("failed", "set went=wrong", "park"),
        extension("7103", "answer", "set where=first", "execute_extension inner", "set after=yes ${where}", "park"),
        extension("inner", "set where=inner ${destination_number}", "execute_extension innermost XML default", "set after=no"),
        extension("innermost", "set deep=yes"),
        extension("7104", "answer", "execute_extension away", "set after=yes", "park"),
        extension("away", "transfer gone", "set after=no"),
        extension("gone", "set went=gone", "park"),
        extension("7105", "push list=a", "push list=b", "unshift list=z", "set x=1", "set y=2", "multiunset ^^:x:y",
                  "set second=${list[1]}", "bridge_export carried=over", "answer", "park"),
        extension("7106", f"set_user 1001@{s.domain} his_", "check_acl 127.0.0.1 loopback.auto", "verbose_events", "answer", "park"),
        extension("7107", "check_acl 127.0.0.1 rfc1918.auto CALL_REJECTED", "answer", "park"),
        extension("7108", "answer", "sched_hangup +1 USER_BUSY", "park"),
        extension("7109", "answer", "sched_transfer +1 gone XML default", "park"),
        extension("7110", "answer", f"sched_broadcast +1 {ask} aleg", "park"),
        extension("7111", "answer", "sched_hangup +1", "sched_cancel", "park"),
        extension("7112", "answer", "queue_dtmf 77#", "read 1 5 silence_stream://2000 got 1000 #", "park"),
        extension("7113", f"export hold_music={music}", "bridge user/1001"),
        extension("7135", "bridge user/1001"),
        extension("7114", "set park_timeout=1:USER_BUSY", "answer", "park"),
        extension("7116", "bridge loopback/9196"),
        extension("7117", "set continue_on_fail=true", "bridge loopback/app=nosuchapp:a b", "set went=${originate_disposition}", "answer",
                  "park"),
        extension("7118", "hangup USER_BUSY"),
        extension("7119", "set loopback_export=told", "bridge {told=yes,loopback_bowout=false}loopback/1001/default/XML"),
        extension("7128", "bridge loopback/1001/default/XML"),
        extension("7129", "answer", "set text=ab-42", "capture got|${text}|^(\\w+)-(\\d+)$", "session_loglevel debug", "park"),
        extension("7130", "sched_hangup +100", "answer", "park"),
        extension("7131", "bridge loopback/7131"),
        extension("7132", "bridge loopback/7101"),
        extension("7120", f"bridge loopback/app=playback:{ask}"),
        extension("7121", "limit hash tests one 1", "answer", "park"),
        extension("limit_exceeded", "hangup SWITCH_CONGESTION"),
        extension("7122", "limit hash tests one 1 !USER_BUSY", "answer", "park"),
        extension("7123", "limit db tests two 1 elsewhere XML default", "answer", "park"),
        extension("elsewhere", "set went=elsewhere", "answer", "park"),
        extension("7124", "limit hash tests rate 2/60 !USER_BUSY", "hangup NORMAL_CLEARING"),
        extension("7125", "answer", "limit_execute hash tests three 1 park"),
        extension("7126", "limit hash tests four -1", "answer", "limit hash tests five", "park"),
        extension("7127", "answer", "db insert/tests/from_call/${destination_number}", "group insert:crew:user/1001@${domain_name}",
                  "group insert:crew:user/1000@${domain_name}", "park"),
        extension("7115", "answer", f"loop_playback +3 {bad}", "hangup"),
    ]
    write_extensions(s, extensions)
    s.start()
    yield s
    s.stop()


def test_read(sw, phone, parked):
    a = phone("1000")
    call(a, "7101")
    assert heard_ms(listen(a, 0.6), 523, 4000) > 300  # the prompt
    press(a, "12")
    assert heard_ms(listen(a, 0.4), 523, 4000) < 200  # the first key ended it
    press(a, "3#", 2000)
    var = parked()
    assert (var("got"), var("read_result"), var("read_terminator_used")) == ("123", "success", "#")
    a.bye()


def test_read_until_nobody_presses(sw, phone, parked):
    a = phone("1000")
    call(a, "7101")
    listen(a, 0.2)
    press(a, "12")
    var = parked()
    assert (var("got"), var("read_result")) == ("12", "timeout")
    a.bye()


def test_read_too_few(sw, phone, parked):
    a = phone("1000")
    call(a, "7101")
    listen(a, 0.2)
    press(a, "1")
    var = parked()
    assert (var("got"), var("read_result")) == ("1", "failure")
    a.bye()


def test_play_and_get_digits_second_try(sw, phone, parked):
    a = phone("1000")
    call(a, "7102")
    listen(a, 0.2)
    press(a, "99#")
    x = listen(a, 0.6)
    assert heard_ms(x, 700, 4000) > 200  # what was pressed is wrong
    press(a, "125", 2000)  # three are enough: no terminator
    var = parked()
    assert (var("pin"), var("pin_invalid"), var("went")) == ("125", "99", "_undef_")
    a.bye()


def test_play_and_get_digits_fails_to_an_extension(sw, phone, parked):
    a = phone("1000")
    call(a, "7102")
    for start in (1000, 2000):
        listen(a, 0.4)
        press(a, "88#", start)
    var = parked()
    assert (var("pin"), var("went")) == ("_undef_", "wrong")
    a.bye()


def test_execute_extension_returns(sw, phone, parked):
    a = phone("1000")
    call(a, "7103")
    var = parked()
    assert (var("where"), var("deep"), var("after")) == ("inner 7103", "yes", "yes inner 7103")
    assert var("destination_number") == "7103"
    a.bye()


def test_execute_extension_that_transfers(sw, phone, parked):
    a = phone("1000")
    call(a, "7104")
    var = parked()
    assert (var("went"), var("after"), var("destination_number")) == ("gone", "_undef_", "gone")
    a.bye()


def test_arrays_and_lists(sw, phone, parked):
    a = phone("1000")
    call(a, "7105")
    var = parked()
    assert var("list") == "ARRAY::z|:a|:b"
    assert var("second") == "a"
    assert (var("x"), var("y")) == ("_undef_", "_undef_")
    assert var("bridge_export_vars") == "carried"
    a.bye()


def test_set_user_and_check_acl(sw, phone, parked):
    a = phone("1000")
    events = sw.esl()
    events.subscribe("CHANNEL_CALLSTATE")
    call(a, "7106")
    var = parked()
    assert (var("his_user_name"), var("his_domain_name")) == ("1001", sw.domain)
    assert var("his_user_context") == "default"
    assert "variable_his_user_name" in events.wait_event("CHANNEL_CALLSTATE", **{"Answer-State": "answered"})
    events.close()
    a.bye()
    a.invite("7107")
    a.ack_failure(a.expect(603))


@pytest.mark.clock
def test_sched_hangup(sw, phone):
    a = phone("1000")
    call(a, "7108")
    start = time.monotonic()
    bye = a.expect(method="BYE", timeout=5)
    assert 0.8 < time.monotonic() - start < 2.5 and "USER_BUSY" in bye.get("Reason")
    a.reply(bye, 200, "OK")


@pytest.mark.clock
def test_sched_transfer(sw, phone, parked):
    a = phone("1000")
    call(a, "7109")
    parked()
    assert parked()("went") == "gone"
    a.bye()


@pytest.mark.clock
def test_sched_broadcast(sw, phone):
    a = phone("1000")
    call(a, "7110")
    assert heard_ms(listen(a, 2.5), 523, 4000) > 800
    a.bye()


@pytest.mark.clock
def test_sched_cancel(sw, phone):
    a = phone("1000")
    call(a, "7111")
    a.expect_nothing("BYE", 1.8)
    a.bye()


def test_tasks_go_with_their_call(sw, phone, parked):
    a = phone("1000")
    call(a, "7130")
    uuid = parked()("uuid")
    assert uuid in sw.api("show tasks")
    a.bye()
    sw.wait_calls(0)
    assert uuid not in sw.api("show tasks")


def test_queued_digits_are_read(sw, phone, parked):
    a = phone("1000")
    call(a, "7112")
    var = parked()
    assert (var("got"), var("read_result")) == ("77", "success")
    a.bye()


def test_park_timeout(sw, phone):
    a = phone("1000")
    call(a, "7114")
    bye = a.expect(method="BYE", timeout=5)
    assert "USER_BUSY" in bye.get("Reason")
    a.reply(bye, 200, "OK")


def test_loop_playback(sw, phone):
    a = phone("1000")
    call(a, "7115")
    assert heard_ms(listen(a, 1.2), 700, 4000) > 700
    ended(a, timeout=5)


def test_hold_music(sw, phone):
    """B puts the call on hold: A hears hold_music, and no more of it after the resume."""
    a, b = phone("1000"), phone("1001")
    a.invite("7113")
    b.take()
    a.answered()
    listen(a, 0.2)
    b.own_request("INVITE", body=sdp(b.rtp_port, direction="sendonly", version=2))
    ok = b.expect(200)
    b.own_request("ACK", cseq=int(ok.get("CSeq").split()[0]))
    assert heard_ms(listen(a, 0.8), 880, 4000) > 500
    b.own_request("INVITE", body=sdp(b.rtp_port, version=3))
    ok = b.expect(200)
    b.own_request("ACK", cseq=int(ok.get("CSeq").split()[0]))
    listen(a, 0.2)
    assert heard_ms(listen(a, 0.5), 880, 4000) == 0
    a.bye()
    ended(b)


def test_hold_music_of_the_profile(sw, phone):
    """Without the variable, the profile's hold-music is heard."""
    a, b = phone("1000"), phone("1001")
    was = sw.api("global_getvar hold_music")
    assert was, "conf/ has one"
    sw.api("global_setvar hold_music=")
    try:
        a.invite("7135")
        b.take()
        a.answered()
        listen(a, 0.2)
        b.own_request("INVITE", body=sdp(b.rtp_port, direction="sendonly", version=2))
        ok = b.expect(200)
        b.own_request("ACK", cseq=int(ok.get("CSeq").split()[0]))
        assert len(set(listen(a, 0.8))) > 8, "music has more than one level"
        a.bye()
        ended(b)
    finally:
        sw.api(f"global_setvar hold_music={was}")


def test_loopback_echo(sw, phone):
    a = phone("1000")
    call(a, "7116")
    a.media.settimeout(0.05)
    heard = 0
    for n in range(60):
        a.media.sendto(rtp(n, payload=b"\x33" * 160), ("127.0.0.1", a.remote_rtp))
        try:
            heard += a.media.recv(2000)[12:] == b"\x33" * 160
        except TimeoutError:
            pass
    assert heard > 40
    assert "3 total" in sw.api("show channels count")
    rows = sw.api("show channels")
    assert "loopback/9196-a" in rows and "loopback/9196-b" in rows
    a.bye()


def test_loopback_between_phones(sw, phone):
    """Ringing, sound both ways and digits pass through the pair; either end's hang-up ends all four legs."""
    a, b = phone("1000"), phone("1001")
    for ender in (a, b):
        a.invite("7119")
        i = b.expect(method="INVITE")
        b.reply(i, 180, "Ringing")
        a.expect(183)  # the extension sends ringback
        b.reply(i, 200, "OK", sdp(b.rtp_port))
        b.expect(method="ACK")
        b.enter(i)
        b.remote_rtp = int(i.body.split("m=audio ")[1].split(" ")[0])
        a.answered()
        for p, q, byte in ((a, b, b"\x33"), (b, a, b"\x44")):
            q.media.settimeout(0.05)
            heard = 0
            for n in range(40):
                p.media.sendto(rtp(n, payload=byte * 160), ("127.0.0.1", p.remote_rtp))
                try:
                    heard += q.media.recv(2000)[12:] == byte * 160
                except TimeoutError:
                    pass
            assert heard > 25
        assert "4 total" in sw.api("show channels count")
        if ender is a:
            a.bye()
            ended(b)
        else:
            b.own_request("BYE")
            b.expect(200)
            ended(a)
        sw.wait_calls(0)


def test_loopback_bows_out(sw, phone):
    """Both ends bridged: the phones are joined directly, the sound goes on, and a hang-up ends both."""
    a, b = phone("1000"), phone("1001")
    for ender in (a, b):
        a.invite("7128")
        i = b.take()
        b.remote_rtp = int(i.body.split("m=audio ")[1].split(" ")[0])
        a.answered()
        sw.wait_calls(2)
        assert "loopback" not in sw.api("show channels") and "1 total" in sw.api("show bridged_calls count")
        for p, q, byte in ((a, b, b"\x33"), (b, a, b"\x44")):
            q.media.settimeout(0.05)
            heard = 0
            for n in range(40):
                p.media.sendto(rtp(n, payload=byte * 160), ("127.0.0.1", p.remote_rtp))
                try:
                    heard += q.media.recv(2000)[12:] == byte * 160
                except TimeoutError:
                    pass
            assert heard > 25
        if ender is a:
            a.bye()
            ended(b)
        else:
            b.own_request("BYE")
            b.expect(200)
            ended(a)
        sw.wait_calls(0)


def test_loopback_to_itself_ends(sw):
    assert originate(sw, "loopback/7131/default &park()")().startswith("-ERR")
    sw.wait_calls(0)


def test_digits_through_a_loopback(sw, phone, parked):
    a = phone("1000")
    call(a, "7132")
    assert heard_ms(listen(a, 0.6), 523, 4000) > 300
    press(a, "123#")
    var = parked()
    assert (var("got"), var("read_result"), var("loopback_leg")) == ("123", "success", "B")
    a.bye()


def test_hold_of_a_loopback(sw, phone):
    """uuid_hold on one side of the pair is a hold for the other."""
    uuid = originate(sw, "loopback/9196/default &park()")().split()[1]
    other = sw.api(f"uuid_getvar {uuid} other_loopback_leg_uuid")
    events = sw.esl()
    events.subscribe("CHANNEL_HOLD CHANNEL_UNHOLD")
    sw.api(f"uuid_hold {uuid}")
    assert events.wait_event("CHANNEL_HOLD")["Unique-ID"] == other
    sw.api(f"uuid_hold off {uuid}")
    assert events.wait_event("CHANNEL_UNHOLD")["Unique-ID"] == other
    events.close()
    sw.api(f"uuid_kill {uuid}")
    sw.wait_calls(0)


def test_capture(sw, phone, parked):
    a = phone("1000")
    call(a, "7129")
    assert parked()("got") == "ARRAY::ab|:42"
    a.bye()


def test_loopback_is_cancelled(sw, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("7119")
    i = b.expect(method="INVITE")
    b.reply(i, 180, "Ringing")
    a.expect(183)  # the extension sends ringback
    a.cancel()
    cancel = b.expect(method="CANCEL")
    b.reply(cancel, 200, "OK", tag=False)
    b.reply(i, 487, "Request Terminated")
    b.expect(method="ACK")
    a.ack_failure(a.expect(487))


def test_loopback_application(sw, phone, parked):
    a = phone("1000")
    call(a, "7117")  # there is no such application; its early media came before it
    assert parked()("went") == "SUCCESS"
    a.bye()
    a.invite("7120")  # early media from an application
    a.remote_rtp = int(a.expect(183).body.split("m=audio ")[1].split(" ")[0])
    assert heard_ms(listen(a, 1), 523, 4000) > 600
    a.cancel()
    a.ack_failure(a.expect(487))


def test_loopback_originate(sw):
    assert originate(sw, "loopback/7118/default &park()")() == "-ERR USER_BUSY\n"
    assert originate(sw, "loopback/nobody/default &park()")() == "-ERR NO_ROUTE_DESTINATION\n"
    assert originate(sw, "loopback/ &park()")().startswith("-ERR")
    reply = originate(sw, "loopback/9196/default &park()")()
    assert reply.startswith("+OK")
    sw.wait_calls(2)  # those of the refused ones go in their own time
    uuid = reply.split()[1]
    other = sw.api(f"uuid_getvar {uuid} other_loopback_leg_uuid")
    assert sw.api(f"uuid_getvar {other} other_loopback_leg_uuid") == uuid
    assert sw.api(f"uuid_getvar {uuid} loopback_leg") + sw.api(f"uuid_getvar {other} loopback_leg") == "AB"
    assert sw.api(f"uuid_kill {other} USER_BUSY") == "+OK\n"
    sw.wait_calls(0)


def usage(sw, name, backend="hash"):
    return sw.api(f"limit_usage {backend} tests {name}")


def test_limit_transfers(sw, phone, parked):
    a, b = phone("1000"), phone("1001")
    call(a, "7121")
    var = parked()
    assert usage(sw, "one") == "1" and sw.api("limit_hash_usage tests one") == "1"
    assert (var("limit_usage"), var("limit_usage_tests_one")) == ("1", "1")
    b.invite("7121")  # the second goes to limit_exceeded of its context
    b.ack_failure(b.expect(503))
    b.invite("7122")  # or is refused
    b.ack_failure(b.expect(486))
    assert usage(sw, "one") == "1"
    a.bye()
    sw.wait_calls(0)
    assert usage(sw, "one") == "0"
    call(b, "7122")
    b.bye()


def test_limit_to_an_extension_and_over_a_transfer(sw, phone, parked):
    a, b = phone("1000"), phone("1001")
    call(a, "7123")
    first = parked()
    call(b, "7123")
    assert parked()("went") == "elsewhere"
    assert usage(sw, "two", "db") == "1"
    sw.api(f"uuid_transfer {first('uuid')} elsewhere")  # what a leg held goes with a transfer
    parked()
    assert usage(sw, "two", "db") == "0"
    a.bye()
    b.bye()


def test_limit_rate(sw, phone):
    a = phone("1000")
    for code in (480, 480, 486):
        a.invite("7124")
        a.ack_failure(a.expect(code))
    assert sw.api("limit_usage hash tests rate rate") == "3"
    assert sw.api("limit_interval_reset hash tests rate") == "+OK"
    a.invite("7124")
    a.ack_failure(a.expect(480))


def test_limit_execute_and_counting_only(sw, phone, parked):
    a, b = phone("1000"), phone("1001")
    call(a, "7125")
    parked()
    call(b, "7125")  # over the limit: nothing is run, and the list is at its end
    ended(b)
    assert usage(sw, "three") == "1"
    call(b, "7126")
    parked()
    assert (usage(sw, "four"), usage(sw, "five")) == ("1", "1")
    a.bye()
    b.bye()
    sw.wait_calls(0)
    assert [usage(sw, n) for n in ("three", "four", "five")] == ["0", "0", "0"]


GOLDEN = [  # ../shared/golden/api/db-hash-limit.txt
    ("db", "!err!"), ("db insert/lab/k1/v1", "+OK"), ("db select/lab/k1", "v1"), ("db select/lab/nosuch", "-ERR no reply\n"),
    ("db exists/lab/k1", "true"), ("db exists/lab/nosuch", "false"), ("db list/", "lab"), ("db list/lab", "k1"), ("db count/lab", "1"),
    ("db delete/lab/k1", "+OK"), ("db delete/lab/nosuch", "+OK"), ("db select/lab/k1", "-ERR no reply\n"), ("db nosuch/a", "!err!"),
    ("db insert/x", "!err!"), ("limit_usage", "USAGE: limit_usage <backend> <realm> <id> [rate]\n"), ("limit_usage hash realm1 id1", "0"),
    ("limit_usage nosuch a b", "0"), ("limit_reset", "USAGE: limit_reset <backend>\n"), ("limit_reset hash", "-ERR"),
    ("limit_hash_usage realm1 id1", "0"), ("limit_interval_reset", "USAGE: limit_interval_reset <backend> <realm> <resource>\n"),
    ("limit_interval_reset hash realm id", "+OK"), ("limit_status", "USAGE: limit_status <backend>\n"),
    ("limit_status hash", "-ERR not supported yet (locking problems)."),
]


def test_limit_from_outside(sw, phone, parked):
    a, b = phone("1000"), phone("1001")
    call(a, "7129")
    uuid = parked()("uuid")
    assert sw.api(f"uuid_limit {uuid} hash tests six 1") == "+OK" and usage(sw, "six") == "1"
    assert sw.api(f"uuid_limit {uuid} hash tests six 1") == "+OK" and usage(sw, "six") == "1"  # it has it already
    assert sw.api(f"uuid_limit_release {uuid} hash tests six") == "+OK" and usage(sw, "six") == "0"
    assert sw.api(f"uuid_limit {uuid} hash tests six 1") == "+OK"
    call(b, "7129")
    other = parked()("uuid")
    sw.api(f"uuid_limit {other} hash tests six 1 !USER_BUSY")
    bye = b.expect(method="BYE")
    assert "USER_BUSY" in bye.get("Reason")
    b.reply(bye, 200, "OK")
    assert sw.api("uuid_limit nosuch hash tests six") == "-ERR Cannot find session with uuid nosuch\n"
    a.bye()


def test_db_and_limit_commands(sw):
    assert [(c, sw.api(c)) for c, _ in GOLDEN] == GOLDEN
    assert sw.api("show limits") == "type,name,ikey\nlimit,db,mod_db\nlimit,hash,mod_hash\n\n2 total.\n"


def test_db_and_groups_are_kept(sw, phone, parked):
    """What a call wrote is there, and still after a restart."""
    a = phone("1000")
    call(a, "7127")
    parked()
    kept = {"db select/tests/from_call": "7127", "db list/tests": "from_call", "group call:crew": f"user/1001@{sw.domain},user/1000@{sw.domain}",
            "group call:crew:order": f"user/1001@{sw.domain}|user/1000@{sw.domain}"}
    assert {c: sw.api(c) for c in kept} == kept
    assert sw.api("db insert/tests/gone/1") == "+OK" and sw.api("db delete/tests/gone") == "+OK"
    assert sw.api("group insert:crew:user/1002") == "+OK" and sw.api("group delete:crew:user/1002") == "+OK"
    assert sw.api("group nosuch") == "!err!"
    a.bye()
    sw.wait_calls(0)
    sw.stop()
    sw.start()
    deadline = time.monotonic() + 5
    while {c: sw.api(c) for c in kept} != kept:
        assert time.monotonic() < deadline, {c: sw.api(c) for c in kept}
        time.sleep(0.05)


def test_stock_voicemail_fall_through(tandem_vanilla):
    """Nobody answers at a stock extension: it goes on to loopback/app=voicemail, and the box is the called one's."""
    sw = tandem_vanilla
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE")
    a = Phone(sw, "1000")
    a.register()
    a.invite("1007")
    a.answered()
    assert events.wait_event("CHANNEL_EXECUTE", Application="voicemail")["Application-Data"] == "default 127.0.0.1 1007"
    a.bye()
    a.close(), events.close()
    sw.wait_calls(0)
