"""What offers lead to besides the ordinary: codecs nobody here knows, a re-INVITE to a codec that cannot be joined, packet times that differ,
and quiet packets to who is recorded."""
import re
import struct
import time

import pytest
from calls import bridged, ended, extension, is_pair, write_extensions
from talk import ULAW, Talker
from wire import sdp

pytestmark = pytest.mark.leaks


def offer(port, media, *lines):
    return "\r\n".join(["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", f"m=audio {port} {media}", *lines, ""])


UNKNOWN = {
    "speex": lambda p: offer(p, "RTP/AVP 97", "a=rtpmap:97 SPEEX/8000"),
    "AMR": lambda p: offer(p, "RTP/AVP 96", "a=rtpmap:96 AMR/8000"),
    "telephone-event alone": lambda p: offer(p, "RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"),
    "port 0": lambda p: offer(0, "RTP/AVP 0"),
    "SRTP": lambda p: offer(p, "RTP/SAVP 0"),
}


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("offers") / "instance")
    write_extensions(s, [
        extension("7650", "hangup USER_BUSY"),
        extension("7651", "set bypass_media=true", "bridge user/1001@$${domain}"),
        extension("7652", "answer", "echo"),
        extension("7653", "bridge user/1001@$${domain}"),
        extension("7654", "redirect sip:1@127.0.0.1:9"),
        extension("7655", "answer", f"record {s.root}/kept.wav 2", "hangup"),
        extension("7656", "answer", "echo"),
    ])
    for name in ("internal", "external"):
        path = s.root / f"conf/sip_profiles/{name}.xml"
        path.write_text(path.read_text().replace("</settings>", '<param name="inbound-late-negotiation" value="true"/></settings>', 1))
    s.start()
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("CHANNEL_CREATE CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_DESTROY")
    yield e
    e.close()


def life(e):
    """The names of a call's events in their order."""
    names, first = [], e.wait_event("CHANNEL_CREATE")
    names.append(first["Event-Name"])
    for name in ("CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY"):
        e.wait_event(name, Unique_ID=first["Unique-ID"])
    return first["Unique-ID"]


# ---- 1. offers that we could not answer
@pytest.mark.parametrize("name", UNKNOWN)
def test_the_dialplan_runs(sw, phone, events, name):
    a = phone("1000")
    for number, code in (("7650", 486), ("7654", 302), ("7652", 488)):
        a.invite(number, UNKNOWN[name](a.rtp_port))
        a.ack_failure(a.expect(code))
        assert life(events)


@pytest.mark.parametrize("name", UNKNOWN)
def test_nobody_rings_in_vain(sw, phone, name):
    """Through us the called could choose nothing that the caller understands."""
    a, b = phone("1000"), phone("1001")
    a.invite("7653", UNKNOWN[name](a.rtp_port))
    a.ack_failure(a.expect(488))
    b.expect_nothing("INVITE", 0.1)


def test_past_us_they_agree_on_what_they_know(sw, phone):
    a, b = phone("1000"), phone("1001")
    text = UNKNOWN["speex"](a.rtp_port)
    a.invite("7651", text)
    invite = b.take(UNKNOWN["speex"](b.rtp_port))
    assert "97 SPEEX/8000" in invite.body
    assert "97 SPEEX/8000" in a.answered().body
    a.bye()
    ended(b)


def test_no_session_description_at_all(sw, phone, events):
    """The events begin with CHANNEL_CREATE too."""
    a = phone("1000")
    a.invite("7652", "v=0\r\nnothing\r\n")
    a.ack_failure(a.expect(480))
    assert life(events)


# ---- 2. a re-INVITE to what cannot be joined
@pytest.mark.parametrize("who", ["caller", "callee"])
@pytest.mark.parametrize("formats", [(18,)])
def test_a_codec_that_cannot_be_joined(sw, phone, who, formats):
    """488, and the session stays as it was."""
    a, b = bridged(phone("1000", hz=500), phone("1001", hz=900), "7653")
    x, ask = (a, a.request) if who == "caller" else (b, b.own_request)
    ask("INVITE", body=sdp(x.rtp_port, formats=formats, version=2))
    ask("ACK", cseq=int(x.expect(488).get("CSeq").split()[0]))
    is_pair(a, b)
    # what can be comes before what cannot, in whatever order it is offered
    ask("INVITE", body=sdp(x.rtp_port, formats=(*formats, 0), version=3))
    ok = x.expect(200)
    ask("ACK", cseq=int(ok.get("CSeq").split()[0]))
    assert re.search(r"m=audio \d+ RTP/AVP 0\b", ok.body)
    is_pair(a, b)
    a.bye()
    ended(b)


