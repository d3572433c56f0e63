/* What the variables of a dial string, and of whoever dials, ask of dialling: read once into a typed struct. */
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/dial/originate_i.h"
#include "core/leg/leg.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DEFAULT_TIMEOUT_S = 60, SECONDS_MAX = 86400 };

/* The originator's own variables that count when the dial string does not say otherwise. */
static const char *const inherited[] = {"group_confirm_key", "group_confirm_file", "group_confirm_read_timeout",
    "group_confirm_cancel_timeout", "group_confirm_timeout", "forked_dial", "fail_on_single_reject",
    "hangup_on_single_reject", "ignore_early_media", "bridge_early_media", "originate_continue_on_timeout",
    "ignore_ring_ready", "return_ring_ready", "ring_ready", "instant_ringback", "progress_timeout", "language"};

int opts_inherit(struct vars *vars, struct leg *a)
{
	int st = ST_OK;

	for (size_t i = 0; a && i < ARRAY_COUNT(inherited) && !st; i++) {
		if (!vars_get(vars, inherited[i]))
			st = vars_copy_one(vars, inherited[i], a->vars, inherited[i]);
	}
	return st;
}

int64_t opts_seconds(const struct vars *vars, const char *name)
{
	const char *text = vars_get(vars, name);
	long s = text ? strtol(text, NULL, 10) : 0;
	return s > 0 && s < SECONDS_MAX ? clock_us_of_s(s) : 0;
}

static enum early_mode early_read(const struct vars *vars)
{
	const char *ignore = vars_get(vars, "ignore_early_media");

	if (ignore && !strcasecmp(ignore, "ring_ready"))
		return EARLY_RING;
	if (ignore && (str_is_true(ignore) || !strcasecmp(ignore, "consume")))
		return EARLY_IGNORE;
	return str_is_true(vars_get(vars, "bridge_early_media")) ? EARLY_PASS : EARLY_WINS;
}

/* A whole number within bounds; what is outside of them is told and left. */
static ON_CTL long bounded(const struct vars *vars, struct leg *a, const char *name, long low, long high, long fallback)
{
	const char *text = vars_get(vars, name);
	long n = text ? strtol(text, NULL, 10) : fallback;

	if (!text || (n >= low && n <= high))
		return n;
	log_uuid(LOG_WARNING, a ? a->uuid : NULL, "Invalid %s setting of %s ignored, value must be between %ld and %ld",
	    name, text, low, high);
	return fallback;
}

static ON_CTL void retries_read(struct originate_opts *o, const struct vars *vars, struct leg *a)
{
	o->retry_limit_us = clock_us_of_s(bounded(vars, a, "originate_retry_timeout", 1, SECONDS_MAX, 0));
	o->tries = (unsigned)bounded(vars, a, "originate_retries", 1, o->retry_limit_us ? 1000000 : 100, 1);
	o->retry_sleep_us = clock_us_of_ms(bounded(vars, a, "originate_retry_sleep_ms", 500, 60000, 1000));
	o->retry_period_us = clock_us_of_ms(bounded(vars, a, "originate_retry_min_period_ms", 500, 300000, 0));
}

static int dup_unless_undef(char **out, const char *text)
{
	if (!text || !strcmp(text, "undef"))
		return ST_OK;
	*out = mem_strdup(text);
	return *out ? ST_OK : ST_NOMEM;
}

