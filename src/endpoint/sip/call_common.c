/* What inbound and outbound calls share: the private object between a leg and its dialog, variables read from messages,
 * headers, causes both ways, and the end. A leg holds one reference on its call, the dialog's callbacks another. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/bridge/bridge.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "core/value/cause.h"
#include "endpoint/sip/sofia_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void call_dtor(void *obj)
{
	struct call *c = obj;
	role_assert_ctl();
	list_remove(&c->link);
	if (c->is_counted)
		c->p->call_count--;
	mem_free(c->respond_phrase), mem_free(c->respond_headers), mem_free(c->uri), mem_free(c->route),
	    mem_free(c->to_uri);
	mem_free(c->auth_user), mem_free(c->auth_password);
	mem_free(c->display_due[0]), mem_free(c->display_due[1]);
	if (c->waiting_tx)
		sip_stx_unref(c->waiting_tx);
	mem_unref(c->gateway);
	mem_unref(c->p);
}

struct call *call_new(struct profile *p, struct leg *leg, bool is_outbound)
{
	struct call *c = mem_new(sizeof(*c), call_dtor, "sofia.call");
	if (!c)
		return NULL;
	c->p = mem_ref(p);
	c->leg = leg;
	c->is_outbound = is_outbound;
	list_push(&p->calls, &c->link);
	p->call_count++;
	c->is_counted = true;
	leg->endpoint = c;
	return c;
}

struct call *call_of(const struct leg *leg)
{
	return leg->endpoint;
}

/* ---- media ---- */

static const char *codecs_or_global(const char *text) ON_CTL;
static const char *codecs_or_global(const char *text)
{
	const char *global = *text ? text : globals_get("global_codec_prefs");
	return global && *global ? global : "PCMU,PCMA";
}

int call_media_init(struct call *c)
{
	const struct profile_conf *pc = &c->p->conf;
	struct leg_media_conf conf = {.rtp_host = c->p->rtp_ip,
	    .advertise_host = strcmp(c->p->ext_rtp_ip, c->p->rtp_ip) ? c->p->ext_rtp_ip : NULL,
	    .inbound_codecs = codecs_or_global(pc->inbound_codecs),
	    .outbound_codecs = codecs_or_global(pc->outbound_codecs),
	    .negotiation = pc->negotiation,
	    .sdp_username = pc->username,
	    .hold_music = pc->hold_music,
	    .dtmf_pt = (int)pc->rfc2833_pt,
	    .dtmf_type = profile_conf_dtmf_type(pc),
	    .cn_pt = pc->is_cng_suppressed ? -1 : (int)pc->cng_pt,
	    .source_mode = profile_conf_source_mode(pc),
	    .nat_acl = pc->nat_acl,
	    .local_acl = pc->local_network_acl,
	    .is_late_negotiation = pc->is_late_negotiation,
	    .is_bypass = pc->is_nomedia,
	    .passes_telephone_event = pc->passes_rfc2833,
	    .rtp_timeout_ms = profile_conf_media_timeout_ms(pc, false),
	    .rtp_hold_timeout_ms = profile_conf_media_timeout_ms(pc, true)};
	return leg_media_init(c->leg, &conf);
}

/* ---- variables ---- */

void call_var_sv(struct leg *leg, const char *name, struct sv v)
{
	char *copy = v.n ? sv_dup(v) : NULL;
	if (copy)
		leg_var_set(leg, name, copy);
	mem_free(copy);
}

void call_var_uri(struct leg *leg, const char *name, const struct sip_uri *u)
{
	struct buf text;

	buf_init(&text);
	sofia_uri_put_text(&text, u);
	if (!text.failed)
		leg_var_set_text(leg, name, text.p);
	buf_fini(&text);
}

