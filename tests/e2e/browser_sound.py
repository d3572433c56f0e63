"""A browser that a script drives: what the script says, and what the fake microphone says."""
import json
import threading
import time

import numpy as np
import tandem as t
from calls import write_extensions


def browser_switch(root, *extensions, codecs=None):
    """A started switch with ports for WebSockets, that takes candidates of the loopback; codecs: in place of those it offers."""
    s = t.Tandem(root)
    s.ws_port, s.wss_port = t.free_port(), t.free_port()
    p = s.root / "conf/sip_profiles/internal.xml"
    p.write_text(p.read_text().replace("<settings>", '<settings>\n<param name="apply-candidate-acl" value="loopback.auto"/>'
                                       f'\n<param name="ws-binding" value=":{s.ws_port}"/>\n<param name="wss-binding" value=":{s.wss_port}"/>', 1))
    if codecs:
        v = s.root / "conf/vars.xml"
        v.write_text(v.read_text().replace("codec_prefs=PCMU,PCMA,OPUS,G722", f"codec_prefs={codecs}"))
    write_extensions(s, extensions)
    return s.start()


class Lines:
    """What the script says, line by line."""

    def __init__(self, proc):
        self.proc, self.got, self.more = proc, [], threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        for line in self.proc.stdout:
            with self.more:
                self.got.append(json.loads(line))
                self.more.notify_all()
        with self.more:
            self.got.append({"error": "it ended"})
            self.more.notify_all()

    def wait(self, key, timeout=60):
        with self.more:
            assert self.more.wait_for(lambda: any(key in g or "error" in g for g in self.got), timeout), self.got
            found = next(g for g in self.got if key in g or "error" in g)
        assert key in found, (found, self.got)
        return found[key]


def hears_beeps(talk, timeout=15):
    """The fake device beeps about once a second, and is silent in between."""
    until = time.monotonic() + timeout
    while True:
        with talk.lock:
            blocks = [np.sqrt(np.mean(x.astype(float) ** 2)) for _, _, x in talk.got[-150:]]
        if len(blocks) >= 60 and sum(b > 500 for b in blocks) >= 3 and sum(b < 100 for b in blocks) >= 10:
            return
        assert time.monotonic() < until, blocks
        time.sleep(0.1)  # what comes has no event
