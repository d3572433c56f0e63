/* base: memory and its accounting, views, buffers, hash, lists, clock, random, log. */
#include "base/clock.h"
#include "base/disk.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/role.h"
#include "base/slurp.h"
#include "base/status.h"
#include "base/str.h"
#include "harness.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int dtor_count;

static void count_dtor(void *obj)
{
	dtor_count++;
}

static void sum_type(const char *type, size_t live, size_t bytes, void *arg)
{
	if (!strcmp(type, "test.thing"))
		*(size_t *)arg += live * 1000 + bytes;
}

static int test_mem_counts(void)
{
	size_t seen = 0;
	void *a = mem_new(40, count_dtor, "test.thing"), *b = mem_new(2, count_dtor, "test.thing");
	EXPECT(((uintptr_t)a & 15) == 0 && ((uintptr_t)b & 15) == 0);
	mem_each_type(sum_type, &seen);
	EXPECT_INT(seen, 2042);
	EXPECT(mem_ref(a) == a);
	EXPECT_INT(mem_refs(a), 2);
	EXPECT(mem_unref(a) == NULL);
	EXPECT_INT(dtor_count, 0);
	mem_unref(a);
	mem_unref(b);
	EXPECT_INT(dtor_count, 2);
	EXPECT(mem_ref(NULL) == NULL && mem_unref(NULL) == NULL);
	char *p = mem_strdup("abc");
	EXPECT_INT(mem_live_blocks(), 1);
	p = mem_realloc(p, 5000);
	EXPECT_STR(p, "abc");
	mem_free(p);
	EXPECT(mem_strdup(NULL) == NULL);
	return 0;
}

static void *alloc_thread(void *shared)
{
	for (int i = 0; i < 20000; i++) {
		void *o = mem_new(24, NULL, i & 1 ? "test.odd" : "test.even");
		mem_free(mem_alloc(10));
		mem_unref(o);
		mem_ref(shared);
		mem_unref(shared);
	}
	return NULL;
}

static int test_mem_threads(void)
{
	pthread_t t[3];
	void *shared = mem_new_atomic(8, count_dtor, "test.shared");
	for (int i = 0; i < 3; i++)
		EXPECT(!pthread_create(&t[i], NULL, alloc_thread, shared));
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	EXPECT_INT(mem_refs(shared), 1);
	EXPECT_INT(mem_live_objects(), 1);
	mem_unref(shared);
	return 0;
}

static int test_mem_wrong_free_dies(void)
{
	pid_t pid = fork();
	if (!pid) {
		close(2);
		void *o = mem_new(8, NULL, "test.o");
		mem_free(o);
		_exit(0);
	}
	int st;
	waitpid(pid, &st, 0);
	EXPECT(WIFSIGNALED(st));
	return 0;
}

static int test_sv(void)
{
	struct sv a, b;
	EXPECT(sv_is(sv_trim(SV(" \t x y\r\n")), "x y"));
	EXPECT_INT(sv_trim(SV("  ")).n, 0);
	EXPECT(sv_eqi(SV("AbC"), SV("aBc")) && !sv_eqi(SV("[bc"), SV("{bc")));
	EXPECT(sv_starts(SV("sip:x"), SV("sip:")) && !sv_starts(SV("si"), SV("sip:")) && sv_starts(SV("x"), SV_NONE));
	EXPECT(sv_startsi(SV("SIP:x"), SV("sip:")));
	EXPECT(sv_split(SV("a=b=c"), '=', &a, &b) && sv_is(a, "a") && sv_is(b, "b=c"));
	EXPECT(!sv_split(SV("abc"), '=', &a, &b) && sv_is(a, "abc") && b.n == 0);
	EXPECT(sv_split(SV("abc="), '=', &a, &b) && b.n == 0);
	EXPECT(sv_list_has(SV("one, Two ,three"), ',', SV("two")) && sv_list_has(SV("one"), ',', SV("ONE")));
	EXPECT(!sv_list_has(SV("one,two"), ',', SV("tw")) && !sv_list_has(SV("one,two"), ',', SV("one,two")) &&
	       !sv_list_has(SV_NONE, ',', SV("one")));
	EXPECT(sv_is(sv_sub(SV("hello"), 3, 100), "lo") && sv_sub(SV("hello"), 9, 1).n == 0);
	EXPECT_INT(sv_find(SV("abc"), 'c'), 2);
	EXPECT_INT(sv_find(SV("abc"), 'x'), 3);
	EXPECT(sv_eq(sv_of(NULL), SV_NONE));
	return 0;
}

