"""DTLS-SRTP with real peers (aiortc, baresip): calls both ways, renegotiation, and whose handshakes are not taken."""
import re
import socket
import time

import pytest
from calls import extension, write_extensions
from rtc_peer import RtcPeer
from talk import Talker
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("dtls") / "instance")
    p = s.root / "conf/sip_profiles/internal.xml"
    p.write_text(p.read_text().replace("<settings>", '<settings>\n<param name="apply-candidate-acl" value="loopback.auto"/>', 1))
    write_extensions(s, [extension("7800", "answer", "echo"), extension("7801", "set webrtc_enable_dtls=false", "answer", "echo"),
                         extension("7803", "bridge user/1001"), extension("7804", "answer", "playback tone_stream://%(2000,0,440);loops=5")])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def browsers():
    made = []

    def one(hz, **how):
        made.append(RtcPeer(hz, **how))
        return made[-1]
    yield one
    for p in made:
        p.close()


def wait_var(sw, uuid, name, want, timeout=10):
    until = time.monotonic() + timeout
    while (got := sw.api(f"uuid_getvar {uuid} {name}").strip()) not in want:
        assert time.monotonic() < until, (name, got)
        time.sleep(0.05)  # what is asked for has no event
    return got


def only_uuid(sw):
    rows = [r for r in sw.api("show channels").splitlines() if re.match(r"[0-9a-f]{8}-", r)]
    assert len(rows) == 1, rows
    return rows[0].split(",")[0]


def test_a_browser_calls(sw, phone, browsers):
    """It hears itself; we are active, the variable says so, the event comes."""
    a, rtc = phone("1000"), browsers(700)
    esl = sw.esl()
    esl.subscribe("CALL_SECURE")
    a.invite("7800", rtc.offer())
    ok = a.answered()
    assert re.search(r"m=audio \d+ UDP/TLS/RTP/SAVPF", ok.body) and "a=setup:active" in ok.body and "a=rtcp-mux" in ok.body
    assert re.search(r"a=fingerprint:sha-256 ([0-9A-F]{2}:){31}[0-9A-F]{2}\r\n", ok.body)
    rtc.accept(ok.body)
    rtc.hears(700)
    uuid = only_uuid(sw)
    assert wait_var(sw, uuid, "rtp_secure_media_confirmed", ["true"])
    e = esl.wait_event("CALL_SECURE")
    assert re.fullmatch(r"srtp:dtls:(AEAD_AES|AES_CM)_\w+", e["secure_type"]), e
    esl.close()
    a.bye()


def test_a_browser_is_called(sw, phone, browsers):
    """A caller's plain phone and a browser: our offer is actpass, it is active; both hear each other."""
    a, b, rtc = phone("1000"), phone("1001"), browsers(900)
    b.register()
    sw.api("bgapi originate {media_webrtc=true}user/1001 &echo")
    req = b.expect(method="INVITE")
    assert re.search(r"m=audio \d+ UDP/TLS/RTP/SAVPF", req.body) and "a=setup:actpass" in req.body and "a=rtcp-mux" in req.body
    b.reply(req, 200, "OK", rtc.answer(req.body))
    b.expect(method="ACK")
    b.enter(req)
    rtc.hears(900)
    b.own_request("BYE")
    b.expect(200)
    sw.wait_calls(0)


@pytest.mark.parametrize("codec", ["PCMU", "opus"])
def test_browser_and_phone(sw, phone, browsers, codec):
    """DTLS-SRTP on one side, RTP on the other; the same codec and another."""
    a, b, rtc = phone("1000"), phone("1001"), browsers(700, codec=codec)
    b.register()
    a.invite("7803", rtc.offer())
    req = b.take()
    assert "RTP/AVP" in req.body and "fingerprint" not in req.body
    rtc.accept(a.answered().body)
    b.talk = Talker(b, 1000)
    rtc.hears(1000)
    b.talk.hears(700)
    a.bye()


def test_first_words_are_heard(sw, phone, browsers):
    """What plays after the answer waits for the keys."""
    a, rtc = phone("1000"), browsers(700)
    a.invite("7804", rtc.offer())
    ok = a.answered()
    rtc.accept(ok.body)
    rtc.hears(440)
    a.bye()


def test_forbidden(sw, phone, browsers):
    a, rtc = phone("1000"), browsers(700)
    a.invite("7801", rtc.offer())
    assert a.expect(488).code == 488
