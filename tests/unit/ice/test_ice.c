/* Two agents in memory: a network with delay, loss and a translator between them, a clock that the test moves; and the
 * messages by RFC 5769's vectors. */
#include "base/check.h"
#include "harness.h"
#include "ice/agent.h"
#include <stdlib.h>
#include <string.h>

/* ---- the network ---- */

enum { WIRE_MAX = 512, NODES = 3 };
struct node {
	struct ice_agent agent;
	struct addr at, outside; /* outside: what a translator shows; unset: none */
	bool is_deaf;
};
static struct node nodes[NODES];
static struct packet {
	struct addr from, to;
	uint8_t p[STUN_OUT_MAX];
	size_t n;
	int64_t at_us;
	bool is_there;
} wire[WIRE_MAX];
static int64_t now_us;
static unsigned loss_percent, seed, lost_all;

static unsigned dice(void)
{
	seed = seed * 1103515245u + 12345u;
	return seed >> 16 & 0x7fff;
}
static void random_bytes(void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)dice();
}
static struct addr address(const char *host, uint16_t port)
{
	struct addr a;
	memset(&a, 0, sizeof(a));
	(void)addr_parse(&a, sv_of(host), port);
	return a;
}
static void put(const struct addr *from, const struct addr *to, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < WIRE_MAX; i++) {
		if (wire[i].is_there)
			continue;
		wire[i] = (struct packet){.from = *from, .to = *to, .n = n, .at_us = now_us + 15000, .is_there = true};
		memcpy(wire[i].p, p, n);
		return;
	}
}
/* A's relay, and whether that is the only way between the two. */
static struct addr relay_at;
static bool is_direct_cut;
static void node_send(const struct addr *to, const uint8_t *p, size_t n, void *arg)
{
	struct node *me = arg;
	bool is_cut = is_direct_cut && !addr_eq(to, &relay_at);
	if (!lost_all && !is_cut && dice() % 100 >= loss_percent)
		put(addr_is_set(&me->outside) ? &me->outside : &me->at, to, p, n);
}
static void node_send_relayed(const struct addr *to, const uint8_t *p, size_t n, void *arg)
{
	put(&relay_at, to, p, n);
}
static void deliver(void)
{
	for (size_t i = 0; i < WIRE_MAX; i++) {
		if (!wire[i].is_there || wire[i].at_us > now_us)
			continue;
		struct packet now = wire[i];
		wire[i].is_there = false;
		if (nodes[0].agent.send_relayed && addr_eq(&relay_at, &now.to))
			ice_agent_relayed_packet(&nodes[0].agent, &now.from, now.p, now.n, now_us);
		for (size_t k = 0; k < NODES; k++) {
			struct node *n = &nodes[k];
			if (!n->is_deaf && addr_eq(addr_is_set(&n->outside) ? &n->outside : &n->at, &now.to) &&
			    n->agent.send)
				ice_agent_packet(&n->agent, &now.from, now.p, now.n, now_us);
		}
	}
}
static void run_ms(int ms)
{
	for (int i = 0; i < ms / 5; i++) {
		now_us += 5000;
		deliver();
		for (size_t k = 0; k < NODES; k++)
			if (nodes[k].agent.send)
				(void)ice_agent_run(&nodes[k].agent, now_us);
	}
}

#define PWD_A "aaaaaaaaaaaaaaaaaaaaaaaa"
#define PWD_B "bbbbbbbbbbbbbbbbbbbbbbbb"
static struct node *const A = &nodes[0], *const B = &nodes[1], *const X = &nodes[2];

static void start(bool is_a_controlling, bool is_b_controlling, bool is_a_lite)
{
	memset(nodes, 0, sizeof(nodes));
	memset(wire, 0, sizeof(wire));
	now_us = 1000000, loss_percent = 0, seed = 4711, lost_all = 0;
	is_direct_cut = false, relay_at = address("192.0.2.7", 7000);
	struct ice_conf a = {.is_controlling = is_a_controlling,
	    .is_lite = is_a_lite,
	    .ufrag = "fragA",
	    .pwd = PWD_A,
	    .send = node_send,
	    .random = random_bytes,
	    .arg = A};
	struct ice_conf b = {.is_controlling = is_b_controlling,
	    .ufrag = "fragB",
	    .pwd = PWD_B,
	    .send = node_send,
	    .random = random_bytes,
	    .arg = B};
	ice_agent_init(&A->agent, &a);
	ice_agent_init(&B->agent, &b);
	A->at = address("192.0.2.1", 1000);
	B->at = address("192.0.2.2", 2000);
	X->at = address("192.0.2.66", 6666);
}
static void tell(struct node *to, const char *ufrag, const char *pwd, const struct addr *candidate, bool is_lite)
{
	(void)ice_agent_remote_set(&to->agent, sv_of(ufrag), sv_of(pwd), is_lite, now_us);
	if (candidate)
		(void)ice_agent_candidate_add(&to->agent, ICE_HOST, candidate, ice_priority(ICE_HOST, 65535), now_us);
}
static void tell_both(bool is_a_lite)
{
	tell(A, "fragB", PWD_B, &B->at, false);
	tell(B, "fragA", PWD_A, &A->at, is_a_lite);
}
static bool goes_to(const struct node *n, const struct addr *to)
{
	const struct addr *t = ice_agent_target(&n->agent);
	return t && addr_eq(t, to);
}

