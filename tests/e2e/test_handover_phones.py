"""Calls handed over between real phones (baresip, linphone): attended transfer by keys, pickup of a ringing phone, parking. What each
recorded says whom it heard."""
import time

import pytest
import tandem as t
from calls import extension, write_extensions
from phones import Baresip, Linphone, Waits, assert_hears

pytestmark = [pytest.mark.leaks, pytest.mark.quiet]
TALK_S = 2.0  # how long sound must flow before it is judged


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("handover_phones") / "instance")
    extensions = [
        extension("7701", "export hold_music=silence", "bind_meta_app 4 b s execute_extension::consult XML default", "bridge user/1001"),
        extension("consult", "read 4 4 silence_stream://100 who 10000 #", "att_xfer user/${who}@${domain_name}"),
        extension("7702", "hash insert/tests/ringing/${uuid}", "bridge user/1001"),
        extension("7703", "answer", "intercept ${hash(select/tests/ringing)}", "sleep 2000"),
    ]
    write_extensions(s, extensions)
    s.start()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def phones(sw, tmp_path_factory):
    root = tmp_path_factory.mktemp("phones")
    made = [Baresip(root, sw, "1000", hz=440), Linphone(root, sw, "1001", hz=620), Baresip(root, sw, "1002", hz=850)]
    yield made
    for p in made:
        p.close()


def test_attended_transfer_by_keys(sw, phones):
    """baresip calls linphone, which consults the other baresip and hangs up."""
    a, lin, c = phones
    events = sw.esl()
    events.subscribe("CHANNEL_BRIDGE CHANNEL_EXECUTE")
    waits = Waits(*phones)
    a.dial("7701")
    lin.answer()
    a.wait("CALL_ESTABLISHED")
    lin.established()
    events.wait_event("CHANNEL_BRIDGE")
    lin.digits("*4")
    events.wait_event("CHANNEL_EXECUTE", Application="read")
    lin.digits("1002")
    c.answer()
    c.wait("CALL_ESTABLISHED")
    events.wait_event("CHANNEL_BRIDGE")
    time.sleep(TALK_S)
    waited = waits.done()
    lin.hangup()
    events.wait_event("CHANNEL_BRIDGE")
    time.sleep(TALK_S)
    waited = max(waited, waits.done())
    sw.wait_calls(2)
    a.hangup()
    c.wait("CALL_CLOSED")
    sw.wait_calls(0)
    for path, hz in ((c.heard(), 620), (c.heard(), 440), (lin.heard(), 850), (a.heard(), 850)):
        assert_hears(path, hz, waited_s=waited)
    events.close()


def test_pickup(sw, phones):
    """linphone rings, baresip takes the call."""
    a, lin, c = phones
    waits = Waits(a, c)
    a.dial("7702")
    lin.wait(r"LinphoneCallIncomingReceived|contacting you|Receiving new incoming call")
    c.dial("7703")
    c.wait("CALL_ESTABLISHED")
    a.wait("CALL_ESTABLISHED")
    lin.ended()
    time.sleep(TALK_S)
    waited = waits.done()
    c.hangup()
    a.wait("CALL_CLOSED")
    sw.wait_calls(0)
    assert_hears(a.heard(), 850, waited_s=waited)
    assert_hears(c.heard(), 440, waited_s=waited)
    lin.new_record()


def test_park(sw, phones):
    """baresip parks itself, linphone dials the slot."""
    a, lin, _ = phones
    waits = Waits(a, lin)
    a.dial("6001")
    a.wait("CALL_ESTABLISHED")
    lin.dial("6001")
    lin.established()
    time.sleep(TALK_S)
    waited = waits.done()
    lin.hangup()
    a.wait("CALL_CLOSED")
    sw.wait_calls(0)
    assert_hears(lin.heard(), 440, waited_s=waited)
    assert_hears(a.heard(), 620, waited_s=waited)
