"""The applications and originate, on real calls: sound is sent and listened to, files are read back."""
import re
import time

import numpy as np
import pytest
from calls import ended, heard_ms, listen, originate, rtp
from phones import Baresip, read_wav, tone_level, write_tone
from talk import ULAW

pytestmark = pytest.mark.leaks
EXTENSIONS = """<include>
<extension name="a1"><condition field="destination_number" expression="^7001$">
<action application="answer"/><action application="playback" data="{file}"/><action application="hangup"/></condition></extension>
<extension name="a2"><condition field="destination_number" expression="^7002$">
<action application="answer"/><action application="gentones" data="%(1000,0,700)|2"/><action application="hangup"/></condition></extension>
<extension name="a3"><condition field="destination_number" expression="^7003$">
<action application="answer"/><action application="record" data="{record} 2"/><action application="hangup"/></condition></extension>
<extension name="a4"><condition field="destination_number" expression="^7004$">
<action application="answer"/><action application="sleep" data="300"/><action application="transfer" data="9196"/></condition></extension>
<extension name="a5"><condition field="destination_number" expression="^7005$">
<action application="set" data="greeting=hello world"/><action application="set" data="copy=${{greeting:0:5}}-${{destination_number}}"/>
<action application="export" data="carried=yes"/><action application="unset" data="greeting"/>
<action application="hash" data="insert/tests/key/${{copy}}"/><action application="log" data="NOTICE the-log-line ${{copy}}"/>
<action application="info"/><action application="answer"/><action application="park"/></condition></extension>
<extension name="a6"><condition field="destination_number" expression="^7006$">
<action application="ring_ready"/><action application="sleep" data="200"/><action application="pre_answer"/>
<action application="sleep" data="200"/><action application="answer"/><action application="park"/></condition></extension>
<extension name="a7"><condition field="destination_number" expression="^7007$">
<action application="hangup" data="USER_BUSY"/></condition></extension>
<extension name="a8"><condition field="destination_number" expression="^7008$">
<action application="answer"/><action application="playback" data="{nosuch}"/><action application="set" data="after=here"/>
<action application="park"/></condition></extension>
</include>
"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    switch = t.Tandem(tmp_path_factory.mktemp("apps") / "instance")
    switch.wav, switch.record = switch.root / "tone.wav", switch.root / "recordings/out.wav"
    write_tone(switch.wav, 523, seconds=1.5)
    (switch.root / "conf/dialplan/default/apps.xml").write_text(
        EXTENSIONS.format(file=switch.wav, record=switch.record, nosuch=switch.root / "nosuch.wav"))
    switch.start()
    yield switch
    switch.stop()




def test_playback_to_its_end(sw, phone):
    a = phone("1000")
    a.invite("7001")
    a.answered()
    x = listen(a, 1.3)
    assert heard_ms(x, 523, 4000) > 1000
    ended(a, timeout=5)


def test_gentones(sw, phone):
    a = phone("1000")
    a.invite("7002")
    a.answered()
    x = listen(a, 1.8)
    assert heard_ms(x, 700, 1000) > 1200
    ended(a, timeout=5)


def test_record_to_a_file(sw, phone):
    a = phone("1000")
    a.invite("7003")
    a.answered()
    t, n = np.arange(160) / 8000, 0
    end = time.monotonic() + 2.4
    table = {int(v): i for i, v in reversed(list(enumerate(ULAW)))}
    keys = np.array(sorted(table))
    while time.monotonic() < end:
        wave = 8000 * np.sin(2 * np.pi * 300 * (t + n * 0.02))
        payload = bytes(table[int(keys[np.abs(keys - v).argmin()])] for v in wave)
        a.media.sendto(rtp(n, payload=payload), ("127.0.0.1", a.remote_rtp))
        n += 1
        time.sleep(max(0, 0.02 - (time.monotonic() % 0.0001)))
        if n > 110:
            break
    ended(a, timeout=6)
    x, rate = read_wav(sw.record)
    assert rate == 8000 and 1.8 < len(x) / rate < 2.2, len(x) / rate
    assert (tone_level(x, rate, 300) > 6000).sum() * 0.02 > 1.2


def test_transfer_to_another_extension(sw, phone):
    a = phone("1000")
    a.invite("7004")
    a.answered()
    deadline = time.monotonic() + 5
    while ",9196,echo," not in sw.api("show channels"):
        assert time.monotonic() < deadline, sw.api("show channels")
        time.sleep(0.02)
    a.bye()


def test_variables_hash_log_info(sw, phone):
    a = phone("1000")
    events = sw.esl()
    events.subscribe("CHANNEL_PARK")
    a.invite("7005")
    a.answered()
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    assert sw.api(f"uuid_getvar {uuid} copy") == "hello-7005"
    assert sw.api(f"uuid_getvar {uuid} greeting") == "_undef_"
    assert sw.api(f"uuid_getvar {uuid} export_vars") == "carried"
    assert sw.api("hash select/tests/key") == "hello-7005"
    deadline = time.monotonic() + 5
    while "the-log-line hello-7005" not in sw.log_text or "variable_copy: [hello-7005]" not in sw.log_text:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    events.close()
    a.bye()


def test_ring_early_answer_in_order(sw, phone):
    a = phone("1000")
    a.invite("7006")
    a.expect(180)
    assert "m=audio" in a.expect(183).body
    a.answered()
    a.bye()


def test_hangup_with_a_cause(sw, phone):
    a = phone("1000")
    a.invite("7007")
    refused = a.expect(486)
    assert 'cause=17;text="USER_BUSY"' in refused.get("Reason")
    a.ack_failure(refused)


def test_missing_file_goes_on(sw, phone):
    a = phone("1000")
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE_COMPLETE CHANNEL_PARK")
    a.invite("7008")
    a.answered()
    done = events.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="playback")
    assert done["Application-Response"] == "FILE NOT FOUND", done
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    assert sw.api(f"uuid_getvar {uuid} after") == "here"
    events.close()
    a.bye()


def test_originate_user_to_park(sw, phone):
    b = phone("1001")
    reply = originate(sw, "user/1001 &park()")
    b.take()
    answer = reply()
    uuid = re.fullmatch(r"\+OK ([0-9a-f-]{36})\n", answer).group(1)
    assert sw.api(f"uuid_exists {uuid}") == "true"
    assert sw.api(f"uuid_kill {uuid}") == "+OK\n"
    ended(b)


def test_originate_to_an_extension_bridges(sw, phone):
    a, b = phone("1000"), phone("1001")
    reply = originate(sw, "user/1000 1001 XML default")
    a.take()
    b.take()
    assert reply().startswith("+OK")
    assert "1 total" in sw.api("show bridged_calls count")
    b.own_request("BYE")
    b.expect(200)
    ended(a)


def test_originate_sip_uri_and_profile(sw, phone):
    b = phone("1001")
    for target in (f"sofia/internal/sip:1001@127.0.0.1:{b.port}", f"sofia/internal/1001%{sw.domain}", f"sip:1001@127.0.0.1:{b.port}"):
        reply = originate(sw, f"{target} &park()")
        b.take()
        assert reply().startswith("+OK"), target
        sw.api("hupall")
        ended(b)
        sw.wait_calls(0)


def test_originate_at_once_and_in_turn(sw, phone):
    a, b = phone("1000"), phone("1001")
    reply = originate(sw, "user/1000,user/1001 &park()")  # at once: the first to answer wins
    i = a.expect(method="INVITE")
    a.reply(i, 180, "Ringing")
    b.take()
    assert reply().startswith("+OK")
    cancel = a.expect(method="CANCEL")
    a.reply(cancel, 200, "OK", tag=False)
    a.reply(i, 487, "Request Terminated")
    a.expect(method="ACK")
    sw.api("hupall")
    ended(b)
    sw.wait_calls(0)
    reply = originate(sw, "user/1000|user/1001 &park()")  # in turn: the second after the first refused
    i = a.expect(method="INVITE")
    b.expect_nothing("INVITE", 0.3)
    a.reply(i, 486, "Busy Here")
    a.expect(method="ACK")
    b.take()
    assert reply().startswith("+OK")
    sw.api("hupall")
    ended(b)


def test_originate_failures(sw, phone):
    assert originate(sw, "user/1019 &park()")() == "-ERR USER_NOT_REGISTERED\n"
    assert originate(sw, "user/4711 &park()")() == "-ERR SUBSCRIBER_ABSENT\n"
    b = phone("1001")
    reply = originate(sw, "{originate_timeout=1}user/1001 &park()")
    i = b.expect(method="INVITE")
    b.reply(i, 180, "Ringing")
    cancel = b.expect(method="CANCEL")
    b.reply(cancel, 200, "OK", tag=False)
    b.reply(i, 487, "Request Terminated")
    assert reply() == "-ERR NO_ANSWER\n"


def test_broadcast_and_break(sw, phone):
    b = phone("1001")
    reply = originate(sw, "user/1001 &park()")
    b.take()
    uuid = reply().split()[1]
    events = sw.esl()
    events.subscribe("PLAYBACK_START PLAYBACK_STOP")
    assert sw.api(f"uuid_broadcast {uuid} {sw.wav}") == "+OK Message sent\n"
    events.wait_event("PLAYBACK_START")
    assert heard_ms(listen(b, 0.6), 523, 4000) > 300
    sw.api(f"uuid_break {uuid}")
    assert events.wait_event("PLAYBACK_STOP")["Playback-Status"] == "break"
    sw.api(f"uuid_kill {uuid}")
    ended(b)
    events.close()


def test_digits_of_a_parked_leg_are_told(sw, phone):
    """Nobody collects them, but who controls the leg hears of them, as FreeSWITCH's park does."""
    b = phone("1001")
    reply = originate(sw, "user/1001 &park()")
    b.take()
    uuid = reply().split()[1]
    events = sw.esl()
    events.subscribe("DTMF")
    sw.api(f"uuid_recv_dtmf {uuid} 12#")
    got = [events.wait_event("DTMF", **{"Unique-ID": uuid}) for _ in range(3)]
    assert "".join(e["DTMF-Digit"] for e in got) == "12#" and got[0]["DTMF-Source"] == "APP"
    assert list(got[0])[-4:-1] == ["DTMF-Digit", "DTMF-Duration", "DTMF-Source"], list(got[0])
    b.own_request("INFO", body="Signal=5\r\nDuration=160\r\n", ctype="application/dtmf-relay")
    assert events.wait_event("DTMF")["DTMF-Digit"] == "5"
    events.close()
    sw.api("hupall")
    ended(b)


