"""Moving over from FreeSWITCH: commands, completion and events that its users and programs rely on."""
import json
import os
import re
import socket
import subprocess
import threading

import pytest
import tandem as t
from calls import call, extension, write_extensions
from tandem import BUILD, Esl, free_port
from phones import write_tone


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("moving") / "instance")
    s.socket_port = free_port()
    write_tone(s.root / "page.wav", 440, 0.3)
    write_extensions(s, [
        extension("7306", "limit hash d1 id1 5 !USER_BUSY", "answer", "park"),
        extension("7307", f"socket 127.0.0.1:{s.socket_port} async full"),
        extension("7308", "answer", "stop_record_session", "park")])
    gateways = s.root / "conf/sip_profiles/external"
    gateways.mkdir(exist_ok=True)
    (gateways / "trunk.xml").write_text('<include><gateway name="trunk_one"><param name="realm" value="127.0.0.1"/><param name="register" value="false"/>'
                                        "</gateway></include>")
    s.start()
    yield s
    s.stop()


def only_uuid(sw):
    return json.loads(sw.api("show channels as json"))["rows"][0]["uuid"]


def test_hash_dump_limit(sw, phone):
    a = call(phone("1000"), "7306")
    assert re.fullmatch(r"L/d1_id1/1/0/0/0\n", sw.api("hash_dump limit"))
    sw.api("hash insert/realm/key/value")
    assert sw.api("hash_dump all").splitlines() == ["L/d1_id1/1/0/0/0", "D/realm_key/value"]
    assert sw.api("hash_dump db") == "D/realm_key/value\n"
    assert sw.api("hash_dump limit nosuch") == "-ERR no reply\n"
    a.bye()
    sw.wait_calls(0)
    assert sw.api("hash_dump limit") == "-ERR no reply\n"


@pytest.mark.parametrize("mode", ["myevents", "event plain all"])
def test_jobs_of_a_call_name_it(sw, phone, mode):
    listener = socket.create_server(("127.0.0.1", sw.socket_port))
    a = phone("1000")
    a.invite("7307")
    conn, _ = listener.accept()
    listener.close()
    esl = Esl.__new__(Esl)
    esl.sock, esl.buf, esl.events = conn, b"", []
    conn.settimeout(15)
    uuid = esl.command("connect")[0]["Unique-ID"]
    esl.command(mode)
    esl.command(f"bgapi uuid_getvar {uuid} uuid")
    job = esl.wait_event("BACKGROUND_JOB")
    assert job["Job-Owner-UUID"] == uuid and job["_body"].startswith(uuid)
    if mode == "myevents":  # another's job is not heard
        sw.api("bgapi status")
        other = sw.esl()
        other.command("bgapi status")
        other.close()
        esl.command(f"bgapi uuid_getvar {uuid} direction")
        assert esl.wait_event("BACKGROUND_JOB")["_body"] == "inbound"
    esl.command("sendmsg\ncall-command: hangup\n")
    esl.close()
    sw.wait_calls(0)


def test_words_of_show(sw):
    for plural, singular in ("codecs", "codec"), ("modules", "module"), ("endpoints", "endpoint"), ("dialplans", "dialplan"), ("timers", "timer"):
        assert sw.api(f"show {plural}") == sw.api(f"show {singular}") != "\n0 total.\n"
    assert sw.api("show modulesque") == sw.api("show modules")
    assert sw.api("show helpful") == sw.api("show help")
    assert sw.api("show codecX") == "\n0 total.\n"
    assert sw.api("show CODEC") == sw.api("show codec")
    assert not sw.api("show nosuch").startswith("\n0 total")


def test_stop_record_session_says_what_it_lacks(sw, phone):
    a = call(phone("1000"), "7308")
    sw.wait_log("stop_record_session: usage: <path>|all")
    a.bye()


def test_traces_have_clean_lines(sw):
    sw.api("sofia profile internal siptrace on")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        s.sendto((f"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKtrace\r\nFrom: <sip:a@b>;tag=1\r\n"
                  "To: <sip:c@d>\r\nCall-ID: traced\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n").encode(), ("127.0.0.1", sw.sip_port))
        s.settimeout(10)
        assert s.recv(4000).startswith(b"SIP/2.0 200")
    sw.wait_log("Call-ID: traced", count=2)
    sw.api("sofia profile internal siptrace off")
    lines = [l for l in sw.log_text.split("\n") if "Call-ID: traced" in l or "CSeq: 1 OPTIONS" in l]
    assert lines and not any(l.endswith("?") for l in lines), lines


