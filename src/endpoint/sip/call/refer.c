/* Transfers as phones ask for them: REFER inside a call (RFC 3515), to a number or with Replaces to join two calls, the
 * NOTIFY that tells how it went, and an INVITE with Replaces (RFC 3891). The dialog itself is the proof of who asks; a
 * REFER outside of one is request.c's. */
#include "base/log.h"
#include "base/mem.h"
#include "core/bridge/bridge.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/tap.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "endpoint/sip/call/call_i.h"
#include "text/mark.h"

#include <stdio.h>
#include <string.h>

/* ---- REFER ---- */

static ON_CTL void notify_state(struct call *c, struct sip_sub *sub, const char *state, const char *status)
{
	char body[96];
	if (!sub)
		return;
	if (!c->sip || c->is_closed) {
		sip_sub_end(sub);
		return;
	}
	snprintf(body, sizeof(body), "SIP/2.0 %s\r\n", status);
	sip_sub_notify(sub, state, "message/sipfrag;version=2.0", sv_of(body));
}

/* One NOTIFY tells the end of it, as FreeSWITCH does: the transfer is on its way, or it is not. */
static ON_CTL void notify(struct call *c, struct sip_sub *sub, const char *status)
{
	notify_state(c, sub, "terminated;reason=noresource", status);
}

/* Ended by the far side: who waits for it is looked for, since the call may be gone before its last NOTIFY is answered.
 */
static void on_sub_ended(struct sip_sub *sub, int code, void *arg)
{
	struct lnode *it, *tmp;
	role_assert_ctl();
	for (struct profile *p = profile_next(NULL); p; p = profile_next(p))
		list_each (&profile_calls_of(p)->list, it, tmp) {
			struct call *c = list_entry(it, struct call, link);
			if (c->transfer == sub)
				c->transfer = NULL;
		}
}

/* A REFER that is taken makes a subscription to what becomes of it (RFC 3515 2.4.4). NULL: it cannot be. One that waits
 * for the outcome ends with the call. */
