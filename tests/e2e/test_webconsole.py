"""The web console in Chromium: sign in, watch a call, drag it to another phone, click to dial, two languages, who may what, names that
are no markup, many rows, accessibility. Screenshots are kept in build/screenshots."""
import json
import time

import pytest
import web_console
from calls import accept, bridged, ended, extension, is_pair, talks, write_extensions
from http_client import Door
from wire import sdp

import tandem as t

ROW = ".table-line"


class Wire:
    """A socket that says a name in From."""

    def __init__(self, sock, name):
        self.sock, self.name = sock, name.encode()

    def sendall(self, data):
        self.sock.sendall(data.replace(b"From: <", b'From: "' + self.name + b'" <', 1))

    def __getattr__(self, what):
        return getattr(self.sock, what)


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    folder = web_console.built()
    s = t.Tandem(tmp_path_factory.mktemp("console") / "instance")
    web_console.roles_write(s)
    web_console.console_dir_write(s, folder)
    (s.root / "conf/autoload_configs/callcenter.conf.xml").write_text(
        '<configuration name="callcenter.conf"><settings/><queues><queue name="support@default"><param name="strategy" value="longest-idle-agent"/><param name="screen-pop" value="https://crm.example/?tel={number}&amp;who={name}"/></queue></queues>'
        '<agents><agent name="ann" type="callback" contact="user/1005" status="Logged Out"/><agent name="bob" type="callback" contact="{a=b}user/1002" status="Logged Out"/></agents>'
        '<tiers><tier agent="ann" queue="support@default" level="1" position="1"/><tier agent="bob" queue="support@default" level="2" position="1"/></tiers></configuration>')
    write_extensions(s, [extension("9800", "answer", "callcenter support@default")])
    s.start()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def browser(sw, tmp_path_factory):
    p = web_console.Page(sw, tmp_path_factory.mktemp("browser") / "page")
    yield p
    p.close()


@pytest.fixture
def page(browser):
    yield browser
    bad = browser.problems()
    browser.goto(path="/")
    browser.wait(at=".who, input[name=user]")  # it knows who one is
    if browser.count(at=".who"):
        browser.sign_out()
    assert not bad, bad


def user(page, sw, name):
    page.sign_in(name, sw.passwords[name])
    page.wait(at=".live:not(.off)")


def test_signing_in(sw, page):
    page.sign_in("1001", "wrong")
    page.wait(at="[role=alert]")
    assert page.text(at="[role=alert]") == "The name or the password is wrong."
    assert page.axe() == []
    page.shot_keep("sign-in")
    user(page, sw, "1001")
    assert "1001" in page.text(at=".who") and "supervisor" in page.text(at=".who")
    assert page.eval(script="document.cookie") == ""  # no script sees the session


def test_a_call_is_seen_and_dragged(sw, page, phone):
    user(page, sw, "1001")
    a, b, c = phone("1004", hz=600), phone("1005", hz=700), phone("1006", hz=800)
    bridged(a, b, "1005")
    page.wait(at=f"{ROW}:has-text('1004'):has-text('1005'):has-text('active')")
    page.wait(at="li[data-target='1006@127.0.0.1'][data-state=idle]")
    page.wait(at="li[data-target='1005@127.0.0.1'][data-state=busy]")
    page.shot_keep("calls")
    assert page.axe() == []
    page.drag(**{"from": ROW, "to": "li[data-target='1006@127.0.0.1']"})
    invite = c.expect(method="INVITE")
    c.reply(invite, 180, "Ringing")
    page.wait(at="li[data-target='1006@127.0.0.1'][data-state=ringing]")
    page.shot_keep("ringing")
    ended(b)
    accept(c, invite)
    talks(a, c)
    a.talk.hears(800)
    c.talk.hears(600)
    page.wait(at=f"{ROW}:has-text('1006'):has-text('active')")
    page.click(at=f"{ROW} button:has-text('Hold')")
    held = a.expect(method="INVITE")
    a.reply(held, 200, "OK", sdp(a.rtp_port, direction="recvonly", version=2))
    a.expect(method="ACK")
    page.wait(at=f"{ROW}:has-text('on hold')")
    page.click(at=f"{ROW} button:has-text('Take back')")
    a.reply(a.expect(method="INVITE"), 200, "OK", sdp(a.rtp_port, version=3))
    a.expect(method="ACK")
    page.wait(at=f"{ROW}:has-text('active')")
    page.click(at=f"{ROW} a:has-text('SIP')")
    page.wait(at=".ladder-message:has-text('INVITE')")
    assert page.axe() == []
    page.shot_keep("ladder")
    page.click(at=".ladder-message >> nth=0")
    page.wait(at="pre:has-text('INVITE sip:1005@')")
    page.click(at="nav a[href='#/calls']")
    page.click(at=f"{ROW} button:has-text('Hang up')")
    ended(a), ended(c)
    page.wait(at="text=No calls.")


