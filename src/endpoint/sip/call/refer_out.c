/* A REFER of ours (deflect, uuid_deflect, uuid_simplify): the phone is asked to call elsewhere. What it answers and
 * what its NOTIFYs tell is in the variable sip_refer_reply; once it has taken the call elsewhere this one is over,
 * unless sip_refer_continue_after_reply says that the dialplan goes on. */
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "endpoint/sip/call/call_i.h"

#include <stdio.h>

static ON_CTL void reply_set(struct call *c, struct sv text)
{
	struct sv line, rest;
	sv_split(text, '\n', &line, &rest);
	line = sv_trim(line);
	if (!c->leg || !line.n || line.n > 256)
		return;
	call_var_sv(c->leg, "sip_refer_reply", line);
	leg_wake(c->leg);
}

/* What became of it. */
static void on_referral_notify(struct sip_sub *sub, const struct sip_msg *m, bool is_last, void *arg)
{
	struct call *c = arg;
	struct sv body = m->body, version, code;
	uint32_t n = 0;
	role_assert_ctl();
	sv_split(body, ' ', &version, &body);
	sv_split(body, ' ', &code, &body);
	if (!c->leg || !sv_starts(version, SV("SIP/2.0")) || sv_u32(sv_trim(code), &n) || n < 200)
		return;
	reply_set(c, m->body);
	if (n < 300 && !leg_var_is_true(c->leg, "sip_refer_continue_after_reply"))
		leg_hangup(c->leg, CAUSE_BLIND_TRANSFER);
}

static void on_referral_ended(struct sip_sub *sub, int code, void *arg)
{
	struct call *c = arg;
	role_assert_ctl();
	c->referral = NULL;
	if (c->leg && leg_is_up(c->leg) && !leg_var(c->leg, "sip_refer_reply"))
		reply_set(c, SV("no reply"));
}

static const struct sip_sub_handlers referral_handlers = {
    .on_notify = on_referral_notify, .on_ended = on_referral_ended};

static void on_refer_response(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	struct call *c = arg;
	char text[64];
	role_assert_ctl();
	if (code < 300)
		return;
	struct sv phrase = resp ? resp->reason : sv_of(sip_reason_phrase(code));
	snprintf(text, sizeof(text), "SIP/2.0 %d %.*s", code, phrase.n > 40 ? 40 : (int)phrase.n, phrase.p);
	reply_set(c, sv_of(text));
	refer_referral_end(c);
}

int refer_send(struct call *c, const char *headers)
{
	if (!c->referral && sip_sub_new(&c->referral, c->sip, &(struct sip_sub_params){.event = "refer"},
	                        &referral_handlers, c) != ST_OK)
		return ST_INVAL;
	leg_var_set(c->leg, "sip_refer_reply", NULL);
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
