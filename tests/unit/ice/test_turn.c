/* The TURN client against a server of a few lines: credentials, a nonce that grows old, refreshes in time, permissions
 * and channels with their wraps, refusals, a server that falls silent. The clock is the test's. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "harness.h"
#include "ice/turn.h"
#include <openssl/md5.h>
#include <stdio.h>
#include <string.h>

static struct turn_client c;
static int64_t now_us;
static struct server {
	unsigned count[16]; /* of requests, by method */
	bool is_silent, is_stale, refuses_peers, has_wrong_key;
	unsigned lifetime_s, lifetime_asked_s;
	const char *nonce;
	struct addr peer;
	uint8_t last[STUN_OUT_MAX];
	size_t last_n;
} server;
static const char relay_host[] = "192.0.2.7";

static void random_bytes(void *p, size_t n)
{
	static uint8_t next;
	memset(p, ++next, n);
}
static struct addr address(const char *host, uint16_t port)
{
	struct addr a;
	memset(&a, 0, sizeof(a));
	(void)addr_parse(&a, sv_of(host), port);
	return a;
}
static struct stun_key key_of(const char *password)
{
	char text[100];
	uint8_t digest[16];
	struct stun_key k;
	int n = snprintf(text, sizeof(text), "lab:here:%s", password);
	MD5((const uint8_t *)text, (size_t)n, digest);
	stun_key_set(&k, digest, 16);
	return k;
}

static void refuse(struct stun_out *o, const struct stun_msg *m, unsigned code)
{
	stun_begin(o, STUN_ERROR, m->method, m->txid);
	stun_put_error(o, code, "no");
	stun_put(o, STUN_A_REALM, "here", 4);
	stun_put(o, STUN_A_NONCE, server.nonce, strlen(server.nonce));
	stun_end(o, NULL, false);
}

static void on_request(const uint8_t *p, size_t n, void *arg)
{
	struct stun_msg m;
	struct stun_out o;
	struct addr from, relayed = address(relay_host, 5000);
	struct sv data;
	struct stun_key key = key_of(server.has_wrong_key ? "other" : "secret");

	if (stun_parse(p, n, &m))
		return;
	server.count[m.method & 15]++;
	memcpy(server.last, p, n), server.last_n = n;
	if (server.is_silent)
		return;
	if (m.method == STUN_REFRESH)
		server.lifetime_asked_s = m.lifetime_s;
	if (!m.integrity_at || !stun_is_signed(&m, &key)) {
		refuse(&o, &m, 401);
	} else if (server.is_stale) {
		server.is_stale = false, server.nonce = "new";
		refuse(&o, &m, 438);
	} else if (!sv_is(m.nonce, server.nonce) || (server.refuses_peers && m.method == STUN_PERMISSION)) {
		refuse(&o, &m, 403);
	} else {
		server.peer = m.peer;
		stun_begin(&o, STUN_SUCCESS, m.method, m.txid);
		if (m.method == STUN_ALLOCATE)
			stun_put_addr(&o, STUN_A_XOR_RELAYED, &relayed);
		if (m.method == STUN_ALLOCATE || m.method == STUN_REFRESH)
			stun_put_u32(&o, STUN_A_LIFETIME, server.lifetime_s);
		stun_end(&o, &key, true);
	}
	(void)turn_packet(&c, o.p, o.n, now_us, &from, &data);
}

static void begin(void)
{
	struct turn_conf conf = {.username = "lab", .password = "secret", .send = on_request, .random = random_bytes};
	(void)turn_begin(&c, &conf, now_us);
}
static void start(void)
{
	memset(&server, 0, sizeof(server));
	server.nonce = "old", server.lifetime_s = 600, now_us = 1000000;
}
static void run_s(int s)
{
	for (int i = 0; i < s * 10; i++, now_us += 100000)
		(void)turn_run(&c, now_us);
}

