/* The queues by name, the oldest first, and who waits in each: one list in the order of service (the slot, then who
 * came first). A queue is made when somebody names it and stays; there may be FIFOS_MAX. What fifo.conf says of one is
 * put in again at each reload; what waits there is not touched. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/run/exec.h"
#include "fifo/fifo_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct hash *by_name;
static struct list all;

static void fifo_free(void *obj)
{
	struct fifo *f = obj;
	role_assert_ctl();
	fifo_members_clear(f);
	list_remove(&f->link);
	mem_free(f->name);
	mem_free(f->outbound_name);
	mem_free(f);
}

int fifo_tables_start(void)
{
	list_init(&all);
	return hash_new(&by_name, 0, fifo_free);
}

void fifo_tables_stop(void)
{
	hash_free(by_name);
	by_name = NULL;
}

struct list *fifo_all(void)
{
	return &all;
}

struct fifo *fifo_find(const char *name)
{
	return hash_get(by_name, sv_of(name));
}

int fifo_get(const char *name, struct fifo **out)
{
	struct fifo *f = fifo_find(name);
	if (!f) {
		if (!*name || strlen(name) > FIFO_NAME_MAX)
			return ST_INVAL;
		if (hash_count(by_name) >= FIFOS_MAX)
			return ST_FULL;
		f = mem_zalloc(sizeof(*f));
		if (!f)
			return ST_NOMEM;
		f->outbound_priority = 5;
		list_init(&f->callers);
		list_init(&f->consumers);
		list_init(&f->bridges);
		list_init(&f->members);
		list_push(&all, &f->link);
		f->name = mem_strdup(name);
		if (!f->name || hash_set(by_name, sv_of(name), f)) {
			fifo_free(f);
			return ST_NOMEM;
		}
	}
	*out = f;
	return ST_OK;
}

/* ---- fifo.conf ---- */

const char *fifo_param(const char *name)
{
	return config_param(xml_child(config_conf("fifo.conf"), "settings"), name, NULL);
}

static ON_CTL unsigned attr_number(const struct xml_node *n, const char *name, unsigned otherwise)
{
	const char *v = xml_attr(n, name);
	return v ? (unsigned)str_number(v, 0, 1000000) : otherwise;
}

static ON_CTL enum fifo_strategy strategy_of(const char *text, const struct xml_node *n)
{
	if (text && !strcasecmp(text, "enterprise"))
		return FIFO_ENTERPRISE;
	if (text && strcasecmp(text, "ringall"))
		log_warning("%s:%u: outbound strategy \"%s\" is neither ringall nor enterprise; ringall is taken",
		    n ? n->file : "fifo.conf", n ? n->line : 0, text);
	return FIFO_RINGALL;
}

static ON_CTL void configure_members(struct fifo *f, const struct xml_node *n)
{
	xml_each(n, "member", m)
	{
		struct fifo_member_conf conf = {.target = m->text,
		    .simo = attr_number(m, "simo", 1),
		    .timeout_s = attr_number(m, "timeout", f->ring_timeout_s ? f->ring_timeout_s : 60),
		    .lag_s = attr_number(m, "lag", f->default_lag_s ? f->default_lag_s : 10),
		    .taking_calls = (int)attr_number(m, "taking_calls", 1),
		    .is_configured = true};
		if (fifo_member_add(f, &conf))
			log_error("%s:%u: this is no member of a queue: it has no dial string, or there are too many",
			    m->file, m->line);
	}
}

static ON_CTL void configure_one(const struct xml_node *n)
{
	const char *name = xml_attr_or(n, "name", ""), *own = xml_attr(n, "outbound_strategy");
	struct fifo *f;
	if (fifo_get(name, &f)) {
		log_error("%s:%u: <fifo> needs a name of at most %d characters", n->file, n->line, FIFO_NAME_MAX);
		return;
	}
	f->is_configured = true;
	f->importance = atoi(xml_attr_or(n, "importance", "0"));
	f->outbound_per_cycle = attr_number(n, "outbound_per_cycle", 1);
	f->outbound_per_cycle_min = attr_number(n, "outbound_per_cycle_min", 1);
	f->outbound_priority = attr_number(n, "outbound_priority", 5);
	if (f->outbound_priority < 1 || f->outbound_priority > 10)
		f->outbound_priority = 5;
	f->ring_timeout_s = attr_number(n, "ring_timeout", 60);
	f->default_lag_s = attr_number(n, "default_lag", 30);
	f->retry_delay_s = attr_number(n, "retry_delay", 0);
	f->strategy = strategy_of(own ? own : fifo_param("outbound-strategy"), n);
	mem_free(f->outbound_name);
	f->outbound_name = mem_strdup(xml_attr_or(n, "outbound_name", ""));
	configure_members(f, n);
}

