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
	buf_printf(b, "From: %s;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u INVITE\r\n", c->local_uri, c->local_tag,
	    c->remote_uri, c->call_id, c->local_cseq);
	sip_call_contact_line(c, b);
	sip_put_common(c->stack, b, true);
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
	    (!sip_is_token(sv_of(p->from_tag)) || strlen(p->from_tag) >= sizeof(((struct sip_call *)0)->local_tag)))
		return false;
	return p->uri && p->from_uri && !sip_uri_parse(&uri, sv_of(p->uri)) &&
	       !sip_uri_parse(&uri, sv_of(p->from_uri)) && (!p->to_uri || !sip_uri_parse(&uri, sv_of(p->to_uri))) &&
	       (!p->call_id || call_id_ok(p->call_id)) && p->cseq <= INT32_MAX;
}

static int fill(struct sip_call *c, const struct sip_invite_params *p)
{
	char id[UUID_CHARS + 1];
	uuid_make(id);
	c->call_id = mem_strdup(p->call_id ? p->call_id : id);
	c->local_uri = nameaddr_text(p->from_display, p->from_uri);
	c->remote_uri = nameaddr_text(p->to_display, p->to_uri ? p->to_uri : p->uri);
	c->contact_user = mem_strdup(p->contact_user);
	c->contact = mem_strdup(p->contact);
	c->contact_params = mem_strdup(p->contact_params);
	c->dlg.target = mem_strdup(p->uri);
	if (p->from_tag)
		memcpy(c->local_tag, p->from_tag, strlen(p->from_tag) + 1);
	else
		rand_token(c->local_tag, SIP_TAG_CHARS);
	c->local_cseq = p->cseq ? p->cseq : 1 + rand_below(0x3fffffff);
	c->use_source_address = p->use_source_address;
	c->credentials = p->credentials;
	c->credentials_arg = p->credentials_arg;
	c->has_sdp_sent = p->sdp.n > 0;
	return c->call_id && c->local_uri && c->remote_uri && c->dlg.target ? ST_OK : ST_NOMEM;
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
		    .cseq = c->local_cseq,
		    .dst = p->dst,
		    .hop = hop ? hop : p->uri,
		    .fn = sip_call_uac_response,
		    .arg = c,
		    .credentials = p->credentials ? sip_call_credentials : NULL,
		    .credentials_arg = c,
		    .call = c};
		st = sip_ctx_start(&c->inv_ctx, s, &cp);
	}
	mem_free(hop);
	buf_fini(&b);
	if (st) {
		mem_unref(c);
		return st;
	}
	c->remote = c->inv_ctx->dst.addr;
	c->transport = (uint8_t)c->inv_ctx->dst.transport;
	if (addr_is_set(&c->remote))
		sip_stack_local_addr(s, (enum sip_transport)c->transport, &c->remote, &c->local);
	sip_call_register(c);
	*out = c;
	return ST_OK;
}

/* Makes the fork with this tag the current dialog; the old one stays in the list. */
static ON_CTL int select_fork(struct sip_call *c, const struct sip_msg *m)
{
	struct sip_dialog *d, *old;
	if (!c->dlg.remote_tag || sv_is(m->to_tag, c->dlg.remote_tag))
		return sip_dialog_from_response(&c->dlg, m);
	d = sip_call_fork(c, m->to_tag);
	if (!d && (d = mem_zalloc(sizeof(*d)))) {
		size_t count = 0;
		struct lnode *n, *tmp;
		list_each (&c->forks, n, tmp)
			count++;
		if (count >= 32) {
			mem_free(d);
			return ST_LIMIT;
		}
		list_push(&c->forks, &d->link);
	}
	if (!d)
		return ST_NOMEM;
	int st = sip_dialog_from_response(d, m);
	if (st)
		return st;
	/* swap the contents: the list node stays where it is */
	old = d;
	struct sip_dialog t = *old;
	struct lnode link = old->link;
	*old = c->dlg;
	old->link = link;
	c->dlg = t;
	c->dlg.link = (struct lnode){NULL, NULL};
	if (!c->dlg.target && old->target)
		c->dlg.target = mem_strdup(old->target);
	return ST_OK;
}

static void drop_forks(struct sip_call *c)
{
	struct lnode *n;
	while ((n = list_first(&c->forks))) {
		struct sip_dialog *d = list_entry(n, struct sip_dialog, link);
		list_remove(n);
		sip_dialog_fini(d);
		mem_free(d);
	}
}

