/* Any bytes as an Identity header and as a token: what parses keeps its bounds, and nobody's key has signed it. */
#include "base/check.h"
#include "stir/stir.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = {(const char *)data, size};
	struct stir_identity id;
	struct stir_passport p;
	char error[STIR_ERROR_CHARS], number[STIR_TN_MAX];
	if (!stir_identity_parse(&id, text))
		text = id.token;
	if (!stir_passport_parse(&p, text, error)) {
		CHECK(p.dest_count > 0 && p.dest_count <= STIR_DESTS_MAX && strlen(p.url) < STIR_URL_MAX);
		CHECK(p.kind != STIR_SHAKEN || strchr("ABC", p.attest));
		stir_number(sv_of(p.orig), number);
	}
	if (stir_number((struct sv){(const char *)data, size}, number))
		CHECK(strlen(number) < STIR_TN_MAX && strspn(number, "0123456789*#") == strlen(number));
	return 0;
}
