"""Database servers and brokers of a test's own: the real thing, on a free port of loopback, in a folder of its own, ended by pid."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import clock
import pytest
from tandem import free_port

# a server shows the true time, whatever the test's clock says
ENV = clock.real(os.environ)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Server:
    """One process and its children: started, stopped for a while (SIGSTOP), killed, started again."""
    user = None  # who runs it where the test is root

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix=f"tandem-{type(self).__name__.lower()}-", dir="/tmp"))  # pytest's are root's alone
        self.port = free_port()
        self.proc = None
        self.own_env = dict(ENV, TMPDIR=str(self.folder))  # the tests' own temporary folder is root's alone
        if self.user and os.getuid() == 0:
            shutil.chown(self.folder, self.user)

    def as_user(self, *args):
        args = [str(a) for a in args]
        return ["setpriv", "--reuid", self.user, "--regid", self.user, "--clear-groups", *args] if self.user and os.getuid() == 0 else args

    def run(self, *args, **kw):
        return subprocess.run(self.as_user(*args), cwd=self.folder, env=self.own_env, check=True, capture_output=True, text=True, **kw).stdout

    def launch(self, *args, env=None):
        with open(self.folder / "server.log", "ab") as log:
            self.proc = subprocess.Popen(self.as_user(*args), cwd=self.folder, env=env or self.own_env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         start_new_session=True)

    def wait_ready(self, is_ready, seconds=60):
        deadline = time.monotonic() + seconds
        while not is_ready():
            assert self.proc.poll() is None and time.monotonic() < deadline, (self.folder / "server.log").read_text()[-3000:]
            time.sleep(0.05)

    def pids(self):
        """It and what comes of it: a database is many processes, each of a session of its own."""
        parents = {}
        for p in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(p.parent.name)] = int(p.read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                pass
        found = [self.proc.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    def signal_all(self, sig):
        for pid in self.pids():
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                pass

    def stall(self):
        self.signal_all(signal.SIGSTOP)

    def go_on(self):
        self.signal_all(signal.SIGCONT)

    def kill(self):
        pids = self.pids()
        self.signal_all(signal.SIGKILL)
        self.proc.wait()
        deadline = time.monotonic() + 20
        while any(Path(f"/proc/{p}").exists() for p in pids) and time.monotonic() < deadline:
            time.sleep(0.02)

    def end(self):
        if self.proc and self.proc.poll() is None:
            self.go_on()
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Server):
    user = "postgres"
    BIN = Path("/usr/lib/postgresql/15/bin")

    def __init__(self):
        if not (self.BIN / "initdb").exists():
            pytest.skip("postgresql is not installed")
        super().__init__()
        self.password = "sesame's"
        (self.folder / "pw").write_text(self.password)
        self.run(self.BIN / "initdb", "-D", self.folder / "data", "-U", "tandem", "--pwfile", self.folder / "pw", "-A", "scram-sha-256", "-N",
                 "-E", "UTF8", "--locale", "C")
        self.start()
        self.psql("CREATE DATABASE switch", database="postgres")

    def start(self):
        self.launch(self.BIN / "postgres", "-D", self.folder / "data", "-p", self.port, "-h", "127.0.0.1", "-k", self.folder, "-c", "fsync=off",
                    "-c", "max_connections=120")
        self.wait_ready(lambda: answers(self.port) and self.is_up())
        return self

    def is_up(self):
        return subprocess.run(self.as_user(self.BIN / "pg_isready", "-q", "-h", "127.0.0.1", "-p", self.port), env=ENV).returncode == 0

    def psql(self, sql, database="switch"):
        env = dict(ENV, PGPASSWORD=self.password)
        return subprocess.run([str(self.BIN / "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "tandem", "-d", database, "-At", "-v",
                               "ON_ERROR_STOP=1", "-c", sql], env=env, check=True, capture_output=True, text=True).stdout.strip()

    @property
    def dsn(self):
        """As FreeSWITCH's users write it."""
        return f"pgsql://hostaddr=127.0.0.1 port={self.port} dbname=switch user=tandem password='{self.password.replace(chr(39), chr(92) + chr(39))}'"

    @property
    def uri(self):
        return f"postgresql://tandem:sesame%27s@localhost:{self.port}/switch"


