/* Streams kept alive by us (RFC 5626 section 3.5.1): after a while without a byte from the far side a double CRLF goes
 * out; where a profile wants the answer to it, a connection that brings nothing in time is over. One timer each, not
 * armed where nothing of it is asked for. WebSockets have pings of their own. */
#include "base/clock.h"
#include "sip/sip_i.h"

static ON_CTL int64_t every_us(const struct sip_conn *c)
{
	const struct sip_stack_config *cfg = &c->stack->cfg;
	return clock_us_of_ms(cfg->conn_ping_ms ? cfg->conn_ping_ms : cfg->conn_pong_ms);
}

static void on_silence(void *arg)
{
	struct sip_conn *c = arg;
	role_assert_ctl();
	if (c->is_pinged && c->stack->cfg.conn_pong_ms) {
		log_info("sip: a connection does not answer our keep-alive: it is closed");
		sip_conn_lost(c);
		return;
	}
	int64_t wait_us = c->stack->cfg.conn_pong_ms ? clock_us_of_ms(c->stack->cfg.conn_pong_ms) : every_us(c);
	c->is_pinged = true;
	(void)sip_conn_write(c, "\r\n\r\n", 4); /* full: who reads nothing is found out as who is silent is */
	if (c->is_open)
		loop_timer_set(&c->alive_timer, wait_us, "sip.alive", on_silence, c);
}

void sip_conn_heard(struct sip_conn *c)
{
	int64_t us = every_us(c);
	c->is_pinged = false;
	if (us && c->is_open && c->ops->id != SIP_WS && c->ops->id != SIP_WSS)
		loop_timer_set(&c->alive_timer, us, "sip.alive", on_silence, c);
}
