/* The structured headers: name-addr, Via, comma-separated lists, credentials. Each works on one value and gives views.
 */
#include "sip/msg/chars_i.h"
#include <string.h>

/* ";a=b;c" behind an address: checks the list and returns it without the first ';'. */
static int params_tail(const char *p, const char *end, struct sv *params)
{
	p = ch_skip_lws(p, end);
	*params = SV_NONE;
	if (p == end)
		return ST_OK;
	if (*p != ';')
		return ST_PARSE;
	struct sip_params_it it = {.rest = sv_between(p + 1, end)};
	int r, count = 0;
	*params = ch_trim(p + 1, end);
	while (it.rest.p && (r = sip_params_step(&it, ';')) != PARAM_END) {
		if (r == PARAM_BAD)
			return ST_PARSE;
		count++;
	}
	return count ? ST_OK : ST_PARSE;
}

static bool display_ok(struct sv d)
{
	for (size_t i = 0; i < d.n; i++)
		if (((uint8_t)d.p[i] < 0x20 && !ch_is(d.p[i], CH_LWS)) || strchr(",;:<>\"\\", d.p[i]))
			return false;
	return true;
}

int sip_nameaddr_parse(struct sip_nameaddr *out, struct sv text)
{
	struct sip_nameaddr na = {0};
	if (!text.n)
		return ST_PARSE;
	const char *end = text.p + text.n, *p = ch_skip_lws(text.p, end), *q;
	na.text = ch_trim(p, end);
	end = na.text.p + na.text.n;
	if (na.text.n == 1 && *p == '*') {
		na.is_star = true;
		*out = na;
		return ST_OK;
	}
	if (p < end && *p == '"') {
		if (!(q = ch_quote_end(p + 1, end)))
			return ST_PARSE;
		na.display = sv_between(p + 1, q);
		p = ch_skip_lws(q + 1, end);
		if (p == end || *p != '<')
			return ST_PARSE;
	}
	q = p;
	while (q < end && *q != '<' && *q != ';' && *q != '"')
		q++;
	if (q < end && *q == '<') {
		if (q > p) {
			na.display = ch_trim(p, q);
			if (!display_ok(na.display))
				return ST_PARSE;
		}
		na.has_brackets = true;
		p = q + 1;
		if (!(q = memchr(p, '>', (size_t)(end - p))) || sip_uri_parse(&na.uri, sv_between(p, q)))
			return ST_PARSE;
		q++;
	} else {
		struct sv u = ch_trim(p, q);
		if (memchr(u.p, '?', u.n) || memchr(u.p, ',', u.n) || sip_uri_parse(&na.uri, u))
			return ST_PARSE;
	}
	if (params_tail(q, end, &na.params))
		return ST_PARSE;
	*out = na;
	return ST_OK;
}

int sip_unquote(struct buf *out, struct sv t)
{
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] == '\\' && i + 1 < t.n)
			i++;
		buf_addc(out, t.p[i]);
	}
	return out->failed ? ST_NOMEM : ST_OK;
}

int sip_nameaddr_q_milli(const struct sip_nameaddr *na)
{
	struct sv v, frac;
	if (!sip_param_get(na->params, ';', "q", &v))
		return 1000;
	struct sv whole;
	sv_split(v, '.', &whole, &frac);
	int q = 0, scale = 100;
	if (whole.n != 1 || (whole.p[0] != '0' && whole.p[0] != '1') || frac.n > 3)
		return 1000;
	for (size_t i = 0; i < frac.n; i++, scale /= 10) {
		if (frac.p[i] < '0' || frac.p[i] > '9')
			return 1000;
		q += (frac.p[i] - '0') * scale;
	}
	return whole.p[0] == '1' ? 1000 : q;
}

int64_t sip_nameaddr_expires_s(const struct sip_nameaddr *na)
{
	struct sv v;
	uint64_t n;
	if (!sip_param_get(na->params, ';', "expires", &v) || !ch_decimal(v, UINT32_MAX, true, &n))
		return -1;
	return (int64_t)n;
}

/* "SIP / 2.0 / UDP": the slow way, with blanks; p is moved behind the transport. */
static int via_protocol(const char **p, const char *end, struct sv *transport)
{
	static const char *const want[] = {"SIP", "2.0"};
	const char *q = *p, *e;
	for (int i = 0; i < 2; i++) {
		e = ch_span(q, end, CH_TOKEN);
		if (!sv_isi(sv_between(q, e), want[i]))
			return ST_PARSE;
		q = ch_skip_lws(e, end);
		if (q == end || *q != '/')
			return ST_PARSE;
		q = ch_skip_lws(q + 1, end);
	}
	e = ch_span(q, end, CH_TOKEN);
	*transport = sv_between(q, e);
	*p = e;
	return transport->n ? ST_OK : ST_PARSE;
}

static int via_params(struct sip_via *v)
{
	struct sip_params_it it = {.rest = v->params};
	uint64_t n;
	int r;
	while (it.rest.p && (r = sip_params_step(&it, ';')) != PARAM_END) {
		if (r == PARAM_BAD)
			return ST_PARSE;
		switch (it.name.n) {
		case 5:
			if (sv_isi(it.name, "rport")) {
				v->has_rport = true;
				if (it.value.n && ch_decimal(it.value, 65535, false, &n))
					v->rport = (uint16_t)n;
			} else if (sv_isi(it.name, "maddr")) {
				v->maddr = it.value;
			}
			break;
		case 6:
			if (sv_isi(it.name, "branch"))
				v->branch = it.value;
			break;
		case 8:
			if (sv_isi(it.name, "received"))
				v->received = it.value;
			break;
		default:
			break;
		}
	}
	return ST_OK;
}

