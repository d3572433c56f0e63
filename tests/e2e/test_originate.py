"""Dialling: the grammar of dial strings, who wins and why it failed, what the caller hears, with phones whose messages the
test writes."""
import re
import threading
import time

import pytest
import tandem as t
from calls import cancelled
from talk import Talker
from wire import Phone, sdp

pytestmark = pytest.mark.leaks

# 8000 runs what the test has set for the caller, as an inline dialplan
TESTS_XML = """<include>
<extension name="apps"><condition field="destination_number" expression="^8000$">
<action application="transfer" data="${apps_${username}} inline"/></condition></extension>
<extension name="picker"><condition field="destination_number" expression="^8001$">
<action application="pickup" data="sales"/></condition></extension>
<extension name="sink"><condition field="destination_number" expression="^8002$">
<action application="answer"/><action application="park"/></condition></extension>
<extension name="busy"><condition field="destination_number" expression="^8003$">
<action application="hangup" data="USER_BUSY"/></condition></extension>
<extension name="late"><condition field="destination_number" expression="^8004$">
<action application="ring_ready"/><action application="sleep" data="300"/><action application="answer"/>
<action application="park"/></condition></extension>
<extension name="elsewhere"><condition field="destination_number" expression="^8005$">
<action application="set" data="transfer_on_fail=NO_ANSWER,USER_BUSY 8002 XML default"/>
<action application="bridge" data="user/1001"/></condition></extension>
<extension name="limited"><condition field="destination_number" expression="^8006(.*)$">
<action application="limit" data="hash r $1 1 ${over_$1}"/>
<action application="answer"/><action application="park"/></condition></extension>
<extension name="plain"><condition field="destination_number" expression="^8007$">
<action application="bridge" data="user/1001"/></condition></extension>
</include>"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("originate") / "instance")
    (s.root / "conf/dialplan/default/originate.xml").write_text(TESTS_XML)
    directory = s.root / "conf/directory/default.xml"
    directory.write_text(directory.read_text().replace("<groups>", '<groups><group name="duo"><users><user id="1000" '
                         'type="pointer"/><user id="1001" type="pointer"/></users></group>', 1))
    s.start()
    yield s
    s.stop()


class Originate:
    """The command, running on a connection of its own."""
    def __init__(self, sw, text):
        self.esl = sw.esl()
        self.thread = threading.Thread(target=self._run, args=(text,))
        self.thread.start()

    def _run(self, text):
        self.text = self.esl.api("originate " + text)

    def reply(self):
        self.thread.join(20)
        assert not self.thread.is_alive()
        self.esl.close()
        return self.text

    def uuid(self):
        return re.fullmatch(r"\+OK ([0-9a-f-]{36})\n", self.reply()).group(1)


def call_apps(p, *apps):
    """p dials 8000; the apps are the rest of its dialplan."""
    quoted = re.sub(r"([\\'=])", r"\\\1", "^".join(apps))  # a second = would ask for the value it has now
    p.sw.api(f"global_setvar apps_{p.user}=m:^:{quoted}")
    p.invite("8000")


def invited(p, ringing=False):
    """Expects an INVITE and gives a sign of life: only then may it be cancelled."""
    i = p.expect(method="INVITE")
    p.reply(i, *((180, "Ringing") if ringing else (100, "Trying")), tag=ringing)
    return i


def refuse(p, code, reason="No", extra=""):
    p.reply(p.expect(method="INVITE"), code, reason, extra=extra)
    p.expect(method="ACK")


def bye_in(p):
    b = p.expect(method="BYE")
    p.reply(b, 200, "OK")
    return b


def var(sw, uuid, name):
    return sw.api(f"uuid_getvar {uuid} {name}")


def refused_with(a, code):
    """The caller's final refusal."""
    r = a.expect(code)
    a.ack_failure(r)
    return r


# ---- pitfall 11: what becomes of the caller after a failed bridge
FAILED = [  # what is set, what B says (None: nothing, until call_timeout), what A hears: 200 = its dialplan went on
    ("", 486, 486), ("", 404, 404), ("", 480, 200), ("", None, 200),
    ("continue_on_fail=false", 480, 480), ("continue_on_fail=false", None, 480),
    ("continue_on_fail=true", 486, 200), ("continue_on_fail=NO_ANSWER,user_busy", 486, 200), ("continue_on_fail=17", 486, 200),
    ("continue_on_fail=NO_ANSWER", 486, 486),
    ("failure_causes=USER_BUSY", 486, 486), ("failure_causes=NO_ANSWER", 486, 200), ("failure_causes=18", 480, 480)]


@pytest.mark.parametrize("what,says,heard", FAILED)
def test_pitfall_11_after_a_failed_bridge(sw, phone, what, says, heard):
    a, b = phone("1000"), phone("1001")
    call_apps(a, *([f"set:{what}"] if what else []), "set:call_timeout=1", "bridge:user/1001", "answer", "park")
    invite = invited(b)
    if says:
        b.reply(invite, says, "No")
        b.expect(method="ACK")
    else:
        cancelled(b, invite)
    if heard == 200:
        a.answered()
        sw.api("hupall")
        bye_in(a)
    else:
        refused_with(a, heard)


