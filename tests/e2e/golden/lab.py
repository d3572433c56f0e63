"""The switch that the scenes of applications were recorded on, made again for Tandem: the stock configuration with their menus, rooms,
extensions and mailbox, one short tone under every prompt's name."""
import os
import re

import tandem as t
from phones import write_tone

NOW = {"now": "2026-11-26 11:25:00", "zone": "UTC"}  # a weekday at work: the stock dialplan says set(open=true)
MODULES = ("mod_directory", "mod_callcenter")
EXTENSIONS = """
9702: answer | park
9720: answer | set playback_terminators=none | ivr lab_main | log INFO back from ivr: ${ivr_menu_status} | hangup
9721: answer | ivr lab_pin | hangup
9722: answer | ivr nosuchmenu | hangup
9723: answer | play_and_get_digits 2 4 3 1500 # tone_stream://%(300,0,400) tone_stream://%(200,0,200) lab_digits \\d+ 700 | log INFO digits=${lab_digits} inv=${lab_digits_invalid} res=${read_result} term=${read_terminator_used} | info | hangup
9724: answer | play_and_get_digits 1 4 2 1200 # tone_stream://%(300,0,400) tone_stream://%(200,0,200) lab_digits ^1\\d*$ 500 9196 XML default | info | hangup
9725: answer | read 2 4 tone_stream://%(300,0,400) lab_read 1500 # | info | hangup
9730: answer | conference lab1@lab | hangup
9731: answer | conference lab1@lab+flags{moderator~endconf} | hangup
9732: answer | conference lab2@labpin | hangup
9734: answer | conference lab3@lab+flags{mute~deaf~nomoh} | hangup
9736: answer | conference lab5@nosuchprofile | hangup
9738: answer | set conference_auto_outcall_timeout=5 | set conference_auto_outcall_caller_id_name=Auto | conference_set_auto_outcall user/1001@127.0.0.1 | conference lab7@lab | hangup
9740: answer | fifo q1@127.0.0.1 in | hangup
9741: answer | fifo q1@127.0.0.1 out wait | hangup
9742: answer | fifo q1@127.0.0.1 out nowait | hangup
9743: answer | fifo q1@127.0.0.1 in tone_stream://%(300,0,400) tone_stream://%(3000,0,440) | hangup
9744: answer | set fifo_chime_list=tone_stream://%(200,0,900) | set fifo_chime_freq=2 | set fifo_caller_exit_key=* | fifo q1@127.0.0.1 in | log INFO after fifo | hangup
9757: answer | directory default 127.0.0.1 default | hangup
9775: answer | voicemail default 127.0.0.1 1005 | hangup
9776: answer | voicemail check default 127.0.0.1 1005 | hangup
9779: answer | voicemail default 127.0.0.1 8888 | log INFO after | hangup
97750: voicemail default 127.0.0.1 1006 | hangup
9799: answer | valet_park vlot auto in 6100 6105 | hangup
97990: answer | valet_park vlot 6100 | hangup
"""
MENUS = """<include>
<menu name="lab_main" greet-long="tone_stream://%(300,0,400)" greet-short="tone_stream://%(200,0,300)" invalid-sound="tone_stream://%(150,0,200)" exit-sound="tone_stream://%(150,0,900)" timeout="1500" inter-digit-timeout="500" max-failures="2" max-timeouts="2" digit-len="4">
  <entry action="menu-exec-app" digits="1" param="playback tone_stream://%(250,0,500)"/>
  <entry action="menu-sub" digits="2" param="lab_sub"/>
  <entry action="menu-play-sound" digits="3" param="tone_stream://%(250,0,700)"/>
  <entry action="menu-exit" digits="4"/>
  <entry action="menu-exec-app" digits="5" param="transfer 9196 XML default"/>
  <entry action="menu-exec-app" digits="/^(7\\d\\d\\d)$/" param="set lab_dialed=$1"/>
  <entry action="menu-top" digits="9"/>
  <entry action="menu-exec-app" digits="8" param="nosuchapp x"/>
</menu>
<menu name="lab_sub" greet-long="tone_stream://%(200,0,600)" invalid-sound="tone_stream://%(150,0,200)" exit-sound="tone_stream://%(150,0,900)" timeout="1500" max-failures="2" max-timeouts="2">
  <entry action="menu-back" digits="1"/>
  <entry action="menu-sub" digits="2" param="lab_sub2"/>
  <entry action="menu-top" digits="*"/>
</menu>
<menu name="lab_sub2" greet-long="tone_stream://%(200,0,800)" invalid-sound="tone_stream://%(150,0,200)" exit-sound="tone_stream://%(150,0,900)" timeout="1200" max-failures="1" max-timeouts="1">
  <entry action="menu-back" digits="1"/>
  <entry action="menu-top" digits="2"/>
  <entry action="menu-exec-app" digits="3" param="set lab_deep=yes"/>
</menu>
<menu name="lab_pin" pin="4321" pin-file="tone_stream://%(200,0,350)" bad-pin-file="tone_stream://%(150,0,250)" greet-long="tone_stream://%(200,0,600)" confirm-macro="" confirm-key="" invalid-sound="tone_stream://%(150,0,200)" exit-sound="tone_stream://%(150,0,900)" exec-on-max-failures="set lab_mf=yes" exec-on-max-timeouts="transfer 9197 XML default" timeout="800" max-failures="1" max-timeouts="1" digit-len="1">
  <entry action="menu-exit" digits="1"/>
</menu>
</include>
"""
ROOMS = {
    "lab": ["muted-sound=conference/conf-muted.wav", "unmuted-sound=conference/conf-unmuted.wav", "alone-sound=conference/conf-alone.wav",
            "cdr-log-dir=auto", "moh-sound=$${hold_music}", "enter-sound=tone_stream://%(200,0,500,600,700)",
            "exit-sound=tone_stream://%(500,0,300,200,100,50,25)", "kicked-sound=conference/conf-kicked.wav",
            "locked-sound=conference/conf-locked.wav", "is-locked-sound=conference/conf-is-locked.wav",
            "is-unlocked-sound=conference/conf-is-unlocked.wav", "pin-sound=conference/conf-pin.wav",
            "bad-pin-sound=conference/conf-bad-pin.wav", "caller-id-name=LabConf", "caller-id-number=5550000", "endconf-grace-time=2",
            "max-members=4", "max-members-sound=conference/conf-locked.wav"],
    "labpin": ["moh-sound=$${hold_music}", "pin=12345", "moderator-pin=54321", "pin-retries=2", "conference-flags=wait-mod",
               "pin-sound=conference/conf-pin.wav", "bad-pin-sound=conference/conf-bad-pin.wav", "perpetual-sound=",
               "caller-controls=default"],
}
MAILBOX = ["vm-email-all-messages=true", "vm-attach-file=true", "vm-mailto=mail1005@lab.example", "vm-keep-local-after-email=true",
           "vm-notify-mailto=note1005@lab.example", "vm-notify-email-all-messages=true"]
