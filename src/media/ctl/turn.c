/* Each allocation has a socket of its own, for a server tells them apart by where they come from; it is kept alive here
 * until it is taken, with its socket, by a stream. While the server has not answered there is one that asks; when that
 * one is up the others follow. A domain may name several places (turn_find.c): when one fails the next is tried at
 * once. What fails everywhere is told once, and tried again in half a minute, the names looked up anew, the authorities
 * (of TLS) read anew. A connection (turn_dial.c) comes before the question, where the server is asked over TCP, TLS or
 * DTLS.
 * Where the credentials end (a secret), one that nobody took in half their time makes way for a new one, as soon as
 * that is up: there is a slot more than are held ready. */
#include "media/ctl/turn.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "media/ctl/turn_dial.h"
#include "media/ctl/turn_find.h"
#include "media/ctl/turn_words.h"
#include "media/rt/turn_wire.h"
#include "net/dns.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AGAIN_US = 30000000, DNS_US = 10000000, DIAL_US = 10000000, LEASE_S = 86400 };
#define LEASE_US (LEASE_S * INT64_C(1000000))

struct slot {
	struct mturn *m;
	struct rt_turn *turn; /* NULL: free, unless: */
	struct turn_dial *dial;
	struct lpoll *poll;
	struct ltimer timer;
	int64_t made_us; /* its credentials */
	unsigned round;  /* mturn's, when it was begun */
	bool is_up;      /* and it is told */
};
struct mturn {
	struct turn_server server;
	char *username, *password, *ca_file;
	char *secret;             /* NULL: the other two are the credentials */
	struct dial_trust *trust; /* TLS: once it was read; as long as nothing fails */
	bool is_reading_trust;
	struct addr from, at;      /* at: the server's, unset while it is not known */
	struct turn_place *places; /* of the server; NULL: not known */
	size_t place, place_count; /* the one that is in use, or tried */
	unsigned round;            /* counts what failed */
	unsigned ready;
	bool is_closed, was_up, is_trouble_told;
	struct dns_ask *ask;
	struct turn_find *find;
	struct ltimer again;
	unsigned slot_count; /* one more than ready */
	struct slot slots[];
};

static void wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	mem_free(secret);
}

static void dtor(void *obj)
{
	struct mturn *m = obj;
	mem_free(m->server.host);
	mem_free(m->places);
	mem_free(m->username);
	mem_free(m->ca_file);
	mem_unref(m->trust);
	wipe(m->password);
	wipe(m->secret);
}

static const char *const by_names[] = {"UDP", "TCP", "TLS", "DTLS"};

/* ---- one allocation ---- */

static ON_CTL struct rt_turn *slot_part(struct slot *k)
{
	struct rt_turn *w = k->turn;
	loop_poll_close(k->poll);
	loop_timer_cancel(&k->timer);
	k->poll = NULL, k->turn = NULL;
	k->is_up = false;
	return w;
}

static int64_t age_us(const struct slot *k)
{
	return clock_mono_us() - k->made_us;
}
static bool is_old(const struct slot *k)
{
	return k->turn && k->m->secret && age_us(k) >= LEASE_US / 2;
}

static ON_CTL void fill(struct mturn *m);

static void on_again(void *arg)
{
	role_assert_ctl();
	fill(arg);
}

static ON_CTL void trouble_tell(struct mturn *m, bool is_last, const char *why, unsigned error)
{
	const char *place = m->place_count ? m->places[m->place].name : m->server.host;
	char code[16] = "";

	if (error)
		snprintf(code, sizeof(code), " (%u)", error);
	log_warning("media: TURN server %s: %s%s%s%s; %s", m->server.host, strcmp(place, m->server.host) ? place : "",
	    strcmp(place, m->server.host) ? ": " : "", why, code,
	    is_last ? "offers have no relayed candidate meanwhile" : "another of its places is tried");
}

static ON_CTL void trouble(struct mturn *m, const char *why, unsigned error)
{
	bool is_last = m->place + 1 >= m->place_count;

	if (!m->is_trouble_told)
		trouble_tell(m, is_last, why, error);
	m->is_trouble_told |= is_last, m->was_up = false;
	m->round++;
	memset(&m->at, 0, sizeof(m->at));
	m->trust = mem_unref(m->trust);
	if (is_last) {
		mem_free(m->places);
		m->places = NULL, m->place = m->place_count = 0;
	} else {
		m->place++;
	}
	loop_timer_set(&m->again, is_last ? AGAIN_US : 0, "turn.again", on_again, m);
}

/* One that was begun at a place that failed since says nothing of the next. */
static ON_CTL void slot_trouble(struct slot *k, const char *why, unsigned error)
{
	if (k->round == k->m->round)
		trouble(k->m, why, error);
	else
		fill(k->m);
}

