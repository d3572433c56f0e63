/* The way to a capture server. By UDP a packet is sent or lost; by TCP it is queued up to a bound, and while nobody is
 * there it is dropped and counted: a dead collector costs a counter. A connection is tried again after 1 s, then twice
 * as long each time, up to a minute. A name is looked up without anybody waiting for it. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "net/dns.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "trace/trace_i.h"

#include <stdlib.h>
#include <string.h>

enum { QUEUE_MAX_BYTES = 4 << 20, TRY_FIRST_S = 1, TRY_MAX_S = 60, CONNECT_MS = 5000, LOOKUP_MS = 10000 };
static struct {
	bool is_set, is_tcp, is_up;
	char *host, *password, *node;
	uint16_t port;
	uint32_t capture_id;
	struct addr addr; /* unset until it is known */
	struct dns_ask *ask;
	struct udp *udp;
	struct tcp_conn *tcp;
	struct ltimer timer;
	unsigned try_s;
	struct buf out;
	uint64_t sent, dropped;
} collector;

static void (*on_collector)(bool is_set);

void trace_on_collector(void (*fn)(bool is_set))
{
	on_collector = fn;
	if (fn)
		fn(collector.is_set);
}

static ON_CTL void reach(void);

static void on_retry(void *arg)
{
	role_assert_ctl();
	reach();
}

static ON_CTL void retry(const char *why)
{
	collector.is_up = false;
	collector.tcp = mem_unref(collector.tcp);
	if (!collector.try_s) {
		log_warning("trace: the capture server %s:%u: %s", collector.host, collector.port, why);
		collector.try_s = TRY_FIRST_S;
	} else if ((collector.try_s *= 2) > TRY_MAX_S) {
		collector.try_s = TRY_MAX_S;
	}
	loop_timer_set(&collector.timer, clock_us_of_s(collector.try_s), "capture server", on_retry, NULL);
}

static void on_data(struct tcp_conn *c, const char *data, size_t n, void *arg) {}

static void on_connect(struct tcp_conn *c, int status, void *arg)
{
	role_assert_ctl();
	if (status) {
		retry(status_text(status));
		return;
	}
	collector.is_up = true;
	collector.try_s = 0;
}

static void on_close(struct tcp_conn *c, int status, void *arg)
{
	role_assert_ctl();
	retry(status_text(status));
}

static const struct tcp_handlers handlers = {.on_data = on_data, .on_connect = on_connect, .on_close = on_close};

static void on_recv(const char *data, size_t n, const struct addr *src, void *arg) {}

static ON_CTL void open_now(void)
{
	struct addr any;
	int st;
	if (collector.is_tcp) {
		st = tcp_connect(&collector.tcp, &collector.addr, clock_us_of_ms(CONNECT_MS), &handlers, NULL);
		if (!st)
			tcp_conn_set_limits(collector.tcp, QUEUE_MAX_BYTES, 0);
	} else {
		addr_parse(&any, collector.addr.sa.sa_family == AF_INET6 ? SV("::") : SV("0.0.0.0"), 0);
		st = udp_open(&collector.udp, &any, 65536, on_recv, NULL);
		collector.is_up = !st;
	}
	if (st)
		retry(status_text(st));
}

static ON_CTL void found(const struct dns_answer *a)
{
	if (a->status || !a->count) {
		retry("no such host");
		return;
	}
	collector.addr = a->records[0].addr;
	addr_set_port(&collector.addr, collector.port);
	open_now();
}

static void on_name(const struct dns_answer *a, void *arg)
{
	role_assert_ctl();
	collector.ask = NULL;
	found(a);
}

static ON_CTL void reach(void)
{
	struct dns_answer a = {0};
	int st = dns_ask(
	    &collector.ask, DNS_ADDRESS, sv_of(collector.host), NULL, clock_us_of_ms(LOOKUP_MS), &a, on_name, NULL);
	if (st != ST_AGAIN) {
		a.status = st;
		found(&a);
	}
}

/* ---- settings ---- */

static ON_CTL void collector_clear(void)
{
	loop_timer_cancel(&collector.timer);
	dns_cancel(collector.ask);
	udp_close(collector.udp);
	if (collector.tcp)
		tcp_conn_close(collector.tcp);
	mem_unref(collector.tcp);
	mem_free(collector.host), mem_free(collector.password), mem_free(collector.node);
	buf_fini(&collector.out);
	memset(&collector, 0, sizeof(collector));
}

