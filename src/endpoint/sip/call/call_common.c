/* What inbound and outbound calls share: the private object between a leg and its dialog, the calls of a profile,
 * variables read from messages, causes both ways. Nothing here decides: what happens to a call is in the files above.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/endpoint.h"
#include "core/sound/media.h"
#include "core/value/cause.h"
#include "endpoint/sip/call/call_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the calls of a profile ---- */

static const struct profile_slot slot = {"calls", sizeof(struct profile_calls)};

struct profile_calls *profile_calls_of(const struct profile *p)
{
	return profile_slot_of(p, &slot);
}

static int calls_part_open(struct profile *p, void *mine)
{
	list_init(&((struct profile_calls *)mine)->list);
	return ST_OK;
}

static void calls_part_stop(struct profile *p, void *mine)
{
	struct lnode *it, *tmp;
	role_assert_ctl();
	list_each (&((struct profile_calls *)mine)->list, it, tmp) {
		struct call *c = list_entry(it, struct call, link);
		if (c->leg)
			leg_hangup(c->leg, CAUSE_MANAGER_REQUEST);
		if (c->sip && !c->is_closed)
			sip_call_hangup(c->sip, 480, NULL, NULL, NULL);
	}
}

const struct profile_part call_part = {.slot = &slot, .open = calls_part_open, .stop = calls_part_stop};

struct call *call_by_id(const struct profile *p, const char *call_id)
{
	struct lnode *it, *tmp;
	list_each (&profile_calls_of(p)->list, it, tmp) {
		struct call *c = list_entry(it, struct call, link);
		if (c->sip && !strcmp(sip_call_id(c->sip), call_id))
			return c;
	}
	return NULL;
}

/* ---- a call ---- */

static const struct endpoint_ops *endpoint;

void call_endpoint_set(const struct endpoint_ops *ops)
{
	endpoint = ops;
}

const struct endpoint_ops *call_endpoint(void)
{
	return endpoint;
}

static void call_dtor(void *obj)
{
	struct call *c = obj;
	role_assert_ctl();
	list_remove(&c->link);
	if (c->is_counted)
		profile_calls_of(c->p)->count--;
	mem_free(c->respond_phrase), mem_free(c->respond_headers), mem_free(c->uri), mem_free(c->route),
	    mem_free(c->to_uri), mem_free(c->flow_target);
	mem_free(c->auth_user), mem_free(c->auth_password), mem_free(c->isup_text);
	mem_free(c->display_due[0]), mem_free(c->display_due[1]), mem_free(c->waiting_headers);
	mem_free(c->display_said[0]), mem_free(c->display_said[1]);
	if (c->waiting_tx)
		sip_stx_unref(c->waiting_tx);
	mem_free(c->info);
	mem_free(c->originator_uuid), mem_free(c->replaced_uuid);
	gruu_fini(&c->gruu);
	call_limits_give(&c->holds);
	guard_fraud_end(c->fraud);
	mem_unref(c->gateway);
	mem_unref(c->p);
}

struct call *call_new(struct profile *p, struct leg *leg, const struct sip_call_handlers *out)
{
	struct call *c = mem_new(sizeof(*c), call_dtor, "sofia.call");
	if (!c)
		return NULL;
	c->p = mem_ref(p);
	c->leg = leg;
	c->handlers = out;
	c->is_outbound = out != NULL;
	list_push(&profile_calls_of(p)->list, &c->link);
	profile_calls_of(p)->count++;
	c->is_counted = true;
	leg->endpoint = c;
	return c;
}

struct call *call_of(const struct leg *leg)
{
	return leg->endpoint;
}

/* ---- media ---- */

static ON_CTL const char *codecs_or_global(const char *text)
{
	const char *global = *text ? text : globals_get("global_codec_prefs");
	return global && *global ? global : "PCMU,PCMA";
}

