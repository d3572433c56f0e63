"""What tests of the dialler share: its configuration, lists, what its commands and events say."""
import json
import re
from xml.sax.saxutils import quoteattr

import pytest
from tandem import until  # noqa: F401 (for the tests of the dialler)


def campaign(name, *inner, **params):
    xml = "".join(f'<param name="{k.replace("_", "-")}" value={quoteattr(str(v))}/>' for k, v in params.items())
    return f'<campaign name="{name}">{xml}{"".join(inner)}</campaign>'


def agent(name, contact):
    return f'<agent name="{name}" contact="{contact}"/>'


def retry(result, after, tries=3):
    return f'<retry result="{result}" after="{after}" tries="{tries}"/>'


def write(sw, campaigns, shared="", settings=""):
    (sw.root / "conf/autoload_configs/dialler.conf.xml").write_text(
        f'<configuration name="dialler.conf"><settings>{settings}</settings>{shared}<campaigns>{"".join(campaigns)}</campaigns></configuration>\n')


def configure(sw, campaigns, shared="", settings="", modules=("mod_amd", "mod_dialler")):
    write(sw, campaigns, shared, settings)
    conf = sw.root / "conf/autoload_configs/modules.conf.xml"
    text = conf.read_text()
    is_loaded = re.sub("<!--.*?-->", "", text, flags=re.S)
    conf.write_text(text.replace("</modules>", "".join(f'<load module="{m}"/>' for m in modules if f'"{m}"/>' not in is_loaded) + "</modules>"))


def lab(sw, *extensions):
    """The context in which loopback numbers end."""
    (sw.root / "conf/dialplan/lab.xml").write_text("\n".join(['<include><context name="lab">', *extensions, "</context></include>"]))


def dialler(sw, words):
    reply = sw.api(f"dialler {words}")
    assert reply.startswith("+OK"), (words, reply)
    return reply


def report(sw, words):
    return json.loads(sw.api(f"dialler json {words}"))


def load(sw, name, text):
    """A list into the campaign; the reply as lines."""
    path = sw.root / f"{name}.csv"
    path.write_text(text)
    return sw.api(f"dialler import {name} {path}").splitlines()


def told(events, action, **more):
    return events.wait_event("CUSTOM", Event_Subclass="dialler::info", Dialler_Action=action, **more)


def state(sw, name):
    """The numbers of a campaign by state."""
    return report(sw, f"show {name}")["numbers"]


def all_done(sw, name, seconds=30):
    def look():
        n = state(sw, name)
        return not n["new"] and not n["retry"] and not n["dialling"]
    until(look, seconds)


def results(sw, name):
    return report(sw, f"show {name}")["results"]


def ready(sw, name):
    """Until the campaign runs: its figures are back from the database."""
    until(lambda: sw.api(f"dialler start {name}") == "+OK \n")


@pytest.fixture
def events(sw):
    e = sw.esl()
    e.subscribe("CUSTOM dialler::info")
    yield e
    e.close()


@pytest.fixture
def run(sw):
    """run(name): the campaign runs until the test is over."""
    names = []

    def start(name):
        ready(sw, name)
        names.append(name)
    yield start
    for name in names:
        dialler(sw, f"stop {name}")
