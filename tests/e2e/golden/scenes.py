"""A recorded scene of applications, played again: phones do what they did then, each thing at the place of the recording it was done at, and
every event of the switch, condensed to the recording's lines, is compared with them (../shared/golden/order), every reply, too (api/).

A test gives its scenes (name -> function of a Play) and the list of differences: (scene, line, reason). A difference that is not in the
list fails, and so does a row that nothing differs by any more. Scenes are spread over a few switches that run at the same time, since
nearly all of their time is waiting. Lines are compared leg by leg: legs were threads there, and whose event was first is chance."""
import difflib
import os
import queue
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

import lab
import tandem as t
from recordings import GOLDEN
from talk import Talker
from test_call_events import UNSTEADY, VARS_OTHER
from ua import Ua

LEAST = 0.95
TONE_S = 0.07  # until a digit is told
PATIENCE = 4  # how much later than recorded an event may be before a scene goes on without it
SWITCHES = 6
# headers of an event that the condensed form leaves out
CHANNEL = re.compile(
    r"^(variable|Caller-|Channel|Core-|FreeSWITCH-|Event-(Date|Calling|Sequence|Name|Subclass)|Call-Direction|Presence-|Other-|Unique-ID|"
    r"Answer-State|Hunt-|Content-Length|Original-Channel|Originator-|Originatee-|DTMF-(Source|Duration|Stream)|Application-(UUID|Response))")
# values of the call itself, beside those of UNSTEADY
OF_CALL = re.compile(r"rtp_|sip_(full_(from|to|via)|from_tag|to_tag|call_id)$|.*_uuid$|switch_r_sdp$|.*_size$|.*_epoch$|RECORD_DATE$")
# events that are of other groups, or of the recorded machine (TRAP: its network)
PASSED = re.compile(r"PRESENCE|MESSAGE_QUERY|\[sofia::|RE_SCHEDULE|MODULE_|HEARTBEAT|^TRAP|^(API|COMMAND) ")


