/* net/dns against a name server on loopback that answers, refuses, is silent or lies, as the name asked for says. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "harness.h"
#include "loop/loop.h"
#include "net/dns.h"
#include "net/udp.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct udp *server;
static int asked_count, told_count;
static struct dns_answer told;

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28 };

static void put(struct buf *b, unsigned n, int bytes)
{
	while (bytes--)
		buf_addc(b, (char)(n >> (8 * bytes)));
}

static void put_record(struct buf *b, unsigned type, unsigned ttl_s, const void *data, unsigned n)
{
	put(b, 0xc00c, 2); /* the question's name */
	put(b, type, 2), put(b, 1, 2), put(b, ttl_s, 4), put(b, n, 2);
	buf_add(b, data, n);
}

static bool begins(const char *q, const char *word)
{
	size_t n = strlen(word);
	return (size_t)(unsigned char)q[12] == n && !memcmp(q + 13, word, n);
}

static void answer(const char *q, size_t n, const struct addr *src, void *arg)
{
	struct buf b;
	const char v4[4] = {10, 1, 2, 3}, v6[16] = {0x20, 1, 0xd, (char)0xb8};
	role_assert_ctl();
	unsigned type = (unsigned)(unsigned char)q[n - 3];
	asked_count++;
	if (begins(q, "silent"))
		return;
	buf_init(&b);
	buf_add(&b, q, n);
	b.p[2] |= (char)0x80;
	if (begins(q, "nx"))
		b.p[3] |= 3;
	else if (begins(q, "fail"))
		b.p[3] |= 2;
	else if (begins(q, "id"))
		b.p[0] ^= 1;
	else if (begins(q, "other"))
		b.p[14] ^= 1; /* answers what was not asked */
	else if (begins(q, "garbage"))
		b.n = 12, b.p[7] = 40;
	if (begins(q, "loop")) {
		b.p[7] = 1;
		put_record(&b, TYPE_CNAME, 60, "\xc0\x0c", 2); /* is an alias of itself */
	} else if (begins(q, "many")) {
		b.p[7] = 25;
		for (int i = 0; i < 25; i++)
			put_record(&b, TYPE_A, 60, v4, 4);
	} else if (type == TYPE_A && !begins(q, "six") && !begins(q, "nx") && !begins(q, "fail") &&
	           !begins(q, "garbage")) {
		b.p[7] = 1;
		put_record(&b, TYPE_A, begins(q, "short") ? 0 : 60, v4, 4);
	} else if (type == TYPE_AAAA && begins(q, "six")) {
		b.p[7] = 1;
		put_record(&b, TYPE_AAAA, 60, v6, 16);
	}
	udp_send(server, src, b.p, b.n);
	buf_fini(&b);
}

static int start(void)
{
	struct addr any, bound;
	char text[ADDR_TEXT_MAX], path[] = "/tmp/tandem-hosts-XXXXXX";
	static const char hosts[] = "# nothing\n10.9.9.9 Phone phone.lan # a phone\n::5 phone\n\nnonsense here\n";
	role_assert_ctl();
	EXPECT(!addr_parse(&any, SV("127.0.0.1"), 0));
	EXPECT_INT(udp_open(&server, &any, 0, answer, NULL), 0);
	udp_local(server, &bound);
	setenv("TANDEM_DNS_SERVERS", addr_text(&bound, text), 1);
	int fd = mkstemp(path);
	EXPECT(fd >= 0 && write(fd, hosts, sizeof(hosts) - 1) == sizeof(hosts) - 1);
	close(fd);
	setenv("TANDEM_HOSTS", path, 1);
	EXPECT_INT(dns_start(), 0);
	unlink(path);
	return 0;
}

static void finish(void)
{
	role_assert_ctl();
	dns_stop();
	udp_close(server);
}

static void on_told(const struct dns_answer *a, void *arg)
{
	role_assert_ctl();
	told = *a;
	told_count++;
}

NO_ROLE_CHECK static int ask_for(enum dns_kind kind, const char *name, int64_t timeout_us)
{
	struct dns_ask *ask;
	int was = told_count;
	int st = dns_ask(&ask, kind, sv_of(name), NULL, timeout_us, &told, on_told, NULL);
	if (st != ST_AGAIN)
		return st;
	while (told_count == was)
		loop_run_once();
	return told.status;
}

static const char *first_text(void)
{
	static char text[ADDR_TEXT_MAX];
	return told.count ? addr_host(&told.records[0].addr, text) : "";
}

