/* The dialplans "XML" and "inline" for legs: the hunt's interfaces bound to a leg, the configuration stage that
 * compiles the XML dialplan once per snapshot, alternate files ("XML:/path/file.xml"), and time zones by FreeSWITCH's
 * timezones.conf. */
#include "core/module.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/exec.h"
#include "dialplan/dialplan.h"
#include "loop/co.h"
#include "text/tz.h"
#include "text/xml.h"
#include <stdio.h>
#include <string.h>

#define ALTERNATE_MAX_BYTES (8u << 20)
#define ZONES_MAX 2000

static int stage_slot = -1;
static struct hash *zones; /* name -> struct tz of the current snapshot; an empty name = unknown */

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
	config_report_fn report;
	void *arg;
};

static void check_app(const char *app, const char *data, const struct xml_node *where, void *arg)
{
	struct check *c = arg;
	char text[CONFIG_ERROR_CHARS];

	role_assert_ctl();
	if (!*app || app_find(app))
		return;
	snprintf(
	    text, sizeof text, "%s:%u:%u: no application is called '%s'", where->file, where->line, where->column, app);
	c->report(text, c->arg);
}

static void stage_check(const struct config *cfg, config_report_fn report, void *arg)
{
	struct check c = {report, arg};
	struct dialplan *dp = NULL;

	role_assert_ctl();
	if (dialplan_new(&dp, config_section_of(cfg, "dialplan"), report, arg))
		return;
	if (app_find("answer")) /* without loaded modules nobody can tell which applications there are */
		dialplan_each_app(dp, check_app, &c);
	dialplan_free(dp);
}

static const struct config_stage stage = {"dialplan", stage_make, stage_free, stage_check};

int dialplan_stage_init(void)
{
	return stage_slot >= 0 ? ST_OK : config_stage_add(&stage, &stage_slot);
}

/* ---- time zones ---------------------------------------------------------------------------------------------- */

static void zones_forget(void *arg)
{
	hash_free(zones);
	zones = NULL;
}

ON_CTL static const struct tz *zone_find(const char *name)
{
	struct tz *tz = zones ? hash_get(zones, sv_of(name)) : NULL;
	char posix[130];
	const char *text;

	if (tz)
		return *tz->name ? tz : NULL;
	if ((!zones && hash_new(&zones, 0, mem_free)) || hash_count(zones) >= ZONES_MAX ||
	    !(tz = mem_zalloc(sizeof *tz)))
		return NULL;
	text = xml_attr(
	    xml_child_with(xml_child(config_conf("timezones.conf"), "timezones"), "zone", "name", name), "value");
	if (!text && !tz_lookup(name, posix, sizeof posix))
		text = posix;
	if (tz_parse(tz, sv_of(text ? text : name)))
		log_warning("no time zone is called '%s'", name);
	if (hash_set(zones, sv_of(name), tz)) {
		mem_free(tz);
		return NULL;
	}
	return *tz->name ? tz : NULL;
}

/* ---- the hunt's view of a leg -------------------------------------------------------------------------------- */

static const char *env_field(void *arg, const char *name)
{
	role_assert_ctl();
	return leg_profile_field(((struct leg *)arg)->profile, name);
}

static const char *env_var(void *arg, const char *name)
{
	role_assert_ctl();
	return leg_var(arg, name);
}

static int env_expand(void *arg, const char *text, struct buf *out)
{
	char *value = NULL;
	int st;

	role_assert_co();
	st = expand(arg, text, &value);
	if (!st && value)
		st = buf_adds(out, value);
	mem_free(value);
	return leg_is_up(arg) ? st : ST_HANGUP;
}

static void env_set_var(void *arg, const char *name, const char *value)
{
	role_assert_ctl();
	leg_var_set(arg, name, value);
}

static void env_push_var(void *arg, const char *name, const char *value)
{
	struct leg *leg = arg;
	role_assert_ctl();
	vars_push(leg->vars, name, value);
}

static int env_run_inline(void *arg, const char *app, const char *data)
{
	struct leg *leg = arg;
	const struct app_desc *desc;

	role_assert_co();
	desc = app_find(app);
	if (!desc) {
		leg_log(leg, LOG_ERR, "Invalid Application %s", app);
		return ST_NOTFOUND;
	}
	if (!(desc->flags & APP_ROUTING_EXEC)) {
		leg_log(leg, LOG_ERR, "Application %s cannot be executed inline", app);
		return ST_DENIED;
	}
	return leg_exec_app(leg, app, data);
}

