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
#include "base/log.h"
#include "base/rand.h"
#include "billing/billing_i.h"
#include "core/value/self.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbered; each runs once. Only ever add at the end. */
static const char *const migrations[] = {
    "CREATE TABLE billing_accounts (id VARCHAR(64) NOT NULL PRIMARY KEY, kind VARCHAR(16) NOT NULL, currency "
    "VARCHAR(8) "
    "NOT NULL, deck VARCHAR(64) NOT NULL, balance BIGINT NOT NULL DEFAULT 0, credit_limit BIGINT NOT NULL DEFAULT 0, "
    "reserved BIGINT NOT NULL DEFAULT 0, enabled INTEGER NOT NULL DEFAULT 1, max_calls BIGINT NOT NULL DEFAULT 0, "
    "max_hour BIGINT NOT NULL DEFAULT 0, version BIGINT NOT NULL DEFAULT 0, token VARCHAR(64) NOT NULL DEFAULT '')",
    "CREATE TABLE billing_calls (id VARCHAR(64) NOT NULL PRIMARY KEY, account VARCHAR(64) NOT NULL, node VARCHAR(255) "
    "NOT "
    "NULL, leg VARCHAR(64) NOT NULL, number VARCHAR(64) NOT NULL, deck VARCHAR(64) NOT NULL, prefix VARCHAR(32) NOT "
    "NULL, "
    "per_minute BIGINT NOT NULL, connect_fee BIGINT NOT NULL, minimum_s BIGINT NOT NULL, increment_s BIGINT NOT NULL, "
    "free_s BIGINT NOT NULL, tax_ppm BIGINT NOT NULL, started_us BIGINT NOT NULL, ended_us BIGINT NOT NULL DEFAULT 0, "
    "reserved BIGINT NOT NULL, used_s BIGINT NOT NULL DEFAULT 0, used BIGINT NOT NULL DEFAULT 0, seconds BIGINT NOT "
    "NULL "
    "DEFAULT 0, cost BIGINT NOT NULL DEFAULT 0, state VARCHAR(8) NOT NULL, token VARCHAR(64) NOT NULL)",
    "CREATE INDEX billing_calls_account ON billing_calls (account, started_us)",
    "CREATE INDEX billing_calls_open ON billing_calls (state, account)",
    "CREATE TABLE billing_entries (id VARCHAR(160) NOT NULL PRIMARY KEY, account VARCHAR(64) NOT NULL, at_us BIGINT "
    "NOT "
    "NULL, kind VARCHAR(16) NOT NULL, amount BIGINT NOT NULL, balance BIGINT NOT NULL, call_id VARCHAR(64) NOT NULL "
    "DEFAULT '')",
    "CREATE INDEX billing_entries_account ON billing_entries (account, at_us)",
    "CREATE TABLE billing_vouchers (code VARCHAR(64) NOT NULL PRIMARY KEY, currency VARCHAR(8) NOT NULL, amount BIGINT "
    "NOT NULL, used_by VARCHAR(64) NOT NULL DEFAULT '', token VARCHAR(64) NOT NULL DEFAULT '')",
    "CREATE TABLE billing_rates (deck VARCHAR(64) NOT NULL, prefix VARCHAR(32) NOT NULL, days BIGINT NOT NULL, "
    "begin_min "
    "BIGINT NOT NULL, end_min BIGINT NOT NULL, from_s BIGINT NOT NULL, to_s BIGINT NOT NULL, per_minute BIGINT NOT "
    "NULL, "
    "connect_fee BIGINT NOT NULL, minimum_s BIGINT NOT NULL, increment_s BIGINT NOT NULL, free_s BIGINT NOT NULL, "
    "tax_ppm "
    "BIGINT NOT NULL, PRIMARY KEY (deck, prefix, days, begin_min, end_min, from_s))",
    "CREATE INDEX billing_entries_call ON billing_entries (call_id)",
    "CREATE INDEX billing_calls_time ON billing_calls (started_us)",
};
enum { MIGRATION_COUNT = sizeof(migrations) / sizeof(migrations[0]) };

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

