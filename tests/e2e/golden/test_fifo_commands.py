"""The recorded replies of the commands of queues, on the configuration they were recorded with (api/fifo-commands.txt)."""
import re

import pytest
import tandem as t
from recordings import GOLDEN, needs_recordings

pytestmark = needs_recordings
CONF = """<configuration name="fifo.conf"><settings/><fifos><fifo name="cool_fifo@127.0.0.1" importance="0"></fifo></fifos></configuration>"""
# q1 was there from earlier calls of the recording and is listed in front
LISTS = re.compile(r"fifo (list|list_verbose|count|has_outbound|status)$")


def recorded():
    parts = re.split(r"(?m)^\$ fs_cli -x '(.*)'\n", (GOLDEN / "api/fifo-commands.txt").read_text())
    return list(zip(parts[1::2], parts[2::2]))


def plain(reply):
    """Without times, and the ends of lines that fs_cli added; a number beyond 31 bits wraps there."""
    reply = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", reply)
    return re.sub(r'taking-calls="\d+"', "", reply).strip()


def test_replies(tmp_path):
    s = t.Tandem(tmp_path / "instance")
    (s.root / "conf/autoload_configs/fifo.conf.xml").write_text(CONF)
    s.start()
    try:
        s.api("fifo_member add q1@127.0.0.1 nobody")
        s.api("fifo_member del q1@127.0.0.1 nobody")
        same = [(command, plain(s.api(command)), plain(wanted)) for command, wanted in recorded()]
    finally:
        s.stop()
    compared = [row for row in same if not LISTS.match(row[0])]
    assert len(compared) >= 40
    assert [row for row in compared if row[1] != row[2]] == []
