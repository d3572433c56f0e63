"""Dialplans beside the XML one: lists of them, other files, the inline one, Asterisk's extensions.conf."""
import re

import pytest
import tandem as t
from calls import ended, extension, heard_ms, listen
from phones import write_tone

pytestmark = pytest.mark.leaks
EXTENSIONS_CONF = """; comments begin so
[general]
static=yes

[default]
exten => music,n,Dial(SIP/1001%{host}&SIP/1002%{host}|9)
exten => _55X.,1,set(first=${{EXTEN}})
same => n(label),set(second=${{first}} ${{CHANNEL}})
same => n,answer
same => n,park
exten => 1000/5600,n,answer
exten => 1001/5600,1,hangup(USER_BUSY)
exten => ~^57(\\d)(\\d)$,n,Goto(away|58$2$1)
exten => 5900,n,AvoidingDeadlock
exten => 5900,n,hangup(NORMAL_CLEARING)
{more}
[away]
include => further
[further]
exten => _58.,n,set(first=further)
exten => _58.,n,answer
exten => _58.,n,park
"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("dialplans") / "instance")
    conf = s.root / "conf"
    profile = conf / "sip_profiles/internal.xml"
    text = profile.read_text()
    assert '<param name="dialplan" value="XML"/>' in text
    profile.write_text(text.replace('<param name="dialplan" value="XML"/>', '<param name="dialplan" value="XML,asterisk"/>'))
    modules = conf / "autoload_configs/modules.conf.xml"
    modules.write_text(modules.read_text().replace('<load module="mod_dialplan_xml"/>',
                                                   '<load module="mod_dialplan_xml"/><load module="mod_dialplan_asterisk"/>'))
    tone = s.root / "tone.wav"
    write_tone(tone, 523, seconds=1)
    (conf / "dialplan/default/dp.xml").write_text("\n".join([
        "<include>",
        extension("7201", f"transfer 'answer,set:got=in line,playback:{tone},park' inline"),
        extension("7202", "transfer 'm:^:answer^set:got=a,b:c^park' inline"),
        extension("7203", f"transfer x XML:{s.root}/other.xml elsewhere"),
        extension("7204", f"transfer x asterisk:{s.root}/other.conf elsewhere"),
        extension("7205", "transfer 'set:got=after,answer,park' nosuchdialplan,inline"),
        extension("7206", f"transfer x asterisk:{s.root}/nosuch.conf default"),
        extension("7208", "set x=out", "set %[x=in,z='n,w']y=${x} ${z}", "set %[x=in]x=kept", "execute_extension %[v=deep]inner_scope",
                  "answer", "park"),
        extension("7209", "set a=1", "set b=\\${a}", "set c=a", "set d=${${c}}", "multiset ^^:m1=x y:m2=${a}", "multiset n1=5 n2=6",
                  "export nolocal:only_b=yes", "export both=${a}", "bridge_export late=7", "set cut=${caller_id_number:-2}-${destination_number:1:2}",
                  "set profile=${profile_index} ${screen_bit} ${privacy_hide_name} ${ani_ton} ${nosuch}", "set_profile_var rdnis=42",
                  "set hour=${strftime_tz(Asia/Tokyo 1|%H:%M)}", "push list=p", "push list=q", "set tail=${list[1]}",
                  "set money=\\$5 $1", "bridge user/1001"),
        extension("inner_scope", "set w=${v}"),
        extension("7207", "set sip_profile=internal", "transfer music asterisk"),
        "</include>"]))
    (s.root / "other.xml").write_text('<document><section name="dialplan"><context name="elsewhere"><extension name="o"><condition '
                                      'field="destination_number" expression="^(.*)$"><action application="set" data="got=$1 of a '
                                      'file"/><action application="answer"/><action application="park"/></condition></extension>'
                                      '</context></section></document>')
    (s.root / "other.conf").write_text("[elsewhere]\nexten => x,1,set(got=of a conf)\nexten => x,2,answer\nexten => x,3,park()\n")
    s.write = lambda more="": (conf / "extensions.conf").write_text(EXTENSIONS_CONF.format(host=s.domain, more=more))
    s.write()
    s.start()
    yield s
    s.stop()


@pytest.mark.parametrize("number,got", [("7202", "a,b:c"), ("7203", "x of a file"), ("7204", "of a conf"), ("7205", "after")])
def test_other_dialplans(sw, phone, parked, number, got):
    a = phone("1000")
    a.invite(number)
    a.answered()
    assert parked()("got") == got
    a.bye()


def test_variables_for_one_application(sw, phone, parked):
    """%[..]: there while it runs, and in what it runs; what they hid is back afterwards, what it set itself stays."""
    a = phone("1000")
    a.invite("7208")
    a.answered()
    var = parked()
    assert [var(n) for n in ("y", "x", "z", "w", "v")] == ["in n,w", "kept", "_undef_", "deep", "_undef_"]
    a.bye()


def test_variables(sw, phone):
    """What set, multiset, export and their relatives make of it, here and at the other phone."""
    a, b = phone("1000"), phone("1001")
    events = sw.esl()
    events.subscribe("CHANNEL_BRIDGE")
    a.invite("7209")
    b.take()
    a.answered()
    e = events.wait_event("CHANNEL_BRIDGE")
    events.close()

    def here(*names):
        return [sw.api(f"uuid_getvar {e['Bridge-A-Unique-ID']} {n}") for n in names]

    def there(*names):
        return [sw.api(f"uuid_getvar {e['Bridge-B-Unique-ID']} {n}") for n in names]
    assert here("b", "d") == ["1", "1"]  # the second expansion of set; a name that is expanded itself
    assert here("m1", "m2", "n1", "n2") == ["x y", "1", "5", "6"]
    assert here("only_b", "both", "late", "export_vars") == ["_undef_", "1", "7", "nolocal:only_b,both"]
    assert there("only_b", "both", "late") == ["yes", "1", "7"]
    assert here("cut", "profile", "rdnis", "hour") == ["00-20", "1 true false 0 ", "42", "09:00"]
    assert here("list", "tail", "money") == ["ARRAY::p|:q", "q", "\\$5 $1"]  # nothing to expand: it stays as it is
    a.bye()
    ended(b)


def test_inline_list(sw, phone, parked):
    a = phone("1000")
    a.invite("7201")
    a.answered()
    assert heard_ms(listen(a, 1.2), 523, 4000) > 700
    assert parked()("got") == "in line"
    a.bye()


def test_inline_from_a_command(sw, phone, parked):
    a = phone("1000")
    a.invite("7202")
    a.answered()
    uuid = parked()("uuid")
    assert sw.api(f"uuid_transfer {uuid} 'set:got=again,park' inline") == "+OK\n"
    assert parked()("got") == "again"
    a.bye()


def test_what_xml_has_not_is_in_extensions_conf(sw, phone, parked):
    a = phone("1000")
    a.invite("5512")
    a.answered()
    var = parked()
    assert (var("first"), var("second")) == ("5512", f"5512 {var('channel_name')}")
    assert (var("EXTEN"), var("UNIQUEID")) == ("5512", var("uuid"))
    a.bye()


def test_caller_and_goto(sw, phone, parked):
    """1000/5600 answers 1000 and refuses 1001; the groups of ~regex are in Goto's data; an included context is found."""
    a, b = phone("1000"), phone("1001")
    a.invite("5600")
    a.answered()
    ended(a)
    b.invite("5600")
    b.ack_failure(b.expect(486))
    a.invite("5734")
    a.answered()
    var = parked()
    assert (var("destination_number"), var("context"), var("first")) == ("5843", "away", "further")
    a.bye()


