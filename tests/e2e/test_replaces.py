"""INVITE with Replaces (RFC 3891) of a ringing and of an established call, seen from each side, and with Join (RFC 3911)."""
import re

import pytest
from calls import arrives, ended, replaces_of
from talk import Talker
from wire import Phone, sdp

pytestmark = pytest.mark.leaks


def named(p, invite, early=False):
    """The dialog of an INVITE that p got, as p's side names it."""
    ours = re.search("tag=([^;]+)", invite.get("From")).group(1)
    return f"{invite.get('Call-ID')};to-tag={p.tag};from-tag={ours}" + (";early-only" if early else "")


@pytest.mark.parametrize("early", [True, False], ids=["early-only", "plain"])
def test_pickup_of_a_ringing_call(tandem, phone, early):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("1001")
    first = b.expect(method="INVITE")
    b.reply(first, 180, "Ringing")
    a.expect(183)
    c.invite("1001", extra=f"Replaces: {named(b, first, early)}\n")
    c.answered()
    cancel = b.expect(method="CANCEL")
    assert "Call completed elsewhere" in cancel.get("Reason")
    b.reply(cancel, 200, "OK", tag=False)
    b.reply(first, 487, "Request Terminated")
    b.expect(method="ACK")
    a.answered()
    assert arrives(a, c) and arrives(c, a)
    c.bye()
    ended(a)
    tandem.wait_calls(0)


def test_an_early_dialog_is_not_its_callers_to_replace(tandem, phone):
    """Of the caller's own early dialog nobody takes the place (RFC 3891 3)."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("1001")
    first = b.expect(method="INVITE")
    b.reply(first, 180, "Ringing")
    a.peer_to = a.expect(183).get("To")
    c.invite("1001", extra=f"Replaces: {replaces_of(a)}\n")
    c.ack_failure(c.expect(481))
    a.cancel()
    a.ack_failure(a.expect(487))
    b.reply(b.expect(method="CANCEL"), 200, "OK", tag=False)
    b.reply(first, 487, "x")
    b.expect(method="ACK")
    tandem.wait_calls(0)


def test_early_only_of_an_established_call(tandem, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("1001")
    b.take()
    a.answered()
    c.invite("1001", extra=f"Replaces: {replaces_of(a)};early-only\n")
    c.ack_failure(c.expect(486))
    assert arrives(a, b)
    a.bye()
    ended(b)


@pytest.mark.parametrize("side", ["caller", "callee"])
def test_of_an_established_call(tandem, phone, side):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("1001")
    invite = b.take()
    a.answered()
    c.invite("1001", extra=f"Replaces: {replaces_of(a) if side == 'caller' else named(b, invite)}\n")
    c.answered()
    gone, stays = (a, b) if side == "caller" else (b, a)
    ended(gone)
    assert arrives(stays, c) and arrives(c, stays)
    c.bye()
    ended(stays)
    tandem.wait_calls(0)


def test_of_a_call_without_partner(tandem, phone):
    """Who talks to an application: the new one goes where that one had gone."""
    a, c = phone("1000"), phone("1002")
    a.invite("9196")  # echo
    a.answered()
    c.invite("1001", extra=f"Replaces: {replaces_of(a)}\n")
    c.answered()
    ended(a)
    assert arrives(c, c)
    c.bye()
    tandem.wait_calls(0)


def test_strangers_replace_nothing(tandem, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("1001")
    b.take()
    a.answered()
    stranger = Phone(tandem, "1002")
    stranger.call_id, stranger.uri = "stranger", "sip:1001@127.0.0.1"
    stranger.to = "<sip:1001@127.0.0.1>"
    stranger.request("INVITE", stranger.uri, stranger.to, body=sdp(stranger.rtp_port), extra=f"Replaces: {replaces_of(a)}\n")
    stranger.ack_failure(stranger.expect(407))
    assert arrives(a, b)
    a.bye()
    ended(b)
    stranger.close()


def test_join_is_ignored_unless_allowed(tandem, phone):
    """As FreeSWITCH does; who knows the names of a dialog must not listen in by them."""
    a, b, c, d = phone("1000"), phone("1001"), phone("1002"), phone("1003")
    a.invite("1001")
    b.take()
    a.answered()
    c.invite("1003", extra=f"Join: {replaces_of(a)}\n")
    d.take()
    c.answered()
    assert arrives(c, d)
    c.bye()
    ended(d)
    a.bye()
    ended(b)


def test_join(fresh):
    profile = fresh.root / "conf/sip_profiles/internal.xml"
    profile.write_text(profile.read_text().replace("<settings>", '<settings><param name="enable-join" value="true"/>', 1))
    fresh.start()
    phones = [Phone(fresh, u) for u in ("1000", "1001", "1002")]
    a, b, c = phones
    talkers = []
    try:
        for p in phones:
            p.register()
        a.invite("1001")
        b.take()
        a.answered()
        c.invite("1001", extra="Join: nosuch;to-tag=a;from-tag=b\n")
        c.ack_failure(c.expect(481))
        c.invite("1001", extra="Join: nosuch\n")
        c.ack_failure(c.expect(400))
        c.invite("1001", extra=f"Join: {replaces_of(a)}\nReplaces: {replaces_of(a)}\n")
        c.ack_failure(c.expect(400))
        c.invite("1001", extra=f"Join: {replaces_of(a)}\n")
        c.answered()
        talkers = [Talker(a, 400), Talker(b, 700), Talker(c, 1100)]
        talkers[0].hears(700, 1100)
        talkers[1].hears(400, 1100)
        talkers[2].hears(400, 700)
        c.bye()
        talkers[0].hears(700, absent=(1100,))
        a.bye()
        ended(b)
        fresh.wait_calls(0)
    finally:
        for x in talkers:
            x.stop()
        for p in phones:
            p.close()
