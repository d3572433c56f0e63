/* Events: headers in a list, their text in chunks that never move, so what event_get returns stays valid until the
 * event goes. The base headers come first, in FreeSWITCH's order. Rendering is in render.c, delivery in
 * sub.c. */
#include "core/event/event.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/event/event_i.h"
#include "core/value/self.h"
#include "loop/loop.h"
#include "text/mark.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { CHUNK_BYTES = 4000, HEADERS_MAX = 8192 };

struct event_identity event_identity = {"", "", "", "127.0.0.1", "::1"};
static uint64_t sequence;
struct event_counts event_counts[EVENT_ID_COUNT];

static const char *const names[EVENT_ID_COUNT] = {
#define EVENT_TEXT(n) #n,
    EVENT_NAMES(EVENT_TEXT)
#undef EVENT_TEXT
};

const char *event_name(enum event_id id)
{
	return (unsigned)id < EVENT_ID_COUNT ? names[id] : "UNKNOWN";
}

int event_id_parse(struct sv text, enum event_id *out)
{
	if (sv_startsi(text, SV("SWITCH_EVENT_")))
		text = sv_sub(text, 13, text.n);
	for (int i = 0; i < EVENT_ID_COUNT; i++) {
		if (sv_isi(text, names[i])) {
			*out = (enum event_id)i;
			return ST_OK;
		}
	}
	return ST_NOTFOUND;
}

static void event_dtor(void *obj)
{
	struct event *e = obj;
	role_assert_ctl();
	event_forget_rendered(e);
	while (e->chunks) {
		struct event_chunk *next = e->chunks->next;
		mem_free(e->chunks);
		e->chunks = next;
	}
	mem_free(e->headers);
	mem_free(e->body);
}

static char *chunk_take(struct event *e, size_t n)
{
	struct event_chunk *c = e->chunks;
	if (!c || c->cap - c->used < n) {
		size_t cap = n > CHUNK_BYTES ? n : CHUNK_BYTES;
		c = mem_alloc(sizeof(*c) + cap);
		if (!c)
			return NULL;
		c->used = 0, c->cap = cap;
		/* A big value gets a chunk of its own behind the one being filled. */
		if (e->chunks && n > CHUNK_BYTES)
			c->next = e->chunks->next, e->chunks->next = c;
		else
			c->next = e->chunks, e->chunks = c;
	}
	c->used += n;
	return c->bytes + c->used - n;
}

static const char *text_keep(struct event *e, const char *text, size_t n)
{
	char *p = chunk_take(e, n + 1);
	if (!p)
		return NULL;
	memcpy(p, text, n);
	p[n] = 0;
	return p;
}

void event_forget_rendered(struct event *e)
{
	for (int i = 0; i < 4; i++) {
		mem_free(e->rendered[i]);
		e->rendered[i] = NULL;
	}
}

static struct event_header *slot_add(struct event *e, uint32_t at)
{
	if (e->count == e->cap) {
		uint32_t cap = e->cap ? e->cap * 2 : 64;
		if (cap > HEADERS_MAX)
			return NULL;
		struct event_header *h = mem_realloc(e->headers, cap * sizeof(*h));
		if (!h)
			return NULL;
		e->headers = h, e->cap = cap;
	}
	memmove(&e->headers[at + 1], &e->headers[at], (e->count - at) * sizeof(e->headers[0]));
	e->count++;
	return &e->headers[at];
}

static ON_CTL void header_put(struct event *e, uint32_t at, const char *name, const char *value, size_t value_len)
{
	const char *kept_name, *kept_value;
	struct event_header *h;

	event_forget_rendered(e);
	kept_name = text_keep(e, name, strlen(name));
	kept_value = text_keep(e, value, value_len);
	if (!kept_name || !kept_value || !(h = slot_add(e, at)))
		return;
	h->name = kept_name, h->value = kept_value;
	if (e->sequence_at >= 0 && at <= (uint32_t)e->sequence_at)
		e->sequence_at++;
}

struct event *event_new_plain(enum event_id id)
{
	struct event *e = mem_new(sizeof(*e), event_dtor, "core.event");
	if (!e)
		return NULL;
	e->id = id;
	e->sequence_at = -1;
	return e;
}

