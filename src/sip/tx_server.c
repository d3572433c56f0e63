/* Server transactions (RFC 3261 17.2, RFC 6026): a request in, retransmissions absorbed by sending the stored response
 * again, responses out to where the request came from. A transaction is one object, the header lines every response
 * repeats, and the last response. Finished ones wait in one list, oldest first, and under load go early. What strangers
 * are told (sip_stx_reply_once) is not kept at all. Over UDP every response is paid from its address's credit
 * (sender.c). Here are its life and states; how a request comes to it: tx_server_in.c, what responses say:
 * tx_server_text.c. Does not retransmit 2xx to INVITE: the call does, by sip_stx_resend. */
#include "base/clock.h"
#include "sip/tx_server_i.h"

/* Final answers that wait for an ACK over UDP: by one address and in all. Beyond, an answer is sent once. */
enum { UNACKED_PER_HOST_MAX = 256, UNACKED_MAX = 8192 };

static ON_CTL void on_timer(void *arg);

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

struct sip_stx *sip_stx_new(struct sip_stack *s, const struct sip_source *src, const struct sip_msg *m, uint64_t key)
{
	struct sip_stx *tx = mem_zalloc(sizeof(*tx));
	if (!tx)
		return NULL;
	buf_clear(&s->out);
	sip_stx_put_head(&s->out, m, src, &tx->head_n, &tx->to_n, &tx->rr_n);
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
	tx->once_tag = sip_stx_once_tag(m);
	if (src->sender) {
		src->sender->refs++;
		src->sender->active_count++;
		tx->is_counted = true;
	}
	list_push(&s->stxs, &tx->link);
	sip_table_add(&s->stx_table, &tx->node, key);
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

/* The response to the scratch, over UDP in its short form when credit does not do for the whole (a provisional one with
 * SDP then has nothing but that, since who has heard a 100 does not ask again); how_short pays for that. False: it is
 * not to be sent. */
static ON_CTL bool response_put_paid(
    struct sip_stx *tx, struct stx_response *r, const char *to_tag, enum sip_pay how, enum sip_pay how_short)
{
	struct sip_stack *s = tx->stack;
	sip_stx_put_response(tx, r, to_tag);
	if (sip_flow_is_reliable(&tx->src.flow) || sip_sender_pays(s, tx->src.sender, s->out.n, how, 0))
		return true;
	size_t final_n = 0;
	r->is_short = true;
	sip_stx_put_response(tx, r, to_tag);
	if (how_short == SIP_PAY_EARLY && r->body.n) { /* early media: the answer will say the same again */
		final_n = s->out.n;
		r->headers = NULL;
		sip_stx_put_response(tx, r, to_tag);
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
	struct stx_response r = {code, phrase, headers, ctype, body, contact, record_route, false};
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

void sip_stx_trying(struct sip_stx *tx)
{
	int delay_ms = tx->stack->cfg.trying_delay_ms;
	if (delay_ms < 0)
		sip_stx_respond(tx, 100, NULL, NULL, NULL, SV_NONE, NULL, false);
	else
		loop_timer_set(&tx->timer, clock_us_of_ms(delay_ms), "sip.stx", on_timer, tx);
}

void sip_stx_confirm(struct sip_stx *tx)
{
	tx->state = STX_CONFIRMED;
	unacked_leave(tx);
	if (sip_flow_is_reliable(&tx->src.flow))
		sip_stx_kill(tx);
	else
		loop_timer_set(&tx->timer, clock_us_of_ms(tx->stack->cfg.t4_ms), "sip.stx", on_timer, tx);
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
	sip_stx_once_tag_text(sip_stx_once_tag(m), tag);
	buf_clear(b);
	sip_put_status_line(b, code, sv_of(phrase));
	sip_stx_put_head(b, m, src, &head_n, &to_n, &rr_n);
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
	struct stx_response r = {.code = code, .phrase = phrase, .headers = headers};
	char tag[SIP_TAG_CHARS + 1];
	if (code < 200 || code > 699 || tx->state >= STX_COMPLETED)
		return ST_INVAL;
	if (tx->state != STX_TRYING)
		return sip_stx_respond(tx, code, phrase, headers, NULL, SV_NONE, NULL, false);
	sip_stx_once_tag_text(tx->once_tag, tag);
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
