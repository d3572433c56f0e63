/* The history: a row for each call that ended, each offer that was missed, each span of an agent's status, in the table
 * cc_history of the call centre's database, while the setting history is on. Rows older than history-days go by
 * themselves; today's are summed at the start, so that live figures outlive a restart. Reports are statements whose
 * values stand for $1 ...; nothing from a caller is text of a statement. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/run/exec.h"
#include "store/store.h"
#include "text/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DAY_S = 86400, SWEEP_US = 1800 * 1000000 };
static const char *const steps[] = {
    "CREATE TABLE IF NOT EXISTS cc_history (instance VARCHAR(255) NOT NULL, kind VARCHAR(16) NOT NULL, queue "
    "VARCHAR(255) NOT "
    "NULL, agent VARCHAR(255) NOT NULL, uuid VARCHAR(64) NOT NULL, session VARCHAR(64) NOT NULL, number TEXT NOT NULL, "
    "name "
    "TEXT NOT NULL, outcome VARCHAR(64) NOT NULL, code VARCHAR(64) NOT NULL, note TEXT NOT NULL, began_s BIGINT NOT "
    "NULL, "
    "waited_s BIGINT NOT NULL, talked_s BIGINT NOT NULL, in_level BIGINT NOT NULL, late BIGINT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS cc_history_began ON cc_history (began_s)",
    "CREATE INDEX IF NOT EXISTS cc_history_uuid ON cc_history (uuid)", NULL};
static struct store *store;
static bool is_on, is_failing;
static struct ltimer sweep_timer;

struct number {
	char text[24];
};
static struct sv number_put(struct number *n, int64_t v)
{
	return (struct sv){n->text, (size_t)snprintf(n->text, sizeof(n->text), "%" PRId64, v)};
}

static struct sv text_of(const char *text)
{
	return sv_of(text ? text : "");
}

bool cc_history_is_on(void)
{
	return is_on;
}

static void on_written(int status, struct store_rows *rows, void *arg)
{
	role_assert_ctl();
	if (status && status != ST_CANCELLED && !is_failing)
		log_error("callcenter: the history is not written: %s; told once until it is",
		    rows->error.n ? rows->error.p : status_text(status));
	if (status != ST_CANCELLED)
		is_failing = status != ST_OK;
}

void cc_history_put(const struct cc_history_row *r)
{
	struct number n[5];
	if (!is_on)
		return;
	const struct sv values[] = {sv_of(cc_instance()), text_of(r->kind), text_of(r->queue), text_of(r->agent),
	    text_of(r->uuid), text_of(r->session), text_of(r->number), text_of(r->name), text_of(r->outcome),
	    text_of(r->code), number_put(&n[0], r->began_s), number_put(&n[1], r->waited_s),
	    number_put(&n[2], r->talked_s), number_put(&n[3], r->is_in_level), number_put(&n[4], r->is_late)};
	int st = store_sql(store,
	    "INSERT INTO cc_history (instance, kind, queue, agent, uuid, session, number, name, outcome, code, note, "
	    "began_s, "
	    "waited_s, talked_s, in_level, late) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', $11, $12, $13, "
	    "$14, $15)",
	    values, sizeof(values) / sizeof(values[0]), NULL, on_written, NULL);
	if (st < 0 && !is_failing) {
		log_error("callcenter: the history is not written: %s", status_text(st));
		is_failing = true;
	}
}

void cc_history_wrapped(const char *uuid, const char *agent, const char *code, const char *note)
{
	const struct sv values[] = {text_of(code), text_of(note), text_of(uuid), text_of(agent)};
	if (is_on)
		(void)store_sql(store,
		    "UPDATE cc_history SET code = $1, note = $2 WHERE uuid = $3 AND agent = $4 AND kind = 'call'",
		    values, 4, NULL, on_written, NULL);
}

/* ---- start: today's figures come back ---- */

static void on_today(const struct sv *v, size_t count, void *arg)
{
	int64_t n[7] = {0};
	role_assert_ctl();
	if (count < 10)
		return;
	for (int i = 0; i < 6; i++)
		if (!v[4 + i].p || sv_i64(v[4 + i], &n[i]) || n[i] < 0)
			n[i] = 0;
	char *queue = sv_dup(v[1]), *agent = sv_dup(v[2]);
	struct cc_queue *q = queue ? cc_queue_find(queue) : NULL;
	struct cc_agent *a = agent && *agent ? cc_agent_find(agent) : NULL;
	struct cc_figures *f[] = {q ? cc_queue_today(q) : NULL, a ? cc_agent_today(a) : NULL};
	for (int i = 0; i < 2; i++) {
		if (!f[i])
			continue;
		if (sv_is(v[0], "miss"))
			f[i]->missed += (uint64_t)n[0];
		for (int o = 0; o < CC_OUTCOME_COUNT && sv_is(v[0], "call"); o++)
			if (sv_is(v[3], cc_outcome_name((enum cc_outcome)o)))
				f[i]->outcomes[o] += (uint64_t)n[0];
		f[i]->in_level += (uint64_t)n[1];
		f[i]->abandoned_late += (uint64_t)n[2];
		if (sv_is(v[3], "answered")) {
			f[i]->wait_s += n[3];
			f[i]->wait_max_s = n[4] > f[i]->wait_max_s ? n[4] : f[i]->wait_max_s;
			f[i]->talk_s += n[5];
			f[i]->ended += (uint64_t)n[0];
		}
	}
	mem_free(queue);
	mem_free(agent);
}

