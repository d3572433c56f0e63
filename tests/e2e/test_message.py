"""MESSAGE and chat: from phone to phone outside of calls and inside, by the command and by programs; who may send, how many, and what a
sender's words may not do."""
import time
import uuid

import pytest
import tandem as t
from calls import ended
from wire import Phone

pytestmark = pytest.mark.leaks


def say(p, to, text="hello", extra="", ctype="text/plain", auth=True, call_id=None):
    """A MESSAGE through the challenge; its final response."""
    uri, cid = f"sip:{to}", call_id or f"msg-{uuid.uuid4().hex}"
    p.request("MESSAGE", uri, f"<{uri}>", cid, body=text, extra=extra, ctype=ctype)
    if auth:
        challenge = p.expect(407)
        p.request("MESSAGE", uri, f"<{uri}>", cid, body=text, extra=extra + p.authorization(challenge, "MESSAGE", uri), ctype=ctype)
    return last(p)


def last(p, timeout=8):
    m = p._read(timeout)
    while m.code == 0 or not m.get("CSeq").endswith("MESSAGE"):
        p.queue.append(m)
        m = p._read(timeout)
    return m


def test_from_phone_to_phone(tandem, phone):
    a, b = phone("1000"), phone("1001")
    with_events = tandem.esl()
    with_events.subscribe("MESSAGE")
    answer = say(a, "1001@127.0.0.1", "hello from 1000\r\nsecond line", extra="X-Lab: one\n")
    assert answer.code == 202 and answer.get("Contact"), answer.lines
    got = b.expect(method="MESSAGE")
    b.reply(got, 200, "OK")
    assert got.body == "hello from 1000\r\nsecond line"
    assert got.first == f"MESSAGE sip:1001@127.0.0.1:{b.port} SIP/2.0"
    assert got.get("From") == f"<sip:1000@127.0.0.1>;tag={a.tag}" and got.get("To") == f'"" <sip:1001@127.0.0.1:{b.port}>'
    assert got.get("Content-Type") == "text/plain" and got.get("X-FS-Sending-Message") and got.get("X-Lab") == "one"
    assert not got.get("Contact")
    e = with_events.wait_event("MESSAGE")
    with_events.close()
    want = {"proto": "sip", "to_proto": "sip", "from": "1000@127.0.0.1", "from_user": "1000", "from_host": "127.0.0.1", "to_user": "1001",
            "to_host": "127.0.0.1", "from_sip_ip": "127.0.0.1", "from_sip_port": str(a.port), "to": "1001@127.0.0.1",
            "subject": "SIMPLE MESSAGE", "type": "text/plain", "sip_profile": "internal", "dest_proto": "sip", "Nonblocking-Delivery": "true"}
    assert {k: e.get(k) for k in want} == want


def test_each_contact_gets_it_and_a_retransmission_is_one(tandem, phone):
    a, b1, b2 = phone("1000"), phone("1001"), phone("1001")
    uri = "sip:1001@127.0.0.1"
    a.request("MESSAGE", uri, f"<{uri}>", "again", body="x", ctype="text/plain")
    challenge = a.expect(407)
    text = a.request("MESSAGE", uri, f"<{uri}>", "again", body="x", ctype="text/plain", extra=a.authorization(challenge, "MESSAGE", uri))
    a.expect(202)
    a.s.sendall(text.encode())
    a.expect(202)
    for b in (b1, b2):
        b.reply(b.expect(method="MESSAGE"), 200, "OK")
        b.expect_nothing("MESSAGE", 0.3)


def test_who_calls_himself_somebody_else(tandem, phone):
    """The stock profile replaces who gives himself out as another; so it does here."""
    a, b = phone("1000"), phone("1001")
    uri, extra = "sip:1001@127.0.0.1", ""
    for _ in range(2):
        a.cseq += 1
        head = (f"MESSAGE {uri} SIP/2.0\nVia: {a.via()}\nMax-Forwards: 70\nFrom: \"Boss\" <sip:1005@127.0.0.1>;tag=b\nTo: <{uri}>\nCall-ID: boss\n"
                f"CSeq: {a.cseq} MESSAGE\n{extra}Content-Type: text/plain\nContent-Length: 1\n\n")
        a.send(head + "x")
        answer = last(a)
        if answer.code == 407:
            extra = a.authorization(answer, "MESSAGE", uri)
    assert answer.code == 202
    got = b.expect(method="MESSAGE")
    b.reply(got, 200, "OK")
    assert "1005" not in got.get("From") and "Boss" not in got.get("From") and "sip:1000@127.0.0.1" in got.get("From")


def test_who_is_not_registered(tandem, phone):
    a = phone("1000")
    events = tandem.esl()
    events.subscribe("CUSTOM sofia::error")
    assert say(a, "1009@127.0.0.1").code == 202
    e = events.wait_event("CUSTOM")
    assert e["Error-Type"] == "chat" and e["Error-Reason"] == "no recipient" and e["Chat-Send-To"] == "1009@127.0.0.1"
    events.close()


