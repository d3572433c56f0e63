"""esf_page_group: phones that listen on a multicast group hear a page. The listener joins the groups on loopback."""
import socket
import struct
import time

import numpy as np
import pytest
import tandem as t
from calls import call, extension, talks, write_extensions
from talk import ULAW, amplitude

pytestmark = pytest.mark.leaks
# as FreeSWITCH's stock dialplan has it
STOCK = ('<extension name="rtp_multicast_page"><condition field="destination_number" expression="^pagegroup$|^7243$">'
         '<action application="answer"/><action application="esf_page_group"/></condition></extension>')


class Group:
    def __init__(self, address, port):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind((address, port))
        self.s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(address) + socket.inet_aton("127.0.0.1"))

    def next(self, seconds=8):
        self.s.settimeout(seconds)
        return self.s.recv(2000)

    def is_silent(self, seconds=0.3):
        """After what is under way."""
        self.s.settimeout(seconds)
        try:
            for _ in range(20):
                self.s.recv(2000)
        except TimeoutError:
            return True
        return False


@pytest.fixture
def join():
    made = []

    def one(address, port):
        made.append(Group(address, port))
        return made[-1]
    yield one
    for g in made:
        g.s.close()


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("page") / "instance")
    write_extensions(s, [
        STOCK,
        extension("7301", "esf_page_group 239.1.2.3 40000 40001 5", "set went=past", "park"),
        extension("7302", "set esf_multicast_ip=239.1.2.4", "set esf_multicast_write_codec=G722", "set esf_multicast_channel=3",
                  "set esf_multicast_alert_sound=tone_stream://%(1000,0,1700)", "esf_page_group"),
        extension("7303", "esf_page_group ${sip_h_X-Group}"),
        extension("7304", "esf_page_group 300.1.1.1"),
        extension("7305", "esf_page_group 239.1.2.3 70000")])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def pager(sw, phone):
    yield phone("1000", hz=400)
    sw.api("hupall")
    sw.wait_calls(0)


def sound(group, packets):
    """PCMU of so many packets, checked to be one RTP stream."""
    got, last = [], None
    for _ in range(packets):
        p = group.next()
        first, pt, seq, ts, ssrc = struct.unpack("!BBHII", p[:12])
        assert (first, pt, len(p)) == (0x80, 0, 172)
        if last:
            assert (seq, ts, ssrc) == ((last[0] + 1) & 0xffff, (last[1] + 160) & 0xffffffff, last[2])
        last = seq, ts, ssrc
        got.append(ULAW[np.frombuffer(p[12:], np.uint8)])
    return np.concatenate(got)


def hears(group, hz):
    """Soon."""
    for _ in range(20):
        if amplitude(sound(group, 10), hz) > 4000:
            return
    raise AssertionError(f"no {hz} Hz")


@pytest.mark.parametrize("number", ["7243", "pagegroup"])
def test_the_stock_page(sw, join, pager, number):
    group, control, polycom = join("224.168.168.168", 34567), join("224.168.168.168", 6061), join("224.0.1.116", 5001)
    now = int(time.time())
    call(pager, number)
    talks(pager)
    for _ in range(2):
        unique, command, address, port = struct.unpack("!II4sI", control.next())
        assert (command, address, port) == (6, socket.inet_aton("224.168.168.168"), 34567) and abs(unique - now) < 60
    alerts = [polycom.next() for _ in range(32)]
    assert len(set(alerts)) == 1 and len(alerts[0]) == 20 and alerts[0][:2] == b"\x0f\x1a" and alerts[0][6:7] == b"\x0d"
    assert alerts[0][7:].startswith(b"1000")
    hears(group, 400)
    for _ in range(40):
        p = polycom.next()
        if p[0] == 0x10 and len(p) == 346 and amplitude(ULAW[np.frombuffer(p[26:], np.uint8)], 400) > 4000:
            break
    else:
        raise AssertionError("Polycom's group hears nothing")
    pager.bye()
    assert [struct.unpack("!I", control.next()[4:8]) for _ in range(2)] == [(7,), (7,)]
    assert group.is_silent()
    while (p := polycom.next())[0] != 0xff:
        pass
    assert all(polycom.next() == p for _ in range(11))


def test_arguments(sw, join, pager):
    group, control = join("239.1.2.3", 40000), join("239.1.2.3", 40001)
    esl = sw.esl()
    esl.subscribe("CHANNEL_EXECUTE_COMPLETE")
    call(pager, "7301")
    talks(pager)
    hears(group, 400)
    assert control.next()[4:8] == b"\0\0\0\6"
    uuid = sw.api("show channels").split("\n")[1].split(",")[0]
    assert sw.api(f"uuid_getvar {uuid} multicast_ttl") == "5"
    assert sw.api("unload mod_esf").startswith("-ERR")  # in use
    sw.api(f"uuid_break {uuid}")  # the page is over, the call goes on
    assert esl.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="esf_page_group")["variable_multicast_ttl"] == "5"
    assert group.is_silent()
    esl.close()


def test_variables_alert_and_g722(sw, join, pager):
    group, polycom = join("239.1.2.4", 34567), join("224.0.1.116", 5001)
    call(pager, "7302")
    talks(pager)
    begin = pager.talk.mark()
    packets = [group.next() for _ in range(40)]
    assert {(p[1], len(p)) for p in packets} == {(9, 172)}
    times = [struct.unpack("!I", p[4:8])[0] for p in packets]
    assert {(b - a) & 0xffffffff for a, b in zip(times, times[1:])} == {160}
    pager.talk.hears(1700, since=begin)  # the alert, which the page has as well
    alert = polycom.next()
    assert alert[:2] == b"\x0f\x03"
    wide = b"".join(p[12:] for p in packets)
    assert len(set(wide)) > 20  # sound, not silence


@pytest.mark.parametrize("number, extra, says", [
    ("7303", "X-Group: 239.9.9.9\n", "the group is no IPv4 address"), ("7304", "", '"300.1.1.1"'), ("7305", "", 'no port: "70000"')])
def test_refused(sw, join, pager, number, extra, says):
    """What a caller wrote is no place to send to."""
    group = join("239.9.9.9", 34567)
    pager.invite(number, extra=extra)
    pager.ack_failure(pager.expect(480))
    sw.wait_log(says)
    assert group.is_silent()


def test_many_and_the_end_of_the_switch(sw, join, phone):
    """Two pagers on one group at once: two streams."""
    group = join("224.168.168.168", 34567)
    a, b = phone("1000", hz=400), phone("1001", hz=900)
    for p in (a, b):
        call(p, "7243")
        talks(p)
    seen = {}
    for _ in range(400):
        p = group.next()
        seen.setdefault(p[8:12], []).append(ULAW[np.frombuffer(p[12:], np.uint8)])
        if len(seen) == 2 and all(len(v) > 60 for v in seen.values()):
            break
    tones = sorted(max((400, 900), key=lambda hz: amplitude(np.concatenate(v[-20:]), hz)) for v in seen.values())
    assert tones == [400, 900]
    a.bye()
    b.bye()
    sw.wait_calls(0)
