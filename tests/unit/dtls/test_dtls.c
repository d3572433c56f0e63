/* Two associations in memory: they agree on the same keys under loss, repetition and rubbish in between; a certificate
 * that was not told, and a side without one, get none. One that is settled holds next to nothing, can still say
 * good-bye, and knows the far side's from what anybody could send. */
#include "base/mem.h"
#include "dtls/dtls_i.h"
#include "harness.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
/* OpenSSL's numbers of the profiles have the names of our suites */
#undef SRTP_AEAD_AES_128_GCM
#undef SRTP_AEAD_AES_256_GCM

struct side {
	struct dtls_ident *ident;
	struct dtls *d;
	struct buf out;
	enum dtls_state state;
};
static char folder[64];

static int ident_make(struct dtls_ident **out, const char *name)
{
	char path[96];
	struct buf why;
	if (!folder[0]) {
		strcpy(folder, "/tmp/test_dtls.XXXXXX");
		if (!mkdtemp(folder))
			return -1;
	}
	snprintf(path, sizeof(path), "%s/%s.pem", folder, name);
	buf_init(&why);
	int st = dtls_ident_new(out, path, &why);
	buf_fini(&why);
	unlink(path);
	return st;
}

static void print_of(const struct dtls_ident *i, struct dtls_print *p)
{
	const char *text = strchr(dtls_ident_print(i), ' ') + 1;
	p->hash = DTLS_SHA256;
	for (size_t k = 0; k < 32; k++)
		p->bytes[k] = (uint8_t)strtoul(text + 3 * k, NULL, 16);
}

static unsigned mtu;        /* of the next pair; 0 = the usual */
static const char *ciphers; /* of the next pair; NULL = ours */
static size_t longest;

static int pair_make(struct side *a, struct side *b, bool is_wrong)
{
	struct dtls_conf c = {.print_count = 1, .mtu = mtu};
	memset(a, 0, sizeof(*a));
	memset(b, 0, sizeof(*b));
	EXPECT_INT(ident_make(&a->ident, "a"), 0);
	EXPECT_INT(ident_make(&b->ident, "b"), 0);
	c.ident = a->ident, c.is_client = true;
	print_of(b->ident, &c.prints[0]);
	if (ciphers)
		EXPECT_INT(SSL_CTX_set_cipher_list(ident_ctx(a->ident), ciphers), 1);
	EXPECT_INT(dtls_new(&a->d, &c), 0);
	c.ident = b->ident, c.is_client = false;
	print_of(a->ident, &c.prints[0]);
	c.prints[0].bytes[31] ^= is_wrong;
	EXPECT_INT(dtls_new(&b->d, &c), 0);
	buf_init(&a->out);
	buf_init(&b->out);
	rmdir(folder);
	folder[0] = 0;
	return 0;
}

static void pair_free(struct side *a, struct side *b)
{
	for (struct side *s = a; s; s = s == a ? b : NULL) {
		dtls_free(s->d);
		mem_unref(s->ident);
		buf_fini(&s->out);
	}
}

enum { PLAIN = 0, REPEATED = 1, RUBBISH = 2, LOSSY = 4 };

static void give(struct side *from, struct side *to, unsigned how, unsigned *count)
{
	struct buf taken = from->out;
	struct sv rest = buf_sv(&taken), one;
	buf_init(&from->out);
	while (dtls_out_next(&rest, &one)) {
		const uint8_t *p = (const uint8_t *)one.p;
		uint8_t cut[DTLS_DATAGRAM_MAX];
		longest = one.n > longest ? one.n : longest;
		if (how & LOSSY && ++*count % 3 == 1)
			continue;
		if (how &
		    RUBBISH) { /* not authenticated, thus to be passed over; a record's own length is past its end */
			memset(cut, 0xa5, sizeof(cut));
			to->state = dtls_step(to->d, cut, 100, &to->out);
			memcpy(cut, p, one.n);
			to->state = dtls_step(to->d, cut, one.n < 20 ? one.n : one.n / 2, &to->out);
			to->state = dtls_step(to->d, cut, 12, &to->out);
		}
		to->state = dtls_step(to->d, p, one.n, &to->out);
		if (how & REPEATED)
			to->state = dtls_step(to->d, p, one.n, &to->out);
	}
	buf_fini(&taken);
}

static void until_due(const struct side *a, const struct side *b)
{
	int64_t x = dtls_due_us(a->d), y = dtls_due_us(b->d), us = x < 0 ? y : y < 0 || x < y ? x : y;
	struct timespec t = {us / 1000000, us % 1000000 * 1000 + 1000000};
	if (us >= 0) /* OpenSSL's timer is the clock's */
		nanosleep(&t, NULL);
}

