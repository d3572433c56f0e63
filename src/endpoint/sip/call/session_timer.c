/* Session timers (RFC 4028). Who refreshes and how often is agreed on by each INVITE, re-INVITE and UPDATE with its
 * 2xx:
 *
 *   our request:  session_timer_ask_put -> their 2xx: session_timer_answered; their 422: session_timer_retry
 *   theirs:       session_timer_is_too_short (422), session_timer_answer_put -> our 2xx
 *
 * Ours to refresh: at half of the interval by a re-INVITE with the session as it is (UPDATE where sip_update_refresher
 * says so and the phone takes it). Theirs: one that has not come when it is due is asked for by a refresh of our own,
 * so that a call only ends when the far side does not answer any more. Whoever does not support timers is left alone.
 */
#include "base/clock.h"
#include "base/log.h"
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "core/value/cause.h"
#include "endpoint/sip/call/call_i.h"

#include <stdio.h>

enum { SE_LEAST_S = 90, SE_MOST_S = 86400 * 7, RETRIES_MAX = 3, GLARE_WAIT_S = 2 };

static void on_due(void *arg);

static uint32_t number_of(const struct sip_msg *m, enum sip_hdr_id id, struct sv *params)
{
	struct sv seconds;
	uint32_t n;
	sv_split(sip_msg_value(m, id), ';', &seconds, params);
	return sv_u32(sv_trim(seconds), &n) == ST_OK ? n : 0;
}

static uint32_t bounded(uint32_t s)
{
	return s < SE_LEAST_S ? SE_LEAST_S : s > SE_MOST_S ? SE_MOST_S : s;
}

static bool supports(const struct sip_msg *m)
{
	return sip_msg_has_token(m, SIP_HDR_SUPPORTED, "timer") || sip_msg_has_token(m, SIP_HDR_REQUIRE, "timer");
}

/* What we want: the variable, else the profile's session-timeout; 0 = nothing. */
static ON_CTL uint32_t wanted_s(struct call *c)
{
	const char *own = c->leg ? leg_var(c->leg, "sip_session_timeout") : NULL;
	uint32_t n = c->p->conf.session_timeout_s;
	if (own && *own && sv_u32(sv_of(own), &n)) {
		leg_log(c->leg, LOG_WARNING, "variable sip_session_timeout is no number of seconds: %s", own);
		n = c->p->conf.session_timeout_s;
	}
	return n ? bounded(n) : 0;
}

static uint32_t least_s(const struct profile *p)
{
	return bounded(p->conf.min_session_expires_s);
}

/* ---- the clock ---- */

static uint32_t grace_s(uint32_t s)
{
	return s / 3 < 32 ? s / 3 : 32;
}

static ON_CTL void start(struct call *c, uint32_t s, bool is_ours)
{
	struct session_timer *t = &c->session;
	if (c->is_closed)
		return;
	t->s = s;
	t->is_ours = is_ours;
	t->is_asked = false;
	if (!s) {
		loop_timer_cancel(&t->timer);
		return;
	}
	t->deadline_us = loop_now_us() + clock_us_of_s(s);
	int64_t after_us = is_ours ? clock_us_of_s(s) / 2 : clock_us_of_s(s - grace_s(s));
	loop_timer_set(&t->timer, after_us, "sofia.session", on_due, c);
}

void session_timer_stop(struct call *c)
{
	loop_timer_cancel(&c->session.timer);
	c->session.s = 0;
}

static ON_CTL int refresh_send(struct call *c)
{
	struct buf headers, sdp;
	int st;
	buf_init(&headers);
	buf_init(&sdp);
	session_timer_keep_put(c, &headers);
	if (c->takes_update && leg_var_is_true(c->leg, "sip_update_refresher")) {
		st = sip_call_update(c->sip, headers.p, SV_NONE);
	} else {
		st = leg_media_refresh(c->leg, &sdp);
		if (!st) {
			st = sip_call_reinvite(c->sip, headers.p, buf_sv(&sdp));
			if (st)
				leg_media_offer_unsent(c->leg);
		} else if (c->takes_update) /* no session to be said again */
			st = sip_call_update(c->sip, headers.p, SV_NONE);
	}
	buf_fini(&headers);
	buf_fini(&sdp);
	return st;
}

static void on_due(void *arg)
{
	struct call *c = arg;
	struct session_timer *t = &c->session;
	role_assert_ctl();
	if (!c->leg || !leg_is_up(c->leg) || !c->sip || c->is_closed)
		return;
	int64_t left_us = t->deadline_us - loop_now_us();
	if (left_us <= 0) {
		leg_log(c->leg, LOG_NOTICE, "the session was not refreshed in time");
		leg_hangup(c->leg, CAUSE_RECOVERY_ON_TIMER_EXPIRE);
		return;
	}
	if (!t->is_asked && !refresh_send(c))
		t->is_asked = true;
	/* another exchange is under way: it refreshes as well, or we try again after it */
	int64_t after_us = t->is_asked ? left_us : clock_us_of_s(GLARE_WAIT_S);
	loop_timer_set(&t->timer, after_us < left_us ? after_us : left_us, "sofia.session", on_due, c);
}

