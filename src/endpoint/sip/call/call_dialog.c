/* Inside a call that stands: re-INVITE and UPDATE from the far side, our own hold, other requests. A session change
 * that does not fit is refused and the call goes on as it was. */
#include "base/log.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "core/value/cause.h"
#include "endpoint/sip/call/call_i.h"
#include "endpoint/sip/call/message.h"

#include <stdio.h>
#include <string.h>

static ON_CTL void answer_offer(struct call *c, struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m)
{
	struct buf sdp, headers;
	buf_init(&sdp);
	buf_init(&headers);
	call_hosts_tell(c, sip_stx_peer(tx), m);
	int st = m->sdp.n ? leg_media_reoffer(c->leg, m->sdp, &sdp) : leg_media_offer_asked(c->leg, &sdp);
	if (st == ST_OK) {
		c->has_reoffered = !m->sdp.n; /* the answer comes in the ACK */
		session_timer_answer_put(c, m, &headers);
		sip_call_reply(sc, tx, 200, NULL, headers.p, "application/sdp", buf_sv(&sdp));
	} else if (st == ST_AGAIN) {
		if (c->waiting_tx)
			sip_stx_unref(c->waiting_tx);
		c->waiting_tx = sip_stx_ref(tx);
		session_timer_answer_put(c, m, &headers);
		mem_free(c->waiting_headers);
		c->waiting_headers = buf_take(&headers);
		c->is_waiting_offerless = !m->sdp.n;
	} else {
		sip_call_reply(sc, tx, st == ST_BUSY ? 491 : 488, NULL, NULL, NULL, SV_NONE);
	}
	buf_fini(&sdp);
	buf_fini(&headers);
}

static ON_CTL bool refuse_short(struct call *c, struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m)
{
	char line[32];
	if (!session_timer_is_too_short(c->p, m, line))
		return false;
	sip_call_reply(sc, tx, 422, "Session Interval Too Small", line, NULL, SV_NONE);
	return true;
}

/* CUSTOM sofia::reinvite: the far side asks for another session. */
static ON_CTL void reinvite_event(struct call *c)
{
	static const char subclass[] = "sofia::reinvite";
	struct event *e;
	if (!event_is_wanted(EVENT_CUSTOM, subclass) || !(e = event_new(EVENT_CUSTOM, subclass)))
		return;
	event_add(e, "profile-name", c->p->conf.name);
	leg_event_headers(c->leg, e);
	event_fire(e);
}

void call_on_reinvite(struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m, void *arg)
{
	struct call *c = arg;
	role_assert_ctl();
	if (!c->leg || !leg_is_up(c->leg))
		sip_call_reply(sc, tx, 481, NULL, NULL, NULL, SV_NONE);
	else if (m->has_unknown_body)
		sip_call_reply(sc, tx, 415, NULL, CALL_ACCEPT, NULL, SV_NONE);
	else if (!refuse_short(c, sc, tx, m))
		reinvite_event(c), answer_offer(c, sc, tx, m), call_display_read(c, m);
}

void call_on_update(struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m, void *arg)
{
	struct call *c = arg;
	struct buf headers;
	role_assert_ctl();
	if (!c->leg || !leg_is_up(c->leg)) {
		sip_call_reply(sc, tx, 481, NULL, NULL, NULL, SV_NONE);
	} else if (m->has_unknown_body) {
		sip_call_reply(sc, tx, 415, NULL, CALL_ACCEPT, NULL, SV_NONE);
	} else if (refuse_short(c, sc, tx, m)) {
		return;
	} else if (m->sdp.n) {
		answer_offer(c, sc, tx, m);
		call_display_read(c, m);
	} else {
		buf_init(&headers);
		session_timer_answer_put(c, m, &headers);
		sip_call_reply(sc, tx, 200, NULL, headers.p, NULL, SV_NONE);
		buf_fini(&headers);
		call_display_read(c, m);
	}
}

/* An offer in the PRACK of a response of ours that had the answer. */
void call_on_prack(struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m, void *arg)
{
	struct call *c = arg;
	struct buf sdp;
	role_assert_ctl();
	if (!c->leg || !leg_is_up(c->leg)) {
		sip_call_reply(sc, tx, 481, NULL, NULL, NULL, SV_NONE);
		return;
	}
	buf_init(&sdp);
	call_hosts_tell(c, sip_stx_peer(tx), m);
	int st = leg_media_reoffer(c->leg, m->sdp, &sdp);
	sip_call_reply(sc, tx, st == ST_OK ? 200 : 488, NULL, NULL, NULL, st == ST_OK ? buf_sv(&sdp) : SV_NONE);
	buf_fini(&sdp);
}

