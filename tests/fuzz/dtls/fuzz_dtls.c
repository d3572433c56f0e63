/* Any bytes as datagrams (each behind a length byte) to a server and to a client that has begun: no keys come of them.
 * Parser: dtls/dtls.c */
#include "base/check.h"
#include "base/mem.h"
#include "dtls/dtls.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dtls_conf c = {.print_count = 1};
	if (!ident)
		ident_make();
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
