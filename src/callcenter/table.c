/* Queues and agents by name, and the tiers between them. Each is in a list in the order in which it was made, which is
 * the order of reports. A tier lies in its queue's list and in its agent's; how many of each level are logged in is
 * counted per queue, for the rules of tiers and for max-wait-time-with-no-agent. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/run/exec.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct hash *queues_by_name, *agents_by_name;
static struct list queues, agents;
static size_t tier_count;
static uint64_t tier_serial;

struct list *cc_queues(void)
{
	return &queues;
}

struct list *cc_agents(void)
{
	return &agents;
}

struct cc_queue *cc_queue_find(const char *name)
{
	return hash_get(queues_by_name, sv_of(name));
}

struct cc_agent *cc_agent_find(const char *name)
{
	return hash_get(agents_by_name, sv_of(name));
}

size_t cc_queue_count(void)
{
	return hash_count(queues_by_name);
}

size_t cc_tier_count(void)
{
	return tier_count;
}

static bool is_name(const char *name)
{
	size_t n = strlen(name);
	return n && n <= CC_NAME_MAX && !strpbrk(name, "|\r\n");
}

/* ---- queues ---- */

static void queue_free(void *obj)
{
	struct cc_queue *q = obj;
	cc_settings_fini(&q->s);
	cc_needs_free(q);
	cc_order_fini(&q->ready);
	cc_order_fini(&q->line);
	mem_free(q->levels);
	mem_free(q->name);
}

int cc_queue_new(const char *name, struct cc_queue **out)
{
	struct cc_queue *q;
	if (!is_name(name))
		return ST_INVAL;
	if (hash_count(queues_by_name) >= CC_QUEUES_MAX)
		return ST_FULL;
	q = mem_new(sizeof(*q), queue_free, "callcenter.queue");
	if (!q)
		return ST_NOMEM;
	q->name = mem_strdup(name);
	cc_settings_init(&q->s);
	list_init(&q->tiers);
	list_init(&q->members);
	list_init(&q->abandoned);
	q->no_agent_since_us = clock_mono_us();
	if (!q->name || hash_set(queues_by_name, sv_of(name), q)) {
		mem_unref(q);
		return ST_NOMEM;
	}
	list_push(&queues, &q->link);
	*out = q;
	return ST_OK;
}

void cc_queue_del(struct cc_queue *q)
{
	struct lnode *it, *tmp;
	hash_del(queues_by_name, sv_of(q->name));
	list_remove(&q->link);
	list_remove(&q->dirty);
	q->is_gone = true;
	cc_queue_timer_stop(q);
	loop_timer_cancel(&q->discard_timer);
	list_each (&q->tiers, it, tmp)
		cc_tier_del(list_entry(it, struct cc_tier, in_queue));
	list_each (&q->members, it, tmp) {
		struct cc_member *m = list_entry(it, struct cc_member, link);
		cc_member_offers_cancel(m, NULL, CAUSE_ORIGINATOR_CANCEL);
		if (m->leg)
			leg_wake(m->leg); /* he sees that it is gone, and leaves */
		else if (m->state == CC_MEMBER_ABANDONED || m->plus.callback)
			cc_member_del(m);
	}
	mem_unref(q);
}

/* ---- agents ---- */

static void agent_free(void *obj)
{
	struct cc_agent *a = obj;
	mem_free(a->name);
	mem_free(a->type);
	mem_free(a->contact);
	mem_free(a->uuid);
	mem_free(a->plus.skills);
	mem_free(a->plus.pause_reason);
	mem_free(a->plus.pop);
	mem_free(a->plus.wrap_queue);
}

int cc_agent_new(const char *name, const char *type, struct cc_agent **out)
{
	struct cc_agent *a;
	if (!is_name(name))
		return ST_INVAL;
	if (cc_agent_find(name))
		return ST_EXISTS;
	if (hash_count(agents_by_name) >= CC_AGENTS_MAX)
		return ST_FULL;
	a = mem_new(sizeof(*a), agent_free, "callcenter.agent");
	if (!a)
		return ST_NOMEM;
	list_init(&a->tiers);
	list_init(&a->offers);
	a->state = CC_WAITING;
	a->name = mem_strdup(name);
	int st = a->name ? cc_agent_type_set(a, type) : ST_NOMEM;
	if (!st)
		st = hash_set(agents_by_name, sv_of(name), a);
	if (st) {
		list_remove(&a->dirty);
		mem_unref(a);
		return st;
	}
	list_push(&agents, &a->link);
	cc_keep_agent(a);
	*out = a;
	return ST_OK;
}

void cc_agent_del(struct cc_agent *a)
{
	struct lnode *it, *tmp;
	hash_del(agents_by_name, sv_of(a->name));
	list_remove(&a->link);
	a->is_gone = true;
	cc_agent_offers_cancel(a, CAUSE_ORIGINATOR_CANCEL);
	list_each (&a->tiers, it, tmp) {
		struct cc_tier *t = list_entry(it, struct cc_tier, in_agent);
		cc_forget_tier(t);
		cc_tier_del(t);
	}
	cc_agent_changed(a); /* he does not rest any more */
	cc_forget_agent(a);
	mem_unref(a);
}

/* ---- tiers ---- */

