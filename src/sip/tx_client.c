/* Client transactions (RFC 3261 17.1, RFC 6026): address, transport and Via, then retransmission and time-outs, then
 * the responses to whoever asked. ACK for errors and CANCEL are made here from the request that was sent; What comes
 * after a 2xx to an INVITE: tx_answered.c. Callbacks are never called from inside sip_ctx_start. */
#include "base/clock.h"
#include "sip/sip_i.h"

static void on_timer(void *arg);

static uint64_t ctx_key(struct sv branch, struct sv method)
{
	return sip_key(branch, method, SV_NONE, 2);
}

void sip_branch_make(char *out)
{
	memcpy(out, SIP_COOKIE, sizeof(SIP_COOKIE) - 1);
	rand_token(out + sizeof(SIP_COOKIE) - 1, SIP_BRANCH_CHARS);
}

struct sip_ctx *sip_ctx_ref(struct sip_ctx *c)
{
	c->refs++;
	return c;
}

void sip_ctx_unref(struct sip_ctx *c)
{
	if (!c || --c->refs)
		return;
	mem_free(c->hop);
	mem_free(c->msg);
	mem_free(c->raw);
	mem_unref(c->refusal);
	mem_free(c->ack);
	mem_free(c->ack_tag);
	mem_free(c->ack_hop);
	mem_free(c->auth_realm);
	mem_unref(c->dialog);
	sip_flow_drop(&c->flow);
	mem_free(c);
}

void sip_ctx_kill(struct sip_ctx *c)
{
	if (c->state == CTX_DEAD)
		return;
	c->state = CTX_DEAD;
	loop_timer_cancel(&c->timer);
	sip_locate_free(c->locate);
	c->locate = NULL;
	sip_table_del(&c->stack->ctx_table, &c->node);
	list_remove(&c->conn_link);
	list_remove(&c->link);
	sip_ctx_unref(c);
}

void sip_ctx_orphan(struct sip_ctx *c)
{
	c->fn = NULL;
	c->dialog = mem_unref(c->dialog);
	c->credentials = NULL;
}

static ON_CTL void arm(struct sip_ctx *c, int64_t delay_us)
{
	int64_t left = c->deadline_us - loop_now_us();
	loop_timer_set(&c->timer, delay_us < left ? delay_us : left, "sip.ctx", on_timer, c);
}

void sip_ctx_over(struct sip_ctx *c, int code, const struct sip_msg *resp)
{
	sip_response_fn fn = c->fn;
	if (c->state == CTX_DEAD)
		return;
	c->refs++;
	c->fn = NULL;
	c->state = CTX_COMPLETED;
	if (fn)
		fn(c, code, resp, c->arg);
	sip_ctx_kill(c);
	sip_ctx_unref(c);
}

/* No response will come from there: another place is tried, or the user is told once and it ends. */
static ON_CTL void give_up(struct sip_ctx *c, int code)
{
	bool is_unheard = c->state == CTX_CALLING;
	if (c->state == CTX_DEAD || (is_unheard && (sip_ctx_narrow(c) || sip_ctx_try_next(c, code, NULL))))
		return;
	sip_ctx_over(c, code, NULL);
}

static void on_failed(void *arg)
{
	role_assert_ctl();
	give_up(arg, 503);
}

/* For failures inside sip_ctx_start and callbacks. */
static ON_CTL void fail_later(struct sip_ctx *c)
{
	loop_timer_set(&c->timer, 0, "sip.ctx", on_failed, c);
}

void sip_ctx_conn_lost(struct sip_ctx *c)
{
	if (c->state == CTX_CALLING || c->state == CTX_PROCEEDING)
		fail_later(c);
}

