"""Applications that mark a leg or ask one thing of it: mutex, heartbeats, presence, what runs after the hang-up, commands of the system,
pickup, break and the like."""
import subprocess
import time

import clock
import pytest
from calls import call, call_and_talk, ended, extension, is_pair, talks, write_extensions
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("small") / "instance")
    conf = s.root / "conf/autoload_configs/switch.conf.xml"
    conf.write_text(conf.read_text().replace('name="system-commands" value="false"', 'name="system-commands" value="true"'))
    f = s.root
    extensions = [
        extension("7501", "answer", "mutex door", "event Event-Name=CUSTOM,Event-Subclass=has::it", "park"),
        extension("7502", "answer", "mutex door", "mutex door off", "event Event-Name=CUSTOM,Event-Subclass=left::it", "park"),
        extension("7503", "answer", "set mutex_timeout=1", "set mutex_orbit_exten=orbit", "mutex door on", "park"),
        extension("orbit", "set went=orbit", "park"),
        extension("7504", "answer", "enable_heartbeat 1", "sleep 60000"),
        extension("7505", "answer", "enable_keepalive 1", "sleep 60000"),
        extension("7506", "set enable_heartbeat_events=1", "answer", "sleep 60000"),
        extension("7507", "presence busy talking 1000@example", "set presence_id=1000@other", "presence away gone", "answer", "park"),
        extension("7508", "set_zombie_exec", "answer", "sleep 60000", "set after=yes",
                  "event Event-Name=CUSTOM,Event-Subclass=after::all,Was=${after}", "playback nothing.wav"),
        extension("7509", "answer", f"system echo said; echo ran >> {f}/ran", f"bgsystem echo bg >> {f}/bg; sleep 0.2; echo end >> {f}/bg",
                  f"mkdir {f}/a/b/c", f"rename {f}/ran {f}/a/b/c/moved", "park"),
        extension("7510", "answer", "system sleep 100", "park"),
        extension("7511", "bridge user/1001,pickup/desk"),
        extension("7512", "pickup desk", "answer", "set went=nobody", "park"),
        extension("7513", "answer", "playback silence_stream://60000", "set went=on", "park"),
        extension("7514", "answer", "park_state"),
        extension("7515", "set_profile_var rdnis=77", "reuse_caller_profile", "transfer 7516"),
        extension("7516", "answer", "set index=${profile_index}", "park"),
        extension("7517", "privacy name", "privacy number", "strftime when=%Y", "jitterbuffer 60:200:20", "jitterbuffer soon", "novideo",
                  "early_hangup", "recovery_refresh", "blind_transfer_ack true", "unloop", "media_reset", "filter_codecs G722,PCMA@20i",
                  "answer", "media_reset", "park"),
        extension("7518", "answer", "sleep 300", "set_media_stats", "park"),
        extension("7519", "answer", "sleep 60000"),
        extension("7520", "answer", "transfer -bleg nowhere", "set went=past", "park"),
        extension("7522", "answer", "broadcast tone_stream://%(10000,0,900) aleg", "sleep 60000"),
        extension("7526", "set hangup_after_bridge=false", "sched_hangup +1 NORMAL_CLEARING bleg", "bridge user/1001", "set went=on", "park"),
        extension("7527", "answer", "hold Please wait", "park"),
        extension("7528", "bridge user/1001"),
        extension("7529", "park"),
        extension("7524", "answer", "deflect sip:1002@example.invalid", "park"),
        extension("7525", "answer", "deflect 1002", "park"),
        extension("7523", "answer", "read 8 8 silence_stream://100 keys 5000 #", "park"),
    ]
    write_extensions(s, extensions)
    s.start()
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe()
    yield e
    e.close()


def parked(sw, events):
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    return lambda name: sw.api(f"uuid_getvar {uuid} {name}")


def test_mutex(sw, phone, events):
    """In order of asking; hanging up passes it on, whoever waits may hang up, and time may be over."""
    a, b, c, d = phone("1000"), phone("1001"), phone("1002"), phone("1003")
    call(a, "7501")
    first = events.wait_event("CUSTOM", Event_Subclass="has::it")["Unique-ID"]
    call(b, "7501")
    second = events.wait_event("CHANNEL_EXECUTE", Application="mutex")["Unique-ID"]
    call(c, "7501")
    third = events.wait_event("CHANNEL_EXECUTE", Application="mutex")["Unique-ID"]
    call(d, "7503")
    events.wait_event("CHANNEL_PARK", Caller_Destination_Number="orbit")
    d.bye()
    b.bye()
    a.bye()
    assert events.wait_event("CUSTOM", Event_Subclass="has::it")["Unique-ID"] == third
    assert len({first, second, third}) == 3
    call(a, "7502")
    c.bye()
    events.wait_event("CUSTOM", Event_Subclass="left::it")
    call(b, "7501")
    events.wait_event("CUSTOM", Event_Subclass="has::it")


