"""What sofia's commands answer, against the recordings sipx-sofia-misc and presence-status of ../shared/golden/api: the same commands in
the same order, each reply compared line by line. What differs is listed with its reason."""
import difflib
import re

import pytest
import tandem as t
from recordings import GOLDEN, THEN, needs_recordings
from watch import Two, subscribe
from wire import Phone

pytestmark = needs_recordings
LEAST = 0.95
NOT_THERE = "what it switches is not there, and nothing says that it was done"
# command: why its reply is not compared
OTHER = {
    "sofia_dig localhost": "the machine's own DNS, not the recorded one that timed out",
    "sofia_dig lab.invalid": "the machine's own DNS, not the recorded one that timed out",
    "sofia global debug presence": NOT_THERE, "sofia global debug none": NOT_THERE,
    "sofia global standby on": NOT_THERE, "sofia global standby off": NOT_THERE, "sofia recover flush": NOT_THERE,
    "sofia profile internal watchdog on": NOT_THERE, "sofia profile internal watchdog off": NOT_THERE,
    "sofia profile internal recover": NOT_THERE,
    "sofia profile internal start": "a profile that runs is not said to have been started",
    "sofia profile pres restart": "a profile that was started a moment ago is there; the recorded one was still on its way",
    "sofia profile pres rescan": "a profile that was started a moment ago is there; the recorded one was still on its way",
}
COUNTED = r"(CALLS|FAILED-CALLS|REGISTRATIONS|<(calls|failed-calls|registrations))"  # of all scenes before


def replies(name):
    parts = re.split(r"(?m)^\$ fs_cli -x '(.*)'\n", (GOLDEN / f"api/{name}.txt").read_text())
    return [(parts[i], parts[i + 1]) for i in range(1, len(parts), 2)]


def masked(text):
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"[0-9a-f]{16}@lab|call-[0-9a-f]{32}", "CALL-ID", text)
    text = re.sub(r"tag=[^;> ]+", "tag=T", text)
    text = re.sub(r"FreeSWITCH|Tandem", "PRODUCT", text)
    lines = [re.sub(r"\d+(\.\d+)*", "#", line).rstrip() for line in text.split("\n")]
    return [line for line in lines if line and not re.match(r"\s*" + COUNTED, line)]


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    """The stock profiles with TLS on, and those of the recording that its commands name."""
    sw = t.Tandem(tmp_path_factory.mktemp("commands") / "instance", "vanilla", **THEN)
    conf = sw.root / "conf/vars.xml"
    text = conf.read_text()
    for side in ("internal", "external"):
        text = re.sub(rf"{side}_ssl_enable=false", f"{side}_ssl_enable=true", text)
        text = re.sub(rf"{side}_tls_port=\d+", f"{side}_tls_port={t.free_port()}", text)
    conf.write_text(text)
    internal = sw.root / "conf/sip_profiles/internal.xml"  # wss was off
    internal.write_text(re.sub(r'<param name="wss-binding"[^>]*>', "", internal.read_text()))
    codecs = "$${global_codec_prefs}"
    for name in ("rel", "pres"):
        params = {"sip-ip": "127.0.0.1", "rtp-ip": "127.0.0.1", "sip-port": t.free_port(), "context": "public", "dialplan": "XML",
                  "presence-hosts": "127.0.0.1", "challenge-realm": "auto_from", "hold-music": "local_stream://moh", "session-timeout": 120,
                  "inbound-late-negotiation": "true", "inbound-codec-prefs": codecs, "outbound-codec-prefs": codecs}
        xml = "".join(f'<param name="{k}" value="{v}"/>' for k, v in params.items())
        (sw.root / f"conf/sip_profiles/{name}.xml").write_text(f'<profile name="{name}"><settings>{xml}</settings></profile>')
    sw.start()
    yield sw
    sw.stop()


def played(sw, name, other):
    equal = total = 0
    differ = []
    for command, wanted in replies(name):
        got = sw.api(command)
        if command in other:
            continue
        a, b = masked(wanted), masked(got)
        total += max(len(a), len(b))
        equal += sum(m.size for m in difflib.SequenceMatcher(None, a, b, False).get_matching_blocks())
        differ += [(command, line) for line in difflib.ndiff(a, b) if line[0] in "+-"]
    print(f"{name}: {equal} of {total} lines equal")
    return equal, total, differ


def test_profiles_and_the_rest(sw):
    equal, total, differ = played(sw, "sipx-sofia-misc", OTHER)
    assert total > 150
    assert equal >= LEAST * total, "\n".join(map(str, differ))


def test_subscriptions(sw):
    """One of 1002 to the dialogs of 1001, and a call between 1000 and 1001."""
    phones = {user: Phone(sw, user) for user in ("1000", "1001", "1002", "1003")}
    for phone in phones.values():
        phone.register(300, "User-Agent: lab-ua\n")
    watching = subscribe(phones["1002"], "1001", "dialog")
    watching.notify()
    call = Two(sw, phones.get).ring().answer()
    watching.until(lambda m: "confirmed" in m.body)
    try:
        equal, total, differ = played(sw, "presence-status", {})
    finally:
        call.bye()
        for phone in phones.values():
            phone.close()
    assert equal >= LEAST * total, "\n".join(map(str, differ))
