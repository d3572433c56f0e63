/* TCP listeners and connections of a profile: bytes in are framed into messages, connections are found again by the far
 * address, answers go back on the connection the request came on. What is sent before a connection stands is kept. */
#include "sip/sip_i.h"

#define CONNECT_TIMEOUT_US (10 * 1000000LL)
#define IDLE_TIMEOUT_US (3600 * 1000000LL)
#define OUT_QUEUE_BYTES (1u << 20)

static void conn_dtor(void *obj)
{
	struct sip_conn *c = obj;
	buf_fini(&c->in);
	buf_fini(&c->pending);
}

static uint64_t addr_key(const struct addr *a)
{
	if (a->sa.sa_family == AF_INET6)
		return sip_key((struct sv){(const char *)&a->in6.sin6_addr, 16}, SV_NONE, SV_NONE, addr_port(a));
	return sip_key((struct sv){(const char *)&a->in4.sin_addr, 4}, SV_NONE, SV_NONE, addr_port(a));
}

/* Unlinks, tells the client requests that waited here, drops the stack's reference. */
static ON_CTL void conn_end(struct sip_conn *c)
{
	struct sip_stack *s = c->stack;
	struct lnode *n;
	if (!lnode_is_linked(&c->link))
		return;
	list_remove(&c->link);
	sip_table_del(&s->conn_table, &c->node);
	c->is_open = c->is_connecting = false;
	if (c->c) {
		tcp_conn_close(c->c);
		c->c = mem_unref(c->c);
	}
	while ((n = list_first(&c->ctxs))) {
		list_remove(n);
		sip_ctx_conn_lost(list_entry(n, struct sip_ctx, conn_link));
	}
	mem_unref(c);
}

static ON_CTL bool take_frames(struct sip_conn *c)
{
	struct sip_source src = {.transport = SIP_TCP, .peer = c->peer, .local = c->local, .conn = c};
	struct sip_stack *s = c->stack;
	size_t at = 0;
	while (at < c->in.n && c->is_open) {
		struct sip_frame f;
		const char *why = NULL;
		if (sip_frame_next(&f, c->in.p + at, c->in.n - at, s->cfg.max_message_bytes, &why)) {
			s->stats.malformed++;
			if (s->h.on_malformed)
				s->h.on_malformed(s, &c->peer, (struct sv){c->in.p + at, c->in.n - at}, why, s->arg);
			return false;
		}
		if (f.is_ping)
			tcp_conn_send(c->c, "\r\n", 2);
		at += f.skip;
		if (!f.size)
			break;
		sip_stack_input(s, &src, c->in.p + at, f.size, true);
		at += f.size;
	}
	if (c->is_open)
		buf_drop(&c->in, at);
	return c->is_open;
}

static void on_data(struct tcp_conn *tc, const char *data, size_t n, void *arg)
{
	role_assert_ctl();
	struct sip_conn *c = mem_ref(arg);
	if (c->is_open && (buf_add(&c->in, data, n) || !take_frames(c)))
		conn_end(c);
	mem_unref(c);
}

static void on_connect(struct tcp_conn *tc, int status, void *arg)
{
	role_assert_ctl();
	struct sip_conn *c = arg;
	if (status) {
		conn_end(c);
		return;
	}
	c->is_connecting = false;
	c->is_open = true;
	c->local = *tcp_conn_local(tc);
	if (c->pending.n && tcp_conn_send(tc, c->pending.p, c->pending.n)) {
		conn_end(c);
		return;
	}
	buf_fini(&c->pending);
	buf_init(&c->pending);
}

static void on_close(struct tcp_conn *tc, int status, void *arg)
{
	role_assert_ctl();
	conn_end(arg);
}

static const struct tcp_handlers handlers = {.on_data = on_data, .on_connect = on_connect, .on_close = on_close};