int call_media_init(struct call *c)
{
	const struct profile_conf *pc = &c->p->conf;
	struct leg_media_conf conf = {.rtp_host = c->p->rtp_ip,
	    .advertise_host = strcmp(c->p->ext_rtp_ip, c->p->rtp_ip) && call_is_outside(c) ? c->p->ext_rtp_ip : NULL,
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
	    .candidate_acl = pc->candidate_acl,
	    .turn = c->p->turn,
	    .is_late_negotiation = pc->is_late_negotiation,
	    .is_bypass = pc->is_nomedia,
	    .is_proxy = pc->is_proxy_media,
	    .comes_back_on_hold = profile_conf_has_media_option(pc, "resume-media-on-hold"),
	    .goes_after_hold = profile_conf_has_media_option(pc, "bypass-media-after-hold"),
	    .is_secure_required = pc->is_secure_required,
	    .is_transcoding_off = pc->has_disabled_transcoding,
	    .passes_zrtp = pc->passes_zrtp,
	    .is_g726_aal2 = !strcasecmp(pc->bitpacking, "aal2"),
	    .jitterbuffer = pc->jitterbuffer,
	    .has_vad = !strcasecmp(pc->vad, "in") || !strcasecmp(pc->vad, "both"),
	    .suppresses_silence = !strcasecmp(pc->vad, "out") || !strcasecmp(pc->vad, "both"),
	    .rtcp_interval_ms = pc->rtcp_interval_ms,
	    .digit_gap_ms = pc->digit_gap_ms,
	    .are_events_assumed = pc->has_liberal_dtmf,
	    .ignores_holds = pc->has_disabled_hold,
	    .rtp_timeout_ms = profile_conf_media_timeout_ms(pc, false),
	    .rtp_hold_timeout_ms = profile_conf_media_timeout_ms(pc, true)};
	return leg_media_init(c->leg, &conf);
}

/* ---- variables ---- */

void call_var_sv(struct leg *leg, const char *name, struct sv v)
{
	if (v.n)
		leg_var_set_sv(leg, name, v);
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
static ON_CTL void var_uri(struct leg *leg, const char *prefix, const struct sip_uri *u)
{
	char name[32], *end;
	if (!u->host.n)
		return;
	end = stpcpy(stpcpy(stpcpy(name, "sip_"), prefix), "_");
	stpcpy(end, "user");
	call_var_sv(leg, name, u->user);
	stpcpy(end, "port");
	if (u->port)
		leg_var_set_int(leg, name, u->port);
	stpcpy(end, "uri");
	call_var_uri(leg, name, u);
	stpcpy(end, "host");
	call_var_sv(leg, name, u->host);
}

void call_allow_tell(struct call *c, const struct sip_msg *m)
{
	if (c->leg && sip_msg_hdr(m, SIP_HDR_ALLOW))
		leg_dtmf_own_taken(c->leg, sip_msg_has_token(m, SIP_HDR_ALLOW, "INFO"));
	if (sip_msg_hdr(m, SIP_HDR_ALLOW))
		c->takes_update = sip_msg_has_token(m, SIP_HDR_ALLOW, "UPDATE");
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
	leg_var_set_int(c->leg, "sip_cseq", m->cseq);
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

/* One element of Reason (RFC 3326, RFC 6432): Q.850's, or that of FreeSWITCH or of the profile's own name, is a cause
 * as it stands; of SIP's only that somebody else answered. */
static ON_CTL enum cause cause_of_reason(const struct profile *p, struct sv reason, bool *is_number)
{
	struct sv protocol, params, number, text;
	uint32_t n;
	sv_split(reason, ';', &protocol, &params);
	protocol = sv_trim(protocol);
	*is_number = sv_isi(protocol, "Q.850") || sv_isi(protocol, "FreeSWITCH") || sv_isi(protocol, p->conf.username);
	if (!sip_param_get(params, ';', "cause", &number) || sv_u32(sv_trim(number), &n) < 0)
		return CAUSE_NONE;
	if (*is_number)
		return n < 1000 ? (enum cause)n : CAUSE_NONE;
	if (sv_isi(protocol, "SIP") && n == 200 && sip_param_get(params, ';', "text", &text) &&
	    sv_starts(text, SV("Call completed elsewhere")))
		return CAUSE_LOSE_RACE;
	return CAUSE_NONE;
}

/* A number goes before what SIP says, wherever it stands among them; but of a CANCEL only that counts. */
enum cause call_cause_of_reasons(const struct call *c, const struct sip_msg *m, bool is_cancel)
{
	struct sip_list_it it;
	enum cause by_number = CAUSE_NONE, by_sip = CAUSE_NONE;
	bool is_number;
	if (!m)
		return CAUSE_NONE;
	sip_list_start(&it, m, SIP_HDR_REASON);
	while (sip_list_next(&it)) {
		enum cause cause = cause_of_reason(c->p, it.item, &is_number);
		if (is_number)
			by_number = by_number ? by_number : cause;
		else
			by_sip = by_sip ? by_sip : cause;
	}
	return by_number && !is_cancel ? by_number : by_sip;
}
