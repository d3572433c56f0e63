/* A client request that goes somewhere else: to the next place of its name when one does not answer, cannot be reached
 * or says 503 (RFC 3263 4.3), and back to UDP when it was too long for it and TCP leads nowhere (RFC 3261 18.1.1). Each
 * try is a transaction of its own: the text as it was given, with another branch. The last answer stands when there is
 * no place left. */
#include "base/clock.h"
#include "sip/sip_i.h"

#define DEAD_US (30 * 1000000LL)
#define DEAD_MAX_US (300 * 1000000LL)
#define NO_TCP_US (300 * 1000000LL)
#define VIA_BYTES 140
#define TCP_WAIT_US (2 * 1000000LL)

/* Its text from before Via and our address were put in. */
static ON_CTL int again_prepare(struct sip_ctx *c)
{
	char *copy = mem_alloc(c->raw_n + 1);
	if (!copy)
		return ST_NOMEM;
	memcpy(copy, c->raw, c->raw_n);
	copy[c->raw_n] = '\0';
	mem_free(c->msg);
	c->msg = copy, c->msg_n = c->raw_n;
	c->is_via_final = false;
	mem_free(c->ack);
	c->ack = NULL;
	sip_ctx_new_branch(c);
	return ST_OK;
}

static ON_CTL void settle(struct sip_ctx *c)
{
	struct sip_msg *refusal = c->refusal;
	c->refusal = NULL;
	sip_ctx_over(c, c->failed_code, refusal);
	mem_unref(refusal);
}

static ON_CTL void go(struct sip_ctx *c, int st, const struct sip_place *place)
{
	c->is_locating = false;
	if (!st && (c->is_cancel_wanted || again_prepare(c)))
		st = ST_CANCELLED;
	if (st) {
		settle(c);
		return;
	}
	c->refusal = mem_unref(c->refusal);
	c->dst = place->dst;
	c->is_widened = false;
	c->stack->stats.failovers++;
	sip_ctx_launch(c);
}

bool sip_ctx_place_found(struct sip_ctx *c, int st, const struct sip_place *place)
{
	if (!c->is_locating)
		return false;
	go(c, st, place);
	return true;
}

bool sip_ctx_try_next(struct sip_ctx *c, int code, const struct sip_msg *resp)
{
	struct sip_place place;
	if (!c->locate || !c->raw || c->is_cancel_wanted || c->is_cancel_sent)
		return false;
	int64_t for_us = DEAD_US;
	uint32_t s = 0;
	struct sv after, rest;
	sv_split(resp ? sip_msg_value(resp, SIP_HDR_RETRY_AFTER) : SV_NONE, ';', &after, &rest);
	if (resp && !sv_u32(sv_trim(after), &s) && s)
		for_us = clock_us_of_s(s) < DEAD_MAX_US ? clock_us_of_s(s) : DEAD_MAX_US;
	sip_dead_mark(c->stack, &c->dst, for_us);
	int st = sip_locate_next(c->locate, &place);
	if (st && st != ST_AGAIN)
		return false;
	c->failed_code = code;
	mem_unref(c->refusal);
	c->refusal = resp ? sip_msg_dup(resp) : NULL;
	if (c->is_invite && resp && !sip_flow_is_reliable(&c->flow))
		sip_ctx_leave_husk(c);
	loop_timer_cancel(&c->timer);
	list_remove(&c->conn_link);
	c->is_locating = true;
	c->state = CTX_RESOLVING;
	if (!st)
		go(c, ST_OK, &place);
	return true;
}

/* ---- longer than a datagram should be ---- */

void sip_ctx_widen(struct sip_ctx *c)
{
	struct sip_stack *s = c->stack;
	struct sip_dst tcp = {.addr = c->dst.addr, .transport = SIP_TCP};
	size_t most = s->cfg.udp_max_bytes;
	if (!most || c->msg_n + VIA_BYTES <= most || !c->may_widen || c->dst.transport != SIP_UDP || c->is_oneshot ||
	    c->is_via_final || !sip_listener_for(s, SIP_TCP, &c->dst.addr) || sip_dead_is(s, &tcp))
		return;
	c->dst.transport = SIP_TCP;
	c->is_widened = true;
	s->stats.widened++;
}

int64_t sip_ctx_first_wait_us(const struct sip_ctx *c)
{
	if (c->is_widened && c->flow.conn && !c->flow.conn->is_open)
		return TCP_WAIT_US;
	/* with another place at hand nobody waits half a minute for this one */
	if (c->locate && sip_locate_has_more(c->locate))
		return clock_us_of_ms(8 * c->stack->cfg.t1_ms);
	return clock_us_of_ms(c->stack->cfg.timer_b_ms);
}

bool sip_ctx_waits_on(struct sip_ctx *c)
{
	if (c->state != CTX_CALLING || !c->is_widened || !c->flow.conn || !c->flow.conn->is_open)
		return false;
	c->is_widened = false;
	c->deadline_us = loop_now_us() + sip_ctx_first_wait_us(c);
	return true;
}

bool sip_ctx_narrow(struct sip_ctx *c)
{
	if (!c->is_widened || !c->raw || c->is_cancel_wanted)
		return false;
	sip_dead_mark(c->stack, &c->dst, NO_TCP_US);
	c->is_widened = c->may_widen = false;
	c->dst.transport = SIP_UDP;
	list_remove(&c->conn_link);
	if (again_prepare(c))
		return false;
	sip_ctx_launch(c);
	return true;
}
