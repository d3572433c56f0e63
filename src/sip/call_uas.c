/* The callee's side: an INVITE that came in, the answer and its retransmission until the ACK,
 * rejection, CANCEL. The same 2xx retransmission serves re-INVITEs. */
#include "base/clock.h"
#include "sip/sip_i.h"

/* name-addr or addr-spec without the header's parameters. */
static char *address_dup(const struct sip_nameaddr *na)
{
	if (!na->has_brackets)
		return sv_dup(na->uri.text);
	return sv_dup(sv_sub(na->text, 0, (size_t)(na->uri.text.p + na->uri.text.n + 1 - na->text.p)));
}

/* An INVITE without a Contact we can use: where it came from must do. */
static void target_from_source(struct sip_call *c, const struct sip_source *src)
{
	char text[ADDR_TEXT_MAX];
	struct buf b;
	buf_init(&b);
	buf_printf(&b, "sip:%s", addr_text(&src->flow.peer, text));
	sip_put_transport(&b, sip_flow_transport(&src->flow));
	c->dlg->far.target = buf_take(&b);
}

int sip_call_accept(
    struct sip_call **out, struct sip_stx *tx, const struct sip_msg *msg, const struct sip_call_handlers *h, void *arg)
{
	if (tx->method != SIP_INVITE || tx->state > STX_PROCEEDING || tx->usage)
		return ST_INVAL;
	struct sip_call *c = sip_call_new(tx->stack, h, arg, false);
	if (!c)
		return ST_NOMEM;
	c->dlg->call_id = sv_dup(msg->call_id);
	c->dlg->local_uri = address_dup(&msg->to);
	c->dlg->remote_uri = address_dup(&msg->from);
	c->invite = sip_msg_dup(msg);
	memcpy(c->dlg->local_tag, sip_stx_to_tag(tx), sizeof(tx->to_tag));
	int st = sip_far_from_request(&c->dlg->far, msg);
	if (!c->dlg->far.target)
		target_from_source(c, &tx->src);
	if (!c->dlg->call_id || !c->dlg->local_uri || !c->dlg->remote_uri || !c->invite || st) {
		mem_unref(c);
		return ST_NOMEM;
	}
	c->has_sdp_from_remote = msg->sdp.n > 0;
	c->dlg->local_cseq = rand_below(0x3fffffff);
	c->dlg->is_sips = msg->ruri.scheme == SIP_SCHEME_SIPS;
	sip_dialog_seen_from(c->dlg, &tx->src);
	c->inv_tx = sip_stx_ref(tx);
	sip_call_rel_start(c, msg);
	sip_call_register(c);
	tx->usage = &c->usage;
	*out = c;
	return ST_OK;
}

static void on_ok_timer(void *arg)
{
	role_assert_ctl();
	struct sip_call *c = arg;
	int64_t left = c->ok_deadline_us - loop_now_us(), t2_us = clock_us_of_ms(c->stack->cfg.t2_ms);
	if (left > 0) {
		sip_stx_resend(c->ok_tx);
		c->ok_interval_us = c->ok_interval_us * 2 < t2_us ? c->ok_interval_us * 2 : t2_us;
		loop_timer_set(
		    &c->ok_timer, c->ok_interval_us < left ? c->ok_interval_us : left, "sip.2xx", on_ok_timer, c);
		return;
	}
	/* RFC 3261 13.3.1.4: no ACK: the session ends by BYE */
	struct sip_close why = {.kind = SIP_CLOSE_NO_ACK, .code = 408, .phrase = SV("No ACK")};
	mem_ref(c);
	c->stack->stats.timeouts++;
	c->is_ok_initial = false;
	sip_call_close(c, &why);
	sip_call_bye(c);
	mem_unref(c);
}

void sip_call_wait_ack(struct sip_call *c, struct sip_stx *tx)
{
	struct sip_stack *s = c->stack;
	CHECK(!c->ok_tx);
	c->ok_tx = sip_stx_ref(tx);
	tx->usage = NULL;
	c->ok_deadline_us = loop_now_us() + clock_us_of_ms(s->cfg.timer_b_ms);
	c->ok_interval_us = clock_us_of_ms(s->cfg.t1_ms);
	loop_timer_set(&c->ok_timer, c->ok_interval_us, "sip.2xx", on_ok_timer, c);
}

int sip_call_answer_now(struct sip_call *c, const char *headers, struct sv sdp)
{
	struct sip_stx *tx = c->inv_tx;
	if (c->is_uac || !tx || c->state > SIP_CALL_EARLY)
		return ST_INVAL;
	int st = sip_dialog_answer(c->dlg, tx, 200, NULL, headers, "application/sdp", sdp);
	if (st)
		return st;
	c->state = SIP_CALL_ANSWERED;
	c->has_sdp_sent |= sdp.n > 0;
	sip_call_wait_ack(c, tx);
	c->is_ok_initial = true;
	c->inv_tx = NULL;
	sip_stx_unref(tx);
	return ST_OK;
}

int sip_call_reject(struct sip_call *c, int code, const char *phrase, const char *headers)
{
	if (c->is_uac || !c->inv_tx || c->state > SIP_CALL_EARLY || code < 300)
		return ST_INVAL;
	return sip_call_hangup(c, code, phrase, NULL, headers);
}

void sip_call_cancelled(struct sip_call *c, const struct sip_msg *cancel)
{
	struct sip_stx *tx = c->inv_tx;
	struct sip_close why = {.kind = SIP_CLOSE_CANCEL,
	    .is_remote = true,
	    .code = 487,
	    .reason = sip_msg_value(cancel, SIP_HDR_REASON),
	    .msg = cancel};
	if (!tx)
		return;
	bool is_initial = c->state <= SIP_CALL_EARLY;
	mem_ref(c);
	sip_call_rel_end(c);
	sip_stx_respond(tx, 487, NULL, NULL, NULL, SV_NONE, NULL, false);
	tx->usage = NULL;
	c->inv_tx = NULL;
	sip_stx_unref(tx);
	if (is_initial && c->h && c->h->on_cancel)
		c->h->on_cancel(c, cancel, c->arg);
	if (is_initial)
		sip_call_close(c, &why);
	mem_unref(c);
}

void sip_call_ack_in(struct sip_call *c, const struct sip_msg *m)
{
	if (!c->ok_tx || c->ok_tx->cseq != m->cseq)
		return; /* repeated, or of an older transaction */
	mem_ref(c);
	loop_timer_cancel(&c->ok_timer);
	sip_stx_acked(c->ok_tx);
	sip_stx_unref(c->ok_tx);
	c->ok_tx = NULL;
	c->is_ok_initial = false;
	c->invite = mem_unref(c->invite);
	if (c->state == SIP_CALL_ANSWERED)
		c->state = SIP_CALL_CONFIRMED;
	if (c->is_bye_wanted) {
		sip_call_bye(c);
	} else if (c->state == SIP_CALL_CLOSED) {
		sip_call_finish(c);
	} else if (c->h && c->h->on_ack) {
		c->h->on_ack(c, m, c->arg);
	}
	sip_call_freed(c);
	mem_unref(c);
}
