/* A line is a tag, a suite, key parameters and session parameters, with blanks between. What it asks for is done as a
 * whole or the line is passed over: a session parameter weakens or changes the transform, so that one that is not
 * understood must not be dropped silently (RFC 4568 6.3.7 says which may).
 *
 *   1 AES_CM_128_HMAC_SHA1_80 inline:BASE64|2^31|1:4 KDR=1
 *   tag  suite                       key    |life|MKI session
 */
#include "sdp/crypto.h"
#include "sdp/sdp_i.h"
#include "text/base64.h"

enum { TAG_DIGITS_MAX = 9, LIFE_BITS_MAX = 48 };

static int life_read(struct sv text, uint64_t *out)
{
	uint32_t bits;
	if (sv_starts(text, SV("2^"))) {
		if (sv_u32(sv_sub(text, 2, text.n), &bits) || bits < 1 || bits > LIFE_BITS_MAX)
			return ST_PARSE;
		*out = UINT64_C(1) << bits;
		return ST_OK;
	}
	if (sv_u64(text, out) || *out < 1 || *out > UINT64_C(1) << LIFE_BITS_MAX)
		return ST_PARSE;
	return ST_OK;
}

static int key_read(struct sv text, struct sdp_crypto *out)
{
	struct buf b;
	if (!text.n || text.n > BASE64_CHARS(SDP_CRYPTO_KEY_MAX))
		return ST_PARSE;
	buf_init(&b);
	int st = base64_decode(&b, text);
	if (st == ST_OK && (!b.n || b.n > SDP_CRYPTO_KEY_MAX))
		st = ST_PARSE;
	if (st == ST_OK) {
		memcpy(out->key, b.p, b.n);
		out->key_n = b.n;
	}
	if (b.p)
		explicit_bzero(b.p, b.n);
	buf_fini(&b);
	return st;
}

/* "inline:" key, lifetime, MKI; a semicolon: there is another. */
static int params_read(struct sv text, struct sdp_crypto *out)
{
	struct sv key, life, mki;
	if (!sv_startsi(text, SV("inline:")))
		return ST_PARSE;
	if (sv_find(text, ';') < text.n)
		return ST_UNSUPPORTED;
	bool has_more = sv_split(sv_sub(text, 7, text.n), '|', &key, &life);
	int st = key_read(key, out);
	if (st || !has_more)
		return st;
	if (sv_split(life, '|', &life, &mki) || sv_find(life, ':') < life.n)
		return ST_UNSUPPORTED;
	return life_read(life, &out->lifetime_packets);
}

static int tag_read(struct sv text, uint32_t *out)
{
	if (!text.n || text.n > TAG_DIGITS_MAX || sv_u32(text, out) || !*out)
		return ST_PARSE;
	return ST_OK;
}

/* RFC 4568 9.2: letters, digits, underscores. */
static bool is_suite(struct sv v)
{
	for (size_t i = 0; i < v.n; i++) {
		char c = v.p[i];
		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
			return false;
	}
	return v.n > 0;
}

int sdp_crypto_read(struct sv value, struct sdp_crypto *out)
{
	*out = (struct sdp_crypto){0};
	if (value.n > SDP_CRYPTO_LINE_MAX)
		return ST_PARSE;
	struct sv rest = value, word = sdp_word(&rest);
	int st = tag_read(word, &out->tag);
	if (st)
		return st;
	out->suite = sdp_word(&rest);
	if (!is_suite(out->suite))
		return ST_PARSE;
	st = params_read(sdp_word(&rest), out);
	while (st == ST_OK && (word = sdp_word(&rest)).n)
		if (!sv_starts(word, SV("-")) && !sv_starts(word, SV("WSH=")))
			st = ST_UNSUPPORTED;
	return st;
}

int sdp_crypto_write(struct buf *out, uint32_t tag, struct sv suite, const uint8_t *key, size_t key_n)
{
	if (!key_n || key_n > SDP_CRYPTO_KEY_MAX)
		return ST_INVAL;
	int st = buf_printf(out, "%u %.*s inline:", tag, SVF(suite));
	return st ? st : base64_encode(out, key, key_n);
}
