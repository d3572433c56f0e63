"""Codec negotiation: whose order decides (generous, greedy, scrooge), early and late, the variables that choose or bound what is offered and
answered, and what a re-INVITE may bring."""
import re
from contextlib import closing

import pytest
from calls import ended, extension, write_extensions
from talk import Talker
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks
PREFS = {"inbound_codec_prefs": "PCMA,PCMU", "outbound_codec_prefs": "PCMA,PCMU"}


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("negotiation") / "instance")
    s.profiles = {name: add_profile(s, name, **{**PREFS, **more}) for name, more in {
        "generous": {}, "greedy": {"inbound_codec_negotiation": "greedy"},
        "scrooge": {"inbound_codec_negotiation": "scrooge", "inbound_codec_prefs": "PCMA@30i,PCMU@20i"},
        "late": {"inbound_late_negotiation": "true", "inbound_codec_prefs": "PCMA"},
        "early": {"inbound_codec_prefs": "PCMA"}, "strict": {"disable_transcoding": "true"},
        "mixed": {"inbound_codec_prefs": "PCMU", "outbound_codec_prefs": "PCMA"}}.items()}

    def bridge(profile, opts=""):
        return f"bridge {opts}sofia/{profile}/svc@127.0.0.1:${{sip_h_X-Port}}"
    write_extensions(s, [
        extension("7901", "answer", "park"), extension("7902", "set rtp_codec_negotiation=greedy", "answer", "park"),
        extension("7903", "set absolute_codec_string=PCMU", "answer", "park"), extension("7904", "set codec_string=PCMU", "answer", "park"),
        extension("7910", bridge("generous")), extension("7911", bridge("generous", "{absolute_codec_string=PCMU}")),
        extension("7912", bridge("generous", "{codec_string='PCMU,PCMA'}")),
        extension("7913", bridge("generous", "{media_mix_inbound_outbound_codecs=false}")),
        extension("7914", "set inherit_codec=false", bridge("generous")), extension("7915", "set inherit_codec=true", bridge("generous")),
        extension("7916", bridge("strict")), extension("7917", bridge("mixed")),
        extension("7918", bridge("generous", "{absolute_codec_string=G729}")),
        extension("7920", "set verbose_sdp=false", "set rtp_append_audio_sdp=a=maxptime:40&#10;a=x-word:1", bridge("generous",
                  "{verbose_sdp=false,rtp_append_audio_sdp=a=x-called:2,rtp_force_audio_fmtp=unsaid=1}")),
        extension("7921", "set rtp_force_audio_fmtp=mode=7; x=1", "set rtp_append_audio_sdp=m=audio 9 RTP/AVP 0", "answer", "park"),
        extension("7922", "set rtp_append_audio_sdp=${sip_h_X-Line}", "set rtp_force_audio_fmtp=${sip_h_X-Line}", "answer", "park"),
        extension("7923", "set rtp_liberal_dtmf=true", "answer", "send_dtmf 5", "read 1 1 silence got 8000 #", "set digit=${got}", "park"),
        extension("7925", "set rtp_digit_delay=400", "set log_audio_stats_on_hangup=true", "answer", "send_dtmf 12", "park"),
        extension("7924", bridge("generous", "{rtp_liberal_dtmf=true,dtmf_type=info}")),
        extension("7919", "set absolute_codec_string=${ep_codec_string}", "answer", "park"),
    ])
    path = s.root / "conf/dialplan/default/tests.xml"
    path.write_text(path.read_text().replace("&amp;#10;", "&#10;"))  # a line's end
    s.start()
    yield s
    s.stop()


def formats(text):
    return re.search(r"m=audio \d+ \S+ ([\d ]+)", text).group(1).split()


def answer_of(sw, phone, profile, number, offered, ptime=20):
    p = phone("ext", register=False, kind=Trunk, at=sw.profiles[profile])
    p.invite(number, body=sdp(p.rtp_port, formats=offered).replace("ptime:20", f"ptime:{ptime}"))
    ok = p.answered()
    p.bye()
    return formats(ok.body)[0]


