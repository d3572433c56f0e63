"""DTLS-SRTP with real peers (aiortc, baresip): calls both ways, renegotiation, and whose handshakes are not taken."""
import re
import socket
import subprocess
import time

import pytest
from calls import extension, write_extensions
from phones import Baresip
from rtc_peer import RtcPeer
from talk import Talker
from test_ice import tone_seconds
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("dtls") / "instance")
    p = s.root / "conf/sip_profiles/internal.xml"
    p.write_text(p.read_text().replace("<settings>", '<settings>\n<param name="apply-candidate-acl" value="loopback.auto"/>', 1))
    write_extensions(s, [extension("7800", "answer", "echo"), extension("7801", "set webrtc_enable_dtls=false", "answer", "echo"),
                         extension("7803", "bridge user/1001"), extension("7805", "bridge {rtp_use_dtls=true}user/1001"), extension("7804", "answer", "playback tone_stream://%(2000,0,440);loops=5")])
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


def test_reinvite_keeps(sw, phone, browsers):
    """The same certificate in a re-INVITE: the association goes on and we keep our role. RTP/AVP instead: refused."""
    a, rtc = phone("1000"), browsers(700)
    offer = rtc.offer()
    a.invite("7800", offer)
    ok = a.answered()
    rtc.accept(ok.body)
    rtc.hears(700)
    uuid = only_uuid(sw)

    def again(body, code):
        a.request("INVITE", body=body)
        got = a.expect(code)
        a.request("ACK", cseq=int(got.get("CSeq").split()[0])) if code == 200 else a.ack_failure(got)
        return got
    got = again(re.sub(r"(o=- \d+ )\d+", r"\g<1>9", offer), 200)
    assert "a=setup:active" in got.body
    count = len(rtc.got)
    until = time.monotonic() + 10
    while len(rtc.got) < count + 25:  # it is heard as before
        assert time.monotonic() < until
        time.sleep(0.05)
    assert sw.api(f"uuid_getvar {uuid} rtp_dtls_state").strip() == "up"
    again(sdp(a.rtp_port, version=10), 488)
    a.bye()


@pytest.mark.parametrize("before", ["dtls", "sdes"])
def test_reinvite_renews(sw, phone, browsers, before):
    """Another certificate, address and ICE in a re-INVITE: a new association, heard under new keys. The same where SRTP's keys stood in SDP
    before."""
    a, first, second = phone("1000"), browsers(700), browsers(900)
    offer = re.sub(r"(o=- )\d+ \d+", r"\g<1>1 1", first.offer())
    if before == "sdes":
        offer = sdp(a.rtp_port).replace("RTP/AVP", "RTP/SAVP") + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "QUJD" * 10 + "\r\n"
    a.invite("7800", offer)
    ok = a.answered()
    if before == "dtls":
        first.accept(ok.body)
        first.hears(700)
    a.request("INVITE", body=re.sub(r"(o=- )\d+ \d+", r"\g<1>1 2", second.offer()))
    got = a.expect(200)
    a.request("ACK", cseq=int(got.get("CSeq").split()[0]))
    assert "a=setup:active" in got.body and "a=crypto" not in got.body
    second.accept(got.body)
    second.hears(900)
    a.bye()


def test_wrong_fingerprint(sw, phone, browsers):
    """The certificate is not the one that was told: no keys, no sound, and the call ends."""
    a, rtc = phone("1000"), browsers(700)
    body = rtc.offer()
    print_ = re.search(r"a=fingerprint:sha-256 (\S+)", body).group(1)
    for hash_line in re.findall(r"a=fingerprint:\S+ \S+\r\n", body):
        body = body.replace(hash_line, "")
    other = print_[:-2] + ("00" if print_[-2:] != "00" else "01")
    a.invite("7800", body.replace("a=setup:", f"a=fingerprint:sha-256 {other}\r\na=setup:"))
    rtc.accept(a.answered().body)
    bye = a.expect(method="BYE", timeout=15)
    a.reply(bye, 200, "OK")
    assert 'cause=88' in bye.get("Reason"), bye.lines
    assert rtc.got == []
    sw.wait_log("the certificate is not the one of a=fingerprint")


