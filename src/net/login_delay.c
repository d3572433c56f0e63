/* One row an address: how often it failed (less by one every so often), and when its next attempt may be looked at. An
 * attempt that asks for its turn moves that on by the delay its failures have earned, so a thousand connections at once
 * get no more answers than one. The table is in the order of the last failure. */
#include "net/login_delay.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"

enum {
	ADDRESSES_MAX = 4096,
	FREE_FAILURES = 3,
	DELAY_FIRST_US = 250000,
	DELAY_MAX_US = 4000000,
	TURNS_MAX_US = 8000000, /* who would wait longer is refused */
	FORGET_US = 60000000    /* one failure less after so long */
};

struct row {
	unsigned failures;
	int64_t failed_us, next_us;
};
struct login_delay {
	struct hash *rows;
	struct login_delay_counts counts;
};

int login_delay_new(struct login_delay **out)
{
	struct login_delay *d = mem_zalloc(sizeof(*d));
	if (!d || hash_new(&d->rows, 0, mem_free)) {
		mem_free(d);
		return ST_NOMEM;
	}
	*out = d;
	return ST_OK;
}

void login_delay_free(struct login_delay *d)
{
	if (!d)
		return;
	hash_free(d->rows);
	mem_free(d);
}

static void row_age(struct row *r, int64_t now_us)
{
	int64_t gone = (now_us - r->failed_us) / FORGET_US;
	if (gone <= 0)
		return;
	r->failures = gone < r->failures ? r->failures - (unsigned)gone : 0;
	r->failed_us += gone * FORGET_US;
}

static int64_t row_delay_us(const struct row *r)
{
	int64_t us = DELAY_FIRST_US;
	if (r->failures < FREE_FAILURES)
		return 0;
	for (unsigned i = FREE_FAILURES; i < r->failures && us < DELAY_MAX_US; i++)
		us *= 2;
	return us < DELAY_MAX_US ? us : DELAY_MAX_US;
}

int login_delay_turn(struct login_delay *d, const struct addr *peer, int64_t *wait_us)
{
	struct row *r = hash_get(d->rows, addr_host_key(peer));
	int64_t now_us = clock_mono_us();
	*wait_us = 0;
	if (!r)
		return ST_OK;
	row_age(r, now_us);
	int64_t delay_us = row_delay_us(r);
	if (!delay_us)
		return ST_OK;
	int64_t turn_us = (r->next_us > now_us ? r->next_us : now_us) + delay_us;
	if (turn_us - now_us > TURNS_MAX_US) {
		d->counts.refused++;
		return ST_LIMIT;
	}
	r->next_us = turn_us;
	*wait_us = turn_us - now_us;
	return ST_OK;
}

void login_delay_failed(struct login_delay *d, const struct addr *peer)
{
	struct sv key = addr_host_key(peer);
	struct row *r = hash_take(d->rows, key);
	int64_t now_us = clock_mono_us();
	d->counts.failed++;
	if (!r && !(r = mem_zalloc(sizeof(*r))))
		return;
	struct hash_it it = {0};
	if (hash_count(d->rows) >= ADDRESSES_MAX && hash_next(d->rows, &it))
		hash_del(d->rows, it.key);
	if (r->failed_us)
		row_age(r, now_us);
	r->failures++;
	r->failed_us = now_us;
	if (hash_set(d->rows, key, r))
		mem_free(r);
}

void login_delay_counts(const struct login_delay *d, struct login_delay_counts *out)
{
	*out = d->counts;
	out->address_count = hash_count(d->rows);
}
