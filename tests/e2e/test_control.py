"""Commands on a call that its far end sees or hears: what a phone is told, what is dropped, what is muted."""
import re
import xml.etree.ElementTree as ET

import pytest
from wire import Phone, sdp


@pytest.fixture
def parked(tandem):
    """(switch, phone of 1000, uuid): a call to 1000 that is parked."""
    phone = Phone(tandem, "1000")
    phone.register()
    esl = tandem.esl()
    esl.subscribe("CHANNEL_PARK")
    esl.command("bgapi originate user/1000 &park")
    phone.take(sdp(phone.rtp_port))
    uuid = esl.wait_event("CHANNEL_PARK")["Unique-ID"]
    esl.close()
    yield tandem, phone, uuid
    tandem.api("hupall")
    tandem.wait_calls(0)
    phone.close()


def test_phone_events(parked):
    sw, phone, uuid = parked
    for event in ("talk", "hold"):
        assert sw.api(f"uuid_phone_event {uuid} {event}") == "+OK Success\n"
        notify = phone.expect(method="NOTIFY")
        assert (notify.get("Event"), notify.get("Subscription-State")) == (event, "active")
        phone.reply(notify, 200)


@pytest.mark.parametrize("command,ctype,reply", [("uuid_send_message", "text/plain", "+OK Success\n"), ("uuid_chat", "text/html", "+OK\n")])
def test_messages(parked, command, ctype, reply):
    sw, phone, uuid = parked
    assert sw.api(f"{command} {uuid} how are you") == reply
    message = phone.expect(method="MESSAGE")
    assert (message.get("Content-Type"), message.body) == (ctype, "how are you")
    phone.reply(message, 200)


def test_dropped_digits(parked):
    sw, phone, uuid = parked
    esl = sw.esl()
    esl.subscribe("DTMF")
    assert sw.api(f"uuid_drop_dtmf {uuid} on mask_digits 9") == f"+OK {uuid} is dropping DTMF. mask_file: NONE mask_digits: 9\n"
    sw.api(f"uuid_recv_dtmf {uuid} 1")
    assert sw.api(f"uuid_drop_dtmf {uuid} off mask_digits 9") == f"+OK {uuid} is not dropping DTMF. mask_file: NONE mask_digits: 9\n"
    sw.api(f"uuid_recv_dtmf {uuid} 2")
    assert esl.wait_event("DTMF")["DTMF-Digit"] == "2"
    esl.close()


def test_renegotiation(parked):
    sw, phone, uuid = parked
    assert sw.api(f"uuid_media_reneg {uuid} PCMA") == "+OK Success\n"
    again = phone.expect(method="INVITE")
    assert re.search(r"m=audio \d+ RTP/AVP 8\b", again.body), again.body
    phone.reply(again, 200, "OK", sdp(phone.rtp_port, formats=(8, 101), version=2))
    phone.expect(method="ACK")


def test_words_before_the_uuid(parked):
    sw, _, uuid = parked
    assert sw.api(f"uuid_hold toggle {uuid}") == "+OK Success\n"
    assert sw.api("uuid_hold") == "-USAGE: [off|toggle] <uuid> [<display>]\n-ERR Operation failed\n"
    assert sw.api("uuid_hold off") == sw.api("uuid_hold")
    assert sw.api(f"uuid_outgoing_answer {uuid}") == "+OK\n"


def test_record_in_the_event(parked):
    sw, _, uuid = parked
    esl = sw.esl()
    esl.subscribe("CHANNEL_HANGUP_COMPLETE")
    sw.api(f"uuid_setvar {uuid} hangup_complete_with_xml true")
    sw.api(f"uuid_setvar {uuid} asked a b&c")
    sw.api(f"uuid_kill {uuid} USER_BUSY")
    event = esl.wait_event("CHANNEL_HANGUP_COMPLETE", Unique_ID=uuid)
    assert event["CDR-Attached"] == "xml"
    cdr = ET.fromstring(event["_body"])
    assert cdr.tag == "cdr" and cdr.find("variables/hangup_cause").text == "USER_BUSY" and cdr.find("variables/asked").text == "a%20b%26c"
    esl.close()