static int test_refresh(void)
{
	start();
	begin();
	EXPECT_INT(c.state, TURN_UP);
	EXPECT_INT(addr_port(&c.relayed), 5000);
	EXPECT_INT(server.count[STUN_ALLOCATE], 2);
	run_s(470);
	EXPECT_INT(server.count[STUN_REFRESH], 0);
	run_s(20);
	EXPECT_INT(server.count[STUN_REFRESH], 1);
	server.is_stale = true;
	run_s(480);
	EXPECT_INT(server.count[STUN_REFRESH], 3); /* one with the old nonce */
	EXPECT_INT(c.state, TURN_UP);
	server.lifetime_s = 20;
	run_s(480);
	run_s(100);
	EXPECT(server.count[STUN_REFRESH] >= 8 && server.count[STUN_REFRESH] <= 12);
	turn_end(&c, now_us);
	EXPECT_INT(server.lifetime_asked_s, 0);
	EXPECT(c.state == TURN_FAILED && !c.password[0] && turn_run(&c, now_us) == INT64_MAX);
	return 0;
}

static int test_silent(void)
{
	start();
	server.is_silent = true;
	begin();
	run_s(40);
	EXPECT(c.state == TURN_FAILED && !strcmp(c.why, "it does not answer"));
	EXPECT(server.count[STUN_ALLOCATE] >= 5 && server.count[STUN_ALLOCATE] <= 7);
	start();
	begin();
	server.is_silent = true;
	run_s(530);
	EXPECT_INT(c.state, TURN_FAILED);
	start();
	server.has_wrong_key = true;
	begin();
	EXPECT(c.state == TURN_FAILED && c.error == 401 && server.count[STUN_ALLOCATE] == 2);
	return 0;
}

static int test_peers(void)
{
	struct addr peer = address("198.51.100.1", 4000), other = address("198.51.100.1", 4001),
	            stranger = address("198.51.100.2", 4000), six = address("2001:db8::1", 1), from;
	uint8_t head[TURN_HEAD_BYTES], packet[200];
	struct stun_msg m;
	struct sv data;
	size_t pad;

	start();
	begin();
	EXPECT_INT(turn_peer_add(&c, &six), ST_INVAL);
	EXPECT_INT(turn_head(&c, &peer, 5, head, &pad), 0);
	EXPECT_INT(turn_peer_add(&c, &peer), ST_OK);
	run_s(1);
	EXPECT(server.count[STUN_PERMISSION] == 1 && addr_eq(&server.peer, &peer));
	/* as an indication */
	size_t n = turn_head(&c, &peer, 5, head, &pad);
	EXPECT(n > 4 && pad == 3);
	memcpy(packet, head, n), memcpy(packet + n, "hello\0\0\0", 8);
	EXPECT_INT(stun_parse(packet, n + 8, &m), ST_OK);
	EXPECT(
	    m.class == STUN_INDICATION && m.method == STUN_SEND && addr_eq(&m.peer, &peer) && sv_is(m.data, "hello"));
	/* what comes: the same, as Data; of another port of the host, who is a peer from there on; of a stranger */
	packet[0] = 0, packet[1] = 0x17;
	EXPECT(turn_packet(&c, packet, n + 8, now_us, &from, &data) && sv_is(data, "hello") && addr_eq(&from, &peer));
	struct stun_out o;
	const uint8_t txid[12] = {1};
	for (int i = 0; i < 2; i++) {
		stun_begin(&o, STUN_INDICATION, STUN_DATA, txid);
		stun_put_addr(&o, STUN_A_XOR_PEER, i ? &stranger : &other);
		stun_put(&o, STUN_A_DATA, "x", 1);
		EXPECT(turn_packet(&c, o.p, o.n, now_us, &from, &data) && addr_eq(&from, i ? &stranger : &other));
	}
	EXPECT(turn_head(&c, &other, 1, head, &pad) && !turn_head(&c, &stranger, 1, head, &pad));
	/* by a channel */
	turn_channel_want(&c, &peer);
	run_s(1);
	EXPECT_INT(server.count[STUN_CHANNEL], 1);
	EXPECT_INT(turn_head(&c, &peer, 5, head, &pad), 4);
	memcpy(packet, head, 4), memcpy(packet + 4, "hello", 5);
	EXPECT(turn_packet(&c, packet, 9, now_us, &from, &data) && sv_is(data, "hello") && addr_eq(&from, &peer));
	EXPECT(!turn_packet(&c, packet, 8, now_us, &from, &data)); /* shorter than it says */
	packet[1] = 9;
	EXPECT(!turn_packet(&c, packet, 9, now_us, &from, &data)); /* no such channel */
	run_s(1300);
	EXPECT(server.count[STUN_PERMISSION] >= 10 && server.count[STUN_CHANNEL] >= 3);
	server.refuses_peers = true;
	EXPECT_INT(turn_peer_add(&c, &stranger), ST_OK);
	run_s(1);
	EXPECT(!turn_head(&c, &stranger, 1, head, &pad) && c.state == TURN_UP);
	return 0;
}

