/* The INVITE usage, what both sides share: life and end of a call, finding it, requests inside the dialog, BYE. The
 * state table is in call_uas.c, call_uac.c (before the answer) and call_in.c (requests that come in). A call is closed
 * for its user at once; it lingers here while ACK, BYE or CANCEL still have to be seen through. */
#include "sip/sip_i.h"

static void call_dtor(void *obj)
{
	struct sip_call *c = obj;
	struct lnode *n;
	while ((n = list_first(&c->forks))) {
		struct sip_dialog *d = list_entry(n, struct sip_dialog, link);
		list_remove(n);
		sip_dialog_fini(d);
		mem_free(d);
	}
	sip_dialog_fini(&c->dlg);
	char *texts[] = {c->auth_realm, c->auth_user, c->auth_password, c->auth_ha1, c->call_id, c->local_uri,
	    c->remote_uri, c->contact_user, c->contact, c->contact_params, c->local_contact, c->ack_body,
	    c->bye_headers, c->retry_headers, c->retry_sdp, c->close_phrase, c->close_reason, c->ack_tag};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		mem_free(texts[i]);
	mem_unref(c->invite);
	mem_unref(c->close_msg);
}

struct sip_call *sip_call_new(struct sip_stack *s, const struct sip_call_handlers *h, void *arg, bool is_uac)
{
	struct sip_call *c = mem_new(sizeof(*c), call_dtor, "sip.call");
	if (!c)
		return NULL;
	c->stack = s;
	c->h = h;
	c->arg = arg;
	c->is_uac = is_uac;
	c->has_own_names_only = !is_uac;
	c->state = SIP_CALL_CALLING;
	list_init(&c->forks);
	list_init(&c->requests);
	return c;
}

void sip_call_register(struct sip_call *c)
{
	struct sip_stack *s = c->stack;
	mem_ref(c);
	list_push(&s->calls, &c->link);
	sip_table_add(&s->call_table, &c->node, sip_key(sv_of(c->call_id), sv_of(c->local_tag), SV_NONE, 3));
}

struct sip_dialog *sip_call_fork(struct sip_call *c, struct sv remote_tag)
{
	struct lnode *n, *tmp;
	if (c->dlg.remote_tag && sv_is(remote_tag, c->dlg.remote_tag))
		return &c->dlg;
	list_each (&c->forks, n, tmp) {
		struct sip_dialog *d = list_entry(n, struct sip_dialog, link);
		if (d->remote_tag && sv_is(remote_tag, d->remote_tag))
			return d;
	}
	return NULL;
}

struct sip_call *sip_call_find(struct sip_stack *s, struct sv call_id, struct sv local_tag, struct sv remote_tag)
{
	struct sip_node *n = sip_table_first(&s->call_table, sip_key(call_id, local_tag, SV_NONE, 3));
	for (; n; n = sip_node_next(n)) {
		struct sip_call *c = list_entry(n, struct sip_call, node);
		if (sv_is(call_id, c->call_id) && sv_is(local_tag, c->local_tag) && sip_call_fork(c, remote_tag))
			return c;
	}
	return NULL;
}

bool sip_call_in_dialog(struct sip_stack *s, const struct sip_msg *m, struct sip_call **out)
{
	*out = sip_call_find(s, m->call_id, m->to_tag, m->from_tag);
	return *out != NULL;
}

void sip_call_seen_from(struct sip_call *c, const struct sip_source *src)
{
	c->remote = src->peer;
	c->local = src->local;
	c->transport = (uint8_t)src->transport;
}

/* ---- the end ---- */

static ON_CTL void release_tx(struct sip_stx **tx)
{
	if (!*tx)
		return;
	(*tx)->call = NULL;
	sip_stx_unref(*tx);
	*tx = NULL;
}

