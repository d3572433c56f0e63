/* What outlives a restart: FreeSWITCH's tables agents, tiers and members, in the database that odbc-dsn or dbname
 * names. Memory is the truth; what changed is written behind it, at most some times a second, so that a call costs the
 * database one row and not one for each step. At the start agents and tiers come back with their counts, agents wait
 * and have no call; callers of the last run are Abandoned, so that `recover` or their next call gives them their place.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/registry/ready.h"
#include "core/value/self.h"
#include "store/store.h"

#include <string.h>
#include <strings.h>

enum { WRITE_EVERY_US = 250000 };
static struct store *store;
static struct list agents, tiers, members; /* those that changed */
static struct ltimer timer;
static bool is_read; /* nothing is written over what has not come back yet */
static const struct store_table agents_table = {"agents", cc_agent_columns, 2, NULL},
                                tiers_table = {"tiers", cc_tier_columns, 2, NULL},
                                members_table = {"members", cc_member_columns, 3, NULL};

/* ---- writing ---- */

static ON_CTL int row_put(const struct store_table *t, const struct cc_row *r)
{
	struct sv values[CC_COLUMNS_MAX];
	for (int i = 0; t->columns[i]; i++)
		values[i] = sv_of(r->cell[i] ? r->cell[i] : "");
	return store_put(store, t, values);
}

/* false: the database has no room for more now. */
static ON_CTL bool write_all(void)
{
	struct cc_row r;
	struct lnode *n;
	while ((n = list_first(&agents))) {
		cc_agent_row(list_entry(n, struct cc_agent, dirty), &r);
		if (row_put(&agents_table, &r) == ST_FULL)
			return false;
		list_remove(n);
	}
	while ((n = list_first(&tiers))) {
		cc_tier_row(list_entry(n, struct cc_tier, dirty), &r);
		if (row_put(&tiers_table, &r) == ST_FULL)
			return false;
		list_remove(n);
	}
	while ((n = list_first(&members))) {
		struct cc_member *m = list_entry(n, struct cc_member, dirty);
		cc_member_row(m, &r);
		if (row_put(&members_table, &r) == ST_FULL)
			return false;
		m->is_kept = true;
		list_remove(n);
	}
	return true;
}

static void write_behind(void *arg)
{
	role_assert_ctl();
	if (!write_all())
		loop_timer_set(&timer, WRITE_EVERY_US, "callcenter write", write_behind, NULL);
}

static ON_CTL void mark(struct list *l, struct lnode *n)
{
	if (!store || lnode_is_linked(n))
		return;
	list_push(l, n);
	if (is_read && !loop_timer_is_set(&timer))
		loop_timer_set(&timer, WRITE_EVERY_US, "callcenter write", write_behind, NULL);
}

void cc_keep_agent(struct cc_agent *a)
{
	mark(&agents, &a->dirty);
}

void cc_keep_tier(struct cc_tier *t)
{
	mark(&tiers, &t->dirty);
}

void cc_keep_member(struct cc_member *m)
{
	mark(&members, &m->dirty);
}

static ON_CTL void row_del(const struct store_table *t, const char *a, const char *b, const char *c)
{
	const struct sv keys[] = {sv_of(a), sv_of(b), sv_of(c)};
	if (store && store_del(store, t, keys))
		log_warning("callcenter: a row of %s stays in the database", t->name);
}

void cc_forget_agent(struct cc_agent *a)
{
	list_remove(&a->dirty);
	row_del(&agents_table, a->name, cc_instance(), NULL);
}

void cc_forget_tier(struct cc_tier *t)
{
	list_remove(&t->dirty);
	row_del(&tiers_table, t->queue->name, t->agent->name, NULL);
}

void cc_forget_member(struct cc_member *m)
{
	list_remove(&m->dirty);
	if (m->is_kept)
		row_del(&members_table, m->queue->name, cc_instance(), m->uuid);
}

/* ---- what comes back ---- */

struct texts { /* a row as C strings */
	char *text;
	const char *cell[CC_COLUMNS_MAX];
};

static bool texts_init(struct texts *t, const struct sv *v, size_t count, size_t wanted)
{
	size_t n = 0;
	char *p;
	*t = (struct texts){0};
	if (count < wanted || count > CC_COLUMNS_MAX)
		return false;
	for (size_t i = 0; i < count; i++)
		n += v[i].n + 1;
	p = t->text = mem_alloc(n);
	for (size_t i = 0; p && i < count; i++) {
		t->cell[i] = p;
		if (v[i].n)
			memcpy(p, v[i].p, v[i].n);
		p[v[i].n] = 0;
		p += v[i].n + 1;
	}
	return t->text != NULL;
}

static ON_CTL int64_t number(const struct texts *t, int i)
{
	return str_number(t->cell[i], 0, INT64_MAX / 4000000);
}

/* A moment of the wall clock on the monotonic one; 0: never. */
static int64_t mono_of(int64_t wall_s)
{
	return wall_s ? clock_mono_us() - clock_us_of_s(clock_wall_us() / 1000000 - wall_s) : 0;
}

/* What he has done; the configuration says the rest of whom it has. */
static ON_CTL void counts_restore(struct cc_agent *a, const struct texts *t)
{
	a->last_bridge_start = number(t, 12);
	a->last_bridge_end = number(t, 13);
	a->last_offered = number(t, 14);
	a->no_answer_count = number(t, 16);
	a->calls_answered = number(t, 17);
	a->talk_time_s = number(t, 18);
	a->ready_time = number(t, 19);
	a->bridge_end_us = mono_of(a->last_bridge_end);
	a->offered_us = mono_of(a->last_offered);
	a->ready_us = mono_of(a->ready_time);
}

