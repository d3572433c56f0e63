"""Offers of ours that are not sent, have to wait, are refused or are answered otherwise than asked, and theirs that are refused: the session is
what it was; and our hold, which only we end."""
import pytest
from calls import arrives, ended, extension, is_pair, talks, write_extensions
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks

FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32)
ICE = ["a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901", "a=setup:actpass", "a=rtcp-mux", FINGERPRINT]
VIDEO = "m=video 4444 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"
FAILED = "-ERR Operation failed\n"
DONE = "+OK Success\n"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("refused") / "instance")
    codecs = "PCMU,PCMA,AMR,iLBC~mode=20,VP8"
    s.at = add_profile(s, "plain", inbound_codec_prefs=codecs, outbound_codec_prefs=codecs, send_display_update="true",
                       hold_music="tone_stream://%(60000,0,440)")
    write_extensions(s, [extension("7951", "bridge sofia/plain/svc@127.0.0.1:${sip_h_X-Port}"),
                         extension("7952", "set bypass_media_after_bridge=true", "bridge sofia/plain/svc@127.0.0.1:${sip_h_X-Port}"),
                         extension("7954", "answer", "park"), extension("7961", "answer", "set absolute_codec_string=PCMU@x", "hold", "park"),
                         extension("7960", "answer", "hold on-hold-text", "park")])
    s.start()
    s.api("global_setvar hold_music=")  # which comes before the profile's
    yield s
    s.stop()


def caller(sw, phone):
    return phone("ext", register=False, kind=Trunk, at=sw.at, hz=500)


def leg(sw, direction):
    return next(r.split(",")[0] for r in sw.api("show channels").splitlines() if f",{direction}," in r)


def pair(sw, phone, body=sdp, extra="", number="7951"):
    """Both phones, the uuids of both legs."""
    a, b = caller(sw, phone), phone("svc", register=False, kind=Trunk, at=sw.at, hz=900)
    a.invite(number, body=body(a.rtp_port), extra=f"X-Port: {b.port}\n" + extra)
    invite = b.expect(method="INVITE")
    b.reply(invite, 200, "OK", body(b.rtp_port))
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    return a, b, leg(sw, "inbound"), leg(sw, "outbound")


def reply(p, code=200, **answer):
    """The next re-INVITE, with its reply and acknowledged."""
    m = p.expect(method="INVITE")
    p.reply(m, code, "So", sdp(p.rtp_port, **answer) if code == 200 else "")
    p.expect(method="ACK")
    return m


def held(sw, p, uuid):
    assert sw.api(f"uuid_hold {uuid}") == DONE
    assert "a=sendonly" in reply(p, direction="recvonly", version=2).body
    assert count_held(sw) == 1


def reinvite(p, body, code=200):
    send = p.own_request if hasattr(p, "_from") else p.request
    send("INVITE", body=body)
    got = p.expect(code)
    send("ACK", cseq=int(got.get("CSeq").split()[0]))
    return got


def count_held(sw):
    return sw.api("show channels").count("HELD")


def has_held(sw, n):
    assert count_held(sw) == n, sw.api("show channels")


def get(sw, uuid, name):
    return sw.api(f"uuid_getvar {uuid} {name}")


def is_held_in(body):
    return "a=sendonly" in body or "a=inactive" in body


# ---- our offer is not sent, or refused
def test_hold_while_an_offer_is_open(sw, phone):
    a, b, _, u = pair(sw, phone)
    talks(a, b)
    sw.api(f"uuid_media_reneg {u}")
    m = b.expect(method="INVITE")
    said = get(sw, u, "rtp_local_sdp_str")
    assert sw.api(f"uuid_hold {u}") == DONE  # after it
    assert count_held(sw) == 1 and get(sw, u, "rtp_local_sdp_str") == said
    b.reply(m, 200, "OK", sdp(b.rtp_port, version=2))
    b.expect(method="ACK")
    assert "a=sendonly" in reply(b, direction="recvonly", version=3).body
    assert count_held(sw) == 1
    sw.api(f"uuid_hold off {u}")
    assert not is_held_in(reply(b, version=4).body)
    is_pair(a, b)
    a.bye()
    ended(b)


