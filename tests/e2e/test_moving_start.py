"""Moving over from FreeSWITCH: start scripts, users, ports that are still held, signals."""
import grp
import os
import pwd
import signal
import socket
import subprocess
import time

import pytest
from tandem import BUILD, Esl


def start(fresh, *args, **kw):
    return subprocess.Popen([BUILD / "tandem", "-nonat", *map(str, args)], env=fresh.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, **kw)


def ready(fresh, proc, timeout=20):
    deadline = time.monotonic() + timeout
    while True:
        try:
            esl = Esl(fresh.esl_port, fresh.esl_password)
            if esl.api("fsctl ready_check").strip() == "true":
                return esl
            esl.close()
        except (OSError, EOFError):
            pass
        assert proc.poll() is None and time.monotonic() < deadline, proc.poll()
        time.sleep(0.02)


def end(proc):
    proc.send_signal(signal.SIGTERM)
    out = proc.communicate(timeout=30)[0]
    assert proc.returncode == 0, out[-3000:]
    return out


@pytest.mark.parametrize("args", [("-nf", "-nc"), ("-nc", "-nf"), ("-ncwait", "-nf")])
def test_nf_wins(fresh, args):
    """It stays in the foreground: the process that was started is the switch."""
    proc = start(fresh, *args, "-base", fresh.root)
    ready(fresh, proc).close()
    assert int((fresh.root / "run/freeswitch.pid").read_text()) == proc.pid
    end(proc)


@pytest.mark.parametrize("number", [signal.SIGALRM, signal.SIGIO, signal.SIGPIPE, signal.SIGINT, signal.SIGQUIT])
def test_signals_that_end_nothing(fresh, number):
    proc = start(fresh, "-nf", "-base", fresh.root)
    esl = ready(fresh, proc)
    proc.send_signal(number)
    assert esl.api("fsctl ready_check").strip() == "true"
    esl.close()
    end(proc)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_user_with_directories_of_his_own(fresh, tmp_path):
    """-u and -g with -conf, -log, -db and -run: what is missing of them is made and his; the prefix below which the others would lie
    cannot be written by him, and need not."""
    name, group = pwd.getpwnam("nobody").pw_name, grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name
    for p in (fresh.root, *fresh.root.parents, tmp_path, *tmp_path.parents):  # he must be able to come here
        if str(p).startswith("/tmp/"):
            p.chmod(p.stat().st_mode | 0o055)
    base = tmp_path / "base"
    base.write_text("a file: nothing can be made below it")
    for p in fresh.root.glob("conf/**/*"):
        p.chmod(0o755 if p.is_dir() else 0o644)
    (fresh.root / "conf").chmod(0o755)
    made = tmp_path / "his"
    proc = start(fresh, "-nf", "-u", name, "-g", group, "-base", base, "-conf", fresh.root / "conf", "-log", made / "log/sub", "-db", made / "db",
                 "-run", made / "run")
    esl = ready(fresh, proc)
    esl.close()
    assert {os.stat(made / d).st_uid for d in ("log/sub", "db", "run")} == {pwd.getpwnam(name).pw_uid}
    assert os.stat(f"/proc/{proc.pid}").st_uid in (0, pwd.getpwnam(name).pw_uid)
    assert f"Uid:\t{pwd.getpwnam(name).pw_uid}\t" in open(f"/proc/{proc.pid}/status").read()
    assert (made / "run/freeswitch.pid").read_text().strip() == str(proc.pid)
    out = end(proc)
    assert "cannot make the directory" in out  # told, and no reason to stop


def test_a_user_may_name_himself(fresh):
    me = pwd.getpwuid(os.geteuid()).pw_name
    proc = start(fresh, "-nf", "-u", me, "-g", grp.getgrgid(os.getegid()).gr_name, "-base", fresh.root)
    ready(fresh, proc).close()
    end(proc)


def test_event_socket_port_in_use(fresh):
    """The instance before still holds it: the switch starts, and listens when it is free."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", fresh.esl_port))
    holder.listen()
    proc = start(fresh, "-nf", "-base", fresh.root)
    deadline = time.monotonic() + 20
    while not (fresh.root / "log/tandem.log").exists() or "is ready" not in (fresh.root / "log/tandem.log").read_text():
        assert proc.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    holder.close()
    esl = ready(fresh, proc)
    assert "Event Socket" not in esl.api("status")
    esl.close()
    out = end(proc)
    assert out.count(f"127.0.0.1:{fresh.esl_port} is in use; it is tried again every second") == 1


def test_http_port_in_use(fresh):
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", fresh.http_port))
    holder.listen()
    fresh.start()
    assert "mod_http_api" in fresh.api("show modules")
    holder.close()
    fresh.wait_log(f"HTTP listening on 127.0.0.1:{fresh.http_port}")
    socket.create_connection(("127.0.0.1", fresh.http_port)).close()
    fresh.stop()


def set_attempts(fresh, count, interval_s):
    p = fresh.root / "conf/sip_profiles/internal.xml"
    p.write_text(p.read_text().replace("<settings>", f'<settings>\n<param name="bind-attempts" value="{count}"/>'
                                       f'<param name="bind-attempt-interval" value="{interval_s}"/>', 1))


@pytest.mark.leaks
def test_sip_port_in_use(fresh):
    set_attempts(fresh, 30, 1)
    holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    holder.bind(("127.0.0.1", fresh.sip_port))
    fresh.start()
    assert "internal" not in fresh.api("sofia status").replace("internal.", "")
    fresh.wait_log("sofia: profile internal: attempt 1 of 30 to listen; the next in 1 s")
    holder.close()
    fresh.wait_log("sofia: profile internal: sip:mod_sofia@")
    assert "RUNNING" in fresh.api("sofia status")
    fresh.stop()


@pytest.mark.leaks
def test_sip_port_that_stays_in_use(fresh):
    set_attempts(fresh, 2, 1)
    holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    holder.bind(("127.0.0.1", fresh.sip_port))
    fresh.start()
    fresh.wait_log(f"profile internal cannot listen on 127.0.0.1:{fresh.sip_port}", count=2)
    assert fresh.api("sofia profile internal start").endswith("Failure starting internal\n")
    holder.close()
    assert fresh.api("sofia profile internal start").endswith("internal started successfully\n")
    fresh.stop()


def test_end_while_a_port_is_waited_for(fresh):
    set_attempts(fresh, 30, 60)
    holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    holder.bind(("127.0.0.1", fresh.sip_port))
    fresh.start()
    fresh.wait_log("attempt 1 of 30")
    fresh.stop()
    holder.close()
