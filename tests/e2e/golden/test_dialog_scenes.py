"""Recorded scenes of dialog features (transfers, Replaces, displays, auto-answer, MESSAGE and chat) played again by test_sip.py's Scene:
commands between the messages are given again too. At least 95 % of the lines are equal after masking, and each one that is not has a
reason below."""
import re
import threading

import pytest
import tandem as t
import test_sip
from recordings import GOLDEN, THEN, needs_recordings

pytestmark = needs_recordings

# Sections that are not played, and why.
SKIPPED = {
    # RFC 3891 3 asks for 481 where no dialog is found; the recorded program takes it as any call.
    "Replaces that names no dialog",
    # REFER without a call must show who sends it first; PRACK has no 100rel to belong to.
    "REFER out of dialog", "PRACK out of dialog",
    # whom nothing subscribed to is asked: no presence here
    "PUBLISH", "SUBSCRIBE to an unknown event", "SUBSCRIBE", "PUBLISH without body",
}
# What may differ: (in which line, header or body; what of it), with the reason.
REASONS = (
    ("headers", r"allow-events|accept|max-forwards|remote-party-id", "see test_sip.py"),
    ("headers", r"content-type|content-disposition", "OPTIONS inside a call: no session description whose media is off"),
    ("headers", r"\['contact'\] \[\]", "a MESSAGE in a call changes no target: its answer names none"),
    ("from", r"internal/1000", "the name of a profile in front of who writes is no part of his address"),
    ("first line", r"NOTIFY .*intercom=true", "within a call that rings a request goes to the Contact of the 180 (RFC 3261 12.1.2)"),
    ("first line", "481.*200", "the CANCEL of a call that was picked up and answered in the same moment"),
)


def sections(scene):
    """Title and text of each; the first has none."""
    text = (GOLDEN / f"sip/{scene}.txt").read_text()
    found = re.split(r"^==== (.*)$", text, flags=re.M)
    return [("", found[0])] + list(zip(found[1::2], found[2::2]))


class Command:
    def __init__(self, text):
        self.text = text


def steps(scene):
    out, left_out = [], set()
    for title, text in sections(scene):
        if title in SKIPPED:
            continue
        command = re.match(r"(?:api )?((?:chat|uuid_phone_event) .*) -> (.*)", title)
        if command and command.group(2) == "Sent":  # it was noted when it was over: what it sent stands before
            at = max(i for i, s in enumerate(out) if not isinstance(s, Command) and not s.is_sent and s.message.method == "MESSAGE")
            out.insert(at, Command(command.group(1)))
        elif command or title.startswith("sendevent"):
            out.append(Command(command.group(1) if command else "sendevent"))
        for found in re.findall(r"^---- +\S+ s +\S+ -> \S+ +\(UA-(\w+) (\w+)\) \d+ bytes\n(.*?)(?=^---- |\Z)", text, re.M | re.S):
            step = test_sip.Step(*found)
            if step.message.method == "NOTIFY" and not re.match("refer|talk|hold", step.message.get("Event")):
                left_out.add(step.key)  # of subscriptions to presence
            if step.key not in left_out:
                out.append(step)
    return out


