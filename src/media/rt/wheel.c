/* The wheel of a media thread: 64 slots of 2 ms, in each the streams that want their tick then. A stream stands in it
 * exactly while it has needs (tick_need, tick_done), and what it counts of each slot is how many stand there, also
 * while the slot runs: one stream's tick may take away another's last need. Ticks are spread over the slots of a frame;
 * with no stream in it the thread is not woken for it. */
#include "media/rt/fetch_i.h"
#include "media/rt/rt_i.h"

enum { TICK_LATE_US = 10000 };

void wheel_init(struct rt_thread *t)
{
	for (unsigned i = 0; i < WHEEL_SLOTS; i++)
		list_init(&t->wheel[i]);
}

ON_MEDIA static void wheel_insert(struct rt_thread *t, struct rt_stream *s, int64_t slot)
{
	if (slot < t->wheel_slot)
		slot = t->wheel_slot;
	if (slot >= t->wheel_slot + WHEEL_SLOTS)
		slot = t->wheel_slot + WHEEL_SLOTS - 1;
	if (s->tick_exact_us / WHEEL_SLOT_US != slot)
		s->tick_exact_us = slot * WHEEL_SLOT_US;
	unsigned i = (unsigned)(slot % WHEEL_SLOTS);
	s->tick_due_us = slot * WHEEL_SLOT_US;
	list_push(&t->wheel[i], &s->tick);
	t->wheel_counts[i]++;
	t->wheel_bits |= UINT64_C(1) << i;
}

ON_MEDIA static void wheel_remove(struct rt_thread *t, struct rt_stream *s)
{
	unsigned i = (unsigned)(s->tick_due_us / WHEEL_SLOT_US % WHEEL_SLOTS);
	list_remove(&s->tick);
	if (--t->wheel_counts[i] == 0)
		t->wheel_bits &= ~(UINT64_C(1) << i);
}

/* The emptiest of the next 20 ms' slots, so that ticks spread. */
static int64_t wheel_choose(const struct rt_thread *t)
{
	int64_t first = t->wheel_slot, best = first;
	for (int64_t i = first; i < first + 20000 / WHEEL_SLOT_US; i++)
		if (t->wheel_counts[i % WHEEL_SLOTS] < t->wheel_counts[best % WHEEL_SLOTS])
			best = i;
	return best;
}

void tick_need(struct rt_stream *s, unsigned need)
{
	struct rt_thread *t = s->t;
	bool was_idle = !s->tick_needs;
	s->tick_needs |= need;
	if (!was_idle || !t)
		return;
	if (!t->wheel_bits)
		t->wheel_slot = t->now_us / WHEEL_SLOT_US + 1;
	wheel_insert(t, s, wheel_choose(t));
}

void tick_done(struct rt_stream *s, unsigned need)
{
	if (!(s->tick_needs & need))
		return;
	s->tick_needs &= ~need;
	if (!s->tick_needs && s->t && lnode_is_linked(&s->tick))
		wheel_remove(s->t, s);
}

/* A tick of many streams waits for memory more than it works: what they have was driven out by the kernel's packets
 * since the last one. So the stream after the next is asked for, and of the next, which is here by now, what it points
 * to. */
static inline __attribute__((always_inline)) void next_fetch(const struct list *due, const struct lnode *n)
{
	const struct lnode *next = n->next;
	if (next == &due->head)
		return;
	const struct rt_stream *s = list_entry(next, struct rt_stream, tick);
	lines_fetch(s->f, sizeof(*s->f));
	if (s->play)
		lines_fetch(s->play, sizeof(*s->play) + sizeof(s->play->parts[0]));
	if (next->next == &due->head)
		return;
	s = list_entry(next->next, struct rt_stream, tick);
	__builtin_prefetch(&s->f);
	__builtin_prefetch(&s->params.send.ptime_ms);
	__builtin_prefetch(&s->coders);
	lines_fetch(&s->tick, offsetof(struct rt_stream, dtmf_out) - offsetof(struct rt_stream, tick));
}

ON_MEDIA static void wheel_run_slot(struct rt_thread *t, unsigned i)
{
	struct list due; /* what a tick puts into this slot is for its next time round */
	struct lnode *n;
	list_init(&due);
	list_take(&due, &t->wheel[i]);
	while ((n = list_first(&due))) {
		struct rt_stream *s = list_entry(n, struct rt_stream, tick);
		next_fetch(&due, n);
		wheel_remove(t, s); /* one by one: a tick may take another of them out */
		unsigned frame_us = stream_frame_us(s);
		stream_tick(s);
		if (!s->tick_needs || lnode_is_linked(&s->tick))
			continue;
		s->tick_exact_us += frame_us;
		wheel_insert(t, s, s->tick_exact_us / WHEEL_SLOT_US);
	}
}

static void lateness_count(struct rt_counts *c, int64_t late_us)
{
	c->ticks++;
	if (late_us <= 0)
		return;
	c->ticks_late += late_us > TICK_LATE_US;
	c->tick_late_us += (uint64_t)late_us;
	if ((uint64_t)late_us > c->tick_late_max_us)
		c->tick_late_max_us = (uint64_t)late_us;
}

void thread_late_count(struct rt_thread *t, int64_t late_us)
{
	lateness_count(&t->counts, late_us);
}

void wheel_run(struct rt_thread *t)
{
	int64_t now_slot = t->now_us / WHEEL_SLOT_US;
	if (now_slot - t->wheel_slot >= WHEEL_SLOTS) /* the machine stood still: what was missed stays missed */
		t->wheel_slot = now_slot - WHEEL_SLOTS + 1;
	while (t->wheel_bits && t->wheel_slot <= now_slot) {
		unsigned i = (unsigned)(t->wheel_slot % WHEEL_SLOTS);
		t->wheel_slot++;
		if (!(t->wheel_bits & UINT64_C(1) << i))
			continue;
		/* its own time: the slot may be another round's */
		lateness_count(
		    &t->counts, t->now_us - list_entry(list_first(&t->wheel[i]), struct rt_stream, tick)->tick_due_us);
		wheel_run_slot(t, i);
	}
}

int64_t wheel_due_us(const struct rt_thread *t)
{
	if (!t->wheel_bits)
		return INT64_MAX;
	unsigned at = (unsigned)(t->wheel_slot % WHEEL_SLOTS);
	uint64_t bits = at ? t->wheel_bits >> at | t->wheel_bits << (WHEEL_SLOTS - at) : t->wheel_bits;
	return (t->wheel_slot + __builtin_ctzll(bits)) * WHEEL_SLOT_US;
}
