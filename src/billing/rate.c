/* Decks in memory. Each prefix of a deck has a slot of an open table, its rates hang on it in a chain:
 *
 *   deck -> number;  prefix -> 1 and its digits, as a number;  both -> slot -> rate -> next rate of the same prefix ...
 *
 * A look-up asks for each prefix of the number, the longest first: at most 18 probes, whatever the number of rates.
 * Prices are worked out in 128 bits, so that no deck can overflow them, and are rounded up to a whole sub-unit. */
#include "billing/rate.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"

#include <string.h>

struct row {
	struct rate rate;
	uint32_t next; /* index + 1 */
};
struct slot {
	uint64_t key;
	uint32_t deck; /* number + 1; 0: empty */
	uint32_t first;
};
struct rates {
	struct hash *decks; /* name -> its number + 1, as a pointer */
	struct row *rows;
	struct slot *slots;
	size_t row_count, row_cap, slot_count, slot_cap;
};

int billing_rates_new(struct rates **out)
{
	struct rates *r = mem_zalloc(sizeof(*r));
	int st = r ? hash_new(&r->decks, 0, NULL) : ST_NOMEM;
	if (st)
		mem_free(r);
	else
		*out = r;
	return st;
}

void billing_rates_free(struct rates *r)
{
	if (!r)
		return;
	hash_free(r->decks);
	mem_free(r->rows);
	mem_free(r->slots);
	mem_free(r);
}

size_t billing_rates_count(const struct rates *r)
{
	return r->row_count;
}

static uint64_t mix(uint64_t key, uint32_t deck)
{
	uint64_t x = (key ^ ((uint64_t)deck << 40)) * UINT64_C(0x9E3779B97F4A7C15);
	return x ^ x >> 29;
}

static struct slot *slot_of(struct slot *slots, size_t cap, uint64_t key, uint32_t deck)
{
	size_t i = (size_t)mix(key, deck) & (cap - 1);
	while (slots[i].deck && (slots[i].key != key || slots[i].deck != deck))
		i = (i + 1) & (cap - 1);
	return &slots[i];
}

static int room_make(struct rates *r)
{
	if (r->row_count == r->row_cap) {
		size_t cap = r->row_cap ? r->row_cap * 2 : 64;
		struct row *rows = mem_realloc(r->rows, cap * sizeof(*rows));
		if (!rows)
			return ST_NOMEM;
		r->rows = rows, r->row_cap = cap;
	}
	if (r->slot_count * 2 < r->slot_cap)
		return ST_OK;
	size_t cap = r->slot_cap ? r->slot_cap * 2 : 128;
	struct slot *slots = mem_zalloc(cap * sizeof(*slots));
	if (!slots)
		return ST_NOMEM;
	for (size_t i = 0; i < r->slot_cap; i++)
		if (r->slots[i].deck)
			*slot_of(slots, cap, r->slots[i].key, r->slots[i].deck) = r->slots[i];
	mem_free(r->slots);
	r->slots = slots, r->slot_cap = cap;
	return ST_OK;
}

static bool is_fit(const struct rate *r)
{
	return r->per_minute >= 0 && r->per_minute <= RATE_MONEY_MAX && r->connect >= 0 &&
	       r->connect <= RATE_MONEY_MAX && r->minimum_s <= 86400 && r->increment_s >= 1 &&
	       r->increment_s <= 86400 && r->free_s <= 86400 && r->tax_ppm <= 10000000 && r->days && r->days < 128 &&
	       r->begin_min <= 1440 && r->end_min <= 1440;
}

int billing_rates_add(struct rates *r, struct sv deck, struct sv prefix, const struct rate *rate)
{
	uint64_t key = 1;
	if (!deck.n || deck.n > RATE_NAME_MAX || !prefix.n || prefix.n > RATE_DIGITS_MAX || !is_fit(rate))
		return ST_INVAL;
	for (size_t i = 0; i < prefix.n; i++) {
		if (prefix.p[i] < '0' || prefix.p[i] > '9')
			return ST_INVAL;
		key = key * 10 + (uint64_t)(prefix.p[i] - '0');
	}
	if (r->row_count == RATE_COUNT_MAX)
		return ST_FULL;
	int st = room_make(r);
	uintptr_t number = (uintptr_t)hash_get(r->decks, deck);
	if (!st && !number) {
		number = hash_count(r->decks) + 1;
		st = hash_set(r->decks, deck, (void *)number); /* NOLINT: a number */
	}
	if (st)
		return st;
	struct slot *s = slot_of(r->slots, r->slot_cap, key, (uint32_t)number);
	if (!s->deck) {
		*s = (struct slot){.key = key, .deck = (uint32_t)number};
		r->slot_count++;
	}
	r->rows[r->row_count] = (struct row){.rate = *rate, .next = s->first};
	s->first = (uint32_t)++r->row_count;
	return ST_OK;
}

