"""Profiles of a test's own beside the stock ones, and phones on them: no passwords, calls meet the default context."""
import sys
import uuid
from pathlib import Path

import tandem as t
from wire import sdp

sys.path.insert(0, str(Path(__file__).parent / "security"))
from sayer import Sayer  # noqa: E402


def add_profile(sw, name, **params):
    """Before the switch starts; its port. Underscores of parameter names stand for hyphens."""
    port = t.free_port(count=2)
    settings = {"sip-ip": "127.0.0.1", "rtp-ip": "127.0.0.1", "sip-port": port, "context": "default", "dialplan": "XML",
                "auth-calls": "false", "udp-answer-factor": 0, "inbound-codec-prefs": "PCMU,PCMA", "outbound-codec-prefs": "PCMU,PCMA",
                **{k.replace("_", "-"): v for k, v in params.items()}}
    text = "".join(f'<param name="{k}" value="{v}"/>' for k, v in settings.items())
    (sw.root / f"conf/sip_profiles/{name}.xml").write_text(f'<profile name="{name}"><settings>{text}</settings></profile>\n')
    return port


class Trunk(Sayer):
    """A phone without a registration; at: the profile's port."""
    def __init__(self, sw, user, at):
        super().__init__(sw, user, at)

    def invite(self, number, body=None, extra=""):
        self.call_id = f"call-{uuid.uuid4().hex}"
        self.uri = f"sip:{number}@{self.sw.domain}"
        self.to = f"<{self.uri}>"
        self.request("INVITE", self.uri, self.to, body=sdp(self.rtp_port) if body is None else body, extra=extra)
        self.invite_branch = self.last_branch
        self.invite_cseq = self.cseq

    def early(self, response):
        """The early dialog of that response: for requests in it."""
        self.peer_to = response.get("To")
        self.target = response.get("Contact").split("<")[1].split(">")[0]

    def prack(self, response, body="", rack=None, code=200):
        self.early(response)
        rack = rack or f"{response.get('RSeq')} {response.get('CSeq')}"
        self.request("PRACK", body=body, extra=f"RAck: {rack}\n")
        got = self.expect(code)
        assert got.get("CSeq").endswith("PRACK"), got
        return got

    def sees_nothing_else(self, code, seconds=0.3):
        """No response of that code comes."""
        try:
            m = self.expect(code, timeout=seconds)
        except AssertionError:
            return
        raise AssertionError(f"{self.user}: got {m}")
