"""Calls that are charged while they run, on PostgreSQL: the most a second on one core, the database and the load on the other."""
import json
import threading

from switch import LOAD_CORE, Switch, free_port, note, pinned
from billing_lab import DECK
from database_servers import Postgres

ACCOUNTS = 256
HOLD_MS = 1500
NUMBER = """<include>
  <extension name="bench_prepaid">
    <condition field="destination_number" expression="^7400$">
      <action application="billing" data="80 ${distributor(cards)}"/>
      <action application="answer"/>
      <action application="park"/>
    </condition>
  </extension>
</include>
"""


class PrepaidSwitch(Switch):
    def raise_limits(self):
        super().raise_limits()
        self.pg = pinned(LOAD_CORE, Postgres)
        conf = self.root / "conf"
        (conf / "dialplan/public/bench_prepaid.xml").write_text(NUMBER)
        dsn = self.pg.dsn.replace("'", "&apos;")
        (conf / "autoload_configs/billing.conf.xml").write_text(
            f"<configuration name=\"billing.conf\"><settings><param name=\"dsn\" value=\"{dsn}\"/></settings></configuration>")
        nodes = "".join(f'<node name="card{i:02x}" weight="1"/>' for i in range(ACCOUNTS))  # each in turn
        (conf / "autoload_configs/distributor.conf.xml").write_text(
            f'<configuration name="distributor.conf"><lists><list name="cards">{nodes}</list></lists></configuration>')
        p = conf / "autoload_configs/modules.conf.xml"
        p.write_text(p.read_text().replace("</modules>", '<load module="mod_distributor"/><load module="mod_billing"/></modules>'))

    def start(self, timeout=20):
        super().start(timeout)
        path = self.root / "deck.csv"
        path.write_text(DECK)
        assert self.api(f"billing import retail {path}").startswith("+OK")
        for i in range(ACCOUNTS):
            self.api(f"billing account card{i:02x} create prepaid EUR retail")
            self.api(f"billing topup card{i:02x} 10000000")
        return self

    def end(self):
        reply = self.api("billing reconcile")
        note(f"  {reply.strip()}; database: {self.pg.psql('SELECT count(*), sum(cost)/10000 FROM billing_calls')}")
        assert reply.endswith(" 0 differences\n"), reply
        super().end()
        self.pg.end()


OTHERS_RATE, PREPAID_RATE, FAULT_S = 200, 20, 6


def faults():
    """What calls that nobody charges notice of a PostgreSQL that prepaid ones wait for: by what happens to it, what the generator saw."""
    s, seen = PrepaidSwitch().start(), {}

    def both(what):
        p = s.load_begin("call", rate=PREPAID_RATE, seconds=FAULT_S, number="7400", hold_ms=500, uas_port=free_port())
        seen[what] = s.load("call", rate=OTHERS_RATE, seconds=FAULT_S, number="5000", hold_ms=500)
        prepaid = json.loads(p.communicate(timeout=120)[0])
        r = seen[what]
        note(f"  {what}: {r['failed']} of {r['started']} failed {r['codes'] or ''}, p50 {r['setup_p50_ms']:.1f} p99 {r['setup_p99_ms']:.1f} ms; "
             f"prepaid: {prepaid['ok']} taken, {prepaid['codes'] or ''}")
    try:
        s.load("call", rate=50, seconds=1, number="7400", hold_ms=500)
        both("well")
        s.pg.stall()
        both("silent")
        s.pg.go_on()
        s.pg.kill()
        both("killed")
        back = threading.Timer(FAULT_S / 3, s.pg.start)
        back.start()
        both("back")
        back.join()
        s.settle()
    finally:
        s.end()
    return seen
