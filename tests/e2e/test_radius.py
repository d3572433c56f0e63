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
from tandem import until

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

evil Cleartext-Password := "wonder"
	Cisco-AVPair = "null/owned"

1003 Cleartext-Password := "of radius"
	Session-Timeout = 1,
	Class = "gold",
	Cisco-AVPair = "plan=silver"

bob Cleartext-Password := "builder"

a/b Cleartext-Password := "builder"

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
        extension("84", "rad_auth evil wonder", "set continue_on_fail=true", "bridge ${avpair}", "set went_on=yes", "answer", "park"),
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


def test_a_servers_word_is_no_dial_string(sw, phone):
    p = call(phone("1000"), "84")
    uuid = uuid_of(sw, "1000")
    assert var(sw, uuid, "avpair") == "null/owned" and var(sw, uuid, "went_on") == "yes"
    assert "null/" not in "".join(x.split(",", 5)[4] for x in sw.api("show channels").splitlines()[1:] if x.count(",") > 5)
    p.bye()
    sw.wait_calls(0)


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
    assert sw.api("radius test alice wonder").startswith("+OK accepted") and "Reply-Message = hello" in sw.api("radius test alice wonder")
    assert sw.api("radius test alice wrong").startswith("-ERR rejected") and "no such luck" in sw.api("radius test eve x")
    assert sw.api("radius nonsense").startswith("-USAGE")
    until(lambda: "spool queued 0 under-way 0" in sw.api("radius status"))
    text = sw.api("radius status")
    assert f"auth 127.0.0.1:{radius.auth} alive" in text and f"acct 127.0.0.1:{radius.acct} " in text and r.SECRET not in text
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


# ---- digests
@pytest.fixture(scope="module")
def digests(tmp_path_factory, radius):
    """A switch whose users' passwords are the server's; 1002's are the directory's all the same."""
    s = t.Tandem(tmp_path_factory.mktemp("digests") / "instance", "conf")
    configure(s, [server("one", radius.auth, radius.acct)])
    profile = s.root / "conf/sip_profiles/internal.xml"
    profile.write_text(profile.read_text().replace("<settings>", '<settings><param name="authenticator" value="radius"/>', 1))
    users = s.root / "conf/directory/default.xml"
    text = users.read_text()
    at = text.index("<params>", text.index('<user id="1002">')) + len("<params>")
    users.write_text(f'{text[:at]}<param name="authenticator" value="directory"/>{text[at:]}')
    s.passwords["1000"] = "of radius"
    s.start()
    yield s
    s.stop()


def register(p, code):
    uri, to, call_id = f"sip:{p.sw.domain}", f"<sip:{p.user}@{p.sw.domain}>", f"reg-{p.port}"
    p.request("REGISTER", uri, to, call_id)
    p.request("REGISTER", uri, to, call_id, extra=p.authorization(p.expect(401), "REGISTER", uri))
    return p.expect(code)


def test_a_registration_and_a_call_by_the_servers_password(digests, radius, phone):
    before = digests.passwords["1001"]
    p = call(phone("1000", switch=digests), "82")
    uuid = uuid_of(digests, "1000")
    assert var(digests, uuid, "sip_auth_username") == "1000"
    p.bye()
    digests.wait_calls(0)
    assert of(radius.wait_records(lambda all_: of(all_, uuid, "Stop")), uuid, "Stop")[0]["User-Name"] == "1000"
    phone("1002", switch=digests)  # the directory's
    for user, password in (("1000", before), ("1001", before), ("bob", "builder")):  # wrong; not the server's; not the directory's
        q = phone(user, switch=digests, register=False)
        digests.passwords[user], kept = password, digests.passwords.get(user)
        register(q, 403)
        digests.passwords[user] = kept


