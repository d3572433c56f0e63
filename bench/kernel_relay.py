"""CPU of a relayed packet, by sockets and in the kernel (tc, XDP): phones in two network namespaces over veth, on the other core.
What arrives at a veth is worked on by a kernel thread of its own (threaded NAPI), so that the kernel's share can be measured as
a process's is, whatever else the machine does. A packet costs the switch: those threads of its ends of the veths, pinned to its
core, from the moment it lies in the interface's ring until it lies in the ring of the other phone's; and its media threads, with
all they do in system calls. The phones' sends and receives, and the threads of their ends, run on the phones' core and are not
counted. Threads of interfaces go before processes, as the softirqs they stand for, and look after a pause as a network card's
interrupts do: the switch's ends after SWITCH_PAUSE_NS; the phones' after a longer one, so that waking them, which is no work of a
relay, falls rarely on the switch's side. The same holds for all ways that are compared. A wake of a thread that sleeps costs much
in a virtual machine, and with few packets a wake it is most of what the kernel's ways cost: its price is measured, too."""
import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

from switch import BUILD, LOAD_CORE, SWITCH_CORE, Switch, note, pinned
from netns import ETHTOOL_STXCSUM, Network, ethtool, ip, poll_arriving
from test_kernel_relay import FarPhone, kernel_packets, wait_kernel

