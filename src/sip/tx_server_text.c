/* The text of responses (RFC 3261 8.2.6). A response mostly repeats its request: the way back, who called whom, the
 * number. So these lines are made once, when the request is there, and every response of a transaction puts its status
 * in front of them and its own lines behind. Where over UDP an address has no credit for all of it, a response can be
 * had without the lines that only describe us. Text only: nothing is sent here, nothing kept. */
#include "sip/tx_server_i.h"
#include <stdio.h>

uint64_t sip_stx_once_tag(const struct sip_msg *m)
{
	return sip_key(m->call_id, m->via.branch, m->from_tag, m->cseq);
}

void sip_stx_once_tag_text(uint64_t tag, char out[SIP_TAG_CHARS + 1])
{
	snprintf(out, SIP_TAG_CHARS + 1, "%013llx", (unsigned long long)(tag >> 12));
}

/* The topmost Via with received and rport (RFC 3581), the rest as it came. */
static void put_vias(struct buf *b, const struct sip_msg *m, const struct sip_source *src)
{
	char host[ADDR_TEXT_MAX];
	const struct sip_via *v = &m->via;
	const struct sip_hdr *h = sip_msg_hdr(m, SIP_HDR_VIA);
	if (!v->text.n) { /* it cannot be read */
		for (; h; h = sip_msg_hdr_next(m, h))
			sip_put_hdr(b, "Via", h->value);
		return;
	}
	struct sip_params_it it = {.rest = v->params};
	const char *stop = v->params.n ? v->params.p - 1 : v->text.p + v->text.n;
	while (stop > v->text.p && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == ';'))
		stop--;
	addr_host(&src->flow.peer, host);
	buf_adds(b, "Via: ");
	buf_addv(b, (struct sv){v->text.p, (size_t)(stop - v->text.p)});
	while (sip_params_next(&it, ';')) {
		if (sv_isi(it.name, "received"))
			continue;
		buf_addc(b, ';');
		buf_addv(b, it.name);
		if (sv_isi(it.name, "rport") && !src->ignores_rport) {
			buf_printf(b, "=%u", addr_port(&src->flow.peer));
		} else if (it.has_value) {
			buf_adds(b, it.is_quoted ? "=\"" : "=");
			buf_addv(b, it.value);
			buf_adds(b, it.is_quoted ? "\"" : "");
		}
	}
	if (src->adds_rport)
		buf_printf(b, ";rport=%u", addr_port(&src->flow.peer));
	if (v->has_rport || src->adds_rport || !sv_is(v->host, host))
		buf_printf(b, ";received=%s", host);
	const char *rest = v->text.p + v->text.n;
	buf_addv(b, (struct sv){rest, (size_t)(h->value.p + h->value.n - rest)});
	buf_adds(b, "\r\n");
	while ((h = sip_msg_hdr_next(m, h)))
		sip_put_hdr(b, "Via", h->value);
}

static void put_copy(struct buf *b, const struct sip_msg *m, enum sip_hdr_id id, const char *name)
{
	if (sip_msg_hdr(m, id))
		sip_put_hdr(b, name, sip_msg_value(m, id));
}

void sip_stx_put_head(struct buf *b, const struct sip_msg *m, const struct sip_source *src, uint32_t *head_n,
    uint32_t *to_n, uint32_t *rr_n)
{
	size_t start = b->n;
	put_vias(b, m, src);
	put_copy(b, m, SIP_HDR_FROM, "From");
	put_copy(b, m, SIP_HDR_CALL_ID, "Call-ID");
	put_copy(b, m, SIP_HDR_CSEQ, "CSeq");
	put_copy(b, m, SIP_HDR_TIMESTAMP, "Timestamp");
	*head_n = (uint32_t)(b->n - start);
	if (sip_msg_hdr(m, SIP_HDR_TO)) {
		buf_adds(b, "To: ");
		buf_addv(b, sip_msg_value(m, SIP_HDR_TO));
	}
	*to_n = (uint32_t)(b->n - start) - *head_n;
	for (const struct sip_hdr *h = sip_msg_hdr(m, SIP_HDR_RECORD_ROUTE); h; h = sip_msg_hdr_next(m, h))
		sip_put_hdr(b, "Record-Route", h->value);
	*rr_n = (uint32_t)(b->n - start) - *head_n - *to_n;
}

void sip_stx_put_response(struct sip_stx *tx, const struct stx_response *r, const char *to_tag)
{
	struct sip_stack *s = tx->stack;
	struct buf *b = &s->out;
	const char *head = tx->head;
	buf_clear(b);
	sip_put_status_line(b, r->code, sv_of(r->phrase));
	buf_addv(b, (struct sv){head, tx->head_n});
	buf_addv(b, (struct sv){head + tx->head_n, tx->to_n});
	if (to_tag) {
		buf_addv(b, SV(";tag="));
		buf_adds(b, to_tag);
	}
	buf_addv(b, SV("\r\n"));
	if (r->has_record_route && r->code > 100 && r->code < 300)
		buf_addv(b, (struct sv){head + tx->head_n + tx->to_n, tx->rr_n});
	if (r->contact)
		sip_put_hdr(b, "Contact", sv_of(r->contact));
	if (tx->method != SIP_CANCEL && !r->is_short)
		sip_put_common(s, b, r->code != 100);
	if (tx->method != SIP_CANCEL && !r->is_short && r->code != 100)
		sip_put_events(
		    s, b, tx->to_had_tag && tx->method == SIP_INVITE ? SIP_NO_METHOD : (enum sip_method)tx->method);
	if (tx->rseq && r->code < 200)
		buf_printf(b, "Require: 100rel\r\nRSeq: %u\r\n", tx->rseq);
	sip_put_lines(b, r->headers);
	if (r->is_short)
		sip_put_body(b, sv_of(r->ctype), r->body);
	else
		sip_put_call_body(b, sv_of(r->ctype), r->body);
}
