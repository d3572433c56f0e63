/* Reliable provisional responses (RFC 3262), both sides.
 *
 *   called:  sip_call_progress -> which are reliable (rel_mode) -> one at a time: Require, RSeq, sent again until its
 *            PRACK (sip_call_prack_in) -> what queued behind it: further ones, then the 200. No PRACK in 64*T1: 504.
 *   caller:  a response with RSeq (call_uac.c) -> in order, once (sip_call_rel_in) -> on_progress -> PRACK
 *
 * Of Supported: 100rel those with SDP are made reliable, of Require: 100rel all, as FreeSWITCH does. Nothing overtakes
 * a response that waits, so that what the caller hears is in order. An offer in a PRACK is the user's to answer. */
#include "base/clock.h"
#include "sip/sip_i.h"

bool sip_stack_has_100rel(const struct sip_stack *s)
{
	return s->has_100rel;
}

void sip_stack_rel_init(struct sip_stack *s)
{
	struct sip_list_it it;
	sip_list_start_value(&it, sv_of(s->cfg.supported));
	while (sip_list_next(&it))
		s->has_100rel |= sv_isi(it.item, "100rel");
}

/* ---- the called side ---- */

static void wait_free(struct rel_wait *w)
{
	mem_free(w->phrase);
	mem_free(w->headers);
	mem_free(w->sdp);
	memset(w, 0, sizeof(*w));
}

void sip_call_rel_start(struct sip_call *c, const struct sip_msg *invite)
{
	c->rel.mode = !sip_stack_has_100rel(c->stack)                           ? REL_NONE
	              : sip_msg_has_token(invite, SIP_HDR_REQUIRE, "100rel")    ? REL_ALL
	              : !sip_msg_has_token(invite, SIP_HDR_SUPPORTED, "100rel") ? REL_NONE
	                                                                        : REL_SDP;
	c->rel.next_rseq = 1 + rand_below(0x7fffff00);
}

void sip_call_set_100rel(struct sip_call *c, bool is_on)
{
	const struct sip_msg *invite = sip_call_invite_msg(c);
	if (c->is_uac || !invite || c->rel.mode == REL_ALL) /* required: it has to be */
		return;
	c->rel.mode = is_on && sip_msg_has_token(invite, SIP_HDR_SUPPORTED, "100rel") ? REL_SDP : REL_NONE;
}

void sip_call_rel_end(struct sip_call *c)
{
	loop_timer_cancel(&c->rel.timer);
	c->rel.is_waiting = false;
	for (size_t i = 0; i < c->rel.count; i++)
		wait_free(&c->rel.queue[i]);
	c->rel.count = 0;
	mem_free(c->rel.queue);
	c->rel.queue = NULL;
}

static void on_rel_timer(void *arg)
{
	role_assert_ctl();
	struct sip_call *c = arg;
	int64_t left = c->rel.deadline_us - loop_now_us();
	if (left > 0) {
		sip_stx_resend(c->inv_tx);
		c->rel.interval_us *= 2;
		loop_timer_set(
		    &c->rel.timer, c->rel.interval_us < left ? c->rel.interval_us : left, "sip.1xx", on_rel_timer, c);
		return;
	}
	struct sip_close why = {.kind = SIP_CLOSE_TIMEOUT, .code = 504, .phrase = SV("No PRACK")};
	struct sip_stx *tx = c->inv_tx;
	mem_ref(c);
	c->stack->stats.timeouts++;
	sip_call_rel_end(c);
	sip_stx_respond(tx, 504, NULL, NULL, NULL, SV_NONE, NULL, false);
	tx->usage = NULL;
	c->inv_tx = NULL;
	sip_stx_unref(tx);
	sip_call_close(c, &why);
	mem_unref(c);
}

