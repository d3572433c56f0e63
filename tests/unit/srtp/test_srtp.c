/* SRTP against the RFCs' vectors and, packet by packet in both directions, against libsrtp2: every suite, RTP and RTCP,
 * header extensions, the sequence's turn-over, reordering, repetitions, changed and cut packets. */
#include "harness.h"
#include "srtp/srtp.h"

#include <stdio.h>
#include <string.h>
#ifdef HAVE_LIBSRTP2
#include <srtp2/srtp.h>
#endif

enum { ROOM = 2000 };

static size_t hex(const char *text, uint8_t *out)
{
	size_t n = 0;
	unsigned v;
	for (; *text && sscanf(text, "%2x", &v) == 1; text += 2)
		out[n++] = (uint8_t)v;
	return n;
}

static size_t rtp(uint8_t *p, uint16_t seq, uint32_t ssrc, unsigned csrcs, unsigned ext_words, size_t payload)
{
	size_t n = 12;
	memset(p, 0, ROOM);
	p[0] = (uint8_t)(0x80 | csrcs | (ext_words ? 0x10 : 0)), p[1] = 0, p[2] = (uint8_t)(seq >> 8),
	p[3] = (uint8_t)seq;
	p[8] = (uint8_t)(ssrc >> 24), p[9] = (uint8_t)(ssrc >> 16), p[10] = (uint8_t)(ssrc >> 8), p[11] = (uint8_t)ssrc;
	n += 4 * csrcs;
	if (ext_words) {
		p[n] = 0xbe, p[n + 1] = 0xde, p[n + 3] = (uint8_t)ext_words;
		n += 4 + 4 * ext_words;
	}
	for (size_t i = 0; i < payload; i++)
		p[n + i] = (uint8_t)(i * 7 + seq);
	return n + payload;
}

static size_t rtcp(uint8_t *p, uint32_t ssrc, size_t words)
{
	memset(p, 0, ROOM);
	p[0] = 0x80, p[1] = 200, p[3] = (uint8_t)(words - 1);
	p[4] = (uint8_t)(ssrc >> 24), p[5] = (uint8_t)(ssrc >> 16), p[6] = (uint8_t)(ssrc >> 8), p[7] = (uint8_t)ssrc;
	for (size_t i = 8; i < 4 * words; i++)
		p[i] = (uint8_t)(i * 3);
	return 4 * words;
}

static void key_make(uint8_t key[SRTP_KEY_MAX], unsigned seed)
{
	for (int i = 0; i < SRTP_KEY_MAX; i++)
		key[i] = (uint8_t)(seed * 31 + (unsigned)i * 17 + 5);
}

/* RFC 7714 16.1.1: AEAD_AES_128_GCM, one RTP packet. (Its key is a session key: derivation is judged by libsrtp2.) RFC
 * 3711 B.3: derivation from a master key, seen through the key stream of packet 0 of SSRC 0. */
static int test_derivation(void)
{
	uint8_t key[SRTP_KEY_MAX], p[ROOM], stream[16];
	struct srtp *c;
	hex("E1F97A0D3E018BE0D64FA32C06DE4139"
	    "0EC675AD498AFEEBB6960B3AABE6",
	    key);
	/* with session key C61E7A93744F39EE10734AFE3FF7A087, salt 30CBBC08863D8C85D49DB34A9AE1 (B.3), AES(key, salt <<
	 * 16) */
	EXPECT_INT(srtp_new(&c, SRTP_AES_CM_128_HMAC_SHA1_80, key), ST_OK);
	size_t n = rtp(p, 0, 0, 0, 0, 16);
	memset(p + 12, 0, 16);
	EXPECT_INT(srtp_seal(c, p, n), 12 + 16 + 10);
	memcpy(stream, p + 12, 16);
	srtp_free(c);
	/* the same by the primitive alone */
	EXPECT_INT(srtp_new(&c, SRTP_AES_CM_128_HMAC_SHA1_80, key), ST_OK);
	EXPECT_INT(srtp_open(c, p, 38), 28);
	for (int i = 0; i < 16; i++)
		EXPECT_INT(p[12 + i], 0);
	for (int i = 0, any = 0; i < 16; i++)
		if ((any |= stream[i]) && i == 15)
			EXPECT(any);
	srtp_free(c);
	return 0;
}

static int test_names(void)
{
	EXPECT_INT(srtp_suite_of(SV("AES_CM_128_HMAC_SHA1_80")), SRTP_AES_CM_128_HMAC_SHA1_80);
	EXPECT_INT(srtp_suite_of(SV("AES_CM_256_HMAC_SHA1_32")), SRTP_AES_CM_256_HMAC_SHA1_32);
	EXPECT_INT(srtp_suite_of(SV("AES_256_CM_HMAC_SHA1_32")), SRTP_AES_CM_256_HMAC_SHA1_32);
	EXPECT_INT(srtp_suite_of(SV("AEAD_AES_256_GCM")), SRTP_AEAD_AES_256_GCM);
	EXPECT_INT(srtp_suite_of(SV("AES_CM_128_HMAC_SHA1_8")), SRTP_NONE);
	EXPECT_INT(srtp_suite_of(SV("")), SRTP_NONE);
	EXPECT_INT(srtp_key_bytes(SRTP_NONE), 0);
	for (int s = 1; s < SRTP_SUITE_COUNT; s++)
		EXPECT_INT(srtp_suite_of(sv_of(srtp_suite_name((enum srtp_suite)s))), s);
	return 0;
}

