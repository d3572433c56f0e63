/* Readers of the event ring: server-sent events (GET /v1/events) and WebSocket (GET /v1/events/ws). Both are a filter
 * and a position; when the ring grows or the connection has room again, what passes the filter is written until the
 * connection is full. Who falls behind the ring's begin is told by a gap, and goes on from there. */
#include "base/list.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "loop/loop.h"
#include "net/ws.h"
#include "web/web_i.h"

#include <stdio.h>
#include <string.h>

enum { WS_MESSAGE_MAX_BYTES = 64 << 10, PUMP_MAX_COUNT = 256 };

struct reader { /* counted */
	struct lnode link;
	struct http_exchange *x; /* a reference; NULL when it is over */
	struct ws *ws;           /* NULL: server-sent events */
	bool is_reading;         /* a WebSocket has subscribed */
	bool is_over;
	struct web_filter filter;
	uint64_t pos, seq /* of the newest event looked at */;
	struct web_gap gap; /* to be told first; reason NULL: none */
	uint64_t delivered, dropped;
	struct ltimer timer;
	struct ldefer again;
	bool was_quiet;
	char name[ADDR_TEXT_MAX], token[TOKEN_NAME_MAX];
};
static struct list readers = {{&readers.head, &readers.head}};
static size_t reader_count;

size_t web_reader_count(void)
{
	return reader_count;
}

static void reader_free(void *obj)
{
	struct reader *r = obj;
	role_assert_ctl();
	ws_free(r->ws);
}

/* The reader leaves the list; its exchange is finished unless that told us. */
static ON_CTL void reader_end(struct reader *r, bool finishes)
{
	if (r->is_over)
		return;
	r->is_over = true;
	struct http_exchange *x = r->x;
	r->x = NULL;
	loop_timer_cancel(&r->timer);
	loop_defer_cancel(&r->again);
	if (r->is_reading)
		web_ring_want(&r->filter, false);
	list_remove(&r->link);
	reader_count--;
	if (finishes)
		http_exchange_finish(x);
	mem_unref(x);
	mem_unref(r);
}

/* ---- writing ---- */
static int bytes_send(struct ws *w, struct sv bytes, void *arg)
{
	struct reader *r = arg;
	role_assert_ctl();
	return r->x ? http_exchange_write(r->x, bytes) : ST_CLOSED;
}

/* ST_FULL: later. */
static ON_CTL int text_write(struct reader *r, struct sv text)
{
	if (!r->ws)
		return http_exchange_write(r->x, text);
	if (ws_queued_bytes(r->ws))
		return ST_FULL;
	return ws_send_text(r->ws, text);
}

static ON_CTL int event_write(struct reader *r, const struct web_event *e)
{
	struct buf b;
	if (!r->ws)
		return text_write(r, (struct sv){e->frame, e->frame_bytes});
	buf_init(&b);
	buf_printf(
	    &b, "{\"type\":\"event\",\"id\":\"%s.%llu\",\"event\":", web_ring_epoch(), (unsigned long long)e->seq);
	buf_add(&b, e->frame + e->json_at, e->json_bytes);
	buf_addc(&b, '}');
	int st = b.failed ? ST_NOMEM : text_write(r, buf_sv(&b));
	buf_fini(&b);
	return st;
}

static ON_CTL int gap_write(struct reader *r)
{
	const struct web_gap *gap = &r->gap;
	struct buf b;
	buf_init(&b);
	if (!r->ws)
		buf_printf(&b, "id: %s.%llu\nevent: gap\ndata: ", web_ring_epoch(), (unsigned long long)gap->to);
	buf_printf(&b, "{\"type\":\"gap\",\"from\":%llu,\"to\":%llu,\"reason\":\"%s\"}", (unsigned long long)gap->from,
	    (unsigned long long)gap->to, gap->reason);
	if (!r->ws)
		buf_adds(&b, "\n\n");
	int st = text_write(r, buf_sv(&b));
	buf_fini(&b);
	if (!st)
		r->gap.reason = NULL;
	return st;
}

static void pump_again(void *arg);

