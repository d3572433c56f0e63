"""FreeSWITCH's stock dialplan row by row: ROWS has all 72, each with the tests that dial it or with the reason why none does. Here are
those that other files have not: what speaks, by its words (words.py); rooms, menus, parking, calls to hosts outside (a phone of the test)."""
import ast
import re
import time
from pathlib import Path

import pytest
import tandem as t
from calls import accept, call, call_and_talk, cancelled, ended, is_pair, talks
from phones import write_tone
from srtp_phone import Srtp, line, lines_of, new_key
from streams import StreamPhone
from talk import Talker
from test_stock_dialplan import Outside, edit
from wire import Phone, sdp
from words import hears_words

HERE = Path(__file__).parent
CONF = "conference::maintenance"
DOMAIN, MUSIC = "127.0.0.1", 600
SUITE = "AES_CM_128_HMAC_SHA1_80"
stock_only = pytest.mark.skipif(t.VANILLA.parent != t.SHARED, reason=t.NO_SHARED)

D, S, H, R = "test_stock_dialplan.py::", "test_stock_services.py::", "test_stock_heard.py::", "test_stock_rows.py::"
ROWS = {  # row: what it is, and where it is dialled; a string: why it is not
    1: ("unloop", D + "test_a_call_that_comes_back"),
    2: ("tod_example", D + "test_echo_and_what_every_call_leaves_behind"),
    3: ("holiday_example", R + "test_holiday"),
    4: ("global-intercept", S + "test_pickup"),
    5: ("group-intercept", S + "test_pickup"),
    6: ("intercept-ext", S + "test_pickup"),
    7: ("redial", D + "test_redial"),
    8: ("global", D + "test_echo_and_what_every_call_leaves_behind", D + "test_default_password", D + "test_call_debug",
        H + "test_music_for_who_is_encrypted"),
    9: ("eavesdrop", D + "test_eavesdrop"),
    10: ("eavesdrop on all", D + "test_eavesdrop"),
    11: ("call_return", D + "test_call_return"),
    12: ("del-group", D + "test_group_of_the_database"),
    13: ("add-group", D + "test_group_of_the_database"),
    14: ("call-group-simo", D + "test_group_of_the_database"),
    15: ("call-group-order", D + "test_group_of_the_database"),
    16: ("extension-intercom", D + "test_intercom"),
    17: ("Local_Extension", D + "test_local_extension", D + "test_record_by_key", D + "test_transfer_by_dx", S + "test_attended_transfer",
         R + "test_conference_by_key", R + "test_words"),
    18: "skinny phones",
    19: ("group_dial_sales", D + "test_group_of_the_directory"),
    20: ("group_dial_support", D + "test_group_of_the_directory"),
    21: ("group_dial_billing", D + "test_group_of_the_directory"),
    22: ("operator", D + "test_operator"),
    23: ("vmain", R + "test_words"),
    24: ("nb_conferences", R + "test_room", R + "test_words"),
    25: ("wb_conferences", R + "test_room"),
    26: ("uwb_conferences", R + "test_room"),
    27: ("cdquality_conferences", R + "test_room"),
    28: ("cdquality_stereo, screen", R + "test_room_of_a_screen"),
    29: ("conference-canvases", R + "test_room_of_a_canvas"),
    30: ("conf mod", R + "test_room_with_a_moderator"),
    31: ("cdquality_conferences", R + "test_room"),
    32: ("_720, _480, _320", H + "test_rooms_of_a_size"),
    33: ("freeswitch_public_conf_via_sip", R + "test_conference_elsewhere"),
    34: ("mad_boss_intercom, a group", R + "test_mad_boss_intercom"),
    35: ("mad_boss_intercom, music", R + "test_mad_boss_calls_music"),
    36: ("mad_boss", R + "test_mad_boss_calls_music"),
    37: ("ivr_demo", R + "test_words", R + "test_menu_keys"),
    38: ("dynamic_conference", R + "test_dynamic_conference"),
    39: "multicast to phones",
    40: ("park", R + "test_fifo_park"),
    41: ("unpark", R + "test_fifo_park"),
    42: ("valet_park, asked", S + "test_park", R + "test_words"),
    43: ("valet_park", S + "test_park"),
    44: ("park+NNN", R + "test_fifo_park"),
    45: ("parking", R + "test_fifo_park"),
    46: ("callpark", R + "test_call_park_by_refer"),
    47: ("pickup", R + "test_call_park_by_refer"),
    48: ("wait", D + "test_ringback"),
    49: "fax",
    50: "fax",
    51: ("ringback_180", D + "test_ringback", H + "test_ringing_only"),
    52: ("ringback_183_uk_ring", D + "test_ringback"),
    53: ("ringback_183_music_ring", D + "test_ringback"),
    54: ("ringback_post_answer_uk_ring", D + "test_ringback"),
    55: ("ringback_post_answer_music", D + "test_ringback"),
    56: ("ClueCon", R + "test_call_to_a_host", D + "test_route_failure"),
    57: ("show_info", D + "test_show_info"),
    58: "video",
    59: "video",
    60: ("delay_echo", D + "test_delay_echo"),
    61: ("echo", D + "test_echo_and_what_every_call_leaves_behind"),
    62: ("milliwatt", D + "test_milliwatt"),
    63: ("tone_stream", D + "test_tetris"),
    64: ("hold_music", D + "test_hold_music", H + "test_music_for_who_is_encrypted", R + "test_secured"),
    65: ("laugh break", R + "test_words"),
    66: "JavaScript",
    67: ("Talking clock", R + "test_words"),
    68: ("local.example.com", D + "test_toll"),
    69: ("domestic.example.com", D + "test_toll", D + "test_toll_not_allowed"),
    70: ("international.example.com", D + "test_toll"),
    71: ("enum", R + "test_enum"),
    72: ("acknowledge_call", D + "test_unknown_number"),
}
EXCLUDED = {"fax", "video", "skinny phones", "JavaScript", "multicast to phones"}


