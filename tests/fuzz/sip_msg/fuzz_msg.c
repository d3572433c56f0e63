/* Any bytes as one message: parse, then walk every header, list, address, URI and credential; what parses must copy to
 * the same fields.
 * Parser: sip/msg/msg.c, sip/msg/hdr.c, sip/msg/uri.c, sip/msg/chars.c, sip/msg/body.c,
 * sip/msg/names.c, sip/msg/build.c */
#include "base/check.h"
#include "base/mem.h"
#include "sip/msg/msg.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t sum;
static void touch(struct sv v)
{
	for (size_t i = 0; i < v.n; i++)
		sum += (uint8_t)v.p[i];
}

static void walk_uri(const struct sip_uri *u)
{
	struct buf b;
	touch(u->text), touch(u->user), touch(u->host), touch(u->params), touch(u->headers), touch(u->password);
	CHECK(sip_uri_transport(u) == SIP_TRANSPORT_NONE || sip_uri_param(u, "transport", NULL));
	CHECK(!u->text.n || sip_uri_eq(u, u));
	buf_init(&b);
	sip_unescape(&b, u->user);
	sip_escape_user(&b, u->user);
	buf_fini(&b);
}

static void walk_params(struct sv params, char sep)
{
	struct sip_params_it it = {.rest = params};
	while (sip_params_next(&it, sep))
		touch(it.name), touch(it.value);
}

static void part_touch(const struct sip_part *part, void *arg)
{
	touch(part->ctype), touch(part->disposition), touch(part->bytes);
}

static void walk(const struct sip_msg *m)
{
	for (size_t i = 0; i < m->hdr_count; i++) {
		struct sip_list_it it;
		struct sip_nameaddr na;
		struct sip_via via;
		struct sip_auth auth;
		touch(m->hdrs[i].name), touch(m->hdrs[i].value);
		sip_auth_parse(&auth, m->hdrs[i].value);
		sip_list_start_value(&it, m->hdrs[i].value);
		while (sip_list_next(&it)) {
			if (!sip_nameaddr_parse(&na, it.item)) {
				walk_uri(&na.uri);
				walk_params(na.params, ';');
				sip_nameaddr_q_milli(&na);
				sip_nameaddr_expires_s(&na);
			}
			if (!sip_via_parse(&via, it.item))
				walk_params(via.params, ';'), touch(via.branch), touch(via.host);
		}
	}
	for (int id = 0; id < SIP_HDR_COUNT; id++)
		for (const struct sip_hdr *h = sip_msg_hdr(m, (enum sip_hdr_id)id); h; h = sip_msg_hdr_next(m, h))
			CHECK(h->id == id);
	walk_uri(&m->ruri), walk_uri(&m->from.uri), walk_uri(&m->to.uri);
	sip_uri_eq(&m->from.uri, &m->to.uri), sip_uri_eq(&m->to.uri, &m->from.uri), sip_uri_eq(&m->ruri, &m->to.uri);
	touch(m->body), touch(m->sdp), touch(m->call_id), touch(m->from_tag), touch(m->to_tag), touch(m->via.branch);
	sip_body_each(m, part_touch, NULL);
}

/* Each says of a text that it may stand in its place: there it must read so. */
static void placed(struct sv v)
{
	struct sip_nameaddr na;
	struct buf b;
	buf_init(&b);
	if (sip_is_host(v)) {
		buf_printf(&b, "<sip:%.*s>", SVF(v));
		CHECK(!sip_nameaddr_parse(&na, buf_sv(&b)) && !na.uri.user.n && !na.uri.params.n);
	}
	buf_clear(&b);
	if (sip_is_uri_params(v)) {
		buf_printf(&b, "<sip:h;%.*s>", SVF(v));
		CHECK(!sip_nameaddr_parse(&na, buf_sv(&b)) && !na.params.n && sv_eq(na.uri.params, v));
	}
	buf_clear(&b);
	if (sip_is_hdr_params(v)) {
		buf_printf(&b, "<sip:h>;%.*s", SVF(v));
		CHECK(!sip_nameaddr_parse(&na, buf_sv(&b)) && na.params.n == v.n && !na.uri.params.n);
	}
	if (sip_is_nameaddr_list(v))
		CHECK(sip_is_value(v) && v.n);
	CHECK(!sip_is_token(v) || sip_is_value(v));
	buf_fini(&b);
}

/* The look-ups, by every name there is. */
static void names(const struct sip_msg *m)
{
	struct sip_nameaddr contact;
	struct sip_part part;
	for (int i = -1; i <= SIP_HDR_COUNT; i++)
		touch(sip_msg_value_named(m, sip_hdr_name((enum sip_hdr_id)i)));
	sip_msg_value_named(m, "X-Other");
	CHECK(m->is_request || sip_method_of(m->method_text) == m->method);
	touch(sv_of(sip_method_name((enum sip_method)m->method)));
	sip_msg_has_token(m, SIP_HDR_SUPPORTED, "outbound");
	if (!sip_msg_contact(m, &contact))
		walk_uri(&contact.uri);
	if (sip_body_part(m, "application/isup", &part) || sip_body_part(m, "text/plain", &part))
		CHECK(part.bytes.p >= m->body.p && part.bytes.p + part.bytes.n <= m->body.p + m->body.n);
	for (size_t i = 0; i < m->hdr_count; i++)
		placed(m->hdrs[i].value);
}

