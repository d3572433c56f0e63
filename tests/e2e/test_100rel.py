"""Reliable provisional responses (RFC 3262), both roles: RSeq and RAck, repetition until the PRACK, order, offers in PRACK, the end
without one, and the callers who do not know of it."""
import pytest
from calls import ended, extension, write_extensions
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks
ANSWER = "Supported: 100rel\n"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("rel") / "instance")
    s.rel = add_profile(s, "rel", enable_100rel="true")
    s.plain = add_profile(s, "plain")
    s.short = add_profile(s, "short", enable_100rel="true", timer_T1="50", timer_T1X64="1000")
    write_extensions(s, [
        extension("7401", "pre_answer", "sleep 300", "answer", "park"),
        extension("7402", "ring_ready", "sleep 300", "answer", "park"),
        extension("7403", "ring_ready", "pre_answer", "answer", "park"),
        extension("7404", "pre_answer", "park"),
        *(extension(f"741{i}", f"bridge sofia/{p}/svc@127.0.0.1:${{sip_h_X-Port}}") for i, p in enumerate(("rel", "external"))),
        extension("7421", "set sip_enable_100rel=true", "pre_answer", "sleep 300", "answer", "park"),
        extension("7422", "set sip_enable_100rel=false", "pre_answer", "sleep 300", "answer", "park"),
        extension("7423", "bridge {sip_enable_100rel=true}sofia/external/svc@127.0.0.1:${sip_h_X-Port}"),
        extension("7424", "bridge {sip_enable_100rel=false}sofia/rel/svc@127.0.0.1:${sip_h_X-Port}"),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def caller(sw, phone):
    return phone("ext", register=False, kind=Trunk, at=sw.rel)


def test_supported_makes_early_media_reliable(sw, caller):
    caller.invite("7401", extra="Supported: 100rel\n")
    early = caller.expect(183)
    assert early.get("Require") == "100rel" and int(early.get("RSeq")) > 0 and "m=audio" in early.body
    assert "100rel" in early.get("Supported") and "PRACK" in early.get("Allow")
    ok = caller.prack(early)
    assert not ok.body
    answer = caller.answered()
    assert not answer.body, "the session was said in the response that was acknowledged"
    caller.bye()


def test_supported_leaves_ringing_alone(sw, caller):
    caller.invite("7402", extra="Supported: 100rel\n")
    ring = caller.expect(180)
    assert not ring.get("RSeq") and not ring.get("Require")
    assert "m=audio" in caller.answered().body
    caller.bye()


def test_required_makes_all_reliable_and_in_order(sw, caller):
    caller.invite("7403", extra="Require: 100rel\n")
    ring = caller.expect(180)
    caller.sees_nothing_else(183)
    caller.sees_nothing_else(200, 0.1)
    caller.prack(ring)
    early = caller.expect(183)
    assert int(early.get("RSeq")) == int(ring.get("RSeq")) + 1
    caller.sees_nothing_else(200)  # no answer while a response with SDP waits
    caller.prack(early)
    assert not caller.answered().body
    caller.bye()


def test_nothing_for_those_who_do_not_know(sw, caller):
    caller.invite("7401")
    assert not caller.expect(183).get("RSeq")
    assert "m=audio" in caller.answered().body
    caller.bye()


def test_repeated_until_the_prack(sw, caller):
    caller.invite("7404", extra="Require: 100rel\n")
    first, second, third = (caller.expect(183) for _ in range(3))
    assert first.get("RSeq") == second.get("RSeq") == third.get("RSeq")
    caller.prack(first, rack=f"{int(first.get('RSeq')) + 1} {first.get('CSeq')}", code=481)
    caller.prack(first, rack=f"{first.get('RSeq')} 99 INVITE", code=481)
    caller.prack(first, rack="x", code=481)
    caller.prack(first)
    caller.queue.clear()
    caller.sees_nothing_else(183, 2.5)
    caller.prack(first, code=481)  # a second one, of its own CSeq
    caller.cancel()
    caller.ack_failure(caller.expect(487))


def test_a_prack_that_never_comes_ends_the_call(sw, phone):
    p = phone("ext", register=False, kind=Trunk, at=sw.short)
    events = sw.esl()
    events.subscribe("CHANNEL_HANGUP")
    p.invite("7404", extra="Require: 100rel\n")
    p.expect(183)
    refused = p.expect(504)
    p.ack_failure(refused)
    assert events.wait_event("CHANNEL_HANGUP")["Hangup-Cause"] == "RECOVERY_ON_TIMER_EXPIRE"
    events.close()


def test_cancelled_while_it_waits(sw, caller):
    caller.invite("7404", extra="Require: 100rel\n")
    caller.expect(183)
    caller.cancel()
    caller.ack_failure(caller.expect(487))
    sw.wait_calls(0)


def test_an_offer_in_the_prack_is_answered_in_its_200(sw, caller):
    caller.invite("7404", extra="Require: 100rel\n")
    early = caller.expect(183)
    ok = caller.prack(early, body=sdp(caller.rtp_port, formats=(8,), version=2))
    assert "RTP/AVP 8" in ok.body
    caller.request("UPDATE", body=sdp(caller.rtp_port, formats=(0, 101), version=3))
    assert "RTP/AVP 0 101" in caller.expect(200).body, "an UPDATE in the early dialog"
    caller.cancel()
    caller.ack_failure(caller.expect(487))


def test_an_offer_in_the_prack_that_does_not_fit(sw, caller):
    caller.invite("7404", extra="Require: 100rel\n")
    early = caller.expect(183)
    caller.prack(early, body=sdp(caller.rtp_port, formats=(18,), version=2), code=488)
    caller.queue.clear()
    caller.sees_nothing_else(183, 1.2)  # it was acknowledged all the same
    caller.cancel()
    caller.ack_failure(caller.expect(487))


def test_required_where_the_profile_does_not_have_it(sw, phone):
    p = phone("ext", register=False, kind=Trunk, at=sw.sip_port)
    p.invite("7401", extra="Require: 100rel\n")
    refused = p.expect(420)
    assert refused.get("Unsupported") == "100rel" and "100rel" not in refused.get("Supported")
    p.ack_failure(refused)


# ---- we call

class Called:
    """The far end of a call that we make on profile rel."""
    def __init__(self, sw, phone, caller, number="7410", extra="", at=None):
        self.b = phone("svc", register=False, kind=Trunk, at=at or sw.rel)
        caller.invite(number, extra=f"X-Port: {self.b.port}\n{extra}")
        self.invite = self.b.expect(method="INVITE")

    def says(self, code, rseq, body="", tag=None):
        if tag:
            self.b.tag = tag
        self.b.reply(self.invite, code, "x", body, extra=f"Require: 100rel\nRSeq: {rseq}\n")

    def takes(self, rseq):
        prack = self.b.expect(method="PRACK")
        assert prack.get("RAck") == f"{rseq} {self.invite.get('CSeq')}"
        assert int(prack.get("CSeq").split()[0]) > int(self.invite.get("CSeq").split()[0])
        self.b.reply(prack, 200, "OK")
        return prack


def test_each_is_acknowledged_once(sw, phone, caller):
    called = Called(sw, phone, caller)
    assert "100rel" in called.invite.get("Supported") and "PRACK" in called.invite.get("Allow")
    called.says(183, 77, sdp(called.b.rtp_port))
    called.takes(77)
    assert "m=audio" in caller.expect(183).body
    called.says(183, 77, sdp(called.b.rtp_port))  # again: its PRACK was lost or late
    called.says(180, 79)  # one is missing
    called.b.expect_nothing("PRACK", 0.4)
    called.says(180, 78)
    called.takes(78)
    called.b.reply(called.invite, 200, "OK")
    called.b.expect(method="ACK")
    assert caller.answered()
    caller.bye()
    ended(called.b)


def test_each_fork_has_numbers_of_its_own(sw, phone, caller):
    called = Called(sw, phone, caller)
    for rseq, tag in ((900, "forkone"), (5, "forktwo")):
        called.says(180, rseq, tag=tag)
        assert f"tag={tag}" in called.takes(rseq).get("To")
    called.b.reply(called.invite, 486, "Busy Here")
    called.b.expect(method="ACK")
    caller.expect(486)


def test_a_prack_that_is_refused_ends_nothing(sw, phone, caller):
    called = Called(sw, phone, caller)
    called.says(180, 1)
    called.b.reply(called.b.expect(method="PRACK"), 481, "x")
    called.b.reply(called.invite, 200, "OK", sdp(called.b.rtp_port))
    called.b.expect(method="ACK")
    caller.answered()
    caller.bye()
    ended(called.b)


def test_reliable_on_both_sides(sw, phone, caller):
    called = Called(sw, phone, caller, extra="Require: 100rel\n")
    called.says(180, 10)
    called.takes(10)
    caller.prack(caller.expect(180))
    called.says(183, 11, sdp(called.b.rtp_port))
    called.takes(11)
    called.b.reply(called.invite, 200, "OK")
    called.b.expect(method="ACK")
    early = caller.expect(183)
    caller.sees_nothing_else(200)
    caller.prack(early)
    caller.answered()
    caller.bye()
    ended(called.b)


def test_not_offered_where_the_profile_does_not_have_it(sw, phone, caller):
    called = Called(sw, phone, caller, number="7411", at=sw.ext_port)
    assert "100rel" not in called.invite.get("Supported") and "PRACK" not in called.invite.get("Allow")
    called.b.reply(called.invite, 486, "Busy Here")
    called.b.expect(method="ACK")
    caller.expect(486)


def test_one_who_answers_no_prack_gets_few(sw, phone, caller):
    called = Called(sw, phone, caller)
    for rseq in range(1, 60):
        called.says(180, rseq)
    seen = set()
    while True:
        try:
            m = called.b.expect(method="PRACK", timeout=1)
        except AssertionError:
            break
        seen.add(m.get("RAck"))
        if len(seen) > 20:
            break
    assert 1 <= len(seen) <= 16
    called.b.reply(called.invite, 486, "Busy Here")
    called.b.expect(method="ACK")
    caller.expect(486)


# ---- of one leg

def test_a_leg_that_has_it_where_the_profile_does_not(sw, phone):
    p = phone("ext", register=False, kind=Trunk, at=sw.plain)
    for supported in ("Supported: 100rel\n", ""):
        p.invite("7421", extra=supported)
        early = p.expect(183)
        assert bool(early.get("RSeq")) == bool(supported)
        if supported:
            p.prack(early)
        assert bool(p.answered().body) != bool(supported)
        p.bye()


def test_a_leg_that_has_it_not(sw, caller):
    caller.invite("7422", extra="Supported: 100rel\n")
    assert not caller.expect(183).get("RSeq")
    assert caller.answered().body
    caller.bye()
    caller.invite("7422", extra="Require: 100rel\n")  # who requires it gets it
    caller.prack(caller.expect(183))
    caller.answered()
    caller.bye()


def test_our_invite_by_the_leg(sw, phone, caller):
    called = Called(sw, phone, caller, number="7423", at=sw.ext_port)
    assert called.invite.get("Supported").startswith("100rel, ")
    called.says(183, 7, sdp(called.b.rtp_port))
    called.takes(7)
    called.b.reply(called.invite, 486, "Busy Here")
    called.b.expect(method="ACK")
    caller.ack_failure(caller.expect(486))
    called = Called(sw, phone, caller, number="7424")
    assert "100rel" not in called.invite.get("Supported") and "timer" in called.invite.get("Supported")
    called.b.reply(called.invite, 486, "Busy Here")
    called.b.expect(method="ACK")
    caller.ack_failure(caller.expect(486))
