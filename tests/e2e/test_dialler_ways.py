"""mod_dialler, what a call may meet: machines with their greeting and beep, menus by keys, prefixes, causes; and what it tells."""
import judge
import numpy as np
import pytest
import tandem as t
from calls import accept, cancelled, ended, extension
from dialler import agent, all_done, campaign, configure, dialler, events, lab, load, report, results, retry, run, state, told, until  # noqa: F401 (events, run: fixtures)
from talk import FRAME, Talker
from wire import sdp

pytestmark = pytest.mark.leaks
NO_RETRY = retry("default", 3600, 0)
SHARED = """<trunks><trunk name="phones" dial="user/${number}@127.0.0.1"/><trunk name="lab" dial="loopback/${number}/lab"/></trunks>
<limits><limit prefix="88" max-calls="1"/></limits>
<caller-ids><caller-id pool="p" number="5550001"/><caller-id pool="p" prefix="100" number="5551000" name="Desk"/></caller-ids>"""
MENU = """<configuration name="ivr.conf"><menus>
 <menu name="ask" greet-long="tone_stream://%(200,0,500)" timeout="3000" inter-digit-timeout="300" max-failures="2" max-timeouts="2" digit-len="1">
  <entry action="menu-exec-app" digits="/^([1-5])$/" param="dialler_answer stars $1"/>
  <entry action="menu-sub" digits="8" param="more"/>
 </menu>
 <menu name="more" greet-long="tone_stream://%(200,0,900)" timeout="3000" inter-digit-timeout="300" max-failures="2" max-timeouts="2" digit-len="1">
  <entry action="menu-exec-app" digits="1" param="dialler_answer again yes"/>
  <entry action="menu-exec-app" digits="2" param="hangup"/>
 </menu></menus></configuration>"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("dialler") / "instance")
    machine = dict(mode="survey", trunks="phones", extension="7500", machine_wait=6)
    configure(s, [
        campaign("leave", NO_RETRY, **{**machine, "answering_machine": "message", "machine_sound": "tone_stream://%(700,0,1300)"}),
        campaign("connect", NO_RETRY, **{**machine, "answering_machine": "connect"}),
        campaign("menu", NO_RETRY, mode="survey", trunks="phones", extension="7501", caller_id_pool="p"),
        campaign("cause", retry("USER_BUSY", 0, 3), retry("busy", 3600, 9), retry("default", 3600, 0), mode="survey", trunks="lab", extension="7500"),
        campaign("one", NO_RETRY, mode="survey", trunks="lab", extension="7502", lines=10),
        campaign("talk", agent("ann", "user/1001@127.0.0.1"), NO_RETRY, trunks="phones", wrap_up_time=1)],
        SHARED, modules=("mod_amd", "mod_avmd", "mod_dialler"))
    lab(s, extension("862.*", "hangup USER_BUSY"), extension(".*", "answer", "park"))
    (s.root / "conf/autoload_configs/ivr.conf.xml").write_text(MENU)
    (s.root / "conf/dialplan/default/tests.xml").write_text("\n".join(["<include>",
        extension("7500", "dialler_answer machine ${dialler_machine}", "sleep 300", "hangup"), extension("7501", "ivr ask", "hangup"),
        extension("7502", "sleep 300", "hangup"), "</include>"]))
    s.start()
    yield s
    s.stop()


def greets(p, invite, *parts):
    """Answers, and says that: sounds, or seconds of silence."""
    sound = np.concatenate([x if isinstance(x, np.ndarray) else np.zeros(int(x * 8000)) for x in parts])
    sound = np.concatenate([sound, np.zeros(-len(sound) % FRAME)])
    p.talk, p.hz = None, 0
    p.reply(invite, 200, "OK", sdp(p.rtp_port))
    p.expect(method="ACK")
    p.enter(invite)
    p.talk = Talker(p, 0)
    p.talk._frames += list(sound.reshape(-1, FRAME))


def test_a_message_behind_the_beep(sw, phone, events, run):
    c = phone("1003", 0)
    load(sw, "leave", "number\n1003\n")
    run("leave")
    greets(c, c.expect(method="INVITE"), 0.3, judge.speech(5.0, seed=3), 0.2, judge.tone(1000, 0.4), 0.2)
    until(c.talk.mark)  # nothing is sent while it is listened to
    c.talk.hears(1300)
    assert not c.talk._frames  # not into the greeting: the beep was said
    ended(c)
    assert told(events, "call-end")["Dialler-Result"] == "machine"
    assert report(sw, "show leave")["day"]["answered"] == 0  # nobody was abandoned, nobody answered


def test_a_person_is_no_machine(sw, phone, events, run):
    c = phone("1004", 0)
    load(sw, "leave", "number\n1004\n")
    run("leave")
    greets(c, c.expect(method="INVITE"), 0.3, judge.speech(0.7), 1.5)
    ended(c)
    assert told(events, "call-end")["Dialler-Result"] == "completed"


def test_a_machine_may_be_connected(sw, phone, events, run):
    c = phone("1005", 0)
    load(sw, "connect", "number\n1005\n")
    run("connect")
    greets(c, c.expect(method="INVITE"), 0.3, judge.speech(5.0, seed=3))
    assert told(events, "answer")["Dialler-Answer"] == "true"
    ended(c)
    assert told(events, "call-end")["Dialler-Result"] == "completed"


def test_a_menu_asks(sw, phone, events, run):
    """Keys through two menus; each answer is kept with its call; the number shown is that of the longest prefix."""
    c = phone("1003", 0)
    load(sw, "menu", "number\n1003\n")
    run("menu")
    i = c.expect(method="INVITE")
    assert "5551000" in i.get("From") and "Desk" in i.get("From")
    accept(c, i)
    c.talk.hears(500)
    c.talk.press("4")
    assert told(events, "answer")["Dialler-Answer"] == "4"
    c.talk.press("8")
    c.talk.hears(900)
    c.talk.press("1")
    assert told(events, "answer")["Dialler-Question"] == "again"
    c.talk.press("2")
    ended(c)
    told(events, "call-end")
    assert until(lambda: [r["answers"] for r in report(sw, "results menu")["rows"]]) == [{"stars": "4", "again": "yes"}]


def test_a_cause_has_its_own_rule(sw, run):
    load(sw, "cause", "number\n8621\n")
    run("cause")
    all_done(sw, "cause")
    assert [(r["attempt"], r["cause"]) for r in report(sw, "results cause")["rows"]] == [(3, "USER_BUSY"), (2, "USER_BUSY"), (1, "USER_BUSY")]


def test_one_at_a_time_of_a_prefix(sw, run):
    load(sw, "one", "number\n" + "".join(f"88{i:03}\n" for i in range(5)) + "77001\n")
    most = 0
    run("one")

    def look():
        nonlocal most
        most = max(most, sw.api("show channels").count("loopback/88"))
        return state(sw, "one")["done"] == 6
    until(look)
    assert 0 < most <= 2  # the two legs of one loopback


def test_what_is_told(sw, phone, events, run):
    """A campaign's life in events, in order; pausing keeps the talk, stopping cancels what rings."""
    ann, c, c2 = phone("1001", 400), phone("1003", 500), phone("1004", 600)
    assert load(sw, "talk", "number,priority\n1003,9\n1004,1\n")[0].startswith("+OK 2")
    e = told(events, "import")
    assert (e["Dialler-Imported"], e["Dialler-Duplicates"], e["Dialler-Bad"], e["Dialler-Campaign"]) == ("2", "0", "0", "talk")
    dialler(sw, "agent talk login ann")
    accept(ann, ann.expect(method="INVITE"))
    assert told(events, "agent-state", Dialler_State="free")["Dialler-Agent"] == "ann"
    run("talk")
    told(events, "campaign-start")
    accept(c, c.expect(method="INVITE"))
    call = told(events, "call-start")["Dialler-Call-ID"]
    for action in ("call-answered", "call-connected"):
        assert told(events, action)["Dialler-Call-ID"] == call
    dialler(sw, "pause talk")
    told(events, "campaign-pause")
    ann.talk.hears(500)
    c.bye()
    assert told(events, "agent-state", Dialler_State="wrap-up")["Dialler-Agent"] == "ann"
    end = told(events, "call-end")
    assert (end["Dialler-Call-ID"], end["Dialler-Result"], end["Dialler-Cause"]) == (call, "answered", "NORMAL_CLEARING")
    told(events, "agent-state", Dialler_State="free")
    c2.expect_nothing("INVITE", 0.7)
    dialler(sw, "resume talk")
    i = c2.expect(method="INVITE")
    c2.reply(i, 180, "Ringing")
    dialler(sw, "stop talk")
    told(events, "campaign-stop")
    cancelled(c2, i)
    assert told(events, "call-end")["Dialler-Result"] == "cancelled"
    until(lambda: results(sw, "talk") == {"answered": 1, "cancelled": 1})
    dialler(sw, "agent talk logout ann")
    ended(ann)
