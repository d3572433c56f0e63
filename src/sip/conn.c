/* The connections of a profile's stream transports: bytes in are framed into messages, connections are found again by
 * transport and far address, answers go back on the connection the request came on. What is sent before a connection
 * stands is kept. Who may connect, for how long without a message, and what is buffered for him is net/conn_limit.h's;
 * one whose request was authenticated (sip_stx_trust) is no stranger any more and may send longer bodies. What the
 * bytes travel in is the transport's own file's. */
#include "sip/sip_i.h"

#define READ_BYTES 65536 /* what may come at once behind a whole message */
#define IN_KEEP_BYTES 4096

static void conn_dtor(void *obj)
{
	struct sip_conn *c = obj;
	buf_fini(&c->in);
	buf_fini(&c->pending);
	mem_free(c->name);
}

static uint64_t conn_key(enum sip_transport t, const struct addr *a)
{
	uint64_t salt = ((uint64_t)t << 16) | addr_port(a);
	if (a->sa.sa_family == AF_INET6)
		return sip_key((struct sv){(const char *)&a->in6.sin6_addr, 16}, SV_NONE, SV_NONE, salt);
	return sip_key((struct sv){(const char *)&a->in4.sin_addr, 4}, SV_NONE, SV_NONE, salt);
}

/* Unlinks, tells the client requests that waited here, drops the stack's reference. */
static ON_CTL void conn_end(struct sip_conn *c, bool is_abort)
{
	struct sip_stack *s = c->stack;
	struct lnode *n;
	if (!lnode_is_linked(&c->link))
		return;
	bool was_open = c->is_open;
	list_remove(&c->link);
	sip_table_del(&s->conn_table, &c->node);
	c->is_open = c->is_connecting = false;
	loop_timer_cancel(&c->alive_timer);
	conn_guard_leave(&c->guard);
	c->ops->close(c, is_abort);
	while ((n = list_first(&c->ctxs))) {
		list_remove(n);
		sip_ctx_conn_lost(list_entry(n, struct sip_ctx, conn_link));
	}
	if (was_open && s->h.on_conn_closed && !s->is_closing)
		s->h.on_conn_closed(s, c->ops->id, &c->peer, s->arg);
	mem_unref(c);
}

void sip_conn_lost(struct sip_conn *c)
{
	conn_end(c, false);
}

static void on_guard_end(enum conn_end why, void *arg)
{
	role_assert_ctl();
	conn_end(arg, true);
}

size_t sip_conn_body_max(const struct sip_conn *c)
{
	const struct sip_stack_config *cfg = &c->stack->cfg;
	bool is_bound = !conn_guard_is_trusted(&c->guard) && cfg->max_stranger_bytes < cfg->max_message_bytes;
	return is_bound ? cfg->max_stranger_bytes : cfg->max_message_bytes;
}

static void in_reset(struct sip_conn *c)
{
	buf_init(&c->in);
	c->in.max = SIP_MSG_HEAD_MAX_BYTES + sip_conn_body_max(c) + READ_BYTES;
}

void sip_conn_trust(struct sip_conn *c)
{
	if (!c->is_open || conn_guard_is_trusted(&c->guard))
		return;
	conn_guard_trust(&c->guard);
	c->in.max = SIP_MSG_HEAD_MAX_BYTES + sip_conn_body_max(c) + READ_BYTES;
	c->ops->set_limits(c, c->ops->queue_bytes, c->ops->idle_us);
}

/* A lone line end: a keep-alive, or half of one, and no message that is under way. */
static bool is_line_end(const struct sip_conn *c)
{
	return c->in.n <= 2 && (!c->in.n || c->in.p[0] == '\r' || c->in.p[0] == '\n') &&
	       (c->in.n < 2 || c->in.p[1] == '\n');
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
	conn_guard_hold(&c->guard, c->in.cap + c->ops->queued_bytes(c), !is_line_end(c));
}

