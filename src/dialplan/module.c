/* The dialplans "XML" and "inline" for legs: the hunt's interfaces bound to a leg, the configuration stage that
 * compiles the XML dialplan once per snapshot, and alternate files ("XML:/path/file.xml"). */
#include "core/registry/module.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/check.h"
#include "core/conf/config.h"
#include "core/conf/source.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/dialplan.h"
#include "dialplan/module_i.h"
#include "loop/co.h"
#include "text/xml.h"
#include <stdio.h>
#include <string.h>

static int stage_slot = -1;

/* ---- the configuration stage --------------------------------------------------------------------------------- */

static int stage_make(const struct config *cfg, void **out)
{
	struct dialplan *dp = NULL;
	int st = dialplan_new(&dp, config_section_of(cfg, "dialplan"), NULL, NULL);
	if (!st)
		*out = dp;
	return st;
}

static void stage_free(void *obj)
{
	dialplan_free(obj);
}

struct check {
	const struct config *cfg;
	const struct config_known *known;
	config_report_fn report;
	void *arg;
};

static void check_app(const char *app, const char *data, const struct xml_node *where, void *arg)
{
	struct check *c = arg;
	char text[CONFIG_ERROR_CHARS], why[200];

	if (!*app || config_known_app(c->known, c->cfg, app, why, sizeof why))
		return;
	snprintf(text, sizeof text, "%s:%u:%u: %s", where->file, where->line, where->column, why);
	c->report(text, c->arg);
}

static void stage_check(const struct config *cfg, const struct config_known *known, config_report_fn report, void *arg)
{
	struct check c = {cfg, known, report, arg};
	struct dialplan *dp = NULL;

	if (dialplan_new(&dp, config_section_of(cfg, "dialplan"), report, arg))
		return;
	dialplan_each_app(dp, check_app, &c);
	dialplan_free(dp);
}

static const struct config_stage stage = {"dialplan", stage_make, stage_free, stage_check};

int dialplan_stage_init(void)
{
	int st = stage_slot >= 0 ? ST_OK : config_stage_add(&stage, &stage_slot);
	return st ? st : dp_ast_stage_init();
}

const struct dialplan *dp_current(void)
{
	return stage_slot < 0 ? NULL : config_stage_get(stage_slot);
}

/* ---- alternate files ----------------------------------------------------------------------------------------- */

struct alternate {
	const char *path;
	struct xml_doc *doc;
	struct buf text;
	int status;
	char error[XML_ERROR_CHARS];
};

static void alternate_warn(const char *warning, void *arg)
{
	log_warning("%s", warning);
}

static void alternate_read(void *arg)
{
	struct alternate *a = arg;

	role_assert_work();
	a->status = dp_file_read(a->path, &a->text);
	if (!a->status)
		a->status =
		    xml_parse_lenient(&a->doc, a->text.p, a->text.n, a->path, NULL, 0, alternate_warn, NULL, a->error);
	else
		snprintf(a->error, sizeof a->error, "%s: cannot be read: %s", a->path, status_text(a->status));
}

/* A dialplan of its own, made for this hunt. The document must outlive it. */
static CO int alternate_load(struct leg *leg, const char *path, struct xml_doc **doc, struct dialplan **dp)
{
	struct alternate *a = mem_zalloc(sizeof *a); /* not on the coroutine's small stack */
	const struct xml_node *root;
	int st;

	if (!a)
		return ST_NOMEM;
	a->path = path;
	st = co_work(WORK_FILE, "dialplan file", alternate_read, a);
	if (!st)
		st = a->status;
	if (!st) {
		root = xml_root(a->doc);
		if (!xml_child(root, "context") && xml_child_with(root, "section", "name", "dialplan"))
			root = xml_child_with(root, "section", "name", "dialplan");
		st = dialplan_new(dp, root, NULL, NULL);
	}
	if (st)
		leg_log(leg, LOG_ERR, "dialplan file: %s", *a->error ? a->error : status_text(st));
	else
		*doc = mem_ref(a->doc);
	mem_unref(a->doc);
	buf_fini(&a->text);
	mem_free(a);
	return st;
}

/* ---- the XML handler ----------------------------------------------------------------------------------------- */

/* A dialplan that the handler made for this call; ST_NOTFOUND: the files have it. */
static CO int handler_load(struct leg *leg, struct xml_doc **doc, struct dialplan **dp)
{
	struct source_question q = {.section = "dialplan"};
	const struct xml_node *section;
	int st;

	if (!source_is_bound("dialplan"))
		return ST_NOTFOUND;
	q.params = event_new(EVENT_REQUEST_PARAMS, NULL);
	if (!q.params)
		return ST_NOMEM;
	leg_event_all(leg, q.params);
	leg_event_hunt(leg, q.params);
	st = source_ask(&q, doc, &section);
	mem_unref(q.params);
	if (!st)
		st = dialplan_new(dp, section, NULL, NULL);
	if (st && st != ST_NOTFOUND)
		leg_log(leg, LOG_ERR, "dialplan of the XML handler: %s", status_text(st));
	return st ? ST_NOTFOUND : ST_OK;
}

