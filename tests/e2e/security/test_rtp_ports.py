"""Media ports that come one after the other tell a stranger with one call of his own where the next calls listen, and a port that is
used again at once hands him the late packets of the call before. So they are drawn at random, and rest when they are free."""
import re
import socket

import pytest
from tandem import Tandem, free_port
from wire import Phone

pytestmark = pytest.mark.leaks


def port_of(p, number="9196"):
    """The switch's port of a short call."""
    p.invite(number)
    p.answered()
    p.bye()
    return p.remote_rtp


def phones_of(sw, count):
    made = [Phone(sw, "1000") for _ in range(count)]
    for p in made:
        p.register()
    return made


def test_ports_are_drawn(sw, phone):
    p = phone("1000")
    ports = [port_of(p) for _ in range(60)]
    assert all(sw.rtp_start <= n < sw.rtp_start + 1000 and n % 2 == 0 for n in ports)
    assert len(set(ports)) == len(ports)  # of 500 pairs: each rests
    steps = [b - a for a, b in zip(ports, ports[1:])]
    assert len(set(steps)) > 40 and 10 < sum(s > 0 for s in steps) < 50 and sum(abs(s) == 2 for s in steps) < 5
    assert max(ports) - min(ports) > 500


def test_both_legs_and_two_switches_differ(sw, phone, tmp_path):
    """One leg's port says nothing about the other's, nor does a run about the next one."""
    a, b, far = phone("1000"), phone("1001"), []
    for _ in range(8):
        a.invite("1001")
        invite = b.take()
        a.answered()
        far.append(int(re.search(r"m=audio (\d+)", invite.body).group(1)) - a.remote_rtp)
        a.bye()
        b.reply(b.expect(method="BYE"), 200, "OK")
    assert len(set(far)) > 4
    runs = []
    for n in range(2):
        again = Tandem(tmp_path / f"run{n}")
        again.start()
        p, = phones_of(again, 1)
        runs.append([port_of(p) for _ in range(3)])
        p.close()
        again.stop()
    assert runs[0] != runs[1]


def small(root, first, count):
    s = Tandem(root)
    s.env.update(TANDEM_RTP_START=str(first), TANDEM_RTP_END=str(first + count - 1))
    return s.start()


def test_a_small_range_is_used_up_and_again(tmp_path):
    """Nothing rests where that would refuse a call; full means refused at once."""
    first = free_port(count=10)
    first += first & 1
    s = small(tmp_path / "small", first, 8)
    phones = phones_of(s, 5)
    for _ in range(3):
        taken = []
        for p in phones[:4]:
            p.invite("9196")
            p.answered()
            taken.append(p.remote_rtp)
        assert sorted(taken) == list(range(first, first + 8, 2))
        phones[4].invite("9196")
        phones[4].expect(100)
        refused = phones[4]._read(2)
        assert refused.code >= 400
        phones[4].ack_failure(refused)
        for p in phones[:4]:
            p.bye()
        s.wait_calls(0)
    for p in phones:
        p.close()
    s.stop()


def test_ports_of_other_programs_are_passed_over(tmp_path):
    first = free_port(count=42)
    first += first & 1
    held = []
    for port in range(first, first + 40, 2):
        if port != first + 20:
            held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            held[-1].bind(("127.0.0.1", port + len(held) % 2))
    s = small(tmp_path / "held", first, 40)
    p, = phones_of(s, 1)
    for _ in range(40):  # of the pairs at hand the free one is drawn last now and then, and found all the same
        assert port_of(p) == first + 20
        s.wait_calls(0)
    p.close()
    s.stop()
    for h in held:
        h.close()
