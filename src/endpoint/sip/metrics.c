/* Metrics per profile and per gateway, and whether the endpoint is ready for calls: every profile that sofia.conf names
 * listens. */
#include "core/registry/metrics.h"
#include "base/check.h"
#include "base/clock.h"
#include "core/conf/config.h"
#include "endpoint/sip/module_i.h"
#include "net/tls_ctx.h"

enum { P_UP, P_CALLS, P_CALLS_IN, P_FAILED_IN, P_CALLS_OUT, P_FAILED_OUT, P_REGISTRATIONS };

static void fill_profiles(struct metric_out *out, int which)
{
	role_assert_ctl();
	for (const struct profile *p = profile_next(NULL); p; p = profile_next(p)) {
		const struct profile_calls *n = profile_calls_of(p);
		const double values[] = {1, (double)n->count, (double)n->in, (double)n->failed_in, (double)n->out,
		    (double)n->failed_out, (double)reg_table_count(reg_table_of(p))};
		metric_put(out, values[which], "profile", p->conf.name, NULL);
	}
}

enum { T_ENDED, T_NOW };

static void fill_tls(struct metric_out *out, int which)
{
	struct tls_counts n;
	role_assert_ctl();
	tls_counts(&n);
	const struct {
		const char *state;
		double count;
	} ended[] = {{"done", (double)n.handshakes}, {"resumed", (double)n.resumed}, {"failed", (double)n.failed},
	    {"late", (double)n.late}},
	  now[] = {{"under way", (double)n.under_way}, {"waiting", (double)n.waiting}};
	for (size_t i = 0; i < (which == T_ENDED ? ARRAY_COUNT(ended) : ARRAY_COUNT(now)); i++)
		metric_put(out, which == T_ENDED ? ended[i].count : now[i].count, "state",
		    which == T_ENDED ? ended[i].state : now[i].state, NULL);
}

static void fill_refused(struct metric_out *out, int which)
{
	role_assert_ctl();
	for (const struct profile *p = profile_next(NULL); p; p = profile_next(p)) {
		struct sip_stack_stats n;
		sip_stack_stats_get(p->stack, &n);
		const struct {
			const char *why;
			uint64_t count;
		} rows[] = {{"no room", n.conn_limit.refused}, {"made room", n.conn_limit.made_room},
		    {"late", n.conn_limit.late}, {"bytes", n.conn_limit.starved}, {"share", n.conn_limit.greedy},
		    {"transactions", n.shed - n.host_shed - n.overload_shed},
		    {"transactions of an address", n.host_shed}, {"overload", n.overload_shed},
		    {"overload, not read", n.dropped}, {"banned", n.barred}, {"rate", requests_refused(p)},
		    {"answer held back", n.held_back}};
		for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
			metric_put(out, (double)rows[i].count, "profile", p->conf.name, "why", rows[i].why, NULL);
	}
}

static void fill_wait(struct metric_out *out, int which)
{
	role_assert_ctl();
	metric_put(out, which ? sip_shed_is_on() : (double)sip_shed_waited_us() / 1e6, NULL);
}

enum { S_CONNS, S_SILENT, S_BYTES, S_TRANSACTIONS, S_SENDERS };
static void fill_strangers(struct metric_out *out, int which)
{
	role_assert_ctl();
	for (const struct profile *p = profile_next(NULL); p; p = profile_next(p)) {
		struct sip_stack_stats n;
		sip_stack_stats_get(p->stack, &n);
		const size_t values[] = {n.conn_limit.count, n.conn_limit.silent_count, n.conn_limit.bytes,
		    n.server_transactions, n.senders};
		metric_put(out, (double)values[which], "profile", p->conf.name, NULL);
	}
}

enum { W_WATCHERS, W_PUBLICATIONS, W_NOTIFIES, W_FAILED, W_MERGED };
static void fill_watchers(struct metric_out *out, int which)
{
	role_assert_ctl();
	for (const struct profile *p = profile_next(NULL); p; p = profile_next(p)) {
		struct watch_counts n;
		watch_counts_get(p, &n);
		const double values[] = {
		    (double)n.watchers, (double)n.publications, (double)n.notifies, (double)n.failed, (double)n.merged};
		metric_put(out, values[which], "profile", p->conf.name, NULL);
	}
}

enum { G_UP, G_STATE, G_PING, G_CALLS_IN, G_FAILED_IN, G_CALLS_OUT, G_FAILED_OUT };

static ON_CTL void gateway_put(struct metric_out *out, int which, const struct profile *p, const struct gateway *g)
{
	const double values[] = {
	    g->is_up, 0, g->ping_time_ms / 1000, g->calls_in, g->failed_in, g->calls_out, g->failed_out};
	for (int s = GW_NONE + 1; which == G_STATE && s < GW_STATE_COUNT; s++)
		metric_put(out, (int)g->state == s, "profile", p->conf.name, "gateway", g->name, "state",
		    gateway_state_name((enum gateway_state)s), NULL);
	if (which != G_STATE)
		metric_put(out, values[which], "profile", p->conf.name, "gateway", g->name, NULL);
}