def test_hold_while_their_offer_is_answered(sw, phone):
    """The re-INVITE cannot go out before their ACK."""
    a, b, _, u = pair(sw, phone)
    b.own_request("INVITE", body=sdp(b.rtp_port, version=2))
    ok = b.expect(200)
    said = get(sw, u, "rtp_local_sdp_str")
    assert sw.api(f"uuid_hold {u}") == DONE
    assert count_held(sw) == 1 and get(sw, u, "rtp_local_sdp_str") == said and get(sw, u, "audio_media_flow") == "sendrecv"
    b.own_request("ACK", cseq=int(ok.get("CSeq").split()[0]))
    assert is_held_in(reply(b, direction="recvonly", version=3).body)
    assert is_held_in(reinvite(b, sdp(b.rtp_port, version=4)).body)
    a.bye()
    ended(b)


def test_hold_and_resume_faster_than_the_phone(sw, phone):
    """What was asked for last is what the phone is told when its first answer is there; the events tell each change once."""
    events = sw.esl()
    events.subscribe("CHANNEL_HOLD CHANNEL_UNHOLD CUSTOM held::over")
    a, b, _, u = pair(sw, phone)
    talks(a, b)
    commands = ["", "off ", "toggle ", "off "]
    assert [sw.api(f"uuid_hold {word}{u}") for word in commands] == [DONE] * 4
    assert is_held_in(reply(b, direction="recvonly", version=2).body)
    assert not is_held_in(reply(b, version=3).body)
    has_held(sw, 0)
    is_pair(a, b)
    sw.api(f"uuid_hold {u}")  # and as ever
    assert is_held_in(reply(b, direction="recvonly", version=4).body)
    a.bye()
    ended(b)
    sw.wait_calls(0)
    control = sw.esl()
    control.command("sendevent CUSTOM\nEvent-Subclass: held::over")
    names = []
    while "CUSTOM" not in names:
        names.append(events.next_event()["Event-Name"])
    assert names == ["CHANNEL_HOLD", "CHANNEL_UNHOLD", "CHANNEL_HOLD", "CHANNEL_UNHOLD", "CHANNEL_HOLD", "CHANNEL_UNHOLD", "CUSTOM"]
    control.close()
    events.close()


def test_the_hold_that_waits_is_refused(sw, phone):
    a, b, _, u = pair(sw, phone)
    talks(a, b)
    sw.api(f"uuid_media_reneg {u}")
    m = b.expect(method="INVITE")
    assert sw.api(f"uuid_hold {u}") == DONE
    b.reply(m, 488, "No")
    b.expect(method="ACK")
    reply(b, 488)
    has_held(sw, 0)
    is_pair(a, b)
    a.bye()
    ended(b)


def test_the_hold_that_waits_meets_theirs(sw, phone):
    """491 to the first: it is tried again after theirs, then ours comes."""
    a, b, _, u = pair(sw, phone)
    talks(a, b)
    sw.api(f"uuid_media_reneg {u}")
    m = b.expect(method="INVITE")
    assert sw.api(f"uuid_hold {u}") == DONE
    b.reply(m, 491, "Request Pending")
    b.expect(method="ACK")
    assert not is_held_in(reinvite(b, sdp(b.rtp_port, version=2)).body)
    has_held(sw, 1)
    assert not is_held_in(reply(b, version=3).body)
    assert is_held_in(reply(b, direction="recvonly", version=4).body)
    has_held(sw, 1)
    a.bye()
    ended(b)


def test_hold_that_cannot_be_offered(sw, phone):
    a = caller(sw, phone)
    a.invite("7954")
    a.answered()
    u = leg(sw, "inbound")
    sw.api(f"uuid_setvar {u} absolute_codec_string PCMU@x")
    assert sw.api(f"uuid_hold {u}") == FAILED
    assert count_held(sw) == 0
    sw.api(f"uuid_setvar {u} absolute_codec_string")
    assert not is_held_in(reinvite(a, sdp(a.rtp_port, version=2)).body)
    a.bye()


def test_hold_before_the_ack_that_cannot_be_offered(sw, phone):
    """It is promised, and goes out with the ACK or not at all."""
    events = sw.esl()
    events.subscribe("CHANNEL_HOLD CHANNEL_UNHOLD")
    a = caller(sw, phone)
    a.invite("7961")
    a.expect(200)
    events.wait_event("CHANNEL_HOLD")
    a.queue.clear()
    a.answered()
    events.wait_event("CHANNEL_UNHOLD")
    has_held(sw, 0)
    a.bye()
    events.close()


