"""CPU of a relayed packet, by sockets and in the kernel, at equal calls: phones in two network namespaces over veth, on the other
core. What arrives at a veth is worked on by a kernel thread of its own (threaded NAPI), so that the kernel's share can be
measured as a process's is, whatever else the machine does: the switch's packets cost its process and the threads of its ends
of the veths, pinned to its core; the phones' ends are pinned to the phones'."""
import array
import fcntl
import os
import socket
import struct
import subprocess
from pathlib import Path

from switch import BUILD, LOAD_CORE, SWITCH_CORE, Switch, note, pinned
from netns import Network
from test_kernel_relay import FarPhone, kernel_packets, wait_kernel

CALLS, SECONDS = 200, 8


SIOCETHTOOL, ETHTOOL_SGRO, ETHTOOL_STSO = 0x8946, 0x2c, 0x1f


def napi_threads():
    found = set()
    for p in Path("/proc").glob("[0-9]*/comm"):
        try:
            found |= {int(p.parent.name)} if p.read_text().startswith("napi/") else set()
        except OSError:
            continue
    return found


def napi_on(link):
    """What arrives is polled: a veth does that with GRO on, for packets of an other end without TSO."""
    for command, value in ((ETHTOOL_SGRO, 1), (ETHTOOL_STSO, 0)):
        words = array.array("I", [command, value])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sP", link.encode(), words.buffer_info()[0]))


def spread(nets):
    """The threads that work for the switch."""
    mine = []
    for n in nets:
        before = napi_threads()
        napi_on(n.link)
        Path(f"/sys/class/net/{n.link}/threaded").write_text("1")
        new = napi_threads() - before
        mine += new
        before = napi_threads()
        with n.inside():
            napi_on("eth0")
        subprocess.run(["ip", "netns", "exec", n.name, "sh", "-c", "echo 1 > /sys/class/net/eth0/threaded"], check=True)
        for pid, core in [(p, SWITCH_CORE) for p in new] + [(p, LOAD_CORE) for p in napi_threads() - before]:
            os.sched_setaffinity(pid, {core})
    return mine


def run_ns(pid):
    """Nanoseconds of CPU of all threads."""
    return sum(int(p.read_text().split()[0]) for p in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def begin(sock, address, ports, seconds):
    os.set_inheritable(sock.fileno(), True)
    p = pinned(LOAD_CORE, lambda: subprocess.Popen([str(BUILD / "bench/kernel/bench_kernel_load"), str(sock.fileno()), address, str(seconds)],
                                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=[sock.fileno()]))
    p.stdin.write(" ".join(map(str, ports)))
    p.stdin.close()
    return p


def finish(procs):
    """Packets sent, received."""
    words = [p.stdout.read().split() for p in procs]
    for p in procs:
        p.wait()
    return sum(int(w[0]) for w in words), sum(int(w[1]) for w in words)


def through(nets, napi, is_kernel):
    s = Switch()
    for name, old, new in (("autoload_configs/switch.conf.xml", '"media-kernel-relay" value="false"', f'"media-kernel-relay" value="{str(is_kernel).lower()}"'),
                           ("sip_profiles/internal.xml", 'name="rtp-ip" value="$${local_ip_v4}"', f'name="rtp-ip" value="{nets[0].here}"')):
        p = s.root / "conf" / name
        p.write_text(p.read_text().replace(old, new))
    s.passwords = dict.fromkeys(s.passwords, "benchword")
    s.start()
    try:
        media = [n.udp() for n in nets]
        ports = ([], [])
        for _ in range(CALLS):
            a, b = FarPhone(s, "1000", nets[0]), FarPhone(s, "1001", nets[1])
            for p, m in ((a, media[0]), (b, media[1])):
                p.register()
                p.rtp_port = m.getsockname()[1]
            a.invite("1001", a.body())
            b.take(b.body())
            a.answered()
            ports[0].append(a.remote_rtp), ports[1].append(b.remote_rtp)
        return measured(s, napi, [begin(m, nets[0].here, p, SECONDS + 6) for m, p in zip(media, ports)], is_kernel)
    finally:
        s.stop(check=False)


def measured(s, napi, procs, is_kernel):
    subprocess.run(["sleep", "4"], check=True)
    if is_kernel:
        wait_kernel(s, 2 * CALLS, timeout=5)
    pids = [s.proc.pid, *napi]
    in_kernel, ns = kernel_packets(s), [run_ns(p) for p in pids]
    subprocess.run(["sleep", str(SECONDS)], check=True)
    in_kernel, ns = kernel_packets(s) - in_kernel, [run_ns(p) - was for p, was in zip(pids, ns)]
    sent, received = finish(procs)
    packets = 2 * CALLS * 50 * SECONDS
    return {"ns_per_packet": sum(ns) / packets, "process_ns_per_packet": ns[0] / packets, "sent": sent, "received": received,
            "kernel_packets": in_kernel}


def row():
    nets = []
    try:
        for side, name in enumerate("ab"):
            nets.append(Network(f"tb{os.getpid()}{name}", 64 + os.getpid() % 128, side + 1))
        napi = spread(nets)
        by = {name: through(nets, napi, name == "kernel") for name in ("sockets", "kernel")}
    finally:
        for n in nets:
            n.close()
    ratio = by["sockets"]["ns_per_packet"] / max(by["kernel"]["ns_per_packet"], 1)
    for k, v in by.items():
        note(f"  {k}: {v['ns_per_packet']:.0f} ns a packet, of it the switch's process {v['process_ns_per_packet']:.0f}; "
             f"sent {v['sent']} received {v['received']} by the kernel {v['kernel_packets']}")
    value = (f"{ratio:.1f} x ({by['sockets']['ns_per_packet']:.0f} and {by['kernel']['ns_per_packet']:.0f} ns with the receiving of the kernel; "
             f"the switch's process {by['sockets']['process_ns_per_packet']:.0f} and {by['kernel']['process_ns_per_packet']:.0f} ns)")
    return {"key": "kernel", "what": f"CPU per relayed packet, {CALLS} calls over veth, sockets against kernel", "value": value,
            "goal": "10 x", "met": ratio >= 10, "data": {**by, "ratio": ratio}}
