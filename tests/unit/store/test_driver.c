/* The interface of drivers: one table of them, DSNs, and the front above a database that is late, fails, dies or lies.
 * What holds for the driver of the tests is asked of sqlite too, by the same functions. */
#include "base/clock.h"
#include "harness.h"
#include "loop/loop.h"
#include "memory_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const columns[] = {"realm", "k", "v", "until", NULL};
static const struct store_table table = {"things", columns, 2, "until"};

struct seen {
	struct buf text;
	int status, done_count;
	struct store *to_close;
};

static void on_row(const struct sv *v, size_t n, void *arg)
{
	struct seen *s = arg;
	buf_printf(&s->text, "%.*s/%.*s=%.*s;", SVF(v[0]), SVF(v[1]), SVF(v[2]));
}

static void on_done(int status, void *arg)
{
	struct seen *s = arg;
	role_assert_ctl();
	s->status = status;
	s->done_count++;
	store_close(s->to_close);
	s->to_close = NULL;
}

static void await(const struct seen *s, int done_count) NO_ROLE_CHECK
{
	while (s->done_count < done_count)
		loop_run_once();
}

static void on_answer(int status, struct store_rows *r, void *arg)
{
	struct seen *s = arg;
	struct sv cell;
	size_t at = 0;
	while (store_rows_next(r, &at, &cell))
		buf_printf(&s->text, "%.*s,", SVF(cell));
	buf_addv(&s->text, buf_sv(&r->error));
	on_done(status, arg);
}

static int put(struct store *s, const char *realm, const char *k, const char *v, const char *until) NO_ROLE_CHECK
{
	return store_put(s, &table, (struct sv[]){sv_of(realm), sv_of(k), sv_of(v), sv_of(until)});
}

/* What the first key_count of keys find, as text. */
static int each(struct store *s, struct seen *seen, struct sv a, struct sv b, size_t key_count) NO_ROLE_CHECK
{
	buf_clear(&seen->text);
	buf_adds(&seen->text, "");
	int st = store_each(s, &table, (struct sv[]){a, b}, key_count, on_row, on_done, seen);
	if (st == ST_OK)
		await(seen, seen->done_count + 1);
	return st < 0 ? st : seen->status;
}

#define EXPECT_EACH(count, a, b, want) \
	do { \
		EXPECT_INT(each(s, &seen, SV(a), SV(b), count), ST_OK); \
		EXPECT_STR(seen.text.p, want); \
	} while (0)

static int with_memory(int (*fn)(void)) NO_ROLE_CHECK
{
	EXPECT_INT(store_driver_add(&memory_driver), ST_OK);
	int rc = fn();
	memory_clear();
	if (rc == 0)
		EXPECT_INT(store_driver_del(&memory_driver), ST_OK);
	return rc;
}

/* ---- names ---- */

static int open_fails(const char *dsn, int want, const char *why) NO_ROLE_CHECK
{
	struct store *s = NULL;
	struct buf error;
	buf_init(&error);
	int st = store_open(&s, dsn, "/tmp", STORE_ASKS, &error);
	EXPECT_INT(st, want);
	EXPECT(!strncmp(error.p, why, strlen(why))); /* which drivers there are, the build says */
	EXPECT(!strstr(error.p, "secret"));
	EXPECT(!s);
	buf_fini(&error);
	return 0;
}

static int dsns(void) NO_ROLE_CHECK
{
	static const char *const known[] = {"sqlite://x", "SQLite://x", "core:x", "x", "/a/b:c.db", "memory://h:p"};
	static const char *const rests[] = {"x", "x", "x", "x", "/a/b:c.db", "h:p"};
	const struct store_driver *d;
	const char *rest;
	struct buf error;
	struct store *s;

	buf_init(&error);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		EXPECT_INT(store_dsn_parse(known[i], &d, &rest, &error), ST_OK);
		EXPECT_STR(rest, rests[i]);
		EXPECT_STR(d->scheme, i == 5 ? "memory" : "sqlite");
	}
	EXPECT_INT(error.n, 0);
	EXPECT(!open_fails("oracle://host=db password=secret", ST_UNSUPPORTED,
	    "there is no database driver 'oracle' (there are: sqlite "));
