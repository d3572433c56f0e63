/* Filtering works on the text: line by line up to the empty one, a line that begins with a blank belongs to the one
 * before. Names are compared as they are, and, of those that have a compact form, by the full name, so "s:" is Subject.
 */
#include "sip/filter.h"

static char low(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool sip_pattern_fits(struct sv pattern, struct sv text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			mark = t;
		} else if (p < pattern.n && (pattern.p[p] == '?' || low(pattern.p[p]) == low(text.p[t]))) {
			p++, t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

bool sip_patterns_fit(const char *list, struct sv text)
{
	struct sv rest = sv_of(list), one;
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		one = sv_trim(one);
		if (one.n && sip_pattern_fits(one, text))
			return true;
	}
	return false;
}

static bool has(const char *list)
{
	return list && *list;
}

bool sip_filter_has_headers(const struct sip_filter_lists *f)
{
	return has(f->allow_headers) || has(f->deny_headers);
}

bool sip_filter_is_set(const struct sip_filter_lists *f)
{
	return sip_filter_has_headers(f) || has(f->allow_methods) || has(f->deny_methods);
}

bool sip_filter_takes_method(const struct sip_filter_lists *f, struct sv method)
{
	enum sip_method m = sip_method_of(method);
	if (m == SIP_ACK || m == SIP_CANCEL || m == SIP_BYE)
		return true;
	if (has(f->deny_methods) && sip_patterns_fit(f->deny_methods, method))
		return false;
	return !has(f->allow_methods) || sip_patterns_fit(f->allow_methods, method);
}

/* Without these a message is another one, or none. */
static bool is_needed(enum sip_hdr_id id)
{
	switch (id) {
	case SIP_HDR_VIA:
	case SIP_HDR_FROM:
	case SIP_HDR_TO:
	case SIP_HDR_CALL_ID:
	case SIP_HDR_CSEQ:
	case SIP_HDR_CONTACT:
	case SIP_HDR_MAX_FORWARDS:
	case SIP_HDR_CONTENT_LENGTH:
	case SIP_HDR_CONTENT_TYPE:
	case SIP_HDR_CONTENT_ENCODING:
	case SIP_HDR_ROUTE:
	case SIP_HDR_RECORD_ROUTE:
	case SIP_HDR_PATH:
	case SIP_HDR_SERVICE_ROUTE:
	case SIP_HDR_EXPIRES:
	case SIP_HDR_MIN_EXPIRES:
	case SIP_HDR_AUTHORIZATION:
	case SIP_HDR_PROXY_AUTHORIZATION:
	case SIP_HDR_WWW_AUTHENTICATE:
	case SIP_HDR_PROXY_AUTHENTICATE:
	case SIP_HDR_REQUIRE:
	case SIP_HDR_PROXY_REQUIRE:
	case SIP_HDR_UNSUPPORTED:
	case SIP_HDR_RETRY_AFTER:
	case SIP_HDR_EVENT:
	case SIP_HDR_SUBSCRIPTION_STATE:
	case SIP_HDR_REFER_TO:
	case SIP_HDR_SESSION_EXPIRES:
	case SIP_HDR_MIN_SE:
	case SIP_HDR_RSEQ:
	case SIP_HDR_RACK:
		return true;
	default:
		return false;
	}
}

static bool fits(const char *list, enum sip_hdr_id id, struct sv name)
{
	return sip_patterns_fit(list, name) || (id && sip_patterns_fit(list, sv_of(sip_hdr_name(id))));
}

bool sip_filter_takes_header(const struct sip_filter_lists *f, struct sv name)
{
	enum sip_hdr_id id = sip_hdr_id_of(name);
	if (is_needed(id))
		return true;
	if (has(f->deny_headers) && fits(f->deny_headers, id, name))
		return false;
	return !has(f->allow_headers) || fits(f->allow_headers, id, name);
}

/* The line at p with its end; n is what is left. */
static size_t line_bytes(const char *p, size_t n)
{
	const char *end = memchr(p, '\n', n);
	return end ? (size_t)(end - p) + 1 : n;
}

static bool is_empty(const char *p, size_t n)
{
	return n <= 2 && (p[0] == '\n' || (p[0] == '\r' && (n == 1 || p[1] == '\n')));
}

bool sip_filter_strip(const struct sip_filter_lists *f, const char *p, size_t n, struct buf *out)
{
	bool is_out = false, has_stripped = false;
	buf_clear(out);
	size_t at = n ? line_bytes(p, n) : 0; /* the start line */
	buf_add(out, p, at);
	while (at < n) {
		size_t k = line_bytes(p + at, n - at);
		if (is_empty(p + at, k))
			break;
		if (p[at] != ' ' && p[at] != '\t') {
			struct sv name, value;
			bool is_header = sv_split((struct sv){p + at, k}, ':', &name, &value);
			is_out = is_header && !sip_filter_takes_header(f, sv_trim(name));
		}
		has_stripped |= is_out;
		if (!is_out)
			buf_add(out, p + at, k);
		at += k;
	}
	if (has_stripped)
		buf_add(out, p + at, n - at);
	return has_stripped && !out->failed;
}
