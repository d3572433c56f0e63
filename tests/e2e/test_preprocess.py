"""A voice made better: noise, loudness and echo, measured where the other phone hears it."""
import collections
import threading

import judge
import numpy as np
import pytest
from calls import call, extension, uuid_of, write_extensions
from test_sound_files import heard
from wire import sdp

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("preprocess") / "instance")
    write_extensions(s, [
        extension("7996", "answer", "preprocess nonsense=4", "preprocess ns=-200", "preprocess x.agc=true", "preprocess r_agc=true,typo=1,w.noise_suppress=-20", "park"),
        extension("7997", "preprocess ${sip_h_X-Words}", "preprocess ${sip_h_X-More}", "bridge user/1001"),
    ])
    s.start()
    yield s
    s.stop()


def bridge(sw, phone, words):
    a, b = phone("1000"), phone("1001")
    first, _, more = words.partition("|")
    a.invite("7997", extra=f"X-Words: {first}\r\nX-More: {more or first}\r\n")
    invite = b.expect(method="INVITE")
    b.reply(invite, 200, "OK", sdp(b.rtp_port))
    b.expect(method="ACK")
    b.enter(invite)
    a.answered()
    return a, b


def sends(p, sound):
    return judge.Sender(p.media, ("127.0.0.1", p.remote_rtp), [judge.rtp(f, i, 160 * i) for i, f in enumerate(judge.frames(sound))])


def level_of(sw, phone, words, sound, far=None):
    """What b hears at the end of four seconds of it."""
    a, b = bridge(sw, phone, words)
    s = sends(a, sound)
    f = sends(b, far if far is not None else np.zeros(32000))
    heard(b, 150)
    level = np.abs(heard(b, 40)).mean()
    s.join(), f.join()
    a.bye()
    return level


def test_noise(sw, phone):
    noise = np.random.default_rng(1).normal(0, 600, 34000)
    assert level_of(sw, phone, "noise_suppress=-30", noise) < 0.25 * level_of(sw, phone, "agc=false", noise)


def test_agc(sw, phone):
    quiet = judge.speech(4.3) * 0.05
    assert level_of(sw, phone, "agc=8000", quiet) > 3 * level_of(sw, phone, "deverb=false", quiet)


def test_words(sw, phone):
    p = phone("1000")
    call(p, "7996")
    uuid = uuid_of(sw, "1000")
    for word in ("nonsense", "ns", "x.agc", "typo"):
        sw.wait_log(f"preprocess: {word}: no such word, or a value")
    assert "preprocess" in sw.api(f"uuid_buglist {uuid}")  # a wrong word cost itself only
    assert sw.api(f"uuid_preprocess {uuid} stop") == "+OK\n"
    assert sw.api(f"uuid_preprocess {uuid} agc=4000,w.ns,ec=200") == "+OK\n"
    assert "preprocess" in sw.api(f"uuid_buglist {uuid}")
    for words in ("ns", "r.agc=true,r_echo_cancel=1024,r.noise_suppress=-20,r.echo_suppress=-40", "w_agc=yes,w.echo_cancel=256", "ragc=off,wagc=0",
                  "echo_cancel=24000", "ec=100ms", "r.echo_cancel=no", "nonsense,agc=1"):
        assert sw.api(f"uuid_preprocess {uuid} {words}") == "+OK\n", words
    assert sw.api(f"uuid_buglist {uuid}").count("<media-bug>") == 1
    assert sw.api(f"uuid_preprocess {uuid} ec=9000").startswith("-ERR ec: no such word")
    assert sw.api(f"uuid_preprocess {uuid} stop") == "+OK\n"
    assert sw.api(f"uuid_buglist {uuid}") == "<media-bugs>\n</media-bugs>\n"
    assert sw.api(f"uuid_preprocess {uuid} stop").startswith("-ERR")
    p.bye()


class Echo:
    """A phone whose microphone hears its loudspeaker: what comes goes back, quieter and later."""

    def __init__(self, p, gain=0.3, frames=3):
        self.p, self.gain, self.late = p, gain, collections.deque([b"\xff" * 160] * frames)
        self.is_over, self.thread = False, threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        self.p.media.settimeout(0.2)
        n = 0
        while not self.is_over:
            try:
                data = self.p.media.recv(2000)
            except TimeoutError:
                continue
            if data[1] & 0x7f != 0 or len(data) < 172:
                continue
            x = self.gain * np.array([judge.ULAW[b] for b in data[12:172]], dtype=float)
            self.late.append(judge.frames(x)[0])
            self.p.media.sendto(judge.rtp(self.late.popleft(), n, 160 * n, ssrc=0xec40), ("127.0.0.1", self.p.remote_rtp))
            n += 1

    def stop(self):
        self.is_over = True
        self.thread.join()


def echo_of(sw, phone, words, is_far=False):
    """What is left, in the last second and a half of four and a half, of one's own voice that the other phone sends back."""
    a, b = bridge(sw, phone, words)
    echoes, speaks = (b, a) if is_far else (a, b)
    echo, ear = Echo(echoes), judge.Listener(speaks.media)
    sends(speaks, judge.speech(4.5)).join()
    x = judge.sound(ear.stop())
    echo.stop()
    a.bye()
    return np.sqrt(np.mean(x[-12000:] ** 2))


def test_an_echo_is_taken_out(sw, phone):
    """Of the phone's own loudspeaker. A second line about something else leaves the canceller on; one that ends it does."""
    whole = echo_of(sw, phone, "agc=false")
    assert whole > 100
    assert echo_of(sw, phone, "r.echo_cancel=1024|w_agc=false") < 0.3 * whole
    assert echo_of(sw, phone, "echo_cancel|r.echo_cancel=false") > 0.5 * whole


def test_the_other_ones_echo_is_taken_out(sw, phone):
    """w: what the other phone sends back of this one's voice."""
    whole = echo_of(sw, phone, "agc=false", True)
    assert whole > 100 and echo_of(sw, phone, "w_echo_cancel=1024", True) < 0.3 * whole
