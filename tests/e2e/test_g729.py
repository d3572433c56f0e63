"""G.729 by the module of its own (modules/g729, libbcg729): loaded at run time it is a codec like any other, and it stays. The far end's
decoder is FFmpeg's, its encoder libbcg729's. That it is passed through without the module: test_pass_through."""
import numpy as np
import pytest
import tandem as t
from calls import extension, write_extensions
from coders import Bcg729
from codec_phone import Coder, CodecTalker, body
from test_codecs import ended_has_both, joined, wanted

pytestmark = pytest.mark.leaks
MODULE = t.BUILD / "modules/g729/mod_g729.so"
PREFS = "PCMU,PCMA,G729,OPUS,G722,GSM"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    if not MODULE.exists():
        pytest.skip("mod_g729.so is not built: libbcg729-dev is missing, or -Dg729=disabled")
    sw = t.Tandem(tmp_path_factory.mktemp("g729") / "instance", "conf")
    path = sw.root / "conf/sip_profiles/internal.xml"
    path.write_text(path.read_text().replace("$${global_codec_prefs}", PREFS).replace("$${outbound_codec_prefs}", PREFS))
    (sw.root / "mod").mkdir(exist_ok=True)
    (sw.root / "mod" / MODULE.name).write_bytes(MODULE.read_bytes())
    write_extensions(sw, [*(extension(f"884{i}", f"bridge {{absolute_codec_string={wanted(n)}}}user/1001") for i, n in enumerate(("G729", "opus", "PCMU"))),
                          extension("8850", "answer", "record_session " + str(sw.root / "heard.wav"), "bridge user/1001"),
                          extension("8851", "answer", "echo"),
                          extension("8852", "answer", "playback tone_stream://%(60000,0,700)")])
    sw.start()
    assert sw.api("load mod_g729").endswith("+OK\n")
    yield sw
    sw.stop()


def test_it_is_there_and_stays(sw):
    assert "codec,G.729,mod_g729\n" in sw.api("show codec")
    assert "it brought a codec, which stays until the program ends" in sw.api("unload mod_g729")
    assert "it brought a codec" in sw.api("reload mod_g729")
    assert sw.api("module_exists mod_g729") == "true" and "codec,G.729,mod_g729\n" in sw.api("show codec")


@pytest.mark.parametrize("first,second,number", [("PCMU", "G729", "8840"), ("G729", "opus", "8841"), ("G729", "PCMU", "8842")])
def test_with(sw, phone, first, second, number):
    a, b = phone("1000", 440), phone("1001", 900)
    joined(a, b, Coder(first), Coder(second), number=number)
    print(b.talk.hears(440, snr_db=8), a.talk.hears(900, snr_db=8))


@pytest.mark.parametrize("ptime", [10, 30, 60])
def test_packet_times(sw, phone, ptime):
    a, b = phone("1000", 440), phone("1001", 900)
    joined(a, b, Coder("PCMU"), Coder("G729", ptime / 1000), ptime=(20, ptime), number="8840")
    a.talk.hears(900, snr_db=8)
    b.talk.hears(440, snr_db=8)
    assert set(b.talk.payloads[5:30]) == {ptime}


def test_annex_b(sw, phone):
    """A phone that describes its silence: packets of 12 and 2 bytes, and none. Nothing but silence is heard then, and it goes on."""
    a, b = phone("1000", 440), phone("1001", 900)
    coder = Coder("G729")
    coder.enc = Bcg729(with_dtx=True)
    joined(a, b, Coder("PCMU"), coder, number="8840")
    a.talk.hears(900, snr_db=8)
    b.talk.level = 0
    sent = []
    encode = coder.encode

    def kept(x):
        made = encode(x)
        sent.extend(made)
        return [p for p in made if p]
    coder.encode = kept
    b.talk.wait(2)
    assert {2, 0} <= {len(p) for p in sent}, sent
    b.talk.level = 8000
    a.talk.hears(900, snr_db=8)


def test_play_echo_record(sw, phone):
    a = phone("1000", 440)
    for number, hz in (("8852", 700), ("8851", 440)):
        coder = Coder("G729")
        a.invite(number, body(a, [coder]))
        a.answered()
        a.talk = CodecTalker(a, coder, 440)
        a.talk.hears(hz, level=8000, within_db=9, snr_db=8)
        a.talk.stop()
        a.talk = None
        a.bye()
    b = phone("1001", 900)
    joined(a, b, Coder("G729"), Coder("G729"), number="8850")
    a.talk.hears(900, snr_db=8)
    b.talk.wait(1.5)
    ended_has_both(sw, a, b)


def test_damaged(sw, phone):
    rng = np.random.default_rng(7)
    a, b = phone("1000", 440), phone("1001", 900)
    coder = Coder("G729")
    joined(a, b, Coder("PCMU"), coder, number="8840")
    a.talk.hears(900)
    encode = coder.encode
    coder.encode = lambda s: [rng.bytes(int(rng.integers(1, 1300))) if rng.random() < 0.5 else p for p in encode(s)]
    b.talk.wait(1)
    coder.encode = encode
    a.talk.hears(900, snr_db=8)
