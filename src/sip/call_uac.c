/* The caller's side: INVITE out, forks, the answer and its ACK, CANCEL; and our own re-INVITE and UPDATE with the retry
 * after 491 (RFC 3261 14.1). */
#include "base/clock.h"
#include "sip/sip_i.h"

static ON_CTL int put_invite(struct sip_call *c, const struct sip_invite_params *p, struct buf *b)
{
	sip_put_request_line(b, SV("INVITE"), sv_of(p->uri));
	if (p->route && *p->route)
		sip_put_hdr(b, "Route", sv_of(p->route));
	sip_put_hdr_u32(b, "Max-Forwards", (uint32_t)(p->max_forwards ? p->max_forwards : 70));
	buf_printf(b, "From: %s;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u INVITE\r\n", c->dlg->local_uri,
	    c->dlg->local_tag, c->dlg->remote_uri, c->dlg->call_id, c->dlg->local_cseq);
	sip_dialog_contact_line(c->dlg, b);
	/* without SDP a reliable response's offer could not be answered in time, so none is asked for */
	bool is_reliable = p->reliable ? p->reliable == SIP_RELIABLE_ON : sip_stack_has_100rel(c->stack);
	sip_put_common_invite(c->stack, b, is_reliable && p->sdp.n);
	sip_put_events(c->stack, b, SIP_INVITE);
	sip_put_lines(b, p->headers);
	sip_put_call_body(b, sv_of(p->ctype ? p->ctype : "application/sdp"), p->sdp);
	return b->failed ? ST_NOMEM : ST_OK;
}

static char *nameaddr_text(const char *display, const char *uri)
{
	struct buf b;
	buf_init(&b);
	sip_put_nameaddr(&b, sv_of(display), sv_of(uri));
	return buf_take(&b);
}

/* Parameters of Contact: inside its brackets, or with ~ in front behind them; a first ';' may be there. */
static bool contact_params_ok(const char *text)
{
	bool is_after = *text == '~';
	text += is_after;
	text += *text == ';';
	return !*text || (is_after ? sip_is_hdr_params(sv_of(text)) : sip_is_uri_params(sv_of(text)));
}

/* RFC 3261 25.1: word [ "@" word ], of which nothing may be blank. */
static bool call_id_ok(const char *text)
{
	return *text && !text[strcspn(text, " \t,;")] && sip_is_value(sv_of(text));
}

/* Whatever becomes part of a header must be what stands there by the grammar, and the tag a token that fits. */
static bool params_ok(const struct sip_invite_params *p)
{
	struct sip_uri uri;
	if (!sip_is_value(sv_of(p->ctype)) || (p->contact && !sip_is_nameaddr_list(sv_of(p->contact))) ||
	    (p->contact_params && !contact_params_ok(p->contact_params)) ||
	    (p->route && *p->route && !sip_is_nameaddr_list(sv_of(p->route))))
		return false;
	if (p->from_tag &&
	    (!sip_is_token(sv_of(p->from_tag)) || strlen(p->from_tag) >= sizeof(((struct sip_dialog *)0)->local_tag)))
		return false;
	return p->uri && p->from_uri && !sip_uri_parse(&uri, sv_of(p->uri)) &&
	       !sip_uri_parse(&uri, sv_of(p->from_uri)) && (!p->to_uri || !sip_uri_parse(&uri, sv_of(p->to_uri))) &&
	       (!p->call_id || call_id_ok(p->call_id)) && p->cseq <= INT32_MAX;
}

