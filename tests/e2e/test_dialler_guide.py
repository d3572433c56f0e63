"""The guide's first campaign (docs/dialler.md), word for word: its files, its commands, the phones as it says."""
import re
from pathlib import Path

import pytest
import tandem as t
from calls import accept, ended, is_pair
from dialler import until

GUIDE = Path(__file__).resolve().parents[2] / "docs"


def blocks(name):
    text = (GUIDE / name).read_text()
    text = text[text.index("\n## "):]
    text = text[:text.index("\n## ", 1)]
    return [re.sub(r"^ {7}", "", b, flags=re.M).strip() + "\n" for b in re.findall(r"\n\n((?: {7}.*\n|\n(?= {7}))+)", text)]


@pytest.mark.parametrize("name", ["dialler.md", "dialler.zh.md"])
def test_first_campaign(tmp_path, name):
    from wire import Phone
    conf, csv, commands, after = blocks(name)[:4]
    sw = t.Tandem(tmp_path / "instance", "conf")
    modules = sw.root / "conf/autoload_configs/modules.conf.xml"
    modules.write_text(modules.read_text().replace('<!-- <load module="mod_dialler"/> -->', '<load module="mod_dialler"/>'))
    assert '\n    <load module="mod_dialler"/>' in modules.read_text()
    sw.start()
    p1000, p1001 = phones = [Phone(sw, n) for n in ("1000", "1001")]
    for p, hz in zip(phones, (400, 600)):
        p.talk, p.hz = None, hz
        p.register()
    (sw.root / "conf/autoload_configs/dialler.conf.xml").write_text(conf)
    path = tmp_path / "first.csv"
    path.write_text(csv)
    said = {}
    for line in commands.replace("/tmp/first.csv", str(path)).splitlines():
        if line.startswith("load "):
            continue  # it is loaded since the start
        said[line] = sw.api(line)
        if line == "reloadxml":
            assert sw.api("dialler reload").startswith("+OK")
            until(lambda: "first|" in sw.api("dialler list"))
    assert said[f"dialler import first {path}"].startswith("+OK 1 imported, 0 duplicates, 1 bad lines\nline 3: not a number\n"), said
    accept(p1000, p1000.expect(method="INVITE"))
    accept(p1001, p1001.expect(method="INVITE"))
    is_pair(p1000, p1001)
    p1001.bye()
    until(lambda: "1000|wrap-up|1" in sw.api("dialler agents first"))
    p1001.talk.stop()
    p1001.talk = None
    for line in after.splitlines():
        reply = sw.api(line)
        assert not reply.startswith("-"), (line, reply)
    assert until(lambda: '"result":"answered"' in sw.api("dialler results first"))
    assert sw.api("dialler add survey 1001 Li Wei") == "+OK 1001\n"
    assert sw.api("dialler start survey").startswith("+OK")
    accept(p1001, p1001.expect(method="INVITE"))
    p1001.talk.hears(600)
    p1001.talk.press("4")
    ended(p1001)
    until(lambda: '"answer":"4","count":1' in sw.api("dialler answers survey"))
    sw.api("dialler agent first logout 1000")
    ended(p1000)
    for p in phones:
        p.talk.stop()
        p.close()
    sw.stop()
