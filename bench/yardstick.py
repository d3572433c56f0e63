"""The yardstick: Debian's Kamailio as registrar with digest and as stateful proxy with Record-Route, on the switch's core, offered the
same load. It is a proxy, without media, records or a second dialog, so it does less a call; what it does per message is
comparable. All workers share the one core, as the switch's threads do."""
import atexit
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from switch import SWITCH_CORE, Switch, cpu_of, free_port, pinned

PROGRAM = Path("/usr/sbin/kamailio")
WORKERS = 2
CONFIG = """#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=%(workers)d
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.1:%(port)d
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)

request_route {
    if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
    if (has_totag()) { loose_route(); t_relay(); exit; }
    if (is_method("REGISTER")) {
        if (!pv_www_authenticate("127.0.0.1", "benchword", "0")) { www_challenge("127.0.0.1", "1"); exit; }
        save("location");
        exit;
    }
    if (!is_method("INVITE")) exit;
    record_route();
    $du = "sip:127.0.0.1:%(uas)d";
    t_relay();
}
"""


class Kamailio(Switch):
    """Takes the switch's place in a row: load() and core_busy_s count its whole core, as it is many processes."""

    def __init__(self):
        self.uas_port, self.sip_port = free_port(), free_port()
        self.ext_port = self.sip_port
        self.root = Path(tempfile.mkdtemp(prefix="tandem-bench-kamailio-"))
        atexit.register(shutil.rmtree, self.root, True)
        (self.root / "kamailio.cfg").write_text(CONFIG % {"port": self.sip_port, "uas": self.uas_port, "workers": WORKERS})

    def start(self):
        self.proc = pinned(SWITCH_CORE, lambda: subprocess.Popen(
            [PROGRAM, "-f", self.root / "kamailio.cfg", "-DD", "-E", "-m", "1024", "-M", "16", "-Y", self.root, "-P", self.root / "pid"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("127.0.0.1", 0))
        s.settimeout(0.2)
        me = f"127.0.0.1:{s.getsockname()[1]}"
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.proc.poll() is None:
            s.sendto((f"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bK1\r\nFrom: <sip:a@{me}>;tag=1\r\n"
                      f"To: <sip:127.0.0.1>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n").encode(), ("127.0.0.1", self.sip_port))
            try:
                s.recv(2000)
                s.close()
                return self
            except (TimeoutError, ConnectionRefusedError):
                time.sleep(0.05)
        raise AssertionError("kamailio did not start")

    def children(self):
        return [int(p) for p in Path(f"/proc/{self.proc.pid}/task/{self.proc.pid}/children").read_text().split()]

    def cpu_s(self):
        return sum(cpu_of(pid) for pid in [self.proc.pid, *self.children()])

    def memory_kb(self):
        return 0, 0  # shared memory is set aside at the start

    def settle(self):
        time.sleep(1)  # transactions of lost calls; nothing of it can be awaited

    def end(self):
        self.proc.terminate()
        self.proc.wait(20)
