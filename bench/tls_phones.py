"""Rows of phones over TLS: a switch with a TLS door, and the generator that keeps connections to it."""
import json
import re
import select
import subprocess
import time

from switch import BUILD, LOAD_CORE, Switch, free_port, note, pinned

PHONES = 5000
RATE_CONNS = 100
FIRST = 100000


class TlsSwitch(Switch):
    """is_open: accounts need not exist, so that there is one for each phone."""
    is_open = False

    def raise_limits(self):
        super().raise_limits()
        self.tls_port = free_port()
        p = self.root / "conf/sip_profiles/internal.xml"
        more = '<param name="accept-blind-reg" value="true"/><param name="auth-subscriptions" value="false"/>' if self.is_open else ""
        p.write_text(p.read_text().replace(
            "<settings>", f'<settings><param name="tls" value="true"/><param name="tls-sip-port" value="{self.tls_port}"/>{more}', 1))

    def load_begin(self, mode, **options):
        args = [str(BUILD / "bench/load/bench_streams"), "--to", str(self.tls_port), "--pid", str(self.proc.pid)]
        for name, value in options.items():
            args += ["--" + name.replace("_", "-")] + ([] if value is True else [str(value)])
        return pinned(LOAD_CORE, lambda: subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))


class OpenTlsSwitch(TlsSwitch):
    is_open = True


class CallTlsSwitch(TlsSwitch):
    """An account for each phone, as only a connection that has shown who it is may do much; calls are not challenged: 7 and a phone's number."""

    def raise_limits(self):
        super().raise_limits()
        users = "".join(f'<user id="{FIRST + i}"><params><param name="password" value="benchword"/></params></user>\n' for i in range(RATE_CONNS))
        (self.root / "conf/directory/default").mkdir(exist_ok=True)
        (self.root / "conf/directory/default/bench.xml").write_text(f"<include>\n{users}</include>\n")
        p = self.root / "conf/sip_profiles/internal.xml"
        text = p.read_text().replace('name="auth-calls" value="true"', 'name="auth-calls" value="false"')
        p.write_text(text.replace('<param name="apply-inbound-acl" value="domains"/>', ""))
        (self.root / "conf/dialplan/public/bench_tls.xml").write_text("""<include>
  <extension name="bench_tls">
    <condition field="destination_number" expression="^7(\\d+)$">
      <action application="bridge" data="sofia/internal/$1%${domain_name}"/>
    </condition>
  </extension>
</include>
""")

    def load(self, mode, **options):
        return super().load("tls", calls=True, **options)


def held(s, resume=False):
    """Phones that registered and stay: the process, how many there are, memory before and with them (RSS, kB)."""
    s.load("tls", conns=50, users=50, first_user=900000)  # what is made once is no phone's memory
    before = s.memory_kb()[0]
    p = s.load_begin("tls", conns=PHONES, users=PHONES, first_user=FIRST, keep=True, subscribe=True, **({"resume": True} if resume else {}))
    ready, _, _ = select.select([p.stdout], [], [], 90)
    up, subscribed = map(int, p.stdout.readline().split()[1:]) if ready else (0, 0)
    assert subscribed == 2 * up, f"{up} phones have {subscribed} subscriptions"
    time.sleep(2)
    return p, up, before, s.memory_kb()[0]


def row_memory():
    s = OpenTlsSwitch().start()
    try:
        p, up, before, during = held(s)
        out, _ = p.communicate("go on\n", timeout=60)
        load = json.loads(out)
    finally:
        s.end()
    each = (during - before) / max(up, 1)
    note(f"  {up} phones: RSS {before} -> {during} kB; all there after {load['registered_s']:.1f} s")
    return {"value": f"{each:.1f} kB ({up} phones with two subscriptions each: {before / 1024:.1f} -> {during / 1024:.1f} MB)", "met": up == PHONES and each <= 40, "goal": "40 kB",
            "data": {"up": up, "before_kb": before, "during_kb": during, "load": load}}


def row_return():
    """All phones come back at once to a switch that was started again."""
    s = OpenTlsSwitch().start()
    try:
        load = json.loads(s.load_begin("tls", conns=PHONES, users=PHONES, first_user=FIRST).communicate(timeout=120)[0])
        s.stop(check=False)
        s.start()
        again = json.loads(s.load_begin("tls", conns=PHONES, users=PHONES, first_user=FIRST).communicate(timeout=120)[0])
        lines = len(re.findall(r"slow handler", s.log_text))
    finally:
        s.end()
    return {"value": f"{again['registered']} of {PHONES} after {again['registered_s']:.1f} s ({again['switch_us_per_connect']:.0f} us CPU each, {lines} slow handlers)",
            "met": again["registered"] == PHONES and again["registered_s"] < 60, "goal": "60 s", "data": [load, again]}
