/* a=crypto lines as phones write them, and as attackers do. */
#include "harness.h"
#include "sdp/crypto.h"

#define KEY "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz" /* RFC 4568's example: 30 bytes */

static int test_read(void)
{
	struct sdp_crypto k;
	EXPECT_INT(sdp_crypto_read(SV("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY), &k), ST_OK);
	EXPECT(k.tag == 1 && sv_is(k.suite, "AES_CM_128_HMAC_SHA1_80") && k.key_n == 30 && !k.lifetime_packets);
	EXPECT(!memcmp(k.key, "YS___semctl () {\t220;}\n}\nunles", 30));
	EXPECT_INT(sdp_crypto_read(SV("999999999  X INLINE:" KEY "|2^20 -NEW=1 WSH=64"), &k), ST_OK);
	EXPECT(k.tag == 999999999 && k.lifetime_packets == 1 << 20);
	EXPECT_INT(sdp_crypto_read(SV("2 X inline:" KEY "|4294967296"), &k), ST_OK);
	EXPECT(k.lifetime_packets == UINT64_C(4294967296));
	return 0;
}

static int test_refused(void)
{
	static const char *const bad[] = {"", "1", "1 X", "0 X inline:" KEY, "1000000000 X inline:" KEY,
	    "-1 X inline:" KEY, "x X inline:" KEY, "1 X-Y inline:" KEY, "1 X inline:", "1 X inline:!!", "1 X uri:" KEY,
	    "1 X " KEY, "1 X inline:" KEY KEY, "1 X inline:" KEY "|", "1 X inline:" KEY "|0", "1 X inline:" KEY "|2^0",
	    "1 X inline:" KEY "|2^49", "1 X inline:" KEY "|99999999999999999999999"};
	static const char *const other[] = {"1 X inline:" KEY "|1:4", "1 X inline:" KEY "|2^20|1:4",
	    "1 X inline:" KEY ";inline:" KEY, "1 X inline:" KEY " KDR=1", "1 X inline:" KEY " UNENCRYPTED_SRTP",
	    "1 X inline:" KEY " UNAUTHENTICATED_SRTP", "1 X inline:" KEY " WSH=64 UNENCRYPTED_SRTCP"};
	struct sdp_crypto k;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT_INT(sdp_crypto_read(sv_of(bad[i]), &k), ST_PARSE);
	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++)
		EXPECT_INT(sdp_crypto_read(sv_of(other[i]), &k), ST_UNSUPPORTED);
	return 0;
}

static int test_write(void)
{
	struct sdp_crypto k;
	struct buf b;
	buf_init(&b);
	EXPECT_INT(sdp_crypto_read(SV("7 AEAD_AES_128_GCM inline:" KEY "|2^31"), &k), ST_OK);
	EXPECT_INT(sdp_crypto_write(&b, k.tag, k.suite, k.key, k.key_n), ST_OK);
	EXPECT(sv_is(buf_sv(&b), "7 AEAD_AES_128_GCM inline:" KEY));
	EXPECT_INT(sdp_crypto_write(&b, 1, k.suite, k.key, 0), ST_INVAL);
	buf_fini(&b);
	return 0;
}

TEST_MAIN({"what is a key", test_read, 0}, {"what is none, or asks for more than is done", test_refused, 0},
    {"written as it was read", test_write, 0})
