"""What the fake microphone of a browser says."""
import time

import numpy as np


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
