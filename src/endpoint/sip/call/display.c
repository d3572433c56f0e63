/* Who the other party is, told to a phone that is in a call and read from it. Out, by the phone's make, as FreeSWITCH
 * chooses: another switch (X-FS-Support: update_display) by INFO with X-FS-Display-Name and -Number, a snom by INFO
 * with a sipfrag, those that understand it by P-Asserted-Identity in an UPDATE (a re-INVITE where they allow none);
 * others are told nothing. The same is not told twice. In: a re-INVITE, UPDATE or INFO with another identity changes
 * the leg's ids, CALL_UPDATE tells it, and the partner's phone; that of a 180, 183 or 200 is who was reached, which the
 * caller's own 180 and 200 tell. ignore_display_updates switches both off. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/acl.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "endpoint/sip/call/call_i.h"

#include <stdio.h>
#include <string.h>

/* ---- the make ---- */

enum make { MAKE_UNKNOWN, MAKE_SWITCH, MAKE_SNOM, MAKE_ASSERTED };

static bool has_text(const char *agent, const char *word)
{
	return strcasestr(agent, word) != NULL;
}

static enum make make_of(const char *agent)
{
	static const char *const asserted[] = {"polycom", "cisco/spa50", "cisco/spa525", "cisco/spa30", "yealink",
	    "fanvil", "grandstream", "mitel", "panasonic"};
	if (has_text(agent, "snom"))
		return MAKE_SNOM;
	for (size_t i = 0; i < sizeof(asserted) / sizeof(asserted[0]); i++)
		if (has_text(agent, asserted[i]))
			return MAKE_ASSERTED;
	return has_text(agent, "aastra") && !has_text(agent, "intelligate") ? MAKE_ASSERTED : MAKE_UNKNOWN;
}

static ON_CTL enum make make_of_call(struct call *c)
{
	const char *agent = leg_var(c->leg, "sip_user_agent");
	if (c->shows_updates)
		return MAKE_SWITCH;
	if (leg_var_is_true(c->leg, "update_ignore_ua"))
		return MAKE_ASSERTED;
	return agent ? make_of(agent) : MAKE_UNKNOWN;
}

/* snom/8.4.24 and later have the caller's line above. */
static bool is_snom_of_today(const char *agent)
{
	unsigned major = 0, minor = 0, patch = 0;
	const char *at = agent ? strchr(agent, '/') : NULL;
	return at && sscanf(at + 1, "%4u.%4u.%4u", &major, &minor, &patch) == 3 &&
	       major * 10000 + minor * 100 + patch >= 80424;
}

/* ---- out ---- */

/* name and number in a header: what may not stand there is left out. */
static const char *shown(const char *text)
{
	return text && sip_is_value(sv_of(text)) ? text : "";
}

static ON_CTL int switch_told(struct call *c, const char *name, const char *number)
{
	struct buf b;
	buf_init(&b);
	/* without a body, and so by no way but this has it a type */
	buf_printf(&b, "Content-Type: message/update_display\r\nX-FS-Display-Name: %s\r\nX-FS-Display-Number: %s\r\n",
	    shown(name), shown(number));
	int st = b.failed ? ST_NOMEM : sip_call_request(c->sip, "INFO", b.p, NULL, SV_NONE, NULL, NULL);
	buf_fini(&b);
	return st;
}

static ON_CTL int snom_told(struct call *c, const char *name, const char *number)
{
	struct buf who, body;
	buf_init(&who), buf_init(&body);
	if (*shown(name))
		sip_put_quoted(&who, sv_of(name)), buf_addc(&who, ' ');
	buf_adds(&who, shown(number));
	buf_printf(&body,
	    is_snom_of_today(leg_var(c->leg, "sip_user_agent")) ? "From: %s\r\nTo:\r\n" : "From:\r\nTo: %s\r\n",
	    who.p ? who.p : "");
	int st = who.failed || body.failed
	             ? ST_NOMEM
	             : sip_call_request(c->sip, "INFO", NULL, "message/sipfrag", buf_sv(&body), NULL, NULL);
	buf_fini(&who), buf_fini(&body);
	return st;
}

static ON_CTL int reinvited(struct call *c, const char *headers)
{
	struct buf sdp;
	buf_init(&sdp);
	int st = leg_media_same_reoffer(c->leg, &sdp);
	if (st == ST_OK) {
		st = sip_call_reinvite(c->sip, headers, buf_sv(&sdp));
		if (st)
			leg_media_offer_unsent(c->leg);
	}
	buf_fini(&sdp);
	return st;
}

static ON_CTL int asserted_told(struct call *c, const char *name, const char *number)
{
	struct buf b, uri;
	buf_init(&b), buf_init(&uri);
	buf_adds(&uri, "sip:");
	sip_escape_user(&uri, sv_of(number));
	if (number && *number)
		buf_addc(&uri, '@');
	call_host_put(c, &uri, c->p->ext_sip_ip);
	buf_adds(&b, "P-Asserted-Identity: ");
	sip_put_nameaddr(&b, sv_of(name ? name : ""), buf_sv(&uri));
	buf_adds(&b, "\r\n");
	session_timer_keep_put(c, &b);
	int st = b.failed || uri.failed ? ST_NOMEM
	         : c->takes_update      ? sip_call_update(c->sip, b.p, SV_NONE)
	                                : reinvited(c, b.p);
	buf_fini(&b), buf_fini(&uri);
	return st;
}