@pytest.mark.parametrize("profile,number,offered,answered", [
    ("generous", "7901", (0, 8), "0"), ("generous", "7901", (8, 0), "8"), ("greedy", "7901", (0, 8), "8"), ("greedy", "7901", (0,), "0"),
    ("generous", "7902", (0, 8), "8"), ("scrooge", "7901", (0, 8), "0"), ("generous", "7903", (8, 0), "0"),
    ("generous", "7904", (8, 0), "0"), ("late", "7904", (0,), "0"), ("late", "7919", (0,), "0")])
def test_what_is_answered(sw, phone, profile, number, offered, answered):
    assert answer_of(sw, phone, profile, number, offered) == answered


def test_scrooge_wants_the_packet_time(sw, phone):
    assert answer_of(sw, phone, "scrooge", "7901", (0, 8), ptime=30) == "8"


def test_early_negotiation_refuses_before_the_dialplan(sw, phone):
    p = phone("ext", register=False, kind=Trunk, at=sw.profiles["early"])
    p.invite("7904", body=sdp(p.rtp_port, formats=(0,)))
    p.ack_failure(p.expect(488))


def pair(sw, phone, number, offered=(0,), at="generous"):
    a = phone("ext", register=False, kind=Trunk, at=sw.profiles[at])
    to = {"7916": "strict", "7917": "mixed"}.get(number, "generous")
    b = phone("svc", register=False, kind=Trunk, at=sw.profiles[to])
    a.invite(number, body=sdp(a.rtp_port, formats=offered), extra=f"X-Port: {b.port}\n")
    return a, b


@pytest.mark.parametrize("number,at,offered,wanted", [
    ("7910", "generous", (0,), ["0", "8"]),  # the caller's first
    ("7910", "generous", (8,), ["8", "0"]),
    ("7911", "generous", (8, 0), ["0"]),
    ("7912", "generous", (8,), ["8", "0"]),
    ("7913", "generous", (0,), ["0"]),
    ("7916", "generous", (0,), ["0"]),
    ("7910", "strict", (0,), ["0"]),
    ("7917", "generous", (8,), ["8"])])
def test_what_is_offered(sw, phone, number, at, offered, wanted):
    a, b = pair(sw, phone, number, offered, at)
    invite = b.expect(method="INVITE")
    assert [f for f in formats(invite.body) if f != "101"] == wanted
    b.reply(invite, 486, "Busy Here")
    b.expect(method="ACK")
    a.ack_failure(a.expect(486))


@pytest.mark.parametrize("number,answered", [("7910", "8"), ("7915", "8"), ("7914", "0")])
def test_inherit_codec(sw, phone, number, answered):
    """The called one's codec is the caller's too, so that packets pass as they are; unless the variable says no."""
    a, b = pair(sw, phone, number, (0, 8))
    invite = b.expect(method="INVITE")
    b.reply(invite, 200, "OK", sdp(b.rtp_port, formats=(8,)))
    b.expect(method="ACK")
    b.enter(invite)
    assert formats(a.answered().body)[0] == answered
    a.bye()
    ended(b)


# ---- words in SDP
def lines_of(text, *starts):
    return [x for x in text.split("\r\n") if x.startswith(starts)]


def test_terse_and_appended(sw, phone):
    """No rtpmap of a number that everybody knows, in offers; lines of our own in offers and answers."""
    a, b = pair(sw, phone, "7920")
    invite = b.expect(method="INVITE")
    assert lines_of(invite.body, "a=rtpmap") == ["a=rtpmap:101 telephone-event/8000"]
    assert lines_of(invite.body, "a=x-", "a=fmtp", "a=maxptime") == ["a=fmtp:101 0-15", "a=x-called:2"]
    b.reply(invite, 200, "OK", sdp(b.rtp_port, formats=(0,)))
    b.expect(method="ACK")
    b.enter(invite)
    ok = a.answered()
    assert lines_of(ok.body, "a=rtpmap:0", "a=x-", "a=maxptime") == ["a=rtpmap:0 PCMU/8000", "a=maxptime:40", "a=x-word:1"]
    a.bye()
    ended(b)


