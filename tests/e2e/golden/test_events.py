"""Events outside the course of a call, against the recordings of ../shared/golden/esl: names and order of their headers."""
import pytest
from recordings import needs_recordings
from test_call_events import Raw, headers, pairs, recorded
from ua import Ua
from wire import Phone

pytestmark = needs_recordings


def kind(e):
    d = dict(e)
    return d.get("Event-Subclass", d["Event-Name"])


def next_of(client, name):
    while True:
        e = pairs(client.event()[1])
        if kind(e) == name:
            return e


def test_heartbeat(tandem_vanilla):
    client = Raw(tandem_vanilla, "HEARTBEAT")
    client.esl.sock.settimeout(30)
    wanted = next(e for e in recorded("heartbeat.txt") if kind(e) == "HEARTBEAT")
    got = next_of(client, "HEARTBEAT")
    client.esl.close()
    assert headers(got) == headers(wanted)
    assert dict(got)["Event-Info"] == dict(wanted)["Event-Info"]


@pytest.mark.parametrize("subclass,expires", [("sofia::register", 300), ("sofia::unregister", 0), ("sofia::register_attempt", 300),
                                              ("sofia::pre_register", 300)])
def test_register(tandem_vanilla, subclass, expires):
    sw = tandem_vanilla
    wanted = [e for e in recorded("register-events.txt") if kind(e) == subclass]
    phone, client = Phone(sw, "1002"), Raw(sw, f"CUSTOM {subclass}")
    phone.register(300, "User-Agent: lab-ua\n")
    if not expires:
        phone.register(0, "User-Agent: lab-ua\n")
    got = next_of(client, subclass)
    phone.close(), client.esl.close()
    assert headers(got) == headers(wanted[0])


@pytest.mark.parametrize("name,expires", [("MESSAGE_QUERY", 300), ("PRESENCE_IN", 0)])
def test_registration_tells(tandem_vanilla, name, expires):
    """The first phone of a user asks for its messages; one that goes is seen to go."""
    sw = tandem_vanilla
    wanted = next(e for e in recorded("register-events.txt") if kind(e) == name)
    phone, client = Phone(sw, "1003"), Raw(sw, name)
    phone.register(300, "User-Agent: lab-ua\n")
    if not expires:
        phone.register(0, "User-Agent: lab-ua\n")
    got = next_of(client, name)
    phone.close(), client.esl.close()
    assert headers(got) == headers(wanted)
    sw.api("sofia profile internal flush_inbound_reg")


def test_schedule(tandem_vanilla):
    """A task is told as it is added, runs and goes; a repeated one as it comes again."""
    sw = tandem_vanilla
    wanted = [h for h in headers(next(e for e in recorded("heartbeat.txt") if kind(e) == "RE_SCHEDULE"))]
    client = Raw(sw, "ADD_SCHEDULE DEL_SCHEDULE RE_SCHEDULE RELOADXML")
    sw.api("sched_api @1 tests version")
    for name in ("ADD_SCHEDULE", "RE_SCHEDULE"):
        assert headers(next_of(client, name)) == wanted
    sw.api("sched_del tests")
    assert headers(next_of(client, "DEL_SCHEDULE")) == wanted
    sw.api("reloadxml")
    assert headers(next_of(client, "RELOADXML")) == wanted[:13]
    client.esl.close()


def test_answer_of_a_late_negotiated_call(tandem_vanilla):
    """The stock profile negotiates late: an application's answer is early media first (recorded in outbound-async-full.txt)."""
    sw = tandem_vanilla
    wanted = [kind(e) for e in recorded("outbound-async-full.txt") if kind(e) in ("CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER")]
    phone, client = Phone(sw, "1004"), Raw(sw, "CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_CALLSTATE")
    phone.invite("9664")
    got = []
    while "CHANNEL_ANSWER" not in [kind(e) for e in got]:
        got.append(pairs(client.event()[1]))
    got.append(next_of(client, "CHANNEL_CALLSTATE"))
    assert [kind(e) for e in got if kind(e) != "CHANNEL_CALLSTATE"] == wanted
    assert [dict(e)["Channel-Call-State"] for e in got if kind(e) == "CHANNEL_CALLSTATE"] == ["RINGING", "EARLY", "ACTIVE"]
    phone.answered()
    phone.bye()
    phone.close(), client.esl.close()
    sw.wait_calls(0)


def parked_call(sw, user):
    phone = Ua(sw, user).register()
    return phone, sw.api(f"originate user/{user} &park")[4:].strip()


@pytest.mark.parametrize("file,names,command", [
    ("dtmf-events.txt", ["DTMF"], "api uuid_recv_dtmf {} 5"),
    ("sendmsg.txt", ["CHANNEL_EXECUTE", "PLAYBACK_START", "PLAYBACK_STOP", "CHANNEL_EXECUTE_COMPLETE"],
     "sendmsg {}\ncall-command: execute\nexecute-app-name: playback\nexecute-app-arg: tone_stream://%(100,0,440)\nevent-uuid: my-event"),
    ("sendmsg.txt", ["CHANNEL_HANGUP"], "sendmsg {}\ncall-command: hangup\nhangup-cause: USER_BUSY"),
])
def test_events_of_commands(tandem_vanilla, file, names, command):
    """What a command raises: each event's headers in their order, and nothing else of these kinds in between."""
    sw = tandem_vanilla
    phone, uuid = parked_call(sw, "1006")
    client, other = Raw(sw, " ".join(names)), sw.esl()
    other.command(command.format(uuid))
    for name in names:
        got = pairs(client.event()[1])
        assert kind(got) == name
        fits = [e for e in recorded(file) if kind(e) == name]
        # whether a leg was called from here or calls, and what it has been through, decides about some headers
        optional = {"Caller-Callee-ID-Name", "Caller-Callee-ID-Number", "Caller-Orig-Caller-ID-Name", "Caller-Orig-Caller-ID-Number", "Caller-Network-Addr",
                    "Caller-ANI", "Caller-Caller-ID-Name", "Caller-Caller-ID-Number", "Caller-Dialplan", "Caller-Transfer-Source", "Caller-RDNIS",
                    "Caller-Username", "Application-UUID-Name", "Playback-File-Type"}
        steady = lambda e: [h for h in headers(e) if h not in optional]  # noqa: E731
        assert steady(got) in [steady(e) for e in fits], (name, set(steady(got)) ^ set(steady(fits[0])))
    sw.api(f"uuid_kill {uuid}")
    client.esl.close(), other.close(), phone.close()
    sw.wait_calls(0)
