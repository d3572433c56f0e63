"""All RTP ports are taken: further calls get 503 and are told so, those that talk go on, and a port that comes free is used again."""
import re

import pytest
from calls import call_and_talk, extension, write_extensions

pytestmark = pytest.mark.leaks


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("ports") / "instance")
    path = s.root / "conf/autoload_configs/switch.conf.xml"
    text = path.read_text()
    for name, value in (("rtp-start-port", 31000), ("rtp-end-port", 31005)):
        text = re.sub(rf'<param name="{name}"[^>]*/>', "", text)
        text = text.replace("<settings>", f'<settings><param name="{name}" value="{value}"/>', 1)
    path.write_text(text)
    write_extensions(s, [extension("7971", "answer", "echo")])
    s.start()
    yield s
    s.stop()


def test_three_pairs(sw, phone):
    events = sw.esl()
    events.subscribe("CHANNEL_HANGUP_COMPLETE TRAP")
    talking = [call_and_talk(phone(f"100{i}", hz=300 + 100 * i), "7971") for i in range(3)]
    late = phone("1005")
    late.invite("7971")
    late.expect(503)
    assert events.wait_event("TRAP")["condition"] == "rtp-ports-used-up"
    end = events.wait_event("CHANNEL_HANGUP_COMPLETE")
    assert end["Hangup-Cause"] == "SWITCH_CONGESTION"
    sw.wait_log("no RTP port is free")
    for p in talking:
        p.talk.hears(p.hz)
    talking[0].bye()
    events.wait_event("CHANNEL_HANGUP_COMPLETE")
    again = call_and_talk(phone("1006", hz=800), "7971")
    again.talk.hears(800)
    assert events.wait_event("TRAP")["condition"] == "rtp-ports-available"
    for p in (*talking[1:], again):
        p.bye()
    events.close()
