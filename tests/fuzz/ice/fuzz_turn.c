/* Arbitrary datagrams of a TURN server at its client, the clock moving between them. With bit 0 of the second byte of a
 * piece what comes is made an answer to the request that is out, signed where bit 1 says so. What is handed on lies in
 * the packet. Parser: ice/turn.c */
#include "ice/turn.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void to_server(const uint8_t *p, size_t n, void *arg)
{
	struct stun_msg m;
	if (stun_parse(p, n, &m))
		abort(); /* what we send is always one */
}
static void random_same(void *p, size_t n)
{
	memset(p, 7, n);
}

static void look(struct turn_client *c, const uint8_t *p, size_t n, int64_t now_us)
{
	uint8_t head[TURN_HEAD_BYTES];
	struct addr from;
	struct sv got;
	size_t pad;
	if (!turn_packet(c, p, n, now_us, &from, &got))
		return;
	if ((const uint8_t *)got.p < p || (const uint8_t *)got.p + got.n > p + n || !addr_is_set(&from))
		abort();
	(void)turn_peer_add(c, &from);
	turn_channel_want(c, &from);
	if (turn_head(c, &from, got.n, head, &pad) > sizeof(head))
		abort();
}

static void answer(struct turn_client *c, const uint8_t *p, size_t n, unsigned how, int64_t now_us)
{
	static const unsigned methods[] = {STUN_BINDING, STUN_ALLOCATE, STUN_REFRESH, STUN_PERMISSION, STUN_CHANNEL};
	struct addr at = {.in4 = {.sin_family = AF_INET, .sin_port = htons(9)}};
	struct stun_out o;
	at.in4.sin_addr.s_addr = htonl(0xc0000200u + how);
	stun_begin(&o, how & 4 ? STUN_ERROR : STUN_SUCCESS, methods[c->ask], c->txid);
	if (how & 4)
		stun_put_error(&o, how & 8 ? 401 : how & 16 ? 438 : 437, "");
	stun_put(&o, STUN_A_REALM, p, n < 100 ? n : 100);
	stun_put(&o, STUN_A_NONCE, p, n < 200 ? n : 200);
	stun_put_addr(&o, how & 8 ? STUN_A_XOR_RELAYED : STUN_A_XOR_PEER, &at);
	stun_put_u32(&o, STUN_A_LIFETIME, how << 4);
	stun_end(&o, how & 2 ? &c->key : NULL, how & 1);
	if (!o.failed)
		look(c, o.p, o.n, now_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct turn_client c;
	struct turn_conf conf = {.username = "u", .password = "p", .send = to_server, .random = random_same};
	int64_t now_us = 1000000;

	if (turn_begin(&c, &conf, now_us))
		abort();
	while (size > 2) {
		size_t n = (size_t)data[0] << 1;
		unsigned how = data[1];
		data += 2, size -= 2;
		n = n < size ? n : size;
		if (how & 1)
			answer(&c, data, n, how, now_us);
		else
			look(&c, data, n, now_us);
		if (how > 240)
			turn_peers_leave(&c, how & 2 ? &c.peers[how % TURN_PEERS_MAX].addr : NULL);
		now_us += how * 1000000;
		if (turn_run(&c, now_us) < now_us)
			abort();
		data += n, size -= n;
	}
	turn_end(&c, now_us);
	return 0;
}
