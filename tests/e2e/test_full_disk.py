"""Call records and a disk without room: none is lost or written twice, none stands half, a journal is removed only when what it led to is
safe, and the log says what is. The records' directory is a small file system of its own, in a mount namespace of the test's."""
import re
import shutil
import subprocess
import time

import pytest
import tandem as t

pytestmark = pytest.mark.leaks
PATIENCE_S = 20


class Disk:
    """A file system of so many bytes at `at`, for programs started by `script` only."""

    def __init__(self, at, size, script):
        self.holder = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", f"mount --make-rprivate / && mount -t tmpfs -o size={size} none {at} && echo up && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "up\n":
            self.holder.kill()
            self.holder.wait()
            pytest.skip("no mount namespace to be had here")
        self.root = t.Path(f"/proc/{self.holder.pid}/root{at}")
        script.write_text(f'#!/bin/sh\nexec nsenter --mount=/proc/{self.holder.pid}/ns/mnt -- {t.BUILD}/tandem "$@"\n')
        script.chmod(0o755)

    def fill(self):
        with open(self.root / "filler", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass

    def free(self):
        (self.root / "filler").unlink()

    def close(self):
        self.holder.stdin.close()
        self.holder.wait()


@pytest.fixture
def disk(tmp_path):
    """(switch that is not started, its records' disk)"""
    sw = t.Tandem(tmp_path / "instance", binary=tmp_path / "tandem.sh")
    records = sw.root / "records"
    records.mkdir()
    for name, setting, value in (("cdr_csv", "log-base", records), ("xml_cdr", "log-dir", records / "xml")):
        path = sw.root / f"conf/autoload_configs/{name}.conf.xml"
        text = re.sub(rf'<param name="{setting}"[^>]*/>', "", path.read_text())
        path.write_text(text.replace("<settings>", f'<settings><param name="{setting}" value="{value}"/>', 1))
        assert setting in path.read_text()
    d = Disk(records, "256k", tmp_path / "tandem.sh")
    yield sw, d
    if sw.proc and sw.proc.poll() is None:
        sw.stop(check=False)
    d.close()


def calls(sw, count):
    """uuids of calls that are over."""
    uuids = [sw.api("originate null/x &park").split()[1] for _ in range(count)]
    sw.api("hupall")
    sw.wait_calls(0)
    return uuids


def lines(disk):
    path = disk.root / "cdr-csv/Master.csv"
    return path.read_text() if path.exists() else ""


def are_whole(disk, uuids):
    text = lines(disk)
    return text.endswith("\n") and all(text.count(f'"{u}"') == 1 for u in uuids) and all(
        (p := disk.root / f"xml/a_{u}.cdr.xml").exists() and p.read_text().endswith("</cdr>\n") for u in uuids)


def await_whole(disk, uuids):
    deadline = time.monotonic() + PATIENCE_S
    while not are_whole(disk, uuids):
        assert time.monotonic() < deadline, lines(disk)
        time.sleep(0.05)
    assert len([l for l in lines(disk).split("\n") if l]) == len(uuids)  # no half one between them
    assert not [p for p in disk.root.rglob("*.new")]


def journals(sw):
    return sorted((sw.root / "db").glob("cdr.journal.*"))


def test_room_comes_back(disk):
    """Tried again while the program runs; the log says that the journal has them, and when it goes on."""
    sw, d = disk
    sw.start()
    before = calls(sw, 3)
    await_whole(d, before)
    d.fill()
    during = calls(sw, 10)
    sw.wait_log("cannot be written: No space left on device; it is tried again, and stays in the journal")
    assert journals(sw) and lines(d).count("\n") == len(lines(d).split("\n")) - 1
    assert not any((d.root / f"xml/a_{u}.cdr.xml").exists() for u in during[1:])  # none half, under its name
    d.free()
    await_whole(d, before + during)
    sw.wait_log("call records can be written again")
    sw.stop()
    assert not journals(sw)


@pytest.mark.parametrize("end", ("stop", "kill", "unload"))
def test_the_next_start_writes_them(disk, end):
    """Full until the end: they stay in the journal, through a start on a disk that is still full, until there is room."""
    sw, d = disk
    sw.start()
    first = calls(sw, 3)
    await_whole(d, first)
    d.fill()
    uuids = first + calls(sw, 10)
    sw.wait_log("it is tried again, and stays in the journal")
    if end == "unload":
        for module in ("mod_cdr_csv", "mod_xml_cdr"):
            assert sw.api(f"unload {module}") == "+OK\n"
        sw.wait_log("they stay in")
    if end == "kill":
        sw.kill()
    else:
        sw.stop()
        assert "they stay in" in sw.log_text
    assert journals(sw)
    sw.start()  # still full
    sw.wait_log("call records of an earlier run were found")
    sw.stop()
    assert sum(p.read_text().count("\n") for p in journals(sw)) >= 10
    d.free()
    sw.start()
    await_whole(d, uuids)
    sw.stop()
    assert not journals(sw)


def test_a_journal_with_strange_lines(disk):
    """What is no record is kept aside, what is one is written, bytes of other encodings too."""
    sw, d = disk
    path = sw.root / "records/cdr-csv/Master.csv"
    good = f'["A","{path}","\\"one\\"\\n"]\n["A","{path}","","/wrp"]\n'  # the last: base64 of three bytes that are no text
    (sw.root / "db/cdr.journal.7").write_text(good.replace("/wrp", "InrpIgo=") + 'no record\n["X","/tmp/x","y"]\n["A","' + str(path) + '","torn')
    sw.start()
    deadline = time.monotonic() + PATIENCE_S
    file = d.root / "cdr-csv/Master.csv"
    while not file.exists() or file.read_bytes() != b'"one"\n"z\xe9"\n':
        assert time.monotonic() < deadline, file.exists() and file.read_bytes()
        time.sleep(0.05)
    sw.wait_log("has 2 lines that are no call records")
    sw.stop()
    left = (sw.root / "db/cdr.journal.7.strange").read_text()
    assert "no record\n" in left and not (sw.root / "db/cdr.journal.7").exists()
    sw.start()  # nothing is written again
    sw.stop()
    assert file.read_bytes() == b'"one"\n"z\xe9"\n'


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not here")
def test_safe_before_the_journal_goes(tmp_path):
    """In the order of system calls: the records are written, they and their directories are synced, then the journal is removed."""
    sw = t.Tandem(tmp_path / "instance", binary=tmp_path / "tandem.sh")
    trace = tmp_path / "trace"
    (tmp_path / "tandem.sh").write_text(
        f'#!/bin/sh\nexec strace -f -y -qq -e trace=openat,write,fsync,fdatasync,rename,unlink -o {trace} {t.BUILD}/tandem "$@"\n')
    (tmp_path / "tandem.sh").chmod(0o755)
    try:
        sw.start()
    except AssertionError as e:
        if "ptrace" in str(e) or "PTRACE" in sw.console():
            pytest.skip("no tracing here")
        raise
    uuid = calls(sw, 1)[0]
    sw.api("unload mod_cdr_csv")
    sw.api("unload mod_xml_cdr")
    deadline = time.monotonic() + PATIENCE_S
    while journals(sw):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    sw.api("fsctl shutdown")
    sw.proc.wait(30)
    text = trace.read_text()
    order = [rf"write\(\d+<[^>]*cdr-csv/Master.csv>", rf"fsync\(\d+<[^>]*cdr-csv/Master.csv>", rf"fsync\(\d+<[^>]*log/cdr-csv>", r'unlink\("[^"]*cdr.journal.\d+"']
    for name in (order, [rf'rename\("[^"]*{uuid}.cdr.xml.new"', rf"fsync\(\d+<[^>]*{uuid}.cdr.xml>", r"fsync\(\d+<[^>]*log/xml_cdr>", r'unlink\("[^"]*cdr.journal.\d+"']):
        places = [m.start() if (m := re.search(p, text)) else -1 for p in name]
        assert -1 not in places and places == sorted(places), (places, name)
