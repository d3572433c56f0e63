"""Debian's Kamailio as the proxy between phones and a switch: stateful, in the route of both sides' dialogs, asking for a password where told."""
import tandem as t
from kamailio import Daemon

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


class Kamailio(Daemon):
    def __init__(self, folder, switch_port, asks=False, timer_ms=2000, ring_ms=5000):
        self.port = t.free_port()
        login = ('if (!pv_proxy_authenticate("atlanta.example.com", "lab1234", "0")) '
                 '{ proxy_challenge("atlanta.example.com", "1"); exit; }') if asks else "$var(a) = 1;"
        super().__init__(folder, CONFIG.format(port=self.port, switch=switch_port, timer_ms=timer_ms, ring_ms=ring_ms, login=login))
        self.start(self.port)
