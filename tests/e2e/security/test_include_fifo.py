"""Who may put a name into the configuration (a file dropped into an included folder) hung reloadxml, and with it every later one, by a
pipe that nobody writes to; a device without end ate memory. Each is refused with the file and line that include it."""
import os
import re
import time

import pytest
import tandem as t


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("include") / "instance")
    yield sw.start()
    sw.stop()


def reload(sw):
    begin = time.monotonic()
    answer = sw.api("reloadxml")
    assert time.monotonic() - begin < 5, answer
    return answer


def put_pipe(at):
    os.mkfifo(at)


def put_loop(at):
    at.symlink_to(at.name)


def put_device(at):
    at.symlink_to("/dev/zero")


def put_null(at):
    at.symlink_to("/dev/null")


def put_directory(at):
    at.mkdir()


def put_huge(at):
    with open(at, "wb") as f:
        f.truncate(1 << 30)


KINDS = {"pipe": (put_pipe, "it is not a regular file"), "loop": (put_loop, "Too many levels of symbolic links"), "device": (put_device, "it is not a regular file"),
         "null": (put_null, "it is not a regular file"), "directory": (put_directory, "it is not a regular file"), "huge": (put_huge, "it is too large")}


@pytest.mark.parametrize("kind", KINDS)
def test_refused(sw, kind):
    """Dropped into a folder whose files are included, and named by an include; the rest of the configuration holds."""
    put, why = KINDS[kind]
    dropped, named = sw.root / f"conf/dialplan/default/zz_{kind}.xml", sw.root / f"conf/zz_{kind}.xml"
    includer = sw.root / f"conf/dialplan/default/yy_{kind}.xml"
    put(dropped)
    put(named)
    includer.write_text(f'<include>\n<extension name="{kind}_beside"/>\n<X-PRE-PROCESS cmd="include" data="../../{named.name}"/>\n</include>\n')
    try:
        assert reload(sw).startswith("+OK")
        sw.wait_log(f"{includer}:3:1: including {sw.root}/conf/dialplan/default/../../{named.name}: {why}")
        sw.wait_log(re.compile(rf"conf/dialplan/default\.xml:\d+:1: including {re.escape(str(dropped))}: {why}"))
        assert f"{kind}_beside" in sw.api("xml_locate dialplan")
    finally:
        for p in (dropped, named):
            p.rmdir() if p.is_dir() and not p.is_symlink() else p.unlink()
        includer.unlink()
    assert reload(sw).startswith("+OK")


def test_main_file(sw):
    """freeswitch.xml itself: an error, the running configuration stays."""
    main = sw.root / "conf/freeswitch.xml"
    kept = main.rename(main.with_suffix(".kept"))
    os.mkfifo(main)
    try:
        answer = reload(sw)
        assert "ERR" in answer and "freeswitch.xml:1:1" in answer and "not a regular file" in answer
    finally:
        main.unlink()
        kept.rename(main)
    assert reload(sw).startswith("+OK")


def test_each_twice(sw):
    """Files that include the next one twice: two to the power of thirty readings end at a bound, in bounded time."""
    folder = sw.root / "conf/twice"
    folder.mkdir()
    for i in range(30):
        (folder / f"{i}.xml").write_text(f'<!-- {"x" * 100000} -->\n' + f'<X-PRE-PROCESS cmd="include" data="{i + 1}.xml"/>\n' * 2)
    includer = sw.root / "conf/dialplan/default/twice.xml"
    includer.write_text(f'<X-PRE-PROCESS cmd="include" data="{folder}/0.xml"/>\n')
    other = sw.esl()
    try:
        other.sock.settimeout(300)  # a machine at its limit takes its time; all of them would take months
        assert "ERR" in other.api("reloadxml")
        sw.wait_log("it is too large")
    finally:
        includer.unlink()
        other.close()
    assert reload(sw).startswith("+OK")


def test_command_that_stays(sw):
    """exec-set of a command that does not end: everything else goes on, and the reload ends with the command's deadline."""
    includer = sw.root / "conf/dialplan/default/command.xml"
    includer.write_text('<X-PRE-PROCESS cmd="exec-set" data="never=sleep 600"/>\n')
    other = sw.esl()
    try:
        other.sock.sendall(b"api reloadxml\n\n")
        begin = time.monotonic()
        assert "UP" in sw.api("status")
        assert sw.api("file_exists /etc/passwd").strip() == "true"
        assert sw.api("reloadxml").startswith("-ERR")  # one at a time
        assert time.monotonic() - begin < 3
        assert other._reply()[1].startswith("+OK")  # the variable is left out, as FreeSWITCH does
        assert time.monotonic() - begin < 15
    finally:
        includer.unlink()
        other.close()
