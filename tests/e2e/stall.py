"""A disk that does not answer, for chosen paths: stall.c preloaded into the switch, and the gate its workers wait at. Media threads: stall_media.c."""
import fcntl
import os
import subprocess

import tandem as t


class Gate:
    """Made before the switch starts. shut("a|b"): from now on what its workers do to a path with one of these parts
    waits; "!a|b": to every other path."""

    def __init__(self, sw, tmp, source="stall.c"):
        self.path, lib = tmp / "gate", tmp / "stall.so"
        self.path.write_text("")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", lib, t.TOP / "tests/e2e" / source, "-ldl"], check=True)
        sw.env.update(STALL_GATE=str(self.path), LD_PRELOAD=f"{sw.env.get('LD_PRELOAD', '')} {lib}".strip(),
                      ASAN_OPTIONS=sw.env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
        self.fd = None

    def shut(self, pattern=""):
        assert self.fd is None
        self.path.write_text(pattern)
        self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self.fd, fcntl.LOCK_EX)

    def open(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.open()
