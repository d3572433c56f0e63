"""Debian's coturn as the TURN server of a test, in a network of the test's."""
import os
import re
import shutil
import socket
import subprocess
import time

import pytest
from netns import Network, ip


@pytest.fixture(scope="module")
def networks():
    """(the phone's, the server's): no way from us to the phone's but by the server."""
    net = 10 + os.getpid() % 200
    try:
        far, server = Network(f"tf{os.getpid()}", net, 1), Network(f"ts{os.getpid()}", net, 2)
    except (subprocess.CalledProcessError, OSError) as e:
        pytest.skip(f"no network namespaces here: {e}")
    subprocess.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True)
    ip("-n", far.name, "route", "add", "blackhole", f"{far.here}/32")
    yield far, server
    far.close()
    server.close()


class Coturn:
    USER, PASSWORD, REALM, PORT, TLS_PORT = "lab", "a-long-one", "lab.example", 3478, 5349

    def __init__(self, tmp_path, network, *more, tls=None, port=PORT, secret=None, has_dtls=False):
        """tls: (key, certificate), PEM files; has_dtls: on that port, too. secret: time-limited credentials instead of the user's."""
        if not shutil.which("turnserver"):
            pytest.skip("coturn is not installed")
        self.network, self.log, self.port = network, tmp_path / "turn.log", port
        self.address = network.address
        (tmp_path / "turn.conf").write_text("")
        self.out = self.log.open("w")
        self.p = subprocess.Popen(
            ["ip", "netns", "exec", network.name, "turnserver", "-n", "--listening-ip", self.address, "--listening-port", str(port),
             "--relay-ip", self.address, *(["--use-auth-secret", "--static-auth-secret", secret] if secret else
                                           ["--lt-cred-mech", "--user", f"{self.USER}:{self.PASSWORD}"]), "--realm", self.REALM, *([] if has_dtls else ["--no-dtls"]),
             *(["--tls-listening-port", str(self.TLS_PORT), "--pkey", str(tls[0]), "--cert", str(tls[1])] if tls else ["--no-tls"]),
             "--no-cli", "--no-stdout-log", "--log-file", str(tmp_path / "coturn.log"), "--simple-log", "--verbose",
             "--pidfile", str(tmp_path / "turn.pid"), "--userdb", str(tmp_path / "turndb"), *more],
            stdout=self.out, stderr=subprocess.STDOUT, cwd=tmp_path)
        self.log = tmp_path / "coturn.log"
        self._wait()

    def _wait(self):
        """Until it answers a binding request."""
        with self.network.inside():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(0.1)
        for _ in range(100):
            try:
                s.sendto(bytes([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]) + bytes(12), (self.address, self.port))
                s.recv(600)
                s.close()
                return
            except OSError:
                assert self.p.poll() is None, "coturn ended"
        raise AssertionError("coturn does not answer")

    def text(self):
        return self.log.read_text() if self.log.exists() else ""

    def wait(self, what, count=1, timeout=10):
        self.wait_match(re.escape(what), count, timeout)

    def wait_match(self, pattern, count=1, timeout=10):
        until = time.monotonic() + timeout
        while len(re.findall(pattern, self.text())) < count:
            assert time.monotonic() < until, self.text()[-3000:]
            time.sleep(0.05)  # another program's log has no event

    def close(self):
        if self.p.poll() is None:
            self.p.terminate()
            self.p.wait(10)
        self.out.close()
