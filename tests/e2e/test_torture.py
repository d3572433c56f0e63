"""RFC 4475's 49 torture messages (tests/data/torture), said to the real program over UDP and, where the message can be framed, over TCP: what
that RFC asks of an element that receives each."""
import re
import socket

import pytest
import tandem as t
from trunk import Trunk, add_profile

pytestmark = pytest.mark.leaks
DATA = t.TOP / "tests/data/torture"
NONE = None  # a response of nobody's: no answer
WELL_FORMED = set(range(200, 700)) - {400}
REFUSED = {400}
EITHER = WELL_FORMED | REFUSED  # the RFC leaves it to the element
# section of the RFC, name -> the codes it allows
WANTED = {
    # 3.1.1 valid
    "wsinv": {481},  # well-formed, of a dialog nobody has
    "intmeth": {405, 501}, "esc01": WELL_FORMED, "escnull": WELL_FORMED, "esc02": {405, 501}, "lwsdisp": {200}, "longreq": WELL_FORMED,
    "dblreq": WELL_FORMED, "semiuri": WELL_FORMED, "transports": {200}, "mpart01": WELL_FORMED, "unreason": NONE, "noreason": NONE,
    # 3.1.2 invalid
    "badinv01": REFUSED, "clerr": REFUSED, "ncl": REFUSED, "scalar02": REFUSED, "scalarlg": NONE, "quotbal": REFUSED,
    "ltgtruri": EITHER, "lwsruri": {400, 481}, "lwsstart": EITHER, "trws": EITHER, "escruri": EITHER, "baddate": EITHER,
    "regbadct": EITHER, "badaspec": EITHER, "baddn": EITHER, "badvers": {505}, "mismatch01": REFUSED, "mismatch02": {400, 501},
    "bigcode": NONE,
    # 3.2 transactions
    "badbranch": EITHER,
    # 3.3 what it means
    "insuf": REFUSED, "unkscm": {416}, "novelsc": {416}, "unksm2": {400, 401, 403, 404, 416}, "bext01": {420}, "invut": {415},
    "regaut01": {400, 401, 403}, "multi01": REFUSED, "mcl01": REFUSED, "bcast": NONE, "zeromf": {200, 483}, "cparam01": {200, 401, 403},
    "cparam02": {200, 401, 403}, "regescrt": {200, 401, 403, 400}, "sdp01": {406},
    # 3.4 a caller of RFC 2543
    "inv2543": {200},
}
UNFRAMED = {"clerr", "ncl", "mcl01", "inv2543", "scalarlg", "dblreq"}  # on a stream there is no telling where they end


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("torture") / "instance")
    s.at, s.tcp = add_profile(s, "torture"), add_profile(s, "torture_tcp")  # each its own transactions
    (s.root / "conf/dialplan/default/00_torture.xml").write_text(
        '<include><extension name="2543"><condition field="destination_number" expression="^UserB$"><action application="answer"/>'
        '<action application="sleep" data="200"/><action application="hangup"/></condition></extension></include>')
    s.start()
    yield s
    s.stop()


def final_code(read):
    """The code and text of the first final response; None: there is none."""
    while True:
        try:
            text = read()
        except (TimeoutError, socket.timeout, OSError):
            return None, ""
        if not text:
            return None, ""
        m = re.match(rb"SIP/2.0 (\d+)", text)
        if m and int(m.group(1)) >= 200:
            return int(m.group(1)), text.decode(errors="replace")


def judge(name, code, text):
    wanted = WANTED[name]
    if wanted is NONE:
        assert code is None, text
        return
    assert code in wanted, f"{name}: {code}\n{text}"
    if name == "bext01":
        assert "Unsupported: nothingSupportsThis, nothingSupportsThisEither" in text
    if name == "invut":
        assert "Accept: application/sdp" in text


def is_alive(sw):
    p = Trunk(sw, "alive", sw.at)
    p.call_id, p.target, p.peer_to = "alive-" + p.tag, f"sip:{sw.domain}", f"<sip:{sw.domain}>"
    p.request("OPTIONS")
    p.expect(200)
    p.close()


def test_there_are_49():
    assert len(WANTED) == 49 and {p.stem for p in DATA.glob("*.dat")} == set(WANTED)


@pytest.mark.parametrize("name", WANTED)
def test_udp(sw, name):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("127.0.0.1", sw.at))
    s.settimeout(0.4 if WANTED[name] is NONE else 5)
    s.sendall((DATA / f"{name}.dat").read_bytes())
    judge(name, *final_code(lambda: s.recv(65536)))
    if name == "dblreq":  # one datagram is one message
        s.settimeout(0.3)
        assert final_code(lambda: s.recv(65536)) == (None, "")
    s.close()
    is_alive(sw)


@pytest.mark.parametrize("name", [n for n in WANTED if n not in UNFRAMED])
def test_tcp(sw, name):
    data = (DATA / f"{name}.dat").read_bytes()
    s = socket.create_connection(("127.0.0.1", sw.tcp))
    s.settimeout(0.4 if WANTED[name] is NONE else 5)
    s.sendall(data)
    have = b""

    def read():
        nonlocal have
        while b"\r\n\r\n" not in have:
            more = s.recv(65536)
            if not more:
                return b""
            have += more
        head, _, have = have.partition(b"\r\n\r\n")
        have = have[int(re.search(rb"(?i)content-length:\s*(\d+)", head).group(1)):]
        return head
    judge(name, *final_code(read))
    s.close()
    is_alive(sw)
