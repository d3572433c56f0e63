/* The ledger: money that comes, and what is booked beside calls: top-ups, vouchers, fees, calls rated again. Each is
 * one transaction with an entry whose name is its own: sent again, or by a second switch, it finds its entry and does
 * nothing. */
#include "base/clock.h"
#include "base/rand.h"
#include "billing/billing_i.h"
#include "billing/ledger_sql_i.h"

static CO int balance_read(int st, struct store_rows *rows, int64_t *balance)
{
	struct sv c[2] = {{0}};
	size_t at = 0;
	if (!st && !store_rows_row(rows, &at, c, 2))
		st = ST_NOTFOUND;
	if (!st) {
		*balance = store_number(c[0]);
		st = store_number(c[1]) ? ST_OK : ST_EXISTS;
	}
	store_rows_fini(rows);
	return st;
}

int ledger_topup(const char *account, const char *ref, int64_t amount, const char *kind, int64_t *balance)
{
	struct store_number n[2];
	char token[UUID_CHARS + 1];
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(ref), sv_of(account), store_number_put(&n[0], amount),
	    store_number_put(&n[1], clock_wall_us()), sv_of(token), sv_of(kind)};
	return balance_read(ledger_sql(sql_topup, p, 6, &rows), &rows, balance);
}

int ledger_voucher(const char *account, const char *code, int64_t *balance)
{
	struct store_number n;
	char token[UUID_CHARS + 1];
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(code), sv_of(account), store_number_put(&n, clock_wall_us()), sv_of(token)};
	int st = balance_read(ledger_sql(sql_voucher, p, 4, &rows), &rows, balance);
	return st == ST_EXISTS ? ST_NOTFOUND : st;
}

int ledger_fee(const struct ledger_fee *f, const char *entry, int64_t *balance)
{
	struct store_number n[3];
	char token[UUID_CHARS + 1];
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(entry), sv_of(f->account), store_number_put(&n[0], f->amount),
	    store_number_put(&n[1], clock_wall_us()), sv_of(token), sv_of(f->name), store_number_put(&n[2], f->period)};
	return balance_read(ledger_sql(sql_fee, p, 7, &rows), &rows, balance);
}

int ledger_rerate(const char *id, const char *account, int64_t old, int64_t cost, const struct rate_found *found)
{
	struct store_number n[9];
	char token[UUID_CHARS + 1];
	const struct rate *r = &found->rate;
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(id), sv_of(account), store_number_put(&n[0], old),
	    store_number_put(&n[1], clock_wall_us()), sv_of(token), store_number_put(&n[2], cost), sv_of(found->prefix),
	    store_number_put(&n[3], r->per_minute), store_number_put(&n[4], r->connect),
	    store_number_put(&n[5], r->minimum_s), store_number_put(&n[6], r->increment_s),
	    store_number_put(&n[7], r->free_s), store_number_put(&n[8], r->tax_ppm)};
	int st = ledger_sql(sql_rerate, p, 13, &rows);
	store_rows_fini(&rows);
	return st;
}
