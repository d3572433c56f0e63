/* One message: split the head into lines, name each header, link those of one name, then read the start line, the six
 * headers every message must have, and the body's length. Everything else is parsed when somebody asks.
 * The first mistake is remembered as m->error; the rest is still read, so that a 400 can be addressed. */
#include "base/mem.h"
#include "sip/msg/chars_i.h"
#include <string.h>

enum { PARSE_HEAD_ONLY = 0x100 }; /* the body was cut off: do not compare lengths */

static void fail(struct sip_msg *m, uint16_t code, const char *why)
{
	if (m->error)
		return;
	m->error = why;
	m->error_code = code;
}

static void start_line(struct sip_msg *m, struct sv line)
{
	struct sv a, b, c;
	if (line.n > 8 && line.p[7] == ' ' && sv_starts(line, SV("SIP/2.0"))) {
		uint64_t code;
		a = sv_sub(line, 8, 3);
		if (a.n != 3 || !ch_decimal(a, 699, false, &code) || code < 100 || (line.n > 11 && line.p[11] != ' ')) {
			fail(m, 400, "Bad Status Line");
			return;
		}
		m->code = (uint16_t)code;
		m->reason = sv_sub(line, 12, line.n);
		return;
	}
	m->is_request = true;
	if (!sv_split(line, ' ', &a, &b) || !sip_is_token(a) || !sv_split(b, ' ', &b, &c)) {
		fail(m, 400, "Bad Request Line");
		return;
	}
	m->method_text = a;
	m->method = (uint8_t)sip_method_of(a);
	if (!sv_isi(c, "SIP/2.0")) {
		bool is_sip = c.n > 4 && sv_startsi(c, SV("SIP/")) && !memchr(c.p, ' ', c.n);
		fail(m, is_sip ? 505 : 400, is_sip ? "Version Not Supported" : "Bad Request Line");
	}
	if (sip_uri_parse(&m->ruri, b))
		fail(m, 400, "Bad Request URI");
}

/* The header line at p, up to and with its folds. NULL when the head ends without an empty line. */
static const char *line_end(const char *p, const char *end, bool *has_folds)
{
	for (;;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl || nl + 1 >= end)
			return nl;
		if (nl[1] != ' ' && nl[1] != '\t')
			return nl;
		*has_folds = true;
		p = nl + 1;
	}
}

static void header(struct sip_msg *m, uint8_t *last, size_t max, const char *p, const char *end)
{
	const char *e = ch_span(p, end, CH_TOKEN), *colon = ch_skip_lws(e, end);
	if (e == p || colon == end || *colon != ':') {
		fail(m, 400, "Bad Header Line");
		return;
	}
	if (m->hdr_count >= max) {
		fail(m, 400, "Too Many Headers");
		return;
	}
	struct sip_hdr *h = &m->hdrs[m->hdr_count++];
	h->name = sv_between(p, e);
	h->value = ch_trim(colon + 1, end);
	h->id = (uint8_t)sip_hdr_id_of(h->name);
	h->next = 0;
	if (!h->id)
		return;
	if (!m->first[h->id])
		m->first[h->id] = m->hdr_count;
	else
		m->hdrs[last[h->id] - 1].next = m->hdr_count;
	last[h->id] = m->hdr_count;
}

/* Returns the body's start; NULL when the empty line is missing. */
static const char *head(struct sip_msg *m, size_t max, const char *p, const char *end)
{
	uint8_t last[SIP_HDR_COUNT];
	const char *limit = (size_t)(end - p) > SIP_MSG_HEAD_MAX_BYTES ? p + SIP_MSG_HEAD_MAX_BYTES : end;
	bool is_first = true;
	while (p < limit) {
		if (*p == '\n')
			return p + 1;
		if (*p == '\r' && p + 1 < limit && p[1] == '\n')
			return p + 2;
		bool folds = false;
		const char *nl = is_first ? memchr(p, '\n', (size_t)(limit - p)) : line_end(p, limit, &folds);
		if (!nl)
			return NULL;
		const char *e = nl > p && nl[-1] == '\r' ? nl - 1 : nl;
		if (is_first)
			start_line(m, sv_between(p, e));
		else
			header(m, last, max, p, e);
		m->has_folds |= folds;
		is_first = false;
		p = nl + 1;
	}
	return NULL;
}

