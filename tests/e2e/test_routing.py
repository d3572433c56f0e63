"""Where numbers go: lcr, easyroute, enum, cidlookup, translate, blacklist, prefix, by calls and by commands, against real
databases, a name server and a web server; and with numbers that would like to be more than numbers."""
import sqlite3
from urllib.parse import unquote

import pytest
import routing_lab
from calls import extension, uuid_of, write_extensions
from test_gateway_params import Peer
from wire import sdp

pytestmark = pytest.mark.leaks

RULES = {"=4.3.2.1.5.5.5.1.e164.test": {"NAPTR": [
             (100, 20, "u", "E2U+email", "", "!^.*$!mailto:a@lab.example!"), (100, 10, "u", "E2U+SIP", "", r"!^\+1(\d+)$!sip:\1@127.0.0.1:7000!")]},
         "=5.3.2.1.5.5.5.1.e164.test": {"NAPTR": [
             (100, 10, "u", "E2U+SIP", "", "!^.*$!sip:x,loopback/7000@h|y\\;z!"), (100, 10, "u", "E2U+SIP", "", "!^.*$!sip:${hupall()}@h!"),
             (200, 1, "u", "E2U+SIP", "", "!(((((!sip:a@b!"), (200, 2, "u", "E2U+SIP", "", "no delimiter")]},
         "=2.1.lab.isn.test": {"NAPTR": [(1, 1, "u", "E2U+SIP", "", "!^.*$!sip:isn@lab.example!")]},
         "9.e164.test": "silent"}


@pytest.fixture(scope="module")
def names():
    n = routing_lab.Names()
    yield n
    n.close()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, names):
    s, dns = routing_lab.make(tmp_path_factory.mktemp("routing") / "instance", names, RULES, cache="true")
    write_extensions(s, [
        extension("81(\\d+)", "lcr $1", "bridge ${lcr_auto_route}"),
        extension("82(\\d+)", "transfer $1 lcr default"),
        extension("83(\\d+)", "bridge lcr/default/$1"),
        extension("84(\\d+)", "enum $1", "answer", "park"),
        extension("92(\\d+)", "transfer $1 enum"),
        extension("86(\\d+)", "easyroute $1", "answer", "park"),
        extension("87(.*)", "translate $1 any", "answer", "park"),
        extension("88(\\d+)", "transfer $1 translate:HK,XML default"),
        extension("(852\\d{8})", "answer", "park"),
        extension("89", "cidlookup", "answer", "park"),
        extension("90", "cidlookup 666", "answer", "park"),
        extension("93(\\d+)", "lcr $1 best", "set continue_on_fail=true", "bridge ${lcr_auto_route}"),
        extension("91(.*)", "lcr $1", "answer", "park"),
        extension("94(\\d+)", "transfer $1 lcr causes"),
    ])
    s.start()
    yield s
    s.stop()
    dns.close()


@pytest.fixture
def trunks(sw):
    """The carriers A and B."""
    peers = Peer(sw, "a"), Peer(sw, "b")
    db = sqlite3.connect(sw.root / "db/lcr.db")
    for n, p in enumerate(peers, 1):
        db.execute("UPDATE carrier_gateway SET suffix=? WHERE id=?", (f"@127.0.0.1:{p.port}", n))
    db.commit()
    db.close()
    yield peers
    for p in peers:
        p.close()


@pytest.fixture
def parked(sw, phone):
    """Dials; the uuid of the leg once it is parked."""
    p = phone("1000")

    def dial(number):
        p.invite(number)
        p.answered()
        return uuid_of(sw, "1000")
    yield dial
    p.bye()
    sw.wait_calls(0)


def values(sw, uuid, prefix):
    lines = [l.split(": ", 1) for l in sw.api(f"uuid_dump {uuid}").split("\n") if l.startswith("variable_" + prefix)]
    return {k[len("variable_"):]: unquote(v) for k, v in lines}


# ---- carriers
def test_the_dearer_carrier_follows_the_cheaper_one(sw, phone, trunks):
    a, b = trunks
    for number in ("8115551234567", "8215551234567", "8315551234567"):
        p = phone("1000")
        p.invite(number)
        invite = b.expect(method="INVITE")
        assert "sip:95551234567@" in invite.first
        b.reply(invite, 503, "Service Unavailable")
        b.expect(method="ACK")
        invite = a.expect(method="INVITE")
        assert "sip:15551234567@" in invite.first
        a.reply(invite, 486, "Busy Here")
        a.expect(method="ACK")
        p.expect(486)
        sw.wait_calls(0)


