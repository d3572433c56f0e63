"""Video (and what else stands in a second m= line) passed between two phones of a bridge: codecs and payload numbers, feedback, holds, changes."""
import struct
import time

import pytest
from calls import ended, extension, write_extensions
from trunk import Trunk, add_profile
from video_phone import FB, H264, VideoPhone, feedback, is_nack, is_pli, is_remb, is_tcc
from wire import sdp

pytestmark = pytest.mark.leaks
TCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
ABS = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("video") / "instance")
    prefs = {"inbound_codec_prefs": "PCMU,H264,VP8,VP9,H265", "outbound_codec_prefs": "PCMU,H264,VP8,VP9,H265"}
    s.with_video = add_profile(s, "withvideo", **prefs)
    s.without = add_profile(s, "without")
    to_b = "bridge sofia/withvideo/svc@127.0.0.1:${sip_h_X-Port}"
    write_extensions(s, [extension("7801", to_b), extension("7802", "bridge sofia/without/svc@127.0.0.1:${sip_h_X-Port}"),
                         extension("7803", "answer", "echo"), extension("7804", "novideo", to_b),
                         extension("7806", "set media_timeout_video=1000", "answer", "park"),
                         extension("7805", "answer", to_b)])
    s.start()
    yield s
    s.stop()


def bridged(sw, phone, number="7801", a_kw=None, b_kw=None, b_more=None):
    a = phone("ext", register=False, kind=VideoPhone, at=sw.with_video, **(a_kw or {}))
    b = phone("svc", register=False, kind=VideoPhone, at=sw.with_video, ssrc=0x2000, **(b_kw or {}))
    a.invite(number, body=a.description(), extra=f"X-Port: {b.port}\n")
    offer = b.expect(method="INVITE")
    b.learn(offer.body)
    b.reply(offer, 200, "OK", b.description(b_more))
    b.expect(method="ACK")
    b.enter(offer)
    ok = a.answered()
    a.learn(ok.body)
    return a, b, offer, ok


def flows(a, b, count=5):
    """Packets of a arrive at b in one sequence; the last of them."""
    got = [b_sees(a, b)]
    for i in range(count):
        a.show(payload=bytes([0x65, i]) * 500, marked=i % 2 == 1)
        p = b.sees()
        assert p.payload == bytes([0x65, i]) * 500 and p.marked == (i % 2 == 1) and p.pt == b.pt
        assert p.seq == (got[-1].seq + 1) & 65535 and p.ssrc == got[-1].ssrc
        got.append(p)
        a.ts += 3000
    return got[-1]


def b_sees(a, b):
    """The first that comes, once the two are joined."""
    for _ in range(100):
        a.show(payload=b"first", marked=True)
        try:
            p = b.sees(0.05)
        except TimeoutError:
            continue
        try:
            while True:
                p = b.sees(0.1)
        except TimeoutError:
            return p
    raise AssertionError("nothing came")


CODECS = {"H264": H264, "VP8": "", "VP9": "profile-id=0", "H265": "profile-id=1;level-id=93"}


@pytest.mark.parametrize("name,fmtp", CODECS.items())
def test_passed_both_ways_with_each_ones_numbers(sw, phone, name, fmtp):
    rtpmap = f"{name}/90000"
    a, b, offer, ok = bridged(sw, phone, a_kw={"video": {99: (rtpmap, fmtp)}}, b_kw={"video": {120: (rtpmap, fmtp)}})
    assert "m=video" in offer.body and f"a=rtpmap:99 {rtpmap}" in offer.body and b.remote_pts == [99]
    assert a.remote_video and f"a=rtpmap:99 {rtpmap}" in ok.body and "a=rtcp-fb:99 nack pli" in ok.body
    assert not fmtp or f"a=fmtp:99 {fmtp}" in offer.body and f"a=fmtp:99 {fmtp}" in ok.body
    b.pt, a.pt = 120, 99  # what each takes
    b.remote_pts, a.remote_pts = [99], [99]  # ours to them in our offer; their own in our answer
    p = flows(a, b)
    first_ts = p.ts
    a.ts += 90000
    a.show(payload=b"later", marked=True)
    assert b.sees().ts - first_ts & 0xffffffff == 90000 + 3000
    flows(b, a)