static void on_ready(int status, void *arg)
{
	struct number n;
	role_assert_ctl();
	int64_t now_s = cc_now_s(), local_s = now_s + cc_local_offset_s(NULL, now_s);
	if (status || !store)
		return;
	const struct sv values[] = {sv_of(cc_instance()), number_put(&n, now_s - local_s % DAY_S)};
	(void)store_sql(store,
	    "SELECT kind, queue, agent, outcome, COUNT(*), SUM(in_level), SUM(late), SUM(waited_s), MAX(waited_s), "
	    "SUM(talked_s) "
	    "FROM cc_history WHERE instance = $1 AND began_s >= $2 AND kind <> 'status' GROUP BY kind, queue, agent, "
	    "outcome",
	    values, 2, on_today, on_written, NULL);
}

static void sweep(void *arg)
{
	struct number n;
	role_assert_ctl();
	const char *days = cc_param("history-days");
	int64_t keep = days && *days ? str_number(days, 1, 36500) : 400;
	const struct sv before = number_put(&n, cc_now_s() - keep * DAY_S);
	(void)store_sql(store, "DELETE FROM cc_history WHERE began_s < $1", &before, 1, NULL, on_written, NULL);
	loop_timer_set(&sweep_timer, SWEEP_US, "callcenter history", sweep, NULL);
}

void cc_history_start(struct store *s)
{
	store = s;
	is_on = str_is_true(cc_param("history"));
	is_failing = false;
	if (!is_on)
		return;
	if (store_migrate(s, "callcenter_history", steps, on_ready, NULL))
		log_error("callcenter: there is no history: its table cannot be made");
	loop_timer_set(&sweep_timer, SWEEP_US, "callcenter history", sweep, NULL);
}

void cc_history_stop(void)
{
	loop_timer_cancel(&sweep_timer);
	store = NULL;
	is_on = false;
}

/* ---- reports ---- */

#define COUNTS \
	"COUNT(*) AS calls, SUM(CASE WHEN outcome = 'answered' THEN 1 ELSE 0 END) AS answered, SUM(CASE WHEN outcome " \
	"= " \
	"'abandoned' THEN 1 ELSE 0 END) AS abandoned, SUM(CASE WHEN outcome IN ('timeout', 'key', 'overflow', " \
	"'callback_failed', 'closed', 'full') THEN 1 ELSE 0 END) AS unserved, SUM(in_level) AS in_level, SUM(late) " \
	"AS late, " \
	"SUM(CASE WHEN outcome = 'answered' THEN waited_s ELSE 0 END) AS waited_s, MAX(waited_s) AS wait_max_s, " \
	"SUM(talked_s) AS talked_s FROM cc_history WHERE kind = 'call' AND outcome <> 'callback' AND "
#define SPAN "began_s >= $1 AND began_s < $2 AND ($3 = '' OR queue = $3) "
static const struct report {
	const char *by, *sql;
	bool has_level;
} reports[] = {{"queue", "SELECT queue, " COUNTS SPAN "GROUP BY queue ORDER BY queue", true},
    {"agent", "SELECT agent, " COUNTS SPAN "AND agent <> '' GROUP BY agent ORDER BY agent", true},
    {"hour",
        "SELECT began_s - began_s % 3600 AS hour, queue, " COUNTS SPAN
        "GROUP BY began_s - began_s % 3600, queue ORDER BY hour, queue",
        true},
    {"calls",
        "SELECT began_s, queue, agent, uuid, session, number, name, outcome, waited_s, talked_s, code, note FROM "
        "cc_history WHERE kind = 'call' AND " SPAN "ORDER BY began_s LIMIT 10000",
        false},
    {"misses",
        "SELECT agent, queue, outcome, COUNT(*) AS count FROM cc_history WHERE kind = 'miss' AND " SPAN
        "GROUP BY agent, queue, outcome ORDER BY agent, queue, outcome",
        false},
    {"status",
        "SELECT agent, outcome AS status, code AS reason, COUNT(*) AS count, SUM(talked_s) AS seconds FROM cc_history "
        "WHERE kind = 'status' AND " SPAN "GROUP BY agent, outcome, code ORDER BY agent, outcome, code",
        false},
    {"codes",
        "SELECT queue, agent, code, COUNT(*) AS count FROM cc_history WHERE kind = 'call' AND code <> '' AND " SPAN
        "GROUP BY queue, agent, code ORDER BY queue, agent, code",
        false}};

