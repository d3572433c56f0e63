/* What a body is: the session description of a message, whether it is the body itself or a part of a multipart body
 * (RFC 5621, RFC 2046 5.1), and whether something had to be understood that we do not know (RFC 3261 8.2.3: 415). Views
 * into the message; parts, header lines and nesting are bounded, and each byte is looked at once per level. */
#include "sip/msg/chars_i.h"
#include <string.h>

enum { PARTS_MAX = 32, PART_LINES_MAX = 32, DEPTH_MAX = 3, BOUNDARY_MAX = 70 };

/* A message or one part of it: what stands over its bytes, and they. */
struct part {
	struct sv type, disposition, encoding, transfer, bytes;
};
struct reading {
	struct sv sdp;
	bool has_sdp, is_unknown, is_last_taken;
	unsigned part_count;
	const char *wanted; /* a media type whose first part is looked for, or NULL */
	struct part found;
	bool has_found;
	sip_part_fn each; /* or NULL */
	void *arg;
};

static struct sv media_type(struct sv value)
{
	struct sv type, params;
	sv_split(value, ';', &type, &params);
	return sv_trim(type);
}

static bool type_param(struct sv value, const char *name, struct sv *out)
{
	struct sv type, params;
	return sv_split(value, ';', &type, &params) && sip_param_get(params, ';', name, out);
}

/* RFC 3261 20.11: without the parameter it is required. */
static bool is_optional(const struct part *p)
{
	struct sv handling;
	return type_param(p->disposition, "handling", &handling) && sv_isi(handling, "optional");
}

static bool is_encoded(const struct part *p)
{
	bool is_plain = !p->transfer.n || sv_isi(p->transfer, "7bit") || sv_isi(p->transfer, "8bit") ||
	                sv_isi(p->transfer, "binary");
	return !is_plain || (p->encoding.n && !sv_isi(p->encoding, "identity"));
}

/* The line at *at without its end; false behind the last. */
static bool line_next(struct sv all, size_t *at, struct sv *line)
{
	if (*at >= all.n)
		return false;
	const char *p = all.p + *at, *nl = memchr(p, '\n', all.n - *at);
	size_t n = nl ? (size_t)(nl - p) : all.n - *at;
	*at += n + (nl != NULL);
	if (n && p[n - 1] == '\r')
		n--;
	*line = (struct sv){p, n};
	return true;
}

/* The header lines of a part; false when they do not end. */
static bool part_head(struct sv text, struct part *out)
{
	static const struct {
		const char *name;
		size_t at;
	} names[] = {{"Content-Type", offsetof(struct part, type)},
	    {"Content-Disposition", offsetof(struct part, disposition)},
	    {"Content-Encoding", offsetof(struct part, encoding)},
	    {"Content-Transfer-Encoding", offsetof(struct part, transfer)}};
	struct sv line, name, value;
	size_t at = 0;
	*out = (struct part){.type = SV("text/plain")}; /* RFC 2046 5.1 */
	for (int i = 0; i < PART_LINES_MAX && line_next(text, &at, &line); i++) {
		if (!line.n) {
			out->bytes = sv_sub(text, at, text.n);
			return true;
		}
		if (!sv_split(line, ':', &name, &value))
			continue;
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			if (sv_isi(sv_trim(name), names[k].name))
				*(struct sv *)(void *)((char *)out + names[k].at) = sv_trim(value);
	}
	return false;
}

/* Whether a line is the boundary, and the last one. Blanks may follow it. */
static bool is_boundary(struct sv line, struct sv boundary, bool *is_last)
{
	if (line.n < boundary.n + 2 || line.p[0] != '-' || line.p[1] != '-' ||
	    !sv_eq(sv_sub(line, 2, boundary.n), boundary))
		return false;
	struct sv rest = sv_sub(line, boundary.n + 2, line.n);
	*is_last = sv_starts(rest, SV("--"));
	return *is_last || !sv_trim(rest).n;
}

static void part_read(struct reading *r, const struct part *p, unsigned depth);