def test_transfer_on_fail(sw, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("8005")
    refuse(b, 486)
    a.answered()
    sw.api("hupall")
    bye_in(a)


# ---- pitfall 12: variables
VARS = [  # dial string, {variable: value} of the leg
    ("{a=1}[a=2]user/1001", {"a": "1"}),
    ("{local_var_clobber=true,a=1}[a=2]user/1001", {"a": "2"}),
    ("{^^;a=1,2;b=3}user/1001", {"a": "1,2", "b": "3"}),
    ("{^^;a=x,y}[^^:b=4:c=5,6]user/1001", {"a": "x,y", "b": "4", "c": "5,6"}),
    ("<e=0>{a=1}user/1001", {"e": "0", "a": "1"}),
    ("<e=0>{a=1}error/USER_BUSY:_:{a=2}user/1001", {"e": "0", "a": "2"}),
    ("user/4711|[a=1]user/1001", {"a": "1"}),
    ("nonsense,nosuch/1|[a={b}]user/1001", {"a": "{b}"}),
    ("{a=x\\,y}{b=2}user/1001", {"a": "x,y", "b": "2"})]


@pytest.mark.parametrize("dial,wanted", VARS)
def test_pitfall_12_variables(sw, phone, dial, wanted):
    b = phone("1001")
    o = Originate(sw, dial + " &park()")
    b.take()
    uuid = o.uuid()
    assert {k: var(sw, uuid, k) for k in wanted} == wanted
    sw.api("hupall")
    bye_in(b)


# ---- pitfall 13: the command
USAGE = "-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]\n"


@pytest.mark.parametrize("args,reply", [
    ("", USAGE), ("user/1001", USAGE), ("{a=b user/1001 &park", "-ERR DESTINATION_OUT_OF_ORDER\n"),
    ("nosuch/1 &park", "-ERR CHAN_NOT_IMPLEMENTED\n"), ("error/USER_BUSY &park", "-ERR USER_BUSY\n"),
    ("error/nosuch &park", "-ERR NORMAL_CLEARING\n"), ("user/4711 &park", "-ERR SUBSCRIBER_ABSENT\n"),
    ("user/1019 &park", "-ERR USER_NOT_REGISTERED\n"), ("group/nosuch &park", "-ERR NO_ROUTE_DESTINATION\n"),
    ("sofia/nosuch/1@127.0.0.1 &park", "-ERR INVALID_PROFILE\n"), ("sofia/gateway/nosuch/1 &park", "-ERR INVALID_GATEWAY\n"),
    ("loopback/8003 &park", "-ERR USER_BUSY\n"), ("error/NO_ANSWER|error/USER_BUSY &park", "-ERR USER_BUSY\n"),
    ("error/USER_BUSY:_:error/USER_BUSY &park", "-ERR USER_BUSY\n")])
def test_pitfall_13_replies(sw, args, reply):
    assert sw.api(f"originate {args}") == reply


def test_pitfall_13_early_media_is_enough(sw, phone):
    b = phone("1001")
    o = Originate(sw, "user/1001 &playback(tone_stream://%(1000,0,440)) XML default Name 4711 5")
    i = b.expect(method="INVITE")
    assert '"Name" <sip:4711@' in i.get("From")
    b.reply(i, 183, "Session Progress", sdp(b.rtp_port))
    uuid = o.uuid()
    events = sw.esl()
    assert var(sw, uuid, "endpoint_disposition") == "EARLY MEDIA"
    row = sw.api("show channels")
    assert ",playback,tone_stream://%(1000,0,440," in row  # cut at the first closing parenthesis
    events.close()
    sw.api("hupall")
    cancelled(b, i)


def test_a_bad_dial_string_says_where(sw):
    assert sw.api("originate {a=1}user/4711,nonsense &park") == "-ERR CHAN_NOT_IMPLEMENTED\n"
    sw.wait_log("Could not locate channel type nonsense (of nonsense/)")
    assert sw.api("originate {a=1user/1000 &park") == "-ERR DESTINATION_OUT_OF_ORDER\n"
    sw.wait_log("{ without its } at character 1: '{a=1user/1000'")


# ---- pitfall 14: statuses and causes
@pytest.mark.parametrize("b_says,cause", [(480, "NO_USER_RESPONSE"), (486, "USER_BUSY"), (404, "UNALLOCATED_NUMBER"),
                                          (503, "NORMAL_TEMPORARY_FAILURE"), (603, "CALL_REJECTED")])
def test_pitfall_14_statuses(sw, phone, b_says, cause):
    a, b = phone("1000"), phone("1001")
    events = sw.esl()
    events.subscribe("CHANNEL_HANGUP_COMPLETE")
    call_apps(a, "set:continue_on_fail=false", "bridge:user/1001")
    refuse(b, b_says)
    refused_with(a, b_says)  # the called phone's own, by last_bridge_proto_specific_hangup_cause
    ends = {e["Call-Direction"]: e for e in (events.wait_event("CHANNEL_HANGUP_COMPLETE") for _ in range(2))}
    of_a, of_b = ends["inbound"], ends["outbound"]
    assert (of_b["Hangup-Cause"], of_b["variable_proto_specific_hangup_cause"]) == (cause, f"sip:{b_says}")
    assert of_a["variable_last_bridge_proto_specific_hangup_cause"] == f"sip:{b_says}"
    assert (of_a["variable_originate_disposition"], of_a["variable_last_bridge_hangup_cause"]) == (cause, cause)
    events.close()


@pytest.mark.parametrize("cause,code", [("NO_USER_RESPONSE", 408), ("NO_ANSWER", 480), ("CALL_REJECTED", 603), ("USER_BUSY", 486)])
def test_pitfall_14_our_own_statuses(sw, phone, cause, code):
    a = phone("1000")
    call_apps(a, f"hangup:{cause}")
    refused_with(a, code)


# ---- pitfall 15: the Reason of a CANCEL
def test_pitfall_15_lost_race(sw, phone):
    a, b = phone("1000"), phone("1001")
    o = Originate(sw, "user/1000,user/1001 &park")
    i = invited(a, ringing=True)
    b.take()
    uuid = o.uuid()
    assert cancelled(a, i).get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    assert var(sw, uuid, "originate_endpoint") == "user"
    sw.api("hupall")
    bye_in(b)


@pytest.mark.parametrize("dial,reason,reply", [
    ("{originate_timeout=1}user/1001", 'Q.850;cause=19;text="NO_ANSWER"', "-ERR NO_ANSWER\n"),
    ("[leg_timeout=1]user/1001", 'Q.850;cause=19;text="NO_ANSWER"', "-ERR NO_ANSWER\n"),
    ("[leg_timeout=1]user/1001,[leg_timeout=1]error/NO_ANSWER", 'SIP;cause=802;text="ALLOTTED_TIMEOUT"', "-ERR NO_ANSWER\n"),
    ("{progress_timeout=1}user/1001", 'SIP;cause=807;text="PROGRESS_TIMEOUT"', "-ERR NO_ANSWER\n"),
    ("[leg_progress_timeout=1]user/1001", 'SIP;cause=807;text="PROGRESS_TIMEOUT"', "-ERR PROGRESS_TIMEOUT\n")])
def test_pitfall_15_timeouts(sw, phone, dial, reason, reply):
    b = phone("1001")
    o = Originate(sw, dial + " &park")
    i = invited(b)
    assert cancelled(b, i).get("Reason") == reason
    assert o.reply() == reply


def test_pitfall_15_caller_gone(sw, phone):
    a, b = phone("1000"), phone("1001")
    call_apps(a, "bridge:user/1001")
    i = invited(b, ringing=True)
    a.expect(180)
    a.cancel()
    assert cancelled(b, i).get("Reason") == 'SIP;cause=487;text="ORIGINATOR_CANCEL"'


# ---- pitfall 16: words for causes
@pytest.mark.parametrize("word,reason", [("nosuchcause", 'Q.850;cause=16;text="NORMAL_CLEARING"'), ("17", 'Q.850;cause=17;text="USER_BUSY"'),
                                         ("call_rejected", 'Q.850;cause=21;text="CALL_REJECTED"'), ("", 'Q.850;cause=16;text="NORMAL_CLEARING"')])
def test_pitfall_16_words(sw, phone, word, reason):
    b = phone("1001")
    o = Originate(sw, f"user/1001 &hangup({word})")
    b.take()
    o.uuid()
    assert bye_in(b).get("Reason") == reason


# ---- pitfall 17: limit
@pytest.mark.parametrize("over,heard", [("!USER_BUSY", 486), ("8002", 200)])
def test_pitfall_17_limit(sw, phone, over, heard):
    a, b = phone("1000"), phone("1001")
    sw.api(f"global_setvar over_77={over}")
    a.invite("800677")
    a.answered()
    b.invite("800677")
    if heard == 200:
        b.answered()  # 8002 in its own context
        sw.api("hupall")
        bye_in(b)
    else:
        refused_with(b, heard)
        sw.api("hupall")
    bye_in(a)


# ---- pitfall 18: defaults of a profile
@pytest.mark.parametrize("method", ["MESSAGE", "SUBSCRIBE"])
def test_pitfall_18_requests_need_authentication(sw, method):
    p = Phone(sw, "1000")
    p.call_id = f"pit-{method}-{p.port}"
    extra = "Event: presence\nExpires: 60\n" if method == "SUBSCRIBE" else ""
    p.request(method, f"sip:1001@{sw.domain}", f"<sip:1001@{sw.domain}>", extra=extra)
    assert p._read(5).code in (401, 407)
    p.close()


# ---- early media that is listened to
@pytest.fixture
def early(sw):
    """A phone in early media, saying a tone."""
    talkers = []

    def begin(p, hz):
        i = p.expect(method="INVITE")
        p.reply(i, 183, "Session Progress", sdp(p.rtp_port))
        p.remote_rtp = int(re.search(r"m=audio (\d+)", i.body).group(1))
        talkers.append(Talker(p, hz))
        return i
    yield begin
    for talker in talkers:
        talker.stop()


def test_early_media_tells_of_failure(sw, phone, early):
    b = phone("1001")
    o = Originate(sw, "{monitor_early_media_fail=no_such!user_busy:1:620!call_rejected:1:440}user/1001 &park")
    i = early(b, 440)
    cancelled(b, i)
    assert o.reply() == "-ERR CALL_REJECTED\n"
    sw.wait_log("monitor_early_media_fail")  # no_such has no tone


def test_early_media_tells_of_ringing(sw, phone, early):
    """Not before its tone was heard twice does early media win."""
    b = phone("1001")
    events = sw.esl()
    events.subscribe("DETECTED_TONE")
    o = Originate(sw, "{monitor_early_media_ring=1:440,monitor_early_media_ring_total=2,progress_timeout=60}user/1001 &park")
    i = early(b, 440)
    heard = [events.wait_event("DETECTED_TONE") for _ in range(2)]
    uuid = o.uuid()
    assert [e["Detected-Tone"] for e in heard] == ["monitor_early_media_ring_1"] * 2
    assert heard[1]["Unique-ID"] == uuid and var(sw, uuid, "endpoint_disposition") == "EARLY MEDIA"
    assert var(sw, uuid, "originate_disposition") == "monitor_early_media_ring"
    events.close()
    sw.api("hupall")
    cancelled(b, i)


def test_early_media_without_the_tone_is_no_progress(sw, phone, early):
    b = phone("1001")
    o = Originate(sw, "{monitor_early_media_ring=1:440,progress_timeout=1}user/1001 &park")
    i = early(b, 620)
    cancelled(b, i)
    assert o.reply() == "-ERR NO_ANSWER\n"


@pytest.mark.parametrize("forked,cause", [("false", "NO_ANSWER"), ("true", "ALLOTTED_TIMEOUT")])
def test_forked_dial(sw, phone, forked, cause):
    b = phone("1001")
    o = Originate(sw, f"{{forked_dial={forked},leg_timeout=1}}user/1001 &park")
    cancelled(b, invited(b))
    assert o.reply() == f"-ERR {cause}\n"


def test_a_required_leg(sw, phone):
    a, b = phone("1000"), phone("1001")
    o = Originate(sw, "user/1000,[leg_required=true]user/1001 &park")
    i = invited(a)
    refuse(b, 404)
    cancelled(a, i)
    assert o.reply() == "-ERR UNALLOCATED_NUMBER\n"


def test_import(sw, phone):
    a, b = phone("1000"), phone("1001")
    call_apps(a, "set:import=mine,other", "bridge:[mine=one,other=two,third=three]user/1001")
    b.take()
    a.answered()
    uuid = re.search(r"^([0-9a-f-]{36}),inbound", sw.api("show channels"), re.M).group(1)
    assert [var(sw, uuid, n) for n in ("mine", "other", "third")] == ["one", "two", "_undef_"]
    a.bye()
    bye_in(b)


def test_retries_end_by_time(sw, phone):
    """No try begins after originate_retry_timeout; tries are originate_retry_min_period_ms apart."""
    b = phone("1001")
    began = time.monotonic()
    o = Originate(sw, "{originate_retries=9,originate_retry_timeout=1,originate_retry_min_period_ms=1500}user/1001 &park")
    refuse(b, 486)
    refuse(b, 486)  # asked for 1.5 s after the first: more than a second has passed when it ends
    assert time.monotonic() - began >= 1.5
    assert o.reply() == "-ERR USER_BUSY\n"
    b.expect_nothing("INVITE", 0.2)


# ---- who wins
def test_threads_of_their_own(sw, phone):
    """':_:': each part with its own list; the first answer wins, the others hear that the call was completed elsewhere."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    o = Originate(sw, "<who=all>{part=1}error/USER_BUSY|user/1000:_:{part=2}user/1001,user/1002 &park")
    ia, ib = a.expect(method="INVITE"), b.expect(method="INVITE")
    a.reply(ia, 183, "Session Progress", sdp(a.rtp_port))  # early media does not win here
    b.reply(ib, 180, "Ringing")
    c.take()
    uuid = o.uuid()
    assert (var(sw, uuid, "who"), var(sw, uuid, "part")) == ("all", "2")
    for p, i in ((a, ia), (b, ib)):
        assert "completed elsewhere" in cancelled(p, i).get("Reason")
    sw.api("hupall")
    bye_in(c)


def test_threads_of_a_caller(sw, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    call_apps(a, "bridge:user/1001:_:user/1002")
    ib, ic = invited(b), invited(c)
    b.reply(ib, 180, "Ringing")
    a.expect(180)
    c.reply(ic, 200, "OK", sdp(c.rtp_port))
    c.expect(method="ACK")
    c.enter(ic)
    a.answered()
    cancelled(b, ib)
    assert "1 total" in sw.api("show bridged_calls count")
    a.bye()
    bye_in(c)
    # and the caller gives up: everybody is told
    call_apps(a, "bridge:user/1001:_:user/1002")
    ib, ic = invited(b), invited(c)
    a.cancel()
    for p, i in ((b, ib), (c, ic)):
        assert "ORIGINATOR_CANCEL" in cancelled(p, i).get("Reason")


def test_early_media_wins(sw, phone):
    """As in FreeSWITCH the first early media is taken; the caller is answered when that phone answers."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    call_apps(a, "bridge:user/1001,user/1002")
    ib, ic = invited(b), invited(c)
    b.reply(ib, 180, "Ringing")
    a.expect(180)
    c.reply(ic, 183, "Session Progress", sdp(c.rtp_port))
    assert "m=audio" in a.expect(183).body
    assert "completed elsewhere" in cancelled(b, ib).get("Reason")
    c.reply(ic, 200, "OK", sdp(c.rtp_port))
    c.expect(method="ACK")
    c.enter(ic)
    a.answered()
    assert "1 total" in sw.api("show bridged_calls count")
    a.bye()
    bye_in(c)


def test_early_media_then_refused(sw, phone):
    a, b = phone("1000"), phone("1001")
    call_apps(a, "bridge:user/1001")
    i = b.expect(method="INVITE")
    b.reply(i, 183, "Session Progress", sdp(b.rtp_port))
    a.expect(183)
    b.reply(i, 486, "Busy Here")
    b.expect(method="ACK")
    refused_with(a, 486)


def test_early_media_without_an_answer(sw, phone):
    a, b = phone("1000"), phone("1001")
    call_apps(a, "set:bridge_answer_timeout=1", "bridge:user/1001")
    i = b.expect(method="INVITE")
    b.reply(i, 183, "Session Progress", sdp(b.rtp_port))
    a.expect(183)
    cancelled(b, i)
    refused_with(a, 480)


@pytest.mark.parametrize("mode,heard", [("true", None), ("consume", None), ("ring_ready", 180)])
def test_ignore_early_media(sw, phone, mode, heard):
    a, b = phone("1000"), phone("1001")
    call_apps(a, f"bridge:{{ignore_early_media={mode}}}user/1001")
    i = b.expect(method="INVITE")
    b.reply(i, 183, "Session Progress", sdp(b.rtp_port))
    if heard:
        a.expect(heard)
    b.reply(i, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    b.enter(i)
    a.answered()
    assert not [m for m in a.queue if m.code == 183]
    a.bye()
    bye_in(b)


def test_bridge_early_media(sw, phone):
    """The caller hears one phone's early media, the other may still win."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    call_apps(a, "bridge:{bridge_early_media=true}user/1001,user/1002")
    ib, ic = invited(b), invited(c)
    b.reply(ib, 183, "Session Progress", sdp(b.rtp_port))
    a.expect(183)
    c.reply(ic, 200, "OK", sdp(c.rtp_port))
    c.expect(method="ACK")
    c.enter(ic)
    a.answered()
    cancelled(b, ib)
    a.bye()
    bye_in(c)


def test_ringback_and_ignored_ringing(sw, phone):
    a, b = phone("1000"), phone("1001")
    call_apps(a, "set:ignore_ring_ready=true", "bridge:user/1001")
    i = invited(b, ringing=True)
    b.reply(i, 486, "Busy Here")
    b.expect(method="ACK")
    refused_with(a, 486)
    assert not [m for m in a.queue if m.code == 180]
    call_apps(a, "set:ringback=%(2000,4000,440)", "set:instant_ringback=true", "bridge:user/1001")
    i = invited(b)
    assert "m=audio" in a.expect(183).body  # before anybody rang
    a.cancel()
    cancelled(b, i)


# ---- several legs
@pytest.mark.parametrize("setting,code,ends", [("true", 480, True), ("USER_BUSY", 486, True), ("USER_BUSY", 480, False), ("!USER_BUSY", 480, True)])
def test_fail_on_single_reject(sw, phone, setting, code, ends):
    b, c = phone("1001"), phone("1002")
    o = Originate(sw, f"{{fail_on_single_reject={setting}}}user/1001,user/1002 &park")
    i = invited(c, ringing=True)
    refuse(b, code)
    if ends:
        cancelled(c, i)
        assert o.reply() == {480: "-ERR NO_USER_RESPONSE\n", 486: "-ERR USER_BUSY\n"}[code]
    else:
        c.reply(i, 200, "OK", sdp(c.rtp_port))
        c.expect(method="ACK")
        c.enter(i)
        o.uuid()
        sw.api("hupall")
        bye_in(c)


def test_leg_delay_start(sw, phone):
    """The second is dialled later, or as soon as nobody else is left."""
    b, c = phone("1001"), phone("1002")
    o = Originate(sw, "user/1001,[leg_delay_start=20]user/1002 &park")
    i = b.expect(method="INVITE")
    assert "1 total" in sw.api("show channels count")
    b.reply(i, 486, "Busy Here")
    b.expect(method="ACK")
    c.take()
    o.uuid()
    sw.api("hupall")
    bye_in(c)


def test_in_turn_after_a_timeout(sw, phone):
    b, c = phone("1001"), phone("1002")
    o = Originate(sw, "{originate_timeout=1}user/1001|user/1002 &park")  # a timeout ends it
    cancelled(b, invited(b))
    assert o.reply() == "-ERR NO_ANSWER\n"
    o = Originate(sw, "{originate_timeout=1,originate_continue_on_timeout=true}user/1001|user/1002 &park")
    cancelled(b, invited(b))
    c.take()
    o.uuid()
    sw.api("hupall")
    bye_in(c)
    o = Originate(sw, "{progress_timeout=1}user/1001|user/1002 &park")  # who gives no sign is passed over
    cancelled(b, invited(b))
    c.take()
    o.uuid()
    sw.api("hupall")
    bye_in(c)


def test_retries(sw, phone):
    b = phone("1001")
    o = Originate(sw, "{originate_retries=3,originate_retry_sleep_ms=500}user/1001 &park")
    refuse(b, 486)
    refuse(b, 480)
    b.take()
    o.uuid()
    sw.api("hupall")
    bye_in(b)


def test_groups(sw, phone):
    first, second = phone("1000"), phone("1001")
    for flag in ("", "+A", "+E"):
        o = Originate(sw, f"group/duo@{sw.domain}{flag} &park")
        i = invited(first)
        second.take()
        o.uuid()
        cancelled(first, i)
        sw.api("hupall")
        bye_in(second)
        sw.wait_calls(0)
    o = Originate(sw, f"group/duo@{sw.domain}+F &park")
    i = first.expect(method="INVITE")
    assert "1 total" in sw.api("show channels count")
    first.reply(i, 486, "Busy Here")
    first.expect(method="ACK")
    second.take()
    o.uuid()
    sw.api("hupall")
    bye_in(second)


# ---- confirmation
def test_confirm_by_key(sw, phone):
    b = phone("1001")
    o = Originate(sw, "{^^!group_confirm_key=5!group_confirm_file=tone_stream://%(60000,0,440)!group_confirm_read_timeout=20000}user/1001,error/USER_BUSY &park")
    events = sw.esl()
    events.subscribe("CHANNEL_ANSWER PLAYBACK_START")
    b.take()
    uuid = events.wait_event("CHANNEL_ANSWER")["Unique-ID"]
    events.wait_event("PLAYBACK_START")
    sw.api(f"uuid_recv_dtmf {uuid} 1")
    events.wait_event("PLAYBACK_START")  # asked again
    assert o.thread.is_alive()
    sw.api(f"uuid_recv_dtmf {uuid} 5")
    assert o.uuid() == uuid
    assert var(sw, uuid, "group_dial_status") == "winner"
    assert var(sw, uuid, "group_confirm_key") == "_undef_"
    events.close()
    sw.api("hupall")
    bye_in(b)


def test_confirm_by_application_and_too_late(sw, phone):
    b = phone("1001")
    o = Originate(sw, "'{group_confirm_key=exec,group_confirm_file=set here=yes}user/1001' &park")
    b.take()
    uuid = o.uuid()
    assert var(sw, uuid, "here") == "yes"
    sw.api("hupall")
    bye_in(b)
    o = Originate(sw, "{group_confirm_key=5,group_confirm_timeout=1}user/1001 &park")
    b.take()
    bye_in(b)  # answered, but nobody pressed anything
    assert o.reply() in ("-ERR NO_ANSWER\n", "-ERR ALLOTTED_TIMEOUT\n")


# ---- the caller meanwhile
def test_cancel_key_and_hooks(sw, phone):
    a, b = phone("1000"), phone("1001")
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE")
    call_apps(a, "set:origination_cancel_key=#", "answer", "set:execute_on_pre_originate=set::before=1", "bridge:user/1001",
              "set:after=1", "park")
    a.answered()
    i = invited(b)
    uuid = re.search(r"^([0-9a-f-]{36}),inbound", sw.api("show channels"), re.M).group(1)
    assert var(sw, uuid, "before") == "1"
    sw.api(f"uuid_recv_dtmf {uuid} #")
    cancelled(b, i)
    events.wait_event("CHANNEL_EXECUTE", Application="park")
    assert (var(sw, uuid, "after"), var(sw, uuid, "originate_disposition")) == ("1", "NO_ANSWER")
    events.close()
    sw.api("hupall")
    bye_in(a)


def test_hooks_of_the_called(sw, phone):
    b = phone("1001")
    o = Originate(sw, "{execute_on_originate=set::h1=a,execute_on_ring=set::h2=b,execute_on_answer=set::h3=c,"
                      "execute_on_post_originate=set::h4=d}user/1001 &park")
    i = invited(b, ringing=True)
    b.reply(i, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    b.enter(i)
    uuid = o.uuid()
    events = sw.esl()
    for name, value in (("h1", "a"), ("h2", "b"), ("h3", "c"), ("h4", "d")):
        for _ in range(100):
            if var(sw, uuid, name) == value:
                break
            sw.api("msleep 20")
        assert var(sw, uuid, name) == value
    events.close()
    sw.api("hupall")
    bye_in(b)


def test_commands_of_the_called(sw, phone):
    b = phone("1001")
    o = Originate(sw, "'{api_on_originate=global_setvar hook_o=1,api_on_ring=global_setvar hook_r=1,api_on_answer=global_setvar hook_a=1,"
                      "api_on_post_originate=global_setvar hook_p=1}user/1001' &park")
    b.take()
    o.uuid()
    for name in "orap":
        assert sw.api(f"global_getvar hook_{name}") == "1"
    sw.api("hupall")
    bye_in(b)


AFTER = [(["set:hangup_after_bridge=true"], None), (["set:park_after_bridge=true"], "park"), (["set:transfer_after_bridge=8002:XML:default"], "park"),
         (["set:exec_after_bridge_app=echo"], "echo"), ([], "next"), (["set:execute_on_post_bridge=set::post=1", "set:hangup_after_bridge=true"], None)]


@pytest.mark.parametrize("settings,app", AFTER)
def test_after_the_bridge(sw, phone, settings, app):
    a, b = phone("1000"), phone("1001")
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE CHANNEL_PARK CHANNEL_HANGUP_COMPLETE CHANNEL_BRIDGE")
    call_apps(a, *settings, "set:execute_on_pre_bridge=set::pre=1", "bridge:user/1001", "set:next=1", "sleep:60000")
    b.take()
    a.answered()
    uuid = events.wait_event("CHANNEL_BRIDGE")["Unique-ID"]
    assert var(sw, uuid, "pre") == "1"
    b.own_request("BYE")
    b.expect(200)
    if app is None:
        bye_in(a)
        done = events.wait_event("CHANNEL_HANGUP_COMPLETE", Call_Direction="inbound")
        assert len(settings) == 1 or done["variable_post"] == "1"
    else:
        if app == "park":
            events.wait_event("CHANNEL_PARK")
        else:
            events.wait_event("CHANNEL_EXECUTE", Application={"echo": "echo", "next": "sleep"}[app])
        sw.api("hupall")
        bye_in(a)
    events.close()


# ---- endpoints
def test_null_and_loopback(sw):
    uuid = Originate(sw, "null/x &park").uuid()
    assert var(sw, uuid, "channel_name") == "null/x"
    sw.api("hupall")
    sw.wait_calls(0)
    o = Originate(sw, "{null_enable_auto_answer=false,originate_timeout=1}null/x &park")
    assert o.reply() == "-ERR NO_ANSWER\n"
    assert Originate(sw, "loopback/app=echo &park").uuid()
    sw.api("hupall")
    sw.wait_calls(0)


def test_pickup(sw, phone):
    a, b = phone("1000"), phone("1001")
    # a rings, b picks the group up
    o = Originate(sw, "user/1000,pickup/sales &park")
    i = invited(a, ringing=True)
    b.invite("8001")
    b.answered()
    o.reply()
    assert "completed elsewhere" in cancelled(a, i).get("Reason")
    sw.api("hupall")
    bye_in(b)
    sw.wait_calls(0)
    # the others refuse: the pickup waits no longer
    o = Originate(sw, "user/1000,pickup/sales &park")
    refuse(a, 486)
    assert o.reply() == "-ERR USER_BUSY\n"


def test_pickup_of_a_callers_call(sw, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    call_apps(a, "bridge:user/1001,pickup/sales")
    i = invited(b, ringing=True)
    a.expect(180)
    c.invite("8001")
    c.answered()
    a.answered()
    cancelled(b, i)
    assert "1 total" in sw.api("show bridged_calls count")
    a.bye()
    bye_in(c)
    c.invite("8001")  # nobody waits
    assert c._read(8).code == 100
    final = c._read(8)
    assert final.code >= 300, final
    c.ack_failure(final)


# ---- variables of the INVITE
def test_variables_of_the_invite(sw, phone):
    b = phone("1001")
    o = Originate(sw, "{origination_caller_id_name=Foo,origination_caller_id_number=99,sip_h_X-Test=yes,sip_invite_params=x=1,"
                      "sip_invite_to_params=isup-oli=1,sip_invite_from_params=user=phone,sip_to_display=Bar,sip_invite_cseq=4711,"
                      "sip_invite_call_id=my-call,sip_invite_contact_params=~+sip.src,"
                      "sip_route_uri=sip:127.0.0.1:%d;lr,origination_uuid=12345678-1111-2222-3333-123456789012}user/1001 &park" % b.port)
    i = b.take()
    assert o.uuid() == "12345678-1111-2222-3333-123456789012"
    assert '"Foo" <sip:99@' in i.get("From") and "user=phone" in i.get("From")
    assert i.get("X-Test") == "yes" and ";x=1 SIP/2.0" in i.first
    assert int(i.get("CSeq").split()[0]) == 4711 and i.get("Call-ID") == "my-call"
    assert i.get("Contact").endswith(">;+sip.src")
    assert i.get("To").startswith('"Bar" <sip:1001@') and "isup-oli=1" in i.get("To")
    sw.api("hupall")
    bye_in(b)
    o = Originate(sw, "'{sip_invite_cseq=0,sip_invite_contact_params=isfocus,sip_invite_full_from=\"Ann\" <sip:ann@example.com>,sip_invite_full_to=<sip:bob@example.org>,"
                      "sip_invite_req_uri=sip:bob@127.0.0.1:%d}user/1001' &park" % b.port)
    i = b.take()
    o.uuid()
    assert i.get("Contact").endswith(";isfocus>") and int(i.get("CSeq").split()[0]) > 0
    assert i.get("From").startswith('"Ann" <sip:ann@example.com>') and i.get("To").startswith("<sip:bob@example.org>")
    assert i.first.startswith("INVITE sip:bob@127.0.0.1:")
    sw.api("hupall")
    bye_in(b)


def test_privacy(sw, phone):
    b = phone("1001")
    o = Originate(sw, "{origination_privacy=hide_name+hide_number,origination_caller_id_number=99}user/1001 &park")
    i = b.take()
    o.uuid()
    assert "anonymous" in i.get("From").lower() and "99@" not in i.get("From")
    sw.api("hupall")
    bye_in(b)


# ---- redirection
def redirect(p, *contacts, extra=""):
    """302 with these Contacts, in place of the phone's own."""
    i = p.expect(method="INVITE")
    text = (f"SIP/2.0 302 Moved Temporarily\n" + "".join(f"Via: {v}\n" for v in i.all("Via"))
            + f"From: {i.get('From')}\nTo: {i.get('To')};tag={p.tag}\nCall-ID: {i.get('Call-ID')}\nCSeq: {i.get('CSeq')}\n"
            + "".join(f"Contact: {c}\n" for c in contacts) + f"{extra}Content-Length: 0\n\n")
    p.send(text)
    p.expect(method="ACK")


def test_redirected_elsewhere(sw, phone):
    """A 302 to another address is followed by the same leg."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    call_apps(a, "bridge:user/1001")
    redirect(b, f"<sip:joe@localhost:{c.port}>;q=0.9", "<sip:ann@example.com>", extra="Diversion: <sip:1001@x>\n")
    a_leg = re.search(r"^([0-9a-f-]{36}),inbound", sw.api("show channels"), re.M).group(1)
    j = c.take()
    assert j.first.startswith("INVITE sip:joe@localhost:")
    assert "1001@" in j.get("To")
    a.answered()
    assert f"<sip:joe@localhost:{c.port}>;q=0.9" in var(sw, a_leg, "sip_redirected_to")
    assert var(sw, a_leg, "sip_redirect_contact_user_0") == "joe"
    assert var(sw, a_leg, "sip_redirect_dialstring").startswith("sofia/internal/sip:joe@localhost")
    assert var(sw, a_leg, "sip_redirected_by") == "<sip:1001@x>"
    a.bye()
    bye_in(c)


@pytest.mark.parametrize("fork,between", [("true", ","), ("false", "|")])
def test_contacts_of_a_redirection_as_a_dial_string(sw, phone, fork, between):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    call_apps(a, f"bridge:[sip_redirect_fork={fork}]user/1001")
    redirect(b, f"<sip:joe@localhost:{c.port}>", "<sip:ann@example.com>")
    c.take()
    a.answered()
    a_leg = re.search(r"^([0-9a-f-]{36}),inbound", sw.api("show channels"), re.M).group(1)
    assert var(sw, a_leg, "sip_redirect_dialstring") == between.join(
        [f"sofia/internal/sip:joe@localhost:{c.port}", "sofia/internal/sip:ann@example.com"])
    a.bye()
    bye_in(c)


@pytest.fixture
def manual_redirect(sw):
    conf = sw.root / "conf/sip_profiles/internal.xml"
    text = conf.read_text()
    conf.write_text(text.replace("<settings>", '<settings><param name="manual-redirect" value="true"/>', 1))
    assert "scan complete" in sw.api("sofia profile internal rescan")
    yield
    conf.write_text(text)
    sw.api("sofia profile internal rescan")


def test_manual_redirect(sw, phone, manual_redirect):
    """The dialplan decides about a redirection, whatever its host: in sip_redirect_context, or after the bridge."""
    a, b = phone("1000"), phone("1001")
    call_apps(a, "bridge:[sip_redirect_context=default]user/1001")
    redirect(b, "<sip:8003@example.com>")
    refused_with(a, 486)
    call_apps(a, "set:continue_on_fail=true", "bridge:[outbound_redirect_info=true]user/1001", "answer", "park")
    redirect(b, "<sip:8003@example.com>")
    a.answered()
    a_leg = re.search(r"^([0-9a-f-]{36}),inbound", sw.api("show channels"), re.M).group(1)
    assert var(sw, a_leg, "originate_disposition") == "REDIRECTION_TO_NEW_DESTINATION"
    assert var(sw, a_leg, "sip_redirect_contact_user_0") == "8003"
    sw.api("hupall")
    bye_in(a)


def test_redirected_to_our_own_number(sw, phone):
    """A contact of our own domain: the caller's dialplan goes on with its user part."""
    a, b = phone("1000"), phone("1001")
    a.invite("8007")
    redirect(b, f"<sip:8003@{sw.domain}>")
    refused_with(a, 486)


@pytest.mark.parametrize("dial,contacts,reply", [
    ("user/1001", [], "-ERR NORMAL_UNSPECIFIED\n"), ("user/1001", ["<tel:123>"], "-ERR DESTINATION_OUT_OF_ORDER\n"),
    ("{outbound_redirect_fatal=true}user/1001", ["<sip:x@example.com>"], "-ERR REQUESTED_CHAN_UNAVAIL\n")])
def test_redirected_nowhere(sw, phone, dial, contacts, reply):
    b = phone("1001")
    o = Originate(sw, dial + " &park")
    redirect(b, *contacts)
    assert o.reply() == reply


def test_redirected_in_a_circle(sw, phone):
    b = phone("1001")
    o = Originate(sw, "user/1001 &park")
    for _ in range(11):
        redirect(b, f"<sip:1001@127.0.0.1:{b.port}>")
    assert o.reply() == "-ERR EXCHANGE_ROUTING_ERROR\n"


def test_redirecting(sw, phone):
    a = phone("1000")
    call_apps(a, "redirect:sip:joe@example.com,sip:ann@example.com")
    r = refused_with(a, 302)
    assert r.get("Contact") == '"unknown" <sip:joe@example.com>;q=0.129, "unknown" <sip:ann@example.com>;q=0.128'
    call_apps(a, "redirect:sip:joe@example.com")
    assert refused_with(a, 302).get("Contact") == '"unknown" <sip:joe@example.com>'
