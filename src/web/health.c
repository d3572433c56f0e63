/* Is it alive, does it take calls, and its numbers. Draining (paused, shutting down) is not ready, so that a balancer
 * sends new calls elsewhere while the running ones end. */
#include "core/conf/config.h"
#include "core/host/module.h"
#include "core/leg/leg.h"
#include "core/registry/limits.h"
#include "core/registry/metrics.h"
#include "core/registry/ready.h"
#include "web/web_i.h"

void web_healthz(struct web_call *c)
{
	/* That it answers is the answer: the loop turns. */
	http_exchange_reply(c->x, 200, "application/json", SV("{\"status\":\"ok\"}"));
}

/* Why not, in words; NULL when it drains not. */
static ON_CTL const char *draining_reason(void)
{
	const struct core_limits *l = core_limits();
	if (l->is_elegant && !l->is_shutting_down)
		return "stops when no call is left (fsctl shutdown asap)";
	if (l->is_elegant)
		return "shutting down when the last call ends (fsctl shutdown elegant)";
	if (l->is_shutting_down)
		return "shutting down";
	if (l->is_paused_inbound)
		return "no new calls come in (fsctl pause)";
	return NULL;
}

void web_readyz(struct web_call *c)
{
	const char *draining = draining_reason(), *module = NULL;
	struct json_writer w;
	struct buf b, why;
	buf_init(&b);
	buf_init(&why);
	if (!draining && !config_current())
		buf_adds(&why, "no configuration is loaded");
	else if (!draining && core_ready_held())
		buf_printf(&why, "the %s of the last run are not read back yet", core_ready_held());
	else if (!draining)
		module = module_unready(&why);
	bool is_ready = !draining && !why.n && !module;
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "status", draining ? "draining" : is_ready ? "ready" : "not ready");
	if (!is_ready)
		jw_kv_str(&w, "reason", draining ? draining : why.p ? why.p : module);
	if (module)
		jw_kv_str(&w, "module", module);
	jw_kv_int(&w, "calls_left", (int64_t)leg_count());
	jw_end_object(&w);
	buf_fini(&why);
	if (!is_ready)
		http_exchange_header(c->x, "Retry-After", "5");
	web_reply_json(c->x, is_ready ? 200 : 503, &b);
}

void web_metrics(struct web_call *c)
{
	struct buf b;
	buf_init(&b);
	metrics_render(&b);
	http_exchange_reply(c->x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_sv(&b));
	buf_fini(&b);
}

/* ---- metrics of the door itself ---- */
enum { D_CONNS, D_ACCEPTED, D_REFUSED, D_REQUESTS, D_ERRORS, D_TIMEOUTS, D_BYTES, D_RUNNING };

static void fill_door(struct metric_out *out, int which)
{
	struct http_server_counts n = {0};
	role_assert_ctl();
	if (web_server())
		http_server_counts(web_server(), &n);
	const double values[] = {(double)n.conns, (double)n.accepted, (double)n.refused, (double)n.requests,
	    (double)n.errors, (double)n.timeouts, (double)n.bytes_out, (double)web_running_count()};
	metric_put(out, values[which], NULL);
}

static void fill_refused(struct metric_out *out, int which)
{
	struct http_server_counts n = {0};
	struct login_delay_counts d = {0};
	role_assert_ctl();
	if (web_server())
		http_server_counts(web_server(), &n);
	if (web_login_delay)
		login_delay_counts(web_login_delay, &d);
	const struct {
		const char *why;
		uint64_t count;
	} rows[] = {{"no room", n.limit.refused}, {"made room", n.limit.made_room}, {"late", n.timeouts},
	    {"bytes", n.limit.starved}, {"share", n.limit.greedy}, {"access list", n.refused - n.limit.refused},
	    {"wrong password", d.failed}, {"login too soon", d.refused}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		metric_put(out, (double)rows[i].count, "door", "http", "why", rows[i].why, NULL);
}

enum { E_DELIVERED, E_DROPPED, E_WAITING };
struct reader_ask {
	struct metric_out *out;
	int which;
};

static void reader_put(const struct web_reader_info *r, void *arg)
{
	const struct reader_ask *q = arg;
	const double values[] = {(double)r->delivered, (double)r->dropped, (double)r->waiting_bytes};
	role_assert_ctl();
	metric_put(q->out, values[q->which], "door", "http", "client", r->name, NULL);
}

static void fill_readers(struct metric_out *out, int which)
{
	struct reader_ask q = {out, which};
	role_assert_ctl();
	web_readers_each(reader_put, &q);
}

static void fill_reader_count(struct metric_out *out, int which)
{
	role_assert_ctl();
	metric_put(out, (double)web_reader_count(), "door", "http", NULL);
}

static void fill_ring(struct metric_out *out, int which)
{
	role_assert_ctl();
	const double values[] = {(double)(web_ring_end() - web_ring_begin()), (double)web_conf.ring_max_count, 0};
	metric_put(out, values[which], "ring", "http events", NULL);
}

static void fill_ring_bytes(struct metric_out *out, int which)
{
	role_assert_ctl();
	metric_put(out, (double)web_ring_bytes(), NULL);
}

/* clang-format off */
#define C METRIC_COUNTER, 0
#define G METRIC_GAUGE, 0
const struct metric_desc web_metric_table[] = {
    {"tandem_http_connections", G, "Connections to the HTTP door.", fill_door, D_CONNS},
    {"tandem_http_accepted_total", C, "Connections accepted.", fill_door, D_ACCEPTED},
    {"tandem_http_refused_total", C, "Connections refused (access list, too many).", fill_door, D_REFUSED},
    {"tandem_http_requests_total", C, "Requests read.", fill_door, D_REQUESTS},
    {"tandem_http_unreadable_total", C, "Requests refused because they cannot be read.", fill_door, D_ERRORS},
    {"tandem_http_timeouts_total", C, "Connections ended because nothing came or went.", fill_door, D_TIMEOUTS},
    {"tandem_http_sent_bytes_total", C, "Bytes answered.", fill_door, D_BYTES},
    {"tandem_http_commands_running", G, "Commands and jobs that run.", fill_door, D_RUNNING},
    {"tandem_door_refused_total", C, "Connections and logins refused, by door and reason.", fill_refused, 0},
    {"tandem_http_ring_bytes", G, "Size of the events kept for replay.", fill_ring_bytes, 0},
    {"tandem_event_clients", G, "Clients that read events, by door.", fill_reader_count, 0},
    {"tandem_event_client_delivered_total", METRIC_COUNTER, METRIC_INSIDE, "Events sent.", fill_readers, E_DELIVERED},
    {"tandem_event_client_dropped_total", METRIC_COUNTER, METRIC_INSIDE, "Events missed.", fill_readers, E_DROPPED},
    {"tandem_event_client_waiting_bytes", METRIC_GAUGE, METRIC_INSIDE, "Waiting to be read.", fill_readers, E_WAITING},
    {"tandem_ring_fill", G, "Messages or jobs waiting.", fill_ring, 0},
    {"tandem_ring_slots", G, "Room for so many; 0: no bound.", fill_ring, 1},
    {"tandem_ring_refused_total", C, "Refused because it was full.", fill_ring, 2},
    {0},
};
/* clang-format on */
