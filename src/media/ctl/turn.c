/* Each allocation has a socket of its own, for a server tells them apart by where they come from; it is kept alive here
 * until it is taken, with its socket, by a stream. While the server has not answered there is one that asks; when that
 * one is up the others follow. What fails is told once, and tried again in half a minute, the name looked up anew, the
 * authorities (of TLS) read anew. A connection (turn_dial.c) comes before the question, where the server is asked over
 * TCP or TLS. */
#include "media/ctl/turn.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "media/ctl/turn_dial.h"
#include "media/rt/turn_wire.h"
#include "net/dns.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AGAIN_US = 30000000, DNS_US = 10000000, DIAL_US = 10000000, PORT = 3478, PORT_TLS = 5349 };

struct slot {
	struct mturn *m;
	struct rt_turn *turn; /* NULL: free, unless: */
	struct turn_dial *dial;
	struct lpoll *poll;
	struct ltimer timer;
};
struct mturn {
	char *server, *username, *password, *ca_file;
	enum { BY_UDP, BY_TCP, BY_TLS } by;
	struct dial_trust *trust; /* TLS: once it was read; as long as nothing fails */
	bool is_reading_trust;
	struct addr from, at; /* at: the server's, unset while it is not known */
	uint16_t port;
	unsigned ready;
	bool is_closed, was_up, is_trouble_told;
	struct dns_ask *ask;
	struct ltimer again;
	struct slot slots[];
};

static void dtor(void *obj)
{
	struct mturn *m = obj;
	mem_free(m->server);
	mem_free(m->username);
	mem_free(m->ca_file);
	mem_unref(m->trust);
	if (m->password)
		explicit_bzero(m->password, strlen(m->password));
	mem_free(m->password);
}

static const char *const by_names[] = {"UDP", "TCP", "TLS"};

/* ---- one allocation ---- */

static ON_CTL struct rt_turn *slot_part(struct slot *k)
{
	struct rt_turn *w = k->turn;
	loop_poll_close(k->poll);
	loop_timer_cancel(&k->timer);
	k->poll = NULL, k->turn = NULL;
	return w;
}

static ON_CTL void fill(struct mturn *m);

static void on_again(void *arg)
{
	role_assert_ctl();
	fill(arg);
}

static ON_CTL void trouble(struct mturn *m, const char *why, unsigned error)
{
	if (!m->is_trouble_told && error)
		log_warning("media: TURN server %s: %s (%u); offers have no relayed candidate meanwhile", m->server,
		    why, error);
	else if (!m->is_trouble_told)
		log_warning("media: TURN server %s: %s; offers have no relayed candidate meanwhile", m->server, why);
	m->is_trouble_told = true, m->was_up = false;
	memset(&m->at, 0, sizeof(m->at));
	m->trust = mem_unref(m->trust);
	loop_timer_set(&m->again, AGAIN_US, "turn.again", on_again, m);
}

static void on_timer(void *arg);

static ON_CTL void slot_look(struct slot *k, int64_t due_us)
{
	struct mturn *m = k->m;
	const struct turn_client *c = &k->turn->client;
	if (c->state == TURN_FAILED) {
		const char *why = c->why;
		unsigned error = c->error;
		rt_turn_free(slot_part(k));
		trouble(m, why, error);
		return;
	}
	if (due_us < INT64_MAX) {
		int64_t left_us = due_us - clock_mono_us();
		loop_timer_set(&k->timer, left_us > 0 ? left_us : 0, "turn.due", on_timer, k);
	}
	if (c->state == TURN_UP && !m->was_up) {
		char where[ADDR_TEXT_MAX];
		m->was_up = true, m->is_trouble_told = false;
		log_info("media: TURN server %s gives relayed addresses, %s, over %s", m->server,
		    addr_text(&c->relayed, where), by_names[m->by]);
		fill(m);
	}
}

static void on_timer(void *arg)
{
	struct slot *k = arg;
	role_assert_ctl();
	slot_look(k, turn_run(&k->turn->client, clock_mono_us()));
}

static void on_ready(int events, void *arg)
{
	struct slot *k = arg;

	role_assert_ctl();
	int64_t now_us = clock_mono_us();
	rt_turn_look(k->turn, now_us);
	if (k->turn->wire)
		(void)loop_poll_set(k->poll, LOOP_READ | (turn_wire_is_full(k->turn->wire) ? LOOP_WRITE : 0));
	slot_look(k, turn_run(&k->turn->client, now_us));
}

static ON_CTL int udp_open(struct mturn *m, struct rt_turn *w)
{
	w->fd = socket(m->at.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->fd < 0)
		return ST_IO;
	if (!bind(w->fd, &m->from.sa, addr_len(&m->from)) && !connect(w->fd, &m->at.sa, addr_len(&m->at)))
		return ST_OK;
	int error = errno;
	close(w->fd);
	errno = error;
	return ST_IO;
}

