/* mod_radius: its tables, the commands, the numbers. */
#include "core/registry/module.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/registry/app_words.h"
#include "loop/work.h"
#include "radius/radius_i.h"

#include <strings.h>

static int unload(void)
{
	role_assert_ctl();
	if (!work_may_wait() && (rad_auth_asking_count() || rad_spool_is_busy()))
		return ST_BUSY; /* at the end of the program those who ask are told, and the disk is waited for */
	rad_auth_stop();
	rad_dae_stop();
	rad_acct_stop();
	rad_servers_stop();
	rad_spool_close();
	rad_conf_free();
	return ST_OK;
}

static int load(void)
{
	role_assert_ctl();
	int st = rad_conf_read();
	if (!st)
		st = rad_spool_open();
	if (!st)
		st = rad_servers_start();
	if (!st)
		st = rad_acct_start();
	if (!st)
		st = rad_dae_start();
	if (!st)
		st = rad_auth_start();
	if (st)
		(void)unload();
	else
		rad_spool_go(); /* records of an earlier run */
	return st;
}

/* ---- radius status, radius test ------------------------------------------------------------------------------- */
static ON_CTL void port_tell(const struct rad_port *p, struct buf *out)
{
	const struct rad_counts *c = &p->counts;
	char addr[ADDR_TEXT_MAX];
	int64_t left_us = p->dead_until_us - loop_now_us();
	if (!p->number)
		return;
	buf_printf(out, "  %s %s ", p->kind == RAD_ACCT ? "acct" : "auth",
	    addr_is_set(&p->addr) ? addr_text(&p->addr, addr) : "unresolved");
	if (p->dead_until_us)
		buf_printf(out, "dead, tried again in %lld s", (long long)(left_us > 0 ? left_us / 1000000 + 1 : 0));
	else
		buf_adds(out, p->heard_us ? "alive" : "not heard yet");
	buf_printf(out,
	    "\n    sent %llu again %llu answered %llu accepted %llu rejected %llu timeouts %llu forged %llu "
	    "unproved %llu strange %llu died %llu under-way %u sockets %zu\n",
	    (unsigned long long)c->sent, (unsigned long long)c->again, (unsigned long long)c->answered,
	    (unsigned long long)c->accepted, (unsigned long long)c->rejected, (unsigned long long)c->timeouts,
	    (unsigned long long)c->forged, (unsigned long long)c->unproved, (unsigned long long)c->strange,
	    (unsigned long long)c->died, p->waiting, p->socket_count);
}

static ON_CTL void status(struct buf *out)
{
	struct rad_spool_stats s;
	struct rad_dae_counts d;
	for (size_t i = 0; i < rad_server_count(); i++) {
		buf_printf(out, "server %s %s\n", rad_server_at(i)->name, rad_server_at(i)->host);
		for (int k = 0; k < RAD_KIND_COUNT; k++)
			port_tell(&rad_server_at(i)->ports[k], out);
	}
	rad_spool_stats_get(&s);
	buf_printf(out,
	    "spool queued %zu under-way %zu files %zu bytes %llu sent %llu delayed %llu lost %llu refused %llu",
	    s.queued_count, s.sending_count, s.file_count, (unsigned long long)s.bytes, (unsigned long long)s.sent,
	    (unsigned long long)s.spooled, (unsigned long long)s.lost, (unsigned long long)s.refused);
	if (s.oldest_us)
		buf_printf(out, " oldest %lld s", (long long)((clock_wall_us() - s.oldest_us) / 1000000));
	buf_addc(out, '\n');
	rad_dae_counts_get(&d);
	if (rad_conf.coa_port)
		buf_printf(out,
		    "coa %s:%u disconnects %llu changes %llu acked %llu naked %llu late %llu repeated %llu forged %llu "
		    "strangers %llu\n",
		    rad_conf.coa_ip, rad_conf.coa_port, (unsigned long long)d.disconnects,
		    (unsigned long long)d.changes, (unsigned long long)d.acked, (unsigned long long)d.naked,
		    (unsigned long long)d.late, (unsigned long long)d.repeated, (unsigned long long)d.forged,
		    (unsigned long long)d.strangers);
	for (size_t i = 0; i < rad_conf.client_count; i++) {
		const struct rad_client *c = &rad_conf.clients[i];
		buf_printf(out, "client %s %s asked %llu acked %llu naked %llu refused %llu\n", c->name, c->cidr,
		    (unsigned long long)c->asked, (unsigned long long)c->acked, (unsigned long long)c->naked,
		    (unsigned long long)c->refused);
	}
}

static int api_radius(struct api_call *c)
{
	struct app_words w;
	role_assert_co();
	if (c->who)
		return buf_adds(c->out, "-ERR not for everybody\n");
	int st = app_words_init(&w, c->text, 3);
	if (!st && w.n == 1 && !strcasecmp(w.w[0], "status"))
		status(c->out);
	else if (!st && w.n == 3 && !strcasecmp(w.w[0], "test"))
		st = rad_test(w.w[1], w.w[2], c->out);
	else
		buf_adds(c->out, "-USAGE: status | test <user> <password>\n");
	app_words_fini(&w);
	return st;
}

