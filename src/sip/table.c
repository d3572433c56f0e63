/* The intrusive hash table of transactions, calls and connections: chained, doubles when full, never shrinks. Keys are
 * 64-bit keyed hashes, so the lengths of branches and Call-IDs cost nothing here. */
#include "sip/sip_i.h"

int sip_table_init(struct sip_table *t)
{
	t->slots = mem_zalloc(256 * sizeof(t->slots[0]));
	if (!t->slots)
		return ST_NOMEM;
	t->mask = 255;
	t->count = 0;
	return ST_OK;
}

void sip_table_fini(struct sip_table *t)
{
	mem_free(t->slots);
	t->slots = NULL;
}

static void grow(struct sip_table *t)
{
	size_t size = (t->mask + 1) * 2;
	struct sip_node **slots = mem_zalloc(size * sizeof(slots[0]));
	if (!slots)
		return; /* longer chains are slower, not wrong */
	for (size_t i = 0; i <= t->mask; i++) {
		struct sip_node *n = t->slots[i], *next;
		for (; n; n = next) {
			next = n->next;
			n->next = slots[n->key & (size - 1)];
			slots[n->key & (size - 1)] = n;
		}
	}
	mem_free(t->slots);
	t->slots = slots;
	t->mask = size - 1;
}

void sip_table_add(struct sip_table *t, struct sip_node *n, uint64_t key)
{
	if (t->count > t->mask)
		grow(t);
	n->key = key;
	n->next = t->slots[key & t->mask];
	n->is_linked = true;
	t->slots[key & t->mask] = n;
	t->count++;
}

void sip_table_del(struct sip_table *t, struct sip_node *n)
{
	if (!n->is_linked)
		return;
	struct sip_node **at = &t->slots[n->key & t->mask];
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	n->next = NULL;
	n->is_linked = false;
	t->count--;
}

struct sip_node *sip_table_first(const struct sip_table *t, uint64_t key)
{
	struct sip_node *n = t->slots[key & t->mask];
	while (n && n->key != key)
		n = n->next;
	return n;
}

struct sip_node *sip_node_next(const struct sip_node *n)
{
	struct sip_node *x = n->next;
	while (x && x->key != n->key)
		x = x->next;
	return x;
}

uint64_t sip_key(struct sv a, struct sv b, struct sv c, uint64_t salt)
{
	char text[192];
	uint64_t h[4] = {a.n, b.n, c.n, salt};
	if (a.n + b.n + c.n <=
	    sizeof(text) - sizeof(h)) { /* one hash, as nearly all are: the lengths say where each ends */
		char *p = text;
		p = mempcpy(p, h, sizeof(h));
		p = a.n ? mempcpy(p, a.p, a.n) : p;
		p = b.n ? mempcpy(p, b.p, b.n) : p;
		p = c.n ? mempcpy(p, c.p, c.n) : p;
		return hash_bytes(text, (size_t)(p - text));
	}
	h[0] = hash_bytes(a.p, a.n), h[1] = hash_bytes(b.p, b.n), h[2] = hash_bytes(c.p, c.n);
	return hash_bytes(h, sizeof(h));
}
