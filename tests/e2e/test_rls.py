"""Resource lists (RFC 4662): one subscription for many keys, told in RLMI and a part for each that changed."""
import re
import xml.etree.ElementTree as ET
from email import message_from_string

import pytest
import tandem as t
from watch import Two, subscribe

pytestmark = pytest.mark.leaks

RLMI = "{urn:ietf:params:xml:ns:rlmi}"
LISTS = """<include><configuration name="resource_lists.conf"><lists>
<list name="desk"><entry user="1001"/><entry user="1003"/><entry user="park+5900"/></list>
<list name="many">%s</list>
<list name="elsewhere" domain="other.example"><entry user="1001"/></list>
</lists></configuration></include>
""" % "".join(f'<entry user="u{i}"/>' for i in range(300))


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("lists") / "instance")
    (s.root / "conf/autoload_configs/resource_lists.conf.xml").write_text(LISTS.replace("<include>", "").replace("</include>", ""))
    s.start()
    yield s
    s.stop()


def parts(m):
    """(RLMI root, {user: body})"""
    mail = message_from_string(f"Content-Type: {m.get('Content-Type')}\n\n" + m.body.replace("\r\n", "\n"))
    first, *rest = mail.get_payload()
    root = ET.fromstring(first.get_payload())
    by_id = {p["Content-ID"].strip("<>"): p.get_payload() for p in rest}
    out = {}
    for r in root.iter(RLMI + "resource"):
        i = r.find(RLMI + "instance")
        out[r.get("uri")[4:].split("@")[0]] = by_id[i.get("cid")] if i is not None else None
    return root, out


def test_a_list_of_the_configuration(sw, phone):
    w = phone("1002")
    s = subscribe(w, "list+desk", "dialog", extra="Supported: eventlist\n")
    assert s.response.get("Require") == "eventlist"
    first = s.notify()
    assert first.get("Require") == "eventlist"
    root, bodies = parts(first)
    assert root.get("fullState") == "true" and root.get("version") == "0"
    assert sorted(bodies) == ["1001", "1003", "park+5900"] and all("dialog-info" in b for b in bodies.values())
    call = Two(sw, phone).ring()
    got = s.until(lambda m: "early" in m.body)
    root, bodies = parts(got)
    assert root.get("fullState") == "false" and list(bodies) == ["1001"]
    call.answer().bye()
    s.until(lambda m: "terminated" in m.body)
    s.end()


def test_a_group_of_the_directory(sw, phone):
    w = phone("1002")
    s = subscribe(w, "list+default", "presence")
    root, bodies = parts(s.notify())
    assert len(bodies) > 1 and all(re.search("<basic>(open|closed)</basic>", b) for b in bodies.values())
    s.end()


def test_a_long_list_comes_in_pieces(sw, phone):
    w = phone("1002")
    s = subscribe(w, "list+many", "presence")
    root, seen = parts(s.notify())
    assert len(seen) == 300
    seen = {k: v for k, v in seen.items() if v}
    assert 0 < len(seen) < 300
    while len(seen) < 300:
        more = parts(s.notify())[1]
        assert more
        seen.update(more)
    s.nothing()
    s.end()


@pytest.mark.parametrize("name", ["list+nosuch", "list+elsewhere", "list+"])
def test_no_such_list(sw, phone, name):
    subscribe(phone("1002"), name, "dialog", code=404)
