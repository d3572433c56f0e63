/* Socket addresses: parsing, printing, comparing, and the ranges that matter for policy. IPv4-mapped IPv6 addresses
 * count as the IPv4 address they carry wherever ranges are asked for. No look-ups. */
#include "net/addr.h"
#include "base/check.h"
#include "base/fmt.h"
#include "base/status.h"

#include <arpa/inet.h>
#include <string.h>

bool addr_is_set(const struct addr *a)
{
	return a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6;
}

socklen_t addr_len(const struct addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in4);
}

int addr_parse(struct addr *out, struct sv host, uint16_t port)
{
	char text[INET6_ADDRSTRLEN + 1];
	struct addr a;
	memset(&a, 0, sizeof(a));
	bool is_bracketed = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	if (is_bracketed)
		host = sv_sub(host, 1, host.n - 2);
	if (!host.n || host.n >= sizeof(text) || memchr(host.p, 0, host.n))
		return ST_PARSE;
	memcpy(text, host.p, host.n);
	text[host.n] = 0;
	if (!is_bracketed && inet_pton(AF_INET, text, &a.in4.sin_addr) == 1) {
		a.in4.sin_family = AF_INET;
		a.in4.sin_port = htons(port);
	} else if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) == 1) {
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_port = htons(port);
	} else {
		return ST_PARSE;
	}
	*out = a;
	return ST_OK;
}

int addr_parse_hostport(struct addr *out, struct sv text, uint16_t default_port)
{
	struct sv host = text, port_text = SV_NONE;
	uint32_t port = default_port;
	bool has_port = false;
	if (text.n && text.p[0] == '[') {
		size_t end = sv_find(text, ']');
		if (end == text.n)
			return ST_PARSE;
		host = sv_sub(text, 0, end + 1);
		struct sv rest = sv_sub(text, end + 1, text.n);
		has_port = rest.n > 0;
		if (has_port && rest.p[0] != ':')
			return ST_PARSE;
		port_text = sv_sub(rest, 1, rest.n);
	} else {
		size_t colon = sv_find(text, ':');
		struct sv rest = sv_sub(text, colon + 1, text.n);
		/* Two colons: a bare IPv6 address, which has no port. */
		if (colon < text.n && sv_find(rest, ':') == rest.n) {
			has_port = true;
			host = sv_sub(text, 0, colon);
			port_text = rest;
		}
	}
	if (has_port && (port_text.n > 5 || sv_u32(port_text, &port) || port > 65535))
		return ST_PARSE;
	return addr_parse(out, host, (uint16_t)port);
}

/* "192.0.2.1": inet_ntop prints each address with stdio, and every message has several. */
static void put_ip4(char *out, const uint8_t bytes[4])
{
	for (int i = 0; i < 4; i++) {
		if (i)
			*out++ = '.';
		out += fmt_u64(out, bytes[i]);
	}
	*out = 0;
}

const char *addr_host(const struct addr *a, char *out)
{
	out[0] = 0;
	if (a->sa.sa_family == AF_INET)
		put_ip4(out, (const uint8_t *)&a->in4.sin_addr);
	else if (a->sa.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &a->in6.sin6_addr, out, ADDR_TEXT_MAX);
	return out;
}

const char *addr_text(const struct addr *a, char *out)
{
	char host[INET6_ADDRSTRLEN + 18];
	_Static_assert(sizeof(host) == ADDR_TEXT_MAX, "addr_host writes up to ADDR_TEXT_MAX");
	addr_host(a, host);
	out[0] = 0;
	if (a->sa.sa_family == AF_INET)
		fmt_print(out, ADDR_TEXT_MAX, "%.46s:%u", host, addr_port(a));
	else if (a->sa.sa_family == AF_INET6)
		fmt_print(out, ADDR_TEXT_MAX, "[%.46s]:%u", host, addr_port(a));
	return out;
}

uint16_t addr_port(const struct addr *a)
{
	return a->sa.sa_family == AF_INET    ? ntohs(a->in4.sin_port)
	       : a->sa.sa_family == AF_INET6 ? ntohs(a->in6.sin6_port)
	                                     : 0;
}

