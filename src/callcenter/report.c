/* callcenter_report: what goes on now (live, agents, callbacks), and what went on (history), as JSON or CSV. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "text/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static const char usage[] =
    "-USAGE: live [<queue>] [json|csv] | agents [<queue>] [json|csv] | agent <name> [json|csv] | callbacks [<queue>] | "
    "history queue|agent|hour|calls|misses|status|codes <from> <to> [<queue>] [json|csv]\n"
    "<from>, <to>: 2026-11-27, 2026-11-27T08:00 (local time), or seconds since 1970\n";

/* A table that is written as a list of objects or as lines. */
struct table {
	struct buf *out;
	struct json_writer w;
	bool is_csv, is_first_row, is_first_cell;
	struct buf head;
};

static void key_put(struct table *t, const char *key)
{
	if (!t->is_csv) {
		jw_key(&t->w, key);
		return;
	}
	if (t->is_first_row)
		buf_printf(&t->head, "%s%s", t->is_first_cell ? "" : ",", key);
	if (!t->is_first_cell)
		buf_addc(t->out, ',');
	t->is_first_cell = false;
}

static void put_int(struct table *t, const char *key, int64_t n)
{
	key_put(t, key);
	if (t->is_csv)
		buf_printf(t->out, "%" PRId64, n);
	else
		jw_int(&t->w, n);
}

static void put_text(struct table *t, const char *key, const char *text)
{
	key_put(t, key);
	if (!t->is_csv) {
		jw_str(&t->w, text ? text : "");
		return;
	}
	buf_addc(t->out, '"');
	if (text && *text && strchr("=+-@\t\r", *text))
		buf_addc(t->out, '\''); /* a spreadsheet takes it for a formula */
	for (; text && *text; text++) {
		if (*text == '"')
			buf_addc(t->out, '"');
		buf_addc(t->out, *text);
	}
	buf_addc(t->out, '"');
}

static void put_level(struct table *t, const char *key, const struct cc_figures *f)
{
	int level = cc_figures_level(f);
	key_put(t, key);
	if (t->is_csv && level >= 0)
		buf_printf(t->out, "%.1f", level / 10.0);
	else if (!t->is_csv && level >= 0)
		jw_real(&t->w, level / 10.0);
	else if (!t->is_csv)
		jw_null(&t->w);
}

static void row_begin(struct table *t)
{
	t->is_first_cell = true;
	if (!t->is_csv)
		jw_begin_object(&t->w);
}

static void row_end(struct table *t)
{
	if (t->is_csv)
		buf_addc(t->out, '\n');
	else
		jw_end_object(&t->w);
	t->is_first_row = false;
}

static ON_CTL void table_run(
    struct buf *out, bool is_csv, const void *only, void (*fn)(struct table *t, const void *only))
{
	struct buf rows;
	struct table t = {.out = &rows, .is_csv = is_csv, .is_first_row = true};
	buf_init(&rows);
	buf_init(&t.head);
	jw_init(&t.w, &rows, false);
	if (!is_csv)
		jw_begin_array(&t.w);
	fn(&t, only);
	if (!is_csv)
		jw_end_array(&t.w);
	if (is_csv && t.head.n)
		buf_addc(&t.head, '\n');
	buf_addv(out, buf_sv(&t.head));
	buf_addv(out, buf_sv(&rows));
	buf_fini(&t.head);
	buf_fini(&rows);
}

/* ---- queues ---- */

static void figures_put(struct table *t, const struct cc_figures *f)
{
	put_int(t, "calls", (int64_t)cc_figures_calls(f));
	for (int o = 0; o < CC_OUTCOME_COUNT; o++)
		put_int(t, cc_outcome_name((enum cc_outcome)o), (int64_t)f->outcomes[o]);
	put_int(t, "offers", (int64_t)f->offers);
	put_int(t, "missed", (int64_t)f->missed);
	put_level(t, "service_level", f);
	int64_t answered = (int64_t)f->outcomes[CC_OUTCOME_ANSWERED];
	put_int(t, "wait_mean", answered ? f->wait_s / answered : 0);
	put_int(t, "wait_max", f->wait_max_s);
	put_int(t, "talk_mean", f->ended ? f->talk_s / (int64_t)f->ended : 0);
	put_int(t, "talk", f->talk_s);
}

static ON_CTL void queue_put(struct table *t, struct cc_queue *q)
{
	int64_t longest_s = 0, now_s = cc_now_s(), counts[4] = {0};
	struct lnode *it, *tmp;
	unsigned talking = 0;
	list_each (&q->members, it, tmp) {
		const struct cc_member *m = list_entry(it, struct cc_member, link);
		bool waits = m->leg && (m->state == CC_MEMBER_WAITING || m->state == CC_MEMBER_TRYING);
		talking += m->state == CC_MEMBER_ANSWERED;
		if (waits && now_s - m->joined_s > longest_s)
			longest_s = now_s - m->joined_s;
	}
	list_each (&q->tiers, it, tmp) {
		const struct cc_agent *a = list_entry(it, struct cc_tier, in_queue)->agent;
		counts[a->status]++;
	}
	row_begin(t);
	put_text(t, "queue", q->name);
	put_text(t, "open", cc_is_open(q) ? "true" : "false");
	put_int(t, "waiting", q->waiting_count);
	put_int(t, "ringing", q->trying_count);
	put_int(t, "talking", talking);
	put_int(t, "callbacks", q->plus.callback_count);
	put_int(t, "longest_wait", longest_s);
	put_int(t, "agents_free", (int64_t)q->ready.count);
	put_int(t, "agents_available", counts[CC_AVAILABLE] + counts[CC_ON_DEMAND]);
	put_int(t, "agents_paused", counts[CC_ON_BREAK]);
	put_int(t, "agents_logged_out", counts[CC_LOGGED_OUT]);
	put_int(t, "service_level_seconds", q->s.service_level_s);
	put_level(t, "service_level_hour", cc_queue_hour(q));
	figures_put(t, cc_queue_today(q));
	row_end(t);
}