struct cc_tier *cc_tier_find(const struct cc_queue *q, const struct cc_agent *a)
{
	const struct list *l = &a->tiers;
	for (const struct lnode *it = l->head.next; it != &l->head; it = it->next) {
		struct cc_tier *t = list_entry(it, struct cc_tier, in_agent);
		if (t->queue == q)
			return t;
	}
	return NULL;
}

/* The entry of a level, made when it is not there; NULL: no memory. */
static ON_CTL struct cc_level *level_get(struct cc_queue *q, int64_t level)
{
	size_t i = 0;
	while (i < q->level_count && q->levels[i].level < level)
		i++;
	if (i < q->level_count && q->levels[i].level == level)
		return &q->levels[i];
	if (q->level_count == q->level_room) {
		size_t room = q->level_room ? q->level_room * 2 : 4;
		struct cc_level *more = mem_realloc(q->levels, room * sizeof(*more));
		if (!more)
			return NULL;
		q->levels = more, q->level_room = room;
	}
	memmove(q->levels + i + 1, q->levels + i, (q->level_count - i) * sizeof(*q->levels));
	q->level_count++;
	q->levels[i] = (struct cc_level){.level = level};
	return &q->levels[i];
}

static ON_CTL void level_leave(struct cc_queue *q, const struct cc_tier *t)
{
	struct cc_level *l = level_get(q, t->level);
	if (!l)
		return;
	l->logged_in -= t->is_logged_in;
	if (--l->tiers)
		return;
	size_t i = (size_t)(l - q->levels);
	q->level_count--;
	memmove(q->levels + i, q->levels + i + 1, (q->level_count - i) * sizeof(*q->levels));
}

static ON_CTL int level_enter(struct cc_queue *q, const struct cc_tier *t)
{
	struct cc_level *l = level_get(q, t->level);
	if (!l)
		return ST_NOMEM;
	l->tiers++;
	l->logged_in += t->is_logged_in;
	return ST_OK;
}

int cc_tier_new(struct cc_queue *q, struct cc_agent *a, int64_t level, int64_t position, struct cc_tier **out)
{
	struct cc_tier *t;
	if (cc_tier_find(q, a))
		return ST_EXISTS;
	if (tier_count >= CC_TIERS_MAX)
		return ST_FULL;
	t = mem_zalloc(sizeof(*t));
	if (!t)
		return ST_NOMEM;
	t->queue = q, t->agent = a;
	t->state = CC_TIER_READY;
	t->level = level, t->position = position;
	t->serial = t->place.serial = ++tier_serial;
	if (level_enter(q, t)) {
		mem_free(t);
		return ST_NOMEM;
	}
	list_push(&q->tiers, &t->in_queue);
	list_push(&a->tiers, &t->in_agent);
	q->tier_count++;
	tier_count++;
	cc_tier_changed(t);
	cc_keep_tier(t);
	if (out)
		*out = t;
	return ST_OK;
}

void cc_tier_del(struct cc_tier *t)
{
	struct cc_queue *q = t->queue;
	cc_order_del(&q->ready, &t->place);
	if (t->is_logged_in && !--q->logged_in_count)
		q->no_agent_since_us = clock_mono_us();
	level_leave(q, t);
	list_remove(&t->in_queue);
	list_remove(&t->in_agent);
	list_remove(&t->dirty);
	q->tier_count--;
	tier_count--;
	mem_free(t);
}

void cc_tier_move(struct cc_tier *t, int64_t level, int64_t position)
{
	cc_order_del(&t->queue->ready, &t->place);
	level_leave(t->queue, t);
	t->level = level, t->position = position;
	(void)level_enter(t->queue, t); /* room was there a moment ago */
	cc_tier_changed(t);
	cc_keep_tier(t);
}

static int by_serial(const void *a, const void *b)
{
	const struct cc_tier *x = *(struct cc_tier *const *)a, *y = *(struct cc_tier *const *)b;
	return x->serial < y->serial ? -1 : x->serial > y->serial;
}

void cc_tiers_each(void (*fn)(struct cc_tier *t, void *arg), void *arg)
{
	struct cc_tier **all = mem_alloc((tier_count + 1) * sizeof(struct cc_tier *));
	struct lnode *at, *next, *it, *tmp;
	size_t n = 0;
	if (!all)
		return;
	list_each (&queues, at, next)
		list_each (&list_entry(at, struct cc_queue, link)->tiers, it, tmp)
			all[n++] = list_entry(it, struct cc_tier, in_queue);
	qsort(all, n, sizeof(struct cc_tier *), by_serial);
	for (size_t i = 0; i < n; i++)
		fn(all[i], arg);
	mem_free(all);
}

/* ---- start and stop ---- */

int cc_tables_start(void)
{
	list_init(&queues);
	list_init(&agents);
	int st = hash_new(&queues_by_name, 0, NULL);
	return st ? st : hash_new(&agents_by_name, HASH_NOCASE, NULL);
}

void cc_tables_stop(void)
{
	struct lnode *it, *tmp;
	list_each (&queues, it, tmp)
		cc_queue_del(list_entry(it, struct cc_queue, link));
	list_each (&agents, it, tmp) {
		struct cc_agent *a = list_entry(it, struct cc_agent, link);
		list_remove(&a->link);
		list_remove(&a->dirty);
		a->is_gone = true;
		mem_unref(a);
	}
	cc_agents_rest_stop();
	hash_free(queues_by_name);
	hash_free(agents_by_name);
	queues_by_name = agents_by_name = NULL;
}
