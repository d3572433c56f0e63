"""A stranger opens connections and says nothing: ten thousand of one address, and no phone on TCP, no administrator and
no program gets in any more. The oldest silent ones have to make room, and all of them go soon."""
import socket

import pytest

import tandem as t
from http_client import Door, read_response
from strangers import connect, is_closed, message, params
from wire import Phone


@pytest.fixture
def sw(fresh):
    params(fresh, "sip_profiles/internal.xml", tcp_max_connections_per_address=40, tcp_max_connections=60, tcp_message_timeout=3)
    params(fresh, "autoload_configs/event_socket.conf.xml", max_clients=30, max_clients_per_address=20, first_command_timeout=3)
    text = (fresh.root / "conf/autoload_configs/http.conf.xml").read_text()
    text = text.replace('name="max-connections-per-address" value="200"', 'name="max-connections-per-address" value="20"')
    (fresh.root / "conf/autoload_configs/http.conf.xml").write_text(text.replace('name="max-connections" value="1000"',
                                                                               'name="max-connections" value="30"'))
    return fresh.start()


def test_phones_on_tcp(sw):
    early = Phone(sw, "1001", tcp=True)
    early.register()
    silent = [connect(sw.sip_port) for _ in range(100)]
    late = Phone(sw, "1000", tcp=True)
    assert late.register().code == 200
    assert all(is_closed(s, 2) for s in silent[:50])  # the oldest
    assert not is_closed(silent[-1])
    assert all(is_closed(s, 8) for s in silent)  # and then the others
    early.register()  # on the connection it had
    early.close()
    late.close()


def test_those_of_other_addresses(sw):
    """The bound in all: what makes room is silent, wherever it is from."""
    silent = [connect(sw.sip_port, f"127.0.0.{2 + i % 4}") for i in range(100)]
    phone = Phone(sw, "1000", tcp=True)
    assert phone.register().code == 200
    assert sum(is_closed(s) for s in silent) >= 40
    phone.close()


def test_those_that_say_something_without_logging_in(sw):
    held = []
    for i in range(60):
        s = connect(sw.sip_port)
        s.sendall(message(call_id=f"o{i}"))
        assert b"200 OK" in s.recv(65536)
        held.append(s)
    phone = Phone(sw, "1000", tcp=True)
    assert phone.register().code == 200
    assert is_closed(held[0], 2)
    phone.close()


def test_pings_are_no_message(sw):
    s = connect(sw.sip_port)
    for _ in range(20):
        try:
            s.sendall(b"\r\n\r\n")
        except OSError:
            break
        if is_closed(s, 0.3):
            break
    else:
        raise AssertionError("still open")


def test_event_socket(sw):
    silent = [connect(sw.esl_port) for _ in range(60)]
    e = sw.esl()  # a new login
    assert e.api("status").startswith("UP")
    assert sw.api("status").startswith("UP")  # the old one
    assert is_closed(silent[0], 2)
    assert all(is_closed(s, 8) for s in silent)
    e.close()


def test_event_socket_before_login(sw):
    """A stranger's lines are bounded in size and number; with four kilobytes on each of many connections little is held."""
    s = connect(sw.esl_port)
    s.sendall(b"a" * 5000)
    assert is_closed(s, 15)
    s = connect(sw.esl_port)
    s.sendall(b"status\n\n" * 100)
    got = b""
    while data := s.recv(65536):
        got += data
        if b"Disconnected" in got:
            break
    assert got.count(b"command not found") < 20


def test_http(sw):
    silent = [connect(sw.http_port) for _ in range(60)]
    assert Door(sw).call("GET", "/healthz")[0] == 200
    assert is_closed(silent[0], 2)


def test_http_that_spoke(sw):
    """From other addresses, up to the bound in all: who shows a token gets in."""
    held = []
    for i in range(30):
        s = connect(sw.http_port, f"127.0.0.{2 + i % 3}")
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_response(s)[0] == 200
        held.append(s)
    assert Door(sw).call("GET", "/v1/status")[0] == 200


def test_refusals_are_counted_and_told_once(sw):
    silent = [connect(sw.sip_port) for _ in range(100)]
    assert is_closed(silent[0], 2)
    text = Door(sw).call("GET", "/metrics")[2].decode()
    row = [l for l in text.split("\n") if l.startswith("tandem_sip_refused_total") and 'why="made room"' in l and "internal" in l]
    assert float(row[0].rsplit(" ", 1)[1]) >= 50
    sw.wait_log("SIP over TCP: a connection of 127.0.0.1 is closed")
    assert sw.log_text.count("SIP over TCP: a connection of 127.0.0.1") == 1


def test_an_office_behind_one_address(fresh):
    """The defaults: 500 phones with two connections each, silent ones beside them."""
    fresh.start()
    held = []
    for i in range(1000):
        s = connect(fresh.sip_port)
        s.sendall(message(call_id=f"p{i}"))
        held.append(s)
    for s in held:
        s.settimeout(10)
        assert b"200 OK" in s.recv(65536)
    silent = [connect(fresh.sip_port) for _ in range(900)]
    assert not any(is_closed(s) for s in held)
    for s in held + silent:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
    assert t.Esl(fresh.esl_port, fresh.esl_password).api("status").startswith("UP")
