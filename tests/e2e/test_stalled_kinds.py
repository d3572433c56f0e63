"""Each kind of job with its disk, its files or its program silent: it holds up only its own kind, and when all kinds but one are held, that
one goes on. The gate of stall.c holds what workers do to the kind's paths; what waits outside (pipes, locks, STUN, children) is in
security/test_stalled_jobs.py, names in security/test_dns_silent.py."""
import contextlib
import re
import time

import pytest
import tandem as t
from calls import extension, write_extensions
from phones import write_tone
from stall import Gate
from test_modules import compile_text
from wire import Phone

COUNT = 24  # of each, more than there are threads
MODULE = r"""
#include <stdio.h>
#include <tandem/module.h>
static const struct tandem_host *host;
static struct tandem_self *self;
static void look(void *arg) { FILE *f = fopen("/tmp/no_such_file_of_a_module", "r"); (void)arg; if (f) fclose(f); }
static int run(struct tandem_command *c, const char *args) { (void)args; host->work(self, look, 0); host->reply(c, "+OK looked\n"); return TANDEM_OK; }
static const struct tandem_api commands[] = {{"look", "looks", "", run}, {0, 0, 0, 0}};
static int load(const struct tandem_host *h, struct tandem_self *s) { host = h; self = s; return TANDEM_OK; }
TANDEM_MODULE_EXPORT = {TANDEM_MODULE_ABI, sizeof(struct tandem_module), "mod_look", "1", load, 0, 0, commands};
"""


class Switch:
    """A switch with something to do for every kind; job(kind) begins one on a connection of its own, which hears of its end."""

    def __init__(self, tmp):
        self.tmp, self.count, self.clients = tmp, 0, []
        self.sw = sw = t.Tandem(tmp / "instance")
        conf = sw.root / "conf"
        for name, old, new in (
                ("switch", 'name="system-commands" value="false"', 'name="system-commands" value="true"'),
                ("modules", "</modules>", '<load module="mod_tts_commandline"/></modules>')):
            path = conf / f"autoload_configs/{name}.conf.xml"
            path.write_text(path.read_text().replace(old, new))
        (sw.root / "scripts").mkdir(exist_ok=True)
        write_extensions(sw, [extension("7701", "answer", "park")])
        self.gate = Gate(sw, tmp)
        sw.start()
        sw.api("fsctl sps 10000")

    def originate(self, app):
        return f"originate null/x &{app}"

    def job(self, kind):
        """The command whose answer says that a job of the kind was done."""
        n = self.count = self.count + 1
        tmp, sw = self.tmp, self.sw
        if kind == "sound":
            write_tone(tmp / f"sound{n}.wav", 440, 0.05)
            return f"bgapi originate null/x &playback({tmp}/sound{n}.wav)"
        if kind == "script":
            (sw.root / f"scripts/file{n}.lua").write_text("stream:write('ran')")
            return f"bgapi lua file{n}.lua"
        if kind == "speech":
            return f"bgapi originate null/x &speak(flite|kal|number-{n})"
        return {"file": f"bgapi file_exists {tmp}/looked_at", "config": "bgapi reloadxml", "process": "bgapi system echo there",
                "db": f"bgapi db insert/held/key{n}/value", "journal": f"bgapi originate null/record{n} &hangup"}[kind]

    def begin(self, kind):
        e = self.sw.esl()
        self.clients.append(e)
        e.command("event plain BACKGROUND_JOB PLAYBACK_STOP CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE")
        self.spoken_before = self.spoken()
        e.command(self.job(kind))
        return e

    def is_done(self, kind, e, timeout):
        """What only the kind's own job brings about: its file's sound, its reply, its row on the disk."""
        deadline = time.monotonic() + timeout
        looks = {"db": lambda: self.rows_on_disk() >= self.count, "journal": lambda: f'"record{self.count}"' in self.records(),
                 "speech": lambda: self.spoken() > self.spoken_before}
        if kind in looks:
            while not looks[kind]():
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.02)
            return True
        try:
            if kind == "sound":
                e.wait_event("CHANNEL_EXECUTE_COMPLETE", timeout=timeout, Application="playback")
            else:
                e.wait_event("BACKGROUND_JOB", timeout=timeout)
        except AssertionError:
            return False
        return True

    def rows_on_disk(self):
        import sqlite3
        with sqlite3.connect(f"file:{self.sw.root}/db/call_db.db?mode=ro", uri=True) as db:
            keys = [int(k[3:]) for (k,) in db.execute("select data_key from db_data where realm = 'held'")]
        return max(keys, default=0)

    def spoken(self):
        return len([p for p in (self.sw.root / "cache/speech").glob("*.wav") if not p.name.startswith(".")])

    def records(self):
        path = self.sw.root / "log/cdr-csv/Master.csv"
        return path.read_text() if path.exists() else ""

    def close(self):
        self.gate.open()
        for c in self.clients:
            c.close()
        self.sw.api("hupall")
        self.sw.wait_calls(0)
        self.sw.stop(may_be_slow=True)