static bool hears(const struct addr *peer)
{
	const uint8_t txid[12] = {1};
	struct stun_out o;
	struct addr from;
	struct sv data;
	stun_begin(&o, STUN_INDICATION, STUN_DATA, txid);
	stun_put_addr(&o, STUN_A_XOR_PEER, peer);
	stun_put(&o, STUN_A_DATA, "x", 1);
	return turn_packet(&c, o.p, o.n, now_us, &from, &data);
}

/* The far side restarts again and again, each time with addresses of its own, one of them by a channel: there is always
 * room for the new ones, and the one that is held keeps what it has. */
static int test_rows(void)
{
	struct addr held = {0};
	uint8_t head[TURN_HEAD_BYTES];
	size_t pad;

	start();
	begin();
	for (uint16_t restart = 1; restart <= 40; restart++) {
		turn_peers_leave(&c, addr_is_set(&held) ? &held : NULL);
		EXPECT(restart == 1 || turn_head(&c, &held, 5, head, &pad) == 4);
		for (uint16_t i = 0; i < 16; i++) {
			struct addr at = address("198.51.100.1", (uint16_t)(1000 * restart + i));
			EXPECT_INT(turn_peer_add(&c, &at), ST_OK);
			if (!i)
				held = at;
		}
		run_s(3);
		turn_channel_want(&c, &held);
		run_s(1);
	}
	unsigned before = server.count[STUN_CHANNEL] + server.count[STUN_PERMISSION];
	run_s(550);
	unsigned asked = server.count[STUN_CHANNEL] + server.count[STUN_PERMISSION] - before;
	EXPECT(asked >= 30 && asked <= 40); /* for the 16 only */
	/* one that was left and is named again has its channel, and is asked for anew */
	turn_peers_leave(&c, NULL);
	EXPECT_INT(turn_peer_add(&c, &held), ST_OK);
	EXPECT_INT(turn_head(&c, &held, 5, head, &pad), 4);
	before = server.count[STUN_CHANNEL];
	run_s(1);
	EXPECT_INT(server.count[STUN_CHANNEL], before + 1);
	/* but not after as long as the server keeps it */
	turn_peers_leave(&c, NULL);
	run_s(601);
	EXPECT_INT(turn_peer_add(&c, &held), ST_OK);
	EXPECT_INT(turn_head(&c, &held, 5, head, &pad), 0);
	return 0;
}

/* A host of many ports takes so many rows and no more; the latest is heard and answered, the one in use stays. */
static int test_learned(void)
{
	struct addr host = address("198.51.100.1", 4000), used = address("198.51.100.1", 4001);
	uint8_t head[TURN_HEAD_BYTES];
	size_t pad, learned = 0;

	start();
	begin();
	EXPECT_INT(turn_peer_add(&c, &host), ST_OK);
	run_s(1);
	EXPECT(hears(&used));
	turn_channel_want(&c, &used);
	for (uint16_t port = 5000; port < 5200; port++) {
		struct addr at = address("198.51.100.1", port);
		now_us += 1000;
		EXPECT(hears(&at) && turn_head(&c, &at, 1, head, &pad) && turn_head(&c, &used, 1, head, &pad));
	}
	for (size_t i = 0; i < TURN_PEERS_MAX; i++)
		learned += c.peers[i].learned_us != 0;
	EXPECT_INT(learned, TURN_LEARNED_MAX);
	for (uint16_t port = 1; port <= 16; port++) {
		struct addr at = address("198.51.100.2", port);
		EXPECT_INT(turn_peer_add(&c, &at), ST_OK);
	}
	return 0;
}

