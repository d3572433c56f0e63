/* Messages out of a byte stream (RFC 3261 18.3): keep-alive CRLFs, then a head ended by an empty line, then as many
 * bytes as Content-Length says. Looks only at line starts; the whole parse comes once the message is complete. */
#include "sip/msg/chars_i.h"
#include <string.h>

/* End of the head, behind the empty line; NULL when it is not there yet. */
static const char *head_end(const char *p, const char *end)
{
	while ((p = memchr(p, '\n', (size_t)(end - p)))) {
		p++;
		if (p < end && *p == '\n')
			return p + 1;
		if (end - p >= 2 && p[0] == '\r' && p[1] == '\n')
			return p + 2;
		if (p >= end)
			return NULL;
	}
	return NULL;
}

/* The length the head states; false when it is missing, doubled or no number. */
static bool content_length(const char *p, const char *end, uint64_t *out)
{
	unsigned count = 0;
	while ((p = memchr(p, '\n', (size_t)(end - p))) && ++p < end) {
		const char *e = ch_span(p, end, CH_TOKEN), *colon = ch_skip_lws(e, end);
		if (e == p || colon == end || *colon != ':' ||
		    sip_hdr_id_of(sv_between(p, e)) != SIP_HDR_CONTENT_LENGTH)
			continue;
		/* the value may be folded: it ends at the first line break that is not followed by a blank */
		const char *v = colon + 1, *ve = v;
		while (ve < end && !(*ve == '\n' && (ve + 1 == end || (ve[1] != ' ' && ve[1] != '\t'))))
			ve++;
		if (!ch_decimal(ch_trim(v, ve), INT32_MAX, false, out))
			return false;
		count++;
	}
	return count == 1;
}

int sip_frame_next(struct sip_frame *out, const char *p, size_t n, size_t max_body_bytes, const char **why)
{
	struct sip_frame f = {0};
	if (!n) {
		*out = f;
		return ST_OK;
	}
	const char *end = p + n, *s = p;
	while (s < end && (*s == '\r' || *s == '\n'))
		s++;
	f.skip = (size_t)(s - p);
	if (s == end) {
		/* a lone CR or CRLF may be half of a ping */
		f.is_ping = f.skip >= 4;
		f.skip = f.is_ping ? f.skip : 0;
		*out = f;
		return ST_OK;
	}
	size_t left = (size_t)(end - s), head_max = left < SIP_MSG_HEAD_MAX_BYTES ? left : SIP_MSG_HEAD_MAX_BYTES;
	const char *b = head_end(s, s + head_max);
	uint64_t length = 0;
	if (!b) {
		if (left >= SIP_MSG_HEAD_MAX_BYTES) {
			*why = "Header Too Large";
			return ST_PARSE;
		}
		*out = f;
		return ST_OK;
	}
	if (!content_length(s, b, &length)) {
		*why = "Missing Or Bad Content-Length";
		return ST_PARSE;
	}
	if (length > max_body_bytes) {
		*why = "Body Too Large";
		return ST_PARSE;
	}
	if ((uint64_t)(end - b) >= length)
		f.size = (size_t)(b - s) + (size_t)length;
	*out = f;
	return ST_OK;
}