static int fill(struct sip_call *c, const struct sip_invite_params *p)
{
	struct sip_dialog *d = c->dlg;
	char id[UUID_CHARS + 1];
	uuid_make(id);
	d->call_id = mem_strdup(p->call_id ? p->call_id : id);
	d->local_uri = nameaddr_text(p->from_display, p->from_uri);
	d->remote_uri = nameaddr_text(p->to_display, p->to_uri ? p->to_uri : p->uri);
	d->contact_user = mem_strdup(p->contact_user);
	d->contact = mem_strdup(p->contact);
	d->contact_params = mem_strdup(p->contact_params);
	d->far.target = mem_strdup(p->uri);
	d->is_sips = sv_startsi(sv_of(p->uri), SV("sips:"));
	if (p->from_tag)
		memcpy(d->local_tag, p->from_tag, strlen(p->from_tag) + 1);
	else
		rand_token(d->local_tag, SIP_TAG_CHARS);
	d->local_cseq = p->cseq ? p->cseq : 1 + rand_below(0x3fffffff);
	d->use_source_address = p->use_source_address;
	d->has_credentials = p->credentials != NULL;
	d->credentials = p->credentials;
	d->credentials_arg = p->credentials_arg;
	c->has_sdp_sent = p->sdp.n > 0;
	return d->call_id && d->local_uri && d->remote_uri && d->far.target ? ST_OK : ST_NOMEM;
}

int sip_call_invite(struct sip_call **out, struct sip_stack *s, const struct sip_invite_params *p,
    const struct sip_call_handlers *h, void *arg)
{
	struct buf b;
	char *hop = NULL;
	if (!params_ok(p))
		return ST_INVAL;
	struct sip_call *c = sip_call_new(s, h, arg, true);
	if (!c)
		return ST_NOMEM;
	buf_init(&b);
	int st = fill(c, p);
	if (!st)
		st = put_invite(c, p, &b);
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
		    .method = SIP_INVITE,
		    .cseq = c->dlg->local_cseq,
		    .dst = p->dst,
		    .hop = hop ? hop : p->uri,
		    .fn = sip_call_uac_response,
		    .arg = c,
		    .credentials = p->credentials ? sip_dialog_credentials : NULL,
		    .credentials_arg = c->dlg,
		    .dialog = c->dlg};
		st = sip_ctx_start(&c->inv_ctx, s, &cp);
	}
	mem_free(hop);
	buf_fini(&b);
	if (st) {
		mem_unref(c);
		return st;
	}
	c->dlg->remote = c->inv_ctx->dst.addr;
	c->dlg->transport = (uint8_t)c->inv_ctx->dst.transport;
	if (addr_is_set(&c->dlg->remote))
		sip_stack_local_addr(s, (enum sip_transport)c->dlg->transport, &c->dlg->remote, &c->dlg->local);
	sip_call_register(c);
	*out = c;
	return ST_OK;
}

/* Makes the fork with this tag the current dialog; the old one stays in the list. */
static ON_CTL int select_fork(struct sip_call *c, const struct sip_msg *m)
{
	struct sip_far *f, *old;
	if (!c->dlg->far.remote_tag || sv_is(m->to_tag, c->dlg->far.remote_tag))
		return sip_far_from_response(&c->dlg->far, m);
	f = sip_dialog_fork(c->dlg, m->to_tag);
	if (!f && (f = mem_zalloc(sizeof(*f)))) {
		size_t count = 0;
		struct lnode *n, *tmp;
		list_each (&c->dlg->forks, n, tmp)
			count++;
		if (count >= 32) {
			mem_free(f);
			return ST_LIMIT;
		}
		list_push(&c->dlg->forks, &f->link);
	}
	if (!f)
		return ST_NOMEM;
	int st = sip_far_from_response(f, m);
	if (st)
		return st;
	/* swap the contents: the list node stays where it is */
	old = f;
	struct sip_far t = *old;
	struct lnode link = old->link;
	*old = c->dlg->far;
	old->link = link;
	c->dlg->far = t;
	c->dlg->far.link = (struct lnode){NULL, NULL};
	if (!c->dlg->far.target && old->target)
		c->dlg->far.target = mem_strdup(old->target);
	return ST_OK;
}