def test_refused_hold_is_none(sw, phone):
    a, b, _, u = pair(sw, phone)
    talks(a, b)
    said = get(sw, u, "rtp_local_sdp_str")
    sw.api(f"uuid_hold {u}")
    reply(b, 488)
    has_held(sw, 0)
    assert get(sw, u, "rtp_local_sdp_str") == said and get(sw, u, "audio_media_flow") == "sendrecv"
    is_pair(a, b)
    assert not is_held_in(reinvite(b, sdp(b.rtp_port, version=2)).body)
    a.bye()
    ended(b)


def test_refused_resume_stays_held(sw, phone):
    a, b, _, u = pair(sw, phone)
    held(sw, b, u)
    sw.api(f"uuid_hold off {u}")
    reply(b, 488)
    has_held(sw, 1)
    assert is_held_in(reinvite(b, sdp(b.rtp_port, version=3)).body)
    a.bye()
    ended(b)


def test_answer_that_does_not_fit_is_no_hold(sw, phone):
    a, b, _, u = pair(sw, phone)
    sw.api(f"uuid_hold {u}")
    reply(b, formats=(18,), version=2)
    has_held(sw, 0)
    assert not is_held_in(reinvite(b, sdp(b.rtp_port, version=3)).body)
    a.bye()
    ended(b)


def test_hold_with_a_text(sw, phone):
    """The text needs a re-INVITE of its own, which comes after the hold's."""
    a = caller(sw, phone)
    a.invite("7960", extra="User-Agent: Grandstream GXP2160 1.0\n")
    a.answered()
    m = reply(a, direction="recvonly", version=2)
    assert "a=sendonly" in m.body and "on-hold-text" not in str(m)
    m = reply(a, direction="recvonly", version=3)
    assert "a=sendonly" in m.body and '"on-hold-text"' in m.get("P-Asserted-Identity")
    has_held(sw, 1)
    assert is_held_in(reinvite(a, sdp(a.rtp_port, version=4)).body)
    has_held(sw, 1)
    a.bye()


# ---- our offer, and media past us, have to wait
def acknowledge(p, ok):
    (p.own_request if hasattr(p, "_from") else p.request)("ACK", cseq=int(ok.get("CSeq").split()[0]))


def told(p, version, code=200):
    """The next re-INVITE, answered: where media is to go, and its codecs."""
    _, port, _, *formats = next(l for l in reply(p, code, version=version).body.splitlines() if l.startswith("m=")).split()
    p.remote_rtp = int(port)
    return int(port), [f for f in formats if f in "08"]


def is_done(sw, *commands):
    assert [sw.api(c) for c in commands] == [DONE] * len(commands)


def silent(*phones):
    """Nothing is left that waits."""
    for p in phones:
        p.expect_nothing("INVITE", 0.2)


def test_offers_that_wait_are_one(sw, phone):
    """With the codecs that were named last."""
    a, b, _, u = pair(sw, phone)
    is_done(sw, f"uuid_media_reneg {u}")
    m = b.expect(method="INVITE")
    is_done(sw, f"uuid_media_reneg {u} =PCMU", f"uuid_media_reneg {u} =PCMA")
    b.reply(m, 200, "OK", sdp(b.rtp_port, version=2))
    b.expect(method="ACK")
    m = b.expect(method="INVITE")
    assert " RTP/AVP 8 101" in m.body
    b.reply(m, 200, "OK", sdp(b.rtp_port, (8, 101), version=3))
    b.expect(method="ACK")
    assert get(sw, u, "write_codec") == "PCMA"
    silent(b)
    a.bye()
    ended(b)


def test_offer_waits_for_theirs(sw, phone):
    a, b, _, u = pair(sw, phone)
    b.own_request("INVITE", body=sdp(b.rtp_port, version=2))
    ok = b.expect(200)
    is_done(sw, f"uuid_media_reneg {u} =PCMA")
    b.expect_nothing("INVITE", 0.2)
    acknowledge(b, ok)
    assert told(b, 3)[1] == ["8"]
    a.bye()
    ended(b)


