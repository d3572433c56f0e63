"""What the called is offered: what its caller has, in his order, then what can be made of it, and no silence suppression."""
import re

import pytest
import tandem as t
from calls import ended, extension, write_extensions
from wire import sdp


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("offers") / "instance", "conf")
    write_extensions(sw, [extension("8001", "bridge user/1001"), extension("8002", "answer", "bridge user/1001"),
                          extension("8003", "bridge {codec_string=PCMA}user/1001")])
    sw.start()
    yield sw
    sw.stop()


def formats(m):
    return [int(n) for n in re.search(r"m=audio \d+ \S+ ([\d ]+)", m.body).group(1).split()]


# the caller's formats, what he dials, what the called is offered, what the caller is answered when the called takes all
TABLE = {"pcmu": ((0, 101), "8001", [0, 8, 101], [0, 101]), "pcma": ((8, 101), "8001", [8, 0, 101], [8, 101]),
         "both": ((8, 0, 101), "8001", [8, 0, 101], [8, 101]), "asked-for": ((0, 101), "8003", [8, 101], [0, 101]),
         "answered-before": ((0, 101), "8002", [0, 8, 101], [0, 101])}


@pytest.mark.parametrize("row", TABLE)
def test_offer(sw, phone, row):
    has, number, offered, answered = TABLE[row]
    a, b = phone("1000"), phone("1001")
    a.invite(number, body=sdp(a.rtp_port, formats=has))
    if number == "8002":
        ok = a.answered()
    invite = b.expect(method="INVITE")
    assert [f for f in formats(invite) if f not in (9, 96, 102, 116)] == offered
    b.reply(invite, 200, "OK", sdp(b.rtp_port, formats=tuple(offered)))
    b.expect(method="ACK")
    b.enter(invite)
    if number != "8002":
        ok = a.answered()
    assert formats(ok) == answered
    a.bye()
    ended(b)


def test_no_comfort_noise_is_answered(sw, phone):
    a, b = phone("1000"), phone("1001")
    body = sdp(a.rtp_port, formats=(0, 101)).replace("AVP 0 101", "AVP 0 101 13").replace("a=ptime", "a=rtpmap:13 CN/8000\r\na=ptime")
    a.invite("8001", body=body)
    b.take()
    assert formats(a.answered()) == [0, 101]
    a.bye()
    ended(b)
