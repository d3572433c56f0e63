/* `show loops|rings|memory|media|locks` and `event stats`: metric families (core/registry/metrics.h) laid out as
 * tables, one row for each combination of the families' labels, one column for each family. Ours, beyond FreeSWITCH. */
#include "api/api_i.h"
#include "base/status.h"
#include "core/registry/api.h"
#include "core/registry/metrics.h"

#include <stdio.h>
#include <stdlib.h>

enum { COLS_MAX = 16, ROWS_MAX = 4096 };
struct column {
	const char *title;
	const char *label; /* the value of a label, or: */
	const char *metric;
	double scale;
};

struct line {
	const char *cells[COLS_MAX]; /* owned */
	double order;
};
struct table {
	const struct column *cols;
	size_t col_count, sort_col;
	struct line *lines;
	size_t count, cap;
};

static bool is_line_of(const struct table *t, const struct line *l, const struct metric_sample *s)
{
	for (size_t i = 0; i < t->col_count; i++)
		if (t->cols[i].label && strcmp(l->cells[i], metric_label(s, t->cols[i].label)))
			return false;
	return true;
}

static struct line *line_of(struct table *t, const struct metric_sample *s)
{
	for (size_t i = 0; i < t->col_count; i++)
		if (t->cols[i].label && !metric_label(s, t->cols[i].label))
			return NULL;
	for (size_t i = 0; i < t->count; i++)
		if (is_line_of(t, &t->lines[i], s))
			return &t->lines[i];
	if (t->count == ROWS_MAX)
		return NULL;
	if (t->count == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;
		struct line *lines = mem_realloc(t->lines, cap * sizeof(*lines));
		if (!lines)
			return NULL;
		t->lines = lines, t->cap = cap;
	}
	struct line *l = &t->lines[t->count++];
	*l = (struct line){0};
	for (size_t i = 0; i < t->col_count; i++)
		l->cells[i] = mem_strdup(t->cols[i].label ? metric_label(s, t->cols[i].label) : "0");
	return l;
}

struct fill {
	struct table *table;
	size_t col;
};

static void sample_in(const struct metric_sample *s, void *arg)
{
	struct fill *f = arg;
	const struct column *c = &f->table->cols[f->col];
	struct line *l;
	char text[40];
	/* the prefix may have found longer names, too */
	if (strcmp(s->metric->name, c->metric) || !(l = line_of(f->table, s)))
		return;
	snprintf(text, sizeof(text), "%.0f", s->value * c->scale);
	mem_free((char *)l->cells[f->col]);
	l->cells[f->col] = mem_strdup(text);
	if (f->col == f->table->sort_col)
		l->order = s->value;
}

static int line_compare(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	if (x->order != y->order)
		return x->order < y->order ? 1 : -1;
	return strcmp(x->cells[0], y->cells[0]);
}

/* The greatest of sort_col first. */
static ON_CTL void table_rows(
    struct rows *rows, const struct column *cols, size_t col_count, size_t sort_col, const char *filter)
{
	struct table t = {.cols = cols, .col_count = col_count, .sort_col = sort_col};
	for (size_t i = 0; i < col_count; i++) {
		struct fill f = {&t, i};
		if (cols[i].metric)
			metrics_each(cols[i].metric, sample_in, &f);
	}
	qsort(t.lines, t.count, sizeof(t.lines[0]), line_compare);
	for (size_t i = 0; i < t.count; i++) {
		if (!filter || strcasestr(t.lines[i].cells[0], filter))
			rows_add(rows, t.lines[i].cells);
		for (size_t k = 0; k < col_count; k++)
			mem_free((char *)t.lines[i].cells[k]);
	}
	mem_free(t.lines);
}

#define TABLE(rows, cols, names, sort, filter) \
	((rows)->cols = (names), table_rows((rows), (cols), sizeof(cols) / sizeof((cols)[0]), (sort), (filter)))

void show_loops(struct rows *rows, const char *filter)
{
	static const char *const names[] = {
	    "handler", "runs", "total_us", "longest_us", "slow", "timers", "late_us", "latest_us", NULL};
	static const struct column cols[] = {{"handler", "handler", NULL, 0},
	    {"runs", NULL, "tandem_loop_handler_runs_total", 1},
	    {"total_us", NULL, "tandem_loop_handler_seconds_total", 1e6},
	    {"longest_us", NULL, "tandem_loop_handler_longest_seconds", 1e6},
	    {"slow", NULL, "tandem_loop_handler_slow_total", 1},
	    {"timers", NULL, "tandem_loop_handler_timers_total", 1},
	    {"late_us", NULL, "tandem_loop_handler_late_seconds_total", 1e6},
	    {"latest_us", NULL, "tandem_loop_handler_late_longest_seconds", 1e6}};
	TABLE(rows, cols, names, 2, filter);
}

