/* Character classes and the scanners every header parser uses: blanks, quoted strings, host and port, parameters. */
#include "base/scan.h"
#include "sip/msg/chars_i.h"
#include <string.h>

#define ALNUM (CH_TOKEN | CH_USER | CH_HOST | CH_UPARAM | CH_UHDR | CH_UNRESERVED)
#define MARK (CH_USER | CH_UPARAM | CH_UHDR | CH_UNRESERVED)
/* Beyond the RFC, the user part may hold '#' and UTF-8 and a host '_': phones in use send them. */
const uint8_t sip_chars[256] = {
    ['0' ... '9'] = ALNUM | CH_HEX,
    ['a' ... 'f'] = ALNUM | CH_HEX,
    ['g' ... 'z'] = ALNUM,
    ['A' ... 'F'] = ALNUM | CH_HEX,
    ['G' ... 'Z'] = ALNUM,
    ['-'] = MARK | CH_TOKEN | CH_HOST,
    ['.'] = MARK | CH_TOKEN | CH_HOST,
    ['_'] = MARK | CH_TOKEN | CH_HOST,
    ['!'] = MARK | CH_TOKEN,
    ['~'] = MARK | CH_TOKEN,
    ['*'] = MARK | CH_TOKEN,
    ['\''] = MARK | CH_TOKEN,
    ['('] = MARK,
    [')'] = MARK,
    ['%'] = CH_TOKEN | CH_USER | CH_UPARAM | CH_UHDR,
    ['`'] = CH_TOKEN,
    ['+'] = CH_TOKEN | CH_USER | CH_UPARAM | CH_UHDR,
    ['&'] = CH_USER | CH_UPARAM | CH_UHDR,
    ['='] = CH_USER | CH_UPARAM | CH_UHDR,
    ['$'] = CH_USER | CH_UPARAM | CH_UHDR,
    [','] = CH_USER,
    [';'] = CH_USER | CH_UPARAM,
    ['?'] = CH_USER | CH_UHDR,
    ['/'] = CH_USER | CH_UPARAM | CH_UHDR,
    [':'] = CH_UPARAM | CH_UHDR,
    ['['] = CH_UPARAM | CH_UHDR,
    [']'] = CH_UPARAM | CH_UHDR,
    ['#'] = CH_USER,
    [0x80 ... 0xff] = CH_USER,
    [' '] = CH_LWS,
    ['\t'] = CH_LWS,
    ['\r'] = CH_LWS,
    ['\n'] = CH_LWS,
};

const char *ch_quote_end(const char *p, const char *end)
{
	for (; p < end; p++) {
		if (*p == '"')
			return p;
		if (*p == '\\' && ++p == end)
			return NULL;
	}
	return NULL;
}

bool ch_decimal(struct sv v, uint64_t max, bool clamp, uint64_t *out)
{
	uint64_t n = 0;
	if (!v.n)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(v.p[i] - '0');
		if (n > max) {
			if (!clamp)
				return false;
			n = max;
		}
	}
	*out = n;
	return true;
}

static const char *host_end(const char *p, const char *end, struct sv *host, bool *is_ipv6)
{
	const char *e;
	*is_ipv6 = p < end && *p == '[';
	if (*is_ipv6) {
		e = ++p;
		while (e < end && (ch_is(*e, CH_HEX) || *e == ':' || *e == '.'))
			e++;
		if (e == end || *e != ']' || e == p || e - p > 45)
			return NULL;
		*host = sv_between(p, e);
		return e + 1;
	}
	e = ch_span(p, end, CH_HOST);
	if (e == p || e - p > 255)
		return NULL;
	*host = sv_between(p, e);
	return e;
}

const char *ch_hostport(const char *p, const char *end, bool lws, struct sv *host, bool *is_ipv6, uint16_t *port)
{
	*port = 0;
	p = host_end(p, end, host, is_ipv6);
	if (!p)
		return NULL;
	const char *q = lws ? ch_skip_lws(p, end) : p;
	if (q == end || *q != ':')
		return p;
	q++;
	if (lws)
		q = ch_skip_lws(q, end);
	const char *d = q;
	while (d < end && *d >= '0' && *d <= '9')
		d++;
	uint64_t n;
	if (!ch_decimal(sv_between(q, d), 65535, false, &n))
		return NULL;
	*port = (uint16_t)n;
	return d;
}