/* ---- tests ---- */

/* RFC 5769 section 2.1: a request with all that ICE puts in; password, fingerprint and attributes. */
static const uint8_t sample[] =
    "\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\x80\x22\x00\x10"
    "STUN test client\x00\x24\x00\x04\x6e\x00\x01\xff\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\x00\x06\x00\x09"
    "\x65\x76\x74\x6a\x3a\x68\x36\x76\x59\x20\x20\x20\x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5"
    "\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\x80\x28\x00\x04\xe5\x7a\x3b\xcf";

static int test_message(void)
{
	struct stun_key key, wrong;
	struct stun_msg m;
	uint8_t p[sizeof(sample)];

	stun_key_set(&key, "VOkJxbRl1RmTxUk/WvJxBt", 22);
	stun_key_set(&wrong, "VOkJxbRl1RmTxUk/WvJxBu", 22);
	EXPECT_INT(stun_parse(sample, sizeof(sample) - 1, &m), ST_OK);
	EXPECT(m.class == STUN_REQUEST && m.method == STUN_BINDING && m.has_fingerprint && m.is_controlled);
	EXPECT(sv_is(m.username, "evtj:h6vY") && m.priority == 0x6e0001ff && m.tie_breaker == 0x932ff9b151263b36);
	EXPECT(stun_is_signed(&m, &key) && !stun_is_signed(&m, &wrong));
	for (size_t i = 0; i < 100; i++) { /* up to the signature no bit of it can be changed unseen */
		memcpy(p, sample, sizeof(sample));
		p[i] ^= 1;
		EXPECT(stun_parse(p, sizeof(sample) - 1, &m) || !stun_is_signed(&m, &key));
		EXPECT(stun_parse(sample, i, &m) == ST_PARSE);
	}
	struct addr six = address("2001:db8::7", 5), back;
	struct stun_out o;
	stun_begin(&o, STUN_SUCCESS, STUN_BINDING, sample + 8);
	stun_put_addr(&o, STUN_A_XOR_MAPPED, &six);
	stun_end(&o, &key, true);
	EXPECT_INT(stun_parse(o.p, o.n, &m), ST_OK);
	back = m.mapped;
	EXPECT(addr_eq(&six, &back) && m.class == STUN_SUCCESS && stun_is_signed(&m, &key) && m.has_fingerprint);
	return 0;
}

static int test_connect(void)
{
	for (loss_percent = 0; loss_percent <= 40; loss_percent += 20) {
		unsigned loss = loss_percent;
		start(true, false, false);
		loss_percent = loss;
		tell_both(false);
		run_ms(loss ? 12000 : 800);
		EXPECT(A->agent.state == ICE_COMPLETED && B->agent.state == ICE_COMPLETED);
		EXPECT(goes_to(A, &B->at) && goes_to(B, &A->at));
		EXPECT(ice_agent_is_proven(&A->agent, &B->at) && !ice_agent_is_proven(&A->agent, &X->at));
		loss_percent = loss;
	}
	return 0;
}

/* B is behind a translator and names his inner address only: A learns the outer one from his check. */
static int test_reflexive(void)
{
	start(true, false, false);
	B->at = address("10.0.0.5", 2000);
	B->outside = address("198.51.100.7", 40000);
	tell_both(false);
	run_ms(2000);
	EXPECT(goes_to(A, &B->outside) && goes_to(B, &A->at));
	EXPECT(ice_agent_selected(&A->agent)->kind == ICE_PRFLX);
	EXPECT(!ice_agent_is_proven(&A->agent, &B->at));
	return 0;
}

static int test_conflict(void)
{
	for (int both = 0; both < 2; both++)
		for (unsigned s = 1; s < 20; s++) {
			start(both, both, false);
			A->agent.tie_breaker = s * 77 % 13, B->agent.tie_breaker = s * 31 % 11;
			tell_both(false);
			run_ms(3000);
			EXPECT(A->agent.is_controlling != B->agent.is_controlling);
			EXPECT(A->agent.state == ICE_COMPLETED && B->agent.state == ICE_COMPLETED);
		}
	return 0;
}

