/* The table of transports, a profile's listeners, and flows: which socket or connection leads to a far address, and our
 * own address as that side sees it. Knows no transport by name: what differs stands in their ops. */
#include "sip/sip_i.h"
#include <unistd.h>

static const struct sip_transport_ops *const transports[] = {
    &sip_udp_ops, &sip_tcp_ops, &sip_tls_ops, &sip_ws_ops, &sip_wss_ops, NULL};

const struct sip_transport_ops *sip_transport_ops_of(const struct sip_stack *s, enum sip_transport t)
{
	const struct sip_transport_ops *const *at = s->cfg.transports ? s->cfg.transports : transports;
	while (*at && (*at)->id != t)
		at++;
	return *at;
}

bool sip_stack_has_transport(const struct sip_stack *s, enum sip_transport t)
{
	const struct sip_transport_ops *ops = sip_transport_ops_of(s, t);
	return ops && (!ops->needs_tls || s->cfg.has_tls);
}

/* ---- listeners ---- */

int sip_stack_listen(struct sip_stack *s, enum sip_transport t, const struct addr *bind, struct addr *bound)
{
	const struct sip_transport_ops *ops = sip_transport_ops_of(s, t);
	if (!ops)
		return ST_UNSUPPORTED;
	struct sip_listener *l = mem_zalloc(ops->listener_bytes);
	if (!l)
		return ST_NOMEM;
	l->stack = s;
	l->ops = ops;
	int st = ops->listen(l, bind);
	if (st) {
		mem_free(l);
		return st;
	}
	list_push(&s->listeners, &l->link);
	if (bound)
		*bound = l->local;
	return ST_OK;
}

void sip_stack_set_tls(struct sip_stack *s, enum sip_transport t, struct tls_ctx *ctx)
{
	struct lnode *n, *tmp;
	mem_ref(ctx);
	mem_unref(s->tls[t]);
	s->tls[t] = ctx;
	s->is_tls_told[t] = true;
	list_each (&s->listeners, n, tmp) {
		struct sip_listener *l = list_entry(n, struct sip_listener, link);
		if (l->ops->id == t && l->ops->set_tls)
			l->ops->set_tls(l, ctx);
	}
	sip_conns_tls_came(s, t);
}

void sip_listeners_close(struct sip_stack *s)
{
	struct lnode *n, *tmp;
	list_each (&s->listeners, n, tmp) {
		struct sip_listener *l = list_entry(n, struct sip_listener, link);
		list_remove(n);
		l->ops->unlisten(l);
		mem_free(l);
	}
}

struct sip_listener *sip_listener_for(struct sip_stack *s, enum sip_transport t, const struct addr *dst)
{
	struct lnode *n, *tmp;
	struct sip_listener *found = NULL;
	list_each (&s->listeners, n, tmp) {
		struct sip_listener *l = list_entry(n, struct sip_listener, link);
		if (l->ops->id != t || l->local.sa.sa_family != dst->sa.sa_family)
			continue;
		if (addr_is_loopback(&l->local) == addr_is_loopback(dst))
			return l;
		found = l;
	}
	return found;
}

/* ---- flows ---- */

int sip_flow_open(struct sip_flow *out, struct sip_stack *s, const struct sip_dst *dst, struct sv name)
{
	struct sip_flow f = {.ops = sip_transport_ops_of(s, dst->transport), .peer = dst->addr};
	if (!f.ops || !sip_stack_has_transport(s, dst->transport))
		return ST_UNSUPPORTED;
	if (f.ops->conn_bytes) {
		int st = sip_conn_get(&f.conn, s, f.ops, dst, name);
		if (st)
			return st;
		f.local = f.conn->local;
	} else {
		f.listener = sip_listener_for(s, dst->transport, &dst->addr);
		if (!f.listener)
			return ST_NOTFOUND;
		f.local = f.listener->local;
	}
	*out = f;
	return ST_OK;
}

int sip_flow_send(struct sip_stack *s, const struct sip_flow *f, const char *p, size_t n)
{
	if (!f->ops)
		return ST_NOTFOUND;
	if (s->has_filter_out && sip_filter_has_headers(&s->filter_out) &&
	    sip_filter_strip(&s->filter_out, p, n, &s->filtered_out))
		p = s->filtered_out.p, n = s->filtered_out.n;
	sip_stack_trace(s, true, f->ops->id, f->conn ? &f->conn->local : &f->local, &f->peer, p, n);
	if (f->ops->max_bytes && n > f->ops->max_bytes)
		return ST_LIMIT;
	return f->conn ? sip_conn_write(f->conn, p, n) : f->ops->send(f->listener, &f->peer, p, n);
}