int sip_params_step(struct sip_params_it *it, char sep)
{
	const char *end = it->rest.p + it->rest.n;
	const char *p = ch_skip_lws(it->rest.p, end);
	it->value = SV_NONE;
	it->has_value = it->is_quoted = false;
	if (p == end)
		return PARAM_END;
	const char *e = ch_span(p, end, CH_TOKEN);
	/* parameter names are tokens; IPv6 references do occur as names of odd parameters (RFC 3261 gen-value has them)
	 */
	if (e == p)
		return PARAM_BAD;
	it->name = sv_between(p, e);
	p = ch_skip_lws(e, end);
	if (p < end && *p == '=') {
		p = ch_skip_lws(p + 1, end);
		it->has_value = true;
		if (p < end && *p == '"') {
			e = ch_quote_end(p + 1, end);
			if (!e)
				return PARAM_BAD;
			it->value = sv_between(p + 1, e);
			it->is_quoted = true;
			e++;
		} else {
			e = ch_span(p, end, CH_TOKEN);
			while (
			    e < end && *e != sep && *e != ',' && *e != '"' && !ch_is(*e, CH_LWS) && (uint8_t)*e >= 0x20)
				e++;
			it->value = sv_between(p, e);
		}
		p = ch_skip_lws(e, end);
	}
	if (p < end && *p != sep)
		return PARAM_BAD;
	if (p < end && ch_skip_lws(p + 1, end) == end)
		return PARAM_BAD; /* a separator with nothing behind it */
	it->rest = p < end ? sv_between(p + 1, end) : SV_NONE;
	return PARAM_OK;
}

bool sip_params_next(struct sip_params_it *it, char sep)
{
	if (!it->rest.p || sip_params_step(it, sep) != PARAM_OK) {
		it->rest = SV_NONE;
		return false;
	}
	return true;
}

bool sip_param_get(struct sv params, char sep, const char *name, struct sv *value)
{
	struct sip_params_it it = {.rest = params};
	while (sip_params_next(&it, sep)) {
		if (!sv_isi(it.name, name))
			continue;
		if (value)
			*value = it.value;
		return true;
	}
	return false;
}

bool sip_is_token(struct sv text)
{
	return text.n > 0 && ch_span(text.p, text.p + text.n, CH_TOKEN) == text.p + text.n;
}

bool sip_is_value(struct sv text)
{
	for (size_t i = scan_plain(text.p, text.n, 0, 0); i < text.n;
	     i += 1 + scan_plain(text.p + i + 1, text.n - i - 1, 0, 0))
		if (ch_is_control(text.p[i]))
			return false;
	return true;
}

bool sip_is_host(struct sv text)
{
	struct sv host;
	bool is_ipv6;
	uint16_t port;
	const char *end = text.p + text.n;
	return text.n && ch_hostport(text.p, end, false, &host, &is_ipv6, &port) == end;
}

bool sip_is_uri_params(struct sv text)
{
	struct sip_uri u;
	struct buf b;
	buf_init(&b);
	buf_printf(&b, "sip:u@h;%.*s", SVF(text));
	bool is_good =
	    text.n && !b.failed && b.n == text.n + 8 && sip_uri_parse(&u, buf_sv(&b)) == ST_OK && !u.headers.p;
	buf_fini(&b);
	return is_good;
}

/* RFC 3261 25.1 gen-value, unquoted: a token or a host. */
static bool is_gen_value(struct sv v)
{
	for (size_t i = 0; i < v.n; i++)
		if (!ch_is(v.p[i], CH_TOKEN) && v.p[i] != ':' && v.p[i] != '[' && v.p[i] != ']')
			return false;
	return true;
}

bool sip_is_hdr_params(struct sv text)
{
	struct sip_params_it it = {.rest = text};
	int r;
	if (!text.n || !sip_is_value(text))
		return false;
	while (it.rest.p && (r = sip_params_step(&it, ';')) != PARAM_END)
		if (r == PARAM_BAD || (!it.is_quoted && !is_gen_value(it.value)))
			return false;
	return true;
}

bool sip_is_nameaddr_list(struct sv text)
{
	struct sip_list_it it;
	struct sip_nameaddr na;
	bool has_any = false;
	sip_list_start_value(&it, text);
	while (sip_list_next(&it)) {
		if (sip_nameaddr_parse(&na, it.item) < 0 || na.is_star)
			return false;
		has_any = true;
	}
	return has_any && !it.is_bad && sip_is_value(text);
}
