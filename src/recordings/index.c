/* One row a recording: who, when, how long, where. It is written when the recorder tells that it is over, by what its
 * event says; a worker adds the file's size first, so that a file that is not there is no row. The index is the
 * database's: questions are statements with parameters, answered in their time. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/event/event.h"
#include "core/value/self.h"
#include "loop/work.h"
#include "recordings/recordings_i.h"
#include "store/store.h"
#include "text/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COLUMNS = 12, WAITING_MAX = 4096 };
static const char *const columns[COLUMNS + 1] = {"path", "started", "ended", "ms", "bytes", "uuid", "caller_number",
    "caller_name", "callee_number", "queue", "conference", "agent", NULL};
static const struct store_table table = {"recordings", columns, 1, NULL};
enum column { PATH, STARTED, ENDED, MS, BYTES, UUID, CALLER, CALLER_NAME, CALLEE, QUEUE, CONFERENCE, AGENT };

struct store *rec_store;
static struct event_sub *sub;
static uint64_t indexed_count, removed_count;
static size_t waiting_count; /* workers' jobs */

/* ---- a recording is over ---- */

struct row {
	char *cells[COLUMNS];
	int64_t bytes; /* the worker's: -1: it is not there */
};

static void row_free(struct row *r)
{
	for (int i = 0; i < COLUMNS; i++)
		mem_free(r->cells[i]);
	mem_free(r);
}

static void row_stat(void *arg)
{
	struct row *r = arg;
	struct stat st;
	role_assert_work();
	r->bytes = stat(r->cells[PATH], &st) || !S_ISREG(st.st_mode) ? -1 : st.st_size;
}

static void row_put(int status, void *arg)
{
	struct row *r = arg;
	struct sv values[COLUMNS];
	char bytes[24];
	role_assert_ctl();
	waiting_count--;
	if (!status && r->bytes >= 0 && rec_store) {
		snprintf(bytes, sizeof(bytes), "%" PRId64, r->bytes);
		for (int i = 0; i < COLUMNS; i++)
			values[i] = sv_of(r->cells[i] ? r->cells[i] : "");
		values[BYTES] = sv_of(bytes);
		if (store_put(rec_store, &table, values))
			log_error("recordings: %s is not in the index: the database does not keep up", r->cells[PATH]);
		else
			indexed_count++;
		rec_convert_later(r->cells[PATH]);
	}
	row_free(r);
}

static ON_CTL void row_set(struct row *r, enum column c, const char *value)
{
	mem_free(r->cells[c]);
	r->cells[c] = mem_strdup(value ? value : "");
}

static ON_CTL void row_set_number(struct row *r, enum column c, int64_t n)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRId64, n);
	row_set(r, c, text);
}

static ON_CTL int64_t number_of(const struct event *e, const char *name)
{
	const char *v = event_get(e, name);
	int64_t n;
	return v && !sv_i64(sv_of(v), &n) && n > 0 ? n : 0;
}

static ON_CTL void row_begin(struct row *r)
{
	if (waiting_count >= WAITING_MAX || work_submit(WORK_FILE, "recordings.stat", row_stat, row_put, r)) {
		log_error("recordings: %s is not in the index: too much waits for the disk", r->cells[PATH]);
		row_free(r);
	} else {
		waiting_count++;
	}
}

static ON_CTL struct row *row_new(const char *path, int64_t ms)
{
	struct row *r = mem_zalloc(sizeof(*r));
	int64_t now_s = clock_wall_us() / 1000000;
	if (!r)
		return NULL;
	row_set(r, PATH, path);
	row_set_number(r, STARTED, now_s - ms / 1000);
	row_set_number(r, ENDED, now_s);
	row_set_number(r, MS, ms);
	if (r->cells[PATH])
		return r;
	row_free(r);
	return NULL;
}

static ON_CTL const char *either(const char *a, const char *b)
{
	return a && *a ? a : b;
}

static ON_CTL void leg_over(const struct event *e)
{
	const char *path = event_get(e, "Record-File-Path");
	struct row *r = path && rec_below(path) ? row_new(path, number_of(e, "variable_record_ms")) : NULL;
	if (!r)
		return;
	row_set(r, UUID, event_get(e, "Unique-ID"));
	row_set(r, CALLER, event_get(e, "Caller-Caller-ID-Number"));
	row_set(r, CALLER_NAME, event_get(e, "Caller-Caller-ID-Name"));
	row_set(r, CALLEE, either(event_get(e, "variable_dialed_user"), event_get(e, "Caller-Destination-Number")));
	row_set(r, QUEUE, event_get(e, "variable_cc_queue"));
	row_set(r, AGENT, event_get(e, "variable_cc_agent"));
	row_begin(r);
}

