/* Messages out of a byte stream (RFC 3261 18.3): keep-alive CRLFs, then a head ended by an empty line, then as many
 * bytes as Content-Length says. Looks only at line starts, at each once, however the bytes were cut: what a dribbling
 * sender costs grows with his bytes. The whole parse comes once the message is complete. */
#include "sip/msg/chars_i.h"
#include <string.h>

/* Goes on looking for the empty line where it stopped; the head's end, behind that line, goes to head_bytes. */
static void head_scan(struct sip_framer *f, const char *p, size_t n)
{
	const char *end = p + n, *at = p + f->scanned_bytes;
	while (f->line_count <= SIP_FRAME_LINES_MAX && (at = memchr(at, '\n', (size_t)(end - at)))) {
		size_t left = (size_t)(end - at) - 1;
		if (!left || (left == 1 && at[1] == '\r')) {
			f->scanned_bytes = (size_t)(at - p); /* what follows this line is not known yet */
			return;
		}
		if (at[1] == '\n' || (at[1] == '\r' && at[2] == '\n')) {
			f->head_bytes = (size_t)(at - p) + (at[1] == '\n' ? 2 : 3);
			return;
		}
		f->line_count++;
		at++;
	}
	f->scanned_bytes = n;
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

/* The head of the message at p, as far as it has come. ST_PARSE: it is none that can be followed. */
static int head_next(struct sip_framer *f, const char *p, size_t n, size_t max_body_bytes, const char **why)
{
	uint64_t length = 0;
	head_scan(f, p, n < SIP_MSG_HEAD_MAX_BYTES ? n : SIP_MSG_HEAD_MAX_BYTES);
	if (f->line_count > SIP_FRAME_LINES_MAX) {
		*why = "Too Many Header Lines";
		return ST_PARSE;
	}
	if (!f->head_bytes) {
		if (n < SIP_MSG_HEAD_MAX_BYTES)
			return ST_OK;
		*why = "Header Too Large";
		return ST_PARSE;
	}
	if (!content_length(p, p + f->head_bytes, &length)) {
		*why = "Missing Or Bad Content-Length";
		return ST_PARSE;
	}
	if (length > max_body_bytes) {
		*why = "Body Too Large";
		return ST_PARSE;
	}
	f->body_bytes = (size_t)length;
	return ST_OK;
}

int sip_frame_next(
    struct sip_framer *f, struct sip_frame *out, const char *p, size_t n, size_t max_body_bytes, const char **why)
{
	struct sip_frame found = {0};
	const char *end = p + n, *s = p;
	while (s < end && (*s == '\r' || *s == '\n'))
		s++;
	found.skip = (size_t)(s - p);
	if (s == end) {
		/* a lone CR or CRLF may be half of a ping */
		found.is_ping = found.skip >= 4;
		found.skip = found.is_ping ? found.skip : 0;
		*out = found;
		return ST_OK;
	}
	size_t left = (size_t)(end - s);
	if (!f->head_bytes) {
		int st = head_next(f, s, left, max_body_bytes, why);
		if (st)
			return st;
	}
	if (f->head_bytes && left - f->head_bytes >= f->body_bytes) {
		found.size = f->head_bytes + f->body_bytes;
		*f = (struct sip_framer){0};
	}
	*out = found;
	return ST_OK;
}
