"""mod_nibblebill: calls that cost money while they run, on a table of the operator's own."""
import sqlite3
import time

import pytest
import tandem as t
from calls import call, extension, uuid_of, write_extensions
from tandem import until

pytestmark = pytest.mark.leaks
RATE = 600  # a minute: ten a second


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("nibble") / "instance", "conf")
    conf, db = s.root / "conf/autoload_configs", s.root / "db"
    db.mkdir(exist_ok=True)
    s.cash = db / "nibble.db"
    c = sqlite3.connect(s.cash)
    c.execute("CREATE TABLE accounts (id text, cash double precision)")
    c.execute("CREATE TABLE gone (id text, cash double precision)")
    c.commit()
    c.close()
    (conf / "nibblebill.conf.xml").write_text(f"""<configuration name="nibblebill.conf"><settings>
<param name="odbc-dsn" value="sqlite://{s.cash}"/><param name="db_table" value="accounts"/><param name="db_column_cash" value="cash"/>
<param name="db_column_account" value="id"/><param name="global_heartbeat" value="1"/><param name="lowbal_amt" value="50"/>
<param name="lowbal_action" value="set is_low=yes"/><param name="nobal_amt" value="0"/><param name="nobal_action" value="no_money XML default"/>
<param name="percall_max_amt" value="1000"/></settings></configuration>""")
    modules = conf / "modules.conf.xml"
    modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_nibblebill"/></modules>'))
    user = s.root / "conf/directory/default.xml"
    text = user.read_text()
    at = text.index("<variables>", text.index('<user id="1003">')) + len("<variables>")
    user.write_text(f'{text[:at]}<variable name="nibble_account" value="rich"/><variable name="nibble_rate" value="{RATE}"/>{text[at:]}')
    write_extensions(s, [
        extension("70(\\w+)", "set nibble_account=$1", f"set nibble_rate={RATE}", "answer", "park"),
        extension("71(\\w+)", "set nibble_account=$1", f"set nibble_rate={RATE}", "answer", "nibblebill heartbeat 1", "park"),
        extension("72(\\w+)", "set nibble_account=$1", f"set nibble_rate={RATE}", "set nibble_increment=60", "set nibble_minimum=700.005",
                  "set nibble_rounding=1", "answer", "park"),
        extension("73", "answer", "park"),
        extension("74(\\w+)", "set nibble_account=$1", f"set nibble_rate={RATE}", "transfer 75"),
        extension("75", "answer", "park"),
        extension("no_money", "set sent_away=yes", "hangup OUTGOING_CALL_BARRED"),
    ])
    s.start()
    yield s
    s.stop()


def money(sw, account, new=None):
    c = sqlite3.connect(sw.cash, timeout=10)
    if new is not None:
        c.execute("DELETE FROM accounts WHERE id=?", (account,))
        c.execute("INSERT INTO accounts VALUES (?,?)", (account, new))
        c.commit()
    got = c.execute("SELECT cash FROM accounts WHERE id=?", (account,)).fetchone()
    c.close()
    return got and got[0]


def cost(sw, uuid):
    text = sw.api(f"uuid_getvar {uuid} nibble_total_billed")
    return float(text) if text[0].isdigit() or text[0] == "-" else 0.0


def test_charged_at_the_end(sw, phone):
    money(sw, "a", 1000)
    p = call(phone("1000"), "70a")
    since = time.monotonic()
    uuid = uuid_of(sw, "1000")
    assert sw.api(f"nibblebill {uuid} flush") == "-ERR no reply\n"
    until(lambda: cost(sw, uuid) > 0)
    assert sw.api(f"nibblebill {uuid} adjust 5") == "-ERR no reply\n"
    until(lambda: money(sw, "a") > 1000 - 10 * (time.monotonic() - since) + 4)
    p.bye()
    sw.wait_calls(0)
    until(lambda: 1000 - 10 * (time.monotonic() - since) + 5 <= money(sw, "a") <= 1005)


def test_whole_steps_a_minimum_and_rounding(sw, phone):
    money(sw, "b", 1000)
    p = call(phone("1000"), "72b")
    p.bye()
    sw.wait_calls(0)
    until(lambda: money(sw, "b") < 1000)
    assert abs(money(sw, "b") - (1000 - 700.005)) < 1e-6  # a minute in advance is 600, less than the minimum


def test_a_pause_costs_nothing(sw, phone):
    money(sw, "c", 1000)
    p = call(phone("1000"), "70c")
    uuid = uuid_of(sw, "1000")
    sw.api(f"nibblebill {uuid} flush")
    until(lambda: cost(sw, uuid) > 0)
    sw.api(f"nibblebill {uuid} pause")
    paused = time.monotonic()
    sw.api(f"nibblebill {uuid} flush")
    before = money(sw, "c")
    sw.api("msleep 700")
    sw.api(f"nibblebill {uuid} resume")
    paused = time.monotonic() - paused
    p.bye()
    since = time.monotonic()
    sw.wait_calls(0)
    until(lambda: money(sw, "c") != before)
    assert before - money(sw, "c") < 10 * (time.monotonic() - since) + 7 and paused > 0.6


def test_the_directory_starts_heartbeats_and_low_money_is_told_once(sw, phone):
    money(sw, "rich", 55)
    p = call(phone("1003"), "73")
    uuid = uuid_of(sw, "1003")
    until(lambda: sw.api(f"uuid_getvar {uuid} is_low") == "yes")
    p.bye()
    sw.wait_calls(0)


def test_who_has_no_money_left_is_sent_away(sw, phone):
    money(sw, "d", 12)
    p = call(phone("1000"), "71d")
    bye = p.expect(method="BYE", timeout=15)
    p.reply(bye, 200)
    sw.wait_calls(0)
    assert money(sw, "d") <= 0


def test_who_has_none_does_not_begin(sw, phone):
    for account in ("nobody", "e"):
        if account == "e":
            money(sw, "e", 0)
        p = phone("1000")
        p.invite("74" + account)
        until(lambda: sw.api("show channels count").startswith("\n0 total"))


def test_no_database_refuses_who_begins_and_keeps_who_talks(sw, phone):
    money(sw, "f", 1000)
    p = call(phone("1000"), "71f")
    uuid = uuid_of(sw, "1000")
    since = time.monotonic()
    until(lambda: cost(sw, uuid) > 0)
    c = sqlite3.connect(sw.cash, timeout=10)
    c.executescript("ALTER TABLE accounts RENAME TO away")
    until(lambda: "it is owed" in sw.log_text)
    q = phone("1001")
    q.invite("74f")
    until(lambda: "no balance is known" in sw.log_text)
    until(lambda: sw.api("show channels count") == "\n1 total.\n")
    assert uuid in sw.api("show channels")
    c.executescript("ALTER TABLE away RENAME TO accounts")
    c.close()
    p.bye()
    sw.wait_calls(0)
    until(lambda: abs(1000 - money(sw, "f") - 10 * (time.monotonic() - since)) < 25)


def test_accounts_are_data(sw, phone):
    """A name of an account that would like to be SQL."""
    money(sw, "g", 77)
    p = phone("1000")
    p.invite("70x'OR'1'='1")
    sw.api("msleep 200")
    assert money(sw, "g") == 77
    sw.api("hupall")
    sw.wait_calls(0)