static ON_CTL int choose_flow(struct sip_ctx *c)
{
	struct sip_flow f;
	struct sip_stack *s = c->stack;
	if (!c->dst.transport)
		c->dst.transport = SIP_TRANSPORT_DEFAULT;
	if (s->h.may_send && !s->h.may_send(s, c->dst.transport, &c->dst.addr, s->arg))
		return ST_DENIED;
	if (c->dst.is_flow_only && !sip_stack_has_conn(s, c->dst.transport, &c->dst.addr))
		return ST_CLOSED;
	int st = sip_flow_open(&f, s, &c->dst, sip_uri_host_asked(c->hop));
	if (st)
		return st;
	sip_flow_keep(&f);
	sip_flow_drop(&c->flow);
	c->flow = f;
	list_remove(&c->conn_link);
	if (f.conn)
		list_push(&f.conn->ctxs, &c->conn_link);
	return ST_OK;
}

static void put_marked(struct buf *b, const char *p, size_t n, struct sv self)
{
	for (const char *m; n && (m = memchr(p, SIP_SELF_MARK, n)); n -= (size_t)(m + 1 - p), p = m + 1) {
		buf_add(b, p, (size_t)(m - p));
		buf_addv(b, self);
	}
	buf_add(b, p, n);
}

/* The empty line's place: the line end in front of it, and its own. */
static const char *head_end(const char *text, size_t n)
{
	const char *end = text + n;
	for (const char *p = text; end - p >= 4 && (p = memchr(p, '\r', (size_t)(end - p) - 3)); p++)
		if (!memcmp(p, "\r\n\r\n", 4))
			return p;
	return NULL;
}

/* text without Via and with marks becomes what goes on the wire, in s->out. */
static ON_CTL int finish_text(
    struct sip_stack *s, const struct sip_dst *dst, const char *branch, const char *text, size_t n)
{
	struct buf *b = &s->out;
	const char *eol = memchr(text, '\n', n);
	const char *body = head_end(text, n);
	if (!eol || !body)
		return ST_INVAL;
	buf_clear(&s->self);
	int st = sip_self_put(s, dst->transport, &dst->addr, false, &s->self);
	if (st)
		return st;
	buf_clear(b);
	buf_add(b, text, (size_t)(eol + 1 - text));
	buf_printf(b, "Via: SIP/2.0/%s %s%s;branch=%s\r\n", sip_transport_name(dst->transport), s->self.p,
	    s->cfg.has_no_own_rport ? "" : ";rport", branch);
	buf_clear(&s->self);
	sip_self_put(s, dst->transport, &dst->addr, true, &s->self);
	put_marked(b, eol + 1, (size_t)(body - eol - 1), buf_sv(&s->self));
	buf_add(b, body, (size_t)(text + n - body));
	return b->failed ? ST_NOMEM : ST_OK;
}

static ON_CTL int finalize(struct sip_ctx *c)
{
	struct sip_stack *s = c->stack;
	if (c->is_via_final)
		return ST_OK;
	int st = finish_text(s, &c->dst, c->branch, c->msg, c->msg_n);
	if (st)
		return st;
	char *copy = mem_alloc(s->out.n + 1);
	if (!copy)
		return ST_NOMEM;
	memcpy(copy, s->out.p, s->out.n + 1);
	mem_free(c->raw);
	c->raw = NULL;
	if (c->locate || c->is_widened)
		c->raw = c->msg, c->raw_n = c->msg_n;
	else
		mem_free(c->msg);
	c->msg = copy;
	c->msg_n = s->out.n;
	c->is_via_final = true;
	return ST_OK;
}

void sip_ctx_launch(struct sip_ctx *c)
{
	struct sip_stack *s = c->stack;
	sip_ctx_widen(c);
	int st = choose_flow(c);
	if (!st)
		st = finalize(c);
	if (!st)
		st = sip_flow_send(c->stack, &c->flow, c->msg, c->msg_n);
	s->stats.requests_out++;
	if (c->is_oneshot) {
		sip_ctx_kill(c);
		return;
	}
	int64_t wait_us = sip_ctx_first_wait_us(c);
	c->state = CTX_CALLING;
	c->deadline_us = loop_now_us() + wait_us;
	c->interval_us = clock_us_of_ms(s->cfg.t1_ms);
	if (st)
		fail_later(c);
	else
		arm(c, sip_flow_is_reliable(&c->flow) ? wait_us : c->interval_us);
}

