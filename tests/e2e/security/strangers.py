"""What the tests of strangers at the doors share: settings of an instance, what the process uses, raw connections."""
import os
import re
import select
import socket
import time


def params(sw, name, **values):
    """Adds params to the settings of a configuration file under conf/."""
    path = sw.root / "conf" / name
    lines = "".join(f'<param name="{k.replace("_", "-")}" value="{v}"/>\n' for k, v in values.items())
    text = path.read_text()
    assert text.count("<settings>") == 1, name
    path.write_text(text.replace("<settings>", "<settings>\n" + lines))


def rss_kb(sw):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{sw.proc.pid}/status").read()).group(1))


def cpu_s(sw):
    f = open(f"/proc/{sw.proc.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")


def connect(port, source="127.0.0.1"):
    s = socket.create_connection(("127.0.0.1", port), 5, (source, 0))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def send_all(s, data):
    """False when the far side closed it meanwhile."""
    try:
        s.sendall(data)
        return True
    except OSError:
        return False


def is_closed(s, timeout=0):
    """Within timeout: the far side closed it. What came before is thrown away."""
    deadline = time.monotonic() + timeout
    while True:
        left = max(0, deadline - time.monotonic())
        if not select.select([s], [], [], left)[0]:
            return False
        try:
            if not s.recv(65536):
                return True
        except OSError:
            return True


def message(method="OPTIONS", length=0, call_id="c1", extra="", via="TCP 127.0.0.1:9"):
    return (f"{method} sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{via};branch=z9hG4bK{call_id}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:x@127.0.0.1>;tag=1\r\nTo: <sip:x@127.0.0.1>\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n{extra}"
            f"Content-Length: {length}\r\n\r\n").encode()