struct table {
	struct buf *out;
	struct json_writer *json; /* NULL: CSV */
	size_t columns;
	struct sv names[16];
};

static void csv_cell_put(struct buf *out, struct sv v)
{
	/* a spreadsheet reads such a cell as a formula; a number with its plus is none */
	bool is_formula = v.n && strchr("=+-@\t\r", v.p[0]) &&
	                  !(v.p[0] == '+' && v.n > 1 && strspn(v.p + 1, "0123456789") + 1 >= v.n);
	buf_addc(out, '"');
	if (is_formula)
		buf_addc(out, '\'');
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '"')
			buf_addc(out, '"');
		buf_addc(out, v.p[i]);
	}
	buf_addc(out, '"');
}

static void cell_put(struct table *t, size_t column, struct sv v)
{
	int64_t n;
	bool is_number = v.n && v.n < 19 && !sv_i64(v, &n) && !sv_is(t->names[column], "number") &&
	                 !sv_is(t->names[column], "name") && !sv_is(t->names[column], "note") &&
	                 !sv_is(t->names[column], "agent") && !sv_is(t->names[column], "queue") &&
	                 !sv_is(t->names[column], "code") && !sv_is(t->names[column], "reason");
	if (!t->json) {
		if (column)
			buf_addc(t->out, ',');
		if (is_number)
			buf_addv(t->out, v);
		else
			csv_cell_put(t->out, v);
		return;
	}
	jw_key_sv(t->json, t->names[column]);
	if (is_number)
		jw_int(t->json, n);
	else
		jw_sv(t->json, v);
}

/* answered in time, in thousandths of those that count */
static void level_put(struct table *t, const struct sv *cells)
{
	int64_t in = 0, late = 0, answered = 0;
	for (size_t i = 0; i < t->columns; i++) {
		int64_t n = 0;
		if (sv_i64(cells[i], &n))
			continue;
		if (sv_is(t->names[i], "in_level"))
			in = n;
		else if (sv_is(t->names[i], "late"))
			late = n;
		else if (sv_is(t->names[i], "answered"))
			answered = n;
	}
	int level = cc_level_of((uint64_t)in, (uint64_t)answered, (uint64_t)late);
	if (t->json)
		jw_key(t->json, "service_level");
	if (t->json && level >= 0)
		jw_real(t->json, level / 10.0);
	else if (t->json)
		jw_null(t->json);
	else if (level >= 0)
		buf_printf(t->out, ",%.1f", level / 10.0);
	else
		buf_addc(t->out, ',');
}

static void rows_put(struct table *t, const struct store_rows *rows, bool has_level)
{
	struct sv cells[16];
	size_t at = 0;
	t->columns = rows->column_count < 16 ? rows->column_count : 16;
	for (size_t i = 0; i < rows->column_count; i++) {
		struct sv name;
		if (!store_rows_next(rows, &at, &name))
			return;
		t->names[i < 16 ? i : 15] = name;
		if (!t->json)
			buf_printf(t->out, "%s%.*s", i ? "," : "", SVF(name));
	}
	if (!t->json)
		buf_adds(t->out, has_level ? ",service_level\n" : "\n");
	for (size_t r = 0; r < rows->row_count; r++) {
		if (t->json)
			jw_begin_object(t->json);
		for (size_t i = 0; i < rows->column_count; i++) {
			if (!store_rows_next(rows, &at, &cells[i < 16 ? i : 15]))
				return;
			cell_put(t, i, cells[i]);
		}
		if (has_level)
			level_put(t, cells);
		if (t->json)
			jw_end_object(t->json);
		else
			buf_addc(t->out, '\n');
	}
}

int cc_history_report(struct buf *out, const char *by, int64_t from_s, int64_t to_s, const char *queue, bool is_csv)
{
	const struct report *r = NULL;
	struct number n[2];
	struct store_rows rows;
	struct json_writer w;
	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
		if (!strcmp(reports[i].by, by))
			r = &reports[i];
	if (!r)
		return ST_NOTFOUND;
	if (!is_on)
		return ST_UNSUPPORTED;
	const struct sv values[] = {number_put(&n[0], from_s), number_put(&n[1], to_s), sv_of(queue)};
	int st = store_sql_run(store, r->sql, values, 3, &rows);
	if (!st) {
		struct table t = {.out = out, .json = is_csv ? NULL : &w};
		jw_init(&w, out, false);
		if (t.json)
			jw_begin_array(&w);
		rows_put(&t, &rows, r->has_level);
		if (t.json)
			jw_end_array(&w);
	}
	store_rows_fini(&rows);
	return st;
}