static int test_lite(void)
{
	start(true, false, true);
	tell_both(true);
	run_ms(1500);
	EXPECT(!A->agent.is_controlling && B->agent.is_controlling);
	EXPECT(A->agent.state == ICE_COMPLETED && B->agent.state == ICE_COMPLETED);
	EXPECT(goes_to(A, &B->at) && A->agent.counts.checks_out == 0);
	return 0;
}

/* With the right password from another address: a pair like any other. With a wrong one: nothing, not even an answer.
 */
static int test_stranger(void)
{
	start(false, true, false);
	tell_both(false);
	run_ms(1000);
	struct ice_conf x = {.is_controlling = true,
	    .ufrag = "fragB",
	    .pwd = PWD_B,
	    .send = node_send,
	    .random = random_bytes,
	    .arg = X};
	ice_agent_init(&X->agent, &x);
	tell(X, "fragA", "wrongwrongwrongwrongwrong", &A->at, false);
	run_ms(2000);
	EXPECT(!ice_agent_is_proven(&A->agent, &X->at) && goes_to(A, &B->at));
	EXPECT(A->agent.counts.refused > 0 && X->agent.counts.answers_in == 0);
	ice_agent_init(&X->agent, &x);
	tell(X, "fragA", PWD_A, &A->at, false);
	run_ms(3000);
	EXPECT(ice_agent_is_proven(&A->agent, &X->at));
	return 0;
}

/* What floods costs a bounded number of hashes, and does not keep the far side out for longer than the flood. */
static int test_flood(void)
{
	start(false, true, false);
	tell_both(false);
	run_ms(1000);
	struct stun_key wrong;
	stun_key_set(&wrong, "x", 1);
	uint64_t before = A->agent.counts.refused;
	for (unsigned i = 0; i < 5000; i++) {
		struct stun_out o;
		uint8_t txid[12] = {(uint8_t)i, (uint8_t)(i >> 8)};
		struct addr from = address("203.0.113.9", (uint16_t)(1 + i));
		stun_begin(&o, STUN_REQUEST, STUN_BINDING, txid);
		stun_put(&o, STUN_A_USERNAME, "fragA:fragB", 11);
		stun_end(&o, &wrong, true);
		ice_agent_packet(&A->agent, &from, o.p, o.n, now_us);
	}
	EXPECT_INT(A->agent.counts.refused - before, 5000);
	run_ms(2000);
	EXPECT(goes_to(A, &B->at) && A->agent.state == ICE_COMPLETED);
	/* more candidates than there is room for, and learned ones: bounded */
	int full = 0;
	for (uint16_t i = 1; i < 100; i++) {
		struct addr at = address("203.0.113.1", i);
		full += ice_agent_candidate_add(&A->agent, ICE_HOST, &at, i, now_us) == ST_FULL;
	}
	EXPECT_INT(full, 99 - (ICE_REMOTES_MAX - 1));
	struct addr group = address("224.0.0.1", 5), none = address("0.0.0.0", 5), zero = address("192.0.2.9", 0);
	EXPECT_INT(ice_agent_candidate_add(&A->agent, ICE_HOST, &group, 1, now_us), ST_INVAL);
	EXPECT_INT(ice_agent_candidate_add(&A->agent, ICE_HOST, &none, 1, now_us), ST_INVAL);
	EXPECT_INT(ice_agent_candidate_add(&A->agent, ICE_HOST, &zero, 1, now_us), ST_INVAL);
	return 0;
}

static int test_restart(void)
{
	start(true, false, false);
	tell_both(false);
	run_ms(1000);
	ice_agent_restart(&A->agent, "fragC", "cccccccccccccccccccccccc", now_us);
	EXPECT(goes_to(A, &B->at) && ice_agent_is_proven(&A->agent, &B->at)); /* media goes on */
	run_ms(7000);                                                         /* B still asks with what it had */
	EXPECT(B->agent.state == ICE_COMPLETED && B->agent.selected->consent_us > now_us - 6500000);
	ice_agent_restart(&B->agent, "fragD", "dddddddddddddddddddddddd", now_us);
	struct addr moved = address("192.0.2.22", 2222);
	B->at = moved;
	tell(A, "fragD", "dddddddddddddddddddddddd", &moved, false);
	tell(B, "fragC", "cccccccccccccccccccccccc", &A->at, false);
	run_ms(1500);
	EXPECT(goes_to(A, &moved) && A->agent.state == ICE_COMPLETED && B->agent.state == ICE_COMPLETED);
	return 0;
}

