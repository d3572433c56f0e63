"""mod_verto: browsers over JSON-RPC and WebSocket, their media by a WebRTC peer. The exchanges are those recorded of FreeSWITCH."""
import asyncio
import json
import queue
import socket
import ssl
import subprocess
import threading
import time
import uuid

import pytest
import tandem as t
import websockets
from calls import accept, extension, originate, talks, write_extensions
from ice_peer import IcePeer
from rtc_peer import RtcPeer
from test_ice import FRAGMENT, offer, talk
from wire import sdp

pytestmark = pytest.mark.leaks

CONF = """<configuration name="verto.conf"><settings><param name="detach-timeout-sec" value="2"/></settings><profiles><profile name="main">
<param name="bind-local" value="127.0.0.1:{ws}"/><param name="bind-local" value="127.0.0.1:{wss}" secure="true"/><param name="secure-combined" value="{pem}"/>
<param name="force-register-domain" value="127.0.0.1"/><param name="rtp-ip" value="127.0.0.1"/><param name="userauth" value="true"/>
<param name="apply-candidate-acl" value="loopback.auto"/><param name="inbound-codec-string" value="opus,PCMU"/><param name="outbound-codec-string" value="PCMU,opus"/>
</profile></profiles></configuration>"""
USER = ('<param name="jsonrpc-allowed-methods" value="verto,fsapi"/><param name="jsonrpc-allowed-event-channels" value="demo,lab.chan"/>'
        '<param name="jsonrpc-allowed-fsapi" value="status"/>')


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("verto") / "instance", "conf")
    s.ws, s.wss = t.free_port(), t.free_port()
    conf = s.root / "conf/autoload_configs"
    pem = tmp_path_factory.mktemp("pem") / "wss.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650", "-subj", "/CN=127.0.0.1",
                    "-keyout", pem, "-out", str(pem) + ".crt"], check=True, capture_output=True)
    pem.write_text(pem.read_text() + open(str(pem) + ".crt").read())
    (conf / "verto.conf.xml").write_text(CONF.format(ws=s.ws, wss=s.wss, pem=pem))
    modules = conf / "modules.conf.xml"
    modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_verto"/></modules>'))
    user = s.root / "conf/directory/default.xml"
    text = user.read_text()
    for name in ("1009", "1010"):
        at = text.index("<params>", text.index(f'<user id="{name}">')) + len("<params>")
        text = text[:at] + USER + text[at:]
    user.write_text(text)
    write_extensions(s, [
        extension("9780", "answer", "echo"),
        extension("9781", "answer", "park"),
        extension("9100", "set ringback=%(1000,1000,440)", "bridge user/1000"),
        extension("9101", "bridge verto.rtc/1010@127.0.0.1"),
        extension("9739", "answer", "conference vc1@live"),
        extension("9740", "answer", "conference vc1@live+flags{moderator}"),
        extension("777", "hangup UNALLOCATED_NUMBER"),
    ])
    rooms = conf / "conference.conf.xml"
    rooms.write_text(rooms.read_text().replace("</profiles>", '<profile name="live"><param name="domain" value="127.0.0.1"/><param name="rate" value="8000"/>'
                                               '<param name="conference-flags" value="livearray-sync|livearray-json-status"/></profile></profiles>'))
    s.start()
    yield s
    s.stop()


