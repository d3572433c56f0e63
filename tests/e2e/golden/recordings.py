"""Where the recordings are, and the clock of a switch that is compared with them: the stock dialplan does more on weekdays from 9 to 18."""
import pytest
import tandem as t

GOLDEN = t.SHARED / "golden"
needs_recordings = pytest.mark.skipif(not GOLDEN.exists(), reason=t.NO_SHARED)
THEN = {"now": "2026-11-22 12:00:00", "zone": "UTC"}  # a Sunday
