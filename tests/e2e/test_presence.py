"""Presence of people (RFC 3856, RFC 3863): registered or not, on the phone, what an event said; the subscription itself (RFC 6665)."""
import re

import pytest
from watch import Two, presence, states, subscribe
from wire import Message

pytestmark = pytest.mark.leaks


def test_registered_called_and_gone(sw, phone):
    w, b = phone("1002"), phone("1001")
    s = subscribe(w, "1001", "presence")
    first = s.notify()
    assert presence(first) == ("open", None, "Available") and first.get("Content-Type") == "application/pidf+xml"
    assert "entity='sip:1001@127.0.0.1'" in first.body
    call = Two(sw, phone)
    call.ring()
    assert presence(s.until(lambda m: "Ring" in m.body)) == ("open", "on-the-phone", "Ring 1000")
    call.answer()
    assert presence(s.until(lambda m: "Talk" in m.body)) == ("open", "on-the-phone", "Talk 1000")
    call.bye()
    assert presence(s.until(lambda m: "Available" in m.body)) == ("open", None, "Available")
    sw.api("sofia profile internal flush_inbound_reg 1001@127.0.0.1")
    assert presence(s.until(lambda m: "closed" in m.body)) == ("closed", None, "Unregistered")
    b.register()
    assert presence(s.until(lambda m: "open" in m.body)) == ("open", None, "Available")
    s.end()


def test_what_a_program_says(sw, phone):
    w = phone("1002")
    phone("1001")
    s = subscribe(w, "1001", "presence")
    s.notify()
    assert sw.api("presence in 1001@127.0.0.1 away Gone to lunch") == "Event Sent"
    assert presence(s.notify()) == ("open", "away", "Gone to lunch")
    assert sw.api("sofia_presence_data status 1001@127.0.0.1") == "Gone to lunch"
    assert sw.api("sofia_presence_data rpid */1001@127.0.0.1") == "away"
    assert sw.api("presence in 1001@127.0.0.1 unknown Available") == "Event Sent"
    assert presence(s.notify()) == ("open", None, "Available")
    # text is text
    sw.api("presence in 1001@127.0.0.1 away </dm:note><x>&\"é日")
    m = s.notify()
    assert presence(m)[2] == '</dm:note><x>&"é日' and m.body.isascii()
    sw.api("presence in 1001@127.0.0.1 unknown Available")
    s.notify()
    s.end()


def test_refresh_and_end(sw, phone):
    w = phone("1002")
    s = subscribe(w, "1001", "presence")
    m = s.notify()
    cseq = int(m.get("CSeq").split()[0])
    assert s.ask(200).get("Expires") == "200"
    again = s.notify()
    assert int(again.get("CSeq").split()[0]) == cseq + 1 or int(again.get("CSeq").split()[0]) > cseq
    assert again.get("Subscription-State") == "active;expires=200"
    assert s.response.get("Contact") == f"<sip:1001@127.0.0.1:{sw.sip_port}>"
    last = s.end()
    assert last.get("Subscription-State") == "terminated;reason=noresource" and last.get("Event") == "presence"
    assert s.ask(100).code == 481


def test_too_short(sw, phone):
    s = subscribe(phone("1002"), "1001", "presence", expires=1, code=423)
    assert s.response.get("Min-Expires") == "60"


def test_it_ends_by_itself(tandem_vanilla, phone):
    w = phone("1002", switch=tandem_vanilla)
    s = subscribe(w, "1001", "presence", expires=1)
    s.notify()
    last = s.notify()
    assert last.get("Subscription-State") == "terminated;reason=timeout"


@pytest.mark.parametrize("event,code", [("presence.winfo", 489), ("nosuch", 489), ("refer", 403), ("call-info", 489)])
def test_events_that_are_none_of_ours(sw, phone, event, code):
    s = subscribe(phone("1002"), "1001", event, code=code)
    if code == 489:
        assert "dialog" in s.response.get("Allow-Events")


