"""Variables that change while somebody reads them: a list that names itself, a hook that sets the hook, a value that a command in it sets.
On the sanitizer build every change of a leg's variables moves all of them (src/core/vars.c), so a view that is held too long ends the
program there; the marker runs these a second time on it."""
import pytest
import tandem as t
from calls import call, extension, write_extensions
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("views") / "instance")
    write_extensions(s, [
        extension("7601", "set foo=before", "set import=import,foo,bar", "bridge [import=zzz,foo=from_b,bar=too]null/x"),
        extension("7602", "answer", "set a=1", "set a=${a}2", "set a=${a}${a}", "push a=3", "push a=${a[0]}", "set b=${a}", "multiset a=4 b=${a}",
                  "export export_vars=export_vars,a,b", "export nolocal:export_vars=c", "export a=5", "bridge_export bridge_export_vars=a",
                  "set c=${eval ${uuid_setvar ${uuid} c first}${c}}", "set d=${c:0:2}${uuid_setvar(${uuid} c second)}${c}", "unset unset", "unset a", "park"),
        extension("7603", "answer", "set execute_on_answer=set execute_on_answer=x", "set execute_on_media=unset execute_on_media",
                  "set record_title=one", "set execute_on_record_start=multiset record_title=two execute_on_record_start=set^x=y",
                  "record_session $${recordings_dir}/views.wav", "sleep 100", "stop_record_session all",
                  "set playback_delimiter=!", "set execute_on_playback_start=set playback_delimiter=?", "playback silence_stream://20!silence_stream://20", "park"),
        extension("7604", "set continue_on_fail=continue_on_fail,USER_BUSY", "set failure_causes=USER_BUSY", "set transfer_on_fail=USER_BUSY 7605",
                  "set execute_on_pre_originate=unset transfer_on_fail", "bridge {null_hangup_cause=user_busy,fail_on_single_reject=^^:USER_BUSY}null/x", "set went=on", "park"),
        extension("7605", "answer", "set went=transferred", "park"),
        extension("7606", "set hangup_after_bridge=true", "set transfer_after_bridge=7605:XML:default", "set exec_after_bridge_app=set exec_after_bridge_app=none",
                  "set bridge_answer_timeout=30", "set ignore_early_media=false", "bridge {null_pre_answer=true,api_on_answer='uuid_setvar ${uuid} api_on_answer none'}null/x"),
        extension("7607", "answer", "set list=ARRAY::a|:b|:c", "execute_extension 7608", "park"),
        extension("7608", "set list=${list[1]}${list[2]}", "unshift list=${list}", "set list=${list}"),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def leg(sw):
    """leg(number): a leg that has run the extension and is parked; its variables can be asked."""
    events = sw.esl()
    events.subscribe("CHANNEL_PARK")

    def make(number, before=""):
        sw.api(f"originate {{{before or 'x=y'}}}null/x {number}")
        uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
        return lambda name: sw.api(f"uuid_getvar {uuid} {name}")
    yield make
    events.close()
    sw.api("hupall")
    sw.wait_calls(0)


def test_import_names_itself(sw):
    events = sw.esl()
    events.subscribe("CHANNEL_BRIDGE")
    sw.api("originate null/x 7601")
    uuid = events.wait_event("CHANNEL_BRIDGE")["Unique-ID"]
    assert [sw.api(f"uuid_getvar {uuid} {n}") for n in ("import", "foo", "bar")] == ["zzz", "from_b", "too"]
    sw.api("hupall")
    sw.wait_calls(0)
    events.close()


def test_a_variable_made_of_itself(leg):
    get = leg("7602")
    assert get("a") == "_undef_"
    assert get("c") == "second" and get("d").endswith("second"), (get("c"), get("d"))


def test_hooks_that_set_themselves(sw, leg):
    get = leg("7603")
    assert get("record_title") in ("two", "_undef_")
    get = leg("7604")
    assert get("went") == "on"


def test_after_a_bridge(sw, leg):
    events = sw.esl()
    events.subscribe("CHANNEL_BRIDGE CHANNEL_PARK")
    sw.api("originate null/x 7606")
    e = events.wait_event("CHANNEL_BRIDGE")
    sw.api(f"uuid_kill {e['Other-Leg-Unique-ID']}")
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    assert uuid == e["Unique-ID"] and sw.api(f"uuid_getvar {uuid} went") == "transferred"
    events.close()


@pytest.mark.parametrize("hook", ("api_hangup_hook", "api_reporting_hook", "api_on_answer"))
def test_a_hook_whose_command_sets_the_hook(sw, hook):
    """The text is a view of the variable while the command in it replaces the variable."""
    for i in range(5):
        uuid = sw.api("originate {null_enable_auto_answer=false,ignore_early_media=false,null_pre_answer=true}null/x &park").split()[1]
        sw.api(f"uuid_setvar {uuid} {hook} eval ${{uuid_setvar({uuid} {hook} {'z' * 40 * i})}} ${{hash(insert/views/{hook}/told{i})}}")
        sw.api(f"uuid_setvar {uuid} session_in_hangup_hook true")
        if hook == "api_on_answer":
            sw.api(f"uuid_media_reneg {uuid}")
        sw.api(f"uuid_kill {uuid}")
    sw.wait_calls(0)


def test_an_array_shrinks_while_read(leg):
    assert "b" in leg("7607")("list")


def test_a_phone_changes_what_is_read(sw, phone):
    """re-INVITE and INFO set variables while applications of the leg wait with texts of theirs."""
    a = phone("1000")
    call(a, "7602")
    for i in range(3):
        a.request("INVITE", body=sdp(a.rtp_port, version=2 + i, formats=(8,) if i % 2 else (0,)))
        a.answered()
    a.bye()
