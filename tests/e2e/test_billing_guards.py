"""mod_billing: what guards an account (destination groups, the hour's money), fees, who else may pay, and scripts."""
import re
import sqlite3

import billing_lab as lab
import clock
import pytest
from billing_lab import account, balance, dial, settled, sql, until, why
from calls import call, extension, write_extensions
from wire import sdp

pytestmark = pytest.mark.leaks

SCRIPT = """
local a = freeswitch.API()
local session_account = argv[1]
session:answer()
session:setVariable("said", a:execute("billing", "redeem " .. session_account .. " " .. argv[2]))
session:setVariable("stands", a:execute("billing", "account " .. session_account))
session:execute("billing", "80 " .. session_account)
session:execute("park")
"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = lab.make(tmp_path_factory.mktemp("guards") / "instance")
    (s.root / "scripts").mkdir(exist_ok=True)
    (s.root / "scripts/pay.lua").write_text(SCRIPT)
    write_extensions(s, [
        extension("70", "billing 80 caller", "billing 84 called", "bridge user/1001"),
        extension("71", "lua pay.lua scripted CARD-1"),
        extension("72", "set state=${billing(fee did 493012)}", "hangup NO_ANSWER"),
    ], "guards")
    lab.start(s)
    yield s
    s.stop()


def over(sw):
    sw.api("hupall")
    settled(sw)


# ---- groups
def test_groups_are_told(sw):
    lines = sw.api("billing groups").splitlines()
    assert lines == ["costly: allowed, max_hour 60, max_calls 1, max_calls_hour 3", "inner: allowed, max_hour 3, max_calls 0, max_calls_hour 0",
                     "shut: forbidden, max_hour 0, max_calls 0, max_calls_hour 0", "odd: forbidden, max_hour 0, max_calls 0, max_calls_hour 0"]
    for text in (r"group inner: prefix \"\+1\" is none", r"group inner: prefix \"868x\" is none", r"group odd: max_hour \"much\" is none",
                 r"group odd: name \(at most 32 bytes, no comma, each once\) \"odd\" is none"):
        sw.wait_log(re.compile(r"billing.conf.xml:\d+: " + text))


def test_a_forbidden_group_is_open_to_whom_it_is_opened(sw):
    account(sw, "a", 1000)
    assert why(sw, "87a") == "the destination is forbidden" == why(sw, "88a")
    assert sw.api("billing account a set groups costly,shut") == "+OK\n"
    assert "open groups: costly,shut\n" in sw.api("billing account a")
    assert dial(sw, "87a").startswith("+OK") and why(sw, "88a") == "the destination is forbidden"
    assert sw.api("billing account a set groups -") == "+OK\n"
    assert why(sw, "87a") == "the destination is forbidden"
    over(sw)


def test_a_group_bounds_calls_and_money_of_each_account(sw):
    account(sw, "b", 100000)
    account(sw, "b2", 100000)
    assert dial(sw, "86b").startswith("+OK")
    assert why(sw, "86b") == "the account has as many calls to this destination as it may"
    assert dial(sw, "80b").startswith("+OK") and dial(sw, "86b2").startswith("+OK")
    assert re.search("group: costly\nopen: yes\nhour: (30|60) of 60\ncalls: 1 of 1\ncalls an hour: 1 of 3\n", sw.api("billing groups b 86"))
    over(sw)
    for _ in range(2):
        assert dial(sw, "86b").startswith("+OK")
        over(sw)
    assert why(sw, "86b") == "the account has called this destination as often as it may in an hour"
    sql(sw, "UPDATE billing_calls SET started_us=started_us-7200000000 WHERE account='b'")
    sql(sw, "UPDATE billing_calls SET ended_us=ended_us-7200000000 WHERE account='b'")
    assert dial(sw, "86b").startswith("+OK")
    over(sw)


def test_the_money_of_a_group_ends_a_call(sw):
    account(sw, "c", 100000)
    assert dial(sw, "869c").startswith("-ERR")  # 3 a hour is no second of it
    assert why(sw, "869c") == "the account has spent what it may at this destination in an hour"
    assert dial(sw, "86c").startswith("+OK")
    sw.wait_calls(0, timeout=20)  # 60 are six seconds
    settled(sw)
    assert sql(sw, "SELECT seconds, cost FROM billing_calls WHERE account='c'") == [(6, 600000)]


def test_a_call_that_began_before_the_hour_counts_with_its_part(sw):
    """One that runs for hours does not leave the hour's sum, and counts no more than an hour of its price."""
    account(sw, "d", 1000000)
    assert dial(sw, "82d").startswith("+OK")  # a unit a second, whole minutes
    sql(sw, "UPDATE billing_calls SET started_us=started_us-7200000000 WHERE account='d'")
    assert re.search("hour: 60 of 0\n", sw.api("billing account d"))
    sql(sw, "UPDATE billing_calls SET reserved=reserved+100000000 WHERE account='d'")
    sql(sw, "UPDATE billing_accounts SET reserved=reserved+100000000 WHERE id='d'")
    assert re.search("hour: 3600 of 0\n", sw.api("billing account d"))
    assert sw.api("billing account d set max_hour 3000") == "+OK\n"
    assert why(sw, "82d") == "the account has spent what it may in an hour"
    assert sw.api("billing account d set max_hour 3661") == "+OK\n"
    assert dial(sw, "82d").startswith("+OK") and why(sw, "82d") == "the account has spent what it may in an hour"
    over(sw)


