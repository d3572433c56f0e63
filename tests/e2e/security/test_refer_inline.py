"""A phone's INVITE with Replaces leaves its leg in the dialplan "inline", and a REFER of the other side then names any application, such as
socket to the attacker. One account is enough."""
import re
import socket

import pytest
from calls import bridged, ended, extension, write_extensions
import tandem as t
from wire import sdp


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("refer") / "instance")
    write_extensions(s, [extension("8100", "answer", "set arrived=8100", "park")])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def replaced(sw, phone):
    """1000 calls 1001; a second phone takes 1000's place by Replaces. The new pair."""
    a, b, c = phone("1000", 400), phone("1001", 800), phone("1002", 1200)
    bridged(a, b, "1001")
    b_tag, a_tag = re.search("tag=([^;>]+)", a.peer_to).group(1), a.tag
    c.invite("1001", extra=f"Replaces: {a.call_id};to-tag={b_tag};from-tag={a_tag}\n")
    c.answered()
    ended(a)
    return b, c


def refer(p, to):
    p.own_request("REFER", extra=f"Refer-To: <{to}>\nReferred-By: <sip:{p.user}@127.0.0.1>\n")
    return p.expect(202)


def test_no_application_by_refer(sw, replaced):
    b, c = replaced
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    door.listen(1)
    door.settimeout(0)
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE CHANNEL_HANGUP")
    port = door.getsockname()[1]
    refer(b, f"sip:socket%3A127.0.0.1%3A{port}%20async%20full@127.0.0.1")
    events.wait_event("CHANNEL_HANGUP", Caller_Destination_Number=f"socket:127.0.0.1:{port} async full")  # nothing has that number
    with pytest.raises(BlockingIOError):
        door.accept()
    assert not [e for e in events.events if e.get("Event-Name") == "CHANNEL_EXECUTE" and e.get("Application") == "socket"]
    events.close()
    door.close()


def test_a_number_still_works(sw, replaced, parked):
    b, c = replaced
    refer(b, "sip:8100@127.0.0.1")
    var = parked()
    assert [var(n) for n in ("arrived", "dialplan", "context", "destination_number")] == ["8100", "XML", "default", "8100"]


@pytest.mark.parametrize("words", ["8100%20inline", "8100%20XML%20public", "park%3A,set%3Aa=b"])
def test_words_are_one_number(sw, phone, words):
    a, b = phone("1000", 400), phone("1001", 800)
    bridged(a, b, "1001")
    events = sw.esl()
    events.subscribe("CHANNEL_HANGUP")
    refer(b, f"sip:{words}@127.0.0.1")
    events.wait_event("CHANNEL_HANGUP", Caller_Dialplan="XML", Caller_Context="default",
                      Caller_Destination_Number=words.replace("%20", " ").replace("%3A", ":"))
    events.close()
