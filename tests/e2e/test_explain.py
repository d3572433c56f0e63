"""`dialplan explain`: what a call would meet, without a call; `config check`: what is wrong, without touching what runs."""
import json
import re

import pytest
import tandem as t

EXTENSIONS = """<include>
<extension name="first" continue="true"><condition field="destination_number" expression="^73(\\d)(\\d)$">
<action application="set" data="one=$1" inline="true"/>
<action application="answer" inline="true"/>
<action application="log" data="INFO $2"/></condition></extension>
<extension name="times"><condition field="destination_number" expression="^73" break="never"/>
<condition mon="12" mday="25"><action application="playback" data="xmas.wav"/></condition></extension>
<extension name="second"><condition field="${one}" expression="^4$"/>
<condition field="${hash(insert/explain/key/value)}x${cond(1 == 1 ? yes : no)}" expression="^xyes$">
<action application="set" data="name=${caller_id_name}"/><action application="bridge" data="user/$1"/>
<anti-action application="hangup" data="CALL_REJECTED"/></condition></extension>
</include>
"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("explain") / "instance")
    modules = s.root / "conf/autoload_configs/modules.conf.xml"
    modules.write_text(modules.read_text().replace('<load module="mod_dialplan_xml"/>',
                                                   '<load module="mod_dialplan_xml"/><load module="mod_dialplan_asterisk"/>'))
    (s.root / "conf/dialplan/default/explain.xml").write_text(EXTENSIONS)
    (s.root / "conf/extensions.conf").write_text("[default]\nexten => _8X,1,Dial(user/100${EXTEN})\n")
    s.start()
    yield s
    s.stop()


def mine(text):
    """The lines about this file's extensions, and what follows them."""
    lines = text.split("\n")
    return lines[next(i for i, line in enumerate(lines) if line.startswith("extension first")):]


def test_plain(sw):
    text = sw.api("dialplan explain default 7345 caller_id_name=Ann")
    assert text.startswith("7345 in context default, dialplan XML\n\nextension ")
    assert mine(text) == [
        "extension first, continue  [explain.xml:2]",
        '  destination_number = "7345" =~ /^73(\\d)(\\d)$/: match; $1 = "4", $2 = "5"  [explain.xml:2]',
        "    action set(one=4), inline  [explain.xml:3]",
        "      evaluated aside: one=4",
        "    action answer(), inline  [explain.xml:4]",
        "      left out: it may have effects",
        "    action log(INFO 5)  [explain.xml:5]",
        "extension times  [explain.xml:6]",
        '  destination_number = "7345" =~ /^73/: match  [explain.xml:6]',
        "  time: no match  [explain.xml:7]",
        "extension second  [explain.xml:8]",
        '  ${one} = "4" =~ /^4$/: match  [explain.xml:8]',
        '  ${hash(insert/explain/key/value)}x${cond(1 == 1 ? yes : no)} = "xyes" =~ /^xyes$/: match; '
        "not run: hash(insert/explain/key/value)  [explain.xml:9]",
        "    action set(name=${caller_id_name})  [explain.xml:10]",
        "    action bridge(user/$1)  [explain.xml:10]",
        "", "would run:", "  1. log(INFO 5)", "  2. set(name=${caller_id_name})", "  3. bridge(user/$1)", ""]
    assert "value" not in sw.api("hash select/explain/key")
    assert "0 total" in sw.api("show channels count")


@pytest.mark.clock
def test_at_another_time(sw):
    text = sw.api("dialplan explain default 7399 epoch=1798200000 timezone=UTC")  # 2026-12-25
    assert "  time: match  [explain.xml:7]" in text and "2. playback(xmas.wav)" in text
    text = sw.api("dialplan explain default 7399 epoch=1798300000 timezone=UTC")
    assert "  time: no match  [explain.xml:7]" in text and "playback" not in text


def test_json(sw):
    d = json.loads(sw.api("dialplan explain default 7345 as json"))
    assert (d["context"], d["number"], d["dialplan"], d["route"], d["extension"]) == ("default", "7345", "XML", True, "first")
    assert d["actions"][2] == {"application": "bridge", "data": "user/$1"}
    steps = [s for s in d["steps"] if s.get("file", "").endswith("explain.xml")]
    assert steps[0] == {"step": "extension", "level": 0, "extension": "first", "context": "default", "continue": True,
                        "file": steps[0]["file"], "line": 2}
    assert steps[1]["captures"] == ["4", "5"] and steps[1]["match"] is True
    assert [s for s in steps if s.get("not_run")][0]["not_run"] == "hash(insert/explain/key/value)"
    assert {"step": "inline", "application": "set", "result": "evaluated aside: one=4"} in d["steps"]


