/* What of all this outlives a restart: skills and pause reasons of agents, call-backs, whom callers had, in tables of
 * our own beside FreeSWITCH's. Memory is the truth, rows are written behind it. */
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct store *store;
static const char *const agent_columns[] = {"name", "instance_id", "skills", "pause_reason", NULL};
static const char *const callback_columns[] = {"queue", "instance_id", "uuid", "number", "contact", "tries", "asked",
    "joined", "base_score", "cid_number", "cid_name", NULL};
static const char *const sticky_columns[] = {"queue", "number", "agent", "expires", NULL};
static const struct store_table agents = {"cc_agent_facts", agent_columns, 2, NULL},
                                callbacks = {"cc_callbacks", callback_columns, 3, NULL},
                                sticky = {"cc_sticky", sticky_columns, 2, "expires"};

struct number {
	char text[24];
};
static struct sv number_put(struct number *n, int64_t v)
{
	return (struct sv){n->text, (size_t)snprintf(n->text, sizeof(n->text), "%" PRId64, v)};
}

static ON_CTL void put(const struct store_table *t, const struct sv *values)
{
	if (store && store_put(store, t, values) == ST_FULL)
		log_warning("callcenter: the database is behind; a row of %s is not kept", t->name);
}

void cc_plus_keep_agent(const struct cc_agent *a)
{
	struct buf skills;
	buf_init(&skills);
	cc_agent_skills_put(a, &skills);
	const struct sv values[] = {sv_of(a->name), sv_of(cc_instance()), buf_sv(&skills),
	    sv_of(a->plus.pause_reason ? a->plus.pause_reason : "")};
	put(&agents, values);
	buf_fini(&skills);
}

void cc_plus_keep_callback(const struct cc_member *m)
{
	const struct cc_callback *c = m->plus.callback;
	struct number n[4];
	const struct sv values[] = {sv_of(m->queue->name), sv_of(cc_instance()), sv_of(m->uuid), sv_of(c->number),
	    sv_of(c->contact), number_put(&n[0], c->tries), number_put(&n[1], c->asked_s),
	    number_put(&n[2], m->joined_s), number_put(&n[3], m->base_score), sv_of(m->cid_number), sv_of(m->cid_name)};
	put(&callbacks, values);
}

void cc_plus_forget_callback(const struct cc_member *m)
{
	const struct sv keys[] = {sv_of(m->queue->name), sv_of(cc_instance()), sv_of(m->uuid)};
	if (store && store_del(store, &callbacks, keys))
		log_warning("callcenter: a call-back stays in the database");
}

void cc_plus_keep_sticky(const char *queue, const char *number, const char *agent, int64_t until_s)
{
	struct number until;
	const struct sv values[] = {sv_of(queue), sv_of(number), sv_of(agent), number_put(&until, until_s)};
	put(&sticky, values);
}

/* ---- what comes back ---- */

static char *cell(const struct sv *v)
{
	return v->p ? sv_dup(*v) : mem_strdup("");
}

static int64_t cell_number(const struct sv *v)
{
	int64_t n = 0;
	return !v->p || sv_i64(*v, &n) || n < 0 ? 0 : n;
}

static void on_agent(const struct sv *v, size_t count, void *arg)
{
	role_assert_ctl();
	if (count < 4 || !sv_is(v[1], cc_instance()))
		return;
	char *name = cell(&v[0]), *skills = cell(&v[2]), *reason = cell(&v[3]);
	struct cc_agent *a = name ? cc_agent_find(name) : NULL;
	if (a && skills && *skills && !a->plus.skills)
		cc_agent_skills_parse(a, skills);
	if (a && reason && *reason && a->status == CC_ON_BREAK && !a->plus.pause_reason) {
		a->plus.pause_reason = reason;
		reason = NULL;
	}
	mem_free(name);
	mem_free(skills);
	mem_free(reason);
}

static void on_callback(const struct sv *v, size_t count, void *arg)
{
	char *text[11] = {NULL};
	bool is_whole = count >= 11;
	role_assert_ctl();
	if (!is_whole || !sv_is(v[1], cc_instance()))
		return;
	for (int i = 0; i < 11; i++)
		is_whole = (text[i] = cell(&v[i])) && is_whole;
	struct cc_queue *q = is_whole ? cc_queue_find(text[0]) : NULL;
	if (q)
		cc_callback_restore(q, (const char *const *)text);
	for (int i = 0; i < 11; i++)
		mem_free(text[i]);
}

static void on_sticky(const struct sv *v, size_t count, void *arg)
{
	role_assert_ctl();
	if (count < 4)
		return;
	char *queue = cell(&v[0]), *number = cell(&v[1]), *agent = cell(&v[2]);
	if (queue && number && agent)
		cc_sticky_restore(queue, number, agent, cell_number(&v[3]));
	mem_free(queue);
	mem_free(number);
	mem_free(agent);
}

static void on_done(int status, void *arg)
{
	role_assert_ctl();
	if (status && status != ST_CANCELLED)
		log_error("callcenter: %s cannot be read: %s", (const char *)arg, status_text(status));
}

void cc_plus_keep_start(struct store *s)
{
	store = s;
	static const struct {
		const struct store_table *table;
		store_row_fn row;
	} all[] = {{&agents, on_agent}, {&callbacks, on_callback}, {&sticky, on_sticky}};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		(void)store_each(s, all[i].table, NULL, 0, all[i].row, on_done, (void *)(uintptr_t)all[i].table->name);
	cc_history_start(s);
}

void cc_plus_keep_stop(void)
{
	cc_history_stop();
	store = NULL;
}
