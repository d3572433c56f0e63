"""Phones that watch: SUBSCRIBE, the NOTIFYs of it, and what is in them; and phones that publish."""
import re
import uuid
import xml.etree.ElementTree as ET

from wire import Phone

TYPES = {"presence": "application/pidf+xml", "dialog": "application/dialog-info+xml", "sla": "application/dialog-info+xml",
         "message-summary": "application/simple-message-summary"}
INFO = "{urn:ietf:params:xml:ns:dialog-info}"
PIDF, DM = "{urn:ietf:params:xml:ns:pidf}", "{urn:ietf:params:xml:ns:pidf:data-model}"


class Subscription:
    """One of a phone's; NOTIFYs are answered 200 unless the test does that itself."""
    def __init__(self, phone, user, event, host=None, expires=300, extra="", code=202):
        self.phone, self.event, self.cseq = phone, event, 0
        self.uri = f"sip:{user}@{host or phone.sw.domain}"
        self.to, self.call_id, self.tag = f"<{self.uri}>", uuid.uuid4().hex, uuid.uuid4().hex[:8]
        self.response = self.ask(expires, extra)
        assert self.response.code == code, self.response
        if code < 300:
            self.to = self.response.get("To")

    def send(self, expires, extra=""):
        self.cseq += 1
        accept = TYPES.get(self.event.split(";")[0])
        self.last = (f"SUBSCRIBE {self.uri} SIP/2.0\nVia: {self.phone.via()}\nMax-Forwards: 70\n"
                     f"From: <sip:{self.phone.user}@{self.phone.sw.domain}>;tag={self.tag}\nTo: {self.to}\nCall-ID: {self.call_id}\n"
                     f"CSeq: {self.cseq} SUBSCRIBE\nContact: {self.phone.contact()}\nEvent: {self.event}\n"
                     + (f"Accept: {accept}\n" if accept else "") + f"Expires: {expires}\n{extra}Content-Length: 0\n\n")
        self.phone.send(self.last)

    def answer(self):
        p = self.phone
        while True:
            for i, m in enumerate(p.queue):
                if m.code and m.get("Call-ID") == self.call_id and m.get("CSeq") == f"{self.cseq} SUBSCRIBE":
                    return p.queue.pop(i)
            p.queue.append(p._read(8))

    def ask(self, expires, extra=""):
        self.send(expires, extra)
        m = self.answer()
        if m.code not in (401, 407):
            return m
        self.send(expires, extra + self.phone.authorization(m, "SUBSCRIBE", self.uri))
        return self.answer()

    def notify(self, reply=200, timeout=8):
        p = self.phone
        while True:
            for i, m in enumerate(p.queue):
                if m.method == "NOTIFY" and m.get("Call-ID") == self.call_id:
                    p.queue.pop(i)
                    if reply:
                        p.reply(m, reply, tag=False)
                    return m
            p.queue.append(p._read(timeout))

    def until(self, is_it, timeout=8):
        """The NOTIFY that is it: those before are of states on the way."""
        for _ in range(50):
            m = self.notify(timeout=timeout)
            if is_it(m):
                return m
        raise AssertionError("it was never told")

    def nothing(self, seconds=0.4):
        try:
            m = self.notify(timeout=seconds)
        except OSError:
            return
        raise AssertionError(f"got {m}\n{m.body}")

    def end(self):
        r = self.ask(0)
        assert r.code == 202, r
        return self.until(lambda m: m.get("Subscription-State").startswith("terminated"))


def subscribe(phone, user, event, **how):
    return Subscription(phone, user, event, **how)


def dialogs(m):
    """[(id, direction, state)] of a dialog-info."""
    root = ET.fromstring(m.body)
    return [(d.get("id"), d.get("direction"), d.find(INFO + "state").text) for d in root.iter(INFO + "dialog")]


def states(m):
    return [d[2] for d in dialogs(m)]


def presence(m):
    """(basic, activity or None, note) of a PIDF."""
    root = ET.fromstring(m.body)
    activity = root.find(f".//{{urn:ietf:params:xml:ns:pidf:rpid}}activities/*")
    return (root.find(f"{PIDF}tuple/{PIDF}status/{PIDF}basic").text, activity.tag.split("}")[1] if activity is not None else None,
            root.find(f".//{DM}note").text)


def pidf(basic, activity="", note=""):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<presence xmlns="urn:ietf:params:xml:ns:pidf" '
            'xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="sip:x@y">'
            f'<tuple id="t1"><status><basic>{basic}</basic></status></tuple><dm:person id="p1"><rpid:activities>{activity}'
            f'</rpid:activities><dm:note>{note}</dm:note></dm:person></presence>\n')


def publish(phone, body="", etag="", expires=300, event="presence", user=None, ctype="application/pidf+xml", host=None):
    uri = f"sip:{user or phone.user}@{host or phone.sw.domain}"
    call_id = uuid.uuid4().hex
    extra = f"Event: {event}\nExpires: {expires}\n" + (f"SIP-If-Match: {etag}\n" if etag else "")

    def ask(more):
        phone.request("PUBLISH", uri, f"<{uri}>", call_id, body, extra + more, ctype=ctype)
        while True:
            for i, m in enumerate(phone.queue):
                if m.code and m.get("Call-ID") == call_id and m.get("CSeq") == f"{phone.cseq} PUBLISH":
                    return phone.queue.pop(i)
            phone.queue.append(phone._read(8))
    m = ask("")
    return ask(phone.authorization(m, "PUBLISH", uri)) if m.code == 407 else m


class Two:
    """1000 calls 1001, scripted; both ends are the test's."""
    def __init__(self, sw, phone, caller="1000", called="1001"):
        self.a, self.b = phone(caller), phone(called)
        self.called = called

    def ring(self):
        self.a.invite(self.called)
        self.req = self.b.expect(method="INVITE")
        self.b.reply(self.req, 180, "Ringing")
        return self

    def answer(self):
        from wire import sdp
        self.b.reply(self.req, 200, "OK", sdp(self.b.rtp_port))
        self.b.expect(method="ACK")
        self.b.enter(self.req)
        self.a.answered()
        return self

    def bye(self):
        self.a.bye()
        bye = self.b.expect(method="BYE")
        self.b.reply(bye, 200, "OK")


__all__ = ["Phone", "Subscription", "Two", "dialogs", "pidf", "presence", "publish", "re", "states", "subscribe"]