static ON_CTL struct sip_sub *subscription_make(struct sip_call *sc, uint32_t cseq, bool waits)
{
	static const struct sip_sub_handlers none, waiting = {.on_ended = on_sub_ended};
	struct sip_sub *sub = NULL;
	char id[16];
	snprintf(id, sizeof(id), "%u", cseq);
	const struct sip_sub_params p = {.event = "refer", .id = id, .is_notifier = true};
	return sip_sub_new(&sub, sc, &p, waits ? &waiting : &none, NULL) ? NULL : sub;
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

/* What was recorded of who transfers goes on with whom he leaves in the call. */
static ON_CTL void recordings_follow(struct leg *from, struct leg *to, bool is_attended)
{
	if (to && (leg_var_is_true(from, "recording_follow_transfer") ||
	              (is_attended && leg_var_is_true(from, "recording_follow_attxfer"))))
		leg_record_follow(from, to);
}

/* A transfer is a hop: phones that send each other's calls round come to an end. */
static ON_CTL bool hop_take(struct leg *leg)
{
	const char *left = leg_var(leg, "max_forwards");
	uint32_t hops;
	if (!left || sv_u32(sv_of(left), &hops))
		return true;
	if (hops <= 1)
		return false;
	leg_var_setf(leg, "max_forwards", "%u", (unsigned)(hops - 1));
	return true;
}

/* What a phone asks for is a number, whatever it says. */
static ON_CTL int transfer_outside(struct leg *leg, const char *number)
{
	if (!hop_take(leg))
		return ST_LIMIT;
	char *text = mark_dup(number);
	int st = text ? leg_transfer(leg, text, NULL, NULL) : ST_NOMEM;
	mem_free(text);
	return st;
}

/* The peer goes to the number in its own context, and with that the bridge ends: a leg that dialled goes on with its
 * dialplan, one that was dialled is hung up, as after any bridge. */
static ON_CTL int blind(struct call *c, const struct sip_msg *m, const struct refer_to *r)
{
	struct leg *peer = c->leg->peer;
	if (!peer || !leg_is_up(peer))
		return ST_NOTFOUND;
	refer_vars(peer, c->leg, m);
	if (!c->transfer)
		recordings_follow(c->leg, peer, false);
	leg_var_set(c->leg, "transfer_disposition", "blind");
	leg_var_set(c->leg, "endpoint_disposition", "BLIND_TRANSFER");
	leg_var_setf(c->leg, "transfer_to", "blind:%s", peer->uuid);
	leg_var_setf(c->leg, "transfer_destination", "blind:%s", r->exten);
	if (r->replaces) /* a call that another switch holds: it is told */
		leg_var_set(peer, "sip_h_Replaces", r->replaces);
	if (!c->transfer)
		return transfer_outside(peer, r->exten);
	/* The outcome is waited for, in a park: whoever wants the other one gets it back if nobody takes it. */
	leg_var_set(peer, "blind_transfer_uuid", c->leg->uuid);
	leg_var_set(c->leg, "park_after_bridge", "true");
	int st = transfer_outside(peer, r->exten);
	leg_var_set(c->leg, "park_after_bridge", NULL);
	return st;
}

void refer_waiting_end(struct call *c)
{
	if (c->transfer)
		sip_sub_end(c->transfer);
	c->transfer = NULL;
}

/* The refusal as the called side gave it, else FreeSWITCH's 403. */
static ON_CTL void outcome_put(struct leg *other, bool is_good, char *text, size_t n)
{
	const char *code = leg_var(other, "sip_invite_failure_status"),
	           *phrase = leg_var(other, "sip_invite_failure_phrase");
	uint32_t number;
	if (is_good)
		snprintf(text, n, "200 OK");
	else if (code && sv_u32(sv_of(code), &number) == ST_OK && number >= 300 && number < 700)
		snprintf(text, n, "%u %.40s", number, phrase && *phrase ? phrase : sip_reason_phrase((int)number));
	else
		snprintf(text, n, "403 Forbidden");
}

int call_transfer_told(struct leg *leg, struct leg *other, bool is_good)
{
	struct call *c = call_of(leg);
	char text[80];
	role_assert_ctl();
	if (!c || !c->transfer)
		return ST_NOTFOUND;
	outcome_put(other, is_good, text, sizeof(text));
	if (is_good)
		recordings_follow(leg, other, false);
	notify(c, c->transfer, text);
	c->transfer = NULL;
	if (is_good || !leg_is_up(other) || bridge_two(leg, other) < 0)
		leg_hangup(leg, is_good ? CAUSE_BLIND_TRANSFER : CAUSE_NORMAL_CLEARING);
	return ST_OK;
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
	char *marked = b.failed ? NULL : mark_dup(b.p);
	if (marked)
		leg_note_transfer(leg, "att_xfer:%s", marked);
	mem_free(marked);
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
	recordings_follow(c->leg, first, true);
	recordings_follow(other->leg, second, true);
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

int refer_do(struct call *c, struct call *other, const struct sip_msg *m, const struct refer_to *r)
{
	struct leg *leg = mem_ref(c->leg);
	leg_var_setf(leg, "sip_refer_to", "%.*s", SVF(sip_msg_value(m, SIP_HDR_REFER_TO)));
	int st = other ? attended(c, other, m) : blind(c, m, r);
	if (st != ST_OK)
		leg_log(leg, LOG_NOTICE, "the transfer to %s cannot be: %s", r->exten, status_text(st));
	mem_unref(leg);
	return st;
}

/* The phone is to hear how the new call went, not only that it was begun. */
static ON_CTL bool is_confirmed(struct call *c)
{
	const char *own = leg_var(c->leg, "confirm_blind_transfer");
	return own ? str_is_true(own) : c->p->conf.confirms_blind_transfers;
}

void refer_in(struct call *c, struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m)
{
	struct refer_to r;
	struct dialog_name rep;
	struct sip_sub *sub;
	struct call *held = mem_ref(c), *other = NULL;
	struct leg *leg = mem_ref(c->leg);
	int st;
	if (!refer_to_parse(&r, sip_msg_value(m, SIP_HDR_REFER_TO))) {
		sip_call_reply(sc, tx, 400, "Bad Refer-To", NULL, NULL, SV_NONE);
		goto done;
	}
	if (leg_var_is_true(leg, "deny_refer_requests") || c->p->conf.has_disabled_transfer) {
		sip_call_reply(sc, tx, 403, NULL, NULL, NULL, SV_NONE);
		goto done;
	}
	sip_call_reply(sc, tx, 202, NULL, "Expires: 60\r\n", NULL, SV_NONE);
	bool has_replaces = r.replaces && dialog_name_parse(&rep, sv_of(r.replaces));
	if (has_replaces)
		other = call_by_name(&rep);
	bool waits = !other && !c->transfer && is_confirmed(c);
	sub = subscription_make(sc, m->cseq, waits);
	if (waits && (c->transfer = sub))
		notify_state(c, sub, "active;expires=60", "100 Trying");
	st = refer_do(c, other, m, &r);
	if (!waits || st != ST_OK || !sub) {
		c->transfer = waits ? NULL : c->transfer;
		notify(c, sub, st == ST_OK ? "200 OK" : "403 Forbidden");
	}
	if (st == ST_OK && other)
		leg_hangup(leg, CAUSE_NORMAL_CLEARING);
done:
	refer_to_fini(&r);
	mem_unref(leg);
	mem_unref(held);
}