def test_offer_waits_for_one_that_met_theirs(sw, phone):
    """491: the first is tried again, then comes what waited."""
    a, b, _, u = pair(sw, phone)
    is_done(sw, f"uuid_media_reneg {u}")
    b.reply(b.expect(method="INVITE"), 491, "Request Pending")
    b.expect(method="ACK")
    is_done(sw, f"uuid_media_reneg {u} =PCMU")
    reinvite(b, sdp(b.rtp_port, version=2))
    assert told(b, 3)[1] == ["0"] and told(b, 4)[1] == ["0"]
    silent(b)
    a.bye()
    ended(b)


def test_offer_waits_for_the_first_ack(sw, phone):
    a = caller(sw, phone)
    a.invite("7954")
    ok = a.expect(200)
    u = leg(sw, "inbound")
    is_done(sw, f"uuid_media_reneg {u} =PCMA")
    a.expect_nothing("INVITE", 0.2)
    a.queue.append(ok)
    a.answered()
    assert told(a, 2)[1] == ["8"]
    a.bye()


def test_nothing_is_offered_to_who_hung_up(sw, phone):
    a, b, _, u = pair(sw, phone)
    is_done(sw, f"uuid_media_reneg {u}")
    m = b.expect(method="INVITE")
    is_done(sw, f"uuid_media_reneg {u}", f"uuid_media off {u}")
    b.own_request("BYE")
    b.expect(200)
    b.reply(m, 487, "Gone")
    ended(a)
    silent(a, b)


def test_media_goes_past_us_later(sw, phone):
    """When both dialogs are free; an offer that waited is none any more."""
    a, b, _, u = pair(sw, phone)
    is_done(sw, f"uuid_media_reneg {u}")
    m = b.expect(method="INVITE")
    a.request("INVITE", body=sdp(a.rtp_port, version=2))
    ok = a.expect(200)
    is_done(sw, f"uuid_media_reneg {u}", f"uuid_media off {u}")
    assert sw.api(f"uuid_media_reneg {u}") == "-ERR Operation Failed\n"
    b.reply(m, 200, "OK", sdp(b.rtp_port, version=2))
    b.expect(method="ACK")
    silent(a, b)
    acknowledge(a, ok)
    assert told(b, 3)[0] == a.rtp_port
    assert told(a, 3)[0] == b.rtp_port
    is_done(sw, f"uuid_media {u}")  # its streams are hardly closed
    assert told(b, 4)[0] != a.rtp_port and told(a, 4)[0] != b.rtp_port
    silent(a, b)
    assert arrives(a, b) and arrives(b, a)
    a.bye()
    ended(b)


def test_media_stays_when_that_was_said_last(sw, phone):
    a, b, one, u = pair(sw, phone)
    is_done(sw, f"uuid_media_reneg {u}")
    m = b.expect(method="INVITE")
    is_done(sw, f"uuid_media off {u}", f"uuid_media {one}")
    assert sw.api(f"uuid_media {one}") == FAILED  # it is here
    b.reply(m, 200, "OK", sdp(b.rtp_port, version=2))
    b.expect(method="ACK")
    silent(a, b)
    assert arrives(a, b) and arrives(b, a)
    a.bye()
    ended(b)


def test_back_before_it_is_away(sw, phone):
    a, b, one, u = pair(sw, phone)
    is_done(sw, f"uuid_media off {u}", f"uuid_media {one}", f"uuid_media off {one}", f"uuid_media {u}")
    assert told(b, 2)[0] == a.rtp_port and told(a, 2)[0] == b.rtp_port
    assert {told(b, 3)[0], told(a, 3)[0]}.isdisjoint({a.rtp_port, b.rtp_port})
    silent(a, b)
    assert arrives(a, b) and arrives(b, a)
    a.bye()
    ended(b)


def test_the_second_offers_while_the_first_is_told(sw, phone):
    """Media past us: the second phone hears of it after its own offer, and does not make the first come back."""
    a, b, one, u = pair(sw, phone)
    is_done(sw, f"uuid_media off {u}")
    m = b.expect(method="INVITE")
    a.request("INVITE", body=sdp(a.rtp_port, version=2))
    ok = a.expect(200)
    b.reply(m, 200, "OK", sdp(b.rtp_port, version=2))
    b.expect(method="ACK")
    silent(a, b)
    acknowledge(a, ok)
    assert told(b, 3)[0] == a.rtp_port and told(a, 3)[0] == b.rtp_port
    silent(a, b)
    a.bye()
    ended(b)