DIGITS = [*range(21), 30, 40, 50, 60, 70, 80, 90]
PROMPTS = {
    "voicemail": "vm-new vm-saved vm-message vm-messages vm-deleted vm-emailed vm-marked-urgent vm-urgent vm-urgent-new vm-urgent-saved "
                 "vm-undeleted vm-goodbye vm-hello".split(),
    "digits": [*map(str, DIGITS), *(f"h-{n}" for n in DIGITS), *"hundred thousand million h-hundred h-thousand h-million dot pound star".split()],
    "ascii": [str(n) for n in range(32, 128)],
    "phonetic-ascii": [str(n) for n in range(32, 128)],
    "time": [*(f"mon-{n}" for n in range(12)), *(f"day-{n}" for n in range(7)),
             *"a-m p-m oclock oh today yesterday at hour hours minute minutes second seconds hundred midnight noon and am pm".split()],
    "currency": "dollar dollars cent cents and minus negative point".split(),
    "conference": [f"conf-{n}" for n in "muted unmuted alone kicked locked is-locked is-unlocked pin bad-pin welcome".split()],
    "ivr": ["ivr-that_was_an_invalid_entry", "ivr-hold_connect_call"],
    "base256": ["0"],
}


def params(pairs):
    return "".join('<param name="{}" value="{}"/>'.format(*p.split("=", 1)) for p in pairs)


