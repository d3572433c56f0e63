"""The chatplan (mod_sms): conditions and applications on messages, what stands in a message as data, programs' messages."""
import re
import time
from urllib.parse import unquote

import pytest
import tandem as t
from test_message import say
from wire import Phone

PLAN = """<include>
<context name="public">
  <extension name="reply"><condition field="to" expression="^(5\\d\\d\\d)@">
    <action application="reply" data="$1 says: ${body}"/></condition></extension>
  <extension name="blocked"><condition field="_body" expression="(?i)casino"><action application="block"/></condition></extension>
  <extension name="changed"><condition field="to_user" expression="^1002$">
    <action application="set" data="body=[${from_user}] ${_body}"/>
    <action application="set" data="type=text/html"/>
    <action application="send" data=""/></condition></extension>
  <extension name="redirected"><condition field="to_user" expression="^6001$">
    <action application="set" data="to=1001@${to_host}"/><action application="send" data="sip"/><action application="stop"/>
    <action application="reply" data="not reached"/></condition></extension>
  <extension name="names"><condition field="to_user" expression="^6002$">
    <action application="set" data="${body}=x"/><action application="unset" data="${body}"/><action application="send" data="${body}"/>
    <action application="${body}" data="y"/></condition></extension>
  <extension name="fired"><condition field="to_user" expression="^6003$"><action application="fire"/></condition></extension>
  <extension name="inner"><condition field="to_user" expression="^6004$"><action application="set" data="lab=${body}" inline="true"/></condition>
    <condition field="lab" expression="^a(.*)c$"><action application="reply" data="in: $1"/><anti-action application="reply" data="no"/></condition></extension>
  <extension name="many"><condition field="to_user" expression="^6005$"><action application="set" data="a=b" loop="300"/>
    <action application="reply" data="x"/></condition></extension>
  <extension name="shell"><condition field="to_user" expression="^6006$"><action application="system" data="echo ${body} >FILE"/></condition></extension>
  <extension name="command"><condition field="to_user" expression="^6007$">
    <action application="reply" data="${url_encode(${body})} ${${body}}"/></condition></extension>
</context>
</include>
"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("chatplan") / "instance")
    conf = sw.root / "conf"
    (conf / "chatplan").mkdir(exist_ok=True)
    (conf / "chatplan/tests.xml").write_text(PLAN.replace("FILE", str(sw.root / "said")))
    main = (conf / "freeswitch.xml").read_text()
    if "chatplan/*.xml" not in main:
        main = main.replace('<section name="chatplan" description="messages">', '<section name="chatplan">\n<X-PRE-PROCESS cmd="include" data="chatplan/*.xml"/>')
    (conf / "freeswitch.xml").write_text(main)
    modules = conf / "autoload_configs/modules.conf.xml"
    if "mod_sms" not in modules.read_text():
        modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_sms"/></modules>'))
    profile = conf / "sip_profiles/internal.xml"
    assert 'name="context" value="' in profile.read_text()
    profile.write_text(re.sub('name="context" value="[^"]*"', 'name="context" value="public"', profile.read_text())
                       .replace("<settings>", '<settings><param name="message-rate-per-sender" value="1000"/>', 1))
    switch = conf / "autoload_configs/switch.conf.xml"
    switch.write_text(switch.read_text().replace('name="system-commands" value="false"', 'name="system-commands" value="true"'))
    sw.start()
    yield sw
    sw.stop()


@pytest.fixture
def phones(sw):
    a, b, c = (Phone(sw, u) for u in ("1000", "1001", "1002"))
    for p in (a, b, c):
        p.register()
    yield a, b, c
    for p in (a, b, c):
        p.close()


def got(p):
    m = p.expect(method="MESSAGE")
    p.reply(m, 200, "OK")
    return m


def test_what_the_plan_does_not_name_goes_on(sw, phones):
    a, b, _ = phones
    assert say(a, "1001@127.0.0.1", "plain").code == 202
    assert got(b).body == "plain"
    assert "GLOBAL_SMS,mod_sms" in sw.api("show chat")


def test_reply(sw, phones):
    a, b, _ = phones
    assert say(a, "5123@127.0.0.1", "hi ivr").code == 202
    m = got(a)
    assert m.body == "5123 says: hi ivr" and "sip:5123@127.0.0.1" in m.get("From")
    b.expect_nothing("MESSAGE", 0.2)


def test_block(sw, phones):
    a, b, _ = phones
    assert say(a, "1001@127.0.0.1", "the CASINO is open").code == 202
    b.expect_nothing("MESSAGE", 0.4)


def test_set_and_send(sw, phones):
    a, b, c = phones
    say(a, "1002@127.0.0.1", "x")
    m = got(c)
    assert m.body == "[1000] x" and m.get("Content-Type") == "text/html"
    c.expect_nothing("MESSAGE", 0.2)
    say(a, "6001@127.0.0.1", "to another")
    assert got(b).body == "to another"
    a.expect_nothing("MESSAGE", 0.2)


def test_inline_and_anti_action(sw, phones):
    a = phones[0]
    say(a, "6004@127.0.0.1", "abbbc")
    assert got(a).body == "in: bbb"
    say(a, "6004@127.0.0.1", "zzz")
    assert got(a).body == "no"


@pytest.mark.parametrize("text", ["${domain}", "$${domain}", "${system(id)}", "$1", "${status()}", "to=1001@127.0.0.1", "\\${x}", "a'b`id`$(id);|&<>"])
def test_text_is_data(sw, phones, text):
    """In what is answered it stands as it was written."""
    a = phones[0]
    say(a, "5000@127.0.0.1", text)
    assert got(a).body == f"5000 says: {text}"
    say(a, "6007@127.0.0.1", text)
    assert unquote(got(a).body) == text + " "


@pytest.mark.parametrize("text", ["dest_proto", "sip", "reply", "to", "system", "body"])
def test_names_from_outside_are_none(sw, phones, text):
    a, b, _ = phones
    assert say(a, "6002@127.0.0.1", text).code == 202
    for p in (a, b):
        p.expect_nothing("MESSAGE", 0.15)


def test_shell(sw, phones):
    """One argument, whatever it holds."""
    a = phones[0]
    say(a, "6006@127.0.0.1", "x; touch evil $(id) `id` 'q' \"d\"")
    sw.wait_log("Executing command: echo")
    end = time.monotonic() + 5
    while not (sw.root / "said").exists() or not (sw.root / "said").read_text():
        assert time.monotonic() < end
    assert (sw.root / "said").read_text() == "x; touch evil $(id) `id` 'q' \"d\"\n"


def test_fire(sw, phones):
    a = phones[0]
    events = sw.esl()
    events.subscribe("MESSAGE")
    say(a, "6003@127.0.0.1", "told")
    e = events.wait_event("MESSAGE")
    assert e["to_user"] == "6003" and e["max_forwards"] == "70" and "Nonblocking-Delivery" not in e
    events.close()


def test_applications_of_one_message_are_bounded(sw, phones):
    a = phones[0]
    say(a, "6005@127.0.0.1", "x")
    a.expect_nothing("MESSAGE", 0.3)
    sw.wait_log("more than 200 applications for one message")


def test_programs_message(sw, phones):
    b = phones[1]
    events, program = sw.esl(), sw.esl()
    events.subscribe("CUSTOM SMS::SEND_MESSAGE SMS::DELIVERY_REPORT")
    program.command("sendevent CUSTOM\nEvent-Subclass: SMS::SEND_MESSAGE\nproto: sip\ndest_proto: sip\nfrom: 1000@127.0.0.1\n"
                    "from_full: sip:1000@127.0.0.1\nto: 1001@127.0.0.1\nsubject: lab\ntype: text/plain\nsip_profile: internal\n"
                    "Content-Length: 5\n\nhello")
    m = got(b)
    assert m.body == "hello" and "sip:1000@127.0.0.1" in m.get("From")
    kinds = [events.wait_event("CUSTOM") for _ in range(3)]
    assert [e["Event-Subclass"] for e in kinds] == ["SMS::SEND_MESSAGE", "SMS::SEND_MESSAGE", "SMS::DELIVERY_REPORT"]
    assert kinds[1]["Nonblocking-Delivery"] == "true" and kinds[2]["Status"] == "Accepted" and kinds[2]["to"] == "1001@127.0.0.1"
    b.expect_nothing("MESSAGE", 0.2)
    events.close()
    program.close()


def test_an_unknown_application_is_told_with_its_line(sw):
    plan = sw.root / "conf/chatplan/wrong.xml"
    plan.write_text('<include>\n<context name="other"><extension name="x"><condition><action application="nosuch"/></condition></extension></context>\n</include>\n')
    try:
        reply = sw.api("config check")
        assert "wrong.xml:2" in reply and "the chatplan has no application 'nosuch'" in reply, reply
    finally:
        plan.unlink()


def test_unloaded_the_plan_is_gone(sw, phones):
    a, b, _ = phones
    sw.api("unload mod_sms")
    try:
        say(a, "1001@127.0.0.1", "casino")
        assert got(b).body == "casino"
    finally:
        sw.api("load mod_sms")
    say(a, "1001@127.0.0.1", "casino")
    b.expect_nothing("MESSAGE", 0.2)