def test_media_stays_where_the_bridge_ended(sw, phone):
    a, b, one, u = pair(sw, phone)
    is_done(sw, f"uuid_media_reneg {u}")
    m = b.expect(method="INVITE")
    is_done(sw, f"uuid_media off {u}")
    sw.api(f"uuid_transfer {one} -both 7954")
    b.reply(m, 200, "OK", sdp(b.rtp_port, version=2))
    b.expect(method="ACK")
    silent(a, b)
    a.bye()
    b.own_request("BYE")


def test_hold_is_not_forgotten_for_media_past_us(sw, phone):
    """Both wait for the caller's ACK, and the second asks when the first is about to be told."""
    a, b = caller(sw, phone), phone("svc", register=False, kind=Trunk, at=sw.at, hz=900)
    a.invite("7952", extra=f"X-Port: {b.port}\n")
    b.reply(m := b.expect(method="INVITE"), 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    b.enter(m)
    ok = a.expect(200)
    is_done(sw, f"uuid_hold {leg(sw, 'inbound')}")
    silent(a, b)
    a.queue.append(ok)
    a.answered()
    assert is_held_in(reply(a, direction="recvonly", version=2).body)
    assert told(a, 3)[0] == b.rtp_port and told(b, 2)[0] == a.rtp_port
    a.bye()
    ended(b)


# ---- our hold
@pytest.mark.parametrize("direction", ["recvonly", "sendrecv"])
def test_refresh_by_the_held_one(sw, phone, direction):
    a, b, _, u = pair(sw, phone)
    talks(a, b)
    held(sw, b, u)
    a.talk.hears(440)
    assert is_held_in(reinvite(b, sdp(b.rtp_port, direction=direction, version=3)).body)
    has_held(sw, 1)
    a.talk.hears(440)
    sw.api(f"uuid_hold toggle {u}")
    assert not is_held_in(reply(b, version=4).body)
    is_pair(a, b)
    a.bye()
    ended(b)


def test_display_leaves_the_hold(sw, phone):
    a, b, u, _ = pair(sw, phone, extra="User-Agent: Grandstream GXP2160 1.0\n")
    held(sw, a, u)
    sw.api(f"uuid_display {u} Somebody|777")
    m = reply(a, direction="recvonly", version=3)
    assert m.get("P-Asserted-Identity") and "a=sendonly" in m.body
    has_held(sw, 1)
    a.bye()
    ended(b)


def test_video_of_the_other_leaves_the_hold(sw, phone):
    a, b, _, u = pair(sw, phone)
    held(sw, b, u)
    reinvite(a, sdp(a.rtp_port, version=2) + VIDEO)
    m = b.expect(method="INVITE")
    assert "a=sendonly" in m.body.split("m=video")[0] and "m=video" in m.body
    b.reply(m, 200, "OK", sdp(b.rtp_port, direction="recvonly", version=3) + "m=video 0 RTP/AVP 96\r\n")
    b.expect(method="ACK")
    has_held(sw, 1)
    a.bye()
    ended(b)


def test_hold_there_and_back(sw, phone):
    """Media goes past us and comes back to a leg that we hold."""
    a, b, _, u = pair(sw, phone)
    held(sw, b, u)
    sw.api(f"uuid_media off {u}")
    reply(b, version=3)
    reply(a, version=3)
    b.expect_nothing("INVITE", 0.2)
    assert sw.api(f"uuid_media {u}").startswith("+OK")
    assert "a=sendonly" in reply(b, direction="recvonly", version=4).body
    assert "a=sendonly" not in reply(a, version=4).body
    has_held(sw, 1)
    a.bye()
    ended(b)


# ---- theirs, in an answer
def test_hold_and_resume_in_answers(sw, phone):
    a, b, _, u = pair(sw, phone)
    talks(a, b)
    sw.api(f"uuid_media_reneg {u}")
    reply(b, direction="sendonly", version=2)
    has_held(sw, 1)
    a.talk.hears(440)
    sw.api(f"uuid_media_reneg {u}")
    assert not is_held_in(reply(b, version=3).body)
    has_held(sw, 0)
    is_pair(a, b)
    a.bye()
    ended(b)


def test_resume_by_an_answer_after_an_offer(sw, phone):
    a, b, _, u = pair(sw, phone)
    reinvite(b, sdp(b.rtp_port, direction="sendonly", version=2))
    has_held(sw, 1)
    sw.api(f"uuid_media_reneg {u}")
    reply(b, version=3)
    has_held(sw, 0)
    a.bye()
    ended(b)


# ---- lines and numbers of offers that come to nothing
def lines(m):
    return [l for l in m.body.splitlines() if l.startswith(("m=", "a=group", "a=mid"))]


def test_lines_of_a_refused_offer_are_forgotten(sw, phone):
    a = caller(sw, phone)
    a.invite("7954")
    a.answered()
    u = leg(sw, "inbound")
    bad = sdp(a.rtp_port, version=2).replace("0 101", "104").replace("a=rtpmap:0 PCMU/8000", "a=rtpmap:104 AMR/8000\r\na=fmtp:104 mode-set=99")
    reinvite(a, bad + VIDEO + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", code=488)
    sw.api(f"uuid_hold {u}")
    assert len(lines(reply(a, 488))) == 1
    a.bye()


def test_next_codec_where_the_first_cannot_be_opened(sw, phone):
    def offer(version):
        amr = "a=rtpmap:104 AMR/8000\r\na=fmtp:104 mode-set=99\r\na=rtpmap:0 PCMU/8000"
        return sdp(a.rtp_port, version=version).replace("0 101", "104 0 101").replace("a=rtpmap:0 PCMU/8000", amr)
    a = caller(sw, phone)
    a.invite("7954", body=offer(1))
    ok = a.answered()
    assert " RTP/AVP 0 101" in ok.body and "AMR" not in ok.body
    ok = reinvite(a, offer(2))
    assert " RTP/AVP 0 101" in ok.body and "AMR" not in ok.body
    a.bye()


def test_lines_of_our_refused_offer_are_forgotten(sw, phone):
    """The called phone refuses the caller's video, and has one line again."""
    a, b, _, u = pair(sw, phone)
    reinvite(a, sdp(a.rtp_port, version=2) + VIDEO)
    assert len(lines(reply(b, 488))) == 2
    reinvite(a, sdp(a.rtp_port, version=3) + VIDEO.replace("4444", "0"))
    sw.api(f"uuid_hold {u}")
    assert len(lines(reply(b, direction="recvonly", version=2))) == 1
    a.bye()
    ended(b)


def webrtc(port, is_bundled, fmt="0", version=1):
    text = ["v=0", f"o=- 1 {version} IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", *(["a=group:BUNDLE 0 1"] if is_bundled else []),
            f"m=audio {port} UDP/TLS/RTP/SAVPF {fmt}", "a=mid:0", *ICE,
            f"m=video {port if is_bundled else port + 2} UDP/TLS/RTP/SAVPF 96", "a=mid:1", "a=rtpmap:96 VP8/90000", *ICE, ""]
    return "\r\n".join(text)


def test_refused_way_out_of_the_bundle(sw, phone):
    a = caller(sw, phone)
    a.invite("7954", body=webrtc(a.rtp_port, True))
    a.answered()
    u = leg(sw, "inbound")
    sw.api(f"uuid_hold {u}")
    before = lines(reply(a, 488))
    assert len([l for l in before if l.startswith("m=")]) == 2
    reinvite(a, webrtc(a.rtp_port, False, "18", 2), code=488)
    sw.api(f"uuid_hold {u}")
    assert lines(reply(a, 488)) == before
    assert get(sw, u, "video_media_flow") == "sendrecv"
    a.bye()


def test_way_out_of_the_bundle(sw, phone):
    a = caller(sw, phone)
    a.invite("7954", body=webrtc(a.rtp_port, True))
    a.answered()
    u = leg(sw, "inbound")
    ok = reinvite(a, webrtc(a.rtp_port, False, version=2))
    ports = [l.split()[1] for l in lines(ok) if l.startswith("m=")]
    assert len(set(ports)) == 2 and "0" not in ports
    assert get(sw, u, "video_media_flow") == "sendrecv"
    a.bye()