static int confirm_read(struct originate_confirm *c, const struct vars *vars)
{
	const char *timeout = vars_get(vars, "group_confirm_timeout"),
	           *read = vars_get(vars, "group_confirm_read_timeout");
	int st = dup_unless_undef(&c->key, vars_get(vars, "group_confirm_key"));
	struct buf scratch;

	if (timeout && timeout[strspn(timeout, "0123456789")] == 0) {
		c->timeout_us = opts_seconds(vars, "group_confirm_timeout");
		c->ends_timeout = !c->timeout_us;
	} else {
		c->ends_timeout = str_is_true(vars_get(vars, "group_confirm_cancel_timeout"));
	}
	c->read_timeout_us = clock_us_of_ms(str_number(read, 0, INT32_MAX) > 0 ? str_number(read, 0, INT32_MAX) : 5000);
	buf_init(&scratch);
	if (!st)
		st = dup_unless_undef(&c->file, vars_text(vars, "group_confirm_file", &scratch));
	if (!st)
		st = dup_unless_undef(&c->error_file, vars_text(vars, "group_confirm_error_file", &scratch));
	buf_fini(&scratch);
	return st;
}

static ON_CTL int64_t timeout_read(const struct vars *vars, struct leg *a, unsigned fallback_s)
{
	int64_t us = opts_seconds(vars, "originate_timeout");

	if (!us && a)
		us = opts_seconds(a->vars, "call_timeout");
	if (!us)
		us = clock_us_of_s(fallback_s && fallback_s <= SECONDS_MAX ? fallback_s : DEFAULT_TIMEOUT_S);
	return us;
}

int opts_read(struct originate_opts *o, const struct vars *vars, struct leg *a, unsigned fallback_s)
{
	const char *fatal = vars_get(vars, "fail_on_single_reject"), *key, *early_ok;
	int st = ST_OK;

	memset(o, 0, sizeof(*o));
	o->timeout_us = timeout_read(vars, a, fallback_s);
	o->progress_us = opts_seconds(vars, "progress_timeout");
	o->delay_us = clock_us_of_ms(bounded(vars, a, "originate_delay_start", 1, 600000, 0));
	o->early = early_read(vars);
	o->monitors_fail = vars_get(vars, "monitor_early_media_fail");
	o->monitors_ring = vars_get(vars, "monitor_early_media_ring");
	early_ok = vars_get(vars, "group_confirm_early_ok");
	if (early_ok && !str_is_true(early_ok) && o->early == EARLY_WINS)
		o->early = EARLY_IGNORE;
	if (o->early == EARLY_WINS && (o->monitors_fail || o->monitors_ring)) {
		o->early = EARLY_IGNORE;
		o->wins_by_ring_tone = o->monitors_ring;
	}
	o->is_forked = str_is_true(vars_get(vars, "forked_dial"));
	o->ignores_ring = str_is_true(vars_get(vars, "ignore_ring_ready"));
	o->returns_ringing = str_is_true(vars_get(vars, "return_ring_ready"));
	o->rings_at_once = str_is_true(vars_get(vars, "instant_ringback")) || str_is_true(vars_get(vars, "ring_ready"));
	o->continues_on_timeout = str_is_true(vars_get(vars, "originate_continue_on_timeout"));
	o->hangs_up_on_reject = str_is_true(vars_get(vars, "hangup_on_single_reject"));
	if (!fatal && o->hangs_up_on_reject)
		fatal = "true";
	if (fatal && !(o->fatal = mem_strdup(fatal)))
		st = ST_NOMEM;
	key = a ? vars_get(a->vars, "origination_cancel_key") : NULL;
	o->cancel_key = key ? key[0] : 0;
	retries_read(o, vars, a);
	return st ? st : confirm_read(&o->confirm, vars);
}

void opts_fini(struct originate_opts *o)
{
	mem_free(o->fatal);
	mem_free(o->confirm.key);
	mem_free(o->confirm.file);
	mem_free(o->confirm.error_file);
	memset(o, 0, sizeof(*o));
}

/* FreeSWITCH looks for the cause's name anywhere in the list. */
bool opts_is_fatal(const struct originate_opts *o, enum cause cause)
{
	if (!o->fatal)
		return false;
	if (str_is_true(o->fatal))
		return true;
	return (strcasestr(o->fatal, cause_name(cause)) != NULL) != (o->fatal[0] == '!');
}
