/* The ping of a gateway: OPTIONS every so often. What is answered well adds to a count up to ping-max, anything else
 * takes from it; below ping-min the gateway is down for calls, from there on up. A registered one that goes down
 * registers anew. */
#include "base/clock.h"
#include "base/log.h"
#include "endpoint/sip/gateway/gateway_i.h"

static bool ping_is_good(int code)
{
	return code >= 200 && code != 408 && (code < 500 || code == 501);
}

static ON_CTL void ping_judge(struct gateway *g, int code)
{
	struct gateway_outcome o = {code, sv_of(sip_reason_phrase(code))};
	bool was_up = g->is_up;
	if (ping_is_good(code)) {
		if (g->ping_count < g->ping_max)
			g->ping_count++;
		if (g->state == GW_FAIL_WAIT && (g->failed_code == 408 || g->failed_code == 503))
			gateway_input(g, GW_IN_DUE, NULL); /* it is back: no need to wait for the retry */
		else if (g->ping_count >= g->ping_min)
			g->is_up = true;
	} else {
		if (g->ping_count)
			g->ping_count--;
		if (g->ping_count < g->ping_min)
			g->is_up = false;
		if (!g->is_up && g->state == GW_REGED) {
			gateway_input(g, GW_IN_REFUSED, &o);
			return;
		}
	}
	if (was_up != g->is_up) {
		log_warning("sofia: gateway %s: ping %d, count %u/%u/%u: %s", g->name, code, g->ping_min, g->ping_count,
		    g->ping_max, g->is_up ? "UP" : "DOWN");
		gateway_state_tell(g, &o);
	}
}

static void on_pong(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	struct gateway *g = arg;
	role_assert_ctl();
	if (code < 200)
		return;
	g->ping_ctx = NULL;
	if (resp)
		gateway_addr_learn(g, sip_ctx_remote_addr(ctx));
	g->ping_time_ms = (double)(loop_now_us() - g->ping_sent_us) / 1000;
	gateway_ping_start(g);
	if (str_is_true(g->conf.tells_pings)) {
		struct gateway_outcome o = {
		    code, resp && resp->reason.n ? resp->reason : sv_of(sip_reason_phrase(code))};
		gateway_state_tell(g, &o);
	}
	ping_judge(g, code);
}

static void on_ping_due(void *arg)
{
	struct gateway *g = arg;
	role_assert_ctl();
	struct sip_request_params rp = {.method = "OPTIONS",
	    .uri = g->register_url,
	    .from = g->ping_uri,
	    .to = g->ping_uri,
	    .contact = str_is_true(g->conf.has_contact_in_ping) ? g->contact : NULL,
	    .route = g->register_route,
	    .user_agent = *g->conf.ping_user_agent ? g->conf.ping_user_agent : NULL,
	    .dst = g->register_dst};
	if (g->ping_ctx)
		return;
	g->ping_sent_us = loop_now_us();
	if (sip_request_send(&g->ping_ctx, g->p->stack, &rp, on_pong, g) < 0) {
		gateway_ping_start(g);
		ping_judge(g, 503);
	}
}

void gateway_ping_start(struct gateway *g)
{
	g->ping_due_epoch_s = clock_wall_us() / 1000000 + g->ping_freq_s;
	loop_timer_set(&g->ping_timer, clock_us_of_s(g->ping_freq_s), "sofia.gateway.ping", on_ping_due, g);
}

void gateway_ping_stop(struct gateway *g)
{
	loop_timer_cancel(&g->ping_timer);
	if (g->ping_ctx)
		sip_request_cancel(g->ping_ctx);
	g->ping_ctx = NULL;
}
