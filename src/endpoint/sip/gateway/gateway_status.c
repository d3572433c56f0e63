/* What is told of gateways: `sofia status gateway`, rows of `sofia status`, sofia_gateway_data, and the commands that
 * act on them. The texts are FreeSWITCH's to the byte. */
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "endpoint/sip/gateway/gateway_i.h"
#include "loop/loop.h"
#include "text/xml.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char line[] =
    "=================================================================================================\n";

/* ---- one gateway: a table of label, tag and value; a row without one of the two is only in the other form ---- */

struct row {
	const char *label, *tag;
	void (*put)(const struct gateway *g, struct buf *b, bool is_xml);
};

#define TEXT_ROW(fn, expr) \
	static void fn(const struct gateway *g, struct buf *b, bool is_xml) \
	{ \
		const char *text = (expr); \
		if (is_xml) \
			xml_escape(b, sv_of(text), false); \
		else \
			buf_adds(b, text); \
	}
#define UINT_ROW(fn, expr) \
	static void fn(const struct gateway *g, struct buf *b, bool is_xml) \
	{ \
		buf_printf(b, "%u", (unsigned)(expr)); \
	}
TEXT_ROW(put_name, g->name)
TEXT_ROW(put_profile, g->p->conf.name)
TEXT_ROW(put_scheme, g->conf.scheme)
TEXT_ROW(put_realm, g->conf.realm)
TEXT_ROW(put_username, g->conf.username)
TEXT_ROW(put_password, *g->conf.password ? "yes" : "no")
TEXT_ROW(put_from, g->from)
TEXT_ROW(put_contact, g->contact)
TEXT_ROW(put_exten, g->conf.extension)
TEXT_ROW(put_to, g->to)
TEXT_ROW(put_proxy, g->proxy_uri)
TEXT_ROW(put_context, g->conf.context)
TEXT_ROW(put_state, gateway_state_name(g->state))
UINT_ROW(put_expires, g->expire_s)
UINT_ROW(put_ping, g->ping_freq_s ? g->ping_due_epoch_s : 0)
UINT_ROW(put_ping_freq, g->ping_freq_s)
UINT_ROW(put_ping_min, g->ping_min)
UINT_ROW(put_ping_count, g->ping_count)
UINT_ROW(put_ping_max, g->ping_max)
UINT_ROW(put_pinging, g->ping_ctx != NULL)
UINT_ROW(put_calls_in, g->calls_in)
UINT_ROW(put_calls_out, g->calls_out)
UINT_ROW(put_failed_in, g->failed_in)
UINT_ROW(put_failed_out, g->failed_out)

static void put_ping_time(const struct gateway *g, struct buf *b, bool is_xml)
{
	buf_printf(b, "%.2f", g->ping_time_ms);
}

static void put_ping_state(const struct gateway *g, struct buf *b, bool is_xml)
{
	buf_printf(b, "%u/%u/%u", g->ping_min, g->ping_count, g->ping_max);
}

static void put_status(const struct gateway *g, struct buf *b, bool is_xml)
{
	buf_printf(b, "%s%s", g->is_up ? "UP" : "DOWN", !is_xml && g->ping_ctx ? " (ping)" : "");
}

static void put_uptime(const struct gateway *g, struct buf *b, bool is_xml)
{
	role_assert_ctl();
	int64_t us = g->is_up ? loop_now_us() - g->started_us : 0;
	if (is_xml)
		buf_printf(b, "%" PRId64, us);
	else
		buf_printf(b, "%" PRId64 "s", us / 1000000);
}

static const struct row rows[] = {
    {"Name", "name", put_name},
    {"Profile", "profile", put_profile},
    {"Scheme", "scheme", put_scheme},
    {"Realm", "realm", put_realm},
    {"Username", "username", put_username},
    {"Password", "password", put_password},
    {"From", "from", put_from},
    {"Contact", "contact", put_contact},
    {"Exten", "exten", put_exten},
    {"To", "to", put_to},
    {"Proxy", "proxy", put_proxy},
    {"Context", "context", put_context},
    {"Expires", "expires", put_expires},
    {"Freq", "freq", put_expires},
    {"Ping", "ping", put_ping},
    {"PingFreq", "pingfreq", put_ping_freq},
    {NULL, "pingmin", put_ping_min},
    {NULL, "pingcount", put_ping_count},
    {NULL, "pingmax", put_ping_max},
    {"PingTime", "pingtime", put_ping_time},
    {"PingState", NULL, put_ping_state},
    {NULL, "pinging", put_pinging},
    {"State", "state", put_state},
    {"Status", "status", put_status},
    {"Uptime", "uptime-usec", put_uptime},
    {"CallsIN", "calls-in", put_calls_in},
    {"CallsOUT", "calls-out", put_calls_out},
    {"FailedCallsIN", "failed-calls-in", put_failed_in},
    {"FailedCallsOUT", "failed-calls-out", put_failed_out},
};

