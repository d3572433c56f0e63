import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import tandem as t  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "soak: long runs, only in ./dev soak")
    config.addinivalue_line("markers", "leaks: run a second time on the sanitizer build")


def pytest_collection_modifyitems(config, items):
    if "soak" not in (config.getoption("-m") or ""):
        items[:] = [i for i in items if "soak" not in i.keywords]


def _instance(tmp_path_factory, flavour):
    if flavour == "vanilla" and not t.SHARED.exists():
        pytest.skip("the stock configuration (../shared/vanilla) is not here")
    return t.Tandem(tmp_path_factory.mktemp(flavour) / "instance", flavour)


@pytest.fixture(scope="module")
def tandem(tmp_path_factory):
    """A running Tandem on our own conf/."""
    sw = _instance(tmp_path_factory, "conf").start()
    yield sw
    sw.stop()


@pytest.fixture(scope="module")
def tandem_vanilla(tmp_path_factory):
    """A running Tandem on a copy of FreeSWITCH's stock configuration."""
    sw = _instance(tmp_path_factory, "vanilla").start()
    yield sw
    sw.stop()


@pytest.fixture(scope="module", params=["conf", "vanilla"])
def switch(request, tmp_path_factory):
    """Each test on both configurations."""
    sw = _instance(tmp_path_factory, request.param).start()
    yield sw
    sw.stop()


@pytest.fixture
def fresh(tmp_path_factory):
    """An instance that is not started: for tests about starting and stopping."""
    sw = _instance(tmp_path_factory, "conf")
    yield sw
    if sw.proc and sw.proc.poll() is None:
        sw.stop()