def test_every_row_is_dialled():
    """The tests that the table names are there; what is left out is what may be."""
    assert sorted(ROWS) == list(range(1, 73))
    names = {f.name: {n.name for n in ast.parse(f.read_text()).body if isinstance(n, ast.FunctionDef)} for f in HERE.glob("test_stock*.py")}
    for row, what in ROWS.items():
        if isinstance(what, str):
            assert what in EXCLUDED, row
            continue
        assert len(what) > 1, row
        for test in what[1:]:
            file, name = test.split("::")
            assert name in names[file], (row, test)


class ParamPhone(Phone):
    """The URI of its To has parameters."""
    params = ""

    def request(self, method, uri=None, to=None, *args, **kw):
        if method in ("INVITE", "ACK", "CANCEL") and to and "tag=" not in to:
            to = to.replace(">", self.params + ">")
        return super().request(method, uri, to, *args, **kw)


class Beside(Outside):
    """The same on the internal profile, which calls hosts by the switch's own domain."""

    def __init__(self, sw):
        class At:
            ext_port = sw.sip_port
        super().__init__(At, "beside")


class SecurePhone(StreamPhone):
    """By TLS, its media under SRTP."""

    def __init__(self, sw, user):
        super().__init__(sw, user, "tls")

    def dial(self, number):
        key = new_key(SUITE)
        self.invite(number, sdp(self.rtp_port).replace("RTP/AVP", "RTP/SAVP") + line(1, SUITE, key) + "\r\n")
        suite, theirs = lines_of(self.answered().body)[0][2][1]
        assert suite == SUITE
        self.media = Srtp(self.media, SUITE, key, theirs)
        self.media.settimeout = self.media.sock.settimeout
        self.talk = Talker(self)


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("rows") / "instance", "vanilla")
    music = s.root / "sounds/music/8000/tone.wav"
    music.parent.mkdir(parents=True)
    write_tone(music, MUSIC, 20)
    s.elsewhere, s.beside, s.tls_port = Outside(s, "elsewhere"), Beside(s), t.free_port()
    s.ws_port = s.wss_port = None
    at, beside = f"127.0.0.1:{s.elsewhere.port}", f"127.0.0.1:{s.beside.port}"
    if t.VANILLA.parent == t.SHARED:
        edit(s.root / "conf/dialplan/default.xml", (r"2000@bkw\.org", f"2000@{beside}"), (r"conference\.freeswitch\.org", at))
        edit(s.root / "conf/ivr_menus/demo_ivr.xml", (r"conference\.freeswitch\.org", beside))
        edit(s.root / "conf/autoload_configs/enum.conf.xml", (r"e164\.\w+", "e164.invalid"))
        edit(s.root / "conf/vars.xml", ("internal_ssl_enable=false", "internal_ssl_enable=true"), ("internal_tls_port=5061", f"internal_tls_port={s.tls_port}"))
    s.start()
    yield s
    s.elsewhere.close()
    s.beside.close()
    s.stop()


