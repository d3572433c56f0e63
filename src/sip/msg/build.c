/* Writing messages: start lines, headers, quoted strings, bodies, straight into one struct buf. What callers hand in
 * cannot break out of its place: control bytes become blanks (so no line ends, and nothing is taken for a mark of the
 * stack's own), an address cannot close its brackets, a display name not its quotes, and free header text is taken over
 * line by line. */
#include "base/rand.h"
#include "sip/msg/chars_i.h"
#include <string.h>

void sip_put_clean(struct buf *b, struct sv v)
{
	if (sip_is_value(v)) {
		buf_addv(b, v);
		return;
	}
	for (size_t i = 0; i < v.n; i++)
		buf_addc(b, ch_is_control(v.p[i]) ? ' ' : v.p[i]);
}

void sip_put_request_line(struct buf *b, struct sv method, struct sv uri)
{
	sip_put_clean(b, method);
	buf_addc(b, ' ');
	sip_put_clean(b, uri);
	buf_addv(b, SV(" SIP/2.0\r\n"));
}

static void put_u32(struct buf *b, uint32_t n)
{
	char t[12], *p = t + sizeof(t);
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	buf_add(b, p, (size_t)(t + sizeof(t) - p));
}

void sip_put_status_line(struct buf *b, int code, struct sv reason)
{
	buf_addv(b, SV("SIP/2.0 "));
	put_u32(b, (uint32_t)code);
	buf_addc(b, ' ');
	sip_put_clean(b, reason.n ? reason : sv_of(sip_reason_phrase(code)));
	buf_addv(b, SV("\r\n"));
}

void sip_put_hdr(struct buf *b, const char *name, struct sv value)
{
	buf_adds(b, name);
	buf_addv(b, SV(": "));
	sip_put_clean(b, value);
	buf_addv(b, SV("\r\n"));
}

void sip_put_hdr_u32(struct buf *b, const char *name, uint32_t value)
{
	buf_adds(b, name);
	buf_addv(b, SV(": "));
	put_u32(b, value);
	buf_addv(b, SV("\r\n"));
}

void sip_put_lines(struct buf *b, const char *lines)
{
	while (lines && *lines) {
		const char *nl = strchr(lines, '\n'), *end = nl ? nl : lines + strlen(lines);
		struct sv line = ch_trim(lines, end);
		const char *stop = line.p + line.n, *e = ch_span(line.p, stop, CH_TOKEN), *colon = ch_skip_lws(e, stop);
		/* a line that begins with a blank would continue the header above it */
		if (line.n && line.p == lines && e > line.p && colon < stop && *colon == ':') {
			sip_put_clean(b, line);
			buf_addv(b, SV("\r\n"));
		}
		lines = nl ? nl + 1 : end;
	}
}

void sip_put_quoted(struct buf *b, struct sv text)
{
	buf_addc(b, '"');
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (c == '"' || c == '\\')
			buf_addc(b, '\\');
		buf_addc(b, ch_is_control(c) || c == '\t' ? ' ' : c);
	}
	buf_addc(b, '"');
}

/* What no URI holds, and what would end the brackets around it, goes as %XX. */
static void put_bracketed(struct buf *b, struct sv uri)
{
	static const char hex[] = "0123456789ABCDEF";
	buf_addc(b, '<');
	for (size_t i = 0; i < uri.n; i++) {
		uint8_t c = (uint8_t)uri.p[i];
		if (c > 0x20 && c != 0x7f && c != '<' && c != '>' && c != '"') {
			buf_addc(b, (char)c);
			continue;
		}
		buf_addc(b, '%');
		buf_addc(b, hex[c >> 4]);
		buf_addc(b, hex[c & 15]);
	}
	buf_addc(b, '>');
}

void sip_put_nameaddr(struct buf *b, struct sv display, struct sv uri)
{
	if (display.n) {
		sip_put_quoted(b, display);
		buf_addc(b, ' ');
	}
	put_bracketed(b, uri);
}

void sip_put_body(struct buf *b, struct sv ctype, struct sv body)
{
	if (ctype.n && body.n)
		sip_put_hdr(b, "Content-Type", ctype);
	sip_put_hdr_u32(b, "Content-Length", (uint32_t)body.n);
	buf_addv(b, SV("\r\n"));
	buf_addv(b, body);
}

/* A boundary of random letters is in no part but by malice, and whoever wrote the parts cannot know it. */
void sip_put_multipart(struct buf *ctype, struct buf *body, struct sv sdp, const struct sip_part *parts, size_t count)
{
	char boundary[25];
	rand_token(boundary, sizeof(boundary) - 1);
	buf_printf(ctype, "multipart/mixed;boundary=%s", boundary);
	if (sdp.n) {
		buf_printf(
		    body, "--%s\r\nContent-Type: application/sdp\r\nContent-Disposition: session\r\n\r\n", boundary);
		buf_addv(body, sdp);
		buf_adds(body, "\r\n");
	}
	for (const struct sip_part *part = parts; part < parts + count; part++) {
		buf_printf(body, "--%s\r\n", boundary);
		sip_put_hdr(body, "Content-Type", part->ctype);
		if (part->disposition.n)
			sip_put_hdr(body, "Content-Disposition", part->disposition);
		sip_put_lines(body, part->lines);
		buf_adds(body, "\r\n");
		buf_addv(body, part->bytes);
		buf_adds(body, "\r\n");
	}
	buf_printf(body, "--%s--\r\n", boundary);
}
