"""Commands on a call that its far end sees or hears: what a phone is told, what is dropped, what is muted."""
import re
import socket
import wave
import xml.etree.ElementTree as ET
from urllib.parse import unquote

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
    """The leg is not told any; it tells its own."""
    sw, phone, uuid = parked
    esl = sw.esl()
    esl.subscribe("DTMF")
    assert sw.api(f"uuid_drop_dtmf {uuid} on mask_digits 9") == f"+OK {uuid} is dropping DTMF. mask_file: NONE mask_digits: 9\n"
    sw.api(f"uuid_recv_dtmf {uuid} 1")
    assert esl.wait_event("DTMF")["DTMF-Digit"] == "1"
    assert sw.api(f"uuid_drop_dtmf {uuid} off mask_digits 9") == f"+OK {uuid} is not dropping DTMF. mask_file: NONE mask_digits: 9\n"
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


def test_phones_are_told_to_fetch_their_configuration(tandem):
    phones = [Phone(tandem, user) for user in ("1002", "1003")]
    for phone in phones:
        phone.register()
    assert tandem.api("sofia profile internal check_sync 1002@127.0.0.1") == "+OK syncing all registrations matching specified call_id\n"
    notify = phones[0].expect(method="NOTIFY")
    assert notify.get("Event") == "check-sync;reboot=false" and notify.first.startswith(f"NOTIFY sip:1002@127.0.0.1:{phones[0].port}")
    phones[0].reply(notify, 200)
    assert tandem.api("sofia profile internal flush_inbound_reg reboot") == "+OK rebooting all registrations\n"
    for phone in phones:  # the first NOTIFY would have come before this one
        notify = phone.expect(method="NOTIFY")
        assert notify.get("Event") == "check-sync;reboot=true"
        phone.reply(notify, 200)
        phone.close()
    assert "0 total" in tandem.api("show registrations count")


