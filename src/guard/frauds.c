/* Expensive calls as the endpoint sees them: one asks before a call goes out, tells when it is answered and when it is
 * over. What runs is added up once a minute, at each question and at the end, so a call of hours counts while it lasts.
 * An account over a limit is told once (event, log), refused, and, where fraud.conf says so, blocked until somebody
 * releases it. Rows and blocks go to the store and come back at the start. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "guard/guard_i.h"
#include "loop/loop.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TICK_US = 60000000, BLOCKS_MAX = 4096 };

struct guard_call {
	struct lnode link, all_link; /* of its account's row, and of its rule's */
	struct fraud_row *row, *all;
	int64_t counted_us; /* up to when its seconds are in; 0 = not answered */
	int64_t rest_us;    /* less than a second, not in yet */
	void (*cut)(void *arg);
	void *cut_arg;
	bool is_detached; /* the table is gone */
};
struct block {
	int64_t since_s, until_s; /* wall; until_s 0: until it is released */
	int rule;
};
static struct {
	struct fraud_table *table;
	struct fraud_conf conf;
	struct hash *blocks; /* account -> struct block */
	struct store *store;
	struct ltimer tick;
	uint64_t refused;
} frauds;

static const char *const use_columns[] = {"rule", "account", "slice", "calls", "seconds", "until_s", NULL};
static const char *const block_columns[] = {"account", "rule", "since_s", "until_s", NULL};
static const struct store_table use_table = {"guard_fraud_use", use_columns, 3, "until_s"},
                                block_table = {"guard_fraud_block", block_columns, 1, "until_s"};

struct fraud_table *frauds_table(void)
{
	return frauds.table;
}

const struct fraud_conf *frauds_conf(void)
{
	return &frauds.conf;
}

uint64_t frauds_refused(void)
{
	return frauds.refused;
}

static int64_t wall_s(void)
{
	return clock_wall_us() / 1000000;
}

/* ---- what is kept ---- */

static ON_CTL void row_write(const struct fraud_row *r)
{
	char slice[24], calls[16], seconds[16], until[24];
	int at = (int)(r->slice % FRAUD_SLICES);
	snprintf(slice, sizeof(slice), "%" PRId64, r->slice);
	snprintf(calls, sizeof(calls), "%u", r->begun[at]);
	snprintf(seconds, sizeof(seconds), "%u", r->seconds[at]);
	snprintf(until, sizeof(until), "%" PRId64, (r->slice + FRAUD_SLICES) * FRAUD_SLICE_S);
	const struct sv row[] = {sv_of(frauds.conf.rules[r->rule].name), sv_of(r->account), sv_of(slice), sv_of(calls),
	    sv_of(seconds), sv_of(until)};
	if (frauds.store)
		(void)store_put(frauds.store, &use_table, row);
}

static int rule_named(struct sv name)
{
	for (int i = 0; i < frauds.conf.rule_count; i++)
		if (sv_is(name, frauds.conf.rules[i].name))
			return i;
	return -1;
}

static void on_use(const struct sv *v, size_t n, void *arg)
{
	int64_t slice;
	uint32_t calls, seconds;
	int rule = rule_named(v[0]);
	role_assert_ctl();
	if (!frauds.table || rule < 0 || sv_i64(v[2], &slice) || sv_u32(v[3], &calls) || sv_u32(v[4], &seconds) ||
	    slice < 0)
		return;
	struct fraud_row *r = fraud_row_get(frauds.table, rule, v[1], wall_s());
	if (!r || slice > r->slice || slice <= r->slice - FRAUD_SLICES)
		return;
	r->begun[slice % FRAUD_SLICES] += calls;
	r->seconds[slice % FRAUD_SLICES] += seconds;
}

static ON_CTL struct block *block_set(struct sv account, int rule, int64_t since_s, int64_t until_s)
{
	struct block *b = mem_zalloc(sizeof(*b));
	if (!b || hash_count(frauds.blocks) >= BLOCKS_MAX || hash_set(frauds.blocks, account, b)) {
		mem_free(b);
		return NULL;
	}
	*b = (struct block){since_s, until_s, rule};
	return b;
}

static void on_block(const struct sv *v, size_t n, void *arg)
{
	int64_t since_s, until_s;
	role_assert_ctl();
	if (frauds.blocks && v[0].n && !sv_i64(v[2], &since_s) && !sv_i64(v[3], &until_s) &&
	    !hash_get(frauds.blocks, v[0]))
		block_set(v[0], rule_named(v[1]), since_s, until_s);
}

static void on_rows(int status, void *arg)
{
	role_assert_ctl();
	if (status < 0 && status != ST_CANCELLED)
		log_error("fraud: what the last run kept cannot be read");
}

/* ---- telling ---- */

static ON_CTL void tell(const char *action, const char *account, int rule, struct sv number, const char *why)
{
	struct event *e;
	if (!event_is_wanted(EVENT_CUSTOM, "tandem::fraud") || !(e = event_new(EVENT_CUSTOM, "tandem::fraud")))
		return;
	event_add(e, "Action", action);
	event_add(e, "Account", account);
	if (rule >= 0)
		event_add(e, "Rule", frauds.conf.rules[rule].name);
	if (number.n)
		event_addf(e, "Number", "%.*s", SVF(number));
	if (why)
		event_add(e, "Limit", why);
	event_fire(e);
}

