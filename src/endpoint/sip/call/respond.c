/* What the application respond says to a caller that is not answered: a provisional response at once, and the dialplan
 * goes on; a final one ends the call with the cause of its code, so that events and records say why. 401 and 407 are a
 * challenge: the caller comes again with a password, which is checked then (sip_authorized). */
#include "base/log.h"
#include "base/mem.h"
#include "endpoint/sip/call/call_i.h"

#include <string.h>

static ON_CTL int provisional(struct call *c, int code, const char *phrase)
{
	struct buf b;
	int st = ST_OK;
	if (code == 100) /* the caller has it, or gets it from the transaction */
		return ST_OK;
	buf_init(&b);
	call_identity_put_1xx(c, &b);
	call_headers_put(c, &b, "sip_ph_");
	st = sip_call_progress(c->sip, code, phrase, b.p, SV_NONE);
	buf_fini(&b);
	if (st == ST_OK && code == 180)
		leg_mark_ring_ready(c->leg);
	return st;
}

static ON_CTL int challenge(struct call *c)
{
	const struct sip_msg *m = sip_call_invite_msg(c->sip);
	struct buf realm, lines;
	if (!m)
		return ST_INVAL;
	buf_init(&realm);
	buf_init(&lines);
	auth_realm_put(c->p, m, &realm);
	if (realm.p)
		auth_challenge_put(c->p, realm.p, true, false, sip_call_remote_addr(c->sip), &lines);
	buf_fini(&realm);
	if (lines.failed || !lines.n) {
		buf_fini(&lines);
		return ST_NOMEM;
	}
	mem_free(c->respond_headers);
	c->respond_headers = buf_take(&lines);
	c->respond_code = 407;
	leg_hangup(c->leg, CAUSE_USER_CHALLENGE);
	return ST_OK;
}

int call_respond(struct leg *leg, int code, const char *phrase)
{
	struct call *c = call_of(leg);
	role_assert_ctl();
	if (!c || c->is_outbound || !c->sip || c->is_closed || c->has_answered || code < 100 || code > 699 ||
	    code / 100 == 2)
		return ST_INVAL;
	if (phrase && !sip_is_value(sv_of(phrase))) {
		leg_log(leg, LOG_WARNING, "respond: the phrase has a line break and is left out");
		phrase = NULL;
	}
	if (code < 200)
		return provisional(c, code, phrase);
	if (code == 401 || code == 407)
		return challenge(c);
	c->respond_code = code;
	mem_free(c->respond_phrase);
	c->respond_phrase = mem_strdup(phrase);
	leg_hangup(leg, cause_from_sip(code));
	return ST_OK;
}