static void shake(struct side *a, struct side *b, unsigned how)
{
	unsigned count = 0;
	for (int i = 0; i < 60 && (a->state == DTLS_UNDER_WAY || b->state == DTLS_UNDER_WAY); i++) {
		if (i && !a->out.n && !b->out.n)
			until_due(a, b);
		if (a->state == DTLS_UNDER_WAY)
			a->state = dtls_step(a->d, NULL, 0, &a->out);
		give(a, b, how, &count);
		if (b->state == DTLS_UNDER_WAY)
			b->state = dtls_step(b->d, NULL, 0, &b->out);
		give(b, a, how, &count);
	}
}

static int agreed(unsigned how)
{
	struct side a, b;
	enum srtp_suite s1, s2;
	uint8_t o1[SRTP_KEY_MAX], i1[SRTP_KEY_MAX], o2[SRTP_KEY_MAX], i2[SRTP_KEY_MAX];

	EXPECT_INT(pair_make(&a, &b, false), 0);
	shake(&a, &b, how);
	EXPECT_INT(a.state, DTLS_UP);
	EXPECT_INT(b.state, DTLS_UP);
	dtls_keys(a.d, &s1, o1, i1);
	dtls_keys(b.d, &s2, o2, i2);
	EXPECT_INT(s1, SRTP_AEAD_AES_256_GCM);
	EXPECT_INT(s2, s1);
	EXPECT(!memcmp(o1, i2, srtp_key_bytes(s1)) && !memcmp(o2, i1, srtp_key_bytes(s1)));
	EXPECT(memcmp(o1, i1, srtp_key_bytes(s1)) != 0);
	dtls_close(a.d, &a.out);
	unsigned n = 0;
	give(&a, &b, PLAIN, &n);
	EXPECT_INT(b.state, DTLS_CLOSED);
	pair_free(&a, &b);
	return 0;
}

static int test_agreed(void)
{
	return agreed(PLAIN);
}
static int test_repeated(void)
{
	return agreed(REPEATED);
}
static int test_rubbish(void)
{
	return agreed(RUBBISH);
}
static int test_lossy(void)
{
	return agreed(LOSSY);
}

static int test_wrong_certificate(void)
{
	struct side a, b;
	EXPECT_INT(pair_make(&a, &b, true), 0);
	shake(&a, &b, PLAIN);
	EXPECT_INT(b.state, DTLS_FAILED);
	EXPECT_STR(dtls_why(b.d), "the certificate is not the one of a=fingerprint");
	EXPECT_INT(a.state, DTLS_FAILED); /* told by an alert */
	pair_free(&a, &b);
	return 0;
}

/* Nobody's fingerprint: nobody to talk to. */
static int test_no_print(void)
{
	struct dtls *d;
	struct dtls_conf c = {0};
	EXPECT_INT(ident_make(&c.ident, "a"), 0);
	EXPECT_INT(dtls_new(&d, &c), ST_INVAL);
	mem_unref(c.ident);
	rmdir(folder);
	return 0;
}

/* What two clients say to each other is nobody's handshake. */
static int test_same_role(void)
{
	struct side a, b;
	struct dtls_conf c = {.print_count = 1, .is_client = true};
	EXPECT_INT(pair_make(&a, &b, false), 0);
	dtls_free(b.d);
	c.ident = b.ident;
	print_of(a.ident, &c.prints[0]);
	EXPECT_INT(dtls_new(&b.d, &c), 0);
	for (int i = 0; i < 3; i++) {
		unsigned n = 0;
		a.state = dtls_step(a.d, NULL, 0, &a.out);
		b.state = dtls_step(b.d, NULL, 0, &b.out);
		give(&a, &b, PLAIN, &n);
		give(&b, &a, PLAIN, &n);
	}
	EXPECT(a.state != DTLS_UP && b.state != DTLS_UP);
	pair_free(&a, &b);
	return 0;
}

/* Flights longer than the MTU come in pieces. */
static int test_mtu(void)
{
	static const unsigned mtus[] = {256, 300, 500, 1200};
	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		struct side a, b;
		mtu = mtus[i], longest = 0;
		EXPECT_INT(pair_make(&a, &b, false), 0);
		shake(&a, &b, PLAIN);
		EXPECT(a.state == DTLS_UP && b.state == DTLS_UP);
		EXPECT(longest > mtu / 4 && longest <= mtu);
		pair_free(&a, &b);
	}
	mtu = 0;
	return 0;
}

