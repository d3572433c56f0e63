/* The HTTP server's listener: who may connect, how many, and the list of connections (http_conn.c). */
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http_i.h"

void http_host_count(struct http_server *s, const char *host, long change)
{
	long n = (long)(intptr_t)hash_get(s->hosts, sv_of(host)) + change;
	if (n > 0)
		hash_set(s->hosts, sv_of(host), (void *)(intptr_t)n);
	else
		hash_take(s->hosts, sv_of(host));
}

static void on_accept(struct tcp_conn *tcp, void *arg)
{
	struct http_server *s = arg;
	char host[ADDR_TEXT_MAX];
	role_assert_ctl();
	if (s->h->may_connect && !s->h->may_connect(tcp_conn_peer(tcp), s->arg)) {
		s->counts.refused++;
		return;
	}
	addr_host(tcp_conn_peer(tcp), host);
	size_t of_host = (size_t)(intptr_t)hash_get(s->hosts, sv_of(host));
	bool is_full = s->counts.conns >= s->conf.max_conns || of_host >= s->conf.max_conns_per_host;
	struct http_conn *c = http_conn_new(s, tcp);
	if (!c)
		return;
	if (!is_full) {
		/* the first request has to come like any head: not a byte is like one that never ends */
		http_conn_stage(c, STAGE_HEAD);
		return;
	}
	s->counts.refused++;
	if (!s->refused_told_us || loop_now_us() - s->refused_told_us > 10000000) {
		s->refused_told_us = loop_now_us();
		log_warning("HTTP: too many connections (%zu, %zu of them from %s): refused", s->counts.conns - 1,
		    of_host, host);
	}
	c->stage = STAGE_HEAD;
	http_conn_refuse(c, 503, "too many connections");
}

int http_server_open(
    struct http_server **out, const struct http_server_conf *conf, const struct http_handlers *h, void *arg)
{
	struct http_server *s = mem_zalloc(sizeof(*s));
	int st = s ? hash_new(&s->hosts, 0, NULL) : ST_NOMEM;
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
		hash_free(s->hosts);
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
	hash_free(s->hosts);
	mem_free(s);
}

void http_server_counts(const struct http_server *s, struct http_server_counts *out)
{
	*out = s->counts;
}