static ON_CTL bool take_frames(struct sip_conn *c)
{
	struct sip_source src = {
	    .flow = {.ops = c->ops, .local = c->local, .peer = c->peer, .conn = c}, .waited_us = loop_busy_us()};
	struct sip_stack *s = c->stack;
	size_t at = 0;
	while (at < c->in.n && c->is_open) {
		struct sip_frame f;
		const char *why = NULL;
		if (sip_frame_next(&c->framer, &f, c->in.p + at, c->in.n - at, sip_conn_body_max(c), &why)) {
			s->stats.malformed++;
			if (s->h.on_malformed)
				s->h.on_malformed(s, &c->peer, (struct sv){c->in.p + at, c->in.n - at}, why, s->arg);
			return false;
		}
		if (f.is_ping)
			c->ops->write(c, "\r\n", 2);
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

void sip_conn_input(struct sip_conn *c, const char *p, size_t n)
{
	mem_ref(c);
	if (c->is_open && sip_stack_bars(c->stack, &c->peer))
		conn_end(c, true);
	if (c->is_open) {
		if (c->is_pinged && !c->in.n && n >= 2 && !memcmp(p, "\r\n", 2) && (n == 2 || p[2] != '\r'))
			p += 2, n -= 2; /* the answer to our keep-alive (RFC 5626 3.5.1) */
		sip_conn_heard(c);
	}
	if (c->is_open && (buf_add(&c->in, p, n) || !take_frames(c)))
		conn_end(c, false);
	hold_tell(c);
	mem_unref(c);
}

void sip_conn_message(struct sip_conn *c, const char *p, size_t n)
{
	struct sip_source src = {
	    .flow = {.ops = c->ops, .local = c->local, .peer = c->peer, .conn = c}, .waited_us = loop_busy_us()};
	struct sip_stack *s = c->stack;
	uint64_t malformed = s->stats.malformed;
	if (!c->is_open)
		return;
	mem_ref(c);
	if (n == 4 && !memcmp(p, "\r\n\r\n", 4))
		c->ops->write(c, "\r\n", 2); /* RFC 5626 3.5.1 */
	else
		sip_stack_input(s, &src, p, n, false);
	if (c->is_open && n > 4 && s->stats.malformed == malformed)
		conn_guard_message(&c->guard);
	mem_unref(c);
}

void sip_conn_drained(struct sip_conn *c)
{
	hold_tell(c);
}

void sip_conn_opened(struct sip_conn *c, const struct addr *local)
{
	c->is_connecting = false;
	c->is_open = true;
	c->local = *local;
	/* message by message, as some transports must know where each ends */
	struct sip_framer framer = {0};
	struct sip_frame f;
	struct buf pending = c->pending;
	const char *why;
	buf_init(&c->pending);
	for (size_t at = 0; at < pending.n && c->is_open; at += f.size) {
		struct sv rest = sv_sub(buf_sv(&pending), at, SIZE_MAX);
		if (sip_frame_next(&framer, &f, rest.p, rest.n, rest.n, &why) || !f.size || f.skip)
			f.size = rest.n;
		if (c->ops->write(c, rest.p, f.size)) {
			conn_end(c, false);
			break;
		}
	}
	buf_fini(&pending);
	if (c->is_open)
		sip_conn_heard(c);
}

static ON_CTL struct sip_conn *conn_new(
    struct sip_stack *s, const struct sip_transport_ops *ops, const struct addr *peer)
{
	struct sip_conn *c = mem_new(ops->conn_bytes, conn_dtor, "sip.conn");
	if (!c)
		return NULL;
	c->stack = s;
	c->ops = ops;
	c->peer = *peer;
	list_init(&c->ctxs);
	in_reset(c);
	buf_init(&c->pending);
	c->pending.max = ops->queue_bytes;
	list_push(&s->conns, &c->link);
	sip_table_add(&s->conn_table, &c->node, conn_key(ops->id, peer));
	return c;
}

struct sip_conn *sip_conn_accepted(struct sip_listener *l, const struct addr *peer, const struct addr *local)
{
	struct sip_stack *s = l->stack;
	struct sip_conn *c = sip_stack_bars(s, peer) ? NULL : conn_new(s, l->ops, peer);
	if (!c)
		return NULL;
	if (conn_guard_enter(&c->guard, s->conn_limit, peer, false, on_guard_end, c)) {
		conn_end(c, true);
		return NULL;
	}
	c->local = *local;
	c->is_open = true;
	sip_conn_heard(c);
	return c;
}

struct sip_conn *sip_conn_find(struct sip_stack *s, enum sip_transport t, const struct addr *peer)
{
	struct sip_node *n = sip_table_first(&s->conn_table, conn_key(t, peer));
	for (; n; n = sip_node_next(n)) {
		struct sip_conn *c = list_entry(n, struct sip_conn, node);
		if (c->ops->id == t && addr_eq(&c->peer, peer))
			return c;
	}
	return NULL;
}

/* One that leads there, and to that name when it was asked for by name. */
static ON_CTL struct sip_conn *conn_to(
    struct sip_stack *s, const struct sip_transport_ops *ops, const struct sip_dst *dst, struct sv name)
{
	struct sip_node *n = sip_table_first(&s->conn_table, conn_key(ops->id, &dst->addr));
	for (; n; n = sip_node_next(n)) {
		struct sip_conn *c = list_entry(n, struct sip_conn, node);
		bool is_same = !name.n || !ops->needs_tls || (c->name ? sv_isi(name, c->name) : !dst->is_by_name);
		if (is_same && c->ops->id == ops->id && addr_eq(&c->peer, &dst->addr))
			return c;
	}
	return NULL;
}

int sip_conn_get(struct sip_conn **out, struct sip_stack *s, const struct sip_transport_ops *ops,
    const struct sip_dst *dst, struct sv name)
{
	struct sip_conn *c = conn_to(s, ops, dst, name);
	if (!c) {
		if (s->conn_table.count >= s->cfg.max_conns)
			return ST_LIMIT;
		c = conn_new(s, ops, &dst->addr);
		if (!c)
			return ST_NOMEM;
		c->is_connecting = true;
		c->name = name.n ? sv_dup(name) : NULL;
		int st = ops->connect(c);
		if (st) {
			conn_end(c, true);
			return st;
		}
		conn_guard_enter(&c->guard, s->conn_limit, &dst->addr, true, on_guard_end, c);
	}
	*out = c;
	return ST_OK;
}

const char *sip_conn_host(const struct sip_conn *c, char text[ADDR_TEXT_MAX])
{
	return c->name ? c->name : addr_host(&c->peer, text);
}

bool sip_stack_has_conn(struct sip_stack *s, enum sip_transport t, const struct addr *peer)
{
	const struct sip_conn *c = sip_conn_find(s, t, peer);
	return c && c->is_open;
}

int sip_conn_write(struct sip_conn *c, const char *p, size_t n)
{
	if (c->is_connecting)
		return buf_add(&c->pending, p, n);
	return c->is_open ? c->ops->write(c, p, n) : ST_CLOSED;
}

void sip_conns_tls_came(struct sip_stack *s, enum sip_transport t)
{
	struct lnode *n, *tmp;
	list_each (&s->conns, n, tmp) {
		struct sip_conn *c = list_entry(n, struct sip_conn, link);
		if (c->ops->id == t && c->waits_for_tls && (!s->tls[t] || c->ops->connect(c)))
			conn_end(c, true);
	}
}

void sip_conns_close(struct sip_stack *s)
{
	struct lnode *n;
	while ((n = list_first(&s->conns)))
		conn_end(list_entry(n, struct sip_conn, link), false);
}
