"""What a relay adds to the machine's work, by sockets and in the kernel (tc, XDP): phones in two network namespaces over veth. What a
phone sends is worked on in its own system call, through the switch's interface and the program there to the other phone's socket; so
no one process's CPU is the relay's. It is told apart by what is left out: the same phones speak to each other over one veth of
their own, with nobody between, and the CPU of phones, media threads and softirq threads together without the switch is taken from
that with it. Packets come as frames in pages, as a network card's driver has them, and not as the phones' socket buffers, which the
kernel would copy before XDP sees them: each phone sends through a veth pair of its own, at whose end a program hands them on, in
all ways alike. These are measured in turns within one run, ROUNDS times; the median counts. What the switch spends once a second
(leases, neighbours) is in it, its control thread is not."""
import contextlib
import os
import statistics
import subprocess
import time
from pathlib import Path

from switch import BUILD, LOAD_CORE, Switch, note, pinned
from netns import ETHTOOL_STXCSUM, Network, ethtool, ip, poll_arriving
from test_kernel_relay import FarPhone, kernel_packets, wait_kernel

SECONDS, PACKETS_PER_S, ROUNDS, CALLS, MANY = 8, 100, 3, 100, 10  # so many calls by sockets against MANY times as many in the kernel
HANDED_PER_S = 250  # streams that the switch gives to the kernel, at most
RUNS = (("none", CALLS), ("sockets", CALLS), ("none", CALLS * MANY), ("tc", CALLS * MANY), ("xdp", CALLS * MANY))


def mac_of(link, net=None):
    words = ["ip", "netns", "exec", net.name] if net else []
    return subprocess.run([*words, "cat", f"/sys/class/net/{link}/address"], check=True, capture_output=True, text=True).stdout.strip()


def as_frames(net, out, source, to, mac):
    """What the phone says to the address `to` leaves by the interface out as frames."""
    say, hand = f"say-{out}", f"hand-{out}"
    for words in (("link", "add", say, "type", "veth", "peer", "name", hand), ("link", "set", say, "up"), ("link", "set", hand, "up"),
                  ("route", "add", to, "dev", say, "src", source), ("neigh", "add", to, "lladdr", mac, "dev", say)):
        ip("-n", net.name, *words)
    with net.inside():
        ethtool(say, ETHTOOL_STXCSUM, 0)
        poll_arriving(say)
    subprocess.run(["ip", "netns", "exec", net.name, str(BUILD / "bench/kernel/bench_kernel_frames"), hand, out], check=True)


def join(a, b):
    """The veth by which the phones speak to each other without the switch; their addresses there."""
    addresses = [f"10.{a.here.split('.')[1]}.9.{last}" for last in (1, 2)]
    ip("-n", a.name, "link", "add", "straight", "type", "veth", "peer", "name", "straight", "netns", b.name)
    for n, address in zip((a, b), addresses):
        ip("-n", n.name, "addr", "add", address + "/24", "dev", "straight")
        ip("-n", n.name, "link", "set", "straight", "up")
        with n.inside():
            poll_arriving("straight")
    for n, far, address, to in ((a, b, *addresses), (b, a, *addresses[::-1])):
        as_frames(n, "straight", address, to, mac_of("straight", far))
        as_frames(n, "eth0", n.address, a.here, mac_of(n.link))
    return addresses


def media_threads(pid):
    return [int(p.parent.name) for p in Path(f"/proc/{pid}/task").glob("*/comm") if p.read_text().startswith("tandem-media")]


def run_ns(tids):
    """Nanoseconds of CPU."""
    return sum(int(Path(f"/proc/{t}/schedstat").read_text().split()[0]) for t in tids)


def softirq_threads():
    return [int(p.parent.name) for p in Path("/proc").glob("[0-9]*/comm") if p.read_text().startswith("ksoftirqd")]


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


def load_seconds(calls):
    return SECONDS + 8 + 2 * calls // HANDED_PER_S


def straight(nets, addresses, calls):
    """The phones by themselves: as many streams between two ports."""
    media = [n.udp(address=a) for n, a in zip(nets, addresses)]
    procs = [begin(m, addresses[1 - i], [media[1 - i].getsockname()[1]] * calls, load_seconds(calls)) for i, m in enumerate(media)]
    return measured(None, procs, "none", calls)


