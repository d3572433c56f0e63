/* What is handed on from a name server's packet: whatever the bytes, a bounded list of records of the kind asked for,
 * their names within the answer's text, or a failure, kept for a bounded time.
 * Parser: net/dns_packet.c, net/dns_service.c */
#include "base/check.h"
#include "base/status.h"
#include "net/dns_i.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dns_answer a;
	static const enum dns_kind kinds[] = {DNS_A, DNS_AAAA, DNS_SRV, DNS_NAPTR};
	unsigned ttl_s;
	for (int rc = -1; rc < 30; rc++) { /* no packet, but its reason */
		dns_packet_failed(&a, rc, &ttl_s);
		CHECK(a.status < 0 && !a.count && ttl_s > 0);
	}
	for (int i = 0; i < 4 && size < 65536; i++) {
		dns_packet_read(kinds[i], data, (int)size, &a, &ttl_s);
		CHECK(
		    a.count <= DNS_RECORDS_MAX && (a.status == ST_OK) == (a.count > 0) && ttl_s >= 1 && ttl_s <= 3600);
		CHECK(a.text_n <= DNS_TEXT_MAX && (!a.text_n || !a.text[a.text_n - 1]));
		for (size_t k = 0; k < a.count; k++) {
			const struct dns_record *r = &a.records[k];
			if (i < 2)
				CHECK(r->addr.sa.sa_family == (i ? AF_INET6 : AF_INET) && !addr_port(&r->addr));
			else
				CHECK(r->name_at < a.text_n && strlen(dns_record_name(&a, r)) <= DNS_NAME_MAX);
			if (i == 3)
				CHECK(r->service_at < a.text_n && strlen(dns_record_service(&a, r)) < 32);
		}
	}
	return 0;
}
