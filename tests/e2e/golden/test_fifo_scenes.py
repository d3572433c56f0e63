"""The recorded scenes of queues (fifo), played again: see scenes.py."""
import pytest
import scenes
from recordings import needs_recordings

pytestmark = needs_recordings
QUEUE = "q1@127.0.0.1"
REASONS = [
    (r"fifo-(outbound-member|in-out|announce)", r"-CHANNEL_STATE leg=# CS_CONSUME_MEDIA ACTIVE",
     "passed through within a millisecond; whether its thread sees it is chance there (fifo-out-nowait has none)"),
    (r"fifo-.*", r"[-+]CHANNEL_(STATE leg=# CS_(HANGUP|REPORTING)|CALLSTATE leg=# CS_HANGUP|HANGUP_COMPLETE leg=#) .*",
     "a caller ends after his consumer told the end of their call; there the two legs are threads"),
    (r"fifo-in-out", r"\+(CUSTOM \[fifo::info\] leg=#|(FIFO|Bridge)-.*|Bridged-To: UUID|Hangup-Cause: NORMAL_CLEARING|Direction: SEND|Sent-Callee-ID-.*|CALL_UPDATE leg=#)",
     "a consumer takes the next caller (docs/differences.md); the recorded one, with an entry of fifo_add_outbound in the queue, takes nobody"),
    (r"fifo-in-out", r"\+CHANNEL_(BRIDGE leg=#|UNBRIDGE leg=#|STATE leg=# CS_(HIBERNATE|EXCHANGE_MEDIA) ACTIVE)",
     "a consumer takes the next caller (docs/differences.md); the recorded one, with an entry of fifo_add_outbound in the queue, takes nobody"),
    (r"fifo-in-out", r"[-+](FIFO-Action: abort|CHANNEL_EXECUTE_COMPLETE leg=# fifo\(q#@# in\) -> _none_)",
     "a consumer takes the next caller (docs/differences.md); the recorded one, with an entry of fifo_add_outbound in the queue, takes nobody"),
    (r"fifo-in-out", r"[-+](cool_fifo@|manual_calls|nosuch)[#:]+",
     "fifo count, of all queues: as they were made here, as they lie in a hash there; nosuch was made by a scene before"),
    (r"fifo-in-out", r"[-+]</?(fifo|callers?|consumers|bridges|outbound)\b.*", "fifo list, the same"),
    (r"fifo-.*", r"\+Other-Leg-Callee-ID-N(ame|umber): .*", "the other leg shows both its ids"),
    (r"fifo-.*", r"\+variable_last_bridge_role: originator", "the recorded dumps have none while the two talk"),
    (r"fifo-outbound-member", r"[-+]Caller-(Caller|Callee)-ID-Name: .*", "a caller keeps his own name; there the member's becomes the caller's"),
    (r"fifo-outbound-member", r"[-+](Caller|Other-Leg)-(Source|Network-Addr|Logical-Direction): .*",
     "a dialled leg is of the endpoint that dialled it, and goes out; there of originate"),
    (r"fifo-outbound-member", r"[-+]Channel-HIT-Dialplan: .*", "a member runs an application, not the dialplan"),
    (r"fifo-outbound-member", r"-variable_(channel_cid_flipped|pre_transfer_caller_id_.*|origination_caller_id_.*|absolute_codec_string|rtp_use_codec_string|fifo_(originate|bridge)_uuid|call_uuid): .*",
     "variables by which the recorded program keeps what happens within"),
    (r"fifo-outbound-member", r"\+variable_max_forwards: #", "70 there for callers only"),
]


def calls(play):
    return [line.split(",")[0] for line in play.sw.api("show channels").split("\n")[1:] if line.count(",") > 5]


def dumps(name, play):
    """The recorded uuids of that file's calls, and those of today's, in the order of `show channels`."""
    there = [c.split()[-1] for c, _ in scenes.replies(name) if c.startswith("uuid_dump")]
    return list(zip(there, calls(play)))


def in_out(play):
    for user in ("1000", "1001", "1002"):
        play.phone(user)
    play.call("1000", "9740")
    play.heard.wait(lambda events: any("push" in x for e in events for x in e.lines), 5)
    play.ask("fifo-waiting", *dumps("fifo-waiting", play))
    play.call("1001", "9741", most=2)
    play.heard.wait(lambda events: any(e.first.startswith("CHANNEL_BRIDGE") for e in events), 5)
    play.ask("fifo-bridged", *dumps("fifo-bridged", play))
    play.hangup("1000")
    play.call("1002", "9740", most=1)
    play.hangup("1001")


def out_nowait(play):
    for user in ("1000", "1001"):
        play.phone(user)
    play.call("1001", "9742")
    play.call("1000", "9740", most=1)
    play.call("1001", "9742", most=1)
    play.hangup("1000")


def announce(play):
    for user in ("1000", "1001"):
        play.phone(user)
    play.call("1000", "9743")
    play.call("1001", "9741", most=2)
    play.hangup("1001", most=2)


def exit_key(play):
    play.phone("1000")
    play.call("1000", "9744")
    play.title("dial *", most=5)
    play.phones["1000"].talker.press("*", ms=40)


def outbound(play):
    for user in ("1000", "1001"):
        play.phone(user)
    play.phones["1001"].ring_s = 0.7
    play.command(f"fifo_member add {QUEUE} {{fifo_member_wait=nowait}}user/1001@127.0.0.1 1 5 2", "outbound member")
    play.call("1000", "9740")
    play.heard.wait(lambda events: any(e.first.startswith("CHANNEL_BRIDGE") for e in events), 8)
    play.ask("fifo-outbound-bridged", *dumps("fifo-outbound-bridged", play))
    play.hangup("1000")
    play.title("second caller", most=2.5)
    play.phones["1001"].answer = "ring"
    play.call("1000", "9740", most=3)
    play.heard.wait(lambda events: any(e.first == "CHANNEL_STATE leg=4 CS_DESTROY HANGUP" for e in events), 12)
    play.ask("fifo-outbound-noanswer")
    play.hangup("1000", most=2, leg=3)
    play.command(f"fifo_member del {QUEUE} {{fifo_member_wait=nowait}}user/1001@127.0.0.1", "fifo_member del")


SCENES = {"fifo-outbound-member": outbound, "fifo-in-out": in_out, "fifo-exit-key": exit_key, "fifo-out-nowait": out_nowait,
          "fifo-announce": announce}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return scenes.play_all(tmp_path_factory.mktemp("fifo"), SCENES)


@pytest.mark.parametrize("scene", SCENES)
def test_scene(results, scene):
    scenes.check(results, scene, REASONS)


def test_enough_is_equal(results):
    scenes.check_all(results, REASONS, apart=["fifo-in-out"])