def test_lcr_profiles_and_options(sw):
    rows = sw.api("lcr 15551234567 single").split("\n")
    assert [r.split("|")[2].strip() for r in rows[1:3]] == ["carrierB", "carrierA"]
    assert "sip_h_X-LCR-INFO=lcr_rate=0.02000;lcr_carrier=carrierB" in rows[1] and "lcr_digits=1555" in rows[1]
    assert sw.api("lcr 15551234567 own").count("loopback/15551234567") == 1 and "r x 2" in sw.api("lcr 15551234567 own")
    assert "origination_caller_id_number=04930123]" in sw.api("lcr 7712 default +4930123")
    assert "sofia/external/881234#@" in sw.api("lcr 88123456")
    assert "0.50000" in sw.api("lcr 15559998877 default 1 lrn 493012") and "0.50000" not in sw.api("lcr 15559998877")
    assert sw.api("lcr abc") == "-ERR Error looking up routes\n"
    assert sw.api("lcr_admin show profiles").count("Name:\t\t") == 8


def test_a_dead_database_costs_only_its_look_ups(sw, phone, tmp_path):
    db = sw.root / "db/lcr.db"
    text = db.read_bytes()
    db.write_bytes(b"no database" * 1000)
    assert sw.api("lcr 15551234567") == "-ERR Error looking up routes\n"
    db.write_bytes(text)


# ---- the name system
def test_enum(sw, parked):
    got = values(sw, parked("8415551234"), "enum_")
    assert got == {"enum_route_1": "sofia/external/5551234@127.0.0.1:7000;transport=udp", "enum_route_count": "1",
                   "enum_auto_route": "sofia/external/5551234@127.0.0.1:7000;transport=udp"}
    text = sw.api("enum 15551234")
    assert "100\t10\tE2U+SIP   \tsofia/external/5551234@127.0.0.1:7000;transport=udp\n" in text.lower().replace("e2u+sip", "E2U+SIP")
    assert text.index("mailto:a@lab.example") < text.index("Supported Routes")
    assert sw.api("enum_auto 12*lab") == "sofia/external/isn@lab.example;transport=udp"
    assert sw.api("enum_auto 15551299") == sw.api("enum_auto 159") == "-ERR no reply\n"


def test_what_records_say_is_data(sw, parked):
    """Separators, commands and variables in an address of a record stay in it."""
    uuid = parked("8415551235")
    got = values(sw, uuid, "enum_")
    assert got["enum_route_count"] == "2" and "hupall" in got["enum_auto_route"]
    assert uuid in sw.api("show channels")


# ---- tables
def test_easyroute(sw, parked):
    assert values(sw, parked("8615551234"), "easy_") == {
        "easy_destnum": "15551234", "easy_dialstring": "sofia/external/5551234@127.0.0.1:7000", "easy_group": "east", "easy_limit": "10", "easy_acctcode": "acct7"}
    assert sw.api("easyroute 999 dialstring") == "sofia/default/999@192.0.2.6"
    assert sw.api("easyroute 15551234 acctcode") == "acct7"
    assert sw.api("easyroute 15551234 separator %").endswith("sofia/external/5551234%127.0.0.1:7000\n")
    assert sw.api("easyroute").startswith("Invalid Input!")


def test_translated_numbers_are_routed(sw, phone):
    p = phone("1000")
    p.invite("8891234567")
    p.answered()
    assert "Caller-Destination-Number: 85291234567" in sw.api(f"uuid_dump {uuid_of(sw, '1000')}")
    p.bye()


def test_lists(sw):
    assert sw.api("blacklist check example 5551000") == "true" and sw.api("blacklist check example 5551002") == "false"
    assert sw.api("blacklist add example 5551002") == "+OK\n" and sw.api("blacklist save example") == "+OK\n"
    assert sw.api("blacklist del example 5551002") == "+OK\n" and sw.api("blacklist check example 5551002") == "false"
    assert sw.api("blacklist reload") == "+OK\n" and sw.api("blacklist check example 5551002") == "true"
    assert sw.api("blacklist add example 'a\\nb'").startswith("-ERR")
    assert [sw.api(f"prefix get places {n}") for n in ("49301", "49891", "15", "3")] == ["Berlin", "Germany", "NANP", "-ERR no reply\n"]
    assert sw.api("prefix load places /nosuch.json") == "-ERR\n" and sw.api("prefix get places 49301") == "Berlin"
    assert sw.api("prefix drop places") == "+OK\n" and sw.api("prefix get places 49301") == "-ERR no reply\n"
    assert sw.api("prefix reload") == "+OK\n" and sw.api("prefix get places 49301") == "Berlin"


# ---- names
def test_cidlookup(sw, names, parked):
    names.asked.clear()
    assert sw.api("cidlookup 15551234567 verbose") == "Alice Lab (home) (LABTOWN OK) [phone_database,npanxx_database]"
    assert not names.asked
    names.answer = (200, "Carol\r\nX: y")
    assert sw.api("cidlookup 2000 verbose") == "Carol  X: y (UNKNOWN) [url]"
    assert sw.api("cidlookup 2000 verbose") == "Carol  X: y (UNKNOWN) [url (cache)]" and names.asked == ["/cnam?number=2000"]
    names.answer = (404, "nobody")
    assert sw.api("cidlookup 2001 skipcitystate") == "2001"
    names.answer = (200, "Dora")
    uuid = parked("89")
    assert "Caller-Caller-ID-Name: Dora\n" in sw.api(f"uuid_dump {uuid}")
    assert values(sw, uuid, "cidlookup_") == {"cidlookup_source": "url", "cidlookup_area": "UNKNOWN"}


