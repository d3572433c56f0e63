"""Mail of mailboxes: by a program, by SMTP to a server that refuses, stalls, dies and comes back; what is in it, and what cannot get into it."""
import email
import email.policy
import re
import socket
import threading
import time

import pytest
import tandem as t
from phones import write_tone
from test_voicemail import param, prepare

pytestmark = pytest.mark.leaks


class Server:
    """An SMTP server that does with each connection what its script says next: "take", "451", "550", "stall", "die" (before the end of the
    message is acknowledged, and without keeping it); then it takes. What it acknowledged is in `got`."""

    def __init__(self, *script, port=0):
        self.script, self.got, self.seen, self.changed = list(script), [], [], threading.Condition()
        self.sock = socket.create_server(("127.0.0.1", port), reuse_port=False)
        self.port = self.sock.getsockname()[1]
        self.open = True
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while self.open:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _note(self, what):
        with self.changed:
            self.seen.append(what)
            self.changed.notify_all()

    def _serve(self, conn):
        with self.changed:
            act = self.script.pop(0) if self.script else "take"
        if act == "stall":
            self._note(act)
            self.stalled = conn
            return
        f = conn.makefile("rwb", buffering=0)

        def say(line):
            f.write(line.encode() + b"\r\n")
        try:
            say("220 test")
            sender = to = None
            while line := f.readline():
                word = line.decode().strip()
                if word.upper().startswith(("EHLO", "HELO")):
                    say("250 test")
                elif word.upper().startswith("MAIL"):
                    if act in ("451", "550"):
                        say(f"{act} not now")
                        continue
                    sender = word
                    say("250 ok")
                elif word.upper().startswith("RCPT"):
                    to = re.search("<(.*)>", word).group(1)
                    say("250 ok")
                elif word.upper() == "DATA":
                    say("354 go on")
                    data = b""
                    while not data.endswith(b"\r\n.\r\n"):
                        more = f.read(65536)
                        if not more:
                            return
                        data += more
                        if act == "die":
                            return
                    with self.changed:
                        self.got.append((sender, to, data[:-5].replace(b"\r\n.", b"\r\n")))
                    say("250 kept")
                    self._note("take")
                else:
                    say("221 bye")
                    if word.upper() == "QUIT":
                        return
        except OSError:
            pass
        finally:
            conn.close()
            if act != "take":
                self._note(act)

    def wait(self, fits, timeout=40):
        with self.changed:
            assert self.changed.wait_for(fits, timeout), (self.seen, len(self.got))

    def close(self):
        self.open = False
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def settings(sw, **pairs):
    xml = "".join(f'<param name="{k.replace("_", "-")}" value="{v}"/>' for k, v in pairs.items())
    (sw.root / "conf/autoload_configs/mail.conf.xml").write_text(f'<configuration name="mail.conf"><settings>{xml}</settings></configuration>')


def with_mail(sw, user=1001, **more):
    prepare(sw)
    param(sw, user, ("vm-mailto", f"box{user}@a.example"), ("vm-email-all-messages", "true"), ("vm-attach-file", "true"),
          *((k.replace("_", "-"), v) for k, v in more.items()))


def inject(sw, user=1001, cid="5551234 Bob", seconds=1):
    path = sw.root / "in.wav"
    write_tone(path, 900, seconds)
    assert sw.api(f"voicemail_inject {user}@127.0.0.1 {path} {cid}").strip() == "+OK"


def parsed(data):
    return email.message_from_bytes(data, policy=email.policy.default)


def waits_empty(sw):
    deadline = time.monotonic() + 20
    while not sw.api("mail status").startswith("0 queued"):
        assert time.monotonic() < deadline, sw.api("mail status")
        time.sleep(0.05)


def test_each_message_arrives_once(fresh):
    """The server is away, refuses, dies in a message, and we are killed and started again meanwhile."""
    probe = Server()
    port = probe.port
    probe.close()
    with_mail(fresh, vm_notify_mailto="phone@b.example", vm_notify_email_all_messages="true")
    settings(fresh, smtp_host="127.0.0.1", smtp_port=port, retry_interval=1, retry_interval_max=1)
    fresh.start()
    inject(fresh, cid="5551234 first")
    fresh.wait_log("again in 1 s")
    fresh.kill()
    queue = fresh.root / "storage/mail/queue"
    assert len(list(queue.glob("*.env"))) == 2
    (queue / "half.eml").write_text("a message that was never accepted")
    server = Server("451", "die", "550", "take", "die", port=port)
    fresh.start()
    inject(fresh, cid="5551234 second")
    server.wait(lambda: len(server.got) >= 4 and not server.script)
    waits_empty(fresh)
    assert sorted(to for _, to, _ in server.got) == ["box1001@a.example"] * 2 + ["phone@b.example"] * 2
    assert len({(to, parsed(d)["Message-ID"]) for _, to, d in server.got}) == 4
    assert list(queue.iterdir()) == []
    for sender, to, data in server.got:
        m = parsed(data)
        files = [p for p in m.walk() if p.get_filename()]
        assert sender.startswith("MAIL FROM:<1001@127.0.0.1>") and m["Date"] and m["To"] == to
        assert len(files) == (1 if to.startswith("box") else 0)
        if files:
            assert files[0].get_content()[:4] == b"RIFF" and files[0].get_content_type() == "audio/x-wave"
        assert "1001@127.0.0.1" in m.get_body().get_content()
    server.close()