static void fill_gateways(struct metric_out *out, int which)
{
	struct lnode *it, *tmp;
	role_assert_ctl();
	for (const struct profile *p = profile_next(NULL); p; p = profile_next(p)) {
		list_each (gateways_of(p), it, tmp)
			gateway_put(out, which, p, list_entry(it, struct gateway, link));
	}
}

/* clang-format off */
#define C METRIC_COUNTER, 0
#define G METRIC_GAUGE, 0
const struct metric_desc sofia_metrics[] = {
    {"tandem_sip_profile_up", G, "1 for each SIP profile that runs.", fill_profiles, P_UP},
    {"tandem_sip_profile_calls", G, "Calls (legs) of a profile now.", fill_profiles, P_CALLS},
    {"tandem_sip_profile_registrations", G, "Contacts registered at a profile.", fill_profiles, P_REGISTRATIONS},
    {"tandem_sip_profile_calls_in_total", C, "Calls that came in.", fill_profiles, P_CALLS_IN},
    {"tandem_sip_profile_calls_in_failed_total", C, "Of these unanswered.", fill_profiles, P_FAILED_IN},
    {"tandem_sip_profile_calls_out_total", C, "Calls made.", fill_profiles, P_CALLS_OUT},
    {"tandem_sip_profile_calls_out_failed_total", C, "Of these unanswered.", fill_profiles, P_FAILED_OUT},
    {"tandem_sip_refused_total", C, "Connections, requests and answers that bounds stopped, by reason.", fill_refused, 0},
    {"tandem_tls_handshakes_total", C, "TLS handshakes by their end; the resumed ones are among those done.", fill_tls, T_ENDED},
    {"tandem_tls_handshakes", G, "TLS handshakes under way, and waiting for their turn.", fill_tls, T_NOW},
    {"tandem_sip_tcp_connections", G, "Connections of a profile: TCP, TLS, WebSocket.", fill_strangers, S_CONNS},
    {"tandem_sip_wait_seconds", G, "How long the message read last had waited.", fill_wait, 0},
    {"tandem_sip_overload", G, "1 while new calls are refused because messages wait too long.", fill_wait, 1},
    {"tandem_sip_tcp_silent_connections", G, "Of these without a whole message yet.", fill_strangers, S_SILENT},
    {"tandem_sip_tcp_buffered_bytes", G, "Bytes buffered for them.", fill_strangers, S_BYTES},
    {"tandem_sip_server_transactions", G, "Server transactions kept.", fill_strangers, S_TRANSACTIONS},
    {"tandem_sip_senders", G, "Addresses whose requests are counted.", fill_strangers, S_SENDERS},
    {"tandem_sip_subscriptions", G, "Subscriptions of phones.", fill_watchers, W_WATCHERS},
    {"tandem_sip_publications", G, "States that phones have published.", fill_watchers, W_PUBLICATIONS},
    {"tandem_sip_notifies_total", C, "NOTIFYs sent to them.", fill_watchers, W_NOTIFIES},
    {"tandem_sip_notifies_failed_total", C, "Subscriptions that ended with a NOTIFY that failed.", fill_watchers, W_FAILED},
    {"tandem_sip_notifies_merged_total", C, "Changes that were told with a later one.", fill_watchers, W_MERGED},
    {"tandem_sip_gateway_up", G, "1 while a gateway answers pings, or is not pinged.", fill_gateways, G_UP},
    {"tandem_sip_gateway_state", G, "1 for the state the gateway's registration is in.", fill_gateways, G_STATE},
    {"tandem_sip_gateway_ping_seconds", G, "Round trip of its last OPTIONS ping.", fill_gateways, G_PING},
    {"tandem_sip_gateway_calls_in_total", C, "Calls that came by a gateway.", fill_gateways, G_CALLS_IN},
    {"tandem_sip_gateway_calls_in_failed_total", C, "Of these unanswered.", fill_gateways, G_FAILED_IN},
    {"tandem_sip_gateway_calls_out_total", C, "Calls made by it.", fill_gateways, G_CALLS_OUT},
    {"tandem_sip_gateway_calls_out_failed_total", C, "Of these unanswered.", fill_gateways, G_FAILED_OUT},
    {0},
};
/* clang-format on */

bool sofia_is_ready(struct buf *why)
{
	const struct xml_node *profiles = xml_child(config_conf("sofia.conf"), "profiles");
	role_assert_ctl();
	xml_each(profiles, "profile", node)
	{
		const char *name = xml_attr(node, "name");
		if (!name || profile_find_exact(sv_of(name)))
			continue;
		buf_printf(why, "SIP profile %s does not run", name);
		return false;
	}
	return true;
}