void sip_call_finish(struct sip_call *c)
{
	if (c->state != SIP_CALL_CLOSED || !lnode_is_linked(&c->link))
		return;
	if (lnode_is_linked(&c->close_defer.link) || c->is_bye_wanted || c->bye_ctx || c->inv_ctx || c->ok_tx ||
	    c->in_answer)
		return;
	loop_timer_cancel(&c->ok_timer);
	loop_timer_cancel(&c->retry_timer);
	sip_ctx_unref(c->ack_ctx);
	c->ack_ctx = NULL;
	list_remove(&c->link);
	sip_table_del(&c->stack->call_table, &c->node);
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
	if (sip_call_send(c, &c->bye_ctx, "BYE", c->bye_headers, NULL, SV_NONE, false, on_bye_response, c))
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
			sip_stx_respond(c->inv_tx, why.code, phrase, lines, NULL, SV_NONE, NULL, false);
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

void sip_call_drop_all(struct sip_stack *s)
{
	struct lnode *n;
	struct sip_close why = {.kind = SIP_CLOSE_STACK, .code = 503};
	while ((n = list_first(&s->calls))) {
		struct sip_call *c = list_entry(n, struct sip_call, link);
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
		if (lnode_is_linked(&c->link))
			sip_call_finish(c);
		c->stack = NULL;
		mem_unref(c);
	}
}

/* ---- requests inside the dialog ---- */

static void contact_bare(struct sip_call *c, struct buf *out)
{
	if (c->contact) {
		buf_adds(out, c->contact);
		return;
	}
	const char *user = c->contact_user ? c->contact_user : c->stack->cfg.contact_user;
	buf_adds(out, "<sip:");
	sip_escape_user(out, sv_of(user));
	/* A caller over UDP is told so, as FreeSWITCH does; for TCP the mark brings the parameter along. */
	buf_adds(out, "@" SIP_SELF_MARK_TEXT);
	buf_adds(out, !c->is_uac && c->transport == SIP_UDP ? ";transport=udp>" : ">");
}

void sip_call_contact_put(struct sip_call *c, struct buf *out)
{
	const char *params = c->contact_params;
	bool is_after = params && *params == '~', closes;

	contact_bare(c, out);
	if (!params || !params[is_after])
		return;
	closes = !is_after && !out->failed && out->n && out->p[out->n - 1] == '>';
	if (closes)
		out->n--;
	params += is_after;
	buf_printf(out, *params == ';' ? "%s%s" : ";%s%s", params, closes ? ">" : "");
}

void sip_call_contact_line(struct sip_call *c, struct buf *out)
{
	buf_adds(out, "Contact: ");
	sip_call_contact_put(c, out);
	buf_adds(out, "\r\n");
}

void sip_call_choose_dst(const struct sip_call *c, const char *hop, struct sip_dst *dst)
{
	bool is_open = c->transport == SIP_TCP && !c->dlg.route_set && sip_conn_find(c->stack, &c->remote);
	bool is_refused = c->has_own_names_only && sip_uri_needs_name(hop);
	if (c->use_source_address || is_open || is_refused) {
		dst->addr = c->remote;
		dst->transport = (enum sip_transport)c->transport;
	}
}

int sip_call_send(struct sip_call *c, struct sip_ctx **out, const char *method, const char *headers, const char *ctype,
    struct sv body, bool with_contact, sip_response_fn fn, void *arg)
{
	struct buf b;
	char *hop = NULL;
	enum sip_method id = sip_method_of(sv_of(method));
	if (!sip_is_token(sv_of(method)))
		return ST_INVAL;
	buf_init(&b);
	int st = sip_dialog_put_request(
	    &c->dlg, &b, method, c->local_uri, c->local_tag, c->remote_uri, c->call_id, c->local_cseq + 1, &hop);
	if (st)
		goto out;
	if (with_contact)
		sip_call_contact_line(c, &b);
	sip_put_common(c->stack, &b, true);
	sip_put_lines(&b, headers);
	sip_put_call_body(&b, sv_of(ctype), body);
	struct ctx_params p = {.text = b.p,
	    .text_n = b.n,
	    .method = id,
	    .cseq = c->local_cseq + 1,
	    .hop = hop,
	    .fn = fn,
	    .arg = arg,
	    .credentials = c->credentials ? sip_call_credentials : NULL,
	    .credentials_arg = c,
	    .behalf = &c->remote,
	    .call = c};
	sip_call_choose_dst(c, hop, &p.dst);
	st = b.failed ? ST_NOMEM : sip_ctx_start(out, c->stack, &p);
	if (!st)
		c->local_cseq++;
out:
	mem_free(hop);
	buf_fini(&b);
	return st;
}

static void keep(char **slot, struct sv v)
{
	mem_free(*slot);
	*slot = v.p ? sv_dup(v) : NULL;
}

/* Of the host they were given for; on this machine the host says nothing. */
static bool is_auth_host(const struct sip_call *c, const struct addr *from)
{
	if (!addr_is_set(&c->auth_host))
		return true;
	return addr_is_loopback(from) ? addr_eq(&c->auth_host, from) : addr_eq_host(&c->auth_host, from);
}

bool sip_call_credentials(const struct sip_challenge *ch, struct sip_credentials *out, void *arg)
{
	role_assert_ctl();
	struct sip_call *c = arg;
	if (c->auth_realm && sv_is(ch->realm, c->auth_realm) && is_auth_host(c, ch->from)) {
		out->user = sv_of(c->auth_user);
		out->password = sv_of(c->auth_password);
		out->ha1 = sv_of(c->auth_ha1);
		return true;
	}
	if (c->state == SIP_CALL_CLOSED || !c->credentials || !c->credentials(ch, out, c->credentials_arg))
		return false;
	memset(&c->auth_host, 0, sizeof(c->auth_host));
	if (out->is_for_host)
		c->auth_host = *ch->from;
	keep(&c->auth_realm, ch->realm);
	keep(&c->auth_user, out->user);
	keep(&c->auth_password, out->password);
	keep(&c->auth_ha1, out->ha1);
	return true;
}

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
	if (c->state == SIP_CALL_CLOSED || !c->dlg.remote_tag)
		return ST_INVAL;
	struct call_request *r = mem_zalloc(sizeof(*r));
	if (!r)
		return ST_NOMEM;
	r->call = c;
	r->fn = fn;
	r->arg = arg;
	list_push(&c->requests, &r->link);
	enum sip_method id = sip_method_of(sv_of(method));
	bool with_contact = id == SIP_SUBSCRIBE || id == SIP_NOTIFY || id == SIP_REFER;
	int st = sip_call_send(c, &r->ctx, method, headers, ctype, body, with_contact, on_request_response, r);
	if (st) {
		list_remove(&r->link);
		mem_free(r);
	}
	return st;
}

