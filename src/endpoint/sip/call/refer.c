/* Transfers as phones ask for them: REFER inside a call (RFC 3515), to a number or with Replaces to join two calls, the
 * NOTIFY that tells how it went, and an INVITE with Replaces (RFC 3891). The dialog itself is the proof of who asks; a
 * REFER outside of one is request.c's. */
#include "base/log.h"
#include "base/mem.h"
#include "core/bridge/bridge.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "endpoint/sip/call/call_i.h"
#include "text/mark.h"

#include <stdio.h>
#include <string.h>

/* ---- Replaces: call-id;to-tag=..;from-tag=.. as the side that receives it sees them ---- */

struct replaces {
	struct sv call_id, to_tag, from_tag;
	bool is_early_only;
};

static bool replaces_parse(struct replaces *out, struct sv text)
{
	struct sv params;
	*out = (struct replaces){.to_tag = SV_NONE};
	sv_split(sv_trim(text), ';', &out->call_id, &params);
	out->call_id = sv_trim(out->call_id);
	out->is_early_only = sip_param_get(params, ';', "early-only", NULL);
	return out->call_id.n && sip_param_get(params, ';', "to-tag", &out->to_tag) && out->to_tag.n &&
	       sip_param_get(params, ';', "from-tag", &out->from_tag) && out->from_tag.n;
}

static ON_CTL struct call *call_in_stack(struct profile *p, const struct replaces *r)
{
	struct sip_call *sc = sip_call_find(p->stack, r->call_id, r->to_tag, r->from_tag);
	if (!sc) /* some phones name the tags from their own side */
		sc = sip_call_find(p->stack, r->call_id, r->from_tag, r->to_tag);
	struct call *c = sc ? sip_call_arg(sc) : NULL;
	return c && !c->is_closed && c->leg && leg_is_up(c->leg) ? c : NULL;
}

static ON_CTL struct call *call_find(const struct replaces *r)
{
	for (struct profile *p = profile_next(NULL); p; p = profile_next(p)) {
		struct call *c = call_in_stack(p, r);
		if (c)
			return c;
	}
	return NULL;
}

/* ---- REFER ---- */

struct refer {
	struct sip_nameaddr to;
	char *exten, *replaces; /* owned, plain; replaces NULL without */
};

static char *unescaped(struct sv text)
{
	struct buf b;
	buf_init(&b);
	sip_unescape(&b, text);
	return buf_take(&b);
}

static ON_CTL bool refer_parse(struct refer *out, const struct sip_msg *m)
{
	struct sv value = sip_msg_value(m, SIP_HDR_REFER_TO), rest, one, name, text;
	*out = (struct refer){.exten = NULL};
	if (!value.n || sip_nameaddr_parse(&out->to, value) < 0 ||
	    (out->to.uri.scheme != SIP_SCHEME_SIP && out->to.uri.scheme != SIP_SCHEME_SIPS &&
	        out->to.uri.scheme != SIP_SCHEME_TEL) ||
	    !out->to.uri.user.n)
		return false;
	out->exten = unescaped(out->to.uri.user);
	for (rest = out->to.uri.headers; rest.n;) {
		sv_split(rest, '&', &one, &rest);
		if (sv_split(one, '=', &name, &text) && sv_isi(name, "Replaces") && !out->replaces)
			out->replaces = unescaped(text);
	}
	return out->exten && sip_is_value(sv_of(out->exten)) && (!out->replaces || sip_is_value(sv_of(out->replaces)));
}

static void refer_fini(struct refer *r)
{
	mem_free(r->exten);
	mem_free(r->replaces);
}

/* One NOTIFY tells the end of it, as FreeSWITCH does: the transfer is on its way, or it is not. */
static ON_CTL void notify(struct call *c, struct sip_sub *sub, const char *status)
{
	char body[64];
	if (!sub)
		return;
	if (!c->sip || c->is_closed) {
		sip_sub_end(sub);
		return;
	}
	snprintf(body, sizeof(body), "SIP/2.0 %s\r\n", status);
	sip_sub_notify(sub, "terminated;reason=noresource", "message/sipfrag;version=2.0", sv_of(body));
}