NO_ROLE_CHECK static int test_known(void)
{
	static const struct {
		const char *name, *address;
		enum dns_kind kind;
		int status;
	} rows[] = {
	    {"10.0.0.1", "10.0.0.1", DNS_ADDRESS, ST_OK},
	    {"10.0.0.1", "", DNS_AAAA, ST_NOTFOUND},
	    {"[::1]", "::1", DNS_ADDRESS, ST_OK},
	    {"phone", "10.9.9.9", DNS_ADDRESS, ST_OK},
	    {"PHONE.lan.", "10.9.9.9", DNS_A, ST_OK},
	    {"phone", "::5", DNS_AAAA, ST_OK},
	    {"phone.lan", "", DNS_AAAA, ST_NOTFOUND},
	    {"localhost", "127.0.0.1", DNS_ADDRESS, ST_OK},
	    {"a.localhost", "::1", DNS_AAAA, ST_OK},
	    {"host.invalid", "", DNS_ADDRESS, ST_NOTFOUND},
	    {"", "", DNS_ADDRESS, ST_PARSE},
	    {".", "", DNS_ADDRESS, ST_PARSE},
	    {"a..b", "", DNS_ADDRESS, ST_PARSE},
	    {"127.1", "", DNS_ADDRESS, ST_PARSE},
	    {"1.2.3.4.5", "", DNS_ADDRESS, ST_PARSE},
	    {"a b", "", DNS_ADDRESS, ST_PARSE},
	    {"a\nb", "", DNS_ADDRESS, ST_PARSE},
	    {"x0123456789012345678901234567890123456789012345678901234567890123.de", "", DNS_ADDRESS, ST_PARSE},
	};
	char longer[400];
	EXPECT_INT(start(), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		EXPECT_INT(ask_for(rows[i].kind, rows[i].name, 1000000), rows[i].status);
		EXPECT_STR(first_text(), rows[i].address);
	}
	memset(longer, 'a', sizeof(longer));
	for (size_t i = 9; i < sizeof(longer); i += 10)
		longer[i] = '.';
	longer[sizeof(longer) - 1] = 0;
	EXPECT_INT(ask_for(DNS_ADDRESS, longer, 1000000), ST_PARSE);
	EXPECT_INT(asked_count, 0);
	finish();
	return 0;
}

NO_ROLE_CHECK static int test_answers(void)
{
	EXPECT_INT(start(), 0);
	EXPECT_INT(ask_for(DNS_ADDRESS, "good.example.com", 5000000), ST_OK);
	EXPECT_STR(first_text(), "10.1.2.3");
	EXPECT_INT(asked_count, 1);
	EXPECT_INT(ask_for(DNS_ADDRESS, "GOOD.example.com", 5000000), ST_OK); /* kept */
	EXPECT_INT(asked_count, 1);
	EXPECT_INT(ask_for(DNS_ADDRESS, "six.example.com", 5000000), ST_OK);
	EXPECT_STR(first_text(), "2001:db8::");
	EXPECT_INT(asked_count, 3);
	EXPECT_INT(ask_for(DNS_ADDRESS, "nx.example.com", 5000000), ST_NOTFOUND);
	EXPECT_INT(ask_for(DNS_ADDRESS, "nx.example.com", 5000000), ST_NOTFOUND);
	EXPECT_INT(asked_count, 4);
	EXPECT_INT(ask_for(DNS_ADDRESS, "many.example.com", 5000000), ST_OK);
	EXPECT_INT(told.count, DNS_RECORDS_MAX);
	EXPECT(ask_for(DNS_ADDRESS, "fail.example.com", 5000000) < 0);
	EXPECT(ask_for(DNS_ADDRESS, "garbage.example.com", 5000000) < 0);
	EXPECT(ask_for(DNS_ADDRESS, "loop.example.com", 5000000) <= 0);
	finish();
	return 0;
}

/* Answers that are not to this question are none. */
NO_ROLE_CHECK static int test_lies(void)
{
	EXPECT_INT(start(), 0);
	int64_t begin_us = clock_mono_us();
	EXPECT_INT(ask_for(DNS_ADDRESS, "id.example.com", 300000), ST_TIMEOUT);
	EXPECT_INT(ask_for(DNS_ADDRESS, "other.example.com", 300000), ST_TIMEOUT);
	EXPECT_INT(ask_for(DNS_ADDRESS, "silent.example.com", 300000), ST_TIMEOUT);
	EXPECT(clock_mono_us() - begin_us < 3000000);
	struct dns_stats s;
	dns_stats_get(&s);
	EXPECT_INT(s.question_count, 3); /* they go on for whoever asks next */
	EXPECT_INT(s.waiting_count, 0);
	finish();
	return 0;
}

