import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import tandem as t  # noqa: E402
from recordings import THEN  # noqa: E402


@pytest.fixture(scope="module")
def tandem_vanilla(tmp_path_factory):
    """A running Tandem on the stock configuration at the recordings' time."""
    sw = t.Tandem(tmp_path_factory.mktemp("vanilla") / "instance", "vanilla", **THEN).start()
    yield sw
    sw.stop()
