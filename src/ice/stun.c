/* STUN on the wire. One walk over the attributes, each inside the message or the message is none; what is not known and
 * must be is noted, the rest is passed over. HMAC-SHA1 is OpenSSL's SHA-1 with both pads hashed beforehand: a check
 * that comes on a media thread costs two short hashes and no allocation. */
#define OPENSSL_SUPPRESS_DEPRECATED /* the plain SHA1_ functions: those of EVP allocate */
#include "ice/stun.h"
#include <openssl/crypto.h>
#include <string.h>

#define COOKIE 0x2112a442u
#define FINGERPRINT_XOR 0x5354554eu

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static unsigned get_u16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}
static void set_u16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v;
}
static void set_u32(uint8_t *p, uint32_t v)
{
	set_u16(p, v >> 16);
	set_u16(p + 2, v & 0xffff);
}

static uint32_t crc32_of(const uint8_t *p, size_t n)
{
	static const uint32_t table[16] = {0, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158,
	    0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
	uint32_t crc = ~0u;
	for (size_t i = 0; i < n; i++) { /* half a byte at a time */
		crc = crc >> 4 ^ table[(crc ^ p[i]) & 15];
		crc = crc >> 4 ^ table[(crc ^ p[i] >> 4) & 15];
	}
	return ~crc;
}

/* ---- signing ---- */

void stun_key_set(struct stun_key *k, const void *secret, size_t n)
{
	uint8_t block[64] = {0};

	if (n > sizeof(block)) {
		SHA1_Init(&k->inner);
		SHA1_Update(&k->inner, secret, n);
		SHA1_Final(block, &k->inner);
	} else if (n) {
		memcpy(block, secret, n);
	}
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36;
	SHA1_Init(&k->inner);
	SHA1_Update(&k->inner, block, sizeof(block));
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36 ^ 0x5c;
	SHA1_Init(&k->outer);
	SHA1_Update(&k->outer, block, sizeof(block));
	OPENSSL_cleanse(block, sizeof(block));
}

/* Of the message up to at, with the length it had when MESSAGE-INTEGRITY was its last attribute. */
static void sign(const struct stun_key *k, const uint8_t *p, size_t at, uint8_t out[SHA_DIGEST_LENGTH])
{
	SHA_CTX c = k->inner;
	uint8_t head[4] = {p[0], p[1]};

	set_u16(head + 2, (unsigned)(at + 4 + SHA_DIGEST_LENGTH - STUN_HEADER_BYTES));
	SHA1_Update(&c, head, sizeof(head));
	SHA1_Update(&c, p + 4, at - 4);
	SHA1_Final(out, &c);
	c = k->outer;
	SHA1_Update(&c, out, SHA_DIGEST_LENGTH);
	SHA1_Final(out, &c);
}

bool stun_is_signed(const struct stun_msg *m, const struct stun_key *k)
{
	uint8_t want[SHA_DIGEST_LENGTH];
	if (!m->integrity_at)
		return false;
	sign(k, m->p, m->integrity_at, want);
	return CRYPTO_memcmp(want, m->p + m->integrity_at + 4, sizeof(want)) == 0;
}

/* ---- reading ---- */

static void read_addr(struct addr *out, const struct stun_msg *m, const uint8_t *v, size_t n, bool is_xored)
{
	uint8_t mask[16] = {0};
	unsigned port;

	if (is_xored)
		memcpy(mask, m->p + 4, 16);
	if (n < 8 || !((v[1] == 1 && n == 8) || (v[1] == 2 && n == 20)))
		return;
	memset(out, 0, sizeof(*out));
	port = get_u16(v + 2) ^ (is_xored ? COOKIE >> 16 : 0);
	if (v[1] == 1) {
		uint8_t *a = (uint8_t *)&out->in4.sin_addr;
		out->in4.sin_family = AF_INET;
		for (int i = 0; i < 4; i++)
			a[i] = v[4 + i] ^ mask[i];
	} else {
		uint8_t *a = (uint8_t *)&out->in6.sin6_addr;
		out->in6.sin6_family = AF_INET6;
		for (int i = 0; i < 16; i++)
			a[i] = v[4 + i] ^ mask[i];
	}
	addr_set_port(out, (uint16_t)port);
}

static struct sv view(const uint8_t *v, size_t n)
{
	return (struct sv){(const char *)v, n};
}

/* False: its length is not what it has to be. */
static bool read_attr(struct stun_msg *m, unsigned type, const uint8_t *v, size_t n)
{
	switch (type) {
	case STUN_A_USERNAME:
		m->username = view(v, n);
		return n <= 513;
	case STUN_A_REALM:
		m->realm = view(v, n);
		return n <= 763;
	case STUN_A_NONCE:
		m->nonce = view(v, n);
		return n <= 763;
	case STUN_A_DATA:
		m->data = view(v, n);
		return true;
	case STUN_A_MAPPED:
		if (!addr_is_set(&m->mapped))
			read_addr(&m->mapped, m, v, n, false);
		return true;
	case STUN_A_XOR_MAPPED:
		read_addr(&m->mapped, m, v, n, true);
		return true;
	case STUN_A_XOR_RELAYED:
		read_addr(&m->relayed, m, v, n, true);
		return true;
	case STUN_A_XOR_PEER:
		read_addr(&m->peer, m, v, n, true);
		return true;
	case STUN_A_PRIORITY:
		if (n == 4)
			m->priority = get_u32(v);
		return n == 4;
	case STUN_A_LIFETIME:
		if (n == 4)
			m->lifetime_s = get_u32(v), m->has_lifetime = true;
		return n == 4;
	case STUN_A_CONTROLLED:
	case STUN_A_CONTROLLING:
		if (n != 8)
			return false;
		m->tie_breaker = (uint64_t)get_u32(v) << 32 | get_u32(v + 4);
		m->is_controlling = type == STUN_A_CONTROLLING, m->is_controlled = type == STUN_A_CONTROLLED;
		return true;
	case STUN_A_USE_CANDIDATE:
		m->has_use_candidate = true;
		return true;
	case STUN_A_ERROR:
		if (n >= 4)
			m->error = (v[2] & 7) * 100u + v[3] % 100u;
		return n >= 4;
	case STUN_A_INTEGRITY:
		m->integrity_at = (size_t)(v - 4 - m->p);
		return n == SHA_DIGEST_LENGTH;
	case STUN_A_UNKNOWN:
	case STUN_A_CHANNEL_NUMBER:
	case STUN_A_TRANSPORT:
		return true;
	default:
		if (type < 0x8000 && !m->unknown)
			m->unknown = (uint16_t)type;
		return true;
	}
}

int stun_parse(const uint8_t *p, size_t n, struct stun_msg *out)
{
	unsigned type;

	if (n < STUN_HEADER_BYTES || n > STUN_BYTES_MAX || p[0] > 0x3f || get_u32(p + 4) != COOKIE ||
	    get_u16(p + 2) != n - STUN_HEADER_BYTES || n % 4)
		return ST_PARSE;
	type = get_u16(p);
	*out = (struct stun_msg){.p = p, .n = n, .txid = p + 8};
	out->class = (enum stun_class)((type >> 7 & 2) | (type >> 4 & 1));
	out->method = (type & 0xf) | (type >> 1 & 0x70) | (type >> 2 & 0xf80);
	for (size_t at = STUN_HEADER_BYTES; at < n;) {
		unsigned attr = get_u16(p + at);
		size_t len = get_u16(p + at + 2), room = n - at - 4;
		if (len > room)
			return ST_PARSE;
		if (attr == STUN_A_FINGERPRINT) {
			if (len != 4 || room != 4 || get_u32(p + at + 4) != (crc32_of(p, at) ^ FINGERPRINT_XOR))
				return ST_PARSE;
			out->has_fingerprint = true;
		} else if (!out->integrity_at && !read_attr(out, attr, p + at + 4, len)) {
			return ST_PARSE;
		}
		at += 4 + (len + 3) / 4 * 4;
	}
	return ST_OK;
}

/* ---- writing ---- */

void stun_begin(struct stun_out *o, enum stun_class class, unsigned method, const uint8_t txid[STUN_TXID_BYTES])
{
	unsigned c = (unsigned)class;
	set_u16(o->p, (method & 0xf) | (method & 0x70) << 1 | (method & 0xf80) << 2 | (c & 1) << 4 | (c & 2) << 7);
	set_u16(o->p + 2, 0);
	set_u32(o->p + 4, COOKIE);
	memcpy(o->p + 8, txid, STUN_TXID_BYTES);
	o->n = STUN_HEADER_BYTES;
	o->failed = false;
}

void stun_put(struct stun_out *o, unsigned attr, const void *p, size_t n)
{
	size_t padded = (n + 3) / 4 * 4;
	if (n > STUN_OUT_MAX || sizeof(o->p) - o->n < 4 + padded) {
		o->failed = true;
		return;
	}
	set_u16(o->p + o->n, attr);
	set_u16(o->p + o->n + 2, (unsigned)n);
	memset(o->p + o->n + 4, 0, padded);
	if (n)
		memcpy(o->p + o->n + 4, p, n);
	o->n += 4 + padded;
	set_u16(o->p + 2, (unsigned)(o->n - STUN_HEADER_BYTES));
}

void stun_put_u32(struct stun_out *o, unsigned attr, uint32_t v)
{
	uint8_t b[4];
	set_u32(b, v);
	stun_put(o, attr, b, sizeof(b));
}

void stun_put_u64(struct stun_out *o, unsigned attr, uint64_t v)
{
	uint8_t b[8];
	set_u32(b, (uint32_t)(v >> 32));
	set_u32(b + 4, (uint32_t)v);
	stun_put(o, attr, b, sizeof(b));
}

void stun_put_addr(struct stun_out *o, unsigned attr, const struct addr *a)
{
	uint8_t b[20] = {0};
	bool is_6 = a->sa.sa_family == AF_INET6;
	const uint8_t *host = is_6 ? (const uint8_t *)&a->in6.sin6_addr : (const uint8_t *)&a->in4.sin_addr;

	b[1] = is_6 ? 2 : 1;
	set_u16(b + 2, addr_port(a) ^ COOKIE >> 16);
	for (int i = 0; i < (is_6 ? 16 : 4); i++)
		b[4 + i] = host[i] ^ o->p[4 + i];
	stun_put(o, attr, b, is_6 ? 20 : 8);
}

void stun_put_error(struct stun_out *o, unsigned code, const char *reason)
{
	uint8_t b[64] = {0, 0, (uint8_t)(code / 100), (uint8_t)(code % 100)};
	size_t n = strlen(reason) < 60 ? strlen(reason) : 60;
	memcpy(b + 4, reason, n);
	stun_put(o, STUN_A_ERROR, b, 4 + n);
}

void stun_end(struct stun_out *o, const struct stun_key *key, bool has_fingerprint)
{
	uint8_t mac[SHA_DIGEST_LENGTH];

	if (key) {
		sign(key, o->p, o->n, mac);
		stun_put(o, STUN_A_INTEGRITY, mac, sizeof(mac));
	}
	if (has_fingerprint && !o->failed) {
		set_u16(o->p + 2, (unsigned)(o->n + 8 - STUN_HEADER_BYTES));
		stun_put_u32(o, STUN_A_FINGERPRINT, crc32_of(o->p, o->n) ^ FINGERPRINT_XOR);
	}
}
