"""The phone of the web console in Chromium, with a fake microphone: it calls and is called, with sound both ways; holds, sends keys, is transferred,
joins two calls; a supervisor listens, whispers and barges in from it. Screenshots are kept in build/screenshots."""
import hashlib
import re

import numpy as np
import pytest
import web_console
from browser_sound import hears_beeps
from calls import accept, ended, extension, is_pair, talks, write_extensions
from http_client import Door

import tandem as t

ROW = ".table-line"
CALL = ".phone-calls li"


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    folder = web_console.built()
    s = t.Tandem(tmp_path_factory.mktemp("console") / "instance")
    s.ws_port = t.free_port()
    web_console.roles_write(s)
    web_console.console_dir_write(s, folder)
    web_console.phone_write(s)
    write_extensions(s, [extension("9781", "answer", "park"), *(extension(n, f"bridge user/{n}") for n in ("1001", "1004", "1005"))])
    s.start()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def browser(sw, tmp_path_factory):
    p = web_console.Page(sw, tmp_path_factory.mktemp("browser") / "page")
    p.sign_in("1001", sw.passwords["1001"])
    p.wait(at=".live:not(.off)")
    p.click(at="button[name=phone]")
    p.click(at="button[name=phone-on]")
    p.wait(at="[data-phone=on]")
    yield p
    p.close()


@pytest.fixture
def page(browser, sw):
    yield browser
    sw.api("hupall")
    sw.wait_calls(0)
    browser.wait(at=CALL, state="detached")
    assert not browser.problems()


def dial(page, number):
    page.fill(at="input[name=phone-number]", text=number)
    page.click(at="button[name=phone-call]")


def test_it_calls(sw, page, phone):
    """Sound both ways; hold, mute and keys; how it sounds is shown."""
    b = phone("1004", hz=1000)
    assert page.axe() == []
    dial(page, "1004")
    invite = b.expect(method="INVITE")
    assert "RTP/AVP" in invite.body and "fingerprint" not in invite.body
    b.reply(invite, 180, "Ringing")
    page.wait(at=f"{CALL}[data-state=rings]:has-text('1004')")
    accept(b, invite)
    page.wait(at=f"{CALL}[data-state=active]")
    hears_beeps(b.talk)
    page.hears(hz=1000)
    page.wait(at=f"{ROW}:has-text('1001'):has-text('1004'):has-text('active')")
    page.wait(at=".quality[data-quality=good]")
    assert page.axe() == []
    page.shot_keep("phone")
    page.click(at="button[name=hold]")
    page.wait(at=f"{CALL}[data-state=held]")
    page.click(at="button[name=hold]")
    page.wait(at=f"{CALL}[data-state=active]")
    page.hears(hz=1000)
    esl = sw.esl()
    esl.command("event plain DTMF")
    page.click(at="button[name=keys]")
    page.click(at="[data-key='5']")
    assert esl.wait_event("DTMF")["DTMF-Digit"] == "5"
    esl.close()
    page.click(at="button[name=keys]")
    page.click(at="button[name=hang-up]")
    ended(b)


def test_it_is_called(sw, page, phone):
    a = phone("1004", hz=1000)
    a.invite("1001")
    page.wait(at=f"{CALL}[data-state=ringing]:has-text('1004')")
    page.shot_keep("phone-rings")
    assert page.axe() == []
    page.click(at="button[name=answer]")
    a.answered()
    talks(a)
    hears_beeps(a.talk)
    page.hears(hz=1000)
    a.bye()
    page.wait(at=CALL, state="detached")
    a.invite("1001")
    page.wait(at=f"{CALL}[data-state=ringing]")
    page.click(at="button[name=hang-up]")
    a.expect(486)


def test_it_transfers(sw, page, phone):
    a, b = phone("1004", hz=600), phone("1005", hz=700)
    dial(page, "1004")
    accept(a, a.expect(method="INVITE"))
    page.wait(at=f"{CALL}[data-state=active]")
    page.click(at="button[name=transfer]")
    page.fill(at="input[name=transfer-to]", text="1005")
    page.click(at=f"{CALL} form button:not([name])")
    accept(b, b.expect(method="INVITE"))
    is_pair(a, b)
    page.wait(at=CALL, state="detached")
    a.bye()
    ended(b)


