"""PUBLISH (RFC 3903): a phone says how its user is; refreshed, changed, removed, over; only of oneself."""
import pytest
from watch import pidf, presence, publish, subscribe

pytestmark = pytest.mark.leaks


def test_its_life(sw, phone):
    w, b = phone("1002"), phone("1001")
    s = subscribe(w, "1001", "presence")
    s.notify()
    r = publish(b, pidf("open", "<rpid:busy/>", "Busy now"))
    assert r.code == 200 and r.get("Expires") == "300" and r.get("SIP-ETag")
    assert presence(s.notify()) == ("open", "busy", "Busy now")
    r2 = publish(b, pidf("open", "<rpid:away/>", "Out &amp; about"), r.get("SIP-ETag"))
    assert presence(s.notify()) == ("open", "away", "Out & about")
    assert publish(b, pidf("open"), r.get("SIP-ETag")).code == 412  # an old tag
    r3 = publish(b, "", r2.get("SIP-ETag"), expires=100)
    assert r3.code == 200 and r3.get("Expires") == "100" and r3.get("SIP-ETag") != r2.get("SIP-ETag")
    s.nothing()  # nothing changed
    r4 = publish(b, "", r3.get("SIP-ETag"), expires=0)
    assert r4.code == 200 and r4.get("Expires") == "0"
    assert presence(s.notify()) == ("open", None, "Available")
    assert publish(b, "", r3.get("SIP-ETag")).code == 412
    s.end()


def test_it_ends_by_itself(sw, phone):
    w, b = phone("1002"), phone("1001")
    s = subscribe(w, "1001", "presence")
    s.notify()
    assert publish(b, pidf("closed"), expires=1).code == 200
    assert presence(s.notify())[0] == "closed"
    assert presence(s.notify())[0] == "open"
    s.end()


@pytest.mark.parametrize("how,code", [
    (dict(user="1003"), 403), (dict(event="nosuch"), 489), (dict(body=""), 400), (dict(body="x"), 400), (dict(etag="nosuch"), 412),
    (dict(ctype="text/plain"), 415), (dict(body="<a><b></a>"), 400), (dict(body="<foo/>"), 400),
    (dict(body='<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><presence>&a;</presence>'), 400),
    (dict(body="<presence>" + "<a>" * 200 + "</a>" * 200 + "</presence>"), 400), (dict(body="<presence>" + " " * 20000 + "</presence>"), 400)])
def test_refused(sw, phone, how, code):
    how = dict({"body": pidf("open")}, **how)
    assert publish(phone("1001"), how.pop("body"), **how).code == code


def test_what_is_told_is_looked_at(sw, phone):
    """An activity is a name or nothing; a note is text, and not too long."""
    w, b = phone("1002"), phone("1001")
    s = subscribe(w, "1001", "presence")
    s.notify()
    r = publish(b, pidf("open", "<rpid:Not_A-Name/>", "x" * 4000))
    basic, activity, note = presence(s.notify())
    assert (basic, activity) == ("open", None) and 200 < len(note) < 256
    publish(b, "", r.get("SIP-ETag"), expires=0)
    s.end()


def test_the_event_of_it(sw, phone):
    b = phone("1001")
    esl = sw.esl()
    esl.subscribe("PRESENCE_IN")
    r = publish(b, pidf("open", "<rpid:busy/>", "Busy now"))
    e = esl.wait_event("PRESENCE_IN")
    assert (e["rpid"], e["status"], e["from"], e["event_type"], e["proto"]) == ("busy", "Busy now", "1001@127.0.0.1", "presence", "sip")
    publish(b, "", r.get("SIP-ETag"), expires=0)
    esl.close()


def test_a_tag_is_of_its_event(sw, phone):
    """A tag of a presence document is no dialog's: what a PUBLISH of another event says is not taken for one."""
    w, b = phone("1002"), phone("1001")
    s = subscribe(w, "1001", "presence")
    s.notify()
    r = publish(b, pidf("open", "<rpid:busy/>", "Busy now"))
    assert presence(s.notify()) == ("open", "busy", "Busy now")
    assert publish(b, "<dialog-info/>", r.get("SIP-ETag"), event="dialog").code == 412
    s.nothing()
    assert publish(b, "", r.get("SIP-ETag"), expires=0).code == 200
    s.notify(), s.end()
