/* Calls that cost money while they run. The application `billing` reserves a piece of the account's money before
 * anything rings, and refuses the call where there is none:
 *
 *   billing -> reserve a piece -> ... answer -> tick -> extend by a piece ... -> hang-up -> settle what was used
 *                                               tick: no more to be had -> warned -> hung up when it is used
 *
 * A charge is a piece of memory of its own, found by its id after each wait; its leg may be gone then. Seconds are
 * charged up to what was reserved for, never beyond; what cannot be settled is tried again until the database takes it.
 * A database that is dead refuses new calls; those that run go on to the end of what is reserved. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "billing/billing_i.h"
#include "core/event/event.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "loop/loop.h"
#include "text/mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 63, RETRY_MAX_US = 30 * 1000 * 1000, SECOND_US = 1000 * 1000 };
struct charge {
	char leg[UUID_CHARS + 1];
	char *account;
	struct hold hold;
	int64_t since_us;      /* monotonic, of the answer; 0: not yet */
	int64_t seconds, cost; /* when it is over */
	struct ltimer tick;
	bool is_over, is_extending;
	bool is_last, is_warned; /* no more was to be had */
};
static struct hash *charges; /* id -> struct charge */
static struct event_sub *answers;

static void charge_free(void *p)
{
	struct charge *c = p;
	role_assert_ctl();
	loop_timer_cancel(&c->tick);
	mem_free(c->account);
	mem_free(c);
}

static ON_CTL int64_t setting(const char *name, int64_t least)
{
	int64_t v = strtoll(billing_param(name), NULL, 10);
	return v < least ? least : v > 86400 ? 86400 : v;
}

static ON_CTL int64_t elapsed_us(const struct charge *c)
{
	return c->since_us ? clock_mono_us() - c->since_us : 0;
}

static ON_CTL int64_t elapsed_s(const struct charge *c)
{
	int64_t s = (elapsed_us(c) + SECOND_US - 1) / SECOND_US;
	return s < c->hold.paid_s ? s : c->hold.paid_s;
}

bool calls_has(const char *id)
{
	return charges && hash_get(charges, sv_of(id));
}

/* ---- the end ---- */

static void co_settle(void *arg)
{
	char *id = arg;
	int64_t pause_us = SECOND_US / 2;
	role_assert_co();
	for (;;) {
		struct charge *c = charges ? hash_get(charges, sv_of(id)) : NULL;
		if (!c)
			break;
		char *account = mem_strdup(c->account);
		int64_t cost = c->cost;
		int st = account ? ledger_settle(id, account, c->seconds, cost, c->hold.is_unsure) : ST_NOMEM;
		c = charges ? hash_get(charges, sv_of(id)) : NULL;
		if (!st && c) {
			billing_counts.settled++;
			billing_event("settled", account, c->leg, id, cost, NULL);
			(void)hash_del(charges, sv_of(id));
		}
		mem_free(account);
		if (!st || st == ST_CANCELLED || co_sleep(pause_us))
			break;
		pause_us = pause_us * 2 < RETRY_MAX_US ? pause_us * 2 : RETRY_MAX_US;
	}
	mem_free(id);
}

static ON_CTL void charge_end(struct charge *c)
{
	if (c->is_over)
		return;
	c->is_over = true;
	loop_timer_cancel(&c->tick);
	c->seconds = elapsed_s(c);
	c->cost = rate_cost(&c->hold.rate, c->seconds);
	char *id = mem_strdup(c->hold.id);
	if (!id || co_spawn("billing settle", co_settle, id, NULL))
		mem_free(id);
}

/* ---- while it runs ---- */

static void on_tick(void *arg);

static void co_extend(void *arg)
{
	char *id = arg, *account = NULL;
	role_assert_co();
	struct charge *c = charges ? hash_get(charges, sv_of(id)) : NULL;
	bool is_last = false;
	int st = ST_OK;
	if (c && (account = mem_strdup(c->account))) {
		struct hold h = c->hold;
		st = hold_extend(&h, account, elapsed_s(c), h.paid_s + setting("reserve-seconds", 1), &is_last);
		c = charges ? hash_get(charges, sv_of(id)) : NULL;
		if (c)
			c->hold = h;
	}
	if (c) {
		c->is_extending = false;
		c->is_last |= is_last;
		if (!c->is_over)
			loop_timer_set(&c->tick, st ? SECOND_US : 0, "billing tick", on_tick, c);
	}
	mem_free(account);
	mem_free(id);
}

