"""Row radius: phones whose passwords only a RADIUS server knows (Debian's freeradius, on the load's core): each REGISTER is a request to it."""
import sys
import tempfile
from pathlib import Path

from switch import LOAD_CORE, TOP, Switch, note, pinned

sys.path.insert(0, str(TOP / "tests" / "e2e"))
from radius_server import FreeRadius  # noqa: E402


class RadiusSwitch(Switch):
    def __init__(self):
        super().__init__()
        self.radius = FreeRadius(Path(tempfile.mkdtemp(prefix="tandem-bench-radius-", dir=self.where)),
                                 'DEFAULT Cleartext-Password := "benchword"\n')
        conf = self.root / "conf/autoload_configs"
        (conf / "radius.conf.xml").write_text(
            f'<configuration name="radius.conf"><servers><server name="one"><param name="host" value="127.0.0.1"/><param name="secret" '
            f'value="{self.radius.secret}"/><param name="auth-port" value="{self.radius.auth}"/><param name="acct-port" value="0"/></server>'
            '</servers></configuration>\n')
        p = conf / "modules.conf.xml"
        p.write_text(p.read_text().replace("</modules>", '<load module="mod_radius"/></modules>'))
        p = self.root / "conf/sip_profiles/internal.xml"
        p.write_text(p.read_text().replace("<settings>", '<settings><param name="authenticator" value="radius"/>', 1))

    def start(self, timeout=20):
        pinned(LOAD_CORE, self.radius.start)
        return super().start(timeout)

    def end(self):
        note("  " + self.api("radius status").split("\n")[2].strip())
        super().end()
        self.radius.stop()


OPTIONS = dict(make=RadiusSwitch)
