"""mod_radius against Debian's freeradius: calls, digests, records, failover, the spool, Disconnect-Requests; and against a peer
that answers wrongly."""
import os
import subprocess
import time

import pytest
import radius_server as r
import tandem as t
from calls import call, extension, uuid_of, write_extensions
from http_client import Door

pytestmark = pytest.mark.leaks

USERS = """
DEFAULT NAS-Identifier == "nobody", Auth-Type := Reject

alice Cleartext-Password := "wonder"
	Reply-Message = "hello ${hupall} alice",
	Session-Timeout = 3600,
	Class = 0x0102ff,
	Cisco-AVPair = "plan=gold",
	Filter-Id = "fast"

short Cleartext-Password := "wonder"
	Session-Timeout = 1

bob Cleartext-Password := "builder"

1000 Cleartext-Password := "of radius"

DEFAULT Auth-Type := Reject
	Reply-Message = "no such luck"
"""
SETTINGS = """<param name="nas-identifier" value="lab"/><param name="nas-ip-address" value="127.0.0.1"/><param name="coa-port" value="{coa}"/>
<param name="vendor-attributes" value="cisco,asterisk,freeswitch"/><param name="interim-minimum" value="1"/>{more}"""


def server(name, auth, acct, more="", secret=r.SECRET):
    return (f'<server name="{name}"><param name="host" value="127.0.0.1"/><param name="secret" value="{secret}"/><param name="auth-port" '
            f'value="{auth}"/><param name="acct-port" value="{acct}"/><param name="timeout" value="200"/><param name="tries" value="2"/>'
            f'<param name="probe-interval" value="100"/>{more}</server>')


def configure(s, servers, more="", coa=None):
    s.coa = coa or r.free_ports(1)[0]
    conf = s.root / "conf/autoload_configs"
    (conf / "radius.conf.xml").write_text(
        f'<configuration name="radius.conf"><settings>{SETTINGS.format(coa=s.coa, more=more)}</settings><servers>{"".join(servers)}</servers>'
        f'<clients><client name="billing"><param name="host" value="127.0.0.1"/><param name="secret" value="{r.SECRET}"/></client></clients>'
        '<accounting><attribute name="Cisco-AVPair" value="of=${made_by}"/></accounting>'
        '<request><attribute name="Cisco-AVPair" value="asks=${destination_number}"/></request>'
        '<reply><attribute name="Cisco-AVPair" variable="avpair"/></reply></configuration>')
    modules = conf / "modules.conf.xml"
    if "mod_radius" not in modules.read_text():
        modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_radius"/></modules>'))
    write_extensions(s, [
        extension("80(\\w+)x(\\w+)", "set made_by=me", "rad_auth $1 $2", "answer", "park"),
        extension("81(\\w+)x(\\w+)", "set radius_auth_continue=true", "rad_auth $1 $2", "answer", "park"),
        extension("82", "answer", "park"),
        extension("83", "bridge user/1001@127.0.0.1"),
    ])


@pytest.fixture(scope="module")
def radius(tmp_path_factory):
    s = r.FreeRadius(tmp_path_factory.mktemp("freeradius"), USERS).start()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, radius):
    s = t.Tandem(tmp_path_factory.mktemp("radius") / "instance", "conf")
    configure(s, [server("one", radius.auth, radius.acct)])
    s.start()
    yield s
    s.stop()


def until(fn, timeout=15):
    end = time.monotonic() + timeout
    while not fn():
        assert time.monotonic() < end, fn()
        time.sleep(0.02)


def var(sw, uuid, name):
    return sw.api(f"uuid_getvar {uuid} {name}")


def of(records, uuid, status=None):
    return [x for x in records if x.get("Acct-Session-Id") == uuid and status in (None, x["Acct-Status-Type"])]


def test_an_accepted_call_has_the_servers_words_as_data(sw, radius, phone):
    p = call(phone("1000"), "80alicexwonder")
    uuid = uuid_of(sw, "1000")
    assert var(sw, uuid, "radius_auth_result") == "accept"
    assert var(sw, uuid, "radius_session_timeout") == "3600"
    assert var(sw, uuid, "radius_filter_id") == "fast"
    assert var(sw, uuid, "avpair") == "plan=gold"
    p.bye()
    sw.wait_calls(0)
    records = of(radius.wait_records(lambda all_: of(all_, uuid, "Stop")), uuid)
    assert [x["Acct-Status-Type"] for x in records] == ["Start", "Stop"]
    stop = records[1]
    assert stop["User-Name"] == "alice" and stop["Class"] == "0x0102ff" and stop["NAS-Identifier"] == "lab"
    assert stop["Called-Station-Id"] == "80alicexwonder" and stop["Calling-Station-Id"] == "1000"
    assert stop["Acct-Terminate-Cause"] == "User-Request" and stop["Acct-Delay-Time"] == "0"
    assert stop["h323-disconnect-cause"] == "h323-disconnect-cause=10" and stop["h323-call-origin"] == "h323-call-origin=answer"
    assert "UTC" in stop["h323-setup-time"] and len(stop["h323-conf-id"].split("=")[1]) == 35
    assert stop["Asterisk-Dst"] == "80alicexwonder" and stop["Asterisk-Disposition"] == "ANSWERED" and stop["Asterisk-Unique-ID"] == uuid
    assert stop["Freeswitch-Hangupcause"] == "Normal-Clearing" and stop["Freeswitch-Context"] == "default"
    assert "of=me" in stop["Cisco-AVPair"] and int(stop["Acct-Input-Octets"]) >= 0


