"""tandem-cli against a running Tandem: -x and its exit codes, lines from a pipe, and a terminal (keys, TAB, log lines)."""
import os
import pty
import re
import select
import socket
import subprocess
import termios
import time

import pytest
import tandem as t

CLI = str(t.BUILD / "tandem-cli")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def run(tandem, home):
    def run(*args, password=None, **kw):
        env = dict(os.environ, HOME=str(home), TERM="xterm", TANDEM_RUN=str(home))
        return subprocess.run([CLI, "-P", str(tandem.esl_port), "-p", password or tandem.esl_password, *args], capture_output=True, text=True,
                              env=env, timeout=30, **kw)
    return run


def test_execute(run):
    for command, wanted in (("version short", "1.11.3-dev\n\n"), ("fsctl ready_check", "true\n"), ("global_getvar nosuch", "-ERR no reply\n\n"),
                            ("nosuch with args", "-ERR nosuch with args Command not found!\n\n"), ("echo a  b", "a  b\n")):
        got = run("-x", command)
        assert (got.returncode, got.stdout, got.stderr) == (0, wanted, ""), command


def test_exit_codes(run):
    got = run("-x", "msleep 5000", "-t", "200")
    assert (got.returncode, got.stdout) == (254, "Request timed out.\n")
    got = run("-x", "status", password="wrong")
    assert got.returncode == 255 and "Authentication Error" in got.stderr and "Usage" not in got.stdout
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        got = run("-P", str(s.getsockname()[1]), "-x", "status")
    assert got.returncode == 255 and "Connection refused" in got.stderr
    assert run("-h").returncode == 0
    assert run("--nosuch").returncode == 255
    assert run("nosuchprofile").returncode == 255


def test_alias(run):
    assert run("-x", "alias add zz version short").stdout == "+OK\n\n"
    assert run("-x", "zz").stdout == "\nExpand Alias [zz]->[version short]\n\n1.11.3-dev\n\n"
    assert run("-x", "alias del zz").stdout == "+OK\n\n"


def test_instance_is_found(tandem, home):
    (home / "console.conf").write_text(f"[instance]\nhost => 127.0.0.1\nport => {tandem.esl_port}\npassword => {tandem.esl_password}\n")
    env = dict(os.environ, HOME=str(home), TANDEM_RUN=str(home))
    got = subprocess.run([CLI, "-x", "version short"], capture_output=True, text=True, env=env, timeout=10)
    assert (got.returncode, got.stdout) == (0, "1.11.3-dev\n\n")


def test_lines_from_a_pipe(run):
    got = run(input="version short\n/nolog\nlog notice not shown\n/log notice\nlog notice shown in between\nmsleep 50\n/nosuch\n/exit\nversion\n")
    assert got.returncode == 0
    assert "FS CLI Ready.\nenter /help for a list of commands.\n+OK log level" in got.stdout
    assert "1.11.3-dev\n\n+OK no longer logging\n" in got.stdout
    assert re.search(r"\[NOTICE\] global\.c:\d+ shown in between\n", got.stdout)
    assert "not shown" not in got.stdout
    assert "Unknown command [nosuch]\nGoodbye!\n" in got.stdout
    assert "FreeSWITCH Version" not in got.stdout


def test_events_are_shown(run):
    got = run(input="/event plain CUSTOM lab::x\n/filter Kind one\nmsleep 10\n/exit\n")
    assert "+OK event listener enabled plain\n+OK filter added. [Kind]=[one]\n" in got.stdout


class Terminal:
    def __init__(self, args, env):
        env = dict(env, ASAN_OPTIONS="detect_leaks=0")  # libedit keeps the names given to EL_ADDFN
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.execve(CLI, [CLI, *args], env)
        self.text = ""

    def wait_editor(self, timeout=10):
        """Until the terminal gives every key to the program: the prompt is there a moment before."""
        deadline = time.monotonic() + timeout
        while termios.tcgetattr(self.fd)[3] & termios.ICANON:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def wait(self, text, timeout=10):
        """Until text is on the screen; what comes before it and it are taken off."""
        deadline = time.monotonic() + timeout
        while text not in self.text:
            assert time.monotonic() < deadline, (text, self.text)
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self.fd, 65536).decode(errors="replace").replace("\r\n", "\n")
                except OSError:
                    assert text in self.text, (text, self.text)
        before, self.text = self.text.split(text, 1)
        return before

    def type(self, text):
        os.write(self.fd, text.encode())

    def close(self):
        pid, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def test_terminal(tandem, home):
    env = dict(os.environ, HOME=str(home), TERM="xterm", TANDEM_RUN=str(home))
    term = Terminal(["-P", str(tandem.esl_port), "-p", tandem.esl_password], env)
    prompt = f"freeswitch@{tandem.api('switchname')}> "
    term.wait(prompt)
    term.type("version sh")
    term.wait("version sh")
    term.type("\t\n")
    term.wait("1.11.3-dev\n")
    term.wait(prompt)
    term.type("\033OQ")  # F2
    assert "is ready" in term.wait("Current Stack Size/Max")
    term.wait(prompt)
    term.type("half a li")
    term.wait("half a li")
    tandem.api("log notice from elsewhere")
    term.wait("from elsewhere")
    term.wait("half a li")  # the line is drawn again
    term.type("\x15\033[A\n")  # forget it; the line before once more
    term.wait("1.11.3-dev\n")
    term.wait(prompt)  # a key in between would be the terminal's, not the editor's
    term.wait_editor()
    term.type("\x03")
    term.wait("Type control-D or /exit or /quit or /bye to exit.")
    term.type("\x04")
    term.wait("Goodbye!")
    assert term.close() == 0
    assert "version" in (home / ".tandem_cli_history").read_text()


def test_the_switch_goes(fresh, home):
    sw = fresh.start()
    env = dict(os.environ, HOME=str(home), TERM="xterm", TANDEM_RUN=str(home))
    term = Terminal(["-P", str(sw.esl_port), "-p", sw.esl_password], env)
    term.wait("> ")
    sw.stop()
    term.wait("Socket interrupted, bye!")
    assert term.close() == 0