SECONDS, CALLS = 8, 400
SWITCH_PAUSE_NS, LONG_PAUSE_NS, PHONE_PAUSE_NS = 100_000, 1_000_000, 500_000
# how phones' packets reach the switch's interface (buffers, frames; rare: frames, looked for after LONG_PAUSE_NS, so that more are
# found at once, as at more calls), by what it relays, calls
RUNS = (("buffers", "sockets", CALLS), ("buffers", "tc", CALLS), ("buffers", "xdp", CALLS),
        ("frames", "sockets", CALLS // 10), ("frames", "sockets", CALLS), ("frames", "tc", CALLS), ("frames", "xdp", CALLS),
        ("rare", "sockets", CALLS // 10), ("rare", "sockets", CALLS), ("rare", "tc", CALLS), ("rare", "xdp", CALLS))


def as_frames(net, to):
    """What the phone says reaches the switch's interface as a frame in a page, as from a network card, not as a socket buffer of
    the phone's: through a veth pair of the phone's own, at whose end a program hands it on."""
    mac = Path(f"/sys/class/net/{net.link}/address").read_text().strip()
    for words in (("link", "add", "say", "type", "veth", "peer", "name", "hand"), ("link", "set", "say", "up"), ("link", "set", "hand", "up"),
                  ("route", "add", to, "dev", "say", "src", net.address), ("neigh", "add", to, "lladdr", mac, "dev", "say")):
        ip("-n", net.name, *words)
    with net.inside():
        ethtool("say", ETHTOOL_STXCSUM, 0)
        poll_arriving("say")
    subprocess.run(["ip", "netns", "exec", net.name, str(BUILD / "bench/kernel/bench_kernel_frames"), "hand", "eth0"], check=True)


def napi_threads():
    found = set()
    for p in Path("/proc").glob("[0-9]*/comm"):
        try:
            found |= {int(p.parent.name)} if p.read_text().startswith("napi/") else set()
        except OSError:
            continue
    return found


def tune(net, link, name, value):
    there = () if link == net.link else ("ip", "netns", "exec", net.name)
    subprocess.run([*there, "sh", "-c", f"echo {value} > /sys/class/net/{link}/{name}"], check=True)


def threaded(net, link, core, pause_ns):
    """The threads that work on what arrives at the interface: the switch's end, or eth0 in the network."""
    before, is_phone = napi_threads(), link != net.link
    with net.inside() if is_phone else contextlib.nullcontext():
        poll_arriving(link)
    for name, value in (("threaded", 1), ("gro_flush_timeout", pause_ns), ("napi_defer_hard_irqs", 1)):
        tune(net, link, name, value)
    new = napi_threads() - before
    for pid in new:
        os.sched_setaffinity(pid, {core})
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
    return new


def spread(nets):
    """The threads that work for the switch."""
    mine = set()
    for n in nets:
        mine |= threaded(n, n.link, SWITCH_CORE, SWITCH_PAUSE_NS)
        threaded(n, "eth0", LOAD_CORE, PHONE_PAUSE_NS)
    return sorted(mine)


def wakes(tids):
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", Path(f"/proc/{t}/status").read_text(), re.M).group(1)) for t in tids)


def wake_ns(count=500):
    """Nanoseconds of CPU of a thread that wakes, does nothing and sleeps again, on the switch's core."""
    code = f"import time\nbefore = time.thread_time_ns()\nfor _ in range({count}): time.sleep(0.002)\nprint((time.thread_time_ns() - before) // {count})"
    return int(pinned(SWITCH_CORE, lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)).stdout)


def media_threads(pid):
    return [int(p.parent.name) for p in Path(f"/proc/{pid}/task").glob("*/comm") if p.read_text().startswith("tandem-media")]


def run_ns(tids):
    """Nanoseconds of CPU."""
    return sum(int(Path(f"/proc/{t}/schedstat").read_text().split()[0]) for t in tids)


def rx(nets):
    return sum(int(Path(f"/sys/class/net/{n.link}/statistics/rx_packets").read_text()) for n in nets)


def rx(nets):
    return sum(int(Path(f"/sys/class/net/{n.link}/statistics/rx_packets").read_text()) for n in nets)


def wakes(pids):
    return sum(int(l.split()[1]) for p in pids for l in Path(f"/proc/{p}/status").read_text().splitlines() if l.startswith("voluntary"))


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


def through(nets, napi, mode, calls):
    s = Switch()
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
        return measured(s, nets, napi, [begin(m, nets[0].here, p, SECONDS + 6) for m, p in zip(media, ports)], mode, calls)
    finally:
        s.stop(check=False)


def counters(s, nets, napi):
    """Packets that arrived, of them relayed by the kernel, by XDP; nanoseconds of the interfaces' threads, of the media threads."""
    return (rx(nets), kernel_packets(s), kernel_packets(s, "xdp_packets"), wakes(napi), run_ns(napi), run_ns(media_threads(s.proc.pid)))


def measured(s, nets, napi, procs, mode, calls):
    subprocess.run(["sleep", "4"], check=True)
    if mode != "sockets":
        wait_kernel(s, 2 * calls, timeout=30)
    before = counters(s, nets, napi)
    subprocess.run(["sleep", str(SECONDS)], check=True)
    packets, in_kernel, by_xdp, woken, napi_ns, media_ns = (b - a for a, b in zip(before, counters(s, nets, napi)))
    sent, received = finish(procs)
    assert received > sent * 0.95, f"of {sent} packets {received} arrived: the machine is too busy"
    assert mode == "sockets" or in_kernel > packets * 0.9, f"of {packets} packets the kernel relayed {in_kernel}"
    assert mode != "xdp" or by_xdp > packets * 0.9, f"of {packets} packets XDP relayed {by_xdp}"
    return {"ns_per_packet": (napi_ns + media_ns) / packets, "media_ns_per_packet": media_ns / packets, "packets": packets, "packets_a_wake": packets / max(woken, 1),
            "cpu": (napi_ns + media_ns) / SECONDS / 1e9, "sent": sent, "received": received, "kernel_packets": in_kernel, "xdp_packets": by_xdp}


def row():
    nets, by = [], {}
    try:
        for side, name in enumerate("ab"):
            nets.append(Network(f"tb{os.getpid()}{name}", 64 + os.getpid() % 128, side + 1))
        napi, is_framed = spread(nets), False
        for how, mode, calls in RUNS:
            if how != "buffers" and not is_framed:
                is_framed = True
                for n in nets:
                    as_frames(n, nets[0].here)
            for n in nets:
                tune(n, n.link, "gro_flush_timeout", LONG_PAUSE_NS if how == "rare" else SWITCH_PAUSE_NS)
            v = by[how, mode, calls] = through(nets, napi, mode, calls)
            note(f"  {how}, {calls} calls by {mode}: {v['ns_per_packet']:.0f} ns a packet, of it the media threads {v['media_ns_per_packet']:.0f}; {v['cpu'] * 100:.1f} % of the core, {v['packets_a_wake']:.1f} packets a wake; "
                 f"sent {v['sent']} received {v['received']}; in the window {v['packets']}, by the kernel {v['kernel_packets']}, of them by XDP {v['xdp_packets']}")
    finally:
        for n in nets:
            n.close()

    def ns(*key):
        return by[key]["ns_per_packet"]
    hows = list(dict.fromkeys(r[0] for r in RUNS))
    ratios = {f"{how} {mode}": ns(how, "sockets", CALLS) / ns(how, mode, CALLS) for how in hows for mode in ("tc", "xdp")}
    calls_ratios = {how: by[how, "sockets", CALLS // 10]["cpu"] * 10 / by[how, "xdp", CALLS]["cpu"] for how in hows[1:]}
    price = wake_ns()
    note(f"  a wake of a thread costs {price} ns here")
    value = "; ".join(f"{how}: {ratios[how + ' xdp']:.1f} x by XDP, {ratios[how + ' tc']:.1f} x by tc ({ns(how, 'sockets', CALLS):.0f}, {ns(how, 'xdp', CALLS):.0f} and {ns(how, 'tc', CALLS):.0f} ns)"
                      for how in hows)
    value += "; at equal CPU " + ", ".join(f"{v:.1f} x the calls ({how})" for how, v in calls_ratios.items())
    return {"key": "kernel", "what": f"CPU per relayed packet, {CALLS} calls over veth, sockets against the kernel", "value": value, "goal": "10 x",
            "met": calls_ratios["frames"] >= 10,
            "data": {"runs": {" ".join(map(str, k)): v for k, v in by.items()}, "ratios": ratios, "calls_ratios": calls_ratios, "wake_ns": price}}