static char *mark_outside(void *arg, const char *text)
{
	role_assert_ctl();
	return leg_text_traced(arg, text);
}

/* ---- the dialplans ------------------------------------------------------------------------------------------- */

static int xml_hunt(struct leg *leg, const char *args)
{
	struct dp_env env;
	struct dp_actions found = {0};
	struct config *held = NULL;
	struct dialplan *own = NULL;
	const struct dialplan *dp;
	struct xml_doc *doc = NULL;
	char *context, *destination;
	int st = ST_NOTFOUND;

	role_assert_co();
	dp_env_of_leg(&env, leg);
	context = mem_strdup(leg->profile->context && *leg->profile->context ? leg->profile->context : "global");
	destination = mem_strdup(dp_or_empty(leg->profile->destination_number));
	if (!context || !destination) {
		st = ST_NOMEM;
		goto out;
	}
	leg_log(leg, LOG_INFO, "Processing %s <%s>->%s in context %s", dp_or_empty(leg->profile->caller_id_name),
	    dp_or_empty(leg->profile->caller_id_number), destination, context);
	held = mem_ref(config_current());
	if (args && *args) {
		st = alternate_load(leg, args, &doc, &own);
		if (st)
			goto out;
		dp = own;
	} else {
		if (!handler_load(leg, &doc, &own)) {
			dp = own;
			env.mark = mark_outside;
		} else {
			mem_unref(held); /* it may have waited */
			held = mem_ref(config_current());
			dp = dp_current();
		}
		if (!leg_is_up(leg))
			goto out;
	}
	if (!dp || (!dialplan_has_context(dp, context) && !dialplan_has_context(dp, "global"))) {
		leg_log(leg, LOG_WARNING, "Context %s not found", context);
		st = ST_NOTFOUND;
		goto out;
	}
	st = dialplan_xml_hunt(dp, &env, context, destination, &found);
	if (!st && leg_is_up(leg))
		st = dp_actions_to_leg(leg, &found);
out:
	dp_actions_fini(&found);
	dialplan_free(own);
	mem_unref(doc);
	mem_unref(held);
	mem_free(context);
	mem_free(destination);
	return st;
}

static int inline_hunt(struct leg *leg, const char *args)
{
	struct dp_actions found = {0};
	const char *list = args && *args ? args : leg->profile->destination_text;
	int st;

	role_assert_ctl();
	if (!list) {
		leg_log(leg, LOG_WARNING, "an extension from outside is no list of applications");
		return ST_NOTFOUND;
	}
	st = dialplan_inline_parse(sv_of(list), &found);
	if (!st)
		st = dp_actions_to_leg(leg, &found);
	dp_actions_fini(&found);
	return st;
}

static int module_load_dialplan(void)
{
	role_assert_ctl();
	return dialplan_stage_init();
}

static int module_unload_dialplan(void)
{
	role_assert_ctl();
	return ST_OK;
}

static const struct dialplan_desc dialplans[] = {{"XML", xml_hunt}, {NULL}};
static const struct dialplan_desc inline_dialplans[] = {{"inline", inline_hunt}, {NULL}};
/* As in FreeSWITCH: there without mod_dialplan_xml. */
const struct module inline_in_dptools = {.abi = MODULE_ABI, .name = "mod_dptools", .dialplans = inline_dialplans};

static const char *const dialplan_words[] = {"dialplan explain", NULL};
static const struct api_desc apis[] = {
    {"dialplan", "What a dialplan would do for a call", "explain <context> <number> [<variable>=<value> ...] [as json]",
        API_MAY_WAIT, api_dialplan, dialplan_words},
    {NULL},
};

static const struct var_desc vars[] = {
    {"auto_hunt", "bool", "start the hunt at the extension named as the destination", .is_read = true},
    {"timezone", "text", "time zone for time conditions: a name of timezones.conf, of the system, or POSIX TZ text",
        .is_read = true},
    {"tod_tz_offset", "hours", "offset from UTC for time conditions, stronger than timezone", .is_read = true},
    {"DP_MATCH", "array", "groups of the last matching condition", .is_written = true},
    {"DP_REGEX_MATCH_1", "array", "groups of the first <regex> of a condition (and so on)", .is_written = true},
    {NULL},
};

const struct module mod_dialplan_xml = {
    .abi = MODULE_ABI,
    .name = "mod_dialplan_xml",
    .load = module_load_dialplan,
    .unload = module_unload_dialplan,
    .dialplans = dialplans,
    .apis = apis,
    .vars = vars,
};
