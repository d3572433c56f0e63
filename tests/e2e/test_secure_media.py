"""SRTP with keys in SDP: what is offered and taken, that both sides hear each other through it, that it can be demanded, and that
keys are never begun twice. The far side's packets are libsrtp2's."""
import time

import pytest
from calls import ended, extension, uuid_of, write_extensions
from phones import Baresip, Linphone
from rtpengine import Rtpengine
from srtp_phone import SUITES, Srtp, line, lines_of, new_key
from talk import Talker
from wire import sdp

pytestmark = [pytest.mark.leaks]
SUITE = "AES_CM_128_HMAC_SHA1_80"


SAYS_NO, SAYS_YES = ["off", "0", "disabled", "inactive", "Forbidden"], ["on", "1", "Enabled", "active"]


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("secure") / "instance")
    write_extensions(s, [
        extension("8101", "answer", "echo"),
        extension("8102", "bridge {rtp_secure_media=mandatory:AES_CM_128_HMAC_SHA1_80}user/1001"),
        extension("8103", "bridge {rtp_secure_media=optional}user/1001"),
        extension("8104", "set rtp_secure_media=mandatory", "answer", "echo"),
        extension("8105", "set rtp_secure_media=false", "answer", "echo"),
        extension("8106", "set rtp_secure_media=optional:AEAD_AES_256_GCM", "answer", "echo"),
        extension("8107", "set rtp_secure_media_outbound=true", "set rtp_secure_media=mandatory", "bridge user/1001"),
        extension("8108", "bridge {rtp_secure_media=true}user/1001"),
        extension("8110", f"bridge {{rtp_secure_media=mandatory:{SUITE}:{SUITE}}}user/1001"),
        extension("8111", "set absolute_codec_string=AMR", "answer", "playback tone_stream://%(60000,0,440)"),
        extension("8115", "bridge user/1001"),
        extension("8112", "set bypass_media=true", "bridge {rtp_secure_media=mandatory}user/1001"),
        extension("8113", "set proxy_media=true", "bridge {rtp_secure_media=mandatory}user/1001"),
        extension("8114", "set bypass_media_after_bridge=true", "bridge {rtp_secure_media=mandatory}user/1001"),
        extension("8109", "set rtp_secure_media=nonsense", "answer", "echo"),
        *[extension(f"813{i}", f"set rtp_secure_media={word}", "answer", "echo") for i, word in enumerate(SAYS_NO)],
        *[extension(f"814{i}", f"set rtp_secure_media={word}", "answer", "echo") for i, word in enumerate(SAYS_YES)],
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    yield e
    e.close()


def secured(port, *lines, proto="RTP/SAVP", version=1, direction="sendrecv"):
    text = sdp(port, version=version, direction=direction).replace("RTP/AVP", proto)
    return text.replace("a=ptime:20", "\r\n".join([*lines, "a=ptime:20"]))


def calls_secured(p, number, suite=SUITE, key=None, more=()):
    """p calls with one key and is answered: its media goes on encrypted."""
    key = key or new_key(suite)
    p.invite(number, secured(p.rtp_port, *more, line(7, suite, key)))
    (proto, port, keys), = lines_of(p.answered().body)
    assert proto == "RTP/SAVP" and port and list(keys) == [7] and keys[7][0] == suite and keys[7][1] != key
    p.plain, p.media = p.media, Srtp(p.media, suite, key, keys[7][1])
    p.key, p.far_key = key, keys[7][1]
    return keys


@pytest.mark.parametrize("suite", SUITES)
def test_caller(sw, phone, events, suite):
    """The phone hears itself through an echo, sealed and opened by both sides."""
    events.subscribe("CALL_SECURE CHANNEL_ANSWER")
    a = phone("1000")
    calls_secured(a, "8101", suite)
    a.talk = Talker(a, 440)
    a.talk.hears(440)
    e = events.wait_event("CALL_SECURE")
    assert e["secure_type"] == f"srtp:sdes:{suite}" and e["caller-unique-id"] == uuid_of(sw, "1000")
    e = events.wait_event("CHANNEL_ANSWER")
    assert e["variable_rtp_has_crypto"] == suite and e["variable_rtp_secure_media_confirmed"] == "true"
    a.talk.stop()
    assert a.media.opened and not a.media.refused
    a.bye()


def test_first_usable_line_of_the_offer(sw, phone):
    a = phone("1000")
    key = new_key(SUITE)
    a.invite("8101", secured(a.rtp_port, line(1, "FOO_SUITE", key), line(2, SUITE, key[:20]), line(3, SUITE, key, "|2^20|1:4"),
                             line(4, SUITE, key, " UNENCRYPTED_SRTCP"), line(5, "AES_CM_128_HMAC_SHA1_32", key), line(6, SUITE, key)))
    (_, _, keys), = lines_of(a.answered().body)
    assert [(t, s) for t, (s, _) in keys.items()] == [(5, "AES_CM_128_HMAC_SHA1_32")]
    a.bye()


@pytest.mark.parametrize("number,body", [
    ("8101", lambda p: secured(p)),                                           # no key
    ("8101", lambda p: secured(p, line(1, "FOO_SUITE", new_key(SUITE)))),
    ("8104", lambda p: sdp(p)),                                               # it is demanded
    ("8109", lambda p: sdp(p)),                                               # what is no mode demands as well
    ("8105", lambda p: secured(p, line(1, SUITE, new_key(SUITE)))),           # it is forbidden
    ("8106", lambda p: secured(p, line(1, SUITE, new_key(SUITE)))),           # another suite is wanted
], ids=["keyless", "unknown", "demanded", "nonsense", "forbidden", "suites"])
def test_refused(sw, phone, number, body):
    a = phone("1000")
    a.invite(number, body(a.rtp_port))
    r = a.expect(488)
    a.ack_failure(r)


@pytest.mark.parametrize("i", range(len(SAYS_NO)), ids=SAYS_NO)
def test_words_that_say_no(sw, phone, i):
    a = phone("1000")
    a.invite(f"813{i}", secured(a.rtp_port, line(1, SUITE, new_key(SUITE))))
    a.ack_failure(a.expect(488))
    b = phone("1002")
    b.invite(f"813{i}", sdp(b.rtp_port))
    b.answered()
    b.bye()


@pytest.mark.parametrize("i", range(len(SAYS_YES)), ids=SAYS_YES)
def test_words_that_say_yes(sw, phone, i):
    a = phone("1000")
    a.invite(f"814{i}", sdp(a.rtp_port))
    a.ack_failure(a.expect(488))
    b = phone("1002")
    b.invite(f"814{i}", secured(b.rtp_port, line(1, SUITE, new_key(SUITE))))
    b.answered()
    b.bye()
    log = (sw.root / "log/tandem.log").read_text(errors="replace") if (sw.root / "log/tandem.log").exists() else ""
    assert f'"{SAYS_YES[i]}" is none of' not in log


def test_plain_line_with_a_key_is_plain(sw, phone):
    a = phone("1000")
    a.invite("8101", secured(a.rtp_port, line(1, SUITE, new_key(SUITE)), proto="RTP/AVP"))
    (proto, _, keys), = lines_of(a.answered().body)
    assert proto == "RTP/AVP" and not keys
    a.talk = Talker(a, 440)
    a.talk.hears(440)
    a.bye()


def test_either_line(sw, phone):
    """A caller with a line of each kind gets the first that can be had."""
    a = phone("1000")
    key = new_key(SUITE)
    both = secured(a.rtp_port, line(1, SUITE, key)) + "\r\n".join([f"m=audio {a.rtp_port} RTP/AVP 0", "a=rtpmap:0 PCMU/8000", ""])
    a.invite("8101", both)
    first, second = lines_of(a.answered().body)
    assert first[0] == "RTP/SAVP" and first[1] and first[2] and second[:2] == ("RTP/AVP", 0)
    a.bye()
    b = phone("1002")
    b.invite("8105", both.replace(str(a.rtp_port), str(b.rtp_port)))
    first, second = lines_of(b.answered().body)
    assert first[:2] == ("RTP/SAVP", 0) and second[0] == "RTP/AVP" and second[1] and not second[2]
    b.bye()


def test_one_side_of_a_bridge(sw, phone):
    """The caller is plain, the called encrypted; each hears the other."""
    a, b = phone("1000"), phone("1001")
    key = new_key(SUITE)
    a.invite("8102", sdp(a.rtp_port))
    invite = b.take(secured(b.rtp_port, line(7, SUITE, key)))
    (proto, _, keys), = lines_of(invite.body)
    assert proto == "RTP/SAVP" and {t: s for t, (s, _) in keys.items()} == {7: SUITE}
    assert [l[:8] for l in invite.body.splitlines() if l[:8] in ("a=crypto", "a=ptime:")] == ["a=crypto", "a=ptime:"]
    assert "RTP/AVP" in a.answered().body
    b.media = Srtp(b.media, SUITE, key, keys[7][1])
    a.talk, b.talk = Talker(a, 440), Talker(b, 900)
    a.talk.hears(900)
    b.talk.hears(440)
    b.talk.stop()
    assert not b.media.refused
    a.bye()


def test_both_sides_of_a_bridge(sw, phone):
    a, b = phone("1000"), phone("1001")
    key_a, key_b = new_key("AEAD_AES_128_GCM"), new_key(SUITE)
    a.invite("8108", secured(a.rtp_port, line(1, "AEAD_AES_128_GCM", key_a)))
    (_, _, offered), = lines_of(b.take(secured(b.rtp_port, line(7, SUITE, key_b))).body)
    assert {s for s, _ in offered.values()} >= {"AEAD_AES_256_GCM", "AEAD_AES_128_GCM", SUITE, "AES_CM_128_HMAC_SHA1_32"}
    assert len({k for _, k in offered.values()}) == len(offered)
    (_, _, answered), = lines_of(a.answered().body)
    a.media = Srtp(a.media, "AEAD_AES_128_GCM", key_a, answered[1][1])
    b.media = Srtp(b.media, SUITE, key_b, offered[7][1])
    a.talk, b.talk = Talker(a, 440), Talker(b, 900)
    a.talk.hears(900)
    b.talk.hears(440)
    a.bye()


def test_demanded_and_answered_plainly(sw, phone):
    """Nothing goes to the phone then: it is told BYE, the caller 488."""
    a, b = phone("1000"), phone("1001")
    a.invite("8102", sdp(a.rtp_port))
    b.take(sdp(b.rtp_port))
    ended(b)
    a.ack_failure(a.expect(488))


@pytest.mark.parametrize("answer", [
    lambda ours: line(9, SUITE, new_key(SUITE)),
    lambda ours: line(7, "AES_CM_128_HMAC_SHA1_32", new_key(SUITE)),
    lambda ours: line(7, SUITE, ours),
], ids=["tag", "suite", "our-key"])
def test_wrong_answer(sw, phone, answer):
    """A tag that was not offered, a suite under another's tag, our own key."""
    a, b = phone("1000"), phone("1001")
    a.invite("8102", sdp(a.rtp_port))
    invite = b.expect(method="INVITE")
    (_, _, keys), = lines_of(invite.body)
    b.enter(invite)
    b.reply(invite, 200, "OK", body=secured(b.rtp_port, answer(keys[7][1])))
    ended(b)
    a.ack_failure(a.expect(488))


@pytest.mark.parametrize("secure", [True, False])
def test_optional(sw, phone, secure):
    """A line of each kind; the phone takes one."""
    a, b = phone("1000"), phone("1001")
    key = new_key(SUITE)
    a.invite("8103", sdp(a.rtp_port))
    refused = "m=audio 0 RTP/AVP 0\r\n" if secure else ""
    body = secured(b.rtp_port, line(7, SUITE, key)) + refused if secure \
        else sdp(b.rtp_port).replace("m=audio", "m=audio 0 RTP/SAVP 0\r\nm=audio", 1)
    invite = b.take(body)
    first, second = lines_of(invite.body)
    assert first[0] == "RTP/SAVP" and second[0] == "RTP/AVP" and first[1] == second[1] and first[2] and not second[2]
    a.answered()
    if secure:
        b.media = Srtp(b.media, SUITE, key, first[2][7][1])
    a.talk, b.talk = Talker(a, 440), Talker(b, 900)
    a.talk.hears(900)
    b.talk.hears(440)
    uuid = uuid_of(sw, "1001")
    assert sw.api(f"uuid_getvar {uuid} rtp_secure_media_confirmed") == ("true" if secure else "_undef_")
    sw.api(f"uuid_media_reneg {uuid}")
    again = lines_of(b.expect(method="INVITE").body)
    kept, other = (again if secure else again[::-1])
    assert kept[1] == first[1] and other[1] == 0
    if secure:
        assert kept[2][7] == first[2][7]
    a.bye()


def test_set_on_the_caller_is_not_the_called(sw, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("8107", secured(a.rtp_port, line(1, SUITE, new_key(SUITE))))
    (proto, _, _), = lines_of(b.take().body)
    assert proto == "RTP/AVP"
    assert "RTP/SAVP" in a.answered().body
    a.bye()


def reinvited(p, body):
    p.request("INVITE", body=body)
    return lines_of(p.answered().body)[0][2]


def test_new_keys_in_the_call(sw, phone):
    """The same key goes on with its context; a new one of the phone's makes ours new too; what was sealed before is dropped."""
    a = phone("1000")
    calls_secured(a, "8101")
    a.talk = Talker(a, 440)
    a.talk.hears(440)
    keys = reinvited(a, secured(a.rtp_port, line(7, SUITE, a.key), version=2))
    assert keys[7] == (SUITE, a.far_key)
    a.talk.hears(440)
    assert not a.media.refused
    key = new_key(SUITE)
    keys = reinvited(a, secured(a.rtp_port, line(3, SUITE, key), version=3))
    a.talk.stop()
    a.media.key_out_set(SUITE, key)
    a.media.key_in_set(SUITE, keys[3][1])
    a.talk = Talker(a, 700)
    a.talk.hears(700)
    a.bye()


def test_baresip_calls(sw, tmp_path, phone):
    """baresip, which has SRTP of its own, and a plain phone."""
    b = phone("1001")
    a = Baresip(tmp_path, sw, "1000", extra_modules=("srtp",), params=";mediaenc=srtp-mand")
    try:
        a.dial("1001")
        b.take()
        a.wait("CALL_ESTABLISHED")
        b.talk = Talker(b, 900)
        b.talk.hears(440)
    finally:
        a.close()


def test_baresip_is_called(sw, tmp_path, phone):
    a = phone("1000")
    b = Baresip(tmp_path, sw, "1001", hz=900, answer="auto", extra_modules=("srtp",), params=";mediaenc=srtp-mand")
    try:
        a.invite("8108", sdp(a.rtp_port))
        a.answered()
        a.talk = Talker(a, 440)
        a.talk.hears(900)
        a.bye()
    finally:
        b.close()


def test_linphone_both_ways(sw, tmp_path, phone):
    a = phone("1000")
    b = Linphone(tmp_path, sw, "1001", hz=900, encryption="srtp")
    try:
        a.invite("8108", sdp(a.rtp_port))
        b.answer()
        a.answered()
        a.talk = Talker(a, 440)
        a.talk.hears(900)
        uuid = uuid_of(sw, "1001")
        assert sw.api(f"uuid_getvar {uuid} rtp_secure_media_confirmed") == "true"
        a.talk.stop()
        a.bye()
        b.ended()
        b.dial("1000")
        a.take()
        a.talk = Talker(a, 440)
        a.talk.hears(900)
        b.hangup()
    finally:
        b.close()


def test_early_plain_then_encrypted(sw, phone):
    """A line of each kind was offered: an announcement takes the plain one, whoever answers then the other."""
    a, b = phone("1000"), phone("1001")
    key = new_key(SUITE)
    a.invite("8103", sdp(a.rtp_port))
    invite = b.expect(method="INVITE")
    first, _ = lines_of(invite.body)
    b.enter(invite)
    b.reply(invite, 183, "Session Progress", body=sdp(b.rtp_port).replace("m=audio", "m=audio 0 RTP/SAVP 0\r\nm=audio", 1))
    a.expect(183)
    b.reply(invite, 200, "OK", body=secured(b.rtp_port, line(7, SUITE, key), version=2) + "m=audio 0 RTP/AVP 0\r\n")
    b.expect(method="ACK")
    a.answered()
    b.media = Srtp(b.media, SUITE, key, first[2][7][1])
    a.talk, b.talk = Talker(a, 440), Talker(b, 900)
    a.talk.hears(900)
    b.talk.hears(440)
    a.bye()


def reoffered(p, key):
    """Takes a re-INVITE with the phone's own key; the offered line of ours, by tag 7."""
    req = p.expect(method="INVITE")
    (proto, _, keys), = lines_of(req.body)
    assert proto == "RTP/SAVP"
    p.reply(req, 200, "OK", secured(p.rtp_port, line(7, SUITE, key), version=9))
    p.expect(method="ACK")
    p.remote_rtp = int(req.body.split("m=audio ")[1].split()[0])
    return keys[7][1]


def test_back_from_bypass(sw, phone, events):
    """The phones spoke to each other meanwhile: nothing goes out in the clear then, and no key of ours comes twice."""
    events.subscribe("CHANNEL_BRIDGE")
    a, b = phone("1000"), phone("1001")
    key_a, key_b = new_key(SUITE), new_key(SUITE)
    a.invite("8108", secured(a.rtp_port, line(7, SUITE, key_a)))
    (_, _, offered), = lines_of(b.take(secured(b.rtp_port, line(7, SUITE, key_b))).body)
    (_, _, answered), = lines_of(a.answered().body)
    before = {answered[7][1], offered[7][1]}
    events.wait_event("CHANNEL_BRIDGE")
    uuid = uuid_of(sw, "1000")
    assert sw.api(f"uuid_media off {uuid}").startswith("+OK")
    assert reoffered(a, key_a) == key_b and reoffered(b, key_b) == key_a
    deadline = time.monotonic() + 5
    while not sw.api(f"uuid_media {uuid}").startswith("+OK"):  # not while the old streams close
        assert time.monotonic() < deadline
    ours_a, ours_b = reoffered(a, key_a), reoffered(b, key_b)
    assert len({ours_a, ours_b} | before) == 4
    a.media, b.media = Srtp(a.media, SUITE, key_a, ours_a), Srtp(b.media, SUITE, key_b, ours_b)
    a.talk, b.talk = Talker(a, 440), Talker(b, 900)
    a.talk.hears(900)
    b.talk.hears(440)
    a.bye()


def test_suite_named_twice(sw, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("8110", sdp(a.rtp_port))
    invite = b.expect(method="INVITE")
    assert invite.body.count("a=crypto:") == 1
    b.reply(invite, 486, "Busy")
    b.expect(method="ACK")
    a.ack_failure(a.expect(486))


def test_refused_parameters_change_no_keys(sw, phone):
    """A re-INVITE with a new key and codec parameters that nobody can do: 488, and the call goes on under the old keys."""
    a = phone("1000")
    key, other = new_key(SUITE), new_key(SUITE)

    def amr(version, key, fmtp):
        lines = ["a=rtpmap:97 AMR/8000", f"a=fmtp:97 {fmtp}", line(7, SUITE, key)]
        return secured(a.rtp_port, *lines, version=version).replace("RTP/SAVP 0 101", "RTP/SAVP 97 0 101" if version == 1 else "RTP/SAVP 97 101")
    a.invite("8111", amr(1, key, "octet-align=1"))
    ok = a.answered()
    assert "AMR/8000" in ok.body
    (_, _, keys), = lines_of(ok.body)
    a.media = Srtp(a.media, SUITE, key, keys[7][1])
    a.request("INVITE", body=amr(2, other, "octet-align=1; crc=1"))
    r = a.expect(488)
    a.ack_failure(r)
    for _ in range(20):
        a.media.recv(2000)
    assert not a.media.refused
    a.bye()


@pytest.mark.parametrize("number", ["8112", "8113"])
def test_bypass_of_a_plain_offer_is_not_had(sw, phone, number):
    """Encryption is demanded of one leg: media stays here, that leg is encrypted, the other is not."""
    a, b = phone("1000"), phone("1001")
    key = new_key(SUITE)
    a.invite(number, sdp(a.rtp_port))
    invite = b.take(secured(b.rtp_port, line(7, SUITE, key)))
    (proto, port, keys), = lines_of(invite.body)
    assert proto == "RTP/SAVP" and port != a.rtp_port
    a.answered()
    b.media = Srtp(b.media, SUITE, key, keys[7][1])
    a.talk, b.talk = Talker(a, 440), Talker(b, 900)
    a.talk.hears(900)
    b.talk.hears(440)
    a.bye()


@pytest.mark.parametrize("number", ["8112", "8113"])
def test_bypass_of_an_encrypted_offer(sw, phone, number):
    """It is passed on as it is; who answers it plainly is not spoken to, nor who goes plain in the call."""
    a, b = phone("1000"), phone("1001")
    offer = line(7, SUITE, new_key(SUITE))
    a.invite(number, secured(a.rtp_port, offer))
    assert offer in b.take(sdp(b.rtp_port)).body
    ended(b)
    a.ack_failure(a.expect(488))
    a.invite(number, secured(a.rtp_port, offer))
    assert offer in b.take(secured(b.rtp_port, line(7, SUITE, new_key(SUITE)))).body
    assert "RTP/SAVP" in a.answered().body
    a.request("INVITE", body=sdp(a.rtp_port, version=2))
    a.ack_failure(a.expect(488))
    b.expect_nothing("INVITE", 0.3)
    a.bye()
    ended(b)


def test_bypass_does_not_put_a_plain_leg_beside_an_encrypted_one(sw, phone, events):
    events.subscribe("CHANNEL_BRIDGE")
    a, b = phone("1000"), phone("1001")
    key = new_key(SUITE)
    a.invite("8114", sdp(a.rtp_port))
    (_, _, keys), = lines_of(b.take(secured(b.rtp_port, line(7, SUITE, key))).body)
    a.answered()
    events.wait_event("CHANNEL_BRIDGE")
    assert sw.api(f"uuid_media off {uuid_of(sw, '1000')}").startswith("-ERR")
    b.media = Srtp(b.media, SUITE, key, keys[7][1])
    a.talk, b.talk = Talker(a, 440), Talker(b, 900)
    a.talk.hears(900)
    b.talk.hears(440)
    assert not [m for p in (a, b) for m in p.queue if m.method == "INVITE"]
    a.bye()


def test_an_offer_that_waited_means_what_it_says(sw, phone):
    """Ours was refused for theirs (491), which changed the suite; ours comes again with keys that hold."""
    a = phone("1000")
    other = "AES_CM_128_HMAC_SHA1_32"
    calls_secured(a, "8101")
    sw.api(f"uuid_media_reneg {uuid_of(sw, '1000')}")
    ask = a.expect(method="INVITE")
    a.reply(ask, 491, "Request Pending")
    a.expect(method="ACK")
    key = new_key(other)
    keys = reinvited(a, secured(a.rtp_port, line(9, other, key), version=2))
    again = a.expect(method="INVITE", timeout=12)
    (_, _, offered), = lines_of(again.body)
    by_suite = {s: (t, k) for t, (s, k) in offered.items()}
    assert by_suite[other][1] == keys[9][1] and by_suite[SUITE][1] != a.far_key
    last, tag = new_key(SUITE), by_suite[SUITE][0]
    a.reply(again, 200, "OK", secured(a.rtp_port, line(tag, SUITE, last), version=3))
    a.expect(method="ACK")
    a.media = Srtp(a.plain, SUITE, last, by_suite[SUITE][1])
    a.talk = Talker(a, 440)
    a.talk.hears(440)
    a.bye()


@pytest.mark.parametrize("how", ["SDES", "DTLS"])
def test_rtpengine(sw, phone, tmp_path, how):
    """A plain phone behind rtpengine, which speaks SRTP to us for him: by keys in SDP, or by a handshake."""
    engine = Rtpengine(tmp_path)
    try:
        a, b = phone("1000"), phone("1001")
        call = {"call-id": "c1", "from-tag": "a", "replace": ["origin"]}
        more = {"transport-protocol": "RTP/SAVP", "DTLS": "off"} if how == "SDES" else {"transport-protocol": "UDP/TLS/RTP/SAVP", "SDES": ["off"], "rtcp-mux": ["offer", "require"]}
        there = engine.ask({**call, **more, "command": "offer", "sdp": sdp(a.rtp_port)})["sdp"]
        assert ("a=crypto" in there) == (how == "SDES") and ("a=fingerprint" in there) == (how == "DTLS")
        a.invite("8115", there)
        b.take()
        ok = a.answered()
        assert ok.body.split("m=audio ")[1].split()[1] == ("RTP/SAVP" if how == "SDES" else "UDP/TLS/RTP/SAVP")
        back = engine.ask({**call, "command": "answer", "to-tag": "b", "sdp": ok.body, "transport-protocol": "RTP/AVP"})["sdp"]
        a.remote_rtp = int(back.split("m=audio ")[1].split()[0])
        a.talk, b.talk = Talker(a, 440), Talker(b, 900)
        a.talk.hears(900)
        b.talk.hears(440)
        assert sw.api(f"uuid_getvar {uuid_of(sw, '1000')} rtp_secure_media_confirmed") == "true"
        a.bye()
    finally:
        engine.close()