pytestmark = stock_only


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe(f"CHANNEL_EXECUTE CUSTOM {CONF}")
    yield e
    e.close()


# ---- what speaks
def count_words(n):
    return [f"digits/{n}"] if n <= 20 or n % 10 == 0 else [f"digits/{n // 10 * 10}", f"digits/{n % 10}"]


def time_words(tm):
    minutes = ["time/oclock"] if not tm.tm_min else (["time/oh"] if tm.tm_min < 10 else []) + count_words(tm.tm_min)
    return count_words(tm.tm_hour % 12 or 12) + minutes + ["time/p-m" if tm.tm_hour >= 12 else "time/a-m"]



class Now:
    """The moment a call said the time at: by when it was dialled, a second more or less."""

    def __init__(self, at_s):
        tm = time.localtime(at_s)
        self.time = time_words(tm)
        self.date = [f"time/day-{(tm.tm_wday + 1) % 7}", f"time/mon-{tm.tm_mon - 1}",
                     *([f"digits/h-{tm.tm_mday}"] if tm.tm_mday <= 20 or tm.tm_mday % 10 == 0 else [f"digits/{tm.tm_mday // 10 * 10}", f"digits/h-{tm.tm_mday % 10}"])]


LOGIN = ["voicemail/vm-enter_id", "digits/pound"]
SPEAKS = {
    "5000": [f"ivr/ivr-{n}" for n in ("welcome_to_freeswitch", "this_ivr_will_let_you_test_features", "you_may_exit_by_hanging_up", "enter_ext_pound")],
    "9386": [f"ivr/ivr-{n}" for n in ("wakey_wakey_sunshine", "no_no_no", "did_you_mean_to_press_key")],
    "4000": LOGIN, "vmain": LOGIN, "*98": LOGIN,
    "6000": ["ivr/ivr-enter_ext_pound"],
    "3000": ["conference/conf-alone"],
    "1013": ["voicemail/vm-person", "digits/1", "digits/0", "digits/1", "digits/3", "voicemail/vm-not_available", "voicemail/vm-record_message"],
    "9170": lambda now: now.time,
    "9171": lambda now: now.date,
    "9172": lambda now: [*now.date, "time/at", *now.time],
}


@pytest.fixture(scope="module")
def speakers(sw):
    """All that speak, dialled at once; each test listens to its own."""
    out = {}
    for i, number in enumerate(SPEAKS):
        p = Phone(sw, str(1000 + i))
        p.register()
        out[number] = p
        if number.startswith("917"):
            continue
        p.talk = Talker(call(p, number))
    while time.time() % 60 > 55:  # the minute does not end while it is said
        time.sleep(0.2)
    for number in ("9170", "9171", "9172"):
        out[number].at_s = time.time()
        out[number].talk = Talker(call(out[number], number))
    yield out
    for p in out.values():
        p.talk.stop()
        p.close()
    sw.api("hupall")
    sw.wait_calls(0)


@pytest.mark.parametrize("number", SPEAKS)
def test_words(sw, speakers, number):
    p, words = speakers[number], SPEAKS[number]
    hears_words(sw, p, words(Now(p.at_s)) if callable(words) else words, without=MUSIC)


def test_words_can_be_missed(sw, speakers):
    """The same ears do not hear what is not said, nor in another order."""
    hears_words(sw, speakers["1013"], ["voicemail/vm-person", "digits/1"])
    for wrong in (["digits/9"], ["voicemail/vm-not_available", "voicemail/vm-person"], ["conference/conf-alone"]):
        with pytest.raises(AssertionError, match="is not heard"):
            hears_words(sw, speakers["1013"], wrong, timeout=1)


# ---- rooms
def joins(events, **more):
    return events.wait_event("CUSTOM", Event_Subclass=CONF, Action="add-member", **more)


@pytest.mark.parametrize("number,room,profile,hz", [("3011", f"3011-{DOMAIN}", "default", 8000), ("3111", f"3111-{DOMAIN}", "wideband", 16000),
                                                    ("3211", f"3211-{DOMAIN}", "ultrawideband", 32000), ("3311", f"3311-{DOMAIN}", "cdquality", 48000),
                                                    ("3511", "3511", "video-mcu-stereo", 48000)])
def test_room(sw, phone, events, number, room, profile, hz):
    a, b = phone("1000", 400), phone("1001", 700)
    call_and_talk(a, number)
    assert joins(events)["Conference-Name"] == room
    call_and_talk(b, number)
    joins(events, Conference_Size="2")
    is_pair(a, b)
    assert sw.api(f"conference {room} get profile_name") == profile
    assert sw.api(f"conference {room} get rate") == str(hz)


