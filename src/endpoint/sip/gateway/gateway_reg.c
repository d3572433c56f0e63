/* A gateway's registration: one table of states and what happens in them, one timer, one request at a time. FreeSWITCH
 * looks once a second and shows UNREGED, REGISTER and FAILED for that second; here they pass at once, with the same
 * events. The ping (gateway_ping.c) takes it down and up between. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "endpoint/sip/gateway/gateway_i.h"

#include <stdio.h>
#include <string.h>

static const char *const state_names[GW_STATE_COUNT] = {
    "", "UNREGED", "TRYING", "REGISTER", "REGED", "UNREGISTER", "FAILED", "FAIL_WAIT", "NOREG", "DOWN", "TIMEOUT"};

const char *gateway_state_name(enum gateway_state s)
{
	return s > GW_NONE && s < GW_STATE_COUNT ? state_names[s] : "";
}

/* Where an input leads; GW_NONE: it changes nothing. UNREGED, REGISTER, UNREGISTER, TIMEOUT and FAILED do their work
 * when entered and go on by themselves. */
static const enum gateway_state next_state[GW_STATE_COUNT][GW_IN_COUNT] = {
    [GW_UNREGED] = {[GW_IN_DUE] = GW_UNREGED, [GW_IN_REGISTER] = GW_UNREGED, [GW_IN_UNREGISTER] = GW_UNREGISTER},
    [GW_TRYING] = {[GW_IN_DUE] = GW_TIMEOUT,
        [GW_IN_OK] = GW_REGISTER,
        [GW_IN_REFUSED] = GW_FAILED,
        [GW_IN_REGISTER] = GW_UNREGED,
        [GW_IN_UNREGISTER] = GW_UNREGISTER},
    [GW_REGED] = {[GW_IN_DUE] = GW_UNREGED,
        [GW_IN_REFUSED] = GW_FAILED,
        [GW_IN_REGISTER] = GW_UNREGED,
        [GW_IN_UNREGISTER] = GW_UNREGISTER},
    [GW_FAIL_WAIT] = {[GW_IN_DUE] = GW_UNREGED, [GW_IN_REGISTER] = GW_UNREGED, [GW_IN_UNREGISTER] = GW_UNREGISTER},
    [GW_NOREG] = {[GW_IN_REGISTER] = GW_UNREGED},
    [GW_DOWN] = {[GW_IN_REGISTER] = GW_UNREGED},
};

void gateway_state_tell(struct gateway *g, const struct gateway_outcome *o)
{
	struct event *e;
	char host[ADDR_TEXT_MAX];
	if (!event_is_wanted(EVENT_CUSTOM, "sofia::gateway_state") ||
	    !(e = event_new(EVENT_CUSTOM, "sofia::gateway_state")))
		return;
	event_add(e, "Gateway", g->name);
	event_add(e, "State", gateway_state_name(g->state));
	event_add(e, "Ping-Status", g->is_up ? "UP" : "DOWN");
	if (addr_is_set(&g->network)) {
		event_add(e, "Register-Network-IP", addr_host(&g->network, host));
		event_addf(e, "Register-Network-Port", "%u", addr_port(&g->network));
	}
	if (o && o->phrase.n)
		event_addf(e, "Phrase", "%.*s", SVF(o->phrase));
	if (o && o->code)
		event_addf(e, "Status", "%d", o->code);
	event_fire(e);
}

static void on_due(void *arg)
{
	role_assert_ctl();
	gateway_input(arg, GW_IN_DUE, NULL);
}

static ON_CTL void due_in(struct gateway *g, unsigned seconds)
{
	g->due_us = loop_now_us() + clock_us_of_s(seconds);
	loop_timer_set(&g->timer, clock_us_of_s(seconds), "sofia.gateway", on_due, g);
}

/* ---- digest: for the realm that was configured, or for whom the configuration names as its proxy ---- */

static bool realm_is_own(const struct gateway *g, struct sv realm)
{
	struct sip_uri u;
	if (g->has_realm)
		return sv_is(realm, g->conf.realm);
	return sv_is(realm, g->conf.realm) || sv_is(realm, g->name) ||
	       (g->learned_realm && sv_is(realm, g->learned_realm)) ||
	       (sip_uri_parse(&u, sv_of(g->proxy_uri)) == ST_OK && sv_eqi(realm, u.host));
}