/* Sends the ACK for a 2xx of ctx, with the body given during the callback. */
static ON_CTL void acknowledge(struct sip_call *c, struct sip_ctx *ctx, struct sv tag)
{
	struct buf b;
	struct sip_dst dst = {0};
	char *hop = NULL;
	buf_init(&b);
	if (!sip_dialog_put_request(
	        &c->dlg, &b, "ACK", c->local_uri, c->local_tag, c->remote_uri, c->call_id, ctx->cseq, &hop)) {
		sip_call_contact_line(c, &b);
		sip_put_call_body(&b, SV("application/sdp"), sv_of(c->ack_body));
		sip_call_choose_dst(c, hop, &dst);
		if (!b.failed)
			sip_ctx_ack(ctx, tag, b.p, b.n, &dst, hop);
	}
	mem_free(c->ack_body);
	c->ack_body = NULL;
	mem_free(hop);
	buf_fini(&b);
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
	drop_forks(c);
	c->has_sdp_from_remote |= resp->sdp.n > 0;
	c->state = SIP_CALL_ANSWERED;
	char *tag = sv_dup(resp->to_tag); /* the message may be gone once the user returns */
	c->in_answer = true;
	if (c->h && c->h->on_answer)
		c->h->on_answer(c, resp, c->arg);
	c->in_answer = false;
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
	if (!addr_is_set(&c->remote)) {
		c->remote = ctx->dst.addr;
		c->transport = (uint8_t)ctx->dst.transport;
	}
	if (!resp || code >= 300) {
		failed(c, code, resp);
	} else if (code >= 200) {
		answered(c, ctx, resp);
	} else if (code > 100 && c->state != SIP_CALL_CLOSED) {
		if (!resp->to_tag.n || !select_fork(c, resp)) {
			c->state = SIP_CALL_EARLY;
			c->has_sdp_from_remote |= resp->sdp.n > 0;
			if (c->h && c->h->on_progress)
				c->h->on_progress(c, resp, c->arg);
		}
	}
	mem_unref(c);
}

/* ---- re-INVITE and UPDATE ---- */

static ON_CTL int send_reinvite(struct sip_call *c)
{
	return sip_call_send(c, &c->inv_ctx, "INVITE", c->retry_headers, "application/sdp", sv_of(c->retry_sdp), true,
	    sip_call_reinvite_response, c);
}

static void on_retry(void *arg)
{
	role_assert_ctl();
	struct sip_call *c = arg;
	if (c->inv_tx || c->ok_tx) { /* theirs is under way: after it */
		loop_timer_set(&c->retry_timer, 1000000, "sip.491", on_retry, c);
		return;
	}
	if (send_reinvite(c)) {
		sip_call_retry_clear(c);
		if (c->h && c->h->on_reinvite_done)
			c->h->on_reinvite_done(c, 503, NULL, c->arg);
	}
}

int sip_call_reinvite(struct sip_call *c, const char *headers, struct sv sdp)
{
	if (c->state != SIP_CALL_CONFIRMED)
		return c->state == SIP_CALL_ANSWERED ? ST_BUSY : ST_INVAL;
	if (c->inv_ctx || c->inv_tx || c->ok_tx || c->ack_ctx || loop_timer_is_set(&c->retry_timer))
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

static ON_CTL void ack_hold(struct sip_call *c, struct sip_ctx *ctx, const char *tag)
{
	mem_free(c->ack_tag);
	c->ack_tag = mem_strdup(tag);
	c->ack_ctx = sip_ctx_ref(ctx);
	sip_ctx_hold_ack(ctx, sv_of(tag));
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
	sip_ctx_unref(ctx);
}

int sip_call_hold_ack(struct sip_call *c)
{
	if (!c->in_reinvite_done)
		return ST_INVAL;
	c->is_ack_held = true;
	return ST_OK;
}

int sip_call_reinvite_ack(struct sip_call *c, struct sv sdp)
{
	if (!c->ack_ctx || c->state == SIP_CALL_CLOSED)
		return ST_INVAL;
	sip_call_ack_release(c, sdp);
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
		sip_dialog_refresh(&c->dlg, resp);
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
		sip_dialog_refresh(&c->dlg, resp);
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
	if (c->state == SIP_CALL_CLOSED || !c->dlg.remote_tag || c->state == SIP_CALL_NONE)
		return ST_INVAL;
	if (c->update_ctx || c->update_tx ||
	    (sdp.n && c->state == SIP_CALL_CONFIRMED && (c->inv_ctx || c->inv_tx || c->ack_ctx)))
		return ST_BUSY;
	return sip_call_send(c, &c->update_ctx, "UPDATE", headers, "application/sdp", sdp, true, on_update_response, c);
}
