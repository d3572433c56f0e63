/* URIs (RFC 3261 19.1, RFC 3966): parse into views, parameters, comparison, escapes. Bounded by the text given. */
#include "sip/msg/chars_i.h"
#include <string.h>

static bool escapes_ok(struct sv v)
{
	const char *p = v.p, *end = v.p + v.n;
	while (p < end && (p = memchr(p, '%', (size_t)(end - p)))) {
		if (end - p < 3 || !ch_is(p[1], CH_HEX) || !ch_is(p[2], CH_HEX))
			return false;
		p += 3;
	}
	return true;
}

static bool all_of(struct sv v, unsigned mask)
{
	return !v.n || (ch_span(v.p, v.p + v.n, mask) == v.p + v.n && escapes_ok(v));
}

/* RFC 3966: digits with visual separators, or a local number; parameters. */
static int tel_parse(struct sip_uri *u, const char *p, const char *end)
{
	const char *e = p;
	while (e < end && (ch_is(*e, CH_HEX) || strchr("+-.()*#", *e)) && *e)
		e++;
	if (e == p || (e < end && *e != ';'))
		return ST_PARSE;
	u->user = sv_between(p, e);
	if (e < end)
		u->params = sv_between(e + 1, end);
	return all_of(u->params, CH_UPARAM) ? ST_OK : ST_PARSE;
}

static int sip_parse(struct sip_uri *u, const char *p, const char *end)
{
	const char *at = memchr(p, '@', (size_t)(end - p));
	if (at) {
		struct sv userinfo = sv_between(p, at);
		const char *colon = memchr(p, ':', userinfo.n);
		u->user = sv_between(p, colon ? colon : at);
		if (colon)
			u->password = sv_between(colon + 1, at);
		if (!u->user.n || !all_of(u->user, CH_USER) || !all_of(u->password, CH_USER))
			return ST_PARSE;
		p = at + 1;
	}
	p = ch_hostport(p, end, false, &u->host, &u->is_ipv6, &u->port);
	if (!p)
		return ST_PARSE;
	if (p < end && *p == ';') {
		const char *q = memchr(p, '?', (size_t)(end - p));
		u->params = sv_between(p + 1, q ? q : end);
		if (!all_of(u->params, CH_UPARAM))
			return ST_PARSE;
		p = q ? q : end;
	}
	if (p < end && *p == '?') {
		u->headers = sv_between(p + 1, end);
		if (!all_of(u->headers, CH_UHDR))
			return ST_PARSE;
		p = end;
	}
	return p == end ? ST_OK : ST_PARSE;
}

static enum sip_scheme scheme_of(struct sv s)
{
	if (s.n == 3 && sv_isi(s, "sip"))
		return SIP_SCHEME_SIP;
	if (s.n == 4 && sv_isi(s, "sips"))
		return SIP_SCHEME_SIPS;
	if (s.n == 3 && sv_isi(s, "tel"))
		return SIP_SCHEME_TEL;
	return SIP_SCHEME_OTHER;
}