/* conn: of a stream, taken when ST_OK; NULL: UDP. */
static ON_CTL int slot_begin(struct slot *k, struct dial_conn *conn)
{
	struct mturn *m = k->m;
	struct rt_turn *w = mem_zalloc(sizeof(*w));

	if (!w)
		return ST_NOMEM;
	struct turn_conf conf = {.username = m->username,
	    .password = m->password,
	    .send = rt_turn_to_server,
	    .random = rand_bytes,
	    .arg = w,
	    .is_stream = conn != NULL};
	int st = conn ? turn_wire_new(&w->wire, conn) : udp_open(m, w);
	if (st) {
		mem_free(w);
		return st;
	}
	if (conn)
		w->fd = turn_wire_fd(w->wire);
	k->turn = w;
	(void)turn_begin(&w->client, &conf, clock_mono_us()); /* the words were looked at by mturn_open */
	if (loop_poll_open(&k->poll, w->fd, "turn", on_ready, k)) {
		rt_turn_free(slot_part(k));
		trouble(m, "its socket cannot be watched", 0);
		return ST_OK; /* conn is gone with it */
	}
	(void)loop_poll_set(k->poll, LOOP_READ);
	slot_look(k, turn_run(&w->client, clock_mono_us()));
	return ST_OK;
}

static void on_dialled(struct dial_conn *conn, const char *why, void *arg)
{
	struct slot *k = arg;
	role_assert_ctl();
	k->dial = NULL;
	if (!conn) {
		trouble(k->m, why, 0);
	} else if (slot_begin(k, conn)) {
		dial_close(conn);
		trouble(k->m, strerror(ENOMEM), 0);
	}
}

static ON_CTL int slot_open(struct slot *k)
{
	struct mturn *m = k->m;
	struct turn_dial_conf conf = {
	    .from = &m->from, .to = &m->at, .trust = m->trust, .host = m->server, .timeout_us = DIAL_US};
	return m->by == BY_UDP ? slot_begin(k, NULL) : turn_dial_begin(&k->dial, &conf, on_dialled, k);
}

/* ---- whom to believe ---- */

struct trust_job {
	struct mturn *m; /* a reference */
	char *path;
	struct dial_trust *made;
	int status;
};

static void trust_work(void *arg)
{
	struct trust_job *j = arg;
	role_assert_work();
	j->status = dial_trust_new(&j->made, j->path);
}

static void trust_done(int status, void *arg)
{
	struct trust_job *j = arg;
	struct mturn *m = j->m;

	role_assert_ctl();
	m->is_reading_trust = false;
	if (!m->is_closed && !status && !j->status) {
		m->trust = j->made;
		fill(m);
	} else {
		mem_unref(j->made);
		if (!m->is_closed && !status)
			trouble(m, "the file of turn-ca-file is not there, or holds no certificate", 0);
	}
	mem_free(j->path);
	mem_free(j);
	mem_unref(m);
}

static ON_CTL void trust_read(struct mturn *m)
{
	struct trust_job *j = m->is_reading_trust ? NULL : mem_zalloc(sizeof(*j));
	if (!j)
		return;
	j->m = mem_ref(m), j->path = m->ca_file ? mem_strdup(m->ca_file) : NULL;
	m->is_reading_trust = true;
	if ((m->ca_file && !j->path) || work_submit(WORK_FILE, "media.turn_ca", trust_work, trust_done, j)) {
		j->status = ST_NOMEM;
		trust_done(ST_OK, j);
	}
}

/* ---- all of them ---- */

static ON_CTL void named(struct mturn *m, const struct dns_answer *a)
{
	if (a->status) {
		trouble(m, "its name has no address", 0);
		return;
	}
	for (size_t i = 0; i < a->count; i++) {
		if (a->records[i].addr.sa.sa_family != m->from.sa.sa_family)
			continue;
		m->at = a->records[i].addr;
		addr_set_port(&m->at, m->port);
		fill(m);
		return;
	}
	trouble(m, "it has no address of our family", 0);
}

static void on_name(const struct dns_answer *a, void *arg)
{
	struct mturn *m = arg;
	role_assert_ctl();
	m->ask = NULL;
	named(m, a);
}

static ON_CTL void name_ask(struct mturn *m)
{
	struct dns_answer *a = mem_alloc(sizeof(*a));
	if (!a || m->ask) {
		mem_free(a);
		return;
	}
	if (dns_ask(&m->ask, DNS_ADDRESS, sv_of(m->server), NULL, DNS_US, a, on_name, m) != ST_AGAIN)
		named(m, a);
	mem_free(a);
}

