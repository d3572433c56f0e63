/* The client: a request goes to the servers of its kind in their order until one answers, the tries are used up, or its
 * deadline passes.
 *
 *   rad_ask -> next server that is alive -> a socket's free identifier -> sent, sent again -> proved answer -> fn
 *                                               |  tries used up: the server is dead, its requests go on to the next
 *                                               '- Status-Server (RFC 5997) every few seconds until it lives again
 *
 * A socket has 256 identifiers; more sockets are opened as they are needed, up to a bound. Nothing is believed of an
 * answer that does not come from the server's address, to an identifier under way, with a right authenticator. A dead
 * server is told once, and so is its return. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "loop/co.h"
#include "net/udp.h"
#include "radius/radius_i.h"

#include <openssl/crypto.h>
#include <stdio.h>

enum { RESOLVE_US = 5 * 1000 * 1000, SOCKET_BYTES = 1 << 20 };

struct rad_request {
	struct lnode link; /* all */
	enum rad_kind kind;
	bool is_probe, is_trial, was_full;
	struct buf attrs;
	char *password;
	int64_t event_us, sent_us; /* sent_us: first, at this server */
	rad_answer_fn fn;
	void *arg;
	struct ltimer deadline, again;
	struct ldefer end;
	int status; /* what end tells */
	size_t next_server;
	struct rad_socket *socket; /* NULL: it is with no server */
	uint8_t id, authenticator[RAD_AUTH_BYTES];
	unsigned tries;
	size_t n;
	uint8_t packet[];
};

static struct rad_server *servers[RAD_SERVERS_MAX];
static struct ltimer resolvers[RAD_SERVERS_MAX];
static size_t server_count;
static struct list requests = {{&requests.head, &requests.head}};
static bool is_running;

static ON_CTL void request_next(struct rad_request *r);
static ON_CTL void port_probe_later(struct rad_port *p);

size_t rad_server_count(void)
{
	return server_count;
}

struct rad_server *rad_server_at(size_t i)
{
	return i < server_count ? servers[i] : NULL;
}

bool rad_is_served(enum rad_kind kind)
{
	for (size_t i = 0; i < server_count; i++)
		if (servers[i]->ports[kind].number)
			return true;
	return false;
}

bool rad_is_alive(enum rad_kind kind)
{
	for (size_t i = 0; i < server_count; i++)
		if (servers[i]->ports[kind].number && addr_is_set(&servers[i]->ports[kind].addr) &&
		    !servers[i]->ports[kind].dead_until_us)
			return true;
	return false;
}

static const char *kind_name(enum rad_kind kind)
{
	return kind == RAD_ACCT ? "accounting" : "authentication";
}

/* ---- a request's end ------------------------------------------------------------------------------------------ */
static ON_CTL void slot_release(struct rad_request *r)
{
	if (!r->socket)
		return;
	loop_timer_cancel(&r->again);
	r->socket->requests[r->id] = NULL;
	memcpy(r->socket->before[r->id], r->authenticator, RAD_AUTH_BYTES);
	r->socket->used_count--;
	r->socket->port->waiting--;
	if (r->is_trial)
		r->socket->port->is_on_trial = false;
	r->is_trial = false;
	r->socket = NULL;
}

static ON_CTL void request_free(struct rad_request *r)
{
	slot_release(r);
	loop_timer_cancel(&r->deadline);
	loop_defer_cancel(&r->end);
	list_remove(&r->link);
	buf_fini(&r->attrs);
	if (r->password)
		OPENSSL_cleanse(r->password, strlen(r->password));
	mem_free(r->password);
	mem_free(r);
}

static ON_CTL void request_end(struct rad_request *r, int status, const struct rad_packet *answer)
{
	rad_answer_fn fn = r->fn;
	void *arg = r->arg;
	request_free(r);
	fn(status, answer, arg);
}

static void on_end(void *arg)
{
	struct rad_request *r = arg;
	role_assert_ctl();
	request_end(r, r->status, NULL);
}

static ON_CTL void request_end_later(struct rad_request *r, int status)
{
	r->status = status;
	loop_defer(&r->end, "radius end", on_end, r);
}

