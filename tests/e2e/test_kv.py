"""hiredis_raw and memcache against redis-server and memcached; servers that stall and die."""
import time

import pytest
import tandem as t
from calls import call, extension, uuid_of, write_extensions
from servers import Memcached, redis  # noqa: F401 (a fixture)
from web_server import dead_port


@pytest.fixture(scope="module")
def memcached(tmp_path_factory):
    s = Memcached(tmp_path_factory.mktemp("memcached")).start()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, redis, memcached):
    s = t.Tandem(tmp_path_factory.mktemp("kv") / "instance")
    conf = s.root / "conf/autoload_configs"
    (conf / "hiredis.conf.xml").write_text(
        '<configuration name="hiredis.conf"><profiles><profile name="default"><connections><connection name="dead"><param name="hostname" '
        f'value="127.0.0.1"/><param name="port" value="{dead_port()}"/></connection><connection name="primary"><param name="hostname" '
        f'value="127.0.0.1"/><param name="port" value="{redis.port}"/><param name="password" value="lab"/><param name="timeout_ms" '
        'value="500"/></connection></connections></profile></profiles></configuration>')
    (conf / "memcache.conf.xml").write_text('<configuration name="memcache.conf"><settings><param name="memcache-servers" '
                                            f'value="127.0.0.1:{memcached.port}"/></settings></configuration>')
    modules = conf / "modules.conf.xml"
    modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_hiredis"/><load module="mod_memcache"/></modules>', 1))
    write_extensions(s, [extension("9790", "hiredis_raw default set caller ${name}", "hiredis_raw default get caller", "answer", "park"),
                         extension("9791", "hiredis_raw default ${sip_h_X-Word}", "eval ${memcache(${sip_h_X-Word})}", "hiredis_raw ${sip_h_X-Word} ping",
                                   "answer", "park")])
    s.start()
    yield s
    s.stop()


def test_redis(sw, phone):
    assert sw.api("hiredis_raw") == "-USAGE: <profile> <command>\n"
    assert sw.api("hiredis_raw nosuch ping") == "-ERR there is no such profile\n"
    assert sw.api("hiredis_raw default ping") == "PONG"
    assert sw.api("hiredis_raw default set a 'two words'") == "OK" and sw.api("hiredis_raw default get a") == "two words"
    assert sw.api("hiredis_raw default incr n") == "1" and sw.api("hiredis_raw default incr n") == "2"
    assert sw.api("hiredis_raw default mget a n") == "two words\n2"
    assert sw.api("hiredis_raw default nosuch").startswith("-ERR ERR unknown command")
    sw.api("global_setvar name=of%20%s%n")
    a = call(phone("1000"), "9790")
    assert sw.api(f"uuid_getvar {uuid_of(sw, '1000')} hiredis_raw_response") == "of%20%s%n"
    a.bye()


def test_memcache(sw):
    assert sw.api("memcache").startswith("-USAGE: <set|replace|add>")
    assert sw.api("memcache get a") == "-ERR NOT FOUND\n" and sw.api("memcache get a nofail") in ("", "-ERR no reply\n")
    assert sw.api("memcache set a 'b c' 0 5") == "+OK\n" and sw.api("memcache get a") == "b c" and sw.api("memcache getflags a") == "5"
    assert sw.api("memcache add a x").startswith("-ERR") and sw.api("memcache replace a y") == "+OK\n"
    assert sw.api("memcache increment n 3") == "3" and sw.api("memcache increment n") == "4" and sw.api("memcache decrement n 2") == "2"
    assert sw.api("memcache delete a") == "+OK\n" and sw.api("memcache flush") == "+OK\n"
    assert "curr_items" in sw.api("memcache status")


def test_a_caller_names_no_command(sw, phone):
    assert sw.api("hiredis_raw default set kept 1") == "OK" and sw.api("memcache set kept 1") == "+OK\n"
    for word in ("flushall", "flush"):
        a = phone("1000")
        a.invite("9791", extra=f"X-Word: {word}\n")
        a.answered()
        a.bye()
        sw.wait_calls(0)
    assert sw.api("hiredis_raw default get kept") == "1" and sw.api("memcache get kept") == "1"


@pytest.mark.parametrize("fault", ["stalled", "dead"])
def test_servers_that_fail(sw, redis, memcached, phone, fault):
    for s in (redis, memcached):
        s.stall() if fault == "stalled" else s.stop()
    try:
        start = time.monotonic()
        assert sw.api("hiredis_raw default ping").startswith("-ERR") and sw.api("memcache get a").startswith("-ERR")
        assert time.monotonic() - start < 8
        phone("1000")
    finally:
        for s in (redis, memcached):
            s.stall(False) if fault == "stalled" else s.start()
    deadline = time.monotonic() + 10
    while sw.api("hiredis_raw default ping") != "PONG" or sw.api("memcache set a b") != "+OK\n":
        assert time.monotonic() < deadline
        time.sleep(0.1)