def test_heartbeats(sw, phone, events):
    a = phone("1000")
    for number in ("7504", "7506"):
        call(a, number)
        uuid = events.wait_event("CHANNEL_ANSWER")["Unique-ID"]
        for _ in range(2):
            assert events.wait_event("SESSION_HEARTBEAT")["Unique-ID"] == uuid
        a.bye()
        sw.wait_calls(0)
    call(a, "7505")
    info = a.expect(method="INFO")
    a.reply(info, 200, "OK")
    assert info.body == "KEEP-ALIVE 1\n" and info.get("Content-Type") == "text/plain"
    a.bye()


def test_presence(sw, phone, events):
    a = phone("1000")
    call(a, "7507")
    told = events.wait_event("PRESENCE_IN", rpid="busy")
    assert (told["from"], told["status"], told["proto"]) == ("1000@example", "talking", "any")
    assert events.wait_event("PRESENCE_IN", rpid="away")["from"] == "1000@other"


def test_after_the_hangup(sw, phone, events):
    """What may run after the hang-up does, with the leg's variables; the rest is left out."""
    a = phone("1000")
    call(a, "7508")
    events.wait_event("CHANNEL_EXECUTE", Application="sleep")
    a.bye()
    assert events.wait_event("CUSTOM", Event_Subclass="after::all")["Was"] == "yes"
    assert events.wait_event("CHANNEL_HANGUP_COMPLETE")["variable_after"] == "yes"
    sw.wait_log("playback cannot run after the hang-up")
    sw.wait_calls(0)


def test_system(sw, phone, events):
    a = phone("1000")
    call(a, "7509")
    parked(sw, events)
    assert (sw.root / "a/b/c/moved").read_text() == "ran\n"
    deadline = time.monotonic() + 10
    while "end" not in ((sw.root / "bg").read_text() if (sw.root / "bg").exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    call(phone("1001"), "7510")  # the command goes on, the leg does not wait for it
    events.wait_event("CHANNEL_EXECUTE", Application="system")
    sw.api("hupall")
    sw.wait_calls(0)
    subprocess.run(["pkill", "-P", str(sw.proc.pid), "-f", "sleep 100"])


def test_pickup(sw, phone, events):
    """A call rings a phone and waits for a key; who runs pickup gets it."""
    a, b, c = phone("1000", 400), phone("1001"), phone("1002", 700)
    call(c, "7512")
    assert parked(sw, events)("went") == "nobody"
    c.bye()
    a.invite("7511")
    ring = b.expect(method="INVITE")
    b.reply(ring, 180, "Ringing")
    a.expect(180)
    c.invite("7512")
    c.answered()
    cancel = b.expect(method="CANCEL")
    b.reply(cancel, 200, "OK", tag=False)
    b.reply(ring, 487, "Request Terminated")
    b.expect(method="ACK")
    a.answered()
    talks(a, c)
    is_pair(a, c)
    a.bye()
    ended(c)


def test_break(sw, phone, events):
    """Asked for from outside, it ends what runs; the dialplan goes on."""
    a = phone("1000")
    call(a, "7513")
    uuid = events.wait_event("PLAYBACK_START")["Unique-ID"]
    events.command(f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: break")
    assert events.wait_event("PLAYBACK_STOP")["Playback-Status"] == "break"
    assert parked(sw, events)("went") == "on"


def test_park_state(sw, phone, events):
    a = phone("1000")
    call(a, "7514")
    assert events.wait_event("CHANNEL_PARK")["Channel-State"] == "CS_PARK"


def test_profile_reused(sw, phone, events):
    a = phone("1000")
    call(a, "7515")
    e = events.wait_event("CHANNEL_PARK")
    assert (e["Caller-Destination-Number"], e["Caller-RDNIS"], e["Caller-Profile-Index"]) == ("7516", "77", "1")


@pytest.mark.clock
def test_marks(sw, phone, events):
    a = phone("1000")
    begun_s = clock.now_s()
    a.invite("7517", body=sdp(a.rtp_port, formats=(0, 8, 101)))
    ok = a.answered()
    e = events.wait_event("CHANNEL_PARK")
    assert (e["Caller-Privacy-Hide-Name"], e["Caller-Privacy-Hide-Number"], e["Caller-Screen-Bit"]) == ("true", "true", "true")
    assert e["variable_when"] in {time.strftime("%Y", time.localtime(s)) for s in (begun_s, clock.now_s())}
    assert e["variable_jitterbuffer_msec"] == "60:200:20"
    assert "RTP/AVP 8" in ok.body
    sw.wait_log("does not work once media has been established")
    sw.wait_log("jitterbuffer_msec: \"soon\"")


def test_statistics(sw, phone, events):
    a = phone("1000")
    call_and_talk(a, "7518")
    e = events.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="set_media_stats")
    assert int(e["variable_rtp_audio_in_packet_count"]) > 0


def test_transfer_of_the_other(sw, phone, events):
    """-bleg without one changes nothing."""
    a = phone("1000")
    call(a, "7520")
    assert parked(sw, events)("went") == "past"
    sw.wait_log("No B-leg present.")


def pair(sw, phone, events, number="7528"):
    """Two phones in a bridge; and the caller's leg, the other's."""
    a, b = phone("1000"), phone("1001")
    a.invite(number)
    b.take()
    a.answered()
    e = events.wait_event("CHANNEL_BRIDGE")
    return a, b, e["Bridge-A-Unique-ID"], e["Bridge-B-Unique-ID"]


def test_transfer_of_both(sw, phone, events):
    _, _, *legs = pair(sw, phone, events)
    sw.api(f"uuid_broadcast {legs[0]} 'transfer::-both 7529 XML default' aleg")
    assert {events.wait_event("CHANNEL_PARK")["Unique-ID"] for _ in range(2)} == set(legs)
    assert "2 total" in sw.api("show channels count")


def test_variables_for_the_other(sw, phone, events):
    _, _, a_leg, b_leg = pair(sw, phone, events)
    for name in ("his_one", "his_two", "mine", "its"):
        sw.api(f"uuid_setvar {a_leg} {name} {name}!")
    for what in ("~his_", "its"):
        sw.api(f"uuid_broadcast {a_leg} transfer_vars::{what} aleg")
        events.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="transfer_vars")
    there = [sw.api(f"uuid_getvar {b_leg} {name}") for name in ("his_one", "his_two", "mine", "its")]
    assert there == ["his_one!", "his_two!", "_undef_", "its!"]


