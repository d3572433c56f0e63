/* Requests inside the dialog that are the call's: BYE, re-INVITE and UPDATE with their collision rules (RFC 3261 14.2,
 * RFC 3311 5.2), everything else that no other usage owns to the user or its default answer. */
#include "sip/sip_i.h"

static ON_CTL void simple(struct sip_stx *tx, int code, const char *headers)
{
	sip_stx_respond(tx, code, NULL, headers, NULL, SV_NONE, NULL, false);
}

static ON_CTL void retry_after(struct sip_stx *tx)
{
	struct buf b;
	buf_init(&b);
	buf_printf(&b, "Retry-After: %u\r\n", rand_below(11));
	simple(tx, 500, b.p);
	buf_fini(&b);
}

static ON_CTL void bye_in(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *m)
{
	struct sip_close why = {.kind = SIP_CLOSE_BYE,
	    .is_remote = true,
	    .code = 200,
	    .reason = sip_msg_value(m, SIP_HDR_REASON),
	    .msg = m};
	struct buf headers;
	buf_init(&headers);
	if (c->h && c->h->on_bye)
		c->h->on_bye(c, m, &headers, c->arg);
	simple(tx, 200, headers.p);
	buf_fini(&headers);
	if (c->ok_tx) { /* nobody will acknowledge our 2xx any more */
		loop_timer_cancel(&c->ok_timer);
		sip_stx_acked(c->ok_tx);
		sip_stx_unref(c->ok_tx);
		c->ok_tx = NULL;
	}
	if (c->inv_ctx && c->state >= SIP_CALL_ANSWERED) {
		sip_ctx_orphan(c->inv_ctx);
		c->inv_ctx = NULL;
	}
	c->is_bye_wanted = false;
	sip_call_ack_release(c, SV_NONE);
	sip_call_close(c, &why);
	sip_call_finish(c);
}

static ON_CTL void reinvite_in(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *m)
{
	if (c->state <= SIP_CALL_EARLY || c->inv_tx) {
		retry_after(tx);
		return;
	}
	if (c->inv_ctx || c->ok_tx || c->ack_ctx || c->in_answer) {
		simple(tx, 491, NULL);
		return;
	}
	sip_far_refresh(&c->dlg->far, m);
	if (!c->h || !c->h->on_reinvite) {
		simple(tx, 488, NULL);
		return;
	}
	c->inv_tx = sip_stx_ref(tx);
	tx->usage = &c->usage;
	c->h->on_reinvite(c, tx, m, c->arg);
}

static ON_CTL void update_in(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *m)
{
	bool is_early = c->state <= SIP_CALL_EARLY;
	if (c->update_tx || (c->inv_tx && !is_early)) {
		retry_after(tx);
		return;
	}
	/* an offer of ours without answer: 491; an offer of theirs that we did not answer yet: 500 */
	if (m->sdp.n && (c->update_ctx || c->ack_ctx || (c->inv_ctx && !is_early) ||
	                    (is_early && c->is_uac && !c->has_sdp_from_remote))) {
		simple(tx, 491, NULL);
		return;
	}
	if (m->sdp.n && is_early && !c->is_uac && !c->has_sdp_sent) {
		retry_after(tx);
		return;
	}
	sip_far_refresh(&c->dlg->far, m);
	if (!c->h || !c->h->on_update) {
		sip_dialog_answer(c->dlg, tx, m->sdp.n ? 488 : 200, NULL, NULL, NULL, SV_NONE);
		return;
	}
	c->update_tx = sip_stx_ref(tx);
	c->h->on_update(c, tx, m, c->arg);
}

static ON_CTL void other_in(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *m)
{
	if (c->h && c->h->on_request) {
		c->h->on_request(c, tx, m, c->arg);
		return;
	}
	bool is_fine = m->method == SIP_INFO || m->method == SIP_OPTIONS;
	simple(tx, is_fine ? 200 : 501, NULL);
}

void sip_call_request_in(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *m)
{
	if (c->state == SIP_CALL_CLOSED) {
		simple(tx, m->method == SIP_BYE ? 200 : 481, NULL);
		return;
	}
	mem_ref(c);
	switch (m->method) {
	case SIP_BYE:
		if (c->is_uac && c->state <= SIP_CALL_EARLY)
			simple(tx, 481, NULL); /* the callee may not end an early dialog by BYE */
		else
			bye_in(c, tx, m);
		break;
	case SIP_INVITE:
		reinvite_in(c, tx, m);
		break;
	case SIP_UPDATE:
		update_in(c, tx, m);
		break;
	case SIP_PRACK:
		sip_call_prack_in(c, tx, m);
		break;
	default:
		other_in(c, tx, m);
		break;
	}
	mem_unref(c);
}

int sip_call_reply(struct sip_call *c, struct sip_stx *tx, int code, const char *phrase, const char *headers,
    const char *ctype, struct sv body)
{
	if (c->state == SIP_CALL_CLOSED) /* too late for the dialog, but the transaction wants its end */
		return sip_stx_respond(tx, code, phrase, headers, ctype, body, NULL, false);
	struct sip_stx **slot = tx == c->inv_tx ? &c->inv_tx : tx == c->update_tx ? &c->update_tx : NULL;
	if (tx == c->inv_tx && c->state <= SIP_CALL_EARLY)
		return ST_INVAL; /* sip_call_progress, _answer and _reject do that */
	int st = sip_dialog_answer(c->dlg, tx, code, phrase, headers, ctype ? ctype : "application/sdp", body);
	if (st || code < 200 || !slot)
		return st;
	tx->usage = NULL;
	*slot = NULL;
	if (tx->method == SIP_INVITE && code < 300)
		sip_call_wait_ack(c, tx);
	sip_stx_unref(tx);
	sip_call_freed(c);
	return ST_OK;
}