def ask(sw, name, body="", **headers):
    esl = sw.esl()
    lines = [f"sendevent {name}"] + [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
    lines += [f"Content-Length: {len(body)}"] if body else []
    esl.sock.sendall(("\n".join(lines) + "\n\n" + body).encode())
    assert esl.read()[0]["Reply-Text"].startswith("+OK")
    esl.close()


def test_events_ask_for_notify(parked):
    """To all contacts of a user, to an address, into a call; each as FreeSWITCH's event says it."""
    sw, phone, uuid = parked
    ask(sw, "NOTIFY", profile="internal", content_type="application/simple-message-summary", event_string="check-sync", user="1000", host=sw.domain)
    got = phone.expect(method="NOTIFY")
    assert got.get("Event") == "check-sync" and got.get("To") == f"<sip:1000@{sw.domain}>" and got.first.startswith(f"NOTIFY sip:1000@127.0.0.1:{phone.port}")
    phone.reply(got, 200)
    target = f"sip:1000@127.0.0.1:{phone.port}"
    ask(sw, "NOTIFY", "Messages-Waiting: yes\r\n", profile="internal", to_uri=target, from_uri="sip:vm@here", extra_headers="X-Mine: 1")
    got = phone.expect(method="NOTIFY")
    assert (got.get("Event"), got.get("Content-Type"), got.get("X-Mine")) == ("message-summary", "application/simple-message-summary", "1")
    assert got.body == "Messages-Waiting: yes\r\n" and "<sip:vm@here>" in got.get("From")
    phone.reply(got, 200)
    ask(sw, "NOTIFY", uuid=uuid, content_type="text/plain", event_string="talk")
    got = phone.expect(method="NOTIFY")
    assert got.get("Event") == "talk" and got.get("Call-ID") == sw.api(f"uuid_getvar {uuid} sip_call_id")
    phone.reply(got, 200)


def test_events_ask_for_info(parked):
    sw, phone, uuid = parked
    call_id = sw.api(f"uuid_getvar {uuid} sip_call_id")
    ask(sw, "SEND_INFO", "first", profile="internal", call_id=call_id, content_type="text/plain", alert_info="x")
    got = phone.expect(method="INFO")
    assert (got.get("Call-ID"), got.get("Content-Type"), got.get("Alert-Info"), got.body) == (call_id, "text/plain", "x", "first")
    phone.reply(got, 200)
    ask(sw, "SEND_INFO", "lost", profile="nosuch", call_id=call_id)
    ask(sw, "SEND_INFO", "lost", profile="internal", call_id="nosuch")
    ask(sw, "SEND_INFO", "lost", profile="internal", local_user=f"1000@{sw.domain}")  # no from-uri
    ask(sw, "SEND_INFO", "second", profile="internal", local_user=f"1000@{sw.domain}", from_uri="sip:me@here", content_type="text/plain")
    got = phone.expect(method="INFO")
    assert got.body == "second" and got.get("Call-ID") != call_id and "<sip:me@here>" in got.get("From")
    phone.reply(got, 200)


def test_events_ask_for_message(parked):
    sw, phone, uuid = parked
    ask(sw, "SEND_MESSAGE", "hello", profile="internal", content_type="text/plain", user="1000", host=sw.domain, subject="greeting")
    got = phone.expect(method="MESSAGE")
    assert (got.get("Content-Type"), got.get("Subject"), got.body, got.get("From").split(";")[0]) == ("text/plain", "greeting", "hello", f"<sip:1000@{sw.domain}>")
    phone.reply(got, 200)
    ask(sw, "SEND_MESSAGE", "lost", uuid=uuid)  # no content-type
    ask(sw, "SEND_MESSAGE", "inside", uuid=uuid, content_type="text/plain")
    got = phone.expect(method="MESSAGE")
    assert got.body == "inside" and got.get("Call-ID") == sw.api(f"uuid_getvar {uuid} sip_call_id")
    phone.reply(got, 200)


def test_rescan_changes_a_running_profile(parked):
    """Parameters of the file act on what comes next; the call that stands stands, the socket stays."""
    sw, phone, uuid = parked
    path = sw.root / "conf/sip_profiles/internal.xml"
    before = path.read_text()
    try:
        path.write_text(before.replace('name="force-register-domain"', 'name="disable-register" value="true"/>\n<param name="force-register-domain"', 1)
                        .replace('name="sip-port" value="', 'name="sip-port" value="1', 1))
        assert sw.api("sofia profile internal rescan") == "Reload XML [Success]\n+OK scan complete\n"
        other = Phone(sw, "1005")
        other.request("REGISTER", f"sip:{sw.domain}", f"<sip:1005@{sw.domain}>", "rescan-1", extra="Expires: 300\n")
        refused = other.expect(403)
        assert refused.code == 403
        other.close()
        assert sw.api(f"uuid_exists {uuid}") == "true" and f":{sw.sip_port}" in sw.api("sofia status profile internal")
    finally:
        path.write_text(before)
        sw.api("sofia profile internal rescan")
    phone.register()


def test_early_media_that_counts_after_all(tandem):
    phone, esl = Phone(tandem, "1006"), tandem.esl()
    phone.register()
    esl.subscribe("CHANNEL_PROGRESS_MEDIA BACKGROUND_JOB CHANNEL_PARK")
    uuid = tandem.api("create_uuid")
    esl.command(f"bgapi originate {{ignore_early_media=true,origination_uuid={uuid}}}user/1006 &park")
    invite = phone.expect(method="INVITE")
    phone.reply(invite, 183, "Session Progress", sdp(phone.rtp_port))
    esl.wait_event("CHANNEL_PROGRESS_MEDIA", Unique_ID=uuid)
    assert tandem.api(f"uuid_early_ok {uuid}") == "-ERR no reply\n" and tandem.api("uuid_early_ok nosuch") == "-ERROR\n"
    assert esl.wait_event("BACKGROUND_JOB")["_body"] == f"+OK {uuid}\n"
    tandem.api(f"uuid_kill {uuid}")
    cancel = phone.expect(method="CANCEL")
    phone.reply(cancel, 200)
    phone.reply(invite, 487, "Request Terminated")
    esl.close(), phone.close()
    tandem.wait_calls(0)


def test_simplify(tandem):
    """The calling phone is asked to call its partner's phone itself, in place of the call that stands between us and it."""
    a, b = Phone(tandem, "1000"), Phone(tandem, "1001")
    a.register(), b.register()
    a.invite("1001")
    invite = b.take()
    a.answered()
    tandem.wait_calls(2)
    esl = tandem.esl()
    uuid = next(r for r in tandem.api("show channels").split("\n") if ",inbound," in r).split(",")[0]
    assert tandem.api(f"uuid_simplify {uuid}") == "+OK Success\n"
    refer = a.expect(method="REFER")
    target = re.fullmatch(r"<sip:1001@127\.0\.0\.1:(\d+)\?Replaces=(.*)>", refer.get("Refer-To"))
    assert int(target.group(1)) == b.port
    ours = re.search("tag=(.*)", invite.get("From")).group(1)
    assert unquote(target.group(2)) == f"{invite.get('Call-ID')};to-tag={b.tag};from-tag={ours}"
    a.reply(refer, 202)
    esl.close()
    a.bye()
    b.reply(b.expect(method="BYE"), 200)
    a.close(), b.close()
    tandem.wait_calls(0)


def test_a_file_that_plays_is_controlled(parked, tmp_path):
    sw, phone, uuid = parked
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1), w.setsampwidth(2), w.setframerate(8000)
        w.writeframes(b"\x10\x20" * 8000 * 20)
    esl = sw.esl()
    esl.subscribe("PLAYBACK_START PLAYBACK_STOP")
    assert sw.api(f"uuid_fileman {uuid} pause") == "-ERR No file handle!\n"
    sw.api(f"uuid_broadcast {uuid} {path}")
    esl.wait_event("PLAYBACK_START")
    phone.media.recv(2000)  # it sounds
    assert sw.api(f"uuid_fileman {uuid} pause") == "+OK\n" and sw.api(f"uuid_fileman {uuid} seek:19900") == "+OK\n"
    esl.api("msleep 500")  # a tenth of a second is left, which does not pass
    assert not esl.events
    assert sw.api(f"uuid_fileman {uuid} pause") == "+OK\n"
    stop = esl.wait_event("PLAYBACK_STOP", timeout=5)  # of twenty seconds
    assert stop["Playback-Status"] == "done"
    sw.api(f"uuid_broadcast {uuid} {path}")
    esl.wait_event("PLAYBACK_START")
    assert sw.api(f"uuid_fileman {uuid} stop") == "+OK\n"
    assert esl.wait_event("PLAYBACK_STOP", timeout=5)["Playback-Status"] == "break"
    esl.close()


