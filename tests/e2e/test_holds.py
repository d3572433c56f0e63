"""Holds in every form a phone knows, from either side and from both, held again and resumed, refused where disable-hold says so."""
import pytest
from calls import ended, extension, is_pair, talks, write_extensions
from trunk import Trunk, add_profile
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("holds") / "instance")
    s.at = add_profile(s, "plain", hold_music="tone_stream://%(60000,0,440)")
    s.off = add_profile(s, "off", disable_hold="true")
    write_extensions(s, [extension("7951", "bridge sofia/plain/svc@127.0.0.1:${sip_h_X-Port}"),
                         extension("7952", "bridge sofia/off/svc@127.0.0.1:${sip_h_X-Port}"),
                         extension("7954", "set rtp_disable_hold=true", "bridge sofia/plain/svc@127.0.0.1:${sip_h_X-Port}"),
                         extension("7953", "set temp_hold_music=tone_stream://%(60000,0,700)", "bridge sofia/plain/svc@127.0.0.1:${sip_h_X-Port}")])
    s.start()
    s.api("global_setvar hold_music=")  # which comes before the profile's
    yield s
    s.stop()


def pair(sw, phone, number="7951", at=None):
    a = phone("ext", register=False, kind=Trunk, at=at or sw.at, hz=500)
    b = phone("svc", register=False, kind=Trunk, at=at or sw.at, hz=900)
    a.invite(number, extra=f"X-Port: {b.port}\n")
    invite = b.expect(method="INVITE")
    b.reply(invite, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    return a, b


def reinvite(p, body, is_called=False):
    (p.own_request if is_called else p.request)("INVITE", body=body)
    ok = p.expect(200)
    (p.own_request if is_called else p.request)("ACK", cseq=int(ok.get("CSeq").split()[0]))
    return ok


def form(p, how, version):
    text = sdp(p.rtp_port, direction=how if how in ("sendonly", "inactive") else "sendrecv", version=version)
    return text.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0") if how == "0.0.0.0" else text


@pytest.mark.parametrize("is_called", [False, True])
@pytest.mark.parametrize("how,answer", [("sendonly", "a=recvonly"), ("inactive", "a=inactive"), ("0.0.0.0", "a=recvonly")])
def test_held_and_resumed(sw, phone, how, answer, is_called):
    a, b = pair(sw, phone)
    holder, held = (b, a) if is_called else (a, b)
    talks(a, b)
    for version in (2, 3):  # again: it stays held
        assert answer in reinvite(holder, form(holder, how, version), is_called).body
        assert sw.api("show channels").count("HELD") == 1
    held.talk.hears(440)
    assert "a=recvonly" not in reinvite(holder, form(holder, "sendrecv", 4), is_called).body
    is_pair(a, b)
    a.bye()
    ended(b)


def test_temp_hold_music_comes_first(sw, phone):
    a, b = pair(sw, phone, "7953")
    talks(a, b)
    reinvite(a, form(a, "sendonly", 2))
    b.talk.hears(700)
    a.bye()
    ended(b)


def test_both_hold(sw, phone):
    a, b = pair(sw, phone)
    talks(a, b)
    reinvite(a, form(a, "sendonly", 2))
    reinvite(b, form(b, "sendonly", 2), True)
    assert sw.api("show channels").count("HELD") == 2
    reinvite(a, form(a, "sendrecv", 3))
    assert sw.api("show channels").count("HELD") == 1
    a.talk.hears(440)
    reinvite(b, form(b, "sendrecv", 3), True)
    is_pair(a, b)
    a.bye()
    ended(b)


@pytest.mark.parametrize("number, at", [("7954", "at"), ("7952", "off")])
def test_a_hold_that_is_none(sw, phone, number, at):
    """rtp_disable_hold, disable-hold: the phone's re-INVITE is answered, and nothing comes of it."""
    a, b = pair(sw, phone, number, getattr(sw, at))
    talks(a, b)
    assert "a=recvonly" in reinvite(a, form(a, "sendonly", 2)).body
    assert "HELD" not in sw.api("show channels")
    b.talk.hears(500)  # who holds may talk on
    reinvite(a, form(a, "sendrecv", 3))
    is_pair(a, b)
    a.bye()
    ended(b)


def test_disable_hold(sw, phone):
    """Of ours: none is sent."""
    a, b = pair(sw, phone, "7952", sw.off)
    uuid = [r.split(",")[0] for r in sw.api("show channels").splitlines() if ",outbound," in r][0]
    sw.api(f"uuid_hold {uuid}")
    b.expect_nothing("INVITE", 0.5)
    a.bye()
    ended(b)
