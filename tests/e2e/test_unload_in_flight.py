"""A module is unloaded, loaded and unloaded again while its jobs are out: a gate holds every worker at the disk, so records, rows, prompts,
scripts and files are really under way at that moment. What was promised comes to its end afterwards, and nothing that the jobs hold goes
before them."""
import json
import re
import time

import pytest
import tandem as t
from calls import extension
from phones import write_tone
from stall import Gate
from wire import Phone

pytestmark = pytest.mark.leaks
RECORDS = ("mod_json_cdr", "mod_format_cdr", "mod_cdr_pg_csv", "mod_cdr_sqlite", "mod_amqp", "mod_kafka", "mod_nats", "mod_core_db")
ROUTING = ("mod_lcr", "mod_easyroute", "mod_enum", "mod_cidlookup", "mod_portability", "mod_translate", "mod_blacklist", "mod_prefix", "mod_nibblebill", "mod_billing", "mod_dialler", "mod_verto")
MODULES = ("mod_console", "mod_logfile", "mod_cdr_csv", "mod_xml_cdr", *RECORDS, "mod_event_socket", "mod_http_api", "mod_sofia", "mod_commands",
           "mod_dptools", "mod_db", "mod_hash", "mod_expr", "mod_loopback", "mod_valet_parking", "mod_dialplan_xml",
           "mod_dialplan_asterisk", "mod_sndfile", "mod_tone_stream", "mod_local_stream", "mod_lua",
           "mod_say_en", "mod_say_zh", "mod_flite", "mod_tts_commandline", "mod_tts_http", "mod_distributor", "mod_sms", "mod_otel", "mod_voicemail",
           "mod_conference", "mod_features", "mod_recordings", "mod_audio_stream", "mod_fifo", "mod_callcenter", "mod_directory", "mod_amd", "mod_esf", "mod_avmd",
           "mod_http_cache", "mod_http_asr", *ROUTING, "mod_xml_curl", "mod_httapi", "mod_curl", "mod_xml_ldap", "mod_hiredis",
           "mod_memcache", "mod_radius", "mod_opus", "mod_amr", "mod_amrwb", "mod_spandsp", "mod_siren", "mod_ilbc")
# not loaded by default
ASKED = ("mod_callcenter", "mod_xml_curl", "mod_httapi", "mod_curl", "mod_xml_ldap", "mod_hiredis", "mod_memcache", "mod_radius")
# each shows in `show rings` that its jobs wait
BUSY = ("workers sound", "workers file", "workers speech", "workers script", "journal", "store")


def prepare(tmp):
    sw = t.Tandem(tmp / "instance")
    conf = sw.root / "conf"
    modules = conf / "autoload_configs/modules.conf.xml"
    modules.write_text(modules.read_text().replace(
        "</modules>", '<load module="mod_tts_commandline"/><load module="mod_dialplan_asterisk"/><load module="mod_distributor"/>'
        + "".join(f'<load module="{m}"/>' for m in ROUTING + ASKED + RECORDS) + "</modules>"))
    (conf / "autoload_configs/tts_commandline.conf.xml").write_text(
        '<configuration name="tts_commandline.conf"><settings><param name="command" value="cp ' f'{tmp}/tone.wav'
        ' ${file}; : ${text}"/></settings></configuration>\n')
    write_tone(tmp / "tone.wav", 440, 1)
    (tmp / "plan.xml").write_text("<include><context name='default'>" + extension("1", "answer") + "</context></include>")
    (tmp / "plan.conf").write_text("[default]\nexten => 1,1,Answer()\n")
    (sw.root / "scripts").mkdir(exist_ok=True)
    (sw.root / "scripts/one.lua").write_text("freeswitch.consoleLog('notice', 'the script ran\\n')\n")
    return sw


class Mix:
    """Something of everything, so that whatever module goes has something out."""

    def __init__(self, sw, tmp):
        self.sw, self.tmp, self.clients = sw, tmp, []
        self.phone = Phone(sw, "1000")
        self.uuids = [sw.api(f"originate null/x{i} &park").split()[1] for i in range(3)]

    def send(self, command):
        e = self.sw.esl()
        e.sock.sendall(f"api {command}\n\n".encode())
        self.clients.append(e)

    def rings(self):
        """The jobs by queue; those of one name together."""
        counts = {}
        for name, count in re.findall(r"jobs ([a-z ]+?)(?: \d+)?,(\d+),", self.sw.api("show rings")):
            counts[name] = counts.get(name, 0) + int(count)
        return counts

    def begin(self):
        sw, tmp = self.sw, self.tmp
        for uuid in self.uuids:
            sw.api(f"uuid_kill {uuid}")
        sw.wait_calls(0)  # their records are promised: a call that is still ending has its record made without the module
        for what in ("speak(flite|kal|hello)", "speak(tts_commandline|any|good day)", f"playback({tmp}/tone.wav)", "playback(no_such.wav)",
                     f"record({tmp}/record.wav)", "playback(local_stream://moh)", "valet_park(lot 1)"):
            self.send(f"originate null/busy &{what}")
        for command in ("db insert/realm/key/value", "hash insert/realm/key/value", "lua one.lua", "http token add somebody read",
                        "file_exists /etc/passwd", f"originate null/busy 1 XML:{tmp}/plan.xml", f"originate null/busy 1 asterisk:{tmp}/plan.conf",
                        "originate loopback/1/default &park"):
            self.send(command)
        self.phone.register()
        deadline = time.monotonic() + 10
        while not all(self.rings().get(name) for name in BUSY):
            assert time.monotonic() < deadline, self.sw.api("show rings")

    def await_quiet(self):
        deadline = time.monotonic() + 15
        while any(self.rings().values()):
            assert time.monotonic() < deadline, self.sw.api("show rings")
            time.sleep(0.02)

    def close(self):
        self.phone.close()
        for c in self.clients:
            c.close()


