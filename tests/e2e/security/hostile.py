"""A switch whose dialplan uses what callers write in every way that dialplans in the field do, a stranger who writes it, and canaries
that tell when text has become more than data: a command that ran, a leg nobody asked for, a file outside that was opened, a connection,
another context."""
import ctypes
import os
import random
import re
import select
import socket
import struct
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import unquote

import tandem as t
from wire import Message, sdp

# number of the case -> actions; X is the caller's header, N its display name, $1 what was dialled
X, N = "${sip_h_X-A}", "${caller_id_name}"
CASES = {
    "set": [f"set x={X}", "export y=${x}", "push z=${x}", f"push z={N}", "set e=${z[1]}", "set w=${x:1}", f"set v=${{x}}{N}", "eval ${v}",
            "eval ${w}${x}", "set d='${x}'", "eval \\${x}", "export nolocal:q=${v}", "log INFO ${z}", "answer"],
    "names": ["set ${sip_h_X-A}=1", f"multiset {X} b={X}", f"export {X}=1", f"set_profile_var context={X}", f"set_profile_var {X}=1",
              f"set_global hostile={X}", "eval $${hostile}", f"unset {X}", f"set_name {X}", "answer"],
    "captures": ["set c=$1", "eval ${c} $1", "%[k=$1,l='$1']eval ${k}${l}", "eval ${DP_MATCH[1]}", "push a=$1", "eval ${a}", "answer"],
    "user": ["bridge sofia/external/$1@127.0.0.1:SINK"],
    "braces": [f"bridge {{a='{N}',b={X}}}[c='{X}']sofia/external/svc@127.0.0.1:SINK"],
    "exported": [f"export sip_h_X-Out={X}", f"set effective_caller_id_name={N}", "bridge sofia/external/svc@127.0.0.1:SINK"],
    "dial": [f"bridge {X}"],
    "queue": ["answer", f"fifo {X} out nowait", f"fifo {X},b!{X} out nowait {X} {X}", f"directory {X} {X} {X} {X}", f"set fifo_music={X}",
              f"set fifo_chime_list={X},{X}", f"set fifo_announce={X}", f"set fifo_orbit_exten={X}:1", f"set fifo_orbit_announce={X}", "fifo q in"],
    "follow": [f"followme {X}", f"hotdesk {X}", "set campon=true", "set campon_retries=1", "set campon_sleep=1", f"set campon_hold_music={X}",
               f"set campon_fallback_exten={X}", f"bridge user/{X}"],
    "rooms": [f"set conference_member_flags={X}", f"set conference_auto_outcall_prefix={X}", f"set conference_auto_outcall_profile={X}",
              f"set conference_auto_outcall_flags={X}", f"set conference_auto_outcall_announce={X}", f"conference_set_auto_outcall {X}",
              f"set conference_enter_sound={X}", f"eval ${{conference({X} list)}}", f"eval ${{conference({X} bgdial {X})}}",
              f"eval ${{conference(r play {X})}}", f"eval ${{conference(r set sound_prefix {X})}}", "answer", f"conference bridge:{X}:{X}",
              f"conference {X}@{X}+{X}+flags{{{X}}}", f"conference r@default+{X}"],
    "mailbox": ["answer", f"set voicemail_greeting_number={X}", f"set voicemail_message_forwarded_by={X}", f"set skip_greeting={X}", f"set vm_cc={X}", f"set voicemail_greeting_path={X}",
                f"eval ${{vm_boxcount({X})}}", f"eval ${{voicemail_inject({X} {X})}}", f"eval ${{vm_list({X})}}", f"voicemail check {X} {X} {X}",
                f"voicemail {X} {X} {X}", f"voicemail default ${{domain}} {X}"],
    "services": ["answer", f"ivr {X}", f"set record_store={X}", f"amd {X}", f"avmd_start {X}", f"preprocess {X}", f"playback http://{X}/a.wav",
                 f"playback http_cache://{X}", f"playback http://127.0.0.1:1/{X}", f"detect_speech http {X} {X}", f"detect_speech grammar {X}",
                 f"play_and_detect_speech {X} detect:{X} {X}", f"jitterbuffer {X}", f"features {X}", f"eval ${{features({X})}}",
                 f"eval ${{recordings(search {X})}}", f"set rtp_secure_media={X}", f"set rtp_secure_media_suites={X}",
                 f"eval ${{uuid_audio_stream(${{uuid}} start {X} {X})}}", f"eval ${{uuid_fileman(${{uuid}} {X})}}"],
    "dial_set": [f"set dest=sofia/external/{X}@127.0.0.1:SINK", "bridge ${dest}"],
    "phone": [f"bridge user/{X}@${{domain}}"],
    "gateway": [f"bridge sofia/gateway/{X}/{X}"],
    "loop": [f"bridge loopback/{X}/public"],
    "play": ["answer", f"playback {X}", f"playback file_string://{X}!silence_stream://20", f"playback file_string://${{sounds_dir}}/{X}!silence_stream://20",
             f"playback tone_stream://{X}", f"playback tone_stream://path=${{sounds_dir}}/{X}", f"playback phrase:{X}:{X}", f"playback say:{X}",
             "set playback_delimiter=!", f"playback {X}!silence_stream://20", f"set sound_prefix={X}", "playback hello.wav",
             f"displace_session {X}", f"play_and_get_digits 1 1 1 20 # {X} {X} v {X}", f"read 1 1 {X} v 20 #"],
    "record": ["answer", "set RECORD_MIN_SEC=0", f"record_session ${{recordings_dir}}/{X}.wav", f"record_session {X}",
               f"record ${{recordings_dir}}/{X}.wav 1", f"mkdir ${{recordings_dir}}/{X}", f"rename ${{recordings_dir}}/{X} ${{recordings_dir}}/{X}x"],
    "say": ["answer", f"phrase {X},{X}", f"phrase queue_position,{X}", f"say en {X} pronounced {X}", f"speak flite|kal|{X}", f"speak {X}"],
    "transfer": [f"transfer {X}"],
    "transfer_place": [f"transfer {X} XML public"],
    "transfer_inline": [f"transfer {X} inline"],
    "transfer_data": [f"transfer 'set:a={X},respond:486' inline"],
    "transfer_context": [f"transfer 1000 XML {X}"],
    "run_extension": [f"execute_extension {X}", f"execute_extension {X} XML public", f"execute_extension {X} inline", "answer"],
    "lua": [f"lua echo.lua {X}", f"lua {X}", f"set r=${{lua(echo.lua {X})}}", "eval ${r}", "answer"],
    "lua_composes": ["lua compose.lua", "eval ${y}${z}"],
    "lua_says": ["lua says.lua", "answer"],
    "lua_cuts": ["lua cuts.lua", "eval ${y}"],
    "lua_calls": ["lua calls.lua", "answer"],
    "lua_line": [f"lua ~freeswitch.consoleLog('info', '{X}')", "answer"],
    "lua_answers": ["set r=${lua(answers.lua)}", "eval ${r}", "bridge {a=${lua(answers.lua)}}sofia/external/svc@127.0.0.1:SINK", "answer"],
    "greeting": ["answer", "set voicemail_greeting_path=${caller_id_name}", "voicemail default ${domain} 1000"],
    "mutex": ["answer", f"set mutex_feedback={X}", "set mutex_timeout=1", "mutex hostile", "sleep 50", "set mutex_feedback=${caller_id_name}", "mutex hostile"],
    "sockets": ["answer", f"socket {X} async full", f"socket 127.0.0.1:1|{X}", f"socket 127.0.0.1:1 {X}"],
    "system": [f"system echo {X}", f'system echo "{X}" >/dev/null', f"system echo '{X}'", f"set s=${{system(printf %s {X})}}", f"eval ${{system(echo $({X}))}}",
               f"bgsystem true {X}", "answer"],
    "hooks": [f"set execute_on_answer={X}", f"set api_on_answer={X}", f"set execute_on_answer_1=playback {X}", f"set api_on_answer_1=echo {X}",
              f"set api_hangup_hook={X}", f"set exec_after_bridge_app={X}", f"set transfer_after_bridge={X}", f"set hold_music={X}",
              f"set record_post_process_exec_api={X}", "answer", "sleep 20"],
    "hook_data": [f"set api_hangup_hook=echo {X}", f"set execute_on_answer=set hooked={X}", "answer", "sleep 20", "eval ${hooked}"],
    "commands": [f"set a=${{url_decode({X})}}", "eval ${a}", f"set b=${{cond({X} == 1 ? {X} : {X})}}", "eval ${b}", f"set c=${{regex({X}|^(.*)$|%1)}}",
                 "eval ${c}", f"set d=${{lower({X})}}", "eval ${d}", f"eval ${{eval({X})}}", f"eval ${{expand(echo {X})}}", f"eval ${{expand({X})}}",
                 f"eval ${{replace({X}|a|b)}}", f"eval ${{coalesce(,{X})}}", f"eval ${{{X}}}", f"eval ${{{X}(status)}}", f"eval ${{json({X})}}",
                 f"eval ${{sched_api(+1 none {X})}}", f"eval ${{uuid_setvar(${{uuid}} {X} 1)}}", f"eval ${{bgapi({X})}}",
                 f"eval ${{sofia_contact({X})}}", f"eval ${{user_data({X} var x)}}", f"eval ${{strftime({X})}}", f"eval ${{file_exists({X})}}",
                 f"eval ${{group_call({X})}}", f"eval ${{originate({X} &park())}}", f"eval ${{uuid_broadcast(${{uuid}} {X})}}",
                 f"eval ${{uuid_transfer(${{uuid}} {X} inline)}}", "answer"],
    "stores": [f"hash insert/hostile/k/{X}", f"db insert/hostile/k/{X}", f"hash insert/hostile/{X}/1", "set h=${hash(select/hostile/k)}", "eval ${h}",
               "set i=${db(select/hostile/k)}", "eval ${i}", f"group insert:hostile:{X}", "bridge ${group(call:hostile:order)}",
               "bridge ${hash(select/hostile/k)}"],
    "later": [f"bind_meta_app 1 a s {X}", f"bind_digit_action r,~.*,{X},{X}", f"limit hash hostile {X} 1 {X}", f"limit hash hostile same -1 {X}",
              f"limit_execute hash hostile {X} 9 {X} {X}", f"sched_transfer +1 {X}", f"sched_broadcast +1 {X}", f"tone_detect k 440 r +1 {X} {X}",
              f"event Event-Name={X},Event-Subclass={X},A='{X}'", f"capture cap|{X}|{X}", "eval ${cap}", f"strftime {X}=%Y", f"broadcast {X}", "answer"],
    "match": ["set m=$1", "eval ${m}", "answer"],
    "refuse": [f"respond 486 {X}"],
    "redirect": [f"redirect sip:{X}@127.0.0.1"],
}
CONDITIONS = {"match": '<condition field="${sip_h_X-A}" expression="^(.*)${sip_h_X-B}(.*)$" break="never">'}