static ON_CTL void live(struct table *t, const void *only)
{
	struct lnode *it, *tmp;
	list_each (cc_queues(), it, tmp) {
		struct cc_queue *q = list_entry(it, struct cc_queue, link);
		if (!only || only == q)
			queue_put(t, q);
	}
}

/* ---- agents ---- */

static ON_CTL void agent_put(struct table *t, struct cc_agent *a)
{
	const struct cc_figures *f = cc_agent_today(a);
	struct buf skills;
	buf_init(&skills);
	cc_agent_skills_put(a, &skills);
	row_begin(t);
	put_text(t, "agent", a->name);
	put_text(t, "status", cc_status_name(a->status));
	put_text(t, "reason", a->plus.pause_reason);
	put_int(t, "status_seconds", a->plus.status_since_s ? cc_now_s() - a->plus.status_since_s : 0);
	put_text(t, "state", cc_state_name(a->state));
	put_text(t, "uuid", a->uuid);
	put_text(t, "skills", skills.p);
	put_text(t, "screen_pop", a->plus.pop);
	put_text(t, "wrap_up", a->plus.wrap_queue ? a->plus.wrap_uuid : "");
	put_int(t, "offers", (int64_t)f->offers);
	put_int(t, "answered", (int64_t)f->outcomes[CC_OUTCOME_ANSWERED]);
	put_int(t, "missed", (int64_t)f->missed);
	put_int(t, "talk", f->talk_s);
	row_end(t);
	buf_fini(&skills);
}

static ON_CTL void people(struct table *t, const void *only)
{
	const struct cc_queue *q = only;
	struct lnode *it, *tmp;
	if (!q) {
		list_each (cc_agents(), it, tmp)
			agent_put(t, list_entry(it, struct cc_agent, link));
		return;
	}
	list_each (&q->tiers, it, tmp)
		agent_put(t, list_entry(it, struct cc_tier, in_queue)->agent);
}

static ON_CTL void person(struct table *t, const void *only)
{
	agent_put(t, (struct cc_agent *)only);
}

/* ---- history ---- */

static int moment_parse(const char *text, int64_t *out)
{
	static const char *const forms[] = {"%Y-%m-%dT%H:%M", "%Y-%m-%d"};
	if (!sv_i64(sv_of(text), out))
		return *out < 0 || *out > INT64_C(100000000000) ? ST_PARSE : ST_OK;
	for (int i = 0; i < 2; i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *end = strptime(text, forms[i], &tm);
		if (end && !*end) {
			*out = (int64_t)mktime(&tm);
			return ST_OK;
		}
	}
	return ST_PARSE;
}

static CO const char *history(struct buf *out, const struct app_words *w, int n, bool is_csv)
{
	int64_t from_s, to_s;
	if (n < 4 || moment_parse(w->w[2], &from_s) || moment_parse(w->w[3], &to_s))
		return usage;
	switch (cc_history_report(out, w->w[1], from_s, to_s, n > 4 ? w->w[4] : "", is_csv)) {
	case ST_OK:
		return "";
	case ST_NOTFOUND:
		return usage;
	case ST_UNSUPPORTED:
		return "-ERR callcenter.conf: the setting history is not on\n";
	case ST_LIMIT:
		return "-ERR That is too much at once: ask for a shorter time\n";
	default:
		return "-ERR The database does not answer\n";
	}
}

int api_callcenter_report(struct api_call *c)
{
	struct app_words w;
	role_assert_co();
	int st = app_words_init(&w, c->args, 8), n = w.n;
	const char *reply = usage;
	bool is_csv = !st && n > 1 && !strcasecmp(w.w[n - 1], "csv"),
	     is_json = !st && n > 1 && !strcasecmp(w.w[n - 1], "json");
	n -= is_csv || is_json;
	const char *name = !st && n > 1 ? w.w[1] : NULL;
	const struct cc_queue *q = name ? cc_queue_find(name) : NULL;
	if (!st && n && !strcasecmp(w.w[0], "history")) {
		reply = history(c->out, &w, n, is_csv);
	} else if (!st && n > 1 && !strcasecmp(w.w[0], "agent")) {
		const struct cc_agent *a = cc_agent_find(name);
		reply = a ? "" : "-ERR Agent not found!\n";
		if (a)
			table_run(c->out, is_csv, a, person);
	} else if (!st && n && name && !q) {
		reply = "-ERR Queue not found!\n";
	} else if (!st && n) {
		reply = "";
		if (!strcasecmp(w.w[0], "live"))
			table_run(c->out, is_csv, q, live);
		else if (!strcasecmp(w.w[0], "agents"))
			table_run(c->out, is_csv, q, people);
		else if (!strcasecmp(w.w[0], "callbacks"))
			cc_callbacks_put(c->out, q, true);
		else
			reply = usage;
	}
	buf_adds(c->out, reply);
	app_words_fini(&w);
	return st;
}