def test_hangup_of_the_other_later(sw, phone, events):
    a, b, *_ = pair(sw, phone, events, "7526")
    ended(b)
    assert parked(sw, events)("went") == "on"


def test_hold_with_a_text(sw, phone, events):
    a = phone("1000")
    a.invite("7527", extra="X-FS-Support: update_display\n")
    a.answered()
    held = a.expect(method="INVITE")
    a.reply(held, 200, "OK", sdp(a.rtp_port, direction="recvonly", version=2))
    assert "a=sendonly" in held.body
    a.expect(method="ACK")
    shown = a.expect(method="INFO")
    a.reply(shown, 200, "OK")
    assert (shown.get("X-FS-Display-Name"), shown.get("X-FS-Display-Number")) == ("Please wait", "7527")
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    sw.api(f"uuid_transfer {uuid} unhold,park inline")
    back = a.expect(method="INVITE")
    a.reply(back, 200, "OK", sdp(a.rtp_port, version=3))
    a.expect(method="ACK")
    assert "a=sendonly" not in back.body


def test_broadcast(sw, phone):
    a = call_and_talk(phone("1000"), "7522")
    a.talk.hears(900)


def test_digits_of_commands(sw, phone, events):
    """uuid_recv_dtmf's grammar: groups with their own length, a secret one; pauses are no digits."""
    a = phone("1000")
    call(a, "7523")
    uuid = events.wait_event("CHANNEL_EXECUTE", Application="read")["Unique-ID"]
    assert sw.api(f"uuid_recv_dtmf {uuid} 12@160+3W4w+~56@200+78").startswith("+OK")
    assert parked(sw, events)("keys") == "12345678"


@pytest.mark.parametrize("number, where", [("7524", "sip:1002@example.invalid"), ("7525", "sip:1002@127.0.0.1")])
def test_deflect(sw, phone, number, where):
    """The far side is asked to call there; once it has taken it, the call is over."""
    a = phone("1000")
    call(a, number)
    refer = a.expect(method="REFER")
    assert refer.get("Refer-To").startswith(f"<{where}")
    a.reply(refer, 202, "Accepted")
    a.request("NOTIFY", body="SIP/2.0 200 OK\r\n", ctype="message/sipfrag;version=2.0",
              extra="Event: refer\nSubscription-State: terminated;reason=noresource\n")
    a.expect(200)
    ended(a)
    sw.wait_calls(0)
