/* Any bytes as a list of numbers in DER, and as PEM: certificates, their authorities and revocation lists, a key. What
 * the same text vouches for is checked by it.
 * Parser: stir/cert.c, stir/tn_list.c */
#include "base/check.h"
#include "base/mem.h"
#include "stir/stir.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_S = 1800000000 };

static void cert_use(struct stir_cert *c, struct sv pem)
{
	char error[STIR_ERROR_CHARS] = "";
	struct stir_ca *ca, *nobody;
	CHECK(!stir_ca_new(&ca) && !stir_ca_new(&nobody));
	CHECK(stir_cert_check(c, nobody, NOW_S, error) && *error);
	if (!stir_ca_add(ca, pem)) {
		stir_cert_check(c, ca, NOW_S, error);
		stir_cert_check(c, ca, 0, NULL);
	}
	CHECK(stir_ca_count(ca) <= pem.n);
	CHECK(stir_cert_has_list(c) || !stir_cert_covers(c, "12155550100"));
	stir_cert_covers(c, "12155550199");
	stir_cert_covers(c, "*");
	mem_unref(ca);
	mem_unref(nobody);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stir_tn_entry entries[STIR_TN_ENTRIES_MAX];
	struct sv pem = {(const char *)data, size};
	struct stir_cert *c = NULL;
	struct stir_key *key = NULL;
	char error[STIR_ERROR_CHARS];
	size_t n = 0;
	if (!stir_tn_list_parse(entries, STIR_TN_ENTRIES_MAX, &n, data, size)) {
		CHECK(n > 0 && n <= STIR_TN_ENTRIES_MAX);
		for (size_t i = 0; i < n; i++)
			CHECK(entries[i].kind != STIR_TN_NONE && *entries[i].text);
	}
	if (!stir_cert_parse(&c, pem, error))
		cert_use(c, pem);
	if (!stir_key_parse(&key, pem, error))
		mem_unref(key);
	mem_unref(c);
	return 0;
}
