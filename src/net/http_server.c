/* The HTTP server's listener: who may connect, how many, and the list of connections (http_conn.c). */
#include "base/mem.h"
#include "net/http_i.h"

/* No room: it is told, unless many are being told already. */
static ON_CTL void refuse(struct http_server *s, struct http_conn *c)
{
	s->counts.refused++;
	if (s->refusing_count >= REFUSING_MAX_COUNT) {
		tcp_conn_abort(c->tcp);
		http_conn_end(c, true);
		return;
	}
	c->is_refusing = true;
	s->refusing_count++;
	c->stage = STAGE_HEAD;
	http_conn_refuse(c, 503, "too many connections");
}

static void on_guard_end(enum conn_end why, void *arg)
{
	struct http_conn *c = arg;
	role_assert_ctl();
	tcp_conn_abort(c->tcp);
	http_conn_end(c, true);
}

static void on_accept(struct tcp_conn *tcp, void *arg)
{
	struct http_server *s = arg;
	role_assert_ctl();
	if (s->h->may_connect && !s->h->may_connect(tcp_conn_peer(tcp), s->arg)) {
		s->counts.refused++;
		return;
	}
	struct http_conn *c = http_conn_new(s, tcp);
	if (!c)
		return;
	if (conn_guard_enter(&c->guard, s->limit, tcp_conn_peer(tcp), false, on_guard_end, c)) {
		refuse(s, c);
		return;
	}
	tcp_conn_set_guard(tcp, &c->guard);
	/* the first request has to come like any head: not a byte is like one that never ends */
	http_conn_stage(c, STAGE_HEAD);
}

int http_server_open(
    struct http_server **out, const struct http_server_conf *conf, const struct http_handlers *h, void *arg)
{
	struct http_server *s = mem_zalloc(sizeof(*s));
	struct conn_limit_conf limit = {.name = "HTTP",
	    .max_count = conf->max_conns,
	    .max_count_per_host = conf->max_conns_per_host,
	    .max_bytes = conf->max_stranger_bytes ? conf->max_stranger_bytes : 32u << 20,
	    .max_bytes_per_host = conf->max_stranger_bytes_per_host ? conf->max_stranger_bytes_per_host : 4u << 20,
	    .keeps_spoken = true,
	    .is_trusted_free = true}; /* the deadlines are the connection's stages' */
	int st = s ? conn_limit_new(&s->limit, &limit) : ST_NOMEM;
	if (st)
		goto fail;
	s->conf = *conf;
	s->h = h, s->arg = arg;
	list_init(&s->conns);
	st = tcp_listen(&s->listener, &conf->bind, on_accept, s);
	if (st)
		goto fail;
	*out = s;
	return ST_OK;
fail:
	if (s)
		conn_limit_free(s->limit);
	mem_free(s);
	return st;
}

void http_server_local(const struct http_server *s, struct addr *out)
{
	tcp_listener_local(s->listener, out);
}

void http_server_close(struct http_server *s)
{
	struct lnode *node;
	if (!s)
		return;
	tcp_listener_close(s->listener);
	while ((node = list_first(&s->conns))) {
		struct http_conn *c = mem_ref(list_entry(node, struct http_conn, link));
		http_conn_end(c, false);
		mem_unref(c);
	}
	conn_limit_free(s->limit);
	mem_free(s);
}

void http_server_counts(const struct http_server *s, struct http_server_counts *out)
{
	*out = s->counts;
	conn_limit_counts(s->limit, &out->limit);
}
