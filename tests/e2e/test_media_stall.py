"""A media thread that does not run for 200 ms: nothing of a relay is lost, what it makes itself goes on in numbers and time as if nothing had been,
a record has every word, control answers meanwhile, and the lateness is counted."""
import json
import time

import judge
import numpy as np
import pytest
import stall
import tandem as t
from audio_lab import said
from calls import extension, write_extensions
from phones import read_wav
from talk import ulaw
from wire import Phone, sdp

pytestmark = pytest.mark.leaks
STALL_S = 0.2
LATE_S = 0.04  # what a record without a jitter buffer makes good


def latest_ms(sw):
    return max(int(r["latest_us"]) for r in json.loads(sw.api("show media as json"))["rows"]) / 1000


def stalled(tmp_path, phone_of):
    """How the record sounds (1 to 5), and how late our own senders were (seconds)."""
    sw = t.Tandem(tmp_path / "instance")
    write_extensions(sw, [extension("7980", "answer", "playback tone_stream://L=-1;%(60000,0,440)"),
                          extension("7981", "answer", f"record {tmp_path}/words.wav 8"),
                          extension("7982", "bridge user/1005")])
    with stall.Gate(sw, tmp_path, "stall_media.c") as gate:
        sw.start()
        player, recorder, a, b = (phone_of(sw, f"100{i}") for i in (1, 2, 4, 5))
        for p, number in ((player, "7980"), (recorder, "7981")):
            p.invite(number)
            p.answered()
        a.invite("7982")
        b.take(sdp(b.rtp_port))
        a.answered()
        heard, passed = judge.Listener(player.media), judge.Listener(b.media)
        words = np.concatenate([said(8000)[:4 * 8000], np.zeros(4000)])  # a record may end behind the words by what it was held up
        sent = [judge.rtp(ulaw(words[i:i + 160]), n, 160 * n, marked=not n) for n, i in enumerate(range(0, len(words), 160))]
        senders = [judge.Sender(p.media, ("127.0.0.1", p.remote_rtp), sent) for p in (recorder, a)]
        passed.wait(40)
        heard.wait(40)
        for _ in range(3):
            gate.shut()
            time.sleep(STALL_S)  # the fault itself
            assert sw.api("status")  # control is as it was
            gate.open()
            n = heard.count()
            heard.wait(n + 25)
        for s in senders:
            s.join()
        passed.wait(len(sent))
        got = passed.stop()
        assert [p.payload for p in got] == [x[12:] for x in sent]
        assert not [f for f in judge.faults(got, slack=0.6) if "clock" not in f]
        tone = heard.stop()
        assert not [f for f in judge.faults(tone, slack=0.6) if "SSRC" in f or "number" in f or "back" in f or "marker" in f], judge.faults(tone, slack=0.6)
        x = judge.sound(tone)
        assert not judge.gaps(x[800:], level=300) and judge.clicks(x[800:], 440, np.abs(x).max()) == 0
        for p in (player, recorder, a):
            p.bye()
        sw.wait_calls(0)
        assert latest_ms(sw) >= 1000 * STALL_S - 20
        x, rate = read_wav(tmp_path / "words.wav")
        score, _ = judge.score_of_words(words, np.asarray(x, float).reshape(-1), int(rate), most=8)  # silence comes first, as long as it takes to set up the rest
        sw.stop()
        return score, max(s.late_max for s in senders)


def test_stalled_for_200_ms(tmp_path, phone_of):
    for n in range(3):  # a phone of ours that was late itself leaves a hole that is nobody's fault
        (tmp_path / str(n)).mkdir()
        score, late = stalled(tmp_path / str(n), phone_of)
        if late < LATE_S:
            break
    assert score > 4.3, (score, late)
