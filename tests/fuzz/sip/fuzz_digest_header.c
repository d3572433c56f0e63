/* Any bytes as an Authorization header of a REGISTER against a digest server. Nothing but the right answer may pass.
 * Parser: sip/digest.c */
#include "base/check.h"
#include "base/mem.h"
#include "sip/digest.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct digest_server *d;
	static struct sip_hdr hdrs[SIP_MSG_HDRS_MAX];
	struct sip_msg m;
	struct buf b;
	struct digest_secret secret = {.password = "a password nobody guesses"};
	if (!d)
		CHECK(!digest_server_new(&d, &(struct digest_config){.accepts_no_qop = true, .nonce_table_slots = 8}));
	buf_init(&b);
	buf_adds(&b, "REGISTER sip:lab SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@lab>;tag=1\r\nTo: "
	             "<sip:a@lab>\r\nCall-ID: x\r\n"
	             "CSeq: 1 REGISTER\r\nAuthorization: ");
	buf_add(&b, data, size);
	buf_adds(&b, "\r\n\r\n");
	if (!sip_msg_parse(&m, hdrs, SIP_MSG_HDRS_MAX, b.p, b.n, 0)) {
		CHECK(digest_check(d, &m, false, "lab", &secret, NULL) != DIGEST_OK);
		CHECK(digest_check(d, &m, false, NULL, &secret, NULL) != DIGEST_OK);
	}
	buf_fini(&b);
	return 0;
}
