"""Offers that follow an agreement keep it: the form of the codec, the meaning of payload numbers, the codec that runs (RFC 3264 section 8)."""
import re

import pytest
from calls import ended, extension, is_pair, rtp, talks, uuid_of, write_extensions
from srtp_phone import Srtp, line, lines_of, new_key
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks


def offer(port, formats, *lines, version=1):
    return "\r\n".join(["v=0", f"o=- 1 {version} IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", f"m=audio {port} RTP/AVP {formats}", *lines, ""])


def form(name, clock, pt, fmtp):
    """An offer of one codec in one form."""
    return lambda port, version=1: offer(port, pt, f"a=rtpmap:{pt} {name}/{clock}", f"a=fmtp:{pt} {fmtp}", version=version)


ILBC_20 = form("iLBC", 8000, 97, "mode=20")
G7221_24 = form("G7221", 16000, 107, "bitrate=24000")


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("reoffers") / "instance")
    s.at = add_profile(s, "plain", **both("PCMU,PCMA,AMR,iLBC~mode=20,G7221~bitrate=24000"))
    s.any = add_profile(s, "any", **both("PCMU,iLBC"))
    s.mixed = add_profile(s, "mixed", inbound_codec_prefs="GSM", outbound_codec_prefs="PCMA")
    s.dvi4 = add_profile(s, "dvi4", **both("DVI4@16000h,DVI4,PCMU"))
    write_extensions(s, [
        extension("7951", "bridge sofia/plain/svc@127.0.0.1:${sip_h_X-Port}"),
        extension("7952", "bridge sofia/any/svc@127.0.0.1:${sip_h_X-Port}"),
        extension("7954", "answer", "park"),
        extension("7955", "answer", "bridge sofia/dvi4/svc@127.0.0.1:${sip_h_X-Port}"),
        extension("7953", "bridge {jitterbuffer_msec=60}sofia/plain/svc@127.0.0.1:${sip_h_X-Port}"),
        extension("7957", "bridge {rtp_secure_media=mandatory}sofia/plain/svc@127.0.0.1:${sip_h_X-Port}"),
        extension("7956", "bridge {absolute_codec_string='AMR~octet-align=1,AMR~octet-align=0'}sofia/plain/svc@127.0.0.1:${sip_h_X-Port}"),
    ])
    s.start()
    yield s
    s.stop()


def both(prefs):
    return {"inbound_codec_prefs": prefs, "outbound_codec_prefs": prefs}


def caller(phone, at):
    return phone("ext", register=False, kind=Trunk, at=at, hz=500)


def called(phone, at):
    return phone("svc", register=False, kind=Trunk, at=at, hz=900)


def alone(sw, phone, body, at=None):
    """An answered call that is parked; the phone and our answer."""
    a = caller(phone, at or sw.at)
    a.invite("7954", body=body(a.rtp_port))
    return a, a.answered().body


def pair(sw, phone, number, at, body, answer=None):
    """A bridged call; answer: of the called, of its port and the offer."""
    a, b = caller(phone, at), called(phone, at)
    a.invite(number, extra=f"X-Port: {b.port}\n", body=body(a.rtp_port))
    invite = b.expect(method="INVITE")
    b.reply(invite, 200, "OK", answer(b.rtp_port, invite.body) if answer else body(b.rtp_port))
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    return a, b


def media(text):
    """Of the audio line: its formats, and {number: (codec, fmtp)}."""
    formats = re.search(r"m=audio \d+ \S+ (.*?)\r?\n", text).group(1).split()
    names = dict(re.findall(r"a=rtpmap:(\d+) (\S+)", text))
    fmtp = dict(re.findall(r"a=fmtp:(\d+) (.*?)\r?\n", text))
    return formats, {f: (names.get(f), fmtp.get(f)) for f in formats}


