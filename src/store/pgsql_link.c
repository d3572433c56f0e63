/* One connection: looked up, connected, set up, and lost again. Names go through net/dns.h, so libpq only ever sees
 * addresses; each step ends by its own deadline. Whether a database is there is known of its name, not of each
 * connection: after a failed try nobody asks again before the pause is over, and then one does; what is lost and what
 * is back is told once. Passwords stay in libpq's options: what is logged is host, port and database. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/dns.h"
#include "store/pgsql_i.h"

#include <stdio.h>
#include <string.h>

enum { OPTIONS_MAX = 80, PAUSE_MIN_US = 100 * 1000, PAUSE_MAX_US = 5 * 1000 * 1000 };
static const char setup_sql[] = "SET statement_timeout=10000;SET standard_conforming_strings=on";
/* Whoever keeps says the same things again and again, of one row: what is prepared is planned once. */
static const char keeps_sql[] = "SET statement_timeout=10000;SET standard_conforming_strings=on;SELECT set_config(name,"
                                "'force_generic_plan',false) FROM pg_settings WHERE name='plan_cache_mode'";
static struct list names = {{&names.head, &names.head}};

/* ---- names ---- */

static const char *option(const struct pg_name *n, const char *keyword)
{
	for (const PQconninfoOption *o = n->options; o->keyword; o++)
		if (!strcmp(o->keyword, keyword))
			return o->val && *o->val ? o->val : NULL;
	return NULL;
}

/* "host=... password=..." as FreeSWITCH writes it, or the rest of a URI. */
static PQconninfoOption *options_parse(const char *rest, struct buf *error)
{
	struct buf uri;
	char *why = NULL;
	PQconninfoOption *o = *rest ? PQconninfoParse(rest, NULL) : NULL;
	if (o)
		return o;
	buf_init(&uri);
	buf_printf(&uri, "postgresql://%s", rest);
	if (!uri.failed && (strchr(rest, '/') || strchr(rest, '@')))
		o = PQconninfoParse(uri.p, &why);
	buf_fini(&uri);
	PQfreemem(why); /* it quotes the text, and the password with it */
	if (!o)
		buf_adds(error, "pgsql: neither \"host=... dbname=... user=...\" nor \"user:password@host/database\"");
	return o;
}

int pg_name_get(struct pg_name **out, const char *rest, struct buf *error)
{
	struct lnode *it, *tmp;
	struct buf shown;
	struct pg_name *n;

	list_each (&names, it, tmp) {
		n = list_entry(it, struct pg_name, link);
		if (!strcmp(n->rest, rest)) {
			n->use_count++;
			*out = n;
			return ST_OK;
		}
	}
	PQconninfoOption *options = options_parse(rest, error);
	if (!options)
		return ST_INVAL;
	n = mem_zalloc(sizeof(*n));
	n->rest = mem_strdup(rest), n->options = options, n->use_count = 1;
	list_init(&n->links), list_init(&n->idle), list_init(&n->waiting);
	const char *host = option(n, "host"), *port = option(n, "port"), *db = option(n, "dbname");
	if (!host)
		host = option(n, "hostaddr");
	buf_init(&shown);
	buf_printf(&shown, "pgsql %.100s:%.20s/%.60s", host ? host : "local", port ? port : "5432", db ? db : "");
	n->shown = buf_take(&shown);
	list_push(&names, &n->link);
	*out = n;
	return ST_OK;
}

void pg_name_put(struct pg_name *n)
{
	if (--n->use_count)
		return;
	list_remove(&n->link);
	PQconninfoFree(n->options);
	mem_free(n->rest), mem_free(n->shown);
	mem_free(n);
}

