"""The recorded presence scenes that test_lamps.py has not: two calls, PUBLISH, other targets and packages, events of programs, a shared line.
The phones say again what they said there; every message of the switch is compared line by line. What differs is in REASONS, scene by
scene; what is not said at all is in SKIPPED, and what the switch says more is in MORE, each with its reason. Counted are the recorded lines."""
import re

import pytest
import tandem as t
from recordings import GOLDEN, THEN, needs_recordings
from test_lamps import Watched, lines, step_of
from test_sip import Step
from wire import Phone

pytestmark = needs_recordings
LEAST = 0.95
PORTS = {"1000": 6000, "1001": 6001, "1002": 6002, "1003": 6003, "SLA-1": 6106, "SLA-2": 6107, "1007": 6108}
USERS = {"SLA-1": "1006", "SLA-2": "1006"}

MODULES = "the module is not there"
PACKAGES = "489: that package would tell nothing (docs/differences.md)"
SKIPPED = {
    "presence-special-targets": {
        "1000 joins conference 3001": MODULES, "leaves": MODULES, "1000 goes into the fifo q1 (9740)": MODULES,
        "1000 waits in the call-centre queue support": MODULES, "as-feature-event SetDoNotDisturb": PACKAGES,
        "SUBSCRIBE presence.winfo of 1001": PACKAGES, "SUBSCRIBE as-feature-event of 1001": PACKAGES, "SUBSCRIBE conference of 1001": PACKAGES},
}
# Messages of the recording that are of no matter here: (word in it, reason)
NOT_SAID = [("Event: message-summary", "voicemail is not there: nobody says \"no messages\" to a phone that registers")]
HEADERS = (r"^-(Accept|Max-Forwards|Allow-Events)|^-Allow$", "see test_sip.py")
CODECS = (r"^\+a=rtpmap:8 PCMA|^[-+]m=audio PORT RTP/AVP 0 (8 )?101", "an offer goes on after the caller's codecs with those that can be made of them")
REASONS = {
    "presence-dialog-blf-two-calls": [
        (r"^[-+]<(?!dialog-info )", "all calls of the phone are told, not only the one that changed: RFC 4235 3.1, state is full")],
    "presence-publish": [(r"^-Contact: <sip:127.0.0.1:5066", "an answer to PUBLISH has no Contact; the port is one of the recorded program's own")],
    "presence-special-targets": [
        (r"^[-+]<dialog-info .*version=", "counts what was told, and some of it is not"),
        (r"^[-+]<(/?dialog|state|/?local|/?remote|identity|/?target|param)|^-does not come: .*From: <sip:park\+vlot@",
         "a slot that was given and left at once: only that it is free is told")],
    "presence-shared-line": [
        (r"^-Call-Info: <sip:127.0.0.1>;appearance-index=1$", "which line a call is on is told in NOTIFY, not in the call's own messages"),
        (r"^-does not come: .*(Expires: 0|appearance-state=active)", "told once")],
    "presence-presence-call": [],
}
# NOTIFYs that the recording has not: (pattern, reason)
MORE = {
    "presence-special-targets": [
        (r"<sip:(fifo\+q1|callcenter\+support)@", "whoever subscribes is told at once, also what is off (RFC 6665 4.2.1.2)"),
        (r"Event: sla", "the same")],
    "presence-presence-call": [(r"<dm:note>Available", "a phone that registers is seen (docs/differences.md)")],
    "presence-shared-line": [(r"Content-Type: application/dialog-info\+xml", "who subscribes to dialog;sla is told at once")],
}


class At:
    """The switch as a phone of another profile sees it."""
    def __init__(self, sw, port):
        self.sw, self.sip_port = sw, port

    def __getattr__(self, name):
        return getattr(self.sw, name)