static const char *param_set(struct sv name, struct sv value)
{
	uint32_t n;
	if (sv_isi(name, "hep"))
		return sv_is(value, "3") ? NULL : "only hep=3 is spoken";
	if (sv_isi(name, "capture_id")) {
		if (sv_u32(value, &n))
			return "capture_id is no number";
		collector.capture_id = n;
	} else if (sv_isi(name, "capture_password") || sv_isi(name, "password")) {
		mem_free(collector.password);
		collector.password = sv_dup(value);
	} else if (sv_isi(name, "node")) {
		mem_free(collector.node);
		collector.node = sv_dup(value);
	} else {
		return "it has an unknown parameter";
	}
	return NULL;
}

/* "HOST:PORT", IPv6 in brackets. */
static const char *place_set(struct sv text)
{
	size_t colon = text.n;
	uint32_t port = 0;
	while (colon && text.p[colon - 1] != ':')
		colon--;
	if (!colon || sv_u32(sv_sub(text, colon, SIZE_MAX), &port) || !port || port > 65535)
		return "it has no port";
	struct sv host = sv_sub(text, 0, colon - 1);
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = sv_sub(host, 1, host.n - 2);
	if (!host.n)
		return "it has no host";
	collector.host = sv_dup(host);
	collector.port = (uint16_t)port;
	return NULL;
}

int trace_collector_set(const char *text, const char *node, const char **why)
{
	struct sv rest = sv_of(text), place, one, name, value;
	collector_clear();
	if (on_collector)
		on_collector(false);
	if (!rest.n)
		return ST_OK;
	collector.node = node ? mem_strdup(node) : NULL;
	buf_init(&collector.out);
	sv_split(rest, ';', &place, &rest);
	collector.is_tcp = sv_startsi(place, SV("tcp:"));
	*why = !collector.is_tcp && !sv_startsi(place, SV("udp:")) ? "it begins with neither udp: nor tcp:"
	                                                           : place_set(sv_sub(place, 4, SIZE_MAX));
	while (!*why && rest.n) {
		sv_split(rest, ';', &one, &rest);
		sv_split(one, '=', &name, &value);
		*why = sv_trim(one).n ? param_set(sv_trim(name), sv_trim(value)) : NULL;
	}
	if (*why) {
		collector_clear();
		return ST_PARSE;
	}
	collector.is_set = true;
	if (on_collector)
		on_collector(true);
	reach();
	return ST_OK;
}

bool trace_collector_is_set(void)
{
	return collector.is_set;
}

/* ---- packets ---- */

static ON_CTL void packet_send(struct hep_packet *p)
{
	p->capture_id = collector.capture_id;
	p->password = sv_of(collector.password);
	p->node = sv_of(collector.node);
	buf_clear(&collector.out);
	int st = collector.is_up ? hep_put(&collector.out, p) : ST_CLOSED;
	if (!st)
		st = collector.is_tcp ? tcp_conn_send(collector.tcp, collector.out.p, collector.out.n)
		                      : udp_send(collector.udp, &collector.addr, collector.out.p, collector.out.n);
	*(st ? &collector.dropped : &collector.sent) += 1;
}

void collector_message(const struct trace_msg *m)
{
	if (!collector.is_set)
		return;
	struct hep_packet p = {.src = m->is_outgoing ? m->local : m->remote,
	    .dst = m->is_outgoing ? m->remote : m->local,
	    .is_tcp = sip_transport_is_reliable(m->transport),
	    .wall_us = m->wall_us,
	    .type = HEP_SIP,
	    .payload = m->data};
	packet_send(&p);
}

void trace_rtcp_send(const struct trace_rtcp *r)
{
	struct buf json;
	if (!collector.is_set)
		return;
	buf_init(&json);
	hep_rtcp_json(&json, r);
	struct hep_packet p = {.src = r->is_outgoing ? r->local : r->remote,
	    .dst = r->is_outgoing ? r->remote : r->local,
	    .wall_us = clock_wall_us(),
	    .type = HEP_RTCP_JSON,
	    .correlation = r->call_id,
	    .payload = buf_sv(&json)};
	packet_send(&p);
	buf_fini(&json);
}

void collector_counts(struct trace_counts *out)
{
	out->hep_sent = collector.sent;
	out->hep_dropped = collector.dropped;
}
