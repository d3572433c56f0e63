/* Server transactions (RFC 3261 17.2, RFC 6026): a request in, retransmissions absorbed by sending the stored response
 * again, responses out to where the request came from. A transaction is one object, the header lines every response
 * repeats, and the last response. Finished ones wait in one list, oldest first, and under load go early. What strangers
 * are told (sip_stx_reply_once) is not kept at all. Over UDP every response is paid from its address's credit
 * (sender.c). Does not retransmit 2xx to INVITE: the call does, by sip_stx_resend. */
#include "base/clock.h"
#include "sip/sip_i.h"
#include <stdio.h>

/* Final answers that wait for an ACK over UDP: by one address and in all. Beyond, an answer is sent once. */
enum { UNACKED_PER_HOST_MAX = 256, UNACKED_MAX = 8192 };

static ON_CTL void on_timer(void *arg);

static uint64_t stx_key(const struct sip_msg *m, enum sip_method method)
{
	struct sv name = method == SIP_NO_METHOD ? m->method_text : sv_of(sip_method_name(method));
	if (sv_starts(m->via.branch, SV(SIP_COOKIE)))
		return sip_key(m->via.branch, m->via.host, name, m->via.port);
	/* RFC 2543 peers: RFC 3261 17.2.3; the To tag of an ACK is not that of its INVITE, so it is left out */
	uint64_t inner = sip_key(m->via.text, m->ruri.text, m->from_tag, m->cseq);
	return sip_key(m->call_id, (struct sv){(const char *)&inner, sizeof(inner)}, name, 1);
}

static uint64_t merge_key(const struct sip_msg *m)
{
	return sip_key(m->call_id, m->from_tag, m->method_text, m->cseq);
}

/* The To tag of answers that are not kept: from the request and our key, so the same for each retransmission, and
 * nobody knows it who did not get the answer. */
static uint64_t once_tag_of(const struct sip_msg *m)
{
	return sip_key(m->call_id, m->via.branch, m->from_tag, m->cseq);
}

static void once_tag_text(uint64_t tag, char out[SIP_TAG_CHARS + 1])
{
	snprintf(out, SIP_TAG_CHARS + 1, "%013llx", (unsigned long long)(tag >> 12));
}

static ON_CTL void stx_free(struct sip_stx *tx)
{
	mem_free(tx->head);
	mem_free(tx->last);
	sip_flow_drop(&tx->src.flow);
	mem_free(tx);
}

struct sip_stx *sip_stx_ref(struct sip_stx *tx)
{
	tx->refs++;
	return tx;
}

void sip_stx_unref(struct sip_stx *tx)
{
	if (tx && --tx->refs == 0)
		stx_free(tx);
}

/* It takes no place among its sender's any more. */
static ON_CTL void count_leave(struct sip_stx *tx)
{
	struct sip_sender *d = tx->src.sender;
	if (d && tx->is_counted)
		d->active_count--;
	tx->is_counted = false;
}

static ON_CTL void unacked_leave(struct sip_stx *tx)
{
	if (!tx->is_unacked)
		return;
	tx->is_unacked = false;
	tx->stack->unacked_count--;
	if (tx->src.sender)
		tx->src.sender->unacked_count--;
}

static ON_CTL void done_remove(struct sip_stx *tx)
{
	if (!lnode_is_linked(&tx->done_link))
		return;
	list_remove(&tx->done_link);
	tx->stack->done_count--;
}

void sip_stx_kill(struct sip_stx *tx)
{
	struct sip_stack *s = tx->stack;
	if (tx->state == STX_DONE)
		return;
	tx->state = STX_DONE;
	loop_timer_cancel(&tx->timer);
	done_remove(tx);
	sip_table_del(&s->stx_table, &tx->node);
	sip_table_del(&s->merge_table, &tx->merge_node);
	list_remove(&tx->link);
	count_leave(tx);
	unacked_leave(tx);
	if (tx->src.sender)
		tx->src.sender->refs--;
	tx->src.sender = NULL;
	tx->stack = NULL;
	sip_stx_unref(tx);
}