/* A REFER that is taken makes a subscription to what becomes of it (RFC 3515 2.4.4). NULL: it cannot be. */
static ON_CTL struct sip_sub *subscription_make(struct sip_call *sc, uint32_t cseq)
{
	static const struct sip_sub_handlers none;
	struct sip_sub *sub = NULL;
	char id[16];
	snprintf(id, sizeof(id), "%u", cseq);
	const struct sip_sub_params p = {.event = "refer", .id = id, .is_notifier = true};
	return sip_sub_new(&sub, sc, &p, &none, NULL) ? NULL : sub;
}

static ON_CTL void refer_vars(struct leg *leg, struct leg *referrer, const struct sip_msg *m)
{
	struct sv by = sip_msg_value(m, SIP_HDR_REFERRED_BY);
	leg_var_setf(leg, "sip_refer_to", "%.*s", SVF(sip_msg_value(m, SIP_HDR_REFER_TO)));
	if (by.n && by.n < 1024) {
		struct sip_nameaddr na;
		leg_var_setf(leg, "sip_h_Referred-By", "%.*s", SVF(by));
		if (sip_nameaddr_parse(&na, by) == ST_OK) {
			leg_var_setf(leg, "sip_referred_by_user", "%.*s", SVF(na.uri.user));
			leg_var_setf(leg, "sip_referred_by_host", "%.*s", SVF(na.uri.host));
		}
	}
	if (referrer->profile && referrer->profile->username)
		leg_var_set(referrer, "transfer_fallback_extension", referrer->profile->username);
}

/* What a phone asks for is a number, whatever it says. */
static ON_CTL int transfer_outside(struct leg *leg, const char *number)
{
	char *text = mark_dup(number);
	int st = text ? leg_transfer(leg, text, NULL, NULL) : ST_NOMEM;
	mem_free(text);
	return st;
}

/* The peer goes to the number in its own context, and with that the bridge ends: a leg that dialled goes on with its
 * dialplan, one that was dialled is hung up, as after any bridge. */
static ON_CTL int blind(struct call *c, const struct sip_msg *m, const struct refer *r)
{
	struct leg *peer = c->leg->peer;
	if (!peer || !leg_is_up(peer))
		return ST_NOTFOUND;
	refer_vars(peer, c->leg, m);
	leg_var_set(c->leg, "transfer_disposition", "blind");
	leg_var_set(c->leg, "endpoint_disposition", "BLIND_TRANSFER");
	leg_var_setf(c->leg, "transfer_to", "blind:%s", peer->uuid);
	leg_var_setf(c->leg, "transfer_destination", "blind:%s", r->exten);
	if (r->replaces) /* a call that another switch holds: it is told */
		leg_var_set(peer, "sip_h_Replaces", r->replaces);
	return transfer_outside(peer, r->exten);
}

/* Whose phone a leg is, by what SIP said. */
static ON_CTL void party_put(struct leg *leg, struct buf *b)
{
	const char *user = vars_get(leg->vars, leg->is_outbound ? "sip_to_user" : "sip_from_user"),
	           *host = vars_get(leg->vars, leg->is_outbound ? "sip_to_host" : "sip_from_host");
	buf_printf(b, "%s@%s", user ? user : "", host ? host : "");
}

/* FreeSWITCH's transfer_source: by whom, and who. */
static ON_CTL void attended_note(struct leg *leg, struct leg *referrer)
{
	struct buf b;
	buf_init(&b);
	party_put(referrer, &b);
	buf_addc(&b, '/');
	party_put(leg, &b);
	if (!b.failed)
		leg_note_transfer(leg, "att_xfer:%s", b.p);
	buf_fini(&b);
}

