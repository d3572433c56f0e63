/* pcapng (the IETF's draft): a section header, one interface of raw IP, and a packet block for each packet, whose IP
 * and UDP headers are made here, since a socket does not give them. What came over a connection is written as UDP, too:
 * a reader sees the message, not the stream. Times are microseconds. Little-endian whatever the machine. */
#include "capture/capture_i.h"

#include <string.h>

enum { LINK_RAW = 101, BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_PACKET = 6, IP_MAX = 65535 };

static void u32(struct buf *b, uint32_t v)
{
	uint8_t p[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
	buf_add(b, p, 4);
}

static void u16(struct buf *b, uint16_t v)
{
	uint8_t p[2] = {(uint8_t)v, (uint8_t)(v >> 8)};
	buf_add(b, p, 2);
}

void pcapng_begin(struct buf *out)
{
	u32(out, BLOCK_SECTION);
	u32(out, 28);
	u32(out, 0x1a2b3c4d);
	u16(out, 1), u16(out, 0);
	u32(out, UINT32_MAX), u32(out, UINT32_MAX); /* length not known */
	u32(out, 28);
	u32(out, BLOCK_INTERFACE);
	u32(out, 20);
	u16(out, LINK_RAW), u16(out, 0);
	u32(out, 0); /* no limit */
	u32(out, 20);
}

static uint32_t sum_add(uint32_t sum, const void *p, size_t n)
{
	const uint8_t *b = p;
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(b[i] << 8 | b[i + 1]);
	if (n & 1)
		sum += (uint32_t)b[n - 1] << 8;
	return sum;
}

static uint16_t sum_end(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void be16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v;
}

/* IPv4 or IPv6 and UDP in front of n bytes; the length of the headers. */
static size_t headers_make(uint8_t h[48], const struct pcap_packet *p, size_t n)
{
	bool is_v6 = p->src.sa.sa_family == AF_INET6;
	size_t ip = is_v6 ? 40 : 20, udp_bytes = 8 + n;
	uint8_t *udp = h + ip;
	uint32_t sum;
	memset(h, 0, 48);
	if (is_v6) {
		h[0] = 0x60, h[6] = 17, h[7] = 64;
		be16(h + 4, udp_bytes);
		memcpy(h + 8, &p->src.in6.sin6_addr, 16);
		memcpy(h + 24, &p->dst.in6.sin6_addr, 16);
		sum = sum_add(0, h + 8, 32);
	} else {
		h[0] = 0x45, h[8] = 64, h[9] = 17;
		be16(h + 2, ip + udp_bytes);
		memcpy(h + 12, &p->src.in4.sin_addr, 4);
		memcpy(h + 16, &p->dst.in4.sin_addr, 4);
		be16(h + 10, sum_end(sum_add(0, h, 20)));
		sum = sum_add(0, h + 12, 8);
	}
	be16(udp, addr_port(&p->src));
	be16(udp + 2, addr_port(&p->dst));
	be16(udp + 4, udp_bytes);
	sum += 17 + (uint32_t)udp_bytes;
	sum = sum_add(sum_add(sum, udp, 8), p->payload.p, n);
	uint16_t check = sum_end(sum);
	be16(udp + 6, check ? check : 0xffff);
	return ip + 8;
}

void pcapng_packet(struct buf *out, const struct pcap_packet *p)
{
	uint8_t h[48];
	static const uint8_t zeros[4];
	size_t n = p->payload.n < IP_MAX - 48 ? p->payload.n : IP_MAX - 48;
	size_t head = headers_make(h, p, n), pad = (4 - (head + n) % 4) % 4;
	uint32_t size = (uint32_t)(32 + head + n + pad);
	uint64_t us = (uint64_t)p->wall_us;
	u32(out, BLOCK_PACKET);
	u32(out, size);
	u32(out, 0);
	u32(out, (uint32_t)(us >> 32)), u32(out, (uint32_t)us);
	u32(out, (uint32_t)(head + n)), u32(out, (uint32_t)(head + n));
	buf_add(out, h, head);
	buf_add(out, p->payload.p, n);
	buf_add(out, zeros, pad);
	u32(out, size);
}
