/* OPTIONS to registered phones, which keep their translators open and tell who is still there: those behind NAT
 * (nat-options-ping), or all (all-reg-options-ping), each every ping-mean-interval seconds, give or take half of it, so
 * that they spread. A phone that fails to answer so often that its count falls under sip-user-ping-min is unreachable,
 * which is told (sofia::sip_user_state), and with unregister-on-options-fail ends its registration; answers count up to
 * sip-user-ping-max. One timer a profile, a bounded number of pings under way. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "core/event/event.h"
#include "endpoint/sip/reg/reg_i.h"
#include "endpoint/sip/uri/uri.h"

#include <string.h>
#include <strings.h>

enum { UNDER_WAY_MAX = 2000, PER_TICK_MAX = 500 };

struct ping { /* one that waits for its answer */
	struct lnode link;
	struct reg_pings *of;
	struct sip_ctx *ctx;
	char *user, *host, *contact;
	int64_t sent_us;
};
struct reg_pings {
	struct profile *p;
	struct ltimer timer;
	struct list under_way;
	size_t count, sent_now;
	int64_t now_us;
};
static const struct profile_slot slot = {"pings", sizeof(struct reg_pings)};

static ON_CTL void ping_free(struct ping *g)
{
	list_remove(&g->link);
	g->of->count--;
	mem_free(g->user), mem_free(g->host), mem_free(g->contact);
	mem_free(g);
}

static bool is_wanted(const struct profile *p, const struct reg *r)
{
	const char *nat = p->conf.nat_options_ping;
	if (p->conf.pings_all)
		return true;
	if (!strcasecmp(nat, "udp-only"))
		return r->is_nat && !strcmp(r->proto, "udp");
	return str_is_true(nat) && r->is_nat;
}

static int64_t next_us(const struct profile *p)
{
	unsigned s = p->conf.ping_interval_s < 1 ? 1 : p->conf.ping_interval_s > 86400 ? 86400 : p->conf.ping_interval_s;
	int64_t us = clock_us_of_s(s);
	return us / 2 + (int64_t)rand_below((uint32_t)(s * 1000)) * 1000;
}

/* ---- the answer ---- */

static ON_CTL void state_tell(const struct profile *p, const struct reg *r, int code, struct sv phrase)
{
	struct event *e;
	if (!event_is_wanted(EVENT_CUSTOM, "sofia::sip_user_state") ||
	    !(e = event_new(EVENT_CUSTOM, "sofia::sip_user_state")))
		return;
	event_add(e, "sip_contact", r->target);
	event_add(e, "profile-name", p->conf.name);
	event_add(e, "sip_user", r->user);
	event_add(e, "from-user", r->user);
	event_add(e, "from-host", r->host);
	event_add(e, "call-id", r->call_id);
	event_add(e, "Ping-Status", r->is_unreachable ? "Unreachable" : "Reachable");
	event_addf(e, "Status", "%d", code);
	event_addf(e, "Phrase", "%.*s", SVF(phrase));
	event_fire(e);
}

/* Whoever answers is there, whatever he says of OPTIONS; a proxy's word that he is not, is believed. */
static bool is_good(int code)
{
	return code >= 200 && code < 500 && code != 408 && code != 410 && code != 430 && code != 480;
}

static ON_CTL void judge(struct profile *p, struct reg *r, int code, struct sv phrase)
{
	const struct profile_conf *c = &p->conf;
	bool was = r->is_unreachable;
	if (is_good(code)) {
		r->ping_count += r->ping_count < c->user_ping_max;
		r->is_unreachable = r->ping_count < c->user_ping_min;
	} else {
		r->ping_count -= r->ping_count > 0;
		r->is_unreachable = r->ping_count < c->user_ping_min;
	}
	if (was != r->is_unreachable)
		state_tell(p, r, code, phrase);
	if (!r->is_unreachable || !c->unregs_on_options_fail)
		return;
	log_notice("sofia: %s: %s@%s does not answer OPTIONS (%d): its registration ends", c->name, r->user, r->host, code);
	reg_table_drop(reg_table_of(p), r, REG_EXPIRED);
}

