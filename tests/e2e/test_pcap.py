"""uuid_pcap: one call's packets in a file that tshark reads: SIP of both legs, their RTP and RTCP; and RTCP to a HEP collector."""
import os
import re
import shutil
import subprocess

import pytest
import tandem as t
from hep import Collector, rtcp_of
from talk import Talker


def fields(path, filt, *names):
    args = ["tshark", "-r", str(path), "-Y", filt, "-T", "fields"]
    for n in names:
        args += ["-e", n]
    p = subprocess.run(args, capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    return [tuple(l.split("\t")) for l in p.stdout.splitlines()]


@pytest.fixture(scope="module")
def collector():
    c = Collector()
    yield c
    c.close()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, collector):
    if not shutil.which("tshark"):
        pytest.skip("tshark is not here")
    sw = t.Tandem(tmp_path_factory.mktemp("pcap") / "instance")
    sofia = sw.root / "conf/autoload_configs/sofia.conf.xml"
    sofia.write_text(sofia.read_text().replace("</global_settings>", f'<param name="capture-server" value="udp:127.0.0.1:{collector.port};'
                                               'hep=3;capture_id=1"/></global_settings>'))
    sw.start()
    yield sw
    sw.stop()


def bridged(sw, phone):
    a, b = phone("1000", hz=440), phone("1001", hz=880)
    a.invite("1001")
    b.take()
    a.answered()
    for p in (a, b):
        p.talk = Talker(p, p.hz)
    return a, b, next(l.split(",")[0] for l in sw.api("show channels").splitlines() if "sofia/internal/1000@" in l)


def path_of(answer):
    assert answer.startswith("+OK "), answer
    return answer[4:].strip()


def test_a_whole_call(sw, phone, collector):
    other = phone("1002", hz=300)
    other.invite("9196")
    other.answered()
    other.talk = Talker(other, 300)
    a, b, uuid = bridged(sw, phone)
    path = path_of(sw.api(f"uuid_pcap {uuid} start my-call_1"))
    assert path == str(sw.root.resolve() / "log/pcap/my-call_1.pcapng")
    assert sw.api(f"uuid_pcap {uuid} start again").startswith("-ERR")
    a.talk.hears(880)
    b.talk.hears(440)
    # a report each, so that RTCP is in it
    report = collector.wait(lambda p: p["type"] == 5 and p["correlation"] == a.call_id, 15)
    a.bye()
    b.expect(method="BYE")
    sw.wait_log(re.compile(rf"pcap: {re.escape(path)}: \d+ packets, 0 dropped"), timeout=15)
    sip = fields(path, "sip", "sip.Call-ID", "sip.Request-Line", "sip.Status-Line", "udp.srcport", "udp.dstport", "udp.checksum.status")
    call_ids = {r[0] for r in sip}
    assert a.call_id in call_ids and len(call_ids) == 2 and other.call_id not in call_ids
    lines = " ".join(r[1] + r[2] for r in sip)
    assert "INVITE" in lines and "200 OK" in lines and "BYE" in lines  # from before the start to the end
    assert any(r[1].startswith("INVITE") and r[3] == str(a.port) and r[4] == str(sw.sip_port) for r in sip)
    ports = {(r[0], r[1]) for r in fields(path, f"udp.port=={a.rtp_port} || udp.port=={b.rtp_port}", "udp.srcport", "udp.dstport")}
    assert {(str(a.rtp_port), str(a.remote_rtp)), (str(a.remote_rtp), str(a.rtp_port)), (str(b.rtp_port), str(b.remote_rtp)),
            (str(b.remote_rtp), str(b.rtp_port))} <= ports
    assert not fields(path, f"udp.port=={other.rtp_port}", "udp.srcport")
    rtp = subprocess.run(["tshark", "-r", path, "-o", "rtp.heuristic_rtp:TRUE", "-q", "-z", "rtp,streams"], capture_output=True, text=True).stdout
    assert rtp.count("g711U") >= 4, rtp
    assert not fields(path, "ip.checksum.status==0 || udp.checksum.status==0 || _ws.malformed", "frame.number")
    r = rtcp_of(report)
    assert r["type"] in (200, 201) and r["ssrc"] and len(r["report_blocks"]) == r["report_count"]
    if r["type"] == 200:
        assert r["sender_information"]["packets"] > 0
    assert {report["src_port"], report["dst_port"]} & {a.remote_rtp + 1, a.rtp_port + 1}
    if r["report_blocks"]:
        assert {"source_ssrc", "fraction_lost", "packets_lost", "highest_seq_no", "ia_jitter", "lsr", "dlsr"} == set(r["report_blocks"][0])


def test_stop_by_command(sw, phone):
    a, b, uuid = bridged(sw, phone)
    path = path_of(sw.api(f"uuid_pcap {uuid} start"))
    assert uuid in path
    a.talk.hears(880)
    assert path_of(sw.api(f"uuid_pcap {uuid} stop")) == path
    sw.wait_log(f"pcap: {path}: ")
    assert sw.api(f"uuid_pcap {uuid} stop").startswith("-ERR")
    n = len(fields(path, "udp", "frame.number"))
    assert n > 20
    a.talk.hears(880)
    a.bye()
    assert len(fields(path, "udp", "frame.number")) == n
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_names(sw, phone):
    """No other folder, nothing hidden, nothing written over."""
    a, b, uuid = bridged(sw, phone)
    for name in ("../x", "/tmp/x", "a/b", ".hidden", "a b", "x" * 200, "a;b", "..", "$(x)"):
        assert sw.api(f"uuid_pcap {uuid} start {name}").startswith("-ERR"), name
    path = path_of(sw.api(f"uuid_pcap {uuid} start taken"))
    sw.api(f"uuid_pcap {uuid} stop")
    sw.wait_log(f"pcap: {path}: ")
    size = len(open(path, "rb").read())
    path_of(sw.api(f"uuid_pcap {uuid} start taken"))
    sw.wait_log("the file is there already", 1)
    assert len(open(path, "rb").read()) == size
    assert sw.api("uuid_pcap nobody start").startswith("-ERR No such channel")
    assert sw.api("uuid_pcap").startswith("-USAGE")
    a.bye()
