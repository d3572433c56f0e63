"""The id of a leg that a dialplan takes from a caller's header: it names files of records and stands in commands, so it is a plain word or
there is no such leg."""
import pytest
import tandem as t
from calls import extension, write_extensions
from trunk import Trunk, add_profile


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("leg_ids") / "instance")
    s.at = add_profile(s, "plain")
    (s.root / "conf/autoload_configs/xml_cdr.conf.xml").write_text(
        '<configuration name="xml_cdr.conf"><settings><param name="log-b-leg" value="true"/></settings></configuration>')
    write_extensions(s, [extension("90", "set continue_on_fail=true",
                                   "bridge {origination_uuid=${sip_h_X-Id}}sofia/plain/svc@127.0.0.1:${sip_h_X-Port}", "answer", "park")])
    s.start()
    yield s
    s.stop()


def rung(sw, a, b, id):
    """What the switch says of its calls while b rings for a's; None: it is not rung."""
    a.invite("90", extra=f"X-Port: {b.port}\nX-Id: {id}\n")
    try:
        invite = b.expect(method="INVITE", timeout=1)
    except AssertionError:
        invite = None
    legs = sw.api("show channels") if invite else None
    if invite:
        b.reply(invite, 486, "Busy Here")
        b.expect(method="ACK")
    a.answered()
    a.bye()
    sw.wait_calls(0)
    return legs


@pytest.fixture
def two(sw, phone):
    return [phone(u, register=False, kind=Trunk, at=sw.at) for u in ("ext", "svc")]


@pytest.mark.parametrize("id", ["../../../evil", "a/b", "x$y", "<x>", "a b", 'a"b', "a,b", "'", "x" * 37])
def test_a_sign_of_a_language(sw, two, id):
    assert rung(sw, *two, id) is None
    assert not list(sw.root.parent.glob("evil*"))  # the record of its call


def test_a_word_of_somebody_elses(sw, two):
    assert "\ncall-12.3:a_b@lab+1," in rung(sw, *two, "call-12.3:a_b@lab+1")
