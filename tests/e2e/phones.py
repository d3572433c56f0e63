"""Real phones without sound cards: baresip and linphone, each sending a tone from a file and recording what it hears."""
import contextlib
import json
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
from tandem import free_port

RATE = 8000


def write_tone(path, hz, seconds=60, level=8000):
    import wave
    t = np.arange(int(RATE * seconds)) / RATE
    data = (level * np.sin(2 * np.pi * hz * t)).astype("<i2")
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(RATE)
        w.writeframes(data.tobytes())


def read_sides(path):
    """The channels as floats and the rate; tolerant of a header whose sizes were never filled in."""
    raw = Path(path).read_bytes()
    at = raw.find(b"fmt ")
    channels = int.from_bytes(raw[at + 10:at + 12], "little")
    rate = int.from_bytes(raw[at + 12:at + 16], "little")
    at = raw.find(b"data")
    body = raw[at + 8:]
    body = body[:len(body) // (2 * channels) * 2 * channels]
    return np.frombuffer(body, "<i2").astype(float).reshape(-1, channels).T, rate


def read_wav(path):
    """The same of the first channel."""
    sides, rate = read_sides(path)
    return sides[0], rate


def tone_level(x, rate, hz):
    """Amplitude of hz in each 20 ms of x."""
    n = rate // 50
    frames = x[:len(x) // n * n].reshape(-1, n)
    t = np.arange(n) / rate
    return 2 * np.abs(frames @ np.exp(-2j * np.pi * hz * t)) / n


class Waits:
    """How long phones wanted a CPU and had none, from the beginning to done(): as long may they have been silent, whatever the switch
    did. Nothing to speak of on a machine with nothing else to do."""

    def __init__(self, *phones):
        self.phones, self.seconds = phones, 0.0
        self.before = self._delays()

    def _delays(self):
        out = {}
        for p in self.phones:
            for task in Path(f"/proc/{p.proc.pid}/task").glob("*/schedstat"):
                try:
                    out[str(task)] = int(task.read_text().split()[1]) / 1e9
                except OSError:
                    pass  # a thread that has just ended
        return out

    def done(self):
        """While the threads of the call are there."""
        self.seconds = sum(d - self.before.get(task, 0) for task, d in self._delays().items())
        return self.seconds


def assert_hears(path, hz, level=8000, seconds=1.0, not_hz=None, waited_s=0.0):
    """The recording holds the tone at its level for a while, with no gap over 40 ms in it. waited_s: Waits."""
    seconds = max(seconds - waited_s, min(seconds, 0.3))
    x, rate = read_wav(path)
    a = tone_level(x, rate, hz)
    good = a > level * 0.5
    assert good.any(), f"{path}: {hz} Hz is not heard; {len(x) / rate:.2f} s, strongest {np.abs(x).max() if len(x) else 0}"
    first, last = np.flatnonzero(good)[[0, -1]]
    inside = good[first:last + 1]
    assert inside.sum() * 0.02 >= seconds, f"{path}: {hz} Hz for only {inside.sum() * 0.02:.2f} s of {len(x) / rate:.2f}"
    median = np.median(a[first:last + 1][inside])
    assert level * 0.8 < median < level * 1.2, f"{path}: level {median:.0f}, not about {level}"
    run = longest = 0
    for g in inside:
        run = 0 if g else run + 1
        longest = max(longest, run)
    assert longest * 0.02 <= 0.04 + waited_s, f"{path}: a gap of {longest * 20} ms in {hz} Hz; the phones waited {waited_s * 1000:.0f} ms for a CPU"
    if not_hz:
        assert tone_level(x, rate, not_hz).max(initial=0) < level * 0.2, f"{path}: {not_hz} Hz is heard too"


class Baresip:
    """baresip with ctrl_tcp: commands as JSON netstrings, events likewise."""

    def __init__(self, root, switch, user, hz=440, codecs="PCMU", answer="manual", password=None, host="127.0.0.1", port=None,
                 transport="udp", params="", watches=(), extra_modules=(), has_rtcp_mux=False):
        """host, port: the profile it registers at; it has that address itself. params: more of its account. watches: numbers
        whose presence it subscribes to."""
        self.at = f"[{host}]" if ":" in host else host
        self.server = f"{self.at}:{port or switch.sip_port}"
        self.dir = Path(root) / f"baresip-{user}-{free_port()}"
        self.dir.mkdir(parents=True)
        self.user = user
        # baresip listens for TLS on the port after the one for SIP
        self.sip_port, self.ctrl_port, self.rtp_port = free_port(count=2), free_port(), free_port(count=8)
        write_tone(self.dir / "tone.wav", hz)
        modules = "".join(f"module {m}.so\n" for m in ("g711", "g722", "g726", "gsm", "opus", "aufile", "aubridge", "sndfile", *extra_modules))
        apps = "module_app contact.so\nmodule_app presence.so\nmodule_app mwi.so\n" if watches else ""
        (self.dir / "config").write_text(
            f"module_path /usr/lib/baresip/modules\n{modules}module_app account.so\n{apps}module_app menu.so\nmodule_app ctrl_tcp.so\n"
            f"ctrl_tcp_listen 127.0.0.1:{self.ctrl_port}\nsip_listen {self.at}:{self.sip_port}\nnet_interface {host}\n"
            f"audio_source aufile,{self.dir}/tone.wav\naudio_player aubridge,sink\naudio_alert aubridge,alert\n"
            f"audio_buffer 20-160\nausrc_srate 8000\nausrc_channels 1\nauplay_srate 8000\nauplay_channels 1\n"
            f"rtp_ports {self.rtp_port}-{self.rtp_port + 100}\nsnd_path {self.dir}\ncall_max_calls 4\nrtcp_mux {'yes' if has_rtcp_mux else 'no'}\n"
            "jitter_buffer_delay 2-4\nmenu_bell no\n")
        (self.dir / "contacts").write_text(
            "".join(f'"{w}" <sip:{w}@127.0.0.1:{switch.sip_port}>;presence=p2p\n' for w in watches))
        (self.dir / "accounts").write_text(
            f"<sip:{user}@{self.server};transport={transport}>;auth_user={user};auth_pass={password or switch.passwords[user]};"
            f"answermode={answer};audio_codecs={codecs};regint=120;ptime=20{params}\n")
        self.out = open(self.dir / "out.txt", "wb")
        self.proc = subprocess.Popen(["baresip", "-f", str(self.dir)], stdin=subprocess.DEVNULL, stdout=self.out,
                                     stderr=subprocess.STDOUT)
        self.events = []
        self.more = threading.Condition()
        self.switch = switch
        with self._unanswered() if watches else contextlib.nullcontext():
            self._connect()
        switch.wait_registered(user)

    @contextlib.contextmanager
    def _unanswered(self):
        """The switch is held until baresip's loop has run for a while: its module mwi subscribes without end, and baresip does nothing
        else any more, where the answer to REGISTER comes within the loop's first millisecond."""
        self.switch.proc.send_signal(signal.SIGSTOP)
        try:
            yield
            end = time.monotonic() + 0.02
            while time.monotonic() < end:
                self.ask("reginfo")
        finally:
            self.switch.proc.send_signal(signal.SIGCONT)

    def ask(self, name, timeout=10):
        """A command's reply."""
        def reply():
            return next((e for e in self.events if e.get("token") == name), None)
        self.command(name)
        with self.more:
            assert self.more.wait_for(reply, timeout), f"{self.user}: no reply to {name}\n{self.text()[-3000:]}"
            e = reply()
            self.events.remove(e)
        return e

    def _connect(self):
        deadline = time.monotonic() + 10
        while True:
            try:
                self.sock = socket.create_connection(("127.0.0.1", self.ctrl_port), 5)
                self.sock.settimeout(None)
                break
            except OSError:
                assert time.monotonic() < deadline and self.proc.poll() is None, self.text()
                time.sleep(0.05)
        threading.Thread(target=self._reader, daemon=True).start()

    def _reader(self):
        buf = b""
        while True:
            try:
                data = self.sock.recv(65536)
            except OSError:
                return
            if not data:
                return
            buf += data
            while b":" in buf:
                n, rest = buf.split(b":", 1)
                if len(rest) < int(n) + 1:
                    break
                with self.more:
                    self.events.append(json.loads(rest[:int(n)]))
                    self.more.notify_all()
                buf = rest[int(n) + 1:]

    def text(self):
        return (self.dir / "out.txt").read_text(errors="replace")

    def command(self, name, params=""):
        body = json.dumps({"command": name, "params": params, "token": name}).encode()
        self.sock.sendall(b"%d:%s," % (len(body), body))

    def wait(self, kind, timeout=15):
        """The next event of that type (CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED ...)."""
        deadline = time.monotonic() + timeout
        with self.more:
            while True:
                for i, e in enumerate(self.events):
                    if e.get("type") == kind:
                        return self.events.pop(i)
                left = deadline - time.monotonic()
                if left <= 0 or not self.more.wait(left):
                    raise AssertionError(f"{self.user}: no {kind}; {self.events}\n{self.text()[-3000:]}")

    def dial(self, number):
        with self.more:
            self.events.clear()  # an earlier call's
        self.command("dial", f"sip:{number}@{self.server}")

    def answer(self):
        self.wait("CALL_INCOMING")
        with self.more:
            self.events = [e for e in self.events if e.get("type") != "CALL_CLOSED"]  # an earlier call's
        self.command("accept")

    def hangup(self):
        self.command("hangup")

    def hold(self):
        self.command("hold")

    def resume(self):
        self.command("resume")

    def digits(self, text):
        for d in text:
            self.command("sndcode", d)
            time.sleep(0.25)  # a digit lasts 100 ms and needs a pause; baresip tells no end of it

    def heard(self):
        """What it decoded in its last call."""
        files = sorted(self.dir.glob("dump-*-dec.wav"), key=lambda p: p.stat().st_mtime)
        assert files, f"{self.user} recorded nothing\n{self.text()[-3000:]}"
        return files[-1]

    def close(self):
        if self.proc.poll() is None:
            self.command("quit")
            try:
                self.proc.wait(5)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        self.sock.close()
        self.out.close()


class Linphone:
    """linphonec driven by its prompt; sound from and to files."""

    def __init__(self, root, switch, user, hz=620, password=None, transport="udp", host="127.0.0.1", port=None, watches=(), encryption="none"):
        """watches: numbers that are its friends. encryption: none, or srtp, which it then insists on."""
        at = f"[{host}]" if ":" in host else host
        self.server = f"{at}:{port or switch.sip_port}" + ("" if transport == "udp" else f";transport={transport}")
        self.dir = Path(root) / f"linphone-{user}-{free_port()}"
        self.dir.mkdir(parents=True)
        self.user, self.switch = user, switch
        write_tone(self.dir / "tone.wav", hz)
        self.sip_port, self.rtp_port = free_port(), free_port(count=4)
        self.params = "" if transport == "udp" else f";transport={transport}"
        ports = {"udp": 0, "tcp": 0, "tls": 0, transport: self.sip_port}
        (self.dir / "rc").write_text(
            f"[sip]\nsip_port={ports['udp']}\nsip_tcp_port={ports['tcp']}\nsip_tls_port={ports['tls']}\nverify_server_certs=0\nverify_server_cn=0\n"
            f"use_ipv6={int(':' in host)}\nguess_hostname=0\n"
            f"contact=\"{user}\" <sip:{user}@{at}:{self.sip_port}{self.params}>\nmedia_encryption={encryption}\nmedia_encryption_mandatory={int(encryption != 'none')}\nregister_only_when_network_is_up=0\n"
            f"auto_net_state_mon=0\n[net]\nmtu=1300\nstun_server=\nfirewall_policy=0\n[rtp]\naudio_rtp_port={self.rtp_port}\n"
            "[sound]\necholimiter=0\nechocancellation=0\nagc=0\n[video]\nenabled=0\n[misc]\nuuid=0\n"
            + "".join(f'[friend_{i}]\nurl="{w}" <sip:{w}@127.0.0.1:{switch.sip_port}>\npol=accept\nsubscribe=1\n' for i, w in enumerate(watches)))
        self.out = open(self.dir / "out.txt", "wb")
        (self.dir / ".local/share/linphone").mkdir(parents=True)
        env = {"HOME": str(self.dir), "PATH": "/usr/bin:/bin", "LANG": "C"}
        self.proc = subprocess.Popen(["linphonec", "-c", str(self.dir / "rc"), "-S"], stdin=subprocess.PIPE,
                                     stdout=self.out, stderr=subprocess.STDOUT, env=env, cwd=self.dir)
        self.seen = 0
        self.calls = 0
        self.say("soundcard use files")
        self.new_record()
        self.say(f"play {self.dir}/tone.wav")
        self.say(f"register sip:{user}@{at} sip:{self.server} {password or switch.passwords[user]}")
        switch.wait_registered(user)

    def text(self):
        return (self.dir / "out.txt").read_text(errors="replace")

    def say(self, line):
        self.proc.stdin.write(line.encode() + b"\n")
        self.proc.stdin.flush()

    def wait(self, regexp, timeout=15):
        deadline = time.monotonic() + timeout
        while True:
            m = re.search(regexp, self.text()[self.seen:])
            if m:
                self.seen += m.end()
                return m
            assert time.monotonic() < deadline and self.proc.poll() is None, f"linphone: no '{regexp}'\n{self.text()[-4000:]}"
            time.sleep(0.05)

    def new_record(self):
        """linphone appends to a file it already has: one for each call."""
        self.calls += 1
        self.record = self.dir / f"heard-{self.calls}.wav"
        self.say(f"record {self.record}")

    def dial(self, number):
        self.say(f"call sip:{number}@{self.server}")

    def answer(self):
        self.wait(r"LinphoneCallIncomingReceived|contacting you|Receiving new incoming call")
        self.say("answer")

    def established(self):
        self.wait(r"LinphoneCallStreamsRunning|connected\.")

    def ended(self):
        self.wait(r"LinphoneCallEnd|LinphoneCallReleased|ended|Call terminated")

    def hangup(self):
        self.say("terminate")

    def hold(self):
        self.say("pause")

    def resume(self):
        self.say("resume 1")

    def digits(self, text):
        for d in text:
            self.say(d)
            time.sleep(0.4)

    def heard(self):
        """What the last call brought, once linphone has written it all; the next call gets a new file."""
        path = self.record
        deadline = time.monotonic() + 10
        while not path.exists() or not path.stat().st_size or self._has_open(path):
            assert time.monotonic() < deadline and self.proc.poll() is None, f"linphone does not finish {path}\n{self.text()[-4000:]}"
            time.sleep(0.02)
        self.new_record()
        return path

    def _has_open(self, path):
        for fd in Path(f"/proc/{self.proc.pid}/fd").iterdir():
            try:
                if fd.readlink() == path:
                    return True
            except OSError:
                pass  # closed meanwhile
        return False

    def close(self):
        if self.proc.poll() is None:
            try:
                self.say("quit")
                self.proc.wait(8)
            except (subprocess.TimeoutExpired, BrokenPipeError):
                self.proc.kill()
                self.proc.wait()
        self.out.close()