def test_a_watcher_that_knows_of_none_is_forgotten(sw, phone):
    w = phone("1002")
    s = subscribe(w, "1001", "presence")
    s.notify(reply=481)
    sw.api("presence in 1001@127.0.0.1 away x")
    s.nothing()
    assert s.ask(100).code == 481
    sw.api("presence in 1001@127.0.0.1 unknown Available")


def test_probe_and_its_answer(sw, phone):
    w = phone("1002")
    phone("1001")
    esl = sw.esl()
    esl.subscribe("PRESENCE_PROBE PRESENCE_IN")
    s = subscribe(w, "1001", "presence")
    s.notify()
    probe = esl.wait_event("PRESENCE_PROBE")
    assert (probe["from"], probe["to"], probe["sub-call-id"]) == ("1002@127.0.0.1", "1001@127.0.0.1", s.call_id)
    told = esl.wait_event("PRESENCE_IN")
    assert (told["status"], told["from"], told["call-id"]) == ("Registered(UDP)", "1001@127.0.0.1", s.call_id)
    s.nothing()  # the answer changes nothing
    s.end(), esl.close()


def test_tcp(sw, phone):
    w = phone("1002", tcp=True)
    s = subscribe(w, "1001", "dialog")
    assert states(s.notify()) == []
    call = Two(sw, phone).ring().answer()
    s.until(lambda m: states(m) == ["confirmed"])
    call.bye()
    s.until(lambda m: states(m) == ["terminated"])
    assert re.search("transport=tcp", s.response.get("Contact"))
    s.end()


def test_they_outlive_a_restart(sw, phone):
    """The program starts anew: the phone hears at once, in the same dialog, in order, and refreshes as if nothing had been."""
    w = phone("1002")
    s, lamp = subscribe(w, "1001", "presence"), subscribe(w, "1001", "dialog")
    before, lamp_before = s.notify(), lamp.notify()
    number = lambda m: int(m.get("CSeq").split()[0])  # noqa: E731
    version = lambda m: int(re.search(r'version="(\d+)"', m.body).group(1))  # noqa: E731
    sw.stop()
    sw.start()
    after, lamp_after = s.notify(), lamp.notify()
    assert number(after) > number(before) and after.get("From") == before.get("From") and after.get("To") == before.get("To")
    assert number(lamp_after) > number(lamp_before) and version(lamp_after) > version(lamp_before)
    assert s.ask(120).code == 202
    s.notify()
    sw.api("presence in 1001@127.0.0.1 away x")
    assert presence(s.notify())[1] == "away"
    s.end(), lamp.end()
    sw.stop()
    sw.start()
    s.nothing(), lamp.nothing()  # what was ended does not come back
    sw.api("sofia profile internal restart")
    assert isinstance(after, Message)


def test_a_profile_that_starts_anew_keeps_them(sw, phone):
    w = phone("1002")
    s = subscribe(w, "1001", "presence")
    s.notify()
    sw.api("sofia profile internal restart")
    s.notify()
    s.end()


def test_programs_are_asked_when_a_phone_comes(fresh, phone):
    """presence-probe-on-register: of the first phone of a user, not of its refreshes."""
    p = fresh.root / "conf/sip_profiles/internal.xml"
    p.write_text(p.read_text().replace("<settings>", '<settings><param name="presence-probe-on-register" value="true"/>', 1))
    fresh.start()
    events = fresh.esl()
    events.subscribe("PRESENCE_PROBE")
    a = phone("1003", switch=fresh)
    got = events.wait_event("PRESENCE_PROBE")
    assert {k: got.get(k) for k in ("proto", "from", "to", "login", "event_type", "presence-source", "alt_event_type")} == {
        "proto": "sip", "from": "1003@127.0.0.1", "to": "1003@127.0.0.1", "login": "internal", "event_type": "presence",
        "presence-source": "register", "alt_event_type": "dialog"}
    a.register()
    phone("1002", switch=fresh)
    assert events.wait_event("PRESENCE_PROBE")["from"] == "1002@127.0.0.1", "the refresh asked again"
    events.close()