static void on_located(int status, const struct sip_place *place, void *arg)
{
	role_assert_ctl();
	struct sip_ctx *c = arg;
	if (sip_ctx_place_found(c, status, place))
		return;
	if (status) {
		sip_ctx_over(c, 503, NULL);
		return;
	}
	c->dst = place->dst;
	sip_ctx_launch(c);
}

static ON_CTL struct sip_ctx *ctx_new(struct sip_stack *s, const struct ctx_params *p)
{
	struct sip_ctx *c = mem_zalloc(sizeof(*c));
	if (!c)
		return NULL;
	c->stack = s;
	c->refs = 1;
	c->method = (uint8_t)p->method;
	c->is_invite = p->method == SIP_INVITE;
	c->is_oneshot = p->is_oneshot;
	c->cseq = p->cseq;
	c->dst = p->dst;
	c->fn = p->fn;
	c->arg = p->arg;
	c->credentials = p->credentials;
	c->credentials_arg = p->credentials_arg;
	c->dialog = mem_ref(p->dialog);
	if (p->branch)
		memcpy(c->branch, p->branch, sizeof(c->branch));
	else
		sip_branch_make(c->branch);
	c->msg = mem_alloc(p->text_n + 1);
	if (c->msg)
		memcpy(c->msg, p->text, p->text_n);
	c->msg_n = p->text_n;
	c->hop = mem_strdup(p->hop);
	if (!c->msg || (p->hop && !c->hop)) {
		sip_ctx_unref(c);
		return NULL;
	}
	c->msg[c->msg_n] = '\0';
	list_push(&s->ctxs, &c->link);
	return c;
}

static ON_CTL void enter_table(struct sip_ctx *c)
{
	struct sv line = {c->msg, c->msg_n}, method, rest;
	sv_split(line, ' ', &method, &rest);
	sip_table_add(&c->stack->ctx_table, &c->node, ctx_key(sv_of(c->branch), method));
}

void sip_ctx_new_branch(struct sip_ctx *c)
{
	sip_table_del(&c->stack->ctx_table, &c->node);
	sip_branch_make(c->branch);
	enter_table(c);
}

/* The first word of the request. */
static struct sv method_text_of(const struct ctx_params *p)
{
	struct sv method, rest;
	sv_split((struct sv){p->text, p->text_n}, ' ', &method, &rest);
	return method;
}

int sip_ctx_start(struct sip_ctx **out, struct sip_stack *s, const struct ctx_params *p)
{
	int st = ST_OK;
	if (s->is_closing)
		return ST_CLOSED;
	if (s->has_filter_out && !sip_filter_takes_method(&s->filter_out, method_text_of(p)))
		return ST_DENIED;
	struct sip_ctx *c = ctx_new(s, p);
	if (!c)
		return ST_NOMEM;
	enter_table(c);
	if (!addr_is_set(&c->dst.addr)) {
		struct sip_place place;
		c->state = CTX_RESOLVING;
		st = c->hop ? sip_locate(&c->locate, s, c->hop, p->behalf, &place, on_located, c) : ST_INVAL;
		c->may_widen = c->hop && !sip_uri_has_transport(c->hop);
		if (!st)
			c->dst = place.dst;
		bool is_lookup = st == ST_NOTFOUND || st == ST_TIMEOUT || st == ST_IO || st == ST_FULL;
		if (is_lookup && !s->cfg.numeric_hosts_only) {
			/* known from the cache already, told as if it were found out now */
			fail_later(c);
			st = ST_AGAIN;
		}
	}
	if (st && st != ST_AGAIN) {
		sip_ctx_kill(c);
		return st;
	}
	if (out)
		*out = c; /* before launch: a one-shot is gone after it */
	if (!st)
		sip_ctx_launch(c);
	return ST_OK;
}

