"""Call-back on busy, on no answer and when a phone comes back: asked for by code or key, told, called when both are free, joined, cancelled, expired, kept."""
import re
import time

import pytest
import tandem as t
from calls import accept, call, ended, extension, is_pair, press, talks
from test_features import dial, get, include, over, refused, rings
from wire import Phone

pytestmark = pytest.mark.leaks


def make(path):
    s = t.Tandem(path)
    include(s)
    offer = extension("7301", "set continue_on_fail=true", "feature_incoming 1001@127.0.0.1", "bridge ${feature_dial}", "feature_failed 1001@127.0.0.1",
                      "feature_callback 1001@127.0.0.1", "hangup ${originate_disposition}")
    (s.root / "conf/dialplan/default/callback.xml").write_text(f"<include>{offer}</include>")
    conf = s.root / "conf/autoload_configs/features.conf.xml"
    conf.write_text(conf.read_text().replace('"callback-delay" value="3"', '"callback-delay" value="1"').replace('"callback-queue" value="5"', '"callback-queue" value="2"'))
    return s


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = make(tmp_path_factory.mktemp("callback") / "instance")
    s.start()
    yield s
    s.stop()


@pytest.fixture
def four(sw, phone):
    yield [phone(u, hz=hz) for u, hz in (("1000", 400), ("1001", 700), ("1002", 1100), ("1003", 1500))]
    sw.api("hupall")
    sw.wait_calls(0)
    for user in ("1000", "1001", "1002", "1003"):
        for line in sw.api(f"features list {user}@127.0.0.1").splitlines()[1:]:
            assert sw.api(f"features clear {user}@127.0.0.1 {line.split(',')[0]}") == "+OK\n"


@pytest.fixture
def told(sw):
    e = sw.esl()
    e.command("event plain CUSTOM features::callback")

    def next_one():
        got = e.wait_event("CUSTOM", timeout=20)
        assert got["Callback-Domain"] == "127.0.0.1"
        return got["Callback-User"], got["Callback-Number"], got["Callback-Action"]
    yield next_one
    e.close()


def busy_with(sw, b, c):
    """b talks to c and wants no second call."""
    sw.api("features set 1001@127.0.0.1 call-waiting false")
    c.invite("1001")
    accept(b, b.expect(method="INVITE"))
    c.answered()
    talks(c)


def taken(a, b, hz):
    """a is called back and takes it, then b is rung by him."""
    invite = a.expect(method="INVITE", timeout=15)
    assert "<sip:1001@" in invite.get("From") and "call-back" in invite.get("From")
    accept(a, invite)
    invite = b.expect(method="INVITE")
    assert f"<sip:{hz}@" in invite.get("From")
    accept(b, invite)
    is_pair(a, b)


def test_busy_then_free(sw, four, told):
    a, b, c, _ = four
    busy_with(sw, b, c)
    refused(a, "1001", 486)
    dial(a, "*66")
    assert get(sw, "callback:1001").endswith(" busy")
    assert "1000@127.0.0.1,1001,busy," in sw.api("features callbacks") and ",waiting\n" in sw.api("features callbacks")
    a.expect_nothing("INVITE", 1.5)
    c.bye()
    ended(b)
    taken(a, b, "1000")
    assert [told(), told()] == [("1000", "1001", "ringing"), ("1000", "1001", "joined")]
    assert get(sw, "callback:1001") == "" and sw.api("features callbacks") == "user,number,reason,until,state\n"
    assert get(sw, "last-caller", "1001") == "1000"
    a.bye()
    ended(b)


def test_the_caller_is_busy_himself(sw, four):
    """He is called when he is free as well."""
    a, b, c, d = four
    busy_with(sw, b, c)
    refused(a, "1001", 486)
    dial(a, "*66")
    a.invite("1003")
    accept(d, d.expect(method="INVITE"))
    a.answered()
    c.bye()
    ended(b)
    a.expect_nothing("INVITE", 2)
    a.bye()
    ended(d)
    taken(a, b, "1000")
    a.bye()
    ended(b)