@pytest.mark.parametrize("name,fmtp", CODECS.items())
def test_feedback_reaches_the_other_phone_in_its_own_numbers(sw, phone, name, fmtp):
    exts, video = {3: ABS, 5: TCC}, {96: (f"{name}/90000", fmtp)}
    a, b, offer, ok = bridged(sw, phone, a_kw={"exts": exts, "video": video}, b_kw={"exts": exts, "video": video, "mux": True, "rsize": True})
    assert TCC in offer.body and TCC in ok.body and "goog-remb" in offer.body and "goog-remb" in ok.body
    b.mux = False  # it was not offered
    p = flows(a, b)
    _, one = a.hears(is_pli)  # the relay began
    assert struct.unpack("!I", one[8:12])[0] == a.ssrc
    b.rtcp(feedback(206, 1, b.ssrc, p.ssrc))
    _, one = a.hears(is_pli)
    assert struct.unpack("!I", one[8:12])[0] == a.ssrc
    lost = p.seq
    b.rtcp(feedback(205, 1, b.ssrc, p.ssrc, struct.pack("!HH", lost, 5)))
    whole, one = a.hears(is_nack)
    assert whole[1] == 201  # a compound begins with a report
    assert struct.unpack("!IHH", one[8:16]) == (a.ssrc, a.seq - 1 & 65535, 5)
    b.rtcp(feedback(206, 15, b.ssrc, 0, b"REMB" + bytes([1, 0x0a, 0, 9]) + struct.pack("!I", p.ssrc)))
    _, one = a.hears(is_remb)
    assert one[12:20] == b"REMB" + bytes([1, 0x0a, 0, 9]) and struct.unpack("!I", one[20:24])[0] == a.ssrc
    fci = struct.pack("!HH", 777, 2) + bytes([0, 0, 1, 0]) + struct.pack("!HBB", 0x2002, 4, 4)
    b.rtcp(feedback(205, 15, b.ssrc, p.ssrc, fci))
    _, one = a.hears(is_tcc)
    assert struct.unpack("!I", one[8:12])[0] == a.ssrc and one[12:] == fci


def test_a_phone_without_feedback_is_asked_by_info(sw, phone):
    a, b, offer, ok = bridged(sw, phone, a_kw={"fb": ()})
    assert "nack\r\n" not in offer.body and "goog-remb" not in offer.body and "nack pli" in offer.body  # only what can be had of a
    assert "rtcp-fb" not in ok.body
    p = flows(a, b)
    info = a.expect(method="INFO")
    assert "picture_fast_update" in info.body and "media_control" in info.get("Content-Type")
    a.reply(info, 200)
    b.rtcp(feedback(206, 4, b.ssrc, 0, struct.pack("!IBBBB", p.ssrc, 1, 0, 0, 0)))
    info = a.expect(method="INFO")
    assert "picture_fast_update" in info.body
    a.reply(info, 200)
    # and what it asks for so reaches the other's RTCP
    flows(b, a)
    b.hears(is_pli)
    a.request("INFO", body="<media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder></vc_primitive></media_control>",
              ctype="application/media_control+xml")
    a.expect(200)
    b.hears(is_pli)


def test_video_is_refused_where_the_other_leg_has_none(sw, phone):
    a = phone("ext", register=False, kind=VideoPhone, at=sw.with_video)
    b = phone("svc", register=False, kind=Trunk, at=sw.without)
    a.invite("7802", body=a.description(), extra=f"X-Port: {b.port}\n")
    offer = b.expect(method="INVITE")
    assert "m=video" not in offer.body
    b.reply(offer, 200, "OK", sdp(b.rtp_port, (0, 101)))
    b.expect(method="ACK")
    b.enter(offer)
    assert "m=video 0 RTP/AVP" in a.answered().body


def test_the_called_phone_refuses_video(sw, phone):
    a, b, offer, ok = bridged(sw, phone, b_more="m=video 0 RTP/AVP 96\r\n")
    assert "m=video" in offer.body and "m=video 0 RTP/AVP" in ok.body


def test_novideo(sw, phone):
    a = phone("ext", register=False, kind=VideoPhone, at=sw.with_video)
    b = phone("svc", register=False, kind=Trunk, at=sw.with_video)
    a.invite("7804", body=a.description(), extra=f"X-Port: {b.port}\n")
    offer = b.expect(method="INVITE")
    assert "m=video" not in offer.body
    b.reply(offer, 200, "OK", sdp(b.rtp_port, (0, 101)))
    b.expect(method="ACK")
    b.enter(offer)
    assert "m=video 0 RTP/AVP" in a.answered().body


def test_a_video_that_stops(sw, phone):
    """media_timeout_video: it lives while there are packets, whatever the audio does."""
    a = phone("ext", register=False, kind=VideoPhone, at=sw.with_video)
    a.invite("7806", body=a.description())
    a.learn(a.answered().body)
    until = time.monotonic() + 2
    while time.monotonic() < until:
        a.show(payload=b"picture", marked=True)
        a.expect_nothing("BYE", 0.1)
    assert "MEDIA_TIMEOUT" in ended(a, timeout=15).get("Reason")


def test_echo(sw, phone):
    a = phone("ext", register=False, kind=VideoPhone, at=sw.with_video)
    a.invite("7803", body=a.description())
    a.learn(a.answered().body)
    p = flows(a, a)
    a.rtcp(feedback(205, 1, a.ssrc, p.ssrc, struct.pack("!HH", p.seq, 0)))
    _, one = a.hears(is_nack)
    assert struct.unpack("!IH", one[8:14]) == (a.ssrc, a.seq - 1 & 65535)