int sip_flow_answer(struct sip_stack *s, const struct sip_flow *f, uint16_t via_port, const char *p, size_t n)
{
	struct sip_flow again;
	if (!f->conn && f->answer_port) {
		again = *f;
		addr_set_port(&again.peer, f->answer_port);
		return sip_flow_send(s, &again, p, n);
	}
	if (!f->conn || f->conn->is_open)
		return sip_flow_send(s, f, p, n);
	struct sip_dst to = {.addr = f->peer, .transport = f->ops->id};
	addr_set_port(&to.addr, via_port ? via_port : sip_transport_facts(f->ops->id)->default_port);
	int st = sip_flow_open(&again, s, &to, SV_NONE);
	return st ? st : sip_flow_send(s, &again, p, n);
}

void sip_flow_keep(struct sip_flow *f)
{
	mem_ref(f->conn);
}

void sip_flow_drop(struct sip_flow *f)
{
	f->conn = mem_unref(f->conn);
}

enum sip_transport sip_flow_transport(const struct sip_flow *f)
{
	return f->ops ? f->ops->id : SIP_TRANSPORT_NONE;
}

bool sip_flow_is_reliable(const struct sip_flow *f)
{
	return sip_transport_is_reliable(sip_flow_transport(f));
}

/* ---- our own address ---- */

/* A listener on 0.0.0.0 has no address to tell: the kernel names the one it would send from. */
static int address_towards(const struct addr *dst, struct addr *out)
{
	struct addr to = *dst, mine = {0};
	socklen_t len = sizeof(mine);
	int fd = socket(dst->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ST_IO;
	if (!addr_port(&to))
		addr_set_port(&to, 5060);
	int st = connect(fd, &to.sa, addr_len(&to)) || getsockname(fd, &mine.sa, &len) ? ST_IO : ST_OK;
	close(fd);
	if (!st)
		*out = mine;
	return st;
}

int sip_stack_local_addr(struct sip_stack *s, enum sip_transport t, const struct addr *dst, struct addr *out)
{
	struct sip_listener *l = sip_listener_for(s, t, dst);
	struct addr a;
	if (!l)
		return ST_NOTFOUND;
	a = l->local;
	if (addr_is_any(&l->local)) {
		int st = address_towards(dst, &a);
		if (st)
			return st;
		addr_set_port(&a, addr_port(&l->local));
	}
	*out = a;
	return ST_OK;
}

int sip_self_put(struct sip_stack *s, enum sip_transport t, const struct addr *dst, bool is_contact, struct buf *out)
{
	char text[ADDR_TEXT_MAX];
	struct addr local;
	int st = sip_stack_local_addr(s, t, dst, &local);
	if (st == ST_NOTFOUND && t != SIP_TRANSPORT_DEFAULT) /* no listener: no request can come in on it anyway */
		st = sip_stack_local_addr(s, SIP_TRANSPORT_DEFAULT, dst, &local);
	if (st)
		return st;
	if (s->cfg.external_host && (!s->h.is_outside || s->h.is_outside(s, dst, s->arg))) {
		bool has_own_port = sip_transport_facts(t)->default_port == 5060; /* TLS and WebSocket are elsewhere */
		uint16_t port = s->cfg.external_port && has_own_port ? s->cfg.external_port : addr_port(&local);
		bool is_v6 = strchr(s->cfg.external_host, ':') && s->cfg.external_host[0] != '[';
		buf_printf(out, is_v6 ? "[%s]:%u" : "%s:%u", s->cfg.external_host, port);
	} else {
		buf_adds(out, addr_text(&local, text));
	}
	if (is_contact)
		sip_put_transport(out, t);
	return out->failed ? ST_NOMEM : ST_OK;
}

int sip_stack_contact_uri(
    struct sip_stack *s, const char *user, enum sip_transport t, const struct addr *dst, struct buf *out)
{
	struct buf self;
	buf_init(&self);
	int st = sip_self_put(s, t, dst, true, &self);
	if (!st) {
		buf_adds(out, "sip:");
		sip_escape_user(out, sv_of(user && *user ? user : s->cfg.contact_user));
		buf_addc(out, '@');
		buf_addv(out, buf_sv(&self));
	}
	buf_fini(&self);
	return st;
}