bool gateway_credentials(struct gateway *g, const struct sip_challenge *ch, struct sip_credentials *out)
{
	struct event *e;
	char where[ADDR_TEXT_MAX];
	bool is_own = realm_is_own(g, ch->realm);
	if (is_own || gateway_has_addr(g, ch->from)) {
		*out = (struct sip_credentials){
		    .user = sv_of(g->conf.auth_username), .password = sv_of(g->conf.password), .is_for_host = !is_own};
		return true;
	}
	log_warning(
	    "sofia: gateway %s: a challenge for realm \"%.*s\" from %s is not answered; its own realm is \"%s\"",
	    g->name, SVF(ch->realm), addr_text(ch->from, where), g->conf.realm);
	if (event_is_wanted(EVENT_CUSTOM, "sofia::gateway_invalid_digest_req") &&
	    (e = event_new(EVENT_CUSTOM, "sofia::gateway_invalid_digest_req"))) {
		event_add(e, "Gateway", g->name);
		event_add(e, "profile-name", g->p ? g->p->conf.name : "");
		event_addf(e, "realm", "%.*s", SVF(ch->realm));
		event_fire(e);
	}
	return false;
}

/* A REGISTER goes to the gateway's own proxy or registrar: what answers from there is the gateway's, whatever realm it
 * names. Where the configuration names none, the registrar does for the calls as well. */
static bool on_register_challenge(const struct sip_challenge *ch, struct sip_credentials *out, void *arg)
{
	struct gateway *g = arg;
	role_assert_ctl();
	if (addr_eq(ch->from, ch->sent_to))
		gateway_addr_learn(g, ch->from);
	if (!g->has_realm && !realm_is_own(g, ch->realm) && gateway_has_addr(g, ch->from)) {
		mem_free(g->learned_realm);
		g->learned_realm = sv_dup(ch->realm);
	}
	return gateway_credentials(g, ch, out);
}

/* ---- REGISTER ---- */

static int64_t granted_s(const struct gateway *g, const struct sip_msg *resp)
{
	struct sip_list_it it;
	struct sip_nameaddr na;
	struct sv name;
	int64_t n = resp->expires_s;
	sip_list_start(&it, resp, SIP_HDR_CONTACT);
	while (sip_list_next(&it))
		if (sip_nameaddr_parse(&na, it.item) == ST_OK && !na.is_star && sip_uri_param(&na.uri, "gw", &name) &&
		    sv_isi(name, g->name) && sip_nameaddr_expires_s(&na) >= 0)
			n = sip_nameaddr_expires_s(&na);
	return n >= 0 ? n : g->expire_s;
}

static ON_CTL int register_send(struct gateway *g, unsigned expires_s);

static void on_unregistered(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	struct gateway *g = arg;
	role_assert_ctl();
	if (code < 200)
		return;
	g->cseq = sip_ctx_cseq(ctx);
	g->ctx = NULL;
	if (g->is_leaving)
		gateway_left(g);
}

static void on_registered(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	struct gateway *g = arg;
	uint32_t least;
	role_assert_ctl();
	if (code < 200)
		return;
	struct gateway_outcome o = {code, resp && resp->reason.n ? resp->reason : sv_of(sip_reason_phrase(code))};
	if (resp) {
		g->network = *sip_ctx_remote_addr(ctx);
		gateway_addr_learn(g, &g->network);
	}
	g->cseq = sip_ctx_cseq(ctx);
	g->ctx = NULL;
	if (code < 300) {
		int64_t n = resp ? granted_s(g, resp) : g->expire_s;
		if (resp)
			gateway_service_route_take(g, resp);
		g->granted_s = n > 0 && n <= 7 * 86400 ? (unsigned)n : g->expire_s;
		gateway_input(g, GW_IN_OK, &o);
	} else if (code == 423 && resp && sv_u32(sip_msg_value(resp, SIP_HDR_MIN_EXPIRES), &least) == ST_OK &&
	           least > g->expire_s && least <= 86400) {
		g->expire_s = least; /* RFC 3261 10.2.8: asked again at once */
		if (register_send(g, least) < 0)
			gateway_input(g, GW_IN_REFUSED, &o);
	} else {
		gateway_input(g, GW_IN_REFUSED, &o);
	}
}

static ON_CTL int register_send(struct gateway *g, unsigned expires_s)
{
	char headers[64];
	snprintf(headers, sizeof(headers), "Expires: %u\r\n%s", expires_s,
	    str_is_true(g->conf.has_flows) ? "Supported: outbound\r\n" : "");
	struct sip_request_params rp = {.method = "REGISTER",
	    .uri = g->register_url,
	    .from = g->from,
	    .to = str_is_true(g->conf.has_distinct_to) ? g->to : g->from,
	    .call_id = g->call_id,
	    .cseq = ++g->cseq,
	    .contact = g->register_contact,
	    .route = g->register_route,
	    .headers = headers,
	    .dst = g->register_dst,
	    .credentials = on_register_challenge,
	    .credentials_arg = g};
	return sip_request_send(&g->ctx, g->p->stack, &rp, expires_s ? on_registered : on_unregistered, g);
}

