/* mod_conference: its tables. */
#include "core/registry/module.h"
#include "conference/conf_i.h"
#include "core/registry/app.h"
#include "core/registry/metrics.h"

static const struct app_desc apps[] = {
    {"conference", "conference",
        "<name>[@<profile>][+<pin>][+flags{<flag>|<flag>}] | bridge:<name>[@<profile>]:<dialstring>", 0,
        app_conference},
    {"conference_set_auto_outcall", "conference_set_auto_outcall", "", APP_NO_MEDIA, app_conference_auto_outcall},
    {NULL},
};
static const char *const completions[] = {"list", "list pretty", "list summary", "xml_list", "json_list", "help", NULL};
static const struct api_desc apis[] = {
    {"conference", "Conference module commands", "<confname> <command> [<args>] | list | xml_list | json_list | help",
        API_MAY_WAIT, api_conference, completions, NULL, NULL},
    {NULL},
};

static const struct var_desc vars[] = {
    {"conference_member_flags", "flags", "more member flags, a|b", true, false},
    {"conference_flags", "flags", "more flags of the room that this leg begins, a|b", true, false},
    {"conference_max_members", "number", "of the room that this leg begins", true, false},
    {"conference_moderator_pin", "digits", "of the room that this leg begins", true, false},
    {"conference_enter_sound", "source", "of the room that this leg begins", true, false},
    {"conference_exit_sound", "source", "of the room that this leg begins", true, false},
    {"conference_moh_sound", "source", "hold music of the room that this leg begins", true, false},
    {"conference_auto_record", "path", "instead of the profile's auto-record", true, false},
    {"conference_controls", "group", "the caller-controls group of this member; none: no keys", true, false},
    {"conference_permanent_quiet", "bool", "no enter-sound when this member comes", true, false},
    {"conference_join_volume_in", "number", "-4 to 4: how loud the member is heard", true, false},
    {"conference_join_volume_out", "number", "-4 to 4: how loud it hears", true, false},
    {"conference_join_energy_level", "number", "below this level the member is not heard", true, false},
    {"supplied_pin", "digits", "tried as the pin before the caller is asked", true, false},
    {"hangup_after_conference", "bool", "the leg is hung up when it leaves", true, false},
    {"conference_auto_outcall_caller_id_name", "text", "of conference_set_auto_outcall's calls", true, false},
    {"conference_auto_outcall_caller_id_number", "text", "of conference_set_auto_outcall's calls", true, false},
    {"conference_auto_outcall_timeout", "seconds", "how long these ring; default 60", true, false},
    {"conference_auto_outcall_prefix", "text", "in front of each dial string: {variables}", true, false},
    {"conference_auto_outcall_profile", "name", "the profile by which those who answer come in", true, false},
    {"conference_auto_outcall_announce", "source", "played to who answers, before he comes in", true, false},
    {"conference_auto_outcall_delimiter", "character", "parts several dial strings of one value", true, false},
    {"conference_auto_outcall_skip_member_beep", "bool", "the caller hears no beep", true, false},
    {"conference_utils_auto_outcall_flags", "flags", "member flags of who is called, a|b", true, false},
    {"conference_auto_outcall_flags", "flags", "the same, where conference_utils_auto_outcall_flags is not set", true,
        false},
    {"conference_auto_outcall", "array", "whom the room will call when this leg is in", true, true},
    {"read_codec", "name", "L16 while the leg is a member", false, true},
    {"read_rate", "number", "then the mixer's", false, true},
    {"conference_name", "text", "the room", false, true},
    {"conference_uuid", "uuid", "of the room", false, true},
    {"app_session_uuid", "uuid", "of the room", false, true},
    {"conference_member_id", "number", "of the leg in its room", false, true},
    {"conference_moderator", "bool", "the leg is a moderator", false, true},
    {"conference_ghost", "bool", "the leg is a ghost", false, true},
    {"conference_call_key", "text", "conference_NAME_DOMAIN_NUMBER", false, true},
    {"conference_recording", "path", "the file that records the room", false, true},
    {"conference_last_matching_digits", "digits", "the keys of the control used last", false, true},
    {"last_transfered_conference", "text", "the room the leg was sent to last", false, true},
    {NULL},
};