/* A response of the dialog with Contact (for 101..299) and Record-Route. */
int sip_call_answer_tx(struct sip_call *c, struct sip_stx *tx, int code, const char *phrase, const char *headers,
    const char *ctype, struct sv body)
{
	struct buf contact, self, full;
	bool is_target = tx->method == SIP_INVITE || tx->method == SIP_UPDATE || tx->method == SIP_REFER ||
	                 tx->method == SIP_OPTIONS;
	bool with_contact = code > 100 && code < 300 && is_target;
	int st;
	buf_init(&contact);
	buf_init(&self);
	buf_init(&full);
	if (with_contact) {
		st = sip_self_put(c->stack, tx->src.transport, &tx->src.peer, true, &self);
		if (st)
			goto out;
		sip_call_contact_put(c, &contact);
		for (size_t i = 0; i < contact.n; i++) {
			if (contact.p[i] == SIP_SELF_MARK)
				buf_addv(&full, buf_sv(&self));
			else
				buf_addc(&full, contact.p[i]);
		}
	}
	st = sip_stx_respond(tx, code, phrase, headers, ctype, body, with_contact ? full.p : NULL, with_contact);
out:
	buf_fini(&contact);
	buf_fini(&self);
	buf_fini(&full);
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
	c->has_own_names_only = !is_on;
}

void sip_call_set_use_source_address(struct sip_call *c, bool is_on)
{
	c->use_source_address = is_on;
}

int sip_call_set_contact_user(struct sip_call *c, const char *user)
{
	char *copy = mem_strdup(user);
	if (user && !copy)
		return ST_NOMEM;
	mem_free(c->contact_user);
	c->contact_user = copy;
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
	return text_of(c->call_id);
}

const char *sip_call_local_tag(const struct sip_call *c)
{
	return c->local_tag;
}

const char *sip_call_remote_tag(const struct sip_call *c)
{
	return text_of(c->dlg.remote_tag);
}

const char *sip_call_local_uri(const struct sip_call *c)
{
	return text_of(c->local_uri);
}

const char *sip_call_remote_uri(const struct sip_call *c)
{
	return text_of(c->remote_uri);
}

const char *sip_call_remote_target(const struct sip_call *c)
{
	return text_of(c->dlg.target);
}

const char *sip_call_local_contact(const struct sip_call *c)
{
	if (!c->local_contact && c->stack && addr_is_set(&c->remote)) {
		struct sip_call *w = (struct sip_call *)c; /* made on first use */
		struct buf b;
		buf_init(&b);
		if (!sip_stack_contact_uri(c->stack, c->contact_user, (enum sip_transport)c->transport, &c->remote, &b))
			w->local_contact = buf_take(&b);
		buf_fini(&b);
	}
	return text_of(c->local_contact);
}

const char *sip_call_route_set(const struct sip_call *c)
{
	return text_of(c->dlg.route_set);
}

const struct addr *sip_call_remote_addr(const struct sip_call *c)
{
	return &c->remote;
}

const struct addr *sip_call_local_addr(const struct sip_call *c)
{
	return &c->local;
}

enum sip_transport sip_call_transport(const struct sip_call *c)
{
	return (enum sip_transport)c->transport;
}

uint32_t sip_call_local_cseq(const struct sip_call *c)
{
	return c->local_cseq;
}

const struct sip_msg *sip_call_invite_msg(const struct sip_call *c)
{
	return c->invite;
}

void *sip_call_arg(const struct sip_call *c)
{
	return c->arg;
}