/* ---- requests made from the one that was sent ---- */

/* ACK for an error or CANCEL, into s->out: same request URI, top Via, From, Call-ID, Route and CSeq number. */
static ON_CTL int put_derived(struct sip_ctx *c, const char *method, const struct sip_msg *resp, const char *headers)
{
	struct sip_stack *s = c->stack;
	struct buf *b = &s->out;
	struct sip_msg m;
	if (sip_msg_parse(&m, s->own_hdrs, SIP_MSG_HDRS_MAX, c->msg, c->msg_n, 0))
		return ST_INVAL;
	buf_clear(b);
	sip_put_request_line(b, sv_of(method), m.ruri.text);
	sip_put_hdr(b, "Via", m.via.text);
	sip_put_hdr_u32(b, "Max-Forwards", (uint32_t)(m.max_forwards >= 0 ? m.max_forwards : 70));
	for (const struct sip_hdr *h = sip_msg_hdr(&m, SIP_HDR_ROUTE); h; h = sip_msg_hdr_next(&m, h))
		sip_put_hdr(b, "Route", h->value);
	sip_put_hdr(b, "From", sip_msg_value(&m, SIP_HDR_FROM));
	sip_put_hdr(b, "To", sip_msg_value(resp ? resp : &m, SIP_HDR_TO));
	sip_put_hdr(b, "Call-ID", m.call_id);
	buf_printf(b, "CSeq: %u %s\r\n", m.cseq, method);
	sip_put_lines(b, headers);
	sip_put_body(b, SV_NONE, SV_NONE);
	return b->failed ? ST_NOMEM : ST_OK;
}

static ON_CTL void ack_error(struct sip_ctx *c, const struct sip_msg *resp)
{
	struct sip_stack *s = c->stack;
	if (!c->ack && !put_derived(c, "ACK", resp, NULL)) {
		c->ack = mem_alloc(s->out.n);
		if (c->ack)
			memcpy(c->ack, s->out.p, s->out.n);
		c->ack_n = s->out.n;
	}
	if (c->ack) {
		s->stats.requests_out++;
		sip_flow_send(c->stack, &c->flow, c->ack, c->ack_n);
	}
}

static ON_CTL void send_cancel(struct sip_ctx *c, const char *headers)
{
	struct sip_ctx *cancel;
	if (c->is_cancel_sent || put_derived(c, "CANCEL", NULL, headers))
		return;
	struct ctx_params p = {.text = c->stack->out.p,
	    .text_n = c->stack->out.n,
	    .method = SIP_CANCEL,
	    .cseq = c->cseq,
	    .dst = c->dst,
	    .branch = c->branch};
	cancel = ctx_new(c->stack, &p);
	if (!cancel)
		return;
	c->is_cancel_sent = true;
	cancel->is_via_final = true;
	enter_table(cancel);
	sip_ctx_launch(cancel);
	/* RFC 3261 9.1: without a final response in 64*T1 the INVITE counts as cancelled */
	c->deadline_us = loop_now_us() + clock_us_of_ms(c->stack->cfg.timer_b_ms);
	arm(c, clock_us_of_ms(c->stack->cfg.timer_b_ms));
}

void sip_ctx_cancel_invite(struct sip_ctx *c, const char *headers)
{
	if (c->state == CTX_PROCEEDING) {
		send_cancel(c, headers);
	} else if (c->state == CTX_CALLING) {
		c->is_cancel_wanted = true;
		mem_free(c->ack_hop);
		c->ack_hop = mem_strdup(headers); /* unused until a 2xx: keeps CANCEL's header lines */
	} else if (c->state == CTX_RESOLVING && c->is_locating) {
		c->is_cancel_wanted = true; /* it has been sent once: ends with what that came to */
	} else if (c->state == CTX_RESOLVING) {
		sip_ctx_kill(c);
	}
}

/* ---- responses ---- */