int sip_via_parse(struct sip_via *out, struct sv text)
{
	struct sip_via v = {0};
	if (!text.n)
		return ST_PARSE;
	v.text = ch_trim(text.p, text.p + text.n);
	const char *p = v.text.p, *end = p + v.text.n;
	if (via_protocol(&p, end, &v.protocol))
		return ST_PARSE;
	v.transport = (uint8_t)sip_transport_of(v.protocol);
	const char *q = ch_skip_lws(p, end);
	if (q == p || !(p = ch_hostport(q, end, true, &v.host, &v.is_ipv6, &v.port)))
		return ST_PARSE;
	p = ch_skip_lws(p, end);
	if (p < end) {
		if (*p != ';')
			return ST_PARSE;
		v.params = ch_trim(p + 1, end);
		if (!v.params.n || via_params(&v))
			return ST_PARSE;
	}
	*out = v;
	return ST_OK;
}

/* End of the list element at p: the next comma outside quotes and angle brackets, or end; NULL when a quote stays open.
 */
static const char *item_end(const char *p, const char *end)
{
	bool in_brackets = false;
	for (; p < end; p++) {
		if (*p == '"' && !in_brackets) {
			if (!(p = ch_quote_end(p + 1, end)))
				return NULL;
		} else if (*p == '<') {
			in_brackets = true;
		} else if (*p == '>') {
			in_brackets = false;
		} else if (*p == ',' && !in_brackets) {
			return p;
		}
	}
	return in_brackets ? NULL : end;
}

void sip_list_start(struct sip_list_it *it, const struct sip_msg *m, enum sip_hdr_id id)
{
	*it = (struct sip_list_it){.m = m, .h = sip_msg_hdr(m, id)};
	if (it->h)
		it->rest = it->h->value;
}

void sip_list_start_value(struct sip_list_it *it, struct sv value)
{
	*it = (struct sip_list_it){.rest = value};
}

bool sip_list_next(struct sip_list_it *it)
{
	if (it->is_bad)
		return false;
	while (!it->rest.n) {
		it->h = it->h ? sip_msg_hdr_next(it->m, it->h) : NULL;
		if (!it->h)
			return false;
		it->rest = it->h->value;
	}
	const char *end = it->rest.p + it->rest.n, *e = item_end(it->rest.p, end);
	it->item = e ? ch_trim(it->rest.p, e) : SV_NONE;
	if (!it->item.n) {
		it->is_bad = true;
		return false;
	}
	it->rest = e < end ? sv_between(e + 1, end) : SV_NONE;
	if (e < end && !ch_trim(e + 1, end).n) /* a comma at the end of a line: the list just goes on */
		it->rest = SV_NONE;
	return true;
}

bool sip_msg_has_token(const struct sip_msg *m, enum sip_hdr_id id, const char *token)
{
	struct sip_list_it it;
	sip_list_start(&it, m, id);
	while (sip_list_next(&it))
		if (sv_isi(it.item, token))
			return true;
	return false;
}

int sip_msg_contact(const struct sip_msg *m, struct sip_nameaddr *out)
{
	struct sip_list_it it;
	sip_list_start(&it, m, SIP_HDR_CONTACT);
	if (!sip_list_next(&it))
		return it.is_bad ? ST_PARSE : ST_NOTFOUND;
	return sip_nameaddr_parse(out, it.item);
}

int sip_auth_parse(struct sip_auth *out, struct sv value)
{
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = {
	    {"realm", offsetof(struct sip_auth, realm)},
	    {"nonce", offsetof(struct sip_auth, nonce)},
	    {"opaque", offsetof(struct sip_auth, opaque)},
	    {"algorithm", offsetof(struct sip_auth, algorithm)},
	    {"qop", offsetof(struct sip_auth, qop)},
	    {"stale", offsetof(struct sip_auth, stale)},
	    {"username", offsetof(struct sip_auth, username)},
	    {"uri", offsetof(struct sip_auth, uri)},
	    {"response", offsetof(struct sip_auth, response)},
	    {"cnonce", offsetof(struct sip_auth, cnonce)},
	    {"nc", offsetof(struct sip_auth, nc)},
	};
	struct sip_auth a = {0};
	if (!value.n)
		return ST_PARSE;
	const char *end = value.p + value.n, *p = ch_skip_lws(value.p, end), *e = ch_span(p, end, CH_TOKEN);
	unsigned seen = 0;
	int r;
	a.scheme = sv_between(p, e);
	if (!a.scheme.n)
		return ST_PARSE;
	if (!sv_isi(a.scheme, "Digest")) {
		*out = a;
		return ST_UNSUPPORTED;
	}
	struct sip_params_it it = {.rest = sv_between(e, end)};
	while (it.rest.p && (r = sip_params_step(&it, ',')) != PARAM_END) {
		if (r == PARAM_BAD || !it.has_value)
			return ST_PARSE;
		for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
			if (!sv_isi(it.name, fields[i].name))
				continue;
			if (seen & 1u << i)
				return ST_PARSE;
			seen |= 1u << i;
			memcpy((char *)&a + fields[i].offset, &it.value, sizeof(it.value));
		}
	}
	if (!seen)
		return ST_PARSE;
	*out = a;
	return ST_OK;
}
