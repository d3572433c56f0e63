"""Several media threads: their number is a setting, calls are spread over them, and legs that come to be joined move together while
they talk: every packet arrives once, in one sequence."""
import collections
import json
import random
import select
import struct
import threading
import time

import pytest
from calls import call, extension, talks, uuid_of, write_extensions

THREADS, PHONES, ROUNDS = 3, 12, 5
USERS = [str(1000 + i) for i in range(PHONES)]


def threads_set(sw, text):
    p = sw.root / "conf/autoload_configs/switch.conf.xml"
    old = '<param name="media-threads" value="auto"/>'
    assert old in p.read_text()
    p.write_text(p.read_text().replace(old, f'<param name="media-threads" value="{text}"/>'))


def media_rows(sw):
    return [{k: int(v) for k, v in r.items()} for r in json.loads(sw.api("show media as json"))["rows"]]


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    import tandem as t
    s = t.Tandem(tmp_path_factory.mktemp("threads") / "instance")
    threads_set(s, str(THREADS))
    write_extensions(s, [extension("7401", "set park_after_bridge=true", "answer", "park"),
                         extension("7402", "answer", "sleep 200", "eavesdrop ${who}")])
    s.start()
    yield s
    s.stop()


class Traffic:
    """Every phone says numbered frames, 50 a second, and keeps what arrives: (sequence number, timestamp, SSRC, who, number)."""

    def __init__(self, phones):
        self.phones = phones
        self.got = {p.user: [] for p in phones}
        self.sent = 0
        self.lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _say(self):
        for i, p in enumerate(self.phones):
            head = struct.pack("!BBHII", 0x80, 0, self.sent & 65535, self.sent * 160 & 0xffffffff, 100 + i)
            body = struct.pack("!HI", i, self.sent) + b"\x55" * 154
            p.media.sendto(head + body, ("127.0.0.1", p.remote_rtp))
        self.sent += 1

    def _run(self):
        by_socket = {p.media: p.user for p in self.phones}
        for s in by_socket:
            s.setblocking(False)
        due = time.monotonic()
        while not self._stop.is_set():
            if due <= time.monotonic():
                self._say()
                due += 0.02
            for s in select.select(list(by_socket), [], [], max(0, due - time.monotonic()))[0]:
                try:
                    p = s.recv(2000)
                except BlockingIOError:
                    continue
                if p[1] & 127 == 0:
                    with self.lock:
                        self.got[by_socket[s]].append((*struct.unpack("!HII", p[2:12]), *struct.unpack("!HI", p[12:18])))

    def stop(self):
        self._stop.set()
        self._thread.join()

    def mark(self):
        with self.lock:
            return {user: len(got) for user, got in self.got.items()}

    def wait(self, user, since, who, count):
        """Until user heard count frames of who after that mark."""
        deadline = time.monotonic() + 20
        while True:
            with self.lock:
                n = sum(1 for g in self.got[user][since[user]:] if g[3] == who)
            if n >= count:
                return
            assert time.monotonic() < deadline, f"{user} hears {n} frames of {who}"
            time.sleep(0.02)


def check_heard(got):
    """One sequence, nothing twice, and of each talker's stretch no frame is missing."""
    assert len({g[2] for g in got}) == 1
    for (seq, ts, _, who, number), (seq2, ts2, _, who2, number2) in zip(got, got[1:]):
        assert (seq2 - seq) & 65535 == 1, (seq, seq2)
        assert 0 < (ts2 - ts) & 0xffffffff < 8000 * 60, (ts, ts2)
        if who == who2:
            assert number2 == number + 1 or number2 > number + 5, (who, number, number2)  # longer: it was bridged to others between
    return collections.Counter(g[3] for g in got)


def park_all(sw, phone):
    phones = [phone(u) for u in USERS]
    for p in phones:
        call(p, "7401")
    return phones


def test_setting_and_spread(sw, phone):
    assert len(media_rows(sw)) == THREADS
    assert [r["streams"] for r in media_rows(sw)] == [0] * THREADS
    park_all(sw, phone)
    assert [r["streams"] for r in media_rows(sw)] == [PHONES // THREADS] * THREADS
    assert sum("commands" in r["ring"] and r["ring"] != "media commands held back" for r in json.loads(sw.api("show rings as json"))["rows"]) == THREADS


def test_bridged_again_and_again(sw, phone):
    """All phones talk all the time; in each round other pairs are bridged, most of them across threads."""
    phones = park_all(sw, phone)
    uuids = {p.user: uuid_of(sw, p.user) for p in phones}
    t = Traffic(phones)
    rng = random.Random(9)
    before = sum(r["moved_in"] for r in media_rows(sw))
    try:
        for _ in range(ROUNDS):
            order = list(range(PHONES))
            rng.shuffle(order)
            pairs = list(zip(order[::2], order[1::2]))
            since = t.mark()
            for a, b in pairs:
                assert sw.api(f"uuid_bridge {uuids[USERS[a]]} {uuids[USERS[b]]}").startswith("+OK")
            for a, b in pairs:
                t.wait(USERS[a], since, b, 15)
                t.wait(USERS[b], since, a, 15)
    finally:
        t.stop()
    for user in USERS:
        assert len(check_heard(t.got[user])) >= 2
    assert sum(r["moved_in"] for r in media_rows(sw)) - before >= ROUNDS
    rows = media_rows(sw)
    assert sum(r["streams"] for r in rows) == PHONES and all(r["packets_in"] > 100 for r in rows if r["streams"])


def test_hung_up_on_the_way(sw, phone):
    """Legs end at the moment in which they move; nothing is left of them."""
    phones = park_all(sw, phone)
    uuids = [uuid_of(sw, u) for u in USERS]
    t = Traffic(phones)
    esl = sw.esl()
    try:
        for a, b in zip(uuids[::2], uuids[1::2]):
            esl.sock.sendall(f"api uuid_bridge {a} {b}\n\napi uuid_kill {b}\n\napi uuid_bridge {a} {uuids[0]}\n\napi uuid_kill {a}\n\n".encode())
            for _ in range(4):
                esl._reply()
        sw.wait_calls(0)
    finally:
        t.stop()
        esl.close()
    deadline = time.monotonic() + 10
    while any(r["streams"] for r in media_rows(sw)):
        assert time.monotonic() < deadline, media_rows(sw)
        time.sleep(0.02)


def test_listening_across_threads(sw, phone):
    """A call keeps its thread and its packets while somebody from another thread comes, listens and goes."""
    a, b = phone("1000", 450), phone("1001", 700)
    for p in (a, b):
        call(p, "7401")
    assert sw.api(f"uuid_bridge {uuid_of(sw, '1000')} {uuid_of(sw, '1001')}").startswith("+OK")
    talks(a, b)
    a.talk.hears(700)
    sw.api(f"global_setvar who={uuid_of(sw, '1000')}")
    for _ in range(3):
        moved = sum(r["moved_in"] for r in media_rows(sw))
        c = phone("1002", 1000)  # gets an emptier thread than theirs
        call(c, "7402")
        talks(c)
        c.talk.hears(450, 700)
        a.talk.hears(700, absent=(450, 1000))
        assert sum(r["moved_in"] for r in media_rows(sw)) == moved + 1
        c.bye()
        c.talk.stop()
        sw.wait_calls(2)


def test_a_number_that_is_none(fresh):
    threads_set(fresh, "many")
    fresh.start()
    assert 1 <= len(media_rows(fresh)) <= 64
    fresh.stop()
    assert 'media-threads is "auto" or 1 to 64, not "many"' in fresh.console() + fresh.log_text
