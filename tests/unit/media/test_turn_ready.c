/* Allocations held ready for days, by a clock that the test moves, at a TURN server of a few lines behind a socket:
 * with a shared secret the credentials end in a day, so each is replaced in half of it, the new one before the old one
 * goes. The server refuses credentials that are over, as coturn does. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/check.h"
#include "base/clock.h"
#include "harness.h"
#include "loop/loop.h"
#include "media/ctl/turn.h"
#include "media/ctl/turn_words.h"
#include "net/dns.h"
#include <openssl/md5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOUR_S = 3600, STEP_S = 100, MINE_MAX = 500 };
#define SECRET "a-shared-one"
static struct server {
	int fd;
	struct lpoll *poll;
	bool is_full; /* nothing new */
	unsigned allocated, alive, alive_least, expired;
	uint16_t ports[MINE_MAX]; /* of those that are alive, by who asked */
} server;
static int64_t wall_s(void)
{
	return clock_wall_us() / 1000000;
}

static struct stun_key key_of(const char *username)
{
	char text[300];
	uint8_t digest[16];
	struct turn_lease l;
	struct stun_key k;
	const char *password = "secret";

	if (*username != 'l') { /* not lab */
		(void)turn_lease_make(SECRET, "", atoll(username), &l);
		password = l.password;
	}
	int n = snprintf(text, sizeof(text), "%s:here:%s", username, password);
	MD5((const uint8_t *)text, (size_t)n, digest);
	stun_key_set(&k, digest, 16);
	return k;
}

static uint16_t *row_of(uint16_t port)
{
	for (size_t i = 0; i < MINE_MAX; i++)
		if (server.ports[i] == port)
			return &server.ports[i];
	return NULL;
}

static void count(const struct stun_msg *m, uint16_t port)
{
	uint16_t *row = row_of(port);
	if (m->method == STUN_ALLOCATE && !row && (row = row_of(0)))
		*row = port, server.allocated++, server.alive++;
	else if (m->method == STUN_REFRESH && m->has_lifetime && !m->lifetime_s && row)
		*row = 0, server.alive--;
	if (server.allocated > 2 && server.alive < server.alive_least)
		server.alive_least = server.alive;
}

static void refuse(struct stun_out *o, const struct stun_msg *m, unsigned code)
{
	stun_begin(o, STUN_ERROR, m->method, m->txid);
	stun_put_error(o, code, "no");
	stun_put(o, STUN_A_REALM, "here", 4);
	stun_put(o, STUN_A_NONCE, "now", 3);
	stun_end(o, NULL, false);
}

static void on_request(int events, void *arg)
{
	uint8_t p[STUN_OUT_MAX];
	struct addr from, relayed;
	socklen_t n = sizeof(from);
	ssize_t got = recvfrom(server.fd, p, sizeof(p), MSG_DONTWAIT, &from.sa, &n);
	struct stun_msg m;
	struct stun_out o;

	if (got <= 0 || stun_parse(p, (size_t)got, &m))
		return;
	char username[TURN_USER_MAX + 1];
	snprintf(username, sizeof(username), "%.*s", SVF(m.username));
	struct stun_key key = key_of(username);
	bool is_over = *username && *username != 'l' && atoll(username) < wall_s();
	server.expired += is_over;
	if (!m.integrity_at || !stun_is_signed(&m, &key) || is_over) {
		refuse(&o, &m, 401);
	} else if (m.method == STUN_ALLOCATE && server.is_full) {
		refuse(&o, &m, 486);
	} else {
		count(&m, addr_port(&from));
		(void)addr_parse(&relayed, SV("192.0.2.7"), addr_port(&from));
		stun_begin(&o, STUN_SUCCESS, m.method, m.txid);
		stun_put_addr(&o, STUN_A_XOR_RELAYED, &relayed);
		stun_put_u32(&o, STUN_A_LIFETIME, 600);
		stun_end(&o, &key, true);
	}
	(void)sendto(server.fd, o.p, o.n, 0, &from.sa, addr_len(&from));
}

static ON_CTL void settle(void)
{
	for (int i = 0; i < 40; i++)
		loop_run_nowait();
}
static ON_CTL void run_s(int64_t s)
{
	for (int64_t i = 0; i < s; i += STEP_S) {
		clock_fake_advance(STEP_S * INT64_C(1000000));
		settle();
	}
}

