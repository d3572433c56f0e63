/* A span: opened with its ids, ended once, rendered then as OTLP's JSON and queued. */
#include "base/mem.h"
#include "base/rand.h"
#include "otel/otel_i.h"
#include "text/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void otel_id_make(char *out, size_t chars)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t bytes[TRACE_ID_CHARS / 2];
	rand_bytes(bytes, chars / 2);
	bytes[0] |= 1; /* all zeros is none */
	for (size_t i = 0; i < chars / 2; i++)
		out[2 * i] = hex[bytes[i] >> 4], out[2 * i + 1] = hex[bytes[i] & 15];
	out[chars] = 0;
}

void span_begin(struct span *s, const char *name, enum span_kind kind, const struct span *parent, int64_t now_us)
{
	*s = (struct span){.is_open = true, .kind = kind, .start_us = now_us};
	snprintf(s->name, sizeof(s->name), "%s", name);
	otel_id_make(s->id, SPAN_ID_CHARS);
	if (parent) {
		memcpy(s->trace_id, parent->trace_id, sizeof(s->trace_id));
		memcpy(s->parent, parent->id, sizeof(s->parent));
	} else {
		otel_id_make(s->trace_id, TRACE_ID_CHARS);
	}
}

static void time_put(struct json_writer *w, const char *key, int64_t us)
{
	char text[32];
	snprintf(text, sizeof(text), "%" PRId64 "000", us > 0 ? us : 0);
	jw_kv_str(w, key, text);
}

/* Cut: what a stranger says of himself must not fill the queue. */
static void attribute_put(struct json_writer *w, const char *name, const char *value)
{
	enum { VALUE_MAX_BYTES = 1024 };
	bool is_number = *name == '#';
	jw_begin_object(w);
	jw_kv_str(w, "key", name + is_number);
	jw_key(w, "value");
	jw_begin_object(w);
	jw_key(w, is_number ? "intValue" : "stringValue"); /* 64-bit numbers are texts in this JSON */
	jw_sv(w, sv_sub(sv_of(value), 0, VALUE_MAX_BYTES));
	jw_end_object(w);
	jw_end_object(w);
}

void span_end(struct span *s, int64_t now_us, const char *error, const char *const *attributes)
{
	struct json_writer w;
	struct buf b;
	if (!s->is_open)
		return;
	s->is_open = false;
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "traceId", s->trace_id);
	jw_kv_str(&w, "spanId", s->id);
	if (*s->parent)
		jw_kv_str(&w, "parentSpanId", s->parent);
	jw_kv_str(&w, "name", s->name);
	jw_kv_int(&w, "kind", s->kind);
	time_put(&w, "startTimeUnixNano", s->start_us);
	time_put(&w, "endTimeUnixNano", now_us > s->start_us ? now_us : s->start_us);
	jw_key(&w, "attributes");
	jw_begin_array(&w);
	for (; attributes && attributes[0]; attributes += 2)
		if (attributes[1])
			attribute_put(&w, attributes[0], attributes[1]);
	jw_end_array(&w);
	jw_key(&w, "status");
	jw_begin_object(&w);
	if (error) {
		jw_kv_int(&w, "code", 2);
		jw_kv_str(&w, "message", error);
	}
	jw_end_object(&w);
	jw_end_object(&w);
	export_span(&b);
}
