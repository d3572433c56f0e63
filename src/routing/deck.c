/* Rate decks: the arrays, and the table of prefixes. Texts of the rates lie in one block, those of nothing at its
 * begin. */
#include "routing/deck.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"
#include <string.h>

struct deck {
	struct deck_rate *rates;
	size_t rate_count, rate_cap;
	struct deck_carrier *carriers;
	size_t carrier_count;
	struct deck_gateway *gateways;
	size_t gateway_count;
	struct hash *by_id; /* of carriers: index + 1 as a pointer */
	uint64_t *keys;     /* 0: free */
	uint32_t *heads, *tails;
	size_t cap, key_count; /* cap: a power of two */
	size_t longest;
	struct buf texts;
};

int deck_new(struct deck **out)
{
	struct deck *d = mem_zalloc(sizeof(*d));
	if (!d)
		return ST_NOMEM;
	buf_init(&d->texts);
	buf_add(&d->texts, "\0\0\0", 3); /* rates without any */
	d->cap = 1024;
	d->keys = mem_zalloc(d->cap * sizeof(*d->keys));
	d->heads = mem_zalloc(d->cap * sizeof(*d->heads));
	d->tails = mem_zalloc(d->cap * sizeof(*d->tails));
	if (!d->keys || !d->heads || !d->tails || d->texts.failed || hash_new(&d->by_id, 0, NULL)) {
		deck_free(d);
		return ST_NOMEM;
	}
	*out = d;
	return ST_OK;
}

void deck_free(struct deck *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->carrier_count; i++) {
		mem_free(d->carriers[i].name);
		mem_free(d->carriers[i].id);
	}
	for (size_t i = 0; i < d->gateway_count; i++) {
		mem_free(d->gateways[i].prefix);
		mem_free(d->gateways[i].suffix);
		mem_free(d->gateways[i].codec);
	}
	mem_free(d->carriers);
	mem_free(d->gateways);
	mem_free(d->rates);
	mem_free(d->keys);
	mem_free(d->heads);
	mem_free(d->tails);
	hash_free(d->by_id);
	buf_fini(&d->texts);
	mem_free(d);
}

int deck_carrier_add(struct deck *d, struct sv id, struct sv name)
{
	if (d->carrier_count == DECK_CARRIERS_MAX)
		return ST_FULL;
	if (hash_get(d->by_id, id))
		return ST_EXISTS;
	struct deck_carrier *grown = mem_realloc(d->carriers, (d->carrier_count + 1) * sizeof(*grown));
	if (!grown)
		return ST_NOMEM;
	d->carriers = grown;
	struct deck_carrier c = {.name = sv_dup(name), .id = sv_dup(id), .first_gateway = UINT32_MAX};
	if (!c.name || !c.id || hash_set(d->by_id, id, (void *)(d->carrier_count + 1))) {
		mem_free(c.name);
		mem_free(c.id);
		return ST_NOMEM;
	}
	grown[d->carrier_count++] = c;
	return ST_OK;
}

/* UINT32_MAX: none */
static uint32_t carrier_of(const struct deck *d, struct sv id)
{
	return (uint32_t)((uintptr_t)hash_get(d->by_id, id) - 1);
}

int deck_gateway_add(struct deck *d, struct sv carrier_id, struct sv prefix, struct sv suffix, struct sv codec,
    uint32_t share, uint32_t max_calls)
{
	uint32_t carrier = carrier_of(d, carrier_id);
	if (carrier == UINT32_MAX)
		return ST_NOTFOUND;
	struct deck_gateway *grown = mem_realloc(d->gateways, (d->gateway_count + 1) * sizeof(*grown));
	if (!grown)
		return ST_NOMEM;
	d->gateways = grown;
	struct deck_gateway g = {.prefix = sv_dup(prefix),
	    .suffix = sv_dup(suffix),
	    .codec = sv_dup(codec),
	    .share = share,
	    .max_calls = max_calls,
	    .next = UINT32_MAX};
	if (!g.prefix || !g.suffix || !g.codec) {
		mem_free(g.prefix);
		mem_free(g.suffix);
		mem_free(g.codec);
		return ST_NOMEM;
	}
	uint32_t *at = &d->carriers[carrier].first_gateway;
	grown[d->gateway_count] = g;
	while (*at != UINT32_MAX)
		at = &grown[*at].next;
	*at = (uint32_t)d->gateway_count++;
	return ST_OK;
}

/* ---- prefixes ------------------------------------------------------------------------------------------------ */

/* 1 and the digits, as one number; 0: it is none. */
static uint64_t key_of(const char *digits, size_t n)
{
	uint64_t key = 1;
	if (!n || n > DECK_DIGITS_MAX)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return 0;
		key = key * 10 + (uint64_t)(digits[i] - '0');
	}
	return key;
}