static ON_CTL void warn(struct charge *c, struct leg *leg)
{
	struct app_words w;
	c->is_warned = true;
	billing_event("warning", c->account, c->leg, c->hold.id, c->hold.reserved, NULL);
	if (!app_words_init(&w, billing_param("warn-action"), 2) && w.n) {
		struct leg_exec_request r = {.app = w.m[0], .data = w.n > 1 ? w.m[1] : ""};
		(void)leg_exec_request(leg, &r);
	}
	app_words_fini(&w);
}

static void on_tick(void *arg)
{
	struct charge *c = arg;
	role_assert_ctl();
	struct leg *leg = leg_find(c->leg);
	int64_t left_us = clock_us_of_s(c->hold.paid_s) - elapsed_us(c),
	        warn_us = clock_us_of_s(setting("warn-seconds", 0));
	int64_t early_us = warn_us + 2 * SECOND_US, wait_us;
	if (!leg || !leg_is_up(leg) || c->is_over) {
		charge_end(c);
		return;
	}
	if (left_us <= 0) {
		leg_log(leg, LOG_NOTICE, "billing: the money of %s is used, the call ends", c->account);
		billing_event("exhausted", c->account, c->leg, c->hold.id, c->hold.reserved, NULL);
		leg_hangup(leg, CAUSE_ALLOTTED_TIMEOUT);
		return;
	}
	if (c->is_last && !c->is_warned && warn_us && left_us <= warn_us)
		warn(c, leg);
	if (!c->is_last && !c->is_extending && left_us <= early_us) {
		char *id = mem_strdup(c->hold.id);
		c->is_extending = true;
		if (!id || co_spawn("billing extend", co_extend, id, NULL)) {
			c->is_extending = false;
			mem_free(id);
		}
	}
	wait_us = c->is_last && (c->is_warned || !warn_us) ? left_us
	          : c->is_last                             ? left_us - warn_us
	          : left_us > early_us                     ? left_us - early_us
	                                                   : left_us;
	if (!loop_timer_is_set(&c->tick) || c->is_extending)
		loop_timer_set(&c->tick, wait_us > 0 ? wait_us : 1, "billing tick", on_tick, c);
}

static ON_CTL void charge_start(struct charge *c)
{
	if (c->since_us || c->is_over)
		return;
	c->since_us = clock_mono_us();
	loop_timer_set(&c->tick, 0, "billing tick", on_tick, c);
}

static ON_CTL void each_of(const char *leg, const char *account, void (*fn)(struct charge *c))
{
	struct hash_it it = {0};
	while (charges && hash_next(charges, &it)) {
		struct charge *c = it.value;
		if (!strcmp(c->leg, leg) && (!account || !strcmp(c->account, account)))
			fn(c);
	}
}

static void on_answer(struct event *e, void *arg)
{
	role_assert_ctl();
	const char *uuid = event_get(e, "Unique-ID");
	if (uuid)
		each_of(uuid, NULL, charge_start);
}

static void on_hangup(struct leg *leg, void *arg)
{
	role_assert_ctl();
	if (leg_var(leg, "billing_call_id"))
		each_of(leg->uuid, NULL, charge_end);
}

/* ---- the application ---- */

static ON_CTL struct charge *charge_make(const struct hold *h, const struct leg *leg, const char *account)
{
	struct charge *c = charges ? mem_zalloc(sizeof(*c)) : NULL;
	if (!c)
		return NULL;
	c->hold = *h;
	snprintf(c->leg, sizeof(c->leg), "%s", leg->uuid);
	c->account = mem_strdup(account);
	if (!c->account || hash_set(charges, sv_of(c->hold.id), c)) {
		charge_free(c);
		return NULL;
	}
	return c;
}

