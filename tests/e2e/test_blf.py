"""Lamps of extensions: the dialog event package (RFC 4235) from idle to the end of a call, held, several calls, lots."""
import re

from watch import Two, dialogs, states, subscribe


def version(m):
    return int(re.search(r'version="(\d+)"', m.body).group(1))


def test_a_call_from_both_sides(sw, phone):
    w, v = phone("1002"), phone("1003")
    of_b, of_a = subscribe(w, "1001", "dialog"), subscribe(v, "1000", "dialog")
    first = of_b.notify()
    assert dialogs(first) == [] and version(first) == 0 and 'state="full"' in first.body
    assert first.get("Subscription-State") == "active;expires=300" and first.get("Event") == "dialog"
    assert states(of_a.notify()) == []
    call = Two(sw, phone).ring()
    ringing = of_b.until(lambda m: states(m) == ["early"])
    uuid, direction, _ = dialogs(ringing)[0]
    assert direction == "recipient"
    assert '<identity display="1001">sip:1001@127.0.0.1</identity>' in ringing.body
    assert '<target uri="sip:**1001@127.0.0.1"/>' in ringing.body and 'pvalue="yes"' in ringing.body
    assert re.search(r'<remote>\s*<identity display="[^"]*">sip:1000@127.0.0.1</identity>', ringing.body)
    assert dialogs(of_a.until(lambda m: states(m)))[0][1:] == ("initiator", "confirmed")  # who calls is busy from the start
    call.answer()
    assert dialogs(of_b.until(lambda m: states(m) == ["confirmed"]))[0] == (uuid, "recipient", "confirmed")
    call.bye()
    over = of_b.until(lambda m: states(m) == ["terminated"])
    assert dialogs(over)[0][0] == uuid and version(over) > version(ringing) and "<local>" not in over.body
    assert of_a.until(lambda m: states(m) == ["terminated"])
    of_b.nothing()
    of_b.end(), of_a.end()


def test_hold_is_shown(sw, phone):
    from wire import sdp
    w = phone("1002")
    of_a = subscribe(w, "1000", "dialog")
    of_a.notify()
    call = Two(sw, phone).ring().answer()
    of_a.until(lambda m: states(m) == ["confirmed"])
    call.a.request("INVITE", body=sdp(call.a.rtp_port, direction="sendonly", version=2))
    ok = call.a.expect(200)
    call.a.request("ACK", cseq=int(ok.get("CSeq").split()[0]))
    held = of_a.until(lambda m: 'pvalue="no"' in m.body)
    assert states(held) == ["early"]  # presence-hold-state
    call.bye()
    of_a.until(lambda m: states(m) == ["terminated"])
    of_a.end()


def test_two_calls_are_both_told(sw, phone):
    w = phone("1002")
    of_b = subscribe(w, "1001", "dialog")
    of_b.notify()
    call = Two(sw, phone).ring().answer()
    other = phone("1003")
    other.invite("1001")
    req = call.b.expect(method="INVITE")
    call.b.reply(req, 180, "Ringing")
    both = of_b.until(lambda m: len(states(m)) == 2)
    assert sorted(states(both)) == ["confirmed", "early"]
    other.cancel()
    cancel = call.b.expect(method="CANCEL")
    call.b.reply(cancel, 200, "OK")
    call.b.reply(req, 487, "Request Terminated")
    one = of_b.until(lambda m: "terminated" in states(m))
    assert sorted(states(one)) == ["confirmed", "terminated"]
    call.bye()
    assert of_b.until(lambda m: "confirmed" not in states(m))
    of_b.end()


def test_who_subscribes_late_hears_of_the_call(sw, phone):
    call = Two(sw, phone).ring().answer()
    w = phone("1002")
    late = subscribe(w, "1001", "dialog")
    assert states(late.notify()) == ["confirmed"]
    once = subscribe(w, "1001", "dialog", expires=0)  # a look: one NOTIFY and no subscription
    seen = once.notify()
    assert states(seen) == ["confirmed"] and seen.get("Subscription-State") == "terminated;reason=timeout"
    call.bye()
    late.until(lambda m: states(m) == ["terminated"])
    late.end()


def test_what_events_carry_of_it(sw, phone):
    """presence_data, and the variables of presence_data_cols."""
    b, esl = phone("1001"), sw.esl()
    esl.subscribe("CHANNEL_ANSWER")
    sw.api("bgapi originate {presence_data=desk,presence_data_cols=team:floor,team=red,floor=3}user/1001 &park")
    b.take()
    e = esl.wait_event("CHANNEL_ANSWER")
    assert [e[k] for k in ("Channel-Presence-Data", "Presence-Data-Cols", "PD-team", "PD-floor")] == ["desk", "team:floor", "red", "3"]
    sw.api("hupall")
    b.reply(b.expect(method="BYE"), 200)
    esl.close()


