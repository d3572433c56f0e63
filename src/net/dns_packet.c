/* What an answer packet says, and for how long: addresses here, names of services in dns_service.c. Any bytes; c-ares
 * takes the packet apart, and what it hands on is bounded. */
#include "net/dns_i.h"
#include <string.h>

enum { TTL_MIN_S = 1, TTL_MAX_S = 3600, MISSING_S = 30, FAILED_S = 5 };

void dns_ttl_note(unsigned *least_s, int64_t ttl)
{
	unsigned s = ttl < TTL_MIN_S ? TTL_MIN_S : ttl > TTL_MAX_S ? TTL_MAX_S : (unsigned)ttl;
	if (s < *least_s)
		*least_s = s;
}

static int read_4(const unsigned char *p, int n, struct dns_answer *a, unsigned *ttl_s)
{
	struct ares_addrttl found[DNS_RECORDS_MAX];
	int count = DNS_RECORDS_MAX, rc = ares_parse_a_reply(p, n, NULL, found, &count);
	for (int i = 0; !rc && i < count; i++) {
		a->records[i].addr = (struct addr){.in4 = {.sin_family = AF_INET, .sin_addr = found[i].ipaddr}};
		dns_ttl_note(ttl_s, found[i].ttl);
	}
	a->count = rc || count < 0 ? 0 : (size_t)count;
	return rc;
}

static int read_6(const unsigned char *p, int n, struct dns_answer *a, unsigned *ttl_s)
{
	struct ares_addr6ttl found[DNS_RECORDS_MAX];
	int count = DNS_RECORDS_MAX, rc = ares_parse_aaaa_reply(p, n, NULL, found, &count);
	for (int i = 0; !rc && i < count; i++) {
		a->records[i].addr = (struct addr){.in6 = {.sin6_family = AF_INET6}};
		memcpy(&a->records[i].addr.in6.sin6_addr, &found[i].ip6addr, 16);
		dns_ttl_note(ttl_s, found[i].ttl);
	}
	a->count = rc || count < 0 ? 0 : (size_t)count;
	return rc;
}

static int status_of(int rc)
{
	switch (rc) {
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
		return ST_NOTFOUND;
	case ARES_ETIMEOUT:
		return ST_TIMEOUT;
	case ARES_ENOMEM:
		return ST_NOMEM;
	case ARES_EBADNAME:
		return ST_PARSE;
	default:
		return ST_IO;
	}
}

void dns_packet_failed(struct dns_answer *a, int rc, unsigned *ttl_s)
{
	a->status = status_of(rc), a->count = 0;
	*ttl_s = a->status == ST_NOTFOUND ? MISSING_S : FAILED_S;
}

void dns_packet_read(enum dns_kind kind, const unsigned char *p, int n, struct dns_answer *a, unsigned *ttl_s)
{
	*ttl_s = TTL_MAX_S;
	a->count = a->text_n = 0;
	int rc = kind == DNS_AAAA                       ? read_6(p, n, a, ttl_s)
	         : kind == DNS_SRV || kind == DNS_NAPTR ? dns_service_read(kind, p, n, a, ttl_s)
	                                                : read_4(p, n, a, ttl_s);
	a->status = ST_OK;
	if (rc || !a->count)
		dns_packet_failed(a, rc ? rc : ARES_ENODATA, ttl_s);
}