/* One that is old goes when the new one in the slot beside them is up. */
static ON_CTL void old_leave(struct mturn *m)
{
	struct slot *old = NULL;
	unsigned used = 0;

	for (unsigned i = 0; i < m->slot_count; i++) {
		struct slot *k = &m->slots[i];
		used += k->turn || k->dial;
		if (is_old(k))
			old = k;
		else if (k->dial || (k->turn && !k->is_up))
			return;
	}
	if (old && used > m->ready)
		rt_turn_free(slot_part(old));
}

static ON_CTL void came_up(struct slot *k)
{
	struct mturn *m = k->m;
	char where[ADDR_TEXT_MAX];

	k->is_up = true;
	if (!m->was_up)
		log_info("media: TURN server %s gives relayed addresses, %s, over %s", m->server.host,
		    addr_text(&k->turn->client.relayed, where),
		    by_names[m->places ? m->places[m->place].by : m->server.by]);
	m->was_up = true, m->is_trouble_told = false;
	old_leave(m);
	fill(m);
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
		slot_trouble(k, why, error);
		return;
	}
	if (m->secret && !is_old(k) && due_us > k->made_us + LEASE_US / 2)
		due_us = k->made_us + LEASE_US / 2;
	if (due_us < INT64_MAX) {
		int64_t left_us = due_us - clock_mono_us();
		loop_timer_set(&k->timer, left_us > 0 ? left_us : 0, "turn.due", on_timer, k);
	}
	if (c->state == TURN_UP && !k->is_up)
		came_up(k);
	else if (is_old(k))
		fill(m);
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

/* With a secret the credentials are good for a day from now. */
static ON_CTL int client_begin(struct mturn *m, struct rt_turn *w)
{
	struct turn_lease lease;
	struct turn_conf conf = {.username = m->username,
	    .password = m->password,
	    .send = rt_turn_to_server,
	    .random = rand_bytes,
	    .arg = w,
	    .is_stream = w->wire && !turn_wire_is_datagram(w->wire)};
	if (m->secret) {
		int st = turn_lease_make(m->secret, m->username, clock_wall_us() / 1000000 + LEASE_S, &lease);
		if (st)
			return st;
		conf.username = lease.username, conf.password = lease.password;
	}
	return turn_begin(&w->client, &conf, clock_mono_us());
}

/* conn: of a stream, taken when ST_OK; NULL: UDP. */
static ON_CTL int slot_begin(struct slot *k, struct dial_conn *conn)
{
	struct mturn *m = k->m;
	struct rt_turn *w = mem_zalloc(sizeof(*w));

	if (!w)
		return ST_NOMEM;
	int st = conn ? turn_wire_new(&w->wire, conn) : udp_open(m, w);
	if (st) {
		mem_free(w);
		return st;
	}
	if (conn)
		w->fd = turn_wire_fd(w->wire);
	k->turn = w;
	k->made_us = clock_mono_us();
	/* the words were looked at by mturn_open */
	if (client_begin(m, w) || loop_poll_open(&k->poll, w->fd, "turn", on_ready, k)) {
		rt_turn_free(slot_part(k));
		slot_trouble(k, "no memory, or its socket cannot be watched", 0);
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
		slot_trouble(k, why, 0);
	} else if (slot_begin(k, conn)) {
		dial_close(conn);
		slot_trouble(k, strerror(ENOMEM), 0);
	}
}

static ON_CTL int slot_open(struct slot *k)
{
	struct mturn *m = k->m;
	struct turn_dial_conf conf = {
	    .from = &m->from, .to = &m->at, .trust = m->trust, .host = m->server.host, .timeout_us = DIAL_US};
	k->round = m->round;
	if (!turn_is_secure(m->places[m->place].by))
		conf.trust = NULL;
	return m->places[m->place].by == TURN_BY_UDP ? slot_begin(k, NULL)
	                                             : turn_dial_begin(&k->dial, &conf, on_dialled, k);
}

/* ---- whom to believe ---- */

struct trust_job {
	struct mturn *m; /* a reference */
	char *path;
	bool is_datagram;
	struct dial_trust *made;
	int status;
};

static void trust_work(void *arg)
{
	struct trust_job *j = arg;
	role_assert_work();
	j->status = j->is_datagram ? dial_trust_datagram_new(&j->made, j->path) : dial_trust_new(&j->made, j->path);
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
	j->is_datagram = m->places[m->place].by == TURN_BY_DTLS;
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
		addr_set_port(&m->at, m->places[m->place].port);
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
	if (dns_ask(&m->ask, DNS_ADDRESS, sv_of(m->places[m->place].name), NULL, DNS_US, a, on_name, m) != ST_AGAIN)
		named(m, a);
	mem_free(a);
}

