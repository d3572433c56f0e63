"""Media that goes past the switch: bypass_media, bypass_media_after_bridge, uuid_media there and back, and a phone's hold in bypass."""
import re

import pytest
import tandem as t
from calls import arrives, ended, extension, uuid_of, write_extensions
from stall import Gate
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("bypass") / "instance")
    extensions = [
        extension("7201", "set bypass_media=true", "bridge user/1001"),
        extension("7202", "set bypass_media_after_bridge=true", "bridge user/1001"),
        extension("7203", "bridge user/1001"),
        extension("7204", "set bypass_media=true", "set continue_on_fail=true", "bridge user/1001", "answer",
                  "playback tone_stream://%(200,0,440)", "park"),
        extension("7205", "set bypass_media=true", "set park_after_bridge=true", "bridge user/1001"),
    ]
    write_extensions(s, extensions)
    s.start()
    yield s
    s.stop()


@pytest.fixture
def pair(phone):
    return phone("1000"), phone("1001")


def media_port(text):
    return int(re.search(r"m=audio (\d+)", text).group(1))


def reinvited(p, port, answer=None):
    """Expects a re-INVITE whose media is at port (None: not one of the phones'), answers it."""
    req = p.expect(method="INVITE")
    if port:
        assert media_port(req.body) == port
    p.reply(req, 200, "OK", answer or sdp(p.rtp_port, version=2))
    p.expect(method="ACK")
    return media_port(req.body)


def call(a, b, number):
    a.invite(number)
    offer = b.take()
    answer = a.answered()
    return media_port(offer.body), media_port(answer.body)


def test_from_the_start(sw, pair):
    a, b = pair
    offered, answered = call(a, b, "7201")
    assert (offered, answered) == (a.rtp_port, b.rtp_port), "each phone has the other's address"
    assert sw.api("show calls count").strip().startswith("1 total")
    a.bye()
    ended(b)
    sw.wait_calls(0)


def test_hold_is_passed_on(sw, pair):
    a, b = pair
    call(a, b, "7201")
    a.request("INVITE", body=sdp(a.rtp_port, direction="sendonly", version=2))
    at_b = b.expect(method="INVITE")
    assert "a=sendonly" in at_b.body and media_port(at_b.body) == a.rtp_port
    b.reply(at_b, 200, "OK", sdp(b.rtp_port, direction="recvonly", version=2))
    ok = a.expect(200)
    assert "a=recvonly" in ok.body and media_port(ok.body) == b.rtp_port
    b.expect(method="ACK")
    a.request("ACK", cseq=a.cseq)
    # one that the other phone refuses
    a.request("INVITE", body=sdp(a.rtp_port, version=3))
    b.reply(b.expect(method="INVITE"), 488, "No")
    assert a.expect(488)
    a.request("ACK", cseq=a.cseq)


def test_hung_up_while_the_other_is_asked(sw, pair):
    a, b = pair
    call(a, b, "7201")
    a.request("INVITE", body=sdp(a.rtp_port, direction="sendonly", version=2))
    b.expect(method="INVITE")
    b.own_request("BYE")
    b.expect(200)
    ended(a)


def test_there_and_back(sw, pair):
    a, b = pair
    call(a, b, "7203")
    assert arrives(a, b)
    leg = uuid_of(sw, a.user)
    ports = int(re.search(r"\d+", sw.api("show calls count")).group())
    assert ports == 1
    assert sw.api(f"uuid_media off {leg}") == "+OK Success\n"
    reinvited(a, b.rtp_port)
    reinvited(b, a.rtp_port)
    assert not arrives(a, b), "our ports are closed"
    assert sw.api(f"uuid_media {leg}") == "+OK Success\n"
    a.remote_rtp = reinvited(a, None)
    b.remote_rtp = reinvited(b, None)
    assert a.remote_rtp not in (a.rtp_port, b.rtp_port)
    assert arrives(a, b) and arrives(b, a)


def test_refused_by_the_second(sw, pair):
    a, b = pair
    call(a, b, "7203")
    sw.api(f"uuid_media off {uuid_of(sw, a.user)}")
    reinvited(a, b.rtp_port)
    refused = b.expect(method="INVITE")
    b.reply(refused, 488, "No")
    assert b.expect(method="ACK")
    # the first is asked back, and so is the second
    a.remote_rtp = reinvited(a, None)
    again = [reinvited(b, None)] if any(m.method == "INVITE" for m in b.queue) else []
    b.remote_rtp = again[0] if again else b.remote_rtp
    assert arrives(a, b) and arrives(b, a)


