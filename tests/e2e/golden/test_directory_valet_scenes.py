"""The recorded scenes of the directory of names and of parking lots, played again: see scenes.py."""
import pytest
import scenes
from recordings import needs_recordings

pytestmark = needs_recordings
REASONS = [
    (r"directory-app-select", r"-(CUSTOM \[filestring::(open|close)\] leg=-|File: digits/#\.wav)",
     "a row of files that is broken off: its parts are told when it has ended"),
    (r"directory-app-select", r"[-+](PLAYBACK_STOP leg=# file_string:.* break|CHANNEL_CALLSTATE leg=# CS_EXECUTE ACTIVE)",
     "told a moment earlier: a digit ends what plays before it is told itself, a call is active before the other leg is"),
    (r"valet", r"[-+](PLAYBACK_STOP leg=# file_string:.* (done|break))", "who is fetched while he hears his number: it is broken off"),
    (r"valet", r"-(CUSTOM \[valet_parking::info\] leg=#|Valet-Lot-Name: .*|Valet-Extension: .*|Action: (hold|exit)|Hangup-Cause: NORMAL_CLEARING)",
     "who is fetched, or hangs up, before he was parked, was never on hold"),
    (r"valet", r"[-+]CHANNEL_(STATE leg=# CS_(HIBERNATE|RESET|EXECUTE|SOFT_EXECUTE|CONSUME_MEDIA) ACTIVE|EXECUTE leg=# (hangup\(\)|uuid_bridge\(UUID\))|EXECUTE_COMPLETE leg=# (hangup\(\)|uuid_bridge\(UUID\)) -> _none_)",
     "uuid_bridge keeps the state, and who was left by the other ends; there both go through two states more and the dialplan goes on"),
    (r"valet", r"[-+]UUID,inbound,.*", "show channels: a call's own uuid is its call_uuid from the start"),
    (r"valet", r"[-+]variable_inline_destination: .*", "the transfer back: its words in another order, by a separator that no file name has"),
]
NAMES = {"1001": "Alice Lab", "1002": "Bob Labor", "1003": "Carol Labs"}


def calls(play):
    return [line.split(",")[0] for line in play.sw.api("show channels").split("\n")[1:] if line.count(",") > 5]


def directory(play):
    play.phone("1000")
    play.call("1000", "9757")
    play.dial("1000", "*", most=4)
    play.dial("1000", "398", most=3)
    play.dial("1000", "1", most=3)
    play.hangup("1000", most=0)


def directory_select(play):
    for user in ("1000", "1001", "1002", "1003"):
        play.phone(user)
    for user, name in NAMES.items():
        path = play.sw.root / f"conf/directory/default/{user}.xml"
        path.write_text(path.read_text().replace("<variables>", f'<variables><variable name="directory_full_name" value="{name}"/>'))
    play.sw.api("reloadxml")
    play.call("1000", "9757")
    play.dial("1000", "522", most=4)
    play.dial("1000", "6", most=4)
    play.dial("1000", "1", most=4)
    play.hangup("1000", most=4)


def valet(play):
    for user in ("1000", "1001"):
        play.phone(user)
    play.call("1000", "9799")
    play.title("1001 picks", most=0.6)
    play.ask("valet-parked", *((c.split()[-1], u) for (c, _), u in zip(
        [r for r in scenes.replies("valet-parked") if r[0].startswith("uuid_dump")], calls(play))))
    play.call("1001", "97990")
    play.hangup("1001", most=1.5)
    play.call("1000", "6000", most=1)
    play.hangup("1000", most=3)


SCENES = {"directory-app-select": directory_select, "directory-app": directory, "valet": valet}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return scenes.play_all(tmp_path_factory.mktemp("directory"), SCENES)


@pytest.mark.parametrize("scene", SCENES)
def test_scene(results, scene):
    scenes.check(results, scene, REASONS)


def test_enough_is_equal(results):
    scenes.check_all(results, REASONS, apart=["valet"])
