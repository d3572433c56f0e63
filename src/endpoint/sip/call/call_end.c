/* The end of a call, as the far side or the stack tells it: the cause for the leg, what its variables and its partner's
 * say of it. A 3xx is no end yet: redirect.c may dial again. */
#include "base/mem.h"
#include "core/bridge/bridge.h"
#include "core/leg/leg.h"
#include "core/value/cause.h"
#include "endpoint/sip/call/call_i.h"

static const char *disposition(const struct call *c, const struct sip_close *why)
{
	if (!why->is_remote)
		return NULL;
	switch (why->kind) {
	case SIP_CLOSE_BYE:
		return "recv_bye";
	case SIP_CLOSE_CANCEL:
		return "recv_cancel";
	case SIP_CLOSE_REJECT:
		return "recv_refuse";
	default:
		return NULL;
	}
}

static ON_CTL struct leg *originator_of(struct call *c)
{
	return c->originator_uuid ? leg_find(c->originator_uuid) : NULL;
}

static ON_CTL void refusal_vars(struct call *c, const struct sip_close *why, struct sv phrase)
{
	struct leg *legs[2] = {c->leg, originator_of(c)};
	for (size_t i = 0; i < 2; i++) {
		if (!legs[i])
			continue;
		leg_var_setf(legs[i], "sip_invite_failure_status", "%d", why->code);
		call_var_sv(legs[i], "sip_invite_failure_phrase", phrase);
		leg_var_setf(legs[i], i ? "last_bridge_proto_specific_hangup_cause" : "proto_specific_hangup_cause",
		    "sip:%d", why->code);
	}
}

static ON_CTL enum cause cause_of_close(struct call *c, const struct sip_close *why)
{
	bool is_asked = why->is_remote && !leg_var_is_true(c->leg, "ignore_q850_reason");
	enum cause told = is_asked ? call_cause_of_reasons(c, why->msg, why->kind == SIP_CLOSE_CANCEL) : CAUSE_NONE;
	enum cause by_isup = is_asked ? isup_cause(c, why->msg) : CAUSE_NONE;
	if (by_isup && (why->kind == SIP_CLOSE_BYE || why->kind == SIP_CLOSE_REJECT))
		return by_isup;
	switch (why->kind) {
	case SIP_CLOSE_BYE:
		return told ? told : CAUSE_NORMAL_CLEARING;
	case SIP_CLOSE_CANCEL:
		return told ? told : CAUSE_ORIGINATOR_CANCEL;
	case SIP_CLOSE_REJECT:
		return told && told != CAUSE_LOSE_RACE ? told : cause_from_sip(why->code);
	case SIP_CLOSE_TIMEOUT:
	case SIP_CLOSE_NO_ACK:
		return CAUSE_RECOVERY_ON_TIMER_EXPIRE;
	case SIP_CLOSE_TRANSPORT:
		return CAUSE_NORMAL_TEMPORARY_FAILURE;
	case SIP_CLOSE_STACK:
		return CAUSE_SYSTEM_SHUTDOWN;
	default:
		return CAUSE_NORMAL_CLEARING;
	}
}

/* FreeSWITCH tells the phrase to the other leg: why the call it was in ended. */
static ON_CTL void partner_phrase(struct call *c, struct sv phrase)
{
	struct leg *partner = c->leg->peer;
	if (!partner)
		partner = originator_of(c);
	if (partner)
		call_var_sv(partner, "sip_hangup_phrase", phrase);
}

/* The Reason of a BYE or CANCEL goes on as it is: to whom the leg talks, or whom it dials. */
static ON_CTL void reason_travels(struct call *c, const struct sip_close *why)
{
	struct leg *partner = leg_partner(c->leg);
	if (!why->is_remote || !why->reason.n || (why->kind != SIP_CLOSE_BYE && why->kind != SIP_CLOSE_CANCEL))
		return;
	call_var_sv(c->leg, "sip_reason", why->reason);
	if (partner && leg_is_up(partner) && (!partner->peer || partner->peer == c->leg))
		call_var_sv(partner, "sip_reason", why->reason);
}

/* What its last message said beside the cause. */
static ON_CTL void last_words(struct call *c, const struct sip_close *why)
{
	reason_travels(c, why);
	if (!why->is_remote || !why->msg)
		return;
	if (why->kind == SIP_CLOSE_BYE) {
		call_bye_headers_take(c, why->msg);
		isup_release_in(c, why->msg, NULL);
		call_bye_headers_pass(c, c->leg->peer);
	} else if (why->kind == SIP_CLOSE_CANCEL) {
		leg_var_setf(c->leg, "sip_invite_failure_status", "%d", why->code);
		leg_var_set(c->leg, "sip_invite_failure_phrase", "CANCEL");
	} else if (why->kind == SIP_CLOSE_REJECT && c->is_outbound) {
		call_vars_x_headers(c, why->msg, "sip_rh_");
		call_headers_back(c, why->msg);
		isup_refusal_in(c, why->msg);
	}
}

void call_on_bye(struct sip_call *sc, const struct sip_msg *bye, struct buf *headers, void *arg)
{
	struct call *c = arg;
	role_assert_ctl();
	call_headers_put(c, headers, "sip_bye_h_");
}

void call_on_closed(struct sip_call *sc, const struct sip_close *why, void *arg)
{
	struct call *c = arg;
	role_assert_ctl();
	c->is_closed = true;
	session_timer_stop(c);
	info_end(c);
	refer_referral_end(c);
	refer_waiting_end(c);
	c->sip = NULL;
	if (c->leg && leg_is_up(c->leg) && session_timer_retry(c, why) && call_out_again(c, sc) == ST_OK)
		goto out;
	if (c->leg && leg_is_up(c->leg) && (redirect_in(c, why) || call_flow_in(c, why)))
		goto out;
	if (c->leg && leg_is_up(c->leg)) {
		if (c->is_start_held)
			leg_start(c->leg);
		enum cause cause = cause_of_close(c, why);
		const char *text = disposition(c, why);
		last_words(c, why);
		struct sv phrase = why->phrase.n ? why->phrase : sv_of(why->code ? sip_reason_phrase(why->code) : "");
		if (why->code) {
			leg_var_setf(c->leg, "sip_term_status", "%d", why->code);
			leg_var_setf(c->leg, "sip_term_cause", "%d", (int)cause);
			partner_phrase(c, phrase);
		}
		if (c->is_outbound && why->code >= 400 && why->kind != SIP_CLOSE_BYE)
			refusal_vars(c, why, phrase);
		else if (why->code && why->code / 100 != 3)
			leg_var_setf(c->leg, "proto_specific_hangup_cause", "sip:%d", why->code);
		leg_hangup_by_far(c->leg, cause);
		if (text) /* CHANNEL_HANGUP does not show it yet */
			leg_var_set(c->leg, "sip_hangup_disposition", text);
	}
out:
	mem_unref(sc);
	mem_unref(c);
}