def test_after_the_bridge(sw, pair):
    a, b = pair
    call(a, b, "7202")
    reinvited(a, b.rtp_port)
    reinvited(b, a.rtp_port)
    # an application that plays brings media back
    esl = sw.esl()
    esl.subscribe("PLAYBACK_START PLAYBACK_STOP")
    sw.api(f"uuid_broadcast {uuid_of(sw, a.user)} playback::tone_stream://%(300,0,440) aleg")
    a.remote_rtp = reinvited(a, None)
    b.remote_rtp = reinvited(b, None)
    esl.wait_event("PLAYBACK_STOP")
    esl.close()
    assert arrives(b, a)


def test_an_application_comes_at_once(tmp_path, phone_of):
    """The media thread has not closed the streams yet that are not needed any more: the application waits for that, and has media."""
    sw = t.Tandem(tmp_path / "instance")
    write_extensions(sw, [extension("7202", "set bypass_media_after_bridge=true", "bridge user/1001")])
    with Gate(sw, tmp_path, "stall_media.c") as gate:
        sw.start()
        a, b = phone_of(sw, "1000"), phone_of(sw, "1001")
        call(a, b, "7202")
        reinvited(a, b.rtp_port)
        gate.shut()
        reinvited(b, a.rtp_port)
        esl = sw.esl()
        esl.subscribe("PLAYBACK_STOP")
        assert sw.api(f"uuid_broadcast {uuid_of(sw, a.user)} playback::tone_stream://%(300,0,440) aleg")[0] == "+"
        assert sw.api("status")
        gate.open()
        reinvited(a, None)
        reinvited(b, None)
        esl.wait_event("PLAYBACK_STOP")
        esl.close()
        a.bye()
        sw.wait_calls(0)
        sw.stop()


def test_refused_call_goes_on_alone(sw, pair):
    a, b = pair
    a.invite("7204")
    invite = b.expect(method="INVITE")
    assert media_port(invite.body) == a.rtp_port
    b.reply(invite, 486, "Busy")
    b.expect(method="ACK")
    assert media_port(a.answered().body) not in (a.rtp_port, b.rtp_port)
    a.media.settimeout(3)
    assert a.media.recv(2000)


def test_after_a_call_in_bypass_the_caller_goes_on(sw, pair):
    a, b = pair
    call(a, b, "7205")
    b.own_request("BYE")
    b.expect(200)
    leg = uuid_of(sw, a.user)
    assert sw.api(f"uuid_media {leg}") == "+OK Success\n"
    a.remote_rtp = reinvited(a, None)
    sw.api(f"uuid_broadcast {leg} tone_stream://%(500,0,440) aleg")
    a.media.settimeout(3)
    assert a.media.recv(2000)


def test_words(sw):
    assert sw.api("uuid_media") == "-USAGE: [off] <uuid>\n-ERR Operation failed\n"
    assert sw.api("uuid_media off nosuch") == "-ERR Operation failed\n"
    assert sw.api("uuid_media_reneg nosuch") == "-ERR Operation Failed\n"


def test_reneg_with_another_codec(sw, pair):
    a, b = pair
    call(a, b, "7203")
    assert sw.api(f"uuid_media_reneg {uuid_of(sw, a.user)} PCMA") == "+OK Success\n"
    req = a.expect(method="INVITE")
    assert re.search(r"m=audio \d+ RTP/AVP 8\b", req.body)
    a.reply(req, 200, "OK", sdp(a.rtp_port, formats=(8, 101), version=2))
    a.expect(method="ACK")


# ---- media-option

@pytest.mark.parametrize("goes_again", [False, True])
def test_media_is_here_while_held(sw, pair, goes_again):
    """resume-media-on-hold: the other phone hears music; bypass-media-after-hold: past us again afterwards."""
    a, b = pair
    sw.api(f"global_setvar bypass_media_after_hold={'true' if goes_again else ''}")
    sw.api("global_setvar bypass_media_resume_on_hold=true")
    try:
        call(a, b, "7201")
        a.request("INVITE", body=sdp(a.rtp_port, direction="sendonly", version=2))
        came = reinvited(b, None)
        assert came not in (a.rtp_port, b.rtp_port), "the other phone's media is here"
        held = a.answered()
        assert "a=recvonly" in held.body and media_port(held.body) not in (a.rtp_port, b.rtp_port)
        assert len(b.media.recv(2000)) > 160, "music"
        a.request("INVITE", body=sdp(a.rtp_port, version=3))
        assert media_port(a.answered().body) not in (a.rtp_port, b.rtp_port)
        if goes_again:
            reinvited(a, b.rtp_port)
            reinvited(b, a.rtp_port)
        else:
            a.expect_nothing("INVITE", 0.5)
        a.bye()
        ended(b)
    finally:
        sw.api("global_setvar bypass_media_resume_on_hold=")
        sw.api("global_setvar bypass_media_after_hold=")