static ON_CTL void conference_over(const struct event *e)
{
	const char *path = event_get(e, "Path");
	struct row *r = path && rec_below(path) ? row_new(path, number_of(e, "Milliseconds-Elapsed")) : NULL;
	if (!r)
		return;
	row_set(r, CONFERENCE, event_get(e, "Conference-Name"));
	row_set(r, UUID, event_get(e, "Conference-Unique-ID"));
	row_begin(r);
}

static void on_event(struct event *e, void *arg)
{
	role_assert_ctl();
	const char *action = event_get(e, "Action"), *path;
	switch (event_id(e)) {
	case EVENT_RECORD_START:
		if ((path = event_get(e, "Record-File-Path")))
			rec_convert_not(path);
		break;
	case EVENT_RECORD_STOP:
		leg_over(e);
		break;
	case EVENT_CUSTOM:
		if (action && !strcmp(action, "stop-recording"))
			conference_over(e);
		break;
	default:
		break;
	}
}

/* ---- the file changes, or goes ---- */

/* The row under its new name; what it said stays. */
void rec_index_moved(const char *from, const char *to, uint64_t bytes)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	const struct sv params[] = {sv_of(to), sv_of(text), sv_of(from)};
	if (rec_store)
		(void)store_sql(
		    rec_store, "UPDATE recordings SET path=$1, bytes=$2 WHERE path=$3", params, 3, NULL, NULL, NULL);
}

struct removal {
	char *path, *why;
	int error; /* the worker's */
};

static void file_remove(void *arg)
{
	struct removal *m = arg;
	role_assert_work();
	m->error = unlink(m->path) ? errno : 0; /* it was below the directory when it was asked for */
}

static void file_removed(int status, void *arg)
{
	struct removal *m = arg;
	struct event *e;
	role_assert_ctl();
	waiting_count--;
	/* a file that somebody else removed leaves a row that says nothing true; one that cannot be removed keeps its
	 * row */
	if (!status && m->error && m->error != ENOENT)
		log_error("recordings: %s cannot be deleted: %s", m->path, strerror(m->error));
	else if (!status && rec_store && !store_del(rec_store, &table, (struct sv[]){sv_of(m->path)})) {
		removed_count++;
		log_notice("recordings: %s is deleted (%s)%s", m->path, m->why, m->error ? "; the file was gone" : "");
		if (event_is_wanted(EVENT_CUSTOM, "recordings::deleted") &&
		    (e = event_new(EVENT_CUSTOM, "recordings::deleted"))) {
			event_add(e, "Record-File-Path", m->path);
			event_add(e, "Reason", m->why);
			event_fire(e);
		}
	}
	mem_free(m->path);
	mem_free(m->why);
	mem_free(m);
}

void rec_remove(const char *path, const char *why)
{
	struct removal *m = mem_zalloc(sizeof(*m));
	if (!m)
		return;
	m->path = mem_strdup(path), m->why = mem_strdup(why);
	if (m->path && m->why && rec_below(path) &&
	    !work_submit(WORK_FILE, "recordings.remove", file_remove, file_removed, m)) {
		waiting_count++;
		rec_convert_not(path);
		return;
	}
	mem_free(m->path);
	mem_free(m->why);
	mem_free(m);
}

void rec_counts(uint64_t *indexed, uint64_t *removed)
{
	*indexed = indexed_count, *removed = removed_count;
}

/* ---- questions ---- */

/* A part of a number: its wildcards are none. */
static ON_CTL void like_put(struct buf *b, struct sv part)
{
	buf_addc(b, '%');
	for (size_t i = 0; i < part.n; i++) {
		if (part.p[i] == '%' || part.p[i] == '_' || part.p[i] == '!')
			buf_addc(b, '!');
		buf_addc(b, part.p[i]);
	}
	buf_addc(b, '%');
}

static ON_CTL void put_lines(const struct store_rows *rows, struct buf *out)
{
	size_t at = 0, n = 0;
	struct sv cell;
	while (store_rows_next(rows, &at, &cell)) { /* the names first */
		buf_printf(out, "%.*s%s", SVF(cell.p ? cell : SV("")), ++n % rows->column_count ? "," : "\n");
	}
}

static ON_CTL void put_json(const struct store_rows *rows, struct buf *out)
{
	struct json_writer w;
	struct sv names[COLUMNS], cell;
	size_t at = 0, n = 0;
	if (rows->column_count != COLUMNS)
		return;
	for (int i = 0; i < COLUMNS; i++)
		if (!store_rows_next(rows, &at, &names[i]))
			return;
	jw_init(&w, out, false);
	jw_begin_array(&w);
	for (; store_rows_next(rows, &at, &cell); n++) {
		if (n % COLUMNS == 0)
			jw_begin_object(&w);
		jw_key_sv(&w, names[n % COLUMNS]);
		jw_sv(&w, cell.p ? cell : SV(""));
		if (n % COLUMNS == COLUMNS - 1)
			jw_end_object(&w);
	}
	jw_end_array(&w);
}