def test_room_of_a_screen(sw, phone, events):
    """The caller's phone shows the room, and he has the floor when he speaks (that of video, which nobody sends)."""
    a, b = phone("1000", 400), phone("1001", 700)
    call_and_talk(a, "3512-screen")
    assert events.wait_event("CHANNEL_EXECUTE", Application="send_display")["Application-Data"] == "FreeSWITCH Conference|3512"
    assert joins(events)["Conference-Name"] == "3512"
    call_and_talk(b, "3512")
    is_pair(a, b)


def test_room_of_a_canvas(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 700)
    call_and_talk(a, "3513-canvas-2")
    e = joins(events)
    assert (e["Conference-Name"], e["variable_video_initial_watching_canvas"]) == ("3513", "2")
    assert "second-screen" in e["variable_conference_member_flags"]
    call_and_talk(b, "3513")
    is_pair(a, b)


def test_room_with_a_moderator(sw, phone, events):
    """Its number has no group: the room's name is the two letters themselves."""
    a = phone("1000", 400)
    call_and_talk(a, "6070-moderator")
    assert joins(events)["Conference-Name"] == f"$1-{DOMAIN}"
    assert "moderator" in sw.api(f"conference $1-{DOMAIN} list")


# ---- hosts outside
@pytest.mark.parametrize("number,sent", [("9888", "888"), ("98888", "8888"), ("91616", "1616"), ("93232", "3232")])
def test_conference_elsewhere(sw, phone, number, sent):
    a, far = phone("1000", 400), sw.elsewhere
    a.invite(number)
    assert far.take().first.startswith(f"INVITE sip:{sent}@")
    a.answered()
    far.hz, far.talk = 700, None
    talks(a, far)
    is_pair(a, far)
    far.talk.stop()
    a.bye()
    ended(far)


def test_call_to_a_host(sw, phone):
    a, far = phone("1000", 400), sw.beside
    a.invite("9191")
    assert far.take().first.startswith("INVITE sip:2000@")
    a.answered()
    far.hz, far.talk = 700, None
    talks(a, far)
    is_pair(a, far)
    far.talk.stop()
    a.bye()
    ended(far)


def test_dynamic_conference(sw, phone, events):
    """Whom it calls answers, and both are in the room."""
    a, far = phone("1000", 400), sw.elsewhere
    a.invite("5001")
    assert far.take().first.startswith("INVITE sip:1234@")
    a.answered()
    far.hz, far.talk = 700, None
    talks(a, far)
    assert joins(events)["Conference-Name"] == "mydynaconf"
    is_pair(a, far)
    far.talk.stop()
    a.bye()
    ended(far)


# ---- the boss
class Elsewhere(Phone):
    host = "127.0.0.2"


def test_mad_boss_intercom(sw, phone, events):
    """Phones at the boss's address are left out (sip_exclude_contact). The group is called at once and its phones answer by themselves; who was first hears the boss, who hears nobody; by *2 they talk."""
    boss, b, c = phone("1019", 400, kind=Elsewhere), phone("1001", 500), phone("1002", 700)
    call_and_talk(boss, "0911")
    calls = [p.expect(method="INVITE", timeout=15) for p in (b, c)]
    assert all("answer-after=0" in req.get("Call-Info") for req in calls)
    c.reply(calls[1], 180, "Ringing")
    accept(b, calls[0])
    cancelled(c, calls[1])
    assert joins(events, Conference_Size="2")["Conference-Name"] == "madboss_intercom1"
    b.talk.hears(400)
    boss.talk.hears_nothing()
    b.talk.press("*2", 200)
    is_pair(boss, b)
    assert "madboss_intercom1" not in sw.api("conference list")


@pytest.mark.parametrize("number,room,is_deaf", [("0912", "madboss_intercom2", True), ("0913", "madboss3", False)])
def test_mad_boss_calls_music(sw, phone, events, number, room, is_deaf):
    boss = phone("1019", 400)
    call_and_talk(boss, number)
    assert joins(events, Conference_Size="2")["Conference-Name"] == room
    boss.talk.hears_nothing() if is_deaf else boss.talk.hears(MUSIC, share=0.1)
    boss.bye()