def test_details_for_who_takes_a_call_over(sw, phone):
    call = Two(sw, phone).ring()
    w = phone("1002")
    s = subscribe(w, "1001", "dialog;include-session-description")
    m = s.notify()
    got = re.search(r'<dialog id="[^"]+" call-id="([^"]+)"(.*?) direction', m.body)
    assert got and got.group(1) == call.req.get("Call-ID"), m.body
    call.answer()
    m = s.until(lambda m: states(m) == ["confirmed"])
    # seen from 1001's phone, whose dialog with us it is: its own tag is ours to find at the far end
    assert f'remote-tag="{re.search("tag=([^;]+)", call.req.get("From")).group(1)}"' in m.body
    assert f'local-tag="{call.b.tag}"' in m.body
    call.bye()
    s.end()


def test_a_watcher_that_answers_late_hears_the_latest(sw, phone):
    """One NOTIFY at a time: what happened meanwhile comes in the next one, as it then is."""
    w, call = phone("1002"), Two(sw, phone)
    s = subscribe(w, "1001", "dialog")
    s.notify()
    call.ring()
    early = s.notify(reply=None)
    assert states(early) == ["early"]
    call.answer()
    w.reply(early, 200, tag=False)
    last = s.until(lambda m: states(m) == ["confirmed"])
    assert version(last) == version(early) + 1
    call.bye()
    s.until(lambda m: states(m) == ["terminated"])
    s.end()


def test_lots_rooms_and_queues_are_lamps(sw, phone):
    w = phone("1002")
    lot = subscribe(w, "park+5900", "dialog")
    empty = lot.notify()
    assert dialogs(empty) == [("5900", "recipient", "terminated")] and 'entity="sip:park+5900@127.0.0.1"' in empty.body
    esl = sw.esl()
    head = "sendevent PRESENCE_IN\nproto: park\nlogin: 5900\nfrom: 5900@127.0.0.1\nforce-status: Active (1 caller)\nunique-id: 5900\n"
    esl.command(head + "answer-state: confirmed\nchannel-state: CS_ROUTING\npresence-call-direction: inbound")
    taken = lot.until(lambda m: states(m) == ["confirmed"])
    assert '<target uri="sip:park+5900@127.0.0.1"/>' in taken.body
    esl.command(head + "answer-state: terminated\nchannel-state: CS_HANGUP\npresence-call-direction: inbound")
    assert lot.until(lambda m: states(m) == ["terminated"])
    room = subscribe(w, "conf+3000", "dialog")
    assert dialogs(room.notify()) == [("3000", "initiator", "terminated")]
    room.end(), lot.end(), esl.close()


def test_a_parked_call_lights_its_lot(sw, phone):
    w, a = phone("1002"), phone("1000")
    lot, slot = subscribe(w, "park+lamps", "dialog"), subscribe(w, "park+6001", "dialog")
    lot.notify(), slot.notify()
    sw.api("bgapi originate {valet_hold_music=silence_stream://-1}user/1000 '&valet_park(lamps 6001)'")
    a.take()
    assert states(lot.until(lambda m: states(m) == ["confirmed"])) == ["confirmed"]
    assert dialogs(slot.until(lambda m: states(m) == ["confirmed"]))[0] == ("6001", "initiator", "confirmed")
    a.own_request("BYE")
    a.expect(200)
    lot.until(lambda m: states(m) == ["terminated"]), slot.until(lambda m: states(m) == ["terminated"])
    lot.end(), slot.end()


def test_more_calls_than_a_datagram_holds(sw, phone):
    """A line that a flood calls: the lamp is told that it is busy, by as many calls as fit, and goes on."""
    ids = ["&" * 110 + f"-{i}" for i in range(150)]

    def tell(state):
        for i in ids:
            answer, _ = esl.command(f"sendevent PRESENCE_IN\nproto: sip\nfrom: 1009@127.0.0.1\nunique-id: {i}\nanswer-state: {state}")
            assert answer["Reply-Text"].startswith("+OK")
    w, esl = phone("1002"), sw.esl()
    tell("confirmed")
    s = subscribe(w, "1009", "dialog")
    m = s.notify()
    assert 10 < len(dialogs(m)) < len(ids) and len(m.body) < 20000 and m.get("Subscription-State").startswith("active")
    tell("terminated")
    s.until(lambda m: "confirmed" not in states(m))
    s.end(), esl.close()