int ledger_sql(const char *text, const struct sv *params, size_t count, struct store_rows *rows)
{
	static bool is_failing;
	*rows = (struct store_rows){0};
	int st = billing_store ? store_sql_run(billing_store, text, params, count, rows) : ST_UNSUPPORTED;
	if (st) {
		billing_counts.failed++;
		if (!is_failing && st != ST_CANCELLED)
			log_error("billing: the database: %s; told once until it answers again",
			    rows->error.n ? rows->error.p : status_text(st));
	} else if (is_failing) {
		log_notice("billing: the database answers again");
	}
	is_failing = st != ST_OK;
	return st;
}

/* A transaction; what a failure left open is closed, whoever it was that failed. */
static CO int transact(const char *text, const struct sv *params, size_t count, struct store_rows *rows)
{
	struct store_rows none;
	int st = ledger_sql(text, params, count, rows);
	if (st && st != ST_CANCELLED && billing_store) {
		(void)store_sql_run(billing_store, "ROLLBACK", NULL, 0, &none);
		store_rows_fini(&none);
	}
	return st;
}

int ledger_open(void)
{
	struct store_rows rows;
	struct sv cell = SV_NONE;
	size_t at = 0;
	int st = ledger_sql(
	    "CREATE TABLE IF NOT EXISTS billing_schema (version BIGINT NOT NULL PRIMARY KEY)", NULL, 0, &rows);
	store_rows_fini(&rows);
	if (st)
		return st;
	st = ledger_sql("SELECT COALESCE(MAX(version),0) FROM billing_schema", NULL, 0, &rows);
	int64_t version = !st && ledger_row(&rows, &at, &cell, 1) ? ledger_int(cell) : 0;
	store_rows_fini(&rows);
	if (version > MIGRATION_COUNT) {
		log_error("billing: the tables are of a later program (version %lld)", (long long)version);
		return ST_UNSUPPORTED;
	}
	for (; !st && version < MIGRATION_COUNT; version++) {
		struct buf text;
		buf_init(&text);
		buf_printf(&text, "BEGIN;%s;INSERT INTO billing_schema VALUES (%lld);COMMIT", migrations[version],
		    (long long)version + 1);
		st = text.failed ? ST_NOMEM : transact(text.p, NULL, 0, &rows);
		if (!text.failed)
			store_rows_fini(&rows);
		buf_fini(&text);
	}
	return st;
}

#define LOCK(account) "BEGIN;UPDATE billing_accounts SET version=version+1 WHERE id=" account ";"
#define NUM(p) "CAST(" p " AS BIGINT)"
#define TEXT(p) "CAST(" p " AS VARCHAR(255))"
#define HOUR(account, since) \
	"(SELECT COALESCE(SUM(h.cost+h.reserved),0) FROM billing_calls h WHERE h.account=" account \
	" AND h.started_us>" NUM(since) ")"
#define OPEN(account) "(SELECT COUNT(*) FROM billing_calls o WHERE o.state='open' AND o.account=" account ")"
#define STATE(granted) \
	"SELECT balance,credit_limit,reserved,enabled,max_calls,max_hour,deck,currency," OPEN("$2") "," HOUR( \
	    "$2", "$4") "," granted " FROM billing_accounts WHERE id=$2"

static void state_read(const struct store_rows *rows, struct ledger_state *out)
{
	struct sv c[11] = {{0}};
	size_t at = 0;
	*out = (struct ledger_state){0};
	if (!ledger_row(rows, &at, c, 11))
		return;
	*out = (struct ledger_state){.exists = true,
	    .balance = ledger_int(c[0]),
	    .credit_limit = ledger_int(c[1]),
	    .reserved = ledger_int(c[2]),
	    .is_enabled = ledger_int(c[3]) != 0,
	    .max_calls = ledger_int(c[4]),
	    .max_hour = ledger_int(c[5]),
	    .open_calls = ledger_int(c[8]),
	    .hour = ledger_int(c[9]),
	    .is_granted = ledger_int(c[10]) > 0};
	snprintf(out->deck, sizeof(out->deck), "%.*s", (int)c[6].n, c[6].n ? c[6].p : "");
	snprintf(out->currency, sizeof(out->currency), "%.*s", (int)c[7].n, c[7].n ? c[7].p : "");
}

static int64_t hour_ago_us(void)
{
	return clock_wall_us() - clock_us_of_s(3600);
}