/* sip_PREFIX_user, _port, _uri, _host in FreeSWITCH's order. */
static void var_uri(struct leg *leg, const char *prefix, const struct sip_uri *u) ON_CTL;
static void var_uri(struct leg *leg, const char *prefix, const struct sip_uri *u)
{
	char name[32], port[12] = "";
	if (!u->host.n)
		return;
	snprintf(name, sizeof(name), "sip_%s_user", prefix);
	call_var_sv(leg, name, u->user);
	if (u->port) {
		snprintf(port, sizeof(port), ":%u", u->port);
		snprintf(name, sizeof(name), "sip_%s_port", prefix);
		leg_var_set(leg, name, port + 1);
	}
	snprintf(name, sizeof(name), "sip_%s_uri", prefix);
	call_var_uri(leg, name, u);
	snprintf(name, sizeof(name), "sip_%s_host", prefix);
	call_var_sv(leg, name, u->host);
}

void call_allow_tell(struct call *c, const struct sip_msg *m)
{
	if (c->leg && sip_msg_hdr(m, SIP_HDR_ALLOW))
		leg_dtmf_own_taken(c->leg, sip_msg_has_token(m, SIP_HDR_ALLOW, "INFO"));
}

void call_vars_from_msg(struct call *c, const struct sip_msg *m)
{
	struct leg *leg = c->leg;
	struct sip_nameaddr contact;
	call_var_sv(leg, "sip_user_agent",
	    sip_msg_value(
	        m, m->is_request || sip_msg_hdr(m, SIP_HDR_USER_AGENT) ? SIP_HDR_USER_AGENT : SIP_HDR_SERVER));
	call_var_sv(leg, "sip_allow", sip_msg_value(m, SIP_HDR_ALLOW));
	call_allow_tell(c, m);
	call_var_sv(leg, "sip_from_display", m->from.display);
	call_var_sv(leg, "sip_full_from", m->from.text);
	var_uri(leg, "from", &m->from.uri);
	var_uri(leg, "to", &m->to.uri);
	if (sip_msg_contact(m, &contact) == ST_OK && !contact.is_star)
		var_uri(leg, "contact", &contact.uri);
	call_var_sv(leg, "sip_from_tag", m->from_tag);
	call_var_sv(leg, "sip_call_id", m->call_id);
	if (m->to_tag.n) {
		call_vars_dialog(c, m);
	} else {
		call_var_sv(leg, "sip_full_via", m->via.text);
		call_var_sv(leg, "sip_full_to", m->to.text);
	}
}

void call_vars_dialog(struct call *c, const struct sip_msg *m)
{
	call_var_sv(c->leg, "sip_full_via", m->via.text);
	call_var_sv(c->leg, "sip_full_to", m->to.text);
	call_var_sv(c->leg, "sip_to_tag", m->to_tag);
	leg_var_setf(c->leg, "sip_cseq", "%u", m->cseq);
}

bool call_reason_put(struct call *c, struct buf *b)
{
	enum cause cause = c->leg->cause;
	const char *own = leg_var(c->leg, "sip_reason");
	if (own && *own && sip_is_value(sv_of(own)))
		return buf_adds(b, own) == ST_OK;
	if (leg_var_is_true(c->leg, "disable_q850_reason"))
		return false;
	if (cause == CAUSE_PICKED_OFF || cause == CAUSE_LOSE_RACE)
		return buf_adds(b, "SIP;cause=200;text=\"Call completed elsewhere\"") == ST_OK;
	return buf_printf(b, "%s;cause=%d;text=\"%s\"", cause > 0 && cause < 128 ? "Q.850" : "SIP", (int)cause,
	           cause_name(cause)) == ST_OK;
}

/* ---- causes ---- */

enum cause call_cause_from_reason(struct sv reason)
{
	struct sv protocol, params, number, text;
	uint32_t n;
	sv_split(reason, ';', &protocol, &params);
	protocol = sv_trim(protocol);
	bool is_q850 = sv_isi(protocol, "Q.850") || sv_isi(protocol, "FreeSWITCH");
	if (!sip_param_get(params, ';', "cause", &number) || sv_u32(sv_trim(number), &n) < 0)
		return CAUSE_NONE;
	if (is_q850)
		return n < 1000 ? (enum cause)n : CAUSE_NONE;
	if (sv_isi(protocol, "SIP") && n == 200 && sip_param_get(params, ';', "text", &text) &&
	    sv_starts(text, SV("Call completed elsewhere")))
		return CAUSE_LOSE_RACE;
	return CAUSE_NONE;
}

