"""Moving over from FreeSWITCH: configurations that its own parser takes, checks that tell what nobody meant."""
import json
import re
import subprocess

import pytest
from tandem import BUILD, TOP
from wire import Phone

EXTENSION = '<include>\n<extension name="t"><condition field="destination_number" expression="^7001$">%s</condition></extension>\n</include>\n'
# what stands in public files; what the dialplan must make of it; what the warning says
LENIENT = {
    "no equals": ('<action application="set" data ""/>', "set()", "no '=' between 'data' and its value"),
    "less than": ('<action application="set" data="sip_h_P-Asserted-Identity=<sip:1@x.example>"/>',
                  "set(sip_h_P-Asserted-Identity=<sip:1@x.example>)", "a bare '<' in 'data'"),
    "ampersand": ('<action application="set" data="u=http://x.example/?a=1&b=2"/>', "set(u=http://x.example/?a=1&b=2)", "a bare '&' in 'data'"),
    "ampersand in text": ('<action application="set">a=b&c</action>', "set(a=b&c)", "a bare '&' in text"),
    "comment": ('<!-- a -- b --><action application="answer"/>', "answer()", "'--' within a comment"),
    "long comment": ('<!---- answer ----><action application="answer"/>', "answer()", "'--' within a comment"),
    "twice": ('<action application="answer" application="hangup"/>', "answer()", "the attribute 'application' is given again"),
    "latin-1": ('<!-- caf\xe9 --><action application="answer"/>', "answer()", "the byte 0xe9 is no UTF-8"),
    "latin-1 value": ('<action application="set" data="a=caf\xe9"/>', "set(a=café)", "the byte 0xe9 is no UTF-8"),
    "no blank": ('<action application="set"data="a=b"/>', "set(a=b)", "no blank in front of the attribute 'data'"),
    "no value": ('<action application="answer" async/>', "answer()", "the attribute 'async' has no value"),
    "entity": ('<action application="set" data="a=b&nbsp;c"/>', "set(a=b&nbsp;c)", "a bare '&' in 'data'"),
}


def check(fresh, *args):
    return subprocess.run([BUILD / "tandem", "-check-config", "-base", fresh.root, *args], env=fresh.env, capture_output=True, text=True, timeout=30)


def write(fresh, text, name="dialplan/default/t.xml"):
    path = fresh.root / "conf" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("latin1"))


@pytest.mark.parametrize("kind", LENIENT)
def test_check_takes_what_freeswitch_takes(fresh, kind):
    xml, _, says = LENIENT[kind]
    write(fresh, EXTENSION % xml)
    r = check(fresh)
    assert r.returncode == 0, r.stderr
    assert re.search(r"dialplan/default/t\.xml:2:\d+: warning: " + re.escape(says), r.stderr), r.stderr


def test_all_of_it_runs(fresh):
    """One file for each kind: the switch starts, says where, and each extension does what was meant."""
    for i, (kind, (xml, _, _)) in enumerate(LENIENT.items()):
        write(fresh, EXTENSION.replace("7001", str(7001 + i)) % xml, f"dialplan/default/t{i}.xml")
    fresh.start()
    for i, (kind, (_, runs, says)) in enumerate(LENIENT.items()):
        assert runs in fresh.api(f"dialplan explain default {7001 + i}").split("would run")[1], kind
        assert re.search(rf"\[WARNING\].*dialplan/default/t{i}\.xml:2:\d+: warning: " + re.escape(says), fresh.console()), kind
    assert fresh.api("reloadxml") == "+OK [Success]\n"
    write(fresh, EXTENSION % "</condition>")
    assert re.match(r"-ERR .*dialplan/default/t\.xml:2:\d+: ", fresh.api("reloadxml"))
    fresh.stop()


