"""A voice made better: noise, loudness and echo, measured where the other phone hears it."""
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
        extension("7996", "answer", "preprocess nonsense=4", "preprocess ns=-200", "preprocess w.echo_cancel", "park"),
        extension("7997", "preprocess ${sip_h_X-Words}", "bridge user/1001"),
    ])
    s.start()
    yield s
    s.stop()


def bridge(sw, phone, words):
    a, b = phone("1000"), phone("1001")
    a.invite("7997", extra=f"X-Words: {words}\r\n")
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
    for word in ("nonsense", "ns", "echo_cancel"):
        sw.wait_log(f"preprocess: {word}: no such word, or a value")
    assert sw.api(f"uuid_preprocess {uuid} agc=4000,w.ns,ec=200") == "+OK\n"
    assert "preprocess" in sw.api(f"uuid_buglist {uuid}")
    assert sw.api(f"uuid_preprocess {uuid} ns") == "+OK\n"
    assert sw.api(f"uuid_preprocess {uuid} ec=9000").startswith("-ERR ec: no such word")
    assert sw.api(f"uuid_preprocess {uuid} stop") == "+OK\n"
    assert sw.api(f"uuid_buglist {uuid}") == "<media-bugs>\n</media-bugs>\n"
    assert sw.api(f"uuid_preprocess {uuid} stop").startswith("-ERR")
    p.bye()
