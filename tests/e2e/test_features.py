"""Subscriber features: star codes of the example dialplan, what they do to calls, the command, what a restart keeps, wake-up calls."""
import json

import clock
import pytest
import tandem as t
from calls import accept, call, ended, press
from wire import Phone

pytestmark = pytest.mark.leaks


def include(s):
    path = s.root / "conf/dialplan/default.xml"
    text = path.read_text()
    mark = '<context name="default">\n'
    assert text.count(mark) == 1
    path.write_text(text.replace(mark, mark + '<X-PRE-PROCESS cmd="include" data="examples/features.inc"/>\n'))


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("features") / "instance")
    include(s)
    s.start()
    yield s
    s.stop()


@pytest.fixture
def clean(sw):
    """Nobody has anything set."""
    yield
    sw.api("hupall")
    sw.wait_calls(0)
    for user in ("1000", "1001", "1002"):
        for name in json.loads(sw.api(f"features list {user}@127.0.0.1 json")):
            assert sw.api(f"features clear {user}@127.0.0.1 {name}") == "+OK\n"


@pytest.fixture
def three(clean, phone):
    return [phone(u, hz=hz) for u, hz in (("1000", 400), ("1001", 700), ("1002", 1100))]


def get(sw, name, user="1000"):
    """Its value, "" for none."""
    return sw.api(f"features get {user}@127.0.0.1 {name}").replace("-ERR no reply\n", "")


def dial(p, code, keys=None):
    """A star code, to the end of its confirmation."""
    call(p, code)
    if keys:
        press(p, keys)
    ended(p, timeout=20)


def rings(caller, number, callee):
    caller.invite(number)
    invite = callee.expect(method="INVITE")
    return invite


def over(caller, callee, invite):
    """Taken and hung up."""
    accept(callee, invite)
    caller.answered()
    caller.bye()
    ended(callee)


def refused(caller, number, code):
    caller.invite(number)
    r = caller.expect(code)
    caller.ack_failure(r)
    return r


def test_star_codes_set_and_clear(sw, three):
    a, _, _ = three
    esl = sw.esl()
    esl.command("event plain CUSTOM features::change")
    dial(a, "*721002")
    e = esl.wait_event("CUSTOM")
    assert [e[k] for k in ("Feature-User", "Feature-Domain", "Feature-Name", "Feature-Action", "Feature-Value", "Feature-By")] == \
        ["1000", "127.0.0.1", "forward-all", "set", "1002", "phone"]
    assert get(sw, "forward-all") == "1002"
    dial(a, "*73")
    assert esl.wait_event("CUSTOM")["Feature-Action"] == "clear"
    assert get(sw, "forward-all") == ""
    dial(a, "*92", keys="1002#")  # asked for
    assert get(sw, "forward-noanswer") == "1002"
    dial(a, "*43")
    assert get(sw, "call-waiting") == "false"
    dial(a, "*43")
    assert get(sw, "call-waiting") == "true"
    esl.close()


def test_forwarding(sw, three):
    a, b, c = three
    assert sw.api("features set 1001@127.0.0.1 forward-all 1002") == "+OK\n"
    invite = rings(a, "1001", c)
    over(a, c, invite)
    assert sw.api("features clear 1001@127.0.0.1 forward-all") == "+OK\n"
    sw.api("features set 1001@127.0.0.1 forward-busy 1002")
    invite = rings(a, "1001", b)
    b.reply(invite, 486, "Busy Here")
    b.expect(method="ACK")
    over(a, c, c.expect(method="INVITE"))
    sw.api("features set 1001@127.0.0.1 forward-noanswer 1002")
    sw.api("features set 1001@127.0.0.1 forward-noanswer-after 5")
    invite = rings(a, "1001", b)
    b.reply(invite, 180, "Ringing")
    b.expect(method="CANCEL", timeout=15)
    over(a, c, c.expect(method="INVITE"))
    sw.api("features set 1001@127.0.0.1 forward-from:1000 1002")
    over(a, c, rings(a, "1001", c))