int sip_uri_parse(struct sip_uri *out, struct sv text)
{
	struct sip_uri u = {.text = text};
	if (text.n < 3)
		return ST_PARSE;
	const char *p = text.p, *end = text.p + text.n;
	if (!((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z'))
		return ST_PARSE;
	const char *c = memchr(p, ':', text.n > 32 ? 32 : text.n);
	if (!c || c + 1 == end)
		return ST_PARSE;
	u.scheme = (uint8_t)scheme_of(sv_between(p, c));
	int st = ST_OK;
	if (u.scheme == SIP_SCHEME_TEL)
		st = tel_parse(&u, c + 1, end);
	else if (u.scheme != SIP_SCHEME_OTHER)
		st = sip_parse(&u, c + 1, end);
	else
		for (const char *q = p; q < end; q++)
			if ((uint8_t)*q <= 0x20 || *q == 0x7f || *q == '<' || *q == '>' || *q == '"' ||
			    (q < c && !ch_is(*q, CH_TOKEN)))
				st = ST_PARSE;
	if (st == ST_OK)
		*out = u;
	return st;
}

/* One "name[=value]" of a ';' or '&' list. */
static bool uri_list_next(struct sv *rest, char sep, struct sv *name, struct sv *value)
{
	while (rest->n) {
		struct sv one, tail;
		sv_split(*rest, sep, &one, &tail);
		*rest = tail;
		if (!one.n)
			continue;
		sv_split(one, '=', name, value);
		return true;
	}
	return false;
}

static bool uri_list_find(struct sv list, char sep, struct sv name, struct sv *value)
{
	struct sv n, v;
	while (uri_list_next(&list, sep, &n, &v)) {
		if (!sv_eqi(n, name))
			continue;
		*value = v;
		return true;
	}
	return false;
}

bool sip_uri_param(const struct sip_uri *u, const char *name, struct sv *value)
{
	struct sv v;
	if (!u->params.n || !uri_list_find(u->params, ';', sv_of(name), &v))
		return false;
	if (value)
		*value = v;
	return true;
}

enum sip_transport sip_uri_transport(const struct sip_uri *u)
{
	struct sv v;
	return sip_uri_param(u, "transport", &v) ? sip_transport_of(v) : SIP_TRANSPORT_NONE;
}

static int hex_of(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* Next character of an escaped text with %XX of unreserved characters undone (escapes of others stay distinct). */
static int unescaped_at(struct sv t, size_t *i)
{
	uint8_t c = (uint8_t)t.p[(*i)++];
	if (c != '%' || t.n - *i < 2 || !ch_is(t.p[*i], CH_HEX) || !ch_is(t.p[*i + 1], CH_HEX))
		return c;
	int x = hex_of(t.p[*i]) * 16 + hex_of(t.p[*i + 1]);
	*i += 2;
	return ch_is((char)x, CH_UNRESERVED) ? x : x + 256;
}

static bool eq_escaped(struct sv a, struct sv b, bool nocase)
{
	size_t i = 0, j = 0;
	while (i < a.n && j < b.n) {
		int x = unescaped_at(a, &i), y = unescaped_at(b, &j);
		if (nocase && x >= 'A' && x <= 'Z')
			x |= 0x20;
		if (nocase && y >= 'A' && y <= 'Z')
			y |= 0x20;
		if (x != y)
			return false;
	}
	return i == a.n && j == b.n;
}

/* What both have must agree; some count even when only one side has them (RFC 3261 19.1.4). */
static bool params_agree(struct sv a, struct sv b)
{
	static const char *const must[] = {"user", "ttl", "method", "maddr", "transport"};
	struct sv n, v, w, rest = a;
	while (uri_list_next(&rest, ';', &n, &v))
		if (uri_list_find(b, ';', n, &w) && !eq_escaped(v, w, true))
			return false;
	for (size_t i = 0; i < sizeof(must) / sizeof(must[0]); i++)
		if (uri_list_find(a, ';', sv_of(must[i]), &v) != uri_list_find(b, ';', sv_of(must[i]), &w))
			return false;
	return true;
}

static bool headers_within(struct sv a, struct sv b)
{
	struct sv n, v, w;
	while (uri_list_next(&a, '&', &n, &v))
		if (!uri_list_find(b, '&', n, &w) || !eq_escaped(v, w, true))
			return false;
	return true;
}

bool sip_uri_eq(const struct sip_uri *a, const struct sip_uri *b)
{
	if (a->scheme != b->scheme)
		return false;
	if (sv_eq(a->text, b->text))
		return true; /* even with doubled parameters, which make no sense of their own */
	if (a->scheme == SIP_SCHEME_OTHER || a->scheme == SIP_SCHEME_NONE)
		return sv_eq(a->text, b->text);
	return a->port == b->port && eq_escaped(a->user, b->user, false) &&
	       eq_escaped(a->password, b->password, false) && sv_eqi(a->host, b->host) &&
	       params_agree(a->params, b->params) && headers_within(a->headers, b->headers) &&
	       headers_within(b->headers, a->headers);
}

int sip_unescape(struct buf *out, struct sv t)
{
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] == '%' && t.n - i >= 3 && ch_is(t.p[i + 1], CH_HEX) && ch_is(t.p[i + 2], CH_HEX)) {
			buf_addc(out, (char)(hex_of(t.p[i + 1]) * 16 + hex_of(t.p[i + 2])));
			i += 2;
		} else {
			buf_addc(out, t.p[i]);
		}
	}
	return out->failed ? ST_NOMEM : ST_OK;
}

int sip_escape_user(struct buf *out, struct sv t)
{
	static const char hex[] = "0123456789ABCDEF";
	for (size_t i = 0; i < t.n; i++) {
		uint8_t c = (uint8_t)t.p[i];
		if (c < 0x80 && c != '%' && c != '#' && ch_is((char)c, CH_USER)) {
			buf_addc(out, (char)c);
		} else {
			buf_addc(out, '%');
			buf_addc(out, hex[c >> 4]);
			buf_addc(out, hex[c & 15]);
		}
	}
	return out->failed ? ST_NOMEM : ST_OK;
}