def test_uuid_bridge_joins_two_calls(sw, phone):
    a, b = phone("1000"), phone("1001")
    uuids = []
    for p in (a, b):
        reply = originate(sw, f"user/{p.user} &park()")
        p.take()
        uuids.append(reply().split()[1])
    assert sw.api(f"uuid_bridge {uuids[0]} {uuids[1]}") == f"+OK {uuids[1]}\n"
    a.media.settimeout(0.02)
    good = False
    for n in range(100):
        b.media.sendto(rtp(n, payload=b"\x33" * 160), ("127.0.0.1", b.remote_rtp))
        try:
            good = good or a.media.recv(2000)[12:] == b"\x33" * 160
        except TimeoutError:
            pass
    assert good
    sw.api(f"uuid_kill {uuids[0]}")
    ended(a)
    ended(b)


@pytest.mark.parametrize("codec", ["opus/48000/2", "G722/8000/1"])
def test_codecs_that_only_pass(sw, tmp_path, codec):
    """Two phones with one codec that the engine does not decode: they hear each other."""
    a, b = Baresip(tmp_path, sw, "1002", hz=440, codecs=codec), Baresip(tmp_path, sw, "1003", hz=850, codecs=codec)
    try:
        a.dial("1003")
        b.answer()
        a.wait("CALL_ESTABLISHED")
        b.wait("CALL_ESTABLISHED")
        time.sleep(2)
        a.hangup()
        b.wait("CALL_CLOSED")
        sw.wait_calls(0)
        for p, hz in ((a, 850), (b, 440)):
            x, rate = read_wav(p.heard())
            assert (tone_level(x, rate, hz) > 4000).sum() * 0.02 > 1.0, (p.user, rate, tone_level(x, rate, hz)[::5])
    finally:
        a.close()
        b.close()