static void addresses(struct sip_msg *m)
{
	static const struct {
		uint8_t id;
		const char *missing, *bad;
	} names[2] = {{SIP_HDR_FROM, "Missing From", "Bad From"}, {SIP_HDR_TO, "Missing To", "Bad To"}};
	struct sip_nameaddr *na[2] = {&m->from, &m->to};
	struct sv *tags[2] = {&m->from_tag, &m->to_tag};
	for (int i = 0; i < 2; i++) {
		if (!m->first[names[i].id])
			fail(m, 400, names[i].missing);
		else if (sip_nameaddr_parse(na[i], m->hdrs[m->first[names[i].id] - 1].value) || na[i]->is_star)
			fail(m, 400, names[i].bad);
		else if (na[i]->params.n && sip_param_get(na[i]->params, ';', "tag", tags[i]) &&
		         !sip_is_token(*tags[i]))
			fail(m, 400, names[i].bad);
	}
}

static void call_id(struct sip_msg *m)
{
	m->call_id = sip_msg_value(m, SIP_HDR_CALL_ID);
	if (!m->call_id.n)
		fail(m, 400, "Missing Call-ID");
	for (size_t i = 0; i < m->call_id.n; i++)
		if ((uint8_t)m->call_id.p[i] <= 0x20 || m->call_id.p[i] == 0x7f) {
			fail(m, 400, "Bad Call-ID");
			m->call_id = SV_NONE;
		}
}

static void cseq(struct sip_msg *m)
{
	struct sv v = sip_msg_value(m, SIP_HDR_CSEQ);
	if (!v.n) {
		fail(m, 400, "Missing CSeq");
		return;
	}
	const char *p = v.p, *end = v.p + v.n;
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	uint64_t n;
	const char *q = ch_skip_lws(p, end);
	struct sv method = sv_between(q, end);
	if (q == p || !ch_decimal(sv_between(v.p, p), 0x7fffffff, false, &n) || !sip_is_token(method)) {
		fail(m, 400, "Bad CSeq");
		return;
	}
	m->cseq = (uint32_t)n;
	if (!m->is_request) {
		m->method_text = method;
		m->method = (uint8_t)sip_method_of(method);
	} else if (!sv_eq(method, m->method_text)) {
		fail(m, 400, "CSeq Method Mismatch");
	}
}

static bool top_via(struct sip_msg *m)
{
	struct sip_list_it it;
	struct sv value = sip_msg_value(m, SIP_HDR_VIA);
	if (!m->first[SIP_HDR_VIA]) {
		fail(m, 400, "Missing Via");
		return false;
	}
	if (value.n && memchr(value.p, ',', value.n)) { /* mostly there is one on a line */
		sip_list_start_value(&it, value);
		value = sip_list_next(&it) ? it.item : SV_NONE;
	}
	if (!sip_via_parse(&m->via, value))
		return true;
	fail(m, 400, "Bad Via");
	memset(&m->via, 0, sizeof(m->via)); /* an answer repeats the line as it came */
	return true;
}

static void numbers(struct sip_msg *m)
{
	uint64_t n;
	if (m->first[SIP_HDR_MAX_FORWARDS]) {
		if (!ch_decimal(sip_msg_value(m, SIP_HDR_MAX_FORWARDS), 255, false, &n))
			fail(m, 400, "Bad Max-Forwards");
		else
			m->max_forwards = (int)n;
	}
	if (m->first[SIP_HDR_EXPIRES] && ch_decimal(sip_msg_value(m, SIP_HDR_EXPIRES), UINT32_MAX, true, &n))
		m->expires_s = (int64_t)n;
	m->content_type = sip_msg_value(m, SIP_HDR_CONTENT_TYPE);
}

static void singletons(struct sip_msg *m)
{
	static const struct {
		uint8_t id;
		const char *why;
	} single[] = {
	    {SIP_HDR_FROM, "Duplicate From"},
	    {SIP_HDR_TO, "Duplicate To"},
	    {SIP_HDR_CALL_ID, "Duplicate Call-ID"},
	    {SIP_HDR_CSEQ, "Duplicate CSeq"},
	    {SIP_HDR_MAX_FORWARDS, "Duplicate Max-Forwards"},
	    {SIP_HDR_CONTENT_LENGTH, "Duplicate Content-Length"},
	    {SIP_HDR_CONTENT_TYPE, "Duplicate Content-Type"},
	    {SIP_HDR_EXPIRES, "Duplicate Expires"},
	    {SIP_HDR_REPLACES, "Duplicate Replaces"},
	    {SIP_HDR_REFER_TO, "Duplicate Refer-To"},
	    {SIP_HDR_EVENT, "Duplicate Event"},
	};
	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
		unsigned f = m->first[single[i].id];
		if (f && m->hdrs[f - 1].next)
			fail(m, 400, single[i].why);
	}
}

