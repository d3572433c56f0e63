"""Debian's rtpengine as somebody's media relay: the daemon without its kernel module, asked by its ng protocol (bencode over UDP)."""
import os
import shutil
import socket
import subprocess
import time
import uuid

import pytest
from tandem import free_port


def bencode(v):
    if isinstance(v, dict):
        return b"d" + b"".join(bencode(k) + bencode(v[k]) for k in sorted(v)) + b"e"
    if isinstance(v, list):
        return b"l" + b"".join(map(bencode, v)) + b"e"
    v = v.encode() if isinstance(v, str) else v
    return b"%d:%s" % (len(v), v)


def bdecode(b, at=0):
    """The value at that place, and the place behind it."""
    if b[at:at + 1] in b"dl":
        is_dict, items, at = b[at:at + 1] == b"d", [], at + 1
        while b[at:at + 1] != b"e":
            v, at = bdecode(b, at)
            items.append(v)
        return (dict(zip(items[::2], items[1::2])) if is_dict else items), at + 1
    if b[at:at + 1] == b"i":
        end = b.index(b"e", at)
        return int(b[at + 1:end]), end + 1
    colon = b.index(b":", at)
    n = int(b[at:colon])
    return b[colon + 1:colon + 1 + n].decode(errors="replace"), colon + 1 + n


class Rtpengine:
    def __init__(self, root, host="127.0.0.1"):
        exe = shutil.which("rtpengine") or pytest.skip("rtpengine is not installed")
        self.port, low = free_port(), free_port(count=60)
        self.out = open(os.path.join(root, "rtpengine.txt"), "wb")
        self.proc = subprocess.Popen(
            [exe, "--config-file=none", "--table=-1", f"--interface={host}", f"--listen-ng=127.0.0.1:{self.port}", "--foreground",
             "--log-stderr", "--log-level=6", f"--port-min={low}", f"--port-max={low + 59}", "--num-threads=2"],
            stdout=self.out, stderr=subprocess.STDOUT)
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.connect(("127.0.0.1", self.port))
        self.s.settimeout(0.2)
        until = time.monotonic() + 15
        while True:
            try:
                if self.ask({"command": "ping"})["result"] == "pong":
                    break
            except (OSError, socket.timeout):
                assert time.monotonic() < until and self.proc.poll() is None, "rtpengine does not come up"
                time.sleep(0.05)
        self.s.settimeout(10)

    def ask(self, what):
        cookie = uuid.uuid4().hex.encode()
        self.s.send(cookie + b" " + bencode(what))
        while True:
            got = self.s.recv(65536)
            if got.startswith(cookie):
                reply = bdecode(got, len(cookie) + 1)[0]
                assert reply["result"] != "error", reply
                return reply

    def close(self):
        self.proc.terminate()
        self.proc.wait(10)
        self.s.close()
        self.out.close()
