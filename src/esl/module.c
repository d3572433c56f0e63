/* mod_event_socket: reads event_socket.conf, opens the listeners, lets connections through the access lists to
 * client.c. A default password is accepted, but then only loopback is listened on, unless allow-default-password says
 * otherwise; the log and `status` say so. The outbound side (the `socket` application) is outbound.c. */
#include "core/registry/module.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/conf/acl.h"
#include "core/conf/config.h"
#include "core/registry/metrics.h"
#include "esl/cmd/cmd.h"
#include "esl/outbound/outbound.h"
#include "guard/guard.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ACL_MAX_COUNT = 100, LISTENER_MAX_COUNT = 2, LISTEN_AGAIN_US = 1000000 };
#define DEFAULT_PASSWORD "ClueCon"
#define NOTICE_NAME "tandem_notice_event_socket"

static char *acls[ACL_MAX_COUNT];
static size_t acl_count;
static struct listener {
	struct addr bind;
	struct tcp_listener *tcp; /* NULL: waits */
	struct ltimer again;
	bool is_told;
} listeners[LISTENER_MAX_COUNT];
static size_t listener_count;
static uint64_t acl_refused;

static void on_accept(struct tcp_conn *conn, void *arg)
{
	role_assert_ctl();
	if (guard_is_barred(tcp_conn_peer(conn)))
		return;
	bool is_allowed = acl_count == 0 && acl_allows(SV("loopback.auto"), tcp_conn_peer(conn), NULL, NULL);
	for (size_t i = 0; i < acl_count && !is_allowed; i++)
		is_allowed = acl_allows(sv_of(acls[i]), tcp_conn_peer(conn), NULL, NULL);
	if (is_allowed) {
		esl_client_accept(conn);
		return;
	}
	char text[ADDR_TEXT_MAX];
	acl_refused++;
	if (conn_limit_may_tell(esl_limit, tcp_conn_peer(conn)))
		log_warning("Event socket: %s refused by the access list", addr_text(tcp_conn_peer(conn), text));
	esl_client_reject(conn);
}

/* One address; while somebody else holds it, again every second, as FreeSWITCH does. */
static void listen_again(void *arg);

static ON_CTL int listen_at(struct listener *l)
{
	char text[ADDR_TEXT_MAX];
	int st = tcp_listen(&l->tcp, &l->bind, on_accept, NULL);

	if (st == ST_EXISTS) {
		if (!l->is_told)
			log_error(
			    "Event socket: %s is in use; it is tried again every second", addr_text(&l->bind, text));
		l->is_told = true;
		loop_timer_set(&l->again, LISTEN_AGAIN_US, "event socket", listen_again, l);
		return ST_OK;
	}
	if (st)
		log_error("Event socket: cannot listen on %s: %s", addr_text(&l->bind, text), status_text(st));
	else
		log_notice("Event socket listening on %s", addr_text(&l->bind, text));
	return st;
}

static void listen_again(void *arg)
{
	role_assert_ctl();
	listen_at(arg);
}

static ON_CTL int listen_on(const char *host, uint16_t port)
{
	struct listener *l = &listeners[listener_count];
	int st;

	*l = (struct listener){0};
	st = addr_parse(&l->bind, sv_of(host), port);
	if (st) {
		log_error("event_socket.conf: listen-ip %s is no address", host);
		return st;
	}
	st = listen_at(l);
	if (!st)
		listener_count++;
	return st;
}

static ON_CTL int open_listeners(const struct xml_node *settings)
{
	const char *host = config_param(settings, "listen-ip", "127.0.0.1");
	uint16_t port = (uint16_t)atoi(config_param(settings, "listen-port", "8021"));
	bool is_default = !strcmp(esl_conf.password, DEFAULT_PASSWORD);
	bool is_allowed = str_is_true(config_param(settings, "allow-default-password", "false"));
	struct addr bind;
	globals_set(NOTICE_NAME, NULL);
	if (!is_default)
		return listen_on(host, port);
	bool is_loopback = !addr_parse(&bind, sv_of(host), port) && addr_is_loopback(&bind);
	log_warning("event_socket.conf still has the default password%s",
	    is_loopback  ? ""
	    : is_allowed ? " and is open to others: anyone who knows FreeSWITCH has full control"
	                 : ": listening on loopback only (allow-default-password overrides)");
	if (is_loopback || is_allowed) {
		globals_set(NOTICE_NAME,
		    is_loopback ? NULL : "The event socket has the default password and is open to others");
		return listen_on(host, port);
	}
	globals_set(NOTICE_NAME, "The event socket has the default password: listening on loopback only");
	int st = listen_on("127.0.0.1", port);
	if (!st && strchr(host, ':'))
		listen_on("::1", port);
	return st;
}