def test_silent_server_holds_nobody(fresh):
    server = Server("stall")
    with_mail(fresh)
    settings(fresh, smtp_host="127.0.0.1", smtp_port=server.port, retry_interval=1)
    fresh.start()
    inject(fresh)
    server.wait(lambda: "stall" in server.seen)
    inject(fresh)
    assert fresh.api("vm_boxcount 1001@127.0.0.1") == "2" and fresh.api("mail status").startswith("2 queued")
    fresh.stop(may_be_slow=True)  # it does not wait for the server
    assert len(list((fresh.root / "storage/mail/queue").glob("*.env"))) == 2
    server.close()


def test_no_way_into_headers_and_parts(fresh):
    server = Server()
    with_mail(fresh)
    (fresh.root / "conf/voicemail.tpl").write_text(
        'From: "${voicemail_caller_id_name}" <${voicemail_caller_id_number}@${voicemail_domain}>\nTo: <${voicemail_email}>\n'
        'Subject: Voice of ${voicemail_caller_id_name}\n\nContent-Type: multipart/alternative; boundary="IN"\n\n--IN\n'
        'Content-Type: text/plain; charset=ISO-8859-1\nContent-Transfer-Encoding: 7bit\n\n${voicemail_caller_id_name}\n'
        '--IN\nContent-Type: text/html; charset=ISO-8859-1\n\n<b>${voicemail_caller_id_name}</b>\n--IN--\n')
    settings(fresh, smtp_host="127.0.0.1", smtp_port=server.port)
    fresh.start()
    names = ["Evil\\nBcc: all@victims.example\\n\\nbody", '\\"\\"<boss@corp.example>,', "--IN--\\n.\\nQUIT", "Jörg Müller 王小明 " * 6, "<script>x</script>"]
    for i, name in enumerate(names):
        inject(fresh, cid=f"555{i} '{name}'")
        server.wait(lambda: len(server.got) == i + 1)
        m = parsed(server.got[i][2])
        assert m["Bcc"] is None and len(m.get_all("From")) == 1 and [a.addr_spec for a in m["From"].addresses] == [f"555{i}@127.0.0.1"], m["From"]
        kinds = [p.get_content_type() for p in m.walk()]
        assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "audio/x-wave"], (name, kinds)
        assert all(b < 128 for b in server.got[i][2].split(b"\r\n\r\n")[0]) and max(map(len, server.got[i][2].split(b"\r\n"))) < 998
        html = next(p for p in m.walk() if p.get_content_type() == "text/html").get_content()
        assert "<script>" not in html and "<boss" not in html
        if name.startswith("J"):
            assert m["Subject"].startswith("Voice of Jörg Müller 王小明") and "王小明" in html
    server.close()


def test_program_conversion_and_not_kept(fresh):
    """mailer-app gets what FreeSWITCH gives it; the file as mp3; a message that is mailed only is not listed."""
    with_mail(fresh, user=1002, vm_keep_local_after_email="false", vm_convert_ext="mp3")
    out = fresh.root / "mailer.out"
    script = fresh.root / "mailer.sh"
    script.write_text(f'#!/bin/sh\necho "ARGS: $@" > {out}.new\ncat >> {out}.new\nmv {out}.new {out}\n')
    script.chmod(0o755)
    path = fresh.root / "conf/autoload_configs/switch.conf.xml"
    path.write_text(path.read_text().replace("<settings>", f'<settings><param name="mailer-app" value="{script}"/><param name="mailer-app-args" value="-t"/>', 1))
    settings(fresh)
    fresh.start()
    inject(fresh, user=1002, seconds=2)
    waits_empty(fresh)
    args, _, text = out.read_text().partition("\n")
    assert args == "ARGS: -f 1002@127.0.0.1 -t box1002@a.example"
    (file,) = [p for p in parsed(text.encode()).walk() if p.get_filename()]
    assert file.get_content_type() == "audio/mpeg" and file.get_filename().endswith(".mp3") and len(file.get_content()) > 1000
    assert fresh.api("vm_boxcount 1002@127.0.0.1|all") == "0:0:0:0"
    assert list((fresh.root / "storage/voicemail/default/127.0.0.1/1002").iterdir()) == []


def test_given_up(fresh):
    server = Server(*["550"] * 50)
    with_mail(fresh)
    settings(fresh, smtp_host="127.0.0.1", smtp_port=server.port, keep_days=0)
    fresh.start()
    inject(fresh)
    fresh.wait_log("is given up")
    t.until(lambda: len(list((fresh.root / "storage/mail/dead").glob("*.eml"))) == 1)
    assert fresh.api("mail status").startswith("0 queued")
    assert fresh.api("mail").startswith("-USAGE") and fresh.api("mail flush").startswith("+OK 0")
    server.close()
