"""A header, name or number of an unauthenticated caller holds ${command(...)} in some disguise, and the dialplan copies it with set. When
the copy is expanded once more, the command runs with the rights of the configuration."""
import pytest
import tandem as t
from hostile import Sink

RUN = "{global_setvar(hit=yes)}"
# actions; what the caller writes in his header, his name, and X-B (User-Agent too)
ROWS = {
    "quote": (["set foo=${sip_h_X-A}"], "$\\'" + RUN, "", ""),
    "plain": (["set foo=${sip_h_X-A}", "eval ${foo}"], "$" + RUN, "", ""),
    "backslash": (["set foo=${sip_h_X-A}", "set bar=${foo}", "eval ${bar}"], "\\\\$\\\\" + RUN, "", ""),
    "escaped dollar": (["set foo=${sip_h_X-A}", "set bar=${foo}"], "\\$" + RUN, "", ""),
    "display name": (["set bar=${caller_id_name}", "eval ${bar}"], "", "$\\'" + RUN, ""),
    "side by side": (["set foo=${sip_h_X-A}${sip_h_X-B}", "eval ${foo}"], "$", "", RUN),
    "behind a dollar of ours": (["set foo=$${sip_h_X-A}", "eval ${foo}", "eval $${sip_h_X-A}"], RUN, "", ""),
    "part": (["set foo=${sip_h_X-A:1}", "eval ${foo}", "eval ${sip_h_X-A:1:40}"], "x$" + RUN, "", ""),
    "from the end": (["set foo=${sip_h_X-A:-25}", "eval ${foo}"], "x$" + RUN, "", ""),
    "array": (["push foo=a", "push foo=${sip_h_X-A}", "set bar=${foo[1]}", "eval ${bar}"], "$\\'" + RUN, "", ""),
    "array of his": (["set bar=${sip_h_X-A[1]}", "eval ${bar}"], "ARRAY::a|:$\\'" + RUN, "", ""),
    "for one application": (["%[foo='${sip_h_X-A}']eval ${foo}", "%[foo=1]set bar=${sip_h_X-A}"], "$\\'" + RUN, "", ""),
    "capture": (["set foo=$1", "eval ${foo}", "eval ${DP_MATCH[1]}"], "$\\'" + RUN, "", ""),
    "default value": (["set foo=${cond('${sip_h_X-A}' == '' ? none : ${sip_h_X-A})}", "eval ${foo}"], "$" + RUN, "", ""),
    "export": (["export foo=${sip_h_X-A}", "bridge loopback/9000/public"], "$\\'" + RUN, "", ""),
    "global": (["set_global his=${sip_h_X-A}", "set foo=$${his}", "eval ${foo}"], "$\\'" + RUN, "", ""),
    "hash": (["hash insert/r/k/${sip_h_X-A}", "set foo=${hash(select/r/k)}", "eval ${foo}"], "$" + RUN, "", ""),
    "hook": (["set execute_on_answer=set foo=${sip_h_X-A}", "answer"], "$\\'" + RUN, "", ""),
    "hang-up hook": (["set api_hangup_hook=echo ${sip_h_X-A}", "answer"], "$\\'" + RUN, "", ""),
    "phrase": (["answer", "phrase spell,${sip_h_X-A}"], "$" + RUN, "", ""),
    "user agent": (["set foo=${sip_user_agent}", "eval ${foo}"], "", "", "$\\'" + RUN),
}


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("expansion") / "instance")
    xml = []
    for i, (actions, *_) in enumerate(ROWS.values()):
        field = "${sip_h_X-A}" if "set foo=$1" in actions else "destination_number"
        acts = "".join('<action application="%s" data="%s"/>' % (("eval", a.replace("eval ", "").replace("set ", "")) if a.startswith("%") else
                                                                 (a.split(" ")[0], a.partition(" ")[2])) for a in actions)
        xml.append(f'<extension name="{i}"><condition field="destination_number" expression="^{7000 + i}$"/>'
                   f'<condition field="{field}" expression="^(.*)$">{acts}<action application="hangup"/></condition></extension>')
    xml.append('<extension name="b"><condition field="destination_number" expression="^9000$"><action application="eval" data="${foo}"/>'
               '</condition></extension>')
    (s.root / "conf/dialplan/public").mkdir(exist_ok=True)
    (s.root / "conf/dialplan/public/expansion.xml").write_text("<include>" + "\n".join(xml).replace('"$', '"$') + "</include>")
    s.start()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def stranger():
    s = Sink()
    yield s
    s.close()


@pytest.mark.parametrize("row", ROWS)
def test_what_a_caller_writes_is_not_expanded(sw, stranger, row):
    _, header, name, other = ROWS[row]
    sw.api("global_setvar hit=no")
    assert stranger.stranger(sw, "", str(7000 + list(ROWS).index(row)), header, name, other, True)
    sw.wait_calls(0)
    assert sw.api("global_getvar hit") == "no"


def test_it_stays_what_it_is(sw, stranger, parked):
    """The value is not lost or changed on its way: it is data."""
    (sw.root / "conf/dialplan/public/kept.xml").write_text(
        '<include><extension name="kept"><condition field="caller_id_name" expression="^(.*)$"/>'
        '<condition field="destination_number" expression="^7999$"><action application="set" data="foo=a${sip_h_X-A}b"/>'
        '<action application="set" data="bar=${foo}"/><action application="push" data="list=${bar}"/><action application="push" data="list=${sip_h_X-A}"/>'
        '<action application="park"/></condition></extension></include>')
    assert "+OK" in sw.api("reloadxml")
    header = "x, $y {z} 'q' \\ |:[1] %[2]"
    stranger.stranger(sw, "", "7999", header, "n", "o", False)
    var = parked()
    assert [var(n) for n in ("foo", "bar")] == [f"a{header}b"] * 2
    assert var("list") == f"ARRAY::a{header}b|:{header}"
    sw.api("hupall")