/* Sends the ACK for a 2xx of ctx, with the body given during the callback. */
static ON_CTL void acknowledge(struct sip_call *c, struct sip_ctx *ctx, struct sv tag)
{
	struct buf b;
	struct sip_dst dst = {0};
	char *hop = NULL;
	buf_init(&b);
	if (!sip_far_put_request(&c->dlg->far, &b, "ACK", c->dlg->local_uri, c->dlg->local_tag, c->dlg->remote_uri,
	        c->dlg->call_id, ctx->cseq, &hop)) {
		sip_dialog_contact_line(c->dlg, &b);
		sip_put_call_body(&b, SV("application/sdp"), sv_of(c->ack_body));
		sip_dialog_choose_dst(c->dlg, hop, &dst);
		if (!b.failed)
			sip_ctx_ack(ctx, tag, b.p, b.n, &dst, hop);
	}
	mem_free(c->ack_body);
	c->ack_body = NULL;
	mem_free(hop);
	buf_fini(&b);
}

static ON_CTL void ack_hold(struct sip_call *c, struct sip_ctx *ctx, const char *tag)
{
	mem_free(c->ack_tag);
	c->ack_tag = mem_strdup(tag);
	c->ack_ctx = sip_ctx_ref(ctx);
	sip_ctx_hold_ack(ctx, sv_of(tag));
}

static ON_CTL void answered(struct sip_call *c, struct sip_ctx *ctx, const struct sip_msg *resp)
{
	c->inv_ctx = NULL;
	sip_ctx_orphan(ctx); /* other forks' answers and repeated ones are the transaction's from now on */
	if (c->state == SIP_CALL_CLOSED || select_fork(c, resp)) {
		sip_ctx_drop_answer(ctx, resp);
		struct sip_close why = {.kind = SIP_CLOSE_TRANSPORT, .code = 500};
		sip_call_close(c, &why);
		sip_call_finish(c);
		return;
	}
	sip_dialog_forks_free(c->dlg);
	c->has_sdp_from_remote |= resp->sdp.n > 0;
	c->state = SIP_CALL_ANSWERED;
	char *tag = sv_dup(resp->to_tag); /* the message may be gone once the user returns */
	c->in_answer = true;
	c->is_ack_held = false;
	if (c->h && c->h->on_answer)
		c->h->on_answer(c, resp, c->arg);
	c->in_answer = false;
	if (c->is_ack_held && c->stack && tag && c->state == SIP_CALL_ANSWERED) {
		ack_hold(c, ctx, tag);
		mem_free(tag);
		return;
	}
	if (c->stack && tag)
		acknowledge(c, ctx, sv_of(tag));
	mem_free(tag);
	if (c->state == SIP_CALL_ANSWERED)
		c->state = SIP_CALL_CONFIRMED;
	else if (c->is_bye_wanted)
		sip_call_bye(c);
}

static ON_CTL void failed(struct sip_call *c, int code, const struct sip_msg *resp)
{
	struct sip_close why = {.kind = resp          ? SIP_CLOSE_REJECT
	                                : code == 503 ? SIP_CLOSE_TRANSPORT
	                                              : SIP_CLOSE_TIMEOUT,
	    .is_remote = resp != NULL,
	    .code = code,
	    .phrase = resp ? resp->reason : sv_of(sip_reason_phrase(code)),
	    .reason = resp ? sip_msg_value(resp, SIP_HDR_REASON) : SV_NONE,
	    .msg = resp};
	c->inv_ctx = NULL;
	sip_call_close(c, &why);
	sip_call_finish(c);
}

void sip_call_uac_response(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	role_assert_ctl();
	struct sip_call *c = mem_ref(arg);
	if (!addr_is_set(&c->dlg->remote)) {
		c->dlg->remote = ctx->dst.addr;
		c->dlg->transport = (uint8_t)ctx->dst.transport;
	}
	if (!resp || code >= 300) {
		failed(c, code, resp);
	} else if (code >= 200) {
		answered(c, ctx, resp);
	} else if (code > 100 && c->state != SIP_CALL_CLOSED) {
		enum rel_kind rel = sip_call_rel_in(c, resp);
		if (rel != REL_IN_AGAIN && (!resp->to_tag.n || !select_fork(c, resp))) {
			c->state = SIP_CALL_EARLY;
			c->has_sdp_from_remote |= resp->sdp.n > 0;
			if (rel == REL_IN_NEXT)
				sip_call_prack(c, resp);
			if (c->h && c->h->on_progress)
				c->h->on_progress(c, resp, c->arg);
		}
	}
	mem_unref(c);
}

