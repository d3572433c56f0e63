"""Voice bots under load: calls whose sound goes to a program over WebSocket and comes back from it, all talking."""
import json
import select
import subprocess
import time

from conference import ConferenceSwitch
from switch import BUILD, LOAD_CORE, SWITCH_CORE, core_busy_s, note, pinned

FRAMES_PER_S = 50


class BotSwitch(ConferenceSwitch):
    def __init__(self):
        self.bot = pinned(LOAD_CORE, lambda: subprocess.Popen([str(BUILD / "bench/bot/bench_bot")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        self.bot_port = int(self.bot.stdout.readline().split()[1])
        super().__init__()

    def raise_limits(self):
        super().raise_limits()
        (self.root / "conf/dialplan/public/bench_bot.xml").write_text(f"""<include>
  <extension name="bench_bot">
    <condition field="destination_number" expression="^4(\\d+)$">
      <action application="answer"/>
      <action application="set" data="started=${{uuid_audio_stream(${{uuid}} start ws://127.0.0.1:{self.bot_port}/ mono 8k)}}"/>
      <action application="park"/>
    </condition>
  </extension>
</include>
""")

    def end(self):
        super().end()
        self.bot.stdin.close()
        self.said = json.loads(self.bot.stdout.read())
        self.bot.wait(10)


def streams(count, seconds=6):
    """count calls at once; what they cost, and what of the sound came back to the phones."""
    s = BotSwitch().start()
    try:
        before = s.memory_kb()[0]
        p = s.load_begin("conference", number="4", calls=count, rooms=count, rate=100, seconds=seconds, keep=True)
        ready, _, _ = select.select([p.stdout], [], [], 60)
        up = int(p.stdout.readline().split()[1]) if ready else 0
        time.sleep(1)
        kb = (s.memory_kb()[0] - before) / max(up, 1)
        late = s.late()
        begin, core, own = time.monotonic(), core_busy_s(SWITCH_CORE), s.cpu_s()
        out, _ = p.communicate("go on\n", timeout=120)
        r = json.loads(out)
        r["others_cpu"] = max(0, core_busy_s(SWITCH_CORE) - core - (s.cpu_s() - own)) / (time.monotonic() - begin)
        after = s.late()
        s.settle()
    finally:
        s.end()
    r.update(streams=up, kb_each=kb, late=after[0] - late[0], late_max_ms=after[1], bot=s.said, us_per_frame=r["switch_cpu"] * 1e6 / max(up, 1) / FRAMES_PER_S)
    r["heard"] = r["media_received"] / max(up * FRAMES_PER_S * r["seconds"], 1)
    note(f"  {up} streams, both ways: {r['us_per_frame']:.1f} us per stream and frame, switch {100 * r['switch_cpu']:.0f} %, {kb:.1f} kB each, {100 * r['heard']:.2f} % of the frames came back, "
         f"{r['bot']['connections']} connections, {r['bot']['dropped']} dropped by the program, {r['late']} late ticks (at most {after[1]:.1f} ms), load {100 * r['own_cpu']:.0f} %, "
         f"failed {r['failed']} {r['codes'] or ''}, others on its core {100 * r['others_cpu']:.0f} %")
    return r