def through(nets, mode, calls):
    s = Switch()
    s.env["TANDEM_RTP_START"] = "2000"
    for name, old, new in (("autoload_configs/switch.conf.xml", '"media-kernel-relay" value="false"', f'"media-kernel-relay" value="{str(mode != "sockets").lower()}"'),
                           ("autoload_configs/switch.conf.xml", '"media-kernel-mode" value="auto"', f'"media-kernel-mode" value="{"tc" if mode == "tc" else "auto"}"'),
                           ("sip_profiles/internal.xml", 'name="rtp-ip" value="$${local_ip_v4}"', f'name="rtp-ip" value="{nets[0].here}"')):
        p = s.root / "conf" / name
        p.write_text(p.read_text().replace(old, new))
    s.passwords = dict.fromkeys(s.passwords, "benchword")
    s.start()
    try:
        media = [n.udp() for n in nets]
        ports = ([], [])
        for _ in range(calls):
            a, b = FarPhone(s, "1000", nets[0]), FarPhone(s, "1001", nets[1])
            for p, m in ((a, media[0]), (b, media[1])):
                p.register()
                p.rtp_port = m.getsockname()[1]
            a.invite("1001", a.body())
            b.take(b.body())
            a.answered()
            ports[0].append(a.remote_rtp), ports[1].append(b.remote_rtp)
        return measured(s, [begin(m, nets[0].here, p, load_seconds(calls)) for m, p in zip(media, ports)], mode, calls)
    finally:
        s.stop(check=False)


def measured(s, procs, mode, calls):
    """CPU of all that has to do with the packets; the phones' programs send and receive all the time, the window is within."""
    tids = [p.pid for p in procs] + softirq_threads() + (media_threads(s.proc.pid) if s else [])
    subprocess.run(["sleep", "4"], check=True)
    if mode in ("tc", "xdp"):
        wait_kernel(s, 2 * calls, timeout=30)
    begun = run_ns(tids), time.monotonic(), kernel_packets(s) if s else 0, kernel_packets(s, "xdp_packets") if s else 0
    subprocess.run(["sleep", str(SECONDS)], check=True)
    cpu_ns, took, in_kernel, by_xdp = (b - a for a, b in zip(begun, (run_ns(tids), time.monotonic(), kernel_packets(s) if s else 0, kernel_packets(s, "xdp_packets") if s else 0)))
    sent, received = finish(procs)
    packets = calls * PACKETS_PER_S * took
    assert received > sent * 0.95, f"of {sent} packets {received} arrived: the machine is too busy"
    assert mode not in ("tc", "xdp") or in_kernel > packets * 0.9, f"of {packets} packets the kernel relayed {in_kernel}"
    assert mode != "xdp" or by_xdp > packets * 0.9, f"of {packets} packets XDP relayed {by_xdp}"
    return {"ns": cpu_ns / packets, "sent": sent, "received": received, "kernel_packets": in_kernel, "xdp_packets": by_xdp}


def row():
    nets, by = [], {r: [] for r in RUNS}
    try:
        for side, name in enumerate("ab"):
            nets.append(Network(f"tb{os.getpid()}{name}", 64 + os.getpid() % 128, side + 1))
            for link, where in ((nets[-1].link, contextlib.nullcontext()), ("eth0", nets[-1].inside())):
                with where:
                    poll_arriving(link)
        addresses = join(*nets)
        for i in range(ROUNDS):
            for mode, calls in RUNS:
                v = straight(nets, addresses, calls) if mode == "none" else through(nets, mode, calls)
                by[mode, calls].append(v)
                note(f"  {i + 1} of {ROUNDS}: {calls} calls, {mode}: {v['ns']:.0f} ns a packet, all together; sent {v['sent']} received {v['received']}, "
                     f"by the kernel {v['kernel_packets']}, of them by XDP {v['xdp_packets']}")
    finally:
        for n in nets:
            n.close()

    def added(mode, calls):
        return statistics.median(v["ns"] - without["ns"] for v, without in zip(by[mode, calls], by["none", calls]))
    ns = {mode: added(mode, calls) for mode, calls in RUNS if mode != "none"}
    ratios = {mode: ns["sockets"] / ns[mode] for mode in ("xdp", "tc")}
    return {"key": "kernel", "what": f"CPU that a relay over veth adds a packet: {CALLS} calls by sockets against {CALLS * MANY} in the kernel",
            "value": f"{ratios['xdp']:.1f} x the calls at equal CPU by XDP, {ratios['tc']:.1f} x by tc ({ns['sockets']:.0f}, {ns['xdp']:.0f} and {ns['tc']:.0f} ns)",
            "goal": "10 x", "met": ratios["xdp"] >= 10, "data": {"runs": {f"{m} {c}": v for (m, c), v in by.items()}, "added_ns": ns}}
