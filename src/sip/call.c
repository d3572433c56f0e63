/* The INVITE usage, what both sides share: life and end of a call, finding it, requests inside the dialog, BYE. The
 * state table is in call_uas.c, call_uac.c (before the answer) and call_in.c (requests that come in). A call is closed
 * for its user at once; it lingers here while ACK, BYE or CANCEL still have to be seen through. */
#include "sip/sip_i.h"

static void call_dtor(void *obj)
{
	struct sip_call *c = obj;
	char *texts[] = {
	    c->ack_body, c->bye_headers, c->retry_headers, c->retry_sdp, c->close_phrase, c->close_reason, c->ack_tag};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		mem_free(texts[i]);
	mem_free(c->rel.queue);
	mem_unref(c->invite);
	mem_unref(c->close_msg);
	mem_unref(c->dlg);
}

struct sip_call *sip_call_new(struct sip_stack *s, const struct sip_call_handlers *h, void *arg, bool is_uac)
{
	struct sip_call *c = mem_new(sizeof(*c), call_dtor, "sip.call");
	if (!c)
		return NULL;
	c->dlg = sip_dialog_new(s, is_uac);
	if (!c->dlg) {
		mem_unref(c);
		return NULL;
	}
	c->stack = s;
	c->h = h;
	c->arg = arg;
	c->is_uac = is_uac;
	c->state = SIP_CALL_CALLING;
	list_init(&c->requests);
	return c;
}

static struct sip_call *call_of(const struct sip_usage *u)
{
	return list_entry(u, struct sip_call, usage);
}

/* All that come inside its dialog are a call's, unless another usage owns them. */
static bool call_owns(const struct sip_usage *u, const struct sip_msg *m)
{
	return false;
}

static void call_request_in(struct sip_usage *u, struct sip_stx *tx, const struct sip_msg *m)
{
	role_assert_ctl();
	sip_call_request_in(call_of(u), tx, m);
}

static void call_ack_in(struct sip_usage *u, const struct sip_msg *m)
{
	role_assert_ctl();
	sip_call_ack_in(call_of(u), m);
}

static void call_cancel_in(struct sip_usage *u, const struct sip_msg *m)
{
	role_assert_ctl();
	sip_call_cancelled(call_of(u), m);
}

static void call_drop(struct sip_usage *u)
{
	role_assert_ctl();
	sip_call_drop(call_of(u));
}

static const struct sip_usage_ops usage_ops = {.name = "call",
    .takes_others = true,
    .owns = call_owns,
    .request_in = call_request_in,
    .ack_in = call_ack_in,
    .cancel_in = call_cancel_in,
    .drop = call_drop};

void sip_call_register(struct sip_call *c)
{
	mem_ref(c);
	c->stack->call_count++;
	sip_dialog_join(c->dlg, &c->usage, &usage_ops);
}

struct sip_call *sip_call_find(struct sip_stack *s, struct sv call_id, struct sv local_tag, struct sv remote_tag)
{
	struct sip_dialog *d = sip_dialog_find(s, call_id, local_tag, remote_tag);
	struct lnode *n, *tmp;
	if (!d)
		return NULL;
	list_each (&d->usages, n, tmp) {
		struct sip_usage *u = list_entry(n, struct sip_usage, link);
		if (u->ops == &usage_ops)
			return call_of(u);
	}
	return NULL;
}

/* ---- the end ---- */

static ON_CTL void release_tx(struct sip_stx **tx)
{
	if (!*tx)
		return;
	(*tx)->usage = NULL;
	sip_stx_unref(*tx);
	*tx = NULL;
}

void sip_call_finish(struct sip_call *c)
{
	if (c->state != SIP_CALL_CLOSED || !lnode_is_linked(&c->usage.link))
		return;
	if (lnode_is_linked(&c->close_defer.link) || c->is_bye_wanted || c->bye_ctx || c->inv_ctx || c->ok_tx ||
	    c->in_answer)
		return;
	loop_timer_cancel(&c->ok_timer);
	loop_timer_cancel(&c->retry_timer);
	sip_ctx_unref(c->ack_ctx);
	c->ack_ctx = NULL;
	c->stack->call_count--;
	sip_dialog_leave(&c->usage);
	mem_unref(c);
}

static void on_close_deferred(void *arg)
{
	role_assert_ctl();
	struct sip_call *c = arg;
	mem_ref(c);
	if (c->h && c->h->on_closed)
		c->h->on_closed(c, &c->close, c->arg);
	c->h = NULL;
	c->close.msg = NULL;
	c->close_msg = mem_unref(c->close_msg);
	sip_call_finish(c);
	mem_unref(c);
}

void sip_call_abort_requests(struct sip_call *c)
{
	struct lnode *n;
	while ((n = list_first(&c->requests))) {
		struct call_request *r = list_entry(n, struct call_request, link);
		list_remove(n);
		if (r->ctx)
			sip_ctx_orphan(r->ctx);
		mem_free(r);
	}
	if (c->update_ctx)
		sip_ctx_orphan(c->update_ctx);
	c->update_ctx = NULL;
}

