/* Any bytes as datagrams (each behind a length byte) to a server and to a client that has begun: no keys come of them.
 * And as alerts to one that is settled: none of them ends it.
 * Parser: dtls/dtls.c, dtls/alert.c */
#include "base/check.h"
#include "base/mem.h"
#include "dtls/dtls_i.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct dtls_ident *ident;

static void ident_make(void)
{
	char folder[] = "/tmp/fuzz_dtls.XXXXXX", path[64];
	struct buf why;
	CHECK(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/x.pem", folder);
	buf_init(&why);
	CHECK(!dtls_ident_new(&ident, path, &why));
	buf_fini(&why);
	unlink(path);
	rmdir(folder);
}

static void alerts(const uint8_t *data, size_t size)
{
	for (int aead = DTLS_NO_AEAD; aead <= DTLS_CHACHA20_POLY1305; aead++) {
		struct dtls_alert_key k = {.aead = (uint8_t)aead, .key = {1, 2, 3}, .iv = {4, 5}};
		CHECK(!dtls_alert_ends(&k, data, size));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dtls_conf c = {.print_count = 1};
	uint8_t record[64] = {21, 0xfe, 0xfd, 0, 1};
	size_t taken = size < sizeof(record) - 5 ? size : sizeof(record) - 5;

	if (!ident)
		ident_make();
	alerts(data, size);
	if (taken)
		memcpy(record + 5, data, taken);
	for (uint8_t body = 18; body <= 26; body += 8) { /* as far as the cipher */
		record[11] = 0, record[12] = body;
		alerts(record, 13u + body);
	}
	c.ident = ident;
	for (int side = 0; side < 2; side++) {
		struct dtls *d;
		struct buf out;
		struct sv rest, one;
		c.is_client = side;
		buf_init(&out);
		CHECK(!dtls_new(&d, &c));
		(void)dtls_step(d, NULL, 0, &out);
		for (size_t at = 0; at < size;) {
			size_t n = data[at++] * 4u;
			if (n > size - at)
				n = size - at;
			CHECK(dtls_step(d, data + at, n, &out) != DTLS_UP);
			at += n;
		}
		rest = buf_sv(&out);
		while (dtls_out_next(&rest, &one))
			CHECK(one.n <= DTLS_MTU);
		CHECK(!rest.n);
		buf_fini(&out);
		dtls_free(d);
	}
	return 0;
}