/* ---- our requests ---- */

static ON_CTL void put(struct call *c, struct buf *b, uint32_t s, const char *refresher)
{
	uint32_t least = least_s(c->p);
	if (least < c->session.their_min_s)
		least = c->session.their_min_s;
	buf_printf(b, "Session-Expires: %u;refresher=%s\r\nMin-SE: %u\r\n", s < least ? least : s, refresher, least);
}

void session_timer_ask_put(struct call *c, struct buf *b)
{
	uint32_t s = c->p->conf.has_timer ? wanted_s(c) : 0;
	if (s)
		put(c, b, s, "uac");
}

void session_timer_keep_put(struct call *c, struct buf *b)
{
	if (c->session.s)
		put(c, b, c->session.s, c->session.is_ours ? "uac" : "uas");
}

void session_timer_answered(struct call *c, const struct sip_msg *resp)
{
	struct sv params, who = SV_NONE;
	uint32_t s = number_of(resp, SIP_HDR_SESSION_EXPIRES, &params);
	if (!c->p->conf.has_timer)
		return;
	sip_param_get(params, ';', "refresher", &who);
	start(c, s ? bounded(s) : 0, !sv_isi(who, "uas"));
}

void session_timer_refused(struct call *c, int code, const struct sip_msg *resp)
{
	struct sv params;
	uint32_t min = resp && code == 422 ? number_of(resp, SIP_HDR_MIN_SE, &params) : 0;
	if (!c->session.s || !c->session.is_asked)
		return;
	if (min > c->session.s && min <= SE_MOST_S) {
		c->session.their_min_s = min;
		start(c, min, c->session.is_ours);
		c->session.is_asked = refresh_send(c) == ST_OK;
		return;
	}
	/* it answers, so it is there */
	leg_log(c->leg, LOG_NOTICE, "the refresh of the session was refused (%d); the call goes on", code);
	start(c, c->session.s, c->session.is_ours);
}

bool session_timer_retry(struct call *c, const struct sip_close *why)
{
	struct sv params;
	uint32_t min;
	if (!c->is_outbound || why->kind != SIP_CLOSE_REJECT || why->code != 422 || !why->msg ||
	    c->session.retries >= RETRIES_MAX || !c->p->conf.has_timer)
		return false;
	min = number_of(why->msg, SIP_HDR_MIN_SE, &params);
	if (min <= c->session.their_min_s || min > SE_MOST_S)
		return false;
	c->session.their_min_s = min;
	c->session.retries++;
	return true;
}

/* ---- theirs ---- */

bool session_timer_is_too_short(const struct profile *p, const struct sip_msg *m, char out[32])
{
	struct sv params;
	uint32_t n = p->conf.has_timer && supports(m) ? number_of(m, SIP_HDR_SESSION_EXPIRES, &params) : 0;
	if (!n || n >= least_s(p))
		return false;
	snprintf(out, 32, "Min-SE: %u\r\n", least_s(p));
	return true;
}

void session_timer_answer_put(struct call *c, const struct sip_msg *m, struct buf *b)
{
	struct sv params, who = SV_NONE;
	uint32_t theirs = number_of(m, SIP_HDR_SESSION_EXPIRES, &params), wanted = wanted_s(c), s = theirs;
	const char *own = leg_var(c->leg, "sip_require_timer");
	if (!c->p->conf.has_timer)
		return;
	if (!supports(m)) {
		session_timer_stop(c);
		return;
	}
	if (!theirs)
		s = wanted ? wanted : c->session.s;
	else if (wanted && theirs > wanted) {
		uint32_t min = number_of(m, SIP_HDR_MIN_SE, &(struct sv){0});
		s = min > wanted ? min : wanted;
		if (s > theirs)
			s = theirs;
	}
	if (!s) {
		session_timer_stop(c);
		return;
	}
	if (theirs)
		sip_param_get(params, ';', "refresher", &who);
	bool is_ours = sv_isi(who, "uas");
	buf_printf(b, "Session-Expires: %u;refresher=%s\r\n", bounded(s), is_ours ? "uas" : "uac");
	if (!is_ours && !(own && *own && !leg_var_is_true(c->leg, "sip_require_timer")))
		buf_adds(b, "Require: timer\r\n");
	start(c, bounded(s), is_ours);
}
