"""The stock dialplan (../shared/vanilla, or ours with the same numbers, tests/data/stock), dialled extension by extension: what each does
is heard (tones by their frequency), seen on the wire and asked of the running switch. What the stock sound package would hold is replaced by tones, one frequency a prompt; names of
hosts on the Internet end in .invalid here; the stock user gateway is a phone of the test."""
import re
import threading
import time

import clock
import pytest
import tandem as t
from calls import arrives, ended, heard_ms, listen, press, rtp, uuid_of
from phones import write_tone
from wire import Phone, sdp

IS_OURS = t.VANILLA.parent != t.SHARED
MUSIC, GOODBYE, CONNECT = 600, 700, 750  # Hz
US_RING, UK_RING = (440, 480), (400, 450)
DOMAIN = "127.0.0.1"


class Outside(Phone):
    """A phone nobody knows, on the external profile: no challenge."""

    def __init__(self, sw, user="stranger"):
        class At:
            sip_port, domain, passwords = sw.ext_port, DOMAIN, {}
        super().__init__(At, user)

    def invite(self, number, body=None, extra=""):
        self.call_id = f"out-{self.port}-{self.cseq}"
        self.uri = f"sip:{number}@{DOMAIN}"
        self.to = f"<{self.uri}>"
        self.request("INVITE", self.uri, self.to, body=sdp(self.rtp_port) if body is None else body, extra=extra)
        self.invite_branch, self.invite_cseq = self.last_branch, self.cseq


def edit(path, *pairs):
    text = path.read_text()
    for old, new in pairs:
        assert re.search(old, text), (path, old)
        text = re.sub(old, new, text)
    path.write_text(text)


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("stock") / "instance", "vanilla")
    conf, sounds = s.root / "conf", s.root / "sounds"
    for path, hz, seconds in (("music/8000/tone.wav", MUSIC, 20), ("en/us/callie/voicemail/8000/vm-goodbye.wav", GOODBYE, 0.6),
                              ("en/us/callie/ivr/8000/ivr-hold_connect_call.wav", CONNECT, 0.6)):
        (sounds / path).parent.mkdir(parents=True, exist_ok=True)
        write_tone(sounds / path, hz, seconds)
    if not IS_OURS:
        # with it every number goes to the enum dialplan at last (test_stock_rows)
        edit(conf / "autoload_configs/modules.conf.xml", (r'<load module="mod_enum"/>', ""))
        edit(conf / "dialplan/default.xml", (r"2000@bkw\.org", "2000@bkw.invalid"), (r"conference\.freeswitch\.org", "conference.invalid"))
    s.gateway = Outside(s, "gateway")
    edit(conf / "directory/default/example.com.xml",
         ('<param name="expire-seconds"', f'<param name="proxy" value="127.0.0.1:{s.gateway.port}"/><param name="expire-seconds"'))
    s.start()
    yield s
    s.gateway.close()
    s.stop()


OUR_REALMS = {"spymap": "calls", "last_dial": "dialed", "last_dial_ext": "ringing", "call_return": "callers"}
BEGUN = "call_began" if IS_OURS else "RFC2822_DATE"  # the exported time of the call
stock_only = pytest.mark.skipif(IS_OURS, reason=t.NO_SHARED)


def realm(kind):
    return f"{OUR_REALMS[kind]}.{DOMAIN}" if IS_OURS else f"{DOMAIN}-{kind}"


def hash_of(sw, kind, key):
    return sw.api(f"hash select/{realm(kind)}/{key}").strip()


def early(p, code=183):
    """Expects early media."""
    m = p.expect(code, timeout=15)
    p.remote_rtp = int(re.search(r"m=audio (\d+)", m.body).group(1))
    return m


def hears(p, hz, ms, seconds=8, level=1500):
    """Listens until hz was heard for so long; all of hz, if they are several."""
    got, all_hz = {}, hz if isinstance(hz, tuple) else (hz,)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        x = listen(p, 0.2)
        for f in all_hz:
            got[f] = got.get(f, 0) + heard_ms(x, f, level)
        if all(got[f] >= ms for f in all_hz):
            return
    raise AssertionError(f"{p.user} heard {got} ms")


def talk(a, b):
    """Each hears the other."""
    assert arrives(a, b) and arrives(b, a)