def test_dragged_into_a_queue(sw, page, phone, callcenter):
    user(page, sw, "1001")
    a, b = phone("1004", hz=600), phone("1006", hz=700)
    bridged(a, b, "1006")
    page.wait(at=f"{ROW}:has-text('1006'):has-text('active')")
    page.drag(**{"from": ROW, "to": "li[data-target='queue support@default']"})
    ended(b)
    t.until(lambda: "|1004|" in sw.api("callcenter_config queue list members support@default"))
    a.bye()


def test_parked_and_into_a_conference(sw, page, phone):
    user(page, sw, "1001")
    a, b, c = phone("1004", hz=600), phone("1005", hz=700), phone("1006", hz=800)
    c.invite("3000")
    c.answered()
    talks(c)
    bridged(a, b, "1005")
    page.wait(at=f"{ROW}:has-text('1005'):has-text('active')")
    page.wait(at="li[data-target='slot 6001'][data-state=idle]")
    page.drag(**{"from": f"{ROW}:has-text('1005')", "to": "li[data-target='slot 6001']"})
    ended(b)
    page.wait(at="li[data-target='slot 6001'][data-state=busy]")
    page.wait(at=f"{ROW}:has-text('1004'):has-text('6001')")
    page.drag(**{"from": f"{ROW}:has-text('6001')", "to": "li[data-target='room 3000-127.0.0.1']"})
    page.wait(at="li[data-target='room 3000-127.0.0.1']:has-text('3000 (2)')")
    page.wait(at="li[data-target='slot 6001'][data-state=idle]")
    a.talk.hears(800)
    c.talk.hears(600)
    a.bye(), c.bye()
    page.wait(at="text=No calls.")


def test_keyboard_transfer(sw, page, phone):
    user(page, sw, "1001")
    a, b, c = phone("1004", hz=600), phone("1005", hz=700), phone("1006", hz=800)
    bridged(a, b, "1005")
    page.wait(at=f"{ROW}:has-text('active')")
    page.focus(at=ROW)
    page.press(key="Enter")
    page.wait(at="dialog")
    assert page.axe() == []
    for key in "1006":
        page.press(key=key)
    page.press(key="Enter")
    accept(c, c.expect(method="INVITE"))
    ended(b)
    a.bye()
    ended(c)


def test_click_to_dial_and_listen(sw, page, phone):
    user(page, sw, "1001")
    mine, other = phone("1001", hz=500), phone("1004", hz=900)
    page.fill(at="input[name=dial]", text="1004")
    page.press(key="Enter")
    accept(mine, mine.expect(method="INVITE"))
    accept(other, other.expect(method="INVITE"))
    talks(mine, other)
    mine.talk.hears(900)
    other.talk.hears(500)
    page.wait(at=f"{ROW}:has-text('1004'):has-text('active')")
    mine.bye()
    ended(other)
    page.wait(at="text=No calls.")