static int test_sv_numbers(void)
{
	static const struct {
		const char *text;
		bool u32, u64, i64;
	} cases[] = {
	    {"0", 1, 1, 1},
	    {"", 0, 0, 0},
	    {"4294967295", 1, 1, 1},
	    {"4294967296", 0, 1, 1},
	    {"-1", 0, 0, 1},
	    {"+5", 0, 0, 1},
	    {" 1", 0, 0, 0},
	    {"1 ", 0, 0, 0},
	    {"0x10", 0, 0, 0},
	    {"-", 0, 0, 0},
	    {"18446744073709551615", 0, 1, 0},
	    {"18446744073709551616", 0, 0, 0},
	    {"9223372036854775808", 0, 1, 0},
	    {"-9223372036854775808", 0, 0, 1},
	    {"-9223372036854775809", 0, 0, 0},
	    {"99999999999999999999999", 0, 0, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t u = 77;
		uint64_t v = 77;
		int64_t w = 77;
		EXPECT_INT(sv_u32(sv_of(cases[i].text), &u) == 0, cases[i].u32);
		EXPECT_INT(sv_u64(sv_of(cases[i].text), &v) == 0, cases[i].u64);
		EXPECT_INT(sv_i64(sv_of(cases[i].text), &w) == 0, cases[i].i64);
		EXPECT(cases[i].u32 || u == 77);
		EXPECT(cases[i].i64 ? w == strtoll(cases[i].text, NULL, 10) : w == 77);
	}
	return 0;
}

static int test_truth(void)
{
	static const char *const yes[] = {"true", "YES", "on", "1", "enabled", "Active", "allow", "t", "12", "-1"};
	static const char *const no[] = {"", "0", "false", "no", "off", "1x", "truee", "disabled", "0.5", "-"};
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		EXPECT(str_is_true(yes[i]));
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		EXPECT(!str_is_true(no[i]));
	EXPECT(!str_is_true(NULL));
	return 0;
}

static int test_buf(void)
{
	struct buf b;
	buf_init(&b);
	EXPECT(!b.p && buf_sv(&b).n == 0);
	b.max = 100;
	for (int i = 0; i < 10; i++)
		EXPECT_INT(buf_printf(&b, "%s%d", "123456789", i), 0);
	EXPECT_INT(b.n, 100);
	EXPECT_INT(buf_addc(&b, 'x'), ST_NOMEM);
	EXPECT(b.failed && b.n == 100 && b.p[100] == 0);
	buf_clear(&b);
	EXPECT(!b.failed && b.n == 0 && b.p[0] == 0);
	EXPECT_INT(buf_printf(&b, "%101s", "x"), ST_NOMEM);
	EXPECT_INT(b.n, 0);
	EXPECT_INT(buf_adds(&b, "hello world"), 0);
	buf_drop(&b, 6);
	EXPECT_STR(b.p, "world");
	buf_drop(&b, 99);
	EXPECT_INT(b.n, 0);
	EXPECT_INT(buf_add(&b, NULL, 0), 0);
	volatile size_t huge = SIZE_MAX;
	EXPECT_INT(buf_add(&b, "x", huge), ST_NOMEM);
	char *t = buf_take(&b);
	EXPECT_STR(t, "");
	mem_free(t);
	EXPECT(!b.p);
	t = buf_take(&b);
	EXPECT_STR(t, "");
	mem_free(t);
	buf_fini(&b);
	return 0;
}

static int test_hash_oom(void)
{
	struct hash *h = NULL;
	struct buf b;
	buf_init(&b);
	int rc = hash_new(&h, 0, mem_free);
	for (int i = 0; i < 20 && !rc; i++) {
		char *v = mem_strdup("v");
		b.n = 0;
		rc = buf_printf(&b, "key%d", i);
		if (v && !rc)
			rc = hash_set(h, buf_sv(&b), v);
		else
			rc = ST_NOMEM;
		if (rc)
			mem_free(v);
	}
	size_t n = h ? hash_count(h) : 0;
	hash_free(h);
	buf_fini(&b);
	EXPECT_INT(rc, 0);
	EXPECT_INT(n, 20);
	return 0;
}

static int test_hash(void)
{
	struct hash *h;
	char key[32];
	EXPECT_INT(hash_new(&h, 0, mem_free), 0);
	for (int i = 0; i < 10000; i++) {
		int n = snprintf(key, sizeof(key), "key%d", i);
		EXPECT_INT(hash_set(h, (struct sv){key, (size_t)n}, mem_strdup(key)), 0);
	}
	EXPECT_INT(hash_count(h), 10000);
	EXPECT_STR(hash_get(h, SV("key9999")), "key9999");
	EXPECT(!hash_get(h, SV("KEY1")) && !hash_get(h, SV("")));
	struct hash_it it = {0};
	int i = 0;
	while (hash_next(h, &it)) {
		snprintf(key, sizeof(key), "key%d", i);
		EXPECT_STR(it.value, key);
		if (i % 3)
			EXPECT(hash_del(h, it.key));
		i++;
	}
	EXPECT_INT(i, 10000);
	EXPECT_INT(hash_count(h), 3334);
	EXPECT(!hash_del(h, SV("key1")) && hash_get(h, SV("key3")));
	EXPECT_INT(hash_set(h, SV("key3"), mem_strdup("new")), 0);
	EXPECT_INT(hash_count(h), 3334);
	char *taken = hash_take(h, SV("key3"));
	EXPECT_STR(taken, "new");
	mem_free(taken);
	/* A table used as a queue does not grow for ever. */
	for (i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "q%d", i);
		EXPECT_INT(hash_set(h, sv_of(key), mem_strdup("q")), 0);
		EXPECT(hash_del(h, sv_of(key)));
	}
	EXPECT_INT(hash_count(h), 3333);
	hash_free(h);
	EXPECT_INT(hash_new(&h, HASH_NOCASE, NULL), 0);
	EXPECT_INT(hash_set(h, SV("Content-Length"), &i), 0);
	EXPECT(hash_get(h, SV("content-LENGTH")) == &i && !hash_get(h, SV("content-LENGTI")));
	EXPECT_INT(hash_set(h, SV_NONE, &it), 0);
	EXPECT(hash_get(h, SV("")) == &it);
	hash_free(h);
	hash_free(NULL);
	return 0;
}

