/* TCP listeners and connections of a profile: bytes in are framed into messages, connections are found again by the far
 * address, answers go back on the connection the request came on. What is sent before a connection stands is kept. Who
 * may connect, for how long without a message, and what is buffered for him is net/conn_limit.h's; one whose request
 * was authenticated (sip_stx_trust) is no stranger any more and may send longer bodies. */
#include "sip/sip_i.h"

#define CONNECT_TIMEOUT_US (10 * 1000000LL)
#define IDLE_TIMEOUT_US (3600 * 1000000LL)
#define OUT_QUEUE_BYTES (1u << 20)
#define STRANGER_OUT_BYTES (64u << 10)
#define READ_BYTES 65536 /* what may come at once behind a whole message */
#define IN_KEEP_BYTES 4096

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
	conn_guard_leave(&c->guard);
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

static void on_guard_end(enum conn_end why, void *arg)
{
	role_assert_ctl();
	struct sip_conn *c = arg;
	tcp_conn_abort(c->c);
	conn_end(c);
}

static size_t body_max(const struct sip_conn *c)
{
	const struct sip_stack_config *cfg = &c->stack->cfg;
	bool is_bound = !conn_guard_is_trusted(&c->guard) && cfg->max_stranger_bytes < cfg->max_message_bytes;
	return is_bound ? cfg->max_stranger_bytes : cfg->max_message_bytes;
}

static void in_reset(struct sip_conn *c)
{
	buf_init(&c->in);
	c->in.max = SIP_MSG_HEAD_MAX_BYTES + body_max(c) + READ_BYTES;
}

void sip_conn_trust(struct sip_conn *c)
{
	if (!c->is_open || conn_guard_is_trusted(&c->guard))
		return;
	conn_guard_trust(&c->guard);
	c->in.max = SIP_MSG_HEAD_MAX_BYTES + body_max(c) + READ_BYTES;
	tcp_conn_set_limits(c->c, OUT_QUEUE_BYTES, IDLE_TIMEOUT_US);
}

/* What the connection buffers is told to its guard, and what a long message took is given back. */
static ON_CTL void hold_tell(struct sip_conn *c)
{
	if (!c->is_open)
		return;
	if (!c->in.n && c->in.cap > IN_KEEP_BYTES) {
		buf_fini(&c->in);
		in_reset(c);
	}
	conn_guard_hold(&c->guard, c->in.cap + tcp_conn_queued_bytes(c->c), c->in.n > 0);
}

static ON_CTL bool take_frames(struct sip_conn *c)
{
	struct sip_source src = {.transport = SIP_TCP, .peer = c->peer, .local = c->local, .conn = c};
	struct sip_stack *s = c->stack;
	size_t at = 0;
	while (at < c->in.n && c->is_open) {
		struct sip_frame f;
		const char *why = NULL;
		if (sip_frame_next(&c->framer, &f, c->in.p + at, c->in.n - at, body_max(c), &why)) {
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
		uint64_t malformed = s->stats.malformed;
		sip_stack_input(s, &src, c->in.p + at, f.size, true);
		if (s->stats.malformed == malformed)
			conn_guard_message(&c->guard);
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
	hold_tell(c);
	mem_unref(c);
}

static void on_drain(struct tcp_conn *tc, void *arg)
{
	role_assert_ctl();
	hold_tell(arg);
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

static const struct tcp_handlers handlers = {
    .on_data = on_data, .on_connect = on_connect, .on_close = on_close, .on_drain = on_drain};

static ON_CTL struct sip_conn *conn_new(struct sip_stack *s, const struct addr *peer)
{
	struct sip_conn *c = mem_new(sizeof(*c), conn_dtor, "sip.conn");
	if (!c)
		return NULL;
	c->stack = s;
	c->peer = *peer;
	list_init(&c->ctxs);
	in_reset(c);
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
	struct sip_conn *c = conn_new(s, tcp_conn_peer(tc));
	if (!c || conn_guard_enter(&c->guard, s->conn_limit, tcp_conn_peer(tc), false, on_guard_end, c)) {
		if (c)
			conn_end(c);
		tcp_conn_abort(tc);
		return;
	}
	c->c = mem_ref(tc);
	c->local = *tcp_conn_local(tc);
	c->is_open = true;
	tcp_conn_set(tc, &handlers, c);
	tcp_conn_set_limits(tc, STRANGER_OUT_BYTES, IDLE_TIMEOUT_US);
	tcp_conn_set_guard(tc, &c->guard);
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
		if (!conn_guard_enter(&c->guard, s->conn_limit, dst, true, on_guard_end, c))
			tcp_conn_set_guard(c->c, &c->guard);
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
