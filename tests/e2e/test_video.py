"""Video (and what else stands in a second m= line) passed between two phones of a bridge: codecs and payload numbers, feedback, holds, changes."""
import struct

import pytest
from calls import extension, write_extensions
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
    prefs = {"inbound_codec_prefs": "PCMU,H264,VP8", "outbound_codec_prefs": "PCMU,H264,VP8"}
    s.with_video = add_profile(s, "withvideo", **prefs)
    s.without = add_profile(s, "without")
    to_b = "bridge sofia/withvideo/svc@127.0.0.1:${sip_h_X-Port}"
    write_extensions(s, [extension("7801", to_b), extension("7802", "bridge sofia/without/svc@127.0.0.1:${sip_h_X-Port}"),
                         extension("7803", "answer", "echo"), extension("7804", "novideo", to_b),
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


def test_h264_is_passed_both_ways_with_each_ones_numbers(sw, phone):
    a, b, offer, ok = bridged(sw, phone, a_kw={"video": {99: ("H264/90000", H264)}}, b_kw={"video": {120: ("H264/90000", H264)}})
    assert "m=video" in offer.body and f"a=fmtp:99 {H264}" in offer.body and b.remote_pts == [99]
    assert a.remote_video and f"a=fmtp:99 {H264}" in ok.body and "a=rtcp-fb:99 nack pli" in ok.body
    b.pt, a.pt = 120, 99  # what each takes
    b.remote_pts, a.remote_pts = [99], [99]  # ours to them in our offer; their own in our answer
    p = flows(a, b)
    first_ts = p.ts
    a.ts += 90000
    a.show(payload=b"later", marked=True)
    assert b.sees().ts - first_ts & 0xffffffff == 90000 + 3000
    flows(b, a)


def test_feedback_reaches_the_other_phone_in_its_own_numbers(sw, phone):
    exts = {3: ABS, 5: TCC}
    a, b, offer, ok = bridged(sw, phone, a_kw={"exts": exts}, b_kw={"exts": exts, "mux": True, "rsize": True})
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
