/* Any text as an a=crypto line: what is taken can be written, and is read as the same.
 * Parser: sdp/crypto.c */
#include "base/check.h"
#include "sdp/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sdp_crypto a, b;
	struct buf text;
	if (sdp_crypto_read((struct sv){(const char *)data, size}, &a))
		return 0;
	buf_init(&text);
	CHECK(sdp_crypto_write(&text, a.tag, a.suite, a.key, a.key_n) == ST_OK);
	if (text.n <= SDP_CRYPTO_LINE_MAX) {
		CHECK(sdp_crypto_read(buf_sv(&text), &b) == ST_OK);
		CHECK(a.tag == b.tag && sv_eq(a.suite, b.suite) && a.key_n == b.key_n);
		CHECK(!memcmp(a.key, b.key, a.key_n));
	}
	buf_fini(&text);
	return 0;
}
