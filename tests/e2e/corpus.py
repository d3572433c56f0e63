"""The corpus of inputs with their right replies (tests/data/corpus), and how its rows are played against a running switch.

A row is one input of one kind and what FreeSWITCH replied to it. tools/corpus replays files against any instance and adds rows;
test_corpus.py replays all of them in every run. How a file is written: tests/data/corpus/README.md.
"""
import hashlib
import re
import socket
import time
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

TOP = Path(__file__).resolve().parents[1] / "data/corpus"
COMMANDS = TOP / "commands"
KINDS = ("command", "application", "condition")
# what an application's run leaves in a leg beside what it was asked for
RUN_MARKS = re.compile(r"variable_(current_application|last_app|last_arg|app_uuid|current_loop|total_loops)|Event-|Channel-State|Channel-Call-State|Answer-State")


class Row:
    def __init__(self, path, number, kind, text, right, needs=""):
        self.path, self.number, self.kind, self.input, self.right, self.needs = path, number, kind, text, right, needs

    def __str__(self):
        return f"{self.path.stem}:{self.number}: {self.input}"

    @property
    def extension(self):
        return "c" + hashlib.md5(self.input.encode()).hexdigest()[:12]


def cells_in(line):
    """Fields between tabs; \\n, \\t and \\\\ stand for what cannot be in one."""
    return [re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r"}.get(m[1], m[1]), c) for c in line.split("\t")]


def cell_out(text):
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def read(path):
    path = Path(path)
    kind, rows = None, []
    for number, line in enumerate(path.read_text().split("\n"), 1):
        if line.startswith("#kind: "):
            kind = line[7:].strip()
            assert kind in KINDS, f"{path}:{number}: kind {kind} is none of {KINDS}"
        elif line and not line.startswith("#"):
            cells = cells_in(line)
            assert kind and 2 <= len(cells) <= 3, f"{path}:{number}: not INPUT<TAB>REPLY[<TAB>NEEDS] under a #kind"
            rows.append(Row(path, number, kind, *cells))
    return rows


def files(folder=COMMANDS):
    return sorted(Path(folder).glob("*.tsv"))


def add(path, text, right, needs=""):
    """One more row at the end of the file."""
    line = "\t".join(cell_out(c) for c in (text, right, needs)).rstrip("\t")
    with open(path, "a") as f:
        f.write(line + "\n")


# ---- what a right reply may leave open
PLACEHOLDERS = {"<UUID>": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<EPOCH>": r"\d{10}", "<N>": r"-?\d+", "<...>": r"(?s:.*)"}


def is_right(right, got, year):
    parts = re.split(r"(<(?:UUID|EPOCH|YEAR|N|\.\.\.)>)", right)
    pattern = "".join(year if p == "<YEAR>" else PLACEHOLDERS[p] if p in PLACEHOLDERS else re.escape(p) for p in parts)
    return re.fullmatch(pattern, got) is not None


def masked(text):
    """A reply as a right one: what differs from run to run is left open."""
    text = re.sub(PLACEHOLDERS["<UUID>"], "<UUID>", text)
    return re.sub(r"(?<!\d)1[789]\d{8}(?!\d)", "<EPOCH>", text)


# ---- the dialplan that the rows want: context "corpus"
def dialplan(paths=None):
    """The context for an instance's dialplan: what dialplan.xml has, and an extension for each condition."""
    out = []
    for row in (r for p in paths or files() for r in read(p) if r.kind == "condition"):
        _, condition, data = condition_parts(row.input)
        ext = row.extension
        out.append(f'<extension name="{ext}"><condition field="destination_number" expression="^{ext}$"/><condition {condition}>'
                   f'<action application="set" data={quoteattr("t=" + data)}/><action application="park"/>'
                   f'<anti-action application="set" data="t=no"/><anti-action application="park"/></condition></extension>')
    return (TOP / "dialplan.xml").read_text().replace("<!--conditions-->", "\n    ".join(out))


def condition_parts(text):
    """"[{var=value,...} ]ATTRIBUTES[ -> DATA]" in its parts."""
    m = re.fullmatch(r"(?:(\{.*?\}) )?(\w+=\".*?)(?: -> (.*))?", text, re.S)
    assert m, f"no condition: {text}"
    return m[1] or "", m[2], m[3] or "yes $1"


class Player:
    """Plays rows on one event-socket connection (tandem.Esl)."""

    def __init__(self, esl):
        self.esl = esl
        esl.subscribe("CHANNEL_PARK CHANNEL_EXECUTE_COMPLETE")
        self.api("fsctl sps 10000")

    def api(self, text):
        return self.esl.api(text)

    def play(self, row):
        """The reply to the row's input; "" when nothing came."""
        return getattr(self, "play_" + row.kind)(row)

    def year(self):
        return self.api("strftime %Y")

    def differs(self, row):
        """None, or (what came, what is right)."""
        before = self.year()
        got = self.play(row)
        if is_right(row.right, got, before) or is_right(row.right, got, self.year()):
            return None
        return got, row.right

    def leg(self, dial="null/x", exten="park XML corpus"):
        """A parked leg's uuid; the leg waits."""
        reply = self.api(f"originate {dial} {exten}")
        assert reply.startswith("+OK "), f"no leg for the corpus: {reply} (is its dialplan loaded?)"
        uuid = reply[4:].strip()
        self.esl.wait_event("CHANNEL_PARK", Unique_ID=uuid)
        return uuid

    def hang_up(self, uuid):
        self.api(f"uuid_kill {uuid}")
        deadline = time.monotonic() + 20
        while self.api(f"uuid_exists {uuid}") == "true":
            assert time.monotonic() < deadline, f"{uuid} stays"
            self.api("msleep 5")

    # "command[ ; command ...]": the reply of the last; UUID is a parked leg's
    def play_command(self, row):
        uuid = self.leg() if "UUID" in row.input else None
        got = ""
        for one in row.input.split(" ; "):
            got = self.api(one.replace("UUID", uuid or ""))
        made = re.fullmatch(r"\+OK ([0-9a-f-]{36})\n", got)
        for leg in (uuid, made and made[1] if row.input.startswith("originate") else None):
            if leg:
                self.hang_up(leg)
        return got

    def dump(self, uuid):
        return {k: v for k, v in self.esl.parse(self.api(f"uuid_dump {uuid}")).items() if not RUN_MARKS.match(k)}

    def execute(self, uuid, text):
        """Runs "app data" on the leg and waits for its end; data is sent as a body, where its blanks stay."""
        app, _, data = text.partition(" ")
        body = data.encode()
        head = f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: {app}\n"
        head += f"content-type: text/plain\ncontent-length: {len(body)}\n\n" if body else "\n"
        self.esl.sock.sendall(head.encode() + body)
        self.esl._reply()
        self.esl.wait_event("CHANNEL_EXECUTE_COMPLETE", Unique_ID=uuid, Application=app)

    # "app data": what changed in the leg's dump, "name=[value] ; name=[value]" sorted, or "(nothing)"; before: x=abc, y=x
    def play_application(self, row):
        uuid = self.leg("{x=abc,y=x}null/x")
        before = self.dump(uuid)
        self.execute(uuid, row.input)
        after = self.dump(uuid)
        self.hang_up(uuid)
        changed = {k.removeprefix("variable_"): after.get(k) for k in {*before, *after} if before.get(k) != after.get(k)}
        return " ; ".join(f"{k}=[{v}]" if v is not None else f"{k} unset" for k, v in sorted(changed.items())) or "(nothing)"

    # "[{var=value} ]field=... expression=...[ -> data]": what t is after the hunt: data (yes $1) by the action, no by the anti-action
    def play_condition(self, row):
        uuid = self.leg(condition_parts(row.input)[0] + "null/x", f"{row.extension} XML corpus")
        got = self.api(f"uuid_getvar {uuid} t")
        self.hang_up(uuid)
        return "(not set)" if got == "_undef_" else got


def login(host, port, password):
    from tandem import Esl
    assert host in ("127.0.0.1", "localhost"), "Esl is for this machine"
    try:
        return Esl(int(port), password)
    except (OSError, socket.timeout) as e:
        raise SystemExit(f"corpus: no event socket on {host}:{port}: {e}")


__all__ = ["Player", "Row", "add", "dialplan", "escape", "files", "login", "masked", "read"]
