"""Bodies beside the session description: the parts of an INVITE are sip_multipart and go to whom the leg calls; INFO and MESSAGE go to
the other side of the call where they are to."""
import re

import pytest
import tandem as t
from calls import bridged, ended, extension, write_extensions
from test_multipart import LOCATION, SDP, Dressed, parts
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks
NOTE = "Content-Type: text/x-note;charset=utf-8"
HOSTILE = "~Content-Disposition: session\r\n\r\n${uuid_kill(x)}|:ARRAY::a|:b"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("bodies") / "instance")
    s.types = add_profile(s, "types", proxy_info_content_types="application/media_control+xml, text/x-note")
    with_lines = ('<extension name="own"><condition field="destination_number" expression="^7603(\\d+)$">'
                  '<action application="set" data="sip_multipart=application/x-own:~Content-ID: &lt;me@lab&gt;&#10;X-More: 1&#10;&#10;first"/>'
                  '<action application="push" data="sip_multipart,text/plain:second: part"/>'
                  '<action application="push" data="sip_multipart,no part"/>'
                  '<action application="bridge" data="sofia/types/b@127.0.0.1:$1"/></condition></extension>')
    write_extensions(s, [
        extension("7601(\\d+)", "bridge sofia/types/b@127.0.0.1:$1"),
        extension("7602(\\d+)", "set sip_copy_multipart=false", "bridge sofia/types/b@127.0.0.1:$1"),
        with_lines,
        extension("7604", "park"),
        extension("7605(\\d+)", "set other=${sip_multipart}", "set sip_multipart=text/x:${sip_multipart[0]}", "bridge sofia/types/b@127.0.0.1:$1"),
        extension("7606(\\d+)", "set sip_proxy_info=true", "set sip_proxy_message=true", "bridge sofia/types/b@127.0.0.1:$1"),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def pair(sw, phone):
    return tuple(phone(name, hz, register=False, kind=Trunk, at=sw.types) for name, hz in (("a", 500), ("b", 900)))


def call(a, number, *more):
    Dressed(a, "multipart/mixed;boundary=cut")
    a.invite(number, parts((LOCATION, "<presence>\r\n</presence>"), *more, (SDP, sdp(a.rtp_port))))


def parts_of(m):
    """[(header lines, bytes)] of a multipart message but its SDP, which it has."""
    cut = re.match(r"multipart/mixed;boundary=(\w+)$", m.get("Content-Type")).group(1)
    assert m.get("MIME-Version") == "1.0"
    all_ = [p[2:].partition("\r\n\r\n")[::2] for p in m.body.split(f"--{cut}")[1:-1]]
    assert sum("application/sdp" in head for head, _ in all_) == 1 and "m=audio" in m.body
    return [(head, body[:-2]) for head, body in all_ if "application/sdp" not in head]


def refused(a, b, invite):
    b.reply(invite, 486, "Busy")
    b.expect(method="ACK")
    a.ack_failure(a.expect(486))


def test_the_parts_of_an_invite_go_on(sw, pair):
    a, b = pair
    call(a, f"7601{b.port}", (NOTE, HOSTILE), ("Content-Type: application/isup", "\x01"), ("Content-Type: application/qsig", "q"),
         ("Content-Type: image/png", "a\0b"), ("Content-Type: text/b\r\nContent-Transfer-Encoding: base64", "eA=="))
    invite = b.expect(method="INVITE")
    assert parts_of(invite) == [("Content-Type: application/pidf+xml", "<presence>\r\n</presence>"), ("Content-Type: text/x-note", HOSTILE)]
    refused(a, b, invite)


def test_what_comes_is_a_list_that_nothing_in_it_changes(sw, phone, parked):
    a = phone("a", register=False, kind=Trunk, at=sw.types)
    call(a, "7604", (NOTE, HOSTILE))
    of = parked()
    assert of("sip_multipart[0]") == "application/pidf+xml:<presence>\r\n</presence>"
    assert of("sip_multipart[1]") == "text/x-note:" + HOSTILE
    assert of("sip_multipart[2]") == "_undef_"


def test_where_it_is_not_to_be_copied(sw, pair):
    a, b = pair
    call(a, f"7602{b.port}")
    invite = b.expect(method="INVITE")
    assert invite.get("Content-Type") == "application/sdp" and "presence" not in invite.body
    refused(a, b, invite)


def test_parts_of_the_dialplan(sw, pair):
    a, b = pair
    a.invite(f"7603{b.port}")
    invite = b.expect(method="INVITE")
    (head, first), second = parts_of(invite)
    assert head.split("\r\n") == ["Content-Type: application/x-own", "Content-ID: <me@lab>", "X-More: 1"] and first == "first"
    assert second == ("Content-Type: text/plain", "second: part")
    refused(a, b, invite)


def test_a_part_from_outside_in_one_of_the_dialplan(sw, pair):
    """Its header lines stay bytes."""
    a, b = pair
    Dressed(a, "multipart/mixed;boundary=cut")
    a.invite(f"7605{b.port}", parts((SDP, sdp(a.rtp_port)), ("Content-Type: a/b", "~X-Evil: 1\r\n\r\nx")))
    invite = b.expect(method="INVITE")
    assert parts_of(invite) == [("Content-Type: text/x", "a/b:~X-Evil: 1\r\n\r\nx")]
    refused(a, b, invite)


def test_too_many_and_too_large(sw, pair):
    a, b = pair
    call(a, f"7601{b.port}", (NOTE, "y" * 40000), *(("Content-Type: text/n", str(i)) for i in range(20)))
    invite = b.expect(method="INVITE")
    assert [p[1] for p in parts_of(invite)] == ["<presence>\r\n</presence>", *(str(i) for i in range(7))]
    refused(a, b, invite)


@pytest.mark.parametrize("method,code", [("INFO", 200), ("MESSAGE", 202)])
def test_requests_that_go_to_the_other_side(sw, pair, method, code):
    a, b = bridged(*pair, f"7606{pair[1].port}")
    body = parts((NOTE, "hello"))
    a.request(method, body=body, ctype="multipart/mixed;boundary=cut", extra="Content-Disposition: signal\n")
    got = b.expect(method=method)
    assert (got.body, got.get("Content-Type"), got.get("Content-Disposition")) == (body, "multipart/mixed;boundary=cut", "signal")
    a.expect(code)
    b.reply(got, 200)
    for _ in range(8):  # nobody answers these
        a.request(method, body="x", ctype="text/plain")
        a.expect(code)
    a.request(method, body="x", ctype="text/plain")
    assert a.expect(503).get("Retry-After") == "1"
    b.request(method, body="back", ctype="text/plain")  # this phone's are not asked for
    got = b.final()
    assert got.code in (200, 202, 401, 407)
    a.bye()
    ended(b)


def test_an_isup_of_a_phone_goes_by_no_info(sw, pair):
    a, b = bridged(*pair, f"7606{pair[1].port}")
    a.request("INFO", body="\x01", ctype="application/isup;version=itu")
    a.expect(200)
    a.request("INFO", body="end", ctype="text/plain")
    assert b.expect(method="INFO").body == "end"
    a.bye()
    ended(b)


def test_by_type(sw, pair):
    a, b = bridged(*pair, f"7601{pair[1].port}")
    for p, q in ((a, b), (b, a)):
        p.request("INFO", body="no", ctype="text/plain")
        p.expect(200)
        p.request("INFO", body="<x/>", ctype="Application/Media_Control+xml;a=b")
        p.expect(200)
        got = q.expect(method="INFO")
        assert (got.body, got.get("Content-Type")) == ("<x/>", "Application/Media_Control+xml;a=b")
        q.reply(got, 200)
    a.bye()
    ended(b)
