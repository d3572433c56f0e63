"""manual-redirect: the called side's 302 sends the caller where the configuration says; a context that a caller named is refused."""
import pytest
from calls import extension, write_extensions
from trunk import Trunk, add_profile

import tandem as t


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("redirect_place") / "instance")
    s.at = add_profile(s, "plain", manual_redirect="true")
    write_extensions(s, [extension("7990", "export sip_redirect_context=${sip_h_X-Place}", "bridge sofia/plain/svc@127.0.0.1:${sip_h_X-Port}"),
                         extension("7991", "export sip_redirect_context=chosen", "bridge sofia/plain/svc@127.0.0.1:${sip_h_X-Port}")])
    (s.root / "conf/dialplan/more.xml").write_text(
        "<include>" + "".join(f'<context name="{name}">{extension("svc", "respond " + code)}</context>' for name, code in
                              (("secret", "480"), ("chosen", "486"))) + "</include>")
    s.start()
    yield s
    s.stop()


@pytest.mark.parametrize("number,code", [("7990", 410), ("7991", 486)])
def test_who_names_the_context(sw, phone, number, code):
    a, b = phone("ext", register=False, kind=Trunk, at=sw.at), phone("svc", register=False, kind=Trunk, at=sw.at)
    a.invite(number, extra=f"X-Port: {b.port}\nX-Place: secret\n")
    b.reply(b.expect(method="INVITE"), 302, "Moved", extra="Contact: <sip:5@192.0.2.1>\n")
    assert a.final().code == code
    sw.wait_calls(0)
