"""A Tandem under test: an instance directory of its own, its own ports on 127.0.0.1, its event socket, its end.

Every instance is checked when it stops: exit code 0, no sanitizer report, no slow handler in its log.
"""
import collections
import errno
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import clock

TOP = Path(__file__).resolve().parents[2]
SHARED = TOP.parent / "shared"
# FreeSWITCH's stock configuration, or ours of the same shape where that is not at hand
VANILLA = SHARED / "vanilla" if (SHARED / "vanilla").exists() else TOP / "tests/data/stock"
NO_SHARED = "../shared (FreeSWITCH's stock configuration, recordings of it) is not here"
BUILD = Path(os.environ.get("TANDEM_BUILD", TOP / "build"))
IS_SANITIZED = "san" in BUILD.name
SLOW_ONCE_MS = 100


class Ports:
    """The ports of this process. They lie below the kernel's range for outgoing connections (32768 and up): a connection of
    anybody's cannot take one between our choice and its use, or while a switch restarts. Processes share them out in slots; a
    slot is held by an abstract socket, which ends with the process. Ports come around only after all of the slot were given."""
    SLOTS, BASE, COUNT, RTP_BASE, RTP_COUNT = 12, 10000, 800, 20000, 1000

    def __init__(self):
        self.hold = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        for slot in range(self.SLOTS):
            try:
                self.hold.bind(f"\0tandem-test-ports-{slot}")
                break
            except OSError as e:
                if e.errno != errno.EADDRINUSE:
                    raise
        else:
            raise RuntimeError(f"{self.SLOTS} other test processes hold all ports")
        self.first = self.next = self.BASE + slot * self.COUNT
        self.rtp_start = self.RTP_BASE + slot * self.RTP_COUNT

    @staticmethod
    def is_free(port):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with socket.socket(socket.AF_INET, kind) as s:
                try:
                    s.bind(("0.0.0.0", port))
                except OSError:
                    return False
        return True

    def take(self, count):
        for _ in range(self.COUNT):
            if self.next + count > self.first + self.COUNT:
                self.next = self.first
            port = self.next
            if all(self.is_free(port + i) for i in range(count)):
                self.next = port + count
                return port
            self.next += 1
        raise RuntimeError(f"all ports from {self.first} on are in use")


_ports = None


def _own_ports():
    global _ports
    _ports = _ports or Ports()
    return _ports


def free_port(count=1):
    """A port (with count - 1 free ones after it), UDP and TCP, that nobody uses and nobody else will take."""
    return _own_ports().take(count)


def until(fn, seconds=20, every=0.02):
    """Waits for what tells nobody that it has come: a file, a row of a table, a figure; what fn says of it then."""
    end = time.monotonic() + seconds
    while not (found := fn()):
        assert time.monotonic() < end, found
        time.sleep(every)
    return found


class Esl:
    """A small event-socket client: enough to drive tests; real clients are tested elsewhere."""

    def __init__(self, port, password, timeout=20):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.buf = b""
        self.events = []
        assert self.read()[0]["Content-Type"] == "auth/request"
        reply = self.command(f"auth {password}")
        assert reply[0].get("Reply-Text", "").startswith("+OK"), reply

    def _fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("event socket closed")
        self.buf += data

    def read(self):
        while b"\n\n" not in self.buf:
            self._fill()
        head, self.buf = self.buf.split(b"\n\n", 1)
        headers = dict(line.split(": ", 1) for line in head.decode().split("\n") if ": " in line)
        n = int(headers.get("Content-Length", 0))
        while len(self.buf) < n:
            self._fill()
        body, self.buf = self.buf[:n], self.buf[n:]
        return headers, body.decode(errors="replace")

    def _reply(self):
        while True:
            headers, body = self.read()
            if headers["Content-Type"].startswith("text/event"):
                self.events.append(self.parse(body))
                continue
            if headers["Content-Type"] == "log/data":
                continue
            return headers, body

    @staticmethod
    def parse(body):
        from urllib.parse import unquote
        head, _, rest = body.partition("\n\n")
        e = {}
        for line in head.split("\n"):
            if ": " in line:
                k, v = line.split(": ", 1)
                e.setdefault(k, unquote(v))
        e["_body"] = rest
        return e

    def command(self, text):
        self.sock.sendall(text.encode() + b"\n\n")
        return self._reply()

    def api(self, text):
        return self.command("api " + text)[1]

    def subscribe(self, names="ALL"):
        headers, _ = self.command(f"event plain {names}")
        assert headers["Reply-Text"].startswith("+OK"), headers

    def next_event(self, timeout=15):
        """The next event, whatever it is."""
        self.sock.settimeout(timeout)
        while not self.events:
            headers, body = self.read()
            if headers["Content-Type"].startswith("text/event"):
                self.events.append(self.parse(body))
        self.sock.settimeout(20)
        return self.events.pop(0)

    def wait_event(self, name, timeout=15, **match):
        """The next event of that name whose headers match (underscores stand for hyphens)."""
        deadline = time.monotonic() + timeout
        seen = []
        while True:
            while self.events:
                e = self.events.pop(0)
                seen.append(e.get("Event-Name"))
                if e.get("Event-Name") == name and all(e.get(k.replace("_", "-")) == v for k, v in match.items()):
                    return e
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"no {name} {match} within {timeout} s; seen: {seen[-30:]}")
            self.sock.settimeout(left)
            try:
                headers, body = self.read()
            except socket.timeout:
                continue
            finally:
                self.sock.settimeout(20)
            if headers["Content-Type"].startswith("text/event"):
                self.events.append(self.parse(body))

    def close(self):
        self.sock.close()


