"""Digits between legs that tell them differently: by telephone-event, by INFO, as tones. Whatever the one says the other is told, in both
directions, also when a re-INVITE takes telephone-event away or brings it."""
from contextlib import closing

import pytest
from calls import ended, extension, write_extensions
from talk import Talker
from wire import sdp

pytestmark = pytest.mark.leaks

WAYS = ["events", "info", "tones"]
ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("dtmf") / "instance")
    write_extensions(s, [
        extension("7801", "bridge user/1001@$${domain}"),
        extension("7802", "set dtmf_type=info", "bridge user/1001@$${domain}"),
        extension("7803", "bridge {dtmf_type=info}user/1001@$${domain}"),
        extension("7804", "set dtmf_type=none", "bridge user/1001@$${domain}"),
        extension("7805", "set rtp_info_when_no_2833=true", "bridge user/1001@$${domain}"),
        extension("7806", "set bypass_media=true", "bridge user/1001@$${domain}"),
        extension("7807", "answer", "send_dtmf 1w2", "sleep 4000"),
        extension("7808", "set dtmf_type=info", "answer", "send_dtmf 12w3", "sleep 4000"),
        extension("7809", "bridge {dtmf_type=none}user/1001@$${domain}"),
        extension("7810", "set drop_dtmf=true", "set drop_dtmf_masking_digits=0", "bridge user/1001@$${domain}"),
        extension("7811", "set bridge_filter_dtmf=true", "bridge user/1001@$${domain}"),
    ])
    s.start()
    yield s
    s.stop()


