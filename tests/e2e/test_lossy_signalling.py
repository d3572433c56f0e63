"""Networks that lose, delay, reorder and swallow: calls are set up all the same, none is lost, none is made twice."""
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import tandem as t
from calls import extension

sys.path.insert(0, str(Path(__file__).parent / "security"))
from sayer import sayers  # noqa: E402

SCENE = Path(__file__).parent / "lossy_scene.py"
CALLS = 20


def scene(name, where):
    if os.geteuid() or not shutil.which("nft") or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("network namespaces and nft need root")
    out = subprocess.run(["unshare", "-n", sys.executable, SCENE, name, where], capture_output=True, text=True, timeout=280)
    assert out.returncode == 0, (out.stdout + out.stderr)[-4000:]
    return json.loads(out.stdout.strip().split("\n")[-1])


@pytest.mark.soak
def test_a_fifth_is_lost(tmp_path):
    r = scene("loss", tmp_path)
    assert r["codes"] == [0, 0] and r["sessions"] == 2 * CALLS and r["dropped"] > 2 * CALLS, r


def test_a_peer_that_swallows_everything(tmp_path):
    r = scene("black_hole", tmp_path)
    assert r["codes"] == [0, 0], r


class Reorder(threading.Thread):
    """A proxy of datagrams: each is kept for a time of its own, so that later ones overtake; one in ten goes twice."""

    def __init__(self, to, seed=7):
        super().__init__(daemon=True)
        self.to, self.random, self.overtaken = to, random.Random(seed), 0
        self.near, self.far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for s in (self.near, self.far):
            s.bind(("127.0.0.1", 0))
        self.at, self.peer, self.waiting, self.lock = self.near.getsockname(), None, [], threading.Lock()
        self.is_over = False
        self.start()

    def _send(self, due, s, data, to):
        with self.lock:
            self.overtaken += any(w > due for w in self.waiting)
            self.waiting.append(due)

        def go():
            with self.lock:
                self.waiting.remove(due)
            if not self.is_over:
                s.sendto(data, to)
        threading.Timer(max(0, due - time.monotonic()), go).start()

    def run(self):
        import select
        while not self.is_over:
            for s in select.select([self.near, self.far], [], [], 0.2)[0]:
                data, src = s.recvfrom(65536)
                if s is self.near:
                    self.peer = src
                other, to = (self.far, self.to) if s is self.near else (self.near, self.peer)
                for _ in range(2 if self.random.random() < 0.1 else 1):
                    self._send(time.monotonic() + self.random.random() * 0.25, other, data, to)

    def close(self):
        self.is_over = True
        self.join()
        self.near.close()
        self.far.close()


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("reorder") / "instance", "conf")
    (sw.root / "conf/dialplan/public").mkdir(exist_ok=True)
    (sw.root / "conf/dialplan/public/lossy.xml").write_text("<include>" + extension("7999", "answer", "park") + "</include>")
    sw.start()
    yield sw
    sw.stop()


def test_messages_that_overtake_each_other_and_come_twice(sw):
    proxy = Reorder(("127.0.0.1", sw.ext_port))
    events = sw.esl()
    events.subscribe("CHANNEL_CREATE CHANNEL_HANGUP_COMPLETE")
    with sayers(sw) as make:
        callers = [make(f"c{i}", sw.ext_port) for i in range(5)]
        for p in callers:  # through the proxy, which answers come back by as well
            p.s.close()
        proxies = [proxy] + [Reorder(("127.0.0.1", sw.ext_port), seed) for seed in range(1, 5)]
        for p, x in zip(callers, proxies):
            p.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            p.s.bind(("127.0.0.1", 0))
            p.s.connect(x.at)
            p.port = p.s.getsockname()[1]
            p.call("7999")
        for p in callers:
            p.answered()
        sw.wait_calls(5)
        for p in callers:
            p.request("BYE")  # may overtake the ACK
        for p in callers:
            m = p.expect(200)
            while "BYE" not in m.get("CSeq"):
                m = p.expect(200)
        sw.wait_calls(0)
        for _ in callers:
            events.wait_event("CHANNEL_HANGUP_COMPLETE")
        sw.api("version")
        created = sum(e.get("Event-Name") == "CHANNEL_CREATE" for e in events.events)
        assert created == 0  # those five were read on the way to the ends; a sixth would be left
        assert sum(x.overtaken for x in proxies) > 5
        for x in proxies:
            x.close()
    events.close()
