"""A cell: one command in a process of its own that keeps an eye on everything the command starts.

The keeper is forked from the runner; it makes a network namespace with `lo` up where it may (as root, or in a user namespace), takes in
every orphan below it (PR_SET_CHILD_SUBREAPER), ends a command that is over its deadline, and when the command is over ends what it
left behind. The namespace goes with its last process: nothing has a name, so nothing can be forgotten. A keeper ends with the runner.
"""
import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
EXIT_DEADLINE, EXIT_ENDED = 124, 125
ABORT_S = 10  # what pytest has to tell where it hangs

_libc = ctypes.CDLL(None, use_errno=True)


def _check(rc, what):
    if rc:
        e = ctypes.get_errno()
        raise OSError(e, f"{what}: {os.strerror(e)}")


def _unshare(flags):
    _check(_libc.unshare(flags), "unshare")


def enter_namespaces(hide=None):
    """A network namespace with `lo` up; hide: a directory that is seen empty. Raises OSError where the user may not."""
    flags = CLONE_NEWNET | (CLONE_NEWNS if hide else 0)
    if os.geteuid() == 0:
        _unshare(flags)
    else:
        uid, gid = os.geteuid(), os.getegid()
        _unshare(flags | CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sh14x", b"lo", 0)
        flags, = struct.unpack_from("h", fcntl.ioctl(s, SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))
    if hide:
        _check(_libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mount private")
        _check(_libc.mount(b"none", os.fsencode(hide), b"tmpfs", 0, b"mode=0555"), "mount tmpfs")


def why_no_namespaces(hide=None):
    """None where this user may make namespaces, else the reason."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            enter_namespaces(hide)
        except OSError as e:
            os.write(w, str(e).encode())
        os._exit(0)
    os.close(w)
    with open(r) as f:
        why = f.read()
    os.waitpid(pid, 0)
    return why or None


def _below(root):
    """[(pid, command line)] of the processes below root, children first."""
    parents, words = {}, {}
    for d in Path("/proc").iterdir():
        if not d.name.isdigit():
            continue
        try:
            stat = (d / "stat").read_text()
            state, parent = stat.rsplit(")", 1)[1].split()[:2]
            if state != "Z":
                parents.setdefault(int(parent), []).append(int(d.name))
                words[int(d.name)] = (d / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # gone meanwhile
    out, todo = [], [root]
    while todo:
        for pid in parents.get(todo.pop(), []):
            out.append((pid, words[pid]))
            todo.append(pid)
    return out[::-1]


def _describe(pid):
    try:
        return Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        return "?"


def _end_all(log):
    """Kills what is left below us until nothing is."""
    while True:
        for pid, words in _below(os.getpid()):
            print(f"left behind, ended: {pid} {words[:200]}", file=log)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            os.wait()
        except ChildProcessError:
            return


class _Over(Exception):
    pass


class _Ended(Exception):
    pass


def _raise(kind):
    def handler(signum, frame):
        raise kind()
    return handler


def _wait_for(pid):
    """pid's exit code; orphans that end meanwhile are taken in."""
    while True:
        got, status = os.wait()
        if got == pid:
            return os.waitstatus_to_exitcode(status)


def _tell_where(proc, deadline_s, log):
    print(f"\nnot over after {deadline_s} s; what runs:", file=log)
    for pid, words in _below(os.getpid()):
        print(f"  {pid} in {_describe(pid)}: {words[:200]}", file=log)
    proc.send_signal(signal.SIGABRT)  # pytest's faulthandler writes where every thread is
    end = time.monotonic() + ABORT_S
    while time.monotonic() < end:
        got, _ = os.waitpid(proc.pid, os.WNOHANG)
        if got:
            return
        time.sleep(0.1)


def _keep(command, env, cwd, log_path, deadline_s, is_isolated, hide):
    os.setsid()
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
    signal.signal(signal.SIGTERM, _raise(_Ended))
    signal.signal(signal.SIGALRM, _raise(_Over))
    signal.signal(signal.SIGINT, lambda *_: None)  # the runner says when; ignored would stay ignored in what is started
    if is_isolated:
        enter_namespaces(hide)
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0), "prctl")
    if os.getppid() == 1:
        os._exit(EXIT_ENDED)  # the runner has gone meanwhile
    log = open(log_path, "a", buffering=1)
    code = EXIT_ENDED
    try:
        proc = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        signal.alarm(deadline_s)
        code = _wait_for(proc.pid)
        signal.alarm(0)
    except _Over:
        code = EXIT_DEADLINE
        _tell_where(proc, deadline_s, log)
    except _Ended:
        print("\nended from outside", file=log)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _end_all(log)
    return code


def start(command, env, cwd, log_path, deadline_s, is_isolated, hide=None):
    """Runs the command in a cell; the keeper's pid, whose exit code is the command's, EXIT_DEADLINE or EXIT_ENDED."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        code = _keep(command, env, cwd, log_path, deadline_s, is_isolated, hide)
    except BaseException as e:  # this process must not go on as a second runner
        with open(log_path, "a") as log:
            print(f"the keeper broke: {e!r}", file=log)
        code = EXIT_ENDED
    os._exit(code & 0xff)
