"""What a call costs, in instructions: the bound of docs/performance.md, kept by every run."""
import shutil
import sys

import pytest
from tandem import BUILD, IS_SANITIZED, TOP

sys.path.insert(0, str(TOP / "bench"))
import instructions  # noqa: E402
from switch import Switch  # noqa: E402

# what the C library does differs a little by processor (its string functions)
BRIDGED_MAX = 1_210_000


@pytest.mark.quiet  # valgrind makes the switch fifty times slower: phones send again when others take the rest
@pytest.mark.skipif(IS_SANITIZED, reason="a sanitizer's own instructions are no measure")
@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
def test_instructions_of_a_bridged_call():
    r = instructions.measure(Switch(), BUILD)
    assert r["load"]["ok"] == r["calls"] and r["load"]["failed"] == 0, r
    assert r["each"] <= BRIDGED_MAX, f"{r['each']:,.0f} instructions a bridged call: {r}"
