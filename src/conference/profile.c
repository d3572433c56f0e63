/* A profile of conference.conf becomes a struct when a room begins, so that a reload changes rooms that begin later and
 * none that runs. One table says every key: where it goes and what is there without it. The same table checks the file
 * when it is loaded. */
#include "base/log.h"
#include "base/mem.h"
#include "conference/conf_i.h"
#include "core/conf/check.h"
#include "core/conf/config.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum kind { TEXT, SOUND, NUMBER, FLAG, IGNORED };
struct field {
	const char *name;
	enum kind kind;
	size_t at;
	unsigned low, high;
};
#define AT(f) offsetof(struct conf_profile, f)
static const struct field fields[] = {
    {"domain", TEXT, AT(domain), 0, 0},
    {"description", TEXT, AT(description), 0, 0},
    {"rate", TEXT, AT(rate), 0, 0},
    {"interval", TEXT, AT(interval), 0, 0},
    {"comfort-noise", TEXT, AT(comfort_noise), 0, 0},
    {"comfort-noise-level", TEXT, AT(comfort_noise), 0, 0},
    {"sound-prefix", TEXT, AT(sound_prefix), 0, 0},
    {"caller-id-name", TEXT, AT(caller_id_name), 0, 0},
    {"caller-id-number", TEXT, AT(caller_id_number), 0, 0},
    {"caller-controls", TEXT, AT(caller_controls), 0, 0},
    {"moderator-controls", TEXT, AT(moderator_controls), 0, 0},
    {"tts-engine", TEXT, AT(tts_engine), 0, 0},
    {"tts-voice", TEXT, AT(tts_voice), 0, 0},
    {"pin", TEXT, AT(pin), 0, 0},
    {"moderator-pin", TEXT, AT(moderator_pin), 0, 0},
    {"outcall-templ", IGNORED, 0, 0, 0},
    {"cdr-log-dir", TEXT, AT(cdr_log_dir), 0, 0},
    {"cdr-event-mode", TEXT, AT(cdr_event_mode), 0, 0},
    {"suppress-events", TEXT, AT(suppress_events), 0, 0},
    {"auto-record", TEXT, AT(auto_record), 0, 0},
    {"member-flags", TEXT, AT(member_flags_text), 0, 0},
    {"conference-flags", TEXT, AT(room_flags_text), 0, 0},
    {"enter-sound", SOUND, AT(enter_sound), 0, 0},
    {"exit-sound", SOUND, AT(exit_sound), 0, 0},
    {"alone-sound", SOUND, AT(alone_sound), 0, 0},
    {"perpetual-sound", SOUND, AT(perpetual_sound), 0, 0},
    {"moh-sound", SOUND, AT(moh_sound), 0, 0},
    {"muted-sound", SOUND, AT(muted_sound), 0, 0},
    {"unmuted-sound", SOUND, AT(unmuted_sound), 0, 0},
    {"mute-detect-sound", SOUND, AT(mute_detect_sound), 0, 0},
    {"deaf-sound", SOUND, AT(deaf_sound), 0, 0},
    {"undeaf-sound", SOUND, AT(undeaf_sound), 0, 0},
    {"locked-sound", SOUND, AT(locked_sound), 0, 0},
    {"is-locked-sound", SOUND, AT(is_locked_sound), 0, 0},
    {"is-unlocked-sound", SOUND, AT(is_unlocked_sound), 0, 0},
    {"kicked-sound", SOUND, AT(kicked_sound), 0, 0},
    {"pin-sound", SOUND, AT(pin_sound), 0, 0},
    {"bad-pin-sound", SOUND, AT(bad_pin_sound), 0, 0},
    {"max-members-sound", SOUND, AT(max_members_sound), 0, 0},
    {"member-enter-sound", SOUND, AT(member_enter_sound), 0, 0},
    {"channels", IGNORED, 0, 0, 0},
    {"energy-level", NUMBER, AT(energy_level), 0, 32767},
    {"auto-energy-level", NUMBER, AT(auto_energy_level), 0, 32767},
    {"auto-energy-seconds", NUMBER, AT(auto_energy_seconds), 0, 86400},
    {"max-energy-level", NUMBER, AT(max_energy_level), 0, 32767},
    {"max-energy-hit-trigger", NUMBER, AT(max_energy_hit_trigger), 0, 1000},
    {"max-energy-level-mute-ms", NUMBER, AT(max_energy_mute_ms), 0, 600000},
    {"auto-gain-level", NUMBER, AT(agc_level), 0, 32767},
    {"pin-retries", NUMBER, AT(pin_retries), 1, 100},
    {"max-members", NUMBER, AT(max_members), 0, 100000},
    {"announce-count", NUMBER, AT(announce_count), 0, 100000},
    {"min-required-recording-participants", NUMBER, AT(min_recording), 1, 2},
    {"endconf-grace-time", NUMBER, AT(endconf_grace_s), 0, 86400},
    {"ivr-dtmf-timeout", NUMBER, AT(dtmf_timeout_ms), 0, 60000},
    {"ivr-input-timeout", IGNORED, 0, 0, 0},
    {"terminate-on-silence", NUMBER, AT(terminate_on_silence_s), 0, 86400},
    {"heartbeat-period-sec", NUMBER, AT(heartbeat_s), 0, 86400},
    {"verbose-events", FLAG, AT(is_verbose), 0, 0},
    {NULL, IGNORED, 0, 0, 0},
};

