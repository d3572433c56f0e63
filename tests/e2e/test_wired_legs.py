"""Legs without ports: loopback and null work where RTP has one pair of ports in all, and the phone has it."""
import pytest
from calls import call_and_talk, extension, talks, write_extensions
from test_media_threads import media_rows, threads_set


@pytest.fixture(scope="module", params=["1", "3"])
def sw(request, tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("wired") / "instance")
    threads_set(s, request.param)
    s.env["TANDEM_RTP_END"] = str(s.rtp_start + 1)
    write_extensions(s, [extension("7501", "bridge loopback/9196"),
                         extension("7502", "bridge {loopback_bowout=false}loopback/7503"),
                         extension("7503", "answer", "playback tone_stream://%(60000,0,900)"),
                         extension("7504", "bridge loopback/7502")])
    s.start()
    yield s
    s.stop()


def test_loopback_without_ports(sw, phone):
    """There and back through a pair, through two pairs; a second phone finds no port."""
    a = phone("1000", 450)
    for number, hz in (("7501", 450), ("7502", 900), ("7504", 900)):
        call_and_talk(a, number)
        a.talk.hears(hz)
        if number == "7502":
            b = phone("1001", 700)
            b.invite("7503")
            b.ack_failure(b.expect(503))
        a.bye()
        a.talk.stop()
        a.talk = None
        sw.wait_calls(0)


def test_null_without_ports(sw, phone):
    a = phone("1000", 450)
    call_and_talk(a, "7501")
    for _ in range(5):
        assert sw.api("originate null/nobody &playback(tone_stream://%(60000,0,900))").startswith("+OK")
    assert sum(r["streams"] for r in media_rows(sw)) == 1 + 2 + 5
    a.talk.hears(450)


def test_pairs_end_while_they_talk(sw, phone):
    """Pairs of echoes facing each other, hung up from either side: nothing is left, the media threads rest."""
    uuids = [sw.api("originate loopback/9196 &echo").split()[1] for _ in range(6)]
    for n, uuid in enumerate(uuids):
        sw.api(f"uuid_kill {uuid if n % 2 else sw.api(f'uuid_getvar {uuid} other_loopback_leg_uuid')}")
    sw.wait_calls(0)
    a = phone("1000", 450)
    call_and_talk(a, "7501")
    talks(a)
    a.talk.hears(450)