/* ---- counting ---- */

static ON_CTL void accrue(struct guard_call *c, int64_t now_us)
{
	if (!c->counted_us)
		return;
	int64_t us = now_us - c->counted_us + c->rest_us;
	unsigned s = (unsigned)(us / 1000000);
	c->rest_us = us % 1000000;
	c->counted_us = now_us;
	fraud_row_get(frauds.table, c->row->rule, sv_of(c->row->account), wall_s());
	fraud_row_get(frauds.table, c->all->rule, SV_NONE, wall_s());
	c->row->seconds[c->row->slice % FRAUD_SLICES] += s;
	c->all->seconds[c->all->slice % FRAUD_SLICES] += s;
}

static ON_CTL unsigned percent_now(void)
{
	time_t t = (time_t)wall_s();
	struct tm tm;
	localtime_r(&t, &tm);
	return fraud_is_night(&frauds.conf, tm.tm_hour * 60 + tm.tm_min) ? frauds.conf.night_percent : 100;
}

static ON_CTL void over(struct fraud_row *r, const char *account, struct sv number, const char *why)
{
	bool is_blocked = false;
	if (frauds.conf.action == FRAUD_BLOCK && *account && !hash_get(frauds.blocks, sv_of(account))) {
		int64_t now = wall_s(), until = frauds.conf.block_s ? now + frauds.conf.block_s : 0;
		is_blocked = block_set(sv_of(account), r->rule, now, until) != NULL;
		char since_text[24], until_text[24];
		snprintf(since_text, sizeof(since_text), "%" PRId64, now);
		snprintf(until_text, sizeof(until_text), "%" PRId64, until);
		const struct sv row[] = {
		    sv_of(account), sv_of(frauds.conf.rules[r->rule].name), sv_of(since_text), sv_of(until_text)};
		if (is_blocked && frauds.store)
			(void)store_put(frauds.store, &block_table, row);
	}
	if (r->is_told && !is_blocked)
		return;
	r->is_told = true;
	log_warning("fraud: account %s, %s (%.*s): the limit of %s is reached%s", *account ? account : "(all)",
	    frauds.conf.rules[r->rule].name, SVF(number), why, is_blocked ? "; it is blocked" : "");
	tell(is_blocked ? "block" : "limit", account, r->rule, number, why);
}

static ON_CTL bool is_blocked(struct sv account)
{
	const struct block *b = hash_get(frauds.blocks, account);
	if (!b)
		return false;
	if (!b->until_s || b->until_s > wall_s())
		return true;
	hash_del(frauds.blocks, account);
	return false;
}

static ON_CTL void accrue_all(struct fraud_row *r, int64_t now_us, bool is_all)
{
	struct lnode *n, *tmp;
	list_each (&r->calls, n, tmp)
		accrue(is_all ? list_entry(n, struct guard_call, all_link) : list_entry(n, struct guard_call, link),
		    now_us);
}

/* All rows begin anew each hour: what was told may be told again. */
static ON_CTL const char *row_over(struct fraud_row *r)
{
	const char *why = fraud_row_over(&frauds.conf.rules[r->rule], r, percent_now());
	if (!why)
		r->is_told = false;
	return why;
}

int guard_fraud_begin(struct guard_call **out, struct sv account, struct sv number)
{
	*out = NULL;
	int rule = frauds.table && frauds.conf.is_on ? fraud_rule_of(&frauds.conf, number) : -1;
	if (rule < 0)
		return ST_OK;
	if (!account.n)
		account = SV("nobody");
	if (account.n > FRAUD_ACCOUNT_MAX)
		account.n = FRAUD_ACCOUNT_MAX;
	struct guard_call *c = mem_zalloc(sizeof(*c));
	struct fraud_row *r = fraud_row_get(frauds.table, rule, account, wall_s()), *all = NULL;
	if (r) {
		r->call_count++; /* so that it does not make room for the other */
		all = fraud_row_get(frauds.table, rule, SV_NONE, wall_s());
		r->call_count--;
	}
	if (!c || !r || !all) {
		mem_free(c);
		return ST_DENIED; /* no room to count: nothing expensive either */
	}
	accrue_all(r, clock_mono_us(), false);
	accrue_all(all, clock_mono_us(), true);
	const char *why = row_over(r), *why_all = row_over(all);
	bool was_blocked = is_blocked(account);
	if (why)
		over(r, r->account, number, why);
	else if (why_all)
		over(all, "", number, why_all);
	if (was_blocked || ((why || why_all) && frauds.conf.action != FRAUD_TELL)) {
		frauds.refused++;
		mem_free(c);
		return ST_DENIED;
	}
	c->row = r, c->all = all;
	r->begun[r->slice % FRAUD_SLICES]++;
	all->begun[all->slice % FRAUD_SLICES]++;
	r->call_count++, all->call_count++;
	list_push(&r->calls, &c->link);
	list_push(&all->calls, &c->all_link);
	row_write(r), row_write(all);
	*out = c;
	return ST_OK;
}

