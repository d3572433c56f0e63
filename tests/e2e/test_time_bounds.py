"""Times that somebody writes, as large as a number can be: a command, a variable, a script or a header must not make a timer of the past
(205,860 events in two seconds did), nor a date that is none crash what prints it."""
import re
import shutil
import subprocess
import time

import pytest
import tandem as t
from calls import extension, write_extensions

pytestmark = pytest.mark.leaks
HUGE = ("9223372036854775807", "9223372036855", "9223372036854776", "18446744073710", "99999999999999999999999", "10000000000000000")


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("bounds") / "instance")
    (s.root / "scripts").mkdir(exist_ok=True)
    for i, ms in enumerate((*HUGE, "1e300", "2^63", "1/0")):
        (s.root / f"scripts/sleep{i}.lua").write_text(f"freeswitch.msleep({ms})\nfreeswitch.consoleLog('err', 'slept no time\\n')\n")
        (s.root / f"scripts/pop{i}.lua").write_text(
            f"local c = freeswitch.EventConsumer('CUSTOM', 'never::comes')\nc:pop(1, {ms})\nfreeswitch.consoleLog('err', 'slept no time\\n')\n")
        (s.root / f"scripts/leg{i}.lua").write_text(
            f"session:answer()\nsession:sleep({ms})\nif session:ready() then freeswitch.consoleLog('err', 'slept no time\\n') end\n")
    write_extensions(s, [extension(f"74{i:02}", "answer", f"sleep {huge}", "log ERR slept no time", "park")
                         for i, huge in enumerate(HUGE)])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def leg(sw):
    made = []

    def make(app="park"):
        made.append(sw.api(f"originate null/x &{app}").split()[1])
        return made[-1]
    yield make
    sw.api("hupall")
    sw.wait_calls(0)


def runs_of_tasks(sw):
    """How often a handler of tasks ran."""
    m = re.search(r"^api\.task,(\d+),", sw.api("show loops"), re.M)
    return int(m.group(1)) if m else 0


@pytest.mark.parametrize("sign", ("@", "+", ""))
def test_tasks(sw, leg, sign):
    """None of them is due: a timer that is set later than all of them fires before."""
    uuid = leg()
    events = sw.esl()
    events.subscribe("DEL_SCHEDULE RE_SCHEDULE CHANNEL_HANGUP")
    before = runs_of_tasks(sw)
    for huge in HUGE:
        sw.api(f"sched_api {sign}{huge} none status")
        sw.api(f"sched_hangup {sign}{huge} {uuid} alloted_timeout")
        sw.api(f"sched_transfer {sign}{huge} {uuid} 7400")
        sw.api(f"sched_broadcast {sign}{huge} {uuid} silence_stream://100")
    sw.api("sched_api +1 last status")
    assert events.wait_event("DEL_SCHEDULE")["Task-Group"] == "last"
    assert not events.events
    assert runs_of_tasks(sw) - before <= 1
    assert uuid in sw.api("show channels")
    sw.api("sched_del none")
    sw.api(f"sched_del {uuid}")
    events.close()


@pytest.mark.parametrize("i", range(len(HUGE)))
def test_sleep(sw, phone, i):
    """The application waits; the call ends when the caller wants."""
    a = phone("1000")
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE CHANNEL_HANGUP_COMPLETE")
    a.invite(f"74{i:02}")
    a.answered()
    events.wait_event("CHANNEL_EXECUTE", Application="sleep")
    a.bye()
    events.wait_event("CHANNEL_HANGUP_COMPLETE")
    events.close()
    assert "slept no time" not in sw.log_text


@pytest.mark.parametrize("kind", ("sleep", "pop", "leg"))
def test_scripts(sw, leg, kind):
    before = sw.log_text.count("slept no time")
    clients = []
    for i in range(len(HUGE) + 3):
        if kind == "leg":
            leg(f"lua(leg{i}.lua)")
        else:
            clients.append(sw.esl())
            clients[-1].sock.sendall(f"bgapi lua {kind}{i}.lua\n\n".encode())
    sw.api("msleep 300")
    assert sw.log_text.count("slept no time") == before
    for c in clients:
        c.close()