int ledger_account(const char *account, struct ledger_state *out)
{
	struct ledger_number since;
	struct sv p[] = {SV("-"), sv_of(account), SV("0"), ledger_put(&since, hour_ago_us())};
	struct store_rows rows;
	int st = ledger_sql(STATE("0"), p, 4, &rows);
	if (!st)
		state_read(&rows, out);
	store_rows_fini(&rows);
	return st;
}

int ledger_reserve(const struct ledger_call *c, struct ledger_state *out)
{
	struct ledger_number n[9];
	char token[UUID_CHARS + 1];
	const struct rate *r = &c->found->rate;
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(c->id), sv_of(c->account), ledger_put(&n[0], c->amount),
	    ledger_put(&n[1], hour_ago_us()), sv_of(token), sv_of(core_switchname()), sv_of(c->leg), sv_of(c->number),
	    sv_of(c->deck), sv_of(c->found->prefix), ledger_put(&n[2], r->per_minute), ledger_put(&n[3], r->connect),
	    ledger_put(&n[4], r->minimum_s), ledger_put(&n[5], r->increment_s), ledger_put(&n[6], r->free_s),
	    ledger_put(&n[7], r->tax_ppm), ledger_put(&n[8], clock_wall_us())};
	int st = transact(
	    LOCK(
	        "$2") "INSERT INTO billing_calls "
	              "(id,account,node,leg,number,deck,prefix,per_minute,connect_fee,minimum_s,"
	              "increment_s,free_s,tax_ppm,started_us,reserved,state,token) SELECT " TEXT(
	                  "$1") ",a.id," TEXT("$"
	                                      "6") "," TEXT("$7") "," TEXT("$8") "," TEXT("$9") "," TEXT("$10") "," NUM("$11") "," NUM("$12") "," NUM("$13") "," NUM("$14") "," NUM("$15") "," NUM("$16") "," NUM("$1"
	                                                                                                                                                                                                          "7") "," NUM("$3") ",'open'," TEXT("$5") " FROM billing_accounts a WHERE a.id=$2 AND a.enabled<>0 AND a.balance+a.credit_limit-a.reserved>=" NUM("$3") " AND (a.max_calls=0 OR " OPEN("$2") "<a.max_calls) AND (a.max_hour=0 OR " HOUR("$2",
	                  "$4") "+" NUM("$3") "<=a.max_hour) AND NOT EXISTS (SELECT 1 FROM billing_calls WHERE id=$1);"
	                                      "UPDATE billing_accounts SET reserved=reserved+" NUM(
	                                          "$3") " WHERE id=$2 AND EXISTS (SELECT 1 FROM "
	                                                "billing_calls WHERE id=$1 AND token=$5);COMMIT;" STATE(
	                                                    "(SELECT COUNT(*) FROM billing_calls g WHERE g.id=$1 AND "
	                                                    "g.token=$5)"),
	    p, 17, &rows);
	if (!st)
		state_read(&rows, out);
	store_rows_fini(&rows);
	return st;
}

#define MISSING "(" NUM("$3") "-(SELECT m.reserved FROM billing_calls m WHERE m.id=$1))"
int ledger_extend(
    const char *id, const char *account, int64_t amount, int64_t used_s, int64_t used, struct ledger_state *out)
{
	struct ledger_number n[4];
	char token[UUID_CHARS + 1];
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(id), sv_of(account), ledger_put(&n[0], amount), ledger_put(&n[1], hour_ago_us()),
	    sv_of(token), ledger_put(&n[2], used_s), ledger_put(&n[3], used)};
	int st = transact(
	    LOCK("$2") "UPDATE billing_calls SET used_s=" NUM("$6") ",used=" NUM(
	        "$7") " WHERE id=$1 AND state='open';"
	              "UPDATE billing_accounts SET token=$5,reserved=reserved+" MISSING
	              " WHERE id=$2 AND enabled<>0 AND EXISTS (SELECT 1 FROM billing_calls WHERE id=$1 AND "
	              "state='open' AND reserved<" NUM(
	                  "$3") ") AND balance+credit_limit-reserved>=" MISSING " AND (max_hour=0 OR " HOUR("$2",
	                  "$4") "+" MISSING "<=max_hour);"
	                        "UPDATE billing_calls SET reserved=" NUM(
	                            "$3") " WHERE id=$1 AND EXISTS (SELECT 1 FROM "
	                                  "billing_accounts WHERE id=$2 AND token=$5);COMMIT;" STATE(
	                                      "(SELECT COUNT(*) FROM billing_calls g WHERE g.id=$1 AND g.state='open' "
	                                      "AND "
	                                      "g.reserved>=" NUM("$3") ")"),
	    p, 7, &rows);
	if (!st)
		state_read(&rows, out);
	store_rows_fini(&rows);
	return st;
}

