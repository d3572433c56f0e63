/* mod_conference: its tables. */
#include "conference/conf_i.h"
#include "core/registry/app.h"
#include "core/registry/metrics.h"
#include "core/registry/module.h"

static const struct app_desc apps[] = {
    {"conference", "conference", "<name>[@<profile>][+<pin>][+flags{<flag>|<flag>}] | bridge:<name>[@<profile>]:<dialstring>", 0,
        app_conference},
    {"conference_set_auto_outcall", "conference_set_auto_outcall", "<dialstring>|clear", APP_NO_MEDIA,
        app_conference_auto_outcall},
    {NULL},
};
static const char *const completions[] = {"list", "list pretty", "list summary", "xml_list", "json_list", "help", NULL};
static const struct api_desc apis[] = {
    {"conference", "Conference module commands", "<confname> <command> [<args>] | list | xml_list | json_list | help",
        API_MAY_WAIT, api_conference, completions, NULL, NULL},
    {NULL},
};

#define V_IN(name, type, help) {name, type, help, true, false}
#define V_OUT(name, type, help) {name, type, help, false, true}
static const struct var_desc vars[] = {
    V_IN("conference_member_flags", "flags", "more member flags, a|b"),
    V_IN("conference_flags", "flags", "more flags of the room that this leg begins, a|b"),
    V_IN("conference_max_members", "number", "of the room that this leg begins"),
    V_IN("conference_moderator_pin", "digits", "of the room that this leg begins"),
    V_IN("conference_enter_sound", "source", "of the room that this leg begins"),
    V_IN("conference_exit_sound", "source", "of the room that this leg begins"),
    V_IN("conference_moh_sound", "source", "hold music of the room that this leg begins"),
    V_IN("conference_auto_record", "path", "instead of the profile's auto-record"),
    V_IN("conference_controls", "group", "the caller-controls group of this member; none: no keys"),
    V_IN("conference_permanent_quiet", "bool", "no enter-sound when this member comes"),
    V_IN("conference_join_volume_in", "number", "-4 to 4: how loud the member is heard"),
    V_IN("conference_join_volume_out", "number", "-4 to 4: how loud it hears"),
    V_IN("conference_join_energy_level", "number", "below this level the member is not heard"),
    V_IN("supplied_pin", "digits", "tried as the pin before the caller is asked"),
    V_IN("hangup_after_conference", "bool", "the leg is hung up when it leaves"),
    V_IN("conference_auto_outcall_caller_id_name", "text", "of conference_set_auto_outcall's calls"),
    V_IN("conference_auto_outcall_caller_id_number", "text", "of conference_set_auto_outcall's calls"),
    V_IN("conference_auto_outcall_timeout", "seconds", "how long these ring; default 60"),
    V_IN("conference_auto_outcall_prefix", "text", "in front of each dial string: {variables}"),
    V_IN("conference_auto_outcall_profile", "name", "the profile by which those who answer come in"),
    V_IN("conference_auto_outcall_announce", "source", "played to who answers, before he comes in"),
    V_IN("conference_auto_outcall_delimiter", "character", "parts several dial strings of one value"),
    V_IN("conference_auto_outcall_skip_member_beep", "bool", "the caller hears no beep"),
    V_IN("conference_utils_auto_outcall_flags", "flags", "member flags of who is called, a|b"),
    {"conference_auto_outcall", "array", "whom the room will call when this leg is in", true, true},
    V_OUT("conference_name", "text", "the room"),
    V_OUT("conference_uuid", "uuid", "of the room"),
    V_OUT("app_session_uuid", "uuid", "of the room"),
    V_OUT("conference_member_id", "number", "of the leg in its room"),
    V_OUT("conference_moderator", "bool", "the leg is a moderator"),
    V_OUT("conference_ghost", "bool", "the leg is a ghost"),
    V_OUT("conference_call_key", "text", "conference_NAME_DOMAIN_NUMBER"),
    V_OUT("conference_recording", "path", "the file that records the room"),
    V_OUT("conference_last_matching_digits", "digits", "the keys of the control used last"),
    V_OUT("last_transfered_conference", "text", "the room the leg was sent to last"),
    {NULL},
};