static ON_CTL void pump(struct reader *r)
{
	mem_ref(r);
	unsigned n = 0;
	while (r->is_reading && !r->is_over) {
		if (n++ == PUMP_MAX_COUNT) {
			loop_defer(&r->again, "http events", pump_again, r);
			break;
		}
		if (r->pos < web_ring_begin()) {
			/* a gap that could not be told yet grows */
			if (!r->gap.reason)
				r->gap = (struct web_gap){.from = r->seq + 1, .reason = "slow"};
			r->gap.to = r->seq = web_ring_lost_seq();
			r->pos = web_ring_begin();
		}
		if ((r->gap.reason && gap_write(r)) || r->pos >= web_ring_end())
			break;
		const struct web_event *e = web_ring_at(r->pos);
		if (web_filter_passes(&r->filter, e)) {
			if (event_write(r, e))
				break;
			r->delivered++;
			r->was_quiet = false;
		}
		r->pos++;
		r->seq = e->seq;
	}
	mem_unref(r);
}

static void pump_again(void *arg)
{
	role_assert_ctl();
	pump(arg);
}

void web_readers_wake(void)
{
	struct lnode *it, *tmp;
	list_each (&readers, it, tmp)
		pump(list_entry(it, struct reader, link));
}

void web_reader_lost(uint64_t pos, const struct web_event *e)
{
	struct lnode *it, *tmp;
	list_each (&readers, it, tmp) {
		struct reader *r = list_entry(it, struct reader, link);
		if (!r->is_reading || r->pos > pos || !web_filter_passes(&r->filter, e))
			continue;
		r->dropped++;
		event_count_dropped(e->id);
	}
}

static void on_quiet(void *arg)
{
	struct reader *r = mem_ref(arg);
	role_assert_ctl();
	if (r->was_quiet && r->ws)
		ws_ping(r->ws);
	else if (r->was_quiet)
		http_exchange_write(r->x, SV(": still here\n\n"));
	r->was_quiet = true;
	if (!r->is_over)
		loop_timer_set(&r->timer, web_conf.keep_alive_us, "http quiet", on_quiet, r);
	mem_unref(r);
}

static void on_drain(struct http_exchange *x, void *arg)
{
	struct reader *r = mem_ref(arg);
	role_assert_ctl();
	if (r->ws && ws_flush(r->ws))
		reader_end(r, true);
	if (!r->is_over)
		pump(r);
	mem_unref(r);
}

static void on_close(struct http_exchange *x, void *arg)
{
	role_assert_ctl();
	reader_end(arg, false);
}

/* ---- beginning ---- */
static ON_CTL struct reader *reader_new(struct web_call *c)
{
	struct reader *r;
	if (reader_count >= web_conf.max_event_clients) {
		http_exchange_header(c->x, "Retry-After", "10");
		web_problem(c->x, 503, "too many event clients");
		return NULL;
	}
	r = mem_new(sizeof(*r), reader_free, "web.reader");
	if (!r)
		return NULL;
	addr_text(http_exchange_peer(c->x), r->name);
	snprintf(r->token, sizeof(r->token), "%s", c->token_name);
	return r;
}

static ON_CTL void reader_enter(struct reader *r, struct http_exchange *x)
{
	r->x = mem_ref(x);
	list_push(&readers, &r->link);
	reader_count++;
	loop_timer_set(&r->timer, web_conf.keep_alive_us, "http quiet", on_quiet, r);
}

/* Reads on with a new filter: from now, or after an event. */
static ON_CTL void reader_read(
    struct reader *r, const struct web_filter *f, bool has_since, struct sv epoch, uint64_t seq)
{
	struct web_filter old = r->filter;
	bool was_reading = r->is_reading;
	r->filter = *f;
	r->gap.reason = NULL;
	r->pos = has_since ? web_ring_seek(f, epoch, seq, &r->gap) : web_ring_end();
	r->seq = r->gap.reason ? r->gap.to : has_since ? seq : event_sequence();
	web_ring_want(f, true);
	if (was_reading)
		web_ring_want(&old, false);
	r->is_reading = true;
	pump(r);
}