int ledger_settle(const char *id, const char *account, int64_t seconds, int64_t cost)
{
	struct ledger_number n[3];
	char token[UUID_CHARS + 1];
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(id), sv_of(account), ledger_put(&n[0], cost), ledger_put(&n[1], clock_wall_us()),
	    sv_of(token), ledger_put(&n[2], seconds)};
	int st =
	    transact(LOCK("$2") "UPDATE billing_accounts SET token=$5,balance=balance-" NUM(
	                 "$3") ",reserved=reserved-(SELECT m.reserved FROM billing_calls m WHERE m.id=$1) WHERE id=$2 "
	                       "AND EXISTS "
	                       "(SELECT 1 FROM billing_calls WHERE id=$1 AND account=$2 AND state='open');"
	                       "INSERT INTO billing_entries (id,account,at_us,kind,amount,balance,call_id) SELECT "
	                       "'call:'||" TEXT("$1") ",id," NUM("$4") ",'call',-" NUM("$3") ",balance," TEXT(
	                           "$1") " FROM billing_accounts WHERE id=$2 AND token=$5 "
	                                 "AND " NUM("$3") "<>0;"
	                                                  "UPDATE billing_calls SET "
	                                                  "state='done',reserved=0,cost=" NUM(
	                                                      "$"
	                                                      "3") ",seconds=" NUM("$6") ",ended_us=" NUM("$4") " WHER"
	                                                                                                        "E "
	                                                                                                        "id=$"
	                                                                                                        "1 "
	                                                                                                        "AND "
	                                                                                                        "state"
	                                                                                                        "='"
	                                                                                                        "open'"
	                                                                                                        " AND "
	                                                                                                        "EXIST"
	                                                                                                        "S "
	                                                                                                        "(SELE"
	                                                                                                        "CT 1 "
	                                                                                                        "FROM "
	                                                                                                        "billi"
	                                                                                                        "ng_"
	                                                                                                        "accou"
	                                                                                                        "nts "
	                                                                                                        "WHERE"
	                                                                                                        " "
	                                                                                                        "id=$"
	                                                                                                        "2 "
	                                                                                                        "AND "
	                                                                                                        "token"
	                                                                                                        "=$5);"
	                                                                                                        "COMMI"
	                                                                                                        "T",
	        p, 6, &rows);
	store_rows_fini(&rows);
	return st;
}

static CO int balance_read(int st, struct store_rows *rows, int64_t *balance)
{
	struct sv c[2] = {{0}};
	size_t at = 0;
	if (!st && !ledger_row(rows, &at, c, 2))
		st = ST_NOTFOUND;
	if (!st) {
		*balance = ledger_int(c[0]);
		st = ledger_int(c[1]) ? ST_OK : ST_EXISTS;
	}
	store_rows_fini(rows);
	return st;
}

int ledger_topup(const char *account, const char *ref, int64_t amount, const char *kind, int64_t *balance)
{
	struct ledger_number n[2];
	char token[UUID_CHARS + 1];
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(ref), sv_of(account), ledger_put(&n[0], amount), ledger_put(&n[1], clock_wall_us()),
	    sv_of(token), sv_of(kind)};
	int st = transact(
	    LOCK("$2") "UPDATE billing_accounts SET token=$5,balance=balance+" NUM(
	        "$3") " WHERE id=$2 AND NOT EXISTS (SELECT 1 FROM billing_entries WHERE id=$1);"
	              "INSERT INTO billing_entries (id,account,at_us,kind,amount,balance) SELECT " TEXT(
	                  "$1") ",id," NUM("$4") "," TEXT("$6") "," NUM("$3") ",balance FROM billing_accounts WHERE "
	                                                                      "id=$2 AND token=$5;COMMIT;"
	                                                                      "SELECT balance,CASE WHEN token=$5 THEN "
	                                                                      "1 ELSE 0 END FROM billing_accounts "
	                                                                      "WHERE id=$2",
	    p, 6, &rows);
	return balance_read(st, &rows, balance);
}

