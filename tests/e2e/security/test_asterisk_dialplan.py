"""Dial and Goto of extensions.conf: what was dialled is part of an address or an extension, never more targets, an endpoint or text that is
expanded."""
import select

import pytest
from trunk import Trunk, add_profile

import tandem as t

RUN = "${global_setvar(hit=1)}"
PLAN = """[default]
exten => _71.,1,Dial(sofia/plain/${EXTEN}@127.0.0.1:${sip_h_X-Port})
exten => _72.,1,set(sip_profile=plain)
same => n,Dial(SIP/${EXTEN}@127.0.0.1:${sip_h_X-Port})
exten => _73.,1,Goto(away,${EXTEN})
exten => _74.,1,Goto(${sip_h_X-Place}|7400)
exten => 7400,1,answer
[away]
exten => _7.,1,set(x=${EXTEN})
same => n,eval(${EXTEN})
same => n,eval(${destination_number}${x})
same => n,answer
[secret]
exten => 7400,1,set_global(hit=1)
same => n,answer
"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("asterisk") / "instance")
    s.at = add_profile(s, "plain", dialplan="asterisk")
    conf = s.root / "conf"
    modules = conf / "autoload_configs/modules.conf.xml"
    modules.write_text(modules.read_text().replace('<load module="mod_dialplan_xml"/>',
                                                   '<load module="mod_dialplan_xml"/><load module="mod_dialplan_asterisk"/>'))
    (conf / "extensions.conf").write_text(PLAN)
    s.start()
    s.api("global_setvar hit=no")
    yield s
    s.stop()


def coded(text):
    return "".join(c if c.isalnum() else f"%{ord(c):02x}" for c in text)


def dial(sw, phone, number, extra=""):
    a = phone("ext", register=False, kind=Trunk, at=sw.at)
    a.invite(coded(number), extra=extra)
    return a


@pytest.mark.parametrize("before", ["71", "72"])
def test_who_is_dialled(sw, phone, before):
    """No target of the caller's is dialled, and none of his text is read."""
    sink, other = (phone(user, register=False, kind=Trunk, at=sw.at) for user in ("sink", "other"))
    for evil in (f",sofia/plain/evil@127.0.0.1:{other.port}", f"&sofia/plain/evil@127.0.0.1:{other.port}",
                 f"|sofia/plain/evil@127.0.0.1:{other.port}", RUN, f",{{x={RUN}}}loopback/7000"):
        a = dial(sw, phone, f"{before}00{evil}", extra=f"X-Port: {sink.port}\n")
        invite = sink.expect(method="INVITE")
        assert invite.first.startswith(f"INVITE sip:{before}00%"), invite.first
        sink.reply(invite, 486, "Busy")
        assert a.final().code == 486
        assert not select.select([other.s], [], [], 0)[0], evil
        sw.wait_calls(0)
    assert sw.api("global_getvar hit") == "no"


def test_goto_extension(sw, phone):
    a = dial(sw, phone, f"73{RUN}")
    a.answered()
    a.bye()
    assert sw.api("global_getvar hit") == "no"


def test_goto_context(sw, phone):
    a = dial(sw, phone, "7401", extra="X-Place: secret\n")
    assert a.final().code >= 400
    assert sw.api("global_getvar hit") == "no"