def extensions():
    out = []
    for line in EXTENSIONS.strip().split("\n"):
        number, rest = line.split(": ", 1)
        actions = "".join('<action application="{}" data="{}"/>'.format(*(a + " ").split(" ", 1)).replace(' "/>', '"/>').replace("~", "|")
                          for a in rest.split(" | "))
        out.append(f'<extension name="lab_{number}"><condition field="destination_number" expression="^{number}$">{actions}</condition></extension>')
    return "<include>\n" + "\n".join(out) + "\n</include>\n"


def edit(path, old, new):
    text = path.read_text()
    assert re.search(old, text), (path, old)
    path.write_text(re.sub(old, lambda m: new, text))


def sounds(root, conf):
    names = {f"{d}/{n}.wav" for d, row in PROMPTS.items() for n in row}
    for p in sorted((conf / "lang/en").rglob("*.xml")):
        names |= {n for n in re.findall(r'data="([a-z_]+/[^"]+\.wav)"', p.read_text(errors="replace")) if "$" not in n}
    root.mkdir(parents=True)
    tone = root / "tone.wav"
    write_tone(tone, 440, 0.25)
    write_tone(root / "long.wav", 440, 4)
    for name in names:
        folder, file = name.split("/", 1)
        path = root / "en/us/callie" / folder / "8000" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(tone, path)
    for rate in (8000, 16000, 32000, 48000):
        (root / f"music/{rate}").mkdir(parents=True)
    write_tone(root / "music/8000/tone.wav", 440, 10)


def make(root, slot=0):
    """A switch, not started. slot: which part of the process's RTP ports is its own."""
    sw = t.Tandem(root, "vanilla", **NOW)
    conf = sw.root / "conf"
    edit(conf / "autoload_configs/switch.conf.xml", r'"rtp-start-port" value="\d+"', f'"rtp-start-port" value="{sw.rtp_start + 100 * slot}"')
    edit(conf / "autoload_configs/switch.conf.xml", r'"rtp-end-port" value="\d+"', f'"rtp-end-port" value="{sw.rtp_start + 100 * slot + 99}"')
    mailer = sw.root / "mailer"
    mailer.write_text("#!/bin/sh\ncat > /dev/null\n")
    mailer.chmod(0o755)
    edit(conf / "autoload_configs/switch.conf.xml", r'"mailer-app" value="sendmail"', f'"mailer-app" value="{mailer}"')
    modules = conf / "autoload_configs/modules.conf.xml"
    edit(modules, "</modules>", "".join(f'<load module="{m}"/>' for m in MODULES) + "</modules>")
    for p in ("internal", "external"):
        edit(conf / f"sip_profiles/{p}.xml", "<settings>", '<settings><param name="max-recv-requests-per-second" value="0"/>')
    edit(conf / "autoload_configs/conference.conf.xml", "<profiles>", "<profiles>" + "".join(
        f'<profile name="{n}">' + params(["domain=$${domain}", "rate=8000", "interval=20", "energy-level=100", *rest]) + "</profile>"
        for n, rest in ROOMS.items()))
    edit(conf / "directory/default/1005.xml", '<param name="vm-password" value="1005"/>', '<param name="vm-password" value="1005"/>' + params(MAILBOX))
    edit(conf / "directory/default/1005.xml", "<variables>", '<variables><variable name="timezone" value="UTC"/>')
    (conf / "ivr_menus/lab.xml").write_text(MENUS)
    (conf / "dialplan/default/00_lab.xml").write_text(extensions())
    sounds(sw.root / "sounds", conf)
    return sw
