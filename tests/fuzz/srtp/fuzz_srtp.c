/* Any bytes as a packet, opened as RTP and as RTCP, and sealed and opened again.
 * Parser: srtp/srtp.c */
#include "base/check.h"
#include "srtp/srtp.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[SRTP_KEY_MAX] = {1, 2, 3};
	static uint8_t p[4096 + SRTP_TAIL_MAX];
	struct srtp *out, *in;
	if (size < 1 || size > 4096)
		return 0;
	enum srtp_suite s = (enum srtp_suite)(1 + data[0] % (SRTP_SUITE_COUNT - 1));
	data++, size--;
	CHECK(!srtp_new(&out, s, key) && !srtp_new(&in, s, key));
	memcpy(p, data, size);
	(void)srtp_open(in, p, size);
	memcpy(p, data, size);
	(void)srtp_open_rtcp(in, p, size);
	memcpy(p, data, size);
	int n = srtp_seal(out, p, size);
	if (n > 0)
		CHECK(srtp_open(in, p, (size_t)n) == (int)size && !memcmp(p, data, size));
	memcpy(p, data, size);
	n = srtp_seal_rtcp(out, p, size);
	if (n > 0)
		CHECK(srtp_open_rtcp(in, p, (size_t)n) == (int)size && !memcmp(p, data, size));
	srtp_free(out);
	srtp_free(in);
	return 0;
}
