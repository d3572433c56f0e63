"""Network namespaces of a test's own: two phones' networks, each joined by a veth pair to the one the test (and the switch)
runs in. Sockets made inside stay there."""
import array
import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import threading

CLONE_NEWNET = 0x40000000
SIOCETHTOOL, ETHTOOL_SGRO, ETHTOOL_STSO, ETHTOOL_STXCSUM = 0x8946, 0x2c, 0x1f, 0x17
_libc = ctypes.CDLL(None, use_errno=True)


def ip(*args, **kw):
    return subprocess.run(["ip", *args], check=True, capture_output=True, text=True, **kw).stdout


def ethtool(link, command, value):
    words = array.array("I", [command, value])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sP", link.encode(), words.buffer_info()[0]))


def poll_arriving(link):
    """What arrives there is polled: a veth does that with GRO on, for packets of an other end without TSO. And only then it
    takes frames that an XDP program sends to its other end."""
    ethtool(link, ETHTOOL_SGRO, 1)
    ethtool(link, ETHTOOL_STSO, 0)


class Network:
    """Namespace `name` with address 10.NET.SIDE.2; this side has 10.NET.SIDE.1."""

    def __init__(self, name, net, side):
        self.name, self.link = name, f"{name}v"
        self.here, self.address = f"10.{net}.{side}.1", f"10.{net}.{side}.2"
        ip("netns", "add", name)
        try:
            ip("link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("addr", "add", f"{self.here}/24", "dev", self.link)
            ip("link", "set", self.link, "up")
            for words in (("link", "set", "lo", "up"), ("addr", "add", f"{self.address}/24", "dev", "eth0"),
                          ("link", "set", "eth0", "up"), ("route", "add", "default", "via", self.here)):
                ip("-n", name, *words)
        except subprocess.CalledProcessError:
            self.close()
            raise

    def udp(self, port=0, address=None):
        """A UDP socket inside."""
        with self.inside():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((address or self.address, port))
        return s

    def enter(self):
        """This thread is inside from now on."""
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            if _libc.setns(there, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(there)

    @contextlib.contextmanager
    def inside(self):
        own = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        try:
            self.enter()
            yield
        finally:
            _libc.setns(own, CLONE_NEWNET)
            os.close(own)

    def close(self):
        subprocess.run(["ip", "link", "del", self.link], capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)
