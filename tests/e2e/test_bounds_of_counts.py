"""What a client may have so many of stays whole when it asks for one more; what is counted is counted at the right rate."""
import pytest
import tandem as t
from calls import extension, write_extensions

pytestmark = pytest.mark.leaks
RATES = (8000, 16000, 32000, 48000)


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("counts") / "instance")
    write_extensions(s, [extension(f"78{hz // 1000}", "answer", "playback silence_stream://1000", "park") for hz in RATES])
    path = s.root / "conf/vars.xml"
    path.write_text(path.read_text().replace("global_codec_prefs=PCMU", "global_codec_prefs=" + ",".join(f"L16@{hz}h" for hz in RATES) + ",PCMU"))
    s.start()
    yield s
    s.stop()


def test_1024_subclasses(sw):
    """The 1,025th is refused, whatever is asked again stays, one that is given up makes room."""
    e, other = sw.esl(), sw.esl()

    def hears(name):
        other.command(f"sendevent CUSTOM\nEvent-Subclass: {name}\nSent: {name}")
        other.command("sendevent CUSTOM\nEvent-Subclass: c::0\nSent: last")
        while (event := e.wait_event("CUSTOM"))["Sent"] != "last":
            if event["Sent"] == name:
                e.wait_event("CUSTOM", Sent="last")
                return True
        return False

    names = [f"c::{i}" for i in range(1024)]
    for i in range(0, 1024, 256):
        assert e.command("event plain CUSTOM " + " ".join(names[i:i + 256]))[0]["Reply-Text"].startswith("+OK")
    assert e.command("event plain CUSTOM c::1024 c::1025")[0]["Reply-Text"] == "-ERR too many subclasses: 2 were not taken"
    assert not hears("c::1024")
    assert e.command("event plain CUSTOM c::7 c::1023")[0]["Reply-Text"].startswith("+OK")
    assert hears("c::7") and hears("c::1023") and hears("c::1")
    assert e.command("nixevent CUSTOM c::7")[0]["Reply-Text"].startswith("+OK")
    assert not hears("c::7")
    assert e.command("event plain CUSTOM c::1024")[0]["Reply-Text"].startswith("+OK")
    assert hears("c::1024")
    e.close(), other.close()


@pytest.mark.parametrize("hz", RATES)
def test_playback_ms(sw, phone, hz):
    """A second of silence is a second, at every rate of the codec."""
    a = phone("1000")
    events = sw.esl()
    events.subscribe("CHANNEL_PARK")
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", f"m=audio {a.rtp_port} RTP/AVP 97", f"a=rtpmap:97 L16/{hz}",
             "a=ptime:20" if hz < 32000 else "a=ptime:10", ""]
    uuid = None
    a.invite(f"78{hz // 1000}", body="\r\n".join(lines), extra="X-Any: 1\n")
    ok = a.answered()
    assert f"L16/{hz}" in ok.body
    uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
    get = lambda name: sw.api(f"uuid_getvar {uuid} {name}")  # noqa: E731
    assert get("read_rate") == str(hz)
    assert abs(int(get("playback_ms")) - 1000) <= 40, (get("playback_ms"), get("playback_samples"))
    assert get("playback_seconds") in ("0", "1")
    assert abs(int(get("playback_samples")) - hz) <= hz // 25
    a.bye()
    events.close()
