"""CPU of a relayed packet on the switch's core, by sockets and in the kernel, at equal calls: phones in two network namespaces over
veth, on the other core. Each veth hands arriving packets to the core they belong to (RPS): what comes to the switch is worked on by
its core, kernel's share included, what comes to a phone by the phones'. What the core does with the calls up and nobody
speaking (others' work) is taken off."""
import os
import subprocess

from switch import BUILD, LOAD_CORE, SWITCH_CORE, Switch, core_busy_s, note, pinned
from netns import Network
from test_kernel_relay import FarPhone, kernel_packets, wait_kernel

CALLS, SECONDS = 200, 8


def spread(nets):
    """What arrives here is the switch's core's work, what arrives there the phones'."""
    for n in nets:
        with open(f"/sys/class/net/{n.link}/queues/rx-0/rps_cpus", "w") as f:
            f.write(f"{1 << SWITCH_CORE:x}")
        subprocess.run(["ip", "netns", "exec", n.name, "sh", "-c", f"echo {1 << LOAD_CORE:x} > /sys/class/net/eth0/queues/rx-0/rps_cpus"], check=True)


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


def busy_during(seconds):
    was = core_busy_s(SWITCH_CORE)
    subprocess.run(["sleep", str(seconds)], check=True)
    return core_busy_s(SWITCH_CORE) - was


def through(nets, is_kernel):
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
        return measured(s, nets, media, ports, is_kernel)
    finally:
        s.stop(check=False)


def measured(s, nets, media, ports, is_kernel):
    idle = busy_during(4) / 4
    procs = [begin(m, nets[0].here, p, SECONDS + 6) for m, p in zip(media, ports)]
    busy_during(4)
    if is_kernel:
        wait_kernel(s, 2 * CALLS, timeout=5)
    in_kernel, cpu = kernel_packets(s), s.cpu_s()
    busy = busy_during(SECONDS) - idle * SECONDS
    in_kernel, cpu = kernel_packets(s) - in_kernel, s.cpu_s() - cpu
    sent, received = finish(procs)
    packets = 2 * CALLS * 50 * SECONDS
    return {"ns_per_packet": busy / packets * 1e9, "process_ns_per_packet": cpu / packets * 1e9, "idle": idle, "sent": sent,
            "received": received, "kernel_packets": in_kernel}


def row():
    nets = []
    try:
        for side, name in enumerate("ab"):
            nets.append(Network(f"tb{os.getpid()}{name}", 64 + os.getpid() % 128, side + 1))
        spread(nets)
        by = {name: through(nets, name == "kernel") for name in ("sockets", "kernel")}
    finally:
        for n in nets:
            n.close()
    ratio = by["sockets"]["ns_per_packet"] / max(by["kernel"]["ns_per_packet"], 1)
    for k, v in by.items():
        note(f"  {k}: {v['ns_per_packet']:.0f} ns a packet, the switch's process {v['process_ns_per_packet']:.0f}; others took "
             f"{100 * v['idle']:.0f} % of its core; sent {v['sent']} received {v['received']} by the kernel {v['kernel_packets']}")
    value = (f"{ratio:.1f} x ({by['sockets']['ns_per_packet']:.0f} and {by['kernel']['ns_per_packet']:.0f} ns of the switch's core; its process "
             f"{by['sockets']['process_ns_per_packet']:.0f} and {by['kernel']['process_ns_per_packet']:.0f} ns)")
    return {"key": "kernel", "what": f"CPU per relayed packet, {CALLS} calls over veth, sockets against kernel", "value": value,
            "goal": "10 x", "met": ratio >= 10, "data": {**by, "ratio": ratio}}