def test_fsctl_acts(parked):
    sw, _, uuid = parked
    esl = sw.esl()
    esl.subscribe("DTMF")
    for state, has in (("on", True), ("off", False)):
        assert sw.api(f"fsctl verbose_events {state}") == f"+OK verbose_events is {state} \n"
        sw.api(f"uuid_recv_dtmf {uuid} 1")
        assert ("variable_uuid" in esl.wait_event("DTMF")) == has
    assert sw.api("fsctl min_dtmf_duration 4000") == "+OK min dtmf duration: 4000\n"
    sw.api(f"uuid_recv_dtmf {uuid} 1@100")
    assert esl.wait_event("DTMF")["DTMF-Duration"] == "4000"
    sw.api("fsctl min_dtmf_duration 400")
    assert sw.api("fsctl api_expansion off") == "+OK api_expansion is off \n"
    assert sw.api("eval ${echo(x)}") == "<API Execute Permission Denied>"
    assert sw.api("fsctl api_expansion on") == "+OK api_expansion is on \n" and sw.api("eval ${echo(x)}") == "x"
    assert sw.api("fsctl uuid_version 7") == "+OK set uuid version: 7\n"
    first, second = sw.api("create_uuid"), sw.api("create_uuid")
    assert first[14] == second[14] == "7" and first[:12] <= second[:12]
    assert sw.api("fsctl uuid_version 4") == "+OK set uuid version: 4\n" and sw.api("create_uuid")[14] == "4"
    esl.close()


