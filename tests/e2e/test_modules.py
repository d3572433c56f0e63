"""Modules built outside of the tree: the example is compiled with nothing but the public header, loaded, used, unloaded and exchanged
while the program runs; what is no module is refused."""
import re
import shutil
import subprocess
import time

import pytest
import tandem as t
from calls import extension, press, write_extensions

pytestmark = pytest.mark.leaks
HEAD = '#include <tandem/module.h>\nstatic int load(const struct tandem_host *h, struct tandem_self *s) { (void)h; (void)s; return RESULT; }\n'
MODULE = 'TANDEM_MODULE_EXPORT = {ABI, sizeof(struct tandem_module), "NAME", "1", load, UNLOAD, 0, 0};\n'


def build(sw, tmp, version="1.0"):
    """As examples/module/README.md says, with the header alone at hand."""
    include = tmp / "include"
    if not include.exists():
        shutil.copytree(t.TOP / "include", include)
        shutil.copytree(t.TOP / "examples/module", tmp / "module")
    subprocess.run(["make", "-s", "-B", f"OUT={tmp}", f"TANDEM_INCLUDE={include}",
                    f'CFLAGS=-Wall -Wextra -Wpedantic -Werror -DEXAMPLE_VERSION=\\"{version}\\"'], cwd=tmp / "module", check=True)
    install(sw, tmp / "mod_example.so")


def install(sw, path):
    to = sw.root / "mod" / path.name
    to.parent.mkdir(exist_ok=True)
    to.unlink(missing_ok=True)
    shutil.copy(path, to)


def compile_text(sw, tmp, name, text, compiler="cc", std="-std=c11", suffix="c"):
    source, out = tmp / f"{name}.{suffix}", tmp / f"{name}.so"
    source.write_text(text)
    subprocess.run([compiler, std, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fPIC", "-shared", f"-I{t.TOP / 'include'}", "-o", out,
                    source], check=True)
    install(sw, out)


def small(name, abi="TANDEM_MODULE_ABI", result="0", unload="0"):
    return HEAD.replace("RESULT", result) + MODULE.replace("ABI", abi).replace("NAME", name).replace("UNLOAD", unload)


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("modules") / "instance")
    write_extensions(s, [extension("7401", "example_greet silence_stream://5000", "park")])
    (s.root / "conf/autoload_configs/example.conf.xml").write_text(
        '<configuration name="example.conf"><settings><param name="greeting" value="good day"/></settings></configuration>')
    s.start()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def tmp(tmp_path_factory):
    return tmp_path_factory.mktemp("module-build")


LOADED = "+OK Reloading XML\n+OK\n"


def test_example(sw, tmp, phone):
    a = phone("1000")
    build(sw, tmp)
    events = sw.esl()
    events.command("event plain MODULE_LOAD MODULE_UNLOAD CUSTOM example::digits")
    assert sw.api("module_exists mod_example") == "false"
    assert sw.api("load mod_example") == LOADED
    e = events.wait_event("MODULE_LOAD", type="application", key="mod_example")
    assert e["name"] == "example_greet" and e["filename"] == f"{sw.root}/mod/mod_example.so"
    assert events.wait_event("MODULE_LOAD", type="api", key="mod_example")["description"] == "What the example module counts"
    assert sw.api("load mod_example") == "+OK Reloading XML\n-ERR [Module already loaded]\n"
    assert sw.api("module_exists mod_example") == "true"
    assert f"application,example_greet,mod_example,{sw.root}/mod/mod_example.so\n" in sw.api("show modules")
    assert "example,[count|system|wait],What the example module counts,mod_example\n" in sw.api("show help") + sw.api("help")
    assert sw.api("example") == "+OK 1.0 good day\n"
    assert sw.api("example system") == "+OK Linux\n"
    # its application, on a call
    a.invite("7401")
    a.answered()
    assert sw.api("unload mod_example") == "-ERR [Module in use: 2 of its applications, commands and callbacks run]\n"
    assert sw.api("reload mod_example").split("\n")[1].startswith("-ERR unloading module [Module in use")
    press(a, "42#")
    e = events.wait_event("CUSTOM", Digits="42")
    assert e["Event-Subclass"] == "example::digits" and e["Status"] == "success"
    uuid = e["Unique-ID"]
    deadline = time.monotonic() + 10
    while ",park," not in sw.api("show channels"):
        assert time.monotonic() < deadline
    assert sw.api(f"uuid_getvar {uuid} example_digits") == "42"
    assert re.fullmatch(r"\+OK 1 answered, \d+ ticks\n", sw.api("example count"))
    a.bye()
    # a command that runs keeps it, too
    other = sw.esl()
    other.sock.sendall(b"bgapi example wait\n\n")
    other.read()
    deadline = time.monotonic() + 10
    answers = set()
    while (answer := sw.api("unload mod_example")) != "+OK\n":
        answers.add(answer)
        assert time.monotonic() < deadline, answer
    assert all("Module in use" in a for a in answers), answers
    other.close()
    assert events.wait_event("MODULE_UNLOAD", type="api", key="mod_example")["name"] == "example"
    assert sw.api("example").startswith("-ERR example Command not found!")
    assert sw.api("module_exists mod_example") == "false"
    assert sw.api("unload mod_example") == "-ERR [No such module!]\n"
    events.close()


