"""What a phone is sent is one RTP stream, whatever is done to its call: one SSRC, numbers in a row, timestamps by the clock, a marker where
sound begins again (judge.faults)."""
import os
import signal
import time

import judge
import pytest
from calls import call, ended, extension, uuid_of, write_extensions
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("continuity") / "instance")
    write_extensions(s, [
        extension("7961", "answer", "playback tone_stream://%(300,0,400)", "playback tone_stream://%(200,0,600);loops=2", "echo"),
        extension("7962", "answer", "playback silence_stream://300", "sleep 400", "playback tone_stream://%(300,0,500)", "park"),
        extension("7963", "bridge user/1001@$${domain}"),
        extension("7964", "answer", "playback tone_stream://%(1000,0,500);loops=20"),
    ])
    s.start()
    yield s
    s.stop()


class Line:
    """A phone that says a tone for so long and keeps what it is sent."""

    def __init__(self, p, hz, seconds=8):
        self.p, self.heard = p, judge.Listener(p.media)
        packets = [judge.rtp(f, 7 + i, 160 * i, ssrc=p.rtp_port, marked=i == 0) for i, f in enumerate(judge.frames(judge.tone(hz, seconds)))]
        self.sender = judge.Sender(p.media, ("127.0.0.1", p.remote_rtp), packets)

    def more(self, count):
        self.heard.wait(self.heard.count() + count)

    def whole(self):
        faults = judge.faults(self.heard.stop())
        assert not faults, (self.p.user, faults)


def pair(phone, number):
    a, b = phone("1000"), phone("1001")
    a.invite(number)
    b.take()
    a.answered()
    lines = Line(a, 400), Line(b, 700)
    for x in lines:
        x.more(20)
    return lines


def over(*lines):
    for x in lines:
        x.whole()


@pytest.mark.parametrize("number", ["7961", "7962"])
def test_playbacks_one_after_the_other(sw, phone, number):
    p = phone("1000")
    call(p, number)
    line = Line(p, 400, 3)
    line.more(20)
    line.sender.join()
    line.whole()
    p.bye()


def test_a_playback_into_a_bridge(sw, phone):
    a, b = pair(phone, "7963")
    uuid = uuid_of(sw, "1000")
    sw.api(f"uuid_broadcast {uuid} tone_stream://%(400,0,900) aleg")
    a.more(60)
    sw.api(f"uuid_displace {uuid} start tone_stream://%(400,0,900)")
    a.more(60)
    sw.api(f"uuid_displace {uuid} stop tone_stream://%(400,0,900)")
    a.more(40)
    b.more(10)
    over(a, b)
    a.p.bye()
    ended(b.p)


def test_hold_and_back(sw, phone):
    a, b = pair(phone, "7963")
    for version, direction in ((2, "sendonly"), (3, "sendrecv")):
        a.p.request("INVITE", body=sdp(a.p.rtp_port, direction=direction, version=version))
        a.p.answered()
        b.more(25)
    a.more(20)
    over(a, b)
    a.p.bye()
    ended(b.p)


def test_a_transfer(sw, phone):
    a, b = pair(phone, "7963")
    sw.api(f"uuid_transfer {uuid_of(sw, '1000')} 7964")
    ended(b.p)
    a.more(50)
    sw.api(f"uuid_transfer {uuid_of(sw, '1000')} 7961")
    a.more(50)
    over(a, b)
    a.p.bye()


def stalled(sw, seconds):
    """The whole program stands still for so long."""
    os.kill(sw.proc.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(sw.proc.pid, signal.SIGCONT)


def test_the_program_stalls_during_a_bridge(sw, phone):
    """What came meanwhile is sent after it; nothing is lost."""
    a, b = pair(phone, "7963")
    for _ in range(3):
        stalled(sw, 0.2)
        a.more(25), b.more(25)
    over(a, b)
    a.p.bye()
    ended(b.p)


def test_the_program_stalls_during_a_playback(sw, phone):
    p = phone("1000")
    call(p, "7964")
    line = Line(p, 400, 4)
    line.more(20)
    for _ in range(3):
        stalled(sw, 0.2)
        line.more(25)
    line.whole()
    p.bye()