def test_other_dialplans_and_no_route(sw):
    text = sw.api("dialplan explain default 81 dialplan=nosuch,asterisk")
    assert text == ("81 in context default, dialplan nosuch,asterisk\n\nthe dialplan nosuch cannot be explained\n"
                    "extension _8X, continue  [extensions.conf:2]\n"
                    '  destination_number = "81" =~ /_8X/: match  [extensions.conf:2]\n'
                    "    action Dial(user/100${EXTEN})  [extensions.conf:2]\n\nwould run:\n  1. Dial(user/100${EXTEN})\n")
    assert sw.api("dialplan explain nosuch 1").endswith("\n\nno route\n")
    assert json.loads(sw.api("dialplan explain nosuch 1 as json"))["route"] is False
    for wrong in ("", "explain", "explain default", "nonsense default 1"):
        assert sw.api(f"dialplan {wrong}").startswith("-USAGE: explain <context> <number>"), wrong


def test_as_the_call_itself(sw):
    """The same hunt as a real call's: the log of one says what explain says."""
    steps = json.loads(sw.api("dialplan explain default 9196 as json"))["steps"]
    told = [(s["extension"], s["field"], s["value"], "PASS" if s["match"] else "FAIL") for s in steps if s["step"] == "field"]
    events = sw.esl()
    events.subscribe("CHANNEL_HANGUP_COMPLETE")
    events.command("log 7")
    sw.api("fsctl loglevel debug")
    sw.api("bgapi originate loopback/9196/default &park")
    seen = []
    while len(seen) < len(told):
        headers, body = events.read()
        if headers["Content-Type"] == "log/data" and "loopback/9196-b" in body:
            seen += re.findall(r"Regex \((\w+)\) \[(.*?)\] (.*)\((.*?)\) =~ /", body)
    assert [(x[1], x[2], x[3], x[0]) for x in seen] == told
    sw.api("fsctl loglevel info")
    sw.api("hupall")
    events.close()


# ---- config check
def test_check_of_what_runs(sw):
    text = sw.api("config check")
    assert text == "+OK no problems, 0 warnings\n"
    assert sw.api("config").startswith("-USAGE: check [<file>|<directory>]")


def test_check_of_another_directory(sw):
    """Everything that is wrong is told with its place; commands of the files are not run; what runs is not touched."""
    import shutil
    other = sw.root / "other"
    shutil.copytree(sw.root / "conf", other)
    shutil.copy(sw.root / "conf/passwords.xml", other)
    (other / "dialplan/default/bad.xml").write_text(
        '<include>\n<extension name="x"><condition field="destination_number" expression="^(1$">\n'
        '<action application="no_such_app"/></condition></extension>\n'
        f'<X-PRE-PROCESS cmd="exec" data="touch {sw.root}/was-run"/>\n</include>\n')
    (other / "dialplan/default/worse.xml").write_text("<include>\n<extension>\n</include>\n")
    (other / "sip_profiles/external/gw.xml").write_text(
        '<include>\n<gateway name="gw">\n<param name="username" value="u"/>\n<param name="pasword" value="p"/></gateway>\n</include>\n')
    (other / "extensions.conf").write_text("[default]\nexten => 1,1,Nothing\nwhat\n")
    text = sw.api(f"config check {other}")
    assert text.endswith("-ERR 6 problems, 1 warning\n"), text
    for wanted in (r"bad\.xml:2:\d+: expression does not compile: missing closing parenthesis",
                   r"bad\.xml:3:\d+: no application is called 'no_such_app'", r"worse\.xml:\d+:\d+: ",
                   r"gw\.xml:2:\d+: gateway gw: password is required to register",
                   r"gw\.xml:4:\d+: warning: gateway gw: the parameter 'pasword' has no effect",
                   r"extensions\.conf:2:1: no application is called 'Nothing'", r"extensions\.conf:3:1: neither \[context\]"):
        assert re.search(f"^{re.escape(str(other))}/\\S*{wanted}", text, re.M), (wanted, text)
    assert not (sw.root / "was-run").exists()
    assert "cannot be read" in sw.api(f"config check {sw.root}/nowhere")
    assert sw.api("dialplan explain default 9196").endswith("echo()\n")


def test_check_of_the_stock_configuration(tandem_vanilla):
    """Applications that are not there are told; what is there has no false alarm."""
    lines = tandem_vanilla.api("config check").rstrip("\n").split("\n")
    other = [x for x in lines[:-1] if "no application is called" not in x and ": warning: " not in x and "which is not loaded" not in x]
    assert not other, other
    for line in lines[:-1]:
        place = re.match(r"(\S+?):(\d+):\d+: ", line)
        app = re.search(r"no application is called '(\w+)'", line)
        if app:
            assert app.group(1) in open(place.group(1)).read().split("\n")[int(place.group(2)) - 1]
