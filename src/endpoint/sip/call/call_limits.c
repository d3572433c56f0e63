/* How much one may do: calls at a time and within a minute by address and by user (the profile's parameters, the user's
 * own before them), and the limits of expensive destinations for calls that go out. What counts is guard's. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/dir.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "endpoint/sip/call/call_i.h"

#include <stdio.h>

static ON_CTL unsigned user_number(const struct dir_user *u, const char *name, unsigned otherwise)
{
	uint32_t n;
	const char *text = u ? dir_user_param(u, name) : NULL;
	return text && sv_u32(sv_of(text), &n) == ST_OK ? n : otherwise;
}

static ON_CTL void tell(const struct profile *p, const char *what, struct sv who, const char *why)
{
	struct event *e;
	log_notice("sofia: %s: a call is refused: over the bound of %s %.*s, %s", p->conf.name, what, SVF(who), why);
	if (!event_is_wanted(EVENT_CUSTOM, "tandem::limit") || !(e = event_new(EVENT_CUSTOM, "tandem::limit")))
		return;
	event_add(e, "profile-name", p->conf.name);
	event_add(e, "What", what);
	event_addf(e, "Who", "%.*s", SVF(who));
	event_add(e, "Limit", why);
	event_fire(e);
}

static ON_CTL int take(
    const struct profile *p, struct guard_hold **out, const char *what, struct sv who, const struct guard_limit *l)
{
	const char *why = NULL;
	int st = guard_rate_take(out, what, who, l, &why);
	if (st == ST_LIMIT)
		tell(p, what, who, why);
	return st;
}

int call_limits_take(
    const struct profile *p, const struct addr *src, const struct auth *auth, bool is_gateway, struct call_holds *out)
{
	const struct profile_conf *c = &p->conf;
	const struct dir_user *u = auth->user;
	struct guard_limit address = {c->max_calls_per_address, c->max_call_rate_per_address},
	                   user = {user_number(u, "max-calls", c->max_calls_per_user),
	                       user_number(u, "max-call-rate", c->max_call_rate_per_user)};
	char text[GUARD_ADDRESS_MAX];
	struct buf name;
	int st = ST_OK;
	*out = (struct call_holds){0};
	if (!is_gateway) /* a carrier is many callers */
		st = take(p, &out->address, "calls of an address", sv_of(guard_address_text(src, text)), &address);
	if (!st && u) {
		buf_init(&name);
		buf_printf(&name, "%s@%s", dir_user_id(u), dir_user_domain(u));
		st = take(p, &out->user, "calls of a user", buf_sv(&name), &user);
		buf_fini(&name);
	}
	if (st)
		call_limits_give(out);
	return st;
}

void call_limits_give(struct call_holds *h)
{
	guard_rate_give(h->address);
	guard_rate_give(h->user);
	*h = (struct call_holds){0};
}

/* ---- expensive destinations ---- */

/* Who pays: the account that logged in, else the account code, else the trunk it came by. */
static ON_CTL void account_put(struct leg *a, struct buf *out)
{
	const char *user = a ? leg_var(a, "user_name") : NULL, *domain = a ? leg_var(a, "domain_name") : NULL;
	const char *code = a ? leg_var(a, "accountcode") : NULL, *trunk = a ? leg_var(a, "sip_gateway") : NULL;
	if (user && *user)
		buf_printf(out, "%s@%s", user, domain ? domain : "");
	else if (code && *code)
		buf_adds(out, code);
	else if (trunk && *trunk)
		buf_printf(out, "gateway %s", trunk);
}

static void on_cut(void *arg)
{
	struct call *c = arg;
	role_assert_ctl();
	if (c->leg)
		leg_hangup(c->leg, CAUSE_OUTGOING_CALL_BARRED);
}

int call_fraud_begin(struct call *c, struct leg *a, const char *escaped)
{
	struct buf account, number;
	buf_init(&account);
	buf_init(&number);
	account_put(a ? a : c->leg, &account);
	sip_unescape(&number, sv_of(escaped));
	int st = guard_fraud_begin(&c->fraud, buf_sv(&account), buf_sv(&number));
	guard_fraud_on_cut(c->fraud, on_cut, c);
	buf_fini(&account);
	buf_fini(&number);
	return st;
}