static CO int charge_new(struct leg *leg, const char *account, const char *number)
{
	struct hold h;
	billing_wait_ready();
	const char *why = hold_open(&h, account, leg->uuid, number, setting("reserve-seconds", 1));
	struct charge *c = !why || h.is_unsure ? charge_make(&h, leg, account) : NULL;
	if (why || !c) {
		billing_counts.refused++;
		if (c)
			charge_end(c); /* what may be reserved all the same is given back */
		why = why ? why : "no memory";
		leg_log(leg, LOG_NOTICE, "billing: the call of %s is refused: %s", account, why);
		leg_var_set(leg, "billing_result", why);
		billing_event("refused", account, leg->uuid, h.id, 0, why);
		return ST_DENIED;
	}
	billing_counts.reserved++;
	leg_var_set(leg, "billing_call_id", h.id);
	leg_var_set(leg, "billing_result", "ok");
	leg_var_set_int(leg, "billing_max_seconds", h.most_s);
	billing_event("reserved", account, leg->uuid, h.id, h.reserved, NULL);
	if (!leg_is_up(leg))
		charge_end(c);
	else if (leg->is_answered)
		charge_start(c);
	return ST_OK;
}

int app_billing(struct leg *leg, const char *data)
{
	struct app_words w;
	struct buf scratch;
	role_assert_co();
	int st = app_words_init(&w, leg_exec_text(leg, data), 2);
	buf_init(&scratch);
	/* what came from outside may be the number, never the account */
	const char *text = !st && w.n > 1 ? w.m[1] : leg_text(leg, "billing_account", &scratch);
	char *account = text && *text && !mark_has(sv_of(text)) ? mem_strdup(text) : NULL;
	const char *to = !st && w.n && strcmp(w.w[0], "-") != 0 ? w.w[0] : leg->profile->destination_number;
	char *number = to ? mem_strndup(to, strnlen(to, NUMBER_MAX)) : NULL;
	if (!account || !number) {
		leg_log(leg, LOG_ERR, "billing: %s: the call is refused",
		    text && *text ? "the name of the account is from outside" : "no account or no number");
		leg_var_set(leg, "billing_result", "no account");
		st = ST_DENIED;
	} else {
		each_of(leg->uuid, account, charge_end); /* he was sent on: another price from here */
		st = charge_new(leg, account, number);
	}
	if (st && leg_is_up(leg))
		leg_hangup(leg, CAUSE_CALL_REJECTED);
	buf_fini(&scratch);
	mem_free(account);
	mem_free(number);
	app_words_fini(&w);
	return st;
}

/* ---- all of them ---- */

bool calls_are_up(void)
{
	struct hash_it it = {0};
	while (charges && hash_next(charges, &it)) {
		const struct charge *c = it.value;
		const struct leg *leg = leg_find(c->leg);
		if (leg && leg_is_up(leg) && !c->is_over)
			return true;
	}
	return false;
}

void calls_show(struct buf *out)
{
	struct hash_it it = {0};
	while (charges && hash_next(charges, &it)) {
		const struct charge *c = it.value;
		buf_printf(out, "%s %s %s %s seconds %lld paid %lld reserved ", c->hold.id, c->account, c->leg,
		    c->is_over    ? "settling"
		    : c->since_us ? "talking"
		                  : "ringing",
		    (long long)elapsed_s(c), (long long)c->hold.paid_s);
		rate_money_put(out, c->hold.reserved);
		buf_addc(out, '\n');
	}
}

/* Money came: who was at his end may go on. */
void calls_refresh(const char *account)
{
	struct hash_it it = {0};
	while (charges && hash_next(charges, &it)) {
		struct charge *c = it.value;
		if (strcmp(c->account, account) != 0 || !c->since_us || c->is_over)
			continue;
		c->is_last = c->is_warned = false;
		if (!c->is_extending)
			loop_timer_set(&c->tick, 0, "billing tick", on_tick, c);
	}
}

int calls_load(void)
{
	int st = hash_new(&charges, 0, charge_free);
	if (!st)
		st = event_sub_new(&answers, on_answer, NULL);
	if (!st)
		st = leg_hook_add(LEG_HOOK_HANGUP, on_hangup, NULL);
	if (!st)
		event_sub_want(answers, EVENT_CHANNEL_ANSWER, true);
	return st;
}

void calls_unload(void)
{
	leg_hook_del(LEG_HOOK_HANGUP, on_hangup, NULL);
	event_sub_free(answers);
	answers = NULL;
	hash_free(charges);
	charges = NULL;
}