static ON_CTL int begin(struct mturn **out, bool has_secret)
{
	struct addr at;
	socklen_t n = sizeof(at);
	char text[ADDR_TEXT_MAX];

	memset(&server, 0, sizeof(server));
	server.alive_least = 1000;
	EXPECT(!dns_start()); /* it knows that an address is one */
	clock_fake_start(INT64_C(1800000000) * 1000000);
	server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	EXPECT(!addr_parse(&at, SV("127.0.0.1"), 0) && !bind(server.fd, &at.sa, addr_len(&at)));
	EXPECT(!getsockname(server.fd, &at.sa, &n) &&
	       !loop_poll_open(&server.poll, server.fd, "server", on_request, NULL));
	(void)loop_poll_set(server.poll, LOOP_READ);
	struct mturn_conf conf = {.server = addr_text(&at, text),
	    .username = has_secret ? "" : "lab",
	    .password = has_secret ? "" : "secret",
	    .secret = has_secret ? SECRET : NULL,
	    .from = "127.0.0.1",
	    .ready = 2};
	EXPECT_INT(mturn_open(out, &conf), ST_OK);
	settle();
	EXPECT_INT(server.alive, 2);
	return 0;
}

static ON_CTL void end(struct mturn *m)
{
	mturn_close(m);
	settle();
	loop_poll_close(server.poll);
	close(server.fd);
	dns_stop();
	clock_fake_stop();
}

static int test_renewed(void)
{
	struct mturn *m;
	role_assert_ctl();
	if (begin(&m, true))
		return -1;
	run_s(11 * HOUR_S);
	EXPECT_INT(server.allocated, 2);
	run_s(2 * HOUR_S);
	EXPECT(server.allocated == 4 && server.alive == 2);
	run_s(60 * HOUR_S); /* every twelve hours */
	EXPECT(server.allocated == 14 && server.alive == 2 && server.alive_least == 2);
	EXPECT_INT(server.expired, 0);
	struct rt_turn *w = mturn_take(m);
	EXPECT(w && atoll(w->client.username) - wall_s() >= 12 * HOUR_S);
	settle();
	EXPECT_INT(server.alive, 3);
	rt_turn_free(w);
	end(m);
	EXPECT_INT(server.alive, 0);
	return 0;
}

/* Names and passwords that do not end are held as long as it takes. */
static int test_lasting(void)
{
	struct mturn *m;
	role_assert_ctl();
	if (begin(&m, false))
		return -1;
	run_s(72 * HOUR_S);
	EXPECT(server.allocated == 2 && server.alive == 2);
	end(m);
	return 0;
}

/* A server that gives nothing new: what is old is better than nothing until its credentials are over. */
static int test_nothing_new(void)
{
	struct mturn *m;
	role_assert_ctl();
	if (begin(&m, true))
		return -1;
	server.is_full = true;
	run_s(20 * HOUR_S);
	EXPECT(server.allocated == 2 && server.alive == 2);
	struct rt_turn *w = mturn_take(m);
	EXPECT(w && w->client.state == TURN_UP);
	rt_turn_free(w);
	run_s(5 * HOUR_S);
	EXPECT(!mturn_take(m));
	server.is_full = false;
	run_s(HOUR_S);
	w = mturn_take(m);
	EXPECT(w && atoll(w->client.username) - wall_s() >= 12 * HOUR_S);
	rt_turn_free(w);
	end(m);
	return 0;
}

/* A server that for a while gives nothing new to replace what was taken: in the end there are as many ready as before.
 */
static int test_taken_meanwhile(void)
{
	struct mturn *m;
	role_assert_ctl();
	if (begin(&m, false))
		return -1;
	server.is_full = true;
	struct rt_turn *w = mturn_take(m);
	run_s(2 * HOUR_S);
	EXPECT_INT(server.alive, 2); /* with the one taken */
	server.is_full = false;
	run_s(HOUR_S);
	EXPECT_INT(server.alive, 3);
	rt_turn_free(w);
	settle();
	EXPECT_INT(server.alive, 2);
	end(m);
	return 0;
}

TEST_MAIN({"renewed", test_renewed, TEST_LOOP}, {"lasting", test_lasting, TEST_LOOP},
    {"nothing_new", test_nothing_new, TEST_LOOP}, {"taken_meanwhile", test_taken_meanwhile, TEST_LOOP})
