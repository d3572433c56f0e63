import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import clock  # noqa: E402
import npm_modules  # noqa: E402
import tandem as t  # noqa: E402
from wire import Phone  # noqa: E402


def pytest_configure(config):
    clock.set_for_all()
    config.addinivalue_line("markers", "soak: long runs, only in ./dev soak")
    config.addinivalue_line("markers", "quiet: judges how soon something happens; tools/run-tests puts little beside it")
    config.addinivalue_line("markers", "clock: has to do with the time of day or the date; runs at several of them")
    config.addinivalue_line("markers", "leaks: run a second time on the sanitizer build")


def pytest_collection_modifyitems(config, items):
    if "soak" not in (config.getoption("-m") or ""):
        items[:] = [i for i in items if "soak" not in i.keywords]


def _instance(tmp_path_factory, flavour, **how):
    return t.Tandem(tmp_path_factory.mktemp(flavour) / "instance", flavour, **how)


@pytest.fixture(scope="module")
def tandem(tmp_path_factory):
    """A running Tandem on our own conf/."""
    sw = _instance(tmp_path_factory, "conf").start()
    yield sw
    sw.stop()


@pytest.fixture(scope="module")
def tandem_vanilla(tmp_path_factory):
    """A running Tandem on a copy of FreeSWITCH's stock configuration, or of ours of its shape."""
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
def phone_of():
    """phone_of(switch, user): a registered phone, for tests that make their switches themselves."""
    made = []

    def make(sw, user):
        made.append(Phone(sw, user))
        made[-1].register()
        return made[-1]
    yield make
    for p in made:
        p.close()


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


@pytest.fixture
def modules(tmp_path):
    """A directory of its own for a script, with the node_modules that package.json names."""
    why = npm_modules.install()
    if why:
        pytest.skip(why)
    (tmp_path / "node_modules").symlink_to(npm_modules.CACHE / "node_modules")
    return tmp_path
