"""Row http-directory: phones whose accounts are on a web server only. The server is asked once for each of them before (the cache holds
what it said); then they register again and again."""
import sys

from switch import TOP, Switch, note

sys.path.insert(0, str(TOP / "tests" / "e2e"))
from web_server import NOT_FOUND, WebServer, user  # noqa: E402

USERS, FIRST = 1000, 200000


class HttpSwitch(Switch):
    def __init__(self):
        super().__init__()
        self.web = WebServer(lambda r: (200, "text/xml", user(r["user"], r["domain"], "benchword") if r["user"] else NOT_FOUND))
        conf = self.root / "conf/autoload_configs"
        (conf / "xml_curl.conf.xml").write_text(
            '<configuration name="xml_curl.conf"><bindings><binding name="web"><param name="gateway-url" '
            f'value="{self.web.url}/xml" bindings="directory"/><param name="cache-ttl" value="3600"/><param name="cache-key" '
            'value="user domain"/></binding></bindings></configuration>\n')
        p = conf / "modules.conf.xml"
        p.write_text(p.read_text().replace("</modules>", '<load module="mod_xml_curl"/></modules>'))

    def start(self, timeout=20):
        super().start(timeout)
        for i in range(USERS):
            assert self.api(f"user_exists id {FIRST + i} 127.0.0.1") == "true"
        note(f"  {len(self.web.requests)} questions to the web server")
        return self

    def end(self):
        note(f"  {len(self.web.requests)} questions to the web server in all")
        super().end()
        self.web.stop()


OPTIONS = dict(make=HttpSwitch, users=USERS, first_user=FIRST)
