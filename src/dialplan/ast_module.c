/* mod_dialplan_asterisk: the dialplan "asterisk" (extensions.conf, read with the configuration, or "asterisk:FILE",
 * read for each call), the applications Dial, Goto and AvoidingDeadlock, and the endpoint SIP/, which is sofia's. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/check.h"
#include "core/conf/config.h"
#include "core/dial/originate.h"
#include "core/leg/leg.h"
#include "core/registry/app.h"
#include "core/registry/dialplan.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include "dialplan/module_i.h"
#include "loop/co.h"
#include <stdio.h>
#include <string.h>

static int stage_slot = -1;

/* ---- files ---- */

static int file_parse(const char *path, struct dp_ast **out, config_report_fn report, void *arg)
{
	struct buf text;
	int st;

	buf_init(&text);
	st = dp_file_read(path, &text);
	if (!st)
		st = dp_ast_parse(out, buf_sv(&text), path, report, arg);
	buf_fini(&text);
	return st;
}

static int file_parse_in(const char *dir, struct dp_ast **out, config_report_fn report, void *arg)
{
	struct buf path;
	int st;

	buf_init(&path);
	buf_printf(&path, "%s/extensions.conf", dir);
	st = path.failed ? ST_NOMEM : file_parse(path.p, out, report, arg);
	buf_fini(&path);
	return st;
}

/* No file is no failure: hunting says so. Any thread. */
static int stage_make(const struct config *cfg, void **out)
{
	const struct xml_node *modules = xml_child(config_conf_of(cfg, "modules.conf"), "modules");
	struct dp_ast *ast = NULL;
	int st;

	if (!xml_child_with(modules, "load", "module", "mod_dialplan_asterisk"))
		return ST_OK; /* whose file this is nobody knows */
	st = file_parse_in(config_dir(), &ast, NULL, NULL);
	if (!st)
		*out = ast;
	return st == ST_NOTFOUND ? ST_OK : st;
}

static void stage_free(void *obj)
{
	dp_ast_free(obj);
}

struct check {
	const struct config *cfg;
	const struct config_known *known;
	config_report_fn report;
	void *arg;
};

static void check_app(const char *app, const char *file, unsigned line, void *arg)
{
	struct check *c = arg;
	char text[CONFIG_ERROR_CHARS], why[200];

	if (config_known_app(c->known, c->cfg, app, why, sizeof why))
		return;
	snprintf(text, sizeof text, "%s:%u:1: %s", file, line, why);
	c->report(text, c->arg);
}

static void stage_check(const struct config *cfg, const struct config_known *known, config_report_fn report, void *arg)
{
	struct check c = {cfg, known, report, arg};
	struct dp_ast *ast = NULL;
	char why[200];

	if (!config_known_app(known, cfg, "Goto", why, sizeof why)) /* the module is not loaded: nobody reads it */
		return;
	if (file_parse_in(config_known_dir(known), &ast, report, arg))
		return;
	dp_ast_each_app(ast, check_app, &c);
	dp_ast_free(ast);
}

static const struct config_stage stage = {"extensions.conf", stage_make, stage_free, stage_check};

struct alternate {
	const char *path;
	struct dp_ast *ast;
	int status;
};

static void alternate_read(void *arg)
{
	struct alternate *a = arg;
	role_assert_work();
	a->status = file_parse(a->path, &a->ast, NULL, NULL);
}

/* ---- the dialplan ---- */

const struct dp_ast *dp_ast_current(void)
{
	return stage_slot < 0 ? NULL : config_stage_get(stage_slot);
}

/* *own is to be freed; NULL: what is found lives as long as the configuration. */
static CO int file_of(const char *args, const struct dp_ast **out, struct dp_ast **own)
{
	struct alternate a = {0};
	struct buf path;
	int st;

	if (!args || !*args) {
		*out = dp_ast_current();
		return *out ? ST_OK : ST_NOTFOUND;
	}
	buf_init(&path);
	if (*args == '/')
		buf_adds(&path, args);
	else
		buf_printf(&path, "%s/%s", config_dir(), args);
	a.path = path.p;
	st = path.failed ? ST_NOMEM : co_work(WORK_FILE, "extensions file", alternate_read, &a);
	if (!st)
		st = a.status;
	*out = *own = a.ast;
	buf_fini(&path);
	return st;
}

static int hunt(struct leg *leg, const char *args)
{
	const struct dp_ast *ast = NULL;
	struct dp_actions found = {0};
	struct config *held = NULL;
	struct dp_ast *own = NULL;
	char *context = NULL, *destination = NULL;
	struct dp_env env;
	int st;

	role_assert_co();
	dp_env_of_leg(&env, leg);
	context = mem_strdup(leg->profile->context && *leg->profile->context ? leg->profile->context : "default");
	destination = mem_strdup(dp_or_empty(leg->profile->destination_number));
	held = mem_ref(config_current());
	st = context && destination ? file_of(args, &ast, &own) : ST_NOMEM;
	if (st) {
		leg_log(
		    leg, LOG_ERR, "Open of %s failed: %s", args && *args ? args : "extensions.conf", status_text(st));
		leg_hangup(leg, CAUSE_DESTINATION_OUT_OF_ORDER);
		goto out;
	}
	st = dp_ast_hunt(ast, &env, context, destination, &found);
	if (!st && leg_is_up(leg))
		st = dp_actions_to_leg(leg, &found);
out:
	dp_actions_fini(&found);
	dp_ast_free(own);
	mem_unref(held);
	mem_free(context);
	mem_free(destination);
	return st;
}