def test_a_silent_web_server_costs_only_who_asks(sw, names):
    names.answer = (200, "late")
    names.may_go.clear()
    esl = sw.esl()
    esl.command("bgapi cidlookup 2002")
    assert sw.api("cidlookup 15551234567") == "Alice Lab (home)"
    assert sw.api("cidlookup 2003") == "UNKNOWN"
    names.may_go.set()
    esl.close()


def test_names_are_data(sw, names, parked):
    uuid = parked("90")
    assert "Caller-Caller-ID-Name: Mallory%20($%7Bhupall()%7D)" in sw.api(f"uuid_dump {uuid}")
    assert uuid in sw.api("show channels")


# ---- hostile numbers
@pytest.mark.parametrize("number", ["1'%20OR%20'1'='1", "1;DROP%20TABLE%20lcr", "1%5C'", "$%7Bhupall()%7D", "1%2Cloopback/7000", "1%7Cloopback/7000"])
def test_numbers_are_data(sw, parked, number):
    uuid = parked("91" + number)
    for v in values(sw, uuid, "lcr_").values():
        assert "DROP" not in v or "@" in v
    assert "carrier" in sw.api("lcr 15551234567") and uuid in sw.api("show channels")


# ---- decks in memory
def test_a_deck_is_chosen_from_as_the_tables_are(sw):
    for number in ("15551234567", "447700900123", "88123456", "99"):
        plain, deck = ([[c.strip() for c in row.split("|")[1:5]] for row in sw.api(f"lcr {number} {profile}").split("\n")]
                       for profile in ("default", "memory"))
        assert plain == deck, number
    assert sw.api("lcr 15551234567 memory 1 intrastate").count("0.03000  ") == 2
    text = sw.api("route explain 15551234567 memory")
    assert "1. 1555 carrierB 0.02000" in text and "left out: 1 carrierA 0.05000: the same gateway stands above" in text
    assert "at most 3 calls (lcr carrierB)" in text


def test_a_deck_is_read_again(sw):
    before = sw.api("lcr_admin reload")
    db = sqlite3.connect(sw.root / "db/lcr.db")
    db.executemany("INSERT INTO lcr (digits,rate,carrier_id) VALUES (?,?,?)", [(str(990000 + i), 0.5, 1) for i in range(2500)])
    db.execute("INSERT INTO lcr (digits,rate,carrier_id) VALUES ('x9',1,1)")
    db.commit()
    assert "No Routes" in sw.api("lcr 9900011 memory")
    assert int(sw.api("lcr_admin reload").split()[1]) == int(before.split()[1]) + 2500
    assert "carrierA" in sw.api("lcr 9900011 memory")
    sw.wait_log('digits "x9"')
    db.execute("DELETE FROM lcr WHERE rate=0.5 OR digits='x9'")
    db.commit()
    db.close()
    sw.api("lcr_admin reload")


def test_who_answers_less_comes_later(sw, phone, trunks):
    """carrierB is cheaper and takes no call, carrierA does: by the share of answers carrierA is asked first from then on."""
    a, b = trunks
    sw.api("lcr_admin reload")
    for first in ("carrierB", "carrierA"):
        assert f"1. 1555 {first} " in sw.api("route explain 15551234567 best")
        p = phone("1000")
        p.invite("9315551234567")
        if first == "carrierB":
            b.reply(b.expect(method="INVITE"), 503, "Service Unavailable")
            b.expect(method="ACK")
        invite = a.expect(method="INVITE")
        a.reply(invite, 200, "OK", sdp(a.rtp_port))
        a.expect(method="ACK")
        a.enter(invite)
        p.answered()
        p.bye()
        bye = a.expect(method="BYE")
        a.reply(bye, 200)
        sw.wait_calls(0)
    rows = dict((r.split(",")[0], r.split(",")[2:4]) for r in sw.api("lcr_admin show quality").split("\n")[1:] if ",1555," in r)
    assert rows["carrierA"] == ["2", "1.0000"] and rows["carrierB"][1] == "0.0000"


def test_which_causes_go_to_the_next_carrier(sw, phone, trunks):
    """The profile says so, in the dialplan: who is busy is busy by every carrier."""
    a, b = trunks
    for code, reason in ((503, "Service Unavailable"), (486, "Busy Here")):
        p = phone("1000")
        p.invite("9415551234567")
        invite = b.expect(method="INVITE")
        b.reply(invite, code, reason)
        b.expect(method="ACK")
        if code == 503:
            invite = a.expect(method="INVITE")
            a.reply(invite, 404, "Not Found")
            a.expect(method="ACK")
            p.expect(404)
        else:
            p.expect(486)
            a.expect_nothing("INVITE", 0.1)
        sw.wait_calls(0)