def test_a_user_whom_only_the_server_knows(digests, radius, phone):
    """bob is nowhere in the directory: with authenticator-user he is like the user of that name, and called bob."""
    profile = digests.root / "conf/sip_profiles/internal.xml"
    before = profile.read_text()
    profile.write_text(before.replace("<settings>", '<settings><param name="authenticator-user" value="1005"/>', 1))
    digests.api("reloadxml")
    digests.api("sofia profile internal rescan")
    digests.passwords.update({"bob": "builder", "a/b": "builder"})
    try:
        bob = phone("bob", switch=digests)
        assert "bob," in digests.api("show registrations")
        p = call(bob, "82")
        uuid = uuid_of(digests, "bob")
        assert [var(digests, uuid, n) for n in ("sip_auth_username", "user_name", "number_alias", "user_context")] == ["bob", "bob", "bob", "default"]
        p.bye()
        digests.wait_calls(0)
        stop = of(radius.wait_records(lambda all_: of(all_, uuid, "Stop")), uuid, "Stop")[0]
        assert stop["User-Name"] == "bob"
        # he registers as nobody else, whatever inbound-reg-force-matching-username says
        uri, to = f"sip:{digests.domain}", f"<sip:1001@{digests.domain}>"
        bob.request("REGISTER", uri, to, "as-another")
        bob.request("REGISTER", uri, to, "as-another", extra=bob.authorization(bob.expect(401), "REGISTER", uri))
        bob.expect(403)
        register(phone("a/b", switch=digests, register=False), 403)  # the server accepts him; his name is no plain name
        digests.wait_log("whose name has more than letters")
        digests.passwords["bob"] = "wrong"
        register(phone("bob", switch=digests, register=False), 403)
    finally:
        profile.write_text(before)
        digests.api("reloadxml")
        digests.api("sofia profile internal rescan")
    digests.passwords["bob"] = "builder"
    register(phone("bob", switch=digests, register=False), 403)  # as before


def test_an_answer_counts_once(digests, phone):
    p = phone("1000", switch=digests, register=False)
    uri, to = f"sip:{digests.domain}", f"<sip:1000@{digests.domain}>"
    p.request("REGISTER", uri, to, "once")
    line = p.authorization(p.expect(401), "REGISTER", uri)
    p.request("REGISTER", uri, to, "once", extra=line)
    p.expect(200)
    p.request("REGISTER", uri, to, "once", extra=line)
    assert "stale=true" in p.expect(401).get("WWW-Authenticate")
    p.request("REGISTER", uri, to, "once", extra=line.replace('nonce="', 'nonce="0'))
    p.expect(401)


# ---- servers that fail
@pytest.fixture
def lab(tmp_path):
    """lab(servers): a switch of this test's own with these servers."""
    made = []

    def make(*servers, more="", start=True, profile=""):
        s = t.Tandem(tmp_path / f"instance{len(made)}", "conf")
        configure(s, servers, more)
        if profile:
            p = s.root / "conf/sip_profiles/internal.xml"
            p.write_text(p.read_text().replace("<settings>", f"<settings>{profile}", 1))
        made.append(s)
        return s.start() or s if start else s
    yield make
    for s in made:
        s.stop()


def test_the_second_server_when_the_first_is_dead_and_the_first_again(lab, tmp_path):
    one, two = (r.FreeRadius(tmp_path / name, USERS).start() for name in ("one", "two"))
    try:
        s = lab(server("one", one.auth, one.acct), server("two", two.auth, two.acct))
        assert s.api("radius test alice wonder").startswith("+OK")
        one.stop()
        assert s.api("radius test alice wonder").startswith("+OK")
        assert f"auth 127.0.0.1:{one.auth} dead" in s.api("radius status")
        for _ in range(20):  # nobody waits for it any more
            assert s.api("radius test alice wonder").startswith("+OK")
        s.wait_log("server one does not answer (authentication)")
        assert s.log_text.count("server one does not answer (authentication)") == 1
        one.start()
        until(lambda: f"auth 127.0.0.1:{one.auth} alive" in s.api("radius status"))
        assert s.api("radius test alice wonder").startswith("+OK")
        s.wait_log("server one answers again (authentication)")
        assert s.log_text.count("server one answers again (authentication)") == 1
        two.stop()
        one.stop()
        assert s.api("radius test alice wonder") == "-ERR no server answers\n"
    finally:
        one.stop(), two.stop()


