"""Debian's Kamailio as the proxy between phones and a switch: stateful, in the route of both sides' dialogs, asking for a password where told."""
import os
import shutil
import socket
import subprocess
import time

import tandem as t

CONFIG = """#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=2
tcp_children=2
auto_aliases=no
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
modparam("tm", "fr_timer", {timer_ms})
modparam("tm", "fr_inv_timer", {ring_ms})
request_route {{
    if (!mf_process_maxfwd_header("70")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK") && t_check_trans()) {{ t_relay(); exit; }}
        sl_send_reply("404", "Not here");
        exit;
    }}
    t_check_trans();
    if (is_method("INVITE") && $sp != {switch}) {{
        {login}
    }}
    if (is_method("INVITE|SUBSCRIBE")) record_route();
    if ($sp != {switch}) $du = "sip:127.0.0.1:{switch}";
    remove_hf("Route");
    if (!t_relay()) sl_reply_error();
}}
"""


class Kamailio:
    def __init__(self, folder, switch_port, asks=False, timer_ms=2000, ring_ms=5000):
        self.port = t.free_port()
        login = ('if (!pv_proxy_authenticate("atlanta.example.com", "lab1234", "0")) '
                 '{ proxy_challenge("atlanta.example.com", "1"); exit; }') if asks else "$var(a) = 1;"
        path = folder / "kamailio.cfg"
        path.write_text(CONFIG.format(port=self.port, switch=switch_port, timer_ms=timer_ms, ring_ms=ring_ms, login=login))
        self.log = open(folder / "kamailio.log", "ab")
        self.proc = subprocess.Popen([shutil.which("kamailio") or "/usr/sbin/kamailio", "-f", path, "-DD", "-E", "-m", "32", "-M", "4",
                                      "-P", folder / "kamailio.pid", "-Y", folder], stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 20
        while True:  # ready when it answers
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind(("127.0.0.1", 0))
            s.settimeout(0.2)
            me = s.getsockname()[1]
            s.sendto((f"OPTIONS sip:127.0.0.1:{self.port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{me};branch=z9hG4bKready{me}\r\nMax-Forwards: 0\r\n"
                      f"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: ready{me}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n").encode(),
                     ("127.0.0.1", self.port))
            try:
                assert b"483" in s.recv(4096)
                s.close()
                return
            except OSError:
                s.close()
            assert self.proc.poll() is None and time.monotonic() < deadline, (folder / "kamailio.log").read_text()[-3000:]

    def stop(self):
        self.proc.terminate()
        self.proc.wait(10)
        self.log.close()


def is_here():
    return bool(shutil.which("kamailio")) or os.path.exists("/usr/sbin/kamailio")
