"""Whole conversations on the event socket, replayed frame by frame against ../shared/golden/esl: background jobs in three
formats, filters over two calls, log lines. (commands.txt and connect-auth.txt: test_golden.py.)"""
import re
from urllib.parse import unquote

import pytest
from recordings import needs_recordings
from test_call_events import UNSTEADY
from test_golden import Raw, masked, numbers, transcript
from ua import Ua

pytestmark = needs_recordings

# where the recorded program is in its sources; what the recorded machine's network had
CALLING = re.compile(r"((?:Event-Calling-(?:File|Function)|FreeSWITCH-IPv[46])(?:: |\":\"|>))[^\n\"<]*")


class Replay:
    def __init__(self, sw):
        assert sw.esl_password == "ClueCon", "the recording's password"
        self.sw, self.raw = sw, None

    def send(self, text):
        """text as recorded, or None for a new connection"""
        if text is None:
            self.raw = Raw(self.sw.esl_port)
        else:
            self.raw.sock.sendall(text.encode())

    def frame(self, *passed_over):
        """The next frame that is not of these content types."""
        while True:
            text = self.raw.frame()
            if re.search(r"^Content-Type: (\S+)", text, re.M).group(1) not in passed_over:
                return text

    def same(self, text):
        """Without what changes from run to run; a plural stands for any number."""
        text = re.sub(r"\b(year|day|hour|minute|second|millisecond|microsecond)s?\b", r"\1", masked(self.sw, text.rstrip("\n")))
        text = re.sub(r"(Event-Date-(?:Local|GMT)(?:: |\":\"|>))[^\n\"<]*", r"\1DATE", text)
        return numbers(CALLING.sub(r"\1X", text))


def test_background_jobs(tandem_vanilla):
    replay = Replay(tandem_vanilla)
    for sent, frames in transcript("bgapi.txt"):
        replay.send(sent)
        for wanted in frames:
            assert replay.same(replay.frame()) == replay.same(wanted), sent
    raw = tandem_vanilla.esl()
    raw.subscribe("BACKGROUND_JOB")
    raw.command("bgapi nosuch arg")
    assert raw.wait_event("BACKGROUND_JOB")["Job-Command-Arg"] == "arg"
    raw.close()


def event_of(frame):
    """(frame's header names, [(event's header, value)]) but for the variables, which test_call_events.py compares."""
    head, body = frame.split("\n\n", 1)
    pairs = [line.split(": ", 1) for line in body.split("\n") if ": " in line and not line.startswith("variable_")]
    return re.findall(r"^[\w-]+", head, re.M), [(k, "X" if UNSTEADY.match(k) or k.endswith("Unique-ID") else unquote(v)) for k, v in pairs]


def test_filters(tandem_vanilla):
    """Two names are filtered for, then one: of a call's events just these come, with all their headers."""
    sw = tandem_vanilla
    replay, phone, events = Replay(sw), Ua(sw, "1000").register(), 0
    for sent, frames in transcript("filter.txt"):
        replay.send(sent)
        for wanted in frames:
            if "text/event-plain" not in wanted:
                # without a filter everything comes, also what this test causes
                assert replay.frame("text/event-plain" if "filter deleted. [Event-Name][]" in wanted or "no longer" in wanted else "") == wanted, sent
                continue
            if "Event-Name: CHANNEL_ANSWER" in wanted:
                assert phone.call("9196") == 200
                got = replay.frame()
                phone.hangup()
                sw.wait_calls(0)
            else:
                got = replay.frame()
            assert event_of(got) == event_of(wanted), wanted[:80]
            events += 1
    assert events == 3
    phone.close()


def test_log_output(tandem_vanilla):
    """Log lines come as they are recorded: the frame's headers in their order and the line's form; what is told is ours."""
    replay = Replay(tandem_vanilla)
    head = lambda frame: re.sub(r"(?<=: )\S.*", "V", frame.split("\n\n")[0])  # noqa: E731
    line = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} \d+\.\d\d% \[[A-Z]+\] [\w.]+:\d+ [^\n]+\n?")
    logs = 0
    for sent, frames in transcript("log-output.txt"):
        replay.send(sent)
        for wanted in frames:
            if "Content-Type: log/data" not in wanted:
                assert replay.frame("log/data").rstrip("\n") == wanted, sent
                continue
            tandem_vanilla.api("log info hello")
            got = replay.frame()
            assert head(got) == head(wanted)
            assert line.fullmatch(wanted.split("\n\n", 1)[1]) and line.fullmatch(got.split("\n\n", 1)[1]), got
            logs += 1
    assert logs == 2