def test_records_wait_on_the_disk_and_are_sent_in_order(lab, tmp_path, phone):
    one = r.FreeRadius(tmp_path / "one", USERS)
    s = lab(server("one", one.auth, one.acct))
    uuids = []
    try:
        for _ in range(3):
            p = call(phone("1000", switch=s), "82")
            uuids.append(uuid_of(s, "1000"))
            p.bye()
            s.wait_calls(0)
        until(lambda: "spool queued 6" in s.api("radius status") and "dead" in s.api("radius status"))
        s.wait_log("no server takes accounting records")
        assert s.log_text.count("no server takes accounting records") == 1
        s.kill()  # nothing is lost with the switch
        s.start()
        p = call(phone("1000", switch=s), "82")
        uuids.append(uuid_of(s, "1000"))
        p.bye()
        s.wait_calls(0)
        until(lambda: "spool queued 8" in s.api("radius status"))
        one.start()
        records = one.wait_records(lambda all_: len(all_) == 8)
        for uuid in uuids:
            assert [x["Acct-Status-Type"] for x in of(records, uuid)] == ["Start", "Stop"]
        assert len({tuple(x["Cisco-AVPair"]) if isinstance(x["Cisco-AVPair"], list) else x["Cisco-AVPair"] for x in records}) == 8
        until(lambda: "spool queued 0 under-way 0" in s.api("radius status"))
        assert any(int(x["Acct-Delay-Time"]) > 0 for x in of(records, uuids[0])) or s.proc
    finally:
        one.stop()


def test_what_was_counted_off_is_not_sent_again_after_a_stop(lab, tmp_path, phone):
    one = r.FreeRadius(tmp_path / "one", USERS).start()
    s = lab(server("one", one.auth, one.acct))
    try:
        call(phone("1000", switch=s), "82").bye()
        s.wait_calls(0)
        one.wait_records(lambda all_: len(all_) == 2)
        until(lambda: "spool queued 0 under-way 0" in s.api("radius status"))
        one.stop()
        call(phone("1000", switch=s), "82").bye()
        s.wait_calls(0)
        s.stop()
        s.start()
        one.start()
        until(lambda: "spool queued 0 under-way 0" in s.api("radius status") and len(one.records()) >= 4)
        assert len(one.records()) == 4 and not [x for x in (s.root / "db").glob("radius.journal.*.strange")]
    finally:
        one.stop()


def test_a_wrong_secret_is_told_and_nothing_is_believed(lab, radius):
    s = lab(server("one", radius.auth, radius.acct, secret="n0t-the-same"), more='<param name="auth-timeout" value="600"/>')
    assert s.api("radius test alice wonder") == "-ERR no server answers\n"
    assert "n0t-the-same" not in s.log_text


def test_forged_and_foolish_answers_are_not_believed(lab):
    way = {"now": None}
    accept = lambda p, **kw: r.answer(2, p, r.attr(18, "in you go"), kw.pop("secret", r.SECRET), **kw)  # noqa: E731

    def behave(packet, send):
        good = accept(packet)
        lies = {
            "forged": [accept(packet, secret="guessed")],
            "unproved": [accept(packet, mac=False)],
            "rubbish": [b"", b"\2", os.urandom(20), os.urandom(4000), good[:-1], good[:30], bytes([2, packet[1], 0, 19]) + good[4:],
                        bytes([2, packet[1], 255, 255]) + good[4:], good[:20] + b"\1\0" + good[22:], bytes([9]) + good[1:]],
            "other": [r.answer(2, bytes([packet[0], packet[1] ^ 1]) + packet[2:], b"", r.SECRET), r.answer(5, packet, b"", r.SECRET)],
            "twice": [good, good],
            "changed": [good[:-1] + b"!"],
            "mac changed": [good[:22] + bytes(16) + good[38:]],
        }[way["now"]]
        for p in lies:
            send(p)

    peer = r.Peer(behave)
    try:
        s = lab(server("one", peer.port, 0, '<param name="status-server" value="false"/><param name="dead-time" value="1"/>'),
                more='<param name="auth-timeout" value="300"/>')
        for way["now"] in ("forged", "unproved", "rubbish", "other", "changed", "mac changed"):
            assert s.api("radius test alice wonder") == "-ERR no server answers\n", way
            s.api("reload mod_radius")
        way["now"] = "twice"
        assert "in you go" in s.api("radius test alice wonder")
        until(lambda: "strange 1" in s.api("radius status"))  # the second of the two
        assert r.SECRET not in s.log_text and "wonder" not in s.log_text.replace("radius test alice wonder", "")
        first = peer.got[0]
        assert r.attributes(first)[0][0] == 80  # the Message-Authenticator comes first, and is right
        a = r.attributes(first)
        zeroed = first[:22] + bytes(16) + first[38:]
        import hmac
        assert hmac.new(r.SECRET.encode(), zeroed, "md5").digest() == a[0][1]
    finally:
        peer.stop()


