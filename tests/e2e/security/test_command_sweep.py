"""A command with a word too few crashed the switch. Every command with missing, surplus, huge and binary words, on no call, an ended one and a
live one, and every application with such data on a live leg: each is answered, and the switch goes on."""
import json
import re
import socket
import uuid

import pytest

from tandem import Tandem

pytestmark = pytest.mark.leaks
DEADLINE_S = 30  # of one answer, on a slow machine too
SKIP = {"shutdown": "ends the switch", "...": "ends the switch"}
SLOW = {"host_lookup", "gethost", "stun", "timer_test", "time_test"}  # wait for a name server, or as long as they are told: a few lines do
HUGE = "A" * 40000
ODD = ["''", "\\", "'", "%s%n%x", "-1", "99999999999999999999", "{", "${", "|", "::", "\x01\x02", "\x1a\x80\x1c\xff", "é", "=", "a=b;c", "/", "@", "+", "&",
       "x" * 300, "0", "1", "all", "on", "off"]


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = Tandem(tmp_path_factory.mktemp("sweep") / "instance").start()
    sw.api("fsctl sps 1000000")
    yield sw
    assert sw.proc.poll() is None, sw.console()[-3000:]
    sw.stop()


class Line:
    """An event-socket connection that takes bytes."""

    def __init__(self, sw):
        self.sw = sw
        self.e = sw.esl()
        self.e.sock.settimeout(DEADLINE_S)

    def say(self, data):
        try:
            self.e.sock.sendall(data + b"\n\n")
            return self.e._reply()
        except (EOFError, OSError) as wrong:
            raise AssertionError(f"no answer to {data[:200]!r}: {wrong!r}; exit {self.sw.proc.poll()}\n{self.sw.console()[-2000:]}") from None

    def api(self, text):
        head, body = self.say(b"api " + text.encode("latin-1", "replace"))
        assert head["Content-Type"] in ("api/response", "command/reply"), (text[:100], head)
        return body

    def leg(self):
        got = self.api("originate loopback/9196 &park")
        assert got.startswith("+OK "), got
        return got.split()[1]


@pytest.fixture
def line(sw):
    line = Line(sw)
    yield line
    line.e.close()


def words_of(syntax):
    """For each word of a syntax text what may stand there: "<uuid> [start|stop] <path>" -> [["UUID"], ["start", "stop"], ["path"]]."""
    out = []
    for token in re.findall(r"[^\s<>\[\]]+(?:\s*\|\s*[^\s<>\[\]|]+)*", syntax.replace("] |", "|").replace("| ", "|")):
        names = [n.strip("()\"'.,") for n in token.split("|")]
        names = [n for n in names if n][:8]
        if names:
            out.append(["UUID" if "uuid" in n.lower() else n for n in names])
    return out[:8]


def lines_of(syntax):
    """Argument lines: 0 to n words and surplus ones, each alternative, odd values at each place."""
    words = words_of(syntax)
    if not any("UUID" in w for w in words):
        words = words or [["x"]]
    first = [w[0] for w in words]
    out = {""}
    for n in range(1, len(first) + 1):
        out.add(" ".join(first[:n]))
        for alternative in words[n - 1][1:]:
            line = first[:n - 1] + [alternative]
            out |= {" ".join(line), " ".join(line + first[n:]), " ".join(line + ["1"])}
    for more in (1, 2, 12):
        out.add(" ".join(first + ["surplus"] * more))
    for i in range(len(first) + 1):
        for odd in ODD + [HUGE]:
            out.add(" ".join(first[:i] + [odd] + first[i + 1:]))
            out.add(" ".join(first[:i] + [odd]))
    return sorted(out)


def commands(sw):
    return json.loads(sw.api("show api as json"))["rows"]


def ends(line):
    """An answer of `fsctl` and the like that would end the switch."""
    return re.match(r"fsctl .*(shutdown|crash|send_sighup|pause|max_sessions|sps|api_expansion)|(un|re)?load\b.*mod_(event_socket|commands)", line)