def steps(scene):
    """[Step or title]"""
    out, away = [], set()
    for section in re.split(r"^==== ", (GOLDEN / f"sip/{scene}.txt").read_text(), flags=re.M):
        title = section.split("\n", 1)[0]
        is_skipped = title in SKIPPED.get(scene, {})
        out.append(title)
        for found in re.findall(r"^---- +\S+ s +\S+ -> \S+ +\((?:UA-)?([\w-]+) (\w+)\) \d+ bytes\n(.*?)(?=^---- |\Z)", section, re.M | re.S):
            s = step_of(*found)
            is_first = not any(isinstance(o, Step) and o.key[0] == s.key[0] for o in out)
            if is_first and (is_skipped or any(word in s.text for word, _ in NOT_SAID)):
                away.add(s.key[0])
            if s.key[0] not in away and not is_skipped:
                out.append(s)
    return out


class Played(Watched):
    def __init__(self, sw, scene):
        self.sw, self.scene = sw, scene
        self.all = steps(scene)
        self.steps = [s for s in self.all if isinstance(s, Step)]
        self.phones, self.differ, self.equal, self.total = {}, [], 0, 0
        port = sw.sla if scene == "presence-shared-line" else sw.sip_port
        self.words = {"127.0.0.1:5060": f"127.0.0.1:{sw.sip_port}", "127.0.0.1:5090": f"127.0.0.1:{sw.sla}"}
        for name in sorted({s.user for s in self.steps} | ({"1001"} if port == sw.sip_port else set())):
            phone = self.phones[name] = Phone(At(sw, port), USERS.get(name, name))
            self.words[f"127.0.0.1:{PORTS[name]}"] = f"127.0.0.1:{phone.port}"
            self.words[f"m=audio {PORTS[name] + 2000} "] = f"m=audio {phone.rtp_port} "
            if port == sw.sip_port:
                phone.register()

    def send(self, step):
        if step.message.method == "PUBLISH":  # it is asked who it is, which the recorded one was not
            phone, uri = self.phones[step.user], step.message.first.split()[1]
            super().send(step)
            challenge = phone.expect(407)
            proof = phone.authorization(challenge, "PUBLISH", uri).strip().replace("\n", "\r\n")
            text = step.text.replace("\r\nEvent:", f"\r\n{proof}\r\nEvent:", 1).replace("branch=z9hG4bK", "branch=z9hG4bKa", 1)
            head, _, body = self.now(text).partition("\r\n\r\n")
            phone.s.sendall((re.sub(r"Content-Length: \d+", f"Content-Length: {len(body)}", head) + "\r\n\r\n" + body).encode())
            return
        super().send(step)

    def receive(self, step):
        phone, wanted = self.phones[step.user], step.message
        while True:
            for i, m in enumerate(phone.queue):
                if m.method == "NOTIFY" and self.is_more(wanted, m):
                    phone.reply(phone.queue.pop(i), 200, tag=False)
                    break
            else:
                if wanted.code == 100 and any(m.code > 100 and m.get("CSeq") == self.now(wanted.get("CSeq")) for m in phone.queue):
                    return None
                for i, m in enumerate(phone.queue):
                    if self.fits(wanted, m):
                        got = phone.queue.pop(i)
                        if got.method == "NOTIFY":
                            self.words[wanted.get("CSeq").split()[0]] = got.get("CSeq").split()[0]
                        return got
                try:
                    phone.queue.append(phone._read(3))
                except OSError:
                    return False

    def is_more(self, wanted, m):
        """No NOTIFY of its subscription with the same state is to come, or only its last one, and there is a reason."""
        def is_one(s):
            return s.method == "NOTIFY" and self.now(s.get("Call-ID")) == m.get("Call-ID")
        state = m.get("Subscription-State").split(";")[0]
        is_recorded = any(is_one(s.message) and s.message.get("Subscription-State").startswith(state) for s in self.steps)
        is_past = is_one(wanted) and wanted.get("Subscription-State").startswith("terminated") and state == "active"
        text = "\n".join(m.lines) + "\n\n" + m.body
        return (is_past or not is_recorded) and any(re.search(p, text) for p, _ in MORE.get(self.scene, ()))

    def learn(self, wanted, got):
        super().learn(wanted, got)
        if wanted.get("SIP-ETag"):
            self.words[wanted.get("SIP-ETag")] = got.get("SIP-ETag")

    def compare(self, wanted, got):
        a, b = lines(wanted, self.now), lines(got, lambda x: x)
        self.total += len(a)
        self.equal += sum(x in b for x in a)
        self.differ += [(got.first, "-" + x) for x in a if x not in b] + [(got.first, "+" + x) for x in b if x not in a]

    def command(self, title):
        said = {"sendevent PRESENCE_IN proto sip login 1001 status Lab rpid busy": ("busy", 1, "confirmed", "CS_ROUTING"),
                "the same, answer-state terminated": ("unknown", 2, "terminated", "CS_HANGUP")}.get(title)
        if said:
            esl = self.sw.esl()
            esl.command("sendevent PRESENCE_IN\nproto: sip\nlogin: 1001@127.0.0.1\nfrom: 1001@127.0.0.1\nstatus: Lab status\nrpid: {}\n"
                        "event_type: presence\nalt_event_type: dialog\nevent_count: {}\nanswer-state: {}\npresence-call-direction: inbound\n"
                        "unique-id: lab-uid\nchannel-state: {}".format(*said))
            esl.close()
        found = re.match(r"api (.*) -> (.*)", title)
        if found:
            self.total += 1
            self.equal += self.sw.api(found.group(1)).strip() == found.group(2)

    def play(self):
        for step in self.all:
            if isinstance(step, str):
                self.command(step)
            elif step.is_sent:
                self.send(step)
            else:
                got = self.receive(step)
                if got:
                    self.learn(step.message, got)
                    self.compare(step.message, got)
                elif got is False:
                    n = len(lines(step.message, self.now))
                    self.total += n
                    self.differ.append((step.message.first, f"-does not come: {n} lines {self.now(step.text)[:400]!r}"))

    def close(self):
        for phone in self.phones.values():
            phone.close()


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("presence") / "instance", "vanilla", **THEN)
    profiles = sw.root / "conf/sip_profiles"
    sw.sla = t.free_port(count=2)
    text = re.sub(r"<!--.*?-->|<alias [^>]*>|<param name=\"(tls|ws-binding|wss-binding|sip-port)\"[^>]*>", "", (profiles / "internal.xml").read_text(), flags=re.S)
    (profiles / "sla.xml").write_text(text.replace('<profile name="internal">', '<profile name="sla">').replace(
        "<settings>", f'<settings><param name="sip-port" value="{sw.sla}"/><param name="manage-shared-appearance" value="true"/>'
        '<param name="multiple-registrations" value="contact"/>', 1))
    (sw.root / "conf/dialplan/default/00_valet.xml").write_text(
        '<include><extension name="valet"><condition field="destination_number" expression="^9799$"><action application="answer"/>'
        '<action application="valet_park" data="vlot auto in 6100 6105"/></condition></extension></include>')
    sw.start()
    sw.api("fsctl sps 10000")
    yield sw
    sw.stop()


SCENES = ["presence-dialog-blf-hold", "presence-dialog-blf-two-calls", "presence-presence-call", "presence-publish",
          "presence-special-targets", "presence-sendevent-and-api", "presence-shared-line"]
counted = {}


@pytest.mark.parametrize("scene", SCENES)
def test_scene(sw, scene):
    play = Played(sw, scene)
    try:
        play.play()
    finally:
        play.close()
        sw.api("hupall")
        sw.wait_calls(0)
    reasons = REASONS.get(scene, []) + [HEADERS, CODECS]
    print(f"{scene}: {play.equal} of {play.total} lines equal")
    unexplained = [d for d in play.differ if not any(re.search(p, d[1]) for p, _ in reasons)]
    assert not unexplained, "\n".join(map(str, unexplained))
    assert play.total > 100
    counted[scene] = play.equal, play.total


def test_enough_is_equal():
    if set(counted) != set(SCENES):
        pytest.skip("not all scenes were played")
    equal, total = (sum(c[i] for c in counted.values()) for i in (0, 1))
    print(f"{equal} of {total}")
    assert equal >= LEAST * total
