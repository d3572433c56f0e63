/* The decks: the table billing_rates, and all of it in memory. A reload reads the table in pages of some thousand rows,
 * which the store hands out some hundred a turn of the loop, into a set made aside; calls look into the old one until
 * the new one is whole, and keep the rate that they found. An import writes some rows a statement. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/slurp.h"
#include "billing/billing_i.h"
#include "loop/co.h"
#include "loop/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAGE_ROWS = 10000, IMPORT_ROWS = 200, FILE_MAX_BYTES = 64 << 20, ERRORS_MAX = 50, CELLS = 13, WAITING_MAX = 16 };
static struct rates *decks;
static bool is_loading;
static uint64_t loads_begun, last_whole;     /* last_whole: the number of the newest that came to its end */
static struct co_wait *waiting[WAITING_MAX]; /* for the end of the one under way */
static size_t waiting_count;

size_t decks_count(void)
{
	return decks ? billing_rates_count(decks) : 0;
}

void decks_free(void)
{
	billing_rates_free(decks);
	decks = NULL;
}

int decks_find(const char *deck, const char *number, int64_t wall_s, struct rate_found *out)
{
	time_t t = (time_t)wall_s;
	struct tm tm;
	if (!decks || !localtime_r(&t, &tm))
		return ST_NOTFOUND;
	struct rate_moment at = {wall_s, (unsigned)(tm.tm_wday + 6) % 7, (unsigned)(tm.tm_hour * 60 + tm.tm_min)};
	return billing_rates_find(decks, sv_of(deck), *number == '+' ? number + 1 : number, at, out);
}

struct page {
	struct rates *into;
	struct co_wait wait;
	size_t rows, bad;
};

static void on_row(const struct sv *c, size_t count, void *arg)
{
	struct page *p = arg;
	if (count != CELLS)
		return;
	p->rows++;
	struct rate r = {.days = (uint8_t)store_number(c[2]),
	    .begin_min = (uint16_t)store_number(c[3]),
	    .end_min = (uint16_t)store_number(c[4]),
	    .from_s = store_number(c[5]),
	    .to_s = store_number(c[6]),
	    .per_minute = store_number(c[7]),
	    .connect = store_number(c[8]),
	    .minimum_s = (uint32_t)store_number(c[9]),
	    .increment_s = (uint32_t)store_number(c[10]),
	    .free_s = (uint32_t)store_number(c[11]),
	    .tax_ppm = (uint32_t)store_number(c[12])};
	p->bad += billing_rates_add(p->into, c[0], c[1], &r) != ST_OK;
}

static void on_page(int status, struct store_rows *rows, void *arg)
{
	struct page *p = arg;
	role_assert_ctl();
	co_signal(&p->wait, status);
}

/* One loads at a time. Who comes meanwhile waits for the next, which reads what he changed, and which those who wait
 * have in common. is_mine: it is for the caller to load. */
static CO int turn_take(bool *is_mine)
{
	const uint64_t begun = loads_begun;
	*is_mine = false;
	while (is_loading) {
		struct co_wait wait = {0};
		if (waiting_count == WAITING_MAX)
			return ST_BUSY;
		waiting[waiting_count++] = &wait;
		int st = co_wait(&wait, -1);
		for (size_t i = 0; i < waiting_count; i++)
			if (waiting[i] == &wait)
				waiting[i] = waiting[--waiting_count];
		if (st || last_whole > begun)
			return st;
	}
	if (!lines_are_open())
		return ST_UNSUPPORTED;
	*is_mine = is_loading = true;
	loads_begun++;
	return ST_OK;
}

static ON_CTL void turn_give(int st)
{
	is_loading = false;
	if (!st)
		last_whole = loads_begun;
	while (waiting_count)
		co_signal(waiting[--waiting_count], ST_OK);
}

static const char sql_page[] =
    "SELECT deck,prefix,days,begin_min,end_min,from_s,to_s,per_minute,connect_fee,minimum_s,increment_s,free_s,tax_ppm "
    "FROM billing_rates ORDER BY deck,prefix,days,begin_min,end_min,from_s "
    "LIMIT CAST($1 AS BIGINT) OFFSET CAST($2 AS BIGINT)";

static CO int pages_read(struct page *p)
{
	int st = billing_rates_new(&p->into);
	for (int64_t from = 0; !st; from += PAGE_ROWS) {
		struct store_number n[2];
		struct sv v[] = {store_number_put(&n[0], PAGE_ROWS), store_number_put(&n[1], from)};
		struct ledger_line line = line_take();
		p->rows = 0;
		p->wait = (struct co_wait){0};
		st = line.store ? store_sql(line.store, sql_page, v, 2, on_row, on_page, p) : ST_UNSUPPORTED;
		if (!st)
			st = co_wait(&p->wait, -1);
		line_give(line);
		if (p->rows < PAGE_ROWS)
			break;
	}
	return st;
}

int decks_load(void)
{
	struct page p = {0};
	bool is_mine;
	int st = turn_take(&is_mine);
	if (!is_mine)
		return st;
	st = pages_read(&p);
	if (st) {
		billing_rates_free(p.into);
	} else {
		if (p.bad)
			log_error("billing: %zu rows of billing_rates are no rates and do not count", p.bad);
		billing_rates_free(decks);
		decks = p.into;
	}
	turn_give(st);
	return st;
}

/* ---- import ---- */