class Keys:
    """A phone that tells digits, and is told them, in one way only."""

    def __init__(self, p, way, is_caller):
        self.p, self.way, self.is_caller, self.got = p, way, is_caller, ""

    @property
    def formats(self):
        return (0, 101) if self.way == "events" else (0,)

    @property
    def allow(self):
        return "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO\n" if self.way == "info" else "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\n"

    def body(self, version=1):
        return sdp(self.p.rtp_port, formats=self.formats, version=version)

    def ask(self, *args, **kw):
        (self.p.request if self.is_caller else self.p.own_request)(*args, **kw)

    def press(self, digits):
        if self.way == "events":
            self.p.talk.press(digits)
        elif self.way == "tones":
            self.p.talk.tones(digits, ms=120, gap=200)
        else:
            for d in digits:
                self.ask("INFO", body=f"Signal={d}\r\nDuration=120\r\n", ctype="application/dtmf-relay")
                self.p.expect(200)

    def hears(self, digits):
        if self.way == "events":
            self.p.talk.wait_digits(self.got + digits)
            self.got += digits
        elif self.way == "tones":
            for d in digits:
                at = "123A456B789C*0#D".index(d)
                self.p.talk.hears(ROWS[at // 4], COLUMNS[at % 4], seconds=0.06, level=None, share=0.1, since=self.since)
        else:
            for d in digits:
                info = self.p.expect(method="INFO")
                self.p.reply(info, 200, "OK")
                assert info.get("Content-Type") == "application/dtmf-relay"
                fields = dict(line.split("=") for line in info.body.split("\r\n") if line)
                assert fields["Signal"] == d and 40 <= int(fields["Duration"]) <= 2000, info.body

    def mark(self):
        self.since = self.p.talk.mark() if self.p.talk else 0

    def hears_none(self):
        """Of what the way is not: no event where tones or INFO are told, no INFO where events are."""
        if self.way != "info":
            self.p.expect_nothing("INFO", 0.05)
        if self.way != "events":
            assert not self.p.talk.digits()


def set_up(phone, one, other, number="7801"):
    """Both are heard before any key is pressed; they say nothing then but their keys."""
    a, b = Keys(phone("1000"), one, True), Keys(phone("1001"), other, False)
    a.p.invite(number, a.body(), extra=a.allow)
    invite = b.p.expect(method="INVITE")
    b.p.reply(invite, 200, "OK", b.body(), extra=b.allow)
    b.p.expect(method="ACK")
    b.p.enter(invite)
    a.p.answered()
    for x in (a, b):
        x.p.talk = Talker(x.p, 300, level=2000)
    for x in (a, b):
        x.p.talk.hears(300, share=0.2)
    return a, b


def tells(x, y, digits):
    y.mark()
    x.press(digits)
    y.hears(digits)
    if x.way == "tones":
        x.p.talk.said_all()  # what follows is not to meet the end of the tone


@pytest.mark.parametrize("one", WAYS)
@pytest.mark.parametrize("other", WAYS)
def test_each_way_to_each(sw, phone, one, other):
    a, b = set_up(phone, one, other)
    for digits in ("19", "0#"):
        tells(a, b, digits)
        tells(b, a, digits[::-1])
    for x in (a, b):
        x.hears_none()
    a.p.bye()
    ended(b.p)


@pytest.mark.parametrize("other", WAYS)
@pytest.mark.parametrize("who", ["caller", "callee"])
@pytest.mark.parametrize("first", ["events", "tones"])
def test_events_come_and_go_by_reinvite(sw, phone, other, who, first):
    """Taken away and brought back (or the other way round), with another payload type than before."""
    a, b = set_up(phone, *((first, other) if who == "caller" else (other, first)))
    x, y = (a, b) if who == "caller" else (b, a)
    tells(x, y, "4"), tells(y, x, "5")
    for n, way in enumerate(["tones", "events"] if first == "events" else ["events", "tones", "events"]):
        x.way = way
        x.ask("INVITE", body=x.body(version=2 + n))
        ok = x.p.expect(200)
        x.ask("ACK", cseq=int(ok.get("CSeq").split()[0]))
        assert ("telephone-event" in ok.body) == (way == "events")
        tells(x, y, "6"), tells(y, x, "7")
    a.p.bye()
    ended(b.p)


def test_the_variable_tells_how(sw, phone):
    a, b = set_up(phone, "events", "events")
    uuid = [r.split(",")[0] for r in sw.api("show channels").splitlines() if ",inbound," in r][0]
    for way, told in (("tones", "none"), ("events", "rfc2833")):
        a.way = way
        a.ask("INVITE", body=a.body(version=2))
        a.p.answered()
        assert sw.api(f"uuid_getvar {uuid} dtmf_type") == told
    a.p.bye()
    ended(b.p)


@pytest.mark.parametrize("number,told", [("7802", "info"), ("7804", "tones")])
def test_asked_for_of_the_caller(sw, phone, number, told):
    """dtmf_type goes before what the phone could: its SDP has telephone-event, and it is not answered."""
    a, b = Keys(phone("1000"), told, True), Keys(phone("1001"), "events", False)
    a.p.invite(number, sdp(a.p.rtp_port))
    invite = b.p.expect(method="INVITE")
    b.p.reply(invite, 200, "OK", b.body())
    b.p.expect(method="ACK")
    b.p.enter(invite)
    assert "telephone-event" not in a.p.answered().body
    for x in (a, b):
        x.p.talk = Talker(x.p, 300, level=2000)
    tells(a, b, "12"), tells(b, a, "34")
    a.p.bye()
    ended(b.p)


@pytest.mark.parametrize("number,told", [("7803", "info"), ("7809", "tones")])
def test_asked_for_of_the_called(sw, phone, number, told):
    a, b = set_up(phone, "events", told, number)
    tells(a, b, "12"), tells(b, a, "34")
    a.p.bye()
    ended(b.p)


def test_info_where_the_dialplan_says_so(sw, phone):
    """rtp_info_when_no_2833: whatever Allow says."""
    a, b = Keys(phone("1000"), "info", True), Keys(phone("1001"), "events", False)
    a.p.invite("7805", a.body())
    invite = b.p.expect(method="INVITE")
    b.p.reply(invite, 200, "OK", b.body())
    b.p.expect(method="ACK")
    b.p.enter(invite)
    a.p.answered()
    b.p.talk = Talker(b.p)
    tells(b, a, "18")
    a.p.bye()
    ended(b.p)


def test_who_sends_info_is_told_by_info(sw, phone):
    """No Allow, but the phone's own digits say how it likes them."""
    a, b = set_up(phone, "events", "tones")
    b.way = "info"
    tells(b, a, "5"), tells(a, b, "6")
    a.p.bye()
    ended(b.p)


def test_who_refuses_info_hears_tones(sw, phone):
    a, b = set_up(phone, "events", "info")
    a.press("7")
    b.mark()
    b.p.reply(b.p.expect(method="INFO"), 415, "No")
    b.way = "tones"
    b.hears("7")
    tells(a, b, "8")
    b.hears_none()
    a.p.bye()
    ended(b.p)


def test_past_us_info_goes_on(sw, phone):
    """bypass_media: what comes by INFO is told by INFO."""
    a, b = Keys(phone("1000"), "info", True), Keys(phone("1001"), "info", False)
    a.p.invite("7806", a.body(), extra=a.allow)
    b.p.take(b.body())
    a.p.answered()
    tells(a, b, "12"), tells(b, a, "34")
    a.p.bye()
    ended(b.p)


def test_an_application_sends_in_order(sw, phone):
    a = Keys(phone("1000"), "events", True)
    a.p.invite("7807", a.body())
    a.p.answered()
    a.p.talk = Talker(a.p)
    a.hears("12")
    a.p.bye()
    b = Keys(phone("1001"), "info", True)
    b.p.invite("7808", b.body(), extra=b.allow)
    b.p.answered()
    info = b.p.expect(method="INFO")
    b.p.expect_nothing("INFO", 0.2)  # one at a time
    b.p.reply(info, 200, "OK")
    assert "Signal=1" in info.body
    b.hears("23")
    b.p.bye()


@pytest.mark.parametrize("text,digit", [("Signal=5\r\nDuration=160", "5"), ("Signal= 11\r\n", "#"), ("Signal=*", "*"), ("Signal=D", "D"),
                                        ("Signal=10", "*"), ("Signal=16", None), ("Signal=", None), ("Signal=5;x", None)])
def test_what_info_may_say(sw, phone, text, digit):
    a, b = set_up(phone, "info", "events")
    a.ask("INFO", body=text, ctype="application/dtmf-relay")
    a.p.expect(200)
    a.press("1")
    b.hears(f"{digit or ''}1")
    a.p.bye()
    ended(b.p)


# ---- keys that a phone is not told (drop_dtmf, uuid_drop_dtmf)
def uuid(sw, direction):
    return next(r.split(",")[0] for r in sw.api("show channels").splitlines() if f",{direction}," in r)


def drops(sw, leg, on, mask, value):
    what = ("dropping", "not dropping")[on == "off"]
    masks = f"mask_file: {value if mask == 'mask_file' else 'NONE'} mask_digits: {value if mask == 'mask_digits' else 'NONE'}"
    assert sw.api(f"uuid_drop_dtmf {leg} {on} {mask} {value}") == f"+OK {leg} is {what} DTMF. {masks}\n"


@pytest.mark.parametrize("one", ["events", "info"])
@pytest.mark.parametrize("other", WAYS)
def test_masked(sw, phone, one, other):
    """One key's mask for each key; that leg's own keys go on as ever."""
    a, b = set_up(phone, one, other)
    drops(sw, uuid(sw, "outbound"), "on", "mask_digits", "9")
    b.mark()
    a.press("1#")
    b.hears("99")
    b.hears_none()
    tells(b, a, "5")
    drops(sw, uuid(sw, "outbound"), "off", "mask_digits", "9")
    tells(a, b, "4")
    a.p.bye()
    ended(b.p)


def test_mask_of_some_digits(sw, phone):
    """What is no digit in it is none; and what is sent to the leg itself is masked, too."""
    a, b = set_up(phone, "events", "events")
    leg = uuid(sw, "outbound")
    drops(sw, leg, "on", "mask_digits", "4x2")
    a.press("1")
    b.hears("42")
    sw.api(f"uuid_send_dtmf {leg} 77")
    b.hears("4242")
    drops(sw, leg, "on", "mask_digits", "-")
    with closing(sw.esl()) as esl:
        esl.subscribe("DTMF")
        a.press("13")
        assert [esl.wait_event("DTMF")["DTMF-Digit"] for _ in "13"] == ["1", "3"]  # whoever controls it is told
    drops(sw, leg, "off", "mask_digits", "-")
    a.press("8")
    b.hears("8")
    a.p.bye()
    ended(b.p)


def test_masked_from_the_start(sw, phone):
    """By variables: the caller is not told."""
    a, b = set_up(phone, "events", "events", "7810")
    tells(a, b, "7")
    b.press("12")
    a.hears("00")
    a.p.bye()
    ended(b.p)


@pytest.mark.parametrize("one", ["events", "info"])
def test_filtered(sw, phone, one):
    """bridge_filter_dtmf: that leg's keys are told whoever controls it, not the other leg, whose own keys go on as ever."""
    a, b = set_up(phone, one, "events", "7811")
    with closing(sw.esl()) as esl:
        esl.subscribe("DTMF")
        a.press("13")
        assert [esl.wait_event("DTMF")["DTMF-Digit"] for _ in "13"] == ["1", "3"]
    assert sw.api(f"uuid_setvar {uuid(sw, 'inbound')} bridge_filter_dtmf false") == "+OK\n"  # asked for when the bridge began
    a.press("5")
    sw.api(f"uuid_send_dtmf {uuid(sw, 'outbound')} 7")
    b.hears("7")
    b.hears_none()
    tells(b, a, "6")
    a.p.bye()
    ended(b.p)


def test_masked_by_a_file(sw, phone):
    """Once, however many keys are pressed while it plays; then the two hear each other again."""
    a, b = set_up(phone, "events", "events")
    leg = uuid(sw, "outbound")
    drops(sw, leg, "on", "mask_file", "tone_stream://%(700,0,620)")
    with closing(sw.esl()) as esl:
        esl.subscribe("PLAYBACK_START PLAYBACK_STOP CUSTOM mask::over")
        a.press("12")
        assert esl.wait_event("PLAYBACK_START")["Unique-ID"] == leg
        b.p.talk.hears(620, absent=(300,), level=None)
        assert not b.p.talk.digits()
        esl.wait_event("PLAYBACK_STOP")
        b.p.talk.hears(300, share=0.2, absent=(620,))
        a.press("3")
        esl.wait_event("PLAYBACK_START")
        esl.wait_event("PLAYBACK_STOP")
        drops(sw, leg, "off", "mask_file", "x")
        tells(a, b, "6")
        with closing(sw.esl()) as control:
            control.command("sendevent CUSTOM\nEvent-Subclass: mask::over")
        assert esl.next_event()["Event-Name"] == "CUSTOM"
    assert b.p.talk.digits() == "6"
    a.p.bye()
    ended(b.p)


def test_masked_by_a_file_that_is_none(sw, phone):
    a, b = set_up(phone, "events", "events")
    drops(sw, uuid(sw, "outbound"), "on", "mask_file", "/nowhere/at/all.wav")
    a.press("1")
    sw.wait_log("cannot play /nowhere/at/all.wav")
    tells(b, a, "2")
    assert not b.p.talk.digits()
    a.p.bye()
    ended(b.p)