def test_a_rejected_call_ends_or_goes_on_as_the_dialplan_says(sw, radius, phone):
    p = phone("1000")
    p.invite("80alicexwrong")
    p.expect(code=603)
    sw.wait_calls(0)
    q = call(phone("1000"), "81alicexwrong")
    uuid = uuid_of(sw, "1000")
    assert var(sw, uuid, "radius_auth_result") == "reject" and var(sw, uuid, "avpair") == "_undef_"
    q.bye()
    sw.wait_calls(0)


def test_servers_spool_and_numbers_are_told(sw, radius):
    text = sw.api("radius status")
    assert f"auth 127.0.0.1:{radius.auth} alive" in text and f"acct 127.0.0.1:{radius.acct} alive" in text
    until(lambda: "spool queued 0 under-way 0" in sw.api("radius status"))
    assert r.SECRET not in text
    assert sw.api("radius test alice wonder").startswith("+OK accepted") and "Reply-Message = hello" in sw.api("radius test alice wonder")
    assert sw.api("radius test alice wrong").startswith("-ERR rejected") and "no such luck" in sw.api("radius test eve x")
    assert sw.api("radius nonsense").startswith("-USAGE")
    assert 'tandem_radius_accepted_total{server="one",kind="auth"}' in Door(sw).get("/metrics").decode()


def test_both_legs_have_records_of_one_call(sw, radius, phone):
    a, b = phone("1000"), phone("1001")
    a.invite("83")
    b.take()
    a.answered()
    uuid = uuid_of(sw, "1000")
    a.bye()
    b.reply(b.expect(method="BYE"), 200)
    sw.wait_calls(0)
    mine = lambda all_: [x for x in all_ if x.get("Acct-Multi-Session-Id") == uuid]  # noqa: E731
    records = mine(radius.wait_records(lambda all_: len(mine(all_)) == 4))
    assert sorted(x["Acct-Status-Type"] for x in records) == ["Start", "Start", "Stop", "Stop"]
    other = [x for x in records if x["Acct-Session-Id"] != uuid]
    assert {x["h323-call-origin"] for x in other} == {"h323-call-origin=originate"} and other[0]["h323-conf-id"] == records[0]["h323-conf-id"]


def test_the_servers_time_ends_the_call(sw, radius, phone):
    p = call(phone("1000"), "80shortxwonder")
    uuid = uuid_of(sw, "1000")
    p.reply(p.expect(method="BYE"), 200)
    sw.wait_calls(0)
    stop = of(radius.wait_records(lambda all_: of(all_, uuid, "Stop")), uuid, "Stop")[0]
    assert stop["Acct-Terminate-Cause"] == "Session-Timeout" and 1 <= int(stop["Acct-Session-Time"]) <= 3


def test_a_disconnect_ends_the_call_once_and_only_as_it_should(sw, radius, phone):
    p = call(phone("1000"), "80alicexwonder")
    uuid, port = uuid_of(sw, "1000"), sw.coa
    assert r.disconnect(port, uuid, "another secret", timeout=0.3)[0] is None
    assert r.disconnect(port, "no-such-session", r.SECRET)[:2] == (42, 503)
    assert r.disconnect(port, None, r.SECRET)[:2] == (42, 402)
    assert r.disconnect(port, uuid, r.SECRET, stamp=0)[:2] == (42, 402)
    assert r.disconnect(port, uuid, r.SECRET, stamp=int(time.time()) - 1000)[:2] == (42, 404)
    assert r.disconnect(port, uuid, r.SECRET, extra=r.attr(1, "mallory"))[:2] == (42, 503)
    assert r.disconnect(port, uuid, r.SECRET, extra=r.attr(32, "another switch"))[:2] == (42, 403)
    assert r.disconnect(port, uuid, r.SECRET, extra=r.attr(6, 17))[:2] == (42, 405)
    assert r.disconnect(port, uuid, r.SECRET, extra=r.attr(8, b"\x7f\0\0\1"))[:2] == (42, 401)
    changed = r.disconnect(port, uuid, r.SECRET, code=43, extra=r.attr(11, "slow") + r.attr(33, "proxy"))
    assert changed[:2] == (44, None) and var(sw, uuid, "radius_filter_id") == "slow"
    sw.api(f"uuid_setvar {uuid} radius_filter_id mine")
    assert r.disconnect(port, None, r.SECRET, packet=changed[2])[0] == 44 and var(sw, uuid, "radius_filter_id") == "mine"  # a replay
    assert r.disconnect(port, uuid, r.SECRET, extra=r.attr(1, "alice") + r.attr(30, "80alicexwonder"), mac=False)[:2] == (41, None)
    p.reply(p.expect(method="BYE"), 200)
    sw.wait_calls(0)
    stop = of(radius.wait_records(lambda all_: of(all_, uuid, "Stop")), uuid, "Stop")[0]
    assert stop["Acct-Terminate-Cause"] == "Admin-Reset"
    text = sw.api("radius status")
    assert "repeated 1 forged 1" in text and "client billing" in text


def test_radclient_of_freeradius_is_understood(sw, phone):
    p = call(phone("1000"), "82")
    uuid = uuid_of(sw, "1000")
    words = f"Acct-Session-Id = {uuid}, Event-Timestamp = {int(time.time())}, Message-Authenticator = 0x00"
    done = subprocess.run(["radclient", "-t", "3", "-r", "1", f"127.0.0.1:{sw.coa}", "disconnect", r.SECRET], input=words.encode(),
                          capture_output=True)
    assert b"Disconnect-ACK" in done.stdout, done
    p.reply(p.expect(method="BYE"), 200)