void fifo_configure(bool forgets_members)
{
	const struct xml_node *fifos = xml_child(config_conf("fifo.conf"), "fifos");
	struct fifo *manual;
	struct lnode *it, *tmp;
	list_each (&all, it, tmp) {
		struct fifo *f = list_entry(it, struct fifo, link);
		fifo_members_mark(f, !forgets_members);
	}
	xml_each(fifos, "fifo", n) configure_one(n);
	list_each (&all, it, tmp)
		fifo_members_sweep(list_entry(it, struct fifo, link));
	if (fifo_get(FIFO_MANUAL, &manual))
		log_error("fifo: no memory for the queue " FIFO_MANUAL);
	fifo_dial_kick();
}

/* ---- who waits ---- */

static void caller_free(void *obj)
{
	struct fifo_caller *c = obj;
	mem_unref(c->leg);
}

int fifo_caller_new(struct fifo_caller **out, struct fifo *f, struct leg *leg, unsigned slot)
{
	struct fifo_caller *c = mem_new(sizeof(*c), caller_free, "fifo.caller");
	if (!c)
		return ST_NOMEM;
	c->fifo = f;
	c->leg = mem_ref(leg);
	c->slot = slot;
	c->since_us = clock_wall_us();
	*out = c;
	return ST_OK;
}

void fifo_caller_push(struct fifo_caller *c, bool is_back)
{
	struct lnode *at = c->fifo->callers.head.prev;
	while (at != &c->fifo->callers.head) {
		unsigned slot = list_entry(at, struct fifo_caller, link)->slot;
		if (is_back ? slot < c->slot : slot <= c->slot)
			break;
		at = at->prev;
	}
	c->consumer = NULL;
	list_insert(&c->link, at, at->next);
	c->fifo->caller_count++;
}

void fifo_caller_leave(struct fifo_caller *c)
{
	if (!lnode_is_linked(&c->link))
		return;
	list_remove(&c->link);
	c->fifo->caller_count--;
}

static ON_CTL struct fifo_caller *first_of_slot(struct fifo *f, int slot)
{
	struct lnode *it, *tmp;
	list_each (&f->callers, it, tmp) {
		struct fifo_caller *c = list_entry(it, struct fifo_caller, link);
		if ((slot < 0 || c->slot == (unsigned)slot) && leg_is_ready(c->leg))
			return c;
	}
	return NULL;
}

struct fifo_caller *fifo_caller_next(struct fifo *f, const char *uuid, const char *pop_order)
{
	struct lnode *it, *tmp;
	struct sv rest = sv_of(pop_order), one;
	if (uuid) {
		list_each (&f->callers, it, tmp) {
			struct fifo_caller *c = list_entry(it, struct fifo_caller, link);
			if (!strcmp(c->leg->uuid, uuid) && leg_is_ready(c->leg))
				return c;
		}
		return NULL;
	}
	if (!rest.n)
		return first_of_slot(f, -1);
	while (rest.n) {
		uint32_t slot;
		sv_split(rest, ',', &one, &rest);
		struct fifo_caller *c =
		    !sv_u32(sv_trim(one), &slot) && slot < FIFO_SLOTS ? first_of_slot(f, (int)slot) : NULL;
		if (c)
			return c;
	}
	return NULL;
}

unsigned fifo_idle_count(const struct fifo *f)
{
	unsigned n = 0;
	for (const struct lnode *it = f->consumers.head.next; it != &f->consumers.head; it = it->next)
		n += !strcmp(list_entry(it, const struct fifo_consumer, link)->status, "WAITING");
	return n;
}

static ON_CTL bool serves(const struct fifo_consumer *c, const struct fifo *f)
{
	for (unsigned i = 0; i < c->queue_count; i++)
		if (c->queues[i] == f)
			return !strcmp(c->status, "WAITING");
	return false;
}

void fifo_wake_consumers(const struct fifo *f)
{
	struct lnode *at, *next, *it, *tmp;
	list_each (&all, at, next) {
		list_each (&list_entry(at, struct fifo, link)->consumers, it, tmp) {
			struct fifo_consumer *c = list_entry(it, struct fifo_consumer, link);
			if (serves(c, f))
				leg_wake(c->leg);
		}
	}
}