@pytest.fixture(scope="module")
def postgres():
    s = Postgres()
    yield s
    s.end()


class Mariadb(Server):
    user = "mysql"

    def __init__(self):
        if not shutil.which("mariadbd"):
            pytest.skip("mariadb-server is not installed")
        super().__init__()
        self.password = "sesame"
        self.run("mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data", "--auth-root-authentication-method=normal", "--skip-test-db")
        self.start()
        self.sql("CREATE DATABASE switch; CREATE USER tandem@'127.0.0.1' IDENTIFIED BY 'sesame'; GRANT ALL ON switch.* TO tandem@'127.0.0.1'", "root", "")

    def start(self):
        self.launch("mariadbd", "--no-defaults", f"--datadir={self.folder}/data", f"--port={self.port}", "--bind-address=127.0.0.1",
                    f"--socket={self.folder}/s", f"--pid-file={self.folder}/pid", "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve")
        self.wait_ready(lambda: answers(self.port))
        return self

    def sql(self, text, user="tandem", database="switch"):
        password = ["-psesame"] if user == "tandem" else []
        where = ["-h", "127.0.0.1", "-P", str(self.port)] if user == "tandem" else ["-S", f"{self.folder}/s"]
        return subprocess.run(["mariadb", "--no-defaults", *where, "-u", user, *password, "-N", "-B", "-e", text, *([database] if database else [])],
                              env=ENV, check=True, capture_output=True, text=True).stdout.strip()

    @property
    def dsn(self):
        return f"mariadb://Server=127.0.0.1;Port={self.port};Database=switch;Uid=tandem;Pwd=sesame;"


@pytest.fixture(scope="module")
def mariadb():
    s = Mariadb()
    yield s
    s.end()


class Rabbit(Server):
    """RabbitMQ, with a node, a cookie and ports of its own; the test talks to it by AMQP itself (amqp_peer)."""
    user = "rabbitmq"

    def __init__(self):
        if not Path("/usr/lib/rabbitmq/bin/rabbitmq-server").exists():
            pytest.skip("rabbitmq-server is not installed")
        super().__init__()
        (self.folder / "rabbitmq.conf").write_text(f"listeners.tcp.default = 127.0.0.1:{self.port}\n")
        (self.folder / "plugins").write_text("[].\n")
        self.start()

    def env(self):
        return dict(ENV, HOME=str(self.folder), RABBITMQ_NODENAME=f"t{self.port}@localhost", RABBITMQ_CONFIG_FILE=f"{self.folder}/rabbitmq.conf",
                    RABBITMQ_MNESIA_BASE=f"{self.folder}/db", RABBITMQ_LOG_BASE=f"{self.folder}/log", RABBITMQ_ENABLED_PLUGINS_FILE=f"{self.folder}/plugins",
                    RABBITMQ_DIST_PORT=str(free_port()), RABBITMQ_PID_FILE=f"{self.folder}/pid", ERL_EPMD_PORT=str(self.epmd), RABBITMQ_CONF_ENV_FILE="/dev/null",
                    ERL_EPMD_ADDRESS="127.0.0.1", RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1:1 +sbwt none")

    def start(self):
        self.epmd = getattr(self, "epmd", None) or free_port()
        self.launch("/usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/sbin/rabbitmq-server", env=self.env())
        self.wait_ready(lambda: answers(self.port))
        return self

    def end(self):
        pids = set(self.pids()) if self.proc else set()
        super().end()
        for p in Path("/proc").glob("[0-9]*/environ"):  # its port mapper has let go of it
            try:
                if f"ERL_EPMD_PORT={self.epmd}".encode() in p.read_bytes():
                    pids.add(int(p.parent.name))
            except OSError:
                pass
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