static bool is_same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

void call_display_said(struct call *c, const char *name, const char *number)
{
	char *texts[2] = {mem_strdup(name ? name : ""), mem_strdup(number ? number : "")};
	for (size_t i = 0; i < 2; i++) {
		mem_free(c->display_said[i]);
		c->display_said[i] = texts[i];
	}
}

static ON_CTL int due(struct call *c, const char *name, const char *number)
{
	mem_free(c->display_due[0]);
	mem_free(c->display_due[1]);
	c->display_due[0] = mem_strdup(name ? name : "");
	c->display_due[1] = mem_strdup(number ? number : "");
	return c->display_due[0] && c->display_due[1] ? ST_OK : ST_NOMEM;
}

int call_display(struct leg *leg, const char *name, const char *number)
{
	struct call *c = call_of(leg);
	int st = ST_UNSUPPORTED;
	role_assert_ctl();
	if (!c || !c->sip || c->is_closed)
		return ST_INVAL;
	if (leg_var_is_true(leg, "ignore_display_updates") || !c->p->conf.sends_display_updates)
		return ST_OK;
	if (call_is_unacknowledged(c)) {
		sip_call_await_free(c->sip);
		return due(c, name, number);
	}
	if (sip_call_state(c->sip) != SIP_CALL_CONFIRMED)
		return ST_INVAL;
	if (!name || !*name)
		name = number;
	if (is_same(name ? name : "", c->display_said[0]) && is_same(number ? number : "", c->display_said[1]))
		return ST_OK;
	switch (make_of_call(c)) {
	case MAKE_SWITCH:
		st = switch_told(c, name, number);
		break;
	case MAKE_SNOM:
		st = snom_told(c, name, number);
		break;
	case MAKE_ASSERTED:
		st = asserted_told(c, name, number);
		break;
	case MAKE_UNKNOWN:
		break;
	}
	if (st == ST_OK)
		call_display_said(c, name, number);
	return st == ST_BUSY && sip_call_await_free(c->sip) ? due(c, name, number) : st;
}

/* ---- in ---- */

/* What it says of itself: by the headers of switches, else its identity. False: nothing. */
static ON_CTL bool said_by(const struct sip_msg *m, struct buf *name, struct buf *number)
{
	struct sv fs_name = sip_msg_value_named(m, "X-FS-Display-Name"),
	          fs_number = sip_msg_value_named(m, "X-FS-Display-Number");
	struct sip_nameaddr na;
	if (fs_name.n || fs_number.n) {
		buf_addv(name, fs_name);
		buf_addv(number, fs_number.n ? fs_number : fs_name);
		return !name->failed && !number->failed;
	}
	if (!identity_shown(m, &na))
		return false;
	sip_unquote(name, na.display);
	sip_unescape(number, na.uri.user);
	return number->n && !name->failed && !number->failed;
}

/* An account whose From is not believed is not believed here either. */
static ON_CTL bool is_believed(struct call *c)
{
	bool is_free = profile_conf_from_check(&c->p->conf) == FROM_FREE || !leg_var(c->leg, "sip_auth_username");
	return c->is_outbound || (c->is_believed && is_free);
}

static ON_CTL void update_event(struct call *c)
{
	struct event *e;
	if (!event_is_wanted(EVENT_CALL_UPDATE, NULL) || !(e = event_new(EVENT_CALL_UPDATE, NULL)))
		return;
	event_add(e, "Direction", "RECV");
	if (c->leg->peer)
		event_add(e, "Bridged-To", c->leg->peer->uuid);
	leg_event_headers(c->leg, e);
	event_fire(e);
}

void call_display_read(struct call *c, const struct sip_msg *m)
{
	struct buf name, number;
	if (!c->leg || !leg_is_up(c->leg) || leg_var_is_true(c->leg, "ignore_display_updates") || !is_believed(c))
		return;
	buf_init(&name), buf_init(&number);
	if (said_by(m, &name, &number)) {
		const char *who = name.n ? name.p : number.p;
		if (leg_own_id_set(c->leg, who, number.p)) {
			update_event(c);
			if (c->leg->peer)
				leg_display(c->leg->peer, who, number.p);
		}
	}
	buf_fini(&name), buf_fini(&number);
}

/* Who is called, by his 180, 183 or 200: of a gateway, or of whom apply-identity-acl believes. */
static ON_CTL bool is_callee_believed(const struct call *c)
{
	const struct addr *src = sip_call_remote_addr(c->sip);
	return c->gateway || !*c->p->conf.identity_acl ||
	       (src && addr_is_set(src) && acl_allows(sv_of(c->p->conf.identity_acl), src, NULL, NULL));
}

void call_display_learn(struct call *c, const struct sip_msg *resp)
{
	struct buf name, number;
	bool is_told = resp->code == 180 || resp->code == 183 || resp->code == 200;
	if (!is_told || !c->leg->profile || !c->p->conf.sends_display_updates || !is_callee_believed(c) ||
	    leg_var_is_true(c->leg, "ignore_display_updates") || leg_var_is_true(c->leg, "sip_ignore_remote_cid"))
		return;
	buf_init(&name), buf_init(&number);
	if (said_by(resp, &name, &number)) {
		const char *had = c->leg->profile->callee_id_name;
		leg_own_id_set(c->leg, name.n ? name.p : had && *had ? had : number.p, number.p);
	}
	buf_fini(&name), buf_fini(&number);
}