static void one_text(const struct gateway *g, struct buf *b)
{
	buf_adds(b, line);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (!rows[i].label)
			continue;
		buf_printf(b, "%-8s\t", rows[i].label);
		rows[i].put(g, b, false);
		buf_addc(b, '\n');
	}
	buf_adds(b, line);
}

static ON_CTL void one_xml(const struct gateway *g, struct buf *b)
{
	buf_adds(b, "  <gateway>\n");
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (!rows[i].tag)
			continue;
		buf_printf(b, "    <%s>", rows[i].tag);
		rows[i].put(g, b, true);
		buf_printf(b, "</%s>\n", rows[i].tag);
	}
	if (g->state == GW_FAIL_WAIT)
		buf_printf(b, "    <retry>%" PRId64 "s</retry>\n", (g->due_us - loop_now_us()) / 1000000);
	buf_adds(b, "  </gateway>\n");
}

/* ---- lists ---- */

/* How a row that is not settled goes on: when it is tried again. The list of gateways tells how long the latest try may
 * take in all, as FreeSWITCH's does. */
static ON_CTL void retry_put(const struct gateway *g, struct buf *b, bool is_list)
{
	int64_t till_us = is_list ? g->tried_us + clock_us_of_s(g->timeout_s) : g->due_us;
	int64_t left_s = (till_us - loop_now_us()) / 1000000;
	if ((g->state == GW_TRYING || g->state == GW_FAIL_WAIT) && left_s > 0)
		buf_printf(b, " (retry: %" PRId64 "s)", left_s);
}

struct sums {
	unsigned n, calls_in, calls_out, failed_in, failed_out;
};

static ON_CTL void list_row(const struct gateway *g, struct buf *b, struct sums *sums)
{
	char name[256];
	snprintf(name, sizeof(name), "%s::%s", g->p->conf.name, g->name);
	buf_printf(b, "%25s\t%32s\t%s\t%6.2f\t%u/%u\t%u/%u", name, g->to, gateway_state_name(g->state), g->ping_time_ms,
	    g->failed_in, g->calls_in, g->failed_out, g->calls_out);
	retry_put(g, b, true);
	buf_addc(b, '\n');
	sums->n++;
	sums->calls_in += g->calls_in, sums->calls_out += g->calls_out;
	sums->failed_in += g->failed_in, sums->failed_out += g->failed_out;
}

