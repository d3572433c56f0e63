"""Calls that are charged while they run, on PostgreSQL: the most a second on one core, the database and the load on the other."""
from switch import LOAD_CORE, Switch, note, pinned
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