void sip_call_retry_clear(struct sip_call *c)
{
	loop_timer_cancel(&c->retry_timer);
	mem_free(c->retry_headers);
	mem_free(c->retry_sdp);
	c->retry_headers = c->retry_sdp = NULL;
}

void sip_call_close(struct sip_call *c, const struct sip_close *why)
{
	if (c->state == SIP_CALL_CLOSED)
		return;
	c->state = SIP_CALL_CLOSED;
	c->close = *why;
	c->close_phrase = sv_dup(why->phrase);
	c->close_reason = sv_dup(why->reason);
	c->close_msg = why->msg ? sip_msg_dup(why->msg) : NULL;
	c->close.phrase = sv_of(c->close_phrase);
	c->close.reason = sv_of(c->close_reason);
	c->close.msg = c->close_msg;
	sip_call_abort_requests(c);
	sip_call_retry_clear(c);
	sip_call_rel_end(c);
	c->dlg->credentials = NULL;
	if (c->inv_tx) /* a re-INVITE nobody will answer any more, or the INVITE itself */
		sip_stx_respond(c->inv_tx, 487, NULL, NULL, NULL, SV_NONE, NULL, false);
	release_tx(&c->inv_tx);
	if (c->update_tx)
		sip_stx_respond(c->update_tx, 481, NULL, NULL, NULL, SV_NONE, NULL, false);
	release_tx(&c->update_tx);
	c->invite = mem_unref(c->invite);
	loop_defer(&c->close_defer, "sip.call closed", on_close_deferred, c);
}

static void on_bye_response(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	role_assert_ctl();
	struct sip_call *c = arg;
	if (code < 200)
		return;
	c->bye_ctx = NULL;
	sip_call_finish(c);
}

void sip_call_bye(struct sip_call *c)
{
	/* RFC 3261 15: the callee waits for the ACK of its 2xx; our own ACK goes out right after on_answer */
	bool must_wait = c->in_answer || (c->ok_tx && c->is_ok_initial);
	c->is_bye_wanted = must_wait;
	if (must_wait || c->is_bye_sent)
		return;
	c->is_bye_sent = true;
	sip_call_ack_release(c, SV_NONE);
	if (c->inv_ctx) { /* a re-INVITE of ours: its late 2xx is acknowledged by the transaction alone */
		sip_ctx_orphan(c->inv_ctx);
		c->inv_ctx = NULL;
	}
	loop_timer_cancel(&c->ok_timer);
	if (c->ok_tx)
		sip_stx_acked(c->ok_tx);
	release_tx(&c->ok_tx);
	if (sip_dialog_send(c->dlg, &c->bye_ctx, "BYE", c->bye_headers, NULL, SV_NONE, false, on_bye_response, c))
		c->bye_ctx = NULL;
	sip_call_finish(c);
}

static char *hangup_headers(const char *reason, const char *headers)
{
	struct buf b;
	buf_init(&b);
	if (reason && *reason)
		sip_put_hdr(&b, "Reason", sv_of(reason));
	sip_put_lines(&b, headers);
	return buf_take(&b);
}

int sip_call_hangup(struct sip_call *c, int code, const char *phrase, const char *reason, const char *headers)
{
	if (c->state == SIP_CALL_CLOSED)
		return ST_INVAL;
	bool is_early = c->state == SIP_CALL_CALLING || c->state == SIP_CALL_EARLY;
	struct sip_close why = {.kind = SIP_CLOSE_BYE, .code = 200, .phrase = sv_of(phrase), .reason = sv_of(reason)};
	char *lines = hangup_headers(reason, headers);
	mem_ref(c);
	if (is_early && !c->is_uac) {
		why.kind = SIP_CLOSE_REJECT;
		why.code = code >= 300 ? code : 480;
		if (c->inv_tx)
			sip_dialog_answer(c->dlg, c->inv_tx, why.code, phrase, lines, NULL, SV_NONE);
		release_tx(&c->inv_tx);
		sip_call_close(c, &why);
	} else if (is_early) {
		why.kind = SIP_CLOSE_CANCEL;
		why.code = 487;
		bool is_unsent = c->inv_ctx && c->inv_ctx->state == CTX_RESOLVING;
		if (c->inv_ctx)
			sip_ctx_cancel_invite(c->inv_ctx, lines);
		if (is_unsent)
			c->inv_ctx = NULL;
		sip_call_close(c, &why);
	} else {
		mem_free(c->bye_headers);
		c->bye_headers = lines;
		lines = NULL;
		sip_call_close(c, &why);
		sip_call_bye(c);
	}
	mem_free(lines);
	mem_unref(c);
	return ST_OK;
}

void sip_call_drop(struct sip_call *c)
{
	struct sip_close why = {.kind = SIP_CLOSE_STACK, .code = 503};
	struct sip_ctx **ctxs[] = {&c->inv_ctx, &c->bye_ctx};
	mem_ref(c);
	sip_call_close(c, &why);
	for (size_t i = 0; i < ARRAY_COUNT(ctxs); i++) {
		if (*ctxs[i])
			sip_ctx_orphan(*ctxs[i]);
		*ctxs[i] = NULL;
	}
	sip_ctx_unref(c->ack_ctx);
	c->ack_ctx = NULL;
	release_tx(&c->ok_tx);
	c->is_bye_wanted = c->in_answer = false;
	loop_defer_cancel(&c->close_defer);
	on_close_deferred(c);
	sip_call_finish(c);
	c->stack = NULL;
	mem_unref(c);
}

