/* Addresses and prefixes from outside: what parses prints as text that parses to the same address.
 * Parser: net/addr.c */
#include "base/check.h"
#include "net/addr.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = {(const char *)data, size};
	struct addr a, b;
	char out[ADDR_TEXT_MAX];
	if (!addr_parse_hostport(&a, text, 5060)) {
		CHECK(!addr_parse_hostport(&b, sv_of(addr_text(&a, out)), 1));
		CHECK(addr_eq(&a, &b));
		CHECK(!addr_parse(&b, sv_of(addr_host(&a, out)), addr_port(&a)) && addr_eq(&a, &b));
		CHECK(addr_in_cidr(&a, sv_of(out)) == 1);
		struct sv key = addr_host_key(&a);
		CHECK(addr_is_set(&a) && addr_eq_host(&a, &b) && (key.n == 4 || key.n == 8));
		CHECK(addr_len(&a) >= sizeof(a.in4) && (!addr_is_any(&a) || !addr_is_loopback(&a)));
		addr_set_port(&b, 9);
		CHECK(addr_port(&b) == 9);
		addr_is_private(&a);
		addr_is_loopback(&a);
	}
	if (!addr_parse(&a, SV("10.1.2.3"), 0))
		addr_in_cidr(&a, text);
	return 0;
}
