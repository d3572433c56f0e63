/* The store against real files: rows come back in order after a close, deletes and replaces count, a batch is one
 * transaction, a table of another shape is replaced; journal lines survive, rotate, and a torn last line is closed. */
#include "base/mem.h"
#include "harness.h"
#include "loop/loop.h"
#include "store/journal.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const columns[] = {"k", "n", "v", NULL};
static const struct store_table table = {"things", columns, 2, NULL};
static const char *const wider_columns[] = {"k", "n", "v", "w", "x", NULL};
static const struct store_table wider = {"things", wider_columns, 2, NULL};
static const char *const other_columns[] = {"k", "w", NULL};
static const struct store_table other = {"things", other_columns, 1, NULL};

static char dir[64];
static const char *path_in_dir(const char *name)
{
	static char path[128];
	if (!dir[0]) {
		strcpy(dir, "/tmp/tandem-store-XXXXXX");
		if (!mkdtemp(dir))
			return "";
	}
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void clean(void)
{
	static const char *const names[] = {"a.db", "a.db-wal", "a.db-shm", "j.log", "j.log.1"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(path_in_dir(names[i]));
	rmdir(dir);
}

struct seen {
	struct buf text;
	int status, done_count;
};

static void on_row(const struct sv *v, size_t n, void *arg)
{
	struct seen *s = arg;
	for (size_t i = 0; i < n; i++)
		buf_printf(&s->text, "%.*s%s", SVF(v[i]), i + 1 < n ? "," : ";");
}

static void on_done(int status, void *arg)
{
	struct seen *s = arg;
	role_assert_ctl();
	s->status = status;
	s->done_count++;
	loop_stop();
}

static int put(struct store *s, const char *k, const char *n, const char *v) NO_ROLE_CHECK;
static int put(struct store *s, const char *k, const char *n, const char *v)
{
	return store_put(s, &table, (struct sv[]){sv_of(k), sv_of(n), sv_of(v)});
}

static int test_rows(void) NO_ROLE_CHECK;
static int test_rows(void)
{
	struct store *s;
	struct seen seen = {0};
	struct store_stats stats;
	EXPECT_INT(store_open(&s, path_in_dir("a.db"), NULL, STORE_KEEPS, NULL), ST_OK);
	EXPECT_INT(put(s, "a", "1", "x'y\"z"), ST_OK);
	EXPECT_INT(put(s, "b", "1", ""), ST_OK);
	EXPECT_INT(put(s, "c", "1", "gone"), ST_OK);
	EXPECT_INT(put(s, "b", "1", "again"), ST_OK);
	EXPECT_INT(store_del(s, &table, (struct sv[]){SV("c"), SV("1")}), ST_OK);
	store_close(s);

	EXPECT_INT(store_open(&s, path_in_dir("a.db"), NULL, STORE_KEEPS, NULL), ST_OK);
	EXPECT_INT(store_each(s, &table, NULL, 0, on_row, on_done, &seen), ST_OK);
	loop_run();
	EXPECT_INT(seen.status, ST_OK);
	EXPECT_STR(seen.text.p, "a,1,x'y\"z;b,1,again;");
	store_stats_get(s, &stats);
	EXPECT_INT(stats.queued, 0);
	store_close(s);

	/* one that only lacks the last columns keeps its rows */
	buf_clear(&seen.text);
	EXPECT_INT(store_open(&s, path_in_dir("a.db"), NULL, STORE_KEEPS, NULL), ST_OK);
	EXPECT_INT(store_each(s, &wider, NULL, 0, on_row, on_done, &seen), ST_OK);
	loop_run();
	EXPECT_STR(seen.text.p, "a,1,x'y\"z,,;b,1,again,,;");
	store_close(s);

	/* another version's table of that name is replaced, not mixed up */
	buf_clear(&seen.text);
	EXPECT_INT(store_open(&s, path_in_dir("a.db"), NULL, STORE_KEEPS, NULL), ST_OK);
	EXPECT_INT(store_each(s, &other, NULL, 0, on_row, on_done, &seen), ST_OK);
	loop_run();
	EXPECT_INT(seen.status, ST_OK);
	EXPECT_INT(seen.text.n, 0);
	store_close(s);
	buf_fini(&seen.text);
	clean();
	return 0;
}

static int test_batches(void) NO_ROLE_CHECK;
static int test_batches(void)
{
	enum { N = 5000 };
	struct store *s;
	struct seen seen = {0};
	struct store_stats stats;
	char k[16];
	EXPECT_INT(store_open(&s, path_in_dir("a.db"), NULL, STORE_KEEPS, NULL), ST_OK);
	for (int i = 0; i < N; i++) {
		snprintf(k, sizeof(k), "%d", i);
		EXPECT_INT(put(s, k, "1", "v"), ST_OK);
	}
	EXPECT_INT(store_sync(s, on_done, &seen), ST_OK);
	loop_run();
	EXPECT_INT(seen.done_count, 1);
	store_stats_get(s, &stats);
	EXPECT_INT(stats.written, N + 1);
	EXPECT(stats.batches < 20);
	EXPECT_INT(store_each(s, &table, NULL, 0, on_row, on_done, &seen), ST_OK);
	loop_run();
	EXPECT_INT(seen.done_count, 2);
	EXPECT(seen.text.n > N * 5);
	buf_fini(&seen.text);
	store_close(s);
	clean();
	return 0;
}

static int test_no_disk(void) NO_ROLE_CHECK;
static int test_no_disk(void)
{
	struct store *s;
	struct seen seen = {0};
	EXPECT_INT(store_open(&s, "/nonexistent/folder/a.db", NULL, STORE_KEEPS, NULL), ST_OK);
	EXPECT_INT(put(s, "a", "1", "v"), ST_OK);
	EXPECT_INT(store_sync(s, on_done, &seen), ST_OK);
	store_close(s);
	EXPECT_INT(seen.done_count, 1);
	EXPECT(seen.status < 0);
	return 0;
}

static int read_all(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "r");
	if (!f)
		return -1;
	size_t n = fread(out, 1, size - 1, f);
	out[n] = 0;
	fclose(f);
	return 0;
}

static int test_journal(void) NO_ROLE_CHECK;
static int test_journal(void)
{
	struct store_journal *j;
	struct seen seen = {0};
	char text[256], old[128];
	int fd = open(path_in_dir("j.log"), O_CREAT | O_WRONLY, 0600);
	EXPECT(fd >= 0 && write(fd, "torn", 4) == 4);
	close(fd);
	EXPECT_INT(store_journal_open(&j, path_in_dir("j.log")), ST_OK);
	EXPECT_INT(store_journal_append(j, SV("one"), NULL, NULL), ST_OK);
	EXPECT_INT(store_journal_append(j, SV("two\n"), on_done, &seen), ST_OK);
	loop_run();
	EXPECT_INT(seen.status, ST_OK);
	EXPECT(read_all(path_in_dir("j.log"), text, sizeof(text)) == 0);
	EXPECT_STR(text, "torn\none\ntwo\n");
	snprintf(old, sizeof(old), "%s", path_in_dir("j.log.1"));
	EXPECT_INT(store_journal_rotate(j, old), ST_OK);
	EXPECT_INT(store_journal_append(j, SV("three"), on_done, &seen), ST_OK);
	store_journal_close(j);
	EXPECT_INT(seen.done_count, 2);
	EXPECT(read_all(old, text, sizeof(text)) == 0);
	EXPECT_STR(text, "torn\none\ntwo\n");
	EXPECT(read_all(path_in_dir("j.log"), text, sizeof(text)) == 0);
	EXPECT_STR(text, "three\n");
	clean();
	return 0;
}

TEST_MAIN({"rows", test_rows, TEST_LOOP}, {"batches", test_batches, TEST_LOOP}, {"no_disk", test_no_disk, TEST_LOOP},
    {"journal", test_journal, TEST_LOOP})