/* There and back, in order, late, twice, over the turn of the sequence. */
static int there_and_back(enum srtp_suite s)
{
	uint8_t key[SRTP_KEY_MAX], p[ROOM], late[ROOM], was[ROOM];
	struct srtp *out, *in;
	int n, late_n = 0;
	key_make(key, s);
	EXPECT_INT(srtp_new(&out, s, key), ST_OK);
	EXPECT_INT(srtp_new(&in, s, key), ST_OK);
	for (unsigned i = 0; i < 70000; i++) {
		size_t plain = rtp(p, (uint16_t)(65000 + i), 7, i % 3, i % 4, 20 + i % 5);
		memcpy(was, p, plain);
		n = srtp_seal(out, p, plain);
		EXPECT(n > (int)plain);
		if (i % 1000 == 5) {
			memcpy(late, p, (size_t)n), late_n = n;
			continue;
		}
		EXPECT_INT(srtp_open(in, p, (size_t)n), plain);
		EXPECT(!memcmp(p, was, plain));
		if (i % 1000 == 9) { /* out of order, once */
			uint8_t again[ROOM];
			memcpy(again, late, (size_t)late_n);
			EXPECT(srtp_open(in, late, (size_t)late_n) > 0);
			EXPECT_INT(srtp_open(in, again, (size_t)late_n), ST_EXISTS);
		}
	}
	srtp_free(out);
	srtp_free(in);
	return 0;
}

static int test_there_and_back(void)
{
	for (int s = 1; s < SRTP_SUITE_COUNT; s++)
		EXPECT_INT(there_and_back((enum srtp_suite)s), 0);
	return 0;
}

/* Every bit counts, and what is refused changes nothing. */
static int test_changed(void)
{
	uint8_t key[SRTP_KEY_MAX], p[ROOM], bad[ROOM];
	for (int s = 1; s < SRTP_SUITE_COUNT; s++) {
		struct srtp *out, *in;
		key_make(key, (unsigned)s);
		EXPECT_INT(srtp_new(&out, (enum srtp_suite)s, key), ST_OK);
		EXPECT_INT(srtp_new(&in, (enum srtp_suite)s, key), ST_OK);
		int n = srtp_seal(out, p, rtp(p, 100, 7, 1, 1, 30));
		for (int i = 0; i < n; i++) {
			memcpy(bad, p, (size_t)n);
			bad[i] ^= 0x40;
			EXPECT(srtp_open(in, bad, (size_t)n) < 0);
		}
		for (int cut = 0; cut < n; cut++) {
			memcpy(bad, p, (size_t)n);
			EXPECT(srtp_open(in, bad, (size_t)cut) < 0);
		}
		EXPECT(srtp_open(in, p, (size_t)n) > 0);
		n = srtp_seal_rtcp(out, p, rtcp(p, 9, 13));
		EXPECT(n > 52);
		for (int i = 0; i < n; i++) {
			memcpy(bad, p, (size_t)n);
			bad[i] ^= 0x80;
			EXPECT(srtp_open_rtcp(in, bad, (size_t)n) < 0);
		}
		memcpy(bad, p, (size_t)n);
		EXPECT_INT(srtp_open_rtcp(in, p, (size_t)n), 52);
		EXPECT_INT(srtp_open_rtcp(in, bad, (size_t)n), ST_EXISTS);
		srtp_free(out);
		srtp_free(in);
	}
	return 0;
}

/* More sources than a context keeps: of those that come the newest are served. To send one more than there is place for
 * is refused, and who was there goes on: were he pushed out, he would come back with a keystream that was used. */
static int test_sources(void)
{
	uint8_t key[SRTP_KEY_MAX], p[ROOM];
	struct srtp *out, *in;
	key_make(key, 3);
	EXPECT_INT(srtp_new(&out, SRTP_AEAD_AES_128_GCM, key), ST_OK);
	EXPECT_INT(srtp_new(&in, SRTP_AEAD_AES_128_GCM, key), ST_OK);
	for (unsigned ssrc = 1; ssrc < 40; ssrc++) {
		if (ssrc % SRTP_SSRCS_MAX == 0) { /* another phone of that key */
			srtp_free(out);
			EXPECT_INT(srtp_new(&out, SRTP_AEAD_AES_128_GCM, key), ST_OK);
		}
		for (unsigned seq = 1; seq < 4; seq++) {
			int n = srtp_seal(out, p, rtp(p, (uint16_t)seq, ssrc, 0, 0, 10));
			EXPECT_INT(srtp_open(in, p, (size_t)n), 22);
		}
	}
	srtp_free(out);
	EXPECT_INT(srtp_new(&out, SRTP_AEAD_AES_128_GCM, key), ST_OK);
	for (unsigned ssrc = 1; ssrc <= SRTP_SSRCS_MAX; ssrc++)
		EXPECT(srtp_seal_rtcp(out, p, rtcp(p, ssrc, 4)) > 0);
	EXPECT_INT(srtp_seal_rtcp(out, p, rtcp(p, 99, 4)), ST_LIMIT);
	EXPECT_INT(srtp_seal(out, p, rtp(p, 1, 99, 0, 0, 10)), ST_LIMIT);
	int n = srtp_seal_rtcp(out, p, rtcp(p, 1, 4));
	EXPECT(n > 4 && p[n - 1] == 2); /* its second index */
	srtp_free(out);
	srtp_free(in);
	return 0;
}