/* ---- dead and alive ------------------------------------------------------------------------------------------- */
static ON_CTL void requests_move(struct rad_port *p)
{
	for (size_t s = 0; s < p->socket_count; s++)
		for (unsigned id = 0; id < RAD_IDS; id++) {
			struct rad_request *r = p->sockets[s]->requests[id];
			if (!r || r->is_probe)
				continue;
			slot_release(r);
			r->next_server++;
			request_next(r);
		}
}

static ON_CTL void port_died(struct rad_port *p)
{
	bool was_dead = p->dead_until_us != 0;
	p->dead_until_us = loop_now_us() + p->server->dead_us;
	if (was_dead)
		return;
	p->counts.died++;
	log_error("radius: server %s does not answer (%s): it is left alone for %lld s, or until it answers",
	    p->server->name, kind_name(p->kind), (long long)(p->server->dead_us / 1000000));
	port_probe_later(p);
	requests_move(p);
}

static ON_CTL void port_lives(struct rad_port *p)
{
	p->heard_us = clock_mono_us();
	if (!p->dead_until_us)
		return;
	p->dead_until_us = 0;
	loop_timer_cancel(&p->probe);
	log_notice("radius: server %s answers again (%s)", p->server->name, kind_name(p->kind));
	if (p->kind == RAD_ACCT)
		rad_spool_go();
}

/* It said nothing to this request, and nothing to any other since. */
static ON_CTL void port_is_silent(struct rad_port *p, const struct rad_request *r)
{
	p->counts.timeouts++;
	if (p->heard_us < r->sent_us)
		port_died(p);
}

/* ---- sending -------------------------------------------------------------------------------------------------- */
static void on_datagram(const char *data, size_t n, const struct addr *src, void *arg);

static ON_CTL struct rad_socket *socket_of(struct rad_port *p)
{
	struct addr bind = {0};
	for (size_t i = 0; i < p->socket_count; i++)
		if (p->sockets[i]->used_count < RAD_IDS)
			return p->sockets[i];
	if (p->socket_count >= rad_conf.sockets_max)
		return NULL;
	struct rad_socket *s = mem_zalloc(sizeof(*s));
	bool is_v6 = p->addr.sa.sa_family == AF_INET6;
	if (!s || addr_parse(&bind, is_v6 && !strchr(rad_conf.bind_ip, ':') ? SV("::") : sv_of(rad_conf.bind_ip), 0) ||
	    udp_open(&s->udp, &bind, SOCKET_BYTES, on_datagram, s)) {
		mem_free(s);
		return NULL;
	}
	s->port = p;
	return p->sockets[p->socket_count++] = s;
}

static ON_CTL void slot_take(struct rad_request *r, struct rad_socket *s)
{
	while (s->requests[s->next_id % RAD_IDS])
		s->next_id++;
	r->id = (uint8_t)(s->next_id++ % RAD_IDS);
	r->socket = s;
	s->requests[r->id] = r;
	s->used_count++;
	s->port->waiting++;
}

static void on_again(void *arg)
{
	struct rad_request *r = arg;
	role_assert_ctl();
	struct rad_port *p = r->socket->port;
	unsigned tries = r->is_probe || r->is_trial ? 1 : p->server->tries;
	if (r->tries < tries) {
		r->tries++;
		p->counts.again++;
		(void)udp_send(r->socket->udp, &p->addr, r->packet, r->n);
		loop_timer_set(&r->again, p->server->timeout_us, "radius again", on_again, r);
		return;
	}
	if (r->is_probe) {
		request_end(r, ST_TIMEOUT, NULL);
		return;
	}
	slot_release(r);
	r->next_server++;
	port_is_silent(p, r);
	request_next(r);
}