/* Of alternatives the last that is understood counts (RFC 2046 5.1.4), else the first session description. */
static void multipart_read(struct reading *r, const struct part *p, struct sv boundary, unsigned depth)
{
	bool is_last = false, was_last_taken = r->is_last_taken;
	size_t at = 0, line_at = 0, start = SIZE_MAX;
	struct sv line;
	struct part inner;
	r->is_last_taken |= !r->has_sdp && sv_isi(media_type(p->type), "multipart/alternative");
	for (; !is_last && line_next(p->bytes, &at, &line); line_at = at) {
		if (!is_boundary(line, boundary, &is_last))
			continue;
		size_t end = line_at; /* the line's end before the boundary is the boundary's */
		if (start != SIZE_MAX && end > start) {
			end--;
			end -= end > start && p->bytes.p[end - 1] == '\r';
		}
		if (start != SIZE_MAX && r->part_count++ < PARTS_MAX) {
			if (part_head(sv_sub(p->bytes, start, end - start), &inner))
				part_read(r, &inner, depth + 1);
			else
				r->is_unknown = true;
		}
		start = at;
	}
	r->is_last_taken = was_last_taken;
}

/* An early-session (RFC 3959) is another session than the one the message is about. */
static bool is_session(const struct part *p)
{
	return sv_isi(media_type(p->type), "application/sdp") && !sv_isi(media_type(p->disposition), "early-session");
}

static void part_tell(const struct reading *r, const struct part *p)
{
	struct sv type = media_type(p->type);
	if (is_encoded(p) || sv_startsi(type, SV("multipart/")) || sv_isi(type, "application/sdp"))
		return;
	struct sip_part out = {.ctype = p->type, .disposition = p->disposition, .bytes = p->bytes};
	r->each(&out, r->arg);
}

static void part_read(struct reading *r, const struct part *p, unsigned depth)
{
	struct sv boundary;
	bool is_known = false;
	if (r->each && depth)
		part_tell(r, p);
	if (r->wanted && !r->has_found && !is_encoded(p) && sv_isi(media_type(p->type), r->wanted))
		r->found = *p, r->has_found = true;
	if (is_encoded(p)) {
		is_known = false;
	} else if (is_session(p)) {
		if (!r->has_sdp || r->is_last_taken)
			r->sdp = p->bytes, r->has_sdp = true;
		is_known = true;
	} else if (sv_startsi(media_type(p->type), SV("multipart/")) && depth < DEPTH_MAX &&
	           type_param(p->type, "boundary", &boundary) && boundary.n && boundary.n <= BOUNDARY_MAX) {
		unsigned before = r->part_count;
		multipart_read(r, p, boundary, depth);
		is_known = r->part_count > before; /* its parts have spoken for themselves */
	}
	if (!is_known && !is_optional(p))
		r->is_unknown = true;
}

static struct part whole_of(const struct sip_msg *m)
{
	return (struct part){.type = m->content_type,
	    .disposition = sip_msg_value(m, SIP_HDR_CONTENT_DISPOSITION),
	    .encoding = sip_msg_value(m, SIP_HDR_CONTENT_ENCODING),
	    .bytes = m->body};
}

/* What stands beside a session description and is not known is left out (ISUP, PIDF-LO, metadata of a recording):
 * callers in need send such parts without saying that they may be. */
void sip_body_read(struct sip_msg *m)
{
	struct reading r = {.part_count = 0};
	struct part whole = whole_of(m);
	m->sdp = SV_NONE;
	m->has_unknown_body = false;
	if (!m->body.n)
		return;
	if (!whole.type.n)
		whole.type = SV("application/sdp"); /* taken for what it mostly is */
	part_read(&r, &whole, 0);
	m->sdp = r.has_sdp ? r.sdp : SV_NONE;
	m->has_unknown_body = !r.has_sdp && r.is_unknown;
}

bool sip_body_part(const struct sip_msg *m, const char *type, struct sip_part *out)
{
	struct reading r = {.wanted = type};
	struct part whole = whole_of(m);
	if (!m->body.n || !whole.type.n)
		return false;
	part_read(&r, &whole, 0);
	if (r.has_found)
		*out = (struct sip_part){
		    .ctype = r.found.type, .disposition = r.found.disposition, .bytes = r.found.bytes};
	return r.has_found;
}

void sip_body_each(const struct sip_msg *m, sip_part_fn fn, void *arg)
{
	struct reading r = {.each = fn, .arg = arg};
	struct part whole = whole_of(m);
	if (m->body.n && whole.type.n)
		part_read(&r, &whole, 0);
}
