"""Servers of Debian's packages that a test starts for itself: in a folder of its own, on loopback, ended by their process."""
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
import tandem as t

SLAPD_CONF = """include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {dir}/slapd.pid
argsfile {dir}/slapd.args
database mdb
suffix "o=example"
rootdn "cn=admin,o=example"
rootpw secret
directory {dir}/data
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
"""


class Server:
    def __init__(self, folder, port=None):
        self.dir, self.port, self.proc = Path(folder), port or t.free_port(), None
        self.dir.mkdir(parents=True, exist_ok=True)

    def start(self):
        self.proc = subprocess.Popen(self.command(), cwd=self.dir, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 15
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                assert self.proc.poll() is None and time.monotonic() < deadline, f"{self.command()[0]} does not start"
                time.sleep(0.02)

    def stop(self):
        if self.proc:
            self.proc.kill()
            self.proc.wait()
            self.proc = None

    def stall(self, is_stalled=True):
        import signal
        self.proc.send_signal(signal.SIGSTOP if is_stalled else signal.SIGCONT)


def need(program):
    if not shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"):
        pytest.skip(f"{program} is not installed")


class Slapd(Server):
    def __init__(self, folder):
        need("slapd")
        super().__init__(folder)
        (self.dir / "data").mkdir(exist_ok=True)
        (self.dir / "slapd.conf").write_text(SLAPD_CONF.format(dir=self.dir))

    def command(self):
        return ["/usr/sbin/slapd", "-d", "0", "-f", str(self.dir / "slapd.conf"), "-h", f"ldap://127.0.0.1:{self.port}/"]

    def add(self, ldif):
        subprocess.run(["ldapadd", "-x", "-H", f"ldap://127.0.0.1:{self.port}/", "-D", "cn=admin,o=example", "-w", "secret"],
                       input=ldif.encode(), check=True, stdout=subprocess.DEVNULL)

    def modify(self, ldif):
        subprocess.run(["ldapmodify", "-x", "-H", f"ldap://127.0.0.1:{self.port}/", "-D", "cn=admin,o=example", "-w", "secret"],
                       input=ldif.encode(), check=True, stdout=subprocess.DEVNULL)


class Redis(Server):
    def __init__(self, folder):
        need("redis-server")
        super().__init__(folder)

    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.dir), "--save", "", "--appendonly", "no",
                "--requirepass", "lab"]


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    s = Redis(tmp_path_factory.mktemp("redis")).start()
    yield s
    s.stop()


class Memcached(Server):
    def __init__(self, folder):
        need("memcached")
        super().__init__(folder)

    def command(self):
        return ["memcached", "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-u", "root"]
