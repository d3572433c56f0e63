"""Real phones: baresip and linphone in one conference with a scripted one. Each hears the two others and not itself; keys and commands work on
them."""
import time

import pytest
from calls import call_and_talk, extension, write_extensions
from phones import Baresip, Linphone, read_wav, tone_level

pytestmark = [pytest.mark.leaks, pytest.mark.quiet]
TALK_S = 2.5


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("conference") / "instance")
    modules = s.root / "conf/autoload_configs/modules.conf.xml"
    if "mod_conference" not in modules.read_text():
        modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_conference"/></modules>'))
    (s.root / "conf/autoload_configs/conference.conf.xml").write_text(
        '<configuration name="conference.conf"><profiles><profile name="default"><param name="energy-level" value="100"/></profile></profiles></configuration>')
    write_extensions(s, [extension("7400", "answer", "conference real@default")])
    s.start()
    yield s
    s.stop()


def has(path, hz):
    x, rate = read_wav(path)
    return (tone_level(x, rate, hz) > 1500).sum() * 0.02


def test_three(sw, phone, tmp_path):
    a, lin, c = Baresip(tmp_path, sw, "1000", hz=440), Linphone(tmp_path, sw, "1001", hz=620), phone("1002", 850)
    events = sw.esl()
    events.subscribe("CUSTOM conference::maintenance")
    try:
        def told(action, **more):
            return events.wait_event("CUSTOM", Action=action, **more)
        a.dial("7400")
        a.wait("CALL_ESTABLISHED")
        first = told("add-member")["Member-ID"]
        lin.dial("7400")
        lin.established()
        second = told("add-member")["Member-ID"]
        call_and_talk(c, "7400")
        told("add-member")
        c.talk.hears(440, 620, absent=(850,))
        time.sleep(TALK_S)
        path = tmp_path / "room.wav"
        assert sw.api(f"conference real record {path}").startswith("+OK")
        told("start-recording")
        a.digits("0")  # baresip mutes itself
        told("mute-member", Member_ID=first)
        c.talk.hears(620, absent=(440,))
        sw.api(f"conference real mute {second}")
        c.talk.hears(absent=(440, 620))
        sw.api("conference real unmute all")
        c.talk.hears(440, 620)
        sw.api("conference real lock")
        sw.api("conference real norecord all")
        assert int(told("stop-recording")["Record-File-Size"]) > 1000
        assert has(path, 850) > 0.5
        sw.api(f"conference real kick {second}")
        lin.ended()
        a.digits("#")
        told("del-member", Member_ID=first)
        a.wait("CALL_CLOSED")
        for name, phone_, others, own in (("baresip", a, (620, 850), 440), ("linphone", lin, (440, 850), 620)):
            heard = phone_.heard()
            for hz in others:
                assert has(heard, hz) > 0.5, f"{name} does not hear {hz} Hz"
            assert has(heard, own) < 0.2, f"{name} hears itself"
    finally:
        events.close()
        a.close()
        lin.close()