int ledger_voucher(const char *account, const char *code, int64_t *balance)
{
	struct ledger_number n;
	char token[UUID_CHARS + 1];
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(code), sv_of(account), ledger_put(&n, clock_wall_us()), sv_of(token)};
	int st = transact(
	    LOCK("$2") "UPDATE billing_vouchers SET used_by=" TEXT(
	        "$2") ",token=$4 WHERE code=$1 AND used_by='' AND EXISTS (SELECT "
	              "1 FROM billing_accounts a WHERE a.id=$2 AND a.currency=billing_vouchers.currency);"
	              "UPDATE billing_accounts SET token=$4,balance=balance+(SELECT v.amount FROM billing_vouchers v "
	              "WHERE "
	              "v.code=$1) WHERE id=$2 AND EXISTS (SELECT 1 FROM billing_vouchers WHERE code=$1 AND token=$4);"
	              "INSERT INTO billing_entries (id,account,at_us,kind,amount,balance) SELECT "
	              "'voucher:'||v.code,a.id," NUM(
	                  "$3") ",'voucher',v.amount,a.balance FROM billing_accounts a, billing_vouchers v WHERE "
	                        "a.id=$2 AND "
	                        "a.token=$4 AND v.code=$1 AND v.token=$4;COMMIT;"
	                        "SELECT balance,CASE WHEN token=$4 THEN 1 ELSE 0 END FROM billing_accounts WHERE id=$2",
	    p, 4, &rows);
	st = balance_read(st, &rows, balance);
	return st == ST_EXISTS ? ST_NOTFOUND : st;
}

int ledger_rerate(const char *id, const char *account, int64_t old, int64_t cost, const struct rate_found *found)
{
	struct ledger_number n[9];
	char token[UUID_CHARS + 1];
	const struct rate *r = &found->rate;
	struct store_rows rows;
	uuid_make(token);
	struct sv p[] = {sv_of(id), sv_of(account), ledger_put(&n[0], old), ledger_put(&n[1], clock_wall_us()),
	    sv_of(token), ledger_put(&n[2], cost), sv_of(found->prefix), ledger_put(&n[3], r->per_minute),
	    ledger_put(&n[4], r->connect), ledger_put(&n[5], r->minimum_s), ledger_put(&n[6], r->increment_s),
	    ledger_put(&n[7], r->free_s), ledger_put(&n[8], r->tax_ppm)};
	int st =
	    transact(LOCK("$2") "UPDATE billing_accounts SET token=$5,balance=balance+" NUM("$3") "-" NUM(
	                 "$6") " WHERE id=$2 AND EXISTS (SELECT 1 FROM billing_calls WHERE id=$1 AND account=$2 AND "
	                       "state='done' AND "
	                       "cost=" NUM(
	                           "$3") ");"
	                                 "INSERT INTO billing_entries "
	                                 "(id,account,at_us,kind,amount,balance,call_id) SELECT "
	                                 "'rerate:'||" TEXT("$5") ",id," NUM("$4") ",'rerate'," NUM("$3") "-" NUM("$6") ",balance," TEXT(
	                                     "$1") " FROM billing_accounts WHERE id=$2 AND token=$5;"
	                                           "UPDATE billing_calls SET cost=" NUM("$6") ",prefix=" TEXT(
	                                               "$"
	                                               "7") ",per_minute=" NUM("$8") ",connect_fee=" NUM("$9") ",minimu"
	                                                                                                       "m"
	                                                                                                       "_s"
	                                                                                                       "=" NUM("$10") ",increment_s=" NUM("$11") ",free_s=" NUM(
	                                                                                                           "$1"
	                                                                                                           "2") ",tax_ppm=" NUM("$13") " WHERE id=$1 AND state='done' AND EXISTS (SELECT 1 FROM billing_accounts WHERE id=$2 AND token=$5);COMMIT",
	        p, 13, &rows);
	store_rows_fini(&rows);
	return st;
}
