"""The records of a bridged call against the recordings of ../shared/golden/cdr: the XML file element by element, the CSV line."""
import re
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import tandem as t
from recordings import GOLDEN, THEN, needs_recordings
from test_call_events import UNSTEADY, VARS_OTHER, Phone, one_call
from ua import Ua

pytestmark = [needs_recordings, pytest.mark.clock]
# flags and caps are numbers of the recorded program's insides; RTCP is counted for both ways together here
NOT_OURS = {"flags", "caps", "rtcp_packet_count", "rtcp_octet_count"}


def until(found, seconds=10):
    end = time.monotonic() + seconds
    while True:
        got = found()
        if got or time.monotonic() > end:
            return got
        time.sleep(0.02)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """(XML text, CSV lines) of one call 1000 -> 1001 that the caller ends."""
    sw = t.Tandem(tmp_path_factory.mktemp("cdr") / "instance", "vanilla", **THEN)
    conf = sw.root / "conf/autoload_configs"
    modules = conf / "modules.conf.xml"
    modules.write_text(modules.read_text().replace("<modules>", '<modules>\n<load module="mod_xml_cdr"/>', 1))
    sw.start()
    try:
        a, b = Ua(sw, "1000").register(), Phone(sw, "1001").register()
        one_call((sw, a, b), "CHANNEL_DESTROY", True)
        sw.wait_calls(0)
        xml = until(lambda: [x for x in map(Path.read_text, (sw.root / "log/xml_cdr").glob("a_*.cdr.xml")) if "</cdr>" in x])
        lines = until(lambda: [x for x in map(Path.read_text, (sw.root / "log/cdr-csv").glob("Master.csv")) if x.endswith("\n")])
        a.close(), b.close()
        yield xml[0], lines[0].strip().split("\n")
    finally:
        sw.stop()


def recorded_xml():
    text = (GOLDEN / "cdr/xml-cdr.txt").read_text()
    return text[text.index("<?xml"):text.index("</cdr>") + 6]


def outline(node, depth=0):
    """Tags, in order, of all but variables and what is not ours."""
    out = []
    for n in node:
        if n.tag in NOT_OURS:
            continue
        out.append((depth, n.tag))
        if n.tag != "variables":
            out += outline(n, depth + 1)
    return out


def test_xml_elements(records):
    got, wanted = ET.fromstring(records[0]), ET.fromstring(recorded_xml())
    assert outline(got) == outline(wanted)
    assert [n.attrib.keys() for n in got.iter("callflow")] == [n.attrib.keys() for n in wanted.iter("callflow")]


def test_xml_values(records):
    got, wanted = ET.fromstring(records[0]), ET.fromstring(recorded_xml())

    def texts(tree, path):
        return [(n.tag, re.sub(r":\d+$", ":PORT", re.sub(r"[0-9a-f-]{36}", "UUID", n.text or ""))) for n in tree.find(path).iter()]

    assert texts(got, "callflow/caller_profile") == texts(wanted, "callflow/caller_profile")

    def apps(tree, path):
        return [(n.get("app_name"), n.get("last_executed")) for n in tree.find(path)]
    assert apps(got, "app_log") == apps(wanted, "app_log")
    assert apps(got, "callflow/extension") == apps(wanted, "callflow/extension")
    assert got.find("callflow/extension").attrib == wanted.find("callflow/extension").attrib


def test_xml_variables(records):
    got, wanted = {}, {}
    for side, text in ((got, records[0]), (wanted, recorded_xml())):
        for n in ET.fromstring(text).find("variables"):  # a list is several elements of one name
            side[n.tag] = side[n.tag] + " " + n.text if n.tag in side else n.text
    ours = {k for k in got if not VARS_OTHER.match(k)}
    theirs = {k for k in wanted if not VARS_OTHER.match(k)}
    assert (theirs - ours, ours - theirs) == (set(), set())
    masked = lambda v: re.sub(r"127\.0\.0\.1%3A\d+", "HOST", re.sub(r"[0-9a-f-]{36}|%3Btag%3D\w+", "UUID", v or "").replace("UUID", ""))  # noqa: E731
    differ = [(k, masked(wanted[k]), masked(got[k])) for k in theirs
              if not UNSTEADY.match("variable_" + k) and masked(got[k]) != masked(wanted[k])]
    assert not differ


def test_csv_line(records):
    def shape(line):
        line = re.sub(r"[0-9a-f-]{36}", "UUID", re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "DATE", line))
        return re.sub(r'"\d+","\d+","NORMAL', '"N","N","NORMAL', line)
    wanted = [l for l in (GOLDEN / "cdr/csv-cdr.txt").read_text().split("\n") if l.startswith('"1000","1000","1001"')]
    assert shape(records[1][-1]) in {shape(l) for l in wanted}
