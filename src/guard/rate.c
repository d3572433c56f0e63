/* How many of something one holds at a time, and began within the last minute. One row for each pair of what and who
 * that holds something or began something lately; the minute is six slices that slide (so 50 to 60 s). Bounded: of the
 * rows that hold nothing the one used longest ago gives way; where every row holds something, a new one is not counted
 * but let through (the bounds of all calls are elsewhere). */
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"
#include "guard/guard_i.h"

#include <string.h>

enum { ROWS_MAX = 16384, KEY_MAX = 160, SLICE_US = 10000000, SLICES = 6 };

struct row {
	struct lnode link; /* idle ones only, the one used longest ago first */
	unsigned now, refs;
	unsigned begun[SLICES];
	int64_t slice; /* the number of the newest */
	uint64_t refused;
	size_t what_n, key_n;
	char key[]; /* what, NUL, who */
};
struct guard_hold {
	struct row *row;
	unsigned life; /* of the table it is in */
};
static struct {
	struct hash *rows;
	struct list idle;
	uint64_t refused;
	unsigned life;
} rates;

int rates_start(void)
{
	list_init(&rates.idle);
	rates.refused = 0;
	rates.life++;
	return hash_new(&rates.rows, 0, NULL);
}

static ON_CTL void row_drop(struct row *r)
{
	hash_take(rates.rows, (struct sv){r->key, r->key_n});
	list_remove(&r->link);
	mem_free(r);
}

void rates_stop(void)
{
	struct hash_it it = {0};
	while (rates.rows && hash_next(rates.rows, &it)) {
		struct row *r = it.value;
		hash_take(rates.rows, it.key);
		mem_free(r);
	}
	hash_free(rates.rows);
	rates.rows = NULL;
	list_init(&rates.idle);
}

static void slide(struct row *r, int64_t now_us)
{
	int64_t slice = now_us / SLICE_US;
	if (slice - r->slice >= SLICES)
		memset(r->begun, 0, sizeof(r->begun));
	else
		for (int64_t i = r->slice + 1; i <= slice; i++)
			r->begun[i % SLICES] = 0;
	r->slice = slice;
}

static unsigned in_minute(const struct row *r)
{
	unsigned n = 0;
	for (int i = 0; i < SLICES; i++)
		n += r->begun[i];
	return n;
}

static ON_CTL struct row *row_get(const char *what, struct sv who)
{
	char key[KEY_MAX];
	size_t n = strlen(what);
	if (n + 2 > sizeof(key))
		return NULL;
	if (who.n > sizeof(key) - n - 2)
		who.n = sizeof(key) - n - 2;
	memcpy(key, what, n + 1);
	if (who.n)
		memcpy(key + n + 1, who.p, who.n);
	struct sv k = {key, n + 1 + who.n};
	struct row *r = hash_get(rates.rows, k);
	if (r)
		return r;
	struct lnode *oldest = list_first(&rates.idle);
	if (hash_count(rates.rows) >= ROWS_MAX && oldest)
		row_drop(list_entry(oldest, struct row, link));
	if (hash_count(rates.rows) >= ROWS_MAX || !(r = mem_zalloc(sizeof(*r) + k.n)))
		return NULL;
	memcpy(r->key, k.p, k.n);
	r->key_n = k.n;
	r->what_n = n;
	if (hash_set(rates.rows, k, r)) {
		mem_free(r);
		return NULL;
	}
	list_push(&rates.idle, &r->link);
	return r;
}

int guard_rate_take(
    struct guard_hold **out, const char *what, struct sv who, const struct guard_limit *l, const char **why)
{
	if (out)
		*out = NULL;
	if (!rates.rows || (!l->max_now && !l->max_per_minute))
		return ST_OK;
	struct row *r = row_get(what, who);
	struct guard_hold *h = NULL;
	if (!r)
		return ST_OK;
	slide(r, clock_mono_us());
	*why = l->max_now && r->now >= l->max_now                       ? "at a time"
	       : l->max_per_minute && in_minute(r) >= l->max_per_minute ? "within a minute"
	                                                                : NULL;
	if (*why) {
		r->refused++;
		rates.refused++;
		return ST_LIMIT;
	}
	if (out && !(h = mem_zalloc(sizeof(*h))))
		return ST_NOMEM;
	r->begun[r->slice % SLICES]++;
	list_remove(&r->link);
	if (!out) {
		if (!r->now)
			list_push(&rates.idle, &r->link);
		return ST_OK;
	}
	r->now++;
	h->row = r;
	h->life = rates.life;
	*out = h;
	return ST_OK;
}

void guard_rate_give(struct guard_hold *h)
{
	if (!h)
		return;
	if (rates.rows && h->life == rates.life && !--h->row->now)
		list_push(&rates.idle, &h->row->link);
	mem_free(h);
}

void rates_each(
    void (*fn)(const char *what, struct sv who, unsigned now, unsigned begun, uint64_t refused, void *arg), void *arg)
{
	struct hash_it it = {0};
	int64_t now_us = clock_mono_us();
	while (rates.rows && hash_next(rates.rows, &it)) {
		struct row *r = it.value;
		slide(r, now_us);
		fn(r->key, (struct sv){r->key + r->what_n + 1, r->key_n - r->what_n - 1}, r->now, in_minute(r),
		    r->refused, arg);
	}
}

uint64_t rates_refused(void)
{
	return rates.refused;
}

size_t rates_count(void)
{
	return rates.rows ? hash_count(rates.rows) : 0;
}
