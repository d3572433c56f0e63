"""The call centre under load: calls a second through a queue with many agents; what a decision costs among thousands."""
import json
import subprocess

from switch import BUILD, SWITCH_CORE, Switch, pinned

AGENTS = 1000
HOLD_MS = 1500
QUEUE = """<configuration name="callcenter.conf"><queues><queue name="bench@t">
  <param name="strategy" value="longest-idle-agent"/><param name="discard-abandoned-after" value="1"/>
</queue></queues><agents>%s</agents><tiers>%s</tiers></configuration>
"""
NUMBER = """<include>
  <extension name="bench_queue">
    <condition field="destination_number" expression="^7300$">
      <action application="answer"/>
      <action application="callcenter" data="bench@t"/>
      <action application="hangup"/>
    </condition>
  </extension>
</include>
"""


class CallcenterSwitch(Switch):
    def raise_limits(self):
        super().raise_limits()
        conf = self.root / "conf"
        (conf / "dialplan/public/bench_queue.xml").write_text(NUMBER)
        agents = "".join(f'<agent name="a{i}" type="callback" contact="null/a" status="Available"/>' for i in range(AGENTS))
        tiers = "".join(f'<tier agent="a{i}" queue="bench@t" level="1" position="{i % 50}"/>' for i in range(AGENTS))
        (conf / "autoload_configs/callcenter.conf.xml").write_text(QUEUE % (agents, tiers))
        p = conf / "autoload_configs/modules.conf.xml"
        p.write_text(p.read_text().replace("</modules>", '<load module="mod_callcenter"/></modules>'))


def decision():
    return json.loads(pinned(SWITCH_CORE, lambda: subprocess.run([BUILD / "bench/callcenter/bench_decide", "5000", "10000"], check=True,
                                                                 capture_output=True, text=True).stdout))