static ON_CTL int progress_now(struct sip_call *c, const struct rel_wait *w)
{
	bool is_rel = c->rel.mode == REL_ALL || (c->rel.mode == REL_SDP && w->sdp);
	struct sip_stx *tx = c->inv_tx;
	tx->rseq = is_rel ? c->rel.next_rseq : 0;
	int st = sip_dialog_answer(c->dlg, tx, w->code, w->phrase, w->headers, "application/sdp", sv_of(w->sdp));
	tx->rseq = 0;
	if (st)
		return st;
	c->state = SIP_CALL_EARLY;
	c->has_sdp_sent |= w->sdp != NULL;
	if (!is_rel || !tx->is_last_sent) /* held back: nobody can acknowledge what he never got */
		return ST_OK;
	c->rel.is_waiting = true;
	c->rel.waits_for = c->rel.next_rseq++;
	c->rel.has_sdp = w->sdp != NULL;
	c->rel.interval_us = clock_us_of_ms(c->stack->cfg.t1_ms);
	c->rel.deadline_us = loop_now_us() + clock_us_of_ms(c->stack->cfg.timer_b_ms);
	loop_timer_set(&c->rel.timer, c->rel.interval_us, "sip.1xx", on_rel_timer, c);
	return ST_OK;
}

/* Behind the one that waits. */
static ON_CTL int queue_add(struct sip_call *c, int code, const char *phrase, const char *headers, struct sv sdp)
{
	struct rel_wait w = {.code = (uint16_t)code,
	    .phrase = phrase ? mem_strdup(phrase) : NULL,
	    .headers = headers ? mem_strdup(headers) : NULL,
	    .sdp = sdp.n ? sv_dup(sdp) : NULL};
	bool is_lost = (phrase && !w.phrase) || (headers && !w.headers) || (sdp.n && !w.sdp);
	/* the place of the last is the answer's */
	size_t room = code < 200 ? REL_QUEUE_MAX - 1 : REL_QUEUE_MAX;
	if (!c->rel.queue)
		is_lost |= !(c->rel.queue = mem_zalloc(REL_QUEUE_MAX * sizeof(w)));
	if (is_lost || c->rel.count >= room) {
		wait_free(&w);
		return is_lost ? ST_NOMEM : ST_BUSY;
	}
	c->rel.queue[c->rel.count++] = w;
	return ST_OK;
}

int sip_call_progress(struct sip_call *c, int code, const char *phrase, const char *headers, struct sv sdp)
{
	if (c->is_uac || !c->inv_tx || c->state > SIP_CALL_EARLY || code <= 100 || code > 199 || c->rel.is_answered)
		return ST_INVAL;
	if (c->rel.is_waiting)
		return queue_add(c, code, phrase, headers, sdp);
	struct rel_wait w = {.code = (uint16_t)code, .phrase = (char *)phrase, .headers = (char *)headers};
	w.sdp = sdp.n ? sv_dup(sdp) : NULL;
	int st = sdp.n && !w.sdp ? ST_NOMEM : progress_now(c, &w);
	mem_free(w.sdp);
	return st;
}

/* RFC 3262 3: no 2xx while a response with SDP waits for its PRACK; without one it may go, and what still waits is of
 * no use any more. */
int sip_call_answer(struct sip_call *c, const char *headers, struct sv sdp)
{
	if (c->is_uac || !c->inv_tx || c->state > SIP_CALL_EARLY || c->rel.is_answered)
		return ST_INVAL;
	bool is_sdp_queued = false;
	for (size_t i = 0; i < c->rel.count; i++)
		is_sdp_queued |= c->rel.queue[i].sdp != NULL;
	if (c->rel.is_waiting && (c->rel.has_sdp || is_sdp_queued)) {
		int st = queue_add(c, 200, NULL, headers, sdp);
		c->rel.is_answered = st == ST_OK;
		return st;
	}
	int st = sip_call_answer_now(c, headers, sdp);
	if (!st)
		sip_call_rel_end(c);
	return st;
}

bool sip_call_is_answer_queued(const struct sip_call *c)
{
	return c->rel.is_answered && c->state <= SIP_CALL_EARLY;
}

bool sip_call_has_reliable_sdp(const struct sip_call *c)
{
	return !c->is_uac && c->has_sdp_sent && c->rel.is_sdp_settled;
}

static ON_CTL void queue_go(struct sip_call *c)
{
	while (c->rel.count && !c->rel.is_waiting && c->state <= SIP_CALL_EARLY && c->inv_tx) {
		struct rel_wait w = c->rel.queue[0];
		memmove(c->rel.queue, c->rel.queue + 1, --c->rel.count * sizeof(w));
		if (w.code >= 200) /* the SDP was said and acknowledged */
			(void)sip_call_answer_now(c, w.headers, c->rel.is_sdp_settled ? SV_NONE : sv_of(w.sdp));
		else
			(void)progress_now(c, &w);
		wait_free(&w);
	}
}