# ---- fees
def entries(sw, name, kind="fee"):
    return [r[0] for r in sql(sw, "SELECT id FROM billing_entries WHERE account=? AND kind=? ORDER BY id", name, kind)]


def test_a_fee_is_paid_once_a_period(sw):
    account(sw, "did", 10)
    assert sw.api("billing fee did 493012 4 month") == "+OK\n" == sw.api("billing fee did line 0.5 week")
    assert balance(sw, "did") == 55000
    assert sw.api("billing fee did 493012 4") == "+OK\n" and sw.api("billing charge") == "+OK 0 fees charged\n"
    assert sw.api("billing fee did 493012") == "paid" and sw.api("billing fee did nosuch") == "-ERR no such fee\n"
    assert sw.api("billing fee did 493012 off") == "+OK\n" and sw.api("billing fee did 493012 4") == "+OK\n"
    assert balance(sw, "did") == 55000 and len(entries(sw, "did")) == 2  # taken away and put back: no second time
    lines = sw.api("billing fees did").splitlines()
    assert re.fullmatch(r"did 493012 4 a month, next for \d{4}-\d\d: paid until then", lines[0])
    assert re.fullmatch(r"did line 0.5000 a week, next for \d{4}-\d\d-\d\d/7: paid until then", lines[1])
    assert sw.api("billing fee nobody x 4") == "-ERR no such account\n"
    for bad in ("x:y 4", "x -4", "x 0", "x 4 year"):
        assert sw.api(f"billing fee did {bad}").startswith("-ERR fee <account>")
    settled(sw)


def test_who_has_no_money_owes_and_is_told_once(sw):
    e = sw.esl()
    e.subscribe("CUSTOM billing::event")
    account(sw, "poor", 1)
    assert sw.api("billing fee poor rent 3 day") == "+OK\n"
    event = e.wait_event("CUSTOM", **{"Billing-Action": "fee_due"})
    assert (event["Billing-Account"], event["Billing-Reason"], event["Billing-Amount"]) == ("poor", "rent", "3")
    assert sw.api("billing fee poor rent") == "due" and balance(sw, "poor") == 10000
    assert sql(sw, "SELECT told-period FROM billing_fees WHERE account='poor'") == [(0,)]  # not again for this period
    assert sw.api("billing charge poor") == "+OK 0 fees charged\n"
    assert sw.api("billing topup poor 5").startswith("+OK")
    event = e.wait_event("CUSTOM", **{"Billing-Action": "fee"})
    assert sw.api("billing fee poor rent") == "paid" and balance(sw, "poor") == 30000
    e.close()
    account(sw, "credit", 0, "postpaid", "10")
    assert sw.api("billing fee credit rent 8") == "+OK\n" == sw.api("billing fee credit more 8")
    assert balance(sw, "credit") == -80000 and sw.api("billing fee credit more") == "due"
    settled(sw)


