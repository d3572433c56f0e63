/* Spans on their way out: a bounded queue of rendered spans, one POST at a time. A batch that the collector did not
 * take is tried again, later each time, five times; what comes meanwhile waits in the queue, and what finds it full is
 * dropped and counted. A dead collector costs nothing else. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/value/self.h"
#include "fetch/fetch.h"
#include "loop/loop.h"
#include "otel/otel_i.h"
#include "text/json.h"

#include <stdio.h>
#include <string.h>

enum { TRIES_MAX = 5, BACKOFF_MS = 1000, BACKOFF_MAX_MS = 30000, SPAN_MAX_BYTES = 32768 };
static struct {
	bool is_on, is_told;
	char **queue; /* a ring of owned texts */
	size_t cap, head, count;
	struct ltimer timer;
	struct fetch *fetch;
	struct buf batch; /* the body that is under way; empty: none */
	size_t batch_count;
	unsigned tries;
	struct export_counts counts;
} out;

static void on_timer(void *arg);

static ON_CTL void timer_set(int64_t ms)
{
	loop_timer_set(&out.timer, clock_us_of_ms(ms), "otel", on_timer, NULL);
}

static void text_attribute(struct json_writer *w, const char *key, const char *value)
{
	jw_begin_object(w);
	jw_kv_str(w, "key", key);
	jw_key(w, "value");
	jw_begin_object(w);
	jw_kv_str(w, "stringValue", value);
	jw_end_object(w);
	jw_end_object(w);
}

static ON_CTL void batch_make(void)
{
	struct json_writer w;
	jw_init(&w, &out.batch, false);
	jw_begin_object(&w);
	jw_key(&w, "resourceSpans");
	jw_begin_array(&w);
	jw_begin_object(&w);
	jw_key(&w, "resource");
	jw_begin_object(&w);
	jw_key(&w, "attributes");
	jw_begin_array(&w);
	text_attribute(&w, "service.name", otel_conf.service);
	text_attribute(&w, "service.version", TANDEM_VERSION);
	text_attribute(&w, "service.instance.id", core_uuid());
	text_attribute(&w, "host.name", core_hostname());
	jw_end_array(&w);
	jw_end_object(&w);
	jw_key(&w, "scopeSpans");
	jw_begin_array(&w);
	jw_begin_object(&w);
	jw_key(&w, "scope");
	jw_begin_object(&w);
	jw_kv_str(&w, "name", "tandem");
	jw_kv_str(&w, "version", TANDEM_VERSION);
	jw_end_object(&w);
	jw_key(&w, "spans");
	jw_begin_array(&w);
	for (out.batch_count = 0; out.count && out.batch_count < otel_conf.batch_spans; out.batch_count++) {
		char *span = out.queue[out.head];
		jw_raw(&w, sv_of(span));
		mem_free(span);
		out.head = (out.head + 1) % out.cap;
		out.count--;
	}
	jw_end_array(&w);
	jw_end_object(&w);
	jw_end_array(&w);
	jw_end_object(&w);
	jw_end_array(&w);
	jw_end_object(&w);
}

static ON_CTL void batch_done(bool is_taken)
{
	*(is_taken ? &out.counts.exported : &out.counts.dropped) += out.batch_count;
	buf_clear(&out.batch);
	out.batch_count = 0;
	out.tries = 0;
	timer_set(out.count >= otel_conf.batch_spans ? 0 : otel_conf.flush_ms);
}

static ON_CTL void failed(const char *why, bool is_worth_trying)
{
	out.counts.failed_posts++;
	if (!out.is_told)
		log_warning("otel: %s: %s", otel_conf.endpoint, why);
	out.is_told = true;
	if (!is_worth_trying || ++out.tries >= TRIES_MAX) {
		batch_done(false);
		return;
	}
	int64_t ms = (int64_t)BACKOFF_MS << (out.tries - 1);
	timer_set(ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS);
}

static void on_posted(const struct fetch_result *r, void *arg)
{
	role_assert_ctl();
	out.fetch = NULL;
	if (r->status == ST_CANCELLED)
		return;
	if (r->status) {
		failed(r->error, true);
	} else if (r->code / 100 == 2) {
		out.is_told = false;
		batch_done(true);
	} else { /* by the protocol only these are worth another try */
		char text[64];
		struct sv code = {text, (size_t)snprintf(text, sizeof(text), "the collector answers %d", r->code)};
		failed(code.p, r->code == 429 || r->code == 502 || r->code == 503 || r->code == 504);
	}
}

static ON_CTL void post(void)
{
	struct fetch_params p = {.url = otel_conf.endpoint,
	    .headers = otel_conf.headers,
	    .ctype = "application/json",
	    .body = buf_sv(&out.batch),
	    .timeout_ms = otel_conf.timeout_ms,
	    .max_bytes = 65536,
	    .allows_http = true,
	    .allows_inside = true,
	    .ca_file = *otel_conf.ca_file ? otel_conf.ca_file : NULL};
	int st = out.batch.failed ? ST_NOMEM : fetch_start(&out.fetch, &p, on_posted, NULL);
	if (st)
		failed(status_text(st), st != ST_INVAL && st != ST_DENIED && st != ST_NOMEM);
}

static void on_timer(void *arg)
{
	role_assert_ctl();
	if (out.fetch)
		return;
	if (!out.batch.n && out.count)
		batch_make();
	if (out.batch.n)
		post();
	else
		timer_set(otel_conf.flush_ms);
}

void export_span(struct buf *json)
{
	char *text = json->failed || json->n > SPAN_MAX_BYTES ? NULL : buf_take(json);
	if (!text || !out.is_on || out.count == out.cap) {
		buf_fini(json);
		mem_free(text);
		out.counts.dropped++;
		return;
	}
	out.queue[(out.head + out.count++) % out.cap] = text;
	if (out.count == otel_conf.batch_spans && !out.fetch && !out.batch.n)
		timer_set(0);
}

void export_start(void)
{
	memset(&out, 0, sizeof(out));
	buf_init(&out.batch);
	out.cap = otel_conf.queue_spans;
	out.queue = mem_zalloc(out.cap * sizeof(*out.queue));
	out.is_on = out.queue != NULL;
	if (out.is_on)
		timer_set(otel_conf.flush_ms);
}

void export_stop(void)
{
	if (!out.is_on)
		return;
	out.is_on = false;
	loop_timer_cancel(&out.timer);
	fetch_cancel(out.fetch);
	out.fetch = NULL;
	for (; out.count; out.count--, out.head = (out.head + 1) % out.cap)
		mem_free(out.queue[out.head]);
	mem_free(out.queue);
	out.queue = NULL;
	buf_fini(&out.batch);
}

void export_counts_get(struct export_counts *c)
{
	*c = out.counts;
	c->queued = out.count + out.batch_count;
}