def test_answered_before_it_is_bridged(sw, phone):
    a = phone("ext", register=False, kind=VideoPhone, at=sw.with_video, video={97: ("VP8/90000", ""), 96: ("H264/90000", H264)})
    b = phone("svc", register=False, kind=VideoPhone, at=sw.with_video, video={97: ("VP8/90000", ""), 96: ("H264/90000", H264)}, ssrc=0x2000)
    a.invite("7805", body=a.description(), extra=f"X-Port: {b.port}\n")
    ok = a.answered()
    a.learn(ok.body)
    assert a.remote_pts == [97]
    offer = b.expect(method="INVITE")
    b.learn(offer.body)
    assert b.remote_pts == [97]  # the other could not be joined
    b.reply(offer, 200, "OK", b.description("m=video %d RTP/AVP 97\r\na=rtpmap:97 VP8/90000\r\n" % b.video_port))
    b.expect(method="ACK")
    b.enter(offer)
    flows(a, b)
    flows(b, a)


def test_who_sends_video_from_elsewhere_is_not_seen(sw, phone):
    a, b, offer, ok = bridged(sw, phone)
    flows(a, b)
    stranger = phone("stranger", register=False, kind=VideoPhone, at=sw.with_video)
    stranger.remote_video, stranger.remote_pts = a.remote_video, a.remote_pts
    for _ in range(10):
        stranger.show(payload=b"stranger")
    a.show(payload=b"mine")
    assert b.sees().payload == b"mine"


def test_variables_and_refresh(sw, phone):
    a, b, offer, ok = bridged(sw, phone)
    flows(a, b)
    a.hears(is_pli)
    uuid = sw.api("show channels").splitlines()[1].split(",")[0]
    get = lambda name: sw.api(f"uuid_getvar {uuid} {name}").strip()  # noqa: E731
    assert get("video_possible") == "true" and get("rtp_use_video_codec_name") == "H264" and get("video_read_codec") == "H264"
    assert get("remote_video_port") == str(a.video_port) and get("local_video_port") == str(a.remote_video)
    assert get("rtp_video_pt") == "96" and get("video_media_flow") == "sendrecv"
    assert sw.api(f"uuid_video_refresh {uuid}") == "+OK Success\n"
    a.hears(is_pli)


def test_hold_and_resume(sw, phone):
    a, b, offer, ok = bridged(sw, phone)
    first = flows(a, b)
    a.request("INVITE", body=a.description(version=2, dir="sendonly"))
    held = a.expect(200)
    a.request("ACK", cseq=int(held.get("CSeq").split()[0]))
    assert held.body.count("a=recvonly") == 2
    for _ in range(20):  # what was under way when it was answered may still come
        b.show(payload=b"held")
        try:
            a.sees(0.2)
        except TimeoutError:
            break
    else:
        raise AssertionError("it goes on")
    a.request("INVITE", body=a.description(version=3))
    back = a.expect(200)
    a.request("ACK", cseq=int(back.get("CSeq").split()[0]))
    assert "recvonly" not in back.body and a.learn(back.body)
    flows(b, a)
    last = flows(a, b)
    assert last.ssrc == first.ssrc and 0 < last.seq - first.seq & 65535 < 200


def reoffer(p, body):
    p.request("INVITE", body=body)
    ok = p.expect(200)
    p.request("ACK", cseq=int(ok.get("CSeq").split()[0]))
    return ok


def test_video_is_added_and_taken_away(sw, phone):
    a = phone("ext", register=False, kind=VideoPhone, at=sw.with_video)
    b = phone("svc", register=False, kind=VideoPhone, at=sw.with_video, ssrc=0x2000)
    a.invite("7801", body=a.description(more=""), extra=f"X-Port: {b.port}\n")
    offer = b.expect(method="INVITE")
    assert "m=video" not in offer.body
    b.reply(offer, 200, "OK", b.description(more=""))
    b.expect(method="ACK")
    b.enter(offer)
    a.answered()
    ok = reoffer(a, a.description(version=2))
    assert a.learn(ok.body)
    req = b.expect(method="INVITE")
    assert b.learn(req.body) and "nack pli" in req.body
    b.reply(req, 200, "OK", b.description(version=2))
    b.expect(method="ACK")
    flows(a, b)
    flows(b, a)
    ok = reoffer(a, a.description(a.lines(port=0), version=3))
    assert "m=video 0 " in ok.body
    req = b.expect(method="INVITE")
    assert "m=video 0 " in req.body
    b.reply(req, 200, "OK", b.description(b.lines(port=0), version=3))
    b.expect(method="ACK")
    ok = reoffer(a, a.description(version=4))  # and once more, in the same place
    assert a.learn(ok.body) and ok.body.count("m=video") == 1
    req = b.expect(method="INVITE")
    assert b.learn(req.body) and req.body.count("m=video") == 1
    b.reply(req, 200, "OK", b.description(version=4))
    b.expect(method="ACK")
    flows(a, b)