def test_format_parameters_of_an_answer(sw, phone):
    """What is no line for it is left out, and told."""
    a = phone("ext", register=False, kind=Trunk, at=sw.profiles["generous"])
    a.invite("7921", body=sdp(a.rtp_port, formats=(0,)))
    body = a.answered().body
    assert lines_of(body, "a=fmtp") == ["a=fmtp:0 mode=7; x=1"] and body.count("m=audio") == 1
    sw.wait_log("rtp_append_audio_sdp: left out, it is from outside or nothing that SDP could have there")
    a.bye()


def test_words_from_outside_are_none(sw, phone):
    a = phone("ext", register=False, kind=Trunk, at=sw.profiles["generous"])
    a.invite("7922", body=sdp(a.rtp_port, formats=(0,)), extra="X-Line: a=x-outside:1\nrtp_append_audio_sdp: a=x-outside:2\n")
    assert "x-outside" not in a.answered().body
    sw.wait_log("rtp_force_audio_fmtp: left out, it is from outside")
    a.bye()


def test_liberal_dtmf(sw, phone):
    """A phone that names no telephone-event is told digits so all the same, and believed."""
    a = phone("ext", register=False, kind=Trunk, at=sw.profiles["generous"])
    a.invite("7923", body=sdp(a.rtp_port, formats=(0,)))
    assert formats(a.answered().body) == ["0", "101"]
    a.talk = Talker(a)
    a.talk.wait_digits("5")
    with closing(sw.esl()) as events:
        events.subscribe("CHANNEL_PARK")
        a.talk.press("7")
        assert events.wait_event("CHANNEL_PARK")["variable_digit"] == "7"
    a.bye()


def test_digit_delay(sw, phone):
    """And what was counted is in the log."""
    a = phone("ext", register=False, kind=Trunk, at=sw.profiles["generous"])
    a.invite("7925", body=sdp(a.rtp_port, formats=(0, 101)))
    a.answered()
    a.talk = Talker(a)
    a.talk.wait_digits("12")
    first, second = a.talk.events
    assert second[0] - first[0] - first[2] >= 390 * 8
    a.bye()
    sw.wait_log(re.compile(r"audio: in \d+ packets"))


def test_liberal_dtmf_is_offered(sw, phone):
    a, b = pair(sw, phone, "7924")
    invite = b.expect(method="INVITE")
    assert "101" in formats(invite.body)
    b.reply(invite, 486, "Busy Here")
    b.expect(method="ACK")
    a.ack_failure(a.expect(486))


def test_without_transcoding_the_caller_answers_in_the_called_ones_codec(sw, phone):
    a, b = pair(sw, phone, "7910", (0, 8), "strict")
    invite = b.expect(method="INVITE")
    assert [f for f in formats(invite.body) if f != "101"] == ["0", "8"]
    b.reply(invite, 200, "OK", sdp(b.rtp_port, formats=(8,)))
    b.expect(method="ACK")
    b.enter(invite)
    assert formats(a.answered().body)[0] == "8"
    a.bye()
    ended(b)


def test_a_reinvite_of_ours_offers_what_can_be_joined(sw, phone):
    """Not the other leg's codecs: those of its own profile."""
    a, b = pair(sw, phone, "7917", (0,), "mixed")
    invite = b.expect(method="INVITE")
    assert "8" in formats(invite.body)
    b.reply(invite, 200, "OK", sdp(b.rtp_port, formats=(8,)))
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    uuid = [r.split(",")[0] for r in sw.api("show channels").splitlines() if ",outbound," in r][0]
    sw.api(f"uuid_hold {uuid}")
    hold = b.expect(method="INVITE")
    assert [f for f in formats(hold.body) if f != "101"] == ["8"]
    b.reply(hold, 200, "OK", sdp(b.rtp_port, formats=(8,), direction="recvonly", version=2))
    b.expect(method="ACK")
    a.bye()
    ended(b)


def test_ep_codec_string(sw, phone, parked):
    p = phone("ext", register=False, kind=Trunk, at=sw.profiles["generous"])
    p.invite("7901", body=sdp(p.rtp_port, formats=(8, 0, 101)))
    var = parked()
    p.answered()
    assert var("ep_codec_string") == "CORE_PCM_MODULE.PCMA@8000h@20i@64000b,CORE_PCM_MODULE.PCMU@8000h@20i@64000b"
    p.bye()