static void on_done_timer(void *arg)
{
	role_assert_ctl();
	struct sip_stack *s = arg;
	struct lnode *n;
	while ((n = list_first(&s->done))) {
		struct sip_stx *tx = list_entry(n, struct sip_stx, done_link);
		int64_t left_us = tx->done_due_us - loop_now_us();
		if (left_us > 0) {
			loop_timer_set(&s->done_timer, left_us, "sip.done", on_done_timer, s);
			return;
		}
		sip_stx_kill(tx);
	}
}

/* From now on it only absorbs retransmissions: what only new responses need is given back. */
static ON_CTL void done_add(struct sip_stx *tx)
{
	struct sip_stack *s = tx->stack;
	loop_timer_cancel(&tx->timer);
	count_leave(tx);
	mem_free(tx->head);
	tx->head = NULL;
	tx->done_due_us = loop_now_us() + clock_us_of_ms(s->cfg.timer_b_ms);
	list_push(&s->done, &tx->done_link);
	if (!loop_timer_is_set(&s->done_timer))
		loop_timer_set(&s->done_timer, clock_us_of_ms(s->cfg.timer_b_ms), "sip.done", on_done_timer, s);
	if (++s->done_count > SIP_DONE_MAX)
		sip_stx_kill(list_entry(list_first(&s->done), struct sip_stx, done_link));
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

/* What every response to m begins with. What m lacks is not made up: only a 400 answers such a request. */
static void put_head(struct buf *b, const struct sip_msg *m, const struct sip_source *src, uint32_t *head_n,
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

static ON_CTL struct sip_stx *stx_new(struct sip_stack *s, const struct sip_source *src, const struct sip_msg *m)
{
	struct sip_stx *tx = mem_zalloc(sizeof(*tx));
	if (!tx)
		return NULL;
	buf_clear(&s->out);
	put_head(&s->out, m, src, &tx->head_n, &tx->to_n, &tx->rr_n);
	tx->head = mem_alloc(s->out.n + 1);
	if (s->out.failed || !tx->head) {
		mem_free(tx->head);
		mem_free(tx);
		return NULL;
	}
	memcpy(tx->head, s->out.p, s->out.n + 1);
	tx->stack = s;
	tx->refs = 1;
	tx->method = m->method;
	tx->src = *src;
	sip_flow_keep(&tx->src.flow);
	tx->via_port = m->via.port;
	tx->cseq = m->cseq;
	tx->to_had_tag = m->to_tag.n > 0;
	tx->once_tag = once_tag_of(m);
	if (src->sender) {
		src->sender->refs++;
		src->sender->active_count++;
		tx->is_counted = true;
	}
	list_push(&s->stxs, &tx->link);
	sip_table_add(&s->stx_table, &tx->node, stx_key(m, m->method));
	return tx;
}

const char *sip_stx_to_tag(struct sip_stx *tx)
{
	if (!tx->to_tag[0])
		rand_token(tx->to_tag, SIP_TAG_CHARS);
	return tx->to_tag;
}

void sip_stx_set_to_tag(struct sip_stx *tx, const char *tag)
{
	size_t n = strlen(tag);
	CHECK(n <= SIP_TAG_CHARS);
	memcpy(tx->to_tag, tag, n + 1);
}

void sip_stx_resend(struct sip_stx *tx)
{
	if (tx->state == STX_DONE || !tx->last)
		return;
	if (!sip_flow_is_reliable(&tx->src.flow) &&
	    !sip_sender_pays(tx->stack, tx->src.sender, tx->last_n, SIP_PAY_REPEAT, 0)) {
		tx->stack->stats.held_back++;
		return;
	}
	tx->stack->stats.retransmits_out++;
	tx->has_answered = true;
	sip_flow_answer(tx->stack, &tx->src.flow, tx->via_port, tx->last, tx->last_n);
}

/* A final answer to an INVITE waits for its ACK. False: too many do. */
static ON_CTL bool unacked_enter(struct sip_stx *tx)
{
	struct sip_sender *d = tx->src.sender;
	if (!d || d->unacked_count >= UNACKED_PER_HOST_MAX || tx->stack->unacked_count >= UNACKED_MAX)
		return false;
	d->unacked_count++;
	tx->stack->unacked_count++;
	tx->is_unacked = true;
	return true;
}

/* Moves on by the response just sent. */
static ON_CTL void advance(struct sip_stx *tx, int code)
{
	struct sip_stack *s = tx->stack;
	bool is_unreliable = !sip_flow_is_reliable(&tx->src.flow);
	if (code < 200) {
		tx->state = STX_PROCEEDING;
		if (tx->method == SIP_INVITE)
			loop_timer_cancel(&tx->timer);
		return;
	}
	sip_table_del(&s->merge_table, &tx->merge_node);
	if (tx->method != SIP_INVITE) {
		tx->state = STX_COMPLETED;
		if (is_unreliable)
			done_add(tx);
		else
			sip_stx_kill(tx);
		return;
	}
	if (code >= 300 && is_unreliable && !unacked_enter(tx)) {
		sip_stx_kill(tx);
		return;
	}
	tx->deadline_us = loop_now_us() + clock_us_of_ms(s->cfg.timer_b_ms);
	tx->state = code < 300 ? STX_ACCEPTED : STX_COMPLETED;
	tx->interval_us =
	    code >= 300 && is_unreliable ? clock_us_of_ms(s->cfg.t1_ms) : clock_us_of_ms(s->cfg.timer_b_ms);
	loop_timer_set(&tx->timer, tx->interval_us, "sip.stx", on_timer, tx);
}

struct response {
	int code;
	const char *phrase, *headers, *ctype;
	struct sv body;
	const char *contact;
	bool has_record_route, is_short /* without what only describes us */;
};

/* The whole response to the stack's scratch. */
static ON_CTL void response_put(struct sip_stx *tx, const struct response *r, const char *to_tag)
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

/* The response to the scratch, over UDP in its short form when credit does not do for the whole (a provisional one with
 * SDP then has nothing but that, since who has heard a 100 does not ask again); how_short pays for that. False: it is
 * not to be sent. */
static ON_CTL bool response_put_paid(
    struct sip_stx *tx, struct response *r, const char *to_tag, enum sip_pay how, enum sip_pay how_short)
{
	struct sip_stack *s = tx->stack;
	response_put(tx, r, to_tag);
	if (sip_flow_is_reliable(&tx->src.flow) || sip_sender_pays(s, tx->src.sender, s->out.n, how, 0))
		return true;
	size_t final_n = 0;
	r->is_short = true;
	response_put(tx, r, to_tag);
	if (how_short == SIP_PAY_EARLY && r->body.n) { /* early media: the answer will say the same again */
		final_n = s->out.n;
		r->headers = NULL;
		response_put(tx, r, to_tag);
	}
	return sip_sender_pays(s, tx->src.sender, s->out.n, how_short, final_n);
}

int sip_stx_respond(struct sip_stx *tx, int code, const char *phrase, const char *headers, const char *ctype,
    struct sv body, const char *contact, bool record_route)
{
	if (tx->state == STX_DONE || tx->state >= STX_COMPLETED || code < 100 || code > 699)
		return ST_INVAL;
	struct sip_stack *s = tx->stack;
	struct buf *b = &s->out;
	struct response r = {code, phrase, headers, ctype, body, contact, record_route, false};
	const char *to_tag = code > 100 && !tx->to_had_tag ? sip_stx_to_tag(tx) : NULL;
	enum sip_pay how = code < 200 ? SIP_PAY_EARLY : SIP_PAY_FINAL;
	bool is_due = code >= 200 && tx->has_answered;
	bool is_paid = response_put_paid(tx, &r, to_tag, how, is_due ? SIP_PAY_DUE : how);
	char *copy = b->failed ? NULL : mem_alloc(b->n);
	if (!copy)
		return ST_NOMEM;
	memcpy(copy, b->p, b->n);
	mem_free(tx->last);
	tx->last = copy;
	tx->last_n = b->n;
	tx->code = (uint16_t)code;
	s->stats.responses_out++;
	sip_stx_ref(tx);
	tx->has_answered |= is_paid;
	tx->is_last_sent = is_paid;
	if (is_paid)
		sip_flow_answer(s, &tx->src.flow, tx->via_port, copy, b->n);
	else
		s->stats.held_back++; /* he will ask again */
	if (tx->state != STX_DONE)
		advance(tx, code);
	sip_stx_unref(tx);
	return ST_OK;
}

static void on_timer(void *arg)
{
	role_assert_ctl();
	struct sip_stx *tx = arg;
	int64_t now = loop_now_us();
	switch (tx->state) {
	case STX_TRYING:
		sip_stx_respond(tx, 100, NULL, NULL, NULL, SV_NONE, NULL, false);
		return;
	case STX_COMPLETED:
		if (now < tx->deadline_us) {
			sip_stx_resend(tx);
			tx->interval_us *= 2;
			if (tx->interval_us > clock_us_of_ms(tx->stack->cfg.t2_ms))
				tx->interval_us = clock_us_of_ms(tx->stack->cfg.t2_ms);
			int64_t left = tx->deadline_us - now;
			loop_timer_set(
			    &tx->timer, left < tx->interval_us ? left : tx->interval_us, "sip.stx", on_timer, tx);
			return;
		}
		tx->stack->stats.timeouts++;
		break;
	default:
		break;
	}
	sip_stx_kill(tx);
}

void sip_stx_acked(struct sip_stx *tx)
{
	if (tx->state != STX_ACCEPTED || lnode_is_linked(&tx->done_link))
		return;
	mem_free(tx->last);
	tx->last = NULL;
	tx->last_n = 0;
	done_add(tx);
}

void sip_stateless_reply(struct sip_stack *s, const struct sip_source *src, const struct sip_msg *m, int code,
    const char *phrase, const char *headers)
{
	struct buf *b = &s->out;
	uint32_t head_n, to_n, rr_n;
	char tag[SIP_TAG_CHARS + 1];
	once_tag_text(once_tag_of(m), tag);
	buf_clear(b);
	sip_put_status_line(b, code, sv_of(phrase));
	put_head(b, m, src, &head_n, &to_n, &rr_n);
	b->n -= rr_n;
	if (to_n && !m->to_tag.n) /* the same for each retransmission */
		buf_printf(b, ";tag=%s", tag);
	if (to_n)
		buf_adds(b, "\r\n");
	sip_put_common(s, b, false);
	sip_put_lines(b, headers);
	sip_put_body(b, SV_NONE, SV_NONE);
	if (!sip_flow_is_reliable(&src->flow) && !sip_sender_pays(s, src->sender, b->n, SIP_PAY_FINAL, 0)) {
		s->stats.held_back++;
		return;
	}
	if (b->failed)
		return;
	s->stats.responses_out++;
	sip_flow_answer(s, &src->flow, m->via.port, b->p, b->n);
}

struct sip_stx *sip_stx_find_invite(struct sip_stack *s, const struct sip_msg *m)
{
	struct sip_node *n = sip_table_first(&s->stx_table, stx_key(m, SIP_INVITE));
	return n ? list_entry(n, struct sip_stx, node) : NULL;
}

static ON_CTL void ack_in(struct sip_stack *s, const struct sip_source *src, const struct sip_msg *m)
{
	struct sip_stx *tx = sip_stx_find_invite(s, m);
	struct sip_dialog *d;
	char tag[SIP_TAG_CHARS + 1];
	if (!tx) { /* of an answer that was not kept? */
		once_tag_text(once_tag_of(m), tag);
		if (sv_is(m->to_tag, tag))
			sip_sender_proved(src->sender);
	}
	if (tx && tx->state == STX_COMPLETED) {
		tx->state = STX_CONFIRMED;
		unacked_leave(tx);
		if (sv_is(m->to_tag, tx->to_tag))
			sip_sender_proved(src->sender);
		if (sip_flow_is_reliable(&tx->src.flow))
			sip_stx_kill(tx);
		else
			loop_timer_set(&tx->timer, clock_us_of_ms(s->cfg.t4_ms), "sip.stx", on_timer, tx);
		return;
	}
	if (tx && tx->state != STX_ACCEPTED)
		return;
	if ((d = sip_dialog_of(s, m))) {
		sip_sender_proved(src->sender);
		sip_dialog_seen_from(d, src);
		sip_dialog_ack_in(d, m);
	}
}

static ON_CTL void cancel_in(struct sip_stack *s, struct sip_stx *tx, const struct sip_msg *m)
{
	struct sip_stx *inv = sip_stx_find_invite(s, m);
	if (!inv) {
		sip_stx_reply_once(tx, 481, NULL, NULL);
		return;
	}
	if (!tx->to_had_tag)
		sip_stx_set_to_tag(tx, sip_stx_to_tag(inv));
	sip_stx_respond(tx, 200, NULL, NULL, NULL, SV_NONE, NULL, false);
	if (inv->state > STX_PROCEEDING)
		return;
	inv->is_cancelled = true;
	sip_stx_ref(inv);
	if (inv->usage) {
		inv->usage->ops->cancel_in(inv->usage, m);
	} else {
		sip_stx_respond(inv, 487, NULL, NULL, NULL, SV_NONE, NULL, false);
		if (inv->cancel_fn)
			inv->cancel_fn(inv, inv->cancel_arg);
	}
	sip_stx_unref(inv);
}

/* RFC 3261 8.2.2: false when the request was answered here. */
static ON_CTL bool check_request(struct sip_stack *s, const struct sip_source *src, const struct sip_msg *m)
{
	if (m->ruri.scheme == SIP_SCHEME_OTHER) {
		sip_stateless_reply(s, src, m, 416, NULL, NULL);
		return false;
	}
	if (m->max_forwards == 0 && !m->to_tag.n && m->method != SIP_OPTIONS) {
		sip_stateless_reply(s, src, m, 483, NULL, NULL);
		return false;
	}
	if (!m->to_tag.n && sip_table_first(&s->merge_table, merge_key(m))) {
		sip_stateless_reply(s, src, m, 482, NULL, NULL);
		return false;
	}
	struct sip_list_it it;
	struct buf bad;
	buf_init(&bad);
	sip_list_start(&it, m, SIP_HDR_REQUIRE);
	while (sip_list_next(&it)) {
		struct sip_list_it own;
		bool is_known = false;
		sip_list_start_value(&own, sv_of(s->cfg.supported));
		while (!is_known && sip_list_next(&own))
			is_known = sv_eqi(own.item, it.item);
		if (!is_known)
			buf_printf(&bad, "%s%.*s", bad.n ? ", " : "Unsupported: ", SVF(it.item));
	}
	bool ok = bad.n == 0;
	if (!ok)
		sip_stateless_reply(s, src, m, 420, NULL, bad.p);
	buf_fini(&bad);
	return ok;
}

/* Methods that only make sense inside a dialog we have. */
static bool needs_dialog(const struct sip_msg *m)
{
	switch (m->method) {
	case SIP_BYE:
	case SIP_PRACK:
	case SIP_UPDATE:
		return true;
	case SIP_INVITE:
	case SIP_INFO:
		return m->to_tag.n > 0;
	default:
		return false;
	}
}

static ON_CTL void to_user(struct sip_stack *s, struct sip_stx *tx, const struct sip_msg *m)
{
	struct sip_dialog *d = sip_dialog_of(s, m);
	if (d) {
		sip_sender_proved(tx->src.sender);
		sip_dialog_seen_from(d, &tx->src);
		if (sip_dialog_request_in(d, tx, m))
			return;
	}
	if (needs_dialog(m)) {
		sip_stx_reply_once(tx, 481, NULL, NULL);
	} else if (s->h.on_request) {
		s->h.on_request(s, tx, m, s->arg);
	} else {
		sip_stx_reply_once(tx, 501, NULL, NULL);
	}
}

/* No room for one more transaction, in all or for this address; dialogs that stand go on. */
static ON_CTL bool is_shed(struct sip_stack *s, const struct sip_source *src, const struct sip_msg *m)
{
	bool is_full = s->stx_table.count - s->done_count >= s->cfg.max_transactions;
	bool is_host_full = src->sender && src->sender->active_count >= s->cfg.max_transactions_per_host;
	if (!is_full && !is_host_full)
		return false;
	if (!is_full && sip_dialog_of(s, m))
		return false;
	s->stats.shed++;
	s->stats.host_shed += !is_full;
	return true;
}

void sip_stx_input(struct sip_stack *s, const struct sip_source *src, struct sip_msg *m)
{
	if (m->method == SIP_ACK) {
		ack_in(s, src, m);
		return;
	}
	struct sip_node *n = sip_table_first(&s->stx_table, stx_key(m, m->method));
	if (n) {
		struct sip_stx *old = list_entry(n, struct sip_stx, node);
		s->stats.retransmits_in++;
		if (old->state != STX_ACCEPTED && old->state != STX_CONFIRMED)
			sip_stx_resend(old);
		return;
	}
	if (sip_shed_refuses(s, src, m))
		return;
	if (is_shed(s, src, m)) {
		sip_stateless_reply(s, src, m, 503, NULL, "Retry-After: 5\r\n");
		return;
	}
	if (m->method != SIP_CANCEL && !check_request(s, src, m))
		return;
	struct sip_stx *tx = stx_new(s, src, m);
	if (!tx)
		return;
	sip_stx_ref(tx);
	if (m->method == SIP_CANCEL) {
		cancel_in(s, tx, m);
		sip_stx_unref(tx);
		return;
	}
	if (!m->to_tag.n)
		sip_table_add(&s->merge_table, &tx->merge_node, merge_key(m));
	if (m->method == SIP_INVITE) {
		if (s->cfg.trying_delay_ms < 0)
			sip_stx_respond(tx, 100, NULL, NULL, NULL, SV_NONE, NULL, false);
		else
			loop_timer_set(&tx->timer, clock_us_of_ms(s->cfg.trying_delay_ms), "sip.stx", on_timer, tx);
	}
	to_user(s, tx, m);
	sip_stx_unref(tx);
}

/* ---- for users ---- */

const struct addr *sip_stx_peer(const struct sip_stx *tx)
{
	return &tx->src.flow.peer;
}

const struct addr *sip_stx_local(const struct sip_stx *tx)
{
	return &tx->src.flow.local;
}

enum sip_transport sip_stx_transport(const struct sip_stx *tx)
{
	return sip_flow_transport(&tx->src.flow);
}

enum sip_method sip_stx_method(const struct sip_stx *tx)
{
	return (enum sip_method)tx->method;
}

struct sip_stack *sip_stx_stack(const struct sip_stx *tx)
{
	return tx->stack;
}

bool sip_stx_is_done(const struct sip_stx *tx)
{
	return tx->state >= STX_COMPLETED;
}

int sip_stx_reply(
    struct sip_stx *tx, int code, const char *phrase, const char *headers, const char *ctype, struct sv body)
{
	return sip_stx_respond(tx, code, phrase, headers, ctype, body, NULL, false);
}

int sip_stx_reply_once(struct sip_stx *tx, int code, const char *phrase, const char *headers)
{
	struct sip_stack *s = tx->stack;
	struct response r = {.code = code, .phrase = phrase, .headers = headers};
	char tag[SIP_TAG_CHARS + 1];
	if (code < 200 || code > 699 || tx->state >= STX_COMPLETED)
		return ST_INVAL;
	if (tx->state != STX_TRYING)
		return sip_stx_respond(tx, code, phrase, headers, NULL, SV_NONE, NULL, false);
	once_tag_text(tx->once_tag, tag);
	sip_stx_ref(tx);
	const char *to_tag = tx->to_had_tag ? NULL : tag;
	if (response_put_paid(tx, &r, to_tag, SIP_PAY_FINAL, SIP_PAY_FINAL) && !s->out.failed) {
		s->stats.responses_out++;
		tx->code = (uint16_t)code;
		sip_flow_answer(s, &tx->src.flow, tx->via_port, s->out.p, s->out.n);
	} else {
		s->stats.held_back++;
	}
	sip_stx_kill(tx);
	sip_stx_unref(tx);
	return ST_OK;
}

void sip_stx_drop(struct sip_stx *tx)
{
	sip_stx_kill(tx);
}

void sip_stx_on_cancel(struct sip_stx *tx, void (*fn)(struct sip_stx *tx, void *arg), void *arg)
{
	tx->cancel_fn = fn;
	tx->cancel_arg = arg;
}