def test_a_late_answer_to_another_request_of_its_number_is_none(lab):
    held = []

    def behave(packet, send):  # the answer to a request comes when its number is in use again
        if not held:
            held.append(packet)
        if packet == held[0]:
            return
        if packet[1] == held[0][1]:
            send(r.answer(2, held[0], b"", r.SECRET))
        send(r.answer(2, packet, b"", r.SECRET))

    peer = r.Peer(behave)
    try:
        s = lab(server("one", peer.port, 0, '<param name="dead-time" value="1"/><param name="status-server" value="false"/>'),
                more='<param name="auth-timeout" value="300"/>')
        assert s.api("radius test alice wonder") == "-ERR no server answers\n"
        until(lambda: s.api("radius test alice wonder").startswith("+OK"))
        for _ in range(260):
            assert s.api("radius test alice wonder").startswith("+OK")
        text = s.api("radius status")
        assert "forged 0" in text and "strange 0" not in text, text
    finally:
        peer.stop()


def test_a_server_by_ipv6(lab):
    peer = r.Peer(lambda packet, send: send(r.answer(2, packet, b"", r.SECRET)), "::1")
    try:
        s = lab(server("one", peer.port, 0).replace("127.0.0.1", "::1"))
        assert s.api("radius test alice wonder").startswith("+OK")
        assert f"auth [::1]:{peer.port} alive" in s.api("radius status")
    finally:
        peer.stop()


def test_an_old_server_is_forgiven_where_it_is_said(lab):
    peer = r.Peer(lambda packet, send: send(r.answer(2, packet, b"", r.SECRET, mac=False)))
    try:
        s = lab(server("one", peer.port, 0, '<param name="require-message-authenticator" value="false"/>'))
        assert s.api("radius test alice wonder").startswith("+OK")
    finally:
        peer.stop()


def test_a_silent_server_costs_its_deadline_and_a_hang_up_does_not_wait(lab, phone):
    peer = r.Peer(lambda packet, send: None)
    try:
        s = lab(server("one", peer.port, 0), more='<param name="auth-timeout" value="60000"/>',
                profile='<param name="authenticator" value="radius"/>')
        q = phone("1000", switch=s, register=False)
        again = register(q, 503)
        assert again.get("Retry-After") == "5"
        for i in range(20):  # they wait; nobody else does
            other = phone("1000", switch=s, register=False)
            uri, to = f"sip:{s.domain}", f"<sip:1000@{s.domain}>"
            other.request("REGISTER", uri, to, f"waits{i}")
            other.request("REGISTER", uri, to, f"waits{i}", extra=other.authorization(other.expect(401), "REGISTER", uri))
        began = s.api("status")
        assert "UP" in began and s.api("radius test a b") == "-ERR no server answers\n"
        assert s.log_text.count("server one does not answer") == 1
    finally:
        peer.stop()


def test_a_caller_who_goes_is_not_kept(lab, phone):
    peer = r.Peer(lambda packet, send: None)
    try:
        s = lab(server("one", peer.port, 0, '<param name="timeout" value="30000"/>'), more='<param name="auth-timeout" value="60000"/>')
        p = phone("1000", switch=s)
        p.invite("80alicexwonder")
        until(lambda: peer.got)
        p.cancel()
        p.expect(487)
        s.wait_calls(0)  # long before the deadline
    finally:
        peer.stop()


def test_a_server_that_fails_at_the_load_is_told_with_its_place(lab):
    s = lab('<server name="one"><param name="host" value="127.0.0.1"/></server>', start=False)
    s.start()
    s.wait_log("radius.conf.xml:")
    assert 'server "one" has no secret' in s.log_text


def test_interim_records_and_starts_at_the_answer(lab, radius, phone):
    s = lab(server("one", radius.auth, radius.acct), more='<param name="interim-interval" value="1"/><param name="start-at" value="answer"/>'
            '<param name="legs" value="a"/>')
    p = call(phone("1000", switch=s), "82")
    uuid = uuid_of(s, "1000")
    radius.wait_records(lambda all_: of(all_, uuid, "Interim-Update"))
    p.bye()
    s.wait_calls(0)
    got = of(radius.wait_records(lambda all_: of(all_, uuid, "Stop")), uuid)
    assert [x["Acct-Status-Type"] for x in got][:2] == ["Start", "Interim-Update"] and int(got[1]["Acct-Session-Time"]) >= 1