# what check() looks at: to read the whole of thousands of events takes long
HEADERS = re.compile("^(Event-Name|API-Command|API-Command-Argument|Application|Application-Data|Call-Direction|Caller-Context|Channel-Name|Mark): "
                     "(.*)$", re.M)


class Watch:
    """inotify on a directory: was a file in it opened, made or moved?"""
    OPEN, CREATE, MOVED = 0x20, 0x100, 0xC0

    def __init__(self, path):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(os.O_NONBLOCK)
        assert self.libc.inotify_add_watch(self.fd, os.fsencode(str(path)), self.OPEN | self.CREATE | self.MOVED) >= 0

    def seen(self):
        names = []
        while select.select([self.fd], [], [], 0)[0]:
            data, at = os.read(self.fd, 65536), 0
            while at < len(data):
                _, _, _, n = struct.unpack_from("iIII", data, at)
                names.append(data[at + 16:at + 16 + n].rstrip(b"\0").decode(errors="replace"))
                at += 16 + n
        return [n for n in names if n]

    def close(self):
        os.close(self.fd)


def _xml(s):
    return s.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


class Hostile:
    """The switch with its canaries. call() places one call; check() says what went wrong since the last one."""

    def __init__(self, root, binary=None):
        self.outside = Path(root) / "outside"
        self.outside.mkdir(parents=True)
        for name in ("secret.wav", "secret.xml", "secret.lua", "secret"):
            (self.outside / name).write_bytes(b"RIFF" + bytes(60) if name.endswith("wav") else b"print('x')\n")
        self.door = socket.socket()
        self.door.bind(("127.0.0.1", 0))
        self.door.listen(64)
        self.door.settimeout(0)
        self.sink = Sink()
        self.elsewhere = Sink(answers=False)
        self.sw = t.Tandem(Path(root) / "instance", binary=binary)
        self._configure()
        self.sw.start()
        self.sw.api("fsctl sps 100000")
        self.sw.api("fsctl max_sessions 5000")
        self.sw.api("global_setvar hit=no")
        self.events = self.sw.esl()
        self.events.subscribe("API CHANNEL_CREATE CHANNEL_EXECUTE CUSTOM hostile::mark")
        self.events.sock.settimeout(None)
        self.control, self.seen, self.changed, self.marks = self.sw.esl(), [], threading.Condition(), 0
        self.reader = threading.Thread(target=self._read_events, daemon=True)
        self.reader.start()
        self.watch = Watch(self.outside)
        self.run_dir = Watch(self.sw.root)  # the working directory of commands

    def _configure(self):
        conf = self.sw.root / "conf"
        cases = []
        for name, actions in CASES.items():
            condition = CONDITIONS.get(name, '<condition field="destination_number" expression="^(.*)$">')
            acts = "".join(f'<action application="{a.split(" ", 1)[0]}" data="{_xml(a.partition(" ")[2])}"/>' if not a.startswith("%[") else
                           f'<action application="eval" data="{_xml(a.replace("]eval ", "]"))}"/>' for a in actions)
            cases.append(f'<extension name="{name}"><condition field="${{sip_h_X-Case}}${{went}}" expression="^{name}$"/>{condition}'
                         f'<action application="set" data="went=once"/>{acts}'
                         '<action application="hangup"/></condition></extension>')
        text = "<include>\n" + "\n".join(cases).replace("SINK", str(self.sink.port)) + "\n</include>"
        (conf / "dialplan/public").mkdir(exist_ok=True)
        (conf / "dialplan/public/hostile.xml").write_text(text)
        switch = conf / "autoload_configs/switch.conf.xml"
        switch.write_text(switch.read_text().replace("<settings>", '<settings><param name="system-commands" value="true"/>', 1))
        (self.sw.root / "scripts").mkdir(exist_ok=True)
        (self.sw.root / "scripts/compose.lua").write_text(
            'local x = session:getVariable("sip_h_X-A") or ""\nsession:setVariable("y", x)\nsession:execute("set", "z=" .. x)\n'
            'session:execute("eval", "a" .. x .. "b${y}")\n'
            f'session:execute("bridge", "{{a=\'" .. x .. "\'}}sofia/external/" .. x .. "@127.0.0.1:{self.sink.port}")\n')
        (self.sw.root / "scripts/cuts.lua").write_text(f"""
            for _, name in ipairs({{"sip_h_X-A", "caller_id_name", "destination_number"}}) do
                local x = session:getVariable(name) or ""
                for _, y in ipairs({{x:sub(1, 30), x:sub(2), x:sub(-30), x:lower(), x:sub(2, -2):upper(), x:gsub("^%s+", "")}}) do
                    session:execute("eval", "a" .. y .. "b")
                    session:setVariable("y", y .. "${{uuid}}")
                    session:execute("eval", "${{y}}")
                    session:sayPhrase("queue_position", y)
                end
                session:execute("bridge", "{{a='" .. x:sub(1, 40) .. "'}}sofia/external/" .. x:sub(2, 60):lower() .. "@127.0.0.1:{self.sink.port}")
            end
        """)
        (self.sw.root / "scripts/calls.lua").write_text(f"""
            local api, sink = freeswitch.API(), "sofia/external/svc@127.0.0.1:{self.sink.port}"
            for _, name in ipairs({{"sip_h_X-A", "caller_id_name", "destination_number"}}) do
                local x = session:getVariable(name) or ""
                api:executeString("eval " .. x)
                api:execute("uuid_broadcast", session:get_uuid() .. " phrase:queue_position:" .. x)
                api:executeString("originate {{a='" .. x .. "',b=" .. x .. ",originate_timeout=1}}" .. sink .. " &set(b=" .. x .. ")")
                freeswitch.Session("{{a='" .. x .. "',b=" .. x .. ",originate_timeout=1}}" .. sink):hangup()
            end
        """)
        (self.sw.root / "scripts/says.lua").write_text("""
            for _, name in ipairs({"sip_h_X-A", "caller_id_name", "destination_number"}) do
                local x = session:getVariable(name) or ""
                session:sayPhrase("queue_position", x)
                session:streamFile("phrase:queue_position:" .. x)
            end
            local name = session:getVariable("caller_id_name") or ""
            session:playAndGetDigits(0, 1, 1, 1, "#", "phrase:queue_position:" .. name, "phrase:queue_position:" .. name, name)
        """)
        (self.sw.root / "scripts/answers.lua").write_text("""
            for _, name in ipairs({"sip_h_X-A", "caller_id_name", "destination_number"}) do
                stream:write("a" .. (session:getVariable(name) or "") .. "b")
            end
        """)
        (self.sw.root / "scripts/echo.lua").write_text("if stream then stream:write(argv[1] or '') end\n")

    def payloads(self):
        """Words that mean something to one of the languages."""
        door, bad, out = self.door.getsockname()[1], self.elsewhere.port, self.outside
        run = "global_setvar(hit=1)"
        return ["${" + run + "}", "$\\'{" + run + "}", "$", "{" + run + "}", "${", "}", "\\", "\\\\", "\\'", "'", '"', "`", "$(", ";", "&", "|", ",", ":_:",
                "[", "]", "{", "<", ">", "^^:", "m:^:", "^", "%[a=1]", "ARRAY::a|:b", "|:", "$1", "%1", ".*", "(", ")", "*", "?", "/", "//", "::", " ",
                "=", "!", "~", "@", "#", "inline", " inline", " XML default", "XML", "default", " lua", "api_on_answer=global_setvar hit=1",
                "execute_on_answer=socket 127.0.0.1:%d" % door, "api_hangup_hook=global_setvar hit=1", "global_setvar hit=1", "global_setvar",
                "socket:127.0.0.1:%d async full" % door, f"socket 127.0.0.1:{door} async full", f"127.0.0.1:{door}", f"socket::127.0.0.1:{door}",
                f"loopback/app=socket:127.0.0.1:{door}", f",sofia/external/evil@127.0.0.1:{bad}", f"sofia/external/evil@127.0.0.1:{bad}",
                f"@127.0.0.1:{bad}", f";fs_path=sip:127.0.0.1:{bad}", "user/1000", "1000", "error/USER_BUSY", "null/x", "bridge:user/1000",
                f"{out}/secret.wav", f"{out}/secret.lua", f"{out}/secret", f"../../../../../../../../..{out}/secret.wav", "..", "../", "tone_stream://%(1,2,3)",
                f"path={out}/secret.wav", f"!{out}/secret.wav", f"a!{out}/secret.wav", "!", "path=", f"}}{out}/secret.wav",
                "file_string://", f"file_string://{out}/secret.wav", "say:", "phrase:x:y", "phrase:queue_position:${" + run + "}", f"phrase:queue_position:{out}", "http://127.0.0.1/", "silence_stream://1",
                f"; touch {self.sw.root}/hit; ", f"$(touch {self.sw.root}/hit)", f"`touch {self.sw.root}/hit`", f"' ; touch {self.sw.root}/hit ; '",
                f'" ; touch {self.sw.root}/hit ; "', "\n", "\x1a\xa4\x1a\xfb", "\x1c\xa4", "\x1a", "\x1a\xa4${" + run + "}", "${" + run + "}\x1c\xff", "中", "\xff", "\t", "%24%7B", "%0d%0a", "&amp;",
                '{"command":"fsapi","data":{"cmd":"global_setvar","arg":"hit=1"}}', "~os.exit()", "#!/lua os.exit()", "os.execute('true')", "hangup:",
                "set:hit=1", "uuid_kill", "park", "&park()", "+1", "hash", "status"]

    def call(self, case, dialled="1000", header="", name="", other=""):
        """Places the call; its Call-ID."""
        return self.sink.stranger(self.sw, case, dialled, header, name, other, False)

    def wait(self, call_ids, timeout=4):
        """Until each call has its final answer. Some never get one: they were parked, or play for ever."""
        with self.sink.changed:
            self.sink.changed.wait_for(lambda: all(i in self.sink.finals for i in call_ids), timeout)
            self.sink.finals.clear()

    def settle(self):
        """Every call is over; what the events of the switch say then is whole."""
        deadline = time.monotonic() + 30
        while True:  # calls still come in
            self.sw.api("hupall")
            try:
                self.sw.wait_calls(0, timeout=0.5)
                break
            except AssertionError:
                assert time.monotonic() < deadline, self.sw.api("show channels")
        self.marks += 1  # events come in order, replies may come before them
        self.control.command(f"sendevent CUSTOM\nEvent-Subclass: hostile::mark\nMark: {self.marks}")
        with self.changed:
            assert self.changed.wait_for(lambda: self.seen and self.seen[-1].get("Mark") == str(self.marks), 20)
            events, self.seen = self.seen, []
        return events

    def _read_events(self):
        """A reader that never makes the switch wait: what it cannot send it drops."""
        try:
            while True:
                headers, body = self.events.read()
                if headers["Content-Type"].startswith("text/event"):
                    with self.changed:
                        self.seen.append({k: unquote(v) for k, v in HEADERS.findall(body)})
                        self.changed.notify_all()
        except (OSError, EOFError):
            pass

    # what the configuration itself asks for: commands and applications by name
    COMMANDS = {"global_getvar", "hupall", "show", "echo", "url_decode", "cond", "regex", "lower", "tolower", "eval", "expand", "replace", "coalesce",
                "json", "sched_api", "uuid_setvar", "bgapi", "sofia_contact", "user_data", "strftime", "file_exists", "group_call", "originate",
                "uuid_broadcast", "uuid_transfer", "lua", "system", "hash", "db", "group", "sched_transfer", "sched_broadcast", "fsctl", "uuid_getvar",
                "conference", "vm_boxcount", "vm_list", "voicemail_inject", "features", "recordings", "uuid_audio_stream", "uuid_fileman"}

    def check(self):
        """What somebody outside got to happen, as texts; empty: nothing."""
        events = self.settle()
        found, self.ran = [], set()
        applications = {a.split(" ", 1)[0] for acts in CASES.values() for a in acts if not a.startswith("%[")} | {"hangup", "eval", "park", "group_confirm"}
        for e in events:
            kind = e.get("Event-Name")
            if kind == "API" and e.get("API-Command") not in self.COMMANDS and e.get("API-Command-Argument") != "hit=no":
                found.append(f"command {e.get('API-Command')} {e.get('API-Command-Argument')}")
            elif kind == "CHANNEL_EXECUTE":
                self.ran.add(e.get("Application"))
                if e.get("Application") not in applications:
                    found.append(f"application {e.get('Application')} {e.get('Application-Data')}")
                # the stranger's own leg stays in its context; only 'loop' makes a second one, in the same
                if e.get("Call-Direction") == "inbound" and e.get("Caller-Context") != "public":
                    found.append(f"context {e.get('Caller-Context')}: {e.get('Application')} {e.get('Application-Data')}")
            elif kind == "CHANNEL_CREATE" and e.get("Call-Direction") == "outbound":
                name = e.get("Channel-Name", "")
                if not name.startswith(("sofia/external/", "loopback/")) or re.search(rf"@127\.0\.0\.1:{self.elsewhere.port}$", name):
                    found.append(f"leg {name}")
        if self.sw.api("global_getvar hit") != "no":
            found.append("the command global_setvar ran")
            self.sw.api("global_setvar hit=no")
        if (self.sw.root / "hit").exists():
            found.append("a shell command ran")
            (self.sw.root / "hit").unlink()
        found += [f"file {n} was opened" for n in self.watch.seen()]
        try:
            self.door.accept()[0].close()
            found.append("a connection to the stranger's port")
        except BlockingIOError:
            pass
        found += [f"call to {m.first}" for m in self.elsewhere.taken()]
        return found

    def stop(self):
        self.events.sock.shutdown(socket.SHUT_RDWR)
        self.reader.join()
        self.events.close()
        self.control.close()
        self.watch.close()
        self.run_dir.close()
        self.sw.stop(may_be_slow=True)  # thousands of calls at once, scripts and speech among them
        self.sink.close()
        self.elsewhere.close()
        self.door.close()