struct line {
	char prefix[RATE_DIGITS_MAX + 1];
	struct rate rate;
};
struct import {
	const char *path;
	struct buf text, errors;
	struct line *lines;
	struct hash *keys;
	size_t count, cap, bad_count;
	int status;
	const char *why;
};

static void on_bad(unsigned line, const char *why, void *arg)
{
	struct import *m = arg;
	if (m->bad_count++ < ERRORS_MAX)
		buf_printf(&m->errors, "line %u: %s\n", line, why);
}

static void on_ok(unsigned number, struct sv prefix, const struct rate *rate, void *arg)
{
	struct import *m = arg;
	char key[96];
	size_t n = (size_t)snprintf(key, sizeof(key), "%.*s %u %u %u %lld", (int)prefix.n, prefix.p, rate->days,
	    rate->begin_min, rate->end_min, (long long)rate->from_s);
	if (hash_get(m->keys, (struct sv){key, n})) {
		on_bad(number, "this prefix, band and version stands in a line before", m);
		return;
	}
	if (m->count == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 256;
		struct line *lines = mem_realloc(m->lines, cap * sizeof(*lines));
		if (!lines) {
			m->status = ST_NOMEM;
			return;
		}
		m->lines = lines, m->cap = cap;
	}
	struct line *l = &m->lines[m->count++];
	snprintf(l->prefix, sizeof(l->prefix), "%.*s", (int)prefix.n, prefix.p);
	l->rate = *rate;
	if (hash_set(m->keys, (struct sv){key, n}, m))
		m->status = ST_NOMEM;
}

static void work_read(void *arg)
{
	struct import *m = arg;
	struct rate_csv to = {on_ok, on_bad, m};
	m->status = slurp(m->path, FILE_MAX_BYTES, &m->text, &m->why);
	if (!m->status)
		m->status = hash_new(&m->keys, 0, NULL);
	if (!m->status) {
		int st = rate_csv_read(buf_sv(&m->text), &to);
		m->status = m->status ? m->status : st;
	}
}

/* Lines as one statement: its places first, then their values. */
static CO int lines_write(const char *deck, const struct line *lines, size_t count)
{
	enum { EACH = 12 };
	struct store_number *numbers = mem_alloc(count * 11 * sizeof(*numbers));
	struct sv *v = mem_alloc((1 + count * EACH) * sizeof(*v));
	struct store_rows rows;
	struct buf text;
	int st = numbers && v ? ST_OK : ST_NOMEM;
	buf_init(&text);
	buf_adds(&text,
	    "INSERT INTO billing_rates (deck,prefix,days,begin_min,end_min,from_s,to_s,per_minute,connect_fee,"
	    "minimum_s,increment_s,free_s,tax_ppm) VALUES ");
	for (size_t i = 0; !st && i < count; i++) {
		const struct rate *r = &lines[i].rate;
		int64_t n[11] = {r->days, r->begin_min, r->end_min, r->from_s, r->to_s, r->per_minute, r->connect,
		    r->minimum_s, r->increment_s, r->free_s, r->tax_ppm};
		size_t at = 1 + i * EACH;
		v[at] = sv_of(lines[i].prefix);
		buf_printf(&text, "%s($1,$%zu", i ? "," : "", at + 1);
		for (size_t k = 0; k < 11; k++) {
			v[at + 1 + k] = store_number_put(&numbers[i * 11 + k], n[k]);
			buf_printf(&text, ",CAST($%zu AS BIGINT)", at + 2 + k);
		}
		buf_addc(&text, ')');
	}
	buf_adds(&text, " ON CONFLICT (deck,prefix,days,begin_min,end_min,from_s) DO UPDATE SET to_s=excluded.to_s,"
	                "per_minute=excluded.per_minute,connect_fee=excluded.connect_fee,minimum_s=excluded.minimum_s,"
	                "increment_s=excluded.increment_s,free_s=excluded.free_s,tax_ppm=excluded.tax_ppm");
	if (!st && text.failed)
		st = ST_NOMEM;
	if (!st) {
		v[0] = sv_of(deck);
		st = ledger_sql(text.p, v, 1 + count * EACH, &rows);
		store_rows_fini(&rows);
	}
	buf_fini(&text);
	mem_free(numbers);
	mem_free(v);
	return st;
}

int decks_import(const char *deck, const char *path, struct buf *out)
{
	struct import *m = mem_zalloc(sizeof(*m));
	size_t written = 0;
	if (!m)
		return ST_NOMEM;
	m->path = path;
	buf_init(&m->text);
	buf_init(&m->errors);
	int st = co_work(WORK_FILE, "billing import", work_read, m);
	if (!st)
		st = m->status;
	while (!st && written < m->count) {
		size_t n = m->count - written < IMPORT_ROWS ? m->count - written : IMPORT_ROWS;
		st = lines_write(deck, m->lines + written, n);
		written += st ? 0 : n;
	}
	if (!st)
		st = decks_load();
	buf_printf(out, "%s %zu rates imported, %zu lines are bad%s%s\n", st ? "-ERR" : "+OK", written, m->bad_count,
	    st ? ": " : "", st ? m->why ? m->why : status_text(st) : "");
	if (m->errors.n)
		buf_addv(out, buf_sv(&m->errors));
	buf_fini(&m->text);
	buf_fini(&m->errors);
	hash_free(m->keys);
	mem_free(m->lines);
	mem_free(m);
	return ST_OK;
}