/* events=, uuid=, since= of the query and Last-Event-ID; false when it was answered. */
static ON_CTL bool query_read(
    struct web_call *c, struct web_filter *f, bool *has_since, char epoch[FILTER_TEXT_MAX], uint64_t *seq)
{
	struct buf v;
	struct sv wrong, e, last = http_header_get(c->q, "Last-Event-ID");
	bool is_good = false;
	buf_init(&v);
	http_query_get(c->q, "events", &v);
	if (web_filter_parse(f, buf_sv(&v), &wrong)) {
		web_problem(c->x, 400, "%.*s is no event (or there are too many)", SVF(wrong));
		goto out;
	}
	buf_clear(&v);
	if (!http_query_get(c->q, "uuid", &v))
		snprintf(f->uuid, sizeof(f->uuid), "%s", v.p ? v.p : "");
	buf_clear(&v);
	*has_since = !http_query_get(c->q, "since", &v) || last.n;
	if (*has_since && last.n) { /* what a client that reconnects says is newer */
		buf_clear(&v);
		buf_addv(&v, last);
	}
	if (*has_since && (web_event_id_parse(buf_sv(&v), &e, seq) || e.n >= FILTER_TEXT_MAX)) {
		web_problem(c->x, 400, "since must be the number or the id of an event");
		goto out;
	}
	snprintf(epoch, FILTER_TEXT_MAX, "%.*s", *has_since ? (int)e.n : 0, *has_since && e.n ? e.p : "");
	is_good = true;
out:
	buf_fini(&v);
	return is_good;
}

void web_events(struct web_call *c)
{
	static const struct http_stream_handlers handlers = {.on_drain = on_drain, .on_close = on_close};
	struct web_filter f = {.subclass_count = 0};
	char epoch[FILTER_TEXT_MAX];
	bool has_since;
	uint64_t seq = 0;
	if (!query_read(c, &f, &has_since, epoch, &seq))
		return;
	struct reader *r = reader_new(c);
	if (!r)
		return;
	mem_ref(r);
	reader_enter(r, c->x);
	http_exchange_header(c->x, "X-Accel-Buffering", "no"); /* nginx would gather them */
	http_exchange_stream(c->x, "text/event-stream", &handlers, r);
	http_exchange_write(c->x, SV("retry: 2000\n\n"));
	if (!r->is_over)
		reader_read(r, &f, has_since, sv_of(epoch), seq);
	mem_unref(r);
}

/* ---- WebSocket ---- */
static ON_CTL void ws_answer(struct reader *r, const char *type, const char *detail)
{
	struct json_writer w;
	struct buf b;
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "type", type);
	if (detail)
		jw_kv_str(&w, "detail", detail);
	jw_kv_int(&w, "sequence", (int64_t)event_sequence());
	jw_end_object(&w);
	ws_send_text(r->ws, buf_sv(&b));
	buf_fini(&b);
}

static ON_CTL bool ws_names_read(const json_t *names, struct web_filter *f, struct buf *why)
{
	struct sv wrong;
	size_t i;
	const json_t *name;
	struct buf all;
	buf_init(&all);
	json_array_foreach((json_t *)names, i, name)
	    buf_printf(&all, "%s,", json_string_value(name) ? json_string_value(name) : "?");
	int st = web_filter_parse(f, buf_sv(&all), &wrong);
	if (st)
		buf_printf(why, "%.*s is no event (or there are too many)", SVF(wrong));
	buf_fini(&all);
	return !st;
}

/* {"type":"subscribe","events":[..],"uuid":"..","since":N or "EPOCH.N"}: replaces what was subscribed before. */
static ON_CTL void ws_subscribe(struct reader *r, const json_t *m)
{
	struct web_filter f = {.subclass_count = 0};
	const json_t *events = json_object_get(m, "events"), *since = json_object_get(m, "since");
	const char *uuid = json_string_value(json_object_get(m, "uuid"));
	struct sv epoch = SV_NONE;
	struct buf why;
	uint64_t seq = 0;
	buf_init(&why);
	bool is_good = (!events || json_is_array(events)) && ws_names_read(events, &f, &why);
	if (json_is_string(since))
		is_good = is_good && !web_event_id_parse(sv_of(json_string_value(since)), &epoch, &seq);
	else if (json_is_integer(since) && json_integer_value(since) >= 0)
		seq = (uint64_t)json_integer_value(since);
	else if (since && !json_is_null(since))
		is_good = false;
	if (is_good) {
		snprintf(f.uuid, sizeof(f.uuid), "%s", uuid ? uuid : "");
		ws_answer(r, "subscribed", NULL);
		reader_read(r, &f, since && !json_is_null(since), epoch, seq);
	} else {
		ws_answer(
		    r, "error", why.p ? why.p : "events must be an array of names, since an event's number or id");
	}
	buf_fini(&why);
}

