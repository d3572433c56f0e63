/* Percent coding. One table of literal bytes decides; the set is FreeSWITCH's (its events and APIs), which keeps more
 * than RFC 3986 does and less than a form encoder. */
#include "text/url.h"
#include "base/scan.h"
#include <string.h>

static const char hex_digits[] = "0123456789ABCDEF";

/* printable but none of "#%&+:;<=>?@[\]^`{|} */
static const bool is_literal[256] = {['!'] = true,
    ['$'] = true,
    ['\'' ... '*'] = true,
    [',' ... '9'] = true,
    ['A' ... 'Z'] = true,
    ['_'] = true,
    ['a' ... 'z'] = true,
    ['~'] = true};

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

/* The piece of v from one index to another, to where there is room for three times as much; returns the end. */
static inline char *encode_piece(char *to, struct sv v, size_t from, size_t end, unsigned flags)
{
	for (size_t i = from; i < end; i++) {
		unsigned char c = (unsigned char)v.p[i];
		if (is_literal[c] || ((flags & URL_KEEP_ESCAPES) && url_is_escape(v, i))) {
			*to++ = (char)c;
		} else {
			*to++ = '%';
			*to++ = hex_digits[c >> 4];
			*to++ = hex_digits[c & 15];
		}
	}
	return to;
}

char *url_encode_to(char *to, struct sv v)
{
	size_t run = scan_copy_word(to, v.p, v.n); /* most texts are one word */

	return run == v.n ? to + run : encode_piece(to + run, v, run, v.n, 0);
}

int url_encode(struct buf *out, struct sv v, unsigned flags)
{
	enum { PIECE = 128 };
	char room[3 * PIECE];
	int st = ST_OK;

	for (size_t i = 0, end; i < v.n && !st; i = end) {
		end = v.n - i > PIECE ? i + PIECE : v.n;
		if (out->max) { /* bounded: what is written must be known before room is asked for */
			st = buf_add(out, room, (size_t)(encode_piece(room, v, i, end, flags) - room));
			continue;
		}
		char *to = buf_room(out, 3 * (end - i));
		if (!to)
			return ST_NOMEM;
		buf_end(out, encode_piece(to, v, i, end, flags));
	}
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