void guard_fraud_on_cut(struct guard_call *c, void (*fn)(void *arg), void *arg)
{
	if (!c)
		return;
	c->cut = fn;
	c->cut_arg = arg;
}

void guard_fraud_answered(struct guard_call *c)
{
	if (c && !c->is_detached && !c->counted_us)
		c->counted_us = clock_mono_us();
}

void guard_fraud_end(struct guard_call *c)
{
	if (!c)
		return;
	if (!c->is_detached) {
		accrue(c, clock_mono_us());
		list_remove(&c->link);
		list_remove(&c->all_link);
		c->row->call_count--, c->all->call_count--;
		row_write(c->row), row_write(c->all);
	}
	mem_free(c);
}

/* ---- once a minute ---- */

static void row_tick(struct fraud_row *r, void *arg)
{
	struct lnode *n, *tmp;
	const char *why;
	role_assert_ctl();
	if (!*r->account || !r->call_count)
		return; /* that of all is counted with them */
	accrue_all(r, clock_mono_us(), false);
	row_write(r);
	row_write(fraud_row_get(frauds.table, r->rule, SV_NONE, wall_s()));
	if (!(why = row_over(r)) || strncmp(why, "minutes", 7))
		return;
	over(r, r->account, SV_NONE, why);
	if (!frauds.conf.cuts_calls || frauds.conf.action == FRAUD_TELL)
		return;
	list_each (&r->calls, n, tmp) {
		struct guard_call *c = list_entry(n, struct guard_call, link);
		void (*cut)(void *) = c->cut;
		c->cut = NULL;
		if (cut)
			cut(c->cut_arg);
	}
}

static void tick(void *arg)
{
	role_assert_ctl();
	fraud_each(frauds.table, row_tick, NULL);
	loop_timer_set(&frauds.tick, TICK_US, "fraud minute", tick, NULL);
}

/* ---- operators and life ---- */

size_t frauds_release(struct sv account)
{
	struct hash_it it = {0};
	size_t n = 0;
	while (hash_next(frauds.blocks, &it)) {
		char *name = sv_dup(it.key);
		if (!account.n || sv_eq(account, it.key)) {
			const struct sv keys[] = {it.key};
			if (frauds.store)
				(void)store_del(frauds.store, &block_table, keys);
			tell("release", name, -1, SV_NONE, NULL);
			hash_del(frauds.blocks, it.key);
			n++;
		}
		mem_free(name);
	}
	fraud_clear(frauds.table, account);
	return n;
}

void frauds_blocks_each(void (*fn)(struct sv account, int64_t since_s, int64_t until_s, void *arg), void *arg)
{
	struct hash_it it = {0};
	while (frauds.blocks && hash_next(frauds.blocks, &it)) {
		const struct block *b = it.value;
		if (!b->until_s || b->until_s > wall_s())
			fn(it.key, b->since_s, b->until_s, arg);
	}
}

static void report(const char *problem, void *arg)
{
	log_error("%s", problem);
}

void frauds_conf_read(void)
{
	/* rows know their rule by its number: with other rules they begin anew */
	struct fraud_conf *fresh = mem_zalloc(sizeof(*fresh));
	if (!fresh)
		return;
	fraud_conf_read(fresh, config_conf("fraud.conf"), report, NULL);
	bool is_same = fresh->rule_count == frauds.conf.rule_count;
	for (int i = 0; is_same && i < fresh->rule_count; i++)
		is_same = !strcmp(fresh->rules[i].name, frauds.conf.rules[i].name);
	if (frauds.table && !is_same)
		log_notice("fraud: the rules are others: counting begins anew");
	if (frauds.table && !is_same)
		fraud_clear(frauds.table, SV_NONE);
	frauds.conf = *fresh;
	mem_free(fresh);
}

static void block_free(void *p)
{
	mem_free(p);
}

int frauds_start(struct store *s)
{
	frauds.refused = 0;
	frauds_conf_read();
	int st = fraud_table_new(&frauds.table);
	if (!st)
		st = hash_new(&frauds.blocks, 0, block_free);
	if (st)
		return st;
	frauds.store = s;
	if (s) {
		(void)store_each(s, &block_table, NULL, 0, on_block, on_rows, NULL);
		(void)store_each(s, &use_table, NULL, 0, on_use, on_rows, NULL);
	}
	loop_timer_set(&frauds.tick, TICK_US, "fraud minute", tick, NULL);
	return ST_OK;
}

static void row_detach(struct fraud_row *r, void *arg)
{
	struct lnode *n, *tmp;
	if (!*r->account)
		return;
	list_each (&r->calls, n, tmp)
		list_entry(n, struct guard_call, link)->is_detached = true;
}

void frauds_stop(void)
{
	loop_timer_cancel(&frauds.tick);
	if (frauds.table)
		fraud_each(frauds.table, row_detach, NULL);
	fraud_table_free(frauds.table);
	hash_free(frauds.blocks);
	frauds.table = NULL;
	frauds.blocks = NULL;
	frauds.store = NULL;
}