static void on_message(struct ws *w, bool is_text, struct sv message, void *arg)
{
	struct reader *r = arg;
	json_t *m = NULL;
	role_assert_ctl();
	if (r->is_over)
		return;
	if (!is_text || json_parse(&m, message, WS_MESSAGE_MAX_BYTES, NULL) || !json_is_object(m)) {
		ws_answer(r, "error", "a message must be a JSON object");
		json_decref(m);
		return;
	}
	const char *type = json_string_value(json_object_get(m, "type"));
	if (type && !strcmp(type, "subscribe")) {
		ws_subscribe(r, m);
	} else if (type && !strcmp(type, "unsubscribe")) {
		if (r->is_reading)
			web_ring_want(&r->filter, false);
		r->is_reading = false;
		ws_answer(r, "unsubscribed", NULL);
	} else if (type && !strcmp(type, "ping")) {
		ws_answer(r, "pong", NULL);
	} else {
		ws_answer(r, "error", "type must be subscribe, unsubscribe or ping");
	}
	json_decref(m);
}

static void on_ws_data(struct http_exchange *x, const char *p, size_t n, void *arg)
{
	struct reader *r = mem_ref(arg);
	role_assert_ctl();
	if (!r->is_over && ws_feed(r->ws, p, n))
		reader_end(r, true);
	mem_unref(r);
}

void web_events_ws(struct web_call *c)
{
	static const struct http_stream_handlers handlers = {
	    .on_data = on_ws_data, .on_drain = on_drain, .on_close = on_close};
	static const struct ws_handlers ws_handlers = {.on_message = on_message, .send = bytes_send};
	struct sv version = http_header_get(c->q, "Sec-WebSocket-Version");
	char accept[WS_ACCEPT_CHARS + 1];
	if (!c->q->wants_upgrade || !http_header_has(c->q, "Upgrade", "websocket") || !sv_is(version, "13") ||
	    ws_accept_key(http_header_get(c->q, "Sec-WebSocket-Key"), accept)) {
		http_exchange_header(c->x, "Upgrade", "websocket");
		http_exchange_header(c->x, "Sec-WebSocket-Version", "13");
		web_problem(c->x, 426, "this is spoken over WebSocket, version 13");
		return;
	}
	if (!(c->session ? web_origin_is_own(c->q) : web_origin_is_allowed(c->q))) {
		web_problem(c->x, 403, "pages of this origin may not open a WebSocket here (cors-origins)");
		return;
	}
	struct reader *r = reader_new(c);
	if (!r)
		return;
	if (ws_server_new(&r->ws, WS_MESSAGE_MAX_BYTES, &ws_handlers, r)) {
		mem_unref(r);
		return;
	}
	reader_enter(r, c->x);
	http_exchange_headers_clear(c->x);
	http_exchange_header(c->x, "Sec-WebSocket-Accept", accept);
	http_exchange_upgrade(c->x, "websocket", &handlers, r);
}

/* ---- from outside ---- */
void web_readers_end(const char *token_name)
{
	struct lnode *it, *tmp;
	list_each (&readers, it, tmp) {
		struct reader *r = list_entry(it, struct reader, link);
		if (token_name && strcmp(token_name, r->token))
			continue;
		mem_ref(r);
		if (r->ws)
			ws_close(r->ws, token_name ? 1008 : 1001, token_name ? "the token is revoked" : "going away");
		reader_end(r, true);
		mem_unref(r);
	}
}

void web_readers_each(void (*fn)(const struct web_reader_info *r, void *arg), void *arg)
{
	struct lnode *it, *tmp;
	list_each (&readers, it, tmp) {
		const struct reader *r = list_entry(it, struct reader, link);
		struct web_reader_info info = {
		    r->name, r->token, r->delivered, r->dropped, http_exchange_queued_bytes(r->x)};
		fn(&info, arg);
	}
}