static ON_CTL int list_all(struct buf *out, bool is_xml)
{
	struct lnode *it, *tmp;
	struct sums s = {0};
	if (is_xml)
		buf_adds(out, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<gateways>\n");
	else
		buf_printf(out, "%25s\t%32s\tState\tPing Time\tIB Calls(F/T)\tOB Calls(F/T)\n%s",
		    "Profile::Gateway-Name", "Data    ", line);
	for (const struct profile *p = profile_next(NULL); p; p = profile_next(p))
		list_each (gateways_of(p), it, tmp) {
			const struct gateway *g = list_entry(it, struct gateway, link);
			if (is_xml)
				one_xml(g, out);
			else
				list_row(g, out, &s);
		}
	if (is_xml)
		return buf_adds(out, "</gateways>\n");
	return buf_printf(out, "%s%u gateway%s: Inbound(Failed/Total): %u/%u,Outbound(Failed/Total):%u/%u\n", line, s.n,
	    s.n == 1 ? "" : "s", s.failed_in, s.calls_in, s.failed_out, s.calls_out);
}

int gateway_status(struct buf *out, struct sv name, bool is_xml)
{
	if (!name.n)
		return list_all(out, is_xml);
	const struct gateway *g = gateway_find(name);
	if (!g)
		return buf_adds(out, "Invalid Gateway!\n");
	if (is_xml) {
		buf_adds(out, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n");
		one_xml(g, out);
	} else {
		one_text(g, out);
	}
	return ST_OK;
}

void gateway_rows_put(struct profile *p, struct buf *out, bool is_xml)
{
	struct lnode *it, *tmp;
	char name[256];
	list_each (gateways_of(p), it, tmp) {
		const struct gateway *g = list_entry(it, struct gateway, link);
		if (is_xml) {
			buf_printf(out, "<gateway>\n<name>%s</name>\n<type>gateway</type>\n<data>", g->name);
			xml_escape(out, sv_of(g->to), false);
			buf_printf(out, "</data>\n<state>%s</state>\n</gateway>\n\n", gateway_state_name(g->state));
			continue;
		}
		snprintf(name, sizeof(name), "%s::%s", p->conf.name, g->name);
		buf_printf(out, "%25s\tgateway\t%42s\t%s", name, g->to, gateway_state_name(g->state));
		retry_put(g, out, false);
		buf_addc(out, '\n');
	}
}

/* ---- commands ---- */

static void register_one(struct gateway *g)
{
	role_assert_ctl();
	gateway_register(g);
}

/* Of all: those that are meant to register. */
static void register_if_meant(struct gateway *g)
{
	role_assert_ctl();
	if (g->state != GW_NOREG)
		gateway_register(g);
}

static void unregister_one(struct gateway *g)
{
	role_assert_ctl();
	gateway_unregister(g);
}

static ON_CTL int each_cmd(struct api_call *c, struct profile *p, struct sv name, void (*fn)(struct gateway *g))
{
	struct lnode *it, *tmp;
	if (!name.n)
		return buf_adds(c->out, "No gateway name provided!\n");
	if (sv_isi(name, "all")) {
		list_each (gateways_of(p), it, tmp)
			(fn == register_one ? register_if_meant : fn)(list_entry(it, struct gateway, link));
		return buf_adds(c->out, "+OK\n");
	}
	struct gateway *g = gateway_find(name);
	if (!g)
		return buf_adds(c->out, "Invalid gateway!\n");
	fn(g);
	return buf_adds(c->out, "+OK\n");
}

static ON_CTL int kill_cmd(struct api_call *c, struct profile *p, struct sv name)
{
	if (!name.n)
		return buf_adds(c->out, "-ERR missing gw name\n");
	if (sv_isi(name, "_all_")) {
		struct lnode *it, *tmp;
		list_each (gateways_of(p), it, tmp)
			gateway_delete(list_entry(it, struct gateway, link), false);
		return buf_adds(c->out, "+OK every gateway marked for deletion.\n");
	}
	struct gateway *g = gateway_find(name);
	if (!g)
		return buf_adds(c->out, "-ERR no such gateway.\n");
	gateway_delete(g, false);
	return buf_adds(c->out, "+OK gateway marked for deletion.\n");
}

/* A gateway that was deleted comes back as the configuration has it. */
static ON_CTL int start_cmd(struct api_call *c, struct profile *p, struct sv name)
{
	if (!name.n)
		return buf_adds(c->out, "-ERR missing gw name\n");
	if (gateway_find(name))
		return buf_adds(c->out, "-ERR gateway already exists\n");
	gateways_load(p);
	return buf_adds(c->out, gateway_find(name) ? "+OK gateway started\n" : "-ERR no such gateway.\n");
}

static ON_CTL int names_cmd(struct api_call *c, struct profile *p, struct sv what)
{
	struct lnode *it, *tmp;
	bool wants_up = !sv_isi(what, "down");
	list_each (gateways_of(p), it, tmp) {
		const struct gateway *g = list_entry(it, struct gateway, link);
		if (g->is_up == wants_up)
			buf_printf(c->out, "%s ", g->name);
	}
	return ST_OK;
}

bool gateway_profile_cmd(struct api_call *c, struct profile *p, struct sv verb, struct sv arg)
{
	if (sv_isi(verb, "register"))
		each_cmd(c, p, arg, register_one);
	else if (sv_isi(verb, "unregister"))
		each_cmd(c, p, arg, unregister_one);
	else if (sv_isi(verb, "killgw"))
		kill_cmd(c, p, arg);
	else if (sv_isi(verb, "startgw"))
		start_cmd(c, p, arg);
	else if (sv_isi(verb, "gwlist"))
		names_cmd(c, p, arg);
	else
		return false;
	return true;
}

int gateway_cmd(struct api_call *c)
{
	struct sv rest = sv_trim(sv_of(c->args)), name, kind;
	const char *value = NULL;
	role_assert_ctl();
	sv_split(rest, ' ', &name, &rest);
	sv_split(sv_trim(rest), ' ', &kind, &rest);
	rest = sv_trim(rest);
	if (!name.n)
		return buf_adds(c->out, "-ERR Parameter missing\n");
	if (!kind.n || !rest.n)
		return ST_OK;
	struct gateway *g = gateway_find(name);
	char *var = g ? sv_dup(rest) : NULL;
	if (var && !sv_isi(kind, "ivar"))
		value = vars_get(g->vars_out, var);
	if (var && !value && !sv_isi(kind, "ovar"))
		value = vars_get(g->vars_in, var);
	mem_free(var);
	return value ? buf_adds(c->out, value) : ST_OK;
}