/* ---- numbers -------------------------------------------------------------------------------------------------- */
enum { M_SENT, M_AGAIN, M_ANSWERED, M_ACCEPTED, M_REJECTED, M_TIMEOUTS, M_FORGED, M_DIED, M_ALIVE, M_WAITING };
static void fill_ports(struct metric_out *out, int which)
{
	role_assert_ctl();
	for (size_t i = 0; i < rad_server_count(); i++)
		for (int k = 0; k < RAD_KIND_COUNT; k++) {
			const struct rad_port *p = &rad_server_at(i)->ports[k];
			const struct rad_counts *c = &p->counts;
			const uint64_t values[] = {c->sent, c->again, c->answered, c->accepted, c->rejected,
			    c->timeouts, c->forged + c->unproved + c->strange, c->died, p->dead_until_us == 0,
			    p->waiting};
			if (p->number)
				metric_put(out, (double)values[which], "server", rad_server_at(i)->name, "kind",
				    k == RAD_ACCT ? "acct" : "auth", NULL);
		}
}

enum { M_QUEUED, M_SPOOL_BYTES, M_ACKNOWLEDGED, M_DELAYED, M_LOST };
static void fill_spool(struct metric_out *out, int which)
{
	struct rad_spool_stats s;
	role_assert_ctl();
	rad_spool_stats_get(&s);
	const uint64_t values[] = {s.queued_count, s.bytes, s.sent, s.spooled, s.lost + s.refused};
	metric_put(out, (double)values[which], NULL);
}

static void fill_dae(struct metric_out *out, int which)
{
	struct rad_dae_counts d;
	role_assert_ctl();
	rad_dae_counts_get(&d);
	metric_put(out, (double)d.acked, "result", "ack", NULL);
	metric_put(out, (double)d.naked, "result", "nak", NULL);
	metric_put(out, (double)(d.forged + d.strangers), "result", "refused", NULL);
	metric_put(out, (double)d.repeated, "result", "repeated", NULL);
}

static const struct metric_desc metrics[] = {
    {"tandem_radius_sent_total", METRIC_COUNTER, 0, "Requests sent, each once.", fill_ports, M_SENT},
    {"tandem_radius_again_total", METRIC_COUNTER, 0, "Retransmissions.", fill_ports, M_AGAIN},
    {"tandem_radius_answered_total", METRIC_COUNTER, 0, "Proved answers.", fill_ports, M_ANSWERED},
    {"tandem_radius_accepted_total", METRIC_COUNTER, 0, "Access-Accepts.", fill_ports, M_ACCEPTED},
    {"tandem_radius_rejected_total", METRIC_COUNTER, 0, "Access-Rejects.", fill_ports, M_REJECTED},
    {"tandem_radius_timeouts_total", METRIC_COUNTER, 0, "Requests that a server did not answer.", fill_ports,
        M_TIMEOUTS},
    {"tandem_radius_refused_answers_total", METRIC_COUNTER, 0, "Answers that are not proved, or to nothing.",
        fill_ports, M_FORGED},
    {"tandem_radius_died_total", METRIC_COUNTER, 0, "Times that a server was found dead.", fill_ports, M_DIED},
    {"tandem_radius_alive", METRIC_GAUGE, 0, "1: the server is not known to be dead.", fill_ports, M_ALIVE},
    {"tandem_radius_under_way", METRIC_GAUGE, 0, "Requests under way.", fill_ports, M_WAITING},
    {"tandem_radius_spool_records", METRIC_GAUGE, 0, "Accounting records in memory that wait.", fill_spool, M_QUEUED},
    {"tandem_radius_spool_bytes", METRIC_GAUGE, 0, "Bytes of the spool's files.", fill_spool, M_SPOOL_BYTES},
    {"tandem_radius_records_acknowledged_total", METRIC_COUNTER, 0, "Accounting records that a server acknowledged.",
        fill_spool, M_ACKNOWLEDGED},
    {"tandem_radius_records_delayed_total", METRIC_COUNTER, 0, "Accounting records that nobody took at first.",
        fill_spool, M_DELAYED},
    {"tandem_radius_records_lost_total", METRIC_COUNTER, 0, "Accounting records that were given up.", fill_spool,
        M_LOST},
    {"tandem_radius_coa_requests_total", METRIC_COUNTER, 0, "Disconnect- and CoA-Requests.", fill_dae, 0},
    {NULL},
};

