/* The ledger: accounts, calls and entries in tables, by statements that sqlite and PostgreSQL both understand.
 *
 *   reserve   account's row locked -> the call's row, if there is room -> reserved += amount
 *   extend    account's row locked -> reserved += what is missing, if there is room -> the call's row
 *   settle    account's row locked -> balance -= cost, reserved -= the call's -> entry, the call's row done
 *
 * Each is one transaction, and a unique token in the account's row tells its later statements whether the first one
 * counted: so it may be sent again after an answer that was lost, and a second settle changes nothing. Whoever dies
 * between two of them leaves an open call, whose reservation is what he can owe at most. Nothing from a caller is ever
 * in the text of a statement. */
#include "base/clock.h"
#include "base/rand.h"
#include "billing/billing_i.h"
#include "billing/ledger_sql_i.h"
#include "core/value/self.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sv ledger_put(struct ledger_number *n, int64_t v)
{
	return (struct sv){n->text, (size_t)snprintf(n->text, sizeof(n->text), "%lld", (long long)v)};
}

int64_t ledger_int(struct sv cell)
{
	int64_t v = 0;
	return sv_i64(cell, &v) ? 0 : v;
}

bool ledger_row(const struct store_rows *r, size_t *at, struct sv *cells, size_t max)
{
	struct sv cell;
	if (!*at)
		for (size_t i = 0; i < r->column_count; i++)
			if (!store_rows_next(r, at, &cell))
				return false;
	for (size_t i = 0; i < r->column_count; i++) {
		if (!store_rows_next(r, at, &cell))
			return false;
		if (i < max)
			cells[i] = cell;
	}
	return r->column_count > 0;
}

static void text_copy(char *out, size_t size, struct sv cell)
{
	snprintf(out, size, "%.*s", (int)cell.n, cell.n ? cell.p : "");
}

static void state_read(const struct store_rows *rows, struct ledger_state *out)
{
	enum { CELLS = 15 };
	struct sv c[CELLS] = {{0}};
	size_t at = 0;
	*out = (struct ledger_state){0};
	if (!ledger_row(rows, &at, c, CELLS))
		return;
	*out = (struct ledger_state){.exists = true,
	    .balance = ledger_int(c[0]),
	    .credit_limit = ledger_int(c[1]),
	    .reserved = ledger_int(c[2]),
	    .is_enabled = ledger_int(c[3]) != 0,
	    .max_calls = ledger_int(c[4]),
	    .max_hour = ledger_int(c[5]),
	    .open_calls = ledger_int(c[9]),
	    .hour = ledger_int(c[10]),
	    .group_hour = ledger_int(c[11]),
	    .group_open = ledger_int(c[12]),
	    .group_begun = ledger_int(c[13]),
	    .is_granted = ledger_int(c[14]) > 0};
	text_copy(out->deck, sizeof(out->deck), c[6]);
	text_copy(out->currency, sizeof(out->currency), c[7]);
	text_copy(out->open_groups, sizeof(out->open_groups), c[8]);
}

static int64_t hour_ago_us(void)
{
	return clock_wall_us() - clock_us_of_s(3600);
}

int ledger_account(const char *account, const char *group, bool wants_hour, struct ledger_state *out)
{
	struct ledger_number since;
	bool has_group = group && *group;
	struct sv p[] = {
	    SV("-"), sv_of(account), SV("0"), ledger_put(&since, hour_ago_us()), SV("-"), sv_of(group ? group : "")};
	struct store_rows rows;
	int st = ledger_sql(has_group    ? STATE(HOUR_IF_BOUND, GROUP_STATE, "0")
	                    : wants_hour ? STATE(HOUR, NO_GROUP_STATE, "0")
	                                 : STATE(HOUR_IF_BOUND, NO_GROUP_STATE, "0"),
	    p, 6, &rows);
	if (!st)
		state_read(&rows, out);
	store_rows_fini(&rows);
	return st;
}

int ledger_reserve(const struct ledger_call *c, struct ledger_state *out)
{
	struct ledger_number n[12];
	char token[UUID_CHARS + 1];
	const struct rate *r = &c->found->rate;
	const struct billing_group *g = c->group;
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(c->id), sv_of(c->account), ledger_put(&n[0], c->amount),
	    ledger_put(&n[1], hour_ago_us()), sv_of(token), sv_of(g->name), ledger_put(&n[2], g->max_hour),
	    ledger_put(&n[3], g->max_calls), ledger_put(&n[4], g->max_calls_hour), sv_of(core_switchname()),
	    sv_of(c->leg), sv_of(c->number), sv_of(c->deck), sv_of(c->found->prefix), ledger_put(&n[5], r->per_minute),
	    ledger_put(&n[6], r->connect), ledger_put(&n[7], r->minimum_s), ledger_put(&n[8], r->increment_s),
	    ledger_put(&n[9], r->free_s), ledger_put(&n[10], r->tax_ppm), ledger_put(&n[11], clock_wall_us())};
	int st = ledger_sql(*g->name ? sql_reserve_group : sql_reserve, p, 21, &rows);
	if (!st)
		state_read(&rows, out);
	store_rows_fini(&rows);
	return st;
}

int ledger_extend(const struct ledger_more *m, struct ledger_state *out)
{
	struct ledger_number n[5];
	char token[UUID_CHARS + 1];
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(m->id), sv_of(m->account), ledger_put(&n[0], m->amount),
	    ledger_put(&n[1], hour_ago_us()), sv_of(token), sv_of(m->group->name),
	    ledger_put(&n[2], m->group->max_hour), ledger_put(&n[3], m->used_s), ledger_put(&n[4], m->used)};
	int st = ledger_sql(*m->group->name ? sql_extend_group : sql_extend, p, 9, &rows);
	if (!st)
		state_read(&rows, out);
	store_rows_fini(&rows);
	return st;
}

int ledger_settle(const char *id, const char *account, int64_t seconds, int64_t cost, bool is_unsure)
{
	struct ledger_number n[3];
	char token[UUID_CHARS + 1];
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(id), sv_of(account), ledger_put(&n[0], cost), ledger_put(&n[1], clock_wall_us()),
	    sv_of(token), ledger_put(&n[2], seconds)};
	int st = ledger_sql(is_unsure ? sql_settle_unsure : sql_settle, p, 6, &rows);
	store_rows_fini(&rows);
	return st;
}
