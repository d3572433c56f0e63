"""Conferences under load: what a member costs per 20 ms frame, packets included, and in memory; whether media ticks are late; menus and mailboxes."""
import json
import select
import time

from switch import SWITCH_CORE, Switch, core_busy_s, note

FRAMES_PER_S = 50
NUMBERS = """<include>
  <extension name="bench_room">
    <condition field="destination_number" expression="^7(\\d+)$">
      <action application="answer"/>
      <action application="conference" data="bench$1@bench"/>
    </condition>
  </extension>
  <extension name="bench_menu">
    <condition field="destination_number" expression="^8(\\d+)$">
      <action application="answer"/>
      <action application="ivr" data="welcome"/>
    </condition>
  </extension>
  <extension name="bench_mailbox">
    <condition field="destination_number" expression="^9(\\d+)$">
      <action application="answer"/>
      <action application="voicemail" data="check auth default $${domain} 1000"/>
    </condition>
  </extension>
</include>
"""
ROOMS = """<configuration name="conference.conf"><profiles><profile name="bench">
  <param name="rate" value="8000"/><param name="interval" value="20"/><param name="energy-level" value="100"/>
</profile></profiles></configuration>
"""


class ConferenceSwitch(Switch):
    """One media thread: what fits on a core is what is asked."""

    def raise_limits(self):
        super().raise_limits()
        conf = self.root / "conf"
        (conf / "dialplan/public/bench_rooms.xml").write_text(NUMBERS)
        (conf / "autoload_configs/conference.conf.xml").write_text(ROOMS)
        p = conf / "autoload_configs/switch.conf.xml"
        p.write_text(p.read_text().replace('name="media-threads" value="auto"', 'name="media-threads" value="1"'))

    def late(self):
        """(late ticks, the latest in ms) so far."""
        text = self.api("show media as json")
        threads = json.loads(text)["rows"]
        return sum(int(r["ticks_late"]) for r in threads), max(int(r["latest_us"]) / 1000 for r in threads)


def measured(s, number, calls, seconds, **load):
    """Calls that stay, on the switch s, which is started and ended: what the load tells, and what of the switch was seen meanwhile."""
    s.start()
    try:
        before = s.memory_kb()[0]
        p = s.load_begin("conference", number=number, calls=calls, rate=100, seconds=seconds, keep=True, **load)
        ready, _, _ = select.select([p.stdout], [], [], 60)
        up = int(p.stdout.readline().split()[1]) if ready else 0
        time.sleep(1)
        idle_kb = (s.memory_kb()[0] - before) / max(up, 1)
        late = s.late()
        begin, core, own = time.monotonic(), core_busy_s(SWITCH_CORE), s.cpu_s()
        out, _ = p.communicate("go on\n", timeout=120)
        r = json.loads(out)
        r["others_cpu"] = max(0, core_busy_s(SWITCH_CORE) - core - (s.cpu_s() - own)) / (time.monotonic() - begin)
        after = s.late()
        s.settle()
    finally:
        s.end()
    r.update(up=up, kb_each=idle_kb, late=after[0] - late[0], late_max_ms=after[1], us_per_frame=r["switch_cpu"] * 1e6 / max(up, 1) / FRAMES_PER_S,
             heard=r["media_received"] / max(up * FRAMES_PER_S * r["seconds"], 1))
    return r


def members(count, rooms, talkers, seconds=6):
    """One load: count members in rooms, talkers of each talking."""
    r = measured(ConferenceSwitch(), "7", count, seconds, rooms=rooms, talkers=talkers)
    r.update(members=r["up"], rooms=rooms, talkers=talkers)
    note(f"  {r['up']} members in {rooms} rooms, {min(talkers, count // rooms)} talk in each: {r['us_per_frame']:.2f} us per member and frame, "
         f"switch {100 * r['switch_cpu']:.0f} %, {r['kb_each']:.1f} kB each, {r['late']} late ticks (at most {r['late_max_ms']:.1f} ms), "
         f"{100 * r['heard']:.1f} % of the frames came, load {100 * r['own_cpu']:.0f} %, failed {r['failed']} {r['codes'] or ''}, others on its core {100 * r['others_cpu']:.0f} %")
    return r