/* ---- tables --------------------------------------------------------------------------------------------------- */
static const struct app_desc apps[] = {
    {"rad_auth", "Ask a RADIUS server whether the call may go on", "[<user> [<password>]]", APP_NO_MEDIA, rad_app_auth},
    {"radius_auth", "Ask a RADIUS server whether the call may go on", "[<user> [<password>]]", APP_NO_MEDIA,
        rad_app_auth},
    {NULL},
};
static const char *const words[] = {"radius status", "radius test", NULL};
static const struct api_desc apis[] = {
    {"radius", "RADIUS servers, spool and tests", "status | test <user> <password>", API_MAY_WAIT, api_radius, words},
    {NULL},
};
static const struct var_desc vars[] = {
    {"accountcode", "text", "Asterisk-Acc-Code", true, false},
    {"bridge_channel", "text", "the channel it was bridged to", true, false},
    {"process_cdr", "true|false|a_only|b_only", "which legs are recorded", true, false},
    {"radius_auth_continue", "boolean", "rad_auth does not end a call that is not accepted", true, false},
    {"radius_auth_result", "accept|reject|timeout|error", "what rad_auth was told", false, true},
    {"radius_class", "hex", "Class of the answer, which comes back in the call's records", true, true},
    {"radius_credit_time", "s", "h323-credit-time of the answer", true, true},
    {"radius_filter_id", "text", "Filter-Id of the answer", false, true},
    {"radius_reply_message", "text", "Reply-Message of the answer", false, true},
    {"radius_session_timeout", "s", "Session-Timeout of the answer: the call ends so long after its answer", true,
        true},
    {"radius_user", "text", "User-Name of this leg's requests and records", true, false},
    {"userfield", "text", "Asterisk-User-Field", true, false},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"radius.conf", "nas-identifier", "text", NULL, "the switch's name", "NAS-Identifier"},
    {"radius.conf", "nas-ip-address", "address", NULL, "of the default route", "NAS-IP-Address; none: it is not sent"},
    {"radius.conf", "bind-ip", "address", NULL, "0.0.0.0", "where requests come from"},
    {"radius.conf", "auth-timeout", "number", "ms", "5000", "a call or registration waits so long for its answer"},
    {"radius.conf", "default-password", "text", NULL, "", "User-Password of rad_auth without one"},
    {"radius.conf", "digest-attributes", "list", NULL, "rfc5090,sterman",
        "how a digest is asked about: by RFC 5090, or as FreeRADIUS understands it"},
    {"radius.conf", "legs", "a|b|ab", NULL, "ab", "whose records are made"},
    {"radius.conf", "start-at", "setup|answer", NULL, "setup", "when the Start is sent"},
    {"radius.conf", "unanswered", "boolean", NULL, "true", "a Stop of calls that nobody answered, without a Start"},
    {"radius.conf", "accounting-on", "boolean", NULL, "false", "Accounting-On at the load, Accounting-Off at the end"},
    {"radius.conf", "interim-interval", "number", "s", "0", "an Interim-Update so often; 0: as the server says"},
    {"radius.conf", "interim-minimum", "number", "s", "60", "a server may not want it more often"},
    {"radius.conf", "vendor-attributes", "list", NULL, "cisco,freeswitch", "cisco, asterisk, freeswitch, none"},
    {"radius.conf", "sockets-max", "number", NULL, "4", "of a server and kind; 256 requests each"},
    {"radius.conf", "accounting-in-flight", "number", NULL, "64", "records under way at a time"},
    {"radius.conf", "spool-max", "number", "MB", "1024", "of records that wait; more are lost"},
    {"radius.conf", "spool-memory", "number", NULL, "20000",
        "records that wait in memory, too; others on the disk only"},
    {"radius.conf", "coa-ip", "address", NULL, "127.0.0.1", "where Disconnect- and CoA-Requests are taken"},
    {"radius.conf", "coa-port", "number", NULL, "0", "3799; 0: they are not"},
    {"radius.conf", "coa-window", "number", "s", "300", "how old or young a request may be"},
    {"radius.conf", "coa-require-event-timestamp", "boolean", NULL, "true", "one without is refused"},
    {"radius.conf", "host", "text", NULL, "", "server: address or name; client: address or prefix"},
    {"radius.conf", "secret", "text", NULL, "", "server, client: shared with it"},
    {"radius.conf", "auth-port", "number", NULL, "1812", "server; 0: not for authentication"},
    {"radius.conf", "acct-port", "number", NULL, "1813", "server; 0: not for accounting"},
    {"radius.conf", "timeout", "number", "ms", "1000", "server: for an answer, then it is asked again"},
    {"radius.conf", "tries", "number", NULL, "3", "server: then the next one is asked"},
    {"radius.conf", "dead-time", "number", "s", "30", "server: left alone so long, unless it answers Status-Server"},
    {"radius.conf", "status-server", "boolean", NULL, "true",
        "server: it is asked for life while it is dead (RFC 5997)"},
    {"radius.conf", "probe-interval", "number", "ms", "2000", "server: so often"},
    {"radius.conf", "require-message-authenticator", "boolean", NULL, "true",
        "server: answers without are not believed; client: false by default"},
    {NULL},
};
static const char *const also[] = {"mod_radius_cdr", "mod_rad_auth", NULL};

extern const struct module mod_radius;
const struct module mod_radius = {.abi = MODULE_ABI,
    .name = "mod_radius",
    .also = also,
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs,
    .metrics = metrics,
    .part = &rad_part};