/* ---- the applications ---- */

/* Targets (with marks) separated by '&', as a dial string; SIP/x is sofia/<the variable sip_profile>/x. */
ON_CTL static void dialstring_of(struct leg *leg, struct sv targets, struct buf *out)
{
	char *profile = leg_text_dup(leg, "sip_profile");
	struct sv target;

	while (targets.n) {
		sv_split(targets, '&', &target, &targets);
		target = sv_trim(target);
		if (sv_startsi(target, SV("SIP/")))
			buf_printf(out, "sofia/%s/%.*s", profile && *profile ? profile : "default",
			    SVF(sv_sub(target, 4, target.n)));
		else
			buf_addv(out, target);
		if (targets.n)
			buf_addc(out, ',');
	}
	mem_free(profile);
}

/* targets|timeout, targets,timeout or targets */
static int app_dial(struct leg *leg, const char *data)
{
	struct sv targets, timeout, rest = sv_of(leg_exec_text(leg, data)); /* with marks */
	struct buf text;
	char *seconds;
	int st;

	role_assert_co();
	sv_split(rest, sv_find(rest, '|') < rest.n ? '|' : ',', &targets, &rest);
	sv_split(rest, sv_find(rest, '|') < rest.n ? '|' : ',', &timeout, &rest);
	timeout = sv_trim(timeout);
	if (!targets.n) {
		leg_log(leg, LOG_ERR, "Dial: usage: <endpoint>/<number>[&...]|<timeout in seconds>");
		return ST_INVAL;
	}
	if (timeout.n && (seconds = sv_dup(timeout))) {
		leg_var_set(leg, "call_timeout", seconds);
		mem_free(seconds);
	}
	buf_init(&text);
	dialstring_of(leg, targets, &text);
	st = text.p && !text.failed ? bridge_app(leg, text.p) : ST_NOMEM;
	buf_fini(&text);
	return st;
}

/* context|extension[|priority], or with commas. */
static int app_goto(struct leg *leg, const char *data)
{
	struct sv context, exten, rest = sv_of(leg_exec_text(leg, data)); /* with marks */
	char sep = sv_find(rest, '|') < rest.n ? '|' : ',';
	char *to, *where;
	int st = ST_NOMEM;

	role_assert_co();
	sv_split(rest, sep, &context, &rest);
	sv_split(rest, sep, &exten, &rest);
	context = sv_trim(context), exten = sv_trim(exten);
	if (!context.n || !exten.n) {
		leg_log(leg, LOG_ERR, "Goto: usage: <context>|<extension>");
		return ST_INVAL;
	}
	to = sv_dup(exten), where = sv_dup(context);
	if (to && where)
		st = leg_transfer(leg, to, "asterisk", where);
	mem_free(to);
	mem_free(where);
	return st;
}

static int app_avoid(struct leg *leg, const char *data)
{
	int st = ST_OK;

	role_assert_co();
	for (int i = 0; i < 5 && !st; i++) {
		leg_log(leg, LOG_WARNING, "Avoiding initial deadlock on channel %s.", dp_or_empty(leg->name));
		st = leg_sleep(leg, 100000);
	}
	leg_log(leg, LOG_WARNING, "I should never be called!.");
	return st;
}

/* ---- the module ---- */

int dp_ast_stage_init(void)
{
	return stage_slot < 0 ? config_stage_add(&stage, &stage_slot) : ST_OK;
}

static int load(void)
{
	role_assert_ctl();
	int st = dp_ast_stage_init();
	if (!st)
		(void)config_stage_get(stage_slot); /* the file is read now, at the start, and not at the first call */
	return st;
}

static const struct dialplan_desc dialplans[] = {{"asterisk", hunt}, {NULL}};
static const struct app_desc apps[] = {
    {"AvoidingDeadlock", "Avoid", "Avoid", APP_NO_MEDIA, app_avoid},
    {"Dial", "Dial", "Dial", APP_NO_MEDIA, app_dial},
    {"Goto", "Goto", "Goto", APP_NO_MEDIA, app_goto},
    {NULL},
};
static const struct var_desc vars[] = {
    {"EXTEN", "text", "the number dialled, where extensions.conf matched it", .is_written = true},
    {"CHANNEL", "text", "the channel's name, with EXTEN", .is_written = true},
    {"UNIQUEID", "uuid", "the channel's uuid, with EXTEN", .is_written = true},
    {"sip_profile", "name", "the profile that SIP/ in Dial means; default \"default\"", .is_read = true},
    {NULL},
};

const struct module mod_dialplan_asterisk = {
    .abi = MODULE_ABI,
    .name = "mod_dialplan_asterisk",
    .load = load,
    .dialplans = dialplans,
    .apps = apps,
    .vars = vars,
};
