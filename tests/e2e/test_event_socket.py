"""The event socket of a running switch: commands in order while one waits, nobody else held up, login by directory user, the
default password."""
import re
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "golden"))
from ua import Ua  # noqa: E402


def read_frames(sock, count, timeout=10):
    sock.settimeout(timeout)
    data, frames = b"", []
    while len(frames) < count:
        while b"\n\n" in data:
            head, rest = data.split(b"\n\n", 1)
            m = re.search(rb"^Content-Length: (\d+)", head, re.M)
            n = int(m.group(1)) if m else 0
            if len(rest) < n:
                break
            frames.append((head.decode(), rest[:n].decode()))
            data = rest[n:]
        if len(frames) < count:
            more = sock.recv(65536)
            assert more, (frames, data)
            data += more
    return frames


def test_commands_wait_in_order(tandem):
    """Commands sent ahead run in order though the first waits; another client is served meanwhile."""
    phone = Ua(tandem, "1000", answer=None).register()
    with socket.create_connection(("127.0.0.1", tandem.esl_port)) as s:
        s.sendall(f"auth {tandem.esl_password}\n\napi originate {{originate_timeout=1}}user/1000 &park\n\napi echo two\n\nexit\n\n".encode())
        read_frames(s, 2)
        start = time.monotonic()
        for i in range(20):
            assert tandem.api(f"echo {i}") == str(i)
        assert time.monotonic() - start < 0.5
        assert "1 total" in tandem.api("show channels count")
        frames = read_frames(s, 4)
        assert [f[1] for f in frames[:2]] == ["-ERR NO_ANSWER\n", "two"]
        assert "Reply-Text: +OK bye" in frames[2][0] and "text/disconnect-notice" in frames[3][0]
        assert s.recv(10) == b""
    phone.close()
    tandem.wait_calls(0)


def test_client_leaves_while_its_command_waits(tandem):
    phone = Ua(tandem, "1000", answer=None).register()
    with socket.create_connection(("127.0.0.1", tandem.esl_port)) as s:
        s.sendall(f"auth {tandem.esl_password}\n\napi originate {{originate_timeout=1}}user/1000 &park\n\n".encode())
        read_frames(s, 2)
    tandem.wait_calls(0)
    phone.close()


def test_sendmsg(tandem):
    phone = Ua(tandem, "1000").register()
    uuid = tandem.api("originate user/1000 &park")[4:].strip()
    e = tandem.esl()
    e.subscribe("CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP")
    headers, _ = e.command(f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: set\nexecute-app-arg: lab=1\nEvent-UUID: my-1")
    assert headers["Reply-Text"] == "+OK"
    done = e.wait_event("CHANNEL_EXECUTE_COMPLETE", Application="set")
    assert done["Application-UUID"] == "my-1" and done["Application-Data"] == "lab=1"
    assert tandem.api(f"uuid_getvar {uuid} lab") == "1"
    # the argument as a body
    e.sock.sendall(f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: log\nContent-Type: text/plain\nContent-Length: 10\n\nINFO hello".encode())
    assert e._reply()[0]["Reply-Text"] == "+OK"
    assert e.wait_event("CHANNEL_EXECUTE", Application="log")["Application-Data"] == "INFO hello"
    headers, _ = e.command(f"sendmsg {uuid}\ncall-command: hangup\nhangup-cause: USER_BUSY")
    assert headers["Reply-Text"] == "+OK"
    assert e.wait_event("CHANNEL_HANGUP")["Hangup-Cause"] == "USER_BUSY"
    assert phone.down.wait(5)
    phone.close()
    tandem.wait_calls(0)


def test_default_password_binds_loopback_only(tmp_path_factory):
    import pytest
    import tandem as t
    if not t.SHARED.exists():
        pytest.skip("the stock configuration (../shared/vanilla) is not here")
    sw = t.Tandem(tmp_path_factory.mktemp("default") / "instance", "vanilla")
    conf = sw.root / "conf/autoload_configs/event_socket.conf.xml"
    conf.write_text(conf.read_text().replace('name="listen-ip" value="127.0.0.1"', 'name="listen-ip" value="0.0.0.0"'))
    sw.start()
    try:
        port = f":{sw.esl_port:04X}"
        bound = [line.split()[1] for line in Path("/proc/net/tcp").read_text().split("\n")[1:] if port in line and line.split()[3] == "0A"]
        assert bound == [f"0100007F{port}"]
        assert "default password" in sw.api("status") and "default password" in sw.console() + sw.log_text
    finally:
        sw.stop()
