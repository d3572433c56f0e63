/* Reports: the tables with "|" between columns, ended by "+OK", and the same as JSON. What callers wrote (names,
 * numbers) can make no column and no line of its own. */
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "text/json.h"
#include "text/mark.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- cells ---- */

static void cell_put(struct buf *out, const char *text)
{
	struct mark_it it = {.rest = sv_of(text)};
	while (mark_next(&it))
		buf_addc(out, it.byte == '|' || (unsigned char)it.byte < ' ' || it.byte == 127 ? ' ' : it.byte);
}

static void head_put(struct buf *out, const char *const *columns, const char *more)
{
	for (int i = 0; columns[i]; i++)
		buf_printf(out, "%s%s", i ? "|" : "", columns[i]);
	buf_printf(out, "%s\n", more);
}

static void row_put(struct buf *out, const struct cc_row *r, int count)
{
	for (int i = 0; i < count; i++) {
		if (i)
			buf_addc(out, '|');
		cell_put(out, r->cell[i]);
	}
	buf_addc(out, '\n');
}

enum { AGENT_CELLS = 21, TIER_CELLS = 5, MEMBER_CELLS = 17 };

/* One table: the same walk counts, reports and writes JSON. */
struct report {
	struct buf *out;
	struct json_writer *json; /* NULL: text */
	const char *const *columns;
	const char *more;
	int cells;
	size_t rows;
	bool is_count;
};

static ON_CTL void report_row(struct report *t, const struct cc_row *r)
{
	if (!t->rows++ && !t->json && !t->is_count)
		head_put(t->out, t->columns, t->more);
	if (t->is_count)
		return;
	if (!t->json) {
		row_put(t->out, r, t->cells);
		return;
	}
	jw_begin_object(t->json);
	for (int i = 0; i < t->cells; i++) {
		struct buf plain;
		if (!r->cell[i])
			continue;
		buf_init(&plain);
		(void)mark_strip(&plain, sv_of(r->cell[i]));
		jw_kv_str(t->json, t->columns[i] ? t->columns[i] : t->more + 1, plain.p ? plain.p : "");
		buf_fini(&plain);
	}
	jw_end_object(t->json);
}

/* ---- walks ---- */

static ON_CTL void agents_walk(struct report *t, const char *name)
{
	struct cc_row r;
	t->columns = cc_agent_columns, t->more = "", t->cells = AGENT_CELLS;
	for (const struct lnode *it = cc_agents()->head.next; it != &cc_agents()->head; it = it->next) {
		const struct cc_agent *a = list_entry(it, struct cc_agent, link);
		if (name && strcasecmp(name, a->name))
			continue;
		cc_agent_row(a, &r);
		report_row(t, &r);
	}
}

static int by_rank(const void *a, const void *b)
{
	const struct cc_tier *x = *(struct cc_tier *const *)a, *y = *(struct cc_tier *const *)b;
	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	if (x->position != y->position)
		return x->position < y->position ? -1 : 1;
	return x->serial < y->serial ? -1 : x->serial > y->serial;
}

struct tiers {
	struct cc_tier **at;
	size_t count;
};
static void tier_take(struct cc_tier *t, void *arg)
{
	struct tiers *all = arg;
	role_assert_ctl();
	all->at[all->count++] = t;
}

static ON_CTL void tiers_walk(struct report *t)
{
	struct cc_row r;
	struct tiers all = {.at = calloc(cc_tier_count() + 1, sizeof(struct cc_tier *))};
	t->columns = cc_tier_columns, t->more = "", t->cells = TIER_CELLS;
	if (!all.at)
		return;
	cc_tiers_each(tier_take, &all);
	qsort(all.at, all.count, sizeof(struct cc_tier *), by_rank);
	for (size_t i = 0; i < all.count; i++) {
		cc_tier_row(all.at[i], &r);
		report_row(t, &r);
	}
	free(all.at);
}

static ON_CTL int queue_walk(
    struct report *t, const char *what, const struct cc_queue *q, const char *status, const char *state)
{
	bool agents = !strcasecmp(what, "agents"), tiers = !strcasecmp(what, "tiers");
	struct cc_row r;
	if (!agents && !tiers && strcasecmp(what, "members"))
		return ST_NOTFOUND;
	t->columns = agents ? cc_agent_columns : tiers ? cc_tier_columns : cc_member_columns;
	t->cells = agents ? AGENT_CELLS : tiers ? TIER_CELLS : MEMBER_CELLS;
	t->more = agents || tiers ? "" : "|score";
	if (!q)
		return ST_OK;
	const struct list *l = agents || tiers ? &q->tiers : &q->members;
	for (const struct lnode *it = l->head.next; it != &l->head; it = it->next) {
		if (agents) {
			const struct cc_agent *a = list_entry(it, struct cc_tier, in_queue)->agent;
			if ((status && *status && strcasecmp(status, cc_status_name(a->status))) ||
			    (state && *state && strcasecmp(state, cc_state_name(a->state))))
				continue;
			cc_agent_row(a, &r);
		} else if (tiers) {
			cc_tier_row(list_entry(it, struct cc_tier, in_queue), &r);
		} else {
			cc_member_row(list_entry(it, struct cc_member, link), &r);
		}
		report_row(t, &r);
	}
	return ST_OK;
}

/* ---- text ---- */

void cc_list_agents(struct buf *out, const char *name)
{
	struct report t = {.out = out};
	agents_walk(&t, name);
	buf_adds(out, "+OK\n");
}

void cc_list_tiers(struct buf *out)
{
	struct report t = {.out = out};
	tiers_walk(&t);
	buf_adds(out, "+OK\n");
}