static ON_CTL struct sip_conn *conn_new(struct sip_stack *s, const struct addr *peer)
{
	struct sip_conn *c = mem_new(sizeof(*c), conn_dtor, "sip.conn");
	if (!c)
		return NULL;
	c->stack = s;
	c->peer = *peer;
	list_init(&c->ctxs);
	buf_init(&c->in);
	c->in.max = SIP_MSG_HEAD_MAX_BYTES + s->cfg.max_message_bytes + 65536;
	buf_init(&c->pending);
	c->pending.max = OUT_QUEUE_BYTES;
	list_push(&s->conns, &c->link);
	sip_table_add(&s->conn_table, &c->node, addr_key(peer));
	return c;
}

static void on_accept(struct tcp_conn *tc, void *arg)
{
	role_assert_ctl();
	struct sip_tcp_listener *l = arg;
	struct sip_stack *s = l->stack;
	struct sip_conn *c = NULL;
	if (s->conn_table.count < s->cfg.max_tcp_conns)
		c = conn_new(s, tcp_conn_peer(tc));
	if (!c) {
		s->stats.shed++;
		return; /* nobody refers to it: it closes */
	}
	c->c = mem_ref(tc);
	c->local = *tcp_conn_local(tc);
	c->is_open = true;
	tcp_conn_set(tc, &handlers, c);
	tcp_conn_set_limits(tc, OUT_QUEUE_BYTES, IDLE_TIMEOUT_US);
}

int sip_stack_listen_tcp(struct sip_stack *s, const struct addr *bind, struct addr *bound)
{
	struct sip_tcp_listener *l = mem_zalloc(sizeof(*l));
	if (!l)
		return ST_NOMEM;
	l->stack = s;
	int st = tcp_listen(&l->l, bind, on_accept, l);
	if (st) {
		mem_free(l);
		return st;
	}
	tcp_listener_local(l->l, &l->local);
	list_push(&s->tcp_listeners, &l->link);
	if (bound)
		*bound = l->local;
	return ST_OK;
}

struct sip_conn *sip_conn_find(struct sip_stack *s, const struct addr *dst)
{
	struct sip_node *n = sip_table_first(&s->conn_table, addr_key(dst));
	for (; n; n = sip_node_next(n)) {
		struct sip_conn *c = list_entry(n, struct sip_conn, node);
		if (addr_eq(&c->peer, dst))
			return c;
	}
	return NULL;
}

int sip_conn_get(struct sip_conn **out, struct sip_stack *s, const struct addr *dst)
{
	struct sip_conn *c = sip_conn_find(s, dst);
	if (!c) {
		if (s->conn_table.count >= s->cfg.max_tcp_conns)
			return ST_LIMIT;
		c = conn_new(s, dst);
		if (!c)
			return ST_NOMEM;
		c->is_connecting = true;
		int st = tcp_connect(&c->c, dst, CONNECT_TIMEOUT_US, &handlers, c);
		if (st) {
			c->c = NULL;
			conn_end(c);
			return st;
		}
		tcp_conn_set_limits(c->c, OUT_QUEUE_BYTES, IDLE_TIMEOUT_US);
	}
	*out = c;
	return ST_OK;
}

int sip_conn_write(struct sip_conn *c, const char *p, size_t n)
{
	sip_stack_trace(c->stack, true, SIP_TCP, &c->local, &c->peer, p, n);
	if (c->is_connecting)
		return buf_add(&c->pending, p, n);
	return c->is_open ? tcp_conn_send(c->c, p, n) : ST_CLOSED;
}

void sip_tcp_close_all(struct sip_stack *s)
{
	struct lnode *n, *tmp;
	list_each (&s->tcp_listeners, n, tmp) {
		struct sip_tcp_listener *l = list_entry(n, struct sip_tcp_listener, link);
		tcp_listener_close(l->l);
		list_remove(n);
		mem_free(l);
	}
	while ((n = list_first(&s->conns)))
		conn_end(list_entry(n, struct sip_conn, link));
}
