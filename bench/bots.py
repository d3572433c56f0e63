"""Voice bots under load: calls whose sound goes to a program over WebSocket and comes back from it, all talking."""
import json
import subprocess

from conference import ConferenceSwitch, measured
from switch import BUILD, LOAD_CORE, note, pinned


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
    """count calls at once, all talking; what they cost, and what of the sound came back to the phones."""
    s = BotSwitch()
    r = measured(s, "4", count, seconds, rooms=count)
    r.update(streams=r["up"], bot=s.said)
    note(f"  {r['up']} streams, both ways: {r['us_per_frame']:.1f} us per stream and frame, switch {100 * r['switch_cpu']:.0f} %, {r['kb_each']:.1f} kB each, {100 * r['heard']:.2f} % of the frames came back, "
         f"{r['bot']['connections']} connections, {r['bot']['dropped']} dropped by the program, {r['late']} late ticks (at most {r['late_max_ms']:.1f} ms), load {100 * r['own_cpu']:.0f} %, "
         f"failed {r['failed']} {r['codes'] or ''}, others on its core {100 * r['others_cpu']:.0f} %")
    return r