def test_every_command(sw, line):
    count, dead = 0, line.leg()
    line.api(f"uuid_kill {dead}")
    live = line.leg()
    for row in commands(sw):
        name = row["name"]
        if name in SKIP:
            continue
        texts = lines_of(row["syntax"])
        kinds = [None] if not any("UUID" in t for t in texts) and not name.startswith("uuid_") else ["nobody", dead, "live"]
        if name in SLOW:
            texts = texts[:4]
        for text in texts:
            for kind in kinds:
                if ends(f"{name} {text}") or (name == "msleep" and re.search(r"\d{3}", text)):
                    continue
                if kind == "live" and line.api(f"uuid_exists {live}") != "true":
                    live = line.leg()
                line.api(f"{name} " + text.replace("UUID", live if kind == "live" else kind or str(uuid.UUID(int=0))))
                count += 1
        assert "is ready" in line.api("status"), name
    assert count > 5000, count
    line.api("hupall")
    sw.wait_calls(0)
    line.api(f"uuid_kill {line.leg()}")
    sw.wait_calls(0)


def test_commands_in_the_background(sw, line):
    """bgapi and sched_api run them where nobody waits for the answer."""
    live = line.leg()
    for row in commands(sw):
        if row["name"] in SKIP or row["name"] in SLOW:
            continue
        for text in ("", live, f"{live} x", f"{live} x y z 1 2 3"):
            if not ends(f"{row['name']} {text}"):
                line.say(f"bgapi {row['name']} {text}".encode())
    line.api("hupall")
    sw.wait_calls(0)


def test_uuid_audio(sw, line):
    """The proof: the word after the uuid was read though it was not there."""
    uuid = line.leg()
    for text in ("", uuid, f"{uuid} start", f"{uuid} start read", f"{uuid} start read level", f"{uuid} stop"):
        line.api(f"uuid_audio {text}")
    assert line.api(f"uuid_audio {uuid}").startswith("-USAGE")
    line.api(f"uuid_kill {uuid}")


def test_originate_loopback_park(sw, line):
    """What only parks never answers: whoever dialled it got no reply for a minute."""
    for text in ("loopback/app=park &park()", "loopback/app=park: &park", "loopback/app=PARK &park"):
        assert line.api(f"originate {text}").startswith("+OK "), text
    assert line.api("originate loopback/app=hangup:USER_BUSY &park").startswith("+OK ")  # early media comes first
    line.api("hupall")
    sw.wait_calls(0)


# ---- applications -------------------------------------------------------------------------------------------------
def data_of(row, me, dead):
    words = [w[0] for w in words_of(row["syntax"])]
    words = [me if w == "UUID" else w for w in words]
    out = ["", " ", *(" ".join(words[:n]) for n in range(1, len(words) + 1)), " ".join(words + ["surplus"] * 12), me, dead, HUGE, f"a {HUGE}"]
    return list(dict.fromkeys(out + ["${", "'", "%[a=b", "\x01\x02", "\x1a\x80\x1c\xff", "-1 -1 -1 -1 -1", "0 0 0 0 0 0 0 0", "a=b", "^^", "^^:a=b:c", "|", "::",
                                     "99999999999999999999 1 1 1", "{a=b}x", "a,b,c,d,e,f,g"]))


@pytest.mark.parametrize("part", range(8))
def test_every_application(sw, line, part):
    """On a leg that hears something: each is begun, and ends with its leg."""
    rows = json.loads(sw.api("show application as json"))["rows"]
    line.e.subscribe("CHANNEL_EXECUTE CHANNEL_DESTROY")
    dead = line.leg()
    line.api(f"uuid_kill {dead}")
    for row in rows[part::8]:
        for data in data_of(row, "UUID", dead):
            me = line.leg()
            text = data.replace("UUID", me).encode("latin-1")
            head = f"sendmsg {me}\ncall-command: execute\nexecute-app-name: {row['name']}\n".encode()
            got = line.say(head + b"content-type: text/plain\ncontent-length: %d\n\n" % len(text) + text)[0]
            assert got["Reply-Text"] == "+OK" or got["Reply-Text"].startswith("-ERR"), (row["name"], data[:80], got)
            try:
                line.e.wait_event("CHANNEL_EXECUTE", timeout=DEADLINE_S, Unique_ID=me, Application=row["name"])
                line.api(f"uuid_kill {me}")
                line.e.wait_event("CHANNEL_DESTROY", timeout=DEADLINE_S, Unique_ID=me)
            except (AssertionError, EOFError, OSError) as wrong:
                raise AssertionError(f"{row['name']} {data[:80]!r}: {str(wrong)[:300]}; exit {sw.proc.poll()}\n{sw.console()[-2000:]}") from None
    line.api("hupall")
    sw.wait_calls(0)
    assert "is ready" in line.api("status")
