"""A party that moves its media while its old stream goes on, as on any path of 100 ms and more: by a re-INVITE, or from the 183 to the 200.
The newest signalled address is sent the sound and heard, the one that was left is neither, and nobody else comes in meanwhile
(security/test_rtp_source.py has the strangers)."""
import re
import socket

import pytest
from calls import bridged, call, ended, extension, press, uuid_of, write_extensions
from talk import Talker
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("moved") / "instance")
    (s.root / "conf/dialplan/public/out.xml").write_text(
        '<include><extension name="out"><condition field="destination_number" expression="^7901$">'
        '<action application="bridge" data="user/1001@$${domain}"/></condition></extension></include>')
    write_extensions(s, [extension("7901", "bridge user/1001@$${domain}"),
                         extension("7902", "answer", "read 3 3 silence_stream://100 keys 5000 #", "park")])
    s.start()
    yield s
    s.stop()


class Place:
    """A port of a phone's with its own talker: what a phone.Talker needs of a phone."""

    def __init__(self, p, hz):
        self.user, self.p = p.user, p
        self.media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.media.bind(("127.0.0.1", 0))
        self.rtp_port = self.media.getsockname()[1]
        self.remote_rtp = p.remote_rtp
        self.talk = None
        self.hz = hz

    def speaks(self):
        self.talk = Talker(self, self.hz)

    def close(self):
        if self.talk:
            self.talk.stop()
        self.media.close()


def is_moved(old, new, other):
    """The new place and the other party hear each other; the old place is told nothing any more."""
    other.talk.hears(new.hz)
    new.talk.hears(other.hz)
    before = old.mark()
    other.talk.hears(new.hz)
    assert old.mark() == before, "the old port still hears"


@pytest.mark.parametrize("who", ["caller", "callee"])
@pytest.mark.parametrize("goes_on_ms", [0, 150, 300, 1200])
def test_by_a_reinvite(sw, phone, who, goes_on_ms):
    a, b = bridged(phone("1000", hz=500), phone("1001", hz=900), "1001")
    x, y = (a, b) if who == "caller" else (b, a)
    place = Place(x, 1400)
    (x.request if x is a else x.own_request)("INVITE", body=sdp(place.rtp_port, version=2))
    ok = x.expect(200)
    (x.request if x is a else x.own_request)("ACK", cseq=int(ok.get("CSeq").split()[0]))
    x.talk.say(goes_on_ms / 1000)
    if goes_on_ms <= 300:
        y.talk.hears(x.hz)  # its last packets count until the new ones come
    place.speaks()
    y.talk.hears(place.hz, timeout=5)
    is_moved(x.talk, place, y)  # the old stream still goes on
    x.talk.stop()
    is_moved(x.talk, place, y)
    x.talk = None
    a.bye()
    ended(b)
    place.close()


@pytest.mark.parametrize("goes_on_ms", [0, 150, 400])
@pytest.mark.parametrize("tag", ["the same", "another"])
def test_from_the_183_to_the_200(sw, phone, goes_on_ms, tag):
    """The announcement's last packets come after the 200, which names another port (and may be another phone's)."""
    a, b = phone("1000", hz=500), phone("1001", hz=900)
    a.invite("1001")
    invite = b.expect(method="INVITE")
    b.remote_rtp = int(re.search(r"m=audio (\d+)", invite.body).group(1))
    b.reply(invite, 183, "Progress", sdp(b.rtp_port))
    progress = a.expect(183)
    a.remote_rtp = int(re.search(r"m=audio (\d+)", progress.body).group(1))
    a.talk, b.talk = Talker(a, a.hz), Talker(b, b.hz)
    a.talk.hears(b.hz)
    place = Place(b, 1400)
    if tag == "another":
        b.tag += "x"
    b.reply(invite, 200, "OK", sdp(place.rtp_port, version=2))
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    b.talk.say(goes_on_ms / 1000)
    place.speaks()
    a.talk.hears(place.hz, timeout=5)
    is_moved(b.talk, place, a)
    b.talk.stop()
    is_moved(b.talk, place, a)
    b.talk = None
    a.bye()
    ended(b)
    place.close()