/* The far ends of both calls. The one that came in goes on as the caller; of a phone that was called itself the
 * consultation ends as such, of one that called like any call whose other side has gone. */
static ON_CTL int attended_join(struct call *c, struct call *other, struct leg *first, struct leg *second)
{
	struct leg *a = first->is_outbound ? second : first, *b = a == first ? second : first;
	if (!leg_is_up(first) || !leg_is_up(second))
		return ST_HANGUP;
	mem_ref(a), mem_ref(b);
	leg_var_setf(c->leg, "transfer_to", "att:%s", second->uuid);
	leg_var_set(c->leg, "endpoint_disposition", "ATTENDED_TRANSFER");
	leg_var_set(other->leg, "endpoint_disposition", "ATTENDED_TRANSFER");
	if (profile_conf_has_media_option(&c->p->conf, "bypass-media-after-att-xfer"))
		leg_var_set(a, "bypass_media_after_bridge", "true");
	attended_note(second, c->leg);
	attended_note(first, c->leg);
	if (c->leg->is_outbound)
		leg_hangup(other->leg, CAUSE_ATTENDED_TRANSFER);
	int st = bridge_two(a, b);
	if (st == ST_OK)
		leg_hangup(other->leg, CAUSE_NORMAL_CLEARING);
	mem_unref(a), mem_unref(b);
	return st;
}

/* The far ends of the two calls the phone holds are joined; where the second has none yet, the first goes where the
 * second was going. */
static ON_CTL int attended(struct call *c, struct call *other, const struct sip_msg *m)
{
	struct leg *first = c->leg->peer, *second = other->leg->peer;
	int st;
	if (other == c || (!first && !second))
		return ST_NOTFOUND;
	refer_vars(first ? first : second, c->leg, m);
	leg_var_set(c->leg, "transfer_disposition", "attended");
	if (first && second)
		return attended_join(c, other, first, second);
	struct leg *to = first ? other->leg : c->leg;
	leg_var_setf(c->leg, "transfer_to", "att:%s", to->uuid);
	char *place = vars_get(to->vars, "inline_destination") ? leg_text_dup(to, "inline_destination") : NULL;
	char *exten = to->profile ? leg_profile_destination_dup(to->profile) : NULL;
	if (place) /* it waits somewhere (valet_park): the transferred one takes its place */
		st = leg_transfer(first ? first : second, place, "inline", NULL);
	else if (exten)
		st = leg_transfer(first ? first : second, exten, to->profile->dialplan, to->profile->context);
	else
		st = ST_NOTFOUND;
	mem_free(place);
	mem_free(exten);
	if (st == ST_OK)
		leg_hangup(other->leg, CAUSE_ATTENDED_TRANSFER);
	return st;
}

void refer_in(struct call *c, struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m)
{
	struct refer r;
	struct replaces rep;
	struct sip_sub *sub;
	struct call *held = mem_ref(c), *other = NULL;
	struct leg *leg = mem_ref(c->leg);
	int st;
	if (!refer_parse(&r, m)) {
		sip_call_reply(sc, tx, 400, "Bad Refer-To", NULL, NULL, SV_NONE);
		goto done;
	}
	if (leg_var_is_true(leg, "deny_refer_requests")) {
		sip_call_reply(sc, tx, 403, NULL, NULL, NULL, SV_NONE);
		goto done;
	}
	sip_call_reply(sc, tx, 202, NULL, "Expires: 60\r\n", NULL, SV_NONE);
	sub = subscription_make(sc, m->cseq);
	leg_var_setf(leg, "sip_refer_to", "%.*s", SVF(sip_msg_value(m, SIP_HDR_REFER_TO)));
	if (r.replaces && replaces_parse(&rep, sv_of(r.replaces)))
		other = call_find(&rep);
	st = other ? attended(c, other, m) : blind(c, m, &r);
	notify(c, sub, st == ST_OK ? "200 OK" : "403 Forbidden");
	if (st == ST_OK && other)
		leg_hangup(leg, CAUSE_NORMAL_CLEARING);
	else if (st != ST_OK)
		leg_log(leg, LOG_NOTICE, "the transfer to %s cannot be: %s", r.exten, status_text(st));
done:
	refer_fini(&r);
	mem_unref(leg);
	mem_unref(held);
}