/* A message with any bytes in every place: it reads as what was meant, with no line more. */
static void built(struct sv any, const struct sip_msg *of)
{
	static struct sip_hdr hdrs[SIP_MSG_HDRS_MAX];
	struct sip_part part = {.ctype = SV("text/x"), .disposition = any, .bytes = any};
	enum sip_transport t = sip_transport_of(of->via.protocol);
	struct buf b, ctype, body;
	struct sip_msg m;
	buf_init(&b), buf_init(&ctype), buf_init(&body);
	if (of->is_request)
		sip_put_request_line(&b, SV("OPTIONS"), SV("sip:h"));
	else
		sip_put_status_line(&b, of->code ? of->code : 200, of->code % 2 ? any : SV_NONE);
	buf_printf(&b, "Via: SIP/2.0/%s h;branch=z9hG4bKa\r\nTo: ", t ? sip_transport_name(t) : "UDP");
	sip_put_nameaddr(&b, any, SV("sip:h"));
	buf_adds(&b, "\r\nFrom: <sip:h");
	sip_put_transport(&b, t);
	buf_adds(&b, sip_transport_is_reliable(t) ? ">;tag=1\r\nX-Quoted: " : ">;tag=2\r\nX-Quoted: ");
	sip_put_quoted(&b, any);
	buf_adds(&b, "\r\nX-Address: ");
	sip_put_nameaddr(&b, any, any);
	buf_adds(&b, "\r\n");
	sip_put_hdr(&b, "Call-ID", SV("x"));
	sip_put_hdr(&b, "CSeq", SV("1 OPTIONS"));
	sip_put_hdr(&b, "Subject", any);
	sip_put_hdr_u32(&b, "Max-Forwards", 70);
	sip_put_multipart(&ctype, &body, any, &part, 1);
	sip_put_body(&b, buf_sv(&ctype), buf_sv(&body));
	CHECK(!sip_msg_parse(&m, hdrs, SIP_MSG_HDRS_MAX, b.p, b.n, SIP_PARSE_STREAM));
	CHECK(m.hdr_count == 11 && !m.has_folds && sv_eq(m.sdp, any));
	buf_fini(&b), buf_fini(&ctype), buf_fini(&body);
}

/* Free text as header lines: each is one of its own. */
static void lines(struct sv any)
{
	char *text = sv_dup(any);
	struct buf b;
	buf_init(&b);
	sip_put_lines(&b, text);
	for (struct sv rest = buf_sv(&b), line; rest.n;) {
		CHECK(sv_split(rest, '\n', &line, &rest) && line.n > 2 && line.p[line.n - 1] == '\r');
		CHECK(line.p[0] != ' ' && line.p[0] != '\t' && sip_is_value(sv_sub(line, 0, line.n - 1)));
	}
	buf_fini(&b);
	mem_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_msg m;
	struct sv any = {(const char *)data, size < 2000 ? size : 2000};
	lines(any);
	static struct sip_hdr hdrs[SIP_MSG_HDRS_MAX];
	for (unsigned flags = 0; flags <= SIP_PARSE_STREAM; flags++) {
		int st = sip_msg_parse(&m, hdrs, SIP_MSG_HDRS_MAX, (const char *)data, size, flags);
		CHECK((st == 0) == (m.error == NULL));
		walk(&m);
		names(&m);
		if (!flags)
			built(any, &m);
		if (st)
			continue;
		struct sip_msg *head = sip_msg_dup_head(&m);
		CHECK(head && !head->body.n && head->hdr_count == m.hdr_count);
		mem_unref(head);
		struct sip_msg *d = sip_msg_dup(&m);
		CHECK(d && sv_eq(d->call_id, m.call_id) && sv_eq(d->body, m.body) && d->hdr_count == m.hdr_count &&
		      sv_eq(d->from_tag, m.from_tag));
		walk(d);
		mem_unref(d);
		/* unfolding changes no header's place and leaves no line break */
		char *copy = malloc(m.raw.n);
		struct sip_msg u;
		memcpy(copy, m.raw.p, m.raw.n);
		sip_msg_unfold(copy, m.raw.n);
		static struct sip_hdr more[SIP_MSG_HDRS_MAX];
		if (!sip_msg_parse(&u, more, SIP_MSG_HDRS_MAX, copy, m.raw.n, 0)) {
			CHECK(!u.has_folds);
			for (size_t i = 0; i < u.hdr_count; i++)
				CHECK(!memchr(u.hdrs[i].value.p, '\n', u.hdrs[i].value.n));
		}
		free(copy);
	}
	return 0;
}