def test_dial(sw, phone):
    """SIP/ is sofia/; '&' rings both; the time is call_timeout."""
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    events = sw.esl()
    events.subscribe("CHANNEL_EXECUTE")
    a.invite("7207")
    calls = [p.expect(method="INVITE") for p in (b, c)]
    for p, req in zip((b, c), calls):
        p.reply(req, 180, "Ringing")
    a.expect(180)
    e = events.wait_event("CHANNEL_EXECUTE", Application="Dial")
    data = sw.api(f"uuid_getvar {e['Unique-ID']} current_application_data")
    assert data == f"SIP/1001%{sw.domain}&SIP/1002%{sw.domain}|9"
    assert sw.api(f"uuid_getvar {e['Unique-ID']} call_timeout") == "9"
    c.reply(calls[1], 200, "OK", "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {c.rtp_port} RTP/AVP 0\r\n")
    c.expect(method="ACK")
    c.enter(calls[1])
    b.reply(b.expect(method="CANCEL"), 200, "OK")
    a.answered()
    a.bye()
    ended(c)
    events.close()


def test_deadlocks_are_avoided(sw, phone):
    a = phone("1000")
    a.invite("5900")
    a.ack_failure(a.expect(480))
    sw.wait_log("Avoiding initial deadlock on channel", count=5)
    assert sw.log_text.count("Avoiding initial deadlock on channel") == 5


def test_no_file(sw, phone):
    a = phone("1000")
    a.invite("7206")
    a.ack_failure(a.expect(502))
    sw.wait_log(re.compile(r"Open of \S+/nosuch.conf failed"))


def test_reload(sw, phone, parked):
    a = phone("1000")
    a.invite("5961")
    a.ack_failure(a.expect(404))
    sw.write("exten => 5961,1,answer\nsame => n,park\nexten => _[5,1,answer\n")
    a.invite("5961")  # only a reload reads it
    a.ack_failure(a.expect(404))
    assert sw.api("reloadxml") == "+OK [Success]\n"
    a.invite("5961")
    a.answered()
    parked()
    a.bye()
    sw.wait_log(re.compile(r"extensions\.conf:\d+:1: the pattern _\[5 does not compile: unclosed set"))
    sw.write()