static void read_settings(const struct xml_node *settings)
{
	esl_conf = (struct esl_conf){
	    .max_queue_bytes = (size_t)strtoull(config_param(settings, "max-queue-bytes", "16777216"), NULL, 10),
	    .max_clients = (unsigned)atoi(config_param(settings, "max-clients", "1000")),
	    .max_clients_per_host = (unsigned)atoi(config_param(settings, "max-clients-per-address", "500")),
	    .login_timeout_us = clock_us_of_s(atoi(config_param(settings, "login-timeout", "60"))),
	    .first_us = clock_us_of_s(atoi(config_param(settings, "first-command-timeout", "10"))),
	};
	strncat(esl_conf.password, config_param(settings, "password", DEFAULT_PASSWORD), sizeof(esl_conf.password) - 1);
	if (esl_conf.max_queue_bytes < 64 << 10)
		esl_conf.max_queue_bytes = 64 << 10;
	if (esl_conf.login_timeout_us <= 0)
		esl_conf.login_timeout_us = clock_us_of_s(60);
	if (esl_conf.first_us <= 0)
		esl_conf.first_us = clock_us_of_s(10);
	xml_each(settings, "param", p)
	{
		const char *value = xml_attr(p, "value");
		if (!strcasecmp(xml_attr_or(p, "name", ""), "apply-inbound-acl") && value && *value &&
		    acl_count < ACL_MAX_COUNT)
			acls[acl_count++] = mem_strdup(value);
	}
}

static const struct esl_client_ops client_ops = {.on_request = esl_cmd_run,
    .on_gone = esl_outbound_release,
    .on_log_level = esl_logs_update,
    .may_hear = esl_may_hear};

static int load(void)
{
	role_assert_ctl();
	esl_clients_init(&client_ops);
	const struct xml_node *settings = xml_child(config_conf("event_socket.conf"), "settings");
	read_settings(settings);
	int st = esl_limits_open();
	if (!st)
		st = esl_logs_start();
	if (!st)
		st = esl_outbound_start();
	return st ? st : open_listeners(settings);
}

static int unload(void)
{
	role_assert_ctl();
	while (listener_count) {
		struct listener *l = &listeners[--listener_count];
		loop_timer_cancel(&l->again);
		if (l->tcp)
			tcp_listener_close(l->tcp);
	}
	esl_client_end_all();
	esl_outbound_stop();
	esl_logs_stop();
	esl_limits_close();
	while (acl_count)
		mem_free(acls[--acl_count]);
	return ST_OK;
}

/* ---- what `event stats clients` and the metrics tell ---- */
enum { CLIENT_SENT, CLIENT_DROPPED, CLIENT_WAITING };
struct client_metric {
	struct metric_out *out;
	int which;
};

static void put_client(struct esl_client *c, void *arg)
{
	const struct client_metric *m = arg;
	role_assert_ctl();
	double value = m->which == CLIENT_SENT      ? (double)c->queue.sent_count
	               : m->which == CLIENT_DROPPED ? (double)c->queue.dropped_count
	                                            : (double)c->queue.bytes;
	metric_put(m->out, value, "door", "event_socket", "client", c->id, NULL);
}

static void fill_clients(struct metric_out *out, int which)
{
	struct client_metric m = {out, which};
	role_assert_ctl();
	esl_client_each(put_client, &m);
}

static void fill_count(struct metric_out *out, int which)
{
	role_assert_ctl();
	metric_put(out, (double)esl_client_count(), "door", "event_socket", NULL);
}