static ON_CTL void fill(struct mturn *m)
{
	unsigned count = 0, wanted = m->was_up ? m->ready : 1;

	if (m->is_closed || loop_timer_is_set(&m->again))
		return;
	if (!addr_is_set(&m->at)) {
		name_ask(m);
		return;
	}
	if (m->by == BY_TLS && !m->trust) {
		trust_read(m);
		return;
	}
	for (unsigned i = 0; i < m->ready; i++)
		count += m->slots[i].turn || m->slots[i].dial;
	for (unsigned i = 0; i < m->ready && count < wanted; i++) {
		if (m->slots[i].turn || m->slots[i].dial)
			continue;
		if (slot_open(&m->slots[i])) {
			trouble(m, strerror(errno), 0);
			return;
		}
		count++;
	}
}

struct rt_turn *mturn_take(struct mturn *m)
{
	for (unsigned i = 0; m && !m->is_closed && i < m->ready; i++) {
		struct slot *k = &m->slots[i];
		if (!k->turn || k->turn->client.state != TURN_UP)
			continue;
		struct rt_turn *w = slot_part(k);
		fill(m);
		return w;
	}
	return NULL;
}

/* ---- the name of a server ---- */

/* RFC 7065; "turns" over UDP would be DTLS. */
static ON_CTL int transport_read(struct mturn *m, bool is_tls, struct sv query)
{
	bool is_udp = sv_isi(query, "transport=udp"), is_tcp = sv_isi(query, "transport=tcp");
	m->by = is_tls ? BY_TLS : is_tcp ? BY_TCP : BY_UDP;
	return (query.n && !is_udp && !is_tcp) || (is_tls && is_udp) ? ST_UNSUPPORTED : ST_OK;
}

static ON_CTL int server_read(struct mturn *m, const char *text)
{
	struct sv rest = sv_trim(sv_of(text)), host = rest, query = SV_NONE, port = SV_NONE;
	bool is_tls = sv_startsi(rest, SV("turns:"));
	uint32_t number = is_tls ? PORT_TLS : PORT;

	if (is_tls || sv_startsi(rest, SV("turn:")))
		host = rest = sv_sub(rest, is_tls ? 6 : 5, rest.n);
	(void)sv_split(rest, '?', &host, &query);
	if (transport_read(m, is_tls, query))
		return ST_UNSUPPORTED;
	if (host.n && host.p[0] == '[') { /* [v6]:port */
		if (!sv_split(sv_sub(host, 1, host.n), ']', &host, &port))
			return ST_PARSE;
		if (port.n && port.p[0] != ':')
			return ST_PARSE;
		port = sv_sub(port, 1, port.n);
	} else {
		(void)sv_split(host, ':', &host, &port);
	}
	if (!host.n || host.n > DNS_NAME_MAX || (port.n && (sv_u32(port, &number) || !number || number > 65535)))
		return ST_PARSE;
	m->port = (uint16_t)number;
	m->server = sv_dup(host);
	return m->server ? ST_OK : ST_NOMEM;
}

int mturn_open(struct mturn **out, const struct mturn_conf *conf)
{
	unsigned ready = !conf->ready ? 1 : conf->ready > MTURN_READY_MAX ? MTURN_READY_MAX : conf->ready;
	size_t user = strlen(conf->username), password = strlen(conf->password);
	struct mturn *m;

	if (!user || user > TURN_USER_MAX || !password || password > TURN_PASSWORD_MAX)
		return ST_INVAL;
	m = mem_new(sizeof(*m) + ready * sizeof(m->slots[0]), dtor, "media.turn");
	if (!m)
		return ST_NOMEM;
	memset(m, 0, sizeof(*m) + ready * sizeof(m->slots[0]));
	m->ready = ready;
	for (unsigned i = 0; i < ready; i++)
		m->slots[i].m = m;
	m->username = mem_strdup(conf->username), m->password = mem_strdup(conf->password);
	bool has_ca = conf->ca_file && *conf->ca_file;
	m->ca_file = has_ca ? mem_strdup(conf->ca_file) : NULL;
	int st = m->username && m->password && (m->ca_file || !has_ca) ? addr_parse(&m->from, sv_of(conf->from), 0)
	                                                               : ST_NOMEM;
	if (!st)
		st = server_read(m, conf->server);
	if (st) {
		mem_unref(m);
		return st;
	}
	fill(m);
	*out = m;
	return ST_OK;
}

void mturn_close(struct mturn *m)
{
	if (!m)
		return;
	m->is_closed = true;
	dns_cancel(m->ask);
	m->ask = NULL;
	loop_timer_cancel(&m->again);
	for (unsigned i = 0; i < m->ready; i++) {
		turn_dial_cancel(m->slots[i].dial);
		m->slots[i].dial = NULL;
		if (m->slots[i].turn)
			rt_turn_free(slot_part(&m->slots[i]));
	}
	mem_unref(m);
}
