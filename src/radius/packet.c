/* The packet on the wire: code, identifier, length, authenticator, attributes of type, length, value. Everything is
 * bounded by the 4,096 bytes of RFC 2865. Whoever sends sends a Message-Authenticator in front of all else, so that
 * nothing can be put before it; whoever reads checks it against the bytes that came, with itself zeroed, before
 * anything else is believed. */
#include "radius/packet.h"
#include "base/status.h"

#include <string.h>

/* ---- attributes ----------------------------------------------------------------------------------------------- */
int rad_put(struct buf *attrs, uint8_t type, struct sv value)
{
	size_t n = value.n < RAD_VALUE_MAX_BYTES ? value.n : RAD_VALUE_MAX_BYTES;
	uint8_t head[2] = {type, (uint8_t)(n + 2)};
	if (!n)
		return ST_OK;
	if (attrs->n + n + 2 > RAD_ATTRS_MAX_BYTES)
		return ST_LIMIT;
	int st = buf_add(attrs, head, 2);
	return st ? st : buf_add(attrs, value.p, n);
}

static void u32_put(uint8_t out[4], uint32_t value)
{
	out[0] = (uint8_t)(value >> 24), out[1] = (uint8_t)(value >> 16);
	out[2] = (uint8_t)(value >> 8), out[3] = (uint8_t)value;
}

