"""What surrounds a switch (PostgreSQL, Redis, RabbitMQ, FreeRADIUS, slapd, a web server), each behind a line that may be silent, late, or
somebody who answers rubbish; a switch's configuration that uses them all; and each fault, one after the other. Used by test_outside_faults.py
and bench/outside.py."""
import os
import selectors
import signal
import socket
import threading

import amqp_peer
import radius_server as r
from calls import extension
from database_servers import Postgres, Rabbit
from servers import Redis, Slapd
from tandem import free_port
from test_call_records import PG_SCHEMA, PG_TABLE, conf, esc
from test_radius import server as radius_conf
from web_server import WebServer

NAMES = ("postgres", "rabbit", "redis", "radius", "slapd", "web")
FAULTS = ("silent", "rubbish", "late", "stopped", "killed")
LDIF = """dn: o=example
objectClass: organization
o: example

dn: ou=127.0.0.1,o=example
objectClass: organizationalUnit
ou: 127.0.0.1

dn: uid=7601,ou=127.0.0.1,o=example
objectClass: inetOrgPerson
uid: 7601
cn: x
sn: x
employeeType: pw7601

"""
KNOWN, UNKNOWN, NOBODY = 486, 404, 503  # how a call ends that needs an answer: it has the right one; it has none; it says so