def test_unreachable(sw, three):
    a, _, c = three
    sw.api("features set 1005@127.0.0.1 forward-unreachable 1002")
    over(a, c, rings(a, "1005", c))
    sw.api("features clear 1005@127.0.0.1 forward-unreachable")


def test_forwards_in_a_circle_end(sw, three):
    a = three[0]
    sw.api("features set 1001@127.0.0.1 forward-all 1002")
    sw.api("features set 1002@127.0.0.1 forward-all 1001")
    refused(a, "1001", 483)
    sw.wait_log("forwarded 5 times already")


def test_do_not_disturb_and_blocks(sw, three):
    a, b, c = three
    dial(b, "*78")
    refused(a, "1001", 486)
    sw.api("features set 1001@127.0.0.1 forward-busy 1002")
    over(a, c, rings(a, "1001", c))
    dial(b, "*79")
    dial(b, "*601000")
    assert get(sw, "block:1000", "1001") == "true"
    refused(a, "1001", 603)
    dial(b, "*801000")
    over(a, b, rings(a, "1001", b))
    assert get(sw, "last-caller", "1001") == "1000"


def test_anonymous(sw, three):
    a, b, _ = three
    dial(b, "*77")
    dial(a, "*68")
    refused(a, "1001", 433)
    invite = rings(a, "*821001", b)  # this once
    over(a, b, invite)
    dial(b, "*77")
    invite = rings(a, "1001", b)
    assert "anonymous" in invite.get("From").lower()
    over(a, b, invite)


def test_call_waiting(sw, three):
    a, b, c = three
    dial(b, "*43")
    a.invite("1001")
    accept(b, b.expect(method="INVITE"))
    a.answered()
    refused(c, "1001", 486)
    a.bye()
    ended(b)
    over(c, b, rings(c, "1001", b))


def test_speed_dial_and_last_caller(sw, three):
    a, b, _ = three
    dial(a, "*75071001")
    assert get(sw, "speed:07") == "1001"
    over(a, b, rings(a, "*007", b))
    over(b, a, rings(b, "*69", a))


def test_hotline(sw, three):
    a, b, c = three
    dial(a, "*531001")
    sw.api("features set 1000@127.0.0.1 hotline-after 0")
    call(a, "hotline")
    accept(b, b.expect(method="INVITE"))
    a.bye()
    ended(b)
    sw.api("features set 1000@127.0.0.1 hotline-after 10")
    call(a, "hotline")
    press(a, "1002#")
    accept(c, c.expect(method="INVITE"))
    a.bye()
    ended(c)


def test_lock(sw, three):
    a, b, _ = three
    dial(a, "*33", keys="4711#")
    assert get(sw, "lock-pin") == "(set)"
    dial(a, "*34", keys="4711#")
    assert get(sw, "lock") == "true"
    refused(a, "004930123456", 403)  # after the tones of denied-sound
    over(a, b, rings(a, "1001", b))  # of lock-allows
    for _ in range(5):
        dial(a, "*35", keys="1111#")
    dial(a, "*35")  # not even asked any more
    sw.wait_log("too many wrong PINs of 1000@127.0.0.1")
    assert get(sw, "lock") == "true"


def test_forwarding_does_not_open_a_lock(sw, three):
    a, b, _ = three
    sw.api("features set 1001@127.0.0.1 lock true")
    sw.api("features set 1001@127.0.0.1 forward-all 004930123456")
    over(a, b, rings(a, "1001", b))
    sw.wait_log("the user's lock")


@pytest.mark.parametrize("name, value, says", [
    ("forward-all", "sofia/gateway/x/1", "is no value"), ("forward-all", "1,2", "is no value"), ("nosuch", "1", "no feature"),
    ("wake:1", "25:00", "is no value"), ("speed:${x}", "1", "no feature")])