@pytest.mark.parametrize("name", ("playback_sleep_val", "park_timeout", "originate_timeout", "call_timeout", "mutex_timeout", "bind_meta_key_timeout",
                                  "record_silence_ms", "RECORD_INITIAL_TIMEOUT_MS", "valet_parking_timeout", "digits_dialed_filter"))
def test_variables(sw, leg, name):
    """A call with the variable stays up as long as its application does."""
    for huge in HUGE:
        uuid = sw.api(f"originate {{{name}={huge}}}null/x &park").split()[1]
        assert uuid in sw.api("show channels"), (name, huge)
    sw.api("msleep 100")
    assert int(sw.api("show channels count").split()[0]) == len(HUGE)


def test_other_commands(sw, leg):
    uuid = leg()
    for huge in HUGE:
        for command in (f"uuid_record {uuid} start {sw.root}/r.wav {huge}", f"uuid_record {uuid} stop all", f"uuid_displace {uuid} start tone_stream://%(100,0,400) {huge}",
                        f"uuid_send_dtmf {uuid} 1@{huge}", f"uuid_session_heartbeat {uuid} {huge}", f"uuid_fileman {uuid} seek:{huge}",
                        f"enable_heartbeat {huge}", f"originate null/x &park XML default name number {huge}", f"expr {huge}*1000000",
                        f"strftime {huge}|%Y-%m-%d %H:%M:%S %Z %z %A", f"strftime -{huge}|%c %Z %B", f"strftime_tz Europe/Berlin {huge}|%c %Z", f"strepoch {huge}-01-01",
                        f"strmicroepoch -{huge}-{huge}-{huge} {huge}:{huge}:{huge}", f"time_test {huge}1 1", f"timer_test {huge} 1",
                        f"dialplan explain default 7400 epoch={huge}", f"dialplan explain default 7400 tod_tz_offset={huge}", f"uuid_limit {uuid} hash a b {huge}/{huge}",
                        f"log_level {huge}", f"fsctl sps {huge}"):
            sw.api(command)
    sw.api("fsctl sps 100")
    sw.api("fsctl max_sessions 1000")
    assert sw.api("strftime 9223372036854775807|%Y") == "9999"
    assert sw.api("strftime -1|%Y") in ("1969", "1970")
    assert uuid in sw.api("show channels")


def test_the_check_refuses_products_by_hand(tmp_path):
    """tools/check-time, on this tree and on one with each kind of product."""
    assert subprocess.run([t.TOP / "tools/check-time"], stdout=subprocess.DEVNULL).returncode == 0
    (tmp_path / "tools").mkdir()
    (tmp_path / "src/api").mkdir(parents=True)
    shutil.copy(t.TOP / "tools/check-time", tmp_path / "tools")
    refused = ("us = s * 1000000;", "us = (int64_t)s * 1000000LL;", "us = 1000000LL * atoi(text);", "us = (s ? s : 20) * 1000;", "ms = conf->timeout_s * 1000;",
               "us = wait[i] * (int64_t)US_PER_S;", "us = f(a, b) * 1000LL;", "us = 1000 * ms;")
    taken = ("us = 5 * 1000000LL;", "us = RETRY_MS * 1000;", "/* s * 1000000 */", "n = frames * 1000000 / rate_hz;", "ns = t.tv_sec * 1000000000 + t.tv_nsec;",
             "us = clock_us_of_s(s);", "s = us / 1000000;", "us = (A_MS + B_MS) * 1000LL;")
    for line in refused + taken:
        (tmp_path / "src/api/one.c").write_text(f"int x;\n{line}\n")
        got = subprocess.run([tmp_path / "tools/check-time"], capture_output=True, text=True)
        assert got.returncode == (line in refused), (line, got.stdout)
        if line in refused:
            assert got.stdout.startswith("src/api/one.c:2: use clock_us_of_s"), got.stdout
