/* What all streams have below their lines: a listener and connections of net/tls.h, which without a context are plain.
 * What TLS is made with (certificates, policy) is the profile's and comes by sip_stack_set_tls, perhaps only after
 * connections were asked for: these wait for it. */
#include "base/clock.h"
#include "net/tls.h"
#include "sip/sip_i.h"

static struct sip_door *door_of(struct sip_listener *l)
{
	return (struct sip_door *)l;
}

int sip_door_open(struct sip_listener *l, const struct addr *bind, tls_accept_fn fn)
{
	struct tls_ctx *ctx = l->stack->tls[l->ops->id];
	if (l->ops->needs_tls && !ctx)
		return ST_INVAL;
	int st = tls_listen(&door_of(l)->tls, bind, ctx, fn, l);
	if (!st)
		tls_listener_local(door_of(l)->tls, &l->local);
	return st;
}

void sip_door_set_tls(struct sip_listener *l, struct tls_ctx *ctx)
{
	role_assert_ctl();
	tls_listener_set_ctx(door_of(l)->tls, ctx);
}

void sip_door_close(struct sip_listener *l)
{
	role_assert_ctl();
	tls_listener_close(door_of(l)->tls);
}

struct sip_conn *sip_door_accepted(struct sip_listener *l, struct tls_conn *tls, const struct tls_handlers *h)
{
	struct sip_conn *c = sip_conn_accepted(l, tls_conn_peer(tls), tls_conn_local(tls));
	if (!c) {
		tls_conn_abort(tls);
		return NULL;
	}
	tls_conn_set(tls, h, c);
	tls_conn_set_limits(tls, c->ops->stranger_queue_bytes, c->ops->idle_us);
	tls_conn_set_guard(tls, &c->guard);
	return c;
}

int sip_line_connect(struct sip_conn *c, const struct tls_handlers *h, struct tls_conn **out)
{
	struct tls_ctx *ctx = c->stack->tls[c->ops->id];
	bool has_none = c->ops->needs_tls && !ctx;
	c->waits_for_tls = has_none && !c->stack->is_tls_told[c->ops->id];
	if (has_none)
		return c->waits_for_tls ? ST_OK : ST_UNSUPPORTED;
	int64_t us = c->ops->connect_us;
	if (c->ops->needs_tls && c->stack->cfg.tls_connect_ms)
		us = clock_us_of_ms(c->stack->cfg.tls_connect_ms);
	char text[ADDR_TEXT_MAX];
	int st = tls_connect(out, &c->peer, ctx, sip_conn_host(c, text), us, h, c);
	if (st) {
		*out = NULL;
		return st;
	}
	tls_conn_set_limits(*out, c->ops->queue_bytes, c->ops->idle_us);
	tls_conn_set_guard(*out, &c->guard);
	return ST_OK;
}
