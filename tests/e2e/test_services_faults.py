"""What services do when the machine fails them: a wall clock that is set over a wake-up call, a thousand callers in their mailboxes at once."""
import re
import time

import clock
import pytest
import tandem as t
from calls import ended, extension, press
from phones import write_tone
from sipp import ANSWERED, Sipp, ack, recv, request, sdp, send
from test_features import get, include
from wire import Phone
from wire import sdp as offer

DAY = "2026-11-27"


class Steps:
    """The switch's wall clock, which may be set while it runs: libfaketime reads its offset from a file. Deadlines are not touched."""

    def __init__(self, sw, tmp):
        self.sw, self.file = sw, tmp / "clock"
        self.set("07:29:00")
        sw.env.pop("FAKETIME", None)
        sw.env.update(FAKETIME_TIMESTAMP_FILE=str(self.file), FAKETIME_NO_CACHE="1")

    def set(self, at):
        offset = clock.environment(f"{DAY} {at}", "Europe/Berlin", {})["FAKETIME"]
        new = self.file.with_suffix(".new")
        new.write_text(offset if offset[0] in "+-" else "+" + offset)
        new.rename(self.file)

    def look(self):
        """Wake-ups look at the clock every 15 s; now, since something was set."""
        self.sw.api("features set 1009@127.0.0.1 speed:1 1234")
        self.sw.api("features clear 1009@127.0.0.1 speed:1")


def next_of(sw, user):
    m = re.search(rf"^{user}@[^,]*,[^,]*,[^,]*,(.*)$", sw.api("features wakes"), re.M)
    return m.group(1) if m else None


def quiet(phones, seconds):
    """None of them rings in that time."""
    for i, p in enumerate(phones):
        p.expect_nothing("INVITE", 0.1 if i else seconds)


def wakes(*phones):
    """They ring, and somebody says at each that he is awake."""
    calls = []
    for p in phones:
        calls.append(p.expect(method="INVITE", timeout=25))
        p.reply(calls[-1], 180, "Ringing")
    for p, req in zip(phones, calls):
        p.reply(req, 200, "OK", offer(p.rtp_port))
        p.expect(method="ACK")
        p.enter(req)
        press(p, "1")
        ended(p, timeout=20)
        p.queue.clear()  # what was sent again before the 180


def test_clock_is_set_over_wake_up_calls(tmp_path):
    """Forward over them: each rings once. Back before them, by minutes and by hours: none rings again, and what was still to come does."""
    sw = t.Tandem(tmp_path / "instance", now=f"{DAY} 07:29:00", zone="Europe/Berlin")
    include(sw)
    steps = Steps(sw, tmp_path)
    sw.start()
    try:
        phones = once, daily, later = [Phone(sw, u) for u in ("1000", "1001", "1002")]
        for p in phones:
            p.register()
        esl = sw.esl()
        esl.command("event plain CUSTOM features::wake")
        for user, value in (("1000", "07:30 once"), ("1001", "07:30 daily"), ("1002", "08:10 once")):
            assert sw.api(f"features set {user}@127.0.0.1 wake:1 {value}").startswith("+OK")
        assert next_of(sw, "1000") == next_of(sw, "1001") == f"{DAY} 07:30:00"
        steps.set("07:45:00")  # over two of them; it looks by itself
        wakes(once, daily)
        assert next_of(sw, "1000") is None and get(sw, "wake:1") == ""
        assert (next_of(sw, "1001"), next_of(sw, "1002")) == ("2026-11-28 07:30:00", f"{DAY} 08:10:00")
        steps.set("07:29:58")  # back by a quarter of an hour, and half past seven comes again
        steps.look()
        quiet(phones, 2)
        steps.set("04:00:00")  # back by hours
        steps.look()
        assert (next_of(sw, "1001"), next_of(sw, "1002")) == ("2026-11-28 07:30:00", f"{DAY} 08:10:00")
        steps.set("08:09:59")  # and forward again, over half past seven
        steps.look()
        wakes(later)
        quiet(phones, 1)
        assert sw.api("features wakes").count("\n") == 2 and next_of(sw, "1001") == "2026-11-28 07:30:00"
        told = []
        while told.count("awake") < 3:
            told.append(esl.wait_event("CUSTOM", timeout=20)["Wake-Action"])
        assert sorted(told) == sorted(["ringing", "answered", "awake"] * 3)
        esl.close()
        for p in phones:
            p.close()
    finally:
        sw.stop()


COUNT = 200 if t.IS_SANITIZED else 1000


@pytest.mark.quiet
def test_thousand_callers_in_their_mailboxes(fresh):
    """Each in his own at the same time: all are answered and told what they have, none is lost; no handler is slow (the instance's end
    looks for those)."""
    users = "".join(f'<user id="b{n}"><params><param name="vm-password" value="1"/></params></user>' for n in range(1, COUNT + 1))
    path = fresh.root / "conf/directory/default.xml"
    path.write_text(path.read_text().replace("</users>", users + "</users>", 1))
    public = fresh.root / "conf/dialplan/public"
    public.mkdir(exist_ok=True)
    (public / "boxes.xml").write_text("<include>" + extension("4([0-9]+)", "answer", "voicemail check auth default $${domain} b$1") + "</include>")
    conf = fresh.root / "conf/autoload_configs/switch.conf.xml"
    text = re.sub(r'(name="max-sessions" value=)"\d+"', r'\1"5000"', conf.read_text())
    conf.write_text(re.sub(r'(name="sessions-per-second" value=)"\d+"', r'\1"5000"', text))
    fresh.env.update(TANDEM_RTP_START="20000", TANDEM_RTP_END="32000")
    fresh.start()
    write_tone(fresh.root / "in.wav", 700, 1)
    for n in (1, COUNT):
        assert fresh.api(f"voicemail_inject b{n}@127.0.0.1 {fresh.root}/in.wav").strip() == "+OK"
    esl = fresh.esl()
    esl.command("event plain PLAYBACK_START PLAYBACK_STOP")
    steps = [send(request("INVITE", "caller", "4[call_number]", body=sdp())), *ANSWERED, send(ack("caller", "4[call_number]", cseq=1), retrans=0),
             recv(request="BYE", extra='timeout="40000"'), send("SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n"
                                                               "Content-Length: 0\n", retrans=0)]
    load = Sipp(fresh, steps, calls=COUNT, rate=200, limit=COUNT, timeout=120, target=f"127.0.0.1:{fresh.ext_port}")
    deadline = time.monotonic() + 40
    while int(re.search(r"^(\d+) total", fresh.api("show calls count"), re.M).group(1)) < COUNT:
        assert time.monotonic() < deadline and load.proc.poll() is None, load.tell()
    spoken = set()
    while len(spoken) < COUNT:  # each has heard a prompt to its end
        e = esl.next_event(30)
        if e["Event-Name"] == "PLAYBACK_STOP" and e["Playback-Status"] == "done":
            spoken.add(e["Unique-ID"])
    assert fresh.api("vm_boxcount b1@127.0.0.1") == "1" == fresh.api(f"vm_boxcount b{COUNT}@127.0.0.1")
    fresh.api("hupall")
    load.wait(60)
    esl.close()
    fresh.wait_calls(0)
