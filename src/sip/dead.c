/* Places that did not answer, or said that they cannot (503): for a while the others of a name are tried before them
 * (resolve.c). A place is a transport and an address with its port. Bounded: the one that was marked longest ago goes.
 * A place that answers is no longer dead. */
#include "sip/sip_i.h"

enum { DEAD_MAX = 512 };

struct dead {
	struct sip_node node;
	struct lnode link;
	int64_t until_us;
};

static uint64_t dead_key(const struct sip_dst *d)
{
	uint64_t salt = (uint64_t)d->transport << 16 | addr_port(&d->addr);
	if (d->addr.sa.sa_family == AF_INET6)
		return sip_key((struct sv){(const char *)&d->addr.in6.sin6_addr, 16}, SV_NONE, SV_NONE, salt);
	return sip_key((struct sv){(const char *)&d->addr.in4.sin_addr, 4}, SV_NONE, SV_NONE, salt);
}

static ON_CTL struct dead *dead_find(const struct sip_stack *s, const struct sip_dst *d)
{
	struct sip_node *n = sip_table_first(&s->dead_table, dead_key(d));
	return n ? list_entry(n, struct dead, node) : NULL;
}

static ON_CTL void dead_forget(struct sip_stack *s, struct dead *d)
{
	sip_table_del(&s->dead_table, &d->node);
	list_remove(&d->link);
	mem_free(d);
}

void sip_dead_mark(struct sip_stack *s, const struct sip_dst *dst, int64_t for_us)
{
	struct dead *d = dead_find(s, dst);
	if (d) {
		list_remove(&d->link);
	} else {
		if (s->dead_table.count >= DEAD_MAX)
			dead_forget(s, list_entry(list_first(&s->dead), struct dead, link));
		if (!(d = mem_zalloc(sizeof(*d))))
			return;
		sip_table_add(&s->dead_table, &d->node, dead_key(dst));
	}
	d->until_us = loop_now_us() + for_us;
	list_push(&s->dead, &d->link);
	s->stats.marked_dead++;
}

bool sip_dead_is(const struct sip_stack *s, const struct sip_dst *dst)
{
	const struct dead *d = s->dead_table.count ? dead_find(s, dst) : NULL;
	return d && d->until_us > loop_now_us();
}

void sip_dead_clear(struct sip_stack *s, const struct sip_dst *dst)
{
	struct dead *d = s->dead_table.count ? dead_find(s, dst) : NULL;
	if (d)
		dead_forget(s, d);
}

void sip_dead_free(struct sip_stack *s)
{
	struct lnode *n;
	while ((n = list_first(&s->dead)))
		dead_forget(s, list_entry(n, struct dead, link));
}