/* ---- a REFER of ours ---- */

/* What became of it: once the far side has taken it, the call here is over. */
static void on_referral_notify(struct sip_sub *sub, const struct sip_msg *m, bool is_last, void *arg)
{
	struct call *c = arg;
	struct sv body = m->body, version, code;
	uint32_t n = 0;
	role_assert_ctl();
	sv_split(body, ' ', &version, &body);
	sv_split(body, ' ', &code, &body);
	if (c->leg && sv_starts(version, SV("SIP/2.0")) && sv_u32(sv_trim(code), &n) == ST_OK && n >= 200 && n < 300)
		leg_hangup(c->leg, CAUSE_BLIND_TRANSFER);
}

static void on_referral_ended(struct sip_sub *sub, int code, void *arg)
{
	role_assert_ctl();
	((struct call *)arg)->referral = NULL;
}

static const struct sip_sub_handlers referral_handlers = {
    .on_notify = on_referral_notify, .on_ended = on_referral_ended};

static void on_refer_response(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	role_assert_ctl();
	if (code >= 300)
		refer_referral_end(arg);
}

int refer_send(struct call *c, const char *headers)
{
	if (!c->referral && sip_sub_new(&c->referral, c->sip, &(struct sip_sub_params){.event = "refer"},
	                        &referral_handlers, c) != ST_OK)
		return ST_INVAL;
	int st = sip_call_request(c->sip, "REFER", headers, NULL, SV_NONE, on_refer_response, c);
	if (st != ST_OK)
		refer_referral_end(c);
	return st;
}

void refer_referral_end(struct call *c)
{
	if (c->referral)
		sip_sub_end(c->referral);
	c->referral = NULL;
}

/* ---- INVITE with Replaces ---- */

bool replaces_check(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct leg **out)
{
	struct sv value = sip_msg_value(m, SIP_HDR_REPLACES);
	struct replaces r;
	*out = NULL;
	if (!value.n)
		return true;
	struct call *c = NULL;
	if (!replaces_parse(&r, value)) {
		sip_stx_reply_once(tx, 400, "Bad Replaces", NULL);
		return false;
	}
	c = call_in_stack(p, &r);
	if (!c || !c->leg->peer) {
		sip_stx_reply_once(tx, 481, "Call Does Not Exist", NULL);
		return false;
	}
	if (r.is_early_only && c->leg->is_answered) {
		sip_stx_reply_once(tx, 486, NULL, NULL);
		return false;
	}
	if (!m->sdp.n) { /* the leg could not be joined before its ACK says where it listens */
		sip_stx_reply_once(tx, 488, NULL, NULL);
		return false;
	}
	*out = c->leg;
	return true;
}

/* The new leg answers and waits; its ACK brings the exchange. */
void replaces_prepare(struct call *c, const struct leg *replaced)
{
	struct leg_profile *lp = c->leg->profile;
	memcpy(c->replaced_uuid, replaced->uuid, sizeof(c->replaced_uuid));
	if (!lp)
		return;
	leg_profile_set(&lp->dialplan, "inline");
	leg_profile_destination_set(lp, "answer,park");
}

void replaces_run(struct call *c)
{
	struct leg *replaced = leg_find(c->replaced_uuid), *peer = replaced ? replaced->peer : NULL;
	c->replaced_uuid[0] = 0;
	if (!peer || bridge_two(c->leg, peer) < 0) {
		leg_hangup(c->leg, CAUSE_NORMAL_CLEARING);
		return;
	}
	leg_hangup(replaced, CAUSE_NORMAL_CLEARING);
}