class Play(test_sip.Scene):
    def __init__(self, sw, scene, monkeypatch):
        monkeypatch.setattr(test_sip, "steps", lambda name: [s for s in steps(name) if not isinstance(s, Command)])
        super().__init__(sw, scene)
        self.steps_all = steps(scene)
        # the same objects in both lists: authorized() looks at what comes behind
        plain = iter(self.steps)
        self.steps_all = [s if isinstance(s, Command) else next(plain) for s in self.steps_all]
        self.total = self.same = 0
        for user in ("1000", "1002"):
            if user in self.phones:
                self.phones[user].register()

    def run(self, command):
        if command.text.startswith("uuid_phone_event"):
            leg = next(l.split(",")[0] for l in self.sw.api("show channels").splitlines() if ",outbound," in l)
            self.sw.api(f"uuid_phone_event {leg} {command.text.split()[1]}")
        elif command.text == "sendevent":
            esl = self.sw.esl()
            esl.command("sendevent CUSTOM\nEvent-Subclass: SMS::SEND_MESSAGE\nproto: sip\ndest_proto: sip\nfrom: 1000@127.0.0.1\n"
                        "from_full: sip:1000@127.0.0.1\nto: 1001@127.0.0.1\nsubject: lab\ntype: text/plain\nhint: the hint\nreplying: true\n"
                        "sip_profile: internal\nContent-Length: 5\n\nhello")
            esl.close()
        else:
            self.threads.append(threading.Thread(target=lambda: t.Esl(self.sw.esl_port, self.sw.esl_password).api(command.text)))
            self.threads[-1].start()

    def fits(self, wanted, m):
        """Of two calls that end at once each has its own BYE."""
        return super().fits(wanted, m) and (wanted.method != "BYE" or m.get("Call-ID") == self.now(wanted.get("Call-ID")))

    def compare(self, wanted, got):
        before = len(self.differ)
        super().compare(wanted, got)
        # of the run: this switch's own id, and a port of the recorded program's own
        self.differ[before:] = [d for d in self.differ[before:] if d[1] != "x-fs-sending-message" and not (d[1] == "contact" and ":5066;" in d[2])]
        lines = 1 + len(wanted.lines) + len(wanted.body.splitlines())
        wrong = 0
        for _, where, a, b in self.differ[before:]:
            wrong += max(len(a), len(b)) if isinstance(a, list) and where == "headers" else sum(x not in b for x in a) if isinstance(a, list) else 1
        self.total += lines
        self.same += lines - min(wrong, lines)

    def play(self):
        self.threads = []
        for step in self.steps_all:
            if isinstance(step, Command):
                self.run(step)
            elif step.is_sent:
                self.send(step)
            else:
                got = self.receive(step)
                if got:
                    self.learn(step.message, got)
                    self.compare(step.message, got)
        for thread in self.threads:
            thread.join(10)
        return self.differ


def has_reason(differ):
    what, where, a, b = differ
    return any(re.fullmatch(place, where) and re.search(pattern, f"{a} {b}") for place, pattern, _ in REASONS)


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    """The stock configuration with mod_sms, and the extensions of the recording."""
    sw = t.Tandem(tmp_path_factory.mktemp("dialogs") / "instance", "vanilla", **THEN)
    modules = sw.root / "conf/autoload_configs/modules.conf.xml"
    modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_sms"/></modules>'))
    sofia = sw.root / "conf/sip_profiles/internal.xml"
    sofia.write_text(sofia.read_text().replace("<settings>", '<settings><param name="message-rate-per-sender" value="1000"/>', 1))
    actions = {"9786": [("export", "nolocal:sip_auto_answer=true"), ("bridge", "user/1001"), ("hangup", "")],
               "9794": [("answer", ""), ("sleep", "800"), ("send_display", "Bob|5559999"), ("sleep", "800"), ("hangup", "")],
               "9780": [("answer", ""), ("echo", "")]}
    for number, what in actions.items():
        xml = "".join(f'<action application="{app}" data="{data}"/>' for app, data in what)
        (sw.root / f"conf/dialplan/default/00_{number}.xml").write_text(
            f'<include>\n<extension name="{number}"><condition field="destination_number" expression="^{number}$">{xml}</condition></extension>\n</include>\n')
    sw.start()
    sw.api("fsctl sps 10000")
    yield sw
    sw.stop()


SCENES = ["message", "sipx-message-chat", "in-dialog-info-message", "options-and-odd-methods", "sipx-auto-answer", "sipx-display-update",
          "sipx-join-replaces", "attended-transfer-refer-replaces", "blind-transfer-refer-by-callee", "blind-transfer-refer-by-caller",
          "callee-rejects-302"]


@pytest.mark.parametrize("scene", SCENES)
def test_scene(sw, scene, monkeypatch):
    play = Play(sw, scene, monkeypatch)
    try:
        differ = play.play()
    finally:
        play.close()
        sw.api("hupall")
    share = 100.0 * play.same / play.total
    print(f"{scene}: {play.same} of {play.total} lines equal ({share:.1f} %)")
    unexplained = [d for d in differ if not has_reason(d)]
    assert not unexplained, "\n".join(map(str, unexplained))
    assert share >= 95, "\n".join(map(str, differ))
