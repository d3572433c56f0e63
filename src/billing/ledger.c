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
	if (!store_rows_row(rows, &at, c, CELLS))
		return;
	*out = (struct ledger_state){.exists = true,
	    .balance = store_number(c[0]),
	    .credit_limit = store_number(c[1]),
	    .reserved = store_number(c[2]),
	    .is_enabled = store_number(c[3]) != 0,
	    .max_calls = store_number(c[4]),
	    .max_hour = store_number(c[5]),
	    .open_calls = store_number(c[9]),
	    .hour = store_number(c[10]),
	    .group_hour = store_number(c[11]),
	    .group_open = store_number(c[12]),
	    .group_begun = store_number(c[13]),
	    .is_granted = store_number(c[14]) > 0};
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
	struct store_number since;
	bool has_group = group && *group;
	struct sv p[] = {SV("-"), sv_of(account), SV("0"), store_number_put(&since, hour_ago_us()), SV("-"),
	    sv_of(group ? group : "")};
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
	struct store_number n[12];
	char token[UUID_CHARS + 1];
	const struct rate *r = &c->found->rate;
	const struct billing_group *g = c->group;
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(c->id), sv_of(c->account), store_number_put(&n[0], c->amount),
	    store_number_put(&n[1], hour_ago_us()), sv_of(token), sv_of(g->name), store_number_put(&n[2], g->max_hour),
	    store_number_put(&n[3], g->max_calls), store_number_put(&n[4], g->max_calls_hour), sv_of(core_switchname()),
	    sv_of(c->leg), sv_of(c->number), sv_of(c->deck), sv_of(c->found->prefix),
	    store_number_put(&n[5], r->per_minute), store_number_put(&n[6], r->connect),
	    store_number_put(&n[7], r->minimum_s), store_number_put(&n[8], r->increment_s),
	    store_number_put(&n[9], r->free_s), store_number_put(&n[10], r->tax_ppm),
	    store_number_put(&n[11], clock_wall_us())};
	int st = ledger_sql(*g->name ? sql_reserve_group : sql_reserve, p, 21, &rows);
	if (!st)
		state_read(&rows, out);
	store_rows_fini(&rows);
	return st;
}

int ledger_extend(const struct ledger_more *m, struct ledger_state *out)
{
	struct store_number n[5];
	char token[UUID_CHARS + 1];
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(m->id), sv_of(m->account), store_number_put(&n[0], m->amount),
	    store_number_put(&n[1], hour_ago_us()), sv_of(token), sv_of(m->group->name),
	    store_number_put(&n[2], m->group->max_hour), store_number_put(&n[3], m->used_s),
	    store_number_put(&n[4], m->used)};
	int st = ledger_sql(*m->group->name ? sql_extend_group : sql_extend, p, 9, &rows);
	if (!st)
		state_read(&rows, out);
	store_rows_fini(&rows);
	return st;
}

int ledger_settle(const char *id, const char *account, int64_t seconds, int64_t cost, bool is_unsure)
{
	struct store_number n[3];
	char token[UUID_CHARS + 1];
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(id), sv_of(account), store_number_put(&n[0], cost),
	    store_number_put(&n[1], clock_wall_us()), sv_of(token), store_number_put(&n[2], seconds)};
	int st = ledger_sql(is_unsure ? sql_settle_unsure : sql_settle, p, 6, &rows);
	store_rows_fini(&rows);
	return st;
}
