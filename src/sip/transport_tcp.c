/* SIP over TCP and TLS: bytes go between net/tls.h's connections (stream_door.c) and those of conn.c. */
#include "net/tls.h"
#include "sip/sip_i.h"

struct stream_line {
	struct sip_conn c;
	struct tls_conn *tls; /* a reference; NULL while it waits for what TLS is made with */
};

static struct stream_line *line_of(struct sip_conn *c)
{
	return (struct stream_line *)c;
}

static void on_data(struct tls_conn *tls, const char *data, size_t n, void *arg)
{
	role_assert_ctl();
	sip_conn_input(arg, data, n);
}

static void on_drain(struct tls_conn *tls, void *arg)
{
	role_assert_ctl();
	sip_conn_drained(arg);
}

static void on_connect(struct tls_conn *tls, int status, void *arg)
{
	role_assert_ctl();
	if (status)
		sip_conn_lost(arg);
	else
		sip_conn_opened(arg, tls_conn_local(tls));
}

static void on_close(struct tls_conn *tls, int status, void *arg)
{
	role_assert_ctl();
	sip_conn_lost(arg);
}

static const struct tls_handlers handlers = {
    .on_data = on_data, .on_connect = on_connect, .on_close = on_close, .on_drain = on_drain};

static void on_accept(struct tls_conn *tls, void *arg)
{
	role_assert_ctl();
	struct sip_conn *c = sip_door_accepted(arg, tls, &handlers);
	if (c)
		line_of(c)->tls = mem_ref(tls);
}

static int door_open(struct sip_listener *l, const struct addr *bind)
{
	role_assert_ctl();
	return sip_door_open(l, bind, on_accept);
}

static int line_connect(struct sip_conn *c)
{
	role_assert_ctl();
	return sip_line_connect(c, &handlers, &line_of(c)->tls);
}

static int line_write(struct sip_conn *c, const char *p, size_t n)
{
	role_assert_ctl();
	return tls_conn_send(line_of(c)->tls, p, n);
}

static size_t line_queued_bytes(const struct sip_conn *c)
{
	role_assert_ctl();
	return tls_conn_queued_bytes(((const struct stream_line *)c)->tls);
}

static void line_set_limits(struct sip_conn *c, size_t queue_bytes, int64_t idle_us)
{
	role_assert_ctl();
	tls_conn_set_limits(line_of(c)->tls, queue_bytes, idle_us);
}

static void line_close(struct sip_conn *c, bool is_abort)
{
	struct stream_line *t = line_of(c);
	role_assert_ctl();
	if (is_abort)
		tls_conn_abort(t->tls);
	else
		tls_conn_close(t->tls);
	t->tls = mem_unref(t->tls);
}

#define STREAM_OPS(transport, is_secure) \
	{ \
		.id = transport, .needs_tls = is_secure, .listener_bytes = sizeof(struct sip_door), \
		.conn_bytes = sizeof(struct stream_line), .connect_us = 10 * 1000000LL, .idle_us = 3600 * 1000000LL, \
		.queue_bytes = 1u << 20, .stranger_queue_bytes = 64u << 10, .listen = door_open, \
		.set_tls = is_secure ? sip_door_set_tls : NULL, .unlisten = sip_door_close, .connect = line_connect, \
		.write = line_write, .queued_bytes = line_queued_bytes, .set_limits = line_set_limits, \
		.close = line_close, \
	}
const struct sip_transport_ops sip_tcp_ops = STREAM_OPS(SIP_TCP, false);
const struct sip_transport_ops sip_tls_ops = STREAM_OPS(SIP_TLS, true);
