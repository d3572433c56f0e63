"""What a leg knows of who calls, against the recording sipx-identity-variables of ../shared/golden/api: the same INVITEs, and each
line of the leg's profile and variables compared."""
import re
import sys
import uuid
from pathlib import Path
from urllib.parse import unquote

import pytest
from recordings import GOLDEN, needs_recordings
from wire import sdp

sys.path.insert(0, str(Path(__file__).parent.parent / "security"))
from sayer import Sayer  # noqa: E402

pytestmark = needs_recordings
OURS = {"variable_sip_alert_info"}  # Alert-Info is kept, so that the dialplan may name it to be handed on
RUN = re.compile(r"(Time|Unique-ID|stamp|_port|_tag|call_id|_via|full_from|full_to|_rport|contact_uri|Channel-Name)$")  # of the run


def scenes():
    if not GOLDEN.exists():
        return []
    text = (GOLDEN / "api/sipx-identity-variables.txt").read_text()
    found = re.findall(r"^# INVITE with [^:\n]+: (.+)\n((?:[^#\n].*\n)+)", text, re.M)
    return [(headers.split(" | "), dict(line.split(": ", 1) for line in lines.strip().split("\n"))) for headers, lines in found]


@pytest.fixture(scope="module")
def sw(tandem_vanilla):
    (tandem_vanilla.root / "conf/dialplan/public/lab.xml").write_text(
        '<include><extension name="9124"><condition field="destination_number" expression="^9124$"><action application="answer"/>'
        '<action application="echo"/></condition></extension></include>')
    tandem_vanilla.api("reloadxml")
    return tandem_vanilla


@pytest.mark.parametrize("headers,want", scenes(), ids=lambda v: v[0].split(":")[0] if isinstance(v, list) else "")
def test_who_calls(sw, headers, want):
    ext = Sayer(sw, "ext", sw.ext_port, frm='"ext" <sip:ext@127.0.0.1>')
    ext.call_id, ext.uri = uuid.uuid4().hex, "sip:9124@127.0.0.1"
    ext.to = f"<{ext.uri}>"
    ext.request("INVITE", ext.uri, ext.to, body=sdp(ext.rtp_port), extra="User-Agent: lab-ua\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, REFER, NOTIFY, "
                "MESSAGE, UPDATE\n" + "".join(h + "\n" for h in headers))
    ext.answered()
    leg = sw.api("show channels as delim |").split("\n")[1].split("|")[0]
    got = dict(line.split(": ", 1) for line in sw.api(f"uuid_dump {leg}").split("\n") if ": " in line)
    ext.bye()
    ext.close()
    sw.wait_calls(0)
    compared = {k: v for k, v in want.items() if not RUN.search(k)}
    assert len(compared) > 30
    differ = {k: (unquote(v), unquote(got.get(k, "(missing)"))) for k, v in compared.items() if got.get(k) != v}
    more = {k: v for k, v in got.items() if re.match(r"(Caller-|variable_sip_|variable_privacy)", k) and k not in want and k not in OURS}
    assert not differ and not more, (differ, more)