def test_a_call_that_ends_in_its_application(sw, tmp, phone):
    a = phone("1000")
    build(sw, tmp)
    assert sw.api("load mod_example") == LOADED
    a.invite("7401")
    a.answered()
    a.bye()
    sw.wait_calls(0)
    assert sw.api("unload mod_example") == "+OK\n"


def test_reload_picks_the_new_code(sw, tmp):
    build(sw, tmp, "2.0")
    assert sw.api("load mod_example") == LOADED
    assert sw.api("example") == "+OK 2.0 good day\n"
    build(sw, tmp, "2.1")
    conf = sw.root / "conf/autoload_configs/example.conf.xml"
    text = conf.read_text()
    conf.write_text(text.replace("good day", "hi there"))
    assert sw.api("reload mod_example") == "+OK Reloading XML\n+OK module unloaded\n+OK module loaded\n"
    assert sw.api("example") == "+OK 2.1 hi there\n"
    conf.write_text(text)
    assert sw.api("unload mod_example") == "+OK\n"


def refused(sw, name):
    answer = sw.api(f"load {name}")
    assert answer.startswith("+OK Reloading XML\n-ERR ["), answer
    assert sw.api(f"module_exists {name}") == "false"
    return answer.split("\n")[1]


def test_what_is_no_module_is_refused(sw, tmp):
    assert refused(sw, "mod_nosuch") == "-ERR [module load file routine returned an error]"
    for name in "../../x", "/tmp/x", "mod_x.so", "a b", "x" * 100:
        assert f"'{name[:60]}' is no name of a module" in refused(sw, name), name
    (sw.root / "mod/mod_text.so").write_text("this is no shared object")
    assert "cannot be loaded" in refused(sw, "mod_text")
    compile_text(sw, tmp, "mod_other", "int x; int *tandem_other(void); int *tandem_other(void) { return &x; }\n")
    assert "is no module of Tandem: it has no tandem_module" in refused(sw, "mod_other")
    compile_text(sw, tmp, "mod_future", small("mod_future", abi="7"))
    assert refused(sw, "mod_future") == \
        "-ERR [mod_future was built for version 7 of the module interface, this Tandem has version 1: build it anew]"
    compile_text(sw, tmp, "mod_alias", small("mod_real"))
    assert "calls itself 'mod_real'" in refused(sw, "mod_alias")
    compile_text(sw, tmp, "mod_fails", small("mod_fails", result="TANDEM_NOTFOUND"))
    assert "its load function failed" in refused(sw, "mod_fails")