/* "rseq cseq method" */
static bool rack_fits(const struct sip_call *c, struct sv rack)
{
	struct sv rseq, rest, cseq, method;
	uint32_t n;
	sv_split(sv_trim(rack), ' ', &rseq, &rest);
	sv_split(sv_trim(rest), ' ', &cseq, &method);
	if (sv_u32(rseq, &n) || n != c->rel.waits_for)
		return false;
	return !sv_u32(cseq, &n) && c->inv_tx && n == c->inv_tx->cseq && sv_is(sv_trim(method), "INVITE");
}

void sip_call_prack_in(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *m)
{
	if (!c->rel.is_waiting || !rack_fits(c, sip_msg_value(m, SIP_HDR_RACK))) {
		sip_stx_respond(tx, 481, NULL, NULL, NULL, SV_NONE, NULL, false);
		return;
	}
	loop_timer_cancel(&c->rel.timer);
	c->rel.is_waiting = false;
	c->rel.is_sdp_settled |= c->rel.has_sdp;
	if (!m->sdp.n || !c->h || !c->h->on_prack) {
		sip_dialog_answer(c->dlg, tx, m->sdp.n ? 488 : 200, NULL, NULL, NULL, SV_NONE);
	} else if (c->update_tx) {
		sip_stx_respond(tx, 491, NULL, NULL, NULL, SV_NONE, NULL, false);
	} else {
		c->update_tx = sip_stx_ref(tx);
		c->h->on_prack(c, tx, m, c->arg);
	}
	queue_go(c);
}

/* ---- the caller's side ---- */

/* Whether the response carries a number, and it is the next of its fork. */
enum rel_kind sip_call_rel_in(struct sip_call *c, const struct sip_msg *resp)
{
	uint32_t rseq;
	if (!sip_msg_has_token(resp, SIP_HDR_REQUIRE, "100rel") || !resp->to_tag.n)
		return REL_IN_PLAIN;
	if (sv_u32(sv_trim(sip_msg_value(resp, SIP_HDR_RSEQ)), &rseq) || !rseq)
		return REL_IN_PLAIN;
	struct sip_far *f = sip_dialog_fork(c->dlg, resp->to_tag);
	if (f && f->rseq && rseq != f->rseq + 1)
		return REL_IN_AGAIN; /* said before, or out of order: the missing one is sent again first */
	return REL_IN_NEXT;
}

/* Requests of ours under way; who answers none of them gets no more PRACKs. */
static bool is_owed_much(const struct sip_call *c)
{
	enum { REQUESTS_MAX = 16 };
	size_t count = 0;
	struct lnode *n, *tmp;
	list_each (&c->requests, n, tmp)
		count++;
	return count >= REQUESTS_MAX;
}

void sip_call_prack(struct sip_call *c, const struct sip_msg *resp)
{
	struct sv rseq = sv_trim(sip_msg_value(resp, SIP_HDR_RSEQ));
	struct buf b;
	uint32_t n;
	if (c->state == SIP_CALL_CLOSED || sv_u32(rseq, &n) || is_owed_much(c))
		return;
	c->dlg->far.rseq = n;
	buf_init(&b);
	buf_printf(&b, "RAck: %u %u INVITE\r\n", n, resp->cseq);
	if (!b.failed)
		(void)sip_call_request(c, "PRACK", b.p, NULL, SV_NONE, NULL, NULL);
	buf_fini(&b);
}

void sip_put_common_invite(struct sip_stack *s, struct buf *b, bool has_100rel)
{
	static const char had[] = "Supported: ";
	struct sip_list_it it;
	bool is_first = !has_100rel;
	sip_put_common(s, b, true);
	if (has_100rel == sip_stack_has_100rel(s) || b->failed)
		return;
	if (s->cfg.supported) {
		b->n -= strlen(had) + strlen(s->cfg.supported) + 2;
		b->p[b->n] = 0;
	}
	if (has_100rel)
		buf_printf(b, "%s100rel", had);
	sip_list_start_value(&it, sv_of(s->cfg.supported));
	while (sip_list_next(&it)) {
		if (sv_isi(it.item, "100rel"))
			continue;
		buf_printf(b, "%s%.*s", is_first ? had : ", ", SVF(it.item));
		is_first = false;
	}
	if (!is_first)
		buf_adds(b, "\r\n");
}
