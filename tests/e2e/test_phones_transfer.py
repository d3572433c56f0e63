"""Real phones and the features of dialogs: baresip and linphone are transferred by REFER, transfer others, write to each other and show
who they came to talk to."""
import re

import pytest
from phones import Baresip, Linphone

pytestmark = [pytest.mark.leaks, pytest.mark.quiet]


@pytest.fixture(scope="module")
def phones(tandem, tmp_path_factory):
    root = tmp_path_factory.mktemp("transfers")
    made = [Baresip(root, tandem, "1000", hz=440), Linphone(root, tandem, "1001", hz=620), Baresip(root, tandem, "1002", hz=850)]
    yield made
    for p in made:
        p.close()


def talks_with(sw, user, other):
    """The channels of both are one bridge; baresip's address has more behind its user."""
    return any(f"/{user}@" in line and re.search(f"/{other}[-@]", line) for line in sw.api("show calls").splitlines())


def test_a_transfer_by_baresip(tandem, phones):
    """1000 calls 1001 (linphone) and sends it to 1002."""
    a, lin, c = phones
    a.dial("1001")
    lin.answer()
    a.wait("CALL_ESTABLISHED")
    lin.established()
    a.command("transfer", f"sip:1002@{tandem.domain}")
    c.answer()
    a.wait("CALL_CLOSED")
    c.wait("CALL_ESTABLISHED")
    assert talks_with(tandem, "1001", "1002"), tandem.api("show calls")
    c.hangup()
    lin.ended()
    tandem.wait_calls(0)


def test_a_transfer_by_linphone(tandem, phones):
    """1001 (linphone) is called by 1000, and sends it to 1002."""
    a, lin, c = phones
    a.dial("1001")
    lin.answer()
    a.wait("CALL_ESTABLISHED")
    lin.established()
    lin.say(f"transfer sip:1002@{tandem.domain}")
    c.answer()
    c.wait("CALL_ESTABLISHED")
    lin.ended()
    assert talks_with(tandem, "1000", "1002"), tandem.api("show calls")
    c.hangup()
    a.wait("CALL_CLOSED")
    tandem.wait_calls(0)


def test_messages(tandem, phones):
    """linphone gets what the switch and baresip write, and writes itself."""
    a, lin, c = phones
    events = tandem.esl()
    events.subscribe("MESSAGE")
    assert tandem.api(f"chat sip|1002@{tandem.domain}|1001@{tandem.domain}|hello from the switch|text/plain") == "Sent"
    lin.wait("hello from the switch")
    assert events.wait_event("MESSAGE")["Delivery-Result-Code"] == "200"
    lin.say(f"chat sip:1002@{tandem.domain} hello from linphone")
    e = events.wait_event("MESSAGE")
    assert e["from_user"] == "1001" and e["to_user"] == "1002"
    events.close()