def client_hello(*version):
    """One of OpenSSL's, as it goes over the wire."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    s.settimeout(10)
    p = subprocess.Popen(["openssl", "s_client", *(version or ["-dtls1_2"]), "-connect", f"127.0.0.1:{s.getsockname()[1]}", "-use_srtp", "SRTP_AES128_CM_SHA1_80"],
                         stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return s.recv(4096)
    finally:
        p.kill()
        p.wait()
        p.stdin.close()
        s.close()


PRINT = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\n"


def secure(p, extra, print_=PRINT, proto="UDP/TLS/RTP/SAVP"):
    return sdp(p.rtp_port).replace("RTP/AVP", proto) + print_ + extra


def test_a_stranger_and_a_flood(sw, phone):
    """Without ICE: a ClientHello from an address that nobody signalled is not answered, one from the phone's is. Before there are keys
    nothing is sent in the clear and nothing taken; a flood of hellos, whole and cut, leaves control as quick as it was."""
    a = phone("1000")
    a.invite("7800", secure(a, "a=setup:active\r\na=rtcp-mux\r\n"))
    ok = a.answered()
    assert "a=setup:passive" in ok.body
    hello, to = client_hello(), ("127.0.0.1", a.remote_rtp)
    thief = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    thief.bind(("127.0.0.2", 0))
    thief.settimeout(0.5)
    thief.sendto(hello, to)
    with pytest.raises((socket.timeout, TimeoutError)):
        thief.recv(4000)
    for i in range(30):
        a.media.sendto(b"\x80\x00" + i.to_bytes(2, "big") + bytes(168), to)
    a.media.settimeout(0.3)
    with pytest.raises((socket.timeout, TimeoutError)):
        a.media.recv(4000)
    a.media.sendto(hello, to)
    a.media.settimeout(8)
    first = a.media.recv(4000)
    assert first[0] == 22, first[:20]  # ServerHello and what follows, nothing else
    for i in range(3000):
        a.media.sendto(hello if i % 3 == 0 else hello[:13 + i % 100] if i % 3 == 1 else hello[:40] + bytes(20), to)
    before = time.monotonic()
    assert sw.api("status")
    assert time.monotonic() - before < 8
    a.media.settimeout(0.05)
    kinds = set()
    try:
        while True:
            kinds.add(a.media.recv(4000)[0])
    except (socket.timeout, TimeoutError):
        pass
    assert kinds <= {21, 22, 20}, kinds  # DTLS only, never RTP
    thief.close()
    a.bye()


def test_dtls_1_0_is_refused(sw, phone):
    """An old client gets an alert (protocol version) and no ServerHello, no keys and no sound, and the call ends."""
    a = phone("1000")
    a.invite("7800", secure(a, "a=setup:active\r\na=rtcp-mux\r\n"))
    a.answered()
    hello = client_hello("-dtls1", "-cipher", "ALL:@SECLEVEL=0")
    assert hello[13] == 1 and hello[25:27] == b"\xfe\xff"  # a ClientHello of DTLS 1.0
    a.media.settimeout(8)
    a.media.sendto(hello, ("127.0.0.1", a.remote_rtp))
    got = a.media.recv(4000)
    assert got[0] == 21 and got[13:15] == b"\x02\x46", got[:20]  # fatal, protocol_version
    bye = a.expect(method="BYE", timeout=15)
    a.reply(bye, 200, "OK")
    assert "cause=88" in bye.get("Reason"), bye.lines
    a.media.settimeout(0.1)
    with pytest.raises((socket.timeout, TimeoutError)):
        while True:
            assert a.media.recv(4000)[0] == 21


@pytest.mark.parametrize("line,setup", [("a=fingerprint:sha-1 " + ":".join(["AB"] * 20) + "\r\n", "actpass"), ("", "actpass"), (PRINT, "holdconn"),
                                        ("a=fingerprint:sha-256 AB:CD\r\n", "actpass")], ids=["sha-1", "none", "holdconn", "short"])
def test_refused_lines(sw, phone, line, setup):
    a = phone("1000")
    a.invite("7800", secure(a, f"a=setup:{setup}\r\na=rtcp-mux\r\n", line))
    a.ack_failure(a.expect(488))


def test_answered_in_the_clear(sw, phone):
    """What was offered secure is not to be had in the clear."""
    a, b = phone("1000"), phone("1001")
    a.invite("7805")
    req = b.expect(method="INVITE")
    assert "UDP/TLS/RTP/SAVPF" in req.body and PRINT.split()[0] in req.body
    b.reply(req, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    a.ack_failure(a.expect(488))


@pytest.mark.parametrize("has_mux", [True, False], ids=["mux", "two ports"])
def test_baresip(sw, tmp_path, has_mux):
    """A desk phone with DTLS-SRTP and no ICE, both ways: it calls, and is called. Without rtcp-mux there is sound all the same."""
    a, b = (Baresip(tmp_path, sw, user, hz=hz, params=";mediaenc=dtls_srtp", extra_modules=("srtp", "dtls_srtp"), has_rtcp_mux=has_mux)
            for user, hz in (("1000", 440), ("1001", 1000)))
    try:
        a.dial("7805")
        b.answer()
        a.wait("CALL_ESTABLISHED")
        heard = lambda x: any(tone_seconds(f, 1000 if x is a else 440) >= 1 for f in x.dir.glob("dump-*-dec.wav"))  # noqa: E731
        until = time.monotonic() + 15
        while not (heard(a) and heard(b)):
            assert time.monotonic() < until, sw.log_text[-3000:]
            time.sleep(0.1)  # a file that grows
        uuids = re.findall(r"^[0-9a-f-]{36}(?=,)", sw.api("show channels"), re.M)
        assert len(uuids) == 2
        for uuid in uuids:
            wait_var(sw, uuid, "rtp_secure_media_confirmed", ["true"])
        a.hangup()
        sw.wait_calls(0)
    finally:
        a.close()
        b.close()