static ON_CTL void request_drop(struct gateway *g)
{
	if (g->ctx)
		sip_request_cancel(g->ctx);
	g->ctx = NULL;
}

/* ---- what is done on entering a state; the next state when it goes on at once ---- */

static ON_CTL enum gateway_state enter_unreged(struct gateway *g)
{
	request_drop(g);
	g->tried_us = loop_now_us();
	return register_send(g, g->expire_s) < 0 ? GW_FAILED : GW_TRYING;
}

static ON_CTL enum gateway_state enter_register(struct gateway *g)
{
	g->failures = 0;
	return GW_REGED;
}

static ON_CTL enum gateway_state enter_failed(struct gateway *g, const struct gateway_outcome *o)
{
	int code = o ? o->code : 0;
	unsigned times = code == 503 || g->failures < 1 ? 1 : g->failures, wait_s;
	request_drop(g);
	g->is_up = false;
	g->failures++;
	g->failed_code = code ? code : 408;
	if (times > 100)
		times = 100;
	wait_s = g->retry_s * times;
	due_in(g, wait_s);
	log_warning("sofia: gateway %s failed to register [%d]; tried again in %u seconds", g->name, code, wait_s);
	return GW_FAIL_WAIT;
}

static ON_CTL enum gateway_state enter(struct gateway *g, const struct gateway_outcome *o)
{
	switch (g->state) {
	case GW_UNREGED:
		return enter_unreged(g);
	case GW_TRYING:
		due_in(g, g->timeout_s);
		return GW_NONE;
	case GW_REGISTER:
		return enter_register(g);
	case GW_REGED:
		g->is_up = true;
		gateway_subs_start(g);
		due_in(g, g->granted_s > 60 ? g->granted_s - 15 : g->granted_s > 4 ? g->granted_s - 2 : g->granted_s);
		return GW_NONE;
	case GW_UNREGISTER:
		request_drop(g);
		loop_timer_cancel(&g->timer);
		register_send(g, 0);
		g->is_up = false;
		return GW_DOWN;
	case GW_TIMEOUT:
		return GW_FAILED;
	case GW_FAILED:
		return enter_failed(g, o);
	default:
		return GW_NONE;
	}
}

/* FreeSWITCH tells UNREGED where the time brought it there; and DOWN, not how it came to be so. */
static bool is_told(enum gateway_state s)
{
	return s != GW_UNREGED && s != GW_UNREGISTER && s != GW_TIMEOUT;
}

static ON_CTL void go(struct gateway *g, enum gateway_state to, bool is_by_time, const struct gateway_outcome *o)
{
	while (to) {
		bool is_last_word = to == GW_REGISTER || to == GW_FAILED;
		g->state = to;
		if (to == GW_UNREGED && is_by_time)
			gateway_state_tell(g, NULL);
		to = enter(g, o);
		if (is_told(g->state))
			gateway_state_tell(g, is_last_word ? o : NULL);
	}
}

void gateway_input(struct gateway *g, enum gateway_in in, const struct gateway_outcome *o)
{
	enum gateway_state to = next_state[g->state][in];
	if (to && g->p)
		go(g, to, in == GW_IN_DUE, o);
}

void gateway_register(struct gateway *g)
{
	g->failures = 0;
	gateway_input(g, GW_IN_REGISTER, NULL);
}

void gateway_unregister(struct gateway *g)
{
	gateway_input(g, GW_IN_UNREGISTER, NULL);
}

/* ---- life ---- */

void gateway_start(struct gateway *g)
{
	if (g->ping_freq_s)
		gateway_ping_start(g);
	if (g->state == GW_UNREGED)
		go(g, GW_UNREGED, false, NULL);
	else
		gateway_subs_start(g);
}

void gateway_stop(struct gateway *g, bool is_stack_closing)
{
	bool was_registered = g->state == GW_REGED && !g->is_leaving;
	loop_timer_cancel(&g->timer);
	gateway_ping_stop(g);
	gateway_subs_stop(g, is_stack_closing);
	request_drop(g);
	g->is_up = false;
	if (g->state != GW_NOREG && g->state != GW_DOWN && !g->is_leaving) {
		g->state = GW_DOWN;
		gateway_state_tell(g, NULL);
	}
	g->is_leaving = was_registered && register_send(g, 0) == ST_OK && !is_stack_closing;
	if (is_stack_closing)
		request_drop(g);
}
