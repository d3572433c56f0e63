"""Registration with SIPp: challenge, wrong password, unknown user, expiry, fetch, removal, TCP, restart."""
import re
import time

import pytest
from sipp import AUTH, Sipp, pause, recv, register, register_as, send
from tandem import free_port


def test_challenge_then_200(switch):
    s = Sipp(switch, register("1000", switch.passwords["1000"]))
    s.wait()
    rows = switch.api("show registrations")
    assert re.search(rf"^1000,127\.0\.0\.1,.*sip:1000@127\.0\.0\.1:{s.port}", rows, re.M), rows


def test_wrong_password_403(switch):
    Sipp(switch, register("1001", "wrong", final=403)).wait()
    assert "1001," not in switch.api("show registrations")


def test_unknown_user_403(switch):
    Sipp(switch, register("4711", "wrong", final=403)).wait()


def test_expires_is_honoured(tandem_vanilla):
    sw = tandem_vanilla
    Sipp(sw, register("1002", sw.passwords["1002"], expires=2)).wait()
    assert "1002," in sw.api("show registrations")
    deadline = time.monotonic() + 20
    while "1002," in sw.api("show registrations"):
        assert time.monotonic() < deadline, "the registration did not expire"
        time.sleep(0.2)


def test_min_expires_423(tandem):
    s = Sipp(tandem, register("1003", tandem.passwords["1003"], expires=10, final=423))
    s.wait()
    assert "Min-Expires: 60" in s.messages()


def test_unregister(switch):
    port = free_port()
    register_as(switch, "1004", port)
    Sipp(switch, register("1004", switch.passwords["1004"], expires=0), port=port).wait()
    assert "1004," not in switch.api("show registrations")


def test_star_removes_all(tandem):
    register_as(tandem, "1005", free_port())
    Sipp(tandem, register("1005", tandem.passwords["1005"], expires=0, contact="*")).wait()
    assert "1005," not in tandem.api("show registrations")


def test_several_contacts_and_fetch(tandem):
    ports = [free_port(), free_port()]
    for p in ports:
        register_as(tandem, "1006", p)
    fetch = [s.replace("Contact: ", "X-None: ").replace("Expires: 300\n", "") if s.startswith("<send") else s
             for s in register("1006", tandem.passwords["1006"])]
    s = Sipp(tandem, fetch)
    s.wait()
    answer = s.messages().rsplit("SIP/2.0 200", 1)[1]
    for p in ports:
        assert f"sip:1006@127.0.0.1:{p}" in answer, answer


def test_over_tcp(switch):
    s = Sipp(switch, register("1007", switch.passwords["1007"]), transport="t1")
    s.wait()
    assert re.search(r"^1007,.*tcp", switch.api("show registrations"), re.M | re.I)


def test_used_up_nonce_is_refused(tandem):
    """The same answer sent a second time (a replay) is challenged again, not accepted."""
    steps = register("1008", tandem.passwords["1008"])
    steps += [send(_last_register_again("1008", tandem.passwords["1008"])), recv(401)]
    Sipp(tandem, steps).wait()


def _last_register_again(user, password):
    # SIPp repeats cnonce and nc with [authentication] of the last challenge: nc 1 again
    return (f"REGISTER sip:127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]\n"
            f"From: <sip:{user}@127.0.0.1>;tag=[call_number]r\nTo: <sip:{user}@127.0.0.1>\nCall-ID: reg-{user}-[call_id]\n"
            f"CSeq: 3 REGISTER\nContact: <sip:{user}@[local_ip]:[local_port]>\nExpires: 300\nMax-Forwards: 70\n"
            + AUTH.format(user=user, password=password) + "Content-Length: 0\n")


def test_passwords_and_registrations_survive_a_restart(fresh):
    fresh.start()
    port = free_port()
    register_as(fresh, "1000", port)
    password = fresh.passwords["1000"]
    fresh.stop()
    fresh.start()
    assert re.search(rf"^1000,.*:{port}", fresh.api("show registrations"), re.M), fresh.api("show registrations")
    Sipp(fresh, register("1000", password)).wait()
    fresh.stop()
