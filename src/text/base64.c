/* Base64 in both alphabets; decoding is one pass over a 6-bit accumulator. */
#include "text/base64.h"

static const char alphabet_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int base64_encode_with(struct buf *out, const void *p, size_t n, const char *alphabet, bool is_padded)
{
	const uint8_t *b = p;
	int st = ST_OK;

	for (size_t i = 0; i < n && !st; i += 3) {
		size_t have = n - i < 3 ? n - i : 3;
		uint32_t v =
		    (uint32_t)b[i] << 16 | (have > 1 ? (uint32_t)b[i + 1] << 8 : 0) | (have > 2 ? b[i + 2] : 0);
		char q[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63], have > 1 ? alphabet[v >> 6 & 63] : '=',
		    have > 2 ? alphabet[v & 63] : '='};
		st = buf_add(out, q, is_padded ? 4 : have + 1);
	}
	return st;
}

int base64_encode(struct buf *out, const void *p, size_t n)
{
	return base64_encode_with(out, p, n, alphabet_std, true);
}

int base64url_encode(struct buf *out, const void *p, size_t n)
{
	return base64_encode_with(out, p, n, alphabet_url, false);
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int base64_decode(struct buf *out, struct sv text)
{
	size_t start = out->n, i = 0, digits = 0, pads = 0;
	uint32_t acc = 0;
	int st = ST_OK;

	for (; i < text.n && !st; i++) {
		char c = text.p[i];
		int v = base64_value(c);
		if (is_space(c))
			continue;
		if (c == '=' && pads < 2) {
			pads++;
			continue;
		}
		if (v < 0 || pads) {
			st = ST_PARSE;
			break;
		}
		acc = acc << 6 | (uint32_t)v;
		digits++;
		if (digits % 4 != 1) /* every digit but the first of four completes a byte */
			st = buf_addc(out, (char)(acc >> (6 - 2 * ((digits - 1) % 4))));
	}
	if (!st && (digits % 4 == 1 || (pads && (digits + pads) % 4 != 0)))
		st = ST_PARSE;
	if (st == ST_PARSE && out->p) {
		out->n = start;
		out->p[start] = 0;
	}
	return st;
}
