"""The program itself: options, start and stop, pid file, log rotation, configuration errors, kill -9."""
import os
import re
import signal
import subprocess
import time

import pytest
from sipp import ANSWERED, Sipp, ack, bye, invite, pause, recv, register_as, reply, send, uas_answer
from tandem import BUILD, TOP, VANILLA, free_port


def run(*args, **kw):
    return subprocess.run([BUILD / "tandem", *map(str, args)], capture_output=True, text=True, timeout=30, **kw)


def test_version_and_help():
    assert re.match(r"Tandem version: \d+\.\d+\.\d+", run("-version").stdout)
    assert "-check-config" in run("-help").stdout


def test_welcome_where_no_route_leads_anywhere(tmp_path):
    """`./dev run` on a machine that is on no network says loopback and goes on."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ip").write_text("#!/bin/sh\necho RTNETLINK answers: Network is unreachable >&2\nexit 2\n")
    (tmp_path / "bin/ip").chmod(0o755)
    env = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    subprocess.run([TOP / "tools/make-instance", tmp_path / "instance"], check=True, env=env)
    r = subprocess.run([TOP / "tools/print-welcome", tmp_path / "instance"], capture_output=True, text=True, env=env)
    assert r.returncode == 0 and "sip:127.0.0.1:5060" in r.stdout, (r.returncode, r.stdout, r.stderr)


@pytest.mark.parametrize("args,says", [(["-nosuch"], "unknown option '-nosuch'"), (["-conf", "/x"], "all or none of -conf, -log, and -db"),
                                       (["-base"], "needs a value")])
def test_bad_options(args, says):
    r = run(*args)
    assert r.returncode == 255 and says in r.stderr, (r.returncode, r.stderr)


def test_stop_option_and_pid_file(fresh):
    fresh.start()
    assert int((fresh.root / "run/freeswitch.pid").read_text()) == fresh.proc.pid
    second = run("-nf", "-nonat", "-base", fresh.root, env=fresh.env)
    assert second.returncode == 255 and "another instance" in second.stderr
    r = run("-stop", "-base", fresh.root)
    assert r.returncode == 0 and f"Killing: {fresh.proc.pid}" in r.stdout
    assert fresh.proc.wait(20) == 0
    assert run("-stop", "-base", fresh.root).returncode == 255


def test_term_ends_calls_and_exits_0(fresh):
    fresh.start()
    a = Sipp(fresh, invite("1000", fresh.passwords["1000"], "9196") + ANSWERED +
             [send(ack("1000", "9196"), retrans=0), recv(request="BYE"), reply(200, "OK", tag="")])
    fresh.wait_calls(1)
    fresh.stop()
    a.wait()
    for text in (fresh.console(), fresh.log_text):  # nothing said on the way down is lost
        assert re.search(r"\[NOTICE\] \S+ stopping\n", text), text


def test_term_ends_commands_that_wait(fresh):
    fresh.start()
    esl = fresh.esl()
    esl.sock.sendall(b"bgapi msleep 600000\n\napi msleep 600000\n\n")
    assert esl.read()[0]["Reply-Text"].startswith("+OK Job-UUID")
    begin = time.monotonic()
    fresh.stop()
    assert time.monotonic() - begin < 4
    esl.close()


@pytest.mark.clock
def test_hup_rotates_the_log(fresh):
    fresh.start()
    fresh.api("log notice before-the-rotation")
    fresh.proc.send_signal(signal.SIGHUP)
    fresh_log = fresh.root / "log/tandem.log"
    deadline = time.monotonic() + 10
    while not (fresh.root / "log/tandem.log.1").exists():
        assert time.monotonic() < deadline, list((fresh.root / "log").iterdir())
        time.sleep(0.05)
    assert "before-the-rotation" in (fresh.root / "log/tandem.log.1").read_text()
    assert fresh_log.exists()
    fresh.stop()


def test_ncwait_returns_when_ready(fresh):
    r = run("-ncwait", "-nonat", "-base", fresh.root, env=fresh.env)
    assert r.returncode == 0, r.stderr
    from tandem import Esl
    esl = Esl(fresh.esl_port, fresh.esl_password)
    assert esl.api("fsctl ready_check").strip() == "true"
    esl.close()
    assert run("-stop", "-base", fresh.root).returncode == 0


def test_xml_mistake_is_told_with_its_place(fresh):
    p = fresh.root / "conf/dialplan/default/broken.xml"
    p.write_text('<include>\n  <extension name="x">\n    <condition>\n  </extension>\n</include>\n')
    r = run("-nf", "-nonat", "-base", fresh.root, env=fresh.env)
    assert r.returncode == 255
    assert re.search(r"broken\.xml:4:\d+", r.stderr), r.stderr
    r = run("-check-config", "-base", fresh.root, env=fresh.env)
    assert r.returncode == 1 and re.search(r"broken\.xml:4:\d+", r.stderr), r.stderr


def test_check_config_tells_everything_at_once(fresh):
    (fresh.root / "conf/dialplan/default/a.xml").write_text(
        '<include>\n<extension name="x"><condition field="destination_number" expression="^(1">\n'
        '<action application="hangup"/></condition></extension>\n</include>\n')
    (fresh.root / "conf/directory/b.xml").write_text("<include>\n<domain>\n</include>\n")
    r = run("-check-config", "-base", fresh.root, env=fresh.env)
    assert r.returncode == 1
    assert "a.xml:2" in r.stderr and "b.xml:3" in r.stderr, r.stderr


def test_check_config_of_the_shipped_files(fresh):
    r = run("-check-config", "-base", fresh.root, env=fresh.env)
    assert r.returncode == 0, r.stderr


def test_reloadxml_keeps_the_running_configuration_on_error(fresh):
    fresh.start()
    p = fresh.root / "conf/dialplan/default/new.xml"
    p.write_text("<include>\n<extension\n</include>\n")
    answer = fresh.api("reloadxml")
    assert answer.startswith("-ERR") and "new.xml" in answer, answer
    good = ('<include>\n<extension name="new"><condition field="destination_number" expression="^7777$">'
            '<action application="answer"/><action application="hangup"/></condition></extension>\n</include>\n')
    call = invite("1000", fresh.passwords["1000"], "9196") + ANSWERED + [
        send(ack("1000", "9196"), retrans=0), pause(50), send(bye("1000", "9196")), recv(200)]
    Sipp(fresh, call).wait()
    p.write_text(good)
    assert fresh.api("reloadxml") == "+OK [Success]\n"
    Sipp(fresh, invite("1000", fresh.passwords["1000"], "7777") + ANSWERED + [
        send(ack("1000", "7777"), retrans=0), recv(request="BYE"), reply(200, "OK", tag="")]).wait()
    fresh.stop()


def test_stock_configuration_starts_unmodified(tmp_path, fresh):
    for d in ("log", "db", "run"):
        (tmp_path / d).mkdir()
    out = open(tmp_path / "out.txt", "wb")
    p = subprocess.Popen([BUILD / "tandem", "-nf", "-nonat", "-base", tmp_path, "-conf", VANILLA, "-log", tmp_path / "log", "-db", tmp_path / "db",
                          "-run", tmp_path / "run"], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while "is ready" not in (tmp_path / "out.txt").read_text():
        assert p.poll() is None and time.monotonic() < deadline, (tmp_path / "out.txt").read_text()[-3000:]
        time.sleep(0.05)
    p.send_signal(signal.SIGTERM)
    assert p.wait(20) == 0
    text = (tmp_path / "out.txt").read_text()
    for name in ("mod_rtc", "mod_signalwire"):
        assert len(re.findall(rf"\[WARNING\].*{name}\b", text)) == 1, name


def test_kill_in_a_call_loses_nothing(fresh):
    fresh.start()
    port = free_port()
    register_as(fresh, "1001", port)
    call = invite("1000", fresh.passwords["1000"], "1001") + ANSWERED + [
        send(ack("1000", "1001"), retrans=0), pause(100), send(bye("1000", "1001")), recv(200)]
    b = Sipp(fresh, uas_answer() + [recv(request="BYE"), reply(200, "OK", tag="")], port=port).ready()
    Sipp(fresh, call).wait()
    b.wait()
    fresh.wait_calls(0)
    a = Sipp(fresh, invite("1000", fresh.passwords["1000"], "9196") + ANSWERED + [send(ack("1000", "9196"), retrans=0), pause(500)])
    fresh.wait_calls(1)
    time.sleep(0.3)  # the finished call's record has been given to the disk by then: the promise is about finished calls
    fresh.kill()
    a.wait()
    fresh.start()
    assert re.search(rf"^1001,.*:{port}", fresh.api("show registrations"), re.M)
    csv = fresh.root / "log/cdr-csv/Master.csv"
    deadline = time.monotonic() + 5
    while not csv.exists() or not csv.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    lines = csv.read_text().strip().split("\n")
    assert len(lines) == 1 and '"1001"' in lines[0], lines
    assert len(list((fresh.root / "log/xml_cdr").glob("a_*.cdr.xml"))) == 1
    fresh.stop()


@pytest.mark.clock
def test_records_of_a_call(fresh):
    """One CSV line and one XML file, with what happened in them."""
    import xml.etree.ElementTree as ET
    fresh.start()
    port = free_port()
    register_as(fresh, "1001", port)
    b = Sipp(fresh, uas_answer() + [recv(request="BYE"), reply(200, "OK", tag="")], port=port).ready()
    Sipp(fresh, invite("1000", fresh.passwords["1000"], "1001") + ANSWERED + [
        send(ack("1000", "1001"), retrans=0), pause(1200), send(bye("1000", "1001")), recv(200)]).wait()
    b.wait()
    fresh.wait_calls(0)
    fresh.stop()
    (line,) = (fresh.root / "log/cdr-csv/Master.csv").read_text().strip().split("\n")
    fields = [f.strip('"') for f in line.split(",")]
    assert fields[1:4] == ["1000", "1001", "default"], line
    assert fields[9] == "NORMAL_CLEARING" and int(fields[8]) >= 1 and fields[13] == "PCMU", line
    (path,) = (fresh.root / "log/xml_cdr").glob("a_*.cdr.xml")
    root = ET.parse(path).getroot()
    assert root.find("variables/hangup_cause").text == "NORMAL_CLEARING"
    assert root.find("variables/bridge_uuid").text == fields[11]
    assert int(root.find("variables/billmsec").text) >= 1000
    apps = [a.get("app_name") for a in root.iter("application")]
    assert "bridge" in apps
    assert (fresh.root / "log/cdr-csv/1000.csv").read_text().strip() == line