def test_what_memory_does_not_hold_is_on_the_disk_and_comes_later(lab, tmp_path, phone):
    one = r.FreeRadius(tmp_path / "one", USERS)
    s = lab(server("one", one.auth, one.acct), more='<param name="spool-memory" value="3"/><param name="accounting-in-flight" value="1"/>')
    try:
        uuids = []
        p = phone("1000", switch=s)
        for _ in range(6):
            uuids.append(call(p, "82") and uuid_of(s, "1000"))
            p.bye()
            s.wait_calls(0)
        assert "spool queued 3 " in s.api("radius status")
        one.start()
        records = one.wait_records(lambda all_: len(all_) == 12)
        p_uuid = call(p, "82") and uuid_of(s, "1000")  # while it is caught up
        p.bye()
        s.wait_calls(0)
        records = one.wait_records(lambda all_: len(all_) == 14)
        for uuid in (*uuids, p_uuid):
            assert [x["Acct-Status-Type"] for x in of(records, uuid)] == ["Start", "Stop"]
        starts = [x["Acct-Session-Id"] for x in records if x["Acct-Status-Type"] == "Start"]
        assert starts == [*uuids, p_uuid]
        until(lambda: "spool queued 0 under-way 0" in s.api("radius status"))
    finally:
        one.stop()


def test_without_status_server_the_dead_time_counts(lab, tmp_path):
    one = r.FreeRadius(tmp_path / "one", USERS)
    try:
        s = lab(server("one", one.auth, one.acct, '<param name="status-server" value="false"/><param name="dead-time" value="1"/>')
                .replace("127.0.0.1", "localhost"))
        assert s.api("radius test alice wonder") == "-ERR no server answers\n"
        one.start()
        until(lambda: s.api("radius test alice wonder").startswith("+OK"))
    finally:
        one.stop()


def test_a_login_brings_the_calls_time_and_class(digests, radius, phone):
    digests.passwords["1003"] = "of radius"
    p = call(phone("1003", switch=digests), "82")
    uuid = uuid_of(digests, "1003")
    assert var(digests, uuid, "avpair") == "plan=silver"
    p.reply(p.expect(method="BYE"), 200)
    digests.wait_calls(0)
    stop = of(radius.wait_records(lambda all_: of(all_, uuid, "Stop")), uuid, "Stop")[0]
    assert stop["Acct-Terminate-Cause"] == "Session-Timeout" and stop["Class"] == "0x676f6c64"


def test_a_change_sets_the_end_of_the_call_and_a_disconnect_takes_all_legs(sw, radius, phone):
    p = call(phone("1000"), "82")
    uuid = uuid_of(sw, "1000")
    assert r.disconnect(sw.coa, uuid, r.SECRET, code=43, extra=r.attr(27, 1))[0] == 44
    p.reply(p.expect(method="BYE"), 200)
    sw.wait_calls(0)
    a, b = phone("1000"), phone("1001")
    a.invite("83")
    b.take()
    a.answered()
    uuid = uuid_of(sw, "1000")
    assert r.disconnect(sw.coa, None, r.SECRET, extra=r.attr(50, uuid))[0] == 41
    a.reply(a.expect(method="BYE"), 200)
    b.reply(b.expect(method="BYE"), 200)
    sw.wait_calls(0)


def test_the_switch_tells_when_it_begins_and_ends(lab, tmp_path):
    one = r.FreeRadius(tmp_path / "one", USERS).start()
    try:
        s = lab(server("one", one.auth, one.acct), more='<param name="accounting-on" value="true"/>')
        one.wait_records(lambda all_: [x["Acct-Status-Type"] for x in all_] == ["Accounting-On"])
        until(lambda: "spool queued 0" in s.api("radius status"))
        s.stop()
        s.start()
        records = one.wait_records(lambda all_: len(all_) == 3)
        assert sorted(x["Acct-Status-Type"] for x in records) == ["Accounting-Off", "Accounting-On", "Accounting-On"]
        assert len({x["Acct-Session-Id"] for x in records}) == 2
    finally:
        one.stop()
