"""The recorded scenes of the call centre (../shared/golden: cc-*) played by the scripts that recorded them: replies of the commands,
all events in their order. What differs has a reason below; a reason for what does not differ any more fails."""
import difflib
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import tandem as t
from recordings import GOLDEN, needs_recordings

pytestmark = [needs_recordings, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]
# scenes that are played side by side, each row in a lab of its own
LABS = [("cc", "events-of", "answer-caller", "caller-abandons-w", "exit-keys"), ("cc", "answer-agent", "caller-abandons-r", "no-such"),
        ("cc", "ring-all", "tier-rules"), ("cc", "uuid-standby", "no-agent"), ("cc2", "progressively")]
LONG = [("cc", "agent-no-answer"), ("cc", "busy"), ("cc", "logout"), ("cc", "max-wait"), ("cc", "round-robin"), ("cc", "wrap-up"),
        ("cc2", "fewest"), ("cc2", "sequentially"), ("cc2", "announce")]

# (the scene's name, a line that differs, why)
REASONS = [
    (r"api/.*", r"callcenter_config queue list'|\"queue list\"", "queues in the order of the configuration; FreeSWITCH's is that of a hash"),
    (r"api/cc-commands", r"callcenter_track 1", "a command that is not there is named without its arguments"),
    (r"api/.*", r"show channels|show calls|uuid_dump", "legs have other headers and variables: test_call_events.py compares them"),
    (r"api/cc-waiting", r"queue list members", "there a caller of an earlier scene is listed as well"),
    (r"order/.*", r"uuid_bridge\(UUID\)", "there both legs run uuid_bridge, and it is never told to be complete; here the caller's does and is"),
    (r"order/.*", r"- \+ .*|callcenter::info|CC-[A-Z]|In a queue call", "the call centre's own events of two agents or callers, whose threads there take turns by chance"),
    (r"order/.*", r"RECORD_ST|Record-|MEDIA_BUG|Media-Bug", "a recording begins with the answer, and ends with its leg"),
    (r"order/.*", r"CHANNEL_(STATE|CALLSTATE|DESTROY)|Hangup-Cause", "a leg's end is told when it has ended here, when nobody looks at it any more there"),
]


def play(lab, row, out):
    binary = str((t.BUILD / "tandem").resolve())
    script = str(Path(__file__).with_name("callcenter_lab.py"))
    done = subprocess.run(["unshare", "-n", sys.executable, script, str(lab), str(GOLDEN / "rec"), binary, *row], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, cwd=t.TOP)
    out.append((row, done.returncode, done.stdout))


def mask(text):
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"(/[A-Za-z0-9_.@+-]+){2,}/?", "PATH", text)
    return re.sub(r"[ \t]+", " ", re.sub(r"\d+(\.\d+)*", "#", text)).strip()


NOT_COMPARED = re.compile(r"PRESENCE|MESSAGE_QUERY|\[sofia::|RE_SCHEDULE|MODULE_|TRAP")


def actors(path):
    """{who: [line]}: what each leg tells, and the call centre itself, each in its order; who: the leg's name and which of that name. In
    FreeSWITCH each is a thread of its own, so that how they fall between each other is chance."""
    names, count, out, lines, keep = {"-": "-"}, {}, {}, [], False
    for line in open(path, encoding="utf8", errors="replace"):
        if re.match(r"#|====", line):
            keep = False
            continue
        head = re.match(r"\s*\d+\.\d+ (\S.*)", line)
        if head:
            leg = re.search(r" leg=(\d+|-)", line)
            made = re.search(r"CHANNEL_CREATE leg=(\d+) \w+ \S+?/(\d+)@", line)
            if made:
                count[made[2]] = count.get(made[2], 0) + 1
                names[made[1]] = f"{made[2]} {count[made[2]]}"
            keep = leg is not None and not NOT_COMPARED.search(line)
            if keep:
                lines.append([leg[1], [mask(head[1])]])
        elif keep and re.match(r"\s{6,}", line):
            lines[-1][1].append(mask(line))
    for leg, block in lines:
        out.setdefault(names.get(leg, leg), []).extend(block)
    return out


def compare_order(wanted, got):
    """(equal, of, [lines that differ])"""
    a, b = actors(wanted), actors(got)
    same = total = 0
    differ = []
    for who in sorted(set(a) | set(b)):
        x, y = a.get(who, []), b.get(who, [])
        match = difflib.SequenceMatcher(None, x, y, autojunk=False)
        same += sum(m.size for m in match.get_matching_blocks())
        total += max(len(x), len(y))
        for op, i, j, k, l in match.get_opcodes():  # noqa: E741
            if op != "equal":
                differ += [f"{who} - {z}" for z in x[i:j]] + [f"{who} + {z}" for z in y[k:l]]
    return same, total, differ


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """{file: (equal, of, [lines that differ])}"""
    rows, threads, out, labs = LABS + (LONG if os.environ.get("TANDEM_GOLDEN_ALL") else []), [], [], []
    for i, row in enumerate(rows):
        labs.append(tmp_path_factory.mktemp("cc") / f"lab{i}")
        threads.append(threading.Thread(target=play, args=(labs[-1], row, out)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    found = {}
    for row, code, text in out:
        assert code == 0, (row, text[-3000:])
        name = None
        for line in text.splitlines():
            head = re.fullmatch(r"(\S+)\.txt\s+(\d+) of\s+(\d+) equal", line)
            if head:
                name = head[1]
                if name in found:  # the commands are played in each lab
                    name = None
                else:
                    found[name] = (int(head[2]), int(head[3]), [])
            elif name and re.match(r"   [-+] ", line):
                found[name][2].append(line.strip())
    for lab in labs:
        for got in (lab / "out/order").glob("*.txt"):
            if (GOLDEN / "order" / got.name).exists():
                found[f"order/{got.stem}"] = compare_order(GOLDEN / "order" / got.name, got)
    return found


def test_share(compared):
    same, total = sum(f[0] for f in compared.values()), sum(f[1] for f in compared.values())
    text = "\n".join(f"{name}: {f[0]} of {f[1]}" for name, f in sorted(compared.items())) + f"\n{same} of {total}: {100 * same / total:.1f} %"
    print(text)
    print("\n".join(f"{name}: {line}" for name, f in sorted(compared.items()) for line in f[2]))
    assert len(compared) >= 14
    assert same / total >= 0.95, text


def test_what_differs_has_a_reason(compared):
    used, without = set(), []
    for name, (_, _, lines) in compared.items():
        for line in lines:
            why = [i for i, (scene, pattern, _) in enumerate(REASONS) if re.fullmatch(scene, name) and re.search(pattern, line)]
            used.update(why)
            if not why:
                without.append(f"{name}: {line}")
    assert not without, "\n".join(without)
    assert used == set(range(len(REASONS))), [REASONS[i] for i in range(len(REASONS)) if i not in used]


def test_commands(compared):
    same, total, _ = compared["api/cc-commands"]
    assert total - same <= 5