class Tandem:
    def __init__(self, root, flavour="conf", env=None, binary=None, now=None, zone=None):
        """now: what its wall clock shows when it is made ("2026-11-22 12:00:00", in that zone), else the time of the tests."""
        self.root = Path(root)
        self.flavour = flavour
        self.binary = binary or BUILD / "tandem"
        self.sip_port = free_port(count=2)
        self.ext_port = free_port(count=2)
        self.esl_port = free_port()
        self.http_port = free_port()
        self.rtp_start = 0
        self.env = dict(os.environ, **(env or {}))
        if now:
            self.env.update(clock.environment(now, zone, self.env))
        self.proc = None
        self._esl = None
        self.domain = "127.0.0.1"
        self._prepare()

    def _prepare(self):
        self.root.mkdir(parents=True, exist_ok=True)
        self.rtp_start = _own_ports().rtp_start
        if self.flavour == "conf":
            subprocess.run([TOP / "tools/make-instance", self.root], check=True)
            self.env.update(TANDEM_IP="127.0.0.1", TANDEM_SIP_PORT=str(self.sip_port), TANDEM_EXT_SIP_PORT=str(self.ext_port),
                            TANDEM_ESL_PORT=str(self.esl_port), TANDEM_HTTP_PORT=str(self.http_port), TANDEM_RTP_START=str(self.rtp_start),
                            TANDEM_RTP_END=str(self.rtp_start + Ports.RTP_COUNT - 1))
            (self.root / "conf/dialplan/default/tests.xml").write_text(
                '<include>\n<extension name="short_timeout"><condition field="destination_number" expression="^9(10[01][0-9])$">'
                '<action application="set" data="call_timeout=2"/><action application="bridge" data="user/$1@$${domain}"/>'
                '</condition></extension>\n</include>\n')
            text = (self.root / "conf/passwords.xml").read_text()
            self.passwords = dict(re.findall(r"password_(\d+)=([^\"]+)", text))
            self.esl_password = re.search(r"esl_password=([^\"]+)", text).group(1)
        else:
            self._prepare_vanilla()

    def _prepare_vanilla(self):
        """The stock configuration with the addresses, ports and the password changed that the golden recordings changed; ours of its
        shape asks no outside server and has no IPv6."""
        conf = self.root / "conf"
        if not conf.exists():
            shutil.copytree(VANILLA, conf)
            for d in ("db", "log", "run", "recordings", "storage", "cache"):
                (self.root / d).mkdir(exist_ok=True)

            def edit(name, *pairs):
                p = conf / name
                t = p.read_text()
                for old, new in pairs:
                    assert re.search(old, t), (name, old)
                    t = re.sub(old, new, t)
                p.write_text(t)

            edit("vars.xml", (r"default_password=1234", "default_password=lab1234"),
                 (r"internal_sip_port=5060", f"internal_sip_port={self.sip_port}"),
                 (r"external_sip_port=5080", f"external_sip_port={self.ext_port}"),
                 (r"<include>", '<include>\n<X-PRE-PROCESS cmd="set" data="local_ip_v4=127.0.0.1"/>'))
            edit("autoload_configs/event_socket.conf.xml", (r'name="listen-ip" value="[^"]*"', 'name="listen-ip" value="127.0.0.1"'),
                 (r'name="listen-port" value="8021"', f'name="listen-port" value="{self.esl_port}"'))
            edit("autoload_configs/switch.conf.xml",
                 (r"<settings>", f'<settings>\n<param name="rtp-start-port" value="{self.rtp_start}"/>'
                                 f'<param name="rtp-end-port" value="{self.rtp_start + Ports.RTP_COUNT - 1}"/>'))
            if VANILLA.parent == SHARED:
                edit("vars.xml", (r'cmd="stun-set" data="external_rtp_ip=[^"]*"', 'cmd="set" data="external_rtp_ip=127.0.0.1"'),
                     (r'cmd="stun-set" data="external_sip_ip=[^"]*"', 'cmd="set" data="external_sip_ip=127.0.0.1"'))
                edit("directory/default.xml", (r",\$\{verto_contact\([^)]*\)\}", ""))
                edit("sip_profiles/internal.xml", (r'"ws-binding"(\s+)value=":5066"', f'"ws-binding"\\1value=":{free_port()}"'),
                     (r'"wss-binding"(\s+)value=":7443"', f'"wss-binding"\\1value=":{free_port()}"'))
                for p in ("sip_profiles/internal-ipv6.xml", "sip_profiles/external-ipv6.xml"):
                    (conf / p).unlink()
        self.passwords = {str(n): "lab1234" for n in range(1000, 1020)}
        self.esl_password = "ClueCon"

    def start(self, timeout=20):
        args = [str(Path(self.binary).resolve()), "-nonat", "-nf", "-base", str(Path(self.root).resolve())]
        self.out = open(self.root / "console.txt", "ab")
        # what is named without a folder (the application mkdir) lies in the instance
        self.proc = subprocess.Popen(args, env=self.env, cwd=self.root, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out)
        deadline = time.monotonic() + timeout
        while True:  # ready when the event socket takes a login
            try:
                self._esl = Esl(self.esl_port, self.esl_password)
                if self._esl.api("fsctl ready_check").strip() == "true":
                    return self
                self._esl.close()
            except (OSError, EOFError):
                pass
            if self.proc.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"tandem did not start: exit {self.proc.poll()}\n{self.console()[-4000:]}")
            time.sleep(0.02)

    def console(self):
        return (self.root / "console.txt").read_text(errors="replace")

    @property
    def log_text(self):
        name = "tandem.log" if self.flavour == "conf" else "freeswitch.log"
        p = self.root / "log" / name
        return p.read_text(errors="replace") if p.exists() else ""

    def api(self, text):
        return self._esl.api(text)

    def esl(self):
        return Esl(self.esl_port, self.esl_password)

    def wait_calls(self, count=0, timeout=15):
        """Until `show channels count` says count."""
        deadline = time.monotonic() + timeout
        while True:
            got = int(re.search(r"(\d+) total", self.api("show channels count")).group(1))
            if got == count:
                return
            assert time.monotonic() < deadline, f"{got} channels, not {count}:\n{self.api('show channels')}"
            time.sleep(0.05)

    def wait_registered(self, user, timeout=15):
        deadline = time.monotonic() + timeout
        while f"{user}," not in self.api("show registrations"):
            assert time.monotonic() < deadline, f"{user} did not register\n{self.api('show registrations')}"
            time.sleep(0.05)

    def wait_log(self, text, count=1, timeout=10):
        """Until the log has the text (or the pattern's match) so often: lines are written a little later."""
        pattern = re.compile(text if isinstance(text, re.Pattern) else re.escape(text))
        deadline = time.monotonic() + timeout
        while len(pattern.findall(self.log_text)) < count:
            assert time.monotonic() < deadline, f"not in the log: {text}"
            time.sleep(0.02)

    def kill(self):
        self.proc.kill()
        self.proc.wait()
        self._esl.close()

    def _check_slow(self, text):
        """No handler is slow. A host that takes the virtual CPU away counts as a handler's own time, so one short
        report is the machine's; the same name twice, or a long one, is ours."""
        lines = {l for l in (text + self.log_text).split("\n") if "slow handler" in l}
        names = collections.Counter(re.search(r"slow handler (.*?) took", l)[1] for l in lines)
        long = [l for l in lines if int(re.search(r"took (\d+) ms", l)[1]) >= SLOW_ONCE_MS]
        assert not long and all(n == 1 for n in names.values()), sorted(lines)

    def stop(self, check=True, may_be_slow=False):
        if not self.proc or self.proc.poll() is not None:
            assert not check, f"tandem ended by itself: exit {self.proc and self.proc.returncode}\n{self.console()[-6000:]}"
            return
        self.proc.send_signal(signal.SIGTERM)
        try:
            self.proc.wait(30)
        except subprocess.TimeoutExpired:
            self.proc.send_signal(signal.SIGABRT)
            self.proc.wait()
            raise AssertionError(f"tandem did not stop on TERM\n{self.console()[-4000:]}")
        self._esl.close()
        self.out.close()
        if check:
            text = self.console()
            assert self.proc.returncode == 0, f"exit {self.proc.returncode}\n{text[-6000:]}"
            for bad in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer",
                        "still open at loop_fini", "still alive at the end"):
                assert bad not in text, text[-8000:]
            if not IS_SANITIZED and not may_be_slow:  # a sanitizer makes everything slow
                self._check_slow(text)