/* The packet for this server, in its secret. */
static ON_CTL int packet_make(struct rad_request *r, const struct rad_server *s)
{
	struct buf attrs;
	int64_t late_s = r->event_us ? (clock_wall_us() - r->event_us) / 1000000 : 0;
	uint8_t code = r->is_probe ? RAD_STATUS_SERVER : r->kind == RAD_ACCT ? RAD_ACCT_REQUEST : RAD_ACCESS_REQUEST;
	buf_init(&attrs);
	buf_addv(&attrs, buf_sv(&r->attrs));
	int st = r->event_us ? rad_put_u32(&attrs, RAD_ACCT_DELAY_TIME,
	                           late_s < 0            ? 0
	                           : late_s > UINT32_MAX ? UINT32_MAX
	                                                 : (uint32_t)late_s)
	                     : ST_OK;
	rand_bytes(r->authenticator, sizeof(r->authenticator));
	if (!st)
		st = rad_request_make(r->packet, &r->n, code, r->id, r->authenticator, buf_sv(&attrs), sv_of(s->secret),
		    r->password ? sv_of(r->password) : SV_NONE);
	buf_fini(&attrs);
	return st;
}

static ON_CTL int request_begin(struct rad_request *r, struct rad_port *p)
{
	struct rad_socket *s = socket_of(p);
	if (!s)
		return ST_FULL;
	slot_take(r, s);
	int st = packet_make(r, p->server);
	if (st) {
		slot_release(r);
		return st;
	}
	r->tries = 1;
	r->sent_us = clock_mono_us();
	p->counts.sent++;
	(void)udp_send(s->udp, &p->addr, r->packet, r->n); /* what the socket does not take is sent again */
	loop_timer_set(&r->again, p->server->timeout_us, "radius again", on_again, r);
	return ST_OK;
}

/* To the next server that may answer; none: that is the answer. */
static void request_next(struct rad_request *r)
{
	for (; r->next_server < server_count; r->next_server++) {
		struct rad_port *p = &servers[r->next_server]->ports[r->kind];
		bool is_dead = p->dead_until_us != 0;
		if (!p->number || !addr_is_set(&p->addr) ||
		    (is_dead && (p->is_on_trial || loop_now_us() < p->dead_until_us)))
			continue;
		int st = request_begin(r, p);
		if (st == ST_LIMIT) {
			request_end_later(r, st);
			return;
		}
		if (!st) {
			r->is_trial = p->is_on_trial = is_dead;
			return;
		}
		r->was_full = true;
	}
	request_end_later(r, r->was_full ? ST_FULL : rad_is_served(r->kind) ? ST_TIMEOUT : ST_NOTFOUND);
}

static void on_deadline(void *arg)
{
	struct rad_request *r = arg;
	role_assert_ctl();
	struct rad_port *p = r->socket ? r->socket->port : NULL;
	bool has_waited = p && clock_mono_us() - r->sent_us >= p->server->timeout_us;
	slot_release(r);
	if (has_waited)
		port_is_silent(p, r);
	request_end(r, ST_TIMEOUT, NULL);
}

int rad_ask(struct rad_request **out, const struct rad_question *q, rad_answer_fn fn, void *arg)
{
	if (!is_running)
		return ST_UNLOADED;
	struct rad_request *r = mem_zalloc(sizeof(*r) + RAD_PACKET_MAX_BYTES);
	if (!r)
		return ST_NOMEM;
	r->kind = q->kind;
	buf_init(&r->attrs);
	buf_addv(&r->attrs, q->attrs);
	r->password = q->password.p ? sv_dup(q->password) : NULL;
	r->event_us = q->event_us;
	r->fn = fn;
	r->arg = arg;
	list_push(&requests, &r->link);
	if (q->deadline_us > 0)
		loop_timer_set(&r->deadline, q->deadline_us, "radius deadline", on_deadline, r);
	if (out)
		*out = r;
	request_next(r);
	return ST_OK;
}

void rad_cancel(struct rad_request *r)
{
	if (r)
		request_free(r);
}

/* ---- answers -------------------------------------------------------------------------------------------------- */
static bool is_fitting(const struct rad_request *r, uint8_t code)
{
	if (r->is_probe)
		return code == RAD_ACCESS_ACCEPT || code == RAD_ACCT_RESPONSE || code == RAD_ACCESS_REJECT;
	if (r->kind == RAD_ACCT)
		return code == RAD_ACCT_RESPONSE;
	return code == RAD_ACCESS_ACCEPT || code == RAD_ACCESS_REJECT || code == RAD_ACCESS_CHALLENGE;
}