BROKEN = {
    "open element": ("<include>\n<extension name='x'>\n<condition>\n</extension>\n</include>\n", r":4:\d+: mismatched tag"),
    "open quote": ('<include>\n<extension name="x>\n<condition field="a"/>\n</extension></include>\n', r":2:\d+: the value of 'name' has no closing quote"),
    "less than in text": ("<include>\n<extension name='x'>1 < 2</extension>\n</include>\n", r":2:\d+: this '<' begins no element"),
    "open comment": ("<include>\n<!-- x\n<extension name='x'/>\n</include>\n", r":2:\d+: the comment is not closed"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_cannot_be_understood_stays_an_error(fresh, kind):
    text, place = BROKEN[kind]
    write(fresh, text)
    r = check(fresh)
    assert r.returncode == 1 and re.search(r"default/t\.xml" + place, r.stderr), r.stderr
    r = subprocess.run([BUILD / "tandem", "-nf", "-nonat", "-base", fresh.root], env=fresh.env, capture_output=True, text=True, timeout=30)
    assert r.returncode == 255 and re.search(r"default/t\.xml" + place, r.stderr), r.stderr


def test_a_broken_file_of_a_module_that_is_not_here(fresh):
    """It is left out with a warning; the same mistake in a file that is read stops the start."""
    write(fresh, '<configuration name="rtmp.conf">\n<settings>\n<param name="x" value="1">\n</settings>\n</configuration>\n',
          "autoload_configs/rtmp.conf.xml")
    write(fresh, '<configuration name="skinny.conf">\n<profiles>\n<X-PRE-PROCESS cmd="include" data="../skinny_profiles/*.xml"/>\n'
                 "</profiles></configuration>\n", "autoload_configs/zz_other_name.xml")
    write(fresh, "<include>\n<profile name='a'>\n</include>\n", "skinny_profiles/a.xml")
    main = fresh.root / "conf/freeswitch.xml"
    main.write_text(main.read_text().replace('<section name="chatplan" description="messages">',
                                             '<section name="chatplan">\n<X-PRE-PROCESS cmd="include" data="chatplan/*.xml"/>'))
    write(fresh, "<include>\n<context>\n</include>\n", "chatplan/default.xml")
    r = check(fresh)
    assert r.returncode == 0, r.stderr
    for place in (r"rtmp\.conf\.xml:4", r"skinny_profiles/a\.xml:\d", r"chatplan/default\.xml:\d"):
        assert re.search(place + r":\d+: warning: .*; left out, no module here reads this file", r.stderr), (place, r.stderr)
    fresh.start()
    assert re.search(r"\[WARNING\].*rtmp\.conf\.xml:4:\d+: warning: mismatched tag", fresh.console())
    assert "would run" in fresh.api("dialplan explain default 9196")
    fresh.stop()
    write(fresh, '<configuration name="acl.conf">\n<network-lists>\n</configuration>\n', "autoload_configs/acl.conf.xml")
    r = check(fresh)
    assert r.returncode == 1 and re.search(r"acl\.conf\.xml:3:\d+: mismatched", r.stderr), r.stderr


def test_check_exits_with_0_where_it_would_run(fresh):
    """Problems are told, and none of them is a reason not to start."""
    write(fresh, '<include>\n<extension name="t"><condition field="destination_number" expression="^(1" break="">\n'
                 '<action application="nosuch"/></condition></extension>\n<X-PRE-PROCESS cmd="include" data="missing.xml"/>\n</include>\n')
    r = check(fresh)
    assert r.returncode == 0, r.stderr
    for told in (r"t\.xml:2:\d+: expression does not compile", r"t\.xml:3:\d+: no application is called 'nosuch'",
                 r"t\.xml:4:\d+: nothing matches include", r't\.xml:2:\d+: warning: break="" is none of', "none of them stops the start"):
        assert re.search(told, r.stderr), (told, r.stderr)
    fresh.start()
    fresh.stop()


def test_check_tells_what_nobody_meant(fresh):
    write(fresh, '<include>\n<extension name="t">\n<condition field="destination_number" expresion="^7001$"/>\n'
                 '<condition hour="9-25"/>\n<condition wday="mon-fri" time-of-day="8-17"><action application="answer"/></condition>\n'
                 '</extension>\n</include>\n')
    write(fresh, "<include/>", "dialplan/forgotten/lost.xml")
    fresh.start()
    told = fresh.api("config check")
    for text in (r"t\.xml:3:1: warning: <condition> has no attribute 'expresion' \(meant: expression\)",
                 r"t\.xml:3:1: warning: a field without an expression matches everything",
                 r't\.xml:4:1: warning: hour="9-25" is no time that ever comes', r't\.xml:5:1: warning: time-of-day="8-17" is no time',
                 r"dialplan/forgotten/lost\.xml:1:1: warning: nothing includes this file"):
        assert re.search(text, told), (text, told)
    assert "default.xml:1:1: warning: nothing includes" not in told
    fresh.stop()


def test_explain_tells_a_context_that_does_not_exist(tandem):
    assert "there is no context 'defualt'" in tandem.api("dialplan explain defualt 9196")
    assert "there is no context" not in tandem.api("dialplan explain default 9196")
    assert json.loads(tandem.api("dialplan explain defualt 9196 as json"))["context_exists"] is False
    assert json.loads(tandem.api("dialplan explain default 9196 as json"))["context_exists"] is True


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_what_the_readme_adds(fresh, page):
    """Its user's file and its time condition, as they stand there."""
    users = fresh.root / "conf/directory/default"
    (users / "1020.xml").write_text((users / "1020.xml.example").read_text())
    xml = re.search(r"```xml\n(.*?)```", (TOP / page).read_text(), re.S)[1]
    write(fresh, xml, "dialplan/default/office.xml")
    fresh.start()
    assert fresh.api("user_exists id 1020 127.0.0.1") == "true"
    assert fresh.api("user_data 1020@127.0.0.1 var effective_caller_id_name") == "Extension 1020"
    assert fresh.api("user_exists id 1000 127.0.0.1") == "true"
    assert "office.xml" not in fresh.api("config check") and "1020.xml" not in fresh.api("config check")

    def runs(epoch):
        return fresh.api(f"dialplan explain default 7000 timezone=UTC0 epoch={epoch}").split("would run")[1]
    tuesday = 1795521600  # 2026-11-24 12:00 UTC
    assert "bridge(user/1000@127.0.0.1)" in runs(tuesday)
    assert "bridge" not in runs(tuesday + 6 * 3600) and "playback" in runs(tuesday + 6 * 3600)
    assert "playback" in runs(tuesday + 4 * 86400)  # Saturday
    fresh.passwords["1020"] = "change-me"
    p = Phone(fresh, "1020")
    p.register()
    p.close()
    fresh.stop()
