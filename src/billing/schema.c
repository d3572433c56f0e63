/* The ledger's tables, by numbered migrations: each is one transaction with the row that says that it ran, so two
 * switches that start at once on one database do not run it twice (the second one's fails, and it looks again). */
#include "base/log.h"
#include "billing/billing_i.h"

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
    "ALTER TABLE billing_calls ADD COLUMN grp VARCHAR(64) NOT NULL DEFAULT ''",
    "ALTER TABLE billing_accounts ADD COLUMN open_groups VARCHAR(255) NOT NULL DEFAULT ''",
    "CREATE INDEX billing_calls_ended ON billing_calls (account, ended_us)",
    "CREATE TABLE billing_fees (account VARCHAR(64) NOT NULL, name VARCHAR(64) NOT NULL, amount BIGINT NOT NULL, every "
    "VARCHAR(8) NOT NULL, period BIGINT NOT NULL, told BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (account, name))",
};
enum { MIGRATION_COUNT = sizeof(migrations) / sizeof(migrations[0]) };

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
	int64_t version = !st && store_rows_row(&rows, &at, &cell, 1) ? store_number(cell) : 0;
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
		st = text.failed ? ST_NOMEM : ledger_sql(text.p, NULL, 0, &rows);
		if (!text.failed)
			store_rows_fini(&rows);
		buf_fini(&text);
	}
	return st;
}
