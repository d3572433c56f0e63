"""Calls handed over from one to another by applications: intercept of ringing and answered calls, att_xfer and soft_hold by keys of a
bridge. Scripted phones that say tones and measure what they hear."""
import pytest
from calls import ELSEWHERE, accept, bridged, cancelled, ended, extension, is_pair, talks, uuid_of, write_extensions

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("handover") / "instance")
    music = "tone_stream://%(10000,0,1600);loops=-1"
    extensions = [
        extension("7301", "bridge user/1001"),
        extension("7302", "bridge user/1001,user/1003"),
        extension("7303", "set continue_on_fail=true", f"export hold_music={music}", "bind_meta_app 4 b s execute_extension::consult XML default",
                  "bind_meta_app 5 b s soft_hold::# tone_stream://%(10000,0,2000);loops=-1", "bridge user/1001", "answer", "sleep 60000"),
        extension("7305", f"export hold_music={music}", "bind_meta_app 4 a s execute_extension::consult XML default", "bridge user/1001",
                  "set went=on", "park"),
        extension("7306", f"export hold_music={music}", "bind_meta_app 4 b s execute_extension::consult XML default", "export hold_hangup_xfer_exten=gone:XML:default",
                  "bind_meta_app 5 b s soft_hold::# tone_stream://%(10000,0,2000);loops=-1", "bridge user/1001"),
        extension("gone", "set went=gone", "park"),
        extension("consult", "set origination_cancel_key=#", "read 4 4 silence_stream://100 who 5000 #", "att_xfer user/${who}@${domain_name}"),
        extension(r"\*\*(.+)", "answer", "intercept $1", "sleep 2000"),
        extension(r"\*8(.+)", "answer", "intercept -bleg $1", "sleep 2000"),
        extension(r"\*9(.+)", "set intercept_unbridged_only=true", "intercept $1", "set went=past", "answer", "park"),
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


# ---- intercept


def test_ringing_call_taken(sw, phone, events):
    """Two phones ring; a third takes the caller: both are told that it was answered elsewhere."""
    a, b, c, d = phone("1000", 400), phone("1001"), phone("1002", 700), phone("1003")
    a.invite("7302")
    rings = [p.expect(method="INVITE") for p in (b, d)]
    for p, m in zip((b, d), rings):
        p.reply(m, 180, "Ringing")
    a.expect(180)
    c.invite(f"**{uuid_of(sw, '1000')}")
    c.answered()
    for p, m in zip((b, d), rings):
        assert cancelled(p, m).get("Reason") == ELSEWHERE
        assert events.wait_event("CHANNEL_HANGUP_COMPLETE")["Hangup-Cause"] == "PICKED_OFF"
    a.answered()
    talks(a, c)
    is_pair(a, c)
    sw.wait_calls(2)
    c.bye()
    ended(a)
    sw.wait_calls(0)


def test_answered_call_taken(sw, phone):
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    bridged(a, b, "7301")
    c.invite(f"**{uuid_of(sw, '1000')}")
    c.answered()
    assert ended(b).get("Reason") == ELSEWHERE
    talks(c)
    is_pair(a, c)
    a.bye()
    ended(c)
    sw.wait_calls(0)


def test_the_other_leg_taken(sw, phone):
    """-bleg: who is named loses the call, the other one is taken."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    bridged(a, b, "7301")
    c.invite(f"*8{uuid_of(sw, '1000')}")
    c.answered()
    assert ended(a).get("Reason") == ELSEWHERE
    talks(c)
    is_pair(b, c)
    c.bye()
    ended(b)
    sw.wait_calls(0)


def test_what_is_not_taken(sw, phone, events):
    """A bridged call under intercept_unbridged_only; nobody; oneself: the dialplan goes on."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    bridged(a, b, "7301")
    for who in (uuid_of(sw, "1000"), "nosuch"):
        c.invite(f"*9{who}")
        c.answered()
        assert sw.api(f"uuid_getvar {events.wait_event('CHANNEL_PARK')['Unique-ID']} went") == "past"
        c.bye()
    is_pair(a, b)


# ---- att_xfer


def consult(a, b, c, number="7303", by=None):
    """a calls b; by presses *4 and c's number; c rings."""
    bridged(a, b, number)
    by, other = (by, b) if by is a else (b, a)
    by.talk.press("*4" + c.user)
    invite = c.expect(method="INVITE")
    c.reply(invite, 180, "Ringing")
    other.talk.hears(1600)  # who waits hears the music
    return invite


def test_consult_and_complete(sw, phone, events):
    """The callee consults; digits that are no keys reach the third; the one who consulted hangs up, the two others talk."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    accept(c, consult(a, b, c))
    is_pair(b, c)
    assert sw.api(f"uuid_getvar {uuid_of(sw, '1001', 'outbound')} soft_holding_uuid") == uuid_of(sw, "1000")
    a.talk.hears(1600, absent=(500, 700))
    b.talk.press("57")
    c.talk.wait_digits("57")
    assert a.talk.digits() == "" and c.talk.digits() == "57"  # *41002 went to nobody
    b.own_request("BYE")
    b.expect(200)
    is_pair(a, c)
    events.wait_event("CHANNEL_BRIDGE", Bridge_A_Unique_ID=uuid_of(sw, "1002", "outbound"), Bridge_B_Unique_ID=uuid_of(sw, "1000"))
    assert sw.api(f"uuid_getvar {uuid_of(sw, '1002', 'outbound')} att_xfer_result") == "success"
    sw.wait_calls(2)
    c.own_request("BYE")
    c.expect(200)
    ended(a)
    sw.wait_calls(0)


def test_complete_by_key(sw, phone):
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    accept(c, consult(a, b, c))
    is_pair(b, c)
    b.talk.press("*")
    ended(b)
    is_pair(a, c)
    a.bye()
    ended(c)
    sw.wait_calls(0)


def test_cancel_by_key(sw, phone):
    """# sends the third away; the first call is as it was, and its end goes on with A's dialplan."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    accept(c, consult(a, b, c))
    is_pair(b, c)
    b.talk.press("#")
    ended(c)
    is_pair(a, b)
    assert sw.api(f"uuid_getvar {uuid_of(sw, '1001', 'outbound')} att_xfer_result") == "success"
    sw.wait_calls(2)
    b.own_request("BYE")
    b.expect(200)
    sw.wait_calls(1)
    a.talk.hears_nothing()
    a.bye()
    sw.wait_calls(0)


def test_the_third_hangs_up(sw, phone):
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    accept(c, consult(a, b, c))
    is_pair(b, c)
    c.own_request("BYE")
    c.expect(200)
    is_pair(a, b)
    a.bye()
    ended(b)
    sw.wait_calls(0)


def test_the_third_is_busy(sw, phone):
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    c.reply(consult(a, b, c), 486, "Busy Here")
    c.expect(method="ACK")
    is_pair(a, b)
    assert sw.api(f"uuid_getvar {uuid_of(sw, '1001', 'outbound')} att_xfer_result") == "failure"
    # and once more, now with success
    b.talk.press("*4" + c.user)
    accept(c, c.expect(method="INVITE"))
    is_pair(b, c)
    b.own_request("BYE")
    b.expect(200)
    is_pair(a, c)


def test_all_three(sw, phone):
    """0: the third joins the two."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    accept(c, consult(a, b, c))
    is_pair(b, c)
    b.talk.press("0")
    a.talk.hears(500, 700)
    b.talk.hears(400, 700)
    c.talk.hears(400, 500)
    c.own_request("BYE")
    c.expect(200)
    is_pair(a, b)
    a.bye()
    ended(b)
    sw.wait_calls(0)


def test_given_up_by_key(sw, phone):
    """origination_cancel_key while the third rings."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    invite = consult(a, b, c)
    b.talk.press("#")
    cancelled(c, invite)
    is_pair(a, b)
    a.bye()
    ended(b)
    sw.wait_calls(0)


def test_hang_up_while_it_rings(sw, phone):
    """Who consults leaves before the third answers: who waits keeps waiting and gets the answer."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    invite = consult(a, b, c)
    b.own_request("BYE")
    b.expect(200)
    a.talk.hears(1600)
    accept(c, invite)
    is_pair(a, c)
    sw.wait_calls(2)
    c.own_request("BYE")
    c.expect(200)
    ended(a)
    sw.wait_calls(0)


def test_hang_up_while_it_rings_in_vain(sw, phone):
    """The third is busy then, or who waits gives up: nothing is left."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    invite = consult(a, b, c, "7306")
    b.own_request("BYE")
    b.expect(200)
    c.reply(invite, 486, "Busy Here")
    c.expect(method="ACK")
    assert ended(a)
    sw.wait_calls(0)
    a.talk.stop()
    b.talk.stop()
    a.talk = b.talk = None
    invite = consult(a, b, c, "7306")
    b.own_request("BYE")
    b.expect(200)
    a.bye()
    cancelled(c, invite)
    sw.wait_calls(0)


def test_who_waits_hangs_up(sw, phone):
    """The two who consult keep talking."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    accept(c, consult(a, b, c))
    is_pair(b, c)
    a.bye()
    sw.wait_calls(2)
    is_pair(b, c)
    b.own_request("BYE")
    b.expect(200)
    ended(c)
    sw.wait_calls(0)


def test_by_the_caller(sw, phone, events):
    """The caller consults and cancels, consults again and completes; its dialplan is over then."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    accept(c, consult(a, b, c, "7305", by=a))
    is_pair(a, c)
    a.talk.press("#")
    ended(c)
    is_pair(a, b)
    a.talk.press("*4" + c.user)
    accept(c, c.expect(method="INVITE"))
    is_pair(a, c)
    a.bye()
    is_pair(b, c)
    b.own_request("BYE")
    b.expect(200)
    ended(c)
    sw.wait_calls(0)


def test_transferred_meanwhile(sw, phone):
    """A command sends the one who consults elsewhere: the other two are released."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    accept(c, consult(a, b, c))
    is_pair(b, c)
    sw.api(f"uuid_transfer {uuid_of(sw, '1001', 'outbound')} gone XML default")
    ended(c)
    sw.wait_calls(2)  # A's dialplan went on to its sleep, B parks
    a.talk.hears_nothing()


def test_all_keys_in_one_moment(sw, phone):
    """The number comes with the key that asks for it, before what asks has begun: it is not the other side's."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    bridged(a, b, "7303")
    assert sw.api(f"uuid_recv_dtmf {uuid_of(sw, '1001', 'outbound')} *41002").startswith("+OK")
    accept(c, c.expect(method="INVITE"))
    is_pair(b, c)
    assert a.talk.digits() == ""


def test_broken_off(sw, phone):
    """uuid_break of who consults: the third is released, the two are together again."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    accept(c, consult(a, b, c))
    is_pair(b, c)
    sw.api(f"uuid_break {uuid_of(sw, '1001', 'outbound')}")
    ended(c)
    is_pair(a, b)
    a.bye()
    ended(b)
    sw.wait_calls(0)


# ---- soft_hold


def test_soft_hold(sw, phone):
    a, b = phone("1000", 400), phone("1001", 500)
    bridged(a, b, "7303")
    b.talk.press("*5")
    a.talk.hears(1600, absent=(500,))
    b.talk.hears(2000, absent=(400,))
    b.talk.press("1#")
    is_pair(a, b)
    assert a.talk.digits() == ""
    b.talk.press("*5")
    a.talk.hears(1600, absent=(500,))
    a.bye()  # who is held may go
    ended(b)
    sw.wait_calls(0)


def test_soft_hold_and_hang_up(sw, phone, events):
    """hold_hangup_xfer_exten: where the held one goes when the holder hangs up."""
    a, b = phone("1000", 400), phone("1001", 500)
    bridged(a, b, "7306")
    b.talk.press("*5")
    a.talk.hears(1600, absent=(500,))
    b.own_request("BYE")
    b.expect(200)
    assert events.wait_event("CHANNEL_PARK")["variable_went"] == "gone"
    a.bye()
    sw.wait_calls(0)
