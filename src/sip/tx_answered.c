/* An INVITE of ours that was answered: its transaction lives on for 64*T1 (RFC 6026), says the call's ACK again with
 * each 2xx that comes again, and sends away a second phone that answered too (a proxy forked it): ACK and BYE, made of
 * the request and that answer. The request itself is not needed any more. */
#include "sip/sip_i.h"

void sip_ctx_ack_again(struct sip_ctx *c)
{
	struct ctx_params p = {.text = c->ack,
	    .text_n = c->ack_n,
	    .method = SIP_ACK,
	    .cseq = c->cseq,
	    .dst = c->ack_dst,
	    .hop = c->ack_hop,
	    .behalf = &c->dst.addr,
	    .branch = c->ack_branch,
	    .is_oneshot = true};
	if (c->ack)
		sip_ctx_start(NULL, c->stack, &p);
}

void sip_ctx_ack(
    struct sip_ctx *c, struct sv tag, const char *text, size_t n, const struct sip_dst *dst, const char *hop)
{
	mem_free(c->ack);
	mem_free(c->ack_tag);
	mem_free(c->ack_hop);
	c->ack = mem_alloc(n + 1);
	c->ack_tag = sv_dup(tag);
	c->ack_hop = mem_strdup(hop);
	c->ack_dst = *dst;
	sip_branch_make(c->ack_branch);
	if (!c->ack)
		return;
	memcpy(c->ack, text, n);
	c->ack_n = n;
	sip_ctx_ack_again(c);
}

void sip_ctx_hold_ack(struct sip_ctx *c, struct sv tag)
{
	mem_free(c->ack_tag);
	c->ack_tag = sv_dup(tag);
}

void sip_ctx_drop_answer(struct sip_ctx *c, const struct sip_msg *resp)
{
	struct sip_stack *s = c->stack;
	struct sip_far far = {0};
	struct sip_msg m;
	static const char *const methods[] = {"ACK", "BYE"};
	if (sip_msg_parse(&m, s->own_hdrs, SIP_MSG_HDRS_MAX, c->msg, c->msg_n, 0) || sip_far_from_response(&far, resp))
		return;
	struct buf b;
	char *local =
	    sv_dup(m.from.has_brackets
	               ? (struct sv){m.from.text.p, (size_t)(m.from.uri.text.p + m.from.uri.text.n + 1 - m.from.text.p)}
	               : m.from.uri.text);
	char *tag = sv_dup(m.from_tag), *id = sv_dup(m.call_id), *remote = sv_dup(m.to.uri.text);
	for (int i = 0; i < 2 && local && tag && id && remote; i++) {
		char *hop = NULL;
		uint32_t n = c->cseq + (uint32_t)i;
		buf_init(&b);
		if (!sip_far_put_request(&far, &b, methods[i], local, tag, remote, id, n, &hop)) {
			sip_put_common(s, &b, false);
			sip_put_body(&b, SV_NONE, SV_NONE);
			struct ctx_params p = {.text = b.p,
			    .text_n = b.n,
			    .method = i ? SIP_BYE : SIP_ACK,
			    .cseq = n,
			    .hop = hop,
			    .behalf = &c->dst.addr,
			    .is_oneshot = !i};
			if (!far.route_set) /* as the INVITE went: its Contact may be behind NAT */
				p.dst = c->dst;
			if (!i && !c->ack_tag)
				sip_ctx_ack(c, resp->to_tag, b.p, b.n, &p.dst, hop);
			else if (!b.failed)
				sip_ctx_start(NULL, s, &p);
		}
		mem_free(hop);
		buf_fini(&b);
	}
	mem_free(local);
	mem_free(tag);
	mem_free(id);
	mem_free(remote);
	sip_far_fini(&far);
}

/* An answered INVITE is not sent again: what sip_ctx_drop_answer reads of it is kept for the 32 s. */
void sip_ctx_shorten(struct sip_ctx *c)
{
	struct buf *b = &c->stack->out;
	struct sip_msg m;
	char *text;

	mem_free(c->raw);
	c->raw = NULL;
	if (sip_msg_parse(&m, c->stack->own_hdrs, SIP_MSG_HDRS_MAX, c->msg, c->msg_n, 0))
		return;
	buf_clear(b);
	sip_put_request_line(b, m.method_text, m.ruri.text);
	sip_put_hdr(b, "Via", m.via.text);
	sip_put_hdr(b, "From", sip_msg_value(&m, SIP_HDR_FROM));
	sip_put_hdr(b, "To", sip_msg_value(&m, SIP_HDR_TO));
	sip_put_hdr(b, "Call-ID", m.call_id);
	buf_printf(b, "CSeq: %u %.*s\r\n", m.cseq, SVF(m.method_text));
	sip_put_body(b, SV_NONE, SV_NONE);
	text = b->failed ? NULL : mem_strndup(b->p, b->n);
	if (!text)
		return;
	mem_free(c->msg);
	c->msg = text, c->msg_n = b->n;
}