def held(sw, p, body=None, user="ext"):
    """What p is told when it is held; it says body, or no."""
    assert sw.api(f"uuid_hold {uuid_of(sw, user)}").startswith("+OK")
    invite = p.expect(method="INVITE")
    if body:
        p.reply(invite, 200, "OK", body(p.rtp_port, version=2).rstrip() + "\r\na=recvonly\r\n")
    else:
        p.reply(invite, 488, "Not Acceptable Here")
    p.expect(method="ACK")
    return invite.body




def over(a, *others):
    a.bye()
    for p in others:
        ended(p)


# ---- format parameters
def test_amr_keeps_its_form(sw, phone):
    a, answer = alone(sw, phone, form("AMR", 8000, 104, "octet-align=1;mode-set=0,2,5,7"))
    assert "octet-align=1" in media(answer)[1]["104"][1]
    name, fmtp = media(held(sw, a))[1]["104"]
    assert name == "AMR/8000" and "octet-align=1" in fmtp and "mode-set=0,2,5,7" in fmtp
    over(a)


@pytest.mark.parametrize("body, pt, fmtp", [(ILBC_20, "97", "mode=20"), (G7221_24, "107", "bitrate=24000")], ids=["iLBC", "G7221"])
def test_passed_codec_is_held_in_its_form(sw, phone, body, pt, fmtp):
    a, b = pair(sw, phone, "7951", sw.at, body)
    formats, names = media(held(sw, a, body))
    assert formats[0] == pt and names[pt][1] == fmtp
    over(a, b)


def test_offerless_reinvite_of_a_passed_codec(sw, phone):
    a, b = pair(sw, phone, "7951", sw.at, ILBC_20)
    a.request("INVITE")
    ok = a.expect(200)
    assert media(ok.body)[1]["97"] == ("iLBC/8000", "mode=20")
    a.request("ACK", cseq=int(ok.get("CSeq").split()[0]), body=ILBC_20(a.rtp_port, version=2))
    over(a, b)


@pytest.mark.parametrize("number, at, was, then", [("7951", "at", "mode=20", "mode=30"), ("7952", "any", "mode=30", "mode=20")],
                         ids=["to 30", "to 20"])
def test_other_form_than_the_partners_is_refused(sw, phone, number, at, was, then):
    body = form("iLBC", 8000, 97, was)
    a, b = pair(sw, phone, number, getattr(sw, at), body)
    a.request("INVITE", body=form("iLBC", 8000, 97, then)(a.rtp_port, version=2))
    a.request("ACK", cseq=int(a.expect(488).get("CSeq").split()[0]))
    over(a, b)


# ---- payload numbers
def test_two_forms_of_one_codec(sw, phone):
    seen = {}

    def answer(port, text):
        formats, names = media(text)
        seen["pt"] = pt = next(f for f in formats if names[f][1] == "octet-align=1")
        assert [names[f][1] for f in formats if names[f][0] == "AMR/8000"] == ["octet-align=1", "octet-align=0"]
        return form("AMR", 8000, pt, "octet-align=1")(port)

    a, b = pair(sw, phone, "7956", sw.at, sdp, answer)
    of_b = uuid_of(sw, "svc")
    assert sw.api(f"uuid_getvar {of_b} rtp_audio_recv_pt").strip() == seen["pt"]
    name, fmtp = media(held(sw, b, user="svc"))[1][seen["pt"]]
    assert name == "AMR/8000" and fmtp == "octet-align=1"
    over(a, b)


@pytest.mark.parametrize("events", [96, 102])
def test_numbers_keep_their_meaning(sw, phone, events):
    a, _ = alone(sw, phone, lambda p: offer(p, f"0 {events}", "a=rtpmap:0 PCMU/8000", f"a=rtpmap:{events} telephone-event/8000"))
    assert sw.api(f"uuid_media_reneg {uuid_of(sw, 'ext')} PCMU,AMR,opus").startswith("+OK")
    invite = a.expect(method="INVITE")
    names = media(invite.body)[1]
    assert names[str(events)][0] == "telephone-event/8000"
    assert {"AMR/8000", "opus/48000/2"} <= {n for n, _ in names.values()}
    a.reply(invite, 488, "Not Acceptable Here")
    a.expect(method="ACK")
    over(a)


