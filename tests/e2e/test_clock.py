"""What depends on the time of day and the date: conditions of the dialplan, stamps of calls, events and log lines, scheduled tasks. The
first tests hold at whatever time they run (./dev test runs them at several); the last ones cross midnight, a leap day's end and both
changes of summer time on switches with clocks of their own."""
import csv
import re
import sys
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import clock
import pytest

sys.path.insert(0, str(Path(__file__).parent / "golden"))
import tandem as t  # noqa: E402
from calls import extension  # noqa: E402
from ua import Ua  # noqa: E402

DIALPLAN = f"""<include>
<extension name="parts" continue="true"><condition field="destination_number" expression="^7399$"/>
{"".join(f'<condition wday="{n}" break="never"><action application="set" data="wday={n}" inline="true"/></condition>' for n in range(1, 8))}
{"".join(f'<condition hour="{n}" break="never"><action application="set" data="hour={n}" inline="true"/></condition>' for n in range(24))}
{"".join(f'<condition mon="{n}" break="never"><action application="set" data="mon={n}" inline="true"/></condition>' for n in range(1, 13))}
{"".join(f'<condition mday="{n}" break="never"><action application="set" data="mday={n}" inline="true"/></condition>' for n in range(1, 32))}
<condition time-of-day="12:00:00-23:59:59" break="never"><action application="set" data="half=2" inline="true"/>
<anti-action application="set" data="half=1" inline="true"/></condition>
</extension>
{extension("7399", "answer", "park")}
</include>
"""


def instance(tmp_path_factory, **how):
    s = t.Tandem(tmp_path_factory.mktemp("clock") / "instance", **how)
    (s.root / "conf/dialplan/default/00_clock.xml").write_text(DIALPLAN)
    return s.start()


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = instance(tmp_path_factory)
    yield s
    s.stop()


def parts(at_s, zone=None):
    now = datetime.fromtimestamp(at_s, zone)
    return {"wday": now.isoweekday() % 7 + 1, "hour": now.hour, "mon": now.month, "mday": now.day, "half": 2 if now.hour >= 12 else 1}


def parts_of_a_call(sw):
    """What the conditions of 7399 find, and the clock before and after."""
    begun_s = clock.now_s(sw.env)
    uuid = sw.api("originate loopback/7399/default &park")[4:].strip()
    ended_s = clock.now_s(sw.env)
    other = sw.api(f"uuid_getvar {uuid} other_loopback_leg_uuid")
    got = {name: sw.api(f"uuid_getvar {other} {name}") for name in ("wday", "hour", "mon", "mday", "half")}
    sw.api("hupall")
    sw.wait_calls(0)
    return got, begun_s, ended_s


@pytest.mark.clock
def test_conditions(sw):
    got, begun_s, ended_s = parts_of_a_call(sw)
    assert got in [{k: str(v) for k, v in parts(s).items()} for s in (begun_s, ended_s)]


@pytest.mark.clock
def test_words_about_now(sw):
    begun_s = clock.now_s()
    got = [sw.api("strepoch"), sw.api("strftime %Y-%m-%d %H:%M:%S"), sw.api("strftime_tz Asia/Tokyo %Y-%m-%d %H:%M:%S")]
    ended_s = clock.now_s()
    shown = [float(got[0]), datetime.strptime(got[1], "%Y-%m-%d %H:%M:%S").timestamp(),
             datetime.strptime(got[2] + " +0900", "%Y-%m-%d %H:%M:%S %z").timestamp()]
    for s in shown:
        # an hour that comes twice reads alike
        assert any(begun_s - 1 <= s + hour <= ended_s for hour in (0, 3600)), (got, begun_s)


@pytest.mark.clock
def test_dates_of_events(sw):
    e = sw.esl()
    e.subscribe("CUSTOM tests::now")
    begun_s = clock.now_s()
    other = sw.esl()
    other.command("sendevent CUSTOM\nEvent-Subclass: tests::now")
    got = e.wait_event("CUSTOM")
    ended_s = clock.now_s()
    at_s = int(got["Event-Date-Timestamp"]) / 1e6
    assert begun_s - 0.01 <= at_s <= ended_s + 0.01
    assert got["Event-Date-GMT"] == time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(at_s))
    assert got["Event-Date-Local"] == time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_s))
    e.close(), other.close()


@pytest.mark.clock
def test_log_lines(sw):
    begun_s = clock.now_s()
    sw.api("log notice what-time-is-it")
    sw.wait_log("what-time-is-it")
    line = next(x for x in sw.log_text.split("\n") if "what-time-is-it" in x)
    ended_s = clock.now_s()
    stamp = re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", line).group()
    assert stamp in {time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(s)) for s in range(int(begun_s), int(ended_s) + 1)}