def test_the_command_refuses(sw, clean, name, value, says):
    assert says in sw.api(f"features set 1000@127.0.0.1 {name} {value}")
    assert sw.api("features list 1000@127.0.0.1") == "feature,value\n"


def test_the_command(sw, clean):
    assert sw.api("features get nobody@127.0.0.1 dnd").startswith("-ERR no user")
    assert "forward-noanswer-after" in sw.api("features names")
    sw.api("features set 1000@127.0.0.1 dnd on")
    assert sw.api("features list 1000@127.0.0.1") == "feature,value\ndnd,true\n"
    assert sw.api("features").startswith("-USAGE")
    for i in range(100):
        assert sw.api(f"features set 1000@127.0.0.1 speed:{i} 1{i}") == "+OK\n"
    assert sw.api("features set 1000@127.0.0.1 speed:100 1").startswith("-ERR the user has as many")


def test_nobody_changes_what_is_not_his(sw, clean):
    """A caller whom nobody knows has no features."""
    uuid = sw.api("originate loopback/*78/default &park")[4:].strip()
    sw.wait_log("nobody knows whose call this is")
    sw.api(f"uuid_kill {uuid}")


def pressed_until_ended(p):
    """A key now and then, as somebody does whose first one was not heard."""
    for n in range(20):
        press(p, "1", start=1000 + 100 * n)
        try:
            return ended(p, timeout=1)
        except AssertionError:
            pass
    raise AssertionError("20 keys, and it goes on")


def test_restart_directory_and_wakes(tmp_path):
    """What was set is there again; the directory's word holds until the user says something else."""
    s = t.Tandem(tmp_path / "instance", now="2026-11-27 07:29:50", zone="Europe/Berlin")
    include(s)
    user = s.root / "conf/directory/default.xml"
    text = user.read_text()
    mark = '<user id="1003">'
    assert mark in text, text[:1500]
    at = text.index("<variables>", text.index(mark))
    user.write_text(text[:at] + '<variables><variable name="feature-forward-all" value="1009"/>' + text[at + len("<variables>"):])
    conf = s.root / "conf/autoload_configs/features.conf.xml"
    conf.write_text(conf.read_text().replace('"wake-retry-after" value="300"', '"wake-retry-after" value="1"')
                    .replace('"wake-tries" value="3"', '"wake-tries" value="60"'))
    s.start()
    assert get(s, "forward-all", "1003") == "1009"
    s.api("features clear 1003@127.0.0.1 forward-all")
    s.api("features set 1000@127.0.0.1 forward-busy 1001")
    s.api("features set 1000@127.0.0.1 wake:1 07:30 once")
    s.stop()
    s.env.update(clock.environment("2026-11-27 07:29:56", "Europe/Berlin", s.env))
    s.start()
    try:
        assert get(s, "forward-busy") == "1001"
        assert get(s, "forward-all", "1003") == ""
        assert "07:30 2026-11-27" in s.api("features wakes")
        esl = s.esl()
        esl.command("event plain CUSTOM features::wake")
        a = Phone(s, "1000")
        a.talk, a.hz = None, 400
        a.register()
        invite = a.expect(method="INVITE", timeout=20)  # half past seven
        a.reply(invite, 486, "Busy Here")
        a.expect(method="ACK")
        accept(a, a.expect(method="INVITE", timeout=20))  # it tries again
        pressed_until_ended(a)
        seen = []
        while not seen or seen[-1] not in ("awake", "failed"):
            seen.append(esl.wait_event("CUSTOM", timeout=20)["Wake-Action"])
        assert seen[-2:] == ["answered", "awake"] and seen.count("ringing") >= 2, seen  # more when the phone came late
        assert s.api("features wakes") == "user,name,value,next\n"
        assert get(s, "wake:1") == ""
        esl.close()
        a.talk.stop()
        a.close()
    finally:
        s.stop()