static int env_local_time(void *arg, const char *zone, int64_t wall_us, struct tm *out)
{
	time_t second = (time_t)(wall_us / 1000000);
	const struct tz *tz;

	role_assert_ctl();
	if (!zone)
		return localtime_r(&second, out) ? ST_OK : ST_INVAL;
	tz = zone_find(zone);
	if (!tz)
		return ST_NOTFOUND;
	tz_local(tz, second, out);
	return ST_OK;
}

static void env_explain(void *arg, const char *line)
{
	struct leg *leg = arg;
	leg_log(leg, LOG_DEBUG, "%s", line);
}

/* ---- alternate files ----------------------------------------------------------------------------------------- */

struct alternate {
	const char *path;
	struct xml_doc *doc;
	struct buf text;
	int status;
	char error[XML_ERROR_CHARS];
};

static void alternate_read(void *arg)
{
	struct alternate *a = arg;
	FILE *f;

	role_assert_work();
	f = fopen(a->path, "re");
	if (!f) {
		a->status = ST_NOTFOUND;
		snprintf(a->error, sizeof a->error, "%s: cannot be opened", a->path);
		return;
	}
	a->text.max = ALTERNATE_MAX_BYTES;
	for (;;) {
		char piece[8192];
		size_t n = fread(piece, 1, sizeof piece, f);
		if (!n)
			break;
		if (buf_add(&a->text, piece, n))
			a->status = ST_LIMIT;
	}
	fclose(f);
	if (!a->status)
		a->status = xml_parse(&a->doc, a->text.p, a->text.n, a->path, NULL, 0, a->error);
	else
		snprintf(a->error, sizeof a->error, "%s: is too long", a->path);
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
	st = co_work("dialplan file", alternate_read, a);
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

/* ---- the dialplans ------------------------------------------------------------------------------------------- */

ON_CTL static int add_to_leg(struct leg *leg, const struct dp_actions *found)
{
	int st = ST_OK;
	for (size_t i = 0; i < found->count && !st; i++)
		st = leg_exec_add(leg, found->list[i].app, found->list[i].data, found->extension);
	return st;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static int xml_hunt(struct leg *leg, const char *args)
{
	struct dp_env env = {
	    leg, env_field, env_var, env_expand, env_set_var, env_push_var, env_run_inline, env_local_time};
	struct dp_actions found = {0};
	struct config *held = NULL;
	struct dialplan *own = NULL;
	const struct dialplan *dp;
	struct xml_doc *doc = NULL;
	char *context, *destination;
	int st = ST_NOTFOUND;

	role_assert_co();
	env.wall_us = clock_wall_us();
	env.channel_name = or_empty(leg->name);
	env.explain = log_is_on(LOG_DEBUG) ? env_explain : NULL;
	context = mem_strdup(leg->profile->context && *leg->profile->context ? leg->profile->context : "global");
	destination = mem_strdup(or_empty(leg->profile->destination_number));
	if (!context || !destination) {
		st = ST_NOMEM;
		goto out;
	}
	leg_log(leg, LOG_INFO, "Processing %s <%s>->%s in context %s", or_empty(leg->profile->caller_id_name),
	    or_empty(leg->profile->caller_id_number), destination, context);
	held = mem_ref(config_current());
	if (args && *args) {
		st = alternate_load(leg, args, &doc, &own);
		if (st)
			goto out;
		dp = own;
	} else {
		dp = config_stage_get(stage_slot);
	}
	if (!dp || (!dialplan_has_context(dp, context) && !dialplan_has_context(dp, "global"))) {
		leg_log(leg, LOG_WARNING, "Context %s not found", context);
		st = ST_NOTFOUND;
		goto out;
	}
	st = dialplan_xml_hunt(dp, &env, context, destination, &found);
	if (!st && leg_is_up(leg))
		st = add_to_leg(leg, &found);
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
	int st;

	role_assert_ctl();
	st = dialplan_inline_parse(sv_of(args && *args ? args : leg->profile->destination_number), &found);
	if (!st)
		st = add_to_leg(leg, &found);
	dp_actions_fini(&found);
	return st;
}

static int module_load_dialplan(void)
{
	int st;

	role_assert_ctl();
	st = dialplan_stage_init();
	return st ? st : config_on_swap(zones_forget, NULL);
}

static int module_unload_dialplan(void)
{
	role_assert_ctl();
	config_on_swap_del(zones_forget, NULL);
	zones_forget(NULL);
	return ST_OK;
}

static const struct dialplan_desc dialplans[] = {{"XML", xml_hunt}, {"inline", inline_hunt}, {NULL}};

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
    .vars = vars,
};