/* ---- what OpenSSL holds, counted here ---- */

enum { COUNT_BYTES = 16, SETTLED_MIN_BYTES = 25000 };
static size_t openssl_bytes;

static void *count_alloc(size_t n, const char *file, int line)
{
	size_t *p = n ? malloc(n + COUNT_BYTES) : NULL;
	if (!p)
		return NULL;
	openssl_bytes += *p = n;
	return (uint8_t *)p + COUNT_BYTES;
}

static void count_free(void *at, const char *file, int line)
{
	size_t *p = at ? (size_t *)((uint8_t *)at - COUNT_BYTES) : NULL;
	openssl_bytes -= p ? *p : 0;
	free(p);
}

static void *count_realloc(void *at, size_t n, const char *file, int line)
{
	void *p = n ? count_alloc(n, file, line) : NULL;
	size_t before = at ? *(size_t *)((uint8_t *)at - COUNT_BYTES) : 0;
	if (p && before)
		memcpy(p, at, before < n ? before : n);
	if (p || !n)
		count_free(at, file, line);
	return p;
}

/* What is nothing to it: no answer, no change. */
static int passes_over(struct side *s, const struct buf *datagrams)
{
	struct sv rest = buf_sv(datagrams), one;
	unsigned count = 0;
	for (; dtls_out_next(&rest, &one); count++)
		for (int i = 0; i < 2; i++) {
			EXPECT_INT(dtls_step(s->d, (const uint8_t *)one.p, one.n, &s->out), DTLS_UP);
			EXPECT_INT(s->out.n, 0);
		}
	EXPECT(count > 0);
	return 0;
}

static int settled(bool is_server)
{
	struct side a, b, other_a, other_b;
	struct side *one = is_server ? &b : &a, *peer = is_server ? &a : &b;
	enum srtp_suite suite, suite_before;
	uint8_t out[SRTP_KEY_MAX], in[SRTP_KEY_MAX], out_before[SRTP_KEY_MAX], in_before[SRTP_KEY_MAX];

	EXPECT_INT(pair_make(&a, &b, false), 0);
	EXPECT(!dtls_settle(one->d)); /* it has only begun */
	shake(&a, &b, PLAIN);
	EXPECT(a.state == DTLS_UP && b.state == DTLS_UP);
	dtls_keys(one->d, &suite_before, out_before, in_before);
	EXPECT_INT(pair_make(&other_a, &other_b, false), 0);
	(void)dtls_step(other_a.d, NULL, 0, &other_a.out);
	EXPECT_INT(passes_over(one, &other_a.out), 0); /* a second ClientHello is no beginning before that either */
	size_t before = openssl_bytes;
	EXPECT(dtls_settle(one->d));
	EXPECT(before - openssl_bytes > SETTLED_MIN_BYTES);
	EXPECT(dtls_settle(one->d)); /* it is */
	EXPECT_INT(dtls_due_us(one->d), -1);
	EXPECT_STR(dtls_why(one->d), "");
	dtls_keys(one->d, &suite, out, in);
	EXPECT(suite == suite_before && !memcmp(out, out_before, sizeof(out)) && !memcmp(in, in_before, sizeof(in)));
	EXPECT_INT(dtls_step(one->d, NULL, 0, &one->out), DTLS_UP);
	/* late: another handshake's beginning, the middle of one, its good-bye, rubbish */
	EXPECT_INT(passes_over(one, &other_a.out), 0);
	unsigned n = 0;
	give(&other_a, &other_b, PLAIN, &n);
	EXPECT_INT(passes_over(one, &other_b.out), 0);
	shake(&other_a, &other_b, PLAIN);
	dtls_close(other_a.d, &other_a.out);
	EXPECT_INT(passes_over(one, &other_a.out), 0);
	pair_free(&other_a, &other_b);
	EXPECT_INT(dtls_step(one->d, (const uint8_t *)"\x16\xfe\xfd", 3, &one->out), DTLS_UP);
	EXPECT_INT(peer->state, DTLS_UP);
	/* its own good-bye, once; OpenSSL takes it for one */
	dtls_close(one->d, &one->out);
	EXPECT(one->out.n > 0);
	give(one, peer, PLAIN, &n);
	EXPECT_INT(peer->state, DTLS_CLOSED);
	EXPECT(!dtls_settle(peer->d)); /* it is over */
	dtls_close(one->d, &one->out);
	EXPECT_INT(one->out.n, 0);
	EXPECT_INT(dtls_step(one->d, NULL, 0, &one->out), DTLS_CLOSED);
	pair_free(&a, &b);
	return 0;
}