/* Each byte at each place, and what is a letter in the other case too. */
static int test_hash_case(void)
{
	struct hash *h;

	EXPECT_INT(hash_new(&h, HASH_NOCASE, NULL), 0);
	for (int c = 0; c < 256; c++) {
		bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		for (size_t at = 0; at < 19; at++) {
			char key[19];
			memset(key, 'x', sizeof(key));
			key[at] = (char)c;
			EXPECT_INT(hash_set(h, (struct sv){key, sizeof(key)}, &c), 0);
			key[at] = (char)(c ^ 0x20);
			EXPECT((hash_get(h, (struct sv){key, sizeof(key)}) == &c) == is_letter);
			key[at] = (char)c;
			EXPECT(hash_take(h, (struct sv){key, sizeof(key)}) == &c);
		}
	}
	hash_free(h);
	return 0;
}

static int test_list(void)
{
	struct list l;
	struct lnode n[3] = {0}, *it, *tmp;
	int count = 0;
	list_init(&l);
	EXPECT(list_empty(&l) && !list_first(&l));
	list_push(&l, &n[1]);
	list_push(&l, &n[2]);
	list_unshift(&l, &n[0]);
	list_each (&l, it, tmp) {
		EXPECT(it == &n[count]);
		list_remove(it);
		EXPECT(!lnode_is_linked(it));
		count++;
	}
	EXPECT_INT(count, 3);
	list_remove(&n[0]);
	EXPECT(list_empty(&l));
	return 0;
}