def test_there_and_back(sw, phone):
    """An address that was left is taken again when signalling says so."""
    a, b = bridged(phone("1000", hz=500), phone("1001", hz=900), "1001")
    place = Place(a, 1400)
    place.speaks()
    for n in range(3):
        for where, talk, other in ((place, place.talk, a.talk), (a, a.talk, place.talk)):
            a.request("INVITE", body=sdp(where.rtp_port, version=2 + 2 * n + (where is a)))
            a.request("ACK", cseq=int(a.expect(200).get("CSeq").split()[0]))
            b.talk.hears(where.hz, absent=(place.hz if where is a else a.hz,))
            talk.hears(b.hz)
    a.bye()
    ended(b)
    place.close()


def test_a_stranger_stays_out_while_it_moves(sw, phone):
    """Packets from a third port of the phone's own host, between the re-INVITE and the first from the new one."""
    a, b = bridged(phone("1000", hz=500), phone("1001", hz=900), "1001")
    place, stranger = Place(a, 1400), Place(a, 2300)
    a.request("INVITE", body=sdp(place.rtp_port, version=2))
    a.request("ACK", cseq=int(a.expect(200).get("CSeq").split()[0]))
    stranger.speaks()
    stranger.talk.say(0.2)
    place.speaks()
    b.talk.hears(place.hz, absent=(stranger.hz,))
    place.talk.hears(b.hz)
    before = stranger.talk.mark()
    b.talk.hears(place.hz, absent=(stranger.hz,))
    assert stranger.talk.mark() == before
    a.bye()
    ended(b)
    place.close()
    stranger.close()


def test_early_media_for_a_caller_who_is_not_known(sw, phone):
    """One short INVITE (500 bytes) from an address that has proved nothing: the 183 with sound is sent all the same, in its shortest form, since who
    has heard a 100 does not ask again; and the 200 after it."""
    b = phone("1001", hz=900)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    s.connect(("127.0.0.1", sw.ext_port))
    s.settimeout(5)
    port, body = s.getsockname()[1], sdp(4000, formats=(0, 101))
    text = (f"INVITE sip:7901@{sw.domain} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKearly{port};rport\r\nMax-Forwards: 70\r\n"
            f"From: <sip:9@127.0.0.1>;tag=x\r\nTo: <sip:7901@{sw.domain}>\r\nCall-ID: early{port}\r\nCSeq: 1 INVITE\r\n"
            f"Contact: <sip:9@127.0.0.1:{port}>\r\nUser-Agent: a small phone\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()
    s.send(text)
    sent = len(text)
    invite = b.expect(method="INVITE")
    b.reply(invite, 183, "Progress", sdp(b.rtp_port))
    got, first = 0, ""
    while "SIP/2.0 183" not in first:
        data = s.recv(65536)
        got, first = got + len(data), data.decode()
    assert "m=audio" in first
    b.reply(invite, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    while "SIP/2.0 200" not in first:
        data = s.recv(65536)
        got, first = got + len(data), data.decode()
    assert got <= 3 * sent, f"{got} bytes for {sent}"
    to, contact = re.search("To: ([^\r]+)", first).group(1), re.search("Contact: <([^>]+)>", first).group(1)
    for n, method in ((1, "ACK"), (2, "BYE")):
        s.send((f"{method} {contact} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{method}{port};rport\r\nMax-Forwards: 70\r\n"
                f"From: <sip:9@127.0.0.1>;tag=x\r\nTo: {to}\r\nCall-ID: early{port}\r\nCSeq: {n} {method}\r\nContent-Length: 0\r\n\r\n").encode())
    b.enter(invite)
    ended(b)
    s.close()


def test_keys_of_another_source(sw, phone):
    """Behind a border element another one speaks, from the same address: its clock begins low, and its keys are new ones."""
    a = phone("1000")
    e = sw.esl()
    e.subscribe("CHANNEL_EXECUTE_COMPLETE")
    call(a, "7902")
    uuid = uuid_of(sw, "1000")
    press(a, "5", start=2000, ssrc=1)
    press(a, "6", start=10, ssrc=2)
    press(a, "7", start=2020, ssrc=1)
    e.wait_event("CHANNEL_EXECUTE_COMPLETE", Unique_ID=uuid, Application="read")
    assert sw.api(f"uuid_getvar {uuid} keys") == "567"
    e.close()
    a.bye()