static void profile_destroy(void *obj)
{
	struct conf_profile *p = obj;
	for (const struct field *f = fields; f->name; f++)
		if (f->kind == TEXT || f->kind == SOUND) {
			char **at = (char **)(void *)((char *)p + f->at);
			mem_free(*at);
			*at = NULL; /* two names may stand for one value */
		}
	mem_free(p->name);
	if (p->vars)
		vars_free(p->vars);
}

static const struct field *field_of(const char *name)
{
	for (const struct field *f = fields; f->name; f++)
		if (!strcasecmp(f->name, name))
			return f;
	return NULL;
}

static void set(struct conf_profile *p, const struct field *f, const char *value)
{
	char *at = (char *)p + f->at;
	switch (f->kind) {
	case TEXT:
	case SOUND:
		mem_free(*(char **)(void *)at);
		*(char **)(void *)at = *value ? mem_strdup(value) : NULL;
		break;
	case NUMBER:
		*(unsigned *)(void *)at = (unsigned)str_number(value, f->low, f->high);
		break;
	case FLAG:
		*(bool *)at = str_is_true(value);
		break;
	case IGNORED:
		break;
	}
}

static ON_CTL const struct xml_node *profile_node(const char *name)
{
	return xml_child_with(xml_child(config_conf("conference.conf"), "profiles"), "profile", "name", name);
}

static ON_CTL void log_unknown(struct sv name, void *arg)
{
	log_warning("conference profile %s: no such flag: %.*s", (const char *)arg, SVF(name));
}

int conf_profile_new(struct conf_profile **out, const char *name)
{
	struct conf_profile *p = mem_new(sizeof(*p), profile_destroy, "conference.profile");
	if (!p || vars_new(&p->vars)) {
		mem_unref(p);
		return ST_NOMEM;
	}
	p->pin_retries = 3, p->dtmf_timeout_ms = 500, p->min_recording = 1, p->max_energy_hit_trigger = 5;
	p->auto_energy_seconds = 5;
	const struct xml_node *node = profile_node(name);
	p->name = mem_strdup(node ? xml_attr(node, "name") : "none");
	if (!node)
		log_error("conference: no profile %s in conference.conf: everything is at its built-in value", name);
	xml_each(node, "param", it)
	{
		const char *key = xml_attr_or(it, "name", ""), *value = xml_attr_or(it, "value", "");
		const struct field *f = field_of(key);
		if (!strncasecmp(key, "confvar_", 8) && key[8])
			vars_set(p->vars, key + 8, value);
		else if (f)
			set(p, f, value);
	}
	if (!p->domain)
		p->domain = mem_strdup(globals_get("domain"));
	if (p->moh_sound && !strcasecmp(p->moh_sound, "silence")) {
		mem_free(p->moh_sound);
		p->moh_sound = NULL;
	}
	p->member_flags = conf_member_flags_parse(sv_of(p->member_flags_text), log_unknown, p->name);
	p->room_flags = conf_room_flags_parse(sv_of(p->room_flags_text), log_unknown, p->name);
	if (!p->name) {
		mem_unref(p);
		return ST_NOMEM;
	}
	*out = p;
	return ST_OK;
}

