/* One state a byte. In a head only the line ends matter; a chunked body is followed completely, because its framing is
 * in its lines. What the lines say is the reader's business. */
#include "net/http_lines_i.h"

enum { EXTENSION_MAX_BYTES = 256, TRAILER_MAX_BYTES = 8192, SIZE_MAX_DIGITS = 8 };
enum {
	LEAD, /* empty lines before a request */
	LEAD_LF,
	LINE_START,
	LINE,
	LINE_LF,
	HEAD_LF,
	FREE, /* a body by its length */
	SIZE,
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_START,
	TRAILER,
	TRAILER_LF,
	END_LF,
	OVER
};

static int hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 32);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int head_step(char c, int state)
{
	switch (state) {
	case LEAD:
		return c == '\r' ? LEAD_LF : c == '\n' ? -1 : LINE;
	case LEAD_LF:
		return c == '\n' ? LEAD : -1;
	case LINE_START:
		return c == '\r' ? HEAD_LF : c == '\n' || c == ' ' || c == '\t' ? -1 : LINE; /* no folding */
	case LINE:
		return c == '\r' ? LINE_LF : c == '\n' ? -1 : LINE;
	case LINE_LF:
		return c == '\n' ? LINE_START : -1;
	default: /* HEAD_LF */
		return c == '\n' ? OVER : -1;
	}
}

static int size_step(struct http_lines *l, char c)
{
	int digit = hex_of(c);
	if (digit >= 0 && l->digit_count < SIZE_MAX_DIGITS) {
		l->left = l->left * 16 + (unsigned)digit;
		l->digit_count++;
		return SIZE;
	}
	if (!l->digit_count || digit >= 0)
		return -1;
	l->count = 0;
	return c == '\r' ? SIZE_LF : c == ';' ? EXTENSION : -1;
}

static int chunk_step(struct http_lines *l, char c)
{
	switch (l->state) {
	case SIZE:
		return size_step(l, c);
	case EXTENSION:
		if (c == '\r')
			return SIZE_LF;
		return ((unsigned char)c < ' ' && c != '\t') || c == 127 || ++l->count > EXTENSION_MAX_BYTES
		           ? -1
		           : EXTENSION;
	case SIZE_LF:
		l->count = 0;
		return c != '\n' ? -1 : l->left ? DATA : TRAILER_START;
	case DATA_CR:
		return c == '\r' ? DATA_LF : -1;
	case DATA_LF:
		l->left = 0, l->digit_count = 0;
		return c == '\n' ? SIZE : -1;
	case TRAILER_START:
	case TRAILER:
		if (c == '\r')
			return l->state == TRAILER ? TRAILER_LF : END_LF;
		return c == '\n' || ++l->count > TRAILER_MAX_BYTES ? -1 : TRAILER;
	case TRAILER_LF:
		return c == '\n' ? TRAILER_START : -1;
	default: /* END_LF */
		return c == '\n' ? OVER : -1;
	}
}

void http_lines_body(struct http_lines *l, bool is_chunked)
{
	*l = (struct http_lines){.state = is_chunked ? SIZE : FREE};
}

size_t http_lines_check(struct http_lines *l, const char *p, size_t n, bool *is_bad)
{
	size_t i = 0;
	*is_bad = false;
	if (l->state == FREE)
		return n;
	while (i < n && l->state != OVER) {
		if (l->state == DATA) {
			size_t step = n - i < l->left ? n - i : (size_t)l->left;
			i += step, l->left -= step;
			if (!l->left)
				l->state = DATA_CR;
			continue;
		}
		int next = l->state < FREE ? head_step(p[i], l->state) : chunk_step(l, p[i]);
		if (next < 0) {
			*is_bad = true;
			return i;
		}
		l->state = (uint8_t)next;
		i++;
	}
	return i;
}
