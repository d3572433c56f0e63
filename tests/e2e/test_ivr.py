"""Menus: what is said and done for each key, how a caller leaves, and what the configuration may get wrong. The events tell what was
played, as they do to a client."""
import re
import subprocess

import pytest
import tandem as t
from calls import call, ended, extension, press, write_extensions
from wire import Phone

pytestmark = pytest.mark.leaks
TONE = "tone_stream://%(60,0,{})"
MENUS = """<configuration name="ivr.conf"><menus>
 <menu name="main" greet-long="tone_stream://%(60,0,400)" greet-short="tone_stream://%(60,0,300)" invalid-sound="tone_stream://%(60,0,200)"
  exit-sound="tone_stream://%(60,0,900)" timeout="1500" inter-digit-timeout="300" max-failures="2" max-timeouts="2" digit-len="4">
  <entry action="menu-exec-app" digits="1" param="set pressed=one"/>
  <entry action="menu-sub" digits="2" param="sub"/>
  <entry action="menu-play-sound" digits="3" param="tone_stream://%(60,0,700)"/>
  <entry action="menu-exit" digits="4"/>
  <entry action="menu-exec-app" digits="5" param="transfer 7390 XML default"/>
  <entry action="menu-exec-api" digits="6" param="global_setvar ivr_seen=${destination_number}"/>
  <entry action="menu-exec-app" digits="/^(7\\d\\d\\d)$/" param="set dialled=$1"/>
  <entry action="menu-exec-app" digits="/^7(\\d)\\d\\d$/" param="set second=$1"/>
  <entry action="menu-exec-app" digits="8" param="nosuchapp x"/>
  <entry action="menu-top" digits="9"/>
  <entry action="menu-exec-app" digits="#" param="set pressed=pound"/>
 </menu>
 <menu name="sub" greet-long="tone_stream://%(60,0,600)" timeout="1500" max-failures="2" max-timeouts="1" exit-sound="tone_stream://%(60,0,950)">
  <entry action="menu-back" digits="1"/>
  <entry action="menu-sub" digits="2" param="deep"/>
  <entry action="menu-top" digits="*"/>
  <entry action="menu-exit" digits="4"/>
 </menu>
 <menu name="deep" greet-long="tone_stream://%(60,0,800)" timeout="1500" max-failures="2">
  <entry action="menu-back" digits="1"/>
  <entry action="menu-top" digits="2"/>
 </menu>
 <menu name="locked" pin="4321" pin-file="tone_stream://%(60,0,350)" bad-pin-file="tone_stream://%(60,0,250)" greet-long="tone_stream://%(60,0,610)"
  timeout="1000" max-failures="1" max-timeouts="1" exec-on-max-timeouts="set gone=quiet" exec-on-max-failures="set gone=wrong">
  <entry action="menu-exit" digits="1"/>
 </menu>
 <menu name="round" greet-long="tone_stream://%(60,0,620)" timeout="1500"><entry action="menu-sub" digits="1" param="round"/></menu>
 <menu name="asks" greet-long="tone_stream://%(60,0,630)" timeout="1500" max-failures="3" digit-len="2" inter-digit-timeout="300"
  confirm-macro="dialled" confirm-key="1">
  <entry action="menu-exec-app" digits="42" param="set pressed=42"/>
  <entry action="menu-exit" digits="4"/>
 </menu>
</menus></configuration>
"""
MACRO = """<macro name="dialled" pause="0"><input pattern="(.*)"><match><action function="play-file" data="tone_stream://%(60,0,77$1)"/></match></input></macro>"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("ivr") / "instance")
    (s.root / "conf/autoload_configs/ivr.conf.xml").write_text(MENUS)
    en = s.root / "conf/lang/en/en.xml"
    en.write_text(en.read_text().replace("<macros>", "<macros>" + MACRO, 1))
    menus = ("main", "sub", "locked", "round", "asks", "nosuch")
    write_extensions(s, [*(extension(f"730{i}", "answer", f"ivr {m}", "park") for i, m in enumerate(menus)), extension("7390", "answer", "park")])
    s.start()
    yield s
    s.stop()


class Caller:
    """Calls a menu; knows what was played, entered and left since the last look."""

    def __init__(self, sw, number):
        self.sw = sw
        self.esl = sw.esl()
        self.esl.command("event plain CHANNEL_PARK CHANNEL_HANGUP PLAYBACK_START PLAYBACK_STOP CUSTOM menu::enter menu::exit")
        self.phone = Phone(sw, "1000")
        before = self.uuids()
        call(self.phone, number)
        self.uuid, = self.uuids() - before
        self.keys = 1000

    def uuids(self):
        return {line.split("|")[0] for line in self.sw.api("show channels as delim |").splitlines()[1:] if line.count("|") > 5}

    def press(self, digits):
        press(self.phone, digits, self.keys)
        self.keys += 1000

    def until(self, what):
        """The story up to the first event whose line is what: "play 400", "stop 400", "enter main", "exit main", "park"."""
        story = []
        while not story or story[-1] != what:
            e = self.esl.next_event()
            if e["Unique-ID"] != self.uuid:
                continue
            name, path = e.get("Event-Name"), e.get("Playback-File-Path", "")
            hz = path.rsplit(",", 1)[-1].rstrip(")")
            line = {"PLAYBACK_START": f"play {hz}", "PLAYBACK_STOP": f"stop {hz}", "CHANNEL_PARK": "park", "CHANNEL_HANGUP": "hangup"}.get(name)
            story.append(line or f"{e['Event-Subclass'].split('::')[1]} {e['Menu-Name']}")
        return [s for s in story if not s.startswith("stop")]

    def var(self, name):
        return self.sw.api(f"uuid_getvar {self.uuid} {name}")


@pytest.fixture
def at(sw):
    callers = []

    def go(number):
        callers.append(Caller(sw, number))
        return callers[-1]
    yield go
    for c in callers:
        c.phone.bye()
        c.esl.close()
    sw.wait_calls(0)


def test_keys(sw, at):
    c = at("7300")
    assert c.until("stop 400") == ["enter main", "play 400"]
    c.press("1")
    c.until("stop 300")
    assert c.var("pressed") == "one"
    c.press("3")
    assert c.until("stop 300") == ["play 700", "play 300"]
    c.press("7123")  # both patterns fit, both entries run
    c.until("stop 300")
    assert (c.var("dialled"), c.var("second")) == ("7123", "1")
    c.press("6")
    c.until("stop 300")
    assert sw.api("global_getvar ivr_seen") == "7300"
    c.press("#")  # ends what was dialled, alone it is a key
    c.until("stop 300")
    assert (c.var("pressed"), c.var("ivr_menu_terminator")) == ("pound", "#")
    c.press("9")
    assert c.until("play 400") == ["play 400"]
    c.press("4")
    assert c.until("park") == ["play 900", "exit main", "park"]
    assert c.var("ivr_menu_status") == "success"


def test_a_key_ends_the_greeting(sw, at):
    c = at("7300")
    c.until("play 400")
    c.press("4")
    assert c.until("park") == ["play 900", "exit main", "park"]


def test_wrong_keys_and_silence(at):
    c = at("7300")
    c.until("stop 400")
    c.press("0")
    assert c.until("stop 300") == ["play 200", "play 300"]
    c.press("0")
    assert c.until("park") == ["play 200", "play 900", "exit main", "park"]
    assert c.var("ivr_menu_status") == "failure"
    c = at("7300")
    assert c.until("park") == ["enter main", "play 400", "play 300", "play 900", "exit main", "park"]


def test_submenus(at):
    c = at("7300")
    c.until("stop 400")
    c.press("2")
    assert c.until("stop 600") == ["exit main", "enter sub", "play 600"]
    c.press("2")
    assert c.until("stop 800") == ["exit sub", "enter deep", "play 800"]
    c.press("1")
    assert c.until("stop 600") == ["exit deep", "enter sub", "play 600"]
    c.press("2")
    c.until("stop 800")
    c.press("2")
    assert c.until("stop 400") == ["exit deep", "enter sub", "exit sub", "enter main", "play 400"]
    c.press("2")
    assert c.until("stop 600") == ["exit main", "enter sub", "play 600"]
    assert c.until("stop 400") == ["exit sub", "enter main", "play 400"]  # silence leads back; only the first menu says goodbye
    c.press("2")
    c.until("stop 600")
    c.press("4")
    assert c.until("park") == ["exit sub", "enter main", "play 900", "exit main", "park"]


def test_pin(at):
    c = at("7302")
    assert c.until("stop 350") == ["enter locked", "play 350"]
    c.press("1111")
    assert c.until("stop 350") == ["play 250", "play 350"]
    c.press("4321")
    assert c.until("stop 610") == ["play 610"]
    c.press("9")
    c.until("park")
    assert (c.var("gone"), c.var("ivr_menu_status")) == ("wrong", "failure")
    c = at("7302")
    for _ in range(3):
        c.until("stop 350")
        c.press("9999")
    assert c.until("park")[-2:] == ["exit locked", "park"]
    assert (c.var("gone"), c.var("ivr_menu_status")) == ("_undef_", "failure")


def test_confirm(at):
    c = at("7304")
    c.until("stop 630")
    c.press("42")
    assert c.until("stop 7742") == ["play 7742"]
    c.press("2")
    assert c.until("stop 630") == ["play 630"]
    assert c.var("pressed") == "_undef_"
    c.press("42")
    c.until("stop 7742")
    c.press("1")
    c.until("stop 630")
    assert c.var("pressed") == "42"


def test_elsewhere(at):
    c = at("7300")
    c.until("stop 400")
    c.press("5")
    assert c.until("park") == ["exit main", "park"]  # no goodbye to who is sent on
    c = at("7305")
    assert c.until("park") == ["park"]
    c = at("7300")
    c.until("stop 400")
    c.press("8")
    assert c.until("park") == ["play 900", "exit main", "park"]


def test_no_menu_is_endless(sw, at):
    c = at("7303")
    for _ in range(20):
        c.until("stop 620")
        c.press("1")
    c.until("stop 620")
    c.press("1")
    sw.wait_log("more than 20 menus deep")
    c.until("park")


def test_reload_leaves_callers_where_they_are(sw, at):
    c = at("7301")
    c.until("stop 600")
    p = sw.root / "conf/autoload_configs/ivr.conf.xml"
    try:
        p.write_text('<configuration name="ivr.conf"><menus/></configuration>')
        assert sw.api("reloadxml").startswith("+OK")
        c.press("2")
        assert c.until("stop 800")[-1] == "play 800"
        assert at("7300").until("park") == ["park"]  # who comes now finds none
    finally:
        p.write_text(MENUS)
        sw.api("reloadxml")


def test_hangup_in_a_menu(sw, at):
    c = at("7302")
    c.until("play 350")  # who is gone is asked nothing; the fixture hangs up here


def test_config_check(tmp_path):
    s = t.Tandem(tmp_path / "instance")
    (s.root / "conf/autoload_configs/ivr.conf.xml").write_text("""<configuration name="ivr.conf"><menus>
<menu name="a" timeout="soon" max-faults="3"><entry action="menu-sub" digits="1" param="nosuch"/>
<entry action="menu-fly" digits="2"/><entry action="menu-exit"/><entry action="menu-exec-app" digits="/(/" param="set a=b"/>
<entry action="menu-exec-app" digits="33" param="nosuchapp x"/></menu>
<menu name="A"/><menu/></menus></configuration>""")
    out = subprocess.run([s.binary, "-base", s.root, "-check-config"], capture_output=True, text=True, env=s.env)
    text = out.stdout + out.stderr
    for line, why in ((2, 'timeout="soon" is no number'), (2, "max-faults is not known"), (2, "there is no menu nosuch"), (3, 'no action "menu-fly"'),
                      (3, "has no digits"), (3, "menu a: /(/"), (4, "nosuchapp"), (4, '"33" is never dialled'), (5, "a menu of this name already"),
                      (5, "has no name")):
        assert re.search(rf"ivr\.conf\.xml:{line}:\d+: .*{re.escape(why)}", text), (why, text)
    assert out.returncode == 0, "a menu that is wrong does not keep the switch from starting"