int rec_search(const struct rec_query *q, struct buf *out)
{
	static const char text[] =
	    "SELECT path,started,ended,ms,bytes,uuid,caller_number,caller_name,callee_number,queue,conference,agent "
	    "FROM recordings WHERE "
	    "started>=$1 AND started<$2 AND (caller_number LIKE $3 ESCAPE '!' OR callee_number LIKE $3 ESCAPE '!') AND "
	    "queue LIKE $4 ESCAPE '!' AND uuid LIKE $5 ESCAPE '!' ORDER BY started DESC LIMIT ";
	struct buf sql, number, queue, uuid;
	struct store_rows rows;
	char from[24], to[24];
	if (!rec_store)
		return ST_NOTFOUND;
	buf_init(&sql), buf_init(&number), buf_init(&queue), buf_init(&uuid);
	buf_printf(&sql, "%s%u OFFSET %u", text, (unsigned)q->limit, (unsigned)q->offset);
	like_put(&number, q->number), like_put(&queue, q->queue), like_put(&uuid, q->uuid);
	snprintf(from, sizeof(from), "%010" PRId64, q->from_s);
	snprintf(to, sizeof(to), "%010" PRId64, q->to_s ? q->to_s : INT64_C(9999999999));
	const struct sv params[] = {sv_of(from), sv_of(to), buf_sv(&number), buf_sv(&queue), buf_sv(&uuid)};
	int st = sql.failed || number.failed || queue.failed || uuid.failed
	             ? ST_NOMEM
	             : store_sql_run(rec_store, sql.p, params, 5, &rows);
	buf_fini(&sql), buf_fini(&number), buf_fini(&queue), buf_fini(&uuid);
	if (st == ST_NOMEM)
		return st;
	if (st)
		buf_printf(out, "-ERR %.*s\n", SVF(buf_sv(&rows.error)));
	else if (q->is_json)
		put_json(&rows, out);
	else
		put_lines(&rows, out);
	store_rows_fini(&rows);
	return ST_OK;
}

bool rec_is_known(const char *path)
{
	struct store_rows rows;
	const struct sv params[] = {sv_of(path)};
	if (!rec_store)
		return false;
	int st = store_sql_run(rec_store, "SELECT path FROM recordings WHERE path=$1", params, 1, &rows);
	bool is_known = !st && rows.row_count == 1;
	store_rows_fini(&rows);
	return is_known;
}

int rec_status(struct buf *out)
{
	struct store_rows rows;
	struct sv cell;
	size_t at = 0, n = 0;
	static const char *const names[] = {"files", "bytes", "milliseconds"};
	if (!rec_store)
		return ST_NOTFOUND;
	int st = store_sql_run(rec_store,
	    "SELECT COUNT(*), COALESCE(SUM(CAST(bytes AS BIGINT)),0), COALESCE(SUM(CAST(ms AS BIGINT)),0) FROM "
	    "recordings",
	    NULL, 0, &rows);
	for (size_t i = 0; !st && store_rows_next(&rows, &at, &cell); i++)
		if (i >= rows.column_count && n < 3)
			buf_printf(out, "%s: %.*s\n", names[n++], SVF(cell));
	store_rows_fini(&rows);
	return st;
}

/* ---- life ---- */

static void on_table(int status, void *arg)
{
	role_assert_ctl();
	if (rec_store && status >= 0)
		(void)store_sql(rec_store, "CREATE INDEX IF NOT EXISTS recordings_started ON recordings (started)",
		    NULL, 0, NULL, NULL, NULL);
}

static void on_none(const struct sv *values, size_t n, void *arg) {}

int rec_index_start(void)
{
	int st = event_sub_new(&sub, on_event, NULL);
	if (st)
		return st;
	event_sub_want(sub, EVENT_RECORD_START, true);
	event_sub_want(sub, EVENT_RECORD_STOP, true);
	event_sub_want_subclass(sub, "conference::maintenance", true);
	indexed_count = removed_count = 0;
	return rec_store ? store_each(rec_store, &table, (struct sv[]){SV("")}, 1, on_none, on_table, NULL)
	                 : ST_OK; /* makes the table */
}

void rec_index_stop(void)
{
	if (sub)
		event_sub_free(sub);
	sub = NULL;
}