/* ---- re-INVITE and UPDATE ---- */

bool sip_call_is_reachable(const struct sip_call *c)
{
	return c->dlg && sip_dialog_is_reachable(c->dlg);
}

static ON_CTL int send_reinvite(struct sip_call *c)
{
	return sip_dialog_send(c->dlg, &c->inv_ctx, "INVITE", c->retry_headers, "application/sdp", sv_of(c->retry_sdp),
	    true, sip_call_reinvite_response, c);
}

/* What it said may not hold any more: theirs was heard since. */
static ON_CTL void retry_renew(struct sip_call *c)
{
	struct buf sdp;

	if (!c->retry_sdp || !c->h || !c->h->on_reinvite_again)
		return;
	buf_init(&sdp);
	char *text = c->h->on_reinvite_again(c, &sdp, c->arg) ? NULL : sv_dup(buf_sv(&sdp));
	buf_fini(&sdp);
	if (!text)
		return;
	mem_free(c->retry_sdp);
	c->retry_sdp = text;
}

static void on_retry(void *arg)
{
	role_assert_ctl();
	struct sip_call *c = arg;
	if (c->inv_tx || c->ok_tx) { /* theirs is under way: after it */
		loop_timer_set(&c->retry_timer, 1000000, "sip.491", on_retry, c);
		return;
	}
	retry_renew(c);
	if (send_reinvite(c)) {
		sip_call_retry_clear(c);
		mem_ref(c);
		if (c->h && c->h->on_reinvite_done)
			c->h->on_reinvite_done(c, 503, NULL, c->arg);
		sip_call_freed(c);
		mem_unref(c);
	}
}

static ON_CTL bool is_busy(const struct sip_call *c)
{
	return c->inv_ctx || c->inv_tx || c->ok_tx || c->ack_ctx || loop_timer_is_set(&c->retry_timer);
}

static void on_free(void *arg)
{
	role_assert_ctl();
	struct sip_call *c = arg;
	if (!c->is_free_awaited || c->state != SIP_CALL_CONFIRMED || is_busy(c))
		return; /* the next that ends is waited for */
	c->is_free_awaited = false;
	if (c->h && c->h->on_free)
		c->h->on_free(c, c->arg);
}

void sip_call_freed(struct sip_call *c)
{
	if (c->is_free_awaited && c->state == SIP_CALL_CONFIRMED && !is_busy(c))
		loop_timer_set(&c->ok_timer, 0, "sip.free", on_free, c);
}

bool sip_call_await_free(struct sip_call *c)
{
	/* who waits already, the dialog being free since, is told in a moment (the timer runs): not forgotten for who
	 * asks now, and not told before */
	c->is_free_awaited =
	    c->state < SIP_CALL_CONFIRMED || (c->state == SIP_CALL_CONFIRMED && (c->is_free_awaited || is_busy(c)));
	sip_call_freed(c);
	return c->is_free_awaited;
}

int sip_call_reinvite(struct sip_call *c, const char *headers, struct sv sdp)
{
	if (c->state != SIP_CALL_CONFIRMED)
		return c->state == SIP_CALL_ANSWERED ? ST_BUSY : ST_INVAL;
	if (is_busy(c))
		return ST_BUSY;
	sip_call_retry_clear(c);
	c->retry_headers = mem_strdup(headers);
	c->retry_sdp = sdp.n ? sv_dup(sdp) : NULL;
	if ((headers && !c->retry_headers) || (sdp.n && !c->retry_sdp)) {
		sip_call_retry_clear(c);
		return ST_NOMEM;
	}
	int st = send_reinvite(c);
	if (st)
		sip_call_retry_clear(c);
	return st;
}

/* The far side does not know the dialog, or does not answer: RFC 3261 12.2.1.2. */
static ON_CTL void dialog_lost(struct sip_call *c, int code, const struct sip_msg *resp)
{
	struct sip_close why = {.kind = SIP_CLOSE_TIMEOUT,
	    .is_remote = resp != NULL,
	    .code = code,
	    .phrase = sv_of(sip_reason_phrase(code)),
	    .msg = resp};
	sip_call_close(c, &why);
	if (code != 481)
		sip_call_bye(c);
	else
		sip_call_finish(c);
}