static void body(struct sip_msg *m, const char *p, const char *end, unsigned flags)
{
	size_t have = (size_t)(end - p);
	uint64_t n = have;
	m->has_content_length = m->first[SIP_HDR_CONTENT_LENGTH] != 0;
	if (flags & PARSE_HEAD_ONLY)
		n = 0;
	else if (!m->has_content_length && flags & SIP_PARSE_STREAM)
		fail(m, 400, "Missing Content-Length");
	else if (m->has_content_length && !ch_decimal(sip_msg_value(m, SIP_HDR_CONTENT_LENGTH), INT32_MAX, false, &n))
		fail(m, 400, "Bad Content-Length");
	else if (n > have)
		fail(m, 400, "Content-Length Mismatch");
	if (n > have)
		n = have;
	m->body = (struct sv){p, (size_t)n};
	m->raw.n = (size_t)(p - m->raw.p) + (size_t)n;
}

int sip_msg_parse(struct sip_msg *m, struct sip_hdr *hdrs, size_t hdrs_max, const char *p, size_t n, unsigned flags)
{
	*m = (struct sip_msg){.max_forwards = -1, .expires_s = -1, .hdrs = hdrs};
	if (!n) {
		fail(m, 400, "Empty Message");
		return ST_PARSE;
	}
	const char *end = p + n;
	while (p < end && (*p == '\r' || *p == '\n'))
		p++;
	m->raw = sv_between(p, end);
	const char *b = head(m, hdrs_max > SIP_MSG_HDRS_MAX ? SIP_MSG_HDRS_MAX : hdrs_max, p, end);
	if (!b) {
		fail(m, 400, "Incomplete Message");
		return ST_PARSE;
	}
	bool has_via = top_via(m);
	addresses(m);
	call_id(m);
	cseq(m);
	numbers(m);
	singletons(m);
	body(m, b, end, flags);
	sip_body_read(m);
	m->is_answerable = m->is_request && m->method_text.n && m->method != SIP_ACK && has_via;
	return m->error ? ST_PARSE : ST_OK;
}

void sip_msg_unfold(char *p, size_t n)
{
	char *end = p + n, *start = p;
	while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
		if (p + 1 == end || p[1] == '\n' || (p + 2 < end && p[1] == '\r' && p[2] == '\n'))
			return;
		if (p[1] == ' ' || p[1] == '\t') {
			*p = ' ';
			if (p > start && p[-1] == '\r')
				p[-1] = ' ';
		}
		p++;
	}
}

static struct sip_msg *dup_text(const struct sip_msg *m, size_t text_n, unsigned flags)
{
	if (m->error)
		return NULL;
	size_t index_n = m->hdr_count * sizeof(struct sip_hdr);
	struct sip_msg *c = mem_new(sizeof(*c) + index_n + text_n + 1, NULL, "sip.msg");
	if (!c)
		return NULL;
	struct sip_hdr *hdrs = (struct sip_hdr *)(void *)(c + 1);
	char *text = (char *)hdrs + index_n;
	memcpy(text, m->raw.p, text_n);
	text[text_n] = '\0';
	if (sip_msg_parse(c, hdrs, m->hdr_count, text, text_n, flags))
		return mem_unref(c);
	return c;
}

struct sip_msg *sip_msg_dup(const struct sip_msg *m)
{
	return dup_text(m, m->raw.n, 0);
}

struct sip_msg *sip_msg_dup_head(const struct sip_msg *m)
{
	return dup_text(m, m->raw.n - m->body.n, PARSE_HEAD_ONLY);
}

const struct sip_hdr *sip_msg_hdr(const struct sip_msg *m, enum sip_hdr_id id)
{
	return id > SIP_HDR_OTHER && id < SIP_HDR_COUNT && m->first[id] ? &m->hdrs[m->first[id] - 1] : NULL;
}

const struct sip_hdr *sip_msg_hdr_next(const struct sip_msg *m, const struct sip_hdr *h)
{
	return h->next ? &m->hdrs[h->next - 1] : NULL;
}

struct sv sip_msg_value(const struct sip_msg *m, enum sip_hdr_id id)
{
	const struct sip_hdr *h = sip_msg_hdr(m, id);
	return h ? h->value : SV_NONE;
}

struct sv sip_msg_value_named(const struct sip_msg *m, const char *name)
{
	enum sip_hdr_id id = sip_hdr_id_of(sv_of(name));
	if (id)
		return sip_msg_value(m, id);
	for (size_t i = 0; i < m->hdr_count; i++)
		if (sv_isi(m->hdrs[i].name, name))
			return m->hdrs[i].value;
	return SV_NONE;
}
