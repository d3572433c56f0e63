"""What tests of the call centre share: its configuration, agents and callers of null/ legs, what its commands and events say."""
import re

MUSIC = "tone_stream://%(10000,0,1600);loops=-1"


def queue(name, **params):
    xml = "".join(f'<param name="{k.replace("_", "-")}" value="{v}"/>' for k, v in params.items())
    return f'<queue name="{name}">{xml}</queue>'


def configure(sw, queues, agents="", tiers="", settings=""):
    """callcenter.conf, and the module is loaded at the start."""
    conf = sw.root / "conf/autoload_configs"
    conf.joinpath("callcenter.conf.xml").write_text(
        f'<configuration name="callcenter.conf"><settings>{settings}</settings><queues>{"".join(queues)}</queues>'
        f"<agents>{agents}</agents><tiers>{tiers}</tiers></configuration>\n")
    modules = conf / "modules.conf.xml"
    modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_callcenter"/></modules>'))


def config(sw, words):
    reply = sw.api(f"callcenter_config {words}")
    assert reply == "+OK\n", (words, reply)


def agent(sw, name, contact, queue=None, level=1, position=1, kind="callback", **fields):
    config(sw, f"agent add {name} {kind}")
    if contact:
        config(sw, f"agent set contact {name} {contact}")
    for field, value in fields.items():
        config(sw, f"agent set {field} {name} {value}")
    if queue:
        config(sw, f"tier add {queue} {name} {level} {position}")
    config(sw, f"agent set status {name} Available")


def table(sw, words):
    """The rows of a report as dictionaries."""
    lines = sw.api(f"callcenter_config {words}").splitlines()
    assert lines[-1] == "+OK", lines
    names = lines[0].split("|")
    return [dict(zip(names, line.split("|"))) for line in lines[1:-1]]


def members(sw, name):
    return table(sw, f"queue list members {name}")


def agents(sw):
    return {a["name"]: a for a in table(sw, "agent list")}


def told(events, action, **more):
    return events.wait_event("CUSTOM", Event_Subclass="callcenter::info", CC_Action=action, **more)


def is_quiet(sw, *queues):
    """Nothing rings and nobody waits or talks: no ghost of a caller, no agent that is stuck."""
    for name in queues:
        assert {m["state"] for m in members(sw, name)} <= {"Abandoned"}, members(sw, name)
    for a in agents(sw).values():
        assert a["state"] in ("Waiting", "Idle"), a
        assert a["type"] == "uuid-standby" or not a["uuid"], a
    for t in table(sw, "tier list"):
        assert t["state"] in ("Ready", "No Answer"), t


def becomes_quiet(sw, *queues):
    """An agent is free a moment after the last leg of his call is gone."""
    for _ in range(250):
        try:
            return is_quiet(sw, *queues)
        except AssertionError:
            sw.api("msleep 20")
    return is_quiet(sw, *queues)


def caller(sw, queue, number="5000", vars=""):
    """A null/ leg that waits in the queue; its uuid."""
    reply = sw.api("originate {%sorigination_callee_id_number=%s}null/caller &callcenter(%s)" % (vars and vars + ",", number, queue))
    return re.fullmatch(r"\+OK (\S+)\n", reply).group(1)
