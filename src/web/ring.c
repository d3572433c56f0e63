/* The events that somebody reads, rendered once as server-sent events and kept in a ring of bounded count and bytes.
 * The ring is every reader's queue: a reader is a position in it, so a slow one costs nothing but what it misses. What
 * is recorded is what some reader wants or wanted within the linger time (and what http.conf names), as an event
 * nobody wants is not even built; since when each name is recorded is kept, so that a reader who comes back is told
 * what cannot be had. Positions count events of the ring; sequence numbers are core's. */
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/value/self.h"
#include "loop/loop.h"
#include "web/web_i.h"

#include <stdio.h>
#include <string.h>

enum { EPOCH_CHARS = 8 };
static const int64_t linger_look_us = 10 * 1000000LL;
static const uint64_t not_recorded = UINT64_MAX;

static struct {
	struct event_sub *sub;
	struct web_event **items; /* position % cap */
	size_t cap, bytes;
	uint64_t begin, end;
	uint64_t lost_seq;               /* of the newest event dropped */
	uint64_t since[EVENT_ID_COUNT];  /* events with greater numbers are recorded */
	unsigned wanted[EVENT_ID_COUNT]; /* by readers */
	int64_t left_us[EVENT_ID_COUNT]; /* when the last reader left */
	bool is_always[EVENT_ID_COUNT];
	struct ltimer linger;
	struct ldefer wake;
	void (*wake_fn)(void);
	char epoch[EPOCH_CHARS + 1];
} ring;

uint64_t web_ring_begin(void)
{
	return ring.begin;
}
uint64_t web_ring_end(void)
{
	return ring.end;
}
const struct web_event *web_ring_at(uint64_t pos)
{
	return pos >= ring.begin && pos < ring.end ? ring.items[pos % ring.cap] : NULL;
}
size_t web_ring_bytes(void)
{
	return ring.bytes;
}
const char *web_ring_epoch(void)
{
	return ring.epoch;
}
uint64_t web_ring_lost_seq(void)
{
	return ring.lost_seq;
}

/* ---- filters ---- */
static int subclass_add(struct web_filter *f, struct sv name)
{
	if (f->subclass_count == FILTER_SUBCLASSES_MAX || name.n >= FILTER_TEXT_MAX)
		return ST_FULL;
	memcpy(f->subclasses[f->subclass_count], name.p, name.n);
	f->subclasses[f->subclass_count++][name.n] = 0;
	f->wants[EVENT_CUSTOM] = true;
	return ST_OK;
}

int web_filter_parse(struct web_filter *f, struct sv names, struct sv *wrong)
{
	bool is_empty = true;
	while (names.n) {
		enum event_id id;
		size_t n = 0;
		while (n < names.n && names.p[n] != ',' && names.p[n] != ' ')
			n++;
		*wrong = sv_sub(names, 0, n);
		names = sv_sub(names, n + 1, names.n);
		if (!wrong->n)
			continue;
		is_empty = false;
		if (!event_id_parse(*wrong, &id))
			f->wants[id] = true;
		else if (!memmem(wrong->p, wrong->n, "::", 2))
			return ST_NOTFOUND;
		else if (subclass_add(f, *wrong))
			return ST_FULL;
	}
	if (is_empty)
		f->wants[EVENT_ALL] = true;
	return ST_OK;
}

bool web_filter_passes(const struct web_filter *f, const struct web_event *e)
{
	if (*f->uuid && (!e->uuid || strcmp(f->uuid, e->uuid)))
		return false;
	if (f->wants[EVENT_ALL])
		return true;
	if (!f->wants[e->id])
		return false;
	if (e->id != EVENT_CUSTOM || !f->subclass_count)
		return true;
	for (unsigned i = 0; e->subclass && i < f->subclass_count; i++)
		if (!strcmp(f->subclasses[i], e->subclass))
			return true;
	return false;
}

/* ---- in ---- */
static void event_free(void *obj)
{
	struct web_event *e = obj;
	mem_free(e->subclass);
	mem_free(e->uuid);
	mem_free(e->frame);
}

static size_t event_bytes(const struct web_event *e)
{
	return sizeof(*e) + e->frame_bytes;
}

static ON_CTL void drop_oldest(void)
{
	struct web_event *e = ring.items[ring.begin % ring.cap];
	web_reader_lost(ring.begin, e);
	ring.lost_seq = e->seq;
	ring.bytes -= event_bytes(e);
	ring.begin++;
	mem_unref(e);
}

static ON_CTL struct web_event *event_make(struct event *from)
{
	struct web_event *e = mem_new(sizeof(*e), event_free, "web.event");
	struct sv json = event_render(from, EVENT_JSON);
	const char *subclass = event_subclass(from), *uuid = event_get(from, "Unique-ID"),
	           *name = subclass && *subclass ? subclass : event_name(event_id(from));
	struct buf b;
	if (!e)
		return NULL;
	e->seq = event_sequence();
	e->id = event_id(from);
	e->subclass = mem_strdup(subclass);
	e->uuid = mem_strdup(uuid);
	buf_init(&b);
	buf_printf(&b, "id: %s.%llu\nevent: ", ring.epoch, (unsigned long long)e->seq);
	for (; *name; name++)
		buf_addc(&b, (unsigned char)*name < ' ' ? '?' : *name);
	buf_adds(&b, "\ndata: ");
	e->json_at = b.n, e->json_bytes = json.n;
	buf_addv(&b, json);
	buf_adds(&b, "\n\n");
	e->frame_bytes = b.n;
	if (b.failed) {
		buf_fini(&b);
		return mem_unref(e);
	}
	e->frame = buf_take(&b);
	return e;
}

