/* The hunt's interfaces bound to a leg, and the reading of files. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/slurp.h"
#include "core/conf/zone.h"
#include "core/leg/leg.h"
#include "core/registry/app.h"
#include "core/run/exec.h"
#include "core/run/expand.h"
#include "core/value/vars.h"
#include "dialplan/module_i.h"
#include "text/mark.h"
#include <string.h>
#include <strings.h>

enum { FILE_MAX_BYTES = 8 << 20 };

const char *dp_or_empty(const char *s)
{
	return s ? s : "";
}

/* ---- the hunt's view of a leg -------------------------------------------------------------------------------- */

static const char *env_field(void *arg, const char *name, struct buf *scratch)
{
	struct leg *leg = arg;
	const char *value;

	role_assert_ctl();
	value = leg_profile_field(leg->profile, name);
	if (!value)
		return NULL;
	if (leg->profile->destination_text && !strcasecmp(name, "destination_number"))
		return leg->profile->destination_text;
	buf_clear(scratch);
	mark_put(scratch, sv_of(value));
	return scratch->p;
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

static void env_set_var(void *arg, const char *name, const char *text)
{
	role_assert_ctl();
	leg_var_set_text(arg, name, text);
}

static void env_push_var(void *arg, const char *name, const char *text)
{
	struct leg *leg = arg;
	role_assert_ctl();
	if (!strstr(text, "${"))
		vars_push(leg->vars, name, text);
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

int dp_local_time(void *arg, const char *zone, int64_t wall_us, struct tm *out)
{
	time_t second = (time_t)(wall_us / 1000000);
	char *name; /* what zone points into may go while it is looked up */
	struct tz tz;
	int st;

	role_assert_co();
	if (!zone)
		return localtime_r(&second, out) ? ST_OK : ST_INVAL;
	name = mem_strdup(zone);
	if (!name)
		return ST_NOMEM;
	st = zone_find(name, &tz);
	if (st && tz_parse(&tz, sv_of(name)))
		log_warning("no time zone is called '%s'", name);
	else
		st = ST_OK;
	mem_free(name);
	if (st)
		return st;
	tz_local(&tz, second, out);
	out->tm_zone = NULL; /* it pointed into tz */
	return ST_OK;
}

static void env_trace(void *arg, const struct dp_trace *t)
{
	struct leg *leg = arg;
	struct buf line;

	role_assert_ctl();
	buf_init(&line);
	if (!dp_trace_line(t, dp_or_empty(leg->name), &line)) {
		mark_strip_in_place(line.p);
		leg_log(leg, LOG_DEBUG, "%s", line.p);
	}
	buf_fini(&line);
}

void dp_env_of_leg(struct dp_env *env, struct leg *leg)
{
	*env = (struct dp_env){.arg = leg,
	    .field = env_field,
	    .var = env_var,
	    .expand = env_expand,
	    .set_var = env_set_var,
	    .push_var = env_push_var,
	    .run_inline = env_run_inline,
	    .local_time = dp_local_time,
	    .wall_us = clock_wall_us(),
	    .trace = log_is_on(LOG_DEBUG) ? env_trace : NULL};
}

int dp_actions_to_leg(struct leg *leg, const struct dp_actions *found)
{
	int st = ST_OK;
	for (size_t i = 0; i < found->count && !st; i++)
		st = leg_exec_add(leg, found->list[i].app, found->list[i].data, found->extension);
	return st;
}

int dp_file_read(const char *path, struct buf *text)
{
	text->max = FILE_MAX_BYTES;
	return slurp(path, FILE_MAX_BYTES, text, NULL);
}