/* What somebody else wrote: no product runs over, nor a sum of two with a clock. */
static int test_clock_saturates(void)
{
	static const int64_t outside[] = {
	    INT64_MAX, INT64_MAX / 1000, INT64_MAX / 1000000, CLOCK_US_MAX, 10000000000000000};
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		EXPECT_INT(clock_us_of_s(outside[i]), CLOCK_US_MAX);
		EXPECT_INT(clock_us_of_s(-outside[i]), -CLOCK_US_MAX);
		EXPECT(clock_us_of_ms(outside[i]) > 0 && clock_us_of_ms(outside[i]) <= CLOCK_US_MAX);
		EXPECT(clock_wall_us() + clock_us_of_s(outside[i]) + clock_us_of_ms(outside[i]) > 0);
	}
	EXPECT_INT(clock_us_of_s(INT64_MIN), -CLOCK_US_MAX);
	EXPECT_INT(clock_us_of_ms(INT64_MIN), -CLOCK_US_MAX);
	EXPECT_INT(clock_us_of_s(-3), -3000000);
	EXPECT_INT(clock_us_of_ms(86400000), 86400000000);
	EXPECT_INT(clock_ms_of_s(4294967), 4294967000);
	EXPECT_INT(clock_ms_of_s(4294968), UINT32_MAX);
	EXPECT_INT(clock_ms_of_s(UINT64_MAX), UINT32_MAX);
	return 0;
}

static bool file_is(const char *path, const char *text)
{
	struct buf now;
	buf_init(&now);
	bool is_same = !slurp(path, 1000, &now, NULL) && sv_is(buf_sv(&now), text);
	buf_fini(&now);
	return is_same;
}