#ifndef STORE_HAS_ODBC
	EXPECT(
	    !open_fails("name:user:secret", ST_UNSUPPORTED, "there is no database driver 'odbc' (there are: sqlite "));
	EXPECT(!open_fails("a\nb://secret", ST_UNSUPPORTED, "there is no database driver 'odbc' (there are: sqlite "));
#endif
#ifdef STORE_HAS_PGSQL
	EXPECT(!open_fails("pgsql://nonsense secret", ST_INVAL, "pgsql: neither \"host="));
#endif
	EXPECT(!open_fails("sqlite://../x", ST_INVAL, "'../x' names no database"));
	EXPECT(!open_fails("a/b", ST_INVAL, "'a/b' names no database"));
	EXPECT(!open_fails("", ST_INVAL, "'' names no database"));
	EXPECT(!open_fails("memory://bad", ST_INVAL, "'bad' names no memory"));
	EXPECT_INT(store_driver_add(&memory_driver), ST_EXISTS);
	EXPECT_INT(store_open(&s, "memory://h:p", NULL, STORE_KEEPS, NULL), ST_OK);
	EXPECT_INT(store_driver_del(&memory_driver), ST_BUSY);
	store_close(s);
	return 0;
}

static int test_dsns(void)
{
	return with_memory(dsns);
}

/* ---- what every driver does ---- */

static int rows_of(const char *dsn, const char *folder) NO_ROLE_CHECK
{
	struct store *s;
	struct seen seen = {0};
	char soon[24];

	clock_fake_start(1000LL * 1000000);
	snprintf(soon, sizeof(soon), "%lld", (long long)clock_wall_us() / 1000000 + 60);
	EXPECT_INT(store_open(&s, dsn, folder, STORE_KEEPS, NULL), ST_OK);
	EXPECT_INT(put(s, "a", "1", "x'y", ""), ST_OK);
	EXPECT_INT(put(s, "a", "2", "", soon), ST_OK);
	EXPECT_INT(put(s, "ab", "1", "other", "0"), ST_OK);
	EXPECT_INT(put(s, "a", "3", "over", "5"), ST_OK);
	EXPECT_INT(put(s, "a", "1", "again", "never"), ST_OK);
	EXPECT_EACH(0, "", "", "a/2=;ab/1=other;a/1=again;");
	EXPECT_EACH(1, "a", "", "a/2=;a/1=again;");
	EXPECT_EACH(2, "a", "2", "a/2=;");
	EXPECT_EACH(2, "a", "3", "");
	EXPECT_EACH(1, "a' or ''='", "", "");
	EXPECT_INT(store_del(s, &table, (struct sv[]){SV("a"), SV("1")}), ST_OK);
	EXPECT_EACH(2, "a", "1", "");
	clock_fake_advance(61 * 1000000);
	EXPECT_EACH(0, "", "", "ab/1=other;");
	store_close(s);
	/* there when it is opened again */
	EXPECT_INT(store_open(&s, dsn, folder, STORE_KEEPS, NULL), ST_OK);
	EXPECT_EACH(0, "", "", "ab/1=other;");
	store_close(s);
	buf_fini(&seen.text);
	clock_fake_stop();
	return 0;
}

/* Closed inside a callback with batches queued, opened again at once: what they write is there. */
static int reopened(const char *dsn, const char *folder) NO_ROLE_CHECK
{
	enum { ROWS = 5000 };
	struct store *s;
	struct seen seen = {0};
	char k[12];

	EXPECT_INT(store_open(&s, dsn, folder, STORE_KEEPS, NULL), ST_OK);
	EXPECT_INT(store_sync(s, on_done, &seen), ST_OK);
	for (int i = 0; i < ROWS; i++) {
		snprintf(k, sizeof(k), "%d", i);
		EXPECT_INT(put(s, "re", k, "v", ""), ST_OK);
	}
	seen.to_close = s;
	await(&seen, 1);
	EXPECT_INT(store_open(&s, dsn, folder, STORE_KEEPS, NULL), ST_OK);
	EXPECT_INT(each(s, &seen, SV("re"), sv_of(k), 2), ST_OK);
	EXPECT_STR(seen.text.p, "re/4999=v;");
	store_close(s);
	buf_fini(&seen.text);
	return 0;
}

static int memory_rows(void) NO_ROLE_CHECK
{
	int rc = rows_of("memory://", NULL);
	return rc ? rc : reopened("memory://", NULL);
}

static int test_memory_rows(void)
{
	return with_memory(memory_rows);
}