void call_on_update_done(struct sip_call *sc, int code, const struct sip_msg *resp, void *arg)
{
	struct call *c = arg;
	role_assert_ctl();
	if (!c->leg || !leg_is_up(c->leg))
		return;
	if (resp && code / 100 == 2)
		session_timer_answered(c, resp);
	else if (resp)
		session_timer_refused(c, code, resp);
}

int call_on_reinvite_again(struct sip_call *sc, struct buf *sdp, void *arg)
{
	struct call *c = arg;
	role_assert_ctl();
	return c->leg && leg_is_up(c->leg) ? leg_media_offer_again(c->leg, sdp) : ST_NOTFOUND;
}

void call_on_reinvite_done(struct sip_call *sc, int code, const struct sip_msg *resp, void *arg)
{
	struct call *c = arg;
	role_assert_ctl();
	if (!c->leg || !leg_is_up(c->leg))
		return;
	if (resp && code / 100 == 2) {
		call_hosts_tell(c, sip_call_remote_addr(sc), resp);
		session_timer_answered(c, resp);
	}
	if (code >= 200 && leg_media_reinvite_done(c->leg, code, resp ? resp->sdp : SV_NONE) && c->is_offer_asked)
		sip_call_hold_ack(sc);
	c->is_offer_asked = false;
	if (resp && code >= 300 && c->leg && leg_is_up(c->leg)) /* which may ask again at once */
		session_timer_refused(c, code, resp);
}

void call_on_request(struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m, void *arg)
{
	struct call *c = arg;
	role_assert_ctl();
	if (!c->leg || !leg_is_up(c->leg)) {
		sip_call_reply(sc, tx, 481, NULL, NULL, NULL, SV_NONE);
		return;
	}
	switch (m->method) {
	case SIP_INFO:
		info_in(c, sc, tx, m);
		break;
	case SIP_OPTIONS:
		sip_call_reply(sc, tx, 200, NULL, "Accept: application/sdp\r\n", NULL, SV_NONE);
		break;
	case SIP_NOTIFY:
		sip_call_reply(sc, tx, 481, "Subscription Does Not Exist", NULL, NULL, SV_NONE);
		break;
	case SIP_REFER:
		refer_in(c, sc, tx, m);
		break;
	case SIP_SUBSCRIBE:
		sip_call_reply(sc, tx, 489, NULL, NULL, NULL, SV_NONE);
		break;
	case SIP_PUBLISH: /* of no call (RFC 3903 4) */
		sip_call_reply(sc, tx, 403, "PUBLISH Inside Of A Call", NULL, NULL, SV_NONE);
		break;
	case SIP_MESSAGE:
		if (!body_request_passed(c, sc, tx, m))
			message_in(c->p, tx, m, sc, c->leg);
		break;
	case SIP_REGISTER:
		sip_call_reply(sc, tx, 405, NULL, NULL, NULL, SV_NONE);
		break;
	default:
		sip_call_reply(sc, tx, 501, NULL, NULL, NULL, SV_NONE);
		break;
	}
}

/* ---- ACK: of the 200 to their INVITE (call_in.c), or to a re-INVITE of either side's phone ---- */

void call_on_ack(struct sip_call *sc, const struct sip_msg *ack, void *arg)
{
	struct call *c = arg;
	role_assert_ctl();
	if (!c->leg || !leg_is_up(c->leg))
		return;
	leg_media_acknowledged(c->leg);
	if (c->has_reoffered) {
		c->has_reoffered = false;
		call_hosts_tell(c, sip_call_remote_addr(sc), ack);
		if (leg_media_late_answer(c->leg, ack->sdp) < 0)
			leg_log(c->leg, LOG_WARNING, "the answer in their ACK %s; media stays as it was",
			    ack->sdp.n ? "does not fit" : "is missing");
	}
}

/* ---- what core asks ---- */

bool call_is_unacknowledged(const struct call *c)
{
	return c && c->sip && !c->is_closed && !c->is_outbound &&
	       (sip_call_state(c->sip) == SIP_CALL_ANSWERED || sip_call_is_answer_queued(c->sip));
}

void call_on_free(struct sip_call *sc, void *arg)
{
	struct call *c = arg;
	role_assert_ctl();
	if (!c->leg || !leg_is_up(c->leg))
		return;
	char *name = c->display_due[0], *number = c->display_due[1];
	c->display_due[0] = c->display_due[1] = NULL;
	leg_hold_owed(c->leg);
	if (name && number)
		call_display(c->leg, name, number);
	mem_free(name);
	mem_free(number);
	if (c->leg && leg_is_up(c->leg))
		leg_media_owed(c->leg);
}