def test_one_that_refuses_to_go_and_one_in_cplusplus(sw, tmp):
    unload = "static int asked;\nstatic int unload(void) { return asked++ ? TANDEM_OK : TANDEM_BUSY; }\nTANDEM_MODULE_EXPORT"
    compile_text(sw, tmp, "mod_stays", small("mod_stays", unload="unload").replace("TANDEM_MODULE_EXPORT", unload))
    assert sw.api("load mod_stays") == LOADED
    assert sw.api("unload mod_stays") == "-ERR [the module refuses: busy]\n"
    assert sw.api("unload mod_stays") == "+OK\n"
    compile_text(sw, tmp, "mod_plus", small("mod_plus"), compiler="c++", std="-std=c++11", suffix="cc")
    assert sw.api("load mod_plus") == LOADED
    assert sw.api("unload mod_plus") == "+OK\n"


def test_stays_loaded_to_the_end(sw, tmp):
    """The program's end finds it loaded, with its timer and its subscription."""
    build(sw, tmp)
    assert sw.api("load mod_example") == LOADED


CODEC = """#include <tandem/module.h>
static void *open_(const char *f) { static int one; (void)f; return &one; }
static void close_(void *s) { (void)s; }
static int encode(void *s, const int16_t *in, size_t n, uint8_t *out, size_t cap) { (void)s; (void)in; (void)n; (void)out; (void)cap; return 0; }
static int decode(void *s, const uint8_t *in, size_t n, int16_t *out, size_t cap) { (void)s; (void)in; (void)n; (void)out; (void)cap; return 0; }
static const struct tandem_codec c = {.bytes = sizeof c, .name = "NAME", .title = "TITLE", .payload_type = -1, .clock_hz = 8000, .rate_hz = RATE,
  .ptime_ms = 20, .ptime_min_ms = 10, .ptime_max_ms = PTIME, .bitrate = 8000, .frame_samples = 80, .encoder_open = open_, .decoder_open = open_,
  .encoder_close = close_, .decoder_close = close_, .encode = encode, .decode = decode};
static int load(const struct tandem_host *h, struct tandem_self *s) { return h->codec_add(s, &c); }
TANDEM_MODULE_EXPORT = {TANDEM_MODULE_HEAD, "@MODULE@", "1", load, 0, 0, 0};
"""


@pytest.mark.parametrize("name,rate,ptime,why", [("PCMU", 8000, 120, "exists"), ("NEW", 96000, 120, "invalid"), ("NEW", 8000, 500, "invalid")])
def test_codec_refused(sw, tmp, name, rate, ptime, why):
    """A codec that is there already, and numbers that would overrun what the media threads have room for."""
    module = f"mod_c{rate}_{ptime}"
    text = CODEC.replace("NAME", name).replace("TITLE", "X").replace("RATE", str(rate)).replace("PTIME", str(ptime)).replace("@MODULE@", module)
    compile_text(sw, tmp, module, text)
    reply = sw.api(f"load {module}")
    assert "its load function failed" in reply and why in reply, reply
    assert f",{module}" not in sw.api("show codec")


RECOGNISER = """#include <tandem/module.h>
static int hear(const char *g, const int16_t *s, size_t n, char *t, size_t cap, double *c)
{ (void)g; (void)s; (void)n; (void)cap; *t = 0; *c = 0; return TANDEM_OK; }
static const struct tandem_recogniser r = {.bytes = BYTES, .name = "NAME", .rate_hz = RATE, .recognise = FUNCTION};
static int load(const struct tandem_host *h, struct tandem_self *s) { (void)hear; return h->recogniser_add(s, &r); }
TANDEM_MODULE_EXPORT = {TANDEM_MODULE_HEAD, "@MODULE@", "1", load, 0, 0, 0};
"""


def recogniser(sw, tmp, module, name="ears", rate=8000, size="sizeof r", function="hear"):
    compile_text(sw, tmp, module, RECOGNISER.replace("BYTES", size).replace("NAME", name).replace("RATE", str(rate))
                 .replace("FUNCTION", function).replace("@MODULE@", module))
    return sw.api(f"load {module}")