@pytest.mark.clock
def test_months_days_and_weeks_go_by(sw):
    """A switch that was away charges what came due meanwhile, each period once, whatever the clock then does."""
    account(sw, "late", 1000)
    sw.stop()
    before = dict(sw.env)
    try:
        for now in ("2031-01-31 23:59:57", "2031-03-03 12:00:00", "2031-01-31 23:59:57"):
            sw.env.update(clock.environment(now, "UTC"))
            lab.start(sw, deck=False)
            if not entries(sw, "late"):
                for name, every in (("m", "month"), ("w", "week"), ("d", "day")):
                    assert sw.api(f"billing fee late {name} 1 {every}") == "+OK\n"
                until(lambda: "fee:2031-02:m:late" in entries(sw, "late"))  # the month turns while it runs
                assert {"fee:2031-01:m:late", "fee:2031-01-27/7:w:late", "fee:2031-01-31:d:late"} <= set(entries(sw, "late"))
            until(lambda: sw.api("billing charge") == "+OK 0 fees charged\n")
            if "03-03" in now:
                until(lambda: len([n for n in entries(sw, "late") if n.endswith(":d:late")]) >= 32)  # the switch's own round may be under way
                names = entries(sw, "late")
                assert [n for n in names if n.endswith(":m:late")] == [f"fee:2031-0{i}:m:late" for i in (1, 2, 3)]
                assert len([n for n in names if n.endswith("/7:w:late")]) == 6 and len([n for n in names if n.endswith(":d:late")]) == 32
            settled(sw)
            sw.stop()
        assert len(entries(sw, "late")) == 3 + 6 + 32 and balance(sw, "late") == 10000000 - 41 * 10000
    finally:
        sw.env.clear()
        sw.env.update(before)
        lab.start(sw, deck=False)


# ---- who pays
def test_both_sides_pay(sw, phone):
    account(sw, "caller", 1000)
    account(sw, "called", 1000)
    a, b = phone("1000"), phone("1001")
    a.invite("70")
    invite = b.expect(method="INVITE")
    b.reply(invite, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    until(lambda: sw.api("billing calls").count(" talking ") == 2)
    a.bye()
    b.reply(b.expect(method="BYE"), 200, "OK")
    settled(sw)
    rows = dict((r[0], r[1:]) for r in sql(sw, "SELECT account, seconds, cost FROM billing_calls WHERE account IN ('caller', 'called')"))
    seconds, cost = rows["called"]  # two seconds free, a connection fee, tax
    assert rows["caller"][1] == rows["caller"][0] * 100000
    assert cost == -(-(30000 + max(0, seconds - 2) * 100000) * 119 // 100) and balance(sw, "called") == 10000000 - cost


def test_a_script_asks_and_pays(sw, phone):
    account(sw, "scripted", 0)
    assert sw.api("billing voucher CARD-1 40 EUR") == "+OK\n"
    p = call(phone("1000"), "71")
    until(lambda: " talking " in sw.api("billing calls"))
    uuid = sw.api("billing calls").split()[2]
    assert sw.api(f"uuid_getvar {uuid} said") == "+OK 40\n" and "balance: 40\n" in sw.api(f"uuid_getvar {uuid} stands")
    p.bye()
    settled(sw)
    assert 0 < balance(sw, "scripted") < 400000


def test_the_dialplan_asks_whether_a_number_is_paid(sw, phone):
    e = sw.esl()
    e.subscribe("CHANNEL_HANGUP_COMPLETE")
    p = phone("1000")
    p.invite("72")
    p.ack_failure(p.expect(480))
    assert e.wait_event("CHANNEL_HANGUP_COMPLETE")["variable_state"] == "paid"
    e.close()


def test_tables_of_an_older_program(sw, tmp_path_factory):
    """The tables as the first version had them become those of today, with what is in them."""
    s = lab.make(tmp_path_factory.mktemp("older") / "instance")
    c = sqlite3.connect(s.ledger)
    ours = dict(sql(sw, "SELECT name, sql FROM sqlite_master WHERE name LIKE 'billing%' AND sql IS NOT NULL"))
    c.execute(ours["billing_schema"])
    for name, text in ours.items():
        if name in ("billing_schema", "billing_fees", "billing_calls_ended"):
            continue
        c.execute(re.sub(r", (grp|open_groups) VARCHAR\(\d+\) NOT NULL DEFAULT ''", "", text))
    c.executemany("INSERT INTO billing_schema VALUES (?)", [(i,) for i in range(1, 11)])
    c.execute("INSERT INTO billing_accounts (id,kind,currency,deck,balance) VALUES ('was','prepaid','EUR','retail',10000000)")
    c.execute("INSERT INTO billing_entries (id,account,at_us,kind,amount,balance) VALUES ('topup:x','was',1,'topup',10000000,10000000)")
    c.commit()
    c.close()
    try:
        lab.start(s)
        assert dial(s, "86was").startswith("+OK")
        s.api("hupall")
        settled(s)
        assert balance(s, "was") < 10000000
    finally:
        s.stop()