# ---- the menu
def test_menu_keys(sw, phone):
    """Keys while it speaks: 2 echo, 3 music, 6 the menu below and * back, 9 again, 1 the conference outside, an extension by its number,
    and one that is none."""
    far, quiet = sw.beside, {}
    for user, keys in (("1002", "2"), ("1003", "3"), ("1004", "6"), ("1005", "9"), ("1006", "1"), ("1007", "1001"), ("1008", "8")):
        quiet[keys] = p = phone(user, 400 if keys == "2" else 0)
        p.talk = Talker(call(p, "5000"), p.hz)
    b = phone("1001", 700)
    for keys, p in quiet.items():
        hears_words(sw, p, ["ivr/ivr-welcome_to_freeswitch"])
        p.talk.press(keys)
    assert far.take().first.startswith("INVITE sip:888@")
    far.hz, far.talk = 500, None
    talks(far)
    is_mine = far.talk
    quiet["1"].talk.hears(500)
    is_mine.stop()
    quiet["2"].talk.hears(400)
    quiet["3"].talk.hears(MUSIC)
    hears_words(sw, quiet["1001"], ["ivr/ivr-hold_connect_call"])
    b.take()
    talks(b)
    quiet["1001"].talk.hears(700)
    hears_words(sw, quiet["6"], ["ivr/ivr-sample_submenu", "ivr/ivr-to_return_to_previous_menu"])
    quiet["6"].talk.press("*")
    for keys in ("6", "9"):
        hears_words(sw, quiet[keys], ["ivr/ivr-welcome_to_freeswitch", "ivr/ivr-this_ivr_will_let_you_test_features"])
    hears_words(sw, quiet["8"], ["ivr/ivr-that_was_an_invalid_entry"])
    quiet["1"].bye()
    ended(far)


# ---- parking in queues
@pytest.mark.parametrize("into,out,params", [("5900", "5901", ""), ("park+12", "parking", ";fifo=12")])
def test_fifo_park(sw, phone, into, out, params):
    a, b = phone("1000", 400), phone("1001", 700, kind=ParamPhone)
    call_and_talk(a, into)
    a.talk.hears(MUSIC)
    b.params = params
    call_and_talk(b, out)
    is_pair(a, b)
    b.bye()
    ended(a)
    sw.wait_calls(0)


def test_call_park_by_refer(sw, phone):
    """The called phone refers its caller to callpark with an orbit; who dials pickup for it has him."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700, kind=ParamPhone)
    a.invite("1001")
    b.take()
    a.answered()
    talks(a, b)
    is_pair(a, b)
    b.own_request("REFER", extra=f"Refer-To: <sip:callpark@{DOMAIN};orbit=13>\n")
    b.expect(202)
    a.talk.hears(MUSIC)
    c.params = ";orbit=13"
    call_and_talk(c, "pickup")
    is_pair(a, c)


# ---- the rest
def test_enum(sw, phone, events):
    """With mod_enum what no row takes is looked for there, and is nowhere."""
    a = phone("1000")
    a.invite("4711")
    assert events.wait_event("CHANNEL_EXECUTE", Application="transfer")["Application-Data"] == "4711 enum"
    a.ack_failure(a.expect(404, timeout=20))


def test_conference_by_key(sw, phone, events):
    """*3 of the called phone: both are in the conference that its number names."""
    a, b, c = phone("1000", 400), phone("1001", 500), phone("1002", 700)
    a.invite("1001")
    b.take()
    a.answered()
    talks(a, b)
    is_pair(a, b)
    b.talk.press("*3")
    assert joins(events, Conference_Size="2")["Conference-Name"] == f"3001-{DOMAIN}"
    call_and_talk(c, "3001")
    c.talk.hears(400, 500)
    is_pair(a, b)


def test_secured(sw, phone):
    """9664 over TLS with SRTP: told so, then music."""
    p = phone("1000", kind=SecurePhone)
    p.dial("9664")
    hears_words(sw, p, ["misc/call_secured"])
    p.talk.hears(MUSIC)
    p.bye()


def test_holiday(tmp_path_factory):
    """On New Year's Day it is not open, although it is a Friday at noon; the second holiday's condition ends the row."""
    sw = t.Tandem(tmp_path_factory.mktemp("holiday") / "instance", "vanilla", now="2027-01-01 12:00:00").start()
    try:
        p = Phone(sw, "1000")
        p.register()
        call(p, "9196")
        uuid = re.search(r"^([0-9a-f-]{36}),", sw.api("show channels"), re.M).group(1)
        assert sw.api(f"uuid_getvar {uuid} open") == "false"
        p.bye()
        p.close()
    finally:
        sw.stop()
