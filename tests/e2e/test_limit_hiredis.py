"""limit with the backend hiredis on a redis-server: counted, bounded, given back at hang-up; two switches on one server; a server that is
stopped, killed, restarted or full of rubbish costs the call that asks its timeout, and no count stays behind."""
import socket
import threading

import pytest
import tandem as t
from calls import call, extension, uuid_of, write_extensions
from servers import redis  # noqa: F401 (a fixture)
from test_store import await_true
from wire import Phone


class Rubbish(threading.Thread):
    """Accepts, and answers whatever is said with what it was given."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.answer, self.sock = answer, socket.create_server(("127.0.0.1", 0))
        self.port, self.ends = self.sock.getsockname()[1], []
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.sock.accept()
                self.ends.append(c)
                c.recv(4096)
                c.sendall(self.answer)
            except OSError:
                return

    def close(self):
        for s in (self.sock, *self.ends):
            s.close()


def profile(name, port, params=""):
    return (f'<profile name="{name}"><connections><connection name="a"><param name="hostname" value="127.0.0.1"/><param name="port" value="{port}"/>'
            f'<param name="password" value="lab"/><param name="timeout_ms" value="500"/></connection></connections><params>{params}</params></profile>')


def switch(folder, redis, more=""):
    s = t.Tandem(folder)
    conf = s.root / "conf/autoload_configs"
    (conf / "hiredis.conf.xml").write_text(
        '<configuration name="hiredis.conf"><profiles>' + profile("default", redis.port, '<param name="delete-when-zero" value="true"/>')
        + profile("lenient", redis.port, '<param name="ignore-connect-fail" value="true"/>') + more + "</profiles></configuration>")
    modules = conf / "modules.conf.xml"
    modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_hiredis"/></modules>', 1))
    write_extensions(s, [
        extension("9800", "limit hiredis default calls 2 !USER_BUSY", "answer", "park"),
        extension("9801", "limit hiredis default calls 2", "answer", "park"),
        extension("limit_exceeded", "set went=exceeded", "answer", "park"),
        extension("9802", "limit hiredis default rate 2/3600 !USER_BUSY", "answer", "park"),
        extension("9803", "limit hiredis lenient calls 2 !USER_BUSY", "answer", "park"),
        extension("9804", "limit hiredis nosuch calls 2 !USER_BUSY", "answer", "park"),
        extension("9805", "limit hiredis default calls 2", "limit hiredis default calls 2", "limit hiredis default other 2", "answer", "park"),
        extension("9806", "limit_execute hiredis default inner 1 playback silence_stream://-1", "answer", "park"),
        *(extension(f"981{i}", f"limit hiredis rubbish{i} calls 2 !USER_BUSY", "answer", "park") for i in range(3)),
    ])
    return s.start()


# no Redis; a bulk of gigabytes; two answers to one question, and arrays without end
RUBBISH = (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$2147483647\r\n" + b"x" * 100000, b"+OK\r\n*2\r\n$1\r\n1\r\n$1\r\n1\r\n:9\r\n" + b"*65000\r\n" * 30)


@pytest.fixture(scope="module")
def sw(tmp_path_factory, redis):
    liars = [Rubbish(answer) for answer in RUBBISH]
    s = switch(tmp_path_factory.mktemp("limit") / "instance", redis, "".join(profile(f"rubbish{i}", x.port) for i, x in enumerate(liars)))
    yield s
    s.stop()
    for x in liars:
        x.close()


def count(sw, key="calls"):
    return sw.api(f"hiredis_raw default get {key}")


def usage(sw, key="calls"):
    return sw.api(f"limit_usage hiredis default {key}")


def refused(phone, number):
    phone.invite(number)
    phone.ack_failure(phone.expect(486))


def test_counted_and_given_back(sw, phone):
    a, b, c = phone("1000"), phone("1001"), phone("1002")
    call(a, "9800")
    assert sw.api(f"uuid_getvar {uuid_of(sw, '1000')} limit_usage") == "1" and usage(sw) == "1"
    call(b, "9800")
    assert usage(sw) == count(sw) == "2"
    refused(c, "9800")
    assert count(sw) == "2"
    call(c, "9801")  # goes to limit_exceeded
    uuid = uuid_of(sw, "1002")
    assert sw.api(f"uuid_getvar {uuid} went") == "exceeded" and sw.api(f"uuid_getvar {uuid} hiredis_limit_exceeded") == "true"
    a.bye()
    await_true(lambda: count(sw) == "1")
    assert sw.api(f"uuid_limit {uuid} hiredis default calls 2") == "+OK" and usage(sw) == "2"
    assert sw.api(f"uuid_limit_release {uuid} hiredis default calls") == "+OK"
    await_true(lambda: usage(sw) == "1")
    b.bye(), c.bye()
    await_true(lambda: sw.api("hiredis_raw default exists calls") == "0")
    assert usage(sw) == "0"


def test_held_once_and_by_execute(sw, phone):
    a, b = phone("1000"), phone("1001")
    call(a, "9805")
    assert (usage(sw), usage(sw, "other")) == ("1", "1")
    a.bye()
    await_true(lambda: (usage(sw), usage(sw, "other")) == ("0", "0"))
    b.invite("9806")
    await_true(lambda: usage(sw, "inner") == "1")
    sw.api(f"uuid_break {uuid_of(sw, '1001')} all")
    await_true(lambda: usage(sw, "inner") == "0")
    b.answered()
    b.bye()


def test_rate(sw, phone):
    for _ in range(2):
        a = call(phone("1000"), "9802")
        a.bye()
    refused(phone("1001"), "9802")
    keys = sw.api("hiredis_raw default keys rate_*").split()
    assert sum(int(count(sw, k)) for k in keys) == 3 and all(0 < int(sw.api(f"hiredis_raw default ttl {k}")) <= 3600 for k in keys)


def test_what_is_not_for_it(sw, phone):
    refused(phone("1000"), "9804")
    sw.wait_log("hiredis.conf has no profile 'nosuch'")
    assert sw.api("limit_reset hiredis") == "-ERR" and sw.api("limit_status hiredis") == "-ERR not supported"
    assert sw.api("limit_interval_reset hiredis default calls") == "-ERR" and sw.api("limit_usage hiredis nosuch calls") == "-1"
    assert sw.api("hiredis_raw default subscribe a") == "-ERR that command is not for a connection that all share\n"


def test_two_switches(sw, phone, tmp_path, redis):
    other = switch(tmp_path / "other", redis)
    try:
        a = call(phone("1000"), "9800")
        b = Phone(other, "1001")
        b.register()
        call(b, "9800")
        assert usage(sw) == usage(other) == "2"
        refused(phone("1002"), "9800")
        b.close()
    finally:
        other.stop()  # its calls end, and what they held is given back
    await_true(lambda: usage(sw) == "1")
    a.bye()
    await_true(lambda: usage(sw) == "0")


def test_stopped_server(sw, redis, phone):
    """What it had been sent while it was stopped is not counted afterwards; what ended meanwhile is given back."""
    a, b, c, d = phone("1000"), phone("1001"), phone("1002"), phone("1003")
    call(a, "9800")
    redis.stall()
    try:
        for x in (b, c):
            refused(x, "9800")
        call(d, "9803")
        sw.wait_log("let through, not counted")
        a.bye(), d.bye()
        sw.wait_calls(0)
        assert usage(sw) == "-1"
    finally:
        redis.stall(False)
    await_true(lambda: usage(sw) == "0", 20)
    e = call(phone("1001"), "9800")
    assert usage(sw) == "1"
    e.bye()
    await_true(lambda: usage(sw) == "0")


def test_killed_and_restarted_server(sw, redis, phone):
    a, b = phone("1000"), phone("1001")
    call(a, "9800")
    redis.stop()
    refused(b, "9800")
    redis.start()  # it has forgotten
    await_true(lambda: usage(sw) == "0", 20)
    call(b, "9800")
    a.bye()
    b.bye()
    sw.wait_calls(0)
    await_true(lambda: usage(sw) == "0", 20)


@pytest.mark.parametrize("i", range(len(RUBBISH)))
def test_rubbish(sw, phone, i):
    refused(phone("1000"), f"981{i}")
    assert sw.api(f"limit_usage hiredis rubbish{i} calls") == "-1"
    phone("1001")
    assert "slow handler redis" not in sw.log_text
