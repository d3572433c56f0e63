/* OpenTelemetry traces: a tree of spans for each call and one for each registration, sent by OTLP over HTTP (JSON).
 * Made from events, which are built only while somebody wants them: without an endpoint in otel.conf nothing here runs.
 *
 *   events -> call.c: what is open, by leg -> span_end -> export.c: queue -> batch -> fetch: POST /v1/traces
 *
 * Control thread. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include <stdbool.h>
#include <stdint.h>

enum { TRACE_ID_CHARS = 32, SPAN_ID_CHARS = 16 };
struct otel_conf {
	char *endpoint, *service, *headers /* whole lines */, *ca_file;
	unsigned batch_spans, queue_spans, flush_ms, timeout_ms;
	double ratio; /* of calls that are traced */
	bool tells_numbers, propagates;
};
extern struct otel_conf otel_conf;

enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER = 2, SPAN_CLIENT = 3 };
struct span {
	bool is_open;
	char trace_id[TRACE_ID_CHARS + 1], id[SPAN_ID_CHARS + 1], parent[SPAN_ID_CHARS + 1]; /* parent "": a root */
	char name[64];
	enum span_kind kind;
	int64_t start_us; /* wall */
};
/* Attributes of a span that ends: names and values by turns, ended by NULL; a NULL value leaves the pair out; a name
 * that begins with '#' is a number's. */
ON_CTL void span_begin(
    struct span *s, const char *name, enum span_kind kind, const struct span *parent, int64_t now_us);
ON_CTL void span_end(struct span *s, int64_t now_us, const char *error /* NULL: none */, const char *const *attributes);
ANY void otel_id_make(char *out, size_t chars);

/* ---- traceparent.c (W3C Trace Context, level 1) ---- */
/* "00-TRACE-PARENT-FLAGS". ST_PARSE: it is none, or of zeros. */
ANY int otel_traceparent_parse(
    struct sv text, char trace_id[TRACE_ID_CHARS + 1], char parent[SPAN_ID_CHARS + 1], bool *is_sampled);

/* ---- export.c ---- */
ON_CTL void export_start(void);
ON_CTL void export_stop(void);
ON_CTL void export_span(struct buf *json); /* takes the text */
struct export_counts {
	uint64_t exported, dropped, failed_posts;
	size_t queued;
};
ON_CTL void export_counts_get(struct export_counts *out);

/* ---- call.c ---- */
ON_CTL int calls_trace_start(void);
ON_CTL void calls_trace_stop(void);
