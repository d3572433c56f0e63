"""Trunks beside each other: mod_distributor picks by weight and passes over what is down; what one refuses goes to the next, by cause."""
import re

import pytest
import tandem as t
from calls import extension, write_extensions
from test_gateway_params import Peer
from wire import sdp

pytestmark = pytest.mark.leaks

LISTS = """<configuration name="distributor.conf"><lists>
<list name="test"><node name="foo1" weight="1"/><node name="foo2" weight="9"/></list>
<list name="three"><node name="a" weight="2"/><node name="b" weight="1"/><node name="c" weight="3"/></list>
<list name="trunks"><node name="gw_a" weight="1"/><node name="gw_b" weight="2"/></list>
<list name="bad"><node name="x" weight="0"/><node name="" weight="1"/><node name="y"/></list>
</lists></configuration>"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("distributor") / "instance", "conf")
    conf = s.root / "conf/autoload_configs"
    (conf / "distributor.conf.xml").write_text(LISTS)
    modules = conf / "modules.conf.xml"
    modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_distributor"/></modules>'))
    write_extensions(s, [
        extension("7000", "distributor test", "park"),
        extension("71(\\d+)", "set hangup_after_bridge=true",
                  "bridge sofia/gateway/${distributor(trunks ${sofia(profile external gwlist down)})}/$1"),
        extension("72(\\d+)", "set continue_on_fail=true", "bridge sofia/gateway/gw_a/$1|sofia/gateway/gw_b/$1", "park"),
        extension("73(\\d+)", "set failure_causes=USER_BUSY", "set continue_on_fail=NORMAL_TEMPORARY_FAILURE",
                  "bridge sofia/gateway/gw_a/$1", "bridge sofia/gateway/gw_b/$1"),
        extension("74(\\d+)", "bridge sofia/gateway/gw_a/$1|sofia/gateway/gw_b/$1"),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def trunks(sw):
    """Two peers, each behind a gateway; the first may be registered, with a."""
    a, b = Peer(sw, "a"), Peer(sw, "b")
    paths = []
    for name, peer in (("gw_a", a), ("gw_b", b)):
        path = sw.root / f"conf/sip_profiles/external/{name}.xml"
        path.write_text(f'<include><gateway name="{name}"><param name="username" value="lab"/><param name="password" value="x"/>'
                        f'<param name="proxy" value="127.0.0.1:{peer.port}"/><param name="register" value="{str(name == "gw_a").lower()}"/>'
                        f'</gateway></include>')
        paths.append(path)
    sw.api("sofia profile external rescan")
    a.grant()
    yield a, b
    for name, path in zip(("gw_a", "gw_b"), paths):
        sw.api(f"sofia profile external killgw {name}")
        path.unlink()
    a.close()
    b.close()


def picks(sw, text, n):
    return [sw.api(f"distributor {text}") for _ in range(n)]


def test_by_weight(sw):
    assert picks(sw, "test", 12) == ["foo1"] + ["foo2"] * 9 + ["foo1", "foo2"]
    got = picks(sw, "three", 12)
    assert [got.count(x) for x in "abc"] == [4, 2, 6] and sorted(got[:3]) == ["a", "b", "c"]


def test_exceptions_do_not_catch_up(sw):
    sw.api("distributor_ctl reload")
    assert set(picks(sw, "test foo2", 5)) == {"foo1"}
    assert picks(sw, "test", 10).count("foo2") == 9
    assert picks(sw, "test foo1 foo2", 1) == ["-err"] and picks(sw, "three a c", 4) == ["b"] * 4


def test_replies(sw):
    assert sw.api("distributor") == "-err" and sw.api("distributor nosuch") == "-err"
    assert sw.api("distributor_ctl") == "-error\n" and sw.api("distributor_ctl nosuch") == "-error\n"
    assert sw.api("distributor_ctl dump") == "missing list name\n" and sw.api("distributor_ctl dump nosuch") == "cannot find list\n"
    assert sw.api("distributor_ctl dump test") == "list: name=test\nnode: name=foo1 weight=1\nnode: name=foo2 weight=9\n"
    assert picks(sw, "bad", 2) == ["y", "y"]
    sw.wait_log(re.compile(r"distributor: .*distributor.conf.xml:\d+: list bad: a node needs a name"), count=2)


def test_reload(sw):
    path = sw.root / "conf/autoload_configs/distributor.conf.xml"
    path.write_text(LISTS.replace('name="foo2" weight="9"', 'name="foo3" weight="1"'))
    sw.api("reloadxml")
    assert "foo2" in sw.api("distributor_ctl dump test")
    assert sw.api("distributor_ctl reload") == "+OK reloaded.\n"
    assert picks(sw, "test", 3) == ["foo1", "foo3", "foo1"]
    path.write_text(LISTS)
    sw.api("reloadxml")
    sw.api("distributor_ctl reload")


def test_the_application(sw, phone, parked):
    a = phone("1000")
    a.invite("7000")
    assert parked()("DISTRIBUTOR") == "foo1"
    a.cancel()


def refuse(peer, code, reason, extra=""):
    invite = peer.expect(method="INVITE")
    peer.reply(invite, code, reason, extra=extra)
    peer.expect(method="ACK")


def final(a, code):
    a.ack_failure(a.expect(code))


def test_a_gateway_that_is_down_is_passed_over(sw, trunks, phone):
    (one, other), a = trunks, phone("1000")
    sw.api("distributor_ctl reload")
    for peer in (one, other, other, one):
        a.invite("715")
        refuse(peer, 486, "Busy Here")
        final(a, 486)
    e = sw.esl()
    e.subscribe("CUSTOM sofia::gateway_state")
    sw.api("sofia profile external register gw_a")
    one.grant(403, "Forbidden")
    e.wait_event("CUSTOM", Gateway="gw_a", State="FAIL_WAIT")
    e.close()
    assert sw.api("sofia profile external gwlist down") == "gw_a "
    for _ in range(3):
        a.invite("715")
        refuse(other, 486, "Busy Here")
        final(a, 486)
    sw.wait_calls(0)
    one.expect_nothing("INVITE", 0.1)
    sw.api("sofia profile external register gw_a")
    one.grant()


def test_the_next_is_tried(sw, trunks, phone, parked):
    (one, other), a = trunks, phone("1000")
    a.invite("745")
    refuse(one, 503, "Full")
    invite = other.expect(method="INVITE")
    other.reply(invite, 200, "OK", sdp(other.rtp_port))
    other.expect(method="ACK")
    other.enter(invite)
    a.answered()
    a.bye()
    other.reply(other.expect(method="BYE"), 200, "OK")
    a.invite("725")
    refuse(one, 404, "Not Found")
    refuse(other, 500, "Oops", 'Reason: Q.850;cause=38;text="x"\n')
    of = parked()
    assert of("last_bridge_hangup_cause") == "NETWORK_OUT_OF_ORDER" and of("last_bridge_proto_specific_hangup_cause") == "sip:500"
    a.cancel()


def test_causes_say_whether(sw, trunks, phone):
    """continue_on_fail names what goes on to the next bridge, failure_causes is not asked for what it does not name."""
    (one, other), a = trunks, phone("1000")
    a.invite("735")
    refuse(one, 503, "Full")
    refuse(other, 486, "Busy Here")
    final(a, 486)
    a.invite("735")
    refuse(one, 486, "Busy Here")
    final(a, 486)
    other.expect_nothing("INVITE", 0.1)