def ring(*phones):
    """Each is called and says 180."""
    calls = [p.expect(method="INVITE") for p in phones]
    for p, req in zip(phones, calls):
        p.reply(req, 180, "Ringing")
    return calls


def hangs_up(ender, *others):
    ender.bye()
    for p in others:
        ended(p)


def is_open(at_s):
    """tod_example's hours."""
    now = time.localtime(at_s)
    return now.tm_wday < 5 and 9 <= now.tm_hour <= 18


# ---- the context default
@pytest.mark.clock
def test_echo_and_what_every_call_leaves_behind(sw, phone):
    """9196; before it tod_example and global ran: open by the clock, three hash entries, the date for the other leg."""
    a = phone("1000")
    begun_s = clock.now_s()
    a.invite("9196")
    a.answered()
    talk_to_itself(a)
    uuid = uuid_of(sw, "1000")
    assert sw.api(f"uuid_getvar {uuid} open") in {"true" if is_open(s) else "_undef_" for s in (begun_s, clock.now_s())}
    assert (hash_of(sw, "spymap", "1000"), hash_of(sw, "last_dial", "1000"), hash_of(sw, "last_dial", "global")) == (uuid, "9196", uuid)
    date = sw.api(f"uuid_getvar {uuid} {BEGUN}")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}" if IS_OURS else r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", date), date
    assert sw.api(f"uuid_getvar {uuid} export_vars") == BEGUN
    a.bye()


def talk_to_itself(p, delay_s=0.0):
    """What p says comes back, so much later."""
    p.media.settimeout(0.02)
    start, first, n = time.monotonic(), None, 0
    while time.monotonic() < start + delay_s + 3:
        p.media.sendto(rtp(n, payload=b"\x35" * 160), ("127.0.0.1", p.remote_rtp))
        n += 1
        try:
            if p.media.recv(2000)[12:] == b"\x35" * 160:
                first = first or time.monotonic() - start
                if n > 20:
                    break
        except TimeoutError:
            pass
    assert first is not None and delay_s <= first < delay_s + 1.5, first


def test_delay_echo(sw, phone):
    a = phone("1000")
    a.invite("9195")
    a.answered()
    talk_to_itself(a, 4.9)
    a.bye()


def test_milliwatt(sw, phone):
    a = phone("1000")
    a.invite("9197")
    a.answered()
    hears(a, 1004, 1500)
    a.bye()


def test_hold_music(sw, phone):
    """No SRTP: the anti-actions answer, are silent for two seconds, and play music."""
    a = phone("1000")
    a.invite("9664")
    a.answered()
    assert heard_ms(listen(a, 1.5), MUSIC, 1500) == 0
    hears(a, MUSIC, 1000)
    a.bye()


def test_show_info(sw, phone):
    a = phone("1000")
    a.invite("9192")
    a.answered()
    ended(a)
    sw.wait_log(re.compile(r"Channel-State: \[CS_EXECUTE\]"))
    assert "variable_dialed_user" not in sw.log_text


def test_redial(sw, phone):
    a = phone("1000")
    a.invite("9197")
    a.answered()
    a.bye()
    sw.wait_calls(0)
    for number in ("870", "redial"):
        a.invite(number)
        a.answered()
        hears(a, 1004, 400)
        a.bye()
        sw.wait_calls(0)
        sw.api(f"hash insert/{realm('last_dial')}/1000/9197")  # this call was noted as well


def test_route_failure(sw, phone):
    """9191 is a host that does not exist: the cause of the dead route ends the call."""
    a = phone("1000")
    a.invite("9191")
    m = a.expect(503, timeout=20)
    a.ack_failure(m)
    sw.wait_calls(0)


def test_conference_by_sip(sw, phone):
    a = phone("1000")
    a.invite("9888")
    a.ack_failure(a.expect(503, timeout=20))


def test_unknown_number(sw, phone):
    """acknowledge_call: 100, 180, then music as early media."""
    a = phone("1000")
    a.invite("4711")
    a.expect(100)
    a.expect(180)
    early(a)
    hears(a, MUSIC, 600)
    a.cancel()
    a.ack_failure(a.expect(487))


