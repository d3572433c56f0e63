/* Arbitrary datagrams at an ICE agent: several in one input, each behind its length, from changing addresses, with the
 * clock moving. Every view lies inside its packet, and the agent never has more pairs than it may. With bit 0 of the
 * first byte the packet is signed as the far side would sign it. Parser: ice/stun.c, ice/check.c */
#include "ice/agent.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void send_none(const struct addr *to, const uint8_t *p, size_t n, void *arg)
{
	struct stun_msg m;
	if (stun_parse(p, n, &m) || !addr_is_set(to))
		abort(); /* what we send is always one */
}
static void random_same(void *p, size_t n)
{
	memset(p, 7, n);
}
static bool is_inside(struct sv v, const uint8_t *p, size_t n)
{
	return !v.n || ((const uint8_t *)v.p >= p && (const uint8_t *)v.p + v.n <= p + n);
}

static void one(struct ice_agent *a, const uint8_t *p, size_t n, int64_t now_us, unsigned how)
{
	struct addr from = {.in4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(1 + how))}};
	struct stun_key key;
	struct stun_out o;
	struct stun_msg m;

	from.in4.sin_addr.s_addr = htonl(0xc0000200u + how);
	if (!stun_parse(p, n, &m)) {
		if (!is_inside(m.username, p, n) || !is_inside(m.realm, p, n) || !is_inside(m.nonce, p, n) ||
		    !is_inside(m.data, p, n) || m.integrity_at + 24 > n + (m.integrity_at ? 0 : 24))
			abort();
		stun_key_set(&key, "pwdpwdpwdpwdpwdpwdpwdpwd", 24);
		(void)stun_is_signed(&m, &key);
		if (how & 1) {
			stun_begin(&o, m.class, STUN_BINDING,
			    m.class == STUN_REQUEST ? m.txid : a->pairs[how % ICE_PAIRS_MAX].txid);
			stun_put(&o, STUN_A_USERNAME, "frag:remo", 9);
			stun_put_u32(&o, STUN_A_PRIORITY, m.priority);
			if (m.has_use_candidate)
				stun_put(&o, STUN_A_USE_CANDIDATE, NULL, 0);
			stun_put_u64(&o, m.is_controlling ? STUN_A_CONTROLLING : STUN_A_CONTROLLED, m.tie_breaker);
			if (m.error)
				stun_put_error(&o, m.error, "");
			stun_end(&o, &key, true);
			if (!o.failed)
				ice_agent_packet(a, &from, o.p, o.n, now_us);
		}
	}
	ice_agent_packet(a, &from, p, n, now_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ice_agent a;
	struct ice_conf c = {.ufrag = "frag",
	    .pwd = "pwdpwdpwdpwdpwdpwdpwdpwd",
	    .send = send_none,
	    .random = random_same,
	    .is_controlling = size & 1,
	    .is_lite = size & 2};
	int64_t now_us = 1000000;

	ice_agent_init(&a, &c);
	(void)ice_agent_remote_set(&a, SV("remo"), SV("pwdpwdpwdpwdpwdpwdpwdpwd"), size & 4, now_us);
	while (size > 2) {
		size_t n = (size_t)data[0] << 1;
		unsigned how = data[1];
		data += 2, size -= 2;
		n = n < size ? n : size;
		one(&a, data, n, now_us, how);
		now_us += how * 10000;
		(void)ice_agent_run(&a, now_us);
		const struct addr *to = ice_agent_target(&a);
		if (to && !ice_agent_is_proven(&a, to))
			abort();
		data += n, size -= n;
	}
	return 0;
}