def test_strangers_and_wrong_passwords(tandem, phone):
    b, stranger = phone("1001"), Phone(tandem, "1000")
    uri = "sip:1001@127.0.0.1"
    stranger.request("MESSAGE", uri, f"<{uri}>", "m1", body="x", ctype="text/plain")
    challenge = stranger.expect(407)
    wrong = stranger.authorization(challenge, "MESSAGE", uri).replace('response="', 'response="0')
    stranger.request("MESSAGE", uri, f"<{uri}>", "m1", body="x", ctype="text/plain", extra=wrong)
    assert last(stranger).code in (400, 403)
    b.expect_nothing("MESSAGE", 0.3)
    stranger.close()


def test_a_phones_message_goes_to_registered_ones_only(tandem, phone):
    """No relay: another host in the request, in To, or a user that looks like an address is nobody."""
    a, target = phone("1000"), phone("1001")
    for to in (f"1001@localhost.example:{target.port}", f"internal%2f1001@127.0.0.2:{target.port}", f"x%40127.0.0.1@127.0.0.3:{target.port}"):
        assert say(a, to).code == 202
    target.expect_nothing("MESSAGE", 0.4)


def test_inside_a_call(tandem, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("1001")
    b.take()
    a.answered()
    a.request("MESSAGE", body="in call", ctype="text/plain")
    challenge = a.expect(407)
    a.request("MESSAGE", body="in call", ctype="text/plain", extra=a.authorization(challenge, "MESSAGE", a.target))
    a.expect(202)
    got = b.expect(method="MESSAGE")
    b.reply(got, 200, "OK")
    assert got.body == "in call" and got.get("Call-ID") != b.call_id
    a.bye()
    ended(b)


def test_the_command(tandem, phone):
    b = phone("1001")
    esl = tandem.esl()
    job = tandem.esl()
    esl.subscribe("MESSAGE")
    esl.command("api status")
    job.command("bgapi chat sip|1000@127.0.0.1|1001@127.0.0.1|hello by api")
    got = b.expect(method="MESSAGE")
    b.reply(got, 200, "OK")
    assert got.body == "hello by api" and got.get("Content-Type") == "text/html"
    assert got.get("From").startswith('"1000" <sip:1000@127.0.0.1>;tag=')
    e = esl.wait_event("MESSAGE")
    assert e["Delivery-Result-Code"] == "200" and e["Delivery-Failure"] == "false" and e["blocking"] == "true"
    job.command("bgapi chat sip|internal/1000@127.0.0.1|internal/1001@127.0.0.1|x|text/plain")
    got = b.expect(method="MESSAGE")
    b.reply(got, 486, "Busy Here")
    assert got.get("Content-Type") == "text/plain" and got.get("From").startswith('"1000" <sip:1000@127.0.0.1>')
    e = esl.wait_event("MESSAGE")
    assert e["Delivery-Result-Code"] == "486" and e["Delivery-Failure"] == "true"
    assert tandem.api("chat sip|1000|nosuch@127.0.0.1|x") == "Error! Message Not Sent"
    assert tandem.api("chat nosuch|a|b|c") == "Error! Message Not Sent"
    assert tandem.api("chat global|1000@127.0.0.1|1001@127.0.0.1|hello") == "Error! Message Not Sent"
    assert tandem.api("chat sip|a|b") == "Invalid"
    b.expect_nothing("MESSAGE", 0.2)
    esl.close()
    job.close()


def test_the_commands_words_end_no_line(tandem, phone):
    b = phone("1001")
    esl = tandem.esl()
    esl.command("bgapi chat sip|10\t00\"<sip:x@y>@127.0.0.1|1001@127.0.0.1|x|text/plain")
    got = b.expect(method="MESSAGE")
    b.reply(got, 200, "OK")
    assert got.get("From").startswith('"10 00\\"<sip:x" <sip:10%0900%22%3Csip%3Ax@127.0.0.1>;tag=')
    esl.close()


def test_own_messages_do_not_come_back(tandem, phone):
    """What this switch sent, sent back to it by whoever it was for, is a loop."""
    a, b = phone("1000"), phone("1001")
    say(a, "1001@127.0.0.1")
    got = b.expect(method="MESSAGE")
    b.reply(got, 200, "OK")
    uri = "sip:1000@127.0.0.1"
    b.request("MESSAGE", uri, f"<{uri}>", "loop", body="x", ctype="text/plain", extra=f"X-FS-Sending-Message: {got.get('X-FS-Sending-Message')}\n")
    assert last(b).code == 482


def test_rates_and_no_login(tmp_path):
    sw = t.Tandem(tmp_path / "instance")
    profile = sw.root / "conf/sip_profiles/internal.xml"
    text = profile.read_text()
    profile.write_text(text.replace("<settings>", '<settings>\n<param name="message-rate-per-sender" value="3"/>'
                       '<param name="sip-messages-respond-200-ok" value="true"/>', 1).replace('name="auth-messages" value="true"', 'name="auth-messages" value="false"')
                       .replace("</settings>", '<param name="auth-messages" value="false"/></settings>', 1))
    sw.start()
    try:
        a, b = Phone(sw, "1000"), Phone(sw, "1001")
        b.register()
        codes = [say(a, "1001@127.0.0.1", f"n{i}", auth=False).code for i in range(8)]
        assert codes.count(200) >= 3 and codes.count(503) >= 2 and set(codes) == {200, 503}, codes
        end = time.monotonic() + 5
        while say(a, "1001@127.0.0.1", "later", auth=False).code != 200:
            assert time.monotonic() < end
        a.close()
        b.close()
    finally:
        sw.stop()