bool call_await_free(struct leg *leg)
{
	struct call *c = call_of(leg);
	role_assert_ctl();
	return c && c->sip && !c->is_closed && sip_call_await_free(c->sip);
}

/* A re-INVITE that leaves out the timer would end it. */
static ON_CTL int reinvite_send(struct call *c, struct sv sdp)
{
	struct buf headers;
	buf_init(&headers);
	session_timer_keep_put(c, &headers);
	int st = sip_call_reinvite(c->sip, headers.p, sdp);
	buf_fini(&headers);
	return st;
}

int call_hold(struct leg *leg, bool is_hold)
{
	struct call *c = call_of(leg);
	struct buf sdp;
	role_assert_ctl();
	if (!c || !c->sip || c->is_closed)
		return ST_INVAL;
	if (c->p->conf.has_disabled_hold)
		return ST_DENIED;
	if (call_is_unacknowledged(c) || sip_call_state(c->sip) == SIP_CALL_ANSWERED)
		return sip_call_await_free(c->sip) ? ST_BUSY : ST_INVAL;
	if (sip_call_state(c->sip) != SIP_CALL_CONFIRMED)
		return ST_INVAL;
	buf_init(&sdp);
	int st = leg_media_own_reoffer(leg, is_hold, &sdp);
	if (st == ST_OK) {
		st = reinvite_send(c, buf_sv(&sdp));
		if (st)
			leg_media_offer_unsent(leg);
	}
	buf_fini(&sdp);
	if (st == ST_BUSY && !sip_call_await_free(c->sip))
		st = ST_INVAL; /* nothing is under way whose end could be awaited */
	return st;
}

int call_reinvite(struct leg *leg, struct sv sdp)
{
	struct call *c = call_of(leg);
	role_assert_ctl();
	if (!c || !c->sip || c->is_closed)
		return ST_INVAL;
	if (call_is_unacknowledged(c) || sip_call_state(c->sip) == SIP_CALL_ANSWERED)
		return ST_BUSY;
	if (sip_call_state(c->sip) != SIP_CALL_CONFIRMED)
		return ST_INVAL;
	if (!sip_call_is_reachable(c->sip))
		return ST_CLOSED; /* it may come back, and a request without an answer would end the call */
	int st = reinvite_send(c, sdp);
	c->is_offer_asked = st == ST_OK && !sdp.n;
	return st;
}

int call_reinvite_ack(struct leg *leg, struct sv sdp)
{
	struct call *c = call_of(leg);
	role_assert_ctl();
	return c && c->sip && !c->is_closed ? sip_call_reinvite_ack(c->sip, sdp) : ST_INVAL;
}

void call_reinvite_reply(struct leg *leg, int code, struct sv sdp)
{
	struct call *c = call_of(leg);
	role_assert_ctl();
	if (!c || !c->waiting_tx)
		return;
	if (c->sip && code < 300)
		c->has_reoffered = c->is_waiting_offerless;
	if (c->sip && !sip_stx_is_done(c->waiting_tx))
		sip_call_reply(c->sip, c->waiting_tx, code, NULL, code < 300 ? c->waiting_headers : NULL,
		    sdp.n ? "application/sdp" : NULL, sdp);
	sip_stx_unref(c->waiting_tx);
	c->waiting_tx = NULL;
}

struct call *call_by_uuid(const char *uuid)
{
	struct leg *leg = leg_find(uuid);
	return leg && leg->ops && leg->ops->send_info == call_send_info ? call_of(leg) : NULL;
}

int call_request(struct call *c, const struct profile_request *r)
{
	if (!c->sip || c->is_closed)
		return ST_CLOSED;
	return sip_call_request(c->sip, r->method, r->headers, r->ctype, r->body, NULL, NULL);
}

int call_send_message(struct leg *leg, const char *ctype, struct sv body)
{
	struct call *c = call_of(leg);
	role_assert_ctl();
	if (!c || !c->sip || c->is_closed)
		return ST_INVAL;
	return sip_call_request(c->sip, "MESSAGE", NULL, ctype, body, NULL, NULL);
}

/* FreeSWITCH's way to make a phone answer or hold by itself (BroadSoft's talk and hold events). */
int call_phone_event(struct leg *leg, const char *event)
{
	struct call *c = call_of(leg);
	char headers[64];
	role_assert_ctl();
	if (!c || !c->sip || c->is_closed || (!leg->is_outbound && !leg->is_answered))
		return ST_INVAL;
	if (!sip_is_token(sv_of(event)))
		return ST_INVAL;
	snprintf(headers, sizeof(headers), "Event: %.16s\r\nSubscription-State: active\r\n", event);
	return sip_call_request(c->sip, "NOTIFY", headers, NULL, SV_NONE, NULL, NULL);
}
