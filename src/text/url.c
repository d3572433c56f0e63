/* Percent coding. One table of literal bytes decides; the set is FreeSWITCH's (its events and APIs), which keeps more
 * than RFC 3986 does and less than a form encoder. */
#include "text/url.h"
#include <string.h>

static const char hex_digits[] = "0123456789ABCDEF";

static bool url_is_literal(unsigned char c)
{
	/* printable but none of "#%&+:;<=>?@[\]^`{|} */
	static const uint64_t literal[2] = {0x03fff79200000000, 0x47fffffe87fffffe};
	return c < 128 && (literal[c >> 6] >> (c & 63) & 1);
}

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool url_is_escape(struct sv v, size_t i)
{
	return v.p[i] == '%' && v.n - i > 2 && hex_value((unsigned char)v.p[i + 1]) >= 0 &&
	       hex_value((unsigned char)v.p[i + 2]) >= 0;
}

int url_encode(struct buf *out, struct sv v, unsigned flags)
{
	int st = ST_OK;
	size_t from = 0;

	for (size_t i = 0; i < v.n && !st; i++) {
		unsigned char c = (unsigned char)v.p[i];
		if (url_is_literal(c) || ((flags & URL_KEEP_ESCAPES) && url_is_escape(v, i)))
			continue;
		char esc[3] = {'%', hex_digits[c >> 4], hex_digits[c & 15]};
		if (i > from)
			st = buf_add(out, v.p + from, i - from);
		if (!st)
			st = buf_add(out, esc, 3);
		from = i + 1;
	}
	if (!st && from < v.n)
		st = buf_add(out, v.p + from, v.n - from);
	return st;
}

static int url_decode_as(struct buf *out, struct sv v, bool plus_is_space)
{
	int st = ST_OK;

	for (size_t i = 0; i < v.n && !st; i++) {
		char c = v.p[i];
		if (url_is_escape(v, i)) {
			c = (char)(hex_value((unsigned char)v.p[i + 1]) << 4 | hex_value((unsigned char)v.p[i + 2]));
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		st = buf_addc(out, c);
	}
	return st;
}

int url_decode(struct buf *out, struct sv v)
{
	return url_decode_as(out, v, false);
}

int url_decode_form(struct buf *out, struct sv v)
{
	return url_decode_as(out, v, true);
}
