"""mod_billing: calls charged on a balance while they run: reserved before they ring, warned, hung up at zero, settled once."""
import random
import re
import sqlite3
import time

import pytest
import tandem as t
from billing_lab import sql
from calls import call, ended, extension, uuid_of, write_extensions
from tandem import until
from wire import sdp

DECK = """prefix,rate,connect,minimum,increment,free,tax
80,600,,,,,
81,6000,5,10,10,,
82,60,,60,60,,
8x,1
83,0,,,,,
"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("billing") / "instance", "conf")
    conf = s.root / "conf/autoload_configs"
    s.ledger = s.root / "db/billing.db"
    (conf / "billing.conf.xml").write_text("""<configuration name="billing.conf"><settings>
<param name="reserve-seconds" value="3"/><param name="warn-seconds" value="1"/><param name="warn-action" value="set warned=yes"/>
</settings></configuration>""")
    modules = conf / "modules.conf.xml"
    modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_billing"/></modules>'))
    user = s.root / "conf/directory/default.xml"
    text = user.read_text()
    at = text.index("<variables>", text.index('<user id="1003">')) + len("<variables>")
    user.write_text(f'{text[:at]}<variable name="billing_account" value="of1003"/>{text[at:]}')
    write_extensions(s, [
        *(extension(n, f"set billing_account={n[2:]}", f"billing {n[:2]}", "answer", "park") for n in ("80a", "80b", "80b2", "81c")),
        extension("(8\\d)(\\w+)", "set billing_account=$2", "billing $1", "answer", "park"),
        extension("60", "billing 80", "bridge user/1001"),
        extension("62(\\w+)", "set paid=${billing(topup $1 5)}", "hangup CALL_REJECTED"),
        extension("61", "billing 80 toll_free", "answer", "park"),
    ])
    s.start()
    deck = s.root / "deck.csv"
    deck.write_text(DECK)
    assert s.api(f"billing import retail {deck}") == "+OK 4 rates imported, 1 lines are bad\nline 5: prefix is no value of that kind\n"
    yield s
    s.stop()


def account(sw, name, amount, kind="prepaid", credit=""):
    assert sw.api(f"billing account {name} create {kind} EUR retail {credit}") == "+OK\n"
    if amount:
        assert sw.api(f"billing topup {name} {amount}") == f"+OK {amount}\n"


def balance(sw, name):
    return sql(sw, "SELECT balance FROM billing_accounts WHERE id=?", name)[0][0]


def settled(sw):
    sw.wait_calls(0)
    until(lambda: sw.api("billing calls") == "-ERR no reply\n" or sw.api("billing calls") == "")
    reply = sw.api("billing reconcile")
    assert reply.startswith("+OK") and reply.endswith(" 0 differences\n"), reply


def test_a_call_is_charged_by_its_seconds(sw, phone):
    account(sw, "a", 1000)
    p = call(phone("1000"), "80a")
    uuid = uuid_of(sw, "1000")
    assert sw.api(f"uuid_getvar {uuid} billing_max_seconds") == "100"
    assert re.search("reserved: (30|60)\n", sw.api("billing account a"))  # a piece, or the next as well
    p.bye()
    settled(sw)
    (seconds, cost), = sql(sw, "SELECT seconds, cost FROM billing_calls WHERE account='a'")
    assert 1 <= seconds <= 3 and cost == seconds * 100000
    assert balance(sw, "a") == 10000000 - cost


def test_at_zero_the_call_ends_after_a_warning(sw, phone):
    account(sw, "b", 45)  # 4.5 seconds: four
    p = call(phone("1000"), "80b")
    uuid = uuid_of(sw, "1000")
    until(lambda: sw.api(f"uuid_getvar {uuid} warned") == "yes")
    ended(p)
    settled(sw)
    assert sql(sw, "SELECT seconds, cost, state FROM billing_calls WHERE account='b'") == [(4, 400000, "done")]
    assert balance(sw, "b") == 50000


def test_money_that_comes_in_time_goes_on(sw, phone):
    account(sw, "b2", 45)
    p = call(phone("1000"), "80b2")
    uuid = uuid_of(sw, "1000")
    until(lambda: sw.api(f"uuid_getvar {uuid} warned") == "yes")
    assert sw.api("billing topup b2 1000") == "+OK 1045\n"
    until(lambda: sql(sw, "SELECT reserved FROM billing_calls WHERE account='b2'")[0][0] > 450000)
    p.bye()
    settled(sw)


def test_the_steps_of_the_deck(sw, phone):
    account(sw, "c", 10000)
    p = call(phone("1000"), "81c")
    p.bye()
    settled(sw)
    assert balance(sw, "c") == (10000 - 1000 - 5) * 10000  # ten seconds at least, and 5 for the connection


def test_the_directorys_user_pays_or_whom_the_dialplan_names(sw, phone):
    account(sw, "of1003", 100)
    account(sw, "toll_free", 100)
    b = phone("1001")
    p = phone("1003")
    p.invite("60")
    invite = b.expect(method="INVITE")
    assert sql(sw, "SELECT state, used_s FROM billing_calls WHERE account='of1003'") == [("open", 0)]  # before it is answered
    b.reply(invite, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    b.enter(invite)
    p.answered()
    p.bye()
    b.reply(b.expect(method="BYE"), 200, "OK")
    settled(sw)
    assert balance(sw, "of1003") < 1000000
    call(phone("1003"), "61").bye()
    settled(sw)
    assert balance(sw, "toll_free") < 1000000


def test_a_caller_names_no_account(sw, phone):
    account(sw, "rich", 1000)
    p = phone("1000")
    p.invite("80rich")
    p.ack_failure(p.expect(603))
    p.invite("62rich")
    p.ack_failure(p.expect(603))
    settled(sw)
    assert balance(sw, "rich") == 10000000


def test_several_calls_share_a_balance(sw):
    account(sw, "d", 75)
    reply = [sw.api("originate {billing_account=d,ignore_early_media=true}loopback/80d/default &park()") for _ in range(6)]
    assert sum(r.startswith("+OK") for r in reply) <= 3, reply  # 7.5 seconds, three at a time
    sw.wait_calls(0, timeout=20)
    settled(sw)
    assert balance(sw, "d") >= 0


def test_guards_and_a_postpaid_limit(sw):
    account(sw, "e", 0, "postpaid", "200")
    assert sw.api("billing account e set max_calls 1") == "+OK\n"
    assert sw.api("originate loopback/80e/default &park()").startswith("+OK")
    assert sw.api("originate loopback/80e/default &park()").startswith("-ERR CALL_REJECTED")
    assert sw.api("hupall") and (settled(sw) or True)
    assert -2000000 <= balance(sw, "e") < 0
    assert sw.api("billing account e set max_calls 0") == "+OK\n" == sw.api("billing account e set max_hour 1")
    assert sw.api("originate loopback/80e/default &park()").startswith("-ERR CALL_REJECTED")
    assert sw.api("billing account e set max_hour 0") == "+OK\n" == sw.api("billing account e set enabled 0")
    assert sw.api("originate loopback/80e/default &park()").startswith("-ERR CALL_REJECTED")
    assert sw.api("originate loopback/80nobody/default &park()").startswith("-ERR CALL_REJECTED")
    settled(sw)


def test_money_comes_once(sw):
    account(sw, "f", 0)
    assert sw.api("billing topup f 1.5 r1") == "+OK 1.5000\n"
    assert sw.api("billing topup f 1.5 r1") == "-ERR that reference was booked\n"
    assert sw.api("billing voucher C-1 20 EUR") == "+OK\n" == sw.api("billing voucher C-2 20 USD")
    assert sw.api("billing redeem f C-1") == "+OK 21.5000\n"
    assert sw.api("billing redeem f C-1").startswith("-ERR") and sw.api("billing redeem f C-2").startswith("-ERR")
    assert [line.split()[1:4] for line in sw.api("billing statement f").splitlines()] == [
        ["voucher", "20", "21.5000"], ["topup", "1.5000", "1.5000"]]
    assert sw.api("billing topup f 1e9").startswith("-ERR") and sw.api("billing topup nobody 5") == "-ERR no such account\n"
    settled(sw)


def test_reconcile_finds_what_is_wrong(sw):
    account(sw, "g", 10)
    sql(sw, "UPDATE billing_accounts SET balance=balance+1 WHERE id='g'")
    assert "g: the balance is not the sum of its entries" in sw.api("billing reconcile")
    sql(sw, "UPDATE billing_accounts SET balance=balance-1 WHERE id='g'")
    settled(sw)


def test_a_killed_switch_charges_what_it_had_noted(sw):
    account(sw, "k", 1000)
    for _ in range(3):
        assert sw.api("originate loopback/80k/default &park()").startswith("+OK")
    until(lambda: sql(sw, "SELECT MIN(used_s) FROM billing_calls WHERE account='k'")[0][0] > 0)
    sw.kill()
    open_calls = sql(sw, "SELECT used FROM billing_calls WHERE account='k' AND state='open'")
    assert len(open_calls) == 3
    sw.start()
    until(lambda: not sql(sw, "SELECT 1 FROM billing_calls WHERE state='open'"))
    settled(sw)
    assert balance(sw, "k") == 10000000 - sum(u for u, in open_calls)
    assert sql(sw, "SELECT reserved FROM billing_accounts WHERE id='k'") == [(0,)]


def test_a_database_that_is_silent(sw):
    """New calls are refused, running ones go on to the end of what is reserved and are settled when it answers."""
    account(sw, "s", 1000)
    assert sw.api("originate loopback/80s/default &park()").startswith("+OK")
    c = sqlite3.connect(sw.ledger, timeout=10, isolation_level=None)
    c.execute("BEGIN EXCLUSIVE")
    try:
        assert sw.api("originate loopback/82s/default &park()").startswith("-ERR CALL_REJECTED")
        sw.wait_calls(0, timeout=20)  # hung up: what is reserved is used
    finally:
        c.execute("ROLLBACK")
        c.close()
    settled(sw)
    rows = sql(sw, "SELECT state, seconds, cost FROM billing_calls WHERE account='s' AND cost>0")
    assert len(rows) == 1 and rows[0][2] == rows[0][1] * 100000 and rows[0][1] in (3, 6)


def test_a_day_is_rated_again(sw):
    account(sw, "u", 1000)
    assert sw.api("originate loopback/82u/default &park()").startswith("+OK")
    sw.api("hupall")
    settled(sw)
    assert balance(sw, "u") == 10000000 - 60 * 10000  # a whole minute
    sql(sw, "UPDATE billing_rates SET per_minute=per_minute/2 WHERE prefix='82'")
    assert sw.api("billing reload") == "+OK 4 rates\n"
    started = sql(sw, "SELECT started_us FROM billing_calls WHERE account='u'")[0][0]
    day = time.strftime("%Y-%m-%d", time.gmtime(started / 1e6))
    assert sw.api(f"billing rerate {day}").startswith("+OK ")
    assert balance(sw, "u") == 10000000 - 30 * 10000
    assert sw.api(f"billing rerate {day}").startswith("+OK 0 calls changed")
    assert sw.api("billing rerate today").startswith("-ERR")
    settled(sw)


def test_loads_that_meet_wait_for_each_other(sw):
    """A reload or an import that comes while another load is under way is done after it, and reads what changed meanwhile."""
    jobs = ["reload"] * 12 + [f"import retail {sw.root}/deck.csv", "reload"]
    e = sw.esl()
    e.subscribe("BACKGROUND_JOB")
    c = sqlite3.connect(sw.ledger, timeout=10, isolation_level=None)
    c.execute("BEGIN EXCLUSIVE")  # the first has not ended when the last begins
    try:
        for job in jobs:
            e.command(f"bgapi billing {job}")
        assert e.api("status")
    finally:
        c.execute("ROLLBACK")
        c.close()
    try:
        replies = [e.wait_event("BACKGROUND_JOB")["_body"] for _ in jobs]
    finally:
        e.close()
    assert sorted(replies) == sorted(["+OK 4 rates\n"] * 13 + ["+OK 4 rates imported, 1 lines are bad\nline 5: prefix is no value of that kind\n"])
    sql(sw, "UPDATE billing_rates SET per_minute=per_minute*2 WHERE prefix='82'")
    assert sw.api("billing reload") == "+OK 4 rates\n" and "cost 120\n" in sw.api("billing rate retail 821")
    assert sw.api(f"billing import retail {sw.root}/deck.csv").startswith("+OK") and "cost 60\n" in sw.api("billing rate retail 821")


def test_a_stopped_switch_settles_its_calls(sw):
    account(sw, "t", 1000)
    assert sw.api("originate loopback/80t/default &park()").startswith("+OK")
    assert "-ERR unloading module [module in use]" in sw.api("reload mod_billing")
    sw.stop()
    assert not sql(sw, "SELECT 1 FROM billing_calls WHERE state='open'")
    assert balance(sw, "t") < 10000000
    sw.start()
    until(lambda: sw.api("billing reload") == "+OK 4 rates\n")
    settled(sw)


def cost(row):
    """The deck's price, worked out here once more."""
    per_minute, connect, minimum, increment, free, seconds = row
    if not seconds:
        return 0
    counted = minimum if seconds <= minimum else minimum + -(-(seconds - minimum) // increment) * increment
    return connect + -(-per_minute * max(0, counted - free) // 60)


def test_random_calls_and_crashes(sw):
    """Whenever the switch is killed: each call is charged once, by the deck, and nobody is below his limit."""
    r = random.Random(7)
    names = [f"r{i}" for i in range(12)]
    for name in names:
        account(sw, name, r.choice([20, 100, 500, 5000]))
    for _ in range(3):
        for _ in range(40):
            number = r.choice(["80", "81", "82"]) + r.choice(names)
            sw.api(f"bgapi originate loopback/{number}/default &park()")
            if r.random() < 0.2:
                legs = sql(sw, "SELECT leg FROM billing_calls WHERE state='open' ORDER BY random() LIMIT 1")
                if legs:
                    sw.api(f"uuid_kill {legs[0][0]}")
        sw.api(f"msleep {r.randrange(1500)}")
        sw.kill()
        sw.start()
        until(lambda: not sql(sw, "SELECT 1 FROM billing_calls WHERE state='open'"))
        settled(sw)
    rows = sql(sw, "SELECT account, cost, per_minute, connect_fee, minimum_s, increment_s, free_s, seconds FROM billing_calls")
    assert sum(row[0] in names for row in rows) > 30
    assert all(row[1] == cost(row[2:]) for row in rows)
    for name in names:
        paid, = sql(sw, "SELECT SUM(amount) FROM billing_entries WHERE account=? AND kind='topup'", name)[0]
        assert balance(sw, name) == paid - sum(row[1] for row in rows if row[0] == name) >= 0
    assert not sql(sw, "SELECT call_id FROM billing_entries WHERE kind='call' GROUP BY call_id HAVING COUNT(*)>1")
