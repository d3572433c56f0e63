"""Moving over from FreeSWITCH: dial strings, transfers and dialplan lists as its configurations write them."""
import json
import re

import pytest
import tandem as t
from calls import bridged, extension, write_extensions
from wire import Phone


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("moving") / "instance")
    write_extensions(s, [
        extension("7401", "set bridge_pre_execute_aleg_app=set", "set bridge_pre_execute_aleg_data=on_a=${uuid}",
                  "set bridge_pre_execute_bleg_app=set", "set bridge_pre_execute_bleg_data=on_b=${uuid}", "bridge user/1001@${domain}"),
        extension("7402", "bridge user/1001@${domain}"),
        extension("7403", "set continue_on_fail=true", "bridge nosuch", "answer", "park"),
        extension("7404", "set continue_on_fail=true", "bridge nosuch/1", "answer", "park")])
    s.start()
    yield s
    s.stop()


def rows(sw):
    return json.loads(sw.api("show channels as json")).get("rows", [])


def until(sw, what, timeout=10):
    import time
    deadline = time.monotonic() + timeout
    while not what(rows(sw)):
        assert time.monotonic() < deadline, rows(sw)
        time.sleep(0.02)
    return rows(sw)


@pytest.mark.parametrize("string", ["{execute_on_answer='set mark=${uuid}'}user/1001@127.0.0.1", "{a=${domain},b=2}user/1001@127.0.0.1",
                                    "{a=x{y{z}}}[b={1}]user/1001@127.0.0.1", "<a={b}>{c=${d}}user/1001@127.0.0.1"])
def test_nested_braces(sw, phone, string):
    b = phone("1001")
    esl = sw.esl()
    esl.sock.sendall(f"api originate {string} &park()\n\n".encode())
    b.take()
    reply = esl._reply()[1]
    assert reply.startswith("+OK"), reply
    if "mark" in string:
        uuid = reply.split()[1]
        until(sw, lambda r: sw.api(f"uuid_getvar {uuid} mark") == uuid)
    esl.close()
    b.bye()


@pytest.mark.parametrize("to,runs", [("'park:' inline", "park"), ("'set:hangup_after_bridge=false,park:' inline", "park"), ("9196 XML default", "echo"),
                                     ("'m:^:set:a=b:c^park:' inline", "park")])
def test_transfer_of_both_legs(sw, phone, to, runs):
    a, b = phone("1000", 440), phone("1001", 1000)
    bridged(a, b, "7402")
    first = until(sw, lambda r: len(r) == 2 and any(x["application"] == "bridge" for x in r))
    uuid = next(x["uuid"] for x in first if x["application"] == "bridge")
    assert sw.api(f"uuid_transfer {uuid} -both {to}") == "+OK\n"
    until(sw, lambda r: [x["application"] for x in r] == [runs, runs])
    if "m:^" in to:
        assert {sw.api(f"uuid_getvar {x['uuid']} a") for x in rows(sw)} == {"b:c"}


def test_bridge_pre_execute(sw, phone):
    a, b = phone("1000", 440), phone("1001", 1000)
    bridged(a, b, "7401")
    legs = until(sw, lambda r: len(r) == 2)
    uuid_a = next(x["uuid"] for x in legs if x["direction"] == "inbound")
    uuid_b = next(x["uuid"] for x in legs if x["direction"] == "outbound")
    until(sw, lambda r: sw.api(f"uuid_getvar {uuid_a} on_a") == uuid_a)
    until(sw, lambda r: sw.api(f"uuid_getvar {uuid_b} on_b") not in ("_undef_", ""))
    assert sw.api(f"uuid_getvar {uuid_a} on_b") == "_undef_"
    a.talk.hears(1000)
    b.talk.hears(440)


@pytest.mark.parametrize("number", ["7403", "7404"])
def test_no_such_endpoint(sw, phone, number):
    a = phone("1000")
    a.invite(number)
    a.answered()
    (leg,) = rows(sw)
    assert sw.api(f"uuid_getvar {leg['uuid']} originate_disposition") == "CHAN_NOT_IMPLEMENTED"
    assert sw.api("originate nosuch &park()").startswith("-ERR CHAN_NOT_IMPLEMENTED")
    a.bye()


def test_dialplan_list_of_a_profile(fresh):
    """Quotes hold a list of applications together; the one after it is tried where it finds nothing."""
    profile = fresh.root / "conf/sip_profiles/internal.xml"
    text = profile.read_text()
    assert 'name="dialplan"' in text or "<settings>" in text
    text = re.sub(r'\s*<param name="dialplan"[^>]*>', "", text)
    profile.write_text(text.replace("<settings>", '<settings>\n<param name="dialplan" value="XML,\'inline:set:a=1,answer:,park:\'"/>', 1))
    fresh.start()
    p = Phone(fresh, "1000")
    p.register()
    p.invite("4711999")  # nobody's in XML
    p.answered()
    (leg,) = rows(fresh)
    assert leg["application"] == "park" and fresh.api(f"uuid_getvar {leg['uuid']} a") == "1"
    p.bye()
    fresh.wait_calls(0)
    p.close()
    fresh.stop()


def test_inline_without_mod_dialplan_xml(fresh):
    modules = fresh.root / "conf/autoload_configs/modules.conf.xml"
    modules.write_text(modules.read_text().replace('<load module="mod_dialplan_xml"/>', ""))
    fresh.start()
    assert "inline,mod_dptools" in fresh.api("show dialplan").replace("dialplan,", "") and "XML" not in fresh.api("show dialplan")
    p = Phone(fresh, "1000")
    p.register()
    esl = fresh.esl()
    esl.sock.sendall(b"api originate user/1000@127.0.0.1 'set:a=1,park:' inline\n\n")
    p.take()
    assert esl._reply()[1].startswith("+OK")
    until(fresh, lambda r: [x["application"] for x in r] == ["park"])
    esl.close()
    p.bye()
    fresh.wait_calls(0)
    p.close()
    fresh.stop()
