"""The recorded scenes of the call centre (../shared/golden: cc-*) played by the scripts that recorded them: replies of the commands,
all events in their order. What differs has a reason below; a reason for what does not differ any more fails."""
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
    (r"api/cc-commands", r"callcenter_config queue list|\"queue list\"", "queues in the order of the configuration; FreeSWITCH's is that of a hash"),
    (r"api/cc-commands", r"callcenter_track 1", "a command that is not there is named without its arguments"),
    (r"api/.*", r"callcenter_config queue list'|show channels|show calls|uuid_dump", "as above; legs have other headers and variables: test_call_events.py compares them"),
    (r"order/.*", r"CHANNEL_(STATE|CALLSTATE) leg=# CS_(HANGUP|REPORTING|DESTROY)|CHANNEL_HANGUP(_COMPLETE)? leg|CHANNEL_DESTROY|Hangup-Cause: [A-Z_]+$",
     "two legs end one after the other here, side by side on threads there"),
    (r"order/.*", r"uuid_bridge\(UUID\)|CS_(SOFT_EXECUTE|HIBERNATE|RESET|CONSUME_MEDIA|EXECUTE)|CHANNEL_OUTGOING",
     "there both legs run uuid_bridge, on threads of their own; here the caller's does"),
    (r"order/.*", r"TRAP|condition: network|network-(status|address)", "the recorded machine's network"),
    (r"order/.*", r"CALL_UPDATE|Direction: SEND|Sent-Callee-ID|Bridged-To", "two threads tell them there, in either order"),
    (r"order/.*", r"callcenter::info|CC-[A-Z]|PLAYBACK_START|PLAYBACK_STOP|CHANNEL_EXECUTE(_COMPLETE)? leg=# callcenter",
     "of threads: the agent's, the caller's and the one that looks once in 100 ms; here each step follows its cause"),
    (r"order/.*", r"RECORD_ST|Record-|MEDIA_BUG|Media-Bug", "announcements count from the moment the caller joined, not from whole seconds; a recording begins with the answer"),
]


def play(lab, row, out):
    binary = str((t.BUILD / "tandem").resolve())
    script = str(Path(__file__).with_name("callcenter_lab.py"))
    done = subprocess.run(["unshare", "-n", sys.executable, script, str(lab), str(GOLDEN / "rec"), binary, *row], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, cwd=t.TOP)
    out.append((row, done.returncode, done.stdout))


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """{file: (equal, of, [lines that differ])}"""
    rows, threads, out = LABS + (LONG if os.environ.get("TANDEM_GOLDEN_ALL") else []), [], []
    for i, row in enumerate(rows):
        threads.append(threading.Thread(target=play, args=(tmp_path_factory.mktemp("cc") / f"lab{i}", row, out)))
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
    return found


def test_share(compared):
    same, total = sum(f[0] for f in compared.values()), sum(f[1] for f in compared.values())
    text = "\n".join(f"{name}: {f[0]} of {f[1]}" for name, f in sorted(compared.items())) + f"\n{same} of {total}: {100 * same / total:.1f} %"
    print(text)
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
