/* UDP listeners of a profile; which of them reaches a destination; and our own address as that destination sees it. */
#include "sip/sip_i.h"
#include <unistd.h>

static void on_recv(const char *data, size_t n, const struct addr *src, void *arg)
{
	role_assert_ctl();
	struct sip_udp *u = arg;
	struct sip_source from = {.transport = SIP_UDP, .peer = *src, .local = u->local, .udp = u};
	sip_stack_input(u->stack, &from, data, n, false);
}

int sip_stack_listen_udp(struct sip_stack *s, const struct addr *bind, struct addr *bound)
{
	struct sip_udp *u = mem_zalloc(sizeof(*u));
	if (!u)
		return ST_NOMEM;
	u->stack = s;
	int st = udp_open(&u->u, bind, 0, on_recv, u);
	if (st) {
		mem_free(u);
		return st;
	}
	udp_local(u->u, &u->local);
	list_push(&s->udps, &u->link);
	if (bound)
		*bound = u->local;
	return ST_OK;
}

struct sip_udp *sip_udp_for(struct sip_stack *s, const struct addr *dst)
{
	struct lnode *n, *tmp;
	struct sip_udp *found = NULL;
	list_each (&s->udps, n, tmp) {
		struct sip_udp *u = list_entry(n, struct sip_udp, link);
		if (u->local.sa.sa_family != dst->sa.sa_family)
			continue;
		if (!found || addr_is_loopback(&u->local) == addr_is_loopback(dst))
			found = u;
		if (addr_is_loopback(&u->local) == addr_is_loopback(dst))
			break;
	}
	return found;
}

int sip_udp_write(struct sip_udp *u, const struct addr *dst, const char *p, size_t n)
{
	sip_stack_trace(u->stack, true, SIP_UDP, &u->local, dst, p, n);
	int st = udp_send(u->u, dst, p, n);
	return st == ST_AGAIN ? ST_OK : st; /* a full buffer is a lost packet: timers repair it */
}

void sip_udp_close_all(struct sip_stack *s)
{
	struct lnode *n, *tmp;
	list_each (&s->udps, n, tmp) {
		struct sip_udp *u = list_entry(n, struct sip_udp, link);
		udp_close(u->u);
		list_remove(n);
		mem_free(u);
	}
}

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

static ON_CTL const struct addr *listener_local(struct sip_stack *s, enum sip_transport t, const struct addr *dst)
{
	struct lnode *n, *tmp;
	if (t == SIP_UDP) {
		struct sip_udp *u = sip_udp_for(s, dst);
		return u ? &u->local : NULL;
	}
	list_each (&s->tcp_listeners, n, tmp) {
		struct sip_tcp_listener *l = list_entry(n, struct sip_tcp_listener, link);
		if (l->local.sa.sa_family == dst->sa.sa_family)
			return &l->local;
	}
	return NULL;
}

int sip_stack_local_addr(struct sip_stack *s, enum sip_transport t, const struct addr *dst, struct addr *out)
{
	const struct addr *l = listener_local(s, t, dst);
	struct addr a;
	if (!l)
		return ST_NOTFOUND;
	a = *l;
	if (addr_is_any(l)) {
		int st = address_towards(dst, &a);
		if (st)
			return st;
		addr_set_port(&a, addr_port(l));
	}
	*out = a;
	return ST_OK;
}

int sip_self_put(struct sip_stack *s, enum sip_transport t, const struct addr *dst, bool is_contact, struct buf *out)
{
	char text[ADDR_TEXT_MAX];
	struct addr local;
	int st = sip_stack_local_addr(s, t, dst, &local);
	if (st == ST_NOTFOUND && t != SIP_UDP) /* no TCP listener: requests cannot come in on a new connection anyway */
		st = sip_stack_local_addr(s, SIP_UDP, dst, &local);
	if (st)
		return st;
	if (s->cfg.external_host) {
		uint16_t port = s->cfg.external_port ? s->cfg.external_port : addr_port(&local);
		bool is_v6 = strchr(s->cfg.external_host, ':') && s->cfg.external_host[0] != '[';
		buf_printf(out, is_v6 ? "[%s]:%u" : "%s:%u", s->cfg.external_host, port);
	} else {
		buf_adds(out, addr_text(&local, text));
	}
	if (is_contact && t == SIP_TCP)
		buf_adds(out, ";transport=tcp");
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
