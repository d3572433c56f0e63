"""siptrace by profile, address, call and gateway: in the log, as FreeSWITCH prints it."""
import re

import pytest
import tandem as t

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("trace") / "instance")
    sw.far = t.free_port()
    (sw.root / "conf/sip_profiles/external/far.xml").write_text(
        f'<include><gateway name="far"><param name="proxy" value="127.0.0.1:{sw.far}"/><param name="register" value="false"/>'
        '<param name="username" value="u"/><param name="password" value="p"/></gateway></include>')
    sw.start()
    yield sw
    sw.stop()


@pytest.fixture(autouse=True)
def clean(sw):
    yield
    sw.api("sofia trace off all")


def options(sw, p, call_id):
    p.call_id = call_id
    p.request("OPTIONS", f"sip:{sw.domain}", f"<sip:{sw.domain}>")
    p.expect(200)


def seen(sw, call_id):
    return sw.log_text.count(f"Call-ID: {call_id}\n")


def barrier(sw, p, n=[0]):
    """What was to be logged before this is there."""
    n[0] += 1
    sw.api("sofia profile internal siptrace on")
    options(sw, p, f"barrier-{n[0]}")
    sw.api("sofia profile internal siptrace off")
    sw.wait_log(f"Call-ID: barrier-{n[0]}\n", 2)


def test_by_profile(sw, phone):
    p = phone("1000", register=False)
    options(sw, p, "profile-off")
    assert sw.api("sofia profile internal siptrace on") == "Enabled sip debugging on internal"
    options(sw, p, "profile-on")
    assert sw.api("sofia profile internal siptrace off") == "Disabled sip debugging on internal"
    sw.wait_log("Call-ID: profile-on\n", 2)
    assert not seen(sw, "profile-off")
    assert re.search(rf"recv \d+ bytes from udp/\[127\.0\.0\.1\]:{p.port} at \d\d:\d\d:\d\d\.\d{{6}}:\n", sw.log_text)
    assert re.search(rf"send \d+ bytes to udp/\[127\.0\.0\.1\]:{p.port} at \d\d:\d\d:\d\d\.\d{{6}}:\n", sw.log_text)


def test_by_address(sw, phone):
    p = phone("1000", register=False)
    assert sw.api("sofia trace") == "+OK nothing is traced\n"
    assert "no address" in sw.api("sofia trace address 127.0.0.1/99")
    assert sw.api("sofia trace address 10.0.0.0/8").startswith("+OK trace ")
    options(sw, p, "elsewhere")
    assert sw.api("sofia trace address 127.0.0.0/8").startswith("+OK trace ")
    options(sw, p, "address-on")
    sw.wait_log("Call-ID: address-on\n", 2)
    rows = [l.split() for l in sw.api("sofia trace list").splitlines()]
    assert [r[1:3] for r in rows] == [["address", "10.0.0.0/8"], ["address", "127.0.0.0/8"]] and rows[1][3] == "2"
    assert sw.api(f"sofia trace off {rows[1][0]}") == "+OK\n"
    options(sw, p, "address-off")
    barrier(sw, p)
    assert not seen(sw, "elsewhere") and not seen(sw, "address-off")


def test_by_call(sw, phone):
    """Both legs of one call, from when it is asked for to its end; another call is not seen."""
    a, b, other = phone("1000"), phone("1001"), phone("1002")
    a.invite("1001")
    b.take()
    a.answered()
    uuid = next(l.split(",")[0] for l in sw.api("show channels").splitlines() if ",inbound," in l)
    assert sw.api(f"sofia trace call {uuid}").startswith("+OK trace ")
    options(sw, other, "another-one")
    a.bye()
    b.expect(method="BYE")
    b_id = b.call_id
    sw.wait_log(f"Call-ID: {a.call_id}\n", 2)
    barrier(sw, other)
    assert not seen(sw, "another-one")
    assert sw.api("sofia trace call x y z").startswith("+OK")
    sw.wait_calls(0)  # the next leg that is found is the next call's
    a.invite("1001")
    sw.api("sofia trace off all")
    invite = b.expect(method="INVITE")
    first = next(l.split(",")[0] for l in sw.api("show channels").splitlines() if ",inbound," in l)
    sw.api(f"sofia trace call {first}")
    b.reply(invite, 486, "Busy")
    b.expect(method="ACK")
    a.expect(486)
    sw.wait_log(f"Call-ID: {a.call_id}\n", 1)
    assert b_id


def test_by_gateway(sw, phone):
    import socket
    p = phone("1000", register=False)
    assert "no such gateway" in sw.api("sofia trace gateway nobody")
    assert sw.api("sofia trace gateway far").startswith("+OK")
    far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    far.bind(("127.0.0.1", sw.far))
    far.settimeout(5)
    sw.api("bgapi originate sofia/gateway/far/123 &park()")
    call_id = re.search(b"Call-ID: (.*)\r", far.recv(65536)).group(1).decode()
    sw.wait_log(f"Call-ID: {call_id}\n", 1)
    options(sw, p, "not-the-gateway")
    barrier(sw, p)
    assert not seen(sw, "not-the-gateway")
    sw.api("hupall")
    far.close()


def test_bounds(sw):
    for i in range(16):
        assert sw.api(f"sofia trace address 10.0.0.{i}").startswith("+OK")
    assert "too many" in sw.api("sofia trace address 10.1.0.0/16")
    assert sw.api("sofia trace off 99999").startswith("-ERR")
    assert sw.api("sofia trace nonsense x").startswith("-ERR Usage")
    assert sw.api("sofia trace off all") == "+OK\n"
