"""Message waiting (RFC 3842): told by whoever keeps the boxes (MESSAGE_WAITING), to subscribers and to registered phones."""
import pytest
from watch import subscribe


@pytest.fixture(autouse=True, scope="module")
def others_keep_the_boxes(tandem):
    """Not mod_voicemail, which answers for its boxes (test_voicemail.py)."""
    assert tandem.api("unload mod_voicemail").startswith("+OK")
    yield
    assert tandem.api("load mod_voicemail").startswith("+OK")


def waiting(esl, account, yes, voice, more=""):
    esl.command(f"sendevent MESSAGE_WAITING\nMWI-Messages-Waiting: {yes}\nMWI-Message-Account: {account}\nMWI-Voice-Message: {voice}{more}")


def test_subscribed(sw, phone):
    p = phone("1004")
    esl = sw.esl()
    esl.subscribe("MESSAGE_QUERY")
    s = subscribe(p, "1004", "message-summary")
    first = s.notify()
    assert first.body == "Messages-Waiting: no\r\nMessage-Account: sip:1004@127.0.0.1\r\n"
    assert first.get("Content-Type") == "application/simple-message-summary"
    query = esl.wait_event("MESSAGE_QUERY", **{"VM-sub-call-id": s.call_id})
    assert query["Message-Account"] == "sip:1004@127.0.0.1" and query["VM-Sofia-Profile"] == "internal"
    waiting(esl, "sip:1004@127.0.0.1", "yes", "3/2 (0/1)", f"\nSofia-Profile: internal\nsub-call-id: {s.call_id}")
    assert s.notify().body.endswith("Voice-Message: 3/2 (0/1)\r\n")
    waiting(esl, "1004@127.0.0.1", "no", "0/5")  # a box that changed: subscribers and phones
    assert s.notify().body == "Messages-Waiting: no\r\nMessage-Account: sip:1004@127.0.0.1\r\nVoice-Message: 0/5\r\n"
    unasked = p.expect(method="NOTIFY")
    assert unasked.get("Subscription-State") == "terminated;reason=noresource" and unasked.get("Event") == "message-summary"
    assert unasked.get("Call-ID") != s.call_id
    p.reply(unasked, 200)
    other = phone("1005")
    assert "Voice-Message: 0/5" in subscribe(other, "1004", "message-summary").notify().body  # known at once
    s.end(), esl.close()


def test_a_phone_that_registers_hears_what_is_known(sw, phone):
    esl = sw.esl()
    waiting(esl, "1006@127.0.0.1", "yes", "1/0")
    p = phone("1006")
    m = p.expect(method="NOTIFY")
    assert "Messages-Waiting: yes" in m.body and m.get("To") == "<sip:1006@127.0.0.1>"
    p.reply(m, 200)
    esl.close()


def test_events_that_are_none(sw, phone):
    p = phone("1007")
    s = subscribe(p, "1007", "message-summary")
    s.notify()
    esl = sw.esl()
    for account, voice in (("nobody", "1/0"), ("1007@127.0.0.1", "1/0\\r\\nX-Evil: 1"), ("1007@127.0.0.1;x", "1/0"), ("@127.0.0.1", "1/0")):
        waiting(esl, account, "yes", voice)
    s.nothing()
    s.end(), esl.close()
