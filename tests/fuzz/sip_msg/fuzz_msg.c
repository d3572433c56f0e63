/* Any bytes as one message: parse, then walk every header, list, address, URI and credential; what parses must copy to
 * the same fields.
 * Parser: sip/msg/msg.c, sip/msg/hdr.c, sip/msg/uri.c, sip/msg/chars.c, sip/msg/body.c */
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
	sip_uri_param(u, "transport", NULL);
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
	touch(m->body), touch(m->sdp), touch(m->call_id), touch(m->from_tag), touch(m->to_tag), touch(m->via.branch);
	sip_body_each(m, part_touch, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_msg m;
	static struct sip_hdr hdrs[SIP_MSG_HDRS_MAX];
	for (unsigned flags = 0; flags <= SIP_PARSE_STREAM; flags++) {
		int st = sip_msg_parse(&m, hdrs, SIP_MSG_HDRS_MAX, (const char *)data, size, flags);
		CHECK((st == 0) == (m.error == NULL));
		walk(&m);
		if (st)
			continue;
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