def test_commands_that_were_missing(sw, phone):
    assert sw.api("local_stream") == "-USAGE: <show|start|reload|stop|hup> <local_stream_name>\n"
    assert sw.api("local_stream start nosuch") == "-ERR Cannot locate local_stream nosuch!\n"
    assert sw.api("local_stream stop nosuch") == "-ERR Cannot locate local_stream nosuch!\n"
    assert sw.api("page") == "-ERR no data"
    assert sw.api("chat") == sw.api("chat x") == "Invalid"
    assert sw.api("chat sip|1000|1001|hello") == "Error! Message Not Sent"
    assert sw.api("presence") == sw.api("presence up a b c") == "Invalid: presence [in|out] <user> <rpid> <message>"
    esl = sw.esl()
    esl.subscribe("PRESENCE_IN")
    assert sw.api("presence in 1000@127.0.0.1 busy on the phone") == "Event Sent"
    e = esl.wait_event("PRESENCE_IN", **{"from": "1000@127.0.0.1"})
    assert (e["rpid"], e["status"], e["proto"]) == ("busy", "on the phone", "dp")
    esl.close()
    xml = sw.api("console_complete_xml c=8;sofia st")
    assert xml == '<?xml version="1.0"?>\n<complete>\n  <match>status</match>\n  <write length="2">status</write>\n</complete>\n'


def test_local_stream_shows_stops_and_starts(fresh):
    music = fresh.root / "music"
    music.mkdir()
    write_tone(music / "a.wav", 440, 1)
    (fresh.root / "conf/autoload_configs/local_stream.conf.xml").write_text(
        f'<configuration name="local_stream.conf"><directory name="moh" path="{music}"><param name="shuffle" value="true"/>'
        '<param name="rate" value="16000"/><param name="interval" value="30"/><param name="timer-name" value="x"/><param name="prebuf" value="7"/>'
        '<param name="volume" value="-6"/><param name="chime-freq" value="1"/>\n<param name="Shufle" value="true"/>'
        '<param name="auto-volume" value="300"/></directory></configuration>')
    fresh.start()
    assert fresh.api("local_stream show") == f"moh,{music}\n"
    fields = {"location": music, "channels": 1, "rate": 16000, "interval": 30, "samples": 480, "prebuf": 7, "timer": "x", "total": 0,
              "shuffle": "true", "ready": "true", "stopped": "false"}
    shown = "".join(f"  {name + ':':9} {value}\n" for name, value in fields.items())
    assert fresh.api("local_stream show moh") == "moh\n" + shown + "  reloading: false\n"
    xml = "".join(f"  <{name}>{value}</{name}>\n" for name, value in fields.items())
    assert fresh.api("local_stream show moh as xml") == f'<?xml version="1.0"?>\n<local_stream name="moh">\n{xml}</local_stream>\n'
    assert fresh.api("local_stream vol moh") == "+OK vol stream: moh is -6\n"
    assert fresh.api("local_stream vol moh 99") == "+OK vol stream: moh is 50\n"
    assert fresh.api("local_stream vol moh loud").startswith("-ERR") and fresh.api("local_stream vol nosuch 1").startswith("-ERR Cannot locate")
    for said in ('local_stream.conf.xml:1: local_stream: chime-freq: "1" is out of range', ':2: local_stream: Shufle: "true" is no parameter',
                 ':2: local_stream: auto-volume: "300" is not done here'):
        assert fresh.log_text.count(said) == 1, said
    assert fresh.log_text.count("local_stream: ") == 3
    assert fresh.api("local_stream stop moh") == "+OK\n"
    assert fresh.api("local_stream show") == "-ERR no reply\n"
    for verb in ("start", "reload", "hup"):
        assert fresh.api(f"local_stream {verb} moh") == "+OK stream: moh\n"
    assert fresh.api("local_stream show") == f"moh,{music}\n"
    fresh.stop()


