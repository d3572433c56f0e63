"""The phone of the web console in Chromium, with a fake microphone: it calls and is called, with sound both ways; holds, sends keys, is transferred,
joins two calls; a supervisor listens, whispers and barges in from it. Screenshots are kept in build/screenshots."""
import pytest
import web_console
from beeps import hears_beeps
from calls import accept, bridged, ended, extension, talks, write_extensions
from http_client import Door
from wire import sdp

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
    assert a.expect(status=486)


def test_it_transfers(sw, page, phone):
    """To a number, and one call to another."""
    a, b = phone("1004", hz=600), phone("1005", hz=700)
    dial(page, "1004")
    accept(a, a.expect(method="INVITE"))
    page.wait(at=f"{CALL}[data-state=active]")
    page.click(at="button[name=transfer]")
    page.fill(at="input[name=transfer-to]", text="1005")
    page.click(at=f"{CALL} form button:not([name])")
    accept(b, b.expect(method="INVITE"))
    a.talk.hears(700)
    b.talk.hears(600)
    page.wait(at=CALL, state="detached")
    a.bye()
    ended(b)
    dial(page, "1004")
    a.talk = None
    accept(a, a.expect(method="INVITE"))
    page.wait(at=f"{CALL}[data-state=active]:has-text('1004')")
    dial(page, "1005")
    held = a.expect(method="INVITE")
    a.reply(held, 200, "OK", sdp(a.rtp_port, direction="recvonly", version=2))
    a.expect(method="ACK")
    page.wait(at=f"{CALL}[data-state=held]:has-text('1004')")
    b.talk = None
    accept(b, b.expect(method="INVITE"))
    page.wait(at=f"{CALL}[data-state=active]:has-text('1005')")
    page.click(at=f"{CALL}:has-text('1005') button[name=transfer]")
    page.click(at="button[name=join]")
    page.wait(at=CALL, state="detached")


def test_click_to_dial_is_its_call(sw, page, phone):
    """The number is called at once; no other phone of ours rings first."""
    b = phone("1004", hz=1000)
    page.fill(at="input[name=dial]", text="1004")
    page.press(key="Enter")
    accept(b, b.expect(method="INVITE"))
    page.wait(at=f"{CALL}[data-state=active]")
    page.hears(hz=1000)


@pytest.mark.parametrize("how,hears", [("Listen", ()), ("Whisper", ("b",)), ("Barge in", ("a", "b"))])
def test_a_supervisor(sw, page, phone, how, hears):
    """He asks for it, so his phone answers by itself; he is heard by none, by our side, by both."""
    a, b = phone("1004", hz=None), phone("1005", hz=None)
    a.invite("1005")
    b.take(ring=False)
    a.answered()
    page.wait(at=f"{ROW}:has-text('1005'):has-text('active')")
    page.click(at=f"{ROW}:has-text('1005') button:has-text('{how}')")
    page.wait(at=f"{CALL}[data-state=active]")


def test_another_page_cannot_have_it_answered(sw, page, phone):
    """A call without the page's word rings."""
    a = phone("1004")
    a.invite("1001")
    page.wait(at=f"{CALL}[data-state=ringing]")
    page.wait(at="button[name=answer]")