void addr_set_port(struct addr *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons(port);
	else
		a->in4.sin_port = htons(port);
}

bool addr_eq_host(const struct addr *a, const struct addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in4.sin_addr.s_addr == b->in4.sin_addr.s_addr;
	return a->sa.sa_family != AF_INET6 ||
	       (!memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) && a->in6.sin6_scope_id == b->in6.sin6_scope_id);
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return addr_port(a) == addr_port(b) && addr_eq_host(a, b);
}

/* The address's bytes, 4 or 16 of them; 0 when it is not set. */
static size_t addr_bytes(const struct addr *a, const uint8_t **out)
{
	if (a->sa.sa_family == AF_INET) {
		*out = (const uint8_t *)&a->in4.sin_addr;
		return 4;
	}
	*out = a->in6.sin6_addr.s6_addr;
	if (a->sa.sa_family != AF_INET6)
		return 0;
	if (!IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return 16;
	*out += 12;
	return 4;
}

struct sv addr_host_key(const struct addr *a)
{
	const uint8_t *p;
	size_t n = addr_bytes(a, &p);
	return (struct sv){(const char *)p, n == 16 ? 8 : n};
}

static bool has_prefix(const uint8_t *p, const uint8_t *prefix, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;
	return !memcmp(p, prefix, bytes) && (!rest || (p[bytes] ^ prefix[bytes]) >> (8 - rest) == 0);
}

struct range {
	uint8_t n, bits, prefix[2];
};

static bool is_in_ranges(const struct addr *a, const struct range *ranges, size_t count)
{
	const uint8_t *p;
	size_t n = addr_bytes(a, &p);
	for (size_t i = 0; i < count; i++) {
		if (ranges[i].n == n && has_prefix(p, ranges[i].prefix, ranges[i].bits))
			return true;
	}
	return false;
}

bool addr_is_private(const struct addr *a)
{
	static const struct range ranges[] = {
	    {4, 8, {10}},           /* RFC 1918 */
	    {4, 12, {172, 16}},     /* RFC 1918 */
	    {4, 16, {192, 168}},    /* RFC 1918 */
	    {4, 10, {100, 64}},     /* RFC 6598 */
	    {4, 16, {169, 254}},    /* RFC 3927 */
	    {16, 7, {0xfc}},        /* RFC 4193 */
	    {16, 10, {0xfe, 0x80}}, /* RFC 4291 */
	};
	return is_in_ranges(a, ranges, ARRAY_COUNT(ranges));
}

bool addr_is_loopback(const struct addr *a)
{
	static const struct range ranges[] = {{4, 8, {127}}};
	if (a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr))
		return true;
	return is_in_ranges(a, ranges, ARRAY_COUNT(ranges));
}

bool addr_is_any(const struct addr *a)
{
	static const uint8_t zeros[16];
	const uint8_t *p;
	size_t n = addr_bytes(a, &p);
	return n && !memcmp(p, zeros, n);
}

int addr_in_cidr(const struct addr *a, struct sv cidr)
{
	struct sv host, bits_text;
	struct addr prefix;
	const uint8_t *p, *q;
	bool has_bits = sv_split(cidr, '/', &host, &bits_text);
	if (addr_parse(&prefix, host, 0))
		return ST_PARSE;
	uint32_t all = prefix.sa.sa_family == AF_INET6 ? 128 : 32, bits = all;
	if (has_bits && (bits_text.n > 3 || sv_u32(bits_text, &bits) || bits > all))
		return ST_PARSE;
	size_t n = addr_bytes(a, &p);
	if (all == 128) {
		/* A prefix written as IPv6 is compared as such, also where both are IPv4-mapped. */
		if (a->sa.sa_family != AF_INET6)
			return 0;
		p = a->in6.sin6_addr.s6_addr, n = 16;
	}
	q = all == 128 ? prefix.in6.sin6_addr.s6_addr : (const uint8_t *)&prefix.in4.sin_addr;
	return n * 8 == all && has_prefix(p, q, bits);
}