int cc_list_of(
    struct buf *out, const char *what, const struct cc_queue *q, const char *status, const char *state, bool is_count)
{
	struct report t = {.out = out, .is_count = is_count};
	int st = queue_walk(&t, what, q, status, state);
	if (st)
		return st;
	if (is_count)
		buf_printf(out, "%zu\n", t.rows);
	else
		buf_adds(out, "+OK\n");
	return ST_OK;
}

static const char *word(bool is_on)
{
	return is_on ? "true" : "false";
}

void cc_list_queues(struct buf *out)
{
	bool is_first = true;
	for (const struct lnode *it = cc_queues()->head.next; it != &cc_queues()->head; it = it->next) {
		const struct cc_queue *q = list_entry(it, struct cc_queue, link);
		const struct cc_settings *s = &q->s;
		if (is_first)
			buf_adds(out,
			    "name|strategy|moh_sound|time_base_score|tier_rules_apply|tier_rule_wait_second|"
			    "tier_rule_wait_multiply_level|tier_rule_no_agent_no_wait|discard_abandoned_after|"
			    "abandoned_resume_allowed|max_wait_time|max_wait_time_with_no_agent|"
			    "max_wait_time_with_no_agent_time_reached|record_template|calls_answered|calls_abandoned|"
			    "ring_progressively_delay|skip_agents_with_external_calls|agent_no_answer_status\n");
		is_first = false;
		buf_printf(out, "%s|%s|%s|%s|%s|%lld|%s|%s|%lld|%s|%lld|%lld|%lld|%s|%u|%u|%lld|%s|%s\n", q->name,
		    cc_strategy_name(s->strategy), s->moh ? s->moh : "", s->counts_from_call ? "system" : "queue",
		    word(s->rules.is_on), (long long)s->rules.wait_s, word(s->rules.multiplies),
		    word(s->rules.skips_empty), (long long)s->discard_abandoned_s, word(s->abandoned_resume),
		    (long long)s->max_wait_s, (long long)s->no_agent_wait_s, (long long)s->no_agent_reached_s,
		    s->record_template ? s->record_template : "", q->calls_answered, q->calls_abandoned,
		    (long long)s->ring_progressively_delay_s, word(s->skips_external),
		    cc_status_name(s->no_answer_status));
	}
	buf_adds(out, "+OK\n");
}

/* ---- JSON ---- */

static ON_CTL void queues_json(struct json_writer *w)
{
	for (const struct lnode *it = cc_queues()->head.next; it != &cc_queues()->head; it = it->next) {
		const struct cc_queue *q = list_entry(it, struct cc_queue, link);
		const struct cc_settings *s = &q->s;
		jw_begin_object(w);
		jw_kv_str(w, "name", q->name);
		jw_kv_str(w, "strategy", cc_strategy_name(s->strategy));
		if (s->moh)
			jw_kv_str(w, "moh_sound", s->moh);
		jw_kv_str(w, "time_base_score", s->counts_from_call ? "system" : "queue");
		jw_kv_str(w, "tier_rules_apply", word(s->rules.is_on));
		jw_kv_int(w, "tier_rule_wait_second", s->rules.wait_s);
		jw_kv_str(w, "tier_rule_wait_multiply_level", word(s->rules.multiplies));
		jw_kv_str(w, "tier_rule_no_agent_no_wait", word(s->rules.skips_empty));
		jw_kv_int(w, "discard_abandoned_after", s->discard_abandoned_s);
		jw_kv_str(w, "abandoned_resume_allowed", word(s->abandoned_resume));
		jw_kv_int(w, "max_wait_time", s->max_wait_s);
		jw_kv_int(w, "max_wait_time_with_no_agent", s->no_agent_wait_s);
		jw_kv_int(w, "max_wait_time_with_no_agent_time_reached", s->no_agent_reached_s);
		if (s->record_template)
			jw_kv_str(w, "record_template", s->record_template);
		jw_kv_str(w, "skip_agents_with_external_calls", word(s->skips_external));
		jw_kv_str(w, "agent_no_answer_status", cc_status_name(s->no_answer_status));
		jw_end_object(w);
	}
}

/* Every caller of every queue. */
static ON_CTL void members_walk(struct report *t)
{
	for (const struct lnode *it = cc_queues()->head.next; it != &cc_queues()->head; it = it->next)
		(void)queue_walk(t, "members", list_entry(it, struct cc_queue, link), NULL, NULL);
}

static ON_CTL int list_json(struct json_writer *w, const char *what, const json_t *data)
{
	struct report t = {.json = w};
	const char *name = json_string_value(json_object_get(data, "queue_name")),
	           *status = json_string_value(json_object_get(data, "status")),
	           *state = json_string_value(json_object_get(data, "state"));
	if (!strcasecmp(what, "agent list"))
		agents_walk(&t, json_string_value(json_object_get(data, "agent_name")));
	else if (!strcasecmp(what, "tier list"))
		tiers_walk(&t);
	else if (!strcasecmp(what, "member list"))
		members_walk(&t);
	else if (!strcasecmp(what, "queue list"))
		queues_json(w);
	else if (!strncasecmp(what, "queue list ", 11))
		return queue_walk(&t, what + 11, name ? cc_queue_find(name) : NULL, status, state);
	else
		return ST_NOTFOUND;
	return ST_OK;
}

int cc_json(const char *text, struct buf *out)
{
	json_t *data = NULL;
	struct json_writer w;
	role_assert_ctl();
	int st = json_parse(&data, sv_of(text), 0, NULL);
	const char *what = json_string_value(json_object_get(data, "arguments"));
	if (!st && !what)
		st = ST_INVAL;
	if (!st) {
		jw_init(&w, out, false);
		jw_begin_array(&w);
		st = list_json(&w, what, data);
		jw_end_array(&w);
	}
	json_decref(data);
	return st;
}
