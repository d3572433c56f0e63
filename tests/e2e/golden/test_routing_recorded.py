"""The recorded commands of lcr, translate, blacklist, prefix, easyroute, enum and cidlookup, on the tables they were recorded with."""
import re

import pytest
import routing_lab
from recordings import needs_recordings
from test_golden import entries

pytestmark = needs_recordings
COMMANDS = re.compile(r"(lcr|lcr_admin|translate|blacklist|prefix|enum|enum_auto|easyroute|cidlookup)( |$)")
DIFFERENT = {  # command -> why
    "lcr_admin show profiles": "the query is our own text",
    "easyroute 15551234": "there the database was never reached",
    "blacklist save example": "it crashed there",
    "cidlookup status": "folders of the machine",
}


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    names = routing_lab.Names()
    s, dns = routing_lab.make(tmp_path_factory.mktemp("recorded") / "instance", names, {})
    s.start()
    yield s
    s.stop()
    names.close()
    dns.close()


def masked(text):
    text = re.sub(r"<event>.*?</event>\n", "<event/>\n", text, flags=re.S)  # its base headers are of the machine
    return text


@pytest.mark.parametrize("name", ["apps-lcr-translate-others.txt", "http-curl-cidlookup.txt"])
def test_replies(sw, name):
    wrong, equal = [], 0
    for command, wanted in entries(name):
        if not COMMANDS.match(command) or command in DIFFERENT:
            continue
        got = sw.api(command)
        if masked(got) == masked(wanted):
            equal += 1
        else:
            wrong.append((command, got, wanted))
    assert not wrong and equal > 7, wrong
