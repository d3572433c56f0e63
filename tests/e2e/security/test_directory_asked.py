"""A program that answers for the directory puts the name it was asked for into a dial string and a variable: what a caller wrote runs nothing
by it."""
import pytest
from calls import extension, write_extensions
from trunk import Trunk, add_profile

import tandem as t

RUN = "${global_setvar(hit=1)}"
SCRIPT = """
local user, domain = params:getHeader("user") or "", params:getHeader("domain") or ""
user = user:gsub("&", "&amp;"):gsub("<", "&lt;"):gsub('"', "&quot;")
XML_STRING = '<document type="freeswitch/xml"><section name="directory"><domain name="' .. domain .. '"><user id="' .. user .. '"><params>' ..
    '<param name="dial-string" value="[x=' .. user .. ']loopback/7999/default"/></params><variables><variable name="v" value="' .. user ..
    '"/></variables></user></domain></section></document>'
"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("directory_asked") / "instance")
    s.at = add_profile(s, "plain")
    (s.root / "scripts").mkdir(exist_ok=True)
    (s.root / "scripts/directory.lua").write_text(SCRIPT)
    (s.root / "conf/autoload_configs/lua.conf.xml").write_text(
        '<configuration name="lua.conf"><settings><param name="xml-handler-script" value="directory.lua"/><param name="xml-handler-bindings" '
        'value="directory"/></settings></configuration>')
    write_extensions(s, [extension("7995", "bridge user/${caller_id_name}@program.example"),
                         extension("7996", "set_user ${caller_id_name}@program.example", "eval ${v}", "set_global seen=${v}", "respond 486"),
                         extension("7999", "set_global seen=rung", "respond 486")])
    s.start()
    s.api("global_setvar hit=no")
    yield s
    s.stop()


@pytest.mark.parametrize("number", ["7995", "7996"])
@pytest.mark.parametrize("name", [RUN, f"a,y={RUN}", "o-brien.1+2"])
def test_who_is_asked_for(sw, phone, number, name):
    sw.api("global_setvar seen=no")
    a = phone("ext", register=False, kind=Trunk, at=sw.at)
    a.frm = f'"{name}" <sip:ext@127.0.0.1>'
    a.invite(number)
    assert a.final().code >= 400
    assert sw.api("global_getvar hit") == "no"
    assert name[0] in "$a" or sw.api("global_getvar seen") == (name if number == "7996" else "rung")
