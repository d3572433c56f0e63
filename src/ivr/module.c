/* The application ivr. Its menus are compiled once per configuration, on the worker that loads it. */
#include "core/registry/module.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/conf/source.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "ivr/ivr_i.h"
#include "text/mark.h"

static int stage_slot = -1;

static int stage_make(const struct config *cfg, void **out)
{
	struct ivr_menus *set;
	int st = ivr_menus_new(&set);
	if (st)
		return st;
	st = ivr_menus_read(set, xml_child(config_conf_of(cfg, "ivr.conf"), "menus"), NULL, NULL);
	if (st)
		mem_unref(set);
	else
		*out = set;
	return st;
}

static void stage_free(void *obj)
{
	mem_unref(obj);
}

static void stage_check(const struct config *cfg, const struct config_known *known, config_report_fn report, void *arg)
{
	struct ivr_menus *set;
	if (ivr_menus_new(&set))
		return;
	if (!ivr_menus_read(set, xml_child(config_conf_of(cfg, "ivr.conf"), "menus"), report, arg))
		ivr_menus_check(set, cfg, known, report, arg);
	mem_unref(set);
}

static const struct config_stage stage = {"ivr", stage_make, stage_free, stage_check};

int ivr_stage_init(void)
{
	role_assert_ctl();
	return stage_slot < 0 ? config_stage_add(&stage, &stage_slot) : ST_OK;
}

/* The menus of whoever answers for ivr.conf, asked for this one by name; NULL: those of the snapshot. */
static CO struct ivr_menus *menus_asked(struct leg *leg, const char *name)
{
	const struct xml_node *conf;
	struct xml_doc *doc = NULL;
	struct ivr_menus *set = NULL;
	struct event *params;

	if (!source_is_bound("configuration") || !(params = event_new(EVENT_REQUEST_PARAMS, NULL)))
		return NULL;
	event_add(params, "Menu-Name", name);
	leg_event_all(leg, params);
	int st = source_conf("ivr.conf", params, &doc, &conf);
	if (!st)
		st = ivr_menus_new(&set);
	if (!st && ivr_menus_read(set, xml_child(conf, "menus"), NULL, NULL))
		set = mem_unref(set);
	mem_unref(doc);
	mem_unref(params);
	return set;
}

/* menu */
static int app_ivr(struct leg *leg, const char *data)
{
	char *name = mark_strip_dup(sv_trim(sv_of(leg_exec_text(leg, data))));
	role_assert_co();
	if (!name || !*name) {
		leg_log(leg, LOG_ERR, "ivr: usage: <menu_name>");
		mem_free(name);
		return ST_INVAL;
	}
	struct ivr_menus *asked = menus_asked(leg, name);
	int st = leg_is_up(leg) ? ivr_run(leg, asked ? asked : config_stage_get(stage_slot), sv_of(name)) : ST_HANGUP;
	mem_unref(asked);
	mem_free(name);
	return st == ST_HANGUP ? st : ST_OK;
}

static const struct app_desc apps[] = {
    {"ivr", "Run an ivr menu", "<menu_name>", 0, app_ivr},
    {NULL},
};
static const struct var_desc vars[] = {
    {"ivr_menu_status", "text", "how the caller left the menu: success, failure (wrong keys) or timeout", false, true},
    {"ivr_menu_terminator", "text", "the # that ended the keys dialled last", false, true},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"ivr.conf", "menu/confirm-attempts", "number", NULL, "3", "how often confirm-macro is said when no key follows"},
    {"ivr.conf", "menu/confirm-key", "text", NULL, NULL, "the key that takes what was dialled; none: any key"},
    {"ivr.conf", "menu/confirm-macro", "text", NULL, NULL,
        "phrase macro that says what was dialled and asks for confirm-key"},
    {"ivr.conf", "menu/digit-len", "number", NULL, "1", "how many keys are waited for"},
    {"ivr.conf", "menu/exec-on-max-failures", "text", NULL, NULL, "application and data after too many wrong keys"},
    {"ivr.conf", "menu/exec-on-max-timeouts", "text", NULL, NULL, "application and data after too long a silence"},
    {"ivr.conf", "menu/exit-sound", "path", NULL, NULL, "said when the first menu is left"},
    {"ivr.conf", "menu/greet-long", "path", NULL, NULL, "greeting of the first round: a file, phrase:, say:"},
    {"ivr.conf", "menu/greet-short", "path", NULL, "greet-long", "greeting of later rounds"},
    {"ivr.conf", "menu/inter-digit-timeout", "number", "ms", "timeout", "between keys"},
    {"ivr.conf", "menu/invalid-sound", "path", NULL, NULL, "said when no entry fits"},
    {"ivr.conf", "menu/max-failures", "number", NULL, "3", "wrong keys until the menu is left"},
    {"ivr.conf", "menu/max-timeouts", "number", NULL, "max-failures", "rounds without a key until the menu is left"},
    {"ivr.conf", "menu/name", "text", NULL, NULL, "what ivr and menu-sub call it"},
    {"ivr.conf", "menu/pin", "text", NULL, NULL, "keys asked for before the greeting, three times"},
    {"ivr.conf", "menu/pin-file", "path", NULL, NULL, "asks for the pin"},
    {"ivr.conf", "menu/bad-pin-file", "path", NULL, NULL, "said after a wrong pin"},
    {"ivr.conf", "menu/timeout", "number", "ms", "15000", "for the first key"},
    {"ivr.conf", "menu/tts-engine", "name", NULL, "tts_engine", "speech engine of say: texts"},
    {"ivr.conf", "menu/tts-voice", "name", NULL, "tts_voice", "its voice"},
    {"ivr.conf", "entry/action", "text", NULL, NULL,
        "menu-exec-app, menu-exec-api, menu-play-sound, menu-say-phrase, menu-sub, menu-back, menu-top, menu-exit"},
    {"ivr.conf", "entry/digits", "text", NULL, NULL, "the keys, or /a regular expression/ for them"},
    {"ivr.conf", "entry/param", "text", NULL, NULL, "what the action is done with; $1 is a group of the expression"},
    {NULL},
};

extern const struct module ivr_in_dptools;
const struct module ivr_in_dptools = {
    .abi = MODULE_ABI, .name = "mod_dptools", .load = ivr_stage_init, .apps = apps, .vars = vars, .confs = confs};