def test_text_and_its_redundancy_are_passed(sw, phone):
    def text(p, t140, red):
        return (f"m=text {p.video_port} RTP/AVP {red} {t140}\r\na=rtpmap:{t140} t140/1000\r\na=rtpmap:{red} red/1000\r\n"
                f"a=fmtp:{red} {t140}/{t140}\r\n")
    a = phone("ext", register=False, kind=VideoPhone, at=sw.without)
    b = phone("svc", register=False, kind=VideoPhone, at=sw.without, ssrc=0x2000)
    a.invite("7802", body=a.description(text(a, 98, 99)), extra=f"X-Port: {b.port}\n")
    offer = b.expect(method="INVITE")
    assert b.learn(offer.body, "text") and "t140/1000" in offer.body and "red/1000" in offer.body
    b.reply(offer, 200, "OK", b.description(text(b, 112, 113)))
    b.expect(method="ACK")
    b.enter(offer)
    a.learn(a.answered().body, "text")
    a.remote_pts, b.pt = [98], 112
    flows(a, b)
    # one earlier block and the newest: the numbers inside become the other's
    a.show(payload=bytes([0x80 | 98, 300 >> 6, (300 & 63) << 2, 2, 98]) + b"heh", pt=99)
    p = b.sees()
    assert p.pt == 113 and p.payload == bytes([0x80 | 112, 300 >> 6, (300 & 63) << 2, 2, 112]) + b"heh"
    a.show(payload=bytes([0x80 | 98, 0, 3, 255, 98]) + b"cut", pt=99)  # a block that is longer than the packet
    a.show(payload=b"good")
    assert b.sees().payload == b"good"


def test_red_for_who_has_none_is_its_newest_block(sw, phone):
    a = phone("ext", register=False, kind=VideoPhone, at=sw.with_video)
    b = phone("svc", register=False, kind=VideoPhone, at=sw.with_video, ssrc=0x2000)
    line = "m=text %d RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\n"
    red = "m=text %d RTP/AVP 99 98\r\na=rtpmap:98 t140/1000\r\na=rtpmap:99 red/1000\r\n"
    # answered alone it agrees to RED, and is joined with one that does not
    a.invite("7805", body=a.description(red % a.video_port), extra=f"X-Port: {b.port}\n")
    ok = a.answered()
    a.learn(ok.body, "text")
    assert "red/1000" in ok.body
    offer = b.expect(method="INVITE")
    b.learn(offer.body, "text")
    b.reply(offer, 200, "OK", b.description(line % b.video_port))
    b.expect(method="ACK")
    b.enter(offer)
    a.remote_pts, b.pt = [98], 98
    flows(a, b)
    a.show(payload=bytes([0x80 | 98, 0, 0, 2, 98]) + b"heh", pt=99)
    p = b.sees()
    assert (p.pt, p.payload) == (98, b"h")


@pytest.mark.parametrize("more", [
    "m=video 4000 RTP/AVP 96\r\n" * 300,
    "m=video 4000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n" * 14,
    "m=video 4000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=mid:0\r\n" * 2,
    "m=video 65535 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n",
    "m=video 4000 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:96 H264/90000\r\n",
    "m=video 4000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 sprop-parameter-sets=" + "A" * 4000 + "\r\n",
    "m=video 4000 RTP/AVP 0\r\n",
    "m=video 4000 RTP/AVP 96\r\na=rtpmap:96 H264/0\r\n",
    "m=video 4000 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\n",
    "m=video 4000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n" + "a=extmap:1 urn:3gpp:video-orientation\r\n" * 300,
    "m=video 4000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=rtcp-fb:999 nack\r\na=rtcp-fb:* x\r\na=extmap:0 x\r\na=extmap:4095 y\r\n",
    "m=text 4000 RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\nm=video 0 RTP/AVP 96\r\nm=image 4002 udptl t38\r\n",
])
def test_hostile_lines(sw, phone, more):
    a = phone("ext", register=False, kind=VideoPhone, at=sw.with_video)
    a.invite("7803", body=a.description(more))
    m = a._read(8)
    while m.code < 200:
        m = a._read(8)
    assert m.code in (200, 400, 480, 488), m
    if m.code == 200:
        a.queue.insert(0, m)
        a.answered()
        assert m.body.count("m=") == a.description(more).count("m=")
        assert m.body.count("m=video 0 ") >= more.count("m=video") - 1
        a.bye()
    else:
        a.ack_failure(m)
