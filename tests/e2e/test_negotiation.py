"""Codec negotiation: whose order decides (generous, greedy, scrooge), early and late, the variables that choose or bound what is offered and
answered, and what a re-INVITE may bring."""
import re

import pytest
from calls import ended, extension, write_extensions
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
        extension("7919", "set absolute_codec_string=${ep_codec_string}", "answer", "park"),
    ])
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