def test_dvi4_is_offered_under_the_number_of_its_rate(sw, phone):
    a, b = caller(phone, sw.dvi4), called(phone, sw.dvi4)
    a.invite("7955", extra=f"X-Port: {b.port}\n", body=offer(a.rtp_port, "6", "a=rtpmap:6 DVI4/16000"))
    a.answered()
    invite = b.expect(method="INVITE")
    formats, names = media(invite.body)
    assert formats[0] == "6" and names["6"][0] == "DVI4/16000"
    assert names.get("5", ("DVI4/8000",))[0] == "DVI4/8000"
    b.reply(invite, 486, "Busy Here")
    b.expect(method="ACK")
    ended(a)


# ---- what runs
def test_own_offer_to_a_caller(sw, phone):
    a, _ = alone(sw, phone, lambda p: offer(p, "3", "a=rtpmap:3 GSM/8000"), sw.mixed)
    formats, _ = media(held(sw, a))
    assert formats[0] == "3" and "8" not in formats
    over(a)


# ---- several codecs in an answer (RFC 3264 sections 6.1 and 7: any of them may come)
@pytest.mark.parametrize("number", ["7951", "7953"], ids=["plain", "jitter buffer"])
def test_second_codec_of_an_answer_is_heard(sw, phone, number):
    a, b = pair(sw, phone, number, sw.at, sdp, lambda port, _: sdp(port, formats=(8, 0, 101)))
    of_b = uuid_of(sw, "svc")
    assert sw.api(f"uuid_getvar {of_b} rtp_audio_recv_pt").strip() == "8"
    talks(a, b)
    is_pair(a, b)  # b hears PCMU only: it is answered in what it sends
    assert sw.api(f"uuid_getvar {of_b} rtp_audio_recv_pt").strip() == "0"
    assert media(held(sw, b, user="svc"))[0][0] == "0"
    over(a, b)


def test_second_codec_under_the_same_keys(sw, phone):
    keys = {}

    def answer(port, text):
        tag, (suite, theirs) = next(iter(lines_of(text)[0][2].items()))
        keys["of"] = (suite, new_key(suite), theirs)
        return sdp(port, formats=(8, 0, 101)).replace("RTP/AVP", "RTP/SAVP") + line(tag, suite, keys["of"][1]) + "\r\n"

    a, b = pair(sw, phone, "7957", sw.at, sdp, answer)
    b.media = Srtp(b.media, *keys["of"])
    talks(a, b)
    is_pair(a, b)
    assert not b.media.refused
    over(a, b)


def test_codec_turns_back(sw, phone):
    a, b = pair(sw, phone, "7951", sw.at, sdp, lambda port, _: sdp(port, formats=(8, 0, 101)))
    for pt in (0, 8, 0):
        seq = 100 * pt
        while sw.api(f"uuid_getvar {uuid_of(sw, 'svc')} rtp_audio_recv_pt").strip() != str(pt):
            b.media.sendto(rtp(seq, pt=pt), ("127.0.0.1", b.remote_rtp))
            seq += 1
            assert seq < 100 * pt + 1000
    over(a, b)


def test_codec_that_was_not_answered_is_not_heard(sw, phone):
    a, b = pair(sw, phone, "7951", sw.at, sdp, lambda port, _: sdp(port, formats=(8, 101)))
    of_b = uuid_of(sw, "svc")
    for seq in range(20):
        b.media.sendto(rtp(seq), ("127.0.0.1", b.remote_rtp))
    b.media.sendto(rtp(20, pt=8), ("127.0.0.1", b.remote_rtp))
    a.media.settimeout(5)
    a.media.recv(2000)  # that one only
    assert sw.api(f"uuid_getvar {of_b} rtp_audio_recv_pt").strip() == "8"
    over(a, b)
