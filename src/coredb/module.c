/* mod_core_db: what is running, as rows of FreeSWITCH's core tables (channels, calls, registrations, tasks, interfaces,
 * aliases, complete, nat; the views basic_calls and detailed_calls), for programs that read those. Written behind;
 * nothing in this program ever reads it. coredb_i.h has the way of a row. */
#include "core/registry/module.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/conf/dsn.h"
#include "core/registry/api.h"
#include "core/value/self.h"
#include "coredb/coredb_i.h"
#include "loop/loop.h"
#include "store/store.h"

#include <string.h>

enum { ROWS_PER_BATCH = 500, RETRY_US = 1000000 };
static struct {
	struct store *store;
	struct coredb_batch batch;
	struct ltimer timer;
	int64_t interval_us;
	bool is_made, is_anew, is_emptying, is_in_pass, is_failing;
	uint64_t written, batches, passes, failures;
} core;
static char *steps[2]; /* the schema, while loaded */

static void turn(void *arg);

static ON_CTL void turn_in(int64_t us)
{
	loop_timer_set(&core.timer, us, "core_db", turn, NULL);
}

static void on_rolled_back(int status, struct store_rows *rows, void *arg)
{
	role_assert_ctl();
}

static ON_CTL void failed(int status, const struct store_rows *rows)
{
	if (!core.is_failing)
		log_warning("core_db: the tables are not written: %s; told once until they are again",
		    rows && rows->error.n ? rows->error.p : status_text(status));
	core.is_failing = true;
	core.failures++;
	core.is_anew = true, core.is_in_pass = false;
	coredb_batch_fini(&core.batch);
	core.batch = (struct coredb_batch){.row_count = 0};
	(void)store_sql(core.store, "ROLLBACK", NULL, 0, NULL, on_rolled_back, NULL);
	turn_in(RETRY_US);
}

static void on_written(int status, struct store_rows *rows, void *arg)
{
	role_assert_ctl();
	if (!core.store || status == ST_CANCELLED)
		return;
	if (status < 0) {
		failed(status, rows);
		return;
	}
	if (core.is_failing)
		log_notice("core_db: the tables are written again");
	core.is_failing = false;
	core.batches++;
	if (core.is_emptying) {
		coredb_forget_all();
		core.is_emptying = core.is_anew = false;
		coredb_pass_begin(true);
		core.is_in_pass = true;
	}
	turn_in(core.is_in_pass ? 0 : core.interval_us);
}

static ON_CTL void send(struct buf *sql)
{
	int st = sql->failed ? ST_NOMEM : store_sql(core.store, sql->p, NULL, 0, NULL, on_written, NULL);
	if (st < 0)
		failed(st, NULL);
}

/* A slice of a pass, a batch, or the beginning of either; sets its own next turn. */
static void turn(void *arg)
{
	struct buf sql;

	role_assert_ctl();
	buf_init(&sql);
	if (core.is_anew) {
		core.is_emptying = true;
		coredb_empty(&sql);
		send(&sql);
	} else {
		if (!core.is_in_pass)
			coredb_pass_begin(false);
		core.is_in_pass = !coredb_pass_go_on(&core.batch);
		core.passes += !core.is_in_pass;
		bool is_full = core.batch.row_count >= ROWS_PER_BATCH || !core.is_in_pass;
		if (is_full && !coredb_batch_is_empty(&core.batch)) {
			core.written += core.batch.row_count;
			coredb_batch_sql(&core.batch, &sql);
			send(&sql);
		} else {
			turn_in(core.is_in_pass ? 0 : core.interval_us);
		}
	}
	buf_fini(&sql);
}

static void on_made(int status, void *arg)
{
	role_assert_ctl();
	if (status || !core.store)
		return;
	core.is_made = core.is_anew = true;
	turn_in(0);
}

/* ---- the module ---- */

static int load(void)
{
	const struct xml_node *s;
	struct buf sql;
	int st;

	role_assert_ctl();
	s = xml_child(config_conf("core_db.conf"), "settings");
	int64_t ms = str_number(config_param(s, "interval-ms", "500"), 50, 60000);
	core.interval_us = clock_us_of_ms(ms > 0 ? ms : 500);
	st = store_open(
	    &core.store, config_dsn(config_param(s, "dsn", NULL), "core"), core_dirs()->db, STORE_KEEPS, NULL);
	if (!st)
		st = coredb_tables_load();
	if (!st)
		st = coredb_pass_load();
	if (!st) {
		buf_init(&sql);
		coredb_schema(&sql);
		steps[0] = buf_take(&sql);
	}
	if (!st)
		st = store_migrate(core.store, "core_db", (const char *const *)steps, on_made, NULL);
	return st;
}

/* The tables lose this switch's rows: who reads them later is not told of calls that are over. */
static int unload(void)
{
	struct store *s = core.store;
	struct buf sql;

	role_assert_ctl();
	loop_timer_cancel(&core.timer);
	core.store = NULL;
	buf_init(&sql);
	coredb_empty(&sql);
	if (core.is_made && !core.is_failing && !sql.failed)
		(void)store_sql(s, sql.p, NULL, 0, NULL, on_rolled_back, NULL);
	buf_fini(&sql);
	store_close(s);
	coredb_pass_unload();
	coredb_tables_unload();
	coredb_batch_fini(&core.batch);
	mem_free(steps[0]);
	steps[0] = NULL;
	memset(&core, 0, sizeof(core));
	return ST_OK;
}

static int api_core_db(struct api_call *c)
{
	role_assert_ctl();
	return buf_printf(c->out,
	    "state: %s\nchannels: %zu\ncalls: %zu\nusers registered: %zu\nrows written: %llu\nbatches: %llu\n"
	    "passes: %llu\nfailures: %llu\n",
	    !core.is_made     ? "no tables yet"
	    : core.is_failing ? "failing"
	                      : "ok",
	    coredb_key_count(CORE_CHANNELS), coredb_key_count(CORE_CALLS), coredb_key_count(CORE_REGISTRATIONS),
	    (unsigned long long)core.written, (unsigned long long)core.batches, (unsigned long long)core.passes,
	    (unsigned long long)core.failures);
}

static const struct api_desc apis[] = {
    {"core_db", "the mirror of what is running in FreeSWITCH's core tables", "", 0, api_core_db, NULL},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"core_db.conf", "dsn", "text", NULL, "core-db-dsn, else core", "the database: sqlite or PostgreSQL"},
    {"core_db.conf", "interval-ms", "number", "ms", "500", "between two looks at what is running"},
    {NULL},
};

extern const struct module mod_core_db;
const struct module mod_core_db = {
    .abi = MODULE_ABI, .name = "mod_core_db", .load = load, .unload = unload, .apis = apis, .confs = confs};