static void fill_refused(struct metric_out *out, int which)
{
	struct conn_limit_counts n = {0};
	struct login_delay_counts d = {0};
	role_assert_ctl();
	if (esl_limit)
		conn_limit_counts(esl_limit, &n);
	if (esl_login_delay)
		login_delay_counts(esl_login_delay, &d);
	const struct {
		const char *why;
		uint64_t count;
	} rows[] = {{"no room", n.refused}, {"made room", n.made_room}, {"late", n.late}, {"bytes", n.starved},
	    {"share", n.greedy}, {"access list", acl_refused}, {"wrong password", d.failed},
	    {"login too soon", d.refused}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		metric_put(out, (double)rows[i].count, "door", "event_socket", "why", rows[i].why, NULL);
}

static const struct metric_desc metrics[] = {
    {"tandem_event_clients", METRIC_GAUGE, 0, "Clients connected.", fill_count, 0},
    {"tandem_door_refused_total", METRIC_COUNTER, 0, "Connections and logins refused, by door and reason.",
        fill_refused, 0},
    {"tandem_event_client_delivered_total", METRIC_COUNTER, METRIC_INSIDE,
        "Events and log lines handed to the connection.", fill_clients, CLIENT_SENT},
    {"tandem_event_client_dropped_total", METRIC_COUNTER, METRIC_INSIDE, "Those lost because the client did not read.",
        fill_clients, CLIENT_DROPPED},
    {"tandem_event_client_waiting_bytes", METRIC_GAUGE, METRIC_INSIDE, "Bytes waiting for the client to read.",
        fill_clients, CLIENT_WAITING},
    {0},
};

static const struct conf_desc confs[] = {
    {"event_socket.conf", "listen-ip", "address", "", "127.0.0.1",
        "where to listen; :: is every address of both families"},
    {"event_socket.conf", "listen-port", "number", "", "8021", "TCP port"},
    {"event_socket.conf", "password", "text", "", DEFAULT_PASSWORD, "what `auth` must say"},
    {"event_socket.conf", "allow-default-password", "bool", "", "false",
        "listen as listen-ip says even with the default password"},
    {"event_socket.conf", "apply-inbound-acl", "list name", "", "loopback.auto", "who may connect; may be repeated"},
    {"event_socket.conf", "max-queue-bytes", "number", "bytes", "16777216",
        "events and log lines waiting for one client; more are dropped and told by a tandem::gap event"},
    {"event_socket.conf", "max-clients", "number", "", "1000",
        "connections at a time; those that have not logged in make room for others, the oldest silent one first"},
    {"event_socket.conf", "max-clients-per-address", "number", "", "500", "of these from one address"},
    {"event_socket.conf", "first-command-timeout", "number", "s", "10",
        "a connection without a whole command by then is closed; the same for each later one until it has logged in"},
    {"event_socket.conf", "login-timeout", "number", "s", "60",
        "a connection that has not logged in by then is closed"},
    {"directory", "esl-password", "text", "", "", "a user's (or his domain's): he may log in with userauth"},
    {"directory", "esl-allowed-api", "list", "", "show",
        "commands he may run; all: every one, with everything they reach"},
    {"directory", "esl-allowed-events", "list", "", "all", "events and subclasses he gets"},
    {"directory", "esl-allowed-log", "bool", "", "false", "he may ask for log lines"},
    {"directory", "esl-allowed-sendmsg", "list", "", "", "call-commands of sendmsg he may send: execute, hangup ..."},
    {"directory", "esl-allowed-applications", "list", "", "",
        "applications he may execute by them; all needs esl-allowed-api all to reach those that reach everything"},
    {"directory", "esl-allowed-legs", "own|domain|all", "", "own", "whose calls sendmsg reaches"},
    {"directory", "esl-allowed-sendevent", "list", "", "", "subclasses of CUSTOM he may send, each by its name"},
    {0},
};
static const struct var_desc vars[] = {
    {"socket_resume", "bool", "the dialplan goes on when the outbound socket ends", true, true},
    {0},
};

const struct module mod_event_socket = {.abi = MODULE_ABI,
    .name = "mod_event_socket",
    .load = load,
    .unload = unload,
    .apps = esl_apps,
    .vars = vars,
    .confs = confs,
    .metrics = metrics};