static ON_CTL void name_is_down(struct pg_name *n, const char *why)
{
	snprintf(n->why, sizeof(n->why), "%s", why);
	for (char *p = n->why; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = p[1] ? ' ' : 0;
	if (!n->is_down) {
		log_error("store: %s: %s; it is tried again", n->shown, n->why);
		n->is_down = true, n->down_us = clock_mono_us(), n->tries = 0, n->pause_us = PAUSE_MIN_US;
	} else {
		n->pause_us = n->pause_us * 2 < PAUSE_MAX_US ? n->pause_us * 2 : PAUSE_MAX_US;
	}
	n->tries++;
	n->retry_us = clock_mono_us() + n->pause_us;
}

static ON_CTL void name_is_up(struct pg_name *n)
{
	if (n->is_down)
		log_notice("store: %s is back after %lld s and %u tries", n->shown,
		    (long long)((clock_mono_us() - n->down_us) / 1000000), n->tries);
	n->is_down = false;
}

/* ---- one connection ---- */

struct pg_link *pg_link_new(struct pg_name *n, bool is_asks)
{
	struct pg_link *l = mem_zalloc(sizeof(*l));
	l->name = n, l->is_asks = is_asks, l->fd = -1;
	n->use_count++;
	if (is_asks)
		n->asks_count++;
	list_push(&n->links, &l->link);
	return l;
}

static ON_CTL void hosts_free(struct pg_link *l)
{
	for (size_t i = 0; i < l->host_count; i++) {
		mem_free(l->hosts[i]), mem_free(l->addresses[i]);
		l->hosts[i] = l->addresses[i] = NULL;
	}
	l->host_count = l->host_at = 0;
}

/* Nothing is under way afterwards. */
static ON_CTL void link_off(struct pg_link *l)
{
	loop_timer_cancel(&l->deadline);
	loop_timer_cancel(&l->retry);
	dns_cancel(l->ask);
	l->ask = NULL;
	hosts_free(l);
	loop_poll_close(l->poll);
	l->poll = NULL, l->fd = -1;
	PQfinish(l->pg);
	l->pg = NULL;
	l->table_count = 0;
	pg_texts_forget(l);
	pg_run_forget(l);
	l->is_in_transaction = false;
	l->state = PG_OFF;
}

void pg_link_free(struct pg_link *l)
{
	struct pg_name *n = l->name;
	link_off(l);
	list_remove(&l->link);
	list_remove(&l->idle);
	if (l->is_asks)
		n->asks_count--;
	mem_free(l);
	pg_name_put(n);
}

void pg_link_fail(struct pg_link *l, int status, const char *why)
{
	char text[256];
	bool was_up = l->state > PG_SETTING_UP;
	snprintf(text, sizeof(text), "%s", why); /* it may be libpq's own */
	if (l->conn)
		l->conn->is_torn = l->is_in_transaction;
	link_off(l);
	if (!was_up)
		name_is_down(l->name, text);
	pg_link_is_lost(l, status, text);
}

static ON_CTL void fail_pq(struct pg_link *l)
{
	const char *why = l->pg ? PQerrorMessage(l->pg) : "no memory";
	pg_link_fail(l, ST_CLOSED, *why ? why : "the connection was closed");
}

static void on_connect_late(void *arg)
{
	role_assert_ctl();
	pg_link_fail(arg, ST_TIMEOUT, "no connection within 5 s");
}

static ON_CTL void connect_step(struct pg_link *l);
static ON_CTL void setup_step(struct pg_link *l);
static ON_CTL void clean_step(struct pg_link *l);

static void on_poll(int events, void *arg)
{
	struct pg_link *l = arg;
	role_assert_ctl();
	if (l->state == PG_CONNECTING) {
		connect_step(l);
		return;
	}
	if ((events & LOOP_READ) && !PQconsumeInput(l->pg)) {
		fail_pq(l);
		return;
	}
	if (l->state == PG_SETTING_UP)
		setup_step(l);
	else if (l->state == PG_CLEANING)
		clean_step(l);
	else if (l->state == PG_RUNNING)
		pg_run_input(l);
	else if (PQstatus(l->pg) == CONNECTION_BAD) /* it may say farewell between two batches */
		fail_pq(l);
	else
		while (PQnotifies(l->pg))
			;
}

/* At the end of the program, with a connection still lent to nobody. */
static void on_fini(void *arg)
{
	struct pg_link *l = arg;
	role_assert_ctl();
	if (!l->conn)
		pg_link_free(l);
	else
		link_off(l);
}

static ON_CTL int poll_set(struct pg_link *l, int events)
{
	int fd = PQsocket(l->pg);
	if (fd < 0)
		return ST_IO;
	if (fd != l->fd) {
		loop_poll_close(l->poll);
		l->poll = NULL, l->fd = -1;
		int st = loop_poll_open(&l->poll, fd, "pgsql", on_poll, l);
		if (st < 0)
			return st;
		l->fd = fd;
		loop_poll_on_fini(l->poll, on_fini, l);
	}
	return loop_poll_set(l->poll, events);
}

void pg_link_watch(struct pg_link *l)
{
	int more = PQflush(l->pg);
	if (more < 0 || poll_set(l, LOOP_READ | (more ? LOOP_WRITE : 0)) < 0)
		fail_pq(l);
}

/* ---- connecting ---- */

static void on_notice(void *arg, const PGresult *r)
{
	const struct pg_link *l = arg;
	log_debug("store: %s: %.300s", l->name->shown, PQresultErrorMessage(r));
}

static ON_CTL void sets_send(struct pg_link *l)
{
	if (!PQsendQuery(l->pg, l->is_asks ? setup_sql : keeps_sql)) {
		fail_pq(l);
		return;
	}
	l->state = PG_SETTING_UP;
	pg_link_watch(l);
}

static ON_CTL void connect_step(struct pg_link *l)
{
	switch (PQconnectPoll(l->pg)) {
	case PGRES_POLLING_READING:
		if (poll_set(l, LOOP_READ) < 0)
			fail_pq(l);
		break;
	case PGRES_POLLING_WRITING:
		if (poll_set(l, LOOP_WRITE) < 0)
			fail_pq(l);
		break;
	case PGRES_POLLING_OK:
		if (PQsetnonblocking(l->pg, 1))
			fail_pq(l);
		else
			sets_send(l);
		break;
	default:
		fail_pq(l);
	}
}

/* Reads results to their end. ST_AGAIN: more will come. */
static ON_CTL int results_read(struct pg_link *l, char *why, size_t size)
{
	while (!PQisBusy(l->pg)) {
		PGresult *r = PQgetResult(l->pg);
		if (!r)
			return *why ? ST_IO : ST_OK;
		if (PQresultStatus(r) == PGRES_FATAL_ERROR)
			snprintf(why, size, "%s", PQresultErrorMessage(r));
		PQclear(r);
	}
	return PQflush(l->pg) < 0 ? ST_CLOSED : ST_AGAIN;
}

static ON_CTL void setup_step(struct pg_link *l)
{
	char why[256] = "";
	int st = results_read(l, why, sizeof(why));
	if (st == ST_AGAIN)
		return;
	if (st < 0) {
		pg_link_fail(l, ST_CLOSED, *why ? why : PQerrorMessage(l->pg));
		return;
	}
	loop_timer_cancel(&l->deadline);
	l->state = PG_READY;
	name_is_up(l->name);
	pg_link_is_ready(l);
}

static ON_CTL void addresses_put(struct pg_link *l, struct buf *out)
{
	for (size_t i = 0; i < l->host_count; i++)
		buf_printf(out, "%s%s", i ? "," : "", l->addresses[i] ? l->addresses[i] : "");
}

static ON_CTL void connect_start(struct pg_link *l)
{
	/* what the DSN does not say itself */
	static const char *const defaults[][2] = {{"fallback_application_name", "tandem"}, {"client_encoding", "UTF8"},
	    {"gssencmode", "disable"}, {"tcp_user_timeout", "10000"}};
	const char *keys[OPTIONS_MAX + 1] = {NULL}, *values[OPTIONS_MAX + 1] = {NULL};
	size_t n = 0, last = sizeof(defaults) / sizeof(defaults[0]);
	struct buf addresses;

	buf_init(&addresses);
	for (const PQconninfoOption *o = l->name->options; o->keyword && n < OPTIONS_MAX - last - 1; o++)
		if (o->val && *o->val)
			keys[n] = o->keyword, values[n++] = o->val;
	for (size_t i = 0; i < last; i++)
		if (!option(l->name, defaults[i][0]))
			keys[n] = defaults[i][0], values[n++] = defaults[i][1];
	if (l->host_count) {
		addresses_put(l, &addresses);
		keys[n] = "hostaddr", values[n++] = addresses.p ? addresses.p : "";
	}
	l->state = PG_CONNECTING;
	l->pg = PQconnectStartParams(keys, values, 0);
	buf_fini(&addresses);
	if (!l->pg || PQstatus(l->pg) == CONNECTION_BAD) {
		fail_pq(l);
		return;
	}
	PQsetNoticeReceiver(l->pg, on_notice, l);
	if (poll_set(l, LOOP_WRITE) < 0)
		fail_pq(l);
}

/* ---- looking up ---- */

static ON_CTL void resolve(struct pg_link *l);

static ON_CTL int address_take(struct pg_link *l, const struct dns_answer *a)
{
	char text[ADDR_TEXT_MAX], why[200];
	if (a->status < 0) {
		snprintf(why, sizeof(why), "the host %.100s: %s", l->hosts[l->host_at],
		    a->status == ST_NOTFOUND ? "no such name" : "the name server does not answer");
		pg_link_fail(l, ST_CLOSED, why);
		return ST_CLOSED;
	}
	l->addresses[l->host_at++] = mem_strdup(addr_host(&a->records[0].addr, text));
	return ST_OK;
}

static void on_address(const struct dns_answer *a, void *arg)
{
	struct pg_link *l = arg;
	role_assert_ctl();
	l->ask = NULL;
	if (!address_take(l, a))
		resolve(l);
}

/* The addresses of the hosts, one after the other; sockets of this machine have none. */
static void resolve(struct pg_link *l)
{
	struct dns_answer a;
	while (l->host_at < l->host_count) {
		const char *host = l->hosts[l->host_at];
		if (!*host || *host == '/' || *host == '@') {
			l->host_at++;
			continue;
		}
		int st = dns_ask(&l->ask, DNS_ADDRESS, sv_of(host), NULL, PG_CONNECT_US, &a, on_address, l);
		if (st == ST_AGAIN)
			return;
		a.status = st;
		if (address_take(l, &a))
			return;
	}
	connect_start(l);
}

static ON_CTL void hosts_take(struct pg_link *l)
{
	const char *host = option(l->name, "host");
	struct sv rest = sv_of(host), one;
	bool is_more = host && !option(l->name, "hostaddr");
	while (is_more && l->host_count < PG_HOSTS_MAX) {
		is_more = sv_split(rest, ',', &one, &rest);
		l->hosts[l->host_count++] = sv_dup(sv_trim(one));
	}
}

static void connect_now(void *arg)
{
	struct pg_link *l = arg;
	role_assert_ctl();
	l->state = PG_RESOLVING;
	hosts_take(l);
	loop_timer_set(&l->deadline, PG_CONNECT_US, "pgsql connect", on_connect_late, l);
	resolve(l);
}

/* In a turn of its own: whoever asked is not answered from inside. */
void pg_link_start(struct pg_link *l)
{
	int64_t pause_us = l->name->is_down ? l->name->retry_us - clock_mono_us() : 0;
	if (l->state == PG_OFF && !loop_timer_is_set(&l->retry))
		loop_timer_set(&l->retry, pause_us > 0 ? pause_us : 0, "pgsql", connect_now, l);
}

/* ---- given back ---- */

/* Its transaction, its settings, its temporary tables are nobody else's. */
void pg_link_clean(struct pg_link *l)
{
	static const char discard_sql[] = "DISCARD ALL", rollback_sql[] = "ROLLBACK";
	bool is_open = PQtransactionStatus(l->pg) != PQTRANS_IDLE;
	if (!PQsendQuery(l->pg, is_open ? rollback_sql : discard_sql)) {
		fail_pq(l);
		return;
	}
	l->state = PG_CLEANING;
	l->is_making = is_open; /* the discarding is still to come */
	l->table_count = 0;
	pg_texts_forget(l);
	loop_timer_set(&l->deadline, PG_CONNECT_US, "pgsql clean", on_connect_late, l);
	pg_link_watch(l);
}

static ON_CTL void clean_step(struct pg_link *l)
{
	char why[256] = "";
	int st = results_read(l, why, sizeof(why));
	if (st == ST_AGAIN)
		return;
	if (st < 0) {
		pg_link_fail(l, ST_CLOSED, why);
	} else if (l->is_making) {
		pg_link_clean(l);
	} else { /* the settings of the start, once more */
		sets_send(l);
	}
}