def records_are_whole(sw, uuids):
    text = (sw.root / "log/cdr-csv/Master.csv").read_text()
    for uuid in uuids:
        assert text.count(f'"{uuid}"') == 1, (uuid, text)
        assert (sw.root / f"log/xml_cdr/a_{uuid}.cdr.xml").read_text().endswith("</cdr>\n"), uuid
    for journal in (sw.root / "db").glob("cdr.journal.*"):
        left = [json.loads(line) for line in journal.read_text().splitlines()]
        assert all(line[:2] == ["T", "cdr_sqlite"] for line in left), left  # files have theirs; a database's wait for the next start


# these say so: the commands that would load it again would be gone, a script runs
REFUSES = {"mod_commands": "-ERR [Module is not unloadable]\n", "mod_lua": "-ERR [module in use]\n"}


@pytest.mark.parametrize("module", MODULES)
def test_module(module, tmp_path):
    sw = prepare(tmp_path)
    with Gate(sw, tmp_path) as gate:
        sw.start()
        mix = Mix(sw, tmp_path)
        gate.shut("!/conf/|.fsxml")  # load reads the configuration first
        mix.begin()
        other = sw.esl()
        other.sock.sendall(f"api unload {module}\n\n".encode())
        if module == "mod_event_socket":  # its own way to say so goes with it
            with pytest.raises((EOFError, ConnectionError)):
                while True:
                    other.read()
        else:
            assert other.read()[1] == REFUSES.get(module, "+OK\n")
            for verb in "load", "unload", "load":  # its loading may wait for the disk, too
                other.sock.sendall(f"api {verb} {module}\n\n".encode())
        gate.open()
        if module not in REFUSES and module != "mod_event_socket":
            assert [other.read()[1].split("\n")[-2] for _ in range(3)] == ["+OK"] * 3
            mix.await_quiet()
            assert sw.api("originate null/x &park").startswith("+OK")
            sw.api("hupall")
            sw.wait_calls(0)
            mix.await_quiet()
        mix.close()
        other.close()
        sw.stop(may_be_slow=True)
        records_are_whole(sw, mix.uuids)


def test_no_module_is_forgotten(sw):
    """All that this program has, those of the core (mod_guard and mod_mail among them) and those of no body apart; mod_vmd is not
    loaded by default, mod_sql_directory is asked for the users of everybody else's scene: test_directories.py."""
    names = set(re.findall(r'name = "(mod_[a-z_]+)"', "".join(p.read_text() for p in (t.TOP / "src").rglob("*.c"))))
    assert names - {"mod_guard", "mod_mail", "mod_vmd", "mod_sql_directory"} == set(MODULES)


@pytest.mark.parametrize("delay_ms", (0, 1, 5, 10, 20, 25, 40))
def test_records_within_milliseconds_of_the_hang_up(delay_ms, tmp_path):
    """Whatever step of its way a record has reached."""
    sw = prepare(tmp_path).start()
    uuids = [sw.api("originate null/x &park").split()[1] for _ in range(40)]
    e = sw.esl()
    commands = ["hupall", *([f"msleep {delay_ms}"] if delay_ms else []), "show channels", "unload mod_xml_cdr", "unload mod_cdr_csv"]
    e.sock.sendall("".join(f"api {c}\n\n" for c in commands).encode())  # one behind the other
    left, *unloaded = [e.read()[1] for _ in commands][-3:]
    assert all(reply.startswith("+OK") for reply in unloaded), unloaded
    e.close()
    assert "+OK\n" in sw.api("load mod_xml_cdr")
    assert "+OK\n" in sw.api("load mod_cdr_csv")
    sw.wait_calls(0)
    sw.stop(may_be_slow=True)
    seen = "".join(p.read_text() for p in (sw.root / "log/xml_cdr").glob("*.xml"))
    csv = sw.root / "log/cdr-csv/Master.csv"
    line = csv.read_text() if csv.exists() else ""
    assert all(u in seen for u in uuids if u not in left), left  # who had gone before has his record
    assert all(line.count(f'"{u}"') <= 1 for u in uuids)


def test_reloaded_at_once(tmp_path):
    """Loaded again before what ran for it has ended: it goes on, and works."""
    sw = prepare(tmp_path).start()
    for name in ("mod_features", "mod_recordings", "mod_voicemail", "mod_conference", "mod_fifo", "mod_directory", "mod_amd", "mod_esf", "mod_avmd",
                 "mod_http_cache", "mod_http_asr", *ROUTING, "mod_audio_stream", "mod_hash", "mod_db", "mod_distributor"):
        for _ in range(3):
            reply = sw.api(f"reload {name}")
            assert reply.endswith("+OK module loaded\n") and "-ERR" not in reply, (name, reply)
    assert sw.api("features set 1000@127.0.0.1 wake:1 07:00 daily").startswith("+OK")
    sw.stop(may_be_slow=True)  # unloading waits for the threads of stores and bots