# kind: what of paths is held
HELD = {"sound": "/sound", "file": "looked_at", "script": "scripts/file", "speech": "cache/speech", "config": "/conf/", "db": "db/call_db",
        "journal": "log/cdr-csv|log/xml_cdr|cdr.journal"}
GOES_ON = (*HELD, "process")


@pytest.fixture(scope="module")
def switch(tmp_path_factory):
    s = Switch(tmp_path_factory.mktemp("kinds"))
    yield s
    s.close()


# a spoken text is looked for as a sound first, and played as one
NEEDS = {"speech": "sound"}


@contextlib.contextmanager
def held(s, kinds):
    """Jobs of these kinds wait at the gate inside; afterwards all come to their end."""
    s.gate.shut("|".join(HELD[k] for k in kinds))
    try:
        clients = [s.begin(k) for k in kinds for _ in range(1 if k == "config" else COUNT)]
        yield
    finally:
        s.gate.open()
    deadline = time.monotonic() + 20
    while any(int(n) for n in re.findall(r"^jobs [a-z 0-9]+,(\d+),", s.sw.api("show rings"), re.M)):
        assert time.monotonic() < deadline, s.sw.api("show rings")
        time.sleep(0.02)
    for e in clients:
        e.close()
        s.clients.remove(e)


def all_go_on(s, but=()):
    for kind in GOES_ON:
        if kind not in but and NEEDS.get(kind) not in but:
            assert s.is_done(kind, s.begin(kind), 10), f"{kind} waits"
    begin = time.monotonic()
    assert "UP" in s.sw.api("status") and "key" not in s.sw.api("db select/held/key0")
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("kind", HELD)
def test_one_kind_is_held(switch, kind):
    with held(switch, [kind]):
        all_go_on(switch, but=[kind])


@pytest.mark.parametrize("kind", GOES_ON)
def test_all_kinds_but_one_are_held(switch, kind):
    s = switch
    with held(s, [k for k in HELD if k not in (kind, NEEDS.get(kind))]):
        assert s.is_done(kind, s.begin(kind), 10), f"{kind} waits for others"


@pytest.fixture
def gate(switch):
    yield switch.gate
    switch.gate.open()


def test_the_log_is_held(switch, gate):
    """The writer of the log waits for its disk: calls, commands and records go on, lines are lost and counted at worst."""
    s = switch
    gate.shut("log/tandem.log")
    for i in range(30):
        s.sw.api(f"log err line {i}")
    all_go_on(s)
    gate.open()
    s.sw.wait_log("line 29")


def test_a_module_s_job_is_held(switch, gate, tmp_path):
    s = switch
    compile_text(s.sw, tmp_path, "mod_look", MODULE)
    assert "+OK\n" in s.sw.api("load mod_look")
    gate.shut("no_such_file_of_a_module")
    clients = [s.sw.esl() for _ in range(COUNT)]
    for e in clients:
        e.command("event plain BACKGROUND_JOB")
        e.command("bgapi look")
    all_go_on(s)
    gate.open()
    for e in clients:
        assert e.wait_event("BACKGROUND_JOB", Job_Command="look")["_body"] == "+OK looked\n"
        e.close()
    assert s.sw.api("unload mod_look") == "+OK\n"


def test_registrations_go_on_without_their_disk(switch, gate):
    s = switch
    gate.shut("sofia_reg")
    phones = [Phone(s.sw, str(1000 + i)) for i in range(10)]
    for p in phones:
        p.register()
    all_go_on(s, but=["db"])
    gate.open()
    for p in phones:
        p.close()
