/* SIP over UDP: one socket a listener, one message a datagram. A message that the kernel does not take is a lost
 * packet: the transactions' timers repair it. */
#include "net/udp.h"
#include "sip/sip_i.h"

struct udp_listener {
	struct sip_listener l;
	struct udp *udp;
};

static void on_recv(const char *data, size_t n, const struct addr *src, void *arg)
{
	role_assert_ctl();
	struct sip_listener *l = arg;
	struct sip_source from = {.flow = {.ops = l->ops, .local = l->local, .peer = *src, .listener = l},
	    .waited_us = udp_waited_us(((struct udp_listener *)l)->udp)};
	sip_stack_input(l->stack, &from, data, n, false);
}

static int udp_listen(struct sip_listener *l, const struct addr *bind)
{
	struct udp_listener *u = (struct udp_listener *)l;
	role_assert_ctl();
	int st = udp_open(&u->udp, bind, 0, on_recv, l);
	if (!st)
		udp_local(u->udp, &l->local);
	return st;
}

static void udp_unlisten(struct sip_listener *l)
{
	role_assert_ctl();
	udp_close(((struct udp_listener *)l)->udp);
}

static int udp_write(struct sip_listener *l, const struct addr *dst, const char *p, size_t n)
{
	role_assert_ctl();
	int st = udp_send(((struct udp_listener *)l)->udp, dst, p, n);
	return st == ST_AGAIN ? ST_OK : st;
}

const struct sip_transport_ops sip_udp_ops = {
    .id = SIP_UDP,
    .listener_bytes = sizeof(struct udp_listener),
    .max_bytes = 65507,
    .listen = udp_listen,
    .unlisten = udp_unlisten,
    .send = udp_write,
};