/* What is not answered is remembered too: the next one does not wait. */
NO_ROLE_CHECK static int test_silence_is_kept(void)
{
	struct dns_stats s;
	EXPECT_INT(start(), 0);
	EXPECT_INT(ask_for(DNS_ADDRESS, "silent.example.com", 20000000), ST_TIMEOUT);
	int asked = asked_count;
	EXPECT_INT(
	    dns_ask(&(struct dns_ask *){0}, DNS_ADDRESS, SV("silent.example.com"), NULL, 1, &told, on_told, NULL),
	    ST_TIMEOUT);
	EXPECT_INT(asked_count, asked);
	dns_stats_get(&s);
	EXPECT_INT(s.question_count, 0);
	finish();
	return 0;
}

/* One question for all who wait; one address's wishes are bounded, ours are not by them; cancelled ones hear nothing.
 */
NO_ROLE_CHECK static int test_bounds(void)
{
	struct dns_ask *asks[64], *ask;
	struct dns_stats s;
	struct addr stranger;
	char name[64];
	int full = 0;
	EXPECT_INT(start(), 0);
	EXPECT(!addr_parse(&stranger, SV("192.0.2.1"), 5060));
	for (int i = 0; i < 64; i++)
		EXPECT_INT(
		    dns_ask(&asks[i], DNS_ADDRESS, SV("silent.example.com"), NULL, 60000000, &told, on_told, NULL),
		    ST_AGAIN);
	dns_stats_get(&s);
	EXPECT(s.question_count == 1 && s.waiting_count == 64);
	for (int i = 0; i < 63; i++)
		dns_cancel(asks[i]);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "silent.n%d.example.com", i);
		addr_set_port(&stranger, (uint16_t)(1000 + i));
		full += dns_ask(&ask, DNS_ADDRESS, sv_of(name), &stranger, 60000000, &told, on_told, NULL) == ST_FULL;
	}
	EXPECT_INT(full, 84);
	for (int i = 0; i < 300; i++) { /* many strangers: half of the table is not theirs */
		snprintf(name, sizeof(name), "192.0.2.%d", i % 250 + 2);
		EXPECT(!addr_parse(&stranger, sv_of(name), 5060));
		snprintf(name, sizeof(name), "silent.s%d.example.com", i);
		(void)dns_ask(&ask, DNS_ADDRESS, sv_of(name), &stranger, 60000000, &told, on_told, NULL);
	}
	dns_stats_get(&s);
	EXPECT_INT(s.question_count, 129);
	EXPECT_INT(ask_for(DNS_ADDRESS, "good.example.com", 5000000), ST_OK);
	int was = told_count;
	dns_stop();
	EXPECT_INT(told_count - was, 129);
	EXPECT_INT(told.status, ST_CANCELLED);
	EXPECT_INT(ask_for(DNS_ADDRESS, "good.example.com", 5000000), ST_CANCELLED);
	udp_close(server);
	return 0;
}

static int blocking_status[2];
static atomic_bool is_blocking_over;

static void *block(void *arg)
{
	struct dns_answer a;
	int fds[2];
	blocking_status[0] = dns_lookup_blocking(DNS_ADDRESS, SV("six.example.com"), 5000000, -1, &a);
	if (!pipe(fds) && write(fds[1], "", 1) == 1)
		blocking_status[1] = dns_lookup_blocking(DNS_ADDRESS, SV("silent.example.com"), 60000000, fds[0], &a);
	close(fds[0]), close(fds[1]);
	atomic_store(&is_blocking_over, true);
	return NULL;
}

NO_ROLE_CHECK static int test_blocking(void)
{
	pthread_t thread;
	EXPECT_INT(start(), 0);
	EXPECT(!pthread_create(&thread, NULL, block, NULL));
	while (!atomic_load(&is_blocking_over)) /* serves it */
		loop_run_nowait();
	pthread_join(thread, NULL);
	EXPECT_INT(blocking_status[0], ST_OK);
	EXPECT_INT(blocking_status[1], ST_TIMEOUT);
	finish();
	return 0;
}

TEST_MAIN({"known", test_known, TEST_LOOP}, {"answers", test_answers, TEST_LOOP}, {"lies", test_lies, TEST_LOOP},
    {"silence_is_kept", test_silence_is_kept, TEST_LOOP}, {"bounds", test_bounds, TEST_LOOP},
    {"blocking", test_blocking, TEST_LOOP})