static int test_settled(void)
{
	if (CRYPTO_set_mem_functions(count_alloc, count_realloc, count_free) != 1) {
		test_skip("OpenSSL has allocated before");
		return 0;
	}
	for (int i = 0; i < 2; i++)
		if (settled(i))
			return -1;
	return 0;
}

/* The far side's good-bye: whole, and with each of its bytes changed, cut short, or behind others. */
static int says_bye(bool is_server)
{
	struct side a, b;
	struct side *one = is_server ? &b : &a, *peer = is_server ? &a : &b;
	uint8_t p[256];
	struct sv rest, bye;

	EXPECT_INT(pair_make(&a, &b, false), 0);
	shake(&a, &b, PLAIN);
	EXPECT(a.state == DTLS_UP && b.state == DTLS_UP);
	EXPECT(dtls_settle(one->d));
	EXPECT(dtls_settle(peer->d)); /* made by a settled one, too */
	dtls_close(peer->d, &peer->out);
	rest = buf_sv(&peer->out);
	EXPECT(dtls_out_next(&rest, &bye) && bye.n > 13 && bye.n < 64);
	for (size_t i = 0; i < bye.n; i++) {
		memcpy(p, bye.p, bye.n);
		p[i] ^= 0x40;
		EXPECT_INT(dtls_step(one->d, p, bye.n, &one->out), DTLS_UP);
		EXPECT_INT(dtls_step(one->d, (const uint8_t *)bye.p, i, &one->out), DTLS_UP);
	}
	memset(p, 0, sizeof(p));
	memcpy(p + 1, bye.p, bye.n);
	EXPECT_INT(dtls_step(one->d, p, bye.n + 1, &one->out), DTLS_UP);
	memcpy(p, bye.p, bye.n); /* what follows in the datagram is not looked at */
	EXPECT_INT(dtls_step(one->d, p, bye.n + 20, &one->out), DTLS_CLOSED);
	EXPECT_INT(one->out.n, 0);
	dtls_close(one->d, &one->out); /* it is over */
	EXPECT_INT(one->out.n, 0);
	pair_free(&a, &b);
	return 0;
}

static int test_far_bye(void)
{
	static const char *const each[] = {
	    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"};
	for (size_t i = 0; i < 6; i++) {
		ciphers = each[i / 2];
		if (says_bye(i % 2))
			return -1;
	}
	ciphers = NULL;
	return 0;
}

/* The pages of a handshake's buffer go back with it, the others' stay what they are. */
static int test_memory(void)
{
	enum { N = 8, BYTES = 21848 };
	long page = sysconf(_SC_PAGESIZE);
	uint8_t *held[N], *freed[N];
	unsigned char is_there;

	mallopt(M_PERTURB, 0); /* meson has malloc write over what is freed */
	if (!dtls_memory_start()) {
		test_skip("OpenSSL has allocated before");
		return 0;
	}
	for (int i = 0; i < N; i++) { /* one beside the other: no end of the heap that malloc gives back itself */
		held[i] = OPENSSL_malloc(BYTES), freed[i] = OPENSSL_malloc(BYTES);
		EXPECT(held[i] && freed[i]);
		memset(held[i], 0x5a, BYTES);
		memset(freed[i], 0xa5, BYTES);
	}
	for (int i = 0; i < N; i++) {
		uint8_t *middle = (uint8_t *)(((uintptr_t)freed[i] + BYTES / 2) & ~((uintptr_t)page - 1));
		EXPECT_INT(mincore(middle, 1, &is_there), 0);
		EXPECT_INT(is_there & 1, 1);
		OPENSSL_free(freed[i]);
		EXPECT(mincore(middle, 1, &is_there) || !(is_there & 1));
	}
	for (int i = 0; i < N; i++) {
		for (int k = 0; k < BYTES; k++)
			EXPECT_INT(held[i][k], 0x5a);
		freed[i] = OPENSSL_malloc(BYTES); /* the hole is of use again */
		memset(freed[i], 1, BYTES);
		OPENSSL_free(freed[i]);
		OPENSSL_free(held[i]);
	}
	OPENSSL_free(NULL);
	return 0;
}

TEST_MAIN({"the same keys", test_agreed}, {"every datagram twice", test_repeated},
    {"rubbish and cut ones between", test_rubbish}, {"a third is lost", test_lossy},
    {"another certificate", test_wrong_certificate}, {"no fingerprint", test_no_print}, {"two clients", test_same_role},
    {"a small MTU", test_mtu}, {"settled", test_settled}, {"the far side's good-bye", test_far_bye},
    {"a handshake's memory", test_memory})
