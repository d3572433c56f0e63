"""What callers write stays data in the services' commands and applications: it parts none of their words, and names no server, file, engine,
feature or mailbox beside the one that the configuration means."""
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
import tandem as t
from calls import extension, write_extensions
from trunk import Trunk, add_profile

sys.path.insert(0, str(Path(__file__).parent.parent))
from dns_server import DnsServer  # noqa: E402
from phones import write_tone  # noqa: E402


@pytest.fixture(scope="module")
def names():
    d = DnsServer({})
    yield d
    d.close()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, names):
    s = t.Tandem(tmp_path_factory.mktemp("services_text") / "instance")
    conf = s.root / "conf/autoload_configs"
    s.at = add_profile(s, "plain")
    (conf / "http_asr.conf.xml").write_text('<configuration name="http_asr.conf"><settings><param name="url" value="http://127.0.0.1:9/hear"/>'
                                            '</settings></configuration>')
    (conf / "enum.conf.xml").write_text(f'<configuration name="enum.conf"><settings><param name="default-root" value="e164.test"/><param '
                                        f'name="nameserver" value="{names.at}"/><param name="query-timeout-ms" value="500"/></settings></configuration>')
    modules = conf / "modules.conf.xml"
    modules.write_text(modules.read_text().replace("</modules>", '<load module="mod_enum"/></modules>'))
    (s.root / "conf/directory/b.xml").write_text('<include><domain name="b.example"><groups><group name="b"><users><user id="2000"/>'
                                                 '</users></group></groups></domain></include>')
    write_extensions(s, [
        extension("83", "answer", "feature_incoming ${sip_h_X-User}", "set went=${feature_result}", "followme ${sip_h_X-User}", "park"),
        extension("84(.*)", "enum $1", "enum 15551234 ${sip_h_X-Root}", "eval ${enum(15551234 ${sip_h_X-Root})}", "answer", "park"),
        extension("85(.*)", "set x=${features(clear $1@${domain} dnd)}", "set y=${hotdesk(logout $1@${domain})}", "answer", "park"),
        extension("86(.*)", "set x=${voicemail_inject($1@${domain} ${sounds_dir}/hello.wav)}", "answer", "park"),
        extension("87", "set x=${voicemail_inject(1003@${domain} ${sip_h_X-File})}",
                  "set y=${vm_fsdb_pref_recname_set(default ${domain} 1003 ${sip_h_X-File})}", "answer", "park"),
        extension("88", "set y=${vm_boxcount(${sip_h_X-Box})}", "answer", "park"),
        extension("89", "answer", "detect_speech ${sip_h_X-Engine} g", "detect_speech param no-input-timeout 200",
                  "detect_speech start_input_timers", "sleep 600", "set over=${detect_speech_cause}", "park"),
    ])
    s.start()
    yield s
    s.stop()


@pytest.fixture
def parked(sw, phone):
    """Calls a number, with headers, and waits until it is through with its dialplan; the leg's uuid."""
    def go(number, extra=""):
        a = phone("ext", register=False, kind=Trunk, at=sw.at)
        events = sw.esl()
        events.subscribe("CHANNEL_EXECUTE")
        a.invite(quote(number, safe=""), extra=extra)
        uuid = events.wait_event("CHANNEL_EXECUTE", Application="park")["Unique-ID"]
        events.close()
        return uuid
    yield go
    sw.api("hupall")
    sw.wait_calls(0)


def test_a_number_names_no_root(sw, names, parked):
    """Whose name server says where a number goes is the configuration's word."""
    parked("8415551234 evil.test", "X-Root: worse.test\n")
    assert names.names() == {"4.3.2.1.5.5.5.1.e164.test"}


def test_a_user_is_one_word(sw, parked):
    assert sw.api("features set 1001@127.0.0.1 forward-all 1002") == "+OK\n"
    assert sw.api("hotdesk login 1001@127.0.0.1 1003") == "+OK\n"
    parked("851001@127.0.0.1 forward-all ")
    assert sw.api("features get 1001@127.0.0.1 forward-all") == "1002"
    assert sw.api("hotdesk show 1001@127.0.0.1") == "at,\nuser,1003\n"


@pytest.mark.parametrize("user, result", [("2000@b.example", "_undef_"), ("1004@127.0.0.1", "ring"), ("1004", "ring")])
def test_a_user_is_one_of_the_callers_domain(sw, phone, user, result):
    """A domain is the configuration's word: what a caller writes is one of his own neighbours."""
    assert sw.api("features set 2000@b.example forward-all 83") == "+OK\n"
    a, events = phone("1000"), sw.esl()
    events.subscribe("CHANNEL_EXECUTE")
    a.invite("83", extra=f"X-User: {user}\n")
    uuid = events.wait_event("CHANNEL_EXECUTE", Application="park")["Unique-ID"]
    events.close()
    assert sw.api(f"uuid_getvar {uuid} went") == result
    sw.api("hupall")
    sw.wait_calls(0)


def messages(sw, box):
    return sw.api(f"vm_boxcount {box}@127.0.0.1|all").split(":")[0]


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    path = tmp_path_factory.mktemp("secret") / "secret.wav"
    write_tone(path, 440, 1)
    return path


def test_a_box_names_no_file(sw, parked, secret):
    parked(f"861003@127.0.0.1 {secret} ")
    assert messages(sw, "1003") == "0"
    parked("87", f"X-File: {secret}\n")
    assert messages(sw, "1003") == "0" and "recorded_name" not in sw.api("vm_prefs 1003@127.0.0.1")


def test_a_box_may_be_the_callers(sw, parked):
    """A whole one is a name that is looked up, as ever."""
    uuid = parked("88", "X-Box: 1003@127.0.0.1\n")
    assert sw.api(f"uuid_getvar {uuid} y") == "0"


def test_a_recognisers_engine_is_the_configurations(sw, parked):
    uuid = parked("89", "X-Engine: http\n")
    assert sw.api(f"uuid_getvar {uuid} over") == "_undef_"