void sip_call_ack_release(struct sip_call *c, struct sv sdp)
{
	struct sip_ctx *ctx = c->ack_ctx;
	if (!ctx)
		return;
	c->ack_ctx = NULL;
	mem_free(c->ack_body);
	c->ack_body = sdp.n ? sv_dup(sdp) : NULL;
	if (c->stack && c->ack_tag && ctx->state != CTX_DEAD)
		acknowledge(c, ctx, sv_of(c->ack_tag));
	if (c->state == SIP_CALL_ANSWERED && c->is_uac) /* of the INVITE itself */
		c->state = SIP_CALL_CONFIRMED;
	sip_ctx_unref(ctx);
}

int sip_call_hold_ack(struct sip_call *c)
{
	if (!c->in_reinvite_done && !c->in_answer)
		return ST_INVAL;
	c->is_ack_held = true;
	return ST_OK;
}

int sip_call_reinvite_ack(struct sip_call *c, struct sv sdp)
{
	if (!c->ack_ctx || c->state == SIP_CALL_CLOSED)
		return ST_INVAL;
	sip_call_ack_release(c, sdp);
	sip_call_freed(c);
	return ST_OK;
}

void sip_call_reinvite_response(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	role_assert_ctl();
	struct sip_call *c = arg;
	if (code < 200)
		return;
	mem_ref(c);
	c->inv_ctx = NULL;
	if (code == 491) {
		/* the owner of the Call-ID waits longer */
		int64_t ms = c->is_uac ? 2100 + 10 * rand_below(191) : 10 * rand_below(201);
		loop_timer_set(&c->retry_timer, clock_us_of_ms(ms), "sip.491", on_retry, c);
		mem_unref(c);
		return;
	}
	sip_call_retry_clear(c);
	char *tag = resp ? sv_dup(resp->to_tag) : NULL;
	if (code < 300) {
		sip_ctx_orphan(ctx);
		sip_far_refresh(&c->dlg->far, resp);
	}
	c->in_reinvite_done = code < 300;
	c->is_ack_held = false;
	if (c->h && c->h->on_reinvite_done)
		c->h->on_reinvite_done(c, code, resp, c->arg);
	c->in_reinvite_done = false;
	if (c->is_ack_held && c->stack && tag && c->state != SIP_CALL_CLOSED)
		ack_hold(c, ctx, tag);
	else if (code < 300 && c->stack && tag)
		acknowledge(c, ctx, sv_of(tag));
	else if (code == 408 || code == 481 || !resp)
		dialog_lost(c, code, resp);
	sip_call_freed(c);
	mem_free(tag);
	mem_unref(c);
}

static void on_update_response(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	role_assert_ctl();
	struct sip_call *c = arg;
	if (code < 200)
		return;
	mem_ref(c);
	c->update_ctx = NULL;
	if (code < 300)
		sip_far_refresh(&c->dlg->far, resp);
	if (c->h && c->h->on_update_done)
		c->h->on_update_done(c, code, resp, c->arg);
	if (code == 408 || code == 481) {
		if (c->state == SIP_CALL_CONFIRMED)
			dialog_lost(c, code, resp);
	}
	mem_unref(c);
}

int sip_call_update(struct sip_call *c, const char *headers, struct sv sdp)
{
	if (c->state == SIP_CALL_CLOSED || !c->dlg->far.remote_tag || c->state == SIP_CALL_NONE)
		return ST_INVAL;
	if (c->update_ctx || c->update_tx ||
	    (sdp.n && c->state == SIP_CALL_CONFIRMED && (c->inv_ctx || c->inv_tx || c->ack_ctx)))
		return ST_BUSY;
	return sip_dialog_send(
	    c->dlg, &c->update_ctx, "UPDATE", headers, "application/sdp", sdp, true, on_update_response, c);
}