/* An answer that comes for a peer whose row has gone to another one is not that one's. */
static int test_row_asked(void)
{
	struct addr was = address("198.51.100.1", 1), is = address("198.51.100.2", 2), from;
	struct stun_key key = key_of("secret");
	uint8_t head[TURN_HEAD_BYTES], txid[STUN_TXID_BYTES];
	struct stun_out o;
	struct sv data;
	size_t pad;

	start();
	begin();
	server.is_silent = true;
	EXPECT_INT(turn_peer_add(&c, &was), ST_OK);
	(void)turn_run(&c, now_us);
	memcpy(txid, c.txid, sizeof(txid));
	turn_peers_leave(&c, NULL);
	EXPECT_INT(turn_peer_add(&c, &is), ST_OK);
	for (int i = 0; i < 2; i++) { /* before it is asked for itself, and while it is */
		stun_begin(&o, STUN_SUCCESS, STUN_PERMISSION, txid);
		stun_end(&o, &key, true);
		EXPECT(!turn_packet(&c, o.p, o.n, now_us, &from, &data) && !turn_head(&c, &is, 1, head, &pad));
		(void)turn_run(&c, now_us);
	}
	EXPECT_INT(server.count[STUN_PERMISSION], 2);
	server.is_silent = false;
	run_s(1);
	EXPECT(turn_head(&c, &is, 1, head, &pad) && addr_eq(&server.peer, &is));
	return 0;
}

static int test_forged(void)
{
	struct addr from, at = address("192.0.2.66", 1);
	struct stun_key key = key_of("guess");
	struct stun_out o;
	struct sv data;

	start();
	server.is_silent = true;
	begin();
	stun_begin(&o, STUN_SUCCESS, STUN_ALLOCATE, c.txid);
	stun_put_addr(&o, STUN_A_XOR_RELAYED, &at);
	stun_end(&o, &key, true);
	EXPECT(!turn_packet(&c, o.p, o.n, now_us, &from, &data) && c.state == TURN_ASKING);
	struct stun_msg none = {.method = STUN_ALLOCATE, .txid = (const uint8_t *)"123456789012"};
	refuse(&o, &none, 401); /* of a request that is not out */
	EXPECT(!turn_packet(&c, o.p, o.n, now_us, &from, &data) && !c.has_key);
	EXPECT_INT(turn_begin(&c, &(struct turn_conf){.username = "", .password = "x"}, 0), ST_INVAL);
	return 0;
}

/* Over a stream nothing is asked twice, and ChannelData are filled up. */
static int test_stream(void)
{
	struct turn_conf conf = {
	    .username = "lab", .password = "secret", .send = on_request, .random = random_bytes, .is_stream = true};
	struct addr peer = address("198.51.100.1", 4000);
	uint8_t head[TURN_HEAD_BYTES];
	size_t pad;

	start();
	server.is_silent = true;
	(void)turn_begin(&c, &conf, now_us);
	run_s(39);
	EXPECT(c.state == TURN_ASKING && server.count[STUN_ALLOCATE] == 1);
	run_s(1);
	EXPECT(c.state == TURN_FAILED && !strcmp(c.why, "it does not answer") && server.count[STUN_ALLOCATE] == 1);
	start();
	(void)turn_begin(&c, &conf, now_us);
	EXPECT(c.state == TURN_UP && !turn_peer_add(&c, &peer));
	turn_channel_want(&c, &peer);
	run_s(1);
	for (size_t n = 4; n < 8; n++)
		EXPECT(turn_head(&c, &peer, n, head, &pad) == 4 && head[3] == n && pad == (8 - n) % 4);
	turn_lost(&c, "gone");
	turn_lost(&c, "again");
	EXPECT(c.state == TURN_FAILED && !strcmp(c.why, "gone") && !turn_head(&c, &peer, 4, head, &pad));
	turn_end(&c, now_us);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {{"refresh", test_refresh}, {"silent", test_silent},
	    {"peers", test_peers}, {"rows", test_rows}, {"learned", test_learned}, {"row_asked", test_row_asked},
	    {"forged", test_forged}, {"stream", test_stream}};
	return test_main(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