/* Restarts follow one another and nobody answers: the consent of before the first is not made longer by them. */
static int test_restarts(void)
{
	start(true, false, false);
	tell_both(false);
	run_ms(1000);
	B->is_deaf = true;
	B->agent.send = NULL;
	int64_t consent_us = A->agent.selected->consent_us;
	for (int i = 0; i < 4; i++) {
		char own[] = "fragN0", theirs[] = "fragM0";
		own[5] += i, theirs[5] += i;
		run_ms(20000);
		ice_agent_restart(&A->agent, own, "cccccccccccccccccccccccc", now_us);
		tell(A, theirs, PWD_B, &B->at, false);
		EXPECT(A->agent.state == ICE_CHECKING);
		while (now_us < consent_us + 29800000) {
			EXPECT(goes_to(A, &B->at));
			run_ms(100);
		}
		run_ms(1000);
		EXPECT(!ice_agent_target(&A->agent) && !ice_agent_is_proven(&A->agent, &B->at));
		EXPECT(i ? A->agent.state == ICE_CHECKING : A->agent.state == ICE_FAILED);
	}
	return 0;
}

/* A restart that nobody answers is told as one that failed, and what comes late is still taken. */
static int test_restart_alone(void)
{
	start(true, false, false);
	tell_both(false);
	run_ms(60000);
	ice_agent_restart(&A->agent, "fragC", "cccccccccccccccccccccccc", now_us);
	run_ms(20000);
	EXPECT(A->agent.state == ICE_NEW && goes_to(A, &B->at));
	EXPECT(ice_agent_run(&A->agent, now_us) <= now_us + 10000000);
	run_ms(20000);
	EXPECT(A->agent.state == ICE_FAILED && !ice_agent_target(&A->agent));
	ice_agent_restart(&B->agent, "fragD", "dddddddddddddddddddddddd", now_us);
	tell(A, "fragD", "dddddddddddddddddddddddd", &B->at, false);
	tell(B, "fragC", "cccccccccccccccccccccccc", &A->at, false);
	run_ms(1500);
	EXPECT(goes_to(A, &B->at) && A->agent.state == ICE_COMPLETED);
	start(true, false, false); /* nor does one whose offer rings for long fail */
	run_ms(60000);
	EXPECT(A->agent.state == ICE_NEW && ice_agent_run(&A->agent, now_us) == INT64_MAX);
	return 0;
}

/* A lite agent's browser has another network: it checks from there only. When all falls silent nothing is sent, until
 * it checks again. */
static int test_lite_moves(void)
{
	start(true, false, true);
	tell_both(true);
	run_ms(30000);
	struct ice_conf x = {.is_controlling = true,
	    .ufrag = "fragB",
	    .pwd = PWD_B,
	    .send = node_send,
	    .random = random_bytes,
	    .arg = X};
	ice_agent_init(&X->agent, &x);
	tell(X, "fragA", PWD_A, &A->at, true);
	B->agent.send = NULL;
	run_ms(20000);
	EXPECT(goes_to(A, &B->at) && ice_agent_is_proven(&A->agent, &X->at));
	run_ms(12000);
	EXPECT(goes_to(A, &X->at) && A->agent.state == ICE_COMPLETED);
	X->agent.send = NULL;
	run_ms(20000);
	EXPECT(goes_to(A, &X->at));
	run_ms(12000);
	EXPECT(!ice_agent_target(&A->agent) && A->agent.state == ICE_CHECKING);
	run_ms(60000);
	EXPECT(A->agent.state == ICE_FAILED);
	ice_agent_init(&X->agent, &x); /* its own patience is over, too */
	tell(X, "fragA", PWD_A, &A->at, true);
	run_ms(2000);
	EXPECT(goes_to(A, &X->at) && A->agent.state == ICE_COMPLETED);
	return 0;
}

/* One that never renews its consent (before RFC 7675) is spoken to as long as nobody else checks; and for a while after
 * a restart. */
static int test_lite_old(void)
{
	start(true, false, true);
	tell_both(true);
	run_ms(2000);
	B->agent.send = NULL;
	run_ms(90000);
	EXPECT(goes_to(A, &B->at) && A->agent.state == ICE_COMPLETED);
	EXPECT(ice_agent_run(&A->agent, now_us) > now_us);
	ice_agent_restart(&A->agent, "fragC", "cccccccccccccccccccccccc", now_us);
	run_ms(20000);
	EXPECT(goes_to(A, &B->at));
	run_ms(12000);
	EXPECT(!ice_agent_target(&A->agent));
	return 0;
}