class Sink:
    """A far end: takes calls and ends them (or only notes them); the stranger's own socket too."""

    def __init__(self, answers=True):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", 0))
        self.s.settimeout(0.5)
        self.port = self.s.getsockname()[1]
        self.answers = answers
        self.messages = []
        self.finals = {}
        self.changed = threading.Condition()
        self.is_over = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.is_over:
            try:
                data, peer = self.s.recvfrom(65536)
            except socket.timeout:
                continue
            except OSError:
                return
            m = Message(data.decode("latin-1"))
            with self.changed:
                if m.method == "INVITE":
                    self.messages.append(m)
                if m.code >= 200 and m.get("CSeq").endswith("INVITE"):
                    self.finals[m.get("Call-ID")] = m
                self.changed.notify_all()
            if m.code >= 200 and m.get("CSeq").endswith("INVITE"):
                self._ack(m, peer)
            elif m.method and m.method != "ACK" and self.answers:
                self._reply(m, peer)

    def _reply(self, m, peer):
        code, body = (486, "") if m.method == "INVITE" else (200, "")
        vias = "".join(f"Via: {v}\r\n" for v in m.all("Via"))
        self.s.sendto((f"SIP/2.0 {code} x\r\n{vias}From: {m.get('From')}\r\nTo: {m.get('To')};tag=s\r\nCall-ID: {m.get('Call-ID')}\r\n"
                       f"CSeq: {m.get('CSeq')}\r\nContent-Length: 0\r\n\r\n{body}").encode("latin-1"), peer)

    def _ack(self, m, peer):
        number = m.get("CSeq").split()[0]
        via = m.all("Via")[0] if m.code >= 300 else f"SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{uuid.uuid4().hex};rport"
        target = re.search("<([^>]+)>", m.get("Contact") or "")
        uri = target.group(1) if target and m.code < 300 else f"sip:x@127.0.0.1:{peer[1]}"
        self.s.sendto((f"ACK {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {m.get('From')}\r\nTo: {m.get('To')}\r\n"
                       f"Call-ID: {m.get('Call-ID')}\r\nCSeq: {number} ACK\r\nContent-Length: 0\r\n\r\n").encode("latin-1"), peer)

    def stranger(self, sw, case, dialled, header, name, other, wait):
        """An INVITE of nobody in particular to the external profile; the final response, or None."""
        call_id = uuid.uuid4().hex
        line = lambda s: re.sub("[\r\n]", " ", s)  # noqa: E731
        user = "".join(c if c.isalnum() else "".join(f"%{b:02x}" for b in c.encode("latin-1", "replace")) for c in dialled) or "x"
        quoted = line(name).replace("\\", "\\\\").replace('"', '\\"')
        body = sdp(4000)
        text = (f"INVITE sip:{user}@127.0.0.1:{sw.ext_port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{uuid.uuid4().hex};rport\r\n"
                f'Max-Forwards: 70\r\nFrom: "{quoted}" <sip:{user}@127.0.0.1>;tag={uuid.uuid4().hex[:8]}\r\nTo: <sip:{user}@127.0.0.1>\r\n'
                f"Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContact: <sip:x@127.0.0.1:{self.port}>\r\nX-Case: {case}\r\nX-A: {line(header)}\r\nX-B: {line(other)}\r\n"
                f"User-Agent: {line(other)}\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}")
        self.s.sendto(text.encode("latin-1", "replace"), ("127.0.0.1", sw.ext_port))
        if not wait:
            return call_id
        with self.changed:
            self.changed.wait_for(lambda: call_id in self.finals, 8)
            return self.finals.pop(call_id, None)

    def taken(self):
        with self.changed:
            got, self.messages = self.messages, []
            return got

    def close(self):
        self.is_over = True
        self.thread.join()
        self.s.close()


def random_text(rng: random.Random, words):
    return "".join(rng.choice(words) for _ in range(rng.randint(1, 5)))