/* The old transaction of a challenged INVITE stays behind to acknowledge repeated 401s. */
void sip_ctx_leave_husk(struct sip_ctx *c)
{
	struct ctx_params p = {.text = c->msg,
	    .text_n = c->msg_n,
	    .method = SIP_INVITE,
	    .cseq = c->cseq,
	    .dst = c->dst,
	    .branch = c->branch};
	struct sip_ctx *h = ctx_new(c->stack, &p);
	if (!h)
		return;
	h->is_via_final = true;
	h->state = CTX_COMPLETED;
	h->ack = c->ack;
	h->ack_n = c->ack_n;
	c->ack = NULL;
	h->flow = c->flow;
	sip_flow_keep(&h->flow);
	enter_table(h);
	h->deadline_us = loop_now_us() + clock_us_of_ms(c->stack->cfg.timer_b_ms);
	arm(h, clock_us_of_ms(c->stack->cfg.timer_b_ms));
}

/* true when the request went out again with credentials. */
static ON_CTL bool retry_with_credentials(struct sip_ctx *c, const struct sip_msg *resp)
{
	struct buf b;
	uint32_t cseq = c->dialog ? c->dialog->local_cseq + 1 : c->cseq + 1;
	if (!c->credentials || c->is_cancel_wanted || c->is_cancel_sent)
		return false;
	buf_init(&b);
	if (!sip_ctx_authorize(c, resp, &b, cseq) || b.failed) {
		buf_fini(&b);
		return false;
	}
	c->stack->stats.auth_retries++;
	if (c->is_invite && !sip_flow_is_reliable(&c->flow))
		sip_ctx_leave_husk(c);
	mem_free(c->ack);
	c->ack = NULL;
	mem_free(c->msg);
	c->msg_n = b.n;
	c->msg = buf_take(&b);
	c->is_via_final = false;
	c->cseq = cseq;
	if (c->dialog)
		c->dialog->local_cseq = cseq;
	sip_ctx_new_branch(c);
	sip_ctx_launch(c);
	return true;
}

static ON_CTL void deliver(struct sip_ctx *c, const struct sip_msg *m)
{
	sip_response_fn fn = c->fn;
	if (m->code >= 200 && !(c->is_invite && m->code < 300))
		c->fn = NULL;
	if (fn)
		fn(c, m->code, m, c->arg);
	if (!c->fn)
		c->dialog = mem_unref(c->dialog); /* what still comes is said again */
}

static ON_CTL void provisional(struct sip_ctx *c, const struct sip_msg *m)
{
	struct sip_stack *s = c->stack;
	if (c->state != CTX_CALLING && c->state != CTX_PROCEEDING)
		return;
	bool is_first = c->state == CTX_CALLING;
	c->state = CTX_PROCEEDING;
	if (is_first && !c->is_invite && c->locate) /* it is there: as long as it takes */
		c->deadline_us = loop_now_us() + clock_us_of_ms(s->cfg.timer_b_ms);
	if (c->is_invite && !c->is_cancel_sent) {
		c->deadline_us = loop_now_us() + clock_us_of_ms(s->cfg.proceeding_timeout_ms);
		arm(c, clock_us_of_ms(s->cfg.proceeding_timeout_ms));
	}
	if (is_first && c->is_cancel_wanted)
		send_cancel(c, c->ack_hop);
	if (c->is_invite || m->code > 100)
		deliver(c, m);
}

static ON_CTL void success_of_invite(struct sip_ctx *c, const struct sip_msg *m)
{
	if (c->state == CTX_COMPLETED)
		return;
	if (c->state == CTX_ACCEPTED && c->ack_tag && sv_is(m->to_tag, c->ack_tag)) {
		c->stack->stats.retransmits_in++;
		sip_ctx_ack_again(c);
		return;
	}
	bool is_first = c->state != CTX_ACCEPTED;
	if (is_first) {
		c->state = CTX_ACCEPTED;
		c->deadline_us = loop_now_us() + clock_us_of_ms(c->stack->cfg.timer_b_ms);
		arm(c, clock_us_of_ms(c->stack->cfg.timer_b_ms));
	}
	if (c->fn)
		deliver(c, m);
	else
		sip_ctx_drop_answer(c, m);
	if (is_first && c->state == CTX_ACCEPTED)
		sip_ctx_shorten(c);
}