@pytest.mark.clock
def test_tasks_at_a_time(sw):
    """A task for a moment of the wall clock runs at it, one in so many seconds after these."""
    e = sw.esl()
    e.subscribe("DEL_SCHEDULE")
    at_s = int(clock.now_s()) + 2
    sw.api(f"sched_api {at_s} tests-at version")
    assert int(e.wait_event("DEL_SCHEDULE", Task_Group="tests-at")["Task-Runtime"]) == at_s
    assert -0.1 < clock.now_s() - at_s < 1.5
    begun = time.monotonic()
    sw.api("sched_api +1 tests-in version")
    e.wait_event("DEL_SCHEDULE", Task_Group="tests-in")
    assert 0.5 < time.monotonic() - begun < 2.5
    e.close()


def record_of_a_call(sw, while_it_lasts):
    """The fields of the CSV record of the only call of 1000, and the clock before and after."""
    phone = Ua(sw, "1000").register()
    begun_s = clock.now_s(sw.env)
    assert phone.call("9196") == 200
    while_it_lasts()
    phone.hangup()
    sw.wait_calls(0)
    ended_s = clock.now_s(sw.env)
    phone.close()
    path = sw.root / "log/cdr-csv/1000.csv"
    deadline = time.monotonic() + 10
    while not path.exists() or not path.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    row, = csv.reader(path.read_text().split("\n")[:-1])
    return row, begun_s, ended_s


def assert_stamps(fields, begun_s, ended_s, zone=None):
    seen = {datetime.fromtimestamp(s, zone).strftime("%Y-%m-%d %H:%M:%S") for s in range(int(begun_s), int(ended_s) + 1)}
    assert {*fields[4:7]} <= seen, (fields, seen)
    assert 0 <= int(fields[8]) <= int(fields[7]) <= ended_s - begun_s + 1


@pytest.mark.clock
def test_stamps_of_a_record(sw):
    assert_stamps(*record_of_a_call(sw, lambda: None))


@pytest.mark.clock
def test_nonces_live_on(sw):
    """Registering again and again: no nonce is taken for old or from the future."""
    phone = Ua(sw, "1001")
    for _ in range(3):
        phone.register()
    phone.close()
    row = next(x for x in sw.api("show registrations").split("\n") if x.startswith("1001,"))
    expires_s = int(row.split(",")[4])
    assert 300 < expires_s - clock.now_s() <= 361  # it asked for no time: 300 s, and some to spare


# ---- over a boundary
BERLIN = "Europe/Berlin"
CROSSINGS = [("2026-11-28 23:59:57", "UTC", 3), ("2028-02-28 23:59:57", "UTC", 3), ("2028-02-29 23:59:57", "UTC", 3),
             ("2027-12-31 23:59:57", "UTC", 3), ("2027-03-28 01:59:57", BERLIN, 3), ("2027-10-31 02:59:57", BERLIN, 3)]


@pytest.mark.parametrize("now,zone,left_s", CROSSINGS)
def test_over_a_boundary(tmp_path_factory, now, zone, left_s):
    """A call and a task from before it: the task comes in its seconds, the call's length is right, then the new day or hour holds."""
    tz = ZoneInfo(zone)
    sw = instance(tmp_path_factory, now=now, zone=zone)
    try:
        e = sw.esl()
        e.subscribe("DEL_SCHEDULE")

        def cross():
            # the next full hour in seconds since 1970 is a boundary of every zone here
            at_s = (int(clock.now_s(sw.env)) // 3600 + 1) * 3600
            assert at_s - clock.now_s(sw.env) < left_s + 1, "the machine was too slow for this test"
            sw.api(f"sched_api {at_s} none version")
            got = e.wait_event("DEL_SCHEDULE")
            at = datetime.fromtimestamp(int(got["Event-Date-Timestamp"]) / 1e6, tz)
            assert got["Event-Date-Local"] == at.strftime("%Y-%m-%d %H:%M:%S") and at.timestamp() >= at_s
        before, begun_s, _ = parts_of_a_call(sw)
        assert before == {k: str(v) for k, v in parts(begun_s, tz).items()}
        assert_stamps(*record_of_a_call(sw, cross), zone=tz)
        after, begun_s, _ = parts_of_a_call(sw)
        assert after == {k: str(v) for k, v in parts(begun_s, tz).items()}
        assert f"1000,{sw.domain}" in sw.api("show registrations")
        e.close()
    finally:
        sw.stop()
