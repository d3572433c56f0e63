/* What is handed on from a name server's packet: whatever the bytes, a bounded list of addresses of the kind asked for,
 * or a failure, kept for a bounded time.
 * Parser: net/dns_lookup.c */
#include "base/check.h"
#include "base/status.h"
#include "net/dns_i.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_answer a;
	unsigned ttl_s;
	for (int i = 0; i < 2 && size < 65536; i++) {
		dns_packet_read(i ? DNS_AAAA : DNS_A, data, (int)size, &a, &ttl_s);
		CHECK(
		    a.count <= DNS_RECORDS_MAX && (a.status == ST_OK) == (a.count > 0) && ttl_s >= 1 && ttl_s <= 3600);
		for (size_t k = 0; k < a.count; k++)
			CHECK(a.records[k].addr.sa.sa_family == (i ? AF_INET6 : AF_INET) &&
			      !addr_port(&a.records[k].addr));
	}
	return 0;
}
