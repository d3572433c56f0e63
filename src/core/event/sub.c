/* Who wants which events. Counts per event id and per subclass make event_is_wanted a table look-up; delivery walks the
 * subscribers in order of subscription. A subscriber may free itself or others while an event is delivered. */
#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/event/event.h"
#include "core/event/event_i.h"
#include <string.h>

enum want { WANT_NONE, WANT, WANT_OVERHEARD /* is not counted */ };
struct event_sub {
	struct lnode link;
	event_sub_fn fn;
	void *arg;
	uint8_t wants[EVENT_ID_COUNT]; /* enum want */
	struct hash *subclasses;       /* name -> itself; NULL = none */
	bool is_dead;
};

static struct list subs = {{&subs.head, &subs.head}};
static uint32_t want_counts[EVENT_ID_COUNT];
static struct hash *subclass_counts; /* name -> (void *)count */
static unsigned delivering;
static bool has_dead;

bool event_is_wanted(enum event_id id, const char *subclass)
{
	if (want_counts[EVENT_ALL] || want_counts[id])
		return true;
	return subclass && subclass_counts && hash_get(subclass_counts, sv_of(subclass));
}

int event_sub_new(struct event_sub **out, event_sub_fn fn, void *arg)
{
	struct event_sub *s = mem_zalloc(sizeof(*s));
	if (!s)
		return ST_NOMEM;
	s->fn = fn, s->arg = arg;
	list_push(&subs, &s->link);
	*out = s;
	return ST_OK;
}

void event_sub_want(struct event_sub *s, enum event_id id, bool is_wanted)
{
	bool is_now = s->wants[id] == WANT;
	s->wants[id] = is_wanted ? WANT : WANT_NONE;
	if (is_now != is_wanted)
		want_counts[id] += is_wanted ? 1 : -1u;
}

void event_sub_overhear(struct event_sub *s, enum event_id id)
{
	if (s->wants[id] == WANT_NONE)
		s->wants[id] = WANT_OVERHEARD;
}

static void subclass_count_add(const char *subclass, long change)
{
	long count;
	if (!subclass_counts && hash_new(&subclass_counts, 0, NULL))
		return;
	count = (long)(intptr_t)hash_get(subclass_counts, sv_of(subclass)) + change;
	if (count > 0)
		hash_set(subclass_counts, sv_of(subclass), (void *)(intptr_t)count);
	else
		hash_take(subclass_counts, sv_of(subclass));
	if (!hash_count(subclass_counts)) {
		hash_free(subclass_counts);
		subclass_counts = NULL;
	}
}

void event_sub_want_subclass(struct event_sub *s, const char *subclass, bool is_wanted)
{
	bool is_now;
	if (!s->subclasses && (!is_wanted || hash_new(&s->subclasses, 0, NULL)))
		return;
	is_now = hash_get(s->subclasses, sv_of(subclass)) != NULL;
	if (is_now == is_wanted)
		return;
	if (is_wanted)
		hash_set(s->subclasses, sv_of(subclass), s);
	else
		hash_take(s->subclasses, sv_of(subclass));
	subclass_count_add(subclass, is_wanted ? 1 : -1);
}

bool event_sub_wants(const struct event_sub *s, const struct event *e)
{
	if (s->wants[EVENT_ALL] || s->wants[e->id])
		return true;
	return e->subclass && s->subclasses && hash_get(s->subclasses, sv_of(e->subclass));
}

static void sub_destroy(struct event_sub *s)
{
	list_remove(&s->link);
	hash_free(s->subclasses);
	mem_free(s);
}

void event_sub_free(struct event_sub *s)
{
	struct hash_it it = {0};
	if (!s)
		return;
	for (int i = 0; i < EVENT_ID_COUNT; i++)
		event_sub_want(s, (enum event_id)i, false);
	while (s->subclasses && hash_next(s->subclasses, &it)) {
		char *name = sv_dup(it.key);
		if (name)
			subclass_count_add(name, -1);
		mem_free(name);
	}
	s->is_dead = has_dead = true;
	if (!delivering)
		sub_destroy(s);
}

void event_deliver(struct event *e)
{
	struct lnode *it, *tmp;

	delivering++;
	for (it = subs.head.next; it != &subs.head; it = it->next) {
		struct event_sub *s = list_entry(it, struct event_sub, link);
		if (!s->is_dead && event_sub_wants(s, e)) {
			event_counts[e->id].delivered++;
			s->fn(e, s->arg);
		}
	}
	delivering--;
	if (!has_dead || delivering)
		return;
	has_dead = false;
	list_each (&subs, it, tmp) {
		struct event_sub *s = list_entry(it, struct event_sub, link);
		if (s->is_dead)
			sub_destroy(s);
	}
}