def test_an_application_that_could_not_hear_it(sw, phone):
    a = phone("1000", hz=700)
    a.invite("7656")
    a.answered()
    a.talk = Talker(a, a.hz)
    a.talk.hears(700)
    a.request("INVITE", body=sdp(a.rtp_port, formats=(18,), version=2))
    a.request("ACK", cseq=int(a.expect(488).get("CSeq").split()[0]))
    a.talk.hears(700)
    a.bye()


def test_both_know_the_same(sw, phone):
    """G.722 on both sides passes as it is, also when a re-INVITE says it again."""
    a, b = phone("1000"), phone("1001")
    a.invite("7653", sdp(a.rtp_port, formats=(9, 101)))
    b.take(sdp(b.rtp_port, formats=(9, 101)))
    a.answered()
    a.request("INVITE", body=sdp(a.rtp_port, formats=(9, 101), version=2))
    assert re.search(r"m=audio \d+ RTP/AVP 9\b", a.answered().body)
    a.bye()
    ended(b)


# ---- 3. packet times
def with_ptime(text, ms):
    return text.replace("a=ptime:20", f"a=ptime:{ms}")


def send_tone(p, samples, count, hz, state):
    """Packets of that many samples, at their pace."""
    import numpy as np
    from talk import ulaw
    for _ in range(count):
        t = (np.arange(samples) + state["ts"]) / 8000
        p.media.sendto(struct.pack("!BBHII", 0x80, 0, state["seq"] & 65535, state["ts"], 5) + ulaw(8000 * np.sin(2 * np.pi * hz * t)),
                       ("127.0.0.1", p.remote_rtp))
        state["seq"] += 1
        state["ts"] += samples
        time.sleep(samples / 8000)


def received(p):
    """What has come: payload lengths, timestamp steps, sound."""
    p.media.settimeout(0.3)
    got = []
    while True:
        try:
            got.append(p.media.recv(2000))
        except TimeoutError:
            break
    return [x for x in got if x[1] & 127 == 0]


@pytest.mark.parametrize("ptime", [10, 30, 40, 60])
def test_packet_times_are_converted(sw, phone, ptime):
    import numpy as np
    from talk import amplitude
    a, b = phone("1000"), phone("1001")
    a.invite("7653", with_ptime(sdp(a.rtp_port), ptime))
    b.take(with_ptime(sdp(b.rtp_port), 20))
    ok = a.answered()
    assert f"a=ptime:{ptime}" in ok.body
    sa, sb = {"seq": 1, "ts": 0}, {"seq": 1, "ts": 0}
    for _ in range(8):
        send_tone(a, 8 * ptime, 240 // ptime // 2, 500, sa)
        send_tone(b, 160, 6, 900, sb)
    for p, bytes_, hz in ((a, 8 * ptime, 900), (b, 160, 500)):
        got = received(p)
        assert len(got) > 10 and {len(x) - 12 for x in got} == {bytes_}, {len(x) - 12 for x in got}
        seqs = [struct.unpack("!H", x[2:4])[0] for x in got]
        assert seqs == [seqs[0] + i & 65535 for i in range(len(seqs))]
        sound = np.concatenate([ULAW[np.frombuffer(x[12:], np.uint8)] for x in got])
        assert amplitude(sound, hz) > 2000
    a.bye()
    ended(b)


def test_an_odd_packet_time_is_20(sw, phone):
    a = phone("1000")
    a.invite("7652", with_ptime(sdp(a.rtp_port), 25))
    assert "a=ptime:20" in a.answered().body
    a.bye()


# ---- 4. who is recorded
def test_quiet_packets_while_recording(sw, phone):
    a = phone("1000", hz=700)
    a.invite("7655")
    a.answered()
    a.talk = Talker(a, a.hz)
    began = time.monotonic()
    ended(a, timeout=10)
    with a.talk.lock:
        got = [(t, x) for t, _, x in a.talk.got if t > began]
    assert len(got) >= 80, f"{len(got)} packets in 2 s"
    assert max(abs(x).max() for _, x in got[5:]) < 100, "and they are quiet"
    sw.wait_calls(0)
    assert (sw.root / "kept.wav").stat().st_size > 20000