def test_listen(sw, page, phone):
    user(page, sw, "1001")
    a, b, spy = phone("1004", hz=600), phone("1005", hz=700), phone("1001")
    bridged(a, b, "1005")
    talks(a, b)
    page.click(at=f"{ROW}:has-text('1005') button:has-text('Listen')")
    accept(spy, spy.expect(method="INVITE"))
    talks(spy)
    spy.talk.hears(600, 700)
    page.click(at=f"{ROW}:has-text('1005') button:has-text('Record')")
    page.wait(at=f"{ROW} button:has-text('Stop recording')")
    page.click(at=f"{ROW} button:has-text('Stop recording')")
    page.wait(at=f"{ROW} button:text-is('Record')")
    assert list((sw.root / "recordings").rglob("console-*.wav"))
    page.click(at="nav a[href='#/recordings']")
    page.click(at=f"{ROW}:has-text('console-') button")
    page.wait(at=".wave canvas:not([data-drawn='0'])")  # its outline
    painted = "(c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 === 3 && v).length / (c.width * c.height))(document.querySelector('.wave canvas'))"
    assert 0.05 < page.eval(script=painted) < 0.95
    assert page.axe() == []
    page.shot_keep("recordings")


def test_names_are_no_markup(sw, page, phone):
    name = "<img src=x onerror='window.pwned=1'>"
    user(page, sw, "1001")
    a = phone("1004")
    a.s = Wire(a.s, name)
    a.invite("9196")
    a.answered()
    page.wait(at=f"{ROW}:has-text('onerror')")
    assert name in page.text(at=ROW)
    assert page.count(at=f"{ROW} img") == 0 and page.eval(script="String(window.pwned)") == "undefined"
    page.goto(path="/#/events")
    page.wait(at=".live:not(.off)")
    a.bye()
    page.wait(at=f"{ROW}:has-text('CHANNEL_HANGUP')")
    assert page.count(at="img") == 0 and page.eval(script="String(window.pwned)") == "undefined"


def test_names_are_no_markup_anywhere(sw, page, phone, callcenter):
    """What a telephone says of itself goes to every page that tells of its call, while it lasts and after."""
    name = "<img src=x onerror='window.pwned=1'>"
    a, b = phone("1004"), phone("1005")
    a.s, b.s = Wire(a.s, name), Wire(b.s, name)
    a.invite("3000")
    a.answered()
    b.invite("9800")
    b.answered()
    user(page, sw, "1000")
    page.wait(at=f"{ROW}:has-text('3000'):has-text('onerror')")
    legs = {r["dest"]: r["uuid"] for r in Door(sw).get("/v1/channels")["rows"]}
    assert sw.api(f"uuid_record {legs['3000']} start {sw.root}/recordings/markup.wav").startswith("+OK")
    for path, what in (("conferences", f"{ROW}:has-text('onerror')"), ("queues", f"{ROW}:has-text('onerror')"), (f"ladder?{legs['3000']}", ".ladder-message:has-text('INVITE')")):
        page.goto(path=f"/#/{path}")
        page.wait(at=what)
        if path.startswith("ladder"):
            page.click(at=".ladder-message >> nth=0")
            page.wait(at="pre:has-text('onerror')")
        assert page.count(at="img") == 0, path
    page.goto(path="/#/events")
    page.wait(at=".live:not(.off)")
    page.fill(at="main input[type=search]", text="onerror")
    a.bye()
    page.wait(at=f"{ROW} b >> text=CHANNEL_")
    b.bye()
    sw.wait_calls(0)
    for path in ("/v1/records", "/v1/recordings"):  # written behind the call; nothing tells of it
        until = time.monotonic() + 15
        while "onerror" not in json.dumps(Door(sw).get(path)):
            assert time.monotonic() < until, path
            time.sleep(0.05)
    for path, what in (("records", f"{ROW}:has-text('onerror')"), ("recordings", f"{ROW}:has-text('onerror')"), (f"ladder?{legs['3000']}", ".ladder-message:has-text('INVITE')")):
        page.goto(path=f"/#/{path}")
        page.wait(at=what)
        assert page.count(at="img") == 0, path
    assert page.eval(script="String(window.pwned)") == "undefined"