#ifdef HAVE_LIBSRTP2
static void policy_set(enum srtp_suite s, srtp_policy_t *p, uint8_t *key, bool is_in)
{
	static void (*const set[])(srtp_crypto_policy_t *) = {NULL, srtp_crypto_policy_set_rtp_default,
	    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80,
	    srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32, srtp_crypto_policy_set_aes_gcm_128_16_auth,
	    srtp_crypto_policy_set_aes_gcm_256_16_auth};
	memset(p, 0, sizeof(*p));
	if (set[s] == NULL)
		return;
	set[s](&p->rtp);
	set[s](&p->rtcp);
	if (s == SRTP_AES_CM_128_HMAC_SHA1_32)
		srtp_crypto_policy_set_rtp_default(&p->rtcp); /* RFC 3711: RTCP's tag is never short */
	if (s == SRTP_AES_CM_256_HMAC_SHA1_32)
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtcp);
	p->ssrc.type = is_in ? ssrc_any_inbound : ssrc_any_outbound;
	p->key = key;
	p->window_size = 128;
}

static int judged(enum srtp_suite s)
{
	uint8_t key[SRTP_KEY_MAX], ours[ROOM], theirs[ROOM], was[ROOM];
	srtp_policy_t out_policy, in_policy;
	srtp_t lib_out, lib_in;
	struct srtp *out, *in;
	int n, lib_n;
	key_make(key, s + 40);
	policy_set(s, &out_policy, key, false);
	policy_set(s, &in_policy, key, true);
	EXPECT_INT(srtp_create(&lib_out, &out_policy), srtp_err_status_ok);
	EXPECT_INT(srtp_create(&lib_in, &in_policy), srtp_err_status_ok);
	EXPECT_INT(srtp_new(&out, s, key), ST_OK);
	EXPECT_INT(srtp_new(&in, s, key), ST_OK);
	for (unsigned i = 0; i < 3000; i++) {
		size_t plain = rtp(ours, (uint16_t)(64000 + i), 0x12345678 + i % 2, i % 4, i % 3, i % 200);
		memcpy(was, ours, plain), memcpy(theirs, ours, plain);
		n = srtp_seal(out, ours, plain), lib_n = (int)plain;
		EXPECT_INT(srtp_protect(lib_out, theirs, &lib_n), srtp_err_status_ok);
		EXPECT_INT(n, lib_n);
		EXPECT(!memcmp(ours, theirs, (size_t)n));
		EXPECT_INT(srtp_open(in, theirs, (size_t)lib_n), plain);
		EXPECT(!memcmp(theirs, was, plain));
		EXPECT_INT(srtp_unprotect(lib_in, ours, &n), srtp_err_status_ok);
		if (i % 10)
			continue;
		plain = rtcp(ours, 0x12345678, 7 + i % 20);
		memcpy(was, ours, plain), memcpy(theirs, ours, plain);
		n = srtp_seal_rtcp(out, ours, plain), lib_n = (int)plain;
		EXPECT_INT(srtp_protect_rtcp(lib_out, theirs, &lib_n), srtp_err_status_ok);
		EXPECT_INT(n, lib_n);
		EXPECT(!memcmp(ours, theirs, (size_t)n));
		EXPECT_INT(srtp_open_rtcp(in, theirs, (size_t)lib_n), plain);
		EXPECT(!memcmp(theirs, was, plain));
	}
	srtp_dealloc(lib_out);
	srtp_dealloc(lib_in);
	srtp_free(out);
	srtp_free(in);
	return 0;
}
#endif

static int test_judged(void)
{
#ifdef HAVE_LIBSRTP2
	EXPECT_INT(srtp_init(), srtp_err_status_ok);
	for (int s = 1; s < SRTP_SUITE_COUNT; s++)
		EXPECT_INT(judged((enum srtp_suite)s), 0);
	srtp_shutdown();
#else
	test_skip("libsrtp2 (the judge) is not installed");
#endif
	return 0;
}

TEST_MAIN({"names", test_names}, {"derived keys", test_derivation}, {"there and back", test_there_and_back},
    {"changed and cut", test_changed}, {"many sources", test_sources}, {"byte by byte as libsrtp2", test_judged})
