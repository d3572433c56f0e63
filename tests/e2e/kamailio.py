"""Debian's Kamailio, started with a configuration of a test's or of the bench's; what runs of it have in common."""
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

PROGRAM = shutil.which("kamailio") or "/usr/sbin/kamailio"


def is_here():
    return os.path.exists(PROGRAM)


class Daemon:
    """One that is not started yet. folder: its files; text: its configuration; shared_mb, own_mb: its memory, for all and for each
    process."""

    def __init__(self, folder, text, shared_mb=32, own_mb=4):
        self.folder = Path(folder)
        self.args = [PROGRAM, "-f", self.folder / "kamailio.cfg", "-DD", "-E", "-m", str(shared_mb), "-M", str(own_mb), "-Y", self.folder,
                     "-w", self.folder, "-P", self.folder / "kamailio.pid"]
        self.proc = None
        self.args[2].write_text(text)

    def start(self, udp_port=None, launch=subprocess.Popen):
        """udp_port: where it answers OPTIONS, whatever it says, once it is there; None: nobody waits."""
        self.log = open(self.folder / "kamailio.log", "ab")
        self.proc = launch(self.args, stdout=self.log, stderr=self.log)
        if udp_port:
            self._await(udp_port)

    def _await(self, port):
        deadline = time.monotonic() + 20
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("127.0.0.1", port))
            s.settimeout(0.2)
            me = f"127.0.0.1:{s.getsockname()[1]}"
            while True:
                word = uuid.uuid4().hex
                try:
                    s.send((f"OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {me};rport;branch=z9hG4bK{word}\r\nFrom: <sip:probe@x>;tag=1\r\n"
                            f"To: <sip:k@x>\r\nCall-ID: {word}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 0\r\nContent-Length: 0\r\n\r\n").encode())
                    if s.recv(4096).startswith(b"SIP/2.0 "):
                        return
                except ConnectionRefusedError:  # not bound yet: this comes at once
                    time.sleep(0.05)
                except TimeoutError:
                    pass
                assert self.proc.poll() is None and time.monotonic() < deadline, self.text()[-3000:]

    def text(self):
        """What it wrote."""
        return (self.folder / "kamailio.log").read_text(errors="replace")

    def stop(self):
        self.proc.terminate()
        try:
            self.proc.wait(20)
        except subprocess.TimeoutExpired:  # it waits for a child of its own now and then
            for pid in [*Path(f"/proc/{self.proc.pid}/task/{self.proc.pid}/children").read_text().split(), self.proc.pid]:
                os.kill(int(pid), signal.SIGKILL)
            self.proc.wait()
        self.log.close()
