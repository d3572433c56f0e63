/* STUN binding requests on the socket of SIP: the keep-alive of flows over UDP (RFC 5626 section 4.4.2), which also tells
 * the phone what address it has from here. Answered from the request alone, with less than twice its bytes; nothing is
 * kept. Attributes of the request are not looked at, other STUN messages are dropped. */
#include "sip/sip_i.h"

enum { HEADER_BYTES = 20, XOR_MAPPED_ADDRESS = 0x0020, STUN_BYTES_MAX = 548 };
static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};

bool sip_is_stun(const char *p, size_t n)
{
	return n >= HEADER_BYTES && !(p[0] & 0xc0) && !memcmp(p + 4, cookie, sizeof(cookie));
}

void sip_stun_answer(struct sip_stack *s, const struct sip_flow *f, const char *p, size_t n)
{
	const uint8_t *q = (const uint8_t *)p;
	uint8_t out[HEADER_BYTES + 4 + 20];
	bool is_6 = f->peer.sa.sa_family == AF_INET6;
	size_t bytes = is_6 ? 16 : 4, len = 4 + 4 + bytes;
	uint16_t port = addr_port(&f->peer);
	if (n > STUN_BYTES_MAX || q[0] != 0 || q[1] != 1 || (size_t)(q[2] << 8 | q[3]) != n - HEADER_BYTES)
		return;
	memcpy(out, q, HEADER_BYTES);
	out[0] = 1, out[1] = 1;
	out[2] = 0, out[3] = (uint8_t)len;
	uint8_t *a = out + HEADER_BYTES;
	a[0] = 0, a[1] = XOR_MAPPED_ADDRESS, a[2] = 0, a[3] = (uint8_t)(4 + bytes);
	a[4] = 0, a[5] = is_6 ? 2 : 1;
	a[6] = (uint8_t)(port >> 8) ^ cookie[0], a[7] = (uint8_t)port ^ cookie[1];
	memcpy(a + 8, is_6 ? (const void *)&f->peer.in6.sin6_addr : (const void *)&f->peer.in4.sin_addr, bytes);
	for (size_t i = 0; i < bytes; i++) /* with the cookie and, for IPv6, the transaction's id */
		a[8 + i] ^= q[4 + i];
	f->ops->send(f->listener, &f->peer, (const char *)out, HEADER_BYTES + len);
}
