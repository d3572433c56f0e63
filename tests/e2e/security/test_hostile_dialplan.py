"""Text of an unauthenticated caller, in his number, name and headers, goes through a dialplan that uses it in every way dialplans in the
field do. Random words of all the switch's languages must stay data: no command runs, no leg is dialled, no file outside is opened, no
context changes.

`./dev fuzz hostile 600` runs it for ten minutes; TANDEM_FUZZ_SEED repeats a run."""
import os
import random
import time

import pytest
from hostile import CASES, Hostile, random_text

SECONDS = float(os.environ.get("TANDEM_FUZZ_SECONDS", 40))
SEED = int(os.environ.get("TANDEM_FUZZ_SEED", 0)) or random.SystemRandom().randrange(1 << 32)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    h = Hostile(tmp_path_factory.mktemp("hostile"))
    yield h
    h.stop()


@pytest.mark.parametrize("case", CASES)
def test_each_word_in_each_place(hostile, case):
    """Each word alone, and between two letters, in the header; the same as the display name and as the number."""
    texts = [t for word in hostile.payloads() for t in (word, f"a{word}b")]
    for at in range(0, len(texts), 50):
        hostile.wait([hostile.call(case, text[:200], text, text, text) for text in texts[at:at + 50]])
    assert hostile.check() == []
    assert CASES[case][0].split(" ", 1)[0] in hostile.ran  # it was really gone through


def test_random(hostile):
    rng, words = random.Random(SEED), hostile.payloads()
    print(f"TANDEM_FUZZ_SEED={SEED}")
    end = time.monotonic() + SECONDS
    cases, calls = list(CASES), 0
    while time.monotonic() < end:
        sent = [[rng.choice(cases), random_text(rng, words)[:200], *(random_text(rng, words) for _ in range(3))] for _ in range(40)]
        hostile.wait([hostile.call(*one) for one in sent], timeout=1)
        calls += len(sent)
        found = hostile.check()
        assert found == [], (SEED, found, sent)
    print(f"{calls} calls")
    assert calls >= 40