void show_rings(struct rows *rows, const char *filter)
{
	static const char *const names[] = {"ring", "fill", "slots", "refused", NULL};
	static const struct column cols[] = {{"ring", "ring", NULL, 0}, {"fill", NULL, "tandem_ring_fill", 1},
	    {"slots", NULL, "tandem_ring_slots", 1}, {"refused", NULL, "tandem_ring_refused_total", 1}};
	TABLE(rows, cols, names, 1, filter);
}

void show_media(struct rows *rows, const char *filter)
{
	static const char *const names[] = {"thread", "streams", "moved_in", "packets_in", "packets_out", "dropped",
	    "ticks", "ticks_late", "latest_us", "cpu_ms", "kernel_streams", "kernel_packets", "xdp_packets", NULL};
	static const struct column cols[] = {{"thread", "thread", NULL, 0},
	    {"streams", NULL, "tandem_media_streams", 1}, {"moved_in", NULL, "tandem_media_moves_total", 1},
	    {"packets_in", NULL, "tandem_media_rtp_received_packets_total", 1},
	    {"packets_out", NULL, "tandem_media_rtp_sent_packets_total", 1},
	    {"dropped", NULL, "tandem_media_rtp_dropped_packets_total", 1},
	    {"ticks", NULL, "tandem_media_ticks_total", 1}, {"ticks_late", NULL, "tandem_media_ticks_late_total", 1},
	    {"latest_us", NULL, "tandem_media_tick_late_longest_seconds", 1e6},
	    {"cpu_ms", NULL, "tandem_media_cpu_seconds_total", 1e3},
	    {"kernel_streams", NULL, "tandem_media_kernel_streams", 1},
	    {"kernel_packets", NULL, "tandem_media_kernel_packets_total", 1},
	    {"xdp_packets", NULL, "tandem_media_kernel_xdp_packets_total", 1}};
	TABLE(rows, cols, names, 1, filter);
}

void show_memory(struct rows *rows, const char *filter)
{
	static const char *const names[] = {"room", "objects", "bytes", NULL};
	static const struct column cols[] = {{"room", "room", NULL, 0}, {"objects", NULL, "tandem_memory_objects", 1},
	    {"bytes", NULL, "tandem_memory_bytes", 1}};
	TABLE(rows, cols, names, 2, filter);
}

void show_locks(struct rows *rows, const char *filter)
{
	static const char *const names[] = {"lock", "taken", "waited", "waited_us", NULL};
	static const struct column cols[] = {{"lock", "lock", NULL, 0}, {"taken", NULL, "tandem_lock_taken_total", 1},
	    {"waited", NULL, "tandem_lock_waited_total", 1},
	    {"waited_us", NULL, "tandem_lock_waited_seconds_total", 1e6}};
	TABLE(rows, cols, names, 1, filter);
}

static ON_CTL void stats_names(struct rows *rows)
{
	static const char *const names[] = {"event", "built", "fired", "delivered", "dropped", NULL};
	static const struct column cols[] = {{"event", "event", NULL, 0},
	    {"built", NULL, "tandem_events_built_total", 1}, {"fired", NULL, "tandem_events_fired_total", 1},
	    {"delivered", NULL, "tandem_events_delivered_total", 1},
	    {"dropped", NULL, "tandem_events_dropped_total", 1}};
	TABLE(rows, cols, names, 2, NULL);
}

static ON_CTL void stats_clients(struct rows *rows)
{
	static const char *const names[] = {"door", "client", "delivered", "dropped", "waiting_bytes", NULL};
	static const struct column cols[] = {{"door", "door", NULL, 0}, {"client", "client", NULL, 0},
	    {"delivered", NULL, "tandem_event_client_delivered_total", 1},
	    {"dropped", NULL, "tandem_event_client_dropped_total", 1},
	    {"waiting_bytes", NULL, "tandem_event_client_waiting_bytes", 1}};
	TABLE(rows, cols, names, 2, NULL);
}

int api_event(struct api_call *c)
{
	role_assert_ctl();
	struct api_words w;
	struct rows rows;
	int st = api_words_init(&w, c, 8);
	rows_init(&rows, NULL);
	bool is_known = !st && w.n > 0 && !strcasecmp(w.w[0], "stats") && rows_parse_as(&w, &rows);
	bool has_names = is_known && (w.n == 1 || !strcasecmp(w.w[1], "names")),
	     has_clients = is_known && (w.n == 1 || !strcasecmp(w.w[1], "clients"));
	if (has_names && has_clients && rows.format != ROWS_CSV)
		has_clients = false; /* one document: ask for each by its name */
	if (has_names) {
		stats_names(&rows);
		rows_finish(&rows, c->out);
		rows_init(&rows, NULL);
	}
	if (has_names && has_clients)
		buf_addc(c->out, '\n');
	if (has_clients) {
		stats_clients(&rows);
		rows_finish(&rows, c->out);
	}
	if (!has_names && !has_clients)
		api_usage(c, "event");
	buf_fini(&rows.text);
	api_words_fini(&w);
	return ST_OK;
}
