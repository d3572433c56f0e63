"""Work that waits for something outside (a pipe a script reads, a locked database, a silent STUN server, a child process, a slow
synthesis program) held every worker: no sound, no call records, no reloadxml. Each kind holds up only its own now."""
import os
import re
import signal
import socket
import time

import pytest
import tandem as t
from calls import extension
from phones import write_tone
from test_dns_silent import Stranger, records

COUNT = 12  # of each, more than there are threads


class Stalled:
    """The ways to stall, each on a switch of its own; begin() returns when all of them wait."""

    def __init__(self, sw, root):
        self.sw, self.root, self.clients, self.keep = sw, root, [], []

    def send(self, command):
        e = self.sw.esl()
        e.sock.sendall(f"api {command}\n\n".encode())
        self.clients.append(e)

    def await_rows(self, kind, count):
        deadline = time.monotonic() + 10
        while True:
            m = re.search(rf"workers {kind},(\d+),", self.sw.api("show rings"))
            if m and int(m.group(1)) >= count:
                return
            assert time.monotonic() < deadline, self.sw.api("show rings")
            time.sleep(0.02)

    def script(self):
        pipe = self.root / "pipe"
        os.mkfifo(pipe)
        (self.sw.root / "scripts").mkdir(exist_ok=True)
        (self.sw.root / "scripts/pipe.lua").write_text(f'local f = io.open("{pipe}", "r")\n')
        for _ in range(COUNT):
            self.send("lua pipe.lua")
        self.await_rows("script", COUNT)

    def db(self):
        import sqlite3
        path = self.sw.root / "db/held.db"
        held = sqlite3.connect(path, isolation_level=None)
        held.execute("create table t (a)")
        held.execute("begin exclusive")
        self.keep.append(held)
        (self.sw.root / "scripts").mkdir(exist_ok=True)
        (self.sw.root / "scripts/held.lua").write_text(
            'local d = freeswitch.Dbh("sqlite://held")\nfor i = 1, 20 do d:query("insert into t values (1)") end\n')
        for _ in range(COUNT):
            self.send("lua held.lua")
        self.await_rows("db", COUNT)

    def net(self):
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind(("127.0.0.1", 0))
        self.keep.append(silent)
        for _ in range(COUNT):
            self.send(f"stun 127.0.0.1:{silent.getsockname()[1]}")
        self.await_rows("net", COUNT)

    def process(self):
        for _ in range(COUNT):
            self.send("system sleep 600")

    def speech(self):
        for i in range(COUNT):
            self.send(f"originate null/x &speak(tts_commandline|any|text number {i})")

    def config(self):
        (self.sw.root / "conf/dialplan/default/sleep.xml").write_text('<X-PRE-PROCESS cmd="exec-set" data="never=sleep 600"/>\n')
        self.send("reloadxml")
        self.await_rows("config", 1)


KINDS = ("script", "db", "net", "process", "speech", "config")


@pytest.fixture(params=KINDS)
def stalled(request, tmp_path):
    sw = t.Tandem(tmp_path / "instance")
    conf = sw.root / "conf/autoload_configs/switch.conf.xml"
    conf.write_text(conf.read_text().replace('name="system-commands" value="false"', 'name="system-commands" value="true"'))
    tone = tmp_path / "tone.wav"
    write_tone(tone, 440, 10)
    (sw.root / "conf/dialplan/public/stall.xml").write_text(
        "<include>\n" + extension("9600", "answer", f"playback {tone}") + "\n</include>\n")
    (sw.root / "conf/autoload_configs/tts_commandline.conf.xml").write_text(
        '<configuration name="tts_commandline.conf"><settings><param name="command" value="sleep 600; : ${text} ${file}"/></settings>'
        "</configuration>\n")
    modules = sw.root / "conf/autoload_configs/modules.conf.xml"
    modules.write_text(modules.read_text().replace('<load module="mod_flite"/>', '<load module="mod_flite"/><load module="mod_tts_commandline"/>'))
    sw.start()
    s = Stalled(sw, tmp_path)
    s.kind = request.param
    try:
        getattr(s, request.param)()
        yield s
    finally:
        if sw.proc.poll() is None:
            sw.proc.kill()
            sw.proc.wait()


def test_one_kind_stalls(stalled):
    """Sound, records, files, names of the hosts file, children and databases go on; and the end comes."""
    sw, kind = stalled.sw, stalled.kind
    caller = Stranger(sw)
    caller.call("9600")
    assert caller.sound_s() < 1.5
    caller.send("BYE", "9600", caller.to_tag, 2)
    caller.expect(200)
    begin = time.monotonic()
    while "9600" not in records(sw):
        assert time.monotonic() - begin < 5, "no call record"
        time.sleep(0.02)
    begin = time.monotonic()
    assert sw.api("file_exists /etc/passwd").strip() == "true"
    assert sw.api("host_lookup localhost").strip() == "127.0.0.1"
    if kind != "config":
        assert sw.api("reloadxml").startswith("+OK")
    assert sw.api("system echo there").strip() == "there"
    if kind != "db":
        assert sw.api("db insert/a/b/c").startswith("+OK") and sw.api("db select/a/b").strip() == "c"
    assert time.monotonic() - begin < 5
    begin = time.monotonic()
    sw.proc.send_signal(signal.SIGTERM)
    sw.proc.wait(30)
    took = time.monotonic() - begin
    assert sw.proc.returncode == 0 and took < (6.5 if kind == "db" else 3.5), f"{kind}: {took:.1f} s"
