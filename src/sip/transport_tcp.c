/* SIP over TCP: net/tcp.h's sockets under the connections of conn.c. */
#include "net/tcp.h"
#include "sip/sip_i.h"

struct tcp_door {
	struct sip_listener l;
	struct tcp_listener *tcp;
};
struct tcp_line {
	struct sip_conn c;
	struct tcp_conn *tcp; /* a reference */
};

static struct tcp_line *line_of(struct sip_conn *c)
{
	return (struct tcp_line *)c;
}

static void on_data(struct tcp_conn *tcp, const char *data, size_t n, void *arg)
{
	role_assert_ctl();
	sip_conn_input(arg, data, n);
}

static void on_drain(struct tcp_conn *tcp, void *arg)
{
	role_assert_ctl();
	sip_conn_drained(arg);
}

static void on_connect(struct tcp_conn *tcp, int status, void *arg)
{
	role_assert_ctl();
	if (status)
		sip_conn_lost(arg);
	else
		sip_conn_opened(arg, tcp_conn_local(tcp));
}

static void on_close(struct tcp_conn *tcp, int status, void *arg)
{
	role_assert_ctl();
	sip_conn_lost(arg);
}

static const struct tcp_handlers handlers = {
    .on_data = on_data, .on_connect = on_connect, .on_close = on_close, .on_drain = on_drain};

static void on_accept(struct tcp_conn *tcp, void *arg)
{
	role_assert_ctl();
	struct sip_conn *c = sip_conn_accepted(arg, tcp_conn_peer(tcp), tcp_conn_local(tcp));
	if (!c) {
		tcp_conn_abort(tcp);
		return;
	}
	line_of(c)->tcp = mem_ref(tcp);
	tcp_conn_set(tcp, &handlers, c);
	tcp_conn_set_limits(tcp, c->ops->stranger_queue_bytes, c->ops->idle_us);
	tcp_conn_set_guard(tcp, &c->guard);
}

static int door_open(struct sip_listener *l, const struct addr *bind)
{
	struct tcp_door *d = (struct tcp_door *)l;
	role_assert_ctl();
	int st = tcp_listen(&d->tcp, bind, on_accept, l);
	if (!st)
		tcp_listener_local(d->tcp, &l->local);
	return st;
}

static void door_close(struct sip_listener *l)
{
	role_assert_ctl();
	tcp_listener_close(((struct tcp_door *)l)->tcp);
}

static int line_connect(struct sip_conn *c)
{
	struct tcp_line *t = line_of(c);
	role_assert_ctl();
	int st = tcp_connect(&t->tcp, &c->peer, c->ops->connect_us, &handlers, c);
	if (st) {
		t->tcp = NULL;
		return st;
	}
	tcp_conn_set_limits(t->tcp, c->ops->queue_bytes, c->ops->idle_us);
	tcp_conn_set_guard(t->tcp, &c->guard);
	return ST_OK;
}

static int line_write(struct sip_conn *c, const char *p, size_t n)
{
	role_assert_ctl();
	return tcp_conn_send(line_of(c)->tcp, p, n);
}

static size_t line_queued_bytes(const struct sip_conn *c)
{
	role_assert_ctl();
	return tcp_conn_queued_bytes(((const struct tcp_line *)c)->tcp);
}

static void line_set_limits(struct sip_conn *c, size_t queue_bytes, int64_t idle_us)
{
	role_assert_ctl();
	tcp_conn_set_limits(line_of(c)->tcp, queue_bytes, idle_us);
}

static void line_close(struct sip_conn *c, bool is_abort)
{
	struct tcp_line *t = line_of(c);
	role_assert_ctl();
	if (!t->tcp)
		return;
	if (is_abort)
		tcp_conn_abort(t->tcp);
	else
		tcp_conn_close(t->tcp);
	t->tcp = mem_unref(t->tcp);
}

const struct sip_transport_ops sip_tcp_ops = {
    .id = SIP_TCP,
    .listener_bytes = sizeof(struct tcp_door),
    .conn_bytes = sizeof(struct tcp_line),
    .connect_us = 10 * 1000000LL,
    .idle_us = 3600 * 1000000LL,
    .queue_bytes = 1u << 20,
    .stranger_queue_bytes = 64u << 10,
    .listen = door_open,
    .unlisten = door_close,
    .connect = line_connect,
    .write = line_write,
    .queued_bytes = line_queued_bytes,
    .set_limits = line_set_limits,
    .close = line_close,
};