static int test_consent(void)
{
	start(true, false, false);
	tell_both(false);
	run_ms(60000);
	EXPECT(A->agent.state == ICE_COMPLETED && A->agent.counts.checks_out > 9 && A->agent.counts.checks_out < 24);
	B->is_deaf = true;
	run_ms(20000);
	EXPECT(A->agent.state == ICE_COMPLETED);
	run_ms(20000);
	EXPECT(A->agent.state == ICE_LOST && !ice_agent_target(&A->agent));
	return 0;
}

/* The relay goes away: what goes by it is lost at once, and a restart with another one brings it back; where there is
 * another way, nothing happens. */
static int test_relay_lost(void)
{
	start(true, false, false);
	is_direct_cut = true;
	ice_agent_relay_set(&A->agent, node_send_relayed);
	tell(A, "fragB", PWD_B, &B->at, false);
	tell(B, "fragA", PWD_A, &relay_at, false);
	run_ms(2000);
	EXPECT(goes_to(A, &B->at) && ice_agent_target_is_relayed(&A->agent) && A->agent.state == ICE_COMPLETED);
	run_ms(20000); /* the direct pair is given up */
	ice_agent_relay_lost(&A->agent, now_us);
	EXPECT(!ice_agent_target(&A->agent));
	(void)ice_agent_run(&A->agent, now_us);
	EXPECT(A->agent.state == ICE_LOST && !ice_agent_target(&A->agent));
	EXPECT(!ice_agent_is_relay_proven(&A->agent, &B->at));
	relay_at = address("192.0.2.8", 8000);
	ice_agent_restart(&A->agent, "fragC", "cccccccccccccccccccccccc", now_us);
	ice_agent_relay_set(&A->agent, node_send_relayed);
	ice_agent_restart(&B->agent, "fragD", "dddddddddddddddddddddddd", now_us);
	tell(A, "fragD", "dddddddddddddddddddddddd", &B->at, false);
	tell(B, "fragC", "cccccccccccccccccccccccc", &relay_at, false);
	run_ms(2000);
	EXPECT(goes_to(A, &B->at) && ice_agent_target_is_relayed(&A->agent) && goes_to(B, &relay_at));
	start(true, false, false);
	ice_agent_relay_set(&A->agent, node_send_relayed);
	tell_both(false);
	run_ms(2000);
	ice_agent_relay_lost(&A->agent, now_us);
	run_ms(1000);
	EXPECT(goes_to(A, &B->at) && A->agent.state == ICE_COMPLETED && !ice_agent_target_is_relayed(&A->agent));
	return 0;
}

/* Candidates come after the checks began; and with none that works it is told. */
static int test_trickle(void)
{
	start(true, false, false);
	tell(A, "fragB", PWD_B, NULL, false);
	tell(B, "fragA", PWD_A, NULL, false);
	run_ms(3000);
	EXPECT(A->agent.state == ICE_CHECKING);
	tell(A, "fragB", PWD_B, &B->at, false);
	run_ms(1000);
	EXPECT(A->agent.state == ICE_COMPLETED && B->agent.state == ICE_COMPLETED);
	start(true, false, false);
	struct addr nobody = address("192.0.2.99", 9);
	tell(A, "fragB", PWD_B, &nobody, false);
	run_ms(39000);
	EXPECT(A->agent.state == ICE_CHECKING);
	run_ms(1000);
	EXPECT(A->agent.state == ICE_FAILED);
	tell(A, "fragB", PWD_B, &B->at, false);
	tell(B, "fragA", PWD_A, NULL, false);
	run_ms(1000);
	EXPECT(A->agent.state == ICE_COMPLETED);
	EXPECT_INT(ice_agent_remote_set(&A->agent, SV("abc"), SV(PWD_A), false, now_us), ST_INVAL);
	EXPECT_INT(ice_agent_remote_set(&A->agent, SV("abcd"), SV("short"), false, now_us), ST_INVAL);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {{"message", test_message}, {"connect", test_connect},
	    {"reflexive", test_reflexive}, {"conflict", test_conflict}, {"lite", test_lite},
	    {"stranger", test_stranger}, {"flood", test_flood}, {"restart", test_restart}, {"restarts", test_restarts},
	    {"restart_alone", test_restart_alone}, {"lite_moves", test_lite_moves}, {"lite_old", test_lite_old},
	    {"consent", test_consent}, {"trickle", test_trickle}, {"relay_lost", test_relay_lost}};
	return test_main(argc, argv, cases, ARRAY_COUNT(cases));
}