static bool protocol_is_ours(struct sv reason)
{
	struct sv protocol, rest;
	sv_split(reason, ';', &protocol, &rest);
	return sv_isi(sv_trim(protocol), "Q.850") || sv_isi(sv_trim(protocol), "FreeSWITCH");
}

enum cause call_cause_from_msg(const struct sip_msg *m, int code)
{
	const struct sip_hdr *h = m ? sip_msg_hdr(m, SIP_HDR_REASON) : NULL;
	for (; h; h = sip_msg_hdr_next(m, h)) {
		enum cause cause = protocol_is_ours(h->value) ? call_cause_from_reason(h->value) : CAUSE_NONE;
		if (cause)
			return cause;
	}
	return cause_from_sip(code);
}

/* ---- the end, as the far side tells it ---- */

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

static struct leg *originator_of(struct call *c) ON_CTL;
static struct leg *originator_of(struct call *c)
{
	return *c->originator_uuid ? leg_find(c->originator_uuid) : NULL;
}

static void refusal_vars(struct call *c, const struct sip_close *why, struct sv phrase) ON_CTL;
static void refusal_vars(struct call *c, const struct sip_close *why, struct sv phrase)
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

static enum cause cause_of_close(struct call *c, const struct sip_close *why) ON_CTL;
static enum cause cause_of_close(struct call *c, const struct sip_close *why)
{
	enum cause told = why->reason.n && !leg_var_is_true(c->leg, "ignore_q850_reason")
	                      ? call_cause_from_reason(why->reason)
	                      : CAUSE_NONE;
	switch (why->kind) {
	case SIP_CLOSE_BYE:
		return told ? told : CAUSE_NORMAL_CLEARING;
	case SIP_CLOSE_CANCEL:
		return told == CAUSE_LOSE_RACE ? told : CAUSE_ORIGINATOR_CANCEL;
	case SIP_CLOSE_REJECT:
		return leg_var_is_true(c->leg, "ignore_q850_reason") ? cause_from_sip(why->code)
		                                                     : call_cause_from_msg(why->msg, why->code);
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
static void partner_phrase(struct call *c, struct sv phrase) ON_CTL;
static void partner_phrase(struct call *c, struct sv phrase)
{
	struct leg *partner = c->leg->peer;
	if (!partner)
		partner = originator_of(c);
	if (partner)
		call_var_sv(partner, "sip_hangup_phrase", phrase);
}

/* The Reason of a BYE or CANCEL goes on as it is: to whom the leg talks, or whom it dials. */
static void reason_travels(struct call *c, const struct sip_close *why) ON_CTL;
static void reason_travels(struct call *c, const struct sip_close *why)
{
	struct leg *partner = leg_partner(c->leg);
	if (!why->is_remote || !why->reason.n || (why->kind != SIP_CLOSE_BYE && why->kind != SIP_CLOSE_CANCEL))
		return;
	call_var_sv(c->leg, "sip_reason", why->reason);
	if (partner && leg_is_up(partner) && (!partner->peer || partner->peer == c->leg))
		call_var_sv(partner, "sip_reason", why->reason);
}

/* What its last message said beside the cause. */
static void last_words(struct call *c, const struct sip_close *why) ON_CTL;
static void last_words(struct call *c, const struct sip_close *why)
{
	reason_travels(c, why);
	if (!why->is_remote || !why->msg)
		return;
	if (why->kind == SIP_CLOSE_BYE) {
		call_bye_headers_take(c, why->msg);
		call_bye_headers_pass(c, c->leg->peer);
	} else if (why->kind == SIP_CLOSE_CANCEL) {
		leg_var_setf(c->leg, "sip_invite_failure_status", "%d", why->code);
		leg_var_set(c->leg, "sip_invite_failure_phrase", "CANCEL");
	} else if (why->kind == SIP_CLOSE_REJECT && c->is_outbound) {
		call_vars_x_headers(c, why->msg, "sip_rh_");
		call_headers_back(c, why->msg);
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
	loop_timer_cancel(&c->session_timer);
	info_end(c);
	c->sip = NULL;
	if (c->leg && leg_is_up(c->leg) && redirect_in(c, why))
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
