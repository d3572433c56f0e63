"""Levels of a room that move by themselves: auto-energy keeps out what is softer than who talks, max-energy silences who is too loud."""
import re

import pytest
import tandem as t
from calls import call_and_talk, extension, write_extensions
from talk import _until as until

pytestmark = pytest.mark.leaks
CONF = """<configuration name="conference.conf"><profiles>
  <profile name="auto"><param name="energy-level" value="100"/><param name="auto-energy-level" value="3000"/><param name="auto-energy-seconds" value="1"/></profile>
  <profile name="max"><param name="energy-level" value="100"/><param name="max-energy-level" value="2000"/>
   <param name="max-energy-hit-trigger" value="3"/><param name="max-energy-level-mute-ms" value="3000"/></profile>
  <profile name="near"><param name="energy-level" value="100"/><param name="max-energy-level" value="6000"/></profile>
 </profiles></configuration>
"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("energy") / "instance")
    (s.root / "conf/autoload_configs/conference.conf.xml").write_text(CONF)
    write_extensions(s, [extension(f"745{i}", "answer", f"conference {name}@{name}") for i, name in enumerate(("auto", "max", "near"))])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("CUSTOM conference::maintenance")
    yield e
    e.close()


def told(events, action, p):
    return events.wait_event("CUSTOM", Event_Subclass="conference::maintenance", Action=action, Caller_Caller_ID_Number=p.user)


def join(events, p, number):
    call_and_talk(p, number)
    return told(events, "add-member", p)["Member-ID"]


def energy(sw, room, member):
    return int(re.search(r"Energy: (\d+)\n", sw.api(f"conference {room} auto-energy {member}")).group(1))


def talks_with_a_gap(events, p, hz):
    """Three seconds with a gap in it, then silence."""
    p.talk.say(1.3, hz=hz)
    p.talk.say(0.4, hz=0)
    p.talk.say(1.3, hz=hz)
    p.talk.say(0.1, hz=0)
    return told(events, "stop-talking", p)


def test_the_level_follows_who_talks(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 0)
    member = join(events, a, "7450")
    join(events, b, "7450")
    b.talk.hears(400)
    assert energy(sw, "auto", member) == 100
    e = talks_with_a_gap(events, a, 400)
    assert e["Energy-Level"] == "3000"  # three quarters of a mean of 5093, and no more than auto-energy-level
    assert f";3000\n" in sw.api("conference auto list")
    a.talk.level = 2000  # softer: a mean of 1273 is kept out
    a.talk.say(0.5, hz=500)
    b.talk.hears(absent=(500,))
    # nobody talks: the level comes down again, a step a second, until he is heard
    until(lambda: 2000 < energy(sw, "auto", member) < 3000, 10, lambda: "the level stays")
    assert energy(sw, "auto", member) % 100 == 0
    # muted and not, it is what it became; what a command says counts
    level = energy(sw, "auto", member)
    sw.api(f"conference auto mute {member}"), sw.api(f"conference auto unmute {member}")
    assert energy(sw, "auto", member) in (level, level - 100)
    assert sw.api(f"conference auto energy {member} 200") == f"Energy {member} = 200\n"
    b.talk.hears(500, share=0.08)
    # as loud as it was: the new level is of how loud he was now
    e = talks_with_a_gap(events, a, 500)
    assert 700 < int(e["Energy-Level"]) < 1000, e["Energy-Level"]
    # without auto-energy it is what was set
    assert f"Energy: {e['Energy-Level']}" in sw.api(f"conference auto auto-energy {member} 0")
    assert energy(sw, "auto", member) == int(e["Energy-Level"])


def test_a_talk_without_a_gap_says_nothing(sw, phone, events):
    """It may be noise."""
    a, b = phone("1000", 400), phone("1001", 0)
    member = join(events, a, "7450")
    join(events, b, "7450")
    told(events, "start-talking", a)
    a.talk.say(2.5)
    a.talk.say(0.1, hz=0)
    told(events, "stop-talking", a)
    assert energy(sw, "auto", member) == 100


def test_too_loud(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 0)
    member = join(events, a, "7451")
    join(events, b, "7451")
    b.talk.hears_nothing()  # after a few frames he is silent for three seconds
    a.talk.level = 2000
    b.talk.hears(400, level=2000)  # and softly he is heard again
    assert sw.api(f"conference max max-energy {member} 0").startswith(f"{member} = Max-Energy: 0 ")
    a.talk.level = 8000
    b.talk.hears(400, level=8000)


def test_nearly_too_loud_is_made_softer(sw, phone, events):
    a, b = phone("1000", 400), phone("1001", 0)
    member = join(events, a, "7452")
    join(events, b, "7452")
    x = b.talk.hears(400)
    b.talk.hears(400, absent=())
    sw.api(f"conference near max-energy {member} 0")
    b.talk.hears(400, level=8000)
    sw.api(f"conference near max-energy {member} 6000")
    until(lambda: abs(b.talk.hears(400)).max() < 6500, 10, lambda: "as loud as before")
    assert len(x)