static bool is_within(const struct rate *r, struct rate_moment at)
{
	if (at.wall_s < r->from_s || (r->to_s && at.wall_s >= r->to_s))
		return false;
	if (r->begin_min <= r->end_min)
		return r->days >> at.weekday & 1 && at.minute >= r->begin_min && at.minute < r->end_min;
	/* over midnight: the night belongs to the day that it begins in */
	unsigned day = at.minute >= r->begin_min ? at.weekday : (at.weekday + 6) % 7;
	return r->days >> day & 1 && (at.minute >= r->begin_min || at.minute < r->end_min);
}

static unsigned width(const struct rate *r)
{
	unsigned minutes =
	    r->begin_min <= r->end_min ? (unsigned)(r->end_min - r->begin_min) : 1440u - r->begin_min + r->end_min;
	return minutes * (unsigned)__builtin_popcount(r->days);
}

static const struct rate *best_of(const struct rates *r, uint32_t first, struct rate_moment at)
{
	const struct rate *best = NULL;
	for (uint32_t i = first; i; i = r->rows[i - 1].next) {
		const struct rate *x = &r->rows[i - 1].rate;
		if (is_within(x, at) &&
		    (!best || x->from_s > best->from_s || (x->from_s == best->from_s && width(x) < width(best))))
			best = x;
	}
	return best;
}

int billing_rates_find(
    const struct rates *r, struct sv deck, const char *number, struct rate_moment at, struct rate_found *out)
{
	uint64_t keys[RATE_DIGITS_MAX + 1] = {1};
	size_t n = 0;
	uint32_t d = (uint32_t)(uintptr_t)hash_get(r->decks, deck);
	if (!d || at.weekday > 6)
		return ST_NOTFOUND;
	for (; n < RATE_DIGITS_MAX && number[n] >= '0' && number[n] <= '9'; n++)
		keys[n + 1] = keys[n] * 10 + (uint64_t)(number[n] - '0');
	for (size_t i = n; i > 0; i--) {
		const struct slot *s = slot_of(r->slots, r->slot_cap, keys[i], d);
		const struct rate *best = s->deck ? best_of(r, s->first, at) : NULL;
		if (best) {
			out->rate = *best;
			memcpy(out->prefix, number, i);
			out->prefix[i] = 0;
			return ST_OK;
		}
	}
	return ST_NOTFOUND;
}

int64_t rate_cost(const struct rate *r, int64_t seconds)
{
	if (seconds <= 0)
		return 0;
	if (seconds > RATE_SECONDS_MAX)
		seconds = RATE_SECONDS_MAX;
	int64_t counted = seconds <= r->minimum_s ? r->minimum_s
	                                          : r->minimum_s + (seconds - r->minimum_s + r->increment_s - 1) /
	                                                               r->increment_s * r->increment_s;
	counted = counted > r->free_s ? counted - r->free_s : 0;
	__int128 net = r->connect + ((__int128)r->per_minute * counted + 59) / 60;
	__int128 all = net + (net * r->tax_ppm + 999999) / 1000000;
	return (int64_t)all;
}

int64_t rate_seconds(const struct rate *r, int64_t amount)
{
	int64_t low = 0, high = RATE_SECONDS_MAX;
	while (low < high) {
		int64_t mid = (low + high + 1) / 2;
		if (rate_cost(r, mid) <= amount)
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

int rate_money_parse(struct sv t, int64_t *out)
{
	bool is_minus = t.n && *t.p == '-', has_point = false;
	int64_t v = 0;
	unsigned decimals = 0, digits = 0;
	for (size_t i = is_minus; i < t.n; i++) {
		if (t.p[i] == '.' && !has_point) {
			has_point = true;
			continue;
		}
		if (t.p[i] < '0' || t.p[i] > '9' || (has_point && ++decimals > 4))
			return ST_PARSE;
		digits++;
		v = v * 10 + (t.p[i] - '0');
		if (v > RATE_MONEY_MAX)
			return ST_LIMIT;
	}
	for (; decimals < 4; decimals++)
		v *= 10;
	if (!digits)
		return ST_PARSE;
	if (v > RATE_MONEY_MAX)
		return ST_LIMIT;
	*out = is_minus ? -v : v;
	return ST_OK;
}

void rate_money_put(struct buf *out, int64_t amount)
{
	uint64_t v = amount < 0 ? 0 - (uint64_t)amount : (uint64_t)amount;
	buf_printf(out, "%s%llu", amount < 0 ? "-" : "", (unsigned long long)(v / RATE_UNIT));
	if (v % RATE_UNIT)
		buf_printf(out, ".%04u", (unsigned)(v % RATE_UNIT));
}