static ON_CTL void final(struct sip_ctx *c, const struct sip_msg *m)
{
	struct sip_stack *s = c->stack;
	if (c->state == CTX_COMPLETED || c->state == CTX_ACCEPTED) {
		s->stats.retransmits_in++;
		if (c->is_invite && c->state == CTX_COMPLETED)
			ack_error(c, m);
		return;
	}
	if (c->is_invite)
		ack_error(c, m);
	if ((m->code == 401 || m->code == 407) && retry_with_credentials(c, m))
		return;
	if (m->code == 503 && !s->cfg.has_no_503_failover && sip_ctx_try_next(c, 503, m))
		return;
	c->state = CTX_COMPLETED;
	int64_t keep_us =
	    sip_flow_is_reliable(&c->flow) ? 0 : clock_us_of_ms(c->is_invite ? s->cfg.timer_b_ms : s->cfg.t4_ms);
	c->deadline_us = loop_now_us() + keep_us;
	arm(c, keep_us);
	deliver(c, m);
}

void sip_ctx_response(struct sip_stack *s, const struct sip_source *src, struct sip_msg *m)
{
	struct sip_node *n = sip_table_first(&s->ctx_table, ctx_key(m->via.branch, m->method_text));
	if (!n) {
		s->stats.stray_responses++;
		return;
	}
	struct sip_ctx *c = list_entry(n, struct sip_ctx, node);
	if (c->state < CTX_CALLING || c->state == CTX_DEAD)
		return; /* (also while the next place is looked for) */
	c->refs++;
	c->from = src->flow.peer;
	if (c->state == CTX_CALLING)
		sip_dead_clear(s, &c->dst);
	if (c->dialog)
		sip_dialog_seen_from(c->dialog, src);
	if (m->code < 200)
		provisional(c, m);
	else if (m->code < 300 && c->is_invite)
		success_of_invite(c, m);
	else
		final(c, m);
	sip_ctx_unref(c);
}

static void on_timer(void *arg)
{
	role_assert_ctl();
	struct sip_ctx *c = arg;
	struct sip_stack *s = c->stack;
	bool is_over = loop_now_us() >= c->deadline_us && !sip_ctx_waits_on(c);
	if (c->state >= CTX_COMPLETED) {
		sip_ctx_kill(c);
		return;
	}
	if (is_over) {
		s->stats.timeouts++;
		if (c->is_invite && c->state == CTX_PROCEEDING && !c->is_cancel_sent) {
			/* timer C: nobody answers; the far side is told, the user after its 487 or never answering */
			send_cancel(c, NULL);
			return;
		}
		give_up(c, c->is_cancel_sent ? 487 : 408);
		return;
	}
	if (sip_flow_is_reliable(&c->flow) || (c->is_invite && c->state == CTX_PROCEEDING)) {
		arm(c, c->deadline_us - loop_now_us());
		return;
	}
	s->stats.retransmits_out++;
	sip_flow_send(c->stack, &c->flow, c->msg, c->msg_n);
	c->interval_us *= 2;
	if (!c->is_invite && (c->interval_us > clock_us_of_ms(s->cfg.t2_ms) || c->state == CTX_PROCEEDING))
		c->interval_us = clock_us_of_ms(s->cfg.t2_ms);
	arm(c, c->interval_us);
}

void sip_request_cancel(struct sip_ctx *c)
{
	sip_ctx_orphan(c);
	if (c->state == CTX_RESOLVING)
		sip_ctx_kill(c);
}

uint32_t sip_ctx_cseq(const struct sip_ctx *c)
{
	return c->cseq;
}

const struct addr *sip_ctx_remote_addr(const struct sip_ctx *c)
{
	return &c->dst.addr;
}