static void on_found(const struct turn_place *places, size_t count, void *arg)
{
	struct mturn *m = arg;

	role_assert_ctl();
	m->find = NULL;
	m->places = count ? mem_alloc(count * sizeof(*places)) : NULL;
	if (!m->places) {
		trouble(m, count ? "no memory" : "the domain says that it has none", 0);
		return;
	}
	memcpy(m->places, places, count * sizeof(*places));
	m->place = 0, m->place_count = count;
	fill(m);
}

static ON_CTL void fill(struct mturn *m)
{
	unsigned count = 0, up = 0;

	if (m->is_closed || loop_timer_is_set(&m->again))
		return;
	if (!m->places) {
		if (!m->find && turn_find_begin(&m->find, &m->server, on_found, m))
			trouble(m, strerror(ENOMEM), 0);
		return;
	}
	if (!addr_is_set(&m->at)) {
		name_ask(m);
		return;
	}
	if (turn_is_secure(m->places[m->place].by) && !m->trust) {
		trust_read(m);
		return;
	}
	for (unsigned i = 0; i < m->slot_count; i++) {
		count += (m->slots[i].turn && !is_old(&m->slots[i])) || m->slots[i].dial;
		up += m->slots[i].is_up && !is_old(&m->slots[i]);
	}
	unsigned wanted = m->was_up || up >= m->ready ? m->ready : up + 1; /* one that asks, until it has an answer */
	for (unsigned i = 0; i < m->slot_count && count < wanted; i++) {
		if (m->slots[i].turn || m->slots[i].dial)
			continue;
		if (slot_open(&m->slots[i])) {
			trouble(m, strerror(errno), 0);
			return;
		}
		count++;
	}
}

/* The youngest, which lasts longest; none whose credentials are over, as it is lost with its next refresh. */
struct rt_turn *mturn_take(struct mturn *m)
{
	struct slot *best = NULL;

	for (unsigned i = 0; m && !m->is_closed && i < m->slot_count; i++) {
		struct slot *k = &m->slots[i];
		if (!k->turn || k->turn->client.state != TURN_UP || (m->secret && age_us(k) >= LEASE_US))
			continue;
		if (!best || k->made_us > best->made_us)
			best = k;
	}
	if (!best)
		return NULL;
	struct rt_turn *w = slot_part(best);
	fill(m);
	return w;
}

static bool has_text(const char *s)
{
	return s && *s;
}

static bool words_are_good(const struct mturn_conf *c)
{
	size_t user = strlen(c->username), password = strlen(c->password);
	struct turn_lease lease;
	if (has_text(c->secret))
		return !turn_lease_make(c->secret, c->username, clock_wall_us() / 1000000, &lease);
	return user && user <= TURN_USER_MAX && password && password <= TURN_PASSWORD_MAX;
}

/* NULL: there is none, or (*st) no memory. */
static char *keep(const char *text, int *st)
{
	char *copy = has_text(text) ? mem_strdup(text) : NULL;
	if (has_text(text) && !copy)
		*st = ST_NOMEM;
	return copy;
}

int mturn_open(struct mturn **out, const struct mturn_conf *conf)
{
	unsigned ready = !conf->ready ? 1 : conf->ready > MTURN_READY_MAX ? MTURN_READY_MAX : conf->ready;
	struct mturn *m;

	if (!words_are_good(conf))
		return ST_INVAL;
	size_t size = sizeof(*m) + (ready + 1) * sizeof(m->slots[0]);
	m = mem_new(size, dtor, "media.turn");
	if (!m)
		return ST_NOMEM;
	memset(m, 0, size);
	m->ready = ready, m->slot_count = ready + 1;
	for (unsigned i = 0; i < m->slot_count; i++)
		m->slots[i].m = m;
	m->username = mem_strdup(conf->username), m->password = mem_strdup(conf->password);
	int st = m->username && m->password ? ST_OK : ST_NOMEM;
	m->ca_file = keep(conf->ca_file, &st), m->secret = keep(conf->secret, &st);
	if (!st)
		st = addr_parse(&m->from, sv_of(conf->from), 0);
	if (!st)
		st = turn_server_read(conf->server, &m->server);
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
	turn_find_cancel(m->find);
	m->find = NULL;
	loop_timer_cancel(&m->again);
	for (unsigned i = 0; i < m->slot_count; i++) {
		turn_dial_cancel(m->slots[i].dial);
		m->slots[i].dial = NULL;
		if (m->slots[i].turn)
			rt_turn_free(slot_part(&m->slots[i]));
	}
	mem_unref(m);
}