/* A file is replaced as a whole or not at all, on a full disk, too. */
static int test_disk(void)
{
	char dir[] = "/tmp/tandem-disk-XXXXXX", path[64], fresh[80];
	static char big[9000];
	struct rlimit old, small = {4096, RLIM_INFINITY};

	EXPECT(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	EXPECT_INT(disk_sync(path), ST_NOTFOUND);
	EXPECT_INT(disk_replace(path, SV("first"), 0600, true), ST_OK);
	EXPECT(file_is(path, "first"));
	EXPECT_INT(disk_replace(path, SV("second"), 0600, false), ST_OK);
	EXPECT(file_is(path, "second") && access(fresh, F_OK));
	EXPECT_INT(disk_sync(path), ST_OK);
	EXPECT_INT(disk_sync_parent(path), ST_OK);
	signal(SIGXFSZ, SIG_IGN);
	EXPECT(!getrlimit(RLIMIT_FSIZE, &old) && !setrlimit(RLIMIT_FSIZE, &small));
	EXPECT_INT(disk_replace(path, (struct sv){big, sizeof(big)}, 0600, true), ST_IO);
	EXPECT_INT(errno, EFBIG);
	EXPECT(!setrlimit(RLIMIT_FSIZE, &old));
	EXPECT(file_is(path, "second") && access(fresh, F_OK));
	EXPECT_INT(disk_replace("/nowhere/at/all", SV("x"), 0600, true), ST_IO);
	EXPECT(!unlink(path) && !rmdir(dir));
	return 0;
}

static int test_clock(void)
{
	int64_t a = clock_mono_us();
	EXPECT(a > 0 && clock_mono_us() >= a && clock_wall_us() > 1600000000000000);
	clock_fake_start(5000000);
	a = clock_mono_us();
	EXPECT(clock_is_fake());
	EXPECT_INT(clock_wall_us(), 5000000);
	clock_fake_advance(1500);
	EXPECT_INT(clock_wall_us(), 5001500);
	EXPECT_INT(clock_mono_us() - a, 1500);
	clock_fake_stop();
	EXPECT(!clock_is_fake() && clock_wall_us() > 1600000000000000);
	return 0;
}

static int test_rand(void)
{
	char a[UUID_CHARS + 1], b[UUID_CHARS + 1], token[33];
	uuid_make(a);
	uuid_make(b);
	EXPECT_INT(strlen(a), 36);
	EXPECT(strcmp(a, b) && a[14] == '4' && strchr("89ab", a[19]) && a[8] == '-' && a[23] == '-');
	rand_token(token, 32);
	EXPECT_INT(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"), 32);
	unsigned seen = 0;
	for (int i = 0; i < 1000; i++) {
		uint32_t v = rand_below(7);
		EXPECT(v < 7);
		seen |= 1u << v;
	}
	EXPECT_INT(seen, 127);
	/* Parent and child draw different bytes after a fork. */
	int fd[2];
	uint64_t mine, theirs;
	EXPECT(!pipe(fd));
	pid_t pid = fork();
	if (!pid) {
		mine = rand_u64();
		_exit(write(fd[1], &mine, 8) != 8);
	}
	mine = rand_u64();
	EXPECT(read(fd[0], &theirs, 8) == 8);
	waitpid(pid, NULL, 0);
	EXPECT(mine != theirs);
	return 0;
}

static struct {
	int count, longest;
	char last[100], uuid[40];
	enum log_level level;
} seen;

static void sink(const struct log_line *l, void *arg)
{
	seen.count++;
	seen.level = l->level;
	int n = (int)strlen(l->text);
	seen.longest = n > seen.longest ? n : seen.longest;
	snprintf(seen.last, sizeof(seen.last), "%s", l->text);
	snprintf(seen.uuid, sizeof(seen.uuid), "%s", l->uuid);
}

static int test_log(void)
{
	int id;
	static char big[20000];
	EXPECT_INT(log_start(), 0);
	EXPECT_INT(log_sink_add(LOG_INFO, sink, NULL, &id), 0);
	EXPECT(!log_is_on(LOG_DEBUG) && log_is_on(LOG_INFO) && !log_is_on(LOG_DISABLE));
	log_debug("not this");
	log_uuid(LOG_ERR, "12345678-1234-1234-1234-123456789012", "line %d", 1);
	log_flush();
	EXPECT_INT(seen.count, 1);
	EXPECT_STR(seen.last, "line 1\n");
	EXPECT_STR(seen.uuid, "12345678-1234-1234-1234-123456789012");
	EXPECT_INT(seen.level, LOG_ERR);
	log_notice("ends already\n");
	memset(big, 'x', sizeof(big) - 1);
	log_info("%.5000s", big);
	log_flush();
	EXPECT_INT(seen.longest, 5001);
	log_info("%s", big);
	log_flush();
	EXPECT_INT(seen.longest, 16384 - 1);
	log_sink_set_level(id, LOG_DEBUG);
	EXPECT(log_is_on(LOG_DEBUG));
	log_set_level(LOG_NOTICE);
	EXPECT(!log_is_on(LOG_INFO));
	log_sink_del(id);
	log_stop();
	EXPECT_INT(seen.count, 4);
	EXPECT_INT(log_start(), 0); /* a second life */
	log_stop();
	return 0;
}

static struct {
	sem_t entered, go;
	uint64_t number;
} slow;

static void slow_sink(const struct log_line *l, void *arg)
{
	slow.number = l->number;
	sem_post(&slow.entered);
	while (sem_wait(&slow.go))
		;
}

/* Levels change while the writer is stuck in a sink (a disk that hangs), and lines can be told by when they were
 * written.
 */
static int test_log_stuck(void)
{
	int id, listener;
	EXPECT(!sem_init(&slow.entered, 0, 0) && !sem_init(&slow.go, 0, 0));
	EXPECT_INT(log_start(), 0);
	EXPECT_INT(log_sink_add(LOG_INFO, slow_sink, NULL, &id), 0);
	EXPECT_INT(log_sink_add(LOG_DISABLE, sink, NULL, &listener), 0);
	seen.count = 0;
	log_info("first");
	while (sem_wait(&slow.entered))
		;
	log_sink_set_level(listener, LOG_DEBUG);
	EXPECT(log_is_on(LOG_DEBUG));
	EXPECT(slow.number < log_next_number());
	uint64_t next = log_next_number();
	log_info("second");
	sem_post(&slow.go);
	sem_post(&slow.go);
	log_flush();
	EXPECT_INT(slow.number, next);
	EXPECT_INT(seen.count, 2); /* the first as well: its number tells that it is too old */
	log_sink_set_level(listener, LOG_DISABLE);
	EXPECT(!log_is_on(LOG_DEBUG) && log_is_on(LOG_INFO));
	log_sink_del(listener);
	log_sink_del(id);
	log_stop();
	return 0;
}

static void *log_thread(void *arg)
{
	for (int i = 0; i < 20000; i++)
		log_info("line %d of %s", i, (const char *)arg);
	return NULL;
}

static int test_log_threads(void)
{
	pthread_t t[3];
	int id;
	EXPECT_INT(log_start(), 0);
	EXPECT_INT(log_sink_add(LOG_DEBUG, sink, NULL, &id), 0);
	for (int i = 0; i < 3; i++)
		EXPECT(!pthread_create(&t[i], NULL, log_thread, "a thread"));
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	log_stop(); /* drains */
	EXPECT_INT((uint64_t)seen.count + log_dropped_count(), 60000);
	EXPECT(seen.count >= 4096);
	log_sink_del(id);
	return 0;
}

static int test_log_levels(void)
{
	enum log_level l;
	EXPECT(!log_level_parse("debug", &l) && l == LOG_DEBUG);
	EXPECT(!log_level_parse("3", &l) && l == LOG_ERR);
	EXPECT(!log_level_parse("Console", &l) && l == LOG_CONSOLE);
	EXPECT(log_level_parse("8", &l) && log_level_parse("", &l) && log_level_parse("loud", &l) && l == LOG_CONSOLE);
	EXPECT_STR(log_level_name(LOG_WARNING), "WARNING");
	return 0;
}

static int test_status(void)
{
	EXPECT_STR(status_text(ST_OK), "ok");
	EXPECT_STR(status_text(ST_LIMIT), "limit reached");
	EXPECT_STR(status_text(-99), "unknown status");
	for (int i = 0; i >= ST_LIMIT; i--)
		EXPECT(status_text(i) != NULL);
	return 0;
}

static int test_role(void)
{
	pid_t pid = fork();
	if (!pid) {
		close(2);
		role_set(ROLE_MEDIA);
		role_assert_media();
		role_assert_ctl();
		_exit(0);
	}
	int st;
	waitpid(pid, &st, 0);
	EXPECT(WIFSIGNALED(st));
	return 0;
}

/* The harness itself: what fails, leaks, crashes or fails only without memory is told as such. */
static int case_passes(void)
{
	return 0;
}

static int case_fails(void)
{
	EXPECT_INT(1, 2);
	return 0;
}

static int case_leaks(void)
{
	return mem_strdup("x") ? 0 : -1;
}

static int case_crashes(void)
{
	abort();
	return 0;
}

static int case_skips(void)
{
	test_skip("no reason");
	return 0;
}

/* Leaks the first block when the second allocation fails. */
static int case_leaks_without_memory(void)
{
	char *a = mem_strdup("a"), *b = mem_strdup("b");
	if (a && !b)
		return 0;
	mem_free(a);
	mem_free(b);
	return 0;
}

static int test_harness(void)
{
	static const struct test_case inner[] = {{"passes", case_passes}, {"fails", case_fails}, {"leaks", case_leaks},
	    {"crashes", case_crashes}, {"skips", case_skips}, {"ladder", case_leaks_without_memory, TEST_OOM}};
	static const char *const want[] = {"ok 1 - passes\n", "not ok 2 - fails # exit code 1\n",
	    "not ok 3 - leaks # exit code", "not ok 4 - crashes # Aborted", "ok 5 - skips # SKIP\n",
	    "not ok 6 - ladder"};
	char text[2000] = "", *name = NULL;
	size_t at = 0;
	ssize_t n;
	int fd[2], st;
	EXPECT(!pipe(fd));
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		dup2(fd[1], 1);
		close(2);
		_exit(test_main(0, &name, inner, sizeof(inner) / sizeof(inner[0])));
	}
	close(fd[1]);
	while ((n = read(fd[0], text + at, sizeof(text) - 1 - at)) > 0)
		at += (size_t)n;
	waitpid(pid, &st, 0);
	EXPECT(WIFEXITED(st) && WEXITSTATUS(st) == 1);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		if (!strstr(text, want[i])) {
			test_fail(__FILE__, __LINE__, "no \"%s\" in: %s", want[i], text);
			return -1;
		}
	}
	return 0;
}

TEST_MAIN({"mem_counts", test_mem_counts}, {"mem_threads", test_mem_threads},
    {"mem_wrong_free_dies", test_mem_wrong_free_dies}, {"sv", test_sv}, {"sv_numbers", test_sv_numbers},
    {"truth", test_truth}, {"buf", test_buf}, {"hash", test_hash}, {"hash_case", test_hash_case},
    {"hash_oom", test_hash_oom, TEST_OOM}, {"list", test_list}, {"clock_saturates", test_clock_saturates},
    {"disk", test_disk}, {"clock", test_clock}, {"rand", test_rand}, {"log", test_log}, {"log_stuck", test_log_stuck},
    {"log_threads", test_log_threads}, {"log_levels", test_log_levels}, {"status", test_status}, {"role", test_role},
    {"harness", test_harness})
