/* Requests outside dialogs (REGISTER to gateways, OPTIONS pings, MESSAGE, NOTIFY): builds the text and starts the
 * transaction. */
#include "sip/sip_i.h"

static void put_from(struct buf *b, const char *from)
{
	struct sip_nameaddr na;
	char tag[SIP_TAG_CHARS + 1];
	bool has_tag = !sip_nameaddr_parse(&na, sv_of(from)) && sip_param_get(na.params, ';', "tag", NULL);
	buf_adds(b, "From: ");
	if (strchr(from, '<'))
		buf_addv(b, sv_of(from));
	else
		buf_printf(b, "<%s>", from);
	if (!has_tag) {
		rand_token(tag, SIP_TAG_CHARS);
		buf_printf(b, ";tag=%s", tag);
	}
	buf_adds(b, "\r\n");
}

static ON_CTL int put_request(struct sip_stack *s, const struct sip_request_params *p, uint32_t cseq, struct buf *b)
{
	char id[UUID_CHARS + 1];
	const char *to = p->to ? p->to : p->uri;
	const char *one_line[] = {p->call_id, p->ctype}, *addresses[] = {p->from, to, p->contact, p->route};
	for (size_t i = 0; i < ARRAY_COUNT(one_line); i++)
		if (!sip_is_value(sv_of(one_line[i])))
			return ST_INVAL;
	for (size_t i = 0; i < ARRAY_COUNT(addresses); i++)
		if (addresses[i] && *addresses[i] && !sip_is_nameaddr_list(sv_of(addresses[i])))
			return ST_INVAL;
	uuid_make(id);
	sip_put_request_line(b, sv_of(p->method), sv_of(p->uri));
	sip_put_hdr_u32(b, "Max-Forwards", (uint32_t)(p->max_forwards ? p->max_forwards : 70));
	if (p->route && *p->route)
		sip_put_hdr(b, "Route", sv_of(p->route));
	put_from(b, p->from);
	buf_printf(b, strchr(to, '<') ? "To: %s\r\n" : "To: <%s>\r\n", to);
	sip_put_hdr(b, "Call-ID", sv_of(p->call_id ? p->call_id : id));
	buf_printf(b, "CSeq: %u %s\r\n", cseq, p->method);
	if (p->contact && *p->contact)
		sip_put_hdr(b, "Contact", sv_of(p->contact));
	else if (p->contact)
		buf_printf(b, "Contact: <%s:%s@" SIP_SELF_MARK_TEXT ">\r\n",
		    sv_startsi(sv_of(p->uri), SV("sips:")) ? "sips" : "sip", s->cfg.contact_user);
	sip_put_common_as(s, b, p->user_agent ? p->user_agent : s->cfg.user_agent, true);
	sip_put_lines(b, p->headers);
	sip_put_body(b, sv_of(p->ctype), p->body);
	return b->failed ? ST_NOMEM : ST_OK;
}

int sip_request_send(
    struct sip_ctx **out, struct sip_stack *s, const struct sip_request_params *p, sip_response_fn fn, void *arg)
{
	struct buf b;
	struct sip_uri uri;
	char *hop = NULL;
	if (!p->method || !p->uri || !p->from || !sip_is_token(sv_of(p->method)) || sip_uri_parse(&uri, sv_of(p->uri)))
		return ST_INVAL;
	uint32_t cseq = p->cseq ? p->cseq : 1 + rand_below(0x3fffffff);
	buf_init(&b);
	int st = put_request(s, p, cseq, &b);
	if (!st && p->route && *p->route) {
		struct sip_list_it it;
		struct sip_nameaddr na;
		sip_list_start_value(&it, sv_of(p->route));
		st = sip_list_next(&it) && !sip_nameaddr_parse(&na, it.item) ? ST_OK : ST_INVAL;
		hop = st ? NULL : sv_dup(na.uri.text);
	}
	if (!st) {
		struct ctx_params cp = {.text = b.p,
		    .text_n = b.n,
		    .method = sip_method_of(sv_of(p->method)),
		    .cseq = cseq,
		    .dst = p->dst,
		    .hop = hop ? hop : p->uri,
		    .fn = fn,
		    .arg = arg,
		    .credentials = p->credentials,
		    .credentials_arg = p->credentials_arg};
		st = sip_ctx_start(out, s, &cp);
	}
	mem_free(hop);
	buf_fini(&b);
	return st;
}