/* Who forges must not be able to fill the log. */
static ON_CTL void forged_tell(struct rad_port *p)
{
	p->counts.forged++;
	if (!p->is_forged_told)
		log_error(
		    "radius: an answer of server %s (%s) is not proved by its secret: the secret is another there, or "
		    "somebody forges; told once until a right one comes",
		    p->server->name, kind_name(p->kind));
	p->is_forged_told = true;
}

static ON_CTL bool is_proved(struct rad_port *p, const struct rad_request *r, const struct rad_packet *answer)
{
	enum rad_proof proof = rad_answer_check(answer, r->authenticator, sv_of(p->server->secret));
	if (proof == RAD_FORGED) {
		const uint8_t *before = r->socket->before[r->id];
		if (rad_answer_check(answer, before, sv_of(p->server->secret)) == RAD_FORGED)
			forged_tell(p);
		else
			p->counts.strange++; /* late */
		return false;
	}
	/* a Status-Server's answer lets nobody in, and servers send it without */
	if (proof == RAD_PROVED || r->is_probe || answer->code == RAD_ACCT_RESPONSE ||
	    !p->server->needs_message_authenticator)
		return true;
	p->counts.unproved++;
	if (!p->is_unproved_told)
		log_error(
		    "radius: server %s answers without a Message-Authenticator, which could be forged "
		    "(CVE-2024-3596): not believed. Let it send one, or set require-message-authenticator to false",
		    p->server->name);
	p->is_unproved_told = true;
	return false;
}

static void on_datagram(const char *data, size_t n, const struct addr *src, void *arg)
{
	struct rad_socket *s = arg;
	struct rad_packet answer;
	role_assert_ctl();
	struct rad_port *p = s->port;
	if (!addr_eq(src, &p->addr) || rad_parse(&answer, data, n)) {
		p->counts.strange++;
		return;
	}
	struct rad_request *r = s->requests[answer.id];
	if (!r || !is_fitting(r, answer.code)) { /* late, or twice */
		p->counts.strange++;
		return;
	}
	if (!is_proved(p, r, &answer))
		return;
	p->counts.answered++;
	p->counts.accepted += !r->is_probe && answer.code == RAD_ACCESS_ACCEPT;
	p->counts.rejected += !r->is_probe && answer.code == RAD_ACCESS_REJECT;
	p->is_forged_told = p->is_unproved_told = false;
	port_lives(p);
	request_end(r, ST_OK, &answer);
}

/* ---- Status-Server -------------------------------------------------------------------------------------------- */
static void on_probed(int status, const struct rad_packet *answer, void *arg)
{
	struct rad_port *p = arg;
	role_assert_ctl();
	p->probing = NULL;
	if (status && is_running)
		port_probe_later(p);
}

static void on_probe(void *arg)
{
	struct rad_port *p = arg;
	role_assert_ctl();
	if (!addr_is_set(&p->addr) || p->probing) {
		port_probe_later(p);
		return;
	}
	struct rad_request *r = mem_zalloc(sizeof(*r) + RAD_PACKET_MAX_BYTES);
	if (!r) {
		port_probe_later(p);
		return;
	}
	r->kind = p->kind;
	r->is_probe = true;
	r->fn = on_probed;
	r->arg = p;
	buf_init(&r->attrs);
	(void)rad_nas_put(&r->attrs);
	list_push(&requests, &r->link);
	p->probing = r;
	int st = request_begin(r, p);
	if (st)
		request_end_later(r, st);
}

static void port_probe_later(struct rad_port *p)
{
	if (p->server->has_status && p->dead_until_us)
		loop_timer_set(&p->probe, p->server->probe_us, "radius probe", on_probe, p);
}

/* ---- names ---------------------------------------------------------------------------------------------------- */
static void on_resolve(void *arg);

