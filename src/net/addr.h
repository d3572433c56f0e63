/* Socket addresses, IPv4 and IPv6. Pure. */
#pragma once
#include "base/str.h"
#include <netinet/in.h>
#include <sys/socket.h>

struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	};
};
#define ADDR_TEXT_MAX 64
bool addr_is_set(const struct addr *a);
socklen_t addr_len(const struct addr *a);
int addr_parse(struct addr *out, struct sv host, uint16_t port); /* numeric only, [v6] or v6; ST_PARSE otherwise */
int addr_parse_hostport(struct addr *out, struct sv text, uint16_t default_port); /* "1.2.3.4:5060", "[::1]:5060" */
const char *addr_host(const struct addr *a, char *out /* ADDR_TEXT_MAX */);       /* "1.2.3.4", "::1" */
const char *addr_text(const struct addr *a, char *out /* ADDR_TEXT_MAX */);       /* "1.2.3.4:5060", "[::1]:5060" */
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);
bool addr_eq(const struct addr *a, const struct addr *b); /* host and port */
bool addr_eq_host(const struct addr *a, const struct addr *b);
/* Whom counts by address mean: the bytes of an IPv4 address, mapped ones too, and the first eight of an IPv6 one, as
 * each network has a /64. A view into a; empty when it is not set. */
struct sv addr_host_key(const struct addr *a);
bool addr_is_loopback(const struct addr *a);
bool addr_is_private(const struct addr *a); /* RFC 1918, RFC 6598, ULA, link-local */
bool addr_is_any(const struct addr *a);
/* "10.0.0.0/8": true when a lies in it; ST_PARSE (negative) when cidr is no prefix, else 0 or 1. */
int addr_in_cidr(const struct addr *a, struct sv cidr);
