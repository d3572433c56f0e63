/* An INVITE that is about a call that exists (RFC 3891, 3911). Replaces: the new leg takes the place of the one it
 * names. Of a phone of ours that still rings it picks the call up, of a call that stands it takes the partner over, and
 * of one that is with no other leg it goes where that one had gone. Join, where the profile lets callers do that, makes
 * a third of two. Who asks has shown who he is, as any caller. */
#include "base/mem.h"
#include "core/bridge/bridge.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include "endpoint/sip/call/call_i.h"

#include <stdio.h>
#include <string.h>

static ON_CTL struct call *call_in_stack(struct profile *p, const struct dialog_name *r)
{
	struct sip_call *sc = sip_call_find(p->stack, r->call_id, r->to_tag, r->from_tag);
	if (!sc) /* some phones name the tags from their own side */
		sc = sip_call_find(p->stack, r->call_id, r->from_tag, r->to_tag);
	struct call *c = sc ? sip_call_arg(sc) : NULL;
	return c && !c->is_closed && c->leg && leg_is_up(c->leg) ? c : NULL;
}

struct call *call_by_name(const struct dialog_name *r)
{
	for (struct profile *p = profile_next(NULL); p; p = profile_next(p)) {
		struct call *c = call_in_stack(p, r);
		if (c)
			return c;
	}
	return NULL;
}

/* An early dialog is replaced by who it was sent to only, not by who began it (RFC 3891 3). */
static bool may_be_named(const struct call *c)
{
	return c->leg->is_answered || c->is_outbound;
}

/* False: it cannot be, and was answered. */
static ON_CTL bool named_get(
    struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct sv value, const char *bad, struct leg **out)
{
	struct dialog_name r;
	if (!dialog_name_parse(&r, value)) {
		sip_stx_reply_once(tx, 400, bad, NULL);
		return false;
	}
	struct call *c = call_in_stack(p, &r);
	if (!c || !may_be_named(c)) {
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

bool replaces_check(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct named_leg *out)
{
	struct sv replaces = sip_msg_value(m, SIP_HDR_REPLACES),
	          join = p->conf.is_join_allowed ? sip_msg_value_named(m, "Join") : SV_NONE;
	*out = (struct named_leg){.leg = NULL};
	if (replaces.n && join.n) { /* RFC 3911 4 */
		sip_stx_reply_once(tx, 400, "Replaces And Join", NULL);
		return false;
	}
	if (replaces.n)
		return named_get(p, tx, m, replaces, "Bad Replaces", &out->leg);
	out->is_join = join.n > 0;
	return !join.n || named_get(p, tx, m, join, "Bad Join", &out->leg);
}

/* What the new leg runs: a list of our own applications. */
static ON_CTL void runs(struct leg_profile *lp, const char *fmt, const char *uuid)
{
	char text[UUID_CHARS + 48];
	snprintf(text, sizeof(text), fmt, uuid);
	leg_profile_set(&lp->dialplan, "inline");
	leg_profile_destination_set(lp, text);
}

/* Where a leg without a partner had gone, in its own dialplan and context. */
static ON_CTL void goes_where(struct leg_profile *lp, const struct leg *replaced)
{
	const struct leg_profile *old = replaced->profile;
	char *exten = old ? leg_profile_destination_dup(old) : NULL;
	if (!exten)
		return;
	leg_profile_set(&lp->dialplan, old->dialplan);
	leg_profile_set(&lp->context, old->context);
	leg_profile_destination_set(lp, exten);
	mem_free(exten);
}

/* Who it comes to talk to, for its display: the one it replaces had been reached as, or who that one talks to. */
static ON_CTL void shows(struct leg_profile *lp, const struct leg *replaced)
{
	const struct leg *who = replaced->is_answered && replaced->peer ? replaced->peer : replaced;
	const struct leg_profile *of = who->profile;
	if (!of)
		return;
	bool is_callee = who->is_outbound;
	const char *number = is_callee ? of->callee_id_number : of->caller_id_number;
	leg_profile_set(&lp->callee_id_name, is_callee ? of->callee_id_name : of->caller_id_name);
	leg_profile_set(&lp->callee_id_number, number && *number ? number : of->destination_number);
}

/* The new leg answers and waits where its ACK brings the exchange; else it does by itself what is asked. */
void replaces_prepare(struct call *c, const struct named_leg *n)
{
	struct leg_profile *lp = c->leg->profile;
	struct leg *replaced = n->leg;
	if (!lp)
		return;
	shows(lp, replaced);
	if (n->is_join) {
		runs(lp, "answer,three_way:%s", replaced->uuid);
		return;
	}
	if (!replaced->is_answered) {
		runs(lp, "answer,intercept:%s", replaced->uuid);
		return;
	}
	mem_free(c->replaced_uuid);
	c->replaced_uuid = mem_strdup(replaced->uuid);
	if (replaced->peer)
		runs(lp, "answer,park%s", "");
	else
		goes_where(lp, replaced);
}

void replaces_run(struct call *c)
{
	struct leg *replaced = leg_find(c->replaced_uuid), *peer = replaced ? replaced->peer : NULL;
	bool is_waiting = c->leg->profile && c->leg->profile->dialplan && !strcmp(c->leg->profile->dialplan, "inline");
	mem_free(c->replaced_uuid);
	c->replaced_uuid = NULL;
	if (!is_waiting) {
		if (replaced)
			leg_hangup(replaced, CAUSE_NORMAL_CLEARING);
		return;
	}
	if (!peer || bridge_two(c->leg, peer) < 0) {
		leg_hangup(c->leg, CAUSE_NORMAL_CLEARING);
		return;
	}
	leg_hangup(replaced, CAUSE_NORMAL_CLEARING);
}