def test_what_was_missed_is_replayed(sw, page, phone):
    user(page, sw, "1001")
    asked = "performance.getEntriesByType('resource').filter(e => e.name.endsWith('/v1/channels')).length"
    a, b = phone("1004", hz=600), phone("1005", hz=700)
    a.invite("9196")
    a.answered()
    page.wait(at=f"{ROW}:has-text('9196')")
    before = page.eval(script=asked)
    page.eval(script="window.cut.forEach(s => s.close())")
    page.wait(at=".live.off")
    a.bye()
    b.invite("9664")
    b.answered()
    page.wait(at=".live:not(.off)")
    page.wait(at=f"{ROW}:has-text('9664')")
    page.wait(at=f"{ROW}:has-text('9196')", state="detached")
    assert page.eval(script=asked) == before
    b.bye()


def test_chinese_and_dark(sw, page):
    user(page, sw, "1000")
    page.select(at="select[name=language]", value="zh")
    page.wait(at="nav >> text=语音信箱")
    assert page.eval(script="document.documentElement.lang") == "zh"
    page.select(at="select[name=theme]", value="dark")
    assert page.axe() == []
    page.shot_keep("chinese-dark")
    page.select(at="select[name=theme]", value="auto")
    page.select(at="select[name=language]", value="en")
    page.wait(at="nav >> text=Mailbox")


def test_a_reader_changes_nothing(sw, page, phone):
    user(page, sw, "1003")
    a = phone("1004")
    a.invite("9196")
    a.answered()
    page.wait(at=f"{ROW}:has-text('9196')")
    assert page.count(at=f"{ROW} button") == 0 and page.count(at="nav >> text=Configuration") == 0
    uuid = Door(sw).get("/v1/channels")["rows"][0]["uuid"]
    got = page.eval(script=f"""(async () => {{ const s = await (await fetch('/v1/session')).json();
        const h = {{'X-Tandem-CSRF': s.csrf, 'Content-Type': 'application/json'}};
        return [(await fetch('/v1/channels/{uuid}', {{method: 'DELETE', headers: h}})).status,
                (await fetch('/v1/commands/uuid_kill', {{method: 'POST', headers: h, body: JSON.stringify({{args: '{uuid}'}})}})).status]; }})()""")
    assert got == [403, 403]
    a.expect_nothing("BYE", 0.3)
    a.bye()


def test_every_page(sw, page, phone):
    user(page, sw, "1000")
    for name in ("phones", "gateways", "conferences", "mailbox", "records", "recordings", "explain", "config", "log", "events", "health"):
        page.goto(path=f"/#/{name}")
        page.wait(at=f"nav a[href='#/{name}'][aria-current=page]")
        page.wait(at="main h1")
        if name == "explain":
            page.fill(at="main form label:nth-of-type(1) input", text="9196")
            page.click(at="main form button")
            page.wait(at=".steps li:has-text('default.xml:')")
        if name == "config":
            page.click(at="button:has-text('Check')")
            page.wait(at="pre:has-text('tests.xml:2:'):has-text(\"the application 'callcenter' is of mod_callcenter, which is not loaded\")")  # as it is here
        if name == "health":
            page.wait(at=".plot canvas")
        assert page.axe() == [], name
        page.shot_keep(name)
        assert not page.count(at=".notes .bad"), (name, page.text(at=".notes"))


def test_ten_thousand_rows(sw, page):
    """The list is the test's own: a browser draws only what is in sight."""
    page.rows(path="/v1/channels", count=10000)
    user(page, sw, "1000")
    page.wait(at=f"{ROW}:has-text('100003')")
    assert page.text(at=".count") == "10000" and page.count(at=ROW) < 80
    page.eval(script="document.querySelector('.table-box').scrollTo(0, 1e9)")
    page.wait(at=f"{ROW}:has-text('109999')")
    assert page.count(at=ROW) < 80


@pytest.fixture
def callcenter(sw):
    assert sw.api("load mod_callcenter").startswith("+OK")
    yield
    sw.api("hupall")
    sw.wait_calls(0)
    assert sw.api("unload mod_callcenter").startswith("+OK")


def test_queues(sw, page):
    """Shown while mod_callcenter is loaded."""
    user(page, sw, "1001")
    page.wait(at="nav a[href='#/conferences']")
    assert page.count(at="nav a[href='#/queues']") == 0
    page.sign_out()
    assert sw.api("load mod_callcenter").startswith("+OK")
    user(page, sw, "1001")
    page.click(at="nav a[href='#/queues']")
    page.wait(at=f"{ROW}:has-text('support@default'):has-text('longest-idle-agent')")
    page.wait(at=f"{ROW}:has-text('ann'):has-text('Logged Out')")
    assert page.axe() == []
    page.shot_keep("queues")
    page.goto(path="/#/calls")
    assert sw.api("unload mod_callcenter").startswith("+OK")