static int test_sqlite_rows(void) NO_ROLE_CHECK
{
	char folder[] = "/tmp/tandem-driver-XXXXXX", path[64];
	static const char *const names[] = {"rows.db", "rows.db-wal", "rows.db-shm"};
	EXPECT(mkdtemp(folder));
	int rc = rows_of("rows", folder);
	if (!rc)
		rc = reopened("sqlite://rows", folder);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	EXPECT_INT(rmdir(folder), 0);
	return rc;
}

/* ---- a bad day ---- */

static int silent(void) NO_ROLE_CHECK
{
	struct store *s;
	struct seen seen = {0}, sql = {0};
	struct store_stats stats;
	EXPECT_INT(store_open(&s, "memory://x", NULL, STORE_KEEPS, NULL), ST_OK);
	memory.mood = MOOD_SILENT;
	EXPECT_INT(store_sync(s, on_done, &seen), ST_OK);
	EXPECT_INT(memory.submits, 1);
	/* one batch is out; what comes meanwhile waits, in order and bounded */
	int st = ST_OK;
	size_t n = 0;
	for (; st == ST_OK && n < 200000; n++)
		st = put(s, "r", "k", n == 131071 ? "last" : "early", "");
	EXPECT_INT(st, ST_FULL);
	EXPECT_INT(n, 131073);
	store_stats_get(s, &stats);
	EXPECT_INT(stats.queued, 131073);
	EXPECT_INT(stats.dropped_full, 1);
	EXPECT_INT(memory.submits, 1);
	memory.mood = MOOD_WELL;
	memory_wake();
	await(&seen, 1);
	EXPECT_INT(each(s, &seen, SV("r"), SV("k"), 2), ST_OK);
	EXPECT_STR(seen.text.p, "r/k=last;");
	EXPECT_INT(seen.done_count, 2);
	/* a statement is answered at its deadline, out or queued; the late answer hurts nobody */
	clock_fake_start(clock_wall_us());
	memory.mood = MOOD_SILENT;
	EXPECT_INT(store_sql(s, "cells a", NULL, 0, NULL, on_answer, &sql), ST_OK);
	EXPECT_INT(store_sql(s, "cells b", NULL, 0, NULL, on_answer, &sql), ST_OK);
	clock_fake_advance(10500000);
	loop_run_once();
	EXPECT_INT(sql.done_count, 0);
	clock_fake_advance(600000);
	await(&sql, 2);
	EXPECT_INT(sql.status, ST_TIMEOUT);
	EXPECT_STR(sql.text.p, "no answer in timeno answer in time");
	clock_fake_stop();
	memory.mood = MOOD_WELL;
	memory_wake();
	store_stats_get(s, &stats);
	EXPECT_INT(stats.late, 2);
	EXPECT_INT(stats.queued, 0);
	buf_clear(&sql.text);
	EXPECT_INT(store_sql(s, "cells a $1", &SV("x"), 1, NULL, on_answer, &sql), ST_OK);
	await(&sql, 3);
	EXPECT_STR(sql.text.p, "name,name,a,x,");
	store_close(s);
	EXPECT_INT(sql.done_count, 3);
	buf_fini(&seen.text);
	buf_fini(&sql.text);
	return 0;
}

static int test_silent(void)
{
	return with_memory(silent);
}

static int falters(enum mood mood) NO_ROLE_CHECK
{
	struct store *s;
	struct seen seen = {0}, sql = {0};
	struct store_stats stats;
	EXPECT_INT(store_open(&s, "memory://x", NULL, STORE_KEEPS, NULL), ST_OK);
	/* it comes back: nothing is lost, nothing is done twice */
	memory.mood = mood, memory.moods_left = 2;
	EXPECT_INT(put(s, "r", "k", "kept", ""), ST_OK);
	EXPECT_INT(each(s, &seen, SV("r"), SV("k"), 2), ST_OK);
	EXPECT_STR(seen.text.p, "r/k=kept;");
	store_stats_get(s, &stats);
	EXPECT_INT(stats.retries, 2);
	EXPECT_INT(stats.dropped_failed, 0);
	/* a statement is not tried again, and many that fail at once end one by one */
	memory.mood = mood, memory.moods_left = 0;
	enum { MANY = 20000 };
	for (int i = 0; i < MANY; i++)
		EXPECT_INT(store_sql(s, "cells a", NULL, 0, NULL, on_answer, &sql), ST_OK);
	unsigned before = memory.submits;
	await(&sql, MANY);
	EXPECT_INT(memory.submits - before, MANY - 1);
	EXPECT_INT(sql.status, mood == MOOD_FAIL ? ST_IO : ST_CLOSED);
	/* it does not come back before the end: writes are given up and told */
	EXPECT_INT(store_sync(s, on_done, &seen), ST_OK);
	EXPECT_INT(put(s, "r", "k", "lost", ""), ST_OK);
	int done = seen.done_count;
	store_close(s);
	EXPECT_INT(seen.done_count, done + 1);
	EXPECT(seen.status < 0);
	buf_fini(&seen.text);
	buf_fini(&sql.text);
	return 0;
}