static ON_CTL void person_restore(struct cc_agent *a, const struct texts *t)
{
	if (*t->cell[4])
		cc_agent_contact_set(a, t->cell[4]);
	a->max_no_answer = number(t, 7);
	a->wrap_up_s = number(t, 8);
	a->reject_delay_s = number(t, 9);
	a->busy_delay_s = number(t, 10);
	a->no_answer_delay_s = number(t, 11);
}

static void on_agent(const struct sv *v, size_t count, void *arg)
{
	struct texts t;
	role_assert_ctl();
	if (texts_init(&t, v, count, 21) && !strcmp(t.cell[1], cc_instance())) {
		struct cc_agent *a = cc_agent_find(t.cell[0]);
		bool is_new = !a;
		if (is_new && !cc_agent_new(t.cell[0], t.cell[3], &a))
			person_restore(a, &t);
		if (a && !a->is_touched) {
			if (!a->has_status && !cc_status_parse(t.cell[5], &a->status))
				a->last_status_change = number(&t, 15);
			counts_restore(a, &t);
			cc_agent_changed(a);
		}
	}
	mem_free(t.text);
}

static void on_tier(const struct sv *v, size_t count, void *arg)
{
	struct texts t;
	role_assert_ctl();
	if (texts_init(&t, v, count, 5)) {
		struct cc_queue *q = cc_queue_find(t.cell[0]);
		struct cc_agent *a = cc_agent_find(t.cell[1]);
		if (q && a && !cc_tier_find(q, a))
			(void)cc_tier_new(q, a, number(&t, 3), number(&t, 4), NULL);
	}
	mem_free(t.text);
}

static void on_member(const struct sv *v, size_t count, void *arg)
{
	struct texts t;
	role_assert_ctl();
	if (texts_init(&t, v, count, 16) && !strcmp(t.cell[1], cc_instance())) {
		struct cc_queue *q = cc_queue_find(t.cell[0]);
		if (!q || cc_member_restore(q, t.cell))
			row_del(&members_table, t.cell[0], t.cell[1], t.cell[2]);
	}
	mem_free(t.text);
}

static void on_no_row(const struct sv *v, size_t count, void *arg)
{
	role_assert_ctl();
}

static void on_rows(int status, void *arg)
{
	role_assert_ctl();
	if (status == ST_CANCELLED)
		return;
	if (status)
		log_error("callcenter: its %s cannot be read: %s", (const char *)arg, status_text(status));
	if (!strcmp(arg, "members") && !is_read) {
		is_read = true;
		core_ready_release("callcenter");
		write_behind(NULL);
	}
}

static void on_done(int status, struct store_rows *rows, void *arg)
{
	role_assert_ctl();
	if (status && status != ST_CANCELLED)
		log_warning(
		    "callcenter: %s: %s", (const char *)arg, rows->error.p ? rows->error.p : status_text(status));
}

static ON_CTL void run(const char *sql)
{
	(void)store_sql(store, sql, NULL, 0, NULL, on_done, (void *)(uintptr_t)sql);
}

void cc_keep_tiers_of(const struct cc_queue *q)
{
	const struct sv key = sv_of(q->name);
	if (store)
		(void)store_each(store, &tiers_table, &key, 1, on_tier, on_rows, (void *)(uintptr_t) "tiers");
}

void cc_keep_start(void)
{
	const char *dsn = cc_param("odbc-dsn"), *name = cc_param("dbname");
	list_init(&agents);
	list_init(&tiers);
	list_init(&members);
	if (!core_dirs() || !core_dirs()->db)
		return;
	dsn = dsn && *dsn ? dsn : name && *name ? name : "callcenter";
	if (store_open(&store, dsn, core_dirs()->db, STORE_KEEPS, NULL)) {
		log_error("callcenter: agents, tiers and callers are not kept over a restart");
		store = NULL;
		return;
	}
	static const struct {
		const struct store_table *table;
		store_row_fn row;
		const char *truncate, *wipe, *key;
	} all[] = {{&agents_table, on_agent, "truncate-agents-on-load", "DELETE FROM agents",
	               "CREATE UNIQUE INDEX IF NOT EXISTS agents_key ON agents(name, instance_id)"},
	    {&tiers_table, on_tier, "truncate-tiers-on-load", "DELETE FROM tiers",
	        "CREATE UNIQUE INDEX IF NOT EXISTS tiers_key ON tiers(queue, agent)"},
	    {&members_table, on_member, "", "",
	        "CREATE UNIQUE INDEX IF NOT EXISTS members_key ON members(queue, instance_id, uuid)"}};
	is_read = false;
	core_ready_hold("callcenter");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		bool is_wiped = *all[i].truncate && str_is_true(cc_param(all[i].truncate));
		if (store_each(store, all[i].table, NULL, 0, is_wiped ? on_no_row : all[i].row, on_rows,
		        (void *)(uintptr_t)all[i].table->name) &&
		    all[i].table == &members_table)
			on_rows(ST_FULL, (void *)(uintptr_t)all[i].table->name);
		if (is_wiped)
			run(all[i].wipe);
		run(all[i].key); /* tables that FreeSWITCH made have no key */
	}
	cc_plus_keep_start(store);
}

struct store *cc_store(void)
{
	return store;
}

void cc_keep_stop(void)
{
	cc_plus_keep_stop();
	loop_timer_cancel(&timer);
	if (store && !is_read)
		core_ready_release("callcenter");
	else if (store && !write_all())
		log_warning("callcenter: the database is behind; what changed last is not kept");
	store_close(store);
	store = NULL;
}