/* Where the key is, or where it would be. Prices of whole countries differ in the last digits: these are mixed in. */
static size_t slot_of(const uint64_t *keys, size_t cap, uint64_t key)
{
	uint64_t h = key * 0x9e3779b97f4a7c15u;
	size_t i = (size_t)(h ^ h >> 32) & (cap - 1);
	while (keys[i] && keys[i] != key)
		i = (i + 1) & (cap - 1);
	return i;
}

static int table_grow(struct deck *d)
{
	size_t cap = d->cap * 2;
	uint64_t *keys = mem_zalloc(cap * sizeof(*keys));
	uint32_t *heads = mem_zalloc(cap * sizeof(*heads)), *tails = mem_zalloc(cap * sizeof(*tails));
	if (!keys || !heads || !tails) {
		mem_free(keys);
		mem_free(heads);
		mem_free(tails);
		return ST_NOMEM;
	}
	for (size_t i = 0; i < d->cap; i++) {
		if (!d->keys[i])
			continue;
		size_t at = slot_of(keys, cap, d->keys[i]);
		keys[at] = d->keys[i], heads[at] = d->heads[i], tails[at] = d->tails[i];
	}
	mem_free(d->keys);
	mem_free(d->heads);
	mem_free(d->tails);
	d->keys = keys, d->heads = heads, d->tails = tails, d->cap = cap;
	return ST_OK;
}

static int text_put(struct deck *d, struct sv prefix, struct sv suffix, struct sv cid, uint32_t *at)
{
	*at = 0;
	if (!prefix.n && !suffix.n && !cid.n)
		return ST_OK;
	if (d->texts.n > UINT32_MAX - 4096)
		return ST_FULL;
	*at = (uint32_t)d->texts.n;
	const struct sv parts[] = {prefix, suffix, cid};
	for (size_t i = 0; i < 3; i++) {
		buf_addv(&d->texts, parts[i]);
		buf_addc(&d->texts, 0);
	}
	return d->texts.failed ? ST_NOMEM : ST_OK;
}

int deck_rate_add(struct deck *d, struct sv digits, struct sv carrier_id, struct sv prefix, struct sv suffix,
    struct sv cid, struct deck_rate r)
{
	r.carrier = carrier_of(d, carrier_id);
	r.key = key_of(digits.p, digits.n);
	r.next = UINT32_MAX;
	if (r.carrier == UINT32_MAX)
		return ST_NOTFOUND;
	if (!r.key)
		return ST_INVAL;
	if (d->rate_count == DECK_RATES_MAX)
		return ST_FULL;
	if (d->rate_count == d->rate_cap) {
		size_t more = d->rate_cap ? d->rate_cap * 2 : 1024;
		struct deck_rate *grown = mem_realloc(d->rates, more * sizeof(*grown));
		if (!grown)
			return ST_NOMEM;
		d->rates = grown, d->rate_cap = more;
	}
	int st = text_put(d, prefix, suffix, cid, &r.text_at);
	if (!st && d->key_count * 2 >= d->cap)
		st = table_grow(d);
	if (st)
		return st;
	size_t at = slot_of(d->keys, d->cap, r.key);
	uint32_t i = (uint32_t)d->rate_count++;
	d->rates[i] = r;
	if (d->keys[at])
		d->rates[d->tails[at]].next = i;
	else
		d->keys[at] = r.key, d->heads[at] = i, d->key_count++;
	d->tails[at] = i;
	if (digits.n > d->longest)
		d->longest = digits.n;
	return ST_OK;
}

size_t deck_find(const struct deck *d, const char *number, const struct deck_rate **out, uint8_t *digits, size_t max)
{
	size_t count = 0, n = strspn(number, "0123456789");
	if (n > d->longest)
		n = d->longest;
	for (uint64_t key = key_of(number, n); n; n--, key /= 10) {
		size_t at = slot_of(d->keys, d->cap, key);
		for (uint32_t i = d->keys[at] ? d->heads[at] : UINT32_MAX; i != UINT32_MAX; i = d->rates[i].next) {
			if (count == max)
				return count;
			digits[count] = (uint8_t)n;
			out[count++] = &d->rates[i];
		}
	}
	return count;
}

const struct deck_carrier *deck_carrier_at(const struct deck *d, uint32_t i)
{
	return &d->carriers[i];
}

const struct deck_gateway *deck_gateway_at(const struct deck *d, uint32_t i)
{
	return i < d->gateway_count ? &d->gateways[i] : NULL;
}

const char *deck_text(const struct deck *d, const struct deck_rate *r, int part)
{
	const char *p = d->texts.p + r->text_at;
	while (part--)
		p += strlen(p) + 1;
	return p;
}

size_t deck_rate_count(const struct deck *d)
{
	return d->rate_count;
}

size_t deck_carrier_count(const struct deck *d)
{
	return d->carrier_count;
}