unsigned conf_profile_rate(const struct conf_profile *p, unsigned leg_rate_hz)
{
	static const unsigned rates[] = {8000, 12000, 16000, 24000, 32000, 44100, 48000};
	unsigned wanted = !p->rate || !strcasecmp(p->rate, "auto") ? (p->rate ? leg_rate_hz : 8000)
	                                                           : (unsigned)str_number(p->rate, 0, 192000);
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++)
		if (rates[i] == wanted)
			return wanted;
	return 8000;
}

unsigned conf_profile_interval(const struct conf_profile *p, unsigned leg_ptime_ms)
{
	unsigned wanted = !p->interval                       ? 20
	                  : !strcasecmp(p->interval, "auto") ? leg_ptime_ms
	                                                     : (unsigned)str_number(p->interval, 0, 1000);
	return wanted >= 10 && wanted <= 60 && wanted % 10 == 0 ? wanted : 20;
}

/* ---- the check of the file ---- */

struct check {
	config_report_fn report;
	void *arg;
	const struct xml_node *at;
};

static void say(struct check *c, const char *fmt, struct sv what)
{
	char line[400];
	int n = snprintf(line, sizeof(line), "%s:%u:%u: warning: ", c->at->file, c->at->line, c->at->column);
	if (n > 0 && (size_t)n < sizeof(line))
		snprintf(line + n, sizeof(line) - (size_t)n, fmt, SVF(what));
	c->report(line, c->arg);
}

static void say_flag(struct sv name, void *arg)
{
	say(arg, "conference: no such flag: %.*s", name);
}

static void check_param(struct check *c)
{
	const char *key = xml_attr_or(c->at, "name", ""), *value = xml_attr_or(c->at, "value", "");
	const struct field *f = field_of(key);
	if (!f && strncasecmp(key, "confvar_", 8) && strncasecmp(key, "video-", 6) &&
	    strncasecmp(key, "scale-h264", 10))
		say(c, "conference: no such parameter: %.*s", sv_of(key));
	if (f && f->kind == NUMBER && (*value < '0' || *value > '9'))
		say(c, "conference: not a number: %.*s", sv_of(value));
	if (!strcasecmp(key, "member-flags"))
		conf_member_flags_parse(sv_of(value), say_flag, c);
	if (!strcasecmp(key, "conference-flags"))
		conf_room_flags_parse(sv_of(value), say_flag, c);
}

static void stage_check(const struct config *cfg, const struct config_known *known, config_report_fn report, void *arg)
{
	const struct xml_node *conf = config_conf_of(cfg, "conference.conf");
	struct check c = {report, arg, NULL};
	(void)known;
	xml_each(xml_child(conf, "profiles"), "profile", p) xml_each(p, "param", it)
	{
		c.at = it;
		check_param(&c);
	}
	xml_each(xml_child(conf, "caller-controls"), "group", g) xml_each(g, "control", it)
	{
		c.at = it;
		if (!conf_control_is_known(xml_attr_or(it, "action", "")))
			say(&c, "conference: no such action: %.*s", sv_of(xml_attr_or(it, "action", "")));
		if (!*xml_attr_or(it, "digits", ""))
			say(&c, "conference: a control without digits%.*s", SV(""));
	}
}

static int stage_make(const struct config *cfg, void **out)
{
	(void)cfg;
	*out = NULL; /* nothing is kept: profiles are read when a room begins */
	return ST_OK;
}

static void stage_free(void *obj)
{
	(void)obj;
}

static const struct config_stage stage = {"conference", stage_make, stage_free, stage_check};
static int stage_slot = -1;

int conf_stage_init(void)
{
	return stage_slot < 0 ? config_stage_add(&stage, &stage_slot) : ST_OK;
}
