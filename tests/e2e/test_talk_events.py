"""What is told of a call while it runs: TALK and NOTALK, RTCP events, the interval of reports, round trip and quality."""
import struct
import time

import judge
import pytest
from calls import call, call_and_talk, ended, extension, uuid_of, write_extensions
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("talk") / "instance")
    write_extensions(s, [
        extension("7951", "set rtp_enable_vad_in=true", "answer", "park"),
        extension("7952", "answer", "park"),
        extension("7953", "set fire_rtcp_events=true", "set rtcp_audio_interval_msec=1000", "answer", "echo"),
        extension("7954", "answer", "echo"),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    yield e
    e.close()


def talk_then_hush(p):
    packets = judge.frames(judge.tone(300, 1.0)) + judge.frames(judge.tone(300, 1.2, level=3))
    return judge.Sender(p.media, ("127.0.0.1", p.remote_rtp), [judge.rtp(f, 1 + i, 160 * i) for i, f in enumerate(packets)])


def test_who_talks(sw, phone, events):
    events.subscribe("TALK NOTALK")
    p = phone("1000")
    call(p, "7951")
    uuid = uuid_of(sw, "1000")
    sender = talk_then_hush(p)
    talk = events.wait_event("TALK")
    assert talk["Unique-ID"] == uuid
    assert not [k for k in talk if k.startswith("variable_")]
    events.wait_event("NOTALK")
    sender.join()
    p.bye()


def test_nobody_asked(sw, phone, events):
    """Nothing looks into the sound then."""
    p = phone("1000")
    call(p, "7952")
    assert sw.api(f"uuid_buglist {uuid_of(sw, '1000')}") == "<media-bugs>\n</media-bugs>\n"
    p.bye()


def report(ssrc, about, lsr, dlsr, lost=3, jitter=80):
    """A receiver report with one block."""
    return struct.pack("!BBHIIIIIII", 0x81, 201, 7, ssrc, about, 25 << 24 | lost, 1000, jitter, lsr, dlsr)


def test_reports(sw, phone, events):
    """Ours come when asked for; the phone's become events, its round trip and what it lost variables."""
    import socket
    events.subscribe("RECV_RTCP_MESSAGE SEND_RTCP_MESSAGE CHANNEL_HANGUP_COMPLETE")
    p = phone("1000")
    rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    rtcp.bind(("127.0.0.1", p.rtp_port + 1))
    rtcp.settimeout(6)
    p.invite("7953", sdp(p.rtp_port))
    p.answered()
    sender = judge.Sender(p.media, ("127.0.0.1", p.remote_rtp), [judge.rtp(f, i, 160 * i) for i, f in enumerate(judge.frames(judge.tone(300, 5)))])
    data, where = rtcp.recvfrom(2000)
    while data[1] != 200:
        data, where = rtcp.recvfrom(2000)
    ours, high, low = struct.unpack("!III", data[4:16])
    mid = (high & 0xffff) << 16 | low >> 16
    rtcp.sendto(report(0x5ca1e, ours, mid, 0), where)
    sent = events.wait_event("SEND_RTCP_MESSAGE")
    assert sent["SSRC"] == f"{ours:08x}" and int(sent["Sender-Packet-Count"]) > 0
    got = events.wait_event("RECV_RTCP_MESSAGE")
    assert got["SSRC"] == "0005ca1e" and got["Source0-Lost"] == "3" and got["Source0-Fraction"] == "25"
    sender.join()
    p.bye()
    end = events.wait_event("CHANNEL_HANGUP_COMPLETE")
    assert end["variable_rtp_audio_out_lost_packet_count"] == "3"
    assert end["variable_rtp_audio_out_jitter_ms"] == "10.00"
    assert 0 <= int(end["variable_rtp_audio_round_trip_ms"]) < 1000
    assert float(end["variable_rtp_audio_in_mos"]) > 4.3 and float(end["variable_rtp_audio_in_quality_percentage"]) > 98
    rtcp.close()


def test_a_lossy_call_is_rated_lower(sw, phone, events):
    events.subscribe("CHANNEL_HANGUP_COMPLETE")
    p = phone("1000")
    call(p, "7954")
    packets = [judge.rtp(f, i, 160 * i) for i, f in enumerate(judge.frames(judge.tone(300, 4)))]
    judge.Sender(p.media, ("127.0.0.1", p.remote_rtp), packets, judge.Network(loss=0.2, burst=3, seed=2)).join()
    p.bye()
    end = events.wait_event("CHANNEL_HANGUP_COMPLETE")
    assert 1 < float(end["variable_rtp_audio_in_mos"]) < 3.2
    assert 10 < int(end["variable_rtp_audio_in_flaw_total"]) < 80
    assert float(end["variable_rtp_audio_in_jitter_burst_rate"]) > 0.3
