"""A switch that charges: decks, groups, numbers whose digits say who pays; its ledger in sqlite or in PostgreSQL."""
import sqlite3
from xml.sax.saxutils import quoteattr

import tandem as t
from calls import extension, write_extensions
from tandem import until  # noqa: F401 (for the tests of billing)

DECK = """prefix,rate,connect,minimum,increment,free,tax
80,600,,,,,
81,6000,5,10,10,,
82,60,,60,60,,
83,0,,,,,
84,600,3,,,2,19
86,600,,,,,
87,600,,,,,
88,600,,,,,
"""
GROUPS = """<groups>
<group name="costly" prefixes="86" max_hour="60" max_calls="1" max_calls_hour="3"/>
<group name="inner" prefixes="869,+1,868x" max_hour="3"/>
<group name="shut" prefixes="87" forbidden="true"/>
<group name="odd" prefixes="88" max_hour="much"/>
<group name="odd" prefixes="80"/>
</groups>"""


def make(root, dsn="billing", params=(), env=None):
    s = t.Tandem(root, "conf", env=env or {})
    conf = s.root / "conf/autoload_configs"
    settings = {"dsn": dsn, "reserve-seconds": "3", "warn-seconds": "1", "warn-action": "set warned=yes", "fee-seconds": "1", **dict(params)}
    text = "".join(f"<param name={quoteattr(k)} value={quoteattr(v)}/>" for k, v in settings.items())
    (conf / "billing.conf.xml").write_text(f'<configuration name="billing.conf"><settings>{text}</settings>{GROUPS}</configuration>')
    modules = conf / "modules.conf.xml"
    modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_billing"/></modules>'))
    s.ledger = s.root / "db/billing.db"
    write_extensions(s, [
        extension("(8\\d{1,2})(\\w+)", "set billing_account=$2", "billing $1", "answer", "park"),
    ])
    return s


def start(s, deck=True):
    s.start()
    if deck:
        path = s.root / "deck.csv"
        path.write_text(DECK)
        assert s.api(f"billing import retail {path}").startswith("+OK 8 rates imported, 0 lines")
    return s


def sql(s, text, *values):
    c = sqlite3.connect(s.ledger, timeout=10)
    try:
        got = c.execute(text, values).fetchall()
        c.commit()
        return got
    finally:
        c.close()


def account(s, name, amount, kind="prepaid", credit=""):
    assert s.api(f"billing account {name} create {kind} EUR retail {credit}") == "+OK\n"
    if amount:
        assert s.api(f"billing topup {name} {amount}").startswith("+OK")


def balance(s, name):
    return sql(s, "SELECT balance FROM billing_accounts WHERE id=?", name)[0][0]


def settled(s):
    s.wait_calls(0)
    until(lambda: s.api("billing calls") in ("-ERR no reply\n", ""))
    reply = s.api("billing reconcile")
    assert reply.startswith("+OK") and reply.endswith(" 0 differences\n"), reply


def dial(s, number):
    """A call of whoever the number names; the reply."""
    return s.api(f"originate loopback/{number}/default &park()")


def why(s, number):
    """Why the call may not be."""
    e = s.esl()
    e.subscribe("CUSTOM billing::event")
    try:
        assert dial(s, number).startswith("-ERR CALL_REJECTED")
        return e.wait_event("CUSTOM", **{"Billing-Action": "refused"})["Billing-Reason"]
    finally:
        e.close()