/* The two date texts change once a second. */
static ON_CTL void add_dates(struct event *e)
{
	static time_t cached_s = -1;
	static char local_text[32], gmt_text[48];
	int64_t us = clock_wall_us();
	time_t s = (time_t)(us / 1000000);

	if (s != cached_s) {
		struct tm tm;
		localtime_r(&s, &tm);
		strftime(local_text, sizeof(local_text), "%Y-%m-%d %H:%M:%S", &tm);
		gmtime_r(&s, &tm);
		strftime(gmt_text, sizeof(gmt_text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		cached_s = s;
	}
	event_add(e, "Event-Date-Local", local_text);
	event_add(e, "Event-Date-GMT", gmt_text);
	event_addf(e, "Event-Date-Timestamp", "%lld", (long long)us);
}

struct event *event_new_at(enum event_id id, const char *subclass, const char *file, const char *func, int line)
{
	struct event *e = event_new_plain(id);
	const char *slash = strrchr(file, '/');

	if (!e)
		return NULL;
	event_counts[id].built++;
	if (subclass) {
		event_add(e, "Event-Subclass", subclass);
		e->subclass = event_get(e, "Event-Subclass");
	}
	event_add(e, "Event-Name", event_name(id));
	event_add(e, "Core-UUID", event_identity.core_uuid);
	event_add(e, "FreeSWITCH-Hostname", event_identity.hostname);
	event_add(e, "FreeSWITCH-Switchname", event_identity.switchname);
	event_add(e, "FreeSWITCH-IPv4", event_identity.ip4);
	event_add(e, "FreeSWITCH-IPv6", event_identity.ip6);
	add_dates(e);
	event_add(e, "Event-Calling-File", slash ? slash + 1 : file);
	event_add(e, "Event-Calling-Function", func);
	event_addf(e, "Event-Calling-Line-Number", "%d", line);
	event_add(e, "Event-Sequence", "0");
	e->sequence_at = (int)e->count - 1;
	return e;
}

void event_add(struct event *e, const char *name, const char *value)
{
	struct buf plain;

	if (!value)
		return;
	if (!mark_has(sv_of(value))) {
		header_put(e, e->count, name, value, strlen(value));
		return;
	}
	buf_init(&plain);
	mark_strip(&plain, sv_of(value));
	if (!plain.failed)
		header_put(e, e->count, name, plain.p, plain.n);
	buf_fini(&plain);
}

void event_addf(struct event *e, const char *name, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(text)) {
		header_put(e, e->count, name, text, (size_t)n);
	} else if (n > 0) {
		struct buf b;
		buf_init(&b);
		va_start(ap, fmt);
		buf_vprintf(&b, fmt, ap);
		va_end(ap);
		if (!b.failed)
			header_put(e, e->count, name, b.p, b.n);
		buf_fini(&b);
	}
}

void event_unshift(struct event *e, const char *name, const char *value)
{
	if (value)
		header_put(e, 0, name, value, strlen(value));
}

static long header_find(const struct event *e, const char *name)
{
	for (uint32_t i = 0; i < e->count; i++)
		if (!strcasecmp(e->headers[i].name, name))
			return (long)i;
	return -1;
}

void event_set(struct event *e, const char *name, const char *value)
{
	long at = header_find(e, name);
	const char *kept;

	if (!value)
		return;
	if (at < 0) {
		event_add(e, name, value);
		return;
	}
	event_forget_rendered(e);
	kept = text_keep(e, value, strlen(value));
	if (kept)
		e->headers[at].value = kept;
}

void event_del(struct event *e, const char *name)
{
	long at;
	event_forget_rendered(e);
	while ((at = header_find(e, name)) >= 0) {
		e->count--;
		memmove(&e->headers[at], &e->headers[at + 1], (e->count - (size_t)at) * sizeof(e->headers[0]));
		if (e->sequence_at >= 0 && at <= e->sequence_at)
			e->sequence_at = at == e->sequence_at ? -1 : e->sequence_at - 1;
	}
}

const char *event_get(const struct event *e, const char *name)
{
	long at = header_find(e, name);
	return at < 0 ? NULL : e->headers[at].value;
}

void event_set_body(struct event *e, struct sv body)
{
	event_forget_rendered(e);
	mem_free(e->body);
	e->body = body.n ? sv_dup(body) : NULL;
	e->body_len = e->body ? body.n : 0;
}

struct sv event_body(const struct event *e)
{
	return (struct sv){e->body, e->body_len};
}
enum event_id event_id(const struct event *e)
{
	return e->id;
}
const char *event_subclass(const struct event *e)
{
	return e->subclass;
}
size_t event_header_count(const struct event *e)
{
	return e->count;
}

void event_header_at(const struct event *e, size_t i, const char **name, const char **value)
{
	*name = e->headers[i].name;
	*value = e->headers[i].value;
}

struct event *event_dup(const struct event *e)
{
	struct event *n = event_new_plain(e->id);

	if (!n)
		return NULL;
	event_counts[e->id].built++;
	for (uint32_t i = 0; i < e->count; i++)
		header_put(n, n->count, e->headers[i].name, e->headers[i].value, strlen(e->headers[i].value));
	n->subclass = e->subclass ? event_get(n, "Event-Subclass") : NULL;
	n->sequence_at = n->count == e->count ? e->sequence_at : -1;
	event_set_body(n, event_body(e));
	return n;
}

void event_counts_get(enum event_id id, struct event_counts *out)
{
	*out = event_counts[id];
}

void event_count_dropped(enum event_id id)
{
	event_counts[id].dropped++;
}

uint64_t event_sequence(void)
{
	return sequence;
}

void event_count_number(struct event *e)
{
	sequence++;
	if (e->sequence_at >= 0) {
		char text[24];
		int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)sequence);
		const char *kept = text_keep(e, text, (size_t)n);
		if (kept)
			e->headers[e->sequence_at].value = kept;
	}
}

void event_fire(struct event *e)
{
	if (!e)
		return;
	loop_mark(event_name(e->id));
	event_counts[e->id].fired++;
	event_count_number(e);
	event_deliver(e);
	mem_unref(e);
}
