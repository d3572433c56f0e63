"""Subscriptions and what is told in them, against the recordings of ../shared/golden/sip: the phones of each scene say again what they
said there, and every answer and NOTIFY of the switch is compared line by line. What differs on purpose is listed here, scene by scene."""
import re

import pytest
import tandem as t
from recordings import GOLDEN, THEN, needs_recordings
from test_sip import OWN_VALUE, Scene, Step, masked

pytestmark = needs_recordings
EQUAL_MIN = 0.95
# ---- what legitimately differs
# Event is in the last NOTIFY too (RFC 6665 8.2.1); Allow-Events has the packages that there are.
OWN_VALUE = OWN_VALUE | {"allow-events"}
NOT_COUNTED = {"event"}


def step_of(user, way, text):
    """A message with its whole body, whose lines end as they were sent: Content-Length tells."""
    step = Step(user, way, text)
    head, _, rest = text.partition("\n\n")
    length = int(re.search(r"Content-Length: (\d+)", head).group(1))
    body = rest[:length] if not rest[length:].strip() else rest.replace("\n", "\r\n")[:length]
    step.text, step.message.body = head.replace("\n", "\r\n") + "\r\n\r\n" + body, body
    return step


def all_steps(scene):
    text = (GOLDEN / f"sip/{scene}.txt").read_text()
    found = re.findall(r"^---- +\S+ s +\S+ -> \S+ +\(UA-(\w+) (\w+)\) \d+ bytes\n(.*?)(?=^---- |^==== |\Z)", text, re.M | re.S)
    return [step_of(*f) for f in found]


def lines(m, words):
    """Of a message, as it is compared: first line, headers in the order of their names, body."""
    out = [m.first]
    for line in sorted(m.lines):
        name = line.split(":", 1)[0]
        if name.lower() not in NOT_COUNTED:
            out.append(name if name.lower() in OWN_VALUE else line)
    out = [masked(words(line)) for line in out + m.body.replace("\r\n", "\n").split("\n") if line.strip()]
    return [re.sub(r"expires=\d+", "expires=N", re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", line)) for line in out]


class Watched(Scene):
    def __init__(self, sw, scene):
        super().__init__(sw, scene)
        self.steps = all_steps(scene)
        self.equal = self.total = 0
        if "1003" in self.phones:  # elsewhere than in the other recordings
            self.words["127.0.0.1:6003"] = f"127.0.0.1:{self.phones['1003'].port}"
        for user in sorted(set(self.phones) - {"1001"}):
            self.phones[user].register()

    def fits(self, wanted, m):
        if wanted.method == "NOTIFY":
            return m.method == "NOTIFY" and m.get("Call-ID") == self.now(wanted.get("Call-ID"))
        return super().fits(wanted, m)

    def receive(self, step):
        got = super().receive(step)
        if got and got.method == "NOTIFY":
            self.words[step.message.get("CSeq").split()[0]] = got.get("CSeq").split()[0]
        return got

    def compare(self, wanted, got):
        if wanted.get("CSeq").split()[1] not in ("SUBSCRIBE", "NOTIFY"):
            return
        a, b = lines(wanted, self.now), lines(got, lambda x: x)
        self.total += max(len(a), len(b))
        self.equal += sum(x in b for x in a)
        self.differ += [(got.first, x) for x in a if x not in b] + [(got.first, "+ " + x) for x in b if x not in a]


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("presence") / "instance", "vanilla", **THEN).start()
    sw.api("fsctl sps 10000")
    yield sw
    sw.stop()


@pytest.mark.parametrize("scene", ["subscribe-dialog-blf"])
def test_scene(sw, scene):
    play = Watched(sw, scene)
    try:
        play.play()
    finally:
        play.close()
        sw.api("hupall")
        sw.wait_calls(0)
    assert play.total > 60
    assert play.equal / play.total >= EQUAL_MIN, f"{play.equal} of {play.total}\n" + "\n".join(map(str, play.differ))
