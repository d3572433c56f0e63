/* STUN as a browser's ICE agent with one candidate speaks it (RFC 8489, RFC 8445): it controls, checks one pair with
 * USE-CANDIDATE, and answers the far side's checks. What comes is trusted: the switch under test sends it. */
#include "dtls_load.h"
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

enum { HEADER = 20, REQUEST = 0x0001, SUCCESS = 0x0101 };
enum {
	A_USERNAME = 0x0006,
	A_INTEGRITY = 0x0008,
	A_XOR_MAPPED = 0x0020,
	A_PRIORITY = 0x0024,
	A_USE = 0x0025,
	A_CONTROLLING = 0x802a,
	A_FINGERPRINT = 0x8028
};
static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v;
}

static int attribute(uint8_t *p, int n, unsigned type, const void *value, unsigned bytes)
{
	put16(p + n, type);
	put16(p + n + 2, bytes);
	memcpy(p + n + 4, value, bytes);
	memset(p + n + 4 + bytes, 0, (4 - bytes % 4) % 4);
	return n + 4 + (int)((bytes + 3) & ~3u);
}

static uint32_t crc32_of(const uint8_t *p, int n)
{
	uint32_t c = 0xffffffff;
	for (int i = 0; i < n; i++) {
		c ^= p[i];
		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
	}
	return ~c;
}

/* MESSAGE-INTEGRITY and FINGERPRINT behind what is there. */
static int seal(uint8_t *p, int n, const char *password)
{
	uint8_t digest[20];
	unsigned bytes = sizeof(digest);
	put16(p + 2, (unsigned)(n - HEADER + 24));
	HMAC(EVP_sha1(), password, (int)strlen(password), p, (size_t)n, digest, &bytes);
	n = attribute(p, n, A_INTEGRITY, digest, sizeof(digest));
	put16(p + 2, (unsigned)(n - HEADER + 8));
	uint32_t crc = htonl(crc32_of(p, n) ^ 0x5354554e);
	return attribute(p, n, A_FINGERPRINT, &crc, 4);
}

int ice_check(uint8_t *p, uint32_t number, const char *user, const char *password)
{
	static const uint8_t priority[4] = {0x6e, 0, 1, 0xff}, tie[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	int n = HEADER;
	put16(p, REQUEST);
	memcpy(p + 4, cookie, 4);
	memset(p + 8, 0x55, 12);
	memcpy(p + 8, &number, 4);
	n = attribute(p, n, A_USERNAME, user, (unsigned)strlen(user));
	n = attribute(p, n, A_PRIORITY, priority, 4);
	n = attribute(p, n, A_CONTROLLING, tie, 8);
	n = attribute(p, n, A_USE, "", 0);
	return seal(p, n, password);
}

int ice_answer(
    uint8_t *out, const uint8_t *in, int n, const struct sockaddr_in *from, const char *password, bool *is_ours)
{
	*is_ours = n >= HEADER && in[0] == SUCCESS >> 8 && in[1] == (SUCCESS & 0xff);
	if (n < HEADER || in[0] != 0 || in[1] != REQUEST)
		return 0;
	uint8_t mapped[8] = {0, 1};
	uint16_t port = from->sin_port;
	memcpy(mapped + 2, &port, 2);
	memcpy(mapped + 4, &from->sin_addr, 4);
	for (int i = 0; i < 2; i++)
		mapped[2 + i] ^= cookie[i];
	for (int i = 0; i < 4; i++)
		mapped[4 + i] ^= cookie[i];
	memcpy(out, in, HEADER);
	put16(out, SUCCESS);
	return seal(out, attribute(out, HEADER, A_XOR_MAPPED, mapped, sizeof(mapped)), password);
}