class Line:
    """TCP and UDP to port, at a port of its own. mode: pass; silent: nothing is passed on to the server; rubbish: random bytes answer
    whatever is asked, and the connection stays; late: what the server says is held until the mode is pass again."""

    def __init__(self, port, is_udp=False):
        self.to, self.is_udp, self.mode, self.port = port, is_udp, "pass", free_port()
        self.asked = {"pass": 0, "silent": 0, "rubbish": 0, "late": 0}
        self.sel, self.end = selectors.DefaultSelector(), False
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM)
        self.front.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.front.bind(("127.0.0.1", self.port))
        self.wake_r, self.wake_w = os.pipe()
        self.ends, self.clients, self.held = {}, {}, []  # socket -> the other; UDP: client's address -> socket
        if not is_udp:
            self.front.listen(64)
        self.sel.register(self.front, selectors.EVENT_READ)
        self.sel.register(self.wake_r, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def set(self, mode):
        self.mode = mode
        os.write(self.wake_w, b"x")

    def close(self):
        self.end = True
        self.set("pass")
        self.thread.join(5)
        for s in [self.front, *self.ends]:
            s.close()
        self.sel.close()
        os.close(self.wake_r), os.close(self.wake_w)

    def run(self):
        while not self.end:
            for key, _ in self.sel.select():
                if key.fileobj == self.wake_r:
                    os.read(self.wake_r, 100)
                    if self.mode == "pass":
                        held, self.held = self.held, []
                        for to, data, addr in held:
                            self.put(to, data, addr)
                elif key.fileobj is self.front:
                    self.datagram() if self.is_udp else self.accept()
                elif key.fileobj in self.ends:
                    self.move(key.fileobj)

    def put(self, to, data, addr=None):
        try:
            self.front.sendto(data, addr) if addr else to.sendall(data)
        except OSError:
            pass

    def accept(self):
        c, _ = self.front.accept()
        try:
            up = socket.create_connection(("127.0.0.1", self.to), 5)
        except OSError:
            c.close()
            return
        for a, b in ((c, up), (up, c)):
            a.settimeout(5)  # for one that is stopped and takes no more
            self.ends[a] = b
            self.sel.register(a, selectors.EVENT_READ)
        self.clients[c] = True

    def drop(self, s):
        for x in (s, self.ends.get(s)):
            if x in self.ends:
                self.sel.unregister(x)
                del self.ends[x]
                self.clients.pop(x, None)
                x.close()

    def datagram(self):
        data, addr = self.front.recvfrom(65536)
        if addr not in self.clients:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.connect(("127.0.0.1", self.to))
            s.setblocking(False)  # an error that is waiting may be a sender's
            self.clients[addr], self.ends[s] = s, addr
            self.sel.register(s, selectors.EVENT_READ)
        self.forward(self.clients[addr], data, None, addr)

    def move(self, s):
        try:
            data = s.recv(65536)
        except OSError:
            data = b""
        if self.is_udp:
            if data:
                self.backward(None, data, self.ends[s])
        elif not data:
            self.drop(s)
        elif s in self.clients:
            self.forward(self.ends[s], data, s)
        else:
            self.backward(self.ends[s], data)

    def forward(self, to, data, back, addr=None):
        self.asked[self.mode] += 1
        if self.mode == "rubbish":
            self.put(back, os.urandom(200), addr)
        elif self.mode != "silent":
            self.put(to, data)

    def backward(self, to, data, addr=None):
        if self.mode == "pass":
            self.put(to, data, addr)
        elif self.mode == "late":
            self.held.append((to, data, addr))


def slapd(folder):
    s = Slapd(folder).start()
    s.add(LDIF)
    return s


class Lab:
    """The servers, each behind its line."""

    def __init__(self, tmp):
        makers = {"postgres": Postgres, "rabbit": Rabbit, "redis": lambda: Redis(tmp / "redis").start(), "slapd": lambda: slapd(tmp / "slapd"),
                  "radius": lambda: r.FreeRadius(tmp / "radius", 'alice Cleartext-Password := "wonder"\n').start(),
                  "web": lambda: WebServer(lambda q: (200, "text/plain", "fine"))}
        s = self.servers = {}
        for name, make in makers.items():
            s[name] = make()
        s["postgres"].psql(PG_TABLE)
        s["postgres"].psql("CREATE TABLE names (number text, name text); INSERT INTO names VALUES ('5551234', 'known')")
        peer = amqp_peer.Peer(s["rabbit"].port)
        peer.exchange("TAP.Records")
        peer.queue("records", "TAP.Records")
        peer.close()
        self.lines = {name: [Line(s[name].port)] for name in NAMES if name != "radius"}
        self.lines["radius"] = [Line(s["radius"].auth, is_udp=True), Line(s["radius"].acct, is_udp=True)]

    def configure(self, sw):
        """9300 is answered and asks nobody; 9401 to 9405 ask one each, and end as KNOWN when it answers."""
        port = {name: lines[0].port for name, lines in self.lines.items()}
        files = sw.root / "conf/autoload_configs"
        (sw.root / "conf/dialplan/public").mkdir(exist_ok=True)
        pg = f"hostaddr=127.0.0.1 port={port['postgres']} dbname=switch user=tandem password='sesame\\'s'"

        def asks(number, question, want):
            return extension(number, f"set said=${{{question}}}", f"hangup ${{cond(x${{said}} == x{want} ? USER_BUSY : UNALLOCATED_NUMBER)}}")
        (sw.root / "conf/dialplan/public/00_lab.xml").write_text("<include>" + "".join([
            extension("9300", "answer", "park"),
            asks("9401", "cidlookup(5551234)", "known"),
            extension("9402", "limit hiredis default lab 1000000 !UNALLOCATED_NUMBER", "hangup USER_BUSY"),
            extension("9403", "rad_auth alice wonder", "hangup USER_BUSY"),
            asks("9404", "user_data(7601@127.0.0.1 param password)", "pw7601"),
            asks("9405", f"curl(http://127.0.0.1:{port['web']}/ask timeout 1)", "fine")]) + "</include>")
        conf(sw, "cidlookup", [("odbc-dsn", esc("pgsql://" + pg)), ("sql", "SELECT name FROM names WHERE number='${caller_id_number}'")])
        conf(sw, "cdr_pg_csv", [("db-info", esc(pg))], PG_SCHEMA)
        conf(sw, "json_cdr", [("url", f"http://127.0.0.1:{port['web']}/"), ("timeout", "1"), ("delay", "1"), ("retries", "-1"), ("log-b-leg", "false")])
        (files / "amqp.conf.xml").write_text(
            f'<configuration name="amqp.conf"><cdrs><profile name="default"><connections><connection name="a"><param name="port" value="{port["rabbit"]}"/>'
            '<param name="hostname" value="127.0.0.1"/></connection></connections><params><param name="reconnect_interval_ms" value="200"/>'
            '<param name="log-b-leg" value="false"/></params></profile></cdrs></configuration>')
        (files / "hiredis.conf.xml").write_text(
            '<configuration name="hiredis.conf"><profiles><profile name="default"><connections><connection name="a"><param name="hostname" '
            f'value="127.0.0.1"/><param name="port" value="{port["redis"]}"/><param name="password" value="lab"/></connection></connections></profile>'
            "</profiles></configuration>")
        (files / "xml_ldap.conf.xml").write_text(
            '<configuration name="xml_ldap.conf"><bindings><binding name="people"><param name="filter" value="(uid=%s)" bindings="directory"/>'
            f'<param name="basedn" value="ou=%s,o=example"/><param name="url" value="ldap://127.0.0.1:{port["slapd"]}"/><param name="binddn" '
            'value="cn=admin,o=example"/><param name="bindpass" value="secret"/><param name="timeout" value="1"/><trans><tran name="id" mapfrom="uid"/>'
            '<tran name="password" mapfrom="employeeType"/></trans></binding></bindings></configuration>')
        (files / "radius.conf.xml").write_text(
            '<configuration name="radius.conf"><settings><param name="accounting-in-flight" value="64"/></settings><servers>'
            f'{radius_conf("one", port["radius"], self.lines["radius"][1].port)}</servers></configuration>')
        modules = files / "modules.conf.xml"
        modules.write_text(modules.read_text().replace("</modules>", "".join(f'<load module="mod_{m}"/>' for m in (
            "cdr_pg_csv", "json_cdr", "amqp", "hiredis", "xml_ldap", "radius", "curl", "cidlookup")) + "</modules>"))

    def number(self, name):
        """Whom to call to ask that server; None: nobody asks it."""
        return {"postgres": "9401", "redis": "9402", "radius": "9403", "slapd": "9404", "web": "9405"}.get(name)

    def fault(self, name, what):
        """Begins it; what ends it."""
        s = self.servers[name]
        if what in ("silent", "rubbish", "late"):
            for line in self.lines[name]:
                line.set(what)
            return lambda: [line.set("pass") for line in self.lines[name]]
        if what == "killed":
            (s.kill if hasattr(s, "kill") else s.stop)()
            return s.start
        if name == "web":
            s.may_go.clear()
            return s.may_go.set
        if name == "radius":
            s.proc.send_signal(signal.SIGSTOP)
            return lambda: s.proc.send_signal(signal.SIGCONT)
        s.stall()
        return s.go_on if hasattr(s, "go_on") else lambda: s.stall(False)

    def open(self):
        for line in sum(self.lines.values(), []):
            line.set("pass")

    def close(self):
        for line in sum(self.lines.values(), []):
            line.close()
        for s in self.servers.values():
            (s.end if hasattr(s, "end") else s.stop)()
