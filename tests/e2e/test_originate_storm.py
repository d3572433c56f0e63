"""Thousands of originates that fail in every way at once: each gets its cause, none is left over."""
import re
import socket
import threading
import time
import uuid

import pytest
import tandem as t


class Farm:
    """A phone that is many: the user part of an INVITE says how it is treated. No media, UDP."""
    ANSWERS = {"busy": (486, "Busy Here"), "broken": (500, "Server Error"), "gone": (404, "Not Found"), "moved": (302, "Moved")}

    def __init__(self):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.s.bind(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        self.open = {}  # Call-ID -> its INVITE, while it rings
        self.cancelled = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                data, peer = self.s.recvfrom(65536)
            except OSError:
                return
            self.on_message(data.decode(), peer)

    def on_message(self, text, peer):
        method, target = text.split(" ", 2)[:2]
        call_id = re.search(r"^Call-ID:\s*(\S+)", text, re.M).group(1)
        if method == "INVITE":
            user = re.match(r"sip:(\w+)@", target).group(1)
            if user in self.ANSWERS:
                self.reply(text, peer, *self.ANSWERS[user])
            elif user in ("rings", "killed"):
                self.open[call_id] = text
                self.reply(text, peer, 180, "Ringing")
        elif method == "CANCEL":
            self.reply(text, peer, 200, "OK")
            if call_id in self.open:
                self.cancelled += 1
                self.reply(self.open.pop(call_id), peer, 487, "Request Terminated")

    def reply(self, request, peer, code, phrase):
        head = request.split("\r\n\r\n")[0].split("\r\n")
        keep = [line for line in head[1:] if re.match(r"(Via|From|Call-ID|CSeq):", line)]
        to = next(line for line in head if line.startswith("To:"))
        lines = [f"SIP/2.0 {code} {phrase}", *keep, to + ("" if ";tag=" in to else ";tag=farm"), "Content-Length: 0", "", ""]
        self.s.sendto("\r\n".join(lines).encode(), peer)

    def close(self):
        self.s.close()


def kinds(port):
    """[(dial string, cause)]; {u} is a new uuid."""
    at = f"@127.0.0.1:{port}"
    phone = f"sofia/internal/%s{at}"
    return [(phone % "busy", "USER_BUSY"), (phone % "broken", "NORMAL_TEMPORARY_FAILURE"), (phone % "gone", "UNALLOCATED_NUMBER"),
            (phone % "moved", "NORMAL_UNSPECIFIED"),
            ("{originate_timeout=1}" + phone % "rings", "NO_ANSWER"),
            ("{originate_timeout=1}" + phone % "silent", "NO_ANSWER"),
            ("{origination_uuid={u}}" + phone % "killed", "CALL_REJECTED"),
            ("user/1019", "USER_NOT_REGISTERED"), ("user/4711", "SUBSCRIBER_ABSENT"), ("error/NO_ANSWER", "NO_ANSWER"),
            ("{unclosed", "DESTINATION_OUT_OF_ORDER"),
            (f"{phone % 'broken'}|{phone % 'busy'}", "USER_BUSY"), (f"{phone % 'broken'},{phone % 'busy'}", "USER_BUSY"),
            (f"<a=1>{phone % 'broken'}:_:{phone % 'busy'}|{phone % 'gone'}:_:{phone % 'busy'}", "USER_BUSY"),
            (f"{{fail_on_single_reject=true}}{phone % 'rings'},{phone % 'gone'}", "UNALLOCATED_NUMBER"),
            (f"{phone % 'busy'},[leg_timeout=1]{phone % 'rings'}", "USER_BUSY")]


class Storm:
    """Keeps `window` originates under way until `count` are done."""
    def __init__(self, sw, farm, count, window):
        self.esl = sw.esl()
        self.esl.sock.settimeout(60)
        self.kinds = kinds(farm.port)
        self.count, self.window = count, window
        self.begun = 0
        self.expected = {}
        self.wrong = []
        self.causes = {}

    def send(self, text):
        self.esl.sock.sendall(text.encode() + b"\n\n")

    def begin(self):
        dial, cause = self.kinds[self.begun % len(self.kinds)]
        job = str(uuid.uuid4())
        self.expected[job] = (dial, cause)
        self.begun += 1
        self.send(f"bgapi originate {dial.replace('{u}', str(uuid.uuid4()))} &park\nJob-UUID: {job}")

    def done(self, event):
        dial, cause = self.expected.pop(event["Job-UUID"])
        self.causes[cause] = self.causes.get(cause, 0) + 1
        if event["_body"] != f"-ERR {cause}\n":
            self.wrong.append((dial, cause, event["_body"]))
        if self.begun < self.count:
            self.begin()

    def run(self):
        self.send("event plain BACKGROUND_JOB CHANNEL_PROGRESS")
        for _ in range(min(self.window, self.count)):
            self.begin()
        while self.expected:
            headers, body = self.esl.read()
            if not headers["Content-Type"].startswith("text/event"):
                continue
            event = t.Esl.parse(body)
            if event["Event-Name"] == "BACKGROUND_JOB":
                self.done(event)
            elif event.get("Caller-Destination-Number") == "killed":
                self.send(f"api uuid_kill {event['Unique-ID']} CALL_REJECTED")
        self.esl.close()


pytestmark = pytest.mark.quiet


def storm(fresh, count, window=48):
    sw = fresh.start()
    sw.api("fsctl sps 100000")
    sw.api("fsctl max_sessions 100000")
    sw.api("fsctl loglevel err")
    farm = Farm()
    s = Storm(sw, farm, count, window)
    begin = time.monotonic()
    s.run()
    took = time.monotonic() - begin
    assert not s.wrong, s.wrong[:10]
    sw.wait_calls(0)
    assert sum(s.causes.values()) == count and farm.cancelled > count // 16
    sw.stop()  # exit code, sanitizers, what is still open
    farm.close()
    print(f"{count} originates in {took:.1f} s: {s.causes}")


@pytest.mark.leaks
def test_a_thousand_failures(fresh):
    storm(fresh, 1000)


@pytest.mark.soak
@pytest.mark.leaks
def test_ten_thousand_failures(fresh):
    storm(fresh, 10000)