def test_page_plays_to_each(sw, phone):
    a, b = phone("1000"), phone("1001")
    esl = sw.esl()
    esl.subscribe("PLAYBACK_START")
    path = sw.root / "page.wav"
    assert sw.api(f"page (page_path={path})<origination_caller_id_name=Page>user/1000@127.0.0.1:_:user/1001@127.0.0.1") == "+OK 2 called"
    for p in (a, b):
        p.take()
    played = [esl.wait_event("PLAYBACK_START") for _ in range(2)]
    assert {e["Playback-File-Path"] for e in played} == {str(path)} and len({e["Unique-ID"] for e in played}) == 2, played
    esl.close()
    sw.wait_calls(0)


# ---- completion

def offered(sw, line, cursor=None):
    text = sw.api(f"console_complete c={len(line) if cursor is None else cursor};{line}")
    write = re.search(r"\n\nwrite=(\d+):(.*)$", text)
    return re.findall(r"\[ *([^\]]+)\]", text), write and (int(write[1]), write[2])


def test_tab_after_a_blank_offers_the_next_word(sw, phone):
    for line in ("show ", "fsctl ", "sofia profile ", "hash "):
        words, write = offered(sw, line)
        assert line.split()[-1] not in words and words, (line, words)
        assert write[0] == 0, line
    assert "channels" in offered(sw, "show ")[0]
    assert offered(sw, "show")[0] == ["show"]


def test_completion_of_what_lives(sw, phone):
    assert offered(sw, "sofia profile ") == (["external", "internal", "restart"], (0, ""))
    assert offered(sw, "sofia profile int") == (["internal"], (3, "internal"))
    assert offered(sw, "sofia status gateway ")[0] == ["trunk_one"]
    assert offered(sw, "sofia profile external killgw ")[0] == ["_all_", "trunk_one"]
    assert offered(sw, "sofia profile internal killgw ")[0] == ["_all_"]
    assert {"restart", "rescan", "start", "stop", "siptrace"} <= set(offered(sw, "sofia profile external ")[0])
    assert offered(sw, "sofia profile external siptrace ")[0] == ["off", "on"]
    a = call(phone("1000"), "7306")
    for command in ("uuid_kill", "uuid_dump", "uuid_transfer", "uuid_getvar"):
        assert offered(sw, command + " ")[0] == [only_uuid(sw)], command
    a.bye()


# ---- tandem-cli

def test_cli_finds_the_instance_of_the_environment(sw, tmp_path):
    run = tmp_path / "elsewhere/run"
    run.mkdir(parents=True)
    (run / "console.conf").write_text(f"[default]\nhost => 127.0.0.1\nport => {sw.esl_port}\npassword => {sw.esl_password}\n")
    env = {k: v for k, v in os.environ.items() if k != "TANDEM_RUN"}
    r = subprocess.run([BUILD / "tandem-cli", "-x", "create_uuid"], env=env | {"TANDEM_INSTANCE": str(tmp_path / "elsewhere"), "HOME": str(tmp_path)},
                       cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert r.returncode == 0 and re.match(r"[0-9a-f-]{36}", r.stdout), r


def test_tab_in_the_cli(sw, tmp_path):
    """The keys that a person presses, in a terminal: a single hit gets its blank, Tab after it goes on to the next word."""
    import pty
    import select
    import time
    home = tmp_path / "home"
    home.mkdir()
    main, sub = pty.openpty()
    p = subprocess.Popen([BUILD / "tandem-cli", "-H", "127.0.0.1", "-P", str(sw.esl_port), "-p", sw.esl_password, "-q"], stdin=sub, stdout=sub, stderr=sub,
                         env=dict(os.environ, HOME=str(home), TERM="vt100"), close_fds=True)
    os.close(sub)
    seen = b""

    def until(pattern, timeout=15):
        nonlocal seen
        deadline = time.monotonic() + timeout
        while not re.search(pattern, seen):
            left = deadline - time.monotonic()
            assert left > 0 and select.select([main], [], [], left)[0], (pattern, seen)
            seen += os.read(main, 4096)
        seen = seen[re.search(pattern, seen).end():]
    until(rb"> ")
    os.write(main, b"sofia sta\t")
    until(rb"sofia status ")
    os.write(main, b"prof\t")
    until(rb"status profile ")
    os.write(main, b"\t")
    until(rb"external\]\s+\[ *internal")
    until(rb"sofia status profile ")
    os.write(main, b"int\t")
    until(rb"profile internal ")
    os.write(main, b"\r")
    until(rb"Challenge Realm")
    os.write(main, b"/exit\r")
    p.wait(20)
    os.close(main)