static void wake(void *arg)
{
	role_assert_ctl();
	ring.wake_fn();
}

static void on_event(struct event *from, void *arg)
{
	role_assert_ctl();
	struct web_event *e = event_make(from);
	if (!e)
		return;
	while (ring.end - ring.begin >= ring.cap ||
	       (ring.end > ring.begin && ring.bytes + event_bytes(e) > web_conf.ring_max_bytes))
		drop_oldest();
	ring.items[ring.end++ % ring.cap] = e;
	ring.bytes += event_bytes(e);
	loop_defer(&ring.wake, "http events", wake, NULL);
}

/* ---- what is recorded ---- */
static ON_CTL void record(enum event_id id, bool is_on)
{
	event_sub_want(ring.sub, id, is_on);
	ring.since[id] = is_on ? event_sequence() : not_recorded;
}

static void linger_look(void *arg)
{
	role_assert_ctl();
	bool is_left = false;
	for (int id = 0; id < EVENT_ID_COUNT; id++) {
		if (ring.wanted[id] || ring.is_always[id] || ring.since[id] == not_recorded)
			continue;
		if (loop_now_us() - ring.left_us[id] >= web_conf.ring_linger_us)
			record((enum event_id)id, false);
		else
			is_left = true;
	}
	if (is_left)
		loop_timer_set(&ring.linger, linger_look_us, "http linger", linger_look, NULL);
}

void web_ring_want(const struct web_filter *f, bool is_wanted)
{
	for (int id = 0; id < EVENT_ID_COUNT; id++) {
		if (!f->wants[id])
			continue;
		ring.wanted[id] += is_wanted ? 1 : -1u;
		if (is_wanted && ring.since[id] == not_recorded)
			record((enum event_id)id, true);
		if (!is_wanted && !ring.wanted[id]) {
			ring.left_us[id] = loop_now_us();
			if (!loop_timer_is_set(&ring.linger))
				loop_timer_set(&ring.linger, linger_look_us, "http linger", linger_look, NULL);
		}
	}
}

/* ---- coming back ---- */
int web_event_id_parse(struct sv text, struct sv *epoch, uint64_t *seq)
{
	struct sv rest;
	*epoch = SV_NONE;
	text = sv_trim(text);
	if (sv_split(text, '.', epoch, &rest))
		text = rest;
	else
		*epoch = SV_NONE;
	return sv_u64(text, seq);
}

/* From which number on everything that f wants was recorded. */
static uint64_t recorded_since(const struct web_filter *f)
{
	uint64_t since = 0;
	if (f->wants[EVENT_ALL])
		return ring.since[EVENT_ALL];
	for (int id = 0; id < EVENT_ID_COUNT; id++) {
		uint64_t of_id = ring.since[id] < ring.since[EVENT_ALL] ? ring.since[id] : ring.since[EVENT_ALL];
		if (f->wants[id] && of_id > since)
			since = of_id;
	}
	return since;
}

uint64_t web_ring_seek(const struct web_filter *f, struct sv epoch, uint64_t seq, struct web_gap *gap)
{
	uint64_t since = recorded_since(f), pos = ring.end;
	if (since > event_sequence())
		since = event_sequence(); /* not at all: nothing up to now */
	*gap = (struct web_gap){0};
	if ((epoch.n && !sv_is(epoch, ring.epoch)) || seq > event_sequence()) {
		/* of another run: everything of this one that there is */
		*gap = (struct web_gap){0, ring.lost_seq > since ? ring.lost_seq : since, "restarted"};
		return ring.begin;
	}
	if (since > seq)
		*gap = (struct web_gap){seq + 1, since, "not recorded"};
	if (ring.lost_seq > seq && ring.lost_seq > gap->to)
		*gap = (struct web_gap){seq + 1, ring.lost_seq, "too old"};
	while (pos > ring.begin && web_ring_at(pos - 1)->seq > seq)
		pos--;
	return pos;
}

/* ---- life ---- */
int web_ring_start(void (*wake_fn)(void))
{
	struct web_filter always = {.subclass_count = 0};
	struct sv wrong;
	memset(&ring, 0, sizeof(ring));
	ring.wake_fn = wake_fn;
	snprintf(ring.epoch, sizeof(ring.epoch), "%.*s", EPOCH_CHARS, core_uuid());
	for (int id = 0; id < EVENT_ID_COUNT; id++)
		ring.since[id] = not_recorded;
	ring.cap = web_conf.ring_max_count;
	ring.items = mem_zalloc(ring.cap * sizeof(struct web_event *));
	int st = ring.items ? event_sub_new(&ring.sub, on_event, NULL) : ST_NOMEM;
	if (st || !web_conf.ring_always || !*web_conf.ring_always)
		return st;
	if (web_filter_parse(&always, sv_of(web_conf.ring_always), &wrong))
		log_warning("http.conf: event-ring-always: %.*s is no event", SVF(wrong));
	for (int id = 0; id < EVENT_ID_COUNT; id++)
		if (always.wants[id]) {
			ring.is_always[id] = true;
			record((enum event_id)id, true);
		}
	return ST_OK;
}

void web_ring_stop(void)
{
	loop_timer_cancel(&ring.linger);
	loop_defer_cancel(&ring.wake);
	event_sub_free(ring.sub);
	while (ring.begin < ring.end)
		mem_unref(ring.items[ring.begin++ % ring.cap]);
	mem_free(ring.items);
	memset(&ring, 0, sizeof(ring));
}