class Client:
    """A page: sends, and keeps what comes; answers our requests as verto.js does."""

    def __init__(self, sw, secure=False):
        self.sw, self.events, self.replies, self.next = sw, queue.Queue(), {}, 1
        self.sessid = str(uuid.uuid4())
        self.loop = asyncio.new_event_loop()
        self.is_open, self.code = threading.Event(), None
        self.new = threading.Condition()
        url = f"wss://127.0.0.1:{sw.wss}/" if secure else f"ws://127.0.0.1:{sw.ws}/"
        self.url, self.secure = url, secure
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self._run(),), daemon=True)
        self.thread.start()
        assert self.is_open.wait(10)

    async def _run(self):
        context = None
        if self.secure:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            self.ws = await websockets.connect(self.url, ssl=context, max_size=None)
            self.is_open.set()
            async for text in self.ws:
                m = json.loads(text)
                if isinstance(m, dict) and "method" in m:
                    await self.ws.send(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": {"method": m["method"]}}))
                    self.events.put(m)
                else:
                    with self.new:
                        self.replies[m.get("id") if isinstance(m, dict) else "array"] = m
                        self.new.notify_all()
        except websockets.ConnectionClosed:
            pass
        finally:
            self.code = getattr(getattr(self, "ws", None), "close_code", None)
            with self.new:
                self.new.notify_all()

    def raw(self, text):
        asyncio.run_coroutine_threadsafe(self.ws.send(text), self.loop).result(10)

    def wait(self, key):
        with self.new:
            assert self.new.wait_for(lambda: key in self.replies, 10), (key, self.replies)
            return self.replies.pop(key)

    def ask(self, method, sessid=True, **params):
        n = self.next = self.next + 1
        if sessid:
            params["sessid"] = self.sessid
        self.raw(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": n}))
        m = self.wait(n)
        return m.get("result") or m["error"]

    def event(self, method, timeout=10):
        end = time.monotonic() + timeout
        while True:
            m = self.events.get(timeout=max(0.01, end - time.monotonic()))
            if m["method"] == method:
                return m["params"]

    def login(self, user="1009", password=None):
        return self.ask("login", login=f"{user}@127.0.0.1", passwd=password or self.sw.passwords[user], loginParams={}, userVariables={"lab_uv": "1"})

    def dialog(self, call, to="x", **more):
        return {"callID": call, "caller_id_name": "Verto Lab", "caller_id_number": "1009", "destination_number": to, "login": "1009@127.0.0.1",
                "remote_caller_id_name": "Outbound Call", "remote_caller_id_number": to, "userVariables": {"x": "1", "y": "${hupall()}"}, **more}

    def call(self, to, peer, **more):
        c = str(uuid.uuid4())
        assert self.ask("verto.invite", sdp=peer.offer(), dialogParams=self.dialog(c, to, **more)) == {"message": "CALL CREATED", "callID": c, "sessid": self.sessid}
        return c

    def close(self):
        asyncio.run_coroutine_threadsafe(self.ws.close(), self.loop)
        self.thread.join(10)


@pytest.fixture
def client(sw):
    made = []

    def make(user="1009", **kw):
        c = Client(sw, **kw)
        made.append(c)
        if user:
            assert c.login(user) == {"message": "logged in", "sessid": c.sessid}
            assert c.event("verto.clientReady") == {"reattached_sessions": []}
        return c
    yield make
    for c in made:
        c.close()
    sw.api("hupall")
    sw.wait_calls(0)


@pytest.fixture
def peer():
    made = []

    def make(hz=440, codec="opus"):
        made.append(RtcPeer(hz, codec))
        return made[-1]
    yield make
    for p in made:
        p.close()


# ---- login
def test_login(sw, client):
    c = client(None)
    assert c.ask("verto.invite") == {"code": -32000, "message": "Authentication Required"}
    assert c.ask("login", login="1009@127.0.0.1", passwd="bad") == {"code": -32001, "message": "Authentication Failure"}
    assert c.ask("login", login="8888@127.0.0.1", passwd="bad") == {"code": -32001, "message": "Login Incorrect"}
    assert c.ask("login", login="1009@127.0.0.1") == {"code": -32001, "message": "Missing passwd"}
    assert c.login() == {"message": "logged in", "sessid": c.sessid} == c.login()
    assert c.event("verto.clientReady") == {"reattached_sessions": []}
    assert c.login("1010") == {"code": -32001, "message": "Authentication Failure"}  # a connection is one user's
    none = {"code": -32601, "message": "Invalid Method, Missing Method or Permission Denied"}
    for method in ("echo", "jsapi", "nosuch.method", "verto.nosuch", "verto.clientReady"):
        assert c.ask(method, command="status", cmd="version") == none, method
    assert c.ask("fsapi", cmd="hupall") == none and "UP " in c.ask("fsapi", cmd="status")["message"]
    c.raw("this is not json")
    assert c.wait(None) == {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": None}
    c.raw('{"jsonrpc":"1.0","method":"echo","params":{},"id":100}')
    assert c.wait(100) == {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid message"}, "id": 100}
    c.raw("#SPU 10")
    assert f"main::1009@127.0.0.1\t client\t" in sw.api("verto status") and "1 profile , 1 client" in sw.api("verto status")
    assert "<state>CONN_REG (WS)</state>" in sw.api("verto xmlstatus")
    assert sw.api("verto_contact 1009@127.0.0.1") == f"verto.rtc/u:{c.sessid}" and sw.api("verto_contact 8888").startswith("error/")


def test_a_session_is_its_users(sw, client, peer):
    """Who knows another's session id gets neither his calls nor his events."""
    a = client()
    call = a.call("9781", peer())
    a.event("verto.answer")
    b = client(None)
    b.sessid = a.sessid
    got = b.login("1010")
    assert got["message"] == "logged in" and got["sessid"] != a.sessid
    b.sessid = got["sessid"]
    assert b.ask("verto.bye", dialogParams=b.dialog(call))["message"] == "CALL DOES NOT EXIST"
    a.close()  # and when the connection is gone, its calls wait for him alone
    c = client(None)
    c.sessid = a.sessid
    assert c.login("1010")["message"] == "logged in" and c.event("verto.clientReady") == {"reattached_sessions": []}
    assert call in sw.api("show channels")


# ---- calls
def test_call_and_media(sw, client, peer):
    c, p = client(), peer(440)
    call = c.call("9780", p)
    p.accept(c.event("verto.answer")["sdp"])
    p.hears(440)
    dump = sw.api(f"uuid_dump {call}")
    for line in ("Channel-Name: verto.rtc/9780", "Caller-Username: 1009%40127.0.0.1", "Caller-Caller-ID-Name: Verto%20Lab", "Caller-Source: mod_verto",
                 "variable_verto_user: 1009%40127.0.0.1", "variable_presence_id: 1009%40127.0.0.1", "variable_verto_dvar_x: 1", "variable_verto_svar_lab_uv: 1",
                 "Channel-Read-Codec-Name: opus"):
        assert line in dump, line
    d = c.dialog(call)
    assert c.ask("verto.modify", action="hold", dialogParams=d) == {"callID": call, "action": "hold", "holdState": "held", "sessid": c.sessid}
    assert c.ask("verto.modify", action="toggleHold", dialogParams=d)["holdState"] == "active"
    assert c.ask("verto.modify", action="nosuch", dialogParams=d)["holdState"] == "active"
    assert c.ask("verto.modify", action="transfer", destination="9197", dialogParams=d) == {
        "callID": call, "action": "transfer", "message": "call is not bridged", "code": -32002}
    esl = sw.esl()
    esl.command("event plain DTMF")
    assert c.ask("verto.info", dtmf="5", dialogParams=d) == {"message": "SENT", "sessid": c.sessid}
    assert esl.wait_event("DTMF")["DTMF-Digit"] == "5"
    esl.close()
    assert c.ask("verto.bye", cause="NORMAL_CLEARING", causeCode=16, dialogParams=d) == {
        "callID": call, "message": "CALL ENDED", "causeCode": 16, "cause": "NORMAL_CLEARING", "sessid": c.sessid}
    sw.wait_calls(0)
    assert c.ask("verto.bye", dialogParams=d) == {"callID": call, "message": "CALL DOES NOT EXIST", "code": -32002}


def test_invites_that_are_none(client):
    c = client()
    bad = c.ask("verto.invite", dialogParams=c.dialog(str(uuid.uuid4()), "9780"))
    assert bad["cause"] == "INVALID_MSG_UNSPECIFIED" and bad["message"] == "CALL ERROR" and bad["code"] == -32002
    for params in ({"sdp": "v=0"}, {"sdp": "v=0", "dialogParams": c.dialog("../../x")}, {"sdp": "v=0", "dialogParams": []},
                   {"sdp": "no sdp", "dialogParams": c.dialog(str(uuid.uuid4()))}):
        assert c.ask("verto.invite", **params)["message"] == "CALL ERROR", params


def test_a_number_nobody_has(client, peer):
    c = client()
    call = c.call("777", peer())
    assert c.event("verto.bye") == {"callID": call, "causeCode": 1, "cause": "UNALLOCATED_NUMBER"}


def test_a_telephone_and_a_page(sw, client, phone, peer):
    """The page calls a telephone: early media, the answer, both heard, a display; the telephone goes to another extension."""
    a = phone("1000", 700)
    c, p = client(), peer(440)
    call = c.call("9100", p)
    invite = a.expect(method="INVITE")
    a.reply(invite, 180, "Ringing")
    p.accept(c.event("verto.media")["sdp"])
    accept(a, invite)
    assert "sdp" not in c.event("verto.answer")
    a.talk.hears(440)
    p.hears(700)
    assert c.ask("verto.modify", action="hold", dialogParams=c.dialog(call))["holdState"] == "held"
    assert c.ask("verto.modify", action="unhold", dialogParams=c.dialog(call))["holdState"] == "active"
    assert c.ask("verto.modify", action="transfer", destination="9781", dialogParams=c.dialog(call))["message"] == "CALL TRANSFERRED"
    assert c.event("verto.bye")["callID"] == call
    a.talk.stop()
    a.talk = None
    a.bye()


def test_a_page_is_called(sw, client, phone, peer):
    c, p = client("1010"), peer(440, "PCMU")
    a = phone("1000", 700)
    a.invite("9101")
    invite = c.event("verto.invite")
    assert invite["caller_id_number"] == "1000" and invite["display_direction"] == "outbound"
    assert c.ask("verto.answer", sdp=p.answer(invite["sdp"]), dialogParams=c.dialog(invite["callID"])) == {"sessid": c.sessid}
    a.answered()
    talks(a)
    a.talk.hears(440)
    p.hears(700)
    a.talk.stop()
    a.talk = None
    a.bye()
    assert c.event("verto.bye") == {"callID": invite["callID"], "causeCode": 16, "cause": "NORMAL_CLEARING"}


def test_a_page_refuses_and_is_gone(sw, client):
    c = client("1010")
    reply = originate(sw, "{originate_timeout=6}verto.rtc/1010@127.0.0.1 &park")
    invite = c.event("verto.invite")
    assert c.ask("verto.bye", cause="USER_BUSY", causeCode=17, dialogParams=c.dialog(invite["callID"]))["cause"] == "USER_BUSY"
    assert reply() == "-ERR USER_BUSY\n"
    assert sw.api("originate verto.rtc/8888@127.0.0.1 &park") == "-ERR USER_NOT_REGISTERED\n"


def test_who_comes_back_in_time_keeps_his_call(sw, client, peer):
    a = client()
    call = a.call("9781", peer())
    a.event("verto.answer")
    a.close()
    b = client(None)
    b.sessid = a.sessid
    b.login()
    assert b.event("verto.attach")["callID"] == call
    assert b.event("verto.clientReady") == {"reattached_sessions": [call]}
    assert b.ask("verto.bye", dialogParams=b.dialog(call))["message"] == "CALL ENDED"
    sw.wait_calls(0)


def test_a_page_loaded_anew_has_sound_again(sw, client, phone, peer):
    """It answers our offer with media of its own: a new connection, another certificate."""
    a = phone("1000", 700)
    c, p = client(), peer(440)
    call = c.call("9100", p)
    accept(a, a.expect(method="INVITE"))
    p.accept(c.event("verto.answer")["sdp"])
    a.talk.hears(440)
    p.hears(700)
    c.close()
    b, q = client(None), peer(520)
    b.sessid = c.sessid
    assert b.ask("verto.attach", sdp="v=0", dialogParams=b.dialog(call))["message"] == "Authentication Required"
    b.login()
    again = b.event("verto.attach")
    assert again["callID"] == call and again["display_direction"] == "inbound"
    assert b.event("verto.clientReady") == {"reattached_sessions": [call]}
    assert b.ask("verto.attach", dialogParams=b.dialog(call))["message"] == "SDP missing"
    assert b.ask("verto.attach", sdp=q.answer(again["sdp"]), dialogParams=b.dialog(call)) == {"callID": call, "message": "CALL ATTACHED", "sessid": b.sessid}
    q.hears(700)
    a.talk.hears(520)
    assert b.ask("verto.attach", sdp="v=0", dialogParams=b.dialog(call))["code"] == -32002  # it was not offered again
    a.talk.stop()
    a.talk = None
    a.bye()
    assert b.event("verto.bye")["callID"] == call


def updated(c, call, body):
    return c.ask("verto.modify", action="updateMedia", sdp=body, dialogParams=c.dialog(call))


def test_a_page_whose_network_changed(sw, client, phone):
    """updateMedia with another fragment: an ICE restart. The same again is none; what does not fit changes nothing."""
    a, c, call = phone("ext", register=False), client(), str(uuid.uuid4())
    old, new = IcePeer(a, True), IcePeer(a, True)
    c.ask("verto.invite", sdp=offer(a, old), dialogParams=c.dialog(call, "9780"))
    first = c.event("verto.answer")["sdp"]
    old.connect(first)
    talk(a, old, 700)
    a.talk.hears(700)
    assert updated(c, call, sdp(a.rtp_port, formats=(18,), version=2) + IcePeer.attributes(new)) == {
        "callID": call, "action": "updateMedia", "message": "its media fits nothing that is spoken here", "code": -32002}
    assert updated(c, call, "")["message"] == "SDP missing"
    a.talk.hears(700, since=a.talk.mark())
    got = updated(c, call, offer(a, new, version=3))
    assert {k: v for k, v in got.items() if k != "sdp"} == {"callID": call, "action": "updateMedia", "holdState": "active", "sessid": c.sessid}
    assert FRAGMENT.search(got["sdp"]).group(1) != FRAGMENT.search(first).group(1)
    before = new.heard
    new.connect(got["sdp"])
    a.remote_rtp = new.port
    a.talk.hears(700, since=a.talk.mark())
    assert new.heard > before and sw.api(f"uuid_getvar {call} remote_media_port") == str(new.pair()[0].port)
    again = updated(c, call, offer(a, new, version=4))["sdp"]
    assert FRAGMENT.search(again).group(1) == FRAGMENT.search(got["sdp"]).group(1)
    assert "a=recvonly" in updated(c, call, offer(a, new, version=5).replace("a=sendrecv", "a=sendonly"))["sdp"]
    assert "HELD" in sw.api("show channels")
    a.talk.stop()
    a.talk = None
    for x in (old, new):
        x.close()


def test_a_page_with_other_media(sw, client, peer):
    """updateMedia in the place of the answer to our offer: another connection, another certificate."""
    c, p = client(), peer(440)
    call = c.call("9780", p)
    p.accept(c.event("verto.answer")["sdp"])
    p.hears(440)
    c.close()
    b, q = client(None), peer(520)
    b.sessid = c.sessid
    b.login()
    assert b.event("verto.attach")["callID"] == call
    q.accept(updated(b, call, q.offer())["sdp"])
    q.hears(520)
    assert b.ask("verto.attach", sdp="v=0", dialogParams=b.dialog(call))["code"] == -32002  # ours is over
    b.ask("verto.bye", dialogParams=b.dialog(call))
    sw.wait_calls(0)


def test_a_call_that_rings_has_nothing_to_update(sw, client, phone, peer):
    a, c = phone("1000"), client()
    call = c.call("9100", peer(440))
    a.expect(method="INVITE")
    assert updated(c, call, "v=0")["message"] == "the call is not answered"
    c.ask("verto.bye", dialogParams=c.dialog(call))


def test_who_does_not_come_back_is_hung_up(sw, client, peer):
    a = client()
    a.call("9781", peer())
    a.event("verto.answer")
    a.close()
    sw.wait_calls(0)


# ---- channels
def test_a_banned_user(sw, client):
    """He is kept out from there, whatever his password; others are not."""
    conf = sw.root / "conf/autoload_configs/ban.conf.xml"
    stock = conf.read_text()
    conf.write_text(stock.replace("loopback.auto", "127.0.0.99"))
    assert "+OK" in sw.api("reloadxml") and sw.api("ban add 1009@127.0.0.1").startswith("+OK")
    a = client(user=None)
    assert a.login("1009") == {"code": -32001, "message": "Authentication Failure"}
    client("1010")
    assert sw.api("ban remove 1009@127.0.0.1").startswith("+OK")
    client("1009")
    conf.write_text(stock)
    sw.api("reloadxml")


def test_channels(client):
    a, b = client(), client("1010")
    assert a.ask("verto.subscribe", eventChannel=["presence", "lab.chan", "demo.x"]) == {
        "subscribedChannels": ["lab.chan", "demo.x"], "unauthorizedChannels": ["presence"], "sessid": a.sessid}
    assert a.ask("verto.subscribe", eventChannel="FSevent.heartbeat") == {"unauthorizedChannels": ["FSevent.heartbeat"]}
    assert b.ask("verto.broadcast", eventChannel="lab.chan", data={"hello": 1}) == {"sessid": b.sessid}
    assert a.event("verto.event") == {"data": {"hello": 1}, "eventChannel": "lab.chan", "eventSerno": 0, "subscribedChannel": "lab.chan"}
    assert b.ask("verto.broadcast", eventChannel="conference-liveArray.vc1@127.0.0.1", data={})["message"] == "Permission Denied."
    assert a.ask("verto.unsubscribe", eventChannel="lab.chan")["unsubscribedChannels"] == ["lab.chan"]
    assert a.ask("verto.unsubscribe", eventChannel="lab.chan") == {"notSubscribedChannels": ["lab.chan"]}


def test_a_conference_and_its_rows(sw, client, peer):
    c, other = client(), client("1010")
    p = peer()
    call = c.call("9739", p)
    p.accept(c.event("verto.answer")["sdp"])
    joined = c.event("verto.event")
    room = "vc1@127.0.0.1"
    assert joined["pvtData"]["action"] == "conference-liveArray-join" and joined["pvtData"]["laChannel"] == f"conference-liveArray.{room}"
    live = joined["pvtData"]["laChannel"]
    assert other.ask("verto.subscribe", eventChannel=live) == {"unauthorizedChannels": [live]}
    assert c.ask("verto.subscribe", eventChannel=live)["subscribedChannels"] == [live]
    c.ask("verto.broadcast", eventChannel=live, data={"liveArray": {"command": "bootstrap", "context": live, "name": "vc1", "obj": {}}})
    boot = c.event("verto.event")["data"]
    while boot["action"] == "modify":  # who talks is told from the subscription on
        boot = c.event("verto.event")["data"]
    assert boot["action"] == "bootObj" and [r[0] for r in boot["data"]] == [call] and boot["data"][0][1][2] == "Verto Lab"
    sw.api("conference vc1 mute all")
    row = c.event("verto.event")["data"]
    while '"muted":true' not in row["data"][4]:
        row = c.event("verto.event")["data"]
    assert row["action"] == "modify" and row["hashKey"] == call
    chat = f"conference-chat.{room}"
    c.ask("verto.subscribe", eventChannel=chat)
    c.ask("verto.broadcast", eventChannel=chat, data={"action": "send", "type": "message", "message": "hi conf"})
    m = c.event("verto.event")
    while m["eventChannel"] != chat:
        m = c.event("verto.event")
    assert m["data"] == {"direction": "outbound", "message": "hi conf", "fromDisplay": "Verto Lab", "from": "1009@127.0.0.1", "type": "message"}
    c.ask("verto.bye", dialogParams=c.dialog(call))
    m = c.event("verto.event")
    while "pvtData" not in m:
        m = c.event("verto.event")
    assert m["pvtData"]["action"] == "conference-liveArray-part"
    assert c.ask("verto.subscribe", eventChannel=live) == {"unauthorizedChannels": [live]}


def response(c):
    m = c.event("verto.event")
    while m.get("data", {}).get("action") != "response":
        m = c.event("verto.event")
    return m


def test_a_moderator(sw, client, peer):
    """His page commands the room by its own channel; nobody else's does, and it commands nothing else."""
    c, other = client(), client("1010")
    p, q = peer(), peer()
    call, second = c.call("9740", p), other.call("9739", q)
    p.accept(c.event("verto.answer")["sdp"])
    q.accept(other.event("verto.answer")["sdp"])
    mine, theirs = c.event("verto.event")["pvtData"], other.event("verto.event")["pvtData"]
    mod = "conference-mod.vc1@127.0.0.1"
    assert mine["role"] == "moderator" and mine["modChannel"] == mod and theirs["role"] == "participant" and "modChannel" not in theirs
    assert other.ask("verto.subscribe", eventChannel=mod) == {"unauthorizedChannels": [mod]}
    control = {"application": "conf-control", "command": "mute", "id": int(theirs["conferenceMemberID"]), "value": None}
    assert other.ask("verto.broadcast", eventChannel=mod, data=control)["message"] == "Permission Denied."
    assert c.ask("verto.subscribe", eventChannel=mod)["subscribedChannels"] == [mod]
    assert c.ask("verto.broadcast", eventChannel=mod, data=control) == {"sessid": c.sessid}
    n = control["id"]
    assert response(c) == {"data": {"action": "response", "conf-command": f"vc1 mute {n}", "response": f"+OK mute {n}\n"}, "eventChannel": mod, "eventSerno": 0, "subscribedChannel": mod}
    assert "speak" not in next(row for row in sw.api("conference vc1 list").splitlines() if second in row)
    for bad in ({"command": "lock"}, {"command": "say", "value": "hi"}, {"command": "volume_in", "value": "1 kick all"}, {"command": "mute", "id": "all"}, {"command": "mute", "id": -1},
                {"command": "play", "value": "a b"}, {"command": "stop", "value": {"a": 1}}, {"command": "recording", "value": ["start", ["x"]]}):
        c.ask("verto.broadcast", eventChannel=mod, data={**control, **bad})
        assert response(c)["data"] == {"action": "response", "error": "Invalid Command"}, bad
    for value in ("/etc/passwd", "http_cache://http://127.0.0.1/x", "${system(id)}"):
        c.ask("verto.broadcast", eventChannel=mod, data={**control, "command": "play", "value": value})
        assert response(c)["data"]["response"].startswith("-ERR"), value
    c.ask("verto.broadcast", eventChannel=mod, data={**control, "command": "volume_in", "value": "2"})
    assert response(c)["data"]["conf-command"] == f"vc1 volume_in {n} 2"
    c.ask("verto.broadcast", eventChannel=mod, data={**control, "command": "kick"})
    assert other.event("verto.bye")["callID"] == second
    c.ask("verto.bye", dialogParams=c.dialog(call))


def test_text_messages(sw, client):
    """From whom is said by the login, not by the message."""
    a, b = client(), client("1010")
    assert a.ask("verto.info", msg={"from": "1000@127.0.0.1", "to": "1010@127.0.0.1", "body": "hello"}) == {"message": "SENT", "sessid": a.sessid}
    sw.api("chat verto|1000@127.0.0.1|1010@127.0.0.1|from the switch")
    got = b.event("verto.info")["msg"]
    assert got["body"] == "from the switch" and got["to_user"] == "1010"


def test_a_page_writes_to_nobody_outside(sw, client):
    """What a page names as whom it writes to is an address of ours or none: the switch carries nothing to where a page likes."""
    a, door = client(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.bind(("127.0.0.1", 0))
    events = sw.esl()
    events.subscribe("CUSTOM sofia::error")
    at = f"127.0.0.1:{door.getsockname()[1]}"
    for to in (f"x@{at}", f"sip:x@{at}", f"external/x@{at}", f"internal/sip:x@{at}"):
        a.ask("verto.info", msg={"to": to, "body": "hello"})
        assert events.wait_event("CUSTOM", Chat_Send_To=to)
    door.setblocking(False)
    with pytest.raises(BlockingIOError):
        door.recv(2000)
    door.close()
    events.close()


# ---- the door
def test_secure(sw, client):
    c = client(secure=True)
    assert "CONN_REG (WSS)" in sw.api("verto status") and c.sessid in sw.api("verto_contact 1009@127.0.0.1")


def test_what_a_stranger_may_not(sw, client):
    c = client(None)
    c.raw("x" * 300000)
    c.thread.join(10)
    assert c.code == 1009
    d = client(None)
    d.raw("[" * 5000)
    assert d.wait(None)["error"]["message"] == "Invalid Request"
    d.raw(json.dumps([{"jsonrpc": "2.0", "method": "login", "id": n} for n in range(200)]))
    e = client()
    assert e.ask("verto.subscribe", eventChannel="demo")["subscribedChannels"] == ["demo"]  # others are served