static ON_CTL void resolved(size_t i, const struct dns_answer *a)
{
	struct rad_server *s = servers[i];
	if (a->status) {
		log_error("radius: server %s: %s cannot be resolved: %s", s->name, s->host, status_text(a->status));
		loop_timer_set(&resolvers[i], RESOLVE_US, "radius resolve", on_resolve, &resolvers[i]);
		return;
	}
	for (int k = 0; k < RAD_KIND_COUNT; k++) {
		s->ports[k].addr = a->records[0].addr;
		addr_set_port(&s->ports[k].addr, s->ports[k].number);
	}
	if (s->ports[RAD_ACCT].number)
		rad_spool_go();
}

static void on_dns(const struct dns_answer *a, void *arg)
{
	size_t i = (size_t)((struct ltimer *)arg - resolvers);
	role_assert_ctl();
	servers[i]->asking = NULL;
	resolved(i, a);
}

static void on_resolve(void *arg)
{
	size_t i = (size_t)((struct ltimer *)arg - resolvers);
	struct dns_answer a;
	role_assert_ctl();
	int st = dns_ask(&servers[i]->asking, DNS_ADDRESS, sv_of(servers[i]->host), NULL, RESOLVE_US, &a, on_dns, arg);
	if (st != ST_AGAIN)
		resolved(i, &a);
}

/* ---- life ----------------------------------------------------------------------------------------------------- */
int rad_server_add(const struct rad_server *s, const uint16_t ports[RAD_KIND_COUNT])
{
	if (server_count == RAD_SERVERS_MAX)
		return ST_FULL;
	struct rad_server *copy = mem_zalloc(sizeof(*copy));
	*copy = *s;
	for (int k = 0; k < RAD_KIND_COUNT; k++)
		copy->ports[k] = (struct rad_port){.server = copy, .kind = (enum rad_kind)k, .number = ports[k]};
	servers[server_count++] = copy;
	return ST_OK;
}

int rad_servers_start(void)
{
	is_running = true;
	for (size_t i = 0; i < server_count; i++) {
		struct addr a;
		struct dns_answer known = {.count = 1};
		if (addr_parse(&a, sv_of(servers[i]->host), 0)) {
			on_resolve(&resolvers[i]);
		} else {
			known.records[0].addr = a;
			resolved(i, &known);
		}
	}
	return ST_OK;
}

void rad_servers_stop(void)
{
	is_running = false;
	while (!list_empty(&requests))
		request_end(list_entry(list_first(&requests), struct rad_request, link), ST_CANCELLED, NULL);
	for (size_t i = 0; i < server_count; i++) {
		struct rad_server *s = servers[i];
		dns_cancel(s->asking);
		loop_timer_cancel(&resolvers[i]);
		for (int k = 0; k < RAD_KIND_COUNT; k++) {
			loop_timer_cancel(&s->ports[k].probe);
			for (size_t n = 0; n < s->ports[k].socket_count; n++) {
				udp_close(s->ports[k].sockets[n]->udp);
				mem_free(s->ports[k].sockets[n]);
			}
		}
		OPENSSL_cleanse(s->secret, strlen(s->secret));
		mem_free(s->name), mem_free(s->host), mem_free(s->secret);
		mem_free(s);
	}
	server_count = 0;
}

/* ---- from a coroutine ----------------------------------------------------------------------------------------- */
struct waiting {
	struct co_wait *wait;
	struct buf *bytes;
	bool is_over;
};

static void on_waited(int status, const struct rad_packet *answer, void *arg)
{
	struct waiting *w = arg;
	role_assert_ctl();
	w->is_over = true;
	if (answer)
		buf_addv(w->bytes, answer->whole);
	co_signal(w->wait, status);
}

int rad_ask_wait(struct co_wait *wait, const struct rad_question *q, struct buf *bytes, struct rad_packet *answer)
{
	struct waiting w = {wait, bytes, false};
	struct rad_request *r;
	int st = rad_ask(&r, q, on_waited, &w);
	if (st)
		return st;
	st = co_wait(wait, -1); /* the request has its deadline */
	if (!w.is_over)
		rad_cancel(r);
	return st ? st : rad_parse(answer, bytes->p, bytes->n);
}