static const struct conf_desc confs[] = {
    {"conference.conf", "advertise/room/name", "name@domain", NULL, NULL, "a lamp that is there before anybody came"},
    {"conference.conf", "advertise/room/status", "text", NULL, NULL, "what that lamp says"},
    {"conference.conf", "control/action", "name", NULL, NULL, "what the keys do"},
    {"conference.conf", "control/digits", "digits", NULL, NULL, "the keys, or ~ and a regular expression"},
    {"conference.conf", "control/data", "text", NULL, NULL, "of transfer, execute_application, event"},
    {"conference.conf", "profile/alone-sound", "path", NULL, NULL, "played to who is alone"},
    {"conference.conf", "profile/announce-count", "number", NULL, "0",
        "from so many members on a newcomer is told how many there are"},
    {"conference.conf", "profile/auto-energy-level", "number", NULL, "0", "the highest level that is found by itself"},
    {"conference.conf", "profile/auto-energy-seconds", "number", "s", "5", "how often"},
    {"conference.conf", "profile/auto-gain-level", "number", NULL, "0",
        "loudness that quiet and loud members are brought to; 0: off"},
    {"conference.conf", "profile/auto-record", "path", NULL, NULL, "each room is recorded there; expanded"},
    {"conference.conf", "profile/bad-pin-sound", "path", NULL, NULL, "after a wrong pin"},
    {"conference.conf", "profile/caller-controls", "name", NULL, "default", "the group of keys; none: no keys"},
    {"conference.conf", "profile/caller-id-name", "text", NULL, NULL, "of calls that the room makes"},
    {"conference.conf", "profile/caller-id-number", "text", NULL, NULL, "of calls that the room makes"},
    {"conference.conf", "profile/cdr-event-mode", "name", NULL, NULL, "content or file: conference::cdr is told"},
    {"conference.conf", "profile/cdr-log-dir", "path", NULL, NULL,
        "where records are written; auto: conference_cdr below the log directory"},
    {"conference.conf", "profile/comfort-noise", "number", NULL, "false", "noise in silence: true or a level"},
    {"conference.conf", "profile/comfort-noise-level", "number", NULL, "false", "the same"},
    {"conference.conf", "profile/conference-flags", "flags", NULL, NULL, "a|b, see docs/conference.md"},
    {"conference.conf", "profile/confvar_*", "text", NULL, NULL, "a conference variable from the start"},
    {"conference.conf", "profile/deaf-sound", "path", NULL, NULL, "to who is made deaf"},
    {"conference.conf", "profile/description", "text", NULL, NULL, "for people"},
    {"conference.conf", "profile/domain", "name", NULL, NULL, "of lamps and events"},
    {"conference.conf", "profile/endconf-grace-time", "number", "s", "0", "after the last endconf member left"},
    {"conference.conf", "profile/energy-level", "number", NULL, "0", "below it a member is not heard"},
    {"conference.conf", "profile/enter-sound", "path", NULL, NULL, "to all when somebody comes"},
    {"conference.conf", "profile/exit-sound", "path", NULL, NULL, "to all when somebody goes"},
    {"conference.conf", "profile/heartbeat-period-sec", "number", "s", "0", "conference-heartbeat events"},
    {"conference.conf", "profile/interval", "number", "ms", "20", "of a frame, or auto"},
    {"conference.conf", "profile/is-locked-sound", "path", NULL, NULL, "to all when the room is locked"},
    {"conference.conf", "profile/is-unlocked-sound", "path", NULL, NULL, "to all when it is no longer"},
    {"conference.conf", "profile/ivr-dtmf-timeout", "number", "ms", "500", "between keys of one control"},
    {"conference.conf", "profile/kicked-sound", "path", NULL, NULL, "to who is kicked"},
    {"conference.conf", "profile/locked-sound", "path", NULL, NULL, "to who comes to a locked room"},
    {"conference.conf", "profile/max-energy-hit-trigger", "number", NULL, "5",
        "so many loud frames until max-energy-level mutes"},
    {"conference.conf", "profile/max-energy-level", "number", NULL, "0", "louder than this is muted"},
    {"conference.conf", "profile/max-energy-level-mute-ms", "number", "ms", "0", "for so long"},
    {"conference.conf", "profile/max-members", "number", NULL, "0", "0: no bound"},
    {"conference.conf", "profile/max-members-sound", "path", NULL, "locked-sound", "to who comes to a full room"},
    {"conference.conf", "profile/member-enter-sound", "path", NULL, NULL, "to who comes to others"},
    {"conference.conf", "profile/member-flags", "flags", NULL, NULL, "of all members, a|b"},
    {"conference.conf", "profile/min-required-recording-participants", "number", NULL, "1",
        "1 or 2: auto-record begins then"},
    {"conference.conf", "profile/moderator-controls", "name", NULL, "caller-controls",
        "the group of keys of moderators"},
    {"conference.conf", "profile/moderator-pin", "digits", NULL, NULL, "who enters it is a moderator"},
    {"conference.conf", "profile/moh-sound", "path", NULL, NULL, "while one is alone, or waits for the moderator"},
    {"conference.conf", "profile/mute-detect-sound", "path", NULL, NULL, "to who talks muted"},
    {"conference.conf", "profile/muted-sound", "path", NULL, NULL, "to who is muted"},
    {"conference.conf", "profile/perpetual-sound", "path", NULL, NULL, "over and over, to all"},
    {"conference.conf", "profile/pin", "digits", NULL, NULL, "asked of who comes"},
    {"conference.conf", "profile/pin-retries", "number", NULL, "3", "how often"},
    {"conference.conf", "profile/pin-sound", "path", NULL, NULL, "asks for the pin"},
    {"conference.conf", "profile/rate", "number", "Hz", "8000", "of the mixer, or auto: the first member's"},
    {"conference.conf", "profile/sound-prefix", "path", NULL, "sound_prefix", "where relative sounds lie"},
    {"conference.conf", "profile/suppress-events", "names", NULL, NULL, "actions that are not told, a,b"},
    {"conference.conf", "profile/terminate-on-silence", "number", "s", "0",
        "the room ends when nobody talks for so long"},
    {"conference.conf", "profile/tts-engine", "name", NULL, NULL, "of say and say: sounds"},
    {"conference.conf", "profile/tts-voice", "name", NULL, NULL, "its voice"},
    {"conference.conf", "profile/undeaf-sound", "path", NULL, NULL, "to who hears again"},
    {"conference.conf", "profile/unmuted-sound", "path", NULL, NULL, "to who may talk again"},
    {"conference.conf", "profile/verbose-events", "bool", NULL, "false", "events have the leg's variables"},
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
	conf_rooms_close_empty();
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
    .metrics = metrics,
    .part = &conf_part};