@pytest.mark.parametrize("number,changed,why", [
    (1, {"name": "a/b"}, "recogniser a/b: a name is letters, digits, _ and -"), (2, {"name": ""}, "recogniser : a name is letters"),
    (3, {"rate": 44100}, "recogniser ears: rate_hz is 8000 or 16000"), (4, {"size": "8"}, "recogniser ears: struct tandem_recogniser is too small"),
    (5, {"function": "0"}, "recogniser ears: a function is missing")])
def test_recogniser_refused(sw, tmp, number, changed, why):
    assert "its load function failed: invalid" in recogniser(sw, tmp, f"mod_r{number}", **changed)
    sw.wait_log(f"module mod_r{number}: {why}")


def test_recogniser_stays(sw, tmp):
    """It is there once, under its module, and the module stays."""
    assert recogniser(sw, tmp, "mod_ears") == LOADED
    assert "asr,ears,mod_ears," in sw.api("show modules mod_ears")
    assert "it brought a recogniser of speech, which stays until the program ends" in sw.api("unload mod_ears")
    assert "exists" in recogniser(sw, tmp, "mod_ears2", name="EARS")


COMPOSES = r"""#include <stdio.h>
#include <string.h>
#include <tandem/module.h>
static const struct tandem_host *host;
static int waited = 1;
static int compose(struct tandem_leg *leg, const char *data) {
  char text[400];
  (void)data;
  snprintf(text, sizeof text, "y=%s", host->leg_get(leg, "destination_number"));
  host->leg_execute(leg, "set", text);
  snprintf(text, sizeof text, "phrase:queue_position:%s", host->leg_get(leg, "destination_number"));
  host->leg_play(leg, text, "none", 0);
  return host->leg_transfer(leg, host->leg_get(leg, "destination_number"), "XML", "composed");
}
static const struct tandem_app apps[] = {{"composes", "Composes", "", 0, compose}, {0, 0, 0, 0, 0}};
static void on_event(const struct tandem_event *e, void *arg) { (void)e; (void)arg; waited = host->sleep(1); }
static int state(struct tandem_command *c, const char *args) { (void)args; host->reply(c, "%d", waited); return 0; }
static const struct tandem_api apis[] = {{"composed", "Composed", "", state}, {0, 0, 0, 0}};
static int load(const struct tandem_host *h, struct tandem_self *s) {
  char deep[200000];
  host = h;
  memset(deep, 7, sizeof deep);
  h->subscribe(s, "CUSTOM", "composes::now", on_event, 0);
  return deep[sizeof deep - 1] == 7 ? h->sleep(1) == TANDEM_INVAL ? TANDEM_OK : TANDEM_BUSY : TANDEM_PARSE;
}
TANDEM_MODULE_EXPORT = {TANDEM_MODULE_HEAD, "mod_composes", "1", load, 0, apps, apis};
"""


def test_what_a_module_composes(sw, tmp, phone):
    """A caller's words in it stay data; nothing waits in load, nor in a callback of an event that a coroutine fired."""
    (sw.root / "conf/dialplan/default/composes.xml").write_text(
        '<include><extension name="c"><condition field="destination_number" expression="^7402"><action application="composes" data=""/>'
        '<action application="answer" data=""/></condition></extension></include>')
    (sw.root / "conf/dialplan/composed.xml").write_text(
        '<include><context name="composed"><extension name="c"><condition field="destination_number" expression="^7402">'
        '<action application="event" data="Event-Subclass=composes::now"/><action application="answer" data=""/>'
        '<action application="park" data=""/></condition></extension></context></include>')
    compile_text(sw, tmp, "mod_composes", COMPOSES)
    assert sw.api("load mod_composes") == LOADED
    a = phone("1000")
    a.invite("7402$%7Bglobal_setvar(composed_hit=1)%7D")
    a.answered()
    assert sw.api("global_getvar composed_hit").startswith("-ERR")
    assert sw.api("composed") == "-2"
    a.bye()
    sw.wait_calls(0)
    assert sw.api("unload mod_composes") == "+OK\n"