def test_no_answer_then_somebody_is_there(sw, four):
    a, b, c, _ = four
    invite = rings(a, "1001", b)
    b.reply(invite, 408, "Request Timeout")
    b.expect(method="ACK")
    a.ack_failure(a.expect(408, 480))
    dial(a, "*66")
    assert get(sw, "callback:1001").endswith(" noanswer")
    a.expect_nothing("INVITE", 2)
    over(c, b, rings(c, "1001", b))
    taken(a, b, "1000")
    a.bye()
    ended(b)


def test_by_key_at_once_and_nobody_takes_it(sw, four, told):
    a, b, c, _ = four
    busy_with(sw, b, c)
    a.invite("7301")
    early = a.expect(183)
    a.remote_rtp = int(re.search(r"m=audio (\d+)", early.body).group(1))
    talks(a)
    press(a, "5")
    a.ack_failure(a.expect(486, timeout=15))
    assert get(sw, "callback:1001").endswith(" busy")
    c.bye()
    ended(b)
    invite = a.expect(method="INVITE", timeout=15)
    a.reply(invite, 486, "Busy Here")
    a.expect(method="ACK")
    assert [told(), told()] == [("1000", "1001", "ringing"), ("1000", "1001", "unanswered")]
    assert get(sw, "callback:1001") == ""
    b.expect_nothing("INVITE", 0.5)


def test_cancelled_expired_refused(sw, four, told):
    a, b, c, d = four
    busy_with(sw, b, c)
    for p in (a, d):
        refused(p, "1001", 486)
        dial(p, "*66")
    dial(a, "*86")
    assert get(sw, "callback:1001") == "" and "1000@" not in sw.api("features callbacks")
    assert sw.api(f"features set 1003@127.0.0.1 callback:1001 {int(time.time()) - 1}") == "+OK\n"
    assert told() == ("1003", "1001", "expired")
    assert get(sw, "callback:1001", "1003") == ""
    sw.api("features set 1001@127.0.0.1 block:1000 true")
    dial(a, "*66")  # he is not to know when 1001 is free
    assert get(sw, "callback:1001") == ""
    assert "is no value" in sw.api("features set 1000@127.0.0.1 callback:1001 soon")
    c.bye()
    ended(b)
    a.expect_nothing("INVITE", 2)


def test_who_asked_first_and_no_more_than_the_queue(sw, four, told):
    a, b, c, d = four
    busy_with(sw, b, c)
    for p in (d, a):
        refused(p, "1001", 486)
        dial(p, "*66")
    c.bye()
    ended(b)
    taken(d, b, "1003")
    a.expect_nothing("INVITE", 1.5)
    d.bye()
    ended(b)
    taken(a, b, "1000")
    a.bye()
    ended(b)
    assert [told()[::2] for _ in range(4)] == [("1003", "ringing"), ("1003", "joined"), ("1000", "ringing"), ("1000", "joined")]


def test_the_queue_is_full(sw, four):
    a, b, c, d = four
    sw.api("features set 1001@127.0.0.1 dnd true")
    for p in (a, c):
        refused(p, "1001", 486)
        dial(p, "*66")
    refused(d, "1001", 486)
    dial(d, "*66")
    assert get(sw, "callback:1001", "1003") == "" and get(sw, "callback:1001", "1002")
    a.expect_nothing("INVITE", 1.5)  # not while he does not want to be disturbed


def test_kept_over_a_restart_until_the_phone_is_back(tmp_path):
    s = make(tmp_path / "instance")
    s.start()
    a = Phone(s, "1000")
    a.talk, a.hz = None, 400
    b = Phone(s, "1001")
    b.talk, b.hz = None, 700
    try:
        a.register()
        refused(a, "1001", 480)
        dial(a, "*66")
        assert get(s, "callback:1001").endswith(" unreachable")
        a.close()
        s.stop()
        s.start()
        assert "1000@127.0.0.1,1001,unreachable," in s.api("features callbacks")
        a = Phone(s, "1000")
        a.talk, a.hz = None, 400
        a.register()
        a.expect_nothing("INVITE", 1.5)
        b.register()
        taken(a, b, "1000")
        a.bye()
        ended(b)
        call(a, "*86")
        ended(a)
    finally:
        for p in (a, b):
            if p.talk:
                p.talk.stop()
            p.close()
        s.stop()