static int fails(void)
{
	return falters(MOOD_FAIL);
}

static int dies(void)
{
	return falters(MOOD_REFUSE);
}

static int test_fails(void)
{
	return with_memory(fails);
}

static int test_dies(void)
{
	return with_memory(dies);
}

static int lies(void) NO_ROLE_CHECK
{
	struct store *s;
	struct seen seen = {0};
	EXPECT_INT(store_open(&s, "memory://x", NULL, STORE_KEEPS, NULL), ST_OK);
	EXPECT_INT(put(s, "r", "k", "v", ""), ST_OK);
	memory.mood = MOOD_LIE;
	EXPECT_INT(each(s, &seen, SV("r"), SV("k"), 2), ST_IO);
	EXPECT_STR(seen.text.p, "r/k=v;");
	store_close(s);
	buf_fini(&seen.text);
	return 0;
}

static int test_lies(void)
{
	return with_memory(lies);
}

/* Closed with a batch out, one queued, and by the callback of an answer: each callback comes once. */
static int closes(void) NO_ROLE_CHECK
{
	struct store *s;
	struct seen out = {0}, queued = {0}, late = {0};
	for (int use = STORE_KEEPS; use <= STORE_ASKS; use++) {
		out.done_count = queued.done_count = 0;
		EXPECT_INT(store_open(&s, "memory://x", NULL, (enum store_use)use, NULL), ST_OK);
		memory.mood = MOOD_SILENT;
		EXPECT_INT(store_sync(s, on_done, &out), ST_OK);
		EXPECT_INT(put(s, "r", "k", use == STORE_KEEPS ? "kept" : "asked", ""), ST_OK);
		EXPECT_INT(store_sql(s, "cells a", NULL, 0, NULL, on_answer, &queued), ST_OK);
		store_close(s);
		EXPECT_INT(out.done_count, 1);
		EXPECT_INT(out.status, ST_CANCELLED);
		EXPECT_INT(queued.done_count, 1);
		EXPECT_INT(queued.status, ST_CANCELLED);
	}
	memory.mood = MOOD_WELL;
	EXPECT_INT(store_open(&s, "memory://x", NULL, STORE_ASKS, NULL), ST_OK);
	EXPECT_INT(each(s, &out, SV("r"), SV("k"), 2), ST_OK);
	EXPECT_STR(out.text.p, "r/k=kept;");
	/* the deadline's answer closes the store, whose driver ends the batch in its close */
	clock_fake_start(clock_wall_us());
	memory.mood = MOOD_SILENT;
	late.to_close = s;
	EXPECT_INT(store_sql(s, "cells a", NULL, 0, NULL, on_answer, &late), ST_OK);
	clock_fake_advance(11100000);
	await(&late, 1);
	clock_fake_stop();
	EXPECT_INT(late.status, ST_TIMEOUT);
	EXPECT_INT(memory.open_count, 0);
	buf_fini(&out.text);
	buf_fini(&queued.text);
	buf_fini(&late.text);
	return 0;
}

static int test_closes(void)
{
	return with_memory(closes);
}

TEST_MAIN({"dsns", test_dsns, TEST_LOOP}, {"memory_rows", test_memory_rows, TEST_LOOP},
    {"sqlite_rows", test_sqlite_rows, TEST_LOOP}, {"silent", test_silent, TEST_LOOP}, {"fails", test_fails, TEST_LOOP},
    {"dies", test_dies, TEST_LOOP}, {"lies", test_lies, TEST_LOOP}, {"closes", test_closes, TEST_LOOP})
