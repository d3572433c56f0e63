/* Confirmation: a called party that answered hears a prompt and must press a key (group_confirm_key, _file), or an
 * application runs on it (group_confirm_key=exec), before its answer counts. It runs as an application of the called
 * leg, while part.c goes on watching the others. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/dial/modules.h"
#include "core/dial/originate_i.h"
#include "core/keys/digits.h"
#include "core/leg/leg.h"
#include "core/registry/app.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static ON_CTL const char *own_or(const struct leg *b, const char *name, const char *of_all)
{
	const char *own = vars_get(b->vars, name);
	return own && *own ? own : of_all;
}

bool confirm_is_wanted(const struct originate *o, const struct leg *b)
{
	const char *key = own_or(b, "group_confirm_key", o->opts.confirm.key);
	return b->is_outbound && key && *key;
}

/* The time in which the party may press its key replaces the leg's own. */
static ON_CTL void deadline_change(struct originate *o, struct attempt *t)
{
	const char *own = vars_get(t->leg->vars, "group_confirm_timeout");
	int64_t timeout = o->opts.confirm.timeout_us;
	bool ends_timeout = o->opts.confirm.ends_timeout;

	if (own && own[strspn(own, "0123456789")] == 0) {
		timeout = opts_seconds(t->leg->vars, "group_confirm_timeout");
		ends_timeout = !timeout;
	}
	if (timeout)
		t->deadline_us = clock_mono_us() + timeout;
	else if (ends_timeout)
		t->deadline_us = 0;
	t->progress_deadline_us = 0;
}

void confirm_start(struct originate *o, struct attempt *t)
{
	struct leg_exec_request r = {.app = "group_confirm", .data = ""};

	t->is_confirming = true;
	deadline_change(o, t);
	if (leg_exec_request(t->leg, &r) && leg_is_up(t->leg))
		leg_hangup(t->leg, CAUSE_SWITCH_CONGESTION);
}

/* What the application needs: the leg may leave the originate while it waits. */
struct confirm {
	char *key, *file, *error_file;
	int64_t read_timeout_us;
};

static ON_CTL int confirm_take(struct leg *leg, struct confirm *c)
{
	const struct originate_confirm *all = &dialling_of(leg)->of->opts.confirm;
	struct buf scratch;
	const char *file;

	buf_init(&scratch);
	file = vars_text(leg->vars, "group_confirm_file", &scratch);
	if (!file)
		file = all->file;
	c->key = mem_strdup(own_or(leg, "group_confirm_key", all->key));
	c->file = file && strcmp(file, "undef") ? mem_strdup(file) : NULL;
	c->error_file = all->error_file ? mem_strdup(all->error_file) : NULL;
	c->read_timeout_us = all->read_timeout_us;
	buf_fini(&scratch);
	return c->key ? ST_OK : ST_NOMEM;
}

static CO int confirm_by_app(struct leg *leg, struct confirm *c)
{
	char *args;

	if (!c->file)
		return ST_INVAL;
	args = strchr(c->file, ' ');
	if (args)
		*args++ = 0;
	if (mark_has(sv_of(c->file))) {
		leg_log(leg, LOG_WARNING, "group_confirm_file: an application named from outside is not run");
		return ST_INVAL;
	}
	return leg_exec_app(leg, c->file, args ? args : "");
}

/* Until the right keys are pressed. */
static CO int confirm_by_key(struct leg *leg, struct confirm *c)
{
	unsigned n = (unsigned)strlen(c->key);

	for (;;) {
		struct leg_digits d = {.terminators = "", .prompt = c->file};
		int st;
		leg_digits_limit(&d, n, n, (uint32_t)(c->read_timeout_us / 1000), 0);
		st = leg_digits_read(leg, &d);
		if (st == ST_HANGUP || st == ST_CANCELLED)
			return st;
		if (st != ST_OK && st != ST_TIMEOUT && st != ST_LIMIT) {
			leg_log(leg, LOG_ERR, "%s Error Playing File! (%s)", leg->name, status_text(st));
			leg_hangup(leg, CAUSE_DESTINATION_OUT_OF_ORDER);
			return st;
		}
		if (!strcmp(d.digits, c->key))
			return ST_OK;
		if (c->error_file && (st = leg_play(leg, c->error_file, "", NULL)) == ST_HANGUP)
			return st;
	}
}

static int app_group_confirm(struct leg *leg, const char *data)
{
	static const char *const names[] = {"group_confirm_key", "group_confirm_file", "group_confirm_error_file",
	    "group_confirm_cancel_timeout", "group_confirm_read_timeout"};
	struct confirm c = {0};
	struct attempt *t;
	int st = ST_DENIED;

	role_assert_co();
	if (!dialling_of(leg)->of)
		return st;
	st = confirm_take(leg, &c);
	if (!st)
		st = strcasecmp(c.key, "exec") ? confirm_by_key(leg, &c) : confirm_by_app(leg, &c);
	mem_free(c.key);
	mem_free(c.file);
	mem_free(c.error_file);
	if (!leg_is_up(leg) || !dialling_of(leg)->of || !(t = attempt_of(dialling_of(leg)->of, leg)))
		return st;
	if (st == ST_CANCELLED || st == ST_INVAL || st == ST_NOMEM) {
		leg_hangup(leg, CAUSE_DESTINATION_OUT_OF_ORDER);
		return st;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		leg_var_set(leg, names[i], NULL);
	leg_var_set(leg, "group_dial_status", "winner");
	t->is_confirmed = true;
	co_signal(&dialling_of(leg)->of->wait, ST_OK);
	return ST_OK;
}

static const struct app_desc apps[] = {
    {"group_confirm", "Ask a called party to confirm", "", 0, app_group_confirm},
    {0},
};
const struct module dial_confirm_module = {.abi = MODULE_ABI, .name = "CORE_ORIGINATE", .apps = apps};
