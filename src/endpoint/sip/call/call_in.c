/* Inbound calls: what an INVITE is refused for, its leg (who it is of: call_caller.c; what it is told: call_in_vars.c),
 * and the operations core asks of an unanswered or answered inbound leg. SDP text goes through leg_media untouched. */
#include "base/log.h"
#include "base/mem.h"
#include "core/bridge/bridge.h"
#include "core/leg/leg.h"
#include "core/registry/limits.h"
#include "core/sound/media.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "endpoint/sip/call/call_i.h"
#include "trace/trace.h"

#include <stdio.h>
#include <string.h>

/* ---- the INVITE ---- */

static const char *uuid_of_call_id(const struct profile *p, const struct sip_msg *m, char out[UUID_CHARS + 1])
{
	if (!p->conf.uses_callid_as_uuid || m->call_id.n != UUID_CHARS)
		return NULL;
	for (size_t i = 0; i < UUID_CHARS; i++) {
		char ch = m->call_id.p[i];
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (is_dash ? ch != '-' : !((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f')))
			return NULL;
	}
	memcpy(out, m->call_id.p, UUID_CHARS);
	out[UUID_CHARS] = 0;
	return out;
}

static ON_CTL int leg_make(
    struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct caller *who, struct call **out)
{
	char uuid[UUID_CHARS + 1];
	struct leg *leg;
	struct sip_nameaddr contact;
	int st = leg_new(&leg, call_endpoint(), false, uuid_of_call_id(p, m, uuid));
	if (st == ST_EXISTS)
		st = leg_new(&leg, call_endpoint(), false, NULL);
	if (st < 0)
		return st;
	struct call *c = call_new(p, leg, NULL);
	if (!c || (st = sip_call_accept(&c->sip, tx, m, &call_in_handlers, c)) < 0) {
		/* The leg is known already: it ends like any other, without a far side. */
		if (c)
			c->is_closed = true;
		leg_hangup(leg, CAUSE_DESTINATION_OUT_OF_ORDER);
		return c ? st : ST_NOMEM;
	}
	mem_ref(c); /* the callbacks' reference */
	trace_call_note(m->call_id, leg->uuid, NULL);
	if (sip_msg_contact(m, &contact) == ST_OK && !contact.is_star)
		c->is_nat = nat_is_behind(p, &contact.uri, &m->via, sip_stx_peer(tx), sip_stx_transport(tx));
	sip_call_set_use_source_address(c->sip, c->is_nat);
	gruu_contact_take(c, m);
	/* a stranger's Contact must not make us ask name servers of his choice */
	sip_call_set_looks_up(c->sip, who->is_authorized);
	if (m->ruri.user.n) {
		char *user = sv_dup(m->ruri.user);
		if (user)
			sip_call_set_contact_user(c->sip, user);
		mem_free(user);
	}
	call_in_describe(c, tx, m, who);
	*out = c;
	return ST_OK;
}

static bool is_full(const struct profile *p)
{
	return p->conf.max_calls && profile_calls_of(p)->count >= p->conf.max_calls;
}

/* Callers who have shown neither a password nor that their address is theirs may take up half of the sessions, and of
 * those of a second: a flood of them leaves the others their share. */
static ON_CTL bool is_share_taken(const struct sip_stx *tx, const struct caller *who)
{
	const struct core_limits *l = core_limits();
	const struct core_counters *n = core_counters();
	if (who->is_authorized || sip_stx_is_known(tx))
		return false;
	return (l->sessions_per_second && n->sps_now >= (l->sessions_per_second + 1) / 2) ||
	       (l->max_sessions && n->sessions_now >= (l->max_sessions + 1) / 2);
}

/* RFC 4028 9: too short a session is refused with what is allowed. */
static ON_CTL bool is_session_too_short(const struct profile *p, struct sip_stx *tx, const struct sip_msg *m)
{
	char line[32];
	if (!session_timer_is_too_short(p, m, line))
		return false;
	sip_stx_reply_once(tx, 422, "Session Interval Too Small", line);
	return true;
}

/* RFC 3261 8.1.1.8 and 20: an INVITE says where its sender is reached. */
static ON_CTL bool is_incomplete(struct sip_stx *tx, const struct sip_msg *m)
{
	struct sip_nameaddr contact;
	bool is_old = !sv_starts(m->via.branch, SV("z9hG4bK")); /* of RFC 2543, which could do without */
	if (sip_msg_contact(m, &contact) == ST_OK || (is_old && !sip_msg_hdr(m, SIP_HDR_CONTACT)))
		return false;
	sip_stx_reply_once(tx, 400, sip_msg_hdr(m, SIP_HDR_CONTACT) ? "Bad Contact" : "Missing Contact", NULL);
	return true;
}

/* Its Accept leaves out what our answer would be (RFC 3261 20.1, RFC 4475 3.3.15). */
static ON_CTL bool is_unacceptable(struct sip_stx *tx, const struct sip_msg *m)
{
	struct sip_list_it it;
	bool has_any = false;
	sip_list_start(&it, m, SIP_HDR_ACCEPT);
	while (sip_list_next(&it)) {
		struct sv type, params;
		sv_split(it.item, ';', &type, &params);
		type = sv_trim(type);
		if (sv_isi(type, "application/sdp") || sv_isi(type, "application/*") || sv_isi(type, "*/*"))
			return false;
		has_any |= type.n > 0;
	}
	if (has_any)
		sip_stx_reply_once(tx, 406, NULL, "Accept: application/sdp\r\n");
	return has_any;
}

/* An INVITE without SDP (RFC 3725): nothing can be played or bridged before the caller has said where. So we answer
 * with our offer at once and begin when the ACK brings the answer, as FreeSWITCH does with enable-3pcc. In its mode
 * proxy the dialplan runs at once, and our offer goes out when something answers. */
static ON_CTL int start_by_offering(struct call *c)
{
	if (profile_conf_offerless(&c->p->conf) == OFFERLESS_PROXY) {
		leg_start(c->leg);
		return ST_OK;
	}
	c->is_start_held = true;
	return call_op_answer(c->leg, NULL);
}

void invite_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *m)
{
	struct caller who = {0};
	if (is_session_too_short(p, tx, m) || is_incomplete(tx, m) || is_unacceptable(tx, m))
		return;
	if (!caller_check(p, tx, m, &who) || !caller_account_check(p, tx, m, &who))
		caller_fini(&who);
	else if (!call_stir_waits(p, tx, m, &who))
		invite_go(p, tx, m, &who);
}

void invite_go(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct caller *caller)
{
	struct caller who = *caller;
	struct call *c = NULL;
	struct named_leg named;
	if (!replaces_check(p, tx, m, &named) || gruu_refused(p, tx, m)) {
		caller_fini(&who);
		return;
	}
	if (m->has_unknown_body) {
		sip_stx_reply_once(tx, 415, NULL, CALL_ACCEPT);
		caller_fini(&who);
		return;
	}
	profile_calls_of(p)->in++;
	if (!m->sdp.n && profile_conf_offerless(&p->conf) == OFFERLESS_REFUSE) {
		profile_calls_of(p)->failed_in++;
		sip_stx_reply_once(tx, 480, NULL, NULL);
		caller_fini(&who);
		return;
	}
	if (p->conf.is_auto_100 && !who.verdict) /* else it was sent before that was asked for */
		sip_stx_reply(tx, 100, NULL, NULL, NULL, SV_NONE);
	struct call_holds holds;
	if (call_limits_take(p, sip_stx_peer(tx), &who.auth, who.gateway != NULL, &holds)) {
		profile_calls_of(p)->failed_in++;
		sip_stx_reply_once(tx, 486, "Too Many Calls", "Retry-After: 30\r\n");
		caller_fini(&who);
		return;
	}
	int st = is_full(p) || is_share_taken(tx, &who) ? ST_LIMIT : leg_make(p, tx, m, &who, &c);
	if (c)
		c->holds = holds;
	else
		call_limits_give(&holds);
	if (!c && st == ST_OK)
		st = ST_NOMEM;
	if (st == ST_OK && who.verdict)
		call_stir_vars(c->leg, who.verdict);
	if (st == ST_OK && named.leg)
		replaces_prepare(c, &named);
	if (st == ST_OK && (st = call_media_init(c)) == ST_OK) {
		call_hosts_tell(c, sip_stx_peer(tx), m);
		call_allow_tell(c, m);
		st = leg_media_remote_offer(c->leg, m->sdp);
		if (st == ST_OK && !m->sdp.n)
			st = start_by_offering(c);
		if (st < 0 || m->sdp.n) /* also of a call that ends at once: CHANNEL_CREATE comes before its end */
			leg_start(c->leg);
		if (st < 0)
			leg_hangup(c->leg, cause_of_media(st, CAUSE_MANDATORY_IE_MISSING));
	} else if (c) {
		leg_hangup(c->leg, CAUSE_DESTINATION_OUT_OF_ORDER);
	} else if (!sip_stx_is_done(tx)) {
		profile_calls_of(p)->failed_in++;
		if (st == ST_LIMIT)
			sip_stx_reply_once(tx, 503, "Maximum Calls In Progress", "Retry-After: 300\r\n");
		else
			sip_stx_reply_once(tx, 500, NULL, NULL);
	}
	caller_fini(&who);
}

/* ---- what core asks of the leg ---- */

static ON_CTL void provisional_headers(struct call *c, struct buf *b)
{
	const char *reliable = leg_var(c->leg, "sip_enable_100rel");
	if (reliable && *reliable)
		sip_call_set_100rel(c->sip, str_is_true(reliable));
	buf_init(b);
	call_identity_put_1xx(c, b);
	call_headers_put(c, b, "sip_ph_");
}

/* False: *st is the answer already, for the caller is gone or was answered. */
static ON_CTL bool may_answer(const struct call *c, int *st)
{
	bool is_gone = !c || !c->sip || c->is_closed;
	*st = is_gone ? ST_HANGUP : ST_OK;
	return !is_gone && !c->has_answered;
}

int call_op_ring_ready(struct leg *leg)
{
	struct call *c = call_of(leg);
	struct buf b;
	int st;
	role_assert_ctl();
	if (!may_answer(c, &st))
		return st;
	provisional_headers(c, &b);
	isup_answering(c, 180);
	st = sip_call_progress(c->sip, 180, NULL, b.p, SV_NONE);
	buf_fini(&b);
	return st;
}

static ON_CTL bool is_offerless(const struct call *c)
{
	const struct sip_msg *m = sip_call_invite_msg(c->sip);
	return m && !m->sdp.n;
}

int call_op_pre_answer(struct leg *leg, struct leg *near)
{
	struct call *c = call_of(leg);
	struct buf b, sdp;
	int st;
	role_assert_ctl();
	if (!may_answer(c, &st))
		return st;
	buf_init(&sdp);
	if (!is_offerless(c)) /* an offer of ours waits for the answer: no 183 may carry it */
		st = leg_media_answer(leg, near, &sdp);
	if (st == ST_OK) {
		provisional_headers(c, &b);
		isup_answering(c, 183);
		st = sip_call_progress(c->sip, 183, NULL, b.p, buf_sv(&sdp));
		buf_fini(&b);
	}
	buf_fini(&sdp);
	return st;
}

int call_op_answer(struct leg *leg, struct leg *near)
{
	struct call *c = call_of(leg);
	struct buf b, sdp;
	int st;
	role_assert_ctl();
	if (!may_answer(c, &st))
		return st;
	buf_init(&sdp);
	st = leg_media_answer(leg, near, &sdp);
	if (st == ST_OK) {
		const struct sip_msg *m = sip_call_invite_msg(c->sip);
		c->has_offered = is_offerless(c);
		buf_init(&b);
		call_identity_put(c, &b, true);
		call_headers_put(c, &b, "sip_rh_");
		if (m)
			session_timer_answer_put(c, m, &b);
		isup_answering(c, 200);
		st = sip_call_answer(c->sip, b.p, sip_call_has_reliable_sdp(c->sip) ? SV_NONE : buf_sv(&sdp));
		buf_fini(&b);
		c->has_answered = st == ST_OK;
	}
	buf_fini(&sdp);
	return st;
}

/* The status a refused caller gets: the respond application's, the B leg's own, or the cause's. */
static ON_CTL int refusal_code(struct call *c)
{
	uint32_t n;
	const char *b_cause = vars_get(c->leg->vars, "last_bridge_proto_specific_hangup_cause");
	if (c->respond_code)
		return c->respond_code;
	if (b_cause && !strncmp(b_cause, "sip:", 4) && !leg_var_is_true(c->leg, "sip_ignore_remote_cause") &&
	    sv_u32(sv_of(b_cause + 4), &n) == ST_OK && n >= 300 && n < 700)
		return (int)n;
	return cause_to_sip(c->leg->cause);
}

/* Whom it was bridged to until now: not one that talks to somebody else already. */
static ON_CTL struct leg *ended_with(const struct leg *leg)
{
	struct leg *other = leg_partner(leg);
	return other && (!other->peer || other->peer == leg) ? other : NULL;
}

void call_op_on_hangup(struct leg *leg)
{
	struct call *c = call_of(leg);
	struct buf reason, headers;
	role_assert_ctl();
	if (!c)
		return;
	if (!leg->is_answered)
		*(c->is_outbound ? &profile_calls_of(c->p)->failed_out : &profile_calls_of(c->p)->failed_in) += 1;
	if (!leg->is_answered && c->gateway)
		*(c->is_outbound ? &c->gateway->failed_out : &c->gateway->failed_in) += 1;
	if (!c->sip || c->is_closed)
		return;
	buf_init(&reason);
	buf_init(&headers);
	bool has_reason = call_reason_put(c, &reason);
	int code = 0;
	if (leg->is_answered || c->has_answered) {
		c->is_bye_said = true;
		call_bye_headers_pass(c, ended_with(leg));
		call_headers_put(c, &headers, "sip_bye_h_");
		leg_var_set(leg, "sip_hangup_disposition", "send_bye");
	} else if (c->is_outbound) {
		leg_var_set(leg, "sip_hangup_disposition", "send_cancel");
	} else {
		code = refusal_code(c);
		call_headers_put(c, &headers, "sip_rh_");
		buf_adds(&headers, c->respond_headers ? c->respond_headers : "");
		if (code == 503 && leg->cause == CAUSE_SWITCH_CONGESTION) /* we are short of something ourselves */
			buf_adds(&headers, "Retry-After: 5\r\n");
		leg_var_set(leg, "sip_hangup_disposition", "send_refuse");
	}
	isup_releasing(c);
	sip_call_hangup(c->sip, code, c->respond_phrase, has_reason ? reason.p : NULL, headers.p);
	buf_fini(&reason);
	buf_fini(&headers);
}

void call_op_on_destroy(struct leg *leg)
{
	struct call *c = call_of(leg);
	role_assert_ctl();
	leg->endpoint = NULL;
	if (!c)
		return;
	c->leg = NULL;
	mem_unref(c);
}

/* ---- what the far side does ---- */

/* The answer to the offer in our 200. */
static ON_CTL void late_answer(struct call *c, const struct sip_msg *ack)
{
	c->has_offered = false;
	call_hosts_tell(c, sip_call_remote_addr(c->sip), ack);
	int st = leg_media_is_bypassed(c->leg) ? leg_media_late_answer(c->leg, ack->sdp)
	         : ack->sdp.n                  ? leg_media_remote_answer(c->leg, ack->sdp)
	                                       : ST_NOTFOUND;
	if (c->is_start_held)
		leg_start(c->leg);
	c->is_start_held = false;
	if (st == ST_OK && c->leg && leg_is_up(c->leg))
		st = leg_media_late_join(c->leg);
	if (st < 0)
		leg_hangup(c->leg, st == ST_NOTFOUND ? CAUSE_MANDATORY_IE_MISSING
		                                     : cause_of_media(st, CAUSE_INCOMPATIBLE_DESTINATION));
}

static void on_ack(struct sip_call *sc, const struct sip_msg *ack, void *arg)
{
	struct call *c = arg;
	role_assert_ctl();
	if (!c->leg)
		return;
	call_vars_dialog(c, ack);
	if (c->replaced_uuid)
		replaces_run(c);
	if (c->has_offered)
		late_answer(c, ack);
	call_on_ack(sc, ack, arg);
}

const struct sip_call_handlers call_in_handlers = {.on_ack = on_ack,
    .on_reinvite = call_on_reinvite,
    .on_reinvite_again = call_on_reinvite_again,
    .on_reinvite_done = call_on_reinvite_done,
    .on_free = call_on_free,
    .on_update = call_on_update,
    .on_update_done = call_on_update_done,
    .on_prack = call_on_prack,
    .on_request = call_on_request,
    .on_bye = call_on_bye,
    .on_closed = call_on_closed};