def test_what_the_network_says_is_never_a_command(sw, phone):
    """Names, numbers, headers and session descriptions that look like ${commands} stay words."""
    evil = "${global_setvar(owned=yes)}"
    body = sdp(4000).replace("s=-", f"s={evil}")
    a, o = phone("1000"), phone("stranger", kind=Outside, register=False)
    a.invite("9196", body=body.replace("4000", str(a.rtp_port)), extra=f"X-Evil: {evil}\nSubject: {evil}\n")
    a.answered()
    uuid = uuid_of(sw, "1000")
    assert sw.api(f"uuid_getvar {uuid} sip_h_X-Evil") == "_undef_"
    assert sw.api(f"uuid_getvar {uuid} switch_r_sdp") == "_undef_"
    a.bye()
    for user, number in (("%24%7Bglobal_setvar(owned=yes)%7D", "9196"), ("1", "%24%7Bglobal_setvar(owned=yes)%7D")):
        o.user = user
        o.invite(number, body=body, extra=f'Remote-Party-ID: "{evil}" <sip:{user}@127.0.0.1>\nX-Evil: {evil}\n')
        m = o.expect(480)
        o.ack_failure(m)
    assert "yes" not in sw.api("global_getvar owned")
    sw.wait_log("contains a variable")


# ---- extensions
def test_local_extension(sw, phone):
    """US ringback as early media while 1001 rings; what is noted; the call; hangup_after_bridge."""
    a, b = phone("1000"), phone("1001")
    a.invite("1001")
    invite = b.expect(method="INVITE")
    b.reply(invite, 180, "Ringing")
    early(a)
    hears(a, US_RING, 600, level=800)
    uuid = uuid_of(sw, "1000")
    for kind, key, value in (("call_return", "1001", "1000"), ("last_dial_ext", "1001", uuid), ("last_dial_ext", "techsupport", uuid),
                             ("last_dial_ext", "global", uuid), ("last_dial", "techsupport", uuid)):
        assert hash_of(sw, kind, key) == value, (kind, key)
    assert sw.api(f"uuid_getvar {uuid} call_timeout") == "30"
    b.reply(invite, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    talk(a, b)
    assert sw.api(f"uuid_getvar {uuid_of(sw, '1001')} dialed_extension") == "1001"
    hangs_up(b, a)


def test_local_extension_nobody_there(sw, phone):
    """continue_on_fail: 1003 is not registered; the call is answered and goes on to its voice mail."""
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE")
    a = phone("1000")
    a.invite("1003")
    a.answered()
    assert events.wait_event("CHANNEL_EXECUTE", Application="bridge")["Application-Data"] == f"user/1003@{DOMAIN}"
    events.wait_event("CHANNEL_EXECUTE", Application="answer")
    assert events.wait_event("CHANNEL_EXECUTE", Application="sleep")["Application-Data"] == "1000"
    e = events.wait_event("CHANNEL_EXECUTE", Application="bridge")
    assert e["Application-Data"] == f"loopback/app=voicemail:default {DOMAIN} 1003"
    events.close()


def test_call_return(sw, phone):
    """1000 called 1001; 1001 calls back by *69, 869 and lcr."""
    a, b = phone("1000"), phone("1001")
    a.invite("1001")
    hangs_up_ringing(a, b)
    for number in ("*69", "869", "lcr"):
        b.invite(number)
        a.take()
        b.answered()
        hangs_up(b, a)
        sw.wait_calls(0)


def hangs_up_ringing(a, b):
    b.reply(b.expect(method="INVITE"), 180, "Ringing")
    early(a)
    a.cancel()
    a.ack_failure(a.expect(487))
    b.reply(b.expect(method="CANCEL"), 200, "OK")


def test_intercom(sw, phone):
    """81001: the phone is told to answer by itself."""
    a, b = phone("1000"), phone("1001")
    a.invite("81001")
    req = b.take(ring=False)
    assert "answer-after=0" in req.get("Call-Info")
    a.answered()
    talk(a, b)
    hangs_up(a, b)


def test_group_of_the_database(sw, phone):
    """8101 joins group 01 with a tone, 8201 rings all of it, 8301 one after another, 8001 leaves it with another tone."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    for p in (b, c):
        p.invite("8101")
        p.answered()
        hears(p, 640, 600)
        ended(p)
    assert sw.api(f"group call:01@{DOMAIN}").count("sofia/internal/sip:") == 2
    a.invite("8201")
    both = ring(b, c)
    c.reply(both[1], 200, "OK", sdp(c.rtp_port))
    c.expect(method="ACK")
    c.enter(both[1])
    b.reply(b.expect(method="CANCEL"), 200, "OK")
    a.answered()
    hangs_up(a, c)
    a.invite("8301")
    b.reply(b.expect(method="INVITE"), 486, "Busy Here")
    b.expect(method="ACK")
    c.take()
    a.answered()
    hangs_up(a, c)
    b.invite("8001")
    b.answered()
    hears(b, 320, 600)
    ended(b)
    assert sw.api(f"group call:01@{DOMAIN}").count("sofia/internal/sip:") == 1


@pytest.mark.parametrize("number,members", [("2000", ("1001", "1002")), ("2001", ("1010", "1011")), ("2002", ("1005", "1009"))])
def test_group_of_the_directory(sw, phone, number, members):
    """2000 sales, 2001 support, 2002 billing: those who are registered ring at once; the rest of a group does not matter."""
    a = phone("1000" if number != "2000" else "1019")
    ringing = [phone(m) for m in members]
    a.invite(number)
    first, *others = zip(ringing, ring(*ringing))
    first[0].reply(first[1], 200, "OK", sdp(first[0].rtp_port))
    first[0].expect(method="ACK")
    first[0].enter(first[1])
    for p, req in others:
        p.reply(p.expect(method="CANCEL"), 200, "OK")
    a.answered()
    talk(a, first[0])
    hangs_up(a, first[0])


@pytest.mark.parametrize("number", ["0", "operator"])
def test_operator(sw, phone, number):
    """Answered, "please hold", and music instead of ringing while the operator's phone rings."""
    a, b = phone("1001"), phone("1000")
    a.invite(number)
    a.answered()
    hears(a, CONNECT, 300)
    req = b.expect(method="INVITE")
    b.reply(req, 180, "Ringing")
    hears(a, MUSIC, 600)
    b.reply(req, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    b.enter(req)
    talk(a, b)
    hangs_up(a, b)


def test_ringback(sw, phone):
    """9180 to 9184 at once: 180 alone; ring or music before the answer; ring or music after it; twenty seconds later all are answered
    and told goodbye."""
    numbers = {"9180": "1000", "9181": "1001", "9182": "1002", "9183": "1003", "9184": "1004"}
    done, failed = [], []

    def one(number, p):
        try:
            p.invite(number)
            if number == "9180":
                assert not p.expect(180).body
                p.expect_nothing("BYE", 1)
            elif number in ("9181", "9182"):
                early(p)
            else:
                p.answered()
            if number != "9180":
                hears(p, UK_RING if number in ("9181", "9183") else MUSIC, 600, level=800)
            if number in ("9180", "9181", "9182"):
                ok = p.expect(200, timeout=30)
                p.queue.append(ok)
                p.answered()
            hears(p, GOODBYE, 300, seconds=30)
            ended(p, timeout=10)
            done.append(number)
        except Exception as e:  # noqa: BLE001 told by the test
            failed.append(f"{number}: {e!r}")

    threads = [threading.Thread(target=one, args=(n, phone(u))) for n, u in numbers.items()]
    for x in threads:
        x.start()
    for x in threads:
        x.join(60)
    assert not failed and sorted(done) == sorted(numbers), failed


@stock_only
def test_default_password(sw, phone):
    """Whoever leaves 1234 waits ten seconds at each call, and the log says why."""
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE")
    sw.api("global_setvar default_password=1234")
    a = phone("1000")
    a.invite("9196")
    assert events.wait_event("CHANNEL_EXECUTE", Application="sleep")["Application-Data"] == "10000"
    a.expect(100)
    a.cancel()
    a.ack_failure(a.expect(487))
    sw.wait_log("change the default_password.")
    sw.api("global_setvar default_password=lab1234")
    events.close()


@stock_only
@pytest.mark.parametrize("user,number,wanted", [
    ("1000", "9192", ["info", "hash", "hash", "hash", "export", "answer", "info", "sleep", "hangup"]),
    ("stranger", "9192", ["set", "export", "info"])])
def test_call_debug(sw, phone, user, number, wanted):
    """call_debug=true: info in front of what the extension does, in default and in public."""
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE CHANNEL_HANGUP")
    sw.api("global_setvar call_debug=true")
    a = phone(user, kind=Outside, register=False) if user == "stranger" else phone(user)
    a.invite(number)
    apps = []
    while True:
        if not events.events:
            events.events.append(events.parse(events.read()[1]))
        e = events.events.pop(0)
        if e["Event-Name"] == "CHANNEL_HANGUP":
            break
        apps.append(e["Application"])
    sw.api("global_setvar call_debug=false")
    events.close()
    assert apps[-len(wanted):] == wanted  # by the clock there may be "set" in front


def test_eavesdrop(sw, phone):
    """88 and *0 with an extension listen to its latest call; 779 to all calls in turn."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    a.invite("9197")  # it says who: the milliwatt tone
    a.answered()
    for number in ("881000", "*01000"):
        c.invite(number)
        c.answered()
        keep_hearing(c, 1004, a)
        c.bye()
        sw.wait_calls(1)
    c.invite("779")
    c.answered()
    keep_hearing(c, 620, a)
    keep_hearing(c, 1004, a)
    c.bye()
    a.bye()
    assert b


def keep_hearing(p, hz, *others):
    """p hears hz while the others' calls go on."""
    got, end = 0, time.monotonic() + 10
    while got < 400 and time.monotonic() < end:
        for o in others:
            listen(o, 0.1)
        got += heard_ms(listen(p, 0.3), hz, 800)
    assert got >= 400, f"{p.user} heard {hz} Hz for {got} ms"


def test_tetris(sw, phone):
    """The tune out of its file: its first notes."""
    a = phone("1000")
    a.invite("9198")
    a.answered()
    hears(a, (659, 494, 523, 587), 200, seconds=6, level=800)
    a.bye()


def test_record_by_key(sw, phone):
    """*2 of the called phone: the call is in a file named after the caller."""
    a, b = phone("1000"), phone("1001")
    events = sw.esl()
    events.subscribe("RECORD_START RECORD_STOP")
    a.invite("1001")
    b.take()
    a.answered()
    listen(b, 0.2)
    press(b, "*2", 5000)
    path = events.wait_event("RECORD_START")["Record-File-Path"]
    name = r"\d{8}-\d{6}-1000" if IS_OURS else r"1000\.\d{4}(-\d\d){5}"
    assert re.fullmatch(rf"{re.escape(str(sw.root))}/recordings/{name}\.wav", path), path
    listen(b, 0.5)
    hangs_up(a, b)
    assert events.wait_event("RECORD_STOP")["Record-File-Path"] == path
    events.close()


# ---- out by the provider
@pytest.mark.parametrize("dialled,sent", [("5551234", "19185551234"), ("14155551234", "14155551234"), ("011442012345", "011442012345")])
def test_toll(sw, phone, dialled, sent):
    """Local numbers get 1 and the area code; all go with the outbound caller id."""
    a, g = phone("1001"), sw.gateway
    a.invite(dialled)
    req = g.take()
    assert req.first.startswith(f"INVITE sip:{sent}@")
    assert '"FreeSWITCH"' in req.get("From") or "0000000000" in req.get("Remote-Party-ID") + req.get("From"), req.lines
    a.answered()
    talk(a, g)
    hangs_up(a, g)


def test_toll_not_allowed(sw, phone):
    """Who has no toll_allow falls through to acknowledge_call."""
    edit(sw.root / "conf/directory/default/1007.xml", ("domestic,international,local", "local"))
    assert "+OK" in sw.api("reloadxml")
    a = phone("1007")
    a.invite("14155551234")
    a.expect(180)
    early(a)
    hears(a, MUSIC, 300)
    a.cancel()
    a.ack_failure(a.expect(487))


# ---- the context public
def test_public_did(sw, phone):
    """5551212 from outside rings 1000, as does 1000 itself."""
    o, b = phone("stranger", kind=Outside, register=False), phone("1000")
    for number in ("5551212", "1000"):
        o.invite(number)
        req = b.take()
        o.answered()
        b_uuid = uuid_of(sw, "1000")
        assert sw.api(f"uuid_getvar {b_uuid} {BEGUN}") != "_undef_", req
        talk(o, b)
        hangs_up(o, b)
        sw.wait_calls(0)


@stock_only
def test_a_call_that_comes_back(sw):
    """unloop: who calls the switch from the switch is sent elsewhere instead of being answered by it."""
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE")
    sw.api(f"bgapi originate {{originate_timeout=3}}sofia/external/5551212@127.0.0.1:{sw.ext_port} &park")
    e = events.wait_event("CHANNEL_EXECUTE")
    assert (e["Application"], e["Application-Data"], e["variable_sip_looped_call"]) == ("deflect", "5551212", "true")
    events.close()
    sw.api("hupall")
    sw.wait_calls(0)


def test_conferences_from_outside(sw):
    """3500 and the like go on in default."""
    text = sw.api("dialplan explain public 3517")
    assert text.endswith("3. transfer(3517 XML default)\n"), text


def test_public_nothing_matches(sw, phone):
    """outside_call matches whatever is dialled, so that there is a route: its list just ends. 480, as the recorded program says."""
    o = phone("stranger", kind=Outside, register=False)
    o.invite("9196")
    o.ack_failure(o.expect(480))


# ---- the context features
def test_transfer_by_dx(sw, phone):
    """*1 of the called phone: dial tone, eleven digits, and the caller is with whom they name."""
    a, b, g = phone("1000"), phone("1001"), sw.gateway
    a.invite("1001")
    b.take()
    a.answered()
    listen(b, 0.2)
    press(b, "*1", 5000)
    hears(b, (350, 440), 300, level=800)
    press(b, "14155550000", 6000)
    req = g.take()
    assert req.first.startswith("INVITE sip:14155550000@")
    ended(b)
    talk(a, g)
    hangs_up(a, g)


def test_transfer_by_dx_given_up(sw, phone):
    """No digit: is_transfer's anti-action, and the two talk on."""
    a, b = phone("1000"), phone("1001")
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE")
    a.invite("1001")
    b.take()
    a.answered()
    listen(b, 0.2)
    press(b, "*1", 5000)
    hears(b, (350, 440), 300, level=800)
    press(b, "#", 6000)
    events.wait_event("CHANNEL_EXECUTE", Application="eval", **{"Application_Data": "cancel transfer"})
    talk(a, b)
    hangs_up(a, b)
    events.close()


# ---- every other row of the table: what would run, by the same hunt
MUSIC_URL = "local_stream://moh"
WOULD_RUN = [
    ("default", "3000", "answer() conference(3000-${domain_name}@default)"),
    ("default", "3199", "answer() conference(3199-${domain_name}@wideband)"),
    ("default", "3210", "answer() conference(3210-${domain_name}@ultrawideband)"),
    ("default", "3310", "answer() conference(3310-${domain_name}@cdquality)"),
    ("default", "3517x-screen", "answer() send_display(FreeSWITCH Conference|3517) set(conference_member_flags=join-vid-floor) "
                                "conference(3517@video-mcu-stereo)"),
    ("default", "3517-canvas-2", "push(conference_member_flags=second-screen) set(video_initial_watching_canvas=2) transfer(3517) acknowledge_call() ring_ready() playback(local_stream://moh)"),
    ("default", "6070-moderator", "answer() set(conference_member_flags=moderator) conference($1-${domain_name}@video-mcu-stereo)"),
    ("default", "3517", "answer() conference(3517@video-mcu-stereo)"),
    ("default", "3600", "answer() conference(3600@video-mcu-stereo-720)"),
    ("default", "3700", "answer() conference(3700@video-mcu-stereo-480)"),
    ("default", "3800", "answer() conference(3800@video-mcu-stereo-320)"),
    ("default", "5000", "answer() sleep(2000) ivr(demo_ivr)"),
    ("default", "5001", "conference(bridge:mydynaconf:sofia/${use_profile}/1234@conference.invalid)"),
    ("default", "pagegroup", "answer() esf_page_group()"),
    ("default", "7243", "answer() esf_page_group()"),
    ("default", "5900", f"set(fifo_music={MUSIC_URL}) fifo(5900@${{domain_name}} in)"),
    ("default", "5901", "answer() fifo(5900@${domain_name} out nowait)"),
    ("default", "6000", "answer() valet_park(valet_parking_lot ask 1 11 10000 ivr/ivr-enter_ext_pound.wav)"),
    ("default", "6001", "answer() valet_park(valet_parking_lot 6001)"),
    ("default", "park+12", f"fifo(12@${{domain_name}} in undef {MUSIC_URL})"),
    ("default", "parking sip_to_params=fifo=12", "answer() fifo(12@${domain_name} out nowait)"),
    ("default", "callpark domain_name=a.test sip_refer_to=<sip:callpark@a.test;orbit=12>", f"fifo(12@${{domain_name}} in undef {MUSIC_URL})"),
    ("default", "pickup sip_to_params=orbit=12", "answer() fifo(12@${domain_name} out nowait)"),
    ("default", "vmain", "answer() sleep(1000) voicemail(check default ${domain_name})"),
    ("default", "4000", "answer() sleep(1000) voicemail(check default ${domain_name})"),
    ("default", "*98", "answer() sleep(1000) voicemail(check default ${domain_name})"),
    ("default", "wait", "pre_answer() sleep(20000) answer() sleep(1000) playback(voicemail/vm-goodbye.wav) hangup()"),
    ("default", "9178", "answer() playback(silence_stream://2000) rxfax(TMP/rxfax.tif) hangup()"),
    ("default", "9179", "txfax(TMP/txfax.tif) hangup()"),
    ("default", "9193", "answer() record_fsv(TMP/testrecord.fsv)"),
    ("default", "9194", "answer() play_fsv(TMP/testrecord.fsv)"),
    ("default", "9386", "answer() sleep(1500) playback(phrase:funny_prompts) hangup()"),
    ("default", "9170", "answer() sleep(1000) say(en CURRENT_TIME pronounced ${strepoch()}) hangup()"),
    ("default", "9664 rtp_has_crypto=AES_CM_128_HMAC_SHA1_80", f"set(rtp_secure_media=true) answer() execute_extension(is_secure XML features) playback({MUSIC_URL})"),
    ("default", "1105", "set(dialed_extension=1105) export(dialed_extension=1105) set(call_timeout=30) set(hangup_after_bridge=true) "
                        "set(continue_on_fail=true) bridge(skinny/internal/${destination_number}) answer() sleep(1000) "
                        "bridge(loopback/app=voicemail:default ${domain_name} ${dialed_extension})"),
    ("default", "pizza", f"acknowledge_call() ring_ready() playback({MUSIC_URL})"),  # wants modules that are not there
    ("default", "0913", "set(conference_auto_outcall_caller_id_name=Mad Boss) set(conference_auto_outcall_caller_id_number=0911) "
                        "set(conference_auto_outcall_timeout=60) set(conference_utils_auto_outcall_flags=none) "
                        "conference_set_auto_outcall(loopback/9664) conference(madboss3@default)"),
    ("features", "cf", "answer() transfer(-both 30${dialed_extension:2} XML default)"),
    ("features", "att_xfer", "read(3 4 'tone_stream://%(10000,0,350,440)' digits 30000 #) set(origination_cancel_key=#) att_xfer(user/${digits}@DOMAIN)"),
    ("features", "is_transfer digits=17", "transfer(-bleg ${digits} XML default)"),
    ("features", "is_transfer digits=none", "eval(cancel transfer)"),
    ("features", "is_secure sip_via_protocol=tls rtp_secure_media_confirmed=true", "sleep(1000) playback(misc/call_secured.wav)"),
    ("features", "is_secure sip_via_protocol=tls", "eval(not_secure)"),
]


@stock_only
@pytest.mark.parametrize("context,call,wanted", WOULD_RUN, ids=[f"{c}-{n.split()[0]}-{i}" for i, (c, n, _) in enumerate(WOULD_RUN)])
def test_would_run(sw, context, call, wanted):
    text = sw.api(f"dialplan explain {context} {call} source=mod_sofia")
    got = " ".join(re.sub(r"^ *\d+\. ", "", line) for line in text.split("would run:\n")[1].rstrip("\n").split("\n"))
    got = re.sub(r"^set\(open=true\) ", "", re.sub(r"\s+", " ", got))  # by the clock
    assert got == wanted.replace("TMP", sw.api("global_getvar temp_dir")).replace("DOMAIN", DOMAIN)
