/* The hunt's interfaces bound to a leg, with the time zones of FreeSWITCH's timezones.conf; and the reading of files.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/exec.h"
#include "dialplan/module_i.h"
#include "text/tz.h"
#include "text/xml.h"
#include <stdio.h>
#include <string.h>

enum { ZONES_MAX = 2000, FILE_MAX_BYTES = 8 << 20 };

static struct hash *zones; /* name -> struct tz of the current snapshot; an empty name = unknown */

/* ---- time zones ---------------------------------------------------------------------------------------------- */

void dp_zones_forget(void *arg)
{
	role_assert_ctl();
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

const char *dp_or_empty(const char *s)
{
	return s ? s : "";
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
	if (!strstr(value, "${"))
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

int dp_local_time(void *arg, const char *zone, int64_t wall_us, struct tm *out)
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

static void env_trace(void *arg, const struct dp_trace *t)
{
	struct leg *leg = arg;
	struct buf line;

	role_assert_ctl();
	buf_init(&line);
	if (!dp_trace_line(t, dp_or_empty(leg->name), &line))
		leg_log(leg, LOG_DEBUG, "%s", line.p);
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
	FILE *f = fopen(path, "re");
	int st = ST_OK;

	if (!f)
		return ST_NOTFOUND;
	text->max = FILE_MAX_BYTES;
	for (;;) {
		char piece[8192];
		size_t n = fread(piece, 1, sizeof piece, f);
		if (!n)
			break;
		if (buf_add(text, piece, n))
			st = ST_LIMIT;
	}
	if (ferror(f))
		st = ST_IO;
	fclose(f);
	return st;
}