def test_addresses(tandem):
    assert tandem.api("host_lookup localhost") == tandem.api("gethost localhost") == "127.0.0.1"
    assert tandem.api("host_lookup no.such.name.invalid") == "!err!" and tandem.api("gethost") == "-ERR"
    assert tandem.api("interface_ip ipv4 lo") == tandem.api("interface_ip auto lo") == "127.0.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stun:
        stun.bind(("127.0.0.1", 0))
        stun.settimeout(8)
        esl = tandem.esl()
        esl.sock.sendall(f"api stun 127.0.0.1:{stun.getsockname()[1]}\n\n".encode())
        request, asker = stun.recvfrom(1000)
        cookie = request[4:8]
        port = bytes(a ^ b for a, b in zip((4711).to_bytes(2, "big"), cookie))
        host = bytes(a ^ b for a, b in zip(bytes((192, 0, 2, 7)), cookie))
        stun.sendto(b"\x01\x01\x00\x0c" + request[4:20] + b"\x00\x20\x00\x08\x00\x01" + port + host, asker)
        assert esl._reply()[1] == "192.0.2.7:4711\n"
        esl.close()


NOTHING_TO_ACT_ON = [
    ("uuid_media_params {} false", "-ERR Operation failed\n"), ("uuid_media_params {}", "-USAGE: <uuid> <json>\n"),
    ("uuid_msrp_send {} hi", "-ERR No msrp_session.\n"), ("uuid_msrp_send nosuch hi", "-ERR Usage: cannot locate session.\n"),
    ("uuid_msrp_send {}", "-ERR Usage: uuid_msrp_send <uuid> msg\n"), ("uuid_preprocess {} agc", "+OK\n"),
    ("uuid_recovery_refresh {} x", "+OK:\n"), ("uuid_recovery_refresh nosuch x", "-ERR No such channel nosuch!\n"),
    ("uuid_send_text {} hi there", "+OK\n"), ("uuid_send_text nosuch hi", "-ERR No such channel nosuch!\n"),
    ("uuid_video_refresh {}", "+OK Success\n"), ("uuid_video_bitrate {}", "-USAGE: <uuid> [auto|manual]\n-ERR Operation Failed\n"),
    ("uuid_video_bandwidth {} 1mb", "+OK Success\n"), ("uuid_xfer_zombie {}", "+OK Success\n"), ("uuid_xfer_zombie nosuch", "-ERR Operation Failed\n"),
    ("db_cache status", "0 total. 0 in use.\n"), ("db_cache", "parameter missing\n"), ("db_cache x", "parameter missing\n"),
    ("event_channel_broadcast", "-ERR parsing json\n"), ("event_channel_broadcast {{", "-ERR parsing json\n"),
    ('event_channel_broadcast {{"eventChannel":"x"}}', "+OK message sent\n"),
]


def test_nothing_to_act_on(parked):
    """FreeSWITCH's words where there is no video, text, MSRP, event channel or database."""
    sw, _, uuid = parked
    for command, reply in NOTHING_TO_ACT_ON:
        assert sw.api(command.format(uuid)) == reply, command


def test_certificates_are_asked_for_again(tandem):
    esl = tandem.esl()
    esl.subscribe("CERT_RELOAD")
    assert tandem.api("reloadcert") == "+OK cert reload event sent\n"
    esl.wait_event("CERT_RELOAD")
    esl.close()
