/* Each allocation has a socket of its own, for a server tells them apart by where they come from; it is kept alive here
 * until it is taken, with its socket, by a stream. While the server has not answered there is one that asks; when that
 * one is up the others follow. What fails is told once, and tried again in half a minute, the name looked up anew. */
#include "media/ctl/turn.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "loop/loop.h"
#include "net/dns.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AGAIN_US = 30000000, DNS_US = 10000000, PORT = 3478 };

struct slot {
	struct mturn *m;
	struct rt_turn *turn; /* NULL: free */
	struct lpoll *poll;
	struct ltimer timer;
};
struct mturn {
	char *server, *username, *password;
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
	if (m->password)
		explicit_bzero(m->password, strlen(m->password));
	mem_free(m->password);
}

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
		log_info("media: TURN server %s gives relayed addresses, %s", m->server, addr_text(&c->relayed, where));
		fill(m);
	}
}

static void on_timer(void *arg)
{
	struct slot *k = arg;
	role_assert_ctl();
	slot_look(k, turn_run(&k->turn->client, clock_mono_us()));
}

static void on_readable(int events, void *arg)
{
	struct slot *k = arg;
	uint8_t p[STUN_BYTES_MAX];
	struct addr from;
	struct sv data;

	role_assert_ctl();
	ssize_t n = recv(k->turn->fd, p, sizeof(p), MSG_DONTWAIT);
	int64_t now_us = clock_mono_us();
	if (n > 0) /* nobody has a permission yet: what peers send is for nobody */
		(void)turn_packet(&k->turn->client, p, (size_t)n, now_us, &from, &data);
	slot_look(k, turn_run(&k->turn->client, now_us));
}

static ON_CTL int slot_begin(struct slot *k)
{
	struct mturn *m = k->m;
	struct rt_turn *w = mem_zalloc(sizeof(*w));

	if (!w)
		return ST_NOMEM;
	struct turn_conf conf = {.username = m->username,
	    .password = m->password,
	    .send = rt_turn_to_server,
	    .random = rand_bytes,
	    .arg = w};
	w->fd = socket(m->at.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->fd < 0 || bind(w->fd, &m->from.sa, addr_len(&m->from)) || connect(w->fd, &m->at.sa, addr_len(&m->at)) ||
	    loop_poll_open(&k->poll, w->fd, "turn", on_readable, k)) {
		if (w->fd >= 0)
			close(w->fd);
		mem_free(w);
		return ST_IO;
	}
	k->turn = w;
	(void)loop_poll_set(k->poll, LOOP_READ);
	int st = turn_begin(&w->client, &conf, clock_mono_us());
	if (st)
		rt_turn_free(slot_part(k));
	else
		slot_look(k, turn_run(&w->client, clock_mono_us()));
	return st;
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
	for (unsigned i = 0; i < m->ready; i++)
		count += m->slots[i].turn != NULL;
	for (unsigned i = 0; i < m->ready && count < wanted; i++) {
		if (m->slots[i].turn)
			continue;
		if (slot_begin(&m->slots[i])) {
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

static ON_CTL int server_read(struct mturn *m, const char *text)
{
	struct sv rest = sv_trim(sv_of(text)), host = rest, query = SV_NONE, port = SV_NONE;
	uint32_t number = PORT;

	if (sv_startsi(rest, SV("turns:")))
		return ST_UNSUPPORTED;
	if (sv_startsi(rest, SV("turn:")))
		host = rest = sv_sub(rest, 5, rest.n);
	if (sv_split(rest, '?', &host, &query) && query.n && !sv_isi(query, "transport=udp"))
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
	int st = m->username && m->password ? addr_parse(&m->from, sv_of(conf->from), 0) : ST_NOMEM;
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
	for (unsigned i = 0; i < m->ready; i++)
		if (m->slots[i].turn)
			rt_turn_free(slot_part(&m->slots[i]));
	mem_unref(m);
}