static void on_pong(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	struct ping *g = arg;
	struct profile *p = g->of->p;
	role_assert_ctl();
	if (code < 200)
		return;
	struct reg *r = reg_table_get(reg_table_of(p), sv_of(g->user), sv_of(g->host), sv_of(g->contact));
	int64_t took_us = loop_now_us() - g->sent_us;
	ping_free(g);
	if (!r)
		return;
	r->is_pinged = false;
	r->ping_us = resp ? took_us : 0;
	r->ping_due_us = loop_now_us() + next_us(p);
	judge(p, r, code, resp ? resp->reason : sv_of(sip_reason_phrase(code)));
}

/* ---- the question ---- */

static ON_CTL int ping_send(struct profile *p, const struct reg *r, struct ping *g)
{
	struct sofia_target t;
	struct buf to;
	char *route = NULL;
	int st = sofia_target_parse(&t, sv_of(r->target));
	if (st)
		return st;
	buf_init(&to);
	buf_printf(&to, "<sip:%s@%s>", r->user, r->host);
	struct sip_request_params rp = {.method = "OPTIONS",
	    .uri = t.uri,
	    .from = p->url,
	    .to = to.p,
	    .contact = "",
	    .dst = {.transport = SIP_TRANSPORT_NONE}};
	sofia_target_route(&t, &route, &rp.dst);
	rp.route = route;
	st = sip_request_send(&g->ctx, p->stack, &rp, on_pong, g);
	mem_free(route);
	buf_fini(&to);
	sofia_target_fini(&t);
	return st;
}

static void ping_one(struct reg *r, void *arg)
{
	struct reg_pings *pings = arg;
	if (!is_wanted(pings->p, r) || r->is_pinged)
		return;
	if (!r->ping_due_us) { /* new here: believed to be there */
		r->ping_count = pings->p->conf.user_ping_max;
		r->ping_due_us = pings->now_us + next_us(pings->p);
	}
	if (r->ping_due_us > pings->now_us || pings->count >= UNDER_WAY_MAX || pings->sent_now >= PER_TICK_MAX)
		return;
	struct ping *g = mem_zalloc(sizeof(*g));
	if (!g)
		return;
	g->of = pings, g->sent_us = pings->now_us;
	g->user = mem_strdup(r->user), g->host = mem_strdup(r->host), g->contact = mem_strdup(r->contact_uri);
	list_push(&pings->under_way, &g->link);
	pings->count++, pings->sent_now++;
	if (!g->user || !g->host || !g->contact || ping_send(pings->p, r, g)) {
		ping_free(g);
		r->ping_due_us = pings->now_us + next_us(pings->p);
		return;
	}
	r->is_pinged = true;
}

static void on_tick(void *arg)
{
	struct reg_pings *pings = arg;
	const struct profile_conf *c = &pings->p->conf;
	unsigned every_s = c->ping_frequency_s < 1 ? 1 : c->ping_frequency_s;
	role_assert_ctl();
	pings->now_us = loop_now_us();
	pings->sent_now = 0;
	if (c->pings_all || str_is_true(c->nat_options_ping) || !strcasecmp(c->nat_options_ping, "udp-only"))
		reg_table_each_mut(reg_table_of(pings->p), ping_one, pings);
	loop_timer_set(&pings->timer, clock_us_of_s(every_s > 3600 ? 3600 : every_s), "reg.ping", on_tick, pings);
}

static int pings_open(struct profile *p, void *mine)
{
	struct reg_pings *pings = mine;
	role_assert_ctl();
	pings->p = p;
	list_init(&pings->under_way);
	return ST_OK;
}

static void pings_start(struct profile *p, void *mine)
{
	struct reg_pings *pings = mine;
	role_assert_ctl();
	loop_timer_set(&pings->timer, clock_us_of_s(1), "reg.ping", on_tick, pings);
}

static void pings_unmark(struct reg *r, void *arg)
{
	r->is_pinged = false;
}

static void pings_stop(struct profile *p, void *mine)
{
	struct reg_pings *pings = mine;
	struct lnode *n;
	role_assert_ctl();
	loop_timer_cancel(&pings->timer);
	while ((n = list_first(&pings->under_way))) {
		struct ping *g = list_entry(n, struct ping, link);
		sip_request_cancel(g->ctx);
		ping_free(g);
	}
	reg_table_each_mut(reg_table_of(p), pings_unmark, NULL);
}

const struct profile_part reg_ping_part = {
    .slot = &slot, .open = pings_open, .start = pings_start, .stop = pings_stop};