#define P(name, type, unit, fallback, help) {"conference.conf", "profile/" name, type, unit, fallback, help}
static const struct conf_desc confs[] = {
    {"conference.conf", "advertise/room/name", "name@domain", NULL, NULL, "a lamp that is there before anybody came"},
    {"conference.conf", "advertise/room/status", "text", NULL, NULL, "what that lamp says"},
    {"conference.conf", "control/action", "name", NULL, NULL, "what the keys do"},
    {"conference.conf", "control/digits", "digits", NULL, NULL, "the keys, or ~ and a regular expression"},
    {"conference.conf", "control/data", "text", NULL, NULL, "of transfer, execute_application, event"},
    P("alone-sound", "path", NULL, NULL, "played to who is alone"),
    P("announce-count", "number", NULL, "0", "from so many members on a newcomer is told how many there are"),
    P("auto-energy-level", "number", NULL, "0", "the highest level that is found by itself"),
    P("auto-energy-seconds", "number", "s", "5", "how often"),
    P("auto-gain-level", "number", NULL, "0", "loudness that quiet and loud members are brought to; 0: off"),
    P("auto-record", "path", NULL, NULL, "each room is recorded there; expanded"),
    P("bad-pin-sound", "path", NULL, NULL, "after a wrong pin"),
    P("caller-controls", "name", NULL, "default", "the group of keys; none: no keys"),
    P("caller-id-name", "text", NULL, NULL, "of calls that the room makes"),
    P("caller-id-number", "text", NULL, NULL, "of calls that the room makes"),
    P("cdr-event-mode", "name", NULL, NULL, "content or file: conference::cdr is told"),
    P("cdr-log-dir", "path", NULL, NULL, "where records are written; auto: conference_cdr below the log directory"),
    P("channels", "number", NULL, "1", "2: members have positions"),
    P("comfort-noise", "number", NULL, "false", "noise in silence: true or a level"),
    P("comfort-noise-level", "number", NULL, "false", "the same"),
    P("conference-flags", "flags", NULL, NULL, "a|b, see docs/conference.md"),
    P("confvar_*", "text", NULL, NULL, "a conference variable from the start"),
    P("deaf-sound", "path", NULL, NULL, "to who is made deaf"),
    P("description", "text", NULL, NULL, "for people"),
    P("domain", "name", NULL, NULL, "of lamps and events"),
    P("endconf-grace-time", "number", "s", "0", "after the last endconf member left"),
    P("energy-level", "number", NULL, "0", "below it a member is not heard"),
    P("enter-sound", "path", NULL, NULL, "to all when somebody comes"),
    P("exit-sound", "path", NULL, NULL, "to all when somebody goes"),
    P("heartbeat-period-sec", "number", "s", "0", "conference-heartbeat events"),
    P("interval", "number", "ms", "20", "of a frame, or auto"),
    P("is-locked-sound", "path", NULL, NULL, "to all when the room is locked"),
    P("is-unlocked-sound", "path", NULL, NULL, "to all when it is no longer"),
    P("ivr-dtmf-timeout", "number", "ms", "500", "between keys of one control"),
    P("ivr-input-timeout", "number", "ms", "0", "taken from FreeSWITCH's files: for the first key, 0 for ever"),
    P("kicked-sound", "path", NULL, NULL, "to who is kicked"),
    P("locked-sound", "path", NULL, NULL, "to who comes to a locked room"),
    P("max-energy-hit-trigger", "number", NULL, "5", "so many loud frames until max-energy-level mutes"),
    P("max-energy-level", "number", NULL, "0", "louder than this is muted"),
    P("max-energy-level-mute-ms", "number", "ms", "0", "for so long"),
    P("max-members", "number", NULL, "0", "0: no bound"),
    P("max-members-sound", "path", NULL, "locked-sound", "to who comes to a full room"),
    P("member-enter-sound", "path", NULL, NULL, "to who comes to others"),
    P("member-flags", "flags", NULL, NULL, "of all members, a|b"),
    P("min-required-recording-participants", "number", NULL, "1", "1 or 2: auto-record begins then"),
    P("moderator-controls", "name", NULL, "caller-controls", "the group of keys of moderators"),
    P("moderator-pin", "digits", NULL, NULL, "who enters it is a moderator"),
    P("moh-sound", "path", NULL, NULL, "while one is alone, or waits for the moderator"),
    P("mute-detect-sound", "path", NULL, NULL, "to who talks muted"),
    P("muted-sound", "path", NULL, NULL, "to who is muted"),
    P("outcall-templ", "text", NULL, NULL, "kept for FreeSWITCH's files"),
    P("perpetual-sound", "path", NULL, NULL, "over and over, to all"),
    P("pin", "digits", NULL, NULL, "asked of who comes"),
    P("pin-retries", "number", NULL, "3", "how often"),
    P("pin-sound", "path", NULL, NULL, "asks for the pin"),
    P("rate", "number", "Hz", "8000", "of the mixer, or auto: the first member's"),
    P("sound-prefix", "path", NULL, "sound_prefix", "where relative sounds lie"),
    P("suppress-events", "names", NULL, NULL, "actions that are not told, a,b"),
    P("terminate-on-silence", "number", "s", "0", "the room ends when nobody talks for so long"),
    P("tts-engine", "name", NULL, NULL, "of say and say: sounds"),
    P("tts-voice", "name", NULL, NULL, "its voice"),
    P("undeaf-sound", "path", NULL, NULL, "to who hears again"),
    P("unmuted-sound", "path", NULL, NULL, "to who may talk again"),
    P("verbose-events", "bool", NULL, "false", "events have the leg's variables"),
    {NULL},
};

static void fill(struct metric_out *out, int which);
static const struct metric_desc metrics[] = {
    {"tandem_conferences", METRIC_GAUGE, 0, "Conferences that run.", fill, 0},
    {"tandem_conference_members", METRIC_GAUGE, 0, "Members of all conferences.", fill, 1},
    {NULL},
};

static void add_count(struct conf_room *room, void *arg)
{
	*(double *)arg += room->count + room->ghost_count;
}

static void fill(struct metric_out *out, int which)
{
	double n = 0;
	role_assert_ctl();
	if (which)
		conf_rooms_each(add_count, &n);
	else
		n = (double)conf_rooms_count();
	metric_put(out, n, NULL);
}

static int load(void)
{
	role_assert_ctl();
	int st = conf_rooms_start();
	if (!st)
		st = conf_stage_init();
	if (!st)
		conf_lamps_advertise();
	return st;
}

static int unload(void)
{
	role_assert_ctl();
	if (conf_rooms_count())
		return ST_BUSY;
	conf_rooms_stop();
	return ST_OK;
}

extern const struct module mod_conference;
const struct module mod_conference = {.abi = MODULE_ABI,
    .name = "mod_conference",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs,
    .metrics = metrics};