/* ---- requests inside the dialog ---- */

static void on_request_response(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	role_assert_ctl();
	struct call_request *r = arg;
	struct sip_call *c = mem_ref(r->call);
	sip_response_fn fn = r->fn;
	void *fn_arg = r->arg;
	if (code >= 200) {
		list_remove(&r->link);
		mem_free(r);
	}
	if (fn)
		fn(ctx, code, resp, fn_arg);
	mem_unref(c);
}

int sip_call_request(struct sip_call *c, const char *method, const char *headers, const char *ctype, struct sv body,
    sip_response_fn fn, void *arg)
{
	if (c->state == SIP_CALL_CLOSED || !c->dlg->far.remote_tag)
		return ST_INVAL;
	struct call_request *r = mem_zalloc(sizeof(*r));
	if (!r)
		return ST_NOMEM;
	r->call = c;
	r->fn = fn;
	r->arg = arg;
	list_push(&c->requests, &r->link);
	enum sip_method id = sip_method_of(sv_of(method));
	bool with_contact = id == SIP_SUBSCRIBE || id == SIP_NOTIFY || id == SIP_REFER || id == SIP_PRACK;
	int st = sip_dialog_send(c->dlg, &r->ctx, method, headers, ctype, body, with_contact, on_request_response, r);
	if (st) {
		list_remove(&r->link);
		mem_free(r);
	}
	return st;
}

/* ---- getters ---- */

void sip_call_detach(struct sip_call *c)
{
	c->h = NULL;
	c->arg = NULL;
}

void sip_call_set_handlers(struct sip_call *c, const struct sip_call_handlers *h, void *arg)
{
	c->h = h;
	c->arg = arg;
}

void sip_call_set_looks_up(struct sip_call *c, bool is_on)
{
	c->dlg->has_own_names_only = !is_on;
}

void sip_call_set_use_source_address(struct sip_call *c, bool is_on)
{
	c->dlg->use_source_address = is_on;
}

int sip_call_set_contact_user(struct sip_call *c, const char *user)
{
	char *copy = mem_strdup(user);
	if (user && !copy)
		return ST_NOMEM;
	mem_free(c->dlg->contact_user);
	c->dlg->contact_user = copy;
	return ST_OK;
}

int sip_call_set_ack_body(struct sip_call *c, struct sv sdp)
{
	if (!c->in_answer && !c->in_reinvite_done)
		return ST_INVAL;
	mem_free(c->ack_body);
	c->ack_body = sdp.n ? sv_dup(sdp) : NULL;
	return sdp.n && !c->ack_body ? ST_NOMEM : ST_OK;
}

enum sip_call_state sip_call_state(const struct sip_call *c)
{
	return (enum sip_call_state)c->state;
}

bool sip_call_is_uac(const struct sip_call *c)
{
	return c->is_uac;
}

struct sip_stack *sip_call_stack(const struct sip_call *c)
{
	return c->stack;
}

static const char *text_of(const char *s)
{
	return s ? s : "";
}

const char *sip_call_id(const struct sip_call *c)
{
	return text_of(c->dlg->call_id);
}

const char *sip_call_local_tag(const struct sip_call *c)
{
	return c->dlg->local_tag;
}

const char *sip_call_remote_tag(const struct sip_call *c)
{
	return text_of(c->dlg->far.remote_tag);
}

const char *sip_call_local_uri(const struct sip_call *c)
{
	return text_of(c->dlg->local_uri);
}

const char *sip_call_remote_uri(const struct sip_call *c)
{
	return text_of(c->dlg->remote_uri);
}

const char *sip_call_remote_target(const struct sip_call *c)
{
	return text_of(c->dlg->far.target);
}

const char *sip_call_local_contact(const struct sip_call *c)
{
	return sip_dialog_local_contact(c->dlg);
}

const char *sip_call_route_set(const struct sip_call *c)
{
	return text_of(c->dlg->far.route_set);
}

const struct addr *sip_call_remote_addr(const struct sip_call *c)
{
	return &c->dlg->remote;
}

const struct addr *sip_call_local_addr(const struct sip_call *c)
{
	return &c->dlg->local;
}

enum sip_transport sip_call_transport(const struct sip_call *c)
{
	return (enum sip_transport)c->dlg->transport;
}

uint32_t sip_call_local_cseq(const struct sip_call *c)
{
	return c->dlg->local_cseq;
}

const struct sip_msg *sip_call_invite_msg(const struct sip_call *c)
{
	return c->invite;
}

void *sip_call_arg(const struct sip_call *c)
{
	return c->arg;
}

int sip_call_add_part(struct sip_call *c, const struct sip_part *part)
{
	return sip_dialog_add_part(c->dlg, part);
}
