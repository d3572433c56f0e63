import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import tandem as t  # noqa: E402
from wire import Phone  # noqa: E402


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


@pytest.fixture(scope="module")
def sw(tandem):
    """The switch of a module's tests; a module that needs a configuration of its own has its own fixture of this name."""
    return tandem


@pytest.fixture
def phone(sw):
    """phone(user): a scripted phone, registered unless told otherwise, hz its tone; at the end every call is over."""
    made = []

    def make(user="1000", hz=0, register=True, switch=sw, kind=Phone, **kw):
        p = kind(switch, user, **kw)
        p.talk, p.hz = None, hz
        made.append((switch, p))
        if register:
            p.register()
        return p
    yield make
    for _, p in made:
        if p.talk:
            p.talk.stop()
    for switch in {id(s): s for s in (sw, *(s for s, _ in made))}.values():
        switch.api("hupall")
        switch.wait_calls(0)
    for switch, p in made:
        p.close()
        switch.api(f"sofia profile internal flush_inbound_reg {p.user}@{switch.domain}")


@pytest.fixture
def parked(sw):
    """Waits for the leg that parks; its variables can then be asked."""
    events = sw.esl()
    events.subscribe("CHANNEL_PARK")

    def wait():
        uuid = events.wait_event("CHANNEL_PARK")["Unique-ID"]
        return lambda name: sw.api(f"uuid_getvar {uuid} {name}")
    yield wait
    events.close()


@pytest.fixture
def fresh(tmp_path_factory):
    """An instance that is not started: for tests about starting and stopping."""
    sw = _instance(tmp_path_factory, "conf")
    yield sw
    if sw.proc and sw.proc.poll() is None:
        sw.stop()


@pytest.fixture(scope="session")
def modules():
    """node_modules with what package.json names, installed once beside the build."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("npm and node are not installed")
    here, cache = Path(__file__).parent, t.TOP / "build" / "npm"
    cache.mkdir(parents=True, exist_ok=True)
    shutil.copy(here / "package.json", cache)
    wanted = json.loads((here / "package.json").read_text())["dependencies"]
    if not all((cache / "node_modules" / name).exists() for name in wanted):
        got = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"], cwd=cache, capture_output=True, text=True)
        if got.returncode:
            pytest.skip(f"npm cannot install here: {got.stderr.strip()[-200:]}")
    return cache
