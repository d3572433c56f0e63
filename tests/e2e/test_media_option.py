"""media-option of a profile: bypass-media-after-att-xfer. (The options of holds are in test_bypass.py, by their variables.)"""
import re
from urllib.parse import quote

import pytest
from calls import ended, extension, write_extensions
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("option") / "instance")
    s.at = add_profile(s, "option", media_option="bypass-media-after-att-xfer")
    write_extensions(s, [extension("7981", "bridge sofia/option/svc@127.0.0.1:${sip_h_X-Port}")])
    s.start()
    yield s
    s.stop()


def called(sw, phone, a, user):
    p = phone(user, register=False, kind=Trunk, at=sw.at)
    a.invite("7981", extra=f"X-Port: {p.port}\n")
    invite = p.expect(method="INVITE")
    p.reply(invite, 200, "OK", sdp(p.rtp_port))
    p.expect(method="ACK")
    p.enter(invite)
    a.answered()
    return p


def port_of(text):
    return int(re.search(r"m=audio (\d+)", text).group(1))


def test_after_an_attended_transfer(sw, phone):
    a1, a2 = (phone("ext", register=False, kind=Trunk, at=sw.at) for _ in range(2))
    b, c = called(sw, phone, a1, "b"), called(sw, phone, a2, "c")
    tags = re.search("tag=([^;]+)", a2.peer_to).group(1), a2.tag
    replaces = quote(f"{a2.call_id};to-tag={tags[0]};from-tag={tags[1]}", safe="")
    a1.request("REFER", extra=f"Refer-To: <{a2.target}?Replaces={replaces}>\nReferred-By: <sip:ext@127.0.0.1>\n")
    a1.expect(202)
    told = set()
    while len(told) < 2:  # one after the other
        for p, other in ((b, c), (c, b)):
            try:
                m = p.expect(method="INVITE", timeout=0.3)
            except AssertionError:
                continue
            assert port_of(m.body) == other.rtp_port
            told.add(p)
            p.reply(m, 200, "OK", sdp(p.rtp_port, version=2))
            p.expect(method="ACK")
    sw.api("hupall")
    ended(b)
    ended(c)
