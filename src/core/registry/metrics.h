/* What the program knows about itself in numbers. Rooms describe families in tables (a module names its table in its
 * descriptor); their fill functions run only when somebody asks: /metrics, `show loops|rings|locks|memory`, `event
 * stats`. Nothing is sampled or summed in between, so an unread metric costs what its counter costs.
 * Several tables may have rows of one family (all rings are one family): its samples come together, the first row's
 * help and kind stand for it. Control thread.
 * Shared families: tandem_ring_fill, _slots and _refused_total {ring}; tandem_event_clients {door} and, with
 * METRIC_INSIDE, tandem_event_client_delivered_total, _dropped_total and _waiting_bytes {door, client}. */
#pragma once
#include "base/role.h"
#include "base/str.h"

enum metric_kind { METRIC_NONE, METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum {
	METRIC_INSIDE = 1 /* one sample a client or the like: for the commands, left out of the Prometheus text */
};
struct metric_out;
struct metric_desc {
	const char *name; /* by Prometheus' rules: unit and, for a counter, _total at its end: tandem_x_bytes */
	enum metric_kind kind;
	unsigned flags;
	const char *help; /* one sentence */
	/* Puts this row's samples; which tells rows of one function apart. */
	void (*fill)(struct metric_out *out, int which);
	int which;
};
/* The table ends with a zero row and must stay until metrics_del. ST_FULL beyond 64 tables. */
ON_CTL int metrics_add(const struct metric_desc *table);
ON_CTL void metrics_del(const struct metric_desc *table);

enum { METRIC_LABELS_MAX = 4 };
struct metric_histogram {
	size_t bound_count;
	const double *bounds;   /* ascending upper bounds */
	const uint64_t *counts; /* bound_count + 1 of them, each of its own step, not cumulated */
	double sum;
};
/* For fill functions. Labels: name and value by turns, ended by NULL; at most METRIC_LABELS_MAX pairs; borrowed. */
ON_CTL void metric_put(struct metric_out *out, double value, ...) __attribute__((sentinel));
ON_CTL void metric_put_histogram(struct metric_out *out, const struct metric_histogram *h, ...)
    __attribute__((sentinel));

struct metric_sample {
	const struct metric_desc *metric;
	size_t label_count;
	const char *labels[2 * METRIC_LABELS_MAX]; /* name, value, name, value ... */
	double value;
	const struct metric_histogram *histogram; /* NULL for counters and gauges */
};
/* Each sample of every family whose name begins with prefix, family by family. */
typedef void (*metric_fn)(const struct metric_sample *s, void *arg);
ON_CTL void metrics_each(const char *prefix, metric_fn fn, void *arg);
/* The value of a label, or NULL. */
ANY const char *metric_label(const struct metric_sample *s, const char *name);
/* All of it in Prometheus' text format, version 0.0.4. */
ON_CTL void metrics_render(struct buf *out);