static uint32_t u32_get(const char *p)
{
	const uint8_t *b = (const uint8_t *)p;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

int rad_put_u32(struct buf *attrs, uint8_t type, uint32_t value)
{
	uint8_t b[4];
	u32_put(b, value);
	return rad_put(attrs, type, (struct sv){(char *)b, 4});
}

int rad_put_vendor(struct buf *attrs, uint32_t vendor, uint8_t type, struct sv value)
{
	char b[RAD_VALUE_MAX_BYTES];
	size_t n = value.n < sizeof(b) - 6 ? value.n : sizeof(b) - 6;
	if (!n)
		return ST_OK;
	u32_put((uint8_t *)b, vendor);
	b[4] = (char)type;
	b[5] = (char)(n + 2);
	memcpy(b + 6, value.p, n);
	return rad_put(attrs, RAD_VENDOR_SPECIFIC, (struct sv){b, n + 6});
}

int rad_put_vendor_u32(struct buf *attrs, uint32_t vendor, uint8_t type, uint32_t value)
{
	uint8_t b[4];
	u32_put(b, value);
	return rad_put_vendor(attrs, vendor, type, (struct sv){(char *)b, 4});
}

/* One attribute off the front. */
static bool take(struct sv *rest, uint8_t *type, struct sv *value)
{
	size_t n = rest->n >= 2 ? (uint8_t)rest->p[1] : 0;
	if (n < 2 || n > rest->n)
		return false;
	*type = (uint8_t)rest->p[0];
	*value = (struct sv){rest->p + 2, n - 2};
	*rest = sv_sub(*rest, n, rest->n);
	return true;
}

/* The vendor's part is attributes to its last byte. */
static bool is_regular(struct sv inner)
{
	uint8_t type;
	struct sv value;
	bool has_one = false;
	while (inner.n && take(&inner, &type, &value))
		has_one = true;
	return has_one && !inner.n;
}

bool rad_next(struct rad_it *it, struct rad_attr *out)
{
	struct rad_attr a = {.vendor = it->vendor};
	if (it->inner.n && take(&it->inner, &a.type, &a.value)) {
		*out = a;
		return true;
	}
	a.vendor = 0;
	if (!take(&it->rest, &a.type, &a.value))
		return false;
	if (a.type == RAD_VENDOR_SPECIFIC && a.value.n > 4 && is_regular(sv_sub(a.value, 4, a.value.n))) {
		it->vendor = u32_get(a.value.p);
		it->inner = sv_sub(a.value, 4, a.value.n);
		if (it->vendor)
			return rad_next(it, out);
		it->inner = SV_NONE;
	}
	*out = a;
	return true;
}

bool rad_find(struct sv attrs, uint32_t vendor, uint8_t type, struct sv *value)
{
	struct rad_it it = {.rest = attrs};
	struct rad_attr a;
	while (rad_next(&it, &a))
		if (a.vendor == vendor && a.type == type) {
			*value = a.value;
			return true;
		}
	return false;
}

bool rad_find_u32(struct sv attrs, uint32_t vendor, uint8_t type, uint32_t *value)
{
	struct sv v;
	if (!rad_find(attrs, vendor, type, &v) || v.n != 4)
		return false;
	*value = u32_get(v.p);
	return true;
}

/* ---- reading -------------------------------------------------------------------------------------------------- */
int rad_parse(struct rad_packet *out, const void *p, size_t n)
{
	const uint8_t *b = p;
	size_t length;
	struct sv rest, value;
	uint8_t type;
	if (n < RAD_HEAD_BYTES)
		return ST_PARSE;
	length = (size_t)b[2] << 8 | b[3];
	if (length < RAD_HEAD_BYTES || length > n || length > RAD_PACKET_MAX_BYTES)
		return ST_PARSE;
	rest = (struct sv){(const char *)b + RAD_HEAD_BYTES, length - RAD_HEAD_BYTES};
	while (rest.n)
		if (!take(&rest, &type, &value))
			return ST_PARSE;
	*out = (struct rad_packet){.code = b[0],
	    .id = b[1],
	    .authenticator = b + 4,
	    .attrs = {(const char *)b + RAD_HEAD_BYTES, length - RAD_HEAD_BYTES},
	    .whole = {(const char *)b, length}};
	return ST_OK;
}

/* ---- making --------------------------------------------------------------------------------------------------- */
size_t rad_password_hide(struct sv password, struct sv secret, const uint8_t authenticator[RAD_AUTH_BYTES],
    uint8_t out[RAD_PASSWORD_MAX_BYTES])
{
	size_t n = password.n ? (password.n + 15) / 16 * 16 : 16;
	const uint8_t *before = authenticator;
	uint8_t sum[DIGEST_MD5_BYTES];
	if (n > RAD_PASSWORD_MAX_BYTES)
		return 0;
	memset(out, 0, n);
	if (password.n)
		memcpy(out, password.p, password.n);
	for (size_t at = 0; at < n; at += 16) {
		digest_md5_pieces((struct digest_piece[]){{secret.p, secret.n}, {before, 16}}, 2, sum);
		for (size_t i = 0; i < 16; i++)
			out[at + i] ^= sum[i];
		before = out + at;
	}
	return n;
}

static const uint8_t zeros[RAD_AUTH_BYTES];

static int body_put(
    uint8_t *out, size_t *n, uint8_t code, uint8_t id, const uint8_t *authenticator, struct sv attrs, struct sv hidden)
{
	size_t length = RAD_HEAD_BYTES + 18 + attrs.n + (hidden.n ? hidden.n + 2 : 0);
	uint8_t *to = out + RAD_HEAD_BYTES;
	if (length > RAD_PACKET_MAX_BYTES)
		return ST_LIMIT;
	out[0] = code, out[1] = id, out[2] = (uint8_t)(length >> 8), out[3] = (uint8_t)length;
	memcpy(out + 4, authenticator, RAD_AUTH_BYTES);
	*to++ = RAD_MESSAGE_AUTHENTICATOR, *to++ = 18;
	memset(to, 0, 16);
	to += 16;
	if (hidden.n) {
		*to++ = RAD_USER_PASSWORD, *to++ = (uint8_t)(hidden.n + 2);
		memcpy(to, hidden.p, hidden.n);
		to += hidden.n;
	}
	if (attrs.n)
		memcpy(to, attrs.p, attrs.n);
	*n = length;
	return ST_OK;
}

static void message_sign(uint8_t *out, size_t n, struct sv secret)
{
	uint8_t mac[DIGEST_MD5_BYTES];
	digest_hmac_md5(secret.p, secret.n, out, n, mac);
	memcpy(out + RAD_HEAD_BYTES + 2, mac, sizeof(mac));
}

int rad_request_make(uint8_t out[RAD_PACKET_MAX_BYTES], size_t *n, uint8_t code, uint8_t id,
    uint8_t authenticator[RAD_AUTH_BYTES], struct sv attrs, struct sv secret, struct sv password)
{
	bool is_random = code == RAD_ACCESS_REQUEST || code == RAD_STATUS_SERVER;
	uint8_t hidden[RAD_PASSWORD_MAX_BYTES];
	size_t hidden_n = password.p ? rad_password_hide(password, secret, authenticator, hidden) : 0, length;
	if (password.p && !hidden_n)
		return ST_LIMIT;
	int st = body_put(
	    out, &length, code, id, is_random ? authenticator : zeros, attrs, (struct sv){(char *)hidden, hidden_n});
	if (st)
		return st;
	message_sign(out, length, secret);
	if (!is_random) {
		digest_md5_pieces((struct digest_piece[]){{out, length}, {secret.p, secret.n}}, 2, authenticator);
		memcpy(out + 4, authenticator, RAD_AUTH_BYTES);
	}
	*n = length;
	return ST_OK;
}

int rad_answer_make(uint8_t out[RAD_PACKET_MAX_BYTES], size_t *n, uint8_t code, uint8_t id,
    const uint8_t request_authenticator[RAD_AUTH_BYTES], struct sv attrs, struct sv secret)
{
	uint8_t sum[DIGEST_MD5_BYTES];
	size_t length;
	int st = body_put(out, &length, code, id, request_authenticator, attrs, SV_NONE);
	if (st)
		return st;
	message_sign(out, length, secret);
	digest_md5_pieces((struct digest_piece[]){{out, length}, {secret.p, secret.n}}, 2, sum);
	memcpy(out + 4, sum, sizeof(sum));
	*n = length;
	return ST_OK;
}

/* ---- proof ---------------------------------------------------------------------------------------------------- */

/* With the authenticator that it is computed over. */
static enum rad_proof check(const struct rad_packet *p, const uint8_t *over, struct sv secret)
{
	uint8_t copy[RAD_PACKET_MAX_BYTES], sum[DIGEST_MD5_BYTES];
	struct sv rest = p->attrs, value;
	const char *mac = NULL;
	uint8_t type;
	if (p->whole.n > sizeof(copy))
		return RAD_FORGED;
	memcpy(copy, p->whole.p, p->whole.n);
	memcpy(copy + 4, over, RAD_AUTH_BYTES);
	digest_md5_pieces((struct digest_piece[]){{copy, p->whole.n}, {secret.p, secret.n}}, 2, sum);
	if (!digest_equal(sum, p->authenticator, sizeof(sum)))
		return RAD_FORGED;
	while (take(&rest, &type, &value)) {
		if (type != RAD_MESSAGE_AUTHENTICATOR)
			continue;
		if (mac || value.n != DIGEST_MD5_BYTES)
			return RAD_FORGED;
		mac = value.p;
	}
	if (!mac)
		return RAD_PROVED_WEAKLY;
	memset(copy + (mac - p->whole.p), 0, DIGEST_MD5_BYTES);
	digest_hmac_md5(secret.p, secret.n, copy, p->whole.n, sum);
	if (digest_equal(sum, mac, sizeof(sum)))
		return RAD_PROVED;
	if (p->code != RAD_ACCT_RESPONSE)
		return RAD_FORGED;
	memset(copy + 4, 0, RAD_AUTH_BYTES); /* no RFC says it of these; FreeRADIUS takes zeros */
	digest_hmac_md5(secret.p, secret.n, copy, p->whole.n, sum);
	return digest_equal(sum, mac, sizeof(sum)) ? RAD_PROVED : RAD_FORGED;
}

enum rad_proof rad_answer_check(
    const struct rad_packet *answer, const uint8_t request_authenticator[RAD_AUTH_BYTES], struct sv secret)
{
	return check(answer, request_authenticator, secret);
}

enum rad_proof rad_request_check(const struct rad_packet *request, struct sv secret)
{
	return check(request, zeros, secret);
}