def test_the_wallboard_follows(sw, page, phone, callcenter):
    user(page, sw, "1003")
    page.click(at="nav a[href='#/wallboard']")
    card = ".card[data-queue='support']"
    page.wait(at=f"{card} [data-what=waiting]:text-is('0')")
    a, b = phone("1004", hz=600), phone("1005", hz=700)
    a.invite("9800")
    a.answered()
    page.wait(at=f"{card}[data-mood=warn] [data-what=waiting]:text-is('1')")
    assert page.axe() == []
    page.shot_keep("wallboard")
    page.select(at="select[name=language]", value="zh")
    page.wait(at="nav >> text=语音信箱", state="detached")  # a read-only user has none
    page.wait(at=f"{card} [data-what=waiting]:text-is('1')")
    page.shot_keep("wallboard-chinese")
    page.select(at="select[name=language]", value="en")
    assert sw.api("callcenter_config agent set status ann Available").startswith("+OK")
    accept(b, b.expect(method="INVITE"))
    talks(a)
    is_pair(a, b)
    page.wait(at=f"{card} [data-what=talking]:text-is('1')")
    page.wait(at=f"{card} [data-what=waiting]:text-is('0')")
    a.bye()
    ended(b)
    page.wait(at=f"{card} [data-what=answered]:text-is('1')")
    assert sw.api("callcenter_config agent set status ann 'Logged Out'").startswith("+OK")


def test_an_agent_at_his_page(sw, page, phone, callcenter):
    """He makes himself ready, is rung, pauses; he is found by his contact."""
    user(page, sw, "1002")
    page.click(at="nav a[href='#/agent']")
    page.wait(at="[data-status='Logged Out']")
    a, b = phone("1004", hz=600), phone("1002", hz=700)
    a.invite("9800")
    a.answered()
    page.wait(at=f"{ROW}:has-text('support@default'):has-text('1')")
    page.click(at="button[name=available]")
    page.wait(at="[data-status=Available]")
    accept(b, b.expect(method="INVITE"))
    talks(a)
    is_pair(a, b)
    page.wait(at="[data-status=Available]:has-text('in a call')")
    page.wait(at="a[target=_blank][href^='https://crm.example/?tel=1004&who=']")
    assert page.axe() == []
    page.shot_keep("agent")
    a.bye()
    ended(b)
    page.fill(at="input[name=reason]", text="lunch <b>")
    page.click(at="button[name=break]")
    page.wait(at="[data-status='On Break']:has-text('lunch <b>')")
    assert "bob|" in sw.api("callcenter_config agent list") and "|On Break|" in sw.api("callcenter_config agent list")
    page.click(at="button[name=logout]")
    page.wait(at="[data-status='Logged Out']")