def test_it_joins_two_calls(sw, page, phone):
    """The first is held while the second is spoken on; then the two have each other."""
    a, b = phone("1004", hz=600), phone("1005", hz=700)
    dial(page, "1004")
    accept(a, a.expect(method="INVITE"))
    page.wait(at=f"{CALL}[data-state=active]:has-text('1004')")
    dial(page, "1005")
    page.wait(at=f"{CALL}[data-state=held]:has-text('1004')")
    accept(b, b.expect(method="INVITE"))
    page.wait(at=f"{CALL}[data-state=active]:has-text('1005')")
    page.hears(hz=700)
    page.shot_keep("phone-two-calls")
    page.click(at=f"{CALL}:has-text('1005') button[name=transfer]")
    page.click(at="button[name=join]")
    page.wait(at=CALL, state="detached")
    is_pair(a, b)


def test_click_to_dial_is_its_call(sw, page, phone):
    """The number is called at once; no other phone of ours rings first."""
    b = phone("1004", hz=1000)
    page.fill(at="input[name=dial]", text="1004")
    page.press(key="Enter")
    accept(b, b.expect(method="INVITE"))
    page.wait(at=f"{CALL}[data-state=active]")
    page.hears(hz=1000)


def loudest(p):
    with p.talk.lock:
        return max((np.sqrt(np.mean(x.astype(float) ** 2)) for _, _, x in p.talk.got), default=0)


@pytest.mark.parametrize("how", ["Listen", "Whisper", "Barge in"])
def test_a_supervisor(sw, page, phone, how):
    """He asks for it, so his phone answers by itself; he is heard by none, by our side only, by both."""
    page.wait(at="text=No calls.")  # the row of the test before is not taken for ours
    a, b = phone("1004", hz=0), phone("1005", hz=1000 if how == "Listen" else 0)
    a.invite("1005")
    b.take(ring=False)
    a.answered()
    talks(a, b)
    page.wait(at=f"{ROW}:has-text('1005'):has-text('active')")
    page.click(at=f"{ROW}:has-text('1005') button:has-text('{how}')")
    page.wait(at=f"{CALL}[data-state=active]")
    if how == "Listen":
        page.hears(hz=1000)
    else:
        hears_beeps(b.talk)
    if how == "Barge in":
        hears_beeps(a.talk)
    elif how == "Whisper":
        assert loudest(a) < 100
    else:
        assert loudest(b) < 100


def test_a_call_without_the_word_rings(sw, page):
    """Only what this page asked for is answered by itself; and a name is text."""
    sw.api("bgapi originate {sip_h_X-Tandem-Console=guess,origination_caller_id_name='<img src=x onerror=pwned>'}user/1001 &park")
    page.wait(at=f"{CALL}[data-state=ringing]:has-text('onerror')")
    assert page.count(at="img") == 0
    assert page.count(at="button[name=answer]") == 1


def test_who_may_have_it(sw):
    """The sum of a password is told to its owner only, and not to who signed in with another one."""
    boss = web_console.Session(sw, "1001")
    got = boss.get("/v1/phone")
    a1 = hashlib.md5(f"1001:{sw.domain}:{sw.passwords['1001']}".encode()).hexdigest()
    assert got == {"urls": [f"ws://127.0.0.1:{sw.ws_port}"], "user": "1001", "domain": sw.domain, "name": got["name"], "a1": a1}
    assert web_console.Session(sw, "1003").call("GET", "/v1/phone")[0] == 403  # read-only
    assert Door(sw).call("GET", "/v1/phone")[0] == 403  # a token has no phone
    p = sw.root / "conf/directory/default.xml"
    text = p.read_text()
    for params, status in (('<param name="console-password" value="other"/>', 403), ('<param name="console-password" value="other"/><param name="console-phone" value="true"/>', 200),
                           ('<param name="console-phone" value="false"/>', 403)):
        p.write_text(re.sub(r'(<user id="1002">\s*<params>)', rf"\1{params}", text))
        assert sw.api("reloadxml").startswith("+OK")
        agent = web_console.Session(sw, "1002", password="other" if "other" in params else sw.passwords["1002"])
        assert agent.call("GET", "/v1/phone")[0] == status, params
    p.write_text(text)
    sw.api("reloadxml")


def test_the_policy_names_its_address(sw):
    policy = Door(sw, "").call("GET", "/")[1]["Content-Security-Policy"]
    assert f"connect-src 'self' ws://127.0.0.1:{sw.ws_port};" in policy and "unsafe" not in policy