def masked(text):
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r'(Event-Calling-[A-Za-z-]+(?:: |":"))[^"\n]*', r"\1X", text)  # where the recorded program is in its sources
    text = re.sub(r"\b[0-9a-f]+@lab\b", "CALLID", text)
    text = re.sub(r"\b[0-9a-f]{32}\b", "MD5", text)
    text = re.sub(r"\.msg_\w{12}_", ".msg_ASIDE_", text)
    text = re.sub(r"msg_UUID_broadcast_\w+", "msg_UUID", text)  # how a message came into a box
    text = re.sub(r"\*{7}|lab1234", "PW", text)
    text = re.sub(r"(/[A-Za-z0-9_.@+-]+){2,}/?", lambda m: "PATH" + (m[0].rsplit("/", 1)[1] if m[0].endswith(".wav") else ""), text)
    text = re.sub(r"(login|file): \S+", r"\1: X", text)
    text = re.sub(r"\d+(\.\d+)*", "#", text)
    text = re.sub(r"FreeSWITCH|Tandem|tandem|freeswitch", "PRODUCT", text)
    text = re.sub(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\b", "D", text)
    return re.sub(r"[ \t]+", " ", text).strip()


class Event:
    def __init__(self, when, lines):
        self.when, self.first = when, lines[0]
        self.leg = (re.search(r" leg=(\S+)", self.first) or [0, "-"])[1]
        self.lines = [masked(lines[0])]
        # what mail is made of: all variables of the call, as a set
        self.lines += variables(lines[1:]) if self.first.startswith("REQUEST_PARAMS") else [masked(x) for x in lines[1:]]


def variables(lines, prefix=""):
    """Lines NAME: VALUE in the order of their names; values that change from call to call are masked, as in test_call_events.py."""
    out = []
    for line in lines:
        name, _, value = line.partition(": ")
        short = name.removeprefix(prefix)
        if short == name and prefix or not (VARS_OTHER.match(short) or short.startswith("rtp_audio_")):
            out.append(masked(f"{name}: {'X' if UNSTEADY.match(name) or OF_CALL.match(short) else value}"))
    return sorted(out)


class Recording:
    """Items in order: Events and titles ("==== ...")."""

    def __init__(self, scene):
        self.items, block = [], None
        if not (GOLDEN / f"order/{scene}.txt").exists():
            return  # of replies only
        for line in (GOLDEN / f"order/{scene}.txt").read_text(errors="replace").split("\n"):
            found = re.match(r"\s*(\d+\.\d+) (\S.*)", line)
            if found:
                block = [found.group(2)]
                if PASSED.search(found.group(2)):
                    block = None
                else:
                    self.items.append((float(found.group(1)), block))
            elif line.startswith(("====", "#")):
                block = None
                if line[0] == "=":
                    self.items.append(line[5:])
            elif block and re.match(r"\s{6,}", line):
                block.append(line.strip())
        self.items = [i if isinstance(i, str) else Event(*i) for i in self.items]

    def events(self):
        return [i for i in self.items if isinstance(i, Event)]


def condensed(text, legs):
    """The recording's lines of an event, or None."""
    head, _, body = text.partition("\n\n")
    pairs = [(k, unquote(v)) for k, c, v in (line.partition(": ") for line in head.split("\n")) if c]
    h = dict(pairs)
    name, uuid = h.get("Event-Name", "?"), h.get("Unique-ID")
    if uuid:
        legs.setdefault(uuid, len(legs) + 1)
    line = name + (f" [{h['Event-Subclass']}]" if h.get("Event-Subclass") else "") + f" leg={legs[uuid] if uuid else '-'}"
    lines = [line]
    if name in ("CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE"):
        lines[0] += f" {h.get('Application')}({h.get('Application-Data', '')})"
        lines[0] += " -> " + h.get("Application-Response", "") if name.endswith("COMPLETE") else ""
    elif name in ("CHANNEL_STATE", "CHANNEL_CALLSTATE"):
        lines[0] += f" {h.get('Channel-State')} {h.get('Channel-Call-State')}"
    elif name == "CHANNEL_CREATE":
        lines[0] += f" {h.get('Call-Direction')} {h.get('Channel-Name')} dest={h.get('Caller-Destination-Number')}"
    elif name in ("CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE"):
        lines[0] += f" {h.get('Hangup-Cause')}"
    elif name in ("PLAYBACK_START", "PLAYBACK_STOP"):
        lines[0] += f" {h.get('Playback-File-Path')} {h.get('Playback-File-Type', '')} {h.get('Playback-Status', '')}"
    elif name == "DTMF":
        lines[0] += f" {h.get('DTMF-Digit')} source={h.get('DTMF-Source')}"
    else:
        lines += [f"{k}: {v.split(chr(10))[0]}" for k, v in pairs if not CHANNEL.match(k)]
        if body.strip():
            lines += [x.strip() for x in ("(body) " + body.strip()).split("\n") if x.strip()]
    return None if PASSED.search(line) else lines


class Heard(threading.Thread):
    """What the switch says in a scene."""

    def __init__(self, sw):
        super().__init__(daemon=True)
        self.esl, self.legs, self.events, self.changed = sw.esl(), {}, [], threading.Condition()
        self.is_closed = False
        self.esl.command("event plain all")
        self.start()

    def run(self):
        while True:
            try:
                headers, text = self.esl.read()
            except (TimeoutError, OSError):
                if self.is_closed:
                    return
                continue
            except EOFError:
                return
            if headers.get("Content-Type") != "text/event-plain":
                continue
            lines = condensed(text, self.legs)
            if lines:
                with self.changed:
                    self.events.append(Event(time.monotonic(), lines))
                    self.changed.notify_all()

    def wait(self, is_there, seconds):
        with self.changed:
            return self.changed.wait_for(lambda: is_there(self.events), seconds)

    def count(self, line):
        return sum(e.lines[0] == line for e in self.events)

    def close(self):
        self.is_closed = True
        self.esl.sock.settimeout(0.01)


class Caller(Ua):
    """A phone of the recordings: answers by itself, speaks, dials."""

    def __init__(self, sw, user):
        import socket
        self.media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.media.bind(("127.0.0.1", 0))
        self.rtp_port, self.remote_rtp, self.talker, self.hz = self.media.getsockname()[1], 0, None, 0
        self.ring_s, self.threads = 0.05, []
        super().__init__(sw, user)

    def _sdp(self):
        return super()._sdp().replace(f"m=audio {self.port + 1 & ~1} ", f"m=audio {self.rtp_port} ")

    def _on_message(self, text):
        port = re.search(r"^m=audio (\d+)", text, re.M)
        if port and int(port.group(1)):
            self.remote_rtp = int(port.group(1))
            if text.startswith("SIP/2.0 200"):
                self._speak()
        if text.startswith("CANCEL") or text.startswith("BYE"):
            self._hush()
        super()._on_message(text)

    def _on_invite(self, text):
        self.invite = text
        if "tag=" in self._header(text, "To"):
            self._reply(text, 200, "OK", self._sdp())
            return
        self._reply(text, 100, "Trying", tag=False)
        if self.answer == "ring" or self.answer == 200:
            self._reply(text, 180, "Ringing")
        if self.answer == 200:
            timer = threading.Timer(self.ring_s, self._answer, [text])
            timer.daemon = True
            timer.start()
        elif self.answer != "ring":
            self._reply(text, self.answer, "Busy Here")

    def _answer(self, text):
        self._reply(text, 200, "OK", self._sdp())
        self._speak()
        self.up.set()

    def _speak(self):
        if not self.talker:
            self.talker = Talker(self, hz=self.hz)

    def _hush(self):
        talker, self.talker = self.talker, None
        if talker:
            threading.Thread(target=talker.stop, daemon=True).start()

    def hangup(self):
        self._hush()
        return super().hangup()

    def subscribe(self, package):
        """To the phone's own."""
        import uuid
        self.package = package
        return self._ask("SUBSCRIBE", f"sip:{self.user}@{self.switch.domain}", uuid.uuid4().hex + "@lab", f"<sip:{self.user}@{self.switch.domain}>")

    def _request(self, method, *args, **kwargs):
        text = super()._request(method, *args, **kwargs)
        return text.replace("User-Agent:", f"Event: {self.package}\nExpires: 300\nUser-Agent:", 1) if method == "SUBSCRIBE" else text

    def close(self):
        self._hush()
        super().close()
        self.media.close()


class Play:
    """One scene on one switch."""

    def __init__(self, sw, scene):
        self.sw, self.scene, self.recording, self.at = sw, scene, Recording(scene), 0
        self.phones, self.replies, self.heard, self.when = {}, [], None, 0

    # ---- the place in the recording
    def upto(self, is_place, most):
        """Waits until what was recorded before the next such place was said, and for as long after it as it was there, at most so long."""
        items = self.recording.items
        place = next((i for i in range(self.at, len(items)) if is_place(items[i])), None)
        assert place is not None, f"{self.scene}: no such place in the recording"
        self.at = place + 1
        before = [i for i in items[:place] if isinstance(i, Event)]
        then = items[place] if isinstance(items[place], Event) else next((i for i in items[place:] if isinstance(i, Event)), None)
        # a digit is told when it ends
        due = then.when - (TONE_S if then.first.startswith("DTMF") else 0.02) if then else None
        last = next((e for e in reversed(before) if "[filestring::" not in e.first and (due is None or e.when <= due)), before[-1] if before else None)
        broken = then and self.broken_by(before, then, items[place + 1:])
        if broken:  # at once, so that it is sure to end it
            last, due = broken, broken.when + 0.02
        if not last:
            time.sleep(0.1)
            return
        wanted = sum(e.lines[0] == last.lines[0] for e in before[:before.index(last) + 1])
        self.heard.wait(lambda events: self.heard.count(last.lines[0]) >= wanted, PATIENCE + 1.3 * (last.when - self.when))
        self.when = last.when
        said = [e.when for e in self.heard.events if e.lines[0] == last.lines[0]][wanted - 1:]
        start = said[0] if said else time.monotonic()
        time.sleep(max(min(due - last.when if due else 0.3, most) - (time.monotonic() - start), 0))

    @staticmethod
    def broken_by(before, digit, after):
        """The start of what plays when a digit ends it."""
        if not digit.first.startswith("DTMF"):
            return None
        stop = next((e for e in after if isinstance(e, Event) and e.leg == digit.leg), None)
        start = next((e for e in reversed(before) if e.leg == digit.leg), None)
        is_broken = stop and start and re.match("PLAYBACK_STOP .* break", stop.first) and start.first.startswith("PLAYBACK_START")
        return start if is_broken else None

    def title(self, words, most=0.5):
        self.upto(lambda i: isinstance(i, str) and i.startswith(words), most)
        return self

    # ---- what is done
    def phone(self, user):
        if user not in self.phones:
            self.phones[user] = Caller(self.sw, user).register()
        return self.phones[user]

    def listen(self):
        self.heard = Heard(self.sw)

    def call(self, user, number, hz=0, wait=True, most=0.5):
        phone = self.phone(user)
        if not self.heard:
            self.listen()
        self.upto(lambda i: isinstance(i, Event) and i.first.startswith("CHANNEL_STATE") and i.first.endswith("CS_NEW DOWN"), most)
        phone.hz = hz
        if wait:
            return phone.call(number)
        thread = threading.Thread(target=self._call, args=(phone, number), daemon=True)
        thread.start()
        phone.threads.append(thread)

    @staticmethod
    def _call(phone, number):
        try:
            phone.call(number)
        except (AssertionError, OSError, AttributeError, TypeError):
            pass  # nobody answered; the phone is closed

    def dial(self, user, digits, most=0.7):
        phone = self.phones[user]

        def is_pressed(item, digit):
            return isinstance(item, Event) and re.match(f"DTMF .* {re.escape(digit)} source", item.first)

        self.upto(lambda i: is_pressed(i, digits[0]), most)
        for digit in digits[1:]:  # those that were heard
            near = (i for i in range(self.at, min(self.at + 8, len(self.recording.items))) if is_pressed(self.recording.items[i], digit))
            self.at = next(near, self.at - 1) + 1
        if phone.talker:
            phone.talker.press(digits, ms=40 if len(digits) == 1 else 120)  # one alone is to meet what plays; a number is dialled at leisure

    def hangup(self, user, most=0.7, leg=""):
        self.upto(lambda i: isinstance(i, Event) and i.first.startswith(f"CHANNEL_HANGUP leg={leg}"), most)
        try:
            self.phones[user].hangup()
        except (AssertionError, OSError):
            pass  # was hung up before: the lines will tell

    def command(self, text, title=None, most=0.5):
        if title is not None:
            self.title(title, most)
        if not self.heard:
            self.listen()
        return self.sw.api(text)

    def ask(self, name, *subs, before=None):
        """The commands of a recorded file of replies, in their order; subs: (text there, text here); before is called with each command
        first."""
        for command, wanted in replies(name):
            now = command
            for there, here in subs:
                now = re.sub(there, here, now)
            if before:
                before(command)
            self.replies.append((name, command, wanted, self.sw.api(now)))

    def end(self):
        """Until all that was recorded was said and every call is over."""
        events = self.recording.events()
        if not events:
            return
        last = events[-1].lines[0]
        wanted = sum(e.lines[0] == last for e in events)
        self.heard.wait(lambda e: self.heard.count(last) >= wanted, PATIENCE + 1.3 * (events[-1].when - self.when))

    def close(self):
        self.sw.api("hupall")
        for phone in self.phones.values():
            phone.close()
        if self.heard:
            self.heard.close()
        self.sw.wait_calls(0)
        deadline = time.monotonic() + 5
        while "No active" not in self.sw.api("conference list") and time.monotonic() < deadline:
            time.sleep(0.05)


def replies(name):
    parts = re.split(r"(?m)^\$ fs_cli -x '(.*)'\n", (GOLDEN / f"api/{name}.txt").read_text(errors="replace"))
    return [(parts[i], re.sub(r"(?m)^#.*\n", "", parts[i + 1])) for i in range(1, len(parts), 2)]


def differ(a, b):
    """(equal lines, [line with its sign])"""
    m = difflib.SequenceMatcher(None, a, b, autojunk=False)
    out = []
    for op, i, j, k, l in m.get_opcodes():
        if op != "equal":
            out += ["-" + x for x in a[i:j]] + ["+" + x for x in b[k:l]]
    return sum(x.size for x in m.get_matching_blocks()), out


# a call's record within a reply: test_cdr.py's matter
CDR = re.compile(r"<cdr .*?</cdr>", re.S)


class Result:
    def __init__(self, scene):
        self.scene, self.equal, self.total, self.differences, self.error = scene, 0, 0, [], None

    def add_order(self, recorded, heard):
        legs = sorted({e.leg for e in recorded} | {e.leg for e in heard})
        for leg in legs:
            a, b = ([line for e in events if e.leg == leg for line in e.lines] for events in (recorded, heard))
            equal, out = differ(a, b)
            self.equal += equal
            self.total += max(len(a), len(b))
            self.differences += [(leg, d) for d in out]

    def add_reply(self, name, command, wanted, got):
        if command.startswith("uuid_dump"):
            a, b = (variables(text.strip().split("\n"), "variable_") for text in (wanted, got))
        else:
            a, b = ([masked(x) for x in CDR.sub("CDR", text).strip().split("\n")] for text in (wanted, got))
        _, out = differ(a, b)
        self.total += 1
        self.equal += not out
        self.differences += [(f"{name}: {masked(command)}", d) for d in out]


def play_all(folder, scenes, switches=SWITCHES, may_be_slow=False):
    """scenes: {name: function of a Play}, the longest first. Results by name. may_be_slow: modules are unloaded meanwhile."""
    todo, results, making = queue.SimpleQueue(), {}, threading.Lock()
    for name in scenes:
        todo.put(name)

    def run(slot):
        sw = None
        while True:
            try:
                name = todo.get_nowait()
            except queue.Empty:
                break
            result = results[name] = Result(name)
            try:
                if not sw:
                    with making:  # ports are given to one after the other
                        sw = lab.make(folder / f"lab{slot}", slot)
                    sw.start()
                play_one(sw, name, scenes[name], result)
            except Exception as e:  # told by the scene's own test
                result.error = e
        if sw:
            sw.stop(may_be_slow=may_be_slow)

    with ThreadPoolExecutor(switches) as pool:
        list(pool.map(run, range(min(switches, len(scenes)))))
    return results


def play_one(sw, name, scene, result):
    play = Play(sw, name)
    try:
        scene(play)
        play.end()
        heard = list(play.heard.events) if play.recording.items else []
        if WRITE:
            write(name, heard, play.replies)
    finally:
        play.close()
    result.add_order(play.recording.events(), heard)
    for row in play.replies:
        result.add_reply(*row)


WRITE = Path(os.environ["SCENES_TO"]) if "SCENES_TO" in os.environ else None  # a folder, while one works on a scene


def write(name, heard, rows):
    (WRITE / f"{name}.txt").write_text("".join(f"{e.when:.3f} " + e.first + "\n" + "".join(f"          {x}\n" for x in e.lines[1:]) for e in heard)
                                       + "".join(f"$ {r[1]}\n{r[3]}\n" for r in rows))


def check(results, name, reasons):
    result = results[name]
    if result.error:
        raise result.error
    rows = [(line, reason) for scene, line, reason in reasons if re.fullmatch(scene, name)]
    print(f"{name}: {result.equal} of {result.total} equal")
    left = [f"{where} {d}" for where, d in result.differences if not any(re.fullmatch(line, d) for line, _ in rows)]
    assert not left, f"{name}: {result.equal} of {result.total} equal, not in the list:\n" + "\n".join(left)


def check_all(results, reasons, apart=()):
    """Enough is equal, and every row of the list still occurs. apart: scenes that are not counted, since what is done on purpose changes
    all of their course that follows; each line of theirs is in the list all the same."""
    for result in results.values():
        if result.error:
            raise result.error
    idle = [row for row in reasons if not any(re.fullmatch(row[0], r.scene) and re.fullmatch(row[1], d) for r in results.values() for _, d in r.differences)]
    assert not idle, f"these differences occur no longer: {idle}"
    for name in apart:
        print(f"{name}: {results[name].equal} of {results[name].total} equal")
    equal, total = (sum(getattr(r, key) for r in results.values() if r.scene not in apart) for key in ("equal", "total"))
    print(f"{equal} of {total} equal ({100 * equal / total:.1f} %)")
    assert equal >= LEAST * total, f"{equal} of {total}"