def test_campaigns(sw, page):
    """The page against the routes of docs/dialler.md, played by the test; hidden in a switch without the module."""
    user(page, sw, "1001")
    page.wait(at="nav a[href='#/records']")
    assert page.count(at="nav a[href='#/campaigns']") == 0
    page.sign_out()
    bad = "<img src=x onerror='window.pwned=1'>"
    one = {"name": "spring", "mode": "predictive", "state": "stopped", "queue": "support@default", "lines_max": 30, "ringing": 4, "waiting": 0, "talking": 7,
           "agents": {"free": 1, "busy": 7, "wrap": 2}, "numbers": {"new": 900, "retry": 40, "dialling": 4, "done": 310, "due": 12},
           "day": {"dialled": 350, "answered": 140, "abandoned": 3, "abandoned_percent": 2.1}, "abandon_max_percent": 3, "reason": bad}
    page.fake(path="/v1/campaigns", json={"rows": [one], "row_count": 1})
    page.fake(path="/v1/campaigns/spring", json={**one, "explain": "1 agent is free: 3 lines", "status": "ok", "reply": "+OK"})
    page.fake(path="/v1/campaigns/spring/results", json={"rows": [{"id": 1, "number": "13800001", "attempt": 1, "agent": bad, "started_s": 1795757941, "talk_ms": 65000, "result": "answered", "cause": "NORMAL_CLEARING"}]})
    page.fake(path="/v1/campaigns/spring/answers", json={"rows": [{"question": "q1", "answer": "1", "count": 9}]})
    page.fake(path="/v1/campaigns/spring/agents", json={"status": "ok", "reply": "", "rows": [{"name": "ann", "contact": "user/1005", "state": "out", "since_s": 1, "calls": 3, "number": ""}]})
    page.fake(path="/v1/dnc", json={"rows": [{"number": "13900009", "campaign": "", "reason": bad, "added_s": 1795757941}]})
    user(page, sw, "1001")
    page.click(at="nav a[href='#/campaigns']")
    page.wait(at=f"{ROW}:has-text('spring'):has-text('2.1 %')")
    page.click(at=f"{ROW} button:has-text('Start')")
    page.wait(at=".notes p:has-text('Done')")
    assert 'POST {"action":"start"}' in page.asked(path="/v1/campaigns/spring")
    page.wait(at=f"{ROW}:has-text('13800001'):has-text('1:05')")
    page.wait(at=".explain:has-text('1 agent is free')")
    assert page.axe() == []
    page.shot_keep("campaigns")
    page.click(at="button:has-text('Agents')")
    page.click(at=f"{ROW}:has-text('ann') button:has-text('Log in')")
    page.wait(at=".notes p:has-text('Done')")
    assert 'POST {"agent":"ann","action":"login"}' in page.asked(path="/v1/campaigns/spring/agents")
    page.click(at="button:text-is('Do not call') >> nth=0")
    page.wait(at=f"{ROW}:has-text('13900009')")
    assert page.count(at="img") == 0 and page.eval(script="String(window.pwned)") == "undefined"
    page.goto(path="/#/calls")
    page.real()


def test_figures(sw, page, callcenter):
    """The page against the routes of docs/callcenter.md, played by the test."""
    bad = "<img src=x onerror='window.pwned=1'>"
    live = {"queue": "support@default", "open": "true", "waiting": 3, "longest_wait": 75, "answered": 12, "abandoned": 1, "service_level": 91.7}
    page.fake(path="/v1/callcenter/live", json={"row_count": 1, "rows": [live]})
    page.fake(path="/v1/callcenter/agents", json={"row_count": 1, "rows": [{"agent": "ann", "status": "On Break", "reason": bad, "state": "In a queue call", "status_seconds": 65, "talk": 3700}]})
    page.fake(path="/v1/callcenter/agents/ann", json=None, status=204)
    page.fake(path="/v1/callcenter/agents/ann/monitor", json=None, status=204)
    page.fake(path="/v1/callcenter/history", json={"row_count": 1, "rows": [{"hour": 1795757941, "calls": 9, "service_level": 88.9}]})
    user(page, sw, "1001")
    page.click(at="nav a[href='#/figures']")
    page.wait(at=f"{ROW}:has-text('support@default'):has-text('1:15'):has-text('91.7')")
    page.click(at="[data-view=agents]")
    page.wait(at=f"{ROW}:has-text('ann'):has-text('onerror'):has-text('1:01:40')")
    assert page.count(at="img") == 0 and page.eval(script="String(window.pwned)") == "undefined"
    page.click(at=f"{ROW} button:has-text('Ready')")
    page.wait(at=".notes p:has-text('Done')")
    page.click(at=f"{ROW} button:has-text('Whisper')")
    page.wait(at=".notes p:has-text('Whispering')")
    assert page.asked(path="/v1/callcenter/agents/ann") == ['POST {"action":"available"}']
    assert page.asked(path="/v1/callcenter/agents/ann/monitor") == ['POST {"mode":"whisper"}']
    page.click(at="[data-view=history]")
    page.wait(at=f"{ROW}:has-text('88.9')")
    assert page.axe() == []
    page.goto(path="/#/calls")
    page.real()
